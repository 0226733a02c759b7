"""How often the intervals of `preference` cover, and its tests err: part of benchmarks/coverage.py.

A listener's utility of a song is the strength of its level plus effects of its task, of the song
and of the first position, and Gumbel noise, so that choices are logistic. The package draws the
trials. The truth is the model's limit for many songs, found by a fit to 200,000 trials of songs
that occur once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from musicapi_nb._blind_test.bradley_terry import TIE, Choices, fit_choices
from musicapi_nb._blind_test.comparisons import Answers
from musicapi_nb._blind_test.design import Candidate, Kind, draw_trials
from musicapi_nb._blind_test.level_model import fit_levels
from musicapi_nb.analysis.array_types import Floats, Ints
from musicapi_nb.analysis.families import adjust_p_values

Limits = tuple[float, float] | None
Row = tuple[str, str, float, Limits]
"""Case, what was measured, its value, and the limits of it."""

COVERAGE = (0.93, 0.975)
FEW = (0.91, 0.995)  # five tasks, or 24 answers, of which few different results exist
TYPE_1 = (0.0, 0.07)
FAMILY = (0.0, 0.06)
_LEVEL = 0.05
_SONGS = 2
_TABLES_PER_DESIGN = 25
_MANY = 200_000


class Case(NamedTuple):
    """A blind test and its listeners; standard deviations are of utilities."""

    tasks: int
    trials: int
    strengths: Sequence[float] = (0.0, 0.0)
    task_sd: float = 0.7
    song_sd: float = 0.7
    tie: float | None = None  # utility of "no difference" beside the mean of the songs
    order: float = 0.0
    kind: Kind = "pairs"
    swap: bool = False
    listeners: int = 1
    taste_sd: float = 0.0
    limits: Limits = COVERAGE

    def __str__(self) -> str:
        names = {
            f"{self.tasks} tasks": True,
            f"{self.trials} answers": True,
            f"strengths {', '.join(f'{value:g}' for value in self.strengths)}": True,
            f"sd {self.task_sd:g}, {self.song_sd:g}": (self.task_sd, self.song_sd) != (0.7, 0.7),
            "ties": self.tie is not None,
            "order": bool(self.order),
            "four songs": self.kind == "best_of_four",
            "repeats": self.swap,
            f"{self.listeners} listeners": self.listeners > 1,
        }
        return "preference: " + ", ".join(name for name, is_used in names.items() if is_used)


CASES = (
    Case(3, 24, limits=None),
    Case(5, 24, limits=FEW),
    Case(5, 60, limits=FEW),
    Case(5, 60, (0.5, -0.5), 1.5, 0.5, limits=FEW),
    Case(5, 60, (0.5, -0.5), tie=0.0, order=0.5, limits=FEW),
    Case(10, 24, limits=FEW),
    Case(10, 60),
    Case(10, 60, (0.5, -0.5)),
    Case(10, 60, (0.5, -0.5), 1.5, 0.5),
    Case(10, 60, task_sd=0.0, song_sd=0.0),
    Case(10, 60, (0.5, -0.5), tie=0.0, order=0.5),
    Case(10, 60, kind="best_of_four"),
    Case(10, 60, swap=True),
    Case(10, 90, (0.5, -0.5, 0.0), tie=0.0, order=0.5),
    Case(10, 60, (0.5, -0.5, 0.0, 0.0), tie=0.0, kind="best_of_four"),
    Case(10, 20, listeners=6, taste_sd=0.5),
    Case(20, 60),
    Case(50, 100),
)


def preference_case(tables: int) -> Iterator[Row]:
    """Measure coverage of differences and of the order effect, and type I errors."""
    for case in CASES:
        yield from _measure(case, tables)
    yield from _family(tables)


def _measure(case: Case, tables: int) -> Iterator[Row]:
    truth = _truth(case)
    covered, errors, order_covered = [], [], []
    for answers in _simulate(case, tables):
        model = fit_levels(answers, 1 - _LEVEL, [])
        if model is None:
            continue
        names = [answers.levels.index(name) for name in ("0", "1")]
        pair = model.difference(*names)
        order = model.shared(model.fit.order)
        covered.append(pair.low <= truth[0] - truth[1] <= pair.high)
        errors.append(pair.p <= _LEVEL)
        order_covered.append(order.low <= truth[len(case.strengths)] <= order.high)
    yield str(case), "coverage", float(np.mean(covered)), case.limits
    yield f"{case}, order effect", "coverage", float(np.mean(order_covered)), case.limits and FEW
    if case.strengths[0] == case.strengths[1]:
        limits = None if case.limits is None else TYPE_1
        yield str(case), "type I", float(np.mean(errors)), limits


def _family(tables: int) -> Iterator[Row]:
    """Measure how often any of six pairs of equal levels has a small adjusted p."""
    case = Case(10, 120, (0.0, 0.0, 0.0, 0.0))
    errors = []
    for answers in _simulate(case, tables):
        model = fit_levels(answers, 1 - _LEVEL, [])
        if model is not None:
            pairs = [(a, b) for a in range(4) for b in range(a)]
            p = np.array([model.difference(*pair).p for pair in pairs])
            errors.append(adjust_p_values(p, "holm").min() <= _LEVEL)
    yield f"{case}, any pair", "false findings", float(np.mean(errors)), FAMILY


def _simulate(case: Case, tables: int) -> Iterator[Answers]:
    rng = np.random.default_rng(case.tasks)
    levels = len(case.strengths)
    for table in range(tables):
        if table % _TABLES_PER_DESIGN == 0:
            level, task, song, question, listener = _draw(case, table)
        utility = np.asarray(case.strengths)[level]
        utility = utility + case.task_sd * rng.normal(size=levels * case.tasks)[task]
        utility += case.song_sd * rng.normal(size=levels * case.tasks * _SONGS)[song]
        taste = case.taste_sd * rng.normal(size=(case.listeners, levels))
        utility += taste[listener[:, None], level]
        choices = Choices(level, task, _choose(case, utility, rng), question, listener)
        names = [str(number) for number in range(levels)]
        yield Answers(names, choices, case.listeners, 0, 0, 0, 0)


def _choose(case: Case, utility: Floats, rng: np.random.Generator) -> Ints:
    utility[:, 0] += case.order
    songs = utility.shape[1]
    if case.tie is not None:
        utility = np.column_stack([utility, utility.mean(axis=1) + case.tie])
    chosen = (utility + rng.gumbel(size=utility.shape)).argmax(axis=1)
    return np.where(chosen == songs, TIE, chosen)


def _draw(case: Case, seed: int) -> tuple[Ints, ...]:
    """Draw the trials of each listener: levels, tasks and songs by position, question, listener."""
    tasks, levels = range(case.tasks), range(len(case.strengths))
    songs = [
        Candidate(
            str((level * case.tasks + task) * _SONGS + song),
            str(level * case.tasks + task),
            str(level),
            ("same", f"block {task}"),
        )
        for level in levels
        for task in tasks
        for song in range(_SONGS)
    ]
    rows, questions, listeners = [], [], []
    for listener in range(case.listeners):
        trials = draw_trials(
            songs, case.trials, kind=case.kind, swap_repeats=case.swap, seed=seed + listener
        )
        start = listener * case.trials
        for number, trial in enumerate(trials):
            rows.append([[int(s.level), int(s.task), int(s.key)] for s in trial.songs])
            original = number if trial.repeat_of is None else trial.repeat_of
            questions.append(start + original)
            listeners.append(listener)
    level, task, song = np.array(rows).transpose(2, 0, 1)
    question = np.unique(questions, return_inverse=True)[1]
    return level, task, song, question, np.array(listeners)


def _truth(case: Case) -> Floats:
    """Return the parameters that a test of very many songs and listeners would estimate."""
    rng = np.random.default_rng(9)
    levels, songs = len(case.strengths), 2 if case.kind == "pairs" else 4
    pool = np.tile(np.arange(levels), -(-songs // levels))
    level = rng.permuted(np.tile(pool, (_MANY, 1)), axis=1)[:, :songs]
    spread = math.sqrt(case.task_sd**2 + case.song_sd**2 + case.taste_sd**2)
    utility = np.asarray(case.strengths)[level] + spread * rng.normal(size=level.shape)
    chosen = _choose(case, utility, rng)
    everyone = np.zeros(_MANY, dtype="int64")
    return fit_choices(Choices(level, level, chosen, np.arange(_MANY), everyone), levels).estimate
