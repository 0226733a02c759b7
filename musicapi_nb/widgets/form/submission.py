"""One press of a form's button: its job, and how the job is shown."""

import dataclasses
from collections.abc import Generator, Sequence
from typing import Any, Protocol

from musicapi_nb import markup
from musicapi_nb.engines import Request
from musicapi_nb.tasks import Song


class Job(Protocol):
    """What the form needs of a job; `notebook.Job` fulfils it."""

    task: Any

    def done(self) -> bool: ...
    def __await__(self) -> Generator[Any, None, Any]: ...
    def _repr_html_(self) -> str: ...


class Buyer(Protocol):
    """What the form needs of a session; `notebook.Session` fulfils it."""

    library: Any

    simulated: bool

    def run(self, request: Request, *, take: int = 1) -> Job: ...
    def songs(self, last: int = 12) -> Sequence[Song]: ...
    def credits(self) -> Any: ...


@dataclasses.dataclass(eq=False)
class Submission:
    """A submitted request with its job and the HTML that shows it."""

    job: Job
    request: Request
    take: int
    shown: str = ""
    _playable: tuple[Any, ...] = ()

    @property
    def html(self) -> markup.Html:
        """The job's card, and the code that shows it again."""
        code = f"api.run({self.request!r}{f', take={self.take}' if self.take > 1 else ''})"
        code_block = markup.collapsible("As Python", markup.verbatim(code))
        return markup.stack(markup.Html(self.job._repr_html_()), code_block)

    def draw(self) -> None:
        """Update the display, unless that would only restart players."""
        songs = self.job.task.songs if self.job.task else ()
        playable = tuple(song for song in songs if song.finished)
        if playable and playable == self._playable and not self.job.done():
            return
        self._playable = playable
        self.shown = self.html
