"""One short story of a notebook: connect, buy a song, look at it, connect again.

`test_surroundings.py` has it told by processes of many kinds. `python -m tests.story` tells it in
this process; `tell` is the story for other ones.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import musicapi_nb as mnb
from musicapi_nb import nuro
from musicapi_nb.errors import MusicAPIError
from musicapi_nb.notebook.session import Session

BEAT = nuro.Instrumental(description="harbour at night", duration=30)


def nothing() -> None:
    """Leave everything as it is between the two sessions."""


async def tell(
    connect: Callable[[], Session], meanwhile: Callable[[], object] = nothing
) -> dict[str, Any]:
    """Buy a song in one session and ask for it in a second one; return what both saw."""
    session = connect()
    assert session.library is not None
    before = (await session.credits()).total
    task = await session.run(BEAT)
    table = mnb.flatten(session.library).songs
    first = {
        "state": task.state,
        "songs": [song.id for song in task.songs],
        "in the library": [song.id for song in session.songs()],
        "in the table": table["song_id"].tolist(),
        "files": [session.library.file_of(song) is not None for song in task.songs],
        "paid": before - (await session.credits()).total,
        "folder": str(session.library.path),
    }
    session.close()
    meanwhile()
    with connect() as session:
        assert session.library is not None
        try:
            again = await session.run(BEAT)
            bought = "before" if again.bought_before and again.id == task.id else "again"
        except MusicAPIError as error:
            bought = type(error).__name__
        return first | {
            "bought": bought,
            "found": [song.id for song in session.songs()],
            "same folder": str(session.library.path) == first["folder"],
            "paid at last": before - (await session.credits()).total,
            "journal": journal_mode(session.library.path),
        }


def journal_mode(folder: Path) -> str:
    """Return the journal of a database, from its header: SQLite may need to write to tell it."""
    with (folder / "library.sqlite").open("rb") as database:
        return {1: "rollback", 2: "wal"}[database.read(20)[18]]


def connect_to(address: str, library: str | None = None) -> Callable[[], Session]:
    return lambda: mnb.connect(simulator=address, library=library)


def tell_and_print(address: str, library: str | None = None) -> None:
    """Tell the story in a process or thread without a running loop; print what was seen."""
    print_facts(asyncio.run(tell(connect_to(address, library))))


def print_facts(facts: dict[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(facts)}\n")
    sys.stdout.flush()


def shut(folder: Path) -> None:
    """Take away the permission to write to a folder and everything below it, and prove it."""
    for path in [*folder.rglob("*"), folder]:
        path.chmod(path.stat().st_mode & ~0o222)
    if os.access(folder, os.W_OK):
        raise AssertionError("this process may write to read-only folders: it tests nothing")


if __name__ == "__main__":
    tell_and_print(*sys.argv[1:])
