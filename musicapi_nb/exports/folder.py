"""A folder of exported songs: file names, integrity checks and atomic writes."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from musicapi_nb import filenames
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.exports import provenance

MANIFEST = "export.json"
METADATA = "metadata.jsonl"
PLAYLIST = "songs.m3u8"
TABLES = "tables"
_STAGE = ".musicapi-export-"
_ABANDONED_SECONDS = 3600.0  # age at which a staging folder belongs to a dead process
_MAX_RECORD_BYTES = 10_000_000


class Folder:
    """The files of earlier exports in a folder, and the writing of new ones.

    The manifest lists each song's file name and the hash of every file. A song's record is moved
    into place before its other files, and lists them until the manifest does. Files in neither
    are not from an export: they are never replaced.
    """

    def __init__(self, path: Path, stage: Path) -> None:
        self.path = path
        self.stage = stage
        manifest = _read_json(path / MANIFEST)
        self.files = _texts(manifest.get("files"))
        stems = _texts(manifest.get("songs"))
        self.stems = {key: stem for key, stem in stems.items() if _is_plain(stem)}
        self.records = self._read_records()  # of songs in the folder, by song key
        is_ours = manifest.get("format") == provenance.FORMAT or self.records
        if (path / MANIFEST).exists() and not is_ours:
            raise InvalidArgument(
                f"{path / MANIFEST} is not from an export and would be replaced; choose another "
                "folder, or rename that file"
            )
        present = [*path.iterdir(), *map(Path, (MANIFEST, PLAYLIST, TABLES))]
        names = [*(entry.stem for entry in present), *self.stems.values()]
        self._used_stems = set(map(filenames.fold, names))

    def _read_records(self) -> dict[str, dict[str, Any]]:
        records: dict[str, dict[str, Any]] = {}
        for path in self.path.glob("*.json"):
            record = _read_json(path) if path.name != MANIFEST else {}
            song = record.get("song")
            key = song.get("key") if isinstance(song, dict) else None
            if record.get("format") != provenance.FORMAT or not isinstance(key, str):
                continue
            if self.stems.setdefault(key, path.stem) == path.stem:
                records[key] = record
        return records

    def stem_of(self, key: str, title: str | None, detail: str, *, shared: bool) -> str:
        """Return the stem of a song's file names: that of an earlier export, else a new one.

        The detail is part of it if other songs of this export, or in the folder, have the title.
        """
        if key not in self.stems:
            if not shared and filenames.fold(filenames.safe_stem(title)) not in self._used_stems:
                detail = ""
            self.stems[key] = filenames.unique_stem(title, self._used_stems, detail)
            self._used_stems.add(filenames.fold(self.stems[key]))
        return self.stems[key]

    def is_intact(self, key: str, fingerprint: str) -> bool:
        """Return whether a song's files are unchanged and made from the same inputs.

        The hashes in its record are added to `files`, and so to the next manifest.
        """
        record, record_name = self.records.get(key, {}), f"{self.stems[key]}.json"
        hashes = _texts(record.get("files"))
        if record.get("fingerprint") != fingerprint or not hashes:
            return False
        record_hash = sha256(self.path / record_name)
        if self.files.get(record_name, record_hash) != record_hash:
            return False
        self.files[record_name] = record_hash or ""
        self.files.update(hashes)
        pairs = hashes.items()
        return all(_is_plain(name) and sha256(self.path / name) == digest for name, digest in pairs)

    def commit(self, staged: Iterable[Path]) -> None:
        """Move complete files into place, in this order."""
        for path in staged:
            name = path.relative_to(self.stage).as_posix()
            self.files[name] = sha256(path) or ""
            target = self.path / name
            target.parent.mkdir(exist_ok=True)
            with path.open("r+b") as file:
                os.fsync(file.fileno())
            path.replace(target)

    def commit_shared(self, staged: Iterable[Path]) -> list[str]:
        """Move the playlist and tables into place; return names used by files of other origin."""
        changed, foreign = [], []
        for path in staged:
            name = path.relative_to(self.stage).as_posix()
            new, old = sha256(path) or "", sha256(self.path / name)
            if old != new and self._is_foreign(name):
                foreign.append(name)
                continue
            self.files[name] = new
            changed += [path] if old != new else []
        manifest = {"format": provenance.FORMAT, "songs": self.stems, "files": self.files}
        path = self.stage / MANIFEST
        path.write_text(provenance.to_json(manifest), encoding="utf-8", errors="replace")
        if sha256(path) != sha256(self.path / MANIFEST):
            path.replace(self.path / MANIFEST)
        self.commit(changed)
        return foreign

    def _is_foreign(self, name: str) -> bool:
        """Return whether something that is not from an export is in the place of a file."""
        target = self.path / name
        if target.is_dir() or (os.path.lexists(target.parent) and not target.parent.is_dir()):
            return True
        return os.path.lexists(target) and name not in self.files


@contextlib.contextmanager
def staging_folder(folder: Path) -> Iterator[Path]:
    """Make a temporary folder in `folder`, and delete those of killed processes."""
    folder.mkdir(parents=True, exist_ok=True)
    for stage in folder.glob(f"{_STAGE}*"):
        with contextlib.suppress(OSError):
            if time.time() - stage.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(stage, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_STAGE, dir=folder, ignore_cleanup_errors=True) as path:
        yield Path(path)


def sha256(path: Path) -> str | None:
    """Return the hex digest of a file, or None if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _is_plain(name: str) -> bool:
    """Whether a name read from a file stays inside the folder."""
    return name not in {"", ".", ".."} and not set(name) & set("/\\:\0")


def _texts(value: Any) -> dict[str, str]:
    """Return the text values of a mapping read from a file."""
    items = value.items() if isinstance(value, Mapping) else ()
    return {name: text for name, text in items if isinstance(text, str)}


def _read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; return an empty one if the file is missing or malformed."""
    try:
        if path.stat().st_size > _MAX_RECORD_BYTES and path.name != MANIFEST:
            return {}
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
