"""The columns of `audio_features`, over songs of the simulator and files that are no sound."""

from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

import musicapi_nb as mnb
from musicapi_nb import sonic
from musicapi_nb.audio.units import LABELS
from musicapi_nb.frames.text_dtype import as_dtype
from musicapi_nb.measures.feature_columns import COLUMNS
from musicapi_nb.simulator import Simulator

DTYPES = {name: as_dtype(kind) for name, kind in {**COLUMNS, "issue": "str"}.items()}


def test_features_of_a_run_are_columns_and_outcomes(tmp_path: Path) -> None:
    api = mnb.connect(
        simulator=Simulator(seconds=(5, 5.1), speed=3000, seed=1), library=tmp_path / "library"
    )
    base = {"custom_mode": False, "gpt_description_prompt": "{bpm} bpm, rain"}
    plan = mnb.Plan.grid(sonic.Create, base=base, factors={"bpm": [80, 120]}, repeats=2)
    run = api.experiment("tempi", plan)
    empty = mnb.audio_features(run)
    assert empty.dtypes.iloc[-len(DTYPES) :].to_dict() == DTYPES
    run.start().result()
    table = mnb.audio_features(run, workers=1, progress=False)
    names = ["cell", "block", "take", "bpm", "task_id", "song_id", "song_position", "simulated"]
    assert list(table.columns) == [*names, "title", *DTYPES]
    assert table.dtypes.iloc[-len(DTYPES) :].to_dict() == DTYPES
    assert table["issue"].isna().all()
    assert np.allclose(table["seconds"], run.songs()["duration"], atol=0.05)
    stored = run.measures()
    pd.testing.assert_frame_equal(stored[list(COLUMNS)], table[list(COLUMNS)])
    effects = run.effects("bpm", outcomes=["loudness", "seconds"])
    assert effects["songs"].tolist() == [4, 4]
    assert effects["tasks"].tolist() == [2, 2]
    api.close()


def test_factor_named_like_a_feature_is_the_requested_one(tmp_path: Path) -> None:
    api = mnb.connect(simulator=Simulator(speed=3000), library=tmp_path / "library")
    base = {"custom_mode": False, "gpt_description_prompt": "{tempo} bpm, rain"}
    plan = mnb.Plan.grid(sonic.Create, base=base, factors={"tempo": [80, 120]})
    run = api.experiment("tempi", plan)
    assert "tempo_requested" in run.songs().columns
    table = mnb.audio_features(run)
    assert {"tempo_requested", "tempo"} <= {*table.columns}
    assert set(LABELS) == set(COLUMNS)
    api.close()


def test_damaged_files_are_measured_once_and_say_why(tmp_path: Path) -> None:
    (tmp_path / "sounds").mkdir()
    (tmp_path / "sounds" / "a.mp3").write_bytes(b"no sound at all")
    silence = np.zeros(24_000)
    soundfile.write(tmp_path / "sounds" / "b.wav", silence, 24_000)
    with mnb.Library(tmp_path / "library") as library:
        table = mnb.audio_features(
            tmp_path / "sounds", library=library, workers=1, progress=False
        ).set_index("path")
        assert "cannot be decoded" in table["issue"].iloc[0]
        assert table["seconds"].tolist()[1] == 1.0
        assert table["loudness"].isna().all()
        rows = library._database.rows("SELECT error IS NOT NULL FROM measurements ORDER BY 1")
        assert rows == [(0,), (1,)]
