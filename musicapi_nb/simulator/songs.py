"""Make the songs of an accepted request, determined by the task's seed. No I/O."""

import string
from dataclasses import replace
from random import Random
from uuid import UUID

from musicapi_nb.simulator import tag_rewriting
from musicapi_nb.simulator.catalog import Call
from musicapi_nb.simulator.music.lyric_writer import INSTRUMENTAL_LYRICS, make_lyrics, make_title
from musicapi_nb.simulator.music.recording import Recording
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
    instrumental = bool(body.get("make_instrumental"))
    lyrics = INSTRUMENTAL_LYRICS if instrumental else _lyrics(call, source, about, rng)
    voice = () if instrumental else _VOICES.get(str(body.get("vocal_gender")), ())
    details = {"continue_at": body["continue_at"]} if "continue_at" in body else {}
    songs = []
    for index in range(count):
        seed = f"{call.seed}/{index}"
        song_rng = Random(seed)
        tags = _tags(call, source, description, more_tags, song_rng)
        seconds = float(body.get("duration") or round(song_rng.uniform(*call.seconds), 2))
        song = Song(
            song_id=make_id(seed),
            title=title,
            tags=tags,
            lyrics=lyrics,
            recording=Recording(seed, (*tags, *voice), seconds, instrumental),
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
        return tag_rewriting.described_tags(description, rng, negative)
    if not requested and source:
        requested = ", ".join(source.tags)
    text = ", ".join(part for part in (requested, more_tags) if part)
    return tag_rewriting.sonic_tags(text, rng, negative)
