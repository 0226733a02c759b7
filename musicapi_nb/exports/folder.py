"""A folder of exported songs: whose each name is, what is whole, and moves into place."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from musicapi_nb.exports import filenames, provenance

MANIFEST = "export.json"
PLAYLIST = "songs.m3u8"
TABLES = "tables"
STAGE = ".musicapi-export-"
_OURS = (MANIFEST, PLAYLIST, TABLES)
_ABANDONED = 3600.0  # seconds after which nobody works on what lies beside any more
_LARGEST_RECORD = 10_000_000  # bytes


class Folder:
    """The files of exports in one folder.

    The manifest says which song has which name, and what bytes each file was given; a song's own
    record, which is moved into place before its files, says so where the manifest does not yet.
    Files that neither names are somebody else's: they are never replaced.
    """

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        sweep(path)
        self.stage = Path(tempfile.mkdtemp(prefix=STAGE, dir=path))
        manifest = read_json(path / MANIFEST)
        self.files = texts(manifest.get("files"))
        self.stems = {
            key: stem for key, stem in texts(manifest.get("songs")).items() if is_plain(stem)
        }
        self._records = self._read_records()
        there = (entry.stem for entry in path.iterdir())
        self._taken = {filenames.folded(Path(name).stem) for name in _OURS}
        self._taken |= {filenames.folded(stem) for stem in (*there, *self.stems.values())}

    def close(self) -> None:
        shutil.rmtree(self.stage, ignore_errors=True)

    def _read_records(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for path in self.path.glob("*.json"):
            record = read_json(path) if path.name != MANIFEST else {}
            song = record.get("song")
            key = song.get("key") if isinstance(song, dict) else None
            if record.get("format") != provenance.FORMAT or not isinstance(key, str):
                continue
            if self.stems.setdefault(key, path.stem) == path.stem:
                found[key] = record
        return found

    def stem_of(self, key: str, title: str | None) -> str:
        """The name of a song's files: the one that it has here, else a new one."""
        if key not in self.stems:
            self.stems[key] = filenames.unique(title, self._taken)
            self._taken.add(filenames.folded(self.stems[key]))
        return self.stems[key]

    def record(self, key: str) -> Mapping[str, Any]:
        """What is written of a song here; empty where there is nothing."""
        return self._records.get(key, {})

    def is_whole(self, key: str, recipe: str) -> bool:
        """Whether a song's files are all here as they were written, of the same ingredients."""
        record, stem = self.record(key), self.stems[key]
        written = texts(record.get("files"))
        beside = f"{stem}.json"
        if record.get("recipe") != recipe or not written:
            return False
        if beside in self.files and digest(self.path / beside) != self.files[beside]:
            return False
        self.files[beside] = digest(self.path / beside) or ""
        self.files.update(written)
        return all(
            is_plain(name) and digest(self.path / name) == sha256
            for name, sha256 in written.items()
        )

    def put(self, staged: Iterable[Path]) -> None:
        """Move whole files into place, in this order: what names the others comes first."""
        for path in staged:
            name = path.relative_to(self.stage).as_posix()
            self.files[name] = digest(path) or ""
            target = self.path / name
            target.parent.mkdir(exist_ok=True)
            with path.open("r+b") as file:
                os.fsync(file.fileno())
            path.replace(target)

    def put_shared(self, staged: Iterable[Path]) -> list[str]:
        """Move what is not one song's; return the names that somebody else's files have."""
        changed, foreign = [], []
        for path in staged:
            name = path.relative_to(self.stage).as_posix()
            new, there = digest(path) or "", digest(self.path / name)
            if there is not None and there != new and name not in self.files:
                foreign.append(name)
                continue
            self.files[name] = new
            changed += [path] if there != new else []
        self._write_manifest()
        self.put(changed)
        return foreign

    def _write_manifest(self) -> None:
        manifest = {"format": provenance.FORMAT, "songs": self.stems, "files": self.files}
        path = self.stage / MANIFEST
        path.write_text(provenance.text(manifest), encoding="utf-8")
        if digest(path) != digest(self.path / MANIFEST):
            path.replace(self.path / MANIFEST)


def sweep(folder: Path) -> None:
    """Remove what processes left that were killed."""
    for left in folder.glob(f"{STAGE}*"):
        try:
            if time.time() - left.stat().st_mtime > _ABANDONED:
                shutil.rmtree(left, ignore_errors=True)
        except OSError:
            continue


def is_plain(name: str) -> bool:
    """Whether a name that was read from a file leads to a file of this very folder."""
    return name not in {"", ".", ".."} and not set(name) & set("/\\:\0")


def texts(value: Any) -> dict[str, str]:
    """The texts of a mapping that was read from a file."""
    if not isinstance(value, Mapping):
        return {}
    return {name: text for name, text in value.items() if isinstance(text, str)}


def read_json(path: Path) -> dict[str, Any]:
    """Read a record; empty where there is none, or none that can be read."""
    try:
        if path.stat().st_size > _LARGEST_RECORD and path.name != MANIFEST:
            return {}
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def digest(path: Path) -> str | None:
    """The hash of a file's bytes; None where there is no file that can be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
