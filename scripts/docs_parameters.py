"""Griffe extension: parameters documented in one entry keep their own types and defaults.

For an entry of several names ("before, after"), griffe shows the type and default of the first.
"""

from typing import Any

import griffe


class OwnTypesAndDefaults(griffe.Extension):
    """Copy types and defaults from the signature to the documented parameters."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is None or not isinstance(obj, griffe.Class | griffe.Function):
            return
        for section in obj.docstring.parsed:
            if isinstance(section, griffe.DocstringSectionParameters):
                for documented in section.value:
                    if documented.name in obj.parameters:
                        parameter = obj.parameters[documented.name]
                        documented.annotation = parameter.annotation
                        default = None if parameter.required else str(parameter.default)
                        documented.value = default
