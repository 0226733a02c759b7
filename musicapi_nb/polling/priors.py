"""Published render times, and the prior belief about each engine."""

from __future__ import annotations

import math
from typing import NamedTuple

# Service docs, faq and nuro-instruction: "about 2 minutes" (2 to 4), "about 30 seconds".
_PUBLISHED = {"sonic": (120.0, 240.0), "nuro": (30.0, 30.0)}


def published_range(engine: str | None) -> tuple[float, float] | None:
    """Return the published render time in seconds, from and to, or None if there is none."""
    return _PUBLISHED.get(engine or "")


class Prior(NamedTuple):
    """Belief about an engine's render times before any was observed.

    `median` is in seconds. `spread` is the standard deviation of the logarithm of that median:
    with 0.5, being wrong by a factor of 1.65 is ordinary.
    """

    median: float
    spread: float


def prior(engine: str | None) -> Prior:
    """Return the prior of an engine, wide enough for a few tasks to correct it."""
    return _PRIORS.get(engine or "", _DEFAULT)


# sonic: between "about 2" and "2 to 4 minutes". studio: the one reply with times in the docs
# (16 s queued, 50 s rendered), hence a wider spread. Nothing is published for the others.
_PRIORS = {
    "sonic": Prior(math.sqrt(120.0 * 170.0), 0.5),
    "nuro": Prior(30.0, 0.5),
    "studio": Prior(66.0, 0.6),
}
_DEFAULT = Prior(60.0, 0.8)
