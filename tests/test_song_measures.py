"""Measured values in galleries, boards, cards: lines, columns to sort by, changes elsewhere."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from musicapi_nb.audio.units import LABELS, label_text, value_text
from musicapi_nb.library import Library, Measure, Measurement
from musicapi_nb.library.measurements import dtypes_of
from musicapi_nb.measures.feature_columns import COLUMNS
from musicapi_nb.tasks import Song
from musicapi_nb.tasks.html import song_card
from musicapi_nb.widgets.compare import compare
from musicapi_nb.widgets.gallery import Gallery, gallery
from musicapi_nb.widgets.song_measures import measured_texts
from tests.library.test_measurements import add_sound
from tests.test_gallery import FakePage, finished_tasks

FEATURES: dict[str, float | str] = {
    "tempo": 91.6,
    "key": "A minor",
    "loudness": -14.23,
    "vocal_share": 0.345,
}
LINE = "92 bpm · A minor · -14.2 LUFS"


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "l") as library:
        yield library


def measure(library: Library, song: Song, values: dict[str, Any], name: str = "sound") -> None:
    file = add_sound(library, song, f"sound of {song.id}".encode())
    used = Measure(name, "1", dtypes_of(values))
    library.use_measure(used)
    library.store_measurements(used, [Measurement(file, values)])


def songs_of_gallery(widget: Gallery) -> dict[str, Any]:
    songs: dict[str, Any] = widget._songs
    return songs


def test_values_have_units() -> None:
    texts = [value_text(name, value) for name, value in FEATURES.items()]
    assert texts == ["92 bpm", "A minor", "-14.2 LUFS", "34.5 %"]
    assert value_text("clap_score", 0.123456) == "0.1235"
    assert value_text("is_fine", False) == "no"
    assert label_text("loudness") == "Loudness (LUFS)"
    assert label_text("loudness", difference=True) == "Loudness (LU)"
    assert label_text("stereo_width", difference=True) == "Stereo width"
    assert label_text("clap_score") == "clap score"
    assert LABELS.keys() == COLUMNS.keys()  # of audio_features


def test_gallery_shows_measured_values(library: Library) -> None:
    tasks = finished_tasks(2)
    assert songs_of_gallery(gallery(tasks, library=library))["measures"] == []
    measure(library, tasks[0].songs[1], FEATURES)
    measure(library, tasks[1].songs[0], {"clap_score": 0.25, "mood": None}, "clap")

    widget = gallery(tasks, library=library)

    data = songs_of_gallery(widget)
    assert data["measured"] == {"1": LINE, "2": "clap score 0.25"}
    names = [measure["name"] for measure in data["measures"]]
    assert names == ["tempo", "key", "loudness", "vocal_share", "clap_score"]  # mood has no value
    assert [data["details"][index]["measured"] for index in "0123"] == [
        *("", LINE, "clap score 0.25", "")
    ]
    page = FakePage(widget)
    assert page.ask("values", "values", name="tempo")["values"] == [None, 91.6, None, None]
    assert page.ask("values", "values", name="key")["values"] == [None, "A minor", None, None]
    assert page.ask("values", "values", name="other")["values"] == [None] * 4
    assert "there is no measure" in page.ask("values", "problem", name=["tempo"])["message"]


def test_values_measured_elsewhere_appear(library: Library, tmp_path: Path) -> None:
    tasks = finished_tasks(1)
    widget = gallery(tasks, library=library)
    page = FakePage(widget)
    with Library(tmp_path / "l") as other:
        measure(other, tasks[0].songs[0], FEATURES)
        message = page.receive("measured")[0]
        while not message["measured"]:  # the watch may have seen the columns before the values
            message = page.receive("measured")[0]
    assert message["measured"] == {0: LINE}
    assert [measure["name"] for measure in message["measures"]] == [*FEATURES]
    state = widget.get_state("_songs")["_songs"]  # for a page that is opened by now
    assert state["measured"]["0"] == state["details"]["0"]["measured"] == LINE
    assert state["measures"] == message["measures"]
    widget.close()


def test_cards_and_static_pages_show_the_line(library: Library, tmp_path: Path) -> None:
    tasks = finished_tasks(1)
    measure(library, tasks[0].songs[0], FEATURES)

    widget = gallery(tasks, library=library)

    assert widget._repr_html_().count(LINE) == 1
    assert compare(tasks, library=library)._repr_html_().count(LINE) == 1
    widget.save_page(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8").count(LINE) == 1
    assert LINE not in song_card(tasks[0].songs[0])  # no open session has it
    assert LINE in song_card(tasks[0].songs[0], measured=LINE)


def test_hostile_values_are_escaped(library: Library) -> None:
    tasks = finished_tasks(1)
    hostile = '<img src=x onerror="alert(1)">\u202e\x1b\n' * 9
    measure(library, tasks[0].songs[0], {"judge_text": hostile, "key": hostile})

    widget = gallery(tasks, library=library)

    (line,) = songs_of_gallery(widget)["measured"].values()
    sent = json.dumps([line, FakePage(widget).ask("values", "values", name="judge_text")["values"]])
    for character in ("\\u202e", "\\u001b", "\\n"):
        assert character not in sent
    assert len(line) < 100
    assert "<img" not in widget._repr_html_()
    assert "<img" not in song_card(tasks[0].songs[0], measured=line)


def test_own_measures_come_after_the_main_ones_and_are_few(library: Library) -> None:
    (task,) = finished_tasks(1)
    own = {f"own_{number}": number for number in range(6)}
    measure(library, task.songs[0], {**own, **FEATURES})
    assert measured_texts(library, task.songs) == [f"{LINE} · own 0 0 · own 1 1 · own 2 2", ""]
    assert measured_texts(None, task.songs) == ["", ""]
