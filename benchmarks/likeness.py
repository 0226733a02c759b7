"""How well `likeness` orders sounds, finds duplicates, and how long it takes.

Songs of the simulator: 18 styles, two requests each, two takes each. Takes share the style, but
neither key, chords, tempo nor melody. Their copies are encoded anew, resampled, shifted, quieter or
noisy. Independent sounds: chords and melodies of another synthesizer, noise and clicks.

    python benchmarks/likeness.py [--check] [--songs N]

Limits: the chance that a take is more alike than a song of another style is at least 90 %, that a
copy is more alike than a take 99 %; all copies but the worst encoding are found; no false duplicate
among 200 songs; at most 0.15 s CPU for 30 s of sound.
"""

from __future__ import annotations

import argparse
import io
import itertools
import sys
import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy import signal

from musicapi_nb.audio.profile import Profile
from musicapi_nb.audio.profile_comparison import Comparable, Comparison, compare, prepare
from musicapi_nb.audio.profile_measurement import measure_profile
from musicapi_nb.simulator.music.composition import STYLES
from musicapi_nb.simulator.music.recording import Recording
from musicapi_nb.simulator.music.synthesis import RATE, samples_of
from musicapi_nb.simulator.vocabulary import GENRES

Samples = NDArray[np.float32]
Name = tuple[str, int, int]
"""Style, request and take of a song."""
_SECONDS = 30.0
_EVERY = 6  # a copy of every sixth song
_WORST = "least bit rate"
_MAX_SECONDS = 0.15  # of CPU, for 30 s of sound
_MIN_CHANCE, _MIN_CHANCE_OF_COPIES = 0.9, 0.99


def encode(
    samples: Samples, file_format: str = "mp3", rate: int = RATE, **options: object
) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=file_format, **options)
    return file.getvalue()


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.float32)


def with_noise(samples: Samples) -> Samples:
    noise = np.random.default_rng(0).normal(0, 0.01, len(samples))
    return (samples + noise).astype(np.float32)


COPIES: dict[str, Callable[[Samples], bytes]] = {
    "MP3 again": encode,
    "Ogg": lambda samples: encode(samples, "ogg"),
    "-12 dB": lambda samples: encode(samples * np.float32(0.25)),
    "50 ms later": lambda samples: encode(np.concatenate([silence(0.05), samples])),
    "130 ms later": lambda samples: encode(np.concatenate([silence(0.13), samples])),
    "350 ms earlier, -6 dB": lambda samples: encode(samples[8_400:] * np.float32(0.5)),
    "22,050 Hz": lambda samples: encode(
        signal.resample_poly(samples, 147, 160).astype(np.float32), rate=22_050
    ),
    "noise at -40 dB": lambda samples: encode(with_noise(samples)),
    "low bit rate": lambda samples: encode(samples, bitrate_mode="CONSTANT", compression_level=0.8),
    _WORST: lambda samples: encode(samples, bitrate_mode="CONSTANT", compression_level=0.95),
}


def song(style: str, request: int, take: int) -> Samples:
    tags = [tag for tag, genre in GENRES.items() if genre.style == style]
    tag = tags[request % len(tags)]
    recording = Recording(f"{style}-{request}/{take}", (tag,), _SECONDS, instrumental=False)
    mono: Samples = samples_of(recording).mean(axis=1)
    return mono


def chords(rng: np.random.Generator, brightness: float) -> Samples:
    """Play random major and minor chords by another synthesizer, one a second."""
    moments = np.arange(RATE) / RATE
    parts = []
    for _ in range(20):
        wave = np.zeros(RATE)
        root, third = rng.integers(48, 72), rng.integers(3, 5)
        for step in (0, third, 7, 12 + rng.choice([0, 2, 4, 7])):
            hertz = 440 * 2 ** ((root + step - 69) / 12)
            for partial in range(1, 10):
                wave += brightness**partial * np.sin(2 * np.pi * partial * hertz * moments)
        parts.append(wave * np.exp(-2 * moments))
    return (0.05 * np.concatenate(parts)).astype(np.float32)


def independent_sounds() -> dict[str, list[Samples]]:
    rng = np.random.default_rng(1)
    clicks = [silence(20.0) for _ in range(2)]
    for sound, period in zip(clicks, (RATE // 2, RATE // 3), strict=True):
        sound[::period] = 0.9
    noises = [(0.1 * rng.normal(size=20 * RATE)).astype(np.float32) for _ in range(3)]
    return {
        "dull chords": [chords(rng, 0.3) for _ in range(4)],
        "bright chords": [chords(rng, 0.75) for _ in range(4)],
        "noise": noises,
        "clicks": clicks,
    }


def profile_of(sound: bytes) -> Comparable:
    return prepare(Profile.from_text(measure_profile(sound).to_text()))


def chance(higher: Sequence[float], lower: Sequence[float]) -> float:
    """Return the area under the curve: the chance that one of the first is the higher."""
    first, second = np.array(higher)[:, None], np.array(lower)[None]
    return float((first > second).mean() + (first == second).mean() / 2)


class Report:
    """Prints figures and remembers those outside of their limits."""

    def __init__(self) -> None:
        self.misses: list[str] = []

    def line(self, text: str, *, missed: bool = False) -> None:
        print(f"{text}{'   MISSED' * missed}", flush=True)
        if missed:
            self.misses.append(text)


def check_takes(report: Report, profiles: dict[Name, Comparable]) -> list[Comparison]:
    """Compare all songs; return the comparisons of takes of one request."""
    takes, others, start = [], [], time.process_time()
    pairs = list(itertools.combinations(profiles, 2))
    for first, second in pairs:
        result = compare(profiles[first], profiles[second])
        if first[0] != second[0]:
            others.append(result)
        elif first[1] == second[1]:
            takes.append(result)
    milliseconds = 1_000 * (time.process_time() - start) / len(pairs)
    report.line(f"CPU for a pair: {milliseconds:.3f} ms")
    for figure in ("likeness", "timbre", "harmony"):
        value = chance(
            [getattr(pair, figure) for pair in takes], [getattr(pair, figure) for pair in others]
        )
        missed = figure == "likeness" and value < _MIN_CHANCE
        report.line(f"take above another style by {figure}: {value:.1%}", missed=missed)
    return takes


def check_copies(
    report: Report,
    sounds: dict[Name, Samples],
    profiles: dict[Name, Comparable],
    takes: Sequence[Comparison],
) -> None:
    """Compare songs with their copies."""
    copies = []
    for name, make in COPIES.items():
        songs = list(sounds)[::_EVERY]
        results = [compare(profiles[key], profile_of(make(sounds[key]))) for key in songs]
        duplicates = sum(result.duplicate for result in results)
        missed = duplicates < len(results) and name != _WORST
        report.line(f"copies found, {name}: {duplicates} of {len(results)}", missed=missed)
        copies += results if name != _WORST else []
    value = chance([pair.likeness for pair in copies], [pair.likeness for pair in takes])
    report.line(f"copy above a take: {value:.1%}", missed=value < _MIN_CHANCE_OF_COPIES)


def check_songs(report: Report, profiles: Iterable[Comparable], number: int) -> None:
    """Count duplicates among `number` songs, of which none is a copy."""
    songs = list(profiles)
    further = ((style, request, 0) for request in itertools.count(2) for style in STYLES)
    keys = itertools.islice(further, max(number - len(songs), 0))
    songs += [profile_of(encode(song(*key))) for key in keys]
    pairs = itertools.combinations(songs, 2)
    false = sum(compare(first, second).duplicate for first, second in pairs)
    report.line(f"false duplicates among {len(songs)} songs: {false}", missed=false > 0)


def check_independent_sounds(report: Report) -> None:
    """Compare sounds of one kind, and of different kinds."""
    members = [
        (name, profile_of(encode(samples, "wav")))
        for name, sounds in independent_sounds().items()
        for samples in sounds
    ]
    within: list[Comparison] = []
    between: list[Comparison] = []
    for (kind, first), (other_kind, second) in itertools.combinations(members, 2):
        (within if kind == other_kind else between).append(compare(first, second))
    value = chance([pair.timbre for pair in within], [pair.timbre for pair in between])
    text = f"independent sounds, same kind above another by timbre: {value:.1%}"
    report.line(text, missed=value < _MIN_CHANCE)
    false = sum(pair.duplicate for pair in (*within, *between))
    report.line(f"independent sounds, false duplicates: {false}", missed=false > 0)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="exit with 1 if a limit is missed")
    parser.add_argument("--songs", type=int, default=200, help="songs among which none is a copy")
    options = parser.parse_args(arguments)
    report = Report()
    names = [(style, request, take) for style in STYLES for request in (0, 1) for take in (0, 1)]
    sounds = {name: song(*name) for name in names}
    files = {name: encode(samples) for name, samples in sounds.items()}
    start = time.process_time()
    profiles = {name: profile_of(file) for name, file in files.items()}
    seconds = (time.process_time() - start) / len(files)
    report.line(f"CPU for 30 s of sound: {seconds:.3f} s", missed=seconds > _MAX_SECONDS)
    takes = check_takes(report, profiles)
    check_copies(report, sounds, profiles, takes)
    check_songs(report, profiles.values(), options.songs)
    check_independent_sounds(report)
    for text in report.misses:
        print("missed:", text)
    return 1 if options.check and report.misses else 0


if __name__ == "__main__":
    sys.exit(main())
