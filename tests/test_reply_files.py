"""Replies in texts and files of every form: read, or one clear error; damage stays local."""

import gzip
import json
import os
import pickle
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import musicapi_nb as mnb
from musicapi_nb import errors, frames
from tests import replies
from tests.test_flatten import BULK, assert_same, parsed_frames


def clip(name: str) -> dict[str, Any]:
    return {
        "clip_id": name,
        "state": "succeeded",
        "title": "T",
        "tags": "jazz, spy",
        "duration": "100.5",
        "audio_url": f"https://x.example/{name}.mp3",
    }


def reply(number: int) -> dict[str, Any]:
    return {"code": 200, "message": "success", "data": [clip(f"c{number}")]}


REPLIES = [reply(number) for number in range(5)]
IDS = [f"c{number}" for number in range(5)]
LINES = "\n".join(map(json.dumps, REPLIES))


def song_ids(source: Any) -> list[str]:
    """Return the ids of the songs of a source that has no issues."""
    flat = mnb.flatten(source)
    assert flat.issues.empty, flat.issues
    assert flat.songs["reply"].is_unique
    return list(flat.songs["song_id"])


# --- texts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
@pytest.mark.parametrize(
    "text",
    [
        LINES,
        LINES + "\n\n \n",
        LINES.replace("\n", "\r\n"),
        json.dumps(REPLIES),
        json.dumps(REPLIES, indent=4),
        "\n\n" + json.dumps(REPLIES, indent="\t", separators=(" ,", " :\r\n")),
        "".join(map(json.dumps, REPLIES)),
        "\n".join(json.dumps(item, indent=2) for item in REPLIES),
        json.dumps(REPLIES[:2]) + "\n" + json.dumps(REPLIES[2:]),
        json.dumps(REPLIES).replace('"success"', "NaN"),
    ],
    ids=["lines", "end", "CRLF", "list", "pretty list", "spaces", "row", "rows", "lists", "NaN"],
)
def test_whole_file_is_read_as_text_bytes_and_file(
    tmp_path: Path, text: str, encoding: str
) -> None:
    content = text.encode(encoding)
    assert song_ids(content) == IDS
    assert song_ids([bytearray(content)]) == IDS
    assert song_ids(text if encoding != "utf-8-sig" else f"\ufeff{text}") == IDS
    for name in ("a.json", "b.jsonl", "c.ndjson", "d.txt"):
        (tmp_path / name).write_bytes(content)
        assert song_ids(tmp_path / name) == IDS
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content))
        assert song_ids(str(tmp_path / f"{name}.gz")) == IDS


@pytest.mark.parametrize("colon", [":", ": ", ":  ", ":\t", ":\n", " :\r\n "])
def test_pretty_reply_is_one_reply(colon: str) -> None:
    text = json.dumps(REPLIES[0], indent=4, separators=(",", colon))
    for source in (text, text.encode(), text.encode("utf-16"), [f" {text}\n"]):
        assert song_ids(source) == IDS[:1]
        assert list(mnb.flatten(source).songs["reply"]) == ["0"]


def test_list_of_clips_is_one_reply() -> None:
    clips = [clip("c1"), clip("c2")]
    sources: list[Any] = [json.dumps(clips), [clips], json.dumps(clips, indent=1).encode()]
    for source in sources:
        flat = mnb.flatten(source)
        assert list(flat.tasks["songs"]) == [2]
        assert list(flat.issues["message"]) == ["a list instead of an object"]


def test_list_of_flat_replies_is_several_tasks() -> None:
    flat_replies = [
        {"task_id": f"t{number}", "status": "succeeded", "audio_url": "https://x.example/a.mp3"}
        for number in range(3)
    ]
    assert list(mnb.flatten(json.dumps(flat_replies)).tasks["task_id"]) == ["t0", "t1", "t2"]


def test_place_of_each_reply_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(
        f"\n{json.dumps(REPLIES[0])}\n{json.dumps(REPLIES[1:3])}\n{{cut", encoding="utf-8"
    )
    flat = mnb.flatten([REPLIES[3], path, f"{json.dumps(REPLIES[4])}\nbusy"])
    assert list(flat.songs["reply"]) == ["0", f"{path}:1", f"{path}:2[0]", f"{path}:2[1]", "2:0"]
    assert list(flat.issues["reply"]) == [f"{path}:3", "2:1"]


def test_numbers_go_on_when_replies_are_added() -> None:
    flattener = mnb.Flattener()
    for item in REPLIES:
        flattener.add(json.dumps(item))
    assert list(flattener.frames().tags["reply"].unique()) == ["0", "1", "2", "3", "4"]


@st.composite
def respaced(draw: st.DrawFn) -> bytes:
    """Draw a changed bulk reply with other white space and another encoding."""
    value = replies.sample(draw(st.sampled_from(BULK)))
    for _ in range(draw(st.integers(0, 2))):
        value = replies._odd(draw, value, draw(st.sampled_from(list(replies.paths(value)))))
    spaces = st.sampled_from(["", " ", "  ", "\t", "\n", "\r\n", " \n\t "])
    comma, colon = (f"{draw(spaces)}{mark}{draw(spaces)}" for mark in ",:")
    indent: Any = draw(st.sampled_from([None, 0, 3, "\t"]))
    text = json.dumps(
        value, indent=indent, separators=(comma, colon), ensure_ascii=draw(st.booleans())
    )
    text = draw(spaces) + text + draw(spaces)
    encodings = ("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32")
    return text.encode(draw(st.sampled_from(encodings)), "surrogatepass")


@settings(max_examples=60, deadline=None)
@given(st.lists(respaced(), min_size=1, max_size=4))
def test_white_space_and_encoding_do_not_matter(raw_replies: list[bytes]) -> None:
    good = json.dumps(REPLIES[0]).encode()
    mixed = [good, *raw_replies, good]
    assert_same(frames.flatten(mixed), parsed_frames(mixed))
    flat = frames.flatten(mixed, polls="all")
    assert list(flat.songs["song_id"].iloc[[0, -1]]) == ["c0", "c0"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(respaced(), st.binary(max_size=30)), max_size=4), st.data())
def test_any_content_of_a_file_leaves_other_files_alone(
    parts: list[bytes], data: st.DataObject
) -> None:
    content = b"\n".join(parts)
    content = content[: data.draw(st.integers(0, len(content)))]
    packed = data.draw(st.booleans())
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.chdir(folder)
        Path("good.jsonl").write_text(LINES, encoding="utf-8")
        Path("odd.json").write_bytes(zlib.compress(content, wbits=31) if packed else content)
        flat = frames.flatten(["good.jsonl", "odd.json", "good.jsonl"], polls="all")
        assert list(flat.songs["song_id"][:5]) == list(flat.songs["song_id"][-5:]) == IDS


# --- damaged files ------------------------------------------------------------------------------


LOG = "\n".join(json.dumps(reply(number)) for number in range(2000)).encode()
PACKED = gzip.compress(LOG)


def flipped(place: int) -> bytes:
    return PACKED[:place] + b"\xff\xff\xff\xff" + PACKED[place + 4 :]


DAMAGED = {
    "cut.ndjson.gz": (PACKED[: len(PACKED) * 9 // 10], 1500, 1999),
    "checksum cut.json.gz": (PACKED[:-3], 2000, 2000),
    "checksum.jsonl.gz": (PACKED[:-8] + b"\0" * 4 + PACKED[-4:], 2000, 2000),
    "second member cut.ndjson.gz": (PACKED + gzip.compress(LOG)[:300], 2000, 2200),
    "flipped.ndjson.gz": (flipped(len(PACKED) // 2), 300, 2000),
    "flipped early.ndjson.gz": (flipped(900), 1, 2000),
    "text after it.ndjson.gz": (PACKED + b"\0\0text", 2000, 2000),
    "only a header.ndjson.gz": (PACKED[:12], 0, 0),
    "cut.ndjson": (LOG[:-40], 1999, 1999),
    "cut list.json": (json.dumps(list(map(reply, range(100)))).encode()[:-40], 99, 99),
    "cut pretty list.json.gz": (
        gzip.compress(json.dumps(list(map(reply, range(100))), indent=1).encode()[:-40]),
        99,
        99,
    ),
    "cut parquet.parquet": (b"PAR1" + LOG[:5000], 0, 0),
}
WHOLE = {
    "two members.ndjson.gz": PACKED + gzip.compress(b"\n" + LOG.replace(b'"c', b'"d')),
    "zeros after it.ndjson.gz": PACKED + b"\0" * 100_000,
    "not packed.ndjson.gz": LOG,
    "packed.ndjson": PACKED,
    "text.parquet": LOG,
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_file_has_its_rows_up_to_there_and_an_issue(tmp_path: Path, name: str) -> None:
    content, least, most = DAMAGED[name]
    good, path = tmp_path / "good.jsonl", tmp_path / name
    good.write_text(LINES, encoding="utf-8")
    path.write_bytes(content)
    alone = mnb.flatten(path, polls="all")
    assert least <= len(alone.songs) <= most
    assert alone.issues["reply"].str.startswith(str(path)).all()
    assert 1 <= len(alone.issues) <= (1500 if name.startswith("flipped") else 3)
    three = mnb.flatten([good, path, good], polls="all")
    assert len(three.songs) == len(alone.songs) + 10
    flattener = mnb.Flattener()
    flattener.add(path)
    flattener.add(good)
    assert set(flattener.frames().songs["song_id"]) == {*alone.songs["song_id"], *IDS}


@pytest.mark.parametrize("name", WHOLE)
def test_content_decides_what_a_file_is(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(WHOLE[name])
    assert len(song_ids(tmp_path / name)) == (4000 if name.startswith("two") else 2000)


def test_cut_parquet_has_an_issue_or_a_clear_error(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    mnb.write_parquet(mnb.flatten(REPLIES), folder, raw=REPLIES)
    assert song_ids(folder) == IDS  # the tables in there are no replies
    for name in ("songs", "replies"):
        path = folder / f"{name}.parquet"
        path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(errors.UnreadableFile, match=r"songs\.parquet cannot be read"):
        mnb.read_parquet(folder)
    (issue,) = mnb.flatten(folder).issues["message"]
    assert "Parquet file is damaged" in issue
    (folder / "songs.parquet").unlink()
    with pytest.raises(errors.MissingFile, match=r"songs\.parquet"):
        mnb.read_parquet(folder)
    (folder / "songs.parquet").mkdir()
    with pytest.raises(errors.UnreadableFile, match=r"songs\.parquet"):
        mnb.read_parquet(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_file_that_cannot_be_read_is_an_issue() -> None:
    flat = mnb.flatten([Path("/proc/self/mem"), REPLIES[0]])
    assert list(flat.issues["reply"]) == ["/proc/self/mem"]
    assert flat.issues["message"].str.contains("the file cannot be read: Input/output error").all()
    assert list(flat.songs["song_id"]) == ["c0"]


# --- paths ------------------------------------------------------------------------------------


def test_folder_has_its_files_of_replies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, name in enumerate(("a.jsonl", "b.ndjson", "c.json", "d.JSON.GZ", "e.jsonl.gz")):
        content = json.dumps(REPLIES[number], indent=2 if name == "c.json" else None).encode()
        (tmp_path / name).write_bytes(gzip.compress(content) if "gz" in name.lower() else content)
    (tmp_path / "notes.txt").write_text("no replies", encoding="utf-8")
    (tmp_path / "deep.json").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for source in (tmp_path, "~/", f"{tmp_path}/", "./", Path("~"), [Path()], os.fspath(tmp_path)):
        assert song_ids(source) == IDS
        songs: Any = mnb.dask_frames(source).songs
        assert list(songs.compute()["song_id"]) == IDS
    assert song_ids("~/a.jsonl") == IDS[:1]


@pytest.mark.parametrize(
    "source",
    [
        "missing.jsonl",
        "missing.json",
        "missing.ndjson.gz",
        "replies.txt",
        "~/missing.ndjson",
        "no/such/folder/",
        "/no/such/folder",
        "../polls.log",
        "C:\\polls\\a.json",
        Path("missing"),
        Path("~/missing"),
        ["empty", "missing.json"],
    ],
)
def test_missing_file_is_one_clear_error(
    source: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.MissingFile, match=r"no file .*pass a file of replies") as missing:
        mnb.flatten(source)
    assert isinstance(missing.value, FileNotFoundError)
    assert str(pickle.loads(pickle.dumps(missing.value))) == str(missing.value)  # noqa: S301
    if not isinstance(source, list):
        with pytest.raises(errors.MissingFile):
            mnb.dask_frames(source)


def test_folder_without_replies_and_urls_are_clear_errors(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no replies", encoding="utf-8")
    with pytest.raises(errors.MissingFile, match=r"has no file of replies \(\.ndjson"):
        mnb.flatten(tmp_path)
    with pytest.raises(errors.InvalidArgument, match="is a URL"):
        mnb.flatten("https://x.example/polls.json")


@pytest.mark.parametrize(
    "text", ["busy", "N/A", "404 page not found", "", "see a.json, please", "5"]
)
def test_text_of_a_reply_is_not_taken_for_a_path(text: str) -> None:
    assert len(mnb.issues_frame([text, REPLIES[0]])) == 1


def test_raw_replies_of_any_input_are_written(tmp_path: Path) -> None:
    """Situations: two files of replies, a stored reply, values without JSON form, damage."""
    (tmp_path / "a.json").write_text(json.dumps(REPLIES[:2]), encoding="utf-8")
    (tmp_path / "b.jsonl.gz").write_bytes(PACKED[:-20])
    circular: dict[str, Any] = {"task_id": "t"}
    circular["self"] = circular
    raw: list[Any] = [tmp_path / "a.json", circular, {(1, 2): 3}, "\ud800", tmp_path / "b.jsonl.gz"]
    flat = mnb.flatten(raw)
    mnb.write_parquet(flat, tmp_path / "out", raw=raw)
    again = mnb.flatten(tmp_path / "out" / "replies.parquet")
    pd.testing.assert_series_equal(again.songs["song_id"], flat.songs["song_id"])
    assert len(again.issues) >= 3
