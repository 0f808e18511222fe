-- The hand-written transaction's own tables, lean and typed; eight users with ten batches each.
CREATE TABLE account (
    no bigint PRIMARY KEY, id text NOT NULL UNIQUE, available bigint NOT NULL CHECK (available >= 0),
    debt bigint NOT NULL CHECK (debt >= 0), consumed bigint NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE batch (
    no bigint PRIMARY KEY, account bigint NOT NULL REFERENCES account (no), amount bigint NOT NULL,
    remaining bigint NOT NULL CHECK (remaining >= 0), expires_at timestamptz NOT NULL, live boolean NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX batch_draw ON batch (account, expires_at) WHERE live;
CREATE TABLE entry (
    no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account bigint NOT NULL REFERENCES account (no), key text,
    kind smallint NOT NULL, points bigint NOT NULL, before bigint NOT NULL, after bigint NOT NULL,
    booked_at timestamptz NOT NULL DEFAULT now(), UNIQUE (account, key)
);
CREATE TABLE allocation (
    entry bigint NOT NULL REFERENCES entry (no), batch bigint NOT NULL REFERENCES batch (no), points bigint NOT NULL,
    PRIMARY KEY (entry, batch)
);
CREATE SEQUENCE job CACHE 1000;
INSERT INTO account SELECT n, 'user ' || n, 10000000000, 0, 0 FROM generate_series(0, 7) n;
INSERT INTO batch SELECT n, n / 10, 1000000000, 1000000000, now() + interval '180 days' + n * interval '1 minute', true
    FROM generate_series(0, 79) n;
