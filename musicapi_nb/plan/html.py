"""The title line and the HTML card of a plan."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from musicapi_nb import markup
from musicapi_nb.errors import Problem
from musicapi_nb.plan.cells import Cell, GroupedProblems, operation_names

_MAX_LEVELS = 8
_LEVEL_LENGTH = 40
_MAX_NOTICES = 5
_MAX_CELLS = 10


def plan_title(design: str, cells: Sequence[Cell], factors: Mapping[str, Sequence[Any]]) -> str:
    """Describe a plan in one line."""
    sizes = " x ".join(f"{name} ({len(levels)})" for name, levels in factors.items())
    operations = ", ".join(operation_names(cells))
    title = f"Plan: {design} of {operations}, {_size(cells)}{f': {sizes}' if sizes else ''}"
    return markup.one_line(title)


def _size(cells: Sequence[Cell]) -> str:
    count = markup.plural(len(cells), "request")
    blocks = max((cell.block for cell in cells), default=0)
    return f"{count} in {blocks} rounds" if blocks > 1 else count


def plan_html(
    design: str,
    cells: Sequence[Cell],
    factors: Mapping[str, Sequence[Any]],
    problems: GroupedProblems,
) -> str:
    prices = [cell.request.price() for cell in cells]
    credits_ = None if None in prices else sum(price or 0 for price in prices)
    counts = [cell.request.songs for cell in cells]
    total = sum(count or 0 for count in counts)
    songs = None if None in counts else markup.plural(total, "song")
    rows = []
    for name, levels in factors.items():
        more = [f"and {len(levels) - _MAX_LEVELS:,} more"] if len(levels) > _MAX_LEVELS else []
        values = " | ".join([*map(_level_text, levels[:_MAX_LEVELS]), *more])
        rows.append((name, len(levels), values))
    first: list[tuple[markup.Cell, ...]] = [
        (cell.block, cell.take, *(_level_text(cell.levels.get(name)) for name in factors))
        for cell in cells[:_MAX_CELLS]
    ]
    return markup.card(
        f"Plan: {design} of {', '.join(operation_names(cells))}",
        markup.table(("varied", "values", ""), rows) if rows else markup.EMPTY,
        *problem_notices(problems, _MAX_NOTICES),
        markup.collapsible("First requests", markup.table(("round", "version", *factors), first)),
        markup.caption(
            "Nothing sent yet. plan.dry_run(api) says what it costs and how long it takes."
        ),
        facts=markup.facts(_size(cells), songs),
        badges=[markup.badge(markup.format_credits(credits_))],
        wide=True,
    )


def problem_notices(problems: GroupedProblems, limit: int) -> Iterator[markup.Html]:
    """Yield a notice for each hard problem, warning, and piece of advice; `limit` of each."""
    tones: dict[markup.Tone, dict[Problem, tuple[int, ...]]] = {"bad": {}, "warn": {}, "info": {}}
    for problem, orders in problems.items():
        tone: markup.Tone = "bad" if problem.hard else "warn" if problem.warn else "info"
        tones[tone][problem] = orders
    for tone, group in tones.items():
        for text in problem_texts(group, limit):
            yield markup.notice(text, tone)


def problem_texts(problems: GroupedProblems, limit: int) -> Iterator[str]:
    """Yield each problem with its cells, and the number of those beyond the limit."""
    for problem, orders in itertools.islice(problems.items(), limit):
        match orders:
            case ():
                yield str(problem)
            case (order,):
                yield f"{problem} (request {order})"
            case (order, *_):
                yield f"{problem} ({len(orders):,} requests, for example {order})"
    if len(problems) > limit:
        yield f"and {len(problems) - limit:,} more: plan.problems() lists them all"


def _level_text(level: Any) -> str:
    if level is None:
        return "(not sent)"
    return markup.one_line(level if isinstance(level, str) else repr(level), _LEVEL_LENGTH)
