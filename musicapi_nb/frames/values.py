"""The values of replies of one layout as columns, without a Python object of most of them.

A step that is dear for few values is hardly dearer for many: so all texts of a batch are taken in
one step, whatever columns they are of, and so are all numbers.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musicapi_nb.frames import escapes
from musicapi_nb.frames.arrays import (
    POOL,
    doubled,
    joined,
    joint,
    letters,
    odd_numbers,
    ranges,
    taken,
)
from musicapi_nb.frames.layouts import LIST, NUMBER, OBJECT, PIECES, TEXT, opening
from musicapi_nb.frames.steps import Steps, read_steps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from musicapi_nb.frames.arrays import Bytes, Flags, Numbers
    from musicapi_nb.frames.layouts import Found, Layout
    from musicapi_nb.frames.reply_types import Field, How

Key: TypeAlias = tuple[str, str]
Columns: TypeAlias = Mapping[Key, pa.Array]
"""Columns by table and name; of a table "lists" what a song has many of."""

# JSON writers agree on how such a number is spelled
_PLAIN_NUMBER = r"^(0|[1-9][0-9]{0,14}|0\.[0-9]{0,2}[1-9])$"
_NUMBER = r"^((0|[1-9][0-9]*)(\.[0-9]+)?)?$"
_UNIX_END = 4_102_444_800  # as `tasks.part` reads it
_MICROSECONDS = 1_000_000
_FIRST, _LAST = (np.datetime64(day, "us").astype("int64") for day in ("0001-01-01", "9999-12-31"))
_COMMA, _SPACE, _BACKSLASH, _MINUS = b", \\-"
_SPANS = [
    (f"{name}_seconds", ("tasks", f"{start}_at"), ("tasks", f"{end}_at"))
    for name, start, end in (
        ("queue", "submitted", "started"),
        ("render", "started", "finished"),
        ("total", "submitted", "finished"),
    )
]


class _Cells(NamedTuple):
    """Values of columns, the tasks' before the songs'; a column's are in the order of replies.

    Attributes
    ----------
    tasks, songs
        The numbers of the values in a reply, a row a column: of one, and of each song.
    """

    tasks: Numbers
    songs: Numbers

    def of(self, grid: NDArray[Any]) -> NDArray[Any]:
        """What a grid, a row a reply and a column a value, has of them."""
        found = [grid.T[each].transpose(0, 2, 1).ravel() for each in self if each.size]
        return found[0] if len(found) == 1 else np.concatenate([np.zeros(0, grid.dtype), *found])

    def counts(self, replies: int) -> list[int]:
        """How many cells each column has."""
        return [each.size * replies for group in self for each in group]

    def rows(self, at: Any, replies: int) -> Numbers:
        """The replies of the cells at some places."""
        at, of_tasks = np.asarray(at, "int64"), len(self.tasks) * replies
        songs = self.songs.shape[1]
        rows: Numbers = np.where(at < of_tasks, at % replies, (at - of_tasks) // songs % replies)
        return rows


class _Lists(NamedTuple):
    """Lists and objects: what each is, its first string and the one behind it, where it is."""

    codes: Bytes
    first: Numbers
    past: Numbers
    starts: Numbers
    ends: Numbers


class _Rest(NamedTuple):
    """What is written down again: for each song (or task), a row of values and of what is between.

    Attributes
    ----------
    pieces
        The numbers of values, and of `layouts.PIECES`; a row a song.
    is_value
        Which of them are values.
    """

    table: str
    pieces: Numbers
    is_value: Flags


class _Plan(NamedTuple):
    """What is to be made of a layout: cells, and the column of each of their rows."""

    texts: _Cells
    text_keys: Sequence[Key | None]
    numbers: _Cells
    number_keys: Sequence[tuple[How, Key | None]]
    tags: _Cells
    steps: _Cells
    rest: Sequence[_Rest]
    plain: Numbers


@functools.lru_cache(maxsize=64)
def _planned(layout: Layout) -> _Plan:
    tables = {
        "tasks": (layout.shape.task, layout.task, np.zeros(1, "int64")),
        "songs": (layout.shape.song, layout.song, np.arange(layout.songs) * layout.step),
    }
    found = {
        table: [
            (fields[name].how, fields[name].column, number + places)
            for name, number in numbers.items()
            if name in fields
        ]
        for table, (fields, numbers, places) in tables.items()
    }

    def cells(*hows: How) -> _Cells:
        rows = {
            table: [values for how, _, values in some if how in hows]
            for table, some in found.items()
        }
        return _Cells(
            np.array(rows["tasks"], "int64").reshape(-1, 1),
            np.array(rows["songs"], "int64").reshape(-1, layout.songs),
        )

    def keys(*hows: How) -> list[tuple[How, Key | None]]:
        return [
            (how, (table, column) if column else None)
            for table in tables
            for how, column, _ in found[table]
            if how in hows
        ]

    texts: tuple[How, ...] = ("text", "iso", "joined")
    numbers: tuple[How, ...] = ("unix", "length")
    plain = joint(values for some in found.values() for how, _, values in some if how == "rest")
    rest = [made for table, given in tables.items() if (made := _rest(table, *given)) is not None]
    return _Plan(
        cells(*texts),
        [key for _, key in keys(*texts)],
        cells(*numbers),
        keys(*numbers),
        cells("list"),
        cells("steps"),
        rest,
        plain,
    )


def _rest(
    table: str, fields: Mapping[str, Field], numbers: Mapping[str, int], places: Numbers
) -> _Rest | None:
    """What has no column, by name."""
    named = sorted(
        (name.rpartition(".")[2], fields[name], number)
        for name, number in numbers.items()
        if name in fields and (fields[name].rest or fields[name].how == "rest")
    )
    pieces: list[Numbers] = []
    is_value: list[bool] = []
    for at, (name, field, number) in enumerate(named):
        pieces.append(np.full_like(places, PIECES[opening(name, field, first=not at)]))
        is_value.append(False)
        if field.how != "same":
            pieces.append(places + number)
            is_value.append(True)
    pieces.append(np.full_like(places, PIECES["}"]))
    made = _Rest(table, np.column_stack(pieces), np.array([*is_value, False]))
    return made if named else None


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
        self._plain_rest()
        self._rest()
        self._numbers()
        self._texts()
        if self.bad.any():
            return
        for (table, name), value in self._layout.same.items():
            if value is not None:
                kind = pa.large_string() if isinstance(value, str) else pa.float64()
                many = rows if table == "songs" else self._replies
                made[table, name] = pa.repeat(pa.scalar(value, kind), many, memory_pool=POOL)
        made["tasks", "songs"] = pa.array(np.full(self._replies, songs))
        made["songs", "song_position"] = pa.array(np.tile(np.arange(songs), self._replies))
        if ("tasks", "task_id") in made:
            of_song = np.arange(self._replies).repeat(songs)
            made["songs", "task_id"] = taken(made["tasks", "task_id"], of_song)

    def _mark(self, rows: Any) -> None:
        self.bad[rows] = True

    # --- texts -----------------------------------------------------------------------------

    def _texts(self) -> None:
        """Take all texts: of columns, of tags, of steps."""
        plan, found, songs = self._plan, self._found, self._replies * self._layout.songs
        is_text = plan.texts.of(found.codes) == TEXT
        strings = np.where(is_text, plan.texts.of(found.names) + 1, len(self._scan.strings) // 2)
        per_song, of_tags = np.zeros(songs, "int64"), np.zeros(0, "int64")
        of_reply = np.arange(self._replies).repeat(self._layout.songs)
        if len(plan.tags.songs):
            per_song, of_tags = self._listed(self._lists(plan.tags), of_reply)
        steps = (
            self._steps(self._lists(plan.steps), of_reply)
            if len(plan.steps.songs)
            else Steps.none(songs)
        )
        lists = (of_tags, steps.sources, steps.types, steps.made)
        counts = [*plan.texts.counts(self._replies), *map(len, lists)]
        written = taken(self._scan.strings, 2 * np.concatenate([strings, *lists]))
        (*columns_, tag, source, kind, made), unread, blank = escapes.texts(written, counts)
        past = len(strings) + len(of_tags) + len(steps.sources)
        sources = range(past - len(steps.sources), past)  # which may be white space
        if odd := [*unread, *(at for at in blank if at not in sources)]:
            rows = joint(
                [
                    plan.texts.rows(np.arange(len(strings)), self._replies),
                    of_reply.repeat(per_song),
                    steps.rows,
                    steps.rows,
                    steps.rows.repeat(steps.per_step),
                ]
            )
            self._mark(rows[odd])
        for array, rows, each in ((tag, of_reply, per_song), (made, steps.rows, steps.per_step)):
            if array.null_count:  # an empty tag is none
                self._mark(rows.repeat(each)[array.is_null().to_numpy(zero_copy_only=False)])
        self._mark(steps.rows[doubled(source, steps.songs)])
        if self.bad.any():
            return
        self.made |= {
            ("lists", "per_song"): pa.array(per_song),
            ("lists", "tag"): tag,
            ("lists", "per_song_steps"): pa.array(steps.per_song),
            ("lists", "source"): source,
            ("lists", "type"): kind,
            ("lists", "per_step"): pa.array(steps.per_step),
            ("lists", "made"): made,
        }
        if len(plan.tags.songs):
            self.made["songs", "tags_text"] = joined(tag, per_song)
        self._columns_of(columns_)

    def _columns_of(self, texts: Sequence[pa.Array]) -> None:
        for key, column in zip(self._plan.text_keys, texts, strict=True):
            if key == ("songs", "created_at"):
                self.made[key] = self._instants(column)
            elif key == ("songs", "tags_text"):
                self.made[key] = self._split(column)
            elif key is not None:
                self.made[key] = column

    def _instants(self, texts: pa.Array) -> pa.Array:
        """ISO 8601 as microseconds since 1970."""
        try:
            found = pc.cast(texts, pa.timestamp("us", "UTC"), memory_pool=POOL).view(pa.int64())
        except pa.ArrowInvalid:
            self._mark(slice(None))
            return pa.nulls(len(texts), pa.int64())
        known = pc.fill_null(found, 0).to_numpy() if found.null_count else found.to_numpy()
        at = np.flatnonzero((known < _FIRST) | (known >= _LAST))
        self._mark(at // self._layout.songs)
        return found

    def _split(self, texts: pa.Array) -> pa.Array:
        """Tags that come as one text, one by one."""
        tags = [
            [tag for part in (text or "").split(",") if (tag := part.strip())]
            for text in texts.to_pylist()
        ]
        counts = np.array([len(each) for each in tags])
        self.made["lists", "per_song"] = pa.array(counts)
        self.made["lists", "tag"] = pa.array([tag for each in tags for tag in each], texts.type)
        return pc.if_else(pa.array(counts > 0), texts, None)

    # --- numbers ---------------------------------------------------------------------------

    def _numbers(self) -> None:
        """Lengths in seconds, moments, and how long lies between them; 0 says nothing."""
        numbers, start = self._plan.numbers, 0
        seconds = self._seconds(numbers)
        known: dict[Key, NDArray[np.float64]] = {}
        counts = numbers.counts(self._replies)
        for (how, key), count in zip(self._plan.number_keys, counts, strict=True):
            some = said = seconds[start : start + count]
            if how == "unix":
                late = some >= _UNIX_END
                some[late] = 0  # it might not fit in
                late |= some % 1 != 0
                if late.any():
                    odd = start + np.flatnonzero(late)
                    self._mark(numbers.rows(odd, self._replies))
                said = (some * _MICROSECONDS).astype("int64")
            start += count
            if key is not None:
                known[key] = some
                self.made[key] = _said(said, some == 0)
        for name, begin, end in _SPANS:
            if {begin, end} <= known.keys():
                took = known[end] - known[begin]
                unsaid = (took < 0) | (known[begin] == 0) | (known[end] == 0)
                self.made["tasks", name] = _said(took, unsaid)

    def _seconds(self, cells: _Cells) -> NDArray[np.float64]:
        """Numbers as JSON or as text; 0 where there is none."""
        found, codes = self._found, cells.of(self._found.codes)
        made = np.zeros(len(codes))
        for code in (NUMBER, TEXT):
            at = np.flatnonzero(codes == code)
            if not len(at):
                continue
            if code == NUMBER:
                replies, values = found.codes.shape
                every = found.piece(np.arange(replies)[:, None], np.arange(values))
                written = taken(found.pieces, cells.of(every)[at])
            else:
                written = taken(self._scan.strings, 2 * (cells.of(found.names)[at] + 1))
            odd = odd_numbers(written, _NUMBER)
            if not odd.any():
                texts = written.view(pa.large_string())
                if code == TEXT:
                    texts = pc.if_else(pc.equal(texts, ""), "0", texts)
                made[at] = pc.cast(texts, pa.float64(), memory_pool=POOL).to_numpy()
                odd = made[at] == np.inf  # so many digits
            if odd.any():
                self._mark(cells.rows(at[odd], self._replies))
        return made

    # --- lists -----------------------------------------------------------------------------

    def _lists(self, cells: _Cells) -> _Lists:
        found = self._found
        return _Lists(
            *(
                cells.of(each)
                for each in (found.codes, found.names + 1, found.past, found.starts, found.ends)
            )
        )

    def _strings_of(self, lists: _Lists, code: int, rows: Numbers) -> Numbers:
        """How many strings there are within each value of that code.

        A value without a string has to be two bytes long, and the others have to begin with one.
        """
        is_one = lists.codes == code
        counts = np.where(is_one, lists.past - lists.first, 0)
        good = self._scan.data[lists.ends - 1] == ord("]" if code == LIST else "}")
        begins = np.where(counts > 0, self._scan.starts[lists.first], lists.ends)
        good &= begins == lists.starts + 2
        self._mark(rows[is_one & ~good])
        return counts

    def _listed(self, lists: _Lists, rows: Numbers) -> tuple[Numbers, Numbers]:
        """How many texts each list has, and the numbers of all."""
        scan, comma = self._scan, self._layout.comma
        counts = self._strings_of(lists, LIST, rows)
        strings = ranges(lists.first, counts)
        full = np.flatnonzero(counts)
        last = counts[full].cumsum() - 1
        stops = scan.stops[strings]
        apart = scan.starts[strings + 1] - stops == 2 + comma
        apart &= scan.data[stops + 1] == _COMMA
        if comma > 1:
            apart &= scan.data[stops + 2] == _SPACE
        apart[last] = stops[last] + 2 == lists.ends[full]
        if not apart.all():
            self._mark(rows.repeat(counts)[~apart])
        return counts, strings

    def _steps(self, lists: _Lists, rows: Numbers) -> Steps:
        counts = self._strings_of(lists, OBJECT, rows)
        steps, odd = read_steps(self._found, rows, lists.ends, lists.first, counts)
        self._mark(odd)
        return steps

    # --- the rest --------------------------------------------------------------------------

    def _rest(self) -> None:
        """Write down again what has no column, by name."""
        found, rest = self._found, self._plan.rest
        if not rest:
            return
        first = np.arange(self._replies) * found.width  # of the pieces of each reply
        behind = self._replies * found.width
        every = []
        for _, pieces, is_value in rest:
            places = np.where(is_value, 2 * pieces + 1, behind + pieces)
            every.append((first[:, None, None] * is_value + places).ravel())
        written = taken(found.pieces, np.concatenate(every))
        _, ends, data = written.buffers()
        ends, start = np.frombuffer(ends, "int64", len(written) + 1), 0
        slashes = np.flatnonzero(letters(written) == _BACKSLASH)
        for (table, pieces, is_value), some in zip(rest, every, strict=True):
            places = ends[start : start + len(some) + 1 : len(is_value)].copy()
            start += len(some)
            if len(slashes):  # it might be spelled otherwise when it is written again
                at = np.searchsorted(places, slashes, "right") - 1
                here = (at >= 0) & (at < len(places) - 1)
                self._mark(at[here] // len(pieces))
            self.made[table, "extra"] = pa.Array.from_buffers(
                pa.large_string(), len(places) - 1, [None, pa.py_buffer(places), data]
            )

    def _plain_rest(self) -> None:
        """Flag numbers and lists that might be spelled otherwise when they are written again."""
        found, values = self._found, self._plan.plain
        codes, data = found.codes[:, values], self._scan.data
        starts, ends = found.starts[:, values], found.ends[:, values]
        # most are one digit or an empty list, of which there is no other spelling
        digit = (ends - starts == 1) & (data[starts] != _MINUS)
        rows, at = np.nonzero((codes == NUMBER) & ~digit)
        if len(rows):
            written = taken(found.pieces, found.piece(rows, values[at]))
            self._mark(rows[odd_numbers(written, _PLAIN_NUMBER, whole=True)])
        empty = (ends - starts == len("[]")) & (data[ends - 1] == ord("]"))
        rows, at = np.nonzero((codes == LIST) & ~empty)
        if len(rows):
            where = rows, values[at]
            lists = _Lists(
                codes[rows, at],
                found.names[where] + 1,
                found.past[where],
                found.starts[where],
                found.ends[where],
            )
            counts, _ = self._listed(lists, rows)
            if self._layout.comma > 1:
                self._mark(rows[counts > 1])


def _said(values: NDArray[Any], unsaid: Flags) -> pa.Array:
    return pa.array(values, mask=unsaid, memory_pool=POOL) if unsaid.any() else pa.array(values)
