"""Draw the trials of a blind test: the songs of each, and their order. No I/O."""

import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

from musicapi_nb.errors import NothingToCompare

Kind: TypeAlias = Literal["pairs", "best_of_four"]
SONGS_PER_TRIAL: dict[Kind, int] = {"pairs": 2, "best_of_four": 4}
# Where no songs share all covariates, the closest are searched among this many per level.
_MAX_ANCHORS = 16
_MAX_NEIGHBOURS = 250
_Key = TypeVar("_Key")


class Candidate(NamedTuple):
    """A song that may be drawn, by its unique key; songs are drawn evenly over tasks.

    `level` is that of the compared factor. The songs of a trial should share the covariates:
    levels of the other factors, then the block.
    """

    key: str
    task: str
    level: str
    covariates: tuple[str, ...] = ()


class DrawnTrial(NamedTuple):
    """Songs in the order of their positions A, B, ..., and whether they share all covariates.

    `repeat_of` is the index of the trial that this one repeats in the opposite order, or None.
    """

    songs: tuple[Candidate, ...]
    repeat_of: int | None
    matched: bool

    @property
    def is_catch(self) -> bool:
        """Whether one song is at all positions, so that there is no difference to hear."""
        return len({song.key for song in self.songs}) == 1


def draw_trials(  # noqa: PLR0913 - the settings of a test
    candidates: Sequence[Candidate],
    trials: int,
    *,
    kind: Kind = "pairs",
    swap_repeats: bool = False,
    catch_trials: int = 0,
    seed: int = 0,
) -> list[DrawnTrial]:
    """Draw the trials of a test.

    Pairs of levels, levels in each position, and songs are each used equally often, as far as
    the numbers allow. The songs of a trial share as many covariates as possible. With
    `swap_repeats` the second half repeats the first half in the opposite order of songs; at least
    a quarter of the test lies between a trial and its repeat. `catch_trials` more trials, at random
    places, have one song at all positions. NothingToCompare if all songs have the same level, or
    there are fewer than a trial needs.
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
    songs = [song for trial in first_pass for song in trial.songs]
    catches = [DrawnTrial((rng.choice(songs),) * size, None, True) for _ in range(catch_trials)]
    return _insert(first_pass + repeats, catches, rng)


def _insert(
    trials: Sequence[DrawnTrial], catches: Sequence[DrawnTrial], rng: random.Random
) -> list[DrawnTrial]:
    """Insert catch trials at random places; repeats keep their originals."""
    total = len(trials) + len(catches)
    places = set(rng.sample(range(total), len(catches))) if catches else set()
    numbers = [index for index in range(total) if index not in places]
    moved = [
        trial._replace(repeat_of=None if trial.repeat_of is None else numbers[trial.repeat_of])
        for trial in trials
    ]
    rest, inserted = iter(moved), iter(catches)
    return [next(inserted) if index in places else next(rest) for index in range(total)]


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
        group = self._matching_group(levels)
        pools = group or {level: self._least_used_songs(level) for level in dict.fromkeys(levels)}
        songs = [] if group else [self._closest_anchor(levels, pools)]
        for level in levels[len(songs) :]:
            songs.append(self._draw_nearest(pools[level], songs))
        self._count(songs)
        return DrawnTrial(tuple(songs), None, matched=group is not None)

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
            ordered[index] = trials[index]._replace(songs=songs)
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

        def rank(level: str) -> tuple[float, ...]:
            return counts[level], self._level_counts[level], self._rng.random()

        for _ in range(size):
            free = (level for level in self._levels if counts[level] < len(self._by_level[level]))
            counts[min(free, key=rank)] += 1
        return tuple(level for level in self._levels for _ in range(counts[level]))

    def _matching_group(self, levels: Sequence[str]) -> dict[str, list[Candidate]] | None:
        """Return the songs by level of the least used covariates that have all these levels."""
        needed = Counter(levels)
        complete = [
            covariates
            for covariates, group in self._groups.items()
            if all(len(group.get(level, ())) >= count for level, count in needed.items())
        ]
        return self._groups[self._least_used(complete, self._group_counts)] if complete else None

    def _closest_anchor(
        self, levels: Sequence[str], nearby: Mapping[str, Sequence[Candidate]]
    ) -> Candidate:
        """Return the song of the first level that shares most covariates with the others."""

        def total_distance(anchor: Candidate) -> int:
            return sum(
                min(_distance(song, anchor) for song in nearby[level] if song is not anchor)
                for level in levels[1:]
            )

        return min(nearby[levels[0]][:_MAX_ANCHORS], key=total_distance)

    def _draw_nearest(self, pool: Sequence[Candidate], chosen: Sequence[Candidate]) -> Candidate:
        """Draw the song nearest to the first chosen one; of several, the least used."""

        def rank(song: Candidate) -> tuple[Any, ...]:
            distance = _distance(song, chosen[0]) if chosen else 0
            return distance, self._times_used(song, chosen), self._rng.random()

        return min((song for song in pool if song not in chosen), key=rank)

    def _least_used_songs(self, level: str) -> list[Candidate]:
        def rank(song: Candidate) -> tuple[Any, ...]:
            return self._times_used(song, ()), self._rng.random()

        return sorted(self._by_level[level], key=rank)[:_MAX_NEIGHBOURS]

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
