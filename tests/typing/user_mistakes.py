"""Mistakes that type checkers find: without the error, the ignored rule itself would be one."""

import musicapi_nb as mnb
from musicapi_nb import sonic

api = mnb.connect()

sonic.Create(lyric="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
sonic.Create(title=7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
sonic.Create("x", "y")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
sonic.Create(vocal_gender="nobody")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
_ = sonic.Creat  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
_ = mnb.song_frame  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
_ = api.runs  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
api.run(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
_ = api.run("rain").result().song  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
_ = api.run("rain").songs.title  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
sonic.Create(title="x").title = "y"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
