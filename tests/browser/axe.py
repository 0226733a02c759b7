"""Accessibility of a part of a page, checked by axe-core (a development dependency in npm)."""

import os
from pathlib import Path
from typing import Any, cast

import pytest
from playwright.sync_api import Locator

_SCRIPT = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
_RUN = """\
async part => {
  const options = {resultTypes: ["violations"], runOnly: {type: "tag", values: [
    "wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}};
  const {violations} = await window.axe.run(part, options);
  return violations;
}"""


def axe_violations(part: Locator) -> list[str]:
    """Return the serious and critical violations within one element, one line for each node.

    Without axe-core, the test is skipped; in CI it fails.
    """
    part.page.evaluate(_source())
    violations = cast("list[dict[str, Any]]", part.evaluate(_RUN))
    return [
        f"{violation['impact']}: {violation['id']}: {violation['help']}: {node['html']:.200}"
        for violation in violations
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    ]


def _source() -> str:
    if _SCRIPT.exists():
        return _SCRIPT.read_text(encoding="utf-8")
    message = "axe-core is not installed; run npm ci"
    if os.environ.get("CI", "").lower() in {"", "0", "false"}:
        pytest.skip(message)
    pytest.fail(message, pytrace=False)
