"""Global options of pandas change neither the dtypes nor the values of frames and analyses."""

import copy
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest

import musicapi_nb as mnb
from musicapi_nb import sonic
from musicapi_nb.experiment.frames import cells_frame, result_frame
from musicapi_nb.exports.playlist import escape_formulas
from musicapi_nb.frames import Frames
from musicapi_nb.frames.text_dtype import TEXT
from musicapi_nb.tasks import parse_task
from tests.replies import NAMES, STUDIO, sample

OPTIONS = [
    ("mode.string_storage", "python"),
    ("mode.string_storage", "pyarrow"),
    ("future.infer_string", False),
    ("future.python_scalars", True),
    ("future.distinguish_nan_and_na", True),
    ("future.no_silent_downcasting", True),
    ("mode.copy_on_write", False),
    ("mode.copy_on_write", "warn"),
    ("mode.chained_assignment", "raise"),
    ("mode.use_inf_as_na", True),
    ("mode.sim_interactive", True),
    ("mode.performance_warnings", False),
    ("compute.use_numexpr", False),
    ("compute.use_bottleneck", False),
    ("io.parquet.engine", "fastparquet"),
    ("display.max_rows", 1),
    ("display.precision", 1),
    ("display.width", 5),
]


def exists(name: str) -> bool:
    try:
        quietly(pd.get_option, name)
    except pd.errors.OptionError:  # of another version of pandas
        return False
    return True


def quietly(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of deprecated options, which warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*arguments)


def flat_frames() -> Frames:
    """Return the frames of replies of several engines."""
    log: list[Any] = []
    for number in range(9):
        reply = copy.deepcopy(sample(STUDIO))
        reply["data"]["task_id"] = f"t{number}"
        for song in reply["data"]["data"]["songs"]:
            song["id"] += str(number)
            song["duration"] += number
            song["tags"] = song["tags"][number % 3 :]
        log.append(reply)
    return mnb.flatten([*log, *map(sample, NAMES), "{cut", log[0]])


def studio_songs(flat: Frames) -> pd.DataFrame:
    """Return the songs of studio, with a factor."""
    songs = flat.songs[flat.songs["engine"] == "studio"].reset_index(drop=True)
    third = [task[-1] in "036" and task[0] == "t" for task in songs["task_id"]]
    songs.insert(0, "half", pd.Series(["a" if flag else "b" for flag in third], dtype=TEXT))
    return songs


def analyses(songs: pd.DataFrame, tags: pd.DataFrame, steps: pd.DataFrame) -> dict[str, Any]:
    """Return the results of analyses of the tables of songs, tags and rewritten tags."""
    requested: dict[str, Any] = {"requested_tags": "prompt"}
    return {
        "adherence": mnb.adherence(songs, tags, **requested),
        "adherence by": mnb.adherence(songs, tags, **requested, by="half"),
        "fates": mnb.tag_fates(songs, tags, **requested),
        "counts": mnb.tag_counts(tags),
        "cooccurrence": mnb.cooccurrence(tags),
        "sets": mnb.exclusive_sets(tags).reset_index(),
        "substitutions": mnb.substitutions(steps, songs=songs, **requested),
        "effects": mnb.effects(songs, "half", tags=tags, presence=["spy"]),
        "stability": mnb.stability(songs, tags, by="half"),
        "variance": mnb.variance(songs, within=["half"]),
        "costs": mnb.costs(songs.assign(credits=10.0), "half"),
    }


def tables() -> dict[str, pd.DataFrame]:
    """Return frames, analyses and tables of plans."""
    flat = flat_frames()
    plan = mnb.Plan.grid(
        sonic.Create,
        base={"custom_mode": False, "gpt_description_prompt": "x"},
        factors={"mv": ["sonic-v5", "sonic-v4-5"]},
        repeats=2,
    )
    reply = sample(STUDIO)
    tasks = {index: parse_task(reply) for index in range(2)}
    with tempfile.TemporaryDirectory() as folder:
        mnb.write_parquet(flat, folder)
        read = mnb.read_parquet(folder)._asdict()
    csv = escape_formulas(flat.songs).to_csv()
    return {
        **flat._asdict(),
        **{f"{name} of parquet": table for name, table in read.items()},
        **analyses(studio_songs(flat), flat.tags, flat.replaced_tags),
        "plan": plan.frame(),
        "problems": plan.problems(),
        "cells": cells_frame(plan),
        "songs of cells": result_frame("songs", plan, tasks, []),
        "CSV": pd.DataFrame({"text": pd.Series(csv.splitlines(), dtype=TEXT)}),
    }


@pytest.fixture(scope="module")
def usual() -> dict[str, pd.DataFrame]:
    return tables()


@pytest.fixture(
    params=[option for option in OPTIONS if exists(option[0])],
    ids=lambda option: f"{option[0]}={option[1]}",
)
def option(request: pytest.FixtureRequest) -> Iterator[None]:
    """Set an option of pandas."""
    name, value = request.param
    before = quietly(pd.get_option, name)
    quietly(pd.set_option, name, value)
    yield
    quietly(pd.set_option, name, before)


def dtypes(table: pd.DataFrame) -> dict[str, str]:
    kinds = {
        str(name): dtype.categories.dtype if isinstance(dtype, pd.CategoricalDtype) else dtype
        for name, dtype in table.dtypes.items()
    }
    return {name: repr(dtype) for name, dtype in kinds.items()}


def assert_equal(left: dict[str, pd.DataFrame], right: dict[str, pd.DataFrame]) -> None:
    assert list(left) == list(right)
    for name, table in left.items():
        assert dtypes(table) == dtypes(right[name]), name
        pd.testing.assert_frame_equal(table, right[name], obj=name, check_column_type=False)


@pytest.mark.usefixtures("option")
def test_option_changes_nothing(usual: dict[str, pd.DataFrame]) -> None:
    assert_equal(tables(), usual)


def test_options_of_pandas_are_tested() -> None:
    assert sum(exists(name) for name, _ in OPTIONS) >= 12


@pytest.mark.parametrize(
    "option", [("mode.string_storage", "python"), ("future.infer_string", False)]
)
def test_option_set_before_the_import_changes_nothing(option: tuple[str, Any]) -> None:
    code = (
        "import warnings; warnings.simplefilter('ignore')\n"
        f"import pandas as pd; pd.set_option(*{option!r})\n"
        "from tests.test_pandas_options import dtypes, tables\n"
        "print({name: dtypes(table) for name, table in tables().items()})\n"
    )
    child = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert child.stdout, child.stderr
    assert eval(child.stdout) == {name: dtypes(table) for name, table in tables().items()}  # noqa: S307
