"""Texts with places to fill: "{style} about {topic}". Names only, nothing is evaluated. Pure."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import re
from collections.abc import Mapping
from typing import Any

_PIECES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_SHOWN = 40
_MORE_THAN_A_NAME = re.compile(r"[.\[\]!:()]")


class BadTemplate(ValueError):
    """A text cannot be filled; the message is a sentence about it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Template:
    """A text in pieces: literal texts, and names in the places between them."""

    literals: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def plain(self) -> str | None:
        """The text, where it has no place to fill."""
        return None if self.names else self.literals[0]

    def fill(self, levels: Mapping[str, Any]) -> str | None:
        """Put levels in; a missing one leaves its place empty.

        None, so that nothing is sent, for a text that was only places and got nothing.

        Raises
        ------
        BadTemplate
            A name is no factor, or its level is neither text nor a number.
        """
        parts = [self.literals[0]]
        for name, literal in zip(self.names, self.literals[1:], strict=True):
            parts += (_written(name, levels), literal)
        filled = "".join(parts)
        return None if self.names and not filled else filled


@functools.lru_cache(maxsize=4096)
def parse(text: str) -> Template:
    """Read a template: {name} is a place, {{ and }} are braces.

    Raises
    ------
    BadTemplate
        A brace stands alone, or a place is empty.
    """
    literals, names, at = [""], [], 0
    for piece in _PIECES.finditer(text):
        literals[-1] += text[at : piece.start()]
        at = piece.end()
        if piece[0] in {"{{", "}}"}:
            literals[-1] += piece[0][0]
        elif not piece[1]:
            what = "an empty place {}" if piece[0] == "{}" else f"a lone {piece[0]}"
            raise BadTemplate(
                f"has {what} at character {piece.start()} ({_around(text, piece.start())}); write "
                "{name} for a factor's level, and {{ or }} for a brace of the text"
            )
        else:
            names.append(piece[1])
            literals.append("")
    literals[-1] += text[at:]
    return Template(tuple(literals), tuple(names))


def _around(text: str, at: int) -> str:
    return repr(text[max(0, at - _SHOWN // 2) : at + _SHOWN // 2])


def _written(name: str, levels: Mapping[str, Any]) -> str:
    if name not in levels:
        raise BadTemplate(_no_such(name, levels))
    value = levels[name]
    if value is None:
        return ""
    if isinstance(value, Template):
        raise BadTemplate(
            f"takes {{{name}}}, whose level is itself a text with places ({value.names[0]!r:.40})"
        )
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadTemplate(
            f"takes {{{name}}}, whose level {value!r:.{_SHOWN}} is of type {type(value).__name__}; "
            "only text and numbers can stand in a text"
        )
    return str(value)


def _no_such(name: str, levels: Mapping[str, Any]) -> str:
    if _MORE_THAN_A_NAME.search(name):
        return (
            f"asks for {{{name:.{_SHOWN}}}}: a place takes a factor's name alone, no attribute, "
            "index, conversion or format"
        )
    near = difflib.get_close_matches(name.strip(), levels, n=1)
    hint = f"; did you mean {{{near[0]}}}?" if near else ""
    known = ", ".join(levels) or "none"
    return (
        f"asks for {{{name:.{_SHOWN}}}}, which is no factor (factors: {known:.200}){hint}. Write "
        "{{ and }} for braces of the text itself"
    )
