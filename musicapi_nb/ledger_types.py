"""What a client and a library agree on: entries, claims, purchase terms and the ledger's steps.

No I/O.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import msgspec

from musicapi_nb.engines import Request
from musicapi_nb.errors import MusicAPIError
from musicapi_nb.tasks import Song, Task

EntryState: TypeAlias = Literal[
    "planned",
    "sending",
    "accepted",
    "reposting",
    "done",
    "failed",
    "refused",
    "uncertain",
    "not_run",
]
Media: TypeAlias = Literal["audio", "image", "video"]


class Entry(msgspec.Struct, frozen=True):
    """The current state of one purchase, as its events give it.

    Attributes
    ----------
    request_event, reply_event
        Ids of the events that hold the request and the latest reply.
    request_key
        The key of the request and its take (see `library.request_key`).
    experiment, cell
        The plan cell that first asked for it.
    price
        Credits; None if unknown. `reserve` is what budgets count for it.
    owner
        Id of the open library that wrote its latest step.
    planned_at, sent_at, accepted_at, polled_at, ended_at
        Unix seconds. `polled_at` is the latest poll that found it unfinished.
    refunded
        Whether the credits of a failed purchase came back; None if the service did not say.
    note
        Why it is refused, failed, uncertain or not run, or how it was resolved.
    """

    id: int
    request_event: int
    request_key: str
    engine: str
    operation: str
    state: EntryState
    model: str | None = None
    take: int = 1
    simulated: bool = False
    experiment: str | None = None
    cell: str | None = None
    price: int | None = None
    reserve: int = 0
    budgets: tuple[str, ...] = ()
    owner: str | None = None
    task_id: str | None = None
    refunded: bool | None = None
    planned_at: float | None = None
    sent_at: float | None = None
    accepted_at: float | None = None
    polled_at: float | None = None
    ended_at: float | None = None
    note: str | None = None
    reply_event: int | None = None

    @property
    def name(self) -> str:
        """Engine and operation, such as "sonic.create"."""
        return f"{self.engine}.{self.operation}"

    @property
    def held(self) -> int:
        """Credits that budgets count for it: spent, under way or possibly spent."""
        if self.state in {"sending", "accepted", "reposting", "done", "uncertain"}:
            return self.reserve
        return self.reserve if self.state == "failed" and self.refunded is not True else 0


@dataclasses.dataclass(frozen=True, slots=True)
class PurchaseTerms:
    """The terms of a purchase.

    Attributes
    ----------
    take
        A take is bought once; another take of the same request is another purchase.
    budgets
        Names of budgets that all have to cover the price.
    experiment, cell
        The plan cell that the purchase belongs to. `cell` defaults to the request key.
    retry_failed
        Whether to buy again what failed or was refused before.
    simulated
        Whether it is bought from a simulator. Simulated songs and credits are kept apart.
    """

    take: int = 1
    budgets: tuple[str, ...] = ()
    experiment: str | None = None
    cell: str | None = None
    retry_failed: bool = True
    simulated: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Claim:
    """The ledger's decision about a request.

    Attributes
    ----------
    kind
        "buy": send it; the step `sending` is on disk. "repost": send it once more; `reposting` is
        on disk. "have": it was bought before, and `task` is its outcome. "join": it is under way,
        at the service if there is a `task`, else being sent by an open library. "uncertain": it
        may have been bought, and has to be resolved.
    entry
        The ledger entry that the decision is about.
    """

    kind: Literal["buy", "repost", "have", "join", "uncertain"]
    entry: Entry
    task: Task | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Unfinished:
    """An accepted purchase that has not ended, and its task as last polled."""

    entry: Entry
    task: Task


@dataclasses.dataclass(frozen=True, slots=True)
class RenderTime:
    """Bounds on how many seconds a finished task took, from acceptance to its end.

    `low` is the last poll that found it unfinished (0.0 without one), `high` the first that found
    it finished.
    """

    low: float
    high: float
    model: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class FileRef:
    """A media file of the library: SHA-256 of its bytes, size in bytes, and path."""

    sha256: str
    size: int
    path: Path

    @property
    def suffix(self) -> str:
        return self.path.suffix


class MediaStore(Protocol):
    """Where media files are stored."""

    def temporary_path(self, suffix: str = "") -> Path: ...
    def add_file(self, source: Path, suffix: str) -> FileRef: ...
    def attach(self, song: Song, media: Media, file: FileRef) -> None: ...
    def file_of(self, song: Song, media: Media = "audio") -> Path | None: ...


class AsyncLedger(Protocol):
    """The steps of purchases, for an event loop.

    A step has been committed when its coroutine returns. A durable step then survives a power
    failure; any step survives a killed process. If the caller is cancelled, the
    step is still written; only claims and slots are undone.
    """

    async def find(self, request: Request, terms: PurchaseTerms) -> Claim | None:
        """Return what `claim` would, but None if that would buy. Not durable."""

    async def claim(self, request: Request, terms: PurchaseTerms) -> Claim:
        """Decide whether to buy, and reserve the credits. Durable."""

    async def claim_repost(self, request: Request, terms: PurchaseTerms) -> Claim:
        """Decide whether to send a request again that was answered "not ready". Durable."""

    async def record_accepted(self, entry: int, task: Task) -> Entry:
        """Record the task that the service created. Durable."""

    async def record_poll(self, entry: int, task: Task) -> Entry:
        """Record the result of a poll. Not durable: it can be polled again."""

    async def record_repost(self, entry: int, task: Task) -> Entry:
        """Record the reply to a repost. Durable: it may have been charged."""

    async def record_refused(self, entry: int, error: MusicAPIError) -> Entry:
        """Record that the service refused the request; nothing was charged. Durable."""

    async def record_uncertain(self, entry: int, error: BaseException) -> Entry:
        """Record that the reply was lost. Durable."""

    async def record_unsent(self, entry: int, error: BaseException) -> Entry:
        """Record that the request never reached the service. Durable."""

    async def record_unchanged(self, entry: int) -> Entry:
        """Record that a repost changed nothing. Durable."""

    def record_interrupted(self, entry: int, error: BaseException) -> None:
        """Record, before returning, that the loop ended before the reply: uncertain. Durable."""

    async def finished_entries(self, entries: Sequence[int]) -> Sequence[int]:
        """Return those of the given entries that have ended."""

    async def reserve_slot(self, name: str, interval: float) -> float:
        """Return the next time (unix seconds) at which a paid request may leave. Not durable."""

    def release_slot(self, name: str, slot: float) -> None:
        """Release a reserved slot for the next request. Returns before that is written."""

    async def throttle(self, name: str, seconds: float) -> float:
        """Pause all paid requests, then slow them down. Returns the pause's end. Not durable."""

    async def paused_until(self, name: str) -> float:
        """Return the end of the last pause, unix seconds."""


class Ledger(MediaStore, Protocol):
    """What a client needs of a library."""

    @property
    def async_ledger(self) -> AsyncLedger: ...
    def unfinished(self, *, simulated: bool | None = None) -> Sequence[Unfinished]: ...
    def render_times(
        self, engine: str, operation: str, model: str | None = None, *, simulated: bool = False
    ) -> Sequence[RenderTime]: ...
