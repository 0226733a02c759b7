"""Request: an operation of the service, declared once with fields, limits, price, availability."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import inspect
import json
import typing
from collections.abc import Iterable, Iterator, Mapping
from math import inf
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import msgspec

from musicapi_nb import markup
from musicapi_nb.engines import custom, documentation
from musicapi_nb.engines.arguments import MODE, missing_mode, operation_name, read_arguments
from musicapi_nb.engines.fields import Field, is_missing, missing_problem, value_problems
from musicapi_nb.engines.sources import Source
from musicapi_nb.engines.values import plain_value, whole_number
from musicapi_nb.errors import InvalidArgument, InvalidRequest, Problem

_HASHED = frozenset({str, int, float, bool})
ReplyKind: TypeAlias = Literal["task", "immediate"]
Group: TypeAlias = Literal[
    "Make songs",
    "Continue or change songs",
    "Take songs apart",
    "Upload audio, make voices",
    "Texts and account",
]
ActiveWhen: TypeAlias = Mapping[str, Mapping[str, tuple[Any, ...]]]


@dataclasses.dataclass(frozen=True, slots=True)
class Price:
    """Credits for one submit, the date on which the price was read, and its source.

    An assumption is the price at a sibling host or of a like operation: it is proposed, but the
    price counts as unknown.
    """

    credits: int
    read: dt.date
    source: str
    is_assumption: bool = False

    def __post_init__(self) -> None:
        number = whole_number(self.credits)
        if number is None:
            message = f"credits of a Price are a whole number, 0 or more, not {self.credits!r:.40}"
            raise InvalidArgument(message)
        object.__setattr__(self, "credits", number)

    @property
    def proposal(self) -> str:
        """The argument that accepts this price as an assumption, and its source."""
        return f"assume={self.credits} ({self.source}, {self.read:%Y-%m})"


@dataclasses.dataclass(frozen=True, slots=True)
class Availability:
    """Notice that an operation may no longer be offered."""

    status: Literal["not offered now", "may be gone", "deprecated"]
    note: str
    source: str


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """One segment of a nuro v2.0 instrumental: its name and its length in seconds."""

    name: str
    duration: int

    def __post_init__(self) -> None:
        _make_plain(self, ("name", "duration"))

    def __repr__(self) -> str:
        return f"nuro.Segment(name={self.name!r}, duration={self.duration!r})"


def _make_plain(struct: msgspec.Struct, names: Iterable[str]) -> None:
    """Replace values of numpy and similar types, which JSON does not have."""
    for name in names:
        value = getattr(struct, name)
        plain = plain_value(value)
        if plain is not value:
            msgspec.structs.force_setattr(struct, name, plain)


def range_problems(request: Any, start: str, end: str, limit: float = inf) -> Iterator[Problem]:
    """Yield a problem if a range ends before it starts, or is longer than `limit` seconds."""
    first, last = getattr(request, start), getattr(request, end)
    if not (isinstance(first, int | float) and isinstance(last, int | float)):
        return
    if not last > first:
        yield Problem(end, f"should be later than {start}")
    elif last - first > limit:
        yield Problem(end, f"is {last - first:g} s after {start}; at most {limit:g} s are allowed")


def model_of(request: Request) -> str | None:
    """Return the model of a request, from whichever field holds it; None if not set."""
    model = getattr(request, "mv", None) or getattr(request, "model_type", None)
    return model if isinstance(model, str) else None


@typing.dataclass_transform(
    frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,)
)
class _Meta(msgspec.StructMeta):
    """Registers custom operations, and reads the arguments of new requests.

    Of unknown fields, msgspec would raise a bare TypeError.
    """

    def __new__(
        mcls, name: str, bases: tuple[type, ...], body: dict[str, Any], **options: Any
    ) -> _Meta:
        create = functools.partial(super().__new__, mcls, name, bases)
        options = {"frozen": True, "kw_only": True, **options}
        try:
            cls = create(dict(body), **options)
        except TypeError as error:
            raise custom.invalid(name, str(error)) from None
        custom.complete(cls, body)
        if custom.is_custom(body):
            custom.register(cls, Request, body)
        return cls

    @property
    def __signature__(cls) -> inspect.Signature:
        return documentation.signature(cls)

    if not typing.TYPE_CHECKING:  # else pyright would not see the fields

        def __call__(cls, /, *args: Any, **fields: Any) -> Any:
            values = read_arguments(cls, args, fields)
            extra = values.get("extra", {})
            if not isinstance(extra, Mapping) or not all(isinstance(name, str) for name in extra):
                problem = Problem("extra", "should be a dict from field names to values")
                raise InvalidRequest(operation_name(cls), [problem])
            return super().__call__(**values)


# For `sonic.Create?` and help(). A class's own text stays in its namespace.
_Meta.__doc__ = property(documentation.docstring)  # type: ignore[assignment]


# omit_defaults also applies to requests inside a batch: a purchase keeps its identity when an
# operation gets a new field.
class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, metaclass=_Meta):
    """Base class of all operations; each subclass declares one.

    All fields are optional at construction, so that `problems` can list everything missing at
    once. A field that is left out gets its preset, such as the newest model, which becomes part of
    the request. A field that is None is not sent, unless its `Field` has a default. Fields unknown
    to this version can be passed as `extra={"name": value}`.
    """

    engine: ClassVar[str]
    operation: ClassVar[str]
    group: ClassVar[Group] = "Make songs"
    """What the operation is for; a list of operations has one part for each group."""
    action: ClassVar[str] = ""
    """Text of a button that sends the request; by default "Make 2 songs" or "Send"."""
    path: ClassVar[str]
    method: ClassVar[Literal["POST", "GET"]] = "POST"
    constants: ClassVar[Mapping[str, Any]] = {}
    reply: ClassVar[ReplyKind] = "task"
    songs: ClassVar[int | None] = None
    """Number of songs to expect; None if unknown."""
    fields_source: ClassVar[Source | None] = None
    """Where the operation and those of its fields that name no other source were read."""
    cost: ClassVar[Price | None] = None
    availability: ClassVar[Availability | None] = None
    webhook: ClassVar[bool] = False
    """True if the service accepts a `webhook_url`, which the client adds."""
    poll_by_repost: ClassVar[bool] = False
    """True if the same POST is sent again while its reply says "not ready"."""
    active_when: ClassVar[ActiveWhen] = {}
    """Fields that have an effect only while other fields have one of the given values."""
    text_fields: ClassVar[tuple[str, ...]] = ()
    """Fields that can receive free text, such as a cell body: the first active one does."""
    description_field: ClassVar[str | None] = None
    """The field of a text that is passed without a name, as in `sonic.Create("slow jazz")`."""
    tag_fields: ClassVar[tuple[str, ...]] = ()
    """Fields that request tags, as lists or in a description."""
    negative_tag_fields: ClassVar[tuple[str, ...]] = ()
    """Fields that name tags to avoid."""
    custom: ClassVar[bool] = False
    """True if the operation is declared outside the package; set when the class is defined."""

    extra: Mapping[str, Any] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        _make_plain(self, self.__struct_fields__)
        for name, field in self.fields().items():  # a column with gaps has 30.0 for 30
            value = getattr(self, name)
            if field.is_whole and type(value) is float and value.is_integer():
                msgspec.structs.force_setattr(self, name, int(value))

    @classmethod
    def fields(cls) -> Mapping[str, Field]:
        """Return the declared fields in order, by name."""
        return _declared_fields(cls)

    def problems(self) -> tuple[Problem, ...]:
        """Return all problems and advice about this request."""
        return tuple(self._find_problems())

    def rules(self) -> Iterator[Problem]:
        """Yield problems that involve several fields; for subclasses to override."""
        return iter(())

    def is_active(self, name: str) -> bool:
        """Return whether a field has an effect in the mode that other fields choose."""
        conditions = self.active_when.get(name, {})
        return all(getattr(self, other) in values for other, values in conditions.items())

    def text_of(self, names: Iterable[str]) -> str | None:
        """Join the active ones of these fields with commas; None if none of them has a text."""
        values = [getattr(self, name) for name in names if self.is_active(name)]
        lists = [[value] if isinstance(value, str) else value or () for value in values]
        texts = [text.strip() for items in lists for text in items if isinstance(text, str)]
        return ", ".join(filter(None, texts)) or None

    def price(self) -> int | None:
        """Return the credits that one submit costs; None if unknown."""
        return self.cost.credits if self.cost and not self.cost.is_assumption else None

    def assumed_price(self) -> Price | None:
        """Return the price to assume if the real one is unknown; None if there is none."""
        return self.cost if self.cost and self.cost.is_assumption else None

    def check(self) -> None:
        """Raise `InvalidRequest` with all hard problems, if there are any."""
        hard = [problem for problem in self.problems() if problem.hard]
        if hard:
            raise InvalidRequest(operation_name(type(self)), hard)

    def body(self) -> dict[str, Any]:
        """Return the JSON object to send: constants, fields that are set or default, `extra`."""
        values: dict[str, Any] = {name: field.default for name, field in self.fields().items()}
        values |= self._set_fields()
        values = {name: value for name, value in values.items() if value is not None}
        return {**msgspec.to_builtins(self.constants), **msgspec.to_builtins(values), **self.extra}

    def _set_fields(self) -> Iterator[tuple[str, Any]]:
        for name in self.fields():
            value = getattr(self, name)
            if value is not None:
                yield name, value

    def _find_problems(self) -> Iterator[Problem]:
        for name, field in self.fields().items():
            value = getattr(self, name)
            if field.required and is_missing(value):
                message = missing_mode(self) if name == MODE else missing_problem(name, field)
                yield Problem(name, message)
                continue
            advice = field.advice_if_missing if is_missing(value) else field.advice_if_set
            if advice:
                yield Problem(name, advice, hard=False)
            if value is not None:
                for message, hard in value_problems(value, field, model_of(self)):
                    yield Problem(name, message, hard)

        yield from self._extra_checks()
        yield from self.rules()
        if self.availability:
            yield Problem("", f"{self.availability.status}: {self.availability.note}", hard=False)

    def _extra_checks(self) -> Iterator[Problem]:
        for name in self.extra:
            if name in self.fields():
                yield Problem("extra", f"{name!r} is a field of this operation; pass {name}=...")
            elif name in self.constants:
                fixed = f"{name!r} is fixed for {self.operation}"
                yield Problem("extra", f"{fixed}; choose another operation, or declare one")
        if "webhook_secret" in self.extra:
            message = "'webhook_secret' would be displayed and stored with the request; pass it to"
            yield Problem("extra", f"{message} MusicAPI(webhook=..., webhook_secret=...)")
        try:
            json.dumps(dict(self.extra), allow_nan=False, ensure_ascii=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            yield Problem("extra", f"cannot be written as JSON ({error})")

    def __reduce__(self) -> Any:
        """Pickle a custom operation with its declaration: its class may be missing elsewhere."""
        if not self.custom:
            return msgspec.Struct.__reduce__(self)
        fields = msgspec.to_builtins(dict(self._set_fields())) | dict(self.extra)
        declaration = custom.declaration(self, fields)
        return _restore_custom, (self.engine, self.operation, declaration, fields)

    def __hash__(self) -> int:  # lists and `extra` have no hash; equal numbers have the same
        texts = [(name, value) for name, value in self._set_fields() if type(value) in _HASHED]
        return hash((type(self), *texts))

    def __repr__(self) -> str:
        arguments = [f"{name}={value!r}" for name, value in self._set_fields()]
        arguments += [f"extra={dict(self.extra)!r}"] if self.extra else []
        return f"{operation_name(type(self))}({', '.join(arguments)})"

    @markup.html_repr
    def _repr_html_(self) -> str:
        badges = [markup.badge(markup.format_credits(self.price()))]
        if self.availability:
            badges.append(markup.badge(self.availability.status, "bad"))
        values = (*self._set_fields(), *self.extra.items())
        rows = [row for name, value in values for row in _rows(name, value)]
        problems = self.problems()
        notices = [
            markup.notice(str(problem), "bad" if problem.hard else "info") for problem in problems
        ]
        if not any(problem.hard for problem in problems):
            notices.append(markup.caption("Not sent yet. api.run(request) buys it."))
        plural = "" if self.songs == 1 else "s"
        songs = f"{self.songs} song{plural}" if self.songs and self.reply == "task" else None
        return markup.card(
            operation_name(type(self)),
            markup.table(("field", "value"), rows),
            *notices,
            facts=markup.facts(self.operation, songs),
            badges=badges,
        )


def restore(kind: type[Request], values: Mapping[str, Any]) -> Request:
    """Make a request of stored JSON values; those without a field go into `extra`."""
    fields = {name: values.get(name) for name in kind.fields()}  # None: it was not set
    extra = {name: value for name, value in values.items() if name not in fields}
    try:
        return msgspec.convert({**fields, "extra": extra}, kind)
    except msgspec.ValidationError:  # a value of another type, which the class accepts
        return kind(**fields, extra=extra)


def _restore_custom(
    engine: str, operation: str, declaration: Mapping[str, Any], values: Mapping[str, Any]
) -> Request:
    return restore(custom.find(Request, engine, operation, declaration), values)


def _rows(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield the table rows of a field; a list of requests or segments has one per item."""
    listed = value if isinstance(value, list | tuple) else ()
    if listed and all(isinstance(item, str) for item in listed):
        yield name, ", ".join(listed)
    elif listed:
        yield from ((f"{name}[{index}]", repr(item)) for index, item in enumerate(listed))
    else:
        yield name, value if isinstance(value, str) else repr(value)


@functools.cache
def _declared_fields(cls: type[Request]) -> Mapping[str, Field]:
    hints = typing.get_type_hints(cls, include_extras=True)
    return {
        name: next(part for part in hint.__metadata__ if isinstance(part, Field))
        for name in cls.__struct_fields__
        if typing.get_origin(hint := hints[name]) is Annotated
    }
