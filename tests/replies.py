"""Sample replies of the service, and malformed variants of them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from hypothesis import strategies as st

SAMPLES = Path(__file__).parent / "samples"
NAMES = sorted(path.name for path in SAMPLES.glob("*.json"))
STUDIO = "studio_get_success.json"
SONIC = "sonic_get_success_2025.json"

Path_: TypeAlias = tuple[str | int, ...]
# Placeholders for values that hypothesis could not print; `expand` and `as_text` expand them.
DEEP, LONG, HUGE = "<deep>", "<long>", "<huge>"
_DEPTH, _LENGTH, _DIGITS = 3000, 200_000, 5000


def sample_text(name: str) -> str:
    return (SAMPLES / name).read_text("utf-8")


def sample(name: str) -> Any:
    return json.loads(sample_text(name))


def paths(value: Any, prefix: Path_ = ()) -> Iterator[Path_]:
    yield prefix
    if isinstance(value, dict):
        for key in value:
            yield from paths(value[key], (*prefix, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from paths(item, (*prefix, index))


def at(value: Any, path: Path_) -> Any:
    for step in path:
        value = value[step]
    return value


def replace_at(value: Any, path: Path_, change: Callable[[Any], Any]) -> Any:
    """Return a copy with `change` applied to the value at `path`."""
    if not path:
        return change(value)
    copy = value.copy()
    copy[path[0]] = replace_at(value[path[0]], path[1:], change)
    return copy


def without(value: Any, path: Path_) -> Any:
    def drop(holder: Any) -> Any:
        copy = holder.copy()
        del copy[path[-1]]
        return copy

    return replace_at(value, path[:-1], drop)


_PARTS = [at(payload, path) for payload in map(sample, NAMES) for path in paths(payload)]
_KEYS = sorted(
    {
        step
        for part in map(sample, NAMES)
        for path in paths(part)
        for step in path
        if isinstance(step, str)
    }
    | {"handledData"}
)

any_text = st.text(st.characters(exclude_categories=()), max_size=20)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    any_text,
    st.sampled_from(
        [
            "",
            " ",
            "0",
            "-1",
            "104.88",
            "1e999",
            "NaN",
            "true",
            "100%",
            "2024-11-22",
            "9999-12-31T23:59:59-12:00",
            "<b>&",
            "\ud800",
            "\0",
            DEEP,
            LONG,
            HUGE,
        ]
    ),
    st.sampled_from([0, -1, 202, 400, 10**400, 1e308, float("inf"), float("nan")]),
)
keys = st.one_of(st.sampled_from(_KEYS), any_text)
json_values = st.one_of(
    scalars,
    st.sampled_from(_PARTS),
    st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=8,
    ),
)


@st.composite
def malformed_replies(draw: st.DrawFn) -> Any:
    """Draw a sample with up to four parts replaced, deleted or added."""
    reply = sample(draw(st.sampled_from(NAMES)))
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(list(paths(reply))))
        reply = _odd(draw, reply, path)
    return reply


def _odd(draw: st.DrawFn, reply: Any, path: Path_) -> Any:
    part = at(reply, path)
    how = draw(st.sampled_from(("replace", "delete", "add")))
    if how == "delete" and path:
        return without(reply, path)
    value = draw(json_values)
    if how == "add" and isinstance(part, dict):
        added = {draw(keys): value}
        return replace_at(reply, path, lambda old: {**old, **added})
    if how == "add" and isinstance(part, list):
        return replace_at(reply, path, lambda old: [*old, *old, value])
    return replace_at(reply, path, lambda _: value)


def expand(value: Any) -> Any:
    """Expand the placeholders to real depth, length and size."""
    if isinstance(value, dict):
        return {key: expand(item) for key, item in value.items()}
    if isinstance(value, list):
        return [expand(item) for item in value]
    if value == LONG:
        return "x" * _LENGTH
    if value == HUGE:
        return 10**_DIGITS
    if value == DEEP:
        deep: Any = "core"
        for level in range(_DEPTH):
            deep = [deep] if level % 2 else {"deep": deep}
        return deep
    return value


def as_text(value: Any) -> str:
    """Return a reply as JSON text with its placeholders expanded."""
    text = json.dumps(value)
    for stand_in, grown_up in (
        (DEEP, '{"deep":[' * _DEPTH + "1" + "]}" * _DEPTH),
        (LONG, f'"{"x" * _LENGTH}"'),
        (HUGE, "9" * _DIGITS),
    ):
        text = text.replace(f'"{stand_in}"', grown_up)
    return text
