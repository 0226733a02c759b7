"""The recipe for conda-forge has the requirements of pyproject.toml, by their names there."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RECIPE: dict[str, Any] = yaml.safe_load(
    (ROOT / "packaging" / "conda" / "recipe.yaml").read_text(encoding="utf-8")
)
_CONDA_NAMES = {"matplotlib": "matplotlib-base", "soundfile": "pysoundfile"}
# Of `lab`: jupyterlab brings them.
_BROUGHT = {"notebook", "ipykernel"}


def _conda(requirements: list[str]) -> set[str]:
    """Return requirements of pip as conda writes them."""
    parsed = [Requirement(text) for text in requirements]
    return {
        f"{_CONDA_NAMES.get(requirement.name, requirement.name)} {requirement.specifier}"
        for requirement in parsed
        if requirement.name not in {"musicapi_nb", *_BROUGHT}
    }


def _section(name: str) -> set[str]:
    rows = RECIPE["requirements"][name]
    return {row for row in rows if not row.startswith("python ") and row != "pip"}


def test_run_requirements_match_the_dependencies() -> None:
    assert _section("run") == _conda(PROJECT["project"]["dependencies"])


def test_run_constraints_match_the_extras() -> None:
    extras = PROJECT["project"]["optional-dependencies"].values()
    assert _section("run_constraints") == _conda([text for extra in extras for text in extra])


def test_build_requirements_match_the_project() -> None:
    assert _section("host") == _conda(PROJECT["build-system"]["requires"])
    python = f">={RECIPE['context']['python_min']}"
    assert PROJECT["project"]["requires-python"] == python
    commands = {f"{name} = {place}" for name, place in PROJECT["project"]["scripts"].items()}
    assert set(RECIPE["build"]["python"]["entry_points"]) == commands


@pytest.mark.parametrize("field", ["summary", "license"])
def test_recipe_describes_the_project(field: str) -> None:
    project = {**PROJECT["project"], "summary": PROJECT["project"]["description"]}
    assert RECIPE["about"][field] == project[field]
