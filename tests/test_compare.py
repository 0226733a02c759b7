"""The comparison board: which songs are in which place, its page data and its static form."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import musicapi_nb as mnb
from musicapi_nb import sonic
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.library import Library
from musicapi_nb.simulator import Simulator
from musicapi_nb.tasks import Song, Task, parse_task
from musicapi_nb.widgets.compare.matrix import Matrix, matrix_of
from musicapi_nb.widgets.songs_of import SongCollection, SongItem, songs_of
from tests.browser import hostile
from tests.library.helpers import FAILED, acknowledged, buy, looked, song
from tests.test_markup import Parsed

TIMES = "\N{MULTIPLICATION SIGN}"
_MODELS = ("sonic-v6", "sonic-v5")


def made(topic: str, model: str, task_id: str, payload: Any = None, **fields: Any) -> Task:
    """Return a finished task of a description (or of other fields) with two songs."""
    request = sonic.Create(
        **{"custom_mode": False, "gpt_description_prompt": topic, "mv": model, **fields}
    )
    clips = [
        {
            "clip_id": f"{task_id}-{side}",
            "state": "succeeded",
            "title": f"{topic.title()} {side}",
            "tags": "jazz, rain",
            "duration": 60.0,
            "mv": model,
            "audio_url": f"https://cdn.example/{task_id}{side}.mp3",
        }
        for side in "ab"
    ]
    return looked(acknowledged(request, task_id), payload or {"code": 200, "data": clips})


def pairs() -> list[Task]:
    """Return two prompts by two models; one of the four requests failed."""
    combinations = itertools.product(["rain", "boats"], _MODELS)
    return [
        made(prompt, model, f"t{number}", FAILED if number == 3 else None)
        for number, (prompt, model) in enumerate(combinations)
    ]


def matrix(source: Any, **arguments: Any) -> Matrix:
    return matrix_of(songs_of(source), **arguments)


def items_of(levels: list[dict[str, str]]) -> tuple[SongItem, ...]:
    songs = (Song(task_id=f"t{number}", engine="sonic") for number in range(len(levels)))
    return tuple(SongItem(song, None, each) for song, each in zip(songs, levels, strict=True))


def test_tasks_have_prompts_down_and_models_across() -> None:
    board = matrix(pairs())
    assert (board.row_names, board.column_names) == (("prompt",), ("model",))
    assert board.rows == (("rain",), ("boats",))
    assert board.columns == (("sonic-v6",), ("sonic-v5",))
    assert board.songs == {(0, 0): (0, 1), (0, 1): (2, 3), (1, 0): (4, 5), (1, 1): (6,)}
    assert board.reasons == {}
    assert set(board.labels) == {""}


def test_rows_and_columns_are_named_by_field_or_meaning() -> None:
    tasks = [
        made("a", "sonic-v6", "t1", custom_mode=True, tags="jazz", prompt="[Verse]", title="Sea"),
        made("a", "sonic-v5", "t2", custom_mode=True, tags="folk", prompt="[Verse]", title="Sea"),
    ]
    board = matrix(tasks, rows=["title", "prompt"], columns="styles")
    assert (board.rows, board.columns) == ((("Sea", "[Verse]"),), (("jazz",), ("folk",)))
    assert matrix(tasks, columns="mv").columns == (("sonic-v6",), ("sonic-v5",))
    assert matrix(tasks, columns="prompt").row_names == ("model",)
    assert matrix(tasks, rows="model").column_names == ("prompt",)


def test_unknown_names_list_the_choices() -> None:
    with pytest.raises(InvalidArgument, match=r"rows: .*did you mean 'prompt'\?.*: prompt, model"):
        matrix(pairs(), rows="promt")
    with pytest.raises(InvalidArgument, match=r"columns: .*'tempo'\. Choose .*of the requests"):
        matrix(pairs(), columns=["model", "tempo"])
    with pytest.raises(InvalidArgument, match="is used once"):
        matrix(pairs(), rows="model", columns=["prompt", "model"])
    with pytest.raises(InvalidArgument, match="rows is empty"):
        matrix(pairs(), rows=[])
    with pytest.raises(InvalidArgument, match="columns; the limit is 60"):
        matrix([made(f"p{n}", "sonic-v6", f"t{n}") for n in range(61)], columns="prompt")


def test_repeats_are_versions_and_other_factors_are_labels() -> None:
    levels = [
        {"style": style, "mood": mood, "mv": model}
        for style, mood, model in itertools.product("ab", ["sad", "happy"], _MODELS)
    ]
    factors = {"style": ("a", "b"), "mood": ("sad", "happy"), "mv": _MODELS}
    collection = SongCollection(items_of(levels * 2), factors)
    board = matrix_of(collection)
    assert (board.row_names, board.column_names) == (("style",), ("mood", "mv"))
    assert board.columns[:2] == (("sad", "sonic-v6"), ("sad", "sonic-v5"))
    assert [board.labels[index] for index in board.songs[0, 0]] == ["version 1", "version 2"]
    board = matrix_of(collection, rows="style", columns="model")
    labels = [board.labels[index] for index in board.songs[1, 1]]
    assert labels == [
        "sad, version 1", "happy, version 1", "sad, version 2", "happy, version 2"
    ]  # fmt: skip


def test_factors_that_would_make_many_columns_go_down() -> None:
    factors = {"a": tuple("123"), "b": tuple("12345"), "mv": _MODELS}
    levels = [
        dict(zip(factors, each, strict=True)) for each in itertools.product(*factors.values())
    ]
    board = matrix_of(SongCollection(items_of(levels), factors))
    assert (board.row_names, board.column_names) == (("b", "a"), ("mv",))
    assert board.rows[:4] == (("1", "1"), ("1", "2"), ("1", "3"), ("2", "1"))
    assert matrix_of(SongCollection(items_of(levels), factors), columns="a").row_names == (
        "b",
        "mv",
    )


def test_texts_that_begin_alike_are_rows_of_their_own() -> None:
    lyrics = "[Verse]\n" + "rain " * 60
    tasks = [
        made("", "sonic-v6", f"t{n}", custom_mode=True, prompt=f"{lyrics}{n}") for n in range(2)
    ]
    first, second = (row[0] for row in matrix(tasks).rows)
    assert len(first) < 130
    assert second == f"{first} (2)"


async def test_experiment_says_why_places_are_empty(tmp_path: Path) -> None:
    plan = mnb.Plan.one_at_a_time(
        sonic.Create,
        base={"custom_mode": False, "gpt_description_prompt": "{topic}"},
        factors={"topic": ["rain", "boats"], "mv": list(_MODELS)},
    )
    simulator = Simulator(seconds=(1, 1.2), speed=600, seed=1)
    api = mnb.connect(simulator=simulator, library=tmp_path / "shelf")
    run = api.experiment("harbour", plan)
    board = matrix(run)
    assert (board.rows, board.columns) == ((("rain",), ("boats",)), (("sonic-v6",), ("sonic-v5",)))
    assert board.songs == {}
    not_made = dict.fromkeys([(0, 0), (0, 1), (1, 0)], "Not made yet.")
    assert board.reasons == {**not_made, (1, 1): "Not in the plan."}
    await run
    board = matrix(run)
    numbers = {place: len(songs) for place, songs in board.songs.items()}
    assert numbers == {(0, 0): 2, (0, 1): 2, (1, 0): 2}
    assert board.reasons == {(1, 1): "Not in the plan."}
    api.close()


# --- the widget -----------------------------------------------------------------------------------


def test_page_has_the_places_of_all_songs() -> None:
    board = mnb.compare(pairs(), title="Two models")
    data = board._songs["board"]
    assert list(zip(data["row"], data["column"], strict=True)) == [
        (0, 0), (0, 0), (0, 1), (0, 1), (1, 0), (1, 0), (1, 1)
    ]  # fmt: skip
    assert data["kept"] == [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, None]
    assert json.loads(json.dumps(data))["columns"] == [["sonic-v6"], ["sonic-v5"]]
    assert board._songs["heading"] == "Two models"
    assert repr(board) == f"<Board: 2 rows {TIMES} 2 columns, 7 songs>"
    assert repr(mnb.compare([])) == f"<Board: 0 rows {TIMES} 0 columns, 0 songs>"
    assert "no songs to compare yet" in mnb.compare([])._repr_html_()


def test_board_refreshes_with_its_rows(tmp_path: Path) -> None:
    with Library(tmp_path / "shelf") as library:
        buy(library, song("rain"), "t1")
        board = mnb.compare(library)
        assert len(board.matrix.rows) == 1
        buy(library, song("boats"), "t2")
        board.refresh()
        assert [row[0] for row in board.matrix.rows] == ["rain", "boats"]
        assert board._songs["board"]["row"] == [0, 1]


def test_saved_output_is_a_table_with_stars_and_reasons() -> None:
    board = mnb.compare(pairs(), title="Two <b>models</b>")
    board._rate(2, 4, None)
    html = board._repr_html_()
    assert type(html) is str
    assert "Two &lt;b&gt;models&lt;/b&gt;" in html
    assert html.count("<audio") == 6
    assert html.count("★★★★☆") == 1
    assert "no luck" in html
    assert html.count(">sonic-v5</th>") == 1


def test_saved_output_has_the_first_rows_of_a_large_board() -> None:
    tasks = [made(f"p{row}", model, f"{model}{row}") for row in range(60) for model in _MODELS]
    html = mnb.compare(tasks)._repr_html_()
    assert "The first 15 of 60 rows." in html
    assert html.count("<audio") == 16
    assert html.count("<tr") == 16
    assert len(html) < 120_000
    wide = mnb.compare(tasks, rows="model", columns="prompt")._repr_html_()
    assert "The first 1 of 2 rows." in wide


def test_hostile_texts_are_escaped_in_the_saved_output() -> None:
    replies = [parse_task(reply) for reply in json.loads(hostile.as_json())["replies"]]
    page = Parsed(mnb.compare(replies, title=hostile.TEXTS[0])._repr_html_())
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "style", "svg", "iframe", "object", "form", "meta", "base"}
    names = {name for _, attributes in page.elements for name in attributes}
    assert not [name for name in names if name.startswith("on") or name in {"id", "srcdoc"}]
    assert all(url.startswith("https://") for url in page.addresses())


_LEVELS = st.fixed_dictionaries(
    {
        "topic": st.sampled_from("abcde"),
        "mv": st.sampled_from(_MODELS),
        "mood": st.sampled_from("xy"),
    }
)


@given(
    st.lists(_LEVELS, max_size=30),
    st.sampled_from([None, "topic", "mood", ["topic", "mood"]]),
    st.sampled_from([None, "mv", "model"]),
)
def test_every_song_is_in_the_cell_of_its_levels(
    levels: list[dict[str, str]], rows: Any, columns: Any
) -> None:
    factors = {"topic": tuple("abcde"), "mv": _MODELS, "mood": ("x", "y")}
    collection = SongCollection(items_of(levels), factors)
    board = matrix_of(collection, rows, columns)
    placed = [index for indices in board.songs.values() for index in indices]
    assert sorted(placed) == list(range(len(levels)))
    for (row, column), indices in board.songs.items():
        for index in indices:
            for names, values in (
                (board.row_names, board.rows[row]),
                (board.column_names, board.columns[column]),
            ):
                assert tuple(levels[index][name] for name in names) == values
    places = set(itertools.product(range(len(board.rows)), range(len(board.columns))))
    assert set(board.songs) | set(board.reasons) == places
    assert not set(board.songs) & set(board.reasons)
    assert len(set(board.rows)) == len(board.rows)
    for place in board.songs.values():  # labels tell the requests of a place apart
        if len(place) > 1:
            assert len({board.labels[index] for index in place}) == len(place)
