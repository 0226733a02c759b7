// @ts-check
// Drawing the peaks of a song on a canvas.

const BAR_PITCH = 3; // CSS pixels
const BAR_WIDTH = 2;
const PLAYED = "rgba(56,132,244,.95)";
const AHEAD = "rgba(128,128,128,.55)";

/**
 * Draw the peaks, the played share in another colour; a thin line if there are no peaks.
 * @param {HTMLCanvasElement} canvas
 * @param {[number, number]} size width and height in CSS pixels
 * @param {Float32Array | null | undefined} peaks
 * @param {number} playedShare
 */
export function drawWaveform(canvas, [width, height], peaks, playedShare) {
  const scale = window.devicePixelRatio || 1;
  const context = canvas.getContext("2d");
  if (!width || !context) return;
  if (canvas.width !== Math.round(width * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  const bars = Math.max(Math.floor(width / BAR_PITCH), 1);
  const loudest = peaks?.length ? Math.max(...peaks, 0.05) : 1;
  for (let bar = 0; bar < bars; bar += 1) {
    const peak = peaks?.length ? peaks[Math.floor((bar * peaks.length) / bars)] / loudest : 0;
    const barHeight = Math.max(peak * (height - 4), 2);
    context.fillStyle = (bar + 0.5) / bars < playedShare ? PLAYED : AHEAD;
    context.fillRect(bar * BAR_PITCH, (height - barHeight) / 2, BAR_WIDTH, barHeight);
  }
}
