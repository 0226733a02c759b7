"""A blind test tells nothing, keeps every answer at once, and goes on where it was left."""

import http.server
import io
import json
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import musicapi_nb as mnb
from musicapi_nb._blind_test import loudness_match, store
from musicapi_nb._blind_test.store import list_designs, load_trials
from musicapi_nb._blind_test.widget import BlindTest
from musicapi_nb.client import MusicAPI
from musicapi_nb.errors import InvalidArgument, LibraryError, NoAudio, NothingToCompare
from musicapi_nb.experiment import Experiment
from musicapi_nb.library import Library
from musicapi_nb.plan import Plan
from musicapi_nb.widgets.song_audio import Audio, Sound, loudness
from tests.blind_helpers import LEVELS, TOPICS, filled, keep, request, tone
from tests.library.world import FAILED, acknowledged, buy, looked


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    path = tmp_path_factory.mktemp("songs")
    return path, filled(path)


@pytest.fixture
def library(songs: tuple[Path, list[str]], tmp_path: Path) -> Iterator[Library]:
    """A library of sixteen songs, of its own for each test."""
    for file in songs[0].rglob("*"):
        if file.is_file():
            target = tmp_path / "library" / file.relative_to(songs[0])
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    with Library(tmp_path / "library") as opened:
        yield opened


class Front:
    """A page's side of a test: what it is sent, and what it says."""

    def __init__(self, test: BlindTest) -> None:
        self.test = test
        self.sent: list[tuple[Any, list[bytes]]] = []
        test.send = lambda content, buffers=None: self.sent.append((content, buffers or []))

    @property
    def now(self) -> dict[str, Any]:
        return dict(self.test._now)

    def say(self, **message: Any) -> Any:
        """Say something about the current trial; what came back last."""
        self.test._handle_custom_msg({"trial": self.now["trial"], **message}, [])
        if self.test._worker is not None:
            for _ in range(2):  # what is asked for, then what is made ready after it
                self.test._worker.submit(lambda: None).result(timeout=60)
        return self.sent[-1] if self.sent else None

    def hear(self) -> list[bytes]:
        return [self.say(do="hear", place=at)[1][0] for at in range(self.now["places"])]

    def answer(self, chosen: int | None = 0, **named: Any) -> None:
        self.say(do="answer", chosen=chosen, **{"seconds": 2.0, **named})


def everything(front: Front) -> str:
    """All words that leave the kernel."""
    test = front.test
    state = {
        name: str(value) for name, value in test.get_state().items() if name not in {"_esm", "_css"}
    }
    bundle = test._repr_mimebundle_()
    said = [content for content, _ in front.sent]
    return json.dumps([said, state, bundle, repr(test), test._repr_html_()], default=str)


# --- alike in all but the music --------------------------------------------------------------


def test_excerpts_are_equally_long_equally_loud_and_of_one_format() -> None:
    files = [
        Audio(tone(44_100, 2, 6.0, 0.9), "audio/wav"),
        Audio(tone(22_050, 1, 3.0, 0.02, at=5), "audio/wav"),
        Audio(tone(48_000, 2, 9.0, 0.3, at=9), "audio/wav"),
    ]
    form = loudness_match.common_form(map(loudness_match.measure, files), 30.0)
    assert (form.seconds, form.rate, form.channels) == (3.0, 48_000, 1)
    cut = [loudness_match.excerpt(file, form) for file in files]
    target, gains = loudness_match.gains(
        {str(at): loudness_match.level(each, form) for at, each in enumerate(cut)}
    )
    assert max(gains.values()) == pytest.approx(0)
    made = [loudness_match.wav(each, form, gains[str(at)]) for at, each in enumerate(cut)]
    assert len({len(each) for each in made}) == 1
    assert len({each[:44] for each in made}) == 1
    for each in made:
        samples, rate = soundfile.read(io.BytesIO(each), dtype="float32", always_2d=True)
        assert (samples.shape, rate) == ((144_000, 1), 48_000)
        assert loudness(Sound(samples, rate)) == pytest.approx(target, abs=0.3)
        assert np.abs(samples).max() <= 10 ** (-loudness_match.HEADROOM / 20)


def test_a_peak_near_full_scale_turns_all_down() -> None:
    form = loudness_match.Form(1.0, 48_000, 1)
    clicks = np.full((48_000, 1), 0.05, dtype=np.float32)
    levels = {"dense": loudness_match.Level(-20.0, -9.0), "spiky": loudness_match.Level(-14.0, 0.5)}
    target, gains = loudness_match.gains(levels)
    assert target == -20.0
    assert gains == {"dense": 0.0, "spiky": -6.0}
    levels["spiky"] = loudness_match.Level(-20.0, 0.5)
    target, gains = loudness_match.gains(levels)
    assert target == -21.5
    assert loudness_match.wav(clicks, form, gains["spiky"])[44:46] == (
        np.rint(0.05 * 10 ** (-1.5 / 20) * 32_767).astype("<i2").tobytes()
    )


@pytest.mark.parametrize(("rate", "target"), [(22_050, 48_000), (48_000, 44_100)])
def test_another_rate_keeps_the_pitch(rate: int, target: int) -> None:
    time = np.arange(2 * rate) / rate
    file = io.BytesIO()
    soundfile.write(file, 0.5 * np.sin(2 * np.pi * 1000 * time), rate, format="WAV")
    form = loudness_match.Form(1.0, target, 1)
    found = loudness_match.excerpt(Audio(file.getvalue(), "audio/wav"), form)
    spectrum = np.abs(np.fft.rfft(found[:, 0]))
    assert np.argmax(spectrum) == 1000
    assert np.abs(found).max() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no sound", "cannot be decoded"),
        (tone(seconds=0.2), "too short"),
        (tone(level=0.0), "silent"),
    ],
)
def test_what_cannot_be_judged_is_no_audio(content: bytes, words: str) -> None:
    found = Audio(content, "audio/wav")

    def judged() -> None:
        form = loudness_match.common_form([loudness_match.measure(found)], 30.0)
        loudness_match.level(loudness_match.excerpt(found, form), form)

    with pytest.raises(NoAudio, match=words):
        judged()


# --- a whole test ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["pairs", "best_of_four"])
def test_nothing_tells_which_song_is_heard(
    library: Library, songs: tuple[Path, list[str]], kind: Any
) -> None:
    test = mnb.blind_test(library, "mv", trials=6, kind=kind, seed=5)
    front = Front(test)
    lengths: Counter[int] = Counter()
    for chosen in (0, 1, None, 1, 0):
        sounds = front.hear()
        assert len(set(sounds)) == len(sounds)
        lengths.update(map(len, sounds))
        front.say(do="hear", place="x")
        front.say(do="boo")
        front.answer(chosen)
        seen, heard = everything(front), b"".join(sounds)
        for secret in songs[1]:
            assert secret not in seen
            assert secret.encode() not in heard
    assert len(lengths) == 1
    assert "5 of 6 answered" in repr(test)
    assert "5 of 6 answered" in test._repr_html_()
    assert test.preferences_frame()["tie"].tolist() == [False, False, True, False, False]

    front.answer(1)

    assert front.now["trial"] is None
    for level in LEVELS:
        assert level in json.dumps(front.now["summary"])
        assert level in test._repr_html_()
        assert level in repr(test)
    assert front.now["summary"]["factor"] == "mv"
    frame = mnb.preferences_frame(library, test.name)
    assert frame["trial"].tolist() == [1, 2, 3, 4, 5, 6]
    assert frame["seconds"].tolist() == [2.0] * 6
    assert set(frame["level_a"]) <= set(LEVELS)
    assert mnb.preference(frame, "mv").scores["answers"].tolist() == [6, 6]


def test_pairs_differ_in_the_factor_alone_and_are_balanced(library: Library) -> None:
    test = mnb.blind_test(library, "mv", trials=8, seed=1)
    asked = {task.id: task.request.gpt_description_prompt for task in library.tasks()}  # type: ignore[union-attr]  # all were asked here
    for trial in test.trials():
        one, other = trial.shown
        assert {one.level, other.level} == set(LEVELS)
        assert asked[one.task] == asked[other.task]
    first = Counter(trial.shown[0].level for trial in test.trials())
    assert set(first.values()) == {4}
    used = Counter(shown.song for trial in test.trials() for shown in trial.shown)
    assert set(used.values()) == {1}
    assert test.design.settings["alike"] == 8


def test_it_goes_on_where_it_was_in_another_kernel(library: Library) -> None:
    first = mnb.blind_test(library, "mv", trials=6, swap_repeats=True)
    front = Front(first)
    before = front.hear()
    front.answer(1)
    front.answer(None)
    with Library(library.path) as later:
        second = mnb.blind_test(later, "mv", trials=6, swap_repeats=True)
        again = Front(second)
        assert again.now["done"] == 2
        assert again.now["trial"] == 3
        assert second.trials() == first.trials()
        assert [trial.repeat_of for trial in second.trials()][:3] == [None] * 3
        for trial in second.trials()[3:]:
            assert trial.repeat_of is not None
            assert trial.shown == second.trials()[trial.repeat_of - 1].shown[::-1]
        # both are open: the slower page neither answers twice nor stays behind
        again.answer(0)
        front.answer(1)
        assert [trial.chosen for trial in first.trials()][:3] == [1, None, 0]
        assert front.now == again.now
        assert [len(sound) for sound in again.hear()] == [len(sound) for sound in before]


def test_an_answer_is_on_disk_before_the_next_trial_shows(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = mnb.blind_test(library, "mv", trials=3)
    front = Front(test)
    kept: list[list[str | None]] = []
    with Library(library.path) as other:
        test.observe(
            lambda _: kept.append([trial.answer for trial in load_trials(other, test.name)]), "_now"
        )
        front.answer(0)
        assert kept == [["chosen", None, None]]
        for bad in ({"chosen": 2}, {"chosen": "a"}, {"chosen": True}):
            front.say(do="answer", seconds=1.0, **bad)
        assert front.sent[-1][0]["about"] == "answer"
        assert front.sent[-1][0]["why"] == "InvalidArgument"
        front.answer(1, seconds=-5)
        front.answer(1, seconds=float("inf"))
        assert [trial.seconds for trial in load_trials(other, test.name)] == [2.0, None, None]

    failing = Front(mnb.blind_test(library, "mv", trials=2, name="disk full"))

    def full(*_: Any, **__: Any) -> bool:
        raise LibraryError("no room left in clip-0001-0")

    monkeypatch.setattr(store, "save_answer", full)
    failing.answer(0)
    assert failing.now["trial"] == 1
    assert failing.sent[-1][0]["why"] == "LibraryError"
    assert "clip" not in everything(failing)
    assert "clip" in str(failing.test.error)


def test_what_is_another_test_has_another_name(library: Library) -> None:
    test = mnb.blind_test(library, "mv", trials=4, seed=3)
    assert mnb.blind_test(library, "mv", trials=4).name == test.name
    with pytest.raises(InvalidArgument, match="trials=4"):
        mnb.blind_test(library, "mv", trials=5)
    with pytest.raises(InvalidArgument, match="seed=3"):
        mnb.blind_test(library, "mv", trials=4, seed=4)
    other = mnb.blind_test(library, "mv", trials=5, seed=3, name="another")
    assert [design.name for design in list_designs(library)] == [test.name, "another"]
    assert {trial.test for trial in other.trials()} == {"another"}


# --- what is given ---------------------------------------------------------------------------


def test_an_experiments_cells_are_matched_by_their_other_factors(library: Library) -> None:
    plan = Plan.grid(
        mnb.sonic.Create,
        base={"custom_mode": False, "gpt_description_prompt": "{topic}"},
        factors={"mv": list(LEVELS), "topic": [*TOPICS, "never bought"]},
        repeats=2,
    )
    experiment = Experiment("harbour", plan, MusicAPI("key"), library)
    test = mnb.blind_test(experiment, "mv", trials=8, seed=2)
    assert test.name == "harbour by mv"
    assert test.design.settings["alike"] == 8
    for trial in test.trials():
        assert {shown.level for shown in trial.shown} == set(LEVELS)
    frame = experiment.songs()
    rainy = mnb.blind_test(frame[frame["topic"] == TOPICS[0]], "mv", trials=4, library=library)
    tasks = {shown.task for trial in rainy.trials() for shown in trial.shown}
    assert tasks <= set(frame.loc[frame["topic"] == TOPICS[0], "task_id"])
    with pytest.raises(InvalidArgument, match="no factor 'tags'; it has mv, topic"):
        mnb.blind_test(experiment, "tags")
    with pytest.raises(InvalidArgument, match="no column song_position"):
        mnb.blind_test(frame.drop(columns="song_position"), "mv", library=library)


def test_tasks_need_a_library_and_a_field(library: Library) -> None:
    tasks = library.tasks()
    with pytest.raises(InvalidArgument, match=r"library=api\.library"):
        mnb.blind_test(tasks, "mv")
    with pytest.raises(InvalidArgument, match=r"no request has a field 'style'; there are .*mv"):
        mnb.blind_test(tasks, "style", library=library)
    with pytest.raises(InvalidArgument, match="is no task"):
        mnb.blind_test(["t1"], "mv", library=library)
    with pytest.raises(NothingToCompare, match="all of level 'sonic-v5'"):
        mnb.blind_test(tasks[0], "mv", library=library)
    test = mnb.blind_test(tasks[:2], "mv", trials=2, library=library)
    assert test.name == mnb.blind_test(tasks[:2], "mv", trials=2, library=library).name


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({"trials": 0}, "1 to"),
        ({"trials": 2.5}, "whole"),
        ({"kind": "abx"}, "best_of_four"),
        ({"seconds": 90}, "1 to 30"),
        ({"factor": ""}, "'mv'"),
        ({"name": " "}, "name"),
    ],
)
def test_what_is_no_test_is_refused(library: Library, named: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        mnb.blind_test(library, **{"factor": "mv", **named})
    assert list_designs(library) == []


# --- what cannot be heard --------------------------------------------------------------------


def test_failed_missing_and_silent_songs_are_left_out_and_said(library: Library) -> None:
    secrets = keep(library, request(LEVELS[0], "odd"), 90, (tone(level=0.0), b"RIFF----WAVEno"))
    secrets += keep(library, request(LEVELS[1], "odd"), 91, (tone(), None), audio_url=None)
    failed = request(LEVELS[1], "failed")
    number = buy(library, failed, "t-failed").entry.id
    library.record_poll(number, looked(acknowledged(failed, "t-failed"), FAILED))
    test = mnb.blind_test(library, "mv", trials=9, seed=0)
    why = {one.song: one.why for one in test.left_out}
    assert "silent" in why["clip-0090-0"]
    assert "decoded" in why["clip-0090-1"]
    assert "no audio" in why["clip-0091-1"]
    assert "songs were left out" in Front(test).now["said"]
    shown = {shown.song for trial in test.trials() for shown in trial.shown}
    assert not shown & set(why)
    assert not any(secret in everything(Front(test)) for secret in secrets)
    assert why["t-failed"] == "no luck"
    mute = [task for task in library.tasks() if task.id in {"task-0090-4711", "task-0001-4711"}]
    with pytest.raises(NothingToCompare, match=r"2 songs cannot be heard: .*silent"):
        mnb.blind_test(mute, "mv", trials=2, library=library)


def test_a_song_that_went_missing_is_told_and_its_trial_left_out(library: Library) -> None:
    test = mnb.blind_test(library, "mv", trials=3, seed=0)
    gone = test.trials()[0].shown[1].song
    path = library.file_of(gone)
    assert path is not None
    with Library(library.path) as later:
        front = Front(mnb.blind_test(later, "mv", trials=3))
        front.hear()
        assert front.say(do="leave out")[0]["why"] == "InvalidArgument"
        later_test = Front(
            mnb.blind_test([later.tasks()[0]], "mv", trials=3, library=later, name=test.name)
        )
        path.unlink()
        said = later_test.say(do="hear", place=1)[0]
        assert (said["do"], said["about"], said["why"]) == ("failed", "hear", "NoAudio")
        assert gone not in everything(later_test)
        later_test.say(do="leave out")
        assert later_test.now["trial"] == 2
        later_test.answer(0)
        later_test.answer(1)
        assert "1 trials were left out" in later_test.now["said"]
        assert len(mnb.preferences_frame(later, test.name)) == 2


class _Files(http.server.BaseHTTPRequestHandler):
    content = tone(seconds=2.0)

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *_: Any) -> None:
        pass


def test_a_song_without_a_file_is_fetched_into_the_library(tmp_path: Path) -> None:
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Files) as server,
        Library(tmp_path) as library,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        link = f"http://127.0.0.1:{server.server_port}/a.wav"
        for number, level in enumerate(LEVELS):
            keep(library, request(level, "x"), number, (None,), audio_url=link, simulated=True)
        front = Front(mnb.blind_test(library, "mv", trials=1))
        assert len(front.hear()) == 2
        for task in library.tasks():
            assert library.file_of(task.songs[0]) is not None
        server.shutdown()
