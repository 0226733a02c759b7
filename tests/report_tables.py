"""Songs with planted differences, for tests of reports."""

from typing import Any

import numpy as np
import pandas as pd

from musicapi_nb._blind_test.store import Trial
from musicapi_nb.frames.text_dtype import TEXT
from tests.blind_answers import answer, answered_frame


def rated_songs(  # noqa: PLR0913 - what differs between tests
    levels: tuple[str, ...] = ("plain", "wild"),
    tasks: int = 20,
    *,
    stars: float = 0.0,
    seconds: float = 0.0,
    rated: float = 0.8,
    seed: int = 1,
    **columns: Any,
) -> pd.DataFrame:
    """Return two songs for each of the tasks of a level, some of them rated.

    The last level has `stars` and `seconds` more than the others. Songs of a task are alike, and
    long songs get more stars.
    """
    rng = np.random.default_rng(seed)
    number = tasks * len(levels)
    level = np.arange(number) % len(levels)
    shared = rng.normal(size=number)
    rows = []
    for task in range(number):
        is_last = level[task] == len(levels) - 1
        for song in range(2):
            mood = 0.7 * shared[task] + 0.7 * rng.normal()
            rating = float(np.clip(round(3 + 0.8 * mood + stars * is_last), 1, 5))
            rows.append(
                {
                    "cell": task,
                    "block": task // len(levels),
                    "take": 1,
                    "mv": levels[level[task]],
                    "task_id": f"t{task}",
                    "song_id": f"s{task}.{song}",
                    "state": "succeeded",
                    "duration": 120 + 6 * mood + 4 * rng.normal() + seconds * is_last,
                    "rating": rating if rng.random() < rated else None,
                }
            )
    texts = dict.fromkeys(("mv", "task_id", "song_id", "state"), TEXT)
    frame = pd.DataFrame(rows).astype({**texts, "rating": "Int64"})
    return frame.assign(**columns)


def blind_answers(
    songs: pd.DataFrame, chance: float = 0.5, number: int = 60, seed: int = 2
) -> pd.DataFrame:
    """Return answers that choose the last of two levels with this chance."""
    rng = np.random.default_rng(seed)
    first, last = dict.fromkeys(songs["mv"])
    tasks = {level: songs["task_id"][songs["mv"] == level].unique() for level in (first, last)}
    trials: list[Trial] = []
    for trial in range(1, number + 1):
        order = [first, last] if rng.random() < 0.5 else [last, first]
        pair = [(level, str(rng.choice(tasks[level]))) for level in order]
        wins = last if rng.random() < chance else first
        trials.append(answer(trial, pair, order.index(wins)))
    return answered_frame(trials)
