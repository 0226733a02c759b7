"""The form's widget: the page draws its traits and sends user actions as messages."""

from pathlib import Path

import anywidget
import traitlets

from musicapi_nb.widgets.base import join_modules

_FOLDER = Path(__file__).parent


class FormView(anywidget.AnyWidget):
    """The part of a form that is drawn in the page (see form.js).

    Attributes
    ----------
    spec
        The operation: title, controls, and the other operations to choose from.
    held
        Value of each control, and the view in which it was typed.
    state
        Messages of each control, texts above the button, and the button itself.
    """

    _esm = join_modules(_FOLDER.parent / "dom.js", _FOLDER / "form.js")
    _css = _FOLDER / "form.css"
    spec = traitlets.Dict().tag(sync=True)
    held = traitlets.Dict().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)
