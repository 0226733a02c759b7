"""The simulated service without its sockets: a request in, an answer out; credits, tasks, songs."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from musicapi_nb.simulator import replies, webhooks
from musicapi_nb.simulator.accounts import Accounts, Charge
from musicapi_nb.simulator.clock import SimulatedClock
from musicapi_nb.simulator.faults import Faults
from musicapi_nb.simulator.operations import Call, Operation, World, operation_at
from musicapi_nb.simulator.replies import Answer, Links
from musicapi_nb.simulator.shapes import Shapes
from musicapi_nb.simulator.songs import make_id
from musicapi_nb.simulator.tasks import Engine, Phase, Task
from musicapi_nb.simulator.validation import OUT_OF_CREDITS, Refusal, forbidden, invalid
from musicapi_nb.simulator.webhooks import Webhooks

API = "/api/v1/"

_TASKS: Mapping[str, tuple[Engine, Callable[[Task, float, Shapes, Links], Answer]]] = {
    "sonic/task": ("sonic", replies.sonic_task),
    "studio/task": ("studio", replies.studio_task),
    "nuro/task": ("nuro", replies.nuro_task),
}
_FAILS_AFTER = 0.6
"""Share of its time after which a failing task fails."""


class Service:
    """Answers requests below ``/api/v1``. ``rate_limit`` is simulated seconds between creates."""

    def __init__(
        self,
        clock: SimulatedClock,
        accounts: Accounts,
        faults: Faults,
        world: World,
        *,
        seed: int,
        rate_limit: float | None,
    ) -> None:
        self.clock = clock
        self.accounts = accounts
        self.faults = faults
        self.world = world
        self.links = Links("")
        self.dead_links: set[str] = set()
        self.webhooks = Webhooks(clock, faults, world.shapes, self._reply)
        self._seed = seed
        self._rate_limit = rate_limit
        self._last_create: dict[str, float] = {}

    def answer(self, method: str, path: str, authorization: str | None, body: Any) -> Answer:
        """Answer one request; ``path`` is the part below ``/api/v1/``, ``body`` parsed JSON."""
        engine = path.partition("/")[0]
        try:
            key = _key(authorization)
            if method == "POST":
                return self._post(path, key, body)
            return self._get(path, key)
        except Refusal as refusal:
            return self.error(refusal, engine)

    def error(self, refusal: Refusal, engine: str) -> Answer:
        """Dress a refusal as the engine would."""
        shapes = self.world.shapes
        return replies.error(refusal.status, refusal.message, refusal.kind, shapes, engine)

    def _get(self, path: str, key: str) -> Answer:
        if path == "get-credits":
            account = self.accounts.of(key)
            pots = {"credits": account.credits, "extra_credits": account.extra_credits}
            return Answer(200, pots)
        route, _, task_id = path.rpartition("/")
        if path in _TASKS:
            route, task_id = path, ""
        if route not in _TASKS:
            raise _no_such_path(path)
        engine, dress = _TASKS[route]
        if not task_id:
            raise invalid("missing task id.")
        task = self.world.tasks.get(task_id)
        if task is None or task.key != key or task.engine != engine:
            if engine == "nuro":
                raise Refusal(404, "not_found", "task not found.")
            raise invalid("task not found.")
        now = self.clock.now()
        self.accounts.settle()
        self.dead_links -= {song.song_id for song in task.songs}
        return dress(task, now, self.world.shapes, self.links)

    def _post(self, path: str, key: str, body: Any) -> Answer:
        if not isinstance(body, Mapping):
            if operation_at(path, {}) is None:
                raise _no_such_path(path)
            raise invalid("The request body should be a JSON object.")
        operation = operation_at(path, body)
        if operation is None:
            raise _no_such_path(path)
        self._paced(operation, key)
        operation.check(body, self.world, key)
        webhooks.check(body, self.world.shapes)
        charge = self.accounts.charge(key, API + path, operation.name, operation.price)
        if charge is None:
            raise forbidden(OUT_OF_CREDITS)
        call = Call(body, key, f"{self._seed}/{charge.number}", self.world)
        if operation.answer is not None:
            return Answer(200, operation.answer(call))
        task = self._task(operation, call, charge, API + path)
        if task.engine == "studio":
            return Answer(200, replies.studio_ack(task))
        shapes = self.world.shapes if task.engine == "sonic" else Shapes()
        return Answer(200, replies.sonic_ack(task, shapes))

    def _paced(self, operation: Operation, key: str) -> None:
        if self._rate_limit is None or operation.engine is None:
            return
        now, last = self.clock.now(), self._last_create.get(key)
        if last is not None and now - last < self._rate_limit:
            raise Refusal(429, "too_many_requests", "Too many requests. Please slow down.")
        self._last_create[key] = now

    def _task(self, operation: Operation, call: Call, charge: Charge, path: str) -> Task:
        if operation.engine is None or operation.sing is None or operation.timer is None:
            raise TypeError(f"{operation.name} neither answers at once nor makes a task")
        songs = operation.sing(call)
        timing = operation.timer(self.clock.now(), len(songs), Random(f"{call.seed}/time"))
        task = Task(
            task_id=make_id(call.seed),
            number=charge.number,
            key=call.key,
            engine=operation.engine,
            operation=operation.name,
            body=call.body,
            timing=timing,
            songs=songs,
            charge=charge,
        )
        charge.task_id = task.task_id
        self._troubled(task, path)
        self.world.tasks[task.task_id] = task
        for song in songs:
            self.world.keep(song, call.key, task.task_id)
        self.webhooks.follow(task, path)
        return task

    def _reply(self, task: Task, at: float) -> Answer:
        """Dress a task as a poll at that instant would show it."""
        dress = next(dress for engine, dress in _TASKS.values() if engine == task.engine)
        return dress(task, at, self.world.shapes, self.links)

    def _troubled(self, task: Task, path: str) -> None:
        """Fix at birth what will go wrong with a task."""

        def strike(kind: str) -> Mapping[str, Any] | None:
            fault = self.faults.strike(kind, "POST", path)
            return fault.settings if fault else None

        fails = strike("task_fails")
        if spoilt := strike("one_clip_fails"):
            task.failure = spoilt["message"]
            if len(task.songs) > 1:
                task.spoilt = frozenset((task.songs[-1].song_id,))
            else:
                fails = fails or {"refund": True, **spoilt}
        if fails:
            submitted, finished = task.timing.submitted, task.timing.finished
            task.fails_at = submitted + _FAILS_AFTER * (finished - submitted)
            task.failure, task.refunded = fails["message"], fails["refund"]
            if task.refunded:
                self.accounts.refund_at(task.charge, task.fails_at)
        task.duration_text = strike("duration_text") is not None
        if state := strike("unknown_state"):
            task.state_word = state["word"]
        task.stuck = strike("stuck") is not None

    def playable(self, song_id: str, *, streaming: bool) -> bool:
        """Whether a song's audio is there: its file when done, its stream while it is made."""
        task = self.world.tasks.get(self.world.task_of.get(song_id, ""))
        if task is None or song_id in self.dead_links:
            return False
        index = [song.song_id for song in task.songs].index(song_id)
        phase = task.song_phase(index, self.clock.now())
        return phase is (Phase.RUNNING if streaming else Phase.SUCCEEDED)


def _key(authorization: str | None) -> str:
    if authorization is None:
        raise Refusal(401, "unauthorized", "Authorization header is missing.")
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Refusal(401, "unauthorized", "Invalid authorization format.")
    return key.strip()


def _no_such_path(path: str) -> Refusal:
    return Refusal(404, "not_found", f"There is no {API}{path} here.")
