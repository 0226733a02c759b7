"""The tables of a library, and the scripts that lead from each version of them to the next.

`events` is only appended to. `entries`, `cells`, `budgets`, `attachments`, `ratings`, `blind_tests`
and `trials` are derived from it, so that queries are fast (`rebuild` recreates them). Triggers keep
`totals`, `files` and `disk_use` true to them, so that showing a library counts nothing. `measures`
and `measurements` have no events: what they hold can be computed again from the files.
"""

from __future__ import annotations

APPLICATION_ID = 0x6D6E626C  # "mnbl": distinguishes a library from any other SQLite file

# `active` is 1, or NULL, of which a unique index allows many: a key has one active entry.
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
CREATE INDEX events_by_entry ON events(entry) WHERE entry IS NOT NULL;
CREATE TRIGGER no_event_update BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
CREATE TRIGGER no_event_delete BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;

CREATE TABLE entries (
    id INTEGER PRIMARY KEY,
    request_event INTEGER NOT NULL REFERENCES events(id),
    request_key TEXT NOT NULL,
    engine TEXT NOT NULL,
    operation TEXT NOT NULL,
    state TEXT NOT NULL,
    model TEXT,
    take INTEGER NOT NULL,
    simulated INTEGER NOT NULL,
    experiment TEXT,
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
    reply_event INTEGER REFERENCES events(id),
    active INTEGER
);
CREATE UNIQUE INDEX one_active_entry ON entries(request_key, simulated, active);
CREATE INDEX open_entries ON entries(state) WHERE ended_at IS NULL;
CREATE INDEX entries_by_task ON entries(task_id) WHERE task_id IS NOT NULL;

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

CREATE TABLE attachments (
    song TEXT NOT NULL,
    media TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    size INTEGER NOT NULL,
    suffix TEXT NOT NULL,
    PRIMARY KEY (song, media)
) WITHOUT ROWID;

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

CREATE TABLE rate_limits (
    name TEXT PRIMARY KEY,
    next_slot REAL NOT NULL,
    asked_at REAL NOT NULL,
    slowdown REAL NOT NULL,
    paused_until REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE released_slots (
    name TEXT NOT NULL,
    at REAL NOT NULL
);
"""

# `totals` counts the entries that have ended: this writes once for each, and the others are few and
# have an index. An entry's `reserve` is its price and what each repost may have cost, which
# `repost_credits` sums up. `files` has each file once, however many songs it belongs to; none is
# ever deleted.
_VERSION_2 = """
CREATE TABLE totals (
    simulated INTEGER NOT NULL,
    state TEXT NOT NULL,
    refunded INTEGER NOT NULL,
    purchases INTEGER NOT NULL,
    credits INTEGER NOT NULL,
    unpriced INTEGER NOT NULL,
    repost_credits INTEGER NOT NULL,
    PRIMARY KEY (simulated, state, refunded)
) WITHOUT ROWID;
INSERT INTO totals
    SELECT simulated, state, refunded IS 1, count(*), coalesce(sum(price), 0), sum(price IS NULL),
        coalesce(sum(max(reserve - price, 0)), 0)
    FROM entries WHERE ended_at IS NOT NULL GROUP BY 1, 2, 3;
CREATE TRIGGER entry_added AFTER INSERT ON entries WHEN NEW.ended_at IS NOT NULL BEGIN
    INSERT INTO totals VALUES (
        NEW.simulated, NEW.state, NEW.refunded IS 1, 1, coalesce(NEW.price, 0), NEW.price IS NULL,
        coalesce(max(NEW.reserve - NEW.price, 0), 0)
    ) ON CONFLICT DO UPDATE SET purchases = purchases + 1, credits = credits + excluded.credits,
        unpriced = unpriced + excluded.unpriced,
        repost_credits = repost_credits + excluded.repost_credits;
END;
CREATE TRIGGER entry_removed AFTER DELETE ON entries WHEN OLD.ended_at IS NOT NULL BEGIN
    UPDATE totals SET purchases = purchases - 1, credits = credits - coalesce(OLD.price, 0),
        unpriced = unpriced - (OLD.price IS NULL),
        repost_credits = repost_credits - coalesce(max(OLD.reserve - OLD.price, 0), 0)
        WHERE simulated = OLD.simulated AND state = OLD.state AND refunded = (OLD.refunded IS 1);
END;
CREATE TRIGGER entry_changed AFTER UPDATE OF state, refunded, price, reserve, ended_at ON entries
    WHEN OLD.ended_at IS NOT NULL BEGIN
    UPDATE totals SET purchases = purchases - 1, credits = credits - coalesce(OLD.price, 0),
        unpriced = unpriced - (OLD.price IS NULL),
        repost_credits = repost_credits - coalesce(max(OLD.reserve - OLD.price, 0), 0)
        WHERE simulated = OLD.simulated AND state = OLD.state AND refunded = (OLD.refunded IS 1);
END;
CREATE TRIGGER entry_ended AFTER UPDATE OF state, refunded, price, reserve, ended_at ON entries
    WHEN NEW.ended_at IS NOT NULL BEGIN
    INSERT INTO totals VALUES (
        NEW.simulated, NEW.state, NEW.refunded IS 1, 1, coalesce(NEW.price, 0), NEW.price IS NULL,
        coalesce(max(NEW.reserve - NEW.price, 0), 0)
    ) ON CONFLICT DO UPDATE SET purchases = purchases + 1, credits = credits + excluded.credits,
        unpriced = unpriced + excluded.unpriced,
        repost_credits = repost_credits + excluded.repost_credits;
END;

CREATE TABLE files (
    sha256 TEXT NOT NULL,
    suffix TEXT NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY (sha256, suffix)
) WITHOUT ROWID;
CREATE TABLE disk_use (bytes INTEGER NOT NULL);
INSERT INTO disk_use VALUES (0);
CREATE TRIGGER file_added AFTER INSERT ON files BEGIN
    UPDATE disk_use SET bytes = bytes + NEW.size;
END;
CREATE TRIGGER file_removed AFTER DELETE ON files BEGIN
    UPDATE disk_use SET bytes = bytes - OLD.size;
END;
CREATE TRIGGER file_attached AFTER INSERT ON attachments
    WHEN NOT EXISTS (SELECT 1 FROM files WHERE sha256 = NEW.sha256 AND suffix = NEW.suffix) BEGIN
    INSERT INTO files VALUES (NEW.sha256, NEW.suffix, NEW.size);
END;
INSERT OR IGNORE INTO files SELECT sha256, suffix, size FROM attachments;
"""

_VERSION_3 = """
ALTER TABLE attachments ADD COLUMN note TEXT NOT NULL DEFAULT '';
CREATE INDEX attachments_with_notes ON attachments(song, media) WHERE note != '';
"""

# A library shows the version of a measure that was used last. `columns` is an object of pandas
# dtypes, `result` one of values by column; it is empty if there is an `error`.
_VERSION_4 = """
CREATE TABLE measures (
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    columns TEXT NOT NULL,
    used_at REAL NOT NULL,
    PRIMARY KEY (name, version)
) WITHOUT ROWID;
CREATE VIEW current_measures AS SELECT name, version, columns FROM measures
    WHERE used_at = (SELECT max(used_at) FROM measures AS others WHERE others.name = measures.name);
CREATE TABLE measurements (
    sha256 TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    result TEXT NOT NULL,
    error TEXT,
    at REAL NOT NULL,
    PRIMARY KEY (sha256, name, version)
) WITHOUT ROWID;
"""

# Adopted entries, which have no request key, are no purchases without a known price.
_VERSION_5 = """
DROP TRIGGER entry_added;
DROP TRIGGER entry_removed;
DROP TRIGGER entry_changed;
DROP TRIGGER entry_ended;
CREATE TRIGGER entry_added AFTER INSERT ON entries WHEN NEW.ended_at IS NOT NULL BEGIN
    INSERT INTO totals VALUES (
        NEW.simulated, NEW.state, NEW.refunded IS 1, 1, coalesce(NEW.price, 0),
        NEW.price IS NULL AND NEW.request_key != '', coalesce(max(NEW.reserve - NEW.price, 0), 0)
    ) ON CONFLICT DO UPDATE SET purchases = purchases + 1, credits = credits + excluded.credits,
        unpriced = unpriced + excluded.unpriced,
        repost_credits = repost_credits + excluded.repost_credits;
END;
CREATE TRIGGER entry_removed AFTER DELETE ON entries WHEN OLD.ended_at IS NOT NULL BEGIN
    UPDATE totals SET purchases = purchases - 1, credits = credits - coalesce(OLD.price, 0),
        unpriced = unpriced - (OLD.price IS NULL AND OLD.request_key != ''),
        repost_credits = repost_credits - coalesce(max(OLD.reserve - OLD.price, 0), 0)
        WHERE simulated = OLD.simulated AND state = OLD.state AND refunded = (OLD.refunded IS 1);
END;
CREATE TRIGGER entry_changed AFTER UPDATE OF state, refunded, price, reserve, ended_at ON entries
    WHEN OLD.ended_at IS NOT NULL BEGIN
    UPDATE totals SET purchases = purchases - 1, credits = credits - coalesce(OLD.price, 0),
        unpriced = unpriced - (OLD.price IS NULL AND OLD.request_key != ''),
        repost_credits = repost_credits - coalesce(max(OLD.reserve - OLD.price, 0), 0)
        WHERE simulated = OLD.simulated AND state = OLD.state AND refunded = (OLD.refunded IS 1);
END;
CREATE TRIGGER entry_ended AFTER UPDATE OF state, refunded, price, reserve, ended_at ON entries
    WHEN NEW.ended_at IS NOT NULL BEGIN
    INSERT INTO totals VALUES (
        NEW.simulated, NEW.state, NEW.refunded IS 1, 1, coalesce(NEW.price, 0),
        NEW.price IS NULL AND NEW.request_key != '', coalesce(max(NEW.reserve - NEW.price, 0), 0)
    ) ON CONFLICT DO UPDATE SET purchases = purchases + 1, credits = credits + excluded.credits,
        unpriced = unpriced + excluded.unpriced,
        repost_credits = repost_credits + excluded.repost_credits;
END;
"""

STEPS: tuple[str, ...] = (_VERSION_1, _VERSION_2, _VERSION_3, _VERSION_4, _VERSION_5)
"""Script n leads from version n to n + 1. Released scripts are never changed."""
