// @ts-check
// The rows of the board. Only those near the visible part are drawn; the others keep their height.
/** @import { BoardData, BoardPosition } from "../types" */

import { element, isolated } from "../dom.js";
import { rowHead } from "./heads.js";

const SONG_HEIGHT = 84; // CSS pixels; an estimate, for rows that were not drawn yet
const FIRST_HEIGHT = 1000; // of the rows that are drawn at once
const MARGIN = "700px 0px"; // around the visible part, in which rows are drawn

/**
 * A row: its node, and the node of each place in the order of display; none while it is not drawn.
 * @typedef {object} Line
 * @property {HTMLElement} node
 * @property {HTMLElement[]} cells
 */

/**
 * What the table needs of the view.
 * @typedef {object} TableView
 * @property {BoardData} board
 * @property {number[][][]} places
 * @property {number[][]} orders
 * @property {number[]} rows that are shown
 * @property {(index: number) => HTMLElement} drawSong
 * @property {(index: number) => void} songRemoved
 * @property {(indices: number[]) => void} songsDrawn
 */

export class BoardTable {
  /**
   * @param {TableView} view
   * @param {HTMLElement} box that scrolls
   * @param {HTMLElement} node
   */
  constructor(view, box, node) {
    this.view = view;
    this.box = box;
    this.node = node;
    /** @type {Map<number, Line>} by row of the board */
    this.lines = new Map();
    /** @type {BoardPosition} the one tab stop */
    this.at = { row: 0, slot: 0, place: 0 };
    this.nearby = new IntersectionObserver((entries) => this.onNearby(entries), {
      root: box,
      rootMargin: MARGIN,
    });
  }

  close() {
    this.nearby.disconnect();
  }

  /**
   * Show rows below their heads, and draw those that are surely visible.
   * @param {HTMLElement[]} heads
   */
  show(heads) {
    const { node, view } = this;
    const top = this.box.scrollTop;
    this.nearby.disconnect();
    this.lines.clear();
    this.at = { row: 0, slot: 0, place: 0 };
    const columns = view.board.columns.length;
    node.style.setProperty("--mnb-columns", String(columns));
    node.setAttribute("aria-colcount", String(columns + 1));
    node.setAttribute("aria-rowcount", String(view.rows.length + heads.length));
    const lines = view.rows.map((row, position) => this.createLine(row, position + heads.length));
    node.replaceChildren(
      element("div", { class: "mnb-heads", role: "rowgroup" }, ...heads),
      element("div", { class: "mnb-rows", role: "rowgroup" }, ...lines),
    );
    if (top) this.box.scrollTop = top;
    let height = 0;
    const drawn = [];
    for (const row of view.rows) {
      if (height > FIRST_HEIGHT) break;
      height += this.estimate(row);
      drawn.push(...this.drawRow(row));
    }
    view.songsDrawn(drawn);
    const first = this.nodeAt(this.at);
    if (first) first.tabIndex = 0;
    for (const line of lines) this.nearby.observe(line);
  }

  /** @param {number} row */
  estimate(row) {
    return Math.max(1, ...this.view.places[row].map((songs) => songs.length)) * SONG_HEIGHT;
  }

  /**
   * @param {number} row
   * @param {number} position
   */
  createLine(row, position) {
    const node = element(
      "div",
      {
        class: "mnb-board-row",
        role: "row",
        "aria-rowindex": position + 1,
        "data-row": row,
        style: `min-height: ${this.estimate(row)}px`,
      },
      rowHead(this.view.board.rows[row]),
    );
    this.lines.set(row, { node, cells: [] });
    return node;
  }

  /** @param {IntersectionObserverEntry[]} entries */
  onNearby(entries) {
    const drawn = [];
    for (const { isIntersecting, target, boundingClientRect } of entries) {
      const row = Number(/** @type {HTMLElement} */ (target).dataset.row);
      if (isIntersecting) drawn.push(...this.drawRow(row));
      else if (row !== this.view.rows[this.at.row]) this.clearRow(row, boundingClientRect.height);
    }
    this.view.songsDrawn(drawn);
  }

  /**
   * Draw the songs of a row; return them, or none if they are drawn.
   * @param {number} row
   * @returns {number[]}
   */
  drawRow(row) {
    const line = this.lines.get(row);
    if (!line || line.cells.length) return [];
    const { board, places, orders } = this.view;
    line.cells = orders[row].map((column, slot) => {
      const nodes = places[row][column].map((index) => this.view.drawSong(index));
      const attributes = { class: "mnb-cell", role: "gridcell", "aria-colindex": slot + 2 };
      const reason = board.reasons[`${row},${column}`] ?? "";
      const empty = () => element("div", { class: "mnb-none", tabindex: "-1" }, isolated(reason));
      return element("div", attributes, ...(nodes.length ? nodes : [empty()]));
    });
    line.node.style.minHeight = "";
    line.node.append(...line.cells);
    return places[row].flat();
  }

  /**
   * Remove the songs of a row that is far from the visible part.
   * @param {number} row
   * @param {number} height
   */
  clearRow(row, height) {
    const line = this.lines.get(row);
    if (!line?.cells.length) return;
    line.node.style.minHeight = `${height}px`;
    for (const cell of line.cells) cell.remove();
    line.cells = [];
    for (const index of this.view.places[row].flat()) this.view.songRemoved(index);
  }

  /**
   * Return the node of a position, and draw its row if needed.
   * @param {BoardPosition} position
   * @returns {HTMLElement | null}
   */
  nodeAt({ row, slot, place }) {
    const boardRow = this.view.rows[row];
    if (boardRow === undefined) return null;
    this.view.songsDrawn(this.drawRow(boardRow));
    const node = this.lines.get(boardRow)?.cells[slot]?.children[place];
    return /** @type {HTMLElement | null} */ (node ?? null);
  }

  /**
   * Make the song or empty place that has the focus the tab stop.
   * @param {HTMLElement} target
   */
  focused(target) {
    const node = /** @type {HTMLElement | null} */ (target.closest(".mnb-song, .mnb-none"));
    const cell = node?.parentElement;
    const boardRow = Number(cell?.parentElement?.dataset.row);
    if (!node || !cell || Number.isNaN(boardRow)) return;
    const before = this.nodeAt(this.at);
    if (before) before.tabIndex = -1;
    node.tabIndex = 0;
    this.at = {
      row: this.view.rows.indexOf(boardRow),
      slot: this.lines.get(boardRow)?.cells.indexOf(cell) ?? 0,
      place: [...cell.children].indexOf(node),
    };
  }

  /**
   * Scroll the box, not the page, until a node is visible.
   * @param {HTMLElement} node
   */
  scrollTo(node) {
    const [frame, place] = [this.box.getBoundingClientRect(), node.getBoundingClientRect()];
    const top = frame.top + (this.node.firstElementChild?.clientHeight ?? 0);
    if (place.bottom > frame.bottom) this.box.scrollTop += place.bottom - frame.bottom;
    else if (place.top < top) this.box.scrollTop -= top - place.top;
  }
}
