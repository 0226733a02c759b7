"""
Add the links of the project and the README for a package index to the metadata of a build.

A package index shows the README without the repository, so links and pictures need absolute
addresses. They are made from the address of the repository, which is in pyproject.toml under
`tool.hatch.metadata.hooks.custom`. While it is empty, pictures and relative links are left out.
"""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_CODE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?![a-z]+:|#)([^)\s]+)\)")
_PICTURE = re.compile(r"<picture>.*?</picture>\n*", re.DOTALL)
_SOURCE = re.compile(r'\b(src|srcset)="(?![a-z]+:)([^"]+)"')


def project_links(repository: str) -> dict[str, str]:
    """Return the links that an index shows beside the description."""
    if not repository:
        return {}
    return {
        "Source": repository,
        "Documentation": f"{repository}/tree/main/docs",
        "Changelog": f"{repository}/blob/main/CHANGELOG.md",
        "Issues": f"{repository}/issues",
    }


def index_readme(readme: str, repository: str, version: str) -> str:
    """Return the README for an index, with links to the files of this version.

    Without a repository, pictures and links to files are left out.
    """
    # A version between two releases has no tag.
    revision = f"v{version}" if re.fullmatch(r"[\d.]+", version) else "main"

    def convert(text: str) -> str:
        if not repository:
            return _LINK.sub(r"\1", _PICTURE.sub("", text))
        text = _SOURCE.sub(rf'\1="{repository}/raw/{revision}/\2"', text)
        return _LINK.sub(rf"[\1]({repository}/blob/{revision}/\2)", text)

    parts = _CODE.split(readme)  # every second part is a block of code
    return "".join(part if index % 2 else convert(part) for index, part in enumerate(parts))


class PackageMetadata(MetadataHookInterface):
    """Fill in dynamic fields of pyproject.toml."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the README and the links to the metadata of the project."""
        repository = self.config["repository"].rstrip("/")
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": index_readme(text, repository, metadata["version"]),
        }
        metadata["urls"] = project_links(repository)
