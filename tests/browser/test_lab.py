"""The harness itself: what the other browser tests rest on is shown to work, and to notice."""

import pytest

from tests.browser.lab import Lab

_HTML = """\
from IPython.display import HTML
HTML('<p style="color: rgb(1, 2, 3)">safe</p><script>window.theScriptRan = true</script>')"""


def test_cells_run_in_a_kernel_and_their_outputs_are_read(lab: Lab) -> None:
    notebook = lab.open(
        ["import sys\nprint('to the page')", "6 * 7", "import asyncio\nawait asyncio.sleep(0)"]
    )

    notebook.run_all()

    assert notebook.texts() == ["to the page\n", "42", ""]
    assert notebook.execution_counts() == [1, 2, 3]
    assert notebook.output_area(1).inner_text() == "42"


def test_a_saved_notebook_holds_its_outputs(lab: Lab) -> None:
    notebook = lab.open(["print('kept')"])
    notebook.run_all()

    saved = notebook.save()

    assert [output["text"] for output in saved.cells[0].outputs] == ["kept\n"]
    assert saved.cells[0].execution_count == 1


def test_a_failing_cell_is_noticed(lab: Lab) -> None:
    notebook = lab.open(["1 / 0", "print('perhaps')"])

    with pytest.raises(AssertionError, match="ZeroDivisionError: division by zero"):
        notebook.run_all()

    # Whether the cell behind it still runs is a race between Lab and the kernel, not ours.
    notebook.run_all(errors_expected=True)
    assert notebook.texts()[0] == "ZeroDivisionError: division by zero"


def test_cells_that_do_not_end_are_noticed(lab: Lab) -> None:
    notebook = lab.open(["import threading", "threading.Event().wait()", "'behind it'"])

    with pytest.raises(AssertionError, match=r"\[\*\] threading.Event") as caught:
        notebook.run_all(seconds=2)

    # Whether Lab has heard yet that the kernel is busy is a race, not ours.
    assert "[*] 'behind it'" in str(caught.value)
    assert "kernel connected, " in str(caught.value)


def test_own_outputs_are_trusted_and_a_strangers_are_sanitised(lab: Lab) -> None:
    mine = lab.open([_HTML])
    mine.run_all()
    mine.page.wait_for_function("() => window.theScriptRan === true")
    made = mine.save()

    theirs = lab.open_untrusted(made)

    paragraph = theirs.output_area(0).locator("p")
    assert mine.is_trusted()
    assert paragraph.evaluate("node => getComputedStyle(node).color") == "rgb(1, 2, 3)"
    assert theirs.output_area(0).locator("script").count() == 0
    assert theirs.page.evaluate("() => window.theScriptRan") is None


def test_both_themes_are_drawn(lab: Lab) -> None:
    notebook = lab.open(["print('on both themes')"])
    notebook.run_all()
    colour = "() => getComputedStyle(document.querySelector('.jp-Notebook')).backgroundColor"

    light = notebook.page.evaluate(colour)
    light_picture = notebook.screenshot("lab-light")
    notebook.set_theme("dark")

    assert notebook.page.evaluate(colour) != light
    assert notebook.screenshot("lab-dark").read_bytes() != light_picture.read_bytes()
