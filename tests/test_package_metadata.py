"""What a package index shows: the version, the links, and the README without its repository."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import package_metadata
import pytest

import musicapi_nb as mnb
from musicapi_nb.client import MusicAPI
from musicapi_nb.simulator import Simulator

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
REPOSITORY = "https://git.example/owner/project"
TARGETS = re.compile(r'\]\(([^)]+)\)|\b(?:src|srcset)="([^"]+)"')


def _targets(text: str) -> list[str]:
    return [link or source for link, source in TARGETS.findall(text)]


def _code(text: str) -> list[str]:
    return re.findall(r"^```.*?^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    ("version", "revision"), [("1.2.3", "v1.2.3"), ("1.2.4.dev5+g0abc", "main"), ("1.0rc1", "main")]
)
def test_links_and_pictures_of_the_readme_are_absolute(version: str, revision: str) -> None:
    text = package_metadata.index_readme(README, REPOSITORY, version)

    ours = [target for target in _targets(text) if target.startswith(REPOSITORY)]
    relative = [target for target in _targets(README) if "://" not in target]
    assert [
        re.sub(rf"^{REPOSITORY}/(blob|raw)/{revision}/", "", target) for target in ours
    ] == relative
    assert all("://" in target for target in _targets(text))
    assert f'src="{REPOSITORY}/raw/{revision}/docs/images/board-light.png"' in text
    assert f"[CONTRIBUTING.md]({REPOSITORY}/blob/{revision}/CONTRIBUTING.md)" in text
    assert _code(text) == _code(README)


def test_files_that_the_readme_links_exist() -> None:
    for target in _targets(README):
        assert "://" in target or (ROOT / target.partition("#")[0]).is_file(), target


def test_readme_without_a_repository_has_no_dead_link() -> None:
    text = package_metadata.index_readme(README, "", "1.2.3")

    assert all(target.startswith("https://") for target in _targets(text))
    assert "<" not in re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert "CONTRIBUTING.md, the architecture\n  and versions and stability." in text
    assert _code(text) == _code(README)


def test_code_and_anchors_are_not_changed() -> None:
    text = "[a](#below) [b](mailto:a@b.example)\n```python\nx[0](y)\n```\n`k`"
    for repository in ("", REPOSITORY):
        assert package_metadata.index_readme(text, repository, "1.0") == text


def test_project_links_lie_in_the_repository() -> None:
    assert package_metadata.project_links("") == {}
    links = package_metadata.project_links(REPOSITORY)
    assert {"Source", "Documentation", "Changelog", "Issues"} == set(links)
    assert all(link.startswith(REPOSITORY) for link in links.values())
    for folder in ("docs", "CHANGELOG.md"):
        assert any(link.endswith(f"/main/{folder}") for link in links.values())
        assert (ROOT / folder).exists()


def test_repository_is_an_address_or_empty() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    repository = project["tool"]["hatch"]["metadata"]["hooks"]["custom"]["repository"]
    assert not repository or re.fullmatch(r"https://[\w.-]+(/[\w.-]+){2}", repository)


async def test_client_sends_its_version() -> None:
    async with Simulator() as simulator, MusicAPI("key", base_url=simulator.url) as api:
        await api.credits()
    agents = {request.headers["user-agent"] for request in simulator.request_log.recent}
    assert agents == {f"musicapi_nb/{mnb.__version__}"}


def test_version_of_copied_files_is_unknown(tmp_path: Path) -> None:
    shutil.copytree(Path(mnb.__file__).parent, tmp_path / "musicapi_nb")
    code = "import musicapi_nb as mnb; print(mnb.__version__)"
    command = [sys.executable, "-S", "-c", code]  # without site-packages
    process = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": ""}, capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() == "0+unknown"
