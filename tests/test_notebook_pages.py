"""Executed notebooks as pages: what a reader sees of each kind of output."""

import notebook_pages
from nbformat import v4

_PNG = "iVBORw0KGgo="  # eight bytes, as a picture begins


def _page() -> tuple[str, dict[str, bytes]]:
    outputs = [
        v4.new_output("stream", name="stdout", text="<b>bold?</b>\n\x1b[31mred\x1b[0m\n"),
        v4.new_output("execute_result", data={"text/plain": "<Session 1 < 2>"}),
        v4.new_output(
            "display_data", data={"text/plain": "x", "text/html": "<p>one</p>\n\n<p>*two*</p>"}
        ),
        v4.new_output("display_data", data={"text/plain": "Axes", "image/png": _PNG}),
    ]
    cells = [
        v4.new_markdown_cell("# Songs\n\nSee [the next](02_many_songs.ipynb#tables)."),
        v4.new_code_cell("print('here')", outputs=outputs),
    ]
    about = {"language_info": {"name": "python"}}  # as its kernel says
    return notebook_pages.page(v4.new_notebook(cells=cells, metadata=about), "01_songs")


def test_text_is_escaped_in_a_box_of_its_own() -> None:
    text, _ = _page()
    assert '<pre class="output">&lt;b&gt;bold?&lt;/b&gt;' in text
    assert "\x1b" not in text
    assert '<pre class="output">&lt;Session 1 &lt; 2&gt;</pre>' in text


def test_html_comes_whole_and_alone() -> None:
    text, _ = _page()
    assert '<div class="output">\n<p>one</p>\n\n<p>*two*</p>\n</div>' in text
    assert ">x<" not in text


def test_a_picture_is_a_file_that_the_page_shows() -> None:
    text, files = _page()
    ((name, content),) = files.items()
    assert name.startswith("01_songs_files/")
    assert content == b"\x89PNG\r\n\x1a\n"
    assert f'<img src="{name}" alt="a plot">' in text


def test_code_is_code_and_links_lead_to_pages() -> None:
    text, _ = _page()
    assert "```python\nprint('here')\n```" in text
    assert "[the next](02_many_songs.md#tables)" in text
