// The gallery in the page: filters, sorts and pages the songs that Python sent, plays one at a
// time, and shows a rating as stored only when Python says so. Texts of the service are set as
// text, never as markup; addresses pass `address`.

const PAGE = 24;
const BLOBS = 6; // songs whose bytes are kept
const SEEK = 5; // seconds
const PATIENCE = 10_000; // ms
const GONE = "The kernel is gone: run the cell again.";
const MEDIA = new Set(["audio/mpeg", "audio/wav", "audio/mp4", "audio/flac", "audio/ogg"]);
const FATES = ["", "kept", "added", "dropped"];
const SIGNS = ["", "✓ ", "+ ", "− "];
const STATES = ["pending", "running", "succeeded", "failed", "unknown"];
const START = { page: 0, search: "", tag: "", fate: "", state: "", rating: "", factors: {},
                sort: "order", down: false, group: "" };

function el(tag, named = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(named)) {
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== ""));
  return node;
}

const text = (words) => el("bdi", {}, words); // what was not written here turns nothing around it

// An address that may be loaded: https; http on this machine for songs of the simulator.
function address(url, simulated) {
  try {
    const { protocol, hostname, username, password } = new URL(url);
    if (username || password) return null;
    if (protocol === "https:") return url;
    const here = ["127.0.0.1", "localhost", "[::1]"].includes(hostname);
    return protocol === "http:" && simulated && here ? url : null;
  } catch {
    return null;
  }
}

function minutes(seconds) {
  if (seconds === null || !Number.isFinite(seconds)) return "–:––";
  const whole = Math.round(seconds);
  const rest = String(whole % 60).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)}:${rest}`;
  const minute = String(Math.floor(whole / 60) % 60).padStart(2, "0");
  return `${Math.floor(whole / 3600)}:${minute}:${rest}`;
}

const listed = (words) => words.flatMap((word, at) => (at ? [" · ", text(word)] : [text(word)]));

const songs = (number) => `${number.toLocaleString("en")} song${number === 1 ? "" : "s"}`;

// --- which songs, in which order: pure -------------------------------------------------------

function passes(data, rated, view, index) {
  const mark = rated[index] ?? [0, 0];
  if (view.search && !data.title[index].toLowerCase().includes(view.search.toLowerCase())) {
    return false;
  }
  if (view.state && data.state[index] !== view.state) return false;
  if (view.tag && !data.tags[index].some((code) => tagged(data, view, code))) return false;
  for (const { name, levels, of } of data.factors) {
    if (view.factors[name] && levels[of[index]] !== view.factors[name]) return false;
  }
  if (view.rating === "rated") return mark[0] > 0;
  if (view.rating === "unrated") return mark[0] === 0 && data.state[index] === "succeeded";
  if (view.rating === "note") return mark[1] > 0;
  return !view.rating || mark[0] >= Number(view.rating);
}

function tagged(data, view, code) {
  if (!data.tag_words[code >> 2].toLowerCase().startsWith(view.tag.toLowerCase())) return false;
  const fate = FATES[code & 3];
  if (view.fate === "asked") return fate === "kept" || fate === "dropped";
  return view.fate ? fate === view.fate : fate !== "dropped";
}

function key(data, rated, what) {
  const factor = data.factors.find(({ name }) => `factor ${name}` === what);
  if (factor) return (index) => (factor.of[index] < 0 ? Infinity : factor.of[index]);
  if (what === "title") return (index) => data.title[index].toLowerCase();
  if (what === "seconds") return (index) => data.seconds[index] ?? Infinity;
  if (what === "rating") return (index) => (rated[index] ?? [0])[0];
  if (what === "state") return (index) => STATES.indexOf(data.state[index]);
  return (index) => index;
}

function compared(by, down) {
  return (one, other) => {
    const [a, b] = [by(one), by(other)];
    if (a === b) return one - other;
    if (a === Infinity || b === Infinity) return a === Infinity ? 1 : -1; // not known: last
    const sign = typeof a === "string" ? a.localeCompare(b) : a - b;
    return down ? -sign : sign;
  };
}

function chosen(data, rated, view) {
  const all = data.title.map((_, index) => index);
  const found = all.filter((index) => passes(data, rated, view, index));
  found.sort(compared(key(data, rated, view.sort), view.down));
  if (view.group) {
    const place = new Map(found.map((index, at) => [index, at]));
    const group = key(data, rated, view.group);
    found.sort((a, b) => group(a) - group(b) || place.get(a) - place.get(b));
  }
  return found;
}

function groupWords(data, rated, view, index) {
  const factor = data.factors.find(({ name }) => `factor ${name}` === view.group);
  if (factor) return `${factor.name}: ${factor.levels[factor.of[index]] ?? "(none)"}`;
  if (view.group === "state") return data.state[index];
  const stars = (rated[index] ?? [0])[0];
  return stars ? `rated ${stars} of 5` : "not rated";
}

// --- the bytes and shapes of songs: one store a model, shared by its views ---------------------

const stores = new WeakMap();

function storeOf(model) {
  const generation = model.get("_songs").generation;
  let store = stores.get(model);
  if (!store) stores.set(model, (store = { views: 0, blobs: new Map() }));
  if (store.generation !== generation) {
    forget(store);
    Object.assign(store, { generation, peaks: new Map(), details: new Map() });
    for (const [at, detail] of Object.entries(model.get("_songs").details)) {
      store.details.set(Number(at), detail);
    }
  }
  return store;
}

function forget(store) {
  for (const url of store.blobs.values()) URL.revokeObjectURL(url);
  store.blobs.clear();
}

function keepBlob(store, index, media, bytes) {
  if (!store.blobs.has(index)) {
    const type = MEDIA.has(media) ? media : "audio/mpeg";
    store.blobs.set(index, URL.createObjectURL(new Blob([bytes], { type })));
  }
  while (store.blobs.size > BLOBS) {
    const [oldest, url] = store.blobs.entries().next().value;
    URL.revokeObjectURL(url);
    store.blobs.delete(oldest);
  }
}

const bytesOf = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

// --- one view ---------------------------------------------------------------------------------

class View {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.store = storeOf(model);
    this.store.views += 1;
    this.data = model.get("_songs");
    this.view = { ...START, ...model.get("_view") };
    this.cards = new Map(); // of the page, by index
    this.wanted = null; // the song that plays, or is to as soon as its sound is here
    this.tried = new Set(); // links that failed here and were asked of Python
    this.waiting = new Map();
    this.unpainted = new Set();
    this.asked = new Map(); // notes on their way
    this.audio = el("audio", { preload: "auto", class: "mnb-audio" });
    this.build();
    this.listen();
    this.show();
  }

  get rated() {
    return this.model.get("_rated");
  }

  // Whether it was sent: a model whose kernel is gone refuses to send, or sends to nobody.
  ask(message) {
    if (this.over) return false;
    try {
      this.model.send({ ...message, generation: this.data.generation });
    } catch {
      return false;
    }
    return true;
  }

  listen() {
    this.hear = (message, buffers) => this.told(message, buffers ?? []);
    this.marked = () => this.cards.forEach((card, index) => this.mark(index));
    this.renewed = () => this.renew();
    this.quiet = ({ target }) => target !== this.audio && this.audio.pause();
    this.model.on("msg:custom", this.hear);
    this.model.on("change:_rated", this.marked);
    this.model.on("change:_songs", this.renewed);
    document.addEventListener("play", this.quiet, true); // any other player on the page
    for (const name of ["play", "pause", "ended", "loadedmetadata", "timeupdate"]) {
      this.audio.addEventListener(name, () => this.wanted !== null && this.draw(this.wanted));
    }
    this.audio.addEventListener("error", () => this.failed());
    this.seen = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        if (isIntersecting) this.outline(Number(target.dataset.index));
      }
    });
    this.resized = new ResizeObserver(() => this.cards.forEach((_, index) => this.draw(index)));
    this.resized.observe(this.list);
  }

  end() {
    this.model.off("msg:custom", this.hear);
    this.model.off("change:_rated", this.marked);
    this.model.off("change:_songs", this.renewed);
    document.removeEventListener("play", this.quiet, true);
    this.seen.disconnect();
    this.resized.disconnect();
    this.over = true;
    this.waiting.forEach((timer, index) => {
      clearTimeout(timer);
      this.say(index, `Not known to be stored. ${GONE}`, true);
    });
    this.wanted = null;
    this.audio.pause();
    this.audio.removeAttribute("src");
    this.store.views -= 1;
    if (!this.store.views) forget(this.store);
  }

  renew() {
    this.stop();
    this.data = this.model.get("_songs");
    this.store = storeOf(this.model);
    this.tried.clear();
    this.root.replaceChildren();
    this.build();
    this.resized.observe(this.list);
    this.show();
  }

  // --- the frame around the cards ---

  build() {
    const { root, data } = this;
    root.className = "musicapi-nb-gallery mathjax_ignore tex2jax_ignore";
    root.dataset.lmSuppressShortcuts = "true"; // here 1 to 5 are ratings, not headings
    root.setAttribute("role", "region");
    root.setAttribute("aria-label", data.heading || "Gallery of songs");
    this.count = el("div", { class: "mnb-count", role: "status" });
    this.problem = el("div", { class: "mnb-problem", role: "alert" });
    this.list = el("div", { class: "mnb-list", onkeydown: (event) => this.pressed(event) });
    this.pagers = [this.pager(false), this.pager(true)];
    root.append(
      data.heading ? el("div", { class: "mnb-heading" }, text(data.heading)) : "",
      this.tools(),
      el("div", { class: "mnb-bar" }, this.count, this.pagers[0].node),
      this.problem,
      this.list,
      el("div", { class: "mnb-bar mnb-below" }, this.help(), this.pagers[1].node),
      this.audio,
    );
  }

  help() {
    const { kept } = this.data;
    const where = kept ? el("span", {}, "Ratings and notes are stored in ", text(kept), ".")
      : "No library: ratings and notes last as long as this kernel.";
    const keys = "Keys on a song: space plays, arrows go to others, shift+arrows seek, "
      + "1 to 5 rate, 0 clears.";
    return el("div", { class: "mnb-quiet" }, el("div", {}, where), el("div", {}, keys));
  }

  pager(below) {
    const turn = (by) => () => this.turn(this.view.page + by, below);
    const back = el("button", { type: "button", onclick: turn(-1) }, "Previous");
    const next = el("button", { type: "button", onclick: turn(1) }, "Next");
    const words = el("span", { class: "mnb-page" });
    const node = el("nav", { class: "mnb-pager", "aria-label": "Pages" }, back, words, next);
    return { node, back, next, words };
  }

  turn(page, below = false) {
    this.change({ page });
    if (below) this.root.scrollIntoView({ block: "start" });
  }

  tools() {
    const { data, view } = this;
    const box = el("div", { class: "mnb-tools", role: "search", "aria-label": "Filters" });
    const tags = el("datalist", { id: `mnb-tags-${Math.random().toString(36).slice(2)}` });
    tags.append(...this.commonTags().map((word) => el("option", { value: word })));
    box.append(
      this.field("Title", el("input", { type: "search", value: view.search }), "search"),
      this.field("Tag", el("input", { type: "search", value: view.tag, list: tags.id }), "tag"),
      tags,
    );
    if (data.tags.some((codes) => codes.some((code) => code & 3))) {
      box.append(this.choice("Tag is", "fate", [["", "there"], ["asked", "asked for"],
        ["kept", "kept"], ["added", "added"], ["dropped", "dropped"]]));
    }
    const present = STATES.filter((state) => data.state.includes(state));
    if (present.length > 1) {
      box.append(this.choice("State", "state", [["", "any"], ...present.map((s) => [s, s])]));
    }
    box.append(this.choice("Rating", "rating", [["", "any"], ["rated", "rated"],
      ["unrated", "not rated"], ...[1, 2, 3, 4].map((n) => [String(n), `${n} or more`]),
      ["5", "5"], ["note", "with a note"]]));
    for (const { name, levels } of data.factors) {
      const options = [["", "any"], ...levels.map((level) => [level, level])];
      const select = this.select(options, view.factors[name] ?? "", (value) =>
        this.change({ page: 0, factors: { ...this.view.factors, [name]: value } }));
      select.setAttribute("aria-label", name);
      box.append(el("label", {}, el("span", {}, text(name)), select));
    }
    const factors = data.factors.map(({ name }) => [`factor ${name}`, name]);
    box.append(this.choice("Sort by", "sort", [["order", "order given"], ["title", "title"],
      ["seconds", "length"], ["rating", "rating"], ...factors]));
    const down = el("input", { type: "checkbox" });
    down.checked = view.down;
    down.addEventListener("change", () => this.change({ page: 0, down: down.checked }));
    box.append(el("label", { class: "mnb-check" }, down, el("span", {}, "Last first")));
    box.append(this.choice("Group by", "group", [["", "nothing"], ...factors,
      ["state", "state"], ["rating", "rating"]]));
    box.append(el("button", { type: "button", onclick: () => this.clear() }, "Clear filters"));
    if (data.live) {
      const again = () => this.model.send({ type: "refresh" });
      box.append(el("button", { type: "button", onclick: again }, "Look again"));
    }
    return box;
  }

  commonTags() {
    const counts = new Map();
    for (const code of this.data.tags.flat()) {
      counts.set(code >> 2, (counts.get(code >> 2) ?? 0) + 1);
    }
    const often = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 200);
    return often.map(([word]) => this.data.tag_words[word]);
  }

  field(label, input, name) {
    input.addEventListener("input", () => this.change({ page: 0, [name]: input.value.trim() }));
    return el("label", {}, el("span", {}, label), input);
  }

  choice(label, name, options) {
    const select = this.select(options, this.view[name], (value) =>
      this.change({ page: 0, [name]: value }));
    select.setAttribute("aria-label", label); // the name that a label gives holds the choices too
    return el("label", {}, el("span", {}, label), select);
  }

  select(options, value, then) {
    const select = el("select", { onchange: () => then(select.value) },
      ...options.map(([given, words]) => el("option", { value: given }, words)));
    select.value = options.some(([given]) => given === value) ? value : options[0][0];
    return select;
  }

  clear() {
    this.view = { ...START };
    this.root.querySelector(".mnb-tools").replaceWith(this.tools());
    this.show();
  }

  change(changes) {
    this.view = { ...this.view, ...changes };
    this.show();
  }

  // --- a page of cards ---

  show() {
    this.found = chosen(this.data, this.rated, this.view);
    const last = Math.max(Math.ceil(this.found.length / PAGE) - 1, 0);
    this.view.page = Math.min(Math.max(this.view.page, 0), last);
    const first = this.view.page * PAGE;
    const page = this.found.slice(first, first + PAGE);
    this.count.textContent = this.countWords(first, page.length);
    for (const { back, next, words } of this.pagers) {
      back.disabled = this.view.page === 0;
      next.disabled = this.view.page === last;
      words.textContent = `Page ${this.view.page + 1} of ${last + 1}`;
    }
    this.lay(page, first);
    this.fetchDetails(page);
    this.model.set("_view", { ...this.view, found: this.found.length });
    this.model.save_changes();
  }

  countWords(first, number) {
    const total = this.data.title.length;
    const missing = this.data.without ? ` ${this.data.without} more have no songs yet.` : "";
    if (!total) return `There are no songs to show yet.${missing}`;
    if (!number) return `None of ${songs(total)} passes these filters.${missing}`;
    const of = this.found.length === total ? songs(total) : `${this.found.length} found`;
    const whole = this.found.length === total ? "" : `, of ${songs(total)}`;
    return `${first + 1} to ${first + number} of ${of}${whole}.${missing}`;
  }

  lay(page, first) {
    if (this.wanted !== null && !page.includes(this.wanted)) this.stop();
    this.seen?.disconnect();
    this.cards.clear();
    const nodes = [];
    let last = null;
    for (const [at, index] of page.entries()) {
      if (this.view.group) {
        const words = groupWords(this.data, this.rated, this.view, index);
        if (words !== last) nodes.push(this.header(words, index, at === 0 && first > 0));
        last = words;
      }
      const card = this.card(index);
      this.cards.set(index, card);
      nodes.push(card.node);
    }
    this.list.replaceChildren(...nodes);
    if (page.length) this.cards.get(page[0]).node.tabIndex = 0;
    for (const [index, { node }] of this.cards) {
      this.mark(index);
      this.fill(index);
      this.seen?.observe(node);
    }
  }

  header(words, index, continued) {
    const same = (other) => groupWords(this.data, this.rated, this.view, other) === words;
    const number = this.found.filter(same).length;
    const before = this.found[this.view.page * PAGE - 1];
    const rest = continued && before !== undefined && same(before) ? ", continued" : "";
    return el("div", { class: "mnb-group", role: "heading", "aria-level": "3" },
      text(words), el("span", { class: "mnb-quiet" }, ` ${songs(number)}${rest}`));
  }

  card(index) {
    const { data } = this;
    const title = data.title[index];
    const card = { cover: el("div", { class: "mnb-cover" }), facts: el("div", { class: "mnb-quiet" }),
                   body: el("div", { class: "mnb-body" }) };
    card.facts.append(...this.facts(index));
    const head = el("div", { class: "mnb-head" }, card.cover, el("div", { class: "mnb-what" },
      el("div", { class: "mnb-title" }, text(title)), card.facts, this.badges(index)));
    card.node = el("div", { class: "mnb-card", role: "group", tabindex: "-1",
      "aria-label": `Song ${title}`, "data-index": index, onfocusin: () => this.focused(index) },
      head, this.levels(index),
      this.chips(index), card.body);
    if (data.heard[index]) this.audible(index, card, title);
    card.lyrics = el("div", { class: "mnb-lyrics", dir: "auto" });
    if (data.words[index]) {
      const summary = el("summary", {}, "Lyrics");
      card.node.append(el("details", {}, summary, card.lyrics));
    }
    return card;
  }

  facts(index) {
    const { seconds, model, made } = this.data;
    const length = seconds[index] === null ? "" : minutes(seconds[index]);
    return listed([length, model[index], made[index]].filter(Boolean));
  }

  levels(index) {
    const of = this.data.factors.filter((factor) => factor.of[index] >= 0);
    if (!of.length) return "";
    const words = of.map((factor) => `${factor.name}: ${factor.levels[factor.of[index]]}`);
    return el("div", { class: "mnb-levels" }, ...listed(words));
  }

  badges(index) {
    const { state, place, simulated } = this.data;
    const badge = (words, kind) => el("span", { class: `mnb-badge mnb-${kind}` }, words);
    const box = el("div", { class: "mnb-badges" });
    if (state[index] !== "succeeded") box.append(badge(state[index], state[index]));
    if (place[index]) box.append(badge(place[index], "plain"));
    if (simulated[index]) box.append(badge("simulated", "plain"));
    return box;
  }

  chips(index) {
    const { tags, tag_words } = this.data;
    const chip = (code) => el("span", { class: `mnb-chip mnb-${FATES[code & 3] || "plain"}`,
      title: FATES[code & 3] || undefined }, SIGNS[code & 3], text(tag_words[code >> 2]));
    const all = tags[index];
    const box = el("div", { class: "mnb-chips" }, ...all.slice(0, 10).map(chip));
    if (all.length > 10) {
      const more = el("button", { type: "button", class: "mnb-link", onclick: () => {
        more.replaceWith(...all.slice(10).map(chip));
        box.closest(".mnb-card").focus();
      } }, `and ${all.length - 10} more tags`);
      box.append(more);
    }
    return box;
  }

  audible(index, card, title) {
    card.play = el("button", { type: "button", class: "mnb-play",
      onclick: () => this.toggle(index) }, "Play");
    card.play.setAttribute("aria-label", `Play ${title}`);
    card.canvas = el("canvas", { class: "mnb-wave", role: "slider", tabindex: "0",
      "aria-label": `Position in ${title}`, "aria-valuemin": "0",
      onclick: (event) => this.seekTo(index, event) });
    card.time = el("span", { class: "mnb-time" });
    card.why = el("div", { class: "mnb-why", role: "alert" });
    card.player = el("div", { class: "mnb-player" }, card.play, card.canvas, card.time);
    card.stars = [1, 2, 3, 4, 5].map((stars) => el("button", { type: "button",
      class: "mnb-star", "aria-label": `Rate ${title} ${stars} of 5`,
      onclick: () => this.rate(index, { stars }) }, String(stars)));
    card.none = el("button", { type: "button", class: "mnb-link",
      "aria-label": `Clear the rating of ${title}`,
      onclick: () => this.rate(index, { stars: 0 }) }, "Clear");
    card.said = el("span", { class: "mnb-said", role: "status" });
    card.note = el("input", { type: "text", class: "mnb-note", maxlength: "4000",
      placeholder: "Note", "aria-label": `Note on ${title}`,
      onblur: () => this.noted(index),
      onkeydown: ({ key }) => key === "Enter" && this.noted(index) });
    card.body.append(card.player,
      el("div", { class: "mnb-rating", role: "group", "aria-label": `Rating of ${title}` },
        el("span", { class: "mnb-quiet" }, "Rating"), ...card.stars, card.none, card.said),
      card.note, card.why);
  }

  fetchDetails(page) {
    const missing = page.filter((index) => !this.store.details.has(index));
    if (missing.length) this.ask({ type: "page", indices: missing });
  }

  // Put into a card what came later; nothing in it moves.
  fill(index) {
    const card = this.cards.get(index);
    const detail = this.store.details.get(index);
    if (!card) return;
    this.draw(index);
    if (!detail) return;
    card.cover.style.backgroundImage = detail.gradient;
    const simulated = this.data.simulated[index];
    const url = address(detail.cover, simulated);
    if (url && !card.cover.firstChild) {
      const picture = el("img", { alt: "", loading: "lazy", onerror: () => picture.remove() });
      picture.src = url;
      card.cover.append(picture);
    }
    card.lyrics.textContent = detail.lyrics;
    if (card.note && document.activeElement !== card.note) card.note.value = detail.note;
    if (detail.why && card.player) {
      card.why.textContent = detail.why;
      card.player.replaceChildren(card.why);
      card.player = null;
    } else if (detail.why && !card.player && !card.body.firstChild) {
      const kind = this.data.state[index] === "failed" ? "mnb-notice mnb-failed" : "mnb-notice";
      card.body.append(el("div", { class: kind }, text(detail.why)));
    }
  }

  focused(index) {
    for (const [other, { node }] of this.cards) node.tabIndex = other === index ? 0 : -1;
  }

  // --- keys ---

  pressed(event) {
    const node = event.target.closest(".mnb-card");
    if (!node || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target.matches("input, select, textarea")) return;
    const index = Number(node.dataset.index);
    const { key: pressed, shiftKey } = event;
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    if (pressed in steps) {
      if (shiftKey || event.target.matches("canvas")) this.seekBy(index, SEEK * steps[pressed]);
      else this.step(index, steps[pressed]);
    } else if (pressed === " " && !event.target.matches("button:not(.mnb-play), summary")) {
      if (!event.repeat) this.toggle(index);
    } else if (/^[0-5]$/.test(pressed)) {
      if (!event.repeat) this.rate(index, { stars: Number(pressed) });
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  step(index, by) {
    const at = this.found.indexOf(index) + by;
    if (at < 0 || at >= this.found.length) return;
    const awaited = !this.audio.getAttribute("src"); // its sound is on its way
    const playing = this.wanted === index && (awaited || !this.audio.paused);
    const page = Math.floor(at / PAGE);
    if (page !== this.view.page) this.change({ page });
    const next = this.found[at];
    this.cards.get(next).node.focus();
    if (playing && this.cards.get(next).player) this.play(next);
  }

  // --- playing ---

  toggle(index) {
    if (this.wanted === index && !this.audio.paused) this.audio.pause();
    else if (this.wanted === index && this.audio.src) this.start();
    else this.play(index);
  }

  play(index) {
    const card = this.cards.get(index);
    if (!card?.player) return;
    this.stop();
    this.wanted = index;
    card.why.textContent = "";
    const detail = this.store.details.get(index);
    const link = address(detail?.url, this.data.simulated[index]);
    if (this.store.blobs.has(index)) {
      const url = this.store.blobs.get(index);
      this.store.blobs.delete(index); // the latest is kept longest
      this.store.blobs.set(index, url);
      this.load(url);
    } else if (link && !this.tried.has(index)) {
      this.load(link);
      if (this.data.fetches && !this.store.peaks.has(index)) this.ask({ type: "peaks", index });
    } else if (!this.ask({ type: "audio", index })) {
      this.stop();
      this.complain(index, `No audio. ${GONE}`);
    }
    this.draw(index);
  }

  load(url) {
    this.audio.src = url;
    this.start();
  }

  start() {
    this.audio.play().catch((error) => {
      if (error.name !== "NotAllowedError" || this.wanted === null) return;
      this.complain(this.wanted, "The browser wants one more press on Play.");
    });
  }

  stop() {
    const before = this.wanted;
    this.wanted = null;
    this.audio.pause();
    this.audio.removeAttribute("src");
    if (before !== null) this.draw(before);
  }

  failed() {
    const index = this.wanted;
    if (index === null || !this.audio.getAttribute("src")) return;
    if (this.audio.src.startsWith("blob:")) {
      this.stop();
      this.complain(index, "This browser cannot play this kind of sound.");
      return;
    }
    this.tried.add(index);
    this.audio.removeAttribute("src");
    this.ask({ type: "audio", index });
  }

  complain(index, words) {
    const card = this.cards.get(index);
    if (card?.why) card.why.textContent = words;
  }

  seconds(index) {
    const known = this.wanted === index ? this.audio.duration : NaN;
    return Number.isFinite(known) ? known : this.data.seconds[index];
  }

  seekTo(index, event) {
    const box = event.currentTarget.getBoundingClientRect();
    const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    this.seek(index, share * (this.seconds(index) ?? 0));
  }

  seekBy(index, by) {
    if (this.wanted === index) this.seek(index, this.audio.currentTime + by);
  }

  seek(index, to) {
    const go = () => {
      const end = this.seconds(index) ?? 0;
      this.audio.currentTime = Math.min(Math.max(to, 0), Math.max(end - 0.1, 0));
    };
    if (this.wanted !== index) this.play(index);
    if (this.audio.readyState >= 1 && this.audio.getAttribute("src")) go();
    else this.audio.addEventListener("loadedmetadata", () => this.wanted === index && go(), { once: true });
  }

  outline(index) {
    const detail = this.store.details.get(index);
    if (detail?.audio !== "file" || this.store.peaks.has(index)) return;
    this.store.peaks.set(index, null); // asked for
    this.ask({ type: "peaks", index });
  }

  draw(index) {
    const card = this.cards.get(index);
    if (!card?.player) return;
    const mine = this.wanted === index;
    const playing = mine && !this.audio.paused;
    const at = mine ? this.audio.currentTime : 0;
    const end = this.seconds(index);
    const loading = mine && this.audio.readyState < 2 && !this.audio.error;
    const words = loading ? "Loading" : playing ? "Pause" : "Play";
    if (card.play.textContent !== words) {
      card.play.textContent = words;
      card.play.setAttribute("aria-label", `${words} ${this.data.title[index]}`);
    }
    card.node.classList.toggle("mnb-playing", mine);
    card.time.textContent = `${minutes(at)} / ${minutes(end)}`;
    card.canvas.setAttribute("aria-valuemax", String(Math.round(end ?? 0)));
    card.canvas.setAttribute("aria-valuenow", String(Math.round(at)));
    card.canvas.setAttribute("aria-valuetext", `${minutes(at)} of ${minutes(end)}`);
    card.share = end ? at / end : 0;
    this.paintSoon(index);
  }

  // All of a frame at once: sizes are read before anything is painted, so the page is laid out once.
  paintSoon(index) {
    if (!this.unpainted.size) {
      requestAnimationFrame(() => {
        const cards = [...this.unpainted].map((at) => [at, this.cards.get(at)])
          .filter(([, card]) => card?.player);
        this.unpainted.clear();
        const sizes = cards.map(([, { canvas }]) => [canvas.clientWidth, canvas.clientHeight]);
        cards.forEach(([at, { canvas, share }], n) =>
          paint(canvas, sizes[n], this.store.peaks.get(at), share));
      });
    }
    this.unpainted.add(index);
  }

  // --- rating ---

  rate(index, said) {
    const card = this.cards.get(index);
    if (!card?.stars) return;
    clearTimeout(this.waiting.get(index));
    if (!this.ask({ type: "rate", index, ...said })) {
      this.say(index, `Not known to be stored. ${GONE}`, true);
      return;
    }
    this.say(index, "storing…", false);
    this.waiting.set(index, setTimeout(() => {
      const words = "No answer: the kernel is busy or gone. Not known to be stored.";
      this.say(index, words, true);
    }, PATIENCE));
  }

  noted(index) {
    const { note } = this.cards.get(index);
    const before = this.asked.get(index) ?? this.store.details.get(index)?.note ?? "";
    if (note.value.trim() === before) return;
    this.asked.set(index, note.value.trim());
    this.rate(index, { note: note.value });
  }

  say(index, words, bad) {
    const card = this.cards.get(index);
    if (!card?.said) return;
    card.said.className = bad ? "mnb-said mnb-bad" : "mnb-said";
    card.said.textContent = words;
  }

  mark(index) {
    const card = this.cards.get(index);
    if (!card?.stars) return;
    const [stars] = this.rated[index] ?? [0, 0];
    card.stars.forEach((button, at) => {
      button.classList.toggle("mnb-on", at < stars);
      button.setAttribute("aria-pressed", String(at + 1 === stars));
    });
    card.none.disabled = stars === 0;
  }

  // --- what Python says ---

  told(message, buffers) {
    if (message.type === "problem") {
      this.problem.textContent = message.message;
      if (message.about?.type === "rate") this.answered(message.about.index, message.message, true);
      return;
    }
    if (message.generation !== this.data.generation) return;
    const { index } = message;
    if (message.type === "page") {
      for (const [at, detail] of Object.entries(message.details)) {
        this.store.details.set(Number(at), detail);
        this.fill(Number(at));
        const card = this.cards.get(Number(at));
        if (card) this.seen.unobserve(card.node), this.seen.observe(card.node);
      }
    } else if (message.type === "audio") {
      keepBlob(this.store, index, message.media, bytesOf(buffers[0]));
      if (this.wanted === index && !this.audio.getAttribute("src")) {
        this.load(this.store.blobs.get(index));
      }
    } else if (message.type === "peaks") {
      const bytes = bytesOf(buffers[0]).slice(); // aligned to the four bytes of a float
      this.store.peaks.set(index, new Float32Array(bytes.buffer));
      this.draw(index);
    } else if (message.type === "silent") {
      if (this.wanted === index) this.stop();
      this.complain(index, message.message);
    } else if (message.type === "rated") this.hearRated(message);
  }

  hearRated({ index, note, problem, of, mark }) {
    const detail = this.store.details.get(index);
    if (detail) detail.note = note;
    if (of === "note") this.asked.delete(index);
    const card = this.cards.get(index);
    if (card?.note && (of === "note" || document.activeElement !== card.note)) {
      card.note.value = note;
    }
    const done = of === "note" ? (note ? "note" : "note removed,") : (mark[0] ? "" : "cleared,");
    const where = this.data.kept ? "stored" : "kept for this session";
    this.answered(index, problem || `${done} ${where}`.trim(), Boolean(problem));
    this.mark(index);
  }

  answered(index, words, bad) {
    clearTimeout(this.waiting.get(index));
    this.waiting.delete(index);
    this.say(index, words, bad);
  }
}

// Draw the peaks, what was played in another colour; a thin line where there are none.
function paint(canvas, [width, height], peaks, share) {
  const scale = window.devicePixelRatio || 1;
  if (!width) return;
  if (canvas.width !== Math.round(width * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const brush = canvas.getContext("2d");
  brush.setTransform(scale, 0, 0, scale, 0, 0);
  brush.clearRect(0, 0, width, height);
  const bars = Math.max(Math.floor(width / 3), 1);
  const top = peaks?.length ? Math.max(...peaks, 0.05) : 1;
  for (let bar = 0; bar < bars; bar += 1) {
    const peak = peaks?.length ? peaks[Math.floor((bar * peaks.length) / bars)] / top : 0;
    const tall = Math.max(peak * (height - 4), 2);
    brush.fillStyle = (bar + 0.5) / bars < share ? "rgba(56,132,244,.95)" : "rgba(128,128,128,.55)";
    brush.fillRect(bar * 3, (height - tall) / 2, 2, tall);
  }
}

export default {
  render({ model, el: root }) {
    const view = new View(model, root);
    return () => view.end();
  },
};
