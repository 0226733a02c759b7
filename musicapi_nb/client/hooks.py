"""Hooks: functions of the user that are called when a request has ended."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from musicapi_nb.engines import Request
from musicapi_nb.errors import InvalidArgument, MusicAPIError, OverBudget, TaskFailed
from musicapi_nb.tasks import Task

OnTask: TypeAlias = Callable[[Task], object]
OnFailure: TypeAlias = Callable[[Request, MusicAPIError], object]
OnBudget: TypeAlias = Callable[[str], object]
_log = logging.getLogger(__name__)


class Hooks:
    """Functions, or coroutine functions, that are called on the client's loop.

    The outcome is in the ledger before, so a hook can lose nothing: its errors are logged, the
    first of each hook with a traceback. A coroutine function holds up the end of its own request
    only; a function that blocks holds up the loop.

    Parameters
    ----------
    on_task
        Called with each finished task that has a song.
    on_failure
        Called with a request and its error; a task that failed is a `TaskFailed`.
    on_budget
        Called with a sentence when a budget or spend limit does not cover what comes next.

    Raises
    ------
    InvalidArgument
        A hook is not callable.
    """

    def __init__(
        self,
        on_task: OnTask | None = None,
        on_failure: OnFailure | None = None,
        on_budget: OnBudget | None = None,
    ) -> None:
        self._hooks: dict[str, Callable[..., object] | None]
        self._hooks = {"on_task": on_task, "on_failure": on_failure, "on_budget": on_budget}
        self._failed: set[str] = set()
        for name, hook in self._hooks.items():
            if hook is not None and not callable(hook):
                raise InvalidArgument(f"{name} must be a function, not {hook!r:.40}")

    def __bool__(self) -> bool:
        """Whether there is any hook."""
        return any(hook is not None for hook in self._hooks.values())

    async def follow(self, request: Request, run: Awaitable[Task]) -> Task:
        """Wait for the task of a request, and call the hooks about its end."""
        try:
            task = await run
        except MusicAPIError as error:
            await self.report_error(request, error)
            raise
        await self.report_task(request, task)
        return task

    async def report_task(self, request: Request, task: Task) -> None:
        """Call `on_task`, or `on_failure` if the task failed."""
        if task.state == "failed":
            reason = task.fail_reason or "the service gave no reason"
            error = TaskFailed(f"task {task.id} failed: {reason}", refunded=task.refunded)
            await self._call("on_failure", request, error)
        else:
            await self._call("on_task", task)

    async def report_error(self, request: Request, error: MusicAPIError) -> None:
        """Call `on_budget` if a budget does not cover the request, else `on_failure`."""
        if isinstance(error, OverBudget):
            await self.report_budget(error.message)
        else:
            await self._call("on_failure", request, error)

    async def report_budget(self, message: str) -> None:
        await self._call("on_budget", message)

    async def _call(self, name: str, *arguments: Any) -> None:
        if (hook := self._hooks[name]) is None:
            return
        try:
            result = hook(*arguments)
            if inspect.isawaitable(result):
                await result
        # SystemExit would end the loop, and with it the wait for songs that are paid for.
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the hook is the user's
            _log.error("The hook %s failed: %r", name, error, exc_info=name not in self._failed)
            self._failed.add(name)
