"""Field: the declaration of one request field, and the checks of its value. No I/O."""

from __future__ import annotations

import dataclasses
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from musicapi_nb import markup
from musicapi_nb.engines.sources import Source

_Text: TypeAlias = Literal["text", "long text", "tags", "choice", "clip", "url"]
_Number: TypeAlias = Literal["integer", "number", "fraction", "seconds", "whole seconds"]
_List: TypeAlias = Literal["choices", "clips", "segments", "requests"]
Kind: TypeAlias = Literal[_Text, _Number, _List, "switch", "text or integer"]


@dataclasses.dataclass(frozen=True, slots=True)
class LimitByModel:
    """A character limit, and the lower limits of older models, above which there is advice."""

    default: int
    models: Mapping[str, int]


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """Declaration of one field, given as the metadata of its annotation.

    Attributes
    ----------
    help
        What the field does, in one sentence for users.
    kind
        Each kind has one Python type and one form control.
    label
        Name of the field for people; see `label_of`.
    example
        Example of a value as a person types it.
    option_labels
        Texts of values for people. A switch with texts chooses between two modes.
    advanced
        True if most requests leave the field out; forms fold it away.
    required
        Always required. Fields required only in some modes are checked by `Request.rules`.
    advice_if_missing
        Advice for a request without the field, such as that the docs require it.
    advice_if_set
        Advice for a request with the field, such as that the service ignores it.
    synonyms
        Other names that a request, a plan and `%%song` understand in place of the field's own.
    preset
        Value of a new request that leaves the field out. It is part of the request: of its repr,
        of what is sent, and of the identity of the purchase. A request with None has no value.
    default
        Value that is sent if the field is None. It is no part of the identity of a purchase.
    source
        Where the field was read; None: see `Request.fields_source`.
    limit
        Number of characters. More is a problem. Exactly as many gives advice, because older docs
        say "less than" and only lengths over the limit were tried.
    minimum, maximum
        Inclusive bounds of a number.
    choices
        Allowed values. With `allow_other`, other values give advice instead of a problem.
    min_items, max_items
        Bounds on the length of a list.
    item
        Class of a list's items, if they are not texts.
    renderers
        Of a model field: model ids that the service accepts but renders with another model, and
        that model. The key "" stands for a model that is not set.
    """

    help: str
    kind: Kind = "text"
    _: dataclasses.KW_ONLY
    label: str = ""
    example: str = ""
    option_labels: Mapping[Any, str] = dataclasses.field(default_factory=dict)
    advanced: bool = False
    required: bool = False
    advice_if_missing: str = ""
    advice_if_set: str = ""
    synonyms: tuple[str, ...] = ()
    preset: Any = None
    default: Any = None
    source: Source | None = None
    limit: int | LimitByModel | None = None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    allow_other: bool = False
    min_items: int | None = None
    max_items: int | None = None
    item: type | None = None
    renderers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """True if the value is a whole number."""
        return self.kind in {"integer", "whole seconds"}

    def limit_for(self, model: str | None) -> int | None:
        """Return the character limit for a model; None if there is none."""
        if isinstance(self.limit, LimitByModel):
            return self.limit.models.get(canonical_model(model), self.limit.default)
        return self.limit

    def renderer_of(self, model: str | None) -> str:
        """Return the model that renders requests for `model`.

        An id without an entry in `renderers` renders its own requests.
        """
        name = canonical_model(model)
        return self.renderers.get(name, name)


def label_of(name: str, field: Field) -> str:
    """Return a field's label; by default made of its name: "Start (seconds)" of "start_s"."""
    if field.label:
        return field.label
    label = name.removesuffix("_s").replace("_", " ").capitalize()
    return f"{label} (seconds)" if name.endswith("_s") else label


def is_missing(value: Any) -> bool:
    """True if a field is not set, or is blank text."""
    return value is None or (isinstance(value, str) and not value.strip())


def canonical_model(model: str | None) -> str:
    """Return the "sonic-" name of a model; the sibling host calls `sonic-v5` `chirp-v5`."""
    return (model or "").replace("chirp-", "sonic-")


_PYTHON_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "text or integer": ((str, int), "text or a whole number"),
    "switch": ((bool,), "True or False"),
    "integer": ((int,), "a whole number"),
    "fraction": ((int, float), "a number from 0 to 1"),
    "number": ((int, float), "a number"),
    "seconds": ((int, float), "a number of seconds"),
    "whole seconds": ((int,), "a whole number of seconds"),
    "choices": ((list, tuple), "a list of texts"),
    "clips": ((list, tuple), "a list of song ids"),
    "segments": ((list, tuple), "a list of nuro.Segment(name=..., duration=...)"),
    "requests": ((list, tuple), "a list of requests"),
}
_TEXT = ((str,), "text")


def value_type(kind: Kind) -> type:
    """Return the Python type of the values of a kind, for signatures."""
    types, _ = _PYTHON_TYPES.get(kind, _TEXT)
    return types[-1] if kind in {"fraction", "number", "seconds"} else types[0]


_FORMS: Mapping[str, str] = {"clip": "the id of a song", "url": "an https:// or http:// URL"}
# The service accepts no files, only URLs (docs upload-music).
_PUBLISH = (
    "a local file, which the service cannot reach; it needs a public URL. api.publish(path, "
    "'s3://bucket/songs/', url='https://cdn.example/songs/').result() copies the file there and "
    "returns its URL"
)
_FILE = re.compile(
    r"file:.*|[./~\\].*|[a-z]:[\\/].*|[^/:]*\.(mp3|wav|m4a|flac|ogg|aac|aiff?)"
    r"|[^.:/]+/[^:]*\.(mp3|wav|m4a|flac|ogg|aac|aiff?)",
    re.IGNORECASE | re.DOTALL,
)
_PRIVATE = re.compile(
    r"https?://(localhost|127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|\[::1\])", re.IGNORECASE
)


def missing_problem(name: str, field: Field) -> str:
    """Return the message about a required field that is not set: its label and possible values."""
    _, form = _PYTHON_TYPES.get(field.kind, _TEXT)
    form = _FORMS.get(field.kind, form)
    if field.choices:
        form = f"{'one' if field.kind == 'choice' else 'a list'} of {', '.join(field.choices)}"
    label = label_of(name, field)
    repeats_name = label.lower() == name.replace("_", " ")
    return f"is required{'' if repeats_name else f' ({label})'}; give {form}"


def value_problems(value: Any, field: Field, model: str | None) -> Iterator[tuple[str, bool]]:
    """Yield (message, hard) for each problem of a value with its field."""
    types, expected = _PYTHON_TYPES.get(field.kind, _TEXT)
    if field.kind == "url" and _is_file(value):
        yield f"is {os.fspath(value)!r:.80}, {_PUBLISH}", True
    elif not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        hint = '; join a list: ", ".join(tags)' if field.kind == "tags" else ""
        yield f"should be {expected}, not {type(value).__name__} {value!r:.40}{hint}", True
    elif isinstance(value, str):
        yield from _text_problems(value, field, model)
    elif isinstance(value, int | float):
        yield from _number_problems(value, field)
    elif isinstance(value, list | tuple):
        yield from _list_problems(value, field)


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _is_file(value: Any) -> bool:
    """True for a path, or a text that looks like the path of a local file."""
    return isinstance(value, os.PathLike) or (
        isinstance(value, str) and _FILE.fullmatch(value.strip()) is not None
    )


def _text_problems(value: str, field: Field, model: str | None) -> Iterator[tuple[str, bool]]:
    if _has_surrogate(value):
        yield "contains half of a surrogate pair, which JSON cannot represent", True
    yield from _length_problems(len(value), field, model)
    if field.choices and value not in field.choices:
        listed = ", ".join(field.choices)
        if choice := _intended_choice(value, field.choices):
            yield f"is {value!r:.60}; did you mean {choice!r}?", True
        elif not field.allow_other:
            yield f"is {value!r:.60}; choose one of {listed}", True
        elif canonical_model(value) not in field.choices:
            yield f"is {value!r:.60}, unknown to this version; known: {listed}", False
    if value and (renderer := field.renderer_of(value)) != canonical_model(value):
        yield f"is {value}, an older model that the service renders with {renderer}", False
    if field.kind == "url" and not value.startswith(("https://", "http://")):
        yield "should be a public https:// or http:// URL", True
    elif field.kind == "url" and _PRIVATE.match(value):
        yield "is on this machine or a private network, where only a simulator can reach it", False


def _intended_choice(value: str, choices: Sequence[str]) -> str | None:
    """Return the choice that a value abbreviates or spells otherwise, such as "V5" sonic-v5.

    The service does not accept these, nor can it give such a name to a new model.
    """
    name = canonical_model(value)
    parts = _parts(name)
    matches = (choice for choice in choices if parts in {_parts(choice), _parts(choice)[1:]})
    return next((choice for choice in matches if parts and choice != name), None)


def _parts(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[a-z0-9]+", text.lower()))


def _length_problems(length: int, field: Field, model: str | None) -> Iterator[tuple[str, bool]]:
    limit, largest = field.limit_for(model), field.limit_for(None)
    if largest is not None and length > largest:
        yield f"{_excess(length, largest)} of {largest:,})", True
    elif limit is not None and length > limit:
        yield f"{_excess(length, limit)} of the {limit:,} that {model} took)", False
    elif limit is not None and length == limit:
        yield f"has exactly {limit:,} characters; the service may require fewer", False


def _excess(length: int, limit: int) -> str:
    return f"{markup.plural(length - limit, 'character')} too many ({length:,}"


def _number_problems(value: float, field: Field) -> Iterator[tuple[str, bool]]:
    starts_at_0 = field.kind in {"fraction", "seconds", "whole seconds"} and field.minimum is None
    low = 0.0 if starts_at_0 else field.minimum
    high = 1.0 if field.kind == "fraction" and field.maximum is None else field.maximum
    if not math.isfinite(value):
        yield f"should be a finite number, not {value}", True
    elif (low is not None and value < low) or (high is not None and value > high):
        bounds = (("at least", low), ("at most", high))
        range_ = " and ".join(f"{name} {bound:g}" for name, bound in bounds if bound is not None)
        yield f"is {value}; it should be {range_}", True


def _list_problems(value: Sequence[Any], field: Field) -> Iterator[tuple[str, bool]]:
    number = markup.plural(len(value), "song" if field.kind == "clips" else "item")
    if field.max_items is not None and len(value) > field.max_items:
        yield f"has {number}; at most {field.max_items} are allowed", True
    if field.min_items is not None and len(value) < field.min_items:
        yield f"has {number}; at least {field.min_items} are needed", True
    kind: type = field.item or str
    for item in value:
        # exactly, so that no custom operation, which may send more, counts as its base class
        if not isinstance(item, kind) or (kind is not str and type(item) is not kind):
            yield f"contains {item!r:.40}, not a {kind.__name__}", True
        elif isinstance(item, str):
            yield from _item_problems(item, field)


def _item_problems(item: str, field: Field) -> Iterator[tuple[str, bool]]:
    if field.kind == "choices" and item not in field.choices:
        yield f"contains {item!r:.40}; choose from {', '.join(field.choices)}", True
    elif not item.strip():
        yield "contains a blank text", True
    elif _has_surrogate(item):
        yield f"contains {item!r:.40}: half of a surrogate pair, which JSON cannot represent", True
