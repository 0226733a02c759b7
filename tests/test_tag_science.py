"""Tag analyses of an experiment, over the simulator's real HTTP."""

from pathlib import Path

from musicapi_nb import (
    MusicAPI,
    adherence,
    cooccurrence,
    exclusive_sets,
    studio,
    substitution_graph,
    substitutions,
    tag_counts,
    tag_fates,
)
from musicapi_nb.analysis.model_frame import plan_factors
from musicapi_nb.experiment import Experiment
from musicapi_nb.library import Library
from musicapi_nb.plan import Plan
from musicapi_nb.simulator import Simulator
from musicapi_nb.tasks.tags import tag_key

PROMPTS = ["spy jazz, slow", "lo-fi, warm"]


async def ran(folder: Path) -> Experiment:
    """Run four tasks of each prompt; one fails, so its songs have no tags."""
    design = Plan.grid(
        studio.Description,
        base={"model_type": "studio130-v1.5"},
        factors={"prompt": PROMPTS},
        repeats=4,
    )
    key = "sk-of-an-account-0001"
    async with Simulator(speed=3000, balance=100_000, seconds=(1.0, 1.2)) as sim:
        sim.faults.arm("wrong_type_download", times=None)  # no audio is made, which takes longest
        sim.faults.arm("task_fails", times=1)
        with Library(folder) as library:
            async with MusicAPI(
                key, base_url=sim.url, speed=sim.speed, pace=0, ledger=library
            ) as api:
                return await Experiment("spies", design, api, library, deadline=1e7).run()


async def test_tag_analyses_of_an_experiment(tmp_path: Path) -> None:
    run = await ran(tmp_path / "library")
    songs, tags, steps = run.songs(), run.tags(), run.replaced_tags()
    tables = (songs, tags, steps, run.durations(), run.frame(), run.failures())
    assert [plan_factors(table) for table in tables] == [["prompt_requested"]] * 6
    good = songs[songs["state"] == "succeeded"]
    assert len(good) == 14

    fates = tag_fates(songs, tags, requested_tags="prompt_requested")
    lead = ["cell", "block", "take", "prompt_requested", "task_id", "song_id"]
    assert fates.columns[:6].tolist() == lead
    assert len(fates[["cell", "song_id"]].drop_duplicates()) == 14
    returned = fates.assign(returned=fates["returned"].str.split(", ")).explode("returned")
    numbers = returned.groupby("song_id")["returned"].nunique()
    keys = tags.assign(tag=tags["tag"].map(tag_key))  # some songs have "synth" and "synths"
    assert numbers.to_dict() == keys.groupby("song_id", observed=True)["tag"].nunique().to_dict()

    by_prompt = adherence(
        songs, tags, requested_tags="prompt_requested", by="prompt_requested", match="words"
    )
    assert list(dict.fromkeys(by_prompt["prompt_requested"])) == list(
        dict.fromkeys(songs["prompt_requested"])
    )
    assert set(by_prompt["prompt_requested"]) == set(PROMPTS)
    assert by_prompt["tasks"].sum() == 3 * 7
    assert (by_prompt["songs"] == 2 * by_prompt["tasks"]).all()
    assert by_prompt[["low", "high"]].notna().all(axis=None)

    result = substitutions(steps, songs=songs, requested_tags="prompt_requested")
    (source,) = {"lofi", "lo-fi"} & set(result["source"].dropna())
    first = result[(result["step"] == 0) & (result["source"] == source)].iloc[0]
    assert (first["target"], first["kind"], first["share"]) == (source, "kept", 1.0)
    requested = result[(result["step"] == -1) & (result["source"] == "spy jazz")].set_index(
        "target"
    )
    assert requested.loc[["spy jazz", "jazz", "spy"], "share"].tolist() == [0.5] * 3
    assert ("tag", source) in substitution_graph(result)

    counts = tag_counts(tags)
    assert counts["songs"].max() <= 14
    assert counts["tasks"].max() <= 7
    assert set(cooccurrence(tags)["songs"]) == {14}
    assert exclusive_sets(tags).sum() == 14
