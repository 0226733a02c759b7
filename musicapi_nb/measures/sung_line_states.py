"""What became of each line of the requested lyrics, and which other lines were sung. No I/O."""

import itertools
from collections import defaultdict, deque
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

from musicapi_nb.measures.lyric_words import shown_text
from musicapi_nb.measures.subsequence import common_subsequence
from musicapi_nb.tasks.aligned_words import AlignedText

LineState: TypeAlias = Literal["sung", "changed", "missing", "moved", "repeated", "added"]
_CHANGED_FROM = 0.5  # share of a line's words; a line of which less was sung is missing


class RequestedLine(NamedTuple):
    """A line of the requested lyrics: its text, and its words as they are compared."""

    text: str
    keys: tuple[str, ...]


class SungWord(NamedTuple):
    """A word of an alignment: its text with what follows it, its line, the item with its times."""

    key: str
    text: str
    line: int
    item: AlignedText


class SungLine(NamedTuple):
    """A line of the requested lyrics, or another one that was sung.

    `number` is that of the requested line, from 1: of a repetition, of the line that it repeats;
    None if the line was added. `text` is as requested, `sung_text` as sung; `words` counts the
    line's words, `sung` those that were sung in place. `start` and `end` are in seconds, `speed`
    in words per minute.
    """

    number: int | None
    state: LineState
    text: str | None
    words: int
    sung: int
    sung_text: str | None
    start: float | None
    end: float | None
    speed: float | None


class _Piece(NamedTuple):
    """Sung words from `first` up to `end` that are in no line's place.

    `line` is the index of a requested line with the same words.
    """

    first: int
    end: int
    line: int | None = None


def line_states(lines: Sequence[RequestedLine], sung: Sequence[SungWord]) -> list[SungLine]:
    """Return the requested lines in order, then the others in the order in which they were sung.

    A line is "sung" if all its words are in place, "changed" if at least half of them are, else
    "missing"; or "moved" if all of it was sung elsewhere. Further sung words are "repeated" lines
    if they equal a requested line (also if it is missing elsewhere, where they stand beside
    another one like it), else "added". Words within a line belong to it, and so do as
    many beside a changed line as it lacks.
    """
    matches = _matches(lines, sung)
    owner = {word: index for index, words in enumerate(matches) for word in words}
    spans = [(words[0], words[-1] + 1) if words else None for words in matches]
    lacking = [len(line.keys) - len(words) for line, words in zip(lines, matches, strict=True)]
    missing: defaultdict[tuple[str, ...], deque[int]] = defaultdict(deque)  # lines by their words
    for index, line in enumerate(lines):
        if not matches[index]:
            missing[line.keys].append(index)
    moved = set()
    others = []
    for piece in _pieces(lines, sung, owner):
        keys = () if piece.line is None else lines[piece.line].keys
        beside = [owner.get(word) for word in (piece.first - 1, piece.end)]
        is_repetition = any(index is not None and lines[index].keys == keys for index in beside)
        if keys and missing[keys] and not is_repetition:
            spans[missing[keys][0]] = (piece.first, piece.end)
            moved.add(missing[keys].popleft())
        elif piece.line is not None or not _absorb(piece, owner, spans, lacking):
            others.append(piece)
    rows = []
    for index, line in enumerate(lines):
        words, number = len(line.keys), len(matches[index])
        state: LineState = "sung" if number == words else "changed"
        if not number:
            state = "moved" if index in moved else "missing"
        count = words if state == "moved" else number
        part = _sung_part(sung, spans[index])
        rows.append(SungLine(index + 1, state, line.text, words, count, *part))
    return rows + [_other_row(piece, lines, sung) for piece in others]


def _matches(lines: Sequence[RequestedLine], sung: Sequence[SungWord]) -> list[list[int]]:
    """Return the indexes of the sung words in place of each line; none for a missing line."""
    line_of = [index for index, line in enumerate(lines) for _ in line.keys]
    keys = [key for line in lines for key in line.keys]
    matches: list[list[int]] = [[] for _ in lines]
    for word, sung_word in common_subsequence(keys, [word.key for word in sung], line_of):
        matches[line_of[word]].append(sung_word)
    return [
        words if len(words) >= _CHANGED_FROM * len(line.keys) else []
        for words, line in zip(matches, lines, strict=True)
    ]


def _absorb(
    piece: _Piece, owner: Mapping[int, int], spans: list[tuple[int, int] | None], lacking: list[int]
) -> bool:
    """Make words part of the line around them, or of one beside them that lacks as many."""
    size, before, after = piece.end - piece.first, owner.get(piece.first - 1), owner.get(piece.end)
    if before is not None and before == after:
        lacking[before] -= size
        return True
    for index in (before, after):
        if index is not None and size <= lacking[index] and (span := spans[index]):
            spans[index] = (min(span[0], piece.first), max(span[1], piece.end))
            lacking[index] -= size
            return True
    return False


def _pieces(
    lines: Sequence[RequestedLine], sung: Sequence[SungWord], owner: Container[int]
) -> Iterator[_Piece]:
    """Yield the sung words that are in no line's place, if possible as whole requested lines."""
    line_of: dict[tuple[str, ...], int] = {}
    sizes: defaultdict[str, set[int]] = defaultdict(set)  # of lines, by their first word
    for index, line in enumerate(lines):
        line_of.setdefault(line.keys, index)
        sizes[line.keys[0]].add(len(line.keys))
    rest = [index for index in range(len(sung)) if index not in owner]
    runs = itertools.groupby(enumerate(rest), lambda item: (item[1] - item[0], sung[item[1]].line))
    for _, run in runs:
        indexes = [index for _, index in run]
        start, end = indexes[0], indexes[-1] + 1
        keys = tuple(word.key for word in sung[start:end])
        position = pending = 0
        while position < len(keys):
            lengths = sorted(sizes.get(keys[position], ()), reverse=True)
            ends = (position + length for length in lengths if length > 1 or len(keys) == 1)
            stop = next((stop for stop in ends if keys[position:stop] in line_of), None)
            if stop is None:
                position += 1
                continue
            if pending < position:
                yield _Piece(start + pending, start + position)
            yield _Piece(start + position, start + stop, line_of[keys[position:stop]])
            position = pending = stop
        if pending < len(keys):
            yield _Piece(start + pending, end)


def _other_row(piece: _Piece, lines: Sequence[RequestedLine], sung: Sequence[SungWord]) -> SungLine:
    count, part = piece.end - piece.first, _sung_part(sung, (piece.first, piece.end))
    if piece.line is None:
        return SungLine(None, "added", None, count, count, *part)
    text = lines[piece.line].text
    return SungLine(piece.line + 1, "repeated", text, count, count, *part)


def _sung_part(
    sung: Sequence[SungWord], span: tuple[int, int] | None
) -> tuple[str | None, float | None, float | None, float | None]:
    """Return the text, start and end of some words, and their number per minute."""
    words = sung[slice(*span)] if span else ()
    text = shown_text("".join(word.text for word in words))
    starts = [index for index, word in enumerate(words) if word.item.start is not None]
    ends = [index for index, word in enumerate(words) if word.item.end is not None]
    start = words[starts[0]].item.start if starts else None
    end = words[ends[-1]].item.end if ends else None
    if start is None or end is None or end <= start:
        return text or None, start, end, None
    return text or None, start, end, 60 * (ends[-1] + 1 - starts[0]) / (end - start)
