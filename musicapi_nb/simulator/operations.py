"""All operations of the simulator by path.

To add one, write its check (``validation_*.py``) and its songs or reply, and enter it in the table
of its engine (``operations_*.py``); service and server need no change.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from musicapi_nb.simulator import songs, validation_nuro, validation_studio
from musicapi_nb.simulator.catalog import Call, Operation, Table
from musicapi_nb.simulator.operations_clips import CLIPS
from musicapi_nb.simulator.operations_producer import PRODUCER
from musicapi_nb.simulator.operations_sonic import SONIC
from musicapi_nb.simulator.replies import plain_ack, studio_ack
from musicapi_nb.simulator.reply_options import ReplyOptions
from musicapi_nb.simulator.tasks import Song, nuro_timing, studio_timing
from musicapi_nb.simulator.validation_rules import Body


def _studio_songs(call: Call) -> tuple[Song, ...]:
    return songs.studio_songs(call.brief(validation_studio.source_of(call)))


def _check_nuro(call: Call) -> None:
    validation_nuro.check(call.body)


def _nuro_songs(call: Call) -> tuple[Song, ...]:
    return songs.nuro_songs(call.brief())


# Prices: service.md 14; studio's is of 2025-02-18.
_STUDIO = Operation(
    "studio.create",
    15,
    validation_studio.check,
    "studio",
    _studio_songs,
    studio_timing,
    ack=studio_ack,
)
_NURO = Operation("nuro.create", 10, _check_nuro, "nuro", _nuro_songs, nuro_timing, ack=plain_ack)
OPERATIONS: Table = MappingProxyType(
    {
        **SONIC,
        **CLIPS,
        **PRODUCER,
        "suno/create": SONIC["sonic/create"],
        "studio/create": _STUDIO,
        "nuro/create": _NURO,
    }
)
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
    operation = entry if entry is None or isinstance(entry, Operation) else entry(body)
    engine = path.partition("/")[0]
    if options.undeclared == "refuse" or engine not in _EXAMPLES:
        return operation
    if operation is None:
        return _undeclared(engine, path.partition("/")[2])
    task_type = body.get("task_type")
    if isinstance(task_type, str) and operation.name != f"{engine}.{task_type}":
        return _undeclared(engine, task_type)
    return operation


def _undeclared(engine: str, name: str) -> Operation:
    """Return an operation with the songs and the price of the engine's create, and no checks."""
    example = _EXAMPLES[engine]
    entry = OPERATIONS[f"{engine}/create"]
    create = entry if isinstance(entry, Operation) else entry(example)
    make = create.make_songs

    def make_songs(call: Call) -> tuple[Song, ...]:
        texts = {name: value for name, value in call.body.items() if name in _TEXTS}
        texts = {name: value for name, value in texts.items() if isinstance(value, str) and value}
        return make(replace(call, body={**example, **texts})) if make else ()

    return replace(create, name=f"{engine}.{name}", check=lambda _: None, make_songs=make_songs)
