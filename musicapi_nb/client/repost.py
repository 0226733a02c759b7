"""Reposts: the same request once more, after the service answered "not ready"."""

from __future__ import annotations

from typing import Any

from musicapi_nb import tasks, wire
from musicapi_nb.client.transport import Transport
from musicapi_nb.errors import TaskFailed, UnexpectedReply
from musicapi_nb.tasks import Task


async def repost_once(transport: Transport, task: Task, call: wire.Call) -> Task:
    """Send the request of a task again, once; return the task's new state.

    A reply that does not say whether the result is ready is an `UnexpectedReply` that may have
    cost: only an explicit "not ready" permits another repost.
    """

    def parse(status: int, payload: Any) -> Task:
        try:
            latest = tasks.parse_task(payload, status=status, task=task)
        except UnexpectedReply as error:
            error.may_have_cost = True
            raise
        if latest.state == "unknown":
            message = "the reply does not say whether the result is ready"
            raise UnexpectedReply(message, body=payload, may_have_cost=True)
        return latest

    try:
        return await transport.send(call, parse)
    except TaskFailed as error:
        return tasks.mark_failed(task, error.message, refunded=error.refunded)
