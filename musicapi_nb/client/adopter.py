"""Adopts tasks that were bought elsewhere: asks the service for them, and downloads their files."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from musicapi_nb.errors import InvalidRequest, TaskNotFound, UnexpectedReply
from musicapi_nb.ledger_types import Adoption, AdoptionIssue, Ledger
from musicapi_nb.tasks import Task

if TYPE_CHECKING:
    from musicapi_nb.frames.task_ids import TaskId

_CHUNK = 32  # polls at a time, and tasks of one transaction


@dataclasses.dataclass(frozen=True, slots=True)
class Adopter:
    """Takes over tasks into a ledger by free requests alone; `poll` is `MusicAPI.poll`."""

    ledger: Ledger
    poll: Callable[..., Awaitable[Task]]
    simulated: bool

    async def adopt(self, source: Any, engine: str | None) -> Adoption:
        """Adopt replies, and the tasks of ids as the service reports them now."""
        from musicapi_nb.frames.task_ids import split_task_ids  # noqa: PLC0415 - loads pandas

        ids, replies = split_task_ids(source, engine)
        adoption = Adoption()
        if replies:
            adoption += await self._adopt(replies)
        entries = await asyncio.to_thread(self._entries_of, ids)
        adoption += Adoption(entries=tuple(entries.values()), unchanged=len(entries))
        ids = [task_id for task_id in ids if task_id not in entries]
        for start in range(0, len(ids), _CHUNK):
            adoption += await self._adopt_ids(ids[start : start + _CHUNK])
        return adoption

    def _entries_of(self, ids: Sequence[TaskId]) -> dict[TaskId, int]:
        """Return the entries of tasks that the ledger has, but for unfinished adopted ones."""
        entries = self.ledger.entries_by_task([task.id for task in ids], simulated=self.simulated)
        complete = {
            (entry.engine, entry.task_id): entry.id
            for entry in entries
            if not entry.adopted or entry.state != "accepted"
        }
        return {task: complete[task] for task in ids if task in complete}

    async def _adopt(self, replies: Sequence[Any]) -> Adoption:
        adoption: Adoption = await asyncio.to_thread(
            self.ledger.adopt, replies, simulated=self.simulated
        )
        return adoption

    async def _adopt_ids(self, ids: Iterable[TaskId]) -> Adoption:
        """Poll tasks, and adopt those that the service knows.

        What was polled is adopted before another error is raised, so that a later call goes on.
        """
        outcomes = await asyncio.gather(*map(self._poll, ids), return_exceptions=True)
        tasks = [outcome for outcome in outcomes if isinstance(outcome, Task)]
        issues = tuple(outcome for outcome in outcomes if isinstance(outcome, AdoptionIssue))
        adoption = Adoption(issues=issues) + (await self._adopt(tasks) if tasks else Adoption())
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return adoption

    async def _poll(self, task_id: TaskId) -> Task | AdoptionIssue:
        try:
            return await self.poll(task_id.id, engine=task_id.engine)
        except (InvalidRequest, TaskNotFound, UnexpectedReply) as error:
            return AdoptionIssue(f"{task_id.engine}:{task_id.id}", task_id.id, error.message)
