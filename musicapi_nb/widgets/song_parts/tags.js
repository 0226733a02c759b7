// @ts-check
// The tags of a song as chips, marked by what became of the requested tags.
/** @import { Songs } from "../types" */

import { element, isolated } from "../dom.js";

const FATES = ["", "kept", "split", "added", "dropped"]; // by the three low bits of a tag code
/** @type {Record<string, string>} */
const FATE_SIGNS = { kept: "✓ ", split: "½ ", added: "+ ", dropped: "− " };

/** @param {number} code */
export function fateOf(code) {
  return FATES[code & 7];
}

/**
 * Return the index of a code's tag in `tag_names`.
 * @param {number} code
 */
export function tagOf(code) {
  return code >> 3;
}

/**
 * Return the chips of a song's tags.
 * @param {Songs} songs
 * @param {number} index
 */
export function tagChips(songs, index) {
  return songs.tags[index].map((code) => {
    const fate = fateOf(code);
    const name = isolated(songs.tag_names[tagOf(code)]);
    const attributes = { class: `mnb-chip mnb-${fate || "plain"}`, title: fate || undefined };
    return element("span", attributes, FATE_SIGNS[fate] ?? "", name);
  });
}
