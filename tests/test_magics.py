"""%%song and %songs in a real IPython shell, on the embedded simulator's real HTTP."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import musicapi_nb as mnb
from musicapi_nb import lyrics, nuro, sonic, studio
from musicapi_nb.engines import Request, operations
from musicapi_nb.errors import InvalidRequest
from musicapi_nb.notebook import Session
from musicapi_nb.notebook.song_list import SongList
from musicapi_nb.notebook.song_magic_parser import help_text, parse_song_cell
from musicapi_nb.simulator import Simulator

LYRICS = "[Verse]\nla la\n"
WORDS = "[Verse]\nla la"
CELL = f"%%song sonic --tags 'spy jazz' --mv sonic-v5\n{LYRICS}"


@pytest.fixture(scope="module")
def shell() -> InteractiveShell:
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    shell.run_line_magic("load_ext", "musicapi_nb")
    return shell


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.delenv("MUSICAPI_KEY", raising=False)
    handle = mnb.connect(
        simulator=Simulator(seconds=(1, 1.2), speed=2000), library=tmp_path / "library"
    )
    yield handle
    handle.close()


def posts(api: Session) -> int:
    assert api.simulator is not None
    return len(api.simulator.request_log.posts)


def run(shell: InteractiveShell, code: str) -> Any:
    done = shell.run_cell(code, store_history=False)
    done.raise_error()
    return done.result


# --- in a shell ----------------------------------------------------------------------------


def test_a_cell_is_a_song_and_again_the_same_song(
    shell: InteractiveShell, api: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    job = run(shell, CELL)
    assert isinstance(job, mnb.Job)
    assert job.request == sonic.Create(
        custom_mode=True, mv="sonic-v5", tags="spy jazz", prompt=WORDS
    )
    first = job.result()
    again = run(shell, CELL).result()
    other = run(shell, CELL.replace("sonic-v5", "sonic-v5 --take 2")).result()
    assert [song.id for song in again.songs] == [song.id for song in first.songs]
    assert other.id != first.id
    assert posts(api) == 2
    assert "<Job sonic.create: " in capsys.readouterr().out

    shown = run(shell, "%songs")
    assert [song.id for song in shown] == [
        song.id for task in (other, first) for song in task.songs
    ]
    assert len(run(shell, "%songs 1")) == 1
    assert shown._repr_html_().count("<audio") == 4


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sonic.Batch --items '[{'", "--items: is no JSON"),
        ("sonic.Batch --items '[{\"cls\": 1}]'", "cls: no such field"),
        ("sonic --tag jazz --mv sonic-v5", "did you mean --tags? %%song sonic --help lists them"),
        ("sonic --tags jazz", "mv: is needed: The model."),
        ("sonic --mv sonic-v5 --tags spy jazz", "a value of several words needs quotes"),
        ("sonic --mv sonic-v5 --mv sonic-v4", "is given twice"),
        ("sonic --mv sonic-v5 --tags", "needs a value"),
        ("sonic --mv sonic-v5 --custom_mode perhaps", "should be True or False"),
        ("sonic --mv sonic-v5 --take 0", "--take: should be a whole number from 1 on"),
        ("sonic --mv sonic-v5 --extra {", "--extra: is no JSON"),
        ("sonic --mv sonic-v5 --extra []", "--extra: should be a JSON object"),
        ("sonic --mv 'sonic-v5", "No closing quotation"),
        ("sonata --mv sonic-v5", "there are sonic, studio, lyrics, nuro"),
        ("nuro.Vocal --duration soon", "should be a whole number, not str 'soon'"),
        ("nuro", "say %%song nuro.Instrumental or %%song nuro.Vocal"),
        (
            "sonic --mv sonic-v5 --custom_mode --continue_clip_id c1",
            "say %%song sonic.AddInstrumental or %%song sonic.AddVocals or %%song sonic.Cover or",
        ),
        ("account", "no operation of account.Credits takes a text and this body"),
    ],
)
def test_what_cannot_be_sent_is_said_in_one_line(
    shell: InteractiveShell, api: Session, capsys: pytest.CaptureFixture[str], line: str, words: str
) -> None:
    done = shell.run_cell(f"%%song {line}\n{LYRICS}")
    said = capsys.readouterr()
    assert done.error_in_exec is not None
    assert words in str(done.error_in_exec)
    assert "was not sent and cost nothing" in str(done.error_in_exec)
    assert "Traceback" not in said.out + said.err
    assert posts(api) == 0


def test_help_and_songs_of_a_session(
    shell: InteractiveShell,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("MUSICAPI_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    session = mnb.connect(simulator=Simulator(seconds=(1, 1.2), speed=2000))
    assert run(shell, "%songs") == SongList()
    assert "No songs yet" in SongList()._repr_html_()
    assert repr(SongList()) == "<no songs yet>"
    task = run(shell, "%%song lyrics\na harbour at night").result()
    assert run(shell, "%songs") == task.songs[::1]
    capsys.readouterr()
    assert run(shell, "%%song sonic --help\n ") is None
    assert "--tags TAGS" in capsys.readouterr().out
    with pytest.raises(Exception, match="takes a number of songs, not 'all'"):
        run(shell, "%songs all")
    session.close()


def test_without_a_handle_one_is_connected(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MUSICAPI_KEY", raising=False)
    assert run(shell, "%songs") == SongList()
    assert "MusicAPI simulator" in capsys.readouterr().out
    mnb.connect().close()


# --- what a line means ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "body", "expected"),
    [
        (
            "sonic --mv sonic-v5",
            LYRICS,
            sonic.Create(custom_mode=True, mv="sonic-v5", prompt=WORDS),
        ),
        (
            "sonic --mv sonic-v5 --custom_mode false",
            "rain",
            sonic.Create(custom_mode=False, mv="sonic-v5", gpt_description_prompt="rain"),
        ),
        (
            "sonic --mv=sonic-v5 --gpt-description-prompt 'slow rain'",
            "\n",
            sonic.Create(custom_mode=False, mv="sonic-v5", gpt_description_prompt="slow rain"),
        ),
        (
            "sonic --mv sonic-v5 --make_instrumental --title Rain --custom_mode",
            "",
            sonic.Create(custom_mode=True, mv="sonic-v5", title="Rain", make_instrumental=True),
        ),
        (
            "sonic.Cover --mv sonic-v5 --continue_clip_id c1 --custom_mode true",
            LYRICS,
            sonic.Cover(custom_mode=True, mv="sonic-v5", continue_clip_id="c1", prompt=WORDS),
        ),
        (
            "sonic.extend --mv sonic-v5 --continue_clip_id c1 --continue_at 30.5 --custom_mode",
            LYRICS,
            sonic.Extend(
                custom_mode=True,
                mv="sonic-v5",
                continue_clip_id="c1",
                continue_at=30.5,
                prompt=WORDS,
            ),
        ),
        (
            "studio --prompt 'spy jazz' --model_type studio32-v1.5 --seed -1",
            LYRICS,
            studio.Custom(prompt="spy jazz", model_type="studio32-v1.5", seed=-1, lyrics=WORDS),
        ),
        (
            "studio.Description --model_type studio32-v1.5 --prompt_strength 1",
            "spy jazz",
            studio.Description(prompt="spy jazz", model_type="studio32-v1.5", prompt_strength=1),
        ),
        (
            "studio.Extend --prompt x --model_type studio32-v1.5 --song_id s",
            LYRICS,
            studio.Extend(
                prompt="x",
                model_type="studio32-v1.5",
                song_id="s",
                lyrics_type="user",
                lyrics=WORDS,
            ),
        ),
        ("lyrics", "rain on tin", lyrics.Make(description="rain on tin")),
        ("nuro --gender Female", "la " * 120, nuro.Vocal(gender="Female", lyrics="la " * 120)),
        (
            "nuro --genre 'jazz, rock' --duration 30",
            "harbour",
            nuro.Instrumental(genre=["jazz", "rock"], duration=30, description="harbour"),
        ),
        (
            "nuro --segments 'intro:10,verse:20'",
            "harbour",
            nuro.Instrumental(
                version="v2.0",
                description="harbour",
                segments=[
                    nuro.Segment(name="intro", duration=10),
                    nuro.Segment(name="verse", duration=20),
                ],
            ),
        ),
        (
            "sonic --mv sonic-v5 --extra '{\"newer\": true}'",
            LYRICS,
            sonic.Create(custom_mode=True, mv="sonic-v5", prompt=WORDS, extra={"newer": True}),
        ),
    ],
)
def test_what_a_line_and_a_body_ask_for(line: str, body: str, expected: Request) -> None:
    assert parse_song_cell(line, body) == (expected, 1)


def test_the_body_is_never_lost() -> None:
    with pytest.raises(InvalidRequest, match="takes --mv, --custom_mode, --prompt and this body"):
        parse_song_cell("sonic --mv sonic-v5 --custom_mode true --prompt hey", LYRICS)


@pytest.mark.parametrize("kind", operations(), ids=lambda kind: f"{kind.engine}.{kind.__name__}")
def test_help_names_every_field(kind: type[Request]) -> None:
    text = help_text(f"{kind.engine}.{kind.__name__} --help")
    for name, field in kind.fields().items():
        assert f"--{name} " in text
        assert field.help in text
    assert help_text("").startswith("%%song ENGINE")


def test_help_of_an_engine_is_a_list_and_the_options_of_its_usual_operation() -> None:
    text = help_text("sonic --help")
    lines = text.splitlines()
    assert any(line.startswith("%%song sonic.Mashup ") for line in lines)
    assert "%%song sonic.Create  20 credits" in lines
    assert text.count("--take N") == 1
    assert len(lines) < 60
    assert help_text("producer --help").count("--take N") == 1
