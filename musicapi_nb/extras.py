"""The extras: the packages of each, and the error if they are not installed."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Mapping
from typing import Literal, TypeAlias

from musicapi_nb.errors import MissingExtra
from musicapi_nb.requirements import old_dependency
from musicapi_nb.short_traceback import is_in_ipython

Extra: TypeAlias = Literal["analysis", "audio", "export", "plots", "scale", "upload"]

PACKAGES: Mapping[Extra, tuple[str, ...]] = {
    "analysis": ("scipy", "networkx"),
    "audio": ("scipy", "loky", "cloudpickle"),
    "export": ("mutagen",),
    "plots": ("matplotlib",),
    "scale": ("dask", "distributed"),
    "upload": ("fsspec",),
}
"""The modules that are imported from each extra. The packages on PyPI have the same names."""


def missing_extra(extra: Extra) -> MissingExtra | None:
    """Return the error about a missing extra; None if its packages are installed."""
    missing = [name for name in PACKAGES[extra] if importlib.util.find_spec(name) is None]
    if not missing:
        return None
    *others, last = missing
    names = f"{', '.join(others)} and {last}" if others else last
    verb, pronoun = ("are", "them") if others else ("is", "it")
    command = f'pip install "musicapi_nb[{extra}]"'  # every shell has these quotes
    if is_in_ipython():
        command = f"%{command}"  # into the environment of the kernel
    return MissingExtra(f"{names} {verb} not installed: `{command}` installs {pronoun}")


def require_extra(extra: Extra) -> None:
    """Raise MissingExtra if a package of the extra is missing, OldDependency if one is too old.

    The packages are not imported. A function that needs an extra calls this first, before it
    computes, writes or sends anything.
    """
    if error := missing_extra(extra):
        raise error
    _require_versions(extra)


@functools.cache  # of successes only; the first takes about 15 ms
def _require_versions(extra: Extra) -> None:
    if error := old_dependency(*PACKAGES[extra]):
        raise error
