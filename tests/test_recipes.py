"""Recipes of the guide "Other tools" that need large packages, which the other tests do without.

`pip install -r requirements/recipes.txt` installs them. With RECIPES=1, a missing one is a failure.
"""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from musicapi_nb.simulator import EmbeddedSimulator, Simulator

_PAGE = (Path(__file__).parents[1] / "docs" / "guides" / "tools.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r'^```python(?: title="(\w+)")?\n(.*?)^```', re.MULTILINE | re.DOTALL)
_RECIPES = {package: code for package, code in _BLOCK.findall(_PAGE) if package}
_FIRST = next(code for package, code in _BLOCK.findall(_PAGE) if not package)
_PRINTED = {"datasets": "['audio', 'cell', 'block', 'take', 'styles'] 4", "mlflow": "", "wandb": ""}
_WRITTEN = {
    "datasets": "songs/metadata.jsonl",
    "mlflow": "mlruns/**/songs.json",
    "wandb": "wandb/offline-run-*/files/media/table/songs*.json",
}


def test_each_recipe_is_tested() -> None:
    assert _RECIPES.keys() == _PRINTED.keys() == _WRITTEN.keys()


@pytest.mark.parametrize("package", _WRITTEN)
def test_recipe_runs(package: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(package) is None and not os.environ.get("RECIPES"):
        pytest.skip(f"{package} is not installed: pip install -r requirements/recipes.txt")
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf"), "HOME": str(tmp_path)}
    with EmbeddedSimulator(Simulator(speed=2500, seconds=(1.0, 1.2))) as simulator:
        done = subprocess.run(
            [sys.executable, "-c", f"{_FIRST}\n{_RECIPES[package]}"],
            env={**os.environ, **offline, "MUSICAPI_SIMULATOR": simulator.url},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    assert _PRINTED[package] in done.stdout
    assert list(tmp_path.glob(_WRITTEN[package]))
