"""What a release needs: one version everywhere, its date, and the address of the repository."""

import re
from pathlib import Path

import check_release
import pytest

ROOT = Path(__file__).parents[1]
READY = {
    "pyproject": '[tool.hatch.metadata.hooks.custom]\nrepository = "https://git.example/a/b"',
    "changelog": "# Changelog\n\n## 1.2.3 (2027-01-31)\n\n## 1.2.2 (2027-01-01)\n",
    "citation": "title: x\nversion: 1.2.3\nlicense: MIT\n",
}


def test_complete_release_has_no_problem() -> None:
    assert check_release.release_problems("v1.2.3", **READY) == []


@pytest.mark.parametrize(
    ("tag", "change", "problem"),
    [
        ("v1.2.4", {}, "CHANGELOG.md is 1.2.3, not 1.2.4"),
        ("v1.2.4", {}, "CITATION.cff names version 1.2.3"),
        ("1.2.3", {}, "must have the form v1.2.3"),
        ("v1.2.3rc1", {}, "must have the form v1.2.3"),
        ("v1.2.3", {"changelog": "## 1.2.3 (unreleased)\n"}, "no date"),
        ("v1.2.3", {"changelog": "nothing yet"}, "CHANGELOG.md is , not 1.2.3"),
        ("v1.2.3", {"citation": "title: x"}, "CITATION.cff names"),
        (
            "v1.2.3",
            {"pyproject": '[tool.hatch.metadata.hooks.custom]\nrepository = ""'},
            "has no address of the repository",
        ),
    ],
)
def test_incomplete_release_is_refused(tag: str, change: dict[str, str], problem: str) -> None:
    problems = check_release.release_problems(tag, **READY | change)
    assert problem in " ".join(problems)


def test_changelog_and_citation_name_one_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    version, _ = check_release.newest_entry(changelog)
    assert version == check_release.cited_version(citation) != ""


def test_each_version_has_one_entry_in_the_changelog() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (\S+)", changelog, re.MULTILINE)
    assert versions
    assert len(set(versions)) == len(versions)


def test_address_is_read_from_pyproject() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert check_release.read_repository(text.replace('repository = ""', 'repository = "a"'))
