// Types of what travels between Python and the page of a blind test; for the type checker only.

export interface State {
  trial: number | null;
  done: number;
  trials: number;
  songs: number;
  description: string;
  summary: Summary | null;
}

export interface Question {
  number: number;
  chosen: number | null;
  note: string;
  songs: { title: string; level: string }[];
}

export interface Summary {
  outcome: string;
  questions: Question[];
  factor: string;
  scores: Score[];
  pairs: Pair[];
  checks: Check[];
  notes: string[];
}

export interface Score {
  level: string;
  score: number | null;
  low: number | null;
  high: number | null;
  answers: number;
  wins: number;
  ties: number;
  losses: number;
}

export interface Pair {
  level: string;
  versus: string;
  answers: number;
  wins: number;
  ties: number;
  losses: number;
  share: number | null;
  difference: number | null;
  low: number | null;
  high: number | null;
  p_adjusted: number | null;
}

export interface Check {
  check: string;
  estimate: number | null;
  low: number | null;
  high: number | null;
  by_chance: number | null;
  n: number;
  p: number | null;
}

/** What the kernel sends. */
export type Reply =
  | { do: "audio"; trial: number; position: number }
  | { do: "failed"; trial: number; request: string; error: string };

/** What the page sends, together with the number of the trial. */
export type Request =
  | { do: "load"; position: number }
  | { do: "answer"; chosen: number | null; seconds: number | null }
  | { do: "skip" };

/** What the page sends after the end. */
export type Replay = { do: "replay"; trial: number; position: number };

// --- inside the page

export interface Player {
  letter: string;
  index: number;
  ready: boolean;
  played: boolean;
  url: string | null;
  audio: HTMLAudioElement;
  button: HTMLButtonElement;
  label: HTMLElement;
}

/** The value is the position of a song; null: no difference. */
export interface Choice {
  value: number | null;
  button: HTMLButtonElement;
}
