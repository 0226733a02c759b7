"""JobSongs: the state of a job in one word, its tasks and its songs."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from musicapi_nb.errors import InvalidArgument, LostReply, UncertainPurchase, WaitTimeout
from musicapi_nb.public_names import missing_name
from musicapi_nb.tasks import STATE_LABELS, Songs, Task

# What people try, and what it is called.
_OTHER_NAMES = {
    "status": "job.state",
    **dict.fromkeys(("wait", "get", "join"), "await job, or job.result()"),
    **dict.fromkeys(("song", "clips", "tracks"), "job.songs"),
    **dict.fromkeys(("save", "download"), "job.songs[0].save(path)"),
    **dict.fromkeys(("play", "listen"), "job.songs[0].play()"),
    **dict.fromkeys(("rate", "rating"), "job.songs[0].rate(5)"),
    **dict.fromkeys(("stop", "abort"), "job.cancel()"),
}


class JobSongs:
    """The part of a job that is about its songs."""

    title: str
    task: Task | None
    _future: Future[Any]
    _first_state = "sending"  # until there is a task

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise missing_name("a job", name, dir(type(self)), _OTHER_NAMES, songs="job")

    @property
    def state(self) -> str:
        """One of sending, in the queue, being made, ready, failed, stopped, uncertain, unknown.

        A job is "ready" as soon as its songs are, also while their files are saved; "stopped" if
        nobody waits for its task any more; "uncertain" if the reply to a purchase was lost.
        """
        error = _error_of(self._future)
        if isinstance(error, LostReply | UncertainPurchase):
            return "uncertain"
        if self._future.cancelled() or isinstance(error, WaitTimeout):
            return "stopped"
        if error is not None:
            return "failed"
        if (tasks := self._tasks_so_far()) and len(tasks) == 1:
            return STATE_LABELS[tasks[0].state]
        return "ready" if self._future.done() else self._first_state

    @property
    def songs(self) -> Songs:
        """The songs so far: none while the request is sent, or if the job makes no songs."""
        return Songs(song for task in self._tasks_so_far() for song in task.songs)

    def tasks(self) -> list[Task]:
        """Return the tasks so far, as the input of galleries, frames and exports.

        Raises
        ------
        InvalidArgument
            There is none yet, or the job makes none.
        MusicAPIError
            The job ended with this error.
        """
        if (error := _error_of(self._future)) is not None:
            raise error
        if tasks := self._tasks_so_far():
            return tasks
        if self._future.done() and not self._future.cancelled():
            if isinstance(self._future.result(), list):
                return []
            raise InvalidArgument(f"the job {self.title!r} makes no songs")
        raise InvalidArgument("this job has no task yet; await it first")

    def _tasks_so_far(self) -> list[Task]:
        ended = (
            self._future.done() and not self._future.cancelled() and _error_of(self._future) is None
        )
        result = self._future.result() if ended else self.task
        items = result if isinstance(result, list) else [result]
        return [item for item in items if isinstance(item, Task)]


def _error_of(future: Future[Any]) -> BaseException | None:
    """Return the error that a job ended with; None if it did not."""
    return future.exception() if future.done() and not future.cancelled() else None
