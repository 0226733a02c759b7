"""Warnings about factors that buy the same again, or set a field nobody meant. No I/O."""

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from musicapi_nb import markup
from musicapi_nb.engines import Request
from musicapi_nb.engines.arguments import field_name, similar_field
from musicapi_nb.errors import InvalidPlan, Problem
from musicapi_nb.plan.templates import placeholders

_EXAMPLE_NAMES = ("topic", "text", "words", "theme", "filling")


def factor_fields(
    kind: type[Request], base: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> dict[str, str]:
    """Return the field that each factor sets, by its own name or a synonym.

    A synonym that is a placeholder, such as {style}, fills texts and sets no field. InvalidPlan if
    a field is set twice.
    """
    names = [name for name in rows[0] if isinstance(name, str)]
    fields = {name: name for name in names if name in kind.fields()}
    others = {name: field_name(kind, name) for name in names if name not in fields}
    others = {name: field for name, field in others.items() if field != name}
    if others:
        texts = {*_texts(base)}
        texts |= {text for row in rows for text in _texts(row)}
        filled = {name for text in texts for name in placeholders(text)}
        others = {name: field for name, field in others.items() if name not in filled}
    owners = {**dict.fromkeys(base, "base"), **dict.fromkeys(fields, "another factor")}
    problems: dict[Problem, Sequence[int]] = {}
    for name, field in others.items():
        if field in owners:
            message = f"is {field}, which {owners[field]} sets too"
            problems[Problem(f"factor {name!r:.60}", message)] = ()
        owners[field] = f"factor {name!r:.60}"
    if problems:
        raise InvalidPlan(problems)
    return fields | others


def _texts(values: Mapping[str, Any]) -> Iterator[str]:
    for value in values.values():
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):  # extra
            yield from (text for text in value.values() if isinstance(text, str))


def bought_again(requests: Sequence[Request]) -> str:
    """Return what requests cost that repeat others: "40 credits for the same again (2 of ...)"."""
    prices = [request.price() for request in requests]
    total = None if None in prices else sum(price or 0 for price in prices)
    price = "an unknown price" if total is None else markup.format_credits(total)
    return f"{price} for the same again ({len(requests):,} of the requests)"


def factor_warnings(  # noqa: PLR0913, PLR0917 - the values of a plan
    kind: type[Request],
    base: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    requests: Sequence[Request],
    used: Collection[str],
    repeated: Sequence[Request],
) -> Iterator[Problem]:
    """Yield a warning for each factor that buys the same again, or sets a field by accident.

    `requests` are those of the rows, once for each block; `repeated` those that are the same
    purchase as an earlier one of their block.
    """
    unused = [name for name in rows[0] if name not in used]
    for name in unused:
        yield _unused(kind, name, repeated)
    if repeated and not unused:
        count = len(repeated) * len(rows) // len(requests)
        message = f"{count:,} of {len(rows):,} combinations send the same request as an earlier one"
        yield Problem("", f"{message}: {bought_again(repeated)}", hard=False, warn=True)
    for name in rows[0]:
        if name in used:
            yield from _level_like_unset(kind, name, rows, requests)
            yield from _doubled(kind, base, name, rows, requests)


def _unused(kind: type[Request], name: str, repeated: Sequence[Request]) -> Problem:
    near = similar_field(kind, name)
    hint = f" (did you mean {near}?)" if near else ""
    message = f"has no effect: it is not a field{hint} and no template uses {{{name:.40}}}"
    if repeated:
        message += f"; {bought_again(repeated)}"
    return Problem(f"factor {name!r:.60}", message, hard=False, warn=bool(repeated))


def _level_like_unset(
    kind: type[Request], name: str, rows: Sequence[Mapping[str, Any]], requests: Sequence[Request]
) -> Iterator[Problem]:
    """Yield a warning if the level None sends the same as the field's default, another level."""
    field = kind.fields().get(name)
    default = field.default if field else None
    again = [
        request
        for request, row in zip(requests, itertools.cycle(rows), strict=False)
        if default is not None and type(row[name]) is type(default) and row[name] == default
    ]
    if again and any(row[name] is None for row in rows):
        message = f"sends the same with None and with {default!r:.40}: {bought_again(again)}"
        yield Problem(f"factor {name!r:.60}", message, hard=False, warn=True)


def _doubled(
    kind: type[Request],
    base: Mapping[str, Any],
    name: str,
    rows: Sequence[Mapping[str, Any]],
    requests: Sequence[Request],
) -> Iterator[Problem]:
    """Yield a warning about a factor that is a text of its own and also fills that of another."""
    field = kind.fields().get(name)
    if field is None or field.kind not in {"long text", "tags"}:
        return
    texts = {other: [*_texts({other: value})] for other, value in base.items()}
    filled = [
        other
        for other, templates in texts.items()
        if any(name in placeholders(text) for text in templates)
    ]
    if filled:
        taken = {*kind.fields(), *base, *rows[0]}
        free = next(text for text in _EXAMPLE_NAMES if text not in taken)
        prices = [request.price() for request in requests]
        total = None if None in prices else sum(price or 0 for price in prices)
        message = (
            f"sets the field {name} and also fills {{{name}}} in {', '.join(filled)}, in requests "
            f"of {markup.format_credits(total)}; to fill the text alone, call it {free}"
        )
        yield Problem(f"factor {name!r:.60}", message, hard=False, warn=True)
