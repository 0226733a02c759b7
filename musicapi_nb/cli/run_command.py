"""The command `run`: buy one request, wait for its songs, and save them."""

from __future__ import annotations

import argparse
import tempfile
from typing import Any

from musicapi_nb import markup
from musicapi_nb.cli.command_outcome import ExitCode, Interrupted, Outcome, facts_line
from musicapi_nb.cli.connection import (
    add_options,
    close_after_interrupt,
    confirm,
    note,
    open_session,
    wait_for,
)
from musicapi_nb.cli.request_arguments import add_operation_options, build_request
from musicapi_nb.engines import Request
from musicapi_nb.engines.arguments import operation_name
from musicapi_nb.errors import InvalidArgument, MusicAPIError
from musicapi_nb.ledger_types import PurchaseTerms
from musicapi_nb.notebook import Job, Session
from musicapi_nb.paths import absolute_path, short_path
from musicapi_nb.tasks import Song, Task


def add_command(commands: Any) -> None:
    parser = commands.add_parser(
        "run",
        help="buy one request and store its songs in the library",
        description="Buy one request, once: repeating the command returns the same songs.",
    )
    parser.add_argument("text", nargs="?", help="describes the song, such as 'slow jazz, rain'")
    add_operation_options(parser)
    parser.add_argument(
        "--request",
        metavar="FILE",
        help="JSON file with engine, operation and fields; - for standard input",
    )
    parser.add_argument("--take", type=int, default=1, help="number of the version to buy (1)")
    parser.add_argument(
        "--deadline", type=float, default=1800.0, metavar="SECONDS", help="maximum wait"
    )
    parser.add_argument(
        "--save", metavar="FOLDER", help="also write the audio files to this folder"
    )
    add_options(parser, buys=True)
    parser.set_defaults(command=run, name_of_command="run")


def run(args: argparse.Namespace) -> Outcome:
    request = build_request(args)  # before anything is opened
    name = operation_name(type(request))
    if args.save:
        _check_folder(args.save)
    for problem in request.problems():
        note(f"Advice: {markup.one_line(str(problem))}")
    with open_session(args) as session:
        if not _is_bought(session, request, args.take):
            price = markup.format_credits(request.price())
            simulated = " of the simulator" * session.simulated
            confirm(f"{name} costs {price}{simulated}. Buy it?", args)
        job = None
        try:
            job = session.run(request, take=args.take, deadline=args.deadline)
            task: Task = wait_for(job, name, job.result)
        except KeyboardInterrupt:
            if job is not None:
                job.cancel()
            close_after_interrupt(session)
            raise _interruption(job) from None
        files, faults = _save(session, task, args.save) if args.save else ([], [])
    return _outcome(task, files, faults)


def _check_folder(path: str) -> None:
    """Create the folder for the audio files; InvalidArgument if nothing can be written into it."""
    folder = absolute_path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InvalidArgument(
            f"--save {short_path(folder)}: nothing can be written there ({error.strerror}), so "
            "nothing was sent; choose another folder"
        ) from error


def _is_bought(session: Session, request: Request, take: int) -> bool:
    """Return whether running it buys nothing: it was bought before, or will be refused."""
    if session.library is None:
        return False
    terms = PurchaseTerms(take=take, simulated=session.simulated)
    return session.library.find(request, terms) is not None


def _interruption(job: Job[Task] | None) -> Interrupted:
    """Return the error for an interrupt while a request is sent or its songs are waited for."""
    task = job.task if job is not None else None
    if task is None:
        return Interrupted(
            "Stopped. If the request was sent, the library has recorded it: see "
            "musicapi-nb library. The same command again does not buy it twice.",
            may_have_cost=True,
        )
    if task.finished:
        return Interrupted(
            "Stopped. The songs are made; the same command again returns them at no cost."
        )
    return Interrupted(
        f"Stopped waiting. Task {task.id} is paid for and continues on the service; the same "
        "command again waits for its songs and costs nothing."
    )


def _save(session: Session, task: Task, folder: str) -> tuple[list[str | None], list[str]]:
    """Write the audio of all songs; return the paths (None: not written) and what failed."""
    paths: list[str | None] = []
    faults = []
    for song in task.songs:
        path = None
        if song.state == "succeeded" and song.audio_url:
            try:
                path = str(session.download(song, f"{folder}/").result())
            except MusicAPIError as error:
                faults.append(f"{song.title or song.id} was not saved: {error}")
        paths.append(path)
    return paths, faults


def song_data(song: Song) -> dict[str, Any]:
    return {
        "song_id": song.id,
        "task_id": song.task_id,
        "state": song.state,
        "title": song.title,
        "tags": list(song.tags),
        "model": song.model,
        "duration": song.duration,
        "audio_url": song.audio_url,
    }


def _outcome(task: Task, files: list[str | None], faults: list[str]) -> Outcome:
    songs = [song_data(song) for song in task.songs]
    for song, path in zip(songs, files or [None] * len(songs), strict=True):
        song["file"] = path
    paid = 0 if task.bought_before else task.credits
    data = {
        "task_id": task.id,
        "operation": task.name,
        "take": task.take,
        "state": task.state,
        "simulated": task.simulated,
        "bought_before": task.bought_before,
        "paid": paid,
        "songs": songs,
        "answer": dict(task.answer),
        "reason": task.fail_reason,
        "refunded": task.refunded,
        "faults": faults,
    }
    failed = task.state == "failed" or bool(faults)
    code = ExitCode.FAILED if failed else ExitCode.OK
    return Outcome(data, "\n".join(_lines(task, files, faults)), code)


def _lines(task: Task, files: list[str | None], faults: list[str]) -> list[str]:
    if task.bought_before:
        head = "From the library: bought before, nothing was paid."
    elif task.state == "failed" and task.refunded:
        head = "Failed; the credits were refunded."
    elif task.state == "failed" and task.refunded is None:
        head = f"Failed; no refund of {markup.format_credits(task.credits)} was reported."
    else:
        cost = markup.format_credits(task.credits)
        head = f"Paid: {cost}{' (simulated)' * task.simulated}."
    lines = [head]
    if task.state == "failed":
        lines.append(f"Task {task.id} failed: {task.fail_reason or 'no reason was given'}")
    for index, song in enumerate(task.songs):
        path = files[index] if index < len(files) else None
        length = "" if song.duration is None else markup.format_duration(song.duration)
        lines.append(
            facts_line(song.title or "untitled", length, song.fail_reason, path or song.id)
        )
    if not task.songs and task.answer:
        lines.append(repr(task))
    return [markup.one_line(line) for line in (*lines, *faults)]
