"""Run a standalone simulator: ``python -m musicapi_nb.simulator --port 8765 --speed 60``."""

import argparse
import asyncio
import contextlib
import signal
from collections.abc import Sequence

from musicapi_nb.simulator.reply_options import ReplyOptions
from musicapi_nb.simulator.server import Simulator


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until Ctrl-C or SIGTERM; the first line printed is the address."""
    parser = argparse.ArgumentParser(
        prog="python -m musicapi_nb.simulator",
        description="MusicAPI on this machine: bills, fails, refunds and makes songs, for any key.",
    )
    parser.add_argument("--port", type=int, default=0, help="0 (default) chooses a free port")
    parser.add_argument(
        "--speed", type=float, default=60.0, help="simulated seconds per real second (default 60)"
    )
    parser.add_argument("--balance", type=int, default=1000, help="credits of every key")
    parser.add_argument("--seed", type=int, default=0, help="the same seed makes the same songs")
    args = parser.parse_args(arguments)
    simulator = Simulator(
        speed=args.speed,
        balance=args.balance,
        seed=args.seed,
        port=args.port,
        reply_options=ReplyOptions(webhook_hosts="loopback"),
    )
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(simulator))


async def _serve(simulator: Simulator) -> None:
    end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        # A KeyboardInterrupt could end a task of aiohttp instead; Windows has nothing else.
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, end.set)
    async with simulator:
        print(simulator.url, flush=True)  # noqa: T201 - the caller reads the address
        await end.wait()


if __name__ == "__main__":
    main()
