"""A tuple of songs that displays as cards."""

from __future__ import annotations

from musicapi_nb import markup
from musicapi_nb.tasks import Song


class SongList(tuple[Song, ...]):
    """Songs, displayed as cards in a notebook and as one line each in a terminal."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(map(repr, self)) or "<no songs yet>"

    def _repr_html_(self) -> str:
        if not self:
            return markup.notice("No songs yet; api.run(request) creates some.")
        return markup.cards(markup.Html(song._repr_html_()) for song in self)
