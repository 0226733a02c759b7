"""The simulated service without its sockets: a request in, an answer out; credits, tasks, songs."""

import json
from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType
from typing import Any

from musicapi_nb.simulator import replies, replies_producer, webhook_sender
from musicapi_nb.simulator.accounts import Accounts, Charge
from musicapi_nb.simulator.catalog import Asked, Call, Catalog, Operation
from musicapi_nb.simulator.clock import SimulatedClock
from musicapi_nb.simulator.faults import Faults
from musicapi_nb.simulator.operations import operation_at
from musicapi_nb.simulator.replies import Answer, Links
from musicapi_nb.simulator.reply_options import ReplyOptions
from musicapi_nb.simulator.songs import make_id, uploaded
from musicapi_nb.simulator.tasks import Engine, Phase, Task
from musicapi_nb.simulator.validation import (
    OUT_OF_CREDITS,
    Refusal,
    file_problem,
    forbidden,
    invalid,
    retired,
)
from musicapi_nb.simulator.webhook_sender import WebhookSender

API = "/api/v1/"

_TASKS: Mapping[str, tuple[Engine, Callable[[Task, float, ReplyOptions, Links], Answer]]] = {
    "sonic/task": ("sonic", replies.sonic_task),
    "suno/clip": ("sonic", replies.sonic_task),
    "suno/get-lyrics": ("suno", replies.lyrics_task),
    "studio/task": ("studio", replies.studio_task),
    "nuro/task": ("nuro", replies.nuro_task),
    "producer/task": ("producer", replies_producer.producer_task),
    "riffusion/task": ("riffusion", replies_producer.riffusion_task),
}
_WORDS = {
    Phase.QUEUED: "pending",
    Phase.RUNNING: "running",
    Phase.SUCCEEDED: "succeeded",
    Phase.FAILED: "failed",
}
_UPLOAD_PRICE = 2
_FAILS_AFTER = 0.6
"""Share of its time after which a failing task fails."""


class Service:
    """Answers requests below ``/api/v1``. ``rate_limit`` is simulated seconds between creates."""

    def __init__(
        self,
        clock: SimulatedClock,
        accounts: Accounts,
        faults: Faults,
        catalog: Catalog,
        *,
        seed: int,
        rate_limit: float | None,
    ) -> None:
        self.clock = clock
        self.accounts = accounts
        self.faults = faults
        self.catalog = catalog
        self.links = Links("")
        self.dead_links: set[str] = set()
        self.webhooks = WebhookSender(clock, faults, catalog.options, self._reply)
        self._seed = seed
        self._rate_limit = rate_limit
        self._last_create: dict[str, float] = {}

    def answer(
        self,
        method: str,
        path: str,
        authorization: str | None,
        body: Any,
        query: Mapping[str, str] = MappingProxyType({}),
    ) -> Answer:
        """Answer one request; ``path`` is the part below ``/api/v1/``, ``body`` parsed JSON."""
        engine = path.partition("/")[0]
        try:
            key = _key(authorization)
            if method == "POST":
                return self._post(path, key, body)
            return self._get(path, key, query)
        except Refusal as refusal:
            return self.error(refusal, engine)

    def error(self, refusal: Refusal, engine: str) -> Answer:
        """Dress a refusal as the engine would."""
        options = self.catalog.options
        return replies.error(refusal.status, refusal.message, refusal.kind, options, engine)

    def _get(self, path: str, key: str, query: Mapping[str, str]) -> Answer:
        if path == "get-credits":
            account = self.accounts.get(key)
            pots = {"credits": account.credits, "extra_credits": account.extra_credits}
            return Answer(200, pots)
        if path == "sonic/batch":
            return self._look_at_batch(query.get("batch_id", ""), key)
        route, _, task_id = path.rpartition("/")
        if path in _TASKS:
            route, task_id = path, ""
        if route not in _TASKS:
            raise _no_such_path(path)
        engine, dress = _TASKS[route]
        if not task_id:
            raise invalid("missing task id.")
        task = self.catalog.tasks.get(task_id)
        if task is None or task.key != key or task.engine != engine:
            if engine == "nuro":
                raise Refusal(404, "not_found", "task not found.")
            raise invalid("task not found.")
        now = self.clock.now()
        self.accounts.settle()
        self.dead_links -= {song.song_id for song in task.songs}
        return dress(task, now, self.catalog.options, self.links)

    def _look_at_batch(self, batch_id: str, key: str) -> Answer:
        if not batch_id:
            raise invalid("missing batch id.")
        if self.catalog.owners.get(batch_id) != key or batch_id not in self.catalog.batches:
            raise invalid("batch not found.")
        answers = self.catalog.batches[batch_id]
        tasks = replies.batch_tasks(answers, self.catalog.options)
        for listed in tasks:
            if isinstance(listed, dict) and (task := self.catalog.tasks.get(listed["task_id"])):
                reply = self._get(f"sonic/task/{task.task_id}", key, {})
                listed["status"] = _WORDS[task.phase(self.clock.now())]
                listed["data"] = reply.body.get("data")
        body = {"code": 200, "message": "success", "batch_id": batch_id, "tasks": tasks}
        return Answer(200, body)

    def _post(self, path: str, key: str, body: Any) -> Answer:
        operation = operation_at(path, body if isinstance(body, Mapping) else {})
        if operation is None:
            raise _no_such_path(path)
        if not isinstance(body, Mapping):
            raise invalid("The request body should be a JSON object.")
        self._paced(operation, key)
        if operation.each:
            return self._batch(operation, key, body)
        return self._carried_out(operation, path, key, body)

    def _offered(self, operation: Operation) -> None:
        gone = self.catalog.options.retired
        for name in (operation.name.partition(".")[0], operation.name):
            if name in gone:
                raise retired(name)

    def _batch(self, operation: Operation, key: str, body: Mapping[str, Any]) -> Answer:
        operation.check(body, self.catalog, key)
        answers = [self._item(operation.each, key, item) for item in body["items"]]
        options = self.catalog.options
        batch_id = make_id(f"{self._seed}/batch/{len(self.catalog.batches)}")
        self.catalog.batches[batch_id] = tuple(answers)
        self.catalog.owners[batch_id] = key
        reply = {
            "message": "success",
            "batch_id": batch_id,
            "submitted": sum("task_id" in answer.body for answer in answers),
            "tasks": replies.batch_tasks(answers, options),
        }
        return Answer(200, reply)

    def _item(self, path: str, key: str, item: Any) -> Answer:
        try:
            if not isinstance(item, Mapping) or (found := operation_at(path, item)) is None:
                raise invalid("An item should be a JSON object.")
            return self._carried_out(found, path, key, item)
        except Refusal as refusal:
            return self.error(refusal, path.partition("/")[0])

    def _carried_out(
        self, operation: Operation, path: str, key: str, body: Mapping[str, Any]
    ) -> Answer:
        self._offered(operation)
        operation.check(body, self.catalog, key)
        webhook_sender.check(body, self.catalog.options)
        if operation.steps and (failing := self._failing_step(operation, path, body)):
            return self._step_failed(operation, path, key, body, failing)
        asked = self._asked(operation, key, body)
        charge = None
        if operation.price and not (asked and asked.paid):
            charge = self._charge(key, path, operation.name, operation.price)
        number = charge.number if charge else f"free/{operation.name}/{body.get('clip_id')}"
        call = Call(body, key, f"{self._seed}/{number}", self.catalog, self.links)
        if operation.answer is not None:
            return self._answered(operation, operation.answer, call, asked)
        task = self._task(operation, call, charge, API + path)
        return Answer(200, operation.ack(task, self.catalog.options))

    def _charge(self, key: str, path: str, name: str, price: int) -> Charge:
        charge = self.accounts.charge(key, API + path, name, price)
        if charge is None:
            raise forbidden(OUT_OF_CREDITS)
        return charge

    def _asked(self, operation: Operation, key: str, body: Mapping[str, Any]) -> Asked | None:
        """Give what is known of a call that is repeated until its file is there."""
        if operation.wait is None:
            return None
        return self.catalog.asked.get(_identity(operation, key, body))

    def _answered(
        self,
        operation: Operation,
        answer: Callable[[Call], replies.Json],
        call: Call,
        asked: Asked | None,
    ) -> Answer:
        wait = operation.wait
        if wait is None:
            return Answer(200, answer(call))
        options, now = self.catalog.options, self.clock.now()
        if asked is None:
            asked = Asked(now + Random(f"{call.seed}/wait").uniform(*wait.seconds))
            self.catalog.asked[_identity(operation, call.key, call.body)] = asked
        ready = now >= asked.ready_at
        asked.paid = wait.repeats_free or (not ready and options.again_charge == "first")
        return Answer(200, answer(call)) if ready else wait.unready(call)

    def _failing_step(
        self, operation: Operation, path: str, body: Mapping[str, Any]
    ) -> tuple[str, str] | None:
        if problem := file_problem(str(body["url"])):
            return operation.steps[0], problem
        fault = self.faults.strike("step_fails", "POST", API + path)
        if fault is None:
            return None
        return operation.steps[fault.settings["step"] - 1], fault.settings["message"]

    def _step_failed(
        self,
        operation: Operation,
        path: str,
        key: str,
        body: Mapping[str, Any],
        failing: tuple[str, str],
    ) -> Answer:
        """Charge for the upload alone, if that step was done."""
        failed, message = failing
        clip_id = None
        if failed != operation.steps[0]:
            charge = self._charge(key, path, "sonic.upload", _UPLOAD_PRICE)
            song = uploaded(str(body["url"]), f"{self._seed}/{charge.number}/upload")
            self.catalog.keep(song, key)
            clip_id = song.song_id
        return replies.step_failed(operation.steps, failed, message, clip_id, self.catalog.options)

    def _paced(self, operation: Operation, key: str) -> None:
        if self._rate_limit is None or operation.engine is None:
            return
        now, last = self.clock.now(), self._last_create.get(key)
        if last is not None and now - last < self._rate_limit:
            raise Refusal(429, "too_many_requests", "Too many requests. Please slow down.")
        self._last_create[key] = now

    def _task(self, operation: Operation, call: Call, charge: Charge | None, path: str) -> Task:
        if operation.engine is None or operation.timer is None or charge is None:
            raise TypeError(f"{operation.name} neither answers at once nor makes a paid task")
        songs = operation.sing(call) if operation.sing else ()
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
            result=operation.result(call) if operation.result else None,
        )
        charge.task_id = task.task_id
        self._troubled(task, path)
        self.catalog.tasks[task.task_id] = task
        for song in songs:
            self.catalog.keep(song, call.key, task.task_id)
        self.webhooks.follow(task, path)
        return task

    def _reply(self, task: Task, at: float) -> Answer:
        """Dress a task as a poll at that instant would show it."""
        dress = next(dress for engine, dress in _TASKS.values() if engine == task.engine)
        return dress(task, at, self.catalog.options, self.links)

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

    def playable(self, song_id: str, form: str, *, streaming: bool) -> bool:
        """Whether a song's audio is there: its file when done, its stream while it is made."""
        song = self.catalog.songs[song_id]
        forms = {song.form, *song.details.get("forms", ()), *self.catalog.files.get(song_id, ())}
        if song_id in self.dead_links or form not in forms:
            return False
        return self.catalog.phase(song_id) is (Phase.RUNNING if streaming else Phase.SUCCEEDED)


def _identity(operation: Operation, key: str, body: Mapping[str, Any]) -> tuple[str, str, str]:
    return operation.name, key, json.dumps(body, sort_keys=True)


def _key(authorization: str | None) -> str:
    if authorization is None:
        raise Refusal(401, "unauthorized", "Authorization header is missing.")
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Refusal(401, "unauthorized", "Invalid authorization format.")
    return key.strip()


def _no_such_path(path: str) -> Refusal:
    return Refusal(404, "not_found", f"There is no {API}{path} here.")
