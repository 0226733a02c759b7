"""The title line and the HTML card of a plan."""

from collections.abc import Mapping, Sequence
from typing import Any

from musicapi_nb import markup
from musicapi_nb.errors import Problem
from musicapi_nb.plan.cells import Cell, operation_names

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
    count = f"{len(cells):,} cell{'' if len(cells) == 1 else 's'}"
    blocks = max((cell.block for cell in cells), default=0)
    return f"{count} in {blocks} blocks" if blocks > 1 else count


def plan_html(
    design: str,
    cells: Sequence[Cell],
    factors: Mapping[str, Sequence[Any]],
    problems: Sequence[Problem],
) -> str:
    prices = [cell.request.price() for cell in cells]
    credits_ = None if None in prices else sum(price or 0 for price in prices)
    counts = [cell.request.songs for cell in cells]
    songs = None if None in counts else f"{sum(count or 0 for count in counts):,} songs"
    rows = [(name, len(levels), _levels_text(levels)) for name, levels in factors.items()]
    return markup.card(
        f"Plan: {design} of {', '.join(operation_names(cells))}",
        markup.table(("factor", "levels", "values"), rows) if rows else markup.EMPTY,
        *_notices([str(problem) for problem in problems if problem.hard], "bad"),
        *_notices([str(problem) for problem in problems if not problem.hard], "info"),
        markup.collapsible("First cells", _first_cells(cells, factors)),
        markup.caption("Not sent yet. plan.dry_run(api) estimates cost and time."),
        facts=markup.facts(_size(cells), songs),
        badges=[markup.badge(markup.format_credits(credits_))],
        wide=True,
    )


def _notices(texts: Sequence[str], tone: markup.Tone) -> list[markup.Html]:
    notices = [markup.notice(text, tone) for text in texts[:_MAX_NOTICES]]
    if len(texts) > _MAX_NOTICES:
        message = f"{len(texts) - _MAX_NOTICES:,} more problems: plan.problems() lists them all"
        notices.append(markup.notice(message, tone))
    return notices


def _levels_text(levels: Sequence[Any]) -> str:
    suffix = [f"and {len(levels) - _MAX_LEVELS:,} more"] if len(levels) > _MAX_LEVELS else []
    return " | ".join([*map(_level_text, levels[:_MAX_LEVELS]), *suffix])


def _level_text(level: Any) -> str:
    if level is None:
        return "(not sent)"
    return markup.one_line(level if isinstance(level, str) else repr(level), _LEVEL_LENGTH)


def _first_cells(cells: Sequence[Cell], factors: Mapping[str, Any]) -> markup.Html:
    rows: list[tuple[markup.Cell, ...]] = [
        (cell.block, cell.take, *(_level_text(cell.levels.get(name)) for name in factors))
        for cell in cells[:_MAX_CELLS]
    ]
    return markup.table(("block", "take", *factors), rows)
