"""Every fault, as a client meets it."""

import json
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest

from musicapi_nb.simulator import FAULT_KINDS, Faults, Simulator
from musicapi_nb.simulator.faults import STAGES
from tests.simulator.caller import CREATE, STUDIO, VOCAL, Caller

CREATE_PATH = "/api/v1/sonic/create"


async def raw_reply(
    caller: Caller, method: str = "POST", body: Any = CREATE
) -> tuple[int, str, bytes]:
    path = CREATE_PATH if method == "POST" else "/api/v1/get-credits"
    options = {"json": body} if method == "POST" else {}
    async with caller.session.request(method, caller.sim.url + path, **options) as reply:
        return reply.status, reply.content_type, await reply.read()


async def test_lost_reply_leaves_a_paid_task(sim: Simulator, caller: Caller) -> None:
    sim.faults.arm("lost_reply")
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await caller.post("sonic/create", CREATE)
    (charge,) = sim.accounts.charges("key-a")
    assert charge.task_id is not None
    assert len(await caller.finished(charge.task_id)) == 3
    (arrival,) = sim.request_log.paid
    assert (arrival.status, arrival.body, arrival.charge) == (None, CREATE, charge)


async def test_only_replies_to_accepted_requests_are_lost(sim: Simulator, caller: Caller) -> None:
    sim.faults.arm("lost_reply")
    assert (await caller.post("sonic/create", {})).status == 400
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await caller.post("sonic/create", CREATE)
    assert (len(sim.request_log.posts), len(sim.request_log.paid)) == (2, 1)


async def test_connection_dropped_before_handling_makes_no_task(
    sim: Simulator, caller: Caller
) -> None:
    sim.faults.arm("drop_before")
    with pytest.raises((aiohttp.ClientConnectionError, ConnectionError)):
        await caller.post("sonic/create", CREATE)
    assert sim.accounts.charges() == ()
    assert sim.request_log.count("POST", CREATE_PATH) == 1


async def test_429_with_and_without_retry_after(sim: Simulator, caller: Caller) -> None:
    sim.faults.arm("too_many_requests", times=1)
    sim.faults.arm("too_many_requests", retry_after=2)
    sim.faults.arm("too_many_requests", retry_after=60, retry_as_date=True)
    replies = [await caller.post("sonic/create", CREATE) for _ in range(4)]
    assert [reply.status for reply in replies] == [429, 429, 429, 200]
    assert "Retry-After" not in replies[0].headers
    assert replies[1].headers["Retry-After"] == "2"
    assert parsedate_to_datetime(replies[2].headers["Retry-After"]).tzinfo is not None
    assert len(sim.accounts.charges()) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_server_error_is_json_or_a_page(
    sim: Simulator, caller: Caller, status: int, method: str
) -> None:
    sim.faults.arm("server_error", status=status)
    sim.faults.arm("server_error", status=status, page=True, method=method)
    first, second = await raw_reply(caller, method), await raw_reply(caller, method)
    assert (first[0], json.loads(first[2])["message"]) == (status, "Internal Server Error.")
    assert (second[0], second[1]) == (status, "text/html")
    assert sim.accounts.charges() == ()


async def test_error_can_hide_a_paid_task(sim: Simulator, caller: Caller) -> None:
    sim.faults.arm("error_after")
    assert (await raw_reply(caller))[:2] == (502, "text/html")
    assert len(sim.accounts.charges()) == 1


@pytest.mark.parametrize("kind", ["slow", "slow_reply"])
async def test_slow_faults_wait_in_simulated_time(kind: str) -> None:
    async with Simulator(speed=200_000) as sim, Caller(sim, "k") as caller:
        sim.faults.arm(kind, seconds=10_000)
        await caller.submit(CREATE)
        (arrival,) = sim.request_log.posts
        assert sim.clock.now() - arrival.arrived_at >= 10_000


async def test_slow_download_waits_in_simulated_time() -> None:
    async with Simulator(speed=200_000) as sim, Caller(sim, "k") as caller:
        sim.faults.arm("slow_download", seconds=10_000)
        start = sim.clock.now()
        async with caller.session.get(f"{sim.url}/media/image/unknown.png") as reply:
            assert reply.status == 404
        assert sim.clock.now() - start >= 10_000


async def test_slow_request_ends_when_the_simulator_stops(caller: Caller) -> None:
    async with Simulator(speed=0) as sim:
        sim.faults.arm("slow")
        with pytest.raises(aiohttp.ServerTimeoutError):
            async with caller.session.get(
                f"{sim.url}/api/v1/get-credits", timeout=aiohttp.ClientTimeout(sock_read=0.05)
            ):
                pass
    assert not sim.running


async def test_cut_body_ends_early(sim: Simulator, caller: Caller) -> None:
    sim.faults.arm("cut_body")
    with pytest.raises(aiohttp.ClientPayloadError):
        await raw_reply(caller)
    assert len(sim.accounts.charges()) == 1


async def test_reply_can_be_garbage_a_page_or_empty(sim: Simulator, caller: Caller) -> None:
    for kind in ("garbage_body", "html_body", "empty_body"):
        sim.faults.arm(kind)
    garbage, page, empty = [await raw_reply(caller) for _ in range(3)]
    with pytest.raises(ValueError, match="decode"):
        json.loads(garbage[2])
    assert page[:2] == (200, "text/html")
    assert empty == (200, "application/json", b"")


async def test_code_can_be_missing_and_unknown_keys_added(sim: Simulator, caller: Caller) -> None:
    task_id = await caller.submit(CREATE)
    sim.faults.arm("code_missing")
    assert set((await caller.get("get-credits")).body) == {"credits", "extra_credits"}
    assert set(await caller.finished(task_id)) == {"data", "message"}
    sim.faults.arm("extra_keys", method="POST")
    assert set((await caller.post("sonic/create", CREATE)).body) > {"message", "task_id"}


@pytest.mark.parametrize(
    ("choice", "status", "body"),
    [
        ("clips", 200, None),
        (
            "api_error",
            200,
            {"type": "api_error", "message": "no voice left", "already_refunded": True},
        ),
        ("timeout", 504, None),
    ],
)
async def test_failed_sonic_task_has_three_forms(
    sim: Simulator, caller: Caller, choice: Any, status: int, body: Any
) -> None:
    sim.reply_options.sonic_failure = choice
    sim.faults.arm("task_fails", message="no voice left")
    task_id = await caller.submit(CREATE)
    sim.clock.advance(600)
    reply = await caller.get(f"sonic/task/{task_id}")
    assert reply.status == status
    if choice == "clips":
        assert [clip["state"] for clip in reply.body["data"]] == ["failed", "failed"]
        assert {clip["audio_url"] for clip in reply.body["data"]} == {""}
    elif choice == "timeout":
        message = "Task failed due to timeout. Credits were previously refunded."
        assert reply.body["message"] == message
    else:
        assert reply.body == body
    assert await caller.credits() == 1000


async def test_failed_studio_task_has_two_forms(sim: Simulator, caller: Caller) -> None:
    sim.faults.arm("task_fails", message="no voice left", times=2)
    data = (await caller.finished(await caller.submit(STUDIO, "studio/create"), "studio"))["data"]
    assert (data["status"], data["fail_reason"]) == ("FAILURE", "no voice left")
    assert data["data"] is None
    sim.reply_options.studio_failure = "code"
    reply = await caller.finished(await caller.submit(STUDIO, "studio/create"), "studio")
    assert (reply["code"] == "success", reply["message"]) == (False, "no voice left")


async def test_failed_nuro_task_has_two_forms(sim: Simulator, caller: Caller) -> None:
    sim.faults.arm("task_fails", times=2)
    reply = await caller.finished(await caller.submit(VOCAL, "nuro/create"), "nuro")
    assert (reply["status"], reply["refund_processed"]) == ("failed", True)
    sim.reply_options.nuro_failure = "error"
    task_id = await caller.submit(VOCAL, "nuro/create")
    sim.clock.advance(600)
    error = await caller.get(f"nuro/task/{task_id}")
    assert (error.status, set(error.body)) == (500, {"type", "message", "refund_processed"})


async def test_one_of_two_studio_songs_can_fail(sim: Simulator, caller: Caller) -> None:
    sim.faults.arm("one_clip_fails")
    songs = await caller.studio_songs(STUDIO)
    assert [bool(song["song_path"]) for song in songs] == [True, False]
    assert [song["error_type"] for song in songs] == [None, "generation_error"]


async def test_task_fails_with_its_only_song(sim: Simulator, caller: Caller) -> None:
    sim.faults.arm("one_clip_fails")
    reply = await caller.finished(await caller.submit(VOCAL, "nuro/create"), "nuro")
    assert reply["status"] == "failed"
    assert await caller.credits() == 1000


async def test_durations_can_be_text(sim: Simulator, caller: Caller) -> None:
    sim.faults.arm("duration_text", times=2)
    nuro = await caller.finished(await caller.submit(VOCAL, "nuro/create"), "nuro")
    studio = (await caller.studio_songs(STUDIO))[0]
    for duration in (nuro["duration"], studio["duration"]):
        assert isinstance(duration, str)
        assert 3 <= float(duration) <= 4


async def test_state_can_be_undocumented(sim: Simulator, caller: Caller) -> None:
    sim.faults.arm("unknown_state", word="mixing", times=3)
    sonic, studio = await caller.submit(CREATE), await caller.submit(STUDIO, "studio/create")
    nuro = await caller.submit(VOCAL, "nuro/create")
    sim.clock.advance(12)
    assert (await caller.get(f"nuro/task/{nuro}")).body["status"] == "mixing"
    sim.clock.advance(31)
    assert (await caller.get(f"studio/task/{studio}")).body["data"]["status"] == "MIXING"
    assert {clip["state"] for clip in (await caller.get(f"sonic/task/{sonic}")).body["data"]} == {
        "mixing"
    }
    assert (await caller.finished(sonic))["data"][0]["state"] == "succeeded"


async def test_stuck_task_never_ends(sim: Simulator, caller: Caller) -> None:
    sim.faults.arm("stuck")
    task_id = await caller.submit(CREATE)
    sim.clock.advance(1e7)
    states = {clip["state"] for clip in (await caller.get(f"sonic/task/{task_id}")).body["data"]}
    assert states == {"running"}


async def test_api_call_can_be_redirected_to_another_host(sim: Simulator, caller: Caller) -> None:
    sim.faults.arm("redirect_api", to="https://elsewhere.example")
    async with caller.session.post(
        f"{sim.url}/api/v1/sonic/create", json=CREATE, allow_redirects=False
    ) as reply:
        assert reply.status == 307
        assert reply.headers["Location"] == "https://elsewhere.example/api/v1/sonic/create"
    assert sim.accounts.charges() == ()


async def test_redirected_request_is_served_as_localhost(sim: Simulator, caller: Caller) -> None:
    sim.faults.arm("redirect_api", times=None)
    async with caller.session.get(f"{sim.url}/api/v1/get-credits") as reply:
        assert reply.url.host == "localhost"
    assert [arrival.host.partition(":")[0] for arrival in sim.request_log.recent] == [
        "127.0.0.1",
        "localhost",
    ]


@pytest.fixture
async def link(caller: Caller) -> str:
    url: str = (await caller.clips(CREATE))[0]["audio_url"]
    return url


async def test_download_can_be_truncated(sim: Simulator, caller: Caller, link: str) -> None:
    sim.faults.arm("truncated_download")
    async with caller.session.get(link) as reply:
        with pytest.raises(aiohttp.ClientPayloadError):
            await reply.read()


async def test_download_can_be_a_page(sim: Simulator, caller: Caller, link: str) -> None:
    sim.faults.arm("wrong_type_download")
    async with caller.session.get(link) as reply:
        assert (reply.status, reply.content_type) == (200, "text/html")


async def test_dead_link_recovers_when_the_task_is_polled(
    sim: Simulator, caller: Caller, link: str
) -> None:
    async def status() -> int:
        async with caller.session.get(link) as reply:
            return reply.status

    sim.faults.arm("dead_link")
    assert [await status(), await status()] == [404, 404]
    (charge,) = sim.accounts.charges()
    await caller.get(f"sonic/task/{charge.task_id}")
    assert await status() == 200


async def test_file_can_fail_or_redirect(sim: Simulator, caller: Caller, link: str) -> None:
    sim.faults.arm("media_error")
    async with caller.session.get(link) as reply:
        assert reply.status == 503
    sim.faults.arm("redirect_media")
    async with caller.session.get(link) as reply:
        assert (reply.status, reply.url.host) == (200, "localhost")


# --- arming faults ---


def test_each_fault_kind_has_a_stage_and_help() -> None:
    assert sorted(name for names in STAGES.values() for name in names) == sorted(FAULT_KINDS)
    assert all(kind.help for kind in FAULT_KINDS.values())


def test_times_after_probability_and_path_select_requests() -> None:
    faults = Faults(seed=1)
    faults.arm("slow", times=2, after=1, path="/sonic/", method="GET")
    hits = [
        faults.strike("slow", method, path) is not None
        for method, path in [
            ("GET", "/sonic/task/1"),
            ("POST", "/sonic/create"),
            ("GET", "/studio/task/1"),
            ("GET", "/sonic/task/1"),
            ("GET", "/sonic/task/1"),
            ("GET", "/sonic/task/1"),
        ]
    ]
    assert hits == [False, False, False, True, True, False]
    stuck = faults.arm("stuck", times=None, probability=0.3)
    rolls = [faults.strike("stuck", "POST", "/x") is not None for _ in range(400)]
    assert sum(rolls) == stuck.hits == pytest.approx(120, abs=30)
    faults.disarm(stuck)
    assert faults.armed == ()


def test_equal_seeds_strike_equal_requests() -> None:
    def rolls(seed: int) -> list[bool]:
        faults = Faults(seed)
        faults.arm("slow", times=None, probability=0.5)
        return [faults.strike("slow", "GET", "/") is not None for _ in range(64)]

    assert rolls(4) == rolls(4) != rolls(5)


def test_unknown_fault_or_setting_is_an_error() -> None:
    faults = Faults()
    with pytest.raises(ValueError, match="Known faults: drop_before"):
        faults.arm("explode")
    with pytest.raises(ValueError, match="slow does not take colour"):
        faults.arm("slow", colour="red")
    faults.arm("slow")
    faults.clear()
    assert faults.armed == ()
