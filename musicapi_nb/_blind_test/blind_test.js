// The page of a blind test. It receives trial numbers and audio, nothing that identifies a song.
// Text from Python is inserted as text, never as HTML.

const LETTERS = ["A", "B", "C", "D"];
const KERNEL_TIMEOUT = 30_000; // ms without a reply until the page says so

function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "class") node.className = value;
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

const formatTime = (seconds) => {
  const whole = Math.floor(seconds || 0);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
};
const formatPercent = (share) => `${Math.round(share * 100)} %`;
function formatSigned(value) {
  if (value === null) return "–";
  const figure = Math.abs(value).toFixed(2);
  return figure === "0.00" ? figure : `${value < 0 ? "−" : "+"}${figure}`;
}

class Page {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.trial = null; // number of the trial that is displayed
    this.players = [];
    this.onchange = () => this.update();
    this.onmessage = (message, buffers) => this.receive(message, buffers);
    model.on("change:_view", this.onchange);
    model.on("msg:custom", this.onmessage);
    // Otherwise JupyterLab takes A, B and Enter for notebook commands.
    root.setAttribute("data-lm-suppress-shortcuts", "true");
    root.addEventListener("keydown", (event) => this.handleKey(event));
    this.update();
  }

  get state() {
    return this.model.get("_view");
  }

  close() {
    this.model.off("change:_view", this.onchange);
    this.model.off("msg:custom", this.onmessage);
    this.reset();
  }

  reset() {
    clearTimeout(this.timer);
    for (const player of this.players) {
      player.audio.pause();
      player.audio.removeAttribute("src");
      if (player.url) URL.revokeObjectURL(player.url);
      Object.assign(player, { url: null, ready: false, played: false });
    }
    Object.assign(this, { current: null, chosen: undefined, pending: false, since: null });
  }

  update() {
    const state = this.state;
    if (state.summary) {
      this.reset();
      this.root.replaceChildren(...summary(state));
      return;
    }
    if (this.players.length !== state.songs) this.build(state.songs);
    if (state.trial !== this.trial) this.begin(state);
    this.description.textContent = state.description;
  }

  // --- building ---------------------------------------------------------------------------

  build(count) {
    this.reset();
    const letters = LETTERS.slice(0, count);
    this.counter = element("div", { class: "mnb-counter" });
    this.fill = element("div");
    this.bar = element("div", { class: "mnb-bar", role: "progressbar", "aria-label": "answered",
      "aria-valuemin": "0" }, this.fill);
    this.players = letters.map((letter, index) => this.createPlayer(letter, index));
    this.time = element("div", { class: "mnb-time" });
    this.slider = element("input", { class: "mnb-slider", type: "range", min: "0", max: "1000", value: "0",
      "aria-label": "position in the excerpt", oninput: () => this.seek() });
    this.choices = [...letters.map((letter, index) => this.createChoice(
      count === 2 ? `${letter} is better` : `${letter} is best`, index)), this.createChoice("No difference", null)];
    if (count === 2) this.choices.splice(1, 0, this.choices.pop()); // between A and B
    this.saveButton = element("button", { class: "mnb-save", type: "button", onclick: () => this.answer() }, "Save answer");
    this.skipButton = element("button", { class: "mnb-skip", type: "button", onclick: () => this.skip() },
      "Skip this trial");
    this.skipButton.hidden = true;
    this.status = element("div", { class: "mnb-status", role: "status" });
    this.description = element("div", { class: "mnb-secondary" });
    const keys = count === 2 ? "A and B play" : "A to D play";
    this.root.replaceChildren(
      element("div", { class: "mnb-head" }, element("div", { class: "mnb-heading" }, "Blind test"), this.counter),
      this.bar,
      element("div", { class: "mnb-question" }, count === 2 ? "Which do you like better?" : "Which do you like best?"),
      element("div", { class: "mnb-players", role: "group", "aria-label": "players" },
        ...this.players.map((player) => player.button)),
      element("div", { class: "mnb-position" }, this.slider, this.time),
      element("div", { class: "mnb-choices", role: "radiogroup", "aria-label": "your answer" },
        ...this.choices.map((choice) => choice.button)),
      element("div", { class: "mnb-actions" }, this.saveButton, this.skipButton, this.status),
      element("div", { class: "mnb-secondary mnb-keys" },
        `Keys: ${keys}, Space pauses, ← → choose, T no difference, Enter saves the answer.`),
      this.description,
      ...this.players.map((player) => player.audio),
    );
    this.trial = null;
  }

  createPlayer(letter, index) {
    const player = { letter, index, ready: false, played: false, url: null };
    player.label = element("span", { class: "mnb-label" });
    player.button = element("button", { class: "mnb-player", type: "button", onclick: () => this.toggle(index) },
      element("span", { class: "mnb-letter" }, letter), player.label);
    player.audio = element("audio", { preload: "auto", onplaying: () => this.onPlaying(player),
      ontimeupdate: () => this.updatePosition(player), onended: () => this.render(), onpause: () => this.render() });
    return player;
  }

  createChoice(label, value) {
    const className = value === null ? "mnb-choice mnb-tie" : "mnb-choice";
    const button = element("button", { type: "button", role: "radio", class: className,
      onclick: () => this.choose(value) }, label);
    return { value, button };
  }

  begin(state) {
    this.reset();
    this.trial = state.trial;
    this.counter.textContent = `Trial ${state.done + 1} of ${state.trials}`;
    this.fill.style.width = `${(100 * state.done) / state.trials}%`;
    this.bar.setAttribute("aria-valuemax", String(state.trials));
    this.bar.setAttribute("aria-valuenow", String(state.done));
    this.skipButton.hidden = true;
    this.slider.value = "0";
    this.time.textContent = "";
    this.show("");
    this.load(0);
    this.render();
  }

  // --- the kernel -------------------------------------------------------------------------

  send(message) {
    this.model.send({ ...message, trial: this.trial });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.pending = false;
      this.show("The kernel does not respond. If it has stopped, run the cell again to continue.", true);
      this.render();
    }, KERNEL_TIMEOUT);
  }

  load(position) {
    this.send({ do: "load", position });
  }

  receive(message, buffers) {
    if (message.trial !== this.trial || this.state.summary) return;
    clearTimeout(this.timer);
    if (message.do === "audio") this.loaded(message.position, buffers[0]);
    if (message.do === "failed") this.failed(message);
  }

  loaded(index, buffer) {
    const player = this.players[index];
    if (!player || player.ready) return; // another page of the same test requested it too
    player.url = URL.createObjectURL(new Blob([buffer], { type: "audio/wav" }));
    player.audio.src = player.url;
    player.ready = true;
    const next = this.players.findIndex((player) => !player.ready);
    if (next >= 0) this.load(next);
    else this.since = performance.now();
    this.render();
  }

  failed(message) {
    this.pending = false;
    if (message.request === "load") {
      this.show(`The audio of this trial is missing (${message.error}). Skip the trial, or run the cell `
        + "again when the audio is available.", true);
      this.skipButton.hidden = false;
    } else {
      this.show(`The answer was not saved (${message.error}). Try again; test.error has the details.`, true);
    }
    this.render();
  }

  // --- listening --------------------------------------------------------------------------

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
    player.audio.play().catch(() => this.show("The browser blocked playback. Press the button again.", true));
    this.render();
  }

  onPlaying(player) {
    player.played = true;
    for (const other of this.players) if (other !== player) other.audio.pause();
    this.render();
  }

  updatePosition(player) {
    if (player !== this.current) return;
    const { currentTime, duration } = player.audio;
    if (!duration) return;
    this.slider.value = String(Math.round((1000 * currentTime) / duration));
    this.time.textContent = `${formatTime(currentTime)} / ${formatTime(duration)}`;
    this.slider.setAttribute("aria-valuetext", this.time.textContent);
  }

  seek() {
    const audio = (this.current ?? this.players[0]).audio;
    if (audio.duration) audio.currentTime = (Number(this.slider.value) / 1000) * audio.duration;
    this.current ??= this.players[0];
  }

  // --- answering --------------------------------------------------------------------------

  get allPlayed() {
    return this.players.every((player) => player.played);
  }

  choose(value) {
    if (this.pending) return;
    this.chosen = value;
    this.render();
  }

  answer() {
    if (this.pending || this.chosen === undefined || !this.allPlayed) return;
    this.pending = true;
    const seconds = this.since === null ? null : (performance.now() - this.since) / 1000;
    this.send({ do: "answer", chosen: this.chosen, seconds });
    this.render();
  }

  skip() {
    if (this.pending) return;
    this.pending = true;
    this.send({ do: "skip" });
    this.render();
  }

  step(by) {
    const last = this.players.length - 1;
    if (last === 1) this.choose(by < 0 ? 0 : 1);
    else if (typeof this.chosen !== "number") this.choose(by < 0 ? last : 0);
    else this.choose(Math.min(Math.max(this.chosen + by, 0), last));
  }

  handleKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || this.state.summary) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const index = Math.max("abcd".indexOf(key), "1234".indexOf(key));
    const onButton = event.target.closest("button") !== null;
    const onSlider = event.target === this.slider;
    if (key.length === 1 && index >= 0) this.toggle(index);
    else if (key === " " && !onButton) this.toggle((this.current ?? this.players[0]).index);
    else if (key === "ArrowLeft" && !onSlider) this.step(-1);
    else if (key === "ArrowRight" && !onSlider) this.step(1);
    else if (key === "t") this.choose(null);
    else if (key === "Enter" && event.target !== this.skipButton) this.answer();
    else {
      if (key !== "Tab" && key !== "Escape") event.stopPropagation();
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  // --- rendering ----------------------------------------------------------------------------

  show(message, isError = false) {
    this.message = message;
    this.status.classList.toggle("mnb-error", isError);
  }

  render() {
    for (const player of this.players) {
      const isPlaying = !player.audio.paused && !player.audio.ended;
      player.label.textContent = !player.ready ? "loading" : isPlaying ? "pause" : player.played ? "play again" : "play";
      player.button.setAttribute("aria-label", `${player.label.textContent} ${player.letter}`);
      player.button.setAttribute("aria-pressed", String(isPlaying));
      player.button.setAttribute("aria-disabled", String(!player.ready));
      player.button.classList.toggle("mnb-playing", isPlaying);
      player.button.classList.toggle("mnb-current", player === this.current);
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
    const unplayed = this.players.filter((player) => !player.played).map((player) => player.letter);
    if (unplayed.length) return `Not played yet: ${unplayed.join(", ")}.`;
    if (this.chosen === undefined) return "Choose one, or no difference.";
    return "Ready to save.";
  }
}

// --- results --------------------------------------------------------------------------------

function summary(state) {
  const { factor, scores, checks, notes } = state.summary;
  return [
    element("div", { class: "mnb-head" }, element("div", { class: "mnb-heading" }, "Blind test: results"),
      element("div", { class: "mnb-counter" }, `${state.done} of ${state.trials} answered`)),
    element("div", { class: "mnb-question" }, `Compared: ${factor}`),
    ...(scores.length ? [
      element("div", { class: "mnb-secondary" }, "Strength of each level on a log scale; 0 is the mean of all levels."),
      strengths(scores)] : []),
    element("ul", { class: "mnb-checks" }, ...checks.map((check) => element("li", {}, sentence(check)))),
    ...notes.map((note) => element("div", { class: "mnb-note" }, note)),
    element("div", { class: "mnb-secondary" }, state.description),
  ];
}

function strengths(scores) {
  const values = scores.flatMap(({ score, low, high }) => [score, low, high]).filter((value) => value !== null);
  const limit = Math.max(0.5, ...values.map(Math.abs));
  const toPercent = (value) => 50 + (50 * value) / limit;
  const rows = scores.map((row) => {
    const track = element("div", { class: "mnb-track", "aria-hidden": "true" });
    if (row.low !== null) {
      const line = element("div", { class: "mnb-line" });
      line.style.left = `${toPercent(row.low)}%`;
      line.style.width = `${toPercent(row.high) - toPercent(row.low)}%`;
      track.append(line);
    }
    if (row.score !== null) {
      const dot = element("div", { class: "mnb-dot" });
      dot.style.left = `${toPercent(row.score)}%`;
      track.append(dot);
    }
    const interval = row.low === null ? "no interval" : `${formatSigned(row.low)} to ${formatSigned(row.high)}`;
    return element("tr", {},
      element("th", { scope: "row" }, element("bdi", {}, row.level)),
      element("td", { class: "mnb-chart" }, track),
      element("td", {}, formatSigned(row.score)),
      element("td", {}, interval),
      element("td", {}, `${row.wins} / ${row.ties} / ${row.losses}`),
      element("td", {}, String(row.answers)));
  });
  const names = ["level", "", "score", "95 % interval", "won / tied / lost", "answers"];
  return element("div", { class: "mnb-table" }, element("table", {},
    element("thead", {}, element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name)))),
    element("tbody", {}, ...rows)));
}

function sentence({ check, estimate, low, high, by_chance: chance, n }) {
  if (estimate === null) return `${check}: not enough answers (${n}).`;
  if (low === null) return `${check}: ${formatPercent(0.5 + estimate)} against ${formatPercent(0.5 - estimate)}, with ${n} answers per pair of levels.`;
  const byChance = chance === null ? "" : `; ${formatPercent(chance)} by chance`;
  return `${check}: ${formatPercent(estimate)} of ${n} (${formatPercent(low)} to ${formatPercent(high)}${byChance}).`;
}

function mount({ model, el: host }) {
  const root = document.createElement("div");
  root.className = "musicapi-nb-blind";
  root.setAttribute("role", "region");
  root.setAttribute("aria-label", "Blind test");
  host.append(root);
  const page = new Page(model, root);
  return () => page.close();
}

export default { render: mount };
