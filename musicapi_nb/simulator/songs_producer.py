"""Songs of producer and its forerunner riffusion. No I/O."""

from dataclasses import replace
from random import Random

from musicapi_nb.simulator import tag_rewriting
from musicapi_nb.simulator.music.lyric_writer import INSTRUMENTAL_LYRICS, make_lyrics, make_title
from musicapi_nb.simulator.music.recording import Recording
from musicapi_nb.simulator.songs import Brief, make_id
from musicapi_nb.simulator.tasks import Song


def producer_songs(brief: Brief) -> tuple[Song, ...]:
    """Make producer's one song: new, an extension, or with a section replaced."""
    body, source = brief.body, brief.source
    seconds = float(body.get("length") or 0)
    song = _song(brief, 0, str(body.get("sound") or ""), seconds, "FUZZ-2.0")
    if source is not None and "starts_at" in body and "ends_at" in body:
        seconds = source.duration  # a section is replaced
    elif source is not None:
        cut = min(float(body.get("starts_at") or source.duration), source.duration)
        added = min(float(body.get("extend_s") or song.duration), song.duration)
        seconds = round(cut + added, 6)
    else:
        return (song,)
    return (replace(song, recording=replace(song.recording, seconds=seconds)),)


def riffusion_songs(brief: Brief) -> tuple[Song, ...]:
    """Make riffusion's two songs."""
    sound = str(brief.body.get("sound") or brief.body.get("prompt") or "")
    return tuple(_song(brief, index, sound, 0.0, "FUZZ-1.1") for index in (0, 1))


def _song(brief: Brief, index: int, sound: str, seconds: float, model: str) -> Song:
    body, source, seed = brief.body, brief.source, f"{brief.seed}/{index}"
    rng = Random(seed)
    about = " ".join(str(body[name]) for name in ("title", "sound", "prompt") if body.get(name))
    title = body.get("title") or (source.title if source else "")
    instrumental = bool(body.get("make_instrumental"))
    lyrics = str(body.get("lyrics") or (source.lyrics if source else "") or "")
    if instrumental:
        lyrics = INSTRUMENTAL_LYRICS
    sound = sound or ", ".join(source.tags if source else ())
    tags = tag_rewriting.split(tag_rewriting.requested_text(sound)) if sound else ("pop",)
    drawn_seed = Random(f"{brief.seed}/seed").randrange(2**32)
    details = {"sound": sound, "seed": str(body.get("seed", drawn_seed)), "formats": ("wav",)}
    audio_seed = f"{seed}/{body['seed']}" if "seed" in body else seed
    return Song(
        song_id=make_id(seed),
        title=str(title or make_title(about or lyrics, rng)),
        tags=tags,
        lyrics=lyrics or make_lyrics(about, rng),
        recording=Recording(
            audio_seed, tags, seconds or round(rng.uniform(*brief.seconds), 6), instrumental
        ),
        model=str(body.get("mv") or model),
        details=details | ({"parent": source.song_id} if source else {}),
    )
