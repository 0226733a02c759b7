"""Plan: a frozen list of cells made from factors."""

import dataclasses
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self, TypeAlias

import pandas as pd

from musicapi_nb import markup
from musicapi_nb.engines import Request
from musicapi_nb.engines.values import plain_value
from musicapi_nb.errors import InvalidArgument, InvalidPlan, Problem
from musicapi_nb.frames.arrow_tables import Table
from musicapi_nb.plan import designs, validation
from musicapi_nb.plan.cells import (
    Cell,
    GroupedProblems,
    PlanProblem,
    append_cells,
    find_problems,
    group_problems,
    make_cells,
    make_requests,
)
from musicapi_nb.plan.dry_run import PACE, DryRun, dry_run, read_balance, read_bought
from musicapi_nb.plan.frames import cells_frame, problems_frame, read_rows
from musicapi_nb.plan.html import plan_html, plan_title
from musicapi_nb.plan.renderers import same_renderer_advice
from musicapi_nb.plan.size import read_deviations
from musicapi_nb.plan.traps import factor_fields, factor_warnings

Kind: TypeAlias = type[Request]
Base: TypeAlias = Mapping[str, Any] | None
Levels: TypeAlias = Mapping[str, Any]
Design: TypeAlias = Callable[[Sequence[int], int, random.Random], list[designs.Row]]
_FROM_FRAME = "from a frame"
_FACTORS_EXAMPLE = '{"mv": ["sonic-v6", "sonic-v6-wild"]}'


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Plan:
    """Requests to buy, each with the levels of its factors; made by one of the class methods.

    A factor with the name of a request field, or a synonym such as `model`, sets that field. Any
    other factor fills placeholders
    in texts: with `base={"prompt": "{style} about {topic}"}`, the factors `style` and `topic` do.
    All texts of a plan are such templates, so literal braces are written {{ and }}. A level of
    None (or a missing value in a frame) is not sent, and inserts nothing into a text.

    The whole design is repeated `repeats` times; each repeat is a block with its cells in a random
    order that `seed` determines. Cells with an equal request have different take numbers: each is
    a separate purchase, and none is bought twice.

    Attributes
    ----------
    cells
        In the order in which they are bought.
    factors
        Name to levels.
    design
        How the plan was made: "grid", "pairwise" and so on.
    advice
        Advice about the design; `problems()` lists it with that about the requests.
    """

    cells: tuple[Cell, ...]
    factors: Mapping[str, tuple[Any, ...]]
    design: str
    advice: tuple[Problem, ...] = ()

    @classmethod
    def grid(
        cls, request: Kind, *, base: Base = None, factors: Levels, repeats: int = 1, seed: int = 0
    ) -> Self:
        """Make every combination of levels.

        InvalidPlan lists every problem of the factors, the base and its templates. Problems of the
        requests are listed by `check`.

        Parameters
        ----------
        request
            A request class such as `sonic.Create`.
        base
            Fields that all cells share.
        factors
            Name to a list of levels: text, numbers, or other values that the field takes.
        repeats
            How often each combination is bought.
        seed
            Determines every random choice.
        """
        return cls._from_design(designs.grid, request, base, factors, repeats, seed)

    @classmethod
    def pairwise(
        cls, request: Kind, *, base: Base = None, factors: Levels, repeats: int = 1, seed: int = 0
    ) -> Self:
        """Make few combinations that contain every pair of levels of two factors.

        Arguments and errors as for `grid`.
        """
        return cls._from_design(designs.pairwise, request, base, factors, repeats, seed)

    @classmethod
    def latin(
        cls, request: Kind, *, base: Base = None, factors: Levels, repeats: int = 1, seed: int = 0
    ) -> Self:
        """Make a Latin square of three factors, or a Graeco-Latin square of four or more.

        All factors have the same number of levels, n; the n x n combinations contain every pair of
        levels of two factors once. Four factors cannot have 2 or 6 levels, nor 10 in this version;
        each further factor needs larger n. Arguments and errors as for `grid`.
        """
        return cls._from_design(designs.latin, request, base, factors, repeats, seed)

    @classmethod
    def one_at_a_time(
        cls, request: Kind, *, base: Base = None, factors: Levels, repeats: int = 1, seed: int = 0
    ) -> Self:
        """Make the first levels together, then every other level of each factor alone.

        If the base has a field of a factor's name, its value is the first level. Arguments and
        errors as for `grid`.
        """
        if isinstance(base, Mapping) and isinstance(factors, Mapping):
            base, factors = _base_levels_first(base, factors)
        return cls._from_design(designs.one_at_a_time, request, base, factors, repeats, seed)

    @classmethod
    def from_frame(
        cls, request: Kind, frame: Table, *, base: Base = None, repeats: int = 1, seed: int = 0
    ) -> Self:
        """Make one combination per row; columns are fields, or factors for use in texts.

        The frame is a pandas DataFrame, or another table with the Arrow PyCapsule interface, such
        as a polars DataFrame or a DuckDB relation. Missing values are not sent; the index is
        ignored. Other arguments and errors as for `grid`.
        """
        if isinstance(frame, type):
            raise InvalidArgument(
                "the request class comes before the table: Plan.from_frame(sonic.Create, frame)"
            )
        fields = validation.normalize_base(request, base)
        repeats, seed = plain_value((repeats, seed))
        rows, problems = read_rows(request, frame, fields)
        problems += validation.argument_problems(request, fields, repeats, seed)
        validation.refuse(problems or validation.size_problems(len(rows), repeats))
        factors = {name: validation.distinct(row[name] for row in rows) for name in rows[0]}
        return cls._from_rows(_FROM_FRAME, request, fields, factors, rows, repeats, seed)

    @classmethod
    def _from_design(  # noqa: PLR0913, PLR0917 - the arguments of the public methods
        cls, choose: Design, request: Kind, base: Base, factors: Levels, repeats: int, seed: int
    ) -> Self:
        fields = validation.normalize_base(request, base)
        repeats, seed = plain_value((repeats, seed))
        validation.check_mapping("factors", factors, _FACTORS_EXAMPLE)
        levels, problems = validation.read_factors(request, factors, fields)
        problems += validation.argument_problems(request, fields, repeats, seed)
        validation.refuse(problems)
        rng = random.Random(f"design of seed {seed}")  # noqa: S311 - reproducible by its seed
        indices = choose([len(values) for values in levels.values()], repeats, rng)
        rows = [
            {name: levels[name][index] for name, index in zip(levels, row, strict=True)}
            for row in indices
        ]
        design = choose.__name__.replace("_", " ")
        return cls._from_rows(design, request, fields, levels, rows, repeats, seed)

    @classmethod
    def _from_rows(  # noqa: PLR0913, PLR0917 - the arguments of the public methods
        cls,
        design: str,
        request: Kind,
        base: Levels,
        factors: validation.Factors,
        rows: Sequence[Levels],
        repeats: int,
        seed: int,
    ) -> Self:
        noun = "row" if design == _FROM_FRAME else ""
        fields = factor_fields(request, base, rows)
        requests, used = make_requests(request, base, rows, noun, fields)
        cells, repeated = make_cells(requests, rows, repeats, seed)
        traps = factor_warnings(request, base, rows, requests * repeats, used, repeated)
        return cls(cells, factors, design, tuple(traps))

    def __len__(self) -> int:
        return len(self.cells)

    def __getitem__(self, index: int) -> Cell:
        return self.cells[index]

    def __iter__(self) -> Iterator[Cell]:
        return iter(self.cells)

    def __add__(self, other: Self) -> "Plan":
        """Append the blocks of another plan; takes continue those of this plan."""
        if not isinstance(other, Plan):
            return NotImplemented
        factors = dict(self.factors)
        for name, levels in other.factors.items():
            factors[name] = validation.distinct([*factors.get(name, ()), *levels])
        advice = tuple(dict.fromkeys([*self.advice, *other.advice]))
        cells = append_cells(self.cells, other.cells)
        return Plan(cells, factors, f"{self.design} + {other.design}", advice)

    @property
    def blocks(self) -> int:
        """Number of blocks; they count from 1."""
        return max((cell.block for cell in self.cells), default=0)

    def frame(self) -> pd.DataFrame:
        """Return one row per cell, in order.

        Columns: block (from 1), order (from 0), take (from 1); the factors; the request fields
        that vary (`<name>_sent` where a factor has the field's name and another value is sent);
        price in credits and number of songs, missing where unknown.
        """
        return cells_frame(self.cells, self.factors)

    def problems(self) -> pd.DataFrame:
        """Return one row per problem and cell.

        Columns: order, block, take (missing for the plan as a whole), field, message, hard
        (False: advice).
        """
        return problems_frame(self._problems())

    def _problems(self) -> list[PlanProblem]:
        advice = (*self.advice, *same_renderer_advice(self.cells))
        return find_problems(self.cells, advice)

    def grouped_problems(self) -> GroupedProblems:
        """Return each problem once, with the `order` of the cells that have it."""
        return group_problems(self._problems())

    def check(self) -> pd.DataFrame:
        """Return `problems()` if all of them are advice, or raise `InvalidPlan` with the others."""
        problems = self.grouped_problems()
        if hard := {problem: orders for problem, orders in problems.items() if problem.hard}:
            raise InvalidPlan(hard)
        return self.problems()

    def dry_run(
        self, balance: Any = None, *, pace: float = PACE, variance: Table | None = None
    ) -> DryRun:
        """Compute cost, songs, time, alias structure and smallest effects; nothing is sent.

        Parameters
        ----------
        balance
            The session of `connect()`, which is asked for its credits, and whose library shows
            what is bought already; or a number of credits, or a `Balance`; None: unknown.
        pace
            Seconds between two submits.
        variance
            The table of `mnb.variance` of earlier songs, such as those of the library: the smallest
            effects are then in units of its outcomes. Without it they are in standard deviations.
        """
        title, problems = self._title(), self.grouped_problems()
        deviations = read_deviations(variance)
        available = read_balance(balance)
        invalid = any(problem.hard for problem in problems)  # it has no request keys
        bought = {} if invalid else read_bought(balance, self.cells)
        return dry_run(
            title, self.cells, self.factors, problems, available, pace, deviations, bought
        )

    def _title(self) -> str:
        return plan_title(self.design, self.cells, self.factors)

    @markup.safe_repr
    def __repr__(self) -> str:
        return f"<{self._title()}>"

    @markup.html_repr
    def _repr_html_(self) -> str:
        return plan_html(self.design, self.cells, self.factors, self.grouped_problems())


def _base_levels_first(
    base: Mapping[str, Any], factors: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Move the base's value of a factor to the front of its levels."""
    fields, moved = dict(base), dict(factors)
    for name in factors.keys() & base.keys() - {"extra"}:
        if isinstance(levels := factors[name], list | tuple):
            first = validation.to_python(fields.pop(name))
            rest = [level for level in levels if validation.to_python(level) != first]
            moved[name] = [first, *rest]
    return fields, moved
