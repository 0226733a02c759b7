// @ts-check
// The page of a blind test. It receives trial numbers and audio, nothing that identifies a song.
// Text from Python is inserted as text, never as HTML.
/** @import { Model, RenderArgs } from "../widgets/types" */
/** @import { Choice, Player, Reply, Request, State } from "./types" */

import { element } from "../widgets/dom.js";
import { KERNEL_TIMEOUT, LETTERS, RevealPage } from "./reveal.js";

/** @param {number} seconds */
function timeText(seconds) {
  const whole = Math.floor(seconds || 0);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** Players, choices and buttons; shows one trial after the other. */
class TrialPage {
  /**
   * @param {Model} model
   * @param {HTMLElement} root
   * @param {number} count number of songs in each trial
   */
  constructor(model, root, count) {
    this.model = model;
    this.root = root;
    /** @type {number | null} number of the trial on the page */
    this.trial = null;
    /** @type {Player | null} */
    this.current = null;
    /** @type {number | null | undefined} position; null: no difference; undefined: not chosen */
    this.chosen = undefined;
    this.pending = false;
    /** @type {number | null} when all songs could be played, by performance.now() */
    this.readyAt = null;
    this.message = "";
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;

    const letters = LETTERS.slice(0, count);
    this.counter = element("div", { class: "blind-counter" });
    this.fill = element("div");
    this.bar = element(
      "div",
      { class: "blind-bar", role: "progressbar", "aria-label": "answered", "aria-valuemin": "0" },
      this.fill,
    );
    this.players = letters.map((letter, index) => this.createPlayer(letter, index));
    this.time = element("div", { class: "blind-time" });
    this.slider = element("input", {
      class: "blind-slider",
      type: "range",
      min: "0",
      max: "1000",
      value: "0",
      "aria-label": "position in the excerpt",
      oninput: () => this.seek(),
    });
    this.choices = this.createChoices(letters);
    this.saveButton = element(
      "button",
      { class: "blind-save", type: "button", onclick: () => this.answer() },
      "Save & next",
    );
    this.skipButton = element(
      "button",
      { class: "blind-skip", type: "button", onclick: () => this.skip() },
      "Skip",
    );
    this.status = element("div", { class: "blind-status", role: "status" });
    this.description = element("div", { class: "blind-secondary" });
    root.replaceChildren(...this.layout(count));

    this.receive = this.receive.bind(this);
    this.handleKey = this.handleKey.bind(this);
    model.on("msg:custom", this.receive);
    root.addEventListener("keydown", this.handleKey);
  }

  close() {
    this.model.off("msg:custom", this.receive);
    this.root.removeEventListener("keydown", this.handleKey);
    this.reset();
  }

  /** Forget the audio and the choice of the trial. */
  reset() {
    clearTimeout(this.timer);
    for (const player of this.players) {
      player.audio.pause();
      player.audio.removeAttribute("src");
      if (player.url) URL.revokeObjectURL(player.url);
      Object.assign(player, { url: null, ready: false, played: false });
    }
    this.current = null;
    this.chosen = undefined;
    this.pending = false;
    this.readyAt = null;
  }

  /** @param {State} state */
  update(state) {
    if (state.trial !== this.trial) this.begin(state);
    this.description.textContent = state.description;
  }

  /** @param {State} state */
  begin(state) {
    this.reset();
    this.trial = state.trial;
    this.counter.textContent = `Question ${state.done + 1} of ${state.trials}`;
    this.fill.style.width = `${(100 * state.done) / state.trials}%`;
    this.bar.setAttribute("aria-valuemax", String(state.trials));
    this.bar.setAttribute("aria-valuenow", String(state.done));
    this.skipButton.hidden = true;
    this.slider.value = "0";
    this.time.textContent = "";
    this.show("");
    this.send({ do: "load", position: 0 });
    this.render();
  }

  // --- building ----------------------------------------------------------------------------

  /**
   * @param {number} count
   * @returns {HTMLElement[]}
   */
  layout(count) {
    const heading = element("div", { class: "blind-heading" }, "Blind test");
    const question = `Which do you like ${count === 2 ? "better" : "best"}?`;
    const keys = count === 2 ? "A and B play" : "A to D play";
    return [
      element("div", { class: "blind-head" }, heading, this.counter),
      this.bar,
      element("div", { class: "blind-question" }, question),
      element(
        "div",
        { class: "blind-players", role: "group", "aria-label": "players" },
        ...this.players.map((player) => player.button),
      ),
      element("div", { class: "blind-position" }, this.slider, this.time),
      element(
        "div",
        { class: "blind-choices", role: "radiogroup", "aria-label": "your answer" },
        ...this.choices.map((choice) => choice.button),
      ),
      element("div", { class: "blind-actions" }, this.saveButton, this.skipButton, this.status),
      element(
        "div",
        { class: "blind-secondary blind-keys" },
        `Keys: ${keys}, Space pauses, ← → choose, 0 no difference, Enter saves.`,
      ),
      this.description,
      ...this.players.map((player) => player.audio),
    ];
  }

  /**
   * @param {string} letter
   * @param {number} index
   * @returns {Player}
   */
  createPlayer(letter, index) {
    const label = element("span", { class: "blind-label" });
    const button = element(
      "button",
      { class: "blind-player", type: "button", onclick: () => this.toggle(index) },
      element("span", { class: "blind-letter" }, letter),
      label,
    );
    const audio = element("audio", {
      preload: "auto",
      onplaying: () => this.onPlaying(player),
      ontimeupdate: () => this.showPosition(player),
      onended: () => this.render(),
      onpause: () => this.render(),
    });
    /** @type {Player} */
    const player = { letter, index, ready: false, played: false, url: null, audio, button, label };
    return player;
  }

  /**
   * @param {string[]} letters
   * @returns {Choice[]}
   */
  createChoices(letters) {
    const adjective = letters.length === 2 ? "better" : "best";
    const choices = letters.map((letter, index) =>
      this.createChoice(`${letter} is ${adjective}`, index),
    );
    const tie = this.createChoice("No difference", null);
    choices.splice(letters.length === 2 ? 1 : letters.length, 0, tie); // between A and B, or last
    return choices;
  }

  /**
   * @param {string} label
   * @param {number | null} value
   * @returns {Choice}
   */
  createChoice(label, value) {
    const attributes = {
      type: "button",
      role: "radio",
      class: value === null ? "blind-choice blind-tie" : "blind-choice",
      onclick: () => this.choose(value),
    };
    return { value, button: element("button", attributes, label) };
  }

  // --- messages ----------------------------------------------------------------------------

  /** @param {Request} request */
  send(request) {
    this.model.send({ ...request, trial: this.trial });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.pending = false;
      this.show(
        "The kernel does not respond. If it has stopped, run the cell again to continue.",
        true,
      );
      this.render();
    }, KERNEL_TIMEOUT);
  }

  /**
   * @param {Reply} reply
   * @param {DataView<ArrayBuffer>[]} buffers
   */
  receive(reply, buffers) {
    if (reply.trial !== this.trial) return;
    clearTimeout(this.timer);
    if (reply.do === "audio") this.loaded(reply.position, buffers[0]);
    else this.failed(reply.request, reply.error);
  }

  /**
   * @param {number} index
   * @param {DataView<ArrayBuffer>} wav
   */
  loaded(index, wav) {
    const player = this.players[index];
    if (!player || player.ready) return; // another page of the same test requested it too
    player.url = URL.createObjectURL(new Blob([wav], { type: "audio/wav" }));
    player.audio.src = player.url;
    player.ready = true;
    const next = this.players.findIndex(({ ready }) => !ready);
    if (next >= 0) this.send({ do: "load", position: next });
    else this.readyAt = performance.now();
    this.render();
  }

  /**
   * @param {string} request
   * @param {string} error
   */
  failed(request, error) {
    this.pending = false;
    if (request === "load") {
      this.skipButton.hidden = false;
      this.show(
        `The audio of this question is missing (${error}). Skip it, or run the cell again ` +
          "when the audio is available.",
        true,
      );
    } else {
      this.show(
        `The answer was not saved (${error}). Try again; test.error has the details.`,
        true,
      );
    }
    this.render();
  }

  // --- listening ---------------------------------------------------------------------------

  /** @param {number} index */
  toggle(index) {
    const player = this.players[index];
    if (!player?.ready) return;
    if (this.current === player && !player.audio.paused) {
      player.audio.pause();
      return;
    }
    const previous = this.current;
    if (previous && previous !== player) {
      previous.audio.pause();
      player.audio.currentTime = previous.audio.ended ? 0 : previous.audio.currentTime;
    }
    this.current = player;
    player.audio
      .play()
      .catch(() => this.show("The browser blocked playback. Press the button again.", true));
    this.render();
  }

  /** @param {Player} player */
  onPlaying(player) {
    player.played = true;
    for (const other of this.players) if (other !== player) other.audio.pause();
    this.render();
  }

  /** @param {Player} player */
  showPosition(player) {
    if (player !== this.current) return;
    const { currentTime, duration } = player.audio;
    if (!duration) return;
    this.slider.value = String(Math.round((1000 * currentTime) / duration));
    this.time.textContent = `${timeText(currentTime)} / ${timeText(duration)}`;
    this.slider.setAttribute("aria-valuetext", this.time.textContent);
  }

  seek() {
    this.current ??= this.players[0];
    const { audio } = this.current;
    if (audio.duration) audio.currentTime = (Number(this.slider.value) / 1000) * audio.duration;
  }

  // --- answering ---------------------------------------------------------------------------

  get allPlayed() {
    return this.players.every((player) => player.played);
  }

  /** @param {number | null} value */
  choose(value) {
    if (this.pending) return;
    this.chosen = value;
    this.render();
  }

  answer() {
    if (this.pending || this.chosen === undefined || !this.allPlayed) return;
    this.pending = true;
    const seconds = this.readyAt === null ? null : (performance.now() - this.readyAt) / 1000;
    this.send({ do: "answer", chosen: this.chosen, seconds });
    this.render();
  }

  skip() {
    if (this.pending) return;
    this.pending = true;
    this.send({ do: "skip" });
    this.render();
  }

  /**
   * Move the choice to the left (-1) or right (1).
   * @param {number} by
   */
  step(by) {
    const last = this.players.length - 1;
    if (last === 1) this.choose(by < 0 ? 0 : 1);
    else if (typeof this.chosen !== "number") this.choose(by < 0 ? last : 0);
    else this.choose(Math.min(Math.max(this.chosen + by, 0), last));
  }

  /** @param {KeyboardEvent} event */
  handleKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const index = Math.max("abcd".indexOf(key), "1234".indexOf(key));
    const target = /** @type {Element} */ (event.target);
    const onButton = target.closest("button") !== null;
    const onSlider = target === this.slider;
    if (key.length === 1 && index >= 0) this.toggle(index);
    else if (key === " " && !onButton) this.toggle((this.current ?? this.players[0]).index);
    else if (key === "ArrowLeft" && !onSlider) this.step(-1);
    else if (key === "ArrowRight" && !onSlider) this.step(1);
    else if (key === "0") this.choose(null);
    else if (key === "Enter" && target !== this.skipButton) this.answer();
    else {
      if (key !== "Tab" && key !== "Escape") event.stopPropagation();
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  // --- rendering ---------------------------------------------------------------------------

  /**
   * Show a message in place of the hint.
   * @param {string} message
   */
  show(message, isError = false) {
    this.message = message;
    this.status.classList.toggle("blind-error", isError);
  }

  render() {
    for (const player of this.players) {
      const isPlaying = !player.audio.paused && !player.audio.ended;
      player.label.textContent = actionText(player, isPlaying);
      player.button.setAttribute("aria-label", `${player.label.textContent} ${player.letter}`);
      player.button.setAttribute("aria-pressed", String(isPlaying));
      player.button.setAttribute("aria-disabled", String(!player.ready));
      player.button.classList.toggle("blind-playing", isPlaying);
      player.button.classList.toggle("blind-current", player === this.current);
    }
    for (const { value, button } of this.choices) {
      button.setAttribute("aria-checked", String(this.chosen === value));
    }
    const canSave = this.allPlayed && this.chosen !== undefined && !this.pending;
    // Not `disabled`: that would move the focus, and keys would reach the notebook.
    this.saveButton.setAttribute("aria-disabled", String(!canSave));
    this.status.textContent = this.message || this.hint();
  }

  hint() {
    if (this.pending) return "Saving the answer …";
    if (!this.players.every((player) => player.ready)) return "Loading …";
    const unplayed = this.players.filter((player) => !player.played).map(({ letter }) => letter);
    if (unplayed.length) return `Listen to ${joined(unplayed)} first.`;
    return this.chosen === undefined ? "Choose one, or no difference." : "";
  }
}

/**
 * "A", "A and B", "A, B and C".
 * @param {string[]} letters
 */
function joined(letters) {
  const last = letters[letters.length - 1];
  return letters.length === 1 ? last : `${letters.slice(0, -1).join(", ")} and ${last}`;
}

/**
 * @param {Player} player
 * @param {boolean} isPlaying
 */
function actionText(player, isPlaying) {
  if (!player.ready) return "loading";
  if (isPlaying) return "pause";
  return player.played ? "play again" : "play";
}

/** @param {RenderArgs} args */
function render({ model, el }) {
  const root = element("div", {
    class: "musicapi-nb-blind",
    role: "region",
    "aria-label": "Blind test",
    // Otherwise JupyterLab takes A, B and Enter for notebook commands.
    "data-lm-suppress-shortcuts": "true",
  });
  el.append(root);
  /** @type {TrialPage | null} */
  let page = null;
  /** @type {RevealPage | null} */
  let reveal = null;
  function update() {
    /** @type {State} */
    const state = model.get("_view");
    if (state.summary) {
      page?.close();
      page = null;
      reveal?.close();
      reveal = new RevealPage(model, root, state, state.summary);
    } else {
      page ??= new TrialPage(model, root, state.songs);
      page.update(state);
    }
  }
  model.on("change:_view", update);
  update();
  return () => {
    model.off("change:_view", update);
    page?.close();
    reveal?.close();
  };
}

export default { render };
