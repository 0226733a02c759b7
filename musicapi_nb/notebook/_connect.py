"""connect(): which service or simulator, which library, and the handle that is open for it."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import uuid
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from musicapi_nb.client import BASE_URL, MusicAPI
from musicapi_nb.client.webhook_fields import webhook_target
from musicapi_nb.engines import Request
from musicapi_nb.errors import InvalidRequest, Problem
from musicapi_nb.notebook import remote_simulator
from musicapi_nb.notebook.event_loop import BackgroundLoop
from musicapi_nb.notebook.session import KEY_VARIABLE, Session, _sessions
from musicapi_nb.webhook_signing import SECRET_VARIABLE

if TYPE_CHECKING:
    from musicapi_nb.library import Library
    from musicapi_nb.simulator import Simulator
    from musicapi_nb.widgets.form import Form

SIMULATOR_VARIABLE = "MUSICAPI_SIMULATOR"
LIBRARY = "musicapi-library"
_SIMULATOR_KEY = "simulated-account"


def connect(  # noqa: PLR0913 - each is a setting of its own
    key: str | None = None,
    *,
    base_url: str | None = None,
    simulator: Simulator | str | None = None,
    library: Path | str | None = None,
    spend_limit: int | None = None,
    webhook: str | None = None,
    webhook_secret: str | None = None,
) -> Session:
    """Connect to MusicAPI, or to the embedded simulator when there is no key; say which.

    Called again with the same arguments, it returns the handle that is open.

    Parameters
    ----------
    key
        The account's key; else the environment's MUSICAPI_KEY.
    base_url
        Another host than `https://api.musicapi.ai`.
    simulator
        A simulator of your own making, not yet started, for another speed, balance or faults;
        or the address of one that runs by itself (`python -m musicapi_nb.simulator`), which
        outlives the kernel. Without `key` and `base_url`, else the environment's
        MUSICAPI_SIMULATOR: an address, which goes before MUSICAPI_KEY.
    library
        The folder in which purchases are written down before they leave; each take is then
        bought once, also in later kernels. Left out: `musicapi-library` here for the real
        service, one of its own for another `base_url` and for a simulator that runs by itself,
        none for the embedded simulator, whose songs end with it.
    spend_limit
        Credits that this handle may spend in all; it needs a library.
    webhook
        Public https address at which a `webhooks.app` of the same library listens: the service
        calls it when a task comes on, and a purchase whose reply was lost is recovered. The
        embedded simulator calls http addresses on this machine too.
    webhook_secret
        What webhooks are signed with; else the environment's MUSICAPI_WEBHOOK_SECRET.

    Raises
    ------
    Unauthorized
        A `base_url` without any key, or a key that cannot be one.
    Unreachable, UnexpectedReply
        No simulator answers at the address.
    LibraryError
        The library cannot be used, and why.
    InvalidRequest
        Arguments that contradict each other, or a webhook that nobody could send or trust.
    """
    if simulator is not None and base_url is not None:
        problem = Problem("simulator", "brings its own address; leave base_url out")
        raise InvalidRequest("connect()", [problem])
    if not (simulator or key or base_url):
        simulator = os.environ.get(SIMULATOR_VARIABLE) or None
    key = None if simulator else key or os.environ.get(KEY_VARIABLE) or None
    real = key is not None or base_url is not None
    if library is None and (real or isinstance(simulator, str)):
        library = _usual_library(simulator if isinstance(simulator, str) else base_url)
    if spend_limit is not None and library is None:
        problem = Problem("spend_limit", "is kept in a library; give library='a-folder'")
        raise InvalidRequest("connect()", [problem])
    if webhook is not None and webhook_secret is None:
        webhook_secret = os.environ.get(SECRET_VARIABLE) or None
    hook = (webhook, webhook_secret)
    webhook_target(*hook, local=True)  # before anything is opened or started
    name = _identity((key, *hook), base_url, simulator, library, spend_limit)
    if (handle := _sessions.get(name)) is None:
        kept = _library(library)
        try:
            budgets = _limit(kept, spend_limit)
            if real:
                handle = _to_service(key or "", base_url, kept, budgets, hook)
            else:
                handle = _to_simulator(simulator, kept, budgets, hook)
        except BaseException:
            if kept is not None:
                kept.close()
            raise
    _sessions[name] = _sessions.pop(name, handle)  # the last one is `current`
    print(handle.description)  # noqa: T201 - a person must see whether songs will cost money
    return handle


def _identity(
    secret: tuple[str | None, ...],
    base_url: str | None,
    simulator: Simulator | str | None,
    library: Path | str | None,
    spend_limit: int | None,
) -> str:
    """Tell handles apart without keeping the key, or the secret of webhooks."""
    digest = hashlib.sha256(repr(secret).encode()).hexdigest()
    folder = None if library is None else str(Path(library).expanduser().absolute())
    own = id(simulator) if simulator and not isinstance(simulator, str) else simulator
    return repr((digest, base_url, own, folder, spend_limit))


def _usual_library(base_url: str | None) -> str:
    """Name the folder: what another host sold, perhaps a simulator, is not the service's."""
    if base_url is None:
        return LIBRARY
    host = re.sub(r"[^A-Za-z0-9.]+", "-", str(base_url).partition("://")[2]).strip("-")
    return f"{LIBRARY}-{host}"


def _library(folder: Path | str | None) -> Library | None:
    if folder is None:
        return None
    from musicapi_nb.library import Library as Kept  # noqa: PLC0415 - only who buys needs it

    return Kept(folder)


def _limit(library: Library | None, credits_: int | None) -> tuple[str, ...]:
    """Make the handle's own budget, which no other handle shares."""
    if library is None or credits_ is None:
        return ()
    name = f"spend limit {uuid.uuid4().hex[:8]}"
    library.set_budget(name, credits_)
    return (name,)


def _to_service(
    key: str,
    base_url: str | None,
    library: Library | None,
    budgets: tuple[str, ...],
    hook: tuple[str | None, str | None],
) -> Session:
    client = MusicAPI(
        key,
        base_url=base_url or BASE_URL,
        ledger=library,
        budgets=budgets,
        webhook=hook[0],
        webhook_secret=hook[1],
    )
    return Session(client, BackgroundLoop(), library=library)


def _to_simulator(
    simulator: Simulator | str | None,
    library: Library | None,
    budgets: tuple[str, ...],
    hook: tuple[str | None, str | None],
) -> Session:
    background = BackgroundLoop()
    try:
        if isinstance(simulator, str):
            url, speed = background.submit(remote_simulator.probe_simulator(simulator)).result()
            own = None
        else:
            own = simulator or _embedded(library)
            background.submit(own.start()).result()
            url, speed = own.url, own.speed
    except BaseException:
        background.stop()
        raise
    client = MusicAPI(
        _SIMULATOR_KEY,
        base_url=url,
        speed=speed,
        simulated=True,
        ledger=library,
        budgets=budgets,
        webhook=hook[0],
        webhook_secret=hook[1],
    )
    return Session(client, background, own, library)


def _embedded(library: Library | None) -> Simulator:
    from musicapi_nb.simulator import ReplyOptions  # noqa: PLC0415 - loads numpy
    from musicapi_nb.simulator import Simulator as Embedded  # noqa: PLC0415 - as above

    reply_options = ReplyOptions(webhook_hosts="loopback")
    # Its seed makes the ids: in a library, those of two kernels must not be the same.
    return Embedded(seed=secrets.randbelow(2**31) if library else 0, reply_options=reply_options)


def current() -> Session:
    """Return the handle that was connected last and is open; else connect as `connect()` does."""
    return next(reversed(_sessions.values()), None) or connect()


def form(what: type[Request] | Request | ModuleType | None = None) -> Form:
    """Make a form on the handle that was connected last, or on a new one: see `Session.form`."""
    return current().form(what)
