"""The engine pages are current and complete, and their example requests are valid."""

import json
import re
from typing import Annotated, Any, ClassVar, Literal

import engine_pages
import engine_samples
import pytest

import musicapi_nb as mnb
from musicapi_nb.client import MusicAPI
from musicapi_nb.engines.fields import Field
from musicapi_nb.engines.request import ActiveWhen, Availability, Request
from musicapi_nb.errors import Problem
from musicapi_nb.simulator import Simulator

PAGES = engine_pages.pages(mnb.operations())
ALL_PAGES = "\n".join(PAGES.values())


class Roast(Request, frozen=True, kw_only=True):
    """Roast a clip | slowly."""

    engine: ClassVar[str] = "oven"
    operation: ClassVar[str] = "roast"
    path: ClassVar[str] = "/api/v1/oven/roast"
    reply: ClassVar[Literal["task", "immediate"]] = "immediate"
    availability: ClassVar[Availability | None] = Availability(
        "deprecated", "ovens are cold", "a door"
    )
    webhook: ClassVar[bool] = True
    active_when: ClassVar[ActiveWhen] = {"heat": {"lit": (True,)}}

    lit: Annotated[bool | None, Field(kind="switch", required=True, help="Whether it is lit.")] = (
        None
    )
    heat: Annotated[int | None, Field(kind="integer", minimum=120, maximum=250, help="Hot.")] = None
    clip_id: Annotated[str | None, Field(kind="clip", help="A clip.")] = None
    url: Annotated[str | None, Field(kind="url", help="Or its URL.")] = None

    def rules(self) -> Any:
        if (self.clip_id is None) == (self.url is None):
            yield Problem("clip_id", "is required unless url is given; not both")


def test_committed_pages_are_current() -> None:
    stale = engine_pages.stale()
    assert not stale, f"run scripts/engine_pages.py: {', '.join(stale)}"


def test_index_links_to_every_operation() -> None:
    for op in mnb.operations():
        name = f"{op.engine}.{op.__name__}"
        assert f"\n## {name}\n" in PAGES[f"{op.engine}.md"]
        anchor = name.replace(".", "").lower()
        assert f"[`{name}`]({op.engine}.md#{anchor})" in PAGES["index.md"]


def test_prices_have_date_and_source() -> None:
    for op in mnb.operations():
        if op.cost:
            line = f"read on {op.cost.read:%Y-%m-%d}: {op.cost.source}"
            assert line in PAGES[f"{op.engine}.md"]
        if op.availability:
            assert f"Source: {op.availability.source}." in PAGES[f"{op.engine}.md"]


@pytest.mark.parametrize("op", mnb.operations(), ids=lambda op: f"{op.engine}.{op.__name__}")
def test_each_field_shows_where_and_when_it_was_read(op: type[Request]) -> None:
    page = PAGES[f"{op.engine}.md"]
    sources = dict(re.findall(r"^(\d+)\. (.*)$", page.partition("\n## Sources\n")[2], re.MULTILINE))
    sections = page.split("\n## ")
    section = next(part for part in sections if part.startswith(f"{op.engine}.{op.__name__}\n"))
    assert op.fields_source
    shown = re.findall(r"^- \*\*(Source):\*\* ([\d-]+) \[\[(\d+)\]\]", section, re.MULTILINE)
    rows = r"^\| `(\w+)`.* ([\d-]+) \[\[(\d+)\]\]\(#sources\) \|$"
    shown += re.findall(rows, section, re.MULTILINE)
    if reference := re.search(r"^As in \[.*: (.*)\.$", section, re.MULTILINE):
        described = re.findall(rows, sections[1], re.MULTILINE)
        shown += [row for row in described if f"`{row[0]}`" in reference[1]]
    expected = {name: field.source or op.fields_source for name, field in op.fields().items()}
    assert {name: (month, sources[number]) for name, month, number in shown} == {
        name: (f"{source.read:%Y-%m}", f"{source.title}, {source.read:%Y-%m}")
        for name, source in {"Source": op.fields_source, **expected}.items()
    }


def test_page_describes_a_shared_field_once_after_create() -> None:
    page = PAGES["sonic.md"]
    assert page.partition("\n## ")[2].startswith("sonic.Create\n")
    assert page.count("| Styles to avoid |") == 6  # once for each source
    assert "| `vocal_gender` | Voice | Who sings. | `f` (Female), `m` (Male) |" in page
    cover = page.partition("\n## sonic.Cover\n")[2].partition("\n## ")[0]
    assert "As in [sonic.Create](#soniccreate): `mv`, " in cover


def test_example_code_produces_the_request_body() -> None:
    names = {op.engine: getattr(mnb, op.engine) for op in mnb.operations()}
    codes = re.findall(r"```python\n(.*?)```", ALL_PAGES, re.DOTALL)
    assert len(codes) == len(mnb.operations())
    for code, body in re.findall(
        r"```python\n([^`]*)```\n\nRequest body:\n\n```json\n(.*?)```", ALL_PAGES, re.DOTALL
    ):
        scope = dict(names)
        exec(code, scope)  # noqa: S102 - our own page
        assert scope["request"].body() == json.loads(body)


async def test_simulator_accepts_every_example() -> None:
    """The simulator's checks were written separately from the declarations."""
    samples = [engine_samples.sample(op) for op in mnb.operations() if op.method == "POST"]
    async with Simulator(speed=2500, balance=100_000, seconds=(1.0, 1.2)) as sim:
        sim.reply_options.unknown_clip = "accept"
        async with MusicAPI("sk-of-an-account-0001", base_url=sim.url, speed=2500, pace=0) as api:
            for request in samples:
                await api.submit(request)
        unpaid = [request.path for request in sim.request_log.posts if request.charge is None]
        assert unpaid == ["/api/v1/sonic/download"]  # it is charged with its files
        assert len(sim.request_log.posts) == len(samples)


def test_new_operation_gets_a_page() -> None:
    pages = engine_pages.pages([Roast])
    assert pages.keys() == {"index.md", "oven.md"}
    page = pages["oven.md"]
    assert "> **Deprecated.** Ovens are cold. Source: a door." in page
    assert "- **Price:** unknown" in page
    assert "accepts a `webhook_url`" in page
    assert "| `lit` (required) | Lit | Whether it is lit. | `True` or `False` | unknown |" in page
    assert "a whole number; 120 to 250; only with `lit=True`" in page
    assert "Roast a clip \\| slowly." in pages["index.md"]
    request = engine_samples.sample(Roast)
    assert not [problem for problem in request.problems() if problem.hard]
    assert request.body()["lit"] is True


def test_values_are_python_source() -> None:
    request = mnb.lyrics.Make(description='a "quiet" sea')
    assert engine_pages._literal([request]) == '[lyrics.Make(description="a \\"quiet\\" sea")]'
    assert engine_pages._literal(["mp3", "wav"]) == '["mp3", "wav"]'
    assert engine_pages._literal(None) == "None"


def test_unsatisfiable_operation_is_named_in_the_error() -> None:
    class Never(Roast, frozen=True, kw_only=True):
        def rules(self) -> Any:
            yield Problem("heat", "is never right")

    with pytest.raises(LookupError, match=r"oven\.Never"):
        engine_samples.sample(Never)
