"""A user's script, for type checkers: mypy and pyright know the types that it asserts.

It is checked, and not run: `make types` with mypy, `make wheel` with both against the wheel.
"""

from pathlib import Path
from typing import assert_type

import pandas as pd

import musicapi_nb as mnb
from musicapi_nb import sonic
from musicapi_nb.client import Balance
from musicapi_nb.errors import MusicAPIError, OutOfCredits
from musicapi_nb.exports import ExportResult
from musicapi_nb.frames import Frames
from musicapi_nb.notebook import Session
from musicapi_nb.notebook.experiment_run import ExperimentRun
from musicapi_nb.plan import DryRun
from musicapi_nb.tasks import Songs
from musicapi_nb.widgets.gallery import Gallery


def on_task(task: mnb.Task) -> None:
    assert_type(len(task.songs), int)


api = mnb.connect(library="my-songs", spend_limit=100, on_task=on_task)
assert_type(api, Session)
assert_type(api.library, mnb.Library | None)
assert_type(mnb.__version__, str)

# A request, and the fields that it has.
request = sonic.Create(
    lyrics="[Verse]\nSeven small boats",
    styles="spy jazz, bossa nova",
    title="Seven Boats",
    model="sonic-v6",
)
described = sonic.Create(description="rain on a tin roof", instrumental=True, mv="sonic-v6-mini")
assert_type(request, sonic.Create)
assert_type(request.title, str | None)
assert_type(described.make_instrumental, bool | None)
assert_type(request.songs, int | None)

# A job, and what it gives.
job = api.run(request)
assert_type(job, mnb.Job[mnb.Task])
assert_type(job.result(), mnb.Task)
assert_type(api.run("rain on a tin roof, slow jazz", take=2), mnb.Job[mnb.Task])
assert_type(api.credits(), mnb.Job[Balance])
assert_type(api.wait(job.result()), mnb.Job[mnb.Task])
assert_type(api.wait([job.result()]), mnb.Job[list[mnb.Task]])


async def main() -> None:
    task = await api.run(request)
    assert_type(task, mnb.Task)
    async with mnb.MusicAPI("key") as client:
        assert_type(await client.run(request), mnb.Task)
        assert_type(await client.wait([task]), list[mnb.Task])


# Songs, and the requests that go on from them.
task = job.result()
song = task.songs[0]
assert_type(song, mnb.Song)
assert_type(song.title, str | None)
assert_type(song.duration, float | None)
assert_type(song.save("roof.mp3"), Path)
assert_type(song.extend(continue_at=20), mnb.Request)
assert_type(api.run(song.cover(tags="jazz")), mnb.Job[mnb.Task])
assert_type(api.songs(), Songs)

# Tables are pandas frames.
assert_type(mnb.songs_frame(task), pd.DataFrame)
assert_type(mnb.adherence(task, by="mv"), pd.DataFrame)
frames = mnb.flatten([task])
assert_type(frames, Frames)
mnb.write_parquet(frames, "tables")

# An experiment.
plan = mnb.Plan.grid(sonic.Create, base={"description": "{topic}"}, factors={"topic": ["a", "b"]})
assert_type(plan, mnb.Plan)
assert_type(plan.dry_run(), DryRun)
run = api.experiment("harbours", plan, budget=100)
assert_type(run, ExperimentRun)
assert_type(run.songs(), pd.DataFrame)

# Widgets and files.
assert_type(api.gallery(task), Gallery)
assert_type(api.export("songs", task), ExportResult)

try:
    api.run(request).result()
except OutOfCredits as error:
    assert_type(error.message, str)
except MusicAPIError as error:
    assert_type(error.may_have_cost, bool)
