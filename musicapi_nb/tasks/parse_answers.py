"""Answers that are no songs: ids, links, figures, steps; and whether they are there yet. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from musicapi_nb.tasks.json_reader import clean

if TYPE_CHECKING:
    from musicapi_nb.tasks.json_reader import JsonReader
    from musicapi_nb.tasks.models import Task

Ready: TypeAlias = Literal["ready", "not ready", "failed", "odd"]

# Of the answers that come without an envelope: docs create-persona, upload-music, get-credits;
# on the sibling host bpm, vox, aligned-lyrics and upsample-tags have `data` around theirs.
_FLAT = (
    "persona_id",
    "clip_id",
    "credits",
    "extra_credits",
    "wav_url",
    "midi_url",
    "instruments",
    "avg_bpm",
    "max_bpm",
    "min_bpm",
    "vox_audio_id",
    "source_clip_id",
    "vocal_start_s",
    "vocal_end_s",
    "wave_response",
    "alignment",
    "upsampled_tags",
)
# What any reply may say about itself; the rest of a reply that came at once is its answer.
_ENVELOPE = frozenset(
    {
        "code",
        "message",
        "data",
        "type",
        "success",
        "warning",
        "task_id",
        "error",
        "steps",
        "failed_step",
        "platform",
        "event",
    }
)
_SONG = frozenset({"clip_id", "audio_url", "state"})
# get-midi is called again until its link is a link; "generating midi..." was seen before it.
# "Try again later" is no such word: who says it need not have heard of the request's being paid.
_WAITING = re.compile(
    r"generat|process|prepar|creating|build|convert|render|pending|queue|progress|not[ _]ready",
    re.IGNORECASE,
)
# What is said to be over, and is not there, is not to be asked for again by paying.
_OVER = re.compile(
    r"success|\bdone\b|completed"
    r"|(?<!being )(generated|processed|prepared|created|built|converted|rendered)",
    re.IGNORECASE,
)
_GIVEN_UP = re.compile(r"fail|error|unable|could ?n[o']t|cannot|not found", re.IGNORECASE)


def answer_of(part: JsonReader, task: Task) -> Mapping[str, Any]:
    """What a reply says that is no song: `data`, or the fields beside it; empty for nothing."""
    data = part.rest.get("data")
    if isinstance(data, dict):
        return data
    if isinstance(data, list):
        return {"data": data} if _is_no_song_list(data, task) else {}
    if isinstance(data, str) and is_link(data):
        return {"data": data}
    return flat_answer(part, task)


def flat_answer(part: JsonReader, task: Task) -> dict[str, Any]:
    """The answer of a reply without an envelope."""
    if _is_songless(task) and task.id is None and not part.rest.get("error"):
        found = {name: value for name, value in part.rest.items() if name not in _ENVELOPE}
        return found if found.keys() - {"status"} else {}
    return {name: part.rest[name] for name in _FLAT if name in part.rest}


def _is_no_song_list(data: list[Any], task: Task) -> bool:
    """Whether a list under `data` is what an operation without songs answers (words, formats)."""
    songs = (isinstance(item, dict) and _SONG & item.keys() for item in data)
    return _is_songless(task) and bool(data) and not any(songs)


def _is_songless(task: Task) -> bool:
    return task.request is not None and task.request.songs == 0


def is_link(value: Any) -> bool:
    return isinstance(value, str) and value.strip().lower().startswith(("https://", "http://"))


def readiness(answer: Mapping[str, Any], *, repeats: bool) -> tuple[Ready, str | None]:
    """Judge an answer by its links; with the words that stand in the place of one.

    `repeats`: the operation is asked again until its link is there, so that none is "not ready".
    """
    links = list(_links(answer))
    words = [value for value in links if isinstance(value, str) and value.strip()]
    words = [value for value in words if not is_link(value)]
    for value in words:
        if (said := classify_words(value)) != "odd":
            return said, clean(value)
    if words:
        return "odd", clean(words[0])
    missing = repeats and bool(links) and not any(map(is_link, links))
    return ("not ready" if missing else "ready"), None


def classify_words(words: str) -> Ready:
    """What words in the place of an answer mean; "odd" for words that are not known."""
    if _GIVEN_UP.search(words):
        return "failed"
    return "not ready" if _WAITING.search(words) and not _OVER.search(words) else "odd"


def _links(answer: Mapping[str, Any], depth: int = 3) -> Iterator[Any]:
    for name, value in answer.items():
        if isinstance(value, dict) and depth:
            yield from _links(value, depth - 1)
        elif name == "url" or name.endswith("_url"):
            yield value


def with_steps(part: JsonReader, task: Task) -> Task:
    """Read the reply of an operation that takes several steps (upload-extend and its sisters).

    The steps stay in `extra`; the clip that a step made is in `answer`, so that it can be used
    also where a later step failed; what it cost is charged then, as far as is known, and the
    reason says so.
    """
    steps = part.rest["steps"]
    told = [(name, step) for name, step in steps.items() if isinstance(step, dict)]
    ids = [step["task_id"] for _, step in told if isinstance(step.get("task_id"), str)]
    clips = [step["clip_id"] for _, step in told if isinstance(step.get("clip_id"), str)]
    answer = {"clip_id": clean(clips[-1])} if clips else {}
    task = msgspec.structs.replace(task, id=task.id or _id(ids), answer=answer)
    named = part.rest.get("failed_step")
    failed = [(name, step) for name, step in told if name == named or step.get("success") is False]
    if not failed and not (isinstance(named, str) and named.strip()):
        return task
    name, step = failed[0] if failed else (named, {})
    words = step.get("error") or part.rest.get("error") or part.rest.get("message")
    said = clean(words) if isinstance(words, str) and words.strip() else "no reason was given"
    reason = f"the step {clean(str(name))!r} failed: {said}"
    done = [clean(str(name)) for name, step in told if step.get("success") is True]
    reason += f" (done, and perhaps charged: {', '.join(done)})" if done else ""
    return msgspec.structs.replace(task, state="failed", fail_reason=reason)


def _id(ids: list[str]) -> str | None:
    return next((clean(value) for value in reversed(ids) if value.strip()), None)
