// @ts-check
// The gallery in the page: filters, sorts and pages the songs that Python sent.
/** @import { Card, Model, RenderArgs, ViewState } from "../types" */

import { element, isolated } from "../dom.js";
import { SEEK_SECONDS } from "../song_parts/player_bar.js";
import { SongView } from "../song_parts/song_view.js";
import { songCount } from "../song_parts/text.js";
import { createCard, fillCard } from "./card.js";
import { countText, groupLabel, matchingSongs, PAGE_SIZE, START } from "./filter.js";
import { toolbar } from "./toolbar.js";

/** @type {Record<string, number>} */
const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

class GalleryView extends SongView {
  /**
   * @param {Model} model
   * @param {HTMLElement} root
   */
  constructor(model, root) {
    super(model, root);
    /** @type {ViewState} */
    this.state = { ...START, ...model.get("_view") };
    /** @type {Map<number, Card>} cards of the page, by index of the song */
    this.cards = new Map();
    /** @type {number[]} indices of the songs that pass the filters */
    this.matches = [];
    this.resized = new ResizeObserver(() => {
      for (const index of this.cards.keys()) this.player.draw(index);
    });
    this.start();
  }

  close() {
    this.resized.disconnect();
    super.close();
  }

  order() {
    return this.matches;
  }

  /**
   * Turn the page for a song that starts by itself, if the page shows the one before it.
   * @param {number} index
   * @param {number} previous
   */
  reveal(index, previous) {
    if (!this.cards.has(previous) || this.cards.has(index)) return;
    this.change({ page: Math.floor(this.matches.indexOf(index) / PAGE_SIZE) });
  }

  // --- the frame around the cards

  build() {
    const { root, songs } = this;
    root.className = "musicapi-nb-songs musicapi-nb-gallery mathjax_ignore tex2jax_ignore";
    root.dataset.lmSuppressShortcuts = "true"; // else JupyterLab takes 1 to 5 as heading levels
    root.setAttribute("role", "region");
    root.setAttribute("aria-label", songs.heading || "Gallery of songs");
    this.count = element("div", { class: "mnb-count", role: "status" });
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
      this.player.bar.node,
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
    this.requestDetails(page);
    this.saveView({ ...this.state, matches: this.matches.length });
  }

  /**
   * @param {number[]} page
   * @param {number} first index of the page's first song among the matches
   */
  showCards(page, first) {
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
      card.node.addEventListener("focusin", () => this.focused(index));
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
}

export default {
  /** @param {RenderArgs} args */
  render({ model, el }) {
    const view = new GalleryView(model, el);
    return () => view.close();
  },
};
