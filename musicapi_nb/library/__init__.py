"""The ledger and the files: what was asked, paid for and heard, in one folder that outlives all."""

from musicapi_nb.library.api import Library
from musicapi_nb.library.ask import Budget, DamagedFile, MissingFile, RenderTime, Unfinished
from musicapi_nb.library.files import FileRef
from musicapi_nb.library.heard import Heard, Word
from musicapi_nb.library.identity import identity
from musicapi_nb.library.ledger import Claim
from musicapi_nb.library.lineage import Branch, Lineage
from musicapi_nb.library.ratings import Rating
from musicapi_nb.library.show import Account
from musicapi_nb.library.states import LIVE, OPEN, STATES, Entry, EntryState, Event
from musicapi_nb.library.trials import BlindDesign, Shown, Trial

__all__ = [
    "LIVE",
    "OPEN",
    "STATES",
    "Account",
    "BlindDesign",
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
    "Shown",
    "Trial",
    "Unfinished",
    "Word",
    "identity",
]
