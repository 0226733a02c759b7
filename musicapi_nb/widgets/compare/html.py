"""Static HTML of a board, for saved notebooks: a table with players where size allows."""

from collections.abc import Iterator, Mapping, Sequence

from musicapi_nb import markup
from musicapi_nb.library import Rating
from musicapi_nb.markup.components import LINE, WRAP
from musicapi_nb.markup.escape import MUTED, element
from musicapi_nb.tasks.card_media import CardMedia, MediaUrls
from musicapi_nb.tasks.html import tag_marks
from musicapi_nb.widgets.compare.matrix import Key, Matrix
from musicapi_nb.widgets.song_audio import no_audio_reason
from musicapi_nb.widgets.song_measures import measured_texts
from musicapi_nb.widgets.songs_of import SongCollection, SongItem

_MAX_SONGS = 60  # in the table
_MAX_PLAYERS = 16  # audio elements make a page slow
_MAX_TAGS = 8
_LINES = f"border:0;border-bottom:1px solid {LINE}"
_CELL = f"padding:8px 14px 8px 0;vertical-align:top;text-align:left;{_LINES};{WRAP}"
_HEAD = f"{_CELL};font-weight:600"
_SONG = f"display:flex;flex-direction:column;gap:5px;margin:0 0 12px;max-width:320px;{WRAP}"
_SIDE_BY_SIDE = f"display:flex;gap:8px;align-items:center;{WRAP}"
_COVER = 44  # pixels
_SMALL = f"font-size:12.5px;{MUTED}"


def size_text(matrix: Matrix, songs: int) -> str:
    """Return a size such as "6 rows x 2 columns, 24 songs"."""
    rows, columns = len(matrix.rows), len(matrix.columns)
    return (
        f"{markup.plural(rows, 'row')} \N{MULTIPLICATION SIGN} "
        f"{markup.plural(columns, 'column')}, {markup.plural(songs, 'song')}"
    )


def board_html(
    collection: SongCollection, matrix: Matrix, ratings: Mapping[int, Rating], title: str
) -> markup.Html:
    """Render the first rows: a table of songs with covers, players, stars and tags."""
    if not matrix.rows:
        return markup.notice("There are no songs to compare yet.")
    rows = _first_rows(matrix)
    songs = _Songs(collection, matrix, ratings)
    lines = [element("tr", *songs.row(row), style="background:transparent") for row in range(rows)]
    table = element(
        "table",
        element("thead", *_heads(matrix)),
        element("tbody", *lines),
        style="margin:0;border:0;border-collapse:collapse;font-size:12.5px",
    )
    total = len(matrix.rows)
    part = "" if rows == total else f"The first {rows:,} of {total:,} rows. "
    return markup.stack(
        element(
            "div", markup.text(title or "Comparison", 120), style="font-size:16px;font-weight:600"
        ),
        markup.caption(size_text(matrix, len(collection.items)), collection.name),
        element("div", table, style="max-width:100%;overflow:auto"),
        markup.caption(f"{part}As of the last run. Run the cell to play, rate and filter them."),
    )


def _first_rows(matrix: Matrix) -> int:
    """Return how many rows have at most `_MAX_SONGS` songs together; at least one."""
    songs = 0
    for row in range(len(matrix.rows)):
        songs += sum(len(matrix.songs.get((row, c), ())) for c in range(len(matrix.columns)))
        if songs > _MAX_SONGS and row > 0:
            return row
    return len(matrix.rows)


def _heads(matrix: Matrix) -> Iterator[markup.Html]:
    """Yield a row of headers for each column dimension; a header spans its columns."""
    levels = len(matrix.column_names)
    corner = element(
        "th", markup.muted(" · ".join(matrix.row_names)), rowspan=str(levels), style=_HEAD
    )
    for level, name in enumerate(matrix.column_names):
        cells = [
            element("th", markup.text(text), scope="colgroup", colspan=str(span), style=_HEAD)
            for text, span in spans(matrix.columns, level)
        ]
        yield element("tr", corner if level == 0 else markup.EMPTY, *cells, title=name)


def spans(keys: Sequence[Key], level: int) -> list[tuple[str, int]]:
    """Return the heads of a level, and how many columns each one spans."""
    heads: list[tuple[Key, int]] = []
    for key in keys:
        if heads and heads[-1][0] == key[: level + 1]:
            heads[-1] = (heads[-1][0], heads[-1][1] + 1)
        else:
            heads.append((key[: level + 1], 1))
    return [(key[level], span) for key, span in heads]


class _Songs:
    """Renders the songs of a board; the first ones have players."""

    def __init__(
        self, collection: SongCollection, matrix: Matrix, ratings: Mapping[int, Rating]
    ) -> None:
        self._collection, self._matrix, self._ratings = collection, matrix, ratings
        self._media = CardMedia(collection.media)
        self._measured = measured_texts(
            collection.library, [item.song for item in collection.items]
        )
        self._players = 0

    def row(self, row: int) -> Iterator[markup.Html]:
        outer, *inner = self._matrix.rows[row]
        head = [markup.text(outer), *(element("div", markup.text(value)) for value in inner)]
        yield element("th", *head, scope="row", style=f"{_HEAD};min-width:90px;max-width:220px")
        for column in range(len(self._matrix.columns)):
            yield element("td", *self._place(row, column), style=f"{_CELL};min-width:180px")

    def _place(self, row: int, column: int) -> Iterator[markup.Html]:
        indices = self._matrix.songs.get((row, column), ())
        if not indices:
            yield element("div", markup.text(self._matrix.reasons[row, column]), style=_SMALL)
        for index in indices:
            yield self._song(index)

    def _song(self, index: int) -> markup.Html:
        item, rating = self._collection.items[index], self._ratings.get(index)
        song = item.song
        facts = markup.facts(
            self._matrix.labels[index] or None,
            markup.format_duration(song.duration) or None,
            stars_text(rating) or None,
            self._measured[index] or None,
        )
        has_player = song.state == "succeeded" and self._players < _MAX_PLAYERS
        self._players += has_player
        urls = self._media.urls(song) if has_player else None
        text = markup.join(
            element("div", markup.text(item.title), style="font-weight:600"),
            element("div", facts, style=_SMALL),
        )
        seed = song.id or f"{song.task_id}/{song.position}"
        cover = (
            markup.cover(urls.cover, seed, item.title, local=song.simulated, size=_COVER)
            if urls
            else markup.EMPTY
        )
        blocks = (
            element("div", cover, element("div", text, style=WRAP), style=_SIDE_BY_SIDE),
            _audio(item, urls),
            _tags(item),
        )
        return element("div", *blocks, style=_SONG)


def _audio(item: SongItem, urls: MediaUrls | None) -> markup.Html:
    song = item.song
    if song.state != "succeeded" or (urls and urls.audio is None):
        reason = (urls and urls.note) or no_audio_reason(song)
        return element("div", markup.text(reason), style=_SMALL)
    if urls is None:
        return markup.EMPTY
    return markup.player(urls.audio, item.title, local=song.simulated)


def _tags(item: SongItem) -> markup.Html:
    marks: list[tuple[str, markup.TagMark]] = [
        (mark, "plain") if isinstance(mark, str) else mark for mark in tag_marks(item.song)
    ]
    chips = [markup.chip(tag, mark) for tag, mark in marks[:_MAX_TAGS]]
    if len(marks) > _MAX_TAGS:
        chips.append(markup.muted(f"and {len(marks) - _MAX_TAGS} more"))
    return (
        element("div", *chips, style=f"display:flex;flex-wrap:wrap;gap:4px;{WRAP}")
        if chips
        else markup.EMPTY
    )


def stars_text(rating: Rating | None) -> str:
    """Return stars such as "★★★★☆"; "" without a rating."""
    return "★" * rating.stars + "☆" * (5 - rating.stars) if rating and rating.stars else ""
