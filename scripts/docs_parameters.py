"""For mkdocstrings: parameters that share a docstring's entry keep their own types and defaults.

Where one entry tells of several ("before, after"), griffe gives all of them those of the first.
"""

from typing import Any

import griffe


class OwnTypesAndDefaults(griffe.Extension):
    """Say of each documented parameter what its signature says."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is None or not isinstance(obj, griffe.Class | griffe.Function):
            return
        for section in obj.docstring.parsed:
            if isinstance(section, griffe.DocstringSectionParameters):
                for told in section.value:
                    if told.name in obj.parameters:
                        signed = obj.parameters[told.name]
                        told.annotation = signed.annotation
                        told.value = None if signed.required else str(signed.default)
