"""Tests of lrc(): aligned lyrics as LRC text."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicapi_nb.exports import lrc

LYRICS = "[Verse]\nRain on a tin roof\nslow and low\n\n[Chorus]\nNobody else"


def aligned(*alignment: tuple[str, float, float], **fields: Any) -> list[dict[str, Any]]:
    return [
        {"word": word, "start_s": start, "end_s": end, "p_align": 0.9, "success": True, **fields}
        for word, start, end in alignment
    ]


WORDS = aligned(
    ("[Verse]\nRain ", 1.0, 1.4),
    ("on ", 1.5, 1.6),
    ("a ", 1.7, 1.75),
    ("tin ", 1.8, 2.0),
    ("roof\n", 2.1, 2.6),
    ("slow ", 61.0, 61.5),
    ("and ", 61.6, 61.7),
    ("low\n\n", 61.8, 62.5),
    ("[Chorus]\nNobody ", 70.254, 71.0),
    ("else", 71.1, 71.9),
)


def test_lines_follow_the_lyrics_and_times_the_alignment() -> None:
    text = lrc(WORDS, LYRICS, title="Tin [roof]\nII", seconds=131.4)

    assert text.splitlines() == [
        "[ti:Tin (roof) II]",
        "[length:02:11]",
        "[re:musicapi_nb]",
        "[00:01.00]<00:01.00>Rain <00:01.50>on <00:01.70>a <00:01.80>tin <00:02.10>roof <00:02.60>",
        "[01:01.00]<01:01.00>slow <01:01.60>and <01:01.80>low <01:02.50>",
        "[01:10.25]<01:10.25>Nobody <01:11.10>else <01:11.90>",
    ]


def test_without_lyrics_lines_follow_the_line_breaks() -> None:
    timed = lrc(WORDS, LYRICS).splitlines()

    assert lrc(WORDS).splitlines() == timed
    assert lrc(WORDS, "completely other text").splitlines() == timed


def test_without_line_breaks_pauses_and_length_end_a_line() -> None:
    alignment = aligned(*((f"w{i}", i / 2 + (i >= 4) * 5, i / 2 + 0.4) for i in range(20)))

    lines = lrc(alignment).splitlines()[1:]

    assert [len(re.findall(r">w", line)) for line in lines] == [4, 10, 6]


def test_unaligned_word_has_no_time_and_unaligned_line_is_omitted() -> None:
    alignment = [
        *aligned(("Rain", 1, 2)),
        *aligned(("on", 2.5, 3), success=False),
        *aligned(("tin", 4, 5)),
        *aligned(("silence", 6, 7), success=False),
    ]

    assert lrc(alignment, "Rain on tin\nsilence").splitlines()[1:] == [
        "[00:01.00]<00:01.00>Rain on <00:04.00>tin <00:05.00>"
    ]


def test_words_missing_in_the_alignment_are_kept() -> None:
    text = lrc(aligned(("RAIN!", 1, 2), ("roof", 3, 4)), "rain (oh rain) on a roof")

    assert text.splitlines()[1:] == [
        "[00:01.00]<00:01.00>rain (oh rain) on a <00:03.00>roof <00:04.00>"
    ]


@pytest.mark.parametrize(
    "value",
    [10**400, -(10**400), float("nan"), float("inf"), True, "1", None],
    ids=["huge", "-huge", "nan", "inf", "flag", "text", "none"],
)
def test_invalid_time_is_ignored(value: Any) -> None:
    text = lrc([*aligned(("Rain", 1, 2)), *aligned(("on", value, value))], "Rain on")

    assert text.splitlines()[1:] == ["[00:01.00]<00:01.00>Rain on <00:02.00>"]


def test_lyrics_cannot_forge_times() -> None:
    text = lrc(aligned(("la", 1, 2), ("[09:00.00]<08:00.00>ha", 3, 4)), "la [09:00.00]<08:00.00>ha")

    assert "09:00.00]" not in text
    assert "<08:00.00>" not in text


@pytest.mark.parametrize(
    "alignment",
    [
        [],
        [{}],
        [{"word": None}],
        [{"word": "a"}],
        ["a"],
        [{"word": "a", "start_s": "1"}],
        aligned(("a", float("nan"), 1)),
        aligned(("a", -1, 1)),
        aligned(("a", 1e300, 1)),
        aligned(("a", 1, 2), success=False),
    ],
)
def test_no_text_without_times(alignment: list[Any]) -> None:
    assert lrc(alignment, "a") == ""


NUMBERS = st.one_of(st.floats(), st.integers(-5, 500), st.none(), st.text(max_size=2))
ITEMS = st.fixed_dictionaries(
    {"word": st.one_of(st.text(max_size=8), st.sampled_from(["la", "la\n", "[x]\nla"]), st.none())},
    optional={"start_s": NUMBERS, "end_s": NUMBERS, "success": st.booleans()},
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ITEMS, max_size=12), st.text(alphabet="la \n[]<>x", max_size=40))
def test_any_alignment_gives_lines_in_order(alignment: list[Any], lyrics: str) -> None:
    lines = [line for line in lrc(alignment, lyrics).split("\n") if re.match(r"\[\d", line)]

    clock = re.compile(r"\[(\d{2,}):([0-5]\d)\.(\d\d)\]")
    starts = []
    for line in lines:
        match = clock.match(line)
        assert match, line
        starts.append(int(match[1]) * 6000 + int(match[2]) * 100 + int(match[3]))
    assert starts == sorted(starts)
