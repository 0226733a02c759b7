"""
Run the notebooks on the simulator and write each as a page of the documentation.

Notebooks are stored without outputs. The pages in build/notebooks have them, with songs and
pictures as files beside them; `make docs` includes these pages.
"""

import argparse
import re
import shutil
import time
from pathlib import Path
from typing import Any, cast

import executed
import nbformat
from nbconvert import MarkdownExporter
from nbformat import NotebookNode

_ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = _ROOT / "notebooks"
OUT = _ROOT / "build" / "notebooks"

# Each output is an HTML element, so that its text is not read as Markdown.
_TEMPLATE = """\
{%- extends 'markdown/index.md.j2' -%}
{% block stream %}
<pre class="output">{{ output.text | ansi2html }}</pre>
{% endblock stream %}
{% block error %}
<pre class="output">{{ output.traceback | join('\n') | ansi2html }}</pre>
{% endblock error %}
{% block data_text %}
<pre class="output">{{ output.data['text/plain'] | ansi2html }}</pre>
{% endblock data_text %}
{% block data_html %}
<div class="output">
{{ output.data['text/html'] }}
</div>
{% endblock data_html %}
{% block data_png %}
<div class="output"><img src="{{ output.metadata.filenames['image/png'] }}" alt="a plot"></div>
{% endblock data_png %}
"""


def page(notebook: NotebookNode, name: str) -> tuple[str, dict[str, bytes]]:
    """Return an executed notebook as Markdown, and its pictures by file name."""
    exporter = MarkdownExporter(raw_template=_TEMPLATE)
    resources: dict[str, Any] = {"unique_key": name, "output_files_dir": f"{name}_files"}
    text, extras = exporter.from_notebook_node(notebook, resources=resources)
    linked = re.sub(r"\((\w+)\.ipynb(#[\w-]+)?\)", r"(\1.md\2)", text)
    return f"{linked.strip()}\n", cast("dict[str, bytes]", extras["outputs"])


def write(source: Path, out: Path) -> None:
    """Run one notebook and write its page, its pictures and its media below `out`."""
    notebook = nbformat.read(source, as_version=4)
    executed.execute(notebook, out)
    text, files = page(notebook, source.stem)
    for name, content in files.items():
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_bytes(content)
    (out / f"{source.stem}.md").write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all of notebooks/")
    options = parser.parse_args()
    if not options.notebooks:
        shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True, exist_ok=True)
    for source in options.notebooks or sorted(NOTEBOOKS.glob("*.ipynb")):
        start = time.monotonic()
        write(source, OUT)
        print(f"{source.name}: {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
