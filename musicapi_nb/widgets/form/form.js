// @ts-check
// The form in the page: it draws what Python declares and sends what a person does.
//
// Input travels as messages, not as synced state. Synced state is sent after the kernel's "idle",
// which ipykernel 7.4 never sends for a change made while a cell awaits, so it would not be sent at
// all. Messages keep their order: a click arrives after all keystrokes before it, and the request
// that is bought is the one on the screen. Each turn buys once, even if several views are clicked.
/** @import { Control, FieldSpec, FieldState, FormField, RenderArgs } from "../types" */

import { element } from "../dom.js";

// --- controls: one function for each kind

/** @type {(field: FieldSpec, id: string) => Control} */
function textControl(field, id) {
  const input = element("input", {
    id,
    type: "text",
    placeholder: field.placeholder,
    autocomplete: "off",
    inputmode: field.numeric ? "decimal" : undefined,
  });
  /** @type {Node[]} */
  const nodes = [input];
  if (field.choices) {
    const options = field.choices.map((value) => element("option", { value }));
    nodes.push(element("datalist", { id: `${id}-list` }, ...options));
    input.setAttribute("list", `${id}-list`);
  }
  return valueControl(input, nodes);
}

/** @type {(field: FieldSpec, id: string) => Control} */
function longControl(field, id) {
  return valueControl(element("textarea", { id, rows: "4", placeholder: field.placeholder }));
}

/** @type {(field: FieldSpec, id: string) => Control} */
function choiceControl(field, id) {
  const options = (field.options ?? []).map(([value, text]) => element("option", { value, text }));
  return valueControl(element("select", { id }, ...options));
}

/** @type {(node: HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement, nodes?: Node[]) => Control} */
function valueControl(node, nodes = [node]) {
  return {
    nodes,
    main: node,
    get: () => node.value,
    set: (value) => {
      node.value = value;
    },
  };
}

/** @type {(field: FieldSpec, id: string) => Control} */
function switchControl(_, id) {
  const box = element("input", { id, type: "checkbox" });
  return {
    nodes: [box],
    main: box,
    get: () => box.checked,
    set: (value) => {
      box.checked = value;
    },
  };
}

/** @type {(field: FieldSpec, id: string) => Control} */
function fractionControl({ low = 0, high = 1 }, id) {
  const range = element("input", { id, type: "range", min: low, max: high, step: "any" });
  range.value = String((low + high) / 2);
  const number = element("output", { for: id });
  const isSet = element("input", { type: "checkbox" });
  const show = () => {
    range.disabled = !isSet.checked;
    number.textContent = isSet.checked ? Number(range.value).toFixed(2) : "–";
  };
  const label = element("label", {}, isSet, element("span", { text: "Set" }));
  return {
    nodes: [element("div", { class: "musicapi-range" }, range, number, label)],
    main: range,
    get: () => {
      show();
      return isSet.checked ? Math.round(Number(range.value) * 100) / 100 : null;
    },
    set: (value) => {
      isSet.checked = value !== null;
      if (value !== null) range.value = value;
      show();
    },
  };
}

/** @type {(field: FieldSpec, id: string) => Control} */
function choicesControl(field, id) {
  const boxes = (field.choices ?? []).map((value) => element("input", { type: "checkbox", value }));
  const labels = boxes.map((box) =>
    element("label", {}, box, element("span", { text: box.value })),
  );
  const attributes = { id, class: "musicapi-choices", role: "group", tabindex: "-1" };
  const group = element("div", attributes, ...labels);
  return {
    nodes: [group],
    main: group,
    get: () => boxes.filter((box) => box.checked).map((box) => box.value),
    set: (value) => {
      for (const box of boxes) box.checked = value.includes(box.value);
    },
  };
}

/** @type {Record<string, (field: FieldSpec, id: string) => Control>} */
const CONTROLS = {
  text: textControl,
  long: longControl,
  choice: choiceControl,
  switch: switchControl,
  fraction: fractionControl,
  choices: choicesControl,
};

// --- fields

/**
 * Build a field: label, control, and below them help or problem and the length.
 * @param {FieldSpec} field
 * @param {string} id
 * @param {(name: string, value: unknown) => void} changed
 * @returns {FormField}
 */
function createField(field, id, changed) {
  const control = CONTROLS[field.control](field, id);
  const message = element("div", { id: `${id}-message`, class: "musicapi-message" });
  const count = element("div", { class: "musicapi-count" });
  const label = element("label", { id: `${id}-label`, for: id, text: field.label });
  const head =
    field.control === "switch"
      ? [element("div", { class: "musicapi-switch" }, ...control.nodes, label)]
      : [label, ...control.nodes];
  const node = element(
    "div",
    { class: field.wide ? "musicapi-field musicapi-wide" : "musicapi-field" },
    ...head,
    element("div", { class: "musicapi-foot" }, message, count),
  );
  control.main.setAttribute("aria-describedby", message.id);
  if (field.control === "choices") control.main.setAttribute("aria-labelledby", label.id);
  node.addEventListener("input", () => changed(field.name, control.get()));

  /** @param {FieldState} state */
  const show = (state) => {
    node.hidden = !state.shown;
    if (state.chips.length) {
      const chips = state.chips.map((text) => element("span", { class: "musicapi-chip", text }));
      message.replaceChildren(...chips);
    } else if (message.textContent !== state.message || message.children.length) {
      message.textContent = state.message;
    }
    message.dataset.tone = state.tone;
    count.textContent = state.count;
    count.dataset.tone = state.over ? "bad" : "";
    control.main.setAttribute("aria-invalid", String(state.tone === "bad"));
  };
  return { node, control, show };
}

/**
 * Build a button that folds and unfolds nodes; return it with their box.
 * @param {string} label
 * @param {...Node} nodes
 */
function createFold(label, ...nodes) {
  const attributes = { type: "button", class: "musicapi-fold", "aria-expanded": "false" };
  const button = element("button", attributes, label);
  const box = element("div", { hidden: true }, ...nodes);
  button.addEventListener("click", () => {
    box.hidden = !box.hidden;
    button.setAttribute("aria-expanded", String(!box.hidden));
  });
  return [button, box];
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
  /** @type {(name: string, value: unknown) => void} */
  const changed = (name, value) => model.send({ kind: "typed", name, value, view });

  const title = element("div", { class: "musicapi-title" });
  const description = element("div", { class: "musicapi-quiet" });
  const picker = element("div", { class: "musicapi-fields musicapi-picker" });
  const grid = element("div", { class: "musicapi-fields" });
  const code = element("pre", { class: "musicapi-code", tabindex: "0", "aria-label": "As code" });
  const extraSpec = {
    name: "extra",
    label: "Other fields, as JSON",
    control: "long",
    wide: true,
    placeholder: '{"name": "value"}',
  };
  const extra = createField(extraSpec, `musicapi-${view}-extra`, changed);
  const [showExtra, extraBox] = createFold("Other fields", extra.node);
  const [showCode, codeBox] = createFold("Show as code", code);
  const folds = element("div", { class: "musicapi-row" }, showExtra, showCode);
  const summary = element("div", { class: "musicapi-summary", role: "status" });
  const button = element("button", { type: "button", class: "musicapi-buy" });
  el.classList.add("musicapi-form");
  el.append(title, description, picker, grid, folds, extraBox, codeBox, summary, button);

  /** @type {(label: string, name: string, options: [string, string][], selected: string) => void} */
  const addPicker = (label, name, options, selected) => {
    const id = `musicapi-${view}-${name}`;
    const nodes = options.map(([value, text]) => element("option", { value, text }));
    const select = element("select", { id }, ...nodes);
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
    title.replaceChildren(element("span", { class: "musicapi-name", text: spec.title }), ...badges);
    description.textContent = spec.description;
    picker.replaceChildren();
    if (spec.engines.length > 1) addPicker("Engine", "engine", spec.engines, spec.engine);
    if (spec.operations.length > 1) {
      addPicker("Operation", "operation", spec.operations, spec.operation);
    }
    fields = new Map([["extra", extra]]);
    for (const field of spec.fields) {
      fields.set(field.name, createField(field, `musicapi-${view}-${field.name}`, changed));
    }
    grid.replaceChildren(
      ...spec.fields.map((/** @type {FieldSpec} */ { name }) => fields.get(name)?.node),
    );
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

  const show = () => {
    const state = model.get("state");
    for (const [name, field] of Object.entries(state.fields)) fields.get(name)?.show(field);
    code.textContent = state.code;
    const newSummary = JSON.stringify(state.summary);
    if (shownSummary !== newSummary) {
      shownSummary = newSummary; // else a screen reader would read it again
      const notices = state.summary.map((/** @type {string[]} */ [text, tone]) =>
        element("div", { class: "musicapi-notice", text, "data-tone": tone }),
      );
      summary.replaceChildren(...notices);
    }
    if (clickedTurn !== null && state.turn !== clickedTurn) clickedTurn = null;
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
    if (message?.kind !== "refused" || message.turn !== clickedTurn) return;
    clickedTurn = null;
    show();
  };

  button.addEventListener("click", buy);
  model.on("change:spec", drawFields);
  model.on("change:held", fillFromOthers);
  model.on("change:state", show);
  model.on("msg:custom", receive);
  drawFields();
  return () => {
    model.off("change:spec", drawFields);
    model.off("change:held", fillFromOthers);
    model.off("change:state", show);
    model.off("msg:custom", receive);
  };
}

export default { render };
