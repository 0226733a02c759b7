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
from pathlib import Path

from musicapi_nb.cli import experiment_commands, library_commands, plan_commands, run_command
from musicapi_nb.cli.command_outcome import (
    ExitCode,
    Outcome,
    error_outcome,
    interrupt_outcome,
    to_json,
)
from musicapi_nb.cli.connection import flush_or_discard, note
from musicapi_nb.errors import MusicAPIError

_EXIT_CODES = """\
The key is read from the environment variable MUSICAPI_KEY. Without it, songs come from a simulator.

exit codes: 0 done; 1 the plan has problems; 2 wrong usage or request, nothing was sent; 3 refused,
failed or declined; 4 uncertain: it may have cost credits, see `library`; 5 paid for and not
finished: repeat the command to wait; 130 interrupted or terminated."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit code; see `ExitCode`.

    The result is printed on standard output, everything else on standard error. SystemExit is
    raised for arguments that argparse refuses, and for `--help`.
    """
    _prepare_streams()
    try:
        return _run(_parser().parse_args(arguments))
    finally:
        flush_or_discard(sys.stdout)  # such as the help text of `musicapi-nb --help | head`
        flush_or_discard(sys.stderr)


def _run(args: argparse.Namespace) -> int:
    try:
        with _terminable():
            outcome: Outcome = args.command(args)
        is_error = False
    except KeyboardInterrupt as interrupt:
        outcome, is_error = interrupt_outcome(interrupt), True
    except MusicAPIError as error:
        outcome, is_error = error_outcome(error), True
    if is_error:
        note(outcome.text)
    is_printed = True
    if args.json:
        is_printed = _print(to_json(args.name_of_command, outcome))
    elif not is_error:
        is_printed = _print(outcome.text)
    return int(outcome.code if is_printed or outcome.code else ExitCode.FAILED)


def _prepare_streams() -> None:
    """Replace characters that a terminal cannot show; discard output to closed streams (`2>&-`)."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            null_device = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until exit
            setattr(sys, name, null_device)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM, which schedulers and containers send, stop a command in the same way as Ctrl-C.

    So does SIGHUP, which is sent when a terminal closes, unless nohup has set it to be ignored.
    """
    if threading.current_thread() is not threading.main_thread():  # signal.signal() needs it
        yield
        return
    signals = [signal.SIGTERM]
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    handlers = {number: signal.signal(number, signal.default_int_handler) for number in signals}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _print(text: str) -> bool:
    """Print the result on standard output; return False if it cannot be written.

    A closed pipe, as after `| head`, is not an error.
    """
    try:
        print(text, flush=True)  # noqa: T201 - the result
    except BrokenPipeError:
        pass
    except OSError as error:
        note(
            f"The result could not be written: {error.strerror}. "
            "Repeat the command to print it again; nothing is bought twice."
        )
        return False
    return True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="musicapi-nb",
        description="Buy songs from MusicAPI without a notebook. Each request is bought once.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    run_command.add_command(commands)
    plan_commands.add_commands(commands)
    experiment_commands.add_commands(commands)
    library_commands.add_commands(commands)
    return parser
