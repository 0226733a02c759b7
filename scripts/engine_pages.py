"""
Write the page of each engine, `docs/engines/*.md`, from its declarations.

The pages are committed, so that they can be read without a build. `--check` writes nothing and
fails if a page is outdated.
"""

import argparse
import html
import inspect
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine_samples import sample

import musicapi_nb as mnb
from musicapi_nb import markup
from musicapi_nb.engines.arguments import MODE
from musicapi_nb.engines.fields import Field, LimitByModel, label_of
from musicapi_nb.engines.request import Availability, Request
from musicapi_nb.engines.sources import Source

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "engines"

_NOTICE = "<!-- Written by scripts/engine_pages.py from the declarations; edit those instead. -->\n"
_PARAGRAPH = "\n\n"
_MAX_CHOICES = 8  # a longer list is collapsed

Operation = type[Request]


def pages(operations: Sequence[Operation]) -> dict[str, str]:
    """Return every page, file name to text."""
    engines: dict[str, list[Operation]] = {}
    for op in operations:
        engines.setdefault(op.engine, []).append(op)
    texts = {f"{engine}.md": _page(engine, members) for engine, members in engines.items()}
    return {"index.md": _index(engines), **texts}


def _index(engines: dict[str, list[Operation]]) -> str:
    rows = [
        (
            _link(op),
            _docstring(op).partition("\n")[0],
            markup.format_credits(op().price()),
            "unknown" if op.songs is None else str(op.songs or ""),
            op.availability.status if op.availability else "",
        )
        for op in _all(engines)
    ]
    return "\n".join(
        [
            "# Engines\n",
            _NOTICE,
            "All operations of the service. Each is one class that declares its fields, limits and",
            "price; a request is checked before it is sent. `mnb.operations()` shows this table in",
            "a notebook.\n",
            *_table(("request", "what it does", "price", "songs", "status"), rows),
            "\n## By path\n",
            "If a path serves several operations, a field of the body selects one; it is sent",
            "automatically.\n",
            *_table(("path", "with", "request"), sorted(map(_by_path, _all(engines)))),
            "",
        ]
    )


def _all(engines: dict[str, list[Operation]]) -> list[Operation]:
    return [op for operations in engines.values() for op in operations]


def _by_path(op: Operation) -> tuple[str, str, str]:
    return f"`{op.method} {op.path}`", _constants(op), _link(op)


def _link(op: Operation) -> str:
    return f"[`{_name(op)}`]({op.engine}.md#{_anchor(op)})"


def _page(engine: str, operations: Sequence[Operation]) -> str:
    home = f"musicapi_nb.engines.{engine}"
    module = sys.modules[home if home in sys.modules else operations[0].__module__]
    sources = list(dict.fromkeys(source for op in operations for source in _sources(op) if source))
    numbers: dict[Source | None, str] = {
        source: f"{source.read:%Y-%m} [[{number}]](#sources)"
        for number, source in enumerate(sources, 1)
    }
    return "\n".join(
        [
            f"# {engine.capitalize()}\n",
            _NOTICE,
            f"{_without_name((inspect.getdoc(module) or '').partition(_PARAGRAPH)[0])}\n",
            *_engine_availability(operations),
            *(line for op in operations for line in _operation(op, operations[0], numbers)),
            "## Sources\n",
            "Where operations and fields were read, and the age of the text that was read.\n",
            *(
                f"{number}. {source.title}, {source.read:%Y-%m}"
                for number, source in enumerate(sources, 1)
            ),
            "",
        ]
    )


def _sources(op: Operation) -> Iterator[Source | None]:
    yield op.fields_source
    for field in op.fields().values():
        yield field.source or op.fields_source


def _without_name(paragraph: str) -> str:
    """Remove "Sonic:" from a module's first line, which repeats the heading."""
    text = paragraph.partition(": ")[2] or paragraph
    return text[:1].upper() + text[1:]


def _engine_availability(operations: Sequence[Operation]) -> Iterator[str]:
    """Yield a quoted warning if all operations of an engine have the same availability."""
    values = {op.availability for op in operations}
    if len(values) == 1 and (availability := values.pop()):
        yield f"> **{availability.status.capitalize()}.** {_availability(availability)}\n"


def _operation(
    op: Operation, first: Operation, numbers: Mapping[Source | None, str]
) -> Iterator[str]:
    """Yield the section of an operation; fields as in the first one are not described again."""
    yield f"## {_name(op)}\n"
    yield f"{_docstring(op)}\n"
    yield f"- **Sent as** {_sent(op)}"
    yield f"- **Reply:** {_reply(op)}"
    yield f"- **Price:** {_price(op)}"
    if op.availability:
        yield f"- **Status:** {op.availability.status}. {_availability(op.availability)}"
    if op.webhook:
        yield "- **Webhook:** accepts a `webhook_url`"
    yield f"- **Source:** {numbers.get(op.fields_source, 'unknown')}"
    yield ""
    rows = _rows(op, numbers)
    described = {} if op is first else _rows(first, numbers)
    own = [row for name, row in rows.items() if row != described.get(name)]
    if own:
        yield from _table(("field", "label", "what it does", "values", "source"), own)
        yield ""
    if shared := [f"`{name}`" for name, row in rows.items() if row == described.get(name)]:
        yield f"As in [{_name(first)}](#{_anchor(first)}): {', '.join(shared)}.\n"
    request = sample(op)
    yield f"```python\n{_code(request)}\n```\n"
    if op.method == "POST":
        body = json.dumps(request.body(), indent=2, ensure_ascii=False)
        yield f"Request body:\n\n```json\n{body}\n```\n"


def _rows(op: Operation, numbers: Mapping[Source | None, str]) -> dict[str, tuple[str, ...]]:
    return {
        name: (
            _field(name, field),
            label_of(name, field),
            " ".join(filter(None, (field.help, _sentence(field.advice_if_set)))),
            _values(op, name),
            numbers.get(field.source or op.fields_source, "unknown"),
        )
        for name, field in op.fields().items()
    }


def _name(op: Operation) -> str:
    return f"{op.engine}.{op.__name__}"


def _anchor(op: Operation) -> str:
    """Return the anchor that MkDocs and code hosts give the heading."""
    return _name(op).replace(".", "").lower()


def _docstring(op: Operation) -> str:
    return inspect.cleandoc(vars(op)["__doc__"] or "")  # without the fields, which have a table


def _sentence(text: str) -> str:
    return text and text[0].upper() + text[1:].rstrip(".") + "."


def _availability(availability: Availability) -> str:
    return f"{_sentence(availability.note)} Source: {availability.source}."


def _constants(op: Operation) -> str:
    return ", ".join(f"`{json.dumps({name: value})[1:-1]}`" for name, value in op.constants.items())


def _sent(op: Operation) -> str:
    constants = _constants(op)
    return f"`{op.method} {op.path}`" + (f", always with {constants}" if constants else "")


def _reply(op: Operation) -> str:
    songs = "" if not op.songs else f", {op.songs} song{'' if op.songs == 1 else 's'}"
    if op.poll_by_repost:
        return '"not ready" until it is complete; the client repeats the same request'
    if op.reply == "immediate":
        return "immediate, without a task" + (f", {op.songs} texts" if op.songs else "")
    return "a task to wait for" + (songs or "; the number of songs is unknown")


def _price(op: Operation) -> str:
    if op.cost is None:
        return "unknown"
    price = markup.format_credits(op.cost.credits)
    if op.cost.is_assumption:
        price = f"unknown; {price} may be assumed"
    return f"{price}; read on {op.cost.read:%Y-%m-%d}: {op.cost.source}"


def _field(name: str, field: Field) -> str:
    notice = (
        " (required)"
        if field.required and field.preset is None and name != MODE
        else " (recommended)" * bool(field.advice_if_missing)
    )
    synonyms = " or ".join(f"`{synonym}`" for synonym in field.synonyms)
    return f"`{name}`{notice}{f', or {synonyms}' if synonyms else ''}"


_KINDS = {
    "text": "text",
    "text or integer": "text or a whole number",
    "long text": "text",
    "tags": "tags, comma-separated",
    "choice": "",
    "switch": "`True` or `False`",
    "fraction": "a number from 0 to 1",
    "integer": "a whole number",
    "whole seconds": "a whole number of seconds",
    "number": "a number",
    "seconds": "seconds",
    "clip": "the id of a song",
    "clips": "a list of song ids",
    "url": "a public URL",
    "choices": "a list",
    "segments": "a list of `nuro.Segment(name=..., duration=...)`",
    "requests": "a list of requests",
}


def _values(op: Operation, name: str) -> str:
    field = op.fields()[name]
    default = getattr(op(), name) if getattr(op(), name) is not None else field.default
    parts = [
        _KINDS.get(field.kind, field.kind),
        _characters(field),
        "follows from the text" if name == MODE and field.required else "",
        _bounds(field),
        _items(field),
        *(_condition(other, values) for other, values in op.active_when.get(name, {}).items()),
        f"default `{_literal(default)}`" if default is not None else "",
        _choices(field),
        *_renderers(field),
    ]
    return "; ".join(part for part in parts if part).replace("</details>; ", "</details>")


def _characters(field: Field) -> str:
    if isinstance(field.limit, LimitByModel):
        models: dict[int, list[str]] = {}
        for model, limit in field.limit.models.items():
            models.setdefault(limit, []).append(f"`{model}`")
        exceptions = ", ".join(f"{limit} with {' and '.join(models[limit])}" for limit in models)
        return f"up to {field.limit.default} characters ({exceptions})"
    return "" if field.limit is None else f"up to {field.limit} characters"


def _bounds(field: Field) -> str:
    low, high = field.minimum, field.maximum
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    if low is not None:
        return f"at least {low:g}"
    return "" if high is None else f"at most {high:g}"


def _items(field: Field) -> str:
    low, high = field.min_items, field.max_items
    if low is not None and high is not None:
        return f"{low} items" if low == high else f"{low} to {high} items"
    if low is not None:
        return f"at least {low} items"
    return "" if high is None else f"at most {high} items"


def _choices(field: Field) -> str:
    if not field.choices:
        return ""
    others = " (others are allowed)" if field.allow_other else ""
    if len(field.choices) <= _MAX_CHOICES:
        return ", ".join(_choice(field, choice) for choice in field.choices) + others
    of = "of" if field.kind == "choices" else "one of"
    return _collapsed(f"{of} {len(field.choices)}{others}", field.choices)


def _choice(field: Field, choice: str) -> str:
    label = field.option_labels.get(choice, choice)
    return f"`{choice}`" if label.lower() == choice else f"`{choice}` ({label})"


def _collapsed(summary: str, values: Sequence[str]) -> str:
    listed = ", ".join(f"<code>{html.escape(value)}</code>" for value in values)
    return f"<details><summary>{summary}</summary>{listed}</details>"


def _renderers(field: Field) -> Iterator[str]:
    for renderer in dict.fromkeys(field.renderers.values()):
        models = [model for model in field.renderers if field.renderers[model] == renderer]
        older = [model for model in models if model in field.choices]
        yield _collapsed(f"{len(older)} are rendered by {renderer}", older)


def _condition(other: str, values: Sequence[Any]) -> str:
    names = [f"`{other}={_literal(value)}`" for value in values if value is not None]
    default = " or without it" if None in values else ""
    return f"only with {' or '.join(names)}{default}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        cells = (cell.replace("|", "\\|").replace("\n", " ") for cell in row)
        yield f"| {' | '.join(cells)} |"


def _code(request: Request) -> str:
    lines = "".join(f"    {argument},\n" for argument in _arguments(request))
    return f"request = {_name(type(request))}(" + (f"\n{lines})" if lines else ")")


def _arguments(request: Request) -> Iterator[str]:
    defaults = type(request)()
    for name in request.fields():
        if (value := getattr(request, name)) != getattr(defaults, name):
            yield f"{name}={_literal(value)}"


def _literal(value: Any) -> str:
    """Return a value as Python source, with texts in double quotes."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, Request):
        return f"{_name(type(value))}({', '.join(_arguments(value))})"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def stale() -> list[str]:
    """Return the names of the pages that are outdated, missing or superfluous."""
    current = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    expected = pages(mnb.operations())
    names = current.keys() | expected.keys()
    return sorted(name for name in names if current.get(name) != expected.get(name))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if a page is outdated"
    )
    arguments = parser.parse_args()
    names = stale()
    if arguments.check:
        if names:
            sys.exit(f"outdated: {', '.join(names)}; run scripts/engine_pages.py")
        return
    expected = pages(mnb.operations())
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in names:
        if name in expected:
            (FOLDER / name).write_text(expected[name], encoding="utf-8")
            print(f"wrote docs/engines/{name}")
        else:
            (FOLDER / name).unlink()
            print(f"removed docs/engines/{name}")


if __name__ == "__main__":
    main()
