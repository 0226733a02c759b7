"""Which rows a design has for so many levels, or why it has none: all are refused in words."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from musicapi_nb.errors import Problem
from musicapi_nb.plan import designs, orthogonal_arrays, validation

_FOR_LATIN = 3
_MOST_PAIRED = 2_000


def grid(sizes: Sequence[int], repeats: int, _: random.Random) -> list[designs.Row]:
    instead = "; Plan.pairwise needs far fewer" if len(sizes) > 2 else ""  # noqa: PLR2004 - two
    validation.refuse(validation.size_problems(math.prod(sizes), repeats, instead))
    return designs.grid(sizes)


def pairwise(sizes: Sequence[int], repeats: int, rng: random.Random) -> list[designs.Row]:
    _need(sizes, 2, "pairwise is about pairs of factors; there should be two or more")
    validation.refuse(validation.size_problems(math.prod(sorted(sizes)[-2:]), repeats))
    _few_enough(sizes)
    rows = designs.pairwise(sizes, rng)
    validation.refuse(validation.size_problems(len(rows), repeats))
    return rows


def _few_enough(sizes: Sequence[int]) -> None:
    """Growing a covering array takes the square of this in memory, and more than that in time."""
    if len(sizes) * max(sizes) > _MOST_PAIRED:
        said = f"{len(sizes)} factors of up to {max(sizes)} levels are too many for pairwise"
        validation.refuse([Problem("factors", said)])


def latin(sizes: Sequence[int], repeats: int, rng: random.Random) -> list[designs.Row]:
    _need(sizes, _FOR_LATIN, "a Latin square needs three factors or more; for two, Plan.grid")
    if len(set(sizes)) > 1 or sizes[0] < 2:  # noqa: PLR2004 - two make a square
        said = ", ".join(str(size) for size in sizes)
        wanted = "all factors need the same number of levels, two or more"
        validation.refuse([Problem("factors", f"{wanted}; they have {said}. Or use Plan.pairwise")])
    validation.refuse(validation.size_problems(sizes[0] ** 2, repeats))
    most = orthogonal_arrays.widest(sizes[0])
    if len(sizes) > most:
        validation.refuse(
            [
                Problem(
                    "factors",
                    f"with {sizes[0]} levels each a square is known here for "
                    f"{most} factors at most, not {len(sizes)}. Or use Plan.pairwise",
                )
            ]
        )
    return designs.latin(sizes[0], len(sizes), rng)


def alone(sizes: Sequence[int], repeats: int, _: random.Random) -> list[designs.Row]:
    _need(sizes, 1, "there is nothing to change one at a time")
    validation.refuse(validation.size_problems(1 + sum(size - 1 for size in sizes), repeats))
    return designs.one_at_a_time(sizes)


def _need(sizes: Sequence[int], fewest: int, otherwise: str) -> None:
    if len(sizes) < fewest:
        validation.refuse([Problem("factors", otherwise)])
