"""The documentation, as far as can be told without building it: its files, names and code."""

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docs_parameters
import docs_site
import griffe
import pytest
import yaml
from mkdocs.exceptions import PluginError

import musicapi_nb as mnb
from musicapi_nb.simulator import EmbeddedSimulator, Simulator

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
CONFIG = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
TAUGHT = [*DOCS.glob("guides/*.md"), *DOCS.glob("moving/*.md")]
_OURS = re.compile(r"^```python(?: title=\"musicapi_nb\")?\n(.*?)^```", re.MULTILINE | re.DOTALL)

# Each page's code runs in a folder of its own, as a reader would run it: one block after the other.
_RUN = """\
import os, pathlib, sys
for file in sys.argv[1:]:
    folder = pathlib.Path(file).with_suffix("")
    folder.mkdir()
    os.chdir(folder)
    print("page", pathlib.Path(file).stem)
    exec(compile(pathlib.Path(file).read_text(), file, "exec"), {"__name__": "__main__"})
"""


_SHARED = '''
def f(three: float, one: int = 1, two: str = "b"):
    """Do.

    Parameters
    ----------
    one, two
        Both.
    three
        Alone.
    """
'''


def _leaves(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    for item in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from _leaves(item)


def _exists(page: str) -> bool:
    if page in docs_site.ELSEWHERE:
        return (ROOT / docs_site.ELSEWHERE[page]).is_file()
    if page.startswith("notebooks/"):
        return (ROOT / page).with_suffix(".ipynb").is_file()
    return (DOCS / page).exists()


def test_the_navigation_names_files_that_are_there() -> None:
    pages = list(_leaves(CONFIG["nav"]))
    assert len(pages) > 25
    assert [page for page in pages if not _exists(page)] == []


def test_the_navigation_names_every_page_and_notebook() -> None:
    named = set(_leaves(CONFIG["nav"]))
    kept = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert {page for page in kept if not page.startswith("engines/")} <= named
    told = {f"notebooks/{path.stem}.md" for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")}
    assert told <= named


def test_what_pages_take_from_the_readme_is_there() -> None:
    taken = [
        title
        for path in DOCS.rglob("*.md")
        for title in docs_site.INCLUDED.findall(path.read_text(encoding="utf-8"))
    ]
    assert {"With a key", "Experiments", "Tag science"} <= set(taken)
    assert all(docs_site.section(title) for title in taken)
    with pytest.raises(PluginError, match="Nothing of the kind"):
        docs_site.section("Nothing of the kind")


def test_links_of_the_readme_lead_to_pages_of_the_site() -> None:
    text = "[a](docs/images/cards.png) [b](notebooks/01_x.ipynb) [c](CHANGELOG.md) [d](https://e.f)"
    assert docs_site._relinked(text, "guides/tags.md") == (
        "[a](../images/cards.png) [b](../notebooks/01_x.md) [c](../changelog.md) [d](https://e.f)"
    )
    assert "[a](images/cards.png)" in docs_site._relinked(text, "index.md")


def test_engine_pages_are_listed_in_the_order_of_their_index() -> None:
    listed = docs_site._listed({"Engines": "engines/"})["Engines"]
    assert listed[:2] == ["engines/index.md", "engines/sonic.md"]
    assert {f"engines/{path.name}" for path in DOCS.glob("engines/*.md")} == set(listed)
    assert docs_site._listed({"Home": "index.md"}) == {"Home": "index.md"}


def test_parameters_that_share_an_entry_keep_their_own_defaults() -> None:
    parser = griffe.Parser("numpy")
    module = griffe.visit("taught", Path("taught.py"), _SHARED, docstring_parser=parser)
    docs_parameters.OwnTypesAndDefaults().on_object(obj=module["f"])
    told = module["f"].docstring.parsed[1].value
    assert [(each.name, str(each.annotation), each.value) for each in told] == [
        ("one", "int", "1"),
        ("two", "str", "'b'"),
        ("three", "float", None),
    ]


def test_every_public_name_stands_on_one_page_of_the_reference() -> None:
    pages = "\n".join(path.read_text(encoding="utf-8") for path in DOCS.glob("reference/*.md"))
    told = Counter(re.findall(r"^::: musicapi_nb\.(\w+)$", pages, re.MULTILINE))
    told.update(vars(mnb.errors).keys())  # the page on errors tells all of the module
    elsewhere = {path.stem for path in DOCS.glob("engines/*.md")} | {"errors"}
    names = [name for name in mnb.__all__ if name not in elsewhere]
    assert {name: told[name] for name in names} == dict.fromkeys(names, 1)


def test_nothing_is_fetched_by_who_builds_or_reads() -> None:
    assert CONFIG["theme"]["font"] is False
    asking = {"privacy", "social", "offline", "git-committers"}  # each asks another host
    assert not asking & {
        name if isinstance(name, str) else next(iter(name)) for name in CONFIG["plugins"]
    }
    assert "repo_url" not in CONFIG  # its stars and forks are looked up at each visit


def test_the_code_of_guides_and_of_moving_over_runs(tmp_path: Path) -> None:
    files = []
    for path in TAUGHT:
        blocks = _OURS.findall(path.read_text(encoding="utf-8"))
        if blocks:
            files.append(tmp_path / f"{path.stem}.py")
            files[-1].write_text("\n".join(blocks), encoding="utf-8")
    assert {"library", "simulator", "sdk", "requests"} <= {file.stem for file in files}

    with EmbeddedSimulator(Simulator(speed=2500, seconds=(1.0, 1.2))) as sim:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", _RUN, *map(str, files)],
            env=os.environ | {"MUSICAPI_SIMULATOR": sim.url},  # quick, where a page names none
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    assert done.stderr == ""
    assert done.returncode == 0
    said = dict(
        re.findall(r"^page (\w+)\n(.*?)(?=^page |\Z)", done.stdout, re.MULTILINE | re.DOTALL)
    )
    assert said.keys() == {file.stem for file in files}
    assert "failed resolved by the balance, which fell by 20" in said["library"]
    assert "['succeeded', 'failed']" in said["simulator"]
    assert "source" in said["sdk"]
    assert list((tmp_path / "requests").glob("*.mp3"))
