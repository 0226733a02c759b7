"""The public names of modules: what Tab offers, and what a wrong name is answered. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from musicapi_nb.short_traceback import ShortTraceback


class UnknownName(ShortTraceback, AttributeError):
    """A module or an object does not have this name; the message suggests another."""


def similar_name(name: str, names: Iterable[str]) -> str | None:
    """Return the name that differs in case or spelling alone; None if none is near."""
    import difflib  # noqa: PLC0415 - needed for wrong names alone

    by_lower = {known.lower(): known for known in names}
    lower = name.lower()
    near = [lower] if lower in by_lower else difflib.get_close_matches(lower, by_lower, n=1)
    return by_lower[near[0]] if near else None


def missing_name(
    owner: str, name: str, names: Iterable[str], hints: Mapping[str, str] | None = None
) -> UnknownName:
    """Return the error about a name that an object does not have, with a suggestion.

    `hints` are the suggestions for names that people try.
    """
    if name.startswith("_"):  # asked by Python, copy, IPython ...
        return UnknownName(f"{owner} has no attribute {name!r}")
    near = (hints or {}).get(name.lower()) or similar_name(name, names)
    hint = f"; did you mean {near}?" if near else ""
    return UnknownName(f"{owner} has no attribute {name!r}{hint}")


def public_names(
    module: str, names: Iterable[str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` of a module that has these public names.

    Type checkers should not see the first: they would take any name for one of the module.
    """
    listed = sorted(names)

    def get_missing(name: str) -> Any:
        raise missing_name(module, name, listed)

    return get_missing, lambda: listed
