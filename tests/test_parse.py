"""The table of reply shapes: the example of each shape is recognized as that shape."""

import json
import re
from typing import Any

import pytest

from musicapi_nb import sonic
from musicapi_nb.errors import UnexpectedReply
from musicapi_nb.tasks import Task
from musicapi_nb.tasks.json_reader import JsonReader
from musicapi_nb.tasks.parse import SHAPES, Shape


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.parse.__name__)
def test_example_matches_its_own_shape(shape: Shape) -> None:
    description = shape.parse.__doc__ or ""
    example = re.search(r"{.*}", description)
    assert example is not None
    reply = json.loads(example[0])
    request = sonic.Midi() if "poll_by_repost" in description else None
    task = Task(id=reply.get("task_id"), request=request)
    assert next(other for other in SHAPES if matches(other, reply, task)) is shape


def matches(shape: Shape, reply: dict[str, Any], task: Task) -> bool:
    reader = JsonReader(reply, "", [])
    try:
        parsed = shape.parse(reader, task)
    except UnexpectedReply:
        return True
    if parsed is None:
        assert (reader.rest, reader.issues) == (reply, [])
    return parsed is not None


def test_every_shape_names_its_source() -> None:
    for shape in SHAPES[:-1]:
        assert re.search(r"\(.+\)\.", shape.parse.__doc__ or "")
