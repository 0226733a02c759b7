import assert from "node:assert/strict";
import { test } from "node:test";

import {
  blobUrl,
  bytesOf,
  releaseBlobs,
  storeBlob,
  storeOf,
} from "../../musicapi_nb/widgets/song_parts/store.js";

/**
 * A model with nothing but its songs.
 * @param {number} generation
 * @returns {any}
 */
function fakeModel(generation) {
  const key = ["a", "b", "c", "d", "e", "f", "g"];
  const songs = () => ({ generation: model.generation, key: model.key, details: { 3: "detail" } });
  return { generation, key, get: songs };
}
let model = fakeModel(1);

test("views of a model share a store, which follows the songs into a new list", () => {
  model = fakeModel(1);
  const store = storeOf(model);
  assert.equal(store.details.get(3), "detail");
  store.peaks.set(0, new Float32Array(1));
  storeBlob(store, 0, "audio/wav", new Uint8Array(4));
  assert.equal(storeOf(model), store);
  assert.equal(store.peaks.size, 1);
  storeBlob(store, 1, "audio/wav", new Uint8Array(4));
  const url = store.blobs.get(1);
  model.generation = 2;
  model.key = ["new", "b", "c"]; // "a" is gone
  assert.equal(storeOf(model), store);
  assert.equal(store.peaks.size, 0);
  assert.deepEqual([...store.blobs], [[1, url]]);
  model.generation = 3;
  model.key = ["newer", "new", "b"];
  assert.deepEqual([...storeOf(model).blobs], [[2, url]]);
});

test("of seven songs, the one used least recently is released", () => {
  model = fakeModel(1);
  const store = storeOf(model);
  for (let index = 0; index < 6; index += 1) {
    storeBlob(store, index, "audio/mpeg", new Uint8Array(1));
  }
  const first = store.blobs.get(0);
  assert.equal(blobUrl(store, 0), first);
  storeBlob(store, 6, "text/html", new Uint8Array(1)); // an unknown type becomes audio
  assert.deepEqual([...store.blobs.keys()], [2, 3, 4, 5, 0, 6]);
  assert.equal(blobUrl(store, 1), undefined);
  releaseBlobs(store);
  assert.equal(store.blobs.size, 0);
});

test("bytes of a view are those of its part of the buffer", () => {
  const buffer = new Uint8Array([9, 1, 2, 9]).buffer;
  assert.deepEqual([...bytesOf(new DataView(buffer, 1, 2))], [1, 2]);
});
