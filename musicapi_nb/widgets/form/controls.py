"""The fields of a form: their controls, typed values and messages. No I/O."""

from collections.abc import Mapping, Sequence
from typing import Any

from musicapi_nb.engines import Field, Request
from musicapi_nb.engines.fields import is_missing, label_of
from musicapi_nb.errors import Problem
from musicapi_nb.tasks.tags import split_at_commas
from musicapi_nb.widgets.form import wording
from musicapi_nb.widgets.form.kinds import (
    Unreadable,
    control_kind,
    format_seconds,
    is_mode,
    number_or_none,
    song_ids,
)

_SONG_KINDS = {"clip", "clips"}
_SOURCE_KINDS = _SONG_KINDS | {"requests", "url"}  # what an operation works on: comes first
_WIDE_KINDS = {"long text", "tags", "segments", "choices"} | _SOURCE_KINDS
_WANTED = "may be wanted by the service"  # the start of advice about fields that are not set
_DURATION_KINDS = {"seconds", "whole seconds"}


class Control:
    """One field of a request as a person edits it, and whether it was `touched`.

    `raw` is the control's value in the page: text, bool, number or None, or a list of texts. The
    initial value is returned unchanged until the person changes it.
    """

    def __init__(self, name: str, field: Field, value: Any) -> None:
        self.name = name
        self.field = field
        self.label = label_of(name, field)
        self.touched = False
        self._kind = control_kind(field)
        self._initial = _default(field) if value is None else value
        self._off = None if self._initial is None else False
        self.raw = self._initial_raw = self._kind.write(self._initial)

    def type(self, raw: Any) -> None:
        """Take a typed value; ignore one of a type that this control does not produce."""
        is_fraction = self.field.kind == "fraction" and raw == number_or_none(raw)
        if isinstance(raw, type(self._initial_raw)) or is_fraction:
            self.touched = True
            self.raw = raw

    def read(self) -> Any:
        """Return the field's value: None if left out, the typed text if it cannot be parsed."""
        return self._parse()[0]

    def _parse(self) -> tuple[Any, str]:
        """Return the field's value, and the reason if the typed text cannot be parsed."""
        if self.raw == self._initial_raw:
            return self._initial, ""
        try:
            value = self._kind.read(self.raw)
        except ValueError as error:
            return self.raw, str(error) if isinstance(error, Unreadable) else ""
        return (self._off if value is False else value), ""

    @property
    def is_folded(self) -> bool:
        """True if the control is among those that most people leave alone."""
        return self.field.advanced and not self.field.required

    @property
    def songs(self) -> list[str]:
        """The ids of the chosen songs, if the control chooses songs."""
        return song_ids(self.raw) if self.field.kind in _SONG_KINDS else []

    def spec(self) -> dict[str, Any]:
        """Return what the page needs to draw the control."""
        options = self._kind.options
        return {
            "name": self.name,
            "label": self.label,
            "control": self._kind.control,
            "wide": self.field.kind in _WIDE_KINDS or is_mode(self.field),
            "advanced": self.is_folded,
            "placeholder": self.field.example,
            **(options(self.field, self._initial_raw) if callable(options) else options or {}),
        }

    def state(
        self,
        problems: Sequence[Problem],
        fields: Mapping[str, Field],
        model: str | None,
        *,
        is_active: bool,
    ) -> dict[str, Any]:
        """Return the message below the control (a problem replaces the help) and the length."""
        value, reason = self._parse()
        problems = [problem for problem in problems if problem.field == self.name]
        errors = [problem for problem in problems if problem.hard]
        missing = _is_empty(value)
        message, tone = self.field.help, ""
        if errors and missing:
            message = wording.request_for(errors[0], self.field, fields)
            message, tone = (f"Missing. {message}", "bad") if self.touched else (message, "")
        elif errors:
            message, tone = reason or wording.sentences(errors, fields), "bad"
        elif missing and any(problem.message.startswith(_WANTED) for problem in problems):
            message = f"{message} The service may want this."
        elif problems:
            message, tone = wording.sentences(problems, fields), "warn"
        return {
            "shown": is_active,
            "message": message,
            "tone": tone,
            "count": self._count(value, model, is_wrong=bool(errors)),
            "chips": list(split_at_commas(value)) if self._has_chips(value) else [],
        }

    def _has_chips(self, value: Any) -> bool:
        return self.field.kind == "tags" and isinstance(value, str)

    def _count(self, value: Any, model: str | None, *, is_wrong: bool) -> str:
        """Return the length of a text or list and its limit, or how a duration was understood."""
        limit = self.field.max_items or self.field.limit_for(model)
        if self.field.kind in _DURATION_KINDS:
            number = None if is_wrong else number_or_none(value)
            text = "" if number is None else format_seconds(number)
            return f"= {text}" if text not in ("", self.raw.strip()) else ""
        if limit is None:
            return ""
        length = len(value) if isinstance(value, str | list | tuple) else 0
        if isinstance(value, str) and self.field.max_items is not None:  # a list not yet parsed
            length = sum(1 for line in value.splitlines() if line.strip())
        elif is_wrong and length > limit:
            return ""  # the message says it
        return f"{length:,} / {limit:,}"

    def blocker(self, problems: Sequence[Problem]) -> str:
        """Return why the control blocks the button, such as "Missing"; "" if it does not."""
        if not any(problem.hard and problem.field == self.name for problem in problems):
            return ""
        value = self.read()
        if _is_empty(value):
            return "Missing"
        limit = self.field.limit_for(None)
        is_long = limit is not None and isinstance(value, str) and len(value) > limit
        return "Too long" if is_long else "Please check"


def _is_empty(value: Any) -> bool:
    return is_missing(value) or value in ((), [])


def _default(field: Field) -> Any:
    """Return what a control without a value starts with: the newest model, or "off"."""
    if field.kind == "switch" and (field.required or field.advice_if_missing or is_mode(field)):
        return False
    return field.choices[0] if field.required and field.allow_other else None


def fields_in_order(operation: type[Request]) -> Mapping[str, Field]:
    """Return the fields in display order: mode, sources, texts, wide controls, the others."""

    def rank(name: str) -> tuple[bool, int]:
        field = operation.fields()[name]
        if is_mode(field):
            return False, 0
        if field.required and field.kind in _SOURCE_KINDS:
            number = 1
        elif name in operation.text_fields:
            number = 2
        elif field.kind in _WIDE_KINDS:
            number = 3
        else:
            number = 5 if field.kind == "switch" else 4
        return field.advanced, number

    return {name: operation.fields()[name] for name in sorted(operation.fields(), key=rank)}


def can_take(field: Field, value: Any) -> bool:
    """Return whether a field can hold a value that was typed into another of the same kind."""
    if field.kind == "choice":
        return value is None or value in field.choices
    if field.kind == "choices":
        return all(item in field.choices for item in value or ())
    return True
