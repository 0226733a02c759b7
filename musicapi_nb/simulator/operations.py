"""All operations of the simulator by path.

To add one, write its check and its songs or reply, and enter it in the table of its engine; service
and server need no change.
"""

from musicapi_nb.simulator import nuro, studio
from musicapi_nb.simulator.catalog import Operation, Table
from musicapi_nb.simulator.clips import CLIPS
from musicapi_nb.simulator.producer import PRODUCER
from musicapi_nb.simulator.rules import Body
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


def operation_at(path: str, body: Body) -> Operation | None:
    """Return the operation of a POST; where a path serves several, the body decides."""
    entry = OPERATIONS.get(path)
    return entry if entry is None or isinstance(entry, Operation) else entry(body)
