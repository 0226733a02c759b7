"""Who pays: one account per key, what each paid request took, and what came back.

Credits are taken at submission and given back when a task fails (service.md 13, 14). Bought packs
(``extra_credits``) are spent before the subscription's ``credits`` (section 11); a refund goes
back to the pot it came from, which is the simulator's own choice.
"""

import heapq
import threading
from dataclasses import dataclass, field

from musicapi_nb.simulator.clock import SimulatedClock


@dataclass(slots=True)
class Account:
    """What one key owns. ``granted`` is everything ever put in, both pots together."""

    key: str = field(repr=False)
    credits: int
    extra_credits: int
    granted: int

    @property
    def balance(self) -> int:
        """Both pots together."""
        return self.credits + self.extra_credits


@dataclass(slots=True, eq=False)
class Charge:
    """One paid request: ``number`` counts the paid requests of a simulator from 1."""

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
        """Whether the credits were given back."""
        return self.refunded_at is not None


class Accounts:
    """Every account and every charge of one simulator; readable from any thread.

    For each key, at any moment: ``balance == granted - charged + refunded``.
    """

    def __init__(self, clock: SimulatedClock, balance: int) -> None:
        self._lock = threading.RLock()
        self._clock = clock
        self._balance = balance
        self._accounts: dict[str, Account] = {}
        self._charges: list[Charge] = []
        self._due: list[tuple[float, int, Charge]] = []

    def open(self, key: str, *, credits: int, extra_credits: int = 0) -> Account:  # noqa: A002 - the service's own word
        """Open the account of ``key`` with a starting balance of its own."""
        with self._lock:
            if key in self._accounts:
                raise ValueError("that account is already open; use deposit()")
            account = Account(key, credits, extra_credits, credits + extra_credits)
            self._accounts[key] = account
            return account

    def deposit(self, key: str, extra_credits: int) -> None:
        """Add a bought pack."""
        with self._lock:
            account = self.get(key)
            account.extra_credits += extra_credits
            account.granted += extra_credits

    def get(self, key: str) -> Account:
        """Give the account of ``key``, opened with the default balance when first seen."""
        with self._lock:
            self.settle()
            if key not in self._accounts:
                self.open(key, credits=self._balance)
            return self._accounts[key]

    def charge(self, key: str, path: str, operation: str, price: int) -> Charge | None:
        """Take ``price`` credits, or nothing at all (None) when the balance is too low."""
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
        """Give a charge back at a simulated instant, whether or not anybody polls then."""
        with self._lock:
            heapq.heappush(self._due, (instant, charge.number, charge))

    def settle(self) -> None:
        """Carry out the refunds that are due by now."""
        with self._lock:
            now = self._clock.now()
            while self._due and self._due[0][0] <= now:
                instant, _, charge = heapq.heappop(self._due)
                account = self._accounts[charge.key]
                account.extra_credits += charge.from_extra
                account.credits += charge.credits - charge.from_extra
                charge.refunded_at = instant

    def charges(self, key: str | None = None) -> tuple[Charge, ...]:
        """List the charges so far, oldest first; of one key, or of all."""
        with self._lock:
            self.settle()
            return tuple(each for each in self._charges if key is None or each.key == key)

    @property
    def latest(self) -> Charge | None:
        """The newest charge, if there was any."""
        return self._charges[-1] if self._charges else None

    def charged(self, key: str) -> int:
        """Credits taken from a key so far, refunded or not."""
        return sum(each.credits for each in self.charges(key))

    def refunded(self, key: str) -> int:
        """Credits given back to a key so far."""
        return sum(each.credits for each in self.charges(key) if each.refunded)
