"""Lineage: which purchases were made from which."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from musicapi_nb import sonic, tasks
from musicapi_nb.client import MusicAPI
from musicapi_nb.engines import Request
from musicapi_nb.library import Library
from musicapi_nb.library.lineage import Branch
from musicapi_nb.simulator import EmbeddedSimulator, Simulator
from tests.library.helpers import FAILED, acknowledged, buy, looked, song
from tests.raw_http_server import KEY


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as opened:
        yield opened


def songs(*ids: str, title: str = "Rain") -> dict[str, Any]:
    return {
        "code": 200,
        "data": [
            {
                "clip_id": name,
                "state": "succeeded",
                "title": title,
                "tags": "jazz",
                "duration": 100,
                "mv": "sonic-v5",
                "audio_url": "https://cdn1.suno.ai/a.mp3",
            }
            for name in ids
        ],
    }


def buy_finished(library: Library, request: Request, reply: Any) -> tuple[int, tasks.Task]:
    number = buy(library, request, f"task of {request!r}").entry.id
    task = looked(acknowledged(request, f"task of {request!r}"), reply)
    library.record_poll(number, task)
    return number, task


def as_tuple(branch: Branch) -> tuple[Any, ...]:
    return (branch.entry, branch.source, *map(as_tuple, branch.children))


def test_chain_is_a_tree_with_the_credits_of_each_branch(library: Library) -> None:
    root, first = buy_finished(library, song(), songs("a", "b"))
    longer, second = buy_finished(library, first.songs[1].extend(prompt="more"), songs("c", "d"))
    concat_entry, _ = buy_finished(library, second.songs[0].concat(), songs("e"))
    again, _ = buy_finished(library, first.songs[0].cover(prompt="la"), songs("f", "g"))
    buy_finished(library, song("alone"), songs("x", "y"))
    (tree,) = library.lineage().trees
    assert as_tuple(tree) == (
        root,
        None,
        (longer, "song 2", (concat_entry, "song 1")),
        (again, "song 1"),
    )
    assert [branch.credits for branch in tree.walk()] == [20 + 15 + 2 + 15, 15 + 2, 2, 15]
    assert library.lineage(second.songs[0]) == library.lineage("f") == library.lineage(first)
    ((alone,),) = (library.lineage("x").trees,)
    assert alone.children == ()
    assert library.lineage("unheard of").trees == ()


def test_failed_and_refunded_branch_costs_nothing(library: Library) -> None:
    _, first = buy_finished(library, song(), songs("a", "b"))
    buy_finished(library, first.songs[0].extend(prompt="more"), FAILED)
    (tree,) = library.lineage().trees
    assert (tree.credits, tree.children[0].credits, tree.children[0].state) == (20, 0, "failed")


def test_personas_and_uploaded_clips_are_links(library: Library) -> None:
    _, first = buy_finished(library, song(), songs("a", "b"))
    request = first.songs[0].persona()
    claim = library.claim(request)
    library.record_accepted(
        claim.entry.id, tasks.parse_submit_reply({"code": 200, "persona_id": "p"}, request)
    )
    sung = sonic.PersonaMusic(custom_mode=True, prompt="la", persona_id="p", mv="sonic-v5")
    number, _ = buy_finished(library, sung, songs("c", "d"))
    (tree,) = library.lineage().trees
    assert as_tuple(tree)[2] == (claim.entry.id, "song 1", (number, "persona"))


def test_child_of_two_parents_appears_once(library: Library) -> None:
    first, first_task = buy_finished(library, song(), songs("a", "b"))
    second, two = buy_finished(library, song("other"), songs("c", "d"))
    mixed, _ = buy_finished(
        library, first_task.songs[0].mashup(two.songs[1], prompt="la"), songs("e", "f")
    )
    (tree,) = library.lineage().trees
    assert as_tuple(tree) == (first, None, (mixed, "song 1"))
    assert tree.children[0].other_parents == (second,)
    assert f"and #{second}" in repr(library.lineage())


def test_lineage_card_escapes_titles(library: Library) -> None:
    assert "no follow-up songs yet" in repr(library.lineage())
    evil = "<script>alert(1)</script>\n\x1b[31m"
    _, first = buy_finished(library, song(), songs("a", "b", title=evil))
    buy_finished(library, first.songs[1].extend(prompt="more"), songs("c", "d", title=evil))
    lineage = library.lineage()
    first_line, second_line = repr(lineage).splitlines()
    assert re.search(r"20 credits · 35 with everything made from it · #\d+$", first_line)
    assert second_line.startswith("\u2514 ")
    assert "\x1b" not in repr(lineage)
    assert "<script" not in lineage._repr_html_()
    assert "35 credits" in lineage._repr_html_()


def test_songs_with_several_titles_are_counted(library: Library) -> None:
    _, first = buy_finished(library, song(), songs("a"))
    stems = songs("v", "d", "b")
    for clip, part in zip(stems["data"], ("Vocals", "Drums", "Bass"), strict=True):
        clip["title"] = f"Rain ({part})"
    buy_finished(library, first.songs[0].stems(), stems)
    assert "Stems basic · Rain (Vocals) and 2 more · 3 songs · from its song · " in repr(
        library.lineage()
    )


def test_long_chain_needs_no_recursion(library: Library) -> None:
    _, task = buy_finished(library, song(), songs("s0"))
    for number in range(1, 40):
        _, task = buy_finished(library, task.songs[0].extend(prompt="more"), songs(f"s{number}"))
    (tree,) = library.lineage().trees
    assert tree.credits == 20 + 39 * 15
    depths = [line.count("\u2003") for line in repr(library.lineage()).splitlines()]
    assert depths == [0, *range(39)]


async def test_chain_bought_from_the_simulator_is_linked(library: Library) -> None:
    with EmbeddedSimulator(Simulator(speed=100_000, balance=10_000, seconds=(1, 1))) as sim:
        async with MusicAPI(KEY, base_url=sim.url, pace=0, speed=100_000, ledger=library) as api:
            first = await api.run(song())
            second = await api.run(first.songs[0].extend(prompt="more"))
            await api.run(second.songs[1].cover(tags="bossa nova"))
    (tree,) = library.lineage().trees
    assert [branch.price for branch in tree.walk()] == [20, 15, 15]
    assert [branch.source for branch in tree.walk()] == [None, "song 1", "song 2"]
