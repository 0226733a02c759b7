"""The pictures of README and documentation: all are there, and the script takes each of them."""

import re
from pathlib import Path

import pictures

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]


def test_script_takes_the_pictures_that_pages_show() -> None:
    taken = {
        pictures.file_name(picture.name, theme)
        for picture in pictures.PICTURES
        for theme in pictures.THEMES
    }
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert set(re.findall(r"images/([\w-]+\.png)", text)) == taken
    assert {path.name for path in pictures.IMAGES.glob("*.png")} == taken


def test_pictures_are_small() -> None:
    sizes = [path.stat().st_size for path in pictures.IMAGES.glob("*.png")]
    assert max(sizes) < 250_000
    assert sum(sizes) < 2_000_000
