"""Made-up songs: notes, audio and stems agree; styles differ; the same seed repeats."""

import io
import struct
import zlib
from random import Random
from typing import Any

import mido
import numpy as np
import pytest
import soundfile

from musicapi_nb.simulator.music import cover_art, midi
from musicapi_nb.simulator.music.composition import DRUMS, STYLES
from musicapi_nb.simulator.music.lyric_writer import make_lyrics, make_title
from musicapi_nb.simulator.music.recording import PARTS, Recording, score_of
from musicapi_nb.simulator.music.synthesis import RATE, encode, frames, samples_of
from musicapi_nb.simulator.songs import STEMS, join, stems
from musicapi_nb.simulator.tasks import Song
from musicapi_nb.simulator.vocabulary import GENRES

GENRE_OF_STYLE = {GENRES[name].style: name for name in GENRES}
POP = ("pop", "female vocals")


def recording(seed: str, *tags: str, seconds: float = 6.0, instrumental: bool = False) -> Recording:
    return Recording(seed, tags or POP, seconds, instrumental)


def song(seed: str = "a", *tags: str, seconds: float = 6.0) -> Song:
    return Song(
        song_id=f"id-{seed}",
        title="Sea",
        tags=tags or POP,
        lyrics="[Verse]\nla la",
        recording=recording(seed, *tags, seconds=seconds),
        model="sonic-v5",
    )


def decibels(samples: Any) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(np.square(samples)))))


def correlation(first: Any, second: Any) -> float:
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


# --- stems and joined songs ---


@pytest.mark.parametrize("count", [2, 4, 12, 24])
def test_stems_divide_all_instruments_and_drums(count: int) -> None:
    parts = STEMS[count]
    assert len(parts) == count
    assert sorted(part for stem in parts.values() for part in stem) == sorted(PARTS)


@pytest.mark.parametrize("count", [2, 4, 12, 24])
def test_stems_add_up_to_the_song(count: int) -> None:
    whole = song()
    samples = [samples_of(stem.recording) for stem in stems("seed", whole, count)]
    mix = samples_of(whole.recording)
    assert {stem.shape for stem in samples} == {mix.shape}
    assert np.abs(np.sum(samples, axis=0) - mix).max() < 1e-5


def test_each_of_four_stems_is_audible_and_different() -> None:
    samples = [samples_of(stem.recording) for stem in stems("seed", song(), 4)]
    assert min(float(np.abs(stem).max()) for stem in samples) > 0.01
    for first in range(4):
        for second in range(first):
            assert abs(correlation(samples[first], samples[second])) < 0.3


def test_stem_of_an_absent_instrument_is_silent() -> None:
    flute = stems("seed", song(), 24)[-1]
    assert flute.title == "Sea (Flute)"
    assert np.abs(samples_of(flute.recording)).max() == 0
    assert midi.instruments(flute.recording) == []


def test_joined_song_lasts_as_long_as_both_parts() -> None:
    first, second = song("a", seconds=3.3), song("b", seconds=2.2)
    joined = join(second, first, 1.7, "j", {})
    assert joined.duration == 3.9
    assert len(samples_of(joined.recording)) == frames(3.9)
    assert joined.lyrics == "[Verse]\nla la\n\n[Verse]\nla la"
    source, longer = score_of(first.recording), score_of(joined.recording)
    assert (longer.bpm, longer.key) == (source.bpm, source.key)
    assert longer.chords[0].name == source.chords[0].name


# --- tempo, key, chords, MIDI ---


@pytest.mark.parametrize("tags", [("techno",), ("jazz",), POP])
def test_midi_file_holds_the_notes_and_the_tempo(tags: tuple[str, ...]) -> None:
    played = recording("m", *tags)
    file = mido.MidiFile(file=io.BytesIO(midi.midi(played)))
    (tempo,) = [message.tempo for message in file.tracks[0] if message.type == "set_tempo"]
    assert mido.tempo2bpm(tempo) == pytest.approx(midi.tempo(played)["avg_bpm"], abs=0.05)
    notes = score_of(played).notes
    struck = [message for message in file if message.type == "note_on" and message.velocity]
    assert len(struck) == len(notes)
    drums = any(note.part in DRUMS for note in notes)
    assert {message.channel == 9 for message in struck} == ({True, False} if drums else {False})
    last = max(note.start + note.length for note in notes)
    assert file.length == pytest.approx(last, abs=0.5)
    listed = midi.instruments(played)
    assert sum(len(instrument["notes"]) for instrument in listed) == len(struck)


@pytest.mark.parametrize("tags", [("techno",), ("rock",)])
def test_kicks_lie_on_the_beat_grid(tags: tuple[str, ...]) -> None:
    played = recording("t", *tags, seconds=10)
    sixteenth = 60 / midi.tempo(played)["avg_bpm"] / 4
    kicks = [note.start for note in score_of(played).notes if note.part == "kick"]
    offsets = [abs(start / sixteenth - round(start / sixteenth)) for start in kicks]
    assert kicks
    assert max(offsets) < 0.1


@pytest.mark.parametrize("genre", ["techno", "jazz", "pop", "folk"])
def test_tempo_lies_in_the_range_of_the_style(genre: str) -> None:
    low, high = STYLES[GENRES[genre].style].bpm
    for seconds in (1.0, 7.0, 40.0):
        assert low <= score_of(recording("s", genre, seconds=seconds)).bpm <= high


@pytest.mark.parametrize("genre", ["techno", "jazz", "pop"])
def test_chords_cover_the_song_and_match_the_notes(genre: str) -> None:
    score = score_of(recording("c", genre, seconds=20))
    tonic, mode = score.key.split()
    assert score.chords[0].start == 0
    assert score.chords[-1].end == pytest.approx(20)
    assert score.chords[-1].name.startswith(f"{tonic}m" if mode == "minor" else tonic)
    for chord, following in zip(score.chords, score.chords[1:], strict=False):
        assert chord.end == pytest.approx(following.start)
    style = STYLES[GENRES[genre].style]
    names = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
    for chord in score.chords:
        played = {
            names[note.pitch % 12]
            for note in score.notes
            if note.part == style.bass and chord.start <= note.start < chord.end
        }
        root = chord.name[:2] if chord.name[1:2] in ("b", "#") else chord.name[:1]
        assert not played or root in played


# --- audio ---


def test_every_style_belongs_to_a_genre() -> None:
    assert set(GENRE_OF_STYLE) == set(STYLES)


@pytest.mark.parametrize("genre", GENRE_OF_STYLE.values(), ids=list(GENRE_OF_STYLE))
def test_every_style_sounds_clean(genre: str) -> None:
    samples = samples_of(recording(f"{genre}/7", genre, seconds=12.3))
    assert samples.shape == (frames(12.3), 2)
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() < 0.86
    assert -26 < decibels(samples) < -13
    assert np.abs(samples.mean(axis=0)).max() < 2e-3  # no DC
    assert np.abs(samples[0]).max() < 1e-3  # no click at either end
    assert np.abs(samples[-1]).max() < 1e-3
    assert np.abs(np.diff(samples, axis=0)).max() < 0.6
    # Music, not noise: most of the power lies in few of the frequencies.
    power = np.sort(np.abs(np.fft.rfft(samples[:, 0] * np.hanning(len(samples)))) ** 2)[::-1]
    assert power[: len(power) // 20].sum() > 0.8 * power.sum()
    assert not np.array_equal(samples[:, 0], samples[:, 1])


def onsets_and_level(*tags: str) -> tuple[float, float]:
    """Return how often the sound jumps up, per second, and its level in dB."""
    samples = samples_of(recording("same", *tags, seconds=16, instrumental=True))[:, 0]
    frame = RATE // 20  # longer than a period of the bass
    energy = np.sqrt(
        (samples[: len(samples) // frame * frame].reshape(-1, frame) ** 2).mean(axis=1)
    )
    onsets = np.sum(np.diff(energy) > 0.5 * energy.std())
    return float(onsets) / 16, decibels(samples)


def test_slow_jazz_is_softer_and_calmer_than_techno() -> None:
    jazz, techno = onsets_and_level("slow", "jazz"), onsets_and_level("techno")
    assert jazz[0] < techno[0]
    assert jazz[1] < techno[1] - 3


def test_equal_seeds_sound_equal_and_others_differ() -> None:
    first, equal, other = (samples_of(recording(seed, "pop", seconds=3)) for seed in "aab")
    assert np.array_equal(first, equal)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("duration", [1.0, 2.5, 5.0])
def test_short_songs_have_their_duration(duration: float) -> None:
    samples = samples_of(recording("short", "jazz", seconds=duration))
    decoded, rate = soundfile.read(io.BytesIO(encode(samples, "mp3")))
    assert rate == RATE
    assert len(decoded) == pytest.approx(duration * RATE, abs=1)


# --- covers and lyrics ---


def cover_pixels(png: bytes) -> Any:
    """Decode a cover: 8-bit RGB, each row the difference to the one above."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    start = png.index(b"IDAT")
    (length,) = struct.unpack(">I", png[start - 4 : start])
    assert (
        zlib.crc32(png[start : start + 4 + length])
        == struct.unpack(">I", png[start + 4 + length : start + 8 + length])[0]
    )
    values = np.frombuffer(zlib.decompress(png[start + 4 : start + 4 + length]), dtype=np.uint8)
    rows = values.reshape(height, 1 + 3 * width)
    assert set(rows[:, 0]) == {2}
    return np.cumsum(rows[:, 1:].astype(int), axis=0) % 256


def test_happy_covers_are_lighter_than_sad_ones() -> None:
    happy, sad = (
        np.mean([cover_pixels(cover_art.cover(str(seed), mood, 0)).mean() for seed in range(6)])
        for mood in (0.9, -0.9)
    )
    assert happy > sad + 10


@pytest.mark.parametrize("seed", range(20))
def test_lyrics_have_sections_and_a_repeated_chorus(seed: int) -> None:
    lyrics = make_lyrics("boats at a harbour", Random(seed))
    sections = lyrics.split("\n\n")
    choruses = [section for section in sections if section.startswith("[Chorus]")]
    assert len(choruses) == 2
    assert choruses[0] == choruses[1]
    assert sections[0].startswith("[Verse]")
    assert "{" not in lyrics
    assert " a a" not in lyrics
    title = make_title("boats at a harbour", Random(seed))
    assert 3 < len(title) < 60
    assert title[0].isupper()
