"""nbconvert, papermill and voila run notebooks on the installed wheel; `make wheel` runs this.

    python tests/wheel/notebook_tools.py NOTEBOOKS

NOTEBOOKS is the folder of the notebooks. Python's environment has nbconvert, papermill and voila.
"""

import os
import socket
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import nbformat

_PARAMETERS = 'prompt = "rain on a tin roof"\ntakes = 1'
_CODE = """\
import musicapi_nb as mnb

api = mnb.connect(library="songs")
jobs = [api.run(prompt, take=take + 1) for take in range(takes)]
print(prompt, len([song for job in jobs for song in job.result().songs]))"""


def _run(*arguments: str | Path) -> None:
    subprocess.run([sys.executable, "-m", *map(str, arguments)], check=True)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def convert(notebook: Path, folder: Path) -> None:
    """Run a notebook by nbconvert, and write it as a page."""
    _run("nbconvert", "--execute", "--to", "html", "--output-dir", folder, notebook)
    assert "<audio" in _text(folder / f"{notebook.stem}.html")


def run_with_parameters(folder: Path) -> None:
    """Run a notebook with papermill, with other parameters than those in its cell."""
    cells = [nbformat.v4.new_code_cell(text) for text in (_PARAMETERS, _CODE)]
    cells[0].metadata["tags"] = ["parameters"]
    kernel = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=kernel)
    nbformat.write(notebook, folder / "songs.ipynb")
    parameters = ("-p", "prompt", "fog over the harbour", "-p", "takes", "2")
    _run("papermill", "--cwd", folder, folder / "songs.ipynb", folder / "fog.ipynb", *parameters)
    assert "fog over the harbour 4" in _text(folder / "fog.ipynb")


def serve(notebook: Path) -> None:
    """Serve a notebook by voila, and load its page."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "voila", "--no-browser", f"--port={port}", str(notebook)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            next(line for line in server.stderr if f":{port}/" in line)  # it listens
            address = f"http://127.0.0.1:{port}/"
            with urllib.request.urlopen(address, timeout=120) as reply:
                page = reply.read().decode()
        finally:
            server.terminate()
    assert "Make a song" in page
    assert "application/vnd.jupyter.widget-view+json" in page


def main(notebooks: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for variable in ("HOME", "USERPROFILE", "IPYTHONDIR", "JUPYTER_CONFIG_DIR"):
            os.environ[variable] = name
        convert(notebooks / "01_first_song.ipynb", folder)
        run_with_parameters(folder)
        serve(notebooks / "app_compose.ipynb")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
