"""A Job: work under way on the background loop, to be awaited, waited for, or looked at."""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import logging
import textwrap
import time
import uuid
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from musicapi_nb import markup
from musicapi_nb.engines import Request
from musicapi_nb.errors import MusicAPIError, WaitTimeout
from musicapi_nb.tasks import Task
from musicapi_nb.widgets.monitor import Action, BarState

if TYPE_CHECKING:
    from musicapi_nb.client import MusicAPI
    from musicapi_nb.notebook.event_loop import BackgroundLoop

_Result = TypeVar("_Result")
_log = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0
# The fields that tell a person which request this was, the most telling one first.
_TELLING = ("title", "gpt_description_prompt", "description", "prompt", "lyrics")
_GIST = 72


class Job(Generic[_Result]):
    """Work under way: `await job`, `job.result()`, or show it in a cell.

    Where it is shown, it shows its progress, then its result or its error. Interrupting a cell
    that waits for it does not end it; `cancel` does.

    Attributes
    ----------
    task
        The task as last seen, from the moment the service accepted it; None before.
    """

    def __init__(
        self,
        background: BackgroundLoop,
        work: Callable[[Job[_Result]], Coroutine[Any, Any, _Result]],
        *,
        title: str,
        request: Request | None = None,
        client: MusicAPI | None = None,
    ) -> None:
        self.title = title
        self.request = request
        self.task: Task | None = None
        self._client = client
        self._speed = client.speed if client else 1.0
        self._background = background
        self._started = time.monotonic()
        self._ended: float | None = None
        self._shown: set[str] = set()
        self._watchers: list[Callable[[], None]] = []
        self._future = background.submit(work(self))
        self._future.add_done_callback(self._end)

    def _end(self, _: object) -> None:
        self._ended = time.monotonic()
        self._refresh()

    def update(self, task: Task) -> None:
        """Take note of how the task is doing (the client's progress callback)."""
        before, self.task = self.task, task
        # drawing a player anew would stop the song that somebody is listening to
        if before is None or not self._playable() or before.songs != task.songs:
            self._refresh()

    def _playable(self) -> bool:
        return self.task is not None and any(song.finished for song in self.task.songs)

    # --- waiting ---------------------------------------------------------------------------

    def __await__(self) -> Generator[Any, None, _Result]:
        # shielded: an interrupted cell stops waiting, the work goes on
        return asyncio.shield(asyncio.wrap_future(self._future)).__await__()

    def result(self, timeout: float | None = None) -> _Result:
        """Wait for the result without `await`; the work and its display go on meanwhile.

        Parameters
        ----------
        timeout
            Seconds to wait at most.

        Raises
        ------
        WaitTimeout
            The job is not done; it goes on.
        MusicAPIError
            What ended the job.
        """
        if self._background.is_current_thread:
            raise MusicAPIError("result() would wait for ever on the loop it waits for; use await")
        try:
            return self._future.result(timeout)
        except concurrent.futures.TimeoutError:
            if self._future.done():
                raise
            raise WaitTimeout(
                f"{self.title} is not done after {timeout:g} s", task=self.task
            ) from None

    def done(self) -> bool:
        """Whether it has ended: with a result, an error, or cancelled."""
        return self._future.done()

    def exception(self) -> BaseException | None:
        """The error that ended it; None while it runs, or when there is none."""
        if not self._future.done() or self._future.cancelled():
            return None
        return self._future.exception()

    def cancel(self) -> bool:
        """Stop waiting; what was paid for goes on at the service. False if it was done already.

        A request that waits for its turn does not leave any more. One that has left is not cut
        off: `task` is set when the service accepts it.
        """
        return self._future.cancel()

    # --- showing ---------------------------------------------------------------------------

    @property
    def seconds(self) -> float:
        """How long it has run, in seconds of the service's clock."""
        return ((self._ended or time.monotonic()) - self._started) * self._speed

    def __repr__(self) -> str:
        return markup.one_line(f"<Job {self.title}: {self._state()}>")

    def _state(self) -> str:
        if self._future.cancelled():
            return "stopped waiting"
        if (error := self.exception()) is not None:
            return f"{type(error).__name__}: {error}"
        if self._future.done():
            return repr(self._future.result())
        if self.task is None:
            return "asking the service"
        return f"{self.task.state}, {markup.format_duration(self.seconds)} so far"

    def _repr_html_(self) -> str:
        if self._future.cancelled():
            return self._card("stopped", markup.notice(self._stopped(), "warn"), tone="warn")
        if (error := self.exception()) is not None:
            words = f"{type(error).__name__}: {error}"
            return self._card("error", markup.notice(words, "bad"), tone="bad")
        if self._future.done():
            return self._result_html(self._future.result())
        if self.task is not None and self._playable():
            return markup.stack(self._progress(), markup.Html(self.task._repr_html_()))
        return self._progress()

    def _result_html(self, result: object) -> str:
        results = result if isinstance(result, list) else [result]
        shown = [show() for each in results if (show := getattr(each, "_repr_html_", None))]
        if not shown or len(shown) < len(results):
            words = markup.text(repr(result))
            if dataclasses.is_dataclass(result) and not isinstance(result, type):
                words = markup.table(("name", "value"), dataclasses.asdict(result).items())
            return self._card("done", words, tone="good")
        return markup.stack(*map(markup.Html, shown)) if len(shown) > 1 else shown[0]

    def _progress(self) -> markup.Html:
        share = self.task.progress if self.task else None
        return self._card(
            self.task.state if self.task else "asking the service",
            markup.progress(None if share is None else min(max(share, 0.0), 1.0), self._so_far()),
            tone="info",
        )

    def _so_far(self) -> str:
        clock = "" if self._speed == 1 else " on the simulator's clock"
        ahead = str(self._client.eta(self.task)) if self._client and self.task else ""
        words = f"{markup.format_duration(self.seconds)} so far{ahead and ', '}{ahead}{clock}"
        if self.task is not None and self.task.poll_by_repost:
            return f"Not ready yet; asked for again until it is. {words}"
        return words

    def _stopped(self) -> str:
        if self.task is not None and self.task.poll_by_repost:
            return (
                f"Stopped waiting. {self.task.name} was accepted and is not ready yet: "
                "api.wait(job.task) asks for it again."
            )
        if self.task is None or self.task.id is None:
            return "Stopped waiting. Nothing had been accepted by the service when it was stopped."
        return (
            f"Stopped waiting. Task {self.task.id} was paid for and goes on at the service: "
            "api.wait(job.task) shows its songs."
        )

    def _card(self, word: str, *body: str, tone: markup.Tone) -> markup.Html:
        advice = [
            markup.notice(str(problem), "warn")
            for problem in (self.request.problems() if self.request else ())
        ]
        price = self.request.price() if self.request else None
        facts = markup.facts(
            _gist(self.request), None if price is None else markup.format_credits(price)
        )
        return markup.card(
            self.title, *body, *advice, facts=facts, badges=[markup.badge(word, tone)]
        )

    def _ipython_display_(self) -> None:
        """Show it under a display id: the output is then updated in place, and saved as it ends."""
        from IPython import get_ipython  # noqa: PLC0415 - outside of notebooks it is not needed
        from IPython.display import display  # noqa: PLC0415

        if getattr(get_ipython(), "kernel", None) is None:  # a terminal cannot update in place
            print(repr(self))  # noqa: T201
            return
        name = uuid.uuid4().hex
        display(self._bundle(), raw=True, display_id=name)
        self._shown.add(name)
        self._stay_fresh()

    def _bundle(self) -> dict[str, str]:
        return {"text/html": self._repr_html_(), "text/plain": repr(self)}

    def watch(self, callback: Callable[[], None]) -> None:
        """Call back, on the background thread, whenever it looks different, and at its end."""
        self._watchers.append(callback)
        self._stay_fresh()

    def actions(self) -> tuple[Action, ...]:
        """What a monitor's buttons do."""
        help_ = "Stop waiting; what was paid for goes on at the service."
        return (Action("Stop waiting", help_, self.cancel, enabled=not self.done()),)

    def bar_state(self) -> BarState:
        """How far it has come, for a bar: songs that are final."""
        songs = self.task.songs if self.task else ()
        expected = (self.task.expected if self.task else None) or max(len(songs), 1)
        words = "" if self.done() and self.exception() is None else self._state()
        if not self.done():
            words = self._so_far() if self.task else words
        return BarState(sum(song.finished for song in songs), expected, "songs", words)

    def _stay_fresh(self) -> None:
        """Let what shows it follow it, from the first one on."""
        if self._future.done():
            self._refresh()  # it may have ended just now
        elif len(self._shown) + len(self._watchers) == 1:
            self._background.submit(self._keep_fresh())

    def _refresh(self) -> None:
        self._redraw()
        for callback in tuple(self._watchers):
            try:
                callback()
            except Exception:  # noqa: BLE001 - what cannot be shown must not end paid work
                _log.exception("%s cannot be shown", self.title)

    def _redraw(self) -> None:
        if not self._shown:
            return
        from IPython.display import update_display  # noqa: PLC0415

        try:
            bundle = self._bundle()
            for name in tuple(self._shown):
                update_display(bundle, raw=True, display_id=name)
        except Exception:  # noqa: BLE001 - what cannot be shown must not end paid work
            _log.exception("%s cannot be shown", self.title)

    async def _keep_fresh(self) -> None:
        """Let the clock run where the job is shown, until a player is there to be disturbed."""
        while not self._future.done():
            await asyncio.sleep(_LOOK_SECONDS)
            if not self._playable():
                self._refresh()


def _gist(request: Request | None) -> str | None:
    """Say in a few words which request this was."""
    values = (getattr(request, name, None) for name in _TELLING)
    telling = next((value for value in values if isinstance(value, str) and value.strip()), None)
    return telling and textwrap.shorten(telling, _GIST, placeholder="…")
