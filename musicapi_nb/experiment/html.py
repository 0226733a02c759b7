"""How an experiment shows itself: a bar, counts, credits, blocks, failures, what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from musicapi_nb import markup

if TYPE_CHECKING:
    from musicapi_nb.experiment.progress import Progress, RunState
    from musicapi_nb.library import EntryState

_TONES: Mapping[EntryState, markup.Tone] = {
    "uncertain": "warn",
    "failed": "bad",
    "refused": "bad",
    "done": "good",
    "accepted": "info",
    "sending": "info",
    "not_run": "warn",
}
_WORDS: Mapping[EntryState, str] = {
    "planned": "waiting",
    "accepted": "being made",
    "not_run": "not run",
}
_BOUGHT: tuple[EntryState, ...] = ("accepted", "done", "uncertain")
_STATES: Mapping[RunState, str] = {
    "new": "not started",
    "running": "running",
    "paused": "paused",
    "ended": "ended",
    "stopped": "stopped",
    "cancelled": "cancelled",
}


def line(seen: Progress) -> str:
    """The experiment in one line."""
    counts = ", ".join(f"{number:,} {_word(state)}" for state, number in seen.counts.items())
    why = "" if seen.state == "cancelled" else seen.stop_reason or ""
    words = (_STATES[seen.state], counts or "no cells", _credits(seen), why)
    said = "; ".join(word for word in words if word)
    return markup.one_line(f"<Experiment {seen.name}: {said}>")


def card(seen: Progress, problems: list[str], others: int) -> markup.Html:
    """The experiment as a card; `others` are purchases of its name that the plan does not hold."""
    badges = [
        markup.badge(f"{number:,} {_word(state)}", _TONES.get(state, "neutral"))
        for state, number in seen.counts.items()
    ]
    share = seen.finished / seen.cells if seen.cells else 1.0
    so_far = (
        f"{seen.finished:,} of {seen.cells:,} cells, {markup.format_duration(seen.seconds)} so far"
    )
    so_far += f", {seen.eta}" if seen.eta and str(seen.eta) else ""
    return markup.card(
        f"Experiment {seen.name}",
        markup.progress(share, so_far) if seen.state != "new" else markup.EMPTY,
        markup.caption(*_figures(seen)),
        *(markup.notice(words, "bad") for words in problems),
        _not_all(seen),
        _failures(seen),
        markup.caption(_changed(others)) if others else markup.EMPTY,
        markup.stack(*(markup.caption(words) for words in _next(seen))),
        facts=markup.text(_STATES[seen.state]),
        badges=badges,
        wide=True,
    )


def _word(state: EntryState) -> str:
    return _WORDS.get(state, state)


def _credits(seen: Progress) -> str:
    parts = [f"{seen.spent:,} credits spent"]
    parts += [f"{seen.reserved:,} reserved"] if seen.reserved else []
    if seen.budget is not None and seen.remaining is not None:
        parts.append(f"{seen.remaining:,} of the budget of {seen.budget:,} left")
    return ", ".join(parts)


def _figures(seen: Progress) -> Iterator[str]:
    yield _credits(seen)
    if seen.state != "new":
        yield f"{seen.blocks_done} of {seen.blocks} blocks ended"
    if seen.from_library:
        yield f"{seen.from_library:,} cells had been bought before"
    if seen.started is not None:
        yield f"this run: {markup.format_credits(seen.bought)}"
        yield f"since {markup.format_datetime(seen.started)} UTC"


def _not_all(seen: Progress) -> markup.Html:
    if not seen.stop_reason or seen.finished == seen.cells:
        return markup.EMPTY
    words = "it was cancelled" if seen.state == "cancelled" else seen.stop_reason
    return markup.notice(f"Not all was run: {words}.", "warn")


def _failures(seen: Progress) -> markup.Html:
    """The cells that have a reason of their own: that of all others is told once."""
    rows = [
        (each.cell, _word(each.state), each.reason)
        for each in seen.failures
        if each.reason != seen.stop_reason
    ]
    if not rows:
        return markup.EMPTY
    return markup.table(("cell", "state", "why"), rows, caption="Without songs, the latest first")


def _changed(others: int) -> str:
    return (
        f"{others:,} purchases of this name are not in this plan: they were bought for an earlier "
        "one, stay in the library, and are in none of these figures."
    )


def _next(seen: Progress) -> Iterator[str]:
    if seen.state == "new":
        bought = sum(seen.counts.get(state, 0) for state in _BOUGHT)
        if bought:
            yield f"{bought:,} cells were bought before: they cost nothing, but are in the dry run."
        yield "Nothing is sent before it is started."
        return
    if seen.state == "paused":
        yield "Nothing new is bought; what was bought is waited for. resume() goes on."
    if seen.counts.get("uncertain"):
        yield "Uncertain cells may have cost credits: failures() tells how to settle each."
    if seen.state in {"running", "paused"}:
        return
    if any(seen.counts.get(state) for state in ("accepted", "planned", "not_run", "refused")):
        yield "Run it again to go on: what was bought costs nothing then."
    if seen.counts.get("failed"):
        yield "failures() tells why cells failed, and which are bought again."
    if seen.counts.get("done"):
        yield "songs(), tags(), replaced_tags(), durations() are its tables."
