"""What a person types first, without having read anything: a song, a suggestion, or a sentence.

Each guess is a cell in a real IPython shell, on a session with the embedded simulator.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import musicapi_nb as mnb
from musicapi_nb.errors import MusicAPIError
from musicapi_nb.notebook import Session
from musicapi_nb.public_names import _FUNCTIONS, similar_name
from musicapi_nb.simulator import Simulator

SONG = ""  # the cell makes one
TEXT = "rain on a tin roof, slow jazz"
GUESSES = [
    (f'api.run("{TEXT}")', SONG),
    (f'api.run(sonic.Create("{TEXT}"))', SONG),
    (f'api.run(sonic.Create(description="{TEXT}"))', SONG),
    (f'api.run(sonic.Create(description="{TEXT}", model="sonic-v6"))', SONG),
    (f'api.run(sonic.Create(gpt_description_prompt="{TEXT}", instrumental=True))', SONG),
    ('api.run(sonic.Create(prompt="[Verse]\\nla la"))', SONG),
    ('api.run(sonic.Create(lyrics="la la", style="slow jazz", title="Tin", length=10))', SONG),
    ('api.run(sonic.Create(tags="slow jazz", instrumental=True))', SONG),
    (f'api.run(producer.Create("{TEXT}"))', SONG),
    (f'api.run("{TEXT}", take=2)', SONG),
    (f'api.run("{TEXT}", model="sonic-v6-wild", title="Tin Roof")', SONG),
    ("%%song sonic --style 'slow jazz'\nla la", SONG),
    ('api.run(sonic.Create("jazz", mv="v5"))', "did you mean 'sonic-v5'?"),
    ('api.run(sonic.Create("jazz", modle="sonic-v5"))', "did you mean mv?"),
    ('api.run(sonic.Create("jazz", voice="female"))', "voice: no such field"),
    ('api.run(sonic.Create("jazz", vocal_gender="female"))', "choose one of f, m"),
    ('api.run(sonic.Create("jazz", duration="long"))', "should be a whole number"),
    ('api.run(sonic.Create("jazz", description="blues"))', "as a text and as description; give"),
    ('api.run(sonic.Create(description="a", lyrics="b"))', "custom_mode: is required: True to use"),
    ("api.run(sonic.Create())", "or a text that implies it: gpt_description_prompt=..."),
    ("api.run(sonic.Create)", "a request of it is sonic.Create(...)"),
    ('api.run("")', "or a text that implies it: gpt_description_prompt=..."),
    ('api.run(sonic.Create("jazz"), model="v6")', "model: belongs in the request: sonic.Create("),
    ("job.state", "ready"),
    ("job.songs", "<Song "),
    ("job.songs[0].state", "succeeded"),
    ("job.songs[0].save(folder)", ".mp3"),
    ("job.songs[0].rate(5)", "★★★★★"),
    ('job.songs[0].note("the rain is nice")', "the rain is nice"),
    ("job.songs[0].tags_asked", "did you mean song.requested_tags?"),
    ("mnb.songs_frame(job)", "task_id"),
    ('sonic.create("jazz")', "did you mean Create?"),
    ('sonic.Song("jazz")', "musicapi_nb.engines.sonic has no attribute 'Song'"),
    ('api.create("jazz")', "did you mean api.run(...)?"),
    ('api.generate("jazz")', "did you mean api.run(...)?"),
    ("api.balance", "not read yet"),
    ('mnb.run("jazz")', "did you mean connect().run?"),
    ("mnb.play(job)", "did you mean song.play(...)?"),
    ("api.library.songs", "did you mean api.songs(), or api.gallery()?"),
    ('api.library.search("rain")', "did you mean api.gallery()?"),
    ("run.compare()", "did you mean api.compare(run)?"),
    ("api.download(job.songs[0], folder).result()", ".mp3"),
    ("mnb.song_frame(api.songs())", "did you mean songs_frame?"),
    ('run.effects("description", outcomes="tempo")', "mnb.audio_features(...) measures and stores"),
    ('run.costs("descriptoin")', "(did you mean 'description'?)"),
    ('run.costs("modle")', "(did you mean 'model'?)"),  # a column of the songs
    ("mnb.costs(api)", "this is a Session, whose songs are those of its library: pass api.library"),
    ("mnb.audio_features(api)", "of its library: pass api.library; songs come from"),
    ('mnb.sound_adherence(run, "description")', "columns to group by are by='description'"),
    ("run.audio_features()", "did you mean mnb.audio_features(run)?"),
    ("run.price", "did you mean run.costs()?"),
    ("run.likeness()", "did you mean mnb.likeness(run)?"),
    ("api.report(run)", "did you mean mnb.report(run)?"),
    ("api.costs()", "did you mean mnb.costs(api.library)?"),
    ("api.files()", "did you mean mnb.files_frame(api.library)?"),
    ('api.merge("folder")', "did you mean api.library.merge(folder)?"),
    ("api.library.measure(len)", "did you mean mnb.measure(api.library, function, name=...)?"),
    ("job.songs[0].tempo", "did you mean mnb.audio_features(song)?"),
    ("job.songs[0].likeness(job.songs[1])", "did you mean mnb.likeness([song, other_song])?"),
    ("job.songs[0].cost", 'did you mean mnb.songs_frame(song)["credits"]?'),
    ("job.features", "did you mean mnb.audio_features(job)?"),
    ("job.result().cost", "did you mean task.credits?"),
    ("job.result().title", "did you mean task.songs[0].title?"),
    ("job.result().sogns", "did you mean songs?"),
    ("mnb.tempo(job)", "did you mean mnb.audio_features(songs)?"),
    ("mnb.adopt(job)", "did you mean connect().adopt?"),
    ('api.run(sonic.Extend("c1"))', "fields are passed by name: sonic.Extend("),
]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("guesses") / "library"
    simulator = Simulator(seconds=(1, 1.2), speed=2000, balance=10_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MUSICAPI_KEY", raising=False)
        with mnb.connect(simulator=simulator, library=folder) as session:
            yield session


@pytest.fixture(scope="module")
def shell(api: Session, tmp_path_factory: pytest.TempPathFactory) -> InteractiveShell:
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    shell.run_line_magic("load_ext", "musicapi_nb")
    folder = tmp_path_factory.mktemp("songs")
    shell.user_ns |= {"mnb": mnb, "api": api, "folder": folder}
    shell.run_cell("from musicapi_nb import *")
    shell.run_cell(f'job = api.run("{TEXT}"); job.result()')
    shell.run_cell("plan = mnb.Plan.grid(sonic.Create, factors={'description': ['rain', 'snow']})")
    shell.run_cell("run = api.experiment('weather', plan)")
    return shell


@pytest.mark.parametrize(("cell", "answer"), GUESSES, ids=lambda value: str(value)[-60:])
def test_first_guess(shell: InteractiveShell, api: Session, cell: str, answer: str) -> None:
    assert api.simulator is not None
    before = len(api.simulator.request_log.posts)

    execution = shell.run_cell(cell)

    error = execution.error_before_exec or execution.error_in_exec
    if answer == SONG:
        assert error is None
        [*songs] = execution.result.result().songs
        assert all(song.audio_url for song in songs)
        assert songs
    else:
        html = getattr(execution.result, "_repr_html_", str)()
        assert answer in (str(error) if error else f"{execution.result!r} {html}")
        assert error is None or isinstance(error, MusicAPIError | AttributeError)
        assert len(api.simulator.request_log.posts) == before


def test_suggestions_exist() -> None:
    names = (name for call in _FUNCTIONS.values() for name in re.findall(r"mnb\.(\w+)", call))
    assert set(names) <= set(dir(mnb))


def test_no_far_or_private_name_is_suggested() -> None:
    names = ["close", "_titles", "stems"]
    assert [similar_name(name, names) for name in ("costs", "titles", "tempo")] == [None] * 3
    assert similar_name("CLOSE", names) == similar_name("clsoe", names) == "close"


def test_same_text_is_bought_once(api: Session) -> None:
    assert api.simulator is not None
    bought = api.run("one text").result()
    posts = len(api.simulator.request_log.posts)
    written = mnb.sonic.Create(custom_mode=False, mv="sonic-v6", gpt_description_prompt="one text")
    for request in ("one text", written):  # what an earlier version had to be told
        task = api.run(request).result()
        assert task.songs[0].id == bought.songs[0].id
    assert len(api.simulator.request_log.posts) == posts


# --- Tab -------------------------------------------------------------------------------------


def completions(shell: InteractiveShell, text: str) -> list[str]:
    with provisionalcompleter():
        return [completion.text for completion in shell.Completer.completions(text, len(text))]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ('sonic.Create(mv="sonic-v6', ["sonic-v6", "sonic-v6-wild", "sonic-v6-mini"]),
        ('x = 1\napi.run(sonic.Create(\n  "a (", model=\'SONIC-V5', ["sonic-v5-5", "sonic-v5"]),
        ('nuro.Instrumental("x", genre=["jazz", "fo', ["folk"]),
        ('mnb.producer.Create("x", mv="Lyria 3 P', ["Lyria 3 Pro", "Lyria 3 preview"]),
        ("sonic.Cr", ["Create", "CreatePersona", "CreateVoice"]),
        ("mnb.plots.te", []),
        ("mnb.lo", []),
        ("api.library.cl", ["close"]),
        ("api.library.re", ["rebuild", "request", "resolve"]),
    ],
)
def test_completion_offers_the_public_members(
    shell: InteractiveShell, cell: str, expected: list[str]
) -> None:
    offered = completions(shell, cell)
    assert sorted(offered) == sorted(expected)


def test_tab_offers_the_fields(shell: InteractiveShell) -> None:
    offered = completions(shell, "sonic.Create(")
    assert {f"{name}=" for name in mnb.sonic.Create.fields()} <= set(offered)


def test_choices_are_offered_once(shell: InteractiveShell) -> None:
    shell.run_line_magic("reload_ext", "musicapi_nb")
    assert completions(shell, 'sonic.Create(mv="sonic-v6-w') == ["sonic-v6-wild"]
    assert "sonic-v6" not in completions(shell, 'print(mv="')  # not of a request
    assert "sonic-v6" not in completions(shell, 'sonic.Create(title="')


@pytest.mark.parametrize(
    "module", [mnb, mnb.errors, mnb.plots, mnb.webhooks, mnb.sonic, mnb.nuro, mnb.studio]
)
def test_modules_list_only_public_names(module: Any) -> None:
    names = dir(module)
    assert set(names) <= set(module.__all__)
    assert all(getattr(module, name) is not None for name in names)
    assert not {"Any", "annotations", "create", "load_ipython_extension", "text"} & set(names)


def test_dir_lists_the_public_members(api: Session) -> None:
    job = api.credits()
    listed = {name for owner in (api, api.library, job) for name in dir(owner)}
    hidden = {"claim", "record_accepted", "commit_later", "next_take", "rate_song", "send", "throw"}
    assert not hidden & listed
    used = {"run", "songs", "gallery", "entries", "resolve", "rate", "result", "cancel", "task"}
    assert used <= listed
    assert job.result().total
