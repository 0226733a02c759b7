// @ts-check
// Audio blobs, peaks and details of songs: one store for each model, shared by its views.
/** @import { Model, Store } from "../types" */

const MAX_BLOBS = 6; // songs whose audio is kept in memory
const MEDIA_TYPES = new Set(["audio/mpeg", "audio/wav", "audio/mp4", "audio/flac", "audio/ogg"]);
/** @type {WeakMap<Model, Store>} */
const stores = new WeakMap();

/**
 * Return the store of a model, emptied if the list of songs is a new one.
 * @param {Model} model
 * @returns {Store}
 */
export function storeOf(model) {
  const { generation, details } = model.get("_songs");
  let store = stores.get(model);
  if (!store) {
    store = { generation: -1, views: 0, blobs: new Map(), peaks: new Map(), details: new Map() };
    stores.set(model, store);
  }
  if (store.generation !== generation) {
    releaseBlobs(store);
    store.generation = generation;
    store.peaks = new Map();
    store.details = new Map(
      Object.entries(details).map(([index, detail]) => [Number(index), detail]),
    );
  }
  return store;
}

/** @param {Store} store */
export function releaseBlobs(store) {
  for (const url of store.blobs.values()) URL.revokeObjectURL(url);
  store.blobs.clear();
}

/**
 * Keep a song's audio and release the one that was used least recently.
 * @param {Store} store
 * @param {number} index
 * @param {string} mediaType
 * @param {Uint8Array<ArrayBuffer>} bytes
 */
export function storeBlob(store, index, mediaType, bytes) {
  if (!store.blobs.has(index)) {
    const type = MEDIA_TYPES.has(mediaType) ? mediaType : "audio/mpeg";
    store.blobs.set(index, URL.createObjectURL(new Blob([bytes], { type })));
  }
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
