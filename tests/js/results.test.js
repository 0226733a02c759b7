import assert from "node:assert/strict";
import { test } from "node:test";

import {
  checkText,
  pairText,
  percentText,
  signedText,
} from "../../musicapi_nb/_blind_test/results.js";

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
  const check = {
    check: "chose A",
    estimate: 0.6,
    low: 0.2,
    high: 0.9,
    n: 5,
    p: null,
  };
  assert.equal(
    checkText({ ...check, by_chance: 0.5 }),
    "chose A: 60 % of 5 (20 % to 90 %; 50 % by chance).",
  );
  assert.equal(checkText({ ...check, by_chance: null }), "chose A: 60 % of 5 (20 % to 90 %).");
  assert.equal(
    checkText({ ...check, estimate: null, by_chance: null, n: 0 }),
    "chose A: not enough answers (0).",
  );
  assert.equal(
    checkText({
      check: "smallest detectable difference",
      estimate: 0.14,
      low: null,
      high: null,
      by_chance: null,
      n: 100,
      p: null,
    }),
    "smallest detectable difference: 64 % against 36 %, with 100 answers per pair of levels.",
  );
});

test("a check without an interval has its share and p", () => {
  assert.equal(
    checkText({
      check: "choice of x",
      estimate: 0.8,
      low: null,
      high: null,
      by_chance: 0.5,
      n: 20,
      p: 0.0118,
    }),
    "choice of x: 80 % of 20 (50 % by chance; p 0.012).",
  );
});

test("pairs have a difference, an interval and p", () => {
  const counts = { level: "x", versus: "y", answers: 9, wins: 7, ties: 0, losses: 2, share: 0.8 };
  const pair = { ...counts, difference: 1.2, low: -0.1, high: 2.5, p_adjusted: 0.07 };
  assert.equal(pairText(pair), "+1.20 (−0.10 to +2.50), adjusted p 0.07");
  const uncertain = { ...pair, low: null, high: null, p_adjusted: null };
  assert.equal(pairText(uncertain), "+1.20");
  assert.equal(
    pairText({ ...pair, p_adjusted: 0.0001 }),
    "+1.20 (−0.10 to +2.50), adjusted p < 0.001",
  );
});
