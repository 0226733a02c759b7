"""wire: requests to calls, replies to payloads or errors; nothing odd gets past the family."""

import datetime as dt
import email.utils
import json
import math
import time
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from musicapi_nb import lyrics, nuro, sonic, studio, wire
from musicapi_nb.engines import account
from musicapi_nb.errors import (
    ContentRefused,
    Forbidden,
    InvalidRequest,
    MusicAPIError,
    NoSubscription,
    OutOfCredits,
    RateLimited,
    RejectedRequest,
    RetiredOperation,
    ServerError,
    TaskFailed,
    TaskNotFound,
    Unauthorized,
    UnexpectedReply,
)
from tests.replies import any_text, as_text, json_values

NOW = dt.datetime(2026, 10, 7, 12, 0, 0, tzinfo=dt.UTC).timestamp()
SONG = sonic.Create(custom_mode=False, gpt_description_prompt="rain", mv="sonic-v5")


def error(status: int, body: object = b"", *, paid: bool = False, **headers: str) -> MusicAPIError:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    with pytest.raises(MusicAPIError) as caught:
        wire.read_response(status, names, content, paid=paid, now=NOW)
    return caught.value


# --- calls ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        SONG,
        lyrics.Make(description="rain"),
        nuro.Vocal(lyrics="la la la " * 50),
        studio.Description(prompt="rain", model_type="studio32-v1.5"),
    ],
    ids=repr,
)
def test_a_request_becomes_a_paid_post_of_its_body(request_: sonic.Create) -> None:
    call = wire.submit_call(request_)
    assert (call.method, call.path, call.paid) == ("POST", request_.path, True)
    assert call.body is not None
    assert json.loads(call.body) == request_.body()


def test_the_balance_is_asked_for_without_paying() -> None:
    call = wire.submit_call(account.Credits())
    assert (call.method, call.path, call.body) == ("GET", "/api/v1/get-credits", None)
    assert not call.paid


def test_a_request_with_problems_becomes_no_call() -> None:
    with pytest.raises(InvalidRequest) as caught:
        wire.submit_call(sonic.Create(custom_mode=True, title="t" * 81))
    assert {problem.field for problem in caught.value.problems} >= {"title", "prompt"}


def test_text_of_any_script_survives() -> None:
    call = wire.submit_call(lyrics.Make(description="雨 🌧 “quoted” \\ \0 </script>"))
    assert call.body is not None
    assert call.body.isascii()
    assert json.loads(call.body)["description"] == "雨 🌧 “quoted” \\ \0 </script>"


def test_a_poll_names_engine_and_id() -> None:
    assert wire.poll_call("sonic", "a1-b2").path == "/api/v1/sonic/task/a1-b2"
    assert not wire.poll_call("sonic", "a1-b2").paid


@pytest.mark.parametrize("bad", [None, "", " ", "\n", ".", ".."])
def test_a_poll_without_engine_or_id_is_invalid(bad: str | None) -> None:
    with pytest.raises(InvalidRequest, match="engine"):
        wire.poll_call(bad, "x")
    with pytest.raises(InvalidRequest, match="task_id"):
        wire.poll_call("sonic", bad)


@given(st.text(min_size=1) | any_text, st.text(min_size=1))
@example("../../v1/get-credits", "sonic")
@example("a?b=c#d", "sonic")
@example("a\r\nX-Evil: 1\r\n\r\nGET / HTTP/1.1", "sonic")
@example("%2e%2e/%2F", "sonic")
@example("\ud800", "sonic")
def test_a_poll_keeps_any_id_inside_its_segment(task_id: str, engine: str) -> None:
    try:
        path = wire.poll_call(engine, task_id).path
    except InvalidRequest:
        assert not task_id.strip() or not engine.strip() or {task_id, engine} & {".", ".."}
        return
    assert path.isascii()
    assert path.isprintable()
    assert " " not in path
    assert urlsplit(path).path == path  # no query, no fragment, no host
    start, api, version, kind, task, segment = path.split("/")
    assert (start, api, version, task) == ("", "api", "v1", "task")
    assert kind not in {".", ".."}
    assert segment not in {".", ".."}
    if task_id.isascii():
        assert unquote(segment) == task_id


# --- decoding ------------------------------------------------------------------------------


def test_json_is_decoded_leniently() -> None:
    assert wire.decode(b'\xef\xbb\xbf{"a": NaN}')["a"] != 0
    assert wire.decode('{"a": "\\ud83d"}') == {"a": "\ud83d"}
    assert wire.decode(b'{"a": "\xff"}') == {"a": "�"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b" \r\n", "empty"),
        (b"<!DOCTYPE html><title>502\n Bad  gateway</title>", r"HTML page \(502 Bad gateway\)"),
        (b"<p>", "HTML page"),
        (b'{"message": "succ', "truncated or garbled"),
        (b'["', "truncated or garbled"),
        (b"upstream timed out", "the text 'upstream timed out'"),
        (b"[" * 100_000, "truncated or garbled"),
        (b"9" * 10_000, "the text '999"),
        (b"\x00\x1b[31mred\x1b[0m\r\nnext", r"the text '\[31mred \[0m next'"),
    ],
)
def test_what_is_no_json_is_named(body: bytes, said: str) -> None:
    with pytest.raises(UnexpectedReply, match=said) as caught:
        wire.read_response(200, {}, body)
    assert caught.value.body == body
    assert "\n" not in str(caught.value)


def test_a_202_means_keep_asking_whatever_its_body() -> None:
    for body in (b"", b"<html>", b"[1]", b'{"cut'):
        assert wire.read_response(202, {}, body) == {}
    assert wire.read_response(202, {}, b'{"type": "not_ready"}') == {"type": "not_ready"}


def test_a_202_to_a_submit_has_to_be_readable() -> None:
    assert wire.read_response(202, {}, b'{"task_id": "x"}', paid=True) == {"task_id": "x"}
    assert error(202, b"", paid=True).may_have_cost


@pytest.mark.parametrize(
    ("status", "body", "payload"),
    [
        (202, b"", {}),
        (202, b"<html>", {}),
        (202, b'{"code": 202}', {"code": 202}),
        (200, b"generating midi...", {"message": "generating midi..."}),
        (200, b'{"data": 1}', {"data": 1}),
    ],
)
def test_what_is_asked_again_may_say_so_in_any_words(
    status: int, body: bytes, payload: object
) -> None:
    assert wire.read_response(status, {}, body, paid=True, poll_by_repost=True) == payload


@pytest.mark.parametrize("body", [b"", b"<html><title>Oh</title>", b'{"data": {"midi', b'["x'])
def test_a_200_that_is_cut_off_is_no_word_of_what_is_asked_again(body: bytes) -> None:
    with pytest.raises(UnexpectedReply) as caught:
        wire.read_response(200, {}, body, paid=True, poll_by_repost=True)
    assert caught.value.may_have_cost


# --- errors --------------------------------------------------------------------------------

DOCUMENTED = [
    (400, "The 'mv' field is invalid. The model should be 'sonic-v3-5'.", RejectedRequest),
    (400, "task not found.", TaskNotFound),
    (400, "missing task id.", TaskNotFound),
    (404, "task not found", TaskNotFound),
    (404, "", RejectedRequest),
    (401, "Authorization header is missing.", Unauthorized),
    (401, "Invalid authorization format.", Unauthorized),
    (
        403,
        (
            "The remaining credits are not enough. You can buy more one-time credit packs or "
            "subscribe."
        ),
        OutOfCredits,
    ),
    (
        403,
        (
            "You do not have an active subscription. Please check whether your renewal was "
            "successful."
        ),
        NoSubscription,
    ),
    (403, "The lyrics format is invalid. Please check and try again.", ContentRefused),
    (
        403,
        "The lyrics contain copyrighted content: 'x'. Please use original lyrics.",
        ContentRefused,
    ),
    (403, "The song description needs moderation review.", ContentRefused),
    (403, "The queue is full", RateLimited),
    (403, "Something new", Forbidden),
    (410, "This engine is retired.", RetiredOperation),
    (429, "", RateLimited),
    (500, "Internal Server Error.", ServerError),
    (504, "Task failed due to timeout. Credits were previously refunded.", TaskFailed),
    (504, "", ServerError),
    (599, "", ServerError),
    (301, "", UnexpectedReply),
    (101, "", UnexpectedReply),
]


@pytest.mark.parametrize(("status", "words", "kind"), DOCUMENTED)
def test_status_and_words_make_the_class_in_every_known_shape(
    status: int, words: str, kind: type[MusicAPIError]
) -> None:
    shapes: list[object] = [
        {"error": words},
        {"message": words},
        {"type": "x", "error": words},
        {"detail": words},
        {"code": status, "message": words},
        {"error": {"message": words}},
        words,
        words.encode(),
        {"type": "x", "error": words, "message": words, "refund_processed": False},
        {"error": "", "message": f"  {words}\n"},
    ]
    for shape in shapes:
        found = error(status, shape)
        assert type(found) is kind, shape
        assert found.status == status
        assert words.rstrip(".") in str(found)
        assert "\n" not in str(found)


def test_a_poll_that_tells_of_a_refund_tells_of_a_failed_task() -> None:
    body = {"type": "api_error", "error": "Internal Server Error.", "refund_processed": True}
    polled, submitted = error(500, body), error(500, body, paid=True)
    assert isinstance(polled, TaskFailed)
    assert polled.refunded is True
    assert type(submitted) is ServerError
    assert submitted.may_have_cost


def test_a_failed_task_knows_of_its_refund() -> None:
    words = "Task failed due to timeout. Credits were previously refunded."
    refunded, silent = error(504, {"message": words}), error(504, {"message": "Task failed."})
    assert isinstance(refunded, TaskFailed)
    assert isinstance(silent, TaskFailed)
    assert (refunded.refunded, silent.refunded) == (True, None)


def test_an_error_keeps_body_and_request_id() -> None:
    found = error(500, {"error": "Oh."}, x_vercel_id="iad1::7", cf_ray="8f")
    assert found.request_id == "iad1::7"
    assert json.loads(found.body) == {"error": "Oh."}
    assert str(found).endswith("(request id iad1::7)")
    assert "500 Internal Server Error: Oh. " in str(found)


def test_long_words_are_cut_and_stay_in_the_body() -> None:
    found = error(400, {"error": "x" * 10_000})
    assert len(str(found)) < 700
    assert len(found.body) > 10_000


def test_what_a_paid_call_may_have_cost() -> None:
    failures = [*range(100, 200), *range(300, 600)]
    free = [status for status in failures if not error(status, b"", paid=True).may_have_cost]
    assert free == [status for status in range(400, 500) if status not in {408, 499}]
    assert not any(error(status, b"").may_have_cost for status in (301, 408, 500, 503))


def test_an_open_cost_comes_with_what_to_do() -> None:
    for found in (error(502, b"<html>", paid=True), error(200, b"", paid=True)):
        assert "Compare api.credits() with your earlier balance" in str(found)
        assert "It may have cost credits and was not resent." in str(found)


# --- Retry-After ---------------------------------------------------------------------------


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose own time is not GMT."""
    with monkeypatch.context() as changed:
        changed.setenv("TZ", "XXX5")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("999999999", 999999999.0),
        (email.utils.formatdate(NOW + 30, usegmt=True), 30.0),
        (email.utils.formatdate(NOW - 30, usegmt=True), 0.0),
        ("Wed, 07 Oct 2026 12:00:30 -0000", 30.0),
        ("Wed, 07 Oct 2026 12:00:30", 30.0),
        ("Wed, 07 Oct 2026 14:00:30 +0200", 30.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("NaN", None),
        ("inf", None),
        ("1e9", None),
        ("\N{ARABIC-INDIC DIGIT THREE}", None),
        ("9" * 400, None),
        ("Wed, 99 Oct 2026 12:00:30 GMT", None),
    ],
)
@pytest.mark.usefixtures("elsewhere")
def test_retry_after(value: str, seconds: float | None) -> None:
    found = error(429, b"", retry_after=value)
    assert isinstance(found, RateLimited)
    assert found.retry_after == seconds


@given(
    st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d{1,4} [A-Z][a-z]{2} \d{1,9} [\d:]{0,12} \S{0,6}")
)
def test_retry_after_is_never_negative_nor_no_number(value: str) -> None:
    seconds = wire.retry_after({"retry-after": value}, NOW)
    assert seconds is None or (seconds >= 0 and math.isfinite(seconds))


# --- anything ------------------------------------------------------------------------------

bodies = st.binary() | json_values.map(lambda value: as_text(value).encode("utf-8", "replace"))
header_names = (
    st.sampled_from(["retry-after", "x-request-id", "cf-ray", "content-type"]) | st.text()
)


@given(
    status=st.integers(-1, 1000),
    headers=st.dictionaries(header_names, st.text(), max_size=4),
    body=bodies,
    paid=st.booleans(),
)
def test_any_reply_is_a_payload_or_an_error_of_the_family(
    *, status: int, headers: dict[str, str], body: bytes, paid: bool
) -> None:
    found: MusicAPIError | None = None
    try:
        wire.read_response(status, headers, body, paid=paid, now=NOW)
    except MusicAPIError as caught:
        found = caught
    if found is None:
        assert 200 <= status < 300
        return
    assert (found.status, found.body) == (status, body)
    assert len(str(found).splitlines()) == 1
    assert str(found).encode()  # no halves of surrogate pairs
    assert paid or not found.may_have_cost


@pytest.mark.parametrize("status", [429, 500, 503])
def test_every_error_carries_the_wait_that_its_reply_names(status: int) -> None:
    with pytest.raises(MusicAPIError) as caught:
        wire.read_response(status, {"retry-after": "7"}, b"{}")
    assert caught.value.retry_after == 7.0
