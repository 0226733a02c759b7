"""Designs: the rows of level indices of a grid, pairwise, Latin or one-at-a-time plan. No I/O."""

import itertools
import math
import random
from collections.abc import Sequence
from operator import itemgetter
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from musicapi_nb.errors import Problem
from musicapi_nb.plan import orthogonal_arrays
from musicapi_nb.plan.validation import refuse, size_problems

Row: TypeAlias = tuple[int, ...]
_MAX_PAIRWISE_SIZE = 2_000  # factors x levels; memory grows with its square, time even faster
# Candidates per row of a covering array (AETG's authors use 50; more shrink it little).
_CANDIDATES = 40
_MAX_STEPS = 200_000  # levels chosen for candidates; takes some seconds
_RETRY_STEPS = 60_000  # steps after which no further array is tried
_TRIES = 6


def grid(sizes: Sequence[int], repeats: int, _: random.Random) -> list[Row]:
    """Return every combination, the last factor varying fastest."""
    hint = "; Plan.pairwise needs far fewer" if len(sizes) > 2 else ""  # noqa: PLR2004 - pairs
    refuse(size_problems(math.prod(sizes), repeats, hint))
    return list(itertools.product(*map(range, sizes)))


def one_at_a_time(sizes: Sequence[int], repeats: int, _: random.Random) -> list[Row]:
    """Return the first levels together, then every other level of each factor alone."""
    if not sizes:
        _refuse("one_at_a_time needs at least one factor")
    refuse(size_problems(1 + sum(size - 1 for size in sizes), repeats))
    base = (0,) * len(sizes)
    return [base] + [
        (*base[:index], level, *base[index + 1 :])
        for index, size in enumerate(sizes)
        for level in range(1, size)
    ]


def latin(sizes: Sequence[int], repeats: int, rng: random.Random) -> list[Row]:
    """Return a Latin square (three factors) or a Graeco-Latin one (more), levels shuffled."""
    if len(sizes) < 3:  # noqa: PLR2004 - row, column and symbol
        _refuse("a Latin square needs three factors or more; for two, use Plan.grid")
    if len(set(sizes)) > 1 or sizes[0] <= 1:
        numbers = ", ".join(str(size) for size in sizes)
        _refuse(
            "a Latin square needs the same number of levels, two or more, in all factors; they "
            f"have {numbers}. Or use Plan.pairwise"
        )
    refuse(size_problems(sizes[0] ** 2, repeats))
    limit = orthogonal_arrays.max_columns(sizes[0])
    if len(sizes) > limit:
        _refuse(
            f"Latin squares of {sizes[0]} levels are available for at most {limit} factors, not "
            f"{len(sizes)}. Or use Plan.pairwise"
        )
    rows = orthogonal_arrays.orthogonal_array(sizes[0], len(sizes))
    return _shuffle_levels(rows, sizes, rng)


def pairwise(sizes: Sequence[int], repeats: int, rng: random.Random) -> list[Row]:
    """Return a covering array for Plan.pairwise; see `covering_array`."""
    if len(sizes) < 2:  # noqa: PLR2004 - a pair
        _refuse("pairwise needs two factors or more")
    refuse(size_problems(math.prod(sorted(sizes)[-2:]), repeats))
    if len(sizes) * max(sizes) > _MAX_PAIRWISE_SIZE:
        _refuse(f"{len(sizes)} factors of up to {max(sizes)} levels are too many for pairwise")
    rows = covering_array(sizes, rng)
    refuse(size_problems(len(rows), repeats))
    return rows


def _refuse(message: str) -> None:
    refuse([Problem("factors", message)])


def _shuffle_levels(rows: Sequence[Row], sizes: Sequence[int], rng: random.Random) -> list[Row]:
    maps = [rng.sample(range(size), size) for size in sizes]
    return [tuple(levels[i] for levels, i in zip(maps, row, strict=True)) for row in rows]


# --- covering arrays --------------------------------------------------------------------------


def covering_array(sizes: Sequence[int], rng: random.Random) -> list[Row]:
    """Return a covering array of strength 2: every pair of levels of two factors, in few rows.

    The smallest of: all combinations (two factors), the best known array (factors of two levels),
    an orthogonal array without redundant rows, and several arrays grown greedily row by row
    (Cohen, Dalal, Fredman and Patton, The AETG system, IEEE Trans. Softw. Eng. 23, 1997).
    """
    varying = [index for index, size in enumerate(sizes) if size > 1]
    rows = _cover([sizes[index] for index in varying], rng)
    by_index = [dict(zip(varying, row, strict=True)) for row in rows]
    return [tuple(row.get(index, 0) for index in range(len(sizes))) for row in by_index]


def _cover(sizes: Sequence[int], rng: random.Random) -> list[Row]:
    """Cover factors of two or more levels."""
    if len(sizes) <= 2:  # noqa: PLR2004 - a single pair of factors
        return list(itertools.product(*map(range, sizes)))
    fewest = math.prod(sorted(sizes)[-2:])
    if max(sizes) == 2:  # noqa: PLR2004 - all factors have two levels
        return _shuffle_levels(_two_level_array(len(sizes)), sizes, rng)
    best = _reduced_orthogonal_array(sizes, rng)
    steps = 0
    for _ in range(_TRIES):
        if (best and len(best) <= fewest) or steps > _RETRY_STEPS:
            break
        rows = _grow(sizes, rng)
        best = min(best or rows, rows, key=len)
        steps += len(rows) * len(sizes) * _CANDIDATES
    return _shuffle_levels(best, sizes, rng)


def _two_level_array(factors: int) -> list[Row]:
    """Return the smallest array for factors of two levels (Kleitman and Spencer 1973; Katona 1973).

    Its columns are distinct sets of ceil(n / 2) of n rows, none of which contains the first row.
    """
    height = next(n for n in itertools.count(4) if math.comb(n - 1, (n + 1) // 2) >= factors)
    columns = itertools.islice(itertools.combinations(range(1, height), (height + 1) // 2), factors)
    members = [frozenset(column) for column in columns]
    return [tuple(int(row in member) for member in members) for row in range(height)]


def _reduced_orthogonal_array(sizes: Sequence[int], rng: random.Random) -> list[Row]:
    """Adapt an orthogonal array with enough columns; empty if there is none of similar size.

    Surplus levels become free choices; rows whose pairs are covered by others are dropped.
    """
    candidates = range(max(sizes), max(sizes) + 3)
    fitting = (n for n in candidates if orthogonal_arrays.max_columns(n) >= len(sizes))
    if not (levels := next(fitting, 0)):
        return []
    rows = orthogonal_arrays.orthogonal_array(levels, len(sizes))
    if set(sizes) == {levels}:
        return rows
    # Rows with the fewest free levels first: the freest ones can take up what remains.
    rows.sort(key=lambda row: sum(a >= b for a, b in zip(row, sizes, strict=True)))
    uncovered = _UncoveredPairs(sizes)
    reduced: list[Row] = []
    for row in rows:
        fixed = {index: level for index, level in enumerate(row) if level < sizes[index]}
        if uncovered.gain(fixed):
            full, _ = uncovered.complete(fixed, rng)
            uncovered.cover(full)
            reduced.append(full)
    return reduced


def _grow(sizes: Sequence[int], rng: random.Random) -> list[Row]:
    """Add rows until all pairs are covered, each the best of several random candidates."""
    uncovered = _UncoveredPairs(sizes)
    expected = math.prod(sorted(sizes)[-2:]) * (1 + math.log(len(sizes)) / 2)
    count = max(1, min(_CANDIDATES, int(_MAX_STEPS / (expected * len(sizes)))))
    rows: list[Row] = []
    while (open_pairs := uncovered.by_level()).any():
        neediest = np.argwhere(open_pairs == open_pairs.max()).tolist()
        starts = [rng.choice(neediest) for _ in range(count)]
        candidates = [uncovered.complete({factor: level}, rng) for factor, level in starts]
        row, _ = max(candidates, key=itemgetter(1))
        uncovered.cover(row)
        rows.append(row)
    return rows


class _UncoveredPairs:
    """The pairs of levels that no row contains yet."""

    def __init__(self, sizes: Sequence[int]) -> None:
        count, largest = len(sizes), max(sizes)
        self._sizes = sizes
        exists = np.arange(largest) < np.array(sizes)[:, None]
        # [factor, level, second factor, its level]
        self._open = np.einsum("fa,gb->fagb", exists, exists).astype(np.int32)
        self._open[np.arange(count), :, np.arange(count), :] = 0
        self._invalid = np.where(exists, 0, -1).astype(np.int32)

    def by_level(self) -> NDArray[np.int64]:
        """Count the uncovered pairs of each level: (factors, levels)."""
        return np.asarray(self._open.sum(axis=(2, 3)))

    def gain(self, levels: dict[int, int]) -> int:
        """Return how many uncovered pairs a row with these levels covers."""
        pairs = itertools.combinations(levels.items(), 2)
        return sum(int(self._open[f, a, g, b]) for (f, a), (g, b) in pairs)

    def complete(self, fixed: dict[int, int], rng: random.Random) -> tuple[Row, int]:
        """Choose the other levels in random order of factors, each for the most new pairs.

        Returns the row and the number of uncovered pairs in it.
        """
        levels = dict(fixed)
        gain = self.gain(levels)
        scores = self._invalid.copy()
        for factor, level in levels.items():
            scores += self._open[factor, level]
        free = [factor for factor in range(len(self._sizes)) if factor not in levels]
        for factor in rng.sample(free, len(free)):
            row = scores[factor]
            best = row.max()
            levels[factor] = rng.choice(np.flatnonzero(row == best).tolist())
            gain += int(best)
            scores += self._open[factor, levels[factor]]
        return tuple(levels[factor] for factor in range(len(self._sizes))), gain

    def cover(self, row: Row) -> None:
        columns, levels = np.arange(len(row)), np.array(row)
        self._open[columns[:, None], levels[:, None], columns, levels] = 0
