"""page: a complete HTML document. No I/O."""

import html
from typing import Final

from musicapi_nb.markup.components import stack
from musicapi_nb.markup.escape import TITLE_LIMIT, element, plain_attribute, text

_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src http: https: data:; "
    "media-src http: https: data:; base-uri 'none'; form-action 'none'"
)
_PAGE_STYLE: Final = """
:root { color-scheme: light dark; background: #fff; color: #1f2328 }
body { margin: 22px; font: 14px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif }
h1 { margin: 0 0 18px; font-size: 16px; font-weight: 600; overflow-wrap: anywhere }
@media screen and (prefers-color-scheme: dark) { :root { background: #111418; color: #e6e8eb } }
@media (max-width: 480px) { body { margin: 14px } }
@media print {
  :root { color-scheme: light }
  body { margin: 0; print-color-adjust: exact }
  h2 { break-after: avoid }
  tr, [style*="max-width:420px"], [style*="flex:1 1 394px"] { break-inside: avoid }  /* cards */
}
"""


def page(title: str, *blocks: str, files: bool = False) -> str:
    """Return a complete HTML document that cannot run scripts.

    It can load media from the web, and from the disk only with `files`.
    """
    policy = _POLICY.replace(" data:;", " data: file:;") if files else _POLICY
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{html.escape(plain_attribute(title))}</title>\n<style>{_PAGE_STYLE}</style>\n</head>\n"
        f"<body>\n{element('h1', text(title, TITLE_LIMIT))}\n{stack(*blocks)}\n</body>\n</html>\n"
    )
