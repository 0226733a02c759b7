"""Opt-in support for calling asyncio.run inside a notebook cell."""

import asyncio
import importlib
import re
import sys

from musicapi_nb.errors import NestingRefused

_SAFE_NEST2 = (1, 7, 3)
_UNSAFE_IPYKERNEL = (7, 1)


def enable_nested_asyncio() -> str:
    """Let `asyncio.run` work inside a cell if that is safe, and return the patch's name.

    This package does not need it: `await job` and `job.result()` work without. It prefers
    nest_asyncio2 >= 1.7.3. On ipykernel >= 7.1, nest_asyncio and older nest_asyncio2 lose the
    cells queued behind such a call and every click on a widget in the meantime.

    Raises
    ------
    NestingRefused
        The installed patch would lose cells, or the running loop cannot be patched.
    """
    name = _choose()
    try:
        importlib.import_module(name).apply()
    except ValueError as error:  # uvloop
        raise NestingRefused(f"{name} cannot patch this event loop ({error})") from None
    return name


def _choose() -> str:
    patched_by_first = hasattr(asyncio, "_nest_patched") and not hasattr(asyncio, "_nest_asyncio2")
    if _version("nest-asyncio2") >= _SAFE_NEST2 and not patched_by_first:
        return "nest_asyncio2"
    if "ipykernel" in sys.modules and _version("ipykernel") >= _UNSAFE_IPYKERNEL:
        reason = "nest-asyncio2 1.7.3 or newer is not installed"
        if patched_by_first:
            reason = "nest_asyncio has already patched this kernel (restart it)"
        raise NestingRefused(
            "with this ipykernel, nest_asyncio would lose every cell queued behind a nested "
            f"asyncio.run, and {reason}"
        )
    return "nest_asyncio"


def _version(package: str) -> tuple[int, ...]:
    """Return the first three numbers of an installed version; (0,) if it is not installed."""
    import importlib.metadata  # noqa: PLC0415 - slow to load, and seldom needed

    try:
        version = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return (0,)
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
