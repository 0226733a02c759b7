"""Real JupyterLab and marimo servers for the browser tests, in temporary folders."""

import http.client
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import sandbox

_XDG_FOLDERS = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
_START_SECONDS = 120
_STOP_SECONDS = 60
_LAB = re.compile(r"http://127\.0\.0\.1:(\d+)/lab\?token=")
_MARIMO = re.compile(r"http://localhost:(\d+)")

_SETTINGS = {
    # All cells are in the document, not only those on screen.
    "notebook-extension/tracker": {"windowingMode": "none"},
    # No request to the internet, and no notification that covers a screenshot.
    "apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
}


@dataclass(frozen=True)
class LabServer:
    """A running server; `folder` is its root directory."""

    port: int
    token: str
    folder: Path

    def url(self, path: str, workspace: str) -> str:
        return self._url(f"lab/workspaces/{workspace}/tree/{path}")

    def notebook_url(self, path: str) -> str:
        """Return the URL of a notebook in Notebook 7, which runs in the same server."""
        return self._url(f"notebooks/{path}")

    def voila_url(self, path: str) -> str:
        """Return the URL at which voila, in the same server, runs a notebook."""
        return self._url(f"voila/render/{path}")

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}?token={self.token}"

    def request(self, method: str, path: str) -> bytes:
        """Send a request to the server's REST API; raise unless the status is 2xx."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_STOP_SECONDS)
        try:
            connection.request(method, path, headers={"Authorization": f"token {self.token}"})
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if response.status // 100 != 2:
            message = f"{method} {path} returned {response.status}: {body[:200]!r}"
            raise ConnectionError(message)
        return body

    def end_kernels(self) -> None:
        for session in json.loads(self.request("GET", "/api/sessions")):
            self.request("DELETE", f"/api/sessions/{session['id']}")


class _Log:
    """Collects the server's output and finds the port in it."""

    def __init__(self, stream: IO[str], address: re.Pattern[str]) -> None:
        self._address = address
        self.lines: list[str] = []
        self.port: int | None = None
        self._has_port = threading.Event()
        self._thread = threading.Thread(target=self._drain, args=(stream,), daemon=True)
        self._thread.start()

    def _drain(self, stream: IO[str]) -> None:
        for line in stream:
            self.lines.append(line)
            if self.port is None and (match := self._address.search(line)):
                self.port = int(match[1])
                self._has_port.set()
        self._has_port.set()

    def wait_for_port(self) -> int:
        self._has_port.wait(_START_SECONDS)
        if self.port is None:
            raise RuntimeError("the server did not start:\n" + "".join(self.lines))
        return self.port

    def join(self) -> None:
        self._thread.join(_STOP_SECONDS)


def _write_settings(folder: Path) -> None:
    for name, values in _SETTINGS.items():
        file = folder / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(values), encoding="utf-8")


def _disable_history(ipython: Path) -> None:
    """Turn off IPython's history, which would show the cells of earlier tests."""
    profile = ipython / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_config.py").write_text(
        "get_config().HistoryManager.enabled = False\n", encoding="utf-8"
    )


@contextmanager
def running_lab(root: Path) -> Iterator[LabServer]:
    """Run JupyterLab on root/notebooks; it writes below `root` only."""
    folder = root / "notebooks"
    folder.mkdir()
    _write_settings(root / "settings")
    _disable_history(root / "ipython")
    token = secrets.token_hex(16)
    # The token is passed in the environment: command lines are readable by everyone.
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
    with _running(command, environment, root, _LAB) as port:
        yield LabServer(port, token, folder)


@contextmanager
def running_marimo(root: Path, notebook: str) -> Iterator[str]:
    """Run a marimo notebook as an app, and yield its URL; it writes below `root` only."""
    file = root / "notebook.py"
    file.write_text(notebook, encoding="utf-8")
    folders = {name: str(root / name.lower()) for name in _XDG_FOLDERS}
    environment = os.environ | sandbox.environment(root) | folders | {"HOME": str(root)}
    command = [sys.executable, "-m", "marimo", "run", "--headless", "--no-token", str(file)]
    with _running(command, environment, root, _MARIMO) as port:
        _wait_until_open(port)  # marimo prints its address before it listens
        yield f"http://127.0.0.1:{port}/"


def _wait_until_open(port: int) -> None:
    end = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return


@contextmanager
def _running(
    command: list[str], environment: dict[str, str], folder: Path, address: re.Pattern[str]
) -> Iterator[int]:
    """Run a server in a folder, and yield its port, which it prints as part of its address."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        log = _Log(process.stdout, address)
        try:
            yield log.wait_for_port()
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
            log.join()
