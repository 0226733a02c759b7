"""A Run: an experiment on the background loop, with its dry run, its job and its tables."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from musicapi_nb import markup
from musicapi_nb.errors import MusicAPIError
from musicapi_nb.notebook.job import Job
from musicapi_nb.widgets.monitor import Action, experiment_bar_state

if TYPE_CHECKING:
    import pandas as pd

    from musicapi_nb.experiment import Experiment, Progress
    from musicapi_nb.notebook.event_loop import BackgroundLoop
    from musicapi_nb.notebook.session import Session
    from musicapi_nb.plan import DryRun, Plan
    from musicapi_nb.widgets.monitor import BarState


class ExperimentJob(Job["Experiment"]):
    """One start of an experiment; it shows the experiment's progress in place."""

    def __init__(self, background: BackgroundLoop, experiment: Experiment) -> None:
        self._experiment = experiment

        async def work(_: Job[Experiment]) -> Experiment:
            return await experiment.run()

        super().__init__(background, work, title=f"experiment {experiment.name}")

    def bar_state(self) -> BarState:
        """How far it has come, for a bar: cells that have ended."""
        return experiment_bar_state(self._experiment.progress)

    def _progress(self) -> markup.Html:
        return markup.Html(self._experiment._repr_html_())

    def _state(self) -> str:
        return super()._state() if self.done() else repr(self._experiment)

    def _stopped(self) -> str:
        return "Stopped waiting. What was paid for is in the library: start() waits for it again."


class ExperimentRun:
    """An experiment to be looked at, started, paused and cancelled: `run.start()`.

    Where it is shown, it shows the dry run until it is started, then its progress. Started
    again, also in a later kernel, it goes on where it was. `await run` starts it and waits.

    Attributes
    ----------
    experiment
        The `Experiment` itself.
    dry_run
        What the plan would come to, as it was when this was made.
    job
        The last start; None before.
    """

    def __init__(self, api: Session, background: BackgroundLoop, experiment: Experiment) -> None:
        self.experiment = experiment
        self.dry_run = _dry_run(experiment.plan, api)
        self.job: ExperimentJob | None = None
        self._background = background
        self._watchers: list[Callable[[], None]] = []
        self._starting = threading.Lock()

    def start(self) -> ExperimentJob:
        """Start it, or give the job that is under way.

        Raises
        ------
        MusicAPIError
            At once, if it could not be run (see `Experiment.check`); nothing is sent.
        """
        with self._starting:  # a click may come from another thread than a cell
            if self.job is None or self.job.done():
                self.experiment.check()
                self.job = ExperimentJob(self._background, self.experiment)
                for callback in self._watchers:
                    self.job.watch(callback)
            return self.job

    def pause(self) -> None:
        """Buy nothing new; what was bought is waited for."""
        self._on_loop(self.experiment.pause)

    def resume(self) -> None:
        """Go on after `pause`."""
        self._on_loop(self.experiment.resume)

    def cancel(self) -> None:
        """End it: buy nothing new, stop waiting; what was paid for stays in the library."""
        self._on_loop(self.experiment.cancel)

    def _on_loop(self, do: Callable[[], None]) -> None:
        async def done() -> None:
            do()
            for callback in self._watchers:
                callback()

        # as a coroutine it comes after the first step of a job that was started just before
        self._background.submit(done())

    def __await__(self) -> Generator[None, None, Experiment]:
        return self.start().__await__()

    def result(self, timeout: float | None = None) -> Experiment:
        """Wait until it has ended: see `Job.result`.

        Raises
        ------
        MusicAPIError
            It was not started, or what ended it.
        """
        if self.job is None:
            raise MusicAPIError(f"{self.experiment.name!r} is not started; call start()")
        return self.job.result(timeout)

    # --- a monitor's view ------------------------------------------------------------------

    @property
    def title(self) -> str:
        """What a bar calls it."""
        return f"experiment {self.experiment.name}"

    def watch(self, callback: Callable[[], None]) -> None:
        """Call back, on the background thread, whenever it looks different, in all its starts."""
        self._watchers.append(callback)
        if self.job is not None:
            self.job.watch(callback)

    def done(self) -> bool:
        """Whether it has ended and nothing is left to do: every cell is done."""
        seen = self.progress
        return seen.state == "ended" and seen.counts.get("done", 0) == seen.cells

    def actions(self) -> tuple[Action, ...]:
        """What a monitor's buttons do."""
        state = self.progress.state
        runs = state in {"running", "paused"}
        again = "Start" if state == "new" else "Start again"
        return (
            Action(
                again,
                "Buy what was not bought yet, within the budget, and wait for it.",
                self.start,
                not runs,
            ),
            Action(
                "Pause",
                "Buy nothing new; what was bought is waited for.",
                self.pause,
                state == "running",
            ),
            Action("Resume", "Go on buying.", self.resume, state == "paused"),
            Action(
                "Cancel",
                "Buy nothing new, stop waiting; what was paid for is kept.",
                self.cancel,
                runs,
            ),
        )

    def bar_state(self) -> BarState:
        """How far it has come, for a bar."""
        return experiment_bar_state(self.progress)

    @property
    def progress(self) -> Progress:
        """How it is doing, as a plain value."""
        return self.experiment.progress

    def frame(self) -> pd.DataFrame:
        """One row a cell with its state: see `Experiment.frame`."""
        return self.experiment.frame()

    def songs(self) -> pd.DataFrame:
        """Songs with their factors: see `Experiment.songs`."""
        return self.experiment.songs()

    def tags(self) -> pd.DataFrame:
        """Tags with their factors: see `Experiment.tags`."""
        return self.experiment.tags()

    def replaced_tags(self) -> pd.DataFrame:
        """Rewritten tags with their factors: see `Experiment.replaced_tags`."""
        return self.experiment.replaced_tags()

    def durations(self) -> pd.DataFrame:
        """Lengths with their factors: see `Experiment.durations`."""
        return self.experiment.durations()

    def failures(self) -> pd.DataFrame:
        """Cells that did not end in songs: see `Experiment.failures`."""
        return self.experiment.failures()

    # --- showing ---------------------------------------------------------------------------

    def __repr__(self) -> str:
        return repr(self.experiment)

    def _repr_html_(self) -> str:
        if self.job is not None:
            return self.job._repr_html_()
        with contextlib.suppress(MusicAPIError):  # then what was bought before is not told
            self.experiment.refresh()
        shown = (self.dry_run._repr_html_(), self.experiment._repr_html_())
        return markup.stack(*map(markup.Html, shown))

    def _ipython_display_(self) -> None:
        if self.job is not None:
            self.job._ipython_display_()
            return
        from IPython.display import display  # noqa: PLC0415 - outside of notebooks it is not needed

        bundle = {"text/html": self._repr_html_(), "text/plain": f"{self.dry_run}\n{self!r}"}
        display(bundle, raw=True)


def _dry_run(plan: Plan, api: Session) -> DryRun:
    try:
        return plan.dry_run(api)
    except MusicAPIError:  # the balance cannot be read now; all the rest can be told
        return plan.dry_run()
