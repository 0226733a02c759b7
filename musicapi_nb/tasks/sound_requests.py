"""The sound that the request of a song asks for, and the field that states it. No I/O.

Texts are those that request tags or describe the song, and the tags to avoid; `sound_texts` and
`musical_keys` read them. Fields are those of the engines, by name. Lyrics and titles are words of
the song and ask nothing, except lyrics that are only the mark "[Instrumental]".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from musicapi_nb.engines import Request
from musicapi_nb.tasks.json_reader import clean
from musicapi_nb.tasks.musical_keys import Key, find_keys
from musicapi_nb.tasks.requested_tags import negative_tags, requested_tags
from musicapi_nb.tasks.song import Song
from musicapi_nb.tasks.sound_texts import (
    Tempo,
    find_avoided,
    find_instrumental,
    find_lengths,
    find_tempi,
    is_instrumental_mark,
    plain_text,
)

Value = TypeVar("Value")

TEMPO_FIELDS = ("bpm",)
LENGTH_FIELDS = ("duration", "length")
INSTRUMENTAL_FIELDS = ("make_instrumental", "instrumental")
_INSTRUMENTAL_CHOICES = {"lyrics_type": "instrumental", "type": "bgm"}
"""Fields or constants of studio and nuro, and their value for a song without singing."""
_MAX_LETTERS = 5000
"""The letters of a text that are read: the service accepts no longer text."""


class Statement(NamedTuple, Generic[Value]):
    """A requested value, the field of the request that has it, and the words there."""

    value: Value
    field: str
    text: str


class SoundRequest(NamedTuple):
    """What a request asks of the sound; None where it asks nothing, or contradicts itself.

    `duration` is in seconds; `conflicts` has one text for each contradiction.
    """

    tempo: Statement[Tempo] | None = None
    key: Statement[Key] | None = None
    duration: Statement[float] | None = None
    instrumental: Statement[bool] | None = None
    conflicts: tuple[str, ...] = ()

    def statements(self) -> dict[str, Statement[Any]]:
        """Return what is requested, by property."""
        values = self._asdict()
        return {
            name: value
            for name, value in values.items()
            if name != "conflicts" and value is not None
        }


class RequestParts(NamedTuple):
    """The parts of a request that can ask for a sound, by the names of its fields.

    `texts` request tags or describe the song, `negative` names tags to avoid; `fields` are those
    with other values.
    """

    texts: Mapping[str, str]
    negative: Mapping[str, str] = {}
    lyrics: Mapping[str, str] = {}
    fields: Mapping[str, Any] = {}


def sound_request(song: Song) -> SoundRequest:
    """Return what the request of a song asks of its sound.

    Without its request, only the requested tags that the reply repeats are read.
    """
    if song.request is not None:
        return read_sound_request(_parts_of(song.request))
    requested = requested_tags(song, None)
    negative = negative_tags(song.extra, None)
    return read_sound_request(
        RequestParts(
            {"requested_tags": requested} if requested else {},
            {"negative_tags": negative} if negative else {},
        )
    )


def _parts_of(request: Request) -> RequestParts:
    fields = {**request.constants, **{name: getattr(request, name) for name in request.fields()}}
    fields |= request.extra
    if request.group != "Make songs" and "cover" not in request.operation:
        # of a song that goes on, the length may be that of the new part
        fields = {name: value for name, value in fields.items() if name not in LENGTH_FIELDS}

    def texts_of(names: Iterable[str]) -> dict[str, str]:
        texts = {name: request.text_of([name]) for name in names}
        return {name: text for name, text in texts.items() if text}

    return RequestParts(
        texts_of(request.tag_fields),
        texts_of(request.negative_tag_fields),
        texts_of(name for name in request.text_fields if name not in request.tag_fields),
        fields,
    )


def read_sound_request(parts: RequestParts) -> SoundRequest:
    """Read what the parts of a request ask of the sound."""
    texts = {name: plain_text(clean(text[:_MAX_LETTERS])) for name, text in parts.texts.items()}
    conflicts: list[str] = []
    return SoundRequest(
        _narrowest(_tempi(texts, parts.fields), conflicts),
        _only("keys", _keys(texts), conflicts),
        _only("lengths", _lengths(texts, parts.fields), conflicts),
        _only("answers about singing", _instrumental(texts, parts), conflicts),
        tuple(conflicts),
    )


def _tempi(texts: Mapping[str, str], fields: Mapping[str, Any]) -> Iterator[Statement[Tempo]]:
    for name, number in _numbers(fields, TEMPO_FIELDS):
        yield Statement(Tempo(number, number), name, f"{number:g}")
    for name, text in texts.items():
        yield from (Statement(mention.tempo, name, mention.text) for mention in find_tempi(text))


def _keys(texts: Mapping[str, str]) -> Iterator[Statement[Key]]:
    for name, text in texts.items():
        yield from (Statement(mention.key, name, mention.text) for mention in find_keys(text))


def _lengths(texts: Mapping[str, str], fields: Mapping[str, Any]) -> Iterator[Statement[float]]:
    for name, number in _numbers(fields, LENGTH_FIELDS):
        yield Statement(number, name, f"{number:g}")
    if total := sum(_segment_seconds(fields.get("segments"))):
        yield Statement(float(total), "segments", f"{total:g}")
    for name, text in texts.items():
        yield from (
            Statement(mention.seconds, name, mention.text) for mention in find_lengths(text)
        )


def _segment_seconds(segments: Any) -> Iterator[float]:
    """Yield the seconds of nuro's segments."""
    for segment in segments if isinstance(segments, list | tuple) else ():
        seconds = msgspec.to_builtins(segment).get("duration")
        yield float(seconds) if isinstance(seconds, int | float) else 0.0


def _instrumental(texts: Mapping[str, str], parts: RequestParts) -> Iterator[Statement[bool]]:
    for name in INSTRUMENTAL_FIELDS:
        value = parts.fields.get(name)
        if isinstance(value, bool | str) and value != "":
            yield Statement(bool(value), name, str(value).lower())
    for name, choice in _INSTRUMENTAL_CHOICES.items():
        if parts.fields.get(name) == choice:
            yield Statement(value=True, field=name, text=choice)
    for name, text in parts.lyrics.items():
        if is_instrumental_mark(text):
            yield Statement(value=True, field=name, text=text.strip())
    yield from _statements_on_singing(texts, parts.negative)


def _statements_on_singing(
    texts: Mapping[str, str], negative: Mapping[str, str]
) -> Iterator[Statement[bool]]:
    for name, text in texts.items():
        if phrase := find_instrumental(text):
            yield Statement(value=True, field=name, text=phrase)
    for name, text in negative.items():
        if avoided := find_avoided(plain_text(clean(text[:_MAX_LETTERS]))):
            yield Statement(avoided[0], name, avoided[1])


def _numbers(fields: Mapping[str, Any], names: Iterable[str]) -> Iterator[tuple[str, float]]:
    for name in names:
        value = fields.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if math.isfinite(value) and value > 0:
            yield name, float(value)


def _narrowest(
    statements: Iterable[Statement[Tempo]], conflicts: list[str]
) -> Statement[Tempo] | None:
    """Return the statement that lies within all others, else note the contradiction."""
    statements = list(statements)
    for statement in statements:
        low, high = statement.value
        if all(other.value.low <= low and high <= other.value.high for other in statements):
            return statement
    return _only("tempi", statements, conflicts)


def _only(
    name: str, statements: Iterable[Statement[Value]], conflicts: list[str]
) -> Statement[Value] | None:
    """Return the first statement if all agree; otherwise note the contradiction."""
    first: dict[Value, Statement[Value]] = {}
    for statement in statements:
        first.setdefault(statement.value, statement)
    if len(first) > 1:
        parts = (f"{part.text!r} in {part.field}" for part in first.values())
        conflicts.append(f"several {name}: {', '.join(parts)}")
        return None
    return next(iter(first.values()), None)
