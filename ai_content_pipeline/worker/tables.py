"""The queue's tables. Each entry of `MIGRATIONS` takes the schema from version n to n + 1."""

from __future__ import annotations

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE job (
        -- Without regard to case, because some file systems have none.
        id TEXT PRIMARY KEY COLLATE NOCASE,
        sequence INTEGER NOT NULL, user_id TEXT NOT NULL, type TEXT NOT NULL, priority INTEGER NOT NULL,
        fingerprint TEXT NOT NULL, body TEXT NOT NULL, size INTEGER NOT NULL, callback_url TEXT,
        mode TEXT NOT NULL,
        state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, cancelling INTEGER NOT NULL DEFAULT 0,
        assets TEXT NOT NULL DEFAULT '[]', warnings TEXT NOT NULL DEFAULT '[]', error TEXT, seconds REAL,
        created_at INTEGER NOT NULL, started_at INTEGER, ended_at INTEGER);
    CREATE UNIQUE INDEX job_sequence ON job (sequence);
    CREATE INDEX job_state ON job (state, sequence);
    CREATE INDEX job_user ON job (user_id, sequence);
    CREATE INDEX job_waiting ON job (user_id, priority DESC, sequence, size) WHERE state = 'queued';
    CREATE INDEX job_running ON job (user_id) WHERE state = 'running';
    -- When each user's turn was, as a number that only grows.
    CREATE TABLE turn (user_id TEXT PRIMARY KEY, served INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX turn_served ON turn (served);
    CREATE TABLE callback (
        id TEXT PRIMARY KEY, job_id TEXT NOT NULL, url TEXT NOT NULL,
        state TEXT NOT NULL,  -- pending, delivered or dead
        tries INTEGER NOT NULL DEFAULT 0, due_at INTEGER NOT NULL, message TEXT, ended_at INTEGER)
        WITHOUT ROWID;
    CREATE INDEX callback_due ON callback (due_at) WHERE state = 'pending';
    """,
    """
    CREATE INDEX job_ended ON job (ended_at) WHERE ended_at IS NOT NULL;
    """,
)
