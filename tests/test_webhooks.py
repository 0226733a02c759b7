"""Tests of webhooks: signatures, what they record, and that nothing is bought twice."""

import asyncio
import io
import json
import logging
import time
import traceback
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest
from aiohttp import web

from musicapi_nb import Experiment, MusicAPI, Plan, nuro, sonic, tasks, webhook_signing, webhooks
from musicapi_nb.errors import (
    InvalidRequest,
    LostReply,
    MusicAPIError,
    UncertainPurchase,
    Unreachable,
)
from musicapi_nb.ledger_types import PurchaseTerms
from musicapi_nb.library import Entry, Library
from musicapi_nb.secret import Secret
from musicapi_nb.simulator import ReplyOptions, Simulator
from tests.library.helpers import acknowledged, python, song
from tests.raw_http_server import CLIP, DONE, Connection, answers, peer, reply
from tests.replies import sample, without

KEY = "sk-of-an-account-0001"
SECRET = "whsec/Zq81+longer-than-a-word"  # noqa: S105 - invented
NO_HEADERS: Mapping[str, str] = {}
BEAT = nuro.Instrumental(description="harbour at night", duration=30)
COMPLETED = {**DONE, "task_id": "t1", "platform": "suno", "event": "song.completed"}
STREAMING = {
    **COMPLETED,
    "event": "song.streaming",
    "data": [{**CLIP, "state": "running", "duration": None}],
}
FAILED = {**sample("webhook_failed.json"), "task_id": "t1"}


class Answer(NamedTuple):
    status: int
    body: Any


class Sender:
    """Sends webhooks to a receiver as the service would."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.session = session

    async def send(  # noqa: PLR0913 - everything that can be wrong
        self,
        body: Any,
        entry: Entry | None = None,
        *,
        secret: str = SECRET,
        age: float = 0,
        token: str | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Answer:
        """Send a webhook; `headers` replace the service's, and "" omits one."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        stamp = str(int(time.time() - age))
        key = Secret(secret)
        defaults = {
            "X-Webhook-Id": f"{stamp}-{hash(raw)}",
            "X-Webhook-Timestamp": stamp,
            "X-Webhook-Signature": webhook_signing.signature(key, stamp, raw),
            **headers,
        }
        if token is None and entry is not None:
            token = webhook_signing.purchase_token(key, entry)
        sent = {name: value for name, value in defaults.items() if value}
        query = {"purchase": token} if token is not None else {}
        async with self.session.post(
            self.url, data=io.BytesIO(raw), headers=sent, params=query
        ) as reply:
            return Answer(reply.status, await reply.json())


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as library:
        yield library


@pytest.fixture
async def sender(library: Library) -> AsyncIterator[Sender]:
    async with aiohttp.ClientSession() as session:
        runner = await listening(library)
        yield Sender(url_of(runner), session)
        await runner.cleanup()


async def listening(library: Library, **settings: Any) -> web.AppRunner:
    runner = web.AppRunner(webhooks.app(library, secret=SECRET, **settings), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner


def url_of(runner: web.AppRunner) -> str:
    return f"http://127.0.0.1:{runner.addresses[0][1]}/hooks"


def sending(library: Library, prompt: str = "rain") -> Entry:
    return library.claim(song(prompt)).entry


def uncertain(library: Library, prompt: str = "rain") -> Entry:
    return library.record_uncertain(sending(library, prompt).id, LostReply("lost"))


def accepted(library: Library, prompt: str = "rain", task_id: str = "t1") -> Entry:
    return library.record_accepted(sending(library, prompt).id, acknowledged(song(prompt), task_id))


def kinds(library: Library, entry: Entry) -> list[str]:
    return [event.kind for event in library.events(entry.id)]


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(24_000):  # two minutes
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("the condition never held")


# --- signatures ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "forgery",
    [
        {"secret": "another-secret-of-the-right-length"},
        {"headers": {"X-Webhook-Signature": ""}},
        {"headers": {"X-Webhook-Signature": "sha256="}},
        {"headers": {"X-Webhook-Signature": "sha256=" + "0" * 64}},
        {"headers": {"X-Webhook-Signature": "é"}},
        {
            "headers": {
                "X-Webhook-Signature": "",
                "X-Signature": webhook_signing.legacy_signature(
                    Secret(SECRET), json.dumps(COMPLETED).encode()
                ),
            }
        },
        {"headers": {"X-Webhook-Timestamp": ""}},
        {"headers": {"X-Webhook-Timestamp": "1"}},
        {"age": 301},
        {"age": 86_400},
        {"age": -301},
    ],
)
async def test_wrong_or_old_signature_changes_nothing(
    library: Library, sender: Sender, forgery: Any
) -> None:
    entry = uncertain(library)
    answer = await sender.send(COMPLETED, entry, **forgery)
    assert answer.status == 401
    assert library.entry(entry.id) == entry


async def test_signed_malformed_timestamp_is_rejected(library: Library, sender: Sender) -> None:
    entry, body = uncertain(library), json.dumps(COMPLETED).encode()
    for stamp in ("", "soon", "1e9", "-1", "٣", "9" * 13):
        signed = webhook_signing.signature(Secret(SECRET), stamp, body)
        answer = await sender.send(
            body, entry, headers={"X-Webhook-Timestamp": stamp, "X-Webhook-Signature": signed}
        )
        assert answer.status == 401
    assert library.entry(entry.id) == entry


async def test_changed_body_is_rejected(library: Library, sender: Sender) -> None:
    entry, stamp = accepted(library), str(int(time.time()))
    signed = webhook_signing.signature(Secret(SECRET), stamp, json.dumps(STREAMING).encode())
    answer = await sender.send(
        COMPLETED, entry, headers={"X-Webhook-Timestamp": stamp, "X-Webhook-Signature": signed}
    )
    assert answer.status == 401
    assert kinds(library, entry) == ["sending", "accepted"]


async def test_legacy_signature_is_accepted_if_allowed(library: Library) -> None:
    entry, body = accepted(library), json.dumps(COMPLETED).encode()
    runner = await listening(library, allow_legacy=True)
    async with aiohttp.ClientSession() as session:
        sender = Sender(url_of(runner), session)
        no_signature = {"X-Webhook-Signature": "", "X-Webhook-Timestamp": ""}
        wrong = await sender.send(body, entry, headers={**no_signature, "X-Signature": "0" * 64})
        right = await sender.send(
            body,
            entry,
            headers={
                **no_signature,
                "X-Signature": webhook_signing.legacy_signature(Secret(SECRET), body),
            },
        )
    await runner.cleanup()
    assert (wrong.status, right.status) == (401, 200)
    assert library.entry(entry.id).state == "done"


async def test_replay_is_answered_and_changes_nothing(library: Library, sender: Sender) -> None:
    entry, stamp = accepted(library), str(int(time.time()))
    signed = {
        "X-Webhook-Timestamp": stamp,
        "X-Webhook-Signature": webhook_signing.signature(
            Secret(SECRET), stamp, json.dumps(STREAMING).encode()
        ),
    }
    first = await sender.send(STREAMING, entry, headers={**signed, "X-Webhook-Id": "one"})
    events = library.events(entry.id)
    again = await sender.send(STREAMING, entry, headers={**signed, "X-Webhook-Id": "one"})
    renamed = await sender.send(STREAMING, entry, headers={**signed, "X-Webhook-Id": "two"})
    resigned = await sender.send(STREAMING, entry, age=2, headers={"X-Webhook-Id": "one"})
    assert first == (200, {"status": "recorded"})
    assert [again, renamed, resigned] == [(200, {"status": "already recorded"})] * 3
    assert library.events(entry.id) == events


async def test_events_with_the_same_webhook_id_are_all_recorded(
    library: Library, sender: Sender
) -> None:
    entry = accepted(library)
    await sender.send(STREAMING, entry, headers={"X-Webhook-Id": "one"})
    await sender.send(COMPLETED, entry, headers={"X-Webhook-Id": "one"})
    assert library.entry(entry.id).state == "done"


# --- matching ------------------------------------------------------------------------------


async def test_unknown_task_changes_nothing(library: Library, sender: Sender) -> None:
    entry = accepted(library)
    before = library.events()
    answer = await sender.send({**COMPLETED, "task_id": "t2"})
    assert answer.status == 404
    assert library.events() == before
    assert library.entry(entry.id) == entry


async def test_guessed_token_changes_nothing(library: Library, sender: Sender) -> None:
    entry = uncertain(library)
    token = webhook_signing.purchase_token(Secret(SECRET), entry)
    before = library.events()
    guesses = [
        "",
        str(entry.id),
        f"{entry.id}-{'0' * 32}",
        token.upper() + "x",
        f"0{token[1:-1]}0",
        f"99{token[1:]}",
        "999999999999999999-" + token.partition("-")[2],
        token + "&purchase=" + token,
    ]
    for guess in guesses:
        answer = await sender.send({**COMPLETED, "task_id": "t2"}, token=guess)
        assert answer.status == 404, guess
    assert library.events() == before


async def test_token_of_another_library_changes_nothing(
    library: Library, sender: Sender, tmp_path: Path
) -> None:
    entry = uncertain(library)
    with Library(tmp_path / "another") as another:
        foreign = uncertain(another)
    assert (foreign.id, foreign.request_key) == (entry.id, entry.request_key)
    answer = await sender.send(
        COMPLETED, token=webhook_signing.purchase_token(Secret(SECRET), foreign)
    )
    assert answer.status == 404
    assert library.entry(entry.id) == entry


@pytest.mark.parametrize("make", [uncertain, accepted, sending])
async def test_task_of_another_purchase_changes_neither(
    library: Library, sender: Sender, make: Callable[[Library, str], Entry]
) -> None:
    first, second = accepted(library, "rain", "t1"), accepted(library, "snow", "t2")
    third = make(library, "hail") if make is not accepted else second
    before = library.events()
    answer = await sender.send(COMPLETED, third)
    assert answer.status == 409
    assert library.events() == before
    assert library.entry(first.id) == first


async def test_second_task_for_a_purchase_changes_nothing(
    library: Library, sender: Sender, caplog: pytest.LogCaptureFixture
) -> None:
    entry = accepted(library)
    answer = await sender.send({**COMPLETED, "task_id": "t9"}, entry)
    assert answer.status == 409
    assert library.entry(entry.id) == entry
    assert "t9" in caplog.text


@pytest.mark.parametrize("platform", ["nuro", "producer"])
async def test_task_of_another_engine_changes_nothing(
    library: Library, sender: Sender, platform: str
) -> None:
    entry = accepted(library)
    assert (await sender.send({**COMPLETED, "platform": platform}, entry)).status == 409
    assert (await sender.send({**COMPLETED, "platform": platform})).status == 404
    assert library.entry(entry.id) == entry


async def test_refused_or_unsent_purchase_is_not_revived(library: Library, sender: Sender) -> None:
    refused = library.record_refused(sending(library, "rain").id, LostReply("no"))
    unsent = library.record_unsent(sending(library, "snow").id, Unreachable("no host"))
    for entry in (refused, unsent):
        assert (await sender.send(COMPLETED, entry)).status == 409
        assert library.entry(entry.id) == entry


async def test_songs_that_arrive_after_a_resolve_are_stored(
    library: Library, sender: Sender
) -> None:
    entry = library.resolve(uncertain(library).id, charged=True)
    spent = library.account()
    assert [(await sender.send(COMPLETED, entry)).status for _ in range(2)] == [200, 200]
    assert library.entry(entry.id) == entry
    (adopted,) = [other for other in library.entries() if other.adopted]
    assert (adopted.state, adopted.task_id) == ("done", "t1")
    assert library.account() == spent


async def test_webhook_of_a_purchase_whose_task_was_adopted(
    library: Library, sender: Sender
) -> None:
    entry = uncertain(library)
    library.adopt(tasks.Task(id="t1", engine="sonic"))
    assert (await sender.send(COMPLETED, entry)).status == 200
    assert library.entry(entry.id).state == "done"
    assert library.counts() == {"done": 1}


# --- bodies --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"rain",
        b"{",
        b"\xff\xfe",
        b"[" * 5000,
        b"[]",
        b"null",
        b'"t1"',
        b"{}",
        b'{"task_id": null}',
        b'{"task_id": " "}',
        b'{"task_id": 7.5}',
        b'{"task_id": "' + b"t" * 500 + b'"}',
    ],
)
async def test_malformed_body_is_a_bad_request(
    library: Library, sender: Sender, body: bytes
) -> None:
    entry = uncertain(library)
    assert (await sender.send(body, entry)).status == 400
    assert library.entry(entry.id) == entry


async def _send_raw(sender: Sender, head: str, start: bytes, *, to_eof: bool = False) -> bytes:
    """Return the answer to the start of a body; with `to_eof`, all until the connection ends."""
    host, port = sender.url.removeprefix("http://").removesuffix("/hooks").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST /hooks HTTP/1.1\r\nHost: x\r\nX-Webhook-Signature: x\r\n{head}\r\n\r\n".encode()
        + start
    )
    try:
        async with asyncio.timeout(60):
            return await reader.read() if to_eof else await reader.readline()
    finally:
        writer.close()


async def test_large_content_length_is_rejected_at_once(sender: Sender) -> None:
    answer = await _send_raw(sender, "Content-Length: 10485760", b"{", to_eof=True)
    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_large_chunked_body_is_rejected_early(sender: Sender) -> None:
    chunk = b"%x\r\n%s\r\n" % (65536, b" " * 65536)
    answer = await _send_raw(sender, "Transfer-Encoding: chunked", chunk * 17)
    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_sender_of_a_large_body_gets_the_answer(library: Library, sender: Sender) -> None:
    entry = uncertain(library)
    answer = await sender.send(json.dumps({**COMPLETED, "x": "x" * 10_000_000}).encode(), entry)
    assert answer.status == 413
    assert library.entry(entry.id) == entry


async def test_other_methods_are_rejected(sender: Sender) -> None:
    async with sender.session.get(sender.url) as reply:
        assert reply.status == 405


# --- recording -----------------------------------------------------------------------------


async def test_progress_then_end(library: Library, sender: Sender) -> None:
    entry = accepted(library)
    assert (await sender.send(STREAMING, entry)).status == 200
    assert library.task(entry.id).state == "running"
    assert (await sender.send(COMPLETED, entry)).status == 200
    task = library.task(entry.id)
    assert kinds(library, entry) == ["sending", "accepted", "polled", "done"]
    assert [song.title for song in task.songs] == ["Rain", "Rain"]
    assert task.raw == COMPLETED


async def test_end_before_progress_and_duplicated(library: Library, sender: Sender) -> None:
    entry = accepted(library)
    answers = [
        await sender.send(body, entry, age=age)
        for age, body in enumerate([COMPLETED, STREAMING, COMPLETED, FAILED])
    ]
    assert [answer.status for answer in answers] == [200] * 4
    assert kinds(library, entry) == ["sending", "accepted", "done"]


@pytest.mark.parametrize("refunded", [True, False])
async def test_failure_is_recorded_with_its_refund(
    library: Library, sender: Sender, *, refunded: bool
) -> None:
    library.set_budget("all", 100)
    entry = library.claim(song(), PurchaseTerms(budgets=("all",))).entry
    answer = await sender.send({**FAILED, "refund_processed": refunded}, entry)
    now = library.entry(entry.id)
    assert answer.status == 200
    assert (now.state, now.task_id, now.refunded) == ("failed", "t1", refunded)
    assert library.budgets()["all"].remaining == (100 if refunded else 80)


async def test_refund_of_an_earlier_failure_is_recorded(library: Library, sender: Sender) -> None:
    entry = accepted(library)
    library.record_poll(entry.id, tasks.mark_failed(library.task(entry.id), "no luck"))
    await sender.send(FAILED, entry)
    assert library.entry(entry.id).refunded is True


async def test_failed_event_without_type_is_a_failure(library: Library, sender: Sender) -> None:
    entry = accepted(library)
    await sender.send({"event": "song.failed", "task_id": "t1", "platform": "suno"}, entry)
    assert library.entry(entry.id).state == "failed"


async def test_webhook_without_token_matches_its_task(library: Library, sender: Sender) -> None:
    entry = accepted(library)
    assert (await sender.send(COMPLETED)).status == 200
    assert library.entry(entry.id).state == "done"


@pytest.mark.parametrize(
    "body",
    [
        {**without(COMPLETED, ("task_id",)), "taskId": "t1"},
        {"event": "song.completed", "task": {"task_id": "t1", "data": COMPLETED["data"]}},
        {"event": "song.completed", "payload": COMPLETED},
    ],
    ids=["camel case", "task", "payload"],
)
async def test_task_id_and_songs_may_be_deeper(
    library: Library, sender: Sender, body: dict[str, Any]
) -> None:
    entry = uncertain(library)
    assert (await sender.send(body, entry)).status == 200
    task = library.task(entry.id)
    assert (task.id, task.state) == ("t1", "succeeded")
    assert [song.id for song in task.songs] == ["c", "d"]


@pytest.mark.parametrize(
    "body",
    [
        {**without(COMPLETED, ("task_id",)), "taskId": "t1", "task": {"task_id": "t2"}},
        {"taskId": "t1", "data": {"task_id": "t2", "status": "running"}, "event": "song.streaming"},
        {**COMPLETED, "source": {"task_id": "t2"}},
        {**without(COMPLETED, ("task_id",)), "source": {"task_id": "t2"}, "job": {"task_id": "t1"}},
    ],
)
@pytest.mark.parametrize("make", [uncertain, sending])
async def test_one_of_several_ids_is_the_task(
    library: Library, sender: Sender, make: Callable[[Library], Entry], body: dict[str, Any]
) -> None:
    entry = make(library)
    assert (await sender.send(body, entry)).status == 200
    assert library.entry(entry.id).task_id == library.task(entry.id).id == "t1"


async def test_task_id_may_be_a_number(library: Library, sender: Sender) -> None:
    entry = uncertain(library)
    assert (await sender.send({**COMPLETED, "task_id": 4711}, entry)).status == 200
    assert library.entry(entry.id).task_id == "4711"
    assert (await sender.send({**COMPLETED, "task_id": 0})).status == 400


async def test_completed_song_without_audio_is_not_the_end(
    library: Library, sender: Sender
) -> None:
    entry = accepted(library)
    silent = [{**CLIP, "clip_id": name, "audio_url": ""} for name in "cd"]
    assert (await sender.send({**COMPLETED, "data": silent}, entry)).status == 200
    assert library.entry(entry.id).state == "accepted"
    assert (await sender.send(COMPLETED, entry)).status == 200
    assert library.entry(entry.id).state == "done"


@pytest.mark.parametrize("event", ["song.remixed", None, 7, ["song.completed"], {}])
async def test_unknown_event_only_proves_the_task(
    library: Library, sender: Sender, event: Any
) -> None:
    entry = uncertain(library)
    answer = await sender.send({**COMPLETED, "event": event}, entry)
    now = library.entry(entry.id)
    assert answer.status == 200
    assert (now.state, now.task_id) == ("accepted", "t1")


@pytest.mark.parametrize(
    "value", [["["] * 9, {"a": 1}, 1e400, "x" * 500_000], ids=["list", "object", "inf", "long"]
)
async def test_malformed_event_or_platform_is_tolerated(
    library: Library, sender: Sender, value: Any
) -> None:
    entry = accepted(library)
    body = {**COMPLETED, "event": value, "platform": value}
    same_id = {"X-Webhook-Id": "one"}  # the signatures differ when a second has passed
    assert (await sender.send(body, entry, headers=same_id)).status == 200
    repeated = await sender.send(body, entry, headers=same_id)
    assert repeated.body["status"] == "already recorded"
    assert library.entry(entry.id).state == "accepted"


async def test_unparsable_end_is_left_to_the_next_poll(library: Library, sender: Sender) -> None:
    entry = uncertain(library)
    body = {"code": 500, "event": "song.completed", "task_id": "t1", "message": "?"}
    assert (await sender.send(body, entry)).status == 200
    assert library.entry(entry.id).state == "accepted"


async def test_webhook_that_is_itself_a_song_names_its_task(
    library: Library, sender: Sender
) -> None:
    request = nuro.Instrumental(description="harbour at night", duration=30)
    entry = library.claim(request).entry
    library.record_accepted(entry.id, acknowledged(request, "t1"))
    body: dict[str, Any] = {
        "event": "song.streaming",
        "task_id": "t1",
        "platform": "nuro",
        "status": "running",
    }
    body |= {"audio_url": "", "lyrics": "", "duration": 0, "prompt": "harbour at night"}
    assert (await sender.send(body, entry)).status == 200
    assert kinds(library, entry) == ["sending", "accepted", "polled"]


async def test_one_song_of_two_is_not_the_end(library: Library, sender: Sender) -> None:
    entry = accepted(library)
    await sender.send({**COMPLETED, "data": [CLIP]}, entry)
    assert library.entry(entry.id).state == "accepted"


async def test_unwritable_library_answers_503(library: Library, sender: Sender) -> None:
    entry = uncertain(library)
    library.close()
    assert (await sender.send(COMPLETED, entry)).status == 503
    with Library(library.path) as reopened:
        assert reopened.entry(entry.id).state == "uncertain"


# --- lost replies --------------------------------------------------------------------------


@pytest.mark.parametrize("make", [uncertain, sending])
@pytest.mark.parametrize(
    ("body", "state"), [(STREAMING, "accepted"), (COMPLETED, "done"), (FAILED, "failed")]
)
async def test_purchase_without_reply_is_recovered(
    library: Library, sender: Sender, make: Callable[[Library], Entry], body: Any, state: str
) -> None:
    entry = make(library)
    assert (await sender.send(body, entry)).status == 200
    now = library.entry(entry.id)
    assert (now.state, now.task_id) == (state, "t1")
    # the later outcome of the POST adds nothing
    assert library.record_accepted(entry.id, acknowledged(song("rain"))) == now
    assert library.record_uncertain(entry.id, LostReply("lost")) == now
    assert library.entry(entry.id) == now
    if state != "failed":
        assert library.claim(song("rain")).kind in {"join", "have"}


async def test_rebuilt_ledger_is_the_same(library: Library, sender: Sender) -> None:
    entry = uncertain(library)
    token = webhook_signing.purchase_token(Secret(SECRET), entry)
    await sender.send(STREAMING, entry)
    now = library.entry(entry.id)
    library.rebuild()
    assert library.entry(entry.id) == now
    assert webhook_signing.purchase_token(Secret(SECRET), library.entry(entry.id)) == token


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    reply_options = ReplyOptions(webhook_hosts="loopback")
    async with Simulator(speed=3000, seconds=(1.0, 1.5), reply_options=reply_options) as simulator:
        yield simulator


@pytest.fixture
async def stopped_sim() -> AsyncIterator[Simulator]:
    """Yield a simulator whose clock is stopped until a test advances it."""
    reply_options = ReplyOptions(webhook_hosts="loopback")
    async with Simulator(speed=0, seconds=(1.0, 1.5), reply_options=reply_options) as simulator:
        yield simulator


def client(sim: Simulator, library: Library, url: str) -> MusicAPI:
    return MusicAPI(
        KEY,
        base_url=sim.url,
        speed=sim.speed or 1,
        pace=0,
        ledger=library,
        webhook=url,
        webhook_secret=SECRET,
        reply_timeout=600,  # a busy machine is slow
    )


async def test_lost_reply_is_recovered_by_its_webhook(
    stopped_sim: Simulator, library: Library, sender: Sender
) -> None:
    stopped_sim.faults.arm("lost_reply")
    async with client(stopped_sim, library, sender.url) as api:
        with pytest.raises(LostReply):
            await api.submit(song())
        stopped_sim.clock.advance(600)
        await until(lambda: library.counts() == {"done": 1})
        task = await api.run(song())
    (entry,) = library.entries()
    assert task.bought_before
    assert task.state == "succeeded"
    assert library.file_of(task.songs[0]) is not None
    assert [event.kind for event in library.events(entry.id)][:3] == [
        "sending",
        "uncertain",
        "accepted",
    ]
    assert len(stopped_sim.request_log.paid) == 1
    assert stopped_sim.request_log.count("POST") == 1


async def test_lost_reply_without_webhook_stays_uncertain(
    sim: Simulator, library: Library, sender: Sender
) -> None:
    sim.faults.arm("lost_reply")
    sim.faults.arm("webhook_lost")
    async with client(sim, library, sender.url) as api:
        with pytest.raises(LostReply):
            await api.submit(song())
        with pytest.raises(UncertainPurchase):
            await api.run(song())
    assert library.counts() == {"uncertain": 1}
    assert len(sim.request_log.paid) == 1


@pytest.mark.parametrize("lost", [False, True])
async def test_webhook_before_the_reply(
    stopped_sim: Simulator, library: Library, sender: Sender, *, lost: bool
) -> None:
    """The reply is delayed until after the end of the task, and may be an error."""
    stopped_sim.faults.arm("slow_reply", seconds=1000.0)
    if lost:
        stopped_sim.faults.arm("error_after")
    async with client(stopped_sim, library, sender.url) as api:
        running = asyncio.create_task(api.run(song()))
        await until(lambda: len(stopped_sim.request_log.paid) == 1)
        stopped_sim.clock.advance(600)
        await until(lambda: library.counts() == {"done": 1})
        stopped_sim.clock.advance(2000)  # the delay may have begun after the first step
        task = await running
    (entry,) = library.entries()
    assert task.state == "succeeded"
    assert task.bought_before == lost
    assert kinds(library, entry) == ["sending", "accepted", "polled", "done"]
    assert len(stopped_sim.request_log.paid) == 1


async def test_duplicated_and_reordered_webhooks(
    stopped_sim: Simulator, library: Library, sender: Sender
) -> None:
    stopped_sim.faults.arm("webhook_twice")
    stopped_sim.faults.arm("webhook_out_of_order")
    stopped_sim.faults.arm("lost_reply")
    sent = stopped_sim.webhooks.sent
    async with client(stopped_sim, library, sender.url) as api:
        with pytest.raises(LostReply):
            await api.submit(song())
        stopped_sim.clock.advance(600)
        await until(lambda: [delivery.status for delivery in sent] == [200] * 4)
    (entry,) = library.entries()
    assert [delivery.event for delivery in sent] == [
        "song.completed",
        "song.completed",
        "song.streaming",
        "song.streaming",
    ]
    assert kinds(library, entry) == ["sending", "uncertain", "accepted", "done"]


async def test_refunded_failure_with_lost_reply_may_be_bought_again(
    stopped_sim: Simulator, library: Library, sender: Sender
) -> None:
    stopped_sim.faults.arm("lost_reply")
    stopped_sim.faults.arm("task_fails")
    async with client(stopped_sim, library, sender.url) as api:
        with pytest.raises(LostReply):
            await api.submit(BEAT)
        stopped_sim.clock.advance(600)
        await until(lambda: library.counts() == {"failed": 1})
        (entry,) = library.entries()
        assert entry.refunded is True
        running = asyncio.create_task(api.run(BEAT))
        await until(lambda: library.counts() == {"failed": 1, "accepted": 1})
        stopped_sim.clock.advance(600)
        task = await running
    assert task.state == "succeeded"
    assert len(stopped_sim.request_log.paid) == 2
    assert stopped_sim.accounts.refunded(KEY) == 10


@pytest.mark.parametrize("refund", [True, False, None])
async def test_failure_before_a_lost_reply_is_not_resent(
    library: Library, sender: Sender, *, refund: bool | None
) -> None:
    """One call buys once, whatever the outcome; only another call buys again."""
    failed = {**FAILED, "refund_processed": refund}

    async def notify_then_disconnect(connection: Connection) -> None:
        await connection.request()
        assert (await sender.send(failed, library.entries()[-1])).status == 200
        connection.reset()

    async with (
        peer(notify_then_disconnect) as server,
        MusicAPI(
            KEY,
            base_url=server.url,
            pace=0,
            ledger=library,
            webhook=sender.url,
            webhook_secret=SECRET,
        ) as api,
    ):
        task = await api.run(song())
        assert server.posts == 1
    assert (task.state, task.refunded, task.bought_before) == ("failed", refund, True)
    assert library.counts() == {"failed": 1}


async def test_experiment_recovers_a_lost_reply(
    sim: Simulator, library: Library, sender: Sender
) -> None:
    sim.faults.arm("lost_reply", after=1)
    base = {"custom_mode": False, "gpt_description_prompt": "rain on tin"}
    design = Plan.grid(sonic.Create, base=base, factors={"mv": ["sonic-v4-5", "sonic-v5"]})
    async with client(sim, library, sender.url) as api:
        await Experiment("harbour", design, api, library).run()
        await until(lambda: library.counts() == {"done": 2})
        again = Experiment("harbour", design, api, library)
        await again.run()
    assert again.failures().empty
    assert len(sim.request_log.paid) == 2
    assert library.missing_files() == []


async def test_waiting_client_polls_at_once_after_a_webhook(
    stopped_sim: Simulator, library: Library, sender: Sender
) -> None:
    """The client uses real time, in which the first poll of a sonic task is minutes away."""
    async with client(stopped_sim, library, sender.url) as api:
        running = asyncio.create_task(api.run(song()))
        await until(lambda: library.counts() == {"accepted": 1})
        stopped_sim.clock.advance(600)
        async with asyncio.timeout(20):
            task = await running
    assert task.state == "succeeded"
    assert stopped_sim.request_log.count("GET", "/sonic/task") == 1
    assert library.counts() == {"done": 1}


RECEIVER = f"""
import sys
import asyncio
from aiohttp import web
from musicapi_nb import webhooks
from musicapi_nb.library import Library

async def main():
    with Library(sys.argv[1]) as library:
        runner = web.AppRunner(webhooks.app(library, secret={SECRET!r}))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await runner.cleanup()

asyncio.run(main())
"""


async def test_receiver_in_another_process(stopped_sim: Simulator, library: Library) -> None:
    receiver = python(RECEIVER, str(library.path))
    assert receiver.stdout is not None
    port = int(await asyncio.to_thread(receiver.stdout.readline))
    stopped_sim.faults.arm("lost_reply")
    try:
        async with client(stopped_sim, library, f"http://127.0.0.1:{port}/") as api:
            with pytest.raises(LostReply):
                await api.submit(song())
            stopped_sim.clock.advance(600)
            await until(lambda: library.counts() == {"done": 1})
            task = await api.run(song())
    finally:
        await asyncio.to_thread(receiver.communicate, "\n", 20)
    assert task.state == "succeeded"
    assert len(stopped_sim.request_log.paid) == 1


# --- secrets -------------------------------------------------------------------------------


async def test_secret_is_sent_and_never_displayed(
    sim: Simulator, library: Library, sender: Sender, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    request = song()
    sim.faults.arm("server_error", times=1, method="POST")
    async with client(sim, library, sender.url) as api:
        texts = [repr(api), repr(vars(api)), repr(api._webhook)]
        with pytest.raises(Exception) as raised:  # noqa: PT011 - any error; its texts are checked
            await api.run(request)
        texts += [repr(raised.value), str(raised.value), str(vars(raised.value))]
        task = await api.run(request, take=2)
    entry = sending(library, "snow")
    await sender.send({**COMPLETED, "x": SECRET, "lyrics": SECRET}, entry)
    await sender.send(SECRET.encode(), entry)
    await sender.send(COMPLETED, entry, headers={"X-Webhook-Signature": SECRET})
    texts += [
        repr(task),
        task._repr_html_(),
        repr(library),
        repr(library.entries()),
        repr(library.events()),
        repr(request),
        request._repr_html_(),
        caplog.text,
        repr(webhooks.app(library, secret=SECRET).router.resources()),
    ]
    assert library.entry(entry.id).state == "done"
    assert sim.request_log.posts[-1].body["webhook_secret"] == SECRET
    library.close()
    files = [path.read_bytes() for path in library.path.rglob("*") if path.is_file()]
    for text in [*texts, *(content.decode("latin-1") for content in files)]:
        assert SECRET not in text
        assert "whsec" not in text
        assert "purchase=" not in text


async def test_echoed_secret_is_redacted(library: Library) -> None:
    for status in (200, 400, 403, 500):
        echo = reply(
            {"error": f"no {SECRET}", "message": [SECRET]}, status, {"X-Request-Id": SECRET}
        )
        async with (
            peer(answers(echo)) as server,
            MusicAPI(
                KEY,
                base_url=server.url,
                pace=0,
                ledger=library,
                webhook=server.url,
                webhook_secret=SECRET,
            ) as api,
        ):
            with pytest.raises(MusicAPIError) as raised:
                await api.submit(song(f"rain {status}"))
            for frame, _ in traceback.walk_tb(raised.value.__traceback__):
                if "/musicapi_nb/" in frame.f_code.co_filename:  # as in verbose tracebacks
                    assert SECRET not in repr(frame.f_locals)
            assert SECRET.encode() in server.received
        assert SECRET not in f"{raised.value} {raised.value!r} {vars(raised.value)}"
    assert SECRET not in repr(library.events())


def test_webhook_is_not_part_of_the_request_key(library: Library) -> None:
    assert "webhook" not in json.dumps(dict(library.events(sending(library).id)[0].data))


# --- settings ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({}, "webhook_secret"),
        ({"secret": ""}, "webhook_secret"),
        ({"secret": "short-one"}, "webhook_secret"),
        ({"secret": "two words, sixteen"}, "webhook_secret"),
        ({"secret": SECRET, "max_age": 0}, "max_age"),
        ({"secret": SECRET, "max_age": float("nan")}, "max_age"),
        ({"secret": SECRET, "max_age": "300"}, "max_age"),
    ],
)
def test_invalid_settings_raise(
    library: Library, monkeypatch: pytest.MonkeyPatch, settings: Any, field: str
) -> None:
    monkeypatch.delenv(webhook_signing.SECRET_VARIABLE, raising=False)
    with pytest.raises(InvalidRequest) as raised:
        webhooks.app(library, **settings)
    assert [problem.field for problem in raised.value.problems] == [field]
    assert "short-one" not in str(raised.value)


async def test_secret_from_the_environment(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(webhook_signing.SECRET_VARIABLE, SECRET)
    entry = uncertain(library)
    runner = web.AppRunner(webhooks.app(library), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as session:
        assert (await Sender(url_of(runner), session).send(COMPLETED, entry)).status == 200
    await runner.cleanup()


async def test_receiver_as_part_of_another_application(library: Library) -> None:
    entry = uncertain(library)
    site = web.Application()
    site.add_subapp("/hooks", webhooks.app(library, secret=SECRET))
    runner = web.AppRunner(site, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as session:
        answer = await Sender(f"{url_of(runner)}/musicapi", session).send(COMPLETED, entry)
    await runner.cleanup()
    assert answer.status == 200
