"""Single plots: lengths, intervals, counts and orders are those of the table."""

import re
from typing import Any

import matplotlib.colors
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.patches import PathPatch, Rectangle, StepPatch

from musicapi_nb import cooccurrence, plots, sound_adherence
from musicapi_nb.errors import BadFrame
from musicapi_nb.plots.sankey_layout import ADDED, DROPPED, MORE, flow
from tests.plot_inspection import all_text, intervals, marker_positions, row_labels
from tests.plot_tables import (
    MANY,
    TAGS,
    adherence_frame,
    cooccurrence_frame,
    costs_frame,
    dose_response_frame,
    drift_frame,
    effects_frame,
    preference_tables,
    sets_series,
    songs_frame,
    sound_matches_frame,
    substitutions_frame,
    variance_frame,
)

BLUE, RED, GREEN = "#0072b2", "#d55e00", "#009e73"


def test_costs_draw_a_panel_for_each_known_measure() -> None:
    table = costs_frame(TAGS)
    ax = plots.costs(table)
    panels = ax.child_axes
    assert [panel.get_xlabel().split("\n")[0] for panel in panels] == [
        "credits per song",
        "credits per hour of music",
    ]
    arrows = [line for panel in panels for line in panel.lines if line.get_marker() == ">"]
    assert len(arrows) == np.isinf(table["high"]).sum()
    text = all_text(ax)
    assert "\N{INFINITY}]" in text
    assert all(tag in text for tag in TAGS)
    unknown = table.assign(units=table["units"].where(table["measure"] == "credits per song"))
    assert not plots.costs(unknown).child_axes
    money = {"money": table["estimate"], "money_low": table["low"], "money_high": table["high"]}
    assert "EUR per song" in all_text(plots.costs(table.assign(**money, currency="EUR")))
    assert "Nothing to show" in all_text(plots.costs(table.assign(units=np.nan)))


def test_adherence_draws_measures_and_intervals() -> None:
    table = adherence_frame(TAGS)

    ax = plots.adherence(table)

    for measure, colour, marker in (
        ("recall", BLUE, "o"),
        ("precision", RED, "s"),
        ("jaccard", GREEN, "^"),
    ):
        rows = table[table["measure"] == measure]
        assert marker_positions(ax, marker) == rows["estimate"].tolist()
        assert intervals(ax, colour) == rows[["low", "high"]].to_numpy().tolist()
        assert f"{measure}:" in all_text(ax).casefold() or measure == "jaccard"
    assert row_labels(ax) == list(TAGS)
    for tasks in table["tasks"]:
        assert f"{tasks} tasks\n{2 * tasks} songs" in all_text(ax)


def test_single_measure_is_centred_in_its_row() -> None:
    table = adherence_frame(TAGS)

    ax = plots.adherence(table[table["measure"] == "recall"])

    rows = [line.get_ydata() for line in ax.lines if line.get_marker() == "o"]
    assert [float(np.asarray(places)[0]) for places in rows] == [0, 1, 2, 3, 4]


def test_levels_keep_the_order_of_the_table() -> None:
    ax = plots.adherence(adherence_frame(["v5", "v3-5", "v4"]))

    assert row_labels(ax) == ["v5", "v3-5", "v4"]
    top, bottom = ax.get_ylim()[::-1]
    assert top < bottom


def test_categories_keep_their_order() -> None:
    songs = songs_frame(["v5", "v3-5", "v4"], 4)
    songs["mv"] = pd.Categorical(songs["mv"], ["v3-5", "v4", "v5"])

    assert row_labels(plots.durations(songs, by="mv")) == ["v3-5", "v4", "v5"]


def test_undefined_measure_is_noted() -> None:
    table = adherence_frame(TAGS)
    table.loc[0, ["estimate", "low", "high"]] = np.nan

    ax = plots.adherence(table)

    assert "recall: not defined here" in all_text(ax)
    assert len(marker_positions(ax, "o")) == len(TAGS) - 1


def test_hidden_rows_are_counted() -> None:
    assert "476 more levels" in all_text(plots.adherence(adherence_frame(MANY)))
    assert "497 more levels" in all_text(plots.adherence(adherence_frame(MANY), top=3))
    assert "464 more rows" in all_text(
        plots.effects(effects_frame(["v5"], [f"tag: {tag}" for tag in MANY]))
    )
    displayed = cooccurrence_frame(MANY, songs=1000)
    others = len(set(displayed["tag"]))
    assert f"{others - 24} more tags" in all_text(plots.cooccurrence(displayed))
    assert "480 more are ignored" in all_text(plots.upset(sets_series(MANY)))
    assert "488 more tags" in all_text(plots.substitutions(substitutions_frame(MANY)))
    assert "476 more levels" in all_text(plots.durations(songs_frame(MANY, 1), by="mv"))
    assert "488 more levels" in all_text(plots.latencies(songs_frame(MANY, 1), by="mv"))


def test_preference_draws_scores_and_pairs_with_decisions() -> None:
    scores, pairs = preference_tables(["v5", "v4", "v3"])
    pairs["p_adjusted"] = [0.2, 0.01, np.nan]
    pairs.loc[2, ["low", "high", "share"]] = np.nan

    ax = plots.preference(scores, pairs)

    upper, lower = ax.child_axes
    assert row_labels(upper) == ["v5", "v4", "v3"]
    assert marker_positions(upper, "o") == scores["score"].tolist()
    assert intervals(upper, BLUE) == scores[["low", "high"]].to_numpy().tolist()
    assert row_labels(lower) == ["v5 against v4", "v5 against v3", "v4 against v3"]
    assert marker_positions(lower, "o") == pairs["difference"].tolist()
    assert intervals(lower, BLUE) == pairs[["low", "high"]][:2].to_numpy().tolist()
    points = [line for line in lower.lines if line.get_marker() == "o"]
    fills = [matplotlib.colors.to_hex(point.get_markerfacecolor()) for point in points]
    assert fills == ["#ffffff", BLUE, "#ffffff"]
    text = all_text(ax)
    assert "p 0.01" in text
    assert "never compared" in text
    assert "no interval" in text


def test_preference_without_pairs_or_answers() -> None:
    scores, pairs = preference_tables([f"level {number}" for number in range(30)])
    ax = plots.preference(scores, top=4)
    assert row_labels(ax) == ["level 0", "level 1", "level 2", "level 3"]
    assert "the best 4 of 30" in all_text(ax)
    assert "431 more pairs" in all_text(plots.preference(scores, pairs, top=4))
    assert "Nothing to show" in all_text(plots.preference(scores.assign(score=np.nan)))
    with pytest.raises(BadFrame, match="versus"):
        plots.preference(scores, scores)


def test_effects_fills_points_of_small_adjusted_p() -> None:
    table = effects_frame(["v4-5", "v5"], ["duration"])
    # the interval of the second row leaves out 0, but the decision is that of the adjusted p
    table["p_adjusted"], table.loc[1, "low"] = [0.004, 0.3], 1.0

    ax = plots.effects(table)

    lines = [line for line in ax.lines if line.get_marker() == "o"]
    assert marker_positions(ax, "o") == table["estimate"].tolist()
    assert intervals(ax, BLUE) == table[["low", "high"]].to_numpy().tolist()
    is_filled = [matplotlib.colors.to_hex(line.get_markerfacecolor()) == BLUE for line in lines]
    assert is_filled == [True, False]
    assert row_labels(ax) == ["duration", "v4-5", "v5"]
    assert "22 tasks, 44 songs" in all_text(ax)
    for row in table.itertuples():
        assert f"p {row.p_adjusted:.2g}" in all_text(ax)
        assert f"{row.tasks} tasks, {row.songs} songs" in all_text(ax)


def test_effects_draws_simultaneous_intervals_on_request() -> None:
    table = effects_frame(["v4-5", "v5"], ["duration"])

    ax = plots.effects(table, simultaneous=True)

    assert intervals(ax, BLUE) == table[["joint_low", "joint_high"]].to_numpy().tolist()
    assert "intervals hold together" in all_text(ax)
    assert "intervals hold row by row" in all_text(plots.effects(table))


def test_effects_of_different_units_have_separate_panels() -> None:
    table = effects_frame(["v4-5", "v5"], ["duration", "tag: jazz", "rating", "tag: spy jazz"])

    ax = plots.effects(table)

    seconds, shares, rating = ax.child_axes
    assert row_labels(seconds) == ["duration", "v4-5", "v5"]
    assert row_labels(shares) == ["tag: jazz", "v4-5", "v5", "tag: spy jazz", "v4-5", "v5"]
    assert row_labels(rating) == ["rating", "v4-5", "v5"]
    assert "percentage points" in shares.get_xlabel()
    assert marker_positions(rating, "o") == table[table["outcome"] == "rating"]["estimate"].tolist()


def test_measured_outcomes_are_named_with_their_units() -> None:
    outcomes = ("tempo", "vocal_share", "clap_score")
    ax = plots.effects(effects_frame(("v5", "v6"), outcomes))
    headings = [row_labels(panel)[0] for panel in ax.child_axes]
    assert headings == ["Tempo (bpm)", "Energy where voices sing (share)", "clap_score"]
    assert ax.child_axes[0].get_xlabel() == "difference in tempo (bpm)"
    assert re.search(r"^[+\u2212]\d+\.\d bpm \[", all_text(ax), re.MULTILINE)
    drift = drift_frame(outcomes)
    for ax in (plots.dose_response(dose_response_frame(outcomes)), plots.drift(drift)):
        assert [panel.get_ylabel() for panel in ax.child_axes][::2] == ["Tempo (bpm)", "clap_score"]
    assert row_labels(plots.variance(variance_frame(outcomes)))[0] == "Tempo (bpm)"


def test_ratios_are_on_a_symmetric_log_scale() -> None:
    table = effects_frame(["v5"], ["jazz", "spy", "mpb"], measure="ratio")
    table.loc[1, "high"] = np.inf
    table.loc[2, ["estimate", "low", "high", "p_adjusted"]] = np.nan

    ax = plots.effects(table)

    low, high = ax.get_xlim()
    assert ax.get_xscale() == "log"
    assert low * high == pytest.approx(1)
    assert low < table["low"][0] < table["high"][0] < high
    assert [table["low"][1], high] in intervals(ax, BLUE)
    assert marker_positions(ax, ">") == [high]
    assert "\N{INFINITY}" in all_text(ax)
    assert "no estimate" in all_text(ax)


def test_ratio_of_zero_is_written_but_not_drawn() -> None:
    table = effects_frame(["v5"], ["tag: jazz", "tag: spy"], measure="ratio")
    table.loc[1, ["estimate", "low", "high"]] = [0.0, 0.0, 0.5]

    ax = plots.effects(table)

    assert marker_positions(ax, "o") == [table["estimate"][0]]
    assert "\N{MULTIPLICATION SIGN}0.00 [" in all_text(ax)


def test_effects_top_selects_the_smallest_p() -> None:
    table = effects_frame(["v5"], [f"tag: {tag}" for tag in MANY])

    ax = plots.effects(table, top=3)

    smallest = table.nsmallest(3, "p_adjusted").sort_index()
    assert row_labels(ax) == smallest["outcome"].tolist()


def test_heatmap_cells_are_shares() -> None:
    table = cooccurrence_frame(TAGS)

    ax = plots.cooccurrence(table)

    sizes = table.drop_duplicates("tag").set_index("tag")["tag_songs"]
    labels = {f"{tag} ({size})": tag for tag, size in sizes.items()}
    order = pd.DataFrame({"tag": [labels[label] for label in row_labels(ax)]})
    assert sorted(order["tag"]) == sorted(TAGS)
    cells = np.asarray(ax.images[0].get_array().filled(np.nan))  # type: ignore[union-attr]  # masked
    wide = table.pivot_table(index="tag", columns="other_tag", values="conditional")
    expected = wide.reindex(index=order["tag"], columns=order["tag"]).to_numpy()
    np.testing.assert_array_equal(cells, expected)
    texts = all_text(ax)
    for low, high in table[["low", "high"]].to_numpy():
        assert f"{100 * low:.0f} to {100 * high:.0f}" in texts


def test_heatmap_marks_unusual_pairs() -> None:
    row = {
        "tag": "a",
        "other_tag": "b",
        "songs": 100,
        "tag_songs": 50,
        "other_songs": 40,
        "joint_songs": 30,
        "support": 0.3,
        "lift": 1.5,
        "conditional": 0.6,
        "low": 0.45,
        "high": 0.73,
        "p_adjusted": 0.01,
    }
    back = {
        **row,
        "tag": "b",
        "other_tag": "a",
        "tag_songs": 40,
        "other_songs": 50,
        "conditional": 0.2,
        "lift": 0.4,
        "low": 0.1,
        "high": 0.4,
    }
    unsure = {**row, "tag": "c", "tag_songs": 30, "low": 0.3, "high": 0.8, "p_adjusted": 0.06}

    ax = plots.cooccurrence(pd.DataFrame([row, back, unsure]))

    labels = [label.split()[0] for label in row_labels(ax)]
    cells = {
        tuple(labels[round(place)] for place in reversed(text.get_position())): text.get_text()
        for text in ax.texts
    }
    assert cells == {
        ("a", "b"): "60 % \N{BLACK UP-POINTING TRIANGLE}\n45 to 73",
        ("b", "a"): "20 % \N{BLACK DOWN-POINTING TRIANGLE}\n10 to 40",
        ("c", "b"): "60 %\n30 to 80",
    }


def test_heatmap_puts_tags_together_that_occur_together() -> None:
    rows = [
        (f"t{index}", f"s{index}", tag)
        for index in range(60)
        for tag in (("a", "d", "e") if index % 2 else ("b", "c", "f"))
        if (index // 2 + ord(tag)) % 5
    ]
    tags = pd.DataFrame(rows, columns=["task_id", "song_id", "tag"])

    order = [label.split()[0] for label in row_labels(plots.cooccurrence(cooccurrence(tags)))]

    assert {"".join(sorted(order[:3])), "".join(sorted(order[3:]))} == {"ade", "bcf"}


def test_upset_counts_songs_and_tags() -> None:
    sets = sets_series(TAGS)

    bars, dots, sizes = plots.upset(sets, top=6).child_axes

    largest = sets.sort_values(ascending=False)
    heights = [bar.get_height() for bar in bars.patches if isinstance(bar, Rectangle)]
    assert heights == largest.head(6).tolist()
    has = sets.index.to_frame(index=False)
    counted = {tag: int(sets.to_numpy()[has[tag]].sum()) for tag in TAGS}
    ranked = sorted(TAGS, key=lambda tag: -counted[tag])
    assert row_labels(sizes) == [f"{tag} ({counted[tag]})" for tag in ranked]
    widths = [bar.get_width() for bar in sizes.patches if isinstance(bar, Rectangle)]
    assert [width for width in widths if width > 1] == [counted[tag] for tag in ranked]
    full = [line for line in dots.lines if line.get_markersize() == 7]
    assert sum(len(np.asarray(line.get_xdata())) for line in full) == sum(
        sum(combination) for combination in largest.head(6).index
    )


def test_upset_merges_combinations_of_fewer_tags() -> None:
    index = pd.MultiIndex.from_tuples(
        [(True, False), (True, True), (False, True), (False, False)], names=["a", "b"]
    )
    sets = pd.Series([5, 4, 3, 2], index=index, name="songs")

    ax = plots.upset(sets, top_sets=1)

    bars = ax.child_axes[0]
    assert [bar.get_height() for bar in bars.patches if isinstance(bar, Rectangle)] == [9, 5]
    assert "none of these tags" in all_text(ax)
    assert "the 1 most frequent tag; 1 more is ignored" in all_text(ax)


def test_ribbon_thickness_is_the_count() -> None:
    table = substitutions_frame(TAGS)

    ax = plots.substitutions(table)

    ribbons = [patch for patch in ax.patches if isinstance(patch, PathPatch)]
    thick = [np.ptp(np.asarray(patch.get_path().vertices)[[0, 7], 1]) for patch in ribbons]
    np.testing.assert_allclose(
        sorted(np.array(thick) / max(thick)), sorted(table["count"] / table["count"].max())
    )
    texts = all_text(ax)
    assert texts.count("60 % [50, 70]") == 2 * len(TAGS)
    for heading in (
        "requested",
        "as understood",
        "after rewriting",
        "kept",
        "rewritten",
        "dropped (30)",
    ):
        assert heading in texts


def test_flow_joins_rare_tags() -> None:
    table = substitutions_frame(["dropped", "added", *MANY[:30]], steps=1)
    table.loc[table["source"] == "dropped", "cases"] = 90

    result = flow(table, 3)

    requested, after = result.columns
    assert ("tag", "dropped") in requested
    assert set(requested) > {MORE, ADDED}
    assert set(after) > {MORE, DROPPED}
    assert len(requested) == 3 + len((MORE, ADDED))
    assert result.hidden == [29, 29]
    assert sum(ribbon.weight for ribbon in result.ribbons) == table["count"].sum()
    assert after[DROPPED] == table[table["kind"] == "dropped"]["count"].sum()


def test_added_tags_are_drawn_below_their_source() -> None:
    table = substitutions_frame(TAGS, steps=1)
    along = {**table.iloc[0].to_dict(), "target": "mpb", "kind": "added", "count": 12.0}
    table = pd.concat([table, pd.DataFrame([along])], ignore_index=True)

    result = flow(table, 12)
    ax = plots.substitutions(table)

    assert result.added[0] == {("tag", TAGS[0]): 12.0}
    assert result.columns[0]["tag", TAGS[0]] == 60 + 12
    assert f"{TAGS[0]} (60)" in all_text(ax)
    assert "mpb (12)" in all_text(ax)
    assert "other tags that it added" in all_text(ax)


def test_node_of_two_rewritings_has_both_sizes() -> None:
    row = substitutions_frame(["spy jazz"], steps=1).iloc[0].to_dict()
    both = [
        {**row, "target": target, "kind": "rewritten", "count": 60.0} for target in ("spy", "jazz")
    ]

    result = flow(pd.DataFrame(both), 12)

    assert result.columns[0]["tag", "spy jazz"] == 120
    assert result.counts[0]["tag", "spy jazz"] == 60


def test_durations_draw_dots_or_an_outline() -> None:
    songs = songs_frame(["v4", "v5"], 10)
    songs.loc[[0, 5], "duration"] = np.nan

    few = plots.durations(songs, by="mv")
    large = plots.durations(songs_frame(["v4", "v5"], 200), by="mv")

    assert sorted(marker_positions(few, "o")) == sorted(songs["duration"].dropna())
    medians = songs.groupby("mv")["duration"].median()
    assert marker_positions(few, "D") == [medians["v4"], medians["v5"]]
    assert "2 songs without a duration left out" in all_text(few)
    assert "18 songs" in all_text(few)
    assert marker_positions(large, "o") == []
    assert sum(isinstance(patch, StepPatch) for patch in large.patches) == 2
    assert "400 songs" in all_text(large)


def test_latencies_count_each_task_once() -> None:
    songs = songs_frame(["v4", "v5"], 10)

    ax = plots.latencies(songs, by="mv")

    tasks = songs.drop_duplicates("task_id")
    times = [*tasks["queue_seconds"], *tasks["render_seconds"]]
    assert sorted(marker_positions(ax, "o")) == sorted(times)
    assert row_labels(ax) == [
        "v4 \N{MIDDLE DOT} queue",
        "render",
        "v5 \N{MIDDLE DOT} queue",
        "render",
    ]
    assert all_text(ax).count("10 tasks") == 4
    total = plots.latencies(songs[["task_id", "mv", "total_seconds"]])
    assert len(marker_positions(total, "o")) == 20


def test_timeline_draws_queue_and_render_times() -> None:
    songs = songs_frame(["v5"], 6)
    tasks = songs.drop_duplicates("task_id").reset_index(drop=True)
    songs.loc[songs["cell"] == 2, "finished_at"] = pd.NaT
    songs.loc[songs["cell"] == 3, "state"] = "failed"
    songs.loc[songs["cell"] == 5, ["submitted_at", "started_at", "finished_at"]] = pd.NaT

    ax = plots.timeline(songs.sample(frac=1, random_state=1))

    queue, render = (lines for lines in ax.collections if isinstance(lines, LineCollection))
    start = tasks["submitted_at"].min()
    submitted = (tasks["submitted_at"] - start).dt.total_seconds()[:5]
    np.testing.assert_allclose([first[0][0] for first in queue.get_segments()], submitted)
    waits = [float(np.ptp(first[:, 0])) for first in queue.get_segments()]
    np.testing.assert_allclose(waits, tasks["queue_seconds"][:5], atol=1e-5)
    renders = [float(np.ptp(first[:, 0])) for first in render.get_segments()]
    done = [0, 1, 3, 4]
    np.testing.assert_allclose(
        np.array(renders)[done], tasks["render_seconds"].to_numpy()[done], atol=1e-5
    )
    assert row_labels(ax) == [f"cell {cell}" for cell in range(5)]
    for texts in (
        "succeeded: 3",
        "failed: 1",
        "not finished: 1",
        "Timeline of 5 tasks",
        "1 task without a submit time left out",
    ):
        assert texts in all_text(ax)
    assert "22 Nov 2026, 10:00 UTC" in all_text(ax)


def test_timeline_of_unfinished_tasks_ends_at_the_last_time() -> None:
    waiting = songs_frame(["v5"], 3).assign(started_at=None, finished_at=None, state="pending")

    ax = plots.timeline(waiting)

    assert "not finished: 3" in all_text(ax)
    queue = next(lines for lines in ax.collections if isinstance(lines, LineCollection))
    assert [float(first[1][0]) for first in queue.get_segments()] == [6.0, 6.0, 6.0]


def test_unusual_tables_are_drawn() -> None:
    effects = effects_frame(TAGS, ["duration"])
    empty = {"estimate": np.nan, "low": np.nan, "high": np.nan, "p_adjusted": np.nan}
    songs = songs_frame(TAGS, 3)

    assert "no estimate" in all_text(plots.effects(effects.assign(**empty)))
    assert "no estimate" in all_text(plots.effects(effects.assign(measure="ratio", **empty)))
    assert "median 2:00" in all_text(plots.durations(songs.assign(duration=120.0)))
    assert "1 song" in all_text(plots.durations(songs.iloc[:1]))
    assert "Nothing to show" in all_text(plots.durations(songs.assign(duration=np.nan)))
    assert "(missing)" in all_text(plots.durations(songs.assign(mv=None), by="mv"))
    slow = songs.assign(render_seconds=songs["render_seconds"] * 1000)
    assert ":00:00" in all_text(plots.latencies(slow))
    neither = pd.MultiIndex.from_tuples([(False, False)], names=["a", "b"])
    assert "none of these tags" in all_text(plots.upset(pd.Series([2], index=neither)))


def test_sound_adherence_draws_the_table_and_every_tempo() -> None:
    matches = sound_matches_frame(TAGS)
    table = sound_adherence(matches)

    ax = plots.sound_adherence(matches)

    shares, tempi = ax.child_axes
    assert row_labels(shares) == ["tempo", "key", "duration", "instrumental"]
    rows = table[table["followed"].notna()]
    assert [x for x in marker_positions(shares, "o") if x] == rows["followed"].tolist()
    drawn = intervals(shares, BLUE)
    assert [line for line in drawn if line] == rows[["low", "high"]].to_numpy().tolist()
    unknown: Any = table.set_index("property").loc["instrumental", "unknown"]
    assert f"0 songs, {unknown} unknown" in all_text(shares)
    points = [line for line in tempi.lines if line.get_marker() in set("os^")]
    compared = matches["tempo_relation"].notna().sum()
    assert sum(len(np.asarray(line.get_xdata())) for line in points) == compared
    measured = np.concatenate([np.asarray(line.get_ydata()) for line in points])
    assert sorted(measured) == sorted(matches["measured_tempo"].dropna())


def test_without_requested_tempi_there_is_one_panel() -> None:
    matches = sound_matches_frame(TAGS)
    matches[["requested_tempo", "requested_tempo_low", "requested_tempo_high"]] = np.nan
    matches["tempo_relation"] = matches["tempo_relation"].where(matches["tempo_relation"].isna())
    ax = plots.sound_adherence(matches)
    assert not ax.child_axes
    assert row_labels(ax) == ["key", "duration", "instrumental"]
