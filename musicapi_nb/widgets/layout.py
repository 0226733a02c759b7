"""The parts of a form that are the same for every operation, and what they say."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import ipywidgets

from musicapi_nb import markup
from musicapi_nb.widgets.buy import BuyButton
from musicapi_nb.widgets.controls import label_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from musicapi_nb.engines import Request
    from musicapi_nb.errors import Problem
    from musicapi_nb.widgets.controls import Control


class Parts:
    """The widgets of a form that stay, whatever its operation is."""

    def __init__(
        self,
        operations: Sequence[type[Request]],
        start: type[Request],
        changed: Callable[[], None],
        picked: Callable[[type[Request]], None],
        pressed: Callable[[], None],
    ) -> None:
        self.head, self.summary, self.said, self.code = (ipywidgets.HTML() for _ in range(4))
        self.fields = ipywidgets.Box()
        self.extra = ipywidgets.Textarea(
            description="Other fields, as JSON", placeholder='{"name": "value"}', rows=3
        )
        self.extra.observe(lambda _: changed(), "value")
        self.buy = BuyButton(pressed, changed)
        self.results = ipywidgets.VBox()
        picker = _picker(operations, start, picked)
        code, extra = _opens("Show as code", self.code), _opens("Other fields", self.extra)
        self.form = ipywidgets.VBox([
            self.head, *picker, self.fields, _row(extra[0], code[0]), extra[1], code[1],
            self.summary, self.said, _row(self.buy),
        ])  # fmt: skip
        for widget, name in ((self.form, "form"), (self.fields, "fields"), (extra[1], "code"),
                             (self.summary, "summary"),
                             (self.head, "head"), (self.results, "results")):  # fmt: skip
            widget.add_class(f"musicapi-{name}")


def _row(*widgets: Any) -> Any:
    row = ipywidgets.HBox(widgets)
    row.add_class("musicapi-row")
    return row


def _opens(label: str, inside: Any) -> tuple[Any, Any]:
    """A button, and the box that it opens; closed at first."""
    toggle = ipywidgets.ToggleButton(description=label)
    box = ipywidgets.VBox([inside])
    box.layout.display = "none"
    toggle.observe(
        lambda change: setattr(box.layout, "display", None if change["new"] else "none"), "value"
    )
    return toggle, box


def _picker(
    operations: Sequence[type[Request]],
    start: type[Request],
    picked: Callable[[type[Request]], None],
) -> list[Any]:
    """The choice of engine and operation, where there is one."""
    if len(operations) == 1:
        return []
    names = list(dict.fromkeys(kind.engine for kind in operations))
    engine = ipywidgets.Dropdown(options=names, value=start.engine, description="Engine")
    operation = ipywidgets.Dropdown(description="Operation")

    def fill(_: object = None) -> None:
        kinds = [kind for kind in operations if kind.engine == engine.value]
        operation.options = [(f"{kind.__name__}: {_gist(kind)}", kind) for kind in kinds]

    fill()
    operation.value = start
    engine.observe(fill, "value")
    operation.observe(
        lambda change: picked(change["new"]) if change["new"] is not None else None, "value"
    )
    row = ipywidgets.Box([engine, operation] if len(names) > 1 else [operation])
    row.add_class("musicapi-picker")
    return [row]


def _gist(kind: type[Request]) -> str:
    return (inspect.getdoc(kind) or "").partition("\n")[0].replace("`", "").rstrip(".")


def head(kind: type[Request], *, simulated: bool) -> str:
    badges = [markup.badge("simulated") if simulated else markup.badge("paid", "warn")]
    if kind.standing:
        badges.append(markup.badge(kind.standing.word, "bad"))
    name = markup.text(f"{kind.engine}.{kind.__name__}")
    return markup.stack(
        markup.join(markup.Html(f"<b>{name}</b>"), *badges, separator=" "),
        markup.caption(f"{_gist(kind)}."),
    )


def summary(problems: Sequence[Problem], controls: Mapping[str, Control]) -> str:
    """What belongs to no field, and the fields that hold the button back."""
    own = [problem for problem in problems if problem.field not in controls]
    hard = dict.fromkeys(
        label_of(each.field) for each in problems if each.hard and each.field in controls
    )
    notices = [markup.notice(str(each), "bad" if each.hard else "warn") for each in own]
    words = markup.text(f"Still to do: {', '.join(hard)}.") if hard else markup.EMPTY
    return markup.stack(*notices, words)


def offer(request: Request, balance: float | None) -> str:
    """What the button says: what comes of it, the price, and the balance after it."""
    price, songs = request.price(), request.songs if request.answers == "task" else 0
    what = f"Make {songs} song{'' if songs == 1 else 's'}" if songs else "Send"
    if price is None:
        left = "" if balance is None else f" · {balance:,.0f} left now"
        return f"{what}, price unknown{left}"
    if price == 0:
        return f"{what}, costs nothing"
    offer = f"{what} for {markup.in_credits(price)}"
    if balance is None:
        return offer
    if balance < price:
        return f"{offer} · only {balance:,.0f} left"
    return f"{offer} · {balance - price:,.0f} left after"


def bundle(widget: Any, html: str, text: str) -> dict[str, Any]:
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return {
        "application/vnd.jupyter.widget-view+json": view, "text/html": html, "text/plain": text,
    }  # fmt: skip
