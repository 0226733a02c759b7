"""The playlist of an export, and its tables as CSV, Parquet and JSON lines."""

import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from musicapi_nb import frames, markup
from musicapi_nb.exports import provenance
from musicapi_nb.exports.selection import Selection
from musicapi_nb.frames.measures import add_measured, songs_of_rows
from musicapi_nb.frames.parquet import write_frames
from musicapi_nb.frames.schema import dump_or_name
from musicapi_nb.frames.text_dtype import TEXT
from musicapi_nb.library import Library
from musicapi_nb.tasks import Song, Task

_TITLE_LENGTH = 200
# Text that a spreadsheet takes for a formula (OWASP, CSV injection), including full-width signs.
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
# Where such text begins a cell if a spreadsheet separates cells by something other than commas.
_INNER_FORMULA = re.compile(r"(?<=[;|\t\n])(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20])")
_LINE_END = re.compile(r"\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")


def playlist(songs: Iterable[tuple[Song, str]]) -> str:
    """Return an extended M3U of songs and their file names.

    Each title is one line. Durations are whole seconds, -1 if unknown. An apostrophe or "./" is
    before text that a spreadsheet would run as a formula.
    """
    lines = ["#EXTM3U"]
    for song, name in songs:
        duration = song.duration
        seconds = -1 if duration is None or not math.isfinite(duration) else round(duration)
        title = _escape(markup.one_line(song.title or name, _TITLE_LENGTH))
        lines += [f"#EXTINF:{seconds},{title}", f"./{name}" if _FORMULA.match(name) else name]
    return "\n".join([*lines, ""])


def make_tables(
    selection: Selection, names: Mapping[tuple[str | None, int], str]
) -> dict[str, pd.DataFrame]:
    """Return the frames of the exported songs.

    The songs' table has the file names, given by task id and song position, in its column `file`,
    and behind it what was measured in their sound. The tables of an experiment have its factors;
    levels that are lists or have several types are text.
    """
    tables = frames.flatten(map(_without_secrets, selection.tasks))._asdict()
    if selection.experiment is not None:
        with_factors = ("songs", "tags", "replaced_tags", "durations")
        tables |= {name: getattr(selection.experiment, name)() for name in with_factors}
    songs = tables["songs"]
    positions = zip(songs["task_id"], songs["song_position"], strict=True)
    keys = [(task if isinstance(task, str) else None, position) for task, position in positions]
    files = pd.Series([names.get(key) for key in keys], index=songs.index, dtype=TEXT)
    tables["songs"] = _add_measures(songs.assign(file=files), selection.index.library)
    ratings = frames.ratings_frame(selection.index.library)
    exported = {(task.id, song.position) for task in selection.tasks for song in task.songs}
    rated = zip(ratings["task_id"], ratings["song_position"], strict=True)
    ratings = ratings[[key in exported for key in rated]].reset_index(drop=True)
    tables |= {} if ratings.empty else {"ratings": ratings}
    return {name: _without_objects(table) for name, table in tables.items()}


def _without_objects(table: pd.DataFrame) -> pd.DataFrame:
    """Convert columns of Python objects to text; lists and dicts become JSON."""
    columns: dict[Any, pd.Series] = {
        name: pd.Series(map(_as_text, table[name]), table.index, dtype=TEXT)
        for name, dtype in table.dtypes.items()
        if pd.api.types.is_object_dtype(dtype)
    }
    return table.assign(**columns)


def _as_text(value: Any) -> str | None:
    if isinstance(value, list | tuple | dict):
        return dump_or_name(value)
    return None if pd.isna(value) else str(value)


def _add_measures(songs: pd.DataFrame, library: Library) -> pd.DataFrame:
    """Return the table of songs with the measured columns that have a value for any of them."""
    dtypes = {name: dtype for item in library.measures() for name, dtype in item.columns.items()}
    values = library.measured_values(songs_of_rows(songs)) if dtypes else []
    names = {name for row in values for name, value in row.items() if value is not None}
    dtypes = {name: dtype for name, dtype in dtypes.items() if name in names}
    return add_measured(songs, values, dtypes) if dtypes else songs


def _without_secrets(task: Task) -> Task:
    """Return the task without secrets; only undeclared fields of its request can hold any."""
    request = task.request
    if request is None or not request.extra:
        return task
    extra = provenance.without_secrets(request.extra)
    return msgspec.structs.replace(task, request=msgspec.structs.replace(request, extra=extra))


def write_tables(folder: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    """Write each table to `<name>.csv` and `<name>.parquet`.

    Parquet has the exact values. CSV is for spreadsheets: UTF-8 with a byte order mark, lines that
    end in LF, and an apostrophe before text that a spreadsheet would run as a formula.
    """
    write_frames(folder, tables)
    for name, table in tables.items():
        escape_formulas(table).to_csv(
            folder / f"{name}.csv",
            index=False,
            encoding="utf-8-sig",
            errors="replace",
            lineterminator="\n",
        )


def write_metadata(path: Path, songs: pd.DataFrame) -> None:
    """Write a JSON line for each song with a file, in the format of Hugging Face's `audiofolder`.

    `file_name` is the name of the file; a factor of this name is renamed to `file_name_requested`.
    https://huggingface.co/docs/datasets/audio_dataset#audiofolder
    """
    rows = songs[songs["file"].notna()].rename(columns={"file_name": "file_name_requested"})
    rows.insert(0, "file_name", rows.pop("file"))
    values = rows.astype(object).where(rows.notna(), None).to_dict("records")
    write = json.JSONEncoder(ensure_ascii=False, default=pd.Timestamp.isoformat).encode
    lines = "".join(f"{write(row)}\n" for row in values)
    path.write_text(lines, encoding="utf-8", errors="replace", newline="\n")


def escape_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with an apostrophe before each text or name that looks like a formula.

    Line ends inside of texts become LF: the csv module quotes no others before Python 3.13.
    """
    texts = table.select_dtypes(exclude=["number", "datetime", "datetimetz", "timedelta", "bool"])
    escaped = {name: texts[name].astype(object).map(_escape) for name in texts.columns}
    return table.assign(**escaped).rename(columns=_escape)


def _escape(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = _INNER_FORMULA.sub("'", _LINE_END.sub("\n", value))
    return f"'{text}" if _FORMULA.match(text) else text
