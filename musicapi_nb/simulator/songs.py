"""Make the songs of an accepted request, determined by the task's seed. No I/O."""

from collections.abc import Mapping
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

from musicapi_nb.simulator import tag_rewriting
from musicapi_nb.simulator.music.lyric_writer import (
    INSTRUMENTAL_LYRICS,
    make_lyrics,
    make_title,
    studio_artist,
    title_case,
)
from musicapi_nb.simulator.music.recording import Recording, frames
from musicapi_nb.simulator.music.synthesis import RATE
from musicapi_nb.simulator.tasks import Song
from musicapi_nb.simulator.validation_nuro import BGM_WORDS, VOCAL_WORDS, bgm_seconds
from musicapi_nb.simulator.validation_rules import lyrics_of

_VOICES = {"f": ("female vocals",), "m": ("male vocals",)}


class Brief(NamedTuple):
    """Everything that decides a task's songs.

    ``seconds`` is the shortest and longest song where the request names no length, ``source`` the
    song that the request builds on, ``persona_tags`` the tags of the persona it sings with.
    """

    body: Mapping[str, Any]
    seed: str
    seconds: tuple[float, float]
    source: Song | None = None
    persona_tags: str = ""


def make_id(seed: str) -> str:
    """Make a UUID that depends on the seed alone."""
    return str(UUID(int=Random(f"{seed}/id").getrandbits(128), version=4))


def uploaded_song(url: str, seed: str) -> Song:
    """Make up a clip of 6 to 60 s in place of an uploaded file, which is never fetched."""
    name = url.rstrip("/").rsplit("/", 1)[-1].split("?")[0].rsplit(".", 1)[0]
    seconds = round(Random(seed).uniform(6, 60), 2)
    return Song(
        song_id=make_id(seed),
        title=title_case(name.replace("-", " ").replace("_", " ")) or "Upload",
        tags=(),
        lyrics="",
        recording=Recording(seed, (), seconds, instrumental=True),
        model="",
        details={"uploaded": True},
    )


def sonic_songs(brief: Brief, count: int = 2) -> tuple[Song, ...]:
    """Make the clips of a create, extend, cover or persona request: same title, different tags."""
    body, source = brief.body, brief.source
    rng = Random(f"{brief.seed}/words")
    custom = bool(body.get("custom_mode"))
    description = "" if custom else str(body.get("gpt_description_prompt") or "")
    texts = (body.get("title"), body.get("tags"), lyrics_of(body)) if custom else (description,)
    about = " ".join(str(text) for text in texts if text)
    source_title = source.title if source else ""
    title = (body.get("title") if custom else "") or source_title or make_title(about, rng)
    instrumental = bool(body.get("make_instrumental"))
    lyrics = INSTRUMENTAL_LYRICS if instrumental else _sonic_lyrics(brief, about, rng)
    voice = () if instrumental else _VOICES.get(str(body.get("vocal_gender")), ())
    details = {"continue_at": body["continue_at"]} if "continue_at" in body else {}
    songs = []
    for index in range(count):
        seed = f"{brief.seed}/{index}"
        song_rng = Random(seed)
        tags = _sonic_tags(brief, description, song_rng)
        seconds = float(body.get("duration") or round(song_rng.uniform(*brief.seconds), 2))
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


def studio_songs(brief: Brief) -> tuple[Song, ...]:
    """Make the two songs of a studio task; their final tags differ."""
    body = brief.body
    prompt, kind = str(body["prompt"]), body["lyrics_type"]
    mode = (body.get("config") or {}).get("mode", "regular")
    words_rng = Random(f"{brief.seed}/words")
    title = brief.source.title if brief.source else make_title(prompt, words_rng)
    negative = str(body.get("negative_prompt") or "")
    fixed_lyrics = {"user": str(body.get("lyrics") or ""), "instrumental": INSTRUMENTAL_LYRICS}
    artist = studio_artist(Random(f"{brief.seed}/artist"))
    songs: list[Song] = []
    for index in (0, 1):
        seed = f"{brief.seed}/{index}"
        rng = Random(seed)
        steps = tag_rewriting.studio_steps(prompt, rng, first=index == 0, negative=negative)
        if songs:
            steps = tag_rewriting.differing_steps(steps, songs[0].tags, rng)
        tags = steps[-1].tags
        lyrics = fixed_lyrics.get(kind) or make_lyrics(prompt, rng)
        seconds = round(frames(rng.uniform(*brief.seconds)) / RATE, 12)
        song = Song(
            song_id=make_id(seed),
            title=title if mode == "regular" else f"{title} ext v1.2.{index + 1}",
            tags=tags,
            lyrics=lyrics,
            recording=Recording(seed, tags, seconds, instrumental=kind == "instrumental"),
            model=str(body.get("model_type") or "studio130-v1.5"),
            steps=steps,
            details={"prompt": prompt, "artist": artist, "mode": mode},
        )
        songs.append(song)
    return tuple(songs)


def nuro_songs(brief: Brief) -> tuple[Song, ...]:
    """Make nuro's one song; a genre, mood or voice that the request leaves open is drawn."""
    body, seed = brief.body, f"{brief.seed}/0"
    rng = Random(seed)
    vocal = body["type"] == "vocal"
    voice: tuple[str, ...] = ()
    if vocal:
        details = {name: body.get(name) or rng.choice(words) for name, words in VOCAL_WORDS.items()}
        seconds = float(body.get("duration") or rng.uniform(*brief.seconds))
        text, lyrics = " ".join(details.values()), str(body["lyrics"])
        voice = (f"{details['gender'].lower()} vocals",)
    else:
        chosen = {name: body.get(name) or rng.sample(words, 1) for name, words in BGM_WORDS.items()}
        details = {name: ", ".join(words) for name, words in chosen.items()}
        text = ", ".join((str(body["description"]), *list(details.values())[:3]))
        details |= {"gender": "", "timbre": ""}
        seconds, lyrics = float(bgm_seconds(body)), ""
    tags = tag_rewriting.split(tag_rewriting.requested_text(text.replace("/", ", ")))
    song = Song(
        song_id=make_id(seed),
        title=make_title(text, rng),
        tags=tags,
        lyrics=lyrics,
        recording=Recording(seed, (*tags, *voice), round(seconds, 5), instrumental=not vocal),
        model="nuro",
        audio_format="wav",
        details=details,
    )
    return (song,)


def _sonic_lyrics(brief: Brief, about: str, rng: Random) -> str:
    body, source = brief.body, brief.source
    if body.get("custom_mode") and not body.get("auto_lyrics") and (lyrics := lyrics_of(body)):
        return lyrics
    if source and source.lyrics and "continue_at" not in body:
        return source.lyrics
    return make_lyrics(about, rng)


def _sonic_tags(brief: Brief, description: str, rng: Random) -> tuple[str, ...]:
    negative = str(brief.body.get("negative_tags") or "")
    requested = str(brief.body.get("tags") or "")
    if description and not requested:
        return tag_rewriting.described_tags(description, rng, negative)
    if not requested and brief.source:
        requested = ", ".join(brief.source.tags)
    text = ", ".join(part for part in (requested, brief.persona_tags) if part)
    return tag_rewriting.sonic_tags(text, rng, negative)
