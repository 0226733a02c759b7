"""
What MkDocs asks while it builds the documentation: pages that are kept elsewhere, once each.

README, changelog and contributing stay where people look for them; a page takes a README section by
a line of its own: `<!-- README: Experiments -->`. Engine pages are found, not listed.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
EXECUTED = ROOT / "build" / "notebooks"
ELSEWHERE = {"changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}
"""Pages of the site that are files at the top of the repository."""

INCLUDED = re.compile(r"^<!-- README: (.+) -->$", re.MULTILINE)
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    config.nav = [_listed(item) for item in config.nav or []]
    return config


def _listed(item: Any) -> Any:
    """Put the pages of engines where the navigation names their folder."""
    if item != {"Engines": "engines/"}:
        return item
    index = ROOT / "docs" / "engines" / "index.md"
    pages = re.findall(r"\]\((\w+\.md)#", index.read_text(encoding="utf-8"))
    return {"Engines": [f"engines/{page}" for page in ("index.md", *dict.fromkeys(pages))]}


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    for page, source in ELSEWHERE.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=_relinked(text, page)))
    for path in sorted(EXECUTED.rglob("*")):
        if path.is_file():
            name = f"notebooks/{path.relative_to(EXECUTED).as_posix()}"
            file = File.generated(config, name, abs_src_path=str(path))
            if path.suffix == ".md" and not path.stem[0].isdigit():  # an app, led to by its guide
                file.inclusion = InclusionLevel.NOT_IN_NAV
            files.append(file)
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    return INCLUDED.sub(lambda found: _relinked(section(found[1]), page.file.src_uri), markdown)


def section(title: str) -> str:
    """
    Return what README says below a heading, down to the next of its sections.

    Raises
    ------
    PluginError
        README has no such heading.
    """
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"(?ms)^##? {re.escape(title)}\n(.*?)(?=^## |\Z)", readme)
    if not found:
        raise PluginError(f"README.md has no section {title!r}")
    return found[1].strip()


def _relinked(text: str, page: str) -> str:
    """Let links that are right at the top of the repository be right on a page of the site."""

    def linked(match: re.Match[str]) -> str:
        return posixpath.relpath(_page_of(match[1]), posixpath.dirname(page) or ".")

    return _LINK.sub(linked, text)


def _page_of(path: str) -> str:
    if path.startswith("notebooks/"):
        return path.replace(".ipynb", ".md")
    moved = {source: page for page, source in ELSEWHERE.items()} | {"README.md": "index.md"}
    return moved.get(path, path.removeprefix("docs/"))
