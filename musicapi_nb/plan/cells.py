"""Levels to cells: texts filled, requests made, takes counted, blocks put in random order. Pure."""

from __future__ import annotations

import copy
import dataclasses
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from musicapi_nb.engines import Request
from musicapi_nb.errors import InvalidPlan, Problem
from musicapi_nb.library._request_key import request_key
from musicapi_nb.plan.templates import BadTemplate, parse


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One purchase that a plan asks for.

    Attributes
    ----------
    request
        What to send; equal ones may be one object.
    levels
        The level of each factor, before any text was filled.
    take
        From 1; counted over all cells with an equal request, so that no two cells are the same
        purchase.
    block
        The replicate of the whole design that it belongs to, from 1.
    order
        Its place in the plan, from 0: its name within the plan.
    """

    request: Request
    levels: Mapping[str, Any]
    take: int
    block: int
    order: int


def purchase(request: Request) -> str:
    """A text that is equal for requests which are the same purchase to a library."""
    try:
        return request_key(request)
    except (TypeError, ValueError, RecursionError):  # invalid, and said to be so by problems()
        return repr(request)


def requests(
    kind: type[Request], base: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], place: str = ""
) -> tuple[list[Request], set[str]]:
    """Make the request of each row of levels; also return the factors that the requests use.

    Raises
    ------
    InvalidPlan
        Texts that cannot be filled, each with its field, and with its rows if `place` names them.
    """
    fields = kind.fields()
    made: list[Request] = []
    used: set[str] = set()
    problems: dict[Problem, list[int]] = {}
    for number, levels in enumerate(rows):
        used.update(name for name in levels if name in fields)
        values = {**base, **{name: level for name, level in levels.items() if name in fields}}
        fillings = {
            name: _unescaped(level) if name in fields else level for name, level in levels.items()
        }
        filled, faults = _filled(values, fillings, used)
        for fault in faults:
            problems.setdefault(fault, []).append(number)
        if not problems:
            made.append(kind(**filled))
    if problems:
        raise InvalidPlan(problems if place else dict.fromkeys(problems, ()), place)
    return made, used


def _filled(
    values: Mapping[str, Any], levels: Mapping[str, Any], used: set[str]
) -> tuple[dict[str, Any], list[Problem]]:
    faults: list[Problem] = []

    def fill(field: str, value: Any) -> Any:
        if not isinstance(value, str) or not ("{" in value or "}" in value):
            return value
        try:
            template = parse(value)
            used.update(template.names)
            return template.fill(levels)
        except BadTemplate as error:
            faults.append(Problem(field, str(error)))
            return None

    filled = {name: fill(name, value) for name, value in values.items() if name != "extra"}
    if "extra" in values:
        extra = {
            name: (value, fill(f"extra, {name}", value))
            for name, value in copy.deepcopy(values["extra"]).items()
        }
        # a text that nothing was filled into is not sent, as with fields; a given None is
        filled["extra"] = {
            name: new for name, (old, new) in extra.items() if new is not None or old is None
        }
    return filled, faults


def _unescaped(level: Any) -> Any:
    """What a level that is a field's own text puts into other texts."""
    if not isinstance(level, str) or not ("{" in level or "}" in level):
        return level
    try:
        template = parse(level)
    except BadTemplate:  # said where the field itself is filled
        return level
    return template if template.names else template.plain


def cells(
    made: Sequence[Request], rows: Sequence[Mapping[str, Any]], repeats: int, seed: int
) -> tuple[tuple[Cell, ...], int]:
    """Lay out the whole design `repeats` times, each in an order of its own.

    Also returns how many combinations are the same purchase as one before them.

    Takes are counted in the design's order, not the random one: neither another seed nor more
    repeats change which takes are bought first.
    """
    names = [purchase(request) for request in made]
    in_block = Counter(names)
    before: Counter[str] = Counter()
    takes = []
    for name in names:
        before[name] += 1
        takes.append(before[name])
    size = len(made)
    laid = []
    for block in range(repeats):
        shuffled = random.Random(f"block {block} of seed {seed}").sample(range(size), size)  # noqa: S311 - reproducible on purpose
        laid += [
            Cell(
                request=made[at],
                levels=rows[at],
                take=block * in_block[names[at]] + takes[at],
                block=block + 1,
                order=block * size + place,
            )
            for place, at in enumerate(shuffled)
        ]
    return tuple(laid), size - len(in_block)


def appended(first: Sequence[Cell], second: Sequence[Cell]) -> tuple[Cell, ...]:
    """Put cells after others: blocks, order and takes go on counting."""
    taken = Counter(purchase(cell.request) for cell in first)
    blocks = max((cell.block for cell in first), default=0)
    return (
        *first,
        *(
            dataclasses.replace(
                cell,
                take=taken[purchase(cell.request)] + cell.take,
                block=blocks + cell.block,
                order=len(first) + cell.order,
            )
            for cell in second
        ),
    )
