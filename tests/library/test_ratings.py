"""Ratings and notes: on disk at once, the latest counts, all stay in the events."""

import datetime as dt
import sqlite3
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import musicapi_nb as mnb
from musicapi_nb.errors import ClientClosed, InvalidArgument, LibraryLocked
from musicapi_nb.frames.text_dtype import TEXT
from musicapi_nb.library import Library
from musicapi_nb.tasks import Song
from tests.library.helpers import (
    acknowledged,
    buy,
    looked,
    python,
    rebuilt_is_the_same,
    song,
    wait_for_end,
)

SONG = Song(id="c1", task_id="t1", position=1, state="succeeded")


def ratings_of(library: Library) -> list[tuple[str | None, int | None, str]]:
    return [(rating.song_id, rating.stars, rating.note) for rating in library.ratings()]


def test_latest_rating_counts_and_all_are_kept(tmp_path: Path) -> None:
    with Library(tmp_path / "l") as library:
        assert library.rating(SONG) is None
        library.rate(SONG, 3)
        library.rate(SONG, note="  the bass drags ")
        rating = library.rate(SONG, 5)
        assert (rating.stars, rating.note, rating.task_id, rating.position) == (
            5,
            "the bass drags",
            "t1",
            1,
        )
        assert dt.datetime.now(dt.UTC) - rating.at < dt.timedelta(minutes=1)
        library.rate(SONG, 5)
        events = [event for event in library.events() if event.kind == "rated"]
        assert [event.data["stars"] for event in events] == [3, 3, 5]
        rebuilt_is_the_same(library)
    with Library(tmp_path / "l") as library:
        assert library.rating(SONG) == rating
        assert ratings_of(library) == [("c1", 5, "the bass drags")]


def test_removed_rating_is_gone(tmp_path: Path) -> None:
    with Library(tmp_path / "l") as library:
        library.rate(SONG, 2, note="no")
        library.rate(SONG, 0)
        assert ratings_of(library) == [("c1", None, "no")]
        library.rate(SONG, note="")
        assert ratings_of(library) == []
        assert library.rate(SONG, 0).empty
        assert [event.kind for event in library.events()] == ["rated"] * 3
        rebuilt_is_the_same(library)


def test_ratings_distinguish_id_task_and_simulator(tmp_path: Path) -> None:
    songs = [
        Song(id="a", task_id="t"),
        Song(id="a", task_id="t", simulated=True),
        Song(task_id="t", position=0),
        Song(task_id="t", position=1),
    ]
    with Library(tmp_path / "l") as library:
        for stars, song in enumerate(songs, 1):
            library.rate(song, stars)
        assert [library.rating(song).stars for song in songs] == [1, 2, 3, 4]  # type: ignore[union-attr]
        moved = msgspec.structs.replace(songs[0], task_id="other", position=7)
        assert library.rating(moved) == library.rating(songs[0])


@pytest.mark.parametrize("stars", [3.0, np.int64(3), np.float64(3), Decimal(3)], ids=range(4))
def test_stars_may_be_a_number_of_a_table(tmp_path: Path, stars: Any) -> None:
    with Library(tmp_path / "l") as library:
        assert library.rate(SONG, stars).stars == 3


@pytest.mark.parametrize("stars", [-1, 6, 2.5, True, "5", [1], float("nan")])
def test_invalid_stars_are_refused(tmp_path: Path, stars: Any) -> None:
    with Library(tmp_path / "l") as library:
        library.rate(SONG, 4)
        with pytest.raises(InvalidArgument, match="1 to 5"):
            library.rate(SONG, stars)
        with pytest.raises(InvalidArgument, match="characters"):
            library.rate(SONG, note="x" * 4_001)
        with pytest.raises(InvalidArgument, match="no id and no task id"):
            library.rate(Song(state="succeeded"), 3)
        assert ratings_of(library) == [("c1", 4, "")]


@pytest.mark.parametrize(
    "note", ["'; DROP TABLE ratings; --", "\ud800 half", "emoji 🥁", "\x00", "<b>\n\u202eturned"]
)
def test_any_text_is_a_valid_note(tmp_path: Path, note: str) -> None:
    with Library(tmp_path / "l") as library:
        stored_note = library.rate(SONG, note=note).note
        assert stored_note == note.replace("\ud800", "\ufffd").strip()
        rebuilt_is_the_same(library)


_RATE_AND_DIE = """
import os, sys
from musicapi_nb.library import Library
from musicapi_nb.tasks import Song
library = Library(sys.argv[1])
library.rate(Song(id="c1", task_id="t1", position=1, state="succeeded"), 4, note="loud")
os._exit(3)
"""


def test_rating_is_on_disk_when_the_call_returns(tmp_path: Path) -> None:
    assert wait_for_end(python(_RATE_AND_DIE, str(tmp_path / "l"))) == 3
    with Library(tmp_path / "l") as library:
        assert ratings_of(library) == [("c1", 4, "loud")]


def test_failed_write_keeps_the_previous_rating(tmp_path: Path) -> None:
    library = Library(tmp_path / "l", lock_timeout=0.05)
    library.rate(SONG, 2)
    other = sqlite3.connect(tmp_path / "l" / "library.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LibraryLocked):
        library.rate(SONG, 5)
    other.execute("ROLLBACK")
    other.close()
    assert ratings_of(library) == [("c1", 2, "")]
    library.close()
    with pytest.raises(ClientClosed):
        library.rate(SONG, 5)


def test_threads_can_rate_at_once(tmp_path: Path) -> None:
    with Library(tmp_path / "l") as library:
        songs = [Song(id=f"s{number}", task_id="t", state="succeeded") for number in range(40)]
        threads = [
            threading.Thread(
                target=lambda index=index: [library.rate(s, 1 + index) for s in songs[index::4]]
            )
            for index in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(rating.stars or 0 for rating in library.ratings()) == sorted(
            [1, 2, 3, 4] * 10
        )
        rebuilt_is_the_same(library)


def test_ratings_frame_joins_songs(tmp_path: Path) -> None:
    with Library(tmp_path / "l") as library:
        empty = mnb.ratings_frame(library)
        request = song()
        claim = buy(library, request)
        library.record_poll(claim.entry.id, looked(acknowledged(request)))
        first, second = library.task(claim.entry.id).songs
        library.rate(second, 5)
        library.rate(first, note="thin")
        frame = mnb.ratings_frame(library)
        songs = mnb.songs_frame(library)
    assert empty.dtypes.to_dict() == frame.dtypes.to_dict()
    assert frame.dtypes.to_dict() == {
        "task_id": TEXT,
        "song_id": TEXT,
        "song_position": "int64",
        "rating": "Int64",
        "note": TEXT,
        "rated_at": "datetime64[us, UTC]",
        "simulated": "bool",
    }
    assert frame["song_id"].tolist() == ["d", "c"]
    joined = songs.merge(frame, how="left", on=["task_id", "song_id", "song_position", "simulated"])
    assert joined["rating"].fillna(0).tolist() == [0, 5]
    assert joined["note"].fillna("").tolist() == ["thin", ""]
    with pytest.raises(InvalidArgument, match="come from a library, a gallery or an experiment"):
        mnb.ratings_frame(songs)  # type: ignore[arg-type]
