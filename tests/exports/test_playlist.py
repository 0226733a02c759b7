"""Tests of playlists and tables: one line per title, no formulas for a spreadsheet."""

import csv
import math
import re

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicapi_nb.exports.playlist import escape_formulas, playlist
from musicapi_nb.tasks import Song

_FORMULA = re.compile(r"(?:^|[;|\t\n])\s*[=+@\uff1d\uff0b\uff0d\uff20-]|^[\t\r\n]")
TEXTS = st.one_of(
    st.none(),
    st.text(max_size=6),
    st.text(alphabet="=+-@\t\r\n ;|'\v\x85\u2028\uff1da", max_size=5),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, max_size=6))
def test_formulas_are_escaped_and_other_text_is_unchanged(texts: list[str | None]) -> None:
    table = pd.DataFrame({"title": pd.Series(texts, dtype="object"), "n": range(len(texts))})
    cells = escape_formulas(table)["title"].tolist()

    for cell, text in zip(cells, texts, strict=True):
        if text is None:
            assert pd.isna(cell)
            continue
        lines = re.sub(r"\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]", "\n", text)
        assert cell.replace("'", "") == lines.replace("'", "")
        assert cell == lines or _FORMULA.search(lines)
        assert not cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d"))
        assert not cell.startswith(("\t", "\r", "\n"))


@settings(max_examples=100, deadline=None)
@given(st.lists(TEXTS.filter(bool), max_size=4), st.sampled_from(",;\t|"))
def test_no_cell_begins_a_formula_whatever_separates_cells(
    texts: list[str | None], separator: str
) -> None:
    table = pd.DataFrame({"title": pd.Series(texts, dtype="object"), "=1+1\r=x": 0})
    text = escape_formulas(table).to_csv(index=False, lineterminator="\n")
    assert text.splitlines() == text.split("\n")[:-1]
    for line in csv.reader(text.split("\n"), delimiter=separator):
        for cell in line:
            assert not cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d"))


def test_numbers_and_categories_keep_their_type() -> None:
    table = pd.DataFrame(
        {
            "n": [-1.5],
            "at": pd.to_datetime(["2026-10-07"], utc=True),
            "tag": pd.Series(["-soft"], dtype="category"),
            "ok": [True],
        }
    )

    assert escape_formulas(table).to_csv(index=False) == (
        "n,at,tag,ok\n-1.5,2026-10-07 00:00:00+00:00,'-soft,True\n"
    )
    assert table["tag"].tolist() == ["-soft"]


@pytest.mark.parametrize("seconds", [None, math.nan, math.inf])
def test_unknown_duration_is_minus_one(seconds: float | None) -> None:
    assert "#EXTINF:-1,Rain\n" in playlist([(Song(title="Rain", duration=seconds), "Rain.mp3")])


@pytest.mark.parametrize("title", ["=1+1", "\r=1+1", "-soft", "a;=1", "@SUM(A1)"])
def test_playlist_has_no_formulas(title: str) -> None:
    _, info, name = playlist([(Song(title=title), f"{title.strip()}.mp3")]).splitlines()
    assert not _FORMULA.search(info.removeprefix("#EXTINF:-1,"))
    assert not name.startswith(("=", "+", "-", "@"))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=20))
def test_any_title_is_one_line_of_a_playlist(title: str) -> None:
    lines = playlist([(Song(title=title, duration=61.4), "x.mp3")]).splitlines()

    assert len(lines) == 3
    assert lines[1].startswith("#EXTINF:61,")
    assert lines[2] == "x.mp3"
