// @ts-check
// The menu of a song. It buys nothing: an item that costs credits opens a form.
/** @import { MenuItem } from "../types" */

import { element } from "../dom.js";

const GAP = 4; // pixels between the button and its menu

/**
 * Show a menu at a button and focus its first item. It closes by Escape, Tab, a click elsewhere,
 * or once an item was chosen.
 * @param {HTMLElement} button
 * @param {string} name
 * @param {MenuItem[]} items
 * @param {number} stars
 * @param {{ choose: (action: string) => void, rate: (stars: number) => void }} actions
 */
export function showMenu(button, name, items, stars, actions) {
  const rows = items.map((item) => [itemButton(item)]);
  if (stars >= 0)
    rows.splice(
      -1,
      0,
      [1, 2, 3, 4, 5].map((number) => starButton(number, stars)),
    );
  const menu = element(
    "div",
    { class: "mnb-menu", role: "menu", "aria-label": `Menu of ${name}`, popover: "auto" },
    ...rows.map((row) => (row.length > 1 ? starGroup(row) : row[0])),
  );
  const follow = () => place(menu, button.getBoundingClientRect());
  document.addEventListener("scroll", follow, true);
  const close = () => {
    if (!menu.isConnected) return;
    document.removeEventListener("scroll", follow, true);
    const hadFocus = menu.contains(document.activeElement);
    menu.remove();
    button.setAttribute("aria-expanded", "false");
    if (hadFocus) button.focus();
  };
  menu.addEventListener("toggle", (event) => {
    if (/** @type {ToggleEvent} */ (event).newState === "closed") close();
  });
  menu.addEventListener("click", ({ target }) => {
    const chosen = /** @type {HTMLElement} */ (target).closest("button");
    if (!chosen || chosen.getAttribute("aria-disabled") === "true") return;
    close();
    const { action, stars: rated } = chosen.dataset;
    if (action) actions.choose(action);
    else actions.rate(Number(rated));
  });
  menu.addEventListener("keydown", (event) => {
    event.stopPropagation(); // the keys of the song and of the notebook
    if (event.key === "Tab" || event.key === "Escape") close();
    else if (!moveFocus(rows, event.key)) return;
    event.preventDefault();
  });
  button.after(menu);
  button.setAttribute("aria-expanded", "true");
  menu.showPopover?.();
  follow();
  rows[0][0].focus();
}

/** @param {MenuItem} item */
function itemButton({ action, label, price, reason }) {
  return element(
    "button",
    {
      type: "button",
      role: "menuitem",
      tabindex: "-1",
      "data-action": action,
      "aria-disabled": reason ? "true" : undefined,
    },
    element("span", {}, label),
    price && !reason ? element("span", { class: "mnb-price" }, price) : "",
    reason ? element("span", { class: "mnb-why" }, reason) : "",
  );
}

/**
 * @param {number} number
 * @param {number} stars
 */
function starButton(number, stars) {
  const attributes = {
    type: "button",
    role: "menuitemradio",
    tabindex: "-1",
    class: number <= stars ? "mnb-star mnb-set" : "mnb-star",
    "data-stars": number === stars ? 0 : number,
    "aria-checked": String(number === stars),
    "aria-label": number === stars ? `${number} of 5, clear` : `${number} of 5`,
  };
  return element("button", attributes, number <= stars ? "★" : "☆");
}

/** @param {HTMLElement[]} stars */
function starGroup(stars) {
  const attributes = { class: "mnb-menu-stars", role: "group", "aria-label": "Rating" };
  return element("div", attributes, ...stars);
}

/**
 * Move the focus by a key; return whether it is one of the menu's.
 * @param {HTMLElement[][]} rows
 * @param {string} key
 */
function moveFocus(rows, key) {
  const current = /** @type {HTMLElement} */ (document.activeElement);
  const row = rows.findIndex((items) => items.includes(current));
  const column = rows[row]?.indexOf(current) ?? 0;
  const last = rows.length - 1;
  /** @type {Record<string, [number, number]>} */
  const targets = {
    ArrowDown: [row === last ? 0 : row + 1, 0],
    ArrowUp: [row <= 0 ? last : row - 1, 0],
    ArrowRight: [row, column + 1],
    ArrowLeft: [row, column - 1],
    Home: [0, 0],
    End: [last, 0],
  };
  if (!(key in targets)) return false;
  const [nextRow, nextColumn] = targets[key];
  rows[nextRow]?.[nextColumn]?.focus();
  return true;
}

/**
 * Put the menu below its button, or above if there is no room.
 * @param {HTMLElement} menu
 * @param {DOMRect} anchor
 */
function place(menu, anchor) {
  const { offsetWidth: width, offsetHeight: height } = menu;
  const below = anchor.bottom + GAP;
  const top = below + height > window.innerHeight ? Math.max(anchor.top - GAP - height, 0) : below;
  menu.style.top = `${top}px`;
  menu.style.left = `${Math.max(anchor.right - width, 0)}px`;
}
