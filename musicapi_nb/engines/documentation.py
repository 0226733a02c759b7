"""The signature and the docstring of an operation, made from its declaration when asked. No I/O."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from typing import Any

from musicapi_nb import markup
from musicapi_nb.engines.arguments import MODE, operation_name
from musicapi_nb.engines.fields import Field, LimitByModel, value_type

_WIDTH = 88
_TEXT = "rain on a tin roof, slow jazz"


def signature(kind: Any) -> inspect.Signature:
    """Return the signature with plain types and the values of fields that are left out."""
    keyword, position = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_ONLY
    text = [inspect.Parameter("text", position, default=None, annotation=str)]
    parameters = [
        inspect.Parameter(
            name, keyword, default=_initial(kind, name), annotation=value_type(field.kind)
        )
        for name, field in _ordered_fields(kind)
    ]
    extra = inspect.Parameter("extra", keyword, default={}, annotation=dict)
    return inspect.Signature([*(text if kind.description_field else []), *parameters, extra])


def docstring(kind: Any) -> str | None:
    """Return the class's own docstring with its fields, price and an example."""
    written = vars(kind).get("__doc__")
    if not hasattr(kind, "operation"):  # a base class
        return written if isinstance(written, str) else None
    paragraphs = [inspect.cleandoc(written)] if isinstance(written, str) else []
    if kind.availability:
        availability = kind.availability
        paragraphs.append(_wrap(f"{availability.status.capitalize()}: {availability.note}."))
    paragraphs.append(_wrap(_price(kind)))
    lines = [line for name, field in _ordered_fields(kind) for line in _field(kind, name, field)]
    if kind.description_field:
        lines = [
            "text : str",
            f"    The description: {kind.description_field} without its name.",
            *lines,
        ]
    lines += ["extra : dict", "    Fields newer than this version, by name."]
    paragraphs.append("\n".join(["Parameters", "----------", *lines]))
    paragraphs.append(f"Examples\n--------\n>>> {example(kind)}")
    return "\n\n".join(paragraphs)


def summary(kind: Any) -> str:
    """Return the first line of an operation's own docstring, without backticks."""
    written = vars(kind).get("__doc__") or ""
    return inspect.cleandoc(written).partition("\n")[0].replace("`", "")


def example(kind: Any) -> str:
    """Return code that buys the operation with the fields that it needs."""
    described, fields = kind.description_field, kind.fields()
    clip = next((name for name, field in fields.items() if field.kind in {"clip", "clips"}), None)
    names = [
        name
        for name, field in fields.items()
        if field.required or field.advice_if_missing or (not described and name in {clip, "prompt"})
    ]
    names = [name for name in names if _initial(kind, name) is None and name != MODE]
    arguments = [f"{name}={_example_value(name, fields[name])}" for name in names]
    if described:
        arguments = [f'"{_TEXT}"', *(text for text in arguments if not text.startswith(described))]
    return f"api.run({operation_name(kind)}({', '.join(arguments)}))"


def _ordered_fields(kind: Any) -> list[tuple[str, Field]]:
    """Return the fields: the description, required ones, texts, then the others."""
    fields: dict[str, Field] = dict(kind.fields())

    def rank(item: tuple[str, Field]) -> int:
        name, field = item
        if name == kind.description_field:
            return 0
        if name in {*kind.text_fields, *kind.tag_fields}:
            return 2
        return 1 if field.required and name != MODE and field.preset is None else 3

    return sorted(fields.items(), key=rank)


def _initial(kind: Any, name: str) -> Any:
    return getattr(kind(), name)


def _price(kind: Any) -> str:
    price, assumed = kind().price(), kind().assumed_price()
    songs = f"{kind.songs} song{'' if kind.songs == 1 else 's'}" if kind.songs else ""
    text = f"Price: {markup.format_credits(price)}{f' for {songs}' if songs else ''}"
    if assumed is not None:
        text += f"; perhaps {assumed.credits}"
    return text if kind.cost is None else f"{text} (read {kind.cost.read:%Y-%m})."


def _field(kind: Any, name: str, field: Field) -> Iterator[str]:
    initial = _initial(kind, name)
    default = "" if initial is None else f", default {initial!r}"
    required = ", required" if field.required and initial is None and name != MODE else ""
    synonyms = " or ".join(f"{synonym}=" for synonym in field.synonyms)
    yield (
        f"{name} : {value_type(field.kind).__name__}{required}{default}"
        f"{f', or {synonyms}' if synonyms else ''}"
    )
    texts = [f"{field.label}: {field.help}" if field.label else field.help, *_limits(field)]
    if name == MODE and field.required:
        texts.append("It follows from the text that is given.")
    yield textwrap.indent(_wrap(" ".join(texts), _WIDTH - 4), "    ")


def _limits(field: Field) -> Iterator[str]:
    if field.limit is not None:
        limit = field.limit.default if isinstance(field.limit, LimitByModel) else field.limit
        yield f"At most {limit:,} characters."
    low, high = (0, 1) if field.kind == "fraction" else (field.minimum, field.maximum)
    low = low if field.minimum is None else field.minimum
    bounds = (("at least", low), ("at most", high))
    if texts := [f"{name} {bound:g}" for name, bound in bounds if bound is not None]:
        yield f"{', '.join(texts).capitalize()}."
    if field.choices:
        others = ", or a newer one" if field.allow_other else ""
        yield f"One of {', '.join(map(repr, field.choices))}{others}."
    if field.advice_if_set:
        yield f"It {field.advice_if_set}."


def _example_value(name: str, field: Field) -> str:
    by_kind: dict[str, str] = {
        "clip": "song.id",
        "clips": "[song.id, other.id]",
        "url": '"https://example.org/tune.mp3"',
        "choice": repr(field.choices[0]) if field.choices else "",
        "choices": repr(list(field.choices[:1])),
        "switch": "True",
        "tags": '"slow jazz"',
        "requests": f'[sonic.Create("{_TEXT}")]',
    }
    if field.kind in {"seconds", "whole seconds", "integer", "number"}:
        return "40" if "end" in name else "30"
    return by_kind.get(field.kind, f'"{"[Verse]..." if name in {"prompt", "lyrics"} else "..."}"')


def _wrap(text: str, width: int = _WIDTH) -> str:
    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)
