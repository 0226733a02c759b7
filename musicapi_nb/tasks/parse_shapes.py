"""Matchers and parsers of the shapes that a reply can have; `parse` lists them in order. No I/O."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import msgspec

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
from musicapi_nb.tasks.song import WHOLE_REPLY, State
from musicapi_nb.tasks.task import Task

# `type` of a body that reports a failed task (docs webhook-guide; the last: nuro-error-handling).
_FAILURE_TYPES = frozenset({"failed", "timeout", "forbidden", "api_error", "bad_request"})
_ACKNOWLEDGED = frozenset({"task_id", "message", "code", "warning", "steps", "failed_step"})
_STATUS_FIELDS = frozenset({"status", "error", "message", "progress"})
_WRAPPED_FIELDS = _STATUS_FIELDS | {"task_id", "state", "code", "type", "success", "warning"}


def parse_not_ready(reader: JsonReader, task: Task) -> Task:
    """Leave the task pending, with the service's word for it."""
    return msgspec.structs.replace(task, state_word=reader.text("type"))


def is_not_ready(reader: JsonReader, _: Task) -> bool:
    """Match {"type": "not_ready"} (musicapi.ai/docs; live, 2026-07)."""
    rest = reader.rest
    return rest.get("code") == HTTPStatus.ACCEPTED or rest.get("type") == "not_ready"


def is_failure(reader: JsonReader, _: Task) -> bool:
    """Match {"type": "failed", "message": "..."} (docs webhook-guide, nuro-error-handling)."""
    word = reader.rest.get("type")
    return isinstance(word, str) and word in _FAILURE_TYPES


def parse_failure(reader: JsonReader, task: Task) -> Task:
    """Mark the task as failed, with reason and refund."""
    reason = reader.text("error", "message", "detail")
    return mark_failed(
        task,
        reason and f"{reason}{wire.retriable_note(reader.rest)}",
        refunded=reader.flag("refund_processed", "already_refunded"),
        word=reader.text("type"),
    )


def _has_steps(reader: JsonReader) -> bool:
    return isinstance(reader.rest.get("steps"), dict)


def is_failed_step(reader: JsonReader, task: Task) -> bool:
    """Match {"failed_step": "a", "steps": {"a": {"success": false}}} (musicapi-sdk 0.1.0)."""
    return _has_steps(reader) and parse_steps(reader, task).finished


def is_error(reader: JsonReader, _: Task) -> bool:
    """Match {"code": 500, "message": "..."} (docs error-handling)."""
    code = reader.rest.get("code")
    return isinstance(code, int) and code >= HTTPStatus.BAD_REQUEST and not reader.rest.get("data")


def has_error(reader: JsonReader) -> bool:
    """Return whether a reply of unknown shape reports an error."""
    return bool(reader.rest.get("error") or reader.rest.get("detail")) or is_error(reader, Task())


def reject(reader: JsonReader, task: Task) -> Task:
    """Raise `UnexpectedReply` with the message of the reply, if there is one."""
    text = clean(wire.find_message(reader.rest))[:300]
    detail = f": {text}" if text else ""
    raise UnexpectedReply(f"the reply has no known shape{detail}", body=task.raw)


def is_batch(reader: JsonReader, _: Task) -> bool:
    """Match {"batch_id": "b", "tasks": ["t"]} (musicapi.ai batch-music-generation-api)."""
    return isinstance(reader.rest.get("tasks"), list) and "data" not in reader.rest


def is_studio(reader: JsonReader, task: Task) -> bool:
    """Match {"data": {"status": "SUCCESS", "data": {"songs": []}}} (docs studio get-music).

    Clients of 2024 read the same object under `handledData`.
    """
    body = "handledData" in reader.rest or is_studio_body(reader.rest.get("data"))
    return body and not makes_no_songs(task)


def is_studio_body(data: Any) -> bool:
    """Return whether an object has the fields of a studio task."""
    return isinstance(data, dict) and (
        "action" in data or "songs" in data or ("status" in data and "data" in data)
    )


def parse_studio(reader: JsonReader, task: Task) -> Task:
    """Parse studio: the task is under `data` (or `handledData`), its songs one level deeper."""
    body = reader.object("handledData") or reader.object("data")
    if body is None:
        return msgspec.structs.replace(task, engine=task.engine or "studio")
    if not is_studio_body(body.rest) and isinstance(body.rest.get("data"), dict):
        body = body.object("data") or body
    word = body.text("status")
    stated = parse_state(word)
    task_id = body.text("task_id")
    if task.id and task_id and task_id != task.id:
        body.rest["task_id"] = task_id
    task = msgspec.structs.replace(
        task,
        id=task.id or task_id,
        submitted_at=body.timestamp("submit_time"),
        started_at=body.timestamp("start_time"),
        finished_at=body.timestamp("finish_time"),
        progress=body.fraction("progress"),
    )
    holder = body if "songs" in body.rest else body.object("data")
    items = holder.pop("songs") if holder else None
    if holder and holder is not body and holder.rest:
        body.rest["data"] = holder.rest
    default: State | None = "failed" if stated == "failed" else None
    songs = (
        parse_songs(items[1], f"{holder.where}.songs", task, default, body.issues)
        if holder and items
        else ()
    )
    reason = body.text("fail_reason")
    reader.rest.update(body.rest)
    return with_songs(task, songs, stated, word, reason)


def is_clip_list(reader: JsonReader, task: Task) -> bool:
    """Match {"code": 200, "data": [{"clip_id": "c"}]} (docs get-sonic-music, riffusion-get)."""
    data = reader.rest.get("data")
    empty = "data" in reader.rest and (data is None or data in ({}, []))
    # With poll_by_repost, no data does not prove "not ready", and repeating may cost credits.
    return (
        (isinstance(data, list) or empty)
        and not (empty and task.poll_by_repost)
        and not find_answer(reader, task)
    )


def parse_clip_list(reader: JsonReader, task: Task) -> Task:
    """Parse the clips of sonic, producer and riffusion."""
    word = reader.text("status")
    stated = parse_state(word)
    items = reader.rest.pop("data")
    songs = parse_songs(items or [], "data", task, stated, reader.issues)
    reason = reader.text("message", "error") if stated == "failed" else None
    task = msgspec.structs.replace(task, refunded=_parse_refund(reader, reason))
    return with_songs(task, songs, stated, word, reason)


def _parse_refund(reader: JsonReader, reason: str | None) -> bool | None:
    """Return whether credits were refunded: by a flag, or (sibling's producer) in the text."""
    flag = reader.flag("refund_processed", "already_refunded") if reason else None
    match = re.search(r"(not )?(been )?refunded", reason or "", re.IGNORECASE)
    return flag if flag is not None or match is None else match[1] is None


def is_lyrics(reader: JsonReader, task: Task) -> bool:
    """Match {"code": 200, "results": []} (docs lyrics-generation)."""
    return isinstance(reader.rest.get("results"), list) and not makes_no_songs(task)


def parse_lyrics(reader: JsonReader, task: Task) -> Task:
    """Parse lyrics, which are complete in the first reply."""
    items = reader.rest.pop("results")
    texts = msgspec.structs.replace(task, engine="lyrics")
    songs = parse_songs(items, "results", texts, "succeeded", reader.issues)
    return with_songs(task, songs, "succeeded", None, None)


def is_nuro(reader: JsonReader, _: Task) -> bool:
    """Match {"task_id": "t", "status": "running", "audio_url": ""} (docs get-nuro-music)."""
    return "status" in reader.rest and "audio_url" in reader.rest


def parse_nuro(reader: JsonReader, task: Task) -> Task:
    """Parse nuro: one flat object is both the task and its only song."""
    word = reader.text("status")
    stated = parse_state(word)
    progress = reader.fraction("progress")
    reason = reader.text("error", "message")
    if reader.rest.get("task_id") == task.id:
        reader.rest.pop("task_id", None)
    song = parse_song(reader, 0, task, stated)
    reader.rest = {}
    task = msgspec.structs.replace(task, progress=progress)
    return with_songs(task, (song,), stated, word, reason)


def is_clip(reader: JsonReader, task: Task) -> bool:
    """Match {"data": {"status": "succeeded", "audio_url": "u"}} (three clients, when polling)."""
    return is_song(reader.rest.get("data")) and not makes_no_songs(task)


def parse_clip(reader: JsonReader, task: Task) -> Task:
    """Parse the only song of a task, which is under `data` without a list."""
    word = reader.text("status")
    stated = parse_state(word)
    clip = ("data", reader.rest.pop("data"), stated)
    songs = parse_items([clip], task, reader.issues)
    return with_songs(task, songs, stated, word or songs[0].state_word, None)


def is_status(reader: JsonReader, task: Task) -> bool:
    """Match {"task_id": "t", "status": "PENDING"} (docs of the sibling host, api-34286406)."""
    word = reader.rest.get("status")
    stated = parse_state(word) if isinstance(word, str) else None
    vague = {None, "unknown", "succeeded"} if task.poll_by_repost else {None, "unknown"}
    return stated not in vague and not find_answer(reader, task)


def parse_status(reader: JsonReader, task: Task) -> Task:
    """Parse a task that has a state and no songs."""
    word = reader.text("status", "state")
    stated = parse_state(word)
    reason = reader.text("error", "message") if stated == "failed" else None
    task = msgspec.structs.replace(
        task, progress=reader.fraction("progress"), refunded=_parse_refund(reader, reason)
    )
    return with_songs(task, (), stated, word, reason)


def is_studio_acknowledgement(reader: JsonReader, _: Task) -> bool:
    """Match {"code": "success", "message": "", "data": "t"} (three clients of 2024)."""
    data = reader.rest.get("data")
    is_id = isinstance(data, str) and bool(data.strip()) and not is_link(data)
    return is_id and reader.rest.get("code") == "success"


def parse_studio_acknowledgement(reader: JsonReader, task: Task) -> Task:
    """Take the task id, which studio returns under `data`."""
    task_id = reader.text("data")
    return msgspec.structs.replace(task, id=task.id or task_id, engine=task.engine or "studio")


def is_wrapped_acknowledgement(reader: JsonReader, _: Task) -> bool:
    """Match {"data": {"task_id": "t"}} (fixtures of three clients; docs of /suno/make-lyrics)."""
    data = reader.rest.get("data")
    return isinstance(data, dict) and "task_id" in data and data.keys() <= _WRAPPED_FIELDS


def parse_wrapped_acknowledgement(reader: JsonReader, task: Task) -> Task:
    """Take the task id and the state, which are under `data`."""
    body = JsonReader(reader.rest.pop("data"), "data", reader.issues)
    task_id = body.text("task_id")
    return parse_status(body, msgspec.structs.replace(task, id=task.id or task_id))


def is_steps(reader: JsonReader, task: Task) -> bool:
    """Match {"steps": {"a": {"success": true, "task_id": "t"}}} (musicapi-sdk 0.1.0)."""
    return _has_steps(reader) and parse_steps(reader, task).id is not None


def is_answer(reader: JsonReader, task: Task) -> bool:
    """Match {"persona_id": "p"} (docs create-persona, get-credits)."""
    return bool(find_answer(reader, task))


def parse_answer(reader: JsonReader, task: Task) -> Task:
    """Parse an answer without songs; it may state that it is not ready."""
    answer = find_answer(reader, task)
    is_object = isinstance(reader.rest.get("data"), dict)
    word = None
    if task.id is not None or task.poll_by_repost:
        if is_object and "status" not in reader.rest and isinstance(answer.get("status"), str):
            names = _STATUS_FIELDS & answer.keys()
            reader.rest |= {name: answer[name] for name in names}
        word = reader.text("status")
    task = msgspec.structs.replace(task, state_word=word)
    if word is not None and parse_state(word) in {"pending", "running", "failed"}:
        reader.rest["status"] = word
        return parse_status(reader, task)
    inner = unwrap_answer(answer) or answer
    if inner is not answer or not (answer.keys() <= reader.rest.keys() or is_object):
        reader.issue(WHOLE_REPLY, "the answer is deeper in it than in any known reply")
    reader.rest = {name: value for name, value in reader.rest.items() if name not in answer}
    if is_object:
        reader.rest.pop("data", None)
    answer = inner
    task = msgspec.structs.replace(task, answer=answer)
    if task.id is not None and all(value in (None, "", 0) for value in answer.values()):
        return task
    state, text = readiness(answer, repeatable=task.poll_by_repost)
    if state == "unclear":
        reader.issue("data", f"{text!r:.60} instead of a link" if text else "has no link")
    if state == "failed":
        return mark_failed(task, text)
    if state == "not ready":
        return msgspec.structs.replace(task, state_word=text)
    return msgspec.structs.replace(task, state="succeeded")


def _waiting_text(reader: JsonReader) -> str | None:
    texts = (reader.rest.get(name) for name in ("data", "message", "error"))
    # only "not ready": it is unclear whose failure a bare message is, and what it cost
    waiting = (
        text for text in texts if isinstance(text, str) and classify_words(text) == "not ready"
    )
    return next(waiting, None)


def is_waiting_message(reader: JsonReader, task: Task) -> bool:
    """Match {"message": "generating midi..."}, with poll_by_repost (docs get-midi)."""
    return task.poll_by_repost and _waiting_text(reader) is not None


def parse_waiting_message(reader: JsonReader, task: Task) -> Task:
    """Leave the task pending, with the message as its state word."""
    return msgspec.structs.replace(task, state_word=clean(_waiting_text(reader) or ""))


def is_acknowledgement(reader: JsonReader, task: Task) -> bool:
    """Match {"task_id": "t", "message": "success"} (docs create-music)."""
    return bool(task.id) and "task_id" in reader.rest and "error" not in reader.rest


def parse_acknowledgement(reader: JsonReader, task: Task) -> Task:
    """Keep the task as submitted, and report unknown fields."""
    for name in sorted(set(reader.rest) - _ACKNOWLEDGED):
        reader.issue(name, "unknown field in a reply that has only a task id")
    return task


def is_unknown(_reader: JsonReader, _task: Task) -> bool:
    """Match {"success": true} and any other reply."""
    return True
