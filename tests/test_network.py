"""Proxies, certificates, private addresses and keys from .env files."""

import asyncio
import contextlib
import socket
import ssl
import traceback
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

import musicapi_nb as mnb
from musicapi_nb import markup, webhooks
from musicapi_nb.client import MusicAPI
from musicapi_nb.errors import (
    CertificateRefused,
    DownloadFailed,
    InvalidRequest,
    MusicAPIError,
    PublishFailed,
    Unauthorized,
    Unreachable,
)
from musicapi_nb.library import Library
from musicapi_nb.tasks import Song, Task
from tests.raw_http_server import (
    KEY,
    SONG,
    Behaviour,
    Connection,
    answers,
    client,
    once_each,
    peer,
    relay,
    reply,
    timeless,
)

SOUND = b"ID3\x04" + b"\0" * 2000
CERTIFICATES = Path(__file__).parent / "certificates"
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
BAD_GATEWAY = reply(b"", 502)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


# --- private addresses ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/reboot",
        "http://[::ffff:127.0.0.1]/x",
        "http://[fe80::1]/x",
        "http://2130706433/x",
        "http://0x7f.1/x",
        "http://127.0.0.1./x",
        "http://router.lan/x",
        "http://printer/x",
    ],
)
async def test_links_into_the_local_network_are_refused(url: str, tmp_path: Path) -> None:
    async with client("https://api.example.org") as api:
        with pytest.raises(DownloadFailed, match="private network"):
            await api.download(url, tmp_path)
    song = Song(state="succeeded", audio_url=url, image_url=url)
    assert url not in Task(songs=(song,))._repr_html_()
    assert markup.media_url(url) is None


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3"])
async def test_host_name_of_a_private_address_is_refused(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(_: Any, port: int, *__: Any, **___: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    async with peer(answers(reply(SOUND))) as inner, client("https://api.example.org") as api:
        with pytest.raises(DownloadFailed, match="private network"):
            await api.download(f"http://cdn.example.org:{inner.port}/a.mp3", tmp_path)
    assert inner.connections == []


async def test_redirect_into_the_local_network_is_refused(tmp_path: Path) -> None:
    async with peer(answers(reply(SOUND))) as inner:
        away = reply(b"", 307, {"Location": f"{inner.url}/admin"})
        async with peer(answers(away)) as server, client(server.url) as api:
            link = f"{server.url}/a.mp3"
            with pytest.raises(DownloadFailed, match="private network"):
                await api.download(link, tmp_path)
    assert inner.connections == []


async def test_service_on_this_machine_may_name_its_own_files(tmp_path: Path) -> None:
    async with peer(answers(reply(SOUND))) as server, client(server.url) as api:
        path = await api.download(f"http://localhost:{server.port}/a.mp3", tmp_path)
    assert path.read_bytes() == SOUND


async def test_simulator_may_name_any_file_of_this_machine(tmp_path: Path) -> None:
    async with (
        peer(answers(reply(SOUND))) as other,
        client("http://127.0.0.1:1", simulated=True) as api,
    ):
        path = await api.download(f"{other.url}/a.mp3", tmp_path)
    assert path.read_bytes() == SOUND
    song = Song(state="succeeded", image_url=f"{other.url}/a.jpg", simulated=True)
    assert f"{other.url}/a.jpg" in song._repr_html_()


# --- proxies -------------------------------------------------------------------------------


async def refused(api: MusicAPI) -> Unreachable:
    with pytest.raises(Unreachable) as caught:
        await api.submit(SONG)
    assert not caught.value.may_have_cost
    return caught.value


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
async def test_proxy_of_the_environment_is_used_and_named(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with peer(once_each(BAD_GATEWAY)) as proxy, client("https://api.example.org") as api:
        monkeypatch.setenv(name, f"http://me:secret-word@127.0.0.1:{proxy.port}")  # later
        timeless(api, monkeypatch)
        error = await refused(api)
    assert proxy.received.startswith(b"CONNECT api.example.org:443 ")
    assert b"proxy-authorization: basic" in proxy.received.lower()
    assert KEY.encode() not in proxy.received
    assert f"through the proxy http://127.0.0.1:{proxy.port} (HTTPS_PROXY)" in str(error)
    assert "secret-word" not in str(error)


async def test_proxy_without_scheme_and_unreachable_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "127.0.0.1:1")
    async with client("https://api.example.org") as api:
        timeless(api, monkeypatch)
        assert "through the proxy http://127.0.0.1:1 (HTTPS_PROXY)" in str(await refused(api))


async def test_errors_of_files_and_uploads_name_the_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret-word@127.0.0.1:1")
    source = tmp_path / "demo.mp3"
    source.write_bytes(SOUND)
    folder, url = f"file://{tmp_path}/www", "https://cdn.example.org"
    async with client("https://api.example.org") as api:
        timeless(api, monkeypatch)
        for call in (
            api.download(f"{url}/a.mp3", tmp_path),
            mnb.publish(source, folder, url=url, local=True),
        ):
            with pytest.raises(
                MusicAPIError, match=r"http://127\.0\.0\.1:1 \(HTTPS_PROXY\)"
            ) as caught:
                await call
            assert "secret-word" not in str(caught.value)


async def test_untrusted_certificate_of_an_upload_is_explained(tmp_path: Path) -> None:
    source = tmp_path / "demo.mp3"
    source.write_bytes(SOUND)
    async with https_server() as (url, _):
        with pytest.raises(PublishFailed, match="certificate is not trusted here"):
            await mnb.publish(source, f"file://{tmp_path}/www", url=url, local=True)


async def test_no_proxy_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with peer(once_each(BAD_GATEWAY)) as proxy, client("https://127.0.0.1:1") as api:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,.example.org")
        timeless(api, monkeypatch)
        assert "proxy http" not in str(await refused(api))
    assert proxy.connections == []


async def test_simulator_is_reached_without_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with peer(once_each(BAD_GATEWAY)) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        async with peer(answers(reply({"credits": 5}))) as server, client(server.url) as api:
            assert (await api.credits()).credits == 5
    assert proxy.connections == []


async def test_proxy_argument_takes_calls_and_files(tmp_path: Path) -> None:
    async with peer(answers(reply({"credits": 5}), reply(SOUND))) as proxy:
        async with client("http://127.0.0.1:1", proxy=f"127.0.0.1:{proxy.port}") as api:
            assert (await api.credits()).credits == 5
            await api.download("http://cdn.example.org/a.mp3", tmp_path)
        assert ("GET", "http://cdn.example.org/a.mp3") in proxy.requests
    assert (tmp_path / "a.mp3").read_bytes() == SOUND


async def tunnel_then_nothing(connection: Connection) -> None:
    await connection.request()
    await connection.send(b"HTTP/1.1 200 Connection established\r\n\r\n")


async def nothing(connection: Connection) -> None:
    await connection.request()


@pytest.mark.parametrize(
    ("url", "behaviour", "unsent"),
    [
        ("https://api.example.org", answers(reply(b"", 407)), True),
        ("https://api.example.org", answers(reply({"error": "blocked"}, 403)), True),
        ("https://api.example.org", tunnel_then_nothing, True),
        ("https://api.example.org", nothing, False),  # safe: it is not known what was cut off
        ("http://127.0.0.1:1", answers(BAD_GATEWAY), False),
        ("http://127.0.0.1:1", nothing, False),
    ],
    ids=range(6),
)
async def test_submit_through_a_failing_proxy_is_bought_once_at_most(
    url: str, behaviour: Behaviour, *, unsent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with peer(behaviour) as proxy, client(url, proxy=proxy.url) as api:
        pauses = timeless(api, monkeypatch)
        with pytest.raises(MusicAPIError) as caught:
            await api.submit(SONG)
    assert isinstance(caught.value, Unreachable) == unsent
    assert caught.value.may_have_cost == (not unsent)
    assert len(pauses) == (4 if unsent else 0)
    assert proxy.posts == (1 if url.startswith("http:") else 0)
    assert (KEY.encode() in proxy.received) == url.startswith("http:")


@pytest.mark.parametrize(
    "proxy", ["socks5://127.0.0.1:1080", "http://.a:80", "http://", "http://[::1", "", 8080]
)
def test_invalid_proxy_is_refused(proxy: Any) -> None:
    with pytest.raises(InvalidRequest, match="proxy: must be http://host:port"):
        client("https://api.example.org", proxy=proxy)


@pytest.mark.parametrize("proxy", ["socks5h://127.0.0.1:1080", "http://[::1", "://"])
async def test_invalid_proxy_of_the_environment_is_named(
    proxy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    async with client("https://api.example.org") as api:
        calls = (
            api.credits,
            lambda: api.submit(SONG),
            lambda: api.download("https://a.org", tmp_path),
        )
        for call in calls:
            with pytest.raises(InvalidRequest, match="HTTPS_PROXY: must be http") as caught:
                await call()
            assert not caught.value.may_have_cost


async def test_calls_and_files_pass_a_tunnel_with_the_own_authority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with https_server() as (url, connections):
        port = int(url.rpartition(":")[2])

        async def tunnel(connection: Connection) -> None:
            await connection.request()
            await connection.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await relay(connection.reader, connection.writer, port)

        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATES / "authority.pem"))
        async with peer(tunnel) as proxy, client("https://localhost", proxy=proxy.url) as api:
            assert (await api.credits()).credits == 5
            with pytest.raises(DownloadFailed, match="is not audio"):  # it answers all with JSON
                await api.download("https://localhost/a.mp3", tmp_path)
        assert proxy.requests == []  # but CONNECT
        assert len(connections) == 2


# --- certificates --------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def https_server() -> AsyncIterator[tuple[str, list[int]]]:
    connections: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply({"credits": 5}))
        await writer.drain()
        writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATES / "server.pem")
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", connections


async def test_untrusted_certificate_is_tried_once_and_explained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with https_server() as (url, connections), client(url) as api:
        pauses = timeless(api, monkeypatch)
        for call in (api.credits, lambda: api.submit(SONG)):
            with pytest.raises(CertificateRefused, match="SSL_CERT_FILE") as caught:
                await call()
            assert not caught.value.may_have_cost
        assert (pauses, connections) == ([], [])


async def test_certificate_file_set_after_a_failure_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with https_server() as (url, _), client(url) as api:
        with pytest.raises(CertificateRefused):
            await api.credits()
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATES / "authority.pem"))
        assert (await api.credits()).credits == 5


@pytest.mark.parametrize("kind", ["path", "text", "context"])
async def test_authorities_can_be_passed(kind: str) -> None:
    path = CERTIFICATES / "authority.pem"
    context = ssl.create_default_context(cafile=path)
    value = {"path": path, "text": str(path), "context": context}[kind]
    async with https_server() as (url, _), client(url, ssl=value) as api:
        assert (await api.credits()).credits == 5


@pytest.mark.parametrize("value", ["/no/such/file.pem", __file__, False])
def test_invalid_authorities_are_refused(value: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"ssl: must be an ssl\.SSLContext or a PEM file"):
        client("https://api.example.org", ssl=value)


# --- keys ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "'sk-key-0001'",
        '"sk-key-0001"\n',
        "MUSICAPI_KEY=sk-key-0001",
        "export MUSICAPI_KEY = 'sk-key-0001' ",
        "  sk-key-0001\r\n",
    ],
)
async def test_key_of_an_env_file_is_read(text: str) -> None:
    async with peer(answers(reply({"credits": 5}))) as server:
        async with MusicAPI(text, base_url=server.url) as api:
            await api.credits()
        assert b"Bearer sk-key-0001\r\n" in server.received


@pytest.mark.parametrize(
    "text",
    [
        "your-api-key",
        "<your key here>",
        "YOUR_MUSICAPI_KEY",
        "sk-xxxxxxxx",
        "${MUSICAPI_KEY}",
        "...",
    ],
)
async def test_placeholder_is_no_key(text: str) -> None:
    with pytest.raises(Unauthorized, match="is a placeholder"):
        MusicAPI(text)


@pytest.mark.parametrize("text", ["''", "MUSICAPI_KEY=", '" "', ""])
async def test_empty_assignment_is_no_key(text: str) -> None:
    with pytest.raises(Unauthorized, match="no API key was given"):
        MusicAPI(text)


def locals_of(error: BaseException) -> str:
    stack = traceback.TracebackException.from_exception(error, capture_locals=True).stack
    package = [frame for frame in stack if "musicapi_nb" in Path(frame.filename).parts[:-1]]
    package = [frame for frame in package if "tests" not in Path(frame.filename).parts]
    assert package
    return repr([frame.locals for frame in package])


@pytest.mark.parametrize(
    "arguments",
    [
        {"base_url": "ftp://x"},
        {"webhook": "x"},
        {"library": __file__},
        {"spend_limit": -1},
        {"proxy": "socks5://x"},
        {"simulator": "x", "base_url": "https://y"},
    ],
    ids="-".join,
)
@pytest.mark.parametrize("source", ["argument", "environment"])
def test_key_is_in_no_local_variable(
    arguments: dict[str, Any], source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "sk-local-variable-0001"
    monkeypatch.chdir(tmp_path)
    if source == "environment":
        monkeypatch.setenv("MUSICAPI_KEY", key)
    else:
        arguments = {"key": key, **arguments}
    with pytest.raises(MusicAPIError) as caught:
        mnb.connect(**arguments)
    assert key not in locals_of(caught.value)


def test_refused_key_is_in_no_local_variable() -> None:
    for key in ("a key-with-a-space-0001", "kéy-with-an-accent-0001"):
        for call in (mnb.connect, MusicAPI):
            with pytest.raises(Unauthorized) as caught:
                call(key)
            assert key not in locals_of(caught.value)


def test_webhook_secret_is_in_no_local_variable(tmp_path: Path) -> None:
    secret = f"whsec-{KEY[:7]}-in-no-local"
    url = "https://api.example.org"
    with Library(tmp_path) as library:
        calls: list[Callable[[], object]] = [
            lambda: mnb.connect("sk-key-0001", base_url=url, webhook="x", webhook_secret=secret),
            lambda: MusicAPI("sk-key-0001", pace=-1, webhook_secret=secret),
            lambda: webhooks.app(library, secret=secret, max_age=-1),
        ]
        for call in calls:
            with pytest.raises(InvalidRequest) as caught:
                call()
            assert secret not in locals_of(caught.value)
