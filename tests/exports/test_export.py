"""Tests of export(): complete files that other programs read, written once."""

import csv
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mutagen
import pandas as pd
import pytest
import soundfile

import musicapi_nb as mnb
from musicapi_nb import nuro, sonic
from musicapi_nb import plan as plans
from musicapi_nb.errors import ExportFailed, InvalidArgument
from musicapi_nb.exports import ExportResult
from musicapi_nb.ledger_types import PurchaseTerms
from musicapi_nb.library import Library, Measure, Measurement
from musicapi_nb.library.measurements import dtypes_of
from musicapi_nb.simulator import Simulator
from tests.exports.songs import PNG, add, align, attach, inside, sound
from tests.library.helpers import python, wait_for_end

HOSTILE = '=cmd|" /C calc"!A0\n#EXTINF:1,forged\nhttp://evil.example/x.mp3'


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as library:
        yield library


def _outcomes(result: ExportResult) -> list[str]:
    return [song.outcome for song in result.songs]


# --- files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp3", ".wav", ".flac", ".ogg", ".m4a"])
def test_tags_are_readable_and_audio_is_unchanged(
    library: Library, tmp_path: Path, suffix: str
) -> None:
    (clip,) = add(library, "Rain \u2014 \u05d2\u05e9\u05dd", suffix=suffix)
    result = mnb.export(tmp_path / "songs", library)

    path = tmp_path / "songs" / result.songs[0].files[0]
    assert path.suffix == suffix
    file: Any = mutagen.File(path)
    assert _read_tags(file, suffix) == {
        "title": "Rain \u2014 \u05d2\u05e9\u05dd",
        "genre": "jazz, spy",
        "lyrics": "[Verse]\nRain on tin",
        "date": "2026-10-07T12:30:01",
        "song": clip,
        "task": "task-0",
        "model": "chirp-v5",
        "cover": PNG,
    }
    if suffix != ".m4a":
        source = library.file_of(clip)
        assert source is not None
        samples, rate = soundfile.read(path)
        source_samples, source_rate = soundfile.read(source)
        assert rate == source_rate
        assert (samples == source_samples).all()


def _read_tags(file: Any, suffix: str) -> dict[str, Any]:
    tags = file.tags
    ids = {"song": "MUSICAPI_SONG_ID", "task": "MUSICAPI_TASK_ID", "model": "MUSICAPI_MODEL"}
    if suffix in {".mp3", ".wav"}:
        names = {
            "title": "TIT2",
            "genre": "TCON",
            "date": "TDRC",
            **{key: f"TXXX:{name}" for key, name in ids.items()},
        }
        texts = {key: str(tags[name]) for key, name in names.items()}
        texts["date"] = texts["date"].replace(" ", "T")
        return {**texts, "lyrics": tags.getall("USLT")[0].text, "cover": tags["APIC:"].data}
    if suffix == ".m4a":
        names = {"title": "\xa9nam", "genre": "\xa9gen", "date": "\xa9day", "lyrics": "\xa9lyr"}
        free = {
            key: bytes(tags[f"----:com.apple.iTunes:{name}"][0]).decode()
            for key, name in ids.items()
        }
        return {
            **{key: tags[name][0] for key, name in names.items()},
            **free,
            "cover": bytes(tags["covr"][0]),
        }
    names = {name: name for name in ("title", "genre", "date", "lyrics")} | ids
    if suffix == ".flac":
        cover = file.pictures[0].data
    else:
        import base64  # noqa: PLC0415

        packed = base64.b64decode(tags["metadata_block_picture"][0])
        cover = mutagen.flac.Picture(packed).data
    return {**{key: tags[name][0] for key, name in names.items()}, "cover": cover}


def test_provenance_has_request_reply_and_files(library: Library, tmp_path: Path) -> None:
    (clip,) = add(library, "Rain")
    mnb.export(tmp_path / "songs", library)

    record = json.loads((tmp_path / "songs" / "Rain.json").read_text(encoding="utf-8"))
    entry = library.entry(1)
    source = library.file_of(clip)
    assert source is not None
    assert record["request"] == {
        "operation": "sonic.create",
        "method": "POST",
        "path": "/api/v1/sonic/create",
        "body": {
            "task_type": "create_music",
            "custom_mode": False,
            "mv": "sonic-v5",
            "gpt_description_prompt": "rain 0",
            "use_suno_cdn": False,
        },
    }
    assert record["model"] == {"requested": "sonic-v5", "returned": "chirp-v5"}
    assert record["song"]["id"] == clip
    assert record["task"]["id"] == "task-0"
    assert record["ledger"]["request_key"] == entry.request_key
    assert record["ledger"]["price"] == 20
    assert record["package"]["name"] == "musicapi_nb"
    assert record["source"] == {"audio_sha256": source.stem}
    manifest = json.loads((tmp_path / "songs" / "export.json").read_text(encoding="utf-8"))
    assert record["files"]["Rain.wav"] == manifest["files"]["Rain.wav"]


def test_secrets_are_in_no_file(library: Library, tmp_path: Path) -> None:
    request = sonic.Create(
        custom_mode=False,
        gpt_description_prompt="x",
        mv="sonic-v5",
        extra={"webhook_secret": "s3cret", "deep": {"api_key": "s3cret"}},
    )
    _add_finished(library, request, "task-s", "Rain")
    mnb.export(tmp_path / "songs", library)

    record = json.loads((tmp_path / "songs" / "Rain.json").read_text(encoding="utf-8"))
    body = record["request"]["body"]
    assert {body["webhook_secret"], body["deep"]["api_key"]} == {"(omitted)"}
    assert not [
        name for name, content in inside(tmp_path / "songs").items() if b"s3cret" in content
    ]


def _add_finished(library: Library, request: sonic.Create, task_id: str, title: str) -> None:
    from tests.library.helpers import acknowledged, buy, looked  # noqa: PLC0415

    claim = buy(library, request, task_id)
    clip = {
        "clip_id": f"{task_id}-c",
        "state": "succeeded",
        "title": title,
        "audio_url": "https://cdn.example/a",
    }
    reply = {"code": 200, "data": [clip, {**clip, "clip_id": f"{task_id}-d", "title": "Other"}]}
    library.record_poll(claim.entry.id, looked(acknowledged(request, task_id), reply))
    attach(library, f"{task_id}-c", "audio", sound(), ".wav")


def test_aligned_lyrics_are_exported_as_lrc(library: Library, tmp_path: Path) -> None:
    clip, _ = add(library, "Rain", "Tin")
    align(library, clip, ("Rain", 1, 2), ("on", 2.5, 3), ("tin", 3, 4))
    result = mnb.export(tmp_path / "songs", library)

    assert result.songs[0].files == ("Rain.wav", "Rain.lrc", "Rain.json")
    assert result.songs[1].files == ("Tin.wav", "Tin.json")
    assert (tmp_path / "songs" / "Rain.lrc").read_text(encoding="utf-8").splitlines()[-1] == (
        "[00:01.00]<00:01.00>Rain <00:02.50>on <00:03.00>tin <00:04.00>"
    )


def test_tables_and_playlist_have_the_file_names(library: Library, tmp_path: Path) -> None:
    add(library, "Rain", "rain")
    mnb.export(tmp_path / "songs", library)

    frame = pd.read_parquet(tmp_path / "songs" / "tables" / "songs.parquet")
    assert frame["file"].tolist() == ["Rain.wav", "rain (2).wav"]
    assert (tmp_path / "songs" / "songs.m3u8").read_text(encoding="utf-8") == (
        "#EXTM3U\n#EXTINF:0,Rain\nRain.wav\n#EXTINF:0,rain\nrain (2).wav\n"
    )
    names = {path.name for path in (tmp_path / "songs" / "tables").iterdir()}
    assert {"songs.csv", "tags.csv", "tags.parquet", "tasks.csv", "durations.csv"} <= names
    table = pd.read_csv(tmp_path / "songs" / "tables" / "songs.csv")
    assert table["title"].tolist() == ["Rain", "rain"]


def test_ratings_of_the_exported_songs_are_exported(library: Library, tmp_path: Path) -> None:
    add(library, "Rain", "Tin")
    add(library, "Other")
    first, second = library.tasks()
    library.rate(first.songs[0], 4, note="=1+1")
    library.rate(second.songs[0], 1)
    mnb.export(tmp_path / "songs", first, library=library)

    frame = pd.read_parquet(tmp_path / "songs" / "tables" / "ratings.parquet")
    assert frame["note"].tolist() == ["=1+1"]
    table = pd.read_csv(tmp_path / "songs" / "tables" / "ratings.csv")
    assert table["note"].tolist() == ["'=1+1"]


def test_hostile_titles_are_escaped(library: Library, tmp_path: Path) -> None:
    (clip,) = add(library, HOSTILE, lyrics="+1 forged, -1 too\n[09:00.00]x")
    align(library, clip, ("+1", 1, 2))
    result = mnb.export(tmp_path / "songs", library)

    audio = result.songs[0].files[0]
    playlist = (tmp_path / "songs" / "songs.m3u8").read_text(encoding="utf-8").splitlines()
    assert [line[:8] for line in playlist] == ["#EXTM3U", "#EXTINF:", f"./{audio}"[:8]]
    timed = next((tmp_path / "songs").glob("*.lrc")).read_text(encoding="utf-8")
    assert "[09:00.00]" not in timed
    text = (tmp_path / "songs" / "tables" / "songs.csv").read_text(encoding="utf-8-sig")
    _, row = csv.reader(io.StringIO(text))
    assert f"'{HOSTILE}" in row
    assert "'+1 forged, -1 too\n[09:00.00]x" in row
    frame = pd.read_parquet(tmp_path / "songs" / "tables" / "songs.parquet")
    assert frame["title"].tolist() == [HOSTILE]
    assert "<script" not in result._repr_html_()


# --- titles ----------------------------------------------------------------------------------

TITLES = (
    "../../x",
    "CON",
    "\U0001f3b7" * 300,
    "\u202e\u05d2\u05e9\u05dd\u200b",
    "",
    None,
    "Rain",
    "RAIN",
    "a/b\\c:d",
    "export",
    "songs",
    "\x00\x1b[31m",
    "x" * 3000,
)


def test_any_title_becomes_a_file_in_the_folder(library: Library, tmp_path: Path) -> None:
    add(library, *TITLES)
    result = mnb.export(tmp_path / "deep" / "songs", library)

    assert _outcomes(result) == ["written"] * len(TITLES)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "library"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["songs"]
    names = [song.files[0] for song in result.songs]
    assert len({name.casefold() for name in names}) == len(TITLES)
    for name in names:
        assert soundfile.info(tmp_path / "deep" / "songs" / name).frames > 0


# --- second export ---------------------------------------------------------------------------


def test_intact_files_are_not_written_again(library: Library, tmp_path: Path) -> None:
    add(library, "Rain", "rain")
    mnb.export(tmp_path / "songs", library)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "songs").rglob("*.*")}

    result = mnb.export(tmp_path / "songs", library)

    assert _outcomes(result) == ["skipped", "skipped"]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "songs").rglob("*.*")} == times


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("Rain.wav", None),
        ("Rain.wav", b"cut"),
        ("Rain.json", None),
        ("Rain.json", b'{"x": 1}'),
        ("Rain.lrc", b""),
    ],
)
def test_damaged_file_is_replaced(
    library: Library, tmp_path: Path, name: str, content: bytes | None
) -> None:
    clip, _ = add(library, "Rain", "Tin")
    align(library, clip, ("Rain", 1, 2))
    folder = tmp_path / "songs"
    mnb.export(folder, library)
    before = inside(folder)
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)

    result = mnb.export(folder, library)

    assert _outcomes(result)[1] == "skipped"
    assert _outcomes(result)[0] in {"replaced", "written"}
    after = inside(folder)
    assert after.keys() == before.keys()
    for file in ("Rain.wav", "Rain.lrc", "Tin.wav", "songs.m3u8", "tables/songs.csv"):
        assert after[file] == before[file]
    assert _outcomes(mnb.export(folder, library)) == ["skipped", "skipped"]


def test_later_lyrics_and_songs_are_added(library: Library, tmp_path: Path) -> None:
    clip, _ = add(library, "Rain", "Tin")
    mnb.export(tmp_path / "songs", library)
    align(library, clip, ("Rain", 1, 2))
    add(library, "RAIN")

    result = mnb.export(tmp_path / "songs", library)

    assert _outcomes(result) == ["replaced", "skipped", "written"]
    assert result.songs[0].files[1] == "Rain.lrc"
    assert result.songs[2].files[0] == "RAIN (2).wav"


def test_names_tell_covers_and_extensions_from_the_original(
    library: Library, tmp_path: Path
) -> None:
    clip, _ = add(library, "Rain", "Rain")
    first = mnb.export(tmp_path / "songs", library)
    original = mnb.Song(id=clip, engine="sonic", state="succeeded")
    cover = original.cover(mv="sonic-v6", custom_mode=True, tags="spy/jazz, noir", prompt="la")
    add(library, "Rain", "Snow", request=cover)
    add(library, "rain", request=original.extend(prompt="more"))

    result = mnb.export(tmp_path / "songs", library)

    names = [song.files[0] for song in result.songs]
    originals = ["Rain.wav", "Rain (2).wav"]
    assert [song.files[0] for song in first.songs] == names[:2] == originals
    assert names[2:] == [
        "Rain \u2013 cover, spy_jazz \u2013 1.wav",
        "Snow.wav",
        "rain \u2013 extended.wav",
    ]
    assert "2 already there" in repr(result)
    later = mnb.export(tmp_path / "songs", library.tasks()[1].songs[:1], library=library)
    assert later.songs[0].files[0] == names[2]
    assert "4 older songs left in the folder" in repr(later)
    assert "4 older songs left in the folder" in later._repr_html_()


def test_files_of_other_origin_are_not_replaced(library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "songs"
    folder.mkdir()
    for name in ("Rain.wav", "rain.txt", "songs.m3u8"):
        (folder / name).write_text("mine", encoding="utf-8")
    add(library, "Rain")

    result = mnb.export(folder, library)

    assert result.songs[0].files == ("Rain (2).wav", "Rain (2).json")
    assert result.notes[0][0] == "songs.m3u8"
    assert {name for name, content in inside(folder).items() if content == b"mine"} == {
        "Rain.wav",
        "rain.txt",
        "songs.m3u8",
    }


def _other_json(path: Path) -> None:
    path.write_text('{"my": "notes"}', encoding="utf-8")


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, _other_json])
def test_manifest_of_other_origin_is_not_replaced(
    library: Library, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    folder = tmp_path / "songs"
    folder.mkdir()
    make(folder / "export.json")
    before = inside(folder)
    add(library, "Rain")
    with pytest.raises(InvalidArgument, match=r"export\.json is not from an export"):
        mnb.export(folder, library)
    assert (inside(folder), [path.name for path in folder.iterdir()]) == (before, ["export.json"])


def test_damaged_manifest_of_an_export_is_replaced(library: Library, tmp_path: Path) -> None:
    add(library, "Rain")
    mnb.export(tmp_path / "songs", library)
    (tmp_path / "songs" / "export.json").write_bytes(b"")
    assert _outcomes(mnb.export(tmp_path / "songs", library)) == ["skipped"]
    assert b"musicapi_nb export" in (tmp_path / "songs" / "export.json").read_bytes()


@pytest.mark.parametrize("name", ["songs.m3u8", "tables", "tables/songs.csv", "Rain.wav"])
@pytest.mark.parametrize("kind", ["folder", "file", "unreadable", "dangling link"])
def test_whatever_is_in_the_way_is_kept_and_noted(
    library: Library, tmp_path: Path, name: str, kind: str
) -> None:
    place = tmp_path / "songs" / name
    place.parent.mkdir(parents=True)
    if kind == "folder":
        (place / "mine").mkdir(parents=True)
    elif kind == "dangling link":
        place.symlink_to(tmp_path / "nowhere")
    else:
        place.write_text("mine", encoding="utf-8")
        place.chmod(0o644 if kind == "file" else 0)
    add(library, "Rain")
    is_usable = (name, kind) == ("tables", "folder")

    result = mnb.export(tmp_path / "songs", library)

    assert result.counts == {"written": 1}
    noted = [noted for noted, _ in result.notes if noted.startswith(name)]
    assert bool(noted) == (not is_usable and name != "Rain.wav")
    assert not (tmp_path / "nowhere").exists()
    assert place.is_symlink() == (kind == "dangling link")
    assert place.is_dir() == (kind == "folder")
    if kind == "file":
        assert place.read_text(encoding="utf-8") == "mine"


def test_links_in_a_loop_raise(library: Library, tmp_path: Path) -> None:
    add(library, "Rain")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(ExportFailed):
        mnb.export(tmp_path / "loop", library)


@pytest.mark.parametrize("names", [{"clip-0-0": "../../evil"}, {"clip-0-0": ["x"]}, "x", None])
def test_forged_manifest_cannot_leave_the_folder(
    library: Library, tmp_path: Path, names: Any
) -> None:
    folder = tmp_path / "a" / "songs"
    folder.mkdir(parents=True)
    forged = {"format": "musicapi_nb export 1", "songs": names, "files": names}
    (folder / "export.json").write_text(json.dumps(forged), encoding="utf-8")
    add(library, "Rain")

    result = mnb.export(folder, library)

    assert result.songs[0].files == ("Rain.wav", "Rain.json")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["songs"]


# --- failures --------------------------------------------------------------------------------


def test_missing_and_damaged_audio_are_reported(library: Library, tmp_path: Path) -> None:
    ids = add(library, "Missing", "Damaged", "No audio", "Good")
    missing, damaged = (library.file_of(name) for name in ids[:2])
    assert missing
    assert damaged
    missing.unlink()
    content = bytearray(damaged.read_bytes())
    content[100] ^= 1
    damaged.write_bytes(content)
    attach(library, ids[2], "audio", b"no audio at all", ".mp3")

    result = mnb.export(tmp_path / "songs", library)

    assert _outcomes(result) == ["failed", "failed", "failed", "written"]
    assert [song.title for song in result.failed] == ["Missing", "Damaged", "No audio"]
    assert "api.run(api.library.request(1)) downloads it" in result.failed[0].reason
    assert "library.verify()" in result.failed[1].reason
    assert "Good.wav" in inside(tmp_path / "songs")
    assert not [name for name in inside(tmp_path / "songs") if "Damaged" in name]
    assert "3 failed" in result._repr_html_()
    assert "Missing" in repr(result)


def test_damaged_cover_is_omitted_and_noted(library: Library, tmp_path: Path) -> None:
    (clip,) = add(library, "Rain")
    cover = library.file_of(clip, "image")
    assert cover is not None
    cover.write_bytes(PNG[:-1] + b"x")

    result = mnb.export(tmp_path / "songs", library)

    assert _outcomes(result) == ["written"]
    assert result.notes[0][0] == "Rain"
    assert "APIC:" not in mutagen.File(tmp_path / "songs" / "Rain.wav").tags


def test_library_is_unchanged(library: Library, tmp_path: Path) -> None:
    add(library, "Rain")
    before = inside(library.path / "files")

    mnb.export(tmp_path / "songs", library)
    for path in (library.path, library.path / "files" / "x", library.path / "x.zip"):
        with pytest.raises(InvalidArgument, match="inside the library"):
            mnb.export(path, library)

    assert inside(library.path / "files") == before
    assert library.verify() == []


def test_unwritable_path_raises(library: Library, tmp_path: Path) -> None:
    add(library, "Rain")
    (tmp_path / "file").write_text("mine", encoding="utf-8")

    with pytest.raises(InvalidArgument, match="is a file"):
        mnb.export(tmp_path / "file", library)
    with pytest.raises(ExportFailed, match="run it again"):
        mnb.export(tmp_path / "file" / "songs", library)
    with pytest.raises(ExportFailed, match="run it again"):
        mnb.export(tmp_path / "file" / "songs.zip", library)


# --- selection -------------------------------------------------------------------------------


def test_songs_tasks_and_table_rows_select(library: Library, tmp_path: Path) -> None:
    add(library, "One", "Two")
    add(library, "Three")
    task, second = library.tasks()
    frame = mnb.songs_frame(library)
    for index, source in enumerate(
        [
            [task.songs[1], second],
            frame[frame["title"] != "One"],
            [*task.songs[1:], *second.songs] * 2,
        ]
    ):
        result = mnb.export(tmp_path / str(index), source, library=library)
        assert [song.files[0] for song in result.songs] == ["Two.wav", "Three.wav"]
        assert result.counts == {"written": 2}


def test_library_exports_all_or_selected_songs(library: Library, tmp_path: Path) -> None:
    add(library, "One", "Two")
    result = mnb.export(tmp_path / "all", library)
    assert [song.files[0] for song in result.songs] == ["One.wav", "Two.wav"]
    (partial,) = mnb.export(
        tmp_path / "one.zip", library.tasks()[0].songs[:1], library=library
    ).songs
    assert partial.files[0] == "One.wav"


def test_unfinished_songs_are_reported_if_selected(library: Library, tmp_path: Path) -> None:
    add(library, "One", "Two", state="running")
    task = library.tasks()[0]

    assert mnb.export(tmp_path / "all", library).songs == ()
    result = mnb.export(tmp_path / "task", task, library=library)
    assert [(song.title, song.outcome) for song in result.songs] == [
        ("One", "failed"),
        ("Two", "failed"),
    ]


def test_source_without_songs_raises(library: Library, tmp_path: Path) -> None:
    add(library, "One")
    with pytest.raises(InvalidArgument, match="pass library"):
        mnb.export(tmp_path / "x", library.tasks())
    with pytest.raises(InvalidArgument, match="task_id and song_position"):
        mnb.export(tmp_path / "x", pd.DataFrame({"a": [1]}), library=library)
    row = pd.DataFrame({"task_id": ["t"], "song_position": [7]})
    with pytest.raises(InvalidArgument, match="no song 7"):
        mnb.export(tmp_path / "x", row, library=library)
    with pytest.raises(InvalidArgument):
        mnb.export(tmp_path / "x", 7, library=library)
    assert not (tmp_path / "x").exists()


def test_tables_of_an_experiment_have_its_factors(library: Library, tmp_path: Path) -> None:
    from musicapi_nb.client import MusicAPI  # noqa: PLC0415
    from musicapi_nb.experiment import Experiment  # noqa: PLC0415

    plan = plans.Plan.grid(
        sonic.Create,
        base={"custom_mode": False, "mv": "sonic-v5"},
        factors={"gpt_description_prompt": ["rain 0", "rain 1"]},
    )
    add(library, "Rain")
    library.claim(plan.cells[0].request, PurchaseTerms(experiment="harbour"))
    experiment = Experiment("harbour", plan, MusicAPI("key", ledger=library), library)

    result = mnb.export(tmp_path / "songs", experiment)

    frame = pd.read_parquet(tmp_path / "songs" / "tables" / "songs.parquet")
    assert result.counts == {"written": 1}
    assert frame["gpt_description_prompt"].tolist() == ["rain 0"]
    assert frame["file"].tolist() == ["Rain.wav"]


@pytest.mark.parametrize("name", ["songs", "songs.zip"])
def test_levels_of_several_types_are_exported_as_text(
    library: Library, tmp_path: Path, name: str
) -> None:
    from musicapi_nb.client import MusicAPI  # noqa: PLC0415
    from musicapi_nb.experiment import Experiment  # noqa: PLC0415

    plan = plans.Plan.grid(
        sonic.Create,
        base={"description": "rain {street}"},
        factors={"street": [1, "x"], "pair": [[1, 2]]},
    )
    for cell in plan.cells:
        add(library, "Rain", request=cell.request, experiment="harbour")
    experiment = Experiment("harbour", plan, MusicAPI("key", ledger=library), library)
    result = mnb.export(tmp_path / name, experiment, metadata=True)

    assert len(result.songs) == len(plan.cells)
    if name == "songs":
        table = pd.read_parquet(tmp_path / "songs" / "tables" / "songs.parquet")
        assert set(table["street"]) == {"1", "x"}
        assert set(table["pair"]) == {"[1,2]"}


# --- metadata for Hugging Face's audiofolder ---------------------------------------------------


def _metadata(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "metadata.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.removesuffix("\n").split("\n")]


def test_metadata_has_a_line_for_each_audio_file(library: Library, tmp_path: Path) -> None:
    clip, _ = add(library, "Rain", HOSTILE, lyrics="a\u2028b\nc")
    measure(library, clip, {"tempo": 91.123456789012345})
    folder = tmp_path / "songs"
    result = mnb.export(folder, library, metadata=True)

    rows = _metadata(folder)
    assert [row["file_name"] for row in rows] == [song.files[0] for song in result.songs]
    assert next(iter(rows[0])) == "file_name"
    assert "file" not in rows[0]
    assert [row["title"] for row in rows] == ["Rain", HOSTILE]
    assert [row["lyrics"] for row in rows] == ["a\u2028b\nc"] * 2
    assert [row["tempo"] for row in rows] == [91.123456789012345, None]
    assert rows[0]["created_at"] == "2026-10-07T12:30:01.500000+00:00"
    assert "metadata.jsonl" in result.shared_files


def test_metadata_is_updated_in_a_folder_that_has_it(library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "songs"
    add(library, "Rain")
    mnb.export(folder, library)
    assert not (folder / "metadata.jsonl").exists()
    mnb.export(folder, library, metadata=True)
    add(library, "Tin")
    mnb.export(folder, library)
    assert [row["file_name"] for row in _metadata(folder)] == ["Rain.wav", "Tin.wav"]


def test_foreign_metadata_file_is_not_replaced(library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "songs"
    folder.mkdir()
    (folder / "metadata.jsonl").write_text("mine", encoding="utf-8")
    add(library, "Rain")
    result = mnb.export(folder, library, metadata=True)
    assert result.notes == (("metadata.jsonl", "not replaced: this file is not from an export"),)
    assert (folder / "metadata.jsonl").read_text(encoding="utf-8") == "mine"


# --- measured values -------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp3", ".wav", ".flac", ".ogg", ".m4a"])
def test_measured_tempo_and_key_are_tags(library: Library, tmp_path: Path, suffix: str) -> None:
    (clip,) = add(library, "Rain", suffix=suffix)
    measure(library, clip, {"tempo": 91.6, "key": "F# minor", "judge": "=1+1"})
    result = mnb.export(tmp_path / "songs", library)

    file: Any = mutagen.File(tmp_path / "songs" / result.songs[0].files[0])
    names = {
        ".m4a": ("tmpo", "----:com.apple.iTunes:initialkey"),
        **dict.fromkeys((".ogg", ".flac"), ("bpm", "key")),
    }
    (bpm,), (key,) = (file.tags[name] for name in names.get(suffix, ("TBPM", "TKEY")))
    assert str(bpm) == "92"
    assert (bytes(key).decode() if suffix == ".m4a" else str(key)) == "F#m"


def test_tables_and_records_contain_measured_values(library: Library, tmp_path: Path) -> None:
    first, second = add(library, "Rain", "Tin")
    mnb.export(tmp_path / "songs", library)
    before = pd.read_parquet(tmp_path / "songs" / "tables" / "songs.parquet")
    measure(library, first, {"tempo": 91.6, "judge": "=1+1", "other": None})
    result = mnb.export(tmp_path / "songs", library)

    assert result.counts == {"replaced": 1, "skipped": 1}
    frame = pd.read_parquet(tmp_path / "songs" / "tables" / "songs.parquet")
    assert list(frame) == [*before, "tempo", "judge"]  # other has no value
    assert frame["tempo"].tolist()[0] == 91.6
    assert frame["tempo"].isna().tolist() == [False, True]
    table = pd.read_csv(tmp_path / "songs" / "tables" / "songs.csv")
    assert table["judge"].tolist()[0] == "'=1+1"
    records = [
        json.loads((tmp_path / "songs" / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("Rain", "Tin")
    ]
    assert [record.get("measured") for record in records] == [
        *({"tempo": 91.6, "judge": "=1+1"}, None)
    ]
    assert second in records[1]["song"]["key"]


def measure(library: Library, clip: str, values: dict[str, Any]) -> None:
    path = library.file_of(clip)
    assert path is not None
    used = Measure("sound", "1", dtypes_of(values))
    library.use_measure(used)
    library.store_measurements(used, [Measurement(path.stem, values)])


# --- from a session --------------------------------------------------------------------------


def test_session_export_and_download_of_missing_audio(tmp_path: Path) -> None:
    api = mnb.connect(simulator=Simulator(speed=1000), library=tmp_path / "library")
    try:
        request = nuro.Instrumental(description="harbour at night", duration=30)
        api.run(request).result()
        (song,) = api.songs()
        result = api.export(tmp_path / "songs")
        assert result.counts == {"written": 1}
        info = soundfile.info(tmp_path / "songs" / result.songs[0].files[0])
        assert info.duration == pytest.approx(song.duration, abs=1)

        assert api.library is not None
        source = api.library.file_of(song)
        assert source is not None
        source.unlink()
        (failed,) = api.export(tmp_path / "again").failed
        assert failed.reason.endswith(
            "api.run(api.library.request(1)) downloads it and costs nothing"
        )
        balance = api.credits().result()
        stored = api.library.request(1)
        assert stored is not None
        api.run(stored).result()
        assert api.credits().result() == balance
        assert api.export(tmp_path / "again", song).counts == {"written": 1}
    finally:
        api.close()


def test_session_export_without_library_raises(tmp_path: Path) -> None:
    api = mnb.connect(simulator=Simulator(speed=1000))
    try:
        with pytest.raises(InvalidArgument, match="An export needs a library"):
            api.export(tmp_path / "songs")
    finally:
        api.close()


# --- ZIP -------------------------------------------------------------------------------------


def test_zip_has_the_same_files_as_a_folder(library: Library, tmp_path: Path) -> None:
    clip, _ = add(library, "Rain", "rain")
    align(library, clip, ("Rain", 1, 2))
    mnb.export(tmp_path / "songs", library)
    result = mnb.export(tmp_path / "songs.zip", library)

    with zipfile.ZipFile(tmp_path / "songs.zip") as packed:
        assert packed.testzip() is None
        assert set(packed.namelist()) == set(inside(tmp_path / "songs"))
        assert packed.read("Rain.wav") == (tmp_path / "songs" / "Rain.wav").read_bytes()
    assert result.size == (tmp_path / "songs.zip").stat().st_size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["library", "songs", "songs.zip"]


def test_second_export_rewrites_the_whole_zip(library: Library, tmp_path: Path) -> None:
    add(library, "Rain", "Tin")
    path = tmp_path / "best.zip"
    mnb.export(path, library)

    result = mnb.export(path, library.tasks()[0].songs[1:], library=library)

    assert _outcomes(result) == ["written"]
    with zipfile.ZipFile(path) as packed:
        assert {name for name in packed.namelist() if name.endswith(".wav")} == {"Tin.wav"}


def test_damaged_zip_member_is_replaced(library: Library, tmp_path: Path) -> None:
    add(library, "Rain", "Tin")
    path = tmp_path / "best.zip"
    mnb.export(path, library)
    with zipfile.ZipFile(path) as packed:
        good = packed.read("Rain.wav")
        offset = packed.getinfo("Rain.wav").header_offset + 200
    content = bytearray(path.read_bytes())
    content[offset] ^= 255
    path.write_bytes(content)

    assert _outcomes(mnb.export(path, library)) == ["written", "written"]
    with zipfile.ZipFile(path) as packed:
        assert packed.testzip() is None
        assert packed.read("Rain.wav") == good


@pytest.mark.parametrize("kind", ["zip", "text"])
def test_zip_of_other_origin_is_not_replaced(library: Library, tmp_path: Path, kind: str) -> None:
    add(library, "Rain")
    path = tmp_path / "thesis.zip"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("thesis.tex", "mine")
    else:
        path.write_text("mine", encoding="utf-8")
    before = path.read_bytes()

    with pytest.raises(InvalidArgument, match="use another name"):
        mnb.export(path, library)

    assert path.read_bytes() == before


# --- killed ----------------------------------------------------------------------------------

_KILLED = """\
import os, sys
from pathlib import Path
import musicapi_nb as mnb

moves, replace = int(sys.argv[3]), Path.replace

def counted(self, target):
    global moves
    moves -= 1
    if moves < 0:
        os._exit(9)
    return replace(self, target)

Path.replace = counted
with mnb.Library(sys.argv[1]) as library:
    mnb.export(sys.argv[2], library)
"""


@pytest.mark.parametrize(("name", "moves"), [("songs", 1), ("songs", 6), ("songs.zip", 4)])
def test_export_after_a_kill_completes_the_files(
    library: Library, tmp_path: Path, name: str, moves: int
) -> None:
    add(library, "Rain", "Tin")
    mnb.export(tmp_path / "good", library)
    good = inside(tmp_path / "good")
    target = tmp_path / "out" / name

    assert wait_for_end(python(_KILLED, str(library.path), str(target), str(moves))) == 9

    assert not target.is_file()
    partial = inside(target) if target.is_dir() else {}
    assert {file for file in partial if file.endswith(".wav") and "/" not in file} < good.keys()
    for path in target.parent.rglob(".musicapi-export-*"):
        os.utime(path, (0, 0))
    mnb.export(target, library)
    _check_equal(target, good)
    assert [path.name for path in target.parent.iterdir()] == [name]


def _check_equal(target: Path, good: dict[str, bytes]) -> None:
    """Check that it has the same files; JSON files contain times and may differ."""
    if target.suffix == ".zip":
        with zipfile.ZipFile(target) as packed:
            result = {name: packed.read(name) for name in packed.namelist()}
    else:
        result = inside(target)
    assert result.keys() == good.keys()
    assert all(result[name] == good[name] for name in good if not name.endswith(".json"))


def test_interrupted_export_leaves_no_partial_file(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(library, "Rain", "Tin")
    mnb.export(tmp_path / "good", library)
    good, replace = inside(tmp_path / "good"), Path.replace
    for moves in (0, 2, 3, 5):
        budget = iter(range(moves))

        def limited_replace(path: Path, target: Path, budget: Iterator[int] = budget) -> Path:
            if next(budget, None) is None:
                raise KeyboardInterrupt
            return replace(path, target)

        target = tmp_path / str(moves)
        monkeypatch.setattr(Path, "replace", limited_replace)
        with pytest.raises(KeyboardInterrupt):
            mnb.export(target, library)
        monkeypatch.setattr(Path, "replace", replace)
        partial = inside(target)
        assert all(partial[name] == good[name] for name in partial if name.endswith(".wav"))
        mnb.export(target, library)
        _check_equal(target, good)
