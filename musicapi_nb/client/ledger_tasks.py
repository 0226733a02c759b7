"""LedgerTasks: resume the tasks of a client's ledger, and adopt tasks from elsewhere."""

from __future__ import annotations

import abc
import asyncio
import dataclasses
import functools
from typing import Any

from musicapi_nb.client.adopter import Adopter
from musicapi_nb.client.archive import MediaArchiver, tasks_without_files
from musicapi_nb.client.callbacks import ProgressCallback
from musicapi_nb.client.purchasing import PurchaseCoordinator
from musicapi_nb.client.transport import Transport
from musicapi_nb.engines.values import number_of_seconds
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.ledger_types import Adoption, Ledger
from musicapi_nb.tasks import Task


class LedgerTasks(abc.ABC):
    """The part of a client that needs a ledger, and downloads files into it."""

    ledger: Ledger | None
    simulated: bool
    _coordinator: PurchaseCoordinator | None
    _transport: Transport

    @abc.abstractmethod
    async def poll(self, task: Task | str, *, engine: str | None = None) -> Task:
        """Ask once for the state of a task."""

    @abc.abstractmethod
    async def wait(
        self, task: Any, *, deadline: float = ..., progress: ProgressCallback | None = ...
    ) -> Any:
        """Poll tasks until they are finished."""

    async def resume(
        self, *, deadline: float = 1800.0, progress: ProgressCallback | None = None
    ) -> list[Task]:
        """Wait for accepted tasks of the ledger (see `wait`), then download the files it lacks."""
        if self.ledger is None or self._coordinator is None:
            return []
        unfinished, simulated = self._coordinator.unfinished(), self.simulated
        lacking = await asyncio.to_thread(tasks_without_files, self.ledger, simulated=simulated)
        outcomes: list[Task] = await self.wait(unfinished, deadline=deadline, progress=progress)
        await asyncio.gather(*(self._archive(task) for task in (*outcomes, *lacking)))
        return outcomes

    async def adopt(
        self, source: Any, *, engine: str | None = None, deadline: float = 1800.0
    ) -> Adoption:
        """Take over tasks that were bought elsewhere into the ledger; needs one. Buys nothing.

        The service is asked for tasks by their ids, unfinished ones are waited for, and audio and
        covers downloaded. Adopting the same again goes on with what is missing.

        Parameters
        ----------
        source
            Task ids such as "sonic:TASKID", tasks, replies, files or folders of replies, or an
            iterable of these: see `Library.adopt`. They are a simulator's if this client is.
        engine
            The engine of task ids that do not name one.
        deadline
            Seconds of the service's clock to wait for unfinished tasks.

        Raises
        ------
        InvalidArgument
            There is no ledger, the source is none of these, or an id has no engine.
        """
        deadline = number_of_seconds("deadline", deadline)
        if self.ledger is None or self._coordinator is None:
            raise InvalidArgument("adopting needs a ledger: MusicAPI(..., ledger=library)")
        ledger = self.ledger
        adopter = Adopter(ledger, self.poll, simulated=self.simulated)
        adoption = await adopter.adopt(source, engine)
        entries = frozenset(adoption.entries)
        accepted = await asyncio.to_thread(ledger.unfinished, simulated=self.simulated)
        unfinished = [
            self._coordinator.remember(purchase.entry, purchase.task)
            for purchase in accepted
            if purchase.entry.id in entries
        ]
        await self.wait(unfinished, deadline=deadline)
        lacking = functools.partial(
            tasks_without_files, ledger, simulated=self.simulated, entries=entries
        )
        await asyncio.gather(*map(self._archive, await asyncio.to_thread(lacking)))
        missing = await asyncio.to_thread(ledger.missing_files)
        files = sum(file.entry.id in entries for file in missing)
        return dataclasses.replace(adoption, missing_files=files)

    async def _archive(self, task: Task) -> None:
        if self.ledger is not None:
            await MediaArchiver(self._transport, self.ledger, self.poll).archive(task)
