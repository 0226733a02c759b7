"""Normalize factors and base fields to Python values, and list their problems. No I/O."""

import itertools
from collections.abc import Hashable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, TypeAlias

from musicapi_nb.engines import Request
from musicapi_nb.engines.arguments import field_name
from musicapi_nb.engines.values import plain_value
from musicapi_nb.errors import InvalidArgument, InvalidPlan, InvalidRequest, Problem

Factors: TypeAlias = Mapping[str, tuple[Any, ...]]
MAX_CELLS = 100_000
_MAX_WRITTEN_COUNT = 10**12
RESERVED_COLUMNS = ("block", "order", "take", "operation", "price", "songs")  # of Plan.frame()
_MISSING_TYPES = frozenset({"NAType", "NaTType"})


def to_python(value: Any) -> Any:
    """Convert a numpy or pandas value to a Python value; missing values become None."""
    value = plain_value(value)
    if type(value).__name__ in _MISSING_TYPES or (isinstance(value, float) and value != value):  # noqa: PLR0124 - NaN
        return None
    if isinstance(value, list | tuple):
        return tuple(to_python(item) for item in value)
    return value


def coerce_int(kind: type[Request], name: str, value: Any) -> Any:
    """Undo the conversion of an integer field to float by a missing value in its column."""
    field = kind.fields().get(name)
    if field and field.is_whole and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def hashable_key(value: Any) -> Hashable:
    """Return a dictionary key that is equal for equal levels."""
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value  # type: ignore[no-any-return]


def distinct(levels: Iterable[Any]) -> tuple[Any, ...]:
    """Return each level once, in order."""
    return tuple({hashable_key(level): level for level in levels}.values())


def normalize_base(kind: type[Request], base: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the fields as Python values, or raise `InvalidArgument` for another type of either."""
    _check_kind(kind)
    if base is None:
        return {}
    check_mapping("base", base, '{"mv": "sonic-v6"}')
    names = {name: field_name(kind, name) if isinstance(name, str) else name for name in base}
    if len({*names.values()}) < len(names):  # a field is given twice, which its request refuses
        names = {name: name for name in base}
    return {names[name]: coerce_int(kind, name, to_python(value)) for name, value in base.items()}


def _check_kind(kind: Any) -> None:
    if isinstance(kind, Request):
        name = f"the class {kind.engine}.{type(kind).__name__}"
        raise InvalidArgument(f"a plan takes {name} and its fields as base={{...}}, not a request")
    if not (isinstance(kind, type) and issubclass(kind, Request) and hasattr(kind, "operation")):
        message = "a plan takes a request class such as sonic.Create, not"
        raise InvalidArgument(f"{message} {kind!r:.60}")


def check_mapping(argument: str, value: Any, example: str) -> None:
    if not isinstance(value, Mapping):
        raise InvalidArgument(f"{argument} should be a dict such as {example}, not {value!r:.60}")


def argument_problems(
    kind: type[Request], base: Mapping[str, Any], repeats: Any, seed: Any
) -> list[Problem]:
    """List unknown fields of the base, its invalid undeclared fields, and invalid numbers."""
    named = {name: value for name, value in base.items() if isinstance(name, str)}
    problems = [
        Problem("base", f"{name!r:.60} is not a field name") for name in base if name not in named
    ]
    try:
        kind(**named)
    except InvalidRequest as error:
        problems += [Problem(f"base, {fault.field}", fault.message) for fault in error.problems]
    if isinstance(repeats, bool) or not isinstance(repeats, int) or repeats < 1:
        problems.append(Problem("repeats", f"should be a whole number from 1, not {repeats!r:.40}"))
    if isinstance(seed, bool) or not isinstance(seed, int):
        problems.append(Problem("seed", f"should be a whole number, not {seed!r:.40}"))
    return problems


def name_problems(names: Iterable[Any], base: Mapping[str, Any], noun: str) -> list[Problem]:
    """List invalid names of factors (or columns), and names that the base also has."""
    problems: list[Problem] = []
    earlier: set[str] = set()
    for name in names:
        if not isinstance(name, str) or not name:
            problems.append(Problem(noun, f"{name!r:.60} should be a name, as text"))
            continue
        message = ""
        if name != name.encode("utf-8", "replace").decode("utf-8"):
            message = "contains half of a surrogate pair; choose another name"
        elif name in RESERVED_COLUMNS:
            message = "is a column of plan.frame(); choose another name"
        elif name == "extra":
            message = 'cannot vary as a whole; use base={"extra": {"field": "{factor}"}}'
        elif name in base:
            message = f"is in base too; remove it from base or from the {noun}s"
        messages = ["is duplicated"] * (name in earlier) + [message] * bool(message)
        problems += (Problem(f"{noun} {name!r:.60}", text) for text in messages)
        earlier.add(name)
    return problems


def read_factors(
    kind: type[Request], factors: Mapping[str, Any], base: Mapping[str, Any]
) -> tuple[dict[str, tuple[Any, ...]], list[Problem]]:
    """Return the levels of each factor, and every problem with them."""
    problems = name_problems(factors, base, "factor")
    levels_of = {}
    for name, values in factors.items():
        label = f"factor {name!r:.60}"
        if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
            problems.append(Problem(label, f"should be a list of levels, not {values!r:.60}"))
        elif isinstance(values, AbstractSet):
            problems.append(Problem(label, "is a set, which has no order; use a list"))
        else:
            bounded = itertools.islice(values, MAX_CELLS + 1)  # it may be endless
            levels = tuple(coerce_int(kind, name, to_python(level)) for level in bounded)
            problems += (Problem(label, message) for message in _level_faults(levels))
            levels_of[name] = levels
    return levels_of, problems


def _level_faults(levels: Sequence[Any]) -> Iterable[str]:
    if not levels:
        yield "has no levels"
    earlier: dict[Hashable, Any] = {}
    for level in levels:
        key = hashable_key(level)
        if key in earlier:
            equal = "" if repr(level) == repr(earlier[key]) else f", equal to {earlier[key]!r:.60},"
            yield f"has the level {level!r:.60}{equal} twice; use repeats= to buy more of each"
        earlier.setdefault(key, level)


def size_problems(cells: int, repeats: Any, alternative: str = "") -> list[Problem]:
    factor = repeats if isinstance(repeats, int) else 1
    if cells * max(factor, 1) <= MAX_CELLS:
        return []
    count = f"{cells * factor:,}" if cells * factor < _MAX_WRITTEN_COUNT else "far too many"
    return [Problem("", f"would have {count} requests; the limit is {MAX_CELLS:,}{alternative}")]


def refuse(problems: Iterable[Problem]) -> None:
    """Raise `InvalidPlan` if there are problems."""
    if unique := dict.fromkeys(problems, ()):
        raise InvalidPlan(unique)
