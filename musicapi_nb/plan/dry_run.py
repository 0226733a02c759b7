"""What a plan would come to, before anything of it is sent."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from musicapi_nb import markup
from musicapi_nb.errors import InvalidArgument, Problem
from musicapi_nb.plan.aliasing import effects
from musicapi_nb.plan.validation import plain

if TYPE_CHECKING:
    from musicapi_nb.plan.aliasing import Effects
    from musicapi_nb.plan.cells import Cell
    from musicapi_nb.plan.plan import Plan

PACE = 3.0  # seconds between creates; docs faq: standard accounts
_LISTED = 20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DryRun:
    """What a plan would cost, give and tell; nothing was sent.

    Attributes
    ----------
    songs, credits
        Of all cells for which they are known; `songs_unknown` and `credits_unknown` count the
        other cells. Nothing is taken off for cells that would be refused.
    balance
        Credits of the account, or None if nobody said.
    blocks_covered
        Whole blocks, from the first, that the balance pays for; None where that is not known.
    seconds
        From the first submit to the last, at one each `pace` seconds; the last one's songs come
        after that.
    refused, advice
        Each problem once, with the `order` of the cells that have it; none where it is the plan's.
    effects
        What the design can tell apart.
    """

    plan: str
    cells: int
    blocks: int
    songs: int
    songs_unknown: int
    credits: int
    credits_unknown: int
    balance: float | None
    blocks_covered: int | None
    pace: float
    seconds: float
    refused: Mapping[Problem, tuple[int, ...]]
    advice: Mapping[Problem, tuple[int, ...]]
    effects: Effects

    @property
    def share(self) -> float | None:
        """What the known credits are of the balance, 1.0 being all of it; None if unknown."""
        if self.balance is None:
            return None
        if self.balance:
            return self.credits / self.balance
        return math.inf if self.credits else 0.0

    @property
    def refused_cells(self) -> int:
        return len({order for orders in self.refused.values() for order in orders})

    def __repr__(self) -> str:
        lines = [self.plan, *(f"{name}: {words}" for name, words in _facts(self))]
        for title, found in (("refused", self.refused), ("advice", self.advice)):
            lines += (f"{title}: {words}" for words in _problems(found))
        lines += (f"effects: {words}" for words in self.effects.sentences())
        return "\n".join(markup.one_line(line) for line in lines)

    def _repr_html_(self) -> str:
        facts = markup.table(("what", "how much"), _facts(self))
        said = markup.collapsible(
            "What the design can tell apart", *_lines(self.effects.sentences())
        )
        return markup.card(
            "Dry run",
            facts,
            *(markup.notice(words, "bad") for words in _problems(self.refused)),
            *(markup.notice(words) for words in _problems(self.advice)),
            said,
            facts=markup.text(self.plan),
            badges=[markup.badge("nothing was sent")],
            wide=True,
        )


def _lines(words: Iterable[str]) -> list[markup.Html]:
    return [markup.stack(*(markup.text(line) for line in words))]


def dry_run(plan: Plan, api: Any, pace: float) -> DryRun:
    if isinstance(pace, bool) or not isinstance(pace, int | float) or not 0 <= pace < math.inf:
        raise InvalidArgument(f"pace is the seconds between two submits, not {pace!r:.40}")
    balance = _balance(api)
    found = plan.grouped_problems()
    prices = [cell.request.price() for cell in plan.cells]
    songs = [cell.request.songs for cell in plan.cells]
    paid = sum(price != 0 for price in prices)
    return DryRun(
        plan=plan.words,
        cells=len(plan),
        blocks=plan.blocks,
        songs=sum(count for count in songs if count is not None),
        songs_unknown=songs.count(None),
        credits=sum(price for price in prices if price is not None),
        credits_unknown=prices.count(None),
        balance=balance,
        blocks_covered=_blocks_covered(plan.cells, balance),
        pace=float(pace),
        seconds=float(pace) * max(paid - 1, 0),
        refused={problem: orders for problem, orders in found.items() if problem.hard},
        advice={problem: orders for problem, orders in found.items() if not problem.hard},
        effects=effects(plan.cells, plan.factors),
    )


def _balance(api: Any) -> float | None:
    """Read a balance: of a handle (by asking), of an account's Balance, or a number."""
    asked = getattr(api, "credits", None)
    if callable(asked):
        answer = asked()
        if inspect.iscoroutine(answer):
            answer.close()
            raise InvalidArgument(
                "a plain client has to be awaited: dry_run(await client.credits())"
            )
        api = answer.result()
    value = plain(getattr(api, "total", api))
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise InvalidArgument(
            f"dry_run takes connect()'s handle or a number of credits, not {api!r:.60}"
        )
    return value


def _blocks_covered(cells: Sequence[Cell], balance: float | None) -> int | None:
    if balance is None:
        return None
    covered, left, block = 0, balance, 0
    for cell in cells:
        if cell.block != block:
            covered, block = block, cell.block
        if (price := cell.request.price()) is None:
            return None
        left -= price
        if left < 0:
            return covered
    return block


# --- words -----------------------------------------------------------------------------------


def _facts(run: DryRun) -> Iterator[tuple[str, str]]:
    yield "cells", f"{run.cells:,}{_of_blocks(run)}"
    more = f", and those of {run.songs_unknown:,} cells that state no number" * (
        run.songs_unknown > 0
    )
    yield "songs", f"{run.songs:,}{more}"
    yield "credits", _cost(run)
    if run.balance is not None:
        yield "balance", _balance_words(run)
    yield "time", _time(run)
    yield "refused", f"{run.refused_cells:,} cells would be refused" if run.refused else "none"


def _of_blocks(run: DryRun) -> str:
    return f", in {run.blocks:,} blocks" if run.blocks > 1 else ""


def _cost(run: DryRun) -> str:
    if not run.credits_unknown:
        return f"{run.credits:,}"
    if run.credits_unknown == run.cells:
        return "unknown"
    return f"at least {run.credits:,}; the price of {run.credits_unknown:,} cells is not known"


def _balance_words(run: DryRun) -> str:
    held = markup.format_credits(run.balance)
    if run.share is None or run.credits_unknown:
        return f"{held}; what share of it is not known"
    said = f"{held}; this would take {run.share:.0%} of it" if run.balance else held
    if run.credits <= (run.balance or 0):
        return said
    return f"{said}: enough for {run.blocks_covered} of {run.blocks} blocks"


def _time(run: DryRun) -> str:
    took = markup.format_duration(run.seconds)
    return f"{took} to submit all, one each {run.pace:g} s; songs come after that"


def _problems(found: Mapping[Problem, tuple[int, ...]]) -> list[str]:
    words = [
        f"{problem} ({len(orders):,} cells, such as {orders[0]})"
        if len(orders) > 1
        else f"{problem} (cell {orders[0]})"
        if orders
        else str(problem)
        for problem, orders in found.items()
    ]
    if len(words) > _LISTED:
        words[_LISTED:] = [f"and {len(words) - _LISTED:,} more: plan.problems() lists them all"]
    return words
