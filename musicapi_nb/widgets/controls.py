"""One control for each kind of field, with its help, its problems and its counter beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets

from musicapi_nb import markup
from musicapi_nb.engines.request import Segment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from musicapi_nb.engines import Field, Request
    from musicapi_nb.errors import Problem

_WIDE = {"long text", "tags", "segments"}
_ADD_ONE = "A click with Ctrl or ⌘ adds one."
_LEFT_OUT = "left to the service"
_ROWS = 6


class Control:
    """One field of a request as a person types it.

    A value that came with the request is given back as it was, until the person changes it.

    Attributes
    ----------
    box
        The widget to be shown.
    touched
        Whether the person has changed it.
    """

    def __init__(self, name: str, field: Field, value: Any, changed: Callable[[], None]) -> None:
        self.name = name
        self.field = field
        self.label = label_of(name)
        self.touched = False
        make, self._parse = _KINDS.get(field.kind, (_text, _parse_text))
        if field.kind == "choice" and field.open_choices:
            make, self._parse = _open_choice, _parse_text
        self._given = False if value is None and field.required and make is _switch else value
        self._off = None if value is None and not field.required else False
        self._inputs: Sequence[Any] = make(self.label, field, self._given)
        self._start = self._state()
        self._said, self._count = ipywidgets.HTML(), ipywidgets.HTML()
        self._changed = changed
        for each in self._inputs:
            each.observe(self._typed, "value")
        self.box = self._boxed()

    def _boxed(self) -> Any:
        self._said.add_class("musicapi-said")
        self._count.add_class("musicapi-count")
        foot = ipywidgets.HBox([self._said, self._count])
        foot.add_class("musicapi-foot")
        box = ipywidgets.VBox([*self._inputs, foot])
        box.add_class("musicapi-field")
        if self.field.kind in _WIDE:
            box.add_class("musicapi-wide")
        return box

    def _typed(self, _: object) -> None:
        self.touched = True
        self._changed()

    def _state(self) -> tuple[Any, ...]:
        return tuple(each.value for each in self._inputs)

    def read(self) -> Any:
        """Give the field's value: None for what is left out, the text itself for what is odd."""
        if self._state() == self._start:
            return self._given
        value = self._parse(*self._state())
        return self._off if self.field.kind == "switch" and value is False else value

    def show(self, problems: Sequence[Problem], model: str | None, *, visible: bool) -> None:
        """Show what is wrong with the field in the place of its help, and how long it is."""
        value = self.read()
        hard = [problem for problem in problems if problem.hard]
        blamed = bool(hard) and (self.touched or not _is_empty(value))
        said = " ".join(_sentence(problem.message) for problem in (hard or problems))
        self._said.value = markup.text(said) if said else self._help(value)
        _mark(self._said, "musicapi-bad", on=blamed)
        _mark(self._said, "musicapi-warn", on=bool(said) and not blamed)
        count, most = self._length(value, model)
        self._count.value = "" if most is None else f"{count:,} / {most:,}"
        _mark(self._count, "musicapi-bad", on=most is not None and count > most)
        self.box.layout.display = None if visible else "none"

    def _help(self, value: Any) -> str:
        """What the field is for; of tags, how they are read."""
        if self.field.kind == "tags" and isinstance(value, str):
            return markup.chips(part.strip() for part in value.split(",") if part.strip())
        more = f" {_ADD_ONE}" if self.field.kind == "choices" else ""
        return markup.text(f"{self.field.help}{more}")

    def _length(self, value: Any, model: str | None) -> tuple[int, int | None]:
        count = len(value) if isinstance(value, str | list | tuple) else 0
        return count, self.field.most or self.field.limit_for(model)

    def close(self) -> None:
        """Take it out of the page and out of the kernel."""
        for each in (*self._inputs, self._said, self._count, self.box):
            each.close()


def label_of(name: str) -> str:
    """Name a field for people: "custom_mode" is "Custom mode"."""
    return name.replace("_", " ").capitalize()


def in_order(kind: type[Request]) -> Mapping[str, Field]:
    """The fields as a person fills them in: what is needed, the words, the long, the short."""

    def place(name: str) -> int:
        field = kind.fields()[name]
        if name in kind.words:
            return 1
        if field.kind in _WIDE:
            return 2
        return 0 if field.required else 3

    return {name: kind.fields()[name] for name in sorted(kind.fields(), key=place)}


def can_take(field: Field, value: Any) -> bool:
    """Whether a value that was typed for a field of this name and kind may stand in this one."""
    if field.kind == "choice" and not field.open_choices:
        return value is None or value in field.choices
    if field.kind == "choices":
        return all(item in field.choices for item in value or ())
    return True


def _is_empty(value: Any) -> bool:
    return value is None or value == ""


def _sentence(message: str) -> str:
    return f"{message[:1].upper()}{message[1:].rstrip('.')}."


def _mark(widget: Any, name: str, *, on: bool) -> None:
    (widget.add_class if on else widget.remove_class)(name)


# --- the kinds: each gives its inputs; what they hold is parsed by the function beside it -----


def _as_text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _text(label: str, _: Field, value: Any) -> Sequence[Any]:
    return [ipywidgets.Text(value=_as_text(value), description=label)]


def _long_text(label: str, _: Field, value: Any) -> Sequence[Any]:
    return [ipywidgets.Textarea(value=_as_text(value), description=label, rows=4)]


def _parse_text(text: str) -> str | None:
    return text if text.strip() else None


def _parse_whole(text: str) -> int | str | None:
    try:
        return int(text)
    except ValueError:
        return _parse_text(text)


def _parse_number(text: str) -> float | str | None:
    whole = _parse_whole(text)
    if not isinstance(whole, str):
        return whole
    try:
        return float(text)
    except ValueError:
        return whole


def _switch(label: str, _: Field, value: Any) -> Sequence[Any]:
    return [ipywidgets.Checkbox(value=value is True, description=label, indent=False)]


def _fraction(label: str, field: Field, value: Any) -> Sequence[Any]:
    low = 0.0 if field.minimum is None else field.minimum
    high = 1.0 if field.maximum is None else field.maximum
    known = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    at = (low + high) / 2 if known is None else known
    slider = ipywidgets.FloatSlider(
        value=at, min=min(low, at), max=max(high, at), step=0.01, description=label,
        readout_format=".2f", disabled=known is None,
    )  # fmt: skip
    given = ipywidgets.Checkbox(value=known is not None, description="Set it", indent=False)
    given.add_class("musicapi-set")
    given.observe(lambda change: setattr(slider, "disabled", not change["new"]), "value")
    return [slider, given]


def _parse_fraction(value: float, given: bool) -> float | None:  # noqa: FBT001 - two inputs' values
    return round(value, 4) if given else None


def _choice(label: str, field: Field, value: Any) -> Sequence[Any]:
    first = "choose one" if field.required else _LEFT_OUT
    known = [*field.choices, *([] if value is None or value in field.choices else [value])]
    options = [(first, ""), *((str(each), each) for each in known)]  # None would choose none
    return [ipywidgets.Dropdown(options=options, value=value or "", description=label)]


def _open_choice(label: str, field: Field, value: Any) -> Sequence[Any]:
    return [
        ipywidgets.Combobox(
            value=_as_text(value), options=field.choices, description=label,
            placeholder="choose one, or type another",
        )
    ]  # fmt: skip


def _choices(label: str, field: Field, value: Any) -> Sequence[Any]:
    chosen = tuple(value) if isinstance(value, list | tuple) else ()
    options = [*field.choices, *(each for each in chosen if each not in field.choices)]
    return [ipywidgets.SelectMultiple(options=options, value=chosen, description=label, rows=_ROWS)]


def _parse_choices(chosen: tuple[str, ...]) -> list[str] | None:
    return list(chosen) or None


def _segments(label: str, _: Field, value: Any) -> Sequence[Any]:
    parts = value if isinstance(value, list | tuple) else ()
    lines = [f"{part.name} {part.duration}" for part in parts if isinstance(part, Segment)]
    return [
        ipywidgets.Textarea(
            value="\n".join(lines), description=label, rows=4,
            placeholder="a line for each part: its name and its seconds\nverse 20",
        )
    ]  # fmt: skip


def _parse_segments(text: str) -> list[Segment] | str | None:
    lines = [line.split() for line in text.splitlines() if line.strip()]
    try:
        parts = [Segment(name=name, duration=int(seconds)) for name, seconds in lines]
    except ValueError:
        return text
    return parts or None


_KINDS: dict[str, tuple[Callable[..., Sequence[Any]], Callable[..., Any]]] = {
    "long text": (_long_text, _parse_text),
    "choice": (_choice, lambda value: value or None),
    "switch": (_switch, lambda value: value),
    "fraction": (_fraction, _parse_fraction),
    "integer": (_text, _parse_whole),
    "number": (_text, _parse_number),
    "seconds": (_text, _parse_number),
    "choices": (_choices, _parse_choices),
    "segments": (_segments, _parse_segments),
}
