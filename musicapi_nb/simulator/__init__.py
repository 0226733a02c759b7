"""MusicAPI on loopback: a real HTTP server that bills, fails, refunds, loses replies and sings.

    async with Simulator(speed=600) as sim:            # on the running event loop
        ...                                            # ask f"{sim.url}/api/v1/..."

    with EmbeddedSimulator(Simulator(speed=600)) as sim:   # in a thread of its own
        ...

or ``python -m musicapi_nb.simulator --port 8765``. Any non-empty key is an account of its own.

What to look at and to turn, from any thread:

- ``sim.clock``: ``now()``, ``advance(seconds)``, ``speed`` (0: only ``advance`` moves it)
- ``sim.accounts``: ``get(key).balance``, ``open``, ``deposit``, ``charges()``, ``refunded(key)``
- ``sim.request_log``: ``paid``, ``posts``, ``recent``, ``count("POST", "/sonic/create")``
- ``sim.faults``: ``arm("lost_reply")``, ``disarm``, ``clear``; ``FAULT_KINDS`` names them all
- ``sim.webhooks``: ``sent``, every webhook with its bytes and how it was answered
- ``sim.reply_options``: how replies look where nobody outside knows (``ReplyOptions``)

It is written from the service's public facts alone and shares no code with the client: were it
built on the client's own reading of a reply, both could share one misunderstanding. Songs, titles,
lyrics, tags, covers and audio are made up from the seed; what becomes of asked tags follows
``vocabulary.RULES``. Lyrics or descriptions that contain one of ``validation.REFUSED_PHRASES`` are
refused as the service refuses content. Files to upload are not fetched: a song made up stands for
each, and ``validation.file_problem`` says which are refused.
"""

from musicapi_nb.simulator.accounts import Account, Accounts, Charge
from musicapi_nb.simulator.clock import SimulatedClock
from musicapi_nb.simulator.embedded import EmbeddedSimulator
from musicapi_nb.simulator.faults import FAULT_KINDS, ArmedFault, Faults
from musicapi_nb.simulator.reply_options import ReplyOptions
from musicapi_nb.simulator.request_log import LoggedRequest, RequestLog
from musicapi_nb.simulator.server import Simulator
from musicapi_nb.simulator.webhook_sender import Delivery, WebhookSender

__all__ = [
    "FAULT_KINDS",
    "Account",
    "Accounts",
    "ArmedFault",
    "Charge",
    "Delivery",
    "EmbeddedSimulator",
    "Faults",
    "LoggedRequest",
    "ReplyOptions",
    "RequestLog",
    "SimulatedClock",
    "Simulator",
    "WebhookSender",
]
