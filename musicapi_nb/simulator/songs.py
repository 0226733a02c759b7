"""From an accepted request to its songs: everything drawn from the task's seed. Pure."""

from collections.abc import Mapping
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

from musicapi_nb.simulator import tags as tagging
from musicapi_nb.simulator.audio import frames
from musicapi_nb.simulator.lyrics import (
    INSTRUMENTAL_LYRICS,
    make_lyrics,
    make_title,
    studio_artist,
    title_case,
)
from musicapi_nb.simulator.synth import RATE
from musicapi_nb.simulator.tasks import Song
from musicapi_nb.simulator.validation_nuro import BGM_WORDS, VOCAL_WORDS, bgm_seconds
from musicapi_nb.simulator.validation_sonic import lyrics_of


class Brief(NamedTuple):
    """What a song is made from: the request, the task's seed, and what the request builds on."""

    body: Mapping[str, Any]
    seed: str
    seconds: tuple[float, float]
    source: Song | None = None
    style: str = ""
    """For personas: the tags that belong to the voice."""


def make_id(seed: str) -> str:
    """Make a UUID that the seed alone decides."""
    return str(UUID(int=Random(f"{seed}/id").getrandbits(128), version=4))


def uploaded(url: str, seed: str) -> Song:
    """Make the clip that stands for an uploaded file of 6 to 60 s."""
    rng = Random(seed)
    name = url.rstrip("/").rsplit("/", 1)[-1].split("?")[0].rsplit(".", 1)[0]
    return Song(
        song_id=make_id(seed),
        seed=seed,
        title=title_case(name.replace("-", " ").replace("_", " ")) or "Upload",
        tags=(),
        lyrics="",
        duration=round(rng.uniform(6, 60), 2),
        instrumental=True,
        model="",
        details={"uploaded": True},
    )


def sonic_songs(brief: Brief, count: int = 2) -> tuple[Song, ...]:
    """Sing the clips of a create, extend, cover or persona request: one title, two takes."""
    body, source = brief.body, brief.source
    rng = Random(f"{brief.seed}/words")
    custom = bool(body.get("custom_mode"))
    instrumental = bool(body.get("make_instrumental"))
    description = str(body.get("gpt_description_prompt") or "")
    said = (body.get("title"), body.get("tags"), lyrics_of(body)) if custom else (description,)
    about = " ".join(str(part) for part in said if part)
    old_title = source.title if source else ""
    title = (body.get("title") if custom else "") or old_title or make_title(about, rng)
    if instrumental:
        lyrics = INSTRUMENTAL_LYRICS
    elif custom and not body.get("auto_lyrics") and lyrics_of(body):
        lyrics = lyrics_of(body) or ""
    elif source and source.lyrics and "continue_at" not in body:
        lyrics = source.lyrics
    else:
        lyrics = make_lyrics(about, rng)
    songs = []
    for index in range(count):
        seed = f"{brief.seed}/{index}"
        own = Random(seed)
        songs.append(
            Song(
                song_id=make_id(seed),
                seed=seed,
                title=title,
                tags=_sonic_tags(brief, description if not custom else "", own),
                lyrics=lyrics,
                duration=_sonic_seconds(brief, own),
                instrumental=instrumental,
                model=str(body["mv"]),
                details=_lineage(brief, instrumental=instrumental),
            )
        )
    return tuple(songs)


def studio_songs(brief: Brief) -> tuple[Song, ...]:
    """Sing the two songs of a studio task; their tags were rewritten apart and differ."""
    body = brief.body
    rng = Random(f"{brief.seed}/words")
    prompt, kind = str(body["prompt"]), body["lyrics_type"]
    mode = (body.get("config") or {}).get("mode", "regular")
    base = brief.source.title if brief.source else make_title(prompt, rng)
    avoid = str(body.get("negative_prompt") or "")
    songs: list[Song] = []
    for index in (0, 1):
        seed = f"{brief.seed}/{index}"
        own = Random(seed)
        steps = tagging.studio_steps(prompt, own, first=index == 0, avoid=avoid)
        if songs:
            steps = tagging.unlike(steps, songs[0].tags, own)
        given = {"user": str(body.get("lyrics") or ""), "instrumental": INSTRUMENTAL_LYRICS}
        songs.append(
            Song(
                song_id=make_id(seed),
                seed=seed,
                title=base if mode == "regular" else f"{base} ext v1.2.{index + 1}",
                tags=steps[-1].tags,
                lyrics=given.get(kind) or make_lyrics(prompt, own),
                duration=round(frames(own.uniform(*brief.seconds)) / RATE, 12),
                instrumental=kind == "instrumental",
                model=str(body.get("model_type") or "studio130-v1.5"),
                steps=steps,
                details={
                    "prompt": prompt,
                    "artist": studio_artist(Random(f"{brief.seed}/artist")),
                    "mode": mode,
                },
            )
        )
    return tuple(songs)


def nuro_songs(brief: Brief) -> tuple[Song, ...]:
    """Sing nuro's one song; what the request leaves open is predicted."""
    body, seed = brief.body, f"{brief.seed}/0"
    rng = Random(seed)
    vocal = body["type"] == "vocal"
    if vocal:
        known = {name: body.get(name) or rng.choice(words) for name, words in VOCAL_WORDS.items()}
        seconds = float(body.get("duration") or rng.uniform(*brief.seconds))
        text, lyrics = " ".join(known.values()), str(body["lyrics"])
        known["played"] = f"{known['gender'].lower()} vocals"
    else:
        chosen = {name: body.get(name) or rng.sample(words, 1) for name, words in BGM_WORDS.items()}
        known = {name: ", ".join(words) for name, words in chosen.items()}
        known |= {"gender": "", "timbre": ""}
        seconds, lyrics = float(bgm_seconds(body)), ""
        text = f"{body['description']}, {known['genre']}, {known['mood']}, {known['instrument']}"
    song = Song(
        song_id=make_id(seed),
        seed=seed,
        title=make_title(text, rng),
        tags=tagging.split(tagging.asked_text(text.replace("/", ", "))),
        lyrics=lyrics,
        duration=round(seconds, 5),
        instrumental=not vocal,
        model="nuro",
        form="wav",
        details=known,
    )
    return (song,)


def played_tags(song: Song) -> tuple[str, ...]:
    """Tags that decide how a song sounds: its own and the voice asked for."""
    extra = song.details.get("played")
    return (*song.tags, *((extra,) if extra else ()))


def _sonic_tags(brief: Brief, description: str, rng: Random) -> tuple[str, ...]:
    avoid = str(brief.body.get("negative_tags") or "")
    asked = str(brief.body.get("tags") or "")
    if description and not asked:
        return tagging.described_tags(description, rng, avoid)
    if not asked and brief.source:
        asked = ", ".join(brief.source.tags)
    return tagging.sonic_tags(", ".join(part for part in (asked, brief.style) if part), rng, avoid)


def _sonic_seconds(brief: Brief, rng: Random) -> float:
    asked = brief.body.get("duration")
    return float(asked) if asked else round(rng.uniform(*brief.seconds), 2)


def _lineage(brief: Brief, *, instrumental: bool) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if brief.source:
        details["parent"] = brief.source.song_id
    if "continue_at" in brief.body:
        details["continue_at"] = brief.body["continue_at"]
    gender = {"f": "female vocals", "m": "male vocals"}.get(str(brief.body.get("vocal_gender")))
    if gender and not instrumental:
        details["played"] = gender
    return details


def made_up(brief: Brief) -> Brief:
    """Fill in what a request need not say, so that a song can be made of it all the same."""
    body = {"custom_mode": False, "gpt_description_prompt": "", "mv": "sonic-v5", **brief.body}
    return brief._replace(body=body)
