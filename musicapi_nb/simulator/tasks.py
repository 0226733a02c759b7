"""Tasks on the simulated clock: when they start, when each song is done, how they end. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Any

from musicapi_nb.simulator.accounts import Charge
from musicapi_nb.simulator.music.recording import AudioFormat, Recording
from musicapi_nb.simulator.tag_rewriting import Step


class Phase(StrEnum):
    """State of a task or of one of its songs, in sonic's words."""

    QUEUED = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether it will not change any more."""
        return self in (Phase.SUCCEEDED, Phase.FAILED)


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
    state_word: str = "running"
    duration_text: bool = False

    @property
    def engine(self) -> str:
        """The first part of the operation's name."""
        return self.operation.partition(".")[0]

    def phase(self, now: float) -> Phase:
        if self.fails_at is not None and now >= self.fails_at:
            return Phase.FAILED
        if now < self.timing.started:
            return Phase.QUEUED
        if self.stuck or self.fails_at is not None or now < self.timing.finished:
            return Phase.RUNNING
        return Phase.SUCCEEDED

    def song_phase(self, index: int, now: float) -> Phase:
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


def draw_timing(
    submitted: float, songs: Sequence[Song], rng: Random, median: float, queued: float
) -> Timing:
    """Draw a task's times: queued, running, then a song done after about ``median`` seconds.

    ``queued`` is the share of them in the queue. Songs that join another one to its source
    (``full_of``) are made once all others are done.
    """
    total = median * min(1.7, max(0.7, rng.lognormvariate(0, 0.18)))
    joined = sum("full_of" in song.details for song in songs)
    gaps = [0.0, *(rng.uniform(0.05, 0.2) * total for _ in range(len(songs) - joined - 1))]
    done = [submitted + total + gap for gap in gaps]
    rng.shuffle(done)
    started = submitted + total * queued * rng.uniform(0.7, 1.3)
    running = max(started, submitted + total * rng.uniform(0.2, 0.3))
    done += [max(done) + rng.uniform(8, 20) for _ in range(joined)]
    return Timing(submitted, started, running, tuple(done))
