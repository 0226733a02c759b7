"""Songs have the tempo and key that their request asks for: mostly, always or never."""

from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from musicapi_nb.simulator import ReplyOptions, Simulator
from musicapi_nb.simulator.catalog import Call, Catalog
from musicapi_nb.simulator.music.composition import KEYS
from musicapi_nb.simulator.music.recording import Recording, score_of
from musicapi_nb.simulator.replies import Links
from musicapi_nb.simulator.requested_sound import asks_for_instrumental, tempo_and_key
from musicapi_nb.simulator.vocabulary import (
    INSTRUMENTAL_CHANCE,
    KEY_HABITS,
    TEMPO_HABITS,
    TEMPO_SPREAD,
)
from tests.simulator.caller import CREATE, STUDIO, Caller
from tests.simulator.test_operations_sonic import song

TEXT = "slow jazz, 90 bpm, F# minor, instrumental"


def call(habit: Any, seed: str = "s", **body: Any) -> Call:
    catalog = Catalog(ReplyOptions(requested_sound=habit), (3, 4), lambda: 0.0)
    return Call(body, "key", catalog, Links(""), seed)


@pytest.mark.parametrize(
    ("text", "bpm", "key"),
    [
        (TEXT, 90, "F# minor"),
        ("90-100 BPM, Am", 95, "A minor"),
        ("BPM: 128, Bb major", 128, "Bb major"),
        ("♩=72, D flat major", 72, "C# major"),
        ("at 120.5 bpm in Ebm", 120.5, "Eb minor"),
        ("slow jazz, 808s, 1980s", None, None),
        ("900 bpm, 12 bpm, B side", None, None),
    ],
)
def test_requests_are_read(text: str, bpm: float | None, key: str | None) -> None:
    assert tempo_and_key(call("always"), text, "s") == {"bpm": bpm, "key": key}
    assert tempo_and_key(call("never"), text, "s") == {"bpm": None, "key": None}


def test_field_comes_before_the_text() -> None:
    assert tempo_and_key(call("always", bpm=140), TEXT, "s")["bpm"] == 140


def test_habits_have_their_chances() -> None:
    number = 4000
    recordings = [tempo_and_key(call("mostly"), TEXT, str(seed)) for seed in range(number)]
    ratios = [item["bpm"] and item["bpm"] / 90 for item in recordings]
    near = Counter(
        next((r for r in TEMPO_HABITS if r and abs((ratio or 0) / r - 1) < TEMPO_SPREAD + 0.01), 0)
        for ratio in ratios
    )
    chances = {ratio: chance for ratio, chance in TEMPO_HABITS.items() if chance}
    for ratio, chance in chances.items():
        assert near[ratio] / number == pytest.approx(chance, abs=0.025)
    keys = Counter(item["key"] for item in recordings)
    expected = {"F# minor": "exact", "A major": "relative", None: "ignored"}
    for key, habit in expected.items():
        assert keys[key] / number == pytest.approx(KEY_HABITS[habit], abs=0.02)
    assert (keys["B minor"] + keys["C# minor"]) / number == pytest.approx(0.03, abs=0.01)
    wordless = [asks_for_instrumental(call("mostly", str(seed)), TEXT) for seed in range(number)]
    assert sum(wordless) / number == pytest.approx(INSTRUMENTAL_CHANCE, abs=0.02)
    assert not asks_for_instrumental(call("never"), TEXT)
    assert not asks_for_instrumental(call("always"), "jazz, multi-instrumental")


def test_requesting_what_is_drawn_anyway_changes_nothing() -> None:
    drawn = Recording("s", ("jazz",), 6.0, instrumental=False)
    score = score_of(drawn)
    requested = score_of(replace(drawn, bpm=score.bpm, key=score.key))
    assert requested == score
    other = score_of(replace(drawn, bpm=150.0, key="F minor"))
    assert (other.bpm, other.key, other.chords[-1].name) == (150, "F minor", "Fm")


def test_every_key_ends_on_its_tonic() -> None:
    rng = Random(1)
    for mode, keys in KEYS.items():
        key = rng.choice(keys)
        recording = Recording("k", ("pop",), 4.0, instrumental=True, key=key)
        chord = score_of(recording).chords[-1].name
        assert chord == key.split()[0] + ("m" if mode == "minor" else "")


async def test_songs_of_all_engines(caller: Caller, sim: Simulator) -> None:
    sim.reply_options.requested_sound = "always"
    (clip, other) = await caller.clips({**CREATE, "gpt_description_prompt": TEXT})
    (first, _) = await caller.studio_songs({**STUDIO, "prompt": TEXT})
    body = {"sound": TEXT, "bpm": 100, "length": 3}
    task = await caller.submit(body, "producer/create")
    made = (await caller.finished(task, "producer"))["data"][0]
    nuro = {"type": "bgm", "description": TEXT, "duration": 3}
    task = await caller.submit(nuro, "nuro/create")
    tempi = [score_of(song(sim, name).recording).bpm for name in (clip["clip_id"], first["id"])]
    assert tempi == [90, 90]
    assert score_of(song(sim, made["clip_id"]).recording).bpm == 100
    recordings = [item.recording for item in sim.service.catalog.tasks[task].songs]
    assert [score_of(item).key for item in recordings] == ["F# minor"]
    assert clip["lyrics"] == other["lyrics"] == "[Instrumental]"


async def test_without_a_request_nothing_is_set(caller: Caller, sim: Simulator) -> None:
    clips = await caller.clips(CREATE)
    recordings = [song(sim, clip["clip_id"]).recording for clip in clips]
    assert [(item.bpm, item.key) for item in recordings] == [(None, None)] * 2
