"""Search replies of unknown shape for songs, task ids and answers. No I/O."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from musicapi_nb import wire
from musicapi_nb.errors import UnexpectedReply
from musicapi_nb.tasks.json_reader import clean

_MAX_DEPTH = 8
_MAX_PARTS = 100_000

PAIRS = ("extended", "replaced")
"""Names of the first clip of a pair; the second, "full", is null until it is joined.

Upload-extend with auto_concat (docs), replace-section with auto_concat (changelog 2026-01-25).
"""
# Fields of answers without an envelope: docs create-persona, upload-music, get-credits; `files`:
# a client of sonic/download. On the sibling host bpm, vox, aligned-lyrics and upsample-tags have
# them inside `data`.
ANSWER_FIELDS = (
    *("persona_id", "clip_id", "credits", "extra_credits", "wav_url", "midi_url", "instruments"),
    *("avg_bpm", "max_bpm", "min_bpm", "vox_audio_id", "source_clip_id", "vocal_start_s"),
    *("vocal_end_s", "wave_response", "alignment", "upsampled_tags", "files"),
)
# Fields that any reply may have about itself. Everything else in an immediate reply is its answer.
ENVELOPE = wire.REFUSAL_FIELDS | {
    *("data", "warning", "task_id", "steps", "failed_step", "platform", "event"),
    *("request_id", "requestId", "trace_id", "traceId"),
}
_TEXT_FIELDS = frozenset({"title", "lyrics"})
# Names of what a request refers to: songs and ids in there are not its result.
_SOURCES = frozenset({"source", "parent", "original", "reference", "input", "request", "params"})
_TASK_ID_NAMES = frozenset({"taskid", "taskids"})
# Names that may hold a task id in a reply that has it nowhere else, and the objects they may be in.
_ID_NAMES = frozenset({"id", "ids", "uuid", "task", "tasks", "job", "jobid", "data", "result"})
_ID_HOLDERS = frozenset({"data", "task", "tasks", "job", "result", "results", "response"})
_ID_LIKE = re.compile(r"(?=.*[0-9])[A-Za-z0-9_-]{8,200}", re.ASCII)
_MAX_ID_LENGTH = 200
_NO_IDS = frozenset({"0", "-1", "null", "none", "nil", "nan", "undefined"})
# In text that is not JSON, such as a page or a reply that breaks off, perhaps within an id.
_NAMED_TASK = re.compile(
    r"""task_?id["']?\s*[:=]\s*["']?([\w-]{4,200})(?![\w-]|\Z)""", re.IGNORECASE | re.ASCII
)


class Part(NamedTuple):
    """A value inside a reply.

    Attributes
    ----------
    where
        Its path, such as "data[0].clip".
    names
        The field names on its path, in lower case and without punctuation.
    word
        The state word of the nearest object around it that has one.
    """

    where: str
    names: tuple[str, ...]
    value: Any
    word: str | None


def iter_parts(reply: Any, *, inside_songs: bool = False) -> Iterator[Part]:
    """Yield a reply and the values inside it, outermost first."""
    queue = deque([(Part("", (), reply, None), 0)])
    for _ in range(_MAX_PARTS):
        if not queue:
            return
        part, depth = queue.popleft()
        yield part
        if depth < _MAX_DEPTH and (inside_songs or not is_song(part.value)):
            queue.extend((child, depth + 1) for child in _children(part))


def _children(part: Part) -> Iterator[Part]:
    where, names, value, word = part
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield Part(f"{where}[{index}]", names, item, word)
    elif isinstance(value, dict):
        own_word = value.get("status") or value.get("state")
        word = own_word if isinstance(own_word, str) else word
        for name, child in value.items():
            plain = "".join(filter(str.isalnum, str(name))).lower()
            yield Part(f"{where}.{name}" if where else name, (*names, plain), child, word)


def is_song(value: Any) -> bool:
    """Return whether a value looks like a clip, a pair of clips or a text of lyrics."""
    return isinstance(value, dict) and (
        "audio_url" in value
        or "song_path" in value
        or value.keys() >= {"clip_id", "state"}
        or pair_name(value) is not None
        or is_text(value)
    )


def pair_name(item: Mapping[str, Any]) -> str | None:
    """Return the name of the first clip of a pair; None if the item is not a pair."""
    return next((name for name in PAIRS if name in item and "full" in item), None)


def is_text(item: Mapping[str, Any]) -> bool:
    """Return whether an item is a text of lyrics, without a clip."""
    return _TEXT_FIELDS <= item.keys() <= _TEXT_FIELDS | {"lyrics_id", "tags"}


def songs_in(reply: Any) -> list[Part]:
    """Return the songs anywhere in a reply, each once, without those that it was made from."""
    songs: dict[str, Part] = {}
    for part in iter_parts(reply):
        if is_song(part.value) and _SOURCES.isdisjoint(part.names):
            song_id = part.value.get("clip_id") or part.value.get("id")
            songs.setdefault(song_id if isinstance(song_id, str) else part.where, part)
    return list(songs.values())


def find_task_id(reply: Any) -> str | None:
    """Return the first value anywhere in a reply that is named as a task id; None without one."""
    return next((clean(str(part.value)) for part in task_ids_in(reply)), None)


def task_id_of_body(body: Any) -> str | None:
    """Return the id of a task that the body of an error names, JSON or not; None without one."""
    if not isinstance(body, bytes):
        return find_task_id(body)
    try:
        return find_task_id(wire.decode(body))
    except UnexpectedReply:
        named = _NAMED_TASK.search(body.decode(errors="replace"))
        return named[1] if named and not is_no_id(named[1]) else None


def task_ids_in(reply: Any, *, any_name: bool = False, sent: Collection[Any] = ()) -> list[Part]:
    """Return the task ids in a reply; more than one if a list has several.

    `any_name`: values that look like an id also count if they have another usual name, unless they
    are those of an error, or were `sent` by the request, such as a clip id.
    """
    parts = [
        part
        for part in iter_parts(reply, inside_songs=True)
        if part.names and _SOURCES.isdisjoint(part.names)
    ]
    ids = [part for part in parts if part.names[-1] in _TASK_ID_NAMES and _is_id(part.value)]
    if not ids and any_name and not wire.denies_success(reply):
        ids = [part for part in iter_parts(reply) if part.names and _may_be_task_id(part)]
        ids = [part for part in ids if part.value not in sent]
    ids = [part for part in ids if part.names == ids[0].names]
    return list({part.value: part for part in ids}.values())


def is_no_id(value: str | int) -> bool:
    """Return whether a value in an id field means that there is no id."""
    return wire.scalar_text(value).strip().lower() in _NO_IDS


def _is_id(value: Any) -> bool:
    if not isinstance(value, str | int) or isinstance(value, bool) or is_no_id(value):
        return False
    if isinstance(value, int):
        return wire.scalar_text(value) != ""
    return len(value) <= _MAX_ID_LENGTH and len(value.split()) == 1 and "://" not in value


def _may_be_task_id(part: Part) -> bool:
    return (
        isinstance(part.value, str)
        and part.names[-1] in _ID_NAMES
        and (part.names[-1] == "data" or _ID_HOLDERS.issuperset(part.names[:-1]))
        and _ID_LIKE.fullmatch(part.value) is not None
    )


def unwrap_answer(reply: Any) -> Mapping[str, Any] | None:
    """Return the object with the fields of a known answer, if it is the only content of a reply."""
    for _ in range(_MAX_DEPTH):
        if isinstance(reply, dict):
            if not reply.keys().isdisjoint(ANSWER_FIELDS):
                return reply
            contents: Iterable[Any] = [
                value for name, value in reply.items() if name == "data" or name not in ENVELOPE
            ]
        else:
            contents = reply if isinstance(reply, list) else ()
        if len(list(contents)) != 1:
            return None
        (reply,) = contents
    return None
