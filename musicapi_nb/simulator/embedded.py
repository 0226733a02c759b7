"""A simulator in its own thread, for notebooks and blocking clients."""

import asyncio
import atexit
import contextlib
import threading
from concurrent.futures import Future

from musicapi_nb.simulator.server import Simulator


class EmbeddedSimulator:
    """Runs a ``Simulator`` on its own event loop in its own thread.

        with EmbeddedSimulator(Simulator(speed=600)) as sim:
            requests.get(f"{sim.url}/api/v1/get-credits", ...)

    ``sim`` is the ``Simulator`` itself; its clock, accounts, faults, reply options and request log
    may be used from any thread. Without a ``with``, call ``start()`` and ``stop()``; a simulator
    that still runs when Python exits is stopped then.
    """

    def __init__(self, simulator: Simulator | None = None) -> None:
        self.simulator: Simulator = simulator or Simulator()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()

    def start(self) -> Simulator:
        """Start, and return once it listens; raise the server's error, such as a port in use."""
        if self._thread is not None:
            raise RuntimeError("This simulator is already running.")
        started: Future[None] = Future()
        thread = threading.Thread(
            target=lambda: asyncio.run(self._run(started)), name="musicapi-simulator", daemon=True
        )
        try:
            thread.start()
            started.result()
        except BaseException:
            with contextlib.suppress(RuntimeError):  # it failed: its loop has ended
                if not started.cancel() and self._loop is not None:  # a late interrupt
                    self._loop.call_soon_threadsafe(self._stop.set)
            with contextlib.suppress(RuntimeError):  # the interrupt came before it began
                thread.join()
            raise
        self._thread = thread
        atexit.register(self.stop)
        return self.simulator

    def stop(self) -> None:
        """Stop and wait for the thread to end; may be called twice, from any other thread."""
        thread, self._thread = self._thread, None
        if thread is None or self._loop is None:
            return
        atexit.unregister(self.stop)
        self._loop.call_soon_threadsafe(self._stop.set)
        thread.join()

    def __enter__(self) -> Simulator:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def _run(self, started: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        try:
            await self.simulator.start()
        except BaseException as error:  # noqa: BLE001 - start() raises it in the caller's thread
            if started.set_running_or_notify_cancel():
                started.set_exception(error)
            return
        try:
            if started.set_running_or_notify_cancel():  # else start() was interrupted
                started.set_result(None)
                await self._stop.wait()
        finally:
            await self.simulator.stop()
