"""MusicAPI: ask for songs, wait for them, fetch them. Plain asyncio."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, overload

from musicapi_nb import tasks, wire
from musicapi_nb.client.archive import MediaArchiver
from musicapi_nb.client.balance import read_balance
from musicapi_nb.client.callbacks import log_abandoned_task, log_orphaned_request, notify
from musicapi_nb.client.download import fetch
from musicapi_nb.client.poller import Poller
from musicapi_nb.client.purchasing import PurchaseCoordinator, PurchaseTerms, TakenMeanwhile
from musicapi_nb.client.rate_limit import RateLimiter
from musicapi_nb.client.repost import repost
from musicapi_nb.client.transport import (
    BASE_URL,
    Timeouts,
    Transport,
    checked_key,
    checked_number,
    checked_url,
)
from musicapi_nb.client.webhook_fields import webhook_fields, webhook_target
from musicapi_nb.engines import Request, account
from musicapi_nb.errors import (
    ClientClosed,
    DownloadFailed,
    MusicAPIError,
    RateLimited,
    TaskFailed,
    TaskNotFound,
)
from musicapi_nb.tasks import Song, Task

if TYPE_CHECKING:
    from musicapi_nb import polling
    from musicapi_nb.client.balance import Balance
    from musicapi_nb.client.callbacks import ProgressCallback
    from musicapi_nb.client.download import Media
    from musicapi_nb.client.purchasing import Entry, Ledger

# With a ledger, what was refused for its number is asked again, so many times, after this pause
# (seconds of the service's clock) where the reply names none.
_TOO_MANY, _REFUSALS, _REFUSED_PAUSE = 429, 8, 3.0
_log = logging.getLogger(__name__)


class MusicAPI:
    """The asyncio client of MusicAPI; an async context manager.

    Without a ledger every submit buys; with one, each take is bought once.

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
    ledger
        Where purchases are written down before they leave: a `library.Library`.
    budgets
        Names of the ledger's budgets that have to cover every purchase.
    webhook
        Address that the service calls when a song can be streamed, is done or failed: https, of
        at most 960 characters. With a ledger it carries which purchase it is about, so that a
        lost reply is recovered (see `webhooks.app`).
    webhook_secret
        What webhooks are signed with, of 16 characters or more. It is sent to the service with
        each request, and shown and kept nowhere.
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
        ledger: Ledger | None = None,
        budgets: Sequence[str] = (),
        webhook: str | None = None,
        webhook_secret: str | None = None,
    ) -> None:
        timeouts = Timeouts(
            checked_number("connect_timeout", connect_timeout),
            checked_number("reply_timeout", reply_timeout),
        )
        speed = checked_number("speed", speed)
        url = checked_url(base_url)
        self._hook = webhook_target(webhook, webhook_secret, local=url.startswith("http:"))
        secret = checked_key(key, self._hook.secret if self._hook else None)
        self._transport = Transport(url, secret, timeouts, speed)
        self._pace = RateLimiter(checked_number("pace", pace, zero=True) / speed)
        self._sending: dict[asyncio.Task[Task], asyncio.AbstractEventLoop] = {}
        self._closing = False
        self.simulated = simulated
        self.budgets = tuple(budgets)
        self._purchases = (
            PurchaseCoordinator(
                ledger,
                self.budgets,
                simulated=simulated,
                pace=self.base_url,
                since=lambda task, ago: self._waiting.accepted(task, ago * self.speed),
            )
            if ledger
            else None
        )
        # With webhooks, somebody else may hear first of a task's end: it is in the ledger then.
        told = self._purchases.settled_elsewhere if self._purchases and self._hook else None
        self._waiting = Poller(self._transport, self.poll, self._looked, self._past, told)

    @property
    def base_url(self) -> str:
        """Where requests go."""
        return self._transport.base_url

    @property
    def speed(self) -> float:
        """How many times faster than ours the service's clock runs."""
        return self._transport.speed

    @property
    def pace(self) -> float:
        """Seconds of the service's clock between two submits."""
        return self._pace.interval * self.speed

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
        """Wait for the replies to what was already submitted, then close the connections.

        What waits for its turn to be submitted is not sent any more.
        """
        self._closing = True
        try:
            while self._sending:
                sending, loop = next(iter(self._sending.items()))
                await _ended(sending, loop)
                self._sending.pop(sending, None)
        finally:
            await self._transport.close()

    async def submit(  # noqa: PLR0913 - what is bought, for whom, and who is told
        self,
        request: Request,
        *,
        take: int = 1,
        budgets: Sequence[str] = (),
        experiment: str | None = None,
        retry_failed: bool = True,
        progress: ProgressCallback | None = None,
    ) -> Task:
        """Buy what a request asks for, once; return the task, finished if answered at once.

        It waits for its turn first (see `pace`). From the moment the request leaves, cancelling
        the caller does not cut its reply off: the accepted task still reaches `progress`, or,
        without one, the log.

        Parameters
        ----------
        take
            With a ledger, a take is bought once: asked for again, in this kernel or in another,
            its task comes from the ledger and costs nothing. Another take buys another song.
        budgets, experiment
            Budgets of the ledger that have to cover it besides the client's own, and the name
            of the experiment that it is a cell of.
        again
            With a ledger, whether what failed or was refused before is bought anew; else its
            task comes from the ledger as well, and nothing is paid.

        Raises
        ------
        InvalidRequest
            It has hard problems; nothing was sent.
        UncertainPurchase
            The ledger cannot tell whether this take was bought; nothing was sent.
        LostReply
            It may have arrived, but its reply did not; it was not sent again.
        MusicAPIError
            The service said no; `may_have_cost` tells whether that is certain.
        """
        call = wire.submit_call(request)
        purchases = self._purchases if call.paid else None
        terms = PurchaseTerms(take, tuple(budgets), experiment, retry_failed)

        async def post(entry: Entry | None = None) -> Task:
            return await self._transport.send(
                call.with_fields(webhook_fields(self._hook, request, entry)),
                lambda status, payload: tasks.parse_submit_reply(
                    payload, request, status=status, take=take, simulated=self.simulated
                ),
            )

        async def send() -> Task:
            if purchases is None:
                task = await post()
            else:
                task = await purchases.buy(request, terms, post)
            self._waiting.accepted(task)
            notify(progress, task)
            return task

        refusals = 0
        while True:
            # Retried here, not in what is shielded: a pause after a refused connection can be
            # cancelled, and then nothing is bought.
            try:
                return await self._transport.with_retries(
                    lambda: self._in_turn(call, send, request, terms, progress), paid=call.paid
                )
            except TakenMeanwhile as taken:
                if purchases and (known := await purchases.find(request, terms, taken.entry)):
                    notify(progress, known)
                    return known
            except RateLimited as error:  # refused, and written down as that: nothing was bought
                refusals += 1
                if purchases is None or error.status != _TOO_MANY or refusals > _REFUSALS:
                    raise
                await purchases.throttle(self._pause(error))

    async def _in_turn(
        self,
        call: wire.Call,
        send: Callable[[], Coroutine[Any, Any, Task]],
        request: Request,
        terms: PurchaseTerms,
        progress: ProgressCallback | None,
    ) -> Task:
        self._check_open()
        if call.paid:
            if self._purchases:
                known = await self._purchases.wait_for_slot(request, terms, self._pace.interval)
                if known is not None:
                    notify(progress, known)
                    return known
            else:
                await self._pace.acquire()
            self._check_open()
        return await self._uncut(send, request, progress)

    async def _uncut(
        self,
        send: Callable[[], Coroutine[Any, Any, Task]],
        request: Request,
        progress: ProgressCallback | None,
    ) -> Task:
        """Send; from here on, cancelling the caller does not cut the reply off."""
        sending = asyncio.create_task(send())
        self._sending[sending] = asyncio.get_running_loop()
        sending.add_done_callback(lambda sent: self._sending.pop(sent, None))
        try:
            return await asyncio.shield(sending)
        except asyncio.CancelledError:
            sending.add_done_callback(lambda sent: log_orphaned_request(sent, request, progress))
            raise

    def _pause(self, error: RateLimited) -> float:
        """Our seconds to pause after a 429."""
        told = error.retry_after
        return _REFUSED_PAUSE / self.speed if told is None else told

    def _check_open(self) -> None:
        if self._closing:
            raise ClientClosed("the client is closed")

    async def poll(self, task: Task | str, *, engine: str | None = None) -> Task:
        """Ask once how a task is doing. Costs nothing, but for what `Task.poll_by_repost`.

        Of a batch, each of its tasks is asked about. What the service lets one ask for again until
        it is there (`Task.poll_by_repost`) is asked for again: by the same request, which waits
        for its turn. With a ledger it is in there before it leaves, is sent by one at a time, and
        not again once a reply to it was lost; without one, each call of this asks anew. Whether
        such a repeat is charged is not known.

        Parameters
        ----------
        task
            A task, or the id of one together with its `engine`.

        Returns
        -------
        The task as the service describes it now: also when it failed.

        Raises
        ------
        TaskNotFound
            The service does not know the id.
        LostReply, UncertainPurchase
            Of what is asked for again: the reply was lost, now or before.
        """
        known = self._known(task, engine)
        if known.parts:
            polls = (self._poll_part(part, known) for part in known.parts)
            return tasks.update_parts(known, await asyncio.gather(*polls))
        if known.poll_by_repost and known.request is not None:
            if known.finished:
                return known
            try:
                return await repost(
                    known, known.request, self._transport, self._purchases, self._in_turn_again
                )
            except RateLimited as error:
                if self._purchases:
                    await self._purchases.throttle(self._pause(error))
                raise
        try:
            return await self._transport.exchange(
                wire.poll_call(known.engine, known.id),
                lambda status, payload: tasks.parse_task(payload, status=status, task=known),
            )
        except TaskFailed as error:
            return tasks.mark_failed(known, error.message, refunded=error.refunded)

    async def _poll_part(self, part: Task, batch: Task) -> Task:
        if part.id is None or (part.finished and not batch.finished):
            return part
        try:
            found = await self.poll(part)
        except TaskNotFound as error:  # nothing of the others is lost
            found = tasks.mark_failed(part, error.message)
        if found.raw is not part.raw:
            return found
        # told by a status: said in a reply's own words, so that the batch's says it as well
        said = {"type": "failed", "message": found.fail_reason, "refund_processed": found.refunded}
        return tasks.parse_task(said, task=part)

    async def _in_turn_again(
        self, send: Callable[[], Coroutine[Any, Any, Task]], request: Request
    ) -> Task:
        self._check_open()
        if self._purchases:
            await self._purchases.wait_in_queue(self._pace.interval)
        else:
            await self._pace.acquire()
        self._check_open()
        return await self._uncut(send, request, None)

    def _known(self, task: Task | str, engine: str | None) -> Task:
        if isinstance(task, str):
            return tasks.Task(id=task, engine=engine, simulated=self.simulated)
        return task

    @overload
    async def wait(
        self, task: Task, *, deadline: float = ..., progress: ProgressCallback | None = ...
    ) -> Task: ...
    @overload
    async def wait(
        self,
        task: Iterable[Task],
        *,
        deadline: float = ...,
        progress: ProgressCallback | None = ...,
    ) -> list[Task]: ...
    async def wait(
        self,
        task: Task | Iterable[Task],
        *,
        deadline: float = 1800.0,
        progress: ProgressCallback | None = None,
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
            (waited,) = await self._waiting.wait([task], deadline, progress)
            if waited.error is not None:
                raise waited.error
            return waited.task
        found = await self._waiting.wait(task, deadline, progress)
        return [waited.as_seen() for waited in found]

    def eta(self, what: Task | Request) -> polling.Eta:
        """How many seconds of the service's clock a task still takes, as far as is known.

        Parameters
        ----------
        what
            A task that this client has seen accepted, or a request that is to be submitted.

        Returns
        -------
        A range, and what it is based on: tasks of this kind that this client waited for, and,
        with a library, those of the past; else what the service's docs say.
        """
        return self._waiting.eta(what)

    async def resume(
        self, *, deadline: float = 1800.0, progress: ProgressCallback | None = None
    ) -> list[Task]:
        """Wait for every task that the ledger knows as accepted, also those of earlier kernels.

        Without a ledger there is none. See `wait` for what a list may hold.
        """
        found = self._purchases.unfinished() if self._purchases else []
        ended = await self.wait(found, deadline=deadline, progress=progress)
        await asyncio.gather(*(self._keep(task) for task in ended))
        return ended

    async def _looked(self, task: Task) -> None:
        if self._purchases:
            await self._purchases.record_poll(task)

    def _past(self, engine: str, operation: str) -> Sequence[tuple[str | None, float, float]]:
        # The ledger's times are ours: of an earlier simulator nobody knows how fast it ran.
        if self._purchases is None or self.speed != 1:
            return ()
        try:
            return self._purchases.past_render_times(engine, operation)
        except MusicAPIError as error:  # what was paid for is waited for all the same
            _log.warning("Nothing is learned from the library's past: %s", error)
            return ()

    async def _keep(self, task: Task) -> None:
        if self._purchases:
            await MediaArchiver(self._transport, self._purchases.shelf, self.poll).archive(task)

    async def run(  # noqa: PLR0913 - what `submit` and `wait` take
        self,
        request: Request,
        *,
        take: int = 1,
        budgets: Sequence[str] = (),
        experiment: str | None = None,
        retry_failed: bool = True,
        deadline: float = 1800.0,
        progress: ProgressCallback | None = None,
    ) -> Task:
        """Submit a request and wait for its songs: `submit`, then `wait`.

        With a ledger, the songs' audio and covers are fetched into its library before it returns.
        """
        task = await self.submit(
            request,
            take=take,
            budgets=budgets,
            experiment=experiment,
            retry_failed=retry_failed,
            progress=progress,
        )
        try:
            task = await self.wait(task, deadline=deadline, progress=progress)
        except asyncio.CancelledError:
            if progress is None:  # nobody else knows of the task
                log_abandoned_task(task)
            raise
        await self._keep(task)
        return task

    async def credits(self) -> Balance:
        """Read the balance. Costs nothing.

        Raises
        ------
        UnexpectedReply
            The reply holds no balance.
        """
        return await self._transport.exchange(
            wire.submit_call(account.Credits()), lambda _, payload: read_balance(payload)
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


async def _ended(sending: asyncio.Task[Task], loop: asyncio.AbstractEventLoop) -> None:
    """Wait, from any loop, until a request of `loop` has its reply or its error."""
    if loop is asyncio.get_running_loop():
        await asyncio.wait([sending])
    elif loop.is_running():

        async def over() -> None:
            await asyncio.wait([sending])

        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(over(), loop))
