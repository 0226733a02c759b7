"""The simulator's HTTP server: connections, files, and faults in transport."""

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Self
from weakref import WeakSet

import aiohttp
from aiohttp import web

from musicapi_nb.simulator import broken_responses, media, rules
from musicapi_nb.simulator.accounts import Accounts
from musicapi_nb.simulator.catalog import Catalog
from musicapi_nb.simulator.clock import SimulatedClock
from musicapi_nb.simulator.faults import Faults
from musicapi_nb.simulator.past_requests import Archive, ids_in
from musicapi_nb.simulator.replies import Answer, Links
from musicapi_nb.simulator.reply_options import ReplyOptions
from musicapi_nb.simulator.request_log import LoggedRequest, RequestLog
from musicapi_nb.simulator.rules import Refusal, forbidden
from musicapi_nb.simulator.service import API, Service, api_key
from musicapi_nb.simulator.tasks import Song
from musicapi_nb.simulator.webhook_sender import WebhookSender

HOST = "127.0.0.1"
_SHUTDOWN_SECONDS = 1.0
_TURNS_TO_ACCEPT = 5
_PROBE = aiohttp.ClientTimeout(total=10.0)
_REFUSALS = {
    "wrong_key": Refusal(401, "unauthorized", "Invalid API key"),
    "no_subscription": forbidden(rules.NO_SUBSCRIPTION),
    "queue_full": forbidden(rules.QUEUE_FULL),
}
"""Fault to the refusal that it answers with."""


class Simulator:
    """The service on loopback: ``async with Simulator(speed=600) as sim:``, then use ``sim.url``.

    Runs on the event loop that starts it; ``EmbeddedSimulator`` runs one in its own thread.

    Parameters
    ----------
    speed
        Simulated seconds per real second; 0 for a clock that only ``clock.advance`` moves.
    balance
        Credits of every new key; ``accounts.open`` gives one key another balance.
    faults
        Failures to inject, see ``faults.arm``; none by default.
    seed
        The same seed and the same sequence of paid requests give the same songs and ids. Where
        results outlive the simulator (in a library), give each simulator its own seed.
    port
        0 chooses a free port, which is kept when the simulator stops and starts again.
    reply_options
        How replies look where the documentation is silent; may be changed while running.
    seconds
        Shortest and longest song where the request names no length (real songs are minutes long).
    rate_limit
        Simulated seconds required between two creates of a key, else 429; None for no limit.
    epoch
        Unix seconds at which the simulated clock starts; now by default.
    archive
        Looks up the request that an earlier simulator carried out, by the id of its task, of a
        song or of a persona. A request that names an unknown id then finds it; may be set later.
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
        archive: Archive | None = None,
    ) -> None:
        self.clock: SimulatedClock = SimulatedClock(speed, epoch)
        self.accounts: Accounts = Accounts(self.clock, balance)
        self.faults: Faults = faults or Faults(seed)
        self.reply_options: ReplyOptions = reply_options or ReplyOptions()
        self.request_log: RequestLog = RequestLog()
        self.archive = archive
        self.port: int = port
        catalog = Catalog(self.reply_options, seconds, self.clock.now)
        self.service: Service = Service(
            self.clock, self.accounts, self.faults, catalog, seed, rate_limit
        )
        self._runner: web.AppRunner | None = None
        self._listener: socket.socket | None = None
        self._files = media.Files()
        self._stopping = asyncio.Event()
        self._transports: WeakSet[asyncio.Transport] = WeakSet()

    @property
    def url(self) -> str:
        """The address, without ``/api/v1``; raises ``RuntimeError`` before the first start."""
        if not self.port:
            raise RuntimeError("The simulator has no address before its first start.")
        return f"http://{HOST}:{self.port}"

    @property
    def speed(self) -> float:
        """Simulated seconds per real second."""
        return self.clock.speed

    @property
    def webhooks(self) -> WebhookSender:
        """The sender of webhooks; ``webhooks.sent`` has every webhook that was sent."""
        return self.service.webhooks

    @property
    def running(self) -> bool:
        """Whether it listens now."""
        return self._runner is not None

    async def start(self) -> Self:
        """Listen. Accounts, tasks and the port survive a stop in between."""
        if self._runner is not None:
            raise RuntimeError("This simulator is already running.")
        listener = socket.create_server((HOST, self.port))
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
        await runner.setup()
        await web.SockSite(runner, listener).start()
        self._stopping = asyncio.Event()
        self._files = media.Files()
        self._runner, self._listener = runner, listener
        self.port = listener.getsockname()[1]
        self.service.links = Links(self.url)
        self.service.webhooks.start()
        return self

    async def stop(self) -> None:
        """Close every connection and thread; does nothing if it is not running."""
        runner, self._runner = self._runner, None
        if runner is None or self._listener is None:
            return
        self._stopping.set()
        await self.service.webhooks.stop()
        # asyncio loses a connection that is being accepted while its server closes: stop
        # accepting, let pending connections arrive, and only then close.
        with contextlib.suppress(NotImplementedError):  # Windows
            asyncio.get_running_loop().remove_reader(self._listener)
        for _ in range(_TURNS_TO_ACCEPT):
            await asyncio.sleep(0)
        await runner.cleanup()
        # A client that does not read would keep its connection open beyond the loop's end.
        for transport in list(self._transports):
            transport.abort()
        await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def __repr__(self) -> str:
        if not hasattr(self, "_runner"):  # its `__init__` raised
            return "<Simulator: not initialized>"
        state = self.url if self.running else "stopped"
        return f"<Simulator {state}, {self.clock.speed:g} times real time>"

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            self._transports.add(request.transport)
        raw = await request.read()
        entry = LoggedRequest(
            number=self.request_log.total + 1,
            arrived_at=self.clock.now(),
            method=request.method,
            path=request.path,
            host=request.host,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=_parse_json(raw),
        )
        self.request_log.record(entry)
        response: web.StreamResponse
        if request.path.startswith("/media/") and request.method == "OPTIONS":
            response = media.preflight()
        elif request.path.startswith("/media/"):
            response = await self._media_response(request)
        elif request.path == "/":  # a client that connects needs the speed of the clock
            response = web.json_response({"simulator": "musicapi_nb", "speed": self.clock.speed})
        else:
            response = await self._api_response(request, entry)
        sent = not isinstance(response, broken_responses.NoResponse)
        entry.status = response.status if sent else None
        if not response.prepared:
            response.headers["x-request-id"] = f"sim-{entry.number:06d}"
        return response

    async def _api_response(self, request: web.Request, entry: LoggedRequest) -> web.StreamResponse:
        if (response := await self._arrival_fault(request)) is not None:
            return response
        if not await self._is_accessible(entry):
            return self._refuse(request, rules.invalid(rules.INACCESSIBLE))
        await self._recall(request, entry)
        answer = self._answer(request, entry)
        body = dict(answer.body)
        if "code" in body and self._strike("code_missing", request):
            del body["code"]
        if self._strike("extra_keys", request):
            body |= {"trace_id": "sim-extra", "queue": {"position": 3}}
        return await self._respond(request, Answer(answer.status, body))

    async def _is_accessible(self, entry: LoggedRequest) -> bool:
        """Probe the address of an upload with HEAD, if ``reply_options.upload_probe`` is set."""
        body = entry.body if isinstance(entry.body, Mapping) else {}
        url = body.get("url") or body.get("audio_url")
        if not (
            self.reply_options.upload_probe and entry.method == "POST" and isinstance(url, str)
        ):
            return True
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, ValueError):
            async with (
                aiohttp.ClientSession(timeout=_PROBE) as session,
                session.head(url, allow_redirects=True) as reply,
            ):
                return reply.status not in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
        return False

    async def _recall(self, request: web.Request, entry: LoggedRequest) -> None:
        """Take in the archived tasks, songs and personas that a request names."""
        named = ids_in([request.path, *request.query.values(), entry.body])
        if self.archive is not None:
            with contextlib.suppress(Refusal):  # without a key: the answer says so
                key = api_key(request.headers.get("Authorization"))
                await self._recall_ids(named, key, self.archive, set())

    async def _recall_ids(
        self, ids: Iterable[str], key: str, archive: Archive, tried: set[str]
    ) -> None:
        catalog = self.service.catalog
        for name in ids:
            if name in tried or catalog.has(name):
                continue
            tried.add(name)
            try:
                past = await asyncio.to_thread(archive, name)
            except RuntimeError:
                if threading.main_thread().is_alive():
                    raise
                return  # the process ends, so that no thread can be started
            if past is None or catalog.has(name):  # another request was faster
                continue
            bodies = [past.body, *(item.body for item in past.items)]
            await self._recall_ids(ids_in(bodies), key, archive, tried)  # what it was made from
            with contextlib.suppress(Refusal):  # a field that this version does not accept
                self.service.repeat(past, key)

    def _answer(self, request: web.Request, entry: LoggedRequest) -> Answer:
        method, path = request.method, request.path
        if not path.startswith(API):
            return self.service.error(Refusal(404, "not_found", f"There is no {path} here."), "")
        if method not in ("GET", "POST"):
            refusal = Refusal(405, "method_not_allowed", f"{method} is not allowed.")
            return self.service.error(refusal, "")
        before, key = self.accounts.latest, request.headers.get("Authorization")
        path = path.removeprefix(API)
        answer = self.service.answer(method, path, key, entry.body, request.query)
        if self.accounts.latest is not before:
            entry.charge = self.accounts.latest
        return answer

    async def _arrival_fault(self, request: web.Request) -> web.StreamResponse | None:
        """Return the response of a fault that strikes before the request is handled."""
        dropped = self._strike("drop_before", request)
        slow = None if dropped else self._strike("slow", request)
        if dropped or (slow and await self._wait_or_stop(slow["seconds"])):
            return broken_responses.close_connection(request, reset=True)
        if settings := self._strike("server_error", request):
            return self._server_error(request, settings)
        if (redirect := self._redirect("redirect_api", request, 307)) is not None:
            return redirect
        if settings := self._strike("too_many_requests", request):
            refusal = Refusal(429, "too_many_requests", "Too many requests. Please slow down.")
            return self._refuse(request, refusal, broken_responses.retry_after(settings))
        struck = (answer for kind, answer in _REFUSALS.items() if self._strike(kind, request))
        refused = next(struck, None)
        if refused is None and (settings := self._strike("refused_content", request)):
            refused = forbidden(rules.REFUSALS[settings["reason"]])
        return self._refuse(request, refused) if refused else None

    def _refuse(
        self, request: web.Request, refusal: Refusal, headers: Mapping[str, str] | None = None
    ) -> web.Response:
        engine = request.path.removeprefix(API).partition("/")[0]
        return _json(self.service.error(refusal, engine), headers)

    async def _respond(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        """Send an answer, unless a fault changes or hides it."""
        # A POST answered by 202 was carried out as well: its file is being made.
        carried_out = answer.status == HTTPStatus.OK or (
            answer.status == HTTPStatus.ACCEPTED and request.method == "POST"
        )
        if carried_out and (response := await self._lost_reply(request)) is not None:
            return response
        if self._strike("cut_body", request):
            file = media.File(json.dumps(answer.body).encode(), "application/json")
            return await broken_responses.send_truncated(request, file)
        for kind, file in broken_responses.UNREADABLE.items():
            if self._strike(kind, request):
                return web.Response(body=file.content, content_type=file.content_type)
        return _json(answer)

    async def _lost_reply(self, request: web.Request) -> web.StreamResponse | None:
        """Return the response of a fault that conceals that the request was carried out."""
        slow = self._strike("slow_reply", request)
        if slow and await self._wait_or_stop(slow["seconds"]):
            return broken_responses.close_connection(request, reset=False)
        if self._strike("lost_reply", request):
            return broken_responses.close_connection(request, reset=False)
        settings = self._strike("error_after", request)
        return self._server_error(request, settings) if settings else None

    async def _media_response(self, request: web.Request) -> web.StreamResponse:
        *_, kind, name = request.path.split("/")
        song_id, _, file_format = name.rpartition(".")
        song = self.service.catalog.songs.get(song_id)
        if song is not None and self._strike("dead_link", request):
            self.service.dead_links.add(song.song_id)
        if settings := self._strike("media_error", request):
            return web.Response(status=settings["status"], headers=media.CORS)
        if (redirect := self._redirect("redirect_media", request, 302)) is not None:
            return redirect
        if settings := self._strike("slow_download", request):
            await self._wait_or_stop(settings["seconds"])
        file = await self._file(kind, song, file_format)
        if file is None:
            refusal = Refusal(404, "not_found", "There is no such file.")
            return self._refuse(request, refusal, media.CORS)
        if self._strike("truncated_download", request):
            return await broken_responses.send_truncated(request, file)
        if self._strike("wrong_type_download", request):
            return broken_responses.proxy_page(200)
        return media.file_response(request, file)

    async def _file(self, kind: str, song: Song | None, file_format: str) -> media.File | None:
        if song is None or song.song_id in self.service.dead_links:
            return None
        streaming = kind == "stream"
        playable = self.service.is_playable(song.song_id, file_format, streaming=streaming)
        if kind != "image" and not playable:
            return None
        return await self._files.file(kind, song, file_format)

    def _strike(self, kind: str, request: web.Request) -> Mapping[str, Any] | None:
        fault = self.faults.strike(kind, request.method, request.path)
        return None if fault is None else {"kind": kind, **fault.settings}

    def _redirect(self, kind: str, request: web.Request, status: int) -> web.Response | None:
        if request.host != f"{HOST}:{self.port}":
            return None  # it has already been redirected
        settings = self._strike(kind, request)
        if settings is None:
            return None
        base = settings["to"] or f"http://localhost:{self.port}"
        return web.Response(status=status, headers={"Location": base + request.path_qs})

    def _server_error(self, request: web.Request, settings: Mapping[str, Any]) -> web.Response:
        if settings["page"]:
            return broken_responses.proxy_page(settings["status"])
        refusal = Refusal(settings["status"], "server_error", "Internal Server Error.")
        return self._refuse(request, refusal)

    async def _wait_or_stop(self, seconds: float) -> bool:
        """Wait simulated seconds; return whether the simulator was stopped meanwhile."""
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


def _parse_json(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None
