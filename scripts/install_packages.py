"""
Install the package and its development tools into the environment that runs this script.

By uv, which needs seconds where pip needs a minute; by pip if uv cannot be had or fails. Both take
the newest versions, from where pip is configured to look. Nothing is written outside this folder.
"""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent
_CACHE = _ROOT / "build" / "cache" / "uv"  # on the disk of .venv: its files are linked, not copied
_PIP = (sys.executable, "-m", "pip")
_INSTALL = ("install", "--quiet", "--editable", ".[dev]")
# Settings of pip, the variable of uv for each, and what separates several values there.
_VARIABLES = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "constraint": ("UV_CONSTRAINT", " "),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", " "),
}
# Required by jupyter-events, and loaded by all that reads a notebook: it builds a grammar for 0.9 s
# to check international addresses, of which no notebook has any. jsonschema does without it.
_SLOW = "rfc3987-syntax"
_SECTIONS = ("global", "install", ":env:")  # later ones win


def uv_environment(settings: str) -> dict[str, str]:
    """Return uv's environment variables for the lines that `pip config list` prints."""
    variables = {}
    for section in _SECTIONS:
        for line in settings.splitlines():
            key, _, value = line.partition("=")
            name = key.removeprefix(f"{section}.")
            if name != key and name in _VARIABLES:
                variable, separator = _VARIABLES[name]
                variables[variable] = separator.join(str(ast.literal_eval(value)).split())
    return variables


def _run(*command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=_ROOT, text=True, check=False, **options)  # noqa: S603 - ours


def _find_uv() -> str | None:
    """Return the path of uv, which is put into the environment if there is none on PATH."""
    if path := shutil.which("uv"):
        return path
    process = _run(*_PIP, "install", "--quiet", "uv", capture_output=True)
    return str(Path(sys.executable).with_name("uv")) if process.returncode == 0 else None


def _install_by_uv(uv: str) -> bool:
    settings = _run(*_PIP, "config", "list", capture_output=True).stdout
    environment = {
        "UV_CACHE_DIR": str(_CACHE),
        # As pip does: the newest version of all indexes, not of the first that has the package.
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        **uv_environment(settings),
        **os.environ,
    }
    try:
        process = _run(uv, "pip", *_INSTALL, "--python", sys.executable, env=environment)
    except OSError as error:
        print(error, file=sys.stderr)
        return False
    finally:
        shutil.rmtree(_CACHE, ignore_errors=True)
    return process.returncode == 0


def main() -> None:
    uv = _find_uv()
    if not (uv and _install_by_uv(uv)):
        reason = "uv failed" if uv else "There is no uv on PATH, and pip could not install it"
        print(f"{reason}: installing by pip, which needs a minute or two.", file=sys.stderr)
        if code := _run(*_PIP, *_INSTALL).returncode:
            sys.exit(code)
    _run(*_PIP, "uninstall", "--quiet", "--yes", _SLOW)


if __name__ == "__main__":
    main()
