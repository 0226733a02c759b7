"""Draw the trials of a blind test: the songs of each, and their order. No I/O."""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias, TypeVar

from musicapi_nb.errors import NothingToCompare

Kind: TypeAlias = Literal["pairs", "best_of_four"]
SONGS_PER_TRIAL: dict[Kind, int] = {"pairs": 2, "best_of_four": 4}
# Where no songs share all covariates, the closest are searched among this many per level.
_MAX_ANCHORS = 16
_MAX_NEIGHBOURS = 250
_Key = TypeVar("_Key")


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """A song that may be drawn.

    Attributes
    ----------
    key
        Unique name of the song.
    task
        Task that made it; songs are drawn evenly over tasks.
    level
        Level of the factor that is compared.
    covariates
        What the songs of a trial should share: levels of the other factors, then the block.
    """

    key: str
    task: str
    level: str
    covariates: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class DrawnTrial:
    """One trial.

    Attributes
    ----------
    songs
        In the order of their positions: A, B, ...
    repeat_of
        Index of the trial that this one repeats in the opposite order, or None.
    matched
        Whether the songs share all covariates.
    """

    songs: tuple[Candidate, ...]
    repeat_of: int | None
    matched: bool


def draw_trials(
    candidates: Sequence[Candidate],
    trials: int,
    *,
    kind: Kind = "pairs",
    swap_repeats: bool = False,
    seed: int = 0,
) -> list[DrawnTrial]:
    """Draw the trials of a test.

    Pairs of levels, levels in each position, and songs are each used equally often, as far as
    the numbers allow. The songs of a trial share as many covariates as possible. With
    `swap_repeats` the second half repeats the first half in the opposite order of songs; at least
    a quarter of the test lies between a trial and its repeat.

    Raises
    ------
    NothingToCompare
        All songs have the same level, or there are fewer songs than a trial needs.
    """
    size = SONGS_PER_TRIAL[kind]
    levels = list(dict.fromkeys(candidate.level for candidate in candidates))
    if len(levels) <= 1:
        detail = f"all songs have level {levels[0]!r}" if levels else "there are no songs"
        raise NothingToCompare(f"a blind test compares two or more levels, but {detail}")
    if len(candidates) < size:
        raise NothingToCompare(f"a trial needs {size} songs, but there are {len(candidates)}")
    rng = random.Random(f"blind test {seed}")  # noqa: S311 - reproducible by its seed
    sampler = _TrialSampler(candidates, levels, rng)
    count = (trials + 1) // 2 if swap_repeats else trials
    first_pass = sampler.assign_positions([sampler.draw(size) for _ in range(count)])
    repeats = [
        DrawnTrial(first_pass[index].songs[::-1], index, first_pass[index].matched)
        for index in sampler.repeat_order(trials - count)
    ]
    return first_pass + repeats


class _TrialSampler:
    """Draws trials, and counts how often levels, pairs, tasks and songs were used."""

    def __init__(
        self, candidates: Sequence[Candidate], levels: Sequence[str], rng: random.Random
    ) -> None:
        self._rng = rng
        self._levels = levels
        self._by_level: dict[str, list[Candidate]] = defaultdict(list)
        self._groups: dict[tuple[str, ...], dict[str, list[Candidate]]] = {}
        for candidate in candidates:
            self._by_level[candidate.level].append(candidate)
            group = self._groups.setdefault(candidate.covariates, defaultdict(list))
            group[candidate.level].append(candidate)
        self._level_counts: Counter[str] = Counter()
        self._level_pair_counts: Counter[tuple[str, str]] = Counter()
        self._position_counts: Counter[tuple[str, int]] = Counter()
        self._group_counts: Counter[tuple[str, ...]] = Counter()
        self._task_counts: Counter[str] = Counter()
        self._song_counts: Counter[str] = Counter()
        self._song_pair_counts: Counter[frozenset[str]] = Counter()

    def draw(self, size: int) -> DrawnTrial:
        levels = self._draw_pair() if size == SONGS_PER_TRIAL["pairs"] else self._draw_levels(size)
        songs = self._draw_matched(levels)
        matched = songs is not None
        if songs is None:
            songs = self._draw_closest(levels)
        self._count(songs)
        return DrawnTrial(tuple(songs), None, matched)

    def assign_positions(self, trials: Sequence[DrawnTrial]) -> list[DrawnTrial]:
        """Order the songs of each trial so that levels are balanced over positions.

        Trials are balanced in random order: balanced in the order of asking, a listener could
        predict the next trial from this one.
        """
        indices = list(range(len(trials)))
        self._rng.shuffle(indices)
        ordered = list(trials)
        for index in indices:
            orders = itertools.permutations(trials[index].songs)
            songs = min(orders, key=lambda order: (self._imbalance(order), self._rng.random()))
            ordered[index] = dataclasses.replace(trials[index], songs=songs)
            self._position_counts.update(
                (song.level, position) for position, song in enumerate(songs)
            )
        return ordered

    def repeat_order(self, count: int) -> list[int]:
        """Return the order in which the first `count` trials are repeated: early ones first."""
        half = (count + 1) // 2
        early, late = list(range(half)), list(range(half, count))
        self._rng.shuffle(early)
        self._rng.shuffle(late)
        return early + late

    def _least_used(self, keys: Iterable[_Key], counts: Counter[_Key]) -> _Key:
        return min(keys, key=lambda key: (counts[key], self._rng.random()))

    def _draw_pair(self) -> tuple[str, ...]:
        return self._least_used(itertools.combinations(self._levels, 2), self._level_pair_counts)

    def _draw_levels(self, size: int) -> tuple[str, ...]:
        """Draw `size` levels, repeated only where there are fewer levels than songs."""
        counts: Counter[str] = Counter()
        for _ in range(size):
            free = [level for level in self._levels if counts[level] < len(self._by_level[level])]
            level = min(
                free,
                key=lambda level: (counts[level], self._level_counts[level], self._rng.random()),
            )
            counts[level] += 1
        return tuple(level for level in self._levels for _ in range(counts[level]))

    def _draw_matched(self, levels: Sequence[str]) -> list[Candidate] | None:
        """Draw songs that share all covariates; None where no group has these levels."""
        needed = Counter(levels)
        complete = [
            covariates
            for covariates, group in self._groups.items()
            if all(len(group.get(level, ())) >= count for level, count in needed.items())
        ]
        if not complete:
            return None
        group = self._groups[self._least_used(complete, self._group_counts)]
        songs: list[Candidate] = []
        for level in levels:
            songs.append(self._draw_least_used(group[level], songs))
        return songs

    def _draw_closest(self, levels: Sequence[str]) -> list[Candidate]:
        """Draw songs that share as many covariates as possible, among the least used ones."""
        anchors = self._least_used_songs(self._by_level[levels[0]], _MAX_ANCHORS)
        nearby = {
            level: self._least_used_songs(self._by_level[level], _MAX_NEIGHBOURS)
            for level in set(levels)
        }

        def total_distance(anchor: Candidate) -> int:
            return sum(
                min(_distance(song, anchor) for song in nearby[level] if song is not anchor)
                for level in levels[1:]
            )

        anchor = min(anchors, key=total_distance)
        songs = [anchor]
        for level in levels[1:]:
            free = [song for song in nearby[level] if song not in songs]
            shortest = min(_distance(song, anchor) for song in free)
            nearest = [song for song in free if _distance(song, anchor) == shortest]
            songs.append(self._draw_least_used(nearest, songs))
        return songs

    def _draw_least_used(self, pool: Sequence[Candidate], chosen: Sequence[Candidate]) -> Candidate:
        free = [song for song in pool if song not in chosen]
        return min(free, key=lambda song: (self._times_used(song, chosen), self._rng.random()))

    def _least_used_songs(self, songs: Sequence[Candidate], limit: int) -> list[Candidate]:
        ranked = sorted(songs, key=lambda song: (self._times_used(song, ()), self._rng.random()))
        return ranked[:limit]

    def _times_used(self, song: Candidate, chosen: Sequence[Candidate]) -> tuple[int, ...]:
        """Sort key: songs of the same task in the trial, earlier meetings, task and song uses."""
        same_task = sum(song.task == mate.task for mate in chosen)
        met = sum(self._song_pair_counts[frozenset((song.key, mate.key))] for mate in chosen)
        return same_task, met, self._task_counts[song.task], self._song_counts[song.key]

    def _imbalance(self, order: Sequence[Candidate]) -> int:
        return sum(self._position_counts[song.level, index] for index, song in enumerate(order))

    def _count(self, songs: Sequence[Candidate]) -> None:
        present = {song.level for song in songs}
        levels = [level for level in self._levels if level in present]
        self._level_pair_counts.update(itertools.combinations(levels, 2))
        self._song_pair_counts.update(
            frozenset((first.key, second.key)) for first, second in itertools.combinations(songs, 2)
        )
        self._group_counts[songs[0].covariates] += 1
        self._level_counts.update(song.level for song in songs)
        self._task_counts.update(song.task for song in songs)
        self._song_counts.update(song.key for song in songs)


def _distance(first: Candidate, second: Candidate) -> int:
    """Count the differing covariates; a factor weighs 1,000 blocks (the block is the last)."""
    differs = [a != b for a, b in zip(first.covariates, second.covariates, strict=True)]
    return 1_000 * sum(differs[:-1]) + sum(differs[-1:])
