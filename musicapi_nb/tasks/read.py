"""Decoded replies to Task and Song: every documented shape, and leniently the rest."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from musicapi_nb.errors import UnexpectedReply
from musicapi_nb.tasks.part import Part, clean, kind
from musicapi_nb.tasks.values import FINAL, Issue, Replacement, Song, Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from musicapi_nb.engines import Request
    from musicapi_nb.tasks.values import State

# Words for a state, as the engines and the relay behind studio spell them (lower case here).
_STATES: Mapping[str, State] = {
    "pending": "pending", "not_start": "pending", "submitted": "pending", "queued": "pending",
    "not_ready": "pending", "running": "running", "in_progress": "running",
    "succeeded": "succeeded", "success": "succeeded", "failed": "failed", "failure": "failed",
}  # fmt: skip
# `type` of a body that says that a task failed; the last is nuro's.
_FAILURES = frozenset({"failed", "timeout", "forbidden", "api_error", "bad_request"})
_ACKNOWLEDGED = frozenset({"task_id", "message", "code", "warning"})
_PLATFORMS = {"suno": "sonic", "nuro": "nuro", "producer": "producer"}


def _state(word: str | None) -> State | None:
    """Translate the service's word; None for no word, "unknown" for an unknown one."""
    return _STATES.get(word.strip().lower(), "unknown") if word else None


# --- songs ---------------------------------------------------------------------------------


def _song(part: Part, position: int, task: Task, default: State | None) -> Song:
    word = part.text("state", "status")
    reason = part.text("error_detail", "fail_reason", "error", "error_message", "error_type")
    tags, tags_text = part.tags("tags", "sound")
    if not tags:  # nuro says its tags in two fields
        tags = tuple(tag for name in ("genre", "mood") for tag in part.tags(name)[0])
        tags_text = ", ".join(tags) or None
    audio_url = part.text("audio_url", "song_path")
    if (finished := part.flag("finished")) is not None:  # studio says it by a flag and an error
        default = "failed" if reason else ("succeeded" if finished else "running")
    state = _state(word) or default or ("succeeded" if audio_url else "unknown")
    return Song(
        id=part.text("clip_id", "id") or (task.id if task.engine == "nuro" else None),
        task_id=task.id,
        engine=task.engine,
        position=position,
        state=state,
        state_word=word,
        title=part.text("title"),
        tags=tags,
        tags_text=tags_text,
        lyrics=part.text("lyrics"),
        prompt=part.text("prompt", "gpt_description_prompt"),
        model=part.text("mv"),
        duration=part.length("duration"),
        audio_url=audio_url,
        image_url=part.text("image_url", "image_path"),
        video_url=part.text("video_url", "video_path"),
        created_at=part.moment("created_at"),
        replacements=_replacements(part),
        fail_reason=reason,
        simulated=task.simulated,
        extra=part.left,
    )


def _replacements(part: Part) -> tuple[Replacement, ...]:
    steps = part.part("replaced_tags")
    if steps is None:
        return ()
    found = []
    for source in tuple(steps.left):
        step = steps.part(source)
        if step is None:
            found.append(Replacement(clean(source), ()))
            continue
        tags, _ = step.tags("tags")
        found.append(Replacement(clean(source), tags, step.text("type")))
        if step.left:
            steps.left[source] = step.left
    if steps.left:
        part.left["replaced_tags"] = steps.left
    return tuple(found)


def _songs(items: Any, where: str, task: Task, default: State | None,
           issues: list[Issue]) -> tuple[Song, ...]:  # fmt: skip
    if not isinstance(items, list):
        issues.append(Issue(where, f"{kind(items)} instead of a list of songs"))
        return ()
    found = []
    for position, item in enumerate(items):
        place = f"{where}[{position}]"
        if isinstance(item, dict):
            found.append(_song(Part(item, place, issues), position, task, default))
        else:
            issues.append(Issue(place, f"{kind(item)} instead of a song"))
    return tuple(found)


def _task_state(songs: Sequence[Song], expected: int | None, stated: State | None) -> State:
    """Judge the whole from its songs: finished only when every expected song is final."""
    if stated == "failed":
        return "failed"
    if not songs:
        return "running" if stated in {"running", "succeeded"} else (stated or "pending")
    states = {song.state for song in songs}
    if states <= FINAL and len(songs) >= (expected or 1):
        if stated in {"pending", "running"}:
            return "running"
        return "succeeded" if "succeeded" in states else "failed"
    if states <= {"unknown"} | FINAL and "unknown" in states:
        return "unknown"
    return "pending" if states == {"pending"} else "running"


# --- replies -------------------------------------------------------------------------------


def read(payload: Any, *, status: int = 200, task: Task | None = None) -> Task:
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
        raise UnexpectedReply(f"the reply is {kind(payload)}, not an object", body=payload)
    issues: list[Issue] = []
    known = task or Task()
    known = Task(
        id=known.id or Part(payload, "", issues).text("task_id"),
        engine=known.engine or _engine(payload),
        operation=known.operation,
        expected=known.expected,
        request=known.request,
        simulated=known.simulated,
        bought_before=known.bought_before,
        raw=payload,
    )
    part = Part(payload, "", issues)
    found = _by_shape(part, known, status)
    return msgspec.structs.replace(found, issues=tuple(issues), extra=part.left)


def _by_shape(part: Part, task: Task, status: int) -> Task:
    word, code = part.left.get("type"), part.left.get("code")
    if HTTPStatus.ACCEPTED in (status, code) or word == "not_ready":
        return msgspec.structs.replace(task, state_word=part.text("type"))
    if isinstance(word, str) and word in _FAILURES:
        return _failed(part, task)
    if isinstance(code, int) and code >= HTTPStatus.BAD_REQUEST and not part.left.get("data"):
        raise _unexpected(part, task)
    return _by_payload(part, task)


def _by_payload(part: Part, task: Task) -> Task:
    data = part.left.get("data")
    if "handledData" in part.left or (isinstance(data, dict) and _is_studio(data)):
        return _studio(part, task)
    if isinstance(data, list) or ("data" in part.left and not _flat_answer(part) and _no(data)):
        return _listed(part, task)
    if isinstance(part.left.get("results"), list):
        return _lyrics(part, task)
    if "status" in part.left and "audio_url" in part.left:
        return _flat(part, task)
    if isinstance(word := part.left.get("status"), str) and _state(word) not in {None, "unknown"}:
        return _stated(part, task)
    return _answered(part, task)


def _no(data: Any) -> bool:
    return data is None or data == {}


def _is_studio(data: Mapping[str, Any]) -> bool:
    return "action" in data or "songs" in data or ("status" in data and "data" in data)


def _failed(part: Part, task: Task) -> Task:
    return failed(
        task,
        part.text("error", "message") or "the service gives no reason",
        refunded=part.flag("refund_processed", "already_refunded"),
        word=part.text("type"),
    )


def _listed(part: Part, task: Task) -> Task:
    """Sonic, producer, riffusion: a list of clips under `data`."""
    word = part.text("status")
    stated = _state(word)
    items = part.left.pop("data")
    songs = _songs(items or [], "data", task, stated, part.issues)
    reason = part.text("message") if stated == "failed" else None
    return _with_songs(task, songs, stated, word, reason)


def _flat(part: Part, task: Task) -> Task:
    """Nuro: the one song and its task in one flat object."""
    word = part.text("status")
    stated = _state(word)
    progress = part.share("progress")
    reason = part.text("error", "message")
    if part.left.get("task_id") == task.id:
        part.left.pop("task_id", None)
    song = _song(part, 0, task, stated)
    part.left = {}
    task = msgspec.structs.replace(task, progress=progress)
    return _with_songs(task, (song,), stated, word, reason)


def _stated(part: Part, task: Task) -> Task:
    """Read a task that says how it is doing, and has no songs to show (yet, or at all)."""
    word = part.text("status")
    stated = _state(word)
    task = msgspec.structs.replace(task, progress=part.share("progress"))
    reason = part.text("error", "message") if stated == "failed" else None
    return _with_songs(task, (), stated, word, reason)


def _studio(part: Part, task: Task) -> Task:
    """Studio: the task under `data` (for some period under `handledData`), its songs deeper."""
    body = part.part("handledData") or part.part("data")
    if body is None:
        return msgspec.structs.replace(task, engine=task.engine or "studio")
    if not _is_studio(body.left) and isinstance(body.left.get("data"), dict):
        body = body.part("data") or body
    word = body.text("status")
    stated = _state(word)
    named = body.text("task_id")
    if task.id and named and named != task.id:
        body.left["task_id"] = named
    task = msgspec.structs.replace(
        task,
        id=task.id or named,
        submitted_at=body.moment("submit_time"),
        started_at=body.moment("start_time"),
        finished_at=body.moment("finish_time"),
        progress=body.share("progress"),
    )
    songs = _studio_songs(body, task, stated)
    reason = body.text("fail_reason")
    part.left.update(body.left)
    return _with_songs(task, songs, stated, word, reason)


def _studio_songs(body: Part, task: Task, stated: State | None) -> tuple[Song, ...]:
    holder = body if "songs" in body.left else body.part("data")
    if holder is None:
        return ()
    items = holder.take("songs")
    if holder is not body and holder.left:
        body.left["data"] = holder.left
    if items is None:
        return ()
    default = stated if stated == "failed" else None
    return _songs(items[1], f"{holder.where}.songs", task, default, body.issues)


def _lyrics(part: Part, task: Task) -> Task:
    items = part.left.pop("results")
    songs = _songs(items, "results", task, "succeeded", part.issues)
    return _with_songs(task, songs, "succeeded", None, None)


def _answered(part: Part, task: Task) -> Task:
    """Read what came at once: an acknowledgement, ids, links, a balance."""
    code = part.left.get("code")
    data = part.left.get("data")
    if isinstance(data, str) and data.strip() and code == "success":
        part.text("data")
        return msgspec.structs.replace(
            task, id=task.id or clean(data), engine=task.engine or "studio"
        )
    answer = data if isinstance(data, dict) else _flat_answer(part)
    if answer:
        part.left = {name: value for name, value in part.left.items() if name not in answer}
        part.left.pop("data", None)
        return msgspec.structs.replace(task, state="succeeded", answer=answer)
    if task.id and "task_id" in part.left and "error" not in part.left:
        # whatever else an acknowledgement may carry: its task was paid for
        for name in sorted(set(part.left) - _ACKNOWLEDGED):
            part.note(name, "not known in a reply that says no more than its task's id")
        return task
    raise _unexpected(part, task)


def _unexpected(part: Part, task: Task) -> UnexpectedReply:
    said = next((part.left[name] for name in ("error", "message")
                 if isinstance(part.left.get(name), str)), "")  # fmt: skip
    words = f": {clean(said)[:300]}" if said else ""
    return UnexpectedReply(f"the reply has no known shape{words}", body=task.raw)


def _flat_answer(part: Part) -> dict[str, Any]:
    names = ("persona_id", "clip_id", "credits", "extra_credits")
    return {name: part.left[name] for name in names if name in part.left}


def _with_songs(task: Task, songs: tuple[Song, ...], stated: State | None, word: str | None,
                reason: str | None) -> Task:  # fmt: skip
    state = _task_state(songs, task.expected, stated)
    return msgspec.structs.replace(
        task,
        songs=songs,
        state=state,
        state_word=word,
        fail_reason=reason or _song_reasons(songs) if state == "failed" else None,
    )


def _song_reasons(songs: Iterable[Song]) -> str | None:
    return "; ".join(dict.fromkeys(song.fail_reason for song in songs if song.fail_reason)) or None


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
    for engine, field in (("producer", "sound"), ("riffusion", "timestamp"), ("sonic", "tags")):
        if any(field in clip for clip in clips):
            return engine
    return None


def accepted(payload: Any, request: Request, *, simulated: bool = False) -> Task:
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
        simulated=simulated,
    )
    try:
        task = read(payload, task=known)
    except UnexpectedReply as error:
        error.may_have_cost = True
        raise
    arrived = task.finished and (task.songs or task.state == "failed" or request.answers == "now")
    if task.id is None and not arrived:
        raise UnexpectedReply(
            "the reply to the submit holds no task id that is known (the body is kept in .body)",
            body=payload,
            may_have_cost=True,
        )
    return task


def failed(
    task: Task, reason: str, *, refunded: bool | None = None, word: str | None = None
) -> Task:
    """The same task, failed for `reason`."""
    return msgspec.structs.replace(
        task, state="failed", fail_reason=reason, refunded=refunded, state_word=word
    )


__all__ = ["accepted", "failed", "read"]
