"""What the service refuses before anything is charged, in its own words where these are known.

This is what all engines share; each has a module of its own beside this one. Sources: service.md 3
(fields, limits, models), 5 to 10 (other endpoints), 13 (wordings). Where no wording is public, the
message follows the pattern of a documented one. A limit that is worded "less than" is taken at its
word: a text of exactly that length is refused.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

Body = Mapping[str, Any]

WEBHOOK_LIMIT = 1024
UNREACHABLE = "The audio URL is not reachable."
KNOWN_RECORDING = "The audio matches an existing recording."

REFUSALS: Mapping[str, str] = {
    "lyrics_format": "The lyrics format is invalid. Please check and try again.",
    "copyrighted": (
        "The lyrics contain copyrighted content: 'simulated'. Please use original lyrics."
    ),
    "inappropriate": "The lyrics contain inappropriate content: 'simulated'.",
    "review": "The song description needs moderation review.",
}
"""Documented 403s about content, by the reason that calls them up."""

REFUSED_PHRASES: Mapping[str, str] = {f"simulate {reason}": reason for reason in REFUSALS}
"""Lyrics or a description that contain one of these are refused for that reason."""

OUT_OF_CREDITS = (
    "The remaining credits are not enough. You can buy more one-time credit packs or subscribe."
)
QUEUE_FULL = "queue is full"
NO_SUBSCRIPTION = (
    "You do not have an active subscription. Please check whether your renewal was successful."
)


class Refusal(Exception):
    """An answer of the service other than success; nothing is charged."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message


def invalid(message: str) -> Refusal:
    """Give the 400 of a request that breaks a rule."""
    return Refusal(400, "validation_error", message)


def forbidden(message: str) -> Refusal:
    """Give the 403 of a request that is refused for its content or its credits."""
    return Refusal(403, "forbidden", message)


def retired(what: str) -> Refusal:
    """Give the 410 of an engine or a task type that is no longer offered."""
    return Refusal(410, "gone", f"{what} is no longer available.")


def moderated(words: str | None, description: str | None) -> None:
    """Refuse lyrics without a letter, and lyrics or a description with a refused phrase."""
    if words is not None and not any(character.isalpha() for character in words):
        raise forbidden(REFUSALS["lyrics_format"])
    text = f"{words or ''}\n{description or ''}".lower()
    for phrase, reason in REFUSED_PHRASES.items():
        if phrase in text:
            raise forbidden(REFUSALS[reason])


def required(body: Body, names: Sequence[str], task_type: str | None) -> None:
    """Refuse a body without one of these fields."""
    when = f" when task_type = {task_type}" if task_type else ""
    for name in names:
        if body.get(name) in (None, ""):
            raise invalid(f"The '{name}' field is required{when}.")


def shorter(text: str, limit: int, name: str) -> None:
    """Refuse a text that is not shorter than ``limit`` characters."""
    if len(text) >= limit:
        raise invalid(f"The {name} character length should be less than {limit}.")


def fraction(body: Body, name: str) -> None:
    """Refuse a value outside 0 to 1."""
    value = body.get(name)
    if value is not None and (not number(value) or not 0 <= value <= 1):
        raise invalid(f"The '{name}' field should be a number from 0 to 1.")


def span(body: Body, start: str, end: str, most: float | None = None) -> None:
    """Refuse a part of a song that ends before it starts, or is longer than ``most`` seconds."""
    for name in (start, end):
        seconds(body, name)
    first, last = body.get(start), body.get(end)
    if first is None or last is None:
        return
    if first >= last:
        raise invalid(f"The '{start}' field should be less than '{end}'.")
    if most is not None and last - first > most:
        raise invalid(f"'{start}' to '{end}' should be at most {most:g} seconds.")


def seconds(body: Body, name: str) -> None:
    """Refuse what is no number of seconds from 0."""
    value = body.get(name)
    if value is not None and (not number(value) or value < 0):
        raise invalid(f"The '{name}' field should be a number of seconds.")


def typed(body: Body, names: Sequence[str], kind: type, word: str) -> None:
    """Refuse a value of another JSON type than ``kind``, which is called ``word``."""
    for name in names:
        if body.get(name) is not None and not isinstance(body[name], kind):
            raise invalid(f"The '{name}' field should be {word}.")


def one_of(body: Body, name: str, words: Sequence[str]) -> None:
    """Refuse a word that is not in the list."""
    if body.get(name) is not None and body[name] not in words:
        raise invalid(f"The '{name}' field is invalid. It should be {either(words)}.")


def address(body: Body, name: str) -> None:
    """Refuse what is no URL, and one whose file is not taken."""
    url = body.get(name)
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise invalid(f"The '{name}' field should be a URL.")
    if problem := file_problem(url):
        raise invalid(problem)


def file_problem(url: str) -> str | None:
    """Say why a file is not taken, if it is not.

    Hosts below ``.invalid`` count as not reachable, a URL that contains ``simulate-recording`` as
    music that exists already.
    """
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    if not host or host.endswith(".invalid"):
        return UNREACHABLE
    return KNOWN_RECORDING if "simulate-recording" in url else None


def number(value: Any) -> bool:
    """Whether a JSON value is a number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def either(words: Sequence[str]) -> str:
    """List the words that a field may hold."""
    *most, last = (f"'{word}'" for word in words)
    return f"{', '.join(most)} or {last}"


def only_chinese_or_english(text: str) -> bool:
    """Whether most letters of a text are Latin or Chinese: nuro sings nothing else."""
    letters = [character for character in text if character.isalpha()]
    own = sum(unicodedata.name(letter, "").startswith(("LATIN", "CJK")) for letter in letters)
    return 2 * own >= len(letters)
