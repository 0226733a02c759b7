// @ts-check
// Audio blobs, peaks and details of songs: one store for each model, shared by its views.
/** @import { Model, Store } from "../types" */

import { element } from "../dom.js";

const RELEASE_AFTER = 60_000; // ms, for the browser to read a file that it saves
const MAX_BLOBS = 6; // songs whose audio is kept in memory
const MEDIA_TYPES = new Set(["audio/mpeg", "audio/wav", "audio/mp4", "audio/flac", "audio/ogg"]);
/** @type {WeakMap<Model, Store>} */
const stores = new WeakMap();

/**
 * Return the store of a model. If the list of songs is a new one, audio and peaks of the songs that
 * are still in it are kept.
 * @param {Model} model
 * @returns {Store}
 */
export function storeOf(model) {
  const { generation, details, key } = model.get("_songs");
  let store = stores.get(model);
  if (!store) {
    const maps = { blobs: new Map(), peaks: new Map(), details: new Map() };
    store = { generation: -1, keys: [], views: 0, ...maps };
    stores.set(model, store);
  }
  if (store.generation !== generation) {
    const moved = places(store.keys, key);
    for (const [index, url] of store.blobs) {
      if (moved(index) === null) URL.revokeObjectURL(url);
    }
    store.blobs = rekeyed(store.blobs, moved);
    store.peaks = rekeyed(store.peaks, moved);
    store.generation = generation;
    store.keys = key;
    store.details = new Map(
      Object.entries(details).map(([index, detail]) => [Number(index), detail]),
    );
  }
  return store;
}

/**
 * Return the function that maps the index of a song in one list to that in another, or to null.
 * @param {string[]} before keys of the songs
 * @param {string[]} after
 * @returns {(index: number | null) => number | null}
 */
export function places(before, after) {
  const indices = new Map(after.map((key, index) => [key, index]));
  return (index) => (index === null ? null : (indices.get(before[index]) ?? null));
}

/**
 * @template Value
 * @param {Map<number, Value>} map
 * @param {(index: number) => number | null} moved
 * @returns {Map<number, Value>}
 */
function rekeyed(map, moved) {
  /** @type {Map<number, Value>} */
  const result = new Map();
  for (const [index, value] of map) {
    const place = moved(index);
    if (place !== null) result.set(place, value);
  }
  return result;
}

/** @param {Store} store */
export function releaseBlobs(store) {
  for (const url of store.blobs.values()) URL.revokeObjectURL(url);
  store.blobs.clear();
}

/**
 * @param {string} mediaType
 * @param {Uint8Array<ArrayBuffer>} bytes
 */
function blobOf(mediaType, bytes) {
  const type = MEDIA_TYPES.has(mediaType) ? mediaType : "audio/mpeg";
  return URL.createObjectURL(new Blob([bytes], { type }));
}

/**
 * Let the browser save a sound file in its downloads.
 * @param {string} name
 * @param {string} mediaType
 * @param {Uint8Array<ArrayBuffer>} bytes
 */
export function download(name, mediaType, bytes) {
  const url = blobOf(mediaType, bytes);
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), RELEASE_AFTER);
}

/**
 * Keep a song's audio and release the one that was used least recently.
 * @param {Store} store
 * @param {number} index
 * @param {string} mediaType
 * @param {Uint8Array<ArrayBuffer>} bytes
 */
export function storeBlob(store, index, mediaType, bytes) {
  if (!store.blobs.has(index)) store.blobs.set(index, blobOf(mediaType, bytes));
  for (const [oldest, url] of store.blobs) {
    if (store.blobs.size <= MAX_BLOBS) break;
    URL.revokeObjectURL(url);
    store.blobs.delete(oldest);
  }
}

/**
 * Return the URL of a song's blob and mark it as used most recently.
 * @param {Store} store
 * @param {number} index
 */
export function blobUrl(store, index) {
  const url = store.blobs.get(index);
  if (url !== undefined) {
    store.blobs.delete(index);
    store.blobs.set(index, url);
  }
  return url;
}

/**
 * @param {DataView<ArrayBuffer>} view
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function bytesOf(view) {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
