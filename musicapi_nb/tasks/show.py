"""How a Song and a Task show themselves in a notebook: static cards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from musicapi_nb import markup

if TYPE_CHECKING:
    from collections.abc import Iterator

    from musicapi_nb.tasks.values import Song, State, Task

_TONES: dict[State, markup.Tone] = {
    "pending": "info", "running": "info", "succeeded": "good", "failed": "bad", "unknown": "warn",
}  # fmt: skip


def song_card(song: Song, task: Task | None = None) -> markup.Html:
    """Show a song: cover, title, facts, tags, player, lyrics; or why there is none."""
    length = markup.minutes(song.duration) or None
    model = song.model or _asked_model(task)
    badges = [] if song.state == "succeeded" else [_state_badge(song.state, song.state_word)]
    if task is not None and len(task.songs) > 1:
        badges.append(markup.badge(f"{song.position + 1} of {len(task.songs)}"))
    if song.simulated:
        badges.append(markup.badge("simulated"))
    seed = song.id or f"{song.task_id}/{song.position}"
    return markup.card(
        song.title,
        markup.chips(_fated(song)),
        _audio(song),
        markup.lyrics(song.lyrics),
        facts=markup.facts(length, model or song.engine, _moment(song)),
        badges=badges,
        cover=markup.cover(song.image_url, seed, song.title),
    )


def task_card(task: Task) -> markup.Html:
    """Show a task without its songs: its state in words, the reason, the refund, the answer."""
    name = ".".join(part for part in (task.engine, task.operation) if part) or "task"
    badges = [_state_badge(task.state, task.state_word)]
    if task.refunded is not None:
        badges.append(
            markup.badge("credits refunded", "good")
            if task.refunded
            else markup.badge("not refunded", "warn")
        )
    if task.simulated:
        badges.append(markup.badge("simulated"))
    answer = markup.table(("name", "value"), [(key, str(task.answer[key])) for key in task.answer])
    return markup.card(
        name,
        *_notices(task),
        answer if task.answer else markup.EMPTY,
        facts=markup.facts(_asked_model(task), f"task {task.id}" if task.id else None),
        badges=badges,
        cover=markup.EMPTY if task.answer else markup.cover(None, task.id or name),
    )


def task_html(task: Task) -> str:
    """Show a task: a card for each song, and one of its own where no song's card tells all."""
    needed = not task.songs or bool(task.answer) or task.state == "failed" or bool(task.issues)
    head = [task_card(task)] if needed else []
    return markup.cards([*head, *(song_card(song, task) for song in task.songs)])


def _moment(song: Song) -> str | None:
    return f"{markup.moment(song.created_at)} UTC" if song.created_at else None


def _state_badge(state: State, word: str | None) -> markup.Html:
    label = f"unknown state: {word}" if state == "unknown" and word else state
    return markup.badge(label, _TONES[state])


def _asked_model(task: Task | None) -> str | None:
    request = task.request if task else None
    model = getattr(request, "mv", None) or getattr(request, "model_type", None)
    return model if isinstance(model, str) else None


def _fated(song: Song) -> Iterator[str | tuple[str, markup.Fate]]:
    """Tell, where the service says what it was asked for, the tags it kept from those it added."""
    asked = song.replacements[0].source.casefold() if song.replacements else None
    for tag in song.tags:
        yield tag if asked is None else (tag, "kept" if tag.casefold() in asked else "added")


def _audio(song: Song) -> markup.Html:
    if song.state == "failed":
        return markup.notice(song.fail_reason or "The service gives no reason.", "bad")
    if song.engine == "lyrics":
        return markup.EMPTY
    if song.audio_url is None:
        if song.finished:
            return markup.notice("Finished, but the reply holds no audio.", "warn")
        return markup.progress(None, "No audio yet.")
    return markup.player(song.audio_url, song.title or "this song")


def _notices(task: Task) -> Iterator[markup.Html]:
    if task.state == "failed":
        yield markup.notice(task.fail_reason or "The service gives no reason.", "bad")
    elif not task.finished:
        share = None if task.progress is None else min(max(task.progress, 0.0), 1.0)
        yield markup.progress(share, "The service is at work; wait for the task, or ask again.")
    if task.issues:
        odd = "\n".join(f"{issue.where}: {issue.message}" for issue in task.issues[:5])
        yield markup.notice(f"Not understood in the reply (kept in .raw):\n{odd}", "warn")
