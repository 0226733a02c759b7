"""Check the versions of other packages against the requirements in the package's metadata."""

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
"""The lowest versions of the packages for tables, copied from pyproject.toml for a fast check."""


def import_table_packages() -> None:
    """Import the packages for tables; raise OldDependency if one of them is older than `LOWEST`.

    Older versions may fail at import or produce different tables. Reading the metadata would add a
    tenth to the time of these imports, so it is only read after an error.
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
    """Return the error about a pyarrow that refuses this numpy, with the commands that help.

    pyarrow 26 needs numpy 2, but its metadata does not say so, and pip installs it with numpy 1.26.
    """
    older, newer, next_step = 'pip install "pyarrow<26"', 'pip install "numpy>=2"', "try again"
    if is_in_ipython():
        older, newer, next_step = f"%{older}", f"%{newer}", "restart the kernel"
    return OldDependency(
        f"pyarrow cannot be imported ({failure}): run `{older}`, or `{newer}` if your other "
        f"packages allow it, then {next_step}"
    )


def _numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version, such as (3, 0, 0) of 3.0.0rc1."""
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, match[0].split("."))) if match else ()


def old_dependency(*names: str) -> OldDependency | None:
    """Return an error that names the packages that are too old; None if there are none.

    Without names, all requirements are checked. Packages that are not installed are skipped.
    Importing the reader of metadata takes about 15 ms, so this is called after an error, or before
    the first use of an extra.
    """
    from packaging.utils import canonicalize_name  # noqa: PLC0415 - rarely needed

    old = list(_old_requirements({canonicalize_name(name) for name in names}))
    if not old:
        return None
    *others, last = [f"{requirement.name} {version}" for requirement, version in old]
    packages = f"{', '.join(others)} and {last} are" if others else f"{last} is"
    needed = [f'"{requirement.name}{requirement.specifier}"' for requirement, _ in old]
    command, next_step = " ".join(["pip install", *needed]), "try again"
    if is_in_ipython():
        command, next_step = f"%{command}", "restart the kernel"
    return OldDependency(f"{packages} too old for musicapi_nb: run `{command}`, then {next_step}")


def _old_requirements(names: set[str]) -> Iterator[tuple[Requirement, str]]:
    """Yield the requirements that installed packages do not meet, with the installed versions."""
    from importlib import metadata  # noqa: PLC0415 - as above

    from packaging.requirements import Requirement  # noqa: PLC0415 - as above
    from packaging.utils import canonicalize_name  # noqa: PLC0415 - as above

    try:
        lines = metadata.requires("musicapi_nb") or []
    except metadata.PackageNotFoundError:  # the files were only copied
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
