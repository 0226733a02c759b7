"""The fields of a request that ask the service for webhooks: a URL and a signing secret."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

from musicapi_nb import webhook_signing
from musicapi_nb.engines import Request
from musicapi_nb.errors import InvalidRequest, Problem
from musicapi_nb.secret import Secret
from musicapi_nb.webhook_signing import Purchase

if TYPE_CHECKING:
    import yarl

_OPERATION = "the client's first request"


@dataclasses.dataclass(frozen=True, slots=True)
class WebhookTarget:
    """The URL that webhooks are sent to, and the secret that they are signed with."""

    url: yarl.URL
    secret: Secret


def webhook_target(
    url: str | None, secret: str | Secret | None, *, local: bool
) -> WebhookTarget | None:
    """Check a webhook URL and secret; return None if neither was given.

    With `local`, a URL on this machine is accepted: the service is a simulator that runs here.
    Raise `InvalidRequest` if one is missing or cannot be used; it does not show the secret.
    """
    if url is None:
        if secret is None:
            return None
        message = "is missing although webhook_secret was given, such as https://host/hooks"
        raise InvalidRequest(_OPERATION, [Problem("webhook", message)])
    address = webhook_signing.parse_webhook_url(url, _OPERATION, loopback=local)
    return WebhookTarget(address, webhook_signing.parse_secret(secret, _OPERATION))


def webhook_fields(
    target: WebhookTarget | None, request: Request, purchase: Purchase | None
) -> Mapping[str, str]:
    """Return the fields to send in addition to the request's own.

    With a ledger, the URL holds a token that names the purchase.
    """
    if target is None or not request.webhook or "webhook_url" in request.extra:
        return {}
    url = str(target.url)
    if purchase is not None:
        url = webhook_signing.webhook_url(target.url, purchase, target.secret)
    return {"webhook_url": url, **target.secret.webhook_fields()}
