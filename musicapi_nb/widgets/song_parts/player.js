// @ts-check
// Playing one song of a widget at a time, in the song's own controls and in the player bar.
/** @import { PlayerParts, SongNode, Songs, Store } from "../types" */

import { element } from "../dom.js";
import { nameOf } from "./controls.js";
import { PlayerBar } from "./player_bar.js";
import { blobUrl } from "./store.js";
import { minutes, safeUrl } from "./text.js";
import { drawWaveform } from "./waveform.js";

export const KERNEL_GONE = "The kernel is gone: run the cell again.";
const EVENTS = ["play", "pause", "ended", "loadedmetadata", "timeupdate"];

/**
 * What the player needs of the view; the songs and the store change when the list does.
 * @typedef {object} PlayerView
 * @property {Songs} songs
 * @property {Store} store
 * @property {Map<number, SongNode>} cards
 * @property {import("../types").Model} model
 * @property {(request: object) => boolean} request
 * @property {(changes: object) => void} saveView
 * @property {(index: number, step: number) => number | null} nextOf
 * @property {(index: number, previous: number) => void} reveal
 */

export class Player {
  /** @param {PlayerView} view */
  constructor(view) {
    this.view = view;
    /** @type {number | null} the song that plays, or will once its audio has arrived */
    this.current = null;
    /** @type {Set<number>} songs whose link failed here; Python was asked for their audio */
    this.failedLinks = new Set();
    /** @type {Map<PlayerParts, number>} */
    this.unpainted = new Map();
    this.playOn = view.model.get("_view").playOn ?? true;
    this.bar = new PlayerBar(
      {
        toggle: (index) => this.toggle(index),
        step: (index, step) => this.step(index, step),
        seekTo: (index, event) => this.seekTo(index, event),
        seekBy: (index, seconds) => this.seekBy(index, seconds),
        setPlayOn: (playOn) => {
          this.playOn = playOn;
          this.view.saveView({ playOn });
        },
      },
      this.playOn,
    );
    this.audio = element("audio", { preload: "auto", class: "mnb-audio" });
    for (const name of EVENTS) {
      this.audio.addEventListener(name, () => {
        if (this.current !== null) this.draw(this.current);
      });
    }
    this.audio.addEventListener("ended", () => {
      if (this.playOn && this.current !== null) this.step(this.current, 1);
    });
    this.audio.addEventListener("error", () => this.onError());
    /** @type {(event: Event) => void} */
    this.pauseForOthers = ({ target }) => {
      if (target !== this.audio) this.audio.pause();
    };
    document.addEventListener("play", this.pauseForOthers, true); // any other player on the page
  }

  close() {
    document.removeEventListener("play", this.pauseForOthers, true);
    this.current = null;
    this.audio.pause();
    this.audio.removeAttribute("src");
  }

  hasSource() {
    return Boolean(this.audio.getAttribute("src"));
  }

  /** @param {number} index */
  isPlaying(index) {
    return this.current === index && (!this.hasSource() || !this.audio.paused);
  }

  /** @param {number} index */
  toggle(index) {
    if (this.current === index && !this.audio.paused) this.audio.pause();
    else if (this.current === index && this.hasSource()) this.start();
    else this.play(index);
  }

  /** @param {number} index */
  play(index) {
    const { songs, store, cards } = this.view;
    if (!songs.playable[index] || store.details.get(index)?.no_audio) return;
    this.stop();
    this.current = index;
    this.bar.showSong(songs, index);
    const reason = cards.get(index)?.reason;
    if (reason) reason.textContent = "";
    const link = safeUrl(store.details.get(index)?.url, songs.simulated[index]);
    const blob = blobUrl(store, index);
    if (blob) {
      this.load(blob);
    } else if (link && !this.failedLinks.has(index)) {
      this.load(link);
      if (songs.can_fetch && !store.peaks.has(index)) this.view.request({ type: "peaks", index });
    } else if (!this.view.request({ type: "audio", index })) {
      this.fail(index, `No audio. ${KERNEL_GONE}`);
    }
    this.draw(index);
  }

  /**
   * Play the song after (1) or before (-1) another.
   * @param {number} index
   * @param {number} step
   */
  step(index, step) {
    const next = this.view.nextOf(index, step);
    if (next === null) return;
    this.view.reveal(next, index);
    this.play(next);
  }

  /**
   * Play audio that Python sent, if its song is still wanted.
   * @param {number} index
   */
  audioArrived(index) {
    const url = this.view.store.blobs.get(index);
    if (this.current === index && !this.hasSource() && url) this.load(url);
  }

  /** @param {string} url */
  load(url) {
    this.audio.src = url;
    this.start();
  }

  start() {
    this.audio.play().catch((error) => {
      if (error.name !== "NotAllowedError" || this.current === null) return;
      this.explain(this.current, "The browser blocked automatic playback: press Play again.");
    });
  }

  stop() {
    const previous = this.current;
    this.current = null;
    this.audio.pause();
    this.audio.removeAttribute("src");
    if (previous !== null) this.draw(previous);
  }

  /**
   * Go on with the same song in a new list; stop if it is not in it.
   * @param {(index: number | null) => number | null} moved
   */
  follow(moved) {
    const current = moved(this.current);
    if (current === null) this.stop();
    this.current = current;
    this.failedLinks.clear();
    this.bar.index = moved(this.bar.index);
    if (this.bar.index === null) this.bar.hide();
  }

  onError() {
    const index = this.current;
    if (index === null || !this.hasSource()) return;
    if (this.audio.src.startsWith("blob:")) {
      this.fail(index, "This browser cannot play this audio format.");
      return;
    }
    this.failedLinks.add(index);
    this.audio.removeAttribute("src");
    this.view.request({ type: "audio", index });
  }

  /**
   * @param {number} index
   * @param {string} reason
   */
  fail(index, reason) {
    if (this.current === index) this.stop();
    this.explain(index, reason);
  }

  /**
   * @param {number} index
   * @param {string} reason
   */
  explain(index, reason) {
    const card = this.view.cards.get(index);
    if (card?.reason) card.reason.textContent = reason;
    if (index === this.bar.index) this.bar.reason.textContent = reason;
  }

  /** @param {number} index */
  duration(index) {
    const measured = this.current === index ? this.audio.duration : NaN;
    return Number.isFinite(measured) ? measured : this.view.songs.seconds[index];
  }

  /**
   * @param {number} index
   * @param {MouseEvent} event a click on the waveform
   */
  seekTo(index, event) {
    const box = /** @type {HTMLElement} */ (event.currentTarget).getBoundingClientRect();
    const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    this.seek(index, share * (this.duration(index) ?? 0));
  }

  /**
   * @param {number} index
   * @param {number} seconds
   */
  seekBy(index, seconds) {
    if (this.current === index) this.seek(index, this.audio.currentTime + seconds);
  }

  /**
   * @param {number} index
   * @param {number} seconds
   */
  seek(index, seconds) {
    const go = () => {
      if (this.current !== index) return;
      const end = this.duration(index) ?? 0;
      this.audio.currentTime = Math.min(Math.max(seconds, 0), Math.max(end - 0.1, 0));
    };
    if (this.current !== index) this.play(index);
    if (this.audio.readyState >= 1 && this.hasSource()) go();
    else this.audio.addEventListener("loadedmetadata", go, { once: true });
  }

  /**
   * Show the state of a song's player, also in the bar.
   * @param {number} index
   */
  draw(index) {
    const card = this.view.cards.get(index);
    const isCurrent = this.current === index;
    card?.node.classList.toggle("mnb-playing", isCurrent);
    if (card?.player) this.drawParts(card.player, index, isCurrent);
    if (this.bar.index === index) this.drawParts(this.bar.parts, index, isCurrent);
  }

  /**
   * @param {PlayerParts} parts
   * @param {number} index
   * @param {boolean} isCurrent
   */
  drawParts(parts, index, isCurrent) {
    const { audio } = this;
    const position = isCurrent ? audio.currentTime : 0;
    const end = this.duration(index);
    const isLoading = isCurrent && audio.readyState < 2 && !audio.error;
    const action = isLoading ? "Loading" : isCurrent && !audio.paused ? "Pause" : "Play";
    const label = `${action} ${nameOf(this.view.songs, index)}`;
    if (parts.button.getAttribute("aria-label") !== label) {
      parts.button.dataset.icon = action.toLowerCase();
      parts.button.setAttribute("aria-label", label);
    }
    parts.share = end ? position / end : 0;
    if (parts.time) parts.time.textContent = `${minutes(position)} / ${minutes(end)}`;
    if (!parts.canvas) {
      parts.node.style.setProperty("--mnb-share", String(parts.share));
      return;
    }
    parts.canvas.setAttribute("aria-valuemax", String(Math.round(end ?? 0)));
    parts.canvas.setAttribute("aria-valuenow", String(Math.round(position)));
    parts.canvas.setAttribute("aria-valuetext", `${minutes(position)} of ${minutes(end)}`);
    this.schedulePaint(parts, index);
  }

  /**
   * Paint all waveforms of a frame together: sizes are read before anything is painted, so the
   * page is laid out once.
   * @param {PlayerParts} parts
   * @param {number} index
   */
  schedulePaint(parts, index) {
    if (!this.unpainted.size) requestAnimationFrame(() => this.paint());
    this.unpainted.set(parts, index);
  }

  paint() {
    const paints = [...this.unpainted];
    this.unpainted.clear();
    /** @type {[number, number][]} */
    const sizes = paints.map(([{ canvas }]) => [
      canvas?.clientWidth ?? 0,
      canvas?.clientHeight ?? 0,
    ]);
    paints.forEach(([{ canvas, share }, index], position) => {
      if (canvas) drawWaveform(canvas, sizes[position], this.view.store.peaks.get(index), share);
    });
  }
}
