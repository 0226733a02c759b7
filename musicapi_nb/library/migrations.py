"""The tables of a library, and the steps from each version of them to the next.

`events` is the truth; it only grows. `entries`, `cells`, `budgets`, `attached` and `ratings` are
what the events amount to, kept beside them so that questions are quick (`rebuild` makes them anew).
"""

from __future__ import annotations

APPLICATION_ID = 0x6D6E626C  # "mnbl": tells a library from any other SQLite file

_VERSION_1 = """
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    entry INTEGER,
    owner TEXT,
    data TEXT NOT NULL,
    raw TEXT
);
CREATE INDEX events_of_entry ON events(entry) WHERE entry IS NOT NULL;
CREATE TRIGGER events_stay BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
CREATE TRIGGER events_remain BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;

CREATE TABLE entries (
    id INTEGER PRIMARY KEY,
    asked INTEGER NOT NULL REFERENCES events(id),
    request_key TEXT NOT NULL,
    engine TEXT NOT NULL,
    operation TEXT NOT NULL,
    state TEXT NOT NULL,
    model TEXT,
    take INTEGER NOT NULL,
    simulated INTEGER NOT NULL,
    experiment TEXT,
    cell TEXT,
    price INTEGER,
    reserve INTEGER NOT NULL,
    budgets TEXT NOT NULL,
    owner TEXT,
    task_id TEXT,
    refunded INTEGER,
    planned_at REAL,
    sent_at REAL,
    accepted_at REAL,
    polled_at REAL,
    ended_at REAL,
    note TEXT,
    reply INTEGER REFERENCES events(id)
);
CREATE INDEX entries_of_identity ON entries(request_key, simulated);
CREATE UNIQUE INDEX bought_once ON entries(request_key, simulated)
    WHERE state IN ('planned', 'sending', 'accepted', 'uncertain', 'done');
CREATE INDEX entries_open ON entries(state)
    WHERE state IN ('planned', 'sending', 'accepted', 'uncertain');

CREATE TABLE cells (
    experiment TEXT NOT NULL,
    cell TEXT NOT NULL,
    entry INTEGER NOT NULL,
    PRIMARY KEY (experiment, cell)
) WITHOUT ROWID;

CREATE TABLE budgets (
    name TEXT PRIMARY KEY,
    credits INTEGER NOT NULL,
    assume INTEGER,
    held INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE TABLE attached (
    song TEXT NOT NULL,
    media TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    size INTEGER NOT NULL,
    suffix TEXT NOT NULL,
    PRIMARY KEY (song, media)
) WITHOUT ROWID;

CREATE TABLE paces (
    name TEXT PRIMARY KEY,
    next REAL NOT NULL,
    asked REAL NOT NULL,
    slowness REAL NOT NULL,
    paused REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE places (
    name TEXT NOT NULL,
    at REAL NOT NULL
);
"""

# To ask of every change of state which of five states it is costs more than all else of a step:
# `live` (1, or NULL, of which there may be many) changes once in an entry's life.
_VERSION_2 = """
ALTER TABLE entries ADD COLUMN live INTEGER;
UPDATE entries SET live = 1
    WHERE state IN ('planned', 'sending', 'accepted', 'uncertain', 'done');
DROP INDEX entries_of_identity;
DROP INDEX bought_once;
DROP INDEX entries_open;
CREATE UNIQUE INDEX bought_once ON entries(request_key, simulated, live);
CREATE INDEX entries_open ON entries(state) WHERE ended_at IS NULL;
"""

_VERSION_3 = """
CREATE TABLE ratings (
    song TEXT PRIMARY KEY,
    song_id TEXT,
    task_id TEXT,
    position INTEGER NOT NULL,
    stars INTEGER,
    note TEXT NOT NULL,
    at REAL NOT NULL,
    simulated INTEGER NOT NULL
) WITHOUT ROWID;
"""

# `blind_tests` and `trials` too are what the events amount to.
_VERSION_4 = """
CREATE TABLE blind_tests (
    name TEXT PRIMARY KEY,
    factor TEXT NOT NULL,
    at REAL NOT NULL,
    settings TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE trials (
    test TEXT NOT NULL,
    number INTEGER NOT NULL,
    repeat_of INTEGER,
    shown TEXT NOT NULL,
    answer TEXT,
    chosen INTEGER,
    seconds REAL,
    answered_at REAL,
    PRIMARY KEY (test, number)
) WITHOUT ROWID;
"""

# A webhook names a task; with ten thousand under way, to look through all entries takes too long.
_VERSION_5 = """
CREATE INDEX entries_of_task ON entries(task_id) WHERE task_id IS NOT NULL;
"""

STEPS: tuple[str, ...] = (_VERSION_1, _VERSION_2, _VERSION_3, _VERSION_4, _VERSION_5)
"""Script n leads from version n to n + 1; a released one is never changed."""
