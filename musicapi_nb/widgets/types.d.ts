// Types of what travels between Python and the page; for the type checker only.

export interface Model {
  get(name: string): any;
  set(name: string, value: unknown): void;
  save_changes(): void;
  send(content: unknown): void;
  on(event: string, callback: (...args: any[]) => void): void;
  off(event: string, callback: (...args: any[]) => void): void;
  widget_manager: WidgetManager;
}

/** Of ipywidgets; the parts that are used. */
export interface WidgetManager {
  get_model(id: string): Promise<WidgetModel>;
  create_view(model: WidgetModel): Promise<WidgetView>;
}

export interface WidgetModel {
  comm_live: boolean;
  on(event: string, callback: () => void): void;
  off(event: string, callback: () => void): void;
}

export interface WidgetView {
  luminoWidget: { node: HTMLElement; processMessage(message: { type: string }): void };
  remove(): void;
}

export interface RenderArgs {
  model: Model;
  el: HTMLElement;
}

// --- songs: see song_data.py and song_widget.py

export interface Factor {
  name: string;
  levels: string[];
  level_indices: number[];
}

/** A measured column: see song_measures.py. */
export interface Measure {
  name: string;
  label: string;
  unit: string;
  digits: number | null;
  factor: number;
  is_text: boolean;
}

/** Values of a measured column by index; null if they are missing. */
export type MeasureValues = (number | string | null)[];

export interface Songs {
  key: string[];
  title: string[];
  seconds: (number | null)[];
  state: string[];
  state_labels: Record<string, string>;
  model: string[];
  playable: number[];
  date: (number | null)[];
  sources: Record<string, string>;
  simulated: number[];
  measures: Measure[];
  measured: Record<string, string>;
  values?: Record<string, MeasureValues>; // those that were requested to sort by
  has_lyrics: number[];
  position: string[];
  tags: number[][];
  tag_names: string[];
  factors: Factor[];
  generation: number;
  heading: string;
  without_songs: number;
  note: string;
  refreshable: boolean;
  can_fetch: boolean;
  library: string;
  forms: string;
  forms_model: string;
  toolbar: boolean;
  details: Record<string, Detail>;
  board: BoardData; // of a board only
}

export interface Detail {
  gradient: string;
  cover: string | null;
  audio: "file" | "link" | "";
  url: string | null;
  no_audio: string;
  note: string;
  lyrics: string;
  measured: string;
  menu: MenuItem[];
}

export interface MenuItem {
  action: string;
  label: string;
  price: string;
  reason: string;
}

/** By index: stars (0: none), and whether there is a note. */
export type Ratings = Record<string, [number, number]>;

export interface ViewState {
  page: number;
  search: string;
  tag: string;
  fate: string;
  state: string;
  rating: string;
  factors: Record<string, string>;
  sort: string;
  group: string;
  layout: string;
}

export interface Store {
  keys: string[];
  generation: number;
  views: number;
  blobs: Map<number, string>;
  peaks: Map<number, Float32Array | null>;
  details: Map<number, Detail>;
}

export interface PlayerParts {
  node: HTMLElement;
  button: HTMLButtonElement;
  canvas: HTMLCanvasElement | null;
  time: HTMLElement | null;
  share: number;
}

export interface RatingParts {
  node: HTMLElement;
  stars: HTMLButtonElement[];
  clear: HTMLButtonElement;
  status: HTMLElement;
  note: HTMLInputElement | null;
}

/** A song on the page: what the player and the ratings of a widget keep up to date. */
export interface SongNode {
  node: HTMLElement;
  reason: HTMLElement | null;
  player: PlayerParts | null;
  rating: RatingParts | null;
  menu?: HTMLElement;
}

export interface Card extends SongNode {
  cover: HTMLElement;
  body: HTMLElement;
  lyrics: HTMLElement | null;
  reason: HTMLElement;
}

export interface SongActions {
  toggle(index: number): void;
  seekTo(index: number, event: MouseEvent): void;
  rate(index: number, rating: { stars?: number; note?: string }): void;
  noteChanged(index: number): void;
  openMenu(index: number): void;
}

// --- board: see compare/board.py

/** The matrix of a board: `row` and `column` of each song; `reasons` by "row,column". */
export interface BoardData {
  row_names: string[];
  column_names: string[];
  rows: string[][];
  columns: string[][];
  row: number[];
  column: number[];
  label: string[];
  kept: (number | null)[]; // share of the requested tags
  reasons: Record<string, string>;
}

/** Indices of a row that is shown, of a column in its order there, and of a song in its place. */
export interface BoardPosition {
  row: number;
  slot: number;
  place: number;
}

export interface BoardSong extends SongNode {
  reason: HTMLElement;
}

// --- form: see form/controls.py and form/form.py

export interface FieldSpec {
  name: string;
  label: string;
  control: string;
  wide: boolean;
  advanced: boolean;
  placeholder?: string;
  numeric?: boolean;
  options?: [any, string][]; // value and text
  other?: boolean; // whether another value can be typed
  many?: boolean; // whether several songs can be chosen
  low?: number;
  high?: number;
}

export interface FieldState {
  shown: boolean;
  message: string;
  tone: string;
  count: string;
  chips: string[];
}

export interface Control {
  nodes: Node[];
  main: HTMLElement;
  get(): unknown;
  set(value: any): void;
  redraw?(): void; // what is shown of chosen songs may have changed
  offer?(text: string, songs: SongChoice[]): void; // the songs that a search returned
}

export interface SongChoice {
  id: string;
  title: string;
  facts: string;
  cover?: string;
  gradient?: string;
}

export interface SongSearch {
  find(name: string, text: string): void;
  song(id: string): SongChoice;
}

export interface FormField {
  node: HTMLElement;
  control: Control;
  show(state: FieldState): void;
}
