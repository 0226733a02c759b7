"""Songs made of songs: remasters, stems, replaced sections, mashups, joined pairs. No I/O."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

from musicapi_nb.simulator import tag_rewriting
from musicapi_nb.simulator.music.composition import DRUMS
from musicapi_nb.simulator.music.lyric_writer import INSTRUMENTAL_LYRICS, make_lyrics
from musicapi_nb.simulator.music.recording import Piece, Recording
from musicapi_nb.simulator.music.synthesis import PARTS
from musicapi_nb.simulator.songs import Brief, make_id, sonic_songs, with_defaults
from musicapi_nb.simulator.tasks import Song
from musicapi_nb.simulator.validation_sonic import lyrics_of


def _stem_parts(text: str) -> dict[str, frozenset[str]]:
    rows = (line.split(":") for line in text.strip().splitlines())
    return {name: frozenset(parts.split()) for name, parts in rows}


_BASSES = frozenset(("finger", "upright", "cello", "sub"))
_VOICE, _DRUMS = frozenset(("voice",)), frozenset(DRUMS)
STEMS: Mapping[int, Mapping[str, frozenset[str]]] = {
    2: {"Vocals": _VOICE, "Instrumental": PARTS - _VOICE},
    4: {
        "Vocals": _VOICE,
        "Drums": _DRUMS,
        "Bass": _BASSES,
        "Other": PARTS - _VOICE - _DRUMS - _BASSES,
    },
    12: _stem_parts("""
Vocals: voice
Backing Vocals:
Drums: kick snare hat
Percussion: marimba
Bass: finger upright sub
Guitar: guitar electric
Keyboard: piano rhodes organ
Strings: strings harp cello
Synth: synth pad
Brass: brass
Woodwinds: reed flute
Fx:
"""),
    24: _stem_parts("""
Lead Vocals: voice
Backing Vocals:
Kick: kick
Snare: snare
Hi Hat: hat
Cymbals:
Toms:
Percussion:
Bass Guitar: finger
Double Bass: upright
Synth Bass: sub
Cello: cello
Acoustic Guitar: guitar
Electric Guitar: electric
Piano: piano
Electric Piano: rhodes
Organ: organ
Strings: strings
Harp: harp
Mallets: marimba
Synth: synth pad
Brass: brass
Reeds: reed
Flute: flute
"""),
}
"""By their number: the instruments and drums of each stem. Together they are the whole song."""


def stems(brief: Brief, count: int) -> tuple[Song, ...]:
    """Split a song into ``count`` stems that add up to it; some may be silent."""
    source = brief.source or sonic_songs(with_defaults(brief), 1)[0]
    return tuple(
        replace(
            source,
            song_id=make_id(f"{brief.seed}/{index}"),
            title=f"{source.title} ({name})",
            recording=source.recording.stem(parts),
            details={"parent": source.song_id},
        )
        for index, (name, parts) in enumerate(STEMS[count].items())
    )


def remastered(brief: Brief, count: int) -> tuple[Song, ...]:
    """Copy a song; with a high variation, as another performance."""
    source = brief.source
    if source is None:
        return sonic_songs(with_defaults(brief), count)
    if brief.body.get("variation_category") != "high":
        return tuple(_copy(brief, source, index) for index in range(count))
    recording = source.recording
    seeds = (f"{recording.seed}/{index}" for index in range(count))
    return tuple(
        _copy(brief, source, index, recording=replace(recording, seed=seed))
        for index, seed in enumerate(seeds)
    )


def with_vocals(brief: Brief, count: int = 2) -> tuple[Song, ...]:
    """Add a singer to an instrumental."""
    source = brief.source
    if source is None:
        return sonic_songs(with_defaults(brief), count)
    rng = Random(f"{brief.seed}/words")
    voice = "male vocals" if brief.body.get("vocal_gender") == "m" else "female vocals"
    about = brief.body.get("gpt_description_prompt") or source.title
    lyrics = lyrics_of(brief.body) or make_lyrics(str(about), rng)
    songs = []
    for index in range(count):
        tags = _edited_tags(brief, source, index)
        recording = Recording(
            source.recording.seed, (*tags, voice), source.duration, instrumental=False
        )
        songs.append(_copy(brief, source, index, lyrics=lyrics, tags=tags, recording=recording))
    return tuple(songs)


def with_instruments(brief: Brief, count: int = 2) -> tuple[Song, ...]:
    """Add instruments to a recorded voice."""
    source = brief.source
    if source is None:
        return sonic_songs(with_defaults(brief), count)
    lyrics = source.lyrics or lyrics_of(brief.body) or ""
    recording = replace(source.recording, instrumental=False)
    return tuple(
        _copy(
            brief,
            source,
            index,
            lyrics=lyrics,
            tags=_edited_tags(brief, source, index),
            recording=recording,
        )
        for index in range(count)
    )


def section_replaced(brief: Brief, count: int = 2) -> tuple[Song, ...]:
    """Perform a section of a song anew; the rest keeps its samples."""
    source, body = brief.source, brief.body
    if source is None:
        return sonic_songs(with_defaults(brief), count)
    recording = source.recording
    last = min(float(body["infill_end_s"]), source.duration)
    first = min(float(body["infill_start_s"]), last)
    lyrics = lyrics_of(body) or _joined_lyrics(source.lyrics, body.get("infill_lyrics"))
    songs = []
    for index in range(count):
        section = replace(recording, seed=f"{brief.seed}/{index}")
        tags = _edited_tags(brief, source, index)
        edited = with_section(recording, section, first, last)
        songs.append(_copy(brief, source, index, lyrics=lyrics, tags=tags, recording=edited))
    return tuple(songs)


def with_section(whole: Recording, section: Recording, first: float, last: float) -> Recording:
    """Replace the seconds ``first`` to ``last`` of a recording by those of another."""
    pieces = (
        Piece(whole, 0.0, first),
        Piece(section, first, last),
        Piece(whole, last, whole.seconds),
    )
    return replace(whole, pieces=pieces)


def mashup(brief: Brief, other: Song | None) -> tuple[Song, ...]:
    """Make one song of two: the titles and tags of both."""
    sources = [song for song in (brief.source, other) if song is not None]
    title = brief.body.get("title") or " x ".join(song.title for song in sources)
    tags = ", ".join(tag for song in sources for tag in song.tags)
    lyrics = next((song.lyrics for song in sources if song.lyrics), "")
    songs = sonic_songs(with_defaults(brief)._replace(source=None, persona_tags=tags))
    worded = lyrics_of(brief.body) or brief.body.get("gpt_description_prompt")
    return tuple(
        replace(
            song,
            title=str(title) or song.title,
            lyrics=song.lyrics if worded or song.instrumental else lyrics or song.lyrics,
            details={**song.details, "parents": tuple(song.song_id for song in sources)},
        )
        for song in songs
    )


def paired(brief: Brief, songs: tuple[Song, ...]) -> tuple[Song, ...]:
    """Add to each song a second one that joins it to its source."""
    source = brief.source
    if source is None:
        return songs
    cut = min(float(brief.body.get("continue_at") or source.duration), source.duration)
    return songs + tuple(
        join(song, source, cut, f"{brief.seed}/full/{index}", {"full_of": song.song_id})
        for index, song in enumerate(songs)
    )


def join(
    song: Song, source: Song | None, cut: float, seed: str, details: Mapping[str, Any]
) -> Song:
    """Put a song after the first ``cut`` seconds of its source."""
    if source is None or not cut:
        return replace(song, song_id=make_id(seed), details=details)
    return replace(
        song,
        song_id=make_id(seed),
        title=source.title or song.title,
        lyrics=_joined_lyrics(source.lyrics, song.lyrics),
        recording=extended(source.recording, song.recording, cut),
        details=details,
    )


def extended(source: Recording, extension: Recording, cut: float) -> Recording:
    """Put a whole recording after the first ``cut`` seconds of another."""
    return replace(
        extension,
        seconds=round(cut + extension.seconds, 6),
        instrumental=source.instrumental and extension.instrumental,
        pieces=(Piece(source, 0.0, cut), Piece(extension, 0.0, extension.seconds)),
    )


def _copy(brief: Brief, source: Song, index: int, **changes: Any) -> Song:
    return replace(
        source,
        song_id=make_id(f"{brief.seed}/{index}"),
        title=brief.body.get("title") or source.title,
        model=str(brief.body.get("mv") or source.model),
        details={"parent": source.song_id},
        **changes,
    )


def _edited_tags(brief: Brief, source: Song, index: int) -> tuple[str, ...]:
    requested = brief.body.get("tags")
    if not requested:
        return source.tags
    negative = str(brief.body.get("negative_tags") or "")
    return tag_rewriting.sonic_tags(str(requested), Random(f"{brief.seed}/{index}"), negative)


def _joined_lyrics(*lyrics: str | None) -> str:
    texts = [text for text in lyrics if text and text != INSTRUMENTAL_LYRICS]
    return "\n\n".join(texts) or INSTRUMENTAL_LYRICS
