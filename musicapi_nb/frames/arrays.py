"""Steps over Arrow and numpy arrays that reading values needs; they know of no reply."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes: TypeAlias = NDArray[np.uint8]
    Flags: TypeAlias = NDArray[np.bool_]
    Numbers: TypeAlias = NDArray[np.int64]

# Arrow's default pool gives memory back too soon, and to be given it anew is dear; it also keeps
# its own beside what numpy's memory comes from.
POOL = pa.system_memory_pool()
_ZERO, _POINT = b"0."
_TEN, _DIGITS = 10, 15


def between(offsets: Numbers, data: pa.Buffer) -> pa.Array:
    """The pieces of data from each of these places to the next."""
    buffers = [None, pa.py_buffer(np.ascontiguousarray(offsets)), data]
    return pa.Array.from_buffers(pa.large_binary(), len(offsets) - 1, buffers)


def taken(array: pa.Array, items: Numbers) -> pa.Array:
    """These items of an array, one after the other."""
    return pc.take(array, pa.array(items.ravel()), boundscheck=False, memory_pool=POOL)


def letters(array: pa.Array) -> Bytes:
    """What all items of an array that was just made hold, as one."""
    data = array.buffers()[2]
    return np.frombuffer(b"" if data is None else data, "uint8")


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
    lists = pa.ListArray.from_arrays(offsets, tags)
    text = pc.binary_join(lists, pa.scalar(", ", tags.type), memory_pool=POOL)
    return text if per_song.all() else pc.if_else(pa.array(per_song > 0), text, None)


def doubled(sources: pa.Array, songs: Numbers) -> list[int]:
    """Steps whose source stands in the same song before; JSON reads the last of them."""
    ends = np.frombuffer(sources.buffers()[1], "int64")
    sizes = np.diff(ends[sources.offset : sources.offset + len(sources) + 1])
    alike = songs * (sizes.max(initial=0) + 1) + sizes
    order = np.argsort(alike, kind="stable")
    same = np.diff(alike[order]) == 0
    # few are as long as another of their song: these are looked at
    seen, again = set[tuple[int, str]](), list[int]()
    for at in order[np.append(False, same) | np.append(same, False)[: len(order)]].tolist():
        source = int(songs[at]), sources[at].as_py()
        if source in seen:
            again.append(at)
        seen.add(source)
    return again
