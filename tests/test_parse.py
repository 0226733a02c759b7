"""The table of reply shapes: each example is parsed by its own row."""

import json

import pytest

from musicapi_nb import sonic
from musicapi_nb.tasks import Task
from musicapi_nb.tasks.json_reader import JsonReader
from musicapi_nb.tasks.parse import SHAPES, Shape, find_shape


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.example)
def test_example_matches_its_own_shape(shape: Shape) -> None:
    reply = json.loads(shape.example)
    request = sonic.Midi() if "poll_by_repost" in shape.source else None
    task = Task(id=reply.get("task_id"), request=request)
    assert find_shape(JsonReader(reply, "", []), task) is shape


def test_every_shape_names_its_source() -> None:
    assert all(shape.source for shape in SHAPES)
