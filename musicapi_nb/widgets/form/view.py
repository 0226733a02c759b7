"""The part of a form that the page draws."""

from pathlib import Path

import anywidget
import traitlets

from musicapi_nb.widgets.base import join_modules

_FOLDER = Path(__file__).parent


class FormView(anywidget.AnyWidget):
    """The part of a form that the page draws (see form.js) from these traits.

    `spec` is the operation: title, controls, and the other operations to choose from. `held` has
    the value of each control, and the view in which it was typed; `songs` what is shown of chosen
    songs, by id; `state` the messages of each control, texts above the button, and the button.
    """

    _esm = join_modules(
        _FOLDER.parent / "dom.js",
        _FOLDER / "song_picker.js",
        _FOLDER / "controls.js",
        _FOLDER / "form.js",
    )
    _css = _FOLDER / "form.css"
    spec = traitlets.Dict().tag(sync=True)
    held = traitlets.Dict().tag(sync=True)
    songs = traitlets.Dict().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)
