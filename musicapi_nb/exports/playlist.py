"""What a folder of songs has beside the songs: the playlist, and the tables as CSV and Parquet."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pandas as pd

from musicapi_nb import frames, markup
from musicapi_nb.exports import provenance
from musicapi_nb.frames import io
from musicapi_nb.tasks import Song, Task

if TYPE_CHECKING:
    from musicapi_nb.exports.selection import Chosen

_TITLE = 200
# What a spreadsheet takes for a formula (OWASP, CSV injection), wide forms of the signs included.
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")


def playlist(songs: Iterable[tuple[Song, str]]) -> str:
    """Write an extended M3U of songs and their files, which lie beside it; UTF-8.

    Each title is one line, whatever it holds. Seconds are whole; -1 where they are not known.
    """
    lines = ["#EXTM3U"]
    for song, name in songs:
        known = song.duration is not None and math.isfinite(song.duration)
        seconds = round(song.duration) if known and song.duration is not None else -1
        lines += [f"#EXTINF:{seconds},{markup.one_line(song.title or name, _TITLE)}", name]
    return "\n".join([*lines, ""])


def tables(chosen: Chosen, names: Mapping[tuple[str | None, int], str]) -> dict[str, pd.DataFrame]:
    """Make the frames of what was chosen; `names` are the exported files, by task and position.

    The songs' table has them in its column `file`. An experiment's tables have its factors.
    """
    made = frames.flatten(map(_shareable, chosen.tasks))._asdict()
    if chosen.experiment is not None:
        asked = ("songs", "tags", "replaced_tags", "durations")
        made |= {name: getattr(chosen.experiment, name)() for name in asked}
    songs = made["songs"]
    places = zip(songs["task_id"], songs["song_position"], strict=True)
    # A task without an id is told apart by nothing else.
    found = [names.get((task if isinstance(task, str) else None, at)) for task, at in places]
    made["songs"] = songs.assign(file=pd.Series(found, index=songs.index, dtype="str"))
    rated = frames.ratings_frame(chosen.library)
    keys = {(task.id, song.position) for task in chosen.tasks for song in task.songs}
    kept = [key in keys for key in zip(rated["task_id"], rated["song_position"], strict=True)]
    return {**made, "ratings": rated[kept].reset_index(drop=True)} if any(kept) else made


def _shareable(task: Task) -> Task:
    """The task with a request that tells no secret; only fields passed through can hold any."""
    request = task.request
    if request is None or not request.extra:
        return task
    extra = provenance.without_secrets(request.extra)
    return msgspec.structs.replace(task, request=msgspec.structs.replace(request, extra=extra))


def write_frames(folder: Path, made: Mapping[str, pd.DataFrame]) -> None:
    """Write each table to `<name>.csv` and `<name>.parquet`.

    Parquet holds every value as it is, for programs. CSV is for spreadsheets: UTF-8 with a byte
    order mark, and a text that a spreadsheet would run as a formula has an apostrophe before it.
    """
    io.write_frames(folder, made)
    for name, table in made.items():
        harmless(table).to_csv(
            folder / f"{name}.csv", index=False, encoding="utf-8-sig", lineterminator="\n"
        )


def harmless(table: pd.DataFrame) -> pd.DataFrame:
    """The table with no text that a spreadsheet would run."""
    texts = table.select_dtypes(exclude=["number", "datetime", "datetimetz", "timedelta", "bool"])
    quoted = {name: texts[name].astype(object).map(_quoted) for name in texts.columns}
    return table.assign(**quoted)


def _quoted(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value
