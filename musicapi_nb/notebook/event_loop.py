"""An asyncio event loop in a daemon thread, which keeps running while a cell blocks."""

import asyncio
import contextlib
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from musicapi_nb.errors import ClientClosed

_Result = TypeVar("_Result")


class BackgroundLoop:
    """An event loop that runs on its own thread until `stop`."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self.loop: asyncio.AbstractEventLoop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="musicapi_nb", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            self.loop.close()

    @property
    def is_current_thread(self) -> bool:
        """Whether the caller runs on this loop's thread, where a blocking wait would deadlock."""
        return threading.current_thread() is self._thread

    @property
    def is_forked(self) -> bool:
        """Whether this process is a fork; the loop's thread then runs in its parent alone."""
        return self._process != os.getpid()

    def check_process(self) -> None:
        if self.is_forked:
            raise ClientClosed("a forked process cannot use its parent's session")

    def submit(self, coroutine: Coroutine[Any, Any, _Result]) -> Future[_Result]:
        """Start a coroutine and return a future that any thread may wait for."""
        try:
            self.check_process()
        except ClientClosed:
            coroutine.close()
            raise
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def finish(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Wait for a last coroutine, then stop. An interrupt stops at once."""
        try:
            self.submit(coroutine).result()
        except KeyboardInterrupt:
            if threading.main_thread().is_alive():  # else Python exits: a traceback says nothing
                raise
        finally:
            self.stop()

    def stop(self) -> None:
        """Cancel running tasks, let them clean up, and end the loop and its thread."""
        if self.loop.is_closed() or self.is_forked:
            return
        self.submit(_cancel_all_tasks()).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()


async def _cancel_all_tasks() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
    # At exit Python has already ended the executor, and 3.12 starts no thread to wait for it.
    with contextlib.suppress(RuntimeError):
        await asyncio.get_running_loop().shutdown_default_executor()
