"""Values of numpy, pandas, Decimal and enumerations are sent as what they stand for, or refused."""

import enum
import json
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

import musicapi_nb as mnb
from musicapi_nb import nuro, sonic
from musicapi_nb.engines.values import parse_seconds, whole_number
from musicapi_nb.errors import InvalidArgument, InvalidRequest
from musicapi_nb.library import Library, request_key
from musicapi_nb.notebook.session import Session

FIELDS: dict[str, Any] = {"custom_mode": True, "mv": "sonic-v5", "prompt": "la", "title": "t"}


class Style(enum.StrEnum):
    JAZZ = "jazz"


class Seconds(enum.Enum):
    SHORT = 30


class Named(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "a label for people"


TEXTS = [np.str_("jazz"), Style.JAZZ, Named("jazz"), np.array("jazz"), pd.Series(["jazz"]).iloc[0]]
WHOLE = [
    np.int64(30),
    np.uint8(30),
    np.array(30),
    Decimal(30),
    Decimal("30.0"),
    Seconds.SHORT,
    pd.Series([30, None], dtype="Int64").iloc[0],
]
HALVES = [
    np.float64(0.5),
    np.float16(0.5),
    np.longdouble(0.5),
    Decimal("0.50"),
    Fraction(1, 2),
    pd.DataFrame({"x": [0.5]})["x"].mean(),
]
SWITCHES = [np.bool_(True), pd.Series([True]).iloc[0], np.array([1, 2]).max() == 2]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    session = mnb.connect(library=tmp_path_factory.mktemp("plain") / "library")
    yield session
    session.close()


@pytest.mark.parametrize(
    ("request_type", "name", "values", "plain"),
    [
        (sonic.Create, "tags", TEXTS, "jazz"),
        (nuro.Instrumental, "duration", WHOLE, 30),
        (sonic.Create, "style_weight", HALVES, 0.5),
        (sonic.Create, "make_instrumental", SWITCHES, True),
    ],
    ids=["texts", "whole numbers", "halves", "switches"],
)
def test_values_are_those_of_a_plain_request(
    request_type: type[Any], name: str, values: list[Any], plain: Any
) -> None:
    fields = FIELDS if request_type is sonic.Create else {"description": "rain"}
    expected = request_type(**fields, **{name: plain})
    for value in values:
        request = request_type(**fields, **{name: value})
        assert request == expected
        assert type(getattr(request, name)) is type(plain)
        assert repr(request) == repr(expected)
        assert request_key(request) == request_key(expected)
        request.check()
        assert json.dumps(request.body()) == json.dumps(expected.body())


def test_values_inside_lists_and_undeclared_fields_are_converted() -> None:
    for clips in (pd.Series(["one", "two"]), np.array(["one", "two"]), pd.Index(["one", "two"])):
        assert sonic.Mashup(mashup_clip_ids=clips).mashup_clip_ids == ["one", "two"]  # type: ignore[arg-type]
    request = sonic.Create(**FIELDS, extra={np.str_("new"): [np.int64(1), {"x": np.arange(2)}]})
    assert request.extra == {"new": [1, {"x": [0, 1]}]}
    request.check()
    large = sonic.Create(**FIELDS, extra={"id": Decimal(2**63 - 1), "x": Decimal("1E+999999")})
    assert large.extra == {"id": 2**63 - 1, "x": float("inf")}  # all digits
    changed = msgspec.structs.replace(request, tags=np.str_("spy"))
    assert type(changed.tags) is str
    ten: Any = np.int64(10)
    segment = nuro.Segment(name=np.str_("verse"), duration=ten)
    assert msgspec.json.encode(segment) == b'{"name":"verse","duration":10}'


@pytest.mark.parametrize(
    "value",
    [pd.NA, pd.NaT, np.nan, Decimal("NaN"), Decimal("1E+999999"), np.complex128(1), np.eye(2), 1j],
)
def test_value_without_plain_form_is_refused_with_its_field(value: Any, session: Session) -> None:
    with pytest.raises(InvalidRequest, match="duration: should be a") as caught:
        session.run(nuro.Instrumental(description="rain", duration=value)).result()
    assert "\n" not in str(caught.value)


def test_song_of_a_frame_is_extended_and_rated(session: Session) -> None:
    song = session.run(sonic.Create(**FIELDS)).result().songs[0]
    assert session.library is not None
    frame = mnb.songs_frame(session.library)
    half = frame["duration"].iloc[0] / 2
    extended = session.run(song.extend(continue_at=half, prompt="more")).result()
    assert extended.state == "succeeded"
    stars: Any = np.int64(4)
    assert session.library.rate(song, stars).stars == 4


def test_take_of_numpy_is_the_same_take(session: Session) -> None:
    beat = nuro.Instrumental(description="rain", duration=30)
    first = session.run(beat, take=2).result()
    takes: list[Any] = [np.int64(2), Decimal(2), np.array(2)]
    for take in takes:
        again = session.run(beat, take=take).result()
        assert (again.id, again.bought_before) == (first.id, True)
    for take in [np.float64(2.5), np.bool_(True), pd.NA]:
        with pytest.raises(InvalidRequest, match="take: must be a whole number"):
            session.run(beat, take=take).result()  # type: ignore[arg-type]


@pytest.mark.parametrize("limit", [np.int64(15), Decimal(15), 15.0], ids=range(3))
def test_spend_limit_of_another_type_holds(tmp_path: Path, limit: Any) -> None:
    session = mnb.connect(library=tmp_path / "library", spend_limit=limit)
    try:
        assert session.library is not None
        (budget,) = session.library.budgets().values()
        assert (budget.credits, type(budget.credits)) == (15, int)
        with pytest.raises(mnb.MusicAPIError, match="needs 20 credits"):
            session.run(sonic.Create(**FIELDS)).result()
    finally:
        session.close()


@pytest.mark.parametrize(
    "limit", ["15", pd.NA, np.nan, -1, 1.5, np.bool_(True), np.inf], ids=range(7)
)
def test_other_spend_limit_is_refused(tmp_path: Path, limit: Any) -> None:
    with pytest.raises(InvalidRequest, match="spend_limit: must be"):
        mnb.connect(library=tmp_path / "library", spend_limit=limit)
    assert not (tmp_path / "library").exists()
    with Library(tmp_path / "other") as library, pytest.raises(InvalidArgument, match="budget"):
        library.set_budget("b", limit)


def test_plan_takes_the_same_values() -> None:
    whole: Any = np.int64(2)
    factors = {"style_weight": np.linspace(0, 1, 3), "tags": [Style.JAZZ, np.str_("spy")]}
    plan = mnb.Plan.grid(sonic.Create, base=FIELDS, factors=factors, repeats=whole, seed=whole + 1)
    plain = mnb.Plan.grid(
        sonic.Create,
        base=FIELDS,
        factors={"style_weight": [0.0, 0.5, 1.0], "tags": ["jazz", "spy"]},
        repeats=2,
        seed=3,
    )
    assert plan.cells == plain.cells
    for pace in (np.float32(3), Decimal(3), np.int64(3)):
        value: Any = pace
        assert plan.dry_run(np.int64(100), pace=value) == plain.dry_run(100, pace=3)
    (cell,) = mnb.Plan.grid(sonic.Create, base=FIELDS, factors={"style_weight": [Decimal("0.5")]})
    assert (cell.request.body()["style_weight"], dict(cell.levels)) == (0.5, {"style_weight": 0.5})


@pytest.mark.parametrize(
    ("value", "minimum", "number"),
    [(3, 0, 3), (3.0, 0, 3), (2.5, 0, None), (True, 0, None), ("3", 0, None), (0, 1, None)],
)
def test_whole_number(value: Any, minimum: int, number: int | None) -> None:
    assert whole_number(value, minimum) == number


@pytest.mark.parametrize(
    "duration", [30.0, np.float64(30), np.float32(30), np.float16(30)], ids=range(4)
)
def test_whole_number_of_a_column_with_gaps_is_an_integer(duration: Any) -> None:
    request = nuro.Instrumental(description="rain", duration=duration)
    assert request == nuro.Instrumental(description="rain", duration=30)
    assert type(request.duration) is int
    request = nuro.Instrumental(description="rain", duration=duration + duration / 60)
    assert [problem.field for problem in request.problems() if problem.hard] == ["duration"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30),
        (" 30 s", 30),
        ("30sec", 30),
        ("1,5", 1.5),
        ("1.5s", 1.5),
        ("2:30", 150),
        ("02:05,5", 125.5),
        ("1:02:30", 3750),
        ("2 min", 120),
        ("2m30s", 150),
        ("2 min 30", 150),
        ("0:90", 90),
    ],
)
def test_durations_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds
    assert isinstance(parse_seconds(text), int) == (seconds % 1 == 0)


@pytest.mark.parametrize(
    "text", ["", " ", "abc", "2:", ":30", "-5", "1:2:3:4", "s", "1e3", "2:3 min"]
)
def test_other_texts_are_not_durations(text: str) -> None:
    with pytest.raises(ValueError, match="not a number of seconds"):
        parse_seconds(text)
