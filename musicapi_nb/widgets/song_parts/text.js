// @ts-check
// Text of numbers, and the check of URLs. No DOM.

/** @param {number | null | undefined} seconds */
export function minutes(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–:––";
  const total = Math.round(seconds);
  const rest = String(total % 60).padStart(2, "0");
  if (total < 3600) return `${Math.floor(total / 60)}:${rest}`;
  const minute = String(Math.floor(total / 60) % 60).padStart(2, "0");
  return `${Math.floor(total / 3600)}:${minute}:${rest}`;
}

/** @param {number} number */
export function songCount(number) {
  return `${number.toLocaleString("en")} song${number === 1 ? "" : "s"}`;
}

const PICTURE = /^data:image\/(jpeg|png|webp);base64,[A-Za-z0-9+/]+={0,2}$/;

/**
 * Return the URL of a cover: a picture that Python made, or what `safeUrl` accepts; else null.
 * @param {string | null | undefined} url
 * @param {number | boolean} simulated
 */
export function coverUrl(url, simulated) {
  return PICTURE.test(url ?? "") ? (url ?? null) : safeUrl(url, simulated);
}

/**
 * Return the URL if a page may load it, else null: https, or http on this machine for songs of
 * the simulator.
 * @param {string | null | undefined} url
 * @param {number | boolean} simulated
 */
export function safeUrl(url, simulated) {
  try {
    const { protocol, hostname, username, password } = new URL(url ?? "");
    if (username || password) return null;
    if (protocol === "https:") return url ?? null;
    const loopback = ["127.0.0.1", "localhost", "[::1]"].includes(hostname);
    return protocol === "http:" && simulated && loopback ? (url ?? null) : null;
  } catch {
    return null;
  }
}
