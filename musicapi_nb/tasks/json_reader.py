"""JsonReader: consumes one JSON object of a reply field by field. No I/O."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from musicapi_nb.tasks.song import Issue
from musicapi_nb.tasks.tags import split_tags

_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")
_PERCENT = 100
LATEST = dt.datetime(2100, 1, 1, tzinfo=dt.UTC).timestamp()


class JsonReader:
    """One JSON object; each method removes a field and returns its value, or reports an issue.

    Each method takes alternative field names and uses the first with a value. `rest` holds the
    fields that were not removed, including those with an unusable value; it becomes `extra`.
    """

    def __init__(self, value: Mapping[str, Any], where: str, issues: list[Issue]) -> None:
        self.rest: dict[str, Any] = dict(value)
        self.where = where
        self.issues = issues

    def issue(self, name: str, message: str) -> None:
        """Record that a field was not understood."""
        name = name or '""'  # a field may have the empty name; "" means the whole reply
        where = f"{self.where}.{name}" if self.where else name
        self.issues.append(Issue(clean(where), message))

    def pop(self, *names: str) -> tuple[str, Any] | None:
        """Remove the first field with a value, and drop blank ones before it."""
        for name in names:
            value = self.rest.get(name)
            if _is_blank(value):
                self.rest.pop(name, None)
            else:
                return name, self.rest.pop(name)
        return None

    def _reject(self, name: str, value: Any, expected: str) -> None:
        self.rest[name] = value
        self.issue(name, f"{describe(value)} instead of {expected}")

    def text(self, *names: str) -> str | None:
        """Remove a text; a number is converted to one."""
        if (field := self.pop(*names)) is None:
            return None
        name, value = field
        if isinstance(value, str):
            return clean(value)
        if as_number(value) is not None:
            return str(value)
        self._reject(name, value, "a text")
        return None

    def seconds(self, *names: str) -> float | None:
        """Remove a number of seconds; 0, which unfinished songs have, gives None."""
        if (field := self.pop(*names)) is None:
            return None
        name, value = field
        number = as_number(value)
        if number is None or number < 0:
            self._reject(name, value, "a number >= 0")
            return None
        return number or None

    def fraction(self, *names: str) -> float | None:
        """Remove a percentage, "45%" or 45, and return it as 0.0 to 1.0."""
        if (field := self.pop(*names)) is None:
            return None
        name, value = field
        number = as_number(value.strip().removesuffix("%") if isinstance(value, str) else value)
        if number is None or not 0 <= number <= _PERCENT:
            self._reject(name, value, "a percentage")
            return None
        return number / _PERCENT

    def flag(self, *names: str) -> bool | None:
        """Remove true or false."""
        if (field := self.pop(*names)) is None:
            return None
        name, value = field
        if isinstance(value, bool):
            return value
        self._reject(name, value, "true or false")
        return None

    def timestamp(self, *names: str) -> dt.datetime | None:
        """Remove a date and time (see `as_timestamp`); 0 gives None."""
        field = self.pop(*names)
        if field is None or as_number(field[1]) == 0:
            return None
        name, value = field
        timestamp = as_timestamp(value)
        if timestamp is None:
            self._reject(name, value, "a date and time")
        return timestamp

    def texts(self, *names: str) -> tuple[str, ...]:
        """Remove a list of texts; other items in it are reported and the list stays in `rest`."""
        if (field := self.pop(*names)) is None:
            return ()
        name, value = field
        if not isinstance(value, list):
            self._reject(name, value, "a list of texts")
            return ()
        if any(not isinstance(item, str) for item in value):
            self._reject(name, value, "a list of texts only")
        return tuple(clean(item) for item in value if isinstance(item, str) and item.strip())

    def tags(self, *names: str) -> tuple[tuple[str, ...], str | None]:
        """Remove tags, given as a text (see `split_tags`) or a list; return them and their text."""
        if (field := self.pop(*names)) is None:
            return (), None
        name, value = field
        if isinstance(value, str):
            text = clean(value)
            if not text.lstrip().startswith(("[", "{")) or (items := _json_of(text)) is None:
                return split_tags(text), text
            value = items
        self.rest[name] = value
        tags = self.texts(name)
        return tags, ", ".join(tags) or None

    def object(self, *names: str) -> JsonReader | None:
        """Remove a nested object and return a reader of it."""
        if (field := self.pop(*names)) is None:
            return None
        name, value = field
        if isinstance(value, dict):
            return JsonReader(value, f"{self.where}.{name}" if self.where else name, self.issues)
        self._reject(name, value, "an object")
        return None


def _json_of(text: str) -> Any:
    """Return the list or object that a text is as JSON; None if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _is_blank(value: Any) -> bool:
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, list | dict) and not value)


def describe(value: Any) -> str:
    """Name a value's type, and the first characters of a text."""
    start = f" {value[:40]!r}" if isinstance(value, str) else ""
    return f"{type(value).__name__}{start}"


def clean(text: str) -> str:
    """Replace lone surrogates, which no encoding accepts, by U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def as_number(value: Any) -> float | None:
    """Return a finite number, also one written as text; None for anything else."""
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
    """Parse ISO 8601 (UTC if no zone is given) or Unix seconds; None if it is neither."""
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
        try:
            time = dt.datetime.fromisoformat(value.strip())
            return (time if time.tzinfo else time.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
        except (ValueError, OverflowError):
            return None
    seconds = as_number(value)
    if seconds is None or not 0 < seconds < LATEST:
        return None
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
