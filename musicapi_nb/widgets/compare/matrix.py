"""The matrix of a board: which songs are in which row and column. No page, no HTML."""

import collections
import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from musicapi_nb.errors import InvalidArgument
from musicapi_nb.widgets.compare.dimensions import (
    Dimension,
    Factors,
    Names,
    Origin,
    choose_dimensions,
    origin_of,
)
from musicapi_nb.widgets.songs_of import SongCollection, SongItem, distinct_texts, read_levels

Key: TypeAlias = tuple[str, ...]  # the values of a row or column, the outermost first
Place: TypeAlias = tuple[int, int]  # row and column
MAX_COLUMNS = 60
_NO_SONGS = {
    "planned": "Not made yet.",
    "sending": "Being sent.",
    "accepted": "In the queue.",
    "reposting": "In the queue.",
    "uncertain": "The answer got lost: it may have been charged. See api.library.",
    "done": "Finished, without songs.",
}
_OUTSIDE_PLAN, _NOTHING = "Not in the plan.", "No song."


@dataclasses.dataclass(frozen=True, slots=True)
class Matrix:
    """Songs by row and column.

    `rows` and `columns` hold their values, as text to show. `songs` has the songs of each place, as
    indices of the collection, in their order there; `reasons` says for every other place why it
    has none. `labels` has for each song what tells it from the others of its place.
    """

    row_names: Key
    column_names: Key
    rows: tuple[Key, ...]
    columns: tuple[Key, ...]
    songs: Mapping[Place, tuple[int, ...]]
    reasons: Mapping[Place, str]
    labels: tuple[str, ...]


def matrix_of(collection: SongCollection, rows: Names = None, columns: Names = None) -> Matrix:
    """Put the songs of a collection into rows and columns.

    InvalidArgument if `rows` or `columns` names what these songs do not have.
    """
    missing = list(_missing_requests(collection))
    made = [origin_of(item) for item in collection.items]
    origins = [*made, *(origin for origin, _ in missing)]
    down, across = choose_dimensions(collection.factors, origins, rows, columns)
    row_of, row_texts = _arrange(down, origins, collection.factors)
    column_of, column_texts = _arrange(across, origins, collection.factors)
    if len(column_texts) > MAX_COLUMNS:
        raise InvalidArgument(
            f"{' x '.join(dimension.name for dimension in across)} would make "
            f"{len(column_texts):,} columns; the limit is {MAX_COLUMNS}. Put it into rows."
        )
    places = list(zip(row_of, column_of, strict=True))
    songs = collections.defaultdict[Place, list[int]](list)
    for index, place in enumerate(places[: len(made)]):
        songs[place].append(index)
    reasons = dict(zip(places[len(made) :], (reason for _, reason in missing), strict=True))
    default = _OUTSIDE_PLAN if collection.experiment else _NOTHING
    every_place = itertools.product(range(len(row_texts)), range(len(column_texts)))
    shown = {dimension.name for dimension in (*down, *across)}
    return Matrix(
        row_names=tuple(dimension.label for dimension in down),
        column_names=tuple(dimension.label for dimension in across),
        rows=row_texts,
        columns=column_texts,
        songs={place: tuple(indices) for place, indices in songs.items()},
        reasons={place: reasons.get(place, default) for place in every_place if place not in songs},
        labels=_labels(collection, songs.values(), shown),
    )


def _missing_requests(collection: SongCollection) -> Iterator[tuple[Origin, str]]:
    """Yield the requests of an experiment that have no song, not even a failed one, and why."""
    experiment = collection.experiment
    if experiment is None or not collection.without_songs:
        return
    frame = experiment.frame()
    states = zip(frame["cell"], frame["state"], frame["reason"], strict=True)
    tasks = experiment.tasks_of_cells()
    _, levels = read_levels(experiment.plan)
    for index, state, reason in states:
        cell = experiment.plan.cells[index]
        task = tasks.get(index)
        if task is None or (task.state == "succeeded" and not task.songs):
            text = reason if isinstance(reason, str) and state != "uncertain" else ""
            yield Origin(levels[index], cell.request), text or _NO_SONGS.get(state, f"{state}.")


def _arrange(
    dimensions: Sequence[Dimension], origins: Sequence[Origin], factors: Factors
) -> tuple[list[int], tuple[Key, ...]]:
    """Return the index of each origin's row (or column), and the texts of the rows.

    A factor's levels have the order of the plan; other values come as their first song does.
    """
    keys = [tuple(dimension.value(origin) for dimension in dimensions) for origin in origins]
    first_seen = sorted(range(len(origins)), key=lambda index: _rank(origins[index], factors))
    ranks = []
    for position, dimension in enumerate(dimensions):
        seen = (keys[index][position] for index in first_seen)
        values = dict.fromkeys((*dimension.order, *seen))
        ranks.append({value: rank for rank, value in enumerate(values)})
    ordered = sorted(
        set(keys), key=lambda key: [rank[value] for rank, value in zip(ranks, key, strict=True)]
    )
    index_of = {key: index for index, key in enumerate(ordered)}
    texts = [dict(zip(rank, distinct_texts(rank), strict=True)) for rank in ranks]
    shown = [tuple(text[value] for text, value in zip(texts, key, strict=True)) for key in ordered]
    return [index_of[key] for key in keys], tuple(shown)


def _rank(origin: Origin, factors: Factors) -> list[int]:
    """Return the position of an origin in a plan without shuffling."""
    ranks = []
    for name, levels in factors.items():
        level = origin.levels.get(name, "")
        ranks.append(levels.index(level) if level in levels else -1)
    return ranks


def _labels(
    collection: SongCollection, places: Iterable[Sequence[int]], shown: set[str]
) -> tuple[str, ...]:
    """Return a label for each song: its levels of other factors, and which version it is."""
    hidden = [name for name in collection.factors if name not in shown]
    labels = [""] * len(collection.items)
    for indices in places:
        items = [collection.items[index] for index in indices]
        varied = [name for name in hidden if len({item.levels.get(name) for item in items}) > 1]
        versions: dict[Key, dict[object, int]] = {}  # the requests of the same levels, counted
        for item in items:
            requests = versions.setdefault(_levels(item, varied), {})
            requests.setdefault(_request_key(item), len(requests) + 1)
        for index, item in zip(indices, items, strict=True):
            levels = _levels(item, varied)
            requests = versions[levels]
            number = (f"version {requests[_request_key(item)]}",) if len(requests) > 1 else ()
            labels[index] = ", ".join((*levels, *number))
    return tuple(labels)


def _levels(item: SongItem, names: Iterable[str]) -> Key:
    return tuple(item.levels[name] for name in names if name in item.levels)


def _request_key(item: SongItem) -> object:
    """Return what the songs of one request have in common."""
    return item.song.task_id or (id(item.task) if item.task else id(item))
