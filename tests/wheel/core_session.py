"""A script of a user who installed the wheel without any extra; `make wheel` runs it."""

import os
import tempfile
from pathlib import Path

import musicapi_nb as mnb
from musicapi_nb import sonic
from musicapi_nb.simulator import EmbeddedSimulator, Simulator


def main(folder: Path) -> None:
    with (
        EmbeddedSimulator(Simulator(speed=3000, seconds=(1.0, 1.5))) as simulator,
        mnb.connect(library=folder / "library", simulator=simulator.url) as api,
    ):
        request = sonic.Create(description="rain on a tin roof", model="sonic-v6")
        job = api.run(request)
        task = job.result()
        assert [song.finished for song in task.songs] == [True, True]
        assert task.songs[0].save(folder / "roof.mp3").stat().st_size > 1000
        assert api.run(request).result().songs == task.songs
        assert len(simulator.request_log.paid) == 1

        assert api.library is not None
        assert list(mnb.songs_frame(api.library)["task_id"]) == [task.id, task.id]
        assert len(mnb.tags_frame(task)) > 2
        frames = mnb.flatten([task])
        mnb.write_parquet(frames, folder / "tables")
        assert mnb.read_parquet(folder / "tables").songs.equals(frames.songs)

        for shown in (api, job, task, task.songs[0], api.gallery(), api.form(sonic.Create)):
            assert "<" in shown._repr_html_(), shown
        mnb.save_page(folder / "songs.html", task)

    with mnb.Library(folder / "library") as library:
        assert len(library.tasks()) == 1


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        os.environ["HOME"] = os.environ["USERPROFILE"] = name
        main(Path(name))
