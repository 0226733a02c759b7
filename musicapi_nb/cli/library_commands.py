"""The commands `library` and `export`: what the library has, and its songs as files."""

from __future__ import annotations

import argparse
import dataclasses
import itertools
from typing import Any

from musicapi_nb import markup
from musicapi_nb.cli.command_outcome import ExitCode, Outcome, facts_line
from musicapi_nb.cli.connection import add_options, open_library, open_session
from musicapi_nb.cli.run_command import song_data
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.ledger_types import Adoption


def add_commands(commands: Any) -> None:
    parser = commands.add_parser("library", help="show the songs, credits and size of the library")
    add_options(parser)
    parser.set_defaults(command=overview, name_of_command="library")
    parts = parser.add_subparsers(metavar="PART")
    songs = parts.add_parser("list", help="list the songs, newest first")
    songs.add_argument("--last", type=int, default=20, metavar="N", help="number of songs (20)")
    add_options(songs, is_part=True)
    songs.set_defaults(command=list_songs, name_of_command="library list")
    adopting = parts.add_parser("adopt", help="add songs that were bought elsewhere; free")
    adopting.add_argument("ids", nargs="+", metavar="TASK_ID", help="ids of tasks")
    adopting.add_argument("--engine", help="the engine of these tasks, such as sonic")
    add_options(adopting, is_part=True)
    adopting.set_defaults(command=adopt, name_of_command="library adopt")
    resolving = parts.add_parser("resolve", help="resolve a purchase that may have cost credits")
    resolving.add_argument(
        "entry", type=int, metavar="ENTRY", help="number of the purchase in the library"
    )
    evidence = resolving.add_mutually_exclusive_group(required=True)
    evidence.add_argument("--task-id", help="id of its task; the next `run` waits for it")
    evidence.add_argument(
        "--balance",
        nargs=2,
        type=int,
        metavar=("BEFORE", "AFTER"),
        help="balances before it was sent and after its reply was lost",
    )
    evidence.add_argument(
        "--charged",
        action=argparse.BooleanOptionalAction,
        help="state whether it was charged; the same request is then bought again",
    )
    add_options(resolving, is_part=True)
    resolving.set_defaults(command=resolve, name_of_command="library resolve")
    merging = parts.add_parser("merge", help="add everything from another library; free")
    merging.add_argument(
        "other", metavar="FOLDER", help="folder of the other library, which is not changed"
    )
    add_options(merging, is_part=True)
    merging.set_defaults(command=merge, name_of_command="library merge")
    exporting = commands.add_parser("export", help="write songs of the library as files")
    exporting.add_argument("folder", help="a folder, or a name that ends in .zip")
    exporting.add_argument("--experiment", metavar="NAME", help="only songs of this experiment")
    add_options(exporting)
    exporting.set_defaults(command=export, name_of_command="export")


def overview(args: argparse.Namespace) -> Outcome:
    with open_library(args) as library:
        uncertain = [
            {
                "entry": entry.id,
                "operation": f"{entry.engine}.{entry.operation}",
                "credits": entry.price,
            }
            for entry in library.entries("uncertain")
        ]
        data = {
            "path": library.path,
            "purchases": library.counts(),
            "account": dataclasses.asdict(library.account()),
            "simulated_account": dataclasses.asdict(library.account(simulated=True)),
            "disk_bytes": library.disk_used(),
            "uncertain": uncertain,
        }
        lines = [repr(library)]
        lines += [
            f"Entry {entry['entry']} ({entry['operation']}) may have cost credits; settle it: "
            f"musicapi-nb library resolve {entry['entry']} with --charged, --no-charged, --task-id "
            "or --balance"
            for entry in uncertain
        ]
        return Outcome(data, "\n".join(map(markup.one_line, lines)))


def list_songs(args: argparse.Namespace) -> Outcome:
    if args.last < 0:
        raise InvalidArgument(f"--last must be a number of songs, not {args.last}")
    with open_library(args) as library:
        songs = (song for task in library.latest_tasks() for song in task.songs if song.finished)
        latest = list(itertools.islice(songs, args.last))
        ratings = [library.rating(song) for song in latest]
    rows, lines = [], []
    for song, rating in zip(latest, ratings, strict=True):
        stars = rating.stars if rating else None
        rows.append({**song_data(song), "simulated": song.simulated, "stars": stars})
        length = "" if song.duration is None else markup.format_duration(song.duration)
        rated = f"{stars} stars" if stars else None
        title = song.title or "untitled"
        lines.append(facts_line(title, length, rated, song.fail_reason, song.id))
    return Outcome({"songs": rows}, "\n".join(lines) or "no songs")


def adopt(args: argparse.Namespace) -> Outcome:
    with open_session(args) as session:
        adoption: Adoption = session.adopt(args.ids, engine=args.engine).result()
    data = dataclasses.asdict(adoption)
    data["issues"] = [issue._asdict() for issue in adoption.issues]
    lines = [
        f"{adoption.new:,} new, {adoption.updated:,} updated, {adoption.unchanged:,} unchanged",
        *(f"{issue.reply}: {issue.message}" for issue in adoption.issues),
    ]
    code = ExitCode.FAILED if adoption.issues else ExitCode.OK
    return Outcome(data, "\n".join(map(markup.one_line, lines)), code)


def resolve(args: argparse.Namespace) -> Outcome:
    before, after = args.balance or (None, None)
    with open_library(args) as library:
        entry = library.resolve(
            args.entry, task_id=args.task_id, before=before, after=after, charged=args.charged
        )
    data = {
        "entry": entry.id,
        "state": entry.state,
        "credits": entry.price,
        "task_id": entry.task_id,
    }
    return Outcome(data, facts_line(f"Entry {entry.id} is {entry.state}", entry.task_id))


def merge(args: argparse.Namespace) -> Outcome:
    with open_library(args) as library:
        result = library.merge(args.other)
    return Outcome(dataclasses.asdict(result), repr(result))


def export(args: argparse.Namespace) -> Outcome:
    with open_library(args) as library:
        from musicapi_nb.exports import export as write  # noqa: PLC0415 - loads pandas and mutagen

        songs: Any = library
        if args.experiment is not None:
            songs = library.tasks(experiment=args.experiment)
            if not songs:
                raise InvalidArgument(f"the library has no songs of {args.experiment!r:.60}")
        result = write(args.folder, songs, library=library)
    data = {
        "path": result.path,
        "counts": result.counts,
        "bytes": result.size,
        "songs": [dataclasses.asdict(song) for song in result.songs],
        "notes": [{"name": name, "message": message} for name, message in result.notes],
    }
    return Outcome(data, repr(result), ExitCode.FAILED if result.failed else ExitCode.OK)
