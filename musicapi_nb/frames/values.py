"""The values of replies of one layout as columns, without a Python object of most of them.

A step that is dear for few values is hardly dearer for many: so all texts of a batch are taken in
one step, whatever columns they are of, and so are all numbers.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musicapi_nb.frames import escapes
from musicapi_nb.frames.arrays import doubled, joined, joint, odd_numbers, ranges
from musicapi_nb.frames.layouts import LIST, NUMBER, OBJECT, TEXT, letters, opening, taken
from musicapi_nb.frames.steps import Steps, read_steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from musicapi_nb.frames.layouts import Found, Layout
    from musicapi_nb.frames.scan import Flags, Numbers

Key: TypeAlias = tuple[str, str]
Columns: TypeAlias = Mapping[Key, pa.Array]
"""Columns by table and name; of a table "lists" what a song has many of."""

# JSON writers agree on how such a number is spelled
_PLAIN_NUMBER = r"^(0|[1-9][0-9]{0,14}|0\.[0-9]{0,2}[1-9])$"
_NUMBER = r"^((0|[1-9][0-9]*)(\.[0-9]+)?)?$"
_UNIX_END = 4_102_444_800  # as `tasks.part` reads it
_MICROSECONDS = 1_000_000
_FIRST, _LAST = (np.datetime64(day, "us").astype("int64") for day in ("0001-01-01", "9999-12-31"))
_COMMA, _SPACE, _BACKSLASH = b", \\"
_SPANS = [(f"{name}_seconds", ("tasks", f"{start}_at"), ("tasks", f"{end}_at")) for name, start, end
          in (("queue", "submitted", "started"), ("render", "started", "finished"),
              ("total", "submitted", "finished"))]  # fmt: skip


class _Cells(NamedTuple):
    """Values, each by its reply and its number in the layout."""

    rows: Numbers
    values: Numbers


class _Column(NamedTuple):
    """A column to be made, and the numbers of its values in the first reply."""

    key: Key | None
    values: Numbers


class _Plan(NamedTuple):
    """What is to be made of a layout."""

    texts: Sequence[_Column]
    unix: Sequence[_Column]
    lengths: Sequence[_Column]
    tags: Numbers
    steps: Numbers
    rest: Numbers


@functools.lru_cache(maxsize=64)
def _planned(layout: Layout) -> _Plan:
    offsets = np.arange(layout.songs) * layout.step
    kinds: dict[str, list[_Column]] = {}
    for table, fields, numbers, places in (
        ("tasks", layout.shape.task, layout.task, np.zeros(1, "int64")),
        ("songs", layout.shape.song, layout.song, offsets),
    ):
        for name, number in numbers.items():
            if (field := fields.get(name)) is not None:
                key = (table, field.column) if field.column else None
                kinds.setdefault(field.how, []).append(_Column(key, number + places))

    def of(*hows: str) -> list[_Column]:
        return [column for how in hows for column in kinds.get(how, ())]

    def numbers_of(how: str) -> Numbers:
        return joint(column.values for column in of(how))

    return _Plan(of("text", "iso", "joined"), of("unix"), of("length"),
                 numbers_of("list"), numbers_of("steps"), numbers_of("rest"))  # fmt: skip


def columns(found: Found) -> tuple[Columns, Flags]:
    """Read all columns of replies; of those that are flagged, something is not understood."""
    reading = _Reading(found)
    reading.read()
    return reading.made, reading.bad


class _Reading:
    def __init__(self, found: Found) -> None:
        self._found, self._scan, self._layout = found, found.scan, found.layout
        self._replies = len(found.rows)
        self._plan = _planned(found.layout)
        self.made: dict[Key, pa.Array] = {}
        self.bad: Flags = np.zeros(self._replies, bool)

    def read(self) -> None:
        songs, made, rows = self._layout.songs, self.made, self._replies * self._layout.songs
        self._rest("tasks", self._layout.task, np.zeros(1, "int64"))
        self._rest("songs", self._layout.song, np.arange(songs) * self._layout.step)
        self._plain_rest()
        self._lengths()
        self._moments()
        self._texts()
        if self.bad.any():
            return
        for (table, name), value in self._layout.same.items():
            if value is not None:
                kind = pa.large_string() if isinstance(value, str) else pa.float64()
                many = rows if table == "songs" else self._replies
                made[table, name] = pa.repeat(pa.scalar(value, kind), many)
        made["tasks", "songs"] = pa.array(np.full(self._replies, songs))
        made["songs", "song_position"] = pa.array(np.tile(np.arange(songs), self._replies))
        if ("tasks", "task_id") in made:
            of_song = np.arange(self._replies).repeat(songs)
            made["songs", "task_id"] = taken(made["tasks", "task_id"], of_song)

    def _mark(self, rows: Any) -> None:
        self.bad[rows] = True

    def _cells(self, columns_: Sequence[_Column]) -> _Cells:
        """The values of columns, one column after the other."""
        replies = np.arange(self._replies)
        return _Cells(
            joint(replies.repeat(len(each.values)) for each in columns_),
            joint(np.tile(each.values, self._replies) for each in columns_),
        )

    def _each(self, values: Numbers) -> _Cells:
        return self._cells([_Column(None, values)])

    # --- texts -----------------------------------------------------------------------------

    def _texts(self) -> None:
        """Take all texts: of columns, of tags, of steps."""
        plan, found = self._plan, self._found
        cells = self._cells(plan.texts)
        is_text = found.codes[cells] == TEXT
        strings = np.where(is_text, found.names[cells] + 1, len(self._scan.strings) // 2)
        tags = self._each(plan.tags)
        per_song, of_tags, tag_rows = self._listed(tags)
        if not len(plan.tags):
            per_song = np.zeros(self._replies * self._layout.songs, "int64")
        steps = (
            self._steps(self._each(plan.steps))
            if len(plan.steps)
            else Steps.none(self._replies * self._layout.songs)
        )
        columns_ = self._taken(strings, cells.rows)
        # apart from the others: there are many of them, and few have escapes
        parts = (of_tags, steps.sources, steps.types, steps.made)
        rows = np.concatenate([tag_rows, steps.rows, steps.rows, steps.made_rows])
        ends = np.cumsum([0, *map(len, parts)])
        texts = self._taken(np.concatenate(parts), rows, (int(ends[1]), int(ends[2])))
        tag, source, kind, made = (
            texts.slice(start, end - start) for start, end in itertools.pairwise(ends)
        )
        for array, whose in ((tag, tag_rows), (made, steps.made_rows)):  # an empty tag is none
            if array.null_count:
                self._mark(whose[array.is_null().to_numpy(zero_copy_only=False)])
        self._mark(steps.rows[doubled(source, steps.songs)])
        if self.bad.any():
            return
        self.made |= {
            ("lists", "per_song"): pa.array(per_song), ("lists", "tag"): tag,
            ("lists", "per_song_steps"): pa.array(steps.per_song), ("lists", "source"): source,
            ("lists", "type"): kind, ("lists", "per_step"): pa.array(steps.per_step),
            ("lists", "made"): made,
        }  # fmt: skip
        if len(plan.tags):
            self.made["songs", "tags_text"] = joined(tag, per_song)
        self._columns_of(columns_)

    def _taken(
        self, strings: Numbers, rows: Numbers, blank_at: tuple[int, int] = (0, 0)
    ) -> pa.Array:
        """Strings as texts; from one item to another they may be white space, and are kept."""
        texts, unread, blank = escapes.texts(taken(self._scan.strings, 2 * strings))
        first, end = blank_at
        self._mark(rows[[*unread, *(item for item in blank if not first <= item < end)]])
        return texts

    def _columns_of(self, texts: pa.Array) -> None:
        start = 0
        for key, values in self._plan.texts:
            rows = self._replies * len(values)
            column = texts.slice(start, rows)
            start += rows
            if key == ("songs", "created_at"):
                column = self._instants(column, len(values))
            elif key == ("songs", "tags_text"):
                column = self._split(column)
            if key is not None:
                self.made[key] = column

    def _instants(self, texts: pa.Array, songs: int) -> pa.Array:
        """ISO 8601 as microseconds since 1970."""
        try:
            found = texts.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
        except pa.ArrowInvalid:
            self._mark(slice(None))
            return pa.nulls(len(texts), pa.int64())
        known = found.fill_null(0).to_numpy()
        self._mark(np.flatnonzero((known < _FIRST) | (known >= _LAST)) // songs)
        return found

    def _split(self, texts: pa.Array) -> pa.Array:
        """Tags that come as one text, one by one."""
        tags = [[tag for part in (text or "").split(",") if (tag := part.strip())]
                for text in texts.to_pylist()]  # fmt: skip
        counts = np.array([len(each) for each in tags])
        self.made["lists", "per_song"] = pa.array(counts)
        self.made["lists", "tag"] = pa.array([tag for each in tags for tag in each], texts.type)
        return pc.if_else(pa.array(counts > 0), texts, None)

    # --- numbers ---------------------------------------------------------------------------

    def _numbers(self, cells: _Cells) -> NDArray[np.float64]:
        """Numbers as JSON or as text; 0 where there is none."""
        found, codes = self._found, self._found.codes[cells]
        made = np.zeros(len(codes))
        for code in (NUMBER, TEXT):
            at = np.flatnonzero(codes == code)
            if not len(at):
                continue
            some = _Cells(cells.rows[at], cells.values[at])
            written = (
                taken(found.pieces, found.piece(some.rows, some.values))
                if code == NUMBER
                else taken(self._scan.strings, 2 * (found.names[some] + 1))
            )
            odd = odd_numbers(written, _NUMBER)
            self._mark(some.rows[odd])
            if not odd.any():
                texts = written.view(pa.large_string())
                if code == TEXT:
                    texts = pc.if_else(pc.equal(texts, ""), "0", texts)
                made[at] = texts.cast(pa.float64()).to_numpy()
        return made

    def _lengths(self) -> None:
        seconds, start = self._numbers(self._cells(self._plan.lengths)), 0
        for key, values in self._plan.lengths:
            end = start + self._replies * len(values)
            some = seconds[start:end]
            start = end
            if key is not None:
                self.made[key] = pa.array(some, mask=some == 0)

    def _moments(self) -> None:
        """Unix seconds as microseconds since 1970, and how long lies between them."""
        seconds = self._numbers(self._cells(self._plan.unix))
        seconds = seconds.reshape(len(self._plan.unix), self._replies)
        self._mark(((seconds >= _UNIX_END) | (seconds % 1 != 0)).any(axis=0))
        known = {}
        for (key, _), some in zip(self._plan.unix, seconds, strict=True):
            if key is not None:
                known[key] = some
                self.made[key] = pa.array((some * _MICROSECONDS).astype("int64"), mask=some == 0)
        for name, start, end in _SPANS:
            if {start, end} <= known.keys():
                took = known[end] - known[start]
                unsaid = (took < 0) | (known[start] == 0) | (known[end] == 0)
                self.made["tasks", name] = pa.array(took, mask=unsaid)

    # --- lists -----------------------------------------------------------------------------

    def _strings_of(self, cells: _Cells, code: int) -> tuple[Numbers, Numbers]:
        """The first string within each value of that code, and how many there are.

        A value without a string has to be two bytes long, and the others have to begin with one.
        """
        found, data = self._found, self._scan.data
        starts, ends, first = found.starts[cells], found.ends[cells], found.names[cells] + 1
        is_one = found.codes[cells] == code
        counts = np.where(is_one, np.searchsorted(self._scan.starts[:-1], ends) - first, 0)
        good = data[ends - 1] == ord("]" if code == LIST else "}")
        good &= np.where(counts > 0, self._scan.starts[first], ends) == starts + 2
        self._mark(cells.rows[is_one & ~good])
        return first, counts

    def _listed(self, cells: _Cells) -> tuple[Numbers, Numbers, Numbers]:
        """How many texts each list has; the numbers of all, and their replies."""
        scan, comma = self._scan, self._layout.comma
        first, counts = self._strings_of(cells, LIST)
        strings, rows = ranges(first, counts), cells.rows.repeat(counts)
        full = np.flatnonzero(counts)
        last = counts[full].cumsum() - 1
        stops = scan.stops[strings]
        apart = scan.starts[strings + 1] - stops == 2 + comma
        apart &= scan.data[stops + 1] == _COMMA
        if comma > 1:
            apart &= scan.data[stops + 2] == _SPACE
        apart[last] = stops[last] + 2 == self._found.ends[cells][full]
        self._mark(rows[~apart])
        return counts, strings, rows

    def _steps(self, cells: _Cells) -> Steps:
        first, counts = self._strings_of(cells, OBJECT)
        steps, odd = read_steps(self._found, cells.rows, self._found.ends[cells], first, counts)
        self._mark(odd)
        return steps

    # --- the rest --------------------------------------------------------------------------

    def _rest(self, table: str, numbers: Mapping[str, int], offsets: Numbers) -> None:
        """Write down again what has no column, by name."""
        found = self._found
        fields = self._layout.shape.song if table == "songs" else self._layout.shape.task
        named = sorted(
            (name.rpartition(".")[2], fields[name], number) for name, number in numbers.items()
            if name in fields and (fields[name].rest or fields[name].how == "rest")
        )  # fmt: skip
        if not named:
            return
        songs = len(offsets)
        cells = self._each(offsets)
        pieces: list[Any] = []
        for place, (name, field, number) in enumerate(named):
            pieces.append(found.behind(opening(name, field, first=not place)))
            if field.how != "same":
                pieces.append(found.piece(cells.rows, cells.values + number))
        pieces.append(found.behind("}"))
        items = np.empty((self._replies * songs, len(pieces)), "int64")
        for place, piece in enumerate(pieces):
            items[:, place] = piece
        written = taken(found.pieces, items)
        _, ends, data = written.buffers()
        places = np.frombuffer(ends, "int64", len(written) + 1)[:: len(pieces)].copy()
        slashes = np.flatnonzero(letters(written) == _BACKSLASH)
        if len(slashes):  # it might be spelled otherwise when it is written again
            self._mark((np.searchsorted(places, slashes, "right") - 1) // songs)
        self.made[table, "extra"] = pa.Array.from_buffers(
            pa.large_string(), len(items), [None, pa.py_buffer(places), data]
        )

    def _plain_rest(self) -> None:
        """Flag numbers and lists that might be spelled otherwise when they are written again."""
        found, values = self._found, self._plan.rest
        codes = found.codes[:, values]
        rows, at = np.nonzero(codes == NUMBER)
        if len(rows):
            written = taken(found.pieces, found.piece(rows, values[at]))
            self._mark(rows[odd_numbers(written, _PLAIN_NUMBER, whole=True)])
        rows, at = np.nonzero(codes == LIST)
        if len(rows):
            counts, _, _ = self._listed(_Cells(rows, values[at]))
            if self._layout.comma > 1:
                self._mark(rows[counts > 1])
