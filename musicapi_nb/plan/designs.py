"""Designs: which levels of the factors meet in which row. Levels are numbers here. Pure."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from musicapi_nb.plan import orthogonal_arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

Row: TypeAlias = tuple[int, ...]
# Candidates for each row of a covering array: more make it little smaller (AETG's authors use 50).
_CANDIDATES = 40
_WORK = 200_000  # steps (a level chosen for a candidate) that candidates may take; some seconds
_RETRY = 60_000  # steps after which no further array is tried for being smaller
_TRIES = 6


def grid(sizes: Sequence[int]) -> list[Row]:
    """Every combination, the last factor turning fastest."""
    return list(itertools.product(*(range(size) for size in sizes)))


def one_at_a_time(sizes: Sequence[int]) -> list[Row]:
    """All first levels, then every other level of every factor alone."""
    base = (0,) * len(sizes)
    return [base] + [
        (*base[:at], level, *base[at + 1 :])
        for at, size in enumerate(sizes)
        for level in range(1, size)
    ]


def latin(levels: int, factors: int, rng: random.Random) -> list[Row]:
    """A Latin square (three factors) or several orthogonal ones (more), levels relabelled."""
    rows = orthogonal_arrays.orthogonal(levels, factors)
    return _relabelled(rows, [levels] * factors, rng)


def _relabelled(rows: Sequence[Row], sizes: Sequence[int], rng: random.Random) -> list[Row]:
    names = [rng.sample(range(size), size) for size in sizes]
    return [tuple(name[level] for name, level in zip(names, row, strict=True)) for row in rows]


# --- pairwise --------------------------------------------------------------------------------


def pairwise(sizes: Sequence[int], rng: random.Random) -> list[Row]:
    """A covering array of strength 2: every pair of levels of every two factors, in few rows.

    The smallest of: one row for each combination (two factors), the best array that is known for
    factors of two levels, an orthogonal array with what is too much struck out, and several
    arrays grown greedily row by row (Cohen, Dalal, Fredman and Patton's AETG).
    """
    free = [at for at, size in enumerate(sizes) if size > 1]
    rows = _covering([sizes[at] for at in free], rng)
    return [_placed(dict(zip(free, row, strict=True)), len(sizes)) for row in rows]


def _placed(levels: dict[int, int], width: int) -> Row:
    return tuple(levels.get(at, 0) for at in range(width))


def _covering(sizes: Sequence[int], rng: random.Random) -> list[Row]:
    """`pairwise` for factors of two and more levels."""
    if len(sizes) <= 2:  # noqa: PLR2004 - one pair of factors
        return grid(sizes)
    floor = math.prod(sorted(sizes)[-2:])
    if max(sizes) == 2:  # noqa: PLR2004 - all of two levels
        return _relabelled(_of_two_levels(len(sizes)), sizes, rng)
    best = _of_orthogonal(sizes, rng)
    if best is not None and len(best) <= floor:
        return _relabelled(best, sizes, rng)
    work = 0
    for _ in range(_TRIES):
        grown = _grown(sizes, rng)
        best = grown if best is None or len(grown) < len(best) else best
        work += len(grown) * len(sizes) * _CANDIDATES
        if len(best) <= floor or work > _RETRY:
            break
    return _relabelled(best or [], sizes, rng)


def _of_two_levels(factors: int) -> list[Row]:
    """The smallest array there is for factors of two levels (Kleitman and Spencer; Katona).

    Its columns are different sets of ceil(n / 2) of n rows, none of which holds the first row.
    """
    height = next(n for n in itertools.count(4) if math.comb(n - 1, (n + 1) // 2) >= factors)
    columns = itertools.islice(itertools.combinations(range(1, height), (height + 1) // 2), factors)
    members = [frozenset(column) for column in columns]
    return [tuple(int(row in member) for member in members) for row in range(height)]


def _of_orthogonal(sizes: Sequence[int], rng: random.Random) -> list[Row] | None:
    """Take an orthogonal array that is wide enough; levels too many are free to choose."""
    most = max(sizes)
    for levels in range(most, most + 3):
        if levels > 1 and orthogonal_arrays.widest(levels) >= len(sizes):
            rows = orthogonal_arrays.orthogonal(levels, len(sizes))
            if all(size == levels for size in sizes):
                return rows
            return _thinned(rows, sizes, rng)
    return None


def _thinned(rows: Sequence[Row], sizes: Sequence[int], rng: random.Random) -> list[Row]:
    """Strike rows out whose pairs all stand in others, filling what is free with what is missed."""
    uncovered = _Uncovered(sizes)
    # rows with the fewest free places first: the freest fill up with what is left
    order = sorted(rows, key=lambda row: sum(a >= b for a, b in zip(row, sizes, strict=True)))
    kept: list[Row] = []
    for row in order:
        chosen = {at: level for at, level in enumerate(row) if level < sizes[at]}
        if not uncovered.gain(chosen):
            continue
        full, _ = uncovered.filled(chosen, rng)
        uncovered.strike(full)
        kept.append(full)
    return kept


def _grown(sizes: Sequence[int], rng: random.Random) -> list[Row]:
    """Row by row, the one of several candidates that covers the most new pairs."""
    uncovered = _Uncovered(sizes)
    expected = math.prod(sorted(sizes)[-2:]) * (1 + math.log(len(sizes)) / 2)
    count = max(1, min(_CANDIDATES, int(_WORK / (expected * len(sizes)))))
    rows: list[Row] = []
    while uncovered.left:
        starts = [rng.choice(uncovered.neediest()) for _ in range(count)]
        candidates = [uncovered.filled({factor: level}, rng) for factor, level in starts]
        row, _ = max(candidates, key=lambda candidate: candidate[1])
        uncovered.strike(row)
        rows.append(row)
    return rows


class _Uncovered:
    """The pairs of levels that no row holds yet."""

    def __init__(self, sizes: Sequence[int]) -> None:
        count, most = len(sizes), max(sizes)
        self._sizes = sizes
        exists = np.arange(most) < np.array(sizes)[:, None]
        # [factor, level, other factor, its level]
        self._open: NDArray[np.int32] = np.einsum("fa,gb->fagb", exists, exists).astype(np.int32)
        self._open[np.arange(count), :, np.arange(count), :] = 0
        self._worst = np.where(exists, 0, -1).astype(np.int32)

    @property
    def left(self) -> int:
        return int(self._open.sum()) // 2

    def neediest(self) -> list[tuple[int, int]]:
        """The (factor, level) pairs that the most uncovered pairs hold."""
        needs = self._open.sum(axis=(2, 3))
        return [(int(f), int(a)) for f, a in np.argwhere(needs == needs.max())]

    def gain(self, chosen: dict[int, int]) -> int:
        """How many pairs a row with these levels would cover."""
        pairs = itertools.combinations(chosen.items(), 2)
        return sum(int(self._open[f, a, g, b]) for (f, a), (g, b) in pairs)

    def filled(self, chosen: dict[int, int], rng: random.Random) -> tuple[Row, int]:
        """Choose the levels still free, in random order, each for the most new pairs.

        Returns the row and the number of new pairs in it.
        """
        chosen = dict(chosen)
        gained = self.gain(chosen)
        scores = self._worst.copy()
        for factor, level in chosen.items():
            scores += self._open[factor, level]
        free = [factor for factor in range(len(self._sizes)) if factor not in chosen]
        for factor in rng.sample(free, len(free)):
            row = scores[factor]
            best = row.max()
            level = rng.choice(np.flatnonzero(row == best).tolist())
            gained += int(best)
            chosen[factor] = level
            scores += self._open[factor, level]
        return tuple(chosen[factor] for factor in range(len(self._sizes))), gained

    def strike(self, row: Row) -> None:
        columns = np.arange(len(row))
        levels = np.array(row)
        self._open[columns[:, None], levels[:, None], columns[None, :], levels[None, :]] = 0
