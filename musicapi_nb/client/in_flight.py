"""Paid requests under way: their replies are received even if their callers are cancelled."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Coroutine
from typing import Any, TypeVar

from musicapi_nb.client.callbacks import ProgressCallback, log_orphaned_request
from musicapi_nb.errors import ClientClosed
from musicapi_nb.ledger_types import Claim
from musicapi_nb.tasks import Task

NOTICE_AFTER = 1.0
"""Seconds that `close` waits in silence."""
_Result = TypeVar("_Result", Task, Claim)
_log = logging.getLogger(__name__)


class InFlight:
    """The paid requests that a client has sent and not yet received a reply to."""

    def __init__(self) -> None:
        self.tasks: dict[asyncio.Task[Any], asyncio.AbstractEventLoop] = {}
        self._closing = False
        self._process = os.getpid()

    def check_open(self) -> None:
        if self._closing:
            raise ClientClosed("the client is closed")

    async def shield(
        self,
        sending: Coroutine[Any, Any, _Result],
        operation: str,
        progress: ProgressCallback | None = None,
    ) -> _Result:
        """Run a coroutine that sends a request to its end, even if the caller is cancelled.

        The outcome is then logged under the name of the `operation`, unless `progress` receives
        the task.
        """
        task = asyncio.create_task(sending)
        self.tasks[task] = asyncio.get_running_loop()
        task.add_done_callback(lambda done: self.tasks.pop(done, None))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(lambda done: log_orphaned_request(done, operation, progress))
            raise

    async def close(self, longest: float) -> None:
        """Wait for all replies. From now on `check_open` raises.

        A reply that takes longer than a second is logged as what is waited for; `longest` is the
        maximum wait for a reply in seconds.
        """
        self._closing = True
        if self._process != os.getpid():  # a fork: they are its parent's
            self.tasks.clear()
        notice = asyncio.get_running_loop().call_later(NOTICE_AFTER, self._log_wait, longest)
        try:
            await self._wait_for_all()
        finally:
            notice.cancel()

    def _log_wait(self, longest: float) -> None:
        _log.warning(
            "Waiting up to %.0f s for the reply to a paid request. Ctrl-C stops waiting: the "
            "request may have cost credits, and a library lists it as uncertain.",
            max(0.0, longest - NOTICE_AFTER),
        )

    async def _wait_for_all(self) -> None:
        while self.tasks:
            task, loop = next(iter(self.tasks.items()))
            if loop is asyncio.get_running_loop():
                await asyncio.wait([task])
            elif loop.is_running():  # a stopped loop is not waited for
                ended = asyncio.run_coroutine_threadsafe(_wait(task), loop)
                await asyncio.wrap_future(ended)
            self.tasks.pop(task, None)


async def _wait(task: asyncio.Task[Any]) -> None:
    await asyncio.wait([task])
