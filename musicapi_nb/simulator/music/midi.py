"""A recording as notes: tempo, instruments, MIDI file; and when each word is sung. No I/O."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator
from random import Random
from typing import TYPE_CHECKING, Any

from musicapi_nb.simulator.music.composition import DRUMS, Note
from musicapi_nb.simulator.music.recording import TIMBRES, Recording, score_of

if TYPE_CHECKING:
    import mido

_SUNG_FROM, _SUNG_TO = 0.08, 0.94
"""Where the singing starts and ends, as shares of a song."""
_PAUSE = 3
"""Length of the pause after a line, in letters."""
_WORD = re.compile(r"((?:\[[^\]\n]*\]\s*)*)(\S+)(\s*)")
"""Section marks before, a word, the space or line breaks after it."""
_TICKS = 480
_DRUM_CHANNEL = 9


def tempo(recording: Recording) -> dict[str, float]:
    """Return the tempo that the song was composed in, as ``/sonic/bpm`` replies."""
    bpm = round(score_of(recording).bpm, 2)
    return {"avg_bpm": bpm, "max_bpm": round(bpm * 1.01, 2), "min_bpm": round(bpm * 0.99, 2)}


def instruments(recording: Recording) -> list[dict[str, Any]]:
    """Return the notes of each instrument, as ``/sonic/midi`` replies.

    Times are in seconds, pitches are MIDI numbers, velocities run from 0 to 1.
    """
    return [{"name": name, "notes": list(map(_row, notes))} for name, notes in _tracks(recording)]


def _row(note: Note) -> dict[str, float]:
    end = round(note.start + note.length, 3)
    velocity = round(note.velocity, 3)
    return {"end": end, "pitch": note.pitch, "start": round(note.start, 3), "velocity": velocity}


def midi(recording: Recording) -> bytes:
    """Write a Standard MIDI File of format 1: the tempo, then a track for each instrument."""
    import mido  # noqa: PLC0415 - needed for these files alone

    bpm = score_of(recording).bpm
    tempo_track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm))])
    file = mido.MidiFile(type=1, ticks_per_beat=_TICKS, tracks=[tempo_track])
    channels = itertools.cycle([number for number in range(16) if number != _DRUM_CHANNEL])
    for name, notes in _tracks(recording):
        timbre = TIMBRES.get(notes[0].part)
        channel = next(channels) if timbre else _DRUM_CHANNEL
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
        if timbre:
            track.append(mido.Message("program_change", program=timbre.program, channel=channel))
        track += _messages(notes, channel, ticks_per_second=_TICKS * bpm / 60)
        file.tracks.append(track)
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue()


def _tracks(recording: Recording) -> list[tuple[str, list[Note]]]:
    """Return the notes of each instrument by its name, in time; the drums come last."""
    tracks: dict[str, list[Note]] = {timbre.label: [] for timbre in TIMBRES.values()}
    tracks["Drums"] = []
    for note in sorted(score_of(recording).notes):
        tracks["Drums" if note.part in DRUMS else TIMBRES[note.part].label].append(note)
    return [(name, notes) for name, notes in tracks.items() if notes]


def _messages(notes: list[Note], channel: int, ticks_per_second: float) -> Iterator[mido.Message]:
    """Turn notes into messages with the ticks since the message before."""
    import mido  # noqa: PLC0415 - as above

    events = []
    for note in notes:
        velocity = max(1, min(127, round(note.velocity * 127)))
        events.append((round(note.start * ticks_per_second), "note_on", note.pitch, velocity))
        end = round((note.start + note.length) * ticks_per_second)
        events.append((end, "note_off", note.pitch, 0))
    now = 0
    for tick, kind, pitch, velocity in sorted(events):  # a note ends before the next one starts
        yield mido.Message(kind, note=pitch, velocity=velocity, channel=channel, time=tick - now)
        now = tick


def align_words(lyrics: str, recording: Recording, *, breaks: bool) -> list[dict[str, Any]]:
    """Return when each word is sung, as ``/sonic/aligned-lyrics`` replies.

    ``breaks`` keeps section marks, spaces and line breaks with the words.
    """
    if recording.instrumental:
        return []
    words = _WORD.findall(f"{lyrics}\n")
    weights = [len(word) + (_PAUSE if "\n" in after else 0) for _, word, after in words]
    time = recording.seconds * _SUNG_FROM
    letter = recording.seconds * (_SUNG_TO - _SUNG_FROM) / max(sum(weights), 1)
    rng = Random(f"{recording.seed}/aligned")
    alignment = []
    for (mark, word, after), weight in zip(words, weights, strict=True):
        alignment.append(
            {
                "word": f"{mark}{word}{after}" if breaks else word,
                "start_s": round(time, 3),
                "end_s": round(time + letter * len(word), 3),
                "p_align": round(rng.uniform(0.9, 1.0), 3),
                "success": True,
            }
        )
        time += letter * weight
    return alignment
