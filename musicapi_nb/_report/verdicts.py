"""The words of a report: a sentence for each outcome of each factor. No I/O."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from musicapi_nb import markup
from musicapi_nb._report.figures import MAX_TASKS, Figures, Missing
from musicapi_nb._report.level_names import LEVEL_LIMIT, level_names, plain, quoted
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
NOT_DECIDED = "No difference was found, but one smaller than these could have been missed"
UNDECIDED_HEADS = (
    "outcome",
    "factor",
    "found with 80 % chance",
    "smallest that matters",
    "more per level to find that",
)
_MAX_PAIRS = 4  # named in one sentence
_FARTHEST_CHOICES = 0.495  # from one half, as a share of the choices: 100 %


class Undecided(NamedTuple):
    """A row of the table of outcomes in which no difference was found, in words.

    `detectable` is the difference that would have been found with 80 % chance, `margin` the
    smallest that matters, `more_needed` what finding that takes.
    """

    outcome: str
    factor: str
    detectable: str
    margin: str
    more_needed: str


class Verdict(NamedTuple):
    """The statement of a report about an outcome of a factor.

    `is_small` marks differences all of which are certain to be smaller than those that matter;
    `undecided` is the row of an outcome that is not decided, if it could be tested.
    """

    factor: str
    outcome: str
    kind: VerdictKind
    title: str
    sentence: str
    is_small: bool = False
    undecided: Undecided | None = None

    @property
    def text(self) -> str:
        """The title and the sentence in one line."""
        return f"{self.title}: {self.sentence}"


def find_verdicts(figures: Figures, outcomes: Sequence[ReportOutcome]) -> list[Verdict]:
    """Return the verdicts of a page, decided ones first, then in the order of the outcomes.

    Small differences come after those that matter. Outcomes without data are grouped.
    """
    verdicts = []
    for outcome in outcomes:
        for factor in figures.levels:
            rows = figures.rows.get((factor, outcome.name), [])
            if comparisons := [row for row in rows if row["baseline"] is not None]:
                names = {
                    level: quoted(name) for level, name in names_of_levels(figures, factor).items()
                }
                verdicts.append(_verdict(factor, outcome, comparisons, names))
    verdicts += _not_compared(figures, outcomes)
    verdicts += _without_data(figures)
    kinds = list(HEADINGS)
    return sorted(verdicts, key=lambda verdict: (kinds.index(verdict.kind), verdict.is_small))


def names_of_levels(figures: Figures, factor: str, limit: int = LEVEL_LIMIT) -> dict[str, str]:
    """Return the short name of each level of a factor, also of those that only answers name."""
    rows = (row for (name, _), part in figures.rows.items() if name == factor for row in part)
    named = (row["level"] for row in rows if row["level"] is not None)
    return level_names((*figures.levels[factor], *named), limit)


def number_format(outcome: ReportOutcome, rows: Sequence[dict[str, Any]]) -> NumberFormat:
    margins = [row["margin"] for row in rows if math.isfinite(row["margin"])]
    margin = min(margins, default=math.nan)
    return NumberFormat(outcome.unit, outcome.is_share, margin, outcome.difference_unit)


def _verdict(
    factor: str, outcome: ReportOutcome, rows: list[dict[str, Any]], names: dict[str, str]
) -> Verdict:
    differing = [row for row in rows if row["verdict"] == "difference"]
    others = [row for row in rows if row["verdict"] != "difference"]
    form = number_format(outcome, rows)
    title = f"{outcome.title} by {plain(factor)}"
    if differing:
        sentences = _differences(outcome, differing, form, names)
        if others:
            sentences += _others(outcome, others, form, names, some_differ=True)[:1]
        is_small = all(map(_is_small, differing))
        sentence = " ".join(sentences)
        return Verdict(factor, outcome.name, "difference", title, sentence, is_small)
    sentence = " ".join(_others(outcome, others, form, names, some_differ=False))
    if all(row["verdict"] == "no difference" for row in others):
        return Verdict(factor, outcome.name, "no difference", title, sentence)
    tested = [row for row in others if not math.isnan(row["p"])]
    undecided = _undecided(factor, outcome, tested, form) if tested else None
    return Verdict(factor, outcome.name, "not decided", title, sentence, undecided=undecided)


def table_rows(verdicts: Iterable[Verdict]) -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
    """Return the rows of the table of undecided outcomes, and its heads.

    The factor is left out if it is the same in all rows.
    """
    rows: list[tuple[str, ...]] = [part.undecided for part in verdicts if part.undecided]
    heads: tuple[str, ...] = UNDECIDED_HEADS
    if len({row[1] for row in rows}) == 1:
        rows, (heads,) = ([row[:1] + row[2:] for row in part] for part in (rows, [heads]))
    return rows, heads


def _is_small(row: dict[str, Any]) -> bool:
    """Return whether a difference is certain to be smaller than one that matters."""
    return _largest([row]) < float(row["margin"])


def _largest(rows: Iterable[dict[str, Any]]) -> float:
    """Return the largest difference that the joint intervals leave possible."""
    ends = (
        abs(float(row[name])) for row in rows for name in ("estimate", "joint_low", "joint_high")
    )
    return max(end for end in ends if not math.isnan(end))


def _differences(
    outcome: ReportOutcome,
    rows: Sequence[dict[str, Any]],
    form: NumberFormat,
    names: dict[str, str],
) -> list[str]:
    """Say each difference, and of which it is certain that they are small."""
    small = [_is_small(row) for row in rows]
    margin = _size(outcome, rows[0]["margin"], form)
    sentences = []
    for row, is_small in list(zip(rows, small, strict=True))[:_MAX_PAIRS]:
        is_marked = is_small and not (all(small) and len(rows) > 1)
        remark = f": a small one, less than {margin}" if is_marked else ""
        sentences.append(f"{_difference(outcome, row, form, names)}{remark}.")
    if all(small) and len(rows) > 1:
        sentences.append(f"All are small: less than {margin}.")
    if len(rows) > _MAX_PAIRS:
        sentences.append(f"{len(rows) - _MAX_PAIRS} more differences are in the table.")
    return sentences


def _size(outcome: ReportOutcome, difference: float, form: NumberFormat) -> str:
    """Return the size of a difference; of a blind test, as the share of the choices."""
    if outcome is BLIND_TEST:
        return f"{form.value(0.5 + difference)} %"
    return form.difference(difference)


def _difference(
    outcome: ReportOutcome, row: dict[str, Any], form: NumberFormat, names: dict[str, str]
) -> str:
    level, baseline = names[row["level"]], names[row["baseline"]]
    low, high = row["joint_low"], row["joint_high"]
    if outcome is BLIND_TEST:
        if row["estimate"] < 0:
            level, baseline, low, high = baseline, level, -high, -low
        share = form.value(0.5 + abs(row["estimate"]))
        bounds = f"interval {form.interval(0.5 + low, 0.5 + high)} %"
        return f"{level} was preferred to {baseline} in {share} % of the choices ({bounds})"
    direction = "more" if row["estimate"] > 0 else "less"
    if row["estimate"] < 0:
        low, high = -high, -low
    is_fixed = math.isnan(row["p"])
    bounds = "in every request" if is_fixed else f"interval {form.interval(low, high)}"
    amount = form.difference(row["estimate"])
    return f"{amount} {direction} with {level} than with {baseline} ({bounds})"


def _others(
    outcome: ReportOutcome,
    rows: list[dict[str, Any]],
    form: NumberFormat,
    names: dict[str, str],
    *,
    some_differ: bool,
) -> list[str]:
    """Describe the comparisons in which no difference was found."""
    pairs = _pairs(rows, names, some_differ=some_differ)
    tested = [row for row in rows if not math.isnan(row["p"])]
    if not tested:
        if all(row["verdict"] == "no difference" for row in rows):
            return [f"The same in every request with {pairs}."]
        return [f"No comparison of {pairs}: {why_untested(rows[0])}."]
    if outcome is BLIND_TEST:
        return _blind_others(tested, pairs, form)
    if all(row["verdict"] == "no difference" for row in tested):
        limit = f"if there is one, it is at most {form.difference(_largest(tested))}"
        return [f"No difference was found between {pairs}; {limit}."]
    sentences = [f"No difference was found between {pairs}."]
    if shows_none(outcome, tested):
        sentences.append("So few tasks could not show any.")
    else:
        amount = form.difference(_detectable(tested))
        sentences.append(
            f"A difference of more than {amount} would have been found with 80 % chance."
        )
    if needed := _more_needed(tested):
        tasks, margin = markup.plural(needed, "more task"), form.difference(form.margin)
        sentences.append(f"With about {tasks} per level, one of {margin} would be found.")
    else:
        sentences.append(f"It may be up to {form.difference(_largest(tested))}.")
    return sentences


def _blind_others(rows: list[dict[str, Any]], pairs: str, form: NumberFormat) -> list[str]:
    start = f"No preference was found between {pairs}"
    if all(row["verdict"] == "no difference" for row in rows):
        share = form.value(0.5 + _largest(rows))
        return [f"{start}; if there is one, it is at most {share} %."]
    if shows_none(BLIND_TEST, rows):
        sentences = [f"{start}.", "So few answers could not show any."]
    else:
        share = form.value(0.5 + _detectable(rows))
        limit = f"One of more than {share} % of the choices would have been found with 80 % chance."
        sentences = [f"{start}.", limit]
    if needed := _more_needed(rows):
        share, answers = form.value(0.5 + form.margin), markup.plural(needed, "more answer")
        sentences.append(f"With about {answers}, one of {share} % would be found.")
    return sentences


def _undecided(
    factor: str, outcome: ReportOutcome, rows: list[dict[str, Any]], form: NumberFormat
) -> Undecided:
    is_blind = outcome is BLIND_TEST

    def size(difference: float) -> str:
        if is_blind:
            return f"{form.value(0.5 + difference)} % of choices"
        return form.short_difference(difference)

    detectable, needed = _detectable(rows), _more_needed(rows)
    if needed:
        advice = markup.plural(needed, "answer" if is_blind else "task")
    elif detectable > form.margin:
        advice = f"over {MAX_TASKS:,}"
    else:
        advice = f"none, but {size(_largest(rows))} are possible"
    limit = "none: too few" if shows_none(outcome, rows) else size(detectable)
    return Undecided(outcome.title, plain(factor), limit, size(form.margin), advice)


def why_untested(row: dict[str, Any]) -> str:
    """Return why a comparison has no interval."""
    if math.isnan(row["estimate"]):
        return "no song of a level has a value"
    return str(row["note"] or "it has no interval")


def shows_none(outcome: ReportOutcome, rows: Sequence[dict[str, Any]]) -> bool:
    """Return whether not even the greatest possible difference would have been found."""
    span = _FARTHEST_CHOICES if outcome is BLIND_TEST else outcome.span
    return not _detectable(rows) < span


def _detectable(rows: Iterable[dict[str, Any]]) -> float:
    return max(float(row["detectable"]) for row in rows)


def _more_needed(rows: Iterable[dict[str, Any]]) -> int:
    return max(int(row["more_needed"] or 0) for row in rows)


def _pairs(rows: list[dict[str, Any]], names: dict[str, str], *, some_differ: bool) -> str:
    """Name the levels of comparisons: a pair, all levels, or the number of the other pairs."""
    if some_differ:
        if len(rows) == 1:
            return _listed((names[rows[0]["baseline"]], names[rows[0]["level"]]))
        return f"the other {len(rows)} pairs"
    levels = dict.fromkeys(name for row in rows for name in (row["baseline"], row["level"]))
    if len(levels) > _MAX_PAIRS:
        return f"the {len(levels)} levels"
    return _listed(names[level] for level in levels)


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
    """Return one verdict for outcomes with the same advice."""
    grouped: dict[str, list[Missing]] = {}
    for part in figures.missing:
        grouped.setdefault(part.outcome.advice, []).append(part)
    verdicts = []
    for advice, parts in grouped.items():
        titles = dict.fromkeys(part.outcome.title for part in parts)
        first, *others = dict.fromkeys(repr(plain(part.factor, TITLE_LIMIT)) for part in parts)
        text = advice.format(factor=first)
        if others and text != advice:
            text += f" The same with factor={_listed(others)}."
        verdicts.append(
            Verdict(parts[0].factor, parts[0].outcome.name, "no data", _listed(titles), text)
        )
    return verdicts


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
