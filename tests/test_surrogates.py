"""Halves of surrogate pairs, which JSON may hold and no encoding accepts, anywhere in a text.

They are stored and displayed as U+FFFD or "?", or the text is refused; nothing else fails.
"""

# ruff: noqa: S301 - pickles of this process
import asyncio
import contextlib
import io
import itertools
import json
import logging
import pickle
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pandas as pd
import pytest
from aiohttp import web
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import musicapi_nb as mnb
from musicapi_nb import sonic, webhook_signing, webhooks
from musicapi_nb.errors import InvalidArgument, MusicAPIError
from musicapi_nb.ledger_types import PurchaseTerms
from musicapi_nb.library import Library, Notification
from musicapi_nb.secret import Secret
from musicapi_nb.tasks import Song, Task
from tests.exports.songs import PNG, align, attach, sound
from tests.library.helpers import acknowledged, buy, looked, rebuilt_is_the_same, song
from tests.raw_http_server import CLIP, DONE, SONG, TASK_ID, answers, client, peer, reply

SECRET = "whsec-of-more-than-16-characters"  # noqa: S105 - invented
TEXT = st.text("\ud800\udfff\udc80aé\0\n=,/.", max_size=5)
HALF = "a\ud800b\udfff"
numbers = itertools.count()


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    with Library(tmp_path_factory.mktemp("surrogates") / "library") as library:
        yield library
        rebuilt_is_the_same(library)


def new_folder(library: Library) -> Path:
    """Return a new folder, which is deleted with that of the library."""
    return Path(tempfile.mkdtemp(dir=library.path.parent))


def hostile_song(text: str) -> Song:
    link = f"https://files.example/{text}"
    return Song(
        id=f"{next(numbers)}{text}",
        task_id=text,
        title=text,
        tags=(text,),
        tags_text=text,
        lyrics=text,
        model=text,
        state="succeeded",
        audio_url=link,
        image_url=link,
        fail_reason=text,
        extra={text: text},
    )


def hostile_task(text: str) -> Task:
    request = sonic.Create(custom_mode=False, gpt_description_prompt=text, mv=text)
    return Task(
        id=f"{next(numbers)}{text}",
        engine="sonic",
        state="succeeded",
        songs=(hostile_song(text),),
        fail_reason=text,
        request=request,
        raw={text: [text]},
    )


def new_entry(library: Library) -> int:
    return library.claim(song(f"{next(numbers)}")).entry.id


def attached(library: Library, text: str) -> Song:
    item = hostile_song(text)
    for media, content, suffix in (("audio", sound(), ".wav"), ("image", PNG, ".png")):
        path = library.temporary_path(suffix)
        path.write_bytes(content)
        library.attach(item, media, library.add_file(path, suffix), text)  # type: ignore[arg-type]
    assert library.file_of(item) is not None
    return item


def export(library: Library, text: str, name: str = "songs") -> Any:
    item = attached(library, text)
    task = Task(id=item.task_id, engine="sonic", state="succeeded", songs=(item,))
    result = mnb.export(new_folder(library) / name, [task], library=library)
    assert result.counts == {"written": 1}
    if result.path.is_dir():
        assert all(path.name.encode() for path in result.path.iterdir())
        (result.path / "songs.m3u8").read_text(encoding="utf-8")
        pd.read_csv(result.path / "tables" / "songs.csv")
        (provenance,) = result.path.glob("[!e]*.json")
        json.loads(provenance.read_text(encoding="utf-8"))
    return result


def write_and_read(folder: str, library: Library) -> Any:
    for _ in range(2):  # the second time, over the files of the first
        mnb.write_parquet(mnb.flatten(library), folder, raw=library)
    return mnb.read_parquet(folder)


def log(text: str) -> None:
    """Log a text and an error with it; a failure of a handler is raised."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    handler = logging.StreamHandler(stream)

    def fail(record: logging.LogRecord) -> None:
        raise AssertionError(record.getMessage())

    handler.handleError = fail  # type: ignore[method-assign]
    logger = logging.getLogger("tests.surrogates")
    logger.addHandler(handler)
    try:
        logger.error("%s", MusicAPIError(text))
        logger.error("%s", MusicAPIError("first"), exc_info=MusicAPIError(text))
    finally:
        logger.removeHandler(handler)


def settled(library: Library, text: str) -> Any:
    entry = new_entry(library)
    library.record_uncertain(entry, MusicAPIError(text, body=text))
    return library.resolve(entry, task_id=text)


def polled(library: Library, text: str) -> Any:
    claim = buy(library, song(f"{next(numbers)}"), f"{next(numbers)}{text}")
    clips = [{**CLIP, "clip_id": f"{next(numbers)}{text}", "title": text, text: text}]
    return library.record_poll(claim.entry.id, looked(acknowledged(SONG, text), {"data": clips}))


SINKS: dict[str, Callable[[Library, str], Any]] = {
    "song": lambda _, text: hostile_song(text),
    "task": lambda _, text: hostile_task(text),
    "pickled song": lambda _, text: pickle.loads(pickle.dumps(hostile_song(text))),
    "pickled task": lambda _, text: pickle.loads(pickle.dumps(hostile_task(text))),
    "error": lambda _, text: pickle.loads(pickle.dumps(MusicAPIError(text, request_id=text))),
    "log": lambda _, text: log(text),
    "frames": lambda _, text: mnb.songs_frame([hostile_task(text)]).to_csv().encode(),
    "plan": lambda library, text: library.plan(song(text)),
    "claim": lambda library, text: library.claim(
        song(f"{next(numbers)}"), PurchaseTerms(experiment=text)
    ),
    "set_budget": lambda library, text: library.set_budget(text, 10),
    "budget": lambda library, text: library.claim(song("b"), PurchaseTerms(budgets=(text,))),
    "entries": lambda library, text: library.entries(experiment=text),
    "state": lambda library, text: library.entries(text),  # type: ignore[arg-type]
    "tasks": lambda library, text: library.tasks(experiment=text),
    "counts": lambda library, text: library.counts(experiment=text),
    "cells": lambda library, text: library.cells(text),
    "file_of": lambda library, text: library.file_of(text),
    "rate": lambda library, text: library.rate(hostile_song(text), 3, note=text),
    "rating": lambda library, text: library.rating(hostile_song(text)),
    "lineage": lambda library, text: library.lineage(text),
    "attach": attached,
    "add_file": lambda library, text: library.add_file(text, ".wav"),
    "suffix": lambda library, text: library.add_file("a", text),
    "accepted": lambda library, text: library.record_accepted(
        new_entry(library), hostile_task(text)
    ),
    "polled": polled,
    "refused": lambda library, text: library.record_refused(
        new_entry(library), MusicAPIError(text)
    ),
    "uncertain": lambda library, text: library.record_uncertain(new_entry(library), OSError(text)),
    "unsent": lambda library, text: library.record_unsent(new_entry(library), MusicAPIError(text)),
    "resolve": settled,
    "notification": lambda library, text: library.apply_notification(
        Notification(text, text), lambda task: task
    ),
    "library": lambda library, _: library,
    "replies": lambda library, _: mnb.tasks_frame(library).to_csv().encode(),
    "export": export,
    "export to a path": lambda library, text: mnb.export(
        f"{new_folder(library)}/{text}/x", library
    ),
    "tables": lambda library, text: write_and_read(f"{new_folder(library)}/{text}/x", library),
    "zip": lambda library, text: export(library, text, "songs.zip"),
    "page": lambda library, text: mnb.save_page(
        f"{new_folder(library)}/a.html", [hostile_task(text)], library=library
    ),
    "page path": lambda library, text: mnb.save_page(
        f"{new_folder(library)}/{text}.html", [hostile_task("a")]
    ),
    "gallery": lambda library, text: mnb.gallery([hostile_task(text)], library=library, title=text),
    "library path": lambda library, text: Library(f"{new_folder(library)}/{text}x").close(),
    "simulator": lambda _, text: open_session(simulator=f"x{text}"),
    "base_url": lambda _, text: open_session("k" * 20, base_url=f"https://{text}\n"),
    "key": lambda _, text: open_session(f"k{text}\n\ud800"),
    "proxy": lambda _, text: open_session("k" * 20, proxy=f"{text}://\ud800"),
    "download": lambda library, text: download(
        f"http://127.0.0.1:1/{text}", new_folder(library) / "a.mp3"
    ),
    "download host": lambda library, text: download(
        f"http://{text}x.invalid:1/", new_folder(library) / "a.mp3"
    ),
    "download scheme": lambda library, text: download(text, new_folder(library) / "a.mp3"),
    "download path": lambda library, text: download(
        "http://127.0.0.1:1/", new_folder(library) / f"{text}.mp3"
    ),
    "publish": lambda _, text: asyncio.run(mnb.publish(f"{text}.wav", f"memory://{text}")),
}


def open_session(key: str | None = None, **options: Any) -> None:
    """Open a session and close it: a text may be the name of a host, which does not answer."""
    with mnb.connect(key, **options) as session:
        assert_encodable(session)


def download(url: str, path: Path) -> None:
    async def run() -> None:
        async with client("http://127.0.0.1:1", simulated=True, speed=1e9) as api:
            await api.download(url, path)

    asyncio.run(run())


def assert_encodable(value: Any) -> None:
    for method in ("__repr__", "__str__", "_repr_html_"):
        text = getattr(value, method, str)()
        if text is not None and not isinstance(value, Path):
            text.encode()


@pytest.mark.parametrize("sink", SINKS.values(), ids=SINKS.keys())
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=TEXT)
@example(text=HALF)
@example(text="\udc80")  # which a file name may have on Linux
def test_half_surrogates_raise_nothing_foreign(
    library: Library, sink: Callable[[Library, str], Any], text: str
) -> None:
    try:
        assert_encodable(sink(library, text))
    except MusicAPIError as error:
        assert_encodable(error)


def test_words_and_cover_with_half_surrogates_are_exported(tmp_path: Path) -> None:
    with Library(tmp_path / "library") as library:
        claim = buy(library, SONG, "t")
        clip = {**CLIP, "title": HALF, "lyrics": f"{HALF} rain", "tags": f"{HALF}, jazz"}
        library.record_poll(claim.entry.id, looked(acknowledged(SONG, "t"), {"data": [clip]}))
        attach(library, CLIP["clip_id"], "audio", sound(".mp3"), ".mp3")  # type: ignore[arg-type]
        align(library, CLIP["clip_id"], (HALF, 0.0, 1.0), ("rain", 1.0, 2.0))  # type: ignore[arg-type]
        result = mnb.export(tmp_path / "songs", library)
        assert result.counts == {"written": 1}
        assert result.notes == ()
        (timed,) = result.path.glob("*.lrc")
        assert "rain" in timed.read_text(encoding="utf-8")
        (written,) = result.path.glob("*.mp3")
        assert written.stem.encode()


# --- replies and webhooks ------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(text=TEXT, status=st.sampled_from([200, 400, 403, 404, 429, 500]), task=st.booleans())
@example(text=HALF, status=500, task=True)
@example(text=HALF, status=400, task=False)
def test_reply_with_half_surrogates_is_recorded(text: str, status: int, *, task: bool) -> None:
    async def run(folder: str) -> None:
        body: dict[str, Any] = {"message": text, "error": text, text: text}
        body |= {"task_id": f"{TASK_ID}{text}"} if task else {}
        with Library(folder) as library:
            async with (
                peer(answers(reply(body, status))) as server,
                client(server.url, ledger=library, speed=1e9) as api,
            ):
                with contextlib.suppress(MusicAPIError):
                    assert_encodable(await api.submit(SONG))
            entries = library.entries()  # after a 429, one for each attempt
            assert {entry.state for entry in entries} <= {"accepted", "refused", "uncertain"}
            assert entries
            assert_encodable(entries)
            assert_encodable(library)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(folder))


FIELDS = ("task_id", "platform", "event", "message", "type", "data", "error", "clip", "raw")


@settings(max_examples=15, deadline=None)
@given(text=TEXT, field=st.sampled_from(FIELDS), known=st.booleans(), escaped=st.booleans())
@example(text=HALF, field="task_id", known=False, escaped=True)
@example(text=HALF, field="clip", known=True, escaped=True)
def test_webhook_with_lone_surrogates_is_not_a_server_error(
    text: str, field: str, *, known: bool, escaped: bool
) -> None:
    body: dict[str, Any] = {**DONE, "task_id": "t1", "platform": "suno", "event": "song.completed"}
    if field == "clip":
        body["data"] = [{**CLIP, **dict.fromkeys(CLIP, text), "state": "succeeded", text: text}]
    elif field == "raw":
        body = {text: body, "task_id": "t1"}
    else:
        body[field] = text
    content = json.dumps(body, ensure_ascii=escaped).encode("utf-8", "surrogatepass")

    async def run(folder: str) -> int:
        with Library(folder) as library:
            entry = buy(library, SONG, "t1").entry
            runner = web.AppRunner(webhooks.app(library, secret=SECRET), access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            try:
                status = await send(runner.addresses[0][1], content, text, entry if known else None)
            finally:
                await runner.cleanup()
            assert_encodable(library)
            assert_encodable(library.tasks()[0])
            rebuilt_is_the_same(library)
            return status

    with tempfile.TemporaryDirectory() as folder:
        assert asyncio.run(run(folder)) in {200, 400, 404, 409}


async def send(port: int, content: bytes, text: str, entry: Any) -> int:
    key, stamp = Secret(SECRET), str(int(time.time()))
    headers = {
        "X-Webhook-Timestamp": stamp,
        "X-Webhook-Signature": webhook_signing.signature(key, stamp, content),
    }
    token = (
        webhook_signing.purchase_token(key, entry)
        if entry
        else text.encode("utf-8", "replace").decode()
    )
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{port}/"
        async with session.post(
            url, data=content, headers=headers, params={"purchase": token}
        ) as answer:
            await answer.json()
            return answer.status


def test_names_with_half_surrogates_are_refused(tmp_path: Path) -> None:
    plan = mnb.Plan.grid(type(SONG), base={"mv": "sonic-v5"}, factors={"title": ["a"]})
    with Library(tmp_path) as library:
        api = client("http://127.0.0.1:1", ledger=library)
        with pytest.raises(InvalidArgument, match="name must be text"):
            mnb.Experiment(HALF, plan, api, library)
        with pytest.raises(InvalidArgument, match="a budget needs a name"):
            library.set_budget(HALF, 10)
        for name in (HALF, "zero\0byte"):
            with pytest.raises(InvalidArgument, match=r"half of a surrogate pair|zero byte"):
                mnb.export(tmp_path / name, library)
