"""A real JupyterLab server for the browser tests, in folders of its own."""

import http.client
import json
import os
import re
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import sandbox

_START_SECONDS = 60
_STOP_SECONDS = 20
_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/lab\?token=")

_SETTINGS = {
    # Every cell is in the document, not only those on screen: a test looks anywhere.
    "notebook-extension/tracker": {"windowingMode": "none"},
    # Nothing asks the internet, and no toast covers what a screenshot is to show.
    "apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
}


@dataclass(frozen=True)
class LabServer:
    """A running server; `folder` is what it shows in its file browser."""

    port: int
    token: str
    folder: Path

    def url(self, path: str, workspace: str) -> str:
        return self._url(f"lab/workspaces/{workspace}/tree/{path}")

    def notebook_url(self, path: str) -> str:
        """Where Notebook 7 shows a notebook: it runs as a part of the same server."""
        return self._url(f"notebooks/{path}")

    def voila_url(self, path: str) -> str:
        """Where voila runs a notebook and shows its outputs, as a part of the same server."""
        return self._url(f"voila/render/{path}")

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}?token={self.token}"

    def ask(self, method: str, path: str) -> bytes:
        """Send one request to the server's own REST interface; any answer but 2xx is an error."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_STOP_SECONDS)
        try:
            connection.request(method, path, headers={"Authorization": f"token {self.token}"})
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if response.status // 100 != 2:
            message = f"{method} {path} was answered with {response.status}: {body[:200]!r}"
            raise ConnectionError(message)
        return body

    def end_kernels(self) -> None:
        for session in json.loads(self.ask("GET", "/api/sessions")):
            self.ask("DELETE", f"/api/sessions/{session['id']}")


class _Log:
    """Drains the server's output, keeps it, and notices the line that tells the port."""

    def __init__(self, stream: IO[str]) -> None:
        self.lines: list[str] = []
        self.port: int | None = None
        self._told = threading.Event()
        self._thread = threading.Thread(target=self._drain, args=(stream,), daemon=True)
        self._thread.start()

    def _drain(self, stream: IO[str]) -> None:
        for line in stream:
            self.lines.append(line)
            if self.port is None and (match := _ADDRESS.search(line)):
                self.port = int(match[1])
                self._told.set()
        self._told.set()

    def wait_for_port(self) -> int:
        self._told.wait(_START_SECONDS)
        if self.port is None:
            raise RuntimeError("JupyterLab did not start:\n" + "".join(self.lines))
        return self.port

    def join(self) -> None:
        self._thread.join(_STOP_SECONDS)


def _write_settings(folder: Path) -> None:
    for name, values in _SETTINGS.items():
        file = folder / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(values))


def _forget(ipython: Path) -> None:
    """Let kernels not tell a page what the cells of earlier tests were."""
    profile = ipython / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_config.py").write_text("get_config().HistoryManager.enabled = False\n")


@contextmanager
def running_lab(root: Path) -> Iterator[LabServer]:
    """Run JupyterLab on root/notebooks, with everything it writes below `root`."""
    folder = root / "notebooks"
    folder.mkdir()
    _write_settings(root / "settings")
    _forget(root / "ipython")
    token = secrets.token_hex(16)
    # The token travels in the environment: command lines are readable by everyone.
    environment = (
        os.environ
        | sandbox.environment(root)
        | {
            "HOME": str(root),
            "JUPYTER_TOKEN": token,
            "JUPYTERLAB_SETTINGS_DIR": str(root / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(root / "workspaces"),
        }
    )
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        *("--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--ServerApp.root_dir={folder}"),
        "--ServerApp.terminals_enabled=False",
        "--LanguageServerManager.autodetect=False",
        "--LabApp.extension_manager=readonly",
        "--LabApp.expose_app_in_browser=True",
        "--JupyterNotebookApp.expose_app_in_browser=True",
    ]
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        log = _Log(process.stdout)
        try:
            yield LabServer(log.wait_for_port(), token, folder)
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
            log.join()
