"""The sound files in folders, and what their tables show of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from musicapi_nb.errors import MissingFile
from musicapi_nb.frames.text_dtype import TEXT
from musicapi_nb.paths import local_path
from musicapi_nb.tasks.json_reader import clean

_SUFFIXES = (".aac", ".aif", ".aiff", ".flac", ".m4a", ".mp3", ".oga", ".ogg", ".opus", ".wav")
_ENDINGS = ", ".join(_SUFFIXES)


def find_sound_files(source: Any) -> list[Path] | None:
    """Return the sound files of a path, or of a list of paths; None if the source is neither.

    Folders are searched with all that are in them, in order of the names; hidden files are left
    out. A text, or a file of another type, may be replies of the service.

    Raises
    ------
    MissingFile
        There is no such file, or no sound file in a folder.
    """
    if isinstance(source, list | tuple) and source and all(map(_is_path, source)):
        return list(dict.fromkeys(file for path in source for file in _files_of(path)))
    return _files_of(source) if _is_path(source) else None


def _is_path(source: Any) -> bool:
    """Return whether a value is the path of a folder or sound file, not of replies or a reply."""
    if not isinstance(source, str | os.PathLike):
        return False
    text = os.fspath(source)
    if not isinstance(text, str) or text.lstrip()[:1] in {"{", "[", "<"}:
        return False
    path = local_path(text)
    return path.suffix.lower() in _SUFFIXES or path.is_dir() or not path.exists()


def _files_of(source: str | os.PathLike[str]) -> list[Path]:
    path = local_path(source).absolute()
    if not path.is_dir():
        if not path.exists():
            raise MissingFile(
                f"there is no file {path}; pass a sound file ({_ENDINGS}) or a folder"
            )
        return [path]
    files = [
        file
        for file in sorted(path.rglob("*"))
        if file.suffix.lower() in _SUFFIXES and not file.name.startswith(".") and file.is_file()
    ]
    if not files:
        raise MissingFile(f"the folder {path} has no sound file ({_ENDINGS})")
    return files


def file_columns(files: Sequence[Path]) -> pd.DataFrame:
    """Return the column `path` of these files."""
    return pd.DataFrame({"path": pd.Series([clean(str(file)) for file in files], dtype=TEXT)})


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes; OSError if it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
