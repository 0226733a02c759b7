"""Sound adherence: how many songs have the tempo, key, length and singing that was requested."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from musicapi_nb.analysis._sound_matches import sound_matches
from musicapi_nb.analysis.array_types import Floats, Ints
from musicapi_nb.analysis.checks import as_frame, check_level, finite_values, level_names, require
from musicapi_nb.analysis.clustered_median import clustered_median
from musicapi_nb.analysis.clusters import cluster_codes, row_codes, sum_by_code
from musicapi_nb.analysis.ratio_estimator import ratio_sums, ratios
from musicapi_nb.analysis.sound_relations import COMPARISONS, RELATED, Comparison
from musicapi_nb.analysis.source_tables import Source
from musicapi_nb.errors import BadFrame, InvalidArgument
from musicapi_nb.extras import require_extra
from musicapi_nb.frames.arrow_tables import Table

_MATCHES = "the table of sound_matches"
_UNITS = {"tempo": "%", "duration": "s"}
_COLUMNS = {
    "property": "str",
    **dict.fromkeys(("followed", "low", "high", "chance"), "float64"),
    **dict.fromkeys(("related", "related_low", "related_high"), "float64"),
    **dict.fromkeys(("deviation", "deviation_low", "deviation_high"), "float64"),
    "unit": "str",
    **dict.fromkeys(("tasks", "songs", "unknown"), "int64"),
}
_ROW_DTYPES = {"code": "int64", **_COLUMNS}


def sound_adherence(
    songs: Source,
    measures: Table | None = None,
    *,
    by: str | Sequence[str] | None = None,
    cluster: str | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Measure how well songs have the sound that was requested: tempo, key, length, singing.

    A song follows the requested tempo if the measured one is within 4 % of it (of a range, within
    4 % of its ends), a key if it is the same, a duration within 5 %, and "instrumental" if nobody
    sings. `sound_matches` has the same song by song, and says how requests are read.

    Songs of one task are not independent: intervals of shares are those of `adherence`, intervals
    of medians invert them (Woodruff, J. Am. Stat. Assoc. 47, 1952). They are missing for a single
    task. The page Statistics of the docs reports how often they cover. For the effect of a factor,
    pass the table of `sound_matches` to `effects`, with outcomes such as "tempo_followed".

    Needs the extra `analysis`.

    Parameters
    ----------
    songs, measures
        As for `sound_matches`; its table is accepted, too.
    by
        Columns of `sound_matches`, such as factors: one row for each combination of their levels
        and property. Default: one row for each property.
    cluster
        The column that identifies independent units; default `cell`, else `task_id`.
    level
        Confidence level of the intervals.

    Returns
    -------
    pd.DataFrame
        One row for each property that any song requested: the columns of `by`, `property` (str:
        "tempo", "key", "duration", "instrumental"), and

        - `followed, low, high` (float64: the share of songs that follow the request),
        - `chance` (float64: the share that would, if all songs of the table were dealt to these
          requests at random; missing where all songs of the table have the same request),
        - `related, related_low, related_high` (float64: the share that follows it, or nearly: half,
          double, third or triple of the tempo; the relative or parallel key, or one a fifth away),
        - `deviation, deviation_low, deviation_high` (float64: the median distance from the request,
          of tempi in percent, of durations in seconds), `unit` (str),
        - `tasks, songs` (int64: compared), `unknown` (int64: songs that requested something that
          could not be measured; they count as neither).

        `.attrs["conflicting_songs"]` counts songs whose request contradicts itself.

    Raises
    ------
    BadFrame
        No song requested anything that can be measured; or as for `sound_matches`.
    """
    require_extra("analysis")
    check_level(level)
    names = [] if by is None else level_names(by, _COLUMNS)
    if isinstance(measures, str | list | tuple):
        raise InvalidArgument(f"measures is a table; columns to group by are by={measures!r:.60}")
    matches = sound_matches(songs, measures)
    require(matches, dict.fromkeys(names, "key"), _MATCHES)
    tasks = cluster_codes(matches, cluster, _MATCHES)
    codes, levels = row_codes(matches[names]) if names else (np.zeros(len(matches), int), None)
    parts = [
        _property_rows(matches, tasks, codes, name, level)
        for name in COMPARISONS
        if matches[COMPARISONS[name].requested[0]].notna().any()
    ]
    nothing = as_frame(pd.DataFrame(columns=list(_ROW_DTYPES)), _ROW_DTYPES)
    # a stable sort keeps the properties of a level together
    table = pd.concat([nothing, *parts]).sort_values("code", kind="stable", ignore_index=True)
    if table.empty and len(matches):
        raise BadFrame(
            "no song requested a tempo, key, duration or instrumental that could be read; "
            "sound_matches(...) lists the songs"
        )
    result = as_frame(table, _COLUMNS)
    if levels is not None:
        lead = levels.iloc[table["code"]].reset_index(drop=True)
        result = pd.concat([lead, result], axis=1)
    result.attrs["conflicting_songs"] = int(matches["request_conflicts"].notna().sum())
    return result


def _property_rows(
    matches: pd.DataFrame, tasks: Ints, codes: Ints, name: str, level: float
) -> pd.DataFrame:
    """Return the columns of one property, a row for each code of levels that requested it."""
    comparison = COMPARISONS[name]
    requested = matches[comparison.requested[0]].notna().to_numpy(bool)
    followed = matches[f"{name}_followed"]
    compared = requested & followed.notna().to_numpy(bool)
    number = int(codes.max(initial=-1)) + 1
    group, clusters, ones = codes[compared], tasks[compared], np.ones(int(compared.sum()))
    hits = {"followed": followed[compared].to_numpy(bool)}
    if name in RELATED:
        hits["related"] = matches[f"{name}_relation"][compared].isin(RELATED[name]).to_numpy(bool)
    rows: dict[str, Any] = {"code": np.arange(number), "property": name}
    for column, values in hits.items():
        sums = ratio_sums(group, clusters, values.astype("float64"), ones, number)
        prefix = "" if column == "followed" else "related_"
        rows |= dict(
            zip((column, f"{prefix}low", f"{prefix}high"), ratios(sums, level), strict=True)
        )
        rows |= {"songs": sums["cases"].astype("int64"), "tasks": sums["tasks"].astype("int64")}
    rows["unknown"] = np.bincount(codes[requested], minlength=number) - rows["songs"]
    chance = sum_by_code(group, _chances(matches, comparison)[compared], number)
    rows["chance"] = np.where(rows["songs"] > 0, chance / np.maximum(rows["songs"], 1), np.nan)
    if unit := _UNITS.get(name):
        distance = np.abs(finite_values(matches[f"{name}_deviation"]))[compared]
        medians = np.array(
            [
                clustered_median(distance[group == code], clusters[group == code], level)
                for code in range(number)
            ]
        )
        medians[:, 1] = np.maximum(medians[:, 1], 0.0)  # a bound of distances
        rows |= dict(zip(("deviation", "deviation_low", "deviation_high"), medians.T, strict=True))
        rows["unit"] = unit
    table = as_frame(pd.DataFrame(rows, columns=list(_ROW_DTYPES)), _ROW_DTYPES)
    return table[np.bincount(codes[requested], minlength=number) > 0]


def _chances(matches: pd.DataFrame, comparison: Comparison) -> Floats:
    """Return the share of all measured songs that would follow the request of each song, (rows,).

    Their mean is the expected agreement of Cohen, Educ. Psychol. Meas. 20, 1960. NaN where nothing
    is requested, and everywhere if all measured songs have the same request.
    """
    columns, measured = comparison.columns(matches)
    both = (columns[0].notna() & measured.notna()).to_numpy(bool)
    chances = np.full(len(matches), np.nan)
    codes, distinct = row_codes(pd.concat(columns, axis=1)[both].reset_index(drop=True))
    if len(distinct) > 1:
        values = measured[both].to_numpy()
        shares = [
            float(np.mean(comparison.follows(list(request), values)))
            for request in distinct.itertuples(index=False)
        ]
        chances[both] = np.asarray(shares)[codes]
    return chances
