"""JSON strings as they are written to the texts that they mean, many at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa

from musicapi_nb.frames.layouts import letters, taken
from musicapi_nb.frames.scan import between

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BACKSLASH = ord("\\")
# The character that an escaped letter stands for; 0: none, or one that has to be worked out.
_MEANT = np.zeros(256, "uint8")
for _letter, _character in zip(b'"\\/bfnrt', b'"\\/\b\f\n\r\t', strict=True):
    _MEANT[_letter] = _character
_BLANK_FIRST = np.zeros(256, bool)  # by the first byte in UTF-8 of any white space
_BLANK_FIRST[[chr(code).encode()[0] for code in range(0x3001) if chr(code).isspace()]] = True
_decode = msgspec.json.Decoder(str).decode


def texts(written: pa.Array) -> tuple[pa.Array, list[int], list[int]]:
    """Turn strings as JSON writes them, without their quotes, into texts.

    Parameters
    ----------
    written
        An array of large_binary that `layouts.taken` just made, in UTF-8 and without nulls; its
        memory is written to.

    Returns
    -------
    An array of large_string in which "" is missing; the items that are no strings (an escape that
    there is not, or half a surrogate pair); and those that are white space alone.
    """
    _, ends, data = written.buffers()
    offsets = np.frombuffer(ends, "int64", len(written) + 1)
    raw = np.frombuffer(b"" if data is None else data, "uint8", offsets[-1])
    slashes = np.flatnonzero(raw == _BACKSLASH)
    bad: list[int] = []
    if len(slashes):
        meant = _MEANT[raw[np.minimum(slashes + 1, len(raw) - 1)]]
        if not meant.all() or (np.diff(slashes) == 1).any():
            read = [_read(item) for item in written.to_pylist()]
            bad = [place for place, text in enumerate(read) if text is None]
            made = pa.array([text or "" for text in read], pa.large_string())
            _, ends, data = made.buffers()
            offsets = np.frombuffer(ends, "int64", len(made) + 1)
        else:
            raw[slashes + 1] = meant
            offsets = offsets - np.searchsorted(slashes, offsets)
            data = _without(slashes, raw)
    sizes = np.diff(offsets)
    said = None if sizes.all() else pa.py_buffer(np.packbits(sizes > 0, bitorder="little"))
    made = pa.Array.from_buffers(
        pa.large_string(), len(sizes), [said, pa.py_buffer(np.ascontiguousarray(offsets)), data]
    )
    return made, bad, _blank(made, offsets, data)


def _without(places: NDArray[np.int64], data: NDArray[np.uint8]) -> pa.Buffer:
    """Data without the bytes at these places; `bytes.replace` would let no other thread run."""
    bounds = np.concatenate([[0], np.ravel(np.column_stack([places, places + 1])), [len(data)]])
    pieces = between(bounds, pa.py_buffer(data))
    return pa.py_buffer(letters(taken(pieces, np.arange(0, len(pieces), 2))))


def _read(written: bytes) -> str | None:
    try:
        return _decode(b'"' + written + b'"')
    except (msgspec.MsgspecError, ValueError):
        return None


def _blank(made: pa.Array, offsets: NDArray[np.int64], data: pa.Buffer | None) -> list[int]:
    """The texts that are white space alone."""
    if data is None or not len(data):
        return []
    first = np.frombuffer(data, "uint8")[np.minimum(offsets[:-1], len(data) - 1)]
    # few begin like white space: these are looked at as a whole
    suspects = np.flatnonzero(_BLANK_FIRST[first] & (np.diff(offsets) > 0))
    return [int(at) for at in suspects if made[int(at)].as_py().isspace()]
