"""The form's front end, as Python holds it: what is drawn goes out, what is done comes in."""

from pathlib import Path

import anywidget
import traitlets

_HERE = Path(__file__).parent


class FormView(anywidget.AnyWidget):
    """What the front end draws; what a person does comes back as messages (see form.js).

    Attributes
    ----------
    spec
        The operation: its head, its controls, and what else can be chosen.
    held
        What each control holds, and in which view it was typed.
    state
        What is said beside each control, above the button and on it.
    """

    _esm = _HERE / "form.js"
    _css = _HERE / "form.css"
    spec = traitlets.Dict().tag(sync=True)
    held = traitlets.Dict().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)
