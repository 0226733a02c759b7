"""Every operation, and a new one declared here, works wherever requests are accepted.

The simulator was written from the service's docs, separately from the declarations, so a round trip
compares two readings of the same pages.
"""

import datetime as dt
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
import pytest

import musicapi_nb as mnb
from musicapi_nb import MusicAPI, account, lyrics, nuro, producer, riffusion, sonic, studio, tasks
from musicapi_nb.client.balance import parse_balance
from musicapi_nb.engines import Field, Price, Request, custom, operations
from musicapi_nb.errors import InvalidRequest
from musicapi_nb.library import Library, request_key
from musicapi_nb.library._request_key import _operations, from_json, to_json
from musicapi_nb.notebook.song_magic_parser import help_text, parse_song_cell
from musicapi_nb.plan import Plan
from musicapi_nb.simulator import EmbeddedSimulator, Simulator
from tests.raw_http_server import ACK, answers, client, peer, reply
from tests.replies import sample
from tests.valid_requests import (
    DESCRIBED,
    EXTENDED,
    FROM_CLIP,
    NAMES,
    REQUESTS,
    RIFFUSION_SONG,
    STUDIO,
    TUNE,
    WRITTEN,
)

KEY = "sk-of-an-account-0001"
PATIENCE = 200_000  # seconds of the simulated clock; ten real seconds


def arguments_of(request: Request) -> dict[str, Any]:
    values = {name: getattr(request, name) for name in request.fields()}
    return {name: value for name, value in values.items() if value is not None}


# --- replies ------------------------------------------------------------

_SONIC = ("sonic_submit_ack.json", "sonic_get_success_2025.json")
_STEMS = ("stems_submit_ack.json", "stems_get_success.json")
_STUDIO = ("studio_submit_ack.json", "studio_get_success.json")
_NURO = ("nuro_submit_ack.json", "nuro_get_success.json")
_PRODUCER = ("producer_submit_ack.json", "producer_get_success_2025.json")
_OF_ENGINE = {"sonic": _SONIC, "studio": _STUDIO, "nuro": _NURO, "producer": _PRODUCER}
# the submit reply, and the reply of the finished task
SAMPLES: Mapping[type[Request], tuple[str, ...]] = {
    sonic.StemsBasic: _STEMS,
    sonic.StemsFull: _STEMS,
    sonic.UploadExtend: ("upload_extend_ack.json", "upload_extend_get_success.json"),
    sonic.UploadCover: ("upload_extend_ack.json", "upload_extend_get_success.json"),
    sonic.Sample: ("upload_extend_ack.json", "sonic_get_success_2025.json"),
    sonic.CreateVoice: ("create_voice_ack.json", "create_voice_task_completed.json"),
    sonic.CreatePersona: ("persona_success.json",),
    sonic.Upload: ("upload_success.json",),
    sonic.Vox: ("vox_success.json",),
    sonic.Bpm: ("bpm_success.json",),
    sonic.Midi: ("midi_not_ready.json", "midi_success.json"),
    sonic.Wav: ("wav_success.json",),
    sonic.Download: ("download_files_list.json",),
    sonic.AlignedLyrics: ("aligned_lyrics_success.json",),
    sonic.UpsampleTags: ("upsample_tags_success.json",),
    sonic.Batch: ("batch_ack.json",),
    lyrics.Make: ("lyrics_success.json",),
    producer.Download: ("producer_submit_ack.json", "producer_download_success.json"),
    riffusion.Create: ("sonic_submit_ack.json", "riffusion_get_success.json"),
    riffusion.Upload: ("upload_success.json",),
}


@pytest.mark.parametrize("request_", REQUESTS, ids=NAMES)
def test_sample_reply_is_parsed(request_: Request) -> None:
    if isinstance(request_, account.Credits):
        assert parse_balance(sample("credits.json")).total == 50
        return
    ack, *end = SAMPLES.get(type(request_)) or _OF_ENGINE[request_.engine]
    task = tasks.parse_submit_reply(sample(ack), request_)
    for name in end:
        assert not task.finished
        reply = sample(name)
        if isinstance(items := reply.get("data"), list) and task.expected == 2 * len(items):
            # the docs show the first of two
            reply["data"] += [{**item, "clip_id": "second", "id": "second"} for item in items]
        task = tasks.parse_task(reply, task=task)
    # riffusion's timestamp in the docs is a placeholder
    assert [issue for issue in task.issues if "(timestamp string)" not in issue.message] == []
    assert task.answer or task.songs or task.parts
    assert task.finished is not isinstance(request_, sonic.Batch)


# --- requests as values ------------------------------------------------------------


@pytest.mark.parametrize("request_", REQUESTS, ids=NAMES)
def test_ledger_round_trip(request_: Request) -> None:
    written = json.loads(json.dumps(to_json(request_)))
    back = from_json(written)
    assert back == request_
    assert type(back) is type(request_)
    assert request_key(back) == request_key(request_)
    assert request_key(request_, 2) != request_key(request_)


def test_samples_have_different_keys() -> None:
    assert len({request_key(request) for request in REQUESTS}) == len(REQUESTS)


# First digits of the keys in existing libraries: with another key, a paid song would be bought
# again.
V5 = {"mv": "sonic-v5"}
BOUGHT = [
    (sonic.Create(**{**DESCRIBED, **V5}), "c1b3980b3cd7"),
    (sonic.Extend(**{**FROM_CLIP, **V5}, continue_at=30), "25eefecd64af"),
    (
        sonic.Batch(items=[sonic.Create(**{**DESCRIBED, **V5}), sonic.Create(**{**WRITTEN, **V5})]),
        "838d7be1be32",
    ),
    (sonic.Mashup(**{**DESCRIBED, **V5}, mashup_clip_ids=["c1", "c2"]), "e85cf5850f56"),
    (sonic.CreatePersona(name="Ada", clip_id="c1"), "eca642be55e9"),
    (EXTENDED, "7e7248953c9b"),
    (nuro.Vocal(lyrics="la " * 200), "e37af6b2a58f"),
    (lyrics.Make(description="rain on tin"), "c8823ea64816"),
    (
        producer.Replace(
            clip_id="c1", sound="jazz", starts_at=5, ends_at=15, instruction="a trumpet"
        ),
        "f983f566c3ac",
    ),
    (RIFFUSION_SONG, "2d98b5cf1168"),
]


@pytest.mark.parametrize(("request_", "key"), BOUGHT, ids=[repr(case[0]) for case in BOUGHT])
def test_stored_keys_are_unchanged(request_: Request, key: str) -> None:
    assert request_key(request_)[:12] == key


def test_new_field_does_not_change_batch_keys() -> None:
    written = to_json(sonic.Batch(items=[sonic.Create(**DESCRIBED)]))
    assert written["fields"] == {"items": [DESCRIBED]}


# --- plans ------------------------------------------------------------


@pytest.mark.parametrize("request_", REQUESTS, ids=NAMES)
def test_plan_has_cells_of_the_operation(request_: Request) -> None:
    plan = Plan.grid(type(request_), base=arguments_of(request_), factors={}, repeats=2)
    assert [cell.take for cell in plan] == [1, 2]
    for cell in plan:
        assert type(cell.request) is type(request_)
        assert request_key(cell.request) == request_key(request_)
    plan.check()
    dry = plan.dry_run()
    price = request_.price()
    assert (dry.credits, dry.credits_unknown) == ((0, 2) if price is None else (2 * price, 0))
    assert len(plan.frame()) == 2
    assert dry._repr_html_()


@pytest.mark.parametrize(
    "request_type",
    operations(),
    ids=lambda request_type: f"{request_type.engine}.{request_type.__name__}",
)
def test_plan_reports_missing_fields(request_type: type[Request]) -> None:
    missing = {problem.field for problem in request_type().problems() if problem.hard}
    plan = Plan.grid(request_type, base={}, factors={})
    if not missing:
        plan.check()
        return
    with pytest.raises(InvalidRequest) as refused:
        plan.check()
    assert missing <= {problem.field for problem in refused.value.problems}


# --- magics ------------------------------------------------------------


def magic_argument(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, list | tuple):
        return str(value)
    if any(isinstance(item, Request) for item in value):
        return json.dumps([arguments_of(item) for item in value])
    return ",".join(value)


@pytest.mark.parametrize("request_", REQUESTS, ids=NAMES)
def test_magic_line_gives_the_request(request_: Request) -> None:
    options = [
        f"--{name} {shlex.quote(magic_argument(value))}"
        for name, value in arguments_of(request_).items()
    ]
    line = f"{request_.engine}.{type(request_).__name__} {' '.join(options)}"
    assert parse_song_cell(line) == (request_, 1)


def test_invalid_batch_line() -> None:
    for items, message in (
        ("[{", "is not JSON"),
        ("{}", "should be a list of requests"),
        ("[3]", "not a Create"),
        ('[{"titel": "x"}]', "did you mean title"),
    ):
        with pytest.raises(InvalidRequest, match=message):
            parse_song_cell(f"sonic.Batch --items {shlex.quote(items)}")


# --- a new operation ------------------------------------------------------------


class Hum(Request, frozen=True, kw_only=True):
    """Hum over two clips."""

    engine: ClassVar[str] = "sonic"
    operation: ClassVar[str] = "hum"
    path: ClassVar[str] = "/api/v1/sonic/hum"
    constants: ClassVar[Mapping[str, Any]] = {"precise": True}
    songs: ClassVar[int | None] = 1
    cost: ClassVar[Price | None] = Price(3, dt.date(2026, 10, 7), "this test")
    webhook: ClassVar[bool] = True
    text_fields: ClassVar[tuple[str, ...]] = ("tune",)

    tune: Annotated[
        str | None, Field(kind="long text", required=True, limit=36, help="The tune.")
    ] = None
    over: Annotated[Sequence[str] | None, Field(kind="clips", max_items=2, help="The clips.")] = (
        None
    )
    window: Annotated[float | None, Field(kind="seconds", maximum=30, help="Seconds.")] = None


HUMMED = Hum(tune="doremi", over=["c1", "c2"], window=30, extra={"newer": 1})


def test_new_operation_is_a_request() -> None:
    assert list(Hum.fields()) == ["tune", "over", "window"]
    wrong = Hum(tune="x" * 37, over=["a", "b", "c"], window=31)
    assert [problem.field for problem in wrong.problems()] == ["tune", "over", "window"]
    HUMMED.check()
    assert HUMMED.body() == {
        "precise": True,
        "tune": "doremi",
        "over": ["c1", "c2"],
        "window": 30,
        "newer": 1,
    }
    assert HUMMED.price() == 3
    assert repr(HUMMED) == (
        "sonic.Hum(tune='doremi', over=['c1', 'c2'], window=30, extra={'newer': 1})"
    )
    assert "sonic.Hum" in HUMMED._repr_html_()
    with pytest.raises(InvalidRequest, match="did you mean window"):
        Hum(windw=3)  # type: ignore[call-arg]  # on purpose


@pytest.fixture
def _declared(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the class one that the package declares."""
    monkeypatch.setattr(Hum, "custom", False)
    monkeypatch.delitem(custom.CLASSES, ("sonic", "hum"))
    monkeypatch.setitem(custom.DECLARED, ("sonic", "hum"), Hum)
    _operations.cache_clear()
    yield
    _operations.cache_clear()


@pytest.mark.usefixtures("_declared")
def test_new_operation_has_plan_magic_and_form() -> None:
    assert Hum in operations()
    assert "sonic.Hum" in repr(operations())
    plan = Plan.grid(Hum, base={"tune": "{style}"}, factors={"style": ["do", "re"]})
    assert sorted(cell.request.body()["tune"] for cell in plan) == ["do", "re"]
    assert parse_song_cell(
        "sonic.hum --over c1,c2 --window 30 --extra '{\"newer\": 1}'", "doremi"
    ) == (HUMMED, 1)
    assert "--over CLIPS" in help_text("sonic.Hum")
    api = mnb.connect(simulator=Simulator(seconds=(1, 1.2), speed=2000))
    form = api.form(Hum)
    form._receive(None, {"kind": "typed", "name": "over", "value": " c1, c2,"}, [])
    assert form.request == Hum(over=["c1", "c2"])
    api.close()


@pytest.mark.usefixtures("_declared")
async def test_new_operation_is_bought_once(tmp_path: Path) -> None:
    song = {"clip_id": "c3", "state": "succeeded", "title": "Hum", "audio_url": "(link)"}
    done = reply({"code": 200, "message": "success", "data": [song]})
    async with peer(answers(reply(ACK), done)) as server:
        for _ in range(2):
            with Library(tmp_path / "library") as library:
                async with client(server.url, ledger=library) as api:
                    task = await api.run(HUMMED)
                assert [song.id for song in task.songs] == ["c3"]
                (entry,) = library.entries()
        assert server.posts == 1
        assert server.requests[0] == ("POST", "/api/v1/sonic/hum")
        assert json.dumps(HUMMED.body()).encode() in server.received
    assert (task.operation, task.expected, task.bought_before) == ("hum", 1, True)
    assert task.request == HUMMED
    assert (entry.state, entry.price) == ("done", 3)


# --- round trip ------------------------------------------------------------

# Requests that create the clips, voices and vocals which other requests refer to.
SOURCES: Mapping[str, Request] = {
    "sonic": sonic.Create(**DESCRIBED),
    "sonic extended": sonic.Extend(**FROM_CLIP, continue_at=1),
    "sonic uploaded": sonic.Upload(url=TUNE),
    "studio": studio.Description(**STUDIO),
    "producer": producer.Create(sound="slow jazz"),
    "producer uploaded": producer.Upload(audio_url=TUNE),
    "riffusion": riffusion.Create(custom_mode=True, lyrics="la la", sound="jazz"),
    "persona_id": sonic.CreatePersona(name="Ada", clip_id="c1"),
    "vox_audio_id": sonic.Vox(clip_id="c1"),
}


class World:
    """A simulator with the clips, voices and vocals that requests refer to."""

    def __init__(self, sim: Simulator) -> None:
        self.sim = sim
        self._made: dict[str, str] = {}

    def client(self, library: Library | None = None) -> MusicAPI:
        return MusicAPI(KEY, base_url=self.sim.url, speed=self.sim.speed, pace=0, ledger=library)

    async def real(self, request: Request) -> Request:
        """Return the request with ids that exist in the simulator."""
        values: dict[str, Any] = {}
        for name, field in request.fields().items():
            if getattr(request, name) is None:
                continue
            if field.kind == "clip":
                values[name] = await self._source(_clip_of(request))
            elif field.kind == "clips":
                values[name] = [await self._source("sonic"), await self._source("sonic extended")]
            elif name in {"persona_id", "vox_audio_id"}:
                values[name] = await self._source(name)
        return msgspec.structs.replace(request, **values)

    async def _source(self, name: str) -> str:
        if name not in self._made:
            request = await self.real(SOURCES[name])
            async with self.client() as api:
                task = await api.run(request, deadline=PATIENCE)
            named = name if name in task.answer else "clip_id"
            source_id = task.answer[named] if named in task.answer else task.songs[0].id
            assert isinstance(source_id, str), task
            self._made[name] = source_id
        return self._made[name]


def _clip_of(request: Request) -> str:
    if request.operation == "concat":
        return f"{request.engine} extended"
    painted = getattr(request, "overpainting_start_s", None) is not None
    uploaded = painted or request.operation.endswith("_upload")
    return f"{request.engine} uploaded" if uploaded else request.engine


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    simulator = Simulator(speed=20_000, seconds=(1.0, 1.2), balance=100_000)
    with EmbeddedSimulator(simulator) as sim:
        yield World(sim)


@pytest.mark.parametrize("request_", REQUESTS, ids=NAMES)
async def test_round_trip_with_the_simulator(
    world: World, tmp_path: Path, request_: Request
) -> None:
    request = await world.real(request_)
    with Library(tmp_path / "library") as library:
        async with world.client(library) as api:
            before = (await api.credits()).total
            task = await api.run(request, deadline=PATIENCE)
            paid = before - (await api.credits()).total
            again = await api.run(request, deadline=PATIENCE)
            paid_again = before - (await api.credits()).total - paid

    assert (task.engine, task.operation) == (request.engine, request.operation)
    assert (task.state, task.issues) == ("succeeded", ())
    assert all(song.state == "succeeded" for song in task.songs)
    if request.songs:
        pairs = getattr(request, "auto_concat", None)  # the new section, and the joined song
        assert len(task.songs) == request.songs * (2 if pairs else 1)
    else:
        assert task.songs or task.answer or request.method == "GET"
    assert request.price() in {None, paid}
    if request.method == "POST":
        assert paid > 0
        assert paid_again == 0
        assert again.bought_before
        assert (again.songs, again.answer) == (task.songs, task.answer)


def test_source_operations_are_tested_too() -> None:
    assert {type(request) for request in SOURCES.values()} <= {
        type(request) for request in REQUESTS
    }
