"""The words of a report: a sentence for each outcome of each factor. No I/O."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from musicapi_nb import markup
from musicapi_nb._report.figures import Figures, Missing
from musicapi_nb._report.numbers import NumberFormat
from musicapi_nb._report.outcomes import BLIND_TEST, ReportOutcome
from musicapi_nb.markup.escape import TITLE_LIMIT

VerdictKind: TypeAlias = Literal["difference", "no difference", "not decided", "no data"]
HEADINGS: dict[VerdictKind, str] = {
    "difference": "Decided: there is a difference",
    "no difference": "Decided: no difference that matters",
    "not decided": "Not decided",
    "no data": "No data",
}
_MOST_PAIRS = 4  # named in one sentence


class Verdict(NamedTuple):
    """What a report says about an outcome of a factor."""

    factor: str
    outcome: str
    kind: VerdictKind
    title: str
    sentence: str

    @property
    def text(self) -> str:
        """The title and the sentence in one line."""
        return f"{self.title}: {self.sentence}"


def find_verdicts(figures: Figures, outcomes: Sequence[ReportOutcome]) -> list[Verdict]:
    """Return the verdicts of a page, decided ones first; outcomes without data are grouped."""
    verdicts = []
    for factor in figures.levels:
        for outcome in outcomes:
            rows = figures.rows.get((factor, outcome.name), [])
            if comparisons := [row for row in rows if row["baseline"] is not None]:
                verdicts.append(_verdict(factor, outcome, comparisons))
    verdicts += _not_compared(figures, outcomes)
    verdicts += _without_data(figures)
    kinds = list(HEADINGS)
    return sorted(verdicts, key=lambda verdict: kinds.index(verdict.kind))


def number_format(outcome: ReportOutcome, rows: Sequence[dict[str, Any]]) -> NumberFormat:
    margins = [row["margin"] for row in rows if math.isfinite(row["margin"])]
    margin = min(margins, default=math.nan)
    return NumberFormat(outcome.unit, outcome.is_share, margin, outcome.difference_unit)


def _verdict(factor: str, outcome: ReportOutcome, rows: list[dict[str, Any]]) -> Verdict:
    differing = [row for row in rows if row["verdict"] == "difference"]
    others = [row for row in rows if row["verdict"] != "difference"]
    form = number_format(outcome, rows)
    sentences = [_difference(outcome, row, form) for row in differing[:_MOST_PAIRS]]
    if len(differing) > _MOST_PAIRS:
        sentences.append(f"{len(differing) - _MOST_PAIRS} more differences are in the table.")
    kind: VerdictKind = "difference"
    if not differing:
        alike = all(row["verdict"] == "no difference" for row in others)
        kind = "no difference" if alike else "not decided"
    if others:
        sentences += _others(outcome, others, form, some_differ=bool(differing))
    title = f"{outcome.title} by {plain(factor)}"
    return Verdict(factor, outcome.name, kind, title, " ".join(sentences))


def _difference(outcome: ReportOutcome, row: dict[str, Any], form: NumberFormat) -> str:
    level, baseline = plain(row["level"]), plain(row["baseline"])
    low, high = row["joint_low"], row["joint_high"]
    if outcome is BLIND_TEST:
        if row["estimate"] < 0:
            level, baseline, low, high = baseline, level, -high, -low
        share = form.value(0.5 + abs(row["estimate"]))
        bounds = f"interval {form.interval(0.5 + low, 0.5 + high)} %"
        return f"{level} was preferred to {baseline} in {share} % of the choices ({bounds})."
    direction = "more" if row["estimate"] > 0 else "less"
    if row["estimate"] < 0:
        low, high = -high, -low
    is_fixed = math.isnan(row["p"])
    bounds = "in every request" if is_fixed else f"interval {form.interval(low, high)}"
    amount = form.difference(row["estimate"])
    return f"{amount} {direction} with {level} than with {baseline} ({bounds})."


def _others(
    outcome: ReportOutcome, rows: list[dict[str, Any]], form: NumberFormat, *, some_differ: bool
) -> list[str]:
    """Say what is known about the comparisons in which no difference was found."""
    pairs = _pairs(rows, some_differ=some_differ)
    noted = [row for row in rows if math.isnan(row["p"])]
    if len(noted) == len(rows):
        if all(row["verdict"] == "no difference" for row in rows):
            return [f"The same in every request with {pairs}."]
        return [f"No comparison of {pairs}: {rows[0]['note'] or 'it has no interval'}."]
    tested = [row for row in rows if not math.isnan(row["p"])]
    largest = max(max(abs(row["joint_low"]), abs(row["joint_high"])) for row in tested)
    if outcome is BLIND_TEST:
        return _blind_others(tested, pairs, form, largest)
    if all(row["verdict"] == "no difference" for row in tested):
        limit = f"if there is one, it is at most {form.difference(largest)}"
        return [f"No difference was found between {pairs}; {limit}."]
    sentences = [f"No difference was found between {pairs}."]
    detectable = max(row["detectable"] for row in tested)
    if outcome.is_share and detectable >= 1:
        sentences.append("So few tasks could not show any.")
    else:
        amount = form.difference(detectable)
        sentences.append(
            f"A difference of more than {amount} would have been found with 80 % chance."
        )
    needed = max((row["more_needed"] or 0 for row in tested), default=0)
    margin = form.difference(form.margin)
    if needed:
        tasks = markup.plural(needed, "more task")
        sentences.append(f"With about {tasks} per level, one of {margin} would be found.")
    else:
        sentences.append(f"It may be up to {form.difference(largest)}.")
    return sentences


def _blind_others(
    rows: list[dict[str, Any]], pairs: str, form: NumberFormat, largest: float
) -> list[str]:
    if all(row["verdict"] == "no difference" for row in rows):
        share = form.value(0.5 + largest)
        return [
            f"No preference was found between {pairs}; if there is one, it is at most {share} %."
        ]
    detectable = max(row["detectable"] for row in rows)
    share = form.value(0.5 + detectable)
    sentences = [
        f"No preference was found between {pairs}.",
        f"One of more than {share} % of the choices would have been found with 80 % chance.",
    ]
    if needed := max((row["more_needed"] or 0 for row in rows), default=0):
        share = form.value(0.5 + BLIND_TEST.margin)
        answers = markup.plural(needed, "more answer")
        sentences.append(f"With about {answers}, one of {share} % would be found.")
    return sentences


def _pairs(rows: list[dict[str, Any]], *, some_differ: bool) -> str:
    """Name the levels of comparisons: a pair, all levels, or the number of the other pairs."""
    if some_differ:
        if len(rows) == 1:
            return _listed((plain(rows[0]["baseline"]), plain(rows[0]["level"])))
        return f"the other {len(rows)} pairs"
    levels = dict.fromkeys(name for row in rows for name in (row["baseline"], row["level"]))
    if len(levels) > _MOST_PAIRS:
        return f"the {len(levels)} levels"
    return _listed(map(plain, levels))


def _not_compared(figures: Figures, outcomes: Sequence[ReportOutcome]) -> list[Verdict]:
    """Return one verdict for the outcomes of a factor that cannot be compared for one reason."""
    titles = {outcome.name: outcome.title for outcome in outcomes}
    grouped: dict[tuple[str, str], list[str]] = {}
    for (factor, outcome), rows in figures.rows.items():
        if rows[0]["level"] is None:
            grouped.setdefault((factor, rows[0]["note"]), []).append(outcome)
    return [
        Verdict(
            factor,
            names[0],
            "not decided",
            f"{_listed(titles[name] for name in names)} by {plain(factor)}",
            f"{note}.",
        )
        for (factor, note), names in grouped.items()
    ]


def _without_data(figures: Figures) -> list[Verdict]:
    """Return one verdict for outcomes with the same advice, for all factors if it is the same."""
    grouped: dict[str, list[Missing]] = {}
    for part in figures.missing:
        grouped.setdefault(part.advice, []).append(part)
    return [
        Verdict(
            parts[0].factor,
            parts[0].outcome.name,
            "no data",
            _listed(dict.fromkeys(part.outcome.title for part in parts)),
            advice,
        )
        for advice, parts in grouped.items()
    ]


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def plain(name: str) -> str:
    """Return the name of a factor or level as one line of text."""
    return markup.one_line(name, TITLE_LIMIT) or "(blank)"
