// The form's front end. It draws what Python declares and sends what a person does.
//
// Everything travels as messages, not as synced state: state waits for the kernel's "idle", which
// ipykernel 7.4 never sends for what is typed while a cell awaits, and then stays unsent for ever.
// Messages keep their order, so a click comes after every keystroke before it: what is bought is
// what stood on the screen. Each turn buys once, however often and from whichever view.
function make(tag, props = {}, ...children) {
  const { className, text, ...attributes } = props;
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

// Each kind gives the nodes of a control, what it holds, and a way to set that.
function textControl(field, id) {
  const node = make("input", {
    id, type: "text", placeholder: field.placeholder, autocomplete: "off",
    inputmode: field.numeric ? "decimal" : undefined,
  });
  const nodes = [node];
  if (field.choices) {
    const list = make("datalist", { id: `${id}-list` });
    for (const each of field.choices) list.append(make("option", { value: each }));
    node.setAttribute("list", list.id);
    nodes.push(list);
  }
  return { nodes, main: node, get: () => node.value, set: (value) => (node.value = value) };
}

function longControl(field, id) {
  const node = make("textarea", { id, rows: "4", placeholder: field.placeholder });
  return { nodes: [node], main: node, get: () => node.value, set: (value) => (node.value = value) };
}

function choiceControl(field, id) {
  const node = make("select", { id });
  for (const [value, label] of field.options) node.append(make("option", { value, text: label }));
  return { nodes: [node], main: node, get: () => node.value, set: (value) => (node.value = value) };
}

function switchControl(field, id) {
  const node = make("input", { id, type: "checkbox" });
  return {
    nodes: [node], main: node, get: () => node.checked, set: (value) => (node.checked = value),
  };
}

function fractionControl(field, id) {
  const { low, high } = field;
  const range = make("input", { id, type: "range", min: low, max: high, step: "any" });
  range.value = (low + high) / 2;
  const number = make("output", { for: id });
  const given = make("input", { type: "checkbox" });
  const show = () => {
    range.disabled = !given.checked;
    number.textContent = given.checked ? Number(range.value).toFixed(2) : "–";
  };
  const held = () => {
    show();
    return given.checked ? Math.round(Number(range.value) * 100) / 100 : null;
  };
  const row = make("div", { className: "musicapi-range" }, range, number,
    make("label", {}, given, make("span", { text: "Set" })));
  return {
    nodes: [row], main: range, get: held,
    set: (value) => {
      given.checked = value !== null;
      if (value !== null) range.value = value;
      show();
    },
  };
}

function choicesControl(field, id) {
  const boxes = field.choices.map((value) => make("input", { type: "checkbox", value }));
  const labels = boxes.map((box) => make("label", {}, box, make("span", { text: box.value })));
  const group = make("div", { id, className: "musicapi-choices", role: "group", tabindex: "-1" },
    ...labels);
  return {
    nodes: [group], main: group,
    get: () => boxes.filter((box) => box.checked).map((box) => box.value),
    set: (value) => boxes.forEach((box) => (box.checked = value.includes(box.value))),
  };
}

const KINDS = {
  text: textControl, long: longControl, choice: choiceControl, switch: switchControl,
  fraction: fractionControl, choices: choicesControl,
};

function makeField(field, id, typed) {
  const control = KINDS[field.control](field, id);
  const said = make("div", { id: `${id}-said`, className: "musicapi-said" });
  const count = make("div", { className: "musicapi-count" });
  const label = make("label", { id: `${id}-label`, for: id, text: field.label });
  const isSwitch = field.control === "switch";
  const head = isSwitch
    ? [make("div", { className: "musicapi-switch" }, ...control.nodes, label)]
    : [label, ...control.nodes];
  const node = make("div", { className: field.wide ? "musicapi-field musicapi-wide" : "musicapi-field" },
    ...head, make("div", { className: "musicapi-foot" }, said, count));
  control.main.setAttribute("aria-describedby", said.id);
  if (field.control === "choices") control.main.setAttribute("aria-labelledby", label.id);
  node.addEventListener("input", () => typed(field.name, control.get()));

  const show = (state) => {
    node.hidden = !state.shown;
    if (state.chips.length) {
      const chips = state.chips.map((text) => make("span", { className: "musicapi-chip", text }));
      said.replaceChildren(...chips);
    } else if (said.textContent !== state.said || said.children.length) {
      said.textContent = state.said;
    }
    said.dataset.tone = state.tone;
    count.textContent = state.count;
    count.dataset.tone = state.over ? "bad" : "";
    control.main.setAttribute("aria-invalid", String(state.tone === "bad"));
  };
  return { node, control, show };
}

function folded(label, ...inside) {
  const button = make("button", {
    type: "button", className: "musicapi-fold", text: label, "aria-expanded": "false",
  });
  const box = make("div", { hidden: true }, ...inside);
  button.addEventListener("click", () => {
    box.hidden = !box.hidden;
    button.setAttribute("aria-expanded", String(!box.hidden));
  });
  return [button, box];
}

function render({ model, el }) {
  const view = Math.random().toString(36).slice(2);
  let fields = new Map();
  let clicked = null;
  let said = null;
  const typed = (name, value) => model.send({ kind: "typed", name, value, view });

  const title = make("div", { className: "musicapi-title" });
  const gist = make("div", { className: "musicapi-quiet" });
  const picker = make("div", { className: "musicapi-fields musicapi-picker" });
  const grid = make("div", { className: "musicapi-fields" });
  const code = make("pre", { className: "musicapi-code", tabindex: "0", "aria-label": "As code" });
  const extra = makeField({ name: "extra", label: "Other fields, as JSON", control: "long",
    wide: true, placeholder: '{"name": "value"}' }, `musicapi-${view}-extra`, typed);
  const [showExtra, extraBox] = folded("Other fields", extra.node);
  const [showCode, codeBox] = folded("Show as code", code);
  const summary = make("div", { className: "musicapi-summary", role: "status" });
  const button = make("button", { type: "button", className: "musicapi-buy" });
  el.classList.add("musicapi-form");
  el.append(title, gist, picker, grid,
    make("div", { className: "musicapi-row" }, showExtra, showCode), extraBox, codeBox, summary,
    button);

  const pick = (label, name, options, chosen) => {
    const select = make("select", { id: `musicapi-${view}-${name}` });
    for (const [value, text] of options) select.append(make("option", { value, text }));
    select.value = chosen;
    select.addEventListener("change", () => model.send({ kind: "pick", [name]: select.value }));
    picker.append(make("div", { className: "musicapi-field" },
      make("label", { for: select.id, text: label }), select));
  };
  const drawFields = () => {
    const spec = model.get("spec");
    fields = new Map([["extra", extra]]);
    title.replaceChildren(make("span", { className: "musicapi-name", text: spec.title }),
      ...spec.badges.map(([text, tone]) =>
        make("span", { className: "musicapi-badge", text, "data-tone": tone })));
    gist.textContent = spec.gist;
    picker.replaceChildren();
    if (spec.engines.length > 1) pick("Engine", "engine", spec.engines, spec.engine);
    if (spec.operations.length > 1) pick("Operation", "operation", spec.operations, spec.operation);
    grid.replaceChildren(...spec.fields.map((field) => {
      const made = makeField(field, `musicapi-${view}-${field.name}`, typed);
      fields.set(field.name, made);
      return made.node;
    }));
    fill(true);
    show();
  };
  // What Python holds, as after a reload or where another view was typed into.
  const fill = (all) => {
    const held = model.get("held");
    if (!all && held.view === view) return;
    for (const [name, value] of Object.entries(held.values)) {
      const control = fields.get(name)?.control;
      if (!control) continue;
      if (JSON.stringify(control.get()) !== JSON.stringify(value)) control.set(value);
    }
  };
  const show = () => {
    const state = model.get("state");
    for (const [name, each] of Object.entries(state.fields)) fields.get(name)?.show(each);
    code.textContent = state.code;
    if (said !== JSON.stringify(state.summary)) {  // drawn anew, it would be read aloud anew
      said = JSON.stringify(state.summary);
      summary.replaceChildren(...state.summary.map(([text, tone]) =>
        make("div", { className: "musicapi-notice", text, "data-tone": tone })));
    }
    if (clicked !== null && state.turn !== clicked) clicked = null;
    button.textContent = state.label;
    button.disabled = !state.ready || clicked !== null;
    button.setAttribute("aria-busy", String(state.busy));
  };
  const click = () => {
    const { ready, turn, price } = model.get("state");
    if (!ready || clicked !== null) return;
    clicked = turn;
    button.setAttribute("aria-busy", "true");
    model.send({ kind: "buy", turn, price });
  };
  const answered = (message) => {
    if (message?.kind !== "no" || message.turn !== clicked) return;
    clicked = null;
    show();
  };
  const refill = () => fill(false);

  button.addEventListener("click", click);
  model.on("change:spec", drawFields);
  model.on("change:held", refill);
  model.on("change:state", show);
  model.on("msg:custom", answered);
  drawFields();
  return () => {
    model.off("change:spec", drawFields);
    model.off("change:held", refill);
    model.off("change:state", show);
    model.off("msg:custom", answered);
  };
}

export default { render };
