// @ts-check
// The bar of the song that plays: previous, play, next, its title, waveform, and "Play on".
/** @import { PlayerParts, Songs } from "../types" */

import { element, isolated } from "../dom.js";
import { createWaveform, iconButton, nameOf } from "./controls.js";

/**
 * What the buttons of the bar do.
 * @typedef {object} BarActions
 * @property {(index: number) => void} toggle
 * @property {(index: number, step: number) => void} step play the song after or before it
 * @property {(index: number, event: MouseEvent) => void} seekTo
 * @property {(index: number, seconds: number) => void} seekBy
 * @property {(playOn: boolean) => void} setPlayOn
 */

export const SEEK_SECONDS = 5;

export class PlayerBar {
  /**
   * @param {BarActions} actions
   * @param {boolean} playOn
   */
  constructor(actions, playOn) {
    /** @type {number | null} the song that plays or played last */
    this.index = null;
    /** @type {(act: (index: number) => void) => void} */
    const withSong = (act) => {
      if (this.index !== null) act(this.index);
    };
    const onclick = () => withSong(actions.toggle);
    const button = iconButton("play", { class: "mnb-play", "aria-label": "Play", onclick });
    const canvas = createWaveform("the song that plays", (event) =>
      withSong((index) => actions.seekTo(index, event)),
    );
    canvas.tabIndex = 0;
    const time = element("span", { class: "mnb-time" });
    /** @type {(icon: string, name: string, step: number) => HTMLElement} */
    const stepButton = (icon, name, step) =>
      iconButton(icon, {
        class: "mnb-step",
        "aria-label": name,
        onclick: () => withSong((index) => actions.step(index, step)),
      });
    this.title = element("div", { class: "mnb-bar-title" });
    this.box = element("input", { type: "checkbox" });
    this.box.checked = playOn;
    this.box.addEventListener("change", () => actions.setPlayOn(this.box.checked));
    this.reason = element("div", { class: "mnb-reason", role: "alert" });
    this.node = element(
      "div",
      {
        class: "mnb-player-bar",
        role: "group",
        "aria-label": "Player",
        hidden: true,
        onkeydown: (/** @type {KeyboardEvent} */ event) => this.onKey(event, actions),
      },
      element(
        "div",
        { class: "mnb-bar-controls" },
        stepButton("previous", "Previous song", -1),
        button,
        stepButton("next", "Next song", 1),
        this.title,
        canvas,
        time,
        element("label", { class: "mnb-check" }, this.box, "Play on"),
      ),
      this.reason,
    );
    /** @type {PlayerParts} */
    this.parts = { node: this.node, button, canvas, time, share: 0 };
  }

  /**
   * @param {KeyboardEvent} event
   * @param {BarActions} actions
   */
  onKey(event, actions) {
    const { key, target } = event;
    if (target !== this.parts.canvas || this.index === null) return;
    if (key === "ArrowRight" || key === "ArrowUp") actions.seekBy(this.index, SEEK_SECONDS);
    else if (key === "ArrowLeft" || key === "ArrowDown") actions.seekBy(this.index, -SEEK_SECONDS);
    else if (key === " ") actions.toggle(this.index);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /**
   * Name the song that plays.
   * @param {Songs} songs
   * @param {number} index
   */
  showSong(songs, index) {
    this.index = index;
    this.node.hidden = false;
    this.reason.textContent = "";
    this.title.replaceChildren(isolated(songs.title[index]));
    if (songs.position[index]) {
      this.title.append(element("span", { class: "mnb-quiet" }, ` ${songs.position[index]}`));
    }
    this.parts.canvas?.setAttribute("aria-label", `Position in ${nameOf(songs, index)}`);
  }

  hide() {
    this.index = null;
    this.node.hidden = true;
  }
}
