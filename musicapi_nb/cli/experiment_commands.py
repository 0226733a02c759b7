"""The commands `experiment start`, `resume` and `status`, and `report`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from musicapi_nb import markup
from musicapi_nb.cli.command_outcome import ExitCode, Interrupted, Outcome, facts_line
from musicapi_nb.cli.connection import (
    add_options,
    close_after_interrupt,
    confirm,
    note,
    open_library,
    open_session,
    wait_for,
)
from musicapi_nb.cli.plan_commands import add_plan_options, dry_run_text, read_plan_file
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.extras import require_extra
from musicapi_nb.notebook import Session

if TYPE_CHECKING:
    from musicapi_nb.cli.plan_file import PlanFile
    from musicapi_nb.experiment import Progress
    from musicapi_nb.notebook.experiment_run import ExperimentRun


_FAILURE = ("state", "reason", "may_have_cost", "what_to_do", "task_id", "entry")


def add_commands(commands: Any) -> None:
    parser = commands.add_parser("experiment", help="buy a plan within a budget, or resume it")
    parts = parser.add_subparsers(metavar="PART", required=True)
    for name, help_text in (
        ("start", "buy the requests of a plan, each once"),
        ("resume", "go on after a stop: wait for what is paid for, and buy the rest"),
    ):
        part = parts.add_parser(name, help=help_text)
        part.add_argument("name", metavar="NAME", help="name of the experiment in the library")
        add_plan_options(part)
        part.add_argument(
            "--budget",
            type=int,
            metavar="CREDITS",
            required=name == "start",
            help="limit for all runs of this experiment together",
        )
        part.add_argument(
            "--assume",
            type=int,
            metavar="CREDITS",
            help="price to assume for a request without a known price",
        )
        part.add_argument(
            "--concurrency", type=int, default=8, help="number of requests at the same time (8)"
        )
        part.add_argument(
            "--deadline",
            type=float,
            default=1800.0,
            metavar="SECONDS",
            help="maximum wait for each request",
        )
        add_options(part, buys=True)
        part.set_defaults(
            command=run, name_of_command=f"experiment {name}", resumes=name != "start"
        )
    status_part = parts.add_parser("status", help="show the state of an experiment in the library")
    status_part.add_argument("name", metavar="NAME")
    add_options(status_part)
    status_part.set_defaults(command=status, name_of_command="experiment status")
    reporting = commands.add_parser("report", help="compare the levels of factors on one page")
    reporting.add_argument("name", metavar="NAME", help="name of the experiment in the library")
    add_plan_options(reporting)
    reporting.add_argument("--save", metavar="FILE.html", help="write the page")
    reporting.add_argument("--factor", help="factor to compare; by default all")
    add_options(reporting)
    reporting.set_defaults(command=report, name_of_command="report")


def run(args: argparse.Namespace) -> Outcome:
    """Start or resume an experiment, and wait until it ends."""
    file = read_plan_file(args)
    plan = file.checked()  # before anything is opened
    with open_session(args) as session:
        _check_name(session, args)
        experiment = session.experiment(
            args.name,
            plan,
            budget=args.budget,
            assume=args.assume,
            concurrency=args.concurrency,
            deadline=args.deadline,
        )
        dry_run = experiment.dry_run
        note(dry_run_text(dry_run, file.problems))
        experiment.experiment.check()  # what cannot be run need not be asked about
        if dry_run.bought < dry_run.cells:
            requests = markup.plural(dry_run.cells - dry_run.bought, "request")
            simulated = " of the simulator" * session.simulated
            confirm(f"Buy {requests} for {_price(dry_run)}{simulated}?", args)
        try:
            wait_for(experiment, args.name, lambda: experiment.start().result())
        except KeyboardInterrupt:
            experiment.cancel()
            close_after_interrupt(session)
            raise _interruption(args) from None
        return _outcome(experiment, file)


def _check_name(session: Session, args: argparse.Namespace) -> None:
    if args.resumes and (session.library is None or not session.library.cells(args.name)):
        raise _unknown_experiment(args.name)


def _unknown_experiment(name: str) -> InvalidArgument:
    return InvalidArgument(f"the library has no experiment {name!r:.60}; `start` begins one")


def _price(dry_run: Any) -> str:
    if not dry_run.credits_unknown:
        return markup.format_credits(dry_run.credits)
    unknown = markup.plural(dry_run.credits_unknown, "request")
    return f"{markup.format_credits(dry_run.credits)}, and {unknown} of unknown price"


def _interruption(args: argparse.Namespace) -> Interrupted:
    with open_library(args) as library:
        counts = library.counts(experiment=args.name)
    bought = sum(counts.get(state, 0) for state in ("done", "accepted", "reposting"))
    uncertain = counts.get("uncertain", 0)
    doubt = f" {markup.plural(uncertain, 'request')} may have cost credits." if uncertain else ""
    text = (
        f"Stopped. {markup.plural(bought, 'request')} of this experiment are paid for, and those "
        f"under way continue on the service.{doubt} `experiment resume` waits for them and buys "
        "the rest."
    )
    return Interrupted(text, may_have_cost=uncertain > 0)


def _outcome(experiment: ExperimentRun, file: PlanFile) -> Outcome:
    from musicapi_nb.plan.validation import to_python  # noqa: PLC0415 - loads numpy

    progress = experiment.progress
    failures = [
        {"row": file.rows[int(row["cell"])]} | {name: to_python(row[name]) for name in _FAILURE}
        for row in experiment.failures().astype(object).to_dict("records")
    ]
    data = {
        "experiment": progress.name,
        "state": progress.state,
        "requests": progress.cells,
        "counts": dict(progress.counts),
        "bought_before": progress.from_library,
        "paid": progress.bought,
        "spent": progress.spent,
        "budget": progress.budget,
        "remaining": progress.remaining,
        "stop_reason": progress.stop_reason,
        "failures": failures,
    }
    lines = [_progress_line(progress)]
    lines += [f"Stopped: {progress.stop_reason}"] if progress.stop_reason else []
    lines += [
        f"row {failure['row']}: {failure['state']}: {failure['reason']}. {failure['what_to_do']}"
        for failure in failures
    ]
    return Outcome(data, "\n".join(map(markup.one_line, lines)), _counts_code(progress.counts))


def _progress_line(progress: Progress) -> str:
    done = progress.counts.get("done", 0)
    paid = f"{markup.format_credits(progress.bought)} paid now"
    left = None if progress.remaining is None else f"{progress.remaining:,} of the budget left"
    return facts_line(f"{done:,} of {progress.cells:,} requests done", paid, left)


def _counts_code(counts: Mapping[Any, int]) -> ExitCode:
    """Return the exit code of an experiment from the number of its requests in each state."""
    if counts.get("uncertain") or counts.get("sending"):
        return ExitCode.UNCERTAIN
    if counts.get("accepted") or counts.get("reposting"):
        return ExitCode.UNFINISHED
    others = sum(number for state, number in counts.items() if state != "done")
    return ExitCode.FAILED if others else ExitCode.OK


def status(args: argparse.Namespace) -> Outcome:
    from musicapi_nb.experiment.ledger_view import budget_name  # noqa: PLC0415 - loads numpy

    with open_library(args) as library:
        counts = library.counts(experiment=args.name)
        if not library.cells(args.name):
            raise _unknown_experiment(args.name)
        budgets = library.budgets()
        names = [budget_name(args.name, simulated=simulated) for simulated in (False, True)]
        budget = next((budgets[name] for name in names if name in budgets), None)
    data = {
        "experiment": args.name,
        "counts": counts,
        "budget": budget and budget.credits,
        "held": budget and budget.held,
        "remaining": budget and budget.remaining,
    }
    texts = [f"{number:,} {state}" for state, number in counts.items()]
    if budget is not None:
        texts.append(f"{budget.held:,} of {markup.format_credits(budget.credits)} spent or on hold")
    return Outcome(data, facts_line(args.name, *texts), _counts_code(counts))


def report(args: argparse.Namespace) -> Outcome:
    require_extra("analysis")
    file = read_plan_file(args)
    plan = file.checked()
    with open_session(args) as session:
        if session.library is None or not session.library.cells(args.name):
            raise _unknown_experiment(args.name)
        page = session.experiment(args.name, plan).report(args.factor)
        path = None if args.save is None else page.save(args.save)
        data = {
            "experiment": args.name,
            "path": path,
            "sentences": [
                {"kind": sentence.kind, "text": sentence.text} for sentence in page.sentences
            ],
        }
        return Outcome(data, f"Written to {path}" if path else page.text)
