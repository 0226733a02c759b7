// @ts-check
// The end of a blind test: the outcome in a sentence, and every question with its songs to hear.
// Text from Python is inserted as text, never as HTML.
/** @import { Model } from "../widgets/types" */
/** @import { Question, Reply, State, Summary } from "./types" */

import { element, isolated } from "../widgets/dom.js";
import { statistics } from "./results.js";

export const LETTERS = ["A", "B", "C", "D"];
export const KERNEL_TIMEOUT = 30_000; // ms without a reply until the page says so
const MAX_QUESTIONS = 200;

function choiceMark() {
  const tick = element("span", { "aria-hidden": "true" }, "✓");
  const text = element("span", { class: "blind-choice-text" }, " your choice");
  return element("span", { class: "blind-choice-mark" }, tick, text);
}

/** Plays one song at a time; the kernel sends the excerpt that was heard in the test. */
export class RevealPage {
  /**
   * @param {Model} model
   * @param {HTMLElement} root
   * @param {State} state
   * @param {Summary} summary
   */
  constructor(model, root, state, summary) {
    this.model = model;
    /** @type {Map<string, HTMLButtonElement>} by question and position */
    this.buttons = new Map();
    /** @type {string | null} the song that was asked for, or that the audio element has */
    this.current = null;
    /** @type {string | null} */
    this.url = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.audio = element("audio", {
      onplaying: () => this.render(),
      onpause: () => this.render(),
      onended: () => this.render(),
    });
    this.status = element("div", { class: "blind-status", role: "status" });
    const hidden = summary.questions.length - MAX_QUESTIONS;
    root.replaceChildren(
      element(
        "div",
        { class: "blind-head" },
        element("div", { class: "blind-heading" }, "Result"),
        element("div", { class: "blind-counter" }, `${state.done} of ${state.trials} answered`),
      ),
      element("div", { class: "blind-outcome", dir: "auto" }, summary.outcome),
      element(
        "ol",
        { class: "blind-questions" },
        ...summary.questions.slice(0, MAX_QUESTIONS).map((question) => this.row(question)),
      ),
      hidden > 0
        ? element("div", { class: "blind-secondary" }, `${hidden} more in test.preferences_frame()`)
        : "",
      element("div", {}, this.status),
      element(
        "details",
        { class: "blind-details" },
        element("summary", {}, "Statistics"),
        element("div", { class: "blind-statistics" }, ...statistics(state, summary)),
      ),
      this.audio,
    );
    this.receive = this.receive.bind(this);
    model.on("msg:custom", this.receive);
    this.show("");
    this.render();
  }

  close() {
    this.model.off("msg:custom", this.receive);
    clearTimeout(this.timer);
    this.audio.pause();
    if (this.url) URL.revokeObjectURL(this.url);
  }

  /** @param {Question} question */
  row({ number, songs, chosen, note }) {
    return element(
      "li",
      { class: "blind-question-row", value: String(number) },
      element(
        "div",
        { class: "blind-songs" },
        ...songs.map((song, index) => {
          const letter = LETTERS[index];
          const key = `${number}/${index}`;
          const button = element(
            "button",
            {
              class: "blind-replay",
              type: "button",
              onclick: () => this.toggle(key, number, index),
            },
            element("span", { class: "blind-glyph", "aria-hidden": "true" }),
            element("span", { class: "blind-replay-letter", "aria-hidden": "true" }, letter),
          );
          button.dataset.name = `${letter} of question ${number}: ${song.title}, ${song.level}`;
          this.buttons.set(key, button);
          return element(
            "div",
            { class: index === chosen ? "blind-song blind-chosen" : "blind-song" },
            button,
            element(
              "div",
              { class: "blind-names" },
              element("div", { class: "blind-level" }, isolated(song.level)),
              element("div", { class: "blind-title" }, isolated(song.title)),
            ),
            index === chosen ? choiceMark() : "",
          );
        }),
      ),
      note ? element("div", { class: "blind-secondary" }, note) : "",
    );
  }

  /**
   * @param {string} key
   * @param {number} trial
   * @param {number} position
   */
  toggle(key, trial, position) {
    this.show("");
    if (key === this.current && this.audio.src) {
      if (this.audio.paused) this.play();
      else this.audio.pause();
      return;
    }
    this.audio.pause();
    this.audio.removeAttribute("src");
    this.current = key;
    this.model.send({ do: "replay", trial, position });
    clearTimeout(this.timer);
    this.timer = setTimeout(
      () => this.show("The kernel does not respond. Run the cell again to hear the songs."),
      KERNEL_TIMEOUT,
    );
    this.render();
  }

  /**
   * @param {Reply} reply
   * @param {DataView<ArrayBuffer>[]} buffers
   */
  receive(reply, buffers) {
    const key = reply.do === "audio" ? `${reply.trial}/${reply.position}` : this.current;
    if (key !== this.current || this.audio.src) return; // of another page of the same test
    clearTimeout(this.timer);
    if (reply.do === "failed") {
      this.show(`This song cannot be played now (${reply.error}); test.error has the details.`);
      this.current = null;
      this.render();
      return;
    }
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = URL.createObjectURL(new Blob([buffers[0]], { type: "audio/wav" }));
    this.audio.src = this.url;
    this.play();
  }

  play() {
    this.audio
      .play()
      .catch(() => this.show("The browser blocked playback. Press the button again."));
  }

  /** @param {string} message */
  show(message) {
    this.status.textContent = message;
    this.status.hidden = !message;
  }

  render() {
    const isPlaying = !this.audio.paused && !this.audio.ended;
    for (const [key, button] of this.buttons) {
      const playing = key === this.current && isPlaying;
      button.classList.toggle("blind-playing", playing);
      button.setAttribute("aria-label", `${playing ? "Pause" : "Play"} ${button.dataset.name}`);
    }
  }
}
