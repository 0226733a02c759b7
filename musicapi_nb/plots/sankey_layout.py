"""Layout of the Sankey diagram of substitutions: columns, nodes and their order. No I/O."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import pandas as pd

# the kind of a node and its tag: a tag named "dropped" is not the node of dropped tags
Node: TypeAlias = tuple[str, str]
Sizes: TypeAlias = dict[Node, float]
MORE, DROPPED, ADDED = ("more", ""), ("dropped", ""), ("added", "")
_AT_END = (MORE, ADDED, DROPPED)


class Ribbon(NamedTuple):
    """A flow from a node to a node of the next column.

    `share`, `low` and `high` are those of its row in the table; NaN if it joins several rows.
    """

    column: int
    source: Node
    target: Node
    kind: str
    weight: float
    share: float
    low: float
    high: float


class Flow(NamedTuple):
    """Columns from left to right: nodes in their order, with their sizes.

    A size is the sum of the node's ribbons. It can exceed its occurrences (`counts`): one tag may
    become two, and may add others (`added`). `hidden` counts the tags that are joined as `MORE`.
    """

    columns: list[Sizes]
    counts: list[Sizes]
    added: list[Sizes]
    ribbons: list[Ribbon]
    hidden: list[int]
    first_step: int


def flow(frame: pd.DataFrame, max_tags: int) -> Flow:
    """Lay out the table of substitutions; each column joins all but its `max_tags` largest tags."""
    rows = frame[frame["count"] > 0]
    first, last = int(rows["step"].min()), int(rows["step"].max())
    tags = _count_tags(rows, first, last - first + 2)
    visible = [_largest_tags(sizes, max_tags) for sizes in tags]
    ribbons = _ribbons(rows, first, visible)
    counts = [_count_nodes(*pair) for pair in zip(tags, visible, strict=True)]
    added: list[Sizes] = [defaultdict(float) for _ in tags]
    became: list[Sizes] = [defaultdict(float) for _ in tags]
    for ribbon in ribbons:
        for column, node in ((ribbon.column, ribbon.source), (ribbon.column + 1, ribbon.target)):
            if node in {ADDED, DROPPED}:
                counts[column][node] += ribbon.weight
        if ribbon.source != ADDED:
            outgoing = added if ribbon.kind == "added" else became
            outgoing[ribbon.column][ribbon.source] += ribbon.weight
    columns: list[Sizes] = []
    for index, sizes in enumerate(counts):
        total = {
            node: max(size, became[index].get(node, 0.0)) + added[index].get(node, 0.0)
            for node, size in sizes.items()
        }
        previous = columns[-1] if columns else {}
        incoming = [ribbon for ribbon in ribbons if ribbon.column == index - 1]
        columns.append(_order_nodes(total, incoming, previous))
    hidden = [len(sizes.keys() - nodes) for sizes, nodes in zip(tags, visible, strict=True)]
    return Flow(columns, counts, added, ribbons, hidden, first)


def _count_tags(rows: pd.DataFrame, first: int, columns: int) -> list[Sizes]:
    """Return the occurrences of each tag in each column, as a source or as a target."""

    def groups(end: str) -> Any:
        return rows.groupby(["step", end], sort=False, as_index=False, observed=True)

    sources, targets = groups("source")["cases"].max(), groups("target")["count"].sum()
    sizes: list[Sizes] = [defaultdict(float) for _ in range(columns)]
    for table, offset in ((sources, 0), (targets, 1)):
        for step, tag, size in table.itertuples(index=False):
            column = sizes[int(step) - first + offset]
            column["tag", str(tag)] = max(column["tag", str(tag)], float(size))
    return sizes


def _largest_tags(sizes: Sizes, number: int) -> set[Node]:
    ranked = sorted(sizes, key=lambda node: (-sizes[node], node))
    # "1 more tag" would need as much space as the tag
    return set(ranked if len(ranked) <= number + 1 else ranked[:number])


def _count_nodes(tags: Sizes, visible: set[Node]) -> Sizes:
    sizes: Sizes = defaultdict(float)
    for node, size in tags.items():
        sizes[node if node in visible else MORE] += size
    return sizes


def _ribbons(rows: pd.DataFrame, first: int, visible: list[set[Node]]) -> list[Ribbon]:
    ends: defaultdict[tuple[int, Node, Node, bool], list[Ribbon]] = defaultdict(list)
    for row in rows.to_dict("records"):
        column, kind = int(row["step"]) - first, str(row["kind"])
        source = _node(row["source"], ADDED, visible[column])
        target = _node(row["target"], DROPPED, visible[column + 1])
        numbers = (float(row[name]) for name in ("count", "share", "low", "high"))
        ribbon = Ribbon(column, source, target, kind, *numbers)
        ends[column, source, target, kind == "added"].append(ribbon)
    return [_join(ribbons) for ribbons in ends.values()]


def _node(tag: object, missing: Node, visible: set[Node]) -> Node:
    if not isinstance(tag, str):
        return missing
    return ("tag", tag) if ("tag", tag) in visible else MORE


def _join(ribbons: Sequence[Ribbon]) -> Ribbon:
    if len(ribbons) == 1:
        return ribbons[0]
    kinds = {ribbon.kind for ribbon in ribbons}
    kind = kinds.pop() if len(kinds) == 1 else "several"
    weight = sum(ribbon.weight for ribbon in ribbons)
    column, source, target, *_ = ribbons[0]
    return Ribbon(column, source, target, kind, weight, math.nan, math.nan, math.nan)


def _order_nodes(sizes: Sizes, incoming: Iterable[Ribbon], previous: Sizes) -> Sizes:
    """Order nodes by the mean position of their sources, those of the first column by size."""
    positions = {node: position for position, node in enumerate(previous)}
    weights: Sizes = defaultdict(float)
    moments: Sizes = defaultdict(float)
    for ribbon in incoming:
        if ribbon.source in positions and ribbon.source != ADDED:
            weights[ribbon.target] += ribbon.weight
            moments[ribbon.target] += ribbon.weight * positions[ribbon.source]

    def rank(node: Node) -> tuple[int, float, float, Node]:
        end = _AT_END.index(node) + 1 if node in _AT_END else 0
        mean = moments[node] / weights[node] if weights[node] else len(positions)
        return (end, mean, -sizes[node], node)

    return {node: sizes[node] for node in sorted(sizes, key=rank)}
