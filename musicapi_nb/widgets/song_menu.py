"""The menu of a song: its items, their prices and requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from musicapi_nb import markup
from musicapi_nb.client.file_type import suffix_of
from musicapi_nb.engines import Request
from musicapi_nb.errors import InvalidArgument, InvalidRequest
from musicapi_nb.filenames import safe_stem
from musicapi_nb.tasks import Song, Task
from musicapi_nb.tasks.song_actions import actions_of

FOLLOW_UPS: Mapping[str, tuple[str, Callable[[Song], Request]]] = {
    "extend": ("Extend", Song.extend),
    "cover": ("Cover", Song.cover),
    "stems": ("Stems", Song.stems),
}
"""Label of each item that opens a form, and the function that makes its request."""
_NO_SESSION = "There is no connection: api = mnb.connect(), then show the songs again."


def menu_items(song: Song, *, has_audio: bool) -> list[dict[str, str]]:
    """Return the items of a song's menu that can be disabled: action, label, price and reason.

    `reason` says why the item is disabled; "" if it is not.
    """
    save = "" if has_audio else "There is no audio to save."
    copy = "" if song.request or song.task_id else "Its request is not known."
    return [
        {"action": "save", "label": "Save", "price": "", "reason": save},
        *(_follow_up_item(song, action) for action in FOLLOW_UPS),
        {"action": "code", "label": "Copy code", "price": "", "reason": copy},
    ]


def _follow_up_item(song: Song, action: str) -> dict[str, str]:
    label, make = FOLLOW_UPS[action]
    price = reason = ""
    try:
        price = markup.format_credits(make(song).price())
    except InvalidRequest as error:
        reason = markup.one_line("; ".join(problem.message for problem in error.problems))
    if not reason and actions_of(song) is None:
        reason = _NO_SESSION
    return {"action": action, "label": f"{label} …", "price": price, "reason": reason}


def form_of(song: Song, action: object) -> Any:
    """Return the form of an item, filled in for the song. It buys nothing by itself."""
    if action not in FOLLOW_UPS:
        raise InvalidArgument(f"there is no menu item {action!r:.40}")
    request = FOLLOW_UPS[str(action)][1](song)
    session = actions_of(song)
    if session is None:
        raise InvalidArgument(_NO_SESSION)
    return session.form(request)


def code_of(song: Song, task: Task | None) -> str:
    """Return Python code that gets the song: by the request of its task, else by polling."""
    songs: tuple[Song, ...] = ()
    request, take = song.request, 1
    if task is not None and task.request is not None:  # of a batch, the whole batch was bought
        request, take, songs = task.request, task.take, task.songs
    number = songs.index(song) if song in songs else song.position
    if request is None:
        arguments = f"{song.task_id!r}, engine={song.engine!r}"
        return f"task = await api.poll({arguments})\nsong = task.songs[{number}]"
    version = "" if take == 1 else f", take={take}"
    return (
        f"request = {request!r}\n"
        "# Free in the library that has these songs; in another one it buys new ones.\n"
        f"task = await api.run(request{version})\n"
        f"song = task.songs[{number}]"
    )


def file_name(song: Song, content: bytes) -> str:
    """Return a name for a song's file, such as "Rain on Tin Roof.mp3"."""
    return f"{safe_stem(song.title)}{suffix_of(content, 'audio') or ''}"
