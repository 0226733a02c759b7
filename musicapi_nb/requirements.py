"""The versions of other packages that this one needs, as its own metadata states them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from musicapi_nb.errors import OldDependency
from musicapi_nb.short_traceback import is_in_ipython


def old_dependency(*names: str) -> OldDependency | None:
    """Return the error that one of these packages, or without names any, is too old.

    A package that is not installed is not too old. Reading the metadata takes some milliseconds, so
    this is called beside the import of a large library, or once something has failed.
    """
    old = list(_old_requirements({canonicalize_name(name) for name in names}))
    if not old:
        return None
    *others, last = [f"{requirement.name} {version}" for requirement, version in old]
    packages = f"{', '.join(others)} and {last} are" if others else f"{last} is"
    needed = [f'"{requirement.name}{requirement.specifier}"' for requirement, _ in old]
    command, then = " ".join(["pip install", *needed]), "try again"
    if is_in_ipython():
        command, then = f"%{command}", "restart the kernel"
    return OldDependency(f"{packages} too old for musicapi_nb: run `{command}`, then {then}")


def _old_requirements(names: set[str]) -> Iterator[tuple[Requirement, str]]:
    """Yield the requirements that installed packages do not meet, with the installed versions."""
    try:
        lines = metadata.requires("musicapi_nb") or []
    except metadata.PackageNotFoundError:  # a copy of the files states nothing
        return
    for requirement in map(Requirement, dict.fromkeys(line.partition(";")[0] for line in lines)):
        if names and canonicalize_name(requirement.name) not in names:
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            yield requirement, version
