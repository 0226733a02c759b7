"""Estimates the time until an experiment ends, from the ETA of each cell. No I/O."""

from __future__ import annotations

from collections.abc import Sequence

from musicapi_nb.polling import Eta


def estimate_remaining(
    under_way: Sequence[Eta], to_buy: Sequence[tuple[Eta, float]], pace: float, concurrency: int
) -> Eta:
    """Estimate the seconds until the last cell ends.

    `under_way` has the remaining time of each accepted cell; `to_buy` the time that a cell takes
    after its purchase, and the number of such cells.

    The result is the longer of two times: until the last accepted cell ends, and until the last
    other cell is bought (one every `pace` seconds, or as slots become free) and rendered. If any
    cell has no estimate, it has none either, with basis "unknown" or "longer".
    """
    etas = (*under_way, *(eta for eta, _ in to_buy))
    for basis in ("unknown", "longer"):
        if any(eta.basis == basis for eta in etas):
            return Eta(None, None, basis)
    low, high = (
        _until_last(
            [getattr(eta, bound) or 0.0 for eta in under_way],
            [(getattr(eta, bound) or 0.0, count) for eta, count in to_buy],
            pace,
            concurrency,
        )
        for bound in ("low", "high")
    )
    learned = all(eta.basis == "learned" for eta in etas)
    return Eta(low, high, "learned" if learned else "published")


def _until_last(
    under_way: list[float], to_buy: list[tuple[float, float]], pace: float, concurrency: int
) -> float:
    last = max(under_way, default=0.0)
    cells = sum(count for _, count in to_buy)
    if not cells:
        return last
    mean = sum(seconds * count for seconds, count in to_buy) / cells
    longest = max(seconds for seconds, _ in to_buy)
    rounds = (len(under_way) + cells - 1) // concurrency
    return max(last, (cells - 1) * pace + longest, rounds * mean + longest)
