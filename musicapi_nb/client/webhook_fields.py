"""What is sent with a purchase so that the service reports back: an address and a secret."""

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

_WHAT = "the client's first request"


@dataclasses.dataclass(frozen=True, slots=True)
class WebhookTarget:
    """Where webhooks go, and what they are signed with."""

    url: yarl.URL
    secret: Secret


def webhook_target(url: str | None, secret: str | None, *, local: bool) -> WebhookTarget | None:
    """Take both or neither; `local`: the service is on this machine, so may be the receiver.

    Raises
    ------
    InvalidRequest
        One of them cannot be used; the secret is not shown.
    """
    if url is None:
        if secret is None:
            return None
        problem = Problem("webhook", "is needed with webhook_secret: https://host/hooks")
        raise InvalidRequest(_WHAT, [problem])
    address = webhook_signing.parse_webhook_url(url, _WHAT, loopback=local)
    return WebhookTarget(address, webhook_signing.parse_secret(secret, _WHAT))


def webhook_fields(
    hook: WebhookTarget | None, request: Request, purchase: Purchase | None
) -> Mapping[str, str]:
    """The fields to be sent besides the request's own, which go before.

    Without a ledger there is no purchase to name, and the address is sent as it is.
    """
    if hook is None or not request.webhook or "webhook_url" in request.extra:
        return {}
    address = str(hook.url)
    if purchase is not None:
        address = webhook_signing.webhook_url(hook.url, purchase, hook.secret)
    return {"webhook_url": address, **hook.secret.webhook_fields()}
