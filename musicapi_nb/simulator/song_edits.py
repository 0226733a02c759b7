"""Songs made from other songs: remasters, stems, replaced sections, mashups, pairs. No I/O."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

from musicapi_nb.simulator import tag_rewriting
from musicapi_nb.simulator.catalog import Call
from musicapi_nb.simulator.music.lyric_writer import INSTRUMENTAL_LYRICS, make_lyrics
from musicapi_nb.simulator.music.synthesis import PARTS
from musicapi_nb.simulator.rules import lyrics_of
from musicapi_nb.simulator.songs import make_id, sonic_songs
from musicapi_nb.simulator.tasks import Song

_STEMS = """
Vocals: voice; Instrumental: *

Vocals: voice; Drums: kick snare hat; Bass: finger upright cello sub; Other: *

Vocals: voice; Backing Vocals:; Drums: kick snare hat; Percussion: marimba;
Bass: finger upright sub; Guitar: guitar electric; Keyboard: piano rhodes organ;
Strings: strings harp cello; Synth: synth pad; Brass: brass; Woodwinds: reed flute; Fx:

Lead Vocals: voice; Backing Vocals:; Kick: kick; Snare: snare; Hi Hat: hat; Cymbals:; Toms:;
Percussion:; Bass Guitar: finger; Double Bass: upright; Synth Bass: sub; Cello: cello;
Acoustic Guitar: guitar; Electric Guitar: electric; Piano: piano; Electric Piano: rhodes;
Organ: organ; Strings: strings; Harp: harp; Mallets: marimba; Synth: synth pad; Brass: brass;
Reeds: reed; Flute: flute
"""


def _stem_parts(text: str) -> dict[str, frozenset[str]]:
    stems = (item.split(":") for item in " ".join(text.split()).split("; "))
    parts = {name: frozenset(names.split()) for name, names in stems}
    rest = PARTS.difference(*parts.values())
    return {name: rest if "*" in names else names for name, names in parts.items()}


STEMS: Mapping[int, Mapping[str, frozenset[str]]] = {
    len(parts): parts for parts in map(_stem_parts, _STEMS.split("\n\n"))
}
"""By their number: the instruments and drums of each stem. Together they are the whole song."""


def stems(seed: str, source: Song, count: int) -> tuple[Song, ...]:
    """Split a song into ``count`` stems that add up to it; some may be silent."""
    return tuple(
        replace(
            source,
            song_id=make_id(f"{seed}/{index}"),
            title=f"{source.title} ({name})",
            recording=replace(source.recording, parts=parts),
            details={"parent": source.song_id},
        )
        for index, (name, parts) in enumerate(STEMS[count].items())
    )


def remaster(call: Call, source: Song, count: int) -> tuple[Song, ...]:
    """Copy a song; with a high variation, as another performance."""
    return _copies(call, source, count, anew=call.body.get("variation_category") == "high")


def with_vocals(call: Call, source: Song) -> tuple[Song, ...]:
    """Add a singer to an instrumental."""
    voice = "male vocals" if call.body.get("vocal_gender") == "m" else "female vocals"
    about = str(call.body.get("gpt_description_prompt") or source.title)
    lyrics = lyrics_of(call.body) or make_lyrics(about, Random(f"{call.seed}/words"))
    tags = (*source.recording.tags, voice)
    return _copies(call, source, lyrics=lyrics, tags=tags, instrumental=False)


def with_instruments(call: Call, source: Song) -> tuple[Song, ...]:
    """Add instruments to a recorded voice."""
    lyrics = source.lyrics or lyrics_of(call.body) or ""
    return _copies(call, source, lyrics=lyrics, instrumental=False)


def replace_section(call: Call, source: Song) -> tuple[Song, ...]:
    """Replace a section of a song; the simulator performs all of it anew.

    With ``auto_concat``: the new sections, followed by the songs that each becomes part of.
    """
    body, infill = call.body, call.body.get("infill_lyrics")
    lyrics = lyrics_of(body) or _joined_lyrics(source.lyrics, infill)
    if not body.get("auto_concat"):
        return _copies(call, source, lyrics=lyrics, anew=True)
    seconds = round(min(body["infill_end_s"], source.duration) - body["infill_start_s"], 2)
    sections = _copies(call, source, lyrics=infill, anew=True, seconds=seconds)
    return sections + tuple(
        replace(
            section,
            song_id=make_id(f"{section.song_id}/full"),
            lyrics=lyrics,
            recording=replace(section.recording, seconds=source.duration),
            details={"full_of": section.song_id},
        )
        for section in sections
    )


def mashup(call: Call, first: Song, second: Song) -> tuple[Song, ...]:
    """Make one song of two: the titles and tags of both."""
    sources = (first, second)
    title = call.body.get("title") or " x ".join(song.title for song in sources)
    tags = ", ".join(tag for song in sources for tag in song.tags)
    lyrics = next((song.lyrics for song in sources if song.lyrics), "")
    worded = lyrics_of(call.body) or call.body.get("gpt_description_prompt")
    return tuple(
        replace(
            song,
            title=str(title) or song.title,
            lyrics=song.lyrics if worded or song.instrumental else lyrics or song.lyrics,
            details={**song.details, "parents": (first.song_id, second.song_id)},
        )
        for song in sonic_songs(call, more_tags=tags)
    )


def add_joined_songs(call: Call, source: Song, songs: tuple[Song, ...]) -> tuple[Song, ...]:
    """Return the songs, followed by one more for each: the source joined with it."""
    cut = min(float(call.body.get("continue_at") or source.duration), source.duration)
    return songs + tuple(
        join(song, source, cut, f"{call.seed}/full/{index}", {"full_of": song.song_id})
        for index, song in enumerate(songs)
    )


def join(
    song: Song, source: Song | None, cut: float, seed: str, details: Mapping[str, Any]
) -> Song:
    """Put a song after the first ``cut`` seconds of its source, by playing the source on."""
    if source is None or not cut:
        return replace(song, song_id=make_id(seed), details=details)
    seconds = round(cut + song.duration, 2)
    instrumental = source.instrumental and song.instrumental
    return replace(
        song,
        song_id=make_id(seed),
        title=source.title or song.title,
        lyrics=_joined_lyrics(source.lyrics, song.lyrics),
        recording=replace(source.recording, seconds=seconds, instrumental=instrumental),
        details=details,
    )


def _copies(
    call: Call,
    source: Song,
    count: int = 2,
    *,
    lyrics: str | None = None,
    anew: bool = False,
    **recording: Any,
) -> tuple[Song, ...]:
    """Copy a song with the title, tags and model of a request, performed ``anew`` if asked for.

    ``recording`` has the fields of the recording that change.
    """
    body, songs = call.body, []
    for seed in (f"{call.seed}/{index}" for index in range(count)):
        tags = source.tags
        if requested := body.get("tags"):
            negative = str(body.get("negative_tags") or "")
            tags = tag_rewriting.sonic_tags(str(requested), Random(seed), negative)
        performed = {**recording, "seed": seed} if anew else recording
        song = replace(
            source,
            song_id=make_id(seed),
            title=body.get("title") or source.title,
            tags=tags,
            lyrics=source.lyrics if lyrics is None else lyrics,
            recording=replace(source.recording, **performed),
            model=str(body.get("mv") or source.model),
            details={"parent": source.song_id},
        )
        songs.append(song)
    return tuple(songs)


def _joined_lyrics(*lyrics: str | None) -> str:
    texts = [text for text in lyrics if text and text != INSTRUMENTAL_LYRICS]
    return "\n\n".join(texts) or INSTRUMENTAL_LYRICS
