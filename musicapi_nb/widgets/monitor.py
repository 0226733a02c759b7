"""The monitor: progress of a job or an experiment with buttons; in a terminal, a progress bar."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from musicapi_nb import markup
from musicapi_nb.widgets.host import host

if TYPE_CHECKING:
    from musicapi_nb.experiment import Progress
    from musicapi_nb.widgets.live_cards import LiveCards

_FINAL_STATES = frozenset({"ended", "stopped", "cancelled"})


class Action(NamedTuple):
    """A button: its label, tooltip and action, and whether it is enabled."""

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
    return follow(work) if host() == "terminal" else Monitor(work)


def live_card(work: Watchable) -> LiveCards:
    """Return a widget with the card of a job or an experiment, which follows it."""
    from musicapi_nb.widgets.live_cards import LiveCards  # noqa: PLC0415 - loads ipywidgets

    widget = LiveCards()

    def draw() -> None:
        widget.cards = [work._repr_html_()]

    work.watch(draw)
    draw()
    return widget


class Monitor:
    """The card of a job or an experiment with buttons below it; made by `monitor`.

    In Jupyter the card is static HTML that is replaced in place, so that a saved notebook has its
    final state. Where only widgets can change, the card is part of the widget of the buttons,
    which are removed when no action is possible any more.
    """

    def __init__(self, work: Watchable) -> None:
        self._work = work
        self._has_static_card = host() == "jupyter"
        self._card_id = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._widget: LiveCards | None = None

    @markup.safe_repr
    def __repr__(self) -> str:
        return repr(self._work)

    @markup.html_repr
    def _repr_html_(self) -> str:
        return self._work._repr_html_()

    def _ipython_display_(self) -> None:
        from IPython.display import display  # noqa: PLC0415 - not needed outside of notebooks

        is_done = self._work.done()
        if self._has_static_card or is_done:
            display(self._bundle(), raw=True, display_id=self._card_id)
        if not is_done:
            display(self._display_())

    def _display_(self) -> LiveCards:
        """Return the widget, which follows the work; marimo displays it."""
        if self._widget is None:
            from musicapi_nb.widgets.live_cards import LiveCards  # noqa: PLC0415 - as above

            self._widget = LiveCards(self._click)
            self._work.watch(self._refresh)
        self._refresh()
        return self._widget

    def _bundle(self) -> dict[str, str]:
        return {"text/html": self._repr_html_(), "text/plain": repr(self)}

    def _click(self, index: int) -> None:
        action = self._work.actions()[index]
        if action.enabled:
            action.run()
        self._refresh()

    def _refresh(self) -> None:
        from IPython.display import update_display  # noqa: PLC0415 - as above

        with self._lock:
            widget = self._widget
            if widget is None:
                return
            if self._has_static_card:
                update_display(self._bundle(), raw=True, display_id=self._card_id)
            else:
                widget.cards = [self._repr_html_()]
            actions = () if self._work.done() else self._work.actions()
            had_buttons = bool(widget.buttons)
            widget.buttons = [(action.label, action.tooltip, action.enabled) for action in actions]
            if had_buttons and not actions and self._has_static_card:
                empty = {"text/html": "", "text/plain": ""}
                update_display(empty, raw=True, display_id=widget.model_id)


class Bar:
    """A progress bar: a line on standard error, or the output of a notebook's cell."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._line: Any = None
        self._output: Any = None  # of the cell: text on standard error would look like an error
        self._has_ended = False
        self._lock = threading.Lock()  # the thread of the work draws, and the one that follows it

    @markup.safe_repr
    def __repr__(self) -> str:
        return f"<Bar {self._title}>"

    def show(self, state: BarState, *, is_final: bool) -> None:
        """Draw the bar; the final state ends it, and later states are ignored."""
        with self._lock:
            if self._has_ended:
                return
            self._has_ended = is_final
            if host() in {"jupyter", "voila"}:
                self._show_in_cell(state)
            else:
                self._print(state)

    def _show_in_cell(self, state: BarState) -> None:
        from IPython.display import display  # noqa: PLC0415 - there is one

        counts = f"{state.done:,} of {state.total:,} {state.unit}"
        label = f"{counts}, {state.text}" if state.text else counts
        bar = markup.progress(state.done / state.total if state.total else None, label)
        card = markup.card(self._title, bar)
        bundle = {"text/html": str(card), "text/plain": f"{self._title}: {label}"}
        if self._output is None:
            self._output = display(bundle, raw=True, display_id=True)
        else:
            self._output.update(bundle, raw=True)

    def _print(self, state: BarState) -> None:
        from tqdm import tqdm  # noqa: PLC0415 - only bars need it

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
        if self._has_ended:
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
    """Return a callback for `Experiment.run` that shows a bar.

    It is part of a notebook cell's output; elsewhere it is printed on standard error.

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
    """Return the bar of an experiment: its requests; credits, failures and time left as text."""
    failed = sum(progress.counts.get(state, 0) for state in ("failed", "refused", "uncertain"))
    texts = [markup.format_credits(progress.spent + progress.reserved)]
    texts += [f"{failed:,} failed"] if failed else []
    texts += ["paused"] if progress.state == "paused" else []
    texts += [str(progress.eta)] if progress.eta else []
    return BarState(progress.finished, progress.cells, "requests", ", ".join(texts))
