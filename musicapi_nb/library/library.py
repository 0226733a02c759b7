"""Library: everything that was ever asked for, paid for and heard, in one folder."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from musicapi_nb.engines import Request
from musicapi_nb.errors import ClientClosed, InvalidArgument, MusicAPIError
from musicapi_nb.library import events, queries, rate_limit, resolve
from musicapi_nb.library.database import Database
from musicapi_nb.library.group_commit import GroupCommit
from musicapi_nb.library.ledger import Ledger, require_entry, tasks_of
from musicapi_nb.library.media_files import Files, is_whole, on_disk, song_key
from musicapi_nb.library.process_lock import ProcessLock
from musicapi_nb.library.ratings import Ratings
from musicapi_nb.library.read_api import DATABASE, Records
from musicapi_nb.tasks import Song, Task

if TYPE_CHECKING:
    from musicapi_nb.exports import ExportResult
    from musicapi_nb.library.entry import Entry
    from musicapi_nb.library.ledger import Claim
    from musicapi_nb.library.media_files import FileRef
    from musicapi_nb.library.notifications import Notification, NotificationResult
    from musicapi_nb.library.queries import Media
    from musicapi_nb.library.resolve import Credits

_Result = TypeVar("_Result")


class Library(Ratings, Records):
    """A folder with one database and the files of songs; made when there is none.

    All methods may be called from any thread; several libraries, in one process or in many, may
    be opened on one folder at once. Nothing in it names the folder: it may be moved.

    Parameters
    ----------
    path
        The folder.
    lock_timeout
        Seconds to wait for another process that is writing.

    Raises
    ------
    LibraryReadOnly, LibraryFull, LibraryLocked, LibraryDamaged, LibraryTooNew
        It cannot be used, and why; nothing was sent or changed.
    """

    def __init__(
        self, path: str | os.PathLike[str] = "musicapi-library", *, lock_timeout: float = 10.0
    ) -> None:
        self._shown = str(path)
        self.path = Path(path).expanduser().absolute()  # the working directory may change
        with contextlib.ExitStack() as undo, on_disk(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            if not (ignore := self.path / ".gitignore").exists():
                ignore.write_text("*\n", encoding="ascii")
            self._database = Database(self.path / DATABASE, lock_timeout=lock_timeout)
            undo.callback(self._database.close)
            self._process_lock = ProcessLock(self.path / "open")
            undo.callback(self._process_lock.close)
            self._files = Files(self.path / "files", self._process_lock)
            self._ledger = Ledger(self._database, self._process_lock)
            self._commits = GroupCommit(self._database)
            self._ledger.recover()
            undo.pop_all()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write what waits, and close. What is being sent is uncertain from then on."""
        if not self._closed:
            self._closed = True
            if not self._database.forked:  # its thread stayed behind
                self._commits.close()
            self._process_lock.close()
            self._database.close()

    # --- many at once ----------------------------------------------------------------------

    def together(
        self, method: Callable[..., _Result], /, *values: Any, durable: bool = True, **named: Any
    ) -> asyncio.Future[_Result]:
        """Call a method of this library with the next group commit of the running loop.

        All that is asked for in one turn of the loop is written in one transaction, on a thread:
        `await library.together(library.claim, request, take=2)`. The future has the method's
        outcome once that is on disk; it need not be awaited (see `flushed`).

        Parameters
        ----------
        durable
            Whether the step must survive a power failure once the future is done. Pass False for
            steps that can be repeated at no cost: a poll, a slot of the rate limiter. A killed
            process loses nothing either way.
        """
        return self._commits.add(functools.partial(method, *values, **named), durable=durable)

    async def flushed(self) -> None:
        """Wait until all that was given to `together` so far is on disk."""
        await self._commits.add(lambda: None, durable=True)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all calls in the block one transaction: all of it is kept, or nothing."""
        with self._database.write(durable=True):
            yield

    # --- the steps of a purchase -----------------------------------------------------------

    def plan(
        self,
        request: Request,
        take: int = 1,
        *,
        simulated: bool = False,
        experiment: str | None = None,
        cell: str | None = None,
    ) -> Entry:
        """Note what is meant to be bought; an entry that is there already stays as it is."""
        return self._ledger.plan(
            request, take, simulated=simulated, experiment=experiment, cell=cell
        )

    def record_skipped(self, entry: int, why: str) -> Entry:
        """Note that a planned purchase will not be made (budget, cancel)."""
        return self._ledger.step(entry, "not_run", {"note": why})

    def find(
        self, request: Request, take: int = 1, *, simulated: bool = False, retry_failed: bool = True
    ) -> Claim | None:
        """Look whether a request was bought, or is under way, without deciding anything.

        None: `claim` with the same arguments would buy it.
        """
        return self._ledger.find(request, take, simulated=simulated, retry_failed=retry_failed)

    def next_take(self, request: Request, first: int = 1, *, simulated: bool = False) -> int:
        """Return the first take from `first` on that was not bought, or whose reply was lost."""
        return self._ledger.next_take(request, first, simulated=simulated)

    def claim(  # noqa: PLR0913 - what is bought, for whom, and who has to allow it
        self,
        request: Request,
        take: int = 1,
        *,
        simulated: bool = False,
        budgets: Sequence[str] = (),
        experiment: str | None = None,
        cell: str | None = None,
        retry_failed: bool = True,
    ) -> Claim:
        """Decide, once for all threads and processes, what is to be done about a request.

        When it says "buy", the step `sending` is on disk already and the credits are held in
        every budget: send it, then call `accepted`, `refused`, `uncertain` or `never_left`.

        Parameters
        ----------
        simulated
            Whether a simulator is asked: its songs and credits are kept apart.
        budgets
            Names of budgets that all have to cover the price (see `set_budget`).
        experiment, cell
            Whose cell the purchase is from now on; `cell` is the request_key when left out.
        again
            Whether what failed or was refused before is bought anew; else it is what we "have".

        Raises
        ------
        OverBudget
            A budget does not cover the price. Nothing was written.
        UnknownPrice
            The price is not known, and a budget assumes none.
        UncertainPurchase
            For an experiment: it was bought and failed, and its credits did not come back, as far
            as is known. Only a person buys that again.
        """
        return self._ledger.claim(
            request,
            take,
            simulated=simulated,
            budgets=tuple(dict.fromkeys(budgets)),
            experiment=experiment,
            cell=cell,
            retry_failed=retry_failed,
        )

    def claim_repost(self, request: Request, take: int = 1, *, simulated: bool = False) -> Claim:
        """Decide whether what was accepted without a task is asked for once more.

        When it says "repost", the step `asking` is on disk already: send the same request, then
        call `seen`, `uncertain` or `still_accepted`. Whether a repeat is charged is not known.

        Raises
        ------
        InvalidTransition
            It was never bought with this library.
        """
        return self._ledger.claim_repost(request, take, simulated=simulated)

    def record_accepted(self, entry: int, task: Task) -> Entry:
        """Note, durably, the task that the service made; also for one that was uncertain."""
        return self._ledger.record_accepted(entry, task)

    def record_poll(self, entry: int, task: Task) -> Entry:
        """Note a look at the task: unfinished, done or failed, with the reply as it came."""
        return self._ledger.record_poll(entry, task)

    def apply_notification(
        self, word: Notification, read: Callable[[Task], Task]
    ) -> NotificationResult:
        """Note what the service says of a task unasked, as by a webhook.

        What was uncertain, or is being sent still, is accepted by it; an end that is known
        already stays as it is.

        Parameters
        ----------
        word
            Which task it is about, and which purchase.
        read
            Makes of the task as the ledger knows it the task as it is said to be.
        """
        return self._ledger.apply_notification(word, read)

    def record_refused(self, entry: int, error: MusicAPIError) -> Entry:
        """Note that the service said no: nothing was charged, budgets get it back."""
        return self._ledger.record_refused(entry, error)

    def record_uncertain(self, entry: int, error: BaseException) -> Entry:
        """Note that the reply was lost: perhaps charged, never sent again by itself."""
        return self._ledger.record_uncertain(entry, error)

    def record_unchanged(self, entry: int) -> Entry:
        """Note of an entry that was asked for again that this changed nothing."""
        return self._ledger.record_unchanged(entry)

    def record_unsent(self, entry: int, error: BaseException | None = None) -> Entry:
        """Note that the request provably never reached the service."""
        return self._ledger.record_unsent(entry, error)

    def resolve(
        self,
        entry: int,
        *,
        task_id: str | None = None,
        before: Credits | None = None,
        after: Credits | None = None,
        charged: bool | None = None,
    ) -> Entry:
        """Settle an uncertain purchase by one of three kinds of knowledge.

        Parameters
        ----------
        task_id
            Its task, found elsewhere (the dashboard): it is waited for like any other.
        before, after
            The balance before it was sent and after its reply was lost: a fall by the price
            proves that it was charged, no change that it was not; anything else is refused.
        charged
            What the person knows. Also for a failed one whose refund nobody has told, and for an
            accepted one that the service has forgotten: nobody waits for that any more. Where a
            repeat was lost (`ask_again`) and was not charged, the purchase goes on as accepted.

        Raises
        ------
        InvalidTransition
            This settles nothing, or there is nothing to settle.
        """
        with self._database.write(durable=True) as connection:
            kind, data = resolve.resolution_event(
                require_entry(connection, entry),
                task_id=task_id,
                before=before,
                after=after,
                charged=charged,
            )
            return self._ledger.step(entry, kind, data)

    def unfinished(self, *, simulated: bool | None = None) -> list[queries.Unfinished]:
        """Accepted purchases of any kernel, to be waited for again; None: real and simulated."""
        with self._reading() as connection:
            found = events.in_state(connection, "accepted")
        return [
            queries.Unfinished(entry, task)
            for entry, task in tasks_of(self._database, found)
            if simulated is None or entry.simulated is simulated
        ]

    # --- budget and pace -------------------------------------------------------------------

    def set_budget(self, name: str, credits_: int, *, assume: int | None = None) -> queries.Budget:
        """Make a budget, or change its limit; what it holds stays held.

        Parameters
        ----------
        assume
            Credits that a request without a known price counts; None: it is refused.
        """
        if not name or credits_ < 0 or (assume is not None and assume < 0):
            raise InvalidArgument("a budget has a name and a number of credits from 0 on")
        data = {"name": name, "credits": credits_, "assume": assume}
        with self._database.write(durable=True) as connection:
            events.append_unbound(connection, "budget", data, owner=self._process_lock.id)
        return self.budgets()[name]

    def budgets(self) -> dict[str, queries.Budget]:
        """All budgets by their names."""
        with self._reading() as connection:
            return {budget.name: budget for budget in queries.budgets(connection)}

    def reserve_slot(self, interval: float, now: float | None = None, *, name: str = "") -> float:
        """Lease the next instant (unix seconds) at which a paid request may leave.

        All processes on the library share one pace for each name. Take a place when it is your
        turn, not many ahead: what was leased before a `slow_down` is not called back (see
        `paused_until`).

        Parameters
        ----------
        interval
            Seconds between two requests; longer for a while after `slow_down`.
        """
        now = time.time() if now is None else now
        with self._database.write() as connection:
            return rate_limit.reserve(connection, name, interval, now)

    def release_slot(self, at: float, *, name: str = "") -> None:
        """Let somebody else have a place that was leased."""
        with self._database.write() as connection:
            rate_limit.release(connection, name, at)

    def throttle(
        self, retry_after: float = 1.0, now: float | None = None, *, name: str = ""
    ) -> float:
        """After a 429: nobody sends for `retry_after` seconds (300 at most), then at half the pace.

        Returns the end of the pause. The pace recovers by itself, place by place.
        """
        now = time.time() if now is None else now
        with self._database.write() as connection:
            return rate_limit.throttle(connection, name, retry_after, now)

    def paused_until(self, *, name: str = "") -> float:
        """The end of the last pause, unix seconds: a place that was leased before it is void."""
        with self._database.read() as connection:
            return rate_limit.paused_until(connection, name)

    # --- files -----------------------------------------------------------------------------

    def incoming(self, suffix: str = "") -> Path:
        """A path beside the files, to write one to; then `add_file` moves it in."""
        return self._files.incoming(suffix)

    def add_file(self, source: str | os.PathLike[str], suffix: str) -> FileRef:
        """Move a file into the library under the hash of its bytes; it may be there already."""
        self._check_open()
        return self._files.add(Path(source), suffix)

    def attach(self, song: Song | str, media: Media, file: FileRef) -> None:
        """Say that a file is a song's audio, image or video; the last word counts."""
        data = {
            "song": song_key(song),
            "media": media,
            "sha256": file.sha256,
            "size": file.size,
            "suffix": file.suffix,
        }
        with self._database.write() as connection:
            known = queries.attached(connection, self._files, song_key(song), media)
            if known != file:
                events.append_unbound(connection, "attached", data, owner=self._process_lock.id)

    def file_of(self, song: Song | str, media: Media = "audio") -> Path | None:
        """Where a song's file is; None when there is none, or not all of it."""
        with self._database.read() as connection:
            ref = queries.attached(connection, self._files, song_key(song), media)
        return ref.path if ref is not None and is_whole(ref) else None

    def missing_files(self, media: Sequence[Media] = queries.MEDIA) -> list[queries.MissingFile]:
        """Files of finished songs that are not here, or not whole, with their links."""
        return list(queries.missing_files(self._database, self._files, media))

    def verify(self) -> list[queries.DamagedFile]:
        """Read every byte of every file; return those that are missing or damaged."""
        return list(queries.damaged(self._database, self._files))

    def export(self, path: str | os.PathLike[str], what: Any = None) -> ExportResult:
        """Write songs of this library as files that other programs take: `mnb.export`.

        Parameters
        ----------
        path
            A folder, made if there is none; or a file that ends in `.zip`.
        what
            Which songs, as for `mnb.export`; all finished ones when left out.
        """
        from musicapi_nb.exports import export  # noqa: PLC0415 - it needs tables, which are above

        return export(path, self if what is None else what, library=self)

    def rebuild(self) -> None:
        """Make everything that is kept beside the events anew, from the events alone."""
        with self._database.write(durable=True) as connection:
            events.rebuild(connection)
            self._database.generation += 1

    def _check_open(self) -> None:
        if self._closed:
            raise ClientClosed("the library is closed")
