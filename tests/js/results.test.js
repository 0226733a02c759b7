import assert from "node:assert/strict";
import { test } from "node:test";

import { checkText, percentText, signedText } from "../../musicapi_nb/_blind_test/results.js";

test("scores have a sign and two decimals", () => {
  assert.equal(signedText(0.736), "+0.74");
  assert.equal(signedText(-1.2), "−1.20");
  assert.equal(signedText(-0.001), "0.00");
  assert.equal(signedText(null), "–");
});

test("shares are whole percents", () => {
  assert.equal(percentText(0.666), "67 %");
  assert.equal(percentText(0), "0 %");
});

test("checks are sentences", () => {
  const check = { check: "first position chosen", estimate: 0.6, low: 0.2, high: 0.9, n: 5 };
  assert.equal(
    checkText({ ...check, by_chance: 0.5 }),
    "first position chosen: 60 % of 5 (20 % to 90 %; 50 % by chance).",
  );
  assert.equal(
    checkText({ ...check, by_chance: null }),
    "first position chosen: 60 % of 5 (20 % to 90 %).",
  );
  assert.equal(
    checkText({ ...check, estimate: null, by_chance: null, n: 0 }),
    "first position chosen: not enough answers (0).",
  );
  assert.equal(
    checkText({
      check: "smallest difference",
      estimate: 0.14,
      low: null,
      high: null,
      by_chance: null,
      n: 100,
    }),
    "smallest difference: 64 % against 36 %, with 100 answers per pair of levels.",
  );
});
