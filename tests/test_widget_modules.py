"""JavaScript modules are joined into one that a blob URL can load."""

import re
from pathlib import Path
from types import ModuleType

import pytest

from musicapi_nb._blind_test.widget import BlindTest
from musicapi_nb.widgets import song_widget
from musicapi_nb.widgets.base import LiveWidget, join_modules
from musicapi_nb.widgets.compare import Board, board
from musicapi_nb.widgets.form.view import FormView
from musicapi_nb.widgets.gallery import Gallery, _gallery
from musicapi_nb.widgets.live_cards import LiveCards


@pytest.mark.parametrize("widget", [Gallery, Board, FormView, BlindTest])
def test_joined_module_stands_alone(widget: type[LiveWidget]) -> None:
    source = re.sub(r"/\*.*?\*/", "", str(widget._esm), flags=re.DOTALL)
    assert "import" not in source
    assert re.findall(r"^export.*", source, flags=re.MULTILINE)[0].startswith("export default ")
    assert source.count("\nexport ") == 1
    declared = re.findall(r"^(?:const|let|function|class) (\w+)", source, flags=re.MULTILINE)
    assert len(declared) == len(set(declared)) > 10


@pytest.mark.parametrize("widget", [_gallery, board])
def test_every_module_is_joined_after_its_imports(widget: ModuleType) -> None:
    modules = [path.resolve() for path in widget.MODULES]
    parts = Path(song_widget.__file__).parent / "song_parts"
    for folder in (Path(str(widget.__file__)).parent, parts):
        assert set(folder.glob("*.js")) <= set(modules)
    for position, path in enumerate(modules):
        source = path.read_text(encoding="utf-8")
        imports = re.findall(r"^import [^;]*from \"(\.[^\"]+)\";", source, flags=re.MULTILINE)
        assert {(path.parent / name).resolve() for name in imports} <= set(modules[:position])


def test_styles_of_one_widget_do_not_reach_another_on_the_page() -> None:
    used = set(re.findall(r"blind-[a-z-]+", str(BlindTest._esm)))
    assert len(used) > 10
    for widget in (Gallery, Board, FormView, LiveCards):
        assert not used & set(re.findall(r"\.([a-z-]+)", str(widget._css)))
    assert "mnb-" not in str(BlindTest._esm)  # the classes of Gallery and Board


def test_multiline_imports_are_removed_and_exports_are_kept(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text(
        "export const a = 1;\nexport function b() {}\n", encoding="utf-8"
    )
    (tmp_path / "c.js").write_text(
        'import {\n  a,\n  b,\n} from "./a.js";\nexport default { a };\n', encoding="utf-8"
    )
    joined = join_modules(tmp_path / "a.js", tmp_path / "c.js")
    assert joined == "const a = 1;\nfunction b() {}\n\nexport default { a };\n"
