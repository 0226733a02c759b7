"""The page of a report as static HTML blocks. No I/O."""

import math
from collections.abc import Sequence
from typing import Any

from musicapi_nb import markup
from musicapi_nb._report.figures import Figures
from musicapi_nb._report.interval_plot import axis_labels, axis_of, interval_plot
from musicapi_nb._report.numbers import NumberFormat, p_text
from musicapi_nb._report.outcomes import BLIND_TEST, ReportOutcome
from musicapi_nb._report.verdicts import HEADINGS, Verdict, VerdictKind, number_format, plain
from musicapi_nb.markup import Html
from musicapi_nb.markup.escape import element

_TONES: dict[VerdictKind, markup.Tone] = {
    "difference": "good",
    "no difference": "info",
    "not decided": "warn",
    "no data": "neutral",
}
_HEADING = "margin:6px 0 0;font-size:16px;font-weight:600;line-height:1.3"
_LABEL = "width:96px;word-wrap:break-word"
_NUMBERS = "text-align:right;white-space:nowrap"
_HALF = 0.5
_SENTENCES = 2_000  # characters
LEGEND = (
    "Dot: estimate. Bar: 95 % interval. Line: no difference. Grey: differences too small to be "
    "found with 80 % chance."
)


def summary_card(title: str, facts: str, verdicts: Sequence[Verdict]) -> Html:
    """Return the card at the top: what is decided, what is not, and what has no data."""
    blocks = []
    for kind, heading in HEADINGS.items():
        texts = [verdict.text for verdict in verdicts if verdict.kind == kind]
        if texts:
            head = element("div", heading, style="font-weight:600")
            lines = [
                element("div", markup.text(text, _SENTENCES), style="margin:4px 0 0")
                for text in texts
            ]
            blocks.append(markup.notice(markup.join(head, *lines), _TONES[kind]))
    return markup.card(title, *blocks, facts=facts, wide=True)


def factor_section(
    factor: str, figures: Figures, outcomes: Sequence[ReportOutcome], verdicts: Sequence[Verdict]
) -> Html:
    """Return the heading of a factor and a card for each of its outcomes with data."""
    by_outcome = {verdict.outcome: verdict for verdict in verdicts if verdict.factor == factor}
    cards = []
    for outcome in outcomes:
        rows = figures.rows.get((factor, outcome.name), [])
        verdict = by_outcome.get(outcome.name)
        if any(row["baseline"] is not None for row in rows) and verdict is not None:
            cards.append(_outcome_card(outcome, rows, verdict))
    if not cards:
        return markup.EMPTY
    levels = ", ".join(map(plain, figures.levels[factor]))
    heading = element("h2", markup.text(plain(factor)), style=_HEADING)
    return markup.stack(
        heading,
        markup.caption(f"{len(figures.levels[factor])} levels: {levels}"),
        markup.cards(cards),
    )


def _outcome_card(outcome: ReportOutcome, rows: list[dict[str, Any]], verdict: Verdict) -> Html:
    form = number_format(outcome, rows)
    levels = [row for row in rows if row["baseline"] is None]
    comparisons = [row for row in rows if row["baseline"] is not None]
    missing = sum(row["missing_songs"] or 0 for row in levels)
    without = f"{markup.plural(missing, 'song')} without a value" if missing else None
    return markup.card(
        outcome.title,
        markup.text(verdict.sentence, _SENTENCES),
        _level_table(outcome, levels, form),
        _comparison_table(comparisons, form),
        facts=markup.facts(outcome.detail, without),
        badges=[markup.badge(verdict.kind, _TONES[verdict.kind])],
    )


def _level_table(outcome: ReportOutcome, rows: list[dict[str, Any]], form: NumberFormat) -> Html:
    values = [row[name] for row in rows for name in ("estimate", "low", "high")]
    axis = axis_of(values, 0.0, 1.0) if outcome.is_share else axis_of(values)
    reference = _HALF if outcome is BLIND_TEST else None
    lines = [
        (
            _label(plain(row["level"]), _sizes(outcome, row)),
            interval_plot(axis, row["estimate"], (row["low"], row["high"]), reference=reference),
            _numbers(form.value(row["estimate"]), _interval(form, row["low"], row["high"])),
        )
        for row in rows
    ]
    ends = axis_labels(form.value(axis.low), form.value(axis.high))
    return markup.table(("level", ends, _numbers(outcome.unit)), lines, row_heads=True)


def _comparison_table(rows: list[dict[str, Any]], form: NumberFormat) -> Html:
    names = ("estimate", "joint_low", "joint_high")
    values = [row[name] for row in rows for name in names if math.isfinite(row[name])]
    widest = max(map(abs, values), default=1.0) or 1.0
    bands = [min(row["detectable"], 1.5 * widest) for row in rows]
    bands = [band for band in bands if math.isfinite(band)]
    axis = axis_of([*values, 0.0, *bands, *(-band for band in bands)])
    lines = [
        (
            _label(f"{plain(row['level'])} against {plain(row['baseline'])}", ""),
            interval_plot(
                axis,
                row["estimate"],
                (row["joint_low"], row["joint_high"]),
                reference=0.0,
                band=row["detectable"],
            ),
            _numbers(
                form.signed(row["estimate"]),
                _interval(form, row["joint_low"], row["joint_high"]),
                "" if math.isnan(row["p_adjusted"]) else p_text(row["p_adjusted"]),
            ),
        )
        for row in rows
    ]
    ends = axis_labels(form.signed(axis.low), form.signed(axis.high))
    unit = _numbers("points" if form.is_share else form.difference_unit)
    return markup.table(("difference", ends, unit), lines, row_heads=True)


def _interval(form: NumberFormat, low: float, high: float) -> str:
    return "" if math.isnan(low) or math.isnan(high) else form.interval(low, high)


def _label(name: str, detail: str) -> Html:
    parts = [markup.text(name)]
    if detail:
        parts.append(element("div", markup.muted(detail)))
    return element("div", *parts, style=_LABEL)


def _sizes(outcome: ReportOutcome, row: dict[str, Any]) -> str:
    """Return the numbers behind an estimate."""
    tasks = markup.plural(row["tasks"], "task")
    if outcome.table == "requests":
        return tasks
    return f"{markup.plural(row['songs'], 'answer' if outcome is BLIND_TEST else 'song')}, {tasks}"


def _numbers(first: str, *others: str) -> Html:
    """Stack figures, aligned right; all but the first are muted."""
    lines = [element("div", markup.muted(text)) for text in others if text]
    return element("div", markup.text(first), *lines, style=_NUMBERS)


def origin_card(facts: Sequence[tuple[str, str]]) -> Html:
    """Return what the page is about and how it was computed, to repeat it."""
    return markup.card(
        "About this report",
        markup.caption(LEGEND),
        markup.table(("fact", "value"), facts, row_heads=True),
        wide=True,
    )
