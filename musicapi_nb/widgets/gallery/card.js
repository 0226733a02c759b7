// @ts-check
// The card of one song. What is known at once is drawn at once; details are filled in later.
/** @import { Card, Detail, SongActions, Songs } from "../types" */

import { element, isolated, separated } from "../dom.js";
import { createPlayer, createRating, nameOf, showCover } from "../song_parts/controls.js";
import { tagChips } from "../song_parts/tags.js";
import { minutes } from "../song_parts/text.js";

const VISIBLE_TAGS = 10;

/**
 * @param {Songs} songs
 * @param {number} index
 * @param {SongActions} actions
 * @returns {Card}
 */
export function createCard(songs, index, actions) {
  const cover = element("div", { class: "mnb-cover" });
  const body = element("div", { class: "mnb-body" });
  const lyrics = element("div", { class: "mnb-lyrics", dir: "auto" });
  const reason = element("div", { class: "mnb-reason", role: "alert" });
  const node = element(
    "div",
    {
      class: "mnb-card",
      role: "group",
      tabindex: "-1",
      "aria-label": `Song ${nameOf(songs, index)}`,
      "data-index": index,
    },
    element("div", { class: "mnb-head" }, cover, heading(songs, index)),
    levels(songs, index),
    chips(songs, index),
    body,
  );
  if (songs.has_lyrics[index]) {
    node.append(element("details", {}, element("summary", {}, "Lyrics"), lyrics));
  }
  /** @type {Card} */
  const card = { node, cover, body, lyrics, reason, player: null, rating: null };
  if (songs.playable[index]) {
    card.player = createPlayer(songs, index, actions);
    card.rating = createRating(songs, index, actions);
    card.rating.note = createNote(songs, index, actions);
    body.append(card.player.node, card.rating.node, card.rating.note, reason);
  }
  return card;
}

/**
 * @param {Songs} songs
 * @param {number} index
 */
function heading(songs, index) {
  const { title, seconds, model, created, state, position, simulated } = songs;
  const length = seconds[index] === null ? "" : minutes(seconds[index]);
  const facts = [length, model[index], created[index]].filter(Boolean);
  /** @type {(text: string, kind: string) => HTMLElement} */
  const badge = (text, kind) => element("span", { class: `mnb-badge mnb-${kind}` }, text);
  return element(
    "div",
    { class: "mnb-info" },
    element("div", { class: "mnb-title" }, isolated(title[index])),
    element("div", { class: "mnb-quiet" }, ...separated(facts)),
    element(
      "div",
      { class: "mnb-badges" },
      state[index] === "succeeded" ? "" : badge(state[index], state[index]),
      position[index] ? badge(position[index], "plain") : "",
      simulated[index] ? badge("simulated", "plain") : "",
    ),
  );
}

/**
 * @param {Songs} songs
 * @param {number} index
 */
function levels(songs, index) {
  const texts = songs.factors
    .filter((factor) => factor.level_indices[index] >= 0)
    .map((factor) => `${factor.name}: ${factor.levels[factor.level_indices[index]]}`);
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
      `and ${hidden.length} more tags`,
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
 * Put in a card what came from Python after it was drawn; nothing in it moves.
 * @param {Card} card
 * @param {Detail} detail
 * @param {string} state
 * @param {number} simulated
 */
export function fillCard(card, detail, state, simulated) {
  showCover(card.cover, detail, simulated);
  card.lyrics.textContent = detail.lyrics;
  const note = card.rating?.note;
  if (note && document.activeElement !== note) note.value = detail.note;
  if (detail.no_audio && card.player) {
    card.reason.textContent = detail.no_audio;
    card.player.node.replaceChildren(card.reason);
    card.player = null;
  } else if (detail.no_audio && !card.body.firstChild) {
    const kind = state === "failed" ? "mnb-notice mnb-failed" : "mnb-notice";
    card.body.append(element("div", { class: kind }, isolated(detail.no_audio)));
  }
}
