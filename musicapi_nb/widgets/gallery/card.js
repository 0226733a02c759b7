// @ts-check
// The card and the list row of one song. What the columns have is drawn at once; details are
// filled in later.
/** @import { Card, Detail, SongActions, Songs } from "../types" */

import { element, isolated, separated } from "../dom.js";
import {
  createCoverPlayer,
  createPlayer,
  createRating,
  iconButton,
  nameOf,
  showCover,
} from "../song_parts/controls.js";
import { tagChips } from "../song_parts/tags.js";
import { localTime, measureText, minutes } from "../song_parts/text.js";
import { measureOfSort } from "./filter.js";

const VISIBLE_TAGS = 10;
/** Controls that are tab stops, but only in the song that has the focus. */
const STOPS = ".mnb-note, summary, .mnb-more, .mnb-link";

/**
 * @param {Songs} songs
 * @param {number} index
 * @param {SongActions} actions
 * @returns {Card}
 */
export function createCard(songs, index, actions) {
  const cover = element("div", { class: "mnb-cover" });
  const body = element("div", { class: "mnb-body" });
  const reason = element("div", { class: "mnb-reason", role: "alert" });
  const node = songNode("mnb-card", songs, index);
  const menu = menuButton(songs, index, actions);
  node.append(
    element("div", { class: "mnb-head" }, cover, heading(songs, index), menu),
    levels(songs, index),
    chips(songs, index),
    body,
  );
  let lyrics = null;
  if (songs.has_lyrics[index]) {
    lyrics = element("div", { class: "mnb-lyrics", dir: "auto" });
    node.append(element("details", {}, element("summary", {}, "Lyrics"), lyrics));
  }
  /** @type {Card} */
  const card = { node, cover, body, lyrics, reason, menu, player: null, rating: null };
  if (songs.playable[index]) {
    card.player = createPlayer(songs, index, actions);
    card.rating = createRating(songs, index, actions);
    card.rating.note = createNote(songs, index, actions);
    body.append(card.player.node, card.rating.node, card.rating.note, reason);
  }
  setStops(card, false);
  return card;
}

/**
 * @param {Songs} songs
 * @param {number} index
 * @param {SongActions} actions
 * @param {string} sort what the songs are sorted by
 * @returns {Card}
 */
export function createRow(songs, index, actions, sort) {
  const { title, state, state_labels, seconds, simulated, model, date, sources, position } = songs;
  const player = songs.playable[index] ? createCoverPlayer(songs, index, actions) : null;
  const cover = player?.button ?? element("div");
  cover.classList.add("mnb-cover");
  const reason = element("div", { class: "mnb-reason", role: "alert" });
  const body = element("div", { class: "mnb-row-tags" }, ...tagChips(songs, index));
  const node = songNode("mnb-card mnb-row", songs, index);
  const menu = menuButton(songs, index, actions);
  const rating = player ? createRating(songs, index, actions) : null;
  const facts = [position[index], sources[index], ...levelTexts(songs, index), model[index]].filter(
    Boolean,
  );
  const times = [localTime(date[index]), simulated[index] ? "simulated" : ""].filter(Boolean);
  node.append(
    cover,
    element(
      "div",
      { class: "mnb-row-text" },
      element("div", { class: "mnb-title" }, isolated(title[index])),
      element(
        "div",
        { class: "mnb-row-facts" },
        ...separated(facts),
        element("span", { class: "mnb-measured" }),
        facts.length && times.length ? " · " : "",
        ...separated(times),
      ),
    ),
    body,
    state[index] === "succeeded"
      ? element(
          "div",
          { class: "mnb-row-length" },
          minutes(seconds[index]),
          sortedValue(songs, index, sort),
        )
      : stateBadge(state_labels[state[index]], state[index]),
    rating?.node ?? element("div", { class: "mnb-rating" }),
    menu,
    reason,
  );
  const card = { node, cover, body, lyrics: null, reason, menu, player, rating };
  setStops(card, false);
  return card;
}

/**
 * @param {string} className
 * @param {Songs} songs
 * @param {number} index
 */
function songNode(className, songs, index) {
  return element("div", {
    class: className,
    role: "group",
    tabindex: "-1",
    "aria-label": `Song ${nameOf(songs, index)}`,
    "data-index": index,
  });
}

/**
 * @param {Songs} songs
 * @param {number} index
 * @param {SongActions} actions
 */
function menuButton(songs, index, actions) {
  return iconButton("more", {
    class: "mnb-more",
    "aria-haspopup": "menu",
    "aria-expanded": "false",
    "aria-label": `Menu of ${nameOf(songs, index)}`,
    onclick: () => actions.openMenu(index),
  });
}

/**
 * Let Tab stop at a song and at its controls, or skip all of it.
 * @param {Card} card
 * @param {boolean} isStop
 */
export function setStops(card, isStop) {
  const tabIndex = isStop ? 0 : -1;
  card.node.tabIndex = tabIndex;
  for (const control of card.node.querySelectorAll(STOPS)) {
    /** @type {HTMLElement} */ (control).tabIndex = tabIndex;
  }
}

/**
 * @param {string} label
 * @param {string} kind
 */
function stateBadge(label, kind) {
  return element("span", { class: `mnb-badge mnb-${kind}` }, label);
}

/**
 * @param {Songs} songs
 * @param {number} index
 */
function heading(songs, index) {
  const { title, seconds, model, date, state, state_labels, position, simulated, sources } = songs;
  const length = seconds[index] === null ? "" : minutes(seconds[index]);
  const facts = [length, model[index], localTime(date[index])].filter(Boolean);
  return element(
    "div",
    { class: "mnb-info" },
    element("div", { class: "mnb-title" }, isolated(title[index])),
    sources[index] ? element("div", { class: "mnb-source" }, isolated(sources[index])) : "",
    element("div", { class: "mnb-quiet" }, ...separated(facts)),
    element("div", { class: "mnb-quiet mnb-measured" }),
    element(
      "div",
      { class: "mnb-badges" },
      state[index] === "succeeded" ? "" : stateBadge(state_labels[state[index]], state[index]),
      position[index] ? stateBadge(position[index], "plain") : "",
      simulated[index] ? stateBadge("simulated", "plain") : "",
    ),
  );
}

/**
 * @param {Songs} songs
 * @param {number} index
 */
function levelTexts(songs, index) {
  return songs.factors
    .filter((factor) => factor.level_indices[index] >= 0)
    .map((factor) => `${factor.name}: ${factor.levels[factor.level_indices[index]]}`);
}

/**
 * Show the value that the songs are sorted by, if it was measured.
 * @param {Songs} songs
 * @param {number} index
 * @param {string} sort
 */
function sortedValue(songs, index, sort) {
  const [measure] = measureOfSort(songs, sort) ?? [];
  const value = measure && songs.values?.[measure.name]?.[index];
  if (!measure || value === undefined) return "";
  const text = value === null ? "–" : measureText(measure, value);
  return element(
    "div",
    { class: "mnb-row-value", title: `${measure.label}: ${text}` },
    isolated(text),
  );
}

/**
 * @param {Songs} songs
 * @param {number} index
 */
function levels(songs, index) {
  const texts = levelTexts(songs, index);
  return texts.length ? element("div", { class: "mnb-levels" }, ...separated(texts)) : "";
}

/**
 * @param {Songs} songs
 * @param {number} index
 */
function chips(songs, index) {
  const all = tagChips(songs, index);
  const box = element("div", { class: "mnb-chips" }, ...all.slice(0, VISIBLE_TAGS));
  const hidden = all.slice(VISIBLE_TAGS);
  if (hidden.length) {
    const more = element(
      "button",
      { type: "button", class: "mnb-link" },
      `and ${hidden.length} more tag${hidden.length === 1 ? "" : "s"}`,
    );
    more.addEventListener("click", () => {
      more.replaceWith(...hidden);
      box.closest(/** @type {"div"} */ (".mnb-card"))?.focus();
    });
    box.append(more);
  }
  return box;
}

/**
 * @param {Songs} songs
 * @param {number} index
 * @param {SongActions} actions
 */
function createNote(songs, index, actions) {
  return element("input", {
    type: "text",
    class: "mnb-note",
    maxlength: "4000",
    placeholder: "Note",
    "aria-label": `Note on ${nameOf(songs, index)}`,
    onblur: () => actions.noteChanged(index),
    onkeydown: (/** @type {KeyboardEvent} */ { key }) =>
      key === "Enter" && actions.noteChanged(index),
  });
}

/**
 * Show the line of measured values of a card or row.
 * @param {Card} card
 * @param {string | undefined} text
 */
export function showMeasured(card, text) {
  const line = card.node.querySelector(".mnb-measured");
  if (line && line.textContent !== (text ?? ""))
    line.replaceChildren(...(text ? [isolated(text)] : []));
}

/**
 * Put in a card or row what came from Python after it was drawn; nothing in it moves.
 * @param {Card} card
 * @param {Detail} detail
 * @param {string} state
 * @param {number} simulated
 */
export function fillCard(card, detail, state, simulated) {
  showCover(card.cover, detail, simulated);
  if (card.lyrics) card.lyrics.textContent = detail.lyrics;
  const note = card.rating?.note;
  if (note && document.activeElement !== note) note.value = detail.note;
  if (!detail.no_audio) return;
  const kind = state === "failed" ? "mnb-notice mnb-failed" : "mnb-notice";
  const notice = element("div", { class: kind }, isolated(detail.no_audio));
  if (card.node.classList.contains("mnb-row")) {
    if (card.player) card.player.button.disabled = true;
    card.body.replaceChildren(isolated(detail.no_audio));
  } else if (card.player) {
    card.reason.textContent = detail.no_audio;
    card.player.node.replaceChildren(card.reason);
  } else if (!card.body.firstChild) card.body.append(notice);
  card.player = null;
}
