"""The simulated service without HTTP: answers requests, and keeps credits, tasks and songs."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from types import MappingProxyType
from typing import Any

from musicapi_nb.simulator import nuro, producer, replies, rules, studio, webhook_sender
from musicapi_nb.simulator.accounts import Accounts, Charge
from musicapi_nb.simulator.catalog import Call, Catalog, Operation, PendingFile, Wait
from musicapi_nb.simulator.clock import SimulatedClock
from musicapi_nb.simulator.faults import Faults
from musicapi_nb.simulator.operations import operation_at
from musicapi_nb.simulator.past_requests import PastRequest, PastSong, as_recorded
from musicapi_nb.simulator.replies import Answer, Links
from musicapi_nb.simulator.reply_options import ReplyOptions
from musicapi_nb.simulator.rules import Refusal, forbidden, invalid
from musicapi_nb.simulator.songs import make_id, uploaded_song
from musicapi_nb.simulator.tasks import Phase, Task, draw_timing
from musicapi_nb.simulator.webhook_sender import WebhookSender

API = "/api/v1/"

_TASKS: Mapping[str, tuple[str, Callable[[Task, float, ReplyOptions, Links], Answer]]] = {
    "sonic/task": ("sonic", replies.sonic_task),
    "suno/clip": ("sonic", replies.sonic_task),
    "suno/get-lyrics": ("suno", replies.lyrics_task),
    "studio/task": ("studio", studio.poll),
    "nuro/task": ("nuro", nuro.poll),
    "producer/task": ("producer", producer.poll_producer),
    "riffusion/task": ("riffusion", producer.poll_riffusion),
}
_UPLOAD_PRICE = 2
_FAILS_AFTER = 0.6
"""Share of its time after which a failing task fails."""


@dataclass(slots=True)
class Service:
    """Answers requests below ``/api/v1``.

    ``rate_limit`` is the simulated seconds required between two creates of a key, None for none;
    ``last_create`` has the instant of the latest one of each.
    """

    clock: SimulatedClock
    accounts: Accounts
    faults: Faults
    catalog: Catalog
    seed: int
    rate_limit: float | None
    links: Links = field(default_factory=lambda: Links(""))
    dead_links: set[str] = field(default_factory=set)
    last_create: dict[str, float] = field(default_factory=dict, repr=False)
    webhooks: WebhookSender = field(init=False)

    def __post_init__(self) -> None:
        options = self.catalog.options
        self.webhooks = WebhookSender(self.clock, self.faults, options, self._task_reply)

    @property
    def options(self) -> ReplyOptions:
        return self.catalog.options

    def answer(
        self,
        method: str,
        path: str,
        authorization: str | None,
        body: Any,
        query: Mapping[str, str] = MappingProxyType({}),
    ) -> Answer:
        """Answer one request; ``path`` is the part below ``/api/v1/``, ``body`` parsed JSON."""
        try:
            key = api_key(authorization)
            if method == "POST":
                return self._post(path, key, body)
            return self._get(path, key, query)
        except Refusal as refusal:
            return self.error(refusal, path.partition("/")[0])

    def error(self, refusal: Refusal, engine: str) -> Answer:
        return replies.error(refusal, self.options, engine)

    def is_playable(self, song_id: str, file_format: str, *, streaming: bool) -> bool:
        """Return whether a song's audio exists: its file when done, its stream while it is made."""
        song = self.catalog.songs[song_id]
        formats = {song.audio_format, *song.details.get("formats", ())}
        formats |= self.catalog.formats.get(song_id, set())
        if song_id in self.dead_links or file_format not in formats:
            return False
        return self.catalog.phase(song_id) is (Phase.RUNNING if streaming else Phase.SUCCEEDED)

    def _get(self, path: str, key: str, query: Mapping[str, str]) -> Answer:
        if path == "get-credits":
            account = self.accounts.get(key)
            pots = {"credits": account.credits, "extra_credits": account.extra_credits}
            return Answer(200, pots)
        if path == "sonic/batch":
            return self._get_batch(query.get("batch_id", ""), key)
        route, _, task_id = (path, "", "") if path in _TASKS else path.rpartition("/")
        if route not in _TASKS:
            raise _no_such_path(path)
        if not task_id:
            raise invalid("missing task id.")
        engine, _ = _TASKS[route]
        task = self.catalog.tasks.get(task_id)
        if task is None or task.charge.key != key or task.engine != engine:
            nuro_refusal = Refusal(404, "not_found", "task not found.")
            raise nuro_refusal if engine == "nuro" else invalid("task not found.")
        self.accounts.settle()
        self.dead_links -= {song.song_id for song in task.songs}
        return self._task_reply(task, self.clock.now())

    def _get_batch(self, batch_id: str, key: str) -> Answer:
        if not batch_id:
            raise invalid("missing batch id.")
        if self.catalog.owners.get(batch_id) != key or batch_id not in self.catalog.batches:
            raise invalid("batch not found.")
        tasks = replies.batch_tasks(self.catalog.batches[batch_id], self.options)
        for row in tasks:
            if isinstance(row, dict) and (task := self.catalog.tasks.get(row["task_id"])):
                reply = self._get(f"sonic/task/{task.task_id}", key, {})
                row["status"] = task.phase(self.clock.now())
                row["data"] = reply.body.get("data")
        body = {"code": 200, "message": "success", "batch_id": batch_id, "tasks": tasks}
        return Answer(200, body)

    def _post(self, path: str, key: str, body: Any) -> Answer:
        operation = operation_at(path, body if isinstance(body, Mapping) else {}, self.options)
        if operation is None:
            raise _no_such_path(path)
        if not isinstance(body, Mapping):
            raise invalid("The request body should be a JSON object.")
        self._check_rate(operation, key)
        call = Call(body, key, self.catalog, self.links)
        if operation.items_path:
            return self._carry_out_batch(operation, call)
        answer = self._carry_out(operation, path, call)
        return replies.nested_ack(answer) if self.options.ack_form == "data" else answer

    def _check_rate(self, operation: Operation, key: str) -> None:
        if self.rate_limit is None or operation.answer is not None:
            return
        now, last = self.clock.now(), self.last_create.get(key)
        if last is not None and now - last < self.rate_limit:
            raise Refusal(429, "too_many_requests", "Too many requests. Please slow down.")
        self.last_create[key] = now

    def _carry_out_batch(self, operation: Operation, call: Call) -> Answer:
        operation.check(call)
        items = call.body["items"]
        answers = [self._answer_item(operation.items_path, call, item) for item in items]
        batch_id = make_id(f"{self.seed}/batch/{len(self.catalog.batches)}")
        self.catalog.batches[batch_id] = tuple(answers)
        self.catalog.owners[batch_id] = call.key
        submitted = sum("task_id" in answer.body for answer in answers)
        tasks = replies.batch_tasks(answers, self.options)
        reply = {"message": "success", "batch_id": batch_id, "submitted": submitted, "tasks": tasks}
        return Answer(200, reply)

    def _answer_item(self, path: str, call: Call, item: Any) -> Answer:
        """Carry out one item of a batch; a refusal becomes its answer."""
        try:
            operation = (
                operation_at(path, item, self.options) if isinstance(item, Mapping) else None
            )
            if operation is None:
                raise invalid("An item should be a JSON object.")
            return self._carry_out(operation, path, replace(call, body=item))
        except Refusal as refusal:
            return self.error(refusal, path.partition("/")[0])

    def _carry_out(self, operation: Operation, path: str, call: Call) -> Answer:
        for name in (operation.name.partition(".")[0], operation.name):
            if name in self.options.retired:
                raise Refusal(410, "gone", f"{name} is no longer available.")
        operation.check(call)
        webhook_sender.check(call.body, self.options)
        if operation.steps and (failure := self._step_failure(operation, path, call)):
            return failure
        if operation.wait:
            return self._answer_file(operation, operation.wait, path, call)
        charge = None
        if operation.price:
            charge = self._charge(call.key, path, operation.name, operation.price)
            call = replace(call, seed=make_id(f"{self.seed}/{charge.number}"))
        if operation.answer:
            return Answer(200, operation.answer(call))
        task = self._create_task(operation, call, charge, self.clock.now())
        self._apply_faults(task, API + path)
        self.webhooks.follow(task, API + path)
        steps = operation.steps
        reply = replies.steps_ack(task, steps) if steps else operation.ack(task, self.options)
        return Answer(200, reply)

    def _charge(self, key: str, path: str, name: str, price: int) -> Charge:
        charge = self.accounts.charge(key, API + path, name, price)
        if charge is None:
            raise forbidden(rules.OUT_OF_CREDITS)
        return charge

    def _answer_file(self, operation: Operation, wait: Wait, path: str, call: Call) -> Answer:
        """Answer with a file once it is ready; the same request is repeated until then."""
        key = (operation.name, call.key, json.dumps(call.body, sort_keys=True))
        files, now = self.catalog.pending_files, self.clock.now()
        seconds = Random(f"{self.seed}/{len(files)}/wait").uniform(*wait.seconds)
        pending = files.get(key) or PendingFile(now + seconds)
        ready = now >= pending.ready_at
        if not pending.paid and (ready or not wait.unready_free):
            self._charge(call.key, path, operation.name, operation.price)
        files[key] = pending
        first = self.options.repeat_charge == "first" and not wait.unready_free
        pending.paid = wait.repeats_free or (not ready and first)
        if not ready or operation.answer is None:
            return wait.unready(call)
        return Answer(200, operation.answer(call))

    def _step_failure(self, operation: Operation, path: str, call: Call) -> Answer | None:
        """Return the answer if one of the two steps fails; a finished upload is charged."""
        url = str(call.body["url"])
        upload, make = operation.steps
        problem = rules.file_problem(url)
        fault = None if problem else self.faults.strike("step_fails", "POST", API + path)
        if fault and fault.settings["step"] == 1:
            problem = fault.settings["message"]
        if problem:
            return replies.step_failure(self.options, upload, problem, {})
        if fault is None:
            return None
        charge = self._charge(call.key, path, "sonic.upload", _UPLOAD_PRICE)
        song = uploaded_song(url, f"{self.seed}/{charge.number}/upload")
        self.catalog.add(song, call.key)
        message, finished = fault.settings["message"], {upload: song.song_id}
        return replies.step_failure(self.options, make, message, finished)

    def repeat(self, past: PastRequest, key: str) -> None:
        """Carry out a request of an earlier simulator as it did then; nothing is charged."""
        operation = operation_at(past.path, past.body, self.options)
        if operation is None:
            return
        if operation.items_path:
            for item in past.items:
                self.repeat(item, key)
            answers = (Answer(200, {"task_id": item.request_id}) for item in past.items)
            self.catalog.batches[past.request_id] = tuple(answers)
            self.catalog.owners[past.request_id] = key
            return
        call = Call(past.body, key, self.catalog, self.links, past.request_id)
        if operation.answer:
            operation.answer(call)
        elif operation.make:
            submitted = self.clock.at(past.submitted_at)
            charge = Charge(0, key, API + past.path, operation.name, 0, 0, submitted)
            self._create_task(operation, call, charge, submitted, past.songs)

    def _create_task(
        self,
        operation: Operation,
        call: Call,
        charge: Charge | None,
        submitted: float,
        recorded: Sequence[PastSong] = (),
    ) -> Task:
        """Make the songs of a paid request, or those ``recorded``; its seed is the task's id."""
        if operation.make is None or charge is None:
            raise TypeError(f"{operation.name} neither answers at once nor makes a paid task")
        made = operation.make(call)
        songs = as_recorded(made, recorded) if isinstance(made, tuple) else ()
        rng = Random(f"{call.seed}/time")
        task = Task(
            task_id=call.seed,
            operation=operation.name,
            body=call.body,
            timing=draw_timing(submitted, songs, rng, operation.median, operation.queued),
            songs=songs,
            charge=charge,
            result=made,
        )
        charge.task_id = task.task_id
        self.catalog.tasks[task.task_id] = task
        for song in songs:
            self.catalog.add(song, call.key, task.task_id)
        return task

    def _task_reply(self, task: Task, now: float) -> Answer:
        write = next(write for engine, write in _TASKS.values() if engine == task.engine)
        return write(task, now, self.options, self.links)

    def _apply_faults(self, task: Task, path: str) -> None:
        """Apply the armed faults to a new task: failure, refund, odd states or durations."""
        faults = self.faults.strike_all("task", path)
        failure = faults.get("task_fails")
        if one_fails := faults.get("one_clip_fails"):
            task.failure = one_fails["message"]
            if len(task.songs) > 1:
                task.failed_songs = frozenset((task.songs[-1].song_id,))
            else:
                failure = failure or {"refund": True, **one_fails}
        if failure:
            submitted, finished = task.timing.submitted, task.timing.finished
            task.fails_at = submitted + _FAILS_AFTER * (finished - submitted)
            task.failure, task.refunded = failure["message"], failure["refund"]
            if task.refunded:
                self.accounts.refund_at(task.charge, task.fails_at)
        task.duration_text = "duration_text" in faults
        task.state_word = faults.get("unknown_state", {}).get("word", self.options.running_word)
        task.stuck = "stuck" in faults


def api_key(authorization: str | None) -> str:
    """Return the key of an Authorization header; refuse the request if it has none."""
    if authorization is None:
        raise Refusal(401, "unauthorized", "Authorization header is missing.")
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Refusal(401, "unauthorized", "Invalid authorization format.")
    return key.strip()


def _no_such_path(path: str) -> Refusal:
    return Refusal(404, "not_found", f"There is no {API}{path} here.")
