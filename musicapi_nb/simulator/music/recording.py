"""A song's audio: composed, played, levelled and encoded when it is first requested."""

import io
import itertools
import math
from dataclasses import dataclass, replace
from random import Random
from typing import Literal, NamedTuple

import numpy as np
import soundfile

from musicapi_nb.simulator.music.composition import Score, compose
from musicapi_nb.simulator.music.styles import character
from musicapi_nb.simulator.music.synthesis import RATE, Samples, mix

AudioFormat = Literal["mp3", "wav"]
CONTENT_TYPES: dict[AudioFormat, str] = {"mp3": "audio/mpeg", "wav": "audio/wav"}

_PEAK = 0.85
_FADE_IN, _FADE_OUT = 0.01, 1.8
_JOINT = 0.02
"""Seconds; two pieces fade out and in during half of it each."""


class Piece(NamedTuple):
    """A part of a recording, in seconds."""

    recording: "Recording"
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class Recording:
    """What can be played: a performance composed from a seed, or pieces of other recordings.

    ``parts`` limits it to these instruments and drums (a stem); None plays all.
    """

    seed: str
    tags: tuple[str, ...]
    seconds: float
    instrumental: bool
    parts: frozenset[str] | None = None
    pieces: tuple[Piece, ...] = ()

    def stem(self, parts: frozenset[str]) -> "Recording":
        """Return the same recording, of which only these instruments and drums are heard."""
        pieces = tuple(
            piece._replace(recording=piece.recording.stem(parts)) for piece in self.pieces
        )
        return replace(
            self, parts=parts & (parts if self.parts is None else self.parts), pieces=pieces
        )


def frames(seconds: float) -> int:
    """Return the number of sample frames of a duration in seconds."""
    return round(seconds * RATE)


def score_of(recording: Recording) -> Score:
    """Return the tempo, key, chords and notes that a recording plays."""
    if recording.pieces:
        return _joined_score(recording)
    score, _ = _composed(recording)
    if recording.parts is not None:
        score.notes = [note for note in score.notes if note.part in recording.parts]
    return score


def samples_of(recording: Recording) -> Samples:
    """Play a recording: float32 of shape (frames, 2), peak at most 0.85.

    The stems of a recording add up to it.
    """
    count = frames(recording.seconds)
    if recording.pieces:
        joined = _joined(
            [
                samples_of(piece.recording)[frames(piece.first) : frames(piece.last)]
                for piece in recording.pieces
            ]
        )
        missing = max(0, count - len(joined))  # pieces are cut at whole samples
        return np.pad(joined, ((0, missing), (0, 0)))[:count]
    score, level = _composed(recording)
    whole = mix(score.notes, count)
    gain = _gain(whole, level)
    if recording.parts is not None:
        whole = mix((note for note in score.notes if note.part in recording.parts), count)
    return _faded(whole * np.float32(gain))


def encode(samples: Samples, audio_format: AudioFormat) -> bytes:
    """Write a file: MP3 at a variable rate, or 16-bit WAV."""
    file = io.BytesIO()
    if audio_format == "wav":
        soundfile.write(file, samples, RATE, format="WAV", subtype="PCM_16")
    else:
        soundfile.write(file, samples, RATE, format="MP3", compression_level=0.7)
    return file.getvalue()


def _composed(recording: Recording) -> tuple[Score, float]:
    """Return the score of a performance and its loudness in dBFS (RMS)."""
    rng = Random(f"{recording.seed}/audio")
    played = character(recording.tags, rng, instrumental=recording.instrumental)
    return compose(played, recording.seconds, rng), played.style.level


def _joined_score(recording: Recording) -> Score:
    first = score_of(recording.pieces[0].recording)
    joined, offset = Score(first.bpm, first.key), 0.0
    for piece in recording.pieces:
        score, shift = score_of(piece.recording), offset - piece.first
        joined.notes += [
            note._replace(start=note.start + shift)
            for note in score.notes
            if piece.first <= note.start < piece.last
        ]
        joined.chords += [
            chord._replace(
                start=max(chord.start, piece.first) + shift, end=min(chord.end, piece.last) + shift
            )
            for chord in score.chords
            if chord.start < piece.last and chord.end > piece.first
        ]
        offset += piece.last - piece.first
    return joined


def _joined(pieces: list[Samples]) -> Samples:
    """Concatenate pieces, with fades so short that nothing but a click is lost."""
    edge = int(_JOINT * RATE / 2)
    faded = [piece.copy() for piece in pieces]
    for before, after in itertools.pairwise(faded):
        end, start = before[-edge:], after[:edge]
        end *= np.linspace(1, 0, len(end), dtype=np.float32)[:, None]
        start *= np.linspace(0, 1, len(start), dtype=np.float32)[:, None]
    return np.concatenate(faded)


def _gain(samples: Samples, level: float) -> float:
    """Return the factor for a loudness of ``level`` dBFS (RMS), lower where the peak limits it."""
    rms = math.sqrt(float(np.mean(np.square(samples, dtype=np.float64))))
    peak = float(np.max(np.abs(samples), initial=0.0))
    return min(10 ** (level / 20) / max(rms, 1e-9), _PEAK / max(peak, 1e-9))


def _faded(samples: Samples) -> Samples:
    rise = min(len(samples) // 4, frames(_FADE_IN))
    fall = min(len(samples) // 2, frames(_FADE_OUT))
    samples[:rise] *= np.linspace(0, 1, rise, dtype=np.float32)[:, None]
    curve = np.cos(np.linspace(0, np.pi / 2, fall, dtype=np.float32)) ** 2
    samples[len(samples) - fall :] *= curve[:, None]
    return samples
