"""Where a song came from, as a record beside its files: what was asked, returned and written."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from musicapi_nb.engines import model_of
from musicapi_nb.tasks import Song, Task

if TYPE_CHECKING:
    from musicapi_nb.library import Entry

FORMAT = "musicapi_nb export 1"
_SECRET = ("secret", "password", "passwd", "token", "authorization", "api_key", "apikey")
_MOMENTS = ("planned_at", "sent_at", "accepted_at", "ended_at")
_OF_ENTRY = ("request_key", "take", "experiment", "cell", "price", "simulated")


def provenance(
    key: str, song: Song, task: Task, entry: Entry | None, fields: Mapping[str, Any]
) -> dict[str, Any]:
    """What is known of a song's origin. Pure; the same for the same song, at any time.

    The request is as it was sent; values of fields whose names speak of a secret are left out.
    """
    request = task.request
    return {
        "format": FORMAT,
        "song": {
            "key": key,
            "id": song.id,
            "task_id": song.task_id,
            "position": song.position,
            "title": song.title,
            "tags": song.tags_text or ", ".join(song.tags),
            "duration_s": song.duration,
            "created_at": song.created_at,
            "engine": song.engine,
            "audio_url": song.audio_url,
            "image_url": song.image_url,
            "video_url": song.video_url,
        },
        "model": {"asked": model_of(request) if request else None, "returned": song.model},
        "request": {
            "operation": task.name,
            "method": request.method if request else None,
            "path": request.path if request else None,
            "body": without_secrets(request.body() if request else fields),
        },
        "task": {
            "id": task.id,
            "submitted_at": task.submitted_at,
            "started_at": task.started_at,
            "finished_at": task.finished_at,
            "songs": len(task.songs),
        },
        "ledger": _of_ledger(entry) if entry else None,
    }


def _of_ledger(entry: Entry) -> dict[str, Any]:
    moments = {name: getattr(entry, name) for name in _MOMENTS}
    return {
        **{name: getattr(entry, name) for name in _OF_ENTRY},
        **{
            name: None if at is None else dt.datetime.fromtimestamp(at, dt.UTC)
            for name, at in moments.items()
        },
    }


def without_secrets(value: Any) -> Any:
    """The same JSON value, but for what fields hold whose names speak of a secret."""
    if isinstance(value, Mapping):
        return {
            str(name): "(left out)"
            if any(word in str(name).lower() for word in _SECRET)
            else without_secrets(item)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_secrets(item) for item in value]
    return value


@functools.cache
def package() -> dict[str, str]:
    """What wrote the record."""
    return {"name": "musicapi_nb", "version": importlib.metadata.version("musicapi_nb")}


def recipe(*parts: Any) -> str:
    """Name what files are made of: they need not be made again while this stays."""
    return hashlib.sha256(text(parts).encode("utf-8", "replace")).hexdigest()


def text(value: Any) -> str:
    """JSON that a person can read; moments are ISO 8601."""
    plain = msgspec.to_builtins(value)
    return json.dumps(plain, indent=1, ensure_ascii=False, default=repr) + "\n"
