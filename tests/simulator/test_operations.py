"""Every operation answers any body, and charges at most once."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from musicapi_nb.simulator import Simulator
from musicapi_nb.simulator.operations import OPERATIONS
from musicapi_nb.tasks import parse_task
from tests.simulator.caller import CREATE, Caller

# A body that every operation accepts, and values that replace those of its fields.
SOUND: dict[str, Any] = {
    **CREATE,
    "prompt": "la",
    "title": "Sea",
    "tags": "pop",
    "lyrics": "la",
    "sound": "house",
    "url": "https://example.org/a.mp3",
    "audio_url": "https://example.org/a.mp3",
    "share_link": "https://suno.com/song/x",
    "description": "a kettle",
    "name": "Ada",
    "chop_sample_start_s": 0,
    "chop_sample_end_s": 1,
    "infill_start_s": 0,
    "infill_end_s": 1,
    "formats": ["mp3"],
    "lyrics_type": "generate",
    "type": "vocal",
    "continue_at": 1,
    "make_instrumental": False,
    "items": [CREATE],
}
CLIPS = ("clip_id", "continue_clip_id", "persona_id", "vox_audio_id")
FIELDS = (
    *SOUND,
    *CLIPS,
    "task_type",
    "mashup_clip_ids",
    "sample_clip_id",
    "auto_concat",
    "auto_lyrics",
    "callback_url",
    "config",
    "duration",
    "ends_at",
    "extend_s",
    "format",
    "infill_lyrics",
    "length",
    "mood",
    "overpainting_start_s",
    "replace_start_time",
    "seed",
    "segments",
    "starts_at",
    "style_weight",
    "styles",
    "variation_category",
    "version",
    "vocal_gender",
    "webhook_url",
)
ARBITRARY = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 400),
    st.floats(allow_nan=False),
    st.sampled_from(["", "x", "http://[", "https://x.invalid/", "remaster", "bgm", "\ud800"]),
    st.just([]),
    st.just([{}]),
    st.just({}),
    st.just(["a", "b"]),
)
UNDECLARED = [
    *(f"{engine}/brand-new" for engine in ("sonic", "studio", "nuro", "producer", "riffusion"))
]


@pytest.mark.parametrize("path", [*OPERATIONS, *UNDECLARED])
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    changes=st.dictionaries(st.sampled_from(FIELDS), ARBITRARY, max_size=3),
    accept_unknown=st.booleans(),
)
def test_any_body_is_answered_and_charged_at_most_once(
    path: str, *, changes: dict[str, Any], accept_unknown: bool
) -> None:
    sim = Simulator(speed=0, seconds=(1, 2))
    sim.reply_options.unknown_clip = "accept" if accept_unknown else "refuse"
    engine, _, _ = path.partition("/")
    model = {"mv": "FUZZ-1.1"} if engine in ("producer", "riffusion") else {}
    body = {**SOUND, **model, **dict.fromkeys(CLIPS, "x"), **changes}
    reply = sim.service.answer("POST", path, "Bearer k", body)
    if reply.status >= 400:
        assert reply.status in (400, 403, 404, 410)
        assert sim.accounts.charged("k") == 0
    elif (path, reply.status) == ("sonic/download", 202):
        assert sim.accounts.charged("k") == 0
    elif path not in ("suno/get-song", "sonic/batch") and "failed_step" not in reply.body:
        (charge,) = sim.accounts.charges("k")
        assert charge.credits > 0
    if isinstance(task_id := reply.body.get("task_id"), str):
        route = "suno/clip" if engine == "suno" else f"{engine}/task"
        for _ in range(3):
            polled = sim.service.answer("GET", f"{route}/{task_id}", "Bearer k", None)
            assert polled.status in (200, 202)
            sim.clock.advance(60)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        *((path, {}) for path in UNDECLARED),
        ("sonic/create", {"task_type": "duet_music", "clip_id": "x", "duration": "long"}),
        ("producer/create", {"task_type": "duet_music", "sound": 5}),
        ("sonic/stems/best", {"title": 3, "prompt": [], "tags": "spy jazz"}),
    ],
)
async def test_undeclared_operation_makes_songs_unless_refused(
    caller: Caller, path: str, body: dict[str, Any]
) -> None:
    engine = path.partition("/")[0]
    task_id = await caller.submit(body, path)
    assert 1000 - await caller.credits() in (10, 12, 15, 20)
    raw = await caller.finished(task_id, engine)
    assert parse_task(raw).state == "succeeded"
    assert parse_task(raw).songs

    caller.sim.reply_options.undeclared = "refuse"
    assert (await caller.post(path, body)).status in (400, 404)


async def test_path_of_no_engine_is_404(caller: Caller) -> None:
    assert (await caller.post("sonci/create", {})).status == 404
