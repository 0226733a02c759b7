"""Parse answers without songs (ids, links, measurements, steps) and judge if they are ready."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeAlias, TypeGuard

from msgspec.structs import replace

from musicapi_nb import wire
from musicapi_nb.tasks.json_reader import JsonReader, clean
from musicapi_nb.tasks.reply_search import ANSWER_FIELDS, ENVELOPE, unwrap_answer
from musicapi_nb.tasks.task import Task

Readiness: TypeAlias = Literal["ready", "not ready", "failed", "unclear"]

_SONG_FIELDS = frozenset({"clip_id", "audio_url", "state"})


# Words in place of a link, or in a message. The first match counts. Only "not ready" leads to the
# same request being sent again, which may cost credits; so words about a finished step, or
# unfamiliar ones, are not taken as "not ready".
_WORDS: Mapping[Readiness, str] = {
    # docs error-handling, 2025: messages of failed tasks
    "failed": r"fail|error|unable|could ?n[o']t|cannot|not found",
    # inferred: finished, but without a link
    "unclear": r"success|\bdone\b|completed"
    r"|(?<!being )(generated|processed|prepared|created|built|converted|rendered)",
    # docs get-midi: repeat until midi_url is a link; "generating midi..." seen in tracksmartin
    "not ready": r"generat|process|prepar|creating|build|convert|render|pending|queue|progress"
    r"|not[ _]ready",
}


def find_answer(reader: JsonReader, task: Task) -> Mapping[str, Any]:
    """Return the answer in a reply: `data`, or the top-level fields; empty if there is none."""
    data = reader.rest.get("data")
    if wire.denies_success(reader.rest):  # its other fields are about the error
        answers = [item for item in (data, reader.rest) if isinstance(item, dict)]
        return next((item for item in map(_known_fields, answers) if item), {})
    if isinstance(data, dict):
        # Nothing but a message is no answer; about a task, it may still come.
        return data if task.id is not None or data.keys() - wire.MESSAGE_FIELDS else {}
    if isinstance(data, list):
        songs = (isinstance(item, dict) and _SONG_FIELDS & item.keys() for item in data)
        return {"data": data} if makes_no_songs(task) and data and not any(songs) else {}
    if isinstance(data, str) and is_link(data):
        return {"data": data}
    if makes_no_songs(task) and task.id is None:
        return {name: value for name, value in reader.rest.items() if name not in ENVELOPE}
    answer = {name: reader.rest[name] for name in ANSWER_FIELDS if name in reader.rest}
    return answer or (unwrap_answer(reader.rest) if makes_no_songs(task) else None) or {}


def _known_fields(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields of known answers that have a value."""
    return {name: fields[name] for name in ANSWER_FIELDS if fields.get(name)}


def makes_songs(task: Task) -> bool:
    """Return whether songs are expected, although perhaps of unknown number."""
    return bool(task.expected) or (task.request is not None and task.request.songs != 0)


def makes_no_songs(task: Task) -> bool:
    """Return whether the result is known to be an answer."""
    return task.request is not None and task.request.songs == 0


def is_link(value: Any) -> bool:
    """True for a text that begins with http:// or https://."""
    return isinstance(value, str) and value.strip().lower().startswith(("https://", "http://"))


def readiness(answer: Mapping[str, Any], *, repeatable: bool) -> tuple[Readiness, str | None]:
    """Judge an answer by its links; also return the text found where a link belongs.

    `repeatable`: the operation is repeated until its link is there, so a missing link means "not
    ready". In a list, such as the files of a download, it does not: asking again costs the same.
    """
    links = list(_link_values(answer))
    texts = [value for value in links if isinstance(value, str) and value.strip()]
    texts = [text for text in texts if not is_link(text)]
    for text in texts:
        if (meaning := classify_words(text)) != "unclear":
            return meaning, clean(text)
    if texts:
        return "unclear", clean(texts[0])
    if not repeatable or (links and all(map(is_link, links))):
        return "ready", None
    fields = list(_link_values(answer, lists=False))
    if fields:
        return ("ready" if any(map(is_link, links)) else "not ready"), None
    return "unclear", None


def classify_words(text: str) -> Readiness:
    """Classify a text in place of an answer; "unclear" for unfamiliar words."""
    meanings = (name for name, words in _WORDS.items() if re.search(words, text, re.IGNORECASE))
    return next(meanings, "unclear")


def _link_values(answer: Mapping[str, Any], depth: int = 3, *, lists: bool = True) -> Iterator[Any]:
    for name, value in answer.items():
        if isinstance(value, dict | list) and depth:
            items = value if isinstance(value, list) and lists else [value]
            for item in items:
                if isinstance(item, dict):
                    yield from _link_values(item, depth - 1, lists=lists)
        elif name == "url" or name.endswith("_url") or is_link(value):
            yield value


def parse_steps(reader: JsonReader, task: Task) -> Task | None:
    """Parse the reply of an operation that runs in steps (upload-extend and upload-cover).

    The steps stay in `extra`. The clip that a step created is in `answer`, so that it can be used
    even if a later step failed; the failure reason then names the steps that may have cost credits.
    """
    if not isinstance(items := reader.rest.get("steps"), dict):
        return None
    steps = {clean(str(name)): step for name, step in items.items() if isinstance(step, dict)}
    ids = [step["task_id"] for step in steps.values() if _is_text(step.get("task_id"))]
    clips = [step["clip_id"] for step in steps.values() if isinstance(step.get("clip_id"), str)]
    answer = {"clip_id": clean(clips[-1])} if clips else {}
    task_id = task.id or (clean(ids[-1]) if ids else None)
    task = replace(task, id=task_id, answer=answer)
    stated = reader.rest.get("failed_step")
    failed_name = clean(stated) if _is_text(stated) else None
    failed = [name for name in steps if name == failed_name or steps[name].get("success") is False]
    if not failed and failed_name is None:
        return task
    name = failed[0] if failed else str(failed_name)
    texts = (steps.get(name, {}).get("error"), reader.rest.get("error"), reader.rest.get("message"))
    text = next((text for text in texts if text), None)
    reason = clean(text) if _is_text(text) else "no reason was given"
    done = [name for name, step in steps.items() if step.get("success") is True]
    charged = f" (done, and perhaps charged: {', '.join(done)})" if done else ""
    reason = f"the step {name!r} failed: {reason}{charged}"
    return replace(task, state="failed", fail_reason=reason)


def _is_text(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value.strip())
