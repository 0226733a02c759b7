// @ts-check
// The form in the page: it draws what Python declares and sends what a person does.
//
// Input travels as messages, not as synced state. Synced state is sent after the kernel's "idle",
// which ipykernel 7.4 never sends for a change made while a cell awaits, so it would not be sent at
// all. Messages keep their order: a click arrives after all keystrokes before it, and the request
// that is bought is the one on the screen. Each turn buys once, even if several views are clicked.
/** @import { FieldSpec, FieldState, FormField, RenderArgs, SongSearch } from "../types" */

import { element } from "../dom.js";
import { createControl } from "./controls.js";

const COMMANDED = "button, select, input[type=checkbox], input[type=range]";
const REVEAL_AFTER_MS = 300; // the card of a purchase follows the form's new state

// --- fields

/**
 * Build a field: label, control, and below them tags, help or problem, and the length.
 * @param {FieldSpec} field
 * @param {string} id
 * @param {(name: string, value: unknown) => void} changed
 * @param {SongSearch} search
 * @returns {FormField}
 */
function createField(field, id, changed, search) {
  const control = createControl(field, id, search);
  const message = element("div", { id: `${id}-message`, class: "musicapi-message" });
  const count = element("div", { class: "musicapi-count" });
  const chips = element("div", { class: "musicapi-chips", hidden: true });
  const label = element("label", { id: `${id}-label`, for: id, text: field.label });
  const isTabs = field.control === "tabs";
  const isSwitch = field.control === "switch";
  const head = isSwitch
    ? [element("div", { class: "musicapi-switch" }, ...control.nodes, label)]
    : [...(isTabs ? [] : [label]), ...control.nodes];
  const kinds = `${field.wide ? " musicapi-wide" : ""}${isSwitch ? " musicapi-toggle" : ""}`;
  const node = element(
    "div",
    { class: `musicapi-field${kinds}` },
    ...head,
    chips,
    element("div", { class: "musicapi-foot", hidden: isTabs }, message, count),
  );
  control.main.setAttribute("aria-describedby", message.id);
  if (field.control === "choices") control.main.setAttribute("aria-labelledby", label.id);
  node.addEventListener("input", () => changed(field.name, control.get()));

  /** @param {FieldState} state */
  const show = (state) => {
    node.hidden = !state.shown;
    chips.hidden = !state.chips.length;
    if (chips.textContent !== state.chips.join("")) {
      const tags = state.chips.map((text) => element("span", { class: "musicapi-chip", text }));
      chips.replaceChildren(...tags);
    }
    if (message.textContent !== state.message) message.textContent = state.message;
    message.dataset.tone = state.tone;
    count.textContent = state.count;
    if (!isTabs) control.main.setAttribute("aria-invalid", String(state.tone === "bad"));
  };
  return { node, control, show };
}

/**
 * Build a button that folds and unfolds nodes; return both, and a function that does it.
 * @param {string} label
 * @param {...Node} nodes
 */
function createFold(label, ...nodes) {
  const attributes = { type: "button", class: "musicapi-fold", "aria-expanded": "false" };
  const button = element("button", attributes, label);
  const box = element("div", { hidden: true }, ...nodes);
  const toggle = (open = box.hidden) => {
    box.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
  };
  button.addEventListener("click", () => toggle());
  return { button, box, toggle };
}

/**
 * Scroll the newest purchase below the form into the view, unless it is there, or far away: then
 * the person has gone elsewhere.
 * @param {HTMLElement} el the form
 * @param {string} name the class of its results
 */
function revealNewest(el, name) {
  const views = [...document.getElementsByClassName(name)];
  const isBelow = (/** @type {Element} */ view) =>
    el.compareDocumentPosition(view) & Node.DOCUMENT_POSITION_FOLLOWING;
  const newest = views.find(isBelow)?.querySelector(".musicapi-cards > *");
  if (!newest) return;
  const { top, bottom } = newest.getBoundingClientRect();
  if (bottom < 0 || top > 2 * window.innerHeight) return;
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  newest.scrollIntoView({ block: "nearest", behavior: isCalm ? "auto" : "smooth" });
}

// --- the form

/** @param {RenderArgs} args */
function render({ model, el }) {
  const view = Math.random().toString(36).slice(2);
  /** @type {Map<string, FormField>} */
  let fields = new Map();
  /** @type {number | null} the turn that was clicked, until Python answers */
  let clickedTurn = null;
  let shownSummary = "";
  let wasUnfolded = false;
  let isBuying = false; // by a click here, until the songs are there
  /** @type {(name: string, value: unknown) => void} */
  const changed = (name, value) => model.send({ kind: "typed", name, value, view });

  /** @type {SongSearch} */
  const search = {
    find: (name, text) => model.send({ kind: "find", name, text, view }),
    song: (id) => model.get("songs")[id] ?? { id, title: id, facts: "" },
  };

  const title = element("div", { class: "musicapi-title" });
  const picker = element("div", { class: "musicapi-fields musicapi-picker" });
  const grid = element("div", { class: "musicapi-fields" });
  const code = element("pre", { class: "musicapi-code", tabindex: "0", "aria-label": "As Python" });
  const extraSpec = {
    name: "extra",
    label: "Extra fields (JSON)",
    control: "long",
    wide: true,
    advanced: false,
    placeholder: '{"name": "value"}',
  };
  const extra = createField(extraSpec, `musicapi-${view}-extra`, changed, search);
  const moreGrid = element("div", { class: "musicapi-fields" });
  const more = createFold("More options", moreGrid);
  const extraFold = createFold("Extra fields (JSON)", extra.node);
  const codeFold = createFold("As Python", code);
  const buttons = [more, extraFold, codeFold].map((fold) => fold.button);
  const folds = element("div", { class: "musicapi-row" }, ...buttons);
  const summary = element("div", { class: "musicapi-summary", role: "status" });
  const button = element("button", { type: "button", class: "musicapi-buy" });
  el.classList.add("musicapi-form");
  // JupyterLab would take a letter typed into a list, say, as a command to the notebook.
  el.addEventListener("focusin", ({ target }) => {
    if (target instanceof HTMLElement && target.matches(COMMANDED)) {
      target.dataset.lmSuppressShortcuts = "true";
    }
  });
  const boxes = [more, extraFold, codeFold].map((fold) => fold.box);
  el.append(title, picker, grid, folds, ...boxes, summary, button);

  /** @type {(label: string, name: string, options: string[][], selected: string) => void} */
  const addPicker = (label, name, options, selected) => {
    const id = `musicapi-${view}-${name}`;
    const groups = [...new Set(options.map(([, , group]) => group))];
    const nodes = groups.map((group) => {
      const members = options.filter((option) => option[2] === group);
      const items = members.map(([value, text]) => element("option", { value, text }));
      return groups.length > 1 ? [element("optgroup", { label: group }, ...items)] : items;
    });
    const select = element("select", { id }, ...nodes.flat());
    select.value = selected;
    select.addEventListener("change", () => model.send({ kind: "pick", [name]: select.value }));
    const labelNode = element("label", { for: id, text: label });
    picker.append(element("div", { class: "musicapi-field" }, labelNode, select));
  };

  const drawFields = () => {
    const spec = model.get("spec");
    const badges = spec.badges.map((/** @type {string[]} */ [text, tone]) =>
      element("span", { class: "musicapi-badge", text, "data-tone": tone }),
    );
    const name = element("span", { class: "musicapi-quiet", text: spec.name });
    const head = element("span", { class: "musicapi-name", text: spec.title });
    title.replaceChildren(head, ...badges, ...(spec.name === spec.title ? [] : [name]));
    picker.replaceChildren();
    if (spec.engines.length > 1) addPicker("Engine", "engine", spec.engines, spec.engine);
    if (spec.operations.length > 1) {
      addPicker("Operation", "operation", spec.operations, spec.operation);
    }
    fields = new Map([["extra", extra]]);
    for (const field of spec.fields) {
      const id = `musicapi-${view}-${field.name}`;
      fields.set(field.name, createField(field, id, changed, search));
    }
    const nodes = (/** @type {boolean} */ advanced) =>
      spec.fields
        .filter((/** @type {FieldSpec} */ field) => field.advanced === advanced)
        .map((/** @type {FieldSpec} */ { name }) => fields.get(name)?.node);
    grid.replaceChildren(...nodes(false));
    moreGrid.replaceChildren(...nodes(true));
    more.toggle(false);
    fill(true);
    show();
  };

  // Put the values that Python holds into the controls: after a reload, or typed in another view.
  const fill = (/** @type {boolean} */ always) => {
    const { values, view: source } = model.get("held");
    if (!always && source === view) return;
    for (const [name, value] of Object.entries(values)) {
      const control = fields.get(name)?.control;
      if (!control) continue;
      if (JSON.stringify(control.get()) !== JSON.stringify(value)) control.set(value);
    }
  };
  const fillFromOthers = () => fill(false);
  const drawSongs = () => {
    for (const { control } of fields.values()) control.redraw?.();
  };

  const show = () => {
    const state = model.get("state");
    for (const [name, field] of Object.entries(state.fields)) fields.get(name)?.show(field);
    code.textContent = state.code;
    const hasMore = [...moreGrid.children].some((node) => !(/** @type {any} */ (node).hidden));
    more.button.hidden = !hasMore;
    if (state.unfolded && !wasUnfolded) more.toggle(true); // it may be folded again
    wasUnfolded = state.unfolded;
    const newSummary = JSON.stringify(state.summary);
    if (shownSummary !== newSummary) {
      shownSummary = newSummary; // else a screen reader would read it again
      const notices = state.summary.map((/** @type {string[]} */ [text, tone]) =>
        element("div", { class: "musicapi-notice", text, "data-tone": tone }),
      );
      summary.replaceChildren(...notices);
    }
    if (clickedTurn !== null && state.turn !== clickedTurn) {
      clickedTurn = null;
      isBuying = true;
      setTimeout(() => revealNewest(el, model.get("spec").results), REVEAL_AFTER_MS);
    }
    if (isBuying && !state.busy && state.ready) {
      isBuying = false;
      revealNewest(el, model.get("spec").results);
    }
    button.textContent = state.label;
    button.disabled = !state.ready || clickedTurn !== null;
    button.setAttribute("aria-busy", String(state.busy));
  };

  const buy = () => {
    const { ready, turn, price } = model.get("state");
    if (!ready || clickedTurn !== null) return;
    clickedTurn = turn;
    button.setAttribute("aria-busy", "true");
    model.send({ kind: "buy", turn, price });
  };

  const receive = (/** @type {any} */ message) => {
    if (message?.kind === "songs" && message.view === view) {
      fields.get(message.name)?.control.offer?.(message.text, message.songs);
    }
    if (message?.kind !== "refused" || message.turn !== clickedTurn) return;
    clickedTurn = null;
    show();
  };

  button.addEventListener("click", buy);
  model.on("change:spec", drawFields);
  model.on("change:held", fillFromOthers);
  model.on("change:songs", drawSongs);
  model.on("change:state", show);
  model.on("msg:custom", receive);
  drawFields();
  return () => {
    model.off("change:spec", drawFields);
    model.off("change:held", fillFromOthers);
    model.off("change:songs", drawSongs);
    model.off("change:state", show);
    model.off("msg:custom", receive);
  };
}

export default { render };
