"""ResultFrames: the tables of an experiment and of its run."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from musicapi_nb.public_names import missing_name
from musicapi_nb.tasks import Task

if TYPE_CHECKING:
    import pandas as pd

# What people try, and what it is called.
_OTHER_NAMES = {
    **{verb: f"api.{verb}(run)" for verb in ("compare", "gallery", "export")},
    **dict.fromkeys(("play", "show", "listen"), "api.gallery(run)"),
    **dict.fromkeys(("wait", "run", "join"), "await run, or run.start().result()"),
    **dict.fromkeys(("cost", "price", "credits", "spent"), "run.costs()"),
    **dict.fromkeys(("file", "path", "paths"), "run.files()"),
    **dict.fromkeys(("df", "table", "to_csv", "to_frame"), "run.songs()"),
    "status": "run.progress",
}


class ResultFrames(abc.ABC):
    """Something with the songs of a plan, whose tables have the factors as first columns.

    It can be passed to every frame function, analysis, gallery and export.
    """

    @abc.abstractmethod
    def tasks(self) -> list[Task]:
        """Return the tasks of the cells that have one, in the order of the plan."""

    @abc.abstractmethod
    def result_frame(self, name: str) -> pd.DataFrame:
        """Return a table of all cells by its name: tasks, songs, ..., ratings, measures, cells."""

    def songs(self) -> pd.DataFrame:
        """Return `songs_frame` of all cells, preceded by cell, block, take and the factors.

        The last column is the songs' `rating` (1 to 5 stars; missing without). A factor named like
        a column of any result frame is called `<name>_requested` in all.
        """
        return self.result_frame("songs")

    def tags(self) -> pd.DataFrame:
        """Return `tags_frame` of all cells, preceded by the same columns as `songs`."""
        return self.result_frame("tags")

    def replaced_tags(self) -> pd.DataFrame:
        """Return `replaced_tags_frame` of all cells, preceded by the same columns as `songs`."""
        return self.result_frame("replaced_tags")

    def durations(self) -> pd.DataFrame:
        """Return `durations_frame` of all cells, preceded by the same columns as `songs`."""
        return self.result_frame("durations")

    def ratings(self) -> pd.DataFrame:
        """Return `ratings_frame` of these songs, preceded by the same columns as `songs`."""
        return self.result_frame("ratings")

    def measures(self) -> pd.DataFrame:
        """Return `measures_frame` of these songs, preceded by the same columns as `songs`."""
        return self.result_frame("measures")

    def files(self) -> pd.DataFrame:
        """Return `files_frame` of these songs, preceded by the same columns as `songs`."""
        return self.result_frame("files")

    def effects(self, factor: str | tuple[str, str], **options: Any) -> pd.DataFrame:
        """Estimate the effect of each level of a factor: see `mnb.effects`."""
        from musicapi_nb.analysis._effects import effects  # noqa: PLC0415 - loads pandas

        return effects(self, factor, **options)

    def costs(self, by: str | Sequence[str] | None = None, **options: Any) -> pd.DataFrame:
        """Measure what songs cost, in all or by the levels of a factor: see `mnb.costs`."""
        from musicapi_nb.analysis._costs import costs  # noqa: PLC0415 - loads pandas

        return costs(self, by, **options)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise missing_name("a run", name, dir(type(self)), _OTHER_NAMES, songs="run")
