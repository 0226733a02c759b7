"""What was made from what: the purchases of a library as trees, with the credits of each branch."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from musicapi_nb import markup
from musicapi_nb.tasks import Task

if TYPE_CHECKING:
    from musicapi_nb.library.entry import Entry

_SHOWN = 200  # more branches are counted, not shown
_FREE = frozenset({"planned", "not_run", "refused"})


@dataclasses.dataclass(frozen=True, slots=True)
class Branch:
    """A purchase and all that was made from it.

    Attributes
    ----------
    entry
        Its number in the ledger.
    what
        Its operation and title, in words.
    state
        As the ledger has it.
    price
        Credits of this purchase alone: 0 if nothing was charged or it came back, None where the
        price is not known.
    origin
        What it was made from, in words; None at the root of a tree.
    others
        The entries besides the parent that it was made from too; it stands under the first.
    made
        The purchases that were made from it, oldest first.
    """

    entry: int
    what: str
    state: str
    price: int | None
    origin: str | None = None
    others: tuple[int, ...] = ()
    made: tuple[Branch, ...] = ()

    @property
    def credits(self) -> int:
        """Credits of this purchase and all that was made from it, as far as prices are known."""
        return sum(branch.price or 0 for branch in self.walk())

    def walk(self) -> Iterator[Branch]:
        """Yield this branch and all beneath it, each before what was made from it."""
        return (branch for _, branch in _deep(self))


@dataclasses.dataclass(frozen=True, slots=True)
class Lineage:
    """Trees of purchases, oldest first; shows itself with the credits of each branch."""

    trees: tuple[Branch, ...] = ()

    def __repr__(self) -> str:
        if not self.trees:
            return "<Lineage: nothing was made from anything yet>"
        return "\n".join(line for tree in self.trees for line in _lines(tree))

    def _repr_html_(self) -> str:
        rows = [
            (f"{_indent(depth)}{_words(branch)}", branch.state, branch.price, branch.credits)
            for tree in self.trees
            for depth, branch in _deep(tree)
        ]
        purchases = sum(1 for tree in self.trees for _ in tree.walk())
        spent = sum(tree.credits for tree in self.trees)
        body = (
            markup.table(
                ("purchase", "state", "credits", "with all made from it"), rows, limit=_SHOWN
            )
            if rows
            else markup.caption("Nothing was made from anything yet: song.extend(...) is a start.")
        )
        facts = (
            markup.facts(f"{purchases:,} purchases", markup.format_credits(spent)) if rows else ""
        )
        return markup.card("Lineage", body, facts=facts, wide=True)


def _deep(tree: Branch) -> Iterator[tuple[int, Branch]]:
    waiting = [(0, tree)]
    while waiting:
        depth, branch = waiting.pop()
        yield depth, branch
        waiting.extend((depth + 1, made) for made in reversed(branch.made))


def _indent(depth: int) -> str:
    return "\u2003" * (depth - 1) + "\u2514 " if depth else ""


def _words(branch: Branch) -> str:
    others = f", and {', '.join(map(str, branch.others))}" if branch.others else ""
    origin = f" (from {branch.origin}{others})" if branch.origin else ""
    return f"{branch.entry} {branch.what}{origin}"


def _lines(tree: Branch) -> Iterator[str]:
    for depth, branch in _deep(tree):
        whole = f", {branch.credits:,} with all made from it" if branch.made else ""
        price = markup.format_credits(branch.price)
        line = markup.one_line(f"{_words(branch)}: {branch.state}, {price}{whole}")
        yield f"{_indent(depth)}{line}"


# --- from the ledger -----------------------------------------------------------------------


def lineage(found: Iterable[tuple[Entry, Task]], of: str | None = None) -> Lineage:
    """Find which purchases were made from what others brought.

    A purchase was made from another if a field of its request is an id that the other brought: of
    a song, or in its answer (an uploaded clip, a persona, a voice).

    Parameters
    ----------
    found
        Entries and their tasks, oldest first.
    of
        The id of a song, a persona, a clip or a task: then only the tree that it is of, or, as
        long as nothing was made from it, its purchase alone.
    """
    pairs = list(found)
    brought: dict[str, tuple[int, str]] = {}
    for entry, task in pairs:
        for name, words in _brought(task):
            brought.setdefault(name, (entry.id, words))
    parents = {entry.id: _parents(entry, task, brought) for entry, task in pairs}
    children: dict[int, list[int]] = {}
    for number, sources in parents.items():
        if sources:
            children.setdefault(next(iter(sources)), []).append(number)
    known = {entry.id: (entry, task) for entry, task in pairs}
    roots = [number for number, sources in parents.items() if not sources and number in children]
    if of is not None:
        start = brought.get(of, (None, ""))[0] or _of_task(pairs, of)
        roots = [] if start is None else [_root(start, parents)]
    return Lineage(tuple(_grown(root, known, parents, children) for root in roots))


def _brought(task: Task) -> Iterator[tuple[str, str]]:
    """The ids that a purchase brought, each with words for it."""
    for song in task.songs:
        if song.id:
            number = f"song {song.position + 1}" if len(task.songs) > 1 else "its song"
            yield song.id, number
    for name, value in task.answer.items():
        if name.endswith("_id") and isinstance(value, str) and value:
            yield value, name.removesuffix("_id").replace("_", " ")


def _parents(entry: Entry, task: Task, brought: Mapping[str, tuple[int, str]]) -> dict[int, str]:
    """The earlier entries that brought what a request names, with words for what it was."""
    if task.request is None:
        return {}
    values = (getattr(task.request, name) for name in task.request.fields())
    named = itertools.chain.from_iterable(map(_texts, values))
    sources = (brought[name] for name in named if name in brought)
    return {number: words for number, words in sources if number < entry.id}


def _texts(value: Any) -> Sequence[str]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list | tuple):
        return [item for item in value if isinstance(item, str)]
    return ()


def _of_task(pairs: Sequence[tuple[Entry, Task]], task_id: str) -> int | None:
    return next((entry.id for entry, _ in pairs if entry.task_id == task_id), None)


def _root(number: int, parents: Mapping[int, Mapping[int, str]]) -> int:
    while parents[number]:
        number = next(iter(parents[number]))
    return number


def _grown(
    root: int,
    known: Mapping[int, tuple[Entry, Task]],
    parents: Mapping[int, Mapping[int, str]],
    children: Mapping[int, Sequence[int]],
) -> Branch:
    """The tree of a root; made from its leaves on, since a chain may be long."""
    order = [root]
    for number in order:
        order.extend(children.get(number, ()))
    made: dict[int, Branch] = {}
    for number in reversed(order):
        entry, task = known[number]
        sources = parents[number]
        made[number] = Branch(
            number,
            f"{entry.name}{_titled(task)}",
            entry.state,
            _price(entry),
            next(iter(sources.values()), None),
            tuple(sources)[1:],
            tuple(made[child] for child in children.get(number, ())),
        )
    return made[root]


def _titled(task: Task) -> str:
    titles = list(dict.fromkeys(song.title for song in task.songs if song.title))
    more = f" and {len(titles) - 1} more" if len(titles) > 1 else ""
    return f" {titles[0]!r}{more}" if titles else ""


def _price(entry: Entry) -> int | None:
    if entry.state in _FREE or (entry.state == "failed" and entry.refunded):
        return 0
    return entry.price
