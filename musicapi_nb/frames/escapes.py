"""JSON strings as they are written to the texts that they mean, many at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa

from musicapi_nb.frames.arrays import between, letters, taken

if TYPE_CHECKING:
    from musicapi_nb.frames.arrays import Bytes, Numbers

_BACKSLASH = ord("\\")
# The character that an escaped letter stands for; 0: none, or one that has to be worked out.
_MEANT = np.zeros(256, "uint8")
for _letter, _character in zip(b'"\\/bfnrt', b'"\\/\b\f\n\r\t', strict=True):
    _MEANT[_letter] = _character
_BLANK_FIRST = np.zeros(256, bool)  # by the first byte in UTF-8 of any white space, or escaped
_BLANK_FIRST[[chr(code).encode()[0] for code in range(0x3001) if chr(code).isspace()]] = True
_BLANK_FIRST[_BACKSLASH] = True
_decode = msgspec.json.Decoder(str).decode


def texts(written: pa.Array, counts: Sequence[int]) -> tuple[list[pa.Array], list[int], list[int]]:
    """Turn strings as JSON writes them, without their quotes, into texts.

    Parameters
    ----------
    written
        An array of large_binary that `arrays.taken` just made, in UTF-8 and without nulls; its
        memory is written to.
    counts
        How many of them, one after the other, are each column's: columns without an escape, which
        are most of them, share the memory of what was given.

    Returns
    -------
    An array of large_string for each column, in which "" is missing; the items that are no strings
    (an escape that there is not, or half a surrogate pair); and those that are white space alone.
    """
    _, ends, data = written.buffers()
    raw, offsets = letters(written), np.frombuffer(ends, "int64", len(written) + 1)
    blank = _blank(written, raw, offsets)
    made = _as_texts(offsets, data)
    slashes = np.flatnonzero(raw == _BACKSLASH)
    borders = np.cumsum([0, *counts])
    cuts = np.searchsorted(slashes, offsets[borders])
    bad: list[int] = []
    columns = []
    for (start, end), (first, last) in zip(pairwise(borders), pairwise(cuts), strict=True):
        column = made.slice(start, end - start)
        if first < last:
            column, odd = _unescaped(column, raw, slashes[first:last])
            bad += [int(start) + place for place in odd]
        columns.append(column)
    return columns, bad, blank


def _as_texts(offsets: Numbers, data: pa.Buffer | None) -> pa.Array:
    sizes = np.diff(offsets)
    said = None if sizes.all() else pa.py_buffer(np.packbits(sizes > 0, bitorder="little"))
    return pa.Array.from_buffers(
        pa.large_string(), len(sizes), [said, pa.py_buffer(np.ascontiguousarray(offsets)), data]
    )


def _unescaped(column: pa.Array, raw: Bytes, slashes: Numbers) -> tuple[pa.Array, list[int]]:
    """A column that has these backslashes, without them; and which of its items are no strings."""
    meant = _MEANT[raw[np.minimum(slashes + 1, len(raw) - 1)]]
    if not meant.all() or (np.diff(slashes) == 1).any():
        read = [_read(item) for item in column.view(pa.large_binary()).to_pylist()]
        texts_ = pa.array([text or None for text in read], pa.large_string())
        return texts_, [place for place, text in enumerate(read) if text is None]
    raw[slashes + 1] = meant
    offsets = np.frombuffer(column.buffers()[1], "int64")
    offsets = offsets[column.offset : column.offset + len(column) + 1]
    first, last = offsets[0], offsets[-1]
    bounds = np.empty(2 * len(slashes) + 2, "int64")
    bounds[0], bounds[1:-1:2], bounds[2:-1:2], bounds[-1] = first, slashes, slashes + 1, last
    pieces = between(bounds, column.buffers()[2])
    kept = taken(pieces, np.arange(0, len(pieces), 2))
    offsets = offsets - np.searchsorted(slashes, offsets) - first
    return _as_texts(offsets, kept.buffers()[2]), []


def _read(written: bytes | None) -> str | None:
    try:
        return _decode(b'"' + (written or b"") + b'"')
    except (msgspec.MsgspecError, ValueError):
        return None


def _blank(written: pa.Array, raw: Bytes, offsets: Numbers) -> list[int]:
    """The texts that are white space alone."""
    if not len(raw):
        return []
    # few begin like white space: these are looked at as a whole
    first = _BLANK_FIRST[raw[np.minimum(offsets[:-1], len(raw) - 1)]]
    suspects = np.flatnonzero(first & (np.diff(offsets) > 0)).tolist()
    return [at for at in suspects if (_read(written[at].as_py()) or "").isspace()]
