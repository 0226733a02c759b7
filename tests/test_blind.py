"""Blind tests: anonymous, with each answer saved at once, and resumable."""

import dataclasses
import html
import http.server
import io
import json
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile

import musicapi_nb as mnb
from musicapi_nb._blind_test import loudness_match, store
from musicapi_nb._blind_test.store import list_designs, load_trials
from musicapi_nb._blind_test.widget import BlindTest
from musicapi_nb.audio.loudness import loudness
from musicapi_nb.client import MusicAPI
from musicapi_nb.errors import InvalidArgument, LibraryError, NoAudio, NothingToCompare
from musicapi_nb.experiment import Experiment
from musicapi_nb.library import Library
from musicapi_nb.plan import Plan
from musicapi_nb.widgets.song_audio import Audio
from tests.blind_helpers import LEVELS, TOPICS, add_songs, fill_library, request, tone
from tests.library.helpers import FAILED, acknowledged, buy, looked


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    path = tmp_path_factory.mktemp("songs")
    return path, fill_library(path)


@pytest.fixture
def library(songs: tuple[Path, list[str]], tmp_path: Path) -> Iterator[Library]:
    """A fresh library of sixteen songs."""
    for file in songs[0].rglob("*"):
        if file.is_file():
            target = tmp_path / "library" / file.relative_to(songs[0])
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    with Library(tmp_path / "library") as opened:
        yield opened


class Page:
    """The page of a blind test: records what it receives, and sends messages."""

    def __init__(self, test: BlindTest) -> None:
        self.test = test
        self.sent: list[tuple[Any, list[bytes]]] = []
        test.send = lambda content, buffers=None: self.sent.append((content, buffers or []))

    @property
    def state(self) -> dict[str, Any]:
        return dict(self.test._view)

    def send(self, **message: Any) -> Any:
        """Send a message about the current trial and return the last reply."""
        self.test._handle_custom_msg({"trial": self.state["trial"], **message}, [])
        if self.test._worker is not None:
            for _ in range(2):  # the requested excerpt, then the preloaded ones
                self.test._worker.submit(lambda: None).result(timeout=60)
        return self.sent[-1] if self.sent else None

    def load_all(self) -> list[bytes]:
        return [self.send(do="load", position=index)[1][0] for index in range(self.state["songs"])]

    def answer(self, chosen: int | None = 0, **fields: Any) -> None:
        self.send(do="answer", chosen=chosen, **{"seconds": 2.0, **fields})


def visible_text(page: Page) -> str:
    """Return all text that leaves the kernel."""
    test = page.test
    state = {
        name: str(value) for name, value in test.get_state().items() if name not in {"_esm", "_css"}
    }
    bundle = test._repr_mimebundle_()
    messages = [content for content, _ in page.sent]
    return json.dumps([messages, state, bundle, repr(test), test._repr_html_()], default=str)


# --- matched excerpts --------------------------------------------------------------


def test_excerpts_share_duration_loudness_and_format() -> None:
    files = [
        Audio(tone(44_100, 2, 6.0, 0.9), "audio/wav"),
        Audio(tone(22_050, 1, 4.0, 0.02, pitch=5), "audio/wav"),
        Audio(tone(48_000, 2, 9.0, 0.3, pitch=9), "audio/wav"),
    ]
    songs = [loudness_match.read_info(file) for file in files]
    common = loudness_match.common_format(
        loudness_match.usual_format({"x": songs[:2], "y": songs[2:]}, 30.0), songs
    )
    assert (common.seconds, common.rate, common.channels) == (4.0, 48_000, 1)
    stereo = common._replace(channels=2)
    for excerpt_format in (common, stereo):
        excerpts = [loudness_match.cut_excerpt(file, excerpt_format) for file in files]
        target, gains = loudness_match.match_gains(
            {
                str(index): loudness_match.measure_loudness(excerpt, common.rate)
                for index, excerpt in enumerate(excerpts)
            }
        )
        assert target == -23.0
        assert min(gains.values()) < 0 < max(gains.values())
        wavs = [
            loudness_match.wav_bytes(excerpt, excerpt_format, gains[str(index)])
            for index, excerpt in enumerate(excerpts)
        ]
        assert len({len(wav) for wav in wavs}) == 1
        assert len({wav[:44] for wav in wavs}) == 1
        for wav in wavs:
            samples, rate = soundfile.read(io.BytesIO(wav), dtype="float32", always_2d=True)
            assert (samples.shape, rate) == ((192_000, excerpt_format.channels), 48_000)
            assert loudness(samples, rate) == pytest.approx(target, abs=0.3)
            assert np.abs(samples).max() <= 10 ** (-loudness_match.HEADROOM_DB / 20)


def test_one_unusual_song_changes_no_other_song() -> None:
    song = loudness_match.AudioFormat(150.0, 44_100, 2)
    short, mono = song._replace(seconds=3.0), song._replace(channels=1)
    usual = loudness_match.usual_format({"x": [song] * 5 + [short], "y": [song] * 3 + [mono]}, 30.0)
    assert usual == (30.0, 44_100, 2)
    assert loudness_match.is_too_short(short, usual)
    assert not loudness_match.is_too_short(song._replace(seconds=15.0), usual)
    # a level whose songs are all short, or all mono, is not unusual
    usual = loudness_match.usual_format({"x": [song] * 9, "y": [short, mono]}, 1000.0)
    assert usual.seconds == 76.5
    assert loudness_match.usual_format({"x": [song] * 9, "y": [short]}, 30.0).seconds == 3.0
    assert loudness_match.usual_format({"x": [song], "y": [mono] * 2}, 30.0).channels == 1


def test_target_is_minus_23_lufs_and_lower_only_for_peaks() -> None:
    mono = loudness_match.AudioFormat(1.0, 48_000, 1)
    samples = np.full((48_000, 1), 0.05, dtype=np.float32)
    levels = {
        "dense": loudness_match.Loudness(-20.0, -9.0),
        "quiet": loudness_match.Loudness(-34.0, -20.0),
    }
    target, gains = loudness_match.match_gains(levels)
    assert target == -23.0
    assert gains == {"dense": -3.0, "quiet": 11.0}
    levels["spiky"] = loudness_match.Loudness(-25.0, -0.5)
    assert not loudness_match.is_too_dynamic(levels["spiky"])
    target, gains = loudness_match.match_gains(levels)
    assert target == -25.5
    assert gains["spiky"] == -0.5
    assert loudness_match.is_too_dynamic(loudness_match.Loudness(-34.0, -5.0))
    assert loudness_match.wav_bytes(samples, mono, -1.5)[44:46] == (
        np.rint(0.05 * 10 ** (-1.5 / 20) * 32_767).astype("<i2").tobytes()
    )


@pytest.mark.parametrize(("rate", "target"), [(22_050, 48_000), (48_000, 44_100)])
def test_resampling_keeps_the_pitch(rate: int, target: int) -> None:
    time = np.arange(2 * rate) / rate
    file = io.BytesIO()
    soundfile.write(file, 0.5 * np.sin(2 * np.pi * 1000 * time), rate, format="WAV")
    mono = loudness_match.AudioFormat(1.0, target, 1)
    excerpt = loudness_match.cut_excerpt(Audio(file.getvalue(), "audio/wav"), mono)
    spectrum = np.abs(np.fft.rfft(excerpt[:, 0]))
    assert np.argmax(spectrum) == 1000
    assert np.abs(excerpt).max() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no sound", "cannot be decoded"),
        (tone(seconds=0.2), "too short"),
        (tone(volume=0.0), "silent"),
    ],
)
def test_unusable_audio_is_refused(content: bytes, message: str) -> None:
    audio = Audio(content, "audio/wav")

    def measure() -> None:
        song = loudness_match.read_info(audio)
        common = loudness_match.common_format(
            loudness_match.usual_format({"x": [song]}, 30.0), [song]
        )
        loudness_match.measure_loudness(loudness_match.cut_excerpt(audio, common), common.rate)

    with pytest.raises(NoAudio, match=message):
        measure()


# --- running a test ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["pairs", "best_of_four"])
def test_page_does_not_identify_songs(
    library: Library, songs: tuple[Path, list[str]], kind: Any
) -> None:
    test = mnb.blind_test(library, "mv", trials=6, kind=kind, seed=5)
    page = Page(test)
    lengths: Counter[int] = Counter()
    for chosen in (0, 1, None, 1, 0):
        sounds = page.load_all()
        assert len(set(sounds)) == len(sounds)
        lengths.update(map(len, sounds))
        page.send(do="load", position="x")
        page.send(do="boo")
        page.send(do="replay", trial=1, position=0)  # not before the end
        page.answer(chosen)
        text, audio = visible_text(page), b"".join(sounds)
        for secret in songs[1]:
            assert secret not in text
            assert secret.encode() not in audio
    assert len(lengths) == 1
    assert "5 of 6 answered" in repr(test)
    assert "5 of 6 answered" in test._repr_html_()
    assert test.preferences_frame()["tie"].tolist() == [False, False, True, False, False]

    page.answer(1)

    assert page.state["trial"] is None
    for level in LEVELS:
        assert level in json.dumps(page.state["summary"])
        assert level in test._repr_html_()
        assert level in repr(test)
    summary = page.state["summary"]
    assert summary["factor"] == "mv"
    counts = ", ".join(
        f"{level} in {number}"
        for level, number in test.preferences_frame()["chosen_level"].value_counts().items()
    )
    assert summary["outcome"].startswith(f"You preferred {counts}, no difference in 1. Too few")
    assert summary["outcome"] in html.unescape(test._repr_html_())
    third = summary["questions"][2]
    assert (third["number"], third["chosen"], third["note"]) == (3, None, "no difference")
    assert all("Kazoo Ballad" in song["title"] for song in third["songs"])
    trial = test.trials()[3]
    for position in (0, 1):
        reply, (sound,) = page.send(do="replay", trial=4, position=position)
        assert reply == {"do": "audio", "trial": 4, "position": position}
        assert sound == test._cache.excerpt(trial.songs[position].song, test.design)
    assert page.send(do="replay", trial=9, position=0)[0]["do"] == "failed"
    frame = mnb.preferences_frame(library, test.name)
    assert frame["trial"].tolist() == [1, 2, 3, 4, 5, 6]
    assert frame["seconds"].tolist() == [2.0] * 6
    assert set(frame["level_a"]) <= set(LEVELS)
    assert mnb.preference(frame, "mv").scores["answers"].tolist() == [6, 6]


def test_pairs_differ_only_in_the_factor_and_are_balanced(library: Library) -> None:
    test = mnb.blind_test(library, "mv", trials=8, seed=1)
    topics = {task.id: task.request.gpt_description_prompt for task in library.tasks()}  # type: ignore[union-attr]  # all have a request
    for trial in test.trials():
        first, second = trial.songs
        assert {first.level, second.level} == set(LEVELS)
        assert topics[first.task] == topics[second.task]
    levels_at_a = Counter(trial.songs[0].level for trial in test.trials())
    assert set(levels_at_a.values()) == {4}
    song_counts = Counter(song.song for trial in test.trials() for song in trial.songs)
    assert set(song_counts.values()) == {1}
    assert test.design.settings["matched"] == 8


def test_resumes_in_another_kernel(library: Library) -> None:
    first = mnb.blind_test(library, "mv", trials=6, swap_repeats=True)
    page = Page(first)
    before = page.load_all()
    page.answer(1)
    page.answer(None)
    with Library(library.path) as later:
        second = mnb.blind_test(later, "mv", trials=6, swap_repeats=True)
        again = Page(second)
        assert again.state["done"] == 2
        assert again.state["trial"] == 3
        assert second.trials() == first.trials()
        assert [trial.repeat_of for trial in second.trials()][:3] == [None] * 3
        for trial in second.trials()[3:]:
            assert trial.repeat_of is not None
            assert trial.songs == second.trials()[trial.repeat_of - 1].songs[::-1]
        # Both pages are open: the slower one neither answers twice nor stays behind.
        again.answer(0)
        page.answer(1)
        assert [trial.chosen for trial in first.trials()][:3] == [1, None, 0]
        assert page.state == again.state
        assert [len(sound) for sound in again.load_all()] == [len(sound) for sound in before]


def test_answer_is_on_disk_before_the_next_trial_appears(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = mnb.blind_test(library, "mv", trials=3)
    page = Page(test)
    snapshots: list[list[str | None]] = []
    with Library(library.path) as other:
        test.observe(
            lambda _: snapshots.append([trial.answer for trial in load_trials(other, test.name)]),
            "_view",
        )
        page.answer(0)
        assert snapshots == [["chosen", None, None]]
        for fields in ({"chosen": 2}, {"chosen": "a"}, {"chosen": True}):
            page.send(do="answer", seconds=1.0, **fields)
        assert page.sent[-1][0]["request"] == "answer"
        assert page.sent[-1][0]["error"] == "InvalidArgument"
        page.answer(1, seconds=-5)
        page.answer(1, seconds=float("inf"))
        assert [trial.seconds for trial in load_trials(other, test.name)] == [2.0, None, None]

    failing = Page(mnb.blind_test(library, "mv", trials=2, name="disk full"))

    def disk_full(*_: Any, **__: Any) -> bool:
        raise LibraryError("no room left in clip-0001-0")

    monkeypatch.setattr(store, "save_answer", disk_full)
    failing.answer(0)
    assert failing.state["trial"] == 1
    assert failing.sent[-1][0]["error"] == "LibraryError"
    assert "clip-" not in visible_text(failing)
    assert "clip" in str(failing.test.error)


def test_other_settings_need_another_name(library: Library) -> None:
    test = mnb.blind_test(library, "mv", trials=4, seed=3)
    assert mnb.blind_test(library, "mv", trials=4).name == test.name
    with pytest.raises(InvalidArgument, match="trials=4"):
        mnb.blind_test(library, "mv", trials=5)
    with pytest.raises(InvalidArgument, match="seed=3"):
        mnb.blind_test(library, "mv", trials=4, seed=4)
    other = mnb.blind_test(library, "mv", trials=5, seed=3, name="another")
    assert [design.name for design in list_designs(library)] == [test.name, "another"]
    assert {trial.test for trial in other.trials()} == {"another"}


def test_each_listener_has_a_test_and_one_table_has_all_answers(library: Library) -> None:
    for listener, chosen in (("Ana", 0), ("Ben", 1), (None, 0)):
        test = mnb.blind_test(library, "mv", trials=2, listener=listener)
        page = Page(test)
        page.answer(chosen)
        assert mnb.blind_test(library, "mv", trials=2, listener=listener).trials() == test.trials()
        page.answer(chosen)
    answers = mnb.preferences_frame(library)
    assert (
        answers["listener"].fillna("nobody").tolist() == ["nobody"] * 2 + ["Ana"] * 2 + ["Ben"] * 2
    )
    assert mnb.preferences_frame(library, "library by mv, Ana")["listener"].tolist() == ["Ana"] * 2
    assert any("3 listeners" in note for note in mnb.preference(answers).notes)
    with pytest.raises(InvalidArgument, match="listener='Ana'"):
        mnb.blind_test(library, "mv", trials=2, name="library by mv, Ana")


def test_catch_trials_are_asked_like_others(library: Library) -> None:
    test = mnb.blind_test(library, "mv", trials=4, catch_trials=2, seed=1)
    page = Page(test)
    assert page.state["trials"] == 6
    same = []
    for trial in test.trials():
        sounds = page.load_all()
        same.append(sounds[0] == sounds[1])
        assert same[-1] == (len({song.song for song in trial.songs}) == 1)
        page.answer(None if same[-1] else 0)
    assert sum(same) == 2
    assert test.design.settings["matched"] == 4
    result = test.preference()
    assert result.scores["answers"].tolist() == [4, 4]
    caught = result.checks.set_index("check").loc["no difference in a check question"]
    assert (caught["estimate"], caught["n"]) == (1.0, 2)
    with pytest.raises(InvalidArgument, match="catch_trials=2"):
        mnb.blind_test(library, "mv", trials=4)


def test_tests_of_earlier_versions_continue(library: Library) -> None:
    drawn = mnb.blind_test(library, "mv", trials=2, name="new", seed=1)
    old = {
        name: value
        for name, value in drawn.design.settings.items()
        if name not in {"catch_trials", "listener"}
    }
    store.save_blind_test(
        library, "old", "mv", old, [dataclasses.replace(t, test="old") for t in drawn.trials()]
    )
    page = Page(mnb.blind_test(library, "mv", trials=2, name="old"))
    page.answer(0)
    assert mnb.preferences_frame(library, "old")["listener"].isna().tolist() == [True]
    with pytest.raises(InvalidArgument, match="catch_trials=0"):
        mnb.blind_test(library, "mv", trials=2, name="old", catch_trials=1)


# --- sources ---------------------------------------------------------------------------


def test_experiment_cells_are_matched_by_their_other_factors(library: Library) -> None:
    plan = Plan.grid(
        mnb.sonic.Create,
        base={"custom_mode": False, "gpt_description_prompt": "{topic}"},
        factors={"mv": list(LEVELS), "topic": [*TOPICS, "never bought"]},
        repeats=2,
    )
    experiment = Experiment("harbour", plan, MusicAPI("key", ledger=library), library)
    test = mnb.blind_test(experiment, "mv", trials=8, seed=2)
    assert test.name == "harbour by mv"
    assert test.design.settings["matched"] == 8
    for trial in test.trials():
        assert {song.level for song in trial.songs} == set(LEVELS)
    frame = experiment.songs()
    rainy = mnb.blind_test(frame[frame["topic"] == TOPICS[0]], "mv", trials=4, library=library)
    tasks = {song.task for trial in rainy.trials() for song in trial.songs}
    assert tasks <= set(frame.loc[frame["topic"] == TOPICS[0], "task_id"])
    with pytest.raises(InvalidArgument, match="no factor 'tags'; there are: mv, topic"):
        mnb.blind_test(experiment, "tags")
    with pytest.raises(InvalidArgument, match="columns task_id and song_position"):
        mnb.blind_test(frame.drop(columns="song_position"), "mv", library=library)


def test_tasks_need_a_library_and_a_field(library: Library) -> None:
    tasks = library.tasks()
    with pytest.raises(InvalidArgument, match="pass library="):
        mnb.blind_test(tasks, "mv")
    with pytest.raises(InvalidArgument, match=r"no factor 'style'; there are: .*mv"):
        mnb.blind_test(tasks, "style", library=library)
    with pytest.raises(InvalidArgument, match="songs come from tasks"):
        mnb.blind_test([1], "mv", library=library)
    with pytest.raises(NothingToCompare, match="all songs have level 'sonic-v5'"):
        mnb.blind_test(tasks[0], "mv", library=library)
    test = mnb.blind_test(tasks[:2], "mv", trials=2, library=library)
    assert test.name == mnb.blind_test(tasks[:2], "mv", trials=2, library=library).name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trials": 0}, "1 to"),
        ({"trials": 2.5}, "whole"),
        ({"kind": "abx"}, "best_of_four"),
        ({"seconds": 90}, "1 to 30"),
        ({"factor": ""}, "'mv'"),
        ({"name": " "}, "name"),
        ({"name": " ", "listener": "Ana"}, "name"),
        ({"catch_trials": 99}, "from 0 to the number of trials"),
        ({"catch_trials": True}, "whole number"),
        ({"listener": " "}, "listener must be a name"),
        ({"listener": 7}, "listener must be a name"),
    ],
)
def test_invalid_arguments_are_refused(
    library: Library, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArgument, match=message):
        mnb.blind_test(library, **{"factor": "mv", **arguments})
    assert list_designs(library) == []


# --- missing audio --------------------------------------------------------------------


def test_failed_missing_and_silent_songs_are_excluded(library: Library) -> None:
    secrets = add_songs(
        library, request(LEVELS[0], "odd"), 90, (tone(volume=0.0), b"RIFF----WAVEno")
    )
    secrets += add_songs(library, request(LEVELS[1], "odd"), 91, (tone(), None), audio_url=None)
    failed = request(LEVELS[1], "failed")
    number = buy(library, failed, "t-failed").entry.id
    library.record_poll(number, looked(acknowledged(failed, "t-failed"), FAILED))
    test = mnb.blind_test(library, "mv", trials=9, seed=0)
    reasons = {song.song: song.reason for song in test.excluded}
    assert "silent" in reasons["clip-0090-0"]
    assert "decoded" in reasons["clip-0090-1"]
    assert "no audio" in reasons["clip-0091-1"]
    assert "Left out: " in Page(test).state["description"]
    drawn_songs = {song.song for trial in test.trials() for song in trial.songs}
    assert not drawn_songs & set(reasons)
    assert not any(secret in visible_text(Page(test)) for secret in secrets)
    assert reasons["t-failed"] == "no luck"
    unplayable = [
        task for task in library.tasks() if task.id in {"task-0090-4711", "task-0001-4711"}
    ]
    with pytest.raises(NothingToCompare, match=r"2 songs cannot be used: .*silent"):
        mnb.blind_test(unplayable, "mv", trials=2, library=library)


def test_short_and_spiky_songs_are_excluded_and_stated(library: Library) -> None:
    click = io.BytesIO()
    samples = np.zeros(3 * 44_100)
    samples[::11_025] = 0.9  # peaks 30 dB and more above the loudness
    soundfile.write(click, samples, 44_100, format="WAV")
    sounds = (tone(seconds=1.2), click.getvalue())
    add_songs(library, request(LEVELS[0], TOPICS[0]), 90, sounds, take=9)
    test = mnb.blind_test(library, "mv", trials=24, seed=0)
    reasons = {song.song: song.reason for song in test.excluded}
    assert reasons["clip-0090-0"] == "it lasts 1.2 s, less than half of the usual 3.2 s"
    assert "peaks" in reasons["clip-0090-1"]
    assert test.design.settings["format"]["seconds"] == 3.0
    assert test.design.settings["lufs"] == -23.0
    description = Page(test).state["description"]
    assert "Both clips: " in description
    assert "same place in the song, equally loud." in description
    assert "Left out: 2 songs without usable audio, much shorter than the others" in description


def test_trial_with_a_missing_file_can_be_skipped(library: Library) -> None:
    test = mnb.blind_test(library, "mv", trials=3, seed=0)
    missing = test.trials()[0].songs[1].song
    path = library.file_of(missing)
    assert path is not None
    with Library(library.path) as later:
        page = Page(mnb.blind_test(later, "mv", trials=3))
        page.load_all()
        assert page.send(do="skip")[0]["error"] == "InvalidArgument"
        later_page = Page(
            mnb.blind_test([later.tasks()[0]], "mv", trials=3, library=later, name=test.name)
        )
        path.unlink()
        reply = later_page.send(do="load", position=1)[0]
        assert (reply["do"], reply["request"], reply["error"]) == ("failed", "load", "NoAudio")
        assert missing not in visible_text(later_page)
        later_page.send(do="skip")
        assert later_page.state["trial"] == 2
        later_page.answer(0)
        later_page.answer(1)
        assert "Skipped: 1 question without audio." in later_page.state["description"]
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


def test_song_without_a_file_is_downloaded_into_the_library(tmp_path: Path) -> None:
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Files) as server,
        Library(tmp_path) as library,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        link = f"http://127.0.0.1:{server.server_port}/a.wav"
        for number, level in enumerate(LEVELS):
            add_songs(library, request(level, "x"), number, (None,), audio_url=link, simulated=True)
        page = Page(mnb.blind_test(library, "mv", trials=1))
        assert len(page.load_all()) == 2
        for task in library.tasks():
            assert library.file_of(task.songs[0]) is not None
        server.shutdown()


def test_songs_without_a_request_are_excluded(library: Library) -> None:
    songs = [song for task in library.tasks() for song in task.songs]
    assert not mnb.blind_test(songs, "mv", trials=1, library=library).excluded  # they know theirs
    unknown = [msgspec.structs.replace(song, request=None) for song in songs]
    with pytest.raises(NothingToCompare, match="level of mv is unknown"):
        mnb.blind_test([*unknown, library.tasks()[0]], "mv", library=library)


def test_missing_file_of_the_next_trial_is_reported_when_it_is_loaded(library: Library) -> None:
    test = mnb.blind_test(library, "mv", trials=2, seed=0)
    page = Page(test)
    path = library.file_of(test.trials()[1].songs[0].song)
    assert path is not None
    path.unlink()
    with Library(library.path) as other:
        task = [task for task in other.tasks() if task.id == test.trials()[0].songs[0].task]
        page = Page(mnb.blind_test(task, "mv", trials=2, library=other, name=test.name))
        assert len(page.load_all()) == 2
        assert isinstance(page.test.error, NoAudio)
        page.answer(0)
        assert page.send(do="load", position=0)[0]["error"] == "NoAudio"
        page.test.close()
