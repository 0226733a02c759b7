"""Public names, cost of the import, and the statements of the README."""

import os
import re
import subprocess
import sys
from pathlib import Path

import public_stub
import pytest

import musicapi_nb as mnb
from tests.stderr import lines_of

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "MUSICAPI_KEY"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment | {"TQDM_DISABLE": "1"},  # no progress bars
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_import_loads_nothing_heavy(tmp_path: Path) -> None:
    code = "import musicapi_nb as mnb; mnb.connect, mnb.MusicAPI, mnb.sonic, mnb.Song"
    result = _run("-X", "importtime", "-c", code, cwd=tmp_path)

    loaded = {line.rsplit("|", 1)[-1].strip() for line in result.stderr.splitlines()}
    assert result.returncode == 0
    assert "musicapi_nb.client" in loaded
    for heavy in ("pandas", "matplotlib", "ipywidgets", "numpy", "pyarrow", "soundfile", "IPython"):
        assert heavy not in loaded


def test_public_names_exist() -> None:
    assert len(set(mnb.__all__)) == len(mnb.__all__)
    for name in mnb.__all__:
        assert getattr(mnb, name) is not None
    assert dir(mnb) == [name for name in mnb.__all__ if name != "load_ipython_extension"]


def test_stubs_are_up_to_date() -> None:
    for path, stub in public_stub.STUBS.items():
        assert path.read_text(encoding="utf-8") == stub(), "run scripts/public_stub.py"


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="did you mean songs_frame"):
        _ = mnb.song_frame  # type: ignore[attr-defined]  # the point of the test


def test_readme_is_short() -> None:
    assert len(README.split()) <= 900


def test_readme_code_runs(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert len(blocks[0].splitlines()) == 5  # the first cell: four lines and an empty one
    assert not re.search(r"nuro|studio|riffusion|producer", README)  # not offered, or unusual

    done = _run("-W", "error", "-c", "\n".join(blocks), cwd=tmp_path)

    assert lines_of(done.stderr) == []
    assert done.returncode == 0
    assert "15 credits" in done.stdout
    assert "20 credits for 2 songs" in done.stdout
    assert "recall" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["roof.mp3"]


def test_commands_of_the_readme_and_contributing_are_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    commands = set(re.findall(r"\bmake (\w+)`", README + contributing))
    assert {"demo", "test", "lab", "pictures"} <= commands
    for command in commands:
        assert re.search(rf"^{command}:", makefile, re.MULTILINE)


def test_architecture_lists_every_module() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    package = Path(mnb.__file__).parent
    modules = {
        f"{path.name}/" if path.is_dir() else path.name
        for path in package.iterdir()
        if not path.name.startswith("__") and (path.is_dir() or path.suffix == ".py")
    }
    assert set(re.findall(r"^\| `([\w./]+)`", page, re.MULTILINE)) == modules


def test_readme_prices_are_current() -> None:
    prices = {(kind.engine, kind.operation): kind().price() for kind in mnb.operations()}
    assert f"lists all {len(prices)} operations" in README
    rows = dict(re.findall(r"^\| (.+?) \| (.+?) \|$", README, re.MULTILINE))
    sonic = {name: price for (engine, name), price in prices.items() if engine == "sonic"}
    assert rows["two songs (`sonic.Create`)"] == str(sonic["create"])
    assert rows["two songs that extend or cover another"] == str(sonic["extend"])
    assert sonic["extend"] == sonic["cover"]
    assert rows["two lyrics texts"] == str(prices["lyrics", "make"])
    assert rows["a WAV file"] == str(sonic["wav"])
    stems = f"{sonic['stems_basic']} or {sonic['stems_full']}"
    assert rows["stems: a few tracks, or one per instrument"] == stems
