"""What can be asked of the simulator: one entry an operation, with its check, price and work.

To add an operation, write its check (validation_*.py) and its songs or reply, and enter it in the
table of its engine (operations_*.py); service and server need no change.
"""

from random import Random
from types import MappingProxyType

from musicapi_nb.simulator import songs as making
from musicapi_nb.simulator import validation_nuro, validation_studio
from musicapi_nb.simulator.catalog import Call, Catalog, Operation, Table, brief, only_body
from musicapi_nb.simulator.operations_clips import CLIPS
from musicapi_nb.simulator.operations_producer import PRODUCER
from musicapi_nb.simulator.operations_sonic import SONGS
from musicapi_nb.simulator.replies import plain_ack, studio_ack
from musicapi_nb.simulator.tasks import Song, Timing, nuro_timing, studio_timing
from musicapi_nb.simulator.validation import Body, invalid


def operation_at(path: str, body: Body) -> Operation | None:
    """Find what a POST asks for; one path may serve several operations, told apart in the body."""
    entry = OPERATIONS.get(path)
    return entry if entry is None or isinstance(entry, Operation) else entry(body)


def _check_studio(body: Body, catalog: Catalog, key: str) -> None:
    validation_studio.studio(body, defaults=catalog.options.studio_defaults)
    source = (body.get("config") or {}).get("source")
    if (
        source
        and catalog.options.unknown_clip == "refuse"
        and not catalog.song(source["song_id"], key)
    ):
        raise invalid("The 'config.source.song_id' field is invalid.")


def _sing_studio(call: Call) -> tuple[Song, ...]:
    source = (call.body.get("config") or {}).get("source") or {}
    return making.studio_songs(brief(call, call.catalog.song(source.get("song_id"), call.key)))


def _sing_nuro(call: Call) -> tuple[Song, ...]:
    return making.nuro_songs(brief(call))


def _time_nuro(submitted: float, _songs: int, rng: Random) -> Timing:
    return nuro_timing(submitted, rng)


# Prices: service.md 14; studio's is of 2025-02-18.
OPERATIONS: Table = MappingProxyType(
    {
        **SONGS,
        **CLIPS,
        **PRODUCER,
        "suno/create": SONGS["sonic/create"],
        "studio/create": Operation(
            "studio.create",
            15,
            _check_studio,
            "studio",
            _sing_studio,
            studio_timing,
            ack=studio_ack,
        ),
        "nuro/create": Operation(
            "nuro.create",
            10,
            only_body(validation_nuro.nuro),
            "nuro",
            _sing_nuro,
            _time_nuro,
            ack=plain_ack,
        ),
    }
)
"""Path below /api/v1 to the operation, or to the choice among several."""
