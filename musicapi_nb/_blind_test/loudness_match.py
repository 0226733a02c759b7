"""Excerpts that are alike in all but the music: one length, place, rate, width and loudness."""

from __future__ import annotations

import dataclasses
import io
import struct
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from musicapi_nb.errors import NoAudio
from musicapi_nb.widgets.song_audio import Sound, loudness

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from musicapi_nb.widgets.song_audio import Audio

PLACE = 0.35
"""Where an excerpt begins: this share of what is left of the song is before it."""
HEADROOM = 1.0  # dB
_FASTEST, _WIDEST = 48_000, 2
_FADE = 0.02  # seconds: a cut in the middle of a wave clicks
_AUDIBLE = -50.0  # LUFS
_SHORTEST = 0.5  # seconds
_FULL = 32_767


@dataclasses.dataclass(frozen=True, slots=True)
class Measured:
    """A sound file as it says of itself: seconds, frames a second, channels."""

    seconds: float
    rate: int
    channels: int


@dataclasses.dataclass(frozen=True, slots=True)
class Form:
    """What all excerpts of a test share."""

    seconds: float
    rate: int
    channels: int

    @property
    def frames(self) -> int:
        return round(self.seconds * self.rate)


@dataclasses.dataclass(frozen=True, slots=True)
class Level:
    """How loud an excerpt is: gated loudness in LUFS, and its peak in dB below full scale."""

    lufs: float
    peak: float


def measure(audio: Audio) -> Measured:
    """Look how long a sound is, without decoding it.

    Raises
    ------
    NoAudio
        It cannot be decoded, or is shorter than half a second.
    """
    with _opened(audio) as file:
        found = Measured(file.frames / file.samplerate, file.samplerate, file.channels)
    if found.seconds < _SHORTEST:
        raise NoAudio(f"the audio is {found.seconds:.1f} s long, which is too short to judge")
    return found


def common_form(measured: Iterable[Measured], longest: float) -> Form:
    """The form that all of them can take: the shortest of them, at most `longest` seconds.

    One mono song makes all mono; the highest rate is the rate of all, at most 48 kHz.
    """
    known = list(measured)
    return Form(
        seconds=min([longest, *(each.seconds for each in known)]),
        rate=min(max(each.rate for each in known), _FASTEST),
        channels=min([_WIDEST, *(each.channels for each in known)]),
    )


def excerpt(audio: Audio, form: Form) -> NDArray[np.float32]:
    """Cut the excerpt out of a song: float32 of shape (form.frames, form.channels).

    Raises
    ------
    NoAudio
        It cannot be decoded, or not as far as its length promises.
    """
    with _opened(audio) as file:
        rate = file.samplerate
        wanted = round(form.seconds * rate)
        file.seek(max(int(PLACE * (file.frames - wanted)), 0))
        samples = file.read(wanted, dtype="float32", always_2d=True)
    if len(samples) < wanted - rate // 10:
        raise NoAudio("the audio ends before the length that it states")
    samples = np.nan_to_num(samples)
    if form.channels == 1 or samples.shape[1] == 1:
        samples = samples.mean(axis=1, keepdims=True)
    return _faded(_resampled(samples[:, : form.channels], form.frames), form)


def _opened(audio: Audio) -> Any:
    import soundfile  # noqa: PLC0415 - loaded when something is heard

    try:
        return soundfile.SoundFile(io.BytesIO(audio.content))
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise NoAudio(f"the audio cannot be decoded here ({error})") from None


def _resampled(samples: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """Bring samples to a number of frames, exact for what both rates can hold."""
    if len(samples) == frames:
        return samples
    spectrum = np.fft.rfft(samples, axis=0)
    kept = np.zeros((frames // 2 + 1, samples.shape[1]), dtype=spectrum.dtype)
    both = min(len(kept), len(spectrum))
    kept[:both] = spectrum[:both]
    made = np.fft.irfft(kept, frames, axis=0) * (frames / len(samples))
    return np.asarray(made, dtype=np.float32)


def _faded(samples: NDArray[np.float32], form: Form) -> NDArray[np.float32]:
    length = min(int(_FADE * form.rate), len(samples) // 2)
    ramp = np.sin(np.linspace(0, np.pi / 2, length, dtype=np.float32)) ** 2
    faded = samples.copy()
    faded[:length] *= ramp[:, None]
    faded[len(faded) - length :] *= ramp[::-1, None]
    return np.asarray(faded, dtype=np.float32)


# --- loudness ------------------------------------------------------------------------------


def level(samples: NDArray[np.float32], form: Form) -> Level:
    """Measure an excerpt.

    Raises
    ------
    NoAudio
        It is silent, or as good as silent.
    """
    lufs = loudness(Sound(samples, form.rate))
    if not lufs > _AUDIBLE:
        raise NoAudio("the excerpt is silent")
    return Level(lufs, 20 * float(np.log10(np.abs(samples).max())))


def gains(levels: Mapping[str, Level]) -> tuple[float, dict[str, float]]:
    """The loudness that all are brought to (LUFS), and the gain of each (dB).

    All are turned down to the quietest; further where one would come too near to full scale.
    """
    target = min(min(each.lufs, each.lufs - each.peak - HEADROOM) for each in levels.values())
    return target, {name: target - each.lufs for name, each in levels.items()}


def wav(samples: NDArray[np.float32], form: Form, gain: float) -> bytes:
    """A 16-bit WAV file, the gain (dB) applied; files of one form have equally many bytes."""
    loud = np.clip(samples * 10 ** (gain / 20), -1.0, 1.0)
    if loud.shape[1] < form.channels:
        loud = np.repeat(loud, form.channels, axis=1)
    data: bytes = np.rint(loud * _FULL).astype("<i2").tobytes()
    wide = 2 * form.channels
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        36 + len(data),
        b"WAVE",
        b"fmt ",
        16,
        1,
        form.channels,
        form.rate,
        form.rate * wide,
        wide,
        16,
        b"data",
        len(data),
    )
    return head + data
