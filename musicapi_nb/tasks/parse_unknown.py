"""Parse replies of a shape that nobody has seen yet, and report what a success lacks. No I/O."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from musicapi_nb.tasks.json_reader import JsonReader, clean
from musicapi_nb.tasks.parse_answers import makes_no_songs, makes_songs
from musicapi_nb.tasks.parse_batch import parse_batch
from musicapi_nb.tasks.parse_songs import (
    count_items,
    guess_engine,
    is_silent,
    parse_items,
    parse_state,
    silence_issue,
    with_songs,
)
from musicapi_nb.tasks.reply_search import ANSWER_FIELDS, Part, songs_in, task_ids_in
from musicapi_nb.tasks.song import WHOLE_REPLY, Issue, Song, State
from musicapi_nb.tasks.task import Task


def _is_identified(song: Song) -> bool:
    return bool(song.id or song.audio_url or song.lyrics)


def search_songs(reader: JsonReader, task: Task) -> Task | None:
    """Parse the songs anywhere in a reply; None if there are no more than `task` has already."""
    identified = sum(map(_is_identified, task.songs))
    if makes_no_songs(task) or 0 < identified == len(task.songs):
        return None
    items = songs_in(task.raw)
    if len(items) <= identified or (task.songs and items[0].value is task.raw):
        return None
    where = clean(items[0].where) or WHOLE_REPLY
    reader.issues[:] = [Issue(where, "songs are in no known place of the reply")]
    engine = task.engine or guess_engine([item.value for item in items])
    task = replace(task, engine=engine, answer={})
    word = reader.text("status") or task.state_word
    places = ((item.where, item.value, _stated(item)) for item in items)
    songs = parse_items(places, task, reader.issues)
    return with_songs(task, songs, parse_state(word), word, None)


def _stated(part: Part) -> State | None:
    """Return the state of the nearest object around a song that has a known word for it."""
    state = parse_state(part.word)
    return None if state == "unknown" else state


def lacks_task_id(task: Task) -> bool:
    """Return whether a task cannot be polled, or consists of nothing but unidentified songs."""
    if task.songs and not any(map(_is_identified, task.songs)):
        return not task.finished
    needs_id = task.request is not None and task.request.reply == "task" and not task.songs
    return task.id is None and (needs_id or not task.finished)


def search_task_id(reader: JsonReader, task: Task, parse_task: Callable[..., Task]) -> Task | None:
    """Take the task id from anywhere in a reply; None if it has none.

    Several ids in a list are a batch. `task` keeps songs that have an id or a link.
    """
    sent = task.request.body().values() if task.request else ()
    ids = task_ids_in(task.raw, any_name=not task.poll_by_repost, sent=sent)
    if not ids:
        return None
    issue = Issue(clean(ids[0].where), "only this task id was understood")
    if task.songs and any(map(_is_identified, task.songs)):
        reader.issues.append(issue)
        task_id = task.id or clean(str(ids[0].value))
        songs = tuple(replace(song, task_id=task_id) for song in task.songs)
        return replace(task, id=task_id, songs=songs)
    reader.issues[:] = [issue]
    task = replace(task, songs=(), answer={}, state="pending", state_word=None)
    if len(ids) > 1:
        tasks = [str(part.value) for part in ids]
        return parse_batch(JsonReader({"tasks": tasks}, "", reader.issues), task, parse_task)
    return replace(task, id=task.id or clean(str(ids[0].value)))


def report_gaps(task: Task, issues: list[Issue]) -> Task:
    """Report what a success lacks, and return the task as unfinished if that can still come."""
    if task.songs:
        if silent := sum(map(is_silent, task.songs)):
            issues.append(silence_issue(silent, len(task.songs)))
        count, expected = count_items(task.songs), task.expected or 1
        ended = task.state != "failed" and all(song.finished for song in task.songs)
        if ended and count < expected:
            issues.append(Issue(WHOLE_REPLY, f"only {count} of {expected} expected songs"))
    elif task.answer:
        if makes_songs(task) and task.state == "succeeded":
            issues.append(Issue(WHOLE_REPLY, "a success without songs"))
            if task.request is None or task.request.reply == "task":
                return replace(task, state="running")
        elif task.request is None and task.answer.keys().isdisjoint(ANSWER_FIELDS):
            issues.append(Issue(WHOLE_REPLY, "unfamiliar fields, taken as the answer"))
    elif parse_state(task.state_word) == "succeeded" and not issues:
        issues.append(Issue(WHOLE_REPLY, "a success without songs or an answer"))
    return task
