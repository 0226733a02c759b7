"""The ledger of purchases and the media files of songs, in one folder."""

from musicapi_nb.ledger_types import (
    Claim,
    Entry,
    EntryState,
    FileRef,
    PurchaseTerms,
    RenderTime,
    Unfinished,
)
from musicapi_nb.library._request_key import request_key
from musicapi_nb.library.budgets import Budget
from musicapi_nb.library.default_folder import LIBRARY, default_folder
from musicapi_nb.library.entry import ACTIVE_STATES, OPEN_STATES, STATES, Event
from musicapi_nb.library.library import Library
from musicapi_nb.library.lineage import Branch, Lineage
from musicapi_nb.library.media_files import DamagedFile, MissingFile
from musicapi_nb.library.notifications import Notification, NotificationResult
from musicapi_nb.library.ratings import Rating
from musicapi_nb.library.totals import Account

__all__ = [
    "ACTIVE_STATES",
    "LIBRARY",
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
    "PurchaseTerms",
    "Rating",
    "RenderTime",
    "Unfinished",
    "default_folder",
    "request_key",
]
