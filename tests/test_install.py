"""
`make` installs the versions of requirements/dev.txt, and says what is missing.

Programs that install are replaced by scripts which write down how they are called.
"""

import itertools
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import install_packages
import pytest
from install_packages import EXTRAS, groups, requirements, uv_environment
from packaging.requirements import Requirement

_ROOT = Path(__file__).parents[1]
_UNIX = pytest.mark.skipif(sys.platform == "win32", reason="the Makefile needs a Unix")
_PROJECT = """\
[dependency-groups]
demo = ["nbconvert>=7"]
bench = []
dev = [{ include-group = "demo" }, "pytest>=9"]
"""
_UV = """\
#!/bin/sh
case "$UV_CACHE_DIR" in */build/cache/uv) ;; *) exit 9 ;; esac  # not the home folder
echo "uv $* from $UV_INDEX" >> "$CALLS"
exit {code}
"""
# Fails for the commands of which $MISSING names one.
_MODULE = """\
import os, sys
name = os.path.basename(os.path.dirname(__file__))
call = " ".join([name, *sys.argv[1:]]).replace(os.environ["OPTION"], "")
with open(os.environ["CALLS"], "a") as calls:
    print(call, file=calls)
if any(word in call for word in os.environ["MISSING"].split(",") if word):
    sys.exit("sorry")
if call.endswith("config list"):
    print("global.extra-index-url='file:///a file:///b'")
"""


# --- the versions ------------------------------------------------------------------------------


def _project() -> dict[str, Any]:
    return tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _declared() -> list[Requirement]:
    project = _project()
    texts = [
        *project["project"]["dependencies"],
        *itertools.chain(*project["project"]["optional-dependencies"].values()),
        *itertools.chain(*(requirements(project, name) for name in project["dependency-groups"])),
    ]
    declared = [Requirement(text) for text in texts]
    return [requirement for requirement in declared if requirement.name != "musicapi_nb"]


def _locked() -> list[Requirement]:
    lines = (_ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if not line.startswith("#")]


def _same(first: Requirement, second: Requirement) -> bool:
    names = {re.sub("[-_.]+", "-", requirement.name).lower() for requirement in (first, second)}
    return len(names) == 1


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_locked_versions_satisfy_pyproject(python: str, platform: str) -> None:
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "sys_platform": platform,
        "platform_system": {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}[platform],
        "os_name": "nt" if platform == "win32" else "posix",
    }

    def applies(requirement: Requirement) -> bool:
        return not requirement.marker or requirement.marker.evaluate(environment)

    locked = [requirement for requirement in _locked() if applies(requirement)]
    for declared in filter(applies, _declared()):
        versions = [
            specifier.version
            for requirement in locked
            if _same(declared, requirement)
            for specifier in requirement.specifier
        ]
        message = f"pyproject.toml asks for {declared}, requirements/dev.txt has {versions}"
        assert len(versions) == 1, f"{message}: run `make lock`"
        assert declared.specifier.contains(versions[0], prereleases=True), (
            f"{message}: run `make lock`"
        )


def test_lock_file_pins_versions_without_urls() -> None:
    for requirement in _locked():
        assert requirement.url is None
        assert [specifier.operator for specifier in requirement.specifier] == ["=="]
    assert len(_locked()) > 100


def test_groups_installed_by_make_exist() -> None:
    project = _project()
    extras = project["project"]["optional-dependencies"]
    for name, text in EXTRAS.items():
        assert requirements(project, name)
        assert set(re.findall(r"\w+", text)) <= set(extras)
    assert list(groups(project, "dev")) == ["dev", "bench", "demo", "docs"]


# --- installing --------------------------------------------------------------------------------


def test_pip_settings_become_uv_variables() -> None:
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


class _Checkout:
    """A folder with the Makefile and its scripts, where nothing real is installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = folder / "programs"
        for name in ("scripts", "requirements", "programs"):
            (folder / name).mkdir()
        for name in ("Makefile", "scripts/install_packages.py", "scripts/install_chromium"):
            shutil.copy(_ROOT / name, folder / name)
        (folder / "pyproject.toml").write_text(_PROJECT, encoding="utf-8")
        (folder / "requirements" / "dev.txt").touch()
        for name in ("pip", "ensurepip"):
            (folder / "modules" / name).mkdir(parents=True)
            (folder / "modules" / name / "__init__.py").touch()
            (folder / "modules" / name / "__main__.py").write_text(_MODULE, encoding="utf-8")

    def add_program(self, name: str, text: str) -> None:
        (self.programs / name).write_text(text, encoding="utf-8")
        (self.programs / name).chmod(0o755)

    def run(self, *command: str, missing: str = "") -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": str(self.programs),
            "PYTHONPATH": str(self.folder / "modules"),
            "OPTION": f" --python {self.folder / '.venv' / 'bin' / 'python'}",
            "CALLS": str(self.folder / "calls"),
            "MISSING": missing,
        }
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )

    def install(
        self, *arguments: str, missing: str = ""
    ) -> tuple[subprocess.CompletedProcess[str], list[str]]:
        """Run the script; return its process and the calls of programs that install."""
        (self.folder / "calls").write_text("", encoding="utf-8")
        script = str(self.folder / "scripts" / "install_packages.py")
        process = self.run(sys.executable, script, *arguments, missing=missing)
        calls = (self.folder / "calls").read_text(encoding="utf-8").splitlines()
        return process, [call for call in calls if call != "pip --version"]

    @property
    def stamps(self) -> set[str]:
        return {file.name for file in (self.folder / ".venv").glob(".d*")}


@pytest.fixture
def checkout(tmp_path: Path) -> _Checkout:
    return _Checkout(tmp_path)


@_UNIX
@pytest.mark.parametrize(
    ("uv", "missing", "calls", "message"),
    [
        (0, "", ["pip config list", "uv", "uv uninstall"], ""),
        (0, "pip", ["uv without settings", "uv uninstall"], ""),
        (
            2,
            "",
            ["pip config list", "uv", "pip", "pip uninstall"],
            "uv failed: installing with pip",
        ),
        (None, "", ["pip gets uv", "pip", "pip uninstall"], "There is no uv on PATH"),
        (
            None,
            "pip --version",
            ["ensurepip", "pip gets uv", "ensurepip", "pip", "pip uninstall"],
            "There is no uv on PATH",
        ),
    ],
    ids=["uv", "uv without pip", "uv fails", "no uv", "no uv, and pip only in .venv"],
)
def test_packages_are_installed_with_uv_or_pip(
    checkout: _Checkout, uv: int | None, missing: str, calls: list[str], message: str
) -> None:
    if uv is not None:
        checkout.add_program("uv", _UV.format(code=uv))
    process, actual = checkout.install("dev", missing=missing)

    assert process.returncode == 0, process.stderr
    folder = checkout.folder
    where = f"--quiet --python {folder}/.venv/bin/python"
    names = f"--constraint {folder}/requirements/dev.txt --editable .{EXTRAS['dev']}"
    install = f"{names} pytest>=9 nbconvert>=7"
    expected = {
        "uv": f"uv pip install {where} {install} from file:///a file:///b",
        "uv without settings": f"uv pip install {where} {install} from ",
        "uv uninstall": f"uv pip uninstall {where} rfc3987-syntax from ",
        "pip gets uv": "pip install --quiet --no-compile uv",
        "pip": f"pip install --quiet --no-compile {install}",
        "pip uninstall": "pip uninstall --quiet --yes rfc3987-syntax",
    }
    assert [call.removesuffix("file:///a file:///b") for call in actual] == [
        expected.get(call, call).removesuffix("file:///a file:///b") for call in calls
    ]
    assert message in process.stderr
    assert bool(process.stderr) == bool(message)
    assert checkout.stamps == {".dev", ".demo"}


@_UNIX
def test_newest_versions_replace_locked_ones(checkout: _Checkout) -> None:
    checkout.add_program("uv", _UV.format(code=0))
    checkout.install("demo")
    assert checkout.stamps == {".demo"}
    _, calls = checkout.install("dev", "--newest")
    assert "--upgrade --editable" in calls[1]
    assert "--constraint" not in calls[1]
    assert checkout.stamps == {".dev-newest", ".demo-newest"}
    checkout.install("demo")
    assert checkout.stamps == {".demo"}


@_UNIX
@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("pip install", "The packages could not be installed; the lines above say why."),
        ("pip", " has neither uv nor pip."),
        ("venv", "cannot create a virtual environment. On Debian and Ubuntu, install python3-venv"),
    ],
    ids=["no network", "no pip", "no venv"],
)
def test_missing_tools_are_reported_without_a_traceback(
    checkout: _Checkout, missing: str, message: str
) -> None:
    if missing == "venv":
        (checkout.folder / "modules" / "venv.py").write_text(
            "import sys; sys.exit('no venv')", encoding="utf-8"
        )
    process, _ = checkout.install("demo", missing=missing)
    assert process.returncode == 1
    assert message in process.stderr
    assert "Traceback" not in process.stderr
    assert not checkout.stamps


def test_a_folder_that_cannot_be_written_is_named(checkout: _Checkout) -> None:
    environment = checkout.folder / ".venv"
    environment.touch()  # permissions would not stop root
    process, calls = checkout.install("demo")
    assert (process.returncode, calls) == (1, [])
    assert process.stderr.startswith(f"{environment} cannot be written: ")
    assert "python3-venv" not in process.stderr


@_UNIX
@pytest.mark.parametrize(
    ("python", "message"),
    [
        (None, "musicapi_nb needs Python 3.11 or newer; there is no python3 here."),
        (
            "#!/bin/sh\n[ $1 = -V ] && echo Python 3.9.18\nexit 1\n",
            "musicapi_nb needs Python 3.11 or newer; python3 is Python 3.9.18.",
        ),
    ],
    ids=["none", "old"],
)
def test_make_needs_a_recent_python(checkout: _Checkout, python: str | None, message: str) -> None:
    if python is not None:
        checkout.add_program("python3", python)
    make = shutil.which("make")
    assert make, "make is needed to test the Makefile"
    process = checkout.run(make, "demo")
    assert process.returncode
    assert message in process.stderr


# --- a browser -----------------------------------------------------------------------------------

_MANAGER = """\
#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
"""


@_UNIX
@pytest.mark.parametrize(
    ("programs", "calls", "message"),
    [
        (["chromium-browser", "apt-get"], [], ""),
        ([], [], "Install Chromium or Chrome so that one of the commands chromium, "),
        (["apt-get"], [], "sudo apt-get install --yes --no-install-recommends chromium"),
        (["dnf"], [], "needs a password: sudo dnf install --assumeyes chromium"),
        (["apk", "sudo"], ["sudo -n true", "sudo -n apk add chromium"], "still no Chromium"),
    ],
    ids=["there already", "no package manager", "apt, no rights", "dnf, no rights", "not brought"],
)
def test_missing_chromium_is_installed_or_reported(
    checkout: _Checkout, programs: list[str], calls: list[str], message: str
) -> None:
    checkout.add_program("id", "#!/bin/sh\necho 1000\n")
    for name in programs:
        checkout.add_program(name, _MANAGER)
    (checkout.programs / "basename").symlink_to(str(shutil.which("basename")))
    (checkout.folder / "calls").touch()
    process = checkout.run("/bin/sh", str(checkout.folder / "scripts" / "install_chromium"))
    assert process.returncode == 0
    assert (checkout.folder / "calls").read_text(encoding="utf-8").splitlines() == calls
    assert message in process.stderr
    assert bool(process.stderr) == bool(message)


def test_settings_come_from_pip_of_the_base_python(monkeypatch: pytest.MonkeyPatch) -> None:
    base = install_packages._BASE_PYTHON
    assert Path(base).exists()
    monkeypatch.setattr(install_packages, "_succeeds", lambda *command: command[0] == base)
    assert install_packages.find_pip(ensure=False) == (
        *(base, "-m", "pip", "--python"),
        install_packages._PYTHON,
    )
