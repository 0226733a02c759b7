"""How long an experiment still takes: from its cells, the pace, and what is known of each. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from musicapi_nb.polling import Eta


def estimate_remaining(
    under_way: Sequence[Eta], to_buy: Sequence[tuple[Eta, float]], pace: float, concurrency: int
) -> Eta:
    """Seconds until the last cell has ended, as far as every cell's own range is known.

    Parameters
    ----------
    under_way
        What each accepted cell still takes.
    to_buy
        How long a cell takes from its purchase on, and how many such cells are still to be bought.
    pace
        Seconds between two purchases.
    concurrency
        How many cells are bought or waited for at once.

    Returns
    -------
    From and to: as long as the last accepted cell takes, or until the last of the others is
    bought (one each `pace` seconds, or as places become free) and made, whichever is longer.
    Without figures, and with the basis "unknown" or "longer", where any cell has none.
    """
    every = (*under_way, *(each for each, _ in to_buy))
    for basis in ("unknown", "longer"):
        if any(each.basis == basis for each in every):
            return Eta(None, None, basis)
    low, high = (
        _last(
            [side(each) for each in under_way],
            [(side(each), count) for each, count in to_buy],
            pace,
            concurrency,
        )
        for side in (_low, _high)
    )
    learned = all(each.basis == "learned" for each in every)
    return Eta(low, high, "learned" if learned else "published")


def _low(eta: Eta) -> float:
    return eta.low or 0.0


def _high(eta: Eta) -> float:
    return eta.high or 0.0


def _last(
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
