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
STATE_LABELS: Mapping[EntryState, str] = {
    "planned": "waiting",
    "sending": "being sent",
    "accepted": "being made",
    "reposting": "being made",
    "not_run": "not sent",
}
"""States in words for people, where the state's own name is none."""
_HOW_TO_RESOLVE = """\
{requests} may have been charged: the answer got lost. It is never sent again by itself. Tell me:
api.library.resolve({entry}, charged=True), or charged=False, if you are sure;
api.library.resolve({entry}, task_id='...') with its task id from your dashboard;
api.library.resolve({entry}, before=..., after=...) with your two balances."""
_NOT_BOUGHT: frozenset[EntryState] = frozenset({"not_run", "refused"})


def count_texts(counts: Mapping[EntryState, int]) -> list[str]:
    """Return each count with its state: "2 done", "1 not sent"."""
    return [f"{count:,} {state_label(state)}" for state, count in counts.items()]


def state_label(state: EntryState) -> str:
    """Return a state in words for people."""
    return STATE_LABELS.get(state, state)


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
    adopted: int = 0  # of the tasks, bought elsewhere


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
    states = ", ".join(count_texts(overview.counts))
    size = f"{format_bytes(overview.disk_used)} on disk"
    notice = [overview.notice] if overview.notice else []
    notes = len(overview.file_notes)
    odd = [f"{markup.plural(notes, 'odd file')}, see file_notes()"] if notes else []
    adopted = [_adopted_text(overview)] if overview.adopted else []
    facts = (*notice, states or "empty", *adopted, *_credits(overview), size, *odd)
    return markup.one_line(f"<Library {overview.path}: {'; '.join(facts)}>")


def card(overview: Overview) -> markup.Html:
    badges = [
        markup.badge(f"{number:,} {state_label(state)}", STATE_TONES.get(state, "neutral"))
        for state, number in overview.counts.items()
        if state not in _NOT_BOUGHT
    ]
    not_bought = count_texts(
        {state: number for state, number in overview.counts.items() if state in _NOT_BOUGHT}
    )
    return markup.card(
        "Library",
        markup.notice(overview.notice, "warn") if overview.notice else markup.EMPTY,
        *_uncertain(overview),
        markup.EMPTY if overview.counts else markup.caption("No requests yet."),
        *map(markup.caption, _credits(overview)),
        markup.caption(_adopted_text(overview)) if overview.adopted else markup.EMPTY,
        *_file_notes(overview),
        markup.caption(f"{', '.join(not_bought)}: never charged") if not_bought else markup.EMPTY,
        facts=markup.facts(overview.path, f"{format_bytes(overview.disk_used)} on disk"),
        badges=badges,
        wide=True,
    )


def _credits(overview: Overview) -> list[str]:
    """List the credits of the service and of simulators, if either was used."""
    simulated = any(dataclasses.astuple(overview.simulated))
    real = any(dataclasses.astuple(overview.real)) or not simulated
    return [str(overview.real)] * real + [f"simulated: {overview.simulated}"] * simulated


def _adopted_text(overview: Overview) -> str:
    return f"{overview.adopted:,} of these adopted, bought elsewhere"


def _uncertain(overview: Overview) -> Iterator[markup.Html]:
    if not overview.uncertain:
        return
    number = len(overview.uncertain)
    requests = "One request" if number == 1 else f"{number:,} requests"
    entry = overview.uncertain[0].id
    yield markup.notice(_HOW_TO_RESOLVE.format(requests=requests, entry=entry), "warn")
    yield markup.table(
        ("entry", "operation", "credits", "sent", "reason"),
        [
            (
                str(entry.id),
                f"{entry.name}{' (simulated)' if entry.simulated else ''}",
                entry.price,
                _local_time(entry.sent_at),
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


def _local_time(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return markup.format_local_time(dt.datetime.fromtimestamp(seconds, dt.UTC))
