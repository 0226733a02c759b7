"""Forms over the embedded simulator's real HTTP; messages come as the front end sends them."""

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest

import musicapi_nb as mnb
from musicapi_nb import account, lyrics, nuro, producer, riffusion, sonic, studio
from musicapi_nb.engines import Field, Price, Request, operations
from musicapi_nb.errors import InvalidArgument, InvalidRequest, UncertainPurchase
from musicapi_nb.notebook import Session
from musicapi_nb.simulator import Simulator
from musicapi_nb.widgets import form as form_module
from musicapi_nb.widgets.form import Form
from tests import valid_requests
from tests.valid_requests import REQUESTS

SONG = sonic.Create(custom_mode=False, mv="sonic-v5", gpt_description_prompt="rain, slow jazz")
NAMES = {
    "sonic": sonic,
    "studio": studio,
    "nuro": nuro,
    "lyrics": lyrics,
    "account": account,
    "producer": producer,
    "riffusion": riffusion,
}


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form_module, "_REST_SECONDS", 0.0)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.delenv("MUSICAPI_KEY", raising=False)
    handle = mnb.connect(simulator=Simulator(seconds=(1, 1.2), speed=2000))
    yield handle
    handle.close()


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.delenv("MUSICAPI_KEY", raising=False)
    handle = mnb.connect(
        simulator=Simulator(seconds=(1, 1.2), speed=2000), library=tmp_path / "library"
    )
    yield handle
    handle.close()


def sim(api: Session) -> Simulator:
    assert api.simulator is not None
    return api.simulator


def charges(api: Session) -> int:
    return len(sim(api).accounts.charges())


def state(form: Form) -> dict[str, Any]:
    """What the front end was told to show."""
    return dict(form._view.state)


def says(form: Form, content: Any) -> None:
    """Send a message as form.js does."""
    form._view._handle_custom_msg(content, [])


def type_in(form: Form, name: str, value: Any) -> None:
    says(form, {"kind": "typed", "name": name, "value": value, "view": "a"})


def pick(form: Form, **what: str) -> None:
    says(form, {"kind": "pick", **what})


def shown(form: Form) -> set[str]:
    return {name for name, each in state(form)["fields"].items() if each["shown"]}


def beside(form: Form, name: str) -> dict[str, Any]:
    return dict(state(form)["fields"][name])


def results(form: Form) -> list[str]:
    return [str(view) for view in form._results.children]


def click(form: Form, turn: int | None = None, price: str | None = None) -> None:
    """Send what a click sends: by default by a person who sees what there is to see."""
    seen = state(form)
    says(
        form,
        {
            "kind": "buy",
            "turn": seen["turn"] if turn is None else turn,
            "price": seen["price"] if price is None else price,
        },
    )


def when_ready(form: Form, act: Callable[[], object]) -> None:
    """Act, then wait until the button can be pressed again."""
    ready, rested = threading.Event(), threading.Event()

    def look(change: Any) -> None:
        if not change["new"]["ready"]:
            rested.set()
        elif rested.is_set():
            ready.set()

    form._view.observe(look, "state")
    act()
    assert ready.wait(30)
    form._view.unobserve(look, "state")


# --- made from declarations ----------------------------------------------------------------


@pytest.mark.parametrize("request_", REQUESTS, ids=valid_requests.NAMES)
def test_a_form_gives_back_the_request_that_it_was_made_from(
    api: Session, request_: Request
) -> None:
    form = api.form(request_)

    assert form.request == request_
    assert not [problem for problem in form.problems() if problem.hard]
    assert eval(repr(form.request), dict(NAMES)) == request_  # noqa: S307 - code to paste
    assert state(form)["ready"]
    assert api.credits().result().total == 1000


@pytest.mark.parametrize("kind", operations(), ids=lambda kind: f"{kind.engine}.{kind.__name__}")
def test_what_is_hidden_never_holds_the_button_back(api: Session, kind: type[Request]) -> None:
    form = api.form(kind)
    switches = sorted({other for wanted in kind.active_when.values() for other in wanted})
    assert set(kind.active_when) | set(switches) | set(kind.text_fields) <= set(kind.fields())
    ways = [
        (True, False)
        if kind.fields()[name].kind == "switch"
        else ("", *kind.fields()[name].choices)
        for name in switches
    ]
    seen: set[str] = set()
    for values in itertools.product(*ways):
        for name, value in zip(switches, values, strict=True):
            type_in(form, name, value)
        seen |= shown(form)
        assert {problem.field for problem in form.problems()} <= shown(form) | {""}
    assert seen == set(kind.fields())
    assert len(form._controls) == len(kind.fields())


class Hum(Request, frozen=True, kw_only=True):
    """Hum a tune; declared here only."""

    engine: ClassVar[str] = "hum"
    operation: ClassVar[str] = "hum"
    path: ClassVar[str] = "/api/v1/hum"
    songs: ClassVar[int | None] = 1
    cost: ClassVar[Price | None] = None

    tune: Annotated[str | None, Field(kind="long text", required=True, limit=9, help="Notes.")] = (
        None
    )
    speed: Annotated[float | None, Field(kind="number", minimum=1, help="Beats.")] = None


def test_an_operation_that_nobody_knew_has_a_form(api: Session) -> None:
    form = api.form(Hum)
    type_in(form, "tune", "doremifaso")
    assert "limit is 9" in beside(form, "tune")["said"]
    assert beside(form, "tune")["count"] == "10 / 9"
    type_in(form, "tune", "doremi")
    type_in(form, "speed", "1.5")
    assert form.request == Hum(tune="doremi", speed=1.5)
    assert state(form)["label"].startswith("Make 1 song, price unknown")


def test_a_counter_follows_the_chosen_model(api: Session) -> None:
    form = api.form(sonic.Create)
    type_in(form, "custom_mode", True)
    type_in(form, "prompt", "la " * 44)
    assert beside(form, "prompt")["count"] == "132 / 5,000"
    type_in(form, "mv", "sonic-v4")
    assert beside(form, "prompt")["count"] == "132 / 3,000"
    type_in(form, "tags", "spy jazz, bossa nova")
    assert beside(form, "tags")["count"] == "20 / 200"
    assert beside(form, "tags")["chips"] == ["spy jazz", "bossa nova"]


def test_a_mode_shows_what_it_needs_and_keeps_what_was_typed(api: Session) -> None:
    form = api.form(sonic.Create)
    assert {"prompt", "title", "tags"}.isdisjoint(shown(form))
    type_in(form, "gpt_description_prompt", "rain")
    type_in(form, "custom_mode", True)
    assert "gpt_description_prompt" not in shown(form)
    type_in(form, "prompt", "la la")
    assert form.request == sonic.Create(custom_mode=True, prompt="la la")
    type_in(form, "custom_mode", False)
    assert form.request == sonic.Create(custom_mode=False, gpt_description_prompt="rain")


def test_what_a_given_request_says_against_its_mode_is_not_dropped(api: Session) -> None:
    odd = sonic.Create(
        custom_mode=False, mv="sonic-v5", gpt_description_prompt="rain", title="Rain"
    )
    form = api.form(odd)
    assert form.request == odd
    assert "title" in shown(form)
    assert "a description may override it" in beside(form, "title")["said"]
    type_in(form, "custom_mode", True)
    type_in(form, "custom_mode", False)
    assert "title" not in shown(form)
    assert form.request.body().keys().isdisjoint({"title"})


def test_odd_values_stay_as_typed_and_are_problems(api: Session) -> None:
    form = api.form(nuro.Instrumental)
    type_in(form, "description", "harbour")
    type_in(form, "duration", "thirty")
    assert "should be a whole number" in beside(form, "duration")["said"].lower()
    assert not state(form)["ready"]
    type_in(form, "duration", " 30 ")
    type_in(form, "genre", ["jazz", "rock"])
    assert form.request == nuro.Instrumental(
        description="harbour", duration=30, genre=["jazz", "rock"]
    )
    assert beside(form, "genre")["count"] == "2 / 5"
    type_in(form, "version", "v2.0")
    type_in(form, "duration", "")
    type_in(form, "segments", "intro 10\nverse")
    assert "list of nuro.Segment" in beside(form, "segments")["said"]
    type_in(form, "segments", "intro 10\n\nverse 20")
    assert form.request.body()["segments"] == [
        {"name": "intro", "duration": 10},
        {"name": "verse", "duration": 20},
    ]


def test_clips_are_typed_one_after_the_other(api: Session) -> None:
    form = api.form(sonic.Mashup)
    type_in(form, "mashup_clip_ids", "c1")
    assert "at least 2 are needed" in beside(form, "mashup_clip_ids")["said"]
    assert beside(form, "mashup_clip_ids")["count"] == "1 / 2"
    type_in(form, "mashup_clip_ids", "c1, c2 ,")
    assert form.request == sonic.Mashup(custom_mode=False, mashup_clip_ids=["c1", "c2"])
    type_in(form, "mashup_clip_ids", " ")
    assert form.request.body().keys() == {"custom_mode"}


def test_a_batch_is_typed_line_by_line(api: Session) -> None:
    form = api.form(sonic.Batch)
    described: dict[str, Any] = {
        "custom_mode": False,
        "mv": "sonic-v5",
        "gpt_description_prompt": "rain",
    }
    line = json.dumps(described)
    for odd, why in (
        ("{", "Line 2 is no JSON from character 2 on"),
        ("3", "Line 2 should be a JSON object"),
        ("[" * 100_000, "Line 2 is no JSON"),
        ('{"titel": "Rain"}', "Line 2: titel: no such field"),
        ('{"extra": 3}', "Line 2: extra: "),
        ('{"cls": 3}', "Line 2: cls: no such field"),
    ):
        type_in(form, "items", f"{line}\n{odd}")
        assert beside(form, "items")["said"].startswith(why)
        assert (beside(form, "items")["tone"], beside(form, "items")["count"]) == ("bad", "2 / 10")
        assert not state(form)["ready"]
    type_in(form, "items", f'{line}\n\n{line[:-1]}, "title": "{"x" * 81}"}}')
    assert "[1] title: has 81 characters" in beside(form, "items")["said"]
    type_in(form, "items", f"{line}\n\n{line}")
    assert form.request == sonic.Batch(items=[sonic.Create(**described)] * 2)
    assert beside(form, "items")["count"] == "2 / 10"
    assert state(form)["label"] == "Make 4 songs for 40 credits"
    assert state(form)["ready"]


def test_a_fraction_can_be_left_out(api: Session) -> None:
    form = api.form(studio.Custom)
    assert form._view.held["values"]["song_section_start"] is None
    assert "song_section_start" not in form.request.body()
    type_in(form, "song_section_start", 0.25)
    assert form.request.body()["song_section_start"] == 0.25
    type_in(form, "prompt_strength", None)
    assert "prompt_strength" not in form.request.body()


def test_what_is_only_missing_is_no_reproach_until_it_was_typed_away(api: Session) -> None:
    form = api.form(sonic.Concat)
    clip = beside(form, "continue_clip_id")
    assert (clip["said"], clip["tone"]) == ("Is needed: The extended clip.", "warn")
    assert state(form)["summary"] == [["Still to do: Continue clip id.", ""]]
    type_in(form, "continue_clip_id", "c1")
    assert state(form)["ready"]
    type_in(form, "continue_clip_id", "")
    assert beside(form, "continue_clip_id")["tone"] == "bad"
    assert not state(form)["ready"]


def test_other_fields_go_through_as_json(api: Session) -> None:
    form = api.form(SONG)
    type_in(form, "extra", '{"newer": true}')
    assert form.request.extra == {"newer": True}
    assert "extra={'newer': True}" in repr(form.request)
    for wrong, words in (
        ('{"auto', "is no JSON"),
        ("[1]", "JSON object"),
        ('{"mv": 1}', "own field"),
    ):
        type_in(form, "extra", wrong)
        assert words in state(form)["summary"][0][0]
        assert not state(form)["ready"]
    type_in(form, "extra", "[1]")
    with pytest.raises(InvalidRequest, match="JSON object"):
        _ = form.request


# --- choosing ------------------------------------------------------------------------------


def test_another_operation_keeps_what_was_typed_where_names_agree(api: Session) -> None:
    form: Any = mnb.form()
    assert form._api is api  # the handle that was connected last
    assert {value for value, _ in form._view.spec["engines"]} == set(NAMES)
    assert form.request == sonic.Create(custom_mode=False)
    type_in(form, "custom_mode", True)
    type_in(form, "prompt", "la la")
    pick(form, operation="cover")
    assert form.request == sonic.Cover(custom_mode=True, prompt="la la")
    assert form._view.held["values"]["prompt"] == "la la"
    pick(form, engine="studio")
    assert form.request.body()["prompt"] == "la la"
    pick(form, engine="nuro")
    pick(form, operation="vocal")
    type_in(form, "mood", "Chill")
    pick(form, operation="instrumental")
    assert form.request == nuro.Instrumental()
    pick(form, engine="sonic")
    assert form.request == sonic.Create(custom_mode=True, prompt="la la")
    assert form._view.spec["title"] == "sonic.Create"
    for odd in ({"engine": "harp"}, {"operation": 3}, {}):
        pick(form, **odd)
        assert isinstance(form.request, sonic.Create)


def test_what_a_form_can_be_made_of(api: Session) -> None:
    assert isinstance(api.form(studio).request, studio.Custom | studio.Description)
    assert isinstance(api.form(lyrics).request, lyrics.Make)
    for wrong in (mnb, "sonic", 3):
        with pytest.raises(InvalidArgument, match="an operation, a request or an engine"):
            api.form(wrong)  # type: ignore[arg-type]  # that is the point


# --- paying --------------------------------------------------------------------------------


def test_the_button_says_price_and_balance_and_buys(api: Session) -> None:
    form = api.form(SONG)
    assert state(form)["label"] == "Make 2 songs for 20 credits"

    when_ready(form, lambda: click(form))

    assert state(form)["label"] == "Make 2 songs for 20 credits · 960 left after"
    assert form.job is not None
    assert form.job.task.state == "succeeded"
    (view,) = results(form)
    assert view.count("<audio") == 2
    assert charges(api) == 1


def test_clicks_in_one_batch_and_from_two_views_pay_once(
    api: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = api.form(SONG)
    answers: list[dict[str, Any]] = []
    monkeypatch.setattr(form._view, "send", answers.append)

    def all_at_once() -> None:
        for _ in range(3):
            click(form, turn=0)

    when_ready(form, all_at_once)
    click(form, turn=0)  # was clicked long ago, and arrives late

    assert charges(api) == 1
    assert state(form)["turn"] == 1
    assert answers == [{"kind": "no", "turn": 0}] * 3


def test_a_press_while_one_is_under_way_joins(api: Session) -> None:
    sim(api).clock.speed = 0
    form = api.form(SONG)
    click(form)
    first = form.job
    assert first is not None
    click(form)
    assert form.submit() is first
    assert state(form)["busy"]
    assert not state(form)["ready"]
    type_in(form, "gpt_description_prompt", "something else")
    assert not state(form)["ready"]

    def go_on() -> None:
        while not first.done():
            sim(api).clock.advance(5)

    when_ready(form, go_on)
    assert charges(api) == 1


def test_nothing_is_sent_for_what_the_person_did_not_see(api: Session) -> None:
    form = api.form(SONG)
    click(form, price="2 credits")
    type_in(form, "gpt_description_prompt", "")
    click(form)
    with pytest.raises(InvalidRequest, match="describe the song"):
        form.submit()
    odd: Any
    for odd in (None, [], {"kind": "buy"}, {"kind": "typed"}, {"kind": "buy", "turn": "0"}):
        says(form, odd)
    for odd in (None, 3, ["jazz"], {"a": 1}):
        type_in(form, "mv", odd)
        type_in(form, "custom_mode", odd)
    assert form.job is None
    assert sim(api).request_log.posts == []


def test_what_goes_wrong_is_said_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUSICAPI_KEY", raising=False)
    poor = mnb.connect(simulator=Simulator(seconds=(1, 1.2), speed=2000, balance=3))
    form = poor.form(SONG)
    when_ready(form, lambda: click(form))
    (view,) = results(form)
    assert "Buy credits, or ask for less." in view
    assert state(form)["label"] == "Make 2 songs for 20 credits · only 3 left"
    poor.close()
    click(form)
    assert "this session is closed" in state(form)["summary"][-1][0]
    assert charges(poor) == 0


def test_a_services_words_are_text(api: Session) -> None:
    attack = "<img src=x onerror=alert(1)>"
    sim(api).faults.arm("task_fails", message=attack)
    form = api.form(nuro.Instrumental(description=attack, duration=30))
    when_ready(form, lambda: click(form))
    (view,) = results(form)
    assert "<img src=x" not in view
    assert "&lt;img src=x" in view
    form.tell(attack)
    assert state(form)["summary"][-1] == [attack, "bad"]  # the front end shows it as text


def test_without_a_balance_the_button_only_does_not_say_it(api: Session) -> None:
    sim(api).faults.arm("garbage_body", method="GET", path="get-credits", times=None)
    form = api.form(SONG)
    when_ready(form, lambda: click(form))
    assert state(form)["label"] == "Make 2 songs for 20 credits"


def test_each_press_buys_the_next_take(kept: Session) -> None:
    kept.run(SONG).result()
    form = kept.form(SONG)
    when_ready(form, lambda: click(form))
    when_ready(form, lambda: click(form))

    assert kept.library is not None
    assert [entry.take for entry in kept.library.entries()] == [1, 2, 3]
    assert charges(kept) == 3
    assert "take=3)" in results(form)[-1]
    again = kept.run(SONG, take=3).result()
    assert form.job is not None
    assert [song.id for song in again.songs] == [song.id for song in form.job.task.songs]
    assert charges(kept) == 3


def test_a_take_whose_reply_was_lost_is_asked_about_not_passed_over(kept: Session) -> None:
    sim(kept).faults.arm("lost_reply")
    form = kept.form(SONG)
    when_ready(form, lambda: click(form))
    when_ready(form, lambda: click(form))

    assert charges(kept) == 1
    assert isinstance(form.job, mnb.Job)
    assert isinstance(form.job.exception(), UncertainPurchase)
    assert "resolve" in results(form)[-1]


# --- how it shows itself -------------------------------------------------------------------


def test_it_reads_well_without_widgets(api: Session, capsys: pytest.CaptureFixture[str]) -> None:
    form = api.form(SONG)
    text = (
        "<Form sonic.Create(custom_mode=False, mv='sonic-v5', "
        "gpt_description_prompt='rain, slow jazz'): Make 2 songs for 20 credits>"
    )
    assert repr(form) == text
    assert repr(api.form(sonic.Concat)) == "<Form sonic.Concat(): 1 to mend>"
    static = form._repr_html_()
    assert "rain, slow jazz" in static
    assert "Run its cell to type into it." in static
    assert "api.run(request) buys it" in static
    assert "<style" not in static
    assert "api.run(sonic.Create(" in state(form)["code"]
    form._ipython_display_()
    assert capsys.readouterr().out == text + "\n"
    assert form.widget.children == (form._view, form._results)
