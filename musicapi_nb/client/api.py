"""MusicAPI: ask for songs, wait for them, fetch them. Plain asyncio."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias, overload

import msgspec

from musicapi_nb import polling, tasks, wire
from musicapi_nb.client.download import fetch
from musicapi_nb.client.pace import Pace
from musicapi_nb.client.transport import (
    BASE_URL,
    Timeouts,
    Transport,
    checked_key,
    checked_url,
    is_transient,
)
from musicapi_nb.engines import account
from musicapi_nb.errors import (
    DownloadFailed,
    MusicAPIError,
    TaskFailed,
    UnexpectedReply,
    WaitTimeout,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from musicapi_nb.client.download import Media
    from musicapi_nb.engines import Request
    from musicapi_nb.tasks import Song, Task

Progress: TypeAlias = "Callable[[Task], None]"
_log = logging.getLogger(__name__)
# A poll gives up after five attempts; so many polls in a row may, before a wait does.
_FAILED_POLLS = 4


@dataclasses.dataclass(frozen=True, slots=True)
class Balance:
    """Credits of the account: the subscription's, and those bought in packs."""

    credits: float
    extra_credits: float

    @property
    def total(self) -> float:
        """All that can be spent (bought credits need an active subscription)."""
        return self.credits + self.extra_credits


class MusicAPI:
    """The asyncio client of MusicAPI; an async context manager.

    Without a ledger every submit buys.

    Parameters
    ----------
    key
        The account's key. It is sent to `base_url` only, and shown nowhere.
    base_url
        Host of the service, or of a simulator.
    connect_timeout, reply_timeout
        Seconds to reach the service, and for a whole reply.
    pace
        Seconds between two submits; the service's standard is one create in 3 s.
    speed
        How many times faster than ours the service's clock runs; 1 but for a simulator.
    simulated
        Whether the songs are a simulator's; tasks and cards then say so.
    """

    def __init__(  # noqa: PLR0913 - each is a setting of its own
        self,
        key: str,
        *,
        base_url: str = BASE_URL,
        connect_timeout: float = 10.0,
        reply_timeout: float = 60.0,
        pace: float = 3.0,
        speed: float = 1.0,
        simulated: bool = False,
    ) -> None:
        timeouts = Timeouts(connect_timeout, reply_timeout)
        self._transport = Transport(checked_url(base_url), checked_key(key), timeouts, speed)
        self._pace = Pace(pace / speed)
        self._sending: set[asyncio.Task[Task]] = set()
        self.simulated = simulated

    @property
    def base_url(self) -> str:
        """Where requests go."""
        return self._transport.base_url

    @property
    def speed(self) -> float:
        """How many times faster than ours the service's clock runs."""
        return self._transport.speed

    def __repr__(self) -> str:
        return f"MusicAPI(base_url={self.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Wait for the replies to what was already submitted, then close the connections."""
        if self._sending:
            await asyncio.wait(self._sending)
        await self._transport.close()

    async def submit(self, request: Request, *, progress: Progress | None = None) -> Task:
        """Buy what a request asks for, once; return the task, finished if answered at once.

        It waits for its turn first (see `pace`). From the moment the request leaves, cancelling
        the caller does not cut its reply off: the accepted task still reaches `progress`, or,
        without one, the log.

        Raises
        ------
        InvalidRequest
            It has hard problems; nothing was sent.
        LostReply
            It may have arrived, but its reply did not; it was not sent again.
        MusicAPIError
            The service said no; `may_have_cost` tells whether that is certain.
        """
        call = wire.submit_call(request)
        if call.paid:
            await self._pace.turn()
        sending = asyncio.create_task(self._submit(call, request, progress))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)
        try:
            return await asyncio.shield(sending)
        except asyncio.CancelledError:
            if progress is None:
                sending.add_done_callback(_log_unclaimed)
            raise

    async def _submit(self, call: wire.Call, request: Request, progress: Progress | None) -> Task:
        task = await self._transport.exchange(
            call,
            lambda _, payload: tasks.accepted(payload, request, simulated=self.simulated),
        )
        if progress is not None:
            progress(task)
        return task

    async def poll(self, task: Task | str, *, engine: str | None = None) -> Task:
        """Ask once how a task is doing. Costs nothing.

        Parameters
        ----------
        task
            A task, or the id of one together with its `engine`.

        Raises
        ------
        TaskNotFound
            The service does not know the id.
        """
        known = self._known(task, engine)
        try:
            return await self._transport.exchange(
                wire.poll_call(known.engine, known.id),
                lambda status, payload: tasks.read(payload, status=status, task=known),
            )
        except TaskFailed as error:
            return tasks.failed(known, error.message, refunded=error.refunded)

    def _known(self, task: Task | str, engine: str | None) -> Task:
        if isinstance(task, str):
            return tasks.Task(id=task, engine=engine, simulated=self.simulated)
        return task

    @overload
    async def wait(
        self, task: Task, *, deadline: float = ..., progress: Progress | None = ...
    ) -> Task: ...
    @overload
    async def wait(
        self, task: Iterable[Task], *, deadline: float = ..., progress: Progress | None = ...
    ) -> list[Task]: ...
    async def wait(
        self,
        task: Task | Iterable[Task],
        *,
        deadline: float = 1800.0,
        progress: Progress | None = None,
    ) -> Task | list[Task]:
        """Ask about tasks until every expected song is final.

        Parameters
        ----------
        task
            One task, or many; each is asked about on its own, none holds the others.
        deadline
            Seconds of the service's clock.
        progress
            Called with a task after each reply about it.

        Returns
        -------
        The task; for many, a list in their order. In a list, a task that is not finished at the
        deadline is there as last seen, and one that can't be asked about any more has the state
        "unknown" and the error's words as its `fail_reason`: nothing of the others is lost.

        Raises
        ------
        WaitTimeout
            One task is not finished at the deadline; it goes on, `error.task` is its last state.
        MusicAPIError
            One task can't be asked about.
        """
        if isinstance(task, tasks.Task):
            return await self._wait(task, deadline, progress)
        return list(
            await asyncio.gather(*(self._wait_kept(one, deadline, progress) for one in task))
        )

    async def _wait_kept(self, task: Task, deadline: float, progress: Progress | None) -> Task:
        try:
            return await self._wait(task, deadline, progress)
        except WaitTimeout as error:
            return error.task if isinstance(error.task, tasks.Task) else task
        except MusicAPIError as error:
            return msgspec.structs.replace(task, state="unknown", fail_reason=str(error))

    async def _wait(self, task: Task, deadline: float, progress: Progress | None) -> Task:
        start = time.monotonic()
        failures = 0
        while not task.finished:
            age = (time.monotonic() - start) * self._transport.speed
            if age >= deadline:
                raise WaitTimeout(_unfinished(task, deadline), task=task)
            await self._transport.sleep(min(polling.pause(task.engine, age), deadline - age))
            try:
                task = await self.poll(task)
            except MusicAPIError as error:  # the task goes on while the network is down
                failures += 1
                if failures == _FAILED_POLLS or not is_transient(error):
                    raise
                continue
            failures = 0
            if progress is not None:
                progress(task)
        return task

    async def run(
        self, request: Request, *, deadline: float = 1800.0, progress: Progress | None = None
    ) -> Task:
        """Submit a request and wait for its songs: `submit`, then `wait`."""
        task = await self.submit(request, progress=progress)
        return await self.wait(task, deadline=deadline, progress=progress)

    async def credits(self) -> Balance:
        """Read the balance. Costs nothing.

        Raises
        ------
        UnexpectedReply
            The reply holds no balance.
        """
        return await self._transport.exchange(
            wire.submit_call(account.Credits()), lambda _, payload: _balance(payload)
        )

    async def download(
        self,
        source: Song | str,
        to: Path | str,
        *,
        media: Media = "audio",
        max_bytes: int = 500_000_000,
    ) -> Path:
        """Fetch a file: streamed, checked, and moved into place when it is whole.

        Parameters
        ----------
        source
            A song, or a link.
        to
            The file to write, or an existing folder.
        media
            Which of a song's files, and what the content has to be.
        max_bytes
            A larger file is not kept.

        Raises
        ------
        DownloadFailed
            There is no link, it is dead, or what it sends is no such media or too large.
        """
        url = source if isinstance(source, str) else getattr(source, f"{media}_url")
        if not isinstance(source, str) and media == "audio" and not source.finished:
            raise DownloadFailed("the song is not finished; wait for its task first")
        if not url:
            raise DownloadFailed(f"the song has no {media} link")
        return await fetch(self._transport, url, Path(to), media=media, max_bytes=max_bytes)


def _balance(payload: Any) -> Balance:
    figures = payload if isinstance(payload, dict) else {}
    first, second = figures.get("credits"), figures.get("extra_credits", 0)
    if not isinstance(first, int | float) or not isinstance(second, int | float):
        raise UnexpectedReply("the reply holds no balance", body=payload)
    return Balance(first, second)


def _unfinished(task: Task, deadline: float) -> str:
    ready = sum(song.finished for song in task.songs)
    share = f", {ready} of {task.expected} songs ready" if task.expected else ""
    return f"task {task.id} is not finished after {deadline:g} s ({task.state}{share})"


def _log_unclaimed(sending: asyncio.Task[Task]) -> None:
    """Tell of a paid task whose caller was cancelled while its request was under way."""
    if sending.cancelled():
        return
    if (error := sending.exception()) is not None:
        _log.warning("A submit whose caller was cancelled ended in: %s", error)
    else:
        task = sending.result()
        _log.warning("Accepted after its caller was cancelled: %s task %s", task.engine, task.id)
