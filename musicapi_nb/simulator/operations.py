"""All operations of the simulator by path.

To add one, write its check and its songs or reply, and enter it in the table of its engine; service
and server need no change.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from musicapi_nb.simulator import nuro, studio
from musicapi_nb.simulator.catalog import Call, Operation, Table
from musicapi_nb.simulator.clips import CLIPS
from musicapi_nb.simulator.producer import PRODUCER
from musicapi_nb.simulator.reply_options import ReplyOptions
from musicapi_nb.simulator.rules import Body, Refusal
from musicapi_nb.simulator.sonic import SONIC

OPERATIONS: Table = {
    **SONIC,
    **CLIPS,
    **PRODUCER,
    "suno/create": SONIC["sonic/create"],
    "studio/create": studio.CREATE,
    "nuro/create": nuro.CREATE,
}
"""Path below /api/v1 to its operation, or to the choice among several."""

# What songs of an engine's create need; the body of an undeclared operation has unknown fields.
_EXAMPLES: Mapping[str, Body] = {
    "sonic": {"custom_mode": True},
    "studio": {"prompt": "pop", "lyrics_type": "generate"},
    "nuro": {"type": "bgm", "description": "pop"},
    "producer": {"sound": "pop"},
    "riffusion": {"prompt": "pop"},
}
_TEXTS = ("title", "prompt", "tags", "lyrics", "sound", "description")


def operation_at(path: str, body: Body, options: ReplyOptions) -> Operation | None:
    """Return the operation of a POST; where a path serves several, the body decides."""
    entry = OPERATIONS.get(path)
    engine, _, name = path.partition("/")
    accepted = options.undeclared == "songs" and engine in _EXAMPLES
    if entry is None:
        return _undeclared(engine, name) if accepted else None
    if isinstance(entry, Operation):
        return entry
    try:
        return entry(body)
    except Refusal:  # an unknown task_type
        if not accepted or not isinstance(body["task_type"], str):
            raise
        return _undeclared(engine, body["task_type"])


def _undeclared(engine: str, name: str) -> Operation:
    """Return an operation with the songs and the price of the engine's create, and no checks."""
    example, entry = _EXAMPLES[engine], OPERATIONS[f"{engine}/create"]
    create = entry if isinstance(entry, Operation) else entry(example)

    def make(call: Call) -> Any:
        texts = {key: call.body[key] for key in _TEXTS if isinstance(call.body.get(key), str)}
        named = {key: text for key, text in texts.items() if text}
        return create.make(replace(call, body={**example, **named})) if create.make else ()

    return replace(create, name=f"{engine}.{name}", check=lambda _: None, make=make)
