"""Declarations of the service's operations: one module per engine, one class per operation."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from musicapi_nb import markup
from musicapi_nb.engines import account, custom, lyrics, nuro, producer, riffusion, sonic, studio
from musicapi_nb.engines.documentation import summary as operation_summary
from musicapi_nb.engines.fields import Field
from musicapi_nb.engines.request import Availability, Group, Price, Request, model_of

__all__ = [
    "Availability",
    "Field",
    "Price",
    "Request",
    "account",
    "default_operation",
    "described_song",
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
_GROUPS = typing.get_args(Group)


class Operations(tuple[type[Request], ...]):
    """All declared operations; displays as one table for each group."""

    __slots__ = ()
    _COLUMNS = ("request", "what it does", "credits", "songs", "status")

    def _groups(self) -> dict[str, list[tuple[str, str, int | None, int | None, str]]]:
        """Return the rows of each group."""
        groups: dict[str, list[Any]] = {group: [] for group in _GROUPS}
        for kind in self:
            status = kind.availability.status if kind.availability else ""
            name = f"{kind.engine}.{kind.__name__}"
            groups[kind.group].append(
                (name, operation_summary(kind), kind().price(), kind.songs or None, status)
            )
        return {group: rows for group, rows in groups.items() if rows}

    def __repr__(self) -> str:
        lines: list[str] = []
        for group, rows in self._groups().items():
            lines += ["", group] if lines else [group]
            lines += [
                f"{name:<22} {markup.format_credits(price):>15}  {summary}"
                f"{f' ({status})' if status else ''}"
                for name, summary, price, _, status in rows
            ]
        return "\n".join(lines)

    @markup.html_repr
    def _repr_html_(self) -> str:
        cards = [
            markup.card(group, self._table(rows), wide=True)
            for group, rows in self._groups().items()
        ]
        return markup.stack(*cards, *self._notices())

    def _table(self, rows: Sequence[Sequence[Any]]) -> str:
        """Return a table with the columns that have a value in these rows."""
        used = [
            index
            for index in range(len(self._COLUMNS))
            if any(row[index] not in (None, "") for row in rows)
        ]
        names = [self._COLUMNS[index] for index in used]
        return markup.table(names, [[row[index] for index in used] for row in rows])

    def _notices(self) -> Iterator[str]:
        """Yield what limits an engine, or some of its operations."""
        limits = dict.fromkeys((kind.engine, kind.availability) for kind in self)
        for engine, limit in limits:
            if limit is not None:
                members = [kind for kind in self if kind.engine == engine]
                limited = [kind for kind in members if kind.availability == limit]
                names = [f"{engine}.{kind.__name__}" for kind in limited]
                subject = engine if limited == members else ", ".join(names)
                yield markup.notice(f"{subject}: {limit.status}; {limit.note}.", "warn")


def default_operation(candidates: Sequence[type[Request]]) -> type[Request]:
    """Return the first operation that takes text and needs no clip; else the first."""
    creates = (operation for operation in candidates if _creates_from_text(operation))
    return next(creates, candidates[0])


def described_song(text: str, **fields: Any) -> Request:
    """Return the request for a song of this description, of the default operation."""
    operation: Callable[..., Request] = default_operation(operations())
    return operation(text, **fields)


def _creates_from_text(operation: type[Request]) -> bool:
    needs_clip = any(field.kind in {"clip", "clips"} for field in operation.fields().values())
    return bool(operation.text_fields) and not needs_clip


def operations() -> Operations:
    """Return every declared operation, engine by engine; those that create from text come first."""

    def rank(operation: type[Request]) -> tuple[int, int, bool, str]:
        group = _GROUPS.index(operation.group)
        needs_song = not _creates_from_text(operation)
        return _ENGINES.index(operation.engine), group, needs_song, operation.__name__

    return Operations(sorted(custom.DECLARED.values(), key=rank))
