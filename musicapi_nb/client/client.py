"""MusicAPI: the asyncio client. It submits requests, waits for songs and downloads files."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self, overload

from musicapi_nb import polling, tasks, wire
from musicapi_nb.client.balance import Balance, parse_balance
from musicapi_nb.client.callbacks import ProgressCallback, log_abandoned_task, notify
from musicapi_nb.client.download import copy_stored, fetch
from musicapi_nb.client.in_flight import InFlight
from musicapi_nb.client.ledger_tasks import LedgerTasks
from musicapi_nb.client.network import Certificates, Network, parse_network
from musicapi_nb.client.poller import Poller
from musicapi_nb.client.purchasing import Order, PurchaseCoordinator, Purchaser
from musicapi_nb.client.rate_limit import LocalRateLimiter, SharedRateLimiter
from musicapi_nb.client.repost import repost_once
from musicapi_nb.client.retry import RetryPolicy
from musicapi_nb.client.shortfall import name_shortfall
from musicapi_nb.client.transport import (
    BASE_URL,
    Timeouts,
    Transport,
    parse_base_url,
    parse_key,
    parse_number,
)
from musicapi_nb.client.webhook_fields import webhook_fields, webhook_target
from musicapi_nb.engines import Request, account
from musicapi_nb.engines.values import number_of_seconds, plain_value, whole_number
from musicapi_nb.errors import TaskFailed, TaskNotFound
from musicapi_nb.ledger_types import Entry, Ledger, Media, PurchaseTerms
from musicapi_nb.secret import Secret, as_secret
from musicapi_nb.tasks import Song, Task, task_list


class MusicAPI(LedgerTasks):
    """The asyncio client of MusicAPI; an async context manager.

    Without a ledger every submit buys; with one, each take is bought once.

    Parameters
    ----------
    key
        The account's API key. It is sent to `base_url` only and appears in no repr or error.
    base_url
        Host of the service, or of a simulator.
    connect_timeout, reply_timeout
        Seconds to connect, and for a whole reply.
    pace
        Seconds between two submits; the service's limit is one create in 3 s.
    speed
        How many times faster than real time the service's clock runs; above 1 only for a simulator.
    simulated
        Whether `base_url` is a simulator; tasks and cards then say so.
    ledger
        Where purchases are recorded before they are sent: a `library.Library`.
    budgets
        Names of the ledger's budgets that have to cover every purchase.
    webhook
        https URL that the service calls when a song can be streamed, is done or failed; at most
        960 characters. With a ledger, it recovers purchases whose reply was lost: `webhooks.app`.
    webhook_secret
        Signs webhooks; 16 characters or more. It is sent with each request and shown nowhere.
    proxy, ssl
        As in `connect`; by default HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE count.
    """

    def __init__(  # noqa: PLR0913 - independent settings
        self,
        key: str | Secret,
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
        webhook_secret: str | Secret | None = None,
        proxy: str | None = None,
        ssl: Certificates | None = None,
    ) -> None:
        key = as_secret(key)
        webhook_secret = None if webhook_secret is None else as_secret(webhook_secret)
        connect = parse_number("connect_timeout", connect_timeout)
        timeouts = Timeouts(connect, parse_number("reply_timeout", reply_timeout))
        retry = RetryPolicy(parse_number("speed", speed))
        url = parse_base_url(base_url)
        self._webhook = webhook_target(webhook, webhook_secret, local=url.startswith("http:"))
        secret = parse_key(key, self._webhook.secret if self._webhook else None)
        self.network: Network = parse_network(proxy, ssl)
        self._transport = Transport(url, secret, timeouts, retry, self.network, simulated=simulated)
        self._interval = parse_number("pace", pace, zero=True) / speed
        self._in_flight = InFlight()
        self.ledger = ledger
        self.simulated = simulated
        self.budgets: tuple[str, ...] = tuple(budgets)
        self._coordinator: PurchaseCoordinator | None = None
        if ledger is None:
            limiter = LocalRateLimiter(self._interval)
            self._purchaser = Purchaser(limiter, retry, self._in_flight, self._record_acceptance)
        else:
            shared = SharedRateLimiter(ledger, url, self._interval)
            self._purchaser = self._coordinator = PurchaseCoordinator(
                ledger, shared, retry, self._in_flight, self._record_acceptance, simulated=simulated
            )
        self._poller = Poller(
            self._transport, self.poll, self._coordinator, watch_ledger=self._webhook is not None
        )

    @property
    def base_url(self) -> str:
        """Host that requests are sent to."""
        return self._transport.base_url

    @property
    def speed(self) -> float:
        """How many times faster than real time the service's clock runs."""
        return self._transport.speed

    @property
    def pace(self) -> float:
        """Seconds of the service's clock between two submits."""
        return self._interval * self.speed

    def pause_notice(self) -> str:
        """Return until when nothing is bought after a 429, in words; "" without such a pause."""
        return self._coordinator.pause_notice() if self._coordinator else ""

    def __repr__(self) -> str:
        transport = getattr(self, "_transport", None)  # missing if __init__ failed
        return f"MusicAPI(base_url={transport and transport.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Wait for the replies to submitted requests, then close the connections.

        Requests that still wait for their slot are not sent.
        """
        try:
            await self._in_flight.close(sum(self._transport.timeouts))
            if self._coordinator is not None:
                await self._coordinator.close()
        finally:
            await self._transport.close()

    # --- submit ----------------------------------------------------------------------------

    async def submit(  # noqa: PLR0913 - the terms of a purchase
        self,
        request: Request,
        *,
        take: int = 1,
        budgets: Sequence[str] = (),
        experiment: str | None = None,
        retry_failed: bool = True,
        progress: ProgressCallback | None = None,
    ) -> Task:
        """Buy a request, once; return its task, already finished if the reply has the result.

        It waits for a slot first (see `pace`). Once the request is sent, cancelling the caller
        loses no reply: the accepted task still reaches `progress`, or else the log.

        Parameters
        ----------
        take
            With a ledger, a take is bought once: bought before, it comes from there for nothing.
        budgets, experiment
            Further budgets of the ledger that have to cover the price, and the experiment whose
            plan cell this is.
        retry_failed
            With a ledger, whether to buy again what was refused before, or failed and was refunded.
            Otherwise its failed task is returned and nothing is paid.

        Raises
        ------
        InvalidRequest
            The request has errors. Nothing was sent.
        UncertainPurchase
            The ledger cannot tell whether this take was bought. Nothing was sent.
        LostReply
            The request may have arrived, but not its reply. It was not sent again.
        MusicAPIError
            The service refused it; `may_have_cost` says whether that is certain.
        """
        call, take = wire.submit_call(request), whole_number(take, 1) or plain_value(take)
        terms = PurchaseTerms(
            take=take,
            budgets=(*self.budgets, *budgets),
            experiment=experiment,
            retry_failed=retry_failed,
            simulated=self.simulated,
        )
        post = functools.partial(self._post, call, request, take)
        if call.paid:
            async with name_shortfall(request, self.credits):
                return await self._purchaser.buy(Order(request, terms, post, progress))
        self._in_flight.check_open()
        task = await self._transport.retry.call(post)
        self._record_acceptance(task)
        notify(progress, task)
        return task

    async def _post(
        self, call: wire.Call, request: Request, take: int, entry: Entry | None = None
    ) -> Task:
        """Send a submit once; `entry` is the purchase that a webhook is to name."""
        return await self._transport.send(
            call.with_fields(webhook_fields(self._webhook, request, entry)),
            lambda status, payload: tasks.parse_submit_reply(
                payload, request, status=status, take=take, simulated=self.simulated
            ),
        )

    def _record_acceptance(self, task: Task, seconds_ago: float = 0.0) -> None:
        self._poller.record_acceptance(task, seconds_ago * self.speed)

    # --- poll and wait ---------------------------------------------------------------------

    async def poll(self, task: Task | str, *, engine: str | None = None) -> Task:
        """Ask once for the state of a task. Free, except for reposts (see below).

        `task` can be an id, together with its `engine`. The parts of a batch are polled one by one.
        A task that failed is returned, not raised.

        Some operations have no task to poll (`Task.poll_by_repost`): their request is sent again,
        when a slot is free. With a ledger, a repost is recorded beforehand, made by one process at
        a time, and never made after a lost reply. It is unknown whether reposts are charged.

        Raises
        ------
        TaskNotFound
            The service does not know the id.
        LostReply, UncertainPurchase
            The reply to a repost was lost, now or before.
        """
        if isinstance(task, str):
            task = Task(id=task, engine=engine, simulated=self.simulated)
        (task,) = task_list([task])
        if task.parts:
            polls = (self._poll_part(part, task) for part in task.parts)
            return tasks.update_parts(task, await asyncio.gather(*polls))
        if task.poll_by_repost and task.request is not None:
            if task.finished:
                return task
            call = wire.submit_call(task.request)
            post = functools.partial(repost_once, self._transport, task, call)
            return await self._purchaser.repost(task, post)
        try:
            return await self._transport.exchange(
                wire.poll_call(task.engine, task.id),
                lambda status, payload: tasks.parse_task(payload, status=status, task=task),
            )
        except TaskFailed as error:
            return tasks.mark_failed(task, error.message, refunded=error.refunded)

    async def _poll_part(self, part: Task, batch: Task) -> Task:
        if part.id is None or (part.finished and not batch.finished):
            return part
        try:
            latest = await self.poll(part)
        except TaskNotFound as error:  # the other parts are not lost
            latest = tasks.mark_failed(part, error.message)
        if latest.raw is not part.raw:
            return latest
        # The status said that it failed. As a payload, it is part of the batch's raw reply.
        reason, refunded = latest.fail_reason, latest.refunded
        payload = {"type": "failed", "message": reason, "refund_processed": refunded}
        return tasks.parse_task(payload, task=part)

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
        """Poll tasks until every expected song is final.

        Parameters
        ----------
        task
            One task, or many.
        deadline
            Seconds of the service's clock. Unfinished tasks are polled once more at that time,
            which takes at most 10 s; with 0, nothing is polled.
        progress
            Called with a task after each reply about it.

        Returns
        -------
        The task; for many, a list in their order. In a list, a task that is unfinished at the
        deadline is returned as last polled, and one that cannot be polled has the state "unknown"
        and the error's message as its `fail_reason`.

        Raises
        ------
        WaitTimeout
            A single task is not finished at the deadline. It continues; `error.task` is its state.
        MusicAPIError
            A single task cannot be polled.
        """
        if isinstance(task, Task):
            (polled,) = await self._poller.wait([task], deadline, progress)
            if polled.error is not None:
                raise polled.error
            return polled.task
        return [polled.outcome() for polled in await self._poller.wait(task, deadline, progress)]

    def eta(self, task: Task | Request) -> polling.Eta:
        """Estimate the seconds of the service's clock until a task finishes.

        `task` is one that this client has seen accepted, or a request. Returns a range and its
        basis: past tasks of this kind, here or in the library, or the service's documentation.
        """
        return self._poller.eta(task)

    async def run(  # noqa: PLR0913 - as `submit` and `wait`
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

        With a ledger, audio and covers of the songs are downloaded into its library as well.
        """
        deadline = number_of_seconds("deadline", deadline)  # before anything is bought
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
            if progress is None:  # nobody else has the task
                log_abandoned_task(task)
            raise
        await self._archive(task)
        return task

    async def credits(self) -> Balance:
        """Return the balance of the account, or raise `UnexpectedReply`. Costs nothing."""
        call = wire.submit_call(account.Credits())
        return await self._transport.exchange(call, lambda _, payload: parse_balance(payload))

    async def download(
        self,
        source: Song | str,
        to: Path | str,
        *,
        media: Media = "audio",
        max_bytes: int = 500_000_000,
    ) -> Path:
        """Copy a song's file from the library, else download it; a folder gets "Tin Roof.mp3".

        Parameters
        ----------
        source, media
            A song or a URL; which of a song's files, and what its content has to be.
        to
            The file to write, or a folder: one that exists, or a text that ends in a slash.
        max_bytes
            Larger files are refused.

        Raises
        ------
        DownloadFailed
            There is no link, it has expired, or the content is of another kind or too large.
        """
        copy = await copy_stored(self.ledger, source, to, media)
        return copy or await fetch(self._transport, source, to, media=media, max_bytes=max_bytes)
