"""One JSON object while it is read: fields are handed out once, the rest is left over."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping
from typing import Any

from musicapi_nb.tasks.models import Issue

_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")
_WHOLE = 100
LATEST = dt.datetime(2100, 1, 1, tzinfo=dt.UTC).timestamp()


class JsonReader:
    """One JSON object while it is read: hands out fields once, notes what it cannot read.

    What was never handed out, or could not be read, is left over for `extra`.
    """

    def __init__(self, value: Mapping[str, Any], where: str, issues: list[Issue]) -> None:
        self.rest = dict(value)
        self.where = where
        self.issues = issues

    def issue(self, name: str, message: str) -> None:
        name = name or '""'  # a field may be called so; "" is the whole reply
        where = f"{self.where}.{name}" if self.where else name
        self.issues.append(Issue(clean(where), message))

    def pop(self, *names: str) -> tuple[str, Any] | None:
        """Take the first of the fields that says something; drop those that say nothing."""
        for name in names:
            value = self.rest.get(name)
            if value is None or (isinstance(value, str | list | dict) and not _full(value)):
                self.rest.pop(name, None)
            else:
                return name, self.rest.pop(name)
        return None

    def _reject(self, name: str, value: Any, wanted: str) -> None:
        self.rest[name] = value
        self.issue(name, f"{describe(value)} instead of {wanted}")

    def text(self, *names: str) -> str | None:
        taken = self.pop(*names)
        if taken is None:
            return None
        name, value = taken
        if isinstance(value, str):
            return clean(value)
        if as_number(value) is not None:
            return str(value)
        self._reject(name, value, "a text")
        return None

    def seconds(self, *names: str) -> float | None:
        """Take seconds; what is unfinished has 0, which says nothing."""
        taken = self.pop(*names)
        if taken is None:
            return None
        name, value = taken
        number = as_number(value)
        if number is None or number < 0:
            self._reject(name, value, "a number from 0 on")
            return None
        return number or None

    def fraction(self, *names: str) -> float | None:
        """Take a percentage, "45%" or 45, as 0.0 to 1.0."""
        taken = self.pop(*names)
        if taken is None:
            return None
        name, value = taken
        number = as_number(value.strip().removesuffix("%") if isinstance(value, str) else value)
        if number is None or not 0 <= number <= _WHOLE:
            self._reject(name, value, "a percentage")
            return None
        return number / _WHOLE

    def flag(self, *names: str) -> bool | None:
        taken = self.pop(*names)
        if taken is None:
            return None
        name, value = taken
        if isinstance(value, bool):
            return value
        self._reject(name, value, "true or false")
        return None

    def timestamp(self, *names: str) -> dt.datetime | None:
        taken = self.pop(*names)
        if taken is None or as_number(taken[1]) == 0:
            return None
        name, value = taken
        moment = as_timestamp(value)
        if moment is None:
            self._reject(name, value, "a date and time")
        return moment

    def texts(self, *names: str) -> tuple[str, ...]:
        """Take a list of texts; what is no text in it is noted and left."""
        taken = self.pop(*names)
        if taken is None:
            return ()
        name, value = taken
        if not isinstance(value, list):
            self._reject(name, value, "a list of texts")
            return ()
        if any(not isinstance(item, str) for item in value):
            self._reject(name, value, "a list of texts only")
        return tuple(clean(item) for item in value if isinstance(item, str) and item.strip())

    def tags(self, *names: str) -> tuple[tuple[str, ...], str | None]:
        """Take tags, which come as one comma-separated text or as a list of texts."""
        taken = self.pop(*names)
        if taken is None:
            return (), None
        name, value = taken
        if isinstance(value, str):
            text = clean(value)
            parts = (part.strip() for part in text.split(","))
            return tuple(part for part in parts if part), text
        self.rest[name] = value
        tags = self.texts(name)
        return tags, ", ".join(tags) or None

    def object(self, *names: str) -> JsonReader | None:
        """Take a nested object."""
        taken = self.pop(*names)
        if taken is None:
            return None
        name, value = taken
        if isinstance(value, dict):
            return JsonReader(value, f"{self.where}.{name}" if self.where else name, self.issues)
        self._reject(name, value, "an object")
        return None


def _full(value: str | list[Any] | dict[str, Any]) -> bool:
    return bool(value.strip() if isinstance(value, str) else value)


def describe(value: Any) -> str:
    """Name what a value is: texts and floats by their beginning, the rest by type alone."""
    shown = f" {value[:40]!r}" if isinstance(value, str) else ""
    return f"{type(value).__name__}{shown}"


def clean(text: str) -> str:
    """Replace halves of surrogate pairs, which no encoder takes, by the replacement character."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def as_number(value: Any) -> float | None:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def as_timestamp(value: Any) -> dt.datetime | None:
    """Read ISO 8601 (no zone: UTC) or unix seconds."""
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
        try:
            moment = dt.datetime.fromisoformat(value.strip())
            return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
        except (ValueError, OverflowError):
            return None
    seconds = as_number(value)
    if seconds is None or not 0 < seconds < LATEST:
        return None
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
