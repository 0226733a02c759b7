"""Songs made of songs: remasters, stems, replaced sections, mashups, joined pairs. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from types import MappingProxyType
from typing import Any

from musicapi_nb.simulator import tags as tagging
from musicapi_nb.simulator.drums import KIT
from musicapi_nb.simulator.lyrics import INSTRUMENTAL_LYRICS, make_lyrics
from musicapi_nb.simulator.songs import Brief, made_up, make_id, sonic_songs
from musicapi_nb.simulator.synth import VOICES
from musicapi_nb.simulator.tasks import Song
from musicapi_nb.simulator.validation_sonic import lyrics_of

_BASSES = frozenset(("finger", "pick", "upright", "cello", "sub"))
_DRUMS = frozenset(KIT)
_REST = frozenset(VOICES) - _BASSES - {"voice"}


def _parts(**names: str) -> dict[str, frozenset[str]]:
    return {
        name.replace("_", " ").title(): frozenset(played.split()) for name, played in names.items()
    }


STEMS: Mapping[int, Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        2: {"Vocals": frozenset(["voice"]), "Instrumental": frozenset(VOICES) - {"voice"} | _DRUMS},
        4: {"Vocals": frozenset(["voice"]), "Drums": _DRUMS, "Bass": _BASSES, "Other": _REST},
        12: _parts(
            vocals="voice",
            backing_vocals="",
            drums="kick snare gate hat open pedal ride tom",
            percussion="clap rim shaker marimba",
            bass="finger pick upright sub",
            guitar="guitar electric",
            keyboard="piano rhodes organ",
            strings="strings harp cello",
            synth="synth pad",
            brass="brass",
            woodwinds="reed flute",
            fx="",
        ),
        24: _parts(
            lead_vocals="voice",
            backing_vocals="",
            kick="kick",
            snare="snare gate",
            hi_hat="hat open pedal",
            cymbals="ride",
            toms="tom",
            percussion="clap rim shaker",
            bass_guitar="finger pick",
            double_bass="upright",
            synth_bass="sub",
            cello="cello",
            acoustic_guitar="guitar",
            electric_guitar="electric",
            piano="piano",
            electric_piano="rhodes",
            organ="organ",
            strings="strings",
            harp="harp",
            mallets="marimba",
            synth="synth pad",
            brass="brass",
            reeds="reed",
            flute="flute",
        ),
    }
)
"""By how many there are: what each stem holds. Together they are the whole song."""


def stems(brief: Brief, count: int) -> tuple[Song, ...]:
    """Take a song apart."""
    source = brief.source
    if source is None:
        source = sonic_songs(made_up(brief), 1)[0]
    return tuple(
        replace(
            source,
            song_id=make_id(f"{brief.seed}/{index}"),
            title=f"{source.title} ({name})",
            details={"parent": source.song_id, "of": source, "parts": parts},
        )
        for index, (name, parts) in enumerate(STEMS[count].items())
    )


def remastered(brief: Brief, count: int) -> tuple[Song, ...]:
    """Sound the same piece anew; a high variation is another performance."""
    source = brief.source
    if source is None:
        return sonic_songs(made_up(brief), count)
    other = brief.body.get("variation_category") == "high"
    return tuple(
        _copy(brief, index, seed=f"{source.seed}/{index}" if other else source.seed)
        for index in range(count)
    )


def with_vocals(brief: Brief, count: int = 2) -> tuple[Song, ...]:
    """Let somebody sing to an instrumental."""
    source = brief.source
    if source is None:
        return sonic_songs(made_up(brief), count)
    rng = Random(f"{brief.seed}/words")
    singer = "male vocals" if brief.body.get("vocal_gender") == "m" else "female vocals"
    asked = brief.body.get("gpt_description_prompt") or source.title
    return tuple(
        _copy(
            brief,
            index,
            lyrics=lyrics_of(brief.body) or make_lyrics(str(asked), rng),
            instrumental=False,
            tags=_retagged(brief, source, index),
            details={"parent": source.song_id, "played": singer},
        )
        for index in range(count)
    )


def with_instruments(brief: Brief, count: int = 2) -> tuple[Song, ...]:
    """Play to somebody's singing."""
    source = brief.source
    if source is None:
        return sonic_songs(made_up(brief), count)
    return tuple(
        _copy(
            brief,
            index,
            instrumental=False,
            lyrics=source.lyrics or lyrics_of(brief.body) or "",
            tags=_retagged(brief, source, index),
        )
        for index in range(count)
    )


def section_replaced(brief: Brief, count: int = 2) -> tuple[Song, ...]:
    """Sing a part of a song anew; what lies before and after stays as it is."""
    source, body = brief.source, brief.body
    if source is None:
        return sonic_songs(made_up(brief), count)
    last = min(float(body["infill_end_s"]), source.duration)
    first = min(float(body["infill_start_s"]), last)
    songs = []
    for index in range(count):
        other = replace(source, seed=f"{brief.seed}/{index}", details=_sound(source))
        pieces = ((source, 0.0, first), (other, first, last), (source, last, source.duration))
        changed = lyrics_of(body) or _joined(source.lyrics, body.get("infill_lyrics"))
        details = {"parent": source.song_id, "pieces": pieces}
        tags = _retagged(brief, source, index)
        songs.append(_copy(brief, index, lyrics=changed, tags=tags, details=details))
    return tuple(songs)


def mashed(brief: Brief, other: Song | None) -> tuple[Song, ...]:
    """Make one song of two: both titles, the tags of both."""
    both = [song for song in (brief.source, other) if song is not None]
    title = brief.body.get("title") or " x ".join(song.title for song in both)
    style = ", ".join(tag for song in both for tag in song.tags)
    lyrics = next((song.lyrics for song in both if song.lyrics), "")
    parents = tuple(song.song_id for song in both)
    made = sonic_songs(made_up(brief)._replace(source=None, style=style))
    given = lyrics_of(brief.body) or brief.body.get("gpt_description_prompt")
    return tuple(
        replace(
            song,
            title=str(title) or song.title,
            lyrics=song.lyrics if given or song.instrumental else lyrics or song.lyrics,
            details={**song.details, "parents": parents},
        )
        for song in made
    )


def paired(brief: Brief, made: tuple[Song, ...]) -> tuple[Song, ...]:
    """Add to each song the one that joins it to what it builds on."""
    source = brief.source
    if source is None:
        return made
    kept = min(float(brief.body.get("continue_at") or source.duration), source.duration)
    return made + tuple(
        join(song, source, kept, f"{brief.seed}/full/{index}", {"full_of": song.song_id})
        for index, song in enumerate(made)
    )


def join(
    song: Song, first: Song | None, kept: float, seed: str, details: Mapping[str, Any]
) -> Song:
    """Set a song behind the first ``kept`` seconds of another."""
    if first is None or not kept:
        return replace(song, song_id=make_id(seed), seed=seed, details=details)
    return replace(
        song,
        song_id=make_id(seed),
        seed=seed,
        title=first.title or song.title,
        lyrics=_joined(first.lyrics, song.lyrics),
        duration=round(kept + song.duration, 2),
        instrumental=first.instrumental and song.instrumental,
        details={**details, "pieces": ((first, 0.0, kept), (song, 0.0, song.duration))},
    )


def _copy(brief: Brief, index: int, **changes: Any) -> Song:
    source = brief.source
    if source is None:
        raise TypeError("there is nothing to copy")
    kept = {"parent": source.song_id, **_sound(source)}
    known: dict[str, Any] = {
        "song_id": make_id(f"{brief.seed}/{index}"),
        "title": brief.body.get("title") or source.title,
        "model": str(brief.body.get("mv") or source.model),
        "details": kept,
    }
    return replace(source, **{**known, **changes})


def _sound(song: Song) -> dict[str, Any]:
    """Give those details that decide how a song sounds."""
    heard = ("played", "pieces", "of", "parts")
    return {name: song.details[name] for name in heard if name in song.details}


def _retagged(brief: Brief, source: Song, index: int) -> tuple[str, ...]:
    asked = brief.body.get("tags")
    if not asked:
        return source.tags
    avoid = str(brief.body.get("negative_tags") or "")
    return tagging.sonic_tags(str(asked), Random(f"{brief.seed}/{index}"), avoid)


def _joined(*lyrics: str | None) -> str:
    parts = [text for text in lyrics if text and text != INSTRUMENTAL_LYRICS]
    return "\n\n".join(parts) or INSTRUMENTAL_LYRICS
