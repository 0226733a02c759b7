"""The commands `plan check` and `plan dry-run`: nothing is sent."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from musicapi_nb import markup
from musicapi_nb.cli.command_outcome import ExitCode, Outcome
from musicapi_nb.cli.connection import add_options, find_library, is_simulated
from musicapi_nb.cli.request_arguments import add_operation_options

if TYPE_CHECKING:
    from musicapi_nb.cli.plan_file import PlanFile, RowProblem
    from musicapi_nb.plan import DryRun


def add_plan_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that `read_plan` reads."""
    parser.add_argument("plan", metavar="PLAN", help="CSV or Parquet file, one request per row")
    add_operation_options(parser)
    parser.add_argument("--repeats", type=int, default=1, metavar="N", help="buy each row N times")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random order (0)")


def add_commands(commands: Any) -> None:
    parser = commands.add_parser("plan", help="check a plan or compute its cost; free")
    parts = parser.add_subparsers(metavar="PART", required=True)
    checking = parts.add_parser("check", help="list the problems of each row; exit code 1 if any")
    add_plan_options(checking)
    add_options(checking)
    checking.set_defaults(command=check, name_of_command="plan check")
    running = parts.add_parser("dry-run", help="credits, time, and the smallest effect it can find")
    add_plan_options(running)
    running.add_argument("--balance", type=int, metavar="CREDITS", help="credits of the account")
    add_options(running)
    running.set_defaults(command=dry_run, name_of_command="plan dry-run")


def check(args: argparse.Namespace) -> Outcome:
    file = read_plan_file(args)
    requests = None if file.plan is None else len(file.plan)
    data = {"requests": requests, "problems": problems_data(file.problems)}
    lines = [str(problem) for problem in file.problems]
    if file.refused:
        lines.append(f"{markup.plural(len(file.refused), 'problem')}; nothing was sent")
        return Outcome(data, "\n".join(lines), ExitCode.PROBLEMS)
    return Outcome(data, "\n".join([*lines, f"{markup.plural(requests or 0, 'request')}, valid"]))


def dry_run(args: argparse.Namespace) -> Outcome:
    file = read_plan_file(args)
    if file.plan is None:
        return check(args)
    with contextlib.ExitStack() as stack:
        library = find_library(args)  # shows what is bought already
        if library is not None:
            stack.enter_context(library)
        source = SimpleNamespace(total=args.balance, library=library, simulated=is_simulated(args))
        run = file.plan.dry_run(source)
    code = ExitCode.PROBLEMS if file.refused else ExitCode.OK
    data = {**dry_run_data(run), "problems": problems_data(file.problems)}
    return Outcome(data, dry_run_text(run, file.problems), code)


def read_plan_file(args: argparse.Namespace) -> PlanFile:
    """Read the plan of a command: see `plan_file.read_plan`."""
    from musicapi_nb.cli.plan_file import read_plan  # noqa: PLC0415 - loads pandas

    return read_plan(args)


def dry_run_data(run: DryRun) -> dict[str, Any]:
    names = (
        "cells blocks songs songs_unknown bought paid credits credits_unknown balance "
        "blocks_covered seconds render"
    )
    renamed = {"cells": "requests", "blocks": "rounds", "blocks_covered": "rounds_covered"}
    data = {renamed.get(name, name): getattr(run, name) for name in names.split()}
    data["smallest_effects"] = [
        {"factor": effect.factor, "standard_deviations": effect.task_sds}
        for effect in run.smallest_effects
    ]
    return data


def dry_run_text(run: DryRun, problems: Iterable[RowProblem]) -> str:
    """Return a dry run in words, with the rows of its problems."""
    lines = [
        line
        for line in repr(run).split("\n")
        if not line.startswith(("refused:", "advice:"))  # these name no rows of the file
    ]
    return "\n".join([*lines, *map(str, problems)])


def problems_data(problems: Sequence[RowProblem]) -> list[dict[str, Any]]:
    return [
        {
            "rows": list(rows),
            "field": problem.field,
            "message": problem.message,
            "hard": problem.hard,
        }
        for rows, problem in problems
    ]
