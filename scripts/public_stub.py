"""
Write the stubs that type checkers and editors read.

`musicapi_nb/__init__.pyi` lists the public names, which are imported when they are first used.
`musicapi_nb/engines/sonic/__init__.pyi` lists the arguments of each operation: its fields and their
synonyms, such as `styles` for `tags`.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from pathlib import Path

import musicapi_nb
from musicapi_nb.engines import Request, sonic
from musicapi_nb.engines.arguments import field_synonyms
from musicapi_nb.engines.fields import Field

_PACKAGE = Path(musicapi_nb.__file__).parent
_HEADER = "# Written by scripts/public_stub.py"


def public_stub() -> str:
    """Return the stub of the package: one re-export (PEP 484) per public name."""
    lines = [
        f"from {module} import {name} as {name}"
        for module, names in sorted(musicapi_nb.PUBLIC_NAMES.items())
        for name in sorted(names.split())
    ]
    end = [
        "",
        "__version__: str",
        "PUBLIC_NAMES: dict[str, str]",
        "__all__: list[str]  # noqa: PYI035 - the names above",
        "",
    ]
    return "\n".join([_HEADER, "", *lines, *end])


def sonic_stub() -> str:
    """Return the stub of `sonic`: the class of each operation with its arguments."""
    operations = [getattr(sonic, name) for name in sonic.__all__ if name != "MODELS"]
    classes = [line for kind in operations for line in _class(kind)]
    return "\n".join(
        [
            f"{_HEADER}\n",
            "from collections.abc import Mapping, Sequence",
            "from typing import Any, Literal\n",
            "from musicapi_nb.engines.request import Request\n",
            "MODELS: tuple[str, ...]",
            *classes,
            "",
            "__all__: list[str]  # noqa: PYI035 - the names above",
            "",
        ]
    )


def _class(kind: type[Request]) -> Iterator[str]:
    hints = typing.get_type_hints(kind)
    types = {name: _type(str(hints[name]), field) for name, field in kind.fields().items()}
    yield f"\nclass {kind.__name__}(Request, frozen=True, kw_only=True):"
    yield from (f"    {name}: {type_} = ..." for name, type_ in types.items())
    arguments = {name: types[field] for name, field in field_synonyms(kind).items()} | types
    yield "    def __init__("
    yield "        self,"
    if described := kind.description_field:
        yield f"        text: {types[described]} = ...,"
        yield "        /,"
    yield "        *,"
    yield from (f"        {name}: {type_} = ...," for name, type_ in arguments.items())
    yield "        extra: Mapping[str, Any] = ...,"
    yield "    ) -> None: ..."


def _type(hint: str, field: Field) -> str:
    """Return the type of a field; a Literal if it accepts only its choices."""
    plain = re.sub(r"\b(\w+\.)+(\w+)", r"\2", hint)
    if not field.choices or field.allow_other:
        return plain
    choices = ", ".join(f'"{choice}"' for choice in field.choices)
    return re.sub(r"\bstr\b", f"Literal[{choices}]", plain)


STUBS = {
    _PACKAGE / "__init__.pyi": public_stub,
    _PACKAGE / "engines" / "sonic" / "__init__.pyi": sonic_stub,
}

if __name__ == "__main__":
    for path, stub in STUBS.items():
        path.write_text(stub(), encoding="utf-8")
