"""Plots of drift, variance, stability and dose response: what they draw is that of the table."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import musicapi_nb as mnb
from musicapi_nb import plots
from musicapi_nb.errors import BadFrame
from musicapi_nb.frames.text_dtype import TEXT
from tests.plot_inspection import all_text, intervals, marker_positions, row_labels
from tests.plot_tables import (
    MANY,
    TAGS,
    cooccurrence_frame,
    dose_response_frame,
    drift_frame,
    effects_frame,
    stability_frame,
    variance_frame,
)

BLUE, RED, GREY = "#0072b2", "#d55e00", "#7f7f7f"


def task_times(number: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    days = pd.to_timedelta(np.arange(number) / 4, unit="D")
    seconds = rng.normal(60, 5, number) + 25 * (np.arange(number) >= number // 2)
    frame = pd.DataFrame({"submitted_at": pd.Timestamp("2026-11-01T08:00:00Z") + days})
    return frame.assign(task_id=[f"t{k}" for k in range(number)], render_seconds=seconds)


def test_drift_draws_periods_changes_and_tasks() -> None:
    tasks = task_times(80)
    table = mnb.drift(tasks, ["render_seconds"])

    ax = plots.drift(table, tasks)

    means = [line for line in ax.lines if to_hex(line.get_color()) == BLUE]
    heights = [np.asarray(line.get_ydata(), float).tolist() for line in means]
    assert heights == [[mean, mean] for mean in table["mean"]]
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert sorted(np.asarray(dots[0].get_ydata(), float)) == sorted(tasks["render_seconds"])
    changes = [line for line in ax.lines if to_hex(line.get_color()) == RED]
    assert len(changes) == len(table) - 1 == 1
    assert "p < 0.001" in all_text(ax)
    assert "80 tasks\n1 change" in all_text(ax)
    bands = [band for band in ax.collections if isinstance(band, PolyCollection)]
    assert [band.get_paths()[0].get_extents().ymin for band in bands] == table["low"].tolist()
    assert not [line for line in plots.drift(table).lines if line.get_marker() == "o"]


def test_panels_are_limited_and_counted() -> None:
    ax = plots.drift(drift_frame(MANY[:20]))
    assert len(ax.child_axes) == 6
    assert "14 more outcomes not drawn" in all_text(ax)
    assert len(plots.drift(drift_frame(MANY[:20]), top=2).child_axes) == 2
    responses = plots.dose_response(dose_response_frame(MANY[:20]))
    assert len(responses.child_axes) == 6
    assert "14 more outcomes not drawn" in all_text(responses)


def test_variance_plot_shows_correlations_and_effective_songs() -> None:
    table = variance_frame(TAGS)
    table.loc[2, "effective_songs_high"] = np.inf
    table.loc[4, ["icc", "low", "high"]] = np.nan

    ax = plots.variance(table)

    assert row_labels(ax) == list(TAGS)
    assert marker_positions(ax, "o") == table["icc"][:4].tolist()
    assert intervals(ax, BLUE) == table.loc[:3, ["low", "high"]].to_numpy().tolist()
    assert "no estimate" in all_text(ax)
    assert "\N{INFINITY}]" in all_text(ax)
    assert "30 tasks, 58 songs" in all_text(ax)
    assert "476 more outcomes" in all_text(plots.variance(variance_frame(MANY)))


def test_stability_draws_likeness_too() -> None:
    table = stability_frame(TAGS)
    for name, mean in (("likeness_within", 0.7), ("likeness_between", 0.4)):
        bounds = {f"{name}_low": mean - 0.1, f"{name}_high": mean + 0.1}
        table = table.assign(**{name: mean, **bounds})

    ax = plots.stability(table)

    text = all_text(ax)
    assert "Similarity of songs" in text
    assert "sound: songs of the same task" in text
    points = [line for line in ax.lines if line.get_marker() in {"o", "s", "^", "D"}]
    marks = [line.get_marker() for line in points]
    assert [marks.count(marker) for marker in "os^D"] == [len(table)] * 4
    sounds = [line for line in points if line.get_marker() == "^"]
    assert [float(np.asarray(line.get_xdata())[0]) for line in sounds] == [0.7] * len(table)
    heights = {float(np.asarray(line.get_ydata())[0]) for line in points}
    assert len(heights) == 4 * len(table)  # no two lie on each other


def test_stability_draws_both_similarities() -> None:
    table = stability_frame(TAGS)

    ax = plots.stability(table)

    for name, colour, marker in (("jaccard_within", BLUE, "o"), ("jaccard_between", RED, "s")):
        assert marker_positions(ax, marker) == table[name].tolist()
        bounds = table[[f"{name}_low", f"{name}_high"]].to_numpy().tolist()
        assert intervals(ax, colour) == bounds
    assert row_labels(ax) == list(TAGS)
    assert "476 more levels" in all_text(plots.stability(stability_frame(MANY)))
    with pytest.raises(BadFrame, match="no column of levels"):
        plots.stability(table.drop(columns="prompt"))


def test_dose_response_draws_the_line_and_the_means() -> None:
    table = dose_response_frame(["duration"]).assign(p_adjusted=0.2, p_linear=0.01)
    means = pd.DataFrame({"level": ["0.1", "0.5", "none"], "outcome": "duration"})
    means = means.assign(mean=[140.0, 155.0, 99.0], low=130.0, high=160.0)
    means = means.astype({"level": TEXT, "outcome": TEXT})

    ax = plots.dose_response(table, means)

    (line,) = [line for line in ax.lines if to_hex(line.get_color()) == BLUE]
    doses, values = np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)
    np.testing.assert_allclose(values, 150 + table["slope"][0] * (doses - 0.5))
    assert (doses[0], doses[-1]) == (0.1, 0.9)
    assert line.is_dashed()
    assert marker_positions(ax, "o") == [0.1, 0.5]
    assert "not a line" in all_text(ax)
    (clear,) = plots.dose_response(table.assign(p_adjusted=0.01)).lines
    assert not clear.is_dashed()


def test_effects_can_show_what_would_be_found() -> None:
    table = effects_frame(["v5"], ["duration", "tag: jazz"]).assign(detectable=[20.0, np.nan])

    seconds = plots.effects(table, detectable=True).child_axes[0]

    assert intervals(seconds, GREY) == [[-20.0, 20.0]]
    assert not intervals(plots.effects(table).child_axes[0], GREY)
    with pytest.raises(BadFrame, match="detectable"):
        plots.effects(table.drop(columns="detectable"), detectable=True)


def test_map_on_dark_axes_is_dark_where_shares_are_small() -> None:
    axes = Figure(facecolor="black").add_subplot(facecolor="black")
    plots.cooccurrence(cooccurrence_frame(TAGS), ax=axes)
    light = plots.cooccurrence(cooccurrence_frame(TAGS))
    luminance = [
        [sum(image.cmap(share)[:3]) for share in (0.0, 1.0)]
        for image in (axes.images[0], light.images[0])
    ]
    assert luminance[0][0] < luminance[0][1]
    assert luminance[1][0] > luminance[1][1]
