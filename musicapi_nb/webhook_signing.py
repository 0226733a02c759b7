"""Signatures of webhooks, and the URLs they are sent to. No I/O."""

from __future__ import annotations

import contextlib
import hmac
import re
from typing import Protocol

import yarl

from musicapi_nb.errors import InvalidRequest, Problem
from musicapi_nb.secret import Secret, as_secret

SECRET_VARIABLE = "MUSICAPI_WEBHOOK_SECRET"  # noqa: S105 - a variable's name
TOKEN_PARAMETER = "purchase"  # noqa: S105 - a parameter's name
"""Query parameter of a webhook URL that holds the purchase token."""
_MAX_URL_LENGTH = 1024  # service.md 3.2: webhook_url, at most 1024 characters
_HEADER_ENCODING = "utf-8", "surrogateescape"  # as aiohttp decodes header bytes
_TOKEN_DIGITS = 32  # hexadecimal digits of the signature in a token: 128 bits
_LONGEST_TOKEN = "9" * 18 + "-" + "0" * _TOKEN_DIGITS


def parse_secret(value: str | Secret | None, operation: str) -> Secret:
    """Check a webhook secret; the error does not repeat it.

    Raises
    ------
    InvalidRequest
        It is missing, too short, or not plain ASCII without spaces.
    """
    value, problem = as_secret(value).as_webhook_secret()
    if not value:
        problem = f"is required to recognize forged webhooks; set {SECRET_VARIABLE}"
    if problem:
        raise InvalidRequest(operation, [Problem("webhook_secret", problem)])
    return value


# --- signatures ----------------------------------------------------------------------------


def signature(secret: Secret, timestamp: str, body: bytes) -> str:
    """Return the `X-Webhook-Signature` of a webhook: HMAC of timestamp text and raw body."""
    return f"sha256={secret.sign(f'{timestamp}.'.encode(*_HEADER_ENCODING) + body)}"


def legacy_signature(secret: Secret, body: bytes) -> str:
    """Return the older `X-Signature` of a webhook: HMAC of the body alone."""
    return secret.sign(body)


def signatures_match(first: str, second: str) -> bool:
    """Compare two signatures in constant time."""
    return hmac.compare_digest(first.encode(*_HEADER_ENCODING), second.encode(*_HEADER_ENCODING))


# --- URLs ----------------------------------------------------------------------------------


class Purchase(Protocol):
    """The ledger entry of a purchase."""

    @property
    def id(self) -> int: ...
    @property
    def request_key(self) -> str: ...
    @property
    def sent_at(self) -> float | None: ...


def purchase_token(secret: Secret, purchase: Purchase) -> str:
    """Return a token that names a purchase and cannot be forged without the secret.

    It is the entry's id and a signature of id, request key and send time. It is computed when
    needed and stored nowhere.
    """
    message = f"purchase/{purchase.id}/{purchase.request_key}/{purchase.sent_at!r}"
    return f"{purchase.id}-{secret.sign(message.encode())[:_TOKEN_DIGITS]}"


def entry_id_of(token: str) -> int | None:
    """Return the entry id in a token without verifying it; None if the token is malformed."""
    match = re.fullmatch(rf"([0-9]{{1,18}})-[0-9a-f]{{{_TOKEN_DIGITS}}}", token, re.ASCII)
    return int(match[1]) if match else None


def webhook_url(base: yarl.URL, purchase: Purchase, secret: Secret) -> str:
    """Return the `webhook_url` of one purchase."""
    return str(base.update_query({TOKEN_PARAMETER: purchase_token(secret, purchase)}))


def parse_webhook_url(url: str, operation: str, *, loopback: bool) -> yarl.URL:
    """Check the URL that webhooks are sent to: https, and short enough to hold a token.

    Parameters
    ----------
    loopback
        Also accept http on this machine, for a simulator.

    Raises
    ------
    InvalidRequest
        The service would not accept the URL. The error does not repeat it.
    """
    message, parsed = None, None
    with contextlib.suppress(ValueError):
        parsed = yarl.URL(url.strip()) if isinstance(url, str) and url.isprintable() else None
    if parsed is None or not parsed.host or " " in str(url).strip():
        message = "must be a URL such as https://host/hooks"
    elif parsed.scheme != "https" and not (
        loopback and parsed.scheme == "http" and parsed.host in {"127.0.0.1", "localhost", "::1"}
    ):
        message = "must be https, the only scheme the service calls (use a tunnel to this machine)"
    elif parsed.fragment or TOKEN_PARAMETER in parsed.query:
        message = f"must have no fragment and no {TOKEN_PARAMETER!r} in its query"
    elif len(str(parsed.update_query({TOKEN_PARAMETER: _LONGEST_TOKEN}))) > _MAX_URL_LENGTH:
        message = f"is too long: with the purchase token, {_MAX_URL_LENGTH} characters are allowed"
    if message or parsed is None:
        raise InvalidRequest(operation, [Problem("webhook", message or "is not a URL")])
    return parsed
