"""The IPython magics %%song, which buys a song, and %songs, which shows the latest ones."""

from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class

from musicapi_nb.errors import MusicAPIError
from musicapi_nb.notebook._connect import current_session
from musicapi_nb.notebook.completion import add_completion
from musicapi_nb.notebook.job import Job
from musicapi_nb.notebook.song_magic_parser import help_text, parse_song_cell, wants_help
from musicapi_nb.tasks import Songs, Task


@magics_class
class MusicMagics(Magics):
    """%%song and %songs, on the session that was connected last."""

    @cell_magic
    def song(self, line: str, cell: str) -> Job[Task] | None:
        """Buy a song: the line has the engine and its options, the cell the lyrics or prompt."""
        try:
            if wants_help(line):
                print(help_text(line))  # noqa: T201 - the user asked for help
                return None
            request, take = parse_song_cell(line, cell)
            return current_session().run(request, take=take)
        except MusicAPIError as error:  # shown in one line; a traceback would not help
            raise UsageError(str(error)) from None

    @line_magic
    def songs(self, line: str) -> Songs:
        """Show the latest songs: twelve, or the number in the line."""
        text = line.strip()
        if text and not (text.isascii() and text.isdigit()):
            raise UsageError(f"%songs takes a number of songs, not {text!r}")
        try:
            session = current_session()
            return session.songs(int(text)) if text else session.songs()
        except MusicAPIError as error:
            raise UsageError(str(error)) from None


def load_ipython_extension(shell: Any) -> None:
    """Add %%song and %songs to an IPython shell; called by `%load_ext musicapi_nb`."""
    shell.register_magics(MusicMagics)
    add_completion(shell)
