"""Cut excerpts of songs that share duration, relative start, sample rate, channels and loudness.

A single unusual song shall not make all excerpts short, quiet or mono, so it is left out or
adapted: see `usual_format`, `is_too_short` and `match_gains`.
"""

import io
import statistics
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicapi_nb.audio.decoding import MAX_SECONDS, open_sound, skip
from musicapi_nb.errors import NoAudio
from musicapi_nb.widgets.song_audio import Audio

START = 0.35  # share of the remaining song that lies before the excerpt
HEADROOM_DB = 1.0
TARGET_LUFS = -23.0
"""Loudness of all excerpts (EBU R 128)."""
MAX_REDUCTION_DB = 6.0
"""By how much all excerpts may be quieter than the target, to hold the peaks of some."""
MIN_LENGTH_SHARE = 0.5
"""Songs shorter than this share of the usual duration are left out."""
_MAX_RATE, _MAX_CHANNELS = 48_000, 2
_FADE_SECONDS = 0.02  # a cut in the middle of a wave clicks
_MIN_LUFS = -50.0
_MIN_SECONDS = 0.5
_FULL_SCALE = 32_767


class AudioFormat(NamedTuple):
    """Duration in seconds, sample rate in Hz and channels, of a file or of all excerpts."""

    seconds: float
    rate: int
    channels: int


class Loudness(NamedTuple):
    """Gated loudness of an excerpt in LUFS, and its sample peak in dB relative to full scale."""

    lufs: float
    peak: float


def read_info(audio: Audio) -> AudioFormat:
    """Read the header of a sound file; NoAudio if it states too short or too long a duration."""
    with open_sound(audio.content) as file:
        info = AudioFormat(file.frames / file.samplerate, file.samplerate, file.channels)
    if info.seconds < _MIN_SECONDS:
        raise NoAudio(f"the audio is {info.seconds:.1f} s long, which is too short to judge")
    if info.seconds > MAX_SECONDS:
        limit = f"at most {MAX_SECONDS:,.0f} s are decoded"
        raise NoAudio(f"the header of the audio states {info.seconds:,.0f} s; {limit}")
    return info


def usual_format(formats: Mapping[str, Sequence[AudioFormat]], max_seconds: float) -> AudioFormat:
    """Return the usual format of songs, given those of each level.

    Duration and channels are the least of the levels' medians, so that no level is unusual as a
    whole; the rate is the highest. Limits: `max_seconds`, two channels, 48 kHz.
    """

    def usual(name: str) -> float:
        medians = (
            statistics.median(getattr(song, name) for song in songs) for songs in formats.values()
        )
        return float(min(medians))

    return AudioFormat(
        seconds=min(max_seconds, usual("seconds")),
        rate=min(max(song.rate for songs in formats.values() for song in songs), _MAX_RATE),
        channels=min(_MAX_CHANNELS, int(usual("channels"))),
    )


def is_too_short(song: AudioFormat, usual: AudioFormat) -> bool:
    """Check whether a song would make all excerpts less than half as long as usual."""
    return song.seconds < MIN_LENGTH_SHARE * usual.seconds


def common_format(usual: AudioFormat, songs: Collection[AudioFormat]) -> AudioFormat:
    """Return the format of all excerpts: the usual one, not longer than the shortest song."""
    return usual._replace(seconds=min(usual.seconds, *(song.seconds for song in songs)))


def cut_excerpt(audio: Audio, excerpt_format: AudioFormat) -> NDArray[np.float32]:
    """Decode the excerpt of a song: float32, shape (frames, channels) of the format.

    NoAudio if it ends before the duration in its header.
    """
    from scipy import signal  # noqa: PLC0415 - slow to load

    with open_sound(audio.content) as file:
        rate = file.samplerate
        length = round(excerpt_format.seconds * rate)
        skip(file, max(int(START * (file.frames - length)), 0))
        samples = file.read(length, dtype="float32", always_2d=True)
    if len(samples) < length - rate // 10:
        raise NoAudio("the audio ends before the duration in its header")
    samples = np.nan_to_num(samples)
    if excerpt_format.channels == 1:
        samples = samples.mean(axis=1, keepdims=True)
    elif samples.shape[1] == 1:
        samples = np.repeat(samples, excerpt_format.channels, axis=1)
    frames = round(excerpt_format.seconds * excerpt_format.rate)
    samples = samples[:, : excerpt_format.channels]
    if len(samples) != frames:
        samples = signal.resample(samples, frames)
    window = signal.windows.tukey(frames, 2 * _FADE_SECONDS * excerpt_format.rate / frames)
    return np.asarray(samples * window[:, None], dtype=np.float32)


def measure_loudness(samples: NDArray[np.float32], rate: int) -> Loudness:
    """Measure an excerpt (ITU-R BS.1770-4); NoAudio if it is quieter than -50 LUFS."""
    from musicapi_nb.audio.loudness import loudness  # noqa: PLC0415 - loads scipy

    lufs = loudness(samples, rate)
    if not lufs > _MIN_LUFS:
        raise NoAudio("the excerpt is silent")
    return Loudness(lufs, 20 * float(np.log10(np.abs(samples).max())))


def is_too_dynamic(excerpt: Loudness) -> bool:
    """Check whether the peaks of an excerpt forbid even the lowest common loudness."""
    return _highest_lufs(excerpt) < TARGET_LUFS - MAX_REDUCTION_DB


def match_gains(excerpts: Mapping[str, Loudness]) -> tuple[float, dict[str, float]]:
    """Return the common loudness in LUFS, and the gain in dB of each excerpt.

    The loudness is the target of -23 LUFS, or lower where a peak would exceed the headroom.
    """
    target = min(TARGET_LUFS, *map(_highest_lufs, excerpts.values()))
    return target, {name: target - excerpt.lufs for name, excerpt in excerpts.items()}


def _highest_lufs(excerpt: Loudness) -> float:
    """Return the loudness at which the peaks of an excerpt just leave the headroom."""
    return excerpt.lufs - excerpt.peak - HEADROOM_DB


def wav_bytes(samples: NDArray[np.float32], excerpt_format: AudioFormat, gain_db: float) -> bytes:
    """Encode an excerpt as a 16-bit WAV file; files of one format have the same size."""
    import soundfile  # noqa: PLC0415 - loads libsndfile, which only playback needs

    scaled = np.clip(samples * 10 ** (gain_db / 20), -1.0, 1.0)
    file = io.BytesIO()
    integers = np.rint(scaled * _FULL_SCALE).astype(np.int16)
    soundfile.write(file, integers, excerpt_format.rate, format="WAV", subtype="PCM_16")
    return file.getvalue()
