"""
Run the first notebook without a key and write a page with its songs.

Executes the notebook in a real kernel, on the embedded simulator, and writes the executed notebook
and a static page. The simulator ends with the kernel, so its files are saved beside the page.
"""

import argparse
import json
import re
import shutil
import textwrap
import time
from pathlib import Path
from typing import Any

import executed
import nbformat
from nbconvert import HTMLExporter
from nbformat import NotebookNode

_ROOT = Path(__file__).resolve().parent.parent
_NOTEBOOK = Path("notebooks", "01_first_song.ipynb")

_EMPTY_SCRIPT = re.compile(r'<script src="">\s*</script>')

# Both run in the notebook's kernel: one before its cells (connect() returns the same session every
# time), one after them, with the variables `api` and `tasks` of the notebook.
_BEFORE = """\
import musicapi_nb as _mnb
_balance = _mnb.connect().credits().result().total
"""
_SUMMARY = """\
import json as _json
print(_json.dumps({
    "tasks": len(tasks),
    "credits": _balance - api.credits().result().total,
    "songs": [
        {
            "title": song.title,
            "engine": task.engine,
            "duration": song.duration,
            "tags": list(song.tags),
        }
        for task in tasks
        for song in task.songs
    ],
}))
"""


def export(notebook: NotebookNode) -> str:
    """Return the notebook as one HTML page that loads nothing from other hosts."""
    exporter = HTMLExporter(
        mathjax_url="", require_js_url="", jquery_url="", mermaid_js_url="", embed_images=False
    )
    page, _ = exporter.from_notebook_node(notebook)
    return _EMPTY_SCRIPT.sub("", page)


def _report(summary: dict[str, Any], seconds: float) -> str:
    songs = summary["songs"]
    header = f"{len(songs)} songs from {summary['tasks']} requests in {seconds:.0f} s"
    lines = [f"{header}; {summary['credits']:g} credits spent in the simulator.", ""]
    for song in songs:
        title = textwrap.shorten(song["title"] or "(no title)", 32, placeholder="...")
        tags = textwrap.shorten(", ".join(song["tags"]), 48, placeholder="...")
        lines.append(f"  {_clock(song['duration']):>6}  {title:<32}  {song['engine']:<7} {tags}")
    return "\n".join(lines)


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "-:--"
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebook", nargs="?", type=Path, default=_ROOT / _NOTEBOOK)
    parser.add_argument("--out", type=Path, default=_ROOT / "build" / "demo")
    args = parser.parse_args()

    out: Path = args.out
    shutil.rmtree(out / "media", ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)

    print(f"Running {args.notebook.name} on the simulator: no key, nothing is paid.", flush=True)
    start = time.monotonic()
    notebook = nbformat.read(args.notebook, as_version=4)
    summary = json.loads(executed.execute(notebook, out, before=_BEFORE, after=_SUMMARY))
    file = out / args.notebook.name
    page = file.with_suffix(".html")
    nbformat.write(notebook, file)
    page.write_text(export(notebook), encoding="utf-8")

    print(_report(summary, time.monotonic() - start))
    print(f"\nexecuted notebook  {_relative(file)}\npage to listen to  {_relative(page)}")


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


if __name__ == "__main__":
    main()
