"""The board widget: songs side by side, to play, rate and compare."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from musicapi_nb import markup
from musicapi_nb.library import Library
from musicapi_nb.tasks.song_fates import kept_share
from musicapi_nb.widgets.base import join_modules, join_styles
from musicapi_nb.widgets.compare.dimensions import Names
from musicapi_nb.widgets.compare.html import board_html, size_text
from musicapi_nb.widgets.compare.matrix import Matrix, matrix_of
from musicapi_nb.widgets.song_widget import SONG_MODULES, SONG_STYLES, Fetch, SongWidget

_FOLDER = Path(__file__).parent
MODULES = (
    *SONG_MODULES,
    *(_FOLDER / f"{name}.js" for name in ("grid", "heads", "song", "table", "view")),
)


class Board(SongWidget):
    """Songs in rows and columns, such as prompts down and models across.

    Each place has the songs of its combination, to play and to rate; one player below goes on
    across each row, then down. Keys: the arrows move, space plays and pauses, with shift the arrows
    seek, 1 to 5 rate, 0 clears the rating. "Blind" hides the column heads, titles, covers and tags,
    and shuffles the columns of each row, until "Reveal". `matrix` says which songs are where.
    """

    _esm = join_modules(*MODULES)
    _css = join_styles(SONG_STYLES, _FOLDER / "board.css")

    def __init__(  # noqa: PLR0913 - all but the source are options
        self,
        source: Any,
        *,
        rows: Names = None,
        columns: Names = None,
        library: Library | None = None,
        fetch: Fetch | None = None,
        title: str = "",
    ) -> None:
        self._rows, self._columns, self._title = rows, columns, title
        super().__init__(source, library=library, fetch=fetch)

    @property
    def matrix(self) -> Matrix:
        """Rows, columns, and the songs of each place as indices of `collection.items`."""
        return self._matrix

    def _song_data(self) -> dict[str, Any]:
        self._matrix = matrix_of(self.collection, self._rows, self._columns)
        return {
            **super()._song_data(),
            "heading": markup.one_line(self._title),
            "board": {
                **_board_data(self._matrix),
                "kept": [kept_share(item.song) for item in self.collection.items],
            },
        }

    def _first_songs(self) -> Sequence[int]:
        places = self._matrix.songs
        return [index for place in sorted(places) for index in places[place]]

    @markup.safe_repr
    def __repr__(self) -> str:
        size = size_text(self._matrix, len(self.collection.items))
        return markup.one_line(f"<Board: {', '.join(filter(None, (size, self.collection.name)))}>")

    def _repr_html_(self) -> str:
        return str(board_html(self.collection, self._matrix, self.ratings_by_index(), self._title))


def _board_data(matrix: Matrix) -> dict[str, Any]:
    """Return the matrix as the page reads it: row and column of each song, in their order."""
    place_of = {index: place for place, indices in matrix.songs.items() for index in indices}
    indices = range(len(matrix.labels))
    return {
        "row_names": matrix.row_names,
        "column_names": matrix.column_names,
        "rows": matrix.rows,
        "columns": matrix.columns,
        "row": [place_of[index][0] for index in indices],
        "column": [place_of[index][1] for index in indices],
        "label": matrix.labels,
        "reasons": {f"{row},{column}": text for (row, column), text in matrix.reasons.items()},
    }


def compare(  # noqa: PLR0913 - all but the source are options
    source: Any,
    *,
    rows: Names = None,
    columns: Names = None,
    library: Library | None = None,
    fetch: Fetch | None = None,
    title: str = "",
) -> Board:
    """Show songs side by side, to play, rate and compare: see `Board`.

    Parameters
    ----------
    source
        An experiment or run, tasks, songs, jobs, raw replies, an iterable of these, a library, or
        rows of `songs_frame` (with `library`).
    rows, columns
        What goes down and what goes across: the name of a factor or of a request field, or a list
        of names, the outermost first. "prompt", "model" and "styles" work for every operation. By
        default the factor with the most levels goes down, and the model and other factors across;
        without factors, the prompt goes down and the model across.
    library
        Library of ratings and files; not needed for an experiment or a library. Without a
        library, ratings last as long as this board.
    fetch
        Downloads a song whose link the browser cannot reach; `api.compare()` sets it.
    title
        Heading of the board.

    Raises
    ------
    InvalidArgument
        `source` holds no songs, or they have no such factor or field.
    """
    return Board(source, rows=rows, columns=columns, library=library, fetch=fetch, title=title)
