"""Static HTML of a gallery, for saved notebooks: its first page as cards and a table."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from musicapi_nb import markup
from musicapi_nb.library import Rating
from musicapi_nb.markup.escape import element
from musicapi_nb.tasks import STATE_LABELS
from musicapi_nb.tasks.card_media import CardMedia, MediaUrls
from musicapi_nb.tasks.html import song_card, tag_marks
from musicapi_nb.widgets.song_measures import measured_texts
from musicapi_nb.widgets.songs_of import SongCollection, SongItem

_MAX_CARDS = 6  # audio elements make a page slow
_MAX_TAGS = 6


def count_text(collection: SongCollection) -> str:
    """Return a count such as "40 songs (1 failed, 2 in the queue)"."""
    total = len(collection.items)
    states = Counter(item.song.state for item in collection.items)
    others = [
        f"{states[state]:,} {STATE_LABELS[state]}" for state in states if state != "succeeded"
    ]
    text = markup.plural(total, "song")
    return f"{text} ({', '.join(others)})" if others else text


def summary_line(collection: SongCollection, ratings: Mapping[int, Rating]) -> str:
    rated = sum(rating.stars is not None for rating in ratings.values())
    parts = [count_text(collection), f"{rated:,} rated" if rated else "", collection.name]
    return markup.one_line(f"<Gallery: {', '.join(part for part in parts if part)}>")


def gallery_html(
    collection: SongCollection, ratings: Mapping[int, Rating], title: str, order: Sequence[int]
) -> markup.Html:
    """Render the songs of `order`: a few cards with players, the others as table rows."""
    total, items = len(collection.items), collection.items
    media = CardMedia(collection.media)
    first = [items[index] for index in order[:_MAX_CARDS]]
    measured = measured_texts(collection.library, [item.song for item in first])
    cards = [
        card(items[index], media.urls(items[index].song), ratings.get(index), text)
        for index, text in zip(order, measured, strict=False)
    ]
    others = order[_MAX_CARDS:]
    part = "These songs" if len(order) == total else f"The first {len(order):,} of {total:,} songs"
    heading = element("div", markup.text(title, 120), style="font-size:16px;font-weight:600")
    return markup.stack(
        heading if title else markup.EMPTY,
        markup.caption(count_text(collection), collection.name, collection.note or None),
        markup.cards(cards) if cards else markup.notice("There are no songs to show yet."),
        table(collection, ratings, others) if others else markup.EMPTY,
        markup.caption(f"{part}, as of the last run. Run the cell to filter, play and rate them."),
    )


def card(item: SongItem, urls: MediaUrls, rating: Rating | None, measured: str) -> markup.Html:
    """Render a song's card with its factor levels and rating; `measured` are its values."""
    stars = f"rated {rating.stars} of 5" if rating and rating.stars else None
    return markup.stack(
        song_card(item.song, item.task, urls=urls, measured=measured),
        markup.caption(*(f"{name}: {level}" for name, level in item.levels.items())),
        markup.caption(stars, rating.note if rating else None),
    )


def table(
    collection: SongCollection, ratings: Mapping[int, Rating], indices: Iterable[int]
) -> markup.Html:
    """Render songs as rows: number, title, length, state, factors, tags, rating, note."""
    names = ["#", "title", "length", "state", *collection.factors, "tags", "rating", "note"]
    rows = []
    for index in indices:
        item, rating = collection.items[index], ratings.get(index)
        rows.append(
            [
                str(index + 1),
                item.title,
                markup.format_duration(item.song.duration) or None,
                STATE_LABELS[item.song.state],
                *(item.levels.get(name) for name in collection.factors),
                _tags_text(item),
                rating.stars if rating else None,
                rating.note or None if rating else None,
            ]
        )
    return markup.table(names, rows, limit=len(rows) or 1)


def _tags_text(item: SongItem) -> str | None:
    """Join the first tags that the song has; None if it has none."""
    marks = [(tag, "") if isinstance(tag, str) else tag for tag in tag_marks(item.song)]
    tags = [tag for tag, fate in marks if fate != "dropped"]
    return ", ".join([*tags[:_MAX_TAGS], *(["…"] if len(tags) > _MAX_TAGS else [])]) or None
