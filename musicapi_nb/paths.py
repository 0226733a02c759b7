"""Paths in arguments: on this machine, with `~` for the home folder."""

from __future__ import annotations

import os
import re
from pathlib import Path

from musicapi_nb.errors import InvalidArgument

# A drive of Windows is one letter. pathlib makes one slash of two.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/|data:[\w.+-]+/")
_WINDOWS = re.compile(r"[A-Za-z]:\\|\\\\\w")  # elsewhere, it would be the name of one file


def local_path(path: str | os.PathLike[str]) -> Path:
    """Return a path as `pathlib` writes it, with `~` expanded.

    Raises
    ------
    InvalidArgument
        It is empty, a URL or no path at all, has a character that no path can have, or names the
        home folder of an unknown user.
    """
    if not isinstance(path, str | os.PathLike) or not isinstance(text := os.fspath(path), str):
        raise InvalidArgument(f"a path must be a str or a pathlib.Path, not {path!r:.80}")
    if not text.strip():
        raise InvalidArgument(f"{text!r:.200} is not a path; use '.' for the working directory")
    if _URL.match(text):
        raise InvalidArgument(f"{text:.200} is a URL; use a path on this machine")
    try:
        if b"\0" in os.fsencode(text):
            raise InvalidArgument(f"{text!r:.200} has a zero byte; choose another name")
        return Path(text).expanduser()
    except UnicodeEncodeError:
        raise InvalidArgument(
            f"{text!r:.200} has half of a surrogate pair, which no path can have; choose another "
            "name"
        ) from None
    except RuntimeError as error:
        raise InvalidArgument(f"{text:.200} is not a path on this machine ({error})") from None


def target_path(path: str | os.PathLike[str]) -> Path:
    """As `local_path`, of something to write; InvalidArgument also for another system's path."""
    local = local_path(path)
    if os.name != "nt" and _WINDOWS.match(str(local)):
        raise InvalidArgument(f"{local} is a Windows path; use a path of this machine")
    return local


def absolute_path(path: str | os.PathLike[str]) -> Path:
    """As `target_path`, from the root; InvalidArgument also if the working directory is deleted."""
    try:
        return target_path(path).absolute()
    except FileNotFoundError:
        raise InvalidArgument(
            f"{path} is relative to the working directory, which was deleted; change to another "
            "one (os.chdir), or use an absolute path"
        ) from None


def short_path(path: Path) -> str:
    """Return a path to show, with `~` for the home folder."""
    try:
        return str(Path("~") / path.relative_to(Path.home()))
    except (ValueError, RuntimeError):  # it is elsewhere, or this user has no home folder
        return str(path)
