"""Songs repeat with the seed; their tags follow the rules."""

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


async def all_replies(seed: int) -> Any:
    """Return all replies of a small session as text."""
    async with Simulator(speed=0, epoch=EPOCH, seed=seed) as sim, Caller(sim, "k") as caller:
        replies = [
            await caller.clips(CREATE),
            await caller.studio_songs(STUDIO),
            await caller.finished(await caller.submit(VOCAL, "nuro/create"), "nuro"),
            (await caller.post("sonic/lyrics", {"description": "sea"})).body,
        ]
        return str(replies).replace(sim.url, "")


async def test_equal_seeds_make_equal_songs() -> None:
    assert await all_replies(3) == await all_replies(3) != await all_replies(4)


async def test_two_simulators_share_nothing() -> None:
    async with (
        Simulator(speed=0, balance=50) as first_song,
        Simulator(speed=0, balance=90, seed=1) as two,
        Caller(first_song, "k") as first,
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
        assert first_song.url != two.url


async def test_both_songs_of_a_task_differ(caller: Caller) -> None:
    for _ in range(12):
        first_song, two = await caller.studio_songs({**STUDIO, "prompt": "techno"})
        assert first_song["tags"] != two["tags"]
        assert first_song["id"] != two["id"]
        assert first_song["lyrics"] != two["lyrics"]


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


async def test_list_of_tags_is_the_first_source(caller: Caller) -> None:
    song = (await caller.studio_songs({**STUDIO, "prompt": "Techno, zorblax, sad"}))[1]
    assert next(iter(song["replaced_tags"])) == "Techno, zorblax, sad"


async def test_negative_tags_are_excluded(caller: Caller) -> None:
    body = {"custom_mode": True, "prompt": "la", "mv": "sonic-v5", "tags": "jazz, flute"}
    for _ in range(8):
        for clip in await caller.clips({**body, "negative_tags": "vocal jazz, 1950s, flute"}):
            assert not {"vocal jazz", "1950s", "flute"} & set(clip["tags"].split(", "))


def tag_counts_of(tag: str, rolls: int = 3000) -> Counter[str]:
    rng = Random(tag)
    return Counter(changed for _ in range(rolls) for changed in tag_rewriting.one_pass((tag,), rng))


@pytest.mark.parametrize("tag", ["sad", "spy", "jazz", "dreamy", "handclaps", "techno"])
def test_tag_changes_follow_the_chances_of_the_rules(tag: str) -> None:
    rolls = 3000
    tag_counts = tag_counts_of(tag, rolls)
    rules = [rule for rule in RULES if rule.tag == tag]
    stays = 1.0
    for rule in rules:
        if rule.kind == "add":
            assert tag_counts[rule.to] / rolls == pytest.approx(rule.chance, abs=0.04)
        else:
            if rule.kind == "rewrite":
                assert tag_counts[rule.to] / rolls == pytest.approx(stays * rule.chance, abs=0.04)
            stays *= 1 - rule.chance
    assert tag_counts[tag] / rolls == pytest.approx(stays, abs=0.04)


def test_unknown_tags_are_kept_or_dropped() -> None:
    (rule,) = [rule for rule in RULES if rule.tag == "*"]
    assert tag_counts_of("zorblax")["zorblax"] / 3000 == pytest.approx(1 - rule.chance, abs=0.04)


def test_rules_use_known_tags() -> None:
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
def test_any_prompt_gives_tags_and_valid_steps(prompt: str, seed: int, *, first: bool) -> None:
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
    requested=st.lists(st.sampled_from(sorted(KNOWN)), min_size=1, max_size=10, unique=True),
    seed=st.integers(0, 999),
)
def test_pass_limits_size_and_decades(requested: list[str], seed: int) -> None:
    tags = tag_rewriting.one_pass(requested, Random(seed))
    assert len(tags) <= max(MOST_TAGS, len(requested))
    requested_decades = sum(SPELLINGS.get(tag, tag) in DECADES for tag in requested)
    assert sum(tag in DECADES for tag in tags) <= max(1, requested_decades)


def test_slow_jazz_is_read_as_slow_and_jazz() -> None:
    assert "jazz" in tag_rewriting.sonic_tags("slow jazz", Random(1))
