"""Parse decoded replies to Task, by an ordered table of reply shapes. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

from msgspec.structs import replace

from musicapi_nb.engines import Request
from musicapi_nb.errors import UnexpectedReply
from musicapi_nb.tasks import parse_shapes as shapes
from musicapi_nb.tasks.json_reader import JsonReader, describe
from musicapi_nb.tasks.parse_batch import parse_batch, price_of
from musicapi_nb.tasks.parse_songs import guess_engine
from musicapi_nb.tasks.parse_unknown import lacks_task_id, report_gaps, search_songs, search_task_id
from musicapi_nb.tasks.reply_search import is_no_id
from musicapi_nb.tasks.song import WHOLE_REPLY, Issue
from musicapi_nb.tasks.task import Task

_PLATFORMS = {"suno": "sonic", "nuro": "nuro", "producer": "producer"}


def parse_task(payload: Any, *, status: int = 200, task: Task | None = None) -> Task:
    """Parse a decoded reply about a task.

    Parameters
    ----------
    payload
        The JSON value: a task reply of any engine, a failure, an acknowledgement, an immediate
        answer, or the body of a webhook. In a reply of unknown shape, songs and task id are
        searched everywhere, and an issue says so. A success without songs, or without their
        audio, is an issue too, and the task is then not finished.
    status
        HTTP status of the reply; 202 always means "not ready".
    task
        The task as known so far. Its id, engine, operation, request and expected songs are kept.

    Raises
    ------
    UnexpectedReply
        The value has no known shape; it is in `body`.
    """
    issues: list[Issue] = []
    fields = _fields_of(payload, issues)
    task = task or Task()
    has_id = task.id is not None
    task = Task(
        id=task.id or JsonReader(fields, "", issues).text("task_id"),
        engine=task.engine or _guess_engine(fields),
        operation=task.operation,
        expected=task.expected,
        request=task.request,
        simulated=task.simulated,
        take=task.take,
        bought_before=task.bought_before,
        price=task.price,
        raw=payload,
    )
    reader = JsonReader(fields, "", issues)
    if status == HTTPStatus.ACCEPTED:
        parsed = replace(task, state_word=reader.text("type"))
    else:
        parsed = _parse_body(reader, task, has_id=has_id)
    return replace(parsed, issues=tuple(issues), extra=reader.rest)


def _fields_of(payload: Any, issues: list[Issue]) -> Mapping[str, Any]:
    """Return the object to parse. A bare list is parsed like the `data` of one."""
    if isinstance(payload, dict):
        return payload
    if isinstance(payload, list) and any(isinstance(item, dict | list) for item in payload):
        issues.append(Issue(WHOLE_REPLY, "a list instead of an object"))
        return {"data": payload}
    raise UnexpectedReply(f"the reply is {describe(payload)}, not an object", body=payload)


def _parse_body(reader: JsonReader, task: Task, *, has_id: bool) -> Task:
    """Parse a reply by its shape; search the whole reply for missing values."""
    failure = None
    try:
        attempts = ((shape.parse(reader, task), shape.certain) for shape in SHAPES)
        parsed, certain = next((task, certain) for task, certain in attempts if task is not None)
    except UnexpectedReply as error:
        parsed, certain, failure = task, False, error
    if certain:
        return parsed
    if (deeper := search_songs(reader, parsed)) is not None:
        parsed, failure = deeper, None
    # an error about a task is no acknowledgement, unless the task was unknown until now
    if failure is not None and has_id and shapes.has_error(reader):
        raise failure
    parsed = report_gaps(parsed, reader.issues)
    if failure is not None or lacks_task_id(parsed):
        acknowledged = search_task_id(reader, parsed, parse_task)
        if acknowledged is None and failure is not None:
            raise failure
        parsed = acknowledged or parsed
    return parsed


def parse_submit_reply(
    payload: Any, request: Request, *, status: int = 200, take: int = 1, simulated: bool = False
) -> Task:
    """Parse the reply to a submit.

    Raises
    ------
    UnexpectedReply
        It has no task id (or no answer); `may_have_cost` is True.
    """
    task = Task(
        engine=request.engine,
        operation=request.operation,
        expected=request.songs,
        request=request,
        take=take,
        simulated=simulated,
        price=price_of(request),
    )
    try:
        # for other operations a 202 does not mean "not ready": the body is an acknowledgement
        task = parse_task(payload, status=status if request.poll_by_repost else 200, task=task)
    except UnexpectedReply as error:
        error.may_have_cost = True
        raise
    immediate = request.reply == "immediate"
    complete = task.finished and (task.songs or task.state == "failed" or immediate)
    not_ready = task.poll_by_repost and task.state in {"pending", "running"}
    no_id = task.id is None or is_no_id(task.id)
    if no_id and not complete and not not_ready:
        message = "the submit reply has no task id (see .body)"
        raise UnexpectedReply(message, body=payload, may_have_cost=True)
    return task


def _parse_batch(reader: JsonReader, task: Task) -> Task | None:
    """Parse {"batch_id": "b", "tasks": ["t"]} (musicapi.ai batch-music-generation-api)."""
    if not isinstance(reader.rest.get("tasks"), list) or "data" in reader.rest:
        return None
    return parse_batch(reader, task, parse_task)


class Shape(NamedTuple):
    """The parser of one shape, whose docstring gives an example and its source."""

    parse: Callable[[JsonReader, Task], Task | None]
    certain: bool = False
    """True if songs and task id need not be searched elsewhere in the reply."""


# The first shape that matches is used, so the order matters.
SHAPES = (
    Shape(shapes.parse_not_ready, certain=True),
    Shape(shapes.parse_failure, certain=True),
    Shape(shapes.parse_failed_step, certain=True),
    Shape(shapes.reject_error),
    Shape(_parse_batch, certain=True),
    Shape(shapes.parse_studio),
    Shape(shapes.parse_clip_list),
    Shape(shapes.parse_clip),
    Shape(shapes.parse_lyrics),
    Shape(shapes.parse_nuro),
    Shape(shapes.parse_status),
    Shape(shapes.parse_studio_acknowledgement),
    Shape(shapes.parse_wrapped_acknowledgement),
    Shape(shapes.parse_started_steps),
    Shape(shapes.parse_answer),
    Shape(shapes.parse_waiting_message),
    Shape(shapes.parse_acknowledgement),
    Shape(shapes.reject),
)


def _guess_engine(payload: Mapping[str, Any]) -> str | None:
    """Recognize the engine of a reply by its shape, if the shapes differ."""
    platform = payload.get("platform")
    data = payload.get("data")
    if isinstance(platform, str) and platform in _PLATFORMS:
        return _PLATFORMS[platform]
    if "handledData" in payload or shapes.is_studio_body(data):
        return "studio"
    if isinstance(payload.get("results"), list):
        return "lyrics"
    if "progress" in payload and "gender" in payload:
        return "nuro"
    return guess_engine(data)
