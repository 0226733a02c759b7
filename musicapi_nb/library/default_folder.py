"""The folder of a library that nobody named."""

import contextlib
from pathlib import Path

LIBRARY = "musicapi-library"
DATABASE = "library.sqlite"


def default_folder(name: str = LIBRARY) -> Path:
    """Return the library with this name in the working directory or above it, else in the home.

    Schedulers and editors run a notebook in various working directories, and all have to find its
    purchases. Hence a new library is always in the home folder.
    """
    try:
        working = Path.cwd()
    except FileNotFoundError:  # it was deleted
        working = Path("/")
    for folder in (working, *working.parents):
        with contextlib.suppress(PermissionError):
            if (folder / name / DATABASE).is_file():
                return folder / name
    try:
        return Path.home() / name
    except RuntimeError:  # this user has no home folder
        return working / name
