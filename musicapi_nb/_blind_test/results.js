// @ts-check
// The results of a blind test: scores with intervals, and checks as sentences.
/** @import { Check, Score, State, Summary } from "./types" */

import { element, isolated } from "../widgets/dom.js";

const COLUMNS = ["level", "", "score", "95 % interval", "won / tied / lost", "answers"];

/** @param {number} share */
export function percentText(share) {
  return `${Math.round(share * 100)} %`;
}

/**
 * Two decimals and a sign; null is a dash.
 * @param {number | null} value
 */
export function signedText(value) {
  if (value === null) return "–";
  const digits = Math.abs(value).toFixed(2);
  if (digits === "0.00") return digits;
  return `${value < 0 ? "−" : "+"}${digits}`;
}

/** @param {Check} check */
export function checkText({ check, estimate, low, high, by_chance: chance, n }) {
  if (estimate === null) return `${check}: not enough answers (${n}).`;
  if (low === null || high === null) {
    const shares = `${percentText(0.5 + estimate)} against ${percentText(0.5 - estimate)}`;
    return `${check}: ${shares}, with ${n} answers per pair of levels.`;
  }
  const interval = `${percentText(low)} to ${percentText(high)}`;
  const byChance = chance === null ? "" : `; ${percentText(chance)} by chance`;
  return `${check}: ${percentText(estimate)} of ${n} (${interval}${byChance}).`;
}

/**
 * @param {State} state
 * @param {Summary} summary
 * @returns {HTMLElement[]}
 */
export function results(state, { factor, scores, checks, notes }) {
  const scoreParts = [
    element(
      "div",
      { class: "mnb-secondary" },
      "Strength on a log scale; 0 is the mean of all levels.",
    ),
    scoreTable(scores),
  ];
  return [
    element(
      "div",
      { class: "mnb-head" },
      element("div", { class: "mnb-heading" }, "Blind test: results"),
      element("div", { class: "mnb-counter" }, `${state.done} of ${state.trials} answered`),
    ),
    element("div", { class: "mnb-question" }, `Compared: ${factor}`),
    ...(scores.length ? scoreParts : []),
    element(
      "ul",
      { class: "mnb-checks" },
      ...checks.map((check) => element("li", {}, checkText(check))),
    ),
    ...notes.map((note) => element("div", { class: "mnb-note" }, note)),
    element("div", { class: "mnb-secondary" }, state.description),
  ];
}

/** @param {Score[]} scores */
function scoreTable(scores) {
  const values = scores.flatMap(({ score, low, high }) => [score ?? 0, low ?? 0, high ?? 0]);
  const limit = Math.max(0.5, ...values.map(Math.abs));
  const headers = COLUMNS.map((name) => element("th", { scope: "col" }, name));
  const rows = scores.map((row) => scoreRow(row, limit));
  return element(
    "div",
    { class: "mnb-table" },
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ...headers)),
      element("tbody", {}, ...rows),
    ),
  );
}

/**
 * @param {Score} row
 * @param {number} limit end of the axis, on both sides of 0
 */
function scoreRow(row, limit) {
  const track = element("div", { class: "mnb-track", "aria-hidden": "true" });
  const percent = (/** @type {number} */ value) => 50 + (50 * value) / limit;
  let interval = "no interval";
  if (row.low !== null && row.high !== null) {
    const line = element("div", { class: "mnb-line" });
    line.style.left = `${percent(row.low)}%`;
    line.style.width = `${percent(row.high) - percent(row.low)}%`;
    track.append(line);
    interval = `${signedText(row.low)} to ${signedText(row.high)}`;
  }
  if (row.score !== null) {
    const dot = element("div", { class: "mnb-dot" });
    dot.style.left = `${percent(row.score)}%`;
    track.append(dot);
  }
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, isolated(row.level)),
    element("td", { class: "mnb-chart" }, track),
    element("td", {}, signedText(row.score)),
    element("td", {}, interval),
    element("td", {}, `${row.wins} / ${row.ties} / ${row.losses}`),
    element("td", {}, String(row.answers)),
  );
}
