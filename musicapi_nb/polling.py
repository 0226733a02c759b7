"""When to ask next how a task is doing. Pure."""

from __future__ import annotations

# Seconds between polls that the service's docs recommend (sonic 15 to 25, nuro and producer
# 5 to 10); for studio and riffusion none is published, 10 is our choice.
_PAUSE = {"sonic": 15.0, "nuro": 5.0, "producer": 5.0}
_OTHERS = 10.0
_LONGEST = 60.0


def pause(engine: str | None, age: float) -> float:
    """Seconds to wait before asking again about a task that was submitted `age` seconds ago.

    The engine's recommended interval; a tenth of the age for tasks that take unusually long.
    """
    return min(max(_PAUSE.get(engine or "", _OTHERS), age / 10), _LONGEST)


# docs faq and nuro-instruction: about 2 minutes (2 to 4), about 30 seconds.
_USUAL = {"sonic": (120.0, 240.0), "nuro": (30.0, 30.0)}


def usual(engine: str | None) -> tuple[float, float] | None:
    """How many seconds a task usually takes, from and to; None where nothing is published."""
    return _USUAL.get(engine or "")
