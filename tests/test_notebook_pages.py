"""Check how each kind of notebook output appears on a page of the site."""

import notebook_pages
from nbformat import v4

_PNG = "iVBORw0KGgo="  # the first eight bytes of a PNG file


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
    metadata = {"language_info": {"name": "python"}}
    return notebook_pages.page(v4.new_notebook(cells=cells, metadata=metadata), "01_songs")


def test_text_output_is_escaped() -> None:
    text, _ = _page()
    assert '<pre class="output">&lt;b&gt;bold?&lt;/b&gt;' in text
    assert "\x1b" not in text
    assert '<pre class="output">&lt;Session 1 &lt; 2&gt;</pre>' in text


def test_html_output_replaces_plain_text() -> None:
    text, _ = _page()
    assert '<div class="output">\n<p>one</p>\n\n<p>*two*</p>\n</div>' in text
    assert ">x<" not in text


def test_picture_is_written_to_a_file() -> None:
    text, files = _page()
    ((name, content),) = files.items()
    assert name.startswith("01_songs_files/")
    assert content == b"\x89PNG\r\n\x1a\n"
    assert f'<img src="{name}" alt="a plot">' in text


def test_links_to_notebooks_become_links_to_pages() -> None:
    text, _ = _page()
    assert "```python\nprint('here')\n```" in text
    assert "[the next](02_many_songs.md#tables)" in text
