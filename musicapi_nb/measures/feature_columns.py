"""The columns of `audio_features`, and how a worker process fills them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from musicapi_nb.audio.features import AudioFeatures

_TEXTS = frozenset({"key", "key_runner_up", "tempo_candidates"})
COLUMNS: Mapping[str, str] = {
    field.name: "str" if field.name in _TEXTS else "float64"
    for field in dataclasses.fields(AudioFeatures)
}
"""The pandas dtype of each column."""


def read_features(path: Path) -> dict[str, Any]:
    """Return the audio features of a file by column."""
    from musicapi_nb.audio.extraction import extract_features  # noqa: PLC0415 - loads scipy

    features = dataclasses.asdict(extract_features(path))
    others = ", ".join(f"{tempo:.1f}" for tempo in features["tempo_candidates"])
    return {**features, "tempo_candidates": others or None}
