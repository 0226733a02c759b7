"""Plots in a notebook are shown once, with and without pyplot."""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

_SETUP = """\
import pandas as pd
from musicapi_nb import plots
songs = pd.DataFrame({"duration": [100.0, 150.0]})
"""


def test_notebook_shows_a_plot_once(tmp_path: Path) -> None:
    cells = [
        _SETUP,
        "plots.durations(songs)",
        "kept = plots.durations(songs)",
        "kept.figure",
        "import sys\n'matplotlib.pyplot' in sys.modules",
        "import matplotlib.pyplot as plt\nplots.durations(songs)",
        "plots.durations(songs, ax=plt.subplots()[1])",
        "plt.get_fignums()",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])

    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()

    displayed = [
        [output for output in cell.outputs if "image/png" in output.get("data", {})]
        for cell in notebook.cells
    ]
    assert [len(pictures) for pictures in displayed] == [0, 1, 0, 1, 0, 1, 1, 0]
    size = displayed[1][0]["metadata"]["image/png"]
    assert size["width"] == 760
    assert notebook.cells[4].outputs[0]["data"]["text/plain"] == "False"
    assert notebook.cells[-1].outputs[0]["data"]["text/plain"] == "[]"
