"""Songs: a tuple of songs that a notebook shows as cards. No I/O."""

from __future__ import annotations

from typing import SupportsIndex, overload

from musicapi_nb import markup
from musicapi_nb.tasks.song import Song


class Songs(tuple[Song, ...]):
    """Songs, shown as cards in a notebook and as one line each in a terminal."""

    __slots__ = ()

    @overload
    def __getitem__(self, index: SupportsIndex) -> Song: ...
    @overload
    def __getitem__(self, index: slice) -> Songs: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Song | Songs:
        if isinstance(index, slice):
            return Songs(tuple(self)[index])
        if not self:
            raise IndexError("there are no songs yet: await the job or the task first")
        return super().__getitem__(index)

    def __repr__(self) -> str:
        return "\n".join(map(repr, self)) or "<no songs yet>"

    @markup.html_repr
    def _repr_html_(self) -> str:
        return markup.render(self)
