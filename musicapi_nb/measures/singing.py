"""Compare requested lyrics with the aligned words of a song: shares, speed, lines. No I/O."""

import bisect
import itertools
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from musicapi_nb.measures.lyric_words import (
    LyricWord,
    comparable_text,
    lyric_words,
    mostly_unspaced,
    shown_text,
)
from musicapi_nb.measures.subsequence import MAX_WORDS, common_subsequence
from musicapi_nb.measures.sung_line_states import (
    LineState,
    RequestedLine,
    SungLine,
    SungWord,
    line_states,
)
from musicapi_nb.tasks.aligned_words import AlignedText, read_alignment

_MAX_TEXT = 100_000  # characters; lyrics have at most 5,000


class Singing(NamedTuple):
    """How the words of a song compare with the requested lyrics.

    - `sung_share`: of the requested words, those that were sung anywhere. A word that is requested
      twice and sung once counts once. None without requested words.
    - `order_share`: of these, those in the requested order: the length of the longest common
      subsequence of both texts. None if no requested word was sung.
    - `added`: the number of sung words beyond these.
    - `speed`: words per minute of singing, without the pauses between lines.
    - `first`, `last`: seconds from the start of the song to the first word, and to the end of the
      last.
    - `confidence`: the mean `p_align` of the sung words, 0 to 1.
    """

    lines: tuple[SungLine, ...]
    unit: Literal["words", "characters"]
    requested: int
    sung: int
    sung_share: float | None
    order_share: float | None
    added: int
    speed: float | None
    first: float | None
    last: float | None
    confidence: float | None

    def count(self, state: LineState) -> int:
        """Return the number of lines in a state."""
        return sum(line.state == state for line in self.lines)


def compare_lyrics(lyrics: str, alignment: Any) -> Singing:
    """Compare requested lyrics with an alignment `[{word, start_s, end_s, p_align, success}]`.

    The words of an item with `success: false` were not sung.
    """
    text = comparable_text(lyrics[:_MAX_TEXT])
    requested = lyric_words(text)[:MAX_WORDS]
    sung = _sung_words(read_alignment(alignment))[:MAX_WORDS]
    keys, sung_keys = [word.key for word in requested], [word.key for word in sung]
    common = (Counter(keys) & Counter(sung_keys)).total()
    in_order = len(common_subsequence(keys, sung_keys))
    lines = line_states(_requested_lines(text, requested), sung)
    items = [word.item for word in sung]
    probabilities = [item.probability for item in items if item.probability is not None]
    return Singing(
        lines=tuple(lines),
        unit="characters" if mostly_unspaced(keys or sung_keys) else "words",
        requested=len(keys),
        sung=len(sung),
        sung_share=common / len(keys) if keys else None,
        order_share=in_order / common if common else None,
        added=len(sung) - common,
        speed=_mean_speed(lines),
        first=next((item.start for item in items if item.start is not None), None),
        last=max((item.end for item in items if item.end is not None), default=None),
        confidence=statistics.fmean(probabilities) if probabilities else None,
    )


def _sung_words(items: Iterable[AlignedText]) -> list[SungWord]:
    """Return the words of an alignment.

    Items may be split anywhere: they are read as one text, with spaces between them unless most
    of them have their own.
    """
    sung = [item for item in items if item.success]
    texts = [comparable_text(item.text) for item in sung]
    spaced = sum(text[-1:].isspace() for text in texts) * 2 >= len(texts)
    texts = texts if spaced else [f"{text} " for text in texts]
    joined = "".join(texts)[:_MAX_TEXT]
    item_starts = list(itertools.accumulate(map(len, texts), initial=0))
    words = lyric_words(joined)
    starts = [*_shown_starts(joined, [word.offset for word in words]), len(joined)]
    return [
        SungWord(
            word.key,
            joined[start:end],
            word.line,
            sung[bisect.bisect_right(item_starts, word.offset) - 1],
        )
        for word, (start, end) in zip(words, itertools.pairwise(starts), strict=True)
    ]


def _shown_starts(text: str, offsets: Sequence[int]) -> Iterator[int]:
    """Yield where words start if the marks in front of them, such as quotes, are shown as well."""
    previous = 0
    for offset in offsets:
        space = max(text.rfind(" ", previous, offset), text.rfind("\n", previous, offset))
        yield offset if space < 0 and previous else space + 1
        previous = offset + 1


def _requested_lines(text: str, words: Sequence[LyricWord]) -> list[RequestedLine]:
    texts = text.split("\n")
    return [
        RequestedLine(shown_text(texts[index]), tuple(word.key for word in group))
        for index, group in itertools.groupby(words, lambda word: word.line)
    ]


def _mean_speed(lines: Iterable[SungLine]) -> float | None:
    """Return the words per minute of all lines, without the pauses between them."""
    times = [
        (line.end - line.start, line.speed)
        for line in lines
        if line.start is not None and line.end is not None and line.speed is not None
    ]
    seconds = sum(length for length, _ in times)
    return sum(length * speed for length, speed in times) / seconds if seconds else None
