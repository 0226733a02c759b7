"""Forms with the embedded simulator over HTTP; messages are those of the page."""

import itertools
import json
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
import pytest

import musicapi_nb as mnb
from musicapi_nb import account, lyrics, nuro, producer, riffusion, sonic, studio
from musicapi_nb.engines import Field, Price, Request, operations
from musicapi_nb.errors import InvalidArgument, InvalidRequest, UncertainPurchase
from musicapi_nb.notebook import Session
from musicapi_nb.simulator import Simulator
from musicapi_nb.widgets.form import Form
from musicapi_nb.widgets.form import form as form_module
from tests import valid_requests
from tests.valid_requests import REQUESTS

NURO_MAY_BE_GONE = (
    "May be gone: deprecated, and retired (410) on the sibling host; it may be retired here too."
)
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
def _no_double_click_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form_module, "_DOUBLE_CLICK_SECONDS", 0.0)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.delenv("MUSICAPI_KEY", raising=False)
    session = mnb.connect(simulator=Simulator(seconds=(1, 1.2), speed=2000))
    yield session
    session.close()


@pytest.fixture
def api_with_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.delenv("MUSICAPI_KEY", raising=False)
    session = mnb.connect(
        simulator=Simulator(seconds=(1, 1.2), speed=2000), library=tmp_path / "library"
    )
    yield session
    session.close()


def sim(api: Session) -> Simulator:
    assert api.simulator is not None
    return api.simulator


def charges(api: Session) -> int:
    return len(sim(api).accounts.charges())


def state(form: Form) -> dict[str, Any]:
    """Return what the page draws."""
    return dict(form._view.state)


def send(form: Form, content: Any) -> None:
    """Send a message as form.js does."""
    form._view._handle_custom_msg(content, [])


def type_in(form: Form, name: str, value: Any) -> None:
    send(form, {"kind": "typed", "name": name, "value": value, "view": "a"})


def pick(form: Form, **choice: str) -> None:
    send(form, {"kind": "pick", **choice})


def visible_fields(form: Form) -> set[str]:
    return {name for name, field in state(form)["fields"].items() if field["shown"]}


def field_state(form: Form, name: str) -> dict[str, Any]:
    return dict(state(form)["fields"][name])


def results(form: Form) -> list[str]:
    """Return what the page shows below the form, newest first."""
    return list(form._results.cards)


def click(form: Form, turn: int | None = None, price: str | None = None) -> None:
    """Send what a click sends; by default with the turn and price that the page shows."""
    current = state(form)
    send(
        form,
        {
            "kind": "buy",
            "turn": current["turn"] if turn is None else turn,
            "price": current["price"] if price is None else price,
        },
    )


def act_and_wait(form: Form, act: Callable[[], object]) -> None:
    """Act, then wait until the button can be pressed again."""
    ready, paused = threading.Event(), threading.Event()

    def on_change(change: Any) -> None:
        if not change["new"]["ready"]:
            paused.set()
        elif paused.is_set():
            ready.set()

    form._view.observe(on_change, "state")
    act()
    assert ready.wait(30)
    form._view.unobserve(on_change, "state")


# --- fields --------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", REQUESTS, ids=valid_requests.NAMES)
def test_form_returns_its_start_request(api: Session, request_: Request) -> None:
    form = api.form(request_)

    assert form.request == request_
    assert not [problem for problem in form.problems() if problem.hard]
    assert eval(repr(form.request), dict(NAMES)) == request_  # noqa: S307 - code to paste
    assert state(form)["ready"]
    assert api.credits().result().total == 1000


@pytest.mark.parametrize("kind", operations(), ids=lambda kind: f"{kind.engine}.{kind.__name__}")
def test_hidden_field_never_blocks_button(api: Session, kind: type[Request]) -> None:
    form = api.form(kind)
    switches = sorted({switch for conditions in kind.active_when.values() for switch in conditions})
    assert set(kind.active_when) | set(switches) | set(kind.text_fields) <= set(kind.fields())
    options = [
        (True, False)
        if kind.fields()[name].kind == "switch"
        else ("", *kind.fields()[name].choices)
        for name in switches
    ]
    seen_fields: set[str] = set()
    for values in itertools.product(*options):
        for name, value in zip(switches, values, strict=True):
            type_in(form, name, value)
        seen_fields |= visible_fields(form)
        assert {problem.field for problem in form.problems()} <= visible_fields(form) | {""}
    assert seen_fields == set(kind.fields())
    assert len(form._controls) == len(kind.fields())


class Hum(Request, frozen=True, kw_only=True):
    """An operation that only these tests declare."""

    engine: ClassVar[str] = "hum"
    operation: ClassVar[str] = "hum"
    path: ClassVar[str] = "/api/v1/hum/make"
    songs: ClassVar[int | None] = 1
    cost: ClassVar[Price | None] = None

    tune: Annotated[str | None, Field(kind="long text", required=True, limit=9, help="Notes.")] = (
        None
    )
    speed: Annotated[float | None, Field(kind="number", minimum=1, help="Beats.")] = None


def test_new_operation_has_form(api: Session) -> None:
    form = api.form(Hum)
    type_in(form, "tune", "doremifaso")
    assert "1 character too many (10 of 9)" in field_state(form, "tune")["message"]
    assert field_state(form, "tune")["count"] == ""  # the message says it
    type_in(form, "tune", "doremi")
    type_in(form, "speed", "1.5")
    assert form.request == Hum(tune="doremi", speed=1.5)
    assert state(form)["label"].startswith("Make 1 song, price unknown")
    label = state(api.form(sonic.Mashup))["label"]
    assert label.startswith("Make 2 songs, price unknown (perhaps 14)")


def test_counter_follows_model(api: Session) -> None:
    form = api.form(sonic.Create)
    type_in(form, "custom_mode", True)
    type_in(form, "prompt", "la " * 44)
    assert field_state(form, "prompt")["count"] == "132 / 5,000"
    type_in(form, "mv", "sonic-v4")
    assert field_state(form, "prompt")["count"] == "132 / 3,000"
    type_in(form, "tags", "spy jazz, bossa nova")
    assert field_state(form, "tags")["count"] == "20 / 200"
    assert field_state(form, "tags")["chips"] == ["spy jazz", "bossa nova"]


def test_mode_shows_its_fields_and_keeps_values(api: Session) -> None:
    form = api.form(sonic.Create)
    assert "prompt" not in visible_fields(form)
    assert {"title", "tags"} <= visible_fields(form)
    type_in(form, "gpt_description_prompt", "rain")
    type_in(form, "custom_mode", True)
    assert "gpt_description_prompt" not in visible_fields(form)
    type_in(form, "prompt", "la la")
    assert form.request == sonic.Create(custom_mode=True, mv="sonic-v6", prompt="la la")
    type_in(form, "custom_mode", False)
    assert form.request == sonic.Create(
        custom_mode=False, mv="sonic-v6", gpt_description_prompt="rain"
    )


def test_start_value_ignored_by_mode_is_kept(api: Session) -> None:
    request = sonic.Create(
        custom_mode=False, mv="sonic-v6", gpt_description_prompt="rain", prompt="la"
    )
    form = api.form(request)
    assert form.request == request
    assert "prompt" in visible_fields(form)
    assert "a description may override it" in field_state(form, "prompt")["message"]
    type_in(form, "custom_mode", True)
    type_in(form, "custom_mode", False)
    assert "prompt" not in visible_fields(form)
    assert form.request.body().keys().isdisjoint({"prompt"})


def test_unparsable_values_stay_as_typed_and_are_problems(api: Session) -> None:
    form = api.form(nuro.Instrumental)
    type_in(form, "description", "harbour")
    wish = "seconds, please: 30, or 2:30."
    for text, start in (("thirty", "A number of"), ("2:3x", "A number of"), ("1,5", "A whole")):
        type_in(form, "duration", text)
        assert field_state(form, "duration")["message"].startswith(start)
        assert field_state(form, "duration")["message"].endswith(wish)
        assert not state(form)["ready"]
        assert state(form)["summary"] == [[NURO_MAY_BE_GONE, "warn"], ["Please check: Length.", ""]]
    type_in(form, "duration", " 30s ")
    assert field_state(form, "duration")["count"] == "= 30 s"
    type_in(form, "genre", ["jazz", "rock"])
    assert form.request == nuro.Instrumental(
        description="harbour", duration=30, genre=["jazz", "rock"]
    )
    assert field_state(form, "genre")["count"] == "2 / 5"
    type_in(form, "version", "v2.0")
    type_in(form, "duration", "")
    type_in(form, "segments", "intro 10\nverse")
    assert "its name and seconds" in field_state(form, "segments")["message"]
    type_in(form, "segments", "intro 10\n\nverse 20")
    assert form.request.body()["segments"] == [
        {"name": "intro", "duration": 10},
        {"name": "verse", "duration": 20},
    ]


def test_clips_are_typed_with_commas(api: Session) -> None:
    form = api.form(sonic.Mashup)
    type_in(form, "mashup_clip_ids", "c1")
    assert "at least 2 are needed" in field_state(form, "mashup_clip_ids")["message"]
    assert field_state(form, "mashup_clip_ids")["count"] == "1 / 2"
    type_in(form, "mashup_clip_ids", "c1, c2 ,")
    assert form.request.body()["mashup_clip_ids"] == ["c1", "c2"]
    type_in(form, "mashup_clip_ids", " ")
    assert form.request == sonic.Mashup(custom_mode=False, mv="sonic-v6")


def test_batch_is_typed_line_by_line(api: Session) -> None:
    form = api.form(sonic.Batch)
    described: dict[str, Any] = {
        "custom_mode": False,
        "mv": "sonic-v5",
        "gpt_description_prompt": "rain",
    }
    line = json.dumps(described)
    for line_2, message in (
        ("{", "Line 2 is not valid JSON at character 2"),
        ("3", "Line 2 should be a JSON object"),
        ("[" * 100_000, "Line 2 is not valid JSON"),
        ('{"titel": "Rain"}', "Line 2: titel: no such field"),
        ('{"extra": 3}', "Line 2: extra: "),
        ('{"cls": 3}', "Line 2: cls: no such field"),
    ):
        type_in(form, "items", f"{line}\n{line_2}")
        assert field_state(form, "items")["message"].startswith(message)
        assert (field_state(form, "items")["tone"], field_state(form, "items")["count"]) == (
            "bad",
            "2 / 10",
        )
        assert not state(form)["ready"]
    type_in(form, "items", f'{line}\n\n{line[:-1]}, "title": "{"x" * 81}"}}')
    assert "[1] title: 1 character too many (81 of 80)" in field_state(form, "items")["message"]
    type_in(form, "items", f"{line}\n\n{line}")
    assert form.request == sonic.Batch(items=[sonic.Create(**described)] * 2)
    assert field_state(form, "items")["count"] == "2 / 10"
    assert state(form)["label"] == "Make 4 songs for 40 credits"
    assert state(form)["ready"]


def test_fraction_can_be_left_out(api: Session) -> None:
    form = api.form(studio.Custom)
    assert form._view.held["values"]["song_section_start"] is None
    assert "song_section_start" not in form.request.body()
    type_in(form, "song_section_start", 0.25)
    assert form.request.body()["song_section_start"] == 0.25
    type_in(form, "prompt_strength", None)
    assert "prompt_strength" not in form.request.body()


def test_missing_field_turns_red_only_after_editing(api: Session) -> None:
    form = api.form(sonic.Concat)
    clip = field_state(form, "continue_clip_id")
    assert (clip["message"], clip["tone"]) == ("The extension; the service knows its original.", "")
    assert state(form)["summary"] == [["Missing: Extension.", ""]]
    type_in(form, "continue_clip_id", "c1")
    assert state(form)["ready"]
    type_in(form, "continue_clip_id", "")
    assert field_state(form, "continue_clip_id")["tone"] == "bad"
    assert field_state(form, "continue_clip_id")["message"].startswith("Missing. The extension")
    assert not state(form)["ready"]


def test_other_fields_are_json(api: Session) -> None:
    form = api.form(SONG)
    type_in(form, "extra", '{"newer": true}')
    assert form.request.extra == {"newer": True}
    assert "extra={'newer': True}" in repr(form.request)
    for text, message in (
        ('{"auto', "is not valid JSON"),
        ("[1]", "JSON object"),
        ('{"mv": 1}', "field of this operation"),
    ):
        type_in(form, "extra", text)
        assert message in state(form)["summary"][0][0]
        assert not state(form)["ready"]
    type_in(form, "extra", "[1]")
    with pytest.raises(InvalidRequest, match="JSON object"):
        _ = form.request


def test_messages_name_fields_by_their_labels(api: Session) -> None:
    form = api.form(sonic.ReplaceSection)
    type_in(form, "clip_id", "c1")
    type_in(form, "infill_start_s", "2:30")
    type_in(form, "infill_end_s", "2:00")
    assert field_state(form, "infill_end_s")["message"] == "Should be later than “Section from”."
    message = "The words of the whole song. The service may want this."
    assert field_state(form, "prompt")["message"] == message

    form = api.form(sonic.Create)
    assert (
        field_state(form, "gpt_description_prompt")["message"]
        == "Say what the song should be like."
    )
    type_in(form, "custom_mode", True)
    wish = "Give lyrics, or set “Instrumental (no vocals)”."
    assert field_state(form, "prompt")["message"] == wish
    for name, text in (("prompt", "x" * 10_003), ("title", "x" * 81)):
        type_in(form, name, text)
    message = "5,003 characters too many (10,003 of 5,000)."
    assert field_state(form, "prompt")["message"] == message
    assert state(form)["summary"] == [["Too long: Lyrics, Title.", ""]]
    type_in(form, "prompt", "")
    assert state(form)["summary"] == [["Missing: Lyrics. · Too long: Title.", ""]]

    form = api.form(sonic.Extend(mv="sonic-v6", continue_clip_id="c1"))
    message = "Where in the song the new part starts. The service may want this."
    assert field_state(form, "continue_at")["message"] == message


def test_rare_fields_are_folded_until_they_matter(api: Session) -> None:
    form = api.form(sonic.Create)
    advanced = [field["label"] for field in form._view.spec["fields"] if field["advanced"]]
    assert "Style influence" in advanced
    assert not {"Description", "Lyrics", "Styles", "Title", "Model", "Mode"} & set(advanced)
    assert not state(form)["unfolded"]
    type_in(form, "duration", "2:30")
    assert form.request.body()["duration"] == 150
    assert state(form)["unfolded"]
    type_in(form, "duration", "")
    assert not state(form)["unfolded"]
    assert state(api.form(sonic.Create(vocal_gender="f")))["unfolded"]
    assert not state(api.form(studio.Custom))["unfolded"]  # presets are no values of a person


def test_durations_are_shown_in_minutes(api: Session) -> None:
    request = sonic.Extend(mv="sonic-v6", continue_clip_id="c1", continue_at=95.5, duration=150)
    held = api.form(request)._view.held["values"]
    assert (held["continue_at"], held["duration"]) == ("1:35.5", "2:30")
    assert api.form(request).request == msgspec.structs.replace(request, custom_mode=False)


def test_picker_finds_songs_of_the_library(api_with_library: Session) -> None:
    api = api_with_library
    for title, style in (("Tin Roof", "slow jazz"), ("<b>Sea</b>", "shanty")):
        request = sonic.Create(
            custom_mode=True, mv="sonic-v6", prompt="la", title=title, tags=style
        )
        api.run(request).result()
    sea, tin = (str(song.id) for song in (api.songs()[0], api.songs()[-1]))
    form = api.form(sonic.Mashup(mashup_clip_ids=[tin]))
    assert form._view.songs[tin]["title"] == "Tin Roof"  # the picker shows it at once

    def find(text: str) -> list[str]:
        replies: queue.SimpleQueue[Any] = queue.SimpleQueue()
        form._view.send = lambda content, *_: replies.put(content)
        send(form, {"kind": "find", "name": "mashup_clip_ids", "text": text, "view": "a"})
        reply = replies.get(timeout=120)
        assert (reply["kind"], reply["text"], reply["view"]) == ("songs", text, "a")
        assert all(song["cover"].startswith(("data:image/", "http")) for song in reply["songs"])
        return [song["title"] for song in reply["songs"]]

    assert find("") == ["<b>Sea</b>"] * 2 + ["Tin Roof"] * 2  # newest first
    assert find("roof JAZZ") == ["Tin Roof"] * 2
    assert find(sea) == ["<b>Sea</b>"]
    assert find("no such song") == []
    type_in(form, "mashup_clip_ids", f"{tin}, {sea}")
    assert {song["title"] for song in form._view.songs.values()} == {"Tin Roof", "<b>Sea</b>"}
    assert form.request.body()["mashup_clip_ids"] == [tin, sea]
    type_in(form, "mashup_clip_ids", "elsewhere-1")
    assert [song["title"] for song in form._view.songs.values()] == ["elsewhere-1"]
    assert form._picker.find("", "producer") == []


def test_button_label_describes_its_action(api: Session) -> None:
    for kind, label in (
        (lyrics.Make, "Write lyrics for 2 credits"),
        (sonic.StemsBasic, "Separate the tracks for 30 credits"),
        (sonic.AddVocals, "Make songs for 15 credits"),
        (sonic.Upload, "Upload for 2 credits"),
        (account.Credits, "Read the balance, costs nothing"),
    ):
        assert state(api.form(kind))["label"] == label


# --- engines and operations ----------------------------------------------------------------


def test_other_operation_keeps_values_of_same_fields(api: Session) -> None:
    form: Any = mnb.form()
    assert form._api is api  # the session that was connected last
    assert {value for value, _, _ in form._view.spec["engines"]} == set(NAMES)
    assert form.request == sonic.Create(custom_mode=False, mv="sonic-v6")
    type_in(form, "custom_mode", True)
    type_in(form, "mv", "sonic-v6-mini")
    type_in(form, "prompt", "la la")
    pick(form, operation="cover")
    assert form.request == sonic.Cover(custom_mode=True, mv="sonic-v6-mini", prompt="la la")
    assert form._view.held["values"]["prompt"] == "la la"
    pick(form, engine="studio")
    assert form.request.body()["prompt"] == "la la"
    pick(form, engine="nuro")
    pick(form, operation="vocal")
    type_in(form, "mood", "Chill")
    pick(form, operation="instrumental")
    assert form.request == nuro.Instrumental()
    pick(form, engine="producer")
    assert form.request.body() == {"task_type": "create_music"}
    pick(form, engine="sonic")
    assert form.request == sonic.Create(custom_mode=True, mv="sonic-v6-mini", prompt="la la")
    assert form._view.spec["name"] == "sonic.Create"
    groups = {value: group for value, _, group in form._view.spec["operations"]}
    assert groups["create"] == "Make songs"
    assert groups["cover"] == "Continue or change songs"
    for choice in ({"engine": "harp"}, {"operation": 3}, {}):
        pick(form, **choice)
        assert isinstance(form.request, sonic.Create)


def test_form_accepts_engine_and_refuses_others(api: Session) -> None:
    assert isinstance(api.form(studio).request, studio.Custom | studio.Description)
    assert isinstance(api.form(lyrics).request, lyrics.Make)
    for source in (mnb, "sonic", 3):
        with pytest.raises(InvalidArgument, match="an operation, a request or an engine"):
            api.form(source)  # type: ignore[arg-type]  # invalid on purpose


# --- buying --------------------------------------------------------------------------------


def test_button_shows_price_and_balance_and_buys(api: Session) -> None:
    form = api.form(SONG)
    assert state(form)["label"] == "Make 2 songs for 20 credits"

    act_and_wait(form, lambda: click(form))

    assert state(form)["label"] == "Make 2 songs for 20 credits · 960 left after"
    assert form.job is not None
    assert form.job.task.state == "succeeded"
    (view,) = results(form)
    assert view.count("<audio") == 2
    assert charges(api) == 1


def test_simultaneous_clicks_pay_once(api: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    form = api.form(SONG)
    answers: list[dict[str, Any]] = []
    monkeypatch.setattr(form._view, "send", answers.append)

    def click_three_times() -> None:
        for _ in range(3):
            click(form, turn=0)

    act_and_wait(form, click_three_times)
    click(form, turn=0)  # a click that arrives late

    assert charges(api) == 1
    assert state(form)["turn"] == 1
    assert answers == [{"kind": "refused", "turn": 0}] * 3


def test_press_during_purchase_joins_it(api: Session) -> None:
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

    def finish() -> None:
        while not first.done():
            sim(api).clock.advance(5)

    act_and_wait(form, finish)
    assert charges(api) == 1


def test_outdated_price_or_invalid_request_sends_nothing(api: Session) -> None:
    form = api.form(SONG)
    click(form, price="2 credits")
    type_in(form, "gpt_description_prompt", "")
    click(form)
    with pytest.raises(InvalidRequest, match="what the song should be like"):
        form.submit()
    content: Any
    for content in (None, [], {"kind": "buy"}, {"kind": "typed"}, {"kind": "buy", "turn": "0"}):
        send(form, content)
    for raw in (None, 3, ["jazz"], {"a": 1}):
        type_in(form, "mv", raw)
        type_in(form, "custom_mode", raw)
    assert form.job is None
    assert sim(api).request_log.posts == []


def test_errors_are_shown_in_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUSICAPI_KEY", raising=False)
    poor = mnb.connect(simulator=Simulator(seconds=(1, 1.2), speed=2000, balance=3))
    form = poor.form(SONG)
    act_and_wait(form, lambda: click(form))
    (view,) = results(form)
    assert "Not enough credits: 20 needed, 3 left. Nothing was charged." in view
    assert state(form)["label"] == "Make 2 songs for 20 credits · only 3 left"
    poor.close()
    click(form)
    assert "this session is closed" in state(form)["summary"][-1][0]
    assert charges(poor) == 0


def test_service_text_is_escaped(api: Session) -> None:
    attack = "<img src=x onerror=alert(1)>"
    sim(api).faults.arm("task_fails", message=attack)
    form = api.form(nuro.Instrumental(description=attack, duration=30))
    act_and_wait(form, lambda: click(form))
    (view,) = results(form)
    assert "<img src=x" not in view
    assert "&lt;img src=x" in view
    form.show_error(attack)
    assert state(form)["summary"][-1] == [attack, "bad"]  # form.js sets it as text


def test_button_without_balance_omits_it(api: Session) -> None:
    sim(api).faults.arm("garbage_body", method="GET", path="get-credits", times=None)
    form = api.form(SONG)
    act_and_wait(form, lambda: click(form))
    assert state(form)["label"] == "Make 2 songs for 20 credits"


def test_each_press_buys_next_take(api_with_library: Session) -> None:
    api_with_library.run(SONG).result()
    form = api_with_library.form(SONG)
    act_and_wait(form, lambda: click(form))
    act_and_wait(form, lambda: click(form))

    assert api_with_library.library is not None
    assert [entry.take for entry in api_with_library.library.entries()] == [1, 2, 3]
    assert charges(api_with_library) == 3
    assert "take=3)" in results(form)[0]
    third = api_with_library.run(SONG, take=3).result()
    assert form.job is not None
    assert [song.id for song in third.songs] == [song.id for song in form.job.task.songs]
    assert charges(api_with_library) == 3


def test_uncertain_take_is_not_skipped(api_with_library: Session) -> None:
    sim(api_with_library).faults.arm("lost_reply")
    form = api_with_library.form(SONG)
    act_and_wait(form, lambda: click(form))
    act_and_wait(form, lambda: click(form))

    assert charges(api_with_library) == 1
    assert isinstance(form.job, mnb.Job)
    assert isinstance(form.job.exception(), UncertainPurchase)
    assert "resolve" in results(form)[0]


# --- without widgets -----------------------------------------------------------------------


def test_form_has_static_html_and_repr(api: Session, capsys: pytest.CaptureFixture[str]) -> None:
    form = api.form(SONG)
    text = (
        "<Form sonic.Create(custom_mode=False, mv='sonic-v5', "
        "gpt_description_prompt='rain, slow jazz'): Make 2 songs for 20 credits>"
    )
    assert repr(form) == text
    assert repr(api.form(sonic.Concat)) == "<Form sonic.Concat(): 1 problem>"
    static = form._repr_html_()
    assert "rain, slow jazz" in static
    assert "Interactive form: run this cell to use it." in static
    assert "api.run(request) buys it" in static
    assert "<style" not in static
    assert "api.run(sonic.Create(" in state(form)["code"]
    form._ipython_display_()
    assert capsys.readouterr().out == text + "\n"
    assert form.widget.children == (form._view, form._results)
