"""Cards of an experiment and a library."""

import dataclasses
import datetime as dt
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from musicapi_nb import MusicAPI, Song, Task, markup, sonic
from musicapi_nb.client import Balance
from musicapi_nb.engines import Request
from musicapi_nb.errors import LostReply, MusicAPIError, RejectedRequest, Unreachable
from musicapi_nb.experiment import Experiment, Progress, html
from musicapi_nb.experiment.progress import CellState, Failure
from musicapi_nb.experiment.tracker import CellTracker
from musicapi_nb.ledger_types import PurchaseTerms
from musicapi_nb.library import Library
from musicapi_nb.plan import Plan
from musicapi_nb.tasks import Tasks

_PLAN = Plan.grid(
    sonic.Create,
    base={"custom_mode": False, "gpt_description_prompt": "{word}"},
    factors={"mv": ["sonic-v6"], "word": ["rain", "tide", "snow", "fog"]},
)
_SHORT = "the remaining 20 credits of the budget do not cover round 1 (80 credits)"

MakeProgress: TypeAlias = Callable[..., Progress]


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as library:
        yield library


@pytest.fixture
def make_progress(library: Library) -> MakeProgress:
    """Return a function that makes the progress of a new experiment with some fields changed."""
    client = MusicAPI("sk-some-key-0001", ledger=library)
    new = Experiment("harbour", _PLAN, client, library).progress

    def make(**changes: Any) -> Progress:
        return dataclasses.replace(new, **changes)

    return make


def _card(progress: Progress) -> str:
    return html.card(progress, [], 0)


def _plain(card: str) -> str:
    return re.sub(r"<[^>]+>", "", card)


# --- the tracker ---------------------------------------------------------------------------


def test_done_cell_is_not_a_failure() -> None:
    tracker = CellTracker(_PLAN.cells)
    tracker.update(0, CellState(state="failed", reason="it broke"))
    tracker.update(1, CellState(state="refused", reason="too rude"))
    tracker.update(0, CellState(state="accepted"))
    tracker.update(0, CellState(state="done"))
    assert list(tracker.failures) == [Failure(1, "refused", "too rude")]


def test_cell_with_a_new_failure_is_listed_once_and_first() -> None:
    tracker = CellTracker(_PLAN.cells)
    tracker.update(0, CellState(state="uncertain", reason="lost"))
    tracker.update(1, CellState(state="failed", reason="it broke"))
    tracker.update(0, CellState(state="refused", reason="resolved"))
    tracker.update(1, CellState(state="failed", reason="it broke", entry=7))
    assert list(tracker.failures) == [
        Failure(0, "refused", "resolved"),
        Failure(1, "failed", "it broke"),
    ]


# --- the experiment's card -----------------------------------------------------------------


def test_card_before_the_start(make_progress: MakeProgress) -> None:
    assert "of 4" not in _card(make_progress())
    assert "Nothing is sent until you start it." in _card(make_progress())
    assert "already paid" not in _card(make_progress())
    card = _card(make_progress(counts={"planned": 1, "done": 2, "uncertain": 1}))
    assert "3 requests already paid: nothing more to pay for." in card
    assert "not started" in card


def test_bought_plan_is_complete_before_the_start(make_progress: MakeProgress) -> None:
    complete = make_progress(counts={"done": 4})
    for text in (_card(complete), html.line(complete)):
        assert "complete" in text
        assert "not started" not in text
    assert "Nothing is sent until" not in _card(complete)
    assert "Next: run.songs() · api.gallery(run)" in _card(complete)


def test_budget_figures_add_up(make_progress: MakeProgress) -> None:
    progress = make_progress(
        spent=100,
        reserved=20,
        budget=140,
        remaining=10,
        budget_spent=80,
        budget_held=20,
        budget_other=30,
    )
    text = "budget of 140: 80 spent, 20 on hold, 30 by an earlier plan, 10 left · paid before: 20"
    assert text in html.line(progress)


def test_card_counts_one_and_many(make_progress: MakeProgress) -> None:
    now = dt.datetime.now(dt.UTC)
    one = make_progress(
        state="ended", counts={"done": 1}, cells=1, finished=1, from_library=1, started=now
    )
    local = markup.format_local_time(now)
    assert f"1 of 1 was already paid · paid now: 0 · started {local}" in _plain(_card(one))
    assert "round" not in _plain(_card(one))
    assert "1 purchase of this name belongs to an earlier plan" in html.card(one, [], 1)


def test_common_reason_is_shown_once(make_progress: MakeProgress) -> None:
    failures = (Failure(3, "not_run", _SHORT), Failure(2, "failed", "it broke"))
    counts = {"done": 1, "failed": 1, "not_run": 2}
    stopped = make_progress(
        state="stopped", counts=counts, finished=2, stop_reason=_SHORT, failures=failures
    )
    assert _card(stopped).count("do not cover round 1") == 1
    assert "it broke" in _card(stopped)


def test_cancelled_is_shown_only_with_unfinished_cells(make_progress: MakeProgress) -> None:
    reason = "the experiment was cancelled before this request was sent"
    half = make_progress(
        state="cancelled", counts={"done": 2, "not_run": 2}, finished=2, stop_reason=reason
    )
    assert "Not all requests were sent: it was cancelled." in _card(half)
    assert "cancelled before" not in _card(half) + html.line(half)
    full = make_progress(state="cancelled", counts={"done": 4}, finished=4, stop_reason=reason)
    assert "Not all requests were sent" not in _card(full)


# --- the library's card --------------------------------------------------------------------


def test_library_card_names_the_account(library: Library) -> None:
    assert "0 credits spent" in library._repr_html_()
    bought = library.claim(_PLAN.cells[0].request, PurchaseTerms(simulated=True)).entry
    library.record_uncertain(bought.id, LostReply("the reply was lost"))
    for text in (library._repr_html_(), repr(library)):
        assert "simulated: 0 credits spent, 20 uncertain" in text
        assert text.count("credits spent") == 1


def test_library_card_shows_how_to_settle_uncertain_entries(library: Library) -> None:
    bought = library.claim(_PLAN.cells[0].request).entry
    library.record_uncertain(bought.id, LostReply("the reply was lost"))
    card = library._repr_html_()
    assert "One request may have been charged: the answer got lost." in card
    assert f"api.library.resolve({bought.id}, charged=True), or charged=False" in card
    assert f"api.library.resolve({bought.id}, task_id=" in card


def test_library_counts_requests_not_tries(library: Library) -> None:
    first, second, third, _ = (cell.request for cell in _PLAN.cells)

    def attempt(request: Request, error: MusicAPIError) -> None:
        entry = library.claim(request).entry
        record = library.record_unsent if isinstance(error, Unreachable) else library.record_refused
        record(entry.id, error)

    for _ in range(5):
        attempt(first, Unreachable("no connection"))
        attempt(second, RejectedRequest("mv is unknown"))
    attempt(third, Unreachable("no connection"))
    library.record_accepted(library.claim(third).entry.id, Task(id="t-1", engine="sonic"))
    assert library.counts() == {"accepted": 1, "refused": 1, "not_run": 1}
    assert "1 being made, 1 refused, 1 not sent" in repr(library)
    card = library._repr_html_()
    assert "1 refused, 1 not sent: never charged" in card
    assert card.count("1 refused") == 1


# --- short reprs ---------------------------------------------------------------------------


def test_reprs_are_short(library: Library) -> None:
    assert repr(Balance(1000.0, 0.0)) == "1,000 credits"
    assert repr(Balance(1.0, 0.0)) == "1 credit"
    assert repr(Balance(100.0, 20.0)) == "120 credits (20 extra)"
    song = Song(id="a", title="Tin Roof")
    assert repr(library.rate(song, 5)) == "\u2605" * 5 + " Tin Roof"
    assert repr(library.rate(song, 5)) == "\u2605" * 5 + " Tin Roof"
    assert repr(library.rate(song, 0, note="<loud>")) == "no stars Tin Roof (<loud>)"
    assert [repr(rating) for rating in library.ratings()] == ["no stars a (<loud>)"]
    bought = library.claim(_PLAN.cells[0].request).entry
    assert repr(bought) == f"<Entry {bought.id}: sonic.create, sending, 20 credits>"
    assert repr(Tasks()) == "nothing under way"
    assert "Nothing under way" in Tasks()._repr_html_()
