"""The audio of a song: read it from the library or its link, and compute its peaks."""

import asyncio
import tempfile
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from musicapi_nb import markup
from musicapi_nb.audio.decoding import MAX_SECONDS, open_sound, read_blocks
from musicapi_nb.client import MusicAPI
from musicapi_nb.client.file_type import suffix_of
from musicapi_nb.client.network import is_loopback
from musicapi_nb.errors import NoAudio
from musicapi_nb.library import Library
from musicapi_nb.tasks import Song
from musicapi_nb.tasks.card_media import AUDIO_TYPES

MAX_BYTES = 64_000_000  # of one song that are read into memory
_PEAK_FRAMES = 256  # resolution of peaks before they are put into buckets


class Audio(NamedTuple):
    """A sound file in memory and its media type, such as "audio/mpeg"."""

    content: bytes
    media_type: str


def playable_url(song: Song) -> str | None:
    """Return the song's URL if a page may play it: public https, or loopback if simulated."""
    url = markup.media_url(song.audio_url, local=song.simulated)
    if url is None:
        return None
    parts = urlsplit(url)
    is_local = song.simulated and is_loopback(parts.hostname)
    return url if is_local or parts.scheme.lower() == "https" else None


def no_audio_reason(song: Song) -> str:
    """Return why a song without a file cannot be played; "" if its link can."""
    if song.engine == "lyrics":
        return "Lyrics only: a text, not a song."
    if song.state == "failed":
        return song.fail_reason or "Failed, no reason given."
    if not song.audio_url:
        unfinished = "No audio yet: the song is still being made."
        return "Finished, but the reply has no audio." if song.finished else unfinished
    if playable_url(song) is None:
        return "No audio: its URL is not safe to open."
    return ""


def stored_audio(song: Song | str, library: Library | None) -> Audio | None:
    """Read the audio of a song (or song key) from the library; None if it has no intact file."""
    path = library.file_of(song) if library is not None else None
    return None if path is None else read_audio(path, MAX_BYTES)


async def fetch_audio(song: Song, client: MusicAPI, *, max_bytes: int = MAX_BYTES) -> Audio:
    """Download the audio behind a song's link; await it on the client's event loop.

    MusicAPIError if there is no link, or it is dead or leads to something too large or not audio.
    """
    # Made and deleted in no other thread: a cancellation meanwhile would leave the folder behind.
    with tempfile.TemporaryDirectory(prefix="musicapi-nb-") as folder:
        path = await client.download(song, Path(folder) / "audio", max_bytes=max_bytes)
        return await asyncio.to_thread(read_audio, path, max_bytes)


def read_audio(path: Path, max_bytes: int) -> Audio:
    """Read a sound file; NoAudio if it is too large, is not audio, or cannot be read."""
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise NoAudio(f"the file has {size:,} bytes; the limit is {max_bytes:,}")
        content = path.read_bytes()
    except OSError as error:
        raise NoAudio(f"the file cannot be read ({error.strerror or error})") from None
    suffix = suffix_of(content, "audio")
    if suffix is None:
        raise NoAudio(f"the file is not audio (it starts with {content[:8]!r})")
    return Audio(content, AUDIO_TYPES.get(suffix, f"audio/{suffix[1:]}"))


def peaks(audio: Audio, buckets: int = 240) -> NDArray[np.float32]:
    """Return the largest magnitude in each of `buckets` equal parts: float32, 0 (silence) to 1.

    The audio is decoded block by block, at most `MAX_SECONDS` of it. NoAudio if it cannot be
    decoded or is empty.
    """
    with open_sound(audio.content) as file:
        block_peaks = []
        for block in read_blocks(file, int(MAX_SECONDS * file.samplerate)):
            edges = np.arange(0, len(block), _PEAK_FRAMES)
            block_peaks.append(np.maximum.reduceat(np.abs(block).max(axis=1), edges))
    if not block_peaks:
        raise NoAudio("the audio is empty")
    magnitudes = np.concatenate(block_peaks)
    edges = np.linspace(0, len(magnitudes), buckets + 1)[:-1].astype(int)
    bucket_peaks = np.maximum.reduceat(magnitudes, edges)
    return np.asarray(np.clip(np.nan_to_num(bucket_peaks), 0, 1), dtype=np.float32)
