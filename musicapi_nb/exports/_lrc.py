"""Aligned lyrics as LRC: lines with their times, and a time before each word. Pure."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from musicapi_nb import markup

_MOST_WORDS = 4_000  # lyrics have 5,000 characters at most; matching takes the square of it
_LONGEST = 86_400.0  # seconds
_PAUSE, _WORDS_A_LINE = 1.5, 10  # where no lyrics say where a line ends
_SECTION_IN = re.compile(r"\[[^\]]*\]")  # a section's name stands before its first word
_SECTION = re.compile(r"\s*\[[^\]]*\]\s*")
_SIGNS = str.maketrans("[]<>", "()\u2039\u203a")  # LRC has no way to write these


@dataclasses.dataclass(frozen=True, slots=True)
class _Word:
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
    """Write lyrics with the times of their words, as LRC text with enhanced word times.

    Parameters
    ----------
    alignment
        Items `{word, start_s, end_s, p_align, success}`, as `POST /sonic/aligned-lyrics` returns
        them; one with `success: false`, or without a time, gives no time to its words.
    lyrics
        They say what the lines are; without them (or where none of their words is aligned),
        lines end where the alignment's words have line breaks or pauses.
    title, seconds
        For the head of the file.

    Returns
    -------
    str
        Lines `[mm:ss.xx]<mm:ss.xx>word ...`, times never falling. A line without any aligned word
        has no time and is left out; so are section names such as [Verse]. "" when nothing is timed.
    """
    aligned = list(_aligned(alignment))
    lines = _by_lyrics(lyrics or "", aligned) or _by_pauses(aligned)
    body = [line for words in lines for line in _line(words)]
    if not body:
        return ""
    name = markup.one_line(title, 200).translate(_SIGNS) if title else ""
    head = [f"[ti:{name}]"] * bool(name)
    head += [f"[length:{_clock(long)[:-3]}]"] if (long := _time(seconds)) is not None else []
    return "\n".join([*head, "[re:musicapi_nb]", *body, ""])


def _aligned(alignment: Sequence[Mapping[str, Any]]) -> Iterator[_Word]:
    """The words of an alignment, one by one, with times that never fall."""
    last, line, number = 0.0, 0, 0
    for item in alignment:
        if not isinstance(item, Mapping) or not isinstance(text := item.get("word"), str):
            continue
        timed = item.get("success") is not False
        start = _time(item.get("start_s"), last) if timed else None
        end = _time(item.get("end_s"), start) if start is not None else None
        for part in re.findall(r"\n|[^\s]+", _SECTION_IN.sub("\n", text)):
            if part == "\n":
                line += 1
                continue
            if number == _MOST_WORDS:
                return
            number += 1
            yield _Word(part, start, end, line)
        last = last if start is None else start


def _time(value: Any, least: float = 0.0) -> float | None:
    """A number of seconds from `least` on; None for anything else."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if least <= value < _LONGEST else None  # neither holds for NaN


def _by_lyrics(lyrics: str, aligned: Sequence[_Word]) -> list[list[_Word]]:
    """The lines of lyrics, each word with the time of the aligned word that it is."""
    lines = [line for line in lyrics.splitlines() if not _SECTION.fullmatch(line)]
    words = [(at, word) for at, line in enumerate(lines) for word in line.split()][:_MOST_WORDS]
    matcher = difflib.SequenceMatcher(
        None,
        [_key(word) for _, word in words],
        [_key(word.text) for word in aligned],
        autojunk=False,
    )
    found = {
        block.a + step: aligned[block.b + step]
        for block in matcher.get_matching_blocks()
        for step in range(block.size)
    }
    made: dict[int, list[_Word]] = {}
    for number, (at, text) in enumerate(words):
        same = found.get(number, _Word(text))
        made.setdefault(at, []).append(dataclasses.replace(same, text=text))
    timed = any(word.start is not None for line in made.values() for word in line)
    return list(made.values()) if timed else []


def _key(word: str) -> str:
    return "".join(letter for letter in word.casefold() if letter.isalnum()) or word


def _by_pauses(aligned: Sequence[_Word]) -> list[list[_Word]]:
    lines: list[list[_Word]] = []
    told = bool(aligned) and aligned[-1].line > 0
    for word in aligned:
        before = lines[-1][-1] if lines else None
        if before is None or word.line != before.line or (not told and _ends(lines[-1], word)):
            lines.append([])
        lines[-1].append(word)
    return lines


def _ends(line: Sequence[_Word], following: _Word) -> bool:
    last = line[-1].end if line[-1].end is not None else line[-1].start
    pause = 0.0 if last is None or following.start is None else following.start - last
    return len(line) >= _WORDS_A_LINE or pause > _PAUSE


def _line(words: Sequence[_Word]) -> Iterator[str]:
    times = [word.start for word in words if word.start is not None]
    if not times:
        return
    texts = (
        f"{'' if word.start is None else f'<{_clock(word.start)}>'}{_shown(word.text)}"
        for word in words
    )
    ends = [word.end for word in words if word.end is not None]
    close = f" <{_clock(max(ends))}>" if ends else ""
    yield f"[{_clock(times[0])}]{' '.join(texts)}{close}"


def _shown(text: str) -> str:
    return markup.one_line(text, 200).translate(_SIGNS)


def _clock(seconds: float) -> str:
    """Minutes, seconds and hundredths: 01:02.34."""
    hundredths = round(seconds * 100)
    return f"{hundredths // 6000:02}:{hundredths // 100 % 60:02}.{hundredths % 100:02}"
