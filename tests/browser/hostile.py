"""Hostile replies: every text and URL tries to run a script or load something."""

import json
from typing import Any

from tests.replies import STUDIO, sample

# A successful attack sets `window.pwned`, opens a dialog, or sends a request to this host.
HOST = "pwned.invalid"
RUN = "window.pwned=(window.pwned||0)+1"

TEXTS = (
    f"<script>{RUN}</script>",
    f'<img src="//{HOST}/i" onerror="{RUN}">',
    f'"><script>{RUN}</script><b title="',
    f"'><svg onload='{RUN}'></svg>",
    f'</textarea></title></style><iframe srcdoc="<script>parent.{RUN}</script>"></iframe>',
    f'<a href="javascript:{RUN}" onmouseover="{RUN}">here</a>',
    f"</div></div><style>*{{display:none;background:url(//{HOST}/s)}}</style>",
    f"x; background:url(//{HOST}/css); position:fixed",
    f"\u202e</summary><details open ontoggle={RUN}>turned\u202c",
    f'<form action="//{HOST}/f"><button autofocus onfocus={RUN}>buy</button></form>',
    f"&lt;script&gt;{RUN}&lt;/script&gt; \x1b[31m\x00",
    f'<math><mtext></mtext><mglyph><style><img src=x onerror="{RUN}"></style></math>',
    f"{{{{constructor.constructor('{RUN}')()}}}} ${{{RUN}}} $$\\href{{javascript:{RUN}}}{{x}}$$",
    f'<meta http-equiv="refresh" content="0;url=//{HOST}/m"><base href="//{HOST}/">',
)
ADDRESSES = (
    f"javascript:{RUN}",
    f"JaVaScRiPt:{RUN}//https://example.com",
    f"data:text/html,<script>{RUN}</script>",
    f"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='{RUN}'/>",
    f'https://{HOST}/a.mp3" onerror="{RUN}',
    f"https://example.com@{HOST}/a.mp3",
    f"//{HOST}/a.mp3",
    f"https://{HOST}/<script>{RUN}</script>",
    f"https://{HOST}\\@example.com/",
    f"vbscript:{RUN}",
    f"\x01javascript:{RUN}",
    f"https:\n//{HOST}/a",
)


def _with_attacks(value: Any, key: str, count: list[int]) -> Any:
    """Replace every text by an attack, except where it determines the kind of reply."""
    if isinstance(value, dict):
        return {name: _with_attacks(part, name, count) for name, part in value.items()}
    if isinstance(value, list):
        return [_with_attacks(part, key, count) for part in value]
    if not isinstance(value, str) or key in {"status", "state", "code", "created_at"}:
        return value
    count[0] += 1
    attacks = ADDRESSES if key.endswith(("_path", "_url", "image")) else TEXTS
    return attacks[count[0] % len(attacks)]


def _studio() -> Any:
    reply = _with_attacks(sample(STUDIO), "", [0])
    for number, song in enumerate(reply["data"]["data"]["songs"]):
        song["title"], song["lyrics"] = TEXTS[number], "\n".join(TEXTS)
        song["tags"] = list(TEXTS[number * 10 :])
        song["replaced_tags"] = {
            text: {"tags": [text, TEXTS[0]], "type": TEXTS[2]} for text in TEXTS[number:]
        }
    return reply


def _sonic(text: str, address: str, state: str) -> dict[str, Any]:
    return {
        "clip_id": text,
        "state": state,
        "title": text,
        "tags": f"{text}, {TEXTS[0]}",
        "lyrics": text,
        "image_url": address,
        "audio_url": address,
        "video_url": address,
        "created_at": text,
        "mv": text,
        "duration": text,
        text: text,
    }


def replies() -> list[Any]:
    """Return decoded replies: studio, sonic in all states, failures."""
    clips = [
        _sonic(text, ADDRESSES[number % len(ADDRESSES)], "succeeded")
        for number, text in enumerate(TEXTS)
    ]
    return [
        _studio(),
        {"code": 200, "data": clips, "message": TEXTS[0]},
        {"code": 200, "data": [_sonic(TEXTS[1], ADDRESSES[0], TEXTS[3])], "message": TEXTS[4]},
        {"code": 200, "data": [_sonic(TEXTS[5], ADDRESSES[1], "failed")], "message": TEXTS[6]},
        {"type": "api_error", "message": TEXTS[4], "error": TEXTS[5], "refund_processed": True},
        {"code": 200, "persona_id": TEXTS[1], "message": TEXTS[0]},
        {"task_id": TEXTS[3], "message": TEXTS[2]},
    ]


def as_json() -> str:
    return json.dumps({"replies": replies(), "texts": TEXTS})
