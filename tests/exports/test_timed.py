"""Aligned lyrics as LRC text."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicapi_nb.exports import lrc

LYRICS = "[Verse]\nRain on a tin roof\nslow and low\n\n[Chorus]\nNobody else"


def aligned(*words: tuple[str, float, float], **more: Any) -> list[dict[str, Any]]:
    return [
        {"word": word, "start_s": start, "end_s": end, "p_align": 0.9, "success": True, **more}
        for word, start, end in words
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


def test_lines_come_from_the_lyrics_and_times_from_the_words() -> None:
    made = lrc(WORDS, LYRICS, title="Tin [roof]\nII", seconds=131.4)

    assert made.splitlines() == [
        "[ti:Tin (roof) II]",
        "[length:02:11]",
        "[re:musicapi_nb]",
        "[00:01.00]<00:01.00>Rain <00:01.50>on <00:01.70>a <00:01.80>tin <00:02.10>roof <00:02.60>",
        "[01:01.00]<01:01.00>slow <01:01.60>and <01:01.80>low <01:02.50>",
        "[01:10.25]<01:10.25>Nobody <01:11.10>else <01:11.90>",
    ]


def test_without_lyrics_the_line_breaks_of_the_words_are_the_lines() -> None:
    timed = lrc(WORDS, LYRICS).splitlines()

    assert lrc(WORDS).splitlines() == timed
    assert lrc(WORDS, "completely other text").splitlines() == timed


def test_without_any_line_break_pauses_and_length_end_a_line() -> None:
    words = aligned(*((f"w{at}", at / 2 + (at >= 4) * 5, at / 2 + 0.4) for at in range(20)))

    lines = lrc(words).splitlines()[1:]

    assert [len(re.findall(r">w", line)) for line in lines] == [4, 10, 6]


def test_a_word_that_was_not_aligned_has_no_time_and_a_line_of_them_is_left_out() -> None:
    words = [
        *aligned(("Rain", 1, 2)),
        *aligned(("on", 2.5, 3), success=False),
        *aligned(("tin", 4, 5)),
        *aligned(("silence", 6, 7), success=False),
    ]

    assert lrc(words, "Rain on tin\nsilence").splitlines()[1:] == [
        "[00:01.00]<00:01.00>Rain on <00:04.00>tin <00:05.00>"
    ]


def test_words_that_the_lyrics_have_and_the_alignment_has_not_stay() -> None:
    made = lrc(aligned(("RAIN!", 1, 2), ("roof", 3, 4)), "rain (oh rain) on a roof")

    assert made.splitlines()[1:] == [
        "[00:01.00]<00:01.00>rain (oh rain) on a <00:03.00>roof <00:04.00>"
    ]


@pytest.mark.parametrize(
    "odd",
    [10**400, -(10**400), float("nan"), float("inf"), True, "1", None],
    ids=["huge", "-huge", "nan", "inf", "flag", "text", "none"],
)
def test_a_time_that_is_none_is_no_time(odd: Any) -> None:
    made = lrc([*aligned(("Rain", 1, 2)), *aligned(("on", odd, odd))], "Rain on")

    assert made.splitlines()[1:] == ["[00:01.00]<00:01.00>Rain on <00:02.00>"]


def test_lyrics_cannot_forge_times() -> None:
    made = lrc(aligned(("la", 1, 2), ("[09:00.00]<08:00.00>ha", 3, 4)), "la [09:00.00]<08:00.00>ha")

    assert "09:00.00]" not in made
    assert "<08:00.00>" not in made


@pytest.mark.parametrize(
    "words",
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
def test_what_has_no_time_gives_no_text(words: list[Any]) -> None:
    assert lrc(words, "a") == ""


NUMBERS = st.one_of(st.floats(), st.integers(-5, 500), st.none(), st.text(max_size=2))
ITEMS = st.fixed_dictionaries(
    {"word": st.one_of(st.text(max_size=8), st.sampled_from(["la", "la\n", "[x]\nla"]), st.none())},
    optional={"start_s": NUMBERS, "end_s": NUMBERS, "success": st.booleans()},
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ITEMS, max_size=12), st.text(alphabet="la \n[]<>x", max_size=40))
def test_any_alignment_gives_lines_in_the_order_of_time(words: list[Any], lyrics: str) -> None:
    lines = [line for line in lrc(words, lyrics).split("\n") if re.match(r"\[\d", line)]

    clock = re.compile(r"\[(\d{2,}):([0-5]\d)\.(\d\d)\]")
    starts = []
    for line in lines:
        found = clock.match(line)
        assert found, line
        starts.append(int(found[1]) * 6000 + int(found[2]) * 100 + int(found[3]))
    assert starts == sorted(starts)
