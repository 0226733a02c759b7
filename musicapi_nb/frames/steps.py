"""The steps of `replaced_tags` in replies of one layout: which strings they are made of."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musicapi_nb.frames.arrays import joint, ranges, taken
from musicapi_nb.frames.scan import spelled

if TYPE_CHECKING:
    from musicapi_nb.frames.arrays import Flags, Numbers
    from musicapi_nb.frames.layouts import Found
    from musicapi_nb.frames.scan import Scan


class Steps(NamedTuple):
    """Steps of rewriting: each one's song and reply, how many each song has; their strings."""

    songs: Numbers
    rows: Numbers
    per_song: Numbers
    sources: Numbers
    types: Numbers
    per_step: Numbers
    made: Numbers

    @classmethod
    def none(cls, songs: int) -> Steps:
        no = np.zeros(0, "int64")
        return cls(no, no, np.zeros(songs, "int64"), no, no, no, no)


def read_steps(
    found: Found, replies: Numbers, ends: Numbers, first: Numbers, counts: Numbers
) -> tuple[Steps, Numbers]:
    """Find the steps of songs, and the replies in which they are not written as they should be.

    Parameters
    ----------
    replies, ends
        Each song's reply, and where its object of steps ends.
    first, counts
        The first string within that object, and how many there are.
    """
    scan = found.scan
    past = first + counts
    begin = np.searchsorted(scan.steps[:, 0], first)
    per_song = np.searchsorted(scan.steps[:, 0], past) - begin
    odd = replies[(counts > 0) != (per_song > 0)]
    which = ranges(begin, per_song)
    sources, types = scan.steps[which, 0], scan.steps[which, 1]
    songs = np.arange(len(counts)).repeat(per_song)
    rows = replies[songs]
    new = np.diff(songs, prepend=-1) != 0
    last = np.append(new[1:], True)[: len(new)]
    after = np.append(sources[1:], 0)[: len(new)]
    fits = types + 2 == np.where(last, past[songs], after)
    fits &= ~new | (sources == first[songs])
    fits &= ~last | (scan.stops[types + 1] + 3 == ends[songs])
    if not fits.all():  # then nothing is where it should be
        return Steps.none(len(counts)), joint([odd, rows[~fits]])
    per_step = types - sources - 2
    made = ranges(sources + 2, per_step)
    steps = Steps(songs, rows, per_song, sources, types + 1, per_step, made)
    return steps, joint([odd, _odd(found, steps, last)])


def _odd(found: Found, steps: Steps, last: Flags) -> Numbers:
    """The replies that have anything else between the strings of a step than belongs there."""
    strings, layout = found.scan.strings, found.layout
    sources, types, per_step, rows = steps.sources, steps.types - 1, steps.per_step, steps.rows
    some = per_step > 0
    after_tags = np.full(len(steps.made), _BETWEEN_TAGS)
    after_tags[per_step[some].cumsum() - 1] = _LAST_TAG
    after_name = np.where(some, _TAGS, _NO_TAGS)
    before = (sources, sources + 1, steps.made, types, types[~last] + 1)
    wanted = (
        np.full(len(sources), _SOURCE),
        after_name,
        after_tags,
        np.full(len(types), _TYPE),
        np.full(np.count_nonzero(~last), _NEXT),
    )
    gaps = taken(_gaps(layout.colon, layout.comma), np.concatenate(wanted))
    made = taken(strings, 2 * np.concatenate(before) + 1)
    odd = rows[~_named_type(found.scan, types)]
    if made.equals(gaps):
        return odd
    whose = np.concatenate([rows, rows, rows.repeat(per_step), rows, rows[~last]])
    return joint([odd, whose[~pc.equal(made, gaps).to_numpy(zero_copy_only=False)]])


def _named_type(scan: Scan, strings: Numbers) -> Flags:
    starts = scan.starts[strings]
    alone: Flags = scan.stops[strings] - starts == len(b"type")
    return alone & spelled(scan.data, starts, b"type")


# What stands behind the strings of a step, up to the next string.
_SOURCE, _TAGS, _NO_TAGS, _BETWEEN_TAGS, _LAST_TAG, _TYPE, _NEXT = range(7)


@functools.cache
def _gaps(colon: int, comma: int) -> pa.Array:
    named, then = '":'.ljust(1 + colon), ",".ljust(comma)
    gaps = (
        f'{named}{{"',
        f'{named}["',
        f'{named}[]{then}"',
        f'"{then}"',
        f'"]{then}"',
        f'{named}"',
        f'"}}{then}"',
    )
    return pa.array([gap.encode() for gap in gaps], pa.large_binary())
