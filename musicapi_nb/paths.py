"""Paths that users give: on this machine, with `~` for the home folder."""

from __future__ import annotations

import os
import re
from pathlib import Path

from musicapi_nb.errors import InvalidArgument

# A drive of Windows is one letter. pathlib makes one slash of two.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


def local_path(path: str | os.PathLike[str]) -> Path:
    """Return a path as `pathlib` writes it, with `~` expanded.

    Raises
    ------
    InvalidArgument
        It is a URL, is no path, has a character that no path can have, or names the home folder
        of an unknown user.
    """
    if not isinstance(path, str | os.PathLike) or not isinstance(text := os.fspath(path), str):
        raise InvalidArgument(f"a path is text or a pathlib.Path, not {path!r:.80}")
    if _URL.match(text):
        raise InvalidArgument(f"{text:.200} is a URL; give a path on this machine")
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
