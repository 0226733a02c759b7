import assert from "node:assert/strict";
import { test } from "node:test";

import {
  comparison,
  countText,
  groupLabel,
  isList,
  matchingSongs,
  measureOfSort,
  measureSorts,
  START,
  sortKey,
} from "../../musicapi_nb/widgets/gallery/filter.js";

const [PLAIN, KEPT, SPLIT, ADDED, DROPPED] = [0, 1, 2, 3, 4];
const [JAZZ, RAIN, SPY] = [0, 8, 16]; // 8 x index in tag_names

/** @type {import("../../musicapi_nb/widgets/types").Songs} */
const SONGS = {
  key: ["a", "b", "c", "d", "e"],
  title: ["Harbour", "attic", "Zebra", "Éclair", "Lost"],
  seconds: [60, null, 30, 30, 200],
  state: ["succeeded", "succeeded", "running", "succeeded", "failed"],
  model: [],
  playable: [],
  date: [10, 10, null, 30, 20],
  sources: {},
  state_labels: { running: "being made", succeeded: "ready", failed: "failed" },
  simulated: [],
  measures: [
    { name: "tempo", label: "Tempo", unit: "bpm", digits: 0, factor: 1, is_text: false },
    { name: "key", label: "Key", unit: "", digits: null, factor: 1, is_text: true },
  ],
  measured: {},
  values: { tempo: [92, null, 120.4, 60, 92], key: ["C major", "A minor", null, "B♭ major", null] },
  has_lyrics: [],
  position: [],
  tags: [[JAZZ + KEPT, RAIN + ADDED], [JAZZ + DROPPED], [SPY + PLAIN], [RAIN + SPLIT], []],
  tag_names: ["Jazz", "rain", "spy jazz"],
  factors: [
    { name: "topic", levels: ["sea", "(none)"], level_indices: [1, 0, -1, 0, 1] },
    { name: "mv", levels: ["v4", "v5"], level_indices: [0, 1, 0, 1, 0] },
  ],
  generation: 0,
  heading: "",
  without_songs: 0,
  note: "",
  refreshable: false,
  toolbar: true,
  forms: "",
  can_fetch: false,
  library: "",
  details: {},
};
/** @type {import("../../musicapi_nb/widgets/types").Ratings} */
const RATINGS = { 0: [5, 0], 1: [2, 1], 3: [0, 1] };

/** @param {Partial<import("../../musicapi_nb/widgets/types").ViewState>} changes */
function match(changes) {
  return matchingSongs(SONGS, RATINGS, { ...START, ...changes });
}

test("without filters, all songs are shown, the newest first", () => {
  assert.deepEqual(match({}), [3, 4, 0, 1, 2]);
  assert.deepEqual(match({ sort: "oldest" }), [0, 1, 4, 3, 2]);
  assert.deepEqual(match({ sort: "order" }), [0, 1, 2, 3, 4]);
});

test("many songs are a list at first, a few are cards", () => {
  const many = { ...SONGS, title: Array(13).fill("Harbour") };
  assert.equal(isList(SONGS, START), false);
  assert.equal(isList(many, START), true);
  assert.equal(isList(many, { ...START, layout: "cards" }), false);
  assert.equal(isList(SONGS, { ...START, layout: "list" }), true);
});

test("a title matches any part, in upper or lower case", () => {
  assert.deepEqual(match({ sort: "order", search: "AT" }), [1]);
  assert.deepEqual(match({ sort: "order", search: "r" }), [0, 2, 3]);
  assert.deepEqual(match({ sort: "order", search: "none of them" }), []);
});

test("a tag matches its beginning, and only songs that have it", () => {
  assert.deepEqual(match({ sort: "order", tag: "jazz" }), [0]);
  assert.deepEqual(match({ sort: "order", tag: "SPY" }), [2]);
  assert.deepEqual(match({ sort: "order", tag: "jazz", fate: "dropped" }), [1]);
  assert.deepEqual(match({ sort: "order", tag: "jazz", fate: "requested" }), [0, 1]);
  assert.deepEqual(match({ sort: "order", tag: "rain", fate: "added" }), [0]);
  assert.deepEqual(match({ sort: "order", tag: "rain", fate: "split" }), [3]);
});

test("state and factors filter together", () => {
  assert.deepEqual(match({ sort: "order", state: "succeeded" }), [0, 1, 3]);
  assert.deepEqual(match({ sort: "order", factors: { topic: "(none)" } }), [0, 4]);
  assert.deepEqual(
    match({ sort: "order", factors: { topic: "sea", mv: "v5" }, state: "succeeded" }),
    [1, 3],
  );
  assert.deepEqual(match({ sort: "order", factors: { topic: "" } }), [0, 1, 2, 3, 4]);
});

test("ratings filter by stars, by note, and unrated songs only if they were made", () => {
  assert.deepEqual(match({ sort: "order", rating: "rated" }), [0, 1]);
  assert.deepEqual(match({ sort: "order", rating: "unrated" }), [3]);
  assert.deepEqual(match({ sort: "order", rating: "3" }), [0]);
  assert.deepEqual(match({ sort: "order", rating: "1" }), [0, 1]);
  assert.deepEqual(match({ sort: "order", rating: "note" }), [1, 3]);
});

test("titles sort by language, not by code point", () => {
  assert.deepEqual(match({ sort: "title" }), [1, 3, 0, 4, 2]);
});

test("missing values come last in both directions, ties keep their order", () => {
  assert.deepEqual(match({ sort: "shortest" }), [2, 3, 0, 4, 1]);
  assert.deepEqual(match({ sort: "longest" }), [4, 0, 2, 3, 1]);
  assert.deepEqual(match({ sort: "factor topic" }), [1, 3, 0, 4, 2]);
  assert.deepEqual(match({ sort: "rating" }), [0, 1, 2, 3, 4]);
});

test("songs are sorted by measured values, those without one last", () => {
  assert.deepEqual(match({ sort: "highest tempo" }), [2, 0, 4, 3, 1]);
  assert.deepEqual(match({ sort: "lowest tempo" }), [3, 0, 4, 2, 1]);
  assert.deepEqual(match({ sort: "lowest key" }), [1, 3, 0, 2, 4]);
  assert.deepEqual(measureSorts(SONGS), [
    ["highest tempo", "Tempo, highest"],
    ["lowest tempo", "Tempo, lowest"],
    ["lowest key", "Key"],
  ]);
  assert.equal(measureOfSort(SONGS, "highest tempo")?.[0].unit, "bpm");
  assert.equal(measureOfSort(SONGS, "highest unknown"), null);
  assert.equal(measureOfSort(SONGS, "newest"), null);
});

test("groups come in the order of the plan and keep the sorting inside", () => {
  assert.deepEqual(match({ group: "factor mv", sort: "title" }), [0, 4, 2, 1, 3]);
  assert.deepEqual(match({ group: "state", sort: "order" }), [2, 0, 1, 3, 4]);
  assert.deepEqual(match({ group: "factor topic", sort: "order" }), [1, 3, 0, 4, 2]);
});

test("a group is labelled by level, state or stars", () => {
  /** @type {(group: string, index: number) => string} */
  const label = (group, index) => groupLabel(SONGS, RATINGS, { ...START, group }, index);
  assert.equal(label("factor topic", 1), "topic: sea");
  assert.equal(label("factor topic", 2), "topic: (none)");
  assert.equal(label("state", 4), "failed");
  assert.equal(label("rating", 0), "★★★★★");
  assert.equal(label("rating", 3), "not rated");
});

test("keys of an unknown column are the original order", () => {
  const key = sortKey(SONGS, RATINGS, "no such column");
  assert.deepEqual([2, 0, 1].sort(comparison(key, false)), [0, 1, 2]);
  assert.deepEqual([2, 0, 1].sort(comparison(key, true)), [2, 1, 0]);
});

test("the count says which songs of how many are on the page", () => {
  assert.equal(countText(SONGS, 5, 0, 5), "5 songs");
  assert.equal(countText(SONGS, 5, 2, 2), "5 songs (3–4)");
  assert.equal(countText(SONGS, 3, 2, 1), "3 of 5 songs (3–3)");
  assert.equal(countText(SONGS, 0, 0, 0), "0 of 5 songs");
  const empty = { ...SONGS, title: [], without_songs: 1 };
  assert.equal(countText(empty, 0, 0, 0), "No songs yet. 1 request has no songs yet.");
  assert.match(
    countText({ ...empty, without_songs: 2 }, 0, 0, 0),
    /2 requests have no songs yet\./,
  );
  const part = { ...SONGS, note: "Only the latest." };
  assert.equal(countText(part, 5, 0, 5), "5 songs. Only the latest.");
});
