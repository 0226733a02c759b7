"""Small seeded tables for plots, in the form that the analyses return."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from musicapi_nb import sound_matches
from musicapi_nb.frames.text_dtype import TEXT

HOSTILE = (
    "$x$ and $\\alpha_{",
    "jazz, with \"quotes\", 'more', and commas",
    "saxo \N{SAXOPHONE} funk \N{PARTY POPPER}",
    "\u0645\u0648\u0633\u064a\u0642\u0649 \u0627\u0644\u062c\u0627\u0632",
    "\u202eoverridden\u202c",
    "a" * 300,
    "a" * 299 + "b",
    "\u65e5\u672c\u306e\u30b8\u30e3\u30ba",
    "<b>bold</b> & %s {x}",
    "line\nbreak\ttab",
    "z\u0335\u0321\u031b\u032e\u035a\u031calgo",
    "_underscore_ \\frac{1}{2}",
)
TAGS = ("jazz", "spy jazz", "bossa nova", "1960s", "film score")
MANY = tuple(f"tag {number}" for number in range(500))


def adherence_frame(levels: Sequence[str], *, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for level in levels:
        tasks = int(rng.integers(3, 40))
        for measure in ("recall", "precision", "jaccard"):
            estimate, half = rng.random(), rng.uniform(0.02, 0.15)
            low, high = max(0.0, estimate - half), min(1.0, estimate + half)
            rows.append((level, measure, estimate, low, high, tasks, 2 * tasks))
    names = ["prompt", "measure", "estimate", "low", "high", "tasks", "songs"]
    frame = pd.DataFrame(rows, columns=names)
    return frame.astype({"prompt": TEXT, "measure": TEXT})


def costs_frame(levels: Sequence[str], *, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for level in levels:
        tasks = int(rng.integers(3, 40))
        for measure, scale in (("credits per song", 10.0), ("credits per hour of music", 200.0)):
            estimate = scale * rng.uniform(1, 2)
            high = estimate * rng.uniform(1.1, 2) if rng.random() < 0.7 else np.inf
            row = (level, measure, estimate, 0.8 * estimate, high)
            rows.append((*row, 2.0 * tasks, tasks, 2 * tasks, 20.0 * tasks))
    names = ["prompt", "measure", "estimate", "low", "high", "units", "tasks", "songs", "credits"]
    frame = pd.DataFrame(rows, columns=names)
    return frame.astype({"prompt": TEXT, "measure": TEXT})


def effects_frame(
    levels: Sequence[str], outcomes: Sequence[str], *, measure: str = "difference", seed: int = 0
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for outcome in outcomes:
        base, scale = {"duration": (150.0, 12.0), "rating": (3.0, 0.6)}.get(outcome, (0.5, 0.15))
        for level in levels:
            estimate = rng.uniform(-2, 2) * scale
            low, high = estimate - scale, estimate + scale
            mean = base + estimate
            if measure == "ratio":
                estimate, low, high = np.exp([estimate, low, high])
            p = rng.random()
            tasks = int(rng.integers(15, 40))
            rows.append(
                (
                    "mv",
                    level,
                    "sonic-v4",
                    outcome,
                    measure,
                    estimate,
                    low,
                    high,
                    p,
                    min(1.0, 2 * p),
                    mean,
                    base,
                    2 * tasks,
                    tasks,
                    44,
                    22,
                )
            )
    names = [
        "factor",
        "level",
        "baseline",
        "outcome",
        "measure",
        "estimate",
        "low",
        "high",
        "p",
        "p_adjusted",
        "mean",
        "baseline_mean",
        "songs",
        "tasks",
        "baseline_songs",
        "baseline_tasks",
    ]
    frame = pd.DataFrame(rows, columns=names)
    wider = (frame["high"] - frame["low"]) / 4
    return frame.assign(joint_low=frame["low"] - wider, joint_high=frame["high"] + wider)


def incidence(tags: Sequence[str], songs: int, *, seed: int = 0) -> pd.DataFrame:
    """Return which song has which tag, the first ones more often."""
    rng = np.random.default_rng(seed)
    weights = 1 / np.arange(1, len(tags) + 1) ** 0.8
    has = np.zeros((songs, len(tags)), bool)
    for song in has:
        number = min(len(tags), int(rng.integers(1, 6)))
        song[rng.choice(len(tags), number, replace=False, p=weights / weights.sum())] = True
    return pd.DataFrame(has, columns=list(tags))


def cooccurrence_frame(tags: Sequence[str], *, songs: int = 300) -> pd.DataFrame:
    has = incidence(tags, songs).to_numpy(int)
    together = has.T @ has
    apart = ~np.eye(len(tags), dtype=bool)
    index, beside = np.nonzero((together > 0) & apart)
    both, counts, its = together[index, beside], together[index, index], together[beside, beside]
    share = both / counts
    half = 1.96 * np.sqrt(share * (1 - share) / counts + 0.0005)
    names = np.array(tags, dtype=object)
    return pd.DataFrame(
        {
            "tag": pd.Series(names[index], dtype=TEXT),
            "other_tag": pd.Series(names[beside], dtype=TEXT),
            "songs": songs,
            "tag_songs": counts,
            "other_songs": its,
            "joint_songs": both,
            "support": both / songs,
            "lift": both * songs / counts / its,
            "conditional": share,
            "low": np.maximum(0.0, share - half),
            "high": np.minimum(1.0, share + half),
            "p_adjusted": np.where(np.abs(share - its / songs) > half, 0.01, 0.5),
        }
    )


def sets_series(tags: Sequence[str], *, songs: int = 300) -> "pd.Series[int]":
    return incidence(tags, songs).value_counts().rename("songs")


def substitutions_frame(tags: Sequence[str], *, steps: int = 2) -> pd.DataFrame:
    """Each tag is kept, becomes the next one, or is dropped; one is added at each step."""
    rows: list[tuple[object, ...]] = []
    for step in range(-1, steps - 1):
        for index, tag in enumerate(tags):
            after = tags[(index + 1) % len(tags)]
            rows += [
                (step, tag, tag, "kept", 36.0, 60, 0.6, 0.5, 0.7, 30),
                (step, tag, after, "rewritten", 18.0, 60, 0.3, 0.2, 0.4, 15),
                (step, tag, None, "dropped", 6.0, 60, 0.1, 0.04, 0.2, 6),
            ]
        rows.append((step, None, tags[0], "added", 20.0, 200, 0.1, 0.05, 0.2, 15))
    names = ["step", "source", "target", "kind", "count", "cases", "share", "low", "high", "tasks"]
    frame = pd.DataFrame(rows, columns=names)
    return frame.astype({"source": TEXT, "target": TEXT})


def songs_frame(levels: Sequence[str], tasks: int, *, seed: int = 0) -> pd.DataFrame:
    """Return two songs for each task, with the times of the task, as an experiment joins them."""
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2026-11-22T10:00:00Z")
    rows = []
    for cell in range(tasks * len(levels)):
        queue, render = rng.gamma(2, 4), rng.gamma(9, 9)
        begun = start + pd.Timedelta(seconds=3 * cell + queue)
        rows += [
            (
                cell,
                levels[cell % len(levels)],
                f"task-{cell:05}",
                f"song-{cell}-{song}",
                "succeeded",
                rng.normal(150, 20),
                queue,
                render,
                queue + render,
                start + pd.Timedelta(seconds=3 * cell),
                begun,
                begun + pd.Timedelta(seconds=render),
            )
            for song in range(2)
        ]
    names = [
        "cell",
        "mv",
        "task_id",
        "song_id",
        "state",
        "duration",
        "queue_seconds",
        "render_seconds",
        "total_seconds",
        "submitted_at",
        "started_at",
        "finished_at",
    ]
    return pd.DataFrame(rows, columns=names).astype({"mv": TEXT, "task_id": TEXT})


def variance_frame(outcomes: Sequence[str], *, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    icc = rng.uniform(-0.3, 0.9, len(outcomes))
    low, high = np.maximum(icc - 0.4, -1), np.minimum(icc + 0.3, 1)
    columns = {"outcome": list(outcomes), "icc": icc, "low": low, "high": high}
    with np.errstate(divide="ignore"):
        for end, bound in (("", icc), ("_low", high), ("_high", low)):
            columns[f"effective_songs{end}"] = 2 / (1 + bound)
    return pd.DataFrame({**columns, "tasks": 30, "songs": 58}).astype({"outcome": TEXT})


def stability_frame(prompts: Sequence[str], *, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    columns: dict[str, object] = {"prompt": list(prompts), "tasks": 8, "songs": 15}
    for name, most in (("jaccard_within", 0.9), ("jaccard_between", 0.5)):
        mean = rng.uniform(0.2, most, len(prompts))
        columns |= {name: mean, f"{name}_low": mean - 0.1, f"{name}_high": mean + 0.1}
    return pd.DataFrame({**columns, "common_tags": 2}).astype({"prompt": TEXT})


def drift_frame(outcomes: Sequence[str], *, seed: int = 0) -> pd.DataFrame:
    """Return two periods of each outcome, of twenty days."""
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2026-11-01T10:00:00Z")
    rows = []
    for outcome in outcomes:
        mean, change = rng.uniform(40, 80), rng.normal(0, 20)
        day = int(rng.integers(4, 16))
        for number, (first, last) in enumerate(((0, day), (day, 20))):
            centre = mean + number * change
            p = 0.003 if number else np.nan
            times = (start + pd.Timedelta(days=first), start + pd.Timedelta(days=last))
            figures = (centre, centre - 3, centre + 3, p, centre - 25, centre + 25)
            rows.append((outcome, number + 1, *times, *figures, number, 40, 1))
    names = ["outcome", "period", "start", "end", "mean", "low", "high", "p"]
    names += ["lower_limit", "upper_limit", "outside", "tasks", "missing_tasks"]
    return pd.DataFrame(rows, columns=names).astype({"outcome": TEXT})


def dose_response_frame(outcomes: Sequence[str], *, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    slope = rng.normal(0, 20, len(outcomes))
    columns = {"slope": slope, "low": slope - 15, "high": slope + 15}
    columns |= {"p_adjusted": rng.random(len(outcomes)) / 5, "p_linear": rng.random(len(outcomes))}
    doses = {"mean": 150.0, "mean_dose": 0.5, "lowest": 0.1, "highest": 0.9, "doses": 5}
    frame = pd.DataFrame({"outcome": list(outcomes), **columns})
    frame = frame.assign(factor="style_weight", **doses, songs=120, tasks=60)
    return frame.astype({"factor": TEXT, "outcome": TEXT})


def preference_tables(levels: Sequence[str], *, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return scores and pairs as `preference` does, best first."""
    rng = np.random.default_rng(seed)
    scores = np.sort(rng.normal(0, 0.8, len(levels)))[::-1]
    scores = scores - scores.mean()
    rows = [
        (level, score, score - 0.7, score + 0.7, 24, 10, 4, 10, int(rng.integers(5, 20)))
        for level, score in zip(levels, scores, strict=True)
    ]
    names = ["level", "score", "low", "high", "answers", "wins", "ties", "losses", "tasks"]
    pair_rows = []
    for better, first in enumerate(levels):
        for worse in range(better + 1, len(levels)):
            size = scores[better] - scores[worse]
            p = float(np.exp(-4 * size))
            share = 1 / (1 + np.exp(-size))
            columns = (12, 7, 2, 3, share, 0.35, size, size - 0.9, size + 0.9, p, min(1.0, 6 * p))
            pair_rows.append((first, levels[worse], *columns))
    pair_names = ["level", "versus", "answers", "wins", "ties", "losses", "share", "detectable"]
    pair_names += ["difference", "low", "high", "p", "p_adjusted"]
    pairs = pd.DataFrame(pair_rows, columns=pair_names)
    texts = {"level": TEXT, "versus": TEXT}
    return pd.DataFrame(rows, columns=names).astype({"level": TEXT}), pairs.astype(texts)


def sound_matches_frame(prompts: Sequence[str], *, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(max(12, len(prompts))):
        bpm, key = rng.choice([70, 90, 120, 150]), rng.choice(["A minor", "C major"])
        for song in range(2):
            ratio = rng.choice([1, 1, 1, 1, 0.5, 2, 1.3]) * rng.uniform(0.98, 1.02)
            tempo = bpm * ratio if rng.random() < 0.9 else np.nan
            played = rng.choice([key, key, "E minor"])
            request = f"jazz, {bpm} bpm, {key}"
            keys = (prompts[number % len(prompts)], f"t{number}", f"s{number}/{song}")
            rows.append((*keys, request, True, 30, tempo, played, 30 + rng.normal()))
    names = ["prompt", "task_id", "song_id", "requested_tags", "make_instrumental", "length"]
    return sound_matches(pd.DataFrame(rows, columns=[*names, "tempo", "key", "seconds"]))
