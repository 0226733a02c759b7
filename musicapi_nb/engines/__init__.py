"""What can be asked of the service, declared: one module an engine, one class an operation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from musicapi_nb.engines import account, lyrics, nuro, sonic, studio
from musicapi_nb.engines.request import Field, Price, Request, Standing

if TYPE_CHECKING:
    from types import ModuleType

__all__ = [
    "Field", "Price", "Request", "Standing", "account", "lyrics", "nuro", "operations", "sonic",
    "studio",
]  # fmt: skip

ENGINES: tuple[ModuleType, ...] = (sonic, studio, lyrics, nuro, account)


def operations() -> tuple[type[Request], ...]:
    """Return every declared operation, engine by engine."""
    found = (getattr(engine, name) for engine in ENGINES for name in engine.__all__)
    return tuple(item for item in found if issubclass(item, Request))
