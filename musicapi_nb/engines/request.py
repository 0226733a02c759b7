"""The Request: an operation of the service declared once, with its limits, price and standing."""

from __future__ import annotations

import dataclasses
import datetime as dt
import difflib
import functools
import json
import math
import os
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import msgspec

from musicapi_nb import markup
from musicapi_nb.errors import InvalidRequest, Problem

Kind: TypeAlias = Literal[
    "text",
    "long text",
    "tags",
    "choice",
    "switch",
    "fraction",
    "integer",
    "number",
    "seconds",
    "clip",
    "clips",
    "url",
    "choices",
    "segments",
    "requests",
]


@dataclasses.dataclass(frozen=True, slots=True)
class LimitByModel:
    """A character limit that depends on the model: `otherwise`, except for `models`."""

    otherwise: int
    models: Mapping[str, int]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """What is known of one field: the second part of its annotation.

    Attributes
    ----------
    help
        What the field does, for a person.
    kind
        How it is typed and shown: each kind has one Python type and one form control.
    required
        Needed in every case; what only some modes need is said by `Request.rules`.
    limit
        Characters. The service was only probed one step over its limits, and its older wording
        is "less than": more is refused, exactly as many draws advice.
    minimum, maximum
        Bounds of a number, both allowed.
    choices
        Allowed values; with `allow_other` others draw advice instead of refusal.
    min_items, max_items
        Items of a list.
    item
        What a list holds, where it is no text: a class whose values are built by keywords.
    """

    help: str
    kind: Kind = "text"
    required: bool = False
    limit: int | LimitByModel | None = None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    allow_other: bool = False
    min_items: int | None = None
    max_items: int | None = None
    item: type[msgspec.Struct] | None = None

    def limit_for(self, model: str | None) -> int | None:
        """Characters allowed when `model` is chosen (None: no limit known)."""
        if isinstance(self.limit, LimitByModel):
            return self.limit.models.get(canonical_model(model), self.limit.otherwise)
        return self.limit


@dataclasses.dataclass(frozen=True, slots=True)
class Price:
    """Credits for one submit, the day it was read, and where."""

    credits: int
    read: dt.date
    source: str


@dataclasses.dataclass(frozen=True, slots=True)
class Availability:
    """What is known of an operation that may no longer be offered."""

    status: Literal["unavailable", "retired elsewhere", "deprecated"]
    note: str
    source: str


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a nuro v2.0 instrumental: its name and its length in seconds."""

    name: str
    duration: int

    def __repr__(self) -> str:
        return f"nuro.Segment(name={self.name!r}, duration={self.duration!r})"


def is_missing(value: Any) -> bool:
    """Whether a field's value says nothing: left out, or blank text."""
    return value is None or (isinstance(value, str) and not value.strip())


def canonical_model(model: str | None) -> str:
    """Spell a model the sonic way: `chirp-v5` is the sibling host's word for `sonic-v5`."""
    return (model or "").replace("chirp-", "sonic-")


def model_of(request: Request) -> str | None:
    """The model that a request names, under whichever field; None if it names none."""
    model = getattr(request, "mv", None) or getattr(request, "model_type", None)
    return model if isinstance(model, str) else None


class _Meta(msgspec.StructMeta):
    """Refuses unknown fields by our own error, with the nearest name and the way through."""

    # msgspec reports an unknown keyword as a bare TypeError
    def __call__(cls, /, *args: Any, **fields: Any) -> Any:  # noqa: N805 - a metaclass
        known: tuple[str, ...] = cls.__struct_fields__
        unknown = [name for name in fields if name not in known]
        if unknown:
            raise InvalidRequest(cls.__name__, [_unknown(name, known) for name in unknown])
        extra = fields.get("extra", {})
        if not isinstance(extra, Mapping) or not all(isinstance(name, str) for name in extra):
            problem = Problem("extra", "should be a dict of field names and their values")
            raise InvalidRequest(cls.__name__, [problem])
        return super().__call__(*args, **fields)


def _unknown(name: str, known: Sequence[str]) -> Problem:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return Problem(
        name, f"no such field; {hint}What is newer than this goes through extra={{{name!r}: ...}}"
    )


# What is left out of a request that stands in another is left out of its JSON too: a purchase
# keeps its identity when an operation gets one more field.
class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, metaclass=_Meta):
    """The base of all operations; a subclass is one declaration.

    Every field may be left out at construction, so that `problems` can name all that is missing
    at once. None means: not sent. Fields that this version does not know are passed through by
    `extra={"name": value}`.
    """

    engine: ClassVar[str]
    operation: ClassVar[str]
    path: ClassVar[str]
    method: ClassVar[Literal["POST", "GET"]] = "POST"
    constants: ClassVar[Mapping[str, Any]] = {}
    reply: ClassVar[Literal["task", "immediate"]] = "task"
    songs: ClassVar[int | None] = None
    """How many songs to expect; None where that is not known."""
    cost: ClassVar[Price | None] = None
    availability: ClassVar[Availability | None] = None
    webhook: ClassVar[bool] = False
    """Whether the service takes a `webhook_url` here; the client adds it, it is no field."""
    poll_by_repost: ClassVar[bool] = False
    """Whether the same POST is how to ask again, as long as its reply says "not ready"."""
    active_when: ClassVar[Mapping[str, Mapping[str, tuple[Any, ...]]]] = {}
    """Fields that are of use only while other fields have one of these values."""
    text_fields: ClassVar[tuple[str, ...]] = ()
    """Where a text goes that comes without a field's name: the first of these that is of use."""

    extra: Mapping[str, Any] = msgspec.field(default_factory=dict)

    @classmethod
    def fields(cls) -> Mapping[str, Field]:
        """The declared fields in order, name to `Field`."""
        return _declared(cls)

    def problems(self) -> tuple[Problem, ...]:
        """Everything that is wrong or unwise about this request, all at once."""
        return (*self._checks(), *self._extra_checks(), *self.rules(), *self._standing_advice())

    def rules(self) -> Iterator[Problem]:
        """Yield problems across fields; overridden where an operation has any."""
        return iter(())

    def is_active(self, name: str) -> bool:
        """Whether a field says anything in the mode that the other fields choose."""
        wanted = self.active_when.get(name, {})
        return all(getattr(self, other) in values for other, values in wanted.items())

    def price(self) -> int | None:
        """Credits that one submit costs, or None when that is not known."""
        return self.cost.credits if self.cost else None

    def check(self) -> None:
        """Raise `InvalidRequest`, listing every hard problem, if there is one."""
        hard = [problem for problem in self.problems() if problem.hard]
        if hard:
            raise InvalidRequest(self._name(), hard)

    def body(self) -> dict[str, Any]:
        """The JSON object that the service is sent: fixed fields, set fields, `extra`."""
        values = {name: msgspec.to_builtins(value) for name, value in self._given()}
        return {**msgspec.to_builtins(self.constants), **values, **self.extra}

    def _given(self) -> Iterator[tuple[str, Any]]:
        for name in self.fields():
            value = getattr(self, name)
            if value is not None:
                yield name, value

    def _checks(self) -> Iterator[Problem]:
        model = getattr(self, "mv", None)
        for name, field in self.fields().items():
            value = getattr(self, name)
            if field.required and is_missing(value):
                yield Problem(name, f"is needed: {field.help}")
                continue
            if value is None:
                continue
            for message, hard in _faults(value, field, model if isinstance(model, str) else None):
                yield Problem(name, message, hard)

    def _extra_checks(self) -> Iterator[Problem]:
        for name in self.extra:
            if name in self.fields() or name in self.constants:
                way = f"choose another operation than {self.operation}"
                way = f"give {name}= itself" if name in self.fields() else way
                yield Problem("extra", f"{name!r} is this operation's own field; {way}")
        if "webhook_secret" in self.extra:
            way = "give it to the client: MusicAPI(webhook=..., webhook_secret=...)"
            yield Problem("extra", f"'webhook_secret' would be shown and kept with it; {way}")
        try:
            json.dumps(dict(self.extra), allow_nan=False, ensure_ascii=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            yield Problem("extra", f"cannot be written as JSON ({error})")

    def _standing_advice(self) -> Iterator[Problem]:
        if self.availability:
            yield Problem("", f"{self.availability.status}: {self.availability.note}", hard=False)

    @classmethod
    def _name(cls) -> str:
        return f"{cls.engine}.{cls.__name__}"

    def __repr__(self) -> str:
        given = [f"{name}={value!r}" for name, value in self._given()]
        given += [f"extra={dict(self.extra)!r}"] if self.extra else []
        return f"{self._name()}({', '.join(given)})"

    def _repr_html_(self) -> str:
        badges = [markup.badge(markup.format_credits(self.price()))]
        if self.availability:
            badges.append(markup.badge(self.availability.status, "bad"))
        given = (*self._given(), *self.extra.items())
        rows = [row for name, value in given for row in _rows(name, value)]
        notices = [
            markup.notice(str(problem), "bad" if problem.hard else "info")
            for problem in self.problems()
        ]
        if not any(problem.hard for problem in self.problems()):
            notices.append(markup.caption("Not sent yet: api.run(request) buys it."))
        songs = None
        if self.songs and self.reply == "task":
            songs = f"{self.songs} song{'' if self.songs == 1 else 's'}"
        return markup.card(
            self._name(),
            markup.table(("field", "value"), rows),
            *notices,
            facts=markup.facts(self.operation, songs),
            badges=badges,
        )


def _rows(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """The lines of a field on a card: of a list of requests or parts, one for each."""
    listed = value if isinstance(value, list | tuple) else ()
    if listed and all(isinstance(item, str) for item in listed):
        yield name, ", ".join(listed)
    elif listed:
        yield from ((f"{name}[{at}]", repr(item)) for at, item in enumerate(listed))
    else:
        yield name, value if isinstance(value, str) else repr(value)


@functools.cache
def _declared(cls: type[Request]) -> Mapping[str, Field]:
    hints = typing.get_type_hints(cls, include_extras=True)
    return {
        name: next(part for part in hint.__metadata__ if isinstance(part, Field))
        for name in cls.__struct_fields__
        if typing.get_origin(hint := hints[name]) is Annotated
    }


_PYTHON_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "switch": ((bool,), "True or False"),
    "integer": ((int,), "a whole number"),
    "fraction": ((int, float), "a number from 0 to 1"),
    "number": ((int, float), "a number"),
    "seconds": ((int, float), "a number of seconds"),
    "choices": ((list, tuple), "a list of texts"),
    "clips": ((list, tuple), "a list of clip ids"),
    "segments": ((list, tuple), "a list of nuro.Segment(name=..., duration=...)"),
    "requests": ((list, tuple), "a list of requests"),
}
_TEXT = ((str,), "text")
# The service takes no files (docs upload-music; its server probes the address).
_PUBLISH = (
    "a file of this machine, which the service cannot reach; it takes the address of a public one. "
    "api.publish(path, 's3://bucket/songs/').result() copies the file there and gives its address"
)
_FILE = re.compile(
    r"file:.*|[./~\\].*|[a-z]:[\\/].*|[^/:]*\.(mp3|wav|m4a|flac|ogg|aac)"
    r"|[^.:/]+/[^:]*\.(mp3|wav|m4a|flac|ogg|aac)",
    re.IGNORECASE | re.DOTALL,
)
_PRIVATE = re.compile(
    r"https?://(localhost|127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|\[::1\])", re.IGNORECASE
)


def _faults(value: Any, field: Field, model: str | None) -> Iterator[tuple[str, bool]]:
    """Yield (message, hard) for one given value against its field."""
    types, wanted = _PYTHON_TYPES.get(field.kind, _TEXT)
    if field.kind == "url" and _is_file(value):
        yield f"is {os.fspath(value)!r:.80}, {_PUBLISH}", True
    elif not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        hint = '; join a list: ", ".join(tags)' if field.kind == "tags" else ""
        yield f"should be {wanted}, not {type(value).__name__} {value!r:.40}{hint}", True
    elif isinstance(value, str):
        yield from _text_faults(value, field, model)
    elif isinstance(value, int | float):
        yield from _number_faults(value, field)
    elif isinstance(value, list | tuple):
        yield from _list_faults(value, field)


def _is_broken(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _is_file(value: Any) -> bool:
    """Whether a file of this machine is meant: a path, or a text that reads as one."""
    return isinstance(value, os.PathLike) or (
        isinstance(value, str) and _FILE.fullmatch(value.strip()) is not None
    )


def _text_faults(value: str, field: Field, model: str | None) -> Iterator[tuple[str, bool]]:
    if _is_broken(value):
        yield "holds half of a surrogate pair, which no JSON text can carry", True
    limit = field.limit_for(model)
    if limit is not None and len(value) > limit:
        yield f"has {len(value)} characters, the limit is {limit}", True
    elif limit is not None and len(value) == limit:
        yield f"has exactly {limit} characters; the service may want fewer than that", False
    if field.choices and value not in field.choices:
        listed = ", ".join(field.choices)
        if not field.allow_other:
            yield f"is {value!r:.60}; choose one of {listed}", True
        elif canonical_model(value) not in field.choices:
            yield f"is {value!r:.60}, which this version does not know; known: {listed}", False
    if field.kind == "url" and not value.startswith(("https://", "http://")):
        yield "should be a public https:// or http:// address", True
    elif field.kind == "url" and _PRIVATE.match(value):
        yield "is of this machine or a private network; only a simulator can reach it", False


def _number_faults(value: float, field: Field) -> Iterator[tuple[str, bool]]:
    low = 0.0 if field.kind in {"fraction", "seconds"} and field.minimum is None else field.minimum
    high = 1.0 if field.kind == "fraction" and field.maximum is None else field.maximum
    if not math.isfinite(value):
        yield f"should be a finite number, not {value}", True
    elif (low is not None and value < low) or (high is not None and value > high):
        bounds = (("at least", low), ("at most", high))
        said = " and ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None)
        yield f"is {value}; it should be {said}", True


def _list_faults(value: Sequence[Any], field: Field) -> Iterator[tuple[str, bool]]:
    if field.max_items is not None and len(value) > field.max_items:
        yield f"has {len(value)} items, at most {field.max_items} are allowed", True
    if field.min_items is not None and len(value) < field.min_items:
        yield f"has {len(value)} items, at least {field.min_items} are needed", True
    wanted: type = field.item or str
    for item in value:
        if not isinstance(item, wanted):
            yield f"holds {item!r:.40}, which is no {wanted.__name__}", True
        elif isinstance(item, str):
            yield from _item_faults(item, field)


def _item_faults(item: str, field: Field) -> Iterator[tuple[str, bool]]:
    if field.kind == "choices" and item not in field.choices:
        yield f"holds {item!r:.40}; choose from {', '.join(field.choices)}", True
    elif not item.strip():
        yield "holds a blank text", True
    elif _is_broken(item):
        yield f"holds {item!r:.40}: half of a surrogate pair, which no JSON text can carry", True
