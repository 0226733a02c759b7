"""The part of a library that takes over songs from elsewhere: replies, and another library."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from musicapi_nb.ledger_types import Adoption
from musicapi_nb.library import adoption, merging
from musicapi_nb.library.database import Database
from musicapi_nb.library.media_files import MediaFiles
from musicapi_nb.library.merging import Merge
from musicapi_nb.library.process_lock import ProcessLock


class Imports:
    """The methods of a library for songs that were not bought with it; `Library` opens it."""

    _database: Database
    _process_lock: ProcessLock
    _files: MediaFiles
    path: Path

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

    def merge(self, other: Imports | str | os.PathLike[str]) -> Merge:
        """Take over everything of another library, which is not changed.

        Purchases with their songs and files, adopted tasks, ratings, blind tests and their answers,
        experiments, budgets and measurements. Of what both have, a purchase counts once, the later
        rating holds, the answer of this library stays, and so does its limit of a budget; a blind
        test of a name that is used gets another. If both bought the same take of a request, that of
        the other becomes the next free take. What it bought is not bought again from then on. A
        purchase in doubt here stays so, whatever a person stated about it there.
        Merging again takes over what has been added since; after an interruption, it goes on.

        Parameters
        ----------
        other
            The other library, or its folder.

        Raises
        ------
        InvalidArgument
            It is this library.
        MissingFile
            There is no library in the folder.
        LibraryError
            An open session on the other library is sending a request, or one of the two cannot be
            used. Nothing was changed.
        """
        folder = other.path if isinstance(other, Imports) else other
        return merging.merge(self._database, self._files, self._process_lock, folder)
