"""report: one page that compares the levels of factors and states which differences are certain."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicapi_nb import __version__, markup
from musicapi_nb._report import html
from musicapi_nb._report.figures import Figures, collect_figures
from musicapi_nb._report.level_names import plain, quoted
from musicapi_nb._report.outcomes import ReportOutcome, read_outcomes
from musicapi_nb._report.tables import ReportTables, dates_of, read_tables
from musicapi_nb._report.verdicts import HEADINGS, NOT_DECIDED, Verdict, find_verdicts, table_rows
from musicapi_nb.analysis.source_tables import Source
from musicapi_nb.errors import MusicAPIError
from musicapi_nb.extras import require_extra
from musicapi_nb.frames.arrow_tables import Table
from musicapi_nb.markup.escape import TITLE_LIMIT
from musicapi_nb.public_names import missing_name
from musicapi_nb.widgets.gallery.saved_page import page_path, write_page

if TYPE_CHECKING:
    import pandas as pd


# What people try, and what it is called.
_OTHER_NAMES = {
    **dict.fromkeys(("html", "to_html", "export", "write"), 'report.save("report.html")'),
    **dict.fromkeys(("df", "frame", "data", "figures", "to_frame", "to_csv"), "report.table"),
    **dict.fromkeys(("summary", "words", "verdicts"), "report.text or report.sentences"),
    **dict.fromkeys(("show", "display", "plot"), "report, as the last line of a cell"),
}


@dataclasses.dataclass(frozen=True, slots=True, repr=False, eq=False)
class Report:
    """A comparison of the levels of factors, as `report` returns it.

    It shows itself in a notebook; `print(report)` shows the same in words.

    Attributes
    ----------
    title, facts
        What it is about.
    table
        All figures. For each factor and outcome one row per level (`baseline` is missing), then one
        per comparison of `level` with `baseline`: `estimate` with its own 95 % interval `low` to
        `high`, `joint_low` to `joint_high` (intervals that hold together for the whole page), `p`,
        `p_adjusted` (for the page), `detectable` (what would have been found in 80 % of such
        experiments), `margin` (the smallest difference that matters), `verdict`, `more_needed`
        (tasks per level, or answers of a blind test, to find the margin), `songs, tasks,
        baseline_songs, baseline_tasks, missing_songs`, and `note` (why there is no figure). Shares
        are 0 to 1; of a blind test, the estimate of a comparison is the share above one half.
    sentences
        What is said, decided outcomes first: `factor`, `outcome`, `kind` ("difference", "no
        difference", "not decided" or "no data"), `title` and `sentence`; `text` has both.
        `is_small` is true of differences that are certain to be smaller than the margin;
        `undecided` has the figures of an outcome that is not decided, as the page shows them.
    """

    title: str
    facts: str
    table: pd.DataFrame
    sentences: tuple[Verdict, ...]
    _figures: Figures
    _outcomes: tuple[ReportOutcome, ...]
    _origin: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """The report as text: differences, outcomes without data, and the origin."""
        lines = [self.title, self.facts]
        for kind, heading in HEADINGS.items():
            verdicts = [verdict for verdict in self.sentences if verdict.kind == kind]
            rows, heads = table_rows(verdicts)
            texts = [verdict.text for verdict in verdicts if verdict.undecided is None]
            lines += ["", heading] if verdicts else []
            lines += [f"{NOT_DECIDED}:", *_columns(heads, rows)] if rows else []
            lines += [f"- {markup.one_line(text)}" for text in texts]
        lines += ["", *(f"{name}: {value}" for name, value in self._origin)]
        return "\n".join(lines)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise missing_name("a report", name, dir(type(self)), _OTHER_NAMES)

    def __str__(self) -> str:
        return self.text

    @markup.safe_repr
    def __repr__(self) -> str:
        counts = dict.fromkeys(HEADINGS, 0)
        for verdict in self.sentences:
            counts[verdict.kind] += 1
        parts = [f"{number} {kind}" for kind, number in counts.items() if number]
        return markup.one_line(f"<{self.title}: {', '.join(parts)}>")

    @markup.html_repr
    def _repr_html_(self) -> str:
        return markup.stack(html.summary(self.title, self.facts, self.sentences), *self._sections())

    def _sections(self) -> list[markup.Html]:
        sections = [
            html.factor_section(factor, self._figures, self._outcomes, self.sentences)
            for factor in self._figures.levels
        ]
        return [*sections, html.origin_card(self._origin)]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the report as one HTML page without scripts or other files; return its path.

        Raises
        ------
        InvalidArgument
            `path` is a URL, a folder, or a file other than a web page.
        MusicAPIError
            It cannot be written.
        """
        target = page_path(path)
        top = html.summary("In words", self.facts, self.sentences)
        page = markup.page(self.title, top, *self._sections())
        write_page(target, page.encode("utf-8", "replace"))
        return target


def report(
    source: Source,
    factor: str | None = None,
    *,
    outcomes: Sequence[str] | None = None,
    baseline: Any = None,
    answers: Table | None = None,
) -> Report:
    """Compare the levels of factors by everything that is stored about their songs.

    The page says what is decided and what is not: by a blind test, ratings, requested tags and
    sound, duration, loudness, waiting time, failures and cost. Each outcome is estimated by the
    model of `effects`, with tasks as units. All comparisons of the page, of all factors and
    outcomes, are one family: if nothing differs, the chance that the page names any difference is
    at most 5 %. Nothing is bought, measured or asked for; an outcome without data says how to get
    it. The page Statistics of the docs has the formulas.

    Needs the extra `analysis`.

    Parameters
    ----------
    source
        An experiment or its run. Or a library or a table of songs (such as rows of `run.songs()`),
        with the column of a factor.
    factor
        The factor to compare; default: each factor of the plan that has several levels. Of a table
        without a plan, the name of a column.
    outcomes
        Some outcomes only, by name ("blind test", "stars", "rated 4 or more", "requested tags",
        "requested tempo", "requested key", "requested duration", "requested instrumental",
        "duration", "loudness", "waiting time", "failures", "cost"), or numeric columns of the
        songs, requests and measures. Fewer outcomes need less correction.
    baseline
        The level that the others are compared with. Default: all pairs are compared; with more than
        six levels, each with the first.
    answers
        Rows of `preferences_frame`; default: the answers in the library about these songs.

    Raises
    ------
    InvalidArgument
        The factor does not exist or has one level, or an outcome or the baseline does not exist.
    """
    require_extra("analysis")
    tables = read_tables(source, factor, answers)
    used = read_outcomes(outcomes, tables.frames)
    figures = collect_figures(tables, used, baseline)
    verdicts = find_verdicts(figures, used)
    name = tables.experiment.name if tables.experiment else ""
    return Report(
        title=f"Report on {plain(name, TITLE_LIMIT)}" if name else "Report",
        facts=_facts(tables, figures),
        table=figures.table,
        sentences=tuple(verdicts),
        _figures=figures,
        _outcomes=tuple(used),
        _origin=tuple(_origin(tables, figures)),
    )


def _columns(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return lines of text with aligned columns."""
    table = [[markup.one_line(cell) for cell in row] for row in (heads, *rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in table]


def _facts(tables: ReportTables, figures: Figures) -> str:
    songs = tables.songs
    tasks = markup.plural(int(songs["task_id"].nunique()), "task") if "task_id" in songs else ""
    factors = ", ".join(
        f"{plain(name)} ({markup.plural(len(levels), 'level')})"
        for name, levels in figures.levels.items()
    )
    number = songs["state"].eq("succeeded").sum() if "state" in songs else len(songs)
    parts = (
        markup.plural(int(number), "song"),
        tasks,
        request_counts(tables),
        factors,
        _simulated(songs),
    )
    return " · ".join(part for part in parts if part)


def request_counts(tables: ReportTables) -> str:
    """Return how many requests failed, and how many are finished if not all are."""
    if (requests := tables.frames.get("requests")) is None:
        return ""
    number = markup.plural(len(requests), "request")
    finished = int(requests["failed"].notna().sum())
    failed = int(requests["failed"].fillna(value=False).sum())
    under_way = f"{finished:,} of {number} finished" if finished < len(requests) else ""
    failures = f"{failed:,} of {number} failed" if failed else ""
    parts = (under_way, failures)
    return " · ".join(part for part in parts if part)


def _simulated(songs: pd.DataFrame) -> str:
    if "simulated" not in songs.columns or not len(songs):
        return ""
    flags = songs["simulated"].fillna(value=False).astype(bool)
    return "simulated" if flags.all() else "partly simulated" if flags.any() else ""


def _origin(tables: ReportTables, figures: Figures) -> list[tuple[str, str]]:
    """Return what the page is made of, and how."""
    rows = []
    if (experiment := tables.experiment) is not None:
        rows.append(("Experiment", plain(experiment.name, TITLE_LIMIT)))
        plan = experiment.plan
        rounds = markup.plural(plan.blocks, "round")
        rows.append(("Plan", f"{markup.plural(len(plan.cells), 'request')} in {rounds}"))
        with contextlib.suppress(MusicAPIError):  # without a stop rule, or too early for a look
            looks = markup.plural(len(experiment.looks()), "look")
            rows.append(("Stop rule", f"{looks}; p is not corrected for them: see run.looks()"))
    for name, levels in figures.levels.items():
        rows.append(
            (
                f"Factor {plain(name)}",
                ", ".join(quoted(plain(level, TITLE_LIMIT)) for level in levels),
            )
        )
    if (dates := dates_of(tables.songs)) is not None:
        first, last = (markup.format_datetime(date) for date in dates)
        rows.append(("Songs made", f"{first} to {last} UTC"))
    rows += [
        (
            "Family",
            f"{markup.plural(figures.tests, 'test')}: p and intervals of differences hold for all",
        ),
        ("Chance of error", "at most 5 % that a page without any difference names one"),
        ("Computed by", "effects, adjusted_means, adherence and preference"),
        ("Formulas", "page Statistics of the documentation"),
        ("Version", f"musicapi_nb {__version__}"),
    ]
    return rows
