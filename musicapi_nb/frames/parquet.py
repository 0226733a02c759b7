"""Frames, and optionally their raw replies, in a folder of Parquet files."""

import contextlib
import functools
import itertools
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from musicapi_nb.errors import (
    ExportFailed,
    InvalidArgument,
    MissingFile,
    MusicAPIError,
    UnreadableFile,
)
from musicapi_nb.frames.files import BATCH_ROWS, REPLY_COLUMN, Damage
from musicapi_nb.frames.flattener import Frames
from musicapi_nb.frames.inputs import Replies, iter_items
from musicapi_nb.frames.schema import dump_or_name
from musicapi_nb.frames.text_dtype import TEXT
from musicapi_nb.paths import local_path, target_path
from musicapi_nb.tasks import StoredReply, Task
from musicapi_nb.tasks.json_reader import clean

_TEXT_TYPES = {pa.string(): TEXT, pa.large_string(): TEXT}
_REPLIES_SCHEMA = pa.schema([(REPLY_COLUMN, pa.binary())])


def write_parquet(
    frames: Frames, folder: str | os.PathLike[str], *, raw: Replies | None = None
) -> None:
    """Write each frame to `<name>.parquet` in a folder, which is created if needed.

    Frames may have more columns than `flatten` returns (factors, for example), as long as they are
    flat: text, numbers, flags, moments, categories. `read_parquet` restores them with dtypes.

    Parameters
    ----------
    raw
        Replies to write unchanged to `replies.parquet` (of a Task, its raw reply). Frames can be
        made from that file again: `flatten(folder / "replies.parquet")`.

    Raises
    ------
    InvalidArgument
        A column holds lists or objects, `frames` are no frames, `raw` is not an input of frames,
        or a file of one of these names holds something else.
    ExportFailed
        The folder cannot be written.
    """
    if not isinstance(frames, Frames):
        raise InvalidArgument(f"pass the frames of mnb.flatten, not {frames!r:.60}")
    path = target_path(folder)
    columns = {**dict.fromkeys(Frames._fields, "task_id"), "replies": REPLY_COLUMN}
    for name, column in columns.items():
        if name != "replies" or raw is not None:
            _check_replaceable(path / f"{name}.parquet", column)
    try:
        write_frames(path, frames._asdict())
        if raw is not None:
            replies = (reply for _, reply in iter_items(raw, itertools.count()))
            _write_replies(path / "replies.parquet", replies)
    except OSError as error:
        if isinstance(error, MusicAPIError):
            raise
        raise ExportFailed(f"cannot write {path} ({error.strerror or error})") from error


def _check_replaceable(path: Path, column: str) -> None:
    """Raise InvalidArgument if a file exists and has no column of ours; a damaged one is ours."""
    if path.is_file():
        with contextlib.suppress(pa.ArrowException, OSError):
            with path.open("rb") as file:
                names = pq.read_schema(file).names
            if column not in names:
                message = "holds another table, which would be replaced; choose another folder"
                raise InvalidArgument(f"{path} {message}")


def read_parquet(folder: str | os.PathLike[str]) -> Frames:
    """Read the frames that `write_parquet` wrote.

    Raises
    ------
    MissingFile
        One of the files does not exist.
    UnreadableFile
        One of the files is damaged, or may not be read.
    """
    path = local_path(folder)
    return Frames(*(_read_frame(path / f"{name}.parquet") for name in Frames._fields))


def write_frames(folder: Path, frames: Mapping[str, pd.DataFrame]) -> None:
    """Write each frame to `<name>.parquet`; a file appears complete or not at all."""
    tables = {name: _as_table(name, frame) for name, frame in frames.items()}
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        write_atomically(folder / f"{name}.parquet", functools.partial(_write_table, table))


def _write_table(table: pa.Table, path: Path) -> None:
    with path.open("wb") as file:  # Arrow takes no path with half of a surrogate pair
        pq.write_table(table, file)


def _as_table(name: str, frame: pd.DataFrame) -> pa.Table:
    try:
        table = _arrow_table(frame)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise InvalidArgument(f"the frame {name!r} cannot be written: {error}") from None
    for field in table.schema:
        if pa.types.is_nested(field.type):
            raise InvalidArgument(
                f"column {field.name!r} of the frame {name!r} holds {field.type}; only flat "
                "columns can be written: turn it into rows or into JSON text"
            )
    return table


def _arrow_table(frame: pd.DataFrame) -> pa.Table:
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except UnicodeEncodeError:  # half of a surrogate pair, in an added column
        objects = frame[[column for column in frame if frame[column].dtype == object]]
        cleaned: Any = {column: objects[column].map(_clean) for column in objects}
        return pa.Table.from_pandas(frame.assign(**cleaned), preserve_index=False)


def _clean(value: Any) -> Any:
    return clean(value) if isinstance(value, str) else value


def _read_frame(path: Path) -> pd.DataFrame:
    """Read a frame that `write_frames` wrote, with its dtypes."""
    try:
        with path.open("rb") as file:
            table = pq.ParquetFile(file).read()
        frame: pd.DataFrame = table.to_pandas(types_mapper=_TEXT_TYPES.get)
    except FileNotFoundError:
        raise MissingFile(f"there is no file {path}; write_parquet writes it") from None
    except Exception as error:  # noqa: BLE001 - of many types in damaged files
        raise UnreadableFile(f"{path} cannot be read: {error}") from None
    for field in table.schema:
        if pa.types.is_dictionary(field.type):
            categories = frame[field.name].cat.categories
            # without categories, they lose their dtype
            if not len(categories) or field.type.value_type in _TEXT_TYPES:
                dtype = pd.CategoricalDtype(categories.astype(TEXT), field.type.ordered)
                frame[field.name] = frame[field.name].astype(dtype)
    return frame


def _write_replies(path: Path, replies: Iterable[Any]) -> None:
    """Write raw replies unchanged and decoded ones as JSON, one per row."""
    rows = (_as_bytes(reply) for reply in replies if not isinstance(reply, Damage))

    def write(temporary: Path) -> None:
        with (
            temporary.open("wb") as file,
            pq.ParquetWriter(file, _REPLIES_SCHEMA, compression="zstd") as writer,
        ):
            while batch := list(itertools.islice(rows, BATCH_ROWS)):
                writer.write_table(pa.table([pa.array(batch, pa.binary())], schema=_REPLIES_SCHEMA))

    write_atomically(path, write)


def _as_bytes(reply: Any) -> bytes:
    if isinstance(reply, Task | StoredReply):
        reply = reply.raw
    if isinstance(reply, str):
        return reply.encode("utf-8", "surrogatepass")
    if isinstance(reply, bytes | bytearray):
        return bytes(reply).strip()
    if isinstance(reply, Mapping):
        reply = dict(reply)
    try:
        return json.dumps(reply, default=repr).encode()
    except (RecursionError, TypeError, ValueError):
        return dump_or_name(reply).encode()


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file in the folder of `path`, then rename it to `path`."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
