"""The repr and HTML card of a library: uncertain purchases first, then counts, credits, size."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence

from musicapi_nb import markup
from musicapi_nb.ledger_types import Entry, EntryState
from musicapi_nb.library.media_files import FileNote
from musicapi_nb.library.totals import Account

_MAX_ROWS = 20
STATE_TONES: Mapping[EntryState, markup.Tone] = {
    "uncertain": "warn",
    "failed": "bad",
    "refused": "bad",
    "done": "good",
    "accepted": "info",
    "sending": "info",
    "reposting": "info",
}
_HOW_TO_RESOLVE = """\
{number} uncertain: the reply was lost and the credits may have been charged. Uncertain purchases \
are never sent again automatically. Resolve {which} with what you know:
library.resolve({entry}, task_id='...') if you have the task's id;
library.resolve({entry}, before=..., after=...) if you have both balances;
library.resolve({entry}, charged=True), or charged=False, if you know."""


@dataclasses.dataclass(frozen=True, slots=True)
class Overview:
    """The content of a library's card. `notice` says why it cannot record purchases."""

    path: str
    counts: Mapping[EntryState, int]
    real: Account
    simulated: Account
    disk_used: int
    uncertain: Sequence[Entry]
    notice: str = ""
    file_notes: Sequence[FileNote] = ()


def format_bytes(size: int) -> str:
    """Format a size: "2.5 MB"."""
    value = float(size)
    for unit in ("bytes", "KB", "MB"):
        if value < 1000:  # noqa: PLR2004 - decimal units
            return f"{value:.3g} {unit}" if unit != "bytes" else f"{size} bytes"
        value /= 1000
    return f"{value:.3g} GB"


def line(overview: Overview) -> str:
    """Describe a library in one line."""
    states = ", ".join(f"{number} {_label(state)}" for state, number in overview.counts.items())
    size = f"{format_bytes(overview.disk_used)} on disk"
    notice = [overview.notice] if overview.notice else []
    notes = len(overview.file_notes)
    odd = [f"{notes} odd file{'' if notes == 1 else 's'}, see file_notes()"] if notes else []
    facts = (*notice, states or "empty", *_credits(overview), size, *odd)
    return markup.one_line(f"<Library {overview.path}: {'; '.join(facts)}>")


def card(overview: Overview) -> markup.Html:
    badges = [
        markup.badge(f"{number:,} {_label(state)}", STATE_TONES.get(state, "neutral"))
        for state, number in overview.counts.items()
    ]
    return markup.card(
        "Library",
        markup.notice(overview.notice, "warn") if overview.notice else markup.EMPTY,
        *_uncertain(overview),
        markup.EMPTY if overview.counts else markup.caption("No requests yet."),
        *map(markup.caption, _credits(overview)),
        *_file_notes(overview),
        facts=markup.facts(overview.path, f"{format_bytes(overview.disk_used)} on disk"),
        badges=badges,
        wide=True,
    )


def _credits(overview: Overview) -> list[str]:
    """List the credits of the service and of simulators, if either was used."""
    simulated = any(dataclasses.astuple(overview.simulated))
    real = any(dataclasses.astuple(overview.real)) or not simulated
    return [str(overview.real)] * real + [f"simulated: {overview.simulated}"] * simulated


def _uncertain(overview: Overview) -> Iterator[markup.Html]:
    if not overview.uncertain:
        return
    number = len(overview.uncertain)
    which = "it" if number == 1 else "each"
    entry = overview.uncertain[0].id
    yield markup.notice(_HOW_TO_RESOLVE.format(number=number, which=which, entry=entry), "warn")
    yield markup.table(
        ("entry", "operation", "credits", "sent", "reason"),
        [
            (
                str(entry.id),
                f"{entry.name}{' (simulated)' if entry.simulated else ''}",
                entry.price,
                None if entry.sent_at is None else dt.datetime.fromtimestamp(entry.sent_at, dt.UTC),
                entry.note,
            )
            for entry in overview.uncertain
        ],
        limit=_MAX_ROWS,
    )


def _file_notes(overview: Overview) -> Iterator[markup.Html]:
    if overview.file_notes:
        rows = [(note.song, note.media, note.note) for note in overview.file_notes]
        yield markup.table(("song", "file", "note"), rows, limit=_MAX_ROWS)


def _label(state: EntryState) -> str:
    return state.replace("_", " ")
