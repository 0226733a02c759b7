"""All operations of the simulator by path.

To add one, write its check (``validation_*.py``) and its songs or reply, and enter it in the table
of its engine (``operations_*.py``); service and server need no change.
"""

from types import MappingProxyType

from musicapi_nb.simulator import songs, validation_nuro, validation_studio
from musicapi_nb.simulator.catalog import Call, Operation, Table
from musicapi_nb.simulator.operations_clips import CLIPS
from musicapi_nb.simulator.operations_producer import PRODUCER
from musicapi_nb.simulator.operations_sonic import SONIC
from musicapi_nb.simulator.replies import plain_ack, studio_ack
from musicapi_nb.simulator.tasks import Song, nuro_timing, studio_timing
from musicapi_nb.simulator.validation_rules import Body


def operation_at(path: str, body: Body) -> Operation | None:
    """Return the operation of a POST; where a path serves several, the body decides."""
    entry = OPERATIONS.get(path)
    return entry if entry is None or isinstance(entry, Operation) else entry(body)


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
