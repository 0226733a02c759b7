"""The monitor: how a job or an experiment is doing, with buttons; in a terminal, a bar."""

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
    import ipywidgets

    from musicapi_nb.experiment import Progress

_ENDED = frozenset({"ended", "stopped", "cancelled"})
_log = logging.getLogger(__name__)


class Action(NamedTuple):
    """Something that a person can do about work under way: a button's word, and what it does."""

    word: str
    help: str
    do: Callable[[], object]
    possible: bool


class BarState(NamedTuple):
    """How far work has come: of `total` units `done`, and what else is to be said."""

    done: int
    total: int
    unit: str
    words: str


class Watchable(Protocol):
    """What a monitor follows: a job or a run of the notebook."""

    def watch(self, callback: Callable[[], None]) -> None:
        """Call back, on some thread, whenever it looks different."""

    def actions(self) -> Sequence[Action]:
        """All that can be done about it; always the same number, in the same order."""

    def bar_state(self) -> BarState:
        """How far it has come."""

    def done(self) -> bool:
        """Whether it has ended, and nothing can be done about it any more."""

    def _repr_html_(self) -> str: ...


def monitor(what: Watchable) -> Monitor | Bar:
    """Follow a job or an experiment: its card and buttons; outside of notebooks, a bar.

    Parameters
    ----------
    what
        `api.run(...)`, `api.experiment(...)`, or another job.

    Returns
    -------
    In a notebook a `Monitor`, to be shown: the card follows the work, and pause, resume and
    cancel act at once, also while a cell awaits or none runs. Elsewhere a `Bar`, which prints
    on standard error from now on.
    """
    return Monitor(what) if _kernel() else follow(what)


def _kernel() -> bool:
    """Whether a front end shows what is displayed, and can be told to show something else."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython  # noqa: PLC0415 - it is there, but costs a plain script time

    return getattr(get_ipython(), "kernel", None) is not None


class Monitor:
    """The card of a job or an experiment with buttons below it; made by `monitor`.

    The card is static HTML that is replaced in place, so that the saved notebook has it as it
    was at the end; in voila, where only widgets change, it is one. The buttons are widgets; when
    nothing can be done any more they go.
    """

    def __init__(self, what: Watchable) -> None:
        self._what = what
        self._card = uuid.uuid4().hex
        self._below = uuid.uuid4().hex
        self._shown = False
        self._gone = False
        self._lock = threading.Lock()
        self._buttons: list[ipywidgets.Button] = []
        self._problem: Any = None
        self._panel: Any = None  # in voila the card

    def __repr__(self) -> str:
        return repr(self._what)

    def _repr_html_(self) -> str:
        return self._what._repr_html_()

    def _ipython_display_(self) -> None:
        from IPython.display import display  # noqa: PLC0415 - outside of notebooks it is not needed

        voila = "VOILA_PREHEAT" in os.environ  # voila gives it to each of its kernels
        if not voila or self._what.done():
            display(self._bundle(), raw=True, display_id=self._card)
        if self._what.done():
            return
        display(self._row(with_card=voila), display_id=self._below)
        self._gone = False
        if not self._shown:
            self._shown = True
            self._what.watch(self._refresh)
        self._refresh()

    def _bundle(self) -> dict[str, str]:
        return {"text/html": self._repr_html_(), "text/plain": repr(self)}

    def _row(self, *, with_card: bool) -> Any:
        import ipywidgets  # noqa: PLC0415 - only where buttons are shown

        self._panel = ipywidgets.HTML() if with_card else None
        self._problem = ipywidgets.HTML(layout={"min_height": "28px"})
        self._buttons = [
            ipywidgets.Button(
                description=action.word,
                tooltip=action.help,
                disabled=not action.possible,
                layout={"width": "auto", "min_width": "88px"},
            )
            for action in self._what.actions()
        ]
        for number, button in enumerate(self._buttons):
            button.on_click(lambda _, number=number: self._click(number))
        row = ipywidgets.HBox(self._buttons, layout={"flex_flow": "row wrap"})
        card = [self._panel] if with_card else []
        return ipywidgets.VBox([*card, row, self._problem])

    def _click(self, number: int) -> None:
        # An exception in a callback would be shown nowhere.
        try:
            action = self._what.actions()[number]
            self._problem.value = ""
            if action.possible:
                action.do()
        except Exception as error:  # noqa: BLE001 - as above
            _log.debug("a monitor's button failed", exc_info=True)
            self._problem.value = markup.notice(f"{type(error).__name__}: {error}", "bad")
        self._refresh()

    def _refresh(self) -> None:
        from IPython.display import update_display  # noqa: PLC0415 - as in _ipython_display_

        with self._lock:
            if self._panel is None:
                update_display(self._bundle(), raw=True, display_id=self._card)
            else:
                self._panel.value = self._repr_html_()
            for button, action in zip(self._buttons, self._what.actions(), strict=True):
                button.description = action.word
                button.disabled = not action.possible
            if self._what.done() and self._panel is not None:
                for button in self._buttons:
                    button.layout.display = "none"
            elif self._what.done() and not self._gone:
                self._gone = True
                empty = {"text/html": "", "text/plain": ""}
                update_display(empty, raw=True, display_id=self._below)


class Bar:
    """A line on standard error that follows work to its end; called with a `BarState` each time."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._line: Any = None

    def __repr__(self) -> str:
        return f"<Bar {self._title}>"

    def show(self, reading: BarState, *, over: bool) -> None:
        """Draw it anew; for the last time, if it is over."""
        if self._line is None:
            if over:
                return
            from tqdm import tqdm  # noqa: PLC0415 - only who wants a bar needs it

            self._line = tqdm(
                total=reading.total, desc=self._title, unit=f" {reading.unit}", dynamic_ncols=True
            )
        line = self._line
        line.n, line.total = reading.done, reading.total
        line.set_postfix_str(reading.words, refresh=False)
        line.refresh()
        if over:
            line.close()
            self._line = None


def follow(what: Watchable) -> Bar:
    """Print how work is doing, on standard error, until it ends."""
    bar = Bar(markup.one_line(getattr(what, "title", "work")))

    def draw() -> None:
        bar.show(what.bar_state(), over=what.done())

    what.watch(draw)
    draw()
    return bar


def progress_bar(title: str | None = None) -> Callable[[Progress], None]:
    """Make a callback for `Experiment.run` that prints a bar on standard error.

    Parameters
    ----------
    title
        What stands before the bar; None: the experiment's name.
    """
    bars: list[Bar] = []

    def show(seen: Progress) -> None:
        if not bars:
            bars.append(Bar(markup.one_line(title or seen.name)))
        bars[0].show(experiment_bar_state(seen), over=seen.state in _ENDED)

    return show


def experiment_bar_state(seen: Progress) -> BarState:
    """What a bar says of an experiment: its cells, those that failed, credits, time left."""
    failed = sum(seen.counts.get(state, 0) for state in ("failed", "refused", "uncertain"))
    words = [f"{seen.spent + seen.reserved:,} credits"]
    words += [f"{failed:,} failed"] if failed else []
    words += [seen.state] if seen.state == "paused" else []
    words += [str(seen.eta)] if seen.eta is not None and str(seen.eta) else []
    return BarState(seen.finished, seen.cells, "cells", ", ".join(words))
