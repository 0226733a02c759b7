"""Write musicapi_nb/__init__.pyi, which shows the public names to type checkers and editors."""

from __future__ import annotations

from pathlib import Path

import musicapi_nb

STUB = Path(musicapi_nb.__file__).with_suffix(".pyi")


def stub() -> str:
    """Return the text of the stub: one re-export (PEP 484) per public name."""
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
    return "\n".join(["# Written by scripts/public_stub.py", "", *lines, *end])


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
