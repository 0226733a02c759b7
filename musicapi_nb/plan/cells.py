"""Cells of a plan: fill texts, make requests, count takes, shuffle blocks. No I/O."""

import copy
import dataclasses
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from musicapi_nb.engines import Request
from musicapi_nb.errors import InvalidPlan, Problem
from musicapi_nb.library._request_key import request_key
from musicapi_nb.plan.templates import BadTemplate, parse


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One purchase of a plan.

    `levels` are those of each factor, before texts are filled. `take` counts the cells with an
    equal request from 1, so that no two cells are the same purchase; `block` counts the replicates
    of the whole design from 1. `order` is the position in the plan, from 0.
    """

    request: Request
    levels: Mapping[str, Any]
    take: int
    block: int
    order: int


GroupedProblems: TypeAlias = Mapping[Problem, tuple[int, ...]]
"""Each problem once, with the `order` of the cells that have it; empty for the whole plan."""


class PlanProblem(NamedTuple):
    """A problem and the cell that has it; None for a problem of the whole plan."""

    cell: Cell | None
    problem: Problem


def find_problems(cells: Iterable[Cell], advice: Iterable[Problem]) -> list[PlanProblem]:
    """Return the advice about the plan, then the problems of each cell's request."""
    problems = [PlanProblem(None, problem) for problem in advice]
    by_request: dict[int, tuple[Problem, ...]] = {}
    for cell in cells:
        if (key := id(cell.request)) not in by_request:
            by_request[key] = cell.request.problems()
        problems += (PlanProblem(cell, problem) for problem in by_request[key])
    return problems


def group_problems(problems: Iterable[PlanProblem]) -> GroupedProblems:
    groups: dict[Problem, list[int]] = {}
    for cell, problem in problems:
        groups.setdefault(problem, []).extend([cell.order] if cell else [])
    return {problem: tuple(orders) for problem, orders in groups.items()}


def operation_names(cells: Iterable[Cell]) -> list[str]:
    """Return the operations of the cells, such as "sonic.Create", each once."""
    names = (f"{cell.request.engine}.{type(cell.request).__name__}" for cell in cells)
    return list(dict.fromkeys(names))


def purchase_key(request: Request) -> str:
    """Return a text that is equal for requests that a library takes for the same purchase."""
    try:
        return request_key(request)
    except (TypeError, ValueError, RecursionError):  # invalid; problems() reports it
        return repr(request)


def make_requests(
    kind: type[Request],
    base: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    row_noun: str = "",
    factor_fields: Mapping[str, str] | None = None,
) -> tuple[list[Request], set[str]]:
    """Make the request of each row of levels; also return the factors that the requests use.

    `factor_fields` are the fields that factors set; default: those of the same name.
    InvalidPlan lists the texts that cannot be filled, with their rows if `row_noun` is given.
    """
    fields = factor_fields or {name: name for name in kind.fields()}
    requests: list[Request] = []
    used: set[str] = set()
    problems: dict[Problem, list[int]] = {}
    for index, levels in enumerate(rows):
        varied = {name: level for name, level in levels.items() if name in fields}
        used |= varied.keys()
        texts = {name: _as_text(level) for name, level in varied.items()}
        values = {fields[name]: level for name, level in varied.items()}
        filled, faults = _fill_fields({**base, **values}, {**levels, **texts}, used)
        for fault in faults:
            problems.setdefault(fault, []).append(index)
        if not problems:
            requests.append(kind(**filled))
    if problems:
        raise InvalidPlan(problems if row_noun else dict.fromkeys(problems, ()), row_noun)
    return requests, used


def _fill_fields(
    values: Mapping[str, Any], levels: Mapping[str, Any], used: set[str]
) -> tuple[dict[str, Any], list[Problem]]:
    faults: list[Problem] = []

    def fill(field: str, value: Any) -> Any:
        if not _is_template(value):
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
        extra = copy.deepcopy(values["extra"])
        texts = {name: fill(f"extra, {name}", value) for name, value in extra.items()}
        # As with fields, a text that stays empty is not sent; an explicit None is.
        filled["extra"] = {
            name: text for name, text in texts.items() if text is not None or extra[name] is None
        }
    return filled, faults


def _is_template(value: Any) -> bool:
    return isinstance(value, str) and ("{" in value or "}" in value)


def _as_text(level: Any) -> Any:
    """Return the text that a level inserts into other texts if it is itself a field's text."""
    if not _is_template(level):
        return level
    try:
        template = parse(level)
    except BadTemplate:  # reported where the field itself is filled
        return level
    return template if template.names else template.plain


def make_cells(
    requests: Sequence[Request], rows: Sequence[Mapping[str, Any]], repeats: int, seed: int
) -> tuple[tuple[Cell, ...], list[Request]]:
    """Repeat the whole design in blocks, each in random order.

    Also returns the requests, of all blocks, that repeat an earlier one of their block. Takes are
    counted in the order of the design, not in random order: neither another seed nor more repeats
    change which takes are bought first.
    """
    keys = [purchase_key(request) for request in requests]
    per_block, counts = Counter(keys), Counter[str]()
    takes = []
    for key in keys:
        counts[key] += 1
        takes.append(counts[key])
    size = len(requests)
    cells = []
    for block in range(repeats):
        rng = random.Random(f"block {block} of seed {seed}")  # noqa: S311 - reproducible by its seed
        cells += [
            Cell(
                request=requests[index],
                levels=rows[index],
                take=block * per_block[keys[index]] + takes[index],
                block=block + 1,
                order=block * size + position,
            )
            for position, index in enumerate(rng.sample(range(size), size))
        ]
    repeated = [request for request, take in zip(requests, takes, strict=True) if take > 1]
    return tuple(cells), repeated * repeats


def append_cells(first: Sequence[Cell], second: Sequence[Cell]) -> tuple[Cell, ...]:
    """Append cells; their blocks, orders and takes continue those of the first ones."""
    takes = Counter(purchase_key(cell.request) for cell in first)
    blocks = max((cell.block for cell in first), default=0)
    appended = (
        dataclasses.replace(
            cell,
            take=takes[purchase_key(cell.request)] + cell.take,
            block=blocks + cell.block,
            order=len(first) + cell.order,
        )
        for cell in second
    )
    return (*first, *appended)
