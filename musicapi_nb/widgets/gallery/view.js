// @ts-check
// The gallery in the page: filters, sorts and pages the songs that Python sent, plays one at a
// time, and reports a rating as saved only after Python has saved it.
/** @import { Card, CardActions, Detail, Model, Ratings, RenderArgs, ViewState } from "../types" */

import { element, isolated } from "../dom.js";
import { createCard, fillCard, showStars, showStatus } from "./card.js";
import { countText, groupLabel, matchingSongs, PAGE_SIZE, START } from "./filter.js";
import { KERNEL_GONE, Player } from "./player.js";
import { bytesOf, releaseBlobs, storeBlob, storeOf } from "./store.js";
import { songCount } from "./text.js";
import { toolbar } from "./toolbar.js";

const SEEK_SECONDS = 5;
const REPLY_TIMEOUT = 10_000; // ms
const NOT_SAVED = "May not have been saved.";
/** @type {Record<string, number>} */
const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

class GalleryView {
  /**
   * @param {Model} model
   * @param {HTMLElement} root
   */
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.store = storeOf(model);
    this.store.views += 1;
    this.songs = model.get("_songs");
    /** @type {ViewState} */
    this.state = { ...START, ...model.get("_view") };
    /** @type {Map<number, Card>} cards of the page, by index of the song */
    this.cards = new Map();
    /** @type {number[]} indices of the songs that pass the filters */
    this.matches = [];
    /** @type {Map<number, ReturnType<typeof setTimeout>>} ratings without a reply */
    this.timers = new Map();
    /** @type {Map<number, string>} notes without a reply */
    this.sentNotes = new Map();
    this.closed = false;
    this.player = new Player(this);
    this.visible = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        if (isIntersecting) {
          this.requestPeaks(Number(/** @type {HTMLElement} */ (target).dataset.index));
        }
      }
    });
    this.resized = new ResizeObserver(() => {
      for (const index of this.cards.keys()) this.player.draw(index);
    });
    /** @type {CardActions} */
    this.actions = {
      focused: (index) => this.focused(index),
      toggle: (index) => this.player.toggle(index),
      seekTo: (index, event) => this.player.seekTo(index, event),
      rate: (index, rating) => this.rate(index, rating),
      noteChanged: (index) => this.noteChanged(index),
    };
    this.build();
    this.listen();
    this.show();
  }

  /** @returns {Ratings} */
  get ratings() {
    return this.model.get("_ratings");
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
    this.resized.disconnect();
    this.closed = true;
    for (const [index, timer] of this.timers) {
      clearTimeout(timer);
      showStatus(this.cards.get(index), `${NOT_SAVED} ${KERNEL_GONE}`, true);
    }
    this.player.close();
    this.store.views -= 1;
    if (!this.store.views) releaseBlobs(this.store);
  }

  renew() {
    this.player.stop();
    this.player.failedLinks.clear();
    this.songs = this.model.get("_songs");
    this.store = storeOf(this.model);
    this.root.replaceChildren();
    this.build();
    this.show();
  }

  // --- the frame around the cards

  build() {
    const { root, songs } = this;
    root.className = "musicapi-nb-gallery mathjax_ignore tex2jax_ignore";
    root.dataset.lmSuppressShortcuts = "true"; // else JupyterLab takes 1 to 5 as heading levels
    root.setAttribute("role", "region");
    root.setAttribute("aria-label", songs.heading || "Gallery of songs");
    this.count = element("div", { class: "mnb-count", role: "status" });
    this.problem = element("div", { class: "mnb-problem", role: "alert" });
    this.list = element("div", {
      class: "mnb-list",
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.onKey(event),
    });
    this.tools = this.createTools();
    this.pagers = [this.pager(false), this.pager(true)];
    const [top, bottom] = this.pagers;
    root.append(
      songs.heading ? element("div", { class: "mnb-heading" }, isolated(songs.heading)) : "",
      this.tools,
      element("div", { class: "mnb-bar" }, this.count, top.node),
      this.problem,
      this.list,
      element("div", { class: "mnb-bar mnb-bottom" }, this.help(), bottom.node),
      this.player.audio,
    );
    this.resized.observe(this.list);
  }

  createTools() {
    const tools = toolbar(this.songs, this.state, (changes) => this.change(changes));
    tools.append(
      element("button", { type: "button", onclick: () => this.clearFilters() }, "Clear filters"),
    );
    if (this.songs.refreshable) {
      const refresh = () => this.request({ type: "refresh" });
      tools.append(element("button", { type: "button", onclick: refresh }, "Refresh"));
    }
    return tools;
  }

  help() {
    const { library } = this.songs;
    const storage = library
      ? element("span", {}, "Ratings and notes are saved in ", isolated(library), ".")
      : "No library: ratings and notes are kept until the kernel ends.";
    const keys =
      "Keys on a song: space plays, arrows move between songs, shift+arrows seek, " +
      "1 to 5 rate, 0 clears the rating.";
    return element(
      "div",
      { class: "mnb-quiet" },
      element("div", {}, storage),
      element("div", {}, keys),
    );
  }

  /** @param {boolean} atBottom */
  pager(atBottom) {
    /** @type {(pages: number) => () => void} */
    const turn = (pages) => () => {
      this.change({ page: this.state.page + pages });
      if (atBottom) this.root.scrollIntoView({ block: "start" });
    };
    const previous = element("button", { type: "button", onclick: turn(-1) }, "Previous");
    const next = element("button", { type: "button", onclick: turn(1) }, "Next");
    const label = element("span", { class: "mnb-page" });
    const attributes = { class: "mnb-pager", "aria-label": "Pages" };
    return { node: element("nav", attributes, previous, label, next), previous, next, label };
  }

  clearFilters() {
    this.state = { ...START };
    const tools = this.createTools();
    this.tools?.replaceWith(tools);
    this.tools = tools;
    this.show();
  }

  /** @param {Partial<ViewState>} changes */
  change(changes) {
    this.state = { ...this.state, ...changes };
    this.show();
  }

  // --- a page of cards

  show() {
    this.matches = matchingSongs(this.songs, this.ratings, this.state);
    const last = Math.max(Math.ceil(this.matches.length / PAGE_SIZE) - 1, 0);
    this.state.page = Math.min(Math.max(this.state.page, 0), last);
    const first = this.state.page * PAGE_SIZE;
    const page = this.matches.slice(first, first + PAGE_SIZE);
    if (this.count) {
      this.count.textContent = countText(this.songs, this.matches.length, first, page.length);
    }
    for (const { previous, next, label } of this.pagers ?? []) {
      previous.disabled = this.state.page === 0;
      next.disabled = this.state.page === last;
      label.textContent = `Page ${this.state.page + 1} of ${last + 1}`;
    }
    this.showCards(page, first);
    const missing = page.filter((index) => !this.store.details.has(index));
    if (missing.length) this.request({ type: "page", indices: missing });
    this.model.set("_view", { ...this.state, matches: this.matches.length });
    this.model.save_changes();
  }

  /**
   * @param {number[]} page
   * @param {number} first index of the page's first song among the matches
   */
  showCards(page, first) {
    const { current } = this.player;
    if (current !== null && !page.includes(current)) this.player.stop();
    this.visible.disconnect();
    this.cards.clear();
    const nodes = [];
    let group = null;
    for (const [position, index] of page.entries()) {
      if (this.state.group) {
        const label = groupLabel(this.songs, this.ratings, this.state, index);
        if (label !== group) nodes.push(this.groupHeader(label, position === 0 && first > 0));
        group = label;
      }
      const card = createCard(this.songs, index, this.actions);
      this.cards.set(index, card);
      nodes.push(card.node);
    }
    this.list?.replaceChildren(...nodes);
    for (const [index, { node }] of this.cards) {
      node.tabIndex = index === page[0] ? 0 : -1;
      this.showRating(index);
      this.fill(index);
      this.visible.observe(node);
    }
  }

  /**
   * @param {string} label
   * @param {boolean} startsPage
   */
  groupHeader(label, startsPage) {
    /** @type {(index: number) => boolean} */
    const inGroup = (index) => groupLabel(this.songs, this.ratings, this.state, index) === label;
    const number = this.matches.filter(inGroup).length;
    const before = this.matches[this.state.page * PAGE_SIZE - 1];
    const continued = startsPage && before !== undefined && inGroup(before) ? ", continued" : "";
    return element(
      "div",
      { class: "mnb-group", role: "heading", "aria-level": "3" },
      isolated(label),
      element("span", { class: "mnb-quiet" }, ` ${songCount(number)}${continued}`),
    );
  }

  /** @param {number} index */
  fill(index) {
    const card = this.cards.get(index);
    const detail = this.store.details.get(index);
    if (!card) return;
    this.player.draw(index);
    if (detail) fillCard(card, detail, this.songs.state[index], this.songs.simulated[index]);
  }

  /** @param {number} index */
  focused(index) {
    for (const [position, { node }] of this.cards) node.tabIndex = position === index ? 0 : -1;
  }

  /** @param {number} index */
  requestPeaks(index) {
    const detail = this.store.details.get(index);
    if (detail?.audio !== "file" || this.store.peaks.has(index)) return;
    this.store.peaks.set(index, null); // requested
    this.request({ type: "peaks", index });
  }

  // --- keys

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    const node = /** @type {HTMLElement | null} */ (target.closest(".mnb-card"));
    if (!node || event.ctrlKey || event.altKey || event.metaKey) return;
    if (target.matches("input, select, textarea")) return;
    const index = Number(node.dataset.index);
    const { key, shiftKey, repeat } = event;
    if (key in STEPS) {
      const step = STEPS[key];
      if (shiftKey || target.matches("canvas")) this.player.seekBy(index, SEEK_SECONDS * step);
      else this.move(index, step);
    } else if (key === " " && !target.matches("button:not(.mnb-play), summary")) {
      if (!repeat) this.player.toggle(index);
    } else if (/^[0-5]$/.test(key)) {
      if (!repeat) this.rate(index, { stars: Number(key) });
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /**
   * Focus the previous or next song, across pages; keep playing if this one plays.
   * @param {number} index
   * @param {number} step
   */
  move(index, step) {
    const position = this.matches.indexOf(index) + step;
    if (position < 0 || position >= this.matches.length) return;
    const wasPlaying = this.player.isPlaying(index);
    const page = Math.floor(position / PAGE_SIZE);
    if (page !== this.state.page) this.change({ page });
    const next = this.matches[position];
    const card = this.cards.get(next);
    card?.node.focus();
    if (wasPlaying && card?.player) this.player.play(next);
  }

  // --- rating

  /**
   * @param {number} index
   * @param {{ stars?: number, note?: string }} rating
   */
  rate(index, rating) {
    const card = this.cards.get(index);
    if (!card?.rating) return;
    clearTimeout(this.timers.get(index));
    if (!this.request({ type: "rate", index, ...rating })) {
      showStatus(card, `${NOT_SAVED} ${KERNEL_GONE}`, true);
      return;
    }
    showStatus(card, "saving…", false);
    const onTimeout = () => {
      showStatus(this.cards.get(index), `No reply from the kernel. ${NOT_SAVED}`, true);
    };
    this.timers.set(index, setTimeout(onTimeout, REPLY_TIMEOUT));
  }

  /** @param {number} index */
  noteChanged(index) {
    const note = this.cards.get(index)?.rating?.note.value;
    const sent = this.sentNotes.get(index) ?? this.store.details.get(index)?.note ?? "";
    if (note === undefined || note.trim() === sent) return;
    this.sentNotes.set(index, note.trim());
    this.rate(index, { note });
  }

  /** @param {number} index */
  showRating(index) {
    const card = this.cards.get(index);
    if (card) showStars(card, this.ratings[index]?.[0] ?? 0);
  }

  /**
   * @param {number} index
   * @param {string} text
   * @param {boolean} failed
   */
  ratingAnswered(index, text, failed) {
    clearTimeout(this.timers.get(index));
    this.timers.delete(index);
    showStatus(this.cards.get(index), text, failed);
  }

  // --- messages of Python

  /**
   * @param {any} message
   * @param {DataView<ArrayBuffer>[]} buffers
   */
  receive(message, buffers) {
    const { type, index } = message;
    if (type === "problem") {
      if (this.problem) this.problem.textContent = message.message;
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

  /** @param {{ index: number, note: string, problem: string, field: string, mark: number[] }} rating */
  receiveRating({ index, note, problem, field, mark }) {
    const detail = this.store.details.get(index);
    if (detail) detail.note = note;
    if (field === "note") this.sentNotes.delete(index);
    const input = this.cards.get(index)?.rating?.note;
    if (input && (field === "note" || document.activeElement !== input)) input.value = note;
    this.ratingAnswered(index, problem || this.savedText(field, note, mark), Boolean(problem));
    this.showRating(index);
  }

  /**
   * @param {string} field
   * @param {string} note
   * @param {number[]} mark
   */
  savedText(field, note, mark) {
    const suffix = this.songs.library ? "" : " for this session";
    if (field === "note") return `${note ? "note saved" : "note removed"}${suffix}`;
    return `${mark[0] ? "saved" : "rating cleared"}${suffix}`;
  }
}

export default {
  /** @param {RenderArgs} args */
  render({ model, el }) {
    const view = new GalleryView(model, el);
    return () => view.close();
  },
};
