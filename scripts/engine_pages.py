"""
Write one page for each engine from its declarations: `docs/engines/*.md`.

The pages are kept in git, so that they are read without building anything; `--check` says whether
they are current and writes nothing.
"""

import argparse
import html
import inspect
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from engine_samples import sample

import musicapi_nb as mnb
from musicapi_nb import markup
from musicapi_nb.engines.request import Availability, Field, LimitByModel, Request

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "engines"

_WRITTEN = "<!-- Written by scripts/engine_pages.py from the declarations: change those. -->\n"
_FEW = 8  # more choices than this are folded

Kind = type[Request]


def pages(kinds: Sequence[Kind]) -> dict[str, str]:
    """Return every page, file name to text."""
    engines: dict[str, list[Kind]] = {}
    for kind in kinds:
        engines.setdefault(kind.engine, []).append(kind)
    written = {f"{engine}.md": _page(engine, kinds) for engine, kinds in engines.items()}
    return {"index.md": _index(engines), **written}


def _index(engines: dict[str, list[Kind]]) -> str:
    rows = [
        (
            _link(kind),
            _docstring(kind).partition("\n")[0],
            markup.format_credits(kind().price()),
            "not known" if kind.songs is None else str(kind.songs or ""),
            kind.availability.status if kind.availability else "",
        )
        for kind in _all(engines)
    ]
    return "\n".join(
        [
            "# Engines\n",
            _WRITTEN,
            "Everything that can be asked of the service. Each operation is one class, which knows",
            "its fields, their limits and its price; a request is checked before it is sent.",
            "`mnb.operations()` shows this table in a notebook.\n",
            *_table(("request", "what it does", "price", "songs", "standing"), rows),
            "\n## By path\n",
            "Where a path serves several operations, a field of the body tells them apart;",
            "it is sent by itself.\n",
            *_table(("path", "with", "request"), sorted(map(_by_path, _all(engines)))),
            "",
        ]
    )


def _all(engines: dict[str, list[Kind]]) -> list[Kind]:
    return [kind for kinds in engines.values() for kind in kinds]


def _by_path(kind: Kind) -> tuple[str, str, str]:
    return f"`{kind.method} {kind.path}`", _fixed(kind), _link(kind)


def _link(kind: Kind) -> str:
    return f"[`{_name(kind)}`]({kind.engine}.md#{_anchor(kind)})"


def _page(engine: str, kinds: Sequence[Kind]) -> str:
    home = f"musicapi_nb.engines.{engine}"
    told, facts = _of_module(home if home in sys.modules else kinds[0].__module__)
    return "\n".join(
        [
            f"# {engine.capitalize()}\n",
            _WRITTEN,
            f"{_without_name(told)}\n",
            *_standing_of(kinds),
            *([f"**Where it was read.** {facts}\n"] if facts else []),
            *(line for kind in kinds for line in _operation(kind, facts)),
        ]
    )


def _of_module(name: str) -> tuple[str, str]:
    """Return what a module says of itself first, and from where it has its facts."""
    paragraphs = (inspect.getdoc(sys.modules[name]) or "").split("\n\n")
    facts = [each for each in paragraphs if each.startswith("Facts:")]
    return paragraphs[0], " ".join(facts).removeprefix("Facts:").strip()


def _without_name(paragraph: str) -> str:
    """Leave out "Sonic:" of a module's first line: the page is called that."""
    said = paragraph.partition(": ")[2] or paragraph
    return said[:1].upper() + said[1:]


def _standing_of(kinds: Sequence[Kind]) -> Iterator[str]:
    """Yield a warning that holds for the whole engine; a quotation, which reads anywhere."""
    standings = {kind.availability for kind in kinds}
    if len(standings) == 1 and (standing := standings.pop()):
        yield f"> **{standing.status.capitalize()}.** {_standing(standing)}\n"


def _operation(kind: Kind, known: str) -> Iterator[str]:
    yield f"## {_name(kind)}\n"
    yield f"{_docstring(kind)}\n"
    yield f"- **Sent as** {_sent(kind)}"
    yield f"- **Answer:** {_answer(kind)}"
    yield f"- **Price:** {_price(kind)}"
    if kind.availability:
        yield f"- **Standing:** {kind.availability.status}. {_standing(kind.availability)}"
    if kind.webhook:
        yield "- **Webhook:** takes a `webhook_url`"
    _, facts = _of_module(kind.__module__)
    if facts not in ("", known):  # an engine may be a folder of modules
        yield f"- **Read in:** {' '.join(facts.split())}"
    yield ""
    fields = kind.fields()
    if fields:
        rows = [
            (_field(name, field), field.help, _takes(kind, name)) for name, field in fields.items()
        ]
        yield from _table(("field", "what it does", "what it takes"), rows)
        yield ""
    request = sample(kind)
    yield f"```python\n{_code(request)}\n```\n"
    if kind.method == "POST":
        body = json.dumps(request.body(), indent=2, ensure_ascii=False)
        yield f"The body that it sends:\n\n```json\n{body}\n```\n"


def _name(kind: Kind) -> str:
    return f"{kind.engine}.{kind.__name__}"


def _anchor(kind: Kind) -> str:
    """Spell the heading's anchor as MkDocs and code hosts do."""
    return _name(kind).replace(".", "").lower()


def _docstring(kind: Kind) -> str:
    return inspect.getdoc(kind) or ""


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:].rstrip(".") + "."


def _standing(standing: Availability) -> str:
    return f"{_sentence(standing.note)} Read in: {standing.source}."


def _fixed(kind: Kind) -> str:
    return ", ".join(
        f"`{json.dumps({name: value})[1:-1]}`" for name, value in kind.constants.items()
    )


def _sent(kind: Kind) -> str:
    fixed = _fixed(kind)
    return f"`{kind.method} {kind.path}`" + (f", always with {fixed}" if fixed else "")


def _answer(kind: Kind) -> str:
    songs = "" if not kind.songs else f", {kind.songs} song{'' if kind.songs == 1 else 's'}"
    if kind.poll_by_repost:
        return '"not ready" until it is; the client asks again by the same request'
    if kind.reply == "immediate":
        return "at once, without a task" + (f", {kind.songs} texts" if kind.songs else "")
    return "a task to wait for" + (songs or "; how many songs is not known")


def _price(kind: Kind) -> str:
    if kind.cost is None:
        return "not known"
    price = markup.format_credits(kind.cost.credits)
    return f"{price}; read on {kind.cost.read:%Y-%m-%d}: {kind.cost.source}"


def _field(name: str, field: Field) -> str:
    return f"`{name}`" + (" (needed)" if field.required else "")


_TAKES = {
    "text": "text",
    "long text": "text",
    "tags": "tags, comma-separated",
    "choice": "",
    "switch": "`True` or `False`",
    "fraction": "a number from 0 to 1",
    "integer": "a whole number",
    "number": "a number",
    "seconds": "seconds",
    "clip": "the id of a clip",
    "clips": "a list of ids of clips",
    "url": "a public address",
    "choices": "a list",
    "segments": "a list of `nuro.Segment(name=..., duration=...)`",
    "requests": "a list of requests",
}


def _takes(kind: Kind, name: str) -> str:
    field = kind.fields()[name]
    default = getattr(kind(), name)
    said = [
        _TAKES.get(field.kind, field.kind),
        _characters(field),
        _bounds(field),
        _items(field),
        *(_only_with(other, values) for other, values in kind.active_when.get(name, {}).items()),
        f"`{_literal(default)}` unless given" if default is not None else "",
        _choices(field),
    ]
    return "; ".join(part for part in said if part)


def _characters(field: Field) -> str:
    if isinstance(field.limit, LimitByModel):
        others: dict[int, list[str]] = {}
        for model, limit in field.limit.models.items():
            others.setdefault(limit, []).append(f"`{model}`")
        less = ", ".join(f"{limit} with {' and '.join(names)}" for limit, names in others.items())
        return f"up to {field.limit.otherwise} characters ({less})"
    return "" if field.limit is None else f"up to {field.limit} characters"


def _bounds(field: Field) -> str:
    low, high = field.minimum, field.maximum
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    if low is not None:
        return f"at least {low:g}"
    return "" if high is None else f"at most {high:g}"


def _items(field: Field) -> str:
    least, most = getattr(field, "least", None), field.max_items
    if least is not None and most is not None:
        return f"{least} items" if least == most else f"{least} to {most} items"
    if least is not None:
        return f"at least {least} items"
    return "" if most is None else f"at most {most} items"


def _choices(field: Field) -> str:
    if not field.choices:
        return ""
    others = " (others draw advice)" if field.allow_other else ""
    if len(field.choices) <= _FEW:
        return ", ".join(f"`{choice}`" for choice in field.choices) + others
    listed = ", ".join(f"<code>{html.escape(choice)}</code>" for choice in field.choices)
    of = "of" if field.kind == "choices" else "one of"
    return f"<details><summary>{of} {len(field.choices)}{others}</summary>{listed}</details>"


def _only_with(other: str, values: Sequence[Any]) -> str:
    named = [f"`{other}={_literal(value)}`" for value in values if value is not None]
    unless = " or without it" if None in values else ""
    return f"only with {' or '.join(named)}{unless}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        cells = (cell.replace("|", "\\|").replace("\n", " ") for cell in row)
        yield f"| {' | '.join(cells)} |"


def _code(request: Request) -> str:
    given = "".join(f"    {each},\n" for each in _given(request))
    return f"request = {_name(type(request))}(" + (f"\n{given})" if given else ")")


def _given(request: Request) -> Iterator[str]:
    usual = type(request)()
    for name in request.fields():
        if (value := getattr(request, name)) != getattr(usual, name):
            yield f"{name}={_literal(value)}"


def _literal(value: Any) -> str:
    """Spell a value as the formatter would: texts in double quotes."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, Request):
        return f"{_name(type(value))}({', '.join(_given(value))})"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def stale() -> list[str]:
    """Name the pages that are not as they would be written now."""
    kept = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    now = pages(mnb.operations())
    return sorted(name for name in kept.keys() | now.keys() if kept.get(name) != now.get(name))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if any is stale")
    given = parser.parse_args()
    changed = stale()
    if given.check:
        if changed:
            sys.exit(f"not current: {', '.join(changed)}; run scripts/engine_pages.py")
        return
    now = pages(mnb.operations())
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in changed:
        if name in now:
            (FOLDER / name).write_text(now[name], encoding="utf-8")
        else:
            (FOLDER / name).unlink()
        print(f"wrote docs/engines/{name}" if name in now else f"removed docs/engines/{name}")


if __name__ == "__main__":
    main()
