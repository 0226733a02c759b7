"""What can go wrong, on demand: the mishaps that users of the service meet, each by name.

    faults.arm("lost_reply")                                  # the next POST, once
    faults.arm("too_many_requests", retry_after=2, times=3)   # the next three requests
    faults.arm("server_error", status=502, page=True, method="GET", times=None, probability=0.1)

``FAULT_KINDS`` lists every name with one line on what it does and the settings it takes.
"""

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

Stage = Literal["arrival", "task", "reply", "webhook", "media"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault: when it strikes, what it does, which requests and settings by default."""

    stage: Stage
    help: str
    method: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


FAULT_KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        # arrival: instead of handling the request; no task is made and nothing is charged
        "drop_before": Kind("arrival", "the connection is reset, no task is made", "POST"),
        "too_many_requests": Kind(
            "arrival",
            "429; retry_after: None, seconds, or an HTTP date when retry_as_date",
            settings={"retry_after": None, "retry_as_date": False},
        ),
        "server_error": Kind(
            "arrival",
            "status 500 to 599, as JSON or (page) as a proxy's HTML page",
            settings={"status": 500, "page": False},
        ),
        "slow": Kind(
            "arrival", "handled only after simulated seconds", settings={"seconds": 120.0}
        ),
        "wrong_key": Kind("arrival", "401, though the key is well-formed"),
        "no_subscription": Kind("arrival", "403, the subscription has lapsed", "POST"),
        "queue_full": Kind("arrival", "403 in nuro's words: its queue is full", "POST"),
        "refused_content": Kind(
            "arrival",
            "403 with one of validation.REFUSALS (reason)",
            "POST",
            {"reason": "copyrighted"},
        ),
        "redirect_api": Kind(
            "arrival",
            "307 to another host (to: a base URL; default this server as 'localhost')",
            settings={"to": None},
        ),
        # reply: the request was handled (a POST made its task and was charged), the answer spoilt
        "lost_reply": Kind("reply", "the task is made, the connection closes unanswered", "POST"),
        "slow_reply": Kind(
            "reply",
            "the task is made at once, the answer held for simulated seconds",
            "POST",
            {"seconds": 120.0},
        ),
        "error_after": Kind(
            "reply",
            "the task is made, the answer is an error (status, page)",
            "POST",
            {"status": 502, "page": True},
        ),
        "cut_body": Kind("reply", "half of the body arrives, then the connection closes"),
        "garbage_body": Kind("reply", "200 with bytes that are neither JSON nor text"),
        "html_body": Kind("reply", "200 with a proxy's HTML page"),
        "empty_body": Kind("reply", "200 with no body at all"),
        "code_missing": Kind("reply", "the key 'code' is left out"),
        "extra_keys": Kind("reply", "keys that nobody documented are added"),
        # task: fixed when the task is made, seen when it is polled
        "task_fails": Kind(
            "task",
            "every song fails; refund: whether the credits come back",
            "POST",
            {"refund": True, "message": "The music generation failed."},
        ),
        "one_clip_fails": Kind(
            "task",
            "the last song fails beside a good one; nothing is refunded",
            "POST",
            {"message": "One of the songs failed."},
        ),
        "step_fails": Kind(
            "task",
            "step 1 (the upload) or 2 of a request that does two in one; 1 costs nothing",
            "POST",
            {"step": 1, "message": "This step failed."},
        ),
        "duration_text": Kind("task", "durations are text, whatever the engine", "POST"),
        "unknown_state": Kind(
            "task", "a state word nobody documented while running", "POST", {"word": "mastering"}
        ),
        "stuck": Kind("task", "never finishes", "POST"),
        # webhook: fixed when a task is made that has an address for them
        "webhook_lost": Kind("webhook", "none of its webhooks arrives", "POST"),
        "webhook_late": Kind(
            "webhook", "they come simulated seconds later", "POST", {"seconds": 120.0}
        ),
        "webhook_twice": Kind("webhook", "each comes twice", "POST"),
        "webhook_out_of_order": Kind("webhook", "the end comes before the progress", "POST"),
        # media
        "truncated_download": Kind("media", "half of the promised bytes arrive"),
        "wrong_type_download": Kind("media", "200 with an HTML page instead of the file"),
        "dead_link": Kind("media", "404 until the task is polled again"),
        "media_error": Kind("media", "status 500 to 599 for a file", settings={"status": 503}),
        "redirect_media": Kind(
            "media",
            "302 to another host (to: a base URL; default this server as 'localhost')",
            settings={"to": None},
        ),
    }
)


@dataclass(slots=True, eq=False)
class ArmedFault:
    """A fault that waits for its requests. ``hits`` counts how often it struck."""

    kind: str
    settings: Mapping[str, Any]
    method: str | None
    path: str
    times: int | None
    probability: float
    after: int
    hits: int = 0

    @property
    def spent(self) -> bool:
        """Whether it will not strike again."""
        return self.times is not None and self.hits >= self.times


class Faults:
    """The faults armed on one simulator; may be changed from any thread while it runs."""

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
        """Let ``kind`` strike the next requests that it fits.

        ``times`` is how often (None: until removed), ``probability`` the chance each time (drawn
        from the seed), ``after`` how many matching requests pass unharmed first. ``path`` is a
        part of the request's path, ``method`` overrides the kind's method; ``settings`` are the
        kind's (see ``FAULT_KINDS``).
        """
        known = FAULT_KINDS.get(kind)
        if known is None:
            raise ValueError(f"no fault is called {kind!r}; there are: {', '.join(FAULT_KINDS)}")
        if strange := set(settings) - set(known.settings):
            raise ValueError(f"{kind} does not take {', '.join(sorted(strange))}")
        fault = ArmedFault(
            kind,
            {**known.settings, **settings},
            method or known.method,
            path,
            times,
            probability,
            after,
        )
        with self._lock:
            self._armed.append(fault)
        return fault

    def disarm(self, fault: ArmedFault) -> None:
        """Take one fault away again; nothing happens if it is gone already."""
        with self._lock:
            self._armed = [each for each in self._armed if each is not fault]

    def clear(self) -> None:
        """Take all faults away."""
        with self._lock:
            self._armed = []

    @property
    def armed(self) -> tuple[ArmedFault, ...]:
        """The faults that may still strike."""
        with self._lock:
            return tuple(self._armed)

    def strike(self, kind: str, method: str, path: str) -> ArmedFault | None:
        """Whether ``kind`` strikes this request now; if so, one of its times is used up."""
        with self._lock:
            for fault in self._armed:
                if fault.kind != kind or not _fits(fault, method, path):
                    continue
                if fault.after:
                    fault.after -= 1
                    continue
                if self._random.random() >= fault.probability:
                    continue
                fault.hits += 1
                self._armed = [each for each in self._armed if not each.spent]
                return fault
        return None


def of_stage(stage: Stage) -> tuple[str, ...]:
    """Names of the kinds that strike at a stage, in the order in which they are tried."""
    return tuple(name for name, kind in FAULT_KINDS.items() if kind.stage == stage)


STAGES: Mapping[Stage, tuple[str, ...]] = MappingProxyType(
    {stage: of_stage(stage) for stage in ("arrival", "task", "reply", "webhook", "media")}
)


def _fits(fault: ArmedFault, method: str, path: str) -> bool:
    return fault.method in (None, method) and fault.path in path
