"""ExperimentRun: an experiment on the background loop, with its dry run, jobs and tables."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable, Generator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from musicapi_nb import markup
from musicapi_nb.errors import MusicAPIError
from musicapi_nb.experiment import Experiment, Progress
from musicapi_nb.experiment.result_frames import ResultFrames
from musicapi_nb.notebook.event_loop import BackgroundLoop
from musicapi_nb.notebook.job import Job
from musicapi_nb.plan import DryRun, Plan
from musicapi_nb.tasks import Task
from musicapi_nb.widgets.host import host
from musicapi_nb.widgets.monitor import Action, BarState, experiment_bar_state, live_card

if TYPE_CHECKING:
    import pandas as pd

    from musicapi_nb._report.comparison_report import Report

_START_HELP = "Buy the remaining songs within the budget, and wait for them."
_PAUSE_HELP = "Stop buying; keep waiting for songs already bought."
_CANCEL_HELP = "Stop buying and waiting; everything paid for stays in the library."


def dry_run(plan: Plan, session: Any) -> DryRun:
    """Compute the dry run of a plan in a session, without a balance if that cannot be read."""
    try:
        return plan.dry_run(session)
    except MusicAPIError:  # without the balance, the rest is still useful
        offline = SimpleNamespace(total=None, library=session.library, simulated=session.simulated)
        return plan.dry_run(offline)


class ExperimentJob(Job[Experiment]):
    """One start of an experiment; displays its progress, also that of later starts.

    `display_ids` are the cards of all starts, which the latest one redraws.
    """

    _first_state = "being made"

    def __init__(
        self, background: BackgroundLoop, experiment: Experiment, display_ids: list[str]
    ) -> None:
        self.experiment = experiment
        title = f"experiment {experiment.name}"
        super().__init__(background, lambda _: experiment.run(check=False), title=title)
        self._display_ids = display_ids
        if display_ids:
            self._start_refreshing()

    @property
    def state(self) -> str:
        return "paused" if self.experiment.progress.state == "paused" else super().state

    def tasks(self) -> list[Task]:
        return self.experiment.tasks()

    def _tasks_so_far(self) -> list[Task]:
        return self.experiment.tasks()

    def result_frame(self, name: str) -> pd.DataFrame:
        """Return a table of all cells by its name: see `Experiment.result_frame`."""
        return self.experiment.result_frame(name)

    def bar_state(self) -> BarState:
        return experiment_bar_state(self.experiment.progress)

    def _progress_html(self) -> markup.Html:
        return markup.Html(self.experiment._repr_html_())

    def _state_text(self) -> str:
        return super()._state_text() if self.done() else repr(self.experiment)

    def _stopped_text(self) -> str:
        return "Stopped waiting. Everything paid for is in the library; start() waits for it again."


class ExperimentRun(ResultFrames):
    """An experiment with controls: `run.start()`, `pause()`, `resume()`, `cancel()`.

    It displays its progress, before the start with the dry run above it; every card follows all
    starts. Starting it again, also in a later kernel, continues where it stopped. `await run`
    starts it and waits. `job` is that of the last start, None before.
    """

    def __init__(self, background: BackgroundLoop, experiment: Experiment, dry_run: DryRun) -> None:
        self.title: str = f"experiment {experiment.name}"
        self.experiment = experiment
        self.dry_run = dry_run
        self.job: ExperimentJob | None = None
        # More tables of the experiment.
        self.frame: Callable[[], pd.DataFrame] = experiment.frame
        self.failures: Callable[[], pd.DataFrame] = experiment.failures
        self.looks: Callable[[], pd.DataFrame] = experiment.looks
        self._background = background
        self._display_ids: list[str] = []  # of the cards of all starts
        self._callbacks: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def tasks(self) -> list[Task]:
        return self.experiment.tasks()

    def result_frame(self, name: str) -> pd.DataFrame:
        return self.experiment.result_frame(name)

    def report(self, factor: str | None = None, **options: Any) -> Report:
        """Compare the levels of each factor, or of one, on one page: see `mnb.report`."""
        from musicapi_nb._report.comparison_report import report  # noqa: PLC0415 - loads the analyses

        return report(self, factor, **options)

    def start(self) -> ExperimentJob:
        """Start it, or return the job that is already running.

        MusicAPIError at once if it cannot be run (see `Experiment.check`); nothing is sent.
        """
        with self._lock:  # a click may arrive on another thread than a cell
            if self.job is None or self.job.done():
                self.experiment.check()
                self.job = ExperimentJob(self._background, self.experiment, self._display_ids)
                for callback in self._callbacks:
                    self.job.watch(callback)
            return self.job

    def pause(self) -> None:
        """Stop buying; keep waiting for songs already bought."""
        self._on_loop(self.experiment.pause)

    def resume(self) -> None:
        """Continue buying after `pause`."""
        self._on_loop(self.experiment.resume)

    def cancel(self) -> None:
        """End the run: stop buying and waiting. Everything paid for stays in the library."""
        self._on_loop(self.experiment.cancel)

    def _on_loop(self, change: Callable[[], None]) -> None:
        async def apply() -> None:
            change()
            for callback in self._callbacks:
                callback()

        # A coroutine runs after the first step of a job that was started just before.
        self._background.submit(apply())

    def __await__(self) -> Generator[None, None, Experiment]:
        return self.start().__await__()

    def result(self, timeout: float | None = None) -> Experiment:
        """Wait until it ends: see `Job.result`. MusicAPIError if it was not started."""
        if self.job is None:
            raise MusicAPIError(f"{self.experiment.name!r} is not started; call start()")
        return self.job.result(timeout)

    def watch(self, callback: Callable[[], None]) -> None:
        """Call `callback` on the background thread after every change, in all runs."""
        self._callbacks.append(callback)
        if self.job is not None:
            self.job.watch(callback)

    def done(self) -> bool:
        """Whether it has ended with every cell done."""
        progress = self.progress
        return progress.state == "ended" and progress.counts.get("done", 0) == progress.cells

    def actions(self) -> tuple[Action, ...]:
        state = self.progress.state
        running = state in {"running", "paused"}
        start = "Start" if state == "new" else "Run the rest"
        return (
            Action(start, _START_HELP, self.start, not running),
            Action("Pause", _PAUSE_HELP, self.pause, state == "running"),
            Action("Resume", "Continue buying.", self.resume, state == "paused"),
            Action("Stop (keeps what is paid)", _CANCEL_HELP, self.cancel, running),
        )

    def bar_state(self) -> BarState:
        return experiment_bar_state(self.progress)

    @property
    def progress(self) -> Progress:
        return self.experiment.progress

    @markup.safe_repr
    def __repr__(self) -> str:
        return repr(self.experiment)

    @markup.html_repr
    def _repr_html_(self) -> str:
        if self.job is not None:
            return self.job._repr_html_()
        self._refresh()
        cards = (self.dry_run._repr_html_(), self.experiment._repr_html_())
        return markup.stack(*map(markup.Html, cards))

    def _refresh(self) -> None:
        with contextlib.suppress(MusicAPIError):  # then earlier purchases are not shown
            self.experiment.refresh()

    def _ipython_display_(self) -> None:
        from IPython.display import display  # noqa: PLC0415 - only notebooks have IPython

        if self.job is not None:
            self.job._ipython_display_()
            return
        self._refresh()
        display(self.dry_run)
        display_id = uuid.uuid4().hex
        display(self.experiment, display_id=display_id)
        if host() == "jupyter":
            self._display_ids.append(display_id)

    def _display_(self) -> Any:
        """Return what marimo displays."""
        return live_card(self)
