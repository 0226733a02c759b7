"""Parse the songs of a reply, and derive the state of their task. No I/O."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from musicapi_nb.tasks.json_reader import JsonReader, clean, describe
from musicapi_nb.tasks.reply_search import PAIRS, is_text, pair_name
from musicapi_nb.tasks.song import FINAL, WHOLE_REPLY, Issue, Replacement, Song, State
from musicapi_nb.tasks.task import Task

# State words of the engines and of the service behind studio, in lower case. "processing": sibling
# host, 2026.
_STATES: Mapping[str, State] = {
    "pending": "pending",
    "not_start": "pending",
    "submitted": "pending",
    "queued": "pending",
    "not_ready": "pending",
    "running": "running",
    "in_progress": "running",
    "processing": "running",
    "succeeded": "succeeded",
    "success": "succeeded",
    "failed": "failed",
    "failure": "failed",
}

_ENGINE_FIELDS = (("producer", "sound"), ("riffusion", "timestamp"), ("sonic", "tags"))
# The host of sonic's links while a clip is rendered (live, 2026-07).
_STREAM_HOST = "://audiopipe."


def parse_state(word: str | None) -> State | None:
    """Map the service's word to a state; None for no word, "unknown" for an unfamiliar one."""
    return _STATES.get(word.strip().lower(), "unknown") if word else None


def guess_engine(items: Any) -> str | None:
    """Recognize the engine of clips or pairs by a field that only its clips have."""
    clips = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    clips += [clip[name] for clip in clips for name in PAIRS if isinstance(clip.get(name), dict)]
    for engine, field in _ENGINE_FIELDS:
        if any(field in clip for clip in clips):
            return engine
    return None


def parse_song(reader: JsonReader, position: int, task: Task, default: State | None) -> Song:
    """Parse one clip; `default` is its state if it states none itself."""
    word = reader.text("state", "status")
    reason = reader.text("error_detail", "fail_reason", "error", "error_message", "error_type")
    tags, tags_text = reader.tags("tags", "sound")
    if not tags:  # nuro has two fields instead
        tags = tuple(tag for name in ("genre", "mood") for tag in reader.tags(name)[0])
        tags_text = ", ".join(tags) or None
    audio_url = reader.text("audio_url", "song_path", "wav_url")
    if (finished := reader.flag("finished")) is not None:  # studio: a flag, and maybe an error
        default = "failed" if reason else ("succeeded" if finished else "running")
    state = parse_state(word) or default or _state_of_audio(audio_url)
    if state == "unknown":
        message = f"the unfamiliar word {word!r:.60}" if word else "no known state"
        reader.issue("state", message)
    other_id = task.id if task.engine == "nuro" else None
    if task.engine == "lyrics":
        other_id = reader.text("lyrics_id")
    return Song(
        id=reader.text("clip_id", "id") or other_id,
        task_id=task.id,
        engine=task.engine,
        position=position,
        state=state,
        state_word=word,
        title=reader.text("title"),
        tags=tags,
        tags_text=tags_text,
        lyrics=reader.text("lyrics"),
        prompt=reader.text("prompt", "gpt_description_prompt"),
        model=reader.text("mv"),
        duration=reader.seconds("duration"),
        audio_url=audio_url,
        image_url=reader.text("image_url", "image_path"),
        video_url=reader.text("video_url", "video_path"),
        created_at=reader.timestamp("created_at"),
        replacements=_parse_replacements(reader),
        fail_reason=reason,
        simulated=task.simulated,
        extra=reader.rest,
    )


def _state_of_audio(audio_url: str | None) -> State:
    """Return the state of a clip that states none."""
    if audio_url is None:
        return "unknown"
    return "running" if _STREAM_HOST in audio_url else "succeeded"


def _parse_replacements(reader: JsonReader) -> tuple[Replacement, ...]:
    steps = reader.object("replaced_tags")
    if steps is None:
        return ()
    replacements = []
    for source in tuple(steps.rest):
        step = steps.object(source)
        if step is None:
            replacements.append(Replacement(clean(source), ()))
            continue
        if "tags" not in step.rest and step.rest.keys() - {"type"}:
            step.issue("tags", "missing in a rewriting step")
        tags, _ = step.tags("tags")
        replacements.append(Replacement(clean(source), tags, step.text("type")))
        if step.rest:
            steps.rest[source] = step.rest
    if steps.rest:
        reader.rest["replaced_tags"] = steps.rest
    return tuple(replacements)


def parse_songs(
    items: Any, where: str, task: Task, default: State | None, issues: list[Issue]
) -> tuple[Song, ...]:
    """Parse a list of clips or pairs of clips; `where` is its path in the reply."""
    if not isinstance(items, list):
        issues.append(Issue(where, f"{describe(items)} instead of a list of songs"))
        return ()
    paths = (f"{where}[{index}]" for index in range(len(items)))
    return parse_items(zip(paths, items, itertools.repeat(default), strict=False), task, issues)


def parse_items(
    items: Iterable[tuple[str, Any, State | None]], task: Task, issues: list[Issue]
) -> tuple[Song, ...]:
    """Parse clips, pairs of clips and texts, each with its path in the reply and default state."""
    songs: list[Song] = []
    pairs = 0  # each pair so far shifts the positions after it by one
    for index, (path, item, default) in enumerate(items):
        position = index + pairs
        if not isinstance(item, dict):
            issues.append(Issue(path, f"{describe(item)} instead of a song"))
            continue
        reader = JsonReader(item, path, issues)
        if (name := pair_name(item)) is not None:
            songs += _parse_pair(reader, name, position, task, default)
            pairs += 1
        elif is_text(item):
            text = replace(task, engine="lyrics")
            songs.append(parse_song(reader, position, text, "succeeded"))
        else:
            songs.append(parse_song(reader, position, task, default))
    return tuple(_without_repeats(songs, task, issues))


def _without_repeats(songs: Iterable[Song], task: Task, issues: list[Issue]) -> Iterator[Song]:
    """Yield each clip once, the first finished one; the task's own id may stand for several."""
    clips: dict[Any, Song] = {}
    for song in songs:
        is_clip = song.id is not None and song.id != task.id and "pair" not in song.extra
        first = clips.setdefault(song.id if is_clip else ("no clip", song.position), song)
        if first is not song:
            issues.append(Issue(WHOLE_REPLY, f"the clip {song.id:.60} is listed more than once"))
            if song.state == "succeeded" and first.state != "succeeded":
                clips[song.id] = replace(song, position=first.position)
    yield from clips.values()


def _parse_pair(
    reader: JsonReader, first_name: str, first: int, task: Task, default: State | None
) -> list[Song]:
    """Parse the two clips of a pair: the extension or the replaced section, and the full song.

    The full song is null until it is joined. `extra["pair"]` is `first_name` or "full".
    """
    songs: list[Song] = []
    for position, name in enumerate((first_name, "full"), first):
        clip = reader.object(name)
        if clip is None:  # not there yet; if the extension failed, it will never be
            song = Song(
                task_id=task.id,
                engine=task.engine,
                position=position,
                state="failed" if songs and songs[0].state == "failed" else "pending",
                simulated=task.simulated,
            )
        else:
            song = parse_song(clip, position, task, default)
        extra = {**song.extra, **reader.rest, "pair": name}
        songs.append(replace(song, extra=extra))
    return songs


def count_items(songs: Iterable[Song]) -> int:
    """Return the number of songs; a pair counts once."""
    return sum(song.extra.get("pair") != "full" for song in songs)


def is_silent(song: Song) -> bool:
    """Return whether a song succeeded without audio, or a text without lyrics."""
    content = song.lyrics if song.engine == "lyrics" else song.audio_url
    return song.state == "succeeded" and content is None


def silence_issue(silent: int, songs: int) -> Issue:
    return Issue(WHOLE_REPLY, f"{silent} of {songs} songs succeeded without audio")


def _task_state(songs: Sequence[Song], expected: int | None, stated: State | None) -> State:
    """Derive a task's state: final only when every expected song is final and has its audio."""
    if stated == "failed":
        return "failed"
    if not songs:
        return "running" if stated in {"running", "succeeded"} else (stated or "pending")
    states = {song.state for song in songs}
    if states <= FINAL:
        missing = count_items(songs) < (expected or 1) or any(map(is_silent, songs))
        if missing or stated in {"pending", "running"}:
            return "running"
        return "succeeded" if "succeeded" in states else "failed"
    if states <= {"unknown"} | FINAL:
        return "unknown"
    return "pending" if states == {"pending"} else "running"


def with_songs(
    task: Task, songs: tuple[Song, ...], stated: State | None, word: str | None, reason: str | None
) -> Task:
    """Return the task with its songs; `stated` is the state that the reply gives the task."""
    state = _task_state(songs, task.expected, stated)
    reasons = dict.fromkeys(song.fail_reason for song in songs if song.fail_reason)
    reason = reason or "; ".join(reasons) or None if state == "failed" else None
    return replace(task, songs=songs, state=state, state_word=word, fail_reason=reason)


def mark_failed(
    task: Task, reason: str | None, *, refunded: bool | None = None, word: str | None = None
) -> Task:
    """Return the task as failed for `reason`."""
    reason = reason or "the service gave no reason"
    return replace(task, state="failed", fail_reason=reason, refunded=refunded, state_word=word)
