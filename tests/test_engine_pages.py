"""The pages of engines: current, complete, and with requests that are true."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import engine_pages
import engine_samples
import pytest

import musicapi_nb as mnb
from musicapi_nb.client import MusicAPI
from musicapi_nb.engines.request import Availability, Field, Request
from musicapi_nb.errors import Problem
from musicapi_nb.simulator import Simulator

PAGES = engine_pages.pages(mnb.operations())
WHOLE = "\n".join(PAGES.values())


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
    active_when: ClassVar[Mapping[str, Mapping[str, tuple[Any, ...]]]] = {"heat": {"lit": (True,)}}

    lit: Annotated[bool | None, Field(kind="switch", required=True, help="Whether it burns.")] = (
        None
    )
    heat: Annotated[int | None, Field(kind="integer", minimum=120, maximum=250, help="Hot.")] = None
    clip_id: Annotated[str | None, Field(kind="clip", help="A clip.")] = None
    url: Annotated[str | None, Field(kind="url", help="Or where it is.")] = None

    def rules(self) -> Any:
        if (self.clip_id is None) == (self.url is None):
            yield Problem("clip_id", "is needed, or url; not both")


def test_the_pages_in_the_folder_are_current() -> None:
    stale = engine_pages.stale()
    assert not stale, f"run scripts/engine_pages.py: {', '.join(stale)}"


def test_every_operation_has_a_section_that_the_index_leads_to() -> None:
    for kind in mnb.operations():
        name = f"{kind.engine}.{kind.__name__}"
        assert f"\n## {name}\n" in PAGES[f"{kind.engine}.md"]
        anchor = name.replace(".", "").lower()
        assert f"[`{name}`]({kind.engine}.md#{anchor})" in PAGES["index.md"]


def test_every_price_says_when_and_where_it_was_read() -> None:
    for kind in mnb.operations():
        if kind.cost:
            said = f"read on {kind.cost.read:%Y-%m-%d}: {kind.cost.source}"
            assert said in PAGES[f"{kind.engine}.md"]
        if kind.availability:
            assert f"Read in: {kind.availability.source}." in PAGES[f"{kind.engine}.md"]


def test_the_python_of_each_sample_makes_the_body_beside_it() -> None:
    names = {kind.engine: getattr(mnb, kind.engine) for kind in mnb.operations()}
    codes = re.findall(r"```python\n(.*?)```", WHOLE, re.DOTALL)
    assert len(codes) == len(mnb.operations())
    for code, body in re.findall(
        r"```python\n([^`]*)```\n\nThe body that it sends:\n\n```json\n(.*?)```", WHOLE, re.DOTALL
    ):
        scope = dict(names)
        exec(code, scope)  # noqa: S102 - our own page
        assert scope["request"].body() == json.loads(body)


async def test_the_simulator_takes_every_sample() -> None:
    """Its checks were written from the service's facts, not from the declarations."""
    samples = [engine_samples.sample(kind) for kind in mnb.operations() if kind.method == "POST"]
    async with Simulator(speed=2500, balance=100_000, seconds=(1.0, 1.2)) as sim:
        sim.reply_options.unknown_clip = "accept"
        async with MusicAPI("sk-of-an-account-0001", base_url=sim.url, speed=2500, pace=0) as api:
            for request in samples:
                await api.submit(request)
        assert len(sim.request_log.paid) == len(samples)


def test_an_operation_of_tomorrow_has_its_page() -> None:
    pages = engine_pages.pages([Roast])
    assert pages.keys() == {"index.md", "oven.md"}
    page = pages["oven.md"]
    assert "> **Deprecated.** Ovens are cold. Read in: a door." in page
    assert "- **Price:** not known" in page
    assert "takes a `webhook_url`" in page
    assert "| `lit` (needed) | Whether it burns. | `True` or `False` |" in page
    assert "a whole number; 120 to 250; only with `lit=True`" in page
    assert "Roast a clip \\| slowly." in pages["index.md"]
    made = engine_samples.sample(Roast)
    assert not [problem for problem in made.problems() if problem.hard]
    assert made.body()["lit"] is True


def test_values_are_spelled_as_the_formatter_would() -> None:
    made = mnb.lyrics.Make(description='a "quiet" sea')
    assert engine_pages._literal([made]) == '[lyrics.Make(description="a \\"quiet\\" sea")]'
    assert engine_pages._literal(["mp3", "wav"]) == '["mp3", "wav"]'
    assert engine_pages._literal(None) == "None"


def test_an_operation_that_nothing_satisfies_is_named() -> None:
    class Never(Roast, frozen=True, kw_only=True):
        def rules(self) -> Any:
            yield Problem("heat", "is never right")

    with pytest.raises(LookupError, match=r"oven\.Never"):
        engine_samples.sample(Never)
