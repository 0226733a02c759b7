"""publish: uploads a file and checks its URL over HTTP before anything is paid."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from aiohttp import web
from fsspec.implementations.memory import MemoryFileSystem

import musicapi_nb as mnb
from musicapi_nb import markup, sonic
from musicapi_nb.errors import InvalidArgument, MissingExtra, PublishFailed
from tests.exports.songs import sound


def _copies(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def _content(path: Path) -> bytes:
    return path.read_bytes()


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


class Site:
    """A web server on loopback, its folder, and the requests it received."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.url = folder, ""
        self.asked: list[tuple[str, str]] = []
        self.instead: tuple[int, bytes] | None = None
        self.head_status: int | None = None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.method, request.headers.get("Range", "")))
        assert "Authorization" not in request.headers
        if request.method == "HEAD" and self.head_status is not None:
            return web.Response(status=self.head_status)
        if self.instead is not None:
            status, content = self.instead
            return web.Response(status=status, body=content)
        if request.path.startswith("/memory/"):
            content = MemoryFileSystem().cat_file(request.path.removeprefix("/memory"))
            return web.Response(body=content, content_type="audio/wav")
        if request.path.startswith("/away/"):
            raise web.HTTPFound(request.path.removeprefix("/away"))
        path = self.folder / request.path.lstrip("/")
        return web.FileResponse(path) if path.is_file() else web.Response(status=404)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    web_server = Site(tmp_path / "www")
    web_server.folder.mkdir()
    app = web.Application()
    app.router.add_get("/{path:.*}", web_server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    web_server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield web_server
    await runner.cleanup()


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    path = tmp_path / "my démo (1).wav"
    path.write_bytes(sound())
    return path


async def test_file_is_uploaded_and_its_url_answers(site: Site, demo: Path) -> None:
    url = await mnb.publish(
        demo, f"file://{site.folder}/songs", url=site.url + "/songs", local=True
    )

    (copy,) = _copies(site.folder / "songs")
    assert _content(copy) == sound()
    assert url == f"{site.url}/songs/{copy.name}"
    assert copy.name.startswith("my_d_mo_1-")
    assert copy.suffix == ".wav"
    assert site.asked == [("HEAD", ""), ("GET", "bytes=0-4095")]
    sonic.Upload(url=url).check()


async def test_published_file_is_not_uploaded_again(site: Site, demo: Path) -> None:
    async def again() -> str:
        return await mnb.publish(demo, f"file://{site.folder}", url=site.url, local=True)

    url = await again()
    (copy,) = _copies(site.folder)
    os.utime(copy, (0, 0))

    assert await again() == url
    assert os.stat(copy).st_mtime == 0  # noqa: PTH116 - not of a loop's concern
    _write(demo, sound(seconds=0.5))
    assert await again() != url
    assert len(_copies(site.folder)) == 2


async def test_server_without_ranges_is_accepted(site: Site, demo: Path) -> None:
    url = await mnb.publish(
        demo, "memory://bucket/songs/", url=f"{site.url}/memory/bucket/songs/", local=True
    )

    assert fsspec.filesystem("memory").cat_file(url.removeprefix(f"{site.url}/memory")) == sound()


async def test_redirect_is_followed(site: Site, demo: Path) -> None:
    url = await mnb.publish(demo, f"file://{site.folder}", url=f"{site.url}/away", local=True)

    assert url.startswith(f"{site.url}/away/my_d_mo")
    assert [method for method, _ in site.asked] == ["HEAD", "HEAD", "GET", "GET"]


@pytest.mark.parametrize("status", [403, 404, 500])
async def test_url_that_refuses_head_is_reported(site: Site, demo: Path, status: int) -> None:
    site.head_status = status
    with pytest.raises(
        PublishFailed, match=rf"GET, but HEAD returns {status}.*pass its URL"
    ) as raised:
        await mnb.publish(demo, f"file://{site.folder}", url=site.url, local=True)

    assert raised.value.status == status
    assert "Nothing was charged" in str(raised.value)


@pytest.mark.parametrize("status", [405, 501])
async def test_server_without_head_is_accepted(site: Site, demo: Path, status: int) -> None:
    site.head_status = status
    url = await mnb.publish(demo, f"file://{site.folder}", url=site.url, local=True)

    assert url.startswith(site.url)
    assert [method for method, _ in site.asked] == ["HEAD", "GET"]


class _Signing(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    protocol = "signing"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    site = ""

    def sign(self, path: str, expiration: int = 100, **_: Any) -> str:
        return f"{self.site}{path.removeprefix('signing:/')}?signature=s&expires={expiration}"


async def test_signing_storage_needs_no_url(site: Site, demo: Path) -> None:
    fsspec.register_implementation("signing", _Signing, clobber=True)
    _Signing.site = site.url
    site.instead = (200, sound())

    url = await mnb.publish(demo, "signing://bucket", expires=60, local=True)

    assert url.startswith(f"{site.url}/bucket/my_d_mo")
    assert url.endswith("?signature=s&expires=60")


async def test_url_signed_for_get_only_is_reported_without_its_signature(
    site: Site, demo: Path
) -> None:
    fsspec.register_implementation("signing", _Signing, clobber=True)
    _Signing.site = site.url
    site.instead, site.head_status = (200, sound()), 403  # as S3 answers

    with pytest.raises(PublishFailed, match="answer GET only: make the folder public") as raised:
        await mnb.publish(demo, "signing://bucket", local=True)
    assert "signature=s" not in str(raised.value)


async def test_storage_without_signing_says_what_to_pass(tmp_path: Path, demo: Path) -> None:
    with pytest.raises(PublishFailed, match=r"pass url=.* Nothing was charged"):
        await mnb.publish(demo, f"file://{tmp_path}/www")


@pytest.mark.parametrize(
    ("instead", "why"),
    [
        ((403, b""), "answered 403"),
        ((200, b"<html>sign in</html>"), "something other than"),
        ((200, sound()[:100]), "something other than"),
        ((200, sound(seconds=0.6)), "something other than"),
    ],
)
async def test_url_that_does_not_return_the_file_is_refused(
    site: Site, demo: Path, instead: tuple[int, bytes], why: str
) -> None:
    site.instead = instead
    with pytest.raises(PublishFailed, match=why):
        await mnb.publish(demo, f"file://{site.folder}", url=site.url, local=True)


async def test_wrong_public_url_is_detected(site: Site, demo: Path) -> None:
    with pytest.raises(PublishFailed, match="answered 404"):
        await mnb.publish(demo, f"file://{site.folder}", url=f"{site.url}/songs", local=True)
    with pytest.raises(PublishFailed, match="does not answer"):
        await mnb.publish(demo, f"file://{site.folder}", url="http://127.0.0.1:1", local=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8000/x",
        "http://192.168.1.7/x",
        "https://nas.local/x",
        "http://[::1]/x",
        "https://printer/x",
    ],
)
async def test_private_urls_are_refused_before_the_upload(
    tmp_path: Path, demo: Path, url: str
) -> None:
    with pytest.raises(PublishFailed, match="private network, where the service cannot reach it"):
        await mnb.publish(demo, f"file://{tmp_path}/www", url=url)

    assert not (tmp_path / "www").exists()


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("10.1.2.3", True),
        ("169.254.169.254", True),
        ("::1", True),
        ("fd00::1", True),
        ("100.64.0.1", True),
        ("0.0.0.0", True),  # noqa: S104 - an address to refuse
        ("db.internal", True),
        ("", True),
        ("8.8.8.8", False),
        ("2606:4700::1111", False),
        ("cdn.example.org", False),
        ("127.0.0.1.example.org", False),
    ],
)
def test_private_hosts_are_recognized(host: str, *, private: bool) -> None:
    assert markup.is_private(host) is private


@pytest.mark.parametrize(
    "url", ["cdn.example", "ftp://cdn.example/", "https://cdn.example/?a=1", 7]
)
async def test_invalid_url_is_refused(tmp_path: Path, demo: Path, url: Any) -> None:
    with pytest.raises(InvalidArgument, match="url"):
        await mnb.publish(demo, f"file://{tmp_path}/www", url=url)


async def test_non_audio_is_not_uploaded(tmp_path: Path) -> None:
    _write(tmp_path / "notes.mp3", b"no audio")
    for path in (tmp_path / "notes.mp3", tmp_path / "gone.mp3", tmp_path):
        with pytest.raises(PublishFailed, match=r"is not audio|cannot be read"):
            await mnb.publish(path, f"file://{tmp_path}/www", url="https://cdn.example")
    assert not (tmp_path / "www").exists()


async def test_storage_failure_is_a_publish_error(demo: Path) -> None:
    for to in ("nosuch://user:s3cret@bucket/x", f"file://{demo}/x"):
        with pytest.raises(PublishFailed, match="refused the file") as raised:
            await mnb.publish(demo, to, url="https://cdn.example")
        assert "s3cret" not in str(raised.value)


async def test_missing_fsspec_names_the_extra(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(MissingExtra, match=r"musicapi_nb\[upload\]"):
        await mnb.publish(demo, "memory://x", url="https://cdn.example")


# --- paths passed as URLs --------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "demo.mp3",
        Path("demo.mp3"),
        "./a b.wav",
        "~/demo.mp3",
        "songs/demo.wav",
        "C:\\songs\\demo.mp3",
        "file:///home/me/demo.mp3",
        "/home/me/demo",
    ],
)
def test_path_passed_as_url_is_explained(url: Any) -> None:
    (problem,) = sonic.Upload(url=url).problems()

    assert problem.hard
    assert problem.field == "url"
    assert "a local file, which the service cannot reach" in problem.message
    assert "api.publish(" in problem.message


@pytest.mark.parametrize("url", ["cdn.example.org/a.mp3", "ftp://x.example/a.mp3", "what"])
def test_url_passed_as_path_is_not_a_file(url: str) -> None:
    (problem,) = sonic.Upload(url=url).problems()

    assert problem.message == "should be a public https:// or http:// URL"


def test_private_url_draws_advice() -> None:
    for url in ("http://127.0.0.1:8000/a.mp3", "http://192.168.0.2/a.mp3", "https://localhost/a"):
        (problem,) = sonic.Upload(url=url).problems()
        assert not problem.hard
        assert "only a simulator can reach it" in problem.message
    assert sonic.Upload(url="https://cdn.example/127.0.0.1/a.mp3").problems() == ()


async def test_simulator_session_accepts_a_local_url(site: Site, demo: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(demo.parent)
        api = mnb.connect()
    try:
        url = await api.publish(demo, f"file://{site.folder}", url=site.url)
        task = await api.run(sonic.Upload(url=url))
        assert task.answer["clip_id"]
    finally:
        api.close()
