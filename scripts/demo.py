"""
Run the first notebook without a key and write a page to listen to its songs.

Executes the notebook in a real kernel, on the embedded simulator, and writes the executed notebook
and one page with the songs, which needs neither the simulator nor the kernel.
"""

import argparse
import json
import shutil
import textwrap
import time
from pathlib import Path
from typing import Any

import executed
import nbformat

_ROOT = Path(__file__).resolve().parent.parent
_NOTEBOOK = Path("notebooks", "01_first_song.ipynb")
_PAGE = "songs.html"

# Runs in the notebook's kernel after its cells, with its variables `api` and `tasks`.
_AFTER = """\
import json as _json
import musicapi_nb as _mnb
_mnb.save_page({page!r}, tasks, title="The first songs", embed=True, library=api.library)
print(_json.dumps({{
    "tasks": len(tasks),
    "credits": api.credits().result().total,
    "songs": [
        {{"title": song.title, "duration": song.duration, "tags": list(song.tags)}}
        for task in tasks
        for song in task.songs
    ],
}}))
"""


def _report(summary: dict[str, Any], seconds: float) -> str:
    songs = summary["songs"]
    header = f"{len(songs)} songs from {summary['tasks']} requests in {seconds:.0f} s"
    lines = [f"{header}; {summary['credits']:g} credits are left in the simulator.", ""]
    for song in songs:
        title = textwrap.shorten(song["title"] or "(no title)", 32, placeholder="...")
        tags = textwrap.shorten(", ".join(song["tags"]), 48, placeholder="...")
        lines.append(f"  {_clock(song['duration']):>6}  {title:<32}  {tags}")
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

    out: Path = args.out.resolve()
    shutil.rmtree(out / "media", ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    (out / _PAGE).unlink(missing_ok=True)

    print(f"Running {args.notebook.name} on the simulator: no key, nothing is paid.", flush=True)
    start = time.monotonic()
    notebook = nbformat.read(args.notebook, as_version=4)
    after = _AFTER.format(page=str(out / _PAGE))
    summary = json.loads(executed.execute(notebook, out, after=after))
    file = out / args.notebook.name
    nbformat.write(notebook, file)

    print(_report(summary, time.monotonic() - start))
    print(f"\nexecuted notebook  {_relative(file)}\npage to listen to  {_relative(out / _PAGE)}")


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


if __name__ == "__main__":
    main()
