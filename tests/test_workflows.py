"""The workflows run commands of this repository, on the versions that the package supports."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

_ROOT = Path(__file__).parents[1]
_WORKFLOWS = sorted((_ROOT / ".github" / "workflows").glob("*.yml"))
_HOOKS = _ROOT / ".pre-commit-config.yaml"
# What a job may do beyond reading the repository, and which actions need that.
_WRITERS = {"pages": "actions/deploy-pages", "id-token": "pypa/gh-action-pypi-publish"}


def _read(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def _jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in _WORKFLOWS:
        for name, job in _read(path)["jobs"].items():
            yield f"{path.stem}: {name}", job


def _steps() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, job in _jobs():
        for step in job.get("steps", []):
            yield name, step


def _commands() -> list[str]:
    hooks = _read(_HOOKS)["repos"][0]["hooks"]
    return [step["run"] for _, step in _steps() if "run" in step] + [
        hook["entry"] for hook in hooks
    ]


def test_targets_exist_in_the_makefile() -> None:
    makefile = (_ROOT / "Makefile").read_text(encoding="utf-8")
    targets = {name for command in _commands() for name in re.findall(r"^make ([\w.-]+)", command)}
    assert "checks" in targets
    for target in targets:
        assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), f"make {target}"


def test_scripts_and_folders_exist() -> None:
    named = {
        path
        for command in _commands()
        for path in re.findall(r"(?:tests|scripts)/[\w./]+", command)
    }
    assert {"scripts/install_packages.py", "tests/browser"} <= named
    assert [path for path in named if not (_ROOT / path).exists()] == []


def test_all_supported_versions_of_python_are_tested() -> None:
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    versions = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    jobs = dict(_jobs())
    assert jobs["test: tests"]["strategy"]["matrix"]["python"] == versions
    assert project["requires-python"] == f">={versions[0]}"
    assert jobs["newest: test"]["strategy"]["matrix"]["python"] == [versions[0], versions[-1]]
    systems = jobs["test: tests"]["strategy"]["matrix"]["system"]
    assert [name.partition("-")[0] for name in systems] == ["ubuntu", "macos", "windows"]


@pytest.mark.parametrize("path", _WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_has_read_permission_only(path: Path) -> None:
    workflow = _read(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["group"]


def test_write_permissions_are_needed_by_an_action() -> None:
    for name, job in _jobs():
        actions = {step.get("uses", "").partition("@")[0] for step in job.get("steps", [])}
        for permission, level in job.get("permissions", {}).items():
            assert level == "write"
            allowed = {_WRITERS[permission], "actions/deploy-pages"}
            assert actions & allowed, f"{name}: {permission}"
            assert "actions/checkout" not in actions, f"{name} runs code of the repository"


def test_jobs_have_a_timeout() -> None:
    for name, job in _jobs():
        assert job.get("timeout-minutes", 0) in range(1, 61) or "uses" in job, name


def test_checkouts_do_not_persist_credentials() -> None:
    for name, step in _steps():
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False, name


def test_actions_have_versions() -> None:
    actions = [(name, step["uses"]) for name, step in _steps() if "uses" in step]
    assert [pair for pair in actions if not re.search(r"@(v\d[\d.]*|[0-9a-f]{40})$", pair[1])] == []
