-- What happens to tasks that were handed over. Each function is one call from a process that may be slow or far away:
-- no lock is held while it thinks. Accounts are locked before tasks, and a task before the one that waits for it, so that
-- nobody waits in a circle.
--
-- What reads tables is in plpgsql, which plans once a connection; sql would at each call. A plan may be made while a table
-- is empty, where to read all of a run seems as good as to look something up: OFFSET 0 has each thing looked up by itself.

CREATE FUNCTION zooid_lease() RETURNS interval LANGUAGE sql IMMUTABLE AS $$ SELECT interval '4 seconds' $$;

-- A lease that ran out while the server was down could not be renewed. Its owner may be at work: it is given a while.
CREATE FUNCTION zooid_is_held(lease timestamptz) RETURNS boolean LANGUAGE sql AS $$
    SELECT lease > clock_timestamp()
        OR lease < pg_postmaster_start_time() + zooid_lease()
        AND clock_timestamp() < pg_postmaster_start_time() + interval '5 seconds'
$$;

-- Whether a worker is there that takes the tasks of runs of this version.
CREATE FUNCTION zooid_is_served(_version text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RETURN EXISTS (SELECT 1 FROM zooid_worker
                   WHERE 'zooid ' || _version = ANY (queues) AND seen > clock_timestamp() - zooid_lease());
END
$$;

-- Have procrastinate hand tasks to whoever is free, the deepest first.
CREATE FUNCTION zooid_defer(_run text, _tasks text[], _at timestamptz DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM procrastinate_defer_jobs_v1(ARRAY(
        SELECT ROW(queue, 'solve', depth, NULL, NULL, jsonb_build_object('run', _run, 'task', task), _at)
               ::procrastinate_job_to_defer_v1
        FROM unnest(_tasks) AS task,
             LATERAL (SELECT queue, depth FROM zooid_task WHERE run = _run AND id = task OFFSET 0) AS found));
END
$$;

-- Become the owner of a task that nobody owns; no row where there is nothing to do about it.
CREATE FUNCTION zooid_claim(
    _run text, _task text, _owner text, _version text,
    OUT task text, OUT fence bigint, OUT last integer, OUT is_served boolean, OUT away text[],
    OUT since double precision
) RETURNS SETOF record LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM 1 FROM zooid_task t JOIN zooid_run r ON r.id = t.run
    WHERE t.run = _run AND t.id = _task AND t.is_open AND (t.owner IS NULL OR NOT zooid_is_held(t.lease))
      AND r.status = 'running' AND r.version = _version FOR UPDATE OF t;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- Whoever ends one of these locks the task first, so they are as they are until this is over.
    away := ARRAY(SELECT id FROM zooid_task WHERE run = _run AND waiter = _task AND id <> _task AND is_open);
    UPDATE zooid_task SET owner = _owner, fence = fence + 1, status = 'running', woken = false,
                          lease = clock_timestamp() + zooid_lease(), open = cardinality(zooid_claim.away)
    WHERE run = _run AND id = _task RETURNING zooid_task.fence INTO zooid_claim.fence;
    SELECT coalesce(max(n), 0) INTO last FROM zooid_event WHERE run = _run AND zone = _task;
    UPDATE zooid_run r SET since = clock_timestamp() WHERE r.id = _run AND r.since IS NULL;
    SELECT extract(epoch FROM r.since) INTO since FROM zooid_run r WHERE r.id = _run;
    task := _task;
    is_served := zooid_is_served(_version);
    RETURN NEXT;
END
$$;

-- What a task's owner must know: its zone and what is about the run as a whole, the tasks above it, and of what it handed
-- on only the tasks themselves.
CREATE FUNCTION zooid_known(_run text, _task text, _above text[]) RETURNS SETOF zooid_event LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    SELECT e.* FROM unnest(ARRAY['', _task]) AS in_zone,
        LATERAL (SELECT * FROM zooid_event WHERE run = _run AND zone = in_zone OFFSET 0) AS e
    UNION
    SELECT e.* FROM unnest(_above) AS above,
        LATERAL (SELECT * FROM zooid_event WHERE run = _run AND task = above AND type LIKE 'task.%' OFFSET 0) AS e
    UNION
    SELECT e.* FROM unnest(_task || ARRAY(SELECT id FROM zooid_task WHERE run = _run AND waiter = _task)) AS about,
        LATERAL (SELECT * FROM zooid_event WHERE run = _run AND task = about OFFSET 0) AS e
    ORDER BY seq;
END
$$;

-- Lock a task for its owner; raises ZL001 where another owns it.
CREATE FUNCTION zooid_own(_run text, _task text, _owner text, _fence bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM zooid_task
    WHERE run = _run AND id = _task AND owner = _owner AND fence = _fence AND zooid_is_held(lease) FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'task % of run % is another''s by now', _task, _run USING ERRCODE = 'ZL001';
    END IF;
END
$$;

-- Keep what the owner of a task did: events, what they change in the accounts, tasks that were handed on, how it ended.
-- Raises ZL001 where another owns the task, or the server has lost what was kept last. What is there already is not kept
-- twice: a server that goes away may have kept it.
CREATE FUNCTION zooid_keep(_run text, _task text, _owner text, _fence bigint, _next integer, _what jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    last integer;
BEGIN
    PERFORM zooid_hold(_run, _what -> 'charges');
    PERFORM zooid_own(_run, _task, _owner, _fence);
    SELECT coalesce(max(n), 0) INTO last FROM zooid_event WHERE run = _run AND zone = _task;
    IF last = _next - 1 + jsonb_array_length(_what -> 'events') AND last >= _next THEN
        RETURN;
    ELSIF last <> _next - 1 THEN
        RAISE EXCEPTION 'the server has lost what was done last of task % of run %', _task, _run USING ERRCODE = 'ZL001';
    END IF;
    PERFORM zooid_write(_run, _task, _what -> 'events');
    PERFORM zooid_charge(_run, _what -> 'charges');
    PERFORM zooid_hand_on(_run, _task, _what -> 'handed');
    IF _what ? 'ended' THEN
        IF _what -> 'away' <> '[]' THEN
            PERFORM zooid_drop(_run, ARRAY(SELECT jsonb_array_elements_text(_what -> 'away')));
        END IF;
        PERFORM zooid_end(_run, _task, _what ->> 'ended');
    END IF;
END
$$;

CREATE FUNCTION zooid_write(_run text, _zone text, _events jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO zooid_event (run, zone, n, at, type, task, body, hash)
    SELECT _run, _zone, n, at, type, task, body, decode(hash, 'hex')
    FROM jsonb_to_recordset(_events)
        AS e (n integer, at double precision, type text, task text, body text, hash text);
END
$$;

CREATE FUNCTION zooid_hand_on(_run text, _task text, _handed jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    handed text[];
BEGIN
    IF jsonb_array_length(_handed) = 0 THEN
        RETURN;
    END IF;
    WITH new AS (
        INSERT INTO zooid_task (run, id, waiter, queue, depth, awaited)
        SELECT _run, id, _task, queue, depth, awaited
        FROM jsonb_to_recordset(_handed) AS h (id text, queue text, depth integer, awaited boolean)
        ON CONFLICT (run, id) DO UPDATE
        SET status = 'queued', waiter = excluded.waiter, queue = excluded.queue, owner = NULL,
            fence = zooid_task.fence + 1, open = 0, woken = false
        RETURNING id)
    SELECT array_agg(id) INTO handed FROM new;
    UPDATE zooid_task SET open = open + cardinality(handed) WHERE run = _run AND id = _task;
    PERFORM zooid_defer(_run, handed);
END
$$;

-- A task has ended: whoever waits for it goes on once it has all, or at once where this one was awaited.
CREATE FUNCTION zooid_end(_run text, _task text, _status text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    ended zooid_task;
    waiting zooid_task;
    wakes boolean;
BEGIN
    UPDATE zooid_task SET status = _status, owner = NULL, lease = NULL WHERE run = _run AND id = _task
    RETURNING * INTO ended;
    SELECT * INTO waiting FROM zooid_task WHERE run = _run AND id = ended.waiter AND id <> _task FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    wakes := ended.awaited OR waiting.open <= 1;
    UPDATE zooid_task SET open = greatest(open - 1, 0), woken = woken OR wakes WHERE run = _run AND id = waiting.id;
    IF wakes AND NOT waiting.woken AND waiting.owner IS NULL THEN
        PERFORM zooid_defer(_run, ARRAY[waiting.id]);
    END IF;
END
$$;

-- What was handed on by a task that has ended is worked on no more, nor is what was handed on below it.
CREATE FUNCTION zooid_drop(_run text, _tasks text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE zooid_task SET owner = NULL, fence = fence + 1, status = 'cancelled' WHERE run = _run AND is_open
    AND EXISTS (SELECT 1 FROM unnest(_tasks) AS above WHERE id = above OR starts_with(id, above || '.')
                OR starts_with(id, above || '[') OR starts_with(id, above || '~'));
END
$$;

-- Let go of a task: until what it waits for has ended (where it has by now it is queued again), or for others to go on
-- with, now or after a while.
CREATE FUNCTION zooid_release(_run text, _task text, _again boolean, _after interval DEFAULT NULL) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    is_due boolean;
BEGIN
    UPDATE zooid_task SET owner = NULL, lease = NULL, woken = woken OR _again WHERE run = _run AND id = _task
    RETURNING woken INTO is_due;
    IF is_due THEN
        PERFORM zooid_defer(_run, ARRAY[_task], clock_timestamp() + _after);
    END IF;
END
$$;

-- Have a task gone on with that waits for others. Whether it did: not where somebody owns it, or it has ended.
CREATE FUNCTION zooid_wake(_run text, _task text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM zooid_task WHERE run = _run AND id = _task AND is_open AND owner IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM zooid_release(_run, _task, true);
    RETURN true;
END
$$;

-- The ledger. What a model's call may cost is reserved before it and settled after it.

CREATE FUNCTION zooid_sum(a zooid_usage, b zooid_usage) RETURNS zooid_usage LANGUAGE sql IMMUTABLE AS $$
    SELECT ROW(a.calls + b.calls, a.tokens_in + b.tokens_in, a.tokens_out + b.tokens_out, a.seconds + b.seconds,
               a.cost + b.cost,  -- null, which is not known, where one of them is
               a.estimated OR b.estimated)::zooid_usage
$$;

-- Lock the accounts that charges go to.
CREATE FUNCTION zooid_hold(_run text, _charges jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF jsonb_array_length(_charges) > 0 THEN
        PERFORM 1 FROM zooid_account
        WHERE run = _run AND owner IN (SELECT jsonb_array_elements_text(c -> 'owners') FROM jsonb_array_elements(_charges) c)
        ORDER BY owner FOR UPDATE;
    END IF;
END
$$;

-- Each charge is a task more (no `number`), or something is reserved or settled for an attempt, in every account named.
CREATE FUNCTION zooid_charge(_run text, _charges jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    one record;
BEGIN
    FOR one IN
        SELECT * FROM jsonb_to_recordset(_charges)
            AS c (owners text[], tasks integer, task text, number integer, usage zooid_usage, settles boolean)
    LOOP
        IF one.number IS NULL THEN
            INSERT INTO zooid_account (run, owner, tasks) SELECT _run, unnest(one.owners), one.tasks
            ON CONFLICT (run, owner) DO UPDATE SET tasks = zooid_account.tasks + excluded.tasks;
        ELSIF one.settles THEN
            DELETE FROM zooid_reserved
            WHERE run = _run AND owner = ANY (one.owners) AND task = one.task AND number = one.number;
            UPDATE zooid_account SET spent = zooid_sum(spent, one.usage) WHERE run = _run AND owner = ANY (one.owners);
        ELSE
            INSERT INTO zooid_reserved (run, owner, task, number, usage)
            SELECT _run, unnest(one.owners), one.task, one.number, one.usage
            ON CONFLICT (run, owner, task, number) DO UPDATE SET usage = excluded.usage;
        END IF;
    END LOOP;
END
$$;

-- Make a charge that reserves something, where fewer calls are in flight than may be: `_most` has how many for the accounts
-- that limit it. Whether that was so.
CREATE FUNCTION zooid_admit(_run text, _task text, _owner text, _fence bigint, _charge jsonb, _most jsonb) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM zooid_hold(_run, jsonb_build_array(_charge));
    PERFORM zooid_own(_run, _task, _owner, _fence);
    IF EXISTS (SELECT 1 FROM jsonb_each_text(_most) AS m (account, most)
               WHERE most::integer <= (SELECT count(*) FROM zooid_reserved
                                       WHERE run = _run AND owner = account
                                         AND (task, number) <> (_charge ->> 'task', (_charge ->> 'number')::integer))) THEN
        RETURN false;
    END IF;
    PERFORM zooid_charge(_run, jsonb_build_array(_charge));
    RETURN true;
END
$$;

-- Keeping what one has, and saving what a dead process had.

-- Renew a process's leases on these tasks; those that it still owns.
CREATE FUNCTION zooid_renew(_owner text, _runs text[], _tasks text[]) RETURNS TABLE (run text, id text)
LANGUAGE plpgsql AS $$
BEGIN
    FOR n IN 1 .. cardinality(_tasks) LOOP
        RETURN QUERY UPDATE zooid_task t SET lease = clock_timestamp() + zooid_lease()
        WHERE t.run = _runs[n] AND t.id = _tasks[n] AND owner = _owner AND zooid_is_held(lease) RETURNING t.run, t.id;
    END LOOP;
END
$$;

-- Queue a task again whose job was taken by somebody who does not have it, where nobody has it.
CREATE FUNCTION zooid_put_back(_run text, _task text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM zooid_task
               WHERE run = _run AND id = _task AND owner IS NULL
                 AND (status = 'queued' OR woken AND status = 'running')) THEN
        PERFORM zooid_defer(_run, ARRAY[_task]);
    END IF;
END
$$;

-- Queue again what belonged to a process that is gone: tasks whose lease ran out, those that waited for the process that
-- their run was begun in, and jobs that were taken and never claimed.
CREATE FUNCTION zooid_rescue(_version text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    late record;
BEGIN
    FOR late IN
        UPDATE zooid_task SET owner = NULL, lease = NULL, fence = fence + 1, woken = true
        WHERE (run, id) IN (SELECT run, id FROM zooid_task WHERE owner IS NOT NULL AND NOT zooid_is_held(lease)
                            FOR UPDATE SKIP LOCKED)
        RETURNING run, id
    LOOP
        PERFORM zooid_defer(late.run, ARRAY[late.id]);
    END LOOP;
    FOR late IN
        UPDATE zooid_task t SET queue = 'zooid ' || _version FROM zooid_run r
        WHERE r.id = t.run AND r.status = 'running' AND r.version = _version
          AND t.queue = 'run:' || r.id AND t.owner IS NULL AND t.is_open
          AND NOT EXISTS (SELECT 1 FROM zooid_worker w
                          WHERE w.id = r.sitting AND w.seen > clock_timestamp() - zooid_lease())
        RETURNING t.run, t.id
    LOOP
        PERFORM zooid_defer(late.run, ARRAY[late.id]);
    END LOOP;
    FOR late IN
        DELETE FROM procrastinate_jobs j
        WHERE status = 'doing'
          AND NOT EXISTS (SELECT 1 FROM procrastinate_workers w
                          WHERE w.id = j.worker_id AND w.last_heartbeat > clock_timestamp() - zooid_lease())
        RETURNING args ->> 'run' AS run, args ->> 'task' AS id
    LOOP
        PERFORM zooid_put_back(late.run, late.id);
    END LOOP;
END
$$;
