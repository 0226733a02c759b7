"""The size of an experiment: the smallest effect that a design can show, and repeats for one."""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from musicapi_nb.errors import InvalidArgument
from musicapi_nb.extras import missing_extra, require_extra
from musicapi_nb.frames.arrow_tables import as_pandas
from musicapi_nb.plan.validation import hashable_key

ICC = 0.5
"""Correlation of the songs of a task, if it is not known."""
_SONGS = 2  # of a task, if it is not known
_MAX_ENTRIES = 500_000  # of a model matrix, about three seconds
_EXACT_REPEATS = 24  # beyond, errors are extrapolated
_MAX_REPEATS = 1_000_000
_VARIANCE_COLUMNS = ("outcome", "variance_between", "variance_within")


class _Cell(Protocol):
    @property
    def block(self) -> int: ...
    @property
    def levels(self) -> Mapping[str, Any]: ...


@dataclasses.dataclass(frozen=True, slots=True)
class SmallestEffect:
    """The smallest effect of a factor that 80 % of such experiments find.

    `task_sds` is the difference of a level from the first one, in standard deviations of a task's
    mean; NaN if the design leaves nothing to measure chance with, or the effect is aliased.
    """

    factor: str
    task_sds: float


def smallest_effects(
    cells: Sequence[_Cell], factors: Iterable[str], *, power: float = 0.8, level: float = 0.95
) -> tuple[SmallestEffect, ...]:
    """Compute the smallest effect of each factor that varies.

    The result is empty if the design is very large, or without the extra `analysis`.
    """
    codes = _codes(cells, factors)
    widths = [max(column) + 1 for column in codes.values()]
    if len(cells) * (sum(widths) + len({cell.block for cell in cells})) > _MAX_ENTRIES:
        return ()
    if missing_extra("analysis"):
        return ()
    blocks = [cell.block for cell in cells]
    return tuple(
        SmallestEffect(name, _Precision.of(codes, blocks, name, level).detectable(power))
        for name, column in codes.items()
        if max(column, default=0) > 0
    )


def _codes(cells: Sequence[_Cell], factors: Iterable[str]) -> dict[str, list[int]]:
    codes = {}
    for name in factors:
        keys = [hashable_key(cell.levels.get(name)) for cell in cells]
        index = {key: place for place, key in enumerate(dict.fromkeys(keys))}
        codes[name] = [index[key] for key in keys]
    return codes


@dataclasses.dataclass(frozen=True, slots=True)
class _Precision:
    """Standard error (in sds of a task), degrees of freedom and p that a comparison needs."""

    error: float
    degrees: float
    p: float

    def detectable(self, power: float) -> float:
        from scipy.special import stdtrit  # noqa: PLC0415 - slow to load

        if math.isnan(self.degrees):
            return math.nan
        quantiles = stdtrit(self.degrees, 1 - self.p / 2) + stdtrit(self.degrees, power)
        return float(quantiles * self.error)

    @classmethod
    def of(
        cls, codes: Mapping[str, Sequence[int]], blocks: Sequence[int], factor: str, level: float
    ) -> "_Precision":
        """Compute that of a factor's least precise level, in the model of `effects`."""
        from musicapi_nb.analysis.precision import comparison_precision  # noqa: PLC0415 - as above

        return cls(*comparison_precision({**codes, "block": blocks}, factor, level))


def repeats_needed(  # noqa: PLR0913 - all but two are keywords
    difference: float,
    sd: float,
    *,
    icc: float = ICC,
    songs: int = _SONGS,
    plan: Any = None,
    factor: str | None = None,
    power: float = 0.8,
    level: float = 0.95,
) -> int:
    """Compute how often a design must be repeated to find a difference of this size.

    Found means that p is below 1 - level, after the correction for all levels of the factor, in
    the model of `effects`. `mnb.variance` estimates `sd` and `icc` from songs that exist. Needs the
    extra `analysis`.

    Parameters
    ----------
    difference
        Of the means of two levels, in units of the outcome; of shares, 0.1 is ten points.
    sd
        Standard deviation of a song. Of a share p it is sqrt(p * (1 - p)), at most 0.5.
    icc, songs
        Correlation of the songs of a task, and their number.
    plan, factor
        The plan to repeat, and the factor that has the effect (default: its only one). Without a
        plan, two levels are compared, each bought once a block.
    power
        Chance to find the difference.

    Raises
    ------
    InvalidArgument
        An argument is out of range, or no number of repeats can show the effect.
    """
    require_extra("analysis")
    for name, value, low, high in (
        ("difference", difference, 0, math.inf),
        ("sd", sd, 0, math.inf),
        ("power", power, 0, 1),
        ("level", level, 0, 1),
    ):
        if isinstance(value, bool) or not isinstance(value, int | float) or not low < value < high:
            raise InvalidArgument(f"{name} must be a number above {low}, not {value!r:.40}")
    task_sd = task_deviation(sd, icc, songs)
    codes = {"level": [0, 1]} if plan is None else _first_block(plan)
    factor = next(iter(codes)) if factor is None and len(codes) == 1 else factor
    if factor not in codes:
        names = ", ".join(codes) or "none"
        raise InvalidArgument(f"factor must be one that varies in the plan ({names})")
    ratio = difference / task_sd

    def is_enough(repeats: int) -> bool:
        return _repeated(codes, factor, repeats, level).detectable(power) <= ratio

    high = 2
    while not is_enough(high):
        high *= 2
        if high > _MAX_REPEATS:
            raise InvalidArgument(
                f"no number of repeats up to {_MAX_REPEATS:,} shows a difference of "
                f"{difference:g}: it is too small, or the effect is aliased with another one"
            )
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high if high > 2 or not is_enough(1) else 1  # noqa: PLR2004 - the first number tried


def _first_block(plan: Any) -> dict[str, list[int]]:
    cells = [cell for cell in plan.cells if cell.block == 1]
    codes = _codes(cells, plan.factors)
    return {name: column for name, column in codes.items() if max(column, default=0) > 0}


def _repeated(
    codes: Mapping[str, Sequence[int]], factor: str, repeats: int, level: float
) -> _Precision:
    """Compute the precision of a design that is repeated in blocks.

    The error falls with the square root of the repeats, and the degrees of freedom grow in a line,
    which many repeats follow on from two computed designs.
    """
    exact = min(repeats, _EXACT_REPEATS)
    result = _of_blocks(codes, factor, exact, level)
    if repeats <= _EXACT_REPEATS:
        return result
    half = _of_blocks(codes, factor, _EXACT_REPEATS // 2, level)
    slope = (result.degrees - half.degrees) / (_EXACT_REPEATS - _EXACT_REPEATS // 2)
    error = result.error * math.sqrt(exact / repeats)
    return _Precision(error, result.degrees + slope * (repeats - exact), result.p)


def _of_blocks(
    codes: Mapping[str, Sequence[int]], factor: str, repeats: int, level: float
) -> _Precision:
    size = len(next(iter(codes.values())))
    blocks = [block for block in range(repeats) for _ in range(size)]
    repeated = {name: [*column] * repeats for name, column in codes.items()}
    return _Precision.of(repeated, blocks, factor, level)


def task_deviation(sd: float, icc: float = ICC, songs: int = _SONGS) -> float:
    """Return the standard deviation of a task's mean, from that of a song."""
    if not -1 <= icc <= 1:
        raise InvalidArgument(f"icc must be a correlation, -1 to 1, not {icc!r:.40}")
    if isinstance(songs, bool) or not isinstance(songs, int) or songs < 1:
        raise InvalidArgument(f"songs must be the number of songs of a task, not {songs!r:.40}")
    return sd * math.sqrt(max((1 + (songs - 1) * icc) / songs, 0.0))


def read_deviations(variance: Any) -> dict[str, float] | None:
    """Return the sd of a task's mean by outcome, from the table of `mnb.variance`, or None."""
    if variance is None:
        return None
    variance = as_pandas(variance, "variance")
    columns = list(getattr(variance, "columns", ()))
    if missing := [name for name in _VARIANCE_COLUMNS if name not in columns]:
        raise InvalidArgument(
            f"variance must be the table of mnb.variance(songs, outcomes); it lacks {missing[0]!r}"
        )
    rows = zip(*(variance[name] for name in _VARIANCE_COLUMNS), strict=True)
    return {
        str(outcome): math.sqrt(max(between, 0.0) + within / _SONGS)
        for outcome, between, within in rows
        if math.isfinite(between) and math.isfinite(within)
    }


def size_texts(
    effects: Sequence[SmallestEffect], deviations: Mapping[str, float] | None
) -> list[str]:
    """Describe the smallest effects, one text for each factor."""
    texts = []
    for effect in effects:
        if math.isnan(effect.task_sds):
            texts.append(f"{effect.factor}: none, no repeats to measure chance with, or aliased")
        elif deviations:
            sizes = [f"{name} {effect.task_sds * sd:.2g}" for name, sd in deviations.items()]
            texts.append(f"{effect.factor}: {', '.join(sizes)}")
        else:
            sds = effect.task_sds * task_deviation(1.0)
            points = f", {50 * sds:.0f} points of a share" if sds < 2 else ""  # noqa: PLR2004
            texts.append(f"{effect.factor}: {sds:.2g} sd{points}")
    return texts


def size_assumption(deviations: Mapping[str, float] | None) -> str:
    """Say what the smallest effects mean."""
    text = "found in 80 % of experiments, with p < 0.05 after correction for the levels"
    if deviations:
        return text
    return f"{text}; sd of a song, shares around 50 %, songs of a task correlated by {ICC:g}"
