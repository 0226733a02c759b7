"""Tests of %%song and %songs in a real IPython shell, over the embedded simulator's HTTP."""

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
from musicapi_nb.notebook.song_magic_parser import help_text, parse_song_cell
from musicapi_nb.simulator import Simulator
from musicapi_nb.tasks import Songs

LYRICS = "[Verse]\nla la\n"
PROMPT = "[Verse]\nla la"
CELL = f"%%song sonic --tags 'spy jazz' --mv sonic-v5\n{LYRICS}"


@pytest.fixture(scope="module")
def shell() -> InteractiveShell:
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    shell.run_line_magic("load_ext", "musicapi_nb")
    return shell


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.delenv("MUSICAPI_KEY", raising=False)
    session = mnb.connect(
        simulator=Simulator(seconds=(1, 1.2), speed=2000), library=tmp_path / "library"
    )
    yield session
    session.close()


def posts(api: Session) -> int:
    assert api.simulator is not None
    return len(api.simulator.request_log.posts)


def run(shell: InteractiveShell, code: str) -> Any:
    execution = shell.run_cell(code, store_history=False)
    execution.raise_error()
    return execution.result


# --- in a shell ----------------------------------------------------------------------------


def test_same_cell_returns_the_same_song(
    shell: InteractiveShell, api: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    job = run(shell, CELL)
    assert isinstance(job, mnb.Job)
    assert job.request == sonic.Create(
        custom_mode=True, mv="sonic-v5", tags="spy jazz", prompt=PROMPT
    )
    first = job.result()
    again = run(shell, CELL).result()
    second_take = run(shell, CELL.replace("sonic-v5", "sonic-v5 --take 2")).result()
    assert [song.id for song in again.songs] == [song.id for song in first.songs]
    assert second_take.id != first.id
    assert posts(api) == 2
    assert "<Job sonic.create: " in capsys.readouterr().out

    songs = run(shell, "%songs")
    assert [song.id for song in songs] == [
        song.id for task in (second_take, first) for song in task.songs
    ]
    assert len(run(shell, "%songs 1")) == 1
    assert songs._repr_html_().count("<audio") == 4


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("sonic.Batch --items '[{'", "--items: is not JSON"),
        ("sonic.Batch --items '[{\"cls\": 1}]'", "cls: no such field"),
        ("sonic --tag jazz --mv sonic-v5", "did you mean --tags? %%song sonic --help lists them"),
        ("sonic --modl sonic-v5", "did you mean --mv? %%song sonic --help lists them"),
        ("sonic --model sonic-v5 --mv sonic-v4", "--mv: is --mv, which is there twice"),
        ("sonic --mv sonic-v5 --tags spy jazz", "quote a value of several words"),
        ("sonic --mv sonic-v5 --mv sonic-v4", "is duplicated"),
        ("sonic --mv sonic-v5 --tags", "needs a value"),
        ("sonic --mv sonic-v5 --custom_mode perhaps", "should be True or False"),
        ("sonic --mv sonic-v5 --take 0", "--take: should be a whole number >= 1"),
        ("sonic --mv sonic-v5 --extra {", "--extra: is not valid JSON"),
        ("sonic --mv sonic-v5 --extra []", "--extra: should be a JSON object"),
        ("sonic --mv 'sonic-v5", "No closing quotation"),
        ("sonata --mv sonic-v5", "engines: sonic, studio, lyrics, nuro"),
        ("nuro.Vocal --duration soon", "should be a whole number of seconds, not str 'soon'"),
        ("nuro", "choose %%song nuro.Instrumental or %%song nuro.Vocal"),
        (
            "sonic --mv sonic-v5 --custom_mode --continue_clip_id c1",
            "choose %%song sonic.AddInstrumental or %%song sonic.AddVocals or %%song sonic.Cover",
        ),
        ("account", "no operation of account.Credits accepts a text and this body"),
    ],
)
def test_invalid_line_is_reported_in_one_line(
    shell: InteractiveShell,
    api: Session,
    capsys: pytest.CaptureFixture[str],
    line: str,
    message: str,
) -> None:
    execution = shell.run_cell(f"%%song {line}\n{LYRICS}")
    output = capsys.readouterr()
    assert execution.error_in_exec is not None
    assert message in str(execution.error_in_exec)
    assert "was not sent and cost nothing" in str(execution.error_in_exec)
    assert "Traceback" not in output.out + output.err
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
    assert run(shell, "%songs") == Songs()
    assert "No songs yet" in Songs()._repr_html_()
    assert repr(Songs()) == "<no songs yet>"
    task = run(shell, "%%song lyrics\na harbour at night").result()
    assert run(shell, "%songs") == task.songs[::1]
    capsys.readouterr()
    assert run(shell, "%%song sonic --help\n ") is None
    assert "--tags TAGS" in capsys.readouterr().out
    with pytest.raises(Exception, match="takes a number of songs, not 'all'"):
        run(shell, "%songs all")
    session.close()


def test_magic_connects_if_there_is_no_session(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MUSICAPI_KEY", raising=False)
    assert run(shell, "%songs") == Songs()
    assert "Practice mode" in capsys.readouterr().out
    mnb.connect().close()


# --- parsing a line ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "body", "expected"),
    [
        (
            "sonic --mv sonic-v5",
            LYRICS,
            sonic.Create(custom_mode=True, mv="sonic-v5", prompt=PROMPT),
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
            sonic.Cover(custom_mode=True, mv="sonic-v5", continue_clip_id="c1", prompt=PROMPT),
        ),
        (
            "sonic.extend --mv sonic-v5 --continue_clip_id c1 --continue_at 30.5 --custom_mode",
            LYRICS,
            sonic.Extend(
                custom_mode=True,
                mv="sonic-v5",
                continue_clip_id="c1",
                continue_at=30.5,
                prompt=PROMPT,
            ),
        ),
        (
            "studio --prompt 'spy jazz' --model_type studio32-v1.5 --seed -1",
            LYRICS,
            studio.Custom(prompt="spy jazz", model_type="studio32-v1.5", seed=-1, lyrics=PROMPT),
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
                lyrics=PROMPT,
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
            sonic.Create(custom_mode=True, mv="sonic-v5", prompt=PROMPT, extra={"newer": True}),
        ),
    ],
)
def test_line_and_body_become_a_request(line: str, body: str, expected: Request) -> None:
    assert parse_song_cell(line, body) == (expected, 1)


def test_body_without_a_field_raises() -> None:
    with pytest.raises(InvalidRequest, match="accepts --mv, --custom_mode, --prompt and this body"):
        parse_song_cell("sonic --mv sonic-v5 --custom_mode true --prompt hey", LYRICS)


@pytest.mark.parametrize("kind", operations(), ids=lambda kind: f"{kind.engine}.{kind.__name__}")
def test_help_names_every_field(kind: type[Request]) -> None:
    text = help_text(f"{kind.engine}.{kind.__name__} --help")
    for name, field in kind.fields().items():
        assert f"--{name} " in text
        assert field.help in text
    assert help_text("").startswith("%%song ENGINE")


def test_engine_help_lists_operations_and_default_options() -> None:
    text = help_text("sonic --help")
    lines = text.splitlines()
    assert any(line.startswith("%%song sonic.Mashup ") for line in lines)
    assert "%%song sonic.Create  20 credits" in lines
    assert text.count("--take N") == 1
    assert len(lines) < 60
    assert help_text("producer --help").count("--take N") == 1
