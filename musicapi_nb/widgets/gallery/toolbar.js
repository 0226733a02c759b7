// @ts-check
// The row of filters above the gallery.
/** @import { Songs, ViewState } from "../types" */

import { element, isolated } from "../dom.js";
import { fateOf, tagOf } from "../song_parts/tags.js";
import { measureSorts, SORTS, STATES } from "./filter.js";

const MAX_SUGGESTIONS = 200;
/** @typedef {[value: string, text: string]} Option */

/**
 * Build the filters. `change` is called with the changed parts of the view.
 * @param {Songs} songs
 * @param {ViewState} view
 * @param {(changes: Partial<ViewState>) => void} change
 */
export function toolbar(songs, view, change) {
  const factors = /** @type {Option[]} */ (
    songs.factors.map(({ name }) => [`factor ${name}`, name])
  );
  const sorts = /** @type {Option[]} */ (
    Object.entries(SORTS).map(([sort, [label]]) => [sort, label])
  );
  let chosen = view.factors;
  return element(
    "div",
    { class: "mnb-tools", role: "search", "aria-label": "Filters" },
    textFilter("Title", view.search, (search) => change({ page: 0, search })),
    ...tagFilters(songs, view, change),
    ...stateFilter(songs, view, change),
    choice("Rating", RATINGS, view.rating, (rating) => change({ page: 0, rating })),
    ...songs.factors.map(({ name, levels }) => {
      const options = /** @type {Option[]} */ ([
        ["", "all"],
        ...levels.map((level) => [level, level]),
      ]);
      return choice(name, options, chosen[name] ?? "", (level) => {
        chosen = { ...chosen, [name]: level };
        change({ page: 0, factors: chosen });
      });
    }),
    choice(
      "Sort by",
      [...sorts, ...factors],
      view.sort,
      (sort) => change({ page: 0, sort }),
      measureSorts(songs),
    ),
    choice("Group by", [["", "none"], ...factors, ...GROUPS], view.group, (group) =>
      change({ page: 0, group }),
    ),
  );
}

/** @type {Option[]} */
const RATINGS = [
  ["", "all"],
  ["rated", "rated"],
  ["unrated", "not rated"],
  ["1", "★ or more"],
  ["2", "★★ or more"],
  ["3", "★★★ or more"],
  ["4", "★★★★ or more"],
  ["5", "★★★★★"],
  ["note", "with a note"],
];
/** @type {Option[]} */
const TAG_FATES = [
  ["", "in the song"],
  ["requested", "requested"],
  ["kept", "kept"],
  ["split", "split"],
  ["added", "added"],
  ["dropped", "dropped"],
];
/** @type {Option[]} */
const GROUPS = [
  ["state", "state"],
  ["rating", "rating"],
];

/**
 * @param {string} label
 * @param {string} value
 * @param {(value: string) => void} change
 * @param {string} [listId]
 */
function textFilter(label, value, change, listId) {
  const input = element("input", { type: "search", value, list: listId });
  input.addEventListener("input", () => change(input.value.trim()));
  return element("label", {}, element("span", {}, label), input);
}

/**
 * @param {Songs} songs
 * @param {ViewState} view
 * @param {(changes: Partial<ViewState>) => void} change
 */
function tagFilters(songs, view, change) {
  const id = `mnb-tags-${Math.random().toString(36).slice(2)}`;
  const suggestions = commonTags(songs).map((value) => element("option", { value }));
  const filters = [
    textFilter("Tag", view.tag, (tag) => change({ page: 0, tag }), id),
    element("datalist", { id }, ...suggestions),
  ];
  if (songs.tags.some((codes) => codes.some(fateOf))) {
    filters.push(choice("Tag was", TAG_FATES, view.fate, (fate) => change({ page: 0, fate })));
  }
  return filters;
}

/** @param {Songs} songs */
function commonTags(songs) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  for (const code of songs.tags.flat()) {
    counts.set(tagOf(code), (counts.get(tagOf(code)) ?? 0) + 1);
  }
  const common = [...counts].sort((a, b) => b[1] - a[1]).slice(0, MAX_SUGGESTIONS);
  return common.map(([tag]) => songs.tag_names[tag]);
}

/**
 * @param {Songs} songs
 * @param {ViewState} view
 * @param {(changes: Partial<ViewState>) => void} change
 */
function stateFilter(songs, view, change) {
  const present = STATES.filter((state) => songs.state.includes(state));
  if (present.length < 2) return [];
  const options = /** @type {Option[]} */ ([
    ["", "all"],
    ...present.map((state) => [state, songs.state_labels[state]]),
  ]);
  return [choice("State", options, view.state, (state) => change({ page: 0, state }))];
}

/**
 * @param {string} label
 * @param {Option[]} options
 * @param {string} value
 * @param {(value: string) => void} change
 * @param {Option[]} [measured] options in a group of their own
 */
function choice(label, options, value, change, measured = []) {
  /** @type {(options: Option[]) => HTMLOptionElement[]} */
  const nodes = (list) => list.map(([option, text]) => element("option", { value: option }, text));
  const select = element(
    "select",
    // Without it, the accessible name from the label would include all options.
    { "aria-label": label, onchange: () => change(select.value) },
    ...nodes(options),
    measured.length ? element("optgroup", { label: "Measured" }, ...nodes(measured)) : "",
  );
  const isOption = [...options, ...measured].some(([option]) => option === value);
  select.value = isOption ? value : options[0][0];
  return element("label", {}, element("span", {}, isolated(label)), select);
}
