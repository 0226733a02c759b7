"""polling: when to ask next."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musicapi_nb import polling

engines = st.sampled_from(
    ["sonic", "studio", "nuro", "producer", "riffusion", "unheard-of", "", None]
)


@pytest.mark.parametrize(("engine", "low", "high"), [("sonic", 15, 25), ("nuro", 5, 10),
                                                     ("producer", 5, 10)])  # fmt: skip
def test_a_young_task_is_asked_about_as_its_docs_recommend(
    engine: str, low: float, high: float
) -> None:
    assert low <= polling.pause(engine, 0.0) <= high


@given(engines, st.floats(0, 1e9))
def test_a_pause_is_neither_hasty_nor_endless(engine: str | None, age: float) -> None:
    assert 5.0 <= polling.pause(engine, age) <= 60.0


@given(engines, st.floats(0, 1e6), st.floats(0, 1e6))
def test_older_tasks_are_asked_about_more_rarely(
    engine: str | None, one: float, other: float
) -> None:
    assert polling.pause(engine, min(one, other)) <= polling.pause(engine, max(one, other))


def test_a_usual_task_is_noticed_soon_after_it_is_done() -> None:
    for engine in ("sonic", "nuro"):
        usual = polling.usual(engine)
        assert usual is not None
        assert polling.pause(engine, usual[1]) <= max(usual[1] / 5, 15.0)


@given(engines)
def test_what_is_usual_is_a_range_or_not_known(engine: str | None) -> None:
    usual = polling.usual(engine)
    assert usual is None or (0 < usual[0] <= usual[1] and math.isfinite(usual[1]))


def test_nothing_is_said_where_nothing_is_published() -> None:
    assert polling.usual("studio") is None
    assert polling.usual(None) is None
