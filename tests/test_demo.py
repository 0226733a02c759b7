"""`make demo` on a small notebook whose kernel serves the files that its outputs show."""

import os
import re
import subprocess
import sys
from collections import defaultdict
from html.parser import HTMLParser
from pathlib import Path
from typing import cast

import nbformat
import pytest
from nbformat import NotebookNode

_SCRIPT = Path(__file__).parents[1] / "scripts" / "demo.py"

_SERVER = """\
import http.server, os, threading

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status = 404 if "gone" in self.path else 200
        self.send_response(status)
        self.send_header("Content-Type", "audio/mpeg" if "audio" in self.path else "image/png")
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
here = f"http://127.0.0.1:{server.server_port}"
print("key" if "MUSICAPI_KEY" in os.environ else "no key")"""

_SHOW = """\
from IPython.display import HTML
HTML(f'<img src="{here}/cover?a=1&amp;b=2"><audio src="{here}/audio"></audio>'
     f'<a href="{here}/audio">listen</a><a href="https://example.org/x">elsewhere</a>'
     f'<code>{here}/audio</code>')"""

_WIDGET = """\
import ipywidgets

class Live(ipywidgets.Label):
    def _repr_mimebundle_(self, **kwargs):
        return super()._repr_mimebundle_(**kwargs) | {"text/html": "<b>still here</b>"}

Live()"""

_LATE = """\
import threading
ready = threading.Event()
output = display(HTML("<i>waiting</i>"), display_id=True)

def update():
    ready.wait()
    output.update(HTML("<i>answered</i>"))

updating = threading.Thread(target=update)
updating.start()"""

_LATER = "ready.set()\nupdating.join()"

_RESULTS = """\
import musicapi_nb as mnb
from musicapi_nb.simulator import Simulator
api = mnb.connect(simulator=Simulator(speed=2000, seconds=(5, 6)), library="songs")
tasks = [api.run("rain on a tin roof, slow jazz").result()]"""


def _run(folder: Path, *cells: str) -> subprocess.CompletedProcess[str]:
    sources = [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(nbformat.v4.new_notebook(cells=sources), folder / "small.ipynb")
    return subprocess.run(
        [sys.executable, _SCRIPT, "small.ipynb", "--out", "out"],
        cwd=folder,
        env=os.environ | {"MUSICAPI_KEY": "not to be used"},
        capture_output=True,
        text=True,
        check=False,
    )


class _Addresses(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.addresses: defaultdict[str, list[str]] = defaultdict(list)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses[tag] += [value or "" for name, value in attrs if name in {"src", "href"}]


def _addresses(markup: str) -> dict[str, list[str]]:
    """Return the src and href values by tag."""
    parser = _Addresses()
    parser.feed(markup)
    return {tag: addresses for tag, addresses in parser.addresses.items() if addresses}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def printed(folder: Path) -> str:
    process = _run(folder, _SERVER, _SHOW, _WIDGET, _LATE, _LATER, _RESULTS)
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.fixture(scope="module")
def executed(folder: Path, printed: str) -> NotebookNode:
    assert printed
    return cast("NotebookNode", nbformat.read(folder / "out" / "small.ipynb", as_version=4))


@pytest.fixture(scope="module")
def shown(executed: NotebookNode) -> str:
    """Return the HTML of the second cell."""
    return str(executed.cells[1].outputs[0].data["text/html"])


def test_summary_lists_songs_tags_lengths_and_credits(printed: str) -> None:
    assert "2 songs from 1 requests" in printed
    assert "980 credits are left in the simulator" in printed
    assert len(re.findall(r"^ +0:0[56]  \w.+jazz", printed, re.MULTILINE)) == 2
    assert "out/small.ipynb" in printed
    assert "out/songs.html" in printed


def test_notebook_runs_without_the_key_of_the_environment(executed: NotebookNode) -> None:
    assert executed.cells[0].outputs[0].text == "no key\n"


def test_files_served_by_the_kernel_are_saved_beside_the_notebook(folder: Path, shown: str) -> None:
    addresses = _addresses(shown)
    images, players = addresses["img"], addresses["audio"]

    assert [(folder / "out" / name).read_text(encoding="utf-8") for name in images] == [
        "/cover?a=1&b=2"
    ]
    assert [(folder / "out" / name).read_text(encoding="utf-8") for name in players] == ["/audio"]
    assert [link for link in addresses["a"] if "media" in link] == players
    assert [Path(name).suffix for name in images + players] == [".png", ".mp3"]


def test_only_loaded_addresses_are_replaced(shown: str) -> None:
    assert "https://example.org/x" in _addresses(shown)["a"]
    assert re.search(r"<code>http://127\.0\.0\.1:\d+/audio</code>", shown)


def test_widget_keeps_its_static_html(executed: NotebookNode) -> None:
    assert executed.cells[2].outputs[0].data["text/html"] == "<b>still here</b>"
    assert set(executed.cells[2].outputs[0].data) == {"text/plain", "text/html"}


def test_display_updated_by_a_later_cell_is_current(executed: NotebookNode) -> None:
    assert executed.cells[3].outputs[0].data["text/html"] == "<i>answered</i>"


def test_page_of_the_songs_loads_nothing(folder: Path, printed: str) -> None:
    assert printed
    loaded = _addresses((folder / "out" / "songs.html").read_text(encoding="utf-8"))
    assert loaded.keys() == {"img", "audio"}
    assert all(url.startswith("data:") for urls in loaded.values() for url in urls)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (("1 / 0",), "ZeroDivisionError"),
        (("x = 1",), "tasks"),
        ((_SERVER, _SHOW.replace("/cover", "/gone"), _RESULTS), "/gone?a=1&b=2 returned 404"),
    ],
    ids=["a cell fails", "no results", "a picture is missing"],
)
def test_failed_demo_exits_with_the_reason(
    tmp_path: Path, cells: tuple[str, ...], message: str
) -> None:
    process = _run(tmp_path, *cells)

    assert process.returncode != 0
    assert message in process.stderr
