"""Checks pages with hostile text: that nothing runs or could run, and that the text is readable."""

from typing import Self

from playwright.sync_api import BrowserContext, Dialog, Locator, Page, Request

from tests.browser import hostile

# Everything in the outputs that could run or load something. Excluded are the style that pandas
# adds to each frame, formulas that JupyterLab makes of $...$ in frames (pandas allows them), and
# the controls of live songs.
_ACTIVE_CONTENT = """\
areas => areas.flatMap(area => [...area.querySelectorAll("*")]).flatMap(node => {
  const banned = ["script", "iframe", "object", "embed", "svg", "math", "form", "input", "button",
                  "meta", "base", "link", "template", "textarea", "video", "source", "style"];
  const formula = node.closest("mjx-container") && node.closest("table.dataframe");
  const pandas = node.localName === "style" && node.parentNode.querySelector("table.dataframe");
  const control = node.matches(".musicapi-nb-songs :is(button, input)");
  const excluded = formula || pandas || control;
  const active = banned.includes(node.localName) && !excluded ? [node.outerHTML] : [];
  for (const { name, value } of node.attributes) {
    const runs = name.startsWith("on") || ["srcdoc", "id", "formaction", "ping"].includes(name);
    const isLink = ["src", "href", "action", "poster"].includes(name) && !/^https?:/i.test(value);
    const isStyle = name === "style" && !formula && /url|position|expression|import/i.test(value);
    if ((runs && !formula) || isLink || isStyle) active.push(`${node.localName} ${name}=${value}`);
  }
  return active;
})"""


class Watch:
    """Records incidents: dialogs and requests to the attacker's host."""

    def __init__(self, context: BrowserContext) -> None:
        self.incidents: list[str] = []
        self._context = context

    def __enter__(self) -> Self:
        self._context.on("dialog", self._dialog)
        self._context.on("request", self._request)
        return self

    def __exit__(self, *_: object) -> None:
        self._context.remove_listener("dialog", self._dialog)
        self._context.remove_listener("request", self._request)

    def _dialog(self, dialog: Dialog) -> None:
        self.incidents.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, request: Request) -> None:
        if hostile.HOST in request.url:
            self.incidents.append(f"request: {request.url}")

    def check(self, page: Page, areas: Locator) -> None:
        """Open all foldable parts, then check that nothing ran or could run."""
        areas.locator("summary").evaluate_all("nodes => nodes.forEach(node => node.click())")
        assert areas.evaluate_all(_ACTIVE_CONTENT) == []
        assert page.evaluate("() => window.pwned ?? null") is None
        assert self.incidents == []
        assert areas.locator("mjx-container:not(table.dataframe *)").count() == 0
        content = "\n".join(areas.all_inner_texts())
        for text in hostile.TEXTS:
            beginning = text.replace("\u202e", "").partition("\x1b")[0][:40].strip()
            assert beginning in content
        assert "\u202e" not in "".join(areas.locator("bdi").all_inner_texts())
