"""The journal's tables. Each entry of `MIGRATIONS` takes the schema from version n to n + 1."""

from __future__ import annotations

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE run (
        id TEXT PRIMARY KEY, pipeline TEXT NOT NULL, output_dir TEXT NOT NULL, redo TEXT,
        command TEXT NOT NULL, started INTEGER NOT NULL, ended INTEGER, exit_code INTEGER);
    CREATE TABLE job (
        key TEXT PRIMARY KEY, lineage TEXT NOT NULL, take INTEGER NOT NULL,
        provider TEXT NOT NULL, endpoint TEXT NOT NULL, state TEXT NOT NULL,
        description TEXT NOT NULL, wire TEXT NOT NULL, outputs INTEGER NOT NULL,
        run TEXT NOT NULL, address TEXT NOT NULL, owner TEXT NOT NULL,
        request_id TEXT, handle TEXT, urls TEXT NOT NULL DEFAULT '[]',
        artifacts TEXT NOT NULL DEFAULT '[]', units TEXT, unit_price TEXT,
        reserved INTEGER, cost INTEGER,
        billed TEXT NOT NULL DEFAULT 'unknown', reason TEXT, message TEXT,
        notes TEXT NOT NULL DEFAULT '[]',
        intent_at INTEGER, submitted_at INTEGER, ended_at INTEGER, expires INTEGER);
    CREATE INDEX job_lineage ON job (lineage);
    CREATE INDEX job_state ON job (state);
    CREATE UNIQUE INDEX job_request ON job (provider, request_id) WHERE request_id IS NOT NULL;
    -- One row a POST: what it reserved, and what it turned out to cost. Rows are never deleted.
    CREATE TABLE charge (
        id INTEGER PRIMARY KEY, key TEXT NOT NULL, run TEXT NOT NULL, model TEXT NOT NULL,
        at INTEGER NOT NULL, reserved INTEGER, reported INTEGER, settled INTEGER,
        status TEXT NOT NULL);  -- reserved | settled | released | in_doubt | abandoned
    CREATE INDEX charge_key ON charge (key);
    -- These two cover the sum that every claim under a cap takes.
    CREATE INDEX charge_run ON charge (run, at, settled, reserved);
    CREATE INDEX charge_at ON charge (at, settled, reserved);
    CREATE TABLE redo (
        lineage TEXT NOT NULL, take INTEGER NOT NULL, run TEXT NOT NULL, address TEXT NOT NULL,
        PRIMARY KEY (lineage, take)) WITHOUT ROWID;
    CREATE TABLE local (key TEXT PRIMARY KEY, artifacts TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE upload (
        provider TEXT NOT NULL, sha256 TEXT NOT NULL, url TEXT NOT NULL, expires INTEGER,
        PRIMARY KEY (provider, sha256)) WITHOUT ROWID;
    CREATE TABLE delivered (
        output_dir TEXT NOT NULL, path TEXT NOT NULL, pipeline TEXT NOT NULL,
        sha256 TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
        PRIMARY KEY (output_dir, path)) WITHOUT ROWID;
    """,
)
