"""Plain Python values for those of numpy, pandas, Decimal and enumerations. No I/O."""

from __future__ import annotations

import enum
import numbers
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from musicapi_nb.errors import InvalidArgument

_NUMBER = r"\d+(?:[.,]\d+)?"
_CLOCK = re.compile(rf"(?:(\d+):)?(\d+):({_NUMBER})")
_UNITS = re.compile(
    rf"(?:({_NUMBER})\s*m(?:in(?:utes?)?)?)?\s*(?:({_NUMBER})\s*(?:s(?:ec(?:onds?)?)?)?)?"
)
_PLAIN = frozenset({str, int, float, bool, type(None)})


def plain_value(value: Any) -> Any:
    """Convert scalars, subclasses of str, enumeration members and arrays to what JSON has.

    Arrays and columns of a frame become lists. Other values, such as missing ones, stay as they
    are: the check of a field names them.
    """
    try:
        return _convert(value)
    except RecursionError:  # it contains itself
        return value


def _convert(value: Any) -> Any:
    if type(value) in _PLAIN:
        return value
    for kind, convert in _CONVERSIONS.items():
        if isinstance(value, kind):
            return convert(value)
    return _convert(value.tolist()) if hasattr(value, "tolist") else value


def _number(value: Decimal) -> Any:
    if not value.is_finite():
        return value
    number = float(value)
    if not number.is_integer():
        return number
    return int(value if value == value.to_integral_value() else number)  # all digits of a large one


_CONVERSIONS: Mapping[type, Callable[[Any], Any]] = {
    enum.Enum: lambda member: _convert(member.value),
    str: str.__str__,
    numbers.Integral: int,
    numbers.Real: float,
    Decimal: _number,
    Mapping: lambda items: {_convert(name): _convert(items[name]) for name in items},
    list: lambda items: [*map(_convert, items)],
    tuple: lambda items: (*map(_convert, items),),
}


def whole_number(value: Any, minimum: int = 0) -> int | None:
    """Return a number of any type as an int; None if it is not whole, or less than `minimum`."""
    value = plain_value(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value == value // 1 and value >= minimum else None


def parse_seconds(text: str) -> float:
    """Return the seconds of "30", "30s", "1,5", "2:30" or "2 min"; ValueError for other texts."""
    text = text.strip().lower()
    if match := _CLOCK.fullmatch(text):
        hours, minutes, seconds = match.groups()
    elif text and (match := _UNITS.fullmatch(text)):
        hours, (minutes, seconds) = None, match.groups()
    else:
        raise ValueError(f"not a number of seconds: {text!r:.40}")
    parts = (float((part or "0").replace(",", ".")) for part in (hours, minutes, seconds))
    total = sum((part * unit for part, unit in zip(parts, (3600, 60, 1), strict=True)), 0.0)
    return int(total) if total.is_integer() else total


def number_of_seconds(name: str, value: Any) -> float:
    """Return an argument in seconds; InvalidArgument if it is not a number, or NaN."""
    number = plain_value(value)
    if isinstance(number, bool) or not isinstance(number, int | float) or number != number:  # noqa: PLR0124 - NaN
        raise InvalidArgument(f"{name} is a number of seconds, not {value!r:.40}")
    return number
