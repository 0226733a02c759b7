"""Session: a client, a library and perhaps a simulator on one background event loop."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import itertools
import os
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn, Self, overload
from urllib.parse import urlsplit

from musicapi_nb import markup, wire
from musicapi_nb.client import Balance, MusicAPI, publish
from musicapi_nb.client.hooks import Hooks, OnBudget, OnFailure, OnTask
from musicapi_nb.engines import Request, described_song
from musicapi_nb.engines.arguments import operation_name
from musicapi_nb.engines.values import whole_number
from musicapi_nb.errors import (
    ClientClosed,
    InvalidArgument,
    InvalidRequest,
    MusicAPIError,
    Problem,
    Unauthorized,
    refuse_copy,
)
from musicapi_nb.ledger_types import Media
from musicapi_nb.notebook.event_loop import BackgroundLoop
from musicapi_nb.notebook.job import Job
from musicapi_nb.notebook.session_html import service_line, session_card
from musicapi_nb.notebook.session_songs import SessionSongs
from musicapi_nb.paths import short_path
from musicapi_nb.tasks import Song, Songs, Task, Tasks, song_actions, task_list

if TYPE_CHECKING:
    from musicapi_nb.experiment import StopRule
    from musicapi_nb.exports import ExportResult
    from musicapi_nb.library import Adoption, Library
    from musicapi_nb.notebook.experiment_run import ExperimentRun
    from musicapi_nb.plan import Plan
    from musicapi_nb.simulator import Simulator
    from musicapi_nb.widgets.compare import Board
    from musicapi_nb.widgets.compare.dimensions import Names
    from musicapi_nb.widgets.form import Form
    from musicapi_nb.widgets.gallery import Gallery
    from musicapi_nb.widgets.song_audio import Audio

_BALANCE_SECONDS = 3.0
open_sessions: dict[str, Session] = {}
"""Open sessions by a digest of connect()'s arguments; the one connected last is the last."""
if hasattr(os, "register_at_fork"):  # a child connects anew
    os.register_at_fork(after_in_child=open_sessions.clear)


class Session(SessionSongs):
    """A connection to MusicAPI for a notebook; created by `connect`.

    Methods that talk to the service return a `Job` at once: `await` it, call its `.result()`, or
    display it.

    `simulated` says whether songs come from a simulator and cost nothing. Another kernel can
    connect to a simulator by its `base_url`. `library` records purchases, or is None, and then
    `note` may say why; `simulator` is the embedded simulator, None for the service and for a
    standalone simulator. `balance` is the service's balance as last read, or why it is unknown.
    """

    def __init__(
        self,
        client: MusicAPI,
        background: BackgroundLoop,
        simulator: Simulator | None = None,
        library: Library | None = None,
        note: str = "",
    ) -> None:
        self._client, self._background = client, background
        self.simulated: bool = client.simulated
        self.base_url: str = client.base_url
        self.simulator = simulator
        self.library = library
        self.note = note
        self.hooks: Hooks = Hooks()
        self.balance: Balance | str = "not read yet"
        self._closed = False
        self._jobs: list[Job[Task]] = []
        atexit.register(self.close)

    __reduce_ex__: Callable[..., NoReturn] = refuse_copy

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def description(self) -> str:
        """What it is connected to, what a song costs, and where songs are kept."""
        if self.library is None:
            return f"{service_line(self)} {self.note}".rstrip()
        notice = f" Purchases are refused: {self.library.notice}." * bool(self.library.notice)
        return f"{service_line(self)}\nLibrary: {short_path(self.library.path)}{notice}"

    @markup.safe_repr
    def __repr__(self) -> str:
        return markup.one_line(f"<{self.description}>")

    @markup.html_repr
    def _repr_html_(self) -> str:
        if self._closed:
            return markup.card("MusicAPI", facts="this session is closed")
        if not self.simulated:
            with contextlib.suppress(MusicAPIError):  # its line says so
                self.read_balance()
        return session_card(self)

    def read_balance(self) -> None:
        """Read `balance` again; Unauthorized if the service refuses the key. Costs nothing."""
        reading = asyncio.wait_for(self._client.credits(), _BALANCE_SECONDS)
        try:
            self.balance = self._background.submit(reading).result()
        except TimeoutError:
            host = urlsplit(self.base_url).hostname
            self.balance = f"no answer from {host} within {_BALANCE_SECONDS:.0f} s"
        except Unauthorized:
            raise
        except MusicAPIError as error:
            self.balance = error.message

    def run(
        self, request: Request | str, *, take: int = 1, deadline: float = 1800.0, **fields: Any
    ) -> Job[Task]:
        """Buy the songs of a request and wait for them.

        Parameters
        ----------
        request
            Such as `sonic.Create(...)`; or a text, which describes a song to `sonic.Create`.
        take
            With a library, each take is bought once: running it again, also in a later kernel,
            returns the same songs and costs nothing. `take=2` buys new ones.
        deadline
            Maximum wait in seconds; the task continues afterwards.
        fields
            With a text, further fields of the song, such as `model="sonic-v6"`.

        Raises
        ------
        InvalidRequest
            Immediately, if the request is invalid; nothing is sent.
        """
        if isinstance(request, str):
            request, fields = described_song(request, **fields), {}
        wire.check_request(request)
        if fields:
            message = f"belongs in the request: {operation_name(type(request))}(...)"
            raise InvalidRequest("api.run()", [Problem(name, message) for name in fields])
        title = f"{request.engine}.{request.operation}"

        def work(job: Job[Task]) -> Coroutine[Any, Any, Task]:
            run = self._client.run(request, take=take, deadline=deadline, progress=job.update)
            return self.hooks.follow(request, run)

        return self._job(work, title=title, request=request)

    @overload
    def wait(self, task: Task, *, deadline: float = ...) -> Job[Task]: ...
    @overload
    def wait(self, task: Iterable[Task], *, deadline: float = ...) -> Job[list[Task]]: ...
    def wait(self, task: Task | Iterable[Task], *, deadline: float = 1800.0) -> Job[Any]:
        """Wait for one or several tasks: see `MusicAPI.wait`."""
        if not isinstance(task, Task):
            tasks = task_list(task)
            title = f"wait for {len(tasks)} tasks"
            return self._job(lambda _: self._client.wait(tasks, deadline=deadline), title=title)

        async def work(job: Job[Any]) -> Task:
            job.update(task)
            return await self._client.wait(task, deadline=deadline, progress=job.update)

        name = task.name if task.id is None else f"{task.engine} task {task.id}"
        return self._job(work, title=f"wait for {name}")

    def resume(self, *, deadline: float = 1800.0) -> Job[list[Task]]:
        """Wait for the library's accepted tasks, download missing files: see `MusicAPI.resume`."""

        async def work(_: Job[Any]) -> Tasks:
            return Tasks(await self._client.resume(deadline=deadline))

        return self._job(work, title="resume")

    def adopt(
        self, source: Any, *, engine: str | None = None, deadline: float = 1800.0
    ) -> Job[Adoption]:
        """Take over songs bought elsewhere, by task id or reply: see `MusicAPI.adopt`. Free."""
        self._need_library("Adopting")
        work = functools.partial(self._client.adopt, source, engine=engine, deadline=deadline)
        return self._job(lambda _: work(), title="adopt")

    def poll(self, task: Task | str, *, engine: str | None = None) -> Job[Task]:
        """Poll a task once; free, except for reposts: see `MusicAPI.poll`."""
        return self._job(lambda _: self._client.poll(task, engine=engine), title="poll")

    def credits(self) -> Job[Balance]:
        """Read the balance. Costs nothing."""
        return self._job(lambda _: self._client.credits(), title="credits")

    def experiment(  # noqa: PLR0913 - the arguments of Experiment
        self,
        name: str,
        plan: Plan,
        *,
        budget: int | None = None,
        assume: int | None = None,
        concurrency: int = 8,
        deadline: float = 1800.0,
        stop: StopRule | None = None,
        on_task: OnTask | None = None,
        on_failure: OnFailure | None = None,
        on_budget: OnBudget | None = None,
    ) -> ExperimentRun:
        """Prepare an experiment, which displays a dry run; `start()` buys. Requires a library.

        Reads the balance for the dry run. The arguments are those of `experiment.Experiment`;
        without hooks of its own, those of the session are called.
        """
        library = self._need_library("An experiment")
        from musicapi_nb.experiment import Experiment  # noqa: PLC0415 - loads numpy
        from musicapi_nb.notebook.experiment_run import ExperimentRun, dry_run  # noqa: PLC0415

        experiment = Experiment(
            name,
            plan,
            self._client,
            library,
            budget=budget,
            assume=assume,
            concurrency=concurrency,
            deadline=deadline,
            stop=stop,
            hooks=Hooks(on_task, on_failure, on_budget) or self.hooks,
        )
        return ExperimentRun(self._background, experiment, dry_run(plan, self))

    def gallery(self, songs: Any = None, *, title: str = "") -> Gallery:
        """Display songs to browse, play and rate: see `mnb.gallery`.

        `songs` are tasks, songs, jobs or an experiment; by default the latest 5,000 purchases of
        the library; without one, the songs of this session.
        """
        from musicapi_nb.widgets.gallery import gallery  # noqa: PLC0415 - loads ipywidgets

        source = self._songs_or_all(songs)
        return gallery(source, library=self.library, fetch=self.fetch_audio, title=title)

    def compare(
        self, songs: Any = None, *, rows: Names = None, columns: Names = None, title: str = ""
    ) -> Board:
        """Display songs side by side, to play, rate and compare: see `mnb.compare`.

        `songs` are an experiment, tasks, songs or jobs; by default the latest 5,000 purchases of
        the library; without one, the songs of this session. `rows` and `columns` name factors or
        request fields, such as "prompt" and "model".
        """
        from musicapi_nb.widgets.compare import compare  # noqa: PLC0415 - loads ipywidgets

        return compare(
            self._songs_or_all(songs),
            rows=rows,
            columns=columns,
            library=self.library,
            fetch=self.fetch_audio,
            title=title,
        )

    def export(
        self, path: Path | str, songs: Any = None, *, metadata: bool = False
    ) -> ExportResult:
        """Write songs to a folder or a ZIP, for other programs: see `mnb.export`.

        `songs` are tasks, songs, jobs, an experiment, or rows of `songs_frame`; by default all
        finished songs of the library. Requires a library, which stores the audio files.
        """
        library = self._need_library("An export")
        from musicapi_nb.exports import export  # noqa: PLC0415 - loads pandas and mutagen

        songs = library if songs is None else songs
        return export(path, songs, library=library, metadata=metadata)

    def download(self, source: Song | str, to: Path | str, *, media: Media = "audio") -> Job[Path]:
        """Download a song's file into a folder or to a path: see `MusicAPI.download`."""
        return self._job(
            lambda _: self._client.download(source, to, media=media), title=f"download {media}"
        )

    def publish(
        self,
        path: Path | str,
        to: str,
        *,
        url: str | None = None,
        expires: int = 86_400,
        options: Mapping[str, Any] | None = None,
    ) -> Job[str]:
        """Upload an audio file to public storage and return its URL: see `mnb.publish`.

        With a simulator, a URL on this machine is accepted.
        """
        upload = functools.partial(
            publish,
            path,
            to,
            url=url,
            expires=expires,
            local=self.simulated,
            options=options,
            network=self._client.network,
        )
        return self._job(lambda _: upload(), title="publish")

    def form(self, start: type[Request] | Request | ModuleType | None = None) -> Form:
        """Return a form whose button buys; with a library, each press buys the next take.

        `start` is an operation (`sonic.Create`), a request to start from, or an engine (`sonic`)
        to choose an operation of; by default all operations are offered.
        """
        self._check_open()
        from musicapi_nb.widgets.form import Form  # noqa: PLC0415 - loads ipywidgets

        return Form(self, self._spawn, start)

    def songs(self, last: int = 12) -> Songs:
        """Return the songs bought last, newest first: of the library, else of this session."""
        if (number := whole_number(last)) is None:
            raise InvalidArgument(f"last must be a number of songs, not {last!r:.40}")
        songs = (song for task in self._tasks() for song in task.songs if song.finished)
        return Songs(itertools.islice(songs, number))

    def _tasks(self) -> Iterator[Task]:
        """Return the tasks of the library, else of this session, newest first."""
        if self.library is not None:
            return self.library.latest_tasks()
        return (job.task for job in reversed(self._jobs) if job.task is not None)

    def _songs_or_all(self, songs: Any) -> Any:
        """Return the songs of a widget: by default the library, else those of this session."""
        if songs is not None:
            return songs
        return list(self._tasks()) if self.library is None else self.library

    def fetch_audio(self, song: Song) -> Future[Audio]:
        """Download the sound behind a song's link into memory, for a player that cannot."""
        from musicapi_nb.widgets.song_audio import fetch_audio  # noqa: PLC0415 - loads numpy

        return self._background.submit(fetch_audio(song, self._client))

    def _need_library(self, subject: str) -> Library:
        self._check_open()
        if self.library is None:
            raise InvalidArgument(f'{subject} needs a library: mnb.connect(library="my-songs")')
        return self.library

    def _job(
        self,
        work: Callable[[Job[Any]], Coroutine[Any, Any, Any]],
        *,
        title: str,
        request: Request | None = None,
    ) -> Job[Any]:
        self._check_open()
        job = Job(self._background, work, title=title, request=request, client=self._client)
        if request is not None and self.library is None:
            self._jobs.append(job)  # for `songs`
        return job

    def _spawn(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        if self._closed:
            coroutine.close()
        self._check_open()
        self._background.submit(coroutine)

    def _check_open(self) -> None:
        if self._closed:
            raise ClientClosed("this session is closed")
        self._background.check_process()

    def close(self) -> None:
        """Wait for replies to requests already sent, then close everything it opened.

        Called automatically at exit.
        """
        if self._closed:
            return
        self._closed = True
        song_actions.unregister(self)
        atexit.unregister(self.close)
        for digest in [digest for digest in open_sessions if open_sessions[digest] is self]:
            del open_sessions[digest]
        try:
            if not self._background.is_forked:
                self._background.finish(self._aclose())
        finally:
            if self.library is not None:
                self.library.close()

    async def _aclose(self) -> None:
        await self._client.close()
        if self.simulator is not None:
            await self.simulator.stop()
