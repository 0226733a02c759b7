"""Effects: how factors change durations, waiting times, ratings, failures, costs and tags."""

from collections.abc import Sequence
from typing import Any, get_args

import pandas as pd

from musicapi_nb.analysis.checks import as_frame, check_level
from musicapi_nb.analysis.families import Correction, check_correction
from musicapi_nb.analysis.inference import inference_columns
from musicapi_nb.analysis.level_comparisons import compare_levels
from musicapi_nb.analysis.linear_model import Measure
from musicapi_nb.analysis.model_frame import OutcomeName, read_tables
from musicapi_nb.analysis.source_tables import Source
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.extras import require_extra

_COLUMNS = {
    **dict.fromkeys(("factor", "level", "baseline", "outcome", "measure"), "str"),
    **dict.fromkeys(("estimate", "low", "high", "p", "p_adjusted"), "float64"),
    **dict.fromkeys(("joint_low", "joint_high", "detectable"), "float64"),
    **dict.fromkeys(("mean", "baseline_mean", "degrees"), "float64"),
    **dict.fromkeys(("songs", "tasks", "baseline_songs", "baseline_tasks"), "int64"),
    "missing_songs": "int64",
    "note": "str",
}
_PAIR = 2


def effects(  # noqa: PLR0913 - all but two are keywords
    frame: Source,
    factor: str | tuple[str, str],
    *,
    outcomes: Sequence[OutcomeName] = ("duration",),
    tags: Source | None = None,
    presence: Sequence[str] = (),
    factors: Sequence[str] | None = None,
    baseline: Any = None,
    measure: Measure = "difference",
    level: float = 0.95,
    correction: Correction | None = "max-t",
    cluster: str | None = None,
) -> pd.DataFrame:
    """Estimate the effect of each level of a factor against a baseline level, from one model.

    The model is linear in all factors of the plan and its blocks, so that neither unequal numbers
    of levels nor lost tasks give one factor the effect of another. Its rows are tasks (the mean of
    their songs), because the two songs of a task are not independent; if the factor varies within
    tasks (such as `song_position`), they are parts of tasks, and tasks are clusters.

    - Means: cluster-robust errors (CR2, which is HC2 for one row a task) and Student's t with
      Satterthwaite's degrees of freedom. Ratios by Fieller's method: one-sided, up to infinity,
      if the baseline may be 0.
    - Shares, that is, the presence of tags, booleans such as `failed`, and columns whose values are
      all within 0 and 1: Newcombe's interval with the design effect of the model, ratios by Donner
      and Zou.
    - `p` belongs to the interval of the difference: it is below 0.05 where the 95 % interval leaves
      out 0. `p_adjusted` is corrected for all rows of the table.

    The page Statistics of the docs has formulas and simulated coverage. BadFrame is raised if
    columns are missing or not numeric, a song has several rows, the baseline does not occur, or
    the factor's effect is not estimable: aliased with another factor, or no degrees of freedom.

    Needs the extra `analysis`.

    Parameters
    ----------
    frame
        A run, or whatever else `songs_frame` accepts. Or a table: one row for each song, such as
        `run.songs()`, or one for each task, such as `run.frame()`.
    factor
        A column, or two for their interaction: how much the effect of the first one's level
        depends on the level of the second. A missing level is the level "(none)". The values of a
        number are levels, too; `dose_response` estimates its slope.
    outcomes
        Numeric or boolean columns; of a run, those of `songs()`, `durations()` or `frame()`. A pair
        such as ("credits", "songs") is the sum of the first divided by the sum of the second.
        Songs without a finite value (below 1e100) are left out and counted as `missing_songs`.
    tags, presence
        Rows of `tags_frame` of these songs (of a run, its own), and the tags whose presence is an
        outcome, in any spelling. Presence is defined for songs whose `state` is "succeeded";
        if the frame has no `state`, for songs that have any tag.
    factors
        The other factors of the model. Default: those of the plan, which an experiment's tables
        have between the columns `take` and `task_id`. Blocks are always in the model; drop the
        column `block` to leave them out.
    baseline
        A level (of two factors, a pair); default: the first one in the frame (of categories: the
        first that occurs).
    measure
        "difference", or "ratio" (missing if either mean is negative).
    correction
        "max-t" (step-down, from the joint distribution; controls the chance of any false finding),
        "holm" (likewise, with less power), "bh" (Benjamini and Hochberg: the share of false
        findings) or None.
    cluster
        The column that identifies tasks; default `cell`, else `task_id`, else `reply`.

    Returns
    -------
    pandas.DataFrame
        One row for each outcome and level but the baseline: `factor, level, baseline, outcome,
        measure` (str; `outcome` is a column, "a / b" or "tag: ..."), `estimate, low, high, p,
        p_adjusted` (float64; in units of the outcome, shares 0 to 1), `joint_low, joint_high`
        (intervals that hold for all rows together), `detectable` (the effect that such data would
        find in 80 % of experiments, after the correction), `mean, baseline_mean` (adjusted means;
        see `adjusted_means`), `degrees` (of freedom), `songs, tasks, baseline_songs,
        baseline_tasks, missing_songs` (int64; the last of both levels), `note` (str: why there is
        no estimate or interval). Of two factors, `baseline_mean` is what the separate effects add
        up to.
    """
    require_extra("analysis")
    names = factor_names(factor)
    if measure not in get_args(Measure):
        raise InvalidArgument(f'measure must be "difference" or "ratio", not {measure!r}')
    if measure == "ratio" and len(names) == _PAIR:
        raise InvalidArgument('an interaction of two factors has no measure="ratio"')
    check_correction(correction)
    check_level(level)
    frame, tags = read_tables(frame, names, outcomes, tags, presence)
    compared = compare_levels(
        frame,
        names,
        outcomes,
        tags=tags,
        presence=presence,
        factors=factors,
        baseline=baseline,
        measure=measure,
        cluster=cluster,
    )
    if compared is None:
        return as_frame(pd.DataFrame(columns=list(_COLUMNS)), _COLUMNS)
    table, fits, number = compared
    for name, figures in inference_columns(fits, number, measure, level, correction).items():
        table[name] = figures.reshape(-1)
    return as_frame(table, _COLUMNS)


def factor_names(factor: Any) -> tuple[str, ...]:
    """Return the one or two names of a factor, or raise InvalidArgument."""
    names = (factor,) if isinstance(factor, str) else factor
    is_pair = isinstance(names, tuple) and all(isinstance(name, str) for name in names)
    if not is_pair or len(set(names)) != len(names) or len(names) not in {1, _PAIR}:
        raise InvalidArgument(
            "factor must be the name of one column, or a tuple of two for their interaction, not "
            f"{factor!r:.60}"
        )
    return names
