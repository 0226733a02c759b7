"""Blind tests in a library: one design, one answer per trial, safe against SIGKILL."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from musicapi_nb._blind_test.answers import preferences_frame
from musicapi_nb._blind_test.store import (
    Trial,
    TrialSong,
    list_designs,
    load_design,
    load_trials,
    save_answer,
    save_blind_test,
)
from musicapi_nb.errors import InvalidArgument, InvalidTransition
from musicapi_nb.library import Library
from musicapi_nb.library.database import Database
from musicapi_nb.library.migrations import STEPS
from tests.library.helpers import buy, python, read_line, song

SONGS = (TrialSong("simulated:s1", "t1", "sonic-v5"), TrialSong("s2", "t2", "a <b>level</b>"))
TRIALS = [Trial("test", 1, None, SONGS), Trial("test", 2, 1, SONGS[::-1])]
SETTINGS = {"seed": 7, "kind": "pairs", "excluded": ["a", "b"], "name": None}


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path) as opened:
        yield opened


def blind_test_rows(library: Library) -> list[list[tuple[Any, ...]]]:
    return [library._database.rows(f"SELECT * FROM {name}") for name in ("blind_tests", "trials")]  # noqa: S608 - our own names


def test_saved_design_is_loaded_and_never_replaced(library: Library) -> None:
    design = save_blind_test(library, "test", "mv", SETTINGS, TRIALS)
    assert (design.name, design.factor, design.settings) == ("test", "mv", SETTINGS)
    assert load_trials(library, "test") == TRIALS
    again = save_blind_test(library, "test", "tags", {"seed": 8}, TRIALS[:1])
    assert again == design == load_design(library, "test")
    assert load_trials(library, "test") == TRIALS
    assert list_designs(library) == [design]
    assert load_design(library, "other") is None
    assert load_trials(library, "other") == []


def test_first_answer_is_final(library: Library) -> None:
    save_blind_test(library, "test", "mv", SETTINGS, TRIALS)
    assert save_answer(library, "test", 1, "chosen", chosen=1, seconds=2.5)
    assert not save_answer(library, "test", 1, "chosen", chosen=0)
    assert save_answer(library, "test", 2, "tie", seconds=float("nan"))
    first, second = load_trials(library, "test")
    assert (first.answer, first.chosen, first.seconds) == ("chosen", 1, 2.5)
    assert (second.answer, second.chosen, second.seconds) == ("tie", None, None)
    assert first.answered_at is not None
    assert second.answered_at is not None
    assert first.answered_at <= second.answered_at
    frame = preferences_frame(library, "test")
    assert frame["chosen_level"].tolist()[0] == "a <b>level</b>"
    assert frame["repeat_of"].tolist()[1] == 1


def test_invalid_answers_change_nothing(library: Library) -> None:
    save_blind_test(library, "test", "mv", SETTINGS, TRIALS)
    for answer, chosen in (
        ("chosen", None),
        ("chosen", 2),
        ("chosen", True),
        ("tie", 0),
        ("skipped", 1),
        ("maybe", None),
    ):
        with pytest.raises(InvalidArgument):
            save_answer(library, "test", 1, answer, chosen=chosen)  # type: ignore[arg-type]  # invalid on purpose
    with pytest.raises(InvalidTransition, match="no trial 3"):
        save_answer(library, "test", 3, "tie")
    assert load_trials(library, "test") == TRIALS
    for name, trials in (("", TRIALS), ("t", []), ("t", TRIALS[1:])):
        with pytest.raises(InvalidArgument, match="numbered from 1"):
            save_blind_test(library, name, "mv", {}, trials)


def test_tables_are_rebuilt_from_events(library: Library) -> None:
    save_blind_test(library, "test", "mv", SETTINGS, TRIALS)
    save_blind_test(library, "b", "mv", {}, [dataclasses.replace(TRIALS[0], test="b")])
    save_answer(library, "test", 2, "chosen", chosen=0, seconds=1.0)
    save_answer(library, "b", 1, "skipped")
    before = blind_test_rows(library)
    library.rebuild()
    assert blind_test_rows(library) == before
    assert [event.kind for event in library.events()] == ["drawn", "drawn", "answered", "answered"]


_ANSWER = """
import sys, threading
from musicapi_nb._blind_test.store import save_answer
from musicapi_nb.library import Library
library = Library(sys.argv[1])
save_answer(library, "test", 1, "chosen", chosen=1, seconds=3.0)
print("answered", flush=True)
threading.Event().wait()
"""


def test_answer_survives_sigkill(tmp_path: Path) -> None:
    with Library(tmp_path) as library:
        save_blind_test(library, "test", "mv", SETTINGS, TRIALS)
        process = python(_ANSWER, str(tmp_path))
        assert read_line(process) == "answered"
        process.kill()
        process.communicate(timeout=180)
        assert [trial.answer for trial in load_trials(library, "test")] == ["chosen", None]
        assert not save_answer(library, "test", 1, "tie")
    with Library(tmp_path) as library:
        assert load_trials(library, "test")[0].chosen == 1


def test_old_library_accepts_blind_tests(tmp_path: Path) -> None:
    old = Database(tmp_path / "library.sqlite", lock_timeout=1, steps=STEPS[:1])
    old.close()
    with Library(tmp_path) as library:
        buy(library, song())
        save_blind_test(library, "test", "mv", SETTINGS, TRIALS)
        assert load_trials(library, "test") == TRIALS
        assert library.counts() == {"accepted": 1}
