// @ts-check
// The card of one song. What is known at once is drawn at once; details are filled in later.
/** @import { Card, CardActions, Detail, Songs } from "../types" */

import { element, isolated, separated } from "../dom.js";
import { FATES } from "./filter.js";
import { coverUrl, minutes } from "./text.js";

const FATE_SIGNS = ["", "✓ ", "+ ", "− "];
const VISIBLE_TAGS = 10;

/**
 * @param {Songs} songs
 * @param {number} index
 * @param {CardActions} actions
 * @returns {Card}
 */
export function createCard(songs, index, actions) {
  const title = songs.title[index];
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
      "aria-label": `Song ${title}`,
      "data-index": index,
      onfocusin: () => actions.focused(index),
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
    addPlayer(card, index, title, actions);
    addRating(card, index, title, actions);
    body.append(reason);
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
  const codes = songs.tags[index];
  /** @type {(code: number) => HTMLElement} */
  const chip = (code) => {
    const fate = FATES[code & 3];
    const name = isolated(songs.tag_names[code >> 2]);
    const attributes = { class: `mnb-chip mnb-${fate || "plain"}`, title: fate || undefined };
    return element("span", attributes, FATE_SIGNS[code & 3], name);
  };
  const box = element("div", { class: "mnb-chips" }, ...codes.slice(0, VISIBLE_TAGS).map(chip));
  const hidden = codes.slice(VISIBLE_TAGS);
  if (hidden.length) {
    const more = element(
      "button",
      { type: "button", class: "mnb-link" },
      `and ${hidden.length} more tags`,
    );
    more.addEventListener("click", () => {
      more.replaceWith(...hidden.map(chip));
      box.closest(/** @type {"div"} */ (".mnb-card"))?.focus();
    });
    box.append(more);
  }
  return box;
}

/**
 * @param {Card} card
 * @param {number} index
 * @param {string} title
 * @param {CardActions} actions
 */
function addPlayer(card, index, title, actions) {
  const button = element(
    "button",
    {
      type: "button",
      class: "mnb-play",
      "aria-label": `Play ${title}`,
      onclick: () => actions.toggle(index),
    },
    "Play",
  );
  const canvas = element("canvas", {
    class: "mnb-wave",
    role: "slider",
    tabindex: "0",
    "aria-label": `Position in ${title}`,
    "aria-valuemin": "0",
    onclick: (/** @type {MouseEvent} */ event) => actions.seekTo(index, event),
  });
  const time = element("span", { class: "mnb-time" });
  const node = element("div", { class: "mnb-player" }, button, canvas, time);
  card.player = { node, button, canvas, time, share: 0 };
  card.body.append(node);
}

/**
 * @param {Card} card
 * @param {number} index
 * @param {string} title
 * @param {CardActions} actions
 */
function addRating(card, index, title, actions) {
  const stars = [1, 2, 3, 4, 5].map((number) =>
    element(
      "button",
      {
        type: "button",
        class: "mnb-star",
        "aria-label": `Rate ${title} ${number} of 5`,
        onclick: () => actions.rate(index, { stars: number }),
      },
      String(number),
    ),
  );
  const clear = element(
    "button",
    {
      type: "button",
      class: "mnb-link",
      "aria-label": `Clear the rating of ${title}`,
      onclick: () => actions.rate(index, { stars: 0 }),
    },
    "Clear",
  );
  const status = element("span", { class: "mnb-status", role: "status" });
  const note = element("input", {
    type: "text",
    class: "mnb-note",
    maxlength: "4000",
    placeholder: "Note",
    "aria-label": `Note on ${title}`,
    onblur: () => actions.noteChanged(index),
    onkeydown: (/** @type {KeyboardEvent} */ { key }) =>
      key === "Enter" && actions.noteChanged(index),
  });
  card.rating = { stars, clear, status, note };
  card.body.append(
    element(
      "div",
      { class: "mnb-rating", role: "group", "aria-label": `Rating of ${title}` },
      element("span", { class: "mnb-quiet" }, "Rating"),
      ...stars,
      clear,
      status,
    ),
    note,
  );
}

/**
 * Put in a card what came from Python after it was drawn; nothing in it moves.
 * @param {Card} card
 * @param {Detail} detail
 * @param {string} state
 * @param {number} simulated
 */
export function fillCard(card, detail, state, simulated) {
  card.cover.style.backgroundImage = detail.gradient;
  const url = coverUrl(detail.cover, simulated);
  if (url && !card.cover.firstChild) {
    const image = element("img", { alt: "", loading: "lazy", onerror: () => image.remove() });
    image.src = url;
    card.cover.append(image);
  }
  card.lyrics.textContent = detail.lyrics;
  if (card.rating && document.activeElement !== card.rating.note) {
    card.rating.note.value = detail.note;
  }
  if (detail.no_audio && card.player) {
    card.reason.textContent = detail.no_audio;
    card.player.node.replaceChildren(card.reason);
    card.player = null;
  } else if (detail.no_audio && !card.body.firstChild) {
    const kind = state === "failed" ? "mnb-notice mnb-failed" : "mnb-notice";
    card.body.append(element("div", { class: kind }, isolated(detail.no_audio)));
  }
}

/**
 * Show the stars that Python has stored.
 * @param {Card} card
 * @param {number} stars
 */
export function showStars(card, stars) {
  if (!card.rating) return;
  card.rating.stars.forEach((button, position) => {
    button.classList.toggle("mnb-set", position < stars);
    button.setAttribute("aria-pressed", String(position + 1 === stars));
  });
  card.rating.clear.disabled = stars === 0;
}

/**
 * @param {Card | undefined} card
 * @param {string} text
 * @param {boolean} failed
 */
export function showStatus(card, text, failed) {
  if (!card?.rating) return;
  card.rating.status.className = failed ? "mnb-status mnb-bad" : "mnb-status";
  card.rating.status.textContent = text;
}
