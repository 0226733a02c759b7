"""Packs exported songs into a ZIP."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from musicapi_nb.errors import InvalidArgument
from musicapi_nb.exports import provenance
from musicapi_nb.exports.folder import MANIFEST

_COMPRESSED = frozenset({".mp3", ".m4a", ".flac", ".ogg", ".parquet"})
_READ_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    KeyError,
    ValueError,
    RuntimeError,
    EOFError,
    OSError,
)


def check_replaceable(path: Path) -> None:
    """Check that a path is free or holds a ZIP of an earlier export.

    Raises
    ------
    InvalidArgument
        It holds anything else, which must not be replaced.
    """
    if not path.exists():
        return
    try:
        with zipfile.ZipFile(path) as packed:
            manifest = json.loads(packed.read(MANIFEST))
    except _READ_ERRORS:
        manifest = None
    if not isinstance(manifest, dict) or manifest.get("format") != provenance.FORMAT:
        raise InvalidArgument(
            f"{path} exists and is not an export of this package; use another name"
        )


def pack(folder: Path, names: Iterable[str], path: Path) -> None:
    """Write these files of a folder into a ZIP at `path`."""
    with zipfile.ZipFile(path, "w", strict_timestamps=False) as packed:
        for name in names:
            stored = Path(name).suffix in _COMPRESSED
            packed.write(
                folder / name, name, zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            )
    with path.open("r+b") as file:
        os.fsync(file.fileno())
