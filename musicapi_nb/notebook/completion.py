"""Completion of choices inside quotes in IPython: sonic.Create(mv=" offers the models."""

import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    completion_matcher,
)

from musicapi_nb.engines import Request
from musicapi_nb.engines.arguments import field_name

# The cell up to the cursor ends with a field and an open quote, perhaps in a list.
_OPEN_VALUE = re.compile(r"(\w+)\s*=\s*(?:\[[^\[\]]*)?([\"'])([^\"'\n]*)$")
_STRING = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'")
_CALLED = re.compile(r"([A-Za-z_][\w.]*)\s*$")
_IDENTIFIER = "musicapi_nb.choices"


def add_completion(shell: Any) -> None:
    """Let an IPython shell, if there is one, complete the choices of fields; once for each."""
    matchers = getattr(getattr(shell, "Completer", None), "custom_matchers", None)
    if matchers is None or any(_identifier(matcher) == _IDENTIFIER for matcher in matchers):
        return

    @completion_matcher(identifier=_IDENTIFIER, api_version=2)  # type: ignore[untyped-decorator]
    def complete_choices(context: CompletionContext) -> SimpleMatcherResult:
        lines = context.full_text.split("\n")[: context.cursor_line + 1]
        text = "\n".join([*lines[:-1], lines[-1][: context.cursor_position]])
        choices, typed = choices_before_cursor(text, shell.user_ns)
        completions = [SimpleCompletion(choice, type="str") for choice in choices]
        if not completions:
            return SimpleMatcherResult(completions=[])
        return SimpleMatcherResult(
            completions=completions, matched_fragment=typed, suppress=True, ordered=True
        )

    matchers.append(complete_choices)


def _identifier(matcher: Any) -> str:
    return getattr(matcher, "matcher_identifier", "")


def choices_before_cursor(text: str, namespace: Mapping[str, Any]) -> tuple[list[str], str]:
    """Return the choices that continue the text before the cursor, and the part typed of them."""
    value = _OPEN_VALUE.search(text)
    if value is None:
        return [], ""
    name, _, typed = value.groups()
    operation = _named_operation(_open_call(text[: value.start()]), namespace)
    if operation is None:
        return [], ""
    field = operation.fields().get(field_name(operation, name))
    choices = field.choices if field else ()
    return [choice for choice in choices if choice.lower().startswith(typed.lower())], typed


def _open_call(text: str) -> str:
    """Return the dotted name before the last parenthesis that is still open; "" if none is."""
    text = _STRING.sub("", text)
    depth = 0
    for index in range(len(text) - 1, -1, -1):
        depth += (text[index] in ")]}") - (text[index] in "([{")
        if depth < 0:
            called = _CALLED.search(text[:index])
            return called[1] if called and text[index] == "(" else ""
    return ""


def _named_operation(name: str, namespace: Mapping[str, Any]) -> type[Request] | None:
    """Return the operation of a dotted name; only modules are looked into, so no code runs."""
    first, *rest = name.split(".")
    value = namespace.get(first)
    for part in rest:
        value = getattr(value, part, None) if isinstance(value, ModuleType) else None
    return value if isinstance(value, type) and issubclass(value, Request) else None
