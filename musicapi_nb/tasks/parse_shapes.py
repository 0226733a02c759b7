"""Parsers of the shapes that a reply can have, in the order in which they are tried. No I/O.

Each returns None, and leaves the reader unchanged, if the reply has another shape.
"""

from __future__ import annotations

import itertools
import re
from http import HTTPStatus
from typing import Any

from msgspec.structs import replace

from musicapi_nb import wire
from musicapi_nb.errors import UnexpectedReply
from musicapi_nb.tasks.json_reader import JsonReader, clean
from musicapi_nb.tasks.parse_answers import (
    classify_words,
    find_answer,
    is_link,
    makes_no_songs,
    parse_steps,
    readiness,
)
from musicapi_nb.tasks.parse_songs import (
    mark_failed,
    parse_items,
    parse_song,
    parse_songs,
    parse_state,
    with_songs,
)
from musicapi_nb.tasks.reply_search import is_song, unwrap_answer
from musicapi_nb.tasks.song import WHOLE_REPLY, Song, State
from musicapi_nb.tasks.task import Task

# `type` of a body that reports a failed task (docs webhook-guide; the last: nuro-error-handling).
_FAILURE_TYPES = frozenset({"failed", "timeout", "forbidden", "api_error", "bad_request"})
_ACKNOWLEDGED = frozenset({"task_id", "message", "code", "warning", "steps", "failed_step"})
_STATUS_FIELDS = frozenset({"status", "error", "message", "progress"})
_WRAPPED_FIELDS = _STATUS_FIELDS | {"task_id", "state", "code", "type", "success", "warning"}


def parse_not_ready(reader: JsonReader, task: Task) -> Task | None:
    """Parse {"type": "not_ready"} (musicapi.ai/docs; live, 2026-07)."""
    rest = reader.rest
    if rest.get("code") != HTTPStatus.ACCEPTED and rest.get("type") != "not_ready":
        return None
    return replace(task, state_word=reader.text("type"))


def parse_failure(reader: JsonReader, task: Task) -> Task | None:
    """Parse {"type": "failed", "message": "..."} (docs webhook-guide, nuro-error-handling)."""
    word = reader.rest.get("type")
    if not isinstance(word, str) or word not in _FAILURE_TYPES:
        return None
    reason = reader.text("error", "message", "detail")
    return mark_failed(
        task,
        reason and f"{reason}{wire.retriable_note(reader.rest)}",
        refunded=reader.flag("refund_processed", "already_refunded"),
        word=reader.text("type"),
    )


def parse_failed_step(reader: JsonReader, task: Task) -> Task | None:
    """Parse {"failed_step": "a", "steps": {"a": {"success": false}}} (musicapi-sdk 0.1.0)."""
    parsed = parse_steps(reader, task)
    return parsed if parsed and parsed.finished else None


def _is_error(reader: JsonReader) -> bool:
    code = wire.scalar_text(reader.rest.get("code", ""))
    number = int(code) if re.fullmatch("[0-9]{1,9}", code) else 0
    return number >= HTTPStatus.BAD_REQUEST and not reader.rest.get("data")


def reject_error(reader: JsonReader, task: Task) -> Task | None:
    """Raise `UnexpectedReply` for {"code": 500, "message": "..."} (docs error-handling)."""
    return reject(reader, task) if _is_error(reader) else None


def has_error(reader: JsonReader) -> bool:
    """Return whether a reply of unknown shape reports an error."""
    return bool(reader.rest.get("error") or reader.rest.get("detail")) or _is_error(reader)


def reject(reader: JsonReader, task: Task) -> Task:
    """Raise `UnexpectedReply` for {"success": true} and any other reply, with its message."""
    text = clean(wire.find_message(reader.rest))[:300]
    detail = f": {text}" if text else ""
    raise UnexpectedReply(f"the reply has no known shape{detail}", body=task.raw)


def is_studio_body(data: Any) -> bool:
    """Return whether an object has the fields of a studio task."""
    names = data.keys() if isinstance(data, dict) else set()
    return "action" in names or "songs" in names or names >= {"status", "data"}


def parse_studio(reader: JsonReader, task: Task) -> Task | None:
    """Parse {"data": {"status": "SUCCESS", "data": {"songs": []}}} (docs studio get-music).

    Clients of 2024 read the same object under `handledData`.
    """
    is_studio = "handledData" in reader.rest or is_studio_body(reader.rest.get("data"))
    if not is_studio or makes_no_songs(task):
        return None
    body = reader.object("handledData") or reader.object("data")
    if body is None:
        return replace(task, engine=task.engine or "studio")
    if not is_studio_body(body.rest) and isinstance(body.rest.get("data"), dict):
        body = body.object("data") or body
    word = body.text("status")
    stated = parse_state(word)
    task_id = body.text("task_id")
    if task.id and task_id and task_id != task.id:
        body.rest["task_id"] = task_id
    task = replace(
        task,
        id=task.id or task_id,
        submitted_at=body.timestamp("submit_time"),
        started_at=body.timestamp("start_time"),
        finished_at=body.timestamp("finish_time"),
        progress=body.fraction("progress"),
    )
    _report_reversed_times(body, task)
    holder = body if "songs" in body.rest else body.object("data")
    items = holder.pop("songs") if holder else None
    if holder and holder is not body and holder.rest:
        body.rest["data"] = holder.rest
    songs: tuple[Song, ...] = ()
    if holder and items:
        default: State | None = "failed" if stated == "failed" else None
        songs = parse_songs(items[1], f"{holder.where}.songs", task, default, body.issues)
    reason = body.text("fail_reason")
    task = with_songs(task, songs, stated, word, reason)
    if reason and not task.fail_reason:  # it did not fail
        body.rest["fail_reason"] = reason
    reader.rest.update(body.rest)
    return task


def _report_reversed_times(reader: JsonReader, task: Task) -> None:
    """Report times of a task of which no duration can be computed."""
    times = {
        "submit_time": task.submitted_at,
        "start_time": task.started_at,
        "finish_time": task.finished_at,
    }
    stated = [(name, time) for name, time in times.items() if time is not None]
    for (earlier, start), (name, end) in itertools.pairwise(stated):
        if end < start:
            reader.issue(name, f"earlier than {earlier}")


def parse_clip_list(reader: JsonReader, task: Task) -> Task | None:
    """Parse {"code": 200, "data": [{"clip_id": "c"}]} (docs get-sonic-music, riffusion-get)."""
    data = reader.rest.get("data")
    empty = "data" in reader.rest and (data is None or data in ({}, []))
    # With poll_by_repost, no data does not prove "not ready", and repeating may cost credits.
    is_list = not task.poll_by_repost if empty else isinstance(data, list)
    if not is_list or find_answer(reader, task):
        return None
    word = reader.text("status")
    stated = parse_state(word)
    items = reader.rest.pop("data")
    songs = parse_songs(items or [], "data", task, stated, reader.issues)
    reason = reader.text("message", "error") if stated == "failed" else None
    task = replace(task, refunded=_parse_refund(reader, reason))
    return with_songs(task, songs, stated, word, reason)


def _parse_refund(reader: JsonReader, reason: str | None) -> bool | None:
    """Return whether credits were refunded: by a flag, or (sibling's producer) in the text."""
    flag = reader.flag("refund_processed", "already_refunded") if reason else None
    match = re.search(r"(not )?(been )?refunded", reason or "", re.IGNORECASE)
    return flag if flag is not None or match is None else match[1] is None


def parse_lyrics(reader: JsonReader, task: Task) -> Task | None:
    """Parse {"code": 200, "results": []} (docs lyrics-generation)."""
    if not isinstance(reader.rest.get("results"), list) or makes_no_songs(task):
        return None
    items = reader.rest.pop("results")
    texts = replace(task, engine="lyrics")
    songs = parse_songs(items, "results", texts, "succeeded", reader.issues)
    return with_songs(task, songs, "succeeded", None, None)


def parse_nuro(reader: JsonReader, task: Task) -> Task | None:
    """Parse {"task_id": "t", "status": "running", "audio_url": ""} (docs get-nuro-music).

    One flat object is both the task and its only song.
    """
    if not reader.rest.keys() >= {"status", "audio_url"}:
        return None
    word = reader.text("status")
    stated = parse_state(word)
    progress = reader.fraction("progress")
    reason = reader.text("error", "message")
    if reader.rest.get("task_id") == task.id:
        reader.rest.pop("task_id", None)
    song = parse_song(reader, 0, task, stated)
    reader.rest = {}
    task = replace(task, progress=progress)
    return with_songs(task, (song,), stated, word, reason)


def parse_clip(reader: JsonReader, task: Task) -> Task | None:
    """Parse {"data": {"status": "succeeded", "audio_url": "u"}} (three clients, when polling)."""
    if not is_song(reader.rest.get("data")) or makes_no_songs(task):
        return None
    word = reader.text("status")
    stated = parse_state(word)
    clip = ("data", reader.rest.pop("data"), stated)
    songs = parse_items([clip], task, reader.issues)
    return with_songs(task, songs, stated, word or songs[0].state_word, None)


def parse_status(reader: JsonReader, task: Task) -> Task | None:
    """Parse {"task_id": "t", "status": "PENDING"} (docs of the sibling host, api-34286406)."""
    word = reader.rest.get("status")
    stated = parse_state(word) if isinstance(word, str) else None
    vague = {None, "unknown", "succeeded"} if task.poll_by_repost else {None, "unknown"}
    return None if stated in vague or find_answer(reader, task) else _with_status(reader, task)


def _with_status(reader: JsonReader, task: Task) -> Task:
    """Parse a task that has a state and no songs."""
    word = reader.text("status", "state")
    stated = parse_state(word)
    reason = reader.text("error", "message") if stated == "failed" else None
    progress, refunded = reader.fraction("progress"), _parse_refund(reader, reason)
    task = replace(task, progress=progress, refunded=refunded)
    return with_songs(task, (), stated, word, reason)


def parse_studio_acknowledgement(reader: JsonReader, task: Task) -> Task | None:
    """Parse {"code": "success", "message": "", "data": "t"} (three clients of 2024)."""
    data = reader.rest.get("data")
    is_id = isinstance(data, str) and len(data.split()) == 1 and not is_link(data)
    if not is_id or reader.rest.get("code") != "success":
        return None
    task_id = reader.text("data")
    return replace(task, id=task.id or task_id, engine=task.engine or "studio")


def parse_wrapped_acknowledgement(reader: JsonReader, task: Task) -> Task | None:
    """Parse {"data": {"task_id": "t"}} (fixtures of three clients; docs of /suno/make-lyrics)."""
    data = reader.rest.get("data")
    if not isinstance(data, dict) or "task_id" not in data or not data.keys() <= _WRAPPED_FIELDS:
        return None
    body = JsonReader(reader.rest.pop("data"), "data", reader.issues)
    task_id = body.text("task_id")
    return _with_status(body, replace(task, id=task.id or task_id))


def parse_started_steps(reader: JsonReader, task: Task) -> Task | None:
    """Parse {"steps": {"a": {"success": true, "task_id": "t"}}} (musicapi-sdk 0.1.0)."""
    parsed = parse_steps(reader, task)
    return parsed if parsed and parsed.id is not None else None


def parse_answer(reader: JsonReader, task: Task) -> Task | None:
    """Parse {"persona_id": "p"} (docs create-persona, get-credits)."""
    if not (answer := find_answer(reader, task)):
        return None
    is_object = isinstance(reader.rest.get("data"), dict)
    word = None
    if task.id is not None or task.poll_by_repost:
        if is_object and "status" not in reader.rest and isinstance(answer.get("status"), str):
            names = _STATUS_FIELDS & answer.keys()
            reader.rest |= {name: answer[name] for name in names}
        word = reader.text("status")
    task = replace(task, state_word=word)
    if word is not None and parse_state(word) in {"pending", "running", "failed"}:
        reader.rest["status"] = word
        return _with_status(reader, task)
    inner = unwrap_answer(answer) or answer
    if inner is not answer or not (answer.keys() <= reader.rest.keys() or is_object):
        reader.issue(WHOLE_REPLY, "the answer is deeper in it than in any known reply")
    reader.rest = {name: value for name, value in reader.rest.items() if name not in answer}
    if is_object:
        reader.rest.pop("data", None)
    answer = inner
    task = replace(task, answer=answer)
    values = [answer[name] for name in answer if name not in wire.MESSAGE_FIELDS]
    if task.id is not None and all(value in (None, "", 0) for value in values):
        return task
    state, text = readiness(answer, repeatable=task.poll_by_repost)
    if state == "unclear":
        reader.issue("data", f"{text!r:.60} instead of a link" if text else "has no link")
    if state == "failed":
        return mark_failed(task, text)
    changes = {"state_word": text} if state == "not ready" else {"state": "succeeded"}
    return replace(task, **changes)


def parse_waiting_message(reader: JsonReader, task: Task) -> Task | None:
    """Parse {"message": "generating midi..."}, with poll_by_repost (docs get-midi)."""
    values = (reader.rest.get(name) for name in ("data", "message", "error"))
    texts = [value for value in values if isinstance(value, str)] if task.poll_by_repost else []
    # only "not ready": it is unclear whose failure a bare message is, and what it cost
    waiting = [text for text in texts if classify_words(text) == "not ready"]
    return replace(task, state_word=clean(waiting[0])) if waiting else None


def parse_acknowledgement(reader: JsonReader, task: Task) -> Task | None:
    """Parse {"task_id": "t", "message": "success"} (docs create-music)."""
    if not task.id or "task_id" not in reader.rest or "error" in reader.rest:
        return None
    for name in sorted(set(reader.rest) - _ACKNOWLEDGED):
        reader.issue(name, "unknown field in a reply that has only a task id")
    return task
