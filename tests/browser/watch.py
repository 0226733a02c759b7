"""Looks at pages that show hostile words: what runs, what could run, what stays readable."""

from playwright.sync_api import BrowserContext, Dialog, Locator, Page, Request

from tests.browser import hostile

# Everything in the outputs that could act. Not counted: the style of its own that pandas gives to
# each frame, and the formulas that JupyterLab makes of $...$ in frames (pandas allows it; they may
# not act either).
_ACTING = """\
areas => areas.flatMap(area => [...area.querySelectorAll("*")]).flatMap(node => {
  const banned = ["script", "iframe", "object", "embed", "svg", "math", "form", "input", "button",
                  "meta", "base", "link", "template", "textarea", "video", "source", "style"];
  const formula = node.closest("mjx-container") && node.closest("table.dataframe");
  const pandas = node.localName === "style" && node.parentNode.querySelector("table.dataframe");
  const found = banned.includes(node.localName) && !formula && !pandas ? [node.outerHTML] : [];
  for (const { name, value } of node.attributes) {
    const acts = name.startsWith("on") || ["srcdoc", "id", "formaction", "ping"].includes(name);
    const leads = ["src", "href", "action", "poster"].includes(name) && !/^https?:/i.test(value);
    const styled = name === "style" && !formula && /url|position|expression|import/i.test(value);
    if ((acts && !formula) || leads || styled) found.push(`${node.localName} ${name}=${value}`);
  }
  return found;
})"""


class Watch:
    """What pages do that they should not: dialogs, requests to the attacker's host, scripts."""

    def __init__(self, context: BrowserContext) -> None:
        self.seen: list[str] = []
        context.on("dialog", self._dialog)
        context.on("request", self._request)

    def _dialog(self, dialog: Dialog) -> None:
        self.seen.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, request: Request) -> None:
        if hostile.HOST in request.url:
            self.seen.append(f"request: {request.url}")

    def check(self, page: Page, areas: Locator) -> None:
        """Touch everything a person may touch, then look for what ran or could run."""
        areas.locator("summary").evaluate_all("nodes => nodes.forEach(node => node.click())")
        assert areas.evaluate_all(_ACTING) == []
        assert page.evaluate("() => window.pwned ?? null") is None
        assert self.seen == []
        assert areas.locator("mjx-container:not(table.dataframe *)").count() == 0
        words = "\n".join(areas.all_inner_texts())
        for text in hostile.TEXTS:
            beginning = text.replace("\u202e", "").partition("\x1b")[0][:40].strip()
            assert beginning in words
        assert "\u202e" not in "".join(areas.locator("bdi").all_inner_texts())
