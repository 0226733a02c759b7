"""What can be asked of the service, declared: a module an engine, a class an operation."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from types import ModuleType

from musicapi_nb import markup
from musicapi_nb.engines import account, lyrics, nuro, producer, riffusion, sonic, studio
from musicapi_nb.engines.request import Field, Price, Request, Standing, model_of

__all__ = [
    "Field",
    "Price",
    "Request",
    "Standing",
    "account",
    "first_of",
    "gist",
    "lyrics",
    "model_of",
    "nuro",
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
                gist(kind),
                kind().price(),
                kind.songs,
                kind.standing.word if kind.standing else "",
            )
            for kind in sorted(self, key=_place)
        ]

    def __repr__(self) -> str:
        return "\n".join(
            f"{name:<22} {markup.in_credits(price):>15}  {what}{f' ({word})' if word else ''}"
            for name, what, price, _, word in self._rows()
        )

    def _repr_html_(self) -> str:
        standings = {kind.engine: kind.standing for kind in self if kind.standing}
        said = [
            markup.notice(f"{engine} is {standing.word}: {standing.note}.", "warn")
            for engine, standing in standings.items()
        ]
        return markup.stack(markup.table(self._COLUMNS, self._rows()), *said)


def gist(kind: type[Request]) -> str:
    """Say in a line what an operation does."""
    return (inspect.getdoc(kind) or "").partition("\n")[0].replace("`", "")


def first_of(kinds: Sequence[type[Request]]) -> type[Request]:
    """The operation to begin with: one that needs words and nothing that was made before."""
    return next((kind for kind in kinds if kind.words and not _goes_on(kind)), kinds[0])


def _place(kind: type[Request]) -> tuple[int, bool]:
    """Engine by engine, first what makes songs of words alone."""
    engines = [module.__name__.rpartition(".")[2] for module in ENGINES]
    return engines.index(kind.engine), not kind.words or _goes_on(kind)


def _goes_on(kind: type[Request]) -> bool:
    return any(field.kind in {"clip", "clips"} for field in kind.fields().values())


def operations() -> Operations:
    """Return every declared operation, engine by engine."""
    found = (getattr(engine, name) for engine in ENGINES for name in engine.__all__)
    return Operations(
        item for item in found if isinstance(item, type) and issubclass(item, Request)
    )
