"""What a library has measured of songs, as the pages of widgets show and sort it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from musicapi_nb import markup
from musicapi_nb.audio.units import LABELS, MAIN, label_of, value_text
from musicapi_nb.library import Library
from musicapi_nb.library.measurements import Value
from musicapi_nb.tasks import Song

if TYPE_CHECKING:
    from musicapi_nb.widgets.songs_of import SongCollection  # which loads pandas

_LIMIT, _LINE_LIMIT = 60, 24  # characters of a text, and of one in a line
_MAX_OTHERS = 3  # columns of other measures in a line
_DIGITS = 6  # significant ones of a number that is sent to the page


def measured_texts(library: Library | None, songs: Sequence[Song]) -> list[str]:
    """Return a line for each song, such as "92 bpm · A minor · -14.2 LUFS"; "" without values.

    It has the main columns of `audio_features`, then the first ones of other measures.
    """
    if library is None or not library.measures():
        return [""] * len(songs)
    return [" · ".join(_main_texts(values)) for values in library.measured_values(songs)]


def _main_texts(values: Mapping[str, Value]) -> Iterator[str]:
    others = {
        name: value for name, value in values.items() if name not in LABELS and value is not None
    }
    for name in MAIN:
        if (main := values.get(name)) is not None:
            yield _short(value_text(name, main), _LINE_LIMIT)
    for name, value in list(others.items())[:_MAX_OTHERS]:
        label = _short(label_of(name).label, _LINE_LIMIT)
        yield f"{label} {_short(value_text(name, value), _LINE_LIMIT)}"


def _short(text: str, limit: int = _LIMIT) -> str:
    return markup.one_line(text, limit)


class MeasuredLines:
    """The lines of measured values that a page has of some songs."""

    def __init__(self) -> None:
        self._lines: dict[int, str] = {}
        self._mark: object = None

    def start(self, library: Library | None) -> None:
        """Begin a new list of songs; their values are read after this."""
        self._lines.clear()
        self._mark = library.measurements_mark() if library is not None else None

    def read(self, collection: SongCollection, indices: Iterable[int]) -> dict[int, str]:
        """Return the lines of songs by their indices; the page has them from now on."""
        listed = list(indices)
        songs = [collection.items[index].song for index in listed]
        lines = dict(zip(listed, measured_texts(collection.library, songs), strict=True))
        self._lines |= lines
        return lines

    def changes(self, collection: SongCollection) -> dict[int, str] | None:
        """Return the lines that differ by now; None if nothing was measured since."""
        if collection.library is None:
            return None
        mark, before = collection.library.measurements_mark(), dict(self._lines)
        if mark == self._mark:
            return None
        self._mark = mark
        lines = self.read(collection, before)
        return {index: line for index, line in lines.items() if line != before[index]}


def measure_columns(library: Library | None) -> list[dict[str, Any]]:
    """Return the columns by which the page sorts: audio features first, then other measures."""
    if library is None:
        return []
    dtypes = {name: dtype for item in library.measures() for name, dtype in item.columns.items()}
    order = [*(name for name in LABELS if name in dtypes), *sorted(set(dtypes) - set(LABELS))]
    return [
        {
            "name": name,
            "label": _short(label_of(name).label),
            "unit": label_of(name).unit,
            "digits": label_of(name).digits,
            "factor": label_of(name).factor,
            "is_text": dtypes[name] in {"str", "boolean"},
        }
        for name in order
        if dtypes[name] is not None
    ]


def measure_values(library: Library, songs: Sequence[Song], name: str) -> list[float | str | None]:
    """Return the values of one column, in the order of the songs: texts short, numbers rounded."""
    return [_sent(values.get(name)) for values in library.measured_values(songs)]


def _sent(value: Value) -> float | str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _short(value) if isinstance(value, str) else float(f"{value:.{_DIGITS}g}")
