"""Alias structure of a design: which effects it can estimate, by matrix ranks. No I/O."""

import dataclasses
import itertools
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from musicapi_nb.plan.cells import Cell
from musicapi_nb.plan.validation import hashable_key

Verdict: TypeAlias = Literal["clear", "conditional", "partial", "aliased", "not computed"]
EffectKey: TypeAlias = tuple[str, ...]
BLOCKS: EffectKey = ("block",)  # no factor can have this name
_MEAN: EffectKey = ()
_MAX_LEVELS = 200
_MAX_COLUMNS = 600
_CHUNK_ROWS = 5_000
_MAX_NAMES = 8
# Columns have length 1. The smallest eigenvalue seen for independent columns (one factor at a
# time, 200 levels) is above 1e-5; rounding errors of dependent ones are far below 1e-8.
_TOLERANCE = 1e-8
_VERDICT_TEXT: dict[Verdict, str] = {
    "clear": "yes",
    "conditional": "only if interactions are zero",
    "partial": "partly",
    "aliased": "no",
    "not computed": "not computed, too many levels",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Effect:
    """A main effect (one factor) or a two-way interaction (two), and whether it is estimable.

    Verdicts are "clear": separate from all main effects, two-way interactions and blocks;
    "conditional": separate only if other two-way interactions are zero; "partial": some of its
    levels or combinations are; "aliased": not estimable; "not computed": too many levels.
    `aliased_with` has the effects that it is confounded with, each taken alone; it is empty if only
    several together are. `missing_combinations` is true if some do not occur in the design.
    """

    factors: EffectKey
    verdict: Verdict
    aliased_with: tuple[EffectKey, ...] = ()
    missing_combinations: bool = False

    @property
    def name(self) -> str:
        return _label(self.factors)


@dataclasses.dataclass(frozen=True, slots=True)
class Aliasing:
    """Verdicts on all main effects and two-way interactions of a design.

    `constant` factors have the same level in all cells; those of `too_many_levels` have more than
    200 and are only compared with each other factor alone.
    """

    effects: tuple[Effect, ...]
    constant: EffectKey = ()
    too_many_levels: EffectKey = ()

    def __getitem__(self, factors: str | EffectKey) -> Effect:
        """Look up by a factor's name, or by two names in any order."""
        names = {factors} if isinstance(factors, str) else set(factors)
        for effect in self.effects:
            if set(effect.factors) == names:
                return effect
        raise KeyError(factors)

    def rows(self) -> list[tuple[str, str, str]]:
        """Return rows (effects, whether they are estimable, aliased with), equal ones as one."""
        groups: dict[tuple[str, str], list[str]] = {}
        for effect in self.effects:
            text = _VERDICT_TEXT[effect.verdict]
            if len(effect.factors) > 1:
                text = text.replace("if interactions", "if other interactions")
            aliases = _join([_label(key) for key in effect.aliased_with])
            if effect.missing_combinations:
                text += "; some combinations of levels are missing"
            elif not aliases and effect.verdict in {"conditional", "partial", "aliased"}:
                aliases = "several effects together"
            groups.setdefault((text, aliases), []).append(effect.name)
        too_many = f"not computed, more than {_MAX_LEVELS} levels"
        groups |= {(too_many, ""): list(self.too_many_levels)}
        groups |= {("no, the same in all requests", ""): list(self.constant)}
        return [(_join(names), *group) for group, names in groups.items() if names]

    def __str__(self) -> str:
        return "\n".join(
            f"{names}: {text}{f' (aliased with {aliases})' if aliases else ''}"
            for names, text, aliases in self.rows()
        )


def _label(key: EffectKey) -> str:
    return " \N{MULTIPLICATION SIGN} ".join(key)


def _join(names: Sequence[str]) -> str:
    suffix = [f"{len(names) - _MAX_NAMES} more"] if len(names) > _MAX_NAMES else []
    return ", ".join([*names[:_MAX_NAMES], *suffix])


def aliasing(cells: Sequence[Cell], factors: Iterable[str]) -> Aliasing:
    """Compute the alias structure of a design, blocks included."""
    keys = {name: [hashable_key(cell.levels.get(name)) for cell in cells] for name in factors}
    levels = {name: list(dict.fromkeys(values)) for name, values in keys.items()}
    constant = tuple(name for name in levels if len(levels[name]) <= 1)
    varying = [name for name in levels if name not in constant]
    rows, blocks = _distinct_rows(cells, {name: keys[name] for name in varying}, levels)
    if blocks == 1 and len(rows) == math.prod(len(levels[name]) for name in varying):
        effects = [*((name,) for name in varying), *itertools.combinations(varying, 2)]
        return Aliasing(tuple(Effect(key, "clear") for key in effects), constant)
    too_many = tuple(name for name in varying if len(levels[name]) > _MAX_LEVELS)
    names = [name for name in varying if name not in too_many]
    sizes = {name: len(levels[name]) for name in names}
    if sum(sizes.values()) > _MAX_COLUMNS:
        unknown = tuple(Effect((name,), "not computed") for name in names)
        return Aliasing(unknown, constant, too_many)
    rows, blocks = _distinct_rows(cells, {name: keys[name] for name in names}, levels)
    model = _Model(rows, blocks, sizes)
    mains: list[EffectKey] = [(name,) for name in names]
    simple = [_MEAN, BLOCKS, *mains]
    added_ranks = model.added_ranks() if model.has_pairs else {}
    verdicts = [_judge(model, key, simple, added_ranks) for key in (*mains, *model.pairs)]
    if not model.has_pairs:
        verdicts += [Effect(pair, "not computed") for pair in itertools.combinations(names, 2)]
    for long in too_many:
        verdicts = [_compare_with(effect, long, keys) for effect in verdicts]
    return Aliasing(tuple(verdicts), constant, too_many)


def _compare_with(effect: Effect, long: str, keys: Mapping[str, Sequence[Hashable]]) -> Effect:
    """Compare a main effect with a factor of very many levels; return other effects unchanged.

    Two factors are separate if cells connect all their levels; c components alias c - 1 degrees
    of freedom.
    """
    name = effect.factors[0]
    components = _count_components(keys[name], keys[long])
    if len(effect.factors) > 1 or components == 1 or effect.verdict == "aliased":
        return effect
    verdict: Verdict = "aliased" if components == len(set(keys[name])) else "partial"
    earlier = effect.aliased_with if effect.verdict == "partial" else ()
    return Effect(effect.factors, verdict, (*earlier, (long,)))


def _count_components(first: Iterable[Hashable], second: Iterable[Hashable]) -> int:
    """Count the connected components of the levels of two factors; cells are the edges."""
    parents: dict[Any, Any] = {}

    def root(level: Any) -> Any:
        while (parent := parents.setdefault(level, level)) != level:
            parents[level] = level = parents[parent]  # path halving
        return level

    for a, b in zip(first, second, strict=True):
        parents[root(("first", a))] = root(("second", b))
    return sum(level == parent for level, parent in parents.items())


def _distinct_rows(
    cells: Sequence[Cell],
    keys: Mapping[str, Sequence[Hashable]],
    levels: Mapping[str, Sequence[Hashable]],
) -> tuple[NDArray[np.int64], int]:
    """Return the distinct rows (kind of block, then level indices) and the kinds of blocks.

    Blocks with the same rows are one kind: repeating a block changes no rank but the blocks' own.
    """
    codes = [{level: i for i, level in enumerate(levels[name])} for name in keys]
    blocks: dict[int, set[tuple[int, ...]]] = {}
    for cell, row in zip(cells, zip(*keys.values(), strict=True), strict=False):
        coded = tuple(code[key] for code, key in zip(codes, row, strict=True))
        blocks.setdefault(cell.block, set()).add(coded)
    kinds = list(dict.fromkeys(frozenset(rows) for rows in blocks.values())) or [frozenset()]
    distinct = [(kind, *row) for kind, rows in enumerate(kinds) for row in sorted(rows)]
    shape = (len(distinct), len(keys) + 1)
    return np.array(distinct, dtype=np.int64).reshape(shape), len(kinds)


class _Model:
    """Gram matrix of the model matrix (sum-to-zero contrasts), and ranks of its parts."""

    def __init__(self, rows: NDArray[np.int64], blocks: int, sizes: Mapping[str, int]) -> None:
        widths: dict[EffectKey, int] = {_MEAN: 1, BLOCKS: blocks - 1}
        widths |= {(name,): size - 1 for name, size in sizes.items()}
        pairs: dict[EffectKey, int] = {
            pair: widths[pair[:1]] * widths[pair[1:]] for pair in itertools.combinations(sizes, 2)
        }
        self.has_pairs = sum((widths | pairs).values()) <= _MAX_COLUMNS
        self.pairs = list(pairs) if self.has_pairs else []
        widths |= pairs if self.has_pairs else {}
        ends = dict(zip(widths, itertools.accumulate(widths.values()), strict=True))
        self._columns = {key: np.arange(ends[key] - widths[key], ends[key]) for key in widths}
        # orthonormal columns, (size, size - 1), that each sum to zero
        contrasts = {
            name: np.linalg.qr(np.eye(size) - 1 / size).Q[:, : size - 1]
            for name, size in {"block": blocks, **sizes}.items()
        }
        width = sum(widths.values())
        gram = np.zeros((width, width))
        for chunk in np.array_split(rows, len(rows) // _CHUNK_ROWS + 1):  # memory is limited
            matrix = self._matrix(chunk, contrasts)
            gram += matrix.T @ matrix
        lengths = np.sqrt(np.diag(gram))
        lengths[lengths < _TOLERANCE] = 1.0
        self._gram = gram / lengths / lengths[:, None]

    def _matrix(self, rows: NDArray[np.int64], contrasts: Mapping[str, Any]) -> NDArray[np.float64]:
        singles = {name: contrasts[name][row] for name, row in zip(contrasts, rows.T, strict=True)}
        products = [
            np.einsum("ra,rb->rab", singles[a], singles[b]).reshape(len(rows), -1)
            for a, b in self.pairs
        ]
        return np.concatenate([np.ones((len(rows), 1)), *singles.values(), *products], axis=1)

    def width(self, key: EffectKey) -> int:
        return len(self._columns[key])

    def rank(self, *keys: EffectKey) -> int:
        columns = np.concatenate([self._columns[key] for key in dict.fromkeys(keys)])
        gram = self._gram[np.ix_(columns, columns)]
        return int(np.linalg.matrix_rank(gram, tol=_TOLERANCE, hermitian=True))

    def added_ranks(self) -> dict[EffectKey, int]:
        """Return the rank that each effect adds to all the others.

        It is the number of the effect's columns, less the rank of its rows of the null space.
        """
        values, vectors = np.linalg.eigh(self._gram)
        null_space = vectors[:, values < _TOLERANCE]
        ranks = {}
        for key, columns in self._columns.items():
            rows = null_space[columns]
            lost = np.linalg.matrix_rank(rows, tol=math.sqrt(_TOLERANCE)) if rows.size else 0
            ranks[key] = len(columns) - int(lost)
        return ranks

    def aliases(self, key: EffectKey, others: Iterable[EffectKey]) -> tuple[EffectKey, ...]:
        """Return the effects that share a direction with this one, beyond their main effects."""
        return tuple(other for other in others if self.width(other) and self._overlap(key, other))

    def _overlap(self, a: EffectKey, b: EffectKey) -> bool:
        mains = {(name,) for key in (a, b) if len(key) > 1 for name in key} - {a, b}
        base = (_MEAN, *mains)
        added = self.rank(*base, b) - self.rank(*base)
        return self.rank(*base, a, b) - self.rank(*base, a) < added


def _judge(
    model: _Model, key: EffectKey, simple: Sequence[EffectKey], added_ranks: Mapping[EffectKey, int]
) -> Effect:
    """Judge an effect; `simple` are the mean, the blocks and the main effects."""
    width = model.width(key)
    if added_ranks.get(key) == width:
        return Effect(key, "clear")
    base = [effect for effect in simple if effect != key]
    added = model.rank(*base, key) - model.rank(*base)
    if added == width:
        interactions = [pair for pair in model.pairs if pair != key]
        return Effect(key, "conditional", model.aliases(key, interactions))
    lower = [effect for effect in base if set(effect) <= set(key)]
    others = [effect for effect in base if effect not in lower]
    missing = model.rank(*lower, key) - model.rank(*lower) < width and len(key) > 1
    return Effect(key, "partial" if added else "aliased", model.aliases(key, others), missing)
