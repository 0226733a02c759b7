"""How often intervals cover, tests err and effects are found, in simulated tables.

Every case draws tables of which the truth is known and passes them to the public functions. A table
is one outcome column, so that a call estimates many at once. Limits: bias below 0.1 standard
deviations of a task; type I error 3 to 7 %; coverage of 95 % intervals 93 to 97.5 % from ten tasks
a level on, where values are not all alike (intervals of shares near 0 or 1 cannot be narrower
than the number of tasks allows, and only have a lower limit); family-wise and sequential type I
error at most 6 %; power for one standard deviation in a 2 x 3 x 2 grid of three blocks at least
80 %. Cases with fewer tasks are printed without limits.

    python benchmarks/coverage.py [--check] [--tables N] [--only WORD] [--jobs N]

With --check, the exit code is 1 if a limit is missed; the misses are named.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from coverage_costs import costs_case
from coverage_preference import preference_case
from coverage_sound import sound_case
from numpy.typing import NDArray

import musicapi_nb as mnb
from musicapi_nb import sonic
from musicapi_nb.analysis.sequential import planned_looks, spending_limits
from musicapi_nb.frames.text_dtype import TEXT
from musicapi_nb.plan import Plan

Floats = NDArray[np.float64]

COVERAGE = (0.93, 0.975)
AT_LEAST = (0.93, 1.0)
TYPE_1 = (0.03, 0.07)
AT_MOST_TYPE_1 = (0.0, 0.07)
BIAS = (-0.1, 0.1)
FAMILY = (0.0, 0.06)
POWER = (0.8, 1.0)
STATED = (0.75, 0.85)
SKEWED = (0.91, 0.975)  # means of single levels: Student's t is short on the long side
_LEVEL = 0.05
_ENOUGH = 10  # tasks a level
_SONGS = 2
_COLUMNS_PER_CALL = 250
_PERCENT = frozenset({"coverage", "type I", "power", "missing", "false findings", "no upper bound"})


class Figure(NamedTuple):
    """A measured figure; `limits` is None where it is only reported."""

    case: str
    quantity: str
    value: float
    limits: tuple[float, float] | None = None

    @property
    def missed(self) -> bool:
        if self.limits is None:
            return False
        low, high = self.limits
        return not low <= self.value <= high

    def __str__(self) -> str:
        percent = self.quantity in _PERCENT
        scale, unit = (100, " %") if percent else (1, "")
        text = f"{self.case:58s} {self.quantity:15s} {scale * self.value:7.2f}{unit}"
        if self.limits is None:
            return text
        low, high = (scale * limit for limit in self.limits)
        return f"{text:88s} {low:g} to {high:g}" + ("   MISSED" if self.missed else "")


# --- simulated songs -----------------------------------------------------------------------


def noise(kind: str, rng: np.random.Generator, tasks: int, icc: float, tables: int) -> Floats:
    """Draw values of mean 0, correlated by `icc` within a task: (tasks, songs, tables)."""
    shared = rng.normal(size=(tasks, 1, tables)) * math.sqrt(icc)
    values: Floats = shared + rng.normal(size=(tasks, _SONGS, tables)) * math.sqrt(1 - icc)
    if kind == "log-normal":
        values = (np.exp(0.5 * values) - math.exp(0.125)) / 0.604
    if kind == "heavy tails":
        values = np.sign(values) * np.abs(values) ** 1.5 / 1.44
    return values


def hits(rng: np.random.Generator, share: Floats, icc: float, tables: int) -> Floats:
    """Draw 0 or 1 with each task's share: (tasks, songs, tables), correlated by `icc`."""
    chance = share[:, None, None]
    shape = len(share), _SONGS, tables
    shared = rng.random((len(share), 1, tables)) < chance
    single = rng.random(shape) < chance
    return np.where(rng.random(shape) < math.sqrt(icc), shared, single).astype("float64")


def songs_frame(tasks: pd.DataFrame, values: Floats) -> pd.DataFrame:
    """Return the songs of tasks, a column `y0`, `y1` ... for each table."""
    frame = tasks.loc[tasks.index.repeat(_SONGS)].reset_index(drop=True)
    number = np.arange(len(frame))
    frame["task_id"] = [f"t{index}" for index in number // _SONGS]
    frame["song_id"] = [f"s{index}" for index in number]
    columns = values.reshape(len(frame), -1)
    outcomes = pd.DataFrame(columns, columns=[f"y{index}" for index in range(columns.shape[1])])
    return pd.concat([frame, outcomes], axis=1)


def outcomes_of(frame: pd.DataFrame) -> list[str]:
    return [name for name in frame.columns if name[0] == "y" and name[1:].isdigit()]


def batches(
    tables: int, columns: int = _COLUMNS_PER_CALL
) -> Iterator[tuple[np.random.Generator, int]]:
    """Yield a seeded generator and the number of tables of each call."""
    for start in range(0, tables, columns):
        yield np.random.default_rng(start), min(columns, tables - start)


def two_levels(tasks: int, *, blocks: bool = False) -> pd.DataFrame:
    frame = pd.DataFrame({"cell": range(2 * tasks), "style": ["a", "b"] * tasks})
    return frame.assign(block=frame["cell"] // 2) if blocks else frame


def covers(rows: pd.DataFrame, truth: float, low: str = "low", high: str = "high") -> Any:
    """Return which intervals contain the truth; a missing one does not count."""
    inside = (rows[low] <= truth + 1e-12) & (truth - 1e-12 <= rows[high])
    return inside[rows[low].notna()]


# --- cases ---------------------------------------------------------------------------------

_FACTORS = {
    "mv": ["sonic-v6", "sonic-v6-mini"],
    "tags": ["jazz", "rock", "folk"],
    "topic": ["rain", "sea", "hill", "town"],
    "voice": ["m", "f"],
}
_ADDED = {"rock": 3.0, "folk": -2.0, "sea": 1.0, "hill": 2.0, "town": 4.0, "f": 1.5}
_BASE = {"custom_mode": True, "prompt": "{voice}", "title": "{topic}"}


def plan_tasks(plan: Plan) -> pd.DataFrame:
    """Return the cells of a plan, as the tables of an experiment have them."""
    rows = [(cell.order, cell.block, cell.take, *cell.levels.values()) for cell in plan.cells]
    return pd.DataFrame(rows, columns=["cell", "block", "take", *plan.factors])


def designs() -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the designs of the package, with ten repeats."""
    options: Any = {"base": _BASE, "repeats": 10}
    yield "one at a time", plan_tasks(Plan.one_at_a_time(sonic.Create, factors=_FACTORS, **options))
    yield "pairwise", plan_tasks(Plan.pairwise(sonic.Create, factors=_FACTORS, **options))
    square = {"mv": [*_FACTORS["mv"], "sonic-v6-wild"], "tags": _FACTORS["tags"]}
    square["topic"] = _FACTORS["topic"][:3]
    base = {**_BASE, "prompt": "x"}
    latin = Plan.latin(sonic.Create, base=base, factors=square, repeats=10)
    yield "latin", plan_tasks(latin)
    small = {name: levels[:2] for name, levels in _FACTORS.items()}
    grid = plan_tasks(Plan.grid(sonic.Create, base=_BASE, factors=small, repeats=10))
    chance = np.where((grid["mv"] == "sonic-v6-mini") & (grid["tags"] == "rock"), 0.6, 0.05)
    lost = np.random.default_rng(0).random(len(grid)) < chance
    yield "grid with lost tasks", grid[~lost].reset_index(drop=True)


def designs_case(tables: int) -> Iterator[Figure]:
    """Bias, type I error and coverage of a factor without an effect, beside others with one."""
    for name, tasks in designs():
        added = sum(tasks[factor].map(_ADDED).fillna(0.0) for factor in tasks.columns[3:])
        for kind in ("normal", "log-normal"):
            parts = []
            for rng, number in batches(tables):
                values = noise(kind, rng, len(tasks), 0.6, number)
                values += np.asarray(added)[:, None, None]
                frame = songs_frame(tasks, values)
                parts.append(mnb.effects(frame, "mv", outcomes=outcomes_of(frame), correction=None))
            rows = pd.concat(parts)
            case = f"effects, {name}, {kind}"
            yield Figure(case, "bias", float(rows["estimate"].mean()), BIAS)
            yield Figure(case, "type I", float((rows["p"] <= _LEVEL).mean()), TYPE_1)
            yield Figure(case, "coverage", float(covers(rows, 0).mean()), COVERAGE)


def power_case(tables: int) -> Iterator[Figure]:
    """Power for one standard deviation of a task in a 2 x 3 x 2 grid of three blocks."""
    small = {"mv": _FACTORS["mv"], "tags": _FACTORS["tags"], "voice": _FACTORS["voice"]}
    base = {"custom_mode": True, "prompt": "{voice}"}
    tasks = plan_tasks(Plan.grid(sonic.Create, base=base, factors=small, repeats=3))
    for effect, quantity, limits in ((0.0, "type I", TYPE_1), (1.0, "power", POWER)):
        parts = []
        for rng, number in batches(tables):
            values = noise("normal", rng, len(tasks), 1.0, number)
            added = effect * (tasks["mv"] == "sonic-v6-mini") + tasks["tags"].map(_ADDED).fillna(0)
            frame = songs_frame(tasks, values + np.asarray(added)[:, None, None])
            names = outcomes_of(frame)
            parts.append(
                mnb.effects(frame, "mv", outcomes=names, correction=None, baseline="sonic-v6")
            )
        rejected = (pd.concat(parts)["p"] <= _LEVEL).mean()
        yield Figure("effects, 2 x 3 x 2 grid, 3 blocks", quantity, float(rejected), limits)


def means_case(tables: int) -> Iterator[Figure]:
    """Differences, ratios and adjusted means of two levels."""
    for kind in ("normal", "log-normal", "heavy tails"):
        for icc in (0.3, 0.9):
            for tasks in (3, 5, 10, 20, 50):
                yield from _means(kind, icc, tasks, tables)


def _means(kind: str, icc: float, tasks: int, tables: int) -> Iterator[Figure]:
    columns: dict[str, list[Any]] = {"difference": [], "ratio": [], "mean": []}
    for rng, number in batches(tables):
        frame = songs_frame(two_levels(tasks), 8 + noise(kind, rng, 2 * tasks, icc, number))
        names = outcomes_of(frame)
        gap = mnb.effects(frame, "style", outcomes=names, correction=None)
        ratio = mnb.effects(frame, "style", outcomes=names, correction=None, measure="ratio")
        mean = mnb.adjusted_means(frame, "style", outcomes=names)
        for name, rows, truth in (("difference", gap, 0), ("ratio", ratio, 1), ("mean", mean, 8)):
            columns[name].append(covers(rows, truth))
    for name, inside in columns.items():
        limits = SKEWED if name == "mean" and kind == "log-normal" else COVERAGE
        case = f"effects, {name}, {kind}, icc {icc}, {tasks} tasks"
        value = float(np.concatenate(inside).mean())
        yield Figure(case, "coverage", value, limits if tasks >= _ENOUGH else None)


_SHARES = ((0.5, 0.5), (0.9, 0.6), (0.7, 0.4), (0.9, 0.9), (0.05, 0.05), (0.3, 0.05))


def shares_case(tables: int) -> Iterator[Figure]:
    """Differences and ratios of the shares of two levels, with and without blocks."""
    for shares in _SHARES:
        for icc in (0.3, 0.9):
            for tasks in (5, 10, 20):
                for blocks in (False, True):
                    yield from _shares(shares, icc, two_levels(tasks, blocks=blocks), tables)


def _shares(
    shares: tuple[float, float], icc: float, design: pd.DataFrame, tables: int
) -> Iterator[Figure]:
    first, second = shares
    tasks = len(design) // 2
    columns: dict[str, list[Any]] = {"difference": [], "ratio": []}
    wrong, missing = [], 0
    for rng, number in batches(tables):
        share = np.where(design["style"] == "b", first, second)
        frame = songs_frame(design, hits(rng, share, icc, number))
        names = outcomes_of(frame)
        gap = mnb.effects(frame, "style", outcomes=names, correction=None)
        ratio = mnb.effects(frame, "style", outcomes=names, correction=None, measure="ratio")
        columns["difference"].append(covers(gap, first - second))
        columns["ratio"].append(covers(ratio, first / second))
        wrong.append(gap["p"] <= _LEVEL)
        missing += int(gap["low"].isna().sum())
    case = f"shares {first:g} and {second:g}, icc {icc}, {tasks} tasks"
    case += ", blocks" if "block" in design.columns else ""
    is_enough = tasks >= _ENOUGH
    for name, inside in columns.items():
        value = float(np.concatenate(inside).mean())
        yield Figure(f"{case}, {name}", "coverage", value, AT_LEAST if is_enough else None)
    if first == second:
        value = float(np.concatenate(wrong).mean())
        yield Figure(case, "type I", value, AT_MOST_TYPE_1 if is_enough else None)
    yield Figure(case, "missing", missing / tables, (0.0, 0.0))


def slopes_case(tables: int) -> Iterator[Figure]:
    """Slopes of means and shares over four doses, and the test of the line."""
    for repeats in (3, 5, 10):
        doses = np.tile([0.1, 0.3, 0.5, 0.9], repeats)
        cells = range(len(doses))
        tasks = pd.DataFrame({"cell": cells, "weight": doses, "block": np.arange(len(doses)) // 4})
        limits = (COVERAGE, AT_MOST_TYPE_1) if repeats >= _ENOUGH else (None, None)
        for kind in ("normal", "log-normal", "shares"):
            inside, curved = [], []
            for rng, number in batches(tables):
                if kind == "shares":
                    values = hits(rng, 0.2 + 0.6 * doses, 0.6, number)
                else:
                    values = noise(kind, rng, len(doses), 0.6, number)
                    values += 0.6 * doses[:, None, None]
                frame = songs_frame(tasks, values)
                rows = mnb.dose_response(
                    frame, "weight", outcomes=outcomes_of(frame), correction=None
                )
                inside.append(covers(rows, 0.6))
                curved.append(rows["p_linear"] <= _LEVEL)
            case = f"slopes, {kind}, {repeats} blocks of 4 doses"
            yield Figure(case, "coverage", float(np.concatenate(inside).mean()), limits[0])
            yield Figure(case + ", line", "type I", float(np.concatenate(curved).mean()), limits[1])


def family_case(tables: int) -> Iterator[Figure]:
    """Family-wise error of the adjusted p, and joint coverage, where nothing has an effect."""
    for levels, blocks, outcomes, kind in (
        (12, 10, 3, "normal"),
        (12, 10, 3, "log-normal"),
        (5, 5, 4, "normal"),
        (2, 5, 6, "normal"),
    ):
        cells = np.arange(levels * blocks)
        names = [f"L{index:02}" for index in range(levels)]
        tasks = pd.DataFrame({"cell": cells, "block": cells // levels, "style": names * blocks})
        wrong, inside = [], []
        for table in range(tables):
            rng = np.random.default_rng(table)
            frame = songs_frame(tasks, noise(kind, rng, len(cells), 0.6, outcomes))
            rows = mnb.effects(frame, "style", outcomes=outcomes_of(frame))
            wrong.append((rows["p_adjusted"] <= _LEVEL).any())
            inside.append(covers(rows, 0, "joint_low", "joint_high").all())
        case = f"family of {(levels - 1) * outcomes}, {blocks} blocks, {kind}"
        yield Figure(case, "false findings", float(np.mean(wrong)), FAMILY)
        yield Figure(case + ", joint", "coverage", float(np.mean(inside)), AT_LEAST)


def adherence_case(tables: int) -> Iterator[Figure]:
    """Recall by level: each level is a table of its own."""
    for requested, share, icc in ((1, 0.8, 0.6), (2, 0.5, 0.3), (4, 0.5, 0.9), (4, 0.8, 0.3)):
        for tasks in (3, 5, 10, 20):
            rng = np.random.default_rng(0)
            chance = np.full(tasks * tables, share)
            parts = [hits(rng, chance, icc, 1)[:, :, 0].reshape(-1) for _ in range(requested)]
            cell = np.repeat(np.arange(tasks * tables), _SONGS)
            songs = pd.DataFrame(
                {
                    "level": [f"L{index}" for index in cell // tasks],
                    "task_id": [f"t{index}" for index in cell],
                    "song_id": [f"s{index}" for index in range(len(cell))],
                    "state": "succeeded",
                    "request": ", ".join(f"tag{index}" for index in range(requested)),
                }
            )
            tags = pd.concat(
                songs.loc[hit > 0, ["task_id", "song_id"]].assign(tag=f"tag{index}")
                for index, hit in enumerate(parts)
            )
            rows = mnb.adherence(songs, tags, requested_tags="request", by="level")
            rows = rows[rows["measure"] == "recall"]
            case = f"adherence, {requested} tags kept with {share}, icc {icc}, {tasks} tasks"
            limits = AT_LEAST if tasks >= _ENOUGH else None
            yield Figure(case, "coverage", float(covers(rows, share).mean()), limits)


def sequential_case(tables: int) -> Iterator[Figure]:
    """Error and power of looks after every second of twelve blocks."""
    design = two_levels(12, blocks=True)
    design["block"] += 1
    looks = planned_looks(12, 2)
    limits = spending_limits([look / 12 for look in looks], _LEVEL)
    for effect, quantity, allowed in ((0.0, "type I", FAMILY), (1.5, "power", None)):
        decided, blocks = [], []
        for rng, number in batches(tables):
            values = noise("normal", rng, len(design), 1.0, number)
            values += effect * (design["style"] == "b").to_numpy()[:, None, None]
            frame = songs_frame(design, values)
            names = outcomes_of(frame)
            below = np.column_stack(
                [
                    mnb.effects(
                        frame[frame["block"] <= look], "style", outcomes=names, correction=None
                    )["p"]
                    <= limit
                    for look, limit in zip(looks, limits, strict=True)
                ]
            )
            decided.append(below.any(axis=1))
            blocks.append(np.where(below.any(axis=1), np.array(looks)[below.argmax(axis=1)], 12))
        case = f"looks after every 2 of 12 blocks, effect {effect:g} sd"
        yield Figure(case, quantity, float(np.concatenate(decided).mean()), allowed)
        yield Figure(case, "blocks bought", float(np.concatenate(blocks).mean()))


def detectable_case(tables: int) -> Iterator[Figure]:
    """Power for the smallest effect that the dry run of a plan states."""
    base = {"custom_mode": True, "prompt": "{voice}"}
    small = {"mv": _FACTORS["mv"], "tags": _FACTORS["tags"], "voice": _FACTORS["voice"]}
    for repeats in (2, 5):
        plan = Plan.grid(sonic.Create, base=base, factors=small, repeats=repeats)
        size = next(part for part in plan.dry_run().smallest_effects if part.factor == "mv")
        tasks, parts = plan_tasks(plan), []
        for rng, number in batches(tables):
            values = noise("normal", rng, len(tasks), 1.0, number)
            values += size.task_sds * (tasks["mv"] == "sonic-v6-mini").to_numpy()[:, None, None]
            frame = songs_frame(tasks, values)
            parts.append(mnb.effects(frame, "mv", outcomes=outcomes_of(frame), correction=None))
        power = float((pd.concat(parts)["p"] <= _LEVEL).mean())
        yield Figure(f"smallest effect of the dry run, {repeats} blocks", "power", power, STATED)


def binary_variance_case(tables: int) -> Iterator[Figure]:
    """`variance` of an outcome of 0 and 1: coverage, and tables without an interval."""
    for icc in (0.0, 0.3, 0.6, 0.9):
        for share in (0.5, 0.7, 0.9, 0.95):
            for tasks in (5, 10, 20, 50):
                rng = np.random.default_rng(6)
                values = hits(rng, np.full(tasks, share), icc, tables).reshape(-1, tables)
                frame = pd.DataFrame(values).add_prefix("y")
                names = outcomes_of(frame)
                rows = mnb.variance(frame.assign(task_id=np.repeat(range(tasks), _SONGS)), names)
                varied = rows[frame.std().to_numpy() > 0]
                case = f"variance, share {share}, icc {icc}, {tasks} tasks"
                yield Figure(case, "coverage", float(covers(varied, icc).mean()), AT_LEAST)
                missing = float(varied["low"].isna().mean())
                yield Figure(case, "missing", missing, (0.0, 0.0))


_SERIES: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "normal": lambda rng, tasks: rng.normal(size=tasks),
    "log-normal": lambda rng, tasks: np.exp(rng.normal(size=tasks)),
    "share 0.9": lambda rng, tasks: (rng.random(tasks) < 0.9).astype(float),  # noqa: PLR2004
}


def drift_case(tables: int) -> Iterator[Figure]:
    """`drift`: changes found in series without one, and shifts of 1 sd found in the middle."""
    for kind, draw in _SERIES.items():
        for tasks in (20, 50, 100):
            series = [
                draw(np.random.default_rng([seed, tasks, 1]), tasks) for seed in range(tables)
            ]
            false_alarms = float((_periods(series) > 1).mean())
            case = f"drift, {kind}, {tasks} tasks"
            yield Figure(case, "type I", false_alarms, AT_MOST_TYPE_1)
    for tasks, limits in ((20, None), (40, None), (60, POWER), (100, POWER)):
        series = [np.random.default_rng([seed, 7]).normal(size=tasks) for seed in range(tables)]
        for values in series:
            values[tasks // 2 :] += 1.0
        periods = _periods(series)
        case = f"drift, shift of 1 sd, {tasks} tasks"
        yield Figure(case, "power", float((periods > 1).mean()), limits)
        yield Figure(case, "false findings", float((periods > 2).mean()), AT_MOST_TYPE_1)  # noqa: PLR2004


def _periods(series: Sequence[Floats]) -> NDArray[np.int64]:
    """Return the number of periods that `drift` splits each series into."""
    frame = pd.DataFrame(np.column_stack(series)).add_prefix("y")
    names = outcomes_of(frame)
    times = pd.date_range("2026-11-01", periods=len(frame), freq="h", tz="UTC")
    rows = mnb.drift(frame.assign(task_id=range(len(frame)), created_at=times), names)
    return rows.groupby("outcome")["period"].max()[names].to_numpy("int64")


def cooccurrence_case(tables: int) -> Iterator[Figure]:
    """Marked pairs and intervals of lift of 24 independent tags, frequent to rare."""
    shares = 1 / (np.arange(24) + 1.5)
    for tasks in (10, 50, 200):
        for icc in (0.0, 0.3, 0.9):
            marked, tested, inside = [], [], []
            for table in range(max(tables // 10, 20)):  # each has 276 pairs
                rng = np.random.default_rng(table)
                parts = [hits(rng, np.full(tasks, share), icc, 1)[:, :, 0] for share in shares]
                task, song, tag = np.nonzero(np.stack(parts, axis=2))
                number = _SONGS * tasks
                tags = pd.DataFrame(
                    {"task_id": task, "song_id": _SONGS * task + song, "tag": tag}
                ).astype(TEXT)
                tags["tag"] = "t" + tags["tag"] + "x"
                cells = np.arange(number)
                songs = pd.DataFrame({"task_id": cells // _SONGS, "song_id": cells}).astype(TEXT)
                rows = mnb.cooccurrence(tags, songs=songs.assign(state="succeeded"), top=24)
                marked.append((rows["p_adjusted"] <= _LEVEL).any())
                tested.append((rows["p"] <= _LEVEL).mean())
                frequent = rows[rows["tag_songs"] >= _ENOUGH]
                inside.append(covers(frequent, 1, "lift_low", "lift_high").mean())
            case = f"24 independent tags, icc {icc}, {tasks} tasks"
            yield Figure(case, "false findings", float(np.mean(marked)), FAMILY)
            yield Figure(case + ", each pair", "type I", float(np.mean(tested)), AT_MOST_TYPE_1)
            yield Figure(case + ", lift", "coverage", float(np.nanmean(inside)), AT_LEAST)


CASES: dict[str, Callable[[int], Iterator[Figure]]] = {
    "designs": designs_case,
    "power": power_case,
    "means": means_case,
    "shares": shares_case,
    "slopes": slopes_case,
    "family": family_case,
    "adherence": adherence_case,
    "cooccurrence": cooccurrence_case,
    "sequential": sequential_case,
    "detectable": detectable_case,
    "preference": lambda tables: itertools.starmap(Figure, preference_case(tables)),
    "sound": lambda tables: itertools.starmap(Figure, sound_case(tables)),
    "binary variance": binary_variance_case,
    "drift": drift_case,
    "costs": lambda tables: itertools.starmap(Figure, costs_case(tables)),
}
"""Cases by name. An analysis that prints an interval or a p has one."""


def run_case(name: str, tables: int) -> tuple[str, list[Figure], float]:
    """Return the figures of a case, and the seconds that it took."""
    start = time.perf_counter()
    return name, list(CASES[name](tables)), time.perf_counter() - start


def main(arguments: Sequence[str] | None = None) -> int:
    """Print all figures; return 1 with --check if one is outside its limits."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="exit with 1 if a limit is missed")
    parser.add_argument("--tables", type=int, default=1_000, help="simulated tables of each case")
    parser.add_argument("--only", default="", help="run the cases whose name contains this word")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    options = parser.parse_args(arguments)
    names = [name for name in CASES if options.only in name]
    figures = []
    with ProcessPoolExecutor(options.jobs) as pool:
        for name, part, seconds in pool.map(run_case, names, [options.tables] * len(names)):
            figures += part
            print(*part, f"# {name}: {seconds:.0f} s", "", sep="\n", flush=True)
    misses = [figure for figure in figures if figure.missed]
    print(f"{len(figures)} figures of {options.tables} tables each, {len(misses)} outside")
    for figure in misses:
        print("missed:", figure)
    return 1 if options.check and misses else 0


if __name__ == "__main__":
    sys.exit(main())
