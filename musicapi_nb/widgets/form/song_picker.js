// @ts-check
// Choosing songs: a search box with a list of the library's songs, and the chosen ones.
/** @import { Control, FieldSpec, SongChoice, SongSearch } from "../types" */

import { element, isolated } from "../dom.js";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const ID = /^(?=.*\d)[\w-]{6,}$/; // what a person may have pasted, rather than a word to search
const SEARCH_AFTER_MS = 150;

/** @type {(text: string) => string[]} */
function splitIds(text) {
  return text.split(/[\s,]+/).filter(Boolean);
}

/** @type {(song: SongChoice) => HTMLElement[]} */
function songNodes({ title, facts, cover, gradient }) {
  const picture = element("span", { class: "musicapi-song-cover" });
  picture.style.background = gradient ?? "";
  if (cover) {
    const image = element("img", { src: cover, alt: "" });
    image.addEventListener("error", () => image.remove());
    picture.append(image);
  }
  const text = element(
    "span",
    { class: "musicapi-song-text" },
    element("span", {}, isolated(title)),
  );
  if (facts) text.append(element("span", { class: "musicapi-quiet" }, isolated(facts)));
  return [picture, text];
}

/** @type {(field: FieldSpec, id: string, search: SongSearch) => Control} */
export function songsControl({ name, label, many, placeholder }, id, search) {
  /** @type {string[]} */
  let ids = [];
  /** @type {SongChoice[]} */
  let offers = [];
  let active = 0;
  /** @type {number | undefined} */
  let timer;
  const chosen = element("div", { class: "musicapi-chosen" });
  const list = element("div", {
    id: `${id}-list`,
    role: "listbox",
    "aria-label": `${label}: results`,
  });
  list.className = "musicapi-offers";
  list.hidden = true;
  const input = element("input", {
    id,
    type: "text",
    placeholder,
    role: "combobox",
    autocomplete: "off",
    "aria-autocomplete": "list",
    "aria-expanded": "false",
    "aria-controls": list.id,
  });
  const note = element("div", { class: "musicapi-quiet", role: "status" });
  const node = element("div", { class: "musicapi-songs" }, chosen, input, list, note);

  const drawChosen = () => {
    const cards = ids.map((songId) => {
      const song = search.song(songId);
      const remove = () => {
        change(ids.filter((other) => other !== songId));
        drawChosen();
      };
      const attributes = { type: "button", class: "musicapi-remove", text: "✕", onclick: remove };
      const button = element("button", { ...attributes, "aria-label": `Remove ${song.title}` });
      return element("div", { class: "musicapi-song" }, ...songNodes(song), button);
    });
    chosen.replaceChildren(...cards);
  };
  /** @type {(value: string[]) => void} */
  const change = (value) => {
    ids = [...new Set(value)];
    node.dispatchEvent(new Event("input", { bubbles: true }));
  };
  /** @type {(added: string[]) => void} */
  const choose = (added) => {
    input.value = "";
    change(many ? [...ids, ...added] : added.slice(-1));
    close();
  };
  const close = () => {
    clearTimeout(timer);
    drawChosen();
    list.hidden = true;
    list.replaceChildren();
    note.textContent = "";
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const drawOffers = () => {
    const options = offers.map((song, index) => {
      const attributes = { id: `${id}-${index}`, role: "option", class: "musicapi-song" };
      const option = element("div", attributes, ...songNodes(song));
      option.setAttribute("aria-selected", String(index === active));
      option.addEventListener("mousedown", (event) => {
        event.preventDefault(); // the input keeps the focus
        choose([song.id]);
      });
      return option;
    });
    list.replaceChildren(...options);
    list.hidden = !options.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    if (list.hidden) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", options[active].id);
    options[active]?.scrollIntoView({ block: "nearest" });
  };
  const find = () => {
    clearTimeout(timer);
    timer = setTimeout(() => search.find(name, input.value.trim()), SEARCH_AFTER_MS);
  };

  input.addEventListener("input", (event) => {
    event.stopPropagation(); // it is a search, not the value
    const parts = splitIds(input.value);
    if (parts.length && parts.every((part) => UUID.test(part))) choose(parts);
    else find();
  });
  input.addEventListener("focus", find);
  input.addEventListener("blur", () => {
    const parts = splitIds(input.value);
    if (parts.length && parts.every((part) => ID.test(part))) {
      input.value = "";
      change(many ? [...ids, ...parts] : parts.slice(-1));
    }
    // If the pointer is pressed, nothing may move before the click has reached its target.
    window.addEventListener("pointerup", () => setTimeout(close), { once: true });
  });
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && offers.length) {
      event.preventDefault();
      active = list.hidden ? 0 : (active + step + offers.length) % offers.length;
      drawOffers();
    } else if (event.key === "Enter" && !list.hidden) {
      choose([offers[active].id]);
    } else if (event.key === "Escape" && !list.hidden) {
      event.stopPropagation();
      close();
    } else if (event.key === "Tab") {
      setTimeout(close); // after the blur
    } else if (event.key === "Backspace" && !input.value && ids.length) {
      change(ids.slice(0, -1));
      drawChosen();
    }
  });

  return {
    nodes: [node],
    main: input,
    get: () => ids.join(", "),
    set: (value) => {
      ids = splitIds(value);
      drawChosen();
    },
    redraw: drawChosen,
    offer: (text, songs) => {
      if (text !== input.value.trim() || !input.matches(":focus")) return;
      const typed = { id: text, title: `Use “${text}” as the id of a song`, facts: "" };
      offers = songs.length || splitIds(text).length !== 1 ? songs : [typed];
      active = 0;
      drawOffers();
      note.textContent = offers.length ? "" : text ? "No song matches." : "No songs yet.";
    },
  };
}
