// The blind test's page. It is told numbers and sounds, never which song is which; all text that
// comes from Python is set as text.

const LETTERS = ["A", "B", "C", "D"];
const PATIENCE = 30_000; // ms until the kernel's silence is told

function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "class") node.className = value;
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

const clock = (seconds) => {
  const whole = Math.floor(seconds || 0);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
};
const percent = (share) => `${Math.round(share * 100)} %`;
function signed(value) {
  if (value === null) return "–";
  const figure = Math.abs(value).toFixed(2);
  return figure === "0.00" ? figure : `${value < 0 ? "−" : "+"}${figure}`;
}

class Page {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.trial = null; // the number that is on the page
    this.places = [];
    this.onchange = () => this.update();
    this.onmessage = (message, buffers) => this.receive(message, buffers);
    model.on("change:_now", this.onchange);
    model.on("msg:custom", this.onmessage);
    // Lab would take A, B and Enter for commands of the notebook.
    root.setAttribute("data-lm-suppress-shortcuts", "true");
    root.addEventListener("keydown", (event) => this.pressed(event));
    this.update();
  }

  get now() {
    return this.model.get("_now");
  }

  close() {
    this.model.off("change:_now", this.onchange);
    this.model.off("msg:custom", this.onmessage);
    this.forget();
  }

  forget() {
    clearTimeout(this.patience);
    for (const place of this.places) {
      place.audio.pause();
      place.audio.removeAttribute("src");
      if (place.url) URL.revokeObjectURL(place.url);
      Object.assign(place, { url: null, ready: false, heard: false });
    }
    Object.assign(this, { current: null, chosen: undefined, pending: false, since: null });
  }

  update() {
    const now = this.now;
    if (now.summary) {
      this.forget();
      this.root.replaceChildren(...summary(now));
      return;
    }
    if (this.places.length !== now.places) this.build(now.places);
    if (now.trial !== this.trial) this.begin(now);
    this.said.textContent = now.said;
  }

  // --- building ---------------------------------------------------------------------------

  build(number) {
    this.forget();
    const letters = LETTERS.slice(0, number);
    this.count = el("div", { class: "mnb-count" });
    this.fill = el("div");
    this.bar = el("div", { class: "mnb-bar", role: "progressbar", "aria-label": "answered",
      "aria-valuemin": "0" }, this.fill);
    this.places = letters.map((letter, at) => this.player(letter, at));
    this.time = el("div", { class: "mnb-time" });
    this.along = el("input", { class: "mnb-along", type: "range", min: "0", max: "1000", value: "0",
      "aria-label": "position in the excerpt", oninput: () => this.seek() });
    this.choices = [...letters.map((letter, at) => this.choice(
      number === 2 ? `${letter} is better` : `${letter} is best`, at)), this.choice("No difference", null)];
    if (number === 2) this.choices.splice(1, 0, this.choices.pop()); // between the two
    this.keep = el("button", { class: "mnb-keep", type: "button", onclick: () => this.answer() }, "Keep answer");
    this.skip = el("button", { class: "mnb-skip", type: "button", onclick: () => this.leaveOut() },
      "Leave this trial out");
    this.skip.hidden = true;
    this.status = el("div", { class: "mnb-status", role: "status" });
    this.said = el("div", { class: "mnb-quiet" });
    const keys = number === 2 ? "A and B play" : "A to D play";
    this.root.replaceChildren(
      el("div", { class: "mnb-head" }, el("div", { class: "mnb-heading" }, "Blind test"), this.count),
      this.bar,
      el("div", { class: "mnb-question" }, number === 2 ? "Which do you like better?" : "Which do you like best?"),
      el("div", { class: "mnb-players", role: "group", "aria-label": "players" },
        ...this.places.map((place) => place.button)),
      el("div", { class: "mnb-where" }, this.along, this.time),
      el("div", { class: "mnb-choices", role: "radiogroup", "aria-label": "your answer" },
        ...this.choices.map((choice) => choice.button)),
      el("div", { class: "mnb-end" }, this.keep, this.skip, this.status),
      el("div", { class: "mnb-quiet mnb-keys" },
        `Keys: ${keys}, Space pauses, ← → choose, T no difference, Enter keeps the answer.`),
      this.said,
      ...this.places.map((place) => place.audio),
    );
    this.trial = null;
  }

  player(letter, at) {
    const place = { letter, at, ready: false, heard: false, url: null };
    place.word = el("span", { class: "mnb-word" });
    place.button = el("button", { class: "mnb-player", type: "button", onclick: () => this.toggle(at) },
      el("span", { class: "mnb-letter" }, letter), place.word);
    place.audio = el("audio", { preload: "auto", onplaying: () => this.playing(place),
      ontimeupdate: () => this.moved(place), onended: () => this.draw(), onpause: () => this.draw() });
    return place;
  }

  choice(words, value) {
    const kind = value === null ? "mnb-choice mnb-tie" : "mnb-choice";
    const button = el("button", { type: "button", role: "radio", class: kind,
      onclick: () => this.choose(value) }, words);
    return { value, button };
  }

  begin(now) {
    this.forget();
    this.trial = now.trial;
    this.count.textContent = `Trial ${now.done + 1} of ${now.trials}`;
    this.fill.style.width = `${(100 * now.done) / now.trials}%`;
    this.bar.setAttribute("aria-valuemax", String(now.trials));
    this.bar.setAttribute("aria-valuenow", String(now.done));
    this.skip.hidden = true;
    this.along.value = "0";
    this.time.textContent = "";
    this.tell("");
    this.ask(0);
    this.draw();
  }

  // --- the kernel -------------------------------------------------------------------------

  send(message) {
    this.model.send({ ...message, trial: this.trial });
    clearTimeout(this.patience);
    this.patience = setTimeout(() => {
      this.pending = false;
      this.tell("The kernel does not answer. Is it running? Run the cell again to go on.", true);
      this.draw();
    }, PATIENCE);
  }

  ask(place) {
    this.send({ do: "hear", place });
  }

  receive(message, buffers) {
    if (message.trial !== this.trial || this.now.summary) return;
    clearTimeout(this.patience);
    if (message.do === "play") this.received(message.place, buffers[0]);
    if (message.do === "failed") this.failed(message);
  }

  received(at, buffer) {
    const place = this.places[at];
    if (!place || place.ready) return; // another page on the same test asked as well
    place.url = URL.createObjectURL(new Blob([buffer], { type: "audio/wav" }));
    place.audio.src = place.url;
    place.ready = true;
    const next = this.places.findIndex((each) => !each.ready);
    if (next >= 0) this.ask(next);
    else this.since = performance.now();
    this.draw();
  }

  failed(message) {
    this.pending = false;
    if (message.about === "hear") {
      this.tell(`The audio of this trial cannot be had (${message.why}). Leave the trial out, or run `
        + "the cell again when it can.", true);
      this.skip.hidden = false;
    } else {
      this.tell(`The answer was not kept (${message.why}). Try again; test.error says more.`, true);
    }
    this.draw();
  }

  // --- listening --------------------------------------------------------------------------

  toggle(at) {
    const place = this.places[at];
    if (!place?.ready) return;
    if (this.current === place && !place.audio.paused) {
      place.audio.pause();
      return;
    }
    const before = this.current;
    if (before && before !== place) {
      before.audio.pause();
      place.audio.currentTime = before.audio.ended ? 0 : before.audio.currentTime;
    }
    this.current = place;
    place.audio.play().catch(() => this.tell("The browser did not play it. Press the button again.", true));
    this.draw();
  }

  playing(place) {
    place.heard = true;
    for (const other of this.places) if (other !== place) other.audio.pause();
    this.draw();
  }

  moved(place) {
    if (place !== this.current) return;
    const { currentTime, duration } = place.audio;
    if (!duration) return;
    this.along.value = String(Math.round((1000 * currentTime) / duration));
    this.time.textContent = `${clock(currentTime)} / ${clock(duration)}`;
    this.along.setAttribute("aria-valuetext", this.time.textContent);
  }

  seek() {
    const audio = (this.current ?? this.places[0]).audio;
    if (audio.duration) audio.currentTime = (Number(this.along.value) / 1000) * audio.duration;
    this.current ??= this.places[0];
  }

  // --- answering --------------------------------------------------------------------------

  get heardAll() {
    return this.places.every((place) => place.heard);
  }

  choose(value) {
    if (this.pending) return;
    this.chosen = value;
    this.draw();
  }

  answer() {
    if (this.pending || this.chosen === undefined || !this.heardAll) return;
    this.pending = true;
    const seconds = this.since === null ? null : (performance.now() - this.since) / 1000;
    this.send({ do: "answer", chosen: this.chosen, seconds });
    this.draw();
  }

  leaveOut() {
    if (this.pending) return;
    this.pending = true;
    this.send({ do: "leave out" });
    this.draw();
  }

  step(by) {
    const last = this.places.length - 1;
    if (last === 1) this.choose(by < 0 ? 0 : 1);
    else if (typeof this.chosen !== "number") this.choose(by < 0 ? last : 0);
    else this.choose(Math.min(Math.max(this.chosen + by, 0), last));
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || this.now.summary) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const at = Math.max("abcd".indexOf(key), "1234".indexOf(key));
    const onButton = event.target.closest("button") !== null;
    const onSlider = event.target === this.along;
    if (key.length === 1 && at >= 0) this.toggle(at);
    else if (key === " " && !onButton) this.toggle((this.current ?? this.places[0]).at);
    else if (key === "ArrowLeft" && !onSlider) this.step(-1);
    else if (key === "ArrowRight" && !onSlider) this.step(1);
    else if (key === "t") this.choose(null);
    else if (key === "Enter" && event.target !== this.skip) this.answer();
    else {
      if (key !== "Tab" && key !== "Escape") event.stopPropagation();
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  // --- drawing ----------------------------------------------------------------------------

  tell(words, bad = false) {
    this.words = words;
    this.status.classList.toggle("mnb-bad", bad);
  }

  draw() {
    for (const place of this.places) {
      const on = !place.audio.paused && !place.audio.ended;
      place.word.textContent = !place.ready ? "loading" : on ? "pause" : place.heard ? "play again" : "play";
      place.button.setAttribute("aria-label", `${place.word.textContent} ${place.letter}`);
      place.button.setAttribute("aria-pressed", String(on));
      place.button.setAttribute("aria-disabled", String(!place.ready));
      place.button.classList.toggle("mnb-on", on);
      place.button.classList.toggle("mnb-current", place === this.current);
    }
    for (const { value, button } of this.choices) {
      button.setAttribute("aria-checked", String(this.chosen === value));
    }
    const able = this.heardAll && this.chosen !== undefined && !this.pending;
    // not `disabled`: that would take the focus away, and keys would reach the notebook
    this.keep.setAttribute("aria-disabled", String(!able));
    this.status.textContent = this.words || this.hint();
  }

  hint() {
    if (this.pending) return "Keeping the answer …";
    if (!this.places.every((place) => place.ready)) return "Loading …";
    const left = this.places.filter((place) => !place.heard).map((place) => place.letter);
    if (left.length) return `Not played yet: ${left.join(", ")}.`;
    if (this.chosen === undefined) return "Choose one, or no difference.";
    return "Ready to keep.";
  }
}

// --- the end --------------------------------------------------------------------------------

function summary(now) {
  const { factor, scores, checks, notes } = now.summary;
  return [
    el("div", { class: "mnb-head" }, el("div", { class: "mnb-heading" }, "Blind test: what was heard"),
      el("div", { class: "mnb-count" }, `${now.done} of ${now.trials} answered`)),
    el("div", { class: "mnb-question" }, `Compared: ${factor}`),
    ...(scores.length ? [
      el("div", { class: "mnb-quiet" }, "Strength of each level: log scale, 0 is the mean of all."),
      strengths(scores)] : []),
    el("ul", { class: "mnb-checks" }, ...checks.map((check) => el("li", {}, sentence(check)))),
    ...notes.map((note) => el("div", { class: "mnb-note" }, note)),
    el("div", { class: "mnb-quiet" }, now.said),
  ];
}

function strengths(scores) {
  const known = scores.flatMap(({ score, low, high }) => [score, low, high]).filter((value) => value !== null);
  const most = Math.max(0.5, ...known.map(Math.abs));
  const at = (value) => 50 + (50 * value) / most;
  const rows = scores.map((row) => {
    const track = el("div", { class: "mnb-track", "aria-hidden": "true" });
    if (row.low !== null) {
      const line = el("div", { class: "mnb-line" });
      line.style.left = `${at(row.low)}%`;
      line.style.width = `${at(row.high) - at(row.low)}%`;
      track.append(line);
    }
    if (row.score !== null) {
      const dot = el("div", { class: "mnb-dot" });
      dot.style.left = `${at(row.score)}%`;
      track.append(dot);
    }
    const between = row.low === null ? "no interval" : `${signed(row.low)} to ${signed(row.high)}`;
    return el("tr", {},
      el("th", { scope: "row" }, el("bdi", {}, row.level)),
      el("td", { class: "mnb-chart" }, track),
      el("td", {}, signed(row.score)),
      el("td", {}, between),
      el("td", {}, `${row.wins} / ${row.ties} / ${row.losses}`),
      el("td", {}, String(row.answers)));
  });
  const names = ["level", "", "score", "95 % interval", "won / tied / lost", "answers"];
  return el("div", { class: "mnb-table" }, el("table", {},
    el("thead", {}, el("tr", {}, ...names.map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, ...rows)));
}

function sentence({ check, estimate, low, high, by_chance: chance, n }) {
  if (estimate === null) return `${check}: not enough answers (${n}).`;
  if (low === null) return `${check}: ${percent(0.5 + estimate)} against ${percent(0.5 - estimate)}, with ${n} answers about two levels.`;
  const usual = chance === null ? "" : `; ${percent(chance)} by chance`;
  return `${check}: ${percent(estimate)} of ${n} (${percent(low)} to ${percent(high)}${usual}).`;
}

function render({ model, el: host }) {
  const root = document.createElement("div");
  root.className = "musicapi-nb-blind";
  root.setAttribute("role", "region");
  root.setAttribute("aria-label", "Blind test");
  host.append(root);
  const page = new Page(model, root);
  return () => page.close();
}

export default { render };
