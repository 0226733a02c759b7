// @ts-check
// Base of the pages that show songs: talks to Python, plays one song at a time, and reports a
// rating as saved only after Python has saved it. A subclass draws the songs.
/** @import { Detail, Model, Ratings, SongActions, SongNode, Songs } from "../types" */

import { element } from "../dom.js";
import { showStars, showStatus } from "./controls.js";
import { KERNEL_GONE, Player } from "./player.js";
import { bytesOf, releaseBlobs, storeBlob, storeOf } from "./store.js";

const REPLY_TIMEOUT = 10_000; // ms
const NOT_SAVED = "May not have been saved.";
const SAVED = { stars: ["rating cleared", "saved"], note: ["note deleted", "saved"] };

export class SongView {
  /**
   * A subclass calls `start` at the end of its own constructor.
   * @param {Model} model
   * @param {HTMLElement} root
   */
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.store = storeOf(model);
    this.store.views += 1;
    /** @type {Songs} */
    this.songs = model.get("_songs");
    /** @type {Map<number, SongNode>} songs of the page, by index */
    this.cards = new Map();
    /** @type {Map<number, ReturnType<typeof setTimeout>>} ratings without a reply */
    this.timers = new Map();
    /** @type {Map<number, string>} notes without a reply */
    this.sentNotes = new Map();
    this.closed = false;
    // The attribute on the root does not suffice: JupyterLab looks for it from the focused element
    // upwards, only until a shortcut's selector matches, and `:focus` matches that element.
    root.addEventListener("focusin", ({ target }) => {
      if (target instanceof HTMLElement) target.dataset.lmSuppressShortcuts = "true";
    });
    this.player = new Player(this);
    this.problem = element("div", { class: "mnb-problem", role: "alert" });
    this.visible = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        if (isIntersecting) {
          this.requestPeaks(Number(/** @type {HTMLElement} */ (target).dataset.index));
        }
      }
    });
    /** @type {SongActions} */
    this.actions = {
      toggle: (index) => this.player.toggle(index),
      seekTo: (index, event) => this.player.seekTo(index, event),
      rate: (index, rating) => this.rate(index, rating),
      noteChanged: (index) => this.noteChanged(index),
    };
  }

  start() {
    this.build();
    this.listen();
    this.show();
  }

  // --- what a subclass draws

  /** Draw everything around the songs; `player.audio`, `player.bar.node` and `problem` go in. */
  build() {}

  /** Draw the songs into `cards`; `player` and `rating` of each are kept up to date from here. */
  show() {}

  /**
   * Show the details that have arrived, if the song is on the page.
   * @param {number} _index
   */
  fill(_index) {}

  /**
   * Return the songs in the order in which they are played.
   * @returns {number[]}
   */
  order() {
    return this.songs.title.map((_, index) => index);
  }

  /**
   * Make room for a song that starts by itself, such as by turning the page.
   * @param {number} _index
   * @param {number} _previous the song that has ended
   */
  reveal(_index, _previous) {}

  // --- requests

  /** @returns {Ratings} */
  get ratings() {
    return this.model.get("_ratings");
  }

  /**
   * Keep part of the view's state, so that another view of the widget starts with it.
   * @param {object} changes
   */
  saveView(changes) {
    this.model.set("_view", { ...this.model.get("_view"), ...changes });
    this.model.save_changes();
  }

  /**
   * Send a request; return whether it was sent. A model whose kernel is gone throws, or sends
   * into nothing.
   * @param {object} request
   */
  request(request) {
    if (this.closed) return false;
    try {
      this.model.send({ ...request, generation: this.songs.generation });
    } catch {
      return false;
    }
    return true;
  }

  listen() {
    /** @type {(message: any, buffers?: DataView<ArrayBuffer>[]) => void} */
    this.onMessage = (message, buffers) => this.receive(message, buffers ?? []);
    this.onRatings = () => {
      for (const index of this.cards.keys()) this.showRating(index);
    };
    this.onSongs = () => this.renew();
    this.model.on("msg:custom", this.onMessage);
    this.model.on("change:_ratings", this.onRatings);
    this.model.on("change:_songs", this.onSongs);
  }

  close() {
    this.model.off("msg:custom", /** @type {any} */ (this.onMessage));
    this.model.off("change:_ratings", /** @type {any} */ (this.onRatings));
    this.model.off("change:_songs", /** @type {any} */ (this.onSongs));
    this.visible.disconnect();
    this.closed = true;
    for (const [index, timer] of this.timers) {
      clearTimeout(timer);
      showStatus(this.cards.get(index)?.rating, `${NOT_SAVED} ${KERNEL_GONE}`, true);
    }
    this.player.close();
    this.store.views -= 1;
    if (!this.store.views) releaseBlobs(this.store);
  }

  /** Draw everything again, for a new list of songs. */
  renew() {
    this.player.reset();
    this.songs = this.model.get("_songs");
    this.store = storeOf(this.model);
    this.root.replaceChildren();
    this.problem.textContent = "";
    this.build();
    this.show();
  }

  /**
   * Request the details of songs that have not arrived.
   * @param {number[]} indices
   */
  requestDetails(indices) {
    const missing = indices.filter((index) => !this.store.details.has(index));
    if (missing.length) this.request({ type: "page", indices: missing });
  }

  /**
   * Request the waveform of a song that is in the library.
   * @param {number} index
   */
  requestPeaks(index) {
    const detail = this.store.details.get(index);
    if (detail?.audio !== "file" || this.store.peaks.has(index)) return;
    this.store.peaks.set(index, null); // requested
    this.request({ type: "peaks", index });
  }

  // --- playing on

  /**
   * Return the next (step 1) or previous (step -1) song that can be played; null if none is left.
   * @param {number} index
   * @param {number} step
   */
  nextOf(index, step) {
    const order = this.order();
    let position = order.indexOf(index) + step;
    while (position >= 0 && position < order.length) {
      const next = order[position];
      if (this.songs.playable[next] && !this.store.details.get(next)?.no_audio) return next;
      position += step;
    }
    return null;
  }

  // --- rating

  /**
   * @param {number} index
   * @param {{ stars?: number, note?: string }} rating
   */
  rate(index, rating) {
    const parts = this.cards.get(index)?.rating;
    if (!parts) return;
    clearTimeout(this.timers.get(index));
    if (!this.request({ type: "rate", index, ...rating })) {
      showStatus(parts, `${NOT_SAVED} ${KERNEL_GONE}`, true);
      return;
    }
    showStatus(parts, "saving…", false);
    const onTimeout = () => {
      const text = `No reply from the kernel. ${NOT_SAVED}`;
      showStatus(this.cards.get(index)?.rating, text, true);
    };
    this.timers.set(index, setTimeout(onTimeout, REPLY_TIMEOUT));
  }

  /** @param {number} index */
  noteChanged(index) {
    const note = this.cards.get(index)?.rating?.note?.value;
    const sent = this.sentNotes.get(index) ?? this.store.details.get(index)?.note ?? "";
    if (note === undefined || note.trim() === sent) return;
    this.sentNotes.set(index, note.trim());
    this.rate(index, { note });
  }

  /** @param {number} index */
  showRating(index) {
    showStars(this.cards.get(index)?.rating, this.ratings[index]?.[0] ?? 0);
  }

  /**
   * @param {number} index
   * @param {string} text
   * @param {boolean} failed
   */
  ratingAnswered(index, text, failed) {
    clearTimeout(this.timers.get(index));
    this.timers.delete(index);
    showStatus(this.cards.get(index)?.rating, text, failed);
  }

  // --- messages of Python

  /**
   * @param {any} message
   * @param {DataView<ArrayBuffer>[]} buffers
   */
  receive(message, buffers) {
    const { type, index } = message;
    if (type === "problem") {
      this.problem.textContent = message.message;
      const request = message.request;
      if (request?.type === "rate") this.ratingAnswered(request.index, message.message, true);
      return;
    }
    if (message.generation !== this.songs.generation) return;
    if (type === "page") this.receiveDetails(message.details);
    else if (type === "audio") {
      storeBlob(this.store, index, message.media_type, bytesOf(buffers[0]));
      this.player.audioArrived(index);
    } else if (type === "peaks") {
      const bytes = bytesOf(buffers[0]).slice(); // aligned to the four bytes of a float
      this.store.peaks.set(index, new Float32Array(bytes.buffer));
      this.player.draw(index);
    } else if (type === "no_audio") this.player.fail(index, message.message);
    else if (type === "rating") this.receiveRating(message);
  }

  /** @param {Record<string, Detail>} details */
  receiveDetails(details) {
    for (const [key, detail] of Object.entries(details)) {
      const index = Number(key);
      this.store.details.set(index, detail);
      this.fill(index);
      const node = this.cards.get(index)?.node;
      if (node) {
        this.visible.unobserve(node); // observe again, so that a visible card requests its peaks
        this.visible.observe(node);
      }
    }
  }

  /** @param {{ index: number, note: string, problem: string, field: "note" | "stars", mark: number[] }} rating */
  receiveRating({ index, note, problem, field, mark }) {
    const detail = this.store.details.get(index);
    if (detail) detail.note = note;
    if (field === "note") this.sentNotes.delete(index);
    const input = this.cards.get(index)?.rating?.note;
    if (input && (field === "note" || document.activeElement !== input)) input.value = note;
    const suffix = this.songs.library ? "" : " for this session";
    const saved = SAVED[field][Number(field === "note" ? note !== "" : mark[0] > 0)];
    this.ratingAnswered(index, problem || `${saved}${suffix}`, Boolean(problem));
    this.showRating(index);
  }
}
