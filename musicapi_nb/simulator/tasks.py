"""Tasks on the simulated clock: when they start, when each song is done, how they end. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from random import Random
from typing import Any, Literal

from musicapi_nb.simulator.accounts import Charge
from musicapi_nb.simulator.music.recording import AudioFormat, Recording
from musicapi_nb.simulator.tag_rewriting import Step

Engine = Literal["sonic", "studio", "nuro", "producer", "riffusion", "suno"]


class Phase(Enum):
    """State of a task or of one of its songs."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Song:
    """One song, independent of an engine; ``replies.py`` writes it as each engine would."""

    song_id: str
    title: str
    tags: tuple[str, ...]
    lyrics: str
    recording: Recording
    model: str
    audio_format: AudioFormat = "mp3"
    steps: tuple[Step, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.recording.seconds

    @property
    def instrumental(self) -> bool:
        """Whether it has no vocals."""
        return self.recording.instrumental


@dataclass(frozen=True, slots=True)
class Timing:
    """Simulated unix seconds; ``done`` has one instant per song."""

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
    """One paid request and its outcome; faults alone change it after its creation.

    ``result`` is the outcome of a task that makes no songs, ``failed_songs`` has the ids of songs
    that fail alone.
    """

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
    fails_at: float | None = None
    failure: str = ""
    refunded: bool = False
    failed_songs: frozenset[str] = frozenset()
    stuck: bool = False
    state_word: str | None = None
    duration_text: bool = False

    def phase(self, now: float) -> Phase:
        """Return the state of the whole task."""
        if self.fails_at is not None and now >= self.fails_at:
            return Phase.FAILED
        if now < self.timing.started:
            return Phase.QUEUED
        if self.stuck or self.fails_at is not None or now < self.timing.finished:
            return Phase.RUNNING
        return Phase.SUCCEEDED

    def song_phase(self, index: int, now: float) -> Phase:
        """Return the state of one song."""
        if self.phase(now) is Phase.FAILED:
            return Phase.FAILED
        if self.stuck or self.fails_at is not None or now < self.timing.done[index]:
            return Phase.QUEUED if now < self.timing.running else Phase.RUNNING
        failed = self.songs[index].song_id in self.failed_songs
        return Phase.FAILED if failed else Phase.SUCCEEDED

    def progress(self, now: float) -> int:
        """Return the share of the working time that has passed, in per cent; 100 only when done."""
        phase = self.phase(now)
        if phase in (Phase.SUCCEEDED, Phase.QUEUED):
            return 100 if phase is Phase.SUCCEEDED else 0
        span = max(self.timing.finished - self.timing.started, 1e-9)
        return min(99, int(100 * (now - self.timing.started) / span))


def sonic_timing(submitted: float, songs: int, rng: Random, median: float = 106.0) -> Timing:
    """Draw a sonic task's times: about two minutes, first queued, then running, one song first."""
    total = median * min(1.7, max(0.7, rng.lognormvariate(0, 0.18)))
    gaps = [0.0, *(rng.uniform(0.05, 0.2) * total for _ in range(songs - 1))]
    done = [submitted + total + gap for gap in gaps]
    rng.shuffle(done)
    started = submitted + total * rng.uniform(0.08, 0.16)
    return Timing(submitted, started, submitted + total * rng.uniform(0.2, 0.3), tuple(done))


def paired_timing(submitted: float, songs: int, rng: Random) -> Timing:
    """Draw times of songs whose second half joins the first half to its source, once it is done."""
    timing = sonic_timing(submitted, songs // 2, rng)
    joined = [timing.finished + rng.uniform(8, 20) for _ in timing.done]
    return replace(timing, done=(*timing.done, *joined))


def studio_timing(submitted: float, songs: int, rng: Random) -> Timing:
    """Draw a studio task's times: 16 s in the queue, 50 s of work, in whole unix seconds."""
    queue = round(16 * min(2.5, max(0.5, rng.lognormvariate(0, 0.35))))
    render = round(50 * min(1.7, max(0.7, rng.lognormvariate(0, 0.15))))
    started = int(submitted) + queue
    finished = float(started + render)
    # The first song is ready a few seconds early.
    done = [finished - (rng.randint(2, 9) if index == 0 else 0) for index in range(songs)]
    return Timing(submitted, float(started), float(started), tuple(done))


def nuro_timing(submitted: float, _songs: int, rng: Random) -> Timing:
    """Draw a nuro task's times: about half a minute."""
    total = 30 * min(1.8, max(0.6, rng.lognormvariate(0, 0.25)))
    started = submitted + rng.uniform(1.0, 3.0)
    return Timing(submitted, started, started, (submitted + total,))
