"""The card and the one-line text of an experiment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from musicapi_nb import markup
from musicapi_nb.experiment.progress import Progress, RunState
from musicapi_nb.library import EntryState
from musicapi_nb.library.html import STATE_TONES, count_texts, state_label

_TONES: Mapping[EntryState, markup.Tone] = {**STATE_TONES, "not_run": "warn"}
_STATES: Mapping[RunState, str] = {"new": "not started", "ended": "finished"}
_BOUGHT: tuple[EntryState, ...] = ("accepted", "done", "uncertain")
_UNBOUGHT: tuple[EntryState, ...] = ("accepted", "planned", "not_run", "refused")


def line(progress: Progress) -> str:
    """Return the experiment in one line of text."""
    counts = ", ".join(count_texts(progress.counts))
    reason = "" if progress.state == "cancelled" else progress.stop_reason or ""
    parts = (_state(progress), counts or "no requests", _credits(progress), reason)
    text = "; ".join(part for part in parts if part)
    return markup.one_line(f"<Experiment {progress.name}: {text}>")


def card(progress: Progress, problems: list[str], outside_plan: int) -> markup.Html:
    """Return the experiment as a card.

    `problems` are those of its plan; `outside_plan` counts purchases that belong to an earlier
    plan of the same name.
    """
    badges = [
        markup.badge(f"{count:,} {state_label(state)}", _TONES.get(state, "neutral"))
        for state, count in progress.counts.items()
    ]
    share = progress.finished / progress.cells if progress.cells else 1.0
    text = f"{progress.finished:,} of {progress.cells:,}"
    text += f" · {markup.format_duration(progress.seconds)}"
    text += f" · {progress.eta}" if progress.eta and str(progress.eta) else ""
    return markup.card(
        f"Experiment {progress.name}",
        markup.progress(share, text) if progress.state != "new" else markup.EMPTY,
        markup.stack(*map(markup.caption, (_credits(progress), " · ".join(_figures(progress))))),
        *(markup.notice(problem, "bad") for problem in problems),
        _stop_notice(progress),
        _failures(progress),
        markup.caption(_earlier_plan(outside_plan)) if outside_plan else markup.EMPTY,
        markup.stack(*(markup.caption(hint) for hint in _next_steps(progress))),
        facts=markup.text(_state(progress)),
        badges=badges,
        wide=True,
    )


def _state(progress: Progress) -> str:
    if progress.state in {"new", "ended"} and progress.counts.get("done") == progress.cells:
        return "complete"
    return _STATES.get(progress.state, progress.state)


def _credits(progress: Progress) -> str:
    """Return the credits in words; those of the budget add up to it."""
    if progress.budget is None or progress.remaining is None:
        text = f"{markup.format_credits(progress.spent)} spent"
        return text + (f", {progress.reserved:,} on hold" if progress.reserved else "")
    use = [f"{progress.budget_spent:,} spent"]
    use += [f"{progress.budget_held:,} on hold"] if progress.budget_held else []
    use += [f"{progress.budget_other:,} by an earlier plan"] if progress.budget_other else []
    text = f"budget of {progress.budget:,}: {', '.join(use)}, {progress.remaining:,} left"
    before = progress.spent + progress.reserved - progress.budget_spent - progress.budget_held
    return text + (f" · paid before: {before:,}" if before > 0 else "")


def _figures(progress: Progress) -> Iterator[str]:
    if progress.from_library:
        were = "was" if progress.from_library == 1 else "were"
        yield f"{progress.from_library:,} of {progress.cells:,} {were} already paid"
    if progress.state != "new" and progress.blocks > 1:
        current = min(progress.blocks_done + 1, progress.blocks)
        yield f"round {current:,} of {progress.blocks:,}"
    if progress.started is not None:
        yield f"paid now: {progress.bought:,}"
        yield f"started {markup.format_local_time(progress.started)}"


def _earlier_plan(count: int) -> str:
    purchases = markup.plural(count, "purchase")
    verb = "belongs" if count == 1 else "belong"
    return f"{purchases} of this name {verb} to an earlier plan: in the library, not counted here."


def _stop_notice(progress: Progress) -> markup.Html:
    if not progress.stop_reason or progress.finished == progress.cells:
        return markup.EMPTY
    reason = "it was cancelled" if progress.state == "cancelled" else progress.stop_reason
    return markup.notice(f"Not all requests were sent: {reason}.", "warn")


def _failures(progress: Progress) -> markup.Html:
    """List the latest failures, except those with the reason in the notice."""
    rows = [
        (failure.cell, state_label(failure.state), failure.reason)
        for failure in progress.failures
        if failure.reason != progress.stop_reason
    ]
    if not rows:
        return markup.EMPTY
    caption = "Not made yet or failed, newest first"
    return markup.table(("request", "state", "reason"), rows, caption=caption)


def _next_steps(progress: Progress) -> Iterator[str]:
    counts = progress.counts
    if progress.state == "new":
        bought = sum(counts.get(state, 0) for state in _BOUGHT)
        if bought < progress.cells:
            if bought:
                yield f"{markup.plural(bought, 'request')} already paid: nothing more to pay for."
            yield "Nothing is sent until you start it."
            return
    if progress.state == "paused":
        yield "No new songs are bought; songs already bought are waited for. resume() continues."
    if counts.get("uncertain"):
        yield ("Uncertain requests may have been charged: run.failures() says how to settle each.")
    if progress.state in {"running", "paused"}:
        return
    if any(counts.get(state) for state in _UNBOUGHT):
        yield "Start it again for the rest: what is paid costs nothing more."
    if counts.get("failed"):
        yield "run.failures() says why requests failed, and which are bought again."
    if counts.get("done"):
        yield "Next: run.songs() · api.gallery(run)"
