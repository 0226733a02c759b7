"""The page of a report as static HTML blocks. No I/O."""

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from musicapi_nb import markup
from musicapi_nb._report.figures import Figures
from musicapi_nb._report.interval_plot import Axis, axis_labels, axis_of, interval_plot
from musicapi_nb._report.level_names import plain
from musicapi_nb._report.numbers import NumberFormat, p_text
from musicapi_nb._report.outcomes import BLIND_TEST, ReportOutcome
from musicapi_nb._report.verdicts import (
    HEADINGS,
    NOT_DECIDED,
    Verdict,
    VerdictKind,
    names_of_levels,
    number_format,
    table_rows,
    why_untested,
)
from musicapi_nb.markup import EMPTY, Html
from musicapi_nb.markup.escape import MUTED, element

_TONES: dict[VerdictKind, markup.Tone] = {
    "difference": "good",
    "no difference": "info",
    "not decided": "warn",
    "no data": "neutral",
}
_HEADING = "margin:6px 0 0;font-size:16px;font-weight:600;line-height:1.3"
_BADGE = "margin:0 0 0 8px;font-weight:400"
# Greatest widths of a box on wide pages, and on narrow ones; and of a letter; in pixels.
_LABEL_WIDTHS, _NAME_WIDTHS, _VALUE_WIDTHS = (160, 66), (160, 100), (560, 220)
_LETTER = 7
_BREAK = re.compile(r"[\s-]")  # where lines break
_RIGHT = "text-align:right"
_UNBROKEN = "white-space:nowrap"
_SHORT, _SHORT_INTERVAL = 10, 16  # characters
_HALF = 0.5
_SENTENCES = 2_000  # characters
_CARD, _WIDE = (394, 720), (500, 720)  # usual (two fit in 800) and greatest width of a card, pixels
_FILLERS = 3  # after the last card, so that it is as wide as the others
_CARD_NAME = 28  # characters of a level
LEGEND = (
    "Dot: estimate. Bar: 95 % interval. Line: no difference. Grey: differences too small to be "
    "found with 80 % chance."
)


def summary(title: str, facts: str, verdicts: Sequence[Verdict]) -> Html:
    """Return the cards at the top: outcomes that are decided, have no data, or are not decided."""
    first = [_notice("difference", verdicts), _notice("no difference", verdicts)]
    second: list[Html] = []
    undecided = [verdict for verdict in verdicts if verdict.kind == "not decided"]
    decided = sum(verdict.kind in {"difference", "no difference"} for verdict in verdicts)
    shorter = second if decided > len(undecided) > 0 else first
    shorter.append(_notice("no data", verdicts))
    cards = [markup.card(title, *first, facts=facts, wide=True)]
    if undecided:
        cards.append(_undecided_card(undecided, *second))
    return _rows(cards, *_WIDE)


def _notice(kind: VerdictKind, verdicts: Sequence[Verdict]) -> Html:
    """Return the sentences of a kind below its heading; nothing if there are none."""
    texts = [verdict.text for verdict in verdicts if verdict.kind == kind]
    if not texts:
        return EMPTY
    head = element("div", HEADINGS[kind], style="font-weight:600")
    return markup.notice(markup.join(head, *_lines(texts)), _TONES[kind])


def _undecided_card(verdicts: Sequence[Verdict], *below: Html) -> Html:
    rows, heads = table_rows(verdicts)
    lead = f"{NOT_DECIDED}:" if rows else ""
    cells = [[name, *map(_unbroken, others)] for name, *others in rows]
    table = markup.table(heads, cells, row_heads=True) if rows else EMPTY
    others = _lines(verdict.text for verdict in verdicts if verdict.undecided is None)
    return markup.card(HEADINGS["not decided"], table, *others, *below, facts=lead, wide=True)


def _unbroken(text: str, limit: int = _SHORT) -> Html:
    """Return a figure and its unit, which stay on one line if they are short."""
    return element("span", text, style=_UNBROKEN if len(text) <= limit else "")


def _lines(texts: Iterable[str]) -> list[Html]:
    return [element("div", markup.text(text, _SENTENCES), style="margin:4px 0 0") for text in texts]


def _rows(cards: Iterable[Html], usual: int, greatest: int, fillers: int = 0) -> Html:
    """Arrange cards in rows, equally high in each; widths are in pixels."""
    style = f"display:grid;flex:1 1 {usual}px;max-width:{greatest}px;min-width:0"
    items = [element("div", card, style=style) for card in (*cards, *([EMPTY] * fillers))]
    return element("div", *items, style="display:flex;flex-wrap:wrap;gap:12px")


def factor_section(
    factor: str, figures: Figures, outcomes: Sequence[ReportOutcome], verdicts: Sequence[Verdict]
) -> Html:
    """Return the heading of a factor and a card for each of its outcomes with data."""
    by_outcome = {verdict.outcome: verdict for verdict in verdicts if verdict.factor == factor}
    names = names_of_levels(figures, factor, _CARD_NAME)
    cards = []
    for outcome in outcomes:
        rows = figures.rows.get((factor, outcome.name), [])
        verdict = by_outcome.get(outcome.name)
        if any(row["baseline"] is not None for row in rows) and verdict is not None:
            cards.append(_outcome_card(outcome, rows, verdict, names))
    if not cards:
        return EMPTY
    heading = element("h2", markup.text(plain(factor)), style=_HEADING)
    levels = figures.levels[factor]
    return markup.stack(
        markup.join(heading, markup.caption(f"{len(levels)} levels", *map(names.get, levels))),
        _rows(cards, *_CARD, _FILLERS),
    )


def _outcome_card(
    outcome: ReportOutcome, rows: list[dict[str, Any]], verdict: Verdict, names: dict[str, str]
) -> Html:
    form = number_format(outcome, rows)
    levels = [row for row in rows if row["baseline"] is None]
    comparisons = [row for row in rows if row["baseline"] is not None]
    label = "small difference" if verdict.is_small else verdict.kind
    badge = element("span", markup.badge(label, _TONES[verdict.kind]), style=_BADGE)
    head = ("level", _axis_head(_level_axis(outcome, levels), form.value))
    table = markup.table(
        (*head, _right(_unit(outcome.unit)), _right("tasks")),
        [
            *_level_lines(outcome, levels, form, names),
            *_comparison_lines(outcome, comparisons, form, names),
        ],
        row_heads=True,
    )
    untested = [row for row in comparisons if math.isnan(row["p"])]
    untested = [row for row in untested if row["verdict"] == "not decided"]
    return markup.card(
        markup.join(markup.text(outcome.title), badge),
        table,
        markup.caption(*dict.fromkeys(map(why_untested, untested))),
        facts=markup.facts(outcome.detail, *_sizes(outcome, levels)),
        wide=True,
    )


def _sizes(outcome: ReportOutcome, rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return the number of songs or answers, and of songs without a value."""
    if outcome.table == "requests":
        return []
    if outcome is BLIND_TEST:  # an answer is about two levels
        return [markup.plural(sum(row["songs"] for row in rows) // 2, "answer")]
    missing = sum(row["missing_songs"] or 0 for row in rows)
    sizes = [markup.plural(sum(row["songs"] for row in rows), "song")]
    return [*sizes, f"{missing:,} without a value"] if missing else sizes


def _level_axis(outcome: ReportOutcome, rows: Sequence[dict[str, Any]]) -> Axis:
    values = [row[name] for row in rows for name in ("estimate", "low", "high")]
    return axis_of(values, *outcome.limits)


def _level_lines(
    outcome: ReportOutcome,
    rows: Sequence[dict[str, Any]],
    form: NumberFormat,
    names: dict[str, str],
) -> list[tuple[Html, ...]]:
    axis = _level_axis(outcome, rows)
    reference = _HALF if outcome is BLIND_TEST else None
    return [
        (
            _limited(names[row["level"]]),
            interval_plot(axis, row["estimate"], (row["low"], row["high"]), reference=reference),
            _numbers(form.value(row["estimate"]), _interval(form, row["low"], row["high"])),
            _right(f"{row['tasks']:,}"),
        )
        for row in rows
    ]


def _comparison_lines(
    outcome: ReportOutcome,
    rows: Sequence[dict[str, Any]],
    form: NumberFormat,
    names: dict[str, str],
) -> list[tuple[Html, ...]]:
    """Return a line per comparison, after a head for each level that others are compared with."""
    ends = ("estimate", "joint_low", "joint_high")
    values = [row[name] for row in rows for name in ends if math.isfinite(row[name])]
    widest = max(map(abs, values), default=0.0)
    bands = [min(row["detectable"], 1.5 * widest) for row in rows]
    bands = [band for band in bands if math.isfinite(band)]
    sides = (0.0, *bands, *(-band for band in bands))
    span = _HALF if outcome is BLIND_TEST else outcome.span
    axis = axis_of([*values, *sides], -span, span)
    if axis.low == axis.high:  # the same in every request, or no value
        return []
    lines: list[tuple[Html, ...]] = []
    baseline = None
    for row in rows:
        if row["baseline"] != baseline:
            is_first, baseline = baseline is None, row["baseline"]
            heads = (_axis_head(axis, form.signed), _unit(form.short_unit), "p")
            lines.append(_subhead(names[baseline], heads if is_first else ("", "", "")))
        bounds = (row["joint_low"], row["joint_high"])
        lines.append(
            (
                _limited(names[row["level"]]),
                interval_plot(axis, row["estimate"], bounds, reference=0.0, band=row["detectable"]),
                _numbers(form.signed(row["estimate"]), _interval(form, *bounds)),
                _right(p_text(row["p_adjusted"]).removeprefix("p = ").removeprefix("p ")),
            )
        )
    return lines


def _subhead(baseline: str, heads: Sequence[str]) -> tuple[Html, ...]:
    axis, unit, p = heads
    label = _limited(f"against {baseline}", faint=True)
    return (
        label,
        markup.muted(axis) if axis else EMPTY,
        _right(unit, faint=True),
        _right(p, faint=True),
    )


def _unit(unit: str) -> str:
    return unit.removesuffix(" per song")  # too long for the head of a column


def _axis_head(axis: Axis, form: Any) -> Html:
    """Return the ends of an axis; nothing if it is one point, whose value is beside it."""
    return axis_labels(form(axis.low), form(axis.high)) if axis.low < axis.high else EMPTY


def _interval(form: NumberFormat, low: float, high: float) -> str:
    return "" if math.isnan(low) or math.isnan(high) else form.interval(low, high)


def _limited(text: str, widths: tuple[int, int] = _LABEL_WIDTHS, *, faint: bool = False) -> Html:
    """Return a text in a box, which is narrow if a word must be broken to fit."""
    wide, narrow = widths
    longest = max(map(len, _BREAK.split(text)))
    width = narrow if longest * _LETTER > narrow else wide
    content = markup.muted(text) if faint else markup.text(text)
    return element("div", content, style=f"max-width:{width}px;word-wrap:break-word")


def _right(text: str, *, faint: bool = False) -> Html:
    content = markup.muted(text) if faint and text else markup.text(text)
    return element("div", content, style=f"{_RIGHT};{_UNBROKEN}")


def _numbers(estimate: str, interval: str) -> Html:
    """Return an estimate and its interval; on narrow pages they are on two lines."""
    parts = [_unbroken(estimate)]
    if interval:
        parts.append(element("span", _unbroken(f"({interval})", _SHORT_INTERVAL), style=MUTED))
    return element("div", markup.join(*parts, separator=" "), style=_RIGHT)


def origin_card(facts: Sequence[tuple[str, str]]) -> Html:
    """Return what the page is about and how it was computed, to repeat it."""
    rows = [(_limited(name, _NAME_WIDTHS), _limited(value, _VALUE_WIDTHS)) for name, value in facts]
    return markup.card(
        "About this report",
        markup.caption(LEGEND),
        markup.table(("fact", "value"), rows, row_heads=True, show_head=False),
        wide=True,
    )
