"""A recording as notes: tempo, instruments, MIDI file; and when each word is sung. No I/O."""

import io
import itertools
import re
from collections.abc import Sequence
from random import Random
from typing import Any

import mido

from musicapi_nb.simulator.music.composition import DRUMS, Note, Score
from musicapi_nb.simulator.music.recording import Recording, score_of
from musicapi_nb.simulator.music.synthesis import TIMBRES

_SUNG_FROM, _SUNG_TO = 0.08, 0.94
"""Where the singing starts and ends, as shares of a song."""
_PAUSE = 3
"""Length of the pause after a line, in letters."""
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
    return [
        {
            "name": name,
            "notes": [
                {
                    "end": round(note.start + note.length, 3),
                    "pitch": note.pitch,
                    "start": round(note.start, 3),
                    "velocity": round(note.velocity, 3),
                }
                for note in notes
            ],
        }
        for name, _, notes in _tracks(score_of(recording))
    ]


def midi(recording: Recording) -> bytes:
    """Write a Standard MIDI File of format 1: the tempo, then a track for each instrument."""
    score = score_of(recording)
    tempo_track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(score.bpm))])
    file = mido.MidiFile(type=1, ticks_per_beat=_TICKS, tracks=[tempo_track])
    channels = itertools.cycle([number for number in range(16) if number != _DRUM_CHANNEL])
    for name, program, notes in _tracks(score):
        channel = _DRUM_CHANNEL if program is None else next(channels)
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
        if program is not None:
            track.append(mido.Message("program_change", program=program, channel=channel))
        track += _messages(notes, channel, ticks_per_second=_TICKS * score.bpm / 60)
        file.tracks.append(track)
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue()


def align_words(lyrics: str, recording: Recording, *, breaks: bool) -> list[dict[str, Any]]:
    """Return when each word is sung, as ``/sonic/aligned-lyrics`` replies.

    ``breaks`` keeps section marks, spaces and line breaks with the words.
    """
    if recording.instrumental:
        return []
    words = _words(lyrics)
    weights = [len(word) + (_PAUSE if after != " " else 0) for _, word, after in words]
    time = recording.seconds * _SUNG_FROM
    letter = recording.seconds * (_SUNG_TO - _SUNG_FROM) / max(sum(weights), 1)
    rng = Random(f"{recording.seed}/aligned")
    alignment = []
    for (before, word, after), weight in zip(words, weights, strict=True):
        alignment.append(
            {
                "word": f"{before}{word}{after}" if breaks else word,
                "start_s": round(time, 3),
                "end_s": round(time + letter * len(word), 3),
                "p_align": round(rng.uniform(0.9, 1.0), 3),
                "success": True,
            }
        )
        time += letter * weight
    return alignment


def vocal_envelope(recording: Recording, points: int = 64) -> list[float]:
    """Make up how loud the voice is over time, 0 to 1; 0 in an instrumental."""
    rng = Random(f"{recording.seed}/vox")
    return [0.0 if recording.instrumental else round(rng.random(), 3) for _ in range(points)]


def _words(lyrics: str) -> list[tuple[str, str, str]]:
    """Split lyrics into (section mark before, word, space or line break after)."""
    words: list[tuple[str, str, str]] = []
    mark = ""
    for line in map(str.strip, lyrics.split("\n")):
        if not line:
            if words:
                words[-1] = (*words[-1][:2], "\n\n")
        elif re.fullmatch(r"\[.*\]", line):
            mark = f"{line}\n"
        else:
            *start, end = line.split()
            added = [("", word, " ") for word in start] + [("", end, "\n")]
            words += [(mark, *added[0][1:]), *added[1:]]
            mark = ""
    return words


def _tracks(score: Score) -> list[tuple[str, int | None, list[Note]]]:
    """Sort the notes into (instrument, program, notes); the drums come last, without a program."""
    tracks: list[tuple[str, int | None, list[Note]]] = []
    for part, timbre in TIMBRES.items():
        if notes := sorted(note for note in score.notes if note.part == part):
            tracks.append((timbre.label, timbre.program, notes))
    if strokes := sorted(note for note in score.notes if note.part in DRUMS):
        tracks.append(("Drums", None, strokes))
    return tracks


def _messages(notes: Sequence[Note], channel: int, ticks_per_second: float) -> list[mido.Message]:
    """Turn notes into messages with the ticks since the message before."""
    events = []
    for note in notes:
        velocity = max(1, min(127, round(note.velocity * 127)))
        events.append((round(note.start * ticks_per_second), 1, note.pitch, velocity))
        end = round((note.start + note.length) * ticks_per_second)
        events.append((end, 0, note.pitch, 0))
    messages, now = [], 0
    for tick, is_on, pitch, velocity in sorted(events):
        kind, since = ("note_on" if is_on else "note_off"), tick - now
        messages.append(
            mido.Message(kind, note=pitch, velocity=velocity, channel=channel, time=since)
        )
        now = tick
    return messages
