"""Faults that can be armed: failures that users of the service meet, each by name.

    faults.arm("lost_reply")                                  # the next POST, once
    faults.arm("too_many_requests", retry_after=2, times=3)   # the next three requests
    faults.arm("server_error", status=502, page=True, method="GET", times=None, probability=0.1)

``FAULT_KINDS`` describes every name and its settings.
"""

import random
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

Stage = Literal["arrival", "reply", "step", "task", "webhook", "media"]


class FaultKind(NamedTuple):
    """One kind of fault: its stage, its effect, the method it applies to, its default settings."""

    stage: Stage
    help: str
    method: str | None
    settings: Mapping[str, Any]


_KINDS: dict[Stage, str] = {
    # instead of handling the request: no task is made and nothing is charged
    "arrival": """
POST drop_before: the connection is reset, no task is made
any  too_many_requests: 429; retry_after: None, seconds, or an HTTP date with retry_as_date
any  server_error: status 500 to 599, as JSON or (page) as the HTML page of a proxy
any  slow: handled only after simulated seconds
any  wrong_key: 401, though the key is well-formed
POST no_subscription: 403, the subscription has lapsed
POST queue_full: 403 in nuro's words: its queue is full
POST refused_content: 403 with one of rules.REFUSALS (reason)
any  redirect_api: 307 to another host (to: a base URL; default this server as 'localhost')
""",
    # the request was handled (a POST made its task and was charged), the answer is changed
    "reply": """
POST lost_reply: the task is made, the connection closes unanswered
POST slow_reply: the task is made at once, the answer is held back for simulated seconds
POST error_after: the task is made, the answer is an error (status, page)
any  cut_body: half of the body arrives, then the connection closes
any  garbage_body: 200 with bytes that are neither JSON nor text
any  html_body: 200 with the HTML page of a proxy
any  empty_body: 200 with an empty body
any  code_missing: the key 'code' is missing
any  extra_keys: undocumented keys are added
""",
    "step": """
POST step_fails: step 1 (the upload) or 2 of a request with two steps; 1 costs nothing
""",
    # decided when the task is made, visible when it is polled
    "task": """
POST task_fails: every song fails; refund: whether the credits are given back
POST one_clip_fails: the last song fails, the other succeeds; nothing is refunded
POST duration_text: durations are text, whatever the engine
POST unknown_state: an undocumented state (word) while it runs
POST stuck: the task never finishes
""",
    # decided when a task with a webhook_url is made
    "webhook": """
POST webhook_lost: none of its webhooks arrives
POST webhook_late: its webhooks come simulated seconds later
POST webhook_twice: each webhook comes twice
POST webhook_out_of_order: the last webhook comes before the others
""",
    "media": """
any  truncated_download: half of the promised bytes arrive
any  wrong_type_download: 200 with an HTML page instead of the file
any  dead_link: 404 until the task is polled again
any  media_error: status 500 to 599 for a file
any  slow_download: the file comes only after simulated seconds
any  redirect_media: 302 to another host (to: a base URL; default this server as 'localhost')
""",
}
_SETTINGS: dict[str, dict[str, Any]] = {
    "too_many_requests": {"retry_after": None, "retry_as_date": False},
    "server_error": {"status": 500, "page": False},
    "slow": {"seconds": 120.0},
    "refused_content": {"reason": "copyrighted"},
    "redirect_api": {"to": None},
    "slow_reply": {"seconds": 120.0},
    "error_after": {"status": 502, "page": True},
    "task_fails": {"refund": True, "message": "The music generation failed."},
    "one_clip_fails": {"message": "One of the songs failed."},
    "step_fails": {"step": 1, "message": "This step failed."},
    "unknown_state": {"word": "mastering"},
    "webhook_late": {"seconds": 120.0},
    "media_error": {"status": 503},
    "slow_download": {"seconds": 120.0},
    "redirect_media": {"to": None},
}


def _fault_kinds() -> Iterator[tuple[str, FaultKind]]:
    for stage, text in _KINDS.items():
        for line in text.strip().splitlines():
            head, _, effect = line.partition(": ")
            method, name = head.split()
            settings = _SETTINGS.get(name, {})
            yield name, FaultKind(stage, effect, None if method == "any" else method, settings)


FAULT_KINDS: Mapping[str, FaultKind] = MappingProxyType(dict(_fault_kinds()))
STAGES: Mapping[Stage, tuple[str, ...]] = {
    stage: tuple(name for name, kind in FAULT_KINDS.items() if kind.stage == stage)
    for stage in _KINDS
}
"""Stage to the names of its faults, in the order in which they are tried."""


@dataclass(slots=True, eq=False)
class ArmedFault:
    """A fault that waits for matching requests; ``hits`` counts how often it struck."""

    kind: str
    settings: Mapping[str, Any]
    method: str | None
    path: str
    times: int | None
    probability: float
    after: int
    hits: int = 0


class Faults:
    """The faults armed on one simulator; may be changed from any thread while it runs.

    Each fault strikes the next matching requests as often as it was armed for.
    """

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._armed: list[ArmedFault] = []

    def arm(
        self,
        kind: str,
        *,
        times: int | None = 1,
        probability: float = 1.0,
        after: int = 0,
        path: str = "",
        method: str | None = None,
        **settings: Any,
    ) -> ArmedFault:
        """Make ``kind`` (of ``FAULT_KINDS``) strike the next matching requests.

        It strikes ``times`` requests (None: until it is disarmed) whose path contains ``path``,
        each with a ``probability``, after letting the first ``after`` ones pass. ``method``
        overrides the kind's HTTP method; ``settings`` are the kind's own. Raises ``ValueError`` for
        an unknown kind or setting.
        """
        if kind not in FAULT_KINDS:
            raise ValueError(f"Unknown fault {kind!r}. Known faults: {', '.join(FAULT_KINDS)}.")
        _, _, kind_method, defaults = FAULT_KINDS[kind]
        if unknown := set(settings) - set(defaults):
            raise ValueError(
                f"The fault {kind} does not take {', '.join(sorted(unknown))}."
                f" Its settings: {', '.join(defaults) or 'none'}."
            )
        fault = ArmedFault(
            kind, {**defaults, **settings}, method or kind_method, path, times, probability, after
        )
        with self._lock:
            self._armed.append(fault)
        return fault

    def disarm(self, fault: ArmedFault) -> None:
        """Remove one fault; no error if it is already spent."""
        with self._lock:
            self._armed = [armed for armed in self._armed if armed is not fault]

    def clear(self) -> None:
        with self._lock:
            self._armed = []

    @property
    def armed(self) -> tuple[ArmedFault, ...]:
        """The faults that may still strike."""
        with self._lock:
            return tuple(self._armed)

    def strike(self, kind: str, method: str, path: str) -> ArmedFault | None:
        """Return the fault that strikes this request, and use up one of its times; else None."""
        with self._lock:
            for fault in self._armed:
                matches = fault.method in (None, method) and fault.path in path
                if fault.kind != kind or not matches:
                    continue
                if fault.after:
                    fault.after -= 1
                    continue
                if self._random.random() >= fault.probability:
                    continue
                fault.hits += 1
                if fault.hits == fault.times:
                    self._armed.remove(fault)
                return fault
        return None

    def strike_all(self, stage: Stage, path: str) -> dict[str, Mapping[str, Any]]:
        """Return the settings of the faults of a stage that strike a POST, by their names."""
        struck = ((kind, self.strike(kind, "POST", path)) for kind in STAGES[stage])
        return {kind: fault.settings for kind, fault in struck if fault is not None}
