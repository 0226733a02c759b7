"""The harness of the browser tests: it runs and reads notebooks, and notices failures."""

import pytest

from tests.browser.lab import Lab, LabNotebook

_HTML = """\
from IPython.display import HTML
HTML('<p style="color: rgb(1, 2, 3)">safe</p><script>window.theScriptRan = true</script>')"""


def test_cells_are_run_read_and_saved_and_untrusted_outputs_sanitised(lab: Lab) -> None:
    asyncio = "import asyncio\nawait asyncio.sleep(0)"
    notebook = lab.open(["import sys\nprint('to the page')", "6 * 7", asyncio, _HTML])

    notebook.run_all()

    *texts, _ = notebook.texts()
    assert texts == ["to the page\n", "42", ""]
    assert notebook.execution_counts() == [1, 2, 3, 4]
    assert notebook.output_area(1).inner_text() == "42"
    notebook.page.wait_for_function("() => window.theScriptRan === true")
    assert notebook.is_trusted()
    _check_themes(notebook)

    saved = notebook.save()

    assert [output["text"] for output in saved.cells[0].outputs] == ["to the page\n"]
    assert saved.cells[0].execution_count == 1
    untrusted = lab.open_untrusted(saved)
    html = untrusted.page.locator(".jp-OutputArea-output:has(p)")
    paragraph = html.locator("p")
    assert paragraph.evaluate("node => getComputedStyle(node).color") == "rgb(1, 2, 3)"
    assert html.locator("script").count() == 0
    assert untrusted.page.evaluate("() => window.theScriptRan") is None


def _check_themes(notebook: LabNotebook) -> None:
    colour = "() => getComputedStyle(document.querySelector('.jp-Notebook')).backgroundColor"
    light = notebook.page.evaluate(colour)
    light_screenshot = notebook.screenshot("lab-light")
    notebook.set_theme("dark")
    assert notebook.page.evaluate(colour) != light
    assert notebook.screenshot("lab-dark").read_bytes() != light_screenshot.read_bytes()


def test_failing_cell_is_noticed(lab: Lab) -> None:
    notebook = lab.open(["1 / 0", "print('perhaps')"])

    with pytest.raises(AssertionError, match="ZeroDivisionError: division by zero"):
        notebook.run_all()

    # Whether the next cell still runs is a race between Lab and the kernel.
    notebook.run_all(errors_expected=True)
    assert notebook.texts()[0] == "ZeroDivisionError: division by zero"


def test_endless_cell_is_noticed(lab: Lab) -> None:
    notebook = lab.open(["import threading", "threading.Event().wait()", "'next cell'"])

    with pytest.raises(AssertionError, match=r"\[\*\] threading.Event") as caught:
        notebook.run_all(seconds=2)

    # Whether Lab already knows that the kernel is busy is a race.
    assert "[*] 'next cell'" in str(caught.value)
    assert "kernel connected, " in str(caught.value)
