"""What is made: the same again from the same seed, tags by the stated rules, words that rhyme."""

from collections import Counter
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicapi_nb.simulator import Simulator, tag_rewriting
from musicapi_nb.simulator.vocabulary import (
    COMPOUNDS,
    DECADES,
    GENRES,
    INSTRUMENTS,
    KNOWN,
    MOODS,
    MOST_TAGS,
    RULES,
    SPELLINGS,
)
from tests.simulator.caller import CREATE, STUDIO, VOCAL, Caller
from tests.simulator.conftest import EPOCH


async def everything(seed: int) -> Any:
    """All replies of one small session."""
    async with Simulator(speed=0, epoch=EPOCH, seed=seed) as sim, Caller(sim, "k") as caller:
        made = [
            await caller.clips(CREATE),
            await caller.studio_songs(STUDIO),
            await caller.finished(await caller.submit(VOCAL, "nuro/create"), "nuro"),
            (await caller.post("sonic/lyrics", {"description": "sea"})).body,
        ]
        return str(made).replace(sim.url, "")


async def test_same_seed_same_songs() -> None:
    assert await everything(3) == await everything(3) != await everything(4)


async def test_two_simulators_side_by_side_share_nothing() -> None:
    async with (
        Simulator(speed=0, balance=50) as one,
        Simulator(speed=0, balance=90, seed=1) as two,
        Caller(one, "k") as first,
        Caller(two, "k") as second,
    ):
        task_id = await first.submit(CREATE)
        two.faults.arm("server_error")
        two.clock.advance(600)
        assert await first.credits() == 30
        assert (await second.get("get-credits")).status == 500
        assert await second.credits() == 90
        assert (await second.get(f"sonic/task/{task_id}")).status == 400
        assert (await first.get(f"sonic/task/{task_id}")).status == 202
        assert one.url != two.url


async def test_both_songs_of_a_task_differ(caller: Caller) -> None:
    for _ in range(12):
        one, two = await caller.studio_songs({**STUDIO, "prompt": "techno"})
        assert one["tags"] != two["tags"]
        assert one["id"] != two["id"]
        assert one["lyrics"] != two["lyrics"]


async def test_steps_of_replaced_tags_chain_as_in_the_sample(caller: Caller) -> None:
    lengths: Counter[int] = Counter()
    for _ in range(30):
        songs = await caller.studio_songs(STUDIO)
        first_keys = [next(iter(song["replaced_tags"])) for song in songs]
        assert first_keys == ["jazz, bossa nova, spy", "spy jazz, bossa nova"]
        for song in songs:
            steps = list(song["replaced_tags"].items())
            lengths[len(steps)] += 1
            for (_, before), (source, _) in pairwise(steps):
                assert source == ", ".join(before["tags"])
            assert song["tags"] == steps[-1][1]["tags"]
        caller.sim.accounts.deposit("key-a", 15)
    assert set(lengths) == {1, 2, 3}


async def test_a_list_of_tags_is_taken_as_it_was_asked(caller: Caller) -> None:
    song = (await caller.studio_songs({**STUDIO, "prompt": "Techno, zorblax, sad"}))[1]
    assert next(iter(song["replaced_tags"])) == "Techno, zorblax, sad"


async def test_negative_tags_stay_away(caller: Caller) -> None:
    body = {"custom_mode": True, "prompt": "la", "mv": "sonic-v5", "tags": "jazz, flute"}
    for _ in range(8):
        for clip in await caller.clips({**body, "negative_tags": "vocal jazz, 1950s, flute"}):
            assert not {"vocal jazz", "1950s", "flute"} & set(clip["tags"].split(", "))


def chances(tag: str, rolls: int = 3000) -> Counter[str]:
    rng = Random(tag)
    return Counter(found for _ in range(rolls) for found in tag_rewriting.one_pass((tag,), rng))


@pytest.mark.parametrize("tag", ["sad", "spy", "jazz", "dreamy", "handclaps", "techno"])
def test_tags_change_as_often_as_the_rules_say(tag: str) -> None:
    rolls = 3000
    seen = chances(tag, rolls)
    rules = [rule for rule in RULES if rule.tag == tag]
    stays = 1.0
    for rule in rules:
        if rule.kind == "add":
            assert seen[rule.to] / rolls == pytest.approx(rule.chance, abs=0.04)
        else:
            if rule.kind == "rewrite":
                assert seen[rule.to] / rolls == pytest.approx(stays * rule.chance, abs=0.04)
            stays *= 1 - rule.chance
    assert seen[tag] / rolls == pytest.approx(stays, abs=0.04)


def test_unknown_words_are_kept_or_dropped() -> None:
    (rule,) = [rule for rule in RULES if rule.tag == "*"]
    assert chances("zorblax")["zorblax"] / 3000 == pytest.approx(1 - rule.chance, abs=0.04)


def test_the_rules_speak_of_tags_that_exist() -> None:
    for rule in RULES:
        assert rule.tag in KNOWN | {"*"}
        assert 0 < rule.chance < 1
        assert (rule.to == "") == (rule.kind == "drop")
    assert {genre.decade for genre in GENRES.values()} <= set(DECADES)
    assert set(SPELLINGS.values()) <= KNOWN - set(SPELLINGS)
    assert set(COMPOUNDS) <= set(GENRES)
    assert not set(GENRES) & set(MOODS)
    assert not set(GENRES) & set(INSTRUMENTS)


@given(prompt=st.text(max_size=60), seed=st.integers(0, 999), first=st.booleans())
@settings(deadline=None)
def test_any_prompt_ends_in_tags_and_well_formed_steps(
    prompt: str, seed: int, *, first: bool
) -> None:
    steps = tag_rewriting.studio_steps(prompt or "x", Random(seed), first=first)
    assert 1 <= len(steps) <= 3
    assert len({step.source for step in steps}) == len(steps)
    for before, after in pairwise(steps):
        assert after.source == ", ".join(before.tags)
    for step in steps:
        assert step.tags
        assert len(set(step.tags)) == len(step.tags)
    again = tag_rewriting.differing_steps(steps, steps[-1].tags, Random(seed))
    assert again[-1].tags != steps[-1].tags
    assert tag_rewriting.sonic_tags(prompt, Random(seed))
    assert tag_rewriting.described_tags(prompt, Random(seed))


@given(
    asked=st.lists(st.sampled_from(sorted(KNOWN)), min_size=1, max_size=10, unique=True),
    seed=st.integers(0, 999),
)
def test_a_pass_keeps_to_its_size_and_to_one_decade(asked: list[str], seed: int) -> None:
    found = tag_rewriting.one_pass(asked, Random(seed))
    assert len(found) <= max(MOST_TAGS, len(asked))
    given_decades = sum(SPELLINGS.get(tag, tag) in DECADES for tag in asked)
    assert sum(tag in DECADES for tag in found) <= max(1, given_decades)


def test_slow_jazz_is_read_as_slow_and_jazz() -> None:
    assert "jazz" in tag_rewriting.sonic_tags("slow jazz", Random(1))
