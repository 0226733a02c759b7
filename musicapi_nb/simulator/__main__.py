"""Run the simulator by itself: ``python -m musicapi_nb.simulator --port 8765 --speed 60``."""

import argparse
import asyncio
import contextlib
import signal
from collections.abc import Sequence
from typing import Literal

from musicapi_nb.simulator.reply_options import ReplyOptions
from musicapi_nb.simulator.server import Simulator


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until Ctrl-C or SIGTERM; the first line printed is the address."""
    parser = argparse.ArgumentParser(
        prog="python -m musicapi_nb.simulator",
        description="MusicAPI on loopback: bills, fails, refunds and sings, with any key.",
    )
    parser.add_argument("--port", type=int, default=0, help="0 (default) takes a free one")
    parser.add_argument(
        "--speed", type=float, default=60.0, help="simulated seconds per real second (default 60)"
    )
    parser.add_argument("--balance", type=int, default=1000, help="credits of every key")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same songs")
    parser.add_argument(
        "--loopback-webhooks", action="store_true", help="call http addresses on this machine too"
    )
    chosen = parser.parse_args(arguments)
    hosts: Literal["loopback", "public"] = "loopback" if chosen.loopback_webhooks else "public"
    simulator = Simulator(
        speed=chosen.speed,
        balance=chosen.balance,
        seed=chosen.seed,
        port=chosen.port,
        reply_options=ReplyOptions(webhook_hosts=hosts),
    )
    with contextlib.suppress(KeyboardInterrupt):  # where signals cannot be given to the loop
        asyncio.run(_serve(simulator))


async def _serve(simulator: Simulator) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError):  # Windows
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, ended.set)
    async with simulator:
        print(simulator.url, flush=True)  # noqa: T201 - whoever started it needs the address
        await ended.wait()


if __name__ == "__main__":
    main()
