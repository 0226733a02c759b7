"""A song's audio: its bytes from the library's file or its link, decoded, drawn and measured."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import ipaddress
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

import numpy as np

from musicapi_nb import markup
from musicapi_nb.client.download import suffix_of
from musicapi_nb.errors import NoAudio
from musicapi_nb.tasks import Song

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST = 64_000_000
"""Bytes of one song that are taken into memory, unless said otherwise."""
LONGEST = 1_800.0
"""Seconds of one song that are decoded."""
_MEDIA_TYPES = {
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".m4a": "audio/mp4",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
}
_BLOCK = 1 << 18  # frames
_FINE = 256  # frames
_HEAD = 16


class HasFiles(Protocol):
    """Where songs' files are; `library.Library` fulfils it."""

    def file_of(self, song: Song) -> Path | None: ...


class Fetches(Protocol):
    """Who fetches links; `client.MusicAPI` fulfils it."""

    async def download(self, source: Song, to: Path, *, max_bytes: int) -> Path: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Audio:
    """A sound file in memory, and what it is, such as "audio/mpeg"."""

    content: bytes
    media_type: str


@dataclasses.dataclass(frozen=True, slots=True)
class Sound:
    """Samples, float32 of shape (frames, channels), full scale 1.0, and frames a second."""

    samples: NDArray[np.float32]
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


# --- where it comes from -------------------------------------------------------------------


def link(song: Song) -> str | None:
    """The address that a page may play: https, or a simulated song's on this machine."""
    address = markup.web_url(song.audio_url)
    if address is None:
        return None
    parts = urlsplit(address)
    if parts.scheme.lower() == "https" or (song.simulated and _is_loopback(parts.hostname or "")):
        return address
    return None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def why_none(song: Song) -> str:
    """Say why a song without a file cannot be heard; "" where its link may be played."""
    if song.engine == "lyrics":
        return "A text, not a song."
    if song.state == "failed":
        return song.fail_reason or "It failed; the service gives no reason."
    if not song.audio_url:
        if song.finished:
            return "Finished, but the reply holds no audio."
        return "No audio yet: the service is still at work."
    if link(song) is None:
        return "No audio: its address is not one to open."
    return ""


def kept(song: Song, library: HasFiles | None, *, max_bytes: int = LARGEST) -> Audio | None:
    """The audio that a library keeps of a song; None where it has no whole file.

    Raises
    ------
    NoAudio
        The file is too large, no audio, or cannot be read.
    """
    path = library.file_of(song) if library is not None else None
    return None if path is None else _read(path, max_bytes)


async def fetched(song: Song, client: Fetches, *, max_bytes: int = LARGEST) -> Audio:
    """Fetch the audio behind a song's link; to be awaited on the loop that the client is used on.

    Raises
    ------
    MusicAPIError
        There is no link, it is dead, or leads to no audio or to too much of it.
    """
    folder = await asyncio.to_thread(tempfile.TemporaryDirectory, prefix="musicapi-nb-")
    try:
        path = await client.download(song, Path(folder.name) / "audio", max_bytes=max_bytes)
        return await asyncio.to_thread(_read, path, max_bytes)
    finally:
        folder.cleanup()  # not in a thread: a second cancellation would leave it behind


async def audio_of(
    song: Song, library: HasFiles | None, client: Fetches, *, max_bytes: int = LARGEST
) -> Audio:
    """A song's audio from the library's file when there is one, else from its link.

    Raises
    ------
    MusicAPIError
        As `kept` and `fetched`.
    """
    found = await asyncio.to_thread(lambda: kept(song, library, max_bytes=max_bytes))
    return found or await fetched(song, client, max_bytes=max_bytes)


def _read(path: Path, max_bytes: int) -> Audio:
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise NoAudio(f"the file has {size:,} bytes; {max_bytes:,} are allowed here")
        content = path.read_bytes()
    except OSError as error:
        raise NoAudio(f"the file cannot be read ({error.strerror or error})") from None
    suffix = suffix_of(content[:_HEAD], "audio")
    if suffix is None:
        raise NoAudio(f"the file is no audio (starts {content[:8]!r})")
    return Audio(content, _MEDIA_TYPES[suffix])


# --- decoding ------------------------------------------------------------------------------


def _blocks(audio: Audio) -> Iterator[tuple[NDArray[np.float32], int]]:
    import soundfile  # noqa: PLC0415 - loaded when something is heard

    try:
        with soundfile.SoundFile(io.BytesIO(audio.content)) as file:
            left = int(LONGEST * file.samplerate)
            while len(block := file.read(min(_BLOCK, left), dtype="float32", always_2d=True)):
                yield block, file.samplerate
                left -= len(block)
                if left <= 0:
                    return
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise NoAudio(f"the audio cannot be decoded here ({error})") from None


def decode(audio: Audio) -> Sound:
    """Decode a sound file, at most its first half hour.

    Raises
    ------
    NoAudio
        It cannot be decoded (libsndfile reads no AAC), or is empty.
    """
    blocks, rate = [], 0
    for block, rate in _blocks(audio):  # noqa: B007 - the rate is the same in all of them
        blocks.append(block)
    if not blocks:
        raise NoAudio("the audio is empty")
    return Sound(np.concatenate(blocks), rate)


def peaks(audio: Audio | Sound, buckets: int = 240) -> NDArray[np.float32]:
    """The largest magnitude in each of `buckets` equal parts: float32, 0 (silence) to 1.

    Audio is decoded piece by piece, and never in memory as a whole.

    Raises
    ------
    NoAudio
        As `decode`.
    """
    if isinstance(audio, Sound):
        blocks = iter([audio.samples])
    else:
        blocks = (block for block, _ in _blocks(audio))
    fine = [_loudest(block) for block in blocks if len(block)]
    if not fine:
        raise NoAudio("the audio is empty")
    steps = np.concatenate(fine)
    edges = np.linspace(0, len(steps), buckets + 1)[:-1].astype(int)
    found = np.maximum.reduceat(steps, edges)
    return np.asarray(np.clip(np.nan_to_num(found), 0, 1), dtype=np.float32)


def _loudest(block: NDArray[np.float32]) -> NDArray[np.float32]:
    magnitude = np.abs(block).max(axis=1)
    edges = np.arange(0, len(magnitude), _FINE)
    return np.asarray(np.maximum.reduceat(magnitude, edges), dtype=np.float32)


# --- loudness: ITU-R BS.1770-4 ---------------------------------------------------------------

# Annex 1, tables 1 and 2: the two filters of the K weighting, at 48 kHz.
_KRATE = 48_000.0
_SHELF = (
    (1.53512485958697, -2.69169618940638, 1.19839281085285),
    (1.0, -1.69065929318241, 0.73248077421585),
)
_HIGH_PASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))
_SILENCE, _BELOW, _OFFSET = -70.0, -10.0, -0.691
_STEPS = 4  # a gating block is four steps of 100 ms


def loudness(sound: Sound) -> float:
    """The gated loudness of a sound in LUFS (ITU-R BS.1770-4); -inf for silence.

    The weighting is applied to the spectrum of each 100 ms, which differs from the standard's
    running filter by less than 0.1 LU on music. More than two channels count alike.
    """
    step = max(sound.rate // 10, 1)
    number = len(sound.samples) // step
    if not number:
        padding = step - len(sound.samples)
        sound = Sound(np.pad(sound.samples, ((0, padding), (0, 0))), sound.rate)
        number = 1
    weights = _weights(step, sound.rate)
    powers = np.empty(number)
    for at in range(number):
        spectrum = np.fft.rfft(sound.samples[at * step : (at + 1) * step], axis=0)
        powers[at] = float((np.abs(spectrum) ** 2 * weights[:, None]).sum())
    width = min(_STEPS, number)
    blocks = np.convolve(powers, np.ones(width) / width, mode="valid")
    loud = blocks[_lufs(blocks) > _SILENCE]
    if not len(loud):
        return -np.inf
    gated = loud[_lufs(loud) > _lufs(loud.mean()) + _BELOW]
    return float(_lufs(gated.mean()))


def _lufs(power: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return np.asarray(_OFFSET + 10 * np.log10(power), dtype=np.float64)


def _weights(step: int, rate: int) -> NDArray[np.float64]:
    """What each line of a real spectrum adds to the mean square, K weighted."""
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(step, 1 / rate) / _KRATE)
    gain = np.ones(len(turn), dtype=np.complex128)
    for above, below in (_SHELF, _HIGH_PASS):
        gain *= np.polyval(above[::-1], turn) / np.polyval(below[::-1], turn)
    both = np.full(len(turn), 2.0)  # the lines of negative frequencies
    both[0] = 1.0
    if step % 2 == 0:
        both[-1] = 1.0
    return np.asarray(both * np.abs(gain) ** 2 / step**2)
