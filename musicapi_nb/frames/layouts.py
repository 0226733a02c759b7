"""Replies of one layout: learned from one of them, found again byte for byte in many.

Replies of one kind differ in their values alone. All that stands between the values, the names of
fields among it, is a layout: it is learned from one reply that the JSON library reads, and another
reply is of this layout if, but for its values, it is the same to the byte.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from musicapi_nb.frames.arrays import between, letters, taken
from musicapi_nb.frames.reply_types import SHAPES
from musicapi_nb.frames.scan import scan

if TYPE_CHECKING:
    from musicapi_nb.frames.arrays import Bytes, Numbers
    from musicapi_nb.frames.reply_types import Field, How, Shape
    from musicapi_nb.frames.scan import Scan

# What a value is, by its first byte.
TEXT, NULL, FLAG, NUMBER, LIST, OBJECT, NOTHING = (1 << place for place in range(7))
_BY_FIRST = np.zeros(256, "uint8")
for _first, _code in (
    (b'"', TEXT),
    (b"n", NULL),
    (b"tf", FLAG),
    (b"-0123456789", NUMBER),
    (b"[", LIST),
    (b"{", OBJECT),
):
    _BY_FIRST[list(_first)] = _code
_ALLOWED: Mapping[How, int] = {
    "text": TEXT | NULL,
    "unix": NUMBER | NULL,
    "iso": TEXT | NULL,
    "joined": TEXT | NULL,
    "length": NUMBER | TEXT | NULL,
    "list": LIST | NULL,
    "steps": OBJECT | NULL,
    "same": NOTHING,
    "rest": TEXT | NULL | FLAG | NUMBER | LIST,
}
_NULL, _TRUE, _FALS = np.array([b"null", b"true", b"fals"]).view("u4")


def opening(name: str, field: Field, *, first: bool) -> str:
    """How a field begins in an object that is written down again."""
    value = json.dumps(field.among[0]) if field.how == "same" else ""
    return f'{"{" if first else ","}"{name}":{value}'


# Such beginnings stand behind the replies, so that they can be taken like their values.
_PIECES = (
    "}",
    *dict.fromkeys(
        opening(name.rpartition(".")[2], field, first=first)
        for shape in SHAPES
        for fields in (shape.task, shape.song)
        for name, field in fields.items()
        if field.rest or field.how == "rest"
        for first in (True, False)
    ),
)
PIECES: Mapping[str, int] = {piece: place for place, piece in enumerate(_PIECES)}
BEHIND = "".join(_PIECES).encode()
_BEHIND = np.cumsum([0, *map(len, _PIECES)])


class Unknown(Exception):
    """A reply has no layout that is understood here."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """What replies have in common.

    Attributes
    ----------
    between, lengths
        All that stands between the values as one text, and how much of it stands before each
        value and behind the last. What is the same in all replies has nothing as its value.
    allowed
        What each value may be.
    task, song
        Each field's number among the values: of the task, and of the first song.
    songs, step
        How many songs there are, and how many values from one to the next.
    same
        Columns with one value in all replies.
    gaps
        The lengths of what stands between a value and the name of the next.
    colon, comma
        The lengths of what stands between a name and its value, and between items of a list.
    """

    shape: Shape
    between: Bytes
    lengths: Numbers
    allowed: Bytes
    task: Mapping[str, int]
    song: Mapping[str, int]
    songs: int
    step: int
    same: Mapping[tuple[str, str], Any]
    gaps: Numbers
    colon: int
    comma: int


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Replies of one layout, `rows` among the texts; a row a reply and a column a value each.

    Attributes
    ----------
    names, past
        The number of the string that names the value, and of the first string behind it.
    starts, ends
        Where it is.
    codes
        What it is.
    pieces
        All values as they are written, and `PIECES` behind them.
    """

    layout: Layout
    scan: Scan
    rows: Numbers
    names: Numbers
    past: Numbers
    starts: Numbers
    ends: Numbers
    codes: Bytes
    pieces: pa.Array

    def piece(self, rows: Numbers, values: Numbers) -> Numbers:
        """Where in `pieces` values of replies are."""
        places: Numbers = rows * self.width + (2 * values + 1)
        return places

    @property
    def width(self) -> int:
        """How many of `pieces` are of one reply; those of `PIECES` stand behind all."""
        return 2 * int(self.starts.shape[1]) + 2


# --- learning ------------------------------------------------------------------------------


class _Pairs(list[tuple[str, Any]]):
    """An object as JSON has it: fields in order, doubled ones too."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Value:
    name: str
    song: int | None
    field: Field | None  # None: objects begin behind this name
    value: Any = None


def learn(text: bytes) -> Layout:
    """Learn the layout of a reply.

    Raises
    ------
    Unknown
        It is no JSON, or a field is not known, is there twice or has a value that is not
        understood here.
    """
    try:
        read = json.loads(text.decode(), object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        raise Unknown from None
    for shape in SHAPES:
        try:
            values = list(_of_task(read, shape))
        except Unknown:
            continue
        return _laid(text, shape, values)
    raise Unknown


def _of_task(read: Any, shape: Shape, path: str = "") -> Iterator[_Value]:
    for key, value in _distinct(read):
        name = f"{path}{key}"
        if name == shape.songs and isinstance(value, list) and value:
            yield _Value(name, None, None)
            for place, song in enumerate(value):
                for field, item in _distinct(song):
                    yield _Value(field, place, _known(shape.song, field, item), item)
        elif isinstance(value, _Pairs) and any(
            each.startswith(f"{name}.") for each in (shape.songs, *shape.task)
        ):
            yield _Value(name, None, None)
            yield from _of_task(value, shape, f"{name}.")
        else:
            yield _Value(name, None, _known(shape.task, name, value), value)


def _distinct(read: Any) -> _Pairs:
    if not isinstance(read, _Pairs) or len({name for name, _ in read}) != len(read):
        raise Unknown
    return read


def _known(fields: Mapping[str, Field], name: str, value: Any) -> Field:
    field = fields.get(name)
    if field is None or (
        field.how == "same"
        and not any(type(value) is type(each) and value == each for each in field.among)
    ):
        raise Unknown
    return field


def _laid(text: bytes, shape: Shape, values: Sequence[_Value]) -> Layout:
    found = scan([text], BEHIND)
    last = max((each.song for each in values if each.song is not None), default=0)
    songs = [[each.name for each in values if each.song == place] for place in range(last + 1)]
    present = {value.name for value in values}
    if (
        not found.fit[0]
        or len(found.keys) != len(values)
        or not shape.needed <= present
        or any(names != songs[0] for names in songs)
    ):
        raise Unknown
    starts, ends = _extents(text, found, values)
    quotes = [*(int(found.starts[key]) - 1 for key in found.keys[1:]), len(text)]
    colons = {
        start - int(found.stops[key]) - 1 for start, key in zip(starts, found.keys, strict=True)
    }
    if len(colons) != 1 or not colons <= {1, 2}:
        raise Unknown
    bounds = [(0, starts[0]), *zip(ends, [*starts[1:], len(text)], strict=True)]
    numbers = {(value.song, value.name): place for place, value in enumerate(values)}
    return Layout(
        shape=shape,
        between=np.frombuffer(b"".join(text[start:end] for start, end in bounds), "uint8"),
        lengths=np.array([end - start for start, end in bounds]),
        allowed=np.array(
            [_ALLOWED[each.field.how if each.field else "same"] for each in values], "uint8"
        ),
        task={name: place for (song, name), place in numbers.items() if song is None},
        song={name: place for (song, name), place in numbers.items() if song == 0},
        songs=len(songs),
        step=len(songs[0]),
        same=_same(shape, values),
        gaps=np.array([quote - end for quote, end in zip(quotes, ends, strict=True)]),
        colon=colons.pop(),
        comma=1 + (b'": ' in text[: starts[0] + 1]),
    )


def _extents(text: bytes, found: Scan, values: Sequence[_Value]) -> tuple[list[int], list[int]]:
    decode = json.JSONDecoder().raw_decode
    letters = text.decode("latin-1")  # a letter a byte
    starts, ends = [], []
    for key, value in zip(found.keys, values, strict=True):
        name = value.name if value.song is not None else value.name.rpartition(".")[2]
        if found.strings[2 * int(key)].as_py() != name.encode():
            raise Unknown
        start = int(found.stops[key]) + 2
        start += letters[start] == " "
        same = value.field is None or value.field.how == "same"
        starts.append(start)
        ends.append(start if same else decode(letters, start)[1])
    return starts, ends


def _same(shape: Shape, values: Sequence[_Value]) -> Mapping[tuple[str, str], Any]:
    found = dict(shape.always)
    for value in values:
        if value.field is not None and value.field.how == "same" and value.field.column:
            table = "tasks" if value.song is None else "songs"
            said = 1.0 if value.field.column == "progress" and value.value else value.value
            found[table, value.field.column] = said
    return found


# --- finding -------------------------------------------------------------------------------


def find(layout: Layout, texts: Scan, rows: Numbers) -> Found | None:
    """Those of some texts that are of a layout; None if none is."""
    count = len(layout.allowed)
    rows = rows[(np.diff(texts.key_bounds)[rows] == count) & texts.fit[rows]]
    if not len(rows):
        return None
    strings = np.empty((len(rows), count + 1), "int64")
    strings[:, :-1] = texts.keys[texts.key_bounds[rows][:, None] + np.arange(count)]
    strings[:, -1] = texts.string_bounds[rows + 1]
    names, past = strings[:, :-1], strings[:, 1:]
    # from the beginning of each text to its end, between values and within them in turn
    width = 2 * count + 2
    offsets = np.append(np.empty(len(rows) * width, "int64"), texts.bounds[-1] + _BEHIND)
    places = offsets[: len(rows) * width].reshape(len(rows), width)
    starts, ends = places[:, 1:-1:2], places[:, 2:-1:2]
    places[:, 0], places[:, -1] = texts.bounds[rows], texts.bounds[rows + 1]
    starts[:] = texts.stops[names] + (1 + layout.colon)
    ends[:, :-1], ends[:, -1] = texts.starts[past[:, :-1]] - 1, places[:, -1]
    ends -= layout.gaps
    lengths = np.diff(places)
    good = lengths[:, ::2] == layout.lengths
    if not good.all() or lengths.min() < 0:
        return find(layout, texts, rows[good.all(axis=1) & (lengths >= 0).all(axis=1)])
    pieces = between(offsets, pa.py_buffer(texts.data))
    codes = _codes(texts, names, starts, ends)
    found = Found(layout, texts, rows, names, past, starts, ends, codes, pieces)
    same, allowed = _between(found) == layout.between, codes & layout.allowed
    if same.all() and allowed.all():
        return found
    return find(layout, texts, rows[same.all(axis=1) & allowed.all(axis=1)])


def _between(found: Found) -> Bytes:
    """What stands between the values, a row a reply."""
    every = np.arange(0, len(found.rows) * found.width, 2)
    return letters(taken(found.pieces, every)).reshape(len(found.rows), -1)


def _codes(texts: Scan, names: Numbers, starts: Numbers, ends: Numbers) -> Bytes:
    data, lengths = texts.data, ends - starts
    codes = _BY_FIRST[data[starts]]
    string = names + 1
    following = texts.starts[string]
    whole = (following == starts + 1) & (texts.stops[string] == ends - 1)
    codes[((codes == TEXT) & ~whole) | ((codes == NUMBER) & (following <= ends))] = 0
    every = codes.ravel()
    words = np.flatnonzero(every & (NULL | FLAG))
    begins, sizes = starts.ravel()[words], lengths.ravel()[words]
    said = data[begins[:, None] + np.arange(4)].view("u4").ravel()
    good = ((said == _NULL) | (said == _TRUE)) & (sizes == len(b"null"))
    good |= (said == _FALS) & (sizes == len(b"false")) & (data[begins + 4] == ord("e"))
    every[words[~good]] = 0
    codes[lengths == 0] = NOTHING
    return codes
