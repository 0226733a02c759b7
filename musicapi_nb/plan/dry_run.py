"""DryRun: songs, credits, time, problems and alias structure of a plan before it is sent."""

import dataclasses
import inspect
import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from musicapi_nb import markup
from musicapi_nb.engines import Price
from musicapi_nb.engines.values import plain_value
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.plan.aliasing import Aliasing, aliasing
from musicapi_nb.plan.cells import Cell, GroupedProblems
from musicapi_nb.plan.html import problem_notices, problem_texts
from musicapi_nb.plan.size import SmallestEffect, size_assumption, size_texts, smallest_effects
from musicapi_nb.plan.validation import to_python

PACE = 3.0  # seconds between creates; docs faq: standard accounts
_MAX_PROBLEMS = 20
_MAX_EFFECTS = 8


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DryRun:
    """What a plan would cost and produce; nothing was sent.

    Attributes
    ----------
    songs, credits
        Sums over the cells where they are known; `songs_unknown` and `credits_unknown` count the
        other cells. Cells that would be refused are included.
    assumed_price
        Price to assume of the cells whose price is unknown; None if there is none.
    balance
        Credits of the account, or None if unknown.
    blocks_covered
        Whole blocks, from the first, that the balance pays for; None if unknown.
    seconds
        From the first submit to the last, at one per `pace` seconds; rendering is not included.
    refused, advice
        Each problem once, with the `order` of the cells that have it; empty for the whole plan.
    aliasing
        Which effects the design can estimate.
    smallest_effects
        The smallest effect of each factor that 80 % of such experiments find.
    deviations
        Standard deviation of a task's mean by outcome, if it was given.
    """

    plan: str
    cells: int
    blocks: int
    songs: int
    songs_unknown: int
    credits: int
    credits_unknown: int
    assumed_price: Price | None
    balance: float | None
    blocks_covered: int | None
    pace: float
    seconds: float
    refused: GroupedProblems
    advice: GroupedProblems
    aliasing: Aliasing
    smallest_effects: tuple[SmallestEffect, ...]
    deviations: Mapping[str, float] | None

    @property
    def share(self) -> float | None:
        """The known credits as a share of the balance; None if the balance is unknown."""
        if self.balance is None:
            return None
        if self.balance:
            return self.credits / self.balance
        return math.inf if self.credits else 0.0

    @property
    def refused_cells(self) -> int:
        return len({order for orders in self.refused.values() for order in orders})

    def __repr__(self) -> str:
        lines = [self.plan, *(f"{name}: {text}" for name, text in _facts(self))]
        for title, problems in (("refused", self.refused), ("advice", self.advice)):
            lines += (f"{title}: {text}" for text in problem_texts(problems, _MAX_PROBLEMS))
        lines += (f"estimable: {line}" for line in str(self.aliasing).split("\n") if line)
        return "\n".join(markup.one_line(line) for line in lines)

    @markup.html_repr
    def _repr_html_(self) -> str:
        rows = self.aliasing.rows()
        effects = markup.table(("effects", "estimable", "aliased with"), rows)
        return markup.card(
            "Dry run",
            markup.table(("quantity", "value"), _facts(self)),
            *problem_notices({**self.refused, **self.advice}, _MAX_PROBLEMS),
            markup.collapsible("Effects the design can estimate", effects)
            if rows
            else markup.EMPTY,
            facts=markup.text(self.plan),
            badges=[markup.badge("nothing was sent")],
            wide=True,
        )


def dry_run(  # noqa: PLR0913, PLR0917 - the values of a plan
    title: str,
    cells: Sequence[Cell],
    factors: Mapping[str, Any],
    problems: GroupedProblems,
    balance: float | None,
    pace: float,
    deviations: Mapping[str, float] | None,
) -> DryRun:
    pace = plain_value(pace)
    if isinstance(pace, bool) or not isinstance(pace, int | float) or not 0 <= pace < math.inf:
        raise InvalidArgument(f"pace must be the seconds between two submits, not {pace!r:.40}")
    prices = [cell.request.price() for cell in cells]
    songs = [cell.request.songs for cell in cells]
    paid = sum(price != 0 for price in prices)
    return DryRun(
        plan=title,
        cells=len(cells),
        blocks=max((cell.block for cell in cells), default=0),
        songs=sum(count for count in songs if count is not None),
        songs_unknown=songs.count(None),
        credits=sum(price for price in prices if price is not None),
        credits_unknown=prices.count(None),
        assumed_price=next(filter(None, (cell.request.assumed_price() for cell in cells)), None),
        balance=balance,
        blocks_covered=_blocks_covered(cells, balance),
        pace=float(pace),
        seconds=float(pace) * max(paid - 1, 0),
        refused={problem: orders for problem, orders in problems.items() if problem.hard},
        advice={problem: orders for problem, orders in problems.items() if not problem.hard},
        aliasing=aliasing(cells, factors),
        smallest_effects=smallest_effects(cells, factors),
        deviations=deviations,
    )


def read_balance(source: Any) -> float | None:
    """Return the credits of a session (asked for them), a `Balance`, a number, or None."""
    ask = getattr(source, "credits", None)
    if callable(ask):
        reply = ask()
        if inspect.iscoroutine(reply):
            reply.close()
            raise InvalidArgument("dry_run cannot await: pass (await client.credits()) instead")
        source = reply.result()
    value = to_python(getattr(source, "total", source))
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise InvalidArgument(
            f"dry_run takes the session of connect() or a number of credits, not {source!r:.60}"
        )
    return value


def _blocks_covered(cells: Sequence[Cell], balance: float | None) -> int | None:
    costs: Counter[int] = Counter()
    for cell in cells:
        if balance is None or (price := cell.request.price()) is None:
            return None
        costs[cell.block] += price
    return sum(total <= (balance or 0) for total in itertools.accumulate(costs.values()))


# --- text ------------------------------------------------------------------------------------


def _facts(run: DryRun) -> Iterator[tuple[str, str]]:
    yield "cells", f"{run.cells:,}" + (f", in {run.blocks:,} blocks" if run.blocks > 1 else "")
    unknown = f", plus an unknown number from {run.songs_unknown:,} cells"
    yield "songs", f"{run.songs:,}" + (unknown if run.songs_unknown else "")
    yield "credits", _cost_text(run)
    if run.balance is not None:
        yield "balance", _balance_text(run)
    duration = markup.format_duration(run.seconds)
    yield "time", f"{duration} to submit all, one per {run.pace:g} s; rendering is not included"
    if run.smallest_effects:
        texts = size_texts(run.smallest_effects[:_MAX_EFFECTS], run.deviations)
        hidden = len(run.smallest_effects) - len(texts)
        texts += [f"{hidden} more factors"] if hidden else []
        yield "smallest effect", f"{'; '.join(texts)} ({size_assumption(run.deviations)})"
    yield "refused", f"{run.refused_cells:,} of {run.cells:,} cells" if run.refused else "none"


def _cost_text(run: DryRun) -> str:
    if not run.credits_unknown:
        return f"{run.credits:,}"
    text = f"at least {run.credits:,}; the price of {run.credits_unknown:,} cells is unknown"
    if run.credits_unknown == run.cells:
        text = "unknown"
    if run.assumed_price is None:
        return text
    total = run.credits + run.credits_unknown * run.assumed_price.credits
    return f"{text}; {total:,} with {run.assumed_price.proposal}"


def _balance_text(run: DryRun) -> str:
    balance = markup.format_credits(run.balance)
    if run.share is None or run.credits_unknown:
        return f"{balance}; the plan's share is unknown"
    text = f"{balance}; the plan needs {run.share:.0%} of it" if run.balance else balance
    if run.credits <= (run.balance or 0):
        return text
    return f"{text}: enough for {run.blocks_covered} of {run.blocks} blocks"
