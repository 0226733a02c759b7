"""The ledger and the files: what was asked, paid for and heard, in one folder that outlives all."""

from musicapi_nb.library._request_key import request_key
from musicapi_nb.library.entry import ACTIVE_STATES, OPEN_STATES, STATES, Entry, EntryState, Event
from musicapi_nb.library.html import Account
from musicapi_nb.library.ledger import Claim
from musicapi_nb.library.library import Library
from musicapi_nb.library.lineage import Branch, Lineage
from musicapi_nb.library.media_files import FileRef
from musicapi_nb.library.notifications import Notification, NotificationResult
from musicapi_nb.library.queries import Budget, DamagedFile, MissingFile, RenderTime, Unfinished
from musicapi_nb.library.ratings import Rating

__all__ = [
    "ACTIVE_STATES",
    "OPEN_STATES",
    "STATES",
    "Account",
    "Branch",
    "Budget",
    "Claim",
    "DamagedFile",
    "Entry",
    "EntryState",
    "Event",
    "FileRef",
    "Library",
    "Lineage",
    "MissingFile",
    "Notification",
    "NotificationResult",
    "Rating",
    "RenderTime",
    "Unfinished",
    "request_key",
]
