"""Packs exported songs into a ZIP."""

from __future__ import annotations

import contextlib
import json
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path

from musicapi_nb.errors import InvalidArgument
from musicapi_nb.exports import provenance
from musicapi_nb.exports.folder import MANIFEST

_COMPRESSED = frozenset({".mp3", ".m4a", ".flac", ".ogg", ".parquet"})


def check_replaceable(path: Path) -> None:
    """Raise InvalidArgument if a path holds anything but a ZIP of an earlier export."""
    if not path.exists():
        return
    manifest = None
    # Besides BadZipFile, a damaged ZIP raises errors of zlib, KeyError, EOFError and others.
    with contextlib.suppress(Exception), zipfile.ZipFile(path) as packed:
        manifest = json.loads(packed.read(MANIFEST))
    if not isinstance(manifest, dict) or manifest.get("format") != provenance.FORMAT:
        message = "exists and is not an export of this package; use another name"
        raise InvalidArgument(f"{path} {message}")


def pack(folder: Path, names: Iterable[str], path: Path) -> None:
    """Write these files of a folder into a ZIP at `path`."""
    with zipfile.ZipFile(path, "w", strict_timestamps=False) as packed:
        for name in names:
            is_compressed = Path(name).suffix in _COMPRESSED
            method = zipfile.ZIP_STORED if is_compressed else zipfile.ZIP_DEFLATED
            packed.write(folder / name, name, method)
    with path.open("r+b") as file:
        os.fsync(file.fileno())
