// @ts-check
// Shows a widget in the place of static cards. The output itself stays static HTML, which is what a
// notebook saves; it names the widget in an attribute. Without a living kernel, the cards are back.
/** @import { Model } from "../types" */

import { element } from "../dom.js";

const ATTRIBUTE = "data-musicapi-songs";
const MOVE_TIME = 1_000; // ms; a notebook takes outputs out of the page and puts them back
const OUTPUT = "jp-RenderedHTMLCommon"; // its rules are for text, and would change buttons and tables

/** @typedef {(place: HTMLElement) => void} Show */

/**
 * Return the widgets of the page by their name, shared by all of them: each has its own copy of
 * this module. One observer looks for outputs that are drawn later.
 * @returns {Map<string, Show>}
 */
function widgetsOfPage() {
  const page = /** @type {{ musicapiSongs?: Map<string, Show> }} */ (globalThis);
  if (page.musicapiSongs) return page.musicapiSongs;
  /** @type {Map<string, Show>} */
  const widgets = new Map();
  const observer = new MutationObserver((records) => {
    for (const { addedNodes } of records) {
      for (const node of addedNodes) {
        if (node instanceof HTMLElement) showAll(widgets, node);
      }
    }
  });
  observer.observe(document.body, { childList: true, subtree: true });
  page.musicapiSongs = widgets;
  return widgets;
}

/**
 * @param {Map<string, Show>} widgets
 * @param {HTMLElement} root
 */
function showAll(widgets, root) {
  const places = [...root.querySelectorAll(`[${ATTRIBUTE}]`), root];
  for (const place of /** @type {HTMLElement[]} */ (places)) {
    widgets.get(place.getAttribute(ATTRIBUTE) ?? "")?.(place);
  }
}

/**
 * Show a widget wherever the page has static cards that name it, until its kernel ends.
 * @param {Model} model
 * @param {(root: HTMLElement) => () => void} createView returns what closes the view
 * @returns {Promise<() => void>} what takes it out of the page
 */
export async function showInPlace(model, createView) {
  const name = model.get("_in_place");
  const manager = model.widget_manager;
  const widget = await manager.get_model(name);
  const forms = await manager.get_model(model.get("_songs").forms_model);
  /** @type {Map<HTMLElement, () => void>} */
  const closers = new Map();

  const close = () => {
    for (const restore of [...closers.values()]) restore();
  };
  /** @type {Show} */
  const show = (place) => {
    if (closers.has(place) || !widget.comm_live) return;
    const cards = [...place.childNodes];
    const songs = element("div");
    const below = element("div");
    place.replaceChildren(songs, below);
    const output = place.closest(`.${OUTPUT}`);
    output?.classList.remove(OUTPUT);
    const closeView = createView(songs);
    const removeForms = attach(manager.create_view(forms), below);
    const watch = setInterval(() => {
      if (!place.isConnected) restore();
    }, MOVE_TIME);
    const restore = () => {
      clearInterval(watch);
      closers.delete(place);
      closeView();
      removeForms();
      place.replaceChildren(...cards);
      output?.classList.add(OUTPUT);
    };
    closers.set(place, restore);
  };
  const update = () => (widget.comm_live ? showAll(widgets, document.body) : close());

  const widgets = widgetsOfPage();
  widgets.set(name, show);
  widget.on("comm_live_update", update);
  update();
  return () => {
    widget.off("comm_live_update", update);
    widgets.delete(name);
    close();
  };
}

/**
 * Attach the view of another widget, as Lumino does, which is not within reach here.
 * @param {Promise<import("../types").WidgetView>} created
 * @param {HTMLElement} area
 */
function attach(created, area) {
  created.then(({ luminoWidget }) => {
    luminoWidget.processMessage({ type: "before-attach" });
    area.append(luminoWidget.node);
    luminoWidget.processMessage({ type: "after-attach" });
  });
  return () => created.then((view) => view.remove());
}
