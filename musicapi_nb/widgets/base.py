"""Base class of live widgets: each output also carries static HTML for where no kernel runs."""

from __future__ import annotations

from typing import Any

import anywidget
from IPython.display import display, update_display


class LiveWidget(anywidget.AnyWidget):
    """A widget whose saved output also holds its `_repr_html_` and its `repr`."""

    def _repr_html_(self) -> str:
        raise NotImplementedError

    def _ipython_display_(self) -> None:
        display(self._bundle(), raw=True, display_id=self.model_id)

    def _update_display(self) -> None:
        """Replace the saved output by the current state; the page renders it again."""
        update_display(self._bundle(), raw=True, display_id=self.model_id)

    def _bundle(self) -> dict[str, Any]:
        return self._repr_mimebundle_()[0]

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        return {**data, "text/html": self._repr_html_(), "text/plain": repr(self)}, metadata
