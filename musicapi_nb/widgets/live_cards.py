"""Cards that are replaced in place, with buttons below them, as one widget."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import traitlets

from musicapi_nb import markup
from musicapi_nb.widgets.base import LiveWidget, join_modules

_FOLDER = Path(__file__).parent
_log = logging.getLogger(__name__)


class LiveCards(LiveWidget):
    """Static HTML that changes, for pages where only widgets can: voila and marimo.

    A card whose HTML stays the same is not drawn again, so that its player goes on. `buttons` are
    label, tooltip and whether it is enabled; `on_click` is called with the index of a button.
    """

    _esm = join_modules(_FOLDER / "dom.js", _FOLDER / "live_cards.js")
    _css = _FOLDER / "live_cards.css"
    cards = traitlets.List(traitlets.Unicode()).tag(sync=True)
    buttons = traitlets.List(traitlets.Tuple()).tag(sync=True)
    problem = traitlets.Unicode().tag(sync=True)

    def __init__(self, on_click: Callable[[int], object] | None = None) -> None:
        super().__init__()
        self._on_click = on_click
        self.on_msg(self._receive)

    @traitlets.validate("cards")
    def _plain(self, proposal: dict[str, Any]) -> list[str]:
        return [str(card) for card in proposal["value"]]  # marimo sends no subclass of str

    def _receive(self, _: object, content: Any, __: object) -> None:
        """Run the action of a button. An exception would be invisible, so it is shown."""
        index = content.get("click") if isinstance(content, dict) else None
        if self._on_click is None or not isinstance(index, int):
            return
        self.problem = ""
        try:
            self._on_click(index)
        except Exception as error:  # noqa: BLE001 - see the docstring
            _log.debug("a button failed", exc_info=True)
            self.problem = str(markup.notice(f"{type(error).__name__}: {error}", "bad"))

    @markup.safe_repr
    def __repr__(self) -> str:
        return f"<{len(self.cards)} cards>"

    @markup.html_repr
    def _repr_html_(self) -> str:
        return markup.stack(*map(markup.Html, self.cards))
