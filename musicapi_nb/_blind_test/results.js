// @ts-check
// The statistics of a blind test: scores with intervals, and checks as sentences.
/** @import { Check, Pair, Score, State, Summary } from "./types" */

import { element, isolated } from "../widgets/dom.js";

const MAX_PAIRS = 15;
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

/** @param {number | null} p */
function pText(p) {
  if (p === null) return "";
  return p < 0.001 ? "p < 0.001" : `p ${Number(p.toPrecision(2))}`;
}

/** @param {Pair} pair */
export function pairText({ difference, low, high, p_adjusted: p }) {
  const interval =
    low === null || high === null ? "" : ` (${signedText(low)} to ${signedText(high)})`;
  const probability = p === null ? "" : `, adjusted ${pText(p)}`;
  return `${signedText(difference)}${interval}${probability}`;
}

/** @param {Check} check */
export function checkText({ check, estimate, low, high, by_chance: chance, n, p }) {
  if (estimate === null) return `${check}: not enough answers (${n}).`;
  if (check === "smallest detectable difference") {
    const shares = `${percentText(0.5 + estimate)} against ${percentText(0.5 - estimate)}`;
    return `${check}: ${shares}, with ${n} answers per pair of levels.`;
  }
  const details = [
    low === null || high === null ? "" : `${percentText(low)} to ${percentText(high)}`,
    chance === null ? "" : `${percentText(chance)} by chance`,
    pText(p),
  ].filter(Boolean);
  const text = `${check}: ${percentText(estimate)} of ${n}`;
  return details.length ? `${text} (${details.join("; ")}).` : `${text}.`;
}

/**
 * @param {State} state
 * @param {Summary} summary
 * @returns {HTMLElement[]}
 */
export function statistics(state, { factor, scores, pairs, checks, notes }) {
  const scoreParts = [
    element(
      "div",
      { class: "blind-secondary" },
      "How clearly each was preferred (log scale; 0 is the mean of all).",
    ),
    scoreTable(scores),
  ];
  return [
    element("div", {}, "Compared: ", isolated(factor)),
    ...(scores.length ? scoreParts : []),
    ...(pairs.length ? pairParts(pairs) : []),
    element(
      "ul",
      { class: "blind-checks" },
      ...checks.filter(({ n }) => n > 0).map((check) => element("li", {}, checkText(check))),
    ),
    ...notes.map((note) => element("div", { class: "blind-note" }, note)),
    element("div", { class: "blind-secondary" }, state.description),
  ];
}

/** @param {Pair[]} pairs */
function pairParts(pairs) {
  const rank = (/** @type {Pair} */ pair) => pair.p_adjusted ?? 1;
  const visible = [...pairs].sort((a, b) => rank(a) - rank(b)).slice(0, MAX_PAIRS);
  const hidden = pairs.length - visible.length;
  const title = "Difference of scores; p is adjusted for the number of pairs.";
  return [
    element("div", { class: "blind-secondary" }, title),
    element(
      "ul",
      { class: "blind-pairs" },
      ...visible.map((pair) =>
        element(
          "li",
          {},
          isolated(pair.level),
          " against ",
          isolated(pair.versus),
          `: ${pairText(pair)}`,
        ),
      ),
      ...(hidden ? [element("li", {}, `${hidden} more pairs in test.preference().pairs`)] : []),
    ),
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
    { class: "blind-table" },
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
  const track = element("div", { class: "blind-track", "aria-hidden": "true" });
  const percent = (/** @type {number} */ value) => 50 + (50 * value) / limit;
  let interval = "no interval";
  if (row.low !== null && row.high !== null) {
    const line = element("div", { class: "blind-line" });
    line.style.left = `${percent(row.low)}%`;
    line.style.width = `${percent(row.high) - percent(row.low)}%`;
    track.append(line);
    interval = `${signedText(row.low)} to ${signedText(row.high)}`;
  }
  if (row.score !== null) {
    const dot = element("div", { class: "blind-dot" });
    dot.style.left = `${percent(row.score)}%`;
    track.append(dot);
  }
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, isolated(row.level)),
    element("td", { class: "blind-chart" }, track),
    element("td", {}, signedText(row.score)),
    element("td", {}, interval),
    element("td", {}, `${row.wins} / ${row.ties} / ${row.losses}`),
    element("td", {}, String(row.answers)),
  );
}
