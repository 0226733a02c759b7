"""The form in JupyterLab, Notebook 7 and voila: it buys what is on the screen, once."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Locator, expect

from tests.browser.hostile import TEXTS
from tests.browser.lab import Lab, LabNotebook, save_screenshot

_APP = Path(__file__).parents[2] / "notebooks" / "app_compose.ipynb"
_TIMEOUT = 30.0
_MS = _TIMEOUT * 1000

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
            state = json.loads((folder / "state").read_text())
            if matches(state):
                return state
        time.sleep(0.03)
    raise AssertionError(f"the kernel did not reach the state; its last state is {state}")


def _run(lab: LabNotebook) -> tuple[Locator, Locator, Locator]:
    """Start all cells; return the form, its button and its results once they are visible."""
    lab.start_run_all()
    form, results = lab.output_area(1).first, lab.output_area(1).nth(1)
    button = form.locator("button.musicapi-buy")
    expect(button).to_be_visible(timeout=_MS)
    return form, button, results


def _type_into(form: Locator, button: Locator) -> None:
    """Fill in the form, with lyrics that are too long at first."""
    expect(button).to_have_text("Make 2 songs for 20 credits · 980 left after", timeout=_MS)
    expect(button).to_be_disabled()
    expect(form).to_contain_text("Still to do: Gpt description prompt.")
    form.get_by_label("Custom mode").check()
    expect(form.get_by_label("Gpt description prompt")).to_be_hidden()
    form.get_by_label("Mv").fill("sonic-v6-mini")
    form.get_by_label("Prompt", exact=True).fill("la " * 1744)
    expect(form).to_contain_text("5,232 / 5,000")
    expect(form).to_contain_text("Has 5232 characters; the limit is 5000.")
    form.get_by_label("Tags", exact=True).press_sequentially("spy jazz, bossa nova")
    expect(form).to_contain_text("20 / 1,000")
    expect(button).to_be_disabled()
    offset = button.evaluate("button => button.offsetTop")
    form.get_by_label("Prompt", exact=True).fill("[Verse]\nla la\n" * 3)
    expect(form).to_contain_text("42 / 5,000")
    expect(button).to_be_enabled()
    assert button.evaluate("button => button.offsetTop") == offset, "the button moved"
    form.get_by_label("Tags", exact=True).focus()
    for _ in range(20):  # the button can be reached by keyboard
        button.page.keyboard.press("Tab")
        if button.evaluate("button => button === document.activeElement"):
            break
    expect(button).to_be_focused()


def test_form_buys_while_cell_awaits_and_while_none_runs(lab: Lab, tmp_path: Path) -> None:
    connect = _CONNECT.replace("FOLDER", str(tmp_path))
    notebook = lab.open([connect, "form = api.form(sonic.Create)\nform", _AWAITING])
    form, button, results = _run(notebook)

    # a cell awaits
    _type_into(form, button)
    button.dblclick()
    expect(results.locator("audio")).to_have_count(2, timeout=_MS)
    expect(button).to_have_text("Make 2 songs for 20 credits · 960 left after", timeout=_MS)
    state = _wait_for_state(tmp_path, lambda state: state["ended"])
    assert (state["charges"], state["turn"]) == ([20], 1)
    assert "tags='spy jazz, bossa nova'" in state["bought"][0]
    (tmp_path / "typed").touch()
    notebook.wait_until_done()

    # no cell runs
    attack = TEXTS[1]
    form.get_by_label("Title").fill(attack)
    form.get_by_role("button", name="Show as code").click()
    expect(form).to_contain_text(f"title={attack!r}")
    expect(form).to_contain_text("api.run(sonic.Create(custom_mode=True")
    button.press("Enter")
    expect(results.locator("audio")).to_have_count(4, timeout=_MS)
    state = _wait_for_state(tmp_path, lambda state: len(state["bought"]) == 2 and state["ended"])
    assert state["charges"] == [20, 20]
    expect(results).to_contain_text(attack)
    expect(button).to_be_enabled(timeout=_MS)
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
    expect(button).to_be_enabled(timeout=_MS)
    _wait_for_state(tmp_path, lambda _: (tmp_path / "blocked").exists())

    form.get_by_label("Description").press_sequentially(" on a tin roof")
    for _ in range(2):  # clicks are sent at once, most keystrokes are delayed
        button.evaluate("button => { button.click(); button.click(); }")
    (tmp_path / "go").touch()
    notebook.wait_until_done()

    state = _wait_for_state(tmp_path, lambda state: state["ended"])
    assert state["bought"] == ["nuro.Instrumental(description='rain on a tin roof', duration=30)"]
    assert (len(state["charges"]), state["turn"]) == (1, 1)
    expect(results).to_contain_text(TEXTS[0], timeout=_MS)
    expect(results).to_contain_text("refunded")
    assert notebook.page.evaluate("window.pwned") is None


def test_form_in_notebook_7(lab: Lab, tmp_path: Path) -> None:
    connect = _CONNECT.replace("FOLDER", str(tmp_path))
    notebook = lab.open_in_notebook7([connect, "form = api.form(sonic.Create)\nform", "form"])
    form, button, results = _run(notebook)
    notebook.wait_until_done()
    form.get_by_label("Mv").fill("sonic-v6")
    form.get_by_label("Gpt description prompt").fill("rain on a tin roof")
    second_view = notebook.output_area(2).first  # both views of a form hold the same values
    expect(second_view.get_by_label("Gpt description prompt")).to_have_value("rain on a tin roof")
    second_view.get_by_label("Gpt description prompt").fill("rain on a tent")
    expect(form.get_by_label("Gpt description prompt")).to_have_value("rain on a tent")
    expect(form).to_contain_text("14 / 400")
    expect(button).to_be_enabled()
    button.dblclick()
    expect(results.locator("audio")).to_have_count(2, timeout=_MS)
    state = _wait_for_state(tmp_path, lambda state: state["ended"])
    assert state["charges"] == [20]
    assert "'rain on a tent'" in state["bought"][0]
    notebook.screenshot("form-notebook-7")


def test_app_in_voila(lab: Lab) -> None:
    page = lab.open_in_voila(nbformat.read(_APP, as_version=4))
    button = page.locator("button.musicapi-buy")
    expect(button).to_have_text("Make 2 songs for 20 credits · 980 left after", timeout=_MS)
    expect(page.get_by_text("mnb.connect()")).to_have_count(0)
    page.get_by_label("Gpt description prompt").fill("rain on a tin roof")
    page.get_by_label("Engine").select_option("lyrics")
    page.get_by_label("Description").fill("rain")
    expect(button).to_have_text("Send for 2 credits · 998 left after")
    page.get_by_label("Engine").select_option("sonic")
    page.get_by_label("Operation").select_option(
        label="Create: Make two songs, from a description or from lyrics, tags and a title"
    )
    expect(page.get_by_label("Gpt description prompt")).to_have_value("rain on a tin roof")
    page.get_by_label("Mv").fill("sonic-v6")
    expect(button).to_be_enabled()
    button.dblclick()
    expect(page.locator("audio")).to_have_count(2, timeout=_MS)
    expect(button).to_have_text("Make 2 songs for 20 credits · 960 left after", timeout=_MS)
    save_screenshot(page, "form-voila")


_DESCRIBED = '{"custom_mode": false, "mv": "sonic-v6", "gpt_description_prompt": "rain"}'
_TWO_SONGS = """\
request = sonic.Create(custom_mode=False, mv="sonic-v6", gpt_description_prompt="rain")
first, second = api.run(request).result().songs
print(first.id, second.id)"""
_MASHUP = "mashup = api.form(first.mashup(second, mashup_clip_ids=None, title='Both'))\nmashup"


def test_lists_of_clips_and_requests(lab: Lab, tmp_path: Path) -> None:
    connect = _CONNECT.replace("FOLDER", str(tmp_path))
    batch = "form = api.form(sonic.Batch)\nform"
    notebook = lab.open([connect, _TWO_SONGS, _MASHUP, batch])
    notebook.run_all()

    form, results = notebook.output_area(2).first, notebook.output_area(2).nth(1)
    clips, button = form.get_by_label("Mashup clip ids"), form.locator("button.musicapi-buy")
    expect(clips).to_have_attribute("placeholder", "ids, comma-separated")
    first, second = notebook.texts()[1].split()
    clips.fill(first)
    expect(form).to_contain_text("Still to do: Mashup clip ids.")
    clips.fill(f"{first}, {second}")
    expect(form).to_contain_text("2 / 2")
    expect(button).to_have_text(
        "Make 2 songs, price unknown (perhaps 14) · 980 left now", timeout=_MS
    )
    button.click()
    expect(results.locator("audio")).to_have_count(2, timeout=_MS)
    expect(results).to_contain_text("Both")

    form, results = notebook.output_area(3).first, notebook.output_area(3).nth(1)
    items, button = form.get_by_label("Items"), form.locator("button.musicapi-buy")
    items.fill(f"{_DESCRIBED}\n{_DESCRIBED[:-1]}")
    expect(form).to_contain_text("Line 2 is not valid JSON")
    expect(button).to_be_disabled()
    items.fill(f"{_DESCRIBED}\n{_DESCRIBED}")
    expect(button).to_contain_text("Make 4 songs for 40 credits")
    expect(button).to_be_enabled()
    button.dblclick()
    expect(results.locator("audio")).to_have_count(4, timeout=_MS)
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
    expect(form).to_contain_text("Still to do: Clip id.")
    expect(form).not_to_contain_text("Base class")  # it has no docstring of its own
    form.get_by_label("Clip id").fill("clip-1")
    form.get_by_label("Tags", exact=True).press_sequentially("spy jazz, bossa nova, sax")
    expect(form).to_contain_text("Has 25 characters; the limit is 20.")
    form.get_by_label("Tags", exact=True).fill("spy jazz")
    expect(button).to_be_enabled()
    save_screenshot(button.page, "form-of-a-custom-operation")
    button.click()
    expect(results.locator("audio")).to_have_count(2, timeout=_MS)
    state = _wait_for_state(tmp_path, lambda state: state["ended"])
    assert state["bought"] == ["sonic.Duet(clip_id='clip-1', tags='spy jazz')"]
    assert len(state["charges"]) == 1
