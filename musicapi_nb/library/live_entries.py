"""The entry that counts for each of several requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from musicapi_nb.ledger_types import Entry
from musicapi_nb.library.entry import ACTIVE_STATES

if TYPE_CHECKING:
    from musicapi_nb.library.library import Library


def live_entries(
    library: Library, request_keys: Sequence[str], *, simulated: bool
) -> list[Entry | None]:
    """Return the entry of each request key: the live one, else the latest, else None."""
    entries: dict[str, Entry] = {}
    for entry in library.entries_by_key(request_keys, simulated=simulated):
        earlier = entries.get(entry.request_key)
        if earlier is None or earlier.state not in ACTIVE_STATES:
            entries[entry.request_key] = entry
    return [entries.get(key) for key in request_keys]
