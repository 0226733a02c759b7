"""Plan: a frozen list of cells, made from factors, and what can be asked of it."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from musicapi_nb.engines import Request
from musicapi_nb.errors import InvalidPlan, Problem
from musicapi_nb.plan import lay, validation
from musicapi_nb.plan.cells import appended, cells, requests
from musicapi_nb.plan.dry_run import PACE, dry_run
from musicapi_nb.plan.html import plan_html, plan_words

if TYPE_CHECKING:
    import pandas as pd

    from musicapi_nb.plan.cells import Cell
    from musicapi_nb.plan.designs import Row
    from musicapi_nb.plan.dry_run import DryRun

_EXAMPLE = '{"mv": ["sonic-v5", "sonic-v4"]}'


class PlanProblem(NamedTuple):
    """One problem, and the cell that has it; None where it is the plan's own."""

    cell: Cell | None
    problem: Problem


class _Times(NamedTuple):
    repeats: int
    seed: int


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Plan:
    """Requests to buy, each with the levels of its factors; made by one of the class methods.

    A factor that is a field of the request sets it; any other fills places in texts: with
    `base={"prompt": "{style} about {topic}"}`, factors `style` and `topic` do. Every text of a
    plan is such a template, so that braces of its own are written {{ and }}. A level of None, or
    a missing one in a frame, is not sent, and leaves its place in a text empty.

    The whole design is laid out `repeats` times; each time is a block, whose cells are in a
    random order that `seed` determines. Repeats are takes: cells with an equal request have
    different take numbers, each is a purchase of its own, and none is bought twice.

    Attributes
    ----------
    cells
        In the order in which they are to be bought.
    factors
        Name to levels, as given.
    design
        How it was made: "grid", "pairwise" and so on.
    advised
        Advice about the plan as a whole.
    """

    cells: tuple[Cell, ...]
    factors: Mapping[str, tuple[Any, ...]]
    design: str
    advised: tuple[Problem, ...] = ()

    @classmethod
    def grid(
        cls,
        request: type[Request],
        *,
        base: Mapping[str, Any] | None = None,
        factors: Mapping[str, Any],
        repeats: int = 1,
        seed: int = 0,
    ) -> Self:
        """Every combination of levels.

        Parameters
        ----------
        request
            The class of an operation, such as `sonic.Create`.
        base
            The fields that all cells share.
        factors
            Name to a list of levels: text, numbers, or whatever the field takes.
        repeats
            How often each combination is bought.
        seed
            Determines every random choice.

        Raises
        ------
        InvalidPlan
            With every problem of the factors, the base and its templates. What the service would
            refuse is told by `check`.
        """
        return cls._designed("grid", (request, base, factors), lay.grid, repeats, seed)

    @classmethod
    def pairwise(
        cls,
        request: type[Request],
        *,
        base: Mapping[str, Any] | None = None,
        factors: Mapping[str, Any],
        repeats: int = 1,
        seed: int = 0,
    ) -> Self:
        """Few combinations in which any two levels of different factors meet. Else as `grid`."""
        return cls._designed("pairwise", (request, base, factors), lay.pairwise, repeats, seed)

    @classmethod
    def latin(
        cls,
        request: type[Request],
        *,
        base: Mapping[str, Any] | None = None,
        factors: Mapping[str, Any],
        repeats: int = 1,
        seed: int = 0,
    ) -> Self:
        """A Latin square of three factors, a Graeco-Latin one of four, and so on.

        All have the same number of levels, n: n x n combinations, in which any two levels meet
        once. For four factors n cannot be 2 or 6, nor in this version 10; each further one needs
        larger n. Else as `grid`.
        """
        return cls._designed("latin", (request, base, factors), lay.latin, repeats, seed)

    @classmethod
    def one_at_a_time(
        cls,
        request: type[Request],
        *,
        base: Mapping[str, Any] | None = None,
        factors: Mapping[str, Any],
        repeats: int = 1,
        seed: int = 0,
    ) -> Self:
        """The first level of each factor, and every other level of each alone. Else as `grid`.

        Where the base has a factor's field, that is its first level.
        """
        if isinstance(base, Mapping) and isinstance(factors, Mapping):
            base, factors = _base_first(base, factors)
        return cls._designed("one at a time", (request, base, factors), lay.alone, repeats, seed)

    @classmethod
    def from_frame(
        cls,
        request: type[Request],
        frame: pd.DataFrame,
        *,
        base: Mapping[str, Any] | None = None,
        repeats: int = 1,
        seed: int = 0,
    ) -> Self:
        """One combination a row. Columns are fields, or other factors, for use in texts.

        Missing values are not sent; the index is not read. Else as `grid`.
        """
        from musicapi_nb.plan.frames import read_rows  # noqa: PLC0415 - loads pandas

        validation.check_kind(request)
        shared = _shared(request, base)
        rows, problems = read_rows(request, frame, shared)
        problems += validation.base_problems(request, shared)
        problems += validation.number_problems(repeats, seed)
        validation.refuse(problems or validation.size_problems(len(rows), repeats))
        names = rows[0]
        factors = {
            name: tuple({validation.same(row[name]): row[name] for row in rows}.values())
            for name in names
        }
        return cls._filled(
            "from a frame", (request, shared, factors), rows, _Times(repeats, seed), "row"
        )

    @classmethod
    def _designed(
        cls,
        design: str,
        given: tuple[type[Request], Mapping[str, Any] | None, Any],
        choose: Callable[[Sequence[int], int, random.Random], list[Row]],
        repeats: int,
        seed: int,
    ) -> Self:
        request, base, raw = given
        validation.check_kind(request)
        validation.check_mapping("factors", raw, _EXAMPLE)
        shared = _shared(request, base)
        factors, problems = validation.read_factors(request, raw, shared)
        problems += validation.base_problems(request, shared)
        problems += validation.number_problems(repeats, seed)
        validation.refuse(problems)
        sizes = [len(found) for found in factors.values()]
        picked = choose(sizes, repeats, random.Random(f"design of seed {seed}"))  # noqa: S311 - reproducible on purpose
        rows = [
            {name: found[at] for (name, found), at in zip(factors.items(), row, strict=True)}
            for row in picked
        ]
        return cls._filled(design, (request, shared, factors), rows, _Times(repeats, seed))

    @classmethod
    def _filled(
        cls,
        design: str,
        given: tuple[type[Request], Mapping[str, Any], validation.Factors],
        rows: Sequence[Mapping[str, Any]],
        times: _Times,
        place: str = "",
    ) -> Self:
        request, base, factors = given
        made, used = requests(request, base, rows, place)
        advice = [validation.unused_advice(request, name) for name in factors if name not in used]
        laid, again = cells(made, rows, times.repeats, times.seed)
        if again:
            advice.append(validation.again_advice(again, len(made)))
        return cls(laid, factors, design, tuple(advice))

    def __len__(self) -> int:
        return len(self.cells)

    def __iter__(self) -> Iterator[Cell]:
        return iter(self.cells)

    def __add__(self, other: Plan) -> Plan:
        """Put another plan's blocks after this one's; takes go on counting."""
        if not isinstance(other, Plan):
            return NotImplemented
        factors = dict(self.factors)
        for name, more in other.factors.items():
            both = [*factors.get(name, ()), *more]
            factors[name] = tuple({validation.same(level): level for level in both}.values())
        return Plan(
            appended(self.cells, other.cells),
            factors,
            f"{self.design} + {other.design}",
            tuple(dict.fromkeys([*self.advised, *other.advised])),
        )

    @property
    def blocks(self) -> int:
        """How many replicates there are; they count from 1."""
        return max((cell.block for cell in self.cells), default=0)

    @property
    def words(self) -> str:
        """What plan it is, in a line."""
        return plan_words(self)

    def frame(self) -> pd.DataFrame:
        """One row a cell, in order.

        Columns: block (from 1), order (from 0), take (from 1); the factors; the request's fields
        that vary (where a factor has the field's name and its level is not what is sent,
        `<name>_sent`); price and songs, missing where not known.
        """
        from musicapi_nb.plan.frames import cells_frame  # noqa: PLC0415 - loads pandas

        return cells_frame(self.cells, self.factors)

    def problems(self) -> pd.DataFrame:
        """Everything that is wrong or unwise, one row a problem and cell.

        Columns: order, block, take (missing: of the plan as a whole), field, message, hard (False:
        advice).
        """
        from musicapi_nb.plan.frames import problems_frame  # noqa: PLC0415 - loads pandas

        return problems_frame(self.all_problems())

    def all_problems(self) -> list[PlanProblem]:
        """The rows of `problems` as values."""
        found = [PlanProblem(None, problem) for problem in self.advised]
        known: dict[int, tuple[Problem, ...]] = {}
        for cell in self.cells:
            if (key := id(cell.request)) not in known:
                known[key] = cell.request.problems()
            found += (PlanProblem(cell, problem) for problem in known[key])
        return found

    def grouped_problems(self) -> dict[Problem, tuple[int, ...]]:
        """Each problem once, with the `order` of the cells that have it."""
        groups: dict[Problem, list[int]] = {}
        for cell, problem in self.all_problems():
            groups.setdefault(problem, []).extend([cell.order] if cell else [])
        return {problem: tuple(orders) for problem, orders in groups.items()}

    def check(self) -> pd.DataFrame:
        """Return `problems`, when there is only advice.

        Raises
        ------
        InvalidPlan
            With every hard problem and the cells that have it.
        """
        hard = {problem: at for problem, at in self.grouped_problems().items() if problem.hard}
        if hard:
            raise InvalidPlan(hard)
        return self.problems()

    def dry_run(self, api: Any = None, *, pace: float = PACE) -> DryRun:
        """Tell what the plan would cost, give and show; nothing is sent.

        Parameters
        ----------
        api
            What `connect()` returned, asked for its balance; or a balance; None: not known.
        pace
            Seconds between two submits.
        """
        return dry_run(self, api, pace)

    def __repr__(self) -> str:
        return f"<{self.words}>"

    def _repr_html_(self) -> str:
        return plan_html(self)


def _shared(kind: type[Request], base: Mapping[str, Any] | None) -> dict[str, Any]:
    if base is None:
        return {}
    validation.check_mapping("base", base, '{"mv": "sonic-v5"}')
    return {
        name: validation.fitted(kind, name, validation.plain(value)) for name, value in base.items()
    }


def _base_first(
    base: Mapping[str, Any], factors: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Move the base's value of a factor to the front of its levels."""
    moved = dict(factors)
    for name in factors.keys() & base.keys() - {"extra"}:
        given = factors[name]
        if isinstance(given, list | tuple):
            first = validation.plain(base[name])
            others = [level for level in given if validation.plain(level) != first]
            moved[name] = [first, *others]
    kept = {
        name: value
        for name, value in base.items()
        if name not in moved or moved[name] is factors[name]
    }
    return kept, moved
