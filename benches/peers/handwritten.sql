-- One charge as a person would write it for PostgreSQL, for pgbench: each client has a user of its own.
BEGIN;
SELECT no AS account, available FROM account WHERE id = 'user ' || :client_id FOR UPDATE \gset
SELECT no AS batch FROM batch WHERE account = :account AND live AND expires_at > now() ORDER BY expires_at LIMIT 1 FOR UPDATE \gset
UPDATE batch SET remaining = remaining - 1 WHERE no = :batch;
UPDATE account SET available = available - 1, consumed = consumed + 1 WHERE no = :account;
INSERT INTO entry (account, key, kind, points, before, after) VALUES (:account, 'job:' || nextval('job'), 1, 1, :available, :available::bigint - 1) RETURNING no AS entry \gset
INSERT INTO allocation (entry, batch, points) VALUES (:entry, :batch, 1);
COMMIT;
