"""A gallery where it is not live: a line, and its first page as cards and a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from musicapi_nb import markup
from musicapi_nb.markup.escape import element
from musicapi_nb.tasks.html import song_card, tag_marks

if TYPE_CHECKING:
    from musicapi_nb.library import Rating
    from musicapi_nb.widgets.songs_of import SongCollection, SongItem

_CARDS = 6  # players are what makes a page slow
_FEW_TAGS = 6


def counts(shown: SongCollection) -> str:
    """How many songs there are, and how many of them are not as one would have them."""
    total = len(shown.items)
    states = Counter(item.song.state for item in shown.items)
    odd = [f"{states[state]:,} {state}" for state in states if state != "succeeded"]
    words = f"{total:,} song{'' if total == 1 else 's'}"
    return f"{words} ({', '.join(odd)})" if odd else words


def line(shown: SongCollection, said: Mapping[int, Rating]) -> str:
    """The gallery in one line."""
    stars = sum(rating.stars is not None for rating in said.values())
    words = [counts(shown), f"{stars:,} rated" if stars else "", shown.name]
    return markup.one_line(f"<Gallery: {', '.join(word for word in words if word)}>")


def html(shown: SongCollection, said: Mapping[int, Rating], title: str, page: int) -> markup.Html:
    """The first page: some cards with players, the others as rows of a table."""
    first = shown.items[:page]
    cards = [card(item, said.get(at)) for at, item in enumerate(first[:_CARDS])]
    rest = first[_CARDS:]
    return markup.stack(
        heading(title or "Gallery"),
        markup.caption(counts(shown), shown.name),
        markup.cards(cards) if cards else markup.notice("There are no songs to show yet."),
        table(rest, said, shown, _CARDS) if rest else markup.EMPTY,
        markup.caption(_more(len(shown.items), len(first))),
    )


def _more(total: int, shown: int) -> str:
    part = f"The first {shown:,} of {total:,} songs" if shown < total else "These songs"
    return f"{part} as they were when this was run. Run the cell to filter, play and rate them."


def heading(words: str) -> markup.Html:
    return element("div", markup.text(words, 120), style="font-size:16px;font-weight:600")


def card(item: SongItem, rating: Rating | None) -> markup.Html:
    """A song's card, with the levels of its factors and what is said of it below."""
    return markup.stack(
        song_card(item.song, item.task),
        markup.caption(*levels(item)),
        markup.caption(stars(rating), rating.note if rating else None),
    )


def levels(item: SongItem) -> list[str]:
    return [f"{name}: {level}" for name, level in item.levels.items()]


def stars(rating: Rating | None) -> str | None:
    """A rating in words."""
    return f"rated {rating.stars} of 5" if rating and rating.stars else None


def table(
    rows: Sequence[SongItem], said: Mapping[int, Rating], shown: SongCollection, start: int = 0
) -> markup.Html:
    """Songs as rows: number, title, length, state, factors, tags, rating."""
    names = ["#", "title", "length", "state", *shown.factors, "tags", "rating", "note"]
    lines = []
    for at, item in enumerate(rows, start):
        rating = said.get(at)
        lines.append(
            [
                str(at + 1),
                item.title,
                markup.format_duration(item.song.duration) or None,
                item.song.state,
                *(item.levels.get(name) for name in shown.factors),
                tags(item),
                rating.stars if rating else None,
                rating.note or None if rating else None,
            ]
        )
    return markup.table(names, lines, limit=len(lines) or 1)


def tags(item: SongItem) -> str | None:
    """The first tags that the song has, in one text."""
    found = [
        tag if isinstance(tag, str) else tag[0]
        for tag in tag_marks(item.song, item.task)
        if isinstance(tag, str) or tag[1] != "dropped"
    ]
    more = ["…"] if len(found) > _FEW_TAGS else []
    return ", ".join([*found[:_FEW_TAGS], *more]) or None
