"""Answers of blind tests without audio: trials by level and task, and simulated listeners."""

import dataclasses
import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from musicapi_nb._blind_test.answers import preferences_frame
from musicapi_nb._blind_test.bradley_terry import TIE, Choices
from musicapi_nb._blind_test.store import BlindDesign, Trial, TrialSong

NOW = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)


@dataclasses.dataclass
class AnsweredTest:
    """A blind test with these trials."""

    answered: list[Trial]
    factor: str = "mv"
    listener: str | None = None

    @property
    def design(self) -> BlindDesign:
        settings = {} if self.listener is None else {"listener": self.listener}
        name = self.answered[0].test if self.answered else "t"
        return BlindDesign(name, self.factor, NOW, settings)

    def trials(self) -> list[Trial]:
        return self.answered


def answer(
    number: int, songs: Sequence[tuple[str, str]], chosen: int | None, **fields: Any
) -> Trial:
    """Return an answered trial; songs are (level, task) by position, `chosen` None is a tie."""
    fields = {"test": "t", "repeat_of": None, "seconds": 4.0, **fields}
    return Trial(
        number=number,
        songs=tuple(TrialSong(f"{task} of {level}", task, level) for level, task in songs),
        answer="tie" if chosen is None else "chosen",
        chosen=chosen,
        answered_at=NOW,
        **fields,
    )


def answered_frame(answered: list[Trial], listener: str | None = None) -> pd.DataFrame:
    return preferences_frame(AnsweredTest(answered, listener=listener))


def simulated_choices(  # noqa: PLR0913 - the parameters of a listener
    strengths: Sequence[float],
    tasks: int,
    trials: int,
    rng: np.random.Generator,
    *,
    task_sd: float = 0.0,
    song_sd: float = 0.0,
    order: float = 0.0,
) -> Choices:
    """Simulate answers to pairs of random levels: utilities of level, task, song, and position."""
    levels = len(strengths)
    level = np.array([rng.permutation(levels)[:2] for _ in range(trials)])
    task = rng.integers(tasks, size=(trials, 2))
    song = rng.integers(2, size=(trials, 2))
    utility = np.asarray(strengths)[level]
    utility = utility + task_sd * rng.normal(size=(levels, tasks))[level, task]
    utility = utility + song_sd * rng.normal(size=(levels, tasks, 2))[level, task, song]
    utility[:, 0] += order
    chosen = (utility + rng.gumbel(size=utility.shape)).argmax(axis=1)
    assert TIE not in chosen
    nobody = np.zeros(trials, dtype="int64")
    return Choices(level, level * tasks + task, chosen, np.arange(trials), nobody)
