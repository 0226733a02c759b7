"""The ledger of purchases and the media files of songs, in one folder."""

from musicapi_nb.ledger_types import Claim as Claim
from musicapi_nb.ledger_types import Entry as Entry
from musicapi_nb.ledger_types import EntryState as EntryState
from musicapi_nb.ledger_types import FileRef as FileRef
from musicapi_nb.ledger_types import MissingFile as MissingFile
from musicapi_nb.ledger_types import PurchaseTerms as PurchaseTerms
from musicapi_nb.ledger_types import RenderTime as RenderTime
from musicapi_nb.ledger_types import Unfinished as Unfinished
from musicapi_nb.library._request_key import request_key as request_key
from musicapi_nb.library.budgets import Budget as Budget
from musicapi_nb.library.default_folder import LIBRARY as LIBRARY
from musicapi_nb.library.default_folder import default_folder as default_folder
from musicapi_nb.library.entry import ACTIVE_STATES as ACTIVE_STATES
from musicapi_nb.library.entry import OPEN_STATES as OPEN_STATES
from musicapi_nb.library.entry import STATES as STATES
from musicapi_nb.library.entry import Event as Event
from musicapi_nb.library.library import Library as Library
from musicapi_nb.library.lineage import Branch as Branch
from musicapi_nb.library.lineage import Lineage as Lineage
from musicapi_nb.library.live_entries import live_entries as live_entries
from musicapi_nb.library.media_files import DamagedFile as DamagedFile
from musicapi_nb.library.media_files import FileNote as FileNote
from musicapi_nb.library.notifications import Notification as Notification
from musicapi_nb.library.notifications import NotificationResult as NotificationResult
from musicapi_nb.library.ratings import Rating as Rating
from musicapi_nb.library.totals import Account as Account
