"""Steps over Arrow and numpy arrays that reading values needs; they know of no reply."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musicapi_nb.frames.layouts import letters

if TYPE_CHECKING:
    from collections.abc import Iterable

    from musicapi_nb.frames.scan import Bytes, Flags, Numbers

_ZERO, _POINT = b"0."
_TEN, _DIGITS = 10, 15


def joint(parts: Iterable[Numbers]) -> Numbers:
    return np.concatenate([np.zeros(0, "int64"), *parts])


def ranges(first: Numbers, counts: Numbers) -> Numbers:
    """So many numbers from each first one on, one range after the other."""
    before = counts.cumsum() - counts
    made: Numbers = (first - before).repeat(counts) + np.arange(counts.sum())
    return made


def odd_numbers(written: pa.Array, pattern: str, *, whole: bool = False) -> Flags:
    """Which numbers are not written as a pattern says; usually none, which is seen at once."""
    raw = letters(written)
    offsets = np.frombuffer(written.buffers()[1], "int64", len(written) + 1)
    sizes = np.diff(offsets)
    points = np.flatnonzero(raw == _POINT)
    if (
        sizes.min(initial=1) > 0
        and not (whole and (len(points) or sizes.max(initial=0) > _DIGITS))
        and np.count_nonzero(raw - _ZERO < _TEN) + len(points) == len(raw)  # bytes wrap around
        and (np.diff(np.searchsorted(points, offsets)) <= 1).all()
        and not (raw[offsets[1:] - 1] == _POINT).any()
        and _begin_well(raw, offsets[:-1], sizes)
    ):
        return np.zeros(len(written), bool)
    matches = pc.match_substring_regex(written.view(pa.large_string()), pattern)
    odd: Flags = ~matches.to_numpy(zero_copy_only=False)
    return odd


def _begin_well(raw: Bytes, begins: Numbers, sizes: Numbers) -> bool:
    """Whether numbers begin with a digit, and with 0 only before a point."""
    first = raw[begins]
    second = raw[begins + (sizes > 1)]
    return not ((first == _POINT) | ((first == _ZERO) & (sizes > 1) & (second != _POINT))).any()


def joined(tags: pa.Array, per_song: Numbers) -> pa.Array:
    """The tags of each song as one text."""
    offsets = pa.array(np.concatenate([[0], per_song.cumsum()]), pa.int32())
    text = pc.binary_join(pa.ListArray.from_arrays(offsets, tags), pa.scalar(", ", tags.type))
    return pc.if_else(pa.array(per_song > 0), text, None)


def doubled(sources: pa.Array, songs: Numbers) -> Numbers:
    """Steps whose source stands in the same song before; JSON reads the last of them."""
    codes = sources.dictionary_encode().indices.fill_null(-1).to_numpy()
    _, first = np.unique(songs * (len(codes) + 1) + codes, return_index=True)
    again = np.ones(len(codes), bool)
    again[first] = False
    return np.flatnonzero(again)
