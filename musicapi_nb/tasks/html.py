"""How a Song and a Task show themselves in a notebook: static cards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from musicapi_nb import markup
from musicapi_nb.tasks import answer_html
from musicapi_nb.tasks.tags import match_key, split_tag_text, unique_tags

if TYPE_CHECKING:
    from musicapi_nb.tasks.models import Song, State, Task

_TONES: dict[State, markup.Tone] = {
    "pending": "info",
    "running": "info",
    "succeeded": "good",
    "failed": "bad",
    "unknown": "warn",
}
# Tracks of one song: its cover, tags and lyrics beside each would tell nothing.
_TRACKS = frozenset({"sonic.stems_basic", "sonic.stems_full"})
# docs error-handling and nuro-error-handling: most replies do not say it, the balance shows it.
_AT_WORK = "The service is at work; wait for the task, or ask again."
_AT_WORK_AGAIN = "Not ready yet: the same request is how to ask again; api.wait(task) does."
_REFUNDS = "The service refunds failed tasks by itself; api.credits() shows the balance."


def song_card(song: Song, task: Task | None = None) -> markup.Html:
    """Show a song: cover, title, facts, tags, player, lyrics; or why there is none."""
    length = markup.format_duration(song.duration) or None
    model = song.model or _asked_model(task)
    is_text = song.engine == "lyrics"
    badges = [] if song.state == "succeeded" else [_state_badge(song.state, song.state_word)]
    if task is not None and len(task.songs) > 1:
        badges.append(markup.badge(f"{song.position + 1} of {len(task.songs)}"))
    if isinstance(pair := song.extra.get("pair"), str):
        badges.append(markup.badge(pair))
    if song.simulated:
        badges.append(markup.badge("simulated"))
    if task is not None and task.name in _TRACKS:
        return markup.card(
            song.title, _audio(song), _links(song), facts=markup.facts(length), badges=badges
        )
    seed = song.id or f"{song.task_id}/{song.position}"
    return markup.card(
        song.title,
        markup.chips(tag_marks(song, task)),
        _audio(song),
        _links(song),
        markup.verbatim(song.lyrics) if is_text and song.lyrics else markup.lyrics(song.lyrics),
        facts=markup.facts(length, model or song.engine, _moment(song)),
        badges=badges,
        cover=markup.EMPTY if is_text else markup.cover(song.image_url, seed, song.title),
    )


def task_card(task: Task) -> markup.Html:
    """Show a task without its songs: its state in words, the reason, the refund, the answer."""
    badges = [_state_badge(task.state, task.state_word)]
    if task.refunded is not None:
        price = _price(task) or "credits"
        badges.append(
            markup.badge(f"{price} refunded", "good")
            if task.refunded
            else markup.badge(f"{price} not refunded", "warn")
        )
    if task.simulated:
        badges.append(markup.badge("simulated"))
    return markup.card(
        task.name,
        *_notices(task),
        *_parts(task),
        *answer_html.blocks(task.answer),
        facts=markup.facts(_asked_model(task), _cost(task), _called(task)),
        badges=badges,
    )


def task_html(task: Task) -> str:
    """Show a task: a card for each song, and one of its own where no song's card tells all."""
    told = bool(task.answer or task.parts or task.issues)
    needed = not task.songs or told or task.state == "failed"
    head = [task_card(task)] if needed else []
    shown = markup.cards([*head, *(song_card(song, task) for song in task.songs)])
    if needed:
        return shown
    return markup.stack(shown, markup.caption(task.name, _cost(task), _called(task)))


def _parts(task: Task) -> Iterator[markup.Html]:
    """What became of each task of a batch."""
    if task.parts:
        columns = ["", "task", "state", "songs"]
        rows: list[list[markup.Cell]] = [
            [at, part.id, part.state, len(part.songs)] for at, part in enumerate(task.parts, 1)
        ]
        if any(part.fail_reason for part in task.parts):
            columns.append("why")
            rows = [[*row, part.fail_reason] for row, part in zip(rows, task.parts, strict=True)]
        yield markup.table(columns, rows)


def _cost(task: Task) -> str | None:
    return "from the library, 0 credits" if task.bought_before else _price(task)


def _price(task: Task) -> str | None:
    price = task.request.price() if task.request else None
    return None if price is None else markup.format_credits(price)


def _called(task: Task) -> str | None:
    return f"task {task.id}" if task.id else None


def _moment(song: Song) -> str | None:
    return f"{markup.format_datetime(song.created_at)} UTC" if song.created_at else None


def _state_badge(state: State, word: str | None) -> markup.Html:
    label = f"unknown state: {word}" if state == "unknown" and word else state
    return markup.badge(label, _TONES[state])


def _asked_model(task: Task | None) -> str | None:
    request = task.request if task else None
    model = getattr(request, "mv", None) or getattr(request, "model_type", None)
    return model if isinstance(model, str) else None


def tag_marks(song: Song, task: Task | None) -> Iterator[str | tuple[str, markup.TagMark]]:
    """Tell, where it is known what was asked for, the kept tags from the added and the dropped."""
    asked = unique_tags(split_tag_text(_asked_text(song, task)))
    if not asked or not song.tags:
        yield from song.tags
        return
    wanted, made = ({match_key(tag) for tag in tags} for tags in (asked, song.tags))
    for tag in song.tags:
        yield tag, "kept" if match_key(tag) in wanted else "added"
    for tag in asked:
        if match_key(tag) not in made:
            yield tag, "dropped"


def _asked_text(song: Song, task: Task | None) -> str:
    """The tags asked for: as the service read them, else as sent."""
    if song.replacements:
        return song.replacements[0].source
    text = getattr(task.request, "tags", None) if task else None
    return text if isinstance(text, str) else ""


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


def _links(song: Song) -> markup.Html:
    """Links of a song that have no place of their own, such as producer's `wav_url`."""
    found = [
        markup.link(name.removesuffix("_url"), url)
        for name, url in song.extra.items()
        if name.endswith("_url") and isinstance(url, str) and markup.web_url(url)
    ]
    return markup.caption(*found)


def _notices(task: Task) -> Iterator[markup.Html]:
    if task.state == "failed":
        reason = task.fail_reason or "It came to nothing; the service gives no reason."
        refund = "" if task.refunded is not None else f"\n{_REFUNDS}"
        yield markup.notice(f"{reason}{refund}", "bad")
    elif not task.finished:
        share = None if task.progress is None else min(max(task.progress, 0.0), 1.0)
        yield markup.progress(share, _AT_WORK_AGAIN if task.poll_by_repost else _AT_WORK)
    if task.issues:
        odd = "\n".join(f"{issue.where}: {issue.message}" for issue in task.issues[:5])
        yield markup.notice(f"Not understood in the reply (kept in .raw):\n{odd}", "warn")
