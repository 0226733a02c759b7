"""Webhooks: who may send them, what they settle, and that nothing is bought a second time."""

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
from tests.library.world import acknowledged, python, song
from tests.raw_http_server import CLIP, DONE, Connection, answers, peer, reply
from tests.replies import sample

KEY = "sk-of-an-account-0001"
SECRET = "whsec/Zq81+longer-than-a-word"  # noqa: S105 - made up
NONE: Mapping[str, str] = {}
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
    said: Any


class Door:
    """A receiver that listens, and somebody who knocks."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.session = session

    async def send(  # noqa: PLR0913 - what can be wrong about a webhook
        self,
        body: Any,
        entry: Entry | None = None,
        *,
        secret: str = SECRET,
        age: float = 0,
        intent: str | None = None,
        headers: Mapping[str, str] = NONE,
    ) -> Answer:
        """Send what the service would; `headers` replace its own, "" leaves one out."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        stamp = str(int(time.time() - age))
        known = Secret(secret)
        all_ = {
            "X-Webhook-Id": f"{stamp}-{hash(raw)}",
            "X-Webhook-Timestamp": stamp,
            "X-Webhook-Signature": webhook_signing.signature(known, stamp, raw),
            **headers,
        }
        named = (
            intent
            if intent is not None
            else webhook_signing.purchase_token(known, entry)
            if entry
            else None
        )
        sent = {name: value for name, value in all_.items() if value}
        query = {"purchase": named} if named is not None else {}
        async with self.session.post(
            self.url, data=io.BytesIO(raw), headers=sent, params=query
        ) as reply:
            return Answer(reply.status, await reply.json())


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as opened:
        yield opened


@pytest.fixture
async def door(library: Library) -> AsyncIterator[Door]:
    async with aiohttp.ClientSession() as session:
        runner = await listening(library)
        yield Door(url_of(runner), session)
        await runner.cleanup()


async def listening(library: Library, **settings: Any) -> web.AppRunner:
    runner = web.AppRunner(webhooks.app(library, secret=SECRET, **settings), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner


def url_of(runner: web.AppRunner) -> str:
    return f"http://127.0.0.1:{runner.addresses[0][1]}/hooks"


def sending(library: Library, words: str = "rain") -> Entry:
    return library.claim(song(words)).entry


def uncertain(library: Library, words: str = "rain") -> Entry:
    return library.record_uncertain(sending(library, words).id, LostReply("lost"))


def accepted(library: Library, words: str = "rain", task_id: str = "t1") -> Entry:
    return library.record_accepted(sending(library, words).id, acknowledged(song(words), task_id))


def kinds(library: Library, entry: Entry) -> list[str]:
    return [event.kind for event in library.events(entry.id)]


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(4000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not come about")


# --- who may send --------------------------------------------------------------------------


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
async def test_what_is_not_signed_now_and_with_the_secret_changes_nothing(
    library: Library, door: Door, forgery: Any
) -> None:
    entry = uncertain(library)
    answer = await door.send(COMPLETED, entry, **forgery)
    assert answer.status == 401
    assert library.entry(entry.id) == entry


async def test_a_timestamp_that_is_none_is_refused_though_it_is_signed(
    library: Library, door: Door
) -> None:
    entry, body = uncertain(library), json.dumps(COMPLETED).encode()
    for stamp in ("", "soon", "1e9", "-1", "٣", "9" * 13):
        signed = webhook_signing.signature(Secret(SECRET), stamp, body)
        answer = await door.send(
            body, entry, headers={"X-Webhook-Timestamp": stamp, "X-Webhook-Signature": signed}
        )
        assert answer.status == 401
    assert library.entry(entry.id) == entry


async def test_a_changed_body_is_refused(library: Library, door: Door) -> None:
    entry, stamp = accepted(library), str(int(time.time()))
    signed = webhook_signing.signature(Secret(SECRET), stamp, json.dumps(STREAMING).encode())
    answer = await door.send(
        COMPLETED, entry, headers={"X-Webhook-Timestamp": stamp, "X-Webhook-Signature": signed}
    )
    assert answer.status == 401
    assert kinds(library, entry) == ["sending", "accepted"]


async def test_the_older_signature_is_taken_where_it_is_switched_on(library: Library) -> None:
    entry, body = accepted(library), json.dumps(COMPLETED).encode()
    runner = await listening(library, older=True)
    async with aiohttp.ClientSession() as session:
        door = Door(url_of(runner), session)
        older = {"X-Webhook-Signature": "", "X-Webhook-Timestamp": ""}
        wrong = await door.send(body, entry, headers={**older, "X-Signature": "0" * 64})
        right = await door.send(
            body,
            entry,
            headers={
                **older,
                "X-Signature": webhook_signing.legacy_signature(Secret(SECRET), body),
            },
        )
    await runner.cleanup()
    assert (wrong.status, right.status) == (401, 200)
    assert library.entry(entry.id).state == "done"


async def test_a_replay_is_answered_and_changes_nothing(library: Library, door: Door) -> None:
    entry, stamp = accepted(library), str(int(time.time()))
    signed = {
        "X-Webhook-Timestamp": stamp,
        "X-Webhook-Signature": webhook_signing.signature(
            Secret(SECRET), stamp, json.dumps(STREAMING).encode()
        ),
    }
    first = await door.send(STREAMING, entry, headers={**signed, "X-Webhook-Id": "one"})
    events = library.events(entry.id)
    again = await door.send(STREAMING, entry, headers={**signed, "X-Webhook-Id": "one"})
    renamed = await door.send(STREAMING, entry, headers={**signed, "X-Webhook-Id": "two"})
    resigned = await door.send(STREAMING, entry, age=2, headers={"X-Webhook-Id": "one"})
    assert first == (200, {"status": "written down"})
    assert [again, renamed, resigned] == [(200, {"status": "known already"})] * 3
    assert library.events(entry.id) == events


async def test_one_name_for_all_webhooks_of_a_task_hides_none(library: Library, door: Door) -> None:
    entry = accepted(library)
    await door.send(STREAMING, entry, headers={"X-Webhook-Id": "one"})
    await door.send(COMPLETED, entry, headers={"X-Webhook-Id": "one"})
    assert library.entry(entry.id).state == "done"


# --- what it is about ----------------------------------------------------------------------


async def test_a_task_that_the_library_does_not_know_changes_nothing(
    library: Library, door: Door
) -> None:
    entry = accepted(library)
    before = library.events()
    answer = await door.send({**COMPLETED, "task_id": "t2"})
    assert answer.status == 404
    assert library.events() == before
    assert library.entry(entry.id) == entry


async def test_a_guessed_intent_changes_nothing(library: Library, door: Door) -> None:
    entry = uncertain(library)
    true = webhook_signing.purchase_token(Secret(SECRET), entry)
    before = library.events()
    guesses = [
        "",
        str(entry.id),
        f"{entry.id}-{'0' * 32}",
        true.upper() + "x",
        f"0{true[1:-1]}0",
        f"99{true[1:]}",
        "999999999999999999-" + true.partition("-")[2],
        true + "&purchase=" + true,
    ]
    for guess in guesses:
        answer = await door.send({**COMPLETED, "task_id": "t2"}, intent=guess)
        assert answer.status == 404, guess
    assert library.events() == before


async def test_the_intent_of_another_library_changes_nothing(
    library: Library, door: Door, tmp_path: Path
) -> None:
    entry = uncertain(library)
    with Library(tmp_path / "another") as other:
        theirs = uncertain(other)
    assert (theirs.id, theirs.request_key) == (entry.id, entry.request_key)
    answer = await door.send(
        COMPLETED, intent=webhook_signing.purchase_token(Secret(SECRET), theirs)
    )
    assert answer.status == 404
    assert library.entry(entry.id) == entry


@pytest.mark.parametrize("make", [uncertain, accepted, sending])
async def test_another_purchases_task_changes_neither(
    library: Library, door: Door, make: Callable[[Library, str], Entry]
) -> None:
    first, second = accepted(library, "rain", "t1"), accepted(library, "snow", "t2")
    third = make(library, "hail") if make is not accepted else second
    before = library.events()
    answer = await door.send(COMPLETED, third)
    assert answer.status == 409
    assert library.events() == before
    assert library.entry(first.id) == first


async def test_a_second_task_for_one_purchase_changes_nothing(
    library: Library, door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    entry = accepted(library)
    answer = await door.send({**COMPLETED, "task_id": "t9"}, entry)
    assert answer.status == 409
    assert library.entry(entry.id) == entry
    assert "t9" in caplog.text


@pytest.mark.parametrize("platform", ["nuro", "producer"])
async def test_a_task_of_another_engine_changes_nothing(
    library: Library, door: Door, platform: str
) -> None:
    entry = accepted(library)
    assert (await door.send({**COMPLETED, "platform": platform}, entry)).status == 409
    assert (await door.send({**COMPLETED, "platform": platform})).status == 404
    assert library.entry(entry.id) == entry


async def test_what_was_refused_or_never_left_is_not_revived(library: Library, door: Door) -> None:
    refused = library.record_refused(sending(library, "rain").id, LostReply("no"))
    unsent = library.record_unsent(sending(library, "snow").id, Unreachable("no host"))
    for entry in (refused, unsent):
        assert (await door.send(COMPLETED, entry)).status == 409
        assert library.entry(entry.id) == entry


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
        b'{"task_id": 7}',
        b'{"task_id": "' + b"t" * 500 + b'"}',
    ],
)
async def test_what_is_no_webhook_is_a_bad_request(
    library: Library, door: Door, body: bytes
) -> None:
    entry = uncertain(library)
    assert (await door.send(body, entry)).status == 400
    assert library.entry(entry.id) == entry


async def _raw(door: Door, head: str, sent: bytes, *, whole: bool = False) -> bytes:
    """What the receiver says to bytes of which more would follow; `whole`: until it hangs up."""
    host, port = door.url.removeprefix("http://").removesuffix("/hooks").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST /hooks HTTP/1.1\r\nHost: x\r\nX-Webhook-Signature: x\r\n{head}\r\n\r\n".encode()
        + sent
    )
    try:
        async with asyncio.timeout(10):
            return await reader.read() if whole else await reader.readline()
    finally:
        writer.close()


async def test_ten_megabytes_are_refused_before_they_have_come(door: Door) -> None:
    said = await _raw(door, "Content-Length: 10485760", b"{", whole=True)
    assert said.startswith(b"HTTP/1.1 413 ")


async def test_ten_megabytes_of_unsaid_length_are_refused_before_they_have_come(door: Door) -> None:
    chunk = b"%x\r\n%s\r\n" % (65536, b" " * 65536)
    said = await _raw(door, "Transfer-Encoding: chunked", chunk * 17)
    assert said.startswith(b"HTTP/1.1 413 ")


async def test_who_sends_ten_megabytes_hears_why_they_are_refused(
    library: Library, door: Door
) -> None:
    entry = uncertain(library)
    answer = await door.send(json.dumps({**COMPLETED, "x": "x" * 10_000_000}).encode(), entry)
    assert answer.status == 413
    assert library.entry(entry.id) == entry


async def test_other_methods_are_refused(door: Door) -> None:
    async with door.session.get(door.url) as reply:
        assert reply.status == 405


# --- what it settles -----------------------------------------------------------------------


async def test_progress_then_the_end(library: Library, door: Door) -> None:
    entry = accepted(library)
    assert (await door.send(STREAMING, entry)).status == 200
    assert library.task(entry.id).state == "running"
    assert (await door.send(COMPLETED, entry)).status == 200
    task = library.task(entry.id)
    assert kinds(library, entry) == ["sending", "accepted", "polled", "done"]
    assert [one.title for one in task.songs] == ["Rain", "Rain"]
    assert task.raw == COMPLETED


async def test_the_end_comes_before_the_progress_and_twice(library: Library, door: Door) -> None:
    entry = accepted(library)
    answers = [
        await door.send(body, entry, age=age)
        for age, body in enumerate([COMPLETED, STREAMING, COMPLETED, FAILED])
    ]
    assert [answer.status for answer in answers] == [200] * 4
    assert kinds(library, entry) == ["sending", "accepted", "done"]


@pytest.mark.parametrize("refunded", [True, False])
async def test_a_failure_ends_it_with_its_refund(
    library: Library, door: Door, *, refunded: bool
) -> None:
    library.set_budget("all", 100)
    entry = library.claim(song(), PurchaseTerms(budgets=("all",))).entry
    answer = await door.send({**FAILED, "refund_processed": refunded}, entry)
    now = library.entry(entry.id)
    assert answer.status == 200
    assert (now.state, now.task_id, now.refunded) == ("failed", "t1", refunded)
    assert library.budgets()["all"].remaining == (100 if refunded else 80)


async def test_a_webhook_tells_the_refund_of_what_failed_before(
    library: Library, door: Door
) -> None:
    entry = accepted(library)
    library.record_poll(entry.id, tasks.mark_failed(library.task(entry.id), "no luck"))
    await door.send(FAILED, entry)
    assert library.entry(entry.id).refunded is True


async def test_a_failed_event_without_a_type_is_a_failure(library: Library, door: Door) -> None:
    entry = accepted(library)
    await door.send({"event": "song.failed", "task_id": "t1", "platform": "suno"}, entry)
    assert library.entry(entry.id).state == "failed"


async def test_a_webhook_without_an_intent_finds_its_task(library: Library, door: Door) -> None:
    entry = accepted(library)
    assert (await door.send(COMPLETED)).status == 200
    assert library.entry(entry.id).state == "done"


@pytest.mark.parametrize("event", ["song.remixed", None, 7, ["song.completed"], {}])
async def test_an_event_of_an_unknown_kind_proves_the_task_and_ends_nothing(
    library: Library, door: Door, event: Any
) -> None:
    entry = uncertain(library)
    answer = await door.send({**COMPLETED, "event": event}, entry)
    now = library.entry(entry.id)
    assert answer.status == 200
    assert (now.state, now.task_id) == ("accepted", "t1")


@pytest.mark.parametrize(
    "odd", [["["] * 9, {"a": 1}, 1e400, "x" * 500_000], ids=["list", "object", "inf", "long"]
)
async def test_of_an_event_or_platform_that_is_no_word_little_is_remembered(
    library: Library, door: Door, odd: Any
) -> None:
    entry = accepted(library)
    body = {**COMPLETED, "event": odd, "platform": odd}
    assert (await door.send(body, entry)).status == 200
    assert (await door.send(body, entry)).said["status"] == "known already"
    assert library.entry(entry.id).state == "accepted"


async def test_an_end_that_cannot_be_read_is_left_to_the_next_poll(
    library: Library, door: Door
) -> None:
    entry = uncertain(library)
    odd = {"code": 500, "event": "song.completed", "task_id": "t1", "message": "?"}
    assert (await door.send(odd, entry)).status == 200
    assert library.entry(entry.id).state == "accepted"


async def test_one_song_of_two_is_not_the_end(library: Library, door: Door) -> None:
    entry = accepted(library)
    await door.send({**COMPLETED, "data": [CLIP]}, entry)
    assert library.entry(entry.id).state == "accepted"


async def test_a_library_that_cannot_be_written_asks_for_it_again(
    library: Library, door: Door
) -> None:
    entry = uncertain(library)
    library.close()
    assert (await door.send(COMPLETED, entry)).status == 503
    with Library(library.path) as opened:
        assert opened.entry(entry.id).state == "uncertain"


# --- lost replies --------------------------------------------------------------------------


@pytest.mark.parametrize("make", [uncertain, sending])
@pytest.mark.parametrize(
    ("body", "state"), [(STREAMING, "accepted"), (COMPLETED, "done"), (FAILED, "failed")]
)
async def test_a_purchase_without_its_reply_is_recovered(
    library: Library, door: Door, make: Callable[[Library], Entry], body: Any, state: str
) -> None:
    entry = make(library)
    assert (await door.send(body, entry)).status == 200
    now = library.entry(entry.id)
    assert (now.state, now.task_id) == (state, "t1")
    # what the POST itself comes to later adds nothing
    assert library.record_accepted(entry.id, acknowledged(song("rain"))) == now
    assert library.record_uncertain(entry.id, LostReply("lost")) == now
    assert library.entry(entry.id) == now
    if state != "failed":
        assert library.claim(song("rain")).kind in {"join", "have"}


async def test_the_ledger_made_anew_from_its_events_is_the_same(
    library: Library, door: Door
) -> None:
    entry = uncertain(library)
    intent = webhook_signing.purchase_token(Secret(SECRET), entry)
    await door.send(STREAMING, entry)
    now = library.entry(entry.id)
    library.rebuild()
    assert library.entry(entry.id) == now
    assert webhook_signing.purchase_token(Secret(SECRET), library.entry(entry.id)) == intent


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    reply_options = ReplyOptions(webhook_hosts="loopback")
    async with Simulator(speed=3000, seconds=(1.0, 1.5), reply_options=reply_options) as simulator:
        yield simulator


@pytest.fixture
async def still() -> AsyncIterator[Simulator]:
    """A simulator whose clock stands still until a test moves it."""
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
    )


async def test_a_lost_reply_is_recovered_by_its_webhook_and_paid_once(
    sim: Simulator, library: Library, door: Door
) -> None:
    sim.faults.arm("lost_reply")
    async with client(sim, library, door.url) as api:
        with pytest.raises(LostReply):
            await api.submit(song())
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
    assert len(sim.request_log.paid) == 1
    assert sim.request_log.count("POST") == 1


async def test_without_its_webhook_a_lost_reply_stays_uncertain(
    sim: Simulator, library: Library, door: Door
) -> None:
    sim.faults.arm("lost_reply")
    sim.faults.arm("webhook_lost")
    async with client(sim, library, door.url) as api:
        with pytest.raises(LostReply):
            await api.submit(song())
        with pytest.raises(UncertainPurchase):
            await api.run(song())
    assert library.counts() == {"uncertain": 1}
    assert len(sim.request_log.paid) == 1


@pytest.mark.parametrize("lost", [False, True])
async def test_a_webhook_overtakes_the_reply(
    still: Simulator, library: Library, door: Door, *, lost: bool
) -> None:
    """The reply is held until after the task's end, and may then be an error."""
    still.faults.arm("slow_reply", seconds=1000.0)
    if lost:
        still.faults.arm("error_after")
    async with client(still, library, door.url) as api:
        running = asyncio.create_task(api.run(song()))
        await until(lambda: len(still.request_log.paid) == 1)
        still.clock.advance(600)
        await until(lambda: library.counts() == {"done": 1})
        still.clock.advance(600)
        task = await running
    (entry,) = library.entries()
    assert task.state == "succeeded"
    assert task.bought_before == lost
    assert kinds(library, entry) == ["sending", "accepted", "polled", "done"]
    assert len(still.request_log.paid) == 1


async def test_webhooks_twice_and_out_of_order_end_it_once(
    sim: Simulator, library: Library, door: Door
) -> None:
    sim.faults.arm("webhook_twice")
    sim.faults.arm("webhook_out_of_order")
    sim.faults.arm("lost_reply")
    async with client(sim, library, door.url) as api:
        with pytest.raises(LostReply):
            await api.submit(song())
        await until(lambda: [one.status for one in sim.webhooks.sent] == [200] * 4)
    (entry,) = library.entries()
    assert [each.event for each in sim.webhooks.sent] == [
        "song.completed",
        "song.completed",
        "song.streaming",
        "song.streaming",
    ]
    assert kinds(library, entry) == ["sending", "uncertain", "accepted", "done"]


async def test_a_failed_task_whose_reply_was_lost_is_refunded_and_may_be_bought_again(
    sim: Simulator, library: Library, door: Door
) -> None:
    sim.faults.arm("lost_reply")
    sim.faults.arm("task_fails")
    async with client(sim, library, door.url) as api:
        with pytest.raises(LostReply):
            await api.submit(BEAT)
        await until(lambda: library.counts() == {"failed": 1})
        (entry,) = library.entries()
        assert entry.refunded is True
        task = await api.run(BEAT)
    assert task.state == "succeeded"
    assert len(sim.request_log.paid) == 2
    assert sim.accounts.refunded(KEY) == 10


@pytest.mark.parametrize("refund", [True, False, None])
async def test_a_failure_that_overtakes_a_lost_reply_is_told_and_nothing_is_sent_again(
    library: Library, door: Door, *, refund: bool | None
) -> None:
    """Who asked once pays once, whatever came of it; only who asks again buys again."""
    failed = {**FAILED, "refund_processed": refund}

    async def told_then_cut(connection: Connection) -> None:
        await connection.request()
        assert (await door.send(failed, library.entries()[-1])).status == 200
        connection.reset()

    async with (
        peer(told_then_cut) as here,
        MusicAPI(
            KEY, base_url=here.url, pace=0, ledger=library, webhook=door.url, webhook_secret=SECRET
        ) as api,
    ):
        task = await api.run(song())
        assert here.posts == 1
    assert (task.state, task.refunded, task.bought_before) == ("failed", refund, True)
    assert library.counts() == {"failed": 1}


async def test_an_experiment_has_the_song_whose_reply_was_lost(
    sim: Simulator, library: Library, door: Door
) -> None:
    sim.faults.arm("lost_reply", after=1)
    base = {"custom_mode": False, "gpt_description_prompt": "rain on tin"}
    design = Plan.grid(sonic.Create, base=base, factors={"mv": ["sonic-v4-5", "sonic-v5"]})
    async with client(sim, library, door.url) as api:
        await Experiment("harbour", design, api, library).run()
        await until(lambda: library.counts() == {"done": 2})
        again = Experiment("harbour", design, api, library)
        await again.run()
    assert again.failures().empty
    assert len(sim.request_log.paid) == 2
    assert library.missing_files() == []


async def test_who_waits_hears_of_the_end_before_the_next_poll_is_due(
    still: Simulator, library: Library, door: Door
) -> None:
    """The client's clock is ours, in which the first poll of a sonic task is far away."""
    async with client(still, library, door.url) as api:
        running = asyncio.create_task(api.run(song()))
        await until(lambda: library.counts() == {"accepted": 1})
        still.clock.advance(600)
        async with asyncio.timeout(20):
            task = await running
    assert task.state == "succeeded"
    assert still.request_log.count("GET", "/sonic/task") == 1
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


async def test_a_receiver_in_another_process_tells_who_waits_here(
    sim: Simulator, library: Library
) -> None:
    receiver = python(RECEIVER, str(library.path))
    assert receiver.stdout is not None
    port = int(await asyncio.to_thread(receiver.stdout.readline))
    sim.faults.arm("lost_reply")
    try:
        async with client(sim, library, f"http://127.0.0.1:{port}/") as api:
            with pytest.raises(LostReply):
                await api.submit(song())
            await until(lambda: library.counts() == {"done": 1})
            task = await api.run(song())
    finally:
        await asyncio.to_thread(receiver.communicate, "\n", 20)
    assert task.state == "succeeded"
    assert len(sim.request_log.paid) == 1


# --- secrets -------------------------------------------------------------------------------


async def test_the_secret_is_sent_and_shown_nowhere(
    sim: Simulator, library: Library, door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    request = song()
    sim.faults.arm("server_error", times=1, method="POST")
    async with client(sim, library, door.url) as api:
        shown = [repr(api), repr(vars(api)), repr(api._webhook)]
        with pytest.raises(Exception) as caught:  # noqa: PT011 - any: it is what it shows
            await api.run(request)
        shown += [repr(caught.value), str(caught.value), str(vars(caught.value))]
        task = await api.run(request, take=2)
    entry = sending(library, "snow")
    await door.send({**COMPLETED, "seen": SECRET, "lyrics": SECRET}, entry)
    await door.send(SECRET.encode(), entry)
    await door.send(COMPLETED, entry, headers={"X-Webhook-Signature": SECRET})
    shown += [
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
    for text in [*shown, *(content.decode("latin-1") for content in files)]:
        assert SECRET not in text
        assert "whsec" not in text
        assert "purchase=" not in text


async def test_a_service_that_echoes_the_secret_does_not_get_it_shown(library: Library) -> None:
    for status in (200, 400, 403, 500):
        echo = reply(
            {"error": f"no {SECRET}", "message": [SECRET]}, status, {"X-Request-Id": SECRET}
        )
        async with (
            peer(answers(echo)) as here,
            MusicAPI(
                KEY,
                base_url=here.url,
                pace=0,
                ledger=library,
                webhook=here.url,
                webhook_secret=SECRET,
            ) as api,
        ):
            with pytest.raises(MusicAPIError) as caught:
                await api.submit(song(f"rain {status}"))
            for frame, _ in traceback.walk_tb(caught.value.__traceback__):
                if "/musicapi_nb/" in frame.f_code.co_filename:  # as verbose tracebacks show them
                    assert SECRET not in repr(frame.f_locals)
            assert SECRET.encode() in here.received
        assert SECRET not in f"{caught.value} {caught.value!r} {vars(caught.value)}"
    assert SECRET not in repr(library.events())


def test_what_is_bought_has_the_same_name_with_webhooks(library: Library) -> None:
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
def test_a_receiver_is_not_made_of_what_cannot_guard_it(
    library: Library, monkeypatch: pytest.MonkeyPatch, settings: Any, field: str
) -> None:
    monkeypatch.delenv(webhook_signing.SECRET_VARIABLE, raising=False)
    with pytest.raises(InvalidRequest) as caught:
        webhooks.app(library, **settings)
    assert [problem.field for problem in caught.value.problems] == [field]
    assert "short-one" not in str(caught.value)


async def test_the_receivers_secret_may_come_from_the_environment(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(webhook_signing.SECRET_VARIABLE, SECRET)
    entry = uncertain(library)
    runner = web.AppRunner(webhooks.app(library), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as session:
        assert (await Door(url_of(runner), session).send(COMPLETED, entry)).status == 200
    await runner.cleanup()


async def test_it_can_be_part_of_another_application(library: Library) -> None:
    entry = uncertain(library)
    site = web.Application()
    site.add_subapp("/hooks", webhooks.app(library, secret=SECRET))
    runner = web.AppRunner(site, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as session:
        answer = await Door(f"{url_of(runner)}/musicapi", session).send(COMPLETED, entry)
    await runner.cleanup()
    assert answer.status == 200
