"""What a command returns: its exit code, its text, and the same as JSON."""

from __future__ import annotations

import dataclasses
import enum
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from musicapi_nb import markup
from musicapi_nb.errors import (
    InvalidArgument,
    InvalidPlan,
    InvalidRequest,
    MissingExtra,
    MissingFile,
    MusicAPIError,
    OldDependency,
    UncertainPurchase,
    UnreadableFile,
    WaitTimeout,
)

_USAGE_ERRORS = (
    InvalidRequest,
    InvalidArgument,
    MissingExtra,
    MissingFile,
    OldDependency,
    UnreadableFile,
)


class ExitCode(enum.IntEnum):
    """Exit codes of all commands."""

    OK = 0
    PROBLEMS = 1  # the plan would be refused
    USAGE = 2  # also argparse's
    FAILED = 3  # refused, failed or declined; nothing more was charged than the text says
    UNCERTAIN = 4  # it may have cost credits
    UNFINISHED = 5  # paid for, and still being made
    INTERRUPTED = 130  # 128 + SIGINT, as shells have it


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a command: `data` for programs, `text` for people."""

    data: Mapping[str, Any]
    text: str
    code: ExitCode = ExitCode.OK


class Interrupted(KeyboardInterrupt):
    """A command was interrupted; the message says what was paid and what continues."""

    def __init__(self, message: str, *, may_have_cost: bool = False) -> None:
        super().__init__(message)
        self.may_have_cost = may_have_cost


def error_outcome(error: MusicAPIError) -> Outcome:
    """Return the outcome of a command that ended with an error."""
    code = _error_code(error)
    data = {
        "error": type(error).__name__,
        "message": markup.strip_invisible(error.message),
        "may_have_cost": code is ExitCode.UNCERTAIN,
    }
    return Outcome(data, markup.one_line(str(error)), code)


def interrupt_outcome(interrupt: KeyboardInterrupt) -> Outcome:
    """Return the outcome of a command that was interrupted or terminated."""
    if not isinstance(interrupt, Interrupted):
        interrupt = Interrupted("Stopped.")
    data = {
        "error": "Interrupted",
        "message": str(interrupt),
        "may_have_cost": interrupt.may_have_cost,
    }
    return Outcome(data, str(interrupt), ExitCode.INTERRUPTED)


def _error_code(error: MusicAPIError) -> ExitCode:
    if isinstance(error, InvalidPlan):
        return ExitCode.PROBLEMS
    if isinstance(error, _USAGE_ERRORS):
        return ExitCode.USAGE
    if error.may_have_cost or isinstance(error, UncertainPurchase):
        return ExitCode.UNCERTAIN
    return ExitCode.UNFINISHED if isinstance(error, WaitTimeout) else ExitCode.FAILED


def facts_line(*facts: str | None) -> str:
    """Return facts as one line for a terminal; missing ones are skipped."""
    return markup.one_line(" · ".join(fact for fact in facts if fact))


def to_json(command: str, outcome: Outcome) -> str:
    """Return an outcome as one JSON object, in ASCII."""
    head = {"command": command, "exit_code": int(outcome.code)}
    return json.dumps(_plain({**head, **outcome.data}), indent=2, allow_nan=False)


def _plain(value: Any) -> Any:
    """Convert a value to what JSON has; numbers that are not finite become None."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return str(value) if isinstance(value, Path) else repr(value)
