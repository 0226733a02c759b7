"""Substitutions: small chains by hand, and recovery of the simulator's rules."""

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicapi_nb import frames, substitution_graph, substitutions
from musicapi_nb.errors import BadFrame, InvalidArgument
from musicapi_nb.frames.text_dtype import TEXT
from musicapi_nb.simulator.tag_rewriting import studio_steps
from musicapi_nb.simulator.vocabulary import (
    COMPOUNDS,
    DECADES,
    FEATURES,
    GENRES,
    INSTRUMENTS,
    MOODS,
    RULES,
    VOICES,
    Rule,
)
from tests.replies import STUDIO, sample

DTYPES = ["int64", TEXT, TEXT, TEXT, "float64", "int64", "float64", "float64", "float64", "int64"]
KIND = {"rewrite": "rewritten", "drop": "dropped", "add": "added"}
Steps = Sequence[tuple[str, Sequence[str]]]


def chains(*songs: tuple[str, Steps]) -> pd.DataFrame:
    """Return the table of steps from (task, steps as source and tags) of each song."""
    rows: list[tuple[Any, ...]] = []
    for index, (task, steps) in enumerate(songs):
        for step, (source, tags) in enumerate(steps):
            built: list[tuple[Any, Any]] = [*enumerate(tags)]
            built = built or [(None, None)]
            rows += [(task, f"s{index}", step, source, position, tag) for position, tag in built]
    columns = ["task_id", "song_id", "step", "source", "position", "tag"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.astype(dict.fromkeys(("task_id", "song_id", "source", "tag"), TEXT))


def counts(frame: pd.DataFrame, step: int = 0) -> dict[tuple[str | None, str | None, str], float]:
    rows = frame[frame["step"] == step].to_dict("records")
    return {
        (
            row["source"] if isinstance(row["source"], str) else None,
            row["target"] if isinstance(row["target"], str) else None,
            row["kind"],
        ): row["count"]
        for row in rows
    }


# --- small chains ---------------------------------------------------------------------------


def test_attribution_from_one_song() -> None:
    result = substitutions(chains(("t", [("Jazz, sad", ["jazz", "melancholic", "vocal jazz"])])))
    assert counts(result) == pytest.approx(
        {
            ("jazz", "jazz", "kept"): 1,
            ("jazz", "vocal jazz", "added"): 1,
            ("sad", "melancholic", "rewritten"): 1,
        },
        abs=0.05,
    )
    assert list(result.dtypes) == DTYPES
    assert result["low"].isna().all()


def test_part_of_a_lost_tag_is_its_rewriting() -> None:
    result = substitutions(chains(("t", [("spy jazz, mpb", ["spy", "jazz", "mpb"])])))
    assert counts(result) == {
        ("spy jazz", "spy", "rewritten"): 1,
        ("spy jazz", "jazz", "rewritten"): 1,
        ("mpb", "mpb", "kept"): 1,
    }


def test_attribution_combines_songs() -> None:
    # "a" always comes with "x": so "b" became "y", and "c" became "z"
    songs = [("t1", "a, b", ["x", "y"]), ("t2", "a, c", ["z", "x"]), ("t3", "a, d", ["x", "d"])]
    result = substitutions(chains(*((task, [(text, tags)]) for task, text, tags in songs)))
    assert counts(result) == pytest.approx(
        {
            ("a", "x", "rewritten"): 3,
            ("b", "y", "rewritten"): 1,
            ("c", "z", "rewritten"): 1,
            ("d", "d", "kept"): 1,
        },
        abs=0.05,
    )


def test_steps_are_counted_separately() -> None:
    steps = chains(
        ("t1", [("warm, jazz", ["jazz"]), ("jazz", ["jazz", "warm"])]),
        ("t1", [("warm, jazz", ["warm", "jazz"])]),
        ("t2", [("jazz", [])]),
    )
    songs = steps[["task_id", "song_id"]].drop_duplicates()
    songs["requested"] = pd.Series(["Warm Jazz", None, "jazz"], index=songs.index, dtype=TEXT)
    result = substitutions(steps, songs=songs, requested_tags="requested")
    assert counts(result, -1) == {
        ("warm jazz", "warm", "rewritten"): 1,
        ("warm jazz", "jazz", "rewritten"): 1,
        (None, "warm", "added"): 1,
        (None, "jazz", "added"): 1,
        ("jazz", "jazz", "kept"): 1,
    }
    assert counts(result, 0) == {
        ("jazz", "jazz", "kept"): 2,
        ("jazz", None, "dropped"): 1,
        ("warm", "warm", "kept"): 1,
        ("warm", None, "dropped"): 1,
    }
    assert counts(result, 1) == {("jazz", "jazz", "kept"): 1, ("jazz", "warm", "added"): 1}
    jazz = result[(result["step"] == 0) & (result["source"] == "jazz")]
    assert jazz["cases"].tolist() == [3, 3]
    assert jazz["tasks"].tolist() == [2, 2]
    assert jazz["share"].tolist() == pytest.approx([2 / 3, 1 / 3])


def test_sample_reply() -> None:
    reply = sample(STUDIO)
    steps, songs = frames.replaced_tags_frame(reply), frames.songs_frame(reply)
    result = substitutions(steps, songs=songs, requested_tags="prompt", min_count=0.4)
    assert counts(result)["spy jazz", "jazz", "rewritten"] == 1
    assert counts(result)["bossa nova", "bossa nova", "kept"] == 2
    assert counts(result)["bossa nova", "vocal jazz", "added"] == pytest.approx(2, abs=0.05)
    assert counts(result, -1)["spy jazz", "spy", "rewritten"] == 1
    assert counts(result, 1)["mpb", "mpb", "kept"] == 2
    assert set(result["step"]) == {-1, 0, 1}


# --- what must hold of any table ------------------------------------------------------------

tags = st.lists(st.sampled_from(["a", "b", "a b", "c", "d", "e"]), max_size=4, unique=True)
tables = st.lists(st.tuples(st.integers(0, 3), tags, tags), min_size=1, max_size=10)


@settings(max_examples=20, deadline=None)
@given(tables)
def test_counts_cover_every_source_and_new_tag(
    rows: list[tuple[int, list[str], list[str]]],
) -> None:
    steps = chains(*((f"t{task}", [(", ".join(before), after)]) for task, before, after in rows))
    result = substitutions(steps, min_count=0)
    assert list(result.dtypes) == DTYPES
    assert result["share"].between(0, 1 + 1e-9).all()
    assert ((result["low"] <= result["share"] + 1e-9) | result["low"].isna()).all()
    assert ((result["high"] >= result["share"] - 1e-9) | result["high"].isna()).all()
    counted = counts(result)
    occurrences = Counter(word for _, before, _ in rows for word in before)
    kept_words = Counter(word for _, before, after in rows for word in before if word in after)
    new = Counter(word for _, before, after in rows for word in after if word not in before)
    for word, number in occurrences.items():
        by_kind = {key[2]: 0.0 for key in counted}
        for (source, _, kind), count in counted.items():
            by_kind[kind] += count if source == word else 0.0
        assert by_kind.get("kept", 0) == kept_words[word]
        total = sum(by_kind.get(kind, 0) for kind in ("kept", "dropped", "rewritten"))
        if word == "a b":  # it alone may have become several
            assert number - 1e-3 <= total <= 2 * number + 1e-3
        else:
            assert total == pytest.approx(number, abs=1e-3)
    for word, number in new.items():
        causes = sum(
            count
            for (_, target, kind), count in counted.items()
            if target == word and kind in {"rewritten", "added"}
        )
        assert causes >= number - 1e-3
    full = result[result["kind"].isin(["kept", "dropped"])]
    assert (full["cases"] == full["source"].map(occurrences)).all()


def test_song_order_does_not_matter() -> None:
    rows: list[tuple[str, list[str]]] = [
        ("a, b", ["x", "b"]),
        ("a", ["x"]),
        ("b, c", ["b", "y"]),
        ("c", []),
        ("a, c", ["c", "z"]),
    ]
    songs = [(f"t{index // 2}", [item]) for index, item in enumerate(rows)]
    first, second = substitutions(chains(*songs)), substitutions(chains(*songs[::-1]))
    pd.testing.assert_frame_equal(first, second, rtol=1e-6)


# --- the simulator's rules ------------------------------------------------------------------


@pytest.fixture(scope="module")
def simulated() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return 4000 studio tasks of a genre and another tag, as songs with prompts and as steps."""
    rng = random.Random(0)
    others = [*MOODS, *INSTRUMENTS, *FEATURES, *VOICES, "lo-fi", "rap", "sax", "synth-pop"]
    rows: list[tuple[str, Steps]] = []
    prompts: list[tuple[str, str, str]] = []
    for task in range(4000):
        prompt = f"{rng.choice(list(GENRES))}, {rng.choice(others)}"
        for first in (True, False):
            rows.append((f"t{task}", studio_steps(prompt, rng, first=first)))
            prompts.append((f"t{task}", f"s{len(prompts)}", prompt))
    songs = pd.DataFrame(prompts, columns=["task_id", "song_id", "prompt"], dtype=TEXT)
    return songs, chains(*rows)


@pytest.fixture(scope="module")
def rules(simulated: tuple[pd.DataFrame, pd.DataFrame]) -> pd.DataFrame:
    songs, steps = simulated
    return substitutions(steps, songs=songs, requested_tags="prompt")


def of_rule(result: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    copy = (result["source"] == rule.tag) & (result["kind"] == KIND[rule.kind])
    target = result["target"].isna() if rule.kind == "drop" else result["target"] == rule.to
    return result[(result["step"] == 0) & copy & target]


def chance_of(rule: Rule) -> float:
    """Return the chance of a rule; a rewriting applies only if none before it did."""
    before = RULES[: RULES.index(rule)]
    others = [item.chance for item in before if item.tag == rule.tag and item.kind == "rewrite"]
    return rule.chance * float(np.prod([1 - chance for chance in others]))


def frequent_rules(result: pd.DataFrame) -> list[Rule]:
    """Return the rules of tags in 40 sources or more; a song's second decade is never returned."""
    rows = result[(result["step"] == 0) & (result["kind"] == "kept")]
    often = rows[rows["cases"] >= 40]["source"].tolist()
    return [rule for rule in RULES if rule.tag in often and rule.to not in DECADES]


def test_simulated_rules_are_recovered(rules: pd.DataFrame) -> None:
    frequent = frequent_rules(rules)
    assert len(frequent) > 300
    by_kind: dict[str, list[bool]] = {kind: [] for kind in KIND}
    for rule in frequent:
        row = of_rule(rules, rule)
        within = (row["low"] <= chance_of(rule)) & (chance_of(rule) <= row["high"])
        by_kind[rule.kind].append(len(row) == 1 and bool(within.all()))
    for result in by_kind.values():
        assert np.mean(result) > 0.85
    assert 0.92 <= np.mean([item for result in by_kind.values() for item in result]) < 0.99


def test_most_frequent_target_is_right(rules: pd.DataFrame) -> None:
    rewritten = [rule for rule in frequent_rules(rules) if rule.kind == "rewrite"]
    assert len(rewritten) >= 8
    for source in {rule.tag for rule in rewritten}:
        rows = rules[(rules["step"] == 0) & (rules["source"] == source)]
        top = rows[rows["kind"] == "rewritten"].sort_values("count").iloc[-1]
        right = [rule for rule in rewritten if rule.tag == source]
        assert top["target"] in {rule.to for rule in right}
        assert rows["share"][rows["kind"] == "dropped"].sum() < 0.1


def test_added_tags_are_not_mistaken_for_a_rewriting(rules: pd.DataFrame) -> None:
    spelled, tag = "rap", "hip hop"
    rows = rules[(rules["step"] == 0) & (rules["source"] == spelled)]
    top = rows.iloc[0]
    assert (top["kind"], top["target"]) == ("rewritten", tag)
    assert top["share"] > 0.95
    assert rows["share"][(rows["kind"] == "rewritten")].iloc[1:].sum() < 0.1
    company = rows[rows["kind"] == "added"].set_index("target")["share"]
    for rule in RULES:
        if rule.tag == tag and rule.kind == "add" and rule.chance > 0.5:
            assert company[rule.to] == pytest.approx(rule.chance, abs=0.2)


def test_twelve_songs_identify_a_spelling() -> None:
    # only frequencies identify which of the new tags "rap" became
    right = 0
    for seed in range(10):
        rng = random.Random(seed)
        prompt = "rap, warm"
        rows = [
            (f"t{index // 2}", studio_steps(prompt, rng, first=index % 2 == 0))
            for index in range(12)
        ]
        result = substitutions(chains(*rows))
        right += counts(result).get(("rap", "hip hop", "rewritten"), 0) == pytest.approx(
            12, abs=0.5
        )
    assert right >= 9


def test_another_spelling_is_the_same_tag() -> None:
    steps = chains(
        ("t", [("lo-fi, warm", ["chillhop", "lofi", "warm"])]),
        ("u", [("lofi, D&B", ["Lofi", "drum and bass"])]),
    )
    result = substitutions(steps, min_count=0)
    rows = result[result["source"].isin(["lofi", "drum and bass", "d&b"])]
    unchanged = rows[rows["kind"] == "kept"][["source", "target", "count"]]
    assert sorted(unchanged.to_numpy().tolist()) == [["d&b", "d&b", 1.0], ["lofi", "lofi", 2.0]]
    assert "lo-fi" not in set(result["source"])


def test_control_identifies_the_adding_tag() -> None:
    prompts = ("spy jazz", "spy jazz, bossa nova", "jazz, spy", "jazz")  # the last is the control
    for seed in range(4):
        rng = random.Random(seed)
        songs = [
            (f"{prompt} {task}", studio_steps(prompt, rng, first=first))
            for prompt in prompts
            for task in range(50)
            for first in (True, False)
        ]
        result = counts(substitutions(chains(*songs)))
        assert result["spy", "spy jazz", "added"] > 90
        assert ("jazz", "spy jazz", "added") not in result


def test_few_false_attributions(rules: pd.DataFrame) -> None:
    unchanged = {
        word
        for word in (*GENRES, *MOODS, *INSTRUMENTS)
        if not any(rule.tag == word and rule.kind != "add" for rule in RULES)
    }
    rows = rules[(rules["step"] == 0) & rules["source"].isin(unchanged)]
    assert set(rows["kind"]) == {"kept", "added"}
    truth = {(rule.tag, rule.to) for rule in RULES if rule.kind == "add"}
    added = rows[rows["kind"] == "added"]
    right = [pair in truth for pair in zip(added["source"], added["target"], strict=True)]
    assert added["count"][right].sum() > 0.97 * added["count"].sum()


def test_compounds_are_rewritten_as_their_head(rules: pd.DataFrame) -> None:
    requested = rules[rules["step"] == -1]
    for compound, (head, *_) in COMPOUNDS.items():
        rows = requested[requested["source"] == compound].set_index("target")
        assert rows.loc[compound, "share"] == pytest.approx(0.5)
        assert rows.loc[head, "share"] == pytest.approx(0.5)
        assert rows.loc[head, "kind"] == "rewritten"


def test_dropped_tag_can_return_at_a_later_step(rules: pd.DataFrame) -> None:
    # a tag in no source of this step was requested and dropped before: here it has no cause
    back = rules[(rules["step"] == 1) & rules["source"].isna()]["target"].tolist()
    assert "warm" in back or "midtempo" in back


# --- intervals ------------------------------------------------------------------------------


def coverage(cluster: str | None) -> float:
    """Return the coverage of the interval of "kept" if a task's songs are always equal."""
    rng = np.random.default_rng(3)
    chance, runs, tasks = 0.6, 200, 40
    songs: list[tuple[str, Steps]] = []
    for run in range(runs):
        for task, is_kept in enumerate(rng.random(tasks) < chance):
            step = (f"w{run}", [f"w{run}"] if is_kept else [])
            songs += [(f"{run}/{task}", [step])] * 2
    result = substitutions(chains(*songs), cluster=cluster)
    rows = result[result["kind"] == "kept"]
    assert len(rows) == runs
    return float(((rows["low"] <= chance) & (chance <= rows["high"])).mean())


def test_coverage_requires_clustering_by_task() -> None:
    # the standard error of a coverage of 0.95 is 0.015 over 200 runs
    assert 0.92 <= coverage(None) <= 0.985
    assert coverage("song_id") < 0.89


def test_ambiguous_attribution_widens_intervals() -> None:
    alike = [
        (f"t{index}", [("a, b", ["a", "b", "x"] if index % 2 else ["a", "b"])])
        for index in range(40)
    ]
    apart = [(f"t{index}", [("a", ["a", "x"] if index % 2 else ["a"])]) for index in range(40)]
    both, single = (substitutions(chains(*songs)) for songs in (alike, apart))
    both, single = (item[item["kind"] == "added"] for item in (both, single))
    assert both["source"].tolist() == ["a", "b"]
    assert (both["high"] - both["low"]).min() > 1.2 * (single["high"] - single["low"]).iloc[0]


# --- the graph ------------------------------------------------------------------------------


def test_graph_of_a_table() -> None:
    steps = chains(
        ("t1", [("sad, dropped", ["melancholic"]), ("melancholic", ["melancholic", "sad"])]),
        ("t2", [("sad, dropped", ["sad"]), ("sad", ["melancholic"])]),
    )
    frame = substitutions(steps, min_count=0)
    graph = substitution_graph(frame)
    assert isinstance(graph, nx.DiGraph)
    assert {node for node in graph if graph.nodes[node]["kind"] == "tag"} == {
        ("tag", word) for word in ("sad", "dropped", "melancholic")
    }
    lost = graph.edges[("tag", "dropped"), ("dropped", "")]
    assert lost == {
        "weight": pytest.approx(2),
        "share": pytest.approx(1),
        "steps": (0,),
        "kinds": ("dropped",),
    }
    became = graph.edges[("tag", "sad"), ("tag", "melancholic")]
    assert became["weight"] == pytest.approx(2, abs=0.1)
    assert became["share"] == pytest.approx(2 / 3, abs=0.05)
    assert became["steps"] == (0, 1)
    assert sum(weight for *_, weight in graph.edges(data="weight")) == pytest.approx(
        frame["count"].sum()
    )
    assert len(substitution_graph(frame.head(0))) == 0


# --- bad input ------------------------------------------------------------------------------


def test_empty_tables_have_all_columns() -> None:
    for steps in (chains(), frames.replaced_tags_frame([]), chains(("t", [("", [])]))):
        result = substitutions(steps)
        assert result.empty
        assert list(result.dtypes) == DTYPES
    songs = frames.songs_frame([])
    assert substitutions(chains(), songs=songs, requested_tags="prompt").empty


def test_unusual_tags_are_counted() -> None:
    tags = ["🎷 jazz", '"quoted", twice', "\U0001f600"]
    result = substitutions(chains(("t", [("x", tags)]), ("u", [("x", tags)])), min_count=0)
    assert set(tags) <= set(result["target"].dropna())


SMALL = chains(("t", [("jazz", ["jazz"])]))


def substitute_songs(songs: pd.DataFrame) -> pd.DataFrame:
    return substitutions(SMALL, songs=songs, requested_tags="source")


def test_duplicated_rows_count_once() -> None:
    steps = chains(("t", [("jazz, spy", ["jazz"])]), ("u", [("jazz", ["x"])]))
    result = substitutions(pd.concat([steps, steps]))
    pd.testing.assert_frame_equal(result, substitutions(steps))


@pytest.mark.parametrize(
    ("spoil", "kind", "message"),
    [
        (lambda: substitutions(SMALL.drop(columns="source")), BadFrame, "'source'"),
        (lambda: substitutions(SMALL.assign(step="first")), BadFrame, "'step'"),
        (lambda: substitutions(SMALL.assign(step=0.5)), BadFrame, "1 of 1 values of column 'step'"),
        (
            lambda: substitutions(pd.concat([SMALL, SMALL.assign(step=math.nan)])),
            BadFrame,
            "1 of 2 values of column 'step'",
        ),
        (lambda: substitutions(SMALL.assign(task_id=None)), BadFrame, "'task_id'"),
        (
            lambda: substitute_songs(pd.concat([SMALL, SMALL])),
            BadFrame,
            "2 rows of songs.*song_id 's0'",
        ),
        (lambda: substitute_songs(SMALL.assign(task_id=7)), BadFrame, "'task_id' is text in steps"),
        (lambda: substitutions(SMALL, requested_tags="prompt"), InvalidArgument, "pass songs"),
        (lambda: substitutions(SMALL, songs=SMALL, requested_tags="prompt"), BadFrame, "'prompt'"),
        (lambda: substitutions(SMALL, level=2), InvalidArgument, "level"),
        (lambda: substitution_graph(SMALL), BadFrame, "'target'"),
    ],
)
def test_invalid_tables_are_refused(
    spoil: Callable[[], Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        spoil()
