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

import musicapi_nb as mnb
from musicapi_nb import markup
from musicapi_nb.engines.request import ByModel, Field, Request, Segment, Standing

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "engines"

_WRITTEN = "<!-- Written by scripts/engine_pages.py from the declarations: change those. -->\n"
_FEW = 8  # more choices than this are folded
_CLIPS = ("5a1e7c0d-2f64-4c0b-9d8e-7b3a6f215c90", "c7d2f3b8-91a4-4e6f-8b25-0e4d9a6c1f37")
_LYRICS = "[Verse]\nRain on a tin roof"
_NAMES = ("title", "name")
_ENRICHING = ("title", "tags")
_CREATE = mnb.sonic.Create(
    custom_mode=False, mv="sonic-v6", gpt_description_prompt="rain on a tin roof, slow jazz"
)

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
            markup.in_credits(kind().price()),
            "not known" if kind.songs is None else str(kind.songs or ""),
            kind.standing.word if kind.standing else "",
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
    # An engine may be a module or a folder of modules: each says where its facts are from.
    homes = (f"musicapi_nb.engines.{engine}", *(kind.__module__ for kind in kinds))
    paragraphs = [
        paragraph
        for home in dict.fromkeys(homes)
        if home in sys.modules
        for paragraph in (inspect.getdoc(sys.modules[home]) or "").split("\n\n")
    ]
    told = [paragraph for paragraph in paragraphs if not paragraph.startswith("Facts:")]
    facts = [paragraph for paragraph in paragraphs if paragraph.startswith("Facts:")]
    return "\n".join(
        [
            f"# {engine.capitalize()}\n",
            _WRITTEN,
            *(f"{_without_name(paragraph)}\n" for paragraph in told[:1]),
            *_standing_of(kinds),
            *(f"{_said_where(paragraph)}\n" for paragraph in dict.fromkeys(facts)),
            *(line for kind in kinds for line in _operation(kind)),
        ]
    )


def _without_name(paragraph: str) -> str:
    """Leave out "Sonic:" of a module's first line: the page is called that."""
    said = paragraph.partition(": ")[2] or paragraph
    return said[:1].upper() + said[1:]


def _said_where(facts: str) -> str:
    said = facts.removeprefix("Facts:").strip()
    return f"**Where it was read.** {said}"


def _standing_of(kinds: Sequence[Kind]) -> Iterator[str]:
    """Yield a warning that holds for the whole engine; a quotation, which reads anywhere."""
    standings = {kind.standing for kind in kinds}
    if len(standings) == 1 and (standing := standings.pop()):
        yield f"> **{standing.word.capitalize()}.** {_standing(standing)}\n"


def _operation(kind: Kind) -> Iterator[str]:
    yield f"## {_name(kind)}\n"
    yield f"{_docstring(kind)}\n"
    yield f"- **Sent as** {_sent(kind)}"
    yield f"- **Answer:** {_answer(kind)}"
    yield f"- **Price:** {_price(kind)}"
    if kind.standing:
        yield f"- **Standing:** {kind.standing.word}. {_standing(kind.standing)}"
    if kind.webhook:
        yield "- **Webhook:** takes a `webhook_url`"
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


def _standing(standing: Standing) -> str:
    return f"{_sentence(standing.note)} Read in: {standing.source}."


def _fixed(kind: Kind) -> str:
    return ", ".join(f"`{json.dumps({name: value})[1:-1]}`" for name, value in kind.fixed.items())


def _sent(kind: Kind) -> str:
    fixed = _fixed(kind)
    return f"`{kind.method} {kind.path}`" + (f", always with {fixed}" if fixed else "")


def _answer(kind: Kind) -> str:
    songs = "" if not kind.songs else f", {kind.songs} song{'' if kind.songs == 1 else 's'}"
    if kind.repeats:
        return '"not ready" until it is; the client asks again by the same request'
    if kind.answers == "now":
        return "at once, without a task" + (f", {kind.songs} texts" if kind.songs else "")
    return "a task to wait for" + (songs or "; how many songs is not known")


def _price(kind: Kind) -> str:
    if kind.cost is None:
        return "not known"
    price = markup.in_credits(kind.cost.credits)
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
        *(_only_with(other, values) for other, values in kind.only_with.get(name, {}).items()),
        f"`{_literal(default)}` unless given" if default is not None else "",
        _choices(field),
    ]
    return "; ".join(part for part in said if part)


def _characters(field: Field) -> str:
    if isinstance(field.limit, ByModel):
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
    least, most = getattr(field, "least", None), field.most
    if least is not None and most is not None:
        return f"{least} items" if least == most else f"{least} to {most} items"
    if least is not None:
        return f"at least {least} items"
    return "" if most is None else f"at most {most} items"


def _choices(field: Field) -> str:
    if not field.choices:
        return ""
    others = " (others draw advice)" if field.open_choices else ""
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


def sample(kind: Kind) -> Request:
    """
    Make a request that its own declaration accepts, from nothing but that declaration.

    Required fields come first, then whatever the problems still name, then what makes the sample
    worth reading.

    Raises
    ------
    LookupError
        No such request was found.
    """
    fields = kind.fields()
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if field.required and getattr(kind(), name) is None:
            values = _added(kind, values, name)
    for _ in fields:
        hard = _hard(kind, values)
        if not hard:
            break
        named = [name for name in hard if name in fields and name not in values]
        ways = [_added(kind, values, name) for name in named or fields]
        values = min(ways, key=lambda way: len(_hard(kind, way)))
    if _hard(kind, values):
        raise LookupError(f"no sample of {_name(kind)} was found: {kind(**values).problems()}")
    for name in (*kind.words, *_ENRICHING):
        if name in fields and name not in values:
            richer = _added(kind, values, name)
            made, before = kind(**richer), kind(**values)
            if made.is_of_use(name) and len(made.problems()) <= len(before.problems()):
                values = richer
    return kind(**{name: values[name] for name in fields if name in values})


def _hard(kind: Kind, values: dict[str, Any]) -> list[str]:
    return [problem.field for problem in kind(**values).problems() if problem.hard]


def _added(kind: Kind, values: dict[str, Any], name: str) -> dict[str, Any]:
    """Give a field the value that leaves the fewest problems: the first of the best."""
    ways = [values | {name: value} for value in _candidates(kind.fields()[name], name, values)]
    return min(ways, key=lambda way: len(_hard(kind, way)))


def _candidates(field: Field, name: str, values: dict[str, Any]) -> list[Any]:
    """Values to try: those of the field's kind, then of any kind that is not known here."""
    later = 30 * (1 + sum(type(value) is int for value in values.values()))
    bounds = [int(bound) for bound in (field.minimum, field.maximum) if bound is not None]
    sung = name == "lyrics" or field.help.lower().startswith(("the lyrics", "lyrics"))
    words = _LYRICS if sung else "rain on a tin roof, slow jazz"
    known: dict[str, list[Any]] = {
        "text": [_text(name, words)],
        "long text": [words],
        "tags": ["spy jazz, bossa nova"],
        "choice": list(field.choices),
        "choices": [list(field.choices[:2])],
        "switch": [True, False],
        "fraction": [0.5],
        "integer": [later, *bounds],
        "number": [later, *bounds],
        "seconds": [later, *bounds],
        "clip": list(_CLIPS),
        "url": ["https://example.org/tune.mp3"],
        "segments": [[Segment(name="intro", duration=20)]],
    }
    return known.get(field.kind) or [list(_CLIPS), _CLIPS[0], 1, True, [_CREATE]]


def _text(name: str, words: str) -> str:
    if name.endswith("_id"):
        return _CLIPS[0]
    return "Tin roof" if name in _NAMES else words


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
