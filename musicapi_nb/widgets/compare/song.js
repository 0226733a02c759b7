// @ts-check
// One song of the board: cover to play, title, length, stars, tags.
/** @import { BoardSong, Detail, SongActions, Songs } from "../types" */

import { element, isolated } from "../dom.js";
import { createCoverPlayer, createRating, nameOf, showCover } from "../song_parts/controls.js";
import { tagChips } from "../song_parts/tags.js";
import { minutes } from "../song_parts/text.js";

const VISIBLE_TAGS = 6;

/**
 * @param {Songs} songs
 * @param {number} index
 * @param {string} label what tells it from the other songs of its place
 * @param {SongActions} actions
 * @returns {BoardSong}
 */
export function createBoardSong(songs, index, label, actions) {
  const isPlayable = Boolean(songs.playable[index]);
  const player = isPlayable ? createCoverPlayer(songs, index, actions) : null;
  const rating = isPlayable ? createRating(songs, index, actions) : null;
  const reason = element("div", { class: "mnb-reason", role: "alert" });
  const length = songs.seconds[index] === null ? "" : minutes(songs.seconds[index]);
  const facts = [length, songs.position[index], label].filter(Boolean).join(" · ");
  const name = [nameOf(songs, index), label].filter(Boolean).join(", ");
  const node = element(
    "div",
    {
      class: "mnb-song",
      role: "group",
      tabindex: "-1",
      "aria-label": `Song ${name}`,
      "data-index": index,
    },
    player ? player.node : "",
    element(
      "div",
      { class: "mnb-song-text" },
      element("div", { class: "mnb-song-title", title: songs.title[index] }, songs.title[index]),
      element("div", { class: "mnb-song-facts" }, isolated(facts), rating ? rating.status : ""),
      songs.measured[index]
        ? element("div", { class: "mnb-song-facts" }, isolated(songs.measured[index]))
        : "",
    ),
    rating ? rating.node : "",
    tagRow(songs, index),
    reason,
  );
  return { node, reason, player, rating };
}

/**
 * @param {Songs} songs
 * @param {number} index
 */
function tagRow(songs, index) {
  const all = tagChips(songs, index);
  const hidden = all.length > VISIBLE_TAGS + 1 ? all.slice(VISIBLE_TAGS) : [];
  const shown = all.slice(0, all.length - hidden.length);
  const box = element("div", { class: "mnb-chips" }, ...shown);
  if (hidden.length) {
    const more = element(
      "button",
      {
        type: "button",
        class: "mnb-link",
        tabindex: "-1",
        onclick: () => {
          more.replaceWith(...hidden);
          /** @type {HTMLElement | null} */ (box.closest(".mnb-song"))?.focus();
        },
      },
      `+ ${hidden.length} tags`,
    );
    box.append(more);
  }
  return box;
}

/**
 * Put in a song what came from Python after it was drawn.
 * @param {BoardSong} song
 * @param {Detail} detail
 * @param {number} simulated
 * @param {boolean} withCover
 */
export function fillBoardSong(song, detail, simulated, withCover) {
  if (detail.no_audio) {
    song.reason.replaceChildren(isolated(detail.no_audio));
    song.player?.node.remove();
    song.player = null;
  } else if (withCover && song.player) showCover(song.player.node, detail, simulated);
}
