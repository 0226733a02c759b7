"""
Take the pictures of README and documentation in JupyterLab, on the simulator.

Each picture is the output of one cell, on the light and on the dark theme: NAME-light.png and
NAME-dark.png in docs/images. Look at them before they are committed.
"""

import argparse
import dataclasses
import io
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, cast

from PIL import Image, ImageChops, ImageOps
from playwright.sync_api import FloatRect, Locator, expect, sync_playwright

_ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(_ROOT))

from tests.browser.chromium import ARGUMENTS, chromium_path  # noqa: E402 - needs the path
from tests.browser.lab import PROBE, Lab, LabNotebook, Theme  # noqa: E402 - as above
from tests.browser.server import running_lab  # noqa: E402 - as above

IMAGES = _ROOT / "docs" / "images"
THEMES: Final[tuple[Theme, Theme]] = ("light", "dark")
_SCALE = 2  # pixels of the picture for one of the page
_MARGIN = 14
_COLORS = 128
_MS = 120_000
_HEIGHT = 2200
_SPACE = 8  # below an output: borders may exceed it
_OUTPUTS = ".jp-OutputArea-output:not([data-mime-type$=stderr])"
# Below the shadow of the toolbar.
_SCROLL = "part => { part.style.scrollMarginTop = '60px'; part.scrollIntoView({block: 'start'}); }"
_CELL_PARTS = f".jp-InputArea, {_OUTPUTS}"

_SETUP = """\
import threading, time
from musicapi_nb import sonic, studio
from musicapi_nb.simulator import Simulator

sim = Simulator(seed=11, speed=600, seconds=(30, 60))
api = mnb.connect(simulator=sim, library="songs")
plan = mnb.Plan.grid(
    sonic.Create,
    base={"description": "{topic}"},
    factors={
        "topic": ["rain on a tin roof, slow jazz", "boats at dawn, accordion waltz",
                  "night train, synthwave, female vocals"],
        "mv": ["sonic-v6", "sonic-v6-wild"],
    },
)
run = api.experiment("night songs", plan, budget=400, concurrency=6)
await run
songs = [song for task in run.experiment.tasks_of_cells().values() for song in task.songs]
for song, stars in zip(songs, (4, 3, 5, 2, 3, 4, 4, 5)):
    api.library.rate(song, stars)"""

# Slow enough that the picture shows it under way.
_PLAN = """\
slow = mnb.connect(simulator=Simulator(seed=5, speed=30, seconds=(30, 60)), library="harbours")
more = mnb.Plan.grid(
    sonic.Create,
    base={"description": "{topic}, {style}"},
    factors={"topic": ["harbour", "lighthouse"], "style": ["spy jazz", "dub", "folk"],
             "mv": ["sonic-v6", "sonic-v6-mini"]},
)
harbours = slow.experiment("harbours", more, budget=300, concurrency=4, deadline=1e6)"""

_TWICE = """\
pair = mnb.Plan.grid(
    sonic.Create,
    base={"lyrics": "[Verse] The last train home", "styles": "synthwave, 110 bpm"},
    factors={"mv": ["sonic-v6", "sonic-v6-wild"]},
    repeats=10,
)
trains = api.experiment("night trains", pair, budget=400, concurrency=6)
await trains
for number, song in enumerate(song for task in trains.tasks() for song in task.songs):
    api.library.rate(song, 1 + number * 7 // 3 % 3 + 2 * (song.request.mv == "sonic-v6-wild"))"""

_TAGS = """\
jobs = [api.run(studio.Description(prompt="spy jazz, slow", model_type="studio130-v1.5"), take=take)
        for take in range(1, 9)]
frames = mnb.flatten([await job for job in jobs])
rewrites = mnb.substitutions(frames.replaced_tags, songs=frames.songs)
spy_jazz = rewrites[(rewrites["source"] == "spy jazz") & (rewrites["step"] <= 0)]
mnb.plots.substitutions(spy_jazz)"""


def _leave(area: Locator) -> None:
    """Show the output as it is."""
    expect(area).to_be_visible(timeout=_MS)


def _wait_for_songs(area: Locator) -> None:
    expect(area.locator(".mnb-card")).to_have_count(2, timeout=_MS)


def _play_second(area: Locator) -> None:
    area.get_by_role("button", name="Play").nth(1).click(timeout=_MS)
    area.page.wait_for_function(
        "audio => audio.currentTime > 1", arg=area.locator("audio").first.element_handle()
    )


def _play_in_list(area: Locator) -> None:
    area.get_by_role("button", name="List", exact=True).click(timeout=_MS)
    _play_second(area)


def _play_card(area: Locator) -> None:
    area.get_by_role("button", name="Cards", exact=True).click(timeout=_MS)
    _play_second(area)


def _play_b(area: Locator) -> None:
    area.get_by_role("button", name="play B").click(timeout=_MS)
    area.page.wait_for_function(
        "audio => audio.currentTime > 1", arg=area.locator("audio").nth(1).element_handle()
    )


def _start_experiment(area: Locator) -> None:
    area.get_by_role("button", name="Start").click(timeout=_MS)
    expect(area).to_contain_text(re.compile("being made.*[4-9] of 12", re.DOTALL), timeout=_MS)


@dataclasses.dataclass(frozen=True)
class Picture:
    """The output of a cell, after `prepare`; with `has_input` also the cell itself."""

    name: str
    source: str
    prepare: Callable[[Locator], None] = _leave
    width: int = 1000
    has_input: bool = False
    before: str = ""  # a cell above it, which is not in the picture


# The cells of one notebook: later cells use what earlier ones set up.
PICTURES = (
    Picture(
        "first-cell",
        "import musicapi_nb as mnb\n\napi = mnb.connect()\n"
        'job = api.run("rain on a tin roof, slow jazz")\njob',
        _wait_for_songs,
        has_input=True,
    ),
    Picture("board", "api.compare(run)", _play_second, before=_SETUP),
    Picture("cards", "api.songs(2)"),
    Picture("gallery", "api.gallery(run)", _play_in_list),
    Picture("gallery-cards", "mnb.gallery(songs[:4], library=api.library)", _play_card),
    Picture(
        "form",
        'api.form(sonic.Create(description="rain on a tin roof", styles="slow jazz, piano"))',
    ),
    Picture("blind", 'mnb.blind_test(run, factor="mv", trials=6, seed=3)', _play_b),
    Picture("tags", _TAGS),
    Picture("report", 'trains.report(outcomes=["stars", "duration", "cost"])', before=_TWICE),
    Picture("experiment", "mnb.monitor(harbours)", _start_experiment, before=_PLAN),
)


def file_name(name: str, theme: Theme) -> str:
    return f"{name}-{theme}.png"


def _take(notebook: LabNotebook, picture: Picture) -> None:
    page = notebook.page
    page.set_viewport_size({"width": picture.width, "height": _HEIGHT})
    cell = page.locator(".jp-CodeCell").nth(_sources().index(picture.source))
    picture.prepare(cell.locator(".jp-Cell-outputArea"))
    page.mouse.move(0, 0)  # nothing is drawn as under the mouse
    parts = cell.locator(_CELL_PARTS if picture.has_input else _OUTPUTS)
    for theme in THEMES:
        notebook.set_theme(theme)
        parts.first.evaluate(_SCROLL)
        clip = _surrounding([part.bounding_box() for part in parts.all()])
        image = _trimmed(Image.open(io.BytesIO(page.screenshot(clip=clip))))
        path = IMAGES / file_name(picture.name, theme)
        image.quantize(_COLORS).save(path, optimize=True)
        print(
            f"{path.relative_to(_ROOT)}  {image.width} x {image.height}, {path.stat().st_size:,} B"
        )


def _sources() -> list[str]:
    """Return the cells of the notebook, with an empty space at the end to scroll over."""
    cells = [cell for picture in PICTURES for cell in (picture.before, picture.source) if cell]
    return [*cells, f"from IPython.display import HTML\nHTML('<div style=\"height:{_HEIGHT}px\">')"]


def _surrounding(boxes: Sequence[FloatRect | None]) -> FloatRect:
    """Return the smallest box around all boxes; hidden elements have none."""
    visible = [box for box in boxes if box is not None]
    left, top = min(box["x"] for box in visible), min(box["y"] for box in visible)
    right = max(box["x"] + box["width"] for box in visible)
    bottom = max(box["y"] + box["height"] for box in visible) + _SPACE
    return {"x": left, "y": top, "width": right - left, "height": bottom - top}


def _trimmed(image: Image.Image) -> Image.Image:
    """Cut the empty edges off, and add an even margin."""
    image = image.convert("RGB")
    ground = cast("tuple[int, int, int]", image.getpixel((image.width - 1, image.height - 1)))
    empty = Image.new("RGB", image.size, ground)
    content = image.crop(ImageChops.difference(image, empty).getbbox())
    return ImageOps.expand(content, _MARGIN * _SCALE, ground)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="default: all pictures")
    names = parser.parse_args().names
    with (
        tempfile.TemporaryDirectory(prefix="music-") as folder,
        sync_playwright() as playwright,
        running_lab(Path(folder)) as server,
        playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS) as browser,
        browser.new_context(device_scale_factor=_SCALE) as context,
    ):
        context.add_init_script(path=PROBE)
        notebook = Lab(server, context).open(_sources())
        notebook.run_all(seconds=300)
        for picture in PICTURES:
            if not names or picture.name in names:
                _take(notebook, picture)


if __name__ == "__main__":
    main()
