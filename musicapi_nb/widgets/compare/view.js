// @ts-check
// The board in the page: songs in rows and columns, and one player below, which goes on across each
// row and then down.
/** @import { BoardData, BoardSong, Model, RenderArgs } from "../types" */

import { element, isolated } from "../dom.js";
import { SEEK_SECONDS } from "../song_parts/player_bar.js";
import { SongView } from "../song_parts/song_view.js";
import { songCount } from "../song_parts/text.js";
import {
  columnOrders,
  maskedSongs,
  meanStars,
  placeSongs,
  playOrder,
  positionAfter,
  positionOf,
  requestedTagsFirst,
  rowDiffers,
} from "./grid.js";
import { headRows, meanText } from "./heads.js";
import { createBoardSong, fillBoardSong } from "./song.js";
import { BoardTable } from "./table.js";

const DETAILS_AT_ONCE = 24; // songs in one request
/** @type {[value: string, text: string][]} */
const ROW_FILTERS = [
  ["", "all"],
  ["any", "that differ in anything"],
  ["rating", "that differ in rating"],
  ["tags", "that differ in tags kept"],
  ["length", "that differ in length"],
];

class BoardView extends SongView {
  /**
   * @param {Model} model
   * @param {HTMLElement} root
   */
  constructor(model, root) {
    super(model, root);
    /** @type {Map<number, BoardSong>} songs that are drawn, by index */
    this.cards = new Map();
    /** @type {number[]} rows of the board that pass the filter */
    this.rows = [];
    this.places = placeSongs(this.board);
    this.orders = columnOrders(this.board, null);
    /** @type {HTMLElement[]} the mean rating of each column */
    this.means = [];
    this.meansAreStale = false;
    /** @type {HTMLElement | null} the song that plays next by itself */
    this.upNext = null;
    const view = model.get("_view");
    this.filter = view.filter ?? "";
    this.isBlind = Boolean(view.blind);
    this.count = element("div", { class: "mnb-count", role: "status" });
    this.blindButton = element("button", {
      type: "button",
      class: "mnb-blind",
      onclick: () => this.setBlind(!this.isBlind),
    });
    const grid = element("div", {
      class: "mnb-table",
      role: "grid",
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.onKey(event),
      onfocusin: (/** @type {FocusEvent} */ { target }) =>
        this.table.focused(/** @type {HTMLElement} */ (target)),
    });
    this.table = new BoardTable(this, element("div", { class: "mnb-box" }, grid), grid);
    for (const name of ["play", "ended", "emptied"]) {
      this.player.audio.addEventListener(name, () => this.markNext());
    }
    this.player.bar.box.addEventListener("change", () => this.markNext());
    this.start();
  }

  close() {
    this.table.close();
    super.close();
  }

  /** @returns {BoardData} */
  get board() {
    return this.songs.board;
  }

  order() {
    return playOrder(this.places, this.rows, this.orders);
  }

  // --- the frame around the table

  build() {
    const { root, songs } = this;
    this.arrange();
    root.className = "musicapi-nb-songs musicapi-nb-board mathjax_ignore tex2jax_ignore";
    root.setAttribute("role", "region");
    root.setAttribute("aria-label", songs.heading || "Comparison of songs");
    this.table.node.setAttribute("aria-label", songs.heading || "Songs by row and column");
    root.append(
      songs.heading ? element("div", { class: "mnb-heading" }, isolated(songs.heading)) : "",
      this.createTools(),
      this.problem,
      this.news,
      this.table.box,
      this.player.bar.node,
      this.help(),
      this.player.audio,
    );
  }

  /** Put songs into places, in blind mode in an order that says nothing. */
  arrange() {
    const songs = requestedTagsFirst(this.model.get("_songs"));
    this.places = placeSongs(songs.board);
    this.orders = columnOrders(songs.board, this.isBlind ? Math.random : null);
    this.songs = this.isBlind ? maskedSongs(songs, songs.board, this.places, this.orders) : songs;
  }

  createTools() {
    const select = element(
      "select",
      // Without it, the accessible name from the label would include all options.
      { "aria-label": "Rows", onchange: () => this.setFilter(select.value) },
      ...ROW_FILTERS.map(([value, text]) => element("option", { value }, text)),
    );
    select.value = this.filter;
    const tools = element(
      "div",
      { class: "mnb-board-tools" },
      this.count,
      element("label", { class: "mnb-check" }, "Rows", select),
      this.blindButton,
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
      ? element("span", {}, "Ratings are saved in the library ", isolated(library), ".")
      : "No library: ratings are kept until the kernel ends.";
    const keys =
      "Keys: arrows move, space plays, shift+arrows seek, 1 to 5 rate, 0 clears. " +
      "Play on goes across each row, then down.";
    return element(
      "div",
      { class: "mnb-quiet mnb-help" },
      element("div", {}, keys),
      element("div", {}, storage),
    );
  }

  /** @param {string} filter */
  setFilter(filter) {
    this.filter = filter;
    this.saveView({ filter });
    this.show();
  }

  /** @param {boolean} isBlind */
  setBlind(isBlind) {
    this.isBlind = isBlind;
    this.saveView({ blind: isBlind });
    this.arrange();
    this.show();
    const { current } = this.player;
    if (current === null) return;
    this.player.bar.showSong(this.songs, current);
    this.player.draw(current);
  }

  // --- the table

  show() {
    const { board, filter } = this;
    const songs = this.model.get("_songs"); // blind mode hides the tags of `this.songs`
    const differs = (/** @type {number} */ row) =>
      rowDiffers(songs, this.ratings, this.places[row], filter);
    this.rows = board.rows.map((_, row) => row).filter((row) => !filter || differs(row));
    this.cards.clear();
    this.means = board.columns.map(() => element("div", { class: "mnb-mean" }));
    this.table.show(headRows(board, this.isBlind, this.means));
    this.blindButton.textContent = this.isBlind ? "Reveal" : "Blind";
    this.blindButton.setAttribute("aria-pressed", String(this.isBlind));
    const total = board.rows.length;
    const part = filter ? `${this.rows.length} of ${total} rows` : `${total} rows`;
    const size = `${part} × ${board.columns.length} columns · ${songCount(songs.title.length)}`;
    this.count.textContent = total ? size : "There are no songs to compare yet.";
    if (songs.note) this.count.append(` ${songs.note}`);
    this.showMeans();
    this.markNext();
  }

  /** @param {number} index */
  drawSong(index) {
    const song = createBoardSong(this.songs, index, this.board.label[index], this.actions);
    this.cards.set(index, song);
    return song.node;
  }

  /** @param {number} index */
  songRemoved(index) {
    this.cards.delete(index);
  }

  /** @param {number[]} indices */
  songsDrawn(indices) {
    for (const index of indices) {
      this.showRating(index);
      this.fill(index);
    }
    for (let start = 0; start < indices.length; start += DETAILS_AT_ONCE) {
      this.requestDetails(indices.slice(start, start + DETAILS_AT_ONCE));
    }
    if (indices.length) this.markNext();
  }

  /** @param {number} index */
  fill(index) {
    const song = this.cards.get(index);
    const detail = this.store.details.get(index);
    if (!song) return;
    this.player.draw(index);
    if (detail) fillBoardSong(song, detail, this.songs.simulated[index], !this.isBlind);
  }

  // --- ratings

  /** @param {number} index */
  showRating(index) {
    super.showRating(index);
    if (!this.meansAreStale) requestAnimationFrame(() => this.showMeans());
    this.meansAreStale = true;
  }

  /** Show the mean rating of each column in its head. */
  showMeans() {
    this.meansAreStale = false;
    const { board, means, places, ratings } = this;
    means.forEach((node, column) => {
      const songs = places.flatMap((row) => row[column]);
      node.textContent = meanText(...meanStars(ratings, songs));
      node.title = `Mean rating of ${board.columns[column].join(", ")}`;
    });
  }

  // --- playing on

  /** Mark the song that plays next by itself. */
  markNext() {
    const { current, playOn } = this.player;
    const next = current === null || !playOn ? null : this.nextOf(current, 1);
    const node = next === null ? null : (this.cards.get(next)?.node ?? null);
    this.upNext?.classList.remove("mnb-next");
    this.upNext = node;
    node?.classList.add("mnb-next");
  }

  /**
   * Show the song that starts by itself; the focus follows if it was on the song before.
   * @param {number} index
   * @param {number} previous
   */
  reveal(index, previous) {
    const { board, places, rows, orders } = this;
    const position = positionOf(board, places, rows, orders, index);
    const hadFocus = this.cards.get(previous)?.node === document.activeElement;
    const node = position && this.table.nodeAt(position);
    if (!node) return;
    this.table.scrollTo(node);
    if (hadFocus) node.focus({ preventScroll: true });
  }

  // --- keys

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const { key, shiftKey, ctrlKey, altKey, metaKey, repeat } = event;
    const target = /** @type {HTMLElement} */ (event.target);
    const node = /** @type {HTMLElement | null} */ (target.closest(".mnb-song, .mnb-none"));
    const isEdge = key === "Home" || key === "End";
    if (!node || altKey || metaKey || (ctrlKey && !isEdge)) return;
    const index = node.dataset.index === undefined ? null : Number(node.dataset.index);
    if (key === " " && !target.matches("button:not([data-icon])")) {
      if (!repeat && index !== null) this.player.toggle(index);
    } else if (/^[0-5]$/.test(key)) {
      if (!repeat && index !== null) this.rate(index, { stars: Number(key) });
    } else if (shiftKey && (key === "ArrowLeft" || key === "ArrowRight")) {
      const step = key === "ArrowRight" ? SEEK_SECONDS : -SEEK_SECONDS;
      if (index !== null) this.player.seekBy(index, step);
    } else if (key.startsWith("Arrow") || isEdge) this.move(key, ctrlKey, index);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /**
   * Move the focus; go on playing if the song that it leaves plays.
   * @param {string} key
   * @param {boolean} toEdge
   * @param {number | null} index
   */
  move(key, toEdge, index) {
    const { places, rows, orders, table } = this;
    const position = positionAfter(places, rows, orders, table.at, key, toEdge);
    const node = position && table.nodeAt(position);
    if (!node) return;
    const wasPlaying = index !== null && this.player.isPlaying(index);
    table.scrollTo(node);
    node.focus();
    if (wasPlaying && node.dataset.index) this.player.play(Number(node.dataset.index));
  }
}

export default {
  /** @param {RenderArgs} args */
  render({ model, el }) {
    const view = new BoardView(model, el);
    return () => view.close();
  },
};
