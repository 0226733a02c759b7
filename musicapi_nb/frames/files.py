"""Files of replies: which there are, and their replies up to where a file is damaged."""

from __future__ import annotations

import io
import itertools
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from musicapi_nb.errors import InvalidArgument, MissingFile, UnreadableFile
from musicapi_nb.frames.texts import Part, may_continue, split_list, split_replies
from musicapi_nb.paths import local_path
from musicapi_nb.tasks.json_reader import clean

_TEXT_SUFFIXES = (".ndjson", ".jsonl", ".json")
SUFFIXES = (*_TEXT_SUFFIXES, *(f"{suffix}.gz" for suffix in _TEXT_SUFFIXES), ".parquet")
"""How names of files of replies end, in any case."""
FRAMES = ("tasks", "songs", "tags", "replaced_tags", "durations", "issues")
REPLY_COLUMN = "reply"
BATCH_ROWS = 1000
# A text that ends, or starts, like this is meant as a path.
_PATH = re.compile(
    r".*\.(ndjson|jsonl|json|parquet|txt|log|csv|tsv|gz|zip|zst|bz2|xz)|.*[/\\]|"
    r"(~|\.{0,2}[/\\]|[A-Za-z]:[/\\]|[A-Za-z]+://)\S.*",
    re.IGNORECASE,
)
_MAX_PATH = 4096
_PARQUET, _GZIP = b"PAR1", b"\x1f\x8b"
_CHUNK = 65_536
_OBJECT_STARTS = (b"{", "{")


class Damage(NamedTuple):
    """Stands for the replies that a file may have from here on, but that cannot be read."""

    message: str


def path_of(text: str) -> Path | None:
    """Return the path that a text is meant as; None if it looks like a reply.

    Raises
    ------
    InvalidArgument
        It is a URL, or names the home folder of an unknown user.
    """
    may_be_path = text[:1] not in '{["<' and len(text) <= _MAX_PATH and text.isprintable()
    return local_path(text) if may_be_path and _PATH.fullmatch(text) else None


def find_files(path: Path) -> Sequence[Path]:
    """Return the path itself if it is a file, or the files of replies in this folder, by name.

    Subfolders, and the frames that `write_parquet` wrote, are left out.

    Raises
    ------
    MissingFile
        There is nothing at the path, or the folder has no file of replies.
    UnreadableFile
        The folder may not be read.
    """
    endings = ", ".join(SUFFIXES)
    name = clean(str(path.absolute()))
    try:
        files = sorted(path.iterdir()) if path.is_dir() else None
        exists = path.exists()
    except OSError as error:
        raise UnreadableFile(f"{name} cannot be read ({error.strerror})") from None
    if not exists:
        raise MissingFile(
            f"there is no file {name}; pass a file of replies ({endings}) or a folder of such files"
        )
    if files is None:
        return [path]
    frames = {f"{frame}.parquet" for frame in FRAMES}
    files = [file for file in files if file.name.lower().endswith(SUFFIXES)]
    files = [file for file in files if file.name not in frames and not file.is_dir()]
    if not files:
        raise MissingFile(f"the folder {name} has no file of replies ({endings})")
    return files


def read_file(path: Path) -> Iterator[Part]:
    """Yield the replies of a file with their places, and last a `Damage` if it has one.

    A name that ends in .gz or .parquet does not matter for text: the content shows what it is.

    Raises
    ------
    InvalidArgument
        A Parquet file without a column `reply` of bytes.
    """
    try:
        with path.open("rb") as file:
            start = file.peek(len(_PARQUET))
            if start.startswith(_PARQUET) or (not start and path.suffix.lower() == ".parquet"):
                yield from _read_rows(file, path)
            elif start.startswith(_GZIP):
                content = _GzipContent(file)
                yield from _read_text(io.BufferedReader(content, _CHUNK))
                if content.damage:
                    yield "", Damage(f"after that, the gzip file is damaged: {content.damage}")
            else:
                yield from _read_text(file)
    except OSError as error:
        yield "", Damage(f"the file cannot be read: {error.strerror or error}")


def _read_text(file: io.BufferedReader) -> Iterator[Part]:
    encoding = json.detect_encoding(file.peek(4)[:4])
    if encoding == "utf-8":
        yield from _read_lines(file)
    else:
        with io.TextIOWrapper(file, encoding, "replace", newline="\n") as text:
            yield from _read_lines(text)


def _read_lines(file: IO[Any]) -> Iterator[Part]:
    lines = ((number, line) for number, line in enumerate(file) if not line.isspace())
    for number, line in itertools.islice(lines, 1):
        if may_continue(line):
            yield from split_replies(line + file.read(), number)
        else:
            yield from split_list(line, f":{number}")
    for number, line in lines:
        if line[:1] in _OBJECT_STARTS:  # the usual case
            yield f":{number}", line
        else:
            yield from split_list(line, f":{number}")


def _read_rows(file: IO[bytes], path: Path) -> Iterator[Part]:
    numbers = itertools.count()
    try:
        parquet = pq.ParquetFile(file)
        types = dict(zip(parquet.schema_arrow.names, parquet.schema_arrow.types, strict=True))
        has_replies = types.get(REPLY_COLUMN) in {pa.binary(), pa.large_binary()}
        columns = [REPLY_COLUMN] if has_replies else []
        for batch in parquet.iter_batches(BATCH_ROWS, columns=columns):
            for row in batch.to_pylist() if has_replies else ():
                yield f"[{next(numbers)}]", row[REPLY_COLUMN] or b""
    except Exception as error:  # noqa: BLE001 - of many types in damaged files
        yield "", Damage(f"the Parquet file is damaged: {error}")
        return
    if not has_replies:
        raise InvalidArgument(
            f"{path} has no column {REPLY_COLUMN!r} of bytes; write_parquet(..., raw=replies) "
            "writes such a file, replies.parquet"
        )


class _GzipContent(io.RawIOBase):
    """The content of a gzip file. It ends at the first damage, which `damage` then describes."""

    def __init__(self, file: IO[bytes]) -> None:
        self.damage = ""
        self._pieces = self._unpack(file)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._rest = self._rest or memoryview(next(self._pieces, b""))
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size

    def _unpack(self, file: IO[bytes]) -> Iterator[bytes]:
        """Yield pieces of the content that are not empty."""
        packed = file.read(_CHUNK)
        while packed:
            packed = packed.lstrip(b"\0")  # which may follow a member
            if not packed:
                packed = file.read(_CHUNK)
                continue
            member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            while not member.eof:
                if not packed:
                    self.damage = "it breaks off"
                    return
                before = member.copy()
                try:
                    piece = member.decompress(packed)
                except zlib.error as error:
                    self.damage = str(error)
                    yield from _up_to_damage(before, packed)
                    return
                if piece:
                    yield piece
                packed = member.unused_data or file.read(_CHUNK)


def _up_to_damage(member: Any, packed: bytes) -> Iterator[bytes]:
    """Yield what can be unpacked, byte by byte."""
    try:
        for start in range(len(packed)):
            if piece := member.decompress(packed[start : start + 1]):
                yield piece
    except zlib.error:
        return
