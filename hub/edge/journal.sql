-- The journal of one edge. Every row that matters carries a checksum, because SD cards lie.

-- What was accepted and is not receipted yet. AUTOINCREMENT: a number is never used twice.
CREATE TABLE IF NOT EXISTS entries (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    lane    TEXT    NOT NULL,
    payload BLOB    NOT NULL,
    crc     INTEGER NOT NULL
);

CREATE INDEX IF NOT EXISTS entries_by_lane ON entries (lane, seq);

-- What each driver remembers, written in the transaction of its observations.
CREATE TABLE IF NOT EXISTS state (
    name  TEXT    PRIMARY KEY,
    value BLOB    NOT NULL,
    crc   INTEGER NOT NULL
);

-- epoch, evicted, floor (newest synchronised instant), config.
CREATE TABLE IF NOT EXISTS meta (
    name  TEXT    PRIMARY KEY,
    value BLOB    NOT NULL,
    crc   INTEGER NOT NULL
);

-- Entries whose checksum failed, kept for people to look at.
CREATE TABLE IF NOT EXISTS set_aside (
    seq     INTEGER,
    lane    TEXT,
    payload BLOB,
    crc     INTEGER
)
