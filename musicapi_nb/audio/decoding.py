"""Decode sound files with libsndfile, within limits: a small file can claim days of sound."""

import contextlib
import functools
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicapi_nb.errors import NoAudio

MAX_SECONDS = 1_800.0
"""The longest sound that is measured."""
_MIN_RATE, _MAX_RATE = 1_000, 768_000  # Hz
_MAX_CHANNELS = 16
_BLOCK_SAMPLES = 1 << 18
_HIGHEST = 1_000.0
"""Magnitude that no sound has: 60 dB above full scale."""


@contextlib.contextmanager
def open_sound(source: Path | bytes) -> Iterator[Any]:
    """Open a sound file, or its content, as a `soundfile.SoundFile` that is read from its start.

    NoAudio if it cannot be read or decoded (libsndfile reads no AAC), or its header states a rate
    or number of channels that no song has.
    """
    import soundfile  # noqa: PLC0415 - loads libsndfile

    try:
        with sequential_file(source) as file:
            _check_header(file.samplerate, file.channels)
            yield file
    except (soundfile.SoundFileError, RuntimeError) as error:
        reason = getattr(error, "error_string", error)  # without the path
        raise NoAudio(f"the audio cannot be decoded here ({reason})") from None


def read_blocks(file: Any, frames: int) -> Iterator[NDArray[np.float32]]:
    """Yield blocks of shape (n, channels), up to `frames` frames or the end of the file."""
    size = _BLOCK_SAMPLES // file.channels
    while frames > 0 and len(block := file.read(min(size, frames), "float32", always_2d=True)):
        frames -= len(block)
        yield block


def check_samples(block: NDArray[np.float32]) -> None:
    """Raise NoAudio if a block has samples that are not numbers, or larger than of any sound."""
    if not (np.abs(block) <= _HIGHEST).all():  # also false for NaN
        raise NoAudio("the audio has samples that are not numbers: the file is damaged")


def skip(file: Any, frames: int) -> None:
    """Decode the next frames of an open file without keeping them."""
    for _ in read_blocks(file, frames):
        pass


def sequential_file(source: Path | bytes) -> Any:
    """Open a sound file, or its content, as a `soundfile.SoundFile` that never seeks.

    The original seeks after each read, to where it is. The MP3 decoder then starts anew without
    the frames before: the samples that follow are wrong, or shifted, and libmpg123 complains on
    the standard error stream.
    """
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    return _sequential_file_class()(stream)


@functools.cache
def _sequential_file_class() -> Any:
    import soundfile  # noqa: PLC0415 - loads libsndfile

    class SequentialFile(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
        def seekable(self) -> bool:
            return False

    return SequentialFile


def _check_header(rate: int, channels: int) -> None:
    if not _MIN_RATE <= rate <= _MAX_RATE or channels > _MAX_CHANNELS:
        raise NoAudio(f"the audio has {rate:,} Hz and {channels} channels, which no song has")
