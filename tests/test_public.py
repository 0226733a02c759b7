"""Public names, cost of the import, and the statements of the README."""

import os
import re
import subprocess
import sys
from pathlib import Path

import public_stub
import pytest

import musicapi_nb as mnb

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "MUSICAPI_KEY"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
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


def test_stub_lists_the_public_names() -> None:
    assert public_stub.STUB.read_text(encoding="utf-8") == public_stub.stub()


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="did you mean songs_frame"):
        _ = mnb.song_frame  # type: ignore[attr-defined]  # the point of the test


def test_readme_code_runs(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    code = "\n".join(blocks)
    assert code.count("\n") >= 30

    done = _run("-W", "error", "-c", code, cwd=tmp_path)

    assert done.stderr == ""
    assert done.returncode == 0
    assert "20 credits for 2 songs" in done.stdout
    assert "credits left" in done.stdout
    assert "recall" in done.stdout
    assert "best.zip: 1 written" in done.stdout
    assert sorted(path.suffix for path in tmp_path.iterdir()) == ["", ".mp3", ".png", ".zip"]


def test_readme_commands_are_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = set(re.findall(r"\bmake (\w+)", README))
    assert {"demo", "test", "lab"} <= commands
    for command in commands:
        assert re.search(rf"^{command}:", makefile, re.MULTILINE)


def test_readme_lists_every_module() -> None:
    package = Path(mnb.__file__).parent
    modules = {
        f"{path.name}/" if path.is_dir() else path.name
        for path in package.iterdir()
        if not path.name.startswith("_") and (path.is_dir() or path.suffix == ".py")
    }
    assert set(re.findall(r"^\| `([\w./]+)`", README, re.MULTILINE)) == modules


def test_readme_prices_are_current() -> None:
    prices = {(kind.engine, kind.operation): kind().price() for kind in mnb.operations()}
    assert "A sonic create is 20 credits" in README
    assert f"lists all {len(prices)} operations" in README
    assert prices["sonic", "create"] == 20
    assert prices["sonic", "extend"] == prices["studio", "custom"] == 15
    assert prices["nuro", "vocal"] == 10
    assert prices["lyrics", "make"] == 2
