"""Custom operations: declared in a notebook cell, then used, stored and restored like others."""

import asyncio
import concurrent.futures
import json
import multiprocessing
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import musicapi_nb as mnb
from musicapi_nb import producer, sonic, studio
from musicapi_nb.engines import custom, operation_summary
from musicapi_nb.errors import InvalidArgument, InvalidRequest
from musicapi_nb.library import Library, request_key
from musicapi_nb.library._request_key import from_json, to_json
from musicapi_nb.notebook import Session
from musicapi_nb.notebook.song_magic_parser import help_text, parse_song_cell
from musicapi_nb.simulator import Simulator
from tests.library.helpers import ROOT, acknowledged, looked, rebuilt_is_the_same
from tests.raw_http_server import ACK, AGES, SONG, answers, client, peer, reply

CELL = '''
import datetime as dt
from typing import Annotated
import musicapi_nb as mnb

class TakeFive(mnb.Request):
    """Sing a song in another metre."""

    path = "/api/v1/sonic/create"
    constants = {"task_type": "metre_music"}
    songs = 2
    cost = mnb.Price(15, dt.date(2026, 11, 30), "the changelog of the service")
    text_fields = ("prompt",)

    clip_id: Annotated[str | None, mnb.Field(kind="clip", required=True, help="The song.")] = None
    prompt: Annotated[str | None, mnb.Field(kind="long text", help="The lyrics.")] = None
    beats: Annotated[int | None, mnb.Field(kind="integer", maximum=9, help="Beats.")] = None
'''
DOCSTRING = '"""Sing a song in another metre."""'
PATH, SONGS = 'path = "/api/v1/sonic/create"', "songs = 2"
COST = 'cost = mnb.Price(15, dt.date(2026, 11, 30), "the changelog of the service")'
BEATS = CELL.strip().splitlines()[-1].strip()
KEY = "8d57518af1d66fded3bd81263ea809cd0aa1897ff4b000245b43e182229cab5f"
CHART_CELL = '''
import musicapi_nb as mnb

class Chart(mnb.Request):
    """Get the chords; repeated until they are ready."""

    path = "/api/v1/sonic/chords"
    reply, songs, poll_by_repost = "immediate", 0, True
'''


def run_cell(source: str, name: str) -> type[Any]:
    """Run a cell as a kernel does, and return the class that it defines."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(source, namespace)  # noqa: S102 - our own code
    cls: type[Any] = namespace[name]
    return cls


def take_five(cell: str = CELL, **fields: Any) -> Any:
    return run_cell(cell, "TakeFive")(**{"clip_id": "c1", "beats": 5, **fields})


@pytest.fixture(autouse=True)
def _kernel() -> Iterator[None]:
    """Forget the classes of a test, as the end of a kernel does."""
    before = dict(custom.CLASSES)
    yield
    custom.CLASSES.clear()
    custom.CLASSES.update(before)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Session]:
    simulator = Simulator(seconds=(1, 1.2), speed=2000)
    session = mnb.connect(simulator=simulator, library=tmp_path / "library")
    yield session
    session.close()


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "ledger") as opened:
        yield opened


# --- the declaration -----------------------------------------------------------------------


def test_cell_declares_an_operation() -> None:
    request = take_five()

    assert (request.engine, request.operation, request.custom) == ("sonic", "take_five", True)
    assert repr(request) == "sonic.TakeFive(clip_id='c1', beats=5)"
    assert request.body() == {"task_type": "metre_music", "clip_id": "c1", "beats": 5}
    assert request.price() == 15
    assert request.problems() == ()
    wrong = type(request)(beats=10)
    assert [problem.field for problem in wrong.problems()] == ["clip_id", "beats"]
    with pytest.raises(InvalidRequest, match="did you mean beats"):
        type(request)(beat=3)
    with pytest.raises(InvalidRequest, match=r"by name: sonic\.TakeFive\(clip_id=\.\.\."):
        type(request)("c1")
    with pytest.raises(AttributeError):
        request.beats = 3
    assert "Sing a song" not in request._repr_html_()
    assert "15 credits" in request._repr_html_()
    assert operation_summary(type(request)) == "Sing a song in another metre."
    assert operation_summary(run_cell(CELL.replace(DOCSTRING, ""), "TakeFive")) == ""


def test_custom_operation_can_extend_a_declared_one() -> None:
    class Karaoke(producer.Create, frozen=True, kw_only=True):
        """Make a song, and its backing track."""

        constants = {"task_type": "karaoke_music"}  # noqa: RUF012 - as in a notebook

    request = Karaoke(sound="jazz")
    assert (request.engine, request.operation) == ("producer", "karaoke")
    assert request.body() == {"task_type": "karaoke_music", "sound": "jazz"}
    assert request_key(request) != request_key(producer.Create(sound="jazz"))
    assert Karaoke not in mnb.operations()


def test_custom_operation_can_have_methods_and_properties() -> None:
    methods = """
    half = property(lambda self: self.beats / 2)
    five = classmethod(lambda cls: cls(clip_id="c1", beats=5))
    double = staticmethod(lambda beats: 2 * beats)"""
    request = take_five(CELL.replace(BEATS, BEATS + methods))
    assert (request.half, request.five(), request.double(2)) == (2.5, request, 4)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (PATH, "", "path: is missing; it should be like '/api/v1/sonic/create'"),
        (PATH, 'path = "sonic/create"', "path: is 'sonic/create'"),
        (PATH, 'path = "/api/v1/sonic/../create"', "path: is '/api/v1/sonic/../create'"),
        (PATH, f'{PATH}; engine = "sonci"', "engine: is 'sonci', but the path is that of 'sonic'"),
        (SONGS, 'songs = "2"', "songs: is '2'; it should be int | None"),
        (SONGS, 'reply = "later"', "reply: is 'later'; it should be Literal['task', 'immediate']"),
        (SONGS, 'operation = "create"', "sonic.create is sonic.Create of the package"),
        (COST, "cost = 15", "cost: is 15; it should be Price | None"),
        ("constants =", "constant =", "constant: is neither a field nor an attribute of Request"),
        ("constants =", "constant =", "meant is perhaps constants"),
        ('"metre_music"', 'float("nan")', "constants: is {'task_type': nan}"),
        ('("prompt",)', '("lyrics",)', "text_fields: 'lyrics' is not a field"),
        (SONGS, 'description_field = "words"', "description_field: 'words' is not a field"),
        (BEATS, 'beats = mnb.Field(help="Beats.")', "write beats: Annotated[str | None, Field("),
        (BEATS, "beats: int | None = None", "beats: has no Field; write beats: Annotated[str"),
        (BEATS, 'beats: int = mnb.Field(help="Beats.")', "beats: has no Field"),
        (BEATS, BEATS.removesuffix(" = None"), "beats: has no default; write beats: Annotated"),
        (BEATS, BEATS.replace("= None", "= [5]"), "mutable"),
        ('kind="integer"', 'kind="int"', "beats: has kind 'int'; the kinds are text, "),
        ("beats: ", "price: ", "price: is an attribute of Request"),
        ("beats: ", "method: ", "method: is an attribute of Request"),
        ("Annotated[int | None", 'Annotated["Beats"', "an annotation cannot be resolved"),
    ],
)
def test_wrong_declaration_is_an_error_of_its_cell(old: str, new: str, message: str) -> None:
    assert old in CELL
    with pytest.raises(InvalidArgument) as raised:
        take_five(CELL.replace(old, new))
    assert str(raised.value).startswith("class TakeFive is not a valid operation: ")
    assert message in str(raised.value)
    assert ("sonic", "take_five") not in custom.CLASSES


def test_all_problems_of_a_declaration_are_listed() -> None:
    with pytest.raises(InvalidArgument, match=r"cost: .*; text_fields: .*; beats: "):
        take_five(
            CELL.replace(COST, "cost = 15").replace('("prompt",)', "3").replace(BEATS, "beats = 5")
        )


# --- its use -------------------------------------------------------------------------------


def test_custom_operation_has_form_magic_and_dry_run(api: Session) -> None:
    request = take_five(prompt="la la")
    form = api.form(type(request))
    assert [control["name"] for control in form._view.spec["fields"]] == [
        "clip_id",
        "prompt",
        "beats",
    ]
    assert api.form(request).request == request
    assert parse_song_cell("sonic.TakeFive --clip_id c1 --beats 5", "la la") == (request, 1)
    assert "--beats INTEGER  Beats." in help_text("sonic.take_five")
    described = "sonic --mv sonic-v6 --custom_mode false"  # by engine: only declared operations
    assert isinstance(parse_song_cell(described, "rain")[0], sonic.Create)

    plan = mnb.Plan.grid(type(request), base={"clip_id": "c1"}, factors={"beats": [3, 5]})
    assert "credits: 30" in repr(plan.dry_run(api))


def test_custom_operation_is_bought_once(api: Session) -> None:
    balance = api.credits().result().total
    tasks = [api.run(take_five()).result() for _ in range(2)]  # the cell runs twice

    assert [len(task.songs) for task in tasks] == [2, 2]
    assert [task.state for task in tasks] == ["succeeded", "succeeded"]
    assert api.credits().result().total < balance
    library = api.library
    assert library is not None
    (entry,) = library.entries()
    assert (entry.name, entry.price, entry.state) == ("sonic.take_five", 15, "done")
    assert len(mnb.songs_frame(library)) == 2
    assert library.request(entry.id) == tasks[1].request


def test_experiment_of_a_custom_operation_continues_in_a_later_kernel(api: Session) -> None:
    def run(cell: str) -> Any:
        cls = run_cell(cell, "TakeFive")
        plan = mnb.Plan.grid(cls, base={"clip_id": "c1"}, factors={"beats": [3, 5]})
        job = api.experiment("metres", plan, budget=60)
        job.start().result()
        return job.songs()

    first, second = run(CELL), run(CELL)
    assert len(first) == len(second) == 4
    assert first["beats"].tolist() == [3, 3, 5, 5]
    assert first["song_id"].tolist() == second["song_id"].tolist()
    assert api.library is not None
    assert len(api.library.entries()) == 2


# --- in the library ------------------------------------------------------------------------


def test_request_key_is_stable_and_specific_to_the_operation() -> None:
    request = take_five()
    # fixed: if the key changed, songs would be bought again
    assert request_key(request) == KEY
    assert request_key(take_five()) == KEY
    assert request_key(take_five(CELL.replace("songs = 2", "songs = 1"))) == KEY
    others = [
        take_five(CELL.replace("metre_music", "tempo_music")),
        take_five(CELL.replace("sonic/create", "sonic/metre")),
        take_five(CELL.replace("songs = 2", 'operation = "metre"')),
        take_five(beats=4),
    ]
    assert len({KEY, *map(request_key, others)}) == 5


def test_batch_takes_no_custom_operation() -> None:
    class Duet(sonic.Create, frozen=True, kw_only=True):
        """Sing with two voices."""

        constants = {"task_type": "duet_music"}  # noqa: RUF012 - as in a notebook

    batch = sonic.Batch(items=[Duet(custom_mode=False, gpt_description_prompt="x", mv="sonic-v6")])
    assert any("not a Create" in str(problem) for problem in batch.problems() if problem.hard)


@pytest.mark.parametrize("cell", [None, CELL.replace("metre_music", "tempo_music")])
def test_request_is_restored_without_its_class(cell: str | None) -> None:
    """In a later kernel the class is missing, or sends something else."""
    request = take_five(prompt="la la")
    stored = json.loads(json.dumps(to_json(request)))
    custom.CLASSES.clear()
    if cell is not None:
        take_five(cell)
    restored = from_json(stored)

    assert restored is not None
    assert repr(restored) == (
        "sonic.TakeFive(extra={'clip_id': 'c1', 'prompt': 'la la', 'beats': 5})"
    )
    assert restored.body() == request.body()
    assert to_json(restored) == to_json(request)
    assert request_key(restored, 3) == request_key(request, 3)
    assert (restored.songs, restored.path, restored.price()) == (2, request.path, None)
    assert restored.problems() == ()
    assert "TakeFive" in restored._repr_html_()
    assert type(from_json(stored)) is type(restored)


@pytest.mark.parametrize(
    ("base", "fields"),
    [
        (sonic.Create, {"custom_mode": False, "gpt_description_prompt": "x", "mv": "sonic-v6"}),
        (studio.Extend, {"song_id": "s", "prompt": "jazz", "context_length": 5}),
        (producer.Create, {"sound": "jazz", "extra": {"new": None, "newer": [1, {"a": 2.5}]}}),
    ],
)
def test_request_that_extends_a_declared_one_is_restored(
    base: type[Any], fields: dict[str, Any]
) -> None:
    """Also if that sends defaults, or fields inside others."""
    cell = "class Special(base):\n    constants = {'task_type': 'special'}"
    namespace = {"__name__": "__main__", "base": base}
    exec(cell, namespace)  # noqa: S102 - our own code
    cls: Any = namespace["Special"]
    request = cls(**fields)
    stored = json.loads(json.dumps(to_json(request)))
    same = from_json(stored)
    assert same == request
    custom.CLASSES.clear()
    restored = from_json(stored)
    assert restored is not None
    assert type(restored) is not cls
    assert restored.body() == request.body()
    assert to_json(restored) == stored
    assert request_key(restored) == request_key(request)


def test_field_removed_from_the_class_is_restored_in_extra() -> None:
    stored = to_json(take_five())
    run_cell(CELL.replace(BEATS, ""), "TakeFive")
    restored = from_json(stored)
    assert repr(restored) == "sonic.TakeFive(clip_id='c1', extra={'beats': 5})"
    assert restored is not None
    assert request_key(restored) == KEY


async def test_purchase_is_restored_in_a_kernel_without_the_class(tmp_path: Path) -> None:
    clips = [
        {"clip_id": name, "state": "succeeded", "title": name, "audio_url": "(link)"}
        for name in ("d1", "d2")
    ]
    done = reply({"code": 200, "message": "success", "data": clips})
    async with peer(answers(reply(ACK), done)) as server:
        with Library(tmp_path / "library") as library:
            async with client(server.url, ledger=library) as api:
                await api.run(take_five())
        code = (
            "import sys; import musicapi_nb as mnb\n"
            "with mnb.Library(sys.argv[1]) as library:\n"
            "    print(library.request(1), library.task(1).expected, library.tasks()[0].state)\n"
            "    print(*mnb.tasks_frame(library)['request'])\n"
            "    print([song.title for task in library.tasks() for song in task.songs])\n"
            "    assert library.task(1)._repr_html_() and library._repr_html_()\n"
        )
        later = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-W", "error", "-c", code, str(tmp_path / "library")],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
        text = "sonic.TakeFive(extra={'clip_id': 'c1', 'beats': 5})"
        assert later.stderr == ""
        assert later.stdout == f"{text} 2 succeeded\n{text}\n['d1', 'd2']\n"

        custom.CLASSES.clear()  # a third kernel buys by the stored request, then by the class
        with Library(tmp_path / "library") as library:
            async with client(server.url, ledger=library) as api:
                stored = library.request(1)
                assert stored is not None
                again = [await api.run(stored), await api.run(take_five())]
                rebuilt_is_the_same(library)
        assert [[song.id for song in task.songs] for task in again] == [["d1", "d2"]] * 2
        assert server.posts == 1


async def test_repost_continues_in_a_kernel_without_the_class(tmp_path: Path) -> None:
    waiting = reply({"type": "not_ready"}, 202)
    ready = reply({"code": 200, "message": "success", "data": {"chords": ["C", "F"]}})
    async with peer(answers(waiting, waiting, ready)) as server:
        with Library(tmp_path / "library") as library:
            async with client(server.url, ledger=library) as api:
                chart = run_cell(CHART_CELL, "Chart")()
                task = await api.submit(chart)
                assert (task.state, task.poll_by_repost) == ("pending", True)
        custom.CLASSES.clear()
        with Library(tmp_path / "library") as library:
            async with client(server.url, ledger=library, speed=20_000) as api:
                (task,) = await api.resume(deadline=AGES)
                assert task.answer == {"chords": ["C", "F"]}
                assert (await api.run(run_cell(CHART_CELL, "Chart")())).answer == task.answer
            rebuilt_is_the_same(library)
        assert server.posts == 3
        bodies = [body for body in server.received.split(b"\r\n\r\n") if body.startswith(b"{")]
        assert len({body.partition(b"POST")[0] for body in bodies}) == 1


def test_lineage_names_the_source_without_the_class(library: Library) -> None:
    for request, clip in ((SONG, "c1"), (take_five(), "d1")):
        entry = library.claim(request).entry.id
        library.record_accepted(entry, acknowledged(request, clip))
        done = {"code": 200, "data": [{"clip_id": clip, "state": "succeeded", "title": clip}] * 2}
        library.record_poll(entry, looked(acknowledged(request, clip), done))
    custom.CLASSES.clear()
    (tree,) = library.lineage().trees
    assert [library.entry(branch.entry).operation for branch in tree.children] == ["take_five"]


# --- pickle ----------------------------------------------------------------------------------


def _echo(request: Any) -> tuple[Any, str]:
    return request, request_key(request)


@pytest.mark.parametrize(
    "fields",
    [{}, {"prompt": "la", "extra": {"new": [1]}}, {"beats": None}],
    ids=["fields", "extra", "few"],
)
def test_pickled_request_reaches_processes_in_which_its_cell_did_not_run(
    fields: dict[str, Any],
) -> None:
    request = take_five(**fields)
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        again, key = pool.submit(_echo, request).result()
    assert again == request
    assert key == request_key(request)
    placeholder = from_json({**to_json(take_five(**fields)), "operation": "take_six"})
    assert placeholder is not None
    copy = pickle.loads(pickle.dumps(placeholder))  # noqa: S301 - made here
    assert (copy, copy.body()) == (placeholder, placeholder.body())
