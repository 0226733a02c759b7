"""Columns that only ever grow: what was handed out stays as it is while more is written behind it.

A frame is a view of the first rows. New rows go behind them, into the same memory as long as there
is room, so that neither appending nor taking a frame copies what is there, and every text column
is one piece: pandas takes rows from a column of several pieces by joining all of it first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from musicapi_nb.frames.arrays import POOL

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEXT = pd.StringDtype(na_value=np.nan)
MOMENT = "datetime64[us, UTC]"
_SOME = 1024
_SPARE = 1.1
_CODES = ("int8", "int16", "int32")
_NAT = np.iinfo("int64").min
# of each dtype: Arrow's type, numpy's, and what stands where nothing is said
_NUMBERS: dict[str, tuple[pa.DataType, str, Any]] = {
    "float64": (pa.float64(), "float64", np.nan),
    "int64": (pa.int64(), "int64", 0),
    "Int64": (pa.int64(), "int64", 0),
    "bool": (pa.bool_(), "bool", False),
    "boolean": (pa.bool_(), "bool", False),
    MOMENT: (pa.int64(), "int64", _NAT),
}
_MASKED: dict[str, Any] = {"Int64": pd.arrays.IntegerArray, "boolean": pd.arrays.BooleanArray}


class GrowableArray:
    """Items of one fixed width, one after the other in memory."""

    def __init__(self, dtype: str) -> None:
        self._room: NDArray[Any] = np.empty(_SOME, dtype)
        self.size = 0

    def extend(self, more: NDArray[Any], ahead: float) -> None:
        self.more(len(more), ahead)[:] = more

    def more(self, number: int, ahead: float) -> NDArray[Any]:
        """Room for so many items, to be written at once.

        `ahead` says how often as much is expected in all. Memory that was never written costs
        nothing, so that a good guess saves every copy, and a bad one is made good by doubling.
        """
        start, self.size = self.size, self.size + number
        if self.size > len(self._room):
            wanted = max(2 * self.size, int(self.size * ahead * _SPARE))
            fresh = np.empty(wanted, self._room.dtype)
            fresh[:start] = self._room[:start]
            self._room = fresh  # frames that were handed out keep the old one alive
        return self._room[start : self.size]

    def all(self) -> NDArray[Any]:
        return self._room[: self.size]


class ValidityMask:
    """Which rows say something: nothing is kept while all do."""

    def __init__(self) -> None:
        self._flags: GrowableArray | None = None
        self._rows = 0

    def extend(self, rows: int, ahead: float, known: NDArray[np.bool_] | None) -> None:
        """Append rows; `known` is None if all of them say something."""
        if self._flags is None and known is not None:
            self._flags = GrowableArray("bool")
            self._flags.more(self._rows, ahead)[:] = True
        self._rows += rows
        if self._flags is not None:
            self._flags.more(rows, ahead)[:] = True if known is None else known

    def all(self) -> NDArray[np.bool_] | None:
        return None if self._flags is None else self._flags.all()


def _valid(more: pa.Array) -> NDArray[np.bool_] | None:
    return more.is_valid().to_numpy(zero_copy_only=False) if more.null_count else None


class Texts:
    """A column of text, missing where nothing is said."""

    arrow = pa.large_string()

    def __init__(self) -> None:
        self._bytes, self._ends, self._known = (
            GrowableArray("uint8"),
            GrowableArray("int64"),
            ValidityMask(),
        )
        self._ends.more(1, 1.0)[:] = 0

    def extend(self, more: pa.Array, ahead: float = 1.0) -> None:
        rows = len(more)
        if not rows:
            return
        _, ends, data = more.buffers()
        offsets = np.frombuffer(ends, "int64")[more.offset : more.offset + rows + 1]
        first, last = int(offsets[0]), int(offsets[-1])
        np.add(offsets[1:], self._bytes.size - first, out=self._ends.more(rows, ahead))
        if data is not None:
            self._bytes.extend(np.frombuffer(data, "uint8")[first:last], ahead)
        self._known.extend(rows, ahead, _valid(more))

    def extend_unsaid(self, rows: int, ahead: float) -> None:
        self._ends.more(rows, ahead)[:] = self._bytes.size
        self._known.extend(rows, ahead, np.zeros(rows, bool))

    def array(self) -> pa.Array:
        """The column as Arrow has it; it shares the memory."""
        known = self._known.all()
        bits = None if known is None else pa.py_buffer(np.packbits(known, bitorder="little"))
        data = (pa.py_buffer(self._ends.all()), pa.py_buffer(self._bytes.all()))
        return pa.Array.from_buffers(self.arrow, self._ends.size - 1, [bits, *data])

    def values(self) -> pd.api.extensions.ExtensionArray:
        return text_values(self.array())


class Numbers:
    """A column of numbers, flags or moments (microseconds since 1970)."""

    def __init__(self, dtype: str) -> None:
        self._dtype = dtype
        self.arrow, numpy, self._unsaid = _NUMBERS[dtype]
        self._values = GrowableArray(numpy)
        self._known = ValidityMask()

    def extend(self, more: pa.Array, ahead: float = 1.0) -> None:
        self._values.extend(_filled(more, self._unsaid), ahead)
        if self._dtype in _MASKED:
            self._known.extend(len(more), ahead, _valid(more))

    def extend_unsaid(self, rows: int, ahead: float) -> None:
        self._values.more(rows, ahead)[:] = self._unsaid
        if self._dtype in _MASKED:
            self._known.extend(rows, ahead, np.zeros(rows, bool))

    def array(self) -> NDArray[Any]:
        """The column as numpy has it; it shares the memory."""
        return self._values.all()

    def values(self) -> Any:
        values = self.array().copy()  # a frame may be written to
        if masked := _MASKED.get(self._dtype):
            known = self._known.all()
            return masked(values, np.zeros(len(values), bool) if known is None else ~known)
        if self._dtype == MOMENT:
            return pd.DatetimeIndex(values.view("M8[us]")).tz_localize("UTC").array
        return values


def grown(dtype: str) -> Texts | Numbers:
    """An empty column of a pandas dtype."""
    return Texts() if dtype == "str" else Numbers(dtype)


def text_values(array: pa.Array) -> pd.api.extensions.ExtensionArray:
    """Values of dtype str over an array of large_string; they share the memory."""
    made: Any = pd.arrays.ArrowStringArray  # its stubs know no dtype
    values: pd.api.extensions.ExtensionArray = made(array, dtype=TEXT)
    return values


class DictionaryBuilder:
    """A growing column of text as numbers of its values, which are in order of appearance."""

    def __init__(self) -> None:
        self._values, self._codes = Texts(), GrowableArray("int32")
        self._dtype = _categories(self._values)

    def grow(self, texts: pa.Array) -> tuple[NDArray[np.signedinteger], pd.CategoricalDtype]:
        """Take in what follows the texts of the time before; -1 is where nothing is said."""
        fresh = texts.slice(self._codes.size)
        if len(fresh):
            found = pc.dictionary_encode(fresh, memory_pool=POOL)
            codes, values = _filled(found.indices, -1), found.dictionary
            if self._codes.size:
                # the many are looked up among the few new ones, which make a small table
                old = self._values.array()
                at = _filled(pc.index_in(old, value_set=values, memory_pool=POOL), -1)
                known = np.flatnonzero(at >= 0)
                numbers = np.full(len(values) + 1, -1)  # the last: what -1 stands for
                numbers[at[known]] = known
                new = np.flatnonzero(numbers[:-1] < 0)
                numbers[new] = np.arange(len(new)) + len(self._dtype.categories)
                codes, values = numbers[codes], values.take(pa.array(new))
            self._codes.extend(codes, 1.0)
            if len(values):
                self._values.extend(values)
                self._dtype = _categories(self._values)
        for kind in _CODES:  # as pandas has them
            if len(self._dtype.categories) < np.iinfo(kind).max:
                break
        return self._codes.all().astype(kind), self._dtype


def _filled(numbers: pa.Array, unsaid: Any) -> NDArray[Any]:
    if numbers.null_count:
        numbers = pc.coalesce(numbers, pa.scalar(unsaid, numbers.type), memory_pool=POOL)
    filled: NDArray[Any] = numbers.to_numpy(zero_copy_only=False)
    return filled


def _categories(values: Texts) -> pd.CategoricalDtype:
    # the public way looks whether they are distinct, by making Python strings of all
    kind: Any = pd.CategoricalDtype
    index = pd.Index(values.values(), copy=False)
    dtype: pd.CategoricalDtype = kind._from_fastpath(index)  # noqa: SLF001
    return dtype
