"""Clips of a reply as songs, and what their states make of the whole. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from musicapi_nb.tasks.json_reader import JsonReader, clean, describe
from musicapi_nb.tasks.models import FINAL, Issue, Replacement, Song

if TYPE_CHECKING:
    from musicapi_nb.tasks.models import State, Task

# Words for a state, as the engines and the relay behind studio spell them (lower case here).
_STATES: Mapping[str, State] = {
    "pending": "pending",
    "not_start": "pending",
    "submitted": "pending",
    "queued": "pending",
    "not_ready": "pending",
    "running": "running",
    "in_progress": "running",
    "succeeded": "succeeded",
    "success": "succeeded",
    "failed": "failed",
    "failure": "failed",
}


# The keys by which an item is a pair of clips.
PAIR = frozenset({"extended", "full"})


def state_of(word: str | None) -> State | None:
    """Translate the service's word; None for no word, "unknown" for an unknown one."""
    return _STATES.get(word.strip().lower(), "unknown") if word else None


def song_of(part: JsonReader, position: int, task: Task, default: State | None) -> Song:
    word = part.text("state", "status")
    reason = part.text("error_detail", "fail_reason", "error", "error_message", "error_type")
    tags, tags_text = part.tags("tags", "sound")
    if not tags:  # nuro says its tags in two fields
        tags = tuple(tag for name in ("genre", "mood") for tag in part.tags(name)[0])
        tags_text = ", ".join(tags) or None
    audio_url = part.text("audio_url", "song_path")
    if (finished := part.flag("finished")) is not None:  # studio says it by a flag and an error
        default = "failed" if reason else ("succeeded" if finished else "running")
    state = state_of(word) or default or ("succeeded" if audio_url else "unknown")
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
        duration=part.seconds("duration"),
        audio_url=audio_url,
        image_url=part.text("image_url", "image_path"),
        video_url=part.text("video_url", "video_path"),
        created_at=part.timestamp("created_at"),
        replacements=_replacements(part),
        fail_reason=reason,
        simulated=task.simulated,
        extra=part.rest,
    )


def _replacements(part: JsonReader) -> tuple[Replacement, ...]:
    steps = part.object("replaced_tags")
    if steps is None:
        return ()
    found = []
    for source in tuple(steps.rest):
        step = steps.object(source)
        if step is None:
            found.append(Replacement(clean(source), ()))
            continue
        tags, _ = step.tags("tags")
        found.append(Replacement(clean(source), tags, step.text("type")))
        if step.rest:
            steps.rest[source] = step.rest
    if steps.rest:
        part.rest["replaced_tags"] = steps.rest
    return tuple(found)


def songs_of(
    items: Any, where: str, task: Task, default: State | None, issues: list[Issue]
) -> tuple[Song, ...]:
    if not isinstance(items, list):
        issues.append(Issue(where, f"{describe(items)} instead of a list of songs"))
        return ()
    found: list[Song] = []
    second = 0  # songs that share an item with another one
    for number, item in enumerate(items):
        place = f"{where}[{number}]"
        if not isinstance(item, dict):
            issues.append(Issue(place, f"{describe(item)} instead of a song"))
        elif item.keys() >= PAIR:
            found += _pair(JsonReader(item, place, issues), number + second, task, default)
            second += 1
        else:
            found.append(song_of(JsonReader(item, place, issues), number + second, task, default))
    return tuple(found)


def _pair(item: JsonReader, position: int, task: Task, default: State | None) -> list[Song]:
    """Read what upload-extend with auto_concat makes: the new part, and the whole song.

    The whole one is null until it is joined. Which of the two a song is stands in its `extra`.
    """
    found: list[Song] = []
    for at, name in enumerate(("extended", "full")):
        clip = item.object(name)
        if clip is None:  # what is not there yet; of a part that failed nothing more will come
            over = bool(found) and found[0].state == "failed"
            song = Song(
                task_id=task.id,
                engine=task.engine,
                position=position + at,
                state="failed" if over else "pending",
                simulated=task.simulated,
            )
        else:
            song = song_of(clip, position + at, task, default)
        found.append(msgspec.structs.replace(song, extra={**song.extra, **item.rest, "pair": name}))
    return found


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


def with_songs(
    task: Task, songs: tuple[Song, ...], stated: State | None, word: str | None, reason: str | None
) -> Task:
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


def mark_failed(
    task: Task, reason: str, *, refunded: bool | None = None, word: str | None = None
) -> Task:
    """The same task, failed for `reason`."""
    return msgspec.structs.replace(
        task, state="failed", fail_reason=reason, refunded=refunded, state_word=word
    )
