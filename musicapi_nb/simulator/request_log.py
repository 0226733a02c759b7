"""What arrived at the simulator, for tests to look at."""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from musicapi_nb.simulator.accounts import Charge

_RECENT = 2000


@dataclass(slots=True, eq=False)
class LoggedRequest:
    """One request as it came in.

    ``status`` is None when it was never answered, ``charge`` is what it cost, if it cost anything;
    of a batch, which is charged item by item, the last.
    """

    number: int
    arrived_at: float
    method: str
    path: str
    host: str
    headers: Mapping[str, str] = field(repr=False)
    body: Any = None
    status: int | None = None
    charge: Charge | None = None

    @property
    def authorized(self) -> bool:
        """Whether an ``Authorization`` header came along."""
        return "authorization" in self.headers


class RequestLog:
    """Every POST, the latest of the rest, and exact counts of all.

    ``media_authorized`` counts requests below ``/media`` that carried a key: a file server is to
    be told none, so it should stay 0. Header names are in lower case.
    """

    def __init__(self) -> None:
        self.posts: list[LoggedRequest] = []
        self.recent: deque[LoggedRequest] = deque(maxlen=_RECENT)
        self.media_authorized = 0
        self._counts: Counter[tuple[str, str]] = Counter()
        self._total = 0

    def record(self, arrival: LoggedRequest) -> None:
        """Note a request that has just arrived."""
        self._total += 1
        self._counts[arrival.method, arrival.path] += 1
        self.recent.append(arrival)
        if arrival.method == "POST":
            self.posts.append(arrival)
        if arrival.path.startswith("/media/") and arrival.authorized:
            self.media_authorized += 1

    @property
    def paid(self) -> tuple[LoggedRequest, ...]:
        """The POSTs that were charged, oldest first."""
        return tuple(arrival for arrival in self.posts if arrival.charge is not None)

    @property
    def total(self) -> int:
        """How many requests arrived in all."""
        return self._total

    def count(self, method: str, path: str = "") -> int:
        """How many requests of a method had a path that contains ``path``."""
        return sum(
            number
            for (each, where), number in list(self._counts.items())
            if each == method and path in where
        )
