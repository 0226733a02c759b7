"""Calls of all public functions, and the extras that each of them needs.

`python -P tests/extra_calls.py` runs them in the environment of this Python, and prints as JSON
which work, and which are refused for want of an extra.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import tempfile
import wave
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import musicapi_nb as mnb
from musicapi_nb import errors, sonic
from musicapi_nb.simulator import Simulator

FACTOR = "style_weight"
WORKS = "works"


@dataclasses.dataclass
class Scene:
    """An experiment bought from a simulator, a folder of two sound files, and an empty folder."""

    api: Any
    run: Any
    sounds: Path
    folder: Path


@contextmanager
def make_scene() -> Iterator[Scene]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sounds = folder / "sounds"
        sounds.mkdir()
        for tone in (40, 55):
            with wave.open(str(sounds / f"{tone}.wav"), "wb") as file:
                file.setparams((1, 1, 8_000, 0, "NONE", ""))
                file.writeframes(bytes(128 + (i * tone // 80) % 90 for i in range(16_000)))
        api = mnb.connect(library=folder / "library", simulator=Simulator(speed=5_000))
        plan = mnb.Plan.grid(
            sonic.Create,
            base={"lyrics": "Rain on tin", "styles": "spy jazz, 90 bpm, no drums"},
            factors={FACTOR: [0.2, 0.8]},
            repeats=2,
        )
        run = api.experiment("weights", plan, budget=500)
        run.start().result()
        yield Scene(api, run, sounds, folder)
        api.close()


def _measures(scene: Scene) -> Any:
    """Return a table like that of `audio_features`."""
    table = scene.run.songs()[["task_id", "song_id", "song_position", "duration"]]
    return table.rename(columns={"duration": "seconds"}).assign(tempo=90.0, key="A minor")


def _has_word(requested: str, returned: str) -> bool:
    return requested in returned


def _publish(scene: Scene) -> None:
    source, target = next(scene.sounds.iterdir()), scene.folder / "www"
    try:
        asyncio.run(mnb.publish(source, f"file://{target}", url="http://127.0.0.1:9/", local=True))
    except errors.PublishFailed:  # nobody serves that folder
        assert list(target.iterdir())


def _dask_frames(scene: Scene) -> None:
    path = scene.folder / "replies.ndjson"
    path.write_text('{"task_id": "a", "message": "success"}\n', encoding="utf-8")
    assert len(mnb.dask_frames(path).tasks) == 1


def _stop_rule(scene: Scene) -> None:
    plan = scene.run.experiment.plan
    scene.api.experiment("stopped", plan, budget=500, stop=mnb.StopRule(factor=FACTOR))


def _plot(name: str, table: Callable[[Scene], Any]) -> Callable[[Scene], Any]:
    return lambda scene: getattr(mnb.plots, name)(table(scene))


def _of_run(*names: str, **options: Any) -> dict[str, Callable[[Scene], Any]]:
    """Return calls of public functions with the experiment."""

    def call(name: str) -> Callable[[Scene], Any]:
        return lambda scene: getattr(mnb, name)(scene.run, **options)

    return {name: call(name) for name in names}


CALLS: Mapping[str, Mapping[str, Callable[[Scene], Any]]] = {
    "": {
        **_of_run("adherence", "exclusive_sets", "flatten", "near_misses", "tag_fates"),
        **_of_run("compare", "gallery", "monitor", "show", "sung_lines", "sung_lyrics"),
        **_of_run("durations_frame", "files_frame", "issues_frame", "measures_frame"),
        **_of_run("ratings_frame", "replaced_tags_frame", "songs_frame", "tags_frame"),
        **_of_run("progress_bar", "tasks_frame"),
        "sound_matches": lambda scene: mnb.sound_matches(scene.run, _measures(scene)),
        "preferences_frame": lambda scene: mnb.preferences_frame(scene.api.library),
        "lrc": lambda _: mnb.lrc([{"word": "rain", "startS": 1, "endS": 2}]),
        "form": lambda _: mnb.form(),
        "operations": lambda _: mnb.operations(),
        "tag_category": lambda _: mnb.tag_category("jazz"),
        "tag_group": lambda _: mnb.tag_group("jazz"),
        "save_page": lambda scene: mnb.save_page(scene.folder / "page.html", scene.run),
        "write_parquet": lambda scene: mnb.write_parquet(
            mnb.flatten(scene.run), scene.folder / "tables"
        ),
        "read_parquet": lambda scene: mnb.read_parquet(scene.folder / "tables"),
        "a card": lambda scene: scene.run.tasks()[0]._repr_html_(),
        "a dry run": lambda scene: scene.run.dry_run._repr_html_(),
        "names of plots": lambda _: dir(mnb.plots),
    },
    "analysis": {
        **_of_run("costs", "report", "tag_counts", "cooccurrence", "substitutions", "variance"),
        **_of_run("adjusted_means", "blind_test", "dose_response", "effects", factor=FACTOR),
        **_of_run("drift", outcomes=["duration"]),
        **_of_run("stability", by=FACTOR),
        "adherence by a factor": lambda scene: mnb.adherence(scene.run, by=FACTOR),
        "tag_fates by a function": lambda scene: mnb.tag_fates(scene.run, match=_has_word),
        "sound_adherence": lambda scene: mnb.sound_adherence(
            mnb.sound_matches(scene.run, _measures(scene))
        ),
        "substitution_graph": lambda scene: mnb.substitution_graph(mnb.substitutions(scene.run)),
        "preference": lambda scene: mnb.preference(mnb.preferences_frame(scene.api.library)),
        "repeats_needed": lambda _: mnb.repeats_needed(0.5, 1.0),
        "a stop rule": _stop_rule,
        "run.effects": lambda scene: scene.run.effects(FACTOR),
        "run.costs": lambda scene: scene.run.costs(FACTOR),
        "run.report": lambda scene: scene.run.report(),
    },
    "audio": {
        "audio_features": lambda scene: mnb.audio_features(scene.sounds, workers=1),
        "likeness": lambda scene: mnb.likeness(scene.sounds, workers=1),
        "measure": lambda scene: mnb.measure(
            scene.sounds, lambda path: path.stat().st_size, name="size", workers=1
        ),
    },
    "export": {
        "export": lambda scene: mnb.export(
            scene.folder / "files", scene.run.tasks()[0].songs[0], library=scene.api.library
        ),
        "api.export": lambda scene: scene.api.export(scene.folder / "songs.zip", []),
    },
    "plots": {
        "plots.durations": _plot("durations", lambda scene: scene.run.durations()),
        "plots.latencies": _plot("latencies", lambda scene: mnb.tasks_frame(scene.run)),
        "plots.timeline": _plot("timeline", lambda scene: mnb.tasks_frame(scene.run)),
        "plots.upset": _plot("upset", lambda scene: mnb.exclusive_sets(scene.run)),
        "all plots": lambda _: [getattr(mnb.plots, name) for name in dir(mnb.plots)],
    },
    "scale": {"dask_frames": _dask_frames},
    "upload": {"publish": _publish},
}
"""Calls by the extra that they need."""


def outcome_of(call: Callable[[Scene], Any], scene: Scene) -> str:
    """Return the outcome of a call: WORKS, the message about a missing extra, or another error."""
    before = len(scene.api.library.entries())
    try:
        call(scene)
    except errors.MissingExtra as error:
        if len(scene.api.library.entries()) > before:
            return f"bought something before: {error}"
        return str(error)
    except Exception as error:  # noqa: BLE001 - any other is reported
        return f"{type(error).__name__}: {error}"
    return WORKS


def outcomes(scene: Scene, extras: Iterable[str]) -> dict[str, dict[str, str]]:
    """Run the calls that need these extras; return their outcomes by extra."""
    return {
        extra: {name: outcome_of(call, scene) for name, call in CALLS[extra].items()}
        for extra in extras
    }


if __name__ == "__main__":
    with make_scene() as scene_:
        print(json.dumps(outcomes(scene_, CALLS)))  # noqa: T201 - the result
