"""How a library shows itself: what needs a person first, then counts, credits and room."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from musicapi_nb import markup

if TYPE_CHECKING:
    from musicapi_nb.library.entry import Entry, EntryState

_SHOWN_OPEN = 20
_TONES: Mapping[EntryState, markup.Tone] = {
    "uncertain": "warn",
    "failed": "bad",
    "refused": "bad",
    "done": "good",
    "accepted": "info",
    "sending": "info",
    "reposting": "info",
}
_WHAT_TO_DO = """\
{number} uncertain: the reply was lost, so that it was perhaps charged. It is not sent again by \
itself. Settle {which} by what you know:
library.resolve({entry}, task_id='...') with the task that was made;
library.resolve({entry}, before=..., after=...) with the balance of both times;
library.resolve({entry}, charged=True), or charged=False, by your word."""


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """Credits as the ledger knows them.

    Attributes
    ----------
    spent
        Charged and not given back: done, under way, failed without a refund that anyone knows of.
    refunded
        Charged and given back.
    uncertain
        Perhaps charged.
    unpriced
        How many purchases have no known price; they are in none of the sums. What failed in one
        of several steps is among them: its note says which steps were done, and only two
        balances (`Library.resolve`) tell what was charged for those.
    """

    spent: int = 0
    refunded: int = 0
    uncertain: int = 0
    unpriced: int = 0

    def __str__(self) -> str:
        parts = [f"{self.spent:,} credits spent"]
        parts += [f"{self.refunded:,} refunded"] if self.refunded else []
        parts += [f"{self.uncertain:,} uncertain"] if self.uncertain else []
        parts += [f"{self.unpriced:,} without a known price"] if self.unpriced else []
        return ", ".join(parts)


@dataclasses.dataclass(frozen=True, slots=True)
class Overview:
    """What a library's card tells."""

    path: str
    counts: Mapping[EntryState, int]
    real: Account
    simulated: Account
    disk: int
    uncertain: Sequence[Entry]


def room(size: int) -> str:
    """Bytes in words."""
    value = float(size)
    for unit in ("bytes", "KB", "MB"):
        if value < 1000:  # noqa: PLR2004 - units are a thousand of each other
            return f"{value:.3g} {unit}" if unit != "bytes" else f"{size} bytes"
        value /= 1000
    return f"{value:.3g} GB"


def line(seen: Overview) -> str:
    """The library in one line."""
    states = ", ".join(f"{number} {_words(state)}" for state, number in seen.counts.items())
    facts = (states or "empty", *_sums(seen), f"{room(seen.disk)} on disk")
    return markup.one_line(f"<Library {seen.path}: {'; '.join(facts)}>")


def card(seen: Overview) -> markup.Html:
    badges = [
        markup.badge(f"{number:,} {_words(state)}", _TONES.get(state, "neutral"))
        for state, number in seen.counts.items()
    ]
    return markup.card(
        "Library",
        *_uncertain(seen),
        markup.EMPTY if seen.counts else markup.caption("Nothing was asked for yet."),
        *map(markup.caption, _sums(seen)),
        facts=markup.facts(seen.path, f"{room(seen.disk)} on disk"),
        badges=badges,
        wide=True,
    )


def _sums(seen: Overview) -> list[str]:
    """Credits of the service and of simulators; of the one that was not asked nothing is said."""
    simulated = any(dataclasses.astuple(seen.simulated))
    real = any(dataclasses.astuple(seen.real)) or not simulated
    return [str(seen.real)] * real + [f"simulated: {seen.simulated}"] * simulated


def _uncertain(seen: Overview) -> Iterator[markup.Html]:
    if not seen.uncertain:
        return
    number = len(seen.uncertain)
    which = "it" if number == 1 else "each"
    entry = seen.uncertain[0].id
    yield markup.notice(_WHAT_TO_DO.format(number=number, which=which, entry=entry), "warn")
    yield markup.table(
        ("entry", "what", "credits", "sent", "why"),
        [
            (
                str(entry.id),
                f"{entry.name}{' (simulated)' if entry.simulated else ''}",
                entry.price,
                _moment(entry.sent_at),
                entry.note,
            )
            for entry in seen.uncertain
        ],
        limit=_SHOWN_OPEN,
    )


def _moment(at: float | None) -> dt.datetime | None:
    return dt.datetime.fromtimestamp(at, dt.UTC) if at is not None else None


def _words(state: EntryState) -> str:
    return state.replace("_", " ")
