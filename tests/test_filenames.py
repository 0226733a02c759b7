"""Tests of file names: any title becomes one that is safe on every file system."""

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicapi_nb.filenames import MAX_STEM_BYTES, fold, safe_stem, unique_stem

DEVICES = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{name}{digit}" for name in ("com", "lpt") for digit in range(10)),
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
def test_title_becomes_a_safe_name(title: str | None, name: str) -> None:
    assert safe_stem(title) == name


def test_long_title_is_cut_between_characters() -> None:
    name = safe_stem("\U0001f3b7" * 300)

    assert set(name) == {"\U0001f3b7"}
    assert len(name) == (MAX_STEM_BYTES - 1) // 4


def test_equal_names_are_numbered_regardless_of_case_and_form() -> None:
    used: set[str] = set()
    names = []
    for title in ("Rain", "RAIN", "rain", "e\u0301", "\u00c9", "Stra\u00dfe", "STRASSE"):
        names.append(unique_stem(title, used))
        used.add(fold(names[-1]))

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
def test_any_titles_become_safe_unique_names(titles: list[str]) -> None:
    used: set[str] = set()
    for title in titles:
        name = unique_stem(title, used)

        assert 0 < len(os.fsencode(name)) <= MAX_STEM_BYTES
        assert fold(name) not in used
        assert not set(name) & set('<>:"/\\|?*')
        assert all(
            unicodedata.category(letter) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for letter in name
        )
        assert name == name.strip(" .")
        assert not name.startswith(("-", "~", "#"))
        assert name.partition(".")[0].rstrip().casefold() not in DEVICES
        assert (Path("/songs") / f"{name}.mp3").resolve().parent == Path("/songs")
        used.add(fold(name))


def test_names_can_be_created_on_disk(tmp_path: Path) -> None:
    for title in ("\U0001f3b7" * 300, "x" * 500, "../../x", "\u0301" * 300, "CON"):
        (tmp_path / f"{unique_stem(title, ())}.parquet").write_bytes(b"")

    assert len(list(tmp_path.iterdir())) == 5
