"""Run the second notebook in one kernel after another, against a simulator in this process.

Payments are asserted from the simulator's accounts, which no kernel can change.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from musicapi_nb.library import Library
from musicapi_nb.simulator import EmbeddedSimulator, Simulator

_NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "02_many_songs.ipynb"
_CELLS, _PRICE = 18, 20
_STATE = """\
import json as _json
print(_json.dumps([run.progress.from_library, run.progress.counts, len(run.songs())]))"""


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with EmbeddedSimulator(Simulator(seconds=(1, 1.2), speed=600)) as simulator:
        yield simulator


def _run_all(folder: Path, notebook: NotebookNode, **environment: str) -> list[str]:
    """Run all cells in a new kernel; return the printed text or error of each code cell."""
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": folder}},
        extra_arguments=["--log-level=ERROR"],
    )
    client.execute(env=os.environ | environment)
    return [
        "".join(output.get("text", "") or output.get("evalue", "") for output in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def _notebook() -> NotebookNode:
    """Return the notebook without its figure and long songs: they take time, and cost nothing."""
    notebook = cast("NotebookNode", nbformat.read(_NOTEBOOK, as_version=4))
    for cell in notebook.cells:
        cell.source = cell.source.replace('"duration": 10,', "")
    notebook.cells = [cell for cell in notebook.cells if "plt" not in cell.source]
    return notebook


def _run_to_the_end(folder: Path, simulator: Simulator) -> tuple[str, Any]:
    """Run the notebook; return its printed text and the final state of the experiment."""
    notebook = _notebook()
    notebook.cells.append(nbformat.v4.new_code_cell(_STATE))
    *printed, state = _run_all(folder, notebook, MUSICAPI_SIMULATOR=simulator.url)
    return "".join(printed), json.loads(state)


def _resolve_uncertain_entries(folder: Path, simulator: Simulator) -> tuple[int, int]:
    """Resolve uncertain entries from the simulator's records; count charged and free ones."""
    task_ids = {
        _tags_and_model(paid.body): paid.charge.task_id
        for paid in simulator.request_log.paid
        if paid.charge
    }
    charged = free = 0
    with Library(folder / "many-songs") as library:
        for entry in library.entries("uncertain"):
            request = library.request(entry.id)
            assert request is not None
            task_id = task_ids.get(_tags_and_model(request.body()))
            if task_id is None:
                library.resolve(entry.id, charged=False)
                free += 1
            else:
                library.resolve(entry.id, task_id=task_id)
                charged += 1
    return charged, free


def _tags_and_model(body: Any) -> tuple[str, str]:
    return body["tags"], body["mv"]


def test_two_kernels_pay_once_despite_a_kill_and_a_lost_reply(
    simulator: Simulator, tmp_path: Path
) -> None:
    simulator.faults.arm("lost_reply", after=12)

    printed, (before, counts, _) = _run_to_the_end(tmp_path, simulator)

    assert "The process was killed" in printed
    assert before >= 8, "bought by the killed process"
    assert counts["done"] + counts["uncertain"] == _CELLS
    paid = simulator.accounts.charges()
    assert f"The account fell by {_PRICE * len(paid)} credits" in printed

    charged, free = _resolve_uncertain_entries(tmp_path, simulator)
    assert charged >= 1, "the lost reply"
    assert len(paid) == _CELLS - free  # the kill may come just before a request leaves
    printed, (before, counts, songs) = _run_to_the_end(tmp_path, simulator)

    assert len(simulator.accounts.charges()) == len(paid) + free == _CELLS
    assert "The process ended by itself" in printed
    assert f"The account fell by {_PRICE * free} credits" in printed
    assert (before, counts, songs) == (_CELLS, {"done": _CELLS}, 2 * _CELLS)
    bought = Counter(_tags_and_model(paid.body) for paid in simulator.request_log.paid)
    assert len(bought) == bought.total() == _CELLS


def test_with_a_key_nothing_is_bought_before_the_reader_sets_a_budget(
    simulator: Simulator, tmp_path: Path
) -> None:
    notebook = _notebook()
    connect, replacement = "mnb.connect(", f"mnb.connect(base_url={simulator.url!r}, "
    assert connect in notebook.cells[1].source
    notebook.cells[1].source = notebook.cells[1].source.replace(connect, replacement)
    for cell in notebook.cells:
        cell.metadata["tags"] = ["raises-exception"]  # go on after an error, as a reader may

    printed = _run_all(tmp_path, notebook, MUSICAPI_KEY="sk-some-key-0001")

    assert "a song request costs 20" in printed[0]
    refused = [text for text in printed if "the budget of 0 credits does not cover" in text]
    assert len(refused) == 3, "one start, and two waits that would start it"
    assert printed[-1].startswith("The account fell by 0 credits.")
    assert simulator.accounts.charges() == ()
    assert simulator.request_log.posts == []
