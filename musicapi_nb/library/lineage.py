"""Lineage: which purchases were made from the results of others, with the credits of each."""

from __future__ import annotations

import collections
import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from musicapi_nb import markup
from musicapi_nb.ledger_types import FREE_STATES, Entry, EntryState
from musicapi_nb.library.html import state_label
from musicapi_nb.tasks import Task

_MAX_ROWS = 200


@dataclasses.dataclass(frozen=True, slots=True)
class Branch:
    """A purchase and everything that was made from it.

    Attributes
    ----------
    entry
        Its number in the ledger.
    label
        Its operation, titles and number of songs.
    state
        Its state in the ledger.
    price
        Credits of this purchase alone: 0 if it was not charged or was refunded, None if unknown.
    source
        Which result of the parent it was made from, such as "song 2"; None at the root.
    other_parents
        Further entries it was made from. It is a child of the first parent only.
    children
        The purchases that were made from it, oldest first.
    """

    entry: int
    label: str
    state: EntryState
    price: int | None
    source: str | None = None
    other_parents: tuple[int, ...] = ()
    children: tuple[Branch, ...] = ()

    @property
    def credits(self) -> int:
        """Credits of this purchase and its descendants; unknown prices count as 0."""
        return sum(branch.price or 0 for branch in self.walk())

    def walk(self) -> Iterator[Branch]:
        """Yield this branch and its descendants, each before its children."""
        return (branch for _, branch in _with_depth(self))


@dataclasses.dataclass(frozen=True, slots=True)
class Lineage:
    """Trees of purchases, oldest first. Its repr and card show the credits of each branch."""

    trees: tuple[Branch, ...] = ()

    def __repr__(self) -> str:
        if not self.trees:
            return "<Lineage: no follow-up songs yet>"
        return "\n".join(line for tree in self.trees for line in _lines(tree))

    @markup.html_repr
    def _repr_html_(self) -> str:
        rows = [
            (
                f"{_indent(depth)}{_description(branch, _state(branch))}",
                branch.price,
                branch.credits,
            )
            for tree in self.trees
            for depth, branch in _with_depth(tree)
        ]
        if not rows:
            body = markup.caption("No follow-up songs yet; try song.extend(...).")
            return markup.card("Lineage", body, wide=True)
        credits_ = sum(tree.credits for tree in self.trees)
        header = ("made", "credits", "with everything made from it")
        return markup.card(
            "Lineage",
            markup.table(header, rows, limit=_MAX_ROWS),
            facts=markup.facts(
                markup.plural(len(rows), "request"), markup.format_credits(credits_)
            ),
            wide=True,
        )


def _with_depth(tree: Branch) -> Iterator[tuple[int, Branch]]:
    stack = [(0, tree)]
    while stack:
        depth, branch = stack.pop()
        yield depth, branch
        stack.extend((depth + 1, child) for child in reversed(branch.children))


def _indent(depth: int) -> str:
    return "\u2003" * (depth - 1) + "\u2514 " if depth else ""


def _description(branch: Branch, *facts: str) -> str:
    others = "".join(f" and #{parent}" for parent in branch.other_parents)
    source = f"from {branch.source}{others}" if branch.source else ""
    parts = (branch.label, source, *facts, f"#{branch.entry}")
    return " \u00b7 ".join(part for part in parts if part)


def _state(branch: Branch) -> str:
    return "" if branch.state == "done" else state_label(branch.state)


def _lines(tree: Branch) -> Iterator[str]:
    for depth, branch in _with_depth(tree):
        total = f"{branch.credits:,} with everything made from it" if branch.children else ""
        line = _description(branch, _state(branch), markup.format_credits(branch.price), total)
        yield f"{_indent(depth)}{markup.one_line(line)}"


# --- from the ledger -----------------------------------------------------------------------


def build_lineage(purchases: Iterable[tuple[Entry, Task]], of: str | None = None) -> Lineage:
    """Find which purchases were made from the results of others.

    A purchase was made from another if a field of its request is an id from the other's result: of
    a song, or in its answer (an uploaded clip, a persona, a voice). `purchases` come oldest first.
    If `of` is the id of a song, persona, clip or task, only its tree is returned; if nothing was
    made from it, that is its purchase alone.
    """
    by_entry = {entry.id: (entry, task) for entry, task in purchases}
    results: dict[str, tuple[int, str]] = {}
    for number, (_, task) in by_entry.items():
        for result_id, label in _results(task):
            results.setdefault(result_id, (number, label))
    parents = {number: _parents(number, task, results) for number, (_, task) in by_entry.items()}
    branches: dict[int, Branch] = {}
    children: dict[int, list[Branch]] = collections.defaultdict(list)
    for number, sources in reversed(parents.items()):  # what was made from it is younger
        entry, task = by_entry[number]
        branches[number] = Branch(
            entry=number,
            label=_label(entry, task),
            state=entry.state,
            price=_credits_charged(entry),
            source=next(iter(sources.values()), None),
            other_parents=tuple(sources)[1:],
            children=tuple(reversed(children[number])),
        )
        if sources:
            children[next(iter(sources))].append(branches[number])
    roots = [number for number, sources in parents.items() if not sources and children[number]]
    if of is not None:
        by_task = {entry.task_id: entry.id for entry, _ in reversed(by_entry.values())}
        root = results[of][0] if of in results else by_task.get(of)
        while root is not None and parents[root]:
            root = next(iter(parents[root]))
        roots = [] if root is None else [root]
    return Lineage(tuple(branches[root] for root in roots))


def _results(task: Task) -> Iterator[tuple[str, str]]:
    """Yield the ids in a task's result, each with a label."""
    for song in task.songs:
        if song.id:
            label = f"song {song.position + 1}" if len(task.songs) > 1 else "its song"
            yield song.id, label
    for name, value in task.answer.items():
        if name.endswith("_id") and isinstance(value, str) and value:
            yield value, name.removesuffix("_id").replace("_", " ")


def _parents(number: int, task: Task, results: Mapping[str, tuple[int, str]]) -> dict[int, str]:
    """Return the earlier entries whose results a request names, with the results' labels."""
    if task.request is None:
        return {}
    values = (getattr(task.request, name) for name in task.request.fields())
    texts = itertools.chain.from_iterable(map(_texts, (*values, *task.request.extra.values())))
    sources = (results[text] for text in texts if text in results)
    return {parent: label for parent, label in sources if parent < number}


def _texts(value: Any) -> Sequence[str]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list | tuple):
        return [item for item in value if isinstance(item, str)]
    return ()


def _label(entry: Entry, task: Task) -> str:
    titles = list(dict.fromkeys(song.title for song in task.songs if song.title))
    further = f" and {len(titles) - 1} more" if len(titles) > 1 else ""
    operation = entry.operation.replace("_", " ").capitalize()
    songs = markup.plural(len(task.songs), "song") if task.songs else ""
    parts = (operation, f"{titles[0]}{further}" if titles else "", songs)
    return " \u00b7 ".join(part for part in parts if part)


def _credits_charged(entry: Entry) -> int | None:
    if entry.state in FREE_STATES or (entry.state == "failed" and entry.refunded):
        return 0
    return entry.price
