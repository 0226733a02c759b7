"""Sound adherence: how many songs have the tempo, key, length and singing that was requested."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from musicapi_nb.analysis._sound_matches import sound_matches
from musicapi_nb.analysis.array_types import Flags, Ints
from musicapi_nb.analysis.checks import as_frame, check_level, finite_values, level_names, require
from musicapi_nb.analysis.clustered_median import clustered_median
from musicapi_nb.analysis.clusters import cluster_codes, row_codes
from musicapi_nb.analysis.ratio_estimator import ratio_sums, ratios
from musicapi_nb.analysis.sound_relations import COMPARISONS, RELATED, Comparison
from musicapi_nb.analysis.source_tables import Source
from musicapi_nb.errors import BadFrame

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


def sound_adherence(
    songs: Source,
    measures: pd.DataFrame | None = None,
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
    check_level(level)
    names = [] if by is None else level_names(by, _COLUMNS)
    matches = sound_matches(songs, measures)
    require(matches, dict.fromkeys(names, "key"), _MATCHES)
    tasks = cluster_codes(matches, cluster, _MATCHES)
    codes, levels = row_codes(matches[names]) if names else (np.zeros(len(matches), int), None)
    rows = []
    for code in range(int(codes.max(initial=-1)) + 1):
        for name, comparison in COMPARISONS.items():
            selected = (codes == code) & matches[comparison.requested[0]].notna().to_numpy()
            if selected.any():
                figures = _figures(matches, tasks, selected, name, comparison, level)
                rows.append({"code": code, "property": name, **figures})
    if not rows and len(matches):
        raise BadFrame(
            "no song requested a tempo, key, duration or instrumental that could be read; "
            "sound_matches(...) lists the songs"
        )
    table = pd.DataFrame(rows, columns=["code", *_COLUMNS])
    result = as_frame(table, _COLUMNS)
    if levels is not None:
        lead = levels.iloc[table["code"].astype("int64")].reset_index(drop=True)
        result = pd.concat([lead, result], axis=1)
    result.attrs["conflicting_songs"] = int(matches["request_conflicts"].notna().sum())
    return result


def _figures(  # noqa: PLR0913, PLR0917 - one property of one level
    matches: pd.DataFrame,
    tasks: Ints,
    selected: Flags,
    name: str,
    comparison: Comparison,
    level: float,
) -> dict[str, Any]:
    """Return the columns of one property for the selected songs, which all requested it."""
    followed = matches[f"{name}_followed"]
    compared = selected & followed.notna().to_numpy()
    clusters = tasks[compared]
    shares = {"followed": followed[compared].to_numpy(bool)}
    if name in RELATED:
        shares["related"] = matches[f"{name}_relation"][compared].isin(RELATED[name]).to_numpy()
    figures: dict[str, Any] = {"songs": int(compared.sum()), "tasks": len(np.unique(clusters))}
    figures["unknown"] = int(selected.sum()) - figures["songs"]
    for column, hits in shares.items():
        ones, group = np.ones(len(hits)), np.zeros(len(hits), dtype="int64")
        sums = ratio_sums(group, clusters, hits.astype(float), ones, 1)
        prefix = "" if column == "followed" else "related_"
        for part, bound in zip(
            (column, f"{prefix}low", f"{prefix}high"), ratios(sums, level), strict=True
        ):
            figures[part] = float(bound[0])
    figures["chance"] = _chance(matches, compared, comparison)
    if unit := _UNITS.get(name):
        distance = np.abs(finite_values(matches[f"{name}_deviation"][compared]))
        median, low, high = clustered_median(distance, clusters, level)
        bounds = (median, max(low, 0.0), high)  # of distances
        figures |= dict(zip(("deviation", "deviation_low", "deviation_high"), bounds, strict=True))
        figures["unit"] = unit
    return figures


def _chance(matches: pd.DataFrame, compared: Flags, comparison: Comparison) -> float:
    """Return the expected share of songs that follow these requests, dealt at random.

    The expected agreement of Cohen, Educ. Psychol. Meas. 20, 1960: the mean over the requests of
    the share of all measured songs that would follow it.
    """
    requested, measured = comparison.columns(matches)
    both = requested[0].notna() & measured.notna()
    table = pd.concat(requested, axis=1)
    if len(table[both].drop_duplicates()) < 2 or not compared.any():  # noqa: PLR2004 - two requests
        return np.nan
    codes, distinct = row_codes(table[compared].reset_index(drop=True))
    values = measured[both].to_numpy()
    shares = [
        float(np.mean(comparison.follows(list(request), values)))
        for request in distinct.itertuples(index=False)
    ]
    return float(np.mean(np.asarray(shares)[codes]))
