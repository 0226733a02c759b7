"""main(): parse the arguments, run the command, print its outcome."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence

from musicapi_nb.cli import experiment_commands, library_commands, plan_commands, run_command
from musicapi_nb.cli.command_outcome import ExitCode, Interrupted, Outcome, error_outcome, to_json
from musicapi_nb.cli.connection import note
from musicapi_nb.errors import MusicAPIError

_EXIT_CODES = """\
The key is read from the environment: MUSICAPI_KEY. Without it, songs come from a simulator.

exit codes: 0 done; 1 the plan has problems; 2 wrong usage or request, nothing was sent; 3 refused,
failed or declined; 4 uncertain: it may have cost credits, see `library`; 5 paid for and not
finished: run it again to wait; 130 interrupted or terminated."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit code; see `ExitCode`.

    The result is printed on standard output, all else on standard error. SystemExit for arguments
    that argparse refuses, and for `--help`.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a title may have what the terminal cannot show
            stream.reconfigure(errors="replace")
    args = _parser().parse_args(arguments)
    try:
        with _terminable():
            outcome: Outcome = args.command(args)
        is_error = False
    except KeyboardInterrupt as interrupt:
        text = str(interrupt) if isinstance(interrupt, Interrupted) else "Stopped."
        outcome = Outcome({"error": "Interrupted", "message": text}, text, ExitCode.INTERRUPTED)
        is_error = True
    except MusicAPIError as error:
        outcome, is_error = error_outcome(error), True
    if is_error:
        note(outcome.text)
    if args.json:
        _print(to_json(args.name_of_command, outcome))
    elif not is_error:
        _print(outcome.text)
    return int(outcome.code)


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM, which schedulers and containers send, stop a command as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():  # only there Python allows it
        yield
        return
    earlier = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)


def _print(text: str) -> None:
    """Print the result on standard output; a reader that has left, such as `head`, is no error."""
    try:
        print(text, flush=True)  # noqa: T201 - the result
    except BrokenPipeError:
        # Python flushes the stream again at exit, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="musicapi-nb",
        description="Songs from MusicAPI, without a notebook. Each request is bought once.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    run_command.add_command(commands)
    plan_commands.add_commands(commands)
    experiment_commands.add_commands(commands)
    library_commands.add_commands(commands)
    return parser
