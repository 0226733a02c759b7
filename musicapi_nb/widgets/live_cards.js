// @ts-check
// Cards that are replaced in place, with buttons below them: see live_cards.py.

import { element } from "./dom.js";

/** @typedef {import("./types").RenderArgs} RenderArgs */
/** @typedef {{ html: string, node: HTMLElement }} LiveCard */

/**
 * Draw cards; those with unchanged HTML stay in the page, because a player that moves stops.
 * @param {HTMLElement} area
 * @param {LiveCard[]} shown
 * @param {string[]} htmls
 * @returns {LiveCard[]}
 */
function replaceCards(area, shown, htmls) {
  const unused = [...shown];
  const cards = htmls.map((html) => {
    const index = unused.findIndex((card) => card.html === html);
    if (index >= 0) return unused.splice(index, 1)[0];
    const node = element("div");
    node.innerHTML = html; // of markup/, which escapes all text
    return { html, node };
  });
  for (const { node } of unused) node.remove();
  for (const [index, { node }] of cards.entries()) {
    if (area.children[index] !== node) area.insertBefore(node, area.children[index] ?? null);
  }
  return cards;
}

/** @param {RenderArgs} arguments_ */
function render({ model, el }) {
  const area = element("div", { class: "musicapi-cards" });
  const row = element("div", { class: "musicapi-actions" });
  const problem = element("div", { role: "alert" });
  /** @type {LiveCard[]} */
  let shown = [];

  const drawCards = () => {
    shown = replaceCards(area, shown, model.get("cards"));
  };
  const drawButtons = () => {
    const buttons = model.get("buttons");
    if (row.children.length !== buttons.length) {
      const click = (/** @type {number} */ index) => () => model.send({ click: index });
      row.replaceChildren(
        ...buttons.map((/** @type {unknown} */ _, /** @type {number} */ index) =>
          element("button", { type: "button", onclick: click(index) }),
        ),
      );
    }
    for (const [index, [label, tooltip, enabled]] of buttons.entries()) {
      const button = /** @type {HTMLButtonElement} */ (row.children[index]);
      button.textContent = label;
      button.title = tooltip;
      button.disabled = !enabled;
    }
  };
  const drawProblem = () => {
    problem.innerHTML = model.get("problem");
  };

  /** @type {[string, () => void][]} */
  const drawings = [
    ["cards", drawCards],
    ["buttons", drawButtons],
    ["problem", drawProblem],
  ];
  for (const [name, draw] of drawings) {
    draw();
    model.on(`change:${name}`, draw);
  }
  el.classList.add("musicapi-live");
  el.append(area, row, problem);
  return () => {
    for (const [name, draw] of drawings) model.off(`change:${name}`, draw);
  };
}

export default { render };
