"""A client with one account at a simulator, over real HTTP."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import aiohttp

from musicapi_nb.simulator import Simulator

CREATE: dict[str, Any] = {
    "custom_mode": False,
    "gpt_description_prompt": "rain on a tin roof, slow jazz",
    "mv": "sonic-v5",
}
STUDIO: dict[str, Any] = {
    "prompt": "Boats at a harbour on a rainy night, spy jazz, bossa nova",
    "lyrics_type": "generate",
    "model_type": "studio130-v1.5",
    "prompt_strength": 0.5,
    "clarity_strength": 0.25,
    "lyrics_strength": 0.5,
    "generation_quality": 0.75,
    "config": {"mode": "regular"},
}
VOCAL: dict[str, Any] = {"type": "vocal", "lyrics": "[Verse]\nPaint dries slowly by the sea"}
LONG_AFTER = 600.0


class Reply(NamedTuple):
    status: int
    body: Any
    headers: Mapping[str, str]


class Caller:
    def __init__(self, sim: Simulator, key: str | None) -> None:
        self.sim = sim
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(headers=self._headers)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        assert self._session is not None
        return self._session

    async def post(self, path: str, body: Any) -> Reply:
        return await self._request("POST", path, json=body)

    async def get(self, path: str) -> Reply:
        return await self._request("GET", path)

    async def _request(self, method: str, path: str, **options: Any) -> Reply:
        url = f"{self.sim.url}/api/v1/{path}"
        async with self.session.request(method, url, allow_redirects=False, **options) as reply:
            return Reply(reply.status, await reply.json(), reply.headers)

    async def submit(self, body: dict[str, Any], path: str = "sonic/create") -> str:
        reply = await self.post(path, body)
        assert reply.status == 200, reply.body
        task_id = reply.body.get("task_id") or reply.body["data"]
        assert isinstance(task_id, str)
        return task_id

    async def finished(self, task_id: str, engine: str = "sonic") -> Any:
        self.sim.clock.advance(LONG_AFTER)
        return (await self.get(f"{engine}/task/{task_id}")).body

    async def clips(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        reply = await self.finished(await self.submit(body))
        clips: list[dict[str, Any]] = reply["data"]
        return clips

    async def studio_songs(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        reply = await self.finished(await self.submit(body, "studio/create"), "studio")
        songs: list[dict[str, Any]] = reply["data"]["data"]["songs"]
        return songs

    async def credits(self) -> int:
        body = (await self.get("get-credits")).body
        return int(body["credits"] + body["extra_credits"])
