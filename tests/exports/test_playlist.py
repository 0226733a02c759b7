"""Tests of playlists and tables: one line per title, no formulas for a spreadsheet."""

import math

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicapi_nb.exports.playlist import escape_formulas, playlist
from musicapi_nb.tasks import Song

TEXTS = st.one_of(
    st.none(), st.text(max_size=6), st.text(alphabet="=+-@\t\r\n '\uff1da", max_size=4)
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
        assert cell in {text, f"'{text}"}
        assert not cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d"))
        assert not cell.startswith(("\t", "\r", "\n"))


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


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=20))
def test_any_title_is_one_line_of_a_playlist(title: str) -> None:
    lines = playlist([(Song(title=title, duration=61.4), "x.mp3")]).splitlines()

    assert len(lines) == 3
    assert lines[1].startswith("#EXTINF:61,")
    assert lines[2] == "x.mp3"
