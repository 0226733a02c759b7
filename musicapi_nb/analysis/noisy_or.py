"""Which lost tag became which new one, and which tag brought which along: estimated over songs.

The service tells what stood before and after a step, not what became of what. The model: each tag
of the source is kept, dropped, or rewritten as one other tag; each tag of the source, whatever its
fate, may bring others along; and any tag may come from nothing. All of these happen independently
with a chance for each (step, tag, other tag), so a new tag is a noisy-or of its possible causes.
The chances are fitted by expectation and maximisation (Dempster, Laird and Rubin, J. R. Stat. Soc.
B 39, 1977). What all songs say alike cannot be told apart: then words that are shared decide, then
that a lost tag is rather rewritten than another one brought along, and that anything has a cause.
That is done by where the fit starts: at first only rewritings are fitted, so that a lost tag finds
what comes most often in its place, then what kept tags bring along, then all. A tag
has few effects: half an occurrence is taken from each in every round (a Dirichlet prior of 1/2),
and a whole one from what comes from nothing, so that what has no evidence of its own vanishes.

A new tag made of words of a lost one alone ("jazz" of "spy jazz"), or of its letters ("lofi" of
"lo-fi"), is what that one became, with no estimate; so one lost tag may have become several.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from musicapi_nb.analysis.clusters import sum_by_code
from musicapi_nb.tasks.tags import match_key

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_EARLY, _ROUNDS, _CLOSE, _TINY = (10, 30), 500, 1e-5, 1e-12
_REWRITTEN, _REWRITTEN_SHARED = 0.3, 0.6
_ADDED, _ADDED_SHARED = 0.05, 0.1
_ADDED_BY_LOST = 0.001
_FROM_NOTHING = 0.01
_LESS, _LESS_FROM_NOTHING, _ONCE = 0.5, 1.0, 0.1


class Event(NamedTuple):
    """One song's tags before and after one step; neither with repeats."""

    step: int
    before: tuple[str, ...]
    after: tuple[str, ...]


class Attribution(NamedTuple):
    """What happened, row by row: the event, and the chance that it did happen in it.

    `source` and `target` are numbers of words, -1 for nothing.
    """

    event: Ints
    source: Ints
    target: Ints
    chance: Floats


class Attributions(NamedTuple):
    """Words by number, and what became of the tags of all events."""

    words: list[str]
    kept: Attribution
    rewritten: Attribution
    dropped: Attribution
    added: Attribution


class _Pairs(NamedTuple):
    """Possible causes of new tags: of which event, which word, which slot (a new tag of it)."""

    event: Ints
    source: Ints
    slot: Ints


class _Slots(NamedTuple):
    event: Ints
    target: Ints


class _Laid(NamedTuple):
    words: list[str]
    kept: list[tuple[int, int]]
    lost: list[tuple[int, int, bool]]
    slots: _Slots
    rewriting: _Pairs
    broken: _Pairs
    bringing: _Pairs


def attribute(events: Sequence[Event], weight: Floats) -> Attributions:
    """Tell what became of the tags of each event; `weight` is how often each occurred."""
    laid = _laid(events)
    step = np.array([event.step for event in events], dtype=np.int64)
    fit = _Fit(laid, step, weight, _opportunities(events, laid, weight))
    for rounds in _EARLY:
        for _ in range(rounds):
            fit.round()
        fit.grow_up()
    for _ in range(_ROUNDS):
        if fit.round() < _CLOSE:
            break
    target = laid.slots.target
    broken = _told(laid.broken, target, np.ones(len(laid.broken.slot)))
    rewritten = _told(laid.rewriting, target, fit.became)
    brought = _told(laid.bringing, target, fit.brought)
    nothing = Attribution(
        laid.slots.event, np.full(len(target), -1, dtype=np.int64), target, fit.nothing
    )
    event, source = _columns(laid.kept, 2)
    gone_event, gone, _ = _columns(laid.lost, 3)
    return Attributions(
        laid.words,
        Attribution(event, source, source, np.ones(len(event))),
        _both(broken, rewritten),
        Attribution(gone_event, gone, np.full(len(gone), -1, dtype=np.int64), fit.dropped),
        _both(brought, nothing),
    )


def _told(pairs: _Pairs, target: Ints, chance: Floats) -> Attribution:
    return Attribution(pairs.event, pairs.source, target[pairs.slot], chance)


def _both(one: Attribution, other: Attribution) -> Attribution:
    return Attribution(*(np.concatenate(each) for each in zip(one, other, strict=True)))


def _columns(rows: Sequence[tuple[int, ...]], width: int) -> tuple[Ints, ...]:
    return tuple(np.array(rows, dtype=np.int64).reshape(-1, width).T)


# --- laying out -----------------------------------------------------------------------------


def _laid(events: Sequence[Event]) -> _Laid:
    numbers: dict[str, int] = {}
    kept: list[tuple[int, int]] = []
    lost: list[tuple[int, int, bool]] = []
    slots: list[tuple[int, int]] = []
    rewriting: list[tuple[int, int, int]] = []
    broken: list[tuple[int, int, int]] = []
    bringing: list[tuple[int, int, int]] = []
    for at, event in enumerate(events):
        before = [numbers.setdefault(word, len(numbers)) for word in event.before]
        after, was = set(event.after), set(event.before)
        come = [word for word in event.after if word not in was]
        new = list(enumerate(come, start=len(slots)))
        slots += [(at, numbers.setdefault(word, len(numbers))) for _, word in new]
        bringing += [(at, source, slot) for source in before for slot, _ in new]
        for source, word in zip(before, event.before, strict=True):
            if word in after:
                kept.append((at, source))
                continue
            parts = [slot for slot, other in new if _is_of(other, word)]
            broken += [(at, source, slot) for slot in parts]
            if not parts:
                rewriting += [(at, source, slot) for slot, _ in new]
            lost.append((at, source, bool(parts)))
    return _Laid(
        list(numbers),
        kept,
        lost,
        _Slots(*_columns(slots, 2)),
        _Pairs(*_columns(rewriting, 3)),
        _Pairs(*_columns(broken, 3)),
        _Pairs(*_columns(bringing, 3)),
    )


def _is_of(word: str, whole: str) -> bool:
    """Whether it is made of words of the other alone, or is that one in another spelling."""
    return set(match_key(word).split()) < set(match_key(whole).split()) or _joined(word) == _joined(
        whole
    )


def _joined(word: str) -> str:
    return match_key(word).replace(" ", "")


def _shares(words: Sequence[str], one: Ints, other: Ints) -> NDArray[np.bool_]:
    parts = [set(match_key(word).split()) for word in words]
    alike = [bool(parts[a] & parts[b]) for a, b in zip(one.tolist(), other.tolist(), strict=True)]
    return np.array(alike, dtype=bool)


# --- fitting --------------------------------------------------------------------------------


class _Opportunities(NamedTuple):
    """How often each pair could have brought its slot's tag, also if kept, and so for nothing."""

    bringing: Floats
    kept: Floats
    nothing: Floats


def _opportunities(events: Sequence[Event], laid: _Laid, weight: Floats) -> _Opportunities:
    """A tag that stood in the source already can not be seen to come."""
    numbers = {word: at for at, word in enumerate(laid.words)}
    # of a step, of a tag in it (whether kept or not, or kept), of two tags together
    times: defaultdict[tuple[int, ...], float] = defaultdict(float)
    for event, often in zip(events, weight.tolist(), strict=True):
        own, after = [numbers[word] for word in event.before], set(event.after)
        times[event.step,] += often
        for one, word in zip(own, event.before, strict=True):
            for kept in (0, 1) if word in after else (0,):
                times[event.step, kept, one] += often
                for other in own:
                    times[event.step, kept, one, other] += often
    step = [event.step for event in events]
    target = laid.slots.target.tolist()
    bringing, kept_bringing = (
        [
            times[step[at], kept, source] - times.get((step[at], kept, source, target[slot]), 0.0)
            for at, source, slot in zip(*(each.tolist() for each in laid.bringing), strict=True)
        ]
        for kept in (0, 1)
    )
    nothing = [
        times[step[at],] - times.get((step[at], 0, target[slot]), 0.0)
        for slot, at in enumerate(laid.slots.event.tolist())
    ]
    return _Opportunities(*(np.array(each, float) for each in (bringing, kept_bringing, nothing)))


def _numbered(*columns: Ints) -> tuple[int, Ints]:
    """Number what is equal in all columns: how many there are, and which is where."""
    code = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        low = int(column.min(initial=0))
        code = code * (int(column.max(initial=0)) - low + 1) + column - low
    found, at = np.unique(code, return_inverse=True)
    return len(found), at.astype(np.int64)


def _doubted(times: Floats) -> Floats:
    """How far what could be seen so often can be doubted: hardly, if that was once."""
    return np.maximum(1 - 1 / np.maximum(times, 1.0), _ONCE)


class _Chances:
    """The chances of one kind of cause, one for each (step, source, target)."""

    def __init__(self, number: int, at: Ints, start: Floats) -> None:
        self.number, self.at = number, at
        self.values = np.zeros(number)
        self.values[at] = start

    def here(self) -> Floats:
        return self.values[self.at]

    def move(self, weight: Floats, chance: Floats, of: Floats, less: float = 0.0) -> float:
        """Take the mean of what was found for the new value; return how far it is."""
        whole = np.zeros(self.number)
        whole[self.at] = of
        counts = sum_by_code(self.at, weight * chance, self.number) - less * _doubted(whole)
        new = np.clip(counts / np.maximum(whole, _TINY), 0.0, 1.0)
        far = float(np.abs(new - self.values).max(initial=0.0))
        self.values = new
        return far


class _Fit:
    """The chances, and what they say of each event; `round` betters both."""

    def __init__(self, laid: _Laid, step: Ints, weight: Floats, times: _Opportunities) -> None:
        slots, rewriting, bringing = laid.slots, laid.rewriting, laid.bringing
        self.slots, self.rewriting, self.bringing, self.times = slots, rewriting, bringing, times
        self.weight = weight
        target = slots.target
        alike = _shares(laid.words, rewriting.source, target[rewriting.slot])
        self.rewrite = _Chances(
            *_numbered(step[rewriting.event], rewriting.source, target[rewriting.slot]),
            np.where(alike, _REWRITTEN_SHARED, _REWRITTEN),
        )
        alike = _shares(laid.words, bringing.source, target[bringing.slot])
        self.bring = _Chances(
            *_numbered(step[bringing.event], bringing.source, target[bringing.slot]),
            np.where(alike, _ADDED_SHARED, _ADDED),
        )
        self.none = _Chances(
            *_numbered(step[slots.event], target), np.full(len(target), _FROM_NOTHING)
        )
        self._lay_lost(laid, step)
        lost = np.isin(
            bringing.event * len(laid.words) + bringing.source,
            self.lost_event * len(laid.words) + self.lost_source,
        )
        self.may_bring = np.where(lost, 0.0, 1.0)
        self.age = 0
        self.settled = np.zeros(len(target), dtype=bool)
        self.settled[laid.broken.slot] = True
        self.became = np.zeros(len(rewriting.slot))
        self.brought = np.zeros(len(bringing.slot))
        self.nothing = np.zeros(len(target))

    def _lay_lost(self, laid: _Laid, step: Ints) -> None:
        """Lost tags that are to be explained: which rows are whose, and how often each is lost."""
        event, source, parts = _columns(laid.lost, 3)
        self.open = parts == 0
        width = len(laid.words) + 1
        place = {code: at for at, code in enumerate((event * width + source).tolist())}
        codes = self.rewriting.event * width + self.rewriting.source
        # which row of the lost, and which (step, lost tag), each possible rewriting is of
        self.whose = np.array([place[code] for code in codes.tolist()], dtype=np.int64)
        self.losses, self.loss = _numbered(step[event], source)
        self.lost_event, self.lost_source = event, source
        weight = self.weight[event] * self.open
        self.lost = sum_by_code(self.loss, weight, self.losses)
        self.drop = np.full(self.losses, 0.3)
        self.dropped = np.zeros(len(event))
        self.group = np.zeros(self.rewrite.number, dtype=np.int64)
        self.group[self.rewrite.at] = self.loss[self.whose]

    def grow_up(self) -> None:
        """Let more be fitted: first what kept tags bring, then what lost ones do, and nothing."""
        self.age += 1
        if self.age > 1:
            self.may_bring[:] = 1.0
            self.bring.values = np.maximum(self.bring.values, _ADDED_BY_LOST)

    def round(self) -> float:
        """One step of expectation and maximisation; how far the chances moved."""
        size = len(self.slots.target)
        rewrite, bring = self.rewrite.here(), self.bring.here() * self.may_bring
        none = np.maximum(self.none.here(), _TINY)
        off = sum_by_code(self.bringing.slot, np.log1p(-np.minimum(bring, 1 - _TINY)), size)
        off += np.log1p(-np.minimum(none, 1 - _TINY))
        self._fates(rewrite, off)
        unexplained = sum_by_code(
            self.rewriting.slot, np.log1p(-np.minimum(self.became, 1 - _TINY)), size
        )
        explained = np.where(self.settled, 1.0, -np.expm1(unexplained))
        alone = (1 - explained) / np.maximum(-np.expm1(off), _TINY)
        # what is explained was brought along besides as often as ever, but never from nothing
        self.brought = np.minimum(bring * (alone + explained)[self.bringing.slot], 1.0)
        self.nothing = np.minimum(none * alone, 1.0)
        return self._moved()

    def _fates(self, rewrite: Floats, off: Floats) -> None:
        """What became of each lost tag: the chance of each new tag, and of nothing."""
        slot = self.rewriting.slot
        stay = np.log1p(-np.minimum(rewrite, 1 - _TINY))
        others = off[slot] + sum_by_code(slot, stay, len(off))[slot] - stay
        odds = rewrite / np.maximum(-np.expm1(others), _TINY)
        drop = self.drop[self.loss]
        total = np.maximum(drop + sum_by_code(self.whose, odds, len(drop)), _TINY)
        self.became = odds / total[self.whose]
        self.dropped = np.where(self.open, drop / total, 0.0)

    def _moved(self) -> float:
        weight = self.weight
        far = [self._rewritten()]
        if self.age > 0:
            times = self.times.kept if self.age == 1 else self.times.bringing
            brought = weight[self.bringing.event], self.brought, times
            far.append(self.bring.move(*brought, _LESS))
        if self.age > 1:
            nothing = weight[self.slots.event], self.nothing, self.times.nothing
            far.append(self.none.move(*nothing, _LESS_FROM_NOTHING))
        return max(far)

    def _rewritten(self) -> float:
        """New chances of each fate of a lost tag; they sum to 1."""
        less = _LESS * _doubted(self.lost)
        chance = self.weight[self.rewriting.event] * self.became
        counts = sum_by_code(self.rewrite.at, chance, self.rewrite.number)
        counts = np.maximum(counts - less[self.group], 0.0)
        gone = sum_by_code(self.loss, self.weight[self.lost_event] * self.dropped, self.losses)
        every = gone + sum_by_code(self.group, counts, self.losses)
        self.drop = np.where(every > 0, gone / np.maximum(every, _TINY), 1.0)
        new = counts / np.maximum(every, _TINY)[self.group]
        far = float(np.abs(new - self.rewrite.values).max(initial=0.0))
        self.rewrite.values = new
        return far
