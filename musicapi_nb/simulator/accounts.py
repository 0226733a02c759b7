"""Accounts: one per key, the charge of each paid request, and refunds.

Credits are taken at submission and given back when a task fails (service.md 13, 14). Bought packs
(``extra_credits``) are spent before the subscription's ``credits`` (section 11); a refund goes back
to the pot that paid, which is the simulator's choice.
"""

import heapq
import threading
from dataclasses import dataclass, field

from musicapi_nb.simulator.clock import SimulatedClock


@dataclass(slots=True)
class Account:
    """The credits of one key; ``granted`` is everything ever deposited."""

    key: str = field(repr=False)
    credits: int
    extra_credits: int
    granted: int

    @property
    def balance(self) -> int:
        return self.credits + self.extra_credits


@dataclass(slots=True, eq=False)
class Charge:
    """The charge of one paid request; ``number`` counts the charges of a simulator from 1."""

    number: int
    key: str = field(repr=False)
    path: str
    operation: str
    credits: int
    from_extra: int
    charged_at: float
    task_id: str | None = None
    refunded_at: float | None = None

    @property
    def refunded(self) -> bool:
        return self.refunded_at is not None


class Accounts:
    """All accounts and charges of one simulator; safe to use from any thread.

    For each key, always: ``balance == granted - charged + refunded``.
    """

    def __init__(self, clock: SimulatedClock, balance: int) -> None:
        self._lock = threading.RLock()
        self._clock = clock
        self._balance = balance
        self._accounts: dict[str, Account] = {}
        self._charges: list[Charge] = []
        self._due: list[tuple[float, int, Charge]] = []

    def open(self, key: str, *, credits: int, extra_credits: int = 0) -> Account:  # noqa: A002 - the service's own word
        """Open the account of ``key`` with a balance other than the default."""
        with self._lock:
            if key in self._accounts:
                raise ValueError("This account is already open; use deposit().")
            account = Account(key, credits, extra_credits, credits + extra_credits)
            self._accounts[key] = account
            return account

    def deposit(self, key: str, extra_credits: int) -> None:
        with self._lock:
            account = self.get(key)
            account.extra_credits += extra_credits
            account.granted += extra_credits

    def get(self, key: str) -> Account:
        """Return the account of ``key``; open it with the default balance if it is new."""
        with self._lock:
            self.settle()
            if key not in self._accounts:
                self.open(key, credits=self._balance)
            return self._accounts[key]

    def charge(self, key: str, path: str, operation: str, price: int) -> Charge | None:
        """Take ``price`` credits, or return None if the balance is too low."""
        with self._lock:
            account = self.get(key)
            if account.balance < price:
                return None
            from_extra = min(price, account.extra_credits)
            account.extra_credits -= from_extra
            account.credits -= price - from_extra
            number, now = len(self._charges) + 1, self._clock.now()
            charge = Charge(number, key, path, operation, price, from_extra, now)
            self._charges.append(charge)
            return charge

    def refund_at(self, charge: Charge, instant: float) -> None:
        """Give a charge back at a simulated instant, whether or not a client polls then."""
        with self._lock:
            heapq.heappush(self._due, (instant, charge.number, charge))

    def settle(self) -> None:
        """Carry out the refunds that are due."""
        with self._lock:
            now = self._clock.now()
            while self._due and self._due[0][0] <= now:
                instant, _, charge = heapq.heappop(self._due)
                account = self._accounts[charge.key]
                account.extra_credits += charge.from_extra
                account.credits += charge.credits - charge.from_extra
                charge.refunded_at = instant

    def charges(self, key: str | None = None) -> tuple[Charge, ...]:
        """Return the charges of one key, or of all, oldest first."""
        with self._lock:
            self.settle()
            return tuple(charge for charge in self._charges if key in (None, charge.key))

    @property
    def latest(self) -> Charge | None:
        return self._charges[-1] if self._charges else None

    def charged(self, key: str) -> int:
        """Return the credits taken from a key, refunded or not."""
        return sum(charge.credits for charge in self.charges(key))

    def refunded(self, key: str) -> int:
        """Return the credits given back to a key."""
        return sum(charge.credits for charge in self.charges(key) if charge.refunded)
