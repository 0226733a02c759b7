"""Check the documentation without building it: files, names, links and code."""

import os
import pkgutil
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docs_parameters
import docs_site
import griffe
import yaml

import musicapi_nb as mnb
from musicapi_nb.simulator import EmbeddedSimulator, Simulator

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
CONFIG = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
# The page on Colab runs in test_colab.py.
PAGES_WITH_CODE = [
    path
    for folder in ("guides", "moving")
    for path in DOCS.glob(f"{folder}/*.md")
    if path.stem != "colab"
]
_CODE_BLOCK = re.compile(
    r"^```python(?: title=\"musicapi_nb\")?\n(.*?)^```", re.MULTILINE | re.DOTALL
)

# The code of each page runs in a separate folder, block after block, as a reader would run it.
_RUN = """\
import os, pathlib, sys
for file in sys.argv[1:]:
    folder = pathlib.Path(file).with_suffix("")
    folder.mkdir()
    os.chdir(folder)
    print("page", pathlib.Path(file).stem)
    code = pathlib.Path(file).read_text(encoding="utf-8")
    exec(compile(code, file, "exec"), {"__name__": "__main__"})
"""


_SHARED_ENTRY = '''
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


def test_navigation_names_existing_files() -> None:
    pages = list(_leaves(CONFIG["nav"]))
    assert len(pages) > 25
    assert [page for page in pages if not _exists(page)] == []


def test_navigation_names_every_page_and_notebook() -> None:
    entries = set(_leaves(CONFIG["nav"]))
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert {page for page in pages if not page.startswith("engines/")} <= entries
    tutorials = {f"notebooks/{path.stem}.md" for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")}
    assert tutorials <= entries


def test_readme_links_become_links_of_the_site() -> None:
    text = "[a](docs/images/cards.png) [b](notebooks/01_x.ipynb) [c](CHANGELOG.md) [d](https://e.f)"
    assert docs_site._relinked(text, "guides/tags.md") == (
        "[a](../images/cards.png) [b](../notebooks/01_x.md) [c](../changelog.md) [d](https://e.f)"
    )
    assert "[a](images/cards.png)" in docs_site._relinked(text, "index.md")


def test_pictures_of_the_readme_follow_the_theme_of_the_site() -> None:
    page = docs_site._relinked((ROOT / "README.md").read_text(encoding="utf-8"), "index.md")
    assert "<picture>" not in page
    for theme in ("light", "dark"):
        picture = rf"^!\[[^]]+\]\(images/\S+-{theme}\.png#only-{theme}\)$"
        assert len(re.findall(picture, page, re.MULTILINE)) == 2


def test_engine_pages_follow_the_order_of_their_index() -> None:
    pages = docs_site._listed({"Engines": "engines/"})["Engines"]
    assert pages[:2] == ["engines/index.md", "engines/sonic.md"]
    assert {f"engines/{path.name}" for path in DOCS.glob("engines/*.md")} == set(pages)
    assert docs_site._listed({"Home": "index.md"}) == {"Home": "index.md"}


def test_parameters_of_a_shared_entry_keep_their_defaults() -> None:
    parser = griffe.Parser("numpy")
    module = griffe.visit("example", Path("example.py"), _SHARED_ENTRY, docstring_parser=parser)
    docs_parameters.OwnTypesAndDefaults().on_object(obj=module["f"])
    parameters = module["f"].docstring.parsed[1].value
    assert [(item.name, str(item.annotation), item.value) for item in parameters] == [
        ("one", "int", "1"),
        ("two", "str", "'b'"),
        ("three", "float", None),
    ]


def test_every_public_name_is_on_one_reference_page() -> None:
    pages = "\n".join(path.read_text(encoding="utf-8") for path in DOCS.glob("reference/*.md"))
    entries = Counter(re.findall(r"^::: musicapi_nb\.(\w+)$", pages, re.MULTILINE))
    entries.update(vars(mnb.errors).keys())  # the page on errors documents the whole module
    separate = {path.stem for path in DOCS.glob("engines/*.md")} | {"errors"}
    names = [name for name in mnb.__all__ if name not in separate]
    assert {name: entries[name] for name in names} == dict.fromkeys(names, 1)


def test_every_documented_name_exists() -> None:
    pages = "\n".join(path.read_text(encoding="utf-8") for path in DOCS.glob("reference/*.md"))
    names = re.findall(r"^::: ([\w.]+)$", pages, re.MULTILINE)
    assert len(names) > 50
    assert [name for name in names if pkgutil.resolve_name(name) is None] == []


def test_the_site_fetches_nothing_from_other_hosts() -> None:
    assert CONFIG["theme"]["font"] is False
    fetching = {"privacy", "social", "offline", "git-committers"}
    assert not fetching & {
        name if isinstance(name, str) else next(iter(name)) for name in CONFIG["plugins"]
    }
    assert "repo_url" not in CONFIG  # a repository's stars and forks are fetched on each visit


def test_code_of_the_guides_runs(tmp_path: Path) -> None:
    files = []
    for path in PAGES_WITH_CODE:
        blocks = _CODE_BLOCK.findall(path.read_text(encoding="utf-8"))
        if blocks:
            files.append(tmp_path / f"{path.stem}.py")
            files[-1].write_text("\n".join(blocks), encoding="utf-8")
    assert {"library", "simulator", "tags", "files", "tools", "sdk", "requests"} <= {
        file.stem for file in files
    }

    with EmbeddedSimulator(Simulator(speed=2500, seconds=(1.0, 1.2))) as sim:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", _RUN, *map(str, files)],
            # the simulator for pages that start none; and no progress bars
            env=os.environ | {"MUSICAPI_SIMULATOR": sim.url, "TQDM_DISABLE": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    assert done.stderr == ""
    assert done.returncode == 0
    output = dict(
        re.findall(r"^page (\w+)\n(.*?)(?=^page |\Z)", done.stdout, re.MULTILINE | re.DOTALL)
    )
    assert output.keys() == {file.stem for file in files}
    assert "failed resolved by the balance, which fell by 20" in output["library"]
    assert "['succeeded', 'failed']" in output["simulator"]
    assert "source" in output["sdk"]
    assert "recall" in output["tags"]
    assert "best.zip: 1 written" in output["files"]
    assert "slow jazz" in output["tools"]
    assert "credits: 30" in output["operations"]
    assert "Duet · " in output["operations"]
    assert list((tmp_path / "requests").glob("*.mp3"))


def test_the_picture_of_the_architecture_has_all_layers_in_order() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    modules = [name.strip(" ()") for line in layers for name in line.split("|")]
    picture = (ROOT / "docs" / "images" / "architecture.svg").read_text(encoding="utf-8")
    assert re.findall(r'class="name"[^>]*>(\w+)(?:/|\.py)<', picture) == modules
