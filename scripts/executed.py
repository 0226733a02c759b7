"""
Run a notebook without a key and save its media, for the demo and the documentation.

The simulator stops with the kernel, so the audio and images it serves are saved beside the page.
"""

import hashlib
import html
import http.client
import mimetypes
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import nbformat
import sandbox
from nbclient import NotebookClient
from nbformat import NotebookNode

_CELL_SECONDS = 120
_FETCH_SECONDS = 60
_WIDGET = "application/vnd.jupyter.widget-view+json"

# An attribute whose value is a URL on this machine: (name, quote, URL).
_LOCAL = re.compile(
    r"""\b(src|href|poster)\s*=\s*(["'])(http://(?:127\.0\.0\.1|localhost):\d+/.*?)\2"""
)


def execute(notebook: NotebookNode, out: Path, *, after: str = "") -> str:
    """
    Run the cells, save the media of their outputs in out/media, and return the text of `after`.

    The notebook gets its outputs in place; their URLs point to the media folder instead of the
    simulator. `after` runs in the same kernel without becoming part of the notebook.
    """
    for name in ("MUSICAPI_KEY", "MUSICAPI_SIMULATOR"):  # with a key, the notebooks would buy songs
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory(prefix="musicapi-nb-executed-") as folder:
        home = {"HOME": folder, "USERPROFILE": folder}  # of the library
        os.environ.update(sandbox.environment(Path(folder)) | home)
        client = NotebookClient(
            notebook,
            timeout=_CELL_SECONDS,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
            # Silence the kernel's warning about its unencrypted port: it is on loopback.
            extra_arguments=["--log-level=ERROR"],
            # Widgets do not work on a page without a kernel. Without their state, nbconvert shows
            # the static HTML of our displays.
            store_widget_state=False,
        )
        with client.setup_kernel():
            _follow_updates(client)
            for index, cell in enumerate(notebook.cells):
                client.execute_cell(cell, index)
            printed = _run_aside(client, notebook, after)
            for output in _rich_outputs(notebook):
                if "text/html" in output.data:
                    output.data.pop(_WIDGET, None)
                    output.data["text/html"] = _keep_media(output.data["text/html"], out)
    return printed


def _run_aside(client: NotebookClient, notebook: NotebookNode, source: str) -> str:
    """Run code in the notebook's kernel outside the notebook; return its printed text."""
    cell = nbformat.v4.new_code_cell(source)
    notebook.cells.append(cell)
    try:
        client.execute_cell(cell, len(notebook.cells) - 1, store_history=False)
    finally:
        notebook.cells.pop()
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def _follow_updates(client: NotebookClient) -> None:
    """
    Apply updates of a display while a later cell runs, as every front end does.

    nbclient handles only messages of the running cell, so a job that is shown in one cell and
    awaited in the next would never update.
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
    def local(match: re.Match[str]) -> str:
        name, quote, address = match.groups()
        file = _download(html.unescape(address), out / "media")
        return f"{name}={quote}media/{file.name}{quote}"

    return _LOCAL.sub(local, markup)


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
        raise ConnectionError(f"GET {address} returned {response.status}")
    kind = response.headers.get_content_type()
    suffix = Path(parts.path).suffix or mimetypes.guess_extension(kind) or ""
    folder.mkdir(exist_ok=True)
    # The name is a hash of the content, so a cover shown in two cells is one file.
    file = folder / (hashlib.sha256(body).hexdigest()[:16] + suffix)
    file.write_bytes(body)
    return file
