"""Base class of the widgets: each output also has static HTML, shown where no kernel runs."""

import concurrent.futures
import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
from IPython.display import display, update_display

_IMPORT = re.compile(r"^import [^;]*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)


def join_modules(*paths: Path) -> str:
    """Join ES modules into one, each after those that it imports.

    anywidget loads a single module from a blob URL, where relative imports do not resolve.
    Joining needs no build step and leaves no generated file behind. Only the last module may have
    a default export, and no two may declare the same name.
    """
    source = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    return _EXPORT.sub("", _IMPORT.sub("", source))


def join_styles(*paths: Path) -> str:
    """Join CSS files into one."""
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


class LiveWidget(anywidget.AnyWidget):
    """A widget whose saved output also contains its `_repr_html_` and its `repr`."""

    _repr_html_: Callable[[], str]  # each widget has its own
    _worker: concurrent.futures.ThreadPoolExecutor | None = None

    def _in_worker(self, work: Callable[..., object], *arguments: Any) -> None:
        """Run a function on the widget's thread: reading and decoding would block the kernel.

        Drop it if the widget is closed: other threads may not have noticed yet.
        """
        if self._worker is None:
            self._worker = concurrent.futures.ThreadPoolExecutor(1, "musicapi_nb widget")
        with contextlib.suppress(RuntimeError):  # of an executor that was shut down
            self._worker.submit(work, *arguments)

    def close(self) -> None:
        """Close the widget and drop queued audio requests."""
        if self._worker is not None:
            self._worker.shutdown(wait=False, cancel_futures=True)
        super().close()

    def _ipython_display_(self) -> None:
        data, metadata = self._repr_mimebundle_()  # Colab finds its widget manager in the metadata
        display(data, metadata=metadata, raw=True, display_id=self.model_id)

    def _update_display(self) -> None:
        """Replace the saved output by the current state; the page renders it again."""
        data, metadata = self._repr_mimebundle_()
        update_display(data, metadata=metadata, raw=True, display_id=self.model_id)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        return {**data, "text/html": self._repr_html_(), "text/plain": repr(self)}, metadata
