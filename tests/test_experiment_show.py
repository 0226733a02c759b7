"""What an experiment's and a library's cards say: what is wrong now, once, and what to do."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from musicapi_nb import MusicAPI, sonic
from musicapi_nb.errors import LostReply
from musicapi_nb.experiment import Experiment, Progress, html
from musicapi_nb.experiment.progress import CellState, Failure
from musicapi_nb.experiment.tracker import CellTracker
from musicapi_nb.library import Library
from musicapi_nb.plan import Plan

_PLAN = Plan.grid(
    sonic.Create,
    base={"custom_mode": False, "gpt_description_prompt": "{word}"},
    factors={"mv": ["sonic-v6"], "word": ["rain", "tide", "snow", "fog"]},
)
_SHORT = "what is left of the budget (20 credits) does not cover block 1 (80)"

Seen: TypeAlias = Callable[..., Progress]


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as library:
        yield library


@pytest.fixture
def seen(library: Library) -> Seen:
    """Tell how an experiment of four cells is doing: not started, but for what is changed."""
    client = MusicAPI("sk-some-key-0001", ledger=library)
    new = Experiment("harbour", _PLAN, client, library).progress

    def changed(**changes: Any) -> Progress:
        return dataclasses.replace(new, **changes)

    return changed


def _card(seen: Progress) -> str:
    return html.card(seen, [], 0)


# --- the board -----------------------------------------------------------------------------


def test_a_cell_that_is_done_in_the_end_is_no_failure_any_more() -> None:
    board = CellTracker(_PLAN.cells)
    board.update(0, CellState(state="failed", reason="it broke"))
    board.update(1, CellState(state="refused", reason="too rude"))
    board.update(0, CellState(state="accepted"))
    board.update(0, CellState(state="done"))
    assert list(board.failures) == [Failure(1, "refused", "too rude")]


def test_a_cell_that_fails_in_another_way_is_listed_once_and_as_the_latest() -> None:
    board = CellTracker(_PLAN.cells)
    board.update(0, CellState(state="uncertain", reason="lost"))
    board.update(1, CellState(state="failed", reason="it broke"))
    board.update(0, CellState(state="refused", reason="resolved"))
    board.update(1, CellState(state="failed", reason="it broke", entry=7))
    assert list(board.failures) == [
        Failure(0, "refused", "resolved"),
        Failure(1, "failed", "it broke"),
    ]


# --- the experiment's card -----------------------------------------------------------------


def test_before_the_start_there_is_no_bar_and_what_was_bought_is_said(seen: Seen) -> None:
    assert "of 4 cells" not in _card(seen())
    assert "Nothing is sent before it is started." in _card(seen())
    assert "bought before" not in _card(seen())
    known = _card(seen(counts={"planned": 1, "done": 2, "uncertain": 1}))
    assert "3 cells were bought before" in known
    assert "they cost nothing" in known


def test_a_reason_that_holds_for_all_that_was_not_run_is_told_once(seen: Seen) -> None:
    failures = (Failure(3, "not_run", _SHORT), Failure(2, "failed", "it broke"))
    counts = {"done": 1, "failed": 1, "not_run": 2}
    stopped = seen(
        state="stopped", counts=counts, finished=2, stop_reason=_SHORT, failures=failures
    )
    assert _card(stopped).count("does not cover block 1") == 1
    assert "it broke" in _card(stopped)


def test_a_cancelled_one_says_so_only_where_something_was_left(seen: Seen) -> None:
    why = "the experiment was cancelled before"
    half = seen(state="cancelled", counts={"done": 2, "not_run": 2}, finished=2, stop_reason=why)
    assert "Not all was run: it was cancelled." in _card(half)
    assert "cancelled before" not in _card(half) + html.line(half)
    whole = seen(state="cancelled", counts={"done": 4}, finished=4, stop_reason=why)
    assert "Not all was run" not in _card(whole)


# --- the library's card --------------------------------------------------------------------


def test_a_library_names_the_account_that_something_was_bought_from(library: Library) -> None:
    assert "0 credits spent" in library._repr_html_()
    bought = library.claim(_PLAN.cells[0].request, simulated=True).entry
    library.record_uncertain(bought.id, LostReply("the reply was lost"))
    for shown in (library._repr_html_(), repr(library)):
        assert "simulated: 0 credits spent, 20 uncertain" in shown
        assert shown.count("credits spent") == 1


def test_a_library_says_how_to_settle_what_is_uncertain(library: Library) -> None:
    bought = library.claim(_PLAN.cells[0].request).entry
    library.record_uncertain(bought.id, LostReply("the reply was lost"))
    shown = library._repr_html_()
    assert "1 uncertain: the reply was lost" in shown
    assert f"library.resolve({bought.id}, task_id=" in shown
