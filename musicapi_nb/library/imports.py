"""The part of a library that takes over songs from elsewhere: replies, and another library."""

from __future__ import annotations

from typing import Any

from musicapi_nb.ledger_types import Adoption
from musicapi_nb.library import adoption
from musicapi_nb.library.database import Database
from musicapi_nb.library.process_lock import ProcessLock


class Imports:
    """The methods of a library for songs that were not bought with it; `Library` opens it."""

    _database: Database
    _process_lock: ProcessLock

    def adopt(self, source: Any, *, simulated: bool = False) -> Adoption:
        """Take over the tasks in replies from elsewhere, without asking the service.

        Their songs are listed like those of purchases. They have no price, and no budget, account
        or request counts them: `api.run(request)` buys a request of which only a reply was adopted.
        A task that the library has, bought or adopted, is not adopted again; its own purchases are
        never changed. An adopted task without a finished state gets the later reply. A session's
        `api.adopt(...)` also takes task ids, and downloads the files.

        Parameters
        ----------
        source
            Replies as for `tasks_frame`: tasks, jobs, raw replies, files or folders of them.
        simulated
            Whether raw replies are a simulator's, which they do not say.

        Raises
        ------
        InvalidArgument
            The source is none of these, or is a task id.
        MissingFile
            There is no such file, or no file of replies in the folder.
        """
        return adoption.adopt(self._database, self._process_lock.id, source, simulated=simulated)
