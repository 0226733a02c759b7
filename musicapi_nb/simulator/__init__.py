"""MusicAPI on loopback: a real HTTP server that bills, fails, refunds, loses replies, makes songs.

    async with Simulator(speed=600) as sim:            # on the running event loop
        ...                                            # send requests to f"{sim.url}/api/v1/..."

    with EmbeddedSimulator(Simulator(speed=600)) as sim:   # in its own thread
        ...

or ``python -m musicapi_nb.simulator --port 8765``. Every non-empty key has its own account.

What to read and to change, from any thread: ``sim.clock`` (``advance``, ``speed``),
``sim.accounts`` (balances, ``charges()``), ``sim.request_log``, ``sim.faults`` (``arm``;
``FAULT_KINDS`` lists all), ``sim.webhooks.sent``, and ``sim.reply_options``: how replies look where
the documentation is silent.

The simulator is written from the service's public facts and imports nothing of the package. If it
used the client's reading of a reply, both could share one mistake. Songs, titles, lyrics, tags,
covers and audio are made from the seed; requested tags change by ``vocabulary.RULES``. Lyrics or
descriptions with one of ``rules.REFUSED_PHRASES`` are refused as content. Uploaded files are never
fetched: a made-up song takes the place of each, and ``rules.file_problem`` decides which are
refused. Where the service offers M4A, the simulator serves MP3, or answers 404.
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
