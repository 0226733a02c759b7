"""What can be asked of the service, declared: a module an engine, a class an operation."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from types import ModuleType

from musicapi_nb import markup
from musicapi_nb.engines import account, lyrics, nuro, producer, riffusion, sonic, studio
from musicapi_nb.engines.request import Availability, Field, Price, Request, model_of

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

ENGINES: tuple[ModuleType, ...] = (sonic, studio, lyrics, nuro, producer, riffusion, account)


class Operations(tuple[type[Request], ...]):
    """Every declared operation; shown as the table to choose from."""

    __slots__ = ()
    _COLUMNS = ("request", "what it does", "credits", "songs", "standing")

    def _rows(self) -> list[tuple[str, str, int | None, int | None, str]]:
        return [
            (
                f"{kind.engine}.{kind.__name__}",
                operation_summary(kind),
                kind().price(),
                kind.songs,
                kind.availability.status if kind.availability else "",
            )
            for kind in sorted(self, key=_sort_key)
        ]

    def __repr__(self) -> str:
        return "\n".join(
            f"{name:<22} {markup.format_credits(price):>15}  {what}{f' ({word})' if word else ''}"
            for name, what, price, _, word in self._rows()
        )

    def _repr_html_(self) -> str:
        standings = {kind.engine: kind.availability for kind in self if kind.availability}
        said = [
            markup.notice(f"{engine} is {standing.status}: {standing.note}.", "warn")
            for engine, standing in standings.items()
        ]
        return markup.stack(markup.table(self._COLUMNS, self._rows()), *said)


def operation_summary(kind: type[Request]) -> str:
    """Say in a line what an operation does."""
    return (inspect.getdoc(kind) or "").partition("\n")[0].replace("`", "")


def default_operation(kinds: Sequence[type[Request]]) -> type[Request]:
    """The operation to begin with: one that needs words and nothing that was made before."""
    return next((kind for kind in kinds if kind.text_fields and not _needs_clip(kind)), kinds[0])


def _sort_key(kind: type[Request]) -> tuple[int, bool]:
    """Engine by engine, first what makes songs of words alone."""
    engines = [module.__name__.rpartition(".")[2] for module in ENGINES]
    return engines.index(kind.engine), not kind.text_fields or _needs_clip(kind)


def _needs_clip(kind: type[Request]) -> bool:
    return any(field.kind in {"clip", "clips"} for field in kind.fields().values())


def operations() -> Operations:
    """Return every declared operation, engine by engine."""
    found = (getattr(engine, name) for engine in ENGINES for name in engine.__all__)
    return Operations(
        item for item in found if isinstance(item, type) and issubclass(item, Request)
    )
