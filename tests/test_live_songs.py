"""Songs in the output of a cell: which are live, and that the output stays static HTML."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ipywidgets.widgets import widget as widgets

import musicapi_nb as mnb
from musicapi_nb import lyrics
from musicapi_nb.notebook import live_songs
from musicapi_nb.notebook.live_songs import live_html
from musicapi_nb.notebook.session import Session
from musicapi_nb.simulator import Simulator
from musicapi_nb.tasks import Song, Songs, Task
from musicapi_nb.tasks.task import Tasks

_FRAME = re.compile(r' data-musicapi-songs="([0-9a-f]{32})"')


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    kernel = SimpleNamespace(kernel=object())
    monkeypatch.setattr("IPython.get_ipython", lambda: kernel)
    with mnb.connect(simulator=Simulator(speed=4000, seconds=(2, 3)), library=tmp_path) as api:
        yield api
    for _, _, gallery in live_songs._galleries.values():
        gallery.close()
    live_songs._galleries.clear()


def test_finished_songs_of_an_open_session_are_live(session: Session) -> None:
    job = session.run("harbour")
    task = job.result()

    (name,) = _FRAME.findall(live_html(task))
    assert live_html(task).count("<audio") == task._repr_html_().count("<audio") == 2
    assert not _FRAME.search(task._repr_html_())
    assert _FRAME.findall(job._bundle()["text/html"]) == [name]  # one widget for all outputs
    several: tuple[Any, ...] = (task.songs, task.songs[0], session.songs())
    for songs in several:
        html = live_html(songs)
        assert len(_FRAME.findall(html)) == 1
        assert str(songs._repr_html_()) in html
    assert len(_FRAME.findall(live_html(Tasks([task, task])))) == 2

    session.close()
    assert live_html(task) == task._repr_html_()


def test_other_values_stay_static(session: Session) -> None:
    text = session.run(lyrics.Make(description="harbour")).result()
    session.simulator.faults.arm("task_fails")  # type: ignore[union-attr]
    failed = session.run("rain").result()
    pending = Task(id="t", engine="sonic", songs=(Song(id="a", simulated=True),))
    real = Songs((Song(id="b", state="succeeded", audio_url="https://example.com/b.mp3"),))
    values: tuple[Any, ...] = (text, failed, pending, pending.songs, real, Songs(), Tasks())
    for value in values:
        assert live_html(value) == value._repr_html_()


def test_old_outputs_are_static_again(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_songs, "MAX_LIVE", 2)
    task = session.run("harbour").result()
    live_html(task)
    before = len(widgets._instances)
    for _ in range(4):
        live_html(Songs(task.songs))
    assert len(live_songs._galleries) == 2
    assert len(widgets._instances) == before + 4  # those of one gallery more
