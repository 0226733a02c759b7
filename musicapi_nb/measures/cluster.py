"""Files measured by the workers of a Dask cluster."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from musicapi_nb import markup
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.measures.processes import Outcomes, PendingFiles
from musicapi_nb.measures.worker import Method, Outcome, measure_file

_WAIT = 0.05  # seconds, for a file that is not there yet
_PER_THREAD = 2  # files under way for each thread, so that none waits for the next


def measure_on_cluster(method: Method, files: PendingFiles, client: Any) -> Outcomes:
    """Measure files on a Dask cluster; yield each with its outcome, as they end.

    Its workers need the files under the same paths. A file whose workers ended again and again has
    an error.

    Raises
    ------
    InvalidArgument
        `client` is not a `distributed.Client`, or the function returned something other than
        values.
    """
    if not callable(getattr(client, "submit", None)) or not callable(
        getattr(client, "nthreads", None)
    ):
        raise InvalidArgument(f"client must be a distributed.Client, not a {type(client).__name__}")
    return _measure_on_cluster(method, files, client)


def _measure_on_cluster(method: Method, files: PendingFiles, client: Any) -> Outcomes:
    from distributed import as_completed  # noqa: PLC0415 - an extra

    limit = _PER_THREAD * max(1, sum(client.nthreads().values()))
    waiting = iter(files)
    paths: dict[Any, Path] = {}
    ended = as_completed()
    has_more = True
    try:
        while has_more or paths:
            while has_more and len(paths) < limit:
                try:
                    path = next(waiting)
                except StopIteration:
                    has_more = False
                    break
                if path is None:
                    break
                future = client.submit(measure_file, method, path, pure=False)
                paths[future] = path
                ended.add(future)
            if not paths or (has_more and len(paths) < limit and not ended.has_ready()):
                time.sleep(_WAIT if has_more else 0)
                continue
            future = next(ended)
            yield paths.pop(future), _outcome_of(future)
    finally:
        client.cancel([*paths])


def _outcome_of(future: Any) -> Outcome:
    try:
        outcome: Outcome = future.result()
    except InvalidArgument:
        raise
    except Exception as error:  # noqa: BLE001 - of the cluster: its workers ended, or it was closed
        return Outcome(error=markup.one_line(f"{type(error).__name__}: {error}", 500))
    return outcome
