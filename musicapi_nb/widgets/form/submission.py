"""One press of a form's button: what was bought, and how it is shown."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from typing import Any, Protocol

from musicapi_nb import markup
from musicapi_nb.engines import Request


class Job(Protocol):
    """What the form needs of a job: `notebook.Job` fulfils it."""

    task: Any

    def done(self) -> bool: ...
    def __await__(self) -> Generator[Any, None, Any]: ...
    def _repr_html_(self) -> str: ...


class Buyer(Protocol):
    """What the form needs of a handle: `notebook.Session` fulfils it."""

    library: Any

    @property
    def simulated(self) -> bool: ...
    def run(self, request: Request, *, take: int = 1) -> Job: ...
    def credits(self) -> Any: ...


@dataclasses.dataclass(eq=False)
class Purchase:
    """One press of the button: its job, what was asked, and where it is shown."""

    job: Job
    request: Request
    take: int
    view: Any

    @property
    def html(self) -> markup.Html:
        """The job as it is now, and the code that shows it again."""
        code = f"api.run({self.request!r}{f', take={self.take}' if self.take > 1 else ''})"
        again = markup.collapsible("As code", markup.verbatim(code))
        return markup.stack(markup.Html(self.job._repr_html_()), again)

    def draw(self) -> None:
        """Show it as it is now, but leave a player alone that somebody may listen to."""
        songs = self.job.task.songs if self.job.task else ()
        playable = tuple(song for song in songs if song.finished)
        if playable and playable == self._drawn and not self.job.done():
            return
        self._drawn = playable
        self.view.value = self.html

    _drawn: tuple[Any, ...] = ()
