"""A ZIP of exported songs: what is whole of the one before is taken over, then all is packed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from musicapi_nb.errors import InvalidArgument
from musicapi_nb.exports import provenance
from musicapi_nb.exports.folder import MANIFEST, PLAYLIST, TABLES, digest, is_plain, texts

_DENSE = frozenset({".mp3", ".m4a", ".flac", ".ogg", ".parquet"})  # deflating them gains nothing
_LARGEST = 1_000_000_000  # bytes of one file
_BROKEN = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError)


def unpack(path: Path, folder: Path, keys: Collection[str]) -> dict[str, str | None]:
    """Take over what an earlier export has of these songs; return all its names with hashes.

    What cannot be read is left out, and so is written anew.

    Raises
    ------
    InvalidArgument
        What is at the path is no ZIP of an export: it is not to be replaced.
    """
    folder.mkdir()
    if not path.exists():
        return {}
    try:
        with zipfile.ZipFile(path) as packed:
            manifest = _manifest(packed)
            stems = {
                key: stem
                for key, stem in texts(manifest.get("songs")).items()
                if key in keys and is_plain(stem)
            }
            known = texts(manifest.get("files"))
            wanted = {name: sha256 for name, sha256 in known.items() if _is_ours(name, stems)}
            for name in wanted:
                _take(packed, name, folder)
            listed = {
                name: digest(folder / name)
                for name in packed.namelist()
                if name in wanted or name == MANIFEST
            }
            others = [name for name in packed.namelist() if name not in listed]
    except (zipfile.BadZipFile, OSError):
        raise InvalidArgument(
            f"{path} is no ZIP that can be read; remove it, or name another"
        ) from None
    made = {"format": provenance.FORMAT, "songs": stems, "files": wanted}
    (folder / MANIFEST).write_text(provenance.text(made), encoding="utf-8")
    return {**listed, MANIFEST: digest(folder / MANIFEST), **dict.fromkeys(others)}


def _manifest(packed: zipfile.ZipFile) -> dict[str, Any]:
    manifest: Any = None
    with contextlib.suppress(KeyError, ValueError, RecursionError):
        manifest = json.loads(packed.read(MANIFEST))
    if not isinstance(manifest, dict) or manifest.get("format") != provenance.FORMAT:
        raise InvalidArgument(
            f"{packed.filename} is there already, and no export of this package; name another file"
        )
    return manifest


def _is_ours(name: str, stems: dict[str, str]) -> bool:
    folder, _, last = name.rpartition("/")
    if folder:
        return folder == TABLES and is_plain(last)
    return is_plain(name) and (name == PLAYLIST or Path(name).stem in stems.values())


def _take(packed: zipfile.ZipFile, name: str, folder: Path) -> None:
    try:
        if packed.getinfo(name).file_size > _LARGEST:
            return
        target = folder / name
        target.parent.mkdir(exist_ok=True)
        with packed.open(name) as read, target.open("wb") as write:
            shutil.copyfileobj(read, write)
    except (KeyError, *_BROKEN):
        (folder / name).unlink(missing_ok=True)


def pack(folder: Path, inside: Iterable[str], path: Path) -> None:
    """Write a ZIP of these files of a folder."""
    with zipfile.ZipFile(path, "w", strict_timestamps=False) as packed:
        for name in inside:
            way = zipfile.ZIP_STORED if (folder / name).suffix in _DENSE else zipfile.ZIP_DEFLATED
            packed.write(folder / name, name, way)
    with path.open("r+b") as file:
        os.fsync(file.fileno())
