"""The kill test: kernels of one experiment end by SIGKILL at any moment, and nothing is lost."""

import asyncio
import contextlib
import dataclasses
import functools
import json
import os
import random
import secrets
import signal
import sys
import threading
import traceback
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeAlias, get_args, get_origin, get_type_hints

import pytest
import soundfile

from musicapi_nb import MusicAPI, lyrics, nuro, sonic, studio
from musicapi_nb.engines import Request
from musicapi_nb.experiment import Experiment
from musicapi_nb.library import Entry, Library
from musicapi_nb.plan import Plan
from musicapi_nb.simulator import (
    KINDS,
    Arrival,
    Charge,
    EmbeddedSimulator,
    Shapes,
    Simulator,
    Traffic,
    media,
)
from musicapi_nb.simulator.audio import AudioFormat
from musicapi_nb.simulator.tasks import Song
from tests.library.world import python, rebuilt_is_the_same, said

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL, no fork")

STUDIO = "studio130-v1.5"
KEY = "sk-of-an-account-0001"
NAME = "storm"
SPEED = 400.0
KILLS = 36
CELLS = 300
GRANTED = 100_000
CONCURRENCY = 16
DEADLINE = 600.0  # seconds of the simulator's clock; the slowest song takes about 220
PATIENCE = 60.0  # seconds until something must have happened

# kind, how often at most, how probable each time, and its settings
FAULTS: tuple[tuple[str, int, float, dict[str, Any]], ...] = (
    ("drop_before", 6, 0.03, {}),
    ("too_many_requests", 2, 0.02, {"method": "POST"}),
    ("too_many_requests", 2, 0.02, {"method": "POST", "retry_after": 0.2}),
    ("too_many_requests", 12, 0.02, {"method": "GET", "retry_after": 1, "retry_as_date": True}),
    ("server_error", 5, 0.03, {"method": "POST"}),
    ("server_error", 20, 0.02, {"method": "GET", "status": 502, "page": True}),
    ("server_error", 20, 0.02, {"method": "GET", "status": 504}),
    ("slow", 15, 0.01, {"seconds": 60.0}),
    ("wrong_key", 3, 0.02, {"method": "POST"}),
    ("wrong_key", 5, 0.005, {"method": "GET"}),
    ("no_subscription", 3, 0.04, {}),
    ("queue_full", 4, 0.15, {"on": "nuro"}),
    ("refused_content", 4, 0.03, {}),
    ("redirect_api", 2, 0.02, {"method": "POST"}),
    ("redirect_api", 5, 0.01, {"method": "GET"}),
    ("lost_reply", 8, 0.04, {}),
    ("slow_reply", 10, 0.05, {"seconds": 100.0}),
    ("error_after", 4, 0.03, {}),
    ("cut_body", 3, 0.03, {"method": "POST"}),
    ("cut_body", 20, 0.02, {"method": "GET"}),
    ("garbage_body", 2, 0.02, {"method": "POST"}),
    ("garbage_body", 10, 0.01, {"method": "GET"}),
    ("html_body", 2, 0.02, {"method": "POST"}),
    ("html_body", 10, 0.01, {"method": "GET"}),
    ("empty_body", 2, 0.02, {"method": "POST"}),
    ("empty_body", 10, 0.01, {"method": "GET"}),
    ("code_missing", 60, 0.03, {}),
    ("extra_keys", 60, 0.03, {}),
    ("task_fails", 12, 0.05, {}),
    # not for sonic, which calls some failures refunded whether they are or not (Shapes)
    ("task_fails", 3, 0.05, {"on": "studio", "refund": False}),
    ("task_fails", 3, 0.05, {"on": "nuro", "refund": False}),
    ("one_clip_fails", 10, 0.05, {}),
    ("duration_text", 20, 0.08, {}),
    ("unknown_state", 20, 0.08, {}),
    ("stuck", 3, 0.05, {}),
    ("truncated_download", 20, 0.04, {}),
    ("wrong_type_download", 20, 0.04, {}),
    ("dead_link", 15, 0.03, {}),
    ("media_error", 20, 0.04, {}),
    ("redirect_media", 20, 0.04, {}),
)


@functools.cache
def design() -> Plan:
    """300 cells of four operations in blocks that take turns; 60 of them have three takes each."""
    plan = Plan((), {}, "nothing")
    for topic in ("ships", "rain", "ships", "trains", "ships"):
        words = {"topic": [topic], "temper": ["calm", "wild", "odd", "old", "new"]}
        plan += Plan.grid(
            sonic.Create,
            base={"custom_mode": False, "gpt_description_prompt": "{temper} {topic}"},
            factors={**words, "mv": ["sonic-v5", "sonic-v4-5", "sonic-v4"]},
        )
        plan += Plan.grid(
            studio.Description,
            base={"prompt": "a {temper} song about {topic} in {place}", "model_type": STUDIO},
            factors={**words, "place": ["Rome", "Oslo", "Lima"]},
        )
        plan += Plan.grid(
            nuro.Vocal,
            base={"lyrics": " ".join(["{topic}, how {temper} you are"] * 16)},
            factors={**words, "genre": ["Folk", "Pop", "Rock"], "gender": ["Female"]},
        )
        plan += Plan.grid(
            lyrics.Make,
            base={"description": "{temper} {topic} at {hour}"},
            factors={**words, "hour": ["dawn", "noon", "night"]},
        )
    return plan


# --- the kernels, each a process of its own --------------------------------------------------


async def kernel(path: str, url: str, budget: int) -> None:
    """What a person's notebook does, in every kernel anew."""
    with Library(path) as library:
        async with MusicAPI(KEY, base_url=url, speed=SPEED, ledger=library) as api:
            await experiment(api, library, budget).run()


def experiment(api: MusicAPI, library: Library, budget: int) -> Experiment:
    return Experiment(
        NAME, design(), api, library, budget=budget, concurrency=CONCURRENCY, deadline=DEADLINE
    )


def nursery() -> None:
    """Fork a kernel for each line with its arguments; for one with its number, say how it ended.

    Every kernel is a process of its own; forked, since importing takes longer than its life.
    """
    orphaned, here = os.pipe()  # read to the end by kernels: it comes when this process ends
    design().check()  # loads pandas, and with it a thread that kernels can do without
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    for line in sys.stdin:
        order = json.loads(line)
        if isinstance(order, int):
            _, status = os.waitpid(order, 0)
            _say(os.waitstatus_to_exitcode(status))
        elif child := os.fork():
            _say(child)
        else:
            os.close(here)
            _live(orphaned, *order)


def _say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _live(orphaned: int, path: str, *given: Any) -> NoReturn:
    """Run a kernel, then leave word and stay, as an idle one does, until killed or orphaned."""
    last = ""
    try:
        asyncio.run(kernel(path, *given))
    except BaseException:  # noqa: BLE001 - the test is told
        last = traceback.format_exc()
    finally:
        word = _last_word(Path(path), os.getpid())
        word.with_suffix(".part").write_text(last, encoding="utf-8")
        word.with_suffix(".part").replace(word)
        os.read(orphaned, 1)
        os._exit(1)


def _last_word(path: Path, pid: int) -> Path:
    return path.with_name(f"{pid}.ended")


# --- the moments at which they are killed ----------------------------------------------------


Kind: TypeAlias = Literal["opening", "post", "poll", "media"]


@dataclasses.dataclass(frozen=True)
class Moment:
    """When to kill: as the `number`-th request of a kind arrives, or (not `exact`) soon after."""

    kind: Kind
    number: int
    exact: bool

    def counts(self, arrival: Arrival) -> bool:
        return {
            "opening": False,
            "post": arrival.method == "POST",
            "poll": "/task/" in arrival.path,
            "media": "/media/" in arrival.path,
        }[self.kind]


def drawn(draw: random.Random) -> Moment:
    most: dict[Kind, int] = {"opening": 1, "post": 10, "poll": 60, "media": 30}
    (kind,) = draw.choices(list(most), (1, 4, 3, 3))
    return Moment(kind, draw.randint(1, most[kind]), draw.random() < 0.5)


class Watched(Traffic):
    """Traffic that says when a moment has come; an exact one is used on the server's thread."""

    def __init__(self) -> None:
        super().__init__()
        self.come = threading.Event()
        self._lock = threading.Lock()
        self._watch: tuple[Moment, int, Callable[[], None]] | None = None
        self._seen = 0

    def watch(self, moment: Moment, most_posts: int, strike: Callable[[], None]) -> None:
        """Wait for a moment, or for so many POSTs in all."""
        with self._lock:
            self._watch, self._seen = (moment, most_posts, strike), 0
            self.come.clear()

    def forget(self) -> None:
        """Strike no more."""
        with self._lock:
            self._watch = None

    def record(self, arrival: Arrival) -> None:
        super().record(arrival)
        with self._lock:
            if self._watch is None:
                return
            moment, most_posts, strike = self._watch
            self._seen += moment.counts(arrival)
            if self._seen >= moment.number or len(self.posts) >= most_posts:
                self._watch = None
                if moment.exact:
                    strike()
                self.come.set()


class Storm:
    """Kernels started and killed, one or two at a time."""

    def __init__(self, sim: Simulator, path: Path, draw: random.Random) -> None:
        self.sim, self.path, self.draw = sim, path, draw
        self.traffic = Watched()
        sim.traffic = self.traffic
        self.alive: list[int] = []
        self.killed: Counter[str] = Counter()
        self._errors = path.with_name("stderr")

    @contextlib.contextmanager
    def nursery(self) -> Iterator[None]:
        code = "from tests.test_kill import nursery; nursery()"
        threads = {"OPENBLAS_NUM_THREADS": "1"}  # forking is for those who have no other threads
        with (
            self._errors.open("w") as errors,
            python(code, stderr=errors, env={**os.environ, **threads}) as self._nursery,
        ):
            try:
                yield
            finally:
                for pid in self.alive:
                    os.kill(pid, signal.SIGKILL)
                assert self._nursery.stdin is not None
                self._nursery.stdin.close()

    def _ask(self, order: Any) -> int:
        assert self._nursery.stdin is not None
        self._nursery.stdin.write(json.dumps(order) + "\n")
        self._nursery.stdin.flush()
        answer = said(self._nursery)
        assert answer, self._errors.read_text()
        return int(answer)

    def rage(self, budget: int, kills: int) -> None:
        """Kill until so many were killed at work, or one is idle: its budget is used up.

        Each may buy so much that cells are left for the last.
        """
        working = True
        while working and (killed := self.killed.total()) < kills:
            other_shapes(self.sim, self.draw)
            working = self.kill_one(budget, CELLS * (killed + 1) // KILLS)

    def kill_one(self, budget: int, most_posts: int) -> bool:
        """Start kernels, and kill one of those that live; tell whether it was at work."""
        together = self.draw.random() < 0.4
        while len(self.alive) < 1 + together:
            self.alive.append(self._ask([str(self.path), self.sim.url, budget]))
        victim = self.draw.choice(self.alive)
        moment = drawn(self.draw)
        self.traffic.watch(moment, most_posts, lambda: os.kill(victim, signal.SIGKILL))
        if moment.kind == "opening":
            self.traffic.come.wait(self.draw.uniform(0.0, 0.1))
        else:
            self._wait(moment, victim)
        idle = self._is_idle(victim)
        os.kill(victim, signal.SIGKILL)  # whoever was killed keeps its number until asked about
        self.traffic.forget()
        self.alive.remove(victim)
        assert self._ask(victim) == -signal.SIGKILL
        _last_word(self.path, victim).unlink(missing_ok=True)
        if not idle:
            self.killed[f"{moment.kind}, {1 + len(self.alive)} alive"] += 1
        return not idle

    def _wait(self, moment: Moment, victim: int) -> None:
        for _ in range(int(PATIENCE / 0.2)):
            if self.traffic.come.wait(0.2) or self._is_idle(victim):
                return
        raise AssertionError(f"{moment} never came\n{self._errors.read_text()[-3000:]}")

    def _is_idle(self, pid: int) -> bool:
        word = _last_word(self.path, pid)
        if not word.exists():
            return False
        text = word.read_text(encoding="utf-8")
        assert not text, text
        return True

    def check_words(self) -> None:
        """Whether no kernel was in the way of another, or failed without anybody noticing."""
        for pid in self.alive:
            self._is_idle(pid)
        words = self._errors.read_text()
        found = [
            never for never in ("Traceback", "cannot write", "could not note") if never in words
        ]
        assert not found, words


# --- the two ledgers, held against each other ------------------------------------------------


def what(path: str, body: Any) -> str:
    return f"{path} {json.dumps(body, sort_keys=True)}"


def asked(request: Request | None) -> str:
    assert request is not None
    return what(request.path, json.loads(json.dumps(request.body())))


def agree(sim: Simulator, library: Library) -> dict[int, Charge | None]:
    """Match every charge with its entry; return what each uncertain one turns out to be.

    A charge is known by its task. One without a task (lyrics), or whose task the library has not,
    is known by what was asked: the bodies of two takes are equal, all others differ.
    """
    entries = library.entries()
    wants = {entry.id: asked(library.request(entry.id)) for entry in entries}
    by_task = {entry.task_id: entry for entry in entries if entry.task_id}
    left: dict[str, list[Charge]] = defaultdict(list)
    purchases: dict[str, list[Charge]] = defaultdict(list)
    for arrival in sim.traffic.paid:
        assert arrival.charge is not None
        words = what(arrival.path, arrival.body)
        entry = by_task.pop(arrival.charge.task_id or "", None)
        if entry is None:
            left[words].append(arrival.charge)
        else:
            assert wants[entry.id] == words
            assert entry.price == arrival.charge.credits
            purchases[entry.identity].append(arrival.charge)
    assert not by_task, "tasks that the simulator never made"
    for entry in entries:
        if entry.state in {"done", "failed"} and entry.task_id is None:
            assert left[wants[entry.id]], f"{entry} was not charged"
            purchases[entry.identity].append(left[wants[entry.id]].pop(0))
    truth: dict[int, Charge | None] = {}
    for entry in entries:
        if entry.state == "uncertain":
            found = left[wants[entry.id]]
            truth[entry.id] = charge = found.pop(0) if found else None
            purchases[entry.identity] += [charge] if charge else []
    assert not any(left.values()), f"charged, and neither known nor uncertain: {left}"
    for charges in purchases.values():
        assert most_at_once(charges) <= 1, f"bought twice: {charges}"
    return truth


def most_at_once(charges: Iterable[Charge], size: Callable[[Charge], int] = lambda _: 1) -> int:
    """The most that was charged and not given back (yet) at any instant."""
    steps = [(charge.charged_at, size(charge)) for charge in charges]
    steps += [(charge.refunded_at, -size(charge)) for charge in charges if charge.refunded_at]
    most = now = 0
    for _, step in sorted(steps):
        now += step
        most = max(most, now)
    return most


def credits_of(charge: Charge) -> int:
    return charge.credits


def held(path: Path) -> int:
    with Library(path) as library:
        return library.budgets()[f"experiment {NAME}"].held


def check_money(sim: Simulator, library: Library) -> None:
    """Once nothing is in doubt, both say the same of every credit."""
    account = library.account()
    charged, refunded = sim.accounts.charged(KEY), sim.accounts.refunded(KEY)
    assert (account.spent, account.refunded) == (charged - refunded, refunded)
    assert (account.uncertain, account.unpriced) == (0, 0)
    assert sim.accounts.of(KEY).balance == GRANTED - account.spent
    assert held(library.path) == account.spent


def check_files(sim: Simulator, library: Library) -> None:
    """Every finished song has its files here, byte for byte, and there are no others."""
    assert library.missing_files() == []
    assert library.verify() == []
    names, songs = set[str](), 0
    for task in library.tasks("done"):
        for song in task.songs:
            if song.state != "succeeded" or not song.audio_url:
                continue
            sung = sim.service.world.tasks[str(task.id)].songs[song.position]
            path = library.file_of(song, "audio")
            assert path is not None
            assert path.read_bytes() == media.sound(sung, sung.form).content
            assert len(soundfile.read(path)[0]) > 0
            names.add(path.name)
            songs += 1
            if song.image_url:
                cover = library.file_of(song, "image")
                assert cover is not None
                assert cover.read_bytes() == media.picture(sung).content
                names.add(cover.name)
    assert songs > CELLS // 2
    assert {path.name for path in (library.path / "files").rglob("*") if path.is_file()} == names


@pytest.fixture
def quick_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sing and paint once for all songs, and mark each: making them takes longer than all else."""
    sing, paint, made = media.sound, media.picture, dict[str, media.File]()

    def marked(name: str, make: Callable[[], media.File], song: Song) -> media.File:
        whole = made.get(name) or made.setdefault(name, make())
        return whole._replace(content=whole.content + b"TAG" + song.song_id.encode().ljust(125))

    def sound(song: Song, form: AudioFormat) -> media.File:
        return marked(form, lambda: sing(song, form), song)

    monkeypatch.setattr(media, "sound", sound)
    monkeypatch.setattr(media, "picture", lambda song: marked("cover", lambda: paint(song), song))


def other_shapes(sim: Simulator, draw: random.Random) -> None:
    """Let replies look otherwise from now on, wherever nobody knows how they look."""
    for name, kind in get_type_hints(Shapes).items():
        if name not in {"unknown_clip", "studio_defaults"}:  # they are about what is refused
            choices = get_args(kind) if get_origin(kind) is Literal else (False, True)
            setattr(sim.shapes, name, draw.choice(choices))


def calm(sim: Simulator, library: Library, budget: int) -> None:
    """Run the experiment until nothing is left to do, then `resume`."""
    sim.faults.clear()
    for field in dataclasses.fields(Shapes):
        setattr(sim.shapes, field.name, field.default)

    async def main() -> None:
        async with MusicAPI(KEY, base_url=sim.url, speed=SPEED, ledger=library) as api:
            for _ in range(10):
                await experiment(api, library, budget).run()
                if all(at_rest(sim, entry) for entry in library.entries(experiment=NAME)):
                    break
            await api.resume(deadline=DEADLINE)

    asyncio.run(main())
    cells = library.entries(experiment=NAME)
    assert len(cells) == CELLS
    assert [entry for entry in cells if not at_rest(sim, entry)] == []


def at_rest(sim: Simulator, entry: Entry) -> bool:
    """Whether nothing more comes of a cell by itself."""
    if entry.state == "accepted":
        return sim.service.world.tasks[str(entry.task_id)].stuck
    return entry.state in {"done", "uncertain"} or (
        entry.state == "failed" and entry.refunded is not True
    )


def settle(sim: Simulator, library: Library, draw: random.Random) -> None:
    """Say of everything that is in doubt what the simulator knows."""
    for number, charge in agree(sim, library).items():
        if charge is None:
            library.resolve(number, charged=False)
        elif charge.task_id and (charge.refunded or draw.random() < 0.5):
            library.resolve(number, task_id=charge.task_id)
        else:
            library.resolve(number, charged=True)
    by_task = {charge.task_id: charge for charge in sim.accounts.charges(KEY)}
    for entry in library.entries("failed"):
        if entry.refunded is None:
            library.resolve(entry.id, charged=not by_task[entry.task_id].refunded)


@contextlib.contextmanager
def drawing() -> Iterator[random.Random]:
    seed = int(os.environ.get("MUSICAPI_KILL_SEED") or secrets.randbits(32))
    try:
        yield random.Random(seed)
    except BaseException as error:
        error.add_note(f"MUSICAPI_KILL_SEED={seed}")
        raise


@pytest.mark.usefixtures("quick_files")
def test_whatever_is_killed_when_no_paid_song_is_lost_and_none_bought_twice(tmp_path: Path) -> None:
    path, cost = tmp_path / "library", sum(cell.request.price() or 0 for cell in design())
    few = cost * 3 // 10
    with drawing() as draw:
        sim = Simulator(speed=SPEED, balance=GRANTED, seconds=(1.0, 1.5), seed=draw.randrange(9999))
        armed = [
            sim.faults.arm(kind, times=times, probability=chance, **settings)
            for kind, times, chance, settings in FAULTS
        ]
        assert {fault.kind for fault in armed} == set(KINDS)
        storm = Storm(sim, path, draw)
        with EmbeddedSimulator(sim):
            with storm.nursery():
                storm.rage(few, KILLS // 2)
                assert most_at_once(sim.accounts.charges(KEY), credits_of) <= few
                assert held(path) <= few
                while storm.killed.total() < KILLS:
                    storm.rage(cost, KILLS)
            assert any("2 alive" in how for how in storm.killed)
            storm.check_words()
            assert set(KINDS) - {fault.kind for fault in armed if fault.hits} == set()
            with Library(path) as library:
                calm(sim, library, cost)
                check_files(sim, library)
                truth = agree(sim, library)
                died = [entry.id for entry in library.entries("uncertain")
                        if "ended before" in str(entry.note)]  # fmt: skip
                assert {truth[number] is None for number in died} == {True, False}
                for _ in range(2):  # what is resolved by its task may fail, too
                    settle(sim, library, draw)
                    calm(sim, library, cost)
                settle(sim, library, draw)
                assert agree(sim, library) == {}
                check_money(sim, library)
                check_files(sim, library)
                rebuilt_is_the_same(library)
        assert most_at_once(sim.accounts.charges(KEY), credits_of) <= cost
        assert sim.traffic.media_authorized == 0
