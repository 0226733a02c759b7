"""What is given to a plan, made plain: Python values, and every problem with them. Pure."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, TypeAlias

from musicapi_nb.engines import Request
from musicapi_nb.errors import InvalidArgument, InvalidPlan, InvalidRequest, Problem

Factors: TypeAlias = Mapping[str, tuple[Any, ...]]
MOST_CELLS = 100_000
_COUNTED = 10**12
# The columns of Plan.frame() that are not factors
OWN_COLUMNS = ("block", "order", "take", "operation", "price", "songs")
_MISSING = frozenset({"NAType", "NaTType"})


def plain(value: Any) -> Any:
    """Turn numpy's and pandas' values into Python's; what is missing there is None."""
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        value = value.tolist()
    if type(value).__name__ in _MISSING or (isinstance(value, float) and value != value):  # noqa: PLR0124 - NaN
        return None
    if isinstance(value, list | tuple):
        return tuple(plain(item) for item in value)
    return value


def fitted(kind: type[Request], name: str, value: Any) -> Any:
    """Make a whole number again of what a missing neighbour in its column has made a float."""
    field = kind.fields().get(name)
    if field and field.kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def same(value: Any) -> Any:
    """A key that is equal for equal levels."""
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value


def check_kind(kind: Any) -> None:
    """Raise `InvalidArgument` for anything but the class of an operation."""
    if isinstance(kind, Request):
        name = f"{kind.engine}.{type(kind).__name__}"
        raise InvalidArgument(
            f"a plan takes the class {name} and its fields as base={{...}}, not a request"
        )
    if not (isinstance(kind, type) and issubclass(kind, Request) and hasattr(kind, "operation")):
        raise InvalidArgument(
            f"a plan is of a request class such as sonic.Create, not {kind!r:.60}"
        )


def check_mapping(what: str, value: Any, example: str) -> None:
    if not isinstance(value, Mapping):
        raise InvalidArgument(f"{what} should be a dict such as {example}, not {value!r:.60}")


def base_problems(kind: type[Request], base: Mapping[str, Any]) -> list[Problem]:
    """Fields that the request does not have, and pass-through fields that cannot be."""
    named = {name: value for name, value in base.items() if isinstance(name, str)}
    problems = [
        Problem("base", f"{name!r:.60} is no name of a field") for name in base if name not in named
    ]
    try:
        kind(**named)
    except InvalidRequest as error:
        problems += [Problem(f"base, {found.field}", found.message) for found in error.problems]
    return problems


def name_problems(names: Iterable[Any], base: Mapping[str, Any], what: str) -> list[Problem]:
    """Names that cannot be a factor's, or that the base also has."""
    problems, seen = [], set()
    for name in names:
        if not isinstance(name, str) or not name:
            problems.append(Problem(what, f"{name!r:.60} should be a name, as text"))
            continue
        label = f"{what} {name!r:.60}"
        if name in seen:
            problems.append(Problem(label, "is there twice"))
        seen.add(name)
        if name != _carried(name):
            problems.append(Problem(label, "holds half of a surrogate pair; choose another name"))
        elif name in OWN_COLUMNS:
            problems.append(Problem(label, "is a column of the plan's own; choose another name"))
        elif name == "extra":
            problems.append(
                Problem(label, 'cannot vary as a whole; give base={"extra": {"field": "{factor}"}}')
            )
        elif name in base:
            problems.append(
                Problem(label, f"stands in base too; leave it out of base or the {what}s")
            )
    return problems


def _carried(name: str) -> str:
    return name.encode("utf-8", "replace").decode("utf-8")


def read_factors(
    kind: type[Request], factors: Mapping[str, Any], base: Mapping[str, Any]
) -> tuple[dict[str, tuple[Any, ...]], list[Problem]]:
    """Read the levels of each factor; return them and every problem with them."""
    problems = name_problems(factors, base, "factor")
    read = {}
    for name, given in factors.items():
        label = f"factor {name!r:.60}"
        if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
            problems.append(Problem(label, f"should be a list of levels, not {given!r:.60}"))
        elif isinstance(given, AbstractSet):
            problems.append(Problem(label, "is a set, which has no order; give a list"))
        else:
            some = itertools.islice(given, MOST_CELLS + 1)  # it may have no end
            levels = tuple(fitted(kind, name, plain(level)) for level in some)
            problems += (Problem(label, message) for message in _level_faults(levels))
            read[name] = levels
    return read, problems


def _level_faults(levels: Sequence[Any]) -> Iterable[str]:
    if not levels:
        yield "has no levels"
    seen: dict[Any, Any] = {}
    for level in levels:
        key = same(level)
        if key in seen:
            equal = "" if repr(level) == repr(seen[key]) else f", equal to {seen[key]!r:.60},"
            yield f"has the level {level!r:.60}{equal} twice; repeats= asks for more of the same"
        seen.setdefault(key, level)


def number_problems(repeats: Any, seed: Any) -> list[Problem]:
    problems = []
    if isinstance(repeats, bool) or not isinstance(repeats, int) or repeats < 1:
        problems.append(Problem("repeats", f"should be a whole number from 1, not {repeats!r:.40}"))
    if isinstance(seed, bool) or not isinstance(seed, int):
        problems.append(Problem("seed", f"should be a whole number, not {seed!r:.40}"))
    return problems


def size_problems(cells: int, repeats: Any, instead: str = "") -> list[Problem]:
    times = repeats if isinstance(repeats, int) else 1
    if cells * max(times, 1) <= MOST_CELLS:
        return []
    count = f"{cells * times:,}" if cells * times < _COUNTED else "far too many"
    return [Problem("", f"would have {count} cells, {MOST_CELLS:,} are allowed{instead}")]


def refuse(problems: Iterable[Problem]) -> None:
    """Raise `InvalidPlan` if there is a problem."""
    if found := list(problems):
        raise InvalidPlan(dict.fromkeys(found, ()))


def unused_advice(kind: type[Request], name: str) -> Problem:
    near = difflib.get_close_matches(name, kind.fields(), n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return Problem(
        f"factor {name!r:.60}",
        f"changes nothing that is sent: it is no field{hint} and stands in no text as "
        f"{{{name:.40}}}; each of its levels buys the same anew",
        hard=False,
    )


def again_advice(again: int, cells: int) -> Problem:
    return Problem(
        "",
        f"{again:,} of {cells:,} combinations send the same as one before them; each is a further "
        "take, bought anew",
        hard=False,
    )
