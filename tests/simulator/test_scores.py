"""What is read off a score fits what is heard; stems and pieces fit the song they are of."""

import io
from typing import Any

import mido
import mutagen
import numpy as np
import pytest

from musicapi_nb.simulator import audio, media, midi, song_edits
from musicapi_nb.simulator.drums import KIT
from musicapi_nb.simulator.song_edits import STEMS
from musicapi_nb.simulator.songs import Brief
from musicapi_nb.simulator.synth import RATE, VOICES
from musicapi_nb.simulator.tasks import Song


def song(seed: str = "a", *tags: str, seconds: float = 6.0) -> Song:
    return Song(
        song_id=f"id-{seed}",
        seed=seed,
        title="Sea",
        tags=tags or ("pop", "female vocals"),
        lyrics="[Verse]\nla la",
        duration=seconds,
        instrumental=False,
        model="sonic-v5",
    )


def brief(source: Song, **body: Any) -> Brief:
    return Brief({"mv": "sonic-v5", **body}, "seed", (3, 4), source)


@pytest.mark.parametrize("count", [2, 4, 12, 24])
def test_stems_share_all_voices_and_drums_out(count: int) -> None:
    stems = STEMS[count]
    assert len(stems) == count
    played = [each for parts in stems.values() for each in parts]
    assert sorted(played) == sorted([*VOICES, *KIT])


def test_stems_are_parts_that_sum_up_to_the_song() -> None:
    whole = song()
    stems = [media.samples(stem) for stem in song_edits.stems(brief(whole), 4)]
    mixed = media.samples(whole)
    vocals, drums, bass, other = (float(np.abs(stem).max()) for stem in stems)
    assert min(vocals, drums, bass, other) > 0.01
    assert {stem.shape for stem in stems} == {mixed.shape}
    assert np.abs(np.sum(stems, axis=0) - mixed).max() < 0.25  # loud peaks are rounded off
    together = np.corrcoef(np.sum(stems, axis=0).ravel(), mixed.ravel())[0, 1]
    assert together > 0.99
    for first in range(4):
        for second in range(first):
            alike = np.corrcoef(stems[first].ravel(), stems[second].ravel())[0, 1]
            assert abs(alike) < 0.3


def test_a_stem_that_nobody_plays_is_silent() -> None:
    flute = song_edits.stems(brief(song()), 24)[-1]
    assert flute.title == "Sea (Flute)"
    assert np.abs(media.samples(flute)).max() < 1e-3
    assert midi.instruments(flute) == []


def test_a_replaced_section_sounds_other_and_the_rest_the_same() -> None:
    before = song()
    body = {"infill_start_s": 2.0, "infill_end_s": 4.0}
    after = song_edits.section_replaced(brief(before, **body), 1)[0]
    old, new = media.samples(before), media.samples(after)
    assert old.shape == new.shape
    edge = RATE // 10
    assert np.array_equal(old[: 2 * RATE - edge], new[: 2 * RATE - edge])
    assert np.array_equal(old[4 * RATE + edge :], new[4 * RATE + edge :])
    middle = slice(2 * RATE + edge, 4 * RATE - edge)
    assert np.corrcoef(old[middle].ravel(), new[middle].ravel())[0, 1] < 0.5
    assert np.abs(np.diff(new, axis=0)).max() < 0.6  # no click at the joints
    notes = midi.score_of(after).notes
    assert {note for note in midi.score_of(before).notes if note.start < 2} <= set(notes)
    vocals = media.samples(song_edits.stems(brief(after), 4)[0])
    assert vocals.shape == new.shape


def test_what_is_joined_lasts_as_long_as_both_parts() -> None:
    first, second = song("a", seconds=3.3), song("b", seconds=2.2)
    joined = song_edits.join(second, first, 1.7, "j", {})
    assert joined.duration == 3.9
    assert len(media.samples(joined)) == audio.frames(3.9)
    assert joined.lyrics == "[Verse]\nla la\n\n[Verse]\nla la"


@pytest.mark.parametrize("tags", [("techno",), ("jazz",), ("pop", "female vocals")])
def test_a_midi_file_holds_the_notes_and_the_tempo(tags: tuple[str, ...]) -> None:
    played = song("m", *tags)
    file = mido.MidiFile(file=io.BytesIO(midi.midi(played)))
    (tempo,) = [each.tempo for each in file.tracks[0] if each.type == "set_tempo"]
    assert mido.tempo2bpm(tempo) == pytest.approx(midi.tempo(played)["avg_bpm"], abs=0.05)
    score = midi.score_of(played)
    struck = [each for each in file if each.type == "note_on" and each.velocity]
    assert len(struck) == len(score.notes) + len(score.hits)
    assert {each.channel == 9 for each in struck} == ({True, False} if score.hits else {False})
    last = max(note.start + note.length for note in score.notes)
    assert file.length == pytest.approx(last, abs=0.5)
    listed = midi.instruments(played)
    assert sum(len(each["notes"]) for each in listed) == len(struck)


@pytest.mark.parametrize("tags", [("techno",), ("rock",)])
def test_the_tempo_can_be_heard(tags: tuple[str, ...]) -> None:
    played = song("t", *tags, seconds=10)
    beat = 60 / midi.tempo(played)["avg_bpm"]
    kicks = [hit.start for hit in midi.score_of(played).hits if hit.drum == "kick"]
    # Each lies on a sixteenth of the beat.
    off = [abs(at / (beat / 4) - round(at / (beat / 4))) for at in kicks]
    assert kicks
    assert max(off) < 0.1


@pytest.mark.parametrize("seconds", [0.8, 3.0])
def test_an_m4a_is_read_by_a_tagger_and_keeps_its_music(seconds: float) -> None:
    played = song(seconds=seconds)
    content = media.sound(played, "m4a").content
    file = mutagen.File(io.BytesIO(content))
    assert type(file).__name__ == "MP4"
    assert (file.info.channels, file.info.sample_rate) == (2, RATE)
    assert file.info.length == pytest.approx(seconds, abs=0.12)
    music = content[content.index(b"mdat") + 4 :]
    assert media.sound(played, "mp3").content.endswith(music)
    assert len(music) > 0.9 * len(media.sound(played, "mp3").content)
