"""Append-only column builders. Arrays that they returned stay valid and unchanged.

New rows are appended to the memory of earlier frames while its capacity lasts. So neither
appending nor making a frame copies text, and each text column stays one Arrow chunk
(pandas joins all chunks of a column before it takes rows from it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from musicapi_nb.frames.text_dtype import text_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOMENT = "datetime64[us, UTC]"
# Arrow's default pool keeps freed memory away from numpy, which adds to the peak.
POOL = pa.system_memory_pool()
_MIN_CAPACITY = 1024
_SPARE = 1.1
# for each pandas dtype but text: Arrow type, numpy dtype, placeholder of missing values
_NUMBER_TYPES: dict[str, tuple[pa.DataType, str, Any]] = {
    "float64": (pa.float64(), "float64", np.nan),
    "int64": (pa.int64(), "int64", 0),
    "Int64": (pa.int64(), "int64", 0),
    "bool": (pa.bool_(), "bool", False),
    "boolean": (pa.bool_(), "bool", False),
    MOMENT: (pa.int64(), "int64", np.iinfo("int64").min),
}
ARROW_TYPES: dict[str, pa.DataType] = {
    "str": pa.large_string(),
    **{dtype: arrow_type for dtype, (arrow_type, _, _) in _NUMBER_TYPES.items()},
}
"""The Arrow type of the arrays that extend a column, by pandas dtype."""
_MASKED_ARRAYS: dict[str, Any] = {
    "Int64": pd.arrays.IntegerArray,
    "boolean": pd.arrays.BooleanArray,
}


class GrowableArray:
    """A numpy array with spare capacity at its end."""

    def __init__(self, dtype: str) -> None:
        self._memory = empty_array(_MIN_CAPACITY, dtype)
        self.size = 0

    def allocate(self, count: int, growth: float) -> NDArray[Any]:
        """Append `count` uninitialised items and return them, to be written at once.

        `growth` is the expected ratio of the final size to the size after this call. Memory costs
        nothing until it is written, so a good estimate saves every copy; a bad one costs copies
        at doubled sizes.
        """
        start, self.size = self.size, self.size + count
        if self.size > len(self._memory):
            capacity = max(2 * self.size, int(self.size * growth * _SPARE))
            memory = empty_array(capacity, self._memory.dtype)
            memory[:start] = self._memory[:start]
            self._memory = memory  # earlier frames keep the old memory alive
        return self._memory[start : self.size]

    def items(self) -> NDArray[Any]:
        """Return a view of all items, without the spare capacity."""
        return self._memory[: self.size]


def empty_array(count: int, dtype: str | np.dtype[Any]) -> NDArray[Any]:
    # np.empty would ask for huge pages, which the kernel clears long before they are written
    size = count * np.dtype(dtype).itemsize
    return np.frombuffer(pa.allocate_buffer(size, memory_pool=POOL), dtype)


class ValidityMask:
    """Which rows have a value; takes no memory while all rows have one."""

    def __init__(self) -> None:
        self._flags: GrowableArray | None = None
        self._rows = 0

    def extend(self, array: pa.Array, growth: float) -> None:
        if array.null_count and self._flags is None:
            self._flags = GrowableArray("bool")
            self._flags.allocate(self._rows, growth)[:] = True
        self._rows += len(array)
        if self._flags is not None:
            all_null = array.null_count == len(array)  # cheap, and the case of many columns
            flags = False if all_null else array.is_valid().to_numpy(zero_copy_only=False)
            self._flags.allocate(len(array), growth)[:] = flags

    def flags(self) -> NDArray[np.bool_] | None:
        """Return True for each row with a value, or None if all rows have one."""
        return None if self._flags is None else self._flags.items()


class TextBuilder:
    """A text column, in the layout of Arrow's large_string."""

    def __init__(self) -> None:
        self._bytes, self._offsets = GrowableArray("uint8"), GrowableArray("int64")
        self._offsets.allocate(1, 1.0)[:] = 0
        self._validity = ValidityMask()

    def extend(self, texts: pa.Array, growth: float = 1.0) -> None:
        rows = len(texts)
        if not rows:
            return
        _, offset_buffer, data = texts.buffers()
        offsets = np.frombuffer(offset_buffer, "int64")[texts.offset : texts.offset + rows + 1]
        first, last = int(offsets[0]), int(offsets[-1])
        shift = self._bytes.size - first
        np.add(offsets[1:], shift, out=self._offsets.allocate(rows, growth))
        if data is not None:
            self._bytes.allocate(last - first, growth)[:] = np.frombuffer(data, "uint8")[first:last]
        self._validity.extend(texts, growth)

    def array(self) -> pa.Array:
        """Return the column as one Arrow array that shares its memory."""
        flags = self._validity.flags()
        bitmap = None if flags is None else pa.py_buffer(np.packbits(flags, bitorder="little"))
        buffers = [bitmap, pa.py_buffer(self._offsets.items()), pa.py_buffer(self._bytes.items())]
        return pa.Array.from_buffers(pa.large_string(), self._offsets.size - 1, buffers)

    def values(self) -> Any:
        """Return the column as a pandas array that shares its memory."""
        return text_values(self.array())


class NumberBuilder:
    """A column of numbers, flags or moments (as microseconds since 1970)."""

    def __init__(self, dtype: str) -> None:
        self._dtype = dtype
        _, numpy_dtype, self._placeholder = _NUMBER_TYPES[dtype]
        self._items = GrowableArray(numpy_dtype)
        self._validity = ValidityMask()

    def extend(self, numbers: pa.Array, growth: float = 1.0) -> None:
        items = self._items.allocate(len(numbers), growth)
        items[:] = fill_missing(numbers, self._placeholder)
        if self._dtype in _MASKED_ARRAYS:
            self._validity.extend(numbers, growth)

    def array(self) -> NDArray[Any]:
        """Return the column as a numpy array that shares its memory."""
        return self._items.items()

    def values(self) -> Any:
        """Return the column as a pandas array; a copy, because frames may be written to."""
        values = self.array().copy()
        if masked_array := _MASKED_ARRAYS.get(self._dtype):
            flags = self._validity.flags()
            return masked_array(values, np.zeros(len(values), bool) if flags is None else ~flags)
        if self._dtype == MOMENT:
            return pd.DatetimeIndex(values.view("M8[us]")).tz_localize("UTC").array
        return values


def column_builder(dtype: str) -> TextBuilder | NumberBuilder:
    """Return an empty builder for a column of this pandas dtype."""
    return TextBuilder() if dtype == "str" else NumberBuilder(dtype)


class DictionaryBuilder:
    """A growing text column as codes of its categories, which are in order of appearance."""

    def __init__(self) -> None:
        self._categories, self._codes = TextBuilder(), GrowableArray("int32")
        self._dtype = _categorical_dtype(self._categories)

    def append(self, texts: pa.Array) -> tuple[NDArray[np.signedinteger], pd.CategoricalDtype]:
        """Encode the rows of `texts` and append them to those of earlier calls.

        Returns
        -------
        The codes of all rows, -1 where text is missing, and their dtype.
        """
        fresh = texts.slice(self._codes.size)
        if len(fresh):
            encoded = pc.dictionary_encode(fresh, memory_pool=POOL)
            codes, values = fill_missing(encoded.indices, -1), encoded.dictionary
            if self._codes.size:
                codes, values = self._merge(codes, values)
            self._codes.allocate(len(codes), 1.0)[:] = codes
            if len(values):
                self._categories.extend(values)
                self._dtype = _categorical_dtype(self._categories)
        return self._codes.items(), self._dtype

    def _merge(self, codes: NDArray[Any], values: pa.Array) -> tuple[NDArray[Any], pa.Array]:
        """Translate codes of `values` to codes of all categories; return the new values, too."""
        # look the many old categories up among the few values: the small hash table is fast
        categories = self._categories.array()
        matches = fill_missing(pc.index_in(categories, value_set=values, memory_pool=POOL), -1)
        matched = np.flatnonzero(matches >= 0)
        translation = np.full(len(values) + 1, -1)  # the last item translates code -1
        translation[matches[matched]] = matched
        new = np.flatnonzero(translation[:-1] < 0)
        translation[new] = np.arange(len(new)) + len(categories)
        return translation[codes], values.take(pa.array(new))


def fill_missing(numbers: pa.Array, placeholder: Any) -> NDArray[Any]:
    """Return numbers as a numpy array, with a placeholder where they are missing."""
    if numbers.null_count:
        scalar = pa.scalar(placeholder, numbers.type)
        numbers = pc.coalesce(numbers, scalar, memory_pool=POOL)
    filled: NDArray[Any] = numbers.to_numpy(zero_copy_only=False)
    return filled


def _categorical_dtype(categories: TextBuilder) -> pd.CategoricalDtype:
    return pd.CategoricalDtype(pd.Index(categories.values(), copy=False))
