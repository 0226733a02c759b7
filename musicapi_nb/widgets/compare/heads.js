// @ts-check
// The heads of the board's rows and columns.
/** @import { BoardData } from "../types" */

import { element, isolated } from "../dom.js";

/**
 * Return the heads of one level, and how many columns each one spans.
 * @param {string[][]} keys
 * @param {number} level
 * @returns {[text: string, span: number][]}
 */
export function headSpans(keys, level) {
  /** @type {[string, number][]} */
  const heads = [];
  keys.forEach((key, index) => {
    const before = keys[index - 1];
    const isSame = before && key.slice(0, level + 1).every((text, depth) => text === before[depth]);
    if (isSame) heads[heads.length - 1][1] += 1;
    else heads.push([key[level], 1]);
  });
  return heads;
}

/**
 * Return a row of heads for each dimension across, or one row that hides them.
 * @param {BoardData} board
 * @param {boolean} isBlind
 * @param {HTMLElement[]} summaries one for each column
 */
export function headRows(board, isBlind, summaries) {
  const corner = board.row_names.join(" · ");
  if (isBlind) {
    const hidden = element(
      "div",
      {
        class: "mnb-column-head mnb-hidden-head",
        role: "columnheader",
        "aria-colindex": 2,
        "aria-colspan": board.columns.length,
        style: `grid-column: span ${board.columns.length}`,
      },
      `${board.column_names.join(" · ")}: hidden, in another order in each row`,
    );
    return [headRow(0, corner, [hidden])];
  }
  return board.column_names.map((name, level) => {
    let column = 0;
    const isLast = level === board.column_names.length - 1;
    const heads = headSpans(board.columns, level).map(([text, span]) => {
      const head = element(
        "div",
        {
          class: "mnb-column-head",
          role: "columnheader",
          title: name,
          "aria-colindex": column + 2,
          "aria-colspan": span,
          style: `grid-column: span ${span}`,
        },
        isolated(text),
      );
      if (isLast) head.append(summaries[column]);
      column += span;
      return head;
    });
    return headRow(level, level ? "" : corner, heads);
  });
}

/**
 * @param {number} level
 * @param {string} corner
 * @param {HTMLElement[]} heads
 */
function headRow(level, corner, heads) {
  return element(
    "div",
    { class: "mnb-board-row", role: "row", "aria-rowindex": level + 1 },
    element(
      "div",
      { class: "mnb-corner", role: "columnheader", "aria-colindex": 1 },
      isolated(corner),
    ),
    ...heads,
  );
}

/**
 * Return the head of a row: its values, the outermost first.
 * @param {string[]} texts
 */
export function rowHead([outer, ...inner]) {
  return element(
    "div",
    { class: "mnb-row-head", role: "rowheader", "aria-colindex": 1 },
    element("div", {}, isolated(outer)),
    ...inner.map((text) => element("div", { class: "mnb-inner-head" }, isolated(text))),
  );
}

/**
 * Return the mean rating of a column as text; "" if none of its songs is rated.
 * @param {number | null} mean
 * @param {number} number
 */
export function meanText(mean, number) {
  return mean === null ? "" : `★ ${mean.toFixed(1)} (${number} rated)`;
}
