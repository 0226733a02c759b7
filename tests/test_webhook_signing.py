"""Secrets are redacted, signatures match the guide, and webhook URLs cannot be forged."""

import copy
import hashlib
import hmac
import pickle
from types import SimpleNamespace
from typing import Any

import pytest
import yarl
from hypothesis import given
from hypothesis import strategies as st

from musicapi_nb import MusicAPI, account, nuro, sonic, studio, webhook_signing
from musicapi_nb.client.webhook_fields import webhook_fields, webhook_target
from musicapi_nb.errors import InvalidRequest, RejectedRequest
from musicapi_nb.secret import Secret
from tests.raw_http_server import SONG

SECRET = "whsec/Zq81+longer-than-a-word"  # noqa: S105 - made up
KEY = "key/of+an-account-0001"
KNOWN = Secret(SECRET)
ENTRY: Any = SimpleNamespace(id=7, request_key="ab" * 32, sent_at=1_732_240_123.123456)
HOOKS = "https://example.org/hooks"


# --- secrets -------------------------------------------------------------------------------


def test_secret_has_no_repr_or_pickle() -> None:
    assert SECRET not in repr(KNOWN) + str(KNOWN) + f"{KNOWN}"
    for carry in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            carry(KNOWN)


def test_both_secrets_are_redacted() -> None:
    both = Secret(KEY, KNOWN)
    assert both.redact(f"a {KEY} b {SECRET} c") == "a [key] b [key] c"
    assert both.redact_body(f"{KEY}{SECRET}".encode()) == b"[key][key]"
    error = RejectedRequest(f"no {SECRET}", body=f"{SECRET} {KEY}".encode())
    both.redact_error(error)
    assert (error.message, error.body) == ("no [key]", b"[key] [key]")


def test_short_key_is_not_redacted_in_bodies() -> None:
    assert Secret("rain", KNOWN).redact_body(f"rain {SECRET}".encode()) == b"rain [key]"


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        " ",
        "short",
        "fifteen-letters",
        7,
        "ünïcödé-of-16-or-more",
        "with a space in it",
        "line\nbreak-in-the-middle",
    ],
)
def test_weak_secret_is_refused_and_not_repeated(value: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        webhook_signing.parse_secret(value, "it")
    assert caught.value.problems[0].field == "webhook_secret"
    assert not value or not str(value).strip() or str(value) not in str(caught.value)


# --- signatures ----------------------------------------------------------------------------


@given(st.binary(max_size=200), st.integers(0, 10**12))
def test_signatures_match_the_webhook_guide(body: bytes, timestamp: int) -> None:
    plain = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    dated = hmac.new(
        SECRET.encode(), str(timestamp).encode() + b"." + body, hashlib.sha256
    ).hexdigest()
    assert webhook_signing.legacy_signature(KNOWN, body) == plain
    assert webhook_signing.signature(KNOWN, str(timestamp), body) == f"sha256={dated}"


@given(st.text(), st.text())
def test_signatures_match_if_equal(first: str, second: str) -> None:
    first, second = (text.encode("utf-8", "ignore").decode() for text in (first, second))
    assert webhook_signing.signatures_match(first, first)
    assert webhook_signing.signatures_match(first, second) == (first == second)


# --- URLs -----------------------------------------------------------------------------


def test_purchase_token_identifies_its_entry() -> None:
    named = webhook_signing.purchase_token(KNOWN, ENTRY)
    others: list[Any] = [
        SimpleNamespace(**{**vars(ENTRY), **change})
        for change in ({"id": 8}, {"request_key": "cd" * 32}, {"sent_at": 1.0}, {"sent_at": None})
    ]
    assert webhook_signing.entry_id_of(named) == 7
    assert named == webhook_signing.purchase_token(Secret(SECRET), ENTRY)
    names = {
        named,
        webhook_signing.purchase_token(Secret(SECRET + "x"), ENTRY),
        *(webhook_signing.purchase_token(KNOWN, second) for second in others),
    }
    assert len(names) == 6


@given(st.text())
def test_any_malformed_token_has_no_entry_id(text: str) -> None:
    number = webhook_signing.entry_id_of(text)
    assert number is None or text.startswith((str(number), "0"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7",
        "7-",
        "-7-" + "0" * 32,
        "\u0667-" + "0" * 32,
        "7-" + "0" * 31,
        "7-" + "G" * 32,
        "7-" + "0" * 32 + "\n",
        "9" * 19 + "-" + "0" * 32,
    ],
)
def test_malformed_tokens(text: str) -> None:
    assert webhook_signing.entry_id_of(text) is None


@pytest.mark.parametrize("query", ["", "?token=a%2Fb&of=me"])
def test_webhook_url_keeps_its_query(query: str) -> None:
    url = yarl.URL(webhook_signing.webhook_url(yarl.URL(HOOKS + query), ENTRY, KNOWN))
    assert url.path == "/hooks"
    assert url.query["purchase"] == webhook_signing.purchase_token(KNOWN, ENTRY)
    assert url.query.get("token") == ("a/b" if query else None)


def test_longest_webhook_url() -> None:
    entry: Any = SimpleNamespace(id=10**18 - 1, request_key="ab" * 32, sent_at=1.5)
    longest = "https://example.org/" + "x" * 943
    url = webhook_signing.parse_webhook_url(longest, "it", loopback=False)
    assert len(webhook_signing.webhook_url(url, entry, KNOWN)) <= 1024
    with pytest.raises(InvalidRequest, match="1024"):
        webhook_signing.parse_webhook_url(longest + "x", "it", loopback=False)


@pytest.mark.parametrize(
    "url",
    [
        None,
        7,
        "",
        " ",
        "rain",
        "https://",
        "http://example.org/",
        "ftp://example.org/",
        "https://exa mple.org/",
        "https://example.org/\n",
        f"{HOOKS}#part",
        f"{HOOKS}?purchase=1",
        "https://example.org:99999/",
        "http://127.0.0.1.example.org/",
        "javascript:alert(1)",
    ],
)
def test_invalid_webhook_url_is_refused(url: Any) -> None:
    for loopback in (False, True):
        with pytest.raises(InvalidRequest) as caught:
            webhook_signing.parse_webhook_url(url, "it", loopback=loopback)
        assert [problem.field for problem in caught.value.problems] == ["webhook"]


def test_http_needs_loopback() -> None:
    for url in ("http://127.0.0.1:80/x", "http://localhost/", "http://[::1]:8080/"):
        assert webhook_signing.parse_webhook_url(url, "it", loopback=True)
        with pytest.raises(InvalidRequest, match="tunnel"):
            webhook_signing.parse_webhook_url(url, "it", loopback=False)


# --- fields added by the client ------------------------------------------------------------------


def test_webhook_fields_by_operation() -> None:
    hook = webhook_target(HOOKS, SECRET, local=False)
    assert webhook_fields(None, SONG, ENTRY) == {}
    assert webhook_fields(hook, studio.Description(prompt="x"), ENTRY) == {}
    assert webhook_fields(hook, account.Credits(), ENTRY) == {}
    for request in (SONG, nuro.Instrumental(), nuro.Vocal(), sonic.Concat(), sonic.Extend()):
        added = webhook_fields(hook, request, ENTRY)
        assert added["webhook_url"].startswith(f"{HOOKS}?purchase=7-")
        assert added["webhook_secret"] == SECRET
        assert SECRET not in repr(hook) + repr(request)


def test_without_ledger_the_url_has_no_token() -> None:
    added = webhook_fields(webhook_target(HOOKS, SECRET, local=False), SONG, None)
    assert added["webhook_url"] == HOOKS


def test_webhook_url_in_extra_takes_precedence() -> None:
    request_ = sonic.Create(
        custom_mode=False, mv="sonic-v5", extra={"webhook_url": "https://mine.org"}
    )
    assert webhook_fields(webhook_target(HOOKS, SECRET, local=False), request_, ENTRY) == {}


def test_secret_in_extra_is_refused() -> None:
    request_ = sonic.Create(custom_mode=False, mv="sonic-v5", extra={"webhook_secret": SECRET})
    with pytest.raises(InvalidRequest, match="webhook_secret=") as caught:
        request_.check()
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"webhook": HOOKS},
        {"webhook_secret": SECRET},
        {"webhook": HOOKS, "webhook_secret": "short"},
        {"webhook": "http://127.0.0.1/", "webhook_secret": SECRET},
    ],
)
def test_client_needs_webhook_and_secret(settings: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        MusicAPI(KEY, **settings)
    assert SECRET not in str(caught.value)
