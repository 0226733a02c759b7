"""What every live part shares: beside the widget, a static form of it for where none is live."""

from __future__ import annotations

from typing import Any

import anywidget


class Live(anywidget.AnyWidget):
    """A widget whose saved output also holds its `_repr_html_` and its `repr`."""

    def _repr_html_(self) -> str:
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        return {**data, "text/html": self._repr_html_(), "text/plain": repr(self)}, metadata
