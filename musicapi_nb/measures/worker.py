"""What runs in a worker process: one measure, on one file after the other."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from musicapi_nb import markup
from musicapi_nb.errors import InvalidArgument, NoAudio
from musicapi_nb.measures.result_values import read_values

if TYPE_CHECKING:  # which loads the library, and workers do without
    from musicapi_nb.library.measurements import Value

_MAX_TEXT = 500  # characters of an error's message


class Method(NamedTuple):
    """How a measure is computed: its name, and a function of the path of a sound file.

    `prefix`: entries of a mapping that it returns are columns named after the measure.
    """

    name: str
    function: Callable[[Path], Any]
    prefix: bool = True


class Outcome(NamedTuple):
    """The values by column of one file, or the error that the measure ended with.

    The error is `final` if it would be the same again, because the file is not readable as sound.
    """

    values: Mapping[str, Value] = {}
    error: str | None = None
    final: bool = False


def measure_file(method: Method, path: Path) -> Outcome:
    """Compute a measure of one file. InvalidArgument if it returns something other than values."""
    try:
        result = method.function(path)
    except NoAudio as error:
        return Outcome(error=_one_line(error.message), final=True)
    except Exception as error:  # noqa: BLE001 - of any library; it concerns one song
        return Outcome(error=_one_line(f"{type(error).__name__}: {error}"))
    return Outcome(read_values(method.name, result, prefix=method.prefix))


def _one_line(text: str) -> str:
    return markup.one_line(text, _MAX_TEXT)


def dump_method(method: Method) -> bytes:
    """Pickle a measure, also one of a notebook cell; InvalidArgument if that is impossible."""
    import cloudpickle  # noqa: PLC0415 - loads much of the standard library

    try:
        content: bytes = cloudpickle.dumps(method)
    except Exception as error:
        raise InvalidArgument(
            f"the function of {method.name!r} cannot be sent to a worker process "
            f"({_one_line(f'{type(error).__name__}: {error}')}). Load models and open files inside "
            "the function instead of outside it"
        ) from error
    return content


def serve(connection: Any, content: bytes) -> None:
    """Measure the files whose paths arrive, until the connection ends.

    The first message says None, or why the measure could not be loaded. Then each path is answered
    by an `Outcome`, or by the text of an InvalidArgument.
    """
    import cloudpickle  # noqa: PLC0415 - loads much of the standard library

    # Ctrl-C reaches all processes of a terminal; the one that started this one decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        method = cloudpickle.loads(content)
    except Exception as error:  # noqa: BLE001 - anything that an import can raise
        connection.send(_one_line(f"{type(error).__name__}: {error}"))
        return
    connection.send(None)
    try:
        while True:
            path = connection.recv()
            try:
                connection.send(measure_file(method, path))
            except InvalidArgument as error:
                connection.send(error.message)
    except (EOFError, OSError):  # the process that started this one has closed it, or ended
        return
