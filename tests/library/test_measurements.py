"""Measurements of files: by hash, measure and version; tables show the version used last."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from musicapi_nb.errors import LibraryReadOnly
from musicapi_nb.frames.measures import value_table
from musicapi_nb.frames.text_dtype import as_dtype
from musicapi_nb.library import Library, Measure, Measurement
from musicapi_nb.library.measurements import Value, dtypes_of, merge_dtypes
from musicapi_nb.tasks import Song
from tests.library.helpers import rebuilt_is_the_same
from tests.library.test_opening import shut_library

SONG = Song(id="c1", task_id="t1", state="succeeded")
OTHER = Song(id="c2", task_id="t1", position=1, state="succeeded")
TEMPO = Measure("tempo", "1", {"tempo": "float64"})


def add_sound(library: Library, song: Song, content: bytes) -> str:
    path = library.temporary_path()
    path.write_bytes(content)
    file = library.add_file(path, ".mp3")
    library.attach(song, "audio", file)
    return file.sha256


def test_values_belong_to_a_file_a_measure_and_a_version(tmp_path: Path) -> None:
    with Library(tmp_path / "l") as library:
        first, second = add_sound(library, SONG, b"one"), add_sound(library, OTHER, b"two")
        library.use_measure(TEMPO)
        library.store_measurements(TEMPO, [Measurement(first, {"tempo": 90.5})])
        newer = Measure("tempo", "2", {"tempo": "float64"})
        assert library.measurements(newer, [first, second]) == {}
        assert library.measurements(TEMPO, [first, second]) == {
            first: Measurement(first, {"tempo": 90.5})
        }
        library.store_measurements(TEMPO, [Measurement(second, error="ValueError: no sound")])
        assert library.measurements(TEMPO, [second])[second].error == "ValueError: no sound"
        assert library.measured_values([SONG, OTHER, SONG]) == [
            {"tempo": 90.5},
            {},
            {"tempo": 90.5},
        ]
    with Library(tmp_path / "l") as library:
        assert library.measured_values([SONG]) == [{"tempo": 90.5}]


def test_tables_show_the_version_that_was_used_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 1e9)  # a clock that stands still
    with Library(tmp_path / "l") as library:
        name = add_sound(library, SONG, b"one")
        versions = [Measure("tempo", version, {"tempo": None}) for version in "12"]
        for number, measure in enumerate(versions):
            library.use_measure(measure)
            library.store_measurements(measure, [Measurement(name, {"tempo": number})])
            assert library.measured_values([SONG]) == [{"tempo": number}]
        library.use_measure(versions[0])
        assert library.measured_values([SONG]) == [{"tempo": 0}]
        assert [measure.version for measure in library.measures()] == ["1"]


_FLOATS = st.floats(allow_nan=False, allow_infinity=False)
_VALUES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text() | _FLOATS


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    with Library(tmp_path_factory.mktemp("shelf") / "l") as library:
        for number in range(4):
            song = Song(id=f"c{number}", state="succeeded")
            add_sound(library, song, str(number).encode())
        yield library


@given(st.lists(st.dictionaries(st.sampled_from("abc"), _VALUES), max_size=4), st.integers())
@example([{"a": False}, {"a": 2**53 + 1}], 1)  # no float64 is this number
@settings(max_examples=50, deadline=None)
def test_values_are_stored_unchanged_in_columns_of_their_type(
    shelf: Library, results: list[dict[str, Value]], version: int
) -> None:
    songs = [Song(id=f"c{index}", state="succeeded") for index in range(len(results))]
    columns: dict[str, str | None] = {}
    shelf.use_measure(Measure("m", f"{version} {results}"))
    for song, values in zip(songs, results, strict=True):
        path = shelf.file_of(song)
        assert path is not None
        columns = merge_dtypes(columns, dtypes_of(values))
        measure = Measure("m", f"{version} {results}", dtypes_of(values))
        shelf.store_measurements(measure, [Measurement(path.stem, values)])
    assert shelf.measured_values(songs) == results
    assert shelf.measures()[0].columns == columns
    table = value_table(results, columns)
    for name, dtype in columns.items():
        assert table[name].dtype == as_dtype(dtype or "float64")
        column = table[name].astype(object).where(table[name].notna(), None).tolist()
        expected = [values.get(name) for values in results]
        if dtype == "str":  # empty text is missing, as in all tables
            expected = [None if value is None else str(value) or None for value in expected]
        if dtype == "float64":
            expected = [None if value is None else float(value) for value in expected]
        assert column == expected


def test_columns_and_their_dtypes_are_remembered(tmp_path: Path) -> None:
    with Library(tmp_path / "l") as library:
        name = add_sound(library, SONG, b"one")
        measure = Measure("judge", "1")
        library.use_measure(measure)
        for values in ({"a": None}, {"a": 3, "b": True}, {"a": 2.5}, {"b": "\ud800 no"}):
            measure = Measure("judge", "1", dtypes_of(values))
            library.store_measurements(measure, [Measurement(name, values)])
        assert library.measures() == [Measure("judge", "1", {"a": "float64", "b": "str"})]
        assert merge_dtypes({"a": "boolean"}, {"a": "Int64", "c": None}) == {
            "a": "float64",
            "c": None,
        }


def test_measurements_survive_a_rebuild_and_are_readable_in_a_read_only_library(
    tmp_path: Path,
) -> None:
    with Library(tmp_path / "l") as library:
        name = add_sound(library, SONG, b"one")
        library.use_measure(TEMPO)
        library.store_measurements(TEMPO, [Measurement(name, {"tempo": 120})])
        rebuilt_is_the_same(library)
        assert library.measured_values([SONG]) == [{"tempo": 120}]
    with shut_library(tmp_path / "l", "all"), Library(tmp_path / "l") as library:
        assert library.measured_values([SONG]) == [{"tempo": 120}]
        with pytest.raises(LibraryReadOnly, match="can only be read"):
            library.use_measure(TEMPO)
