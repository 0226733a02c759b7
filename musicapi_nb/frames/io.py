"""Files of replies (NDJSON, gzip, Parquet) and of frames (Parquet)."""

from __future__ import annotations

import functools
import gzip
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from musicapi_nb.errors import InvalidArgument

SUFFIXES = (".ndjson", ".ndjson.gz", ".parquet")
"""How names of files of replies end, in any case."""
_COLUMN = "reply"
_ROWS = 1000
_NO_CATEGORIES = pd.CategoricalDtype(pd.Series([], dtype="str"))
_REPLIES_SCHEMA = pa.schema([(_COLUMN, pa.binary())])


def is_reply_file(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES)


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the replies of a file, each with its line (or row) number from 0; skip blank lines.

    Raises
    ------
    FileNotFoundError
        The file does not exist.
    InvalidArgument
        A Parquet file without a column `reply` of bytes.
    """
    name = path.name.lower()
    if name.endswith(".parquet"):
        yield from _rows(path)
        return
    with gzip.open(path, "rb") if name.endswith(".gz") else path.open("rb") as file:
        for number, line in enumerate(file):
            if not line.isspace():
                yield number, line


def _rows(path: Path) -> Iterator[tuple[int, bytes]]:
    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        column_type = file.schema_arrow.field(_COLUMN).type if _COLUMN in names else pa.null()
        if not (pa.types.is_binary(column_type) or pa.types.is_large_binary(column_type)):
            raise InvalidArgument(
                f"{path} has no column {_COLUMN!r} of bytes; write_parquet(..., raw=replies) "
                "writes such a file, replies.parquet"
            )
        numbers = itertools.count()
        for batch in file.iter_batches(_ROWS, columns=[_COLUMN]):
            yield from ((next(numbers), reply or b"") for reply in batch[_COLUMN].to_pylist())


def write_frames(folder: Path, frames: Mapping[str, pd.DataFrame]) -> None:
    """Write each frame to `<name>.parquet`; a file appears complete or not at all."""
    tables = {name: _as_table(name, frame) for name, frame in frames.items()}
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        write_atomically(folder / f"{name}.parquet", functools.partial(pq.write_table, table))


def _as_table(name: str, frame: pd.DataFrame) -> pa.Table:
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise InvalidArgument(f"the frame {name!r} cannot be written: {error}") from None
    for field in table.schema:
        if pa.types.is_nested(field.type):
            raise InvalidArgument(
                f"column {field.name!r} of the frame {name!r} holds {field.type}; only flat "
                "columns can be written: turn it into rows or into JSON text"
            )
    return table


def read_frame(path: Path) -> pd.DataFrame:
    """Read a frame that `write_frames` wrote, with its dtypes."""
    with pq.ParquetFile(path) as file:
        table = file.read()
    frame: pd.DataFrame = table.to_pandas()
    for field in table.schema:  # a categorical without categories loses their dtype
        if pa.types.is_dictionary(field.type) and not len(frame[field.name].cat.categories):
            frame[field.name] = frame[field.name].astype(_NO_CATEGORIES)
    return frame


def write_replies(path: Path, replies: Iterable[Any]) -> None:
    """Write raw replies unchanged and decoded ones as JSON, one per row."""
    rows = map(_as_bytes, replies)

    def write(temporary: Path) -> None:
        with pq.ParquetWriter(temporary, _REPLIES_SCHEMA, compression="zstd") as file:
            while batch := list(itertools.islice(rows, _ROWS)):
                file.write_table(pa.table([pa.array(batch, pa.binary())], schema=_REPLIES_SCHEMA))

    write_atomically(path, write)


def _as_bytes(reply: Any) -> bytes:
    if isinstance(reply, str):
        return reply.encode("utf-8", "surrogatepass")
    if isinstance(reply, bytes | bytearray):
        return bytes(reply).strip()
    if isinstance(reply, Mapping):
        reply = dict(reply)
    return json.dumps(reply, default=repr).encode()


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file in the folder of `path`, then rename it to `path`."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
