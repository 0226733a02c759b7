"""lrc(): aligned lyrics as LRC text with a time for each line and word. No I/O."""

import difflib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from musicapi_nb import markup
from musicapi_nb.tasks.aligned_words import read_alignment, valid_seconds

_MAX_WORDS = 4_000  # lyrics have at most 5,000 characters; matching takes quadratic time
_PAUSE, _WORDS_PER_LINE = 1.5, 10  # end a line where neither lyrics nor line breaks do
_SECTION = re.compile(r"\[[^\]]*\]")  # a section name, such as [Verse]
_ESCAPES = str.maketrans("[]<>", "()\u2039\u203a")  # LRC has no escape for these


class _Word(NamedTuple):
    text: str
    start: float | None = None
    end: float | None = None
    line: int = 0


def lrc(
    alignment: Sequence[Mapping[str, Any]],
    lyrics: str | None = None,
    *,
    title: str | None = None,
    seconds: float | None = None,
) -> str:
    """Return timed lyrics as LRC text with enhanced word times.

    Parameters
    ----------
    alignment
        Items `{word, start_s, end_s, p_align, success}`, as `POST /sonic/aligned-lyrics` returns
        them. The words of an item with `success: false` or without a time get no time.
    lyrics
        Text that defines the lines. Without it, or if none of its words is aligned, lines end at
        line breaks or pauses in the alignment.
    title, seconds
        Title and duration for the header.

    Returns
    -------
    str
        Lines `[mm:ss.xx]<mm:ss.xx>word ...` with times that never decrease. A line without any
        aligned word is omitted, and so are section names such as [Verse]. "" if nothing is timed.
    """
    aligned = list(itertools.islice(_aligned_words(alignment), _MAX_WORDS))
    lines = _lines_of_lyrics(lyrics or "", aligned) or _lines_by_pauses(aligned)
    body = [text for line in lines if (text := _format_line(line))]
    if not body:
        return ""
    header = [f"[ti:{_escape(title)}]"] if title else []
    if (duration := valid_seconds(seconds)) is not None:
        header.append(f"[length:{_format_time(duration)[:-3]}]")
    return "\n".join([*header, "[re:musicapi_nb]", *body, ""])


def _aligned_words(alignment: Sequence[Mapping[str, Any]]) -> Iterator[_Word]:
    """Yield the single words of an alignment, with times that never decrease."""
    line = 0
    for item in read_alignment(alignment):
        for part in re.findall(r"\n|[^\s]+", _SECTION.sub("\n", item.text)):
            if part == "\n":
                line += 1
            else:
                yield _Word(part, item.start, item.end, line)


def _lines_of_lyrics(lyrics: str, aligned: Sequence[_Word]) -> list[list[_Word]]:
    """Return the lines of the lyrics, each word with the time of its aligned word."""
    texts = [line for line in lyrics.splitlines() if not _SECTION.fullmatch(line.strip())]
    words = [(line, word) for line, text in enumerate(texts) for word in text.split()][:_MAX_WORDS]
    keys = [_match_key(word) for _, word in words]
    aligned_keys = [_match_key(word.text) for word in aligned]
    matcher = difflib.SequenceMatcher(None, keys, aligned_keys, autojunk=False)
    matches = {
        block.a + offset: aligned[block.b + offset]
        for block in matcher.get_matching_blocks()
        for offset in range(block.size)
    }
    lines: dict[int, list[_Word]] = {}
    for index, (line, text) in enumerate(words):
        match = matches.get(index, _Word(text))
        lines.setdefault(line, []).append(match._replace(text=text))
    timed = any(word.start is not None for line in lines.values() for word in line)
    return list(lines.values()) if timed else []


def _match_key(word: str) -> str:
    return "".join(letter for letter in word.casefold() if letter.isalnum()) or word


def _lines_by_pauses(aligned: Sequence[_Word]) -> list[list[_Word]]:
    """Split words at the line breaks of the alignment, or without any at pauses."""
    if aligned and aligned[-1].line > 0:
        groups = itertools.groupby(aligned, lambda word: word.line)
        return [list(line) for _, line in groups]
    lines: list[list[_Word]] = []
    for word in aligned:
        if not lines or _is_complete(lines[-1], word):
            lines.append([])
        lines[-1].append(word)
    return lines


def _is_complete(line: Sequence[_Word], following: _Word) -> bool:
    end = line[-1].end if line[-1].end is not None else line[-1].start
    pause = 0.0 if end is None or following.start is None else following.start - end
    return len(line) >= _WORDS_PER_LINE or pause > _PAUSE


def _format_line(words: Sequence[_Word]) -> str:
    """Return a line of LRC, or "" if no word has a time."""
    starts = [word.start for word in words if word.start is not None]
    if not starts:
        return ""
    texts = []
    for word in words:
        time = "" if word.start is None else f"<{_format_time(word.start)}>"
        texts.append(f"{time}{_escape(word.text)}")
    ends = [word.end for word in words if word.end is not None]
    texts += [f"<{_format_time(max(ends))}>"] if ends else []
    return f"[{_format_time(starts[0])}]{' '.join(texts)}"


def _escape(text: str) -> str:
    return markup.one_line(text, 200).translate(_ESCAPES)


def _format_time(seconds: float) -> str:
    """Format minutes, seconds and hundredths: 01:02.34."""
    hundredths = round(seconds * 100)
    return f"{hundredths // 6000:02}:{hundredths // 100 % 60:02}.{hundredths % 100:02}"
