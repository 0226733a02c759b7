"""Files of replies and of frames: lines of JSON, packed or not, and Parquet."""

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
"""How the name of a file of replies ends, whatever its case."""
REPLY = "reply"
_ROWS = 1000
_NO_TEXTS = pd.CategoricalDtype(pd.Series([], dtype="str"))
_RAW = pa.schema([(REPLY, pa.binary())])


def of_replies(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES)


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The replies of a file, each with its line (or row) from 0 on; blank lines are none.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    InvalidArgument
        A Parquet file that has no column `reply` of bytes or text.
    """
    name = path.name.lower()
    if name.endswith(".parquet"):
        yield from _rows(path)
        return
    with gzip.open(path, "rb") if name.endswith(".gz") else path.open("rb") as file:
        for place, line in enumerate(file):
            if not line.isspace():
                yield place, line


def _rows(path: Path) -> Iterator[tuple[int, bytes]]:
    with pq.ParquetFile(path) as file:
        kind = file.schema_arrow.field(REPLY).type if REPLY in file.schema_arrow.names else None
        if not (kind and (pa.types.is_binary(kind) or pa.types.is_large_binary(kind))):
            raise InvalidArgument(
                f"{path} has no column {REPLY!r} of bytes; raw replies are what write_parquet("
                "..., raw=replies) writes to replies.parquet"
            )
        place = itertools.count()
        for batch in file.iter_batches(_ROWS, columns=[REPLY]):
            yield from ((next(place), reply or b"") for reply in batch[REPLY].to_pylist())


def write_frames(folder: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    """Write each table to `<name>.parquet`; a table appears whole or not at all."""
    written = {name: _flat(name, table) for name, table in tables.items()}
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in written.items():
        with_move(folder / f"{name}.parquet", functools.partial(pq.write_table, table))


def _flat(name: str, table: pd.DataFrame) -> pa.Table:
    try:
        made = pa.Table.from_pandas(table, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise InvalidArgument(f"the frame {name!r} cannot be written: {error}") from None
    nested = [field.name for field in made.schema if pa.types.is_nested(field.type)]
    if nested:
        raise InvalidArgument(
            f"column {nested[0]!r} of the frame {name!r} holds {made.schema.field(nested[0]).type};"
            " only flat columns are written, so make it rows, or JSON text"
        )
    return made


def read_frame(path: Path) -> pd.DataFrame:
    """Read what `write_tables` wrote, with its dtypes."""
    with pq.ParquetFile(path) as file:
        read = file.read()
    table: pd.DataFrame = read.to_pandas()
    for field in read.schema:  # categories without a value forget of what kind they would be
        if pa.types.is_dictionary(field.type) and not len(table[field.name].cat.categories):
            table[field.name] = table[field.name].astype(_NO_TEXTS)
    return table


def write_replies(path: Path, replies: Iterable[Any]) -> None:
    """Write raw replies, one a row, as they came; decoded ones as JSON."""
    rows = map(_as_bytes, replies)

    def write(beside: Path) -> None:
        with pq.ParquetWriter(beside, _RAW, compression="zstd") as file:
            while batch := list(itertools.islice(rows, _ROWS)):
                file.write_table(pa.table([pa.array(batch, pa.binary())], schema=_RAW))

    with_move(path, write)


def _as_bytes(reply: Any) -> bytes:
    if isinstance(reply, str):
        return reply.encode("utf-8", "surrogatepass")
    if isinstance(reply, bytes | bytearray):
        return bytes(reply).strip()
    if isinstance(reply, Mapping):
        reply = dict(reply)
    return json.dumps(reply, default=repr).encode()


def with_move(path: Path, write: Callable[[Path], object]) -> None:
    """Write beside a file and move it there: it is never seen in part."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
