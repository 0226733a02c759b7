"""The button that pays: once a turn, and only for what the person who clicked had typed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

if TYPE_CHECKING:
    from collections.abc import Callable

_HERE = Path(__file__).parent


class BuyButton(anywidget.AnyWidget):
    """A button that calls `buy` at most once for each turn; see buy.js for how a click travels.

    Attributes
    ----------
    label
        What stands on it.
    price
        What the label says it costs. A click that saw another price is refused.
    ready
        Whether it can be clicked.
    busy
        Whether what it bought is under way; for screen readers.
    turn
        Counts what it has bought.
    """

    _esm = _HERE / "buy.js"
    _css = _HERE / "form.css"
    label = traitlets.Unicode("").tag(sync=True)
    price = traitlets.Unicode("").tag(sync=True)
    ready = traitlets.Bool(default_value=False).tag(sync=True)
    busy = traitlets.Bool(default_value=False).tag(sync=True)
    turn = traitlets.Int(0).tag(sync=True)

    def __init__(self, buy: Callable[[], None], changed: Callable[[], None]) -> None:
        super().__init__()
        self._buy = buy
        self._changed = changed
        self.on_msg(self._hear)

    def _hear(self, _: object, content: Any, __: object) -> None:
        if not isinstance(content, dict) or content.get("turn") != self.turn or not self.ready:
            self.send({"kind": "no", "turn": _turn(content)})
        elif content.get("kind") == "ask":
            same = content.get("price") == self.price
            self.send({"kind": "heard" if same else "no", "turn": self.turn})
            if not same:
                self._changed()
        elif content.get("kind") == "buy":
            self.turn += 1
            self.ready = False
            self._buy()


def _turn(content: Any) -> Any:
    return content.get("turn") if isinstance(content, dict) else None
