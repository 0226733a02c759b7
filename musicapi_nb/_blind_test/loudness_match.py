"""Cut excerpts of songs that share duration, relative start, sample rate, channels and loudness."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from musicapi_nb._blind_test.loudness import loudness
from musicapi_nb.errors import NoAudio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from musicapi_nb.widgets.song_audio import Audio

START = 0.35  # share of the remaining song that lies before the excerpt
HEADROOM_DB = 1.0
_MAX_RATE, _MAX_CHANNELS = 48_000, 2
_FADE_SECONDS = 0.02  # a cut in the middle of a wave clicks
_MIN_LUFS = -50.0
_MIN_SECONDS = 0.5
_FULL_SCALE = 32_767


@dataclasses.dataclass(frozen=True, slots=True)
class AudioInfo:
    """Duration in seconds, sample rate in Hz and channels, from a file's header."""

    seconds: float
    rate: int
    channels: int


@dataclasses.dataclass(frozen=True, slots=True)
class ExcerptFormat:
    """Duration in seconds, sample rate in Hz and channels of all excerpts of a test."""

    seconds: float
    rate: int
    channels: int

    @property
    def frames(self) -> int:
        return round(self.seconds * self.rate)


@dataclasses.dataclass(frozen=True, slots=True)
class Loudness:
    """Gated loudness of an excerpt in LUFS, and its sample peak in dB relative to full scale."""

    lufs: float
    peak: float


def read_info(audio: Audio) -> AudioInfo:
    """Read the header of a sound file.

    Raises
    ------
    NoAudio
        It cannot be decoded, or is shorter than half a second.
    """
    with _open(audio) as file:
        info = AudioInfo(file.frames / file.samplerate, file.samplerate, file.channels)
    if info.seconds < _MIN_SECONDS:
        raise NoAudio(f"the audio is {info.seconds:.1f} s long, which is too short to judge")
    return info


def common_format(infos: Iterable[AudioInfo], max_seconds: float) -> ExcerptFormat:
    """Choose the format: the shortest duration, fewest channels and highest rate of all songs.

    Limits: `max_seconds`, two channels, 48 kHz.
    """
    songs = list(infos)
    return ExcerptFormat(
        seconds=min([max_seconds, *(song.seconds for song in songs)]),
        rate=min(max(song.rate for song in songs), _MAX_RATE),
        channels=min([_MAX_CHANNELS, *(song.channels for song in songs)]),
    )


def cut_excerpt(audio: Audio, excerpt_format: ExcerptFormat) -> NDArray[np.float32]:
    """Decode the excerpt of a song: float32, shape (frames, channels) of the format.

    Raises
    ------
    NoAudio
        It cannot be decoded, or ends before the duration in its header.
    """
    with _open(audio) as file:
        rate = file.samplerate
        length = round(excerpt_format.seconds * rate)
        file.seek(max(int(START * (file.frames - length)), 0))
        samples = file.read(length, dtype="float32", always_2d=True)
    if len(samples) < length - rate // 10:
        raise NoAudio("the audio ends before the duration in its header")
    samples = np.nan_to_num(samples)
    if excerpt_format.channels == 1 or samples.shape[1] == 1:
        samples = samples.mean(axis=1, keepdims=True)
    samples = _resample(samples[:, : excerpt_format.channels], excerpt_format.frames)
    return _fade(samples, excerpt_format.rate)


def _open(audio: Audio) -> Any:
    import soundfile  # noqa: PLC0415 - loads libsndfile, which only playback needs

    try:
        return soundfile.SoundFile(io.BytesIO(audio.content))
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise NoAudio(f"the audio cannot be decoded here ({error})") from None


def _resample(samples: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """Resample to a number of frames in the frequency domain (band-limited)."""
    if len(samples) == frames:
        return samples
    spectrum = np.fft.rfft(samples, axis=0)
    resized = np.zeros((frames // 2 + 1, samples.shape[1]), dtype=spectrum.dtype)
    common = min(len(resized), len(spectrum))
    resized[:common] = spectrum[:common]
    resampled = np.fft.irfft(resized, frames, axis=0) * (frames / len(samples))
    return np.asarray(resampled, dtype=np.float32)


def _fade(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    length = min(int(_FADE_SECONDS * rate), len(samples) // 2)
    ramp = np.sin(np.linspace(0, np.pi / 2, length, dtype=np.float32)) ** 2
    faded = samples.copy()
    faded[:length] *= ramp[:, None]
    faded[len(faded) - length :] *= ramp[::-1, None]
    return np.asarray(faded, dtype=np.float32)


def measure_loudness(samples: NDArray[np.float32], rate: int) -> Loudness:
    """Measure an excerpt (ITU-R BS.1770-4).

    Raises
    ------
    NoAudio
        It is silent, or quieter than -50 LUFS.
    """
    lufs = loudness(samples, rate)
    if not lufs > _MIN_LUFS:
        raise NoAudio("the excerpt is silent")
    return Loudness(lufs, 20 * float(np.log10(np.abs(samples).max())))


def match_gains(loudnesses: Mapping[str, Loudness]) -> tuple[float, dict[str, float]]:
    """Return the common loudness in LUFS, and the gain in dB of each excerpt.

    The target is the quietest excerpt, or lower where a peak would exceed the headroom.
    """
    target = min(
        min(excerpt.lufs, excerpt.lufs - excerpt.peak - HEADROOM_DB)
        for excerpt in loudnesses.values()
    )
    return target, {name: target - excerpt.lufs for name, excerpt in loudnesses.items()}


def wav_bytes(samples: NDArray[np.float32], excerpt_format: ExcerptFormat, gain_db: float) -> bytes:
    """Encode an excerpt as a 16-bit WAV file; files of one format have the same size."""
    import soundfile  # noqa: PLC0415 - loads libsndfile, which only playback needs

    scaled = np.clip(samples * 10 ** (gain_db / 20), -1.0, 1.0)
    if scaled.shape[1] < excerpt_format.channels:
        scaled = np.repeat(scaled, excerpt_format.channels, axis=1)
    file = io.BytesIO()
    integers = np.rint(scaled * _FULL_SCALE).astype(np.int16)
    soundfile.write(file, integers, excerpt_format.rate, format="WAV", subtype="PCM_16")
    return file.getvalue()
