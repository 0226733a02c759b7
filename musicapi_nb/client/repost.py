"""Asks again for what the service called "not ready": by the same request, which may be charged."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from musicapi_nb import tasks, wire
from musicapi_nb.engines import Request
from musicapi_nb.errors import TaskFailed, UnexpectedReply
from musicapi_nb.tasks import Task

if TYPE_CHECKING:
    from musicapi_nb.client.purchasing import PurchaseCoordinator
    from musicapi_nb.client.transport import Transport


class SubmitInTurn(Protocol):
    """Sends when it is its turn; from then on nothing cuts the reply off."""

    async def __call__(
        self, send: Callable[[], Coroutine[Any, Any, Task]], request: Request, /
    ) -> Task: ...


async def repost(
    task: Task,
    request: Request,
    transport: Transport,
    purchases: PurchaseCoordinator | None,
    in_turn: SubmitInTurn,
) -> Task:
    """Send a request anew whose last reply said "not ready"; it is tried again while it never left.

    With a ledger it is in there before it leaves. What the reply makes of the task is returned.

    Raises
    ------
    LostReply
        The reply did not come: it is not sent again.
    MusicAPIError
        The service said no, or something that nobody knows (`may_have_cost`).
    """
    call = wire.submit_call(request)

    def answer(status: int, payload: Any) -> Task:
        try:
            found = tasks.parse_task(payload, status=status, task=task)
        except UnexpectedReply as error:
            error.may_have_cost = True
            raise
        if found.state == "unknown":
            words = "the reply says neither that it is ready nor that it is not"
            raise UnexpectedReply(words, body=payload, may_have_cost=True)
        return found

    async def post() -> Task:
        try:
            return await transport.send(call, answer)
        except TaskFailed as error:
            return tasks.mark_failed(task, error.message, refunded=error.refunded)

    async def send() -> Task:
        return await (purchases.repost(task, request, post) if purchases else post())

    return await transport.with_retries(lambda: in_turn(send, request), paid=True)
