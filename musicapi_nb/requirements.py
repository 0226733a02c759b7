"""The versions of other packages that this one needs, as its own metadata states them."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from musicapi_nb.errors import OldDependency
from musicapi_nb.short_traceback import is_in_ipython

if TYPE_CHECKING:
    from packaging.requirements import Requirement

LOWEST: Mapping[str, tuple[int, ...]] = {"numpy": (1, 26), "pandas": (2, 2, 2), "pyarrow": (17,)}
"""The lowest versions of the packages of tables: a copy of pyproject.toml, to read in no time."""


def import_table_packages() -> None:
    """Import the packages of tables; raise OldDependency if one of them is older than `LOWEST`.

    Old ones may fail at their import, or make other tables. The metadata, whose reading takes as
    long as a tenth of these imports, is only read once something is wrong.
    """
    try:
        versions = {name: importlib.import_module(name).__version__ for name in LOWEST}
    except Exception as failure:
        if error := old_dependency(*LOWEST):
            raise error from None
        if str(failure).startswith("pyarrow requires NumPy"):
            raise _numpy_refused_by_pyarrow(failure) from None
        raise
    if any(_numbers(versions[name]) < LOWEST[name] for name in LOWEST) and (
        error := old_dependency(*LOWEST)
    ):
        raise error


def _numpy_refused_by_pyarrow(failure: Exception) -> OldDependency:
    """Return the error that pyarrow refuses this numpy, with the commands that help.

    pyarrow 26 needs numpy 2. Its metadata does not say so; pip installs it beside numpy 1.26.
    """
    older, newer, then = 'pip install "pyarrow<26"', 'pip install "numpy>=2"', "try again"
    if is_in_ipython():
        older, newer, then = f"%{older}", f"%{newer}", "restart the kernel"
    return OldDependency(
        f"pyarrow cannot be imported ({failure}): run `{older}`, or `{newer}` if your other "
        f"packages allow it, then {then}"
    )


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers that a version starts with: (3, 0, 0) for 3.0.0rc1."""
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, match[0].split("."))) if match else ()


def old_dependency(*names: str) -> OldDependency | None:
    """Return the error that one of these packages, or without names any, is too old.

    A package that is not installed is not too old. Loading what reads the metadata takes about
    15 ms, so this is called once something has failed.
    """
    from packaging.utils import canonicalize_name  # noqa: PLC0415 - rarely needed

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
    from importlib import metadata  # noqa: PLC0415 - as above

    from packaging.requirements import Requirement  # noqa: PLC0415 - as above
    from packaging.utils import canonicalize_name  # noqa: PLC0415 - as above

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
