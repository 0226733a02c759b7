"""Cards, jobs, form, monitor, gallery, board and blind test in marimo."""

import json
from pathlib import Path

from playwright.sync_api import Page, expect

from musicapi_nb.simulator import EmbeddedSimulator, Simulator
from tests.blind_helpers import fill_library
from tests.browser.lab import save_screenshot
from tests.browser.server import running_marimo
from tests.browser.watch import Watch

_IS_PLAYING = "audio => !audio.paused && audio.currentTime > 0.2"

_NOTEBOOK = """\
import marimo

app = marimo.App()

with app.setup:
    import musicapi_nb as mnb
    from musicapi_nb import sonic

    SONG = sonic.Create(custom_mode=False, mv="sonic-v6", gpt_description_prompt="<b>rain</b>")


@app.cell
def _():
    api = mnb.connect(simulator=URL, library="bought")
    api
    return (api,)


@app.cell
def _():
    SONG
    return


@app.cell
def _(api):
    job = api.run(SONG)
    job
    return (job,)


@app.cell
def _(api):
    form = api.form(sonic.Create(custom_mode=False, mv="sonic-v6", gpt_description_prompt="sea"))
    form
    return


@app.cell
def _(api):
    plan = mnb.Plan.grid(
        sonic.Create,
        base={"custom_mode": False, "gpt_description_prompt": "{style}"},
        factors={"mv": ["sonic-v6"], "style": ["spy jazz", "sea shanty"]},
    )
    run = api.experiment("harbour", plan, budget=400)
    mnb.monitor(run)
    return (run,)


@app.cell
async def _(api, job):
    await job
    gallery = api.gallery()
    gallery
    return


@app.cell
def _():
    library = mnb.Library("listening")
    test = mnb.blind_test(library, factor="mv", trials=2, name="by ear", seed=3)
    test
    return (library,)


@app.cell
def _(library):
    board = mnb.compare(library, rows="prompt", columns="model")
    board
    return
"""


def test_marimo_shows_live_and_static_values(page: Page, watch: Watch, tmp_path: Path) -> None:
    fill_library(tmp_path / "listening", takes=1)
    with EmbeddedSimulator(Simulator(speed=300, seconds=(40, 50))) as sim:
        notebook = _NOTEBOOK.replace("URL", json.dumps(sim.url))
        with running_marimo(tmp_path, notebook) as url:
            page.goto(url)
            _check(page, sim)
            page.set_viewport_size({"width": 1280, "height": 5000})  # marimo scrolls inside
            save_screenshot(page, "marimo")
    assert watch.incidents == []


def _check(page: Page, sim: Simulator) -> None:
    live = page.locator(".musicapi-live")
    expect(page.get_by_text("<b>rain</b>").first).to_be_visible()  # a request's card
    job, bought, monitor = live.nth(0), live.nth(1), live.nth(2)
    expect(job.locator("audio")).to_have_count(2)  # the job has ended by itself

    form = page.locator(".musicapi-form")
    form.get_by_role("button", name="Make 2 songs").click()
    expect(bought.locator("audio")).to_have_count(2)

    monitor.get_by_role("button", name="Start", exact=True).click()
    expect(monitor).to_contain_text("100%")
    expect(monitor.get_by_role("button")).to_have_count(0)
    assert [charge.credits for charge in sim.accounts.charges()] == [20] * 4

    for name in ("gallery", "board"):
        area = page.locator(f".musicapi-nb-{name}")
        area.get_by_role("button", name="Play").first.click()
        page.wait_for_function(_IS_PLAYING, arg=area.locator("audio").element_handle())

    expect(page.locator(".musicapi-nb-blind")).to_contain_text("1 of 2")
