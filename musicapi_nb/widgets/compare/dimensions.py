"""What can head the rows and columns of a board: factors, and fields of the requests."""

import dataclasses
import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from musicapi_nb.engines import Field, Request, model_of
from musicapi_nb.engines.fields import label_of
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.tasks import Song
from musicapi_nb.widgets.songs_of import SongItem, level_text

Names: TypeAlias = str | Sequence[str] | None
Factors: TypeAlias = Mapping[str, Sequence[str]]
_PROMPT, _MODEL, _STYLES = "prompt", "model", "styles"
_FACTOR_NAMES = {  # by which a plan may vary the same
    _PROMPT: ("prompt", "gpt_description_prompt", "description", "lyrics"),
    _MODEL: ("model", "mv", "model_type"),
    _STYLES: ("styles", "tags", "sound"),
}
_MAX_COLUMNS = 4  # that are chosen by default: more do not fit beside each other on a laptop


@dataclasses.dataclass(frozen=True, slots=True)
class Origin:
    """What a song was made from, or would have been: factor levels and request."""

    levels: Mapping[str, str]
    request: Request | None
    song: Song | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Dimension:
    """A factor or field: its value for each origin, and the order of its values, if it has one.

    `label` is its name for people.
    """

    name: str
    label: str
    value: Callable[[Origin], str]
    order: tuple[str, ...] = ()
    is_factor: bool = False


def origin_of(item: SongItem) -> Origin:
    """Return the origin of a song."""
    request = item.request
    return Origin(item.levels, request, item.song)


def choose_dimensions(
    factors: Factors, origins: Iterable[Origin], rows: Names, columns: Names
) -> tuple[tuple[Dimension, ...], tuple[Dimension, ...]]:
    """Return the dimensions down and across the board; those that are None are chosen.

    Down goes the factor with the most levels (the text of the requests if there is no factor), and
    across the model and every other factor, as long as there are at most four columns.
    """
    choices = _choices(factors, origins)
    down, across = _find(rows, "rows", choices), _find(columns, "columns", choices)
    used = [dimension.name for dimension in (*down, *across)]
    if len(set(used)) < len(used):
        raise InvalidArgument("a factor or field is used once, in rows or in columns")
    varied = [
        choices[name] for name, levels in factors.items() if len(levels) > 1 and name not in used
    ]
    varied.sort(key=lambda factor: -len(factor.order))
    model = choices[_MODEL]
    others = [factor for factor in varied if factor is not model]
    if rows is None and columns is None:
        down, others = others[:1], others[1:]
    if columns is None:
        has_model = model in varied or (not others and model.name not in used)
        across, others = _fill_columns([model] if has_model else [], others)
    elif model in varied:
        others.append(model)
    if rows is None:
        down = [*down, *others]
    spare = (choices[_PROMPT], model)
    down = down or [_first_unused(spare, across)]
    across = across or [_first_unused(spare, down)]
    return tuple(down), tuple(across)


def _fill_columns(
    across: list[Dimension], others: Sequence[Dimension]
) -> tuple[list[Dimension], list[Dimension]]:
    """Add factors to the dimensions across; return these, and the factors that do not fit."""
    rest = []
    for factor in others:
        number = math.prod(len(dimension.order) for dimension in (*across, factor))
        if across and number > _MAX_COLUMNS:
            rest.append(factor)
        else:
            across = [factor, *across]  # so that songs of the models are beside each other
    return across, rest


def _first_unused(spare: Iterable[Dimension], used: Iterable[Dimension]) -> Dimension:
    names = [dimension.name for dimension in used]
    return next(dimension for dimension in spare if dimension.name not in names)


def _find(names: Names, argument: str, choices: Mapping[str, Dimension]) -> list[Dimension]:
    """Look up the dimensions that the user names."""
    listed = [] if names is None else [names] if isinstance(names, str) else list(names)
    for name in listed:
        if name not in choices:
            raise InvalidArgument(_unknown_name(name, argument, choices))
    if names is not None and not listed:
        raise InvalidArgument(f"{argument} is empty; name at least one factor or field")
    return [choices[name] for name in listed]


def _unknown_name(name: Any, argument: str, choices: Mapping[str, Dimension]) -> str:
    near = difflib.get_close_matches(name, choices, n=1) if isinstance(name, str) else []
    hint = f"; did you mean {near[0]!r}?" if near else "."
    first_names = {id(choices[choice]): choice for choice in reversed(list(choices))}
    names = first_names.values()
    factors = [choice for choice in choices if choice in names and choices[choice].is_factor]
    fields = [choice for choice in choices if choice in names and choice not in factors]
    listed = [f"factors: {', '.join(factors)}"] if factors else []
    listed += [f"fields of the requests: {', '.join(fields)}"] if fields else []
    return (
        f"{argument}: these songs have no factor or field {name!r:.60}{hint} "
        f"Choose one or several of the {'; '.join(listed)}"
    )


def _choices(factors: Factors, origins: Iterable[Origin]) -> dict[str, Dimension]:
    """Return the dimensions that these songs have, by name and by label; factors come first.

    "prompt", "model" and "styles" stand for the field of that meaning in each operation.
    """
    requests = {id(origin.request): origin.request for origin in origins if origin.request}
    kinds: set[type[Request]] = set(map(type, requests.values()))
    labels = {
        name: _label(name, field)
        for kind in sorted(kinds, key=lambda kind: kind.__name__)
        for name, field in kind.fields().items()
    }
    choices = {
        name: Dimension(name, labels.get(name, name), _factor_value(name), tuple(levels), True)
        for name, levels in factors.items()
    }
    for name, value in ((_PROMPT, _prompt), (_MODEL, _model), (_STYLES, _styles)):
        factor = next((choices[other] for other in _FACTOR_NAMES[name] if other in factors), None)
        choices.setdefault(name, factor or Dimension(name, name, value))
    for name in _FACTOR_NAMES[_MODEL]:
        if name in labels:
            choices.setdefault(name, choices[_MODEL])
    for name, label in labels.items():
        is_set = any(getattr(request, name, None) is not None for request in requests.values())
        if is_set and name not in factors:
            field = choices.get(name) or Dimension(name, label, _field_value(name))
            if label.isidentifier():
                choices.setdefault(label, field)
            choices.setdefault(name, field)
    return choices


def _label(name: str, field: Field) -> str:
    """Return the name of a field for people, as in the form; factors are written small too."""
    label = label_of(name, field)
    return label[0].lower() + label[1:]


def _factor_value(name: str) -> Callable[[Origin], str]:
    return lambda origin: origin.levels.get(name) or level_text(None)


def _field_value(name: str) -> Callable[[Origin], str]:
    def value(origin: Origin) -> str:
        content = getattr(origin.request, name, None)
        return _text(", ".join(map(str, content)) if isinstance(content, list) else content)

    return value


def _prompt(origin: Origin) -> str:
    """Return the text of the request: the lyrics, or else the description or the styles."""
    request, song = origin.request, origin.song
    if request is None:
        return _text(song.prompt if song else None)
    names = [*request.text_fields, *request.tag_fields]
    return _text(next(filter(None, (request.text_of([name]) for name in names)), None))


def _model(origin: Origin) -> str:
    """Return the requested model; the reply's is another name of it."""
    requested = model_of(origin.request) if origin.request else None
    song = origin.song
    return _text(requested or (song and (song.model or song.engine)) or None)


def _styles(origin: Origin) -> str:
    request = origin.request
    return _text(request.text_of(request.tag_fields) if request else None)


def _text(value: Any) -> str:
    """Return a value as text that is not cut: long lyrics may differ only at their end."""
    return level_text(None) if value is None else str(value).strip() or level_text("")
