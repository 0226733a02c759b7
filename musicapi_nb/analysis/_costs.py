"""Costs: what songs cost in credits, by the levels of a factor, with intervals."""

import numbers
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from musicapi_nb.analysis._effects import effects
from musicapi_nb.analysis.array_types import Floats, Ints
from musicapi_nb.analysis.checks import as_frame, check_level, names_of, no_conflict
from musicapi_nb.analysis.clusters import level_codes, row_codes, sum_by_code
from musicapi_nb.analysis.contrasts import Interval, Means, mean_ratio_interval
from musicapi_nb.analysis.purchases import Purchases, read_purchases
from musicapi_nb.analysis.ratio_estimator import cluster_sums, ratios, t_quantile
from musicapi_nb.analysis.source_tables import Source
from musicapi_nb.errors import BadFrame, InvalidArgument
from musicapi_nb.extras import require_extra
from musicapi_nb.tasks.json_reader import clean

_MAX_STARS = 5
_SONGS = ("songs", "liked")  # counts that a purchase limits
_DIFFERENCE = ("difference", "difference_low", "difference_high", "p", "p_adjusted")
_SUMS = ("credits", "refunded", "in_doubt")
_COUNTS = ("tasks", "failed", "songs")
_COLUMNS = {
    "measure": "str",
    **dict.fromkeys(("estimate", "low", "high", "units"), "float64"),
    **dict.fromkeys(_COUNTS, "int64"),
    **dict.fromkeys(("rated", *_SUMS), "float64"),
    "unpriced": "int64",
    **dict.fromkeys(_DIFFERENCE, "float64"),
    "note": "str",
}
_MONEY = {"estimate": "money", "low": "money_low", "high": "money_high", "credits": "money_spent"}


def costs(  # noqa: PLR0913 - all but two are keywords
    source: Source,
    by: str | Sequence[str] | None = None,
    *,
    stars: int = 4,
    price: float | None = None,
    currency: str = "",
    level: float = 0.95,
) -> pd.DataFrame:
    """Measure what songs cost: credits per song, kept tag, liked song and hour of music.

    Each is the sum of the credits of all tasks, net of refunds, divided by what came of them; so
    the credits of failed songs, and of steps such as stems, count too. Tasks that are still under
    way, or whose cost is unknown, are in no ratio. Songs of one task are not independent:
    intervals count tasks (see Statistics). If nothing came, `high` is infinite, and the estimate
    is missing.

    Needs the extra `analysis`.

    Parameters
    ----------
    source
        A run, a library, jobs or tasks; or a table of `songs_frame` or `run.frame()`. What a table
        does not say is missing: `run.frame()` has no durations, and `songs_frame` lacks tasks
        without songs.
    by
        Columns of the tasks or of their songs; default: all tasks are one level. A column that only
        songs have, such as `model`, is missing for tasks without songs.
    stars
        A song is liked if its rating has at least this many stars. Songs without a rating count as
        not liked; `rated` is the number of songs that have one.
    price
        The price of one credit in money, such as 10 / 1000 if 1,000 credits cost 10. It adds
        columns of money.
    currency
        The unit of `price`, such as "EUR".
    level
        Confidence level of the intervals.

    Returns
    -------
    pandas.DataFrame
        One row for each level and measure: the columns of `by`, then `measure` ("credits per song",
        "credits per kept tag", "credits per song with 4 stars or more", "credits per hour of
        music"; without those of which nothing is known), `estimate, low, high` (float64), `units`
        (float64: songs, tags or hours that came), `tasks, failed, songs` (int64: tasks that were
        bought, those that failed, and songs that succeeded), `rated` (float64), `credits, refunded,
        in_doubt` (float64: spent; charged and refunded; possibly charged, since the reply was
        lost), `unpriced` (int64: tasks of unknown cost), `difference, difference_low,
        difference_high, p, p_adjusted` (float64: against the first level, from the model of
        `effects`; missing with several columns in `by`), `note` (str: why there is no difference).
        Kept tags are those of `adherence`: requested tags that the replies return. With `price`:
        `money, money_low, money_high, money_spent` (float64) and `currency` (str).
    """
    require_extra("analysis")
    names = [] if by is None else names_of(by, "by")
    no_conflict(names, [*_COLUMNS, *_MONEY.values(), "currency"], "by")
    check_level(level)
    if isinstance(stars, bool) or not isinstance(stars, int) or not 1 <= stars <= _MAX_STARS:
        raise InvalidArgument(f"stars must be a whole number from 1 to {_MAX_STARS}, not {stars!r}")
    _check_price(price, currency)
    purchases = read_purchases(source, names, stars)
    figures, levels = (part.reset_index(drop=True) for part in purchases[:2])
    code, distinct = row_codes(levels) if names else _one_level(len(figures))
    measures = {
        "credits per song": "songs",
        "credits per kept tag": "kept_tags",
        f"credits per song with {stars} star{'s or more' if stars < _MAX_STARS else 's'}": "liked",
        "credits per hour of music": "hours",
    }
    unknown = {unit for unit in measures.values() if unit != "songs" and figures[unit].isna().all()}
    measures = {measure: unit for measure, unit in measures.items() if unit not in unknown}
    sizes = _sizes(figures, code, len(distinct))
    parts = [
        sizes.assign(measure=measure, **_ratio(figures, code, len(distinct), unit, level))
        for measure, unit in measures.items()
    ]
    differences = _differences(purchases, names, measures, level)
    table = pd.concat(parts).sort_index(kind="stable")
    position = np.repeat(np.arange(len(distinct)), len(measures))
    for column in (*_DIFFERENCE, "note"):
        table[column] = [
            differences.get((measure, row), {}).get(column)
            for measure, row in zip(table["measure"], position.tolist(), strict=True)
        ]
    rows = distinct.iloc[position].reset_index(drop=True)
    rows.columns = pd.Index(names)
    result = pd.concat([rows, as_frame(table.reset_index(drop=True), _COLUMNS)], axis=1)
    if price is not None:
        for name, column in _MONEY.items():
            result[column] = result[name] * float(price)
        currencies = {"currency": [clean(currency)] * len(result)}
        result["currency"] = as_frame(currencies, {"currency": "str"})
    return result


def _check_price(price: Any, currency: Any) -> None:
    if not isinstance(currency, str):
        raise InvalidArgument(f"currency must be a text such as 'EUR', not {currency!r:.40}")
    if price is None:
        if currency:
            raise InvalidArgument("currency needs price=..., the money that one credit costs")
        return
    is_number = isinstance(price, numbers.Real) and not isinstance(price, bool)
    if not is_number or not 0 <= price <= sys.float_info.max:
        raise InvalidArgument(
            f"price must be the money that one credit costs, such as 10 / 1000, not {price!r:.40}"
        )


def _one_level(rows: int) -> tuple[Ints, pd.DataFrame]:
    return np.zeros(rows, dtype="int64"), pd.DataFrame(index=[0])


def _sizes(figures: pd.DataFrame, code: Ints, levels: int) -> pd.DataFrame:
    """Sum counts and credits by level; credits of tasks of unknown cost are in no sum."""
    bought = figures["bought"].to_numpy(dtype=bool)
    unpriced = bought & figures["credits"].isna().to_numpy(dtype=bool)
    columns = {
        "tasks": bought,
        "failed": figures["failed"],
        "unpriced": unpriced,
        "songs": figures["songs"].fillna(0),
        "rated": figures["rated"],
        "credits": figures["credits"].fillna(0),
        "refunded": figures["refunded"],
        "in_doubt": figures["in_doubt"],
    }
    return pd.DataFrame(
        {
            name: sum_by_code(code, np.asarray(values, dtype="float64"), levels)
            for name, values in columns.items()
        }
    )


def _ratio(
    figures: pd.DataFrame, code: Ints, levels: int, unit: str, level: float
) -> dict[str, Floats]:
    """Estimate credits per unit in each level, with an interval."""
    columns = ("credits", unit, "songs")
    credits_, units, songs = (np.asarray(figures[name], dtype="float64") for name in columns)
    defined = figures["ended"].to_numpy() & np.isfinite(credits_) & np.isfinite(units)
    credits_, units, songs = (part[defined] for part in (credits_, units, songs))
    code = code[defined]
    tasks, total, spent = (
        sum_by_code(code, values, levels) for values in (np.ones(len(code)), units, credits_)
    )
    estimate = np.divide(spent, total, out=np.full(levels, np.nan), where=total > 0)
    if unit in _SONGS:
        low, high = _bounds_per_song(code, credits_, units, songs, levels, level)
    else:
        low, high = _bounds_per_amount(code, credits_, units, levels, level)
    low, high = np.fmin(low, estimate), np.fmax(high, estimate)
    unknown = np.isnan(low) | np.isnan(high) | (tasks < 2)  # noqa: PLR2004 - one task has no spread
    low, high = (np.where(unknown, np.nan, bound) for bound in (low, high))
    units = np.where(tasks > 0, total, np.nan)
    return {"estimate": estimate, "low": low, "high": high, "units": units}


def _bounds_per_song(  # noqa: PLR0913, PLR0917 - arrays of the same rows
    code: Ints, credits_: Floats, units: Floats, songs: Floats, levels: int, level: float
) -> Interval:
    """Return the interval of credits per song, or per liked song: (levels,) each.

    Of the songs that the credits could have bought, at the best rate of any task, some came. Their
    share has the interval of `ratios`, whose inverse exists also if none or all came.
    """
    best = np.zeros(levels)
    paid = credits_ > 0
    np.maximum.at(best, code[paid], songs[paid] / credits_[paid])
    sums = cluster_sums(code, units, credits_ * best[code], levels)
    share, low, high = ratios(sums, level, max_cases=np.full(levels, np.inf))
    with np.errstate(divide="ignore", invalid="ignore"):
        bounds = 1 / (best * high), 1 / (best * low)
    defined = (best > 0) & ~np.isnan(share) & (sums["tasks"] > 1)
    low, high = (np.where(defined, bound, np.nan) for bound in bounds)
    return low, high


def _bounds_per_amount(
    code: Ints, credits_: Floats, units: Floats, levels: int, level: float
) -> Interval:
    """Return the interval of credits per kept tag or hour, by Fieller: (levels,) each."""
    tasks = np.maximum(sum_by_code(code, np.ones(len(code)), levels), 1.0)
    means = [sum_by_code(code, values, levels) / tasks for values in (credits_, units)]
    rests = [values - mean[code] for values, mean in zip((credits_, units), means, strict=True)]
    pairs = (rests[0] ** 2, rests[1] ** 2, rests[0] * rests[1])
    scale = tasks * np.maximum(tasks - 1, 1.0)
    variances = [sum_by_code(code, values, levels) / scale for values in pairs]
    quantile = t_quantile(level, np.maximum(tasks - 1, 1.0))
    low, high = mean_ratio_interval(Means(*means, *variances), quantile)
    defined = (means[1] > 0) & ((variances[0] > 0) | (variances[1] > 0))
    return np.where(defined, low, np.nan), np.where(defined, high, np.nan)


def _differences(
    purchases: Purchases, names: Sequence[str], measures: dict[str, str], level: float
) -> dict[tuple[str, int], dict[str, Any]]:
    """Return the columns `_DIFFERENCE` and `note` by measure and level, from `effects`."""
    if len(names) != 1 or purchases.figures.empty:
        return {}
    figures, levels, factors = (part.reset_index(drop=True) for part in purchases[:3])
    used = (figures["ended"] & figures["bought"]).to_numpy(dtype=bool)
    outcomes = {unit: f"{measure} (units)" for measure, unit in measures.items()}
    table = pd.concat([factors.drop(columns="cell", errors="ignore"), levels], axis=1)
    table = table.loc[:, ~table.columns.duplicated()]
    table.insert(0, "cell", purchases.task)
    numbers_ = figures[["credits", *outcomes]].rename(columns=outcomes)
    table = pd.concat([table, numbers_.rename(columns={"credits": "credits spent"})], axis=1)
    pairs = [("credits spent", name) for name in outcomes.values() if table[name].gt(0).any()]
    if not pairs or not used.any():
        return {}
    (factor,) = names
    codes, texts = level_codes(levels, factor)
    order = list(dict.fromkeys(codes.tolist()))
    position = {texts[code]: index for index, code in enumerate(order)}
    try:
        rows = effects(table[used], factor, outcomes=pairs, baseline=texts[order[0]], level=level)
    except BadFrame as error:
        note = {"note": error.message}
        return {(name, index): note for name in measures for index in range(len(order))}
    labels = {f"credits spent / {outcomes[unit]}": name for name, unit in measures.items()}
    columns = ("estimate", "low", "high", "p", "p_adjusted", "note")
    rows["estimate"] = rows["estimate"].round(12)  # else equal costs differ by a rounding error
    return {
        (labels[row["outcome"]], position[row["level"]]): dict(
            zip((*_DIFFERENCE, "note"), (row[name] for name in columns), strict=True)
        )
        for _, row in rows.iterrows()
    }
