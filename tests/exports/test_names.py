"""Names of exported files: any title ends as one that is safe on every file system."""

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicapi_nb.exports.filenames import LONGEST_STEM, folded, stem, unique

DEVICES = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{name}{at}" for name in ("com", "lpt") for at in range(10)),
}
TITLES = st.one_of(
    st.text(),
    st.text(alphabet="./\\ conCON\u202e\u200b\u0301\U0001f3b7a:~-#\n\x00"),
    st.sampled_from([*DEVICES, "COM\u00b9", "con.txt", "NUL .mp3", "..", "../../etc/passwd"]),
)


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Rain on Tin", "Rain on Tin"),
        ("../../x", "_.._x"),
        ("C:\\Windows\\x", "C__Windows_x"),
        ("CON", "_CON"),
        ("nul.tar.gz", "_nul.tar.gz"),
        ("com\u00b9", "_com\u00b9"),
        ("Console", "Console"),
        ("", "untitled"),
        (None, "untitled"),
        ("\u200b\u202e\u2066", "untitled"),
        ("...", "untitled"),
        ("???", "untitled"),
        ("-rf *", "rf _"),
        ("#1 song", "1 song"),
        (".hidden", "hidden"),
        ("ends with dots. . .", "ends with dots"),
        ("two\nlines\tof  it\x07", "two lines of it"),
        ("\u202egnos\u202c", "gnos"),
        ("שיר של גשם", "שיר של גשם"),
        ("e\u0301tude", "\u00e9tude"),
        ("half a pair \ud83d", "half a pair"),
    ],
)
def test_a_title_becomes_a_name(title: str | None, name: str) -> None:
    assert stem(title) == name


def test_three_hundred_emoji_are_cut_between_characters() -> None:
    name = stem("\U0001f3b7" * 300)

    assert set(name) == {"\U0001f3b7"}
    assert len(name) == (LONGEST_STEM - 1) // 4


def test_twins_are_numbered_whatever_their_case_and_composition() -> None:
    taken: set[str] = set()
    names = []
    for title in ("Rain", "RAIN", "rain", "e\u0301", "\u00c9", "Stra\u00dfe", "STRASSE"):
        names.append(unique(title, taken))
        taken.add(folded(names[-1]))

    assert names == [
        "Rain",
        "RAIN (2)",
        "rain (3)",
        "\u00e9",
        "\u00c9 (2)",
        "Stra\u00dfe",
        "STRASSE (2)",
    ]


@settings(max_examples=60, deadline=None)
@given(st.lists(TITLES, max_size=8))
def test_any_titles_end_as_safe_and_unique_names(titles: list[str]) -> None:
    taken: set[str] = set()
    for title in titles:
        name = unique(title, taken)

        assert 0 < len(os.fsencode(name)) <= LONGEST_STEM
        assert folded(name) not in taken
        assert not set(name) & set('<>:"/\\|?*')
        assert all(
            unicodedata.category(letter) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for letter in name
        )
        assert name == name.strip(" .")
        assert not name.startswith(("-", "~", "#"))
        assert name.partition(".")[0].rstrip().casefold() not in DEVICES
        assert (Path("/songs") / f"{name}.mp3").resolve().parent == Path("/songs")
        taken.add(folded(name))


def test_a_name_can_be_taken_by_the_disk(tmp_path: Path) -> None:
    for title in ("\U0001f3b7" * 300, "x" * 500, "../../x", "\u0301" * 300, "CON"):
        (tmp_path / f"{unique(title, ())}.parquet").write_bytes(b"")

    assert len(list(tmp_path.iterdir())) == 5
