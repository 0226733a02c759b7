"""Build an example request for each operation from its declaration alone."""

from typing import Any

import musicapi_nb as mnb
from musicapi_nb.engines.fields import Field, label_of
from musicapi_nb.engines.request import Request, Segment

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
_INSTRUCTIVE = ("title", "tags")
_CREATE = mnb.sonic.Create(
    custom_mode=False, mv="sonic-v6", gpt_description_prompt="rain on a tin roof, slow jazz"
)

Operation = type[Request]


def sample(op: Operation) -> Request:
    """
    Build a request that passes the checks of its operation.

    Required fields are set first, then fields named in remaining problems and advice, then fields
    that make the example more instructive.

    Raises
    ------
    LookupError
        No valid request was found.
    """
    fields = op.fields()
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if field.required and getattr(op(), name) is None:
            options = _options(op, values, name)  # advice is considered below
            values = min(options, key=lambda option: len(_hard(op, option)))
    for _ in fields:
        hard = _hard(op, values)
        named = [problem.field for problem in op(**values).problems() if problem.field in fields]
        names = named if named or not hard else fields
        options = [_with_field(op, values, name) for name in names]
        best = min(options, key=lambda option: _problem_counts(op, option), default=values)
        if not hard and _problem_counts(op, best) >= _problem_counts(op, values):
            break  # only advice remains that no value satisfies
        values = best
    if _hard(op, values):
        raise LookupError(f"no valid {op.engine}.{op.__name__}: {op(**values).problems()}")
    for name in (*op.text_fields, *_INSTRUCTIVE):
        if name in fields and name not in values:
            option = _with_field(op, values, name)
            after, before = op(**option), op(**values)
            if after.is_active(name) and len(after.problems()) <= len(before.problems()):
                values = option
    return op(**{name: values[name] for name in fields if name in values})


def _hard(op: Operation, values: dict[str, Any]) -> list[str]:
    return [problem.field for problem in op(**values).problems() if problem.hard]


def _problem_counts(op: Operation, values: dict[str, Any]) -> tuple[int, int]:
    """Return the number of hard problems, and of all problems and advice."""
    return len(_hard(op, values)), len(op(**values).problems())


def _with_field(op: Operation, values: dict[str, Any], name: str) -> dict[str, Any]:
    """Set a field to the first candidate value that leaves the fewest problems."""
    return min(_options(op, values, name), key=lambda option: _problem_counts(op, option))


def _options(op: Operation, values: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [values | {name: value} for value in _candidates(op.fields()[name], name, values)]


def _candidates(field: Field, name: str, values: dict[str, Any]) -> list[Any]:
    """Return values to try: those of the field's kind, else one of every type."""
    increasing = 30 * (1 + sum(type(value) is int for value in values.values()))
    bounds = [int(bound) for bound in (field.minimum, field.maximum) if bound is not None]
    is_lyrics = "lyrics" in label_of(name, field).lower()
    text = _LYRICS if is_lyrics else "rain on a tin roof, slow jazz"
    by_kind: dict[str, list[Any]] = {
        "text": [_short_text(name, text)],
        "long text": [text, _SONG] if is_lyrics else [text],
        "tags": ["spy jazz, bossa nova"],
        "choice": list(field.choices),
        "choices": [list(field.choices[:2])],
        "switch": [True, False],
        "fraction": [0.5],
        "integer": [increasing, *bounds],
        "whole seconds": [increasing, *bounds],
        "number": [increasing, *bounds],
        "seconds": [increasing, *bounds],
        "clip": list(_CLIPS),
        "url": ["https://example.org/tune.mp3"],
        "segments": [[Segment(name="intro", duration=20)]],
    }
    return by_kind.get(field.kind) or [list(_CLIPS), _CLIPS[0], 1, True, [_CREATE]]


def _short_text(name: str, text: str) -> str:
    if name.endswith("_id"):
        return _CLIPS[0]
    return "Tin roof" if name in _NAMES else text
