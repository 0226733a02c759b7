"""The chain of `replaced_tags`: which words became what, at which step, how often."""

from __future__ import annotations

import functools
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import networkx as nx
import numpy as np
import pandas as pd

from musicapi_nb.analysis._adherence import requested_tags
from musicapi_nb.analysis.checks import require
from musicapi_nb.analysis.clusters import cluster_codes, sum_by_code
from musicapi_nb.analysis.noisy_or import Event, attribute
from musicapi_nb.analysis.partitions import map_reduce
from musicapi_nb.analysis.ratio_estimator import as_frame, check_level, ratios
from musicapi_nb.analysis.song_keys import SONGS, require_distinct, song_codes
from musicapi_nb.errors import BadFrame, InvalidArgument
from musicapi_nb.tasks.tags import normalize_tag, split_tag_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from musicapi_nb.analysis._adherence import RequestedTags
    from musicapi_nb.analysis.noisy_or import Attribution, Attributions

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_COLUMNS = {
    "step": "int64",
    "source": "str",
    "target": "str",
    "kind": "str",
    "count": "float64",
    "cases": "int64",
    "share": "float64",
    "low": "float64",
    "high": "float64",
    "tasks": "int64",
}
_KINDS = ("kept", "rewritten", "dropped", "added")
_STEPS = "steps (of replaced_tags_frame or run.replaced_tags())"
_DUST = 1e-6


def substitutions(  # noqa: PLR0913 - steps, what was asked before them, and how to sum up
    steps: pd.DataFrame,
    *,
    songs: pd.DataFrame | None = None,
    requested: RequestedTags | None = None,
    min_count: float = 1,
    cluster: str | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Tell what became of each word of each source text, step by step of the rewriting.

    A step's source text is split at commas, semicolons and line ends; words are compared, and
    shown, without case and extra white space. The service does not say what became of what, so
    everything but "kept" is attributed: see `attribution` for the model, and for what decides
    where the songs cannot. A tag that two may have brought along counts for each with the chance
    that it did, so the counts of one target may sum to more than its times. A word rewritten as a
    tag that stood in the source already looks like one that was dropped.

    Shares of one task's songs are not independent: intervals as for `adherence`, widened where
    attribution is in doubt (by the information that is missing about a share, Louis, J. R. Stat.
    Soc. B 44, 1982, taken for one share at a time). Tables in parts (dask.dataframe) are counted
    where the parts are; of them comes one row for each different rewriting that tasks met with.

    Parameters
    ----------
    songs, requested
        Where both are given: also the way from the asked text to the first step's source, as step
        -1. `requested` is as for `tag_fates`.
    min_count
        Rows of a smaller count are left out.
    cluster
        The column of `steps` (and `songs`) that tells what is independent, instead of `cell` or
        `task_id`.

    Returns
    -------
    pd.DataFrame
        step : int64
            From 0; -1 as said above.
        source : str
            A word of the source; missing: from nothing.
        target : str
            What it became or brought along; missing: it was dropped.
        kind : str
            "kept", "rewritten", "dropped", or "added" (the source brought it along, whatever
            became of the source itself).
        count : float64
            How many times, as attributed.
        cases : int64
            How many times it could be seen: the source was there (where it is missing: the step
            was made), and of "rewritten" and "added" the target was not.
        share, low, high : float64
            count / cases, with its interval; missing for one task alone.
        tasks : int64
            Tasks among `cases`.

    Raises
    ------
    BadFrame
        A column is missing or of a wrong kind, or a task is not known.
    InvalidArgument
        Of `songs` and `requested` only one is given.
    """
    level = check_level(level)
    if (songs is None) != (requested is None):
        raise InvalidArgument("songs and requested belong together: give both or neither")
    count = functools.partial(_counted, requested=requested, cluster=cluster)
    sums = map_reduce(count, *((steps,) if songs is None else (steps, songs)))
    tasks = sums.reset_index()
    found = _finished(
        tasks["step"].tolist(), tasks["rewriting"].tolist(), tasks["tasks"].to_numpy(float), level
    )
    found = found[(found["count"] >= min_count - _DUST) & (found["count"] > _DUST)]
    return found.reset_index(drop=True)


def substitution_graph(frame: pd.DataFrame) -> nx.DiGraph[Any]:
    """Draw up a table of `substitutions` as a directed graph, all steps together.

    Nodes are pairs: ("tag", word), and ("added", "") and ("dropped", "") for where tags came from
    nothing and went to; each has the attribute `kind`, the first of the pair, and `label`. An
    edge has `weight` (the counts summed), `share` (of the times it could be seen at the steps
    where it was), `steps` and `kinds` (both tuples).

    Raises
    ------
    BadFrame
        The table is not one of `substitutions`.
    """
    require(
        frame,
        {
            "step": "number",
            "source": "text",
            "target": "text",
            "kind": "text",
            "count": "number",
            "cases": "number",
        },
        "frame (of substitutions)",
    )
    edges: dict[tuple[tuple[str, str], tuple[str, str]], list[dict[str, Any]]] = defaultdict(list)
    for row in frame.to_dict("records"):
        edges[_node(row["source"], "added"), _node(row["target"], "dropped")].append(
            {str(name): value for name, value in row.items()}
        )
    graph: nx.DiGraph[Any] = nx.DiGraph()
    for (one, other), rows in edges.items():
        for node in (one, other):
            graph.add_node(node, kind=node[0], label=node[1] or node[0])
        weight = float(sum(row["count"] for row in rows))
        times = sum({(row["step"], row["kind"]): row["cases"] for row in rows}.values())
        graph.add_edge(
            one,
            other,
            weight=weight,
            share=weight / times if times else np.nan,
            steps=tuple(sorted({int(row["step"]) for row in rows})),
            kinds=tuple(kind for kind in _KINDS if any(row["kind"] == kind for row in rows)),
        )
    return graph


def _node(word: object, nothing: str) -> tuple[str, str]:
    return ("tag", word) if isinstance(word, str) else (nothing, "")


# --- counting -------------------------------------------------------------------------------


def _counted(
    steps: pd.DataFrame,
    songs: pd.DataFrame | None = None,
    *,
    requested: RequestedTags | None,
    cluster: str | None,
) -> pd.DataFrame:
    """How many tasks met with each rewriting: the texts before and after of its songs."""
    require(
        steps,
        {"task_id": "key", "song_id": "key", "step": "number", "source": "text", "tag": "text"},
        _STEPS,
    )
    tables = ((steps, _STEPS), *(() if songs is None else ((songs, SONGS),)))
    numbers = song_codes(*tables)
    found: dict[tuple[int, int], list[tuple[Sequence[str], Sequence[str]]]] = defaultdict(list)
    first: dict[int, tuple[str, ...]] = {}
    for song, task, step, before, after in _rewritings(steps, numbers[0], cluster):
        found[step, task].append((before, after))
        if step == 0:
            first[song] = before
    made: Counter[tuple[int, str]] = Counter()
    if songs is not None and requested is not None:
        known = np.isin(numbers[1], list(first))
        require_distinct(tables[1], numbers[1], known, tables[0])
        own = songs[known]
        texts, tasks = requested_tags(own, requested), cluster_codes(own, cluster, SONGS).tolist()
        for song, task, text in zip(numbers[1][known].tolist(), tasks, texts, strict=True):
            found[-1, task].append((_words(text), first[song]))
    for (step, _), songs_of_task in found.items():
        made[step, json.dumps(sorted(songs_of_task), ensure_ascii=False)] += 1
    index = pd.MultiIndex.from_arrays(
        [
            pd.Series([key[0] for key in made], dtype="int64"),
            pd.Series([key[1] for key in made], dtype="str"),
        ],
        names=["step", "rewriting"],
    )
    return pd.DataFrame({"tasks": pd.Series(list(made.values()), dtype="int64").to_numpy()}, index)


def _rewritings(
    steps: pd.DataFrame, songs: Ints, cluster: str | None
) -> Iterator[tuple[int, int, int, tuple[str, ...], tuple[str, ...]]]:
    """Each song's steps: its number, its task, which step, the words before and after."""
    tasks = cluster_codes(steps, cluster, _STEPS).tolist()
    source = steps["source"].where(steps["source"].notna(), "").astype(str).tolist()
    tags = steps["tag"].astype(object).where(steps["tag"].notna(), None).tolist()
    at: dict[tuple[int, int], list[str]] = {}
    whose: dict[tuple[int, int], tuple[int, str]] = {}
    rows = zip(songs.tolist(), tasks, _numbers(steps["step"]), source, tags, strict=True)
    for song, task, step, text, tag in rows:
        at.setdefault((song, step), []).extend([] if tag is None else [tag])
        whose[song, step] = task, text
    for (song, step), after in at.items():
        task, text = whose[song, step]
        yield song, task, step, _words(split_tag_text(text)), _words(after)


def _numbers(step: pd.Series) -> list[int]:
    values = step.to_numpy("float64", na_value=np.nan)
    if (odd := int((values != np.floor(values)).sum()) + int(np.isinf(values).sum())) > 0:
        raise BadFrame(
            f"{odd} of {len(step)} values of column 'step' of {_STEPS} are no numbers "
            "of steps: these are whole, from 0"
        )
    return values.astype("int64").tolist()


def _words(tags: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for tag in tags if (word := normalize_tag(tag))))


# --- summing up -----------------------------------------------------------------------------


class _Tasks(NamedTuple):
    """Different tasks: how often each occurred; and events, by the task that they are of."""

    times: Floats
    event: Ints
    task: Ints


def _finished(
    steps: Sequence[int], rewritings: Sequence[str], times: Floats, level: float
) -> pd.DataFrame:
    numbers: dict[Event, int] = {}
    rows: list[tuple[int, int]] = []
    for task, (step, text) in enumerate(zip(steps, rewritings, strict=True)):
        for before, after in json.loads(text):
            event = Event(int(step), tuple(before), tuple(after))
            rows.append((numbers.setdefault(event, len(numbers)), task))
    tasks = _Tasks(times, *_two(rows))
    events = list(numbers)
    what = attribute(events, sum_by_code(tasks.event, times[tasks.task], len(events)))
    seen = _seen(what, events, tasks)
    found = [
        _rows(kind, told, seen, tasks, level) for kind, told in zip(_KINDS, what[1:], strict=True)
    ]
    made = pd.concat(found, ignore_index=True)
    size = made.groupby(["step", "source"], dropna=False)["cases"].transform("max")
    kind = made["kind"].map({kind: at for at, kind in enumerate(_KINDS)})
    order = pd.DataFrame(
        {
            "step": made["step"],
            "none": made["source"].isna(),
            "size": -size,
            "source": made["source"],
            "kind": kind,
            "count": -made["count"].round(6),
            "target": made["target"],
        }
    )
    return made.loc[order.sort_values(list(order.columns)).index].reset_index(drop=True)


class _Seen(NamedTuple):
    """What stood in the sources: a step and source are one code, a step, source and target too.

    `place` is what an event adds to the code of its source; `there` counts sources by task;
    `hidden` are events and codes where source and target both stood in the source text.
    """

    words: NDArray[np.object_]
    first: int
    width: int
    place: Ints
    there: _ByTask
    hidden: tuple[Ints, Ints]


def _seen(what: Attributions, events: Sequence[Event], tasks: _Tasks) -> _Seen:
    step = np.array([event.step for event in events], dtype=np.int64)
    first, width = int(step.min(initial=0)), len(what.words) + 1
    place = (step - first) * width
    numbers = {word: at + 1 for at, word in enumerate(what.words)}
    own = [[numbers[word] for word in event.before] for event in events]
    event, source = _two([(at, one) for at, words in enumerate(own) for one in (0, *words)])
    there = _by_task(*_over(tasks, event, place[event] + source), len(tasks.times))
    both = [
        (at, one * width + other)
        for at, words in enumerate(own)
        for one in (0, *words)
        for other in words
    ]
    event, code = _two(both)
    names = np.array([*what.words, None], dtype=object)
    return _Seen(names, first, width, place, there, (event, place[event] * width + code))


def _rows(kind: str, told: Attribution, seen: _Seen, tasks: _Tasks, level: float) -> pd.DataFrame:
    """One row for each step, source and target of one kind."""
    width = seen.width
    code = (seen.place[told.event] + told.source + 1) * width + told.target + 1
    found, param = np.unique(code, return_inverse=True)
    codes, task, hits = _over(tasks, told.event, found[param], told.chance)
    event, hidden = seen.hidden
    known = np.isin(hidden, found) & (kind in {"rewritten", "added"})
    unseen = _over(tasks, event[known], hidden[known])
    sums = _sums(found, width, seen.there, tasks.times, (codes, task, hits), unseen[:2])
    squares = sum_by_code(np.searchsorted(found, codes), hits**2 * tasks.times[task], len(found))
    share, low, high = ratios(sums, level, most=sums["cases"], doubt=_doubt(sums, squares))
    columns = {
        "step": found // width // width + seen.first,
        "source": seen.words[found // width % width - 1],
        "target": seen.words[found % width - 1],
        "kind": [kind] * len(found),
        "count": sums["hits"],
        "cases": sums["cases"],
        "share": share,
        "low": low,
        "high": high,
        "tasks": sums["tasks"],
    }
    return as_frame(columns, _COLUMNS)


def _two(rows: Sequence[tuple[int, int]]) -> tuple[Ints, Ints]:
    one, other = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    return one, other


def _over(
    tasks: _Tasks, event: Ints, code: Ints, value: Floats | None = None
) -> tuple[Ints, Ints, Floats]:
    """Rows of events as rows of the tasks that these are of: code, task, value."""
    order = np.argsort(tasks.event, kind="stable")
    often = np.bincount(tasks.event, minlength=int(event.max(initial=-1)) + 1)
    begin = np.cumsum(often) - often
    rows = np.repeat(np.arange(len(event)), often[event])
    within = np.arange(len(rows)) - np.repeat(np.cumsum(often[event]) - often[event], often[event])
    task = tasks.task[order][begin[event[rows]] + within]
    values = np.ones(len(event)) if value is None else value
    return code[rows], task, values[rows]


class _ByTask(NamedTuple):
    """Sums of what has one code and task, sorted; `number` is that of the tasks."""

    pairs: Ints
    total: Floats
    number: int

    def of(self, code: Ints, task: Ints) -> Floats:
        """The sums of these; they must be there."""
        return self.total[np.searchsorted(self.pairs, code * self.number + task)]


def _by_task(code: Ints, task: Ints, value: Floats, number: int) -> _ByTask:
    pairs, row = np.unique(code * number + task, return_inverse=True)
    return _ByTask(pairs, sum_by_code(row, value, len(pairs)), number)


def _sums(  # noqa: PLR0913, PLR0917 - as _rows
    found: Ints,
    width: int,
    there: _ByTask,
    times: Floats,
    told: tuple[Ints, Ints, Floats],
    hidden: tuple[Ints, Ints],
) -> dict[str, Floats]:
    """The `SUMS` of shares: cases are where the source was there and the target not hidden."""
    number = there.number
    codes, task = (np.concatenate(each) for each in zip(told[:2], hidden, strict=True))
    zeros = np.zeros(len(hidden[0]))
    hits = _by_task(codes, task, np.concatenate([told[2], zeros]), number)
    less = _by_task(codes, task, np.concatenate([told[2] * 0, zeros + 1]), number).total
    code, task = hits.pairs // number, hits.pairs % number
    x, y = there.of(code // width, task), hits.total
    seen = x - less
    param, often = np.searchsorted(found, code), times[task]

    def total_of(values: Floats) -> Floats:
        return sum_by_code(param, often * values, len(found))

    sources, at = np.unique(there.pairs // number, return_inverse=True)
    every = times[there.pairs % number]
    whole = [
        sum_by_code(at, every * each) for each in (there.total > 0, there.total, there.total**2)
    ]
    row = np.searchsorted(sources, found // width)
    return {
        "tasks": whole[0][row] - total_of((seen == 0).astype(float)),
        "hits": total_of(y).round(6),
        "cases": whole[1][row] - total_of(less),
        "hits2": total_of(y * y),
        "cross": total_of(y * seen),
        "cases2": whole[2][row] - total_of(x * x - seen * seen),
    }


def _doubt(sums: dict[str, Floats], squares: Floats) -> Floats:
    """How much wider the variance is, since chances stand where it is not known what happened.

    The observed information of a share p is the sum of (chance - p)^2 over its cases, of which
    there would be p (1 - p) each if all chances were 0 or 1; the variance goes with its inverse
    square, the variance between tasks being that of the chances. Half a case is added to both,
    so that chances of almost 1 are as good as 1.
    """
    of = np.maximum(sums["cases"], _DUST)
    p = np.clip(sums["hits"] / of, 0.0, 1.0)
    told = np.maximum(squares - 2 * p * sums["hits"] + p * p * of, 0.0)
    return np.clip(((of * p * (1 - p) + 0.5) / (told + 0.5)) ** 2, 1.0, None)
