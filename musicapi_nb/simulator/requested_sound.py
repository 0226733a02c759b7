"""The tempo, key and singing that a request asks for, and what the songs make of it. No I/O.

Real models follow such requests more or less; how often is not public. The chances are invented
(``vocabulary``), and ``ReplyOptions.requested_sound`` switches them.
"""

import re
from random import Random
from typing import Any

from musicapi_nb.simulator import vocabulary
from musicapi_nb.simulator.catalog import Call
from musicapi_nb.simulator.music.composition import KEYS

_NUMBER = r"(\d{2,3}(?:\.\d+)?)"
_TEMPO = re.compile(
    rf"(?<![\w.]){_NUMBER}(?:\s*(?:-|\u2013|to)\s*{_NUMBER})?\s*-?\s*(?:bpm|beats per minute)\b"
    rf"|(?:\bbpm|\btempo|♩)\s*[:=]?\s*{_NUMBER}(?![\w/%])",
    re.IGNORECASE,
)
_KEY = re.compile(
    r"\b([A-G])(#|♯|b|♭| sharp| flat)?(?:[ -]?(major|minor|maj|min|Major|Minor)|(m))\b"
)
_INSTRUMENTAL = re.compile(r"(?<![\w-])(?:instrumental|no vocals|without vocals)\b", re.IGNORECASE)
_SLOWEST, _FASTEST = 40.0, 220.0
"""Beats a minute; requests beyond are ignored, and so are half and double tempi beyond."""


def tempo_and_key(call: Call, text: str, seed: str) -> dict[str, Any]:
    """Return the fields ``bpm`` and ``key`` of the recording of one song; None is not requested."""
    habit = call.options.requested_sound
    if habit == "never":
        return {"bpm": None, "key": None}
    rng = Random(f"{seed}/requested sound")
    tempo, key = _tempo(call, text), _key(text)
    if habit == "mostly":
        tempo, key = tempo and _played_tempo(tempo, rng), key and _played_key(key, rng)
    return {"bpm": tempo, "key": key}


def asks_for_instrumental(call: Call, text: str) -> bool:
    """Return whether the songs of a sonic task have no singer because its text asks for that."""
    habit = call.options.requested_sound
    if habit == "never" or not _INSTRUMENTAL.search(text):
        return False
    chance = Random(f"{call.seed}/requested sound").random()
    return habit == "always" or chance < vocabulary.INSTRUMENTAL_CHANCE


def _tempo(call: Call, text: str) -> float | None:
    field = call.body.get("bpm")
    if isinstance(field, int | float) and not isinstance(field, bool):
        bpm = float(field)
    elif match := _TEMPO.search(text):
        figures = [float(figure) for figure in match.groups() if figure]
        bpm = sum(figures) / len(figures)
    else:
        return None
    return bpm if _SLOWEST <= bpm <= _FASTEST else None


def _played_tempo(requested: float, rng: Random) -> float | None:
    spread = rng.uniform(-vocabulary.TEMPO_SPREAD, vocabulary.TEMPO_SPREAD)
    (ratio,) = rng.choices(list(vocabulary.TEMPO_HABITS), list(vocabulary.TEMPO_HABITS.values()))
    if not ratio:
        return None
    if not _SLOWEST <= requested * ratio <= _FASTEST:
        ratio = 1
    return round(requested * ratio * (1 + spread), 1)


def _key(text: str) -> str | None:
    if not (match := _KEY.search(text)):
        return None
    letter, sign, mode, _ = match.groups()
    raised = {"#": 1, "♯": 1, "sharp": 1, None: 0}.get(sign and sign.strip(), -1)
    tonic = ("C D EF G A B".index(letter) + raised) % 12
    return KEYS["major" if (mode or "minor").lower().startswith("maj") else "minor"][tonic]


def _played_key(requested: str, rng: Random) -> str | None:
    (habit,) = rng.choices(list(vocabulary.KEY_HABITS), list(vocabulary.KEY_HABITS.values()))
    mode = requested.split()[1]
    tonic = KEYS[mode].index(requested)
    if habit == "relative":
        other, steps = ("major", 3) if mode == "minor" else ("minor", -3)
        return KEYS[other][(tonic + steps) % 12]
    if habit == "fifth":
        return KEYS[mode][(tonic + rng.choice((5, 7))) % 12]
    return requested if habit == "exact" else None
