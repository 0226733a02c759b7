"""Looks at an experiment before its end, with a type I error of all looks together. No I/O."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from musicapi_nb.analysis._effects import effects
from musicapi_nb.analysis.array_types import Floats
from musicapi_nb.analysis.checks import as_frame, require
from musicapi_nb.analysis.model_frame import BLOCK, LABEL, OutcomeName
from musicapi_nb.errors import BadFrame

FIRST_LOOK = 2
"""Blocks before the first look: fewer leave no error to judge by."""
_COLUMNS = {
    "block": "int64",
    "share": "float64",
    "p": "float64",
    "p_limit": "float64",
    "decided": "bool",
}
_NODES = 300  # of numerical integration
_FARTHEST = 12.0  # standard deviations
_STEPS = 60  # of a bisection


def planned_looks(blocks: int, every: int) -> list[int]:
    """Return the blocks after which an experiment is looked at, the last one included."""
    looks = [block for block in range(every, blocks, every) if block >= FIRST_LOOK]
    return [*looks, blocks]


def sequential_looks(  # noqa: PLR0913 - all but two are keywords
    frame: pd.DataFrame,
    factor: str,
    *,
    blocks: int,
    every: int = 1,
    outcome: OutcomeName = "duration",
    tags: pd.DataFrame | None = None,
    presence: Sequence[str] = (),
    factors: Sequence[str] | None = None,
    baseline: Any = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Test an effect after every few blocks, up to the first look that decides it.

    `p` is the smallest adjusted p of `effects` of the blocks so far, and `p_limit` what this look
    may spend: an O'Brien-Fleming type spending function (Lan and DeMets, Biometrika 70, 1983) of
    the share of all `blocks`, so that all looks together err with the chance 1 - level. `presence`
    takes one tag instead of the outcome. Blocks in the frame must be complete.

    Returns
    -------
    pandas.DataFrame
        One row for each look: `block` (int64, the last one looked at), `share` (float64), `p` (NaN:
        not estimable yet), `p_limit` (float64), `decided` (bool: p is at most the limit).
    """
    require(frame, {factor: "key", BLOCK: "number"}, LABEL)
    looks = planned_looks(blocks, every)
    limits = spending_limits([look / blocks for look in looks], 1 - level)
    last = int(frame[BLOCK].max()) if len(frame) else 0
    rows = []
    for look, limit in zip(looks, limits, strict=True):
        if look > last:
            break
        part = frame[frame[BLOCK] <= look]
        try:
            table = effects(
                part,
                factor,
                outcomes=() if presence else [outcome],
                tags=tags,
                presence=presence,
                factors=factors,
                baseline=baseline,
            )
        except BadFrame:
            if look == last:
                raise
            continue
        p = float(table["p_adjusted"].min()) if len(table) else np.nan
        rows.append((look, look / blocks, p, limit, p <= limit))
        if p <= limit:
            break
    return as_frame(pd.DataFrame(rows, columns=list(_COLUMNS)), _COLUMNS)


def spending_limits(shares: Sequence[float], alpha: float) -> Floats:
    """Return the p that each look may spend, for growing shares of the information.

    The error spent up to a share t is 4 - 4 * Phi(z / sqrt(t)), with the normal quantile z of
    1 - alpha / 4: half of it on each side. Limits follow by integration over the looks before
    (Armitage, McPherson and Rowe, J. R. Stat. Soc. A 132, 1969), for sums of independent
    increments.
    """
    from scipy.special import ndtr, ndtri  # noqa: PLC0415 - slow to load

    quantile = -ndtri(alpha / 4)
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    places, masses = np.zeros(1), np.ones(1)  # the sum before the first look
    limits, spent, before = [], 0.0, 0.0
    for share in shares:
        total = 4 * float(ndtr(-quantile / np.sqrt(share)))
        step = np.sqrt(share - before)
        low, high = 0.0, _FARTHEST * np.sqrt(share)
        for _ in range(_STEPS):
            middle = (low + high) / 2
            beyond = ndtr((places - middle) / step) + ndtr((-places - middle) / step)
            is_low = masses @ beyond > total - spent
            low, high = (middle, high) if is_low else (low, middle)
        limits.append(2 * float(ndtr(-high / np.sqrt(share))))
        following = nodes * high
        density = np.exp(-0.5 * ((following[:, None] - places) / step) ** 2)
        masses = weights * high * (density @ masses) / (step * np.sqrt(2 * np.pi))
        places, spent, before = following, total, share
    return np.array(limits)
