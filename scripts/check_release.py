"""
List what is missing for a release: `scripts/check_release.py v1.2.3 [FOLDER]`.

The tag, the changelog and CITATION.cff must name the same version, the changelog must have its
date, and pyproject.toml must have the address of the repository. FOLDER, if it is passed, must
contain exactly the wheel and the sdist of this version. The script exits with 1 if something is
missing.
"""

import re
import sys
import tomllib
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent


def read_repository(pyproject: str) -> str:
    """Return the address of the repository in the text of pyproject.toml; "" if it has none."""
    hook = tomllib.loads(pyproject)["tool"]["hatch"]["metadata"]["hooks"]["custom"]
    return str(hook["repository"])


def newest_entry(changelog: str) -> tuple[str, str]:
    """Return the version and the date of the first entry, such as `## 1.2.3 (2026-12-01)`.

    A missing version or date is "".
    """
    match = re.search(r"^## (\S+)(?: \((\d{4}-\d\d-\d\d)\))?", changelog, re.MULTILINE)
    return (match[1], match[2] or "") if match else ("", "")


def cited_version(citation: str) -> str:
    """Return the version that CITATION.cff names."""
    match = re.search(r"^version: (\S+)$", citation, re.MULTILINE)
    return match[1] if match else ""


def release_problems(tag: str, *, pyproject: str, changelog: str, citation: str) -> list[str]:
    """Return a sentence for each problem of a release with this tag."""
    version = tag.removeprefix("v")
    problems = []
    if not re.fullmatch(r"v\d+\.\d+\.\d+", tag):
        problems.append(f"The tag {tag} must have the form v1.2.3.")
    if not read_repository(pyproject):
        problems.append(
            "pyproject.toml has no address of the repository: write it as `repository` under "
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
            problems.append(f"{folder} contains {files}, not {expected}: build them from the tag.")
    print("\n".join(problems) or f"{tag} is ready to be released.")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
