"""The provenance record of a song: its request, reply, purchase and files."""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import msgspec

from musicapi_nb.engines import model_of
from musicapi_nb.library import Entry
from musicapi_nb.tasks import Song, Task

FORMAT = "musicapi_nb export 1"
_SECRET_WORDS = ("secret", "password", "passwd", "token", "authorization", "api_key", "apikey")
_TIMES = ("planned_at", "sent_at", "accepted_at", "ended_at")
_ENTRY_FIELDS = ("request_key", "take", "experiment", "price", "simulated")


def provenance(
    key: str, song: Song, task: Task, entry: Entry | None, fields: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the record of a song's origin, which does not depend on the time. No I/O.

    It has the request as sent, except the values of fields whose names suggest a secret.
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
        "model": {"requested": model_of(request) if request else None, "returned": song.model},
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
        "ledger": _entry_record(entry) if entry else None,
    }


def _entry_record(entry: Entry) -> dict[str, Any]:
    record = {name: getattr(entry, name) for name in (*_ENTRY_FIELDS, *_TIMES)}
    for name in _TIMES:
        if record[name] is not None:
            record[name] = dt.datetime.fromtimestamp(record[name], dt.UTC)
    return record


def without_secrets(value: Any) -> Any:
    """Return a JSON value without the content of fields whose names suggest a secret."""
    if isinstance(value, Mapping):
        return {
            str(name): "(omitted)"
            if any(word in str(name).lower() for word in _SECRET_WORDS)
            else without_secrets(item)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_secrets(item) for item in value]
    return value


def fingerprint(*inputs: Any) -> str:
    """Return a hash of everything that a song's files are made from."""
    return hashlib.sha256(to_json(inputs).encode("utf-8", "replace")).hexdigest()


def to_json(value: Any) -> str:
    """Return indented JSON; times are ISO 8601."""
    plain = msgspec.to_builtins(value)
    return json.dumps(plain, indent=1, ensure_ascii=False, default=repr) + "\n"
