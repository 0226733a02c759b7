"""
MkDocs hooks: add pages that live outside docs/, and list the engine pages from their index.

README, changelog and contributing stay at the top of the repository; README is the home page.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel

ROOT = Path(__file__).resolve().parent.parent
EXECUTED = ROOT / "build" / "notebooks"
ELSEWHERE = {
    "index.md": "README.md",
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
}
"""Page of the site -> file at the top of the repository."""

# GitHub shows the picture of the reader's theme, and so does the site, each by its own markup.
_PICTURE = re.compile(
    r'<picture>\s*<source [^>]*srcset="([^"]+)">\s*<img alt="([^"]+)" src="([^"]+)">\s*</picture>'
)
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    config.nav = [_listed(item) for item in config.nav or []]
    return config


def _listed(item: Any) -> Any:
    """Replace the folder of engine pages in the navigation by its pages."""
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
            if path.suffix == ".md" and not path.stem[0].isdigit():  # an app, linked from its guide
                file.inclusion = InclusionLevel.NOT_IN_NAV
            files.append(file)
    return files


def _relinked(text: str, page: str) -> str:
    """Rewrite links that are relative to the repository into links relative to a page."""
    text = _PICTURE.sub(r"![\2](\3#only-light)\n![\2](\1#only-dark)", text)

    def relative(match: re.Match[str]) -> str:
        return posixpath.relpath(_page_of(match[1]), posixpath.dirname(page) or ".")

    return _LINK.sub(relative, text)


def _page_of(path: str) -> str:
    if path.startswith("notebooks/"):
        return path.replace(".ipynb", ".md")
    pages = {source: page for page, source in ELSEWHERE.items()}
    return pages.get(path, path.removeprefix("docs/"))
