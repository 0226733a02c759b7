"""Opens the session or the library of a command, asks before buying, and shows progress."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from musicapi_nb import markup
from musicapi_nb.cli.command_outcome import Interrupted
from musicapi_nb.errors import MissingFile, MusicAPIError
from musicapi_nb.notebook import Session, connect
from musicapi_nb.notebook._connect import SIMULATOR_VARIABLE, default_library
from musicapi_nb.paths import absolute_path, short_path
from musicapi_nb.widgets.monitor import Bar, BarState, Watchable

if TYPE_CHECKING:
    from musicapi_nb.library import Library


def add_options(
    parser: argparse.ArgumentParser, *, buys: bool = False, is_part: bool = False
) -> None:
    """Add the options that all commands have; those of a part may also stand before its name."""
    unset: dict[str, Any] = {"default": argparse.SUPPRESS} if is_part else {}
    group = parser.add_argument_group("common options")
    group.add_argument("--json", action="store_true", help="print one JSON object", **unset)
    group.add_argument("--library", metavar="PATH", help="folder of the library", **unset)
    group.add_argument(
        "--simulator",
        action="store_true",
        help="use the simulator, even if there is a key",
        **unset,
    )
    if buys:
        group.add_argument("-y", "--yes", action="store_true", help="buy without asking")


@contextlib.contextmanager
def open_session(args: argparse.Namespace) -> Iterator[Session]:
    """Connect, print on standard error to which service, and close at the end."""
    description = io.StringIO()
    with contextlib.redirect_stdout(description):
        session = _connect(args)
    note(description.getvalue().rstrip())
    try:
        yield session
    finally:
        session.close()


def close_after_interrupt(session: Session) -> None:
    """Wait for the replies to requests that were sent; a second interrupt ends this wait."""
    try:
        session.close()
    except KeyboardInterrupt:
        raise Interrupted(
            "Stopped before the reply to a request came. It may have cost credits, and is not "
            "sent again; `musicapi-nb library` lists it.",
            may_have_cost=True,
        ) from None


def _connect(args: argparse.Namespace) -> Session:
    if not args.simulator or os.getenv(SIMULATOR_VARIABLE, "").strip():
        return connect(library=args.library)
    from musicapi_nb.simulator import ReplyOptions, Simulator  # noqa: PLC0415 - loads numpy

    # The seed determines task ids, which must differ between the commands that share a library.
    simulator = Simulator(
        seed=secrets.randbelow(2**31), reply_options=ReplyOptions(webhook_hosts="loopback")
    )
    return connect(simulator=simulator, library=args.library or default_library(simulator=True)[0])


@contextlib.contextmanager
def open_library(args: argparse.Namespace) -> Iterator[Library]:
    """Open the library of the command; MissingFile if there is none."""
    library = find_library(args)
    if library is None:
        folder = short_path(library_folder(args))
        raise MissingFile(f"there is no library in {folder}; name its folder with --library PATH")
    with library:
        yield library


def find_library(args: argparse.Namespace) -> Library | None:
    """Open the library of the command; None if there is none yet."""
    from musicapi_nb.library import Library  # noqa: PLC0415 - loads SQLite
    from musicapi_nb.library.default_folder import DATABASE  # noqa: PLC0415 - as above

    folder = library_folder(args)
    return Library(folder) if (folder / DATABASE).is_file() else None


def library_folder(args: argparse.Namespace) -> Path:
    if args.library:
        return absolute_path(args.library)
    return default_library(simulator=args.simulator)[0]


def is_simulated(args: argparse.Namespace) -> bool:
    """Return whether the command's songs would be made by a simulator."""
    return default_library(simulator=args.simulator)[1]


def note(text: str) -> None:
    """Print a line for people on standard error, if it can be written.

    A closed terminal, or a log on a full disk, must not end a command that has paid.
    """
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - this is a command


def flush_or_discard(stream: TextIO) -> None:
    """Flush a stream; if it cannot be written, discard its buffered and later text.

    Otherwise Python flushes it at exit, fails, and changes the exit code to 120.
    """
    try:
        stream.flush()
    except OSError:
        null_device = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null_device, stream.fileno())
        os.close(null_device)


def confirm(question: str, args: argparse.Namespace) -> None:
    """Ask before buying; MusicAPIError if the answer is not yes, or nobody can be asked."""
    if args.yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise MusicAPIError(
            f"{question} There is no terminal to ask on, so nothing was bought: add --yes to buy"
        )
    try:
        print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201 - as above
    except OSError as error:
        raise MusicAPIError(
            f"The question could not be shown ({error.strerror}), so nothing was bought: add --yes "
            "to buy"
        ) from error
    try:
        answer = sys.stdin.readline().strip().lower()
    except KeyboardInterrupt:
        raise Interrupted("Stopped; nothing was bought.") from None
    if answer not in {"y", "yes"}:
        raise MusicAPIError("nothing was bought")


def wait_for(work: Any, title: str, result: Callable[[], Any]) -> Any:
    """Show the progress of work on standard error while waiting for its result.

    On a terminal it is a bar; elsewhere, such as in a log, a line for each step.
    """
    bar = Bar(markup.one_line(title)) if sys.stderr.isatty() else _Lines(markup.one_line(title))
    watchable: Watchable = work

    def draw(*, is_final: bool = False) -> None:
        with contextlib.suppress(OSError):  # as in note()
            bar.show(watchable.bar_state(), is_final=is_final)

    watchable.watch(draw)
    try:
        return result()
    finally:
        draw(is_final=True)


class _Lines:
    """Prints a line for each step of the work."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._latest = (0, 0)
        self._has_ended = False

    def show(self, state: BarState, *, is_final: bool) -> None:
        step = (state.done, state.total)
        if not self._has_ended and step != self._latest and state.done:
            note(f"{self._title}: {state.done:,} of {state.total:,} {state.unit}")
        self._latest = step
        self._has_ended |= is_final
