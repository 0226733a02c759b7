"""Static HTML cards of Song and Task."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from musicapi_nb import markup
from musicapi_nb.engines import model_of
from musicapi_nb.errors import MusicAPIError
from musicapi_nb.markup.escape import element
from musicapi_nb.tasks.answer_html import answer_blocks
from musicapi_nb.tasks.card_media import CardMedia, MediaUrls
from musicapi_nb.tasks.derivation import derivation, source_ids
from musicapi_nb.tasks.song import STATE_LABELS, Song, State
from musicapi_nb.tasks.song_actions import sound_text_of, titles_of
from musicapi_nb.tasks.song_tuple import Songs
from musicapi_nb.tasks.tags import tag_key, unique_tags
from musicapi_nb.tasks.task import Task

_TONES: dict[State, markup.Tone] = {
    "pending": "info",
    "running": "info",
    "succeeded": "good",
    "failed": "bad",
    "unknown": "warn",
}
# Their songs are tracks of one song: repeating its cover, tags and lyrics would add nothing.
_TRACKS = frozenset({"sonic.stems_basic", "sonic.stems_full"})
_WAITING = "The service is working on it; wait for the task, or poll it again."
_WAITING_FOR_REPOST = "Not ready yet. `api.wait(task)` repeats the request until it is."
_MAX_ISSUES = 5
_log = logging.getLogger(__name__)
# docs error-handling and nuro-error-handling: most replies do not mention the refund.
_REFUNDS = "The service refunds failed tasks automatically; api.credits() shows the balance."
_NOT_BOUGHT_AGAIN = (
    "It was not bought again, because no refund was reported. Run another take; or call "
    "api.library.resolve(entry, charged=True or False), and run it again to buy it."
)


@markup.render.register
def song_card(
    song: Song,
    task: Task | None = None,
    *,
    urls: MediaUrls | None = None,
    measured: str | None = None,
) -> markup.Html:
    """Return a song's card: cover, title, facts, tags, player, lyrics, or why there is no audio.

    It plays and shows `urls`; by default the files of its session's library, else its links.
    `measured` is the line of its measured values, by default that of the same library.
    """
    urls = CardMedia().urls(song) if urls is None else urls
    length = markup.format_duration(song.duration) or None
    is_text = song.engine == "lyrics"
    badges = [] if song.state == "succeeded" else [_state_badge(song.state, song.state_word)]
    if number := position_text(song, task):
        badges.append(markup.badge(number))
    if isinstance(pair := song.extra.get("pair"), str):
        badges.append(markup.badge(pair))
    if song.simulated:
        badges.append(markup.badge("simulated"))
    request = song.request
    name = task.name if task else f"{song.engine}.{request.operation}" if request else ""
    if name in _TRACKS:
        return markup.card(
            song.title, _audio(song, urls), _links(song), facts=markup.facts(length), badges=badges
        )
    model = song.model or (request and model_of(request)) or song.engine
    created = markup.format_local_time(song.created_at)
    source = _source(song)
    origin = element("div", markup.facts(source)) if source else markup.EMPTY
    measured = _measured(song) if measured is None else measured
    sound = element("div", markup.facts(measured)) if measured else markup.EMPTY
    seed = song.id or f"{song.task_id}/{song.position}"
    return markup.card(
        song.title,
        markup.chips(tag_marks(song)),
        _audio(song, urls),
        _links(song),
        markup.verbatim(song.lyrics) if is_text and song.lyrics else markup.lyrics(song.lyrics),
        facts=markup.Html(origin + markup.facts(length, model, created) + sound),
        badges=badges,
        cover=markup.EMPTY
        if is_text
        else markup.cover(urls.cover, seed, song.title, local=song.simulated),
    )


def _source(song: Song) -> str | None:
    """Return what a song was made from, such as "Cover of Rain on Tin Roof"; None if from nothing.

    Songs that no open library has are "another song".
    """
    if song.request is None or not (song_ids := source_ids(song.request)):
        return None
    try:
        titles = titles_of(song, song_ids)
    except MusicAPIError as error:  # a card is shown even if its library is not
        _log.info("the titles of %s are unknown: %s", ", ".join(song_ids), error)
        titles = {}
    return derivation(song.request, titles)


def _measured(song: Song) -> str:
    """Return the line of measured values of a finished song from its session's library."""
    if song.state != "succeeded":
        return ""
    try:
        return sound_text_of(song)
    except MusicAPIError as error:  # as above
        _log.info("what was measured in %s is unknown: %s", song.id, error)
        return ""


def position_text(song: Song, task: Task | None) -> str:
    """Return which of its task's songs it is, such as "1 of 2"; "" for an only song.

    Without the task, the number of songs is that which its request makes.
    """
    total = len(task.songs) if task else (song.request.songs or 0) if song.request else 0
    return f"{song.position + 1} of {total}" if song.position < total > 1 else ""


def task_card(task: Task) -> markup.Html:
    """Return the card of a task without its songs: state, reason, refund, answer."""
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
        *_parts_table(task),
        *answer_blocks(task.answer, local=task.simulated),
        facts=markup.facts(_requested_model(task), _cost(task), _id_text(task)),
        badges=badges,
    )


@markup.render.register
def songs_html(songs: Songs) -> markup.Html:
    """Return a card for each song."""
    if not songs:
        return markup.notice("No songs yet; api.run(request) creates some.")
    media = CardMedia()
    return markup.cards(song_card(song, urls=media.urls(song)) for song in songs)


@markup.render.register
def task_html(task: Task, frame: Callable[[markup.Html], markup.Html] | None = None) -> str:
    """Return a card for each song, and a card of the task if the songs' cards omit something.

    `frame` puts the songs' cards into an element of their own.
    """
    more_to_show = bool(task.answer or task.parts or task.issues)
    failed = task.state == "failed"
    needs_card = not task.songs or more_to_show or failed
    head = [task_card(task)] if needs_card else []
    media = CardMedia()
    # The songs of a failed task repeat its card.
    shown = () if failed and all(song.state == "failed" for song in task.songs) else task.songs
    songs = [song_card(song, task, urls=media.urls(song)) for song in shown]
    if needs_card:
        if frame is None or not songs:
            return markup.cards([*head, *songs])
        return markup.stack(markup.cards(head), frame(markup.cards(songs)))
    cards = markup.cards(songs) if frame is None else frame(markup.cards(songs))
    return markup.stack(cards, markup.caption(task.name, _cost(task), _id_text(task)))


def _parts_table(task: Task) -> Iterator[markup.Html]:
    if task.parts:
        columns = ["", "task", "state", "songs"]
        rows: list[list[markup.Cell]] = [
            [number, part.id, part.state, len(part.songs)]
            for number, part in enumerate(task.parts, 1)
        ]
        if any(part.fail_reason for part in task.parts):
            columns.append("reason")
            rows = [[*row, part.fail_reason] for row, part in zip(rows, task.parts, strict=True)]
        yield markup.table(columns, rows)


def _cost(task: Task) -> str | None:
    return "already in your library, free" if task.bought_before else _price(task)


def _price(task: Task) -> str | None:
    price = task.request.price() if task.request else None
    return None if price is None else markup.format_credits(price)


def _id_text(task: Task) -> str | None:
    return f"task {task.id}" if task.id else None


def _state_badge(state: State, word: str | None) -> markup.Html:
    label = f"unknown state: {word}" if state == "unknown" and word else STATE_LABELS[state]
    return markup.badge(label, _TONES[state])


def _requested_model(task: Task | None) -> str | None:
    return model_of(task.request) if task and task.request else None


def tag_marks(song: Song) -> Iterator[str | tuple[str, markup.TagMark]]:
    """Yield a song's tags as kept, split or added, then the requested tags that were dropped.

    "split" are the parts of a requested tag. A tag that should not come and did is "dropped", as
    "no drums". If the requested tags are unknown, or the song has no tags, yield the bare tags.
    """
    from musicapi_nb.tasks.song_fates import song_fates  # noqa: PLC0415 - compiles many patterns

    fates = song_fates(song)
    if not fates:
        yield from song.tags
        return
    returned = unique_tags(song.tags)
    marks: dict[str, markup.TagMark] = {}
    for fate in fates:
        if fate.fate in {"kept", "split", "avoided"}:
            for index in fate.returned:
                key = tag_key(returned[index])
                is_part = fate.fate == "split" and marks.get(key) != "kept"
                marks[key] = "split" if is_part else "kept"
    for tag in song.tags:
        yield tag, marks.get(tag_key(tag), "added")
    for fate in fates:
        if fate.fate in {"dropped", "violated"}:
            yield fate.tag, "dropped"


def _audio(song: Song, urls: MediaUrls) -> markup.Html:
    if song.state == "failed":
        return markup.notice(song.fail_reason or "Failed; no reason given.", "bad")
    if song.engine == "lyrics":
        return markup.EMPTY
    if urls.audio is None and not urls.note:
        if song.finished:
            return markup.notice("Finished, but the reply has no audio.", "warn")
        return markup.progress(None, "No audio yet.")
    if urls.audio is None:
        return markup.caption(urls.note)
    player = markup.player(urls.audio, song.title or "this song", local=song.simulated)
    return markup.join(player, markup.caption(urls.note))


def _links(song: Song) -> markup.Html:
    """Link the URLs in `extra`, such as producer's `wav_url`."""
    links = [
        markup.link(name.removesuffix("_url"), url)
        for name, url in song.extra.items()
        if name.endswith("_url") and isinstance(url, str) and markup.web_url(url)
    ]
    return markup.caption(*links)


def _notices(task: Task) -> Iterator[markup.Html]:
    if task.state == "failed":
        reason = task.fail_reason or "The song could not be made; no reason given."
        refund = "" if task.refunded is not None else f"\n{_REFUNDS}"
        if task.bought_before and task.refunded is not True:
            refund += f"\n{_NOT_BOUGHT_AGAIN}"
        yield markup.notice(f"{reason}{refund}", "bad")
    elif not task.finished:
        share = None if task.progress is None else min(max(task.progress, 0.0), 1.0)
        yield markup.progress(share, _WAITING_FOR_REPOST if task.poll_by_repost else _WAITING)
    if task.issues:
        lines = (f"{issue.where}: {issue.message}" for issue in task.issues[:_MAX_ISSUES])
        listed = "\n".join(lines)
        yield markup.notice(f"Not understood in the reply (see .raw):\n{listed}", "warn")
