"""Text templates such as "{style} about {topic}": names only, nothing is evaluated. No I/O."""

import dataclasses
import difflib
import functools
import re
from collections.abc import Mapping
from typing import Any

_TOKENS = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_EXCERPT = 40
_NOT_A_NAME = re.compile(r"[.\[\]!:()]")


class BadTemplate(ValueError):
    """A text cannot be filled; the message says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Template:
    """Literal texts, and the names of the placeholders between them."""

    literals: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def plain(self) -> str | None:
        """The text if there are no placeholders, else None."""
        return None if self.names else self.literals[0]

    def fill(self, levels: Mapping[str, Any]) -> str | None:
        """Insert levels; a level of None inserts nothing.

        None, so that the field is not sent, if only placeholders were there and all are empty.
        BadTemplate is raised if a name is not a factor, or its level neither text nor a number.
        """
        parts = [self.literals[0]]
        for name, literal in zip(self.names, self.literals[1:], strict=True):
            parts += (_level_text(name, levels), literal)
        filled = "".join(parts)
        return None if self.names and not filled else filled


@functools.lru_cache(maxsize=4096)
def parse(text: str) -> Template:
    """Parse a template: {name} is a placeholder, {{ and }} are braces.

    BadTemplate is raised for an unmatched brace or an empty placeholder.
    """
    literals, names, end = [""], [], 0
    for token in _TOKENS.finditer(text):
        literals[-1] += text[end : token.start()]
        end = token.end()
        if token[0] in {"{{", "}}"}:
            literals[-1] += token[0][0]
        elif not token[1]:
            fault = "an empty placeholder {}" if token[0] == "{}" else f"an unmatched {token[0]}"
            start = token.start()
            excerpt = text[max(0, start - _EXCERPT // 2) : start + _EXCERPT // 2]
            raise BadTemplate(
                f"has {fault} at character {start} ({excerpt!r}); write {{name}} for a factor's "
                "level, and {{ or }} for a literal brace"
            )
        else:
            names.append(token[1])
            literals.append("")
    literals[-1] += text[end:]
    return Template(tuple(literals), tuple(names))


def placeholders(text: str) -> tuple[str, ...]:
    """Return the names of a text's placeholders; none if it cannot be parsed."""
    try:
        return parse(text).names if "{" in text else ()
    except BadTemplate:
        return ()


def _level_text(name: str, levels: Mapping[str, Any]) -> str:
    if name not in levels:
        raise BadTemplate(_unknown_name(name, levels))
    value = levels[name]
    if value is None:
        return ""
    if isinstance(value, Template):
        raise BadTemplate(
            f"uses {{{name}}}, whose level is itself a template (with {value.names[0]!r:.40})"
        )
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadTemplate(
            f"uses {{{name}}}, whose level {value!r:.{_EXCERPT}} is a {type(value).__name__}; only "
            "text and numbers can be inserted into a text"
        )
    return str(value)


def _unknown_name(name: str, levels: Mapping[str, Any]) -> str:
    if _NOT_A_NAME.search(name):
        return (
            f"uses {{{name:.{_EXCERPT}}}}; a placeholder is the name of a factor, without "
            "attribute, index, conversion or format"
        )
    similar = difflib.get_close_matches(name.strip(), levels, n=1)
    hint = f"; did you mean {{{similar[0]}}}?" if similar else ""
    factors = ", ".join(levels) or "none"
    return (
        f"uses {{{name:.{_EXCERPT}}}}, which is not a factor (factors: {factors:.200}){hint}. "
        "Write {{ and }} for literal braces"
    )
