"""Make the songs of an accepted request, of nothing or of other songs; the seed decides. No I/O."""

import string
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any
from uuid import UUID

from musicapi_nb.simulator import tag_rewriting
from musicapi_nb.simulator.catalog import Call
from musicapi_nb.simulator.music.lyric_writer import INSTRUMENTAL_LYRICS, make_lyrics, make_title
from musicapi_nb.simulator.music.recording import PARTS, Recording
from musicapi_nb.simulator.requested_sound import asks_for_instrumental, tempo_and_key
from musicapi_nb.simulator.rules import lyrics_of
from musicapi_nb.simulator.tasks import Song

_VOICES = {"f": ("female vocals",), "m": ("male vocals",)}


def make_id(seed: str) -> str:
    """Make a UUID that depends on the seed alone."""
    return str(UUID(int=Random(f"{seed}/id").getrandbits(128), version=4))


def uploaded_song(url: str, seed: str) -> Song:
    """Make up a clip of 6 to 60 s in place of an uploaded file, which is never fetched."""
    name = url.rstrip("/").rsplit("/", 1)[-1].split("?")[0].rsplit(".", 1)[0]
    seconds = round(Random(seed).uniform(6, 60), 2)
    return Song(
        song_id=make_id(seed),
        title=string.capwords(name.replace("-", " ").replace("_", " ")) or "Upload",
        tags=(),
        lyrics="",
        recording=Recording(seed, (), seconds, instrumental=True),
        model="",
        details={"uploaded": True},
    )


def sonic_songs(
    call: Call, source: Song | None = None, *, more_tags: str = "", count: int = 2
) -> tuple[Song, ...]:
    """Make the clips of a create, extend, cover or persona request: same title, different tags."""
    body = call.body
    rng = Random(f"{call.seed}/words")
    custom = bool(body.get("custom_mode"))
    description = "" if custom else str(body.get("gpt_description_prompt") or "")
    texts = (body.get("title"), body.get("tags"), lyrics_of(body)) if custom else (description,)
    about = " ".join(str(text) for text in texts if text)
    source_title = source.title if source else ""
    title = (body.get("title") if custom else "") or source_title or make_title(about, rng)
    asked = str(body.get("tags") or "") if custom else description
    instrumental = bool(body.get("make_instrumental")) or asks_for_instrumental(call, asked)
    lyrics = INSTRUMENTAL_LYRICS if instrumental else _lyrics(call, source, about, rng)
    voice = () if instrumental else _VOICES.get(str(body.get("vocal_gender")), ())
    details = {"continue_at": body["continue_at"]} if "continue_at" in body else {}
    songs = []
    for index in range(count):
        seed = f"{call.seed}/{index}"
        song_rng = Random(seed)
        tags = _tags(call, source, description, more_tags, song_rng)
        seconds = float(body.get("duration") or round(song_rng.uniform(*call.catalog.seconds), 2))
        song = Song(
            song_id=make_id(seed),
            title=title,
            tags=tags,
            lyrics=lyrics,
            recording=Recording(
                *(seed, (*tags, *voice), seconds, instrumental), **tempo_and_key(call, asked, seed)
            ),
            model=str(body.get("mv") or "sonic-v5"),
            details={**details, **({"parent": source.song_id} if source else {})},
        )
        songs.append(song)
    return tuple(songs)


def source_of(call: Call, name: str) -> Song:
    """Return the song of a field, or one made up for an unknown id that is accepted."""
    if song := call.song(name):
        return song
    body = {"custom_mode": False, "mv": "sonic-v5"}
    return sonic_songs(replace(call, body=body, seed=ascii(call.body.get(name))), count=1)[0]


def of_persona(call: Call) -> tuple[Song, ...]:
    return sonic_songs(call, more_tags=call.catalog.personas.get(call.body["persona_id"], ""))


def _source(call: Call) -> Song:
    return source_of(call, "clip_id" if "clip_id" in call.body else "continue_clip_id")


def _lyrics(call: Call, source: Song | None, about: str, rng: Random) -> str:
    body = call.body
    if body.get("custom_mode") and not body.get("auto_lyrics") and (lyrics := lyrics_of(body)):
        return lyrics
    if source and source.lyrics and "continue_at" not in body:
        return source.lyrics
    return make_lyrics(about, rng)


def _tags(
    call: Call, source: Song | None, description: str, more_tags: str, rng: Random
) -> tuple[str, ...]:
    negative = str(call.body.get("negative_tags") or "")
    requested = str(call.body.get("tags") or "")
    if description and not requested:
        tags = tag_rewriting.described_tags(description, rng, negative)
    else:
        requested = requested or ", ".join(source.tags if source else ())
        text = ", ".join(part for part in (requested, more_tags) if part)
        tags = tag_rewriting.sonic_tags(text, rng, negative)
    # All ids but this one are rendered alike; it strays further, as its name says.
    wild = str(call.body.get("mv")).endswith("-v6-wild")
    return tag_rewriting.sonic_tags(", ".join(tags), rng, negative) if wild else tags


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


def remaster(call: Call) -> tuple[Song, ...]:
    """Copy a song; with a high variation, as another performance."""
    anew = call.body.get("variation_category") == "high"
    return _copies(call, _source(call), call.options.remaster_clips, anew=anew)


def with_vocals(call: Call) -> tuple[Song, ...]:
    """Add a singer to an instrumental."""
    source = _source(call)
    voice = "male vocals" if call.body.get("vocal_gender") == "m" else "female vocals"
    about = str(call.body.get("gpt_description_prompt") or source.title)
    lyrics = lyrics_of(call.body) or make_lyrics(about, Random(f"{call.seed}/words"))
    tags = (*source.recording.tags, voice)
    return _copies(call, source, lyrics=lyrics, tags=tags, instrumental=False)


def with_instruments(call: Call) -> tuple[Song, ...]:
    """Add instruments to a recorded voice."""
    source = _source(call)
    lyrics = source.lyrics or lyrics_of(call.body) or ""
    return _copies(call, source, lyrics=lyrics, instrumental=False)


def replace_section(call: Call) -> tuple[Song, ...]:
    """Replace a section of a song; the simulator performs all of it anew.

    With ``auto_concat``: the new sections, followed by the songs that each becomes part of.
    """
    body, source, infill = call.body, _source(call), call.body.get("infill_lyrics")
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


def mashup(call: Call) -> tuple[Song, ...]:
    """Make one song of two: the titles and tags of both."""
    clip_ids = call.body["mashup_clip_ids"]
    sources = [_source(replace(call, body={"clip_id": clip_id})) for clip_id in clip_ids]
    title = call.body.get("title") or " x ".join(song.title for song in sources)
    tags = ", ".join(tag for song in sources for tag in song.tags)
    lyrics = next((song.lyrics for song in sources if song.lyrics), "")
    worded = lyrics_of(call.body) or call.body.get("gpt_description_prompt")
    return tuple(
        replace(
            song,
            title=str(title) or song.title,
            lyrics=song.lyrics if worded or song.instrumental else lyrics or song.lyrics,
            details={**song.details, "parents": tuple(song.song_id for song in sources)},
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
