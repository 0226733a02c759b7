"""The methods of a library that Tab offers: not those with which the client records purchases."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from musicapi_nb import ledger_types
from musicapi_nb.library.ledger import Ledger
from musicapi_nb.public_names import missing_name

_FOR_PEOPLE = frozenset({"adopt", "file_of", "missing_files", "resolve", "task", "unfinished"})
_FOR_EXPERIMENTS = frozenset(
    {"cells", "entries_by_key", "entries_by_task", "latest_tasks", "next_take", "replies"}
)
_FOR_SONGS = frozenset({"files_of", "holds", "media"})
_FOR_MEASURES = frozenset(
    {
        *("measured_values", "measurements", "measurements_mark", "measures"),
        *("store_measurements", "use_measure"),
    }
)

# What people try, and what it is called.
_OTHER_NAMES = {
    "songs": "api.songs(), or api.gallery()",
    **dict.fromkeys(("search", "find", "show", "gallery", "play"), "api.gallery()"),
    **dict.fromkeys(("add", "load", "import_", "import_songs"), "api.adopt(...)"),
    **dict.fromkeys(("combine", "join", "union"), "library.merge(folder)"),
    **dict.fromkeys(("save", "export"), "api.export(folder)"),
    "measured": "mnb.measures_frame(api.library)",
}


class ListedNames(Ledger):
    """A ledger whose own methods are not listed."""

    def __dir__(self) -> Iterable[str]:
        protocols = (ledger_types.Ledger, ledger_types.MediaStore, Ledger)
        recording = {name for protocol in protocols for name in vars(protocol)}
        hidden = (recording - _FOR_PEOPLE) | _FOR_EXPERIMENTS | _FOR_SONGS | _FOR_MEASURES
        return [name for name in super().__dir__() if name.startswith("_") or name not in hidden]

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise missing_name("the library", name, dir(self), _OTHER_NAMES, songs="api.library")
