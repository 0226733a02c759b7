"""Installing for development: by uv, from where pip is configured to look; by pip if that fails."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from install_packages import uv_environment

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the Makefile needs a Unix")
_SCRIPT = Path(__file__).parents[1] / "scripts" / "install_packages.py"
_UV = """\
#!/bin/sh
echo "uv $* from $UV_INDEX" >> "$CALLS"
exit {code}
"""
_PIP = """\
import os, sys
arguments = " ".join(sys.argv[1:])
with open(os.environ["CALLS"], "a") as calls:
    print("pip", arguments, file=calls)
if arguments == "config list":
    print("global.extra-index-url='file:///a file:///b'")
if arguments == "install --quiet uv":
    sys.exit(1)
"""


def test_settings_of_pip_become_variables_of_uv() -> None:
    settings = r"""
:env:.default-timeout='180'
:env:.index-url='https://example.org/b/simple'
global.cert='/etc/ssl/ca.crt'
global.extra-index-url='\nfile:///a\nfile:///b'
global.find-links='/wheels /more'
global.index-url='https://example.org/a/simple'
list.index-url='https://example.org/of-another-command'
"""
    assert uv_environment(settings) == {
        "UV_DEFAULT_INDEX": "https://example.org/b/simple",
        "SSL_CERT_FILE": "/etc/ssl/ca.crt",
        "UV_INDEX": "file:///a file:///b",
        "UV_FIND_LINKS": "/wheels,/more",
    }
    assert uv_environment("") == {}


@pytest.mark.parametrize(
    ("uv", "calls", "message"),
    [
        (0, ["pip config list", "uv"], ""),
        (2, ["pip config list", "uv", "pip install"], "uv failed: installing by pip"),
        (None, ["pip install --quiet uv", "pip install"], "There is no uv on PATH"),
    ],
    ids=["uv", "uv fails", "no uv"],
)
def test_uv_installs_and_otherwise_pip(
    tmp_path: Path, uv: int | None, calls: list[str], message: str
) -> None:
    log = tmp_path / "calls"
    (tmp_path / "scripts").mkdir()
    script = shutil.copy(_SCRIPT, tmp_path / "scripts")
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "__init__.py").touch()
    (tmp_path / "pip" / "__main__.py").write_text(_PIP)
    if uv is not None:
        (tmp_path / "uv").write_text(_UV.format(code=uv))
        (tmp_path / "uv").chmod(0o755)
    paths = {"PATH": f"{tmp_path}:/bin:/usr/bin", "PYTHONPATH": str(tmp_path), "CALLS": str(log)}
    process = subprocess.run(
        [sys.executable, script], env=os.environ | paths, capture_output=True, text=True, check=True
    )

    install = "install --quiet --editable .[dev]"
    expected = {
        "uv": f"uv pip {install} --python {sys.executable} from file:///a file:///b",
        "pip install": f"pip {install}",
    }
    *actual, last = log.read_text().splitlines()
    assert actual == [expected.get(call, call) for call in calls]
    assert last == "pip uninstall --quiet --yes rfc3987-syntax"
    assert message in process.stderr
    assert bool(process.stderr) == bool(message)
