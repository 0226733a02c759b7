"""
Say what a release still lacks: `scripts/check_release.py v1.2.3 [FOLDER]`.

The tag, the changelog and CITATION.cff name the same version, the changelog has its date, and the
address of the repository is filled in. FOLDER holds the wheel and the sdist that would be uploaded.
Exits 1 if something is missing.
"""

import re
import sys
import tomllib
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent


def read_repository(pyproject: str) -> str:
    """Return the address of the repository from the text of pyproject.toml: empty if unknown."""
    hook = tomllib.loads(pyproject)["tool"]["hatch"]["metadata"]["hooks"]["custom"]
    return str(hook["repository"])


def newest_entry(changelog: str) -> tuple[str, str]:
    """Return version and date, or "", of the first entry: `## 1.2.3 (2026-12-01)`."""
    match = re.search(r"^## (\S+)(?: \((\d{4}-\d\d-\d\d)\))?", changelog, re.MULTILINE)
    return (match[1], match[2] or "") if match else ("", "")


def cited_version(citation: str) -> str:
    """Return the version that CITATION.cff names."""
    match = re.search(r"^version: (\S+)$", citation, re.MULTILINE)
    return match[1] if match else ""


def release_problems(tag: str, *, pyproject: str, changelog: str, citation: str) -> list[str]:
    """Return a sentence for each thing that the release with this tag lacks."""
    version = tag.removeprefix("v")
    problems = []
    if not re.fullmatch(r"v\d+\.\d+\.\d+", tag):
        problems.append(f"The tag {tag} is not v1.2.3.")
    if not read_repository(pyproject):
        problems.append(
            "pyproject.toml does not say where the repository is: fill in `repository` under "
            "tool.hatch.metadata.hooks.custom."
        )
    newest, date = newest_entry(changelog)
    if newest != version:
        problems.append(f"The newest entry of CHANGELOG.md is {newest}, not {version}.")
    elif not date:
        problems.append(f"CHANGELOG.md gives no date: write `## {version} (2026-12-01)`.")
    if (cited := cited_version(citation)) != version:
        problems.append(f"CITATION.cff names version {cited}, not {version}.")
    return problems


def _text(name: str) -> str:
    return (_ROOT / name).read_text(encoding="utf-8")


def main() -> None:
    tag, *folders = sys.argv[1:]
    problems = release_problems(
        tag,
        pyproject=_text("pyproject.toml"),
        changelog=_text("CHANGELOG.md"),
        citation=_text("CITATION.cff"),
    )
    stem = f"musicapi_nb-{tag.removeprefix('v')}"
    expected = [f"{stem}-py3-none-any.whl", f"{stem}.tar.gz"]
    for folder in folders:
        files = sorted(path.name for path in Path(folder).iterdir())
        if files != expected:
            problems.append(f"{folder} holds {files}, not {expected}: build it at the tag.")
    print("\n".join(problems) or f"{tag} may be released.")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
