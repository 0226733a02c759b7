"""Requests become calls; any reply becomes a payload or a MusicAPIError."""

import datetime as dt
import email.utils
import json
import math
import sys
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
def test_submit_call_posts_the_body(request_: sonic.Create) -> None:
    call = wire.submit_call(request_)
    assert (call.method, call.path, call.paid) == ("POST", request_.path, True)
    assert call.body is not None
    assert json.loads(call.body) == request_.body()


def test_balance_call_is_free() -> None:
    call = wire.submit_call(account.Credits())
    assert (call.method, call.path, call.body) == ("GET", "/api/v1/get-credits", None)
    assert not call.paid


def test_request_with_problems_gives_no_call() -> None:
    with pytest.raises(InvalidRequest) as caught:
        wire.submit_call(sonic.Create(custom_mode=True, title="t" * 81))
    assert {problem.field for problem in caught.value.problems} >= {"title", "prompt"}


def test_unicode_text_survives() -> None:
    call = wire.submit_call(lyrics.Make(description="雨 🌧 “quoted” \\ \0 </script>"))
    assert call.body is not None
    assert call.body.isascii()
    assert json.loads(call.body)["description"] == "雨 🌧 “quoted” \\ \0 </script>"


def test_poll_call_path() -> None:
    assert wire.poll_call("sonic", "a1-b2").path == "/api/v1/sonic/task/a1-b2"
    assert not wire.poll_call("sonic", "a1-b2").paid


@pytest.mark.parametrize("bad", [None, "", " ", "\n", ".", ".."])
def test_poll_call_needs_engine_and_id(bad: str | None) -> None:
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
def test_poll_call_quotes_any_id(task_id: str, engine: str) -> None:
    try:
        path = wire.poll_call(engine, task_id).path
    except InvalidRequest:
        assert not task_id.strip() or not engine.strip() or {task_id, engine} & {".", ".."}
        return
    assert path.isascii()
    assert path.isprintable()
    assert " " not in path
    assert urlsplit(path).path == path  # no query, no fragment, no host
    start, api, version, error_class, task, segment = path.split("/")
    assert (start, api, version, task) == ("", "api", "v1", "task")
    assert error_class not in {".", ".."}
    assert segment not in {".", ".."}
    if task_id.isascii():
        assert unquote(segment) == task_id


# --- decoding ------------------------------------------------------------------------------


def test_json_is_decoded_leniently() -> None:
    assert wire.decode(b'\xef\xbb\xbf{"a": NaN}')["a"] != 0
    assert wire.decode('{"a": "\\ud83d"}') == {"a": "\ud83d"}
    assert wire.decode(b'{"a": "\xff"}') == {"a": "�"}


@pytest.mark.parametrize(
    ("body", "description"),
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
def test_error_describes_a_body_that_is_not_json(body: bytes, description: str) -> None:
    with pytest.raises(UnexpectedReply, match=description) as caught:
        wire.read_response(200, {}, body)
    assert caught.value.body == body
    assert "\n" not in str(caught.value)


def test_202_is_a_payload_with_any_body() -> None:
    for body in (b"", b"<html>", b"[1]", b'{"cut'):
        assert wire.read_response(202, {}, body) == {}
    assert wire.read_response(202, {}, b'{"type": "not_ready"}') == {"type": "not_ready"}


def test_202_to_a_submit_must_be_json() -> None:
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
def test_plain_text_is_a_payload_with_poll_by_repost(
    status: int, body: bytes, payload: object
) -> None:
    assert wire.read_response(status, {}, body, paid=True, poll_by_repost=True) == payload


@pytest.mark.parametrize("body", [b"", b"<html><title>Oh</title>", b'{"data": {"midi', b'["x'])
def test_truncated_200_is_unexpected_with_poll_by_repost(body: bytes) -> None:
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


@pytest.mark.parametrize(("status", "message", "error_class"), DOCUMENTED)
def test_status_and_message_give_the_class(
    status: int, message: str, error_class: type[MusicAPIError]
) -> None:
    shapes: list[object] = [
        {"error": message},
        {"message": message},
        {"type": "x", "error": message},
        {"detail": message},
        {"code": status, "message": message},
        {"error": {"message": message}},
        message,
        message.encode(),
        {"type": "x", "error": message, "message": message, "refund_processed": False},
        {"error": "", "message": f"  {message}\n"},
    ]
    for shape in shapes:
        parsed = error(status, shape)
        assert type(parsed) is error_class, shape
        assert parsed.status == status
        assert message.rstrip(".") in str(parsed)
        assert "\n" not in str(parsed)


def test_refund_in_a_poll_means_failed_task() -> None:
    body = {"type": "api_error", "error": "Internal Server Error.", "refund_processed": True}
    polled, submitted = error(500, body), error(500, body, paid=True)
    assert isinstance(polled, TaskFailed)
    assert polled.refunded is True
    assert type(submitted) is ServerError
    assert submitted.may_have_cost


def test_task_failed_has_its_refund() -> None:
    message = "Task failed due to timeout. Credits were previously refunded."
    refunded, silent = error(504, {"message": message}), error(504, {"message": "Task failed."})
    assert isinstance(refunded, TaskFailed)
    assert isinstance(silent, TaskFailed)
    assert (refunded.refunded, silent.refunded) == (True, None)


def test_error_has_body_and_request_id() -> None:
    parsed = error(500, {"error": "Oh."}, x_vercel_id="iad1::7", cf_ray="8f")
    assert parsed.request_id == "iad1::7"
    assert json.loads(parsed.body) == {"error": "Oh."}
    assert str(parsed).endswith("(request id iad1::7)")
    assert "500 Internal Server Error: Oh. " in str(parsed)


def test_long_message_is_cut() -> None:
    parsed = error(400, {"error": "x" * 10_000})
    assert len(str(parsed)) < 700
    assert len(parsed.body) > 10_000


def test_may_have_cost_by_status() -> None:
    failures = [*range(100, 200), *range(300, 600)]
    free = [status for status in failures if not error(status, b"", paid=True).may_have_cost]
    assert free == [status for status in range(400, 500) if status not in {408, 499}]
    assert not any(error(status, b"").may_have_cost for status in (301, 408, 500, 503))


def test_possible_cost_comes_with_advice() -> None:
    for parsed in (error(502, b"<html>", paid=True), error(200, b"", paid=True)):
        assert "compare api.credits() with your earlier balance" in str(parsed)
        assert "It may have cost credits, or not; it was not sent twice." in str(parsed)


# --- Retry-After ---------------------------------------------------------------------------


@pytest.fixture
def in_another_time_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set a time zone other than GMT."""
    if sys.platform == "win32":
        pytest.skip("the time zone of a process on Windows is that of the system")
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
@pytest.mark.usefixtures("in_another_time_zone")
def test_retry_after(value: str, seconds: float | None) -> None:
    parsed = error(429, b"", retry_after=value)
    assert isinstance(parsed, RateLimited)
    assert parsed.retry_after == seconds


@given(
    st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d{1,4} [A-Z][a-z]{2} \d{1,9} [\d:]{0,12} \S{0,6}")
)
def test_any_retry_after_is_none_or_not_negative(value: str) -> None:
    seconds = wire.retry_after({"retry-after": value}, NOW)
    assert seconds is None or (seconds >= 0 and math.isfinite(seconds))


# --- any reply ------------------------------------------------------------------------------

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
def test_any_reply_is_a_payload_or_an_error(
    *, status: int, headers: dict[str, str], body: bytes, paid: bool
) -> None:
    parsed: MusicAPIError | None = None
    try:
        wire.read_response(status, headers, body, paid=paid, now=NOW)
    except MusicAPIError as caught:
        parsed = caught
    if parsed is None:
        assert 200 <= status < 300
        return
    assert (parsed.status, parsed.body) == (status, body)
    assert len(str(parsed).splitlines()) == 1
    assert str(parsed).encode()  # no lone surrogates
    assert paid or not parsed.may_have_cost


@pytest.mark.parametrize("status", [429, 500, 503])
def test_errors_have_retry_after(status: int) -> None:
    with pytest.raises(MusicAPIError) as caught:
        wire.read_response(status, {"retry-after": "7"}, b"{}")
    assert caught.value.retry_after == 7.0
