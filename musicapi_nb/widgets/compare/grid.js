// @ts-check
// Which songs are where on the board, in which order they play, and which rows differ. No DOM.
/** @import { BoardData, BoardPosition, Ratings, Songs } from "../types" */

import { fateOf } from "../song_parts/tags.js";

/** The least difference between two places of a row that counts. */
const LEAST_DIFFERENCE = { rating: 1, tags: 0.1, length: 0.1 };
const KINDS = /** @type {(keyof typeof LEAST_DIFFERENCE)[]} */ (Object.keys(LEAST_DIFFERENCE));
const ROUNDING = 1e-9;

/**
 * Return the songs of each row and column.
 * @param {BoardData} board
 * @returns {number[][][]}
 */
export function placeSongs(board) {
  const places = board.rows.map(() => board.columns.map(() => /** @type {number[]} */ ([])));
  board.row.forEach((row, index) => {
    places[row][board.column[index]].push(index);
  });
  return places;
}

/**
 * Return the columns of each row in the order in which they are shown.
 * @param {BoardData} board
 * @param {(() => number) | null} random in [0, 1), to shuffle each row
 */
export function columnOrders(board, random) {
  return board.rows.map(() => {
    const order = board.columns.map((_, column) => column);
    for (let last = order.length - 1; random && last > 0; last -= 1) {
      const other = Math.floor(random() * (last + 1));
      [order[last], order[other]] = [order[other], order[last]];
    }
    return order;
  });
}

/**
 * Return songs as they are played: across each row, then down.
 * @param {number[][][]} places
 * @param {number[]} rows that are shown
 * @param {number[][]} orders
 */
export function playOrder(places, rows, orders) {
  return rows.flatMap((row) => orders[row].flatMap((column) => places[row][column]));
}

/**
 * Return where a key leads: left and right to the next place of the row, up and down through the
 * songs of a place, then to the next row. Null for other keys, and at the edges.
 * @param {number[][][]} places
 * @param {number[]} rows that are shown
 * @param {number[][]} orders
 * @param {BoardPosition} position
 * @param {string} key
 * @param {boolean} toEdge whether Home and End lead to the first and last row
 * @returns {BoardPosition | null}
 */
export function positionAfter(places, rows, orders, position, key, toEdge = false) {
  const { row, slot, place } = position;
  const lastSlot = orders[rows[row]].length - 1;
  /** @type {(row: number, slot: number) => number} */
  const lastPlace = (line, column) =>
    Math.max(places[rows[line]][orders[rows[line]][column]].length - 1, 0);
  /** @type {(row: number, slot: number, place: number) => BoardPosition | null} */
  const go = (line, column, target) => {
    if (line < 0 || line >= rows.length || column < 0 || column > lastSlot) return null;
    return { row: line, slot: column, place: Math.min(target, lastPlace(line, column)) };
  };
  switch (key) {
    case "ArrowLeft":
      return go(row, slot - 1, place);
    case "ArrowRight":
      return go(row, slot + 1, place);
    case "ArrowUp":
      return place > 0 ? go(row, slot, place - 1) : go(row - 1, slot, Infinity);
    case "ArrowDown":
      return place < lastPlace(row, slot) ? go(row, slot, place + 1) : go(row + 1, slot, 0);
    case "Home":
      return go(toEdge ? 0 : row, 0, 0);
    case "End":
      return go(toEdge ? rows.length - 1 : row, lastSlot, Infinity);
    default:
      return null;
  }
}

/**
 * Return the position of a song among the rows that are shown; null if its row is not.
 * @param {BoardData} board
 * @param {number[][][]} places
 * @param {number[]} rows
 * @param {number[][]} orders
 * @param {number} index
 * @returns {BoardPosition | null}
 */
export function positionOf(board, places, rows, orders, index) {
  const [boardRow, column] = [board.row[index], board.column[index]];
  const row = rows.indexOf(boardRow);
  if (row < 0) return null;
  const place = places[boardRow][column].indexOf(index);
  return { row, slot: orders[boardRow].indexOf(column), place };
}

const FATE_ORDER = ["kept", "split", "dropped", "", "added"];

/**
 * Return the songs with their requested tags before the added ones, so that they can be compared.
 * @param {Songs} songs
 * @returns {Songs}
 */
export function requestedTagsFirst(songs) {
  const rank = (/** @type {number} */ code) => FATE_ORDER.indexOf(fateOf(code));
  const tags = songs.tags.map((codes) => [...codes].sort((a, b) => rank(a) - rank(b)));
  return { ...songs, tags };
}

/** @param {(number | null)[]} values */
function meanOf(values) {
  const numbers = values.filter((value) => value !== null);
  return numbers.length ? numbers.reduce((sum, value) => sum + value, 0) / numbers.length : null;
}

/**
 * Return the mean stars of the rated ones among songs, and how many they are.
 * @param {Ratings} ratings
 * @param {number[]} indices
 * @returns {[mean: number | null, number: number]}
 */
export function meanStars(ratings, indices) {
  const stars = indices.map((index) => ratings[index]?.[0] ?? 0).filter((number) => number > 0);
  return [meanOf(stars), stars.length];
}

/**
 * Return whether two places of a row differ: by a star, by a tenth of the requested tags that were
 * kept, or by a tenth of the length, each as the mean of the place's songs.
 * @param {Songs} songs
 * @param {Ratings} ratings
 * @param {number[][]} row the songs of each place
 * @param {string} kind "rating", "tags", "length", or "any"
 */
export function rowDiffers(songs, ratings, row, kind) {
  /** @type {Record<string, (indices: number[]) => number | null>} */
  const measures = {
    rating: (indices) => meanStars(ratings, indices)[0],
    tags: (indices) => meanOf(indices.map((index) => songs.board.kept[index])),
    length: (indices) => meanOf(indices.map((index) => songs.seconds[index])),
  };
  return KINDS.filter((name) => kind === "any" || kind === name).some((name) => {
    const values = row.map(measures[name]).filter((value) => value !== null);
    const [least, most] = [Math.min(...values), Math.max(...values)];
    const scale = name === "length" ? most : 1;
    return values.length > 1 && (most - least) / (scale || 1) >= LEAST_DIFFERENCE[name] - ROUNDING;
  });
}

/**
 * Return the songs without what gives their column away; each is named by its position in its row.
 * @param {Songs} songs
 * @param {BoardData} board
 * @param {number[][][]} places
 * @param {number[][]} orders
 * @returns {Songs}
 */
export function maskedSongs(songs, board, places, orders) {
  const title = [...songs.title];
  places.forEach((row, rowIndex) => {
    const shown = orders[rowIndex].flatMap((column) => row[column]);
    shown.forEach((index, position) => {
      title[index] = `Song ${letters(position)}`;
    });
  });
  return {
    ...songs,
    title,
    position: board.row.map((row) => `row ${row + 1}`),
    model: songs.model.map(() => ""),
    date: songs.date.map(() => null),
    sources: {},
    measured: {},
    tags: songs.tags.map(() => []),
  };
}

/** @param {number} number 0: A, 25: Z, 26: AA */
function letters(number) {
  const last = String.fromCharCode(65 + (number % 26));
  return number < 26 ? last : `${String.fromCharCode(64 + Math.floor(number / 26))}${last}`;
}
