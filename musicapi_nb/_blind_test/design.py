"""The draw of a blind test: which songs are heard together, in which order. Pure, by a seed."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import random
from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

from musicapi_nb.errors import NothingToCompare

Kind: TypeAlias = Literal["pairs", "best_of_four"]
SIZES: dict[Kind, int] = {"pairs": 2, "best_of_four": 4}
_ANCHORS = 16
_CLOSEST = 250


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """A song that may be drawn.

    Attributes
    ----------
    key
        Its name, which no other candidate has.
    task
        What it was made by; songs of one task are used as evenly as those of different ones.
    level
        Of the factor that is compared.
    like
        What songs that are heard together should share: levels of the other factors, the block
        last.
    """

    key: str
    task: str
    level: str
    like: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Drawn:
    """One trial: its songs in the order in which they are shown.

    `repeat_of` is the index of the trial that is asked again here in another order; `alike` says
    whether the songs share all that they should.
    """

    songs: tuple[Candidate, ...]
    repeat_of: int | None
    alike: bool


def draw(
    candidates: Sequence[Candidate],
    trials: int,
    *,
    kind: Kind = "pairs",
    swap_repeats: bool = False,
    seed: int = 0,
) -> list[Drawn]:
    """Draw the trials of a test.

    Levels meet equally often, stand equally often in each position, and songs are used equally
    often, each as far as the numbers allow. Songs that are heard together share as much else as
    there is to share. With `swap_repeats` the second half asks the first half again, each trial
    in the opposite order and at least a quarter of the test after it was first asked.

    Raises
    ------
    NothingToCompare
        All songs are of one level, or there are fewer than a trial shows.
    """
    size = SIZES[kind]
    levels = list(dict.fromkeys(candidate.level for candidate in candidates))
    if len(levels) <= 1:
        found = f"all of level {levels[0]!r}" if levels else "none"
        raise NothingToCompare(f"a test compares songs of two levels or more; here are {found}")
    if len(candidates) < size:
        raise NothingToCompare(f"a trial shows {size} songs; here are {len(candidates)}")
    hat = _Hat(candidates, levels, random.Random(f"blind test {seed}"))  # noqa: S311 - to come again
    new = (trials + 1) // 2 if swap_repeats else trials
    first = hat.ordered([hat.trial(size) for _ in range(new)])
    again = [
        Drawn(tuple(reversed(first[at].songs)), at, first[at].alike)
        for at in hat.later(trials - new)
    ]
    return first + again


class _Hat:
    """The songs, and how often each thing was drawn so far."""

    def __init__(
        self, candidates: Sequence[Candidate], levels: Sequence[str], rng: random.Random
    ) -> None:
        self._rng = rng
        self._levels = levels
        self._of_level: dict[str, list[Candidate]] = collections.defaultdict(list)
        self._groups: dict[tuple[str, ...], dict[str, list[Candidate]]] = {}
        for candidate in candidates:
            self._of_level[candidate.level].append(candidate)
            group = self._groups.setdefault(candidate.like, collections.defaultdict(list))
            group[candidate.level].append(candidate)
        self._used: collections.Counter[object] = collections.Counter()

    def later(self, number: int) -> list[int]:
        """The order in which the first trials are asked again: each after a while."""
        half = (number + 1) // 2
        early, late = list(range(half)), list(range(half, number))
        self._rng.shuffle(early)
        self._rng.shuffle(late)
        return early + late

    def trial(self, size: int) -> Drawn:
        levels = self._pair() if size == SIZES["pairs"] else self._several(size)
        songs = self._alike(levels)
        alike = songs is not None
        if songs is None:
            songs = self._closest(levels)
        self._count(songs)
        return Drawn(tuple(songs), None, alike)

    def ordered(self, trials: Sequence[Drawn]) -> list[Drawn]:
        """Put the songs of each trial in the order in which they are shown.

        Positions are balanced in a random order of the trials: in the order of asking, a listener
        could tell by one trial what the next one has to balance.
        """
        numbers = list(range(len(trials)))
        self._rng.shuffle(numbers)
        made = list(trials)
        for number in numbers:
            shown = self._balanced(trials[number].songs)
            made[number] = dataclasses.replace(trials[number], songs=shown)
            self._used.update(("place", song.level, at) for at, song in enumerate(shown))
        return made

    def _least(self, values: Iterable[tuple[object, ...]]) -> tuple[object, ...]:
        """The one counted least so far; chance decides between equals."""
        return min(values, key=lambda value: (self._used[value], self._rng.random()))

    def _pair(self) -> list[str]:
        pairs = itertools.combinations(self._levels, 2)
        return [str(level) for level in self._least(("pair", *pair) for pair in pairs)[1:]]

    def _several(self, size: int) -> list[str]:
        picked: collections.Counter[str] = collections.Counter()
        for _ in range(size):
            free = [level for level in self._levels if picked[level] < len(self._of_level[level])]
            level = min(
                free,
                key=lambda level: (picked[level], self._used["level", level], self._rng.random()),
            )
            picked[level] += 1
        return [level for level in self._levels for _ in range(picked[level])]

    def _alike(self, levels: Sequence[str]) -> list[Candidate] | None:
        """Songs that share everything else; None where no such songs are."""
        needed = collections.Counter(levels)
        fitting = [
            ("group", like)
            for like, group in self._groups.items()
            if all(len(group.get(level, ())) >= number for level, number in needed.items())
        ]
        if not fitting:
            return None
        _, like = self._least(fitting)
        group = self._groups[like]  # type: ignore[index]  # the second of a pair made above
        chosen: list[Candidate] = []
        for level in levels:
            chosen.append(self._freshest(group[level], chosen))
        return chosen

    def _freshest(self, songs: Sequence[Candidate], chosen: Sequence[Candidate]) -> Candidate:
        free = [song for song in songs if song not in chosen]
        return min(free, key=lambda song: (self._worn(song, chosen), self._rng.random()))

    def _worn(self, song: Candidate, chosen: Sequence[Candidate]) -> tuple[int, ...]:
        met = sum(self._used["met", frozenset((song.key, other.key))] for other in chosen)
        same = sum(song.task == other.task for other in chosen)
        return (same, met, self._used["task", song.task], self._used["song", song.key])

    def _closest(self, levels: Sequence[str]) -> list[Candidate]:
        """Songs that share as much as any; looked for around the least used ones."""
        anchors = self._sample(self._of_level[levels[0]], _ANCHORS)
        near = {level: self._sample(self._of_level[level], _CLOSEST) for level in set(levels)}

        def off(anchor: Candidate) -> int:
            return sum(
                min(_unlike(song, anchor) for song in near[level] if song is not anchor)
                for level in levels[1:]
            )

        anchor = min(anchors, key=off)
        chosen = [anchor]
        for level in levels[1:]:
            free = [song for song in near[level] if all(song is not other for other in chosen)]
            nearest = min(_unlike(song, anchor) for song in free)
            close = [song for song in free if _unlike(song, anchor) == nearest]
            chosen.append(self._freshest(close, chosen))
        return chosen

    def _sample(self, songs: Sequence[Candidate], most: int) -> list[Candidate]:
        return sorted(songs, key=lambda song: (self._worn(song, ()), self._rng.random()))[:most]

    def _balanced(self, songs: Sequence[Candidate]) -> tuple[Candidate, ...]:
        orders = list(itertools.permutations(songs))
        return min(orders, key=lambda order: (self._crowded(order), self._rng.random()))

    def _crowded(self, order: Sequence[Candidate]) -> int:
        return sum(self._used["place", song.level, at] for at, song in enumerate(order))

    def _count(self, shown: Sequence[Candidate]) -> None:
        present = {song.level for song in shown}
        in_order = [level for level in self._levels if level in present]
        self._used.update(("pair", *pair) for pair in itertools.combinations(in_order, 2))
        self._used.update(
            ("met", frozenset((one.key, other.key)))
            for one, other in itertools.combinations(shown, 2)
        )
        self._used["group", shown[0].like] += 1
        for song in shown:
            self._used.update([("level", song.level), ("task", song.task), ("song", song.key)])


def _unlike(one: Candidate, other: Candidate) -> int:
    """How much two songs differ; a factor weighs more than the block, which is the last."""
    differ = [first != second for first, second in zip(one.like, other.like, strict=True)]
    return 1_000 * sum(differ[:-1]) + sum(differ[-1:])
