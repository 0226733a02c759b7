"""Rules, shared by all engines, for requests that are refused before a charge. No I/O.

Sources: service.md 3 (fields, limits, models), 5 to 10 (other endpoints), 13 (messages). Where no
message is public, it follows the pattern of a documented one. A limit documented as "less than"
excludes that length.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

Body = Mapping[str, Any]

WEBHOOK_LIMIT = 1024
UNREACHABLE = "The audio URL is not reachable."
INACCESSIBLE = "Audio URL is not accessible. Please check the address."
KNOWN_RECORDING = "The audio matches an existing recording."

REFUSALS: Mapping[str, str] = {
    "lyrics_format": "The lyrics format is invalid. Please check and try again.",
    "copyrighted": (
        "The lyrics contain copyrighted content: 'simulated'. Please use original lyrics."
    ),
    "inappropriate": "The lyrics contain inappropriate content: 'simulated'.",
    "review": "The song description needs moderation review.",
}
"""Reason to the documented message of a 403 about content."""

REFUSED_PHRASES: Mapping[str, str] = {f"simulate {reason}": reason for reason in REFUSALS}
"""Phrase to the reason for which lyrics or a description with it are refused."""

OUT_OF_CREDITS = (
    "The remaining credits are not enough. You can buy more one-time credit packs or subscribe."
)
QUEUE_FULL = "queue is full"
NO_SUBSCRIPTION = (
    "You do not have an active subscription. Please check whether your renewal was successful."
)


class Refusal(Exception):
    """An error answer of the service; nothing is charged."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status: int = status
        self.kind: str = kind
        self.message: str = message


def invalid(message: str) -> Refusal:
    """Return the 400 for a request that breaks a rule."""
    return Refusal(400, "validation_error", message)


def forbidden(message: str) -> Refusal:
    """Return the 403 for a request refused because of its content or its credits."""
    return Refusal(403, "forbidden", message)


def check_content(lyrics: str | None, description: str | None) -> None:
    """Refuse lyrics without a letter, and lyrics or a description with a refused phrase."""
    if lyrics is not None and not any(character.isalpha() for character in lyrics):
        raise forbidden(REFUSALS["lyrics_format"])
    text = f"{lyrics or ''}\n{description or ''}".lower()
    for phrase, reason in REFUSED_PHRASES.items():
        if phrase in text:
            raise forbidden(REFUSALS[reason])


def check_required(body: Body, names: Sequence[str], task_type: str | None = None) -> None:
    when = f" when task_type = {task_type}" if task_type else ""
    for name in names:
        if body.get(name) in (None, ""):
            raise invalid(f"The '{name}' field is required{when}.")


class Kind(NamedTuple):
    """The values that a field accepts, and the refusal message after the name of the field."""

    accepts: Callable[[Any], bool]
    message: str
    limit: float = math.inf
    """A text must have fewer characters."""


STRING = Kind(lambda value: isinstance(value, str), "should be string.")
BOOLEAN = Kind(lambda value: isinstance(value, bool), "should be boolean.")
SECONDS = Kind(lambda value: is_number(value) and value >= 0, "should be a number of seconds.")


def text(limit: int) -> Kind:
    return STRING._replace(limit=limit)


def fraction(low: float = 0.0) -> Kind:
    message = f"should be a number from {low:g} to 1."
    return Kind(lambda value: is_number(value) and low <= value <= 1, message)


def integer(low: int, high: int) -> Kind:
    message = f"should be an integer from {low} to {high}."
    return Kind(lambda value: type(value) is int and low <= value <= high, message)


def choice(*choices: str) -> Kind:
    return Kind(choices.__contains__, f"is invalid. It should be {either(choices)}.")


def check_fields(body: Body, kinds: Mapping[str, Kind]) -> None:
    """Refuse a value of the wrong kind; the keys of ``kinds`` are names, separated by spaces."""
    fields = ((name, kind) for names, kind in kinds.items() for name in names.split())
    for name, kind in fields:
        value = body.get(name)
        if value is not None and not kind.accepts(value):
            raise invalid(f"The '{name}' field {kind.message}")
        if isinstance(value, str) and len(value) >= kind.limit:
            quoted = repr(name) if name == "gpt_description_prompt" else name  # as documented
            raise invalid(f"The {quoted} character length should be less than {kind.limit}.")


def check_range(body: Body, start: str, end: str, longest: float = math.inf) -> None:
    """Refuse a range that ends before it starts or is longer than ``longest`` seconds."""
    check_fields(body, {f"{start} {end}": SECONDS})
    first, last = body.get(start), body.get(end)
    if first is None or last is None:
        return
    if first >= last:
        raise invalid(f"The '{start}' field should be less than '{end}'.")
    if last - first > longest:
        raise invalid(f"'{start}' to '{end}' should be at most {longest:g} seconds.")


def check_url(body: Body, name: str) -> None:
    """Refuse a value other than an http(s) URL, and a URL whose file is refused."""
    url = body.get(name)
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise invalid(f"The '{name}' field should be a URL.")
    if problem := file_problem(url):
        raise invalid(problem)


def file_problem(url: str) -> str | None:
    """Return why a file is refused, or None.

    Hosts below ``.invalid`` count as not reachable, a URL that contains ``simulate-recording`` as
    an existing recording.
    """
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    if not host or host.endswith(".invalid"):
        return UNREACHABLE
    return KNOWN_RECORDING if "simulate-recording" in url else None


def lyrics_of(body: Body) -> str | None:
    """Return the lyrics of a custom sonic request: ``prompt``, or its alias ``lyrics``."""
    text = body.get("prompt") or body.get("lyrics")
    return text if isinstance(text, str) else None


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def either(choices: Sequence[str]) -> str:
    """List choices for a message: 'a', 'b' or 'c'."""
    *names, last = (f"'{choice}'" for choice in choices)
    return f"{', '.join(names)} or {last}"
