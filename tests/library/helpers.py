"""Requests, replies and processes for tests of the library."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from musicapi_nb import sonic, tasks
from musicapi_nb.engines import Request
from musicapi_nb.ledger_types import PurchaseTerms
from musicapi_nb.library import Claim, Library
from musicapi_nb.tasks import Task
from tests.raw_http_server import DONE

ROOT = Path(__file__).parent.parent.parent
PRICE = 20  # of one sonic.Create
KILL_CODE = 9 if sys.platform == "win32" else -9  # exit code of a process that kills itself


class Unpriced(Request, frozen=True, kw_only=True):
    """An operation of unknown price."""

    engine: ClassVar[str] = "sonic"
    operation: ClassVar[str] = "unpriced"
    path: ClassVar[str] = "/api/v1/sonic/create"


def song(prompt: str = "rain on tin", model: str = "sonic-v5") -> sonic.Create:
    return sonic.Create(custom_mode=False, gpt_description_prompt=prompt, mv=model)


def acknowledged(request: Request, task_id: str = "t1") -> Task:
    return tasks.parse_submit_reply({"message": "success", "task_id": task_id}, request)


def looked(task: Task, payload: Any = DONE) -> Task:
    return tasks.parse_task(payload, task=task)


FAILED = {"type": "api_error", "message": "no luck", "refund_processed": True}
FAILED_UNSAID = {"type": "api_error", "message": "no luck"}
RUNNING = {"code": 200, "data": [{"clip_id": "c", "state": "running", "title": "Rain"}]}


def buy(library: Library, request: Request, task_id: str = "t1", **named: Any) -> Claim:
    """Claim a new purchase and record that it was accepted."""
    claim = library.claim(request, PurchaseTerms(**named))
    assert claim.kind == "buy"
    library.record_accepted(claim.entry.id, acknowledged(request, task_id))
    return claim


def record_commits(library: Library, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """Record each later commit: the events that it appends ("" without any), and its durability."""
    commits: list[tuple[str, bool]] = []
    commit = library.commit

    async def record(step: Callable[[], Any], *, durable: bool = True, **options: Any) -> Any:
        def run() -> Any:
            before = len(library.events())
            result = step()
            kinds = [event.kind for event in library.events()[before:]]
            commits.append((" ".join(kinds), durable))
            return result

        return await commit(run, durable=durable, **options)

    monkeypatch.setattr(library, "commit", record)
    return commits


def python(code: str, *arguments: str, **named: Any) -> subprocess.Popen[str]:
    """Start a Python process that runs `code`, with pipes for its input and output."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
        **named,
    )


def read_line(process: subprocess.Popen[str]) -> str:
    """Return the next line that a process prints; "" at its end."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def send_line(process: subprocess.Popen[str]) -> None:
    """Send a line to a process that waits for one."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def wait_for_end(process: subprocess.Popen[str]) -> int:
    process.communicate(timeout=180)
    return process.returncode


_TABLES = ("entries", "cells", "budgets", "attachments", "ratings", "blind_tests", "trials")
_BESIDE = [
    *[f"SELECT * FROM {name}" for name in _TABLES],  # noqa: S608 - our own names
    "SELECT * FROM totals WHERE purchases > 0",
    "SELECT * FROM files",
    "SELECT * FROM disk_use",
]


def rebuilt_is_the_same(library: Library) -> None:
    """Assert that rebuilding the derived tables changes nothing."""
    before = [sorted(library._database.rows(question)) for question in _BESIDE]
    library.rebuild()
    assert [sorted(library._database.rows(question)) for question in _BESIDE] == before
