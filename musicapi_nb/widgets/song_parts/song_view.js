// @ts-check
// Base of the pages that show songs: talks to Python, plays one song at a time, and reports a
// rating as saved only after Python has saved it. A subclass draws the songs.
/** @import { Detail, Measure, Model, Ratings, SongActions, SongNode, Songs } from "../types" */

import { element } from "../dom.js";
import { nameOf, showStars, showStatus } from "./controls.js";
import { showMenu } from "./menu.js";
import { KERNEL_GONE, Player } from "./player.js";
import { bytesOf, download, places, releaseBlobs, storeBlob, storeOf } from "./store.js";

const REPLY_TIMEOUT = 10_000; // ms
const FORM_TIMEOUT = 4_000; // ms
const NOT_SAVED = "May not have been saved.";
const SAVED = { stars: ["rating cleared", "saved"], note: ["note deleted", "saved"] };

/**
 * Return the index of the song that an element belongs to; null if to none.
 * @param {HTMLElement | null} node
 */
export function indexOf(node) {
  const song = /** @type {HTMLElement | null | undefined} */ (node?.closest("[data-index]"));
  return song ? Number(song.dataset.index) : null;
}

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
    /** @type {Set<string>} measured columns whose values are on their way */
    this.requestedValues = new Set();
    this.closed = false;
    this.player = new Player(this);
    this.problem = element("div", { class: "mnb-problem", role: "alert" });
    this.news = element("div", { class: "mnb-news", role: "status" });
    /** @type {number | null} the song whose form was opened here */
    this.formOf = null;
    // Else a key is also a command of the notebook, such as "cut the cell". Jupyter looks at the
    // focused element first, and at the elements around it only if no command is for that one.
    root.addEventListener("focusin", ({ target }) => {
      /** @type {HTMLElement} */ (target).dataset.lmSuppressShortcuts = "true";
    });
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
      openMenu: (index) => this.openMenu(index),
    };
  }

  start() {
    this.build();
    this.listen();
    this.show();
    this.checkOutdated();
  }

  // --- what a subclass draws

  /** Draw everything around the songs; `player.audio`, `player.bar.node`, `problem`, `news` go in. */
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
    this.onOutdated = () => this.checkOutdated();
    this.model.on("msg:custom", this.onMessage);
    this.model.on("change:_ratings", this.onRatings);
    this.model.on("change:_songs", this.onSongs);
    this.model.on("change:_outdated", this.onOutdated);
  }

  close() {
    this.model.off("msg:custom", /** @type {any} */ (this.onMessage));
    this.model.off("change:_ratings", /** @type {any} */ (this.onRatings));
    this.model.off("change:_songs", /** @type {any} */ (this.onSongs));
    this.model.off("change:_outdated", /** @type {any} */ (this.onOutdated));
    this.visible.disconnect();
    this.closed = true;
    for (const [index, timer] of this.timers) {
      clearTimeout(timer);
      this.say(index, `${NOT_SAVED} ${KERNEL_GONE}`, true);
    }
    this.player.close();
    this.store.views -= 1;
    if (!this.store.views) releaseBlobs(this.store);
  }

  /** Draw everything again, for a new list of songs; what plays goes on, the focus stays. */
  renew() {
    const active = /** @type {HTMLElement | null} */ (document.activeElement);
    const hadFocus = this.root.contains(active);
    const focused = indexOf(active);
    const before = this.songs;
    this.songs = this.model.get("_songs");
    this.requestedValues.clear();
    this.store = storeOf(this.model);
    const moved = places(before.key, this.songs.key);
    this.player.follow(moved);
    this.root.replaceChildren();
    this.problem.textContent = "";
    this.news.replaceChildren();
    this.build();
    this.show();
    // Without the focus, the next key would be a command of the notebook.
    if (hadFocus) this.focusSong(moved(focused));
    this.checkOutdated();
  }

  /**
   * Focus a song, or the first one if it is not on the page.
   * @param {number | null} index
   */
  focusSong(index) {
    const card = index === null ? undefined : this.cards.get(index);
    const [first] = this.cards.values();
    (card ?? first)?.node.focus({ preventScroll: true });
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
   * Request the values of a measured column, unless they are on their way.
   * @param {string} name
   */
  requestValues(name) {
    if (this.requestedValues.has(name)) return;
    this.requestedValues.add(name);
    this.request({ type: "values", name });
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

  // --- menu

  /** @param {number} index */
  openMenu(index) {
    const button = this.cards.get(index)?.menu;
    const detail = this.store.details.get(index);
    if (!button || !detail) return;
    const stars = this.cards.get(index)?.rating ? (this.ratings[index]?.[0] ?? 0) : -1;
    showMenu(button, nameOf(this.songs, index), this.menuItems(index, detail), stars, {
      choose: (action) => this.choose(index, action),
      rate: (number) => this.rate(index, { stars: number }),
    });
  }

  /**
   * Return the items of a song's menu; a subclass may add some and do them in `choose`.
   * @param {number} _index
   * @param {Detail} detail
   */
  menuItems(_index, detail) {
    return detail.menu;
  }

  /**
   * Do what a menu item says. Items that cost credits open a form, whose button buys.
   * @param {number} index
   * @param {string} action
   */
  choose(index, action) {
    const type = action === "save" || action === "code" ? action : "form";
    if (type === "form") this.formOf = index;
    const isSent = this.request({ type, index, action });
    this.say(index, isSent ? (type === "save" ? "fetching…" : "") : KERNEL_GONE, !isSent);
  }

  /**
   * Say something about a song.
   * @param {number} index
   * @param {string} text
   * @param {boolean} failed
   */
  say(index, text, failed) {
    const rating = this.cards.get(index)?.rating;
    if (rating) showStatus(rating, text, failed);
    else this.problem.textContent = failed ? text : "";
  }

  /**
   * Show the form that Python has opened below the songs.
   * @param {number} index
   * @param {string} code
   */
  showForm(index, code) {
    if (this.formOf !== index) return; // another view opened it
    this.formOf = null;
    const end = performance.now() + FORM_TIMEOUT;
    const look = () => {
      const place = document.querySelector(`.${this.songs.forms}`);
      // The song is chosen: its search box would open a list of others.
      const field = /** @type {HTMLElement | null | undefined} */ (
        place?.querySelector("input:not([role=combobox]), textarea, select") ??
          place?.querySelector("input")
      );
      if (place && field) {
        place.scrollIntoView({ block: "start", behavior: "smooth" });
        field.focus({ preventScroll: true });
      } else if (performance.now() < end) requestAnimationFrame(look);
      else this.say(index, `The form is not shown here. Run ${code}`, true);
    };
    look();
  }

  /**
   * @param {number} index
   * @param {string} code
   */
  async copy(index, code) {
    try {
      await navigator.clipboard.writeText(code);
      this.say(index, "copied", false);
    } catch {
      this.say(index, code, true); // the page may not write to the clipboard
    }
  }

  // --- news

  checkOutdated() {
    if (this.model.get("_outdated") === this.songs.generation) this.announce();
  }

  /** Show new songs, or offer to if somebody is writing or choosing something. */
  announce() {
    const active = document.activeElement;
    const isBusy = this.root.contains(active) && active?.matches("input, select, [role=menu] *");
    if (!isBusy && !this.timers.size) {
      this.request({ type: "refresh" });
      return;
    }
    const onclick = () => this.request({ type: "refresh" });
    const button = element("button", { type: "button", onclick }, "Show");
    this.news.replaceChildren("There are new songs. ", button);
  }

  // --- rating

  /**
   * @param {number} index
   * @param {{ stars?: number, note?: string }} rating
   */
  rate(index, rating) {
    if (!this.cards.get(index)?.rating) return;
    clearTimeout(this.timers.get(index));
    if (!this.request({ type: "rate", index, ...rating })) {
      this.say(index, `${NOT_SAVED} ${KERNEL_GONE}`, true);
      return;
    }
    this.say(index, "saving…", false);
    const onTimeout = () => {
      this.say(index, `No reply from the kernel. ${NOT_SAVED}`, true);
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
    this.say(index, text, failed);
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
      this.requestedValues.delete(request?.name);
      if (request?.type === "rate") this.ratingAnswered(request.index, message.message, true);
      return;
    }
    if (message.generation !== this.songs.generation) return;
    if (type === "page") this.receiveDetails(message.details);
    else if (type === "notes") this.receiveNotes(message.notes);
    else if (type === "measured") this.receiveMeasured(message);
    else if (type === "values") {
      this.requestedValues.delete(message.name);
      this.songs.values = { ...this.songs.values, [message.name]: message.values };
      this.valuesArrived();
    } else if (type === "form") this.showForm(index, message.code);
    else if (type === "code") this.copy(index, message.code);
    else if (type === "save") {
      download(message.name, message.media_type, bytesOf(buffers[0]));
      this.say(index, "saved to your downloads", false);
    } else if (type === "audio") {
      storeBlob(this.store, index, message.media_type, bytesOf(buffers[0]));
      this.player.audioArrived(index);
    } else if (type === "peaks") {
      const bytes = bytesOf(buffers[0]).slice(); // aligned to the four bytes of a float
      this.store.peaks.set(index, new Float32Array(bytes.buffer));
      this.player.draw(index);
    } else if (type === "no_audio") this.player.fail(index, message.message);
    else if (type === "not_saved") this.say(index, message.message, true);
    else if (type === "rating") this.receiveRating(message);
  }

  /** @param {Record<string, Detail>} details */
  receiveDetails(details) {
    const { measured } = this.model.get("_songs");
    let isNew = false;
    for (const [key, detail] of Object.entries(details)) {
      const index = Number(key);
      this.store.details.set(index, detail);
      isNew ||= detail.measured !== (measured[key] ?? "");
      measured[key] = detail.measured;
      this.fill(index);
      const node = this.cards.get(index)?.node;
      if (node) {
        this.visible.unobserve(node); // observe again, so that a visible card requests its peaks
        this.visible.observe(node);
      }
    }
    if (isNew) this.measuredChanged();
  }

  /**
   * Take over what was measured since the songs were read, and columns to sort by.
   * @param {{ measures: Measure[], measured: Record<string, string> }} message
   */
  receiveMeasured({ measures, measured }) {
    const songs = this.model.get("_songs");
    const names = (/** @type {Measure[]} */ list) => list.map(({ name }) => name).join();
    const withColumns = names(measures) !== names(songs.measures);
    Object.assign(songs, { measures, measured: { ...songs.measured, ...measured } });
    this.measuresArrived(withColumns);
    if (Object.keys(measured).length) this.measuredChanged();
  }

  /**
   * There are new measured values, also of songs that are not on the page.
   * @param {boolean} _withColumns whether there are other columns to sort by
   */
  measuresArrived(_withColumns) {}

  /** Lines of measured values on the page have changed. */
  measuredChanged() {}

  /** The values of a measured column are here. */
  valuesArrived() {}

  /**
   * Show notes that were written elsewhere.
   * @param {Record<string, string>} notes
   */
  receiveNotes(notes) {
    for (const [key, note] of Object.entries(notes)) {
      const detail = this.store.details.get(Number(key));
      if (detail) detail.note = note;
      const input = this.cards.get(Number(key))?.rating?.note;
      if (input && document.activeElement !== input) input.value = note;
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
