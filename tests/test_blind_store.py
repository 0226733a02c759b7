"""Blind tests in a library: drawn once, each answer kept once, whoever is killed meanwhile."""

import dataclasses
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from musicapi_nb._blind_test.answers import preferences_frame
from musicapi_nb._blind_test.store import (
    Shown,
    Trial,
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
from tests.library.world import buy, python, said, song

SHOWN = (Shown("simulated:s1", "t1", "sonic-v5"), Shown("s2", "t2", "a <b>level</b>"))
TRIALS = [Trial("test", 1, None, SHOWN), Trial("test", 2, 1, SHOWN[::-1])]
SETTINGS = {"seed": 7, "kind": "pairs", "left_out": ["a", "b"], "nothing": None}


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path) as opened:
        yield opened


def kept(library: Library) -> list[list[tuple[Any, ...]]]:
    return [library._database.rows(f"SELECT * FROM {name}") for name in ("blind_tests", "trials")]  # noqa: S608 - names of tables


def test_a_draw_comes_back_and_is_never_drawn_again(library: Library) -> None:
    design = save_blind_test(library, "test", "mv", SETTINGS, TRIALS)
    assert (design.name, design.factor, design.settings) == ("test", "mv", SETTINGS)
    assert load_trials(library, "test") == TRIALS
    again = save_blind_test(library, "test", "tags", {"seed": 8}, TRIALS[:1])
    assert again == design == load_design(library, "test")
    assert load_trials(library, "test") == TRIALS
    assert list_designs(library) == [design]
    assert load_design(library, "other") is None
    assert load_trials(library, "other") == []


def test_the_first_answer_stands(library: Library) -> None:
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


def test_what_is_no_answer_changes_nothing(library: Library) -> None:
    save_blind_test(library, "test", "mv", SETTINGS, TRIALS)
    for answer, chosen in (
        ("chosen", None),
        ("chosen", 2),
        ("chosen", True),
        ("tie", 0),
        ("left out", 1),
        ("maybe", None),
    ):
        with pytest.raises(InvalidArgument):
            save_answer(library, "test", 1, answer, chosen=chosen)  # type: ignore[arg-type]  # from a page
    with pytest.raises(InvalidTransition, match="no trial 3"):
        save_answer(library, "test", 3, "tie")
    assert load_trials(library, "test") == TRIALS
    for name, trials in (("", TRIALS), ("t", []), ("t", TRIALS[1:])):
        with pytest.raises(InvalidArgument, match="count from 1"):
            save_blind_test(library, name, "mv", {}, trials)


def test_events_alone_make_the_tables_again(library: Library) -> None:
    save_blind_test(library, "test", "mv", SETTINGS, TRIALS)
    save_blind_test(library, "b", "mv", {}, [dataclasses.replace(TRIALS[0], test="b")])
    save_answer(library, "test", 2, "chosen", chosen=0, seconds=1.0)
    save_answer(library, "b", 1, "left out")
    before = kept(library)
    library.rebuild()
    assert kept(library) == before
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


def test_an_answer_outlives_its_process(tmp_path: Path) -> None:
    with Library(tmp_path) as library:
        save_blind_test(library, "test", "mv", SETTINGS, TRIALS)
        process = python(_ANSWER, str(tmp_path))
        assert said(process) == "answered"
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
        assert [trial.answer for trial in load_trials(library, "test")] == ["chosen", None]
        assert not save_answer(library, "test", 1, "tie")
    with Library(tmp_path) as library:
        assert load_trials(library, "test")[0].chosen == 1


def test_a_library_from_before_takes_blind_tests(tmp_path: Path) -> None:
    old = Database(tmp_path / "library.sqlite", lock_timeout=1, steps=STEPS[:1])
    old.close()
    with Library(tmp_path) as library:
        buy(library, song())
        save_blind_test(library, "test", "mv", SETTINGS, TRIALS)
        assert load_trials(library, "test") == TRIALS
        assert library.counts() == {"accepted": 1}
