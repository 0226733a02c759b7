"""Declarations of the service's operations: one module per engine, one class per operation."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from musicapi_nb import markup
from musicapi_nb.engines import account, custom, lyrics, nuro, producer, riffusion, sonic, studio
from musicapi_nb.engines.fields import Field
from musicapi_nb.engines.request import Availability, Price, Request, model_of

__all__ = [
    "Availability",
    "Field",
    "Price",
    "Request",
    "account",
    "default_operation",
    "lyrics",
    "model_of",
    "nuro",
    "operation_summary",
    "operations",
    "producer",
    "riffusion",
    "sonic",
    "studio",
]

_ENGINES = ("sonic", "studio", "lyrics", "nuro", "producer", "riffusion", "account")


class Operations(tuple[type[Request], ...]):
    """All declared operations; displays as a table."""

    __slots__ = ()
    _COLUMNS = ("request", "what it does", "credits", "songs", "availability")

    def _rows(self) -> list[tuple[str, str, int | None, int | None, str]]:
        # within an engine, operations that create from text come first
        order = {kind: (_ENGINES.index(kind.engine), not _creates_from_text(kind)) for kind in self}
        return [
            (
                f"{kind.engine}.{kind.__name__}",
                operation_summary(kind),
                kind().price(),
                kind.songs,
                kind.availability.status if kind.availability else "",
            )
            for kind in sorted(self, key=order.__getitem__)
        ]

    def __repr__(self) -> str:
        return "\n".join(
            f"{name:<22} {markup.format_credits(price):>15}  {summary}"
            f"{f' ({status})' if status else ''}"
            for name, summary, price, _, status in self._rows()
        )

    @markup.html_repr
    def _repr_html_(self) -> str:
        limited = {kind.engine: kind.availability for kind in self if kind.availability}
        notices = [
            markup.notice(f"{engine} is {availability.status}: {availability.note}.", "warn")
            for engine, availability in limited.items()
        ]
        return markup.stack(markup.table(self._COLUMNS, self._rows()), *notices)


def operation_summary(operation: type[Request]) -> str:
    """Return the first line of an operation's own docstring, without backticks."""
    return inspect.cleandoc(operation.__doc__ or "").partition("\n")[0].replace("`", "")


def default_operation(candidates: Sequence[type[Request]]) -> type[Request]:
    """Return the first operation that takes text and needs no clip; else the first."""
    creates = (operation for operation in candidates if _creates_from_text(operation))
    return next(creates, candidates[0])


def _creates_from_text(operation: type[Request]) -> bool:
    needs_clip = any(field.kind in {"clip", "clips"} for field in operation.fields().values())
    return bool(operation.text_fields) and not needs_clip


def operations() -> Operations:
    """Return every declared operation, engine by engine."""
    classes = sorted(custom.DECLARED.values(), key=lambda operation: operation.__name__)
    return Operations(sorted(classes, key=lambda operation: _ENGINES.index(operation.engine)))
