// @ts-check
// Text of numbers, and the check of URLs. No DOM.
/** @import { Measure } from "../types" */

/** @param {number | null | undefined} seconds */
export function minutes(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–:––";
  const total = Math.round(seconds);
  const rest = String(total % 60).padStart(2, "0");
  if (total < 3600) return `${Math.floor(total / 60)}:${rest}`;
  const minute = String(Math.floor(total / 60) % 60).padStart(2, "0");
  return `${Math.floor(total / 3600)}:${minute}:${rest}`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun"].concat(
  ["Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], // English, whatever the locale
);
const DAY = 86_400_000; // ms

/**
 * Format a time in this computer's zone: "today 14:05", "yesterday 14:05", "29 Nov, 14:05", or
 * with the year if it is a past one.
 * @param {number | null | undefined} seconds since 1970
 * @param {Date} now
 */
export function localTime(seconds, now = new Date()) {
  if (seconds === null || seconds === undefined) return "";
  const when = new Date(seconds * 1000);
  const clock = [when.getHours(), when.getMinutes()].map((part) => String(part).padStart(2, "0"));
  const time = clock.join(":");
  if (when.toDateString() === now.toDateString()) return `today ${time}`;
  if (when.toDateString() === new Date(now.getTime() - DAY).toDateString()) {
    return `yesterday ${time}`;
  }
  const day = `${when.getDate()} ${MONTHS[when.getMonth()]}`;
  return when.getFullYear() === now.getFullYear()
    ? `${day}, ${time}`
    : `${day} ${when.getFullYear()}`;
}

/** @param {number} number */
export function songCount(number) {
  return `${number.toLocaleString("en")} song${number === 1 ? "" : "s"}`;
}

/**
 * Return a measured value with its unit, such as "92 bpm".
 * @param {Measure} measure
 * @param {number | string} value
 */
export function measureText({ unit, digits, factor }, value) {
  let text = String(value);
  if (typeof value === "number") {
    const number = value * factor;
    text = digits === null ? String(Number(number.toPrecision(4))) : number.toFixed(digits);
  }
  return unit ? `${text} ${unit}` : text;
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
