"""A later kernel on the library of an embedded simulator that has ended, over real HTTP."""

import subprocess
import sys
from pathlib import Path

import pytest

import musicapi_nb as mnb
from musicapi_nb import sonic
from musicapi_nb.notebook.session import Session
from musicapi_nb.simulator import Simulator

RAIN = sonic.Create(mv="sonic-v6", custom_mode=False, gpt_description_prompt="rain on tin")

HUM = {"mv": "sonic-v6", "prompt": "la", "title": "Hum", "tags": "pop", "continue_at": 5}


def connect(folder: Path, seed: int, speed: float = 4000.0) -> Session:
    return mnb.connect(
        simulator=Simulator(seed=seed, speed=speed, seconds=(1, 1.2)), library=folder
    )


def test_song_of_an_earlier_session_can_be_continued(tmp_path: Path) -> None:
    upload = sonic.Upload(url="https://example.com/my-hum.mp3")
    with connect(tmp_path, 1) as yesterday:
        old = yesterday.run(RAIN).result()
        extension = yesterday.run(old.songs[0].extend()).result()
        clip = yesterday.run(upload).result().clip
        batch = yesterday.run(sonic.Batch(items=[RAIN, RAIN])).result()
    assert clip is not None

    with connect(tmp_path, 2) as api:
        assert api.library is not None
        longer = api.run(extension.songs[0].extend()).result()
        joined = api.run(extension.songs[0].concat()).result()
        stems = api.run(old.songs[1].stems()).result()
        wav = api.run(old.songs[0].wav()).result()
        of_upload = api.run(clip.extend(**HUM)).result()
        of_batch = api.run(batch.songs[-1].cover(tags="bossa nova")).result()
        again = api.poll(old).result()

    results = [longer, joined, stems, wav, of_upload, of_batch]
    assert [task.state for task in results] == ["succeeded"] * len(results)
    assert joined.songs[0].title == old.songs[0].title
    lengths = (old.songs[0].duration, extension.songs[0].duration)
    assert joined.songs[0].duration == pytest.approx(sum(filter(None, lengths)), abs=0.02)
    assert stems.songs[0].title == f"{old.songs[1].title} (Vocals)"
    assert stems.songs[0].duration == old.songs[1].duration
    for before, after in zip(old.songs, again.songs, strict=True):
        assert (after.id, after.title, after.tags) == (before.id, before.title, before.tags)
        assert (after.lyrics, after.duration) == (before.lyrics, before.duration)


def test_repeated_request_makes_the_same_sound(tmp_path: Path) -> None:
    with connect(tmp_path / "one", 1) as first:
        old = first.run(RAIN).result()
        assert first.library is not None
        sound = [first.library.file_of(song) for song in old.songs]
        with connect(tmp_path / "one", 2) as second:
            renewed = second.poll(old).result()
            copies = [
                second.download(song.audio_url or "", tmp_path / f"{song.position}.mp3").result()
                for song in renewed.songs
            ]
    for path, copy in zip(sound, copies, strict=True):
        assert path is not None
        assert path.read_bytes() == copy.read_bytes()


OTHER_KERNEL = """
import sys
import musicapi_nb as mnb
from musicapi_nb import sonic
from musicapi_nb.simulator import Simulator

api = mnb.connect(simulator=Simulator(seed=1, speed=0.01), library=sys.argv[1])
slow = api.run(sonic.Create(mv="sonic-v6", custom_mode=False, gpt_description_prompt="rain on tin"))
while slow.task is None:
    pass
print("accepted", flush=True)
sys.stdin.read()  # it is open, and its song under way, as long as the other works
print(mnb.connect(library=sys.argv[1], simulator=api.base_url).songs())
"""


def test_two_kernels_on_one_library_continue_each_others_songs(tmp_path: Path) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", OTHER_KERNEL, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with other, connect(tmp_path, 2) as api:
        assert other.stdout is not None
        assert any("accepted" in line for line in other.stdout)
        (task,) = api.resume().result()
        same = api.run(RAIN).result()
        stems = api.run(task.songs[0].stems()).result()
        assert api.library is not None
        assert all(api.library.file_of(song) for song in (*task.songs, *stems.songs))
        seen, _ = other.communicate()
    assert (task.state, len(task.songs)) == ("succeeded", 2)
    assert (same.id, same.bought_before) == (task.id, True)
    assert seen.count("<Song") == 2 + 4  # the stems are the latest


def test_an_unknown_id_is_still_refused(tmp_path: Path) -> None:
    with connect(tmp_path, 1) as api:
        api.run(RAIN).result()
        with pytest.raises(mnb.MusicAPIError, match="task not found"):
            api.poll("0f0f0f0f-0f0f-4f0f-8f0f-0f0f0f0f0f0f", engine="sonic").result()


def test_download_takes_the_librarys_file_without_network(tmp_path: Path) -> None:
    with connect(tmp_path / "library", 1) as api:
        task = api.run(RAIN).result()
        assert api.library is not None
        stored = [api.library.file_of(song) for song in task.songs]
        assert api.simulator is not None
        requests = api.simulator.request_log.total
        saved = [api.download(song, f"{tmp_path / 'music'}/").result() for song in task.songs]
        again = api.download(task.songs[0], tmp_path / "music").result()
        cover = api.download(task.songs[0], tmp_path / "cover.png", media="image").result()
        assert api.simulator.request_log.total == requests
        assert all(file is not None for file in stored)

        title = task.songs[0].title
        assert [path.name for path in saved] == [f"{title}.mp3", f"{title} (2).mp3"]
        assert again == saved[0]
        for path, file in zip(saved, stored, strict=True):
            assert file is not None
            assert path.read_bytes() == file.read_bytes()
        assert cover.read_bytes().startswith(b"\x89PNG")
        assert sorted(path.name for path in tmp_path.rglob("*.part")) == []

        damaged = stored[0]
        assert damaged is not None
        damaged.write_bytes(b"x" * damaged.stat().st_size)  # the library's file is no longer whole
        fresh = api.download(task.songs[0], tmp_path / "fresh.mp3").result()
        assert fresh.read_bytes() == saved[0].read_bytes()
        assert api.simulator.request_log.total == requests + 1


def test_files_that_an_earlier_kernel_did_not_store_are_made_again(tmp_path: Path) -> None:
    with connect(tmp_path, 1) as first:
        assert first.simulator is not None
        first.simulator.faults.arm("dead_link", times=None)
        task = first.run(RAIN).result()
        assert first.library is not None
        assert [first.library.file_of(song) for song in task.songs] == [None, None]
    with connect(tmp_path, 2) as second:
        second.resume().result()
        assert second.library is not None
        assert all(second.library.file_of(song) for song in task.songs)
