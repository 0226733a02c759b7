"""Job: work on the background loop that can be awaited, waited for, or displayed."""

import asyncio
import concurrent.futures
import logging
import time
import uuid
from collections.abc import Callable, Coroutine, Generator, Iterable
from pathlib import Path
from typing import Any, Generic, NoReturn, Self, TypeVar
from weakref import WeakKeyDictionary

from musicapi_nb import markup
from musicapi_nb.client import MusicAPI
from musicapi_nb.engines import Request
from musicapi_nb.engines.values import number_of_seconds
from musicapi_nb.errors import MusicAPIError, WaitTimeout, refuse_copy
from musicapi_nb.notebook.early_loading import load_tables_early
from musicapi_nb.notebook.event_loop import BackgroundLoop
from musicapi_nb.notebook.job_songs import JobSongs
from musicapi_nb.notebook.live_songs import live_html
from musicapi_nb.notebook.request_summary import request_summary
from musicapi_nb.short_traceback import ShortTraceback, with_short_traceback
from musicapi_nb.tasks import STATE_LABELS, Task
from musicapi_nb.widgets.host import host
from musicapi_nb.widgets.monitor import Action, BarState, live_card

_Result = TypeVar("_Result")
_log = logging.getLogger(__name__)
_REFRESH_SECONDS = 1.0
_WAKE_SECONDS = 0.5
_FOR_OTHERS = ("actions", "bar_state", "close", "send", "throw", "update", "watch")  # not listed
_SAVING = "saving the audio to your library…"


class WaitInterrupted(ShortTraceback, KeyboardInterrupt):
    """`job.result()` was interrupted; the job continues."""


def _cancelled_error(text: str) -> asyncio.CancelledError:
    """Return the error of an await that was interrupted or cancelled, or whose job was.

    Before Python 3.13, asyncio's timeouts and task groups take a subclass for another error.
    """
    return with_short_traceback(asyncio.CancelledError(text))


def _static_html(value: Any) -> str:
    return str(value._repr_html_())


class Job(JobSongs, Generic[_Result]):
    """Work under way: `await job`, call `job.result()`, or display it in a cell.

    Its display shows the progress, then the result or the error. Interrupting a cell that waits
    for it does not end it; `cancel` does. `task` is the latest state of the task, None until the
    service has accepted the request; `songs` are its songs so far. asyncio takes a job for a
    coroutine: `TaskGroup.create_task`, `gather` and `wait_for` accept it; for `asyncio.wait`, make
    a task: `asyncio.create_task(job)`.
    """

    _future: concurrent.futures.Future[_Result]

    def __dir__(self) -> Iterable[str]:
        return [name for name in super().__dir__() if name not in _FOR_OTHERS]

    def __init__(
        self,
        background: BackgroundLoop,
        work: Callable[[Self], Coroutine[Any, Any, _Result]],
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
        self._display_ids: list[str] = []
        self._refreshing = False
        self._callbacks: list[Callable[[], None]] = []
        self._waits: WeakKeyDictionary[asyncio.Task[Any], Generator[Any, None, _Result]]
        self._waits = WeakKeyDictionary()
        self._future = background.submit(work(self))
        self._future.add_done_callback(self._finish)
        if request is not None:  # there will be songs, and perhaps tables of them
            load_tables_early()

    __reduce_ex__: Callable[..., NoReturn] = refuse_copy

    def _finish(self, _: object) -> None:
        self._ended = time.monotonic()
        self._refresh()

    def update(self, task: Task) -> None:
        """Store the latest state of the task (the client's progress callback)."""
        previous, self.task = self.task, task
        # Redrawing a player would stop the song that is playing.
        if previous is None or not self._is_playable() or previous.songs != task.songs:
            self._refresh()

    @property
    def _is_saving(self) -> bool:
        """Whether the songs are ready, and their files are downloaded into the library."""
        return not self.done() and self.task is not None and self.task.finished

    def _is_playable(self) -> bool:
        songs = self.task.songs if self.task is not None else ()
        return any(song.finished and song.audio_url for song in songs)

    def __await__(self) -> Generator[Any, None, _Result]:
        return self._wait().__await__()

    # asyncio takes what has send, throw and close for a coroutine, of which it makes tasks.

    def send(self, value: Any) -> Any:
        return self._wait_of_task().send(value)

    def throw(self, *error: Any) -> Any:
        return self._wait_of_task().throw(*error)

    def close(self) -> None:
        """Do nothing: a task that ends leaves the job to others."""

    def _wait_of_task(self) -> Generator[Any, None, _Result]:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("await a job, or make an asyncio task of it")
        if task not in self._waits:
            self._waits[task] = self.__await__()
        return self._waits[task]

    async def _wait(self) -> _Result:
        if not self.done():
            self._background.check_process()
        future = asyncio.wrap_future(self._future)
        future.add_done_callback(lambda done: done.cancelled() or done.exception())  # not logged
        try:
            # ipykernel cancels an interrupted cell, but its loop notices only when it wakes up.
            while not future.done():
                await asyncio.wait([future], timeout=_WAKE_SECONDS)
        except asyncio.CancelledError:  # the cell stops waiting, the work continues
            raise _cancelled_error(self._interrupted_text()) from None
        if future.cancelled():
            raise _cancelled_error(self._stopped_text())
        return future.result()

    def result(self, timeout: float | None = None) -> _Result:
        """Wait for the result without `await`, at most `timeout` seconds.

        Raises
        ------
        WaitTimeout
            The job is not done; it continues.
        MusicAPIError
            The job ended with this error.
        """
        if self._background.is_current_thread:
            raise MusicAPIError("result() would block the loop that runs this job; use await")
        if timeout is not None:
            timeout = number_of_seconds("timeout", timeout)
        if not self.done():
            self._background.check_process()
        try:
            return self._future.result(timeout)
        except KeyboardInterrupt:
            raise WaitInterrupted(self._interrupted_text()) from None
        except concurrent.futures.TimeoutError:
            if self._future.done():
                raise
            message = f"{self.title} is not done after {timeout:g} s. {self._unfinished_text()}"
            raise WaitTimeout(message, task=self.task) from None

    def done(self) -> bool:
        """Whether it has ended: with a result, with an error, or cancelled."""
        return self._future.done()

    def exception(self) -> BaseException | None:
        """Return the error that ended it, or None."""
        if not self._future.done() or self._future.cancelled():
            return None
        return self._future.exception()

    def cancel(self) -> bool:
        """Stop waiting; a task already paid for keeps running. Return False if it was done.

        A request that waits for its turn is not sent any more. One that was sent is not aborted:
        `task` is set when the service accepts it.
        """
        return self._future.cancel()

    @property
    def seconds(self) -> float:
        """Seconds of the service's clock since the start, until the end."""
        return ((self._ended or time.monotonic()) - self._started) * self._speed

    @markup.safe_repr
    def __repr__(self) -> str:
        return markup.one_line(f"<Job {self.title}: {self._state_text()}>")

    def _error_text(self) -> str:
        error = self.exception()
        return f"{type(error).__name__}: {error}" if error else ""

    def _state_text(self) -> str:
        if self._future.cancelled():
            return "stopped waiting"
        if text := self._error_text():
            return text
        if self._future.done():
            return _plain_text(self._future.result())
        if self.task is None:
            return self._pause_notice() or "sending"
        if self._is_saving:
            return f"ready, {_SAVING}"
        return f"{STATE_LABELS[self.task.state]}, {markup.format_duration(self.seconds)}"

    @markup.html_repr
    def _repr_html_(self) -> str:
        return self._html(_static_html)

    def _html(self, html_of: Callable[[Any], str]) -> str:
        """Return the progress, the error or the result, whose items `html_of` renders."""
        if self._future.cancelled():
            return self._card("stopped", markup.notice(self._stopped_text(), "warn"), tone="warn")
        if error := self.exception():
            text = str(error) if isinstance(error, MusicAPIError) else self._error_text()
            return self._card("error", markup.notice(text, "bad"), tone="bad")
        if self._future.done():
            return self._result_html(self._future.result(), html_of)
        if self.task is not None and self._is_playable():
            return markup.stack(self._progress_html(), markup.Html(self.task._repr_html_()))
        return self._progress_html()

    def _result_html(self, result: object, html_of: Callable[[Any], str]) -> str:
        items = result if isinstance(result, list) else [result]
        cards = [html_of(item) for item in items if hasattr(item, "_repr_html_")]
        if not cards or len(cards) < len(items):
            return self._card("done", markup.text(_plain_text(result)), tone="good")
        return markup.stack(*map(markup.Html, cards)) if len(cards) > 1 else cards[0]

    def _progress_html(self) -> markup.Html:
        if self._is_saving:
            text = markup.caption(f"{self._songs_text()} · {_SAVING}")
            return self._card("ready", text, tone="good")
        share = self.task.progress if self.task else None
        state = STATE_LABELS[self.task.state] if self.task else "sending"
        pause = self._pause_notice()
        notice = markup.notice(pause, "warn") if pause else markup.EMPTY
        progress = markup.progress(share, self._elapsed_text())
        return self._card(state, progress, notice, tone="info")

    def _pause_notice(self) -> str:
        return self._client.pause_notice() if self._client and self.task is None else ""

    def _songs_text(self) -> str:
        songs = self.task.songs if self.task else ()
        return "Song is ready" if len(songs) == 1 else "Songs are ready"

    def _elapsed_text(self) -> str:
        if self._is_saving:
            return f"{self._songs_text()}, {_SAVING}"
        clock = "" if self._speed == 1 else " (simulated time)"
        eta = str(self._client.eta(self.task)) if self._client and self.task else ""
        elapsed = f"{markup.format_duration(self.seconds)}{eta and ', '}{eta}{clock}"
        is_repost = self.task is not None and self.task.poll_by_repost
        return f"Not ready yet; retrying ({elapsed})." if is_repost else elapsed

    def _unfinished_text(self) -> str:
        if self.task is None and self.request is not None:
            return "The service has not accepted the request yet; the job continues"
        if self.task is not None and self.request is not None and self.request.price() != 0:
            return "The task is paid for; the job continues"
        return "The job continues"

    def _interrupted_text(self) -> str:
        advice = "await it again, or job.cancel() it"
        return f"Stopped waiting for {self.title}. {self._unfinished_text()}: {advice}."

    def _stopped_text(self) -> str:
        task = self.task
        if self.request is None and task is None:
            return "Stopped."
        if task is not None and task.poll_by_repost:
            return (
                f"Stopped waiting. {task.name} was accepted but is not ready yet: "
                "api.wait(job.task) repeats the request until it is."
            )
        if task is None or task.id is None:
            return "Stopped waiting. The service had not accepted the request yet."
        return (
            f"Stopped waiting. Task {task.id} is paid for and keeps running on the service: "
            "api.wait(job.task) waits for its songs."
        )

    def _card(self, label: str, *body: str, tone: markup.Tone) -> markup.Html:
        problems = self.request.problems() if self.request else ()
        advice = [markup.notice(str(problem), "warn") for problem in problems]
        price = self.request.price() if self.request else None
        cost = None if price is None else markup.format_credits(price)
        facts, badges = (
            markup.facts(request_summary(self.request), cost),
            [markup.badge(label, tone)],
        )
        return markup.card(self.title, *body, *advice, facts=facts, badges=badges)

    def _ipython_display_(self) -> None:
        from IPython.display import display  # noqa: PLC0415 - only notebooks have IPython

        place = host()
        if place == "terminal":  # it cannot update in place
            print(repr(self))  # noqa: T201
            return
        if place == "voila" and not self.done():  # only widgets can change there
            display(live_card(self))
            return
        display_id = uuid.uuid4().hex
        display(self._bundle(), raw=True, display_id=display_id)
        self._display_ids.append(display_id)
        self._start_refreshing()

    def _display_(self) -> Any:
        """Return what marimo displays."""
        return live_card(self)

    def _bundle(self) -> dict[str, str]:
        return {"text/html": self._html(live_html), "text/plain": repr(self)}

    def watch(self, callback: Callable[[], None]) -> None:
        """Call `callback` on the background thread after every change, and at the end."""
        self._callbacks.append(callback)
        self._start_refreshing()

    def actions(self) -> tuple[Action, ...]:
        help_text = "Stop waiting; a task already paid for keeps running on the service."
        return (Action("Stop watching", help_text, self.cancel, not self.done()),)

    def bar_state(self) -> BarState:
        songs = self.task.songs if self.task else ()
        expected = (self.task.expected if self.task else None) or max(len(songs), 1)
        text = self._elapsed_text() if self.task else self._state_text()
        if self.done():
            text = self._error_text()
        return BarState(sum(song.finished for song in songs), expected, "songs", text)

    def _start_refreshing(self) -> None:
        """Refresh once a second, from the first display or callback on."""
        if self._future.done():
            self._refresh()  # it may have ended just now
        elif not self._refreshing:
            self._refreshing = True
            self._background.submit(self._refresh_until_done())

    def _refresh(self) -> None:
        for redraw in (self._redraw, *self._callbacks):
            try:
                redraw()
            except Exception:  # noqa: BLE001 - a display error must not end paid work
                _log.exception("%s cannot be displayed", self.title)

    def _redraw(self) -> None:
        if display_ids := list(self._display_ids):
            from IPython.display import update_display  # noqa: PLC0415 - as above

            bundle = self._bundle()
            for display_id in display_ids:
                update_display(bundle, raw=True, display_id=display_id)

    async def _refresh_until_done(self) -> None:
        """Update the elapsed time, until a player is shown that must not be redrawn."""
        while not self._future.done():
            await asyncio.sleep(_REFRESH_SECONDS)
            if not self._future.done() and not self._is_playable():
                self._refresh()


def _plain_text(result: object) -> str:
    """Describe a result that has no card; paths without their class."""
    return str(result) if isinstance(result, Path) else repr(result)
