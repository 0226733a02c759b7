"""The example bodies of the service's docs, guides and SDK can be sent as they stand.

Keys, types and modes are those of the examples; lyrics, titles and ids are ours.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from musicapi_nb.client import MusicAPI
from musicapi_nb.engines import Request, operations, sonic
from musicapi_nb.errors import RejectedRequest
from musicapi_nb.simulator import Simulator


class Example(NamedTuple):
    source: str
    path: str
    body: dict[str, Any]


FILE = Path(__file__).with_name("documented_bodies.jsonl")
EXAMPLES = [Example(**json.loads(line)) for line in FILE.read_text("utf-8").splitlines()]
IDS = [f"{example.path}-{index}" for index, example in enumerate(EXAMPLES)]
# Sent in addition where an example leaves it out, as the docs or the vendor's clients do.
DEFAULTS = {"task_type": "create_music", "use_suno_cdn": False}


def request_of(example: Example) -> Request:
    """Build the request whose path and constants an example body has."""
    body = {"task_type": "create_music", **example.body}
    for kind in operations():
        fixed = kind.constants
        if kind.path == f"/api/v1/{example.path}" and body.items() >= fixed.items():
            return kind(**{name: body[name] for name in example.body if name not in fixed})
    raise LookupError(example)


@pytest.mark.parametrize("example", EXAMPLES, ids=IDS)
def test_example_body_is_sent_unchanged(example: Example) -> None:
    request = request_of(example)
    request.check()
    body = request.body()
    added = {name: body.pop(name) for name in body.keys() - example.body.keys()}
    assert body == example.body
    assert added.items() <= DEFAULTS.items()


def test_batch_of_the_site_is_sent_unchanged() -> None:
    item: dict[str, Any] = {
        "custom_mode": False,
        "mv": "sonic-v5",
        "gpt_description_prompt": "lofi",
    }
    batch = sonic.Batch(items=[sonic.Create(**item)] * 2)
    batch.check()
    assert batch.body() == {"items": [{**DEFAULTS, **item}] * 2}


@pytest.mark.parametrize(
    ("use_suno_cdn", "examples"),
    [
        ("optional", EXAMPLES),
        ("required", [example for example in EXAMPLES if example.path == "sonic/create"]),
    ],
    ids=["optional", "required"],
)
async def test_simulator_accepts_the_examples(use_suno_cdn: Any, examples: list[Example]) -> None:
    assert len(examples) > 10
    async with Simulator(speed=2500, balance=100_000, seconds=(1.0, 1.2)) as sim:
        sim.reply_options.unknown_clip = "accept"
        sim.reply_options.use_suno_cdn = use_suno_cdn
        async with MusicAPI("sk-of-an-account-0001", base_url=sim.url, speed=2500, pace=0) as api:
            for example in examples:
                await api.submit(request_of(example))
        assert sim.request_log.total == len(examples)


async def test_simulator_can_require_what_the_guides_leave_out() -> None:
    guides = [example for example in EXAMPLES if example.source.startswith("guide")]
    async with Simulator(speed=2500) as sim:
        sim.reply_options.unknown_clip, sim.reply_options.remix_fields = "accept", "required"
        async with MusicAPI("sk-of-an-account-0001", base_url=sim.url, speed=2500, pace=0) as api:
            for example in guides:
                with pytest.raises(RejectedRequest, match="custom_mode"):
                    await api.submit(request_of(example))
    assert len(guides) == 2
