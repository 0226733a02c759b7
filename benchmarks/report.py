"""How often a report names a difference where there is none, and finds planted ones.

An experiment is a table of songs in which outcomes are correlated, as are the songs of a task;
about a third of the ratings is missing, some tasks are lost, and a listener of a blind test prefers
the songs that are rated well. In null experiments no level differs: a page errs if it names any
difference. In the others one outcome of one level differs by what the pages of null experiments
state as detectable with 80 % chance, on average.

    python benchmarks/report.py [--check] [--tables N] [--jobs N]

With --check, the exit code is 1 if a limit is missed: at most 6 % of the pages of null experiments
may err; 70 to 88 % of planted differences must be found, and named with outcome and direction.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from coverage import Figure

import musicapi_nb as mnb

TYPE_1 = (0.0, 0.06)
FOUND = (0.7, 0.88)
CORRECT = (0.98, 1.0)
_SONGS = 2
_DURATION_MARGIN = 15.0  # seconds: 10 % of the mean
_ANSWERS = 60
_LOST, _FAILED, _UNRATED, _DEAR, _TIES = 0.05, 0.1, 0.35, 0.2, 0.1  # shares
_OUTCOMES = {"stars": 0.8, "requested tags": 0.13, "duration": 12.0, "loudness": 1.5}
"""The standard deviation of a song, of the outcomes that get a planted difference."""
_DIRECTIONS = ('more with "model 1" than with "model 0"', 'less with "model 0" than with "model 1"')


class Design(NamedTuple):
    """The levels of two factors, and the number of rounds; the second may have one level."""

    levels: int
    topics: int
    rounds: int

    def __str__(self) -> str:
        text = f"{self.levels} levels, {self.rounds} rounds"
        return text + (f", {self.topics} topics" if self.topics > 1 else "")

    def tasks(self) -> pd.DataFrame:
        rows = itertools.product(range(self.rounds), range(self.topics), range(self.levels))
        frame = pd.DataFrame(rows, columns=["block", "topic", "mv"])
        frame = frame.assign(cell=range(len(frame)), take=1).astype({"mv": str, "topic": str})
        columns = ["cell", "block", "take", "mv", *(["topic"] if self.topics > 1 else [])]
        return frame[columns].assign(mv="model " + frame["mv"])


DESIGNS = (Design(2, 1, 12), Design(2, 3, 6), Design(4, 1, 10))


def simulate(design: Design, seed: int, planted: str = "", size: float = 0.0) -> dict[str, Any]:
    """Return the songs of an experiment and the answers of a blind test.

    The last model has more by `size` of the planted outcome.
    """
    rng = np.random.default_rng([seed, design.levels, design.topics])
    tasks = design.tasks()
    tasks = tasks[rng.random(len(tasks)) >= _LOST].reset_index(drop=True)
    number = len(tasks)
    is_last = np.repeat((tasks["mv"] == f"model {design.levels - 1}").to_numpy(float), _SONGS)
    mood = np.repeat(rng.normal(size=number), _SONGS)
    mood = 0.6 * mood + 0.5 * np.repeat(rng.normal(size=number), _SONGS)
    mood = mood + 0.6 * rng.normal(size=len(mood))  # one number that all outcomes share

    def draw(name: str, share: float) -> Any:
        noise = np.repeat(rng.normal(size=number), _SONGS) + rng.normal(size=len(mood))
        value = share * mood + np.sqrt((1 - share**2) / 2) * noise
        return _OUTCOMES[name] * value + size * is_last * (name == planted)

    songs = tasks.loc[tasks.index.repeat(_SONGS)].reset_index(drop=True)
    failed = np.repeat(rng.random(number) < _FAILED, _SONGS)
    stars = np.clip(np.round(3 + draw("stars", 0.7)), 1, 5)
    unrated = failed | (rng.random(len(songs)) < _UNRATED)
    songs = songs.assign(
        task_id=[f"t{index // _SONGS}" for index in range(len(songs))],
        song_id=[f"s{index}" for index in range(len(songs))],
        state=np.where(failed, "failed", "succeeded"),
        duration=np.where(failed, np.nan, 150 + draw("duration", 0.4)),
        rating=pd.Series(np.where(unrated, np.nan, stars)).astype("Int64"),
        recall=np.where(failed, np.nan, np.clip(0.5 + draw("requested tags", 0.3), 0, 1)),
        loudness=np.where(failed, np.nan, -14 + draw("loudness", 0.2)),
        waiting_seconds=np.repeat(rng.lognormal(4.5, 0.4, number), _SONGS),
        failed=failed,
        credits=np.where(failed, 0, 10 + 5 * np.repeat(rng.random(number) < _DEAR, _SONGS)),
        songs=1,
    )
    return {"songs": songs, "answers": _answers(songs[~failed], mood[~failed], rng)}


def _answers(songs: pd.DataFrame, mood: Any, rng: np.random.Generator) -> pd.DataFrame:
    """Return rows as those of `preferences_frame`: pairs of songs of two levels."""
    level = songs["mv"].to_numpy()
    first = rng.integers(len(songs), size=8 * _ANSWERS)
    second = rng.integers(len(songs), size=8 * _ANSWERS)
    usable = np.flatnonzero(level[first] != level[second])[:_ANSWERS]
    pair = np.column_stack([first[usable], second[usable]])
    utility = mood[pair] + rng.gumbel(size=pair.shape)
    chosen = utility.argmax(axis=1)
    tie = rng.random(len(pair)) < _TIES
    parts = {
        "level": level,
        "task": songs["task_id"].to_numpy(),
        "song": songs["song_id"].to_numpy(),
    }
    columns = {
        f"{name}_{letter}": values[pair[:, side]]
        for name, values in parts.items()
        for side, letter in enumerate("ab")
    }
    missing = {f"{name}_{letter}": None for name in parts for letter in "cd"}
    frame = pd.DataFrame(
        {
            "test": "test",
            "trial": np.arange(1, len(pair) + 1),
            "repeat_of": pd.array([pd.NA] * len(pair), dtype="Int64"),
            "factor": "mv",
            "listener": None,
            "chosen_level": np.where(tie, None, level[pair[np.arange(len(pair)), chosen]]),
            "tie": tie,
            "chosen_position": pd.array(np.where(tie, 0, chosen), dtype="Int64"),
            "seconds": 5.0,
            "answered_at": pd.Timestamp("2026-12-01", tz="UTC"),
            **columns,
            **missing,
        }
    )
    frame.loc[tie, "chosen_position"] = pd.NA
    return frame


class Page(NamedTuple):
    """What a page said: the outcomes with a difference, the sentences, and what it would take.

    `detectable` and `needed` are the size of a difference and the tasks by outcome.
    """

    named: list[tuple[str, str]]
    texts: list[str]
    detectable: dict[str, float]
    needed: dict[str, float]
    seconds: float


def read_page(task: tuple[Design, int, str, float]) -> Page:
    """Simulate an experiment and report on it."""
    design, seed, planted, size = task
    tables = simulate(design, seed, planted, size)
    start = time.process_time()
    report = mnb.report(tables["songs"], answers=tables["answers"])
    seconds = time.process_time() - start
    differences = [part for part in report.sentences if part.kind == "difference"]
    rows = report.table[(report.table["factor"] == "mv") & report.table["baseline"].notna()]
    columns = rows.astype({"more_needed": "float64"}).groupby("outcome")
    detectable, needed = (
        {str(outcome): float(value) for outcome, value in columns[name].max().items()}
        for name in ("detectable", "more_needed")
    )
    named = [(part.factor, part.outcome) for part in differences]
    return Page(named, [part.text for part in differences], detectable, needed, seconds)


def figures(pool: ProcessPoolExecutor, tables: int) -> Iterator[Figure]:
    """Measure errors of null experiments, then the power for planted differences."""
    for design in DESIGNS:
        nulls = list(
            pool.map(read_page, [(design, seed, "", 0.0) for seed in range(tables)], chunksize=5)
        )
        case = f"report, {design}, no difference"
        yield Figure(case, "type I", float(np.mean([bool(page.named) for page in nulls])), TYPE_1)
        yield Figure(case, "seconds a page", float(np.median([page.seconds for page in nulls])))
        if design != DESIGNS[0]:
            continue
        for planted in _OUTCOMES:
            size = float(np.nanmean([page.detectable[planted] for page in nulls]))
            tasks = [(design, seed, planted, size) for seed in range(tables)]
            yield from _planted(design, planted, list(pool.map(read_page, tasks, chunksize=5)))
        yield from _with_more_tasks(pool, design, nulls, tables)


def _with_more_tasks(
    pool: ProcessPoolExecutor, design: Design, nulls: Sequence[Page], tables: int
) -> Iterator[Figure]:
    """Measure the power for the margin of durations, after the tasks that pages ask for."""
    tasks_needed = round(float(np.nanmean([page.needed["duration"] for page in nulls])))
    larger = design._replace(rounds=design.rounds + tasks_needed)
    tasks = [(larger, seed, "duration", _DURATION_MARGIN) for seed in range(tables)]
    pages = list(pool.map(read_page, tasks, chunksize=5))
    power = np.mean([("mv", "duration") in page.named for page in pages])
    yield Figure(
        f"report, {larger}, {tasks_needed} of them asked for", "power", float(power), FOUND
    )


def _planted(design: Design, planted: str, pages: Sequence[Page]) -> Iterator[Figure]:
    case = f"report, {design}, planted in {planted}"
    hits = [page for page in pages if ("mv", planted) in page.named]
    yield Figure(case, "power", len(hits) / len(pages), FOUND)
    index = [page.named.index(("mv", planted)) for page in hits]
    texts = [page.texts[position] for page, position in zip(hits, index, strict=True)]
    named = [any(phrase in text for phrase in _DIRECTIONS) for text in texts]
    yield Figure(case, "right direction", float(np.mean(named)) if named else 0.0, CORRECT)
    others = [{*page.named} - {("mv", planted), *_same(planted)} for page in pages]
    yield Figure(case, "false findings", float(np.mean([bool(part) for part in others])), TYPE_1)


def _same(planted: str) -> set[tuple[str, str]]:
    """Return outcomes that are the planted one in another form."""
    return {("mv", "rated 4 or more")} if planted == "stars" else set()


def main(arguments: Sequence[str] | None = None) -> int:
    """Print all figures; return 1 with --check if one is outside its limits."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="exit with 1 if a limit is missed")
    parser.add_argument("--tables", type=int, default=500, help="experiments of each case")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    options = parser.parse_args(arguments)
    results = []
    with ProcessPoolExecutor(options.jobs) as pool:
        for figure in figures(pool, options.tables):
            results.append(figure)
            print(figure, flush=True)
    misses = [figure for figure in results if figure.missed]
    print(f"{len(results)} figures of {options.tables} experiments each, {len(misses)} outside")
    for figure in misses:
        print("missed:", figure)
    return 1 if options.check and misses else 0


if __name__ == "__main__":
    sys.exit(main())
