"""What a client and a library agree on: entries, claims, purchase terms and the ledger's steps.

No I/O.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

import msgspec

from musicapi_nb import markup
from musicapi_nb.engines import Request
from musicapi_nb.errors import MusicAPIError
from musicapi_nb.tasks import Song, Task

_Result = TypeVar("_Result")
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
FREE_STATES: frozenset[EntryState] = frozenset({"planned", "not_run", "refused"})
"""States of entries that cost nothing."""
_IN_DOUBT: frozenset[EntryState] = frozenset({"sending", "uncertain"})
_MAX_ISSUES = 20  # that an adoption lists
Media: TypeAlias = Literal["audio", "image", "video"]


def _price_text(price: int | None) -> str:
    return "price unknown" if price is None else markup.format_credits(price)


class Entry(msgspec.Struct, frozen=True):
    """The current state of one purchase, as its events give it.

    Attributes
    ----------
    request_event, reply_event
        Ids of the events that hold the request and the latest reply.
    request_key
        The key of the request and its take (see `library.request_key`); "" if it is adopted, and
        so no purchase of any request.
    engine, operation
        "" if the reply of an adopted task does not show them.
    experiment
        The experiment that first asked for it.
    price
        Credits; None if unknown. `reserve` is what budgets count for it and its reposts.
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
        """Engine and operation, such as "sonic.create"; "task" if neither is known."""
        return ".".join(part for part in (self.engine, self.operation) if part) or "task"

    @property
    def adopted(self) -> bool:
        """Whether it was bought elsewhere: it has a task, but no request key and no price."""
        return not self.request_key

    @property
    def held(self) -> int:
        """Credits that budgets count for it: spent, under way or possibly spent."""
        return self.reserve if self.may_be_charged else 0

    @property
    def charged(self) -> int | None:
        """Credits charged when it was accepted, refunded or not; None if unknown or in doubt."""
        if self.state in FREE_STATES:
            return 0
        return None if self.state in _IN_DOUBT else self.price

    @property
    def in_doubt(self) -> int:
        """Credits that may have been charged: its reply was lost, or it was sent more than once."""
        if self.price is None or not self.may_be_charged:
            return 0
        reposts = max(self.reserve - self.price, 0)
        return reposts + (self.price if self.state in _IN_DOUBT else 0)

    @property
    def failed_and_charged(self) -> bool:
        """Whether it failed, and no refund was reported. It is then not bought again."""
        return self.state == "failed" and self.refunded is not True

    @property
    def may_be_charged(self) -> bool:
        """Whether credits were or may have been charged. It is then not bought again."""
        bought = {"sending", "accepted", "reposting", "done", "uncertain"}
        return self.state in bought or self.failed_and_charged

    def __repr__(self) -> str:
        price = "adopted" if self.adopted else _price_text(self.price)
        facts = (self.name, self.state, price, self.note)
        return markup.one_line(f"<Entry {self.id}: {', '.join(fact for fact in facts if fact)}>")


@dataclasses.dataclass(frozen=True, slots=True)
class PurchaseTerms:
    """The terms of a purchase.

    Attributes
    ----------
    take
        A take is bought once; another take of the same request is another purchase.
    budgets
        Names of budgets that all have to cover the price.
    experiment
        The experiment with a plan cell of this request and take.
    retry_failed
        Whether to buy again what was refused before, or failed and was refunded.
    simulated
        Whether it is bought from a simulator. Simulated songs and credits are kept apart.
    """

    take: int = 1
    budgets: tuple[str, ...] = ()
    experiment: str | None = None
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


@dataclasses.dataclass(frozen=True, slots=True)
class MissingFile:
    """A file of a finished song that the library lacks."""

    entry: Entry
    song: Song
    media: Media
    url: str


class AdoptionIssue(NamedTuple):
    """A reply or task id that was not adopted: which, its task if it names one, and why.

    `reply` is its place among the replies of the source, as in `issues_frame`, or the id.
    """

    reply: str
    task_id: str | None
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class Adoption:
    """What was adopted.

    Attributes
    ----------
    entries
        The numbers of the entries of all tasks that the source names, in its order.
    new, updated
        Number of tasks that were adopted, and of those of which a later reply was.
    unchanged
        Number of tasks that the library had: adopted before, or bought with it.
    issues
        The replies that were not adopted, and why.
    missing_files
        Number of files of these songs that could not be downloaded; `api.resume()` tries again.
    """

    entries: tuple[int, ...] = ()
    new: int = 0
    updated: int = 0
    unchanged: int = 0
    issues: tuple[AdoptionIssue, ...] = ()
    missing_files: int = 0

    def __add__(self, other: Adoption) -> Adoption:
        return Adoption(
            tuple(dict.fromkeys((*self.entries, *other.entries))),
            self.new + other.new,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
            self.issues + other.issues,
            self.missing_files + other.missing_files,
        )

    def _facts(self) -> list[str]:
        facts = [f"{markup.plural(self.new, 'task')} adopted"]
        facts += [f"{self.updated:,} updated"] if self.updated else []
        facts += [f"{self.unchanged:,} there before"] if self.unchanged else []
        if self.issues:
            facts.append(f"{markup.plural(len(self.issues), 'reply', 'replies')} not adopted")
        if self.missing_files:
            files = markup.plural(self.missing_files, "file")
            facts.append(f"{files} could not be downloaded; api.resume() tries again")
        return facts

    def __repr__(self) -> str:
        lines = [f"<Adoption: {', '.join(self._facts())}>"]
        lines += [f"- {issue.reply}: {issue.message}" for issue in self.issues[:_MAX_ISSUES]]
        more = len(self.issues) - _MAX_ISSUES
        lines += [f"- and {more:,} more, see .issues"] if more > 0 else []
        return "\n".join(map(markup.one_line, lines))

    @markup.html_repr
    def _repr_html_(self) -> str:
        table = markup.table(
            ("reply", "task", "not adopted because"), self.issues, limit=_MAX_ISSUES
        )
        return markup.card(
            "Adopted", table if self.issues else markup.EMPTY, facts=markup.facts(*self._facts())
        )


class MediaStore(Protocol):
    """Where media files are stored."""

    def temporary_path(self, suffix: str = "") -> Path: ...
    def add_file(self, source: Path, suffix: str) -> FileRef: ...
    def attach(self, song: Song, media: Media, file: FileRef, note: str = "") -> None: ...
    def file_of(self, song: Song, media: Media = "audio") -> Path | None: ...
    def intact_file_of(self, song: Song, media: Media = "audio") -> Path | None: ...


class SlotStore(Protocol):
    """Where the slots of paid requests are reserved, by the name of a rate limit.

    Slots and ends of pauses are unix seconds.
    """

    def reserve(self, name: str, interval: float) -> float: ...
    def release(self, name: str, slot: float) -> None: ...
    def throttle(self, name: str, seconds: float) -> float: ...
    def paused_until(self, name: str) -> float: ...


class Ledger(MediaStore, Protocol):
    """What a client needs of a library; `library.Library` describes each method.

    The methods block. An event loop writes through `commit`, and reads in a thread.
    """

    @property
    def rate_limits(self) -> SlotStore: ...
    @property
    def notice(self) -> str: ...

    async def commit(
        self,
        step: Callable[[], _Result],
        *,
        durable: bool = True,
        undo: Callable[[_Result], object] | None = None,
    ) -> _Result:
        """Run a step on the ledger's thread; return its result once it is committed.

        Any step survives a killed process, a `durable` one a power failure. If the caller is
        cancelled before it has the result, the step is written all the same; `undo`, if there is
        one, is then called with the result.
        """

    def commit_later(self, step: Callable[[], object], *, durable: bool = True) -> None:
        """Run a step after all earlier ones, and do not wait for it. A failure is logged."""

    def find(self, request: Request, terms: PurchaseTerms) -> Claim | None: ...
    def claim(self, request: Request, terms: PurchaseTerms) -> Claim: ...
    def claim_repost(self, request: Request, terms: PurchaseTerms) -> Claim: ...
    def undo_claim(self, claim: Claim) -> None: ...
    def record_accepted(self, entry: int, task: Task) -> Entry: ...
    def record_poll(self, entry: int, task: Task) -> Entry: ...
    def record_refused(self, entry: int, error: MusicAPIError) -> Entry: ...
    def record_uncertain(self, entry: int, error: BaseException) -> Entry: ...
    def record_unsent(self, entry: int, error: BaseException) -> Entry: ...
    def record_unchanged(self, entry: int) -> Entry: ...
    def finished_entries(self, entries: Sequence[int]) -> Sequence[int]: ...
    def missing_files(self) -> Sequence[MissingFile]: ...
    def adopt(self, source: Any, *, simulated: bool = False) -> Adoption: ...
    def entries_by_task(
        self, task_ids: Collection[str], *, simulated: bool = False
    ) -> Sequence[Entry]: ...
    def task(self, entry: int) -> Task: ...
    def unfinished(self, *, simulated: bool | None = None) -> Sequence[Unfinished]: ...
    def render_times(
        self, engine: str, operation: str, *, simulated: bool = False
    ) -> Sequence[RenderTime]: ...
