"""A valid request of every operation, with its expected path, body, songs and price."""

from typing import Any

from musicapi_nb.engines import Request, account, lyrics, nuro, producer, riffusion, sonic, studio

DESCRIBED: dict[str, Any] = {
    "custom_mode": False,
    "gpt_description_prompt": "rain on tin",
    "mv": "sonic-v6",
}
WRITTEN: dict[str, Any] = {"custom_mode": True, "prompt": "[Verse]\nla la", "mv": "sonic-v6"}
FROM_CLIP: dict[str, Any] = {**WRITTEN, "continue_clip_id": "c1"}
STUDIO: dict[str, Any] = {"prompt": "spy jazz", "model_type": "studio130-v1.5"}
STRENGTHS = {
    "prompt_strength": 0.5,
    "clarity_strength": 0.25,
    "lyrics_strength": 0.5,
    "generation_quality": 0.75,
}
SONIC_CREATE, REGULAR = "/api/v1/sonic/create", {"config": {"mode": "regular"}}
PRODUCER_CREATE, RIFFUSION_CREATE = "/api/v1/producer/create", "/api/v1/riffusion/create"
TUNE = "https://example.org/a.mp3"
CDN = {"use_suno_cdn": False}

# request, path, constants in the body, songs, credits
SECTION = sonic.ReplaceSection(
    clip_id="c1",
    mv="sonic-v6",
    infill_start_s=0.25,
    infill_end_s=0.75,
    infill_lyrics="la la",
    prompt="[Verse]\nla la",
    title="Rain",
    tags="jazz",
)
RIFFUSION_SONG = riffusion.Create(
    custom_mode=True,
    lyrics="la la",
    sound="jazz",
    title="Rain",
    mv="FUZZ-1.1 Pro",
    vocal_variation=0.5,
)
VALID: list[tuple[Request, str, dict[str, Any], int | None, int | None]] = [
    (sonic.Create(**DESCRIBED), SONIC_CREATE, {"task_type": "create_music", **CDN}, 2, 20),
    (
        sonic.Create(**WRITTEN, tags="jazz", title="Rain"),
        SONIC_CREATE,
        {"task_type": "create_music", **CDN},
        2,
        20,
    ),
    (
        sonic.Extend(**FROM_CLIP, continue_at=30),
        SONIC_CREATE,
        {"task_type": "extend_music", **CDN},
        2,
        15,
    ),
    (
        sonic.ExtendUpload(**FROM_CLIP, continue_at=30.5),
        SONIC_CREATE,
        {"task_type": "extend_upload_music", **CDN},
        2,
        15,
    ),
    (
        sonic.Concat(continue_clip_id="c1"),
        SONIC_CREATE,
        {"task_type": "concat_music", **CDN},
        None,
        2,
    ),
    (sonic.Cover(**FROM_CLIP), SONIC_CREATE, {"task_type": "cover_music", **CDN}, 2, 15),
    (
        sonic.CoverUpload(**FROM_CLIP),
        SONIC_CREATE,
        {"task_type": "cover_upload_music", **CDN},
        2,
        15,
    ),
    (
        sonic.PersonaMusic(**WRITTEN, persona_id="p1"),
        SONIC_CREATE,
        {"task_type": "persona_music", **CDN},
        2,
        15,
    ),
    (sonic.CreatePersona(name="Ada", clip_id="c1"), "/api/v1/sonic/persona", {}, 0, 1),
    (sonic.Upload(url=TUNE), "/api/v1/sonic/upload", {}, 0, 2),
    (
        sonic.Create(
            **WRITTEN,
            vocal_gender="f",
            style_weight=0,
            weirdness_constraint=1,
            use_suno_cdn=True,
            duration=10,
        ),
        SONIC_CREATE,
        {"task_type": "create_music"},
        2,
        20,
    ),
    (
        sonic.Create(
            custom_mode=True, prompt="a harbour at night", mv="sonic-v6", auto_lyrics=True
        ),
        SONIC_CREATE,
        {"task_type": "create_music", **CDN},
        2,
        20,
    ),
    (
        sonic.AddVocals(**FROM_CLIP, audio_weight=0.5),
        SONIC_CREATE,
        {"task_type": "add_vocals", **CDN},
        None,
        15,
    ),
    (
        sonic.AddInstrumental(
            **{**FROM_CLIP, "mv": "sonic-v5"}, overpainting_start_s=0, overpainting_end_s=0.75
        ),
        SONIC_CREATE,
        {"task_type": "add_instrumental", **CDN},
        None,
        15,
    ),
    (
        sonic.Remaster(continue_clip_id="c1", mv="sonic-v5", variation_category="subtle"),
        SONIC_CREATE,
        {"task_type": "remaster", **CDN},
        None,
        15,
    ),
    (
        sonic.UploadExtend(**WRITTEN, url=TUNE, continue_at=30, auto_concat=True, duration=10),
        "/api/v1/sonic/upload-extend",
        CDN,
        2,
        None,
    ),
    (
        sonic.UploadCover(**DESCRIBED, url=TUNE, audio_weight=1),
        "/api/v1/sonic/upload-cover",
        CDN,
        2,
        None,
    ),
    (
        sonic.Sample(
            **DESCRIBED,
            make_instrumental=False,
            sample_clip_id="c1",
            chop_sample_start_s=1.5,
            chop_sample_end_s=9,
        ),
        "/api/v1/sonic/sample",
        CDN,
        2,
        None,
    ),
    (sonic.Mashup(**DESCRIBED, mashup_clip_ids=["c1", "c2"]), "/api/v1/sonic/mashup", CDN, 2, None),
    (SECTION, "/api/v1/sonic/replace-section", {}, 2, None),
    (sonic.CreateVoice(audio_url=TUNE), "/api/v1/sonic/create-voice", {}, 0, 4),
    (
        sonic.CreatePersona(
            name="Ada",
            clip_id="c1",
            describe="warm",
            styles="jazz",
            vox_audio_id="v1",
            vocal_start_s=0,
            vocal_end_s=20,
        ),
        "/api/v1/sonic/persona",
        {},
        0,
        1,
    ),
    (sonic.Vox(clip_id="c1", vocal_start_s=0, vocal_end_s=30), "/api/v1/sonic/vox", {}, 0, 1),
    (sonic.Bpm(clip_id="c1"), "/api/v1/sonic/bpm", {}, 0, 1),
    (sonic.Midi(clip_id="c1"), "/api/v1/sonic/midi", {}, 0, 1),
    (sonic.Wav(clip_id="c1"), "/api/v1/sonic/wav", {}, 0, 2),
    (sonic.AlignedLyrics(clip_id="c1"), "/api/v1/sonic/aligned-lyrics", {}, 0, 1),
    (sonic.UpsampleTags(tags="spy jazz"), "/api/v1/sonic/upsample-tags", {}, 0, 1),
    (sonic.StemsBasic(clip_id="c1"), "/api/v1/sonic/stems/basic", {}, None, 30),
    (sonic.StemsFull(clip_id="c1"), "/api/v1/sonic/stems/full", {}, None, 75),
    (sonic.Download(clip_id="c1", formats=["mp3", "wav"]), "/api/v1/sonic/download", {}, 0, None),
    (
        sonic.Batch(items=[sonic.Create(**DESCRIBED), sonic.Create(**WRITTEN)]),
        "/api/v1/sonic/batch",
        {
            "items": [
                {"task_type": "create_music", **CDN, **DESCRIBED},
                {"task_type": "create_music", **CDN, **WRITTEN},
            ]
        },
        None,
        40,
    ),
    (
        producer.Create(sound="slow jazz, brushes"),
        PRODUCER_CREATE,
        {"task_type": "create_music"},
        1,
        12,
    ),
    (
        producer.Create(
            lyrics="la la",
            mv="Lyria 3 Pro",
            title="Rain",
            seed="7",
            sound_strength=0.2,
            lyrics_strength=0,
            weirdness=1,
            make_instrumental=False,
            bpm=90,
            length=10,
        ),
        PRODUCER_CREATE,
        {"task_type": "create_music"},
        1,
        12,
    ),
    (
        producer.Extend(clip_id="c1", sound="jazz", starts_at=30.5, extend_s=20, bpm=90.5),
        PRODUCER_CREATE,
        {"task_type": "extend_music"},
        1,
        12,
    ),
    (
        producer.ExtendUpload(clip_id="c1", sound="jazz", starts_at=30),
        PRODUCER_CREATE,
        {"task_type": "extend_upload_music"},
        1,
        12,
    ),
    (
        producer.Replace(
            clip_id="c1", sound="jazz", starts_at=5, ends_at=15, instruction="a trumpet"
        ),
        PRODUCER_CREATE,
        {"task_type": "replace_music"},
        1,
        12,
    ),
    (
        producer.ReplaceUpload(clip_id="c1", lyrics="la", starts_at=5, ends_at=15),
        PRODUCER_CREATE,
        {"task_type": "replace_upload_music"},
        1,
        12,
    ),
    (
        producer.Cover(clip_id="c1", instruction="as slow jazz", strength=0.7, title="Rain"),
        PRODUCER_CREATE,
        {"task_type": "cover_music"},
        1,
        None,
    ),
    (
        producer.CoverUpload(clip_id="c1", instruction="as slow jazz"),
        PRODUCER_CREATE,
        {"task_type": "cover_upload_music"},
        1,
        None,
    ),
    (producer.Upload(audio_url=TUNE), "/api/v1/producer/upload", {}, 0, 2),
    (producer.Download(clip_id="c1", format="wav"), "/api/v1/producer/download", {}, 0, 2),
    (RIFFUSION_SONG, RIFFUSION_CREATE, {}, 2, 12),
    (
        riffusion.Create(
            custom_mode=False,
            prompt="rain on tin",
            task_type="extend_music",
            continue_clip_id="c1",
            continue_at=30,
        ),
        RIFFUSION_CREATE,
        {},
        2,
        12,
    ),
    (riffusion.Upload(url=TUNE), "/api/v1/riffusion/upload", {}, 0, None),
    (
        studio.Description(**STUDIO),
        "/api/v1/studio/create",
        {**STRENGTHS, **REGULAR, "lyrics_type": "generate"},
        2,
        15,
    ),
    (
        studio.Custom(**STUDIO, lyrics="la"),
        "/api/v1/studio/create",
        {**STRENGTHS, **REGULAR, "lyrics_type": "user"},
        2,
        15,
    ),
    (
        studio.Instrumental(**STUDIO),
        "/api/v1/studio/create",
        {**STRENGTHS, **REGULAR, "lyrics_type": "instrumental"},
        2,
        15,
    ),
    (lyrics.Make(description="rain on tin"), "/api/v1/sonic/lyrics", {}, 2, 2),
    (nuro.Vocal(lyrics="la " * 200), "/api/v1/nuro/create", {"type": "vocal"}, 1, 10),
    (
        nuro.Instrumental(description="calm", genre=["jazz"]),
        "/api/v1/nuro/create",
        {"type": "bgm"},
        1,
        10,
    ),
    (account.Credits(), "/api/v1/get-credits", {}, 0, 0),
]
EXTENDED = studio.Extend(**STUDIO, song_id="s1", context_length=20)
REQUESTS = [*(case[0] for case in VALID), EXTENDED]
NAMES = [
    f"{request.engine}.{type(request).__name__}-{index}" for index, request in enumerate(REQUESTS)
]
