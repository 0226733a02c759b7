import assert from "node:assert/strict";
import { test } from "node:test";

import {
  columnOrders,
  maskedSongs,
  meanStars,
  placeSongs,
  playOrder,
  positionAfter,
  positionOf,
  requestedTagsFirst,
  rowDiffers,
} from "../../musicapi_nb/widgets/compare/grid.js";
import { headSpans, meanText } from "../../musicapi_nb/widgets/compare/heads.js";

/** @type {import("../../musicapi_nb/widgets/types").BoardData} */
const BOARD = {
  row_names: ["prompt"],
  column_names: ["model"],
  rows: [["rain"], ["boats"], ["sea"]],
  columns: [["v6"], ["v5"]],
  row: [0, 0, 0, 0, 1, 2, 2],
  column: [1, 1, 0, 0, 0, 0, 1],
  label: Array(7).fill(""),
  kept: Array(7).fill(null),
  reasons: { "1,1": "Not made yet." },
};
const PLACES = placeSongs(BOARD);
const ROWS = [0, 1, 2];
const ORDERS = columnOrders(BOARD, null);
const [KEPT, SPLIT, ADDED, DROPPED] = [1, 2, 3, 4];

/** @param {Partial<import("../../musicapi_nb/widgets/types").Songs>} columns */
function songs(columns) {
  const each = BOARD.row.map((_, index) => index);
  return /** @type {any} */ ({
    title: each.map((index) => `Rain by v${index}`),
    seconds: each.map(() => 60),
    model: each.map(() => "v6"),
    date: each.map(() => 1),
    sources: {},
    measures: [],
    measured: {},
    position: each.map(() => ""),
    tags: each.map(() => []),
    tag_names: ["jazz", "rain"],
    board: BOARD,
    ...columns,
  });
}

test("each place has its songs in their order", () => {
  assert.deepEqual(PLACES, [
    [
      [2, 3],
      [0, 1],
    ],
    [[4], []],
    [[5], [6]],
  ]);
});

test("songs play across each row, then down, in the order in which they are shown", () => {
  assert.deepEqual(playOrder(PLACES, ROWS, ORDERS), [2, 3, 0, 1, 4, 5, 6]);
  assert.deepEqual(
    playOrder(
      PLACES,
      [0, 2],
      [
        [1, 0],
        [0, 1],
        [1, 0],
      ],
    ),
    [0, 1, 2, 3, 6, 5],
  );
});

test("blind mode shuffles the columns of each row on its own, without bias", () => {
  const board = { ...BOARD, rows: Array(3000).fill(["x"]), columns: [["a"], ["b"], ["c"]] };
  let state = 1;
  const random = () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  const orders = columnOrders(board, random);
  const counts = new Map();
  for (const order of orders) {
    assert.deepEqual([...order].sort(), [0, 1, 2]);
    counts.set(order.join(), (counts.get(order.join()) ?? 0) + 1);
  }
  assert.equal(counts.size, 6);
  for (const count of counts.values()) assert.ok(Math.abs(count - 500) < 100, `${count} of 3000`);
});

/** @type {(row: number, slot: number, place: number, key: string, edge?: boolean) => any} */
const after = (row, slot, place, key, edge) => {
  const position = positionAfter(PLACES, ROWS, ORDERS, { row, slot, place }, key, edge);
  return position && [position.row, position.slot, position.place];
};

test("arrows move between places, and through the songs of a place", () => {
  assert.deepEqual(after(0, 0, 1, "ArrowRight"), [0, 1, 1]);
  assert.deepEqual(after(0, 0, 0, "ArrowDown"), [0, 0, 1]);
  assert.deepEqual(after(0, 0, 1, "ArrowDown"), [1, 0, 0]);
  assert.deepEqual(after(1, 0, 0, "ArrowUp"), [0, 0, 1]);
  assert.deepEqual(after(1, 0, 0, "ArrowRight"), [1, 1, 0]); // a place without songs
  assert.deepEqual(after(1, 1, 0, "ArrowUp"), [0, 1, 1]);
  for (const [position, key] of [
    [[0, 0, 0], "ArrowUp"],
    [[0, 0, 0], "ArrowLeft"],
    [[2, 1, 0], "ArrowDown"],
    [[2, 1, 0], "ArrowRight"],
    [[0, 0, 0], "x"],
  ]) {
    const [row, slot, place] = /** @type {number[]} */ (position);
    assert.equal(after(row, slot, place, /** @type {string} */ (key)), null);
  }
});

test("Home and End lead along the row, with Ctrl to the first and last row", () => {
  assert.deepEqual(after(1, 1, 0, "Home"), [1, 0, 0]);
  assert.deepEqual(after(0, 0, 0, "End"), [0, 1, 1]);
  assert.deepEqual(after(1, 0, 0, "Home", true), [0, 0, 0]);
  assert.deepEqual(after(0, 0, 0, "End", true), [2, 1, 0]);
});

test("a song has a position only while its row is shown", () => {
  const swapped = [
    [1, 0],
    [0, 1],
    [0, 1],
  ];
  const position = (/** @type {number[]} */ rows) => positionOf(BOARD, PLACES, rows, swapped, 3);
  assert.deepEqual(position([2, 0]), { row: 1, slot: 1, place: 1 });
  assert.equal(position([1, 2]), null);
});

test("a row differs by a star, a tenth of the tags kept, or a tenth of the length", () => {
  const row = PLACES[0];
  const differs = (/** @type {any} */ columns, /** @type {any} */ ratings, kind = "any") =>
    rowDiffers(songs(columns), ratings, row, kind);
  assert.equal(differs({}, {}), false);
  assert.equal(differs({}, { 2: [4, 0] }), false); // nothing to compare with
  assert.equal(differs({}, { 2: [4, 0], 0: [3, 0] }), true);
  assert.equal(differs({}, { 2: [4, 0], 3: [3, 0], 0: [3, 0] }), false); // means: half a star
  assert.equal(differs({}, { 2: [4, 0], 0: [3, 0] }, "length"), false);
  const seconds = [100, 100, 90, 90, 1, 1, 1];
  assert.equal(differs({ seconds }, {}, "length"), true);
  assert.equal(differs({ seconds: [100, 100, 91, 91, 1, 1, 1] }, {}), false);
  assert.equal(differs({ seconds: [null, null, 50, null, 1, 1, 1] }, {}), false);
  const kept = (/** @type {(number | null)[]} */ ...shares) => {
    const board = { ...BOARD, kept: [...shares, null, null, null] };
    return rowDiffers(songs({ board }), {}, row, "tags");
  };
  assert.equal(kept(0.5, 0.5, 1, 1), true);
  assert.equal(kept(0.5, 0.6, 0.6, 0.6), false);
  assert.equal(kept(0.5, 0.5, 0.6, 0.6), true);
  assert.equal(kept(null, null, 1, 1), false);
  assert.equal(rowDiffers(songs({}), { 4: [5, 0] }, PLACES[1], "any"), false);
});

test("masked songs give away neither title, model nor tags", () => {
  const columns = { tags: BOARD.row.map(() => [KEPT]) };
  const orders = [
    [1, 0],
    [0, 1],
    [0, 1],
  ];
  const masked = maskedSongs(songs(columns), BOARD, PLACES, orders);
  assert.deepEqual(masked.title.slice(0, 4), ["Song A", "Song B", "Song C", "Song D"]);
  assert.deepEqual(masked.position.slice(3), ["row 1", "row 2", "row 3", "row 3"]);
  assert.ok(!JSON.stringify([masked.title, masked.model, masked.position]).includes("v"));
  assert.deepEqual(
    masked.tags,
    BOARD.row.map(() => []),
  );
  assert.deepEqual(masked.seconds, songs({}).seconds);
});

test("requested tags come before added ones, in their order", () => {
  const tags = [
    [8 + ADDED, KEPT, 16 + DROPPED, 24 + SPLIT, 32 + KEPT, 40 + ADDED],
    [16, 8],
  ];
  const [first, second] = requestedTagsFirst(songs({ tags })).tags;
  assert.deepEqual(first, [KEPT, 32 + KEPT, 24 + SPLIT, 16 + DROPPED, 8 + ADDED, 40 + ADDED]);
  assert.deepEqual(second, [16, 8]);
});

test("heads span the columns that they hold", () => {
  const keys = [
    ["sad", "v6"],
    ["sad", "v5"],
    ["happy", "v5"],
    ["happy", "v6"],
  ];
  assert.deepEqual(headSpans(keys, 0), [
    ["sad", 2],
    ["happy", 2],
  ]);
  assert.deepEqual(
    headSpans(keys, 1).map(([, span]) => span),
    [1, 1, 1, 1],
  );
});

test("the mean of a column counts rated songs only", () => {
  assert.deepEqual(meanStars({ 0: [4, 0], 1: [0, 1], 2: [3, 0] }, [0, 1, 2, 3]), [3.5, 2]);
  assert.equal(meanText(...meanStars({}, [0])), "");
  assert.equal(meanText(3.5, 2), "★ 3.5 (2 rated)");
});
