"""connect(): choose the service or a simulator and a library, and open or reuse a session."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import hashlib
import os
import re
import secrets
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal

import aiohttp
import yarl

from musicapi_nb.client import BASE_URL, MusicAPI
from musicapi_nb.client.hooks import Hooks, OnBudget, OnFailure, OnTask
from musicapi_nb.client.network import Certificates, parse_network
from musicapi_nb.client.transport import parse_base_url, parse_key
from musicapi_nb.client.webhook_fields import webhook_target
from musicapi_nb.engines import Request
from musicapi_nb.engines.values import whole_number
from musicapi_nb.errors import (
    InvalidRequest,
    LibraryError,
    Problem,
    Unauthorized,
    UnexpectedReply,
    Unreachable,
)
from musicapi_nb.notebook.event_loop import BackgroundLoop
from musicapi_nb.notebook.live_songs import add_live_songs
from musicapi_nb.notebook.session import Session, open_sessions
from musicapi_nb.notebook.session_html import KEY_VARIABLE
from musicapi_nb.paths import absolute_path
from musicapi_nb.secret import Secret, as_secret
from musicapi_nb.tasks import song_actions
from musicapi_nb.webhook_signing import SECRET_VARIABLE

if TYPE_CHECKING:
    from musicapi_nb.library import Library
    from musicapi_nb.simulator import Simulator
    from musicapi_nb.widgets.form import Form

SIMULATOR_VARIABLE = "MUSICAPI_SIMULATOR"
_SIMULATOR_KEY = "simulated-account"
_connecting = threading.RLock()
if hasattr(os, "register_at_fork"):  # another thread may hold it when this one forks
    os.register_at_fork(
        before=_connecting.acquire,
        after_in_parent=_connecting.release,
        after_in_child=_connecting.release,
    )


@dataclasses.dataclass(frozen=True)
class _Target:
    """The service: key and URL; a standalone simulator: URL; else an embedded simulator."""

    base_url: str | None = None
    key: Secret | None = None
    simulator: Simulator | None = None  # None: a new one


@dataclasses.dataclass(frozen=True)
class _Options:
    """The other arguments of connect(), with defaults filled in."""

    library: Path | None
    library_required: bool  # else there is none if it cannot be opened
    spend_limit: int | None
    webhook: str | None
    webhook_secret: Secret | None
    proxy: str | None = dataclasses.field(repr=False)
    ssl: Certificates | None


def connect(  # noqa: PLR0913 - independent settings
    key: str | Secret | None = None,
    *,
    base_url: str | None = None,
    simulator: Simulator | str | None = None,
    library: Path | str | Literal[False] | None = None,
    spend_limit: int | None = None,
    webhook: str | None = None,
    webhook_secret: str | Secret | None = None,
    proxy: str | None = None,
    ssl: Certificates | None = None,
    on_task: OnTask | None = None,
    on_failure: OnFailure | None = None,
    on_budget: OnBudget | None = None,
) -> Session:
    """Connect to MusicAPI, or without a key to an embedded simulator, and print which.

    With a key, it reads the balance, which costs nothing, for at most three seconds. With the same
    arguments as before, it returns the session that is already open.

    Parameters
    ----------
    key
        API key of the account. Default: the environment variable MUSICAPI_KEY.
    base_url
        Host to use in place of `https://api.musicapi.ai`.
    simulator
        A `Simulator` that is not started yet, with its own speed, balance or faults; or the
        address of a standalone one (`python -m musicapi_nb.simulator`), which outlives the
        kernel. Default without `key` and `base_url`: the address in the environment variable
        MUSICAPI_SIMULATOR, which takes precedence over MUSICAPI_KEY.
    library
        Folder that keeps songs, ratings and experiments, and records purchases before they are
        sent, so that each take is bought once, also in later kernels. Default: `musicapi-library`
        in the working directory or above it, if there is one, else in the home folder;
        `musicapi-library-simulated` for the embedded simulator, with the host in its name for
        another `base_url` or a standalone simulator. False, and the default for a `Simulator` of
        your own: none, so that songs end with the session.
    spend_limit
        Maximum credits that this session may spend; requires a library.
    webhook
        Public https address of a `webhooks.app` for the same library. The service calls it when a
        task makes progress, and purchases whose reply was lost are recovered. An embedded
        simulator also calls http addresses on this machine.
    webhook_secret
        Secret that signs webhooks. Default: the environment variable MUSICAPI_WEBHOOK_SECRET.
    proxy
        http://host:port of the proxy to the service; a simulator is reached without. Default: the
        environment variable HTTPS_PROXY, except for hosts in NO_PROXY.
    ssl
        Certificate authorities to trust: a PEM file, or an `ssl.SSLContext`. Default: those of the
        environment variable SSL_CERT_FILE, else those of the system.
    on_task, on_failure, on_budget
        Functions or coroutine functions that are called, on the background thread, when a request
        of `run` or of an experiment ends: with the task; with the request and its error; with a
        sentence when a budget or the spend limit is used up. Their errors are logged.

    Raises
    ------
    Unauthorized
        `base_url` without a key, or a key that is malformed or that the service refuses.
    Unreachable, UnexpectedReply
        No simulator answers at the address.
    LibraryError
        The library cannot be opened.
    InvalidRequest
        The arguments contradict each other, or the webhook address or secret is invalid.
    """
    key = as_secret(key) if key else None
    webhook_secret = None if webhook_secret is None else as_secret(webhook_secret)
    hooks = Hooks(on_task, on_failure, on_budget)
    target = _resolve_target(key, base_url, simulator)
    options = _resolve_options(target, library, spend_limit, webhook, webhook_secret, proxy, ssl)
    digest = _digest(target, options)
    with _connecting:  # threads share a session, and its spend limit
        session = open_sessions.pop(digest, None) or _open(target, options)
        open_sessions[digest] = session  # the last one is the current one
        session.hooks = hooks  # a cell that is run again defines its functions anew
        song_actions.register(session)
    if not session.simulated:
        try:
            session.read_balance()
        except Unauthorized:
            session.close()
            raise
    if "IPython" in sys.modules:  # a plain script does not pay for the import
        from IPython import get_ipython  # noqa: PLC0415 - as above

        from musicapi_nb.notebook.completion import add_completion  # noqa: PLC0415 - as above

        add_completion(get_ipython())
        add_live_songs(get_ipython())
    print(session.description)  # noqa: T201 - users must see whether songs will cost money
    return session


def _resolve_target(
    key: Secret | None, base_url: str | None, simulator: Simulator | str | None
) -> _Target:
    if simulator is not None and base_url is not None:
        raise _invalid("simulator", "has its own address; omit base_url")
    if not (simulator or key or base_url):
        simulator = os.getenv(SIMULATOR_VARIABLE, "").strip()
    if isinstance(simulator, str) and simulator:
        return _Target(simulator)
    if simulator:
        return _Target(simulator=simulator)
    # Verbose tracebacks show the values of names in a line: os.environ would show the key.
    if key is None and os.getenv(KEY_VARIABLE):
        key = as_secret(os.getenv(KEY_VARIABLE))
    return _Target(base_url or BASE_URL, as_secret(key)) if key or base_url else _Target()


def _resolve_options(  # noqa: PLR0913, PLR0917 - as connect
    target: _Target,
    library: Path | str | Literal[False] | None,
    spend_limit: int | None,
    webhook: str | None,
    webhook_secret: Secret | None,
    proxy: str | None,
    ssl: Certificates | None,
) -> _Options:
    if isinstance(library, bool) and library:
        raise _invalid("library", "is a folder; without it, the default one is used")
    # Practice needs no library: it costs nothing.
    required = library is not None or target.base_url is not None or spend_limit is not None
    if library is None and target.simulator is None:
        library = _default_library(target.base_url)
    folder = None if library is None or library is False else absolute_path(library)
    if spend_limit is not None and folder is None:
        raise _invalid("spend_limit", "requires a library; pass library='a-folder'")
    limit = None if spend_limit is None else whole_number(spend_limit)
    if spend_limit is not None and limit is None:
        raise _invalid("spend_limit", f"must be a number of credits, not {spend_limit!r:.40}")
    if webhook is not None and webhook_secret is None and os.getenv(SECRET_VARIABLE):
        webhook_secret = as_secret(os.getenv(SECRET_VARIABLE))
    # These raise before anything is opened.
    webhook_target(webhook, webhook_secret, local=True)
    parse_network(proxy, ssl)
    if target.base_url is not None:
        parse_base_url(target.base_url)
    if target.key is not None:
        parse_key(target.key)
    return _Options(folder, required, limit, webhook, webhook_secret, proxy, ssl)


def _invalid(argument: str, message: str) -> InvalidRequest:
    return InvalidRequest("connect()", [Problem(argument, message)])


def _digest(target: _Target, options: _Options) -> str:
    """Identify the arguments by a hash, so that neither the key nor the secret is stored."""
    address = target.base_url or id(target.simulator)
    arguments = [
        value.sign(b"connect") if isinstance(value, Secret) else value
        for value in (address, target.key, *vars(options).values())
    ]
    return hashlib.sha256(repr(arguments).encode()).hexdigest()


def _default_library(base_url: str | None) -> Path:
    """Return a folder per host, None for the embedded simulator: paid songs are kept apart."""
    from musicapi_nb.library import LIBRARY, default_folder  # noqa: PLC0415 - loads SQLite

    if base_url is None:
        return default_folder(f"{LIBRARY}-simulated")
    if base_url == BASE_URL:
        return default_folder()
    host = re.sub(r"[^A-Za-z0-9.]+", "-", base_url.partition("://")[2]).strip("-")
    return default_folder(f"{LIBRARY}-{host}")


def default_library(*, simulator: bool = False) -> tuple[Path, bool]:
    """Return the folder of the library that `connect()` opens, and whether it would be simulated.

    With `simulator`, those of a connection without a key. Nothing is opened.
    """
    address = os.getenv(SIMULATOR_VARIABLE, "").strip()
    if simulator and not address:
        return _default_library(None), True
    target = _resolve_target(None, None, None)
    return _default_library(target.base_url), target.key is None


def _open(target: _Target, options: _Options) -> Session:
    library, note = None, ""
    if options.library is not None:
        from musicapi_nb.library import Library  # noqa: PLC0415 - loads SQLite

        try:
            library = Library(options.library)
        except LibraryError as error:
            if options.library_required:
                raise
            note = f"Songs are not kept: {error.message}."
    background = BackgroundLoop()
    try:
        return _start(target, options, library, background, note)
    except BaseException:
        background.stop()
        if library is not None:
            library.close()
        raise


def _start(
    target: _Target,
    options: _Options,
    library: Library | None,
    background: BackgroundLoop,
    note: str,
) -> Session:
    simulator, base_url, speed = None, target.base_url, 1.0
    budgets: tuple[str, ...] = ()
    if library is not None and options.spend_limit is not None:
        budgets = (f"spend limit {secrets.token_hex(4)}",)  # of this session alone
        library.set_budget(budgets[0], options.spend_limit)
    if base_url is None:
        from musicapi_nb.notebook._simulated_past import past_request  # noqa: PLC0415 - loads numpy
        from musicapi_nb.simulator import ReplyOptions, Simulator  # noqa: PLC0415 - as above

        # The seed determines task ids, which must differ between the kernels that share a library.
        seed = secrets.randbelow(2**31) if library else 0
        reply_options = ReplyOptions(webhook_hosts="loopback")
        simulator = target.simulator or Simulator(seed=seed, reply_options=reply_options)
        if simulator.running:
            raise _invalid("simulator", f"is already running; pass its address, {simulator.url!r}")
        if library is not None and simulator.archive is None:
            simulator.archive = functools.partial(past_request, library)
        background.submit(simulator.start()).result()
        base_url, speed = simulator.url, simulator.speed
    elif target.key is None:
        base_url, speed = background.submit(_probe_simulator(base_url, options.ssl)).result()
    client = MusicAPI(
        _SIMULATOR_KEY if target.key is None else target.key,
        base_url=base_url,
        speed=speed,
        simulated=target.key is None,
        ledger=library,
        budgets=budgets,
        webhook=options.webhook,
        webhook_secret=options.webhook_secret,
        proxy=options.proxy if target.key is not None else None,  # a simulator is near
        ssl=options.ssl,
    )
    return Session(client, background, simulator, library, note)


async def _probe_simulator(address: str, certificates: Certificates | None) -> tuple[str, float]:
    """Return the base URL and clock speed of the simulator at an address.

    Unreachable if nothing answers, UnexpectedReply if something other than a simulator does.
    """
    base, reply = parse_base_url(address), None
    connection = parse_network(None, certificates).options(yarl.URL(base))
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10.0)) as session,
            session.get(f"{base}/", allow_redirects=False, **connection) as response,
        ):
            with contextlib.suppress(ValueError, asyncio.IncompleteReadError):
                reply = await response.json(content_type=None)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise Unreachable(
            f"no simulator answers at {base} ({type(error).__name__}); start one with "
            "python -m musicapi_nb.simulator, which prints its address"
        ) from error
    speed = reply.get("speed") if isinstance(reply, dict) and "simulator" in reply else None
    if isinstance(speed, bool) or not isinstance(speed, int | float) or not speed > 0:
        raise UnexpectedReply(f"the server at {base} is not a musicapi_nb simulator", body=reply)
    return base, float(speed)


def current_session() -> Session:
    """Return the open session that was connected last; connect if there is none."""
    with _connecting:
        return next(reversed(open_sessions.values()), None) or connect()


def form(start: type[Request] | Request | ModuleType | None = None) -> Form:
    """Return a form on the current session, connecting if there is none: see `Session.form`."""
    return current_session().form(start)
