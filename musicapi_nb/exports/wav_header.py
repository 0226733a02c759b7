"""Copies a WAV file with right sizes in its header.

Streaming writers do not know the length of a file when they write its header. Decoders then take
all bytes to the end as sound, and so whatever a program appends. Formats: RIFF (Microsoft, 1991),
RF64 and BW64 with the chunk `ds64` (EBU Tech 3306).
"""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path
from typing import IO, NamedTuple

from musicapi_nb.errors import Untaggable

_HEADER = struct.Struct("<4sI")
_NAME = re.compile(rb"[ -~]{4}")
_FORMS = frozenset({b"RIFF", b"RF64", b"BW64"})
_FORM_BYTES = 12
_IN_DS64 = _MAX_SIZE = 0xFFFFFFFF
_MAX_CHUNKS = 10_000
_BLOCK = 1 << 20


class _Chunk(NamedTuple):
    """The name of a chunk, and where its content lies in the file."""

    name: bytes
    start: int
    size: int


def copy_wav(source: Path, target: Path) -> None:
    """Copy a WAV file, so that the size of each chunk and of the file is right.

    The sound is what decoders read: as many bytes as stated but no more than there are, and all
    bytes to the end if none are stated. Bytes that are in no chunk get one, which decoders skip.
    Raise `Untaggable` if the file has no format or no sound.
    """
    with source.open("rb") as file:
        length = file.seek(0, os.SEEK_END)
        chunks, end = _read_chunks(file, length)
        if not {b"fmt ", b"data"} <= {chunk.name for chunk in chunks}:
            raise Untaggable("its WAV header is not understood")
        chunks = [chunk for chunk in chunks if chunk.name != b"ds64"]  # of RF64 alone
        if end < length:
            chunks.append(_Chunk(b"JUNK", end, length - end))
        size = 4 + sum(_HEADER.size + chunk.size + chunk.size % 2 for chunk in chunks)
        if size > _MAX_SIZE:
            raise Untaggable("it is too long for a WAV header")
        with target.open("wb") as output:
            output.write(_HEADER.pack(b"RIFF", size) + b"WAVE")
            for chunk in chunks:
                output.write(_HEADER.pack(chunk.name, chunk.size))
                _copy(file, chunk, output)
                output.write(bytes(chunk.size % 2))


def _copy(file: IO[bytes], chunk: _Chunk, output: IO[bytes]) -> None:
    file.seek(chunk.start)
    for start in range(0, chunk.size, _BLOCK):
        output.write(file.read(min(_BLOCK, chunk.size - start)))


def _read_chunks(file: IO[bytes], length: int) -> tuple[list[_Chunk], int]:
    """Return the chunks of a WAV file with their real sizes, and where the last one ends."""
    file.seek(0)
    form = file.read(_FORM_BYTES)
    if form[:4] not in _FORMS or form[8:] != b"WAVE":
        raise Untaggable("it is neither a RIFF nor an RF64 file")
    chunks = list[_Chunk]()
    position, long_size = _FORM_BYTES, 0
    while len(chunks) < _MAX_CHUNKS and (header := _header_at(file, position)):
        name, size = header
        start = position + _HEADER.size
        if name == b"data":
            size = long_size if size == _IN_DS64 and long_size else size
            size = min(size or length, length - start)
        elif start + size > length:
            break  # these bytes only resemble a header
        elif name == b"ds64":
            (long_size,) = struct.unpack("<8xQ", file.read(16).ljust(16, b"\0"))
        chunks.append(_Chunk(name, start, size))
        position = start + size
        # An odd chunk is followed by a byte that its size does not count, which writers forget.
        if size % 2 and (_header_at(file, position + 1) or not _header_at(file, position)):
            position += 1
    return chunks, min(position, length)


def _header_at(file: IO[bytes], position: int) -> tuple[bytes, int] | None:
    """Return the name and size of the chunk at a position; None if there is none."""
    file.seek(position)
    header = file.read(_HEADER.size)
    # A second file may follow the first.
    if len(header) < _HEADER.size or not _NAME.match(header) or header[:4] in _FORMS:
        return None
    name, size = _HEADER.unpack(header)
    return name, size
