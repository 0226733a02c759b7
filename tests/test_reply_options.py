"""The client reads every form of reply that the simulator can take on since 2026."""

from typing import Any

import pytest

from musicapi_nb import MusicAPI, producer, sonic
from musicapi_nb.errors import ContentRefused, Unauthorized
from musicapi_nb.simulator import Simulator

KEY = "sk-of-an-account-0001"
CREATE = sonic.Create(
    custom_mode=False, mv="sonic-v6", gpt_description_prompt="rain on a tin roof, slow jazz"
)


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"ack_form": "data"},
        {"ack_form": "code", "running_word": "processing"},
        {"error_body": "retriable", "error_types": "2026"},
        {"error_body": "detail", "mv_spelling": "renderer"},
        {"download_form": "links", "sonic_unfinished": "not_ready"},
        {"producer_form": "2026", "running_word": "processing"},
    ],
    ids=str,
)
async def test_client_reads_every_form(switches: dict[str, Any]) -> None:
    async with Simulator(speed=3000, seconds=(1.0, 1.2)) as sim:
        for name, choice in switches.items():
            setattr(sim.reply_options, name, choice)
        async with MusicAPI(KEY, base_url=sim.url, speed=3000, pace=0) as api:
            clip = (await api.run(CREATE)).songs[0].id
            section = sonic.ReplaceSection(
                clip_id=clip,
                mv="sonic-v6",
                infill_start_s=0.2,
                infill_end_s=0.6,
                infill_lyrics="[Bridge]\noh",
                auto_concat=True,
            )
            replaced = await api.run(section)
            assert [song.state for song in replaced.songs] == ["succeeded"] * 4
            download = await api.run(sonic.Download(clip_id=clip, formats=["mp3", "wav"]))
            song = (await api.run(producer.Create(sound="deep house"))).songs[0]
            cover = await api.run(producer.Cover(clip_id=song.id, instruction="slow jazz"))
            assert (cover.state, len(cover.songs)) == ("succeeded", 1)
            for task in (replaced, download, cover):
                assert (task.state, task.issues) == ("succeeded", ())
            links = str(download.answer)
            assert f"{clip}.mp3" in links
            assert f"{clip}.wav" in links
            refused = sonic.Create(
                custom_mode=False, mv="sonic-v6", gpt_description_prompt="simulate copyrighted"
            )
            with pytest.raises(ContentRefused, match="copyrighted"):
                await api.submit(refused)
            sim.faults.arm("wrong_key", method="GET")
            with pytest.raises(Unauthorized, match="Invalid API key"):
                await api.credits()
        assert [charge.credits for charge in sim.accounts.charges()] == [20, 15, 2, 12, 12]
