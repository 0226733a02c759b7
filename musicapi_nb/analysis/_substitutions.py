"""Substitutions: how the tags of a text were rewritten at each step of `replaced_tags`."""

from __future__ import annotations

import functools
import itertools
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from musicapi_nb.analysis._adherence import RequestedTags, read_requests
from musicapi_nb.analysis.array_types import Floats, Ints
from musicapi_nb.analysis.checks import ColumnKind, as_frame, check_level, require
from musicapi_nb.analysis.clusters import cluster_codes, sum_by_code
from musicapi_nb.analysis.noisy_or import Attributions, Event, attribute, hidden_links
from musicapi_nb.analysis.partitions import map_reduce
from musicapi_nb.analysis.ratio_estimator import ratios
from musicapi_nb.analysis.song_keys import SONGS, require_distinct, song_codes
from musicapi_nb.analysis.source_tables import Source, table_of
from musicapi_nb.analysis.tag_matching import TagReader
from musicapi_nb.errors import BadFrame, InvalidArgument
from musicapi_nb.extras import require_extra
from musicapi_nb.frames.arrow_tables import Table
from musicapi_nb.frames.text_dtype import TEXT
from musicapi_nb.tasks.tag_reader import Tag, read_tags
from musicapi_nb.tasks.tags import tag_key, unique_tags

if TYPE_CHECKING:
    import networkx as nx

Tags: TypeAlias = tuple[str, ...]

_COLUMNS = {
    "step": "int64",
    **dict.fromkeys(("source", "target", "kind"), "str"),
    "count": "float64",
    "cases": "int64",
    **dict.fromkeys(("share", "low", "high"), "float64"),
    "tasks": "int64",
}
_REWRITINGS = {"step": "int64", "songs": "object", "tasks": "int64"}
_LINK = ["step", "source", "target"]
_INPUT: Mapping[str, ColumnKind] = {
    **dict.fromkeys(("task_id", "song_id"), "key"),
    **dict.fromkeys(("source", "tag"), "text"),
    "step": "number",
}
_KINDS = ("kept", "rewritten", "dropped", "added")
_STEPS = "steps (of replaced_tags_frame or run.replaced_tags())"
_REQUESTED_STEP = -1
_DEFAULT = "requested_tags"
_EPSILON = 1e-6


def substitutions(  # noqa: PLR0913 - all but one are keywords
    steps: Source,
    *,
    songs: Source | None = None,
    requested_tags: RequestedTags = _DEFAULT,
    min_count: float = 1,
    cluster: str | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Estimate how each tag of each source text was rewritten, step by step.

    A step's source text is read as by `tag_fates`, and tags are compared so; each is named by its
    most frequent spelling, in lower case. The service does not report which tag became which, so
    all kinds but "kept" are attributed by a model of the songs. A tag that two others may have
    added counts for each with its chance, so the counts of one target may sum to more than its
    occurrences. A tag rewritten as one that the source already had is indistinguishable from a
    dropped one.

    Intervals are as for `adherence`, over tasks, widened where attribution is uncertain. The page
    Statistics of the docs explains the model. Dask tables are counted by partition; one row travels
    for each distinct rewriting. BadFrame is raised if a column is missing or of a wrong kind, or a
    task is missing.

    Needs the extra `analysis`.

    Parameters
    ----------
    steps
        A run, or whatever else `songs_frame` accepts. Or a table, such as `run.replaced_tags()`.
    songs, requested_tags
        If songs are given, the rewriting of the requested text into the first step's source is
        step -1. `requested_tags` is as for `tag_fates`.
    min_count
        Leave out rows of a smaller count.
    cluster
        The column of `steps` (and `songs`) that identifies independent units; default `cell`,
        else `task_id`, else `reply`.

    Returns
    -------
    pd.DataFrame
        `step` (int64: from 0; -1 for the requested text), `source` (str: a tag of the source;
        missing for a tag added without a cause), `target` (str: the tag that it became or added;
        missing if it was dropped), `kind` (str: "kept", "rewritten", "dropped", or "added" by the
        source, in any of these cases), `count` (float64: occurrences, as attributed), `cases`
        (int64: opportunities, that is, songs with the source, or, if it is missing, with the
        step; for "rewritten" and "added", of these the songs whose source text does not have the
        target), `share, low, high` (float64: count / cases, with its interval; missing for a
        single task), `tasks` (int64: those among `cases`).
    """
    require_extra("analysis")
    level = check_level(level)
    if songs is None and requested_tags is not _DEFAULT:
        raise InvalidArgument("requested_tags is read from songs: pass songs=..., too")
    steps = table_of(steps, "replaced_tags")
    songs = None if songs is None else table_of(songs, "songs")
    count = functools.partial(_count_rewritings, requested=requested_tags, cluster=cluster)
    tables = (steps,) if songs is None else (steps, songs)
    rewritings = map_reduce(count, *tables, keys=["step", "songs"])
    result = _summarise(rewritings, level)
    result = result[(result["count"] >= min_count - _EPSILON) & (result["count"] > _EPSILON)]
    return result.reset_index(drop=True)


def substitution_graph(frame: Table) -> nx.DiGraph[Any]:
    """Convert a table of `substitutions` to a directed graph of all steps.

    Nodes are ("tag", text), ("added", "") for the source of tags without a cause and
    ("dropped", "") for the target of dropped ones, with the attributes `kind` and `label`. Edges
    have `weight` (the sum of counts), `share` (of the cases at the steps of the edge), `steps`
    and `kinds` (tuples). BadFrame is raised if the table is not one of `substitutions`.

    Needs the extra `analysis`.
    """
    require_extra("analysis")
    import networkx as nx  # noqa: PLC0415 - slow to load, and seldom needed

    texts, numbers = ("source", "target", "kind"), ("step", "count", "cases")
    label = "frame (of substitutions)"
    table = require(
        frame, {**dict.fromkeys(texts, "text"), **dict.fromkeys(numbers, "number")}, label
    )
    graph: nx.DiGraph[Any] = nx.DiGraph()
    edges: defaultdict[Any, list[dict[Any, Any]]] = defaultdict(list)
    for row in table.to_dict("records"):
        edges[_node(row["source"], "added"), _node(row["target"], "dropped")].append(row)
    for edge, rows in edges.items():
        for node in edge:
            graph.add_node(node, kind=node[0], label=node[1] or node[0])
        weight = float(sum(row["count"] for row in rows))
        cases = sum({(row["step"], row["kind"]): row["cases"] for row in rows}.values())
        kinds = {row["kind"] for row in rows}
        graph.add_edge(
            *edge,
            weight=weight,
            share=weight / cases if cases else np.nan,
            steps=tuple(sorted({int(row["step"]) for row in rows})),
            kinds=tuple(kind for kind in _KINDS if kind in kinds),
        )
    return graph


def _node(tag: object, missing: str) -> tuple[str, str]:
    return ("tag", tag) if isinstance(tag, str) else (missing, "")


def _count_rewritings(
    steps: pd.DataFrame,
    songs: pd.DataFrame | None = None,
    *,
    requested: RequestedTags,
    cluster: str | None,
) -> pd.DataFrame:
    """Count the tasks with each rewriting.

    Columns: step (int), songs (a sorted tuple of the tags before and after of each song of a
    task), tasks (int).
    """
    require(steps, _INPUT, _STEPS)
    tables = [(steps, _STEPS)] if songs is None else [(steps, _STEPS), (songs, SONGS)]
    codes = song_codes(*tables)
    rewritings: defaultdict[tuple[int, int], list[tuple[Tags, Tags]]] = defaultdict(list)
    first: dict[int, Tags] = {}
    for song, task, step, before, after in _read_steps(steps, codes[0], cluster):
        rewritings[step, task].append((before, after))
        if step == 0:
            first[song] = before
    if songs is not None:
        has_steps = np.isin(codes[1], list(first))
        require_distinct(tables[1], codes[1], has_steps, tables[0])
        songs = songs[has_steps]
        reader = TagReader(itertools.chain.from_iterable(first.values()), "tag", None)
        requests = read_requests(songs, requested, reader)
        tasks = cluster_codes(songs, cluster, SONGS).tolist()
        for song, task, request in zip(codes[1][has_steps].tolist(), tasks, requests, strict=True):
            rewritings[_REQUESTED_STEP, task].append((_positive_tags(request), first[song]))
    counts = Counter((step, tuple(sorted(pairs))) for (step, _), pairs in rewritings.items())
    rows = pd.DataFrame([(*key, tasks) for key, tasks in counts.items()], columns=list(_REWRITINGS))
    return as_frame(rows, _REWRITINGS)


def _read_steps(
    steps: pd.DataFrame, songs: Ints, cluster: str | None
) -> Iterator[tuple[int, int, int, Tags, Tags]]:
    """Yield song, task, step number, and the tags before and after it, for each song and step."""
    numbers = steps["step"].to_numpy("float64", na_value=np.nan)
    invalid = int((~np.isfinite(numbers) | (numbers != np.floor(numbers))).sum())
    if invalid:
        raise BadFrame(
            f"{invalid} of {len(steps)} values of column 'step' of {_STEPS} are not whole numbers"
        )
    tasks = cluster_codes(steps, cluster, _STEPS).tolist()
    sources = steps["source"].astype(TEXT).fillna("")
    tags = steps["tag"].astype(object).where(steps["tag"].notna(), None)
    chains: dict[tuple[int, int], tuple[int, str, list[str]]] = {}
    keys = songs.tolist(), tasks, numbers.astype("int64").tolist()
    for song, task, step, source, tag in zip(*keys, sources, tags, strict=True):
        after = chains.setdefault((song, step), (task, source, []))[2]
        if tag is not None:
            after.append(tag)
    for (song, step), (task, source, after) in chains.items():
        tags_after = _lower_case(after)
        yield song, task, step, _read_source(source, tags_after), tags_after


@functools.lru_cache(maxsize=65536)
def _read_source(source: str, after: Tags) -> Tags:
    """Return the tags of a source text; a sentence is read by the tags after the step."""
    return _positive_tags(read_tags(source, {tag_key(tag): tag for tag in after}))


def _positive_tags(tags: Iterable[Tag]) -> Tags:
    """Return the tags that should come."""
    return _lower_case(tag.text for tag in tags if not tag.negated)


def _lower_case(tags: Iterable[str]) -> Tags:
    """Return tags in lower case, with single spaces; the first spelling of each tag."""
    texts = (" ".join(unicodedata.normalize("NFKC", tag).casefold().split()) for tag in tags)
    return unique_tags(text for text in texts if text)


def _name_tags(rewritings: pd.DataFrame) -> list[tuple[tuple[Tags, Tags], ...]]:
    """Replace the spellings of each tag by the most frequent one."""
    counts: Counter[str] = Counter()
    for songs, tasks in zip(rewritings["songs"], rewritings["tasks"].tolist(), strict=True):
        for tag in (tag for pair in songs for tags in pair for tag in tags):
            counts[tag] += tasks
    names: dict[str, str] = {}
    for tag in sorted(counts, key=lambda tag: (-counts[tag], tag)):
        names.setdefault(tag_key(tag), tag)

    def name(tags: Tags) -> Tags:
        return tuple(names[tag_key(tag)] for tag in tags)

    return [
        tuple((name(first), name(last)) for first, last in songs) for songs in rewritings["songs"]
    ]


def _summarise(rewritings: pd.DataFrame, level: float) -> pd.DataFrame:
    """Return one row for each step, source, target and kind, in their final order."""
    codes: dict[Event, int] = {}
    tasks = zip(rewritings["step"].tolist(), _name_tags(rewritings), strict=True)
    rows = [
        (task, codes.setdefault(Event(step, before, after), len(codes)))
        for task, (step, pairs) in enumerate(tasks)
        for before, after in pairs
    ]
    songs = pd.DataFrame(rows, columns=["task", "event"], dtype="int64")
    songs["weight"] = rewritings["tasks"].to_numpy("float64")[songs["task"]]
    events = list(codes)
    weight = sum_by_code(songs["event"].to_numpy(), songs["weight"].to_numpy(), len(events))
    attributions = attribute(events, weight)
    result = _share_rows(attributions, songs, level)
    order = result[["step", "source", "target"]].assign(
        without_source=result["source"].isna(),
        size=-result.groupby(["step", "source"], dropna=False)["cases"].transform("max"),
        kind=result["kind"].map(_KINDS.index),
        count=-result["count"].round(6),
    )
    by = ["step", "without_source", "size", "source", "kind", "count", "target"]
    return result.loc[order.sort_values(by).index].reset_index(drop=True)


def _share_rows(attributions: Attributions, songs: pd.DataFrame, level: float) -> pd.DataFrame:
    """Sum the attributions by task, and these to shares with intervals.

    `songs` has one row for each song of a task: task, event, weight (the number of such tasks).
    """
    link, by_task = ["kind", *_LINK], ["kind", *_LINK, "task", "weight"]
    rows = attributions.rows.merge(songs, on="event")
    hits = rows.groupby(by_task)[["chance"]].sum().reset_index()

    def count_songs(table: pd.DataFrame, keys: list[str], name: str) -> pd.DataFrame:
        groups = table.merge(songs, on="event").groupby([*keys, "task", "weight"])
        return groups.size().reset_index(name=name)

    # a target that the source text already has cannot be seen to come: it is hidden
    sources = count_songs(attributions.sources, ["step", "source"], "songs")
    hidden = hidden_links(attributions.sources, attributions.sources)
    hidden = count_songs(hidden, _LINK, "hidden")
    links = hits.loc[hits["kind"].isin(["rewritten", "added"]), link].drop_duplicates()
    pairs = pd.concat([hits, hidden.merge(links, on=_LINK)])
    pairs = pairs.groupby(by_task)[["chance", "hidden"]].sum().reset_index()
    pairs = pairs.merge(sources, on=["step", "source", "task", "weight"])

    # the sums of all tasks with the source, corrected for those with hits or hidden targets
    cases = pairs["songs"] - pairs["hidden"]
    corrections = {
        "tasks": -(cases == 0).astype("float64"),
        "hits": pairs["chance"],
        "cases": -pairs["hidden"],
        "hits2": pairs["chance"] ** 2,
        "cross": pairs["chance"] * cases,
        "cases2": cases**2 - pairs["songs"] ** 2,
    }
    sums = _weighted_sums(pairs, corrections, link)
    totals = {"tasks": 1.0, "cases": sources["songs"], "cases2": sources["songs"] ** 2}
    total = _weighted_sums(sources, totals, ["step", "source"])
    keys = sums.index.to_frame()[["step", "source"]]
    sums[total.columns] += total.reindex(pd.MultiIndex.from_frame(keys)).to_numpy()
    sums["hits"] = sums["hits"].round(6)

    squares = _weighted_sums(rows, {"squares": rows["chance"] ** 2}, link)
    factor = _variance_factor(sums.join(squares))
    share, low, high = ratios(sums, level, max_cases=sums["cases"], variance_factor=factor)
    names = np.array([*attributions.tags, None], dtype=object)  # the last one is NOTHING
    result = sums.assign(count=sums["hits"], share=share, low=low, high=high).reset_index()
    for column in ("source", "target"):
        result[column] = names[result[column]]
    return as_frame(result, _COLUMNS)


def _weighted_sums(rows: pd.DataFrame, terms: dict[str, Any], keys: list[str]) -> pd.DataFrame:
    weighted = {name: rows["weight"] * term for name, term in terms.items()}
    return rows[keys].assign(**weighted).groupby(keys).sum()


def _variance_factor(sums: pd.DataFrame) -> Floats:
    """Return the factor by which uncertain attribution increases the variance of a share p.

    The observed information is the sum of (chance - p)^2 over the cases; it would be
    cases * p * (1 - p) if all chances were 0 or 1. The variance of chances between tasks is
    multiplied by the squared inverse of their ratio; half a case is added to both, so that
    chances of almost 1 count as 1.
    """
    hits, cases, squares = (sums[name].to_numpy(float) for name in ("hits", "cases", "squares"))
    p = np.clip(hits / np.maximum(cases, _EPSILON), 0.0, 1.0)
    information = np.maximum(squares - 2 * p * hits + p * p * cases, 0.0)
    factor: Floats = ((cases * p * (1 - p) + 0.5) / (information + 0.5)) ** 2
    return np.maximum(factor, 1.0)
