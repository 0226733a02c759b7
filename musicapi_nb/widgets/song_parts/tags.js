// @ts-check
// The tags of a song as chips, marked by what became of the requested tags.
/** @import { Songs } from "../types" */

import { element, isolated } from "../dom.js";

export const FATES = ["", "kept", "added", "dropped"]; // by the two low bits of a tag code
const FATE_SIGNS = ["", "✓ ", "+ ", "− "];

/**
 * Return the chips of a song's tags.
 * @param {Songs} songs
 * @param {number} index
 */
export function tagChips(songs, index) {
  return songs.tags[index].map((code) => {
    const fate = FATES[code & 3];
    const name = isolated(songs.tag_names[code >> 2]);
    const attributes = { class: `mnb-chip mnb-${fate || "plain"}`, title: fate || undefined };
    return element("span", attributes, FATE_SIGNS[code & 3], name);
  });
}
