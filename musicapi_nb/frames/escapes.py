"""Long JSON texts to Arrow, many at once, without a Python string of each, which takes longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

_QUOTE, _BACKSLASH, _NULL = ord('"'), ord("\\"), len("null")
# The character that an escaped letter stands for; 0: none, or one that has to be worked out.
_MEANT = np.zeros(256, "uint8")
for _letter, _character in zip(b'"\\/bfnrt', b'"\\/\b\f\n\r\t', strict=True):
    _MEANT[_letter] = _character
_BLANK_FIRST = np.zeros(256, bool)  # by the first byte in UTF-8 of any white space
_BLANK_FIRST[[chr(code).encode()[0] for code in range(0x3001) if chr(code).isspace()]] = True
_decode = msgspec.json.Decoder(str | None).decode


def texts(raw: Sequence[msgspec.Raw]) -> pa.Array:
    """Turn JSON values, each a text or null, into an array of large_string; "" is missing too.

    Raises
    ------
    ValueError
        One is neither, or no UTF-8.
    """
    joined = bytearray().join(raw)
    data = np.frombuffer(joined, "uint8")
    lengths = np.fromiter(map(len, raw), "int64", len(raw))
    ends = lengths.cumsum()
    starts = ends - lengths
    slashes = np.flatnonzero(data == _BACKSLASH)
    meant = _MEANT[data[slashes + 1]]
    if not meant.all() or (np.diff(slashes) == 1).any():
        return pa.array([_decode(each) or None for each in raw], pa.large_string())
    quoted = data[starts] == _QUOTE
    if not (quoted | (data[starts] == ord("n"))).all():
        raise ValueError("neither a text nor null")
    escapes = np.diff(np.searchsorted(slashes, ends), prepend=0)
    sizes = np.where(quoted, lengths - 2 - escapes, 0)
    data[slashes + 1] = meant  # never a backslash: one that is escaped stands beside another
    data[starts[quoted]] = data[ends[quoted] - 1] = _BACKSLASH
    data[(starts[~quoted, None] + np.arange(_NULL)).ravel()] = _BACKSLASH
    said = pa.py_buffer(np.packbits(sizes > 0, bitorder="little"))
    offsets = pa.py_buffer(np.concatenate([[0], sizes.cumsum()]))
    buffers = [said, offsets, pa.py_buffer(joined.replace(b"\\", b""))]
    # the cast looks whether it is UTF-8, and copies nothing
    return pa.Array.from_buffers(pa.large_binary(), len(raw), buffers).cast(pa.large_string())


def has_blank(array: pa.Array) -> bool:
    """Whether one of the texts is empty or white space alone."""
    known = array.drop_null() if array.null_count else array
    if not len(known):
        return False
    _, ends, data = known.buffers()
    offsets = np.frombuffer(ends, "int64", len(known) + 1)
    if (offsets[1:] == offsets[:-1]).any():
        return True
    first = np.frombuffer(data, "uint8")[offsets[:-1]]
    # few begin like white space: these are looked at as a whole
    return any(known[int(at)].as_py().isspace() for at in np.flatnonzero(_BLANK_FIRST[first]))
