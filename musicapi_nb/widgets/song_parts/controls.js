// @ts-check
// The controls of one song: play button, waveform, stars.
/** @import { Detail, PlayerParts, RatingParts, SongActions, Songs } from "../types" */

import { element } from "../dom.js";
import { coverUrl } from "./text.js";

/**
 * Return the name of a song for screen readers; songs of one request share their title.
 * @param {Songs} songs
 * @param {number} index
 */
export function nameOf(songs, index) {
  return [songs.title[index], songs.position[index]].filter(Boolean).join(", ");
}

/**
 * Create a button that shows a symbol of songs.css.
 * @param {string} icon
 * @param {Record<string, any>} attributes
 * @param {...(Node | string)} children
 */
export function iconButton(icon, attributes, ...children) {
  return element("button", { type: "button", "data-icon": icon, ...attributes }, ...children);
}

/**
 * Create a play button, a waveform to seek in, and the time. They are no tab stops: the keys of
 * the song do the same.
 * @param {Songs} songs
 * @param {number} index
 * @param {SongActions} actions
 * @returns {PlayerParts}
 */
export function createPlayer(songs, index, actions) {
  const name = nameOf(songs, index);
  const button = iconButton("play", {
    class: "mnb-play",
    tabindex: "-1",
    "aria-label": `Play ${name}`,
    onclick: () => actions.toggle(index),
  });
  const canvas = createWaveform(name, (event) => actions.seekTo(index, event));
  const time = element("span", { class: "mnb-time" });
  const node = element("div", { class: "mnb-player" }, button, canvas, time);
  return { node, button, canvas, time, share: 0 };
}

/**
 * Create a waveform that is a slider.
 * @param {string} name
 * @param {(event: MouseEvent) => void} onclick
 */
export function createWaveform(name, onclick) {
  return element("canvas", {
    class: "mnb-wave",
    role: "slider",
    tabindex: "-1",
    "aria-label": `Position in ${name}`,
    "aria-valuemin": "0",
    "aria-valuenow": "0",
    onclick,
  });
}

/**
 * Create the cover that is also the play button, for where there is no room for a waveform.
 * @param {Songs} songs
 * @param {number} index
 * @param {SongActions} actions
 * @returns {PlayerParts}
 */
export function createCoverPlayer(songs, index, actions) {
  const button = iconButton("play", {
    class: "mnb-cover-play",
    tabindex: "-1",
    "aria-label": `Play ${nameOf(songs, index)}`,
    onclick: () => actions.toggle(index),
  });
  return { node: button, button, canvas: null, time: null, share: 0 };
}

/**
 * Create five stars and a button that clears them. They are no tab stops: the keys 0 to 5 do the
 * same.
 * @param {Songs} songs
 * @param {number} index
 * @param {SongActions} actions
 * @returns {RatingParts}
 */
export function createRating(songs, index, actions) {
  const name = nameOf(songs, index);
  /** @type {(stars: number, attributes: object, text: string) => HTMLButtonElement} */
  const button = (stars, attributes, text) =>
    element(
      "button",
      {
        type: "button",
        tabindex: "-1",
        onclick: () => actions.rate(index, { stars }),
        ...attributes,
      },
      text,
    );
  const stars = [1, 2, 3, 4, 5].map((number) =>
    button(number, { class: "mnb-star", "aria-label": `Rate ${name} ${number} of 5` }, "☆"),
  );
  const clear = button(
    0,
    { class: "mnb-clear", "aria-label": `Clear the rating of ${name}`, title: "Clear" },
    "✕",
  );
  const status = element("span", { class: "mnb-status", role: "status" });
  const attributes = { class: "mnb-rating", role: "group", "aria-label": `Rating of ${name}` };
  const node = element("div", attributes, ...stars, clear, status);
  return { node, stars, clear, status, note: null };
}

/**
 * Show the stars that Python has stored.
 * @param {RatingParts | null | undefined} rating
 * @param {number} stars
 */
export function showStars(rating, stars) {
  if (!rating) return;
  rating.stars.forEach((button, position) => {
    const isSet = position < stars;
    button.classList.toggle("mnb-set", isSet);
    button.textContent = isSet ? "★" : "☆";
    button.setAttribute("aria-pressed", String(position + 1 === stars));
  });
  rating.clear.disabled = stars === 0;
}

/**
 * Say whether a rating was saved.
 * @param {RatingParts | null | undefined} rating
 * @param {string} text
 * @param {boolean} failed
 */
export function showStatus(rating, text, failed) {
  if (!rating) return;
  rating.status.className = failed ? "mnb-status mnb-bad" : "mnb-status";
  rating.status.textContent = text;
}

/**
 * Show the cover of a song behind the other content of a node.
 * @param {HTMLElement} node
 * @param {Detail} detail
 * @param {number} simulated
 */
export function showCover(node, detail, simulated) {
  node.style.backgroundImage = detail.gradient;
  const url = coverUrl(detail.cover, simulated);
  if (url && !node.querySelector("img")) {
    const image = element("img", { alt: "", loading: "lazy", onerror: () => image.remove() });
    image.src = url;
    node.prepend(image);
  }
}
