"""Find a request that is worth reading for each operation, from nothing but its declaration."""

from typing import Any

import musicapi_nb as mnb
from musicapi_nb.engines.request import Field, Request, Segment

_CLIPS = ("5a1e7c0d-2f64-4c0b-9d8e-7b3a6f215c90", "c7d2f3b8-91a4-4e6f-8b25-0e4d9a6c1f37")
_LYRICS = "[Verse]\nRain on a tin roof"
_SONG = """[Verse]
Rain on a tin roof, and the kettle sings along,
a bus goes by with no one in it, humming half a song.
I count the drops between the lamps and lose them at the door,
then somebody upstairs begins to dance across the floor.
[Chorus]
Stay a little longer, let the gutters keep the time,
the rain has got the rhythm and the tin has got the rhyme."""
_NAMES = ("title", "name")
_ENRICHING = ("title", "tags")
_CREATE = mnb.sonic.Create(
    custom_mode=False, mv="sonic-v6", gpt_description_prompt="rain on a tin roof, slow jazz"
)

Kind = type[Request]


def sample(kind: Kind) -> Request:
    """
    Make a request that its own declaration accepts, from nothing but that declaration.

    Required fields come first, then whatever problems and advice still name, then what makes the
    sample worth reading.

    Raises
    ------
    LookupError
        No such request was found.
    """
    fields = kind.fields()
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if field.required and getattr(kind(), name) is None:
            ways = _ways(kind, values, name)  # advice is for later, when more is known
            values = min(ways, key=lambda way: len(_hard(kind, way)))
    for _ in fields:
        hard = _hard(kind, values)
        named = [problem.field for problem in kind(**values).problems() if problem.field in fields]
        ways = [_added(kind, values, name) for name in (named if named or not hard else fields)]
        best = min(ways, key=lambda way: _faults(kind, way), default=values)
        if not hard and _faults(kind, best) >= _faults(kind, values):
            break  # what is left is advice that no value meets
        values = best
    if _hard(kind, values):
        raise LookupError(
            f"no sample of {kind.engine}.{kind.__name__} was found: {kind(**values).problems()}"
        )
    for name in (*kind.text_fields, *_ENRICHING):
        if name in fields and name not in values:
            richer = _added(kind, values, name)
            made, before = kind(**richer), kind(**values)
            if made.is_active(name) and len(made.problems()) <= len(before.problems()):
                values = richer
    return kind(**{name: values[name] for name in fields if name in values})


def _hard(kind: Kind, values: dict[str, Any]) -> list[str]:
    return [problem.field for problem in kind(**values).problems() if problem.hard]


def _faults(kind: Kind, values: dict[str, Any]) -> tuple[int, int]:
    """How many problems are hard, and how many there are: less is better."""
    return len(_hard(kind, values)), len(kind(**values).problems())


def _added(kind: Kind, values: dict[str, Any], name: str) -> dict[str, Any]:
    """Give a field the value that leaves the fewest problems: the first of the best."""
    return min(_ways(kind, values, name), key=lambda way: _faults(kind, way))


def _ways(kind: Kind, values: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [values | {name: value} for value in _candidates(kind.fields()[name], name, values)]


def _candidates(field: Field, name: str, values: dict[str, Any]) -> list[Any]:
    """Values to try: those of the field's kind, then of any kind that is not known here."""
    later = 30 * (1 + sum(type(value) is int for value in values.values()))
    bounds = [int(bound) for bound in (field.minimum, field.maximum) if bound is not None]
    sung = name == "lyrics" or field.help.lower().startswith(("the lyrics", "lyrics"))
    words = _LYRICS if sung else "rain on a tin roof, slow jazz"
    known: dict[str, list[Any]] = {
        "text": [_text(name, words)],
        "long text": [words, _SONG] if sung else [words],
        "tags": ["spy jazz, bossa nova"],
        "choice": list(field.choices),
        "choices": [list(field.choices[:2])],
        "switch": [True, False],
        "fraction": [0.5],
        "integer": [later, *bounds],
        "number": [later, *bounds],
        "seconds": [later, *bounds],
        "clip": list(_CLIPS),
        "url": ["https://example.org/tune.mp3"],
        "segments": [[Segment(name="intro", duration=20)]],
    }
    return known.get(field.kind) or [list(_CLIPS), _CLIPS[0], 1, True, [_CREATE]]


def _text(name: str, words: str) -> str:
    if name.endswith("_id"):
        return _CLIPS[0]
    return "Tin roof" if name in _NAMES else words
