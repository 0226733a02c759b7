"""JSON texts to Arrow, many at once: a Python string of each would take a third of all the time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_QUOTE, _BACKSLASH, _NULL = ord('"'), ord("\\"), len("null")
# The character that an escaped letter stands for; 0: none, or one that has to be worked out.
_MEANT = np.zeros(256, "uint8")
for _letter, _character in zip(b'"\\/bfnrt', b'"\\/\b\f\n\r\t', strict=True):
    _MEANT[_letter] = _character
_BLANK_FIRST = np.zeros(256, bool)  # by the first byte in UTF-8 of any white space
_BLANK_FIRST[[chr(code).encode()[0] for code in range(0x3001) if chr(code).isspace()]] = True
_STRUCTURE = np.zeros(256, bool)  # what stands between the texts of an array
_STRUCTURE[list(b"[], \t\r\n")] = True
_decode = msgspec.json.Decoder(str | None).decode
_decode_list = msgspec.json.Decoder(list[str] | None).decode


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
    slashes = _where(data == _BACKSLASH)
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
    said = sizes > 0
    return _array(joined.replace(b"\\", b""), sizes, None if said.all() else said)


def _where(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The places of flags that are few: looked for in eights first."""
    whole = len(flags) // 8 * 8
    eights = np.flatnonzero(flags[:whole].view("uint64")) * 8
    rest = np.arange(whole, len(flags))
    near: NDArray[np.int64] = np.concatenate([(eights[:, None] + np.arange(8)).ravel(), rest])
    return near[flags[near]]


def lists(raw: Sequence[msgspec.Raw]) -> tuple[pa.Array, pa.Array]:
    """Turn JSON arrays of texts into how many each has, and all texts; null is an empty array.

    Raises
    ------
    ValueError, msgspec.MsgspecError
        One is something else, or no UTF-8.
    """
    joined = b"".join(raw)
    data = np.frombuffer(joined, "uint8")
    quotes = data == _QUOTE
    inside = np.bitwise_xor.accumulate(quotes) if len(data) else quotes  # from each first quote on
    arrays = np.count_nonzero((data == ord("[")) & ~inside) == len(raw)
    if b"\\" in joined or not arrays or not (_STRUCTURE[data] | inside | quotes).all():
        found = [_decode_list(each) or () for each in raw]
        texts = pa.array([text for each in found for text in each], pa.large_string())
        return pa.array(map(len, found), pa.int64(), size=len(found)), texts
    at = np.flatnonzero(quotes)
    opened, closed = at[::2], at[1::2]
    ends = np.fromiter(map(len, raw), "int64", len(raw)).cumsum()
    counts = np.diff(np.searchsorted(opened, ends), prepend=0)
    return pa.array(counts), _array(data[inside & ~quotes].tobytes(), closed - opened - 1)


def _array(
    data: bytes | bytearray, sizes: NDArray[np.int64], said: NDArray[np.bool_] | None = None
) -> pa.Array:
    bits = None if said is None else pa.py_buffer(np.packbits(said, bitorder="little"))
    offsets = np.concatenate([[0], sizes.cumsum()])
    buffers = [bits, pa.py_buffer(offsets), pa.py_buffer(data)]
    # the cast looks whether it is UTF-8, and copies nothing
    return pa.Array.from_buffers(pa.large_binary(), len(sizes), buffers).cast(pa.large_string())


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
