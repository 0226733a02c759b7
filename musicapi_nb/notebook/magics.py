"""The magics: %%song buys what its line and its body say, %songs shows what was bought last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class

from musicapi_nb.errors import MusicAPIError
from musicapi_nb.notebook._connect import current
from musicapi_nb.notebook.song_magic_parser import help_text, parse_song_cell, wants_help
from musicapi_nb.tasks import Task

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from musicapi_nb.notebook.job import Job
    from musicapi_nb.notebook.song_list import SongList

_RECENT = 12


@magics_class
class MusicMagics(Magics):
    """%%song and %songs, on the handle that was connected last."""

    @cell_magic
    def song(self, line: str, cell: str) -> Job[Task] | None:
        """Buy a song: the line names the engine and its options, the cell holds the words."""
        try:
            if wants_help(line):
                print(help_text(line))  # noqa: T201 - a person asked for it
                return None
            request, take = parse_song_cell(line, cell)
            return current().run(request, take=take)
        except MusicAPIError as error:  # in one line: a traceback would tell nothing
            raise UsageError(str(error)) from None

    @line_magic
    def songs(self, line: str) -> SongList:
        """Show the songs bought last: twelve, or as many as the line says."""
        text = line.strip()
        if text and not (text.isascii() and text.isdigit()):
            raise UsageError(f"%songs takes a number of songs, not {text!r}")
        try:
            return current().songs(int(text or _RECENT))
        except MusicAPIError as error:
            raise UsageError(str(error)) from None


def register(shell: InteractiveShell | Any) -> None:
    """Make the magics known to a shell."""
    shell.register_magics(MusicMagics)
