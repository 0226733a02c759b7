"""Outcomes that come late, twice, or as values of another type."""

import datetime as dt
import decimal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from musicapi_nb import Price
from musicapi_nb.errors import InvalidArgument, InvalidTransition, LostReply
from musicapi_nb.library import Library, PurchaseTerms
from musicapi_nb.tasks import Task
from tests.library.helpers import (
    FAILED,
    FAILED_UNSAID,
    PRICE,
    Unpriced,
    acknowledged,
    buy,
    looked,
    rebuilt_is_the_same,
    song,
)

KEPT = {**FAILED, "refund_processed": False}


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path) as opened:
        opened.set_budget("b", 1000, assume=2)
        yield opened
        rebuilt_is_the_same(opened)


@pytest.mark.parametrize(
    ("replies", "refunded"),
    [
        ([FAILED_UNSAID, FAILED], True),
        ([KEPT, FAILED], True),
        ([FAILED_UNSAID, KEPT, FAILED], True),
        ([FAILED, KEPT], True),
        ([FAILED, FAILED], True),
        ([FAILED, FAILED_UNSAID], True),
        ([KEPT, FAILED_UNSAID], False),
        ([KEPT, KEPT], False),
    ],
)
def test_refund_is_counted_once_whenever_it_is_reported(
    library: Library, replies: list[Any], *, refunded: bool
) -> None:
    number = buy(library, song(), budgets=("b",)).entry.id
    for response in replies:
        library.record_poll(number, looked(acknowledged(song()), response))
    entry, account = library.entry(number), library.account()
    assert (entry.state, entry.refunded) == ("failed", refunded)
    spent = 0 if refunded else PRICE
    assert (account.spent, account.refunded) == (spent, PRICE - spent)
    assert library.budgets()["b"].held == spent


def test_refund_of_a_purchase_that_a_person_had_settled_is_counted(library: Library) -> None:
    number = buy(library, song(), budgets=("b",)).entry.id
    library.record_poll(number, looked(acknowledged(song()), FAILED_UNSAID))
    library.resolve(number, charged=True)
    library.record_poll(number, looked(acknowledged(song()), FAILED))
    assert (library.account().spent, library.account().refunded) == (0, PRICE)
    assert library.budgets()["b"].held == 0


def test_repost_is_released_once(library: Library) -> None:
    """Another process took the sender for dead, and a person settled the repost meanwhile."""
    chart = Unpriced()
    claim = library.claim(chart, PurchaseTerms(budgets=("b",)))
    waiting = Task(engine="sonic", operation="unpriced", request=chart)
    library.record_accepted(claim.entry.id, waiting)
    library.claim_repost(chart)
    library.record_poll(claim.entry.id, waiting)
    library.claim_repost(chart)
    assert library.budgets()["b"].held == 6
    library.record_uncertain(claim.entry.id, LostReply("lost", may_have_cost=True))
    library.resolve(claim.entry.id, charged=False)
    library.record_unchanged(claim.entry.id)
    assert library.budgets()["b"].held == 4


@pytest.mark.parametrize("credits_", [10**30, 1e300, float("inf"), float("nan"), -1, 2.5, "10"])
def test_limit_that_cannot_be_counted_is_refused(library: Library, credits_: Any) -> None:
    for numbers in ({"credits_": credits_}, {"credits_": 1, "assume": credits_}):
        with pytest.raises(InvalidArgument):
            library.set_budget("c", **numbers)
    assert set(library.budgets()) == {"b"}


class Computed(Unpriced, frozen=True, kw_only=True):
    """An operation whose class computes its price."""

    operation: ClassVar[str] = "computed"
    _figure: ClassVar[Any] = None

    def price(self) -> Any:
        return self._figure


NO_PRICES = [-5, 2.5, "20", float("nan"), float("inf"), True, 10**30]


@pytest.mark.parametrize("figure", NO_PRICES)
def test_price_that_would_widen_a_budget_is_refused(
    library: Library, monkeypatch: pytest.MonkeyPatch, figure: Any
) -> None:
    monkeypatch.setattr(Computed, "_figure", figure)
    for terms in (PurchaseTerms(budgets=("b",)), PurchaseTerms()):
        with pytest.raises(InvalidArgument, match="not a number of credits"):
            library.claim(Computed(), terms)
    assert library.entries() == []
    assert library.budgets()["b"].held == 0


@pytest.mark.parametrize("figure", [*NO_PRICES[:-1], None, pd.NA])
def test_declared_price_is_a_whole_number(figure: Any) -> None:
    with pytest.raises(InvalidArgument, match="whole number"):
        Price(figure, dt.date(2026, 1, 1), "a guess")


@pytest.mark.parametrize("figure", [20, 20.0, np.int64(20), decimal.Decimal(20)])
def test_declared_price_may_be_of_any_number_type(figure: Any) -> None:
    assert type(Price(figure, dt.date(2026, 1, 1), "a page").credits) is int


# --- values of other types -------------------------------------------------------------------


@pytest.fixture
def uncertain(library: Library) -> int:
    number = library.claim(song()).entry.id
    library.record_uncertain(number, LostReply("lost", may_have_cost=True))
    return number


@pytest.mark.parametrize(
    ("evidence", "refunded"),
    [
        ({"charged": np.True_}, False),
        ({"charged": np.False_}, None),
        ({"before": decimal.Decimal(100), "after": decimal.Decimal(80)}, False),
        ({"before": np.int64(100), "after": np.float64(80)}, False),
        ({"before": pd.Series([100])[0], "after": 100}, None),
    ],
)
@pytest.mark.parametrize("kind", [int, np.int64, float])
def test_evidence_may_be_of_any_number_type(
    library: Library, uncertain: int, kind: type, evidence: dict[str, Any], refunded: object
) -> None:
    entry = library.resolve(kind(uncertain), **evidence)
    assert (entry.state, entry.refunded) == ("refused" if refunded is None else "failed", refunded)
    assert library.entry(kind(uncertain)) == entry
    assert library.request(kind(uncertain)) == song()
    assert library.events(kind(uncertain)) == library.events(uncertain)


@pytest.mark.parametrize(
    "evidence",
    [
        {"charged": "no"},
        {"charged": 0},
        {"charged": pd.NA},
        {"task_id": 7},
        {"before": "100", "after": "80"},
        {"before": float("nan"), "after": 80},
        {"before": 100, "after": float("inf")},
        {"before": 100, "after": True},
        {"before": pd.NA, "after": 80},
    ],
    ids=str,
)
def test_other_evidence_settles_nothing(
    library: Library, uncertain: int, evidence: dict[str, Any]
) -> None:
    with pytest.raises(InvalidArgument):
        library.resolve(uncertain, **evidence)
    assert library.entry(uncertain).state == "uncertain"


@pytest.mark.parametrize("number", ["1", 1.5, True, pd.NA, 10**30, -1])
def test_other_entry_number_is_reported(library: Library, uncertain: int, number: Any) -> None:
    for call in (library.entry, library.task, library.request, library.events):
        with pytest.raises(InvalidTransition, match="has no entry"):
            call(number)
    assert library.entry(uncertain).state == "uncertain"
