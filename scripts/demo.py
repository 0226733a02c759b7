"""
Run the first notebook without a key and leave something to listen to.

Executes the notebook in a real kernel, on the embedded simulator, and writes the executed notebook
and a static page. The simulator ends with the kernel, so what it serves is saved beside the page.
"""

import argparse
import hashlib
import html
import http.client
import json
import mimetypes
import os
import re
import shutil
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import nbformat
import sandbox
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbformat import NotebookNode

_ROOT = Path(__file__).resolve().parent.parent
_NOTEBOOK = Path("notebooks", "01_first_song.ipynb")
_CELL_SECONDS = 120
_FETCH_SECONDS = 60
_WIDGET = "application/vnd.jupyter.widget-view+json"

# An attribute that points at a server of this machine: (name, quote, address).
_LOCAL = re.compile(
    r"""\b(src|href|poster)\s*=\s*(["'])(http://(?:127\.0\.0\.1|localhost):\d+/.*?)\2"""
)

_EMPTY_SCRIPT = re.compile(r'<script src="">\s*</script>')

# Both run in the notebook's own kernel: one before its cells (connect() hands out the same handle
# again), one behind them, on the variables `api` and `tasks` that the notebook leaves.
_BEFORE = """\
import musicapi_nb as _mnb
_balance = _mnb.connect().credits().result().total
"""
_SUMMARY = """\
import json as _json
print(_json.dumps({
    "tasks": len(tasks),
    "credits": _balance - api.credits().result().total,
    "songs": [
        {
            "title": song.title,
            "engine": task.engine,
            "duration": song.duration,
            "tags": list(song.tags),
        }
        for task in tasks
        for song in task.songs
    ],
}))
"""


def execute(notebook: NotebookNode, out: Path) -> dict[str, Any]:
    """
    Run the cells, keep in out/media what their outputs play and show, and return the summary.

    The notebook is changed in place: it gets its outputs, whose addresses then lead to the media
    folder instead of the simulator.
    """
    with tempfile.TemporaryDirectory(prefix="musicapi-nb-demo-") as folder:
        os.environ.update(sandbox.environment(Path(folder)))
        client = NotebookClient(
            notebook,
            timeout=_CELL_SECONDS,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
            # The kernel would warn of its unencrypted port, which is on loopback.
            extra_arguments=["--log-level=ERROR"],
            # A widget is dead on a page without a kernel. Its state not being there, nbconvert
            # shows the static HTML that our displays carry beside it.
            store_widget_state=False,
        )
        with client.setup_kernel():
            _follow_updates(client)
            _run_aside(client, notebook, _BEFORE)
            for index, cell in enumerate(notebook.cells):
                client.execute_cell(cell, index)
            summary = json.loads(_run_aside(client, notebook, _SUMMARY))
            for output in _rich_outputs(notebook):
                if "text/html" in output.data:
                    output.data.pop(_WIDGET, None)
                    output.data["text/html"] = _keep_media(output.data["text/html"], out)
    return cast("dict[str, Any]", summary)


def _run_aside(client: NotebookClient, notebook: NotebookNode, source: str) -> str:
    """Run code in the notebook's kernel that does not become part of it; return what it prints."""
    cell = nbformat.v4.new_code_cell(source)
    notebook.cells.append(cell)
    try:
        client.execute_cell(cell, len(notebook.cells) - 1, store_history=False)
    finally:
        notebook.cells.pop()
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def _follow_updates(client: NotebookClient) -> None:
    """
    Let a display be updated while a later cell runs, as every front end does.

    nbclient hears only messages of the cell that it is running, so that a job shown in one cell
    and awaited in the next would stay on "asking the service" for ever.
    """
    channel = cast("Any", client.kc).iopub_channel
    receive = channel.get_msg

    async def get_msg(*arguments: Any, **options: Any) -> Any:
        message = await receive(*arguments, **options)
        if message["msg_type"] == "update_display_data":
            client.process_message(message, NotebookNode(), -1)
        return message

    channel.get_msg = get_msg


def _rich_outputs(notebook: NotebookNode) -> Iterator[NotebookNode]:
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "data" in output:
                yield output


def _keep_media(markup: str, out: Path) -> str:
    def kept(match: re.Match[str]) -> str:
        name, quote, address = match.groups()
        file = _download(html.unescape(address), out / "media")
        return f"{name}={quote}media/{file.name}{quote}"

    return _LOCAL.sub(kept, markup)


def _download(address: str, folder: Path) -> Path:
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.netloc, timeout=_FETCH_SECONDS)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != http.HTTPStatus.OK:
        raise ConnectionError(f"{address} was answered with {response.status}")
    kind = response.headers.get_content_type()
    suffix = Path(parts.path).suffix or mimetypes.guess_extension(kind) or ""
    folder.mkdir(exist_ok=True)
    # Named by what it holds: a cover shown in two cells is one file.
    file = folder / (hashlib.sha256(body).hexdigest()[:16] + suffix)
    file.write_bytes(body)
    return file


def export(notebook: NotebookNode) -> str:
    """Return the notebook as one HTML page that asks no other host for anything."""
    exporter = HTMLExporter(
        mathjax_url="", require_js_url="", jquery_url="", mermaid_js_url="", embed_images=False
    )
    page, _ = exporter.from_notebook_node(notebook)
    return _EMPTY_SCRIPT.sub("", page)


def _report(summary: dict[str, Any], seconds: float) -> str:
    songs = summary["songs"]
    counted = f"{len(songs)} songs from {summary['tasks']} requests in {seconds:.0f} s"
    lines = [f"{counted}; {summary['credits']:g} credits spent in the simulator.", ""]
    for song in songs:
        title = textwrap.shorten(song["title"] or "(no title)", 32, placeholder="...")
        tags = textwrap.shorten(", ".join(song["tags"]), 48, placeholder="...")
        lines.append(f"  {_clock(song['duration']):>6}  {title:<32}  {song['engine']:<7} {tags}")
    return "\n".join(lines)


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "-:--"
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebook", nargs="?", type=Path, default=_ROOT / _NOTEBOOK)
    parser.add_argument("--out", type=Path, default=_ROOT / "build" / "demo")
    given = parser.parse_args()

    os.environ.pop("MUSICAPI_KEY", None)
    out: Path = given.out
    shutil.rmtree(out / "media", ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)

    print(f"Running {given.notebook.name} on the simulator: no key, nothing is paid.", flush=True)
    start = time.monotonic()
    notebook = nbformat.read(given.notebook, as_version=4)
    summary = execute(notebook, out)
    executed = out / given.notebook.name
    page = executed.with_suffix(".html")
    nbformat.write(notebook, executed)
    page.write_text(export(notebook), encoding="utf-8")

    print(_report(summary, time.monotonic() - start))
    print(f"\nexecuted notebook  {_shown(executed)}\npage to listen to  {_shown(page)}")


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


if __name__ == "__main__":
    main()
