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
covers and audio are made from the seed; requested tags change by ``vocabulary.RULES``, requested
tempi and keys are followed by its ``TEMPO_HABITS`` and ``KEY_HABITS``. Lyrics or
descriptions with one of ``rules.REFUSED_PHRASES`` are refused as content. Uploaded files are never
fetched: a made-up song takes the place of each, and ``rules.file_problem`` decides which are
refused. Where the service offers M4A, the simulator serves MP3, or answers 404.
"""

from musicapi_nb.simulator.accounts import Account as Account
from musicapi_nb.simulator.accounts import Accounts as Accounts
from musicapi_nb.simulator.accounts import Charge as Charge
from musicapi_nb.simulator.clock import SimulatedClock as SimulatedClock
from musicapi_nb.simulator.embedded import EmbeddedSimulator as EmbeddedSimulator
from musicapi_nb.simulator.faults import FAULT_KINDS as FAULT_KINDS
from musicapi_nb.simulator.faults import ArmedFault as ArmedFault
from musicapi_nb.simulator.faults import Faults as Faults
from musicapi_nb.simulator.past_requests import PastRequest as PastRequest
from musicapi_nb.simulator.past_requests import PastSong as PastSong
from musicapi_nb.simulator.reply_options import ReplyOptions as ReplyOptions
from musicapi_nb.simulator.request_log import LoggedRequest as LoggedRequest
from musicapi_nb.simulator.request_log import RequestLog as RequestLog
from musicapi_nb.simulator.server import Simulator as Simulator
from musicapi_nb.simulator.webhook_sender import Delivery as Delivery
from musicapi_nb.simulator.webhook_sender import WebhookSender as WebhookSender
