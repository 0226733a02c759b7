"""The kill test: kernels of one experiment are killed at any moment, and nothing is lost.

This process receives the kernels' webhooks, and forgeries of each before it.
"""

import asyncio
import contextlib
import dataclasses
import functools
import itertools
import json
import os
import random
import secrets
import signal
import sys
import threading
import traceback
import warnings
import weakref
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeAlias, get_args, get_origin, get_type_hints

import aiohttp
import pytest
import soundfile
from aiohttp import web

from musicapi_nb import MusicAPI, Task, lyrics, nuro, sonic, studio, tasks, webhooks
from musicapi_nb.engines import Request
from musicapi_nb.experiment import Experiment
from musicapi_nb.library import Entry, Event, Library
from musicapi_nb.notebook.event_loop import BackgroundLoop
from musicapi_nb.plan import Plan
from musicapi_nb.simulator import (
    FAULT_KINDS,
    ArmedFault,
    Charge,
    EmbeddedSimulator,
    Faults,
    LoggedRequest,
    ReplyOptions,
    RequestLog,
    Simulator,
    media,
)
from musicapi_nb.simulator.music.recording import AudioFormat
from musicapi_nb.simulator.tasks import Song
from musicapi_nb.simulator.tasks import Task as Made
from tests.library.helpers import python, read_line, rebuilt_is_the_same

if sys.platform == "win32":
    pytest.skip("Windows has no SIGKILL, no fork", allow_module_level=True)

STUDIO = "studio130-v1.5"
KEY = "sk-of-an-account-0001"
SECRET = "what-webhooks-are-signed-with"  # noqa: S105 - of this storm alone
NAME = "storm"
SPEED = 400.0
KILLS = 36
CELLS = 315
POSTS = 360  # one for each cell, and some again: a refusal, "not ready"
ASSUMED = 17  # credits for a request of unknown price: the simulator charges no more
GRANTED = 100_000
CONCURRENCY = 16
DEADLINE = 600.0  # seconds of the simulator's clock; the slowest song takes about 220
PATIENCE = 60.0  # seconds to wait for an event
AGAIN = frozenset(kind.path for kind in (sonic.Wav, sonic.Midi, sonic.Download))

# kind, maximum number, probability, and settings
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
    ("queue_full", 4, 0.15, {"path": "nuro"}),
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
    ("lost_reply", 2, 0.04, {"path": "sonic/wav"}),
    ("cut_body", 2, 0.04, {"method": "POST", "path": "sonic/midi"}),
    ("error_after", 2, 0.04, {"path": "sonic/download"}),
    ("step_fails", 4, 0.2, {}),
    ("step_fails", 4, 0.2, {"step": 2}),
    ("webhook_lost", 20, 0.1, {}),
    ("webhook_late", 30, 0.1, {"seconds": 60.0}),
    ("webhook_twice", 30, 0.1, {}),
    ("webhook_out_of_order", 30, 0.1, {}),
    ("task_fails", 12, 0.05, {}),
    # not for sonic, which may report a refund that was not made (ReplyOptions)
    ("task_fails", 3, 0.05, {"path": "studio", "refund": False}),
    ("task_fails", 3, 0.05, {"path": "nuro", "refund": False}),
    ("one_clip_fails", 10, 0.05, {}),
    ("duration_text", 20, 0.08, {}),
    ("unknown_state", 20, 0.08, {}),
    ("stuck", 3, 0.05, {}),
    ("truncated_download", 20, 0.04, {}),
    ("wrong_type_download", 20, 0.04, {}),
    ("slow_download", 20, 0.04, {"seconds": 30.0}),
    ("dead_link", 15, 0.03, {}),
    ("media_error", 20, 0.04, {}),
    ("redirect_media", 20, 0.04, {}),
)
# After these only the service knows the outcome of a POST.
SPOILT = {
    "drop_before",
    "lost_reply",
    "cut_body",
    "garbage_body",
    "html_body",
    "empty_body",
    "error_after",
    "server_error",
    "redirect_api",
}


@functools.cache
def design() -> Plan:
    """Return plan cells of nine operations in alternating blocks; 19 have three takes each."""
    plan = Plan((), {}, "nothing")
    for index, topic in enumerate(("ships", "rain", "ships", "trains", "ships")):
        levels = {"topic": [topic], "temper": ["calm", "wild", "odd", "old", "new"]}
        clip = {"clip_id": f"{{temper}}-{{topic}}-{index}"}  # reposted, so that takes look alike
        plan += Plan.grid(
            sonic.Create,
            base={"custom_mode": False, "gpt_description_prompt": "{temper} {topic}"},
            factors={**levels, "mv": ["sonic-v5", "sonic-v4-5", "sonic-v4"]},
        )
        plan += Plan.grid(
            studio.Description,
            base={"prompt": "a {temper} song about {topic} in {place}", "model_type": STUDIO},
            factors={**levels, "place": ["Rome", "Oslo"]},
        )
        plan += Plan.grid(
            nuro.Vocal,
            base={"lyrics": " ".join(["{topic}, how {temper} you are"] * 16)},
            factors={**levels, "genre": ["Folk", "Rock"], "gender": ["Female"]},
        )
        plan += Plan.grid(lyrics.Make, base={"description": "{temper} {topic}"}, factors=levels)
        plan += Plan.grid(
            sonic.UploadExtend,
            base={
                "custom_mode": False,
                "gpt_description_prompt": "{temper} {topic}",
                "mv": "sonic-v5",
                "url": "https://example.org/{temper}/{topic}.mp3",
                "continue_at": 9.0,
            },
            factors=levels,
        )
        plan += Plan.grid(sonic.Batch, factors={"items": [couple(topic, mv) for mv in MODELS]})
        plan += Plan.grid(sonic.Wav, base=clip, factors=levels)
        plan += Plan.grid(sonic.Midi, base=clip, factors=levels)
        plan += Plan.grid(sonic.Download, base={**clip, "formats": ["mp3", "wav"]}, factors=levels)
    return plan


MODELS = "sonic-v5", "sonic-v4-5", "sonic-v4"


def couple(topic: str, mv: str) -> list[sonic.Create]:
    """Return the items of a batch."""
    return [
        sonic.Create(custom_mode=False, gpt_description_prompt=f"{temper} {topic}, twice", mv=mv)
        for temper in ("loud", "soft")
    ]


# --- kernels, each a process -----------------------------------------------------------------


async def kernel(path: str, url: str, budget: int, hook: str) -> None:
    """Run the experiment, as a notebook does in every kernel."""
    with Library(path) as library:
        async with MusicAPI(
            KEY, base_url=url, speed=SPEED, ledger=library, webhook=hook, webhook_secret=SECRET
        ) as api:
            await experiment(api, library, budget).run()


def experiment(api: MusicAPI, library: Library, budget: int) -> Experiment:
    return Experiment(
        NAME,
        design(),
        api,
        library,
        budget=budget,
        assume=ASSUMED,
        concurrency=CONCURRENCY,
        deadline=DEADLINE,
    )


def nursery() -> None:
    """Fork a kernel for each line of arguments; for a line with a process id, print its exit code.

    Kernels are forked because imports take longer than their lives.
    """
    orphaned, write_end = (
        os.pipe()
    )  # kernels read it to its end, which comes when this process ends
    design().check()  # loads pandas, and with it a thread that kernels do not need
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    for line in sys.stdin:
        order = json.loads(line)
        if isinstance(order, int):
            _, status = os.waitpid(order, 0)
            _say(os.waitstatus_to_exitcode(status))
        elif child := os.fork():
            _say(child)
        else:
            os.close(write_end)
            _live(orphaned, *order)


def _say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _live(orphaned: int, path: str, *arguments: Any) -> NoReturn:
    """Run a kernel, write its last error, then idle until killed or orphaned."""
    last = ""
    try:
        asyncio.run(kernel(path, *arguments))
    except BaseException:  # noqa: BLE001 - the test reports it
        last = traceback.format_exc()
    finally:
        word = _last_word(Path(path), os.getpid())
        word.with_suffix(".part").write_text(last, encoding="utf-8")
        word.with_suffix(".part").replace(word)
        os.read(orphaned, 1)
        os._exit(1)


def _last_word(path: Path, pid: int) -> Path:
    return path.with_name(f"{pid}.ended")


# --- when kernels are killed -----------------------------------------------------------------


Kind: TypeAlias = Literal["opening", "post", "again", "poll", "media"]


@dataclasses.dataclass(frozen=True)
class Moment:
    """When to kill: when the `number`-th request of a kind arrives, or (not `exact`) soon after."""

    kind: Kind
    number: int
    exact: bool

    def counts(self, arrival: LoggedRequest, *, again: bool) -> bool:
        return {
            "opening": False,
            "post": arrival.method == "POST",
            "again": again,
            "poll": "/task/" in arrival.path,
            "media": "/media/" in arrival.path,
        }[self.kind]


def draw_moment(draw: random.Random) -> Moment:
    maximum: dict[Kind, int] = {"opening": 1, "post": 10, "again": 5, "poll": 60, "media": 30}
    (kind,) = draw.choices(list(maximum), (1, 4, 3, 3, 3))
    return Moment(kind, draw.randint(1, maximum[kind]), draw.random() < 0.5)


class Watched(RequestLog):
    """A request log that reports a moment; an exact one is handled on the server's thread.

    `struck` has the faults of each POST.
    """

    def __init__(self) -> None:
        super().__init__()
        self.come = threading.Event()
        self.struck: dict[int, set[str]] = defaultdict(set)
        self._handled = weakref.WeakKeyDictionary[asyncio.Task[Any], LoggedRequest]()
        self._asked: set[str] = set()
        self._lock = threading.Lock()
        self._watch: tuple[Moment, int, Callable[[], None]] | None = None
        self._seen = 0

    def watch(self, moment: Moment, most_posts: int, strike: Callable[[], None]) -> None:
        """Wait for a moment, or for a total number of POSTs."""
        with self._lock:
            self._watch, self._seen = (moment, most_posts, strike), 0
            self.come.clear()

    def forget(self) -> None:
        """Stop waiting for a moment."""
        with self._lock:
            self._watch = None

    def meets(self, kind: str) -> None:
        """Record that a fault affects the request that this server task handles."""
        task = asyncio.current_task()
        if task and (arrival := self._handled.get(task)) and arrival.method == "POST":
            self.struck[arrival.number].add(kind)

    def record(self, arrival: LoggedRequest) -> None:
        super().record(arrival)
        if task := asyncio.current_task():
            self._handled[task] = arrival
        again = arrival.path in AGAIN and (request_text := describe(arrival)) in self._asked
        if arrival.path in AGAIN:
            self._asked.add(request_text)
        with self._lock:
            if self._watch is None:
                return
            moment, most_posts, strike = self._watch
            self._seen += moment.counts(arrival, again=again)
            if self._seen >= moment.number or len(self.posts) >= most_posts:
                self._watch = None
                if moment.exact:
                    strike()
                self.come.set()


class Noted(Faults):
    """Faults that record which request they affect."""

    def __init__(self, seed: int, traffic: Watched) -> None:
        super().__init__(seed)
        self._traffic = traffic

    def strike(self, kind: str, method: str, path: str) -> ArmedFault | None:
        fault = super().strike(kind, method, path)
        if fault is not None:
            self._traffic.meets(kind)
        return fault


class Storm:
    """Starts and kills kernels, one or two at a time."""

    def __init__(
        self, sim: Simulator, traffic: Watched, path: Path, hook: str, draw: random.Random
    ) -> None:
        self.sim, self.path, self.hook, self.draw = sim, path, hook, draw
        self.request_log = traffic
        self.alive: list[int] = []
        self.killed: Counter[str] = Counter()
        self._errors = path.with_name("stderr")

    @contextlib.contextmanager
    def nursery(self) -> Iterator[None]:
        code = "from tests.test_kill import nursery; nursery()"
        threads = {"OPENBLAS_NUM_THREADS": "1"}  # only a process without other threads may fork
        with (
            self._errors.open("w", encoding="utf-8") as errors,
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
        answer = read_line(self._nursery)
        assert answer, self._errors.read_text(encoding="utf-8")
        return int(answer)

    def rage(self, budget: int, kills: int) -> None:
        """Kill until `kills` were killed at work, or one is idle because its budget is used up.

        The number of POSTs of each is limited, so that cells remain for the last.
        """
        working = True
        while working and (killed := self.killed.total()) < kills:
            other_shapes(self.sim, self.draw)
            working = self.kill_one(budget, POSTS * (killed + 1) // KILLS)

    def kill_one(self, budget: int, most_posts: int) -> bool:
        """Start kernels and kill one of them; return whether it was at work."""
        together = self.draw.random() < 0.4
        while len(self.alive) < 1 + together:
            self.alive.append(self._ask([str(self.path), self.sim.url, budget, self.hook]))
        victim = self.draw.choice(self.alive)
        moment = draw_moment(self.draw)
        self.request_log.watch(moment, most_posts, lambda: os.kill(victim, signal.SIGKILL))
        if moment.kind == "opening":
            self.request_log.come.wait(self.draw.uniform(0.0, 0.1))
        else:
            self._wait(moment, victim)
        idle = self._is_idle(victim)
        os.kill(victim, signal.SIGKILL)  # a killed process keeps its id until it is waited for
        self.request_log.forget()
        self.alive.remove(victim)
        assert self._ask(victim) == -signal.SIGKILL
        _last_word(self.path, victim).unlink(missing_ok=True)
        if not idle:
            self.killed[f"{moment.kind}, {1 + len(self.alive)} alive"] += 1
        return not idle

    def _wait(self, moment: Moment, victim: int) -> None:
        for _ in range(int(PATIENCE / 0.2)):
            if self.request_log.come.wait(0.2) or self._is_idle(victim):
                return
        raise AssertionError(
            f"{moment} never came\n{self._errors.read_text(encoding='utf-8')[-3000:]}"
        )

    def _is_idle(self, pid: int) -> bool:
        word = _last_word(self.path, pid)
        if not word.exists():
            return False
        text = word.read_text(encoding="utf-8")
        assert not text, text
        return True

    def check_words(self) -> None:
        """Assert that no kernel blocked another or failed silently."""
        for pid in self.alive:
            self._is_idle(pid)
        log = self._errors.read_text(encoding="utf-8")
        bad_texts = [
            text for text in ("Traceback", "cannot write", "could not record") if text in log
        ]
        assert not bad_texts, log


# --- webhooks and forgeries -------------------------------------------------------------------


class Receiver:
    """Receives the kernels' webhooks, and tries forgeries before each.

    `answers` counts the answers to webhooks, `forged` those to forgeries.
    """

    def __init__(self, library: Library, draw: random.Random) -> None:
        self.url = ""
        self.answers: Counter[int] = Counter()
        self.forged: Counter[int] = Counter()
        self._draw = draw
        self._known: set[str] = set()
        self._app = web.Application()
        self._app.add_subapp("/true/", webhooks.app(library, secret=SECRET))
        self._app.router.add_post("/hooks", self._front)

    async def start(self) -> None:
        self._runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/hooks"
        self._session = aiohttp.ClientSession()

    async def stop(self) -> None:
        await self._session.close()
        await self._runner.cleanup()

    async def _front(self, request: web.Request) -> web.Response:
        body, query = await request.read(), dict(request.query)
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.startswith(("X-", "Content-Type"))
        }
        named = headers.get("X-Webhook-Id", "")
        if named not in self._known:  # a copy of an earlier webhook is answered as known
            for forged in self._forgeries(headers, query):
                self.forged[await self._send(body, *forged)] += 1
        status = await self._send(body, headers, query)
        if status == HTTPStatus.OK:
            self._known.add(named)
        self.answers[status] += 1
        return web.Response(status=status)

    def _forgeries(
        self, headers: Mapping[str, str], query: Mapping[str, str]
    ) -> Iterator[tuple[Mapping[str, str], Mapping[str, str]]]:
        number, _, proof = query["purchase"].partition("-")
        other = max(int(number) + self._draw.choice((-3, -2, -1, 1, 2, 3)), 1)
        yield headers, {"purchase": f"{other}-{proof}"}
        yield {**headers, "X-Webhook-Signature": f"sha256={self._draw.randbytes(32).hex()}"}, query

    async def _send(self, body: bytes, headers: Mapping[str, str], query: Mapping[str, str]) -> int:
        url = self.url.replace("/hooks", "/true/hooks")
        async with self._session.post(url, data=body, headers=headers, params=query) as reply:
            return reply.status

    def check(self) -> None:
        """Assert that no forgery was accepted, and every genuine webhook was."""
        assert self.forged[HTTPStatus.NOT_FOUND] > 0
        assert set(self.forged) <= {HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND}, self.forged
        assert self.answers[HTTPStatus.OK] > CELLS // 6
        assert set(self.answers) <= {HTTPStatus.OK, HTTPStatus.UNAUTHORIZED}, self.answers


@contextlib.contextmanager
def receiving(library: Library, draw: random.Random) -> Iterator[Receiver]:
    background, receiver = BackgroundLoop(), Receiver(library, draw)
    try:
        background.submit(receiver.start()).result()
        yield receiver
        background.submit(receiver.stop()).result()
    finally:
        background.stop()


# --- comparing the two ledgers ---------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Bill:
    """What the simulator charged for one purchase, and its task or batch ("": none).

    A batch has a charge for each item. `repeats` are the charges of reposts.
    """

    request_text: str
    name: str
    charges: tuple[Charge, ...]
    repeats: tuple[Charge, ...] = ()

    @property
    def credits(self) -> int:
        return sum(charge.credits for charge in self.charges)

    @property
    def left(self) -> int:
        """Credits that were not refunded."""
        return sum(charge.credits for charge in self.charges if not charge.refunded)

    @property
    def charged_at(self) -> float:
        return self.charges[0].charged_at

    @property
    def refunded_at(self) -> float | None:
        """When all of it had been refunded."""
        times = [charge.refunded_at for charge in self.charges if charge.refunded_at is not None]
        return max(times) if len(times) == len(self.charges) else None


def describe(arrival: LoggedRequest) -> str:
    """Describe a request without its webhook fields."""
    hook = {"webhook_url", "webhook_secret"}
    body = {name: value for name, value in arrival.body.items() if name not in hook}
    return f"{arrival.path} {json.dumps(body, sort_keys=True)}"


def described_request(request: Request | None) -> str:
    assert request is not None
    return f"{request.path} {json.dumps(request.body(), sort_keys=True)}"


def all_bills(sim: Simulator) -> list[Bill]:
    batches = {
        task.task_id: name
        for name in sim.service.catalog.batches
        for task in tasks_of_arrival(sim, name)
    }
    bills: dict[str, Bill] = {}
    for arrival in sim.request_log.paid:
        assert arrival.charge is not None
        charge, request_text = arrival.charge, describe(arrival)
        if arrival.path in AGAIN and (known_bill := bills.get(request_text)):
            bills[request_text] = dataclasses.replace(
                known_bill, repeats=(*known_bill.repeats, charge)
            )
            continue
        name = charge.task_id or ""
        charges: tuple[Charge, ...] = (charge,)
        if name in batches:
            name = batches[name]
            charges = tuple(task.charge for task in tasks_of_arrival(sim, name))
        bills[request_text if arrival.path in AGAIN else str(charge.number)] = Bill(
            request_text, name, charges
        )
    return list(bills.values())


def tasks_of_arrival(sim: Simulator, name: str) -> list[Made]:
    """Return the tasks of a batch without refused items, or the task of that name."""
    world = sim.service.catalog
    names = [answer.body.get("task_id") for answer in world.batches.get(name, ())]
    return [world.tasks[key] for key in [*names, name] if key in world.tasks]


def match_bills(sim: Simulator, library: Library) -> dict[int, Bill]:
    """Find the bill of every purchase.

    It is matched by its task. Without a task (lyrics, links, a failed step), or if the library does
    not have the task, it is matched by the request, which is equal only for takes.
    """
    entries = library.entries()
    wants = {entry.id: described_request(library.request(entry.id)) for entry in entries}
    by_task = {entry.task_id: entry for entry in entries if entry.task_id}
    left: dict[str, list[Bill]] = defaultdict(list)
    bills: dict[int, Bill] = {}
    for bill in all_bills(sim):
        entry = by_task.pop(bill.name, None)
        if entry is None:
            left[bill.request_text].append(bill)
        else:
            assert wants[entry.id] == bill.request_text
            bills[entry.id] = bill
    empty = {name for name in sim.service.catalog.batches if not tasks_of_arrival(sim, name)}
    assert set(by_task) <= empty, "tasks that the simulator never made"
    for state in ("done", "accepted", "reposting", "failed", "uncertain"):
        for entry in entries:
            if entry.state == state and entry.task_id is None and not was_refused(library, entry):
                likely = sorted(
                    left[wants[entry.id]], key=lambda bill: (bill.credits != entry.price, bill.name)
                )
                # A download is charged with its files, not when it is accepted.
                free = entry.operation == "download" and state in {"accepted", "reposting"}
                assert likely or state == "uncertain" or free, f"{entry} was not charged"
                if likely:
                    bills[entry.id] = likely[0]
                    left[wants[entry.id]].remove(likely[0])
    assert not any(left.values()), f"charged, and neither known nor uncertain: {left}"
    return bills


def was_refused(library: Library, entry: Entry) -> bool:
    """Return whether the first of several steps failed: the simulator then charges nothing."""
    raw = library.task(entry.id).raw if entry.state == "failed" else None
    return isinstance(raw, dict) and raw.get("failed_step") == "upload"


def agree(sim: Simulator, library: Library) -> dict[int, Bill | None]:
    """Compare the ledgers; return the bill of each uncertain purchase."""
    bills = match_bills(sim, library)
    purchases: dict[str, list[Bill]] = defaultdict(list)
    for entry in library.entries():
        if bill := bills.get(entry.id):
            items = entry.operation == "batch"
            # Items that were refused or refunded are taken off the price, once a reply says so.
            assert entry.price in {None, bill.credits} or (items and entry.price >= bill.left)
            purchases[entry.request_key].append(bill)
    for same_key in purchases.values():
        assert most_at_once(same_key) <= 1, f"bought twice: {same_key}"
    return {entry.id: bills.get(entry.id) for entry in library.entries("uncertain")}


def check_repeats(sim: Simulator, library: Library, traffic: Watched) -> None:
    """Assert that each repost is in the ledger, and none follows a lost one."""
    entries = {entry.id: entry for entry in library.entries()}
    written, steps = Counter[str](), defaultdict[int, list[Event]](list)
    for event in library.events():
        if event.entry is not None:
            steps[event.entry].append(event)
            written[entries[event.entry].request_key] += event.kind in {"sending", "reposting"}
    for events in steps.values():
        for asking, then in itertools.pairwise(events):
            if asking.kind == "reposting":  # the one who reposts has the reply, or nobody has
                assert then.kind == "uncertain" or then.owner == asking.owner
    arrived = defaultdict[str, list[LoggedRequest]](list)
    for arrival in sim.request_log.posts:
        if arrival.path in AGAIN:
            arrived[describe(arrival)].append(arrival)
    request_keys = {
        described_request(library.request(entry.id)): entry.request_key
        for entry in entries.values()
    }
    for request_text, arrivals in arrived.items():
        assert len(arrivals) <= written[request_keys[request_text]], (
            f"not in the ledger: {arrivals}"
        )
        lost = [bool(traffic.struck[arrival.number] & SPOILT) for arrival in arrivals]
        assert not any(lost[:-1]), f"asked again after a lost reply: {arrivals}"


def most_at_once(
    charges: Iterable[Charge | Bill], size: Callable[[Charge | Bill], int] = lambda _: 1
) -> int:
    """Return the maximum of credits charged and not yet refunded."""
    steps = [(charge.charged_at, size(charge)) for charge in charges]
    steps += [(charge.refunded_at, -size(charge)) for charge in charges if charge.refunded_at]
    maximum = now = 0
    for _, step in sorted(steps):
        now += step
        maximum = max(maximum, now)
    return maximum


def most_credits(sim: Simulator) -> int:
    """Return the credits that the budget limits; whether reposts are charged is unknown."""
    charges = (charge for bill in all_bills(sim) for charge in bill.charges)
    return most_at_once(charges, lambda charge: charge.credits)


def held(path: Path) -> int:
    with Library(path) as library:
        return library.budgets()[f"experiment {NAME}"].held


def check_money(sim: Simulator, library: Library) -> None:
    """Assert that both ledgers agree on all known prices, once nothing is in doubt.

    The ledger knows only the total price of a batch, and not whether reposts are charged.
    """
    bills, account = match_bills(sim, library), library.account()
    priced = unpriced = repeated = doubtful = 0
    for entry in library.entries():
        bill = bills.get(entry.id)
        repeated += sum(charge.credits for charge in bill.repeats) if bill else 0
        if entry.price is None:
            unpriced += entry.state not in {"planned", "not_run", "refused"}
            continue
        counts = entry.state in {"accepted", "done"}
        counts = counts or (entry.state == "failed" and not entry.refunded)
        price, left = entry.price if counts else 0, bill.left if bill else 0
        assert price == left or (entry.operation == "batch" and price > left > 0), (entry, bill)
        priced += price
        doubtful += max(entry.held - entry.price, 0)
    assert (account.spent, account.uncertain, account.unpriced) == (priced, doubtful, unpriced)
    assert repeated > 0
    assert doubtful > 0
    mine = sum(charge.credits for charge in sim.accounts.charges(KEY) if not charge.refunded)
    assert mine == repeated + sum(bill.left for bill in bills.values())
    assert sim.accounts.get(KEY).balance == GRANTED - mine
    # Beyond the price, budgets hold what was assumed for unknown prices, and repetitions.
    assert held(library.path) == account.spent + sum(
        entry.held - (entry.price or 0) for entry in library.entries() if entry.held
    )


def check_files(sim: Simulator, library: Library) -> None:
    """Assert that all files of finished songs are stored byte for byte, and no others."""
    assert library.missing_files() == []
    assert library.verify() == []
    names, songs = set[str](), 0
    for task in [
        *library.tasks("done"),
        *library.tasks("accepted"),
    ]:  # one task of a batch may be stuck
        for song in task.songs:
            if song.state != "succeeded" or not song.audio_url:
                continue
            sung = expected_song(sim, task, song)
            path = library.file_of(song, "audio")
            assert path is not None
            assert path.read_bytes() == media.audio_file(sung, sung.audio_format).content
            assert len(soundfile.read(path)[0]) > 0
            names.add(path.name)
            songs += 1
            if song.image_url:
                cover = library.file_of(song, "image")
                assert cover is not None
                assert cover.read_bytes() == media.cover_file(sung).content
                names.add(cover.name)
    assert songs > CELLS // 2
    assert {path.name for path in (library.path / "files").rglob("*") if path.is_file()} == names


def expected_song(sim: Simulator, task: Task, song: tasks.Song) -> Song:
    world = sim.service.catalog
    return (
        world.songs[str(song.id)] if task.parts else world.tasks[str(task.id)].songs[song.position]
    )


@pytest.fixture
def quick_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Create audio and cover once for all songs and mark each, to save most of the time."""
    sing, paint, files_made = media.audio_file, media.cover_file, dict[str, media.File]()

    def mark_response(name: str, make: Callable[[], media.File], song: Song) -> media.File:
        content = files_made.get(name) or files_made.setdefault(name, make())
        return content._replace(content=content.content + b"TAG" + song.song_id.encode().ljust(125))

    def sound(song: Song, form: AudioFormat) -> media.File:
        return mark_response(form, lambda: sing(song, form), song)

    monkeypatch.setattr(media, "audio_file", sound)
    monkeypatch.setattr(
        media, "cover_file", lambda song: mark_response("cover", lambda: paint(song), song)
    )


# Links are requested for clips that do not exist; webhooks come to this machine.
FIXED: Mapping[str, Any] = {"unknown_clip": "accept", "webhook_hosts": "loopback"}


def other_shapes(sim: Simulator, draw: random.Random) -> None:
    """Change the form of replies where the documentation leaves it open."""
    # These decide what is refused.
    settled = {*FIXED, "studio_defaults", "retired", "purged_after", "upload_probe"}
    for name, kind in get_type_hints(ReplyOptions).items():
        if name not in settled:
            choices = get_args(kind) if get_origin(kind) is Literal else (False, True)
            setattr(sim.reply_options, name, draw.choice(choices))
    if draw.random() < 0.6:  # otherwise most are refused
        sim.reply_options.webhook_signature = "signed"


def calm_down(sim: Simulator, library: Library, budget: int) -> None:
    """Run the experiment until it is complete, then `resume`."""
    sim.faults.clear()
    for field in dataclasses.fields(ReplyOptions):
        setattr(sim.reply_options, field.name, FIXED.get(field.name, field.default))

    async def main() -> None:
        async with MusicAPI(KEY, base_url=sim.url, speed=SPEED, ledger=library) as api:
            for _ in range(10):
                await experiment(api, library, budget).run()
                if all(is_at_rest(sim, entry) for entry in library.entries(experiment=NAME)):
                    break
            await api.resume(deadline=DEADLINE)

    asyncio.run(main())
    cells = library.entries(experiment=NAME)
    assert len(cells) == CELLS
    assert [entry for entry in cells if not is_at_rest(sim, entry)] == []


def is_at_rest(sim: Simulator, entry: Entry) -> bool:
    """Return whether a cell will not change any more."""
    if entry.state == "accepted":
        return any(task.stuck for task in tasks_of_arrival(sim, str(entry.task_id)))
    return entry.state in {"done", "uncertain"} or (
        entry.state == "failed" and entry.refunded is not True
    )


def settle(sim: Simulator, library: Library, draw: random.Random) -> None:
    """Resolve every uncertain purchase with what the simulator knows."""
    for number, bill in agree(sim, library).items():
        entry = library.entry(number)
        if bill is None:
            library.resolve(number, charged=False)
        elif entry.accepted_at is not None:  # of a repost: if it was free, reposting goes on
            last = [
                arrival
                for arrival in sim.request_log.posts
                if arrival.path in AGAIN and describe(arrival) == bill.request_text
            ][-1]
            library.resolve(number, charged=last.charge is not None)
        elif bill.name in sim.service.catalog.tasks and (bill.refunded_at or draw.random() < 0.5):
            library.resolve(number, task_id=bill.name)
        elif entry.price is None:
            library.resolve(number, before=bill.credits, after=0)
        else:
            library.resolve(number, charged=True)
    bills = match_bills(sim, library)
    for entry in library.entries("failed"):
        if entry.refunded is None:
            bill = bills.get(entry.id)
            if bill and entry.price is None and bill.left:
                library.resolve(entry.id, before=bill.left, after=0)
            else:
                library.resolve(entry.id, charged=bool(bill and bill.left))


@contextlib.contextmanager
def drawing() -> Iterator[random.Random]:
    seed = int(os.environ.get("MUSICAPI_KILL_SEED") or secrets.randbits(32))
    try:
        yield random.Random(seed)
    except BaseException as error:
        error.add_note(f"MUSICAPI_KILL_SEED={seed}")
        raise


@pytest.mark.usefixtures("quick_files")
def test_kill_at_any_moment_loses_no_song_and_buys_none_twice(tmp_path: Path) -> None:
    path, cost = tmp_path / "library", sum(cell.request.price() or ASSUMED for cell in design())
    limit, ample = 0, cost * 100  # the budget counts each repetition as well
    assert len(design()) == CELLS
    with drawing() as draw, Library(path) as webhook_library:
        traffic = Watched()
        faults = Noted(draw.randrange(9999), traffic)
        sim = Simulator(
            speed=SPEED,
            balance=GRANTED,
            seconds=(1.0, 1.5),
            seed=draw.randrange(9999),
            faults=faults,
            reply_options=ReplyOptions(**FIXED),
        )
        sim.request_log = traffic
        armed = [
            faults.arm(kind, times=times, probability=chance, **settings)
            for kind, times, chance, settings in FAULTS
        ]
        assert {fault.kind for fault in armed} == set(FAULT_KINDS)
        with (
            EmbeddedSimulator(sim),
            receiving(webhook_library, random.Random(draw.random())) as receiver,
        ):
            storm = Storm(sim, traffic, path, receiver.url, draw)
            with storm.nursery():
                while storm.killed.total() < KILLS:
                    limit += cost * 3 // 10
                    storm.rage(limit, KILLS)
                    assert most_credits(sim) <= limit
                    assert held(path) <= limit
            assert any("2 alive" in how for how in storm.killed)
            storm.check_words()
            assert set(FAULT_KINDS) - {fault.kind for fault in armed if fault.hits} == set()
            with Library(path) as library:
                calm_down(sim, library, ample)
                receiver.check()
                check_files(sim, library)
                check_repeats(sim, library, traffic)
                check_doubt(agree(sim, library), library)
                for _ in range(2):  # a purchase resolved by its task may fail, too
                    settle(sim, library, draw)
                    calm_down(sim, library, ample)
                settle(sim, library, draw)
                assert agree(sim, library) == {}
                check_money(sim, library)
                check_files(sim, library)
                rebuilt_is_the_same(library)
        assert most_credits(sim) <= cost
        assert sim.request_log.media_authorized == 0


def check_doubt(truth: Mapping[int, Bill | None], library: Library) -> None:
    """Assert that the kills left uncertain purchases of every kind, and webhooks settled some."""
    uncertain = library.entries("uncertain")
    died = [entry for entry in uncertain if "ended before" in str(entry.note)]
    assert {truth[entry.id] is None for entry in died} == {True, False}
    assert any(entry.accepted_at for entry in uncertain), "no repeat was lost"
    notes = [str(event.data.get("note")) for event in library.events() if event.kind == "accepted"]
    assert any("its webhook came" in note for note in notes)
