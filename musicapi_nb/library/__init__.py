"""The ledger and the files: what was asked, paid for and heard, in one folder that outlives all."""

from musicapi_nb.library.entry import LIVE, OPEN, STATES, Entry, EntryState, Event
from musicapi_nb.library.html import Account
from musicapi_nb.library.ledger import Claim
from musicapi_nb.library.library import Library
from musicapi_nb.library.lineage import Branch, Lineage
from musicapi_nb.library.media_files import FileRef
from musicapi_nb.library.notifications import Heard, Word
from musicapi_nb.library.queries import Budget, DamagedFile, MissingFile, RenderTime, Unfinished
from musicapi_nb.library.ratings import Rating
from musicapi_nb.library.request_key import identity

__all__ = [
    "LIVE",
    "OPEN",
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
    "Heard",
    "Library",
    "Lineage",
    "MissingFile",
    "Rating",
    "RenderTime",
    "Unfinished",
    "Word",
    "identity",
]
