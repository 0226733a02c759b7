"""The monitor: progress of a job or an experiment with buttons; in a terminal, a progress bar."""

from __future__ import annotations

import logging
import os
import sys
import threading
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from musicapi_nb import markup

if TYPE_CHECKING:
    from musicapi_nb.experiment import Progress

_FINAL_STATES = frozenset({"ended", "stopped", "cancelled"})
_log = logging.getLogger(__name__)


class Action(NamedTuple):
    """A button: its label and tooltip, what it runs, and whether it is enabled."""

    label: str
    tooltip: str
    run: Callable[[], object]
    enabled: bool


class BarState(NamedTuple):
    """State of a progress bar: `done` of `total` units, and text after it."""

    done: int
    total: int
    unit: str
    text: str


class Watchable(Protocol):
    """Work that a monitor can follow, such as `notebook.Job` and `notebook.ExperimentRun`."""

    def watch(self, callback: Callable[[], None]) -> None:
        """Call back, on any thread, after each change."""

    def actions(self) -> Sequence[Action]:
        """Return all actions; their number and order never change."""

    def bar_state(self) -> BarState:
        """Return the progress."""

    def done(self) -> bool:
        """Return whether the work has ended and no action is possible any more."""

    def _repr_html_(self) -> str: ...


def monitor(work: Watchable) -> Monitor | Bar:
    """Follow a job or an experiment: a card with buttons, or outside of notebooks a bar.

    In a notebook, display the returned `Monitor`: its card follows the work, and pause, resume and
    cancel act at once, also while a cell awaits or none runs. Elsewhere a `Bar` prints on standard
    error from now on.

    Parameters
    ----------
    work
        `api.run(...)`, `api.experiment(...)`, or another job.
    """
    return Monitor(work) if _in_notebook() else follow(work)


def _in_notebook() -> bool:
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython  # noqa: PLC0415 - a plain script does not pay for the import

    return getattr(get_ipython(), "kernel", None) is not None


class Monitor:
    """The card of a job or an experiment with buttons below it; made by `monitor`.

    The card is static HTML that is replaced in place, so that a saved notebook has its final
    state; in voila, where only widgets can change, it is a widget. The buttons are widgets and
    are removed when no action is possible any more.
    """

    def __init__(self, work: Watchable) -> None:
        self._work = work
        self._card_id = uuid.uuid4().hex
        self._buttons_id = uuid.uuid4().hex
        self._is_watching = self._buttons_removed = False
        self._lock = threading.Lock()
        self._buttons: list[Any] = []
        self._problem: Any = None
        self._voila_card: Any = None

    @markup.safe_repr
    def __repr__(self) -> str:
        return repr(self._work)

    @markup.html_repr
    def _repr_html_(self) -> str:
        return self._work._repr_html_()

    def _ipython_display_(self) -> None:
        from IPython.display import display  # noqa: PLC0415 - not needed outside of notebooks

        in_voila = "VOILA_PREHEAT" in os.environ  # voila sets it in each of its kernels
        if not in_voila or self._work.done():
            display(self._bundle(), raw=True, display_id=self._card_id)
        if self._work.done():
            return
        display(self._row(with_card=in_voila), display_id=self._buttons_id)
        self._buttons_removed = False
        if not self._is_watching:
            self._is_watching = True
            self._work.watch(self._refresh)
        self._refresh()

    def _bundle(self) -> dict[str, str]:
        return {"text/html": self._repr_html_(), "text/plain": repr(self)}

    def _row(self, *, with_card: bool) -> Any:
        import ipywidgets  # noqa: PLC0415 - as above

        self._voila_card = ipywidgets.HTML() if with_card else None
        self._problem = ipywidgets.HTML(layout={"min_height": "28px"})
        self._buttons = [
            ipywidgets.Button(
                description=action.label,
                tooltip=action.tooltip,
                disabled=not action.enabled,
                layout={"width": "auto", "min_width": "88px"},
            )
            for action in self._work.actions()
        ]
        for index, button in enumerate(self._buttons):
            button.on_click(lambda _, index=index: self._click(index))
        row = ipywidgets.HBox(self._buttons, layout={"flex_flow": "row wrap"})
        card = [self._voila_card] if with_card else []
        return ipywidgets.VBox([*card, row, self._problem])

    def _click(self, index: int) -> None:
        try:
            action = self._work.actions()[index]
            self._problem.value = ""
            if action.enabled:
                action.run()
        except Exception as error:  # noqa: BLE001 - an exception in a callback is invisible
            _log.debug("a monitor's button failed", exc_info=True)
            self._problem.value = markup.notice(f"{type(error).__name__}: {error}", "bad")
        self._refresh()

    def _refresh(self) -> None:
        from IPython.display import update_display  # noqa: PLC0415 - as above

        with self._lock:
            if self._voila_card is None:
                update_display(self._bundle(), raw=True, display_id=self._card_id)
            else:
                self._voila_card.value = self._repr_html_()
            for button, action in zip(self._buttons, self._work.actions(), strict=True):
                button.description = action.label
                button.disabled = not action.enabled
            if self._work.done() and self._voila_card is not None:
                for button in self._buttons:
                    button.layout.display = "none"
            elif self._work.done() and not self._buttons_removed:
                self._buttons_removed = True
                empty = {"text/html": "", "text/plain": ""}
                update_display(empty, raw=True, display_id=self._buttons_id)


class Bar:
    """A progress bar on standard error."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._line: Any = None
        self._has_ended = False
        self._lock = threading.Lock()  # the thread of the work draws, and the one that follows it

    @markup.safe_repr
    def __repr__(self) -> str:
        return f"<Bar {self._title}>"

    def show(self, state: BarState, *, is_final: bool) -> None:
        """Draw the bar; the final state ends it, and later states are ignored."""
        from tqdm import tqdm  # noqa: PLC0415 - only bars need it

        with self._lock:
            if self._has_ended:
                return
            if self._line is None:
                self._line = tqdm(
                    desc=self._title,
                    total=state.total,
                    unit=state.unit,
                    bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} {unit}{postfix}",
                    dynamic_ncols=True,
                )
            self._line.n, self._line.total = state.done, state.total
            self._line.set_postfix_str(state.text)
            if is_final:
                self._has_ended = True
                self._line.close()


def follow(work: Watchable) -> Bar:
    """Print the progress of work on standard error until it ends."""
    bar = Bar(markup.one_line(getattr(work, "title", "work")))

    def draw() -> None:
        bar.show(work.bar_state(), is_final=work.done())

    work.watch(draw)
    draw()
    return bar


def progress_bar(title: str | None = None) -> Callable[[Progress], None]:
    """Return a callback for `Experiment.run` that prints a bar on standard error.

    Parameters
    ----------
    title
        Text before the bar; None for the experiment's name.
    """
    bars: list[Bar] = []

    def show(progress: Progress) -> None:
        if not bars:
            bars.append(Bar(markup.one_line(title or progress.name)))
        bars[0].show(experiment_bar_state(progress), is_final=progress.state in _FINAL_STATES)

    return show


def experiment_bar_state(progress: Progress) -> BarState:
    """Return the bar of an experiment: plan cells; credits, failures and time left as text."""
    failed = sum(progress.counts.get(state, 0) for state in ("failed", "refused", "uncertain"))
    texts = [f"{progress.spent + progress.reserved:,} credits"]
    texts += [f"{failed:,} failed"] if failed else []
    texts += ["paused"] if progress.state == "paused" else []
    texts += [str(progress.eta)] if progress.eta else []
    return BarState(progress.finished, progress.cells, "cells", ", ".join(texts))
