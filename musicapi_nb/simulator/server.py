"""The simulator's HTTP server: sockets, faults on the wire, and what a test may look at."""

import asyncio
import contextlib
import json
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self
from weakref import WeakSet

from aiohttp import web

from musicapi_nb.simulator import audio, broken_responses, media
from musicapi_nb.simulator.accounts import Accounts
from musicapi_nb.simulator.catalog import Catalog
from musicapi_nb.simulator.clock import SimulatedClock
from musicapi_nb.simulator.faults import Faults
from musicapi_nb.simulator.replies import Answer, Links
from musicapi_nb.simulator.reply_options import ReplyOptions
from musicapi_nb.simulator.request_log import LoggedRequest, RequestLog
from musicapi_nb.simulator.service import API, Service
from musicapi_nb.simulator.tasks import Song
from musicapi_nb.simulator.validation import (
    NO_SUBSCRIPTION,
    QUEUE_FULL,
    REFUSALS,
    Refusal,
    forbidden,
)
from musicapi_nb.simulator.webhook_sender import WebhookSender

HOST = "127.0.0.1"
_SHUTDOWN_SECONDS = 1.0
_TURNS_TO_ACCEPT = 5


class Simulator:
    """The service on loopback: ``async with Simulator(speed=600) as sim:`` and talk to ``sim.url``.

    Runs on the event loop that starts it; see ``EmbeddedSimulator`` for one in its own thread.

    Parameters
    ----------
    speed
        Simulated seconds per real second; 0 for a clock that only ``clock.advance`` moves.
    balance
        Credits of every new key (``accounts.open`` gives one key a balance of its own).
    faults
        What goes wrong (``faults.arm``); nothing at first.
    seed
        The same seed and number of the paid request give the same songs and the same ids; where
        results outlive the simulator (a library), give each simulator a seed of its own.
    port
        0 takes a free one, and keeps it when stopped and started again.
    reply_options
        How replies look where the truth is unknown; may be changed while running.
    seconds
        Shortest and longest song where the request does not say (real ones are minutes).
    rate_limit
        Simulated seconds between two creates of a key, answered by 429; None for no limit.
    epoch
        Unix seconds at which the simulated clock starts; now by default.
    """

    def __init__(
        self,
        *,
        speed: float = 60.0,
        balance: int = 1000,
        faults: Faults | None = None,
        seed: int = 0,
        port: int = 0,
        reply_options: ReplyOptions | None = None,
        seconds: tuple[float, float] = (20.0, 45.0),
        rate_limit: float | None = None,
        epoch: float | None = None,
    ) -> None:
        self.clock = SimulatedClock(speed, epoch)
        self.accounts = Accounts(self.clock, balance)
        self.faults = faults or Faults(seed)
        self.reply_options = reply_options or ReplyOptions()
        self.request_log = RequestLog()
        self.port = port
        catalog = Catalog(self.reply_options, seconds, self.clock.now)
        self.service = Service(
            self.clock, self.accounts, self.faults, catalog, seed=seed, rate_limit=rate_limit
        )
        self._runner: web.AppRunner | None = None
        self._listener: socket.socket | None = None
        self._executor: ThreadPoolExecutor | None = None
        self._files: media.Files | None = None
        self._stopping = asyncio.Event()
        self._transports: WeakSet[asyncio.Transport] = WeakSet()

    @property
    def url(self) -> str:
        """Where it listens, without ``/api/v1``; an error before the first start."""
        if not self.port:
            raise RuntimeError("the simulator has not been started, so it has no address yet")
        return f"http://{HOST}:{self.port}"

    @property
    def speed(self) -> float:
        """Simulated seconds per real second."""
        return self.clock.speed

    @property
    def webhooks(self) -> WebhookSender:
        """What was told unasked; ``webhooks.sent`` has every one."""
        return self.service.webhooks

    @property
    def running(self) -> bool:
        """Whether it listens now."""
        return self._runner is not None

    async def start(self) -> Self:
        """Listen. What it knows (accounts, tasks, the port) survives a stop in between."""
        if self._runner is not None:
            raise RuntimeError("the simulator is running already")
        listener = socket.create_server((HOST, self.port))
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
        await runner.setup()
        await web.SockSite(runner, listener).start()
        self._stopping = asyncio.Event()
        self._executor = ThreadPoolExecutor(max_workers=2, thread_name_prefix="simulator")
        self._files = media.Files(self._executor)
        self._runner, self._listener = runner, listener
        self.port = listener.getsockname()[1]
        self.service.links = Links(self.url)
        self.service.webhooks.start()
        return self

    async def stop(self) -> None:
        """Close every connection and thread; nothing happens if it is not running."""
        runner, self._runner = self._runner, None
        if runner is None or self._executor is None or self._listener is None:
            return
        self._stopping.set()
        await self.service.webhooks.stop()
        # asyncio forgets a connection whose accepting is overtaken by the close of its server: so
        # accept no more, let what is under way arrive, and only then close.
        with contextlib.suppress(NotImplementedError):  # Windows
            asyncio.get_running_loop().remove_reader(self._listener)
        for _ in range(_TURNS_TO_ACCEPT):
            await asyncio.sleep(0)
        await runner.cleanup()
        # A listener who does not read would keep its connection open beyond the loop's end.
        for transport in list(self._transports):
            transport.abort()
        self._executor.shutdown(cancel_futures=True)
        await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    def __repr__(self) -> str:
        where = self.url if self.running else "stopped"
        return f"<Simulator {where}, {self.clock.speed:g} times real time>"

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            self._transports.add(request.transport)
        raw = await request.read()
        arrival = LoggedRequest(
            number=self.request_log.total + 1,
            arrived_at=self.clock.now(),
            method=request.method,
            path=request.path,
            host=request.host,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=_parsed(raw),
        )
        self.request_log.record(arrival)
        if request.path.startswith("/media/"):
            response = await self._media(request)
        elif request.path == "/":  # who connects to it has to know how fast its clock runs
            response = web.json_response({"simulator": "musicapi_nb", "speed": self.clock.speed})
        else:
            response = await self._api(request, arrival)
        arrival.status = None if isinstance(response, broken_responses.Silence) else response.status
        if not response.prepared:
            response.headers["x-request-id"] = f"sim-{arrival.number:06d}"
        return response

    async def _api(self, request: web.Request, arrival: LoggedRequest) -> web.StreamResponse:
        if (early := await self._before(request)) is not None:
            return early
        answer = self._answered(request, arrival)
        body = dict(answer.body)
        for kind in ("code_missing", "extra_keys"):
            if (kind != "code_missing" or "code" in body) and self._strike(kind, request):
                body = broken_responses.altered(kind, body)
        return await self._after(request, Answer(answer.status, body))

    def _answered(self, request: web.Request, arrival: LoggedRequest) -> Answer:
        method, path = request.method, request.path
        if not path.startswith(API):
            return self._error(Refusal(404, "not_found", f"There is no {path} here."), "")
        if method not in ("GET", "POST"):
            return self._error(Refusal(405, "method_not_allowed", f"{method} is not allowed."), "")
        before, known = self.accounts.latest, request.headers.get("Authorization")
        path = path.removeprefix(API)
        answer = self.service.answer(method, path, known, arrival.body, request.query)
        if self.accounts.latest is not before:
            arrival.charge = self.accounts.latest
        return answer

    async def _before(self, request: web.Request) -> web.StreamResponse | None:
        """Whatever strikes instead of handling the request."""
        if self._strike("drop_before", request) is not None:
            return broken_responses.silence(request, reset=True)
        if (slow := self._strike("slow", request)) and await self._interrupted(slow["seconds"]):
            return broken_responses.silence(request, reset=True)
        if broken := self._strike("server_error", request):
            return self._broken(request, broken)
        if (redirect := self._redirected("redirect_api", request, 307)) is not None:
            return redirect
        return self._refused(request)

    def _refused(self, request: web.Request) -> web.Response | None:
        refusal: Refusal | None = None
        if limited := self._strike("too_many_requests", request):
            refusal = Refusal(429, "too_many_requests", "Too many requests. Please slow down.")
            return broken_responses.too_many(self._error(refusal, _engine(request)), limited)
        if self._strike("wrong_key", request) is not None:
            refusal = Refusal(401, "unauthorized", "The API key is not valid.")
        elif self._strike("no_subscription", request) is not None:
            refusal = forbidden(NO_SUBSCRIPTION)
        elif self._strike("queue_full", request) is not None:
            refusal = forbidden(QUEUE_FULL)
        elif refused := self._strike("refused_content", request):
            refusal = forbidden(REFUSALS[refused["reason"]])
        return None if refusal is None else _json(self._error(refusal, _engine(request)))

    async def _after(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        """Whatever spoils the answer on its way out."""
        # A POST answered by 202 was carried out too: its file is on the way.
        carried_out = answer.status == HTTPStatus.OK or (
            answer.status == HTTPStatus.ACCEPTED and request.method == "POST"
        )
        if carried_out and (lost := await self._lost(request)) is not None:
            return lost
        if self._strike("cut_body", request) is not None:
            content = json.dumps(answer.body).encode()
            return await broken_responses.cut(request, media.File(content, "application/json"))
        for kind in ("garbage_body", "html_body", "empty_body"):
            if self._strike(kind, request) is not None:
                return broken_responses.unreadable(kind)
        return _json(answer)

    async def _lost(self, request: web.Request) -> web.StreamResponse | None:
        """Whatever hides that a request was carried out."""
        if self._strike("lost_reply", request) is not None:
            return broken_responses.silence(request, reset=False)
        held = self._strike("slow_reply", request)
        if held and await self._interrupted(held["seconds"]):
            return broken_responses.silence(request, reset=False)
        broken = self._strike("error_after", request)
        return self._broken(request, broken) if broken else None

    async def _media(self, request: web.Request) -> web.StreamResponse:
        if request.method == "OPTIONS":
            return media.preflight()
        *_, kind, name = request.path.split("/")
        song = self.service.catalog.songs.get(name.rpartition(".")[0])
        if song is not None and self._strike("dead_link", request) is not None:
            self.service.dead_links.add(song.song_id)
        if (spoilt := self._diverted(request)) is not None:
            return spoilt
        form = name.rpartition(".")[2]
        file = None if song is None else await self._file(kind, song, form)
        if file is None:
            refusal = Refusal(404, "not_found", "There is no such file.")
            return _json(self._error(refusal, ""), media.CORS)
        if self._strike("truncated_download", request) is not None:
            return await broken_responses.cut(request, file)
        if self._strike("wrong_type_download", request) is not None:
            return broken_responses.unreadable("html_body")
        return media.served(request, file)

    def _diverted(self, request: web.Request) -> web.Response | None:
        if broken := self._strike("media_error", request):
            return web.Response(status=broken["status"], headers=media.CORS)
        return self._redirected("redirect_media", request, 302)

    async def _file(self, kind: str, song: Song, form: str) -> media.File | None:
        if self._files is None or song.song_id in self.service.dead_links:
            return None
        if kind == "image":
            return await self._files.image(song)
        streaming = kind == "stream"
        if not self.service.playable(song.song_id, form, streaming=streaming):
            return None
        if kind == "midi":
            return await self._files.midi(song) if form == "mid" else None
        if kind in ("audio", "stream") and form in audio.CONTENT_TYPES:
            return await self._files.audio(song, form)
        return None

    def _strike(self, kind: str, request: web.Request) -> Mapping[str, Any] | None:
        fault = self.faults.strike(kind, request.method, request.path)
        return None if fault is None else {"kind": kind, **fault.settings}

    def _redirected(self, kind: str, request: web.Request, status: int) -> web.Response | None:
        if request.host != f"{HOST}:{self.port}":
            return None  # it has been redirected already
        fault = self._strike(kind, request)
        if fault is None:
            return None
        base = fault["to"] or f"http://localhost:{self.port}"
        return web.Response(status=status, headers={"Location": base + request.path_qs})

    def _broken(self, request: web.Request, settings: Mapping[str, Any]) -> web.Response:
        refusal = Refusal(settings["status"], "server_error", "Internal Server Error.")
        if settings["page"]:
            return broken_responses.proxy_page(settings["status"])
        return _json(self._error(refusal, _engine(request)))

    def _error(self, refusal: Refusal, engine: str) -> Answer:
        return self.service.error(refusal, engine)

    async def _interrupted(self, seconds: float) -> bool:
        """Wait on the simulated clock; whether the simulator was stopped meanwhile."""
        waits = [
            asyncio.ensure_future(self.clock.sleep(seconds)),
            asyncio.ensure_future(self._stopping.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return self._stopping.is_set()


def _json(answer: Answer, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response(answer.body, status=answer.status, headers=headers)


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None


def _engine(request: web.Request) -> str:
    return request.path.removeprefix(API).partition("/")[0]
