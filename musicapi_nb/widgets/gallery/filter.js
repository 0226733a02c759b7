// @ts-check
// Which songs the gallery shows, and in which order. No DOM.
/** @import { Measure, Ratings, Songs, ViewState } from "../types" */

import { fateOf, tagOf } from "../song_parts/tags.js";
import { songCount } from "../song_parts/text.js";

export const PAGE_SIZE = 24;
export const STATES = ["pending", "running", "succeeded", "failed", "unknown"];
/** @type {ViewState} */
export const START = {
  page: 0,
  search: "",
  tag: "",
  fate: "",
  state: "",
  rating: "",
  factors: {},
  sort: "newest",
  group: "",
  layout: "",
};
/** @type {Record<string, [label: string, column: string, descending: boolean]>} */
export const SORTS = {
  newest: ["newest first", "date", true],
  oldest: ["oldest first", "date", false],
  rating: ["best first", "rating", true],
  title: ["title", "title", false],
  longest: ["longest first", "seconds", true],
  shortest: ["shortest first", "seconds", false],
  order: ["as listed", "", false],
};
const MEASURE_SORT = /^(lowest|highest) (.+)$/s;
const MAX_CARDS = 12; // more songs are shown as a list at first

/**
 * @param {Ratings} ratings
 * @param {number} index
 */
function starsOf(ratings, index) {
  return ratings[index]?.[0] ?? 0;
}

/**
 * @param {Songs} songs
 * @param {Ratings} ratings
 * @param {ViewState} view
 * @param {number} index
 */
function passes(songs, ratings, view, index) {
  if (view.search && !songs.title[index].toLowerCase().includes(view.search.toLowerCase())) {
    return false;
  }
  if (view.state && songs.state[index] !== view.state) return false;
  if (view.tag && !songs.tags[index].some((code) => tagPasses(songs, view, code))) return false;
  for (const { name, levels, level_indices } of songs.factors) {
    const level = view.factors[name];
    if (level && levels[level_indices[index]] !== level) return false;
  }
  return ratingPasses(songs, ratings, view.rating, index);
}

/**
 * @param {Songs} songs
 * @param {Ratings} ratings
 * @param {string} filter
 * @param {number} index
 */
function ratingPasses(songs, ratings, filter, index) {
  const stars = starsOf(ratings, index);
  if (filter === "rated") return stars > 0;
  if (filter === "unrated") return stars === 0 && songs.state[index] === "succeeded";
  if (filter === "note") return (ratings[index]?.[1] ?? 0) > 0;
  return !filter || stars >= Number(filter);
}

/**
 * @param {Songs} songs
 * @param {ViewState} view
 * @param {number} code
 */
function tagPasses(songs, view, code) {
  const tag = songs.tag_names[tagOf(code)].toLowerCase();
  if (!tag.startsWith(view.tag.toLowerCase())) return false;
  const fate = fateOf(code);
  if (view.fate === "requested") return ["kept", "split", "dropped"].includes(fate);
  return view.fate ? fate === view.fate : fate !== "dropped";
}

/**
 * Return the measure that songs are sorted by, and whether the highest value comes first; null if
 * they are sorted by something else.
 * @param {Songs} songs
 * @param {string} sort
 * @returns {[measure: Measure, descending: boolean] | null}
 */
export function measureOfSort(songs, sort) {
  const [, direction, name] = MEASURE_SORT.exec(sort) ?? [];
  const measure = songs.measures.find((other) => other.name === name);
  return measure ? [measure, direction === "highest"] : null;
}

/**
 * Return the measured columns to sort by: of numbers, the highest or the lowest value first.
 * @param {Songs} songs
 * @returns {[value: string, text: string][]}
 */
export function measureSorts(songs) {
  return songs.measures.flatMap(({ name, label, is_text }) =>
    is_text
      ? [[`lowest ${name}`, label]]
      : [
          [`highest ${name}`, `${label}, highest`],
          [`lowest ${name}`, `${label}, lowest`],
        ],
  );
}

/**
 * Return the function that maps a song's index to its sort key; Infinity stands for no value.
 * @param {Songs} songs
 * @param {Ratings} ratings
 * @param {string} column
 * @returns {(index: number) => number | string}
 */
export function sortKey(songs, ratings, column) {
  const factor = songs.factors.find(({ name }) => `factor ${name}` === column);
  if (factor) {
    return (index) => (factor.level_indices[index] < 0 ? Infinity : factor.level_indices[index]);
  }
  if (column.startsWith("measure ")) {
    const values = songs.values?.[column.slice("measure ".length)];
    return (index) => values?.[index] ?? Infinity;
  }
  if (column === "title") return (index) => songs.title[index].toLowerCase();
  if (column === "seconds") return (index) => songs.seconds[index] ?? Infinity;
  if (column === "date") return (index) => songs.date[index] ?? Infinity;
  if (column === "rating") return (index) => starsOf(ratings, index);
  if (column === "state") return (index) => STATES.indexOf(songs.state[index]);
  return (index) => index;
}

/**
 * Compare two indices by a key. Missing values come last in both directions; ties keep the order.
 * @param {(index: number) => number | string} key
 * @param {boolean} descending
 * @returns {(left: number, right: number) => number}
 */
export function comparison(key, descending) {
  return (left, right) => {
    const [a, b] = [key(left), key(right)];
    if (a === b) return left - right;
    if (a === Infinity || b === Infinity) return a === Infinity ? 1 : -1;
    const order = typeof a === "string" ? a.localeCompare(String(b)) : a - Number(b);
    return descending ? -order : order;
  };
}

/**
 * Return the indices of the songs that pass the filters, sorted and grouped.
 * @param {Songs} songs
 * @param {Ratings} ratings
 * @param {ViewState} view
 */
export function matchingSongs(songs, ratings, view) {
  const matches = songs.title
    .map((_, index) => index)
    .filter((index) => passes(songs, ratings, view, index));
  const [column, descending] = columnOfSort(songs, view.sort);
  matches.sort(comparison(sortKey(songs, ratings, column), descending));
  if (view.group) {
    const group = sortKey(songs, ratings, view.group);
    matches.sort((a, b) => Number(group(a)) - Number(group(b))); // stable; no group key is text
  }
  return matches;
}

/**
 * @param {Songs} songs
 * @param {string} sort
 * @returns {[column: string, descending: boolean]}
 */
function columnOfSort(songs, sort) {
  const measured = measureOfSort(songs, sort);
  if (measured) return [`measure ${measured[0].name}`, measured[1]];
  const [, column, descending] = SORTS[sort] ?? ["", sort, false];
  return [column, descending];
}

/**
 * @param {Songs} songs
 * @param {Ratings} ratings
 * @param {ViewState} view
 * @param {number} index
 */
export function groupLabel(songs, ratings, view, index) {
  const factor = songs.factors.find(({ name }) => `factor ${name}` === view.group);
  if (factor) return `${factor.name}: ${factor.levels[factor.level_indices[index]] ?? "(none)"}`;
  if (view.group === "state") return songs.state_labels[songs.state[index]];
  const stars = starsOf(ratings, index);
  return stars ? "★".repeat(stars) : "not rated";
}

/**
 * Return whether the songs are shown as a list; by default if there are many.
 * @param {Songs} songs
 * @param {ViewState} view
 */
export function isList(songs, view) {
  return view.layout ? view.layout === "list" : songs.title.length > MAX_CARDS;
}

/**
 * Say which songs of how many are on the page.
 * @param {Songs} songs
 * @param {number} matches how many songs pass the filters
 * @param {number} first index of the page's first song among the matches
 * @param {number} number of songs on the page
 */
export function countText(songs, matches, first, number) {
  const total = songs.title.length;
  const without = songs.without_songs;
  const missing = without
    ? ` ${without} request${without === 1 ? " has" : "s have"} no songs yet.`
    : "";
  const notes = `${missing}${songs.note && ` ${songs.note}`}`;
  if (!total) return `No songs yet.${notes}`;
  const count = matches === total ? songCount(total) : `${matches} of ${songCount(total)}`;
  const range = number < matches ? ` (${first + 1}–${first + number})` : "";
  return `${count}${range}${notes && `.${notes}`}`;
}
