"""How an answer that is no song shows itself: in a line, and as blocks of a card."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from musicapi_nb import markup

_FIGURES, _WORDS, _ROWS, _COLUMNS, _JSON, _ADDRESS = 4, 60, 200, 8, 4000, 40
_LARGEST = 10**15
_HEARD = (".wav", ".mp3", ".m4a", ".ogg", ".flac")


def line(answer: Mapping[str, Any]) -> str:
    """The answer in a few words, for a repr: texts and figures, and how many of the rest."""
    said = [f"{name} {_few(value)}" for name, value in itertools.islice(answer.items(), _FIGURES)]
    more = len(answer) - _FIGURES
    return ", ".join([*said, f"and {more} more"] if more > 0 else said)


def _few(value: Any) -> str:
    if isinstance(value, list):
        return f"[{len(value):,}]"
    if isinstance(value, dict):
        return f"{{{len(value):,}}}"
    text = value if isinstance(value, str) else json.dumps(_sayable(value))
    return f"{text[:_WORDS]}..." if len(text) > _WORDS else text


def blocks(answer: Mapping[str, Any]) -> Iterator[markup.Html]:
    """Show an answer: what is short as a table, sound with a player, lists folded away."""
    heard = [value for value in answer.values() if _is_sound(value)]
    for url in heard:
        yield markup.player(url, "this file")
    short = [(name, _cell(value)) for name, value in answer.items() if not _is_long(value)]
    if short:
        yield markup.table(("name", "value"), short)
    for name, value in answer.items():
        if isinstance(value, list) and value:
            yield markup.collapsible(f"{name} ({len(value):,})", _listed(value))
        elif isinstance(value, dict) and value:
            yield markup.collapsible(f"{name} ({len(value):,})", _as_json(value))
        elif _is_long(value):
            yield markup.collapsible(name, markup.verbatim(value))


def _is_sound(value: Any) -> bool:
    address = markup.web_url(value) if isinstance(value, str) else None
    return address is not None and address.partition("?")[0].lower().endswith(_HEARD)


def _is_long(value: Any) -> bool:
    return bool(value) and (
        isinstance(value, list | dict)
        or (isinstance(value, str) and len(value) > 4 * _WORDS and markup.web_url(value) is None)
    )


def _cell(value: Any) -> markup.Cell:
    if isinstance(value, str):
        return markup.link(_address(value), value) if markup.web_url(value) else value
    return _sayable(value) if isinstance(value, bool | int | float | None) else json.dumps(value)


def _address(url: str) -> str:
    """An address in short: its host and its end, which is what a narrow card has room for."""
    host = urlsplit(url).hostname or ""
    return url if len(url) <= _ADDRESS else f"{host}/…{url[-_ADDRESS // 2 :]}"


def _sayable(value: Any) -> Any:
    """A number that can be written: Python writes no integer of some thousand digits."""
    huge = isinstance(value, int) and not -_LARGEST < value < _LARGEST
    return "a very large number" if huge else value


def _listed(items: list[Any]) -> markup.Html:
    """Show a list: objects as the rows of a table, such as the words of an alignment."""
    shown = items[:_ROWS]
    rows = [item for item in shown if isinstance(item, Mapping)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    if len(rows) < len(shown) or not 0 < len(names) <= _COLUMNS:
        return _as_json(shown)
    cells = [[_nested(row.get(name)) for name in names] for row in rows]
    caption = f"the first {_ROWS:,} of {len(items):,}" if len(items) > _ROWS else ""
    return markup.table(names, cells, caption, limit=_ROWS)


def _nested(value: Any) -> markup.Cell:
    if isinstance(value, list):
        return f"{len(value):,} item{'' if len(value) == 1 else 's'}"
    return _few(value) if isinstance(value, dict) else _cell(value)


def _as_json(value: Any) -> markup.Html:
    deep = isinstance(value, dict) or any(isinstance(item, list | dict) for item in value)
    try:
        text = json.dumps(value, indent=1 if deep else None, ensure_ascii=False)
    except (RecursionError, ValueError):  # a number of thousands of digits
        text = "(nested too deeply, or too large, to be shown)"
    return markup.verbatim(text, _JSON)
