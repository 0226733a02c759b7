"""The form in JupyterLab, Notebook 7 and voila: it buys what is on the screen, once."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Locator, expect

from tests.browser.axe import axe_violations
from tests.browser.hostile import TEXTS
from tests.browser.lab import Lab, LabNotebook, save_screenshot

_APP = Path(__file__).parents[2] / "notebooks" / "app_compose.ipynb"
_TIMEOUT = 120.0

# A thread writes the kernel's state to a file, also while a cell awaits or blocks, or none runs.
_CONNECT = """\
import asyncio, json, threading, time
from pathlib import Path
import musicapi_nb as mnb
from musicapi_nb import nuro, sonic
from musicapi_nb.simulator import Simulator

folder = Path("FOLDER")
sim = Simulator(speed=300, seconds=(1, 1.2))
api = mnb.connect(simulator=sim)

def write_state():
    while True:
        if "form" in globals():
            state = {
                "charges": [charge.credits for charge in sim.accounts.charges()],
                "bought": [repr(submission.request) for submission in form._submissions],
                "turn": form._turn,
                "ended": form.job is not None and form.job.done(),
            }
            (folder / "new").write_text(json.dumps(state))
            (folder / "new").replace(folder / "state")
        time.sleep(0.03)

threading.Thread(target=write_state, daemon=True).start()"""
_AWAITING = "while not (folder / 'typed').exists():\n    await asyncio.sleep(0.02)"
_BLOCKING = (
    "(folder / 'blocked').touch()\nwhile not (folder / 'go').exists():\n    time.sleep(0.02)"
)


def _wait_for_state(folder: Path, matches: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Wait until the state that the kernel writes matches."""
    end = time.monotonic() + _TIMEOUT
    state: dict[str, Any] = {}
    while time.monotonic() < end:
        if (folder / "state").exists():
            state = json.loads((folder / "state").read_text(encoding="utf-8"))
            if matches(state):
                return state
        time.sleep(0.03)
    raise AssertionError(f"the kernel did not reach the state; its last state is {state}")


def _run(lab: LabNotebook) -> tuple[Locator, Locator, Locator]:
    """Start all cells; return the form, its button and its results once they are visible."""
    lab.start_run_all()
    form, results = lab.output_area(1).first, lab.output_area(1).nth(1)
    button = form.locator("button.musicapi-buy")
    expect(button).to_be_visible()
    return form, button, results


def _type_into(form: Locator, button: Locator) -> None:
    """Fill in the form, with lyrics that are too long at first."""
    expect(button).to_have_text("Make 2 songs for 20 credits · 980 left after")
    expect(button).to_be_disabled()
    expect(form).to_contain_text("Missing: Description.")
    form.get_by_role("tab", name="Describe the song").press("ArrowRight")
    expect(form.get_by_role("tab", name="Write the lyrics")).to_be_focused()
    expect(form.get_by_label("Description")).to_be_hidden()
    model = form.get_by_label("Model", exact=True)
    expect(model).to_have_value("sonic-v6")  # the newest
    model.select_option("Other…")
    form.get_by_label("Other: Model").fill("sonic-v7")
    expect(form).to_contain_text("unknown to this version")
    model.select_option("sonic-v6-mini")
    cells = model.page.locator(".jp-Cell").count()
    model.press("b")  # a command of the notebook: a new cell
    form.get_by_role("button", name="As Python").press("b")
    assert model.page.locator(".jp-Cell").count() == cells
    expect(model).to_have_value("sonic-v6-mini")
    form.get_by_label("Lyrics", exact=True).fill("la " * 1744)
    expect(form).to_contain_text("232 characters too many (5,232 of 5,000).")
    form.get_by_label("Styles", exact=True).press_sequentially("spy jazz, bossa nova")
    expect(form).to_contain_text("20 / 1,000")
    expect(form).to_contain_text("Too long: Lyrics.")
    expect(button).to_be_disabled()
    offset = button.evaluate("button => button.offsetTop")
    form.get_by_label("Lyrics", exact=True).fill("[Verse]\nla la\n" * 3)
    expect(form).to_contain_text("42 / 5,000")
    expect(button).to_be_enabled()
    assert button.evaluate("button => button.offsetTop") == offset, "the button moved"
    form.get_by_label("Styles", exact=True).focus()
    for _ in range(20):  # the button can be reached by keyboard
        button.page.keyboard.press("Tab")
        if button.evaluate("button => button === document.activeElement"):
            break
    expect(button).to_be_focused()


# The boxes of what is visible in a form and holds no other of these, that overlap another one.
_OVERLAPS = """\
form => {
  const parts = "label, input, select, textarea, button, output, .musicapi-chip, .musicapi-message";
  const nodes = [...form.querySelectorAll(parts)].filter(
    node => node.offsetWidth && node.offsetHeight && !node.querySelector(parts));
  const boxes = nodes.map(node => [node, node.getBoundingClientRect()]);
  const overlaps = boxes.flatMap(([node, a], index) => boxes.slice(index + 1)
    .filter(([, b]) => a.left < b.right - 1 && b.left < a.right - 1
                    && a.top < b.bottom - 1 && b.top < a.bottom - 1)
    .map(([other]) => `${node.outerHTML.slice(0, 90)} | ${other.outerHTML.slice(0, 90)}`));
  const outside = boxes.filter(([, box]) => box.right > form.getBoundingClientRect().right);
  return [...overlaps, ...outside.map(([node]) => node.outerHTML.slice(0, 90))];
}"""


def _check_options(form: Locator, button: Locator) -> None:
    """Unfold the rare fields, with a duration and 40 tags, on a narrow page."""
    length = form.get_by_label("Length (about)")
    expect(length).to_be_hidden()
    form.get_by_role("button", name="More options").click()
    length.fill("2:3x")
    expect(form).to_contain_text("A number of seconds, please: 30, or 2:30.")
    expect(button).to_be_disabled()
    length.fill("150")
    expect(form).to_contain_text("= 2:30")
    expect(form.get_by_label("Set it myself: Weirdness")).not_to_be_checked()
    form.get_by_label("Set it myself: Style influence").check()
    form.get_by_label("Styles", exact=True).fill(", ".join(f"style {n}" for n in range(40)))
    expect(form.locator(".musicapi-chip")).to_have_count(40)
    page, tags = form.page, form.locator(".musicapi-chip")
    assert axe_violations(form) == []
    viewport = page.viewport_size
    for width in (420, 1400):
        page.set_viewport_size({"width": width, "height": 900})
        assert form.locator(".musicapi-form").evaluate(_OVERLAPS) == []
        rows = tags.evaluate_all("tags => new Set(tags.map(tag => tag.offsetTop)).size")
        assert rows < 25, f"{rows} rows of tags at {width} px"
    page.set_viewport_size(viewport or {"width": 1280, "height": 900})
    form.get_by_label("Set it myself: Style influence").uncheck()
    length.fill("")
    form.get_by_label("Styles", exact=True).fill("spy jazz, bossa nova")


def test_form_buys_while_cell_awaits_and_while_none_runs(lab: Lab, tmp_path: Path) -> None:
    connect = _CONNECT.replace("FOLDER", str(tmp_path))
    notebook = lab.open([connect, "form = api.form(sonic.Create)\nform", _AWAITING])
    form, button, results = _run(notebook)

    # a cell awaits
    _type_into(form, button)
    _check_options(form, button)
    button.dblclick()
    expect(results.locator("audio")).to_have_count(2)
    expect(results.locator("audio").first).to_be_in_viewport()
    expect(button).to_have_text("Make 2 songs for 20 credits · 960 left after")
    state = _wait_for_state(tmp_path, lambda state: state["ended"])
    assert (state["charges"], state["turn"]) == ([20], 1)
    assert "tags='spy jazz, bossa nova'" in state["bought"][0]
    (tmp_path / "typed").touch()
    notebook.wait_until_done()

    # no cell runs
    attack = TEXTS[1]
    form.get_by_label("Title").fill(attack)
    form.get_by_role("button", name="As Python").click()
    expect(form).to_contain_text(f"title={attack!r}")
    expect(form).to_contain_text("api.run(sonic.Create(custom_mode=True")
    button.press("Enter")
    expect(results.locator("audio")).to_have_count(4)
    state = _wait_for_state(tmp_path, lambda state: len(state["bought"]) == 2 and state["ended"])
    assert state["charges"] == [20, 20]
    expect(results).to_contain_text(attack)
    expect(button).to_be_enabled()
    _take_screenshots(notebook)

    # the saved notebook, untrusted
    saved = notebook.save()
    assert len(saved.cells[1].outputs) == 2
    reader = lab.open_untrusted(saved)
    expect(reader.output_area(1).first).to_contain_text(
        "Interactive form: run this cell to use it."
    )
    expect(reader.output_area(1).nth(1).locator("audio")).to_have_count(4)
    expect(reader.output_area(1).nth(1)).to_contain_text(attack)
    for page in (notebook.page, reader.page):
        assert page.evaluate("window.pwned") is None
    reader.screenshot("form-untrusted")


def _take_screenshots(notebook: LabNotebook) -> None:
    notebook.screenshot("form-light")
    notebook.set_theme("dark")
    notebook.page.set_viewport_size({"width": 400, "height": 900})
    notebook.screenshot("form-dark-400")


def test_busy_kernel_buys_what_was_typed(lab: Lab, tmp_path: Path) -> None:
    connect = _CONNECT.replace("FOLDER", str(tmp_path))
    request = 'nuro.Instrumental(description="rain", duration=30)'
    fault = f"sim.faults.arm('task_fails', times=None, message={TEXTS[0]!r})"
    notebook = lab.open([connect, f"form = api.form({request})\nform", fault, _BLOCKING])
    form, button, results = _run(notebook)
    expect(button).to_be_enabled()
    _wait_for_state(tmp_path, lambda _: (tmp_path / "blocked").exists())

    form.get_by_label("Description").press_sequentially(" on a tin roof")
    for _ in range(2):  # clicks are sent at once, most keystrokes are delayed
        button.evaluate("button => { button.click(); button.click(); }")
    (tmp_path / "go").touch()
    notebook.wait_until_done()

    state = _wait_for_state(tmp_path, lambda state: state["ended"])
    assert state["bought"] == ["nuro.Instrumental(description='rain on a tin roof', duration=30)"]
    assert (len(state["charges"]), state["turn"]) == (1, 1)
    expect(results).to_contain_text(TEXTS[0])
    expect(results).to_contain_text("refunded")
    assert notebook.page.evaluate("window.pwned") is None


def test_form_in_notebook_7(lab: Lab, tmp_path: Path) -> None:
    connect = _CONNECT.replace("FOLDER", str(tmp_path))
    notebook = lab.open_in_notebook7([connect, "form = api.form(sonic.Create)\nform", "form"])
    form, button, results = _run(notebook)
    notebook.wait_until_done()
    form.get_by_label("Description").fill("rain on a tin roof")
    second_view = notebook.output_area(2).first  # both views of a form hold the same values
    expect(second_view.get_by_label("Description")).to_have_value("rain on a tin roof")
    second_view.get_by_label("Description").fill("rain on a tent")
    expect(form.get_by_label("Description")).to_have_value("rain on a tent")
    expect(form).to_contain_text("14 / 400")
    expect(button).to_be_enabled()
    button.dblclick()
    expect(results.locator("audio")).to_have_count(2)
    state = _wait_for_state(tmp_path, lambda state: state["ended"])
    assert state["charges"] == [20]
    assert "'rain on a tent'" in state["bought"][0]
    notebook.screenshot("form-notebook-7")


def test_app_in_voila(lab: Lab) -> None:
    page = lab.open_in_voila(nbformat.read(_APP, as_version=4))
    button = page.locator("button.musicapi-buy")
    expect(button).to_have_text("Make 2 songs for 20 credits · 980 left after")
    for text in ("mnb.connect()", "MUSICAPI_KEY"):  # neither code nor what it prints
        expect(page.get_by_text(text)).to_have_count(0)
    page.get_by_label("Description").fill("rain on a tin roof")
    page.get_by_label("Engine").select_option("lyrics")
    expect(button).to_have_text("Write lyrics for 2 credits · 998 left after")
    page.get_by_label("Description").fill("rain")
    page.get_by_label("Engine").select_option("sonic")
    page.get_by_label("Operation").select_option("create")
    expect(page.get_by_label("Description")).to_have_value("rain on a tin roof")
    expect(button).to_be_enabled()
    button.dblclick()
    expect(page.locator(".musicapi-live audio")).to_have_count(2)
    expect(button).to_have_text("Make 2 songs for 20 credits · 960 left after")
    gallery = page.locator(".musicapi-nb-gallery")
    gallery.get_by_role("button", name="Refresh").click()
    expect(gallery.get_by_role("button", name="Play")).to_have_count(2)
    save_screenshot(page, "form-voila")


_DESCRIBED = '{"custom_mode": false, "mv": "sonic-v6", "gpt_description_prompt": "rain"}'
_TWO_SONGS = """\
title = {"title": "Rain on a Tin Roof"}
request = sonic.Create(custom_mode=True, mv="sonic-v6", prompt="la", **title)
first, second = api.run(request).result().songs
print(first.id, second.id)"""
_MASHUP = "mashup = api.form(first.mashup(second, mashup_clip_ids=None, title='Both'))\nmashup"


def test_lists_of_clips_and_requests(lab: Lab, tmp_path: Path) -> None:
    connect = _CONNECT.replace("FOLDER", str(tmp_path))
    batch = "form = api.form(sonic.Batch)\nform"
    notebook = lab.open([connect, _TWO_SONGS, _MASHUP, batch])
    notebook.run_all()

    form, results = notebook.output_area(2).first, notebook.output_area(2).nth(1)
    box, button = form.get_by_role("combobox", name="Songs to mix"), form.locator(".musicapi-buy")
    offers, chosen = form.locator("[role=option]"), form.locator(".musicapi-chosen .musicapi-song")
    expect(form).to_contain_text("Missing: Songs to mix.")
    box.fill("no such song")
    expect(form).to_contain_text("No song matches.")
    box.fill("tin")
    expect(offers).to_have_count(2)
    expect(offers.first).to_contain_text("Rain on a Tin Roof")
    assert axe_violations(form) == []
    box.press("ArrowDown")
    box.press("Enter")
    expect(offers).to_have_count(0)
    expect(form).to_contain_text("Has 1 song; at least 2 are needed.")
    box.fill("tin")
    offers.nth(0).click()
    expect(chosen).to_have_count(2)
    form.get_by_role("button", name="Remove").first.click()
    first, second = notebook.texts()[1].split()
    box.fill(f"{first}, {second}")  # pasted
    expect(chosen).to_have_count(2)
    expect(chosen.first).to_contain_text("Rain on a Tin Roof")
    expect(form).to_contain_text("2 / 2")
    box.press("ArrowDown")
    expect(offers.first).to_be_visible()  # the list goes when the button is pressed
    notebook.screenshot("form-picker")
    expect(button).to_have_text("Make 2 songs, price unknown (perhaps 14) · 980 left now")
    button.click()
    expect(results.locator("audio")).to_have_count(2)
    expect(results).to_contain_text("Both")

    form, results = notebook.output_area(3).first, notebook.output_area(3).nth(1)
    items, button = form.get_by_label("Requests"), form.locator("button.musicapi-buy")
    items.fill(f"{_DESCRIBED}\n{_DESCRIBED[:-1]}")
    expect(form).to_contain_text("Line 2 is not valid JSON")
    expect(button).to_be_disabled()
    items.fill(f"{_DESCRIBED}\n{_DESCRIBED}")
    expect(button).to_contain_text("Make 4 songs for 40 credits")
    expect(button).to_be_enabled()
    button.dblclick()
    expect(results.locator("audio")).to_have_count(4)
    state = _wait_for_state(tmp_path, lambda state: state["ended"])
    assert (len(state["charges"]), state["charges"][2:]) == (4, [20, 20])
    assert len(state["bought"]) == 1
    notebook.screenshot("form-lists")


_DUET = """\
from typing import Annotated

class Duet(mnb.Request):
    path = "/api/v1/sonic/create"
    constants = {"task_type": "duet_music"}
    songs = 2
    clip_id: Annotated[str | None, mnb.Field(kind="clip", required=True, help="The song.")] = None
    tags: Annotated[str | None, mnb.Field(kind="tags", limit=20, help="The styles.")] = None

form = api.form(Duet)
form"""


def test_operation_declared_in_a_cell_has_a_form(lab: Lab, tmp_path: Path) -> None:
    notebook = lab.open([_CONNECT.replace("FOLDER", str(tmp_path)), _DUET])
    form, button, results = _run(notebook)

    expect(button).to_be_disabled()
    expect(form).to_contain_text("Missing: Clip id.")
    expect(form).not_to_contain_text("Base class")  # it has no docstring of its own
    form.get_by_role("combobox", name="Clip id").fill("clip-1")
    form.get_by_label("Tags", exact=True).press_sequentially("spy jazz, bossa nova, sax")
    expect(form).to_contain_text("5 characters too many (25 of 20).")
    form.get_by_label("Tags", exact=True).fill("spy jazz")
    expect(button).to_be_enabled()
    save_screenshot(button.page, "form-of-a-custom-operation")
    button.click()
    expect(results.locator("audio")).to_have_count(2)
    state = _wait_for_state(tmp_path, lambda state: state["ended"])
    assert state["bought"] == ["sonic.Duet(clip_id='clip-1', tags='spy jazz')"]
    assert len(state["charges"]) == 1
