"""Answers without songs as one line of text, and as blocks of a card."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from musicapi_nb import markup

_MAX_ITEMS, _MAX_TEXT, _MAX_ROWS, _MAX_COLUMNS, _MAX_JSON, _MAX_URL = 4, 60, 200, 8, 4000, 40
_LARGEST, _MAX_PLAYERS = 10**15, 20
_AUDIO_SUFFIXES = (".wav", ".mp3", ".m4a", ".ogg", ".flac")


def summarize_answer(answer: Mapping[str, Any]) -> str:
    """Return an answer as one short line for a repr: the first values, and how many follow."""
    items = itertools.islice(answer.items(), _MAX_ITEMS)
    texts = [f"{name} {_short_text(value)}" for name, value in items]
    rest = len(answer) - _MAX_ITEMS
    return ", ".join([*texts, f"and {rest} more"] if rest > 0 else texts)


def _short_text(value: Any) -> str:
    if isinstance(value, list):
        return f"[{len(value):,}]"
    if isinstance(value, dict):
        return f"{{{len(value):,}}}"
    text = value if isinstance(value, str) else json.dumps(_printable(value))
    return f"{text[:_MAX_TEXT]}..." if len(text) > _MAX_TEXT else text


def answer_blocks(answer: Mapping[str, Any], *, local: bool = False) -> Iterator[markup.Html]:
    """Yield the blocks of an answer: players, a table of short values, long ones collapsed.

    For `local`, see `markup.media_url`.
    """
    files = list(itertools.islice(_audio_files(answer), _MAX_PLAYERS))
    for url, name in files:
        if len(files) > 1:
            yield markup.caption(name)
        yield markup.player(url, name, local=local)
    short = [(name, _cell(value)) for name, value in answer.items() if not _is_long(value)]
    if short:
        yield markup.table(("name", "value"), short)
    for name, value in answer.items():
        if isinstance(value, list) and value:
            yield markup.collapsible(f"{name} ({len(value):,})", _list_block(value))
        elif isinstance(value, dict) and value:
            yield markup.collapsible(f"{name} ({len(value):,})", _json_block(value))
        elif _is_long(value):
            yield markup.collapsible(name, markup.verbatim(value))


def _audio_files(answer: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the links to audio in an answer, each with a name; also those of `files` in a list."""
    for name, value in answer.items():
        if _is_audio_url(value):
            yield value, _file_label(name)
        for item in value if isinstance(value, list) else ():
            if isinstance(item, dict):
                yield from _audio_of_item(item)


def _audio_of_item(item: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the audio links of {"format": "wav", "url": "u"}; the format may replace the suffix."""
    suffix = f".{item.get('format')}".lower()
    for name, value in item.items():
        is_file = name == "url" and suffix in _AUDIO_SUFFIXES and isinstance(value, str)
        if _is_audio_url(value) or (is_file and markup.web_url(value)):
            yield (
                value,
                f"the {suffix[1:]} file" if suffix in _AUDIO_SUFFIXES else _file_label(name),
            )


def _file_label(name: str) -> str:
    return f"the {name.removesuffix('_url').replace('_', ' ')} file"


def _is_audio_url(value: Any) -> bool:
    url = markup.web_url(value) if isinstance(value, str) else None
    return url is not None and url.partition("?")[0].lower().endswith(_AUDIO_SUFFIXES)


def _is_long(value: Any) -> bool:
    return bool(value) and (
        isinstance(value, list | dict)
        or (isinstance(value, str) and len(value) > 4 * _MAX_TEXT and markup.web_url(value) is None)
    )


def _cell(value: Any) -> markup.Cell:
    if isinstance(value, str):
        return markup.link(_short_url(value), value) if markup.web_url(value) else value
    return _printable(value) if isinstance(value, bool | int | float | None) else json.dumps(value)


def _short_url(url: str) -> str:
    """Shorten a URL to its host and its end, to fit a narrow card."""
    host = urlsplit(url).hostname or ""
    return url if len(url) <= _MAX_URL else f"{host}/…{url[-_MAX_URL // 2 :]}"


def _printable(value: Any) -> Any:
    """Replace integers of thousands of digits, which Python refuses to convert to text."""
    huge = isinstance(value, int) and not -_LARGEST < value < _LARGEST
    return "a very large number" if huge else value


def _list_block(items: list[Any]) -> markup.Html:
    """Show a list of objects, such as aligned words, as a table; any other list as JSON."""
    visible = items[:_MAX_ROWS]
    rows = [item for item in visible if isinstance(item, Mapping)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    if len(rows) < len(visible) or not 0 < len(names) <= _MAX_COLUMNS:
        return _json_block(visible)
    cells = [[_nested_cell(row.get(name)) for name in names] for row in rows]
    caption = f"the first {_MAX_ROWS:,} of {len(items):,}" if len(items) > _MAX_ROWS else ""
    return markup.table(names, cells, caption, limit=_MAX_ROWS)


def _nested_cell(value: Any) -> markup.Cell:
    if isinstance(value, list):
        return f"{len(value):,} item{'' if len(value) == 1 else 's'}"
    return _short_text(value) if isinstance(value, dict) else _cell(value)


def _json_block(value: Any) -> markup.Html:
    nested = isinstance(value, dict) or any(isinstance(item, list | dict) for item in value)
    try:
        text = json.dumps(value, indent=1 if nested else None, ensure_ascii=False)
    except (RecursionError, ValueError):  # ValueError: an integer of thousands of digits
        text = "(nested too deeply, or too large, to be shown)"
    return markup.verbatim(text, _MAX_JSON)
