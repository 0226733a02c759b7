"""The asyncio client: submit, wait, download, publish."""

from musicapi_nb.client._publish import publish
from musicapi_nb.client.balance import Balance
from musicapi_nb.client.client import MusicAPI
from musicapi_nb.client.transport import BASE_URL

__all__ = ["BASE_URL", "Balance", "MusicAPI", "publish"]
