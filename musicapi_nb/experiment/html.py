"""The card and the one-line text of an experiment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from musicapi_nb import markup
from musicapi_nb.experiment.progress import Progress, RunState
from musicapi_nb.library import EntryState
from musicapi_nb.library.html import STATE_TONES

_TONES: Mapping[EntryState, markup.Tone] = {**STATE_TONES, "not_run": "warn"}
_LABELS: Mapping[EntryState, str] = {
    "planned": "waiting",
    "accepted": "rendering",
    "not_run": "not run",
}
_BOUGHT: tuple[EntryState, ...] = ("accepted", "done", "uncertain")
_UNBOUGHT: tuple[EntryState, ...] = ("accepted", "planned", "not_run", "refused")
_EARLIER_PLAN = (
    "{:,} purchases of this name belong to an earlier plan: they stay in the library and are not "
    "counted here."
)


def line(progress: Progress) -> str:
    """Return the experiment in one line of text."""
    counts = ", ".join(f"{count:,} {_label(state)}" for state, count in progress.counts.items())
    reason = "" if progress.state == "cancelled" else progress.stop_reason or ""
    parts = (_state(progress.state), counts or "no cells", _credits(progress), reason)
    text = "; ".join(part for part in parts if part)
    return markup.one_line(f"<Experiment {progress.name}: {text}>")


def card(progress: Progress, problems: list[str], outside_plan: int) -> markup.Html:
    """Return the experiment as a card.

    `problems` are those of its plan; `outside_plan` counts purchases that belong to an earlier
    plan of the same name.
    """
    badges = [
        markup.badge(f"{count:,} {_label(state)}", _TONES.get(state, "neutral"))
        for state, count in progress.counts.items()
    ]
    share = progress.finished / progress.cells if progress.cells else 1.0
    elapsed = f"{markup.format_duration(progress.seconds)} elapsed"
    text = f"{progress.finished:,} of {progress.cells:,} cells, {elapsed}"
    text += f", {progress.eta}" if progress.eta and str(progress.eta) else ""
    return markup.card(
        f"Experiment {progress.name}",
        markup.progress(share, text) if progress.state != "new" else markup.EMPTY,
        markup.caption(*_figures(progress)),
        *(markup.notice(problem, "bad") for problem in problems),
        _stop_notice(progress),
        _failures(progress),
        markup.caption(_EARLIER_PLAN.format(outside_plan)) if outside_plan else markup.EMPTY,
        markup.stack(*(markup.caption(hint) for hint in _next_steps(progress))),
        facts=markup.text(_state(progress.state)),
        badges=badges,
        wide=True,
    )


def _state(state: RunState) -> str:
    return "not started" if state == "new" else state


def _label(state: EntryState) -> str:
    return _LABELS.get(state, state)


def _credits(progress: Progress) -> str:
    parts = [f"{progress.spent:,} credits spent"]
    parts += [f"{progress.reserved:,} reserved"] if progress.reserved else []
    if progress.budget is not None and progress.remaining is not None:
        parts.append(f"{progress.remaining:,} of the budget of {progress.budget:,} left")
    return ", ".join(parts)


def _figures(progress: Progress) -> Iterator[str]:
    yield _credits(progress)
    if progress.state != "new":
        yield f"{progress.blocks_done} of {progress.blocks} blocks finished"
    if progress.from_library:
        yield f"{progress.from_library:,} cells bought earlier"
    if progress.started is not None:
        yield f"this run: {markup.format_credits(progress.bought)}"
        yield f"since {markup.format_datetime(progress.started)} UTC"


def _stop_notice(progress: Progress) -> markup.Html:
    if not progress.stop_reason or progress.finished == progress.cells:
        return markup.EMPTY
    reason = "it was cancelled" if progress.state == "cancelled" else progress.stop_reason
    return markup.notice(f"Not all cells were run: {reason}.", "warn")


def _failures(progress: Progress) -> markup.Html:
    """List the latest failures, except those with the reason that the notice already gives."""
    rows = [
        (failure.cell, _label(failure.state), failure.reason)
        for failure in progress.failures
        if failure.reason != progress.stop_reason
    ]
    if not rows:
        return markup.EMPTY
    caption = "Cells without songs, newest first"
    return markup.table(("cell", "state", "reason"), rows, caption=caption)


def _next_steps(progress: Progress) -> Iterator[str]:
    counts = progress.counts
    if progress.state == "new":
        bought = sum(counts.get(state, 0) for state in _BOUGHT)
        if bought:
            yield (
                f"{bought:,} cells were bought earlier: they cost nothing more, but the dry run "
                "counts them."
            )
        yield "Nothing is sent until you start it."
        return
    if progress.state == "paused":
        yield "No new songs are bought; songs already bought are waited for. resume() continues."
    if counts.get("uncertain"):
        yield "Uncertain cells may have cost credits: failures() shows how to settle each."
    if progress.state in {"running", "paused"}:
        return
    if any(counts.get(state) for state in _UNBOUGHT):
        yield "Run it again to continue: cells already bought cost nothing."
    if counts.get("failed"):
        yield "failures() shows why cells failed, and which will be bought again."
    if counts.get("done"):
        yield "Tables: songs(), tags(), replaced_tags(), durations()."
