"""What can be read off the score that a song is played from: tempo, notes, sung words. Pure."""

import io
import itertools
import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import mido

from musicapi_nb.simulator.composition import Hit, Note, Score, compose
from musicapi_nb.simulator.genres import character
from musicapi_nb.simulator.songs import played_tags
from musicapi_nb.simulator.tasks import Song

_INTRO_SHARE, _END_SHARE = 0.08, 0.94
"""Where the singing starts and ends, as shares of a song."""
_PAUSE = 3
"""How many letters long the pause between two lines is."""
_TICKS = 480
_DRUM_CHANNEL = 9
_PROGRAMS: Mapping[str, tuple[int, str]] = {
    # General MIDI programs, from 0, with the names that replies give the instruments.
    "piano": (0, "Piano"),
    "rhodes": (4, "Electric Piano"),
    "organ": (16, "Organ"),
    "guitar": (24, "Acoustic Guitar"),
    "electric": (27, "Electric Guitar"),
    "harp": (46, "Harp"),
    "marimba": (12, "Marimba"),
    "strings": (48, "Strings"),
    "pad": (89, "Synth Pad"),
    "synth": (81, "Synth Lead"),
    "reed": (65, "Reed"),
    "brass": (61, "Brass"),
    "flute": (73, "Flute"),
    "voice": (54, "Synth Voice"),
    "finger": (33, "Bass Guitar"),
    "pick": (34, "Picked Bass"),
    "upright": (32, "Upright Bass"),
    "cello": (42, "Cello"),
    "sub": (38, "Synth Bass"),
}
_DRUM_KEYS: Mapping[str, int] = {
    "kick": 36,
    "snare": 38,
    "gate": 40,
    "clap": 39,
    "hat": 42,
    "open": 46,
    "pedal": 44,
    "ride": 51,
    "rim": 37,
    "shaker": 82,
    "tom": 45,
}
_DRUM_SECONDS = 0.1


def score_of(song: Song) -> Score:
    """Write down what the audio of a song plays."""
    if "of" in song.details:
        whole, parts = score_of(song.details["of"]), song.details["parts"]
        return Score(
            [note for note in whole.notes if note.voice in parts],
            [hit for hit in whole.hits if hit.drum in parts],
            whole.bpm,
        )
    if "pieces" not in song.details:
        rng = Random(f"{song.seed}/audio")
        played = character(played_tags(song), rng, instrumental=song.instrumental)
        return compose(played, song.duration, rng)
    joined, at = Score(), 0.0
    for piece, first, last in song.details["pieces"]:
        part = score_of(piece)
        joined.bpm = joined.bpm or part.bpm
        joined.notes += [
            note._replace(start=note.start - first + at)
            for note in part.notes
            if first <= note.start < last
        ]
        joined.hits += [
            hit._replace(start=hit.start - first + at)
            for hit in part.hits
            if first <= hit.start < last
        ]
        at += last - first
    return joined


def tempo(song: Song) -> dict[str, float]:
    """Give the tempo that the song was composed with, and how far a beat strays from it."""
    bpm = round(score_of(song).bpm, 2)
    return {"avg_bpm": bpm, "max_bpm": round(bpm * 1.01, 2), "min_bpm": round(bpm * 0.99, 2)}


def instruments(song: Song) -> list[dict[str, Any]]:
    """List the notes of each instrument, as /sonic/midi replies: seconds, MIDI pitch, 0 to 1."""
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
        for name, _, notes in _tracks(score_of(song))
    ]


def midi(song: Song) -> bytes:
    """Write a Standard MIDI File of format 1: the tempo, then a track for each instrument."""
    score = score_of(song)
    second = _TICKS * score.bpm / 60
    beat = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(score.bpm))])
    file = mido.MidiFile(type=1, ticks_per_beat=_TICKS, tracks=[beat])
    channels = itertools.cycle([n for n in range(16) if n != _DRUM_CHANNEL])
    for name, program, notes in _tracks(score):
        channel = _DRUM_CHANNEL if program is None else next(channels)
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
        if program is not None:
            track.append(mido.Message("program_change", program=program, channel=channel))
        track += _messages(notes, channel, second)
        file.tracks.append(track)
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue()


def aligned(song: Song, *, breaks: bool) -> list[dict[str, Any]]:
    """Say when each word is sung; ``breaks`` keeps what stands between the words on the page."""
    if song.instrumental:
        return []
    words = _words(song.lyrics)
    weights = [len(word) + (_PAUSE if after != " " else 0) for _, word, after in words]
    first, span = song.duration * _INTRO_SHARE, song.duration * (_END_SHARE - _INTRO_SHARE)
    letter = span / max(sum(weights), 1)
    rng = Random(f"{song.seed}/aligned")
    alignment = []
    at = first
    for (before, word, after), weight in zip(words, weights, strict=True):
        alignment.append(
            {
                "word": f"{before}{word}{after}" if breaks else word,
                "start_s": round(at, 3),
                "end_s": round(at + letter * len(word), 3),
                "p_align": round(rng.uniform(0.9, 1.0), 3),
                "success": True,
            }
        )
        at += letter * weight
    return alignment


def loudness(song: Song, first: float, last: float, points: int = 64) -> list[float]:
    """Outline how loud somebody sings between two instants, 0 to 1."""
    sung = [note for note in score_of(song).notes if note.voice == "voice"]
    step = (last - first) / points
    instants = [first + (point + 0.5) * step for point in range(points)]
    return [
        round(
            max(
                (each.velocity for each in sung if each.start <= at < each.start + each.length),
                default=0.0,
            ),
            3,
        )
        for at in instants
    ]


def _words(lyrics: str) -> list[tuple[str, str, str]]:
    """Split lyrics into (what stands before, the word, the space or break after it)."""
    words: list[tuple[str, str, str]] = []
    mark = ""
    for line in lyrics.split("\n"):
        text = line.strip()
        if not text:
            if words:
                before, word, _ = words[-1]
                words[-1] = (before, word, "\n\n")
        elif re.fullmatch(r"\[.*\]", text):
            mark = f"{text}\n"
        else:
            parts = text.split()
            ends = [" "] * (len(parts) - 1) + ["\n"]
            marks = [mark, *[""] * (len(parts) - 1)]
            words += zip(marks, parts, ends, strict=True)
            mark = ""
    return words


def _tracks(score: Score) -> list[tuple[str, int | None, list[Note]]]:
    """Sort the notes by instrument; the drums come last and have no program."""
    tracks: list[tuple[str, int | None, list[Note]]] = []
    for voice, (program, name) in _PROGRAMS.items():
        if notes := sorted(note for note in score.notes if note.voice == voice):
            tracks.append((name, program, notes))
    if drums := sorted(_stroke(hit) for hit in score.hits):
        tracks.append(("Drums", None, drums))
    return tracks


def _stroke(hit: Hit) -> Note:
    return Note(hit.start, _DRUM_SECONDS, _DRUM_KEYS[hit.drum], hit.velocity, "drums", 0.0)


def _messages(notes: Sequence[Note], channel: int, second: float) -> list[mido.Message]:
    """Turn notes into messages, each with the ticks since the one before."""
    events = []
    for note in notes:
        loud = max(1, min(127, round(note.velocity * 127)))
        events.append((round(note.start * second), 1, note.pitch, loud))
        events.append((round((note.start + note.length) * second), 0, note.pitch, 0))
    messages, now = [], 0
    for at, on, pitch, loud in sorted(events):
        kind = "note_on" if on else "note_off"
        messages.append(
            mido.Message(kind, note=pitch, velocity=loud, channel=channel, time=at - now)
        )
        now = at
    return messages
