"""MusicAPI, the one aiohttp client: send, pace, poll, download."""

from musicapi_nb.client.api import Balance, MusicAPI
from musicapi_nb.client.transport import BASE_URL

__all__ = ["BASE_URL", "Balance", "MusicAPI"]
