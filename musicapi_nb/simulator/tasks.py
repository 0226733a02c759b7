"""A task's life on the simulated clock: when it starts, when each song is done, how it ends."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from random import Random
from typing import Any, Literal

from musicapi_nb.simulator.accounts import Charge
from musicapi_nb.simulator.tags import Step

Engine = Literal["sonic", "studio", "nuro", "producer", "riffusion", "suno"]


class Phase(Enum):
    """Where a task or one of its songs stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Song:
    """What was made, in the simulator's own words; replies.py dresses it as an engine would."""

    song_id: str
    seed: str
    title: str
    tags: tuple[str, ...]
    lyrics: str
    duration: float
    instrumental: bool
    model: str
    form: Literal["mp3", "m4a", "wav"] = "mp3"
    steps: tuple[Step, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Timing:
    """Unix seconds, simulated: ``done`` has one instant per song."""

    submitted: float
    started: float
    running: float
    done: tuple[float, ...]

    @property
    def finished(self) -> float:
        """When the last song is done."""
        return max(self.done)


@dataclass(slots=True, eq=False)
class Task:
    """One paid request and what becomes of it. Only its troubles ever change it."""

    task_id: str
    number: int
    key: str = field(repr=False)
    engine: Engine
    operation: str
    body: Mapping[str, Any]
    timing: Timing
    songs: tuple[Song, ...]
    charge: Charge
    result: Any = None
    """What a task gives that makes no songs."""
    fails_at: float | None = None
    failure: str = ""
    refunded: bool = False
    spoilt: frozenset[str] = frozenset()
    stuck: bool = False
    state_word: str | None = None
    duration_text: bool = False

    def phase(self, now: float) -> Phase:
        """Where the task as a whole stands."""
        if self.fails_at is not None and now >= self.fails_at:
            return Phase.FAILED
        if now < self.timing.started:
            return Phase.QUEUED
        if self.stuck or self.fails_at is not None or now < self.timing.finished:
            return Phase.RUNNING
        return Phase.SUCCEEDED

    def song_phase(self, index: int, now: float) -> Phase:
        """Where one song stands."""
        whole = self.phase(now)
        if whole is Phase.FAILED:
            return whole
        if self.stuck or self.fails_at is not None or now < self.timing.done[index]:
            return Phase.QUEUED if now < self.timing.running else Phase.RUNNING
        return Phase.FAILED if self.songs[index].song_id in self.spoilt else Phase.SUCCEEDED

    def progress(self, now: float) -> int:
        """Per cent of the time between start and finish that has passed; 100 only when done."""
        phase = self.phase(now)
        if phase in (Phase.SUCCEEDED, Phase.QUEUED):
            return 100 if phase is Phase.SUCCEEDED else 0
        span = max(self.timing.finished - self.timing.started, 1e-9)
        return min(99, int(100 * (now - self.timing.started) / span))


def sonic_timing(submitted: float, songs: int, rng: Random, median: float = 106.0) -> Timing:
    """About two minutes: some 202s, clips that wait, clips that run, one done, then all."""
    total = median * min(1.7, max(0.7, rng.lognormvariate(0, 0.18)))
    first = submitted + total
    gaps = [0.0, *(rng.uniform(0.05, 0.2) * total for _ in range(songs - 1))]
    done = [first + gap for gap in gaps]
    rng.shuffle(done)
    started = submitted + total * rng.uniform(0.08, 0.16)
    return Timing(submitted, started, submitted + total * rng.uniform(0.2, 0.3), tuple(done))


def paired_timing(submitted: float, songs: int, rng: Random) -> Timing:
    """As sonic's, twice: the second half of the songs is joined when the first half is done."""
    parts = sonic_timing(submitted, songs // 2, rng)
    joined = [parts.finished + rng.uniform(8, 20) for _ in parts.done]
    return replace(parts, done=(*parts.done, *joined))


def fuzz_timing(submitted: float, songs: int, rng: Random) -> Timing:
    """About 50 s, one song after the other."""
    return sonic_timing(submitted, songs, rng, median=50.0)


def studio_timing(submitted: float, songs: int, rng: Random) -> Timing:
    """About 16 s in the queue and 50 s of rendering; whole unix seconds, as the reply states."""
    queue = round(16 * min(2.5, max(0.5, rng.lognormvariate(0, 0.35))))
    render = round(50 * min(1.7, max(0.7, rng.lognormvariate(0, 0.15))))
    started = int(submitted) + queue
    finished = float(started + render)
    # Both songs come at once, except that the first may be heard a little earlier.
    early = [finished - (rng.randint(2, 9) if index == 0 else 0) for index in range(songs)]
    return Timing(submitted, float(started), float(started), tuple(early))


def nuro_timing(submitted: float, rng: Random) -> Timing:
    """About half a minute."""
    total = 30 * min(1.8, max(0.6, rng.lognormvariate(0, 0.25)))
    started = submitted + rng.uniform(1.0, 3.0)
    return Timing(submitted, started, started, (submitted + total,))
