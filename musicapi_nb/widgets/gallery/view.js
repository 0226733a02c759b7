// @ts-check
// The gallery in the page: filters, sorts and pages the songs that Python sent.
/** @import { Card, Detail, MenuItem, Model, RenderArgs, ViewState } from "../types" */

import { element, isolated } from "../dom.js";
import { SEEK_SECONDS } from "../song_parts/player_bar.js";
import { indexOf, SongView } from "../song_parts/song_view.js";
import { songCount } from "../song_parts/text.js";
import { createCard, createRow, fillCard, setStops, showMeasured } from "./card.js";
import {
  countText,
  groupLabel,
  isList,
  matchingSongs,
  measureOfSort,
  PAGE_SIZE,
  START,
} from "./filter.js";
import { showInPlace } from "./in_place.js";
import { toolbar } from "./toolbar.js";

/** @type {Record<string, number>} */
const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
const DETAILS = { action: "details", label: "Lyrics and note", price: "", reason: "" };

class GalleryView extends SongView {
  /**
   * @param {Model} model
   * @param {HTMLElement} root
   */
  constructor(model, root) {
    super(model, root);
    const start = this.songs.toolbar ? START : { ...START, sort: "order" };
    /** @type {ViewState} */
    this.state = { ...start, ...model.get("_view") };
    /** @type {Set<number>} songs of the list that are shown as cards */
    this.opened = new Set();
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

  renew() {
    const opened = [...this.opened].map((index) => this.songs.key[index]);
    const keys = this.model.get("_songs").key;
    this.opened = new Set(opened.map((key) => keys.indexOf(key)));
    super.renew();
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
    root.setAttribute("role", "region");
    root.setAttribute("aria-label", songs.heading || "Songs");
    this.count = element("div", { class: "mnb-count", role: "status" });
    this.list = element("div", {
      class: "mnb-list",
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.onKey(event),
    });
    this.tools = songs.toolbar ? this.createTools() : element("div");
    const onclick = () => this.clearFilters();
    this.clear = element("button", { type: "button", onclick }, "Clear filters");
    this.layouts = this.createLayouts();
    this.pagers = [this.pager(false), this.pager(true)];
    const [top, bottom] = this.pagers;
    const views = element("div", { class: "mnb-views" }, this.layouts.node, top.node);
    root.append(
      songs.heading ? element("div", { class: "mnb-heading" }, isolated(songs.heading)) : "",
      this.tools,
      songs.toolbar ? element("div", { class: "mnb-bar" }, this.count, this.clear, views) : "",
      this.problem,
      this.news,
      this.list,
      this.player.bar.node,
      element("div", { class: "mnb-bar" }, this.help(), bottom.node),
      this.player.audio,
    );
    this.resized.observe(this.list);
  }

  createTools() {
    const tools = toolbar(this.songs, this.state, (changes) => this.change(changes));
    if (this.songs.refreshable) {
      const refresh = () => this.request({ type: "refresh" });
      tools.append(element("button", { type: "button", onclick: refresh }, "Refresh"));
    }
    return tools;
  }

  createLayouts() {
    /** @type {(layout: string, label: string) => HTMLButtonElement} */
    const button = (layout, label) =>
      element("button", { type: "button", onclick: () => this.change({ layout }) }, label);
    const list = button("list", "List");
    const cards = button("cards", "Cards");
    const attributes = { class: "mnb-layouts", role: "group", "aria-label": "Layout" };
    return { node: element("div", attributes, list, cards), list, cards };
  }

  help() {
    const { library } = this.songs;
    if (library && this.model.get("_in_place")) return ""; // not below the songs of every output
    const storage = library
      ? ["Saved in the library “", isolated(library), "”. "]
      : ["No library: ratings and notes are kept until the kernel ends. "];
    const keys = "Keys: Space play, arrows move, Shift+←→ seek, 1–5 rate, 0 clear, M menu.";
    return element("div", { class: "mnb-quiet" }, ...storage, keys);
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
    const name = atBottom ? "Pages, at the end" : "Pages";
    const node = element("nav", { class: "mnb-pager", "aria-label": name }, previous, label, next);
    return { node, previous, next, label };
  }

  renewTools() {
    const tools = this.createTools();
    this.tools?.replaceWith(tools);
    this.tools = tools;
  }

  clearFilters() {
    this.state = { ...START, layout: this.state.layout };
    this.renewTools();
    this.show();
  }

  /** @param {Partial<ViewState>} changes */
  change(changes) {
    this.state = { ...this.state, ...changes };
    this.show();
  }

  // --- a page of cards

  show() {
    this.matches = matchingSongs(this.songs, this.ratings, this.readyState());
    const last = Math.max(Math.ceil(this.matches.length / PAGE_SIZE) - 1, 0);
    this.state.page = Math.min(Math.max(this.state.page, 0), last);
    const first = this.state.page * PAGE_SIZE;
    const page = this.matches.slice(first, first + PAGE_SIZE);
    if (this.count) {
      this.count.textContent = countText(this.songs, this.matches.length, first, page.length);
    }
    if (this.clear) this.clear.hidden = this.matches.length === this.songs.title.length;
    const asList = isList(this.songs, this.state);
    this.list?.classList.toggle("mnb-rows", asList);
    this.layouts?.list.setAttribute("aria-pressed", String(asList));
    this.layouts?.cards.setAttribute("aria-pressed", String(!asList));
    for (const { node, previous, next, label } of this.pagers ?? []) {
      node.hidden = last === 0;
      previous.disabled = this.state.page === 0;
      next.disabled = this.state.page === last;
      label.textContent = `Page ${this.state.page + 1} of ${last + 1}`;
    }
    this.showCards(page, first, asList);
    this.requestDetails(page);
    this.saveView({ ...this.state, matches: this.matches.length });
  }

  /** Return the state with a sort whose values are here; request the values of another one. */
  readyState() {
    const [measure] = measureOfSort(this.songs, this.state.sort) ?? [];
    if (!measure || this.songs.values?.[measure.name]) return this.state;
    this.requestValues(measure.name);
    return { ...this.state, sort: START.sort };
  }

  /** @param {boolean} withColumns */
  measuresArrived(withColumns) {
    const isBusy = this.tools?.contains(document.activeElement);
    if (withColumns && this.songs.toolbar && !isBusy) this.renewTools();
    const [measure] = measureOfSort(this.songs, this.state.sort) ?? [];
    if (measure) this.requestValues(measure.name);
  }

  measuredChanged() {
    for (const [index, card] of this.cards) showMeasured(card, this.songs.measured[index]);
  }

  /** Draw the songs in the new order, unless somebody is writing or choosing something. */
  valuesArrived() {
    const active = document.activeElement;
    const isBusy = this.list?.contains(active) && active?.matches("input, [role=menu] *");
    if (!isBusy) this.show();
  }

  /**
   * @param {number[]} page
   * @param {number} first index of the page's first song among the matches
   * @param {boolean} asList
   */
  showCards(page, first, asList) {
    const active = /** @type {HTMLElement | null} */ (document.activeElement);
    const hadFocus = active !== null && this.list?.contains(active);
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
      const create = asList && !this.opened.has(index) ? createRow : createCard;
      const card = create(this.songs, index, this.actions, this.state.sort);
      card.node.addEventListener("focusin", () => this.focused(index));
      this.cards.set(index, card);
      nodes.push(card.node);
    }
    if (!page.length && this.songs.title.length) {
      nodes.push(element("div", { class: "mnb-none" }, "No song matches."));
    }
    this.list?.replaceChildren(...nodes);
    for (const [index, card] of this.cards) {
      setStops(card, index === page[0]);
      this.showRating(index);
      this.fill(index);
      this.visible.observe(card.node);
    }
    if (hadFocus) this.focusSong(indexOf(active));
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
    showMeasured(card, this.songs.measured[index]);
    if (detail) fillCard(card, detail, this.songs.state[index], this.songs.simulated[index]);
  }

  /** @param {number} index */
  focused(index) {
    for (const [other, card] of this.cards) setStops(card, other === index);
  }

  // --- menu

  /**
   * @param {number} index
   * @param {Detail} detail
   * @returns {MenuItem[]}
   */
  menuItems(index, detail) {
    const items = super.menuItems(index, detail);
    if (!this.list?.classList.contains("mnb-rows") || !this.songs.playable[index]) return items;
    const label = this.opened.has(index) ? "Close" : DETAILS.label;
    return [...items.slice(0, -1), { ...DETAILS, label }, ...items.slice(-1)];
  }

  /**
   * @param {number} index
   * @param {string} action
   */
  choose(index, action) {
    if (action !== DETAILS.action) {
      super.choose(index, action);
      return;
    }
    if (!this.opened.delete(index)) this.opened.add(index);
    this.show();
    this.cards.get(index)?.node.focus();
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
      if (shiftKey) this.player.seekBy(index, SEEK_SECONDS * step);
      else if (key === "ArrowUp" || key === "ArrowDown")
        this.moveTo(index, this.rowNext(index, step));
      else this.moveTo(index, this.matches[this.matches.indexOf(index) + step]);
    } else if (key === "m" || key === "ContextMenu" || (key === "F10" && shiftKey)) {
      this.openMenu(index);
    } else if (key === " " && target.matches(".mnb-card, canvas")) {
      if (!repeat) this.player.toggle(index);
    } else if (/^[0-5]$/.test(key)) {
      if (!repeat) this.rate(index, { stars: Number(key) });
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /**
   * Return the song one row up or down, in the nearest column; across pages the next song.
   * @param {number} index
   * @param {number} step
   */
  rowNext(index, step) {
    const box = this.cards.get(index)?.node.getBoundingClientRect();
    if (!box) return undefined;
    let nearest;
    let least = Infinity;
    for (const [other, { node }] of this.cards) {
      const { top, left } = node.getBoundingClientRect();
      const rows = (top - box.top) * step;
      const distance = rows * 1_000 + Math.abs(left - box.left);
      if (rows > 1 && distance < least) [nearest, least] = [other, distance];
    }
    if (nearest !== undefined) return nearest;
    const page = [...this.cards.keys()];
    const edge = step > 0 ? page[page.length - 1] : page[0];
    return this.matches[this.matches.indexOf(edge) + step];
  }

  /**
   * Focus another song, also on another page; keep playing if this one plays.
   * @param {number} index
   * @param {number | undefined} next
   */
  moveTo(index, next) {
    if (next === undefined) return;
    const wasPlaying = this.player.isPlaying(index);
    const page = Math.floor(this.matches.indexOf(next) / PAGE_SIZE);
    if (page !== this.state.page) this.change({ page });
    const card = this.cards.get(next);
    card?.node.focus();
    if (wasPlaying && card?.player) this.player.play(next);
  }
}

/**
 * @param {Model} model
 * @param {HTMLElement} root
 */
function createView(model, root) {
  const view = new GalleryView(model, root);
  return () => view.close();
}

export default {
  /** @param {{ model: Model }} args */
  initialize({ model }) {
    return model.get("_in_place")
      ? showInPlace(model, (root) => createView(model, root))
      : undefined;
  },
  /** @param {RenderArgs} args */
  render({ model, el }) {
    return createView(model, el);
  },
};
