// @ts-check
// Creating DOM nodes. Text of the service is always set as text, never as markup.

/**
 * Create an element. `class` sets the class, `text` the text content, `on...` adds a listener;
 * false and undefined leave an attribute out.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === undefined) continue;
    if (name === "class") node.className = value;
    else if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== ""));
  return node;
}

/**
 * Wrap foreign text so that its writing direction does not affect the text around it.
 * @param {string} text
 */
export function isolated(text) {
  return element("bdi", {}, text);
}

/**
 * @param {string[]} texts
 * @returns {(Node | string)[]}
 */
export function separated(texts) {
  return texts.flatMap((text, index) => (index ? [" · ", isolated(text)] : [isolated(text)]));
}
