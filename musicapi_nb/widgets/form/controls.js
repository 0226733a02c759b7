// @ts-check
// The controls of the form: one function for each kind, which returns its nodes and its value.
/** @import { Control, FieldSpec, SongChoice, SongSearch } from "../types" */

import { element } from "../dom.js";
import { songsControl } from "./song_picker.js";

const OTHER = "\u0000other";

/** @type {(field: FieldSpec, id: string) => Control} */
function textControl(field, id) {
  const input = element("input", {
    id,
    type: "text",
    placeholder: field.placeholder,
    autocomplete: "off",
    inputmode: field.numeric ? "decimal" : undefined,
  });
  return valueControl(input);
}

/** @type {(field: FieldSpec, id: string) => Control} */
function longControl(field, id) {
  return valueControl(element("textarea", { id, rows: "4", placeholder: field.placeholder }));
}

/** @type {(node: HTMLInputElement | HTMLTextAreaElement) => Control} */
function valueControl(node) {
  return {
    nodes: [node],
    main: node,
    get: () => node.value,
    set: (value) => {
      node.value = value;
    },
  };
}

/**
 * A list to choose from. With `other`, a value that is not listed can be typed.
 * @type {(field: FieldSpec, id: string) => Control}
 */
function choiceControl({ options = [], other, label }, id) {
  const nodes = options.map(([value, text]) => element("option", { value, text }));
  if (other) nodes.push(element("option", { value: OTHER, text: "Other…" }));
  const select = element("select", { id }, ...nodes);
  const name = `Other: ${label}`;
  const input = element("input", { type: "text", "aria-label": name, placeholder: "its name" });
  const showInput = () => {
    input.hidden = select.value !== OTHER;
  };
  select.addEventListener("input", () => {
    showInput();
    if (!input.hidden) input.focus();
  });
  showInput();
  return {
    nodes: other ? [select, input] : [select],
    main: select,
    get: () => (select.value === OTHER ? input.value : select.value),
    set: (value) => {
      const isListed = options.some(([listed]) => listed === value);
      select.value = isListed ? value : OTHER;
      if (!isListed) input.value = value;
      showInput();
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
function tabsControl({ options = [], label }, id) {
  const node = element("div", { id, class: "musicapi-tabs", role: "tablist", "aria-label": label });
  let selected = 0;
  /** @type {(index: number) => void} */
  const select = (index) => {
    selected = index;
    for (const [number, tab] of tabs.entries()) {
      tab.setAttribute("aria-selected", String(number === index));
      tab.tabIndex = number === index ? 0 : -1;
    }
  };
  /** @type {(index: number) => void} */
  const choose = (index) => {
    if (index === selected) return;
    select(index);
    tabs[index].focus();
    node.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const tabs = options.map(([, text], index) =>
    element("button", { type: "button", role: "tab", text, onclick: () => choose(index) }),
  );
  node.append(...tabs);
  node.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation(); // the notebook has keys of its own
    choose((selected + step + tabs.length) % tabs.length);
  });
  select(0);
  return {
    nodes: [node],
    main: node,
    get: () => options[selected][0],
    set: (value) => select(options.findIndex(([listed]) => listed === value)),
  };
}

/** @type {(field: FieldSpec, id: string) => Control} */
function fractionControl({ low = 0, high = 1, label }, id) {
  const range = element("input", { id, type: "range", min: low, max: high, step: "any" });
  range.value = String((low + high) / 2);
  const number = element("output", { for: id });
  const isSet = element("input", { type: "checkbox", "aria-label": `Set it myself: ${label}` });
  const show = () => {
    range.disabled = !isSet.checked;
    number.textContent = isSet.checked ? Number(range.value).toFixed(2) : "–";
  };
  const setLabel = element("label", {}, isSet, element("span", { text: "Set it myself" }));
  return {
    nodes: [element("div", { class: "musicapi-range" }, range, number, setLabel)],
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
function choicesControl({ options = [] }, id) {
  const boxes = options.map(([value]) => element("input", { type: "checkbox", value }));
  const labels = boxes.map((box, index) =>
    element("label", {}, box, element("span", { text: options[index][1] })),
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

/** @type {Record<string, (field: FieldSpec, id: string, search: SongSearch) => Control>} */
const CONTROLS = {
  text: textControl,
  long: longControl,
  choice: choiceControl,
  switch: switchControl,
  tabs: tabsControl,
  fraction: fractionControl,
  choices: choicesControl,
  songs: songsControl,
};

/** @type {(field: FieldSpec, id: string, search: SongSearch) => Control} */
export function createControl(field, id, search) {
  return CONTROLS[field.control](field, id, search);
}
