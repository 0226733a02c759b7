"""sung_lyrics() and sung_lines(): aligned lyrics against the requested ones, as tables."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, get_args

import pandas as pd

from musicapi_nb.analysis.source_tables import table_of
from musicapi_nb.engines import Request, sonic
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.frames.arrow_tables import as_pandas
from musicapi_nb.frames.measures import rename_measured, song_columns, value_table
from musicapi_nb.library import Library
from musicapi_nb.markup import is_blank
from musicapi_nb.measures.alignments import (
    Alignments,
    alignment_in,
    library_alignments,
    task_alignments,
)
from musicapi_nb.measures.singing import Singing, compare_lyrics
from musicapi_nb.measures.sung_line_states import LineState, SungLine
from musicapi_nb.tasks import Song, Task
from musicapi_nb.tasks.song_actions import actions_of
from musicapi_nb.widgets.songs_of import songs_of

_COLUMNS: Mapping[str, str] = {
    **dict.fromkeys(("lyrics_from", "unit"), "str"),
    **dict.fromkeys(("requested_words", "sung_words", "added_words"), "Int64"),
    **dict.fromkeys(("sung_share", "order_share"), "float64"),
    **dict.fromkeys(("requested_lines", "sung_lines", "changed_lines", "missing_lines"), "Int64"),
    **dict.fromkeys(("moved_lines", "repeated_lines", "added_lines"), "Int64"),
    **dict.fromkeys(("words_per_minute", "first_word_seconds", "last_word_seconds"), "float64"),
    "alignment_confidence": "float64",
    **dict.fromkeys(("missing_lyrics", "issue"), "str"),
}
_LINE_COLUMNS: Mapping[str, str] = {
    "line": "Int64",
    **dict.fromkeys(("line_state", "requested_text", "sung_text"), "str"),
    **dict.fromkeys(("words", "sung_words"), "Int64"),
    **dict.fromkeys(("start_seconds", "end_seconds", "words_per_minute"), "float64"),
}
_PAIR = "a pair is (song or lyrics, task or job of aligned lyrics or its list of words)"
_PAIR_SIZE = 2


class _SongLyrics(NamedTuple):
    """The lyrics of a song, where they are from, and how they were sung or why that is unknown."""

    origin: str | None = None
    singing: Singing | None = None
    issue: str | None = None


def sung_lyrics(source: Any, *, library: Library | None = None) -> pd.DataFrame:
    """Compare the lyrics that songs sing with the requested ones: one row per song.

    What is sung is known from the service's aligned lyrics: `api.run(song.aligned_lyrics())`, for
    songs of sonic. This reads those that the library has, and those of the tasks in `source`; it
    buys nothing. Songs without them have missing values and an `issue` that says how to get them.

    The service aligns words with the sound. How well it notices words that were not sung is not
    published; `alignment_confidence` is its own figure.

    Requested lyrics are those of the request. If the service wrote them, those of its reply take
    their place, and `lyrics_from` is "reply".

    Words are compared without case, punctuation, apostrophes and accents of Latin and Greek
    letters; hyphens separate words. Texts in square brackets or between asterisks are not sung,
    nor are names of sections that are all of a line or of a pair of parentheses. In Chinese,
    Japanese, Thai, Lao, Khmer and Burmese, which put no spaces between words, each character counts
    as a word, and `unit` says so.

    Parameters
    ----------
    source
        A run, a library, jobs, tasks or songs; or rows of `songs_frame`. Also jobs or tasks of
        aligned lyrics, alone (the library has their songs) or beside songs. Or pairs of a song, or
        of lyrics as a text, with the task, job or list of words of its aligned lyrics.
    library
        The library that has the songs and aligned lyrics; default: that of the source, or of the
        open session.

    Returns
    -------
    pandas.DataFrame
        The rows of `songs_frame`. Columns: those in front of `task_id` (of a run, the cell, block,
        take and factors), `task_id, song_id, song_position, simulated`; then

        - `lyrics_from` ("request" or "reply"), `unit` ("words" or "characters");
        - `requested_words, sung_words` and `added_words`, those beyond the requested ones (Int64);
        - `sung_share`: the share of requested words that were sung anywhere. A word that is
          requested twice and sung once counts once;
        - `order_share`: of these, the share in the requested order, which is the length of the
          longest common subsequence of both texts (float64, 0 to 1);
        - `requested_lines`, and how many of these are `sung_lines` (whole and in place),
          `changed_lines` (at least half of the words), `missing_lines` or `moved_lines` (whole, but
          elsewhere); `repeated_lines` and `added_lines` are further sung lines (Int64);
        - `words_per_minute`: of singing, without the pauses between lines; `first_word_seconds,
          last_word_seconds`: from the start of the song to the start of its first word and to the
          end of its last (float64); `alignment_confidence`: the mean `p_align` (0 to 1);
        - `missing_lyrics`: the missing lines, one a line; `issue`: why values are missing (str).

        A column named like a factor is called `<name>_measured`.

    Raises
    ------
    InvalidArgument
        The source is none of these.
    """
    lead, songs = _read(source, library)
    return _joined(lead, [_song_values(song) for song in songs], _COLUMNS)


def sung_lines(source: Any, *, library: Library | None = None) -> pd.DataFrame:
    """Return what became of each line of the requested lyrics: one row per line of each song.

    Parameters are those of `sung_lyrics`, which says how words and lines are compared.

    Returns
    -------
    pandas.DataFrame
        The leading columns of `sung_lyrics`, then

        - `line` (Int64): the number of the requested line, from 1, without section names; of a
          repetition, the line that it repeats; missing for an added line;
        - `line_state` (str): "sung" (all words in place), "changed" (at least half of them),
          "missing", "moved" (all of it elsewhere), "repeated" or "added";
        - `requested_text, sung_text` (str), `words, sung_words` (Int64);
        - `start_seconds, end_seconds` from the start of the song, `words_per_minute` (float64).

        The requested lines come first, in their order, then the others in the order in which they
        were sung. Songs without aligned lyrics have no rows.
    """
    lead, songs = _read(source, library)
    lines = [
        (index, line)
        for index, song in enumerate(songs)
        if song.singing is not None
        for line in song.singing.lines
    ]
    values = [dict(zip(_LINE_COLUMNS, _line_values(line), strict=True)) for _, line in lines]
    rows = lead.iloc[[index for index, _ in lines]].reset_index(drop=True)
    return _joined(rows, values, _LINE_COLUMNS)


def _line_values(line: SungLine) -> tuple[Any, ...]:
    return (
        *(line.number, line.state, line.text, line.sung_text, line.words, line.sung),
        *(line.start, line.end, line.speed),
    )


def _joined(
    lead: pd.DataFrame, values: Sequence[Mapping[str, Any]], dtypes: Mapping[str, str]
) -> pd.DataFrame:
    return pd.concat([lead, rename_measured(value_table(values, dtypes), lead.columns)], axis=1)


def _song_values(song: _SongLyrics) -> dict[str, Any]:
    values: dict[str, Any] = {"lyrics_from": song.origin, "issue": song.issue}
    if (singing := song.singing) is None:
        return values
    missing = [line.text or "" for line in singing.lines if line.state == "missing"]
    return {
        **values,
        "unit": singing.unit,
        "requested_words": singing.requested,
        "sung_words": singing.sung,
        "added_words": singing.added,
        "sung_share": singing.sung_share,
        "order_share": singing.order_share,
        "requested_lines": sum(line.state not in {"repeated", "added"} for line in singing.lines),
        **{f"{state}_lines": singing.count(state) for state in get_args(LineState)},
        "words_per_minute": singing.speed,
        "first_word_seconds": singing.first,
        "last_word_seconds": singing.last,
        "alignment_confidence": singing.confidence,
        "missing_lyrics": "\n".join(missing) or None,
    }


# --- the songs of a source, their lyrics and alignments ------------------------------------


def _read(source: Any, library: Library | None) -> tuple[pd.DataFrame, list[_SongLyrics]]:
    """Return the leading columns of each song's row, and its lyrics."""
    parts = list(_parts(as_pandas(source, "songs")))
    if any(map(_is_pair, parts)):
        return _read_pairs(parts)
    answers: list[Task] = []
    others: list[Any] = []
    for part in parts:
        is_answer = isinstance(part, Task) and alignment_in(part) is not None
        (answers if is_answer else others).append(part)
    if answers and not others:
        others = _songs_of_answers(answers, library)
    songs = others[0] if len(others) == 1 else others
    collection = songs_of(songs, library)
    library = library or collection.library
    bought = {} if library is None else library_alignments(library)
    alignments = {**bought, **task_alignments(answers)}
    items = {
        (item.song.task_id, item.song.id, item.song.position): (item.song, item.request)
        for item in collection.items
    }
    lead = song_columns(table_of(songs, "songs"))
    keys = lead[["task_id", "song_id", "song_position"]].astype(object)
    lyrics = [
        _read_song(*items[key], alignments) if key in items else _SongLyrics()
        for key in keys.where(keys.notna(), None).itertuples(index=False, name=None)
    ]
    return lead, lyrics


def _parts(source: Any) -> Iterator[Any]:
    """Yield the parts of a list, with the tasks of jobs in their place; or the source itself."""
    if _is_whole(source):
        yield source
    elif hasattr(type(source), "tasks"):
        yield from source.tasks()
    elif isinstance(source, Iterable):
        for part in source:
            yield from [part] if _is_pair(part) else _parts(part)
    else:
        yield source


def _is_whole(source: Any) -> bool:
    """Return whether a source is read as it is: a reply, a table, a library, a run, a gallery."""
    types = (str, bytes, bytearray, Mapping, Task, Song, Library)
    names = ("result_frame", "columns", "collection")
    return isinstance(source, types) or any(hasattr(type(source), name) for name in names)


def _songs_of_answers(answers: Sequence[Task], library: Library | None) -> list[Song]:
    """Return the songs that aligned lyrics are about, from a library."""
    songs = []
    for clip, simulated in task_alignments(answers):
        if library is None:
            session = actions_of(Song(id=clip, simulated=simulated))
            library = session.library if session else None  # type: ignore[assignment]
        result = library.task_with(clip, simulated=simulated) if library else None
        song = next((song for song in result[1].songs if song.id == clip), None) if result else None
        if song is None:
            raise InvalidArgument(
                f"no open session has the song {clip!r:.60} of these aligned lyrics: give "
                "library=api.library, or pairs (song, aligned lyrics)"
            )
        songs.append(song)
    return songs


def _is_pair(part: Any) -> bool:
    return isinstance(part, tuple) and len(part) == _PAIR_SIZE and isinstance(part[0], Song | str)


def _read_pairs(pairs: Sequence[Any]) -> tuple[pd.DataFrame, list[_SongLyrics]]:
    songs, lyrics = [], []
    for pair in pairs:
        if not _is_pair(pair):
            raise InvalidArgument(f"there is a {type(pair).__name__} among pairs; {_PAIR}")
        first, second = pair
        items = second if isinstance(second, list) else _items_of(second)
        songs.append(first if isinstance(first, Song) else Song())
        text, origin = (first, "request") if isinstance(first, str) else _lyrics_of(first, None)
        lyrics.append(_compared(text, origin, items))
    keys = [(song.task_id, song.id, song.position, song.simulated) for song in songs]
    dtypes = {"task_id": "str", "song_id": "str", "song_position": "int64", "simulated": "bool"}
    return value_table([dict(zip(dtypes, key, strict=True)) for key in keys], dtypes), lyrics


def _items_of(answer: Any) -> list[Any]:
    tasks = [answer] if isinstance(answer, Task) else list(_parts(answer))
    items = [alignment_in(task) if isinstance(task, Task) else None for task in tasks]
    if len(items) != 1 or items[0] is None:
        raise InvalidArgument(f"this {type(answer).__name__} has no aligned lyrics; {_PAIR}")
    return items[0]


def _read_song(song: Song, request: Request | None, alignments: Alignments) -> _SongLyrics:
    text, origin = _lyrics_of(song, request)
    items = alignments.get((song.id or "", song.simulated))
    if items is None:
        return _SongLyrics(origin, None, _why_missing(song))
    return _compared(text, origin, items)


def _lyrics_of(song: Song, request: Request | None) -> tuple[str | None, str | None]:
    """Return the lyrics that a song should have, and whether the request or the reply has them."""
    request = request or song.request
    if request is not None and not getattr(request, "auto_lyrics", None):
        text = request.text_of(["prompt" if request.engine == "sonic" else "lyrics"])
        if text and not getattr(request, "make_instrumental", None):
            return text, "request"
    return (song.lyrics, "reply") if song.lyrics and not is_blank(song.lyrics) else (None, None)


def _compared(text: str | None, origin: str | None, items: list[Any]) -> _SongLyrics:
    singing = compare_lyrics(text or "", items)
    issue = None if singing.requested else "there are no requested words"
    if singing.requested and not singing.sung:
        issue = "the aligned lyrics have no words"
    return _SongLyrics(origin, singing, issue)


def _why_missing(song: Song) -> str:
    if song.state != "succeeded" or song.id is None:
        return "the song is not finished" if song.state in {"pending", "running"} else "no song"
    if song.engine != sonic.AlignedLyrics.engine:
        return f"the service aligns no lyrics of {song.engine or 'such'} songs"
    price = sonic.AlignedLyrics(clip_id=song.id).price()
    return f"not bought: api.run(song.aligned_lyrics()) costs {price} credit"
