"""What a measure returns for one file, as values of columns."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from musicapi_nb.errors import InvalidArgument

if TYPE_CHECKING:  # which loads the library, and workers do without
    from musicapi_nb.library.measurements import Value

_MAX_WHOLE = 2**63  # larger numbers do not fit into Int64
MAX_NAME = 100  # characters of the name of a column
_MISSING = frozenset({"NAType", "NaTType"})  # of pandas, which few measures load
_ACCEPTED = (
    "a measure must return a number, a text, True, False or None, or a flat mapping of names to "
    "these"
)


def read_values(name: str, result: Any, *, prefix: bool = True) -> dict[str, Value]:
    """Return the result of a measure as values by column.

    A single value is the column `name`. The entry "b" of a mapping is the column `name_b`, or `b`
    without `prefix`.

    Raises
    ------
    InvalidArgument
        The result, or an entry of it, is something else, or an entry has no proper name.
    """
    if not isinstance(result, Mapping):
        return {name: _read_value(result, "this one")}
    for key in result:
        if not isinstance(key, str) or not key.isidentifier() or len(key) > MAX_NAME:
            raise InvalidArgument(
                f"{_ACCEPTED}; names must be letters, digits and underscores, {MAX_NAME} at "
                f"most, not {key!r:.80}"
            )
    return {
        f"{name}_{key}" if prefix else key: _read_value(value, f"that of {key!r}")
        for key, value in result.items()
    }


def _read_value(value: Any, subject: str) -> Value:
    """Return a value as JSON has it; missing values, NaN and infinity are None."""
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        value = value.item()  # of numpy, or a tensor
    if value is None or type(value).__name__ in _MISSING:
        return None
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, numbers.Integral) and -_MAX_WHOLE <= int(value) < _MAX_WHOLE:
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value) if math.isfinite(value) else None
    raise InvalidArgument(f"{_ACCEPTED}; {subject} is a {type(value).__name__}")
