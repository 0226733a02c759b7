"""Secrets that show nowhere, signatures of webhooks, addresses that bring them home. Pure."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any, Protocol

import yarl

from musicapi_nb.errors import InvalidRequest, MusicAPIError, Problem

SECRET_VARIABLE = "MUSICAPI_WEBHOOK_SECRET"  # noqa: S105 - a variable's name
INTENT = "intent"
"""The part of an address's query that says which purchase it is about."""
_SHORTEST_SECRET = 16  # characters; a shorter one cannot be told from ordinary words and ids
_LONGEST_URL = 1024  # service.md 3.2: webhook_url, at most 1024 characters
_HEADER = "utf-8", "surrogateescape"  # what aiohttp reads headers as, whatever their bytes
_INTENT_DIGITS = 32  # of the signature in an intent: 128 bits
_LONGEST_INTENT = "9" * 18 + "-" + "0" * _INTENT_DIGITS


class Secret:
    """A key or secret: printable nowhere, readable only where a call is sent.

    `also` is another one that is to be taken out of the same texts.
    """

    __slots__ = ("__also", "__spellings", "__value")

    def __init__(self, value: str, also: Secret | None = None) -> None:
        self.__value = value
        self.__also = also
        self.__spellings = _spellings(value)

    def __repr__(self) -> str:
        return "[key]"

    def __reduce__(self) -> Any:
        raise TypeError("the key is not to be pickled")

    def headers(self) -> Mapping[str, str]:
        """As the service's key."""
        return {"Authorization": f"Bearer {self.__value}"}

    def fields(self) -> Mapping[str, str]:
        """As the secret that webhooks are to be signed with."""
        return {"webhook_secret": self.__value}

    def sign(self, message: bytes) -> str:
        """HMAC-SHA256 of a message, 64 hexadecimal digits."""
        return hmac.new(self.__value.encode(), message, hashlib.sha256).hexdigest()

    def removed_from(self, text: str) -> str:
        """Take the key out of a text that a server may have echoed it into."""
        text = self.__also.removed_from(text) if self.__also else text
        return self.__spellings.sub("[key]", text)

    def removed_from_body(self, body: bytes) -> bytes:
        """Take the key out of a body; a short one stays, lest a task's id is damaged."""
        body = self.__also.removed_from_body(body) if self.__also else body
        if len(self.__value) < _SHORTEST_SECRET:
            return body
        return self.__spellings.sub("[key]", body.decode("latin-1")).encode("latin-1")

    def remove_from(self, error: MusicAPIError) -> None:
        """Take the key out of all that an error says and keeps."""
        reword(error, self.removed_from(error.message))
        error.request_id = error.request_id and self.removed_from(error.request_id)
        if isinstance(error.body, bytes):
            error.body = self.removed_from(error.body.decode("latin-1")).encode("latin-1")


def _spellings(key: str) -> re.Pattern[str]:
    """Match the key, its signs also as JSON, a URL or a repr may spell them."""
    spelt = "".join(sign if sign.isalnum() else _spelt(sign) for sign in key)
    if len(key) >= _SHORTEST_SECRET:
        return re.compile(spelt)
    return re.compile(rf"(?<![A-Za-z0-9]){spelt}(?![A-Za-z0-9])")


def _spelt(sign: str) -> str:
    return rf"(?:\\*{re.escape(sign)}|\\+u(?i:{ord(sign):04x})|%(?i:{ord(sign):02x}))"


def reword(error: MusicAPIError, message: str) -> None:
    """Give an error another message."""
    error.message = message
    error.args = (message,)


def checked_secret(value: str | None, what: str) -> Secret:
    """Take the secret of webhooks, or say what is wrong with it without showing it.

    Raises
    ------
    InvalidRequest
        There is none, or it is too short, or holds what no header or URL can carry.
    """
    wrong = None
    if not isinstance(value, str) or not value.strip():
        wrong = (
            f"is needed: without it nobody can tell a webhook from a forgery ({SECRET_VARIABLE})"
        )
    elif len(value := value.strip()) < _SHORTEST_SECRET:
        wrong = (
            f"should have {_SHORTEST_SECRET} characters at least: secrets.token_urlsafe() makes one"
        )
    elif not value.isascii() or not value.isprintable() or " " in value:
        wrong = "should be ASCII without spaces: secrets.token_urlsafe() makes one"
    if wrong or value is None:
        raise InvalidRequest(what, [Problem("webhook_secret", wrong or "is needed")])
    return Secret(value)


# --- signatures ----------------------------------------------------------------------------


def signature(secret: Secret, timestamp: str, body: bytes) -> str:
    """Sign a webhook: `X-Webhook-Signature`, of its timestamp's text and its raw body."""
    return f"sha256={secret.sign(f'{timestamp}.'.encode(*_HEADER) + body)}"


def older_signature(secret: Secret, body: bytes) -> str:
    """Sign a webhook the older way: `X-Signature`, of the body alone."""
    return secret.sign(body)


def same(one: str, other: str) -> bool:
    """Compare two signatures in a time that tells nothing about them."""
    return hmac.compare_digest(one.encode(*_HEADER), other.encode(*_HEADER))


# --- addresses -----------------------------------------------------------------------------


class Purchase(Protocol):
    """A purchase, as the ledger wrote it down before it left."""

    @property
    def id(self) -> int: ...
    @property
    def request_key(self) -> str: ...
    @property
    def sent_at(self) -> float | None: ...


def intent(secret: Secret, purchase: Purchase) -> str:
    """Name a purchase so that nobody without the secret can name another.

    It is made anew where it is needed, and kept nowhere: its number in the ledger, and a
    signature of what that entry says from the moment it is sent.
    """
    what = f"intent/{purchase.id}/{purchase.request_key}/{purchase.sent_at!r}"
    return f"{purchase.id}-{secret.sign(what.encode())[:_INTENT_DIGITS]}"


def number_of(named: str) -> int | None:
    """The number that an intent names, not yet proven; None where it can be none."""
    found = re.fullmatch(rf"([0-9]{{1,18}})-[0-9a-f]{{{_INTENT_DIGITS}}}", named, re.ASCII)
    return int(found[1]) if found else None


def address(url: yarl.URL, purchase: Purchase, secret: Secret) -> str:
    """The `webhook_url` of one purchase."""
    return str(url.update_query({INTENT: intent(secret, purchase)}))


def checked_address(url: str, what: str, *, loopback: bool) -> yarl.URL:
    """Take the address that webhooks are sent to: https, short enough for an intent to fit.

    Parameters
    ----------
    loopback
        Whether http on this machine will do: for a simulator.

    Raises
    ------
    InvalidRequest
        It is none that the service takes; the address is not repeated.
    """
    wrong, parts = None, None
    with contextlib.suppress(ValueError):
        parts = yarl.URL(url.strip()) if isinstance(url, str) and url.isprintable() else None
    if parts is None or not parts.host or " " in str(url).strip():
        wrong = "should be an address such as https://host/hooks"
    elif parts.scheme != "https" and not (
        loopback and parts.scheme == "http" and parts.host in {"127.0.0.1", "localhost", "::1"}
    ):
        wrong = "should be https: the service calls nothing else (a tunnel gives this machine one)"
    elif parts.fragment or INTENT in parts.query:
        wrong = f"should have no fragment, and no {INTENT!r} in its query"
    elif len(str(parts.update_query({INTENT: _LONGEST_INTENT}))) > _LONGEST_URL:
        wrong = f"should leave room for what names a purchase: {_LONGEST_URL} characters in all"
    if wrong or parts is None:
        raise InvalidRequest(what, [Problem("webhook", wrong or "is no address")])
    return parts
