"""The notebook's handle: one background loop with the client, each call a Job."""

from __future__ import annotations

import atexit
from collections.abc import Coroutine, Iterable, Mapping
from concurrent.futures import Future
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from musicapi_nb import markup
from musicapi_nb.client import publish
from musicapi_nb.engines import Request
from musicapi_nb.errors import ClientClosed, InvalidRequest, Problem
from musicapi_nb.notebook.job import Job
from musicapi_nb.notebook.song_list import SongList
from musicapi_nb.notebook.song_magic_parser import form_operations
from musicapi_nb.tasks import Song, Task

if TYPE_CHECKING:
    from musicapi_nb.client import Balance, MusicAPI
    from musicapi_nb.client.download import Media
    from musicapi_nb.exports import ExportResult
    from musicapi_nb.library import Library
    from musicapi_nb.notebook.event_loop import BackgroundLoop
    from musicapi_nb.notebook.experiment_run import ExperimentRun
    from musicapi_nb.plan import Plan
    from musicapi_nb.simulator import Simulator
    from musicapi_nb.widgets.form import Form
    from musicapi_nb.widgets.gallery import Gallery
    from musicapi_nb.widgets.song_audio import Audio

KEY_VARIABLE = "MUSICAPI_KEY"
_sessions: dict[str, Session] = {}
"""The handles that are open, by what they were connected with; the last one last."""


class Session:
    """The notebook's way to MusicAPI; made by `connect`.

    Every call returns a `Job` at once: `await` it, ask for its `.result()`, or show it.

    Attributes
    ----------
    simulator
        The embedded simulator; None for the real service, and for one that runs by itself.
    library
        Where purchases are written down, or None.
    """

    def __init__(
        self,
        client: MusicAPI,
        background: BackgroundLoop,
        simulator: Simulator | None = None,
        library: Library | None = None,
    ) -> None:
        self._client = client
        self._background = background
        self.simulator = simulator
        self.library = library
        self._closed = False
        self._jobs: list[Job[Task]] = []
        atexit.register(self.close)

    @property
    def simulated(self) -> bool:
        """Whether songs are the simulator's and cost nothing."""
        return self._client.simulated

    @property
    def base_url(self) -> str:
        """Where requests go; of a simulator, what another kernel connects to it by."""
        return self._client.base_url

    @property
    def description(self) -> str:
        """Whom it talks to, in a sentence."""
        if self.simulator is not None:
            return (
                "MusicAPI simulator: songs are made here, nothing is paid. "
                f"Set {KEY_VARIABLE} for the real service."
            )
        if self.simulated:
            return (
                f"MusicAPI simulator at {self.base_url}: nothing is paid. "
                "Connect with a key for the real service."
            )
        return f"MusicAPI at {self.base_url}: every submit costs credits."

    def __repr__(self) -> str:
        return f"<{self.description}>"

    def _repr_html_(self) -> str:
        badge = markup.badge("simulated") if self.simulated else markup.badge("paid", "warn")
        return markup.card("MusicAPI", markup.text(self.description), badges=[badge])

    def run(self, request: Request, *, take: int = 1, deadline: float = 1800.0) -> Job[Task]:
        """Buy what a request asks for, and wait for its songs.

        Parameters
        ----------
        request
            Such as `sonic.Create(...)`.
        take
            With a library, a take is bought once: run again, in this kernel or in a later one,
            it gives the same songs and costs nothing. `take=2` buys others.
        deadline
            Seconds to wait for the songs; the task goes on afterwards.

        Raises
        ------
        InvalidRequest
            At once, if the request has hard problems; nothing is sent.
        """
        request.check()

        async def work(job: Job[Task]) -> Task:
            return await self._client.run(
                request, take=take, deadline=deadline, progress=job.update
            )

        return self._job(work, title=f"{request.engine}.{request.operation}", request=request)

    def wait(self, task: Task | Iterable[Task], *, deadline: float = 1800.0) -> Job[Any]:
        """Wait for a task, or for many: see `MusicAPI.wait`."""
        if isinstance(task, Task):
            one = task

            async def work(job: Job[Any]) -> Any:
                job.update(one)
                return await self._client.wait(one, deadline=deadline, progress=job.update)

            return self._job(work, title=f"wait for {_called(task)}")
        many = list(task)

        async def work_many(_: Job[Any]) -> Any:
            return await self._client.wait(many, deadline=deadline)

        return self._job(work_many, title=f"wait for {len(many)} tasks")

    def resume(self, *, deadline: float = 1800.0) -> Job[list[Task]]:
        """Wait for every task that the library knows as accepted, also of earlier kernels."""

        async def work(_: Job[list[Task]]) -> list[Task]:
            return await self._client.resume(deadline=deadline)

        return self._job(work, title="resume")

    def poll(self, task: Task | str, *, engine: str | None = None) -> Job[Task]:
        """Ask once how a task is doing: see `MusicAPI.poll`. Costs nothing."""

        async def work(_: Job[Task]) -> Task:
            return await self._client.poll(task, engine=engine)

        return self._job(work, title="poll")

    def experiment(  # noqa: PLR0913 - those of Experiment
        self,
        name: str,
        plan: Plan,
        *,
        budget: int | None = None,
        assume: int | None = None,
        concurrency: int = 8,
        deadline: float = 1800.0,
    ) -> ExperimentRun:
        """Make an experiment of a plan, and show its dry run; `start()` buys. It needs a library.

        The arguments are those of `experiment.Experiment`.

        Raises
        ------
        InvalidRequest
            This handle has no library.
        """
        self._check_open()
        if self.library is None:
            problem = Problem(
                "library", "is where an experiment is kept: connect(library='folder')"
            )
            raise InvalidRequest("api.experiment()", [problem])
        from musicapi_nb.experiment import Experiment  # noqa: PLC0415 - only who buys needs it
        from musicapi_nb.notebook.experiment_run import ExperimentRun as Prepared  # noqa: PLC0415 - as above

        experiment = Experiment(
            name,
            plan,
            self._client,
            self.library,
            budget=budget,
            assume=assume,
            concurrency=concurrency,
            deadline=deadline,
        )
        return Prepared(self, self._background, experiment)

    def gallery(self, what: Any = None, *, title: str = "") -> Gallery:
        """Show songs to look through, play and rate: see `mnb.gallery`.

        Parameters
        ----------
        what
            Tasks, songs, jobs, an experiment; left out: all that the library has.

        Raises
        ------
        InvalidRequest
            Nothing was given, and this handle has no library.
        """
        if what is None and self.library is None:
            problem = Problem("what", "is to be shown: give tasks, or connect(library='folder')")
            raise InvalidRequest("api.gallery()", [problem])
        from musicapi_nb.widgets.gallery import gallery  # noqa: PLC0415 - as above
        from musicapi_nb.widgets.song_audio import fetch_audio  # noqa: PLC0415 - only who looks needs it

        def fetch(song: Song) -> Future[Audio]:
            return self._background.submit(fetch_audio(song, self._client))

        given = self.library if what is None else what
        return gallery(given, library=self.library, fetch=fetch, title=title)

    def export(self, path: Path | str, what: Any = None) -> ExportResult:
        """Write songs to a folder or a ZIP, for other programs: see `mnb.export`.

        Parameters
        ----------
        what
            Tasks, songs, jobs, an experiment, rows of `songs_frame`; left out: all finished songs
            of the library.

        Raises
        ------
        InvalidRequest
            This handle has no library, where the files would be.
        """
        self._check_open()
        if self.library is None:
            problem = Problem("library", "has the files: connect(library='folder')")
            raise InvalidRequest("api.export()", [problem])
        return self.library.export(path, what)

    def credits(self) -> Job[Balance]:
        """Read the balance. Costs nothing."""

        async def work(_: Job[Balance]) -> Balance:
            return await self._client.credits()

        return self._job(work, title="credits")

    def download(self, source: Song | str, to: Path | str, *, media: Media = "audio") -> Job[Path]:
        """Fetch a song's file: see `MusicAPI.download`."""

        async def work(_: Job[Path]) -> Path:
            return await self._client.download(source, to, media=media)

        return self._job(work, title=f"download {media}")

    def publish(
        self,
        path: Path | str,
        to: str,
        *,
        url: str | None = None,
        expires: int = 86_400,
        options: Mapping[str, Any] | None = None,
    ) -> Job[str]:
        """Copy an audio file to public storage, and give its address: see `mnb.publish`.

        With a simulator, an address of this machine will do.
        """

        async def work(_: Job[str]) -> str:
            return await publish(
                path, to, url=url, expires=expires, local=self.simulated, options=options
            )

        return self._job(work, title="publish")

    def form(self, what: type[Request] | Request | ModuleType | None = None) -> Form:
        """Make a form to fill in; its button buys, with a library the next take.

        Parameters
        ----------
        what
            An operation (`sonic.Create`), a request to start from, an engine (`sonic`) to
            choose an operation of, or None to choose among all.

        Raises
        ------
        InvalidArgument
            It is none of these.
        """
        self._check_open()
        operations, start = form_operations(what)
        from musicapi_nb.widgets.form import Form as Made  # noqa: PLC0415 - loads ipywidgets

        return Made(self, self._spawn, operations, start)

    def songs(self, last: int = 12) -> SongList:
        """Return the songs bought last, newest first: of the library, else of this handle."""
        tasks = [job.task for job in self._jobs if job.task is not None]
        if self.library is not None:
            tasks = self.library.tasks()
        found = [song for task in reversed(tasks) for song in task.songs if song.finished]
        return SongList(found[: max(last, 0)])

    def _spawn(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        try:
            self._check_open()
        except ClientClosed:
            coroutine.close()
            raise
        self._background.submit(coroutine)

    def _check_open(self) -> None:
        if self._closed:
            raise ClientClosed("this handle is closed")

    def _job(self, work: Any, *, title: str, request: Request | None = None) -> Job[Any]:
        self._check_open()
        job = Job(self._background, work, title=title, request=request, client=self._client)
        if request is not None and self.library is None:
            self._jobs.append(job)  # what a library would remember
        return job

    def close(self) -> None:
        """Wait for replies to what was submitted, then end connections, simulator and thread.

        Called at exit by itself.
        """
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        for name in [name for name, handle in _sessions.items() if handle is self]:
            del _sessions[name]
        self._background.submit(self._aclose()).result()
        self._background.stop()
        if self.library is not None:
            self.library.close()

    async def _aclose(self) -> None:
        await self._client.close()
        if self.simulator is not None:
            await self.simulator.stop()


def _called(task: Task) -> str:
    return task.name if task.id is None else f"{task.engine} task {task.id}"
