"""The traceback of an expected error in IPython: the lines of the user's code, and the error.

IPython calls `_render_traceback_` of an exception. `%tb` shows the whole traceback afterwards, as
`%xmode Verbose` does beforehand.
"""

from __future__ import annotations

import re
import sys
import traceback
from pathlib import Path
from types import MethodType
from typing import Any, TypeVar

_Error = TypeVar("_Error", bound=BaseException)
_PACKAGE = str(Path(__file__).parent)
_MACHINERY = re.compile(r"[/\\](IPython|ipykernel|asyncio|concurrent|nest_asyncio2?)[/\\]")
_RED, _GREEN, _BOLD, _PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[1m", "\x1b[0m"
# A quoted text in a line of code that seems to hold a key.
_KEY_LINE = re.compile(r"key|secret|token|connect\s*\(|MusicAPI\s*\(", re.IGNORECASE)
_QUOTED = re.compile(r"""(["'])[^"'\s]{8,}\1""")


def is_in_ipython() -> bool:
    """Return whether this process runs IPython, as the kernels of notebooks do."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython  # noqa: PLC0415 - it is loaded

    return get_ipython() is not None


class ShortTraceback(BaseException):
    """Mix-in of exceptions whose traceback in IPython is short."""

    _rendered = 0  # id of the traceback shown last

    def _render_traceback_(self) -> list[str]:
        from IPython import get_ipython  # noqa: PLC0415 - IPython calls this

        shell: Any = get_ipython()
        again, self._rendered = self._rendered, id(self.__traceback__)
        if shell is None:
            return traceback.format_exception(self)
        display = shell.InteractiveTB
        if again == self._rendered or display.mode == "Verbose":
            stack = self.__traceback__
            return list(display.structured_traceback(type(self), self, stack, tb_offset=1))
        is_plain = str(getattr(shell, "colors", "")).lower() == "nocolor"
        lines = _lines(self, shell, is_plain=is_plain)
        return ["\n".join(lines)]


def with_short_traceback(error: _Error) -> _Error:
    """Return an exception of a class that cannot have the mix-in, with the same traceback."""
    if is_in_ipython():  # elsewhere the exception need not refer to itself
        method = MethodType(ShortTraceback._render_traceback_, error)
        vars(error).update(_rendered=0, _render_traceback_=method)
    return error


def _lines(error: BaseException, shell: Any, *, is_plain: bool) -> list[str]:
    red, green, bold, plain = ("",) * 4 if is_plain else (_RED, _GREEN, _BOLD, _PLAIN)
    lines: list[str] = []
    for frame in user_frames(error, shell):
        code = hide_keys((frame.line or "").strip())
        lines += [
            f"{bold}{_place(frame, shell)}{plain}",
            f"{green}----> {frame.lineno}{plain} {code}",
        ]
    return [*lines, f"{red}{type(error).__name__}{plain}: {error}"]


def user_frames(error: BaseException, shell: Any) -> list[traceback.FrameSummary]:
    """Return the notebook cell that called the package, and the user's line in it, if another."""
    frames: list[traceback.FrameSummary] = []
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.startswith(_PACKAGE):
            break
        is_cell = _cell_name(frame, shell) is not None
        if is_cell or not (_MACHINERY.search(frame.filename) or "site-packages" in frame.filename):
            frames.append(frame)
    return frames if len(frames) <= 2 else [frames[0], frames[-1]]  # noqa: PLR2004 - both ends


def hide_keys(code: str) -> str:
    """Replace quoted texts in a line of code that seems to hold a key."""
    return _QUOTED.sub(r"\1…\1", code) if _KEY_LINE.search(code) else code


def _place(frame: traceback.FrameSummary, shell: Any) -> str:
    place = _cell_name(frame, shell) or f"File {frame.filename}"
    function = "" if frame.name == "<module>" else f", in {frame.name}"
    return f"{place}, line {frame.lineno}{function}"


def _cell_name(frame: traceback.FrameSummary, shell: Any) -> str | None:
    name = getattr(shell.compile, "format_code_name", lambda _: None)(frame.filename)
    return " ".join(name) if name else None
