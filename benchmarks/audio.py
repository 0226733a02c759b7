"""How well and how fast the sound of songs is measured, by source of the sounds.

The truth is what each song was composed with; sources are in audio_sounds.py. Tempo counts as right
within 4 %, strictly or at half or double the tempo; a key also if it is the relative one or a fifth
away. Loudness is compared with pyloudnorm and ffmpeg, silence with what was put before and after
songs. librosa is measured on the same sounds, for comparison only: its beat tracker, and its chroma
with the same key profiles.

    python benchmarks/audio.py [--check] [--songs N] [--jobs N] [--without-librosa]

With --check it exits 1 if a limit is missed or a tool is missing, and names it. The table of
docs/sound.md is from 200 songs.
"""

from __future__ import annotations

import argparse
import io
import itertools
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from audio_sounds import SOURCES, Sound, missing_program, simulator_song

from musicapi_nb.audio.extraction import extract_features
from musicapi_nb.audio.features import VERSION, AudioFeatures
from musicapi_nb.audio.tonality import TONICS, key_fits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TEMPO_TOLERANCE = 0.04
CONFIDENT = 0.3
"""Noise and speech must not have a tempo or key with this confidence."""
LIMITS = {
    "simulator": {"tempo": 0.95, "tempo or octave": 0.95, "key": 0.85, "key or near": 0.95},
    "fluidsynth": {"tempo": 0.7, "tempo or octave": 0.95, "key": 0.85, "key or near": 0.95},
    "clicks": {"tempo": 0.8, "tempo or octave": 0.95},
    "chords": {"key": 0.75, "key or near": 0.95},
    "noise": {"nothing": 0.95},
    "speech": {"nothing": 0.95},
}
"""Least shares of the sounds of each source.

Those of the simulator are what the measure must reach; the others are what it did reach, less twice
the standard error. Tempi of fluidsynth's songs are equally likely from 62 to 169 bpm, so that more
of them than of real songs are counted at half or double the tempo.
"""
MAX_SECONDS_ERROR, MAX_LOUDNESS_ERROR, MAX_SILENCE_ERROR = 0.05, 0.2, 0.05
MAX_OTHER_ERROR = 0.5  # LU of loudness range, dB of true peak
MAX_CPU_SECONDS = 0.5  # of a song of 30 s
MAX_GROWTH = 5.0  # of the CPU time from 30 s to 120 s of sound
# Sounds of these sources are fewer than the songs: one in this many.
_FEWER = {"fluidsynth": 2, "clicks": 4, "chords": 4, "noise": 8, "speech": 8}
_SILENCES = ((0.5, 1.25), (2.0, 0.3), (0.0, 4.0), (1.1, 0.0))  # seconds before and after


class Result(NamedTuple):
    """What was measured of a sound, and by others; errors and differences are magnitudes."""

    truth: Sound
    features: AudioFeatures
    cpu: float
    loudness_error: float | None
    librosa: tuple[float, str, float] | None
    """Tempo, key and CPU seconds."""


def measure(source: str, number: int, *, with_librosa: bool) -> Result:
    """Make a sound and measure it."""
    import pyloudnorm

    sound = SOURCES[source](number)
    start = time.process_time()
    features = extract_features(sound.content)
    cpu = (time.process_time() - start) * 30 / features.seconds
    samples, rate = soundfile.read(io.BytesIO(sound.content), always_2d=True)
    reference = pyloudnorm.Meter(rate).integrated_loudness(samples)
    error = None if features.loudness is None else abs(features.loudness - reference)
    other = librosa_features(sound.content) if with_librosa else None
    return Result(sound._replace(content=b""), features, cpu, error, other)


def librosa_features(content: bytes) -> tuple[float, str, float]:
    """Return tempo, key and CPU seconds of 30 s by librosa."""
    # Its numba would take coverage.py of this folder for the package of that name.
    sys.path[:] = [folder for folder in sys.path if folder != str(Path(__file__).parent)]
    import librosa

    librosa.beat.beat_track(y=np.zeros(22_050), sr=22_050)  # compiles what is compiled once
    start = time.process_time()
    mono, rate = librosa.load(io.BytesIO(content))
    tempo = float(np.atleast_1d(librosa.beat.beat_track(y=mono, sr=rate)[0])[0])
    chroma = librosa.feature.chroma_cqt(y=mono, sr=rate).mean(axis=1)
    fits = key_fits(chroma)
    seconds = (time.process_time() - start) * 30 * rate / len(mono)
    return tempo, max(fits, key=lambda name: fits[name]), seconds


def is_tempo(measured: float | None, bpm: float, multiples: Iterable[float] = (1,)) -> bool:
    return measured is not None and any(
        abs(measured * multiple / bpm - 1) <= TEMPO_TOLERANCE for multiple in multiples
    )


def near_keys(key: str) -> set[str]:
    """Return a key, its relative key, and the keys a fifth above and below."""
    tonic, mode = key.split()
    step = TONICS.index(tonic)
    other, third = ("minor", 9) if mode == "major" else ("major", 3)
    fifths = {f"{TONICS[(step + interval) % 12]} {mode}" for interval in (5, 7)}
    return {key, f"{TONICS[(step + third) % 12]} {other}", *fifths}


def shares(results: Sequence[Result]) -> dict[str, float]:
    """Return the shares of sounds whose tempo and key are right, or that have none as they should.

    "nothing" is the share without a confident tempo and key, where there is none.
    """
    columns: dict[str, list[bool]] = {}
    for truth, features, _, _, librosa in results:
        values: dict[str, bool] = {}
        if truth.bpm:
            values["tempo"] = is_tempo(features.tempo, truth.bpm)
            values["tempo or octave"] = is_tempo(features.tempo, truth.bpm, (0.5, 1, 2))
            values["no tempo"] = features.tempo is None
            if librosa:
                values["librosa: tempo"] = is_tempo(librosa[0], truth.bpm)
                values["librosa: tempo or octave"] = is_tempo(librosa[0], truth.bpm, (0.5, 1, 2))
        if truth.key:
            values["key"] = features.key == truth.key
            values["key or near"] = features.key in near_keys(truth.key)
            if librosa:
                values["librosa: key"] = librosa[1] == truth.key
                values["librosa: key or near"] = librosa[1] in near_keys(truth.key)
        if not truth.bpm and not truth.key:
            confidence = max(features.tempo_confidence or 0.0, features.key_confidence or 0.0)
            values["nothing"] = confidence < CONFIDENT
        for name, value in values.items():
            columns.setdefault(name, []).append(value)
    return {name: statistics.fmean(values) for name, values in columns.items()}


def print_confidence(results: Sequence[Result]) -> None:
    """Print how often a tempo or key is right, by its confidence."""
    for name in ("tempo", "key"):
        print(f"share of right {name}s by confidence:")
        edges = (0.0, 0.3, 0.6, 0.8, 0.95, 1.01)
        for low, high in itertools.pairwise(edges):
            right = [
                is_tempo(features.tempo, truth.bpm or 0)
                if name == "tempo"
                else features.key == truth.key
                for truth, features, *_ in results
                if getattr(truth, "bpm" if name == "tempo" else "key")
                and low <= (getattr(features, f"{name}_confidence") or 0.0) < high
            ]
            if right:
                share, below = statistics.fmean(right), min(high, 1)
                print(f"  {low:.2f} to {below:.2f}: {share:.3f} of {len(right)}")


def silence_error(number: int) -> float:
    """Return by how many seconds silence put around a song of the simulator is measured wrong."""
    before, after = _SILENCES[number % len(_SILENCES)]
    samples, rate = soundfile.read(io.BytesIO(simulator_song(number).content), always_2d=True)
    durations = []
    for start, end in ((0.0, 0.0), (before, after)):
        padded = np.pad(samples, ((round(start * rate), round(end * rate)), (0, 0)))
        file = io.BytesIO()
        soundfile.write(file, padded, rate, format="MP3")
        durations.append(extract_features(file.getvalue()))
    plain, padded_features = durations
    return max(
        abs(padded_features.silence_start - plain.silence_start - before),
        abs(padded_features.silence_end - plain.silence_end - after),
    )


def ffmpeg_errors(number: int) -> tuple[float, float, float]:
    """Return differences to ffmpeg's ebur128: loudness, loudness range and true peak.

    ffmpeg prints them with one decimal.
    """
    content = simulator_song(number).content
    with tempfile.NamedTemporaryFile(suffix=".mp3") as file:
        file.write(content)
        file.flush()
        command = ["ffmpeg", "-nostats", "-hide_banner", "-i", file.name]
        command += ["-af", "ebur128=peak=true", "-f", "null", "-"]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stderr  # noqa: S603 - fixed program
    summary = printed[printed.rindex("Summary:") :]
    names = ("I:", "LRA:", "Peak:")
    theirs = [float(re.search(rf"{name}\s+(-?[\d.]+)", summary)[1]) for name in names]  # type: ignore[index]  # ffmpeg prints all
    features = extract_features(content)
    ours = [features.loudness or 0.0, features.loudness_range or 0.0, features.true_peak or 0.0]
    loudness, loudness_range, peak = (
        abs(our - their) for our, their in zip(ours, theirs, strict=True)
    )
    return loudness, loudness_range, peak


def cpu_seconds(seconds: float) -> float:
    """Return the CPU time to measure a song of the simulator; best of five."""
    content = simulator_song(1, seconds).content
    times = []
    for _ in range(5):
        start = time.process_time()
        extract_features(content)
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--songs", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--without-librosa", action="store_true")
    options = parser.parse_args()
    misses: list[str] = []
    print(f"version {VERSION} of the measure; {options.songs} songs")
    with ProcessPoolExecutor(options.jobs) as pool:
        everything: list[Result] = []
        for source in SOURCES:
            if missing := missing_program(source):
                print(f"{source}: not measured, for {missing} is not installed")
                misses.append(f"{source} needs {missing}")
                continue
            numbers = range(max(8, options.songs // _FEWER.get(source, 1)))
            run = partial(measure, source, with_librosa=not options.without_librosa)
            results = list(pool.map(run, numbers))
            everything += results
            values = shares(results)
            print(f"{source}: {len(results)} sounds", flush=True)
            for name, value in values.items():
                print(f"  {name:<26}{value:.3f}")
                limit = LIMITS[source].get(name, 0.0)
                if value < limit:
                    misses.append(f"{source}: {name} {value:.3f} (at least {limit})")
        misses += check_levels(everything, pool, options.songs)
    print_confidence(everything)
    short, long = cpu_seconds(30), cpu_seconds(120)
    print(f"CPU seconds: {short:.2f} for 30 s of sound, {long:.2f} for 120 s")
    if short > MAX_CPU_SECONDS or long > MAX_GROWTH * short:
        misses.append(f"CPU seconds: {short:.2f} for 30 s, {long:.2f} for 120 s")
    if times := [result.librosa[2] for result in everything if result.librosa]:
        ours = statistics.median(result.cpu for result in everything)
        print(
            f"  median of 30 s: {ours:.2f}, librosa's tempo and key {statistics.median(times):.2f}"
        )
    for miss in misses:
        print(f"missed: {miss}")
    if options.check and misses:
        sys.exit(1)


def check_levels(results: Sequence[Result], pool: ProcessPoolExecutor, songs: int) -> list[str]:
    """Print errors of duration, loudness and silence; return those beyond their limits."""
    numbers = range(max(4, songs // 10))
    errors = {
        "duration, s": (
            [
                abs(features.seconds - truth.seconds)
                for truth, features, *_ in results
                if truth.seconds
            ],
            MAX_SECONDS_ERROR,
        ),
        "loudness against pyloudnorm, LU": (
            [result.loudness_error for result in results if result.loudness_error is not None],
            MAX_LOUDNESS_ERROR,
        ),
        "silence, s": (list(pool.map(silence_error, numbers)), MAX_SILENCE_ERROR),
    }
    misses = []
    if shutil.which("ffmpeg"):
        names = ("loudness", "loudness range", "true peak")
        compared = list(pool.map(ffmpeg_errors, numbers))
        for index, name in enumerate(names):
            limit = MAX_LOUDNESS_ERROR if name == "loudness" else MAX_OTHER_ERROR
            errors[f"{name} against ffmpeg, dB"] = ([row[index] for row in compared], limit)
    else:
        print("loudness: not compared with ffmpeg, which is not installed")
        misses.append("loudness needs ffmpeg")
    for name, (values, limit) in errors.items():
        print(f"largest error of {name:<34}{max(values):.3f} of {len(values)} (limit {limit})")
        if max(values) > limit:
            misses.append(f"{name}: {max(values):.3f} (at most {limit})")
    return misses


if __name__ == "__main__":
    main()
