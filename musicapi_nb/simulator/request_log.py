"""The requests that reached the simulator, for tests."""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from musicapi_nb.simulator.accounts import Charge


@dataclass(slots=True, eq=False)
class LoggedRequest:
    """One request as it arrived.

    ``status`` is None if it was never answered. ``charge`` is None if it cost nothing; for a
    batch, whose items are charged one by one, it is the last charge.
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


class RequestLog:
    """Every POST, the latest 2000 requests, and exact counts of all.

    ``total`` is the number of all requests. ``media_authorized`` counts requests below ``/media``
    that carried a key; it should stay 0, because file servers must not see the key. Header names
    are in lower case.
    """

    def __init__(self) -> None:
        self.posts: list[LoggedRequest] = []
        self.recent: deque[LoggedRequest] = deque(maxlen=2000)
        self.media_authorized: int = 0
        self._counts: Counter[tuple[str, str]] = Counter()
        self.total: int = 0

    def record(self, request: LoggedRequest) -> None:
        self.total += 1
        self._counts[request.method, request.path] += 1
        self.recent.append(request)
        if request.method == "POST":
            self.posts.append(request)
        if request.path.startswith("/media/") and "authorization" in request.headers:
            self.media_authorized += 1

    @property
    def paid(self) -> tuple[LoggedRequest, ...]:
        """Return the POSTs that were charged, oldest first."""
        return tuple(request for request in self.posts if request.charge is not None)

    def count(self, method: str, path: str = "") -> int:
        """Count the requests of a method whose path contains ``path``."""
        counts = list(self._counts.items())
        return sum(n for (verb, target), n in counts if verb == method and path in target)
