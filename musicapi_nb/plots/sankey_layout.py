"""Where the ribbons of plots.substitutions go: columns, nodes and their places. Pure."""

from __future__ import annotations

import collections
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import pandas as pd

# a node's kind and its tag: a tag named "dropped" is not what is dropped
Node: TypeAlias = tuple[str, str]
MORE, DROPPED, ADDED = ("more", ""), ("dropped", ""), ("added", "")
_LAST = (MORE, ADDED, DROPPED)


class Ribbon(NamedTuple):
    """What goes from a node of one column to a node of the next.

    `share`, `low` and `high` are those of its row in the table; NaN where it joins several.
    """

    column: int
    source: Node
    target: Node
    kind: str
    times: float
    share: float
    low: float
    high: float


class Flow(NamedTuple):
    """Columns from left to right: each node's size, which is all that its ribbons need.

    That can be more than its `counts`, the times that it was there: one word may become two, and
    others may come along with it (`brought`). `more` counts the tags that stand as one.
    """

    columns: list[dict[Node, float]]
    counts: list[dict[Node, float]]
    brought: list[dict[Node, float]]
    ribbons: list[Ribbon]
    more: list[int]
    first_step: int


def flow(frame: pd.DataFrame, most: int) -> Flow:
    """Lay out the table of substitutions, with so many tags a column and the others as one."""
    rows = frame[frame["count"] > 0]
    first, last = int(rows["step"].min()), int(rows["step"].max())
    sizes = _sizes(rows, first, last - first + 2)
    kept = [_largest(column, most) for column in sizes]
    ribbons = _ribbons(rows, first, kept)
    columns: list[dict[Node, float]] = []
    counts: list[dict[Node, float]] = []
    brought = _leaving(ribbons, len(sizes), added=True)
    became = _leaving(ribbons, len(sizes), added=False)
    for at in range(len(sizes)):
        own = _column(sizes[at], kept[at], ribbons, at)
        counts.append(own)
        whole = {
            node: max(size, became[at].get(node, 0.0)) + brought[at].get(node, 0.0)
            for node, size in own.items()
        }
        columns.append(_ordered(whole, ribbons, at, columns))
    more = [
        sum(node not in names for node in column if node[0] == "tag")
        for column, names in zip(sizes, kept, strict=True)
    ]
    return Flow(columns, counts, brought, ribbons, more, first)


def _leaving(ribbons: Iterable[Ribbon], columns: int, *, added: bool) -> list[dict[Node, float]]:
    """How much leaves each node: tags that it brought along, or what it became itself."""
    found: list[dict[Node, float]] = [{} for _ in range(columns)]
    for ribbon in ribbons:
        if ribbon.source != ADDED and (ribbon.kind == "added") is added:
            column = found[ribbon.column]
            column[ribbon.source] = column.get(ribbon.source, 0.0) + ribbon.times
    return found


def _sizes(rows: pd.DataFrame, first: int, number: int) -> list[dict[Node, float]]:
    """How often each tag stands in each column: as a source, or as what a source became."""
    sources = rows.groupby(["step", "source"], sort=False, as_index=False)["cases"].max()
    targets = rows.groupby(["step", "target"], sort=False, as_index=False)["count"].sum()
    sizes: list[dict[Node, float]] = [{} for _ in range(number)]
    for found, ahead in ((sources, 0), (targets, 1)):
        for step, tag, size in found.itertuples(index=False):
            column = sizes[int(step) - first + ahead]
            column["tag", str(tag)] = max(column.get(("tag", str(tag)), 0.0), float(size))
    return sizes


def _largest(column: dict[Node, float], most: int) -> set[Node]:
    ranked = sorted(column, key=lambda node: (-column[node], node))
    # one more tag takes the room of the line that says "1 more tag"
    return set(ranked if len(ranked) <= most + 1 else ranked[:most])


def _ribbons(rows: pd.DataFrame, first: int, kept: list[set[Node]]) -> list[Ribbon]:
    joined: dict[tuple[int, Node, Node, bool], list[Ribbon]] = collections.defaultdict(list)
    for row in rows.to_dict("records"):
        column = int(row["step"]) - first
        source = _node(row["source"], ADDED, kept[column])
        target = _node(row["target"], DROPPED, kept[column + 1])
        ribbon = Ribbon(
            column,
            source,
            target,
            str(row["kind"]),
            float(row["count"]),
            float(row["share"]),
            float(row["low"]),
            float(row["high"]),
        )
        joined[column, source, target, ribbon.kind == "added"].append(ribbon)
    return [_as_one(ribbons) for ribbons in joined.values()]


def _node(tag: object, else_: Node, kept: set[Node]) -> Node:
    if not isinstance(tag, str):
        return else_
    node = ("tag", tag)
    return node if node in kept else MORE


def _as_one(ribbons: list[Ribbon]) -> Ribbon:
    if len(ribbons) == 1:
        return ribbons[0]
    kinds = {ribbon.kind for ribbon in ribbons}
    nan = float("nan")
    return ribbons[0]._replace(
        kind=kinds.pop() if len(kinds) == 1 else "several",
        times=sum(ribbon.times for ribbon in ribbons),
        share=nan,
        low=nan,
        high=nan,
    )


def _column(
    sizes: dict[Node, float], kept: set[Node], ribbons: Iterable[Ribbon], at: int
) -> dict[Node, float]:
    made = {node: size for node, size in sizes.items() if node in kept}
    others = sum(size for node, size in sizes.items() if node not in kept)
    if others:
        made[MORE] = others
    for ribbon in ribbons:
        for node, column in ((ribbon.source, ribbon.column), (ribbon.target, ribbon.column + 1)):
            if column == at and node in {ADDED, DROPPED}:
                made[node] = made.get(node, 0.0) + ribbon.times
    return made


def _ordered(
    column: dict[Node, float], ribbons: Iterable[Ribbon], at: int, before: list[dict[Node, float]]
) -> dict[Node, float]:
    """The first column by size; the next ones each near to where it comes from."""
    places = {node: place for place, node in enumerate(before[-1])} if before else {}
    pull: dict[Node, list[float]] = collections.defaultdict(lambda: [0.0, 0.0])
    for ribbon in ribbons:
        if ribbon.column == at - 1 and ribbon.source in places and ribbon.source != ADDED:
            pull[ribbon.target][0] += ribbon.times * places[ribbon.source]
            pull[ribbon.target][1] += ribbon.times

    def rank(node: Node) -> tuple[int, float, float, Node]:
        weight, total = pull[node]
        last = _LAST.index(node) + 1 if node in _LAST else 0
        return (last, weight / total if total else len(places), -column[node], node)

    return {node: column[node] for node in sorted(column, key=rank)}
