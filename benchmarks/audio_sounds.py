"""Sounds whose tempo, key or silence is known, from six sources; used by audio.py.

Songs of the simulator; songs and chords that fluidsynth plays with a General MIDI soundfont; clicks
and chords made of sines here; noise; speech by espeak-ng. A sound is named by its source and
number, so that it can be made in another process.
"""

from __future__ import annotations

import io
import random
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import soundfile
from midi_songs import DEGREES, SCALES, TONICS, above, compose

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

SOUNDFONTS = ("/usr/share/sounds/sf2/FluidR3_GM.sf2", "/usr/share/sounds/sf2/default-GM.sf2")
_VOICES = ("en", "en-us+f3", "de", "fr", "en-us+m7", "es", "en+f5", "it", "en+m2", "pt")
_SPOKEN = (
    "The harbour is quiet in the evening. Boats come home one after another, and the lamps along "
    "the pier are lit. Nobody speaks much; there is little to say about the weather, which has "
    "been the same for weeks. An old man mends his net. Children run past him, laughing, and a dog "
    "follows them as far as the corner. Then it turns around and lies down again."
)
_RATE = 44_100


class Sound(NamedTuple):
    """A sound file; tempo in bpm, key and duration in seconds are None where there is none."""

    content: bytes
    bpm: float | None = None
    key: str | None = None
    seconds: float | None = None


def simulator_song(number: int, seconds: float | None = None) -> Sound:
    """Make a song of the simulator with random tags: an MP3 file at a variable rate."""
    from musicapi_nb.simulator.music import recording, synthesis
    from musicapi_nb.simulator.vocabulary import GENRES, INSTRUMENTS, MOODS

    seed = f"benchmark of audio/{number}"
    rng = random.Random(seed)
    tags = [rng.choice(list(GENRES)), rng.choice(list(MOODS))]
    if rng.random() < 0.3:
        tags.append(rng.choice(list(INSTRUMENTS)))
    seconds = seconds or round(rng.uniform(20, 45), 2)
    song = recording.Recording(seed, tuple(tags), seconds, rng.random() < 0.3)
    score = recording.score_of(song)
    content = synthesis.encode(synthesis.samples_of(song), "mp3")
    return Sound(content, score.bpm, score.key, seconds)


def midi_song(number: int) -> Sound:
    """Play a random song of about 30 s with fluidsynth; see midi_songs.py."""
    song = compose(random.Random(f"benchmark of audio/midi/{number}"))
    with tempfile.TemporaryDirectory() as folder:
        midi, wav = Path(folder, "song.mid"), Path(folder, "song.wav")
        song.file.save(midi)
        font = next(path for path in SOUNDFONTS if Path(path).exists())
        options = ["-niq", "-g", "0.5", "-r", str(_RATE), "-F", str(wav)]
        command = ["fluidsynth", *options, font, str(midi)]
        subprocess.run(command, check=True, capture_output=True)
        return Sound(wav.read_bytes(), song.bpm, song.key)


def click_track(number: int) -> Sound:
    """Play a click on each beat, a tone or a noise, for 25 s; in half, every fourth is louder."""
    rng = random.Random(f"benchmark of audio/clicks/{number}")
    bpm = round(2 ** rng.uniform(6, 7.3), 2)
    time = np.arange(round(0.05 * _RATE)) / _RATE
    shape = np.exp(-80 * time)
    noise = np.random.default_rng(number).standard_normal(len(time))
    click = shape * (np.sin(2 * np.pi * 1_200 * time) if number % 2 else 0.4 * noise)
    samples = np.zeros(25 * _RATE)
    for beat in range(int(24 * bpm / 60)):
        first = round(beat * 60 / bpm * _RATE)
        samples[first : first + len(click)] += click * (0.4 if number % 4 < 2 and beat % 4 else 0.8)
    return Sound(_wav(samples), bpm)


def chord_song(number: int) -> Sound:
    """Play a cadence of sines with overtones, out of tune by up to 40 cents, with no drums."""
    rng = random.Random(f"benchmark of audio/chords/{number}")
    mode = rng.choice(list(SCALES))
    scale, tonic = SCALES[mode], rng.randrange(12)
    cents, slope = rng.uniform(-40, 40), rng.uniform(0.8, 2)
    time = np.arange(round(rng.uniform(0.7, 1.6) * _RATE)) / _RATE
    shape = np.minimum(1, time / 0.03) * np.exp(-rng.uniform(0.3, 2) * time)
    parts = []
    for degree in [*rng.choice(DEGREES[mode]), *rng.choice(DEGREES[mode]), 3, 4, 0]:
        wave = np.zeros(len(time))
        for third in (0, 2, 4):
            pitch = above(rng.choice((45, 52, 57)), tonic + scale[(degree + third) % 7])
            hertz = 440 * 2 ** ((pitch - 69 + cents / 100) / 12)
            for overtone in range(1, 9):
                wave += np.sin(2 * np.pi * hertz * overtone * time) / overtone**slope
        parts.append(0.08 * shape * wave)
    return Sound(_wav(np.concatenate(parts)), None, f"{TONICS[tonic]} {mode}")


def noise(number: int) -> Sound:
    """Make 20 s of noise: white, pink or brown by turns, some of it swelling slowly."""
    rng = np.random.default_rng(number)
    spectrum = np.fft.rfft(rng.standard_normal(20 * _RATE))
    hertz = np.fft.rfftfreq(20 * _RATE, 1 / _RATE)
    spectrum[1:] /= hertz[1:] ** (number % 3 / 2)
    spectrum[hertz < 20] = 0
    samples = np.fft.irfft(spectrum)
    if number % 2:
        samples *= 1 + 0.5 * np.sin(np.linspace(0, 2 * np.pi, len(samples)))
    return Sound(_wav(0.5 * samples / np.abs(samples).max()))


def speech(number: int) -> Sound:
    """Let espeak-ng read a text in one of ten voices, at 110 to 200 words a minute."""
    words_per_minute = 110 + 10 * (number % 10)
    voice = _VOICES[number % len(_VOICES)]
    command = ["espeak-ng", "-v", voice, "-s", str(words_per_minute), "--stdout", _SPOKEN]
    return Sound(subprocess.run(command, check=True, capture_output=True).stdout)


def _wav(samples: NDArray[np.float64]) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, _RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()


SOURCES: Mapping[str, Callable[[int], Sound]] = {
    "simulator": simulator_song,
    "fluidsynth": midi_song,
    "clicks": click_track,
    "chords": chord_song,
    "noise": noise,
    "speech": speech,
}
"""Source to the function that makes one of its sounds."""


def missing_program(source: str) -> str | None:
    """Return what must be installed to make the sounds of a source; None if nothing is missing."""
    if source == "fluidsynth" and not any(Path(path).exists() for path in SOUNDFONTS):
        return "a General MIDI soundfont (fluid-soundfont-gm)"
    programs = {"fluidsynth": "fluidsynth", "speech": "espeak-ng"}
    program = programs.get(source)
    return program if program and shutil.which(program) is None else None
