"""The ledger buys once and records every step."""

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from musicapi_nb.client import Balance
from musicapi_nb.engines import Request, lyrics, sonic
from musicapi_nb.errors import (
    ContentRefused,
    InvalidArgument,
    InvalidTransition,
    LostReply,
    OverBudget,
    UnknownPrice,
    Unreachable,
)
from musicapi_nb.ledger_types import PurchaseTerms
from musicapi_nb.library import Account, Library, request_key
from musicapi_nb.tasks import parse_submit_reply
from tests.library.helpers import (
    FAILED,
    FAILED_UNSAID,
    PRICE,
    RUNNING,
    Unpriced,
    acknowledged,
    buy,
    looked,
    rebuilt_is_the_same,
    song,
)
from tests.replies import sample

UNPRICED = Unpriced()


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as opened:
        yield opened
        rebuilt_is_the_same(opened)


def test_request_is_bought_once_and_joined_until_done(library: Library) -> None:
    request = song()
    first = library.claim(request)
    assert first.kind == "buy"
    assert (first.entry.state, first.entry.price) == ("sending", PRICE)

    sending = library.claim(request)
    assert (sending.kind, sending.task, sending.entry.id) == ("join", None, first.entry.id)

    task = acknowledged(request)
    library.record_accepted(first.entry.id, task)
    joined = library.claim(request)
    assert (joined.kind, joined.entry.task_id, joined.task) == ("join", "t1", task)

    done = looked(task)
    assert library.record_poll(first.entry.id, done).state == "done"
    had = library.claim(request)
    assert (had.kind, had.task) == ("have", done)
    assert library.account().spent == PRICE


def test_other_take_is_another_purchase(library: Library) -> None:
    buy(library, song())
    assert library.claim(song(), PurchaseTerms(take=2)).kind == "buy"
    assert library.claim(song(), PurchaseTerms(take=3, simulated=True)).kind == "buy"


def test_simulated_purchase_does_not_count_for_the_service(library: Library) -> None:
    buy(library, song(), simulated=True)
    assert library.claim(song()).kind == "buy"
    assert library.account(simulated=True) == Account(spent=PRICE)
    assert library.account() == Account(uncertain=PRICE)


def test_refused_purchase_can_be_bought_again(library: Library) -> None:
    first = library.claim(song())
    library.record_refused(first.entry.id, ContentRefused("the lyrics were refused", status=403))
    had = library.claim(song(), PurchaseTerms(retry_failed=False))
    assert had.kind == "have"
    assert had.task is not None
    assert had.task.fail_reason == "the lyrics were refused"
    second = library.claim(song())
    assert (second.kind, second.entry.id) == ("buy", library.entries()[-1].id)
    assert library.entry(first.entry.id).note == "the lyrics were refused"
    assert library.account() == Account(uncertain=PRICE)


def test_unsent_purchase_can_be_bought_again(library: Library) -> None:
    first = library.claim(song())
    assert library.record_unsent(first.entry.id, Unreachable("no such host")).state == "not_run"
    assert library.claim(song()).kind == "buy"


def test_failed_purchase_can_be_bought_again(library: Library) -> None:
    first = buy(library, song())
    failed = looked(acknowledged(song()), FAILED)
    assert library.record_poll(first.entry.id, failed).refunded is True
    assert library.account() == Account(refunded=PRICE)
    stored = library.claim(song(), PurchaseTerms(retry_failed=False))
    assert (stored.kind, stored.task) == ("have", failed)
    library.plan(song())
    assert (
        library.claim(song(), PurchaseTerms(retry_failed=False))
        == stored
        == library.find(song(), PurchaseTerms(retry_failed=False))
    )
    assert library.find(song()) is None
    assert library.claim(song()).kind == "buy"


@pytest.mark.parametrize("refunded", [None, False])
@pytest.mark.parametrize("charged", [True, False])
def test_failed_purchase_without_a_refund_is_bought_again_once_settled(
    library: Library, *, refunded: bool | None, charged: bool
) -> None:
    first = buy(library, song())
    said = {} if refunded is None else {"refund_processed": refunded}
    failed = looked(acknowledged(song()), {"type": "api_error", "message": "no luck", **said})
    library.record_poll(first.entry.id, failed)
    for _ in range(3):
        again = library.claim(song())
        assert (again.kind, again.entry.id, again.task) == ("have", first.entry.id, failed)
    assert library.account() == Account(spent=PRICE)
    assert library.claim(song(), PurchaseTerms(take=2)).kind == "buy"
    entry = library.resolve(first.entry.id, charged=charged)
    assert (entry.state, entry.refunded) == ("failed", not charged)
    assert library.find(song()) is None
    assert library.claim(song()).kind == "buy"


def test_late_report_that_it_was_charged_settles_nothing(library: Library) -> None:
    first = buy(library, song())
    library.record_poll(first.entry.id, looked(acknowledged(song()), FAILED_UNSAID))
    charged = looked(acknowledged(song()), {**FAILED_UNSAID, "refund_processed": False})
    assert library.record_poll(first.entry.id, charged).refunded is False
    assert library.claim(song()).kind == "have"
    library.rebuild()
    assert library.claim(song()).kind == "have"


def test_next_take_skips_bought_takes_but_not_uncertain_ones(library: Library) -> None:
    assert library.next_take(song()) == 1
    for take in (1, 2, 3):
        claim = buy(library, song(), f"t{take}", take=take)
        library.record_poll(claim.entry.id, looked(acknowledged(song(), f"t{take}")))
    lost = library.claim(song(), PurchaseTerms(take=4))
    assert library.next_take(song()) == 5  # a take under way counts as bought
    library.record_uncertain(lost.entry.id, LostReply("connection reset"))
    assert library.next_take(song()) == library.next_take(song(), 2) == 4
    assert library.next_take(song(), 5) == 5


def test_refund_can_be_reported_later(library: Library) -> None:
    first = buy(library, song())
    task = acknowledged(song())
    assert library.record_poll(first.entry.id, looked(task, FAILED_UNSAID)).refunded is None
    assert library.account().spent == PRICE
    assert library.record_poll(first.entry.id, looked(task, FAILED)).refunded is True
    assert library.account() == Account(refunded=PRICE)


def test_lost_reply_is_uncertain_and_not_bought_again(library: Library) -> None:
    first = library.claim(song())
    library.record_uncertain(first.entry.id, LostReply("the reply was lost"))
    again = library.claim(song())
    assert (again.kind, again.entry.note) == ("uncertain", "the reply was lost")
    assert library.account() == Account(uncertain=PRICE)
    assert library.record_accepted(first.entry.id, acknowledged(song())).state == "accepted"


def test_steps_out_of_order_are_refused(library: Library) -> None:
    task = acknowledged(song())
    number = library.claim(song()).entry.id
    with pytest.raises(InvalidTransition, match="is sending"):
        library.record_poll(number, looked(task, RUNNING))
    library.record_refused(number, ContentRefused("no"))
    with pytest.raises(InvalidTransition, match="t1"):
        library.record_accepted(number, task)
    with pytest.raises(InvalidTransition, match="no entry 99"):
        library.record_uncertain(99, LostReply("lost"))


def test_end_polled_twice_is_recorded_once(library: Library) -> None:
    number = buy(library, song()).entry.id
    done = looked(acknowledged(song()))
    library.record_poll(number, done)
    events = library.events(number)
    library.record_poll(number, done)
    assert library.events(number) == events
    assert [event.kind for event in events] == ["sending", "accepted", "done"]


def test_step_of_another_kernel_counts(library: Library) -> None:
    ours, theirs = (buy(library, song(prompt), prompt).entry.id for prompt in ("a", "b"))
    with Library(library.path) as other:
        other.record_poll(ours, looked(acknowledged(song("a"), "a")))
        other.resolve(theirs, charged=False)
    library.record_poll(ours, looked(acknowledged(song("a"), "a")))
    assert [event.kind for event in library.events(ours)] == ["sending", "accepted", "done"]
    with pytest.raises(InvalidTransition, match="failed"):
        library.record_refused(theirs, LostReply("lost"))


def test_rolled_back_step_never_happened(library: Library) -> None:
    number = buy(library, song()).entry.id

    def fail() -> None:
        with library.transaction():
            library.record_poll(number, looked(acknowledged(song())))
            raise RuntimeError("no")

    def fail_while_polling() -> None:
        with library.transaction():
            library.record_poll(number, looked(acknowledged(song()), RUNNING))
            raise RuntimeError("no")

    for step in (fail, fail_while_polling):
        with pytest.raises(RuntimeError, match="no"):
            step()
    before = library.entry(number)
    assert before.state == "accepted"
    library.record_poll(number, looked(acknowledged(song()), RUNNING))
    assert library.entry(number).reply_event != before.reply_event


def test_unchanged_reply_is_stored_once(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("musicapi_nb.library.events.time.time", lambda: 1000.0)
    number = buy(library, song()).entry.id
    running = looked(acknowledged(song()), RUNNING)
    for _ in range(3):
        library.record_poll(number, running)
    stored = [event for event in library.events(number) if event.raw]
    assert [event.kind for event in stored] == ["accepted", "polled"]
    assert library.task(number) == running


def test_immediate_answer_is_done_when_accepted(library: Library) -> None:
    request = lyrics.Make(description="rain")
    number = library.claim(request).entry.id
    task = parse_submit_reply(sample("lyrics_success.json"), request)
    assert library.record_accepted(number, task).state == "done"
    assert library.claim(request).task == task


def test_planned_entry_is_bought_or_skipped_with_a_reason(library: Library) -> None:
    planned = library.plan(song(), PurchaseTerms(experiment="e"))
    assert library.plan(song()).id == planned.id
    other = library.plan(song("snow"), PurchaseTerms(experiment="e"))
    bought = library.claim(song(), PurchaseTerms(experiment="e"))
    assert (bought.kind, bought.entry.id, bought.entry.experiment) == ("buy", planned.id, "e")
    library.record_skipped(other.id, "over the budget")
    assert library.counts(experiment="e") == {"sending": 1, "not_run": 1}
    assert [entry.note for entry in library.entries("not_run")] == ["over the budget"]
    again = library.claim(song("snow"), PurchaseTerms(experiment="e"))
    assert library.cells("e") == {
        request_key(song()): planned.id,
        request_key(song("snow")): again.entry.id,
    }
    assert len(library.entries()) == 3


def test_experiments_share_purchases(library: Library) -> None:
    first = buy(library, song(), experiment="one")
    second = library.claim(song(), PurchaseTerms(experiment="two"))
    assert second.kind == "join"
    assert library.cells("one") == {request_key(song()): first.entry.id}
    assert library.cells("two") == {request_key(song()): first.entry.id}
    assert [task.id for task in library.tasks(experiment="two")] == ["t1"]
    events = library.events()
    library.claim(song(), PurchaseTerms(experiment="two"))
    assert library.events() == events


# --- resolving -----------------------------------------------------------------------------


def uncertain(library: Library, request: Request | None = None) -> int:
    claim = library.claim(request or song())
    library.record_uncertain(claim.entry.id, LostReply("lost"))
    return claim.entry.id


def test_uncertain_is_resolved_by_task_id(library: Library) -> None:
    number = uncertain(library)
    assert library.resolve(number, task_id="t9").state == "accepted"
    (unfinished,) = library.unfinished()
    assert (unfinished.task.id, unfinished.task.request, unfinished.task.expected) == (
        "t9",
        song(),
        2,
    )
    library.record_poll(number, looked(unfinished.task))
    assert library.claim(song()).kind == "have"


def test_uncertain_is_resolved_by_balance(library: Library) -> None:
    number = uncertain(library)
    with pytest.raises(InvalidTransition, match="fell by 25 but the price is 20"):
        library.resolve(number, before=100, after=75)
    with pytest.raises(InvalidTransition, match="proves neither"):
        library.resolve(number, before=100, after=120)
    assert library.resolve(number, before=Balance(50, 50), after=Balance(30, 50)).state == "failed"
    assert library.account() == Account(spent=PRICE)
    number = uncertain(library, song("snow"))
    assert library.resolve(number, before=85.0, after=85.0).state == "refused"
    assert library.account() == Account(spent=PRICE)


def test_balance_reveals_an_unknown_price(library: Library) -> None:
    number = uncertain(library, UNPRICED)
    assert library.account() == Account(unpriced=1)
    assert library.resolve(number, before=100, after=93).price == 7
    assert library.account() == Account(spent=7)


@pytest.mark.parametrize("charged", [True, False])
def test_uncertain_is_resolved_by_statement(library: Library, *, charged: bool) -> None:
    number = uncertain(library)
    entry = library.resolve(number, charged=charged)
    assert entry.state == ("failed" if charged else "refused")
    assert library.account() == Account(spent=PRICE if charged else 0)
    assert library.claim(song()).kind == "buy"
    with pytest.raises(InvalidTransition, match="nothing to resolve"):
        library.resolve(number, charged=not charged)


def test_unreported_refund_can_be_resolved(library: Library) -> None:
    number = buy(library, song()).entry.id
    library.record_poll(number, looked(acknowledged(song()), FAILED_UNSAID))
    assert library.resolve(number, before=100, after=100).refunded is True
    assert library.account() == Account(refunded=PRICE)


@pytest.mark.parametrize("charged", [True, False])
def test_forgotten_task_is_resolved_by_statement(library: Library, *, charged: bool) -> None:
    library.set_budget("b", 100)
    number = buy(library, song(), budgets=["b"]).entry.id
    entry = library.resolve(number, charged=charged)
    assert (entry.state, entry.refunded) == ("failed", not charged)
    assert library.unfinished() == []
    assert library.budgets()["b"].held == (PRICE if charged else 0)
    assert library.claim(song()).kind == "buy"


def test_resolution_needs_exactly_one_kind_of_evidence(library: Library) -> None:
    number = uncertain(library)
    with pytest.raises(InvalidTransition, match="pass one of"):
        library.resolve(number)
    with pytest.raises(InvalidTransition, match="pass one of"):
        library.resolve(number, before=3)
    with pytest.raises(InvalidTransition, match="pass one of"):
        library.resolve(number, task_id="t", charged=True)
    with pytest.raises(InvalidTransition, match="blank"):
        library.resolve(number, task_id=" ")
    assert library.entry(number).state == "uncertain"


# --- budgets -------------------------------------------------------------------------------


def test_budget_follows_the_outcome(library: Library) -> None:
    library.set_budget("b", 3 * PRICE)

    def held() -> int:
        return library.budgets()["b"].held

    refused = library.claim(song("a"), PurchaseTerms(budgets=("b",))).entry.id
    assert held() == PRICE
    library.record_refused(refused, ContentRefused("no"))
    assert held() == 0
    number = library.claim(song("a"), PurchaseTerms(budgets=("b",))).entry.id
    library.record_unsent(number, Unreachable("no host"))
    assert held() == 0
    failed = buy(library, song("a"), budgets=["b"])
    library.record_poll(failed.entry.id, looked(acknowledged(song("a")), FAILED))
    assert held() == 0
    done = buy(library, song("b"), "t2", budgets=["b"])
    library.record_poll(done.entry.id, looked(acknowledged(song("b"), "t2")))
    lost = library.claim(song("c"), PurchaseTerms(budgets=("b",)))
    library.record_uncertain(lost.entry.id, LostReply("lost"))
    assert held() == 2 * PRICE
    library.resolve(lost.entry.id, charged=False)
    assert held() == PRICE
    assert library.budgets()["b"].remaining == 2 * PRICE


def test_claim_over_budget_writes_nothing(library: Library) -> None:
    library.set_budget("all", 10 * PRICE)
    library.set_budget("tight", 2 * PRICE - 1)
    buy(library, song("a"), budgets=["all", "tight"])
    before = library.events()
    with pytest.raises(OverBudget, match=r"'tight'.* needs 20 credits, 19 of 39 are left"):
        library.claim(song("b"), PurchaseTerms(budgets=("all", "tight")))
    assert library.events() == before
    assert library.claim(song("a"), PurchaseTerms(budgets=("tight",))).kind == "join"
    assert library.budgets()["all"].held == PRICE
    library.set_budget("tight", 2 * PRICE)
    assert library.claim(song("b"), PurchaseTerms(budgets=("all", "tight"))).kind == "buy"


def test_unknown_price_is_refused_or_assumed(library: Library) -> None:
    library.set_budget("strict", 1000)
    library.set_budget("assuming", 50, assume=20)
    with pytest.raises(UnknownPrice, match=r"sonic\.unpriced is unknown"):
        library.claim(UNPRICED, PurchaseTerms(budgets=("strict",)))
    with pytest.raises(UnknownPrice):
        library.claim(UNPRICED, PurchaseTerms(budgets=("assuming", "strict")))
    download = sonic.Download(clip_id="c1", formats=["mp3"])
    with pytest.raises(UnknownPrice, match=r"set_budget accepts assume=2 \(docs of the vendor"):
        library.claim(download, PurchaseTerms(budgets=("strict",)))
    for take in (1, 2):
        assert (
            library.claim(UNPRICED, PurchaseTerms(take=take, budgets=("assuming",))).entry.reserve
            == 20
        )
    with pytest.raises(OverBudget):
        library.claim(UNPRICED, PurchaseTerms(take=3, budgets=("assuming",)))


def test_invalid_budget_is_refused(library: Library) -> None:
    with pytest.raises(InvalidArgument):
        library.set_budget("b", -1)
    with pytest.raises(Exception, match="no budget 'b'"):
        library.claim(song(), PurchaseTerms(budgets=("b",)))


@pytest.mark.parametrize("refusing", [False, True])
def test_64_threads_keep_a_budget_to_the_credit(library: Library, *, refusing: bool) -> None:
    library.set_budget("b", 20 * PRICE + PRICE - 1)
    barrier = threading.Barrier(64)

    def buy_one(number: int) -> str:
        barrier.wait()
        try:
            claim = library.claim(song(str(number)), PurchaseTerms(budgets=("b",)))
        except OverBudget:
            return "over"
        if refusing and number % 3 == 0:
            library.record_refused(claim.entry.id, ContentRefused("no"))
            return "refused"
        return claim.kind

    with ThreadPoolExecutor(64) as pool:
        kinds = list(pool.map(buy_one, range(64)))
    bought = kinds.count("buy")
    assert library.budgets()["b"].held == bought * PRICE
    assert bought <= 20 if refusing else bought == 20


def test_64_threads_buy_one_request_once(library: Library) -> None:
    barrier = threading.Barrier(64)

    def buy_one(_: int) -> str:
        barrier.wait()
        return library.claim(song()).kind

    with ThreadPoolExecutor(64) as pool:
        kinds = sorted(pool.map(buy_one, range(64)))
    assert kinds == ["buy", *itertools.repeat("join", 63)]
