-- What zooid keeps in PostgreSQL. Dispatch is procrastinate's, whose tables stand beside these.
CREATE TABLE zooid_run (
    id        text PRIMARY KEY,
    version   text NOT NULL,                 -- of the zooid that works on it
    status    text NOT NULL DEFAULT 'running',
    goal      text NOT NULL DEFAULT '',
    is_job    boolean NOT NULL DEFAULT false, -- it was sent to the background
    sitting   text,                          -- the process that a person looks on from, and that takes its tasks too
    since     timestamptz,                   -- when the work of this sitting began; what waits for a worker has no part in it
    touched   timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- An append-only record. A zone is a task that was handed over, with all that its owner does below it.
CREATE TABLE zooid_event (
    seq   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid   xid8 NOT NULL DEFAULT pg_current_xact_id(),
    run   text NOT NULL REFERENCES zooid_run ON DELETE CASCADE,
    zone  text NOT NULL,
    n     integer NOT NULL,                  -- its number in the zone: one owner writes there, so numbers have no gaps
    at    double precision NOT NULL,
    type  text NOT NULL,
    task  text NOT NULL,
    body  text NOT NULL,
    hash  bytea NOT NULL,
    UNIQUE (run, zone, n)
);
CREATE INDEX zooid_event_task ON zooid_event (run, task);
CREATE INDEX zooid_event_seq ON zooid_event (run, seq);
-- A task that was handed over: who has it, by a lease on this server's clock, with a fencing number.
CREATE TABLE zooid_task (
    run      text NOT NULL REFERENCES zooid_run ON DELETE CASCADE,
    id       text NOT NULL,
    waiter   text NOT NULL,                  -- the handed-over task that is gone on with when this one has ended
    queue    text NOT NULL,
    depth    integer NOT NULL,
    awaited  boolean NOT NULL DEFAULT false, -- tasks beside it wait for it: its waiter is woken at once
    status   text NOT NULL DEFAULT 'queued',
    is_open  boolean NOT NULL GENERATED ALWAYS AS (status IN ('queued', 'running')) STORED,
    owner    text,
    fence    bigint NOT NULL DEFAULT 0,
    lease    timestamptz,
    open     integer NOT NULL DEFAULT 0,     -- tasks that it handed over and that have not ended
    woken    boolean NOT NULL DEFAULT false,
    PRIMARY KEY (run, id)
);
CREATE INDEX zooid_task_waiter ON zooid_task (run, waiter);
CREATE INDEX zooid_task_lease ON zooid_task (lease) WHERE owner IS NOT NULL;
-- The ledger: what the goal, and each task that has a share of its budget, have used with all below them.
CREATE TYPE zooid_usage AS (
    calls integer, tokens_in bigint, tokens_out bigint, seconds double precision, cost double precision, estimated boolean
);
CREATE TABLE zooid_account (
    run      text NOT NULL REFERENCES zooid_run ON DELETE CASCADE,
    owner    text NOT NULL,
    tasks    integer NOT NULL,
    spent    zooid_usage NOT NULL DEFAULT (0, 0, 0, 0, 0, false)::zooid_usage,
    PRIMARY KEY (run, owner)
);
CREATE TABLE zooid_reserved (               -- by attempt: not settled
    run      text NOT NULL REFERENCES zooid_run ON DELETE CASCADE,
    owner    text NOT NULL,
    task     text NOT NULL,
    number   integer NOT NULL,
    usage    zooid_usage NOT NULL,
    PRIMARY KEY (run, owner, task, number)
);
CREATE TABLE zooid_worker (
    id      text PRIMARY KEY,                -- host:pid:start
    version text NOT NULL,
    queues  text[] NOT NULL,
    seen    timestamptz NOT NULL DEFAULT clock_timestamp()
);
