import assert from "node:assert/strict";
import { test } from "node:test";

import {
  coverUrl,
  localTime,
  measureText,
  minutes,
  safeUrl,
  songCount,
} from "../../musicapi_nb/widgets/song_parts/text.js";

test("measured values have their unit and decimal places", () => {
  const tempo = { name: "", label: "", unit: "bpm", digits: 0, factor: 1, is_text: false };
  assert.equal(measureText(tempo, 91.6), "92 bpm");
  assert.equal(measureText({ ...tempo, unit: "%", digits: 1, factor: 100 }, 0.345), "34.5 %");
  assert.equal(measureText({ ...tempo, unit: "", digits: null }, 0.123456), "0.1235");
  assert.equal(measureText({ ...tempo, unit: "" }, "A minor"), "A minor");
});

test("seconds are shown as minutes, from an hour on with hours", () => {
  assert.equal(minutes(0), "0:00");
  assert.equal(minutes(59.6), "1:00");
  assert.equal(minutes(185), "3:05");
  assert.equal(minutes(3725), "1:02:05");
  for (const unknown of [null, undefined, Number.NaN, Infinity]) {
    assert.equal(minutes(unknown), "–:––");
  }
});

test("songs are counted", () => {
  assert.equal(songCount(1), "1 song");
  assert.equal(songCount(1200), "1,200 songs");
});

test("only https is loaded, and http on this machine for simulated songs", () => {
  assert.equal(safeUrl("https://cdn.example/a.mp3", false), "https://cdn.example/a.mp3");
  assert.equal(safeUrl("http://127.0.0.1:8000/a.mp3", true), "http://127.0.0.1:8000/a.mp3");
  assert.equal(safeUrl("http://[::1]/a.mp3", 1), "http://[::1]/a.mp3");
  for (const url of [
    "http://127.0.0.1/a.mp3",
    "http://cdn.example/a.mp3",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "file:///etc/passwd",
    "https://user:password@cdn.example/a.mp3",
    "//cdn.example/a.mp3",
    "not a URL",
    "",
    null,
    undefined,
  ]) {
    assert.equal(safeUrl(url, false), null, String(url));
  }
  assert.equal(safeUrl("http://127.0.0.1.evil.example/a.mp3", true), null);
});

test("a cover may also be a picture in the data", () => {
  assert.equal(
    coverUrl("data:image/jpeg;base64,/9j/4A==", false),
    "data:image/jpeg;base64,/9j/4A==",
  );
  assert.equal(coverUrl("https://cdn.example/a.png", false), "https://cdn.example/a.png");
  for (const url of [
    "data:image/svg+xml;base64,PHN2Zz4=",
    "data:text/html;base64,PHA+",
    'data:image/jpeg;base64,/9j/" onerror=',
    "http://cdn.example/a.png",
    null,
  ]) {
    assert.equal(coverUrl(url, false), null, String(url));
  }
});

test("a time is said in this zone, with the year if it is a past one", () => {
  const now = new Date(2026, 10, 30, 9, 0);
  /** @type {(...parts: [number, number, number, number, number]) => string} */
  const format = (...parts) => localTime(new Date(...parts).getTime() / 1000, now);
  assert.equal(format(2026, 10, 30, 0, 5), "today 00:05");
  assert.equal(format(2026, 10, 29, 23, 59), "yesterday 23:59");
  assert.equal(format(2026, 10, 28, 14, 5), "28 Nov, 14:05");
  assert.equal(format(2025, 10, 30, 14, 5), "30 Nov 2025");
  assert.equal(localTime(null, now), "");
});
