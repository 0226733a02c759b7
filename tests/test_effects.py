"""Effects: the model, its errors and p, families of tests, shares, ratios, invalid tables."""

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

import musicapi_nb as mnb
from musicapi_nb import adjusted_means, effects
from musicapi_nb.analysis.clusters import cluster_codes, level_codes
from musicapi_nb.analysis.contrasts import (
    Means,
    Share,
    combined_interval,
    mean_ratio_interval,
    share_ratio_interval,
)
from musicapi_nb.analysis.families import Correction, Family, PValues, adjust_p_values
from musicapi_nb.analysis.least_squares import Design
from musicapi_nb.errors import BadFrame, InvalidArgument
from musicapi_nb.frames.text_dtype import TEXT

Floats = NDArray[np.float64]
FIGURES = ["estimate", "low", "high", "p", "p_adjusted", "mean", "baseline_mean", "degrees"]
Z = np.array(stats.norm.ppf(0.975))


def songs_of(values: Mapping[str, Any], **columns: Any) -> pd.DataFrame:
    """Return songs of {level: [[durations of a task], ...]}, with a cell for each task."""
    tasks = [(level, task) for level, item in values.items() for task in item]
    rows = [
        (cell, level, f"t{cell}", f"s{cell}.{index}", "succeeded", duration)
        for cell, (level, task) in enumerate(tasks)
        for index, duration in enumerate(task)
    ]
    names = ["cell", "style", "task_id", "song_id", "state", "duration"]
    return pd.DataFrame(rows, columns=names).assign(**columns)


def row_of(frame: pd.DataFrame, name: Any) -> Any:
    return frame.loc[name]


def tag_table(songs: pd.DataFrame, tags: Sequence[Sequence[str]]) -> pd.DataFrame:
    """Return the tags table of songs from the tags of each."""
    keys = songs[["cell", "task_id", "song_id"]].to_numpy().tolist()
    rows = [
        (*key, index, tag)
        for key, item in zip(keys, tags, strict=True)
        for index, tag in enumerate(item)
    ]
    names = ["cell", "task_id", "song_id", "position", "tag"]
    dtypes = {"task_id": TEXT, "song_id": TEXT, "tag": TEXT}
    return pd.DataFrame(rows, columns=names).astype(dtypes)


THREE = {
    "jazz": [[100.0, 110.0], [120.0, 130.0], [140.0, 150.0]],
    "rock": [[200.0, 210.0], [180.0], [220.0, 240.0], [205.0, 215.0]],
    "folk": [[101.0, 109.0], [121.0, 131.0], [150.0, math.nan], [math.nan, math.nan]],
}


def plan_table(
    rows: Sequence[Sequence[Any]], names: Sequence[str], draw: Any, songs: int = 2
) -> pd.DataFrame:
    """Return songs of the tasks of a plan, with columns as an experiment's tables have them.

    Each row has the block and the levels of one task; `draw(row)` returns the songs' durations.
    """
    table = [
        (cell, row[0], 1, *row[1:], f"t{cell}", f"s{cell}.{index}", "succeeded", value)
        for cell, row in enumerate(rows)
        for index, value in enumerate(draw(row)[:songs])
    ]
    columns = ["cell", "block", "take", *names, "task_id", "song_id", "state", "duration"]
    return pd.DataFrame(table, columns=columns)


def task_rows(frame: pd.DataFrame, terms: Sequence[str]) -> tuple[pd.DataFrame, Floats, Floats]:
    """Return task means, their dummy matrix (treatment coding) and their durations."""
    tasks = frame.groupby("cell", as_index=False).agg(
        {**dict.fromkeys(terms, "first"), "duration": "mean"}
    )
    dummies = [pd.get_dummies(tasks[term], drop_first=True, dtype=float) for term in terms]
    matrix = np.column_stack([np.ones(len(tasks)), *dummies])
    return tasks, matrix, tasks["duration"].to_numpy()


THREE = {
    "jazz": [[100.0, 110.0], [120.0, 130.0], [140.0, 150.0]],
    "rock": [[200.0, 210.0], [180.0], [220.0, 240.0], [205.0, 215.0]],
    "folk": [[101.0, 109.0], [121.0, 131.0], [150.0, math.nan], [math.nan, math.nan]],
}


# --- the model -----------------------------------------------------------------------------


def test_table_computed_by_hand() -> None:
    result = effects(songs_of(THREE), "style").set_index("level")
    assert result.index.tolist() == ["rock", "folk"]
    rock, folk = row_of(result, "rock"), row_of(result, "folk")
    assert rock["baseline_mean"] == pytest.approx(125)
    assert rock["mean"] == pytest.approx((205 + 180 + 230 + 210) / 4)  # of tasks, not of songs
    assert rock["estimate"] == pytest.approx(206.25 - 125)
    assert folk["estimate"] == pytest.approx((105 + 126 + 150) / 3 - 125)
    counts = ["songs", "tasks", "baseline_songs", "baseline_tasks", "missing_songs"]
    assert rock[counts].tolist() == [7, 4, 6, 3, 0]
    assert folk[counts].tolist() == [5, 3, 6, 3, 3]
    error = math.sqrt(
        np.var([205, 180, 230, 210], ddof=1) / 4 + np.var([105, 125, 145], ddof=1) / 3
    )
    quantile = stats.t.ppf(0.975, rock["degrees"])
    assert rock["high"] - rock["low"] == pytest.approx(2 * quantile * error)
    assert rock["p"] == pytest.approx(2 * stats.t.sf(81.25 / error, rock["degrees"]))
    assert rock["p"] < rock["p_adjusted"] < 2 * rock["p"]
    assert rock["joint_low"] < rock["low"] < rock["high"] < rock["joint_high"]
    assert set(result["factor"]) == {"style"}
    assert set(result["baseline"]) == {"jazz"}
    assert set(result["measure"]) == {"difference"}
    assert result["note"].isna().all()


def test_welch_and_paired_t_are_special_cases() -> None:
    rng = np.random.default_rng(4)
    first, second = rng.normal(190, 20, 40), rng.normal(184, 30, 40)
    frame = songs_of({"a": first[:, None].tolist(), "b": second[:, None].tolist()})
    (free,) = effects(frame, "style", baseline="b").to_dict("records")
    welch = stats.ttest_ind(first, second, equal_var=False)
    assert free["estimate"] / (free["detectable"]) != 0
    t = stats.t.isf(free["p"] / 2, free["degrees"])
    assert t == pytest.approx(abs(welch.statistic))
    assert free["degrees"] == pytest.approx(78)  # Satterthwaite's for equal variances
    blocked = frame.assign(block=[*range(40)] * 2)
    (paired,) = effects(blocked, "style", baseline="b").to_dict("records")
    reference = stats.ttest_rel(first, second)
    assert paired["degrees"] == pytest.approx(39)
    assert paired["p"] == pytest.approx(reference.pvalue)
    bounds = reference.confidence_interval(0.95)
    assert (paired["low"], paired["high"]) == pytest.approx((bounds.low, bounds.high))


def test_errors_against_statsmodels() -> None:
    rng = np.random.default_rng(1)
    matrix = np.column_stack(
        [np.ones(40), rng.integers(0, 2, 40), rng.integers(0, 3, 40) == 1, rng.normal(size=40)]
    ).astype("float64")
    values = rng.normal(size=(40, 1)) * (1 + matrix[:, [1]])
    single, pairs = Design(matrix, np.arange(40)), Design(matrix, np.repeat(np.arange(20), 2))
    prepared = single.contrasts(np.eye(4))
    reference = sm.OLS(values[:, 0], matrix).fit(cov_type="HC2")
    np.testing.assert_allclose(prepared.weights.T @ values[:, 0], reference.params)
    ours = single.variances(prepared, single.residuals(values))[:, 0]
    np.testing.assert_allclose(np.sqrt(ours), reference.bse)
    # CR2 of clusters, from its definition
    residuals = pairs.residuals(values)
    inverse = np.linalg.inv(matrix.T @ matrix)
    meat = np.zeros((4, 4))
    for rows in np.arange(40).reshape(20, 2):
        part = matrix[rows]
        power, vectors = np.linalg.eigh(np.eye(2) - part @ inverse @ part.T)
        score = part.T @ (vectors / np.sqrt(power)) @ vectors.T @ residuals[rows, 0]
        meat += np.outer(score, score)
    clustered = pairs.variances(pairs.contrasts(np.eye(4)), residuals)[:, 0]
    np.testing.assert_allclose(clustered, np.diag(inverse @ meat @ inverse))
    groups = {"groups": np.repeat(np.arange(20), 2)}
    plain = sm.OLS(values[:, 0], matrix).fit(
        cov_type="cluster", cov_kwds={**groups, "use_correction": False}
    )
    assert (plain.bse < np.sqrt(clustered)).all()  # CR0 is too small, CR2 corrects it
    np.testing.assert_allclose(plain.bse, np.sqrt(clustered), rtol=0.2)


def test_degrees_against_their_definition() -> None:
    rng = np.random.default_rng(3)
    matrix = np.column_stack([np.ones(15), rng.integers(0, 2, 15), rng.normal(size=15)])
    for cluster in (np.arange(15), np.repeat(np.arange(5), 3), rng.integers(0, 6, 15)):
        design = Design(matrix.astype("float64"), cluster)
        prepared = design.contrasts(np.array([[0.0, 1.0, 0.0]]))
        maker = np.eye(15) - design.basis @ design.basis.T
        marks = (cluster[:, None] == np.unique(cluster)).astype("float64")
        columns = maker @ (marks * prepared.adjusted)
        inner = columns.T @ columns
        assert prepared.degrees[0] == pytest.approx(np.trace(inner) ** 2 / (inner**2).sum())


def test_model_of_all_factors_against_statsmodels() -> None:
    rng = np.random.default_rng(2)
    grid = itertools.product(range(1, 4), ("v4", "v5"), ("jazz", "rock", "folk"), ("m", "f"))
    rows = [row for row in grid if rng.random() < 0.8]
    frame = plan_table(rows, ["mv", "tags", "voice"], lambda _: rng.normal(180, 9, 2))
    _, matrix, durations = task_rows(frame, ["mv", "tags", "voice", "block"])
    reference = sm.OLS(durations, matrix).fit(cov_type="HC2")
    result = effects(frame, "mv").iloc[0]
    sign = 1 if result["level"] == "v5" else -1
    assert sign * result["estimate"] == pytest.approx(reference.params[1])
    error = (result["high"] - result["low"]) / 2 / stats.t.ppf(0.975, result["degrees"])
    assert error == pytest.approx(reference.bse[1])
    means = adjusted_means(frame, "mv").set_index("level")["mean"]
    for level, code in (("v4", 0.0), ("v5", 1.0)):
        moved = matrix.copy()
        moved[:, 1] = code
        assert means[level] == pytest.approx((moved @ reference.params).mean())
    assert result["mean"] == pytest.approx(means[result["level"]])
    assert result["baseline_mean"] == pytest.approx(means[result["baseline"]])
    by_hand = effects(frame.drop(columns=["block"]), "mv", factors=["tags", "voice"])
    _, smaller, _ = task_rows(frame, ["mv", "tags", "voice"])
    assert sign * by_hand["estimate"][0] == pytest.approx(
        sm.OLS(durations, smaller).fit().params[1]
    )
    # without blocks, the other factors of the plan stay in the model
    pd.testing.assert_frame_equal(effects(frame.drop(columns=["block"]), "mv"), by_hand)
    alone = effects(frame, "mv", factors=[])
    _, smallest, _ = task_rows(frame, ["mv", "block"])
    assert sign * alone["estimate"][0] == pytest.approx(sm.OLS(durations, smallest).fit().params[1])


def test_interaction_against_statsmodels() -> None:
    rng = np.random.default_rng(5)
    grid = itertools.product(range(1, 5), ("v4", "v5"), ("jazz", "rock"), ("m", "f"))
    frame = plan_table([*grid], ["mv", "tags", "voice"], lambda _: rng.normal(180, 9, 2))
    tasks, _, durations = task_rows(frame, ["mv", "tags", "voice", "block"])
    one, two = (tasks["mv"] == "v5").to_numpy(float), (tasks["tags"] == "rock").to_numpy(float)
    others = [
        pd.get_dummies(tasks[name], drop_first=True, dtype=float) for name in ("voice", "block")
    ]
    matrix = np.column_stack([np.ones(len(tasks)), one, two, one * two, *others])
    reference = sm.OLS(durations, matrix).fit(cov_type="HC2")
    (row,) = effects(frame, ("mv", "tags")).to_dict("records")
    names = "mv \N{MULTIPLICATION SIGN} tags", "v5 \N{MULTIPLICATION SIGN} rock"
    assert (row["factor"], row["level"]) == names
    assert row["baseline"] == "v4 \N{MULTIPLICATION SIGN} jazz"
    assert row["estimate"] == pytest.approx(reference.params[3])
    assert row["mean"] - row["baseline_mean"] == pytest.approx(row["estimate"])
    error = (row["high"] - row["low"]) / 2 / stats.t.ppf(0.975, row["degrees"])
    assert error == pytest.approx(reference.bse[3])
    turned = effects(frame, ("mv", "tags"), baseline=("v5", "jazz"))
    assert turned["estimate"][0] == pytest.approx(-row["estimate"])


def test_factor_within_tasks_is_clustered() -> None:
    rng = np.random.default_rng(6)
    shared = rng.normal(180, 20, 12).tolist()
    frame = plan_table([(1, "x")] * 12, ["topic"], lambda _: shared.pop() + rng.normal(0, 2, 2))
    frame["place"] = frame["song_id"].str[-1]
    (row,) = effects(frame, "place").to_dict("records")
    first, second = (frame.loc[frame["place"] == place, "duration"] for place in "01")
    reference = stats.ttest_rel(second.to_numpy(), first.to_numpy())
    assert row["degrees"] == pytest.approx(11)
    assert row["p"] == pytest.approx(reference.pvalue)
    assert row["tasks"] == row["baseline_tasks"] == 12


def test_unbalanced_designs_do_not_bias() -> None:
    """One at a time: mv does nothing, the other factors do; the reviewed fault."""
    rows = [
        (block, *levels)
        for block in range(1, 11)
        for levels in (
            ("v4", "jazz", "rain"),
            ("v5", "jazz", "rain"),
            ("v4", "rock", "rain"),
            ("v4", "jazz", "sea"),
        )
    ]
    added = {"rock": 30.0, "sea": 20.0}
    rng = np.random.default_rng(7)
    frame = plan_table(
        rows,
        ["mv", "tags", "topic"],
        lambda row: 180 + sum(added.get(level, 0.0) for level in row[1:]) + rng.normal(0, 1, 2),
    )
    estimates = {
        factor: effects(frame, factor)["estimate"].item() for factor in ("mv", "tags", "topic")
    }
    assert estimates == pytest.approx({"mv": 0.0, "tags": 30.0, "topic": 20.0}, abs=1.2)


def test_effects_that_cannot_be_estimated_raise_with_the_reason() -> None:
    rng = np.random.default_rng(8)
    grid = itertools.product(range(1, 4), ("v4", "v5"), ("jazz", "rock"))
    frame = plan_table([*grid], ["mv", "tags"], lambda _: rng.normal(180, 9, 2))

    def assert_refused(pattern: str, frame: pd.DataFrame, factor: Any, **named: Any) -> None:
        with pytest.raises(BadFrame, match=pattern):
            effects(frame, factor, **named)

    assert_refused(
        "mv cannot be distinguished from .* tags, .* aliased", frame.assign(tags=frame["mv"]), "mv"
    )
    late = frame.assign(block=frame["mv"].map({"v4": 1, "v5": 2}))
    assert_refused("that of block, .* drop the column 'block'", late, "mv")
    assert len(effects(late.drop(columns="block"), "mv", factors=[])) == 1
    once = frame[frame["block"] == 1]
    assert_refused(
        "4 tasks leave no degrees of freedom .* mv, tags; buy repeats", once, ("mv", "tags")
    )
    assert_refused("2 tasks leave no degree", once[once["tags"] == "jazz"], "mv")
    corner = frame[(frame["mv"] == "v4") | (frame["tags"] == "jazz")]
    assert_refused("v5 .* rock does not", corner, ("mv", "tags"))
    assert_refused("column 'voice'", frame, "mv", factors=["voice"])
    # a level that only some rows cannot show is a row with a note
    some = pd.concat(
        [frame, frame.iloc[:2].assign(cell=99, mv="v6", block=9, task_id="t", song_id=["x", "y"])]
    )
    notes = effects(some, "mv").set_index("level")["note"]
    assert notes["v6"] == "aliased with the other factors"
    assert pd.isna(notes["v5"])


# --- families of tests ---------------------------------------------------------------------


def test_adjusted_p_against_dunnett() -> None:
    rng = np.random.default_rng(9)
    groups = [rng.normal(shift, 1, 60) for shift in (0.0, 0.3, 0.45, 0.1, 0.0)]
    values = {f"L{index}": group[:, None].tolist() for index, group in enumerate(groups)}
    result = effects(songs_of(values), "style")
    reference = stats.dunnett(*groups[1:], control=groups[0], random_state=1)
    # the smallest is adjusted for all, the largest for itself (step-down)
    order = np.argsort(result["p"])
    adjusted = result["p_adjusted"].to_numpy()[order]
    assert adjusted[0] == pytest.approx(min(reference.pvalue), abs=0.006)
    assert adjusted[-1] <= max(reference.pvalue) + 0.01
    bounds = reference.confidence_interval()
    np.testing.assert_allclose(result["joint_low"], bounds.low, atol=0.04)
    np.testing.assert_allclose(result["joint_high"], bounds.high, atol=0.04)


def test_adjusted_p_has_no_floor() -> None:
    """Twelve levels, ten blocks, six outcomes, one effect of 20 sd: the reviewed fault."""
    rng = np.random.default_rng(0)
    rows = [(block, f"L{index:02}") for block in range(1, 11) for index in range(12)]
    frame = plan_table(
        rows, ["style"], lambda row: 180 + 200 * (row[1] == "L11") + rng.normal(0, 10, 2)
    )
    for index in range(5):
        frame[f"y{index}"] = rng.normal(size=len(frame))
    result = effects(frame, "style", outcomes=["duration", *(f"y{index}" for index in range(5))])
    assert len(result) == 66
    large = result[(result["outcome"] == "duration") & (result["level"] == "L11")].iloc[0]
    assert 0 < large["p_adjusted"] < 1e-12
    assert (result["p_adjusted"] >= result["p"]).all()
    assert (result["p_adjusted"].drop(large.name) > 0.01).all()


@given(st.lists(st.floats(0, 0.999), min_size=1, max_size=6), st.floats(-0.2, 0.95))
@settings(max_examples=30, deadline=None)
def test_family_lies_between_no_correction_and_sidak(p: list[float], alike: float) -> None:
    size = len(p)
    correlation = np.where(np.eye(size) > 0, 1.0, alike if size > 1 else 1.0)
    family = Family([PValues(np.array(p)[:, None], correlation)])
    (adjusted,) = family.adjust()
    sidak = multipletests(np.array(p), method="holm-sidak")[1]
    assert (adjusted[:, 0] >= np.array(p) - 1e-12).all()
    assert (adjusted[:, 0] <= sidak + 1e-9).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(adjusted[order, 0]) >= -1e-12).all()
    assert 0.05 / size * 0.98 <= family.joint_p(0.95) <= 0.05 + 1e-9


def test_family_against_the_multivariate_normal() -> None:
    correlation = np.array([[1.0, 0.5, 0.5], [0.5, 1.0, 0.5], [0.5, 0.5, 1.0]])
    family = Family([PValues(np.array([[0.01], [0.2], [0.9]]), correlation)])
    normal = stats.multivariate_normal(cov=correlation)  # integrates to an error of 1e-5
    bound = stats.norm.isf(0.005)
    box = normal.cdf([bound] * 3, lower_limit=[-bound] * 3)
    assert family.adjust()[0][0, 0] == pytest.approx(1 - box, abs=0.003)
    bound = stats.norm.isf(family.joint_p(0.95) / 2)
    box = normal.cdf([bound] * 3, lower_limit=[-bound] * 3)
    assert box == pytest.approx(0.95, abs=0.004)
    missing = Family([PValues(np.array([[0.01], [math.nan]]), np.eye(2))])
    assert missing.adjust()[0][:, 0].tolist() == pytest.approx([0.01, math.nan], nan_ok=True)
    assert missing.joint_p(0.9) == pytest.approx(0.1)


@pytest.mark.parametrize("seed", range(5))
def test_corrections_against_statsmodels(seed: int) -> None:
    # few cases with many ties: statsmodels runs the garbage collector each time, which is slow
    rng = np.random.default_rng(seed)
    p = rng.choice([0.0, 0.001, 0.01, 0.04, 0.2, 1.0, math.nan, *rng.random(6)], 4 * seed)
    tested = ~np.isnan(p)
    for ours, theirs in (("holm", "holm"), ("bh", "fdr_bh")):
        result = adjust_p_values(p, ours)  # type: ignore[arg-type]  # a word of the pair above
        assert np.isnan(result[~tested]).all()
        if tested.any():
            np.testing.assert_allclose(result[tested], multipletests(p[tested], method=theirs)[1])


def test_correction_covers_all_rows() -> None:
    frame = songs_of(THREE).assign(other=lambda rows: rows["duration"] * (rows["cell"] % 2))
    ask = functools.partial(effects, frame, "style", outcomes=["duration", "other"])
    plain = ask(correction=None)
    assert plain["outcome"].tolist() == ["duration", "duration", "other", "other"]
    assert plain["p_adjusted"].equals(plain["p"])
    pairs: list[tuple[Correction, str]] = [("holm", "holm"), ("bh", "fdr_bh")]
    for ours, theirs in pairs:
        adjusted = ask(correction=ours)["p_adjusted"]
        np.testing.assert_allclose(adjusted, multipletests(plain["p"], method=theirs)[1])
    assert (ask()["p_adjusted"] <= ask(correction="holm")["p_adjusted"] + 1e-9).all()


# --- ratios --------------------------------------------------------------------------------


def test_ratio_agrees_with_the_difference() -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        values = {
            name: rng.gamma(2, scale, (6, 2)).tolist() for name, scale in (("a", 5), ("b", 9))
        }
        (gap,) = effects(songs_of(values), "style").to_dict("records")
        (ratio,) = effects(songs_of(values), "style", measure="ratio").to_dict("records")
        assert ratio["p"] == gap["p"]
        assert ratio["estimate"] == pytest.approx(ratio["mean"] / ratio["baseline_mean"])
        assert ratio["low"] < ratio["estimate"] < ratio["high"]
        assert (ratio["low"] > 1) == (gap["low"] > 0)
        assert (ratio["high"] < 1) == (gap["high"] < 0)


def test_fieller_bounds_solve_the_test() -> None:
    means = Means(*(np.array(value) for value in (30.0, 20.0, 9.0, 4.0, 1.5)))
    for ratio in mean_ratio_interval(means, Z):
        off = 30 - ratio * 20
        assert abs(off) == pytest.approx(Z * math.sqrt(9 - 2 * ratio * 1.5 + ratio**2 * 4))
    unclear = means._replace(baseline=np.array(3.0))
    low, high = mean_ratio_interval(unclear, Z)
    assert 0 < low < 10
    assert high == math.inf
    nothing = mean_ratio_interval(unclear._replace(mean=np.array(1.0)), Z)
    assert tuple(map(float, nothing)) == (0, math.inf)


def test_ratio_without_baseline_is_one_sided() -> None:
    frame = songs_of({"a": [[0.0, 0.0]] * 4, "b": [[1.0, 1.0]] * 4}).rename(
        columns={"duration": "kept"}
    )
    (row,) = effects(frame, "style", outcomes="kept", measure="ratio").to_dict("records")
    assert row["estimate"] == row["high"] == math.inf
    assert 1 < row["low"] < math.inf
    assert row["p"] < 0.03
    (never,) = effects(frame.assign(kept=0.0), "style", outcomes="kept", measure="ratio").to_dict(
        "records"
    )
    assert math.isnan(never["estimate"])
    assert (never["low"], never["high"], never["p"]) == (0, math.inf, 1)
    negative = songs_of({"a": [[-1.0], [-3.0]], "b": [[1.0], [2.0]]})
    assert math.isnan(effects(negative, "style", measure="ratio")["estimate"][0])


def test_ratio_of_two_columns_is_the_ratio_of_sums() -> None:
    rng = np.random.default_rng(10)
    tasks = pd.DataFrame({"cell": range(60), "mv": ["v4", "v5"] * 30})
    tasks["credits"] = np.where(tasks["mv"] == "v5", 20, 12)
    tasks["songs"] = rng.choice([0, 1, 2], 60, p=[0.1, 0.2, 0.7])
    (row,) = effects(tasks, "mv", outcomes=[("credits", "songs")]).to_dict("records")
    sums = tasks.groupby("mv")[["credits", "songs"]].sum()
    per_song = sums["credits"] / sums["songs"]
    assert row["outcome"] == "credits / songs"
    assert row["mean"] == pytest.approx(per_song["v5"])
    assert row["baseline_mean"] == pytest.approx(per_song["v4"])
    # the linearised variance of each ratio, with n / (n - 1)
    total = 0.0
    for level in ("v4", "v5"):
        part = tasks[tasks["mv"] == level]
        off = part["credits"] - per_song[level] * part["songs"]
        total += (off**2).sum() * 30 / 29 / sums["songs"][level] ** 2
    error = (row["high"] - row["low"]) / 2 / stats.t.ppf(0.975, row["degrees"])
    assert error == pytest.approx(math.sqrt(total))
    free = effects(tasks.assign(songs=0), "mv", outcomes=[("credits", "songs")])
    assert free["estimate"].isna().all()


# --- shares --------------------------------------------------------------------------------


def test_presence_is_defined_for_succeeded_songs() -> None:
    frame = songs_of({"a": [[1.0, 2.0], [3.0, 4.0], [5.0]], "b": [[1.0, 2.0], [3.0, 4.0], [5.0]]})
    frame.loc[9, "state"] = "failed"
    frame["state"] = frame["state"].astype(TEXT)
    song_tags = [
        ["Spy  Jazz", "x"],
        ["spy-jazz"],
        ["SPY JAZZ", "spy jazz"],
        ["jazz"],
        [],
        ["x"],
        ["spy jazz"],
        ["y"],
        [],
        [],
    ]
    tags = tag_table(frame, song_tags)
    ask = functools.partial(effects, tags=tags, presence=["spy jazz", "never"], outcomes=())
    result = ask(frame, "style").set_index("outcome")
    assert result.index.tolist() == ["tag: spy jazz", "tag: never"]
    row = row_of(result, "tag: spy jazz")
    assert (row["mean"], row["baseline_mean"]) == pytest.approx((1 / 4, 1 / 2))  # of tasks
    assert row[["songs", "tasks", "baseline_songs", "missing_songs"]].tolist() == [4, 2, 5, 1]
    assert row["estimate"] == pytest.approx(1 / 4 - 1 / 2)
    never = row_of(result, "tag: never")
    assert never["low"] < never["estimate"] == 0 < never["high"]
    assert never["p"] == 1
    relative = ask(frame, "style", measure="ratio").set_index("outcome")
    assert relative.loc["tag: spy jazz", "estimate"] == pytest.approx(1 / 2)
    unknown = row_of(relative, "tag: never")
    assert (unknown["low"], unknown["high"]) == (0, math.inf)
    # without a state, songs without any tag have no defined presence
    without = ask(frame.drop(columns="state"), "style").set_index("outcome")
    assert row_of(without, "tag: spy jazz")[
        ["songs", "baseline_songs", "missing_songs"]
    ].tolist() == [3, 4, 3]


def test_share_intervals_against_published_values() -> None:
    # Newcombe 1998, table II: 56/70 against 48/80
    shares = [Share(np.array(k / n), np.array(float(n))) for k, n in ((56, 70), (48, 80))]
    assert combined_interval((1, -1), shares, Z) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert combined_interval((1, -1), shares[::-1], Z) == pytest.approx(
        (-0.3339, -0.0524), abs=5e-5
    )
    low, high = share_ratio_interval(shares[0], shares[1], Z)
    assert share_ratio_interval(shares[1], shares[0], Z) == pytest.approx((1 / high, 1 / low))
    # the bounds are where the hypothesis p1 - r * p2 = 0 meets the bound of that difference
    (first, first_bounds), (second, second_bounds) = (
        (share.share, share.bounds(Z)) for share in shares
    )
    for r, own, other in (
        (low, first_bounds[0], second_bounds[1]),
        (high, first_bounds[1], second_bounds[0]),
    ):
        reach = math.hypot(first - own, r * (second - other))
        assert abs(first - r * second) == pytest.approx(reach)
    empty = Share(np.array(0.0), np.array(10.0))
    assert share_ratio_interval(empty, shares[0], Z)[0] == 0
    assert share_ratio_interval(shares[0], empty, Z)[1] == math.inf


def test_shares_have_intervals_where_all_tasks_agree() -> None:
    """Booleans, 0 and 1, and shares of five tasks: the reviewed faults."""
    frame = songs_of({"a": [[1.0, 1.0]] * 5, "b": [[1.0, 1.0]] * 5})
    columns = {
        "flag": frame["duration"] > 0,
        "nullable": (frame["duration"] > 0).astype("boolean"),
        "share": frame["duration"],
        "none": frame["duration"] * 0,
    }
    result = effects(frame.assign(**columns), "style", outcomes=list(columns))
    assert (result["low"] < -0.2).all()
    assert (result["high"] > 0.2).all()
    assert (result["p"] == 1).all()
    mixed = songs_of({"a": [[1.0, 1.0]] * 5, "b": [[0.0, 0.0]] * 5}).rename(
        columns={"duration": "kept"}
    )
    (row,) = effects(mixed, "style", outcomes="kept").to_dict("records")
    assert -1 <= row["low"] < -0.4
    assert row["p"] < 0.03
    missing = mixed.assign(kept=(mixed["kept"] > 0).astype("boolean").mask(mixed["cell"] == 0))
    assert effects(missing, "style", outcomes="kept")["missing_songs"].tolist() == [2]
    # figures within 0 and 1 that do not vary as shares of few cases have narrow intervals
    rng = np.random.default_rng(0)
    steady = songs_of({name: (rng.normal(0.33, 0.005, (8, 2))).tolist() for name in "ab"})
    (row,) = effects(
        steady.rename(columns={"duration": "energy"}), "style", outcomes="energy"
    ).to_dict("records")
    assert row["high"] - row["low"] < 0.02
    # seconds are no shares, however short
    quick = steady.rename(columns={"duration": "queue_seconds"})
    (row,) = effects(quick, "style", outcomes="queue_seconds").to_dict("records")
    assert row["high"] - row["estimate"] == pytest.approx(row["estimate"] - row["low"])


def test_p_of_shares_belongs_to_their_interval() -> None:
    for seed in range(8):
        rng = np.random.default_rng(seed)
        values = {
            name: (rng.random((9, 2)) < share).astype(float).tolist()
            for name, share in (("a", 0.3), ("b", 0.8))
        }
        frame = songs_of(values).rename(columns={"duration": "kept"})
        p = effects(frame, "style", outcomes="kept")["p"].item()
        inside = effects(frame, "style", outcomes="kept", level=1 - p * 0.99).iloc[0]
        outside = effects(frame, "style", outcomes="kept", level=1 - p * 1.01).iloc[0]
        assert inside["low"] <= 0 <= inside["high"]
        assert outside["low"] > 0 or outside["high"] < 0


# --- what changes nothing ------------------------------------------------------------------


VALUES = st.lists(
    st.lists(st.integers(1, 300).map(float), min_size=1, max_size=3), min_size=2, max_size=6
)


@given(VALUES, VALUES)
@settings(max_examples=12, deadline=None)
def test_swapping_level_and_baseline_inverts_the_effect(
    first: list[list[float]], second: list[list[float]]
) -> None:
    frame = songs_of({"a": first, "b": second})
    frame["low_value"] = frame["duration"] < 150
    ask = functools.partial(effects, frame, "style", outcomes=["duration", "low_value"])
    forth, back = ask(baseline="a"), ask(baseline="b")
    np.testing.assert_allclose(forth["estimate"], -back["estimate"], atol=1e-9)
    np.testing.assert_allclose(forth["low"], -back["high"], atol=1e-9)
    np.testing.assert_allclose(forth["joint_low"], -back["joint_high"], atol=1e-9)
    np.testing.assert_allclose(forth["p"], back["p"], atol=1e-9)
    np.testing.assert_allclose(forth["detectable"], back["detectable"])
    assert forth[["songs", "tasks"]].equals(
        back[["baseline_songs", "baseline_tasks"]].set_axis(["songs", "tasks"], axis=1)
    )


@given(st.data(), st.tuples(VALUES, VALUES, VALUES))
@settings(max_examples=12, deadline=None)
def test_level_names_and_row_order_do_not_matter(
    data: st.DataObject, values: tuple[list[list[float]], ...]
) -> None:
    frame = songs_of(dict(zip("abc", values, strict=True)))
    tags = tag_table(frame, [["low"] if value < 150 else ["high"] for value in frame["duration"]])
    ask = functools.partial(effects, factor="style", tags=tags, presence=["low"])
    plain = ask(frame, baseline="a")
    shuffled = frame.loc[data.draw(st.permutations(list(frame.index)))]
    names = {"a": "z", "b": "10", "c": "9"}
    renamed = ask(frame.replace({"style": names}), baseline="z")
    np.testing.assert_allclose(renamed[FIGURES], plain[FIGURES])
    again = ask(shuffled, baseline="a")
    sort = ["outcome", "level"]
    left, right = (item.sort_values(sort).reset_index(drop=True) for item in (plain, again))
    np.testing.assert_allclose(left[FIGURES], right[FIGURES], rtol=1e-6, atol=1e-3)
    defined = plain.dropna(subset=["low", "high"])
    assert (defined["low"] <= defined["estimate"] + 1e-9).all()
    assert (defined["estimate"] <= defined["high"] + 1e-9).all()
    assert plain["p"].dropna().between(0, 1).all()


def test_level_of_confidence_widens_the_interval() -> None:
    wide, narrow = (effects(songs_of(THREE), "style", level=level).loc[0] for level in (0.99, 0.8))
    assert wide["low"] < narrow["low"] < narrow["high"] < wide["high"]


# --- tables as they come -------------------------------------------------------------------


def test_level_order_and_missing_level() -> None:
    frame = songs_of({"b": [[1.0], [2.0]], "a": [[2.0], [4.0]], "c": [[3.0], [1.0]]})
    assert effects(frame, "style")["level"].tolist() == ["a", "c"]
    ordered = frame.assign(style=pd.Categorical(frame["style"], ["c", "a", "b"]))
    result = effects(ordered, "style")
    assert (result["level"].tolist(), set(result["baseline"])) == (["a", "b"], {"c"})
    incomplete = frame.assign(
        style=pd.Series([None, None, "x", "x", " ", " "], dtype=TEXT), on=[True, False] * 3
    )
    assert effects(incomplete, "style", baseline="x")["level"].tolist() == ["(none)", "(blank)"]
    assert effects(incomplete, "on", baseline=False)[["level", "baseline"]].iloc[0].tolist() == [
        "True",
        "False",
    ]
    assert level_codes(frame[:0], "style")[1] == []


def test_few_tasks_have_no_interval() -> None:
    frame = songs_of(
        {
            "a": [[1.0, 2.0], [3.0, 5.0]],
            "b": [[4.0], [9.0], [8.0]],
            "c": [[7.0, 7.0]],
            "d": [[math.nan]],
        }
    )
    result = effects(frame, "style").set_index("level")
    assert result["estimate"].tolist()[:2] == pytest.approx([7 - 2.75, 7 - 2.75])
    assert result[["low", "high"]].notna().all(axis=1).tolist() == [True, False, False]
    assert result.loc["d", ["estimate", "p", "mean"]].isna().all()
    assert result["tasks"].tolist() == [3, 1, 0]
    assert result["note"].tolist()[1:] == [
        "a level has one task only",
        "no song of a level has a value",
    ]
    endless = frame.assign(duration=frame["duration"].replace(9.0, math.inf))
    first = row_of(effects(endless, "style"), 0)
    assert (first["mean"], first["missing_songs"]) == (pytest.approx(6), 1)
    pd.testing.assert_frame_equal(
        effects(endless.replace(math.inf, 1e200), "style"), effects(endless, "style")
    )
    constant = row_of(effects(songs_of({"a": [[5.0]] * 4, "b": [[7.0]] * 4}), "style"), 0)
    assert constant["estimate"] == pytest.approx(2)
    assert math.isnan(constant["low"])
    assert constant["note"] == "the tasks of a level are all alike"


def test_tables_of_the_package_are_accepted() -> None:
    replies = [
        {
            "task_id": f"t{index}",
            "code": 200,
            "data": [
                {
                    "clip_id": f"c{index}{song}",
                    "state": "succeeded",
                    "duration": str(100 + 9 * index + song),
                    "tags": "slow, \N{FIRE}" if index % 2 else 'a "b", slow',
                }
                for song in range(2)
            ],
        }
        for index in range(8)
    ]
    songs = mnb.songs_frame(replies)
    songs["asked"] = songs["task_id"].map(lambda name: "hot" if int(name[1:]) % 2 else "cold")
    result = effects(songs, "asked", tags=mnb.tags_frame(replies), presence=["\N{FIRE}", "slow"])
    assert result["estimate"].tolist() == pytest.approx([9, 1, 0])
    assert result["tasks"].tolist() == [4, 4, 4]
    rated = songs.assign(rating=pd.array([1, None, 3, 4] * 4, dtype="Int64"))
    assert effects(rated, "asked", outcomes="rating")["missing_songs"].tolist() == [4]


def test_one_row_a_task_is_accepted() -> None:
    rng = np.random.default_rng(3)
    tasks = pd.DataFrame(
        {"cell": range(40), "mv": ["v4", "v5"] * 20, "failed": rng.random(40) < 0.3}
    )
    result = effects(tasks, "mv", outcomes="failed")
    assert result[["songs", "tasks"]].to_numpy().tolist() == [[20, 20]]


def test_empty_table_has_all_columns_and_dtypes() -> None:
    full = effects(songs_of(THREE), "style")
    for frame in (songs_of(THREE)[:0], mnb.songs_frame([]).assign(style="x"), songs_of(THREE)[:1]):
        nothing = effects(frame, "style")
        assert nothing.dtypes.equals(full.dtypes)
        assert len(nothing) == 0
        assert len(adjusted_means(frame, "style")) <= 1
    empty = mnb.tags_frame([])
    no_tags = effects(songs_of(THREE), "style", tags=empty, presence=["x"], outcomes=())
    assert no_tags["estimate"].tolist() == [0, 0]
    lost = songs_of(THREE).assign(state="failed", duration=math.nan)
    failed = effects(lost, "style", tags=empty, presence=["x"])
    assert failed[["estimate", "low", "high", "p"]].isna().all(axis=None)
    assert failed["songs"].tolist() == [0] * 4
    assert failed.dtypes.equals(full.dtypes)


def test_invalid_tables_are_refused() -> None:
    frame = songs_of(THREE)
    tags = tag_table(frame, [["x"]] * len(frame))

    def assert_refused(pattern: str, frame: Any, factor: Any = "style", **named: Any) -> None:
        with pytest.raises((BadFrame, InvalidArgument), match=pattern):
            effects(frame, factor, **named)

    assert_refused("column 'mv'", frame, "mv")
    assert_refused("'duration' .* is text, not number or boolean", frame.assign(duration="long"))
    assert_refused("no level 'metal'; it has jazz, rock, folk", frame, baseline="metal")
    assert_refused("1 tasks leave no degrees of freedom", frame.assign(cell=1, task_id="t"))
    assert_refused("no 'cell' or 'task_id' column", frame.drop(columns=["cell", "task_id"]))
    by_task = frame.drop(columns="cell")
    by_task["task_id"] = by_task["task_id"].where(by_task["task_id"] != "t1")
    assert_refused("2 of 21 rows .* have no 'task_id'", by_task)
    assert_refused("cell 0 .* several tasks", frame.assign(cell=0))
    assert_refused("given together", frame, tags=tags)
    assert_refused("given together", frame, presence=["x"])
    assert_refused("column 'song_id'", frame, presence=["x"], tags=tags.drop(columns="song_id"))
    assert_refused("column 'tag'", frame, presence=["x"], tags=tags.drop(columns="tag"))
    for name in ("block", "cell", "state"):
        twice = pd.concat([frame.assign(block=1), frame[["cell"]].set_axis([name], axis=1)], axis=1)
        assert_refused(f"2 columns named '{name}'", twice, presence="x", tags=tags)
    duplicated = pd.concat([frame, frame[:1]])
    assert_refused(
        "2 rows .* cell 0, task_id 't0', song_id 's0.0', so this song is duplicated", duplicated
    )
    lists = pd.Series([["x"]] * len(frame), dtype=object)
    assert_refused("'style' .* is object, not single values", frame.assign(style=lists))
    assert_refused("'duration' .* is complex128, not number", frame.assign(duration=1j))
    assert_refused(
        "'task_id' is int64 in .* and text in", frame.assign(task_id=1), presence="x", tags=tags
    )
    assert_refused("factor must be", frame, ["style"])
    assert_refused("presence must be a name .* not .3.", frame, presence=[3], tags=tags)
    assert_refused("measure must be .* not 'odds'", frame, measure="odds")
    assert_refused("correction must be .* not 'none'", frame, correction="none")
    assert_refused("outcomes must be .* not 3", frame, outcomes=3)
    assert_refused("outcomes must be", frame, outcomes=[("a", "b", "c")])
    assert_refused("factor must be", frame, ("style", "style"))
    assert_refused("baseline must be a pair", frame.assign(x="y"), ("style", "x"), baseline="jazz")
    assert_refused("no measure", frame.assign(x="y"), ("style", "x"), measure="ratio")
    assert_refused("level .* not 95", frame, level=95)
    assert_refused("is a list, not a DataFrame", [1])
    assert len(cluster_codes(by_task, cluster="song_id")) == 21


def test_adjusted_share_of_a_level_without_values_is_missing() -> None:
    songs = songs_of({"jazz": [[1.0], [0.0]], "rock": [[1.0], [1.0]], "folk": [[math.nan]]})
    rows = adjusted_means(songs, "style").set_index("level")
    assert rows["mean"].dropna().to_dict() == {"jazz": 0.5, "rock": 1.0}
    assert rows.loc["folk", ["low", "high"]].isna().all()
