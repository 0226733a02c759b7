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
from musicapi_nb.extras import missing_extra
from musicapi_nb.plan.aliasing import Aliasing, aliasing
from musicapi_nb.plan.cells import Cell, GroupedProblems
from musicapi_nb.plan.html import problem_notices, problem_texts
from musicapi_nb.plan.size import SmallestEffect, size_assumption, size_texts, smallest_effects
from musicapi_nb.plan.validation import to_python
from musicapi_nb.polling import published_range

PACE = 3.0  # seconds between creates; docs faq: standard accounts
_MAX_PROBLEMS = 20
_MAX_EFFECTS = 8


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DryRun:
    """What a plan would cost and produce; nothing was sent.

    Attributes
    ----------
    songs
        Sum over the cells where it is known; `songs_unknown` counts the other cells. Cells that
        would be refused are included.
    bought, paid
        Number of cells that the session's library has already, which are not bought again, and
        the credits paid for them.
    credits
        Credits still to pay, a sum over the other cells; `credits_unknown` counts those without a
        known price.
    assumed_price
        Price to assume of the cells whose price is unknown; None if there is none.
    balance
        Credits of the account, or None if unknown.
    blocks_covered
        Whole blocks, from the first, that the balance pays for; None if unknown.
    seconds
        From the first submit to the last, at one per `pace` seconds; the songs come after that.
    render
        Seconds that the last songs take, by the service's docs, from and to; None if unknown.
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
    bought: int
    paid: int
    credits: int
    credits_unknown: int
    assumed_price: Price | None
    balance: float | None
    blocks_covered: int | None
    pace: float
    seconds: float
    render: tuple[float, float] | None
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
            markup.table(("", "estimate"), _facts(self)),
            *problem_notices({**self.refused, **self.advice}, _MAX_PROBLEMS),
            markup.collapsible("What you can learn from it", effects) if rows else markup.EMPTY,
            facts=markup.text(self.plan),
            badges=[
                markup.badge("complete", "good")
                if self.bought == self.cells
                else markup.badge("nothing sent yet" if not self.bought else "partly bought")
            ],
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
    bought: Mapping[int, int],
) -> DryRun:
    """Compute a dry run; `bought` has the credits paid for cells bought before, by index."""
    pace = plain_value(pace)
    if isinstance(pace, bool) or not isinstance(pace, int | float) or not 0 <= pace < math.inf:
        raise InvalidArgument(f"pace must be the seconds between two submits, not {pace!r:.40}")
    to_buy = [cell for index, cell in enumerate(cells) if index not in bought]
    prices = [cell.request.price() for cell in to_buy]
    songs = [cell.request.songs for cell in cells]
    submits = sum(price != 0 for price in prices)
    return DryRun(
        plan=title,
        cells=len(cells),
        blocks=max((cell.block for cell in cells), default=0),
        songs=sum(count for count in songs if count is not None),
        songs_unknown=songs.count(None),
        bought=len(bought),
        paid=sum(bought.values()),
        credits=sum(price for price in prices if price is not None),
        credits_unknown=prices.count(None),
        assumed_price=next(filter(None, (cell.request.assumed_price() for cell in to_buy)), None),
        balance=balance,
        blocks_covered=_blocks_covered(cells, bought, balance),
        pace=float(pace),
        seconds=float(pace) * max(submits - 1, 0),
        render=_render_range(to_buy),
        refused={problem: orders for problem, orders in problems.items() if problem.hard},
        advice={problem: orders for problem, orders in problems.items() if not problem.hard},
        aliasing=aliasing(cells, factors),
        smallest_effects=smallest_effects(cells, factors),
        deviations=deviations,
    )


def _render_range(cells: Sequence[Cell]) -> tuple[float, float] | None:
    ranges = {published_range(cell.request.engine) for cell in cells}
    if None in ranges or not ranges:
        return None
    lows, highs = zip(*filter(None, ranges), strict=True)
    return max(lows), max(highs)


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


def read_bought(source: Any, cells: Sequence[Cell]) -> dict[int, int]:
    """Return the credits paid for the cells that a session's library has, by index."""
    if getattr(source, "library", None) is None:
        return {}
    from musicapi_nb.library import live_entries, request_key  # noqa: PLC0415 - only with a library

    keys = [request_key(cell.request, cell.take) for cell in cells]
    entries = live_entries(source.library, keys, simulated=source.simulated)
    return {
        index: entry.price or 0
        for index, entry in enumerate(entries)
        if entry is not None and entry.may_be_charged
    }


def _blocks_covered(
    cells: Sequence[Cell], bought: Mapping[int, int], balance: float | None
) -> int | None:
    costs: Counter[int] = Counter()
    for index, cell in enumerate(cells):
        price = 0 if index in bought else cell.request.price()
        if balance is None or price is None:
            return None
        costs[cell.block] += price
    return sum(total <= (balance or 0) for total in itertools.accumulate(costs.values()))


# --- text ------------------------------------------------------------------------------------


def _facts(run: DryRun) -> Iterator[tuple[str, str]]:
    rounds = f", in {run.blocks:,} rounds" if run.blocks > 1 else ""
    yield "requests", f"{run.cells:,}{rounds}"
    unknown = f", plus an unknown number from {markup.plural(run.songs_unknown, 'request')}"
    yield "songs", f"{run.songs:,}" + (unknown if run.songs_unknown else "")
    yield "credits", _cost_text(run)
    if run.balance is not None:
        yield "balance", _balance_text(run)
    yield "time", _time_text(run)
    if run.smallest_effects:
        texts = size_texts(run.smallest_effects[:_MAX_EFFECTS], run.deviations)
        hidden = len(run.smallest_effects) - len(texts)
        texts += [f"{hidden} more factors"] if hidden else []
        yield "smallest effect", f"{'; '.join(texts)} ({size_assumption(run.deviations)})"
    elif run.aliasing.effects and (missing := missing_extra("analysis")):
        yield "smallest effect", f"not computed: {missing.message}"
    refused = f"{run.refused_cells:,} of {markup.plural(run.cells, 'request')} would be refused"
    yield "problems", refused if run.refused else "none"


def _cost_text(run: DryRun) -> str:
    paid = f" ({run.paid:,} paid before)" if run.paid else ""
    if run.bought and run.bought == run.cells:
        which = "the request is" if run.cells == 1 else f"all {run.cells:,} requests are"
        return f"0 to pay: {which} in the library{paid}"
    to_pay = _price_text(run)
    if not run.bought:
        return to_pay
    return f"{to_pay} to pay: {run.bought:,} of {run.cells:,} requests are in the library{paid}"


def _price_text(run: DryRun) -> str:
    if not run.credits_unknown:
        return f"{run.credits:,}"
    unpriced = markup.plural(run.credits_unknown, "request")
    text = f"at least {run.credits:,}; the price of {unpriced} is unknown"
    if run.credits_unknown == run.cells - run.bought:
        text = "unknown"
    if run.assumed_price is None:
        return text
    total = run.credits + run.credits_unknown * run.assumed_price.credits
    return f"{text}; {total:,} with {run.assumed_price.proposal}"


def _balance_text(run: DryRun) -> str:
    balance = markup.format_credits(run.balance)
    if run.bought == run.cells:
        return balance
    if run.share is None or run.credits_unknown:
        return f"{balance}; the plan's share is unknown"
    text = f"{balance}; the plan needs {run.share:.0%} of it" if run.balance else balance
    if run.credits <= (run.balance or 0):
        return text
    return f"{text}: enough for {run.blocks_covered} of {markup.plural(run.blocks, 'round')}"


def _time_text(run: DryRun) -> str:
    if run.bought == run.cells:
        return "none"
    send = f"{markup.format_estimate(run.seconds)} to send all, one every {run.pace:g} s"
    songs = markup.format_estimate(*run.render) if run.render else "the time that the songs take"
    return f"{send}, then {songs}" if run.seconds else songs
