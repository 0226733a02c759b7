"""Where the declarations were read: pages of the service, public clients, the vendor's SDK."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple


class Source(NamedTuple):
    """A text about the service, and the date of its state that was read.

    The day is 1 if only the month is known.
    """

    read: date
    title: str


CLIENTS = Source(date(2026, 10, 7), "public client of api.musicapi.ai")
SDK = Source(date(2026, 6, 1), "musicapi-sdk 0.1.0")
SIBLING = Source(date(2026, 9, 3), "docs of the vendor's sibling host")
SIBLING_CLIENTS = Source(date(2026, 10, 7), "public clients of the sibling host")
LIKE_EXTEND = Source(date(2026, 9, 3), "the sibling host's price of an extend; none for uploads")
LIKE_COVER = Source(date(2026, 9, 3), "the sibling host's price of a cover; none for uploads")
LIKE_CREATE = Source(date(2026, 10, 7), "the price of producer's create; none is known for covers")
REFUSALS = Source(date(2026, 7, 15), "docs.musicapi.ai/error-handling, and refusals seen live")
GUIDES = Source(date(2026, 11, 29), "musicapi.ai/docs/guides/extend-and-cover")
CREDITS = Source(date(2025, 6, 19), "docs credits-usage-guide")

CREATE_2025 = Source(
    date(2025, 3, 1), "docs.musicapi.ai: create-music, extend-music, concat-music, cover-music"
)
CREATE = Source(
    date(2026, 7, 15), "docs.musicapi.ai: create / extend / cover / remaster / add vocals"
)
MIXING = Source(date(2025, 10, 1), "docs.musicapi.ai: sample-this-song, mashup")
SECTION = Source(date(2026, 7, 1), "docs.musicapi.ai/api-413625810 (replace section)")
UPLOAD = Source(date(2025, 10, 1), "docs.musicapi.ai/upload-music")
UPLOADS = Source(date(2025, 10, 1), "docs.musicapi.ai: upload-extend-music, upload-cover-music")
PERSONA = Source(date(2025, 3, 1), "docs.musicapi.ai/create-persona")
VOICE = Source(date(2026, 7, 1), "docs.musicapi.ai/create-voice")
CLIP_TOOLS = Source(date(2025, 10, 1), "docs.musicapi.ai: get wav, get midi, stems-basic")
BATCH = Source(date(2026, 7, 1), "musicapi.ai/batch-music-generation-api")
LYRICS = Source(date(2025, 3, 1), "docs.musicapi.ai/lyrics-generation")
PRODUCER_2025 = Source(date(2025, 10, 1), "docs.musicapi.ai: producer create, upload, download")
PRODUCER = Source(
    date(2026, 11, 29), "docs.musicapi.ai: producer-api-overview, api-450367154, api-450367170"
)
PRODUCER_COVER = Source(
    date(2026, 11, 29), "docs.musicapi.ai/api-460957729; musicapi.ai/blog/cover-music-with-ai"
)
RIFFUSION = Source(date(2025, 5, 1), "docs.musicapi.ai: riffusion pages")
NURO = Source(date(2025, 3, 26), "docs.musicapi.ai: nuro-instruction, create-nuro-music and -bgm")
STUDIO = Source(
    date(2025, 3, 1), "docs.musicapi.ai: custom-mode, studio-instructions, get-studio-music"
)
BALANCE = Source(date(2025, 5, 26), "docs.musicapi.ai/get-credits")
