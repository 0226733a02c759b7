"""Advice about model ids that one model renders: comparing them buys the same again. No I/O."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import msgspec

from musicapi_nb.engines import Request
from musicapi_nb.errors import Problem
from musicapi_nb.plan.cells import Cell, purchase_key
from musicapi_nb.plan.traps import bought_again

_MAX_MODELS = 4


def same_renderer_advice(cells: Sequence[Cell]) -> Iterator[Problem]:
    """Yield advice for each model that renders several model ids of a plan, with the price."""
    for kind in dict.fromkeys(type(cell.request) for cell in cells):
        requests = [cell.request for cell in cells if type(cell.request) is kind]
        for name, field in kind.fields().items():
            groups: dict[str, list[Request]] = defaultdict(list)
            for request in requests if field.renderers else ():
                if isinstance(model := getattr(request, name), str | None):  # others are refused
                    groups[field.renderer_of(model)].append(request)
            for renderer, group in groups.items():
                models = sorted({getattr(request, name) or "no model" for request in group})
                if len(models) > 1:
                    again = _bought_again(group, name, renderer)
                    message = _message(renderer, models, again)
                    yield Problem(name, message, hard=False, warn=bool(again))


def _bought_again(requests: Sequence[Request], name: str, renderer: str) -> list[Request]:
    """Return the requests that differ from others in the model id alone.

    Of such requests, those with the most frequent id are what the others repeat.
    """
    purchases: dict[str, dict[str, list[Request]]] = defaultdict(lambda: defaultdict(list))
    keys: dict[int, str] = {}  # equal requests are usually one object
    for request in requests:
        if (key := keys.get(id(request))) is None:
            rendered = msgspec.structs.replace(request, **{name: renderer})
            key = keys[id(request)] = purchase_key(rendered)
        purchases[key][getattr(request, name)].append(request)
    repeats = (sorted(by_model.values(), key=len)[:-1] for by_model in purchases.values())
    return [request for groups in repeats for group in groups for request in group]


def _message(renderer: str, models: Sequence[str], again: Sequence[Request]) -> str:
    more = f" and {len(models) - _MAX_MODELS} more" if len(models) > _MAX_MODELS else ""
    listed = ", ".join(models[:_MAX_MODELS]) + more
    message = f"one model, {renderer}, renders {listed}; comparing these finds nothing"
    if not again:
        return message
    return f"{message}: {bought_again(again)}"
