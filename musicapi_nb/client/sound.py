"""Decodes sound files with libsndfile, up to a limit: a small file can hold days of silence."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import NamedTuple

from musicapi_nb.errors import DownloadFailed

UNDECODABLE = frozenset({".m4a", ".aac"})
"""Suffixes of files that are only checked by their first bytes: libsndfile reads no AAC."""
# A file may be a little shorter or longer than the stated duration: by seconds or by a share.
_TOLERANCE_SECONDS, _TOLERANCE_SHARE = 2.0, 0.05
_MORE_SECONDS = 600.0
_BLOCK_SAMPLES = 1 << 20
_MAX_SAMPLES = 1_500_000_000  # four hours of stereo


class Sound(NamedTuple):
    """The decoded seconds of a file and a hash of its samples; `complete`: up to its end."""

    seconds: float
    digest: str
    complete: bool


def decode(path: Path, max_seconds: float = math.inf) -> Sound:
    """Decode a sound file, at most so many seconds and `_MAX_SAMPLES` of it.

    Raise `DownloadFailed` if it cannot be decoded.
    """
    import soundfile  # noqa: PLC0415 - needed only to archive files

    from musicapi_nb.audio.decoding import sequential_file  # noqa: PLC0415 - loads numpy

    digest, frames = hashlib.sha256(), 0
    try:
        with sequential_file(path) as audio:
            size = max(1, _BLOCK_SAMPLES // audio.channels)
            limit = int(min(_MAX_SAMPLES / audio.channels, max_seconds * audio.samplerate))
            while frames < limit:
                block = audio.read(min(size, limit - frames), dtype="int16")
                if not len(block):
                    return Sound(frames / audio.samplerate, digest.hexdigest(), complete=True)
                frames += len(block)
                digest.update(block)
            complete = not len(audio.read(1, dtype="int16"))
            return Sound(frames / audio.samplerate, digest.hexdigest(), complete)
    except (soundfile.SoundFileError, RuntimeError, ValueError) as error:
        reason = getattr(error, "error_string", error)  # without the path
        raise DownloadFailed(f"the audio cannot be decoded ({reason})") from None


def check_audio(path: Path, duration: float | None) -> str:
    """Decode a file; return a note if its length differs from the stated seconds, else "".

    The file is not refused for that: the statement may be wrong. Decoding stops far beyond the
    stated length. Raise `DownloadFailed` if the file cannot be decoded.
    """
    if duration is not None and not 0 < duration < math.inf:
        duration = None
    sound = decode(path, math.inf if duration is None else 2 * duration + _MORE_SECONDS)
    lasts = f"{sound.seconds:.1f} s" if sound.complete else f"more than {sound.seconds:,.0f} s"
    if duration is None:
        return "" if sound.complete else f"the audio lasts {lasts}, which were checked"
    if sound.complete and math.isclose(
        sound.seconds, duration, rel_tol=_TOLERANCE_SHARE, abs_tol=_TOLERANCE_SECONDS
    ):
        return ""
    return f"the audio lasts {lasts} instead of the stated {duration:.1f} s"
