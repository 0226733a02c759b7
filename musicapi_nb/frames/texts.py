"""The replies in a text: one JSON value, a list of replies, lines, or values in a row. No I/O."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import msgspec

from musicapi_nb import wire
from musicapi_nb.errors import UnexpectedReply
from musicapi_nb.tasks.reply_search import is_song

Text: TypeAlias = bytes | str
Part: TypeAlias = tuple[str, Any]
"""The place of a reply in a file or text, and the reply.

The place ":7" is line 7, "[7]" item 7, both from 0; "" is the whole.
"""

_LIST_STARTS = ("[", b"[")
_VALUE_STARTS = (*_LIST_STARTS, "{", b"{", "<", b"<")  # the last of a page
_BETWEEN_VALUES = re.compile(r"[\s,]*")
_read_value = json.JSONDecoder().raw_decode
_raw_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_raw_value = msgspec.json.Decoder(msgspec.Raw).decode


def split_replies(reply: Text, first_line: int = 0) -> Iterator[Part]:
    """Yield the replies of a text; a part that is damaged is a reply, too.

    `first_line` is the number of its first line.
    """
    reply = _as_utf8(reply)
    if _is_json(reply):
        yield from split_list(reply, "")
        return
    text = reply if isinstance(reply, str) else reply.decode("utf-8", "replace")
    lines = text.split("\n")
    first = next((line for line in lines if line.strip()), "")
    values = _leading_values(text) if may_continue(first) else []
    if values:  # in a row, or in a list that breaks off
        for index, value in enumerate(values):
            yield f"[{index}]", value
    elif len(lines) > 1 and any(map(_is_collection, lines)):
        for number, line in enumerate(lines, first_line):
            if line.strip():
                yield from split_list(line, f":{number}")
    else:
        yield "", reply


def split_list(reply: Text, place: str) -> Iterator[Part]:
    """Yield the items of a list of replies, else the reply itself."""
    if reply[:1] in _LIST_STARTS or reply.lstrip()[:1] in _LIST_STARTS:
        try:
            items = wire.decode(reply)
        except UnexpectedReply:
            items = []
        if holds_replies(items):
            with contextlib.suppress(msgspec.DecodeError, ValueError):  # NaN, or UTF-16
                items = list(map(bytes, _raw_items(reply)))  # they are read much faster as text
            yield from ((f"{place}[{index}]", item) for index, item in enumerate(items))
            return
    yield place, reply


def holds_replies(items: Sequence[Any]) -> bool:
    """Return whether a list is one of replies, and not of the songs of one reply."""
    objects = [item for item in items if isinstance(item, dict)]
    return bool(objects) and not any(is_song(item) and "task_id" not in item for item in objects)


def may_continue(line: Text) -> bool:
    """Return whether a first line starts a value that it does not end."""
    return line.lstrip()[:1] in _VALUE_STARTS and not _is_json(line)


def _as_utf8(reply: Text) -> Text:
    """Return a reply without encoding mark; bytes of UTF-16 and UTF-32 as text."""
    if isinstance(reply, bytes):
        encoding = json.detect_encoding(reply)
        return reply if encoding == "utf-8" else reply.decode(encoding, "replace")
    return reply.removeprefix("\ufeff")


def _is_json(reply: Text) -> bool:
    try:
        _raw_value(reply)
    except (msgspec.DecodeError, ValueError, RecursionError):
        try:
            wire.decode(reply)
        except UnexpectedReply:
            return False
    return True


def _is_collection(line: str) -> bool:
    return line.lstrip()[:1] in {"{", "["} and _is_json(line)


def _leading_values(text: str) -> list[str]:
    """Return the values with which a text, or a list in it, starts, then the rest of the text."""
    text = text.lstrip().removeprefix("[").lstrip()
    values: list[str] = []
    start = 0
    try:
        while start < len(text):
            _, end = _read_value(text, start)
            values.append(text[start:end])
            start = _BETWEEN_VALUES.match(text, end).end()  # type: ignore[union-attr]
    except (ValueError, RecursionError):
        pass
    rest = text[start:].rstrip("] \t\r\n")
    return [*values, rest] if values and rest else values
