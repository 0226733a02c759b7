"""The songs of producer and of its forerunner riffusion. Pure."""

from dataclasses import replace
from random import Random

from musicapi_nb.simulator import tags as tagging
from musicapi_nb.simulator.lyrics import INSTRUMENTAL_LYRICS, make_lyrics, make_title
from musicapi_nb.simulator.songs import Brief, make_id
from musicapi_nb.simulator.tasks import Song


def producer_songs(brief: Brief) -> tuple[Song, ...]:
    """Play producer's one song."""
    body, source = brief.body, brief.source
    song = _song(brief, 0, str(body.get("sound") or ""), float(body.get("length") or 0), "FUZZ-2.0")
    if source is not None and "starts_at" in body and "ends_at" in body:
        song = _between(song, source, float(body["starts_at"]), float(body["ends_at"]))
    elif source is not None:
        kept = min(float(body.get("starts_at") or source.duration), source.duration)
        added = min(float(body.get("extend_s") or song.duration), song.duration)
        pieces = ((source, 0.0, kept), (song, 0.0, added))
        details = {**song.details, "pieces": pieces}
        song = replace(song, duration=round(kept + added, 6), details=details)
    return (song,)


def riffusion_songs(brief: Brief) -> tuple[Song, ...]:
    """Play riffusion's two songs."""
    text = str(brief.body.get("sound") or brief.body.get("prompt") or "")
    return tuple(_song(brief, index, text, 0.0, "FUZZ-1.1") for index in (0, 1))


def _song(brief: Brief, index: int, sound: str, length: float, model: str) -> Song:
    body, source, seed = brief.body, brief.source, f"{brief.seed}/{index}"
    rng = Random(seed)
    about = " ".join(str(body[name]) for name in ("title", "sound", "prompt") if body.get(name))
    old = source.title if source else ""
    instrumental = bool(body.get("make_instrumental"))
    lyrics = str(body.get("lyrics") or (source.lyrics if source else "") or "")
    if instrumental:
        lyrics = INSTRUMENTAL_LYRICS
    sound = sound or ", ".join(source.tags if source else ())
    drawn = Random(f"{brief.seed}/seed").randrange(2**32)
    return Song(
        song_id=make_id(seed),
        seed=f"{seed}/{body['seed']}" if "seed" in body else seed,
        title=str(body.get("title") or old or make_title(about or lyrics, rng)),
        tags=tagging.split(tagging.asked_text(sound)) if sound else ("pop",),
        lyrics=lyrics or make_lyrics(about, rng),
        duration=length or round(rng.uniform(*brief.seconds), 6),
        instrumental=instrumental,
        model=str(body.get("mv") or model),
        form="m4a",
        details={"sound": sound, "seed": str(body.get("seed", drawn)), "forms": ("wav",)}
        | ({"parent": source.song_id} if source else {}),
    )


def _between(song: Song, source: Song, first: float, last: float) -> Song:
    last = min(last, source.duration)
    first = min(first, last)
    other = replace(song, duration=source.duration)
    pieces = ((source, 0.0, first), (other, first, last), (source, last, source.duration))
    details = {**song.details, "pieces": pieces}
    return replace(song, duration=source.duration, details=details)
