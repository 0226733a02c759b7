"""The outcomes of a report: their names, units, columns, and the differences that matter."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias, get_args

import pandas as pd
from pandas.api import types

from musicapi_nb.analysis.checks import finite_values, names_of
from musicapi_nb.analysis.model_frame import OutcomeName, outcome_columns
from musicapi_nb.errors import InvalidArgument

TableName: TypeAlias = Literal["songs", "tags", "sound", "requests", "measures", "answers"]
TABLE_NAMES: tuple[TableName, ...] = get_args(TableName)
RATED_WELL = "rated_4_or_more"
_POSITIVE = (0.0, math.inf)
_HALF_SD = 0.5  # the margin of a column that has none of its own, in standard deviations


class ReportOutcome(NamedTuple):
    """An outcome: what a report calls it, and where it is found.

    `detail` says what a figure is of, such as "of the requested tags"; `difference_unit` is that of
    differences, if it is another. `bounds` are those of its values. `margin` is the
    smallest difference that matters: in the unit of the column (of shares, 0.1 is ten points), or
    as a share of the mean if `relative`. `fixed` outcomes follow from the request, so that equal
    values of all tasks are no chance. `advice` says how to get data.
    """

    name: str
    title: str
    unit: str
    column: OutcomeName
    table: TableName
    margin: float
    advice: str
    detail: str = ""
    is_share: bool = False
    relative: bool = False
    fixed: bool = False
    difference_unit: str = ""
    bounds: tuple[float, float] = (-math.inf, math.inf)

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the greatest possible mean, of shares 0 and 1."""
        return (0.0, 1.0) if self.is_share else self.bounds

    @property
    def span(self) -> float:
        """The greatest possible difference; infinite without bounds."""
        low, high = self.limits
        return high - low


_RATE = "No song is rated yet: api.gallery(run) has stars, and song.rate(5) stores them."
_MEASURE = "No sound is measured yet: mnb.audio_features(run)."
_FOLLOW = "No song requests it, or its sound is not measured yet: mnb.audio_features(run)."
_NO_SINGING = (
    "No song requests it, or nothing tells whether someone sings: audio_features does not; a "
    "function of your own can, mnb.measure(run, function, name='instrumental')."
)


def _sound(name: str, title: str, advice: str = _FOLLOW) -> ReportOutcome:
    """Return the share of songs that follow a request of their sound: see `sound_matches`."""
    return ReportOutcome(
        f"requested {name}",
        title,
        "%",
        f"{name}_followed",
        "sound",
        0.1,
        advice,
        detail="of the songs that request it",
        is_share=True,
    )


BLIND_TEST = ReportOutcome(
    "blind test",
    "Blind test",
    "%",
    "share",
    "answers",
    0.1,
    "No answers of a blind test yet: mnb.blind_test(run, factor={factor}).",
    detail="of the choices between two songs",
    is_share=True,
)
OUTCOMES = (
    BLIND_TEST,
    ReportOutcome(
        "stars", "Stars", "stars", "rating", "songs", 0.5, _RATE, detail="1 to 5", bounds=(1.0, 5.0)
    ),
    ReportOutcome(
        "rated 4 or more",
        "Songs rated 4 or more",
        "%",
        RATED_WELL,
        "songs",
        0.15,
        _RATE,
        detail="of the rated songs",
        is_share=True,
    ),
    ReportOutcome(
        "requested tags",
        "Requested tags kept",
        "%",
        "recall",
        "tags",
        0.1,
        "No songs with requested and returned tags: give the plan tags; see mnb.adherence(run).",
        detail="of the requested tags, per song",
        is_share=True,
    ),
    _sound("tempo", "Requested tempo followed"),
    _sound("key", "Requested key followed"),
    _sound("duration", "Requested duration followed"),
    _sound("instrumental", "Requested instrumental followed", _NO_SINGING),
    ReportOutcome(
        "duration",
        "Duration",
        "s",
        "duration",
        "songs",
        0.1,
        "No song has a duration yet.",
        relative=True,
        bounds=_POSITIVE,
    ),
    ReportOutcome(
        "loudness", "Loudness", "LUFS", "loudness", "measures", 1.0, _MEASURE, difference_unit="LU"
    ),
    ReportOutcome(
        "waiting time",
        "Waiting time",
        "s",
        "waiting_seconds",
        "requests",
        0.2,
        "No waiting times: experiments on the service have them, simulated ones do not.",
        relative=True,
        bounds=_POSITIVE,
    ),
    ReportOutcome(
        "failures",
        "Failed requests",
        "%",
        "failed",
        "requests",
        0.1,
        "No finished requests: an experiment's run counts those that failed.",
        detail="of the finished requests",
        is_share=True,
    ),
    ReportOutcome(
        "cost",
        "Cost",
        "credits per song",
        ("credits", "songs"),
        "requests",
        0.1,
        "No credits: they are those of an experiment's finished requests.",
        detail="per song",
        relative=True,
        fixed=True,
        bounds=_POSITIVE,
    ),
)
"""The outcomes of every report, in the order of the page."""


def read_outcomes(
    names: Sequence[str] | None, tables: dict[TableName, pd.DataFrame]
) -> list[ReportOutcome]:
    """Return the outcomes of these names; a name may also be a numeric column of a table.

    InvalidArgument if a name is neither.
    """
    if names is None:
        return list(OUTCOMES)
    by_name = {outcome.name: outcome for outcome in OUTCOMES}
    result = []
    for name in names_of(names, "outcomes"):
        if (outcome := by_name.get(name) or _column_outcome(name, tables)) is None:
            raise InvalidArgument(
                f"there is no outcome {name!r:.60}: a report has {', '.join(by_name)}, and numeric "
                "columns of the songs, requests and measures"
            )
        result.append(outcome)
    return result


def _column_outcome(name: str, tables: dict[TableName, pd.DataFrame]) -> ReportOutcome | None:
    for table, frame in tables.items():
        if name not in frame.columns:
            continue
        column = frame[name]
        if types.is_bool_dtype(column):
            return ReportOutcome(name, name, "%", name, table, 0.1, "No values.", is_share=True)
        if types.is_numeric_dtype(column):
            margin = _HALF_SD * float(pd.Series(finite_values(column)).std())
            return ReportOutcome(name, name, "", name, table, margin, "No values.")
    return None


def table_with_values(
    outcome: ReportOutcome, tables: dict[TableName, pd.DataFrame]
) -> TableName | None:
    """Return the table that has values of an outcome: its own, else any other; None without."""
    columns = outcome_columns([outcome.column])
    for name in dict.fromkeys((outcome.table, *tables)):
        frame = tables.get(name)
        if frame is not None and set(columns) <= set(frame.columns):
            numbers = all(types.is_numeric_dtype(frame[column]) for column in columns)
            if numbers and frame[columns].notna().all(axis=1).any():
                return name
    return None
