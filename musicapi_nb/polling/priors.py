"""What is published about render times, and what is believed before any was seen."""

from __future__ import annotations

import math
from typing import NamedTuple

# docs faq and nuro-instruction: about 2 minutes (2 to 4), about 30 seconds.
_USUAL = {"sonic": (120.0, 240.0), "nuro": (30.0, 30.0)}


def published_range(engine: str | None) -> tuple[float, float] | None:
    """How many seconds a task usually takes, from and to; None where nothing is published."""
    return _USUAL.get(engine or "")


class Prior(NamedTuple):
    """What is believed of an engine's render times before any was seen.

    `median` is in seconds; `spread` is how unsure that median is, as the standard deviation of
    its logarithm (0.5: off by a factor of 1.65 is nothing special).
    """

    median: float
    spread: float


def prior(engine: str | None) -> Prior:
    """The belief to start from, wide enough to be corrected by the first few tasks."""
    return _PRIORS.get(engine or "", _UNHEARD)


# sonic: the middle of "2 to 4 minutes" and "about 2"; studio: the one timed reply that the docs
# show (16 s queued, 50 s rendered), so less sure; for the others nothing is published.
_PRIORS = {
    "sonic": Prior(math.sqrt(120.0 * 170.0), 0.5),
    "nuro": Prior(30.0, 0.5),
    "studio": Prior(66.0, 0.6),
}
_UNHEARD = Prior(60.0, 0.8)
