"""How a plan shows itself: a line of words, and a card of its factors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from musicapi_nb import markup

if TYPE_CHECKING:
    from musicapi_nb.plan.plan import Plan

_LEVELS = 8
_LEVEL = 40
_NOTICES = 5
_ROWS = 10


def plan_words(plan: Plan) -> str:
    kinds = dict.fromkeys(f"{cell.request.engine}.{type(cell.request).__name__}" for cell in plan)
    factors = [f"{name} ({len(found)})" for name, found in plan.factors.items()]
    of = f": {' x '.join(factors)}" if factors else ""
    return markup.one_line(f"Plan: {plan.design} of {', '.join(kinds)}, {_size(plan)}{of}")


def _size(plan: Plan) -> str:
    cells = f"{len(plan):,} cell{'' if len(plan) == 1 else 's'}"
    return f"{cells} in {plan.blocks} blocks" if plan.blocks > 1 else cells


def plan_html(plan: Plan) -> str:
    found = plan.grouped_problems()
    hard = [str(problem) for problem in found if problem.hard]
    advice = [str(problem) for problem in found if not problem.hard]
    prices = [cell.request.price() for cell in plan]
    known = sum(price for price in prices if price is not None)
    cost = markup.format_credits(None if None in prices else known)
    kinds = dict.fromkeys(f"{cell.request.engine}.{type(cell.request).__name__}" for cell in plan)
    rows = [(name, len(levels), _levels(levels)) for name, levels in plan.factors.items()]
    return markup.card(
        f"Plan: {plan.design} of {', '.join(kinds)}",
        markup.table(("factor", "levels", "which"), rows) if rows else markup.EMPTY,
        *_notices(hard, "bad"),
        *_notices(advice, "info"),
        markup.collapsible("The first cells", _first(plan)),
        markup.caption("Not sent: plan.dry_run(api) tells what it would come to."),
        facts=markup.facts(_size(plan), _songs(plan)),
        badges=[markup.badge(cost)],
        wide=True,
    )


def _songs(plan: Plan) -> str | None:
    counts = [cell.request.songs for cell in plan]
    return None if None in counts else f"{sum(count or 0 for count in counts):,} songs"


def _notices(words: Sequence[str], tone: markup.Tone) -> list[markup.Html]:
    shown = [markup.notice(line, tone) for line in words[:_NOTICES]]
    if len(words) > _NOTICES:
        more = f"{len(words) - _NOTICES:,} more problems: plan.problems() lists them all"
        shown.append(markup.notice(more, tone))
    return shown


def _levels(levels: Sequence[Any]) -> str:
    shown = [_level(level) for level in levels[:_LEVELS]]
    more = [f"and {len(levels) - _LEVELS:,} more"] if len(levels) > _LEVELS else []
    return " | ".join([*shown, *more])


def _level(level: Any) -> str:
    if level is None:
        return "(not sent)"
    return markup.one_line(level if isinstance(level, str) else repr(level), _LEVEL)


def _first(plan: Plan) -> markup.Html:
    columns = ("block", "take", *plan.factors)
    rows: list[tuple[markup.Cell, ...]] = [
        (cell.block, cell.take, *(_level(cell.levels.get(name)) for name in plan.factors))
        for cell in plan.cells[:_ROWS]
    ]
    return markup.table(columns, rows)
