"""Which effects a design can tell apart: ranks of the model matrix, and words for them. Pure."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from musicapi_nb.plan.validation import same

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from musicapi_nb.plan.cells import Cell

Verdict: TypeAlias = Literal["clear", "if alone", "partly", "no", "not looked into"]
Name: TypeAlias = tuple[str, ...]
BLOCKS: Name = ("block",)  # no factor can be called so
_MEAN: Name = ()
_MOST_LEVELS = 200
_MOST_COLUMNS = 600
_ROWS_AT_ONCE = 5_000
# Columns have length 1, and designs are of counted levels: what is dependent at all is so up to
# rounding, and the nearest to it that was seen (one factor at a time, 200 levels) is above 1e-5.
_ZERO = 1e-8


@dataclasses.dataclass(frozen=True, slots=True)
class Effect:
    """A main effect (one factor) or a two-way interaction (two), and whether it can be seen.

    Attributes
    ----------
    verdict
        "clear": whatever main effects, two-way interactions and differences between blocks there
        are. "if alone": only if no other two-way interaction matters. "partly": some of its
        levels or combinations only. "no": not at all. "not looked into": too many levels.
    looks_like
        The effects that it is confounded with, one by one; none if only several together are.
    gaps
        An interaction whose factors' levels do not all meet.
    """

    factors: Name
    verdict: Verdict
    looks_like: tuple[Name, ...] = ()
    gaps: bool = False

    @property
    def name(self) -> str:
        return _said(self.factors)


@dataclasses.dataclass(frozen=True, slots=True)
class Effects:
    """Every main effect and two-way interaction of a design; its text says them in words.

    Attributes
    ----------
    constant
        Factors that have one level in all cells.
    too_long
        Factors of more than 200 levels: no effects of their own here, and compared with each other
        factor alone.
    """

    effects: tuple[Effect, ...]
    constant: Name = ()
    too_long: Name = ()

    def sentences(self) -> list[str]:
        return _sentences(self)

    def __str__(self) -> str:
        return "\n".join(self.sentences())

    def __getitem__(self, factors: str | Name) -> Effect:
        """Look up by a factor's name, or by two names in any order."""
        wanted = {factors} if isinstance(factors, str) else set(factors)
        for effect in self.effects:
            if set(effect.factors) == wanted:
                return effect
        raise KeyError(factors)


def effects(cells: Sequence[Cell], factors: Mapping[str, Sequence[Any]]) -> Effects:
    """Judge a design by the ranks of its model matrix (sum-to-zero contrasts, blocks included)."""
    shown = {
        name: list(dict.fromkeys(same(cell.levels.get(name)) for cell in cells)) for name in factors
    }
    constant = tuple(name for name, found in shown.items() if len(found) < 2)  # noqa: PLR2004 - needs two
    varying = [name for name in shown if name not in constant]
    rows, classes = _rows(cells, varying, shown)
    if len(classes) == 1 and len(rows) == math.prod(len(shown[name]) for name in varying):
        names = [*((name,) for name in varying), *itertools.combinations(varying, 2)]
        return Effects(tuple(Effect(name, "clear") for name in names), constant)
    too_long = tuple(name for name in varying if len(shown[name]) > _MOST_LEVELS)
    looked = [name for name in varying if name not in too_long]
    sizes = [len(shown[name]) for name in looked]
    rows, classes = _rows(cells, looked, shown)
    if sum(sizes) > _MOST_COLUMNS:
        return Effects(
            tuple(Effect((name,), "not looked into") for name in looked), constant, too_long
        )
    pairs = list(itertools.combinations(looked, 2))
    found = _judged(_Model(rows, looked, sizes, len(classes), pairs), looked, pairs)
    for name in too_long:
        found = [_beside(effect, name, cells, shown) for effect in found]
    return Effects(tuple(found), constant, too_long)


def _beside(
    effect: Effect, long: str, cells: Sequence[Cell], shown: Mapping[str, Sequence[Any]]
) -> Effect:
    """Judge a main effect also against a factor of very many levels, those two alone.

    Two factors add up to full rank if one can get from any level to any other by way of cells.
    """
    if len(effect.factors) > 1 or effect.verdict == "no":
        return effect
    (name,) = effect.factors
    group = {key: {key} for key in shown[name]}
    first: dict[Any, Any] = {}
    for cell in cells:
        level = same(cell.levels.get(name))
        other = first.setdefault(same(cell.levels.get(long)), level)
        if group[level] is not group[other]:
            group[other] |= group[level]
            for key in group[level]:
                group[key] = group[other]
    apart = len({id(members) for members in group.values()})
    if apart == 1:
        return effect
    verdict: Verdict = "no" if apart == len(group) else "partly"
    kept = effect.looks_like if effect.verdict == "partly" else ()
    return Effect(effect.factors, verdict, (*kept, (long,)))


def _rows(
    cells: Sequence[Cell], names: Sequence[str], shown: Mapping[str, Sequence[Any]]
) -> tuple[NDArray[np.int64], list[frozenset[Name]]]:
    """The different rows of the design: a kind of block, then level numbers.

    Blocks of the same combinations are of one kind: ranks are the same but for the number of
    blocks, which no question here asks for.
    """
    number = {name: {key: at for at, key in enumerate(shown[name])} for name in names}
    blocks: dict[int, set[Any]] = {}
    for cell in cells:
        row = tuple(number[name][same(cell.levels.get(name))] for name in names)
        blocks.setdefault(cell.block, set()).add(row)
    classes = list(dict.fromkeys(frozenset(rows) for rows in blocks.values()))
    distinct = [(at, *row) for at, rows in enumerate(classes) for row in sorted(rows)]
    return np.array(distinct, dtype=np.int64).reshape(len(distinct), len(names) + 1), classes


def _contrasts(levels: int) -> NDArray[np.float64]:
    """Helmert's contrasts: orthogonal columns that each sum to zero over the levels."""
    columns = np.tril(-np.ones((levels, levels)), -1).T[:, 1:]
    for at in range(1, levels):
        columns[at, at - 1] = at
        columns[:, at - 1] /= math.sqrt(at * (at + 1))
    return columns


class _Model:
    """The model matrix's inner products, and questions to its ranks."""

    def __init__(
        self,
        rows: NDArray[np.int64],
        names: Sequence[str],
        sizes: Sequence[int],
        blocks: int,
        pairs: Sequence[tuple[str, str]],
    ) -> None:
        width = dict(zip(names, (size - 1 for size in sizes), strict=True))
        wanted: dict[Name, int] = {_MEAN: 1, BLOCKS: blocks - 1}
        wanted |= {(name,): width[name] for name in names}
        interactions: dict[Name, int] = {pair: width[pair[0]] * width[pair[1]] for pair in pairs}
        self.with_pairs = sum((wanted | interactions).values()) <= _MOST_COLUMNS
        wanted |= interactions if self.with_pairs else {}
        self._columns: dict[Name, NDArray[np.int64]] = {}
        at = 0
        for effect, count in wanted.items():
            self._columns[effect] = np.arange(at, at + count)
            at += count
        coded = [_contrasts(blocks), *(_contrasts(size) for size in sizes)]
        products = np.zeros((at, at))
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            part = self._matrix(rows[start : start + _ROWS_AT_ONCE], coded, names)
            products += part.T @ part
        lengths = np.sqrt(np.diag(products))
        lengths[lengths < _ZERO] = 1.0
        self._products = products / lengths / lengths[:, None]

    def _matrix(
        self, rows: NDArray[np.int64], coded: Sequence[NDArray[np.float64]], names: Sequence[str]
    ) -> NDArray[np.float64]:
        single = [code[rows[:, at]] for at, code in enumerate(coded)]
        by_name = dict(zip(names, single[1:], strict=True))
        parts = [np.ones((len(rows), 1)), *single]
        for effect in self._columns:
            if len(effect) == 2:  # noqa: PLR2004 - an interaction
                one, two = (by_name[name] for name in effect)
                parts.append((one[:, :, None] * two[:, None, :]).reshape(len(rows), -1))
        return np.concatenate(parts, axis=1)

    def width(self, effect: Name) -> int:
        return len(self._columns[effect])

    def seen(self, given: Sequence[Name]) -> dict[Name, int]:
        """How many columns each effect adds to the rank of all the others.

        An effect's columns less the rank of its part of the null space.
        """
        at = np.concatenate([self._columns[effect] for effect in given])
        values, vectors = np.linalg.eigh(self._products[np.ix_(at, at)])
        null = vectors[:, values < _ZERO]
        added, start = {}, 0
        for effect in given:
            part = null[start : start + self.width(effect)]
            start += self.width(effect)
            lost = np.linalg.svd(part, compute_uv=False) > math.sqrt(_ZERO) if part.size else [0]
            added[effect] = self.width(effect) - int(np.sum(lost))
        return added

    def rank(self, given: Sequence[Name]) -> int:
        at = np.concatenate([self._columns[effect] for effect in dict.fromkeys(given)])
        return int(np.sum(np.linalg.eigvalsh(self._products[np.ix_(at, at)]) > _ZERO))

    def overlap(self, one: Name, two: Name) -> bool:
        """Whether two effects share a direction beyond the mean and the parts they are made of."""
        parts = {(name,) for effect in (one, two) if len(effect) > 1 for name in effect}
        beside = [_MEAN, *(parts - {one, two})]
        together = self.rank([*beside, one, two])
        return together < self.rank([*beside, one]) + self.rank([*beside, two]) - self.rank(beside)


def _judged(model: _Model, names: Sequence[str], pairs: Sequence[Name]) -> list[Effect]:
    mains: list[Name] = [(name,) for name in names]
    simple = [_MEAN, BLOCKS, *mains]
    without = model.seen(simple)
    if not model.with_pairs:
        found = [_main(model, main, without, {}, simple) for main in mains]
        return found + [Effect(pair, "not looked into") for pair in pairs]
    every = model.seen([*simple, *pairs])
    found = [_main(model, main, without, every, [BLOCKS, *mains, *pairs]) for main in mains]
    return found + [_pair(model, pair, simple, every, pairs) for pair in pairs]


def _main(
    model: _Model,
    main: Name,
    without: dict[Name, int],
    every: dict[Name, int],
    others: Sequence[Name],
) -> Effect:
    full = model.width(main)
    if every.get(main) == full:
        return Effect(main, "clear")
    if without[main] == full:
        rivals = [other for other in others if len(other) > 1]
        return Effect(main, "if alone", _like(model, main, rivals))
    rivals = [other for other in others if len(other) == 1 and other != main]
    return Effect(main, "partly" if without[main] else "no", _like(model, main, rivals))


def _pair(
    model: _Model, pair: Name, simple: Sequence[Name], every: dict[Name, int], pairs: Sequence[Name]
) -> Effect:
    full = model.width(pair)
    if every[pair] == full:
        return Effect(pair, "clear")
    parts = [_MEAN, *((name,) for name in pair)]
    gaps = model.rank([*parts, pair]) - model.rank(parts) < full
    alone = model.rank([*simple, pair]) - model.rank(simple)
    if alone == full:
        return Effect(pair, "if alone", _like(model, pair, [one for one in pairs if one != pair]))
    mains = [one for one in simple if one != _MEAN and not set(one) <= set(pair)]
    return Effect(pair, "partly" if alone else "no", _like(model, pair, mains), gaps)


def _like(model: _Model, effect: Name, rivals: Sequence[Name]) -> tuple[Name, ...]:
    return tuple(one for one in rivals if model.width(one) and model.overlap(effect, one))


# --- words -----------------------------------------------------------------------------------

_LISTED = 4
_SEVERAL = "several others together"
_TIMES = "\N{MULTIPLICATION SIGN}"


def _said(name: Name) -> str:
    return f" {_TIMES} ".join(name)


def _listed(names: Sequence[Name], joint: str = "and") -> str:
    words = [_said(name) for name in names]
    if len(words) > _LISTED + 1:
        words = [*words[:_LISTED], f"{len(words) - _LISTED} others"]
    return f" {joint} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _sentences(found: Effects) -> list[str]:
    mains = [effect for effect in found.effects if len(effect.factors) == 1]
    pairs = [effect for effect in found.effects if len(effect.factors) > 1]
    said = [] if found.effects else ["No factor has two levels or more to compare."]
    said += _grouped(mains, _main_fate, "The effect of", "The effects of")
    said += _grouped(pairs, _pair_fate, "The interaction", "The interactions")
    if pairs:
        one, two = pairs[0].factors
        said.append(f"({one} {_TIMES} {two}: how the effect of {one} depends on {two}.)")
    for names, what in (
        (
            found.too_long,
            f"more than {_MOST_LEVELS} levels, so set only against one other at a time",
        ),
        (found.constant, "the same in every cell"),
    ):
        if names:
            said.append(f"{_listed([(name,) for name in names])}: {what}.")
    return said


def _grouped(
    found: Sequence[Effect], fate: Callable[[Effect], str], one: str, many: str
) -> list[str]:
    """One sentence for all effects with the same fate."""
    groups: dict[str, list[Name]] = {}
    for effect in found:
        groups.setdefault(fate(effect), []).append(effect.factors)
    return [
        f"{many if len(names) > 1 else one} {_listed(names)}: {words}."
        for words, names in groups.items()
    ]


def _main_fate(effect: Effect) -> str:
    like = _listed(effect.looks_like, "or")
    match effect.verdict:
        case "clear":
            return "told apart from everything else"
        case "not looked into":
            return "not looked into, there are too many levels in all"
        case "if alone":
            return f"told apart only if there is no {like or 'interaction'}"
        case "partly":
            return f"some levels cannot be told from {like or _SEVERAL}"
        case _:
            return f"cannot be told from {like or _SEVERAL}"


def _pair_fate(effect: Effect) -> str:
    like = _listed(effect.looks_like, "or")
    if effect.gaps:
        how = "in part unseen" if effect.verdict == "partly" else "unseen"
        return f"{how}, for some of their levels never meet"
    match effect.verdict:
        case "if alone":
            return f"told apart only if there is no {like or 'other'}"
        case "partly":
            return f"some of it cannot be told from the effect of {like or _SEVERAL}"
        case "no":
            return f"cannot be told from the effect of {like or _SEVERAL}"
        case _:
            return _main_fate(effect)
