"""Decoded replies to Task and Song: every documented shape, and leniently the rest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from musicapi_nb.engines import Request
from musicapi_nb.errors import UnexpectedReply
from musicapi_nb.tasks.json_reader import JsonReader, clean, describe
from musicapi_nb.tasks.models import Task
from musicapi_nb.tasks.parse_answers import (
    answer_of,
    classify_words,
    is_link,
    readiness,
    with_steps,
)
from musicapi_nb.tasks.parse_batch import batch_of
from musicapi_nb.tasks.parse_songs import mark_failed, song_of, songs_of, state_of, with_songs

if TYPE_CHECKING:
    from musicapi_nb.tasks.models import Issue, Song, State
    from musicapi_nb.tasks.parse_answers import Ready

# `type` of a body that says that a task failed; the last is nuro's.
_FAILURES = frozenset({"failed", "timeout", "forbidden", "api_error", "bad_request"})
_ACKNOWLEDGED = frozenset({"task_id", "message", "code", "warning", "steps", "failed_step"})
_PLATFORMS = {"suno": "sonic", "nuro": "nuro", "producer": "producer"}


# --- replies -------------------------------------------------------------------------------


def parse_task(payload: Any, *, status: int = 200, task: Task | None = None) -> Task:
    """Read a decoded reply about a task.

    Parameters
    ----------
    payload
        The JSON value: a task reply of any engine, a failure, an acknowledgement, the answer of
        an operation that answers at once, or a webhook's body.
    status
        HTTP status it came with; 202 always means "keep asking".
    task
        The task as known so far: its id, engine, operation, request and expected songs are kept.

    Raises
    ------
    UnexpectedReply
        The value has no known shape; its `body` keeps it.
    """
    if not isinstance(payload, dict):
        raise UnexpectedReply(f"the reply is {describe(payload)}, not an object", body=payload)
    issues: list[Issue] = []
    known = task or Task()
    known = Task(
        id=known.id or JsonReader(payload, "", issues).text("task_id"),
        engine=known.engine or _engine(payload),
        operation=known.operation,
        expected=known.expected,
        request=known.request,
        simulated=known.simulated,
        take=known.take,
        bought_before=known.bought_before,
        raw=payload,
    )
    part = JsonReader(payload, "", issues)
    found = _dispatch(part, known, status)
    return msgspec.structs.replace(found, issues=tuple(issues), extra=part.rest)


def _dispatch(part: JsonReader, task: Task, status: int) -> Task:
    word, code = part.rest.get("type"), part.rest.get("code")
    if HTTPStatus.ACCEPTED in (status, code) or word == "not_ready":
        return msgspec.structs.replace(task, state_word=part.text("type"))
    if isinstance(word, str) and word in _FAILURES:
        return _failed(part, task)
    if isinstance(part.rest.get("steps"), dict) and (fallen := with_steps(part, task)).finished:
        return fallen  # whatever its code is
    if isinstance(code, int) and code >= HTTPStatus.BAD_REQUEST and not part.rest.get("data"):
        raise _unexpected(part, task)
    if isinstance(part.rest.get("tasks"), list) and "data" not in part.rest:
        return batch_of(part, task, parse_task)
    return _dispatch_payload(part, task)


def _dispatch_payload(part: JsonReader, task: Task) -> Task:
    data = part.rest.get("data")
    if "handledData" in part.rest or (isinstance(data, dict) and _is_studio(data)):
        return _parse_studio(part, task)
    bare = not answer_of(part, task)
    nothing = "data" in part.rest and _no(data)
    # That there is nothing does not say that it is to be asked for again, which may cost.
    if bare and (isinstance(data, list) or nothing) and not (nothing and task.poll_by_repost):
        return _parse_clip_list(part, task)
    if isinstance(part.rest.get("results"), list):
        return _parse_lyrics(part, task)
    if "status" in part.rest and "audio_url" in part.rest:
        return _parse_nuro(part, task)
    stated = state_of(word) if isinstance(word := part.rest.get("status"), str) else None
    if bare and stated not in (
        {None, "unknown"} | ({"succeeded"} if task.poll_by_repost else set())
    ):
        return _parse_status_only(part, task)
    return _parse_immediate(part, task)


def _no(data: Any) -> bool:
    return data is None or data in ({}, [])


def _is_studio(data: Mapping[str, Any]) -> bool:
    return "action" in data or "songs" in data or ("status" in data and "data" in data)


def _failed(part: JsonReader, task: Task) -> Task:
    return mark_failed(
        task,
        part.text("error", "message") or "the service gives no reason",
        refunded=part.flag("refund_processed", "already_refunded"),
        word=part.text("type"),
    )


def _parse_clip_list(part: JsonReader, task: Task) -> Task:
    """Sonic, producer, riffusion: a list of clips under `data`."""
    word = part.text("status")
    stated = state_of(word)
    items = part.rest.pop("data")
    songs = songs_of(items or [], "data", task, stated, part.issues)
    reason = part.text("message", "error") if stated == "failed" else None
    task = msgspec.structs.replace(task, refunded=_refund(part, reason))
    return with_songs(task, songs, stated, word, reason)


def _parse_nuro(part: JsonReader, task: Task) -> Task:
    """Nuro: the one song and its task in one flat object."""
    word = part.text("status")
    stated = state_of(word)
    progress = part.fraction("progress")
    reason = part.text("error", "message")
    if part.rest.get("task_id") == task.id:
        part.rest.pop("task_id", None)
    song = song_of(part, 0, task, stated)
    part.rest = {}
    task = msgspec.structs.replace(task, progress=progress)
    return with_songs(task, (song,), stated, word, reason)


def _parse_status_only(part: JsonReader, task: Task) -> Task:
    """Read a task that says how it is doing, and has no songs to show (yet, or at all)."""
    word = part.text("status")
    stated = state_of(word)
    reason = part.text("error", "message") if stated == "failed" else None
    task = msgspec.structs.replace(
        task, progress=part.fraction("progress"), refunded=_refund(part, reason)
    )
    return with_songs(task, (), stated, word, reason)


def _refund(part: JsonReader, reason: str | None) -> bool | None:
    """Whether the credits came back: as a flag, or (sibling's producer) in the words."""
    flag = part.flag("refund_processed", "already_refunded") if reason else None
    said = re.search(r"(not )?(been )?refunded", reason or "", re.IGNORECASE)
    return flag if flag is not None or said is None else said[1] is None


def _parse_studio(part: JsonReader, task: Task) -> Task:
    """Studio: the task under `data` (for some period under `handledData`), its songs deeper."""
    body = part.object("handledData") or part.object("data")
    if body is None:
        return msgspec.structs.replace(task, engine=task.engine or "studio")
    if not _is_studio(body.rest) and isinstance(body.rest.get("data"), dict):
        body = body.object("data") or body
    word = body.text("status")
    stated = state_of(word)
    named = body.text("task_id")
    if task.id and named and named != task.id:
        body.rest["task_id"] = named
    task = msgspec.structs.replace(
        task,
        id=task.id or named,
        submitted_at=body.timestamp("submit_time"),
        started_at=body.timestamp("start_time"),
        finished_at=body.timestamp("finish_time"),
        progress=body.fraction("progress"),
    )
    songs = _parse_studio_songs(body, task, stated)
    reason = body.text("fail_reason")
    part.rest.update(body.rest)
    return with_songs(task, songs, stated, word, reason)


def _parse_studio_songs(body: JsonReader, task: Task, stated: State | None) -> tuple[Song, ...]:
    holder = body if "songs" in body.rest else body.object("data")
    if holder is None:
        return ()
    items = holder.pop("songs")
    if holder is not body and holder.rest:
        body.rest["data"] = holder.rest
    if items is None:
        return ()
    default = stated if stated == "failed" else None
    return songs_of(items[1], f"{holder.where}.songs", task, default, body.issues)


def _parse_lyrics(part: JsonReader, task: Task) -> Task:
    items = part.rest.pop("results")
    songs = songs_of(items, "results", task, "succeeded", part.issues)
    return with_songs(task, songs, "succeeded", None, None)


def _parse_immediate(part: JsonReader, task: Task) -> Task:
    """Read what came at once: an acknowledgement, ids, links, figures, a balance."""
    code = part.rest.get("code")
    data = part.rest.get("data")
    if isinstance(data, str) and data.strip() and code == "success" and not is_link(data):
        part.text("data")
        return msgspec.structs.replace(
            task, id=task.id or clean(data), engine=task.engine or "studio"
        )
    if isinstance(part.rest.get("steps"), dict):
        task = with_steps(part, task)
        if task.id is not None or task.finished:
            return task
    if answer := answer_of(part, task):
        return _with_answer(part, task, answer)
    if task.poll_by_repost:
        for name in ("data", "message", "error"):
            words = part.rest.get(name)
            # of a failure told in passing nobody knows who says it, and what it cost
            if isinstance(words, str) and classify_words(words) == "not ready":
                return _not_ready(task, "not ready", clean(words))
    if task.id and "task_id" in part.rest and "error" not in part.rest:
        # whatever else an acknowledgement may carry: its task was paid for
        for name in sorted(set(part.rest) - _ACKNOWLEDGED):
            part.issue(name, "not known in a reply that says no more than its task's id")
        return task
    raise _unexpected(part, task)


def _with_answer(part: JsonReader, task: Task, answer: Mapping[str, Any]) -> Task:
    data = part.rest.get("data")
    word = part.text("status") if task.id is not None or task.poll_by_repost else None
    task = msgspec.structs.replace(task, state_word=word)
    if word is not None and state_of(word) in {"pending", "running", "failed"}:
        part.rest["status"] = word
        return _parse_status_only(part, task)
    part.rest = {name: value for name, value in part.rest.items() if name not in answer}
    if isinstance(data, dict):
        part.rest.pop("data", None)
    task = msgspec.structs.replace(task, answer=answer)
    if task.id is not None and all(value in (None, "", 0) for value in answer.values()):
        return task
    state, words = readiness(answer, repeats=task.poll_by_repost)
    if state == "odd":
        part.issue("data", f'{words!r:.60} where a link belongs, and not known to say "not ready"')
    if state in {"ready", "odd"}:
        return msgspec.structs.replace(task, state="succeeded")
    return _not_ready(task, state, words)


def _not_ready(task: Task, said: Ready, words: str | None) -> Task:
    """The task whose answer is not there yet, or will never be, as the service's words say."""
    if said == "failed":
        return mark_failed(task, words or "the service gives no reason")
    return msgspec.structs.replace(task, state_word=words)


def _unexpected(part: JsonReader, task: Task) -> UnexpectedReply:
    said = next(
        (part.rest[name] for name in ("error", "message") if isinstance(part.rest.get(name), str)),
        "",
    )
    words = f": {clean(said)[:300]}" if said else ""
    return UnexpectedReply(f"the reply has no known shape{words}", body=task.raw)


def _engine(payload: Mapping[str, Any]) -> str | None:
    """Tell the engine of a raw reply by its shape, where the shapes differ."""
    platform = payload.get("platform")
    data = payload.get("data")
    if isinstance(platform, str) and platform in _PLATFORMS:
        return _PLATFORMS[platform]
    if "handledData" in payload or (isinstance(data, dict) and _is_studio(data)):
        return "studio"
    if isinstance(payload.get("results"), list):
        return "lyrics"
    if "progress" in payload and "gender" in payload:
        return "nuro"
    clips = [clip for clip in data if isinstance(clip, dict)] if isinstance(data, list) else []
    clips += [clip["extended"] for clip in clips if isinstance(clip.get("extended"), dict)]
    for engine, field in (("producer", "sound"), ("riffusion", "timestamp"), ("sonic", "tags")):
        if any(field in clip for clip in clips):
            return engine
    return None


def parse_submit_reply(
    payload: Any, request: Request, *, status: int = 200, take: int = 1, simulated: bool = False
) -> Task:
    """Read the reply to a submit.

    Raises
    ------
    UnexpectedReply
        It holds no task id (or no answer); `may_have_cost` is True.
    """
    known = Task(
        engine=request.engine,
        operation=request.operation,
        expected=request.songs,
        request=request,
        take=take,
        simulated=simulated,
    )
    try:
        # a 202 says "not ready" only where asking again is how the operation works
        task = parse_task(payload, status=status if request.poll_by_repost else 200, task=known)
    except UnexpectedReply as error:
        error.may_have_cost = True
        raise
    arrived = task.finished and (
        task.songs or task.state == "failed" or request.reply == "immediate"
    )
    put_off = task.poll_by_repost and task.state in {"pending", "running"}
    if task.id is None and not arrived and not put_off:
        raise UnexpectedReply(
            "the reply to the submit holds no task id that is known (the body is kept in .body)",
            body=payload,
            may_have_cost=True,
        )
    return task


__all__ = ["parse_submit_reply", "parse_task"]
