-- counterfoil: the newest schema (version 1).
--
-- Integer keys inside; public ids (UUIDs) are computed from writer, sequence number and index. Instants are UTC Unix
-- milliseconds, 0 to the end of the year 9999; points are whole numbers up to 9 000 000 000 000 000.
-- `operation`, `price_book` and `writer` are facts, chained by hash; `entry` is append-only; the rest is derived from
-- the operations and from time alone, so that `verify` can compute it again and compare every column.

-- Who writes this file: a device (made at creation) in an epoch (renewed by every restore).
CREATE TABLE writer (
    no     INTEGER PRIMARY KEY,
    device BLOB    NOT NULL CHECK (length(device) = 16),
    epoch  INTEGER NOT NULL CHECK (epoch BETWEEN 1 AND 268435455),
    -- Sequence number of its first operation.
    since  INTEGER NOT NULL CHECK (since >= 1)
) STRICT;

-- One row: the file's identity, its settings, and how far the log of operations goes at least.
CREATE TABLE ledger (
    id                INTEGER PRIMARY KEY CHECK (id = 1),
    ledger_id         BLOB    NOT NULL CHECK (length(ledger_id) = 16),
    created_at        INTEGER NOT NULL CHECK (created_at BETWEEN 0 AND 253402300799999),
    writer            INTEGER NOT NULL REFERENCES writer (no),
    -- The newest reading of a clock known to be right.
    trusted_at        INTEGER CHECK (trusted_at BETWEEN 0 AND 253402300799999),
    -- How often the newest accepted reading has been set back.
    steps_back        INTEGER NOT NULL CHECK (steps_back >= 0),
    -- Settings; each changes only by a `configure` operation. Seconds.
    explicit_accounts INTEGER NOT NULL CHECK (explicit_accounts IN (0, 1)),
    late_window       INTEGER NOT NULL CHECK (late_window BETWEEN 0 AND 3155760000),
    max_hold          INTEGER NOT NULL CHECK (max_hold BETWEEN 1 AND 3155760000),
    max_clock_jump    INTEGER NOT NULL CHECK (max_clock_jump BETWEEN 1 AND 3155760000),
    clock_patience    INTEGER NOT NULL CHECK (clock_patience BETWEEN 1 AND 3155760000),
    -- What the file is to others: 0 by itself, 1 a device, 2 a hub. Changed by an operation, once; then it has a name and a
    -- public key (Ed25519), a device also its hub's ledger id and key, and what it may do (JSON).
    role              INTEGER NOT NULL CHECK (role BETWEEN 0 AND 2),
    name              TEXT    CHECK (octet_length(name) BETWEEN 1 AND 128),
    public_key        BLOB    CHECK (length(public_key) = 32),
    hub_ledger        BLOB    CHECK (length(hub_ledger) = 16),
    hub_key           BLOB    CHECK (length(hub_key) = 32),
    policy            TEXT,
    -- Of a hub: what begins the keys of consumes that are one sale at whichever device they were made (JSON).
    global_keys       TEXT    CHECK (global_keys IS NULL OR role = 2),
    -- Of a device: the operation up to which its hub has them all; 0 and NULL before the first.
    acked_seq         INTEGER NOT NULL CHECK (acked_seq >= 0),
    acked_hash        BLOB    CHECK (length(acked_hash) = 32),
    -- Of a device: how far it has heard of its hub (JSON, with a hash of the rest); NULL before the first.
    heard             TEXT,
    -- Of a device whose recharges are bounded by the day: the newest day with one, since 1970, and the points of that day.
    recharge_day      INTEGER NOT NULL CHECK (recharge_day >= 0),
    recharged         INTEGER NOT NULL CHECK (recharged >= 0),
    -- Hash and number of an operation that must be there, so that a cut tail is seen. It was the newest when this was written:
    -- by the first change after opening, before the -wal is folded in, by flush and by close.
    head              BLOB    NOT NULL CHECK (length(head) = 32),
    length            INTEGER NOT NULL CHECK (length BETWEEN 0 AND 4398046511103),
    CHECK ((role = 0) = (name IS NULL) AND (role = 0) = (public_key IS NULL)),
    CHECK ((role = 1) = (hub_ledger IS NOT NULL) AND (role = 1) = (hub_key IS NOT NULL) AND (role = 1) = (policy IS NOT NULL)),
    CHECK ((acked_seq = 0) = (acked_hash IS NULL))
) STRICT;

-- The devices of a hub, as `admit` and `expel` have left them.
CREATE TABLE device (
    no         INTEGER PRIMARY KEY,
    device     BLOB    NOT NULL CHECK (length(device) = 16),
    -- The first 32 bits of BLAKE3 of it, with which its public ids begin: so they are told apart.
    tag        INTEGER NOT NULL UNIQUE CHECK (tag BETWEEN 0 AND 4294967295),
    public_key BLOB    NOT NULL CHECK (length(public_key) = 32),
    name       TEXT    NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 128),
    -- What it may do (JSON).
    policy     TEXT    NOT NULL,
    state      INTEGER NOT NULL CHECK (state IN (0, 1)), -- 0 admitted, 1 expelled
    -- The operation since which it hears of the accounts that its policy's scope says.
    scope_since  INTEGER NOT NULL CHECK (scope_since >= 1),
    -- Where its recharges are bounded by the day: the newest day with one, since 1970, by its own clock, and the points of that day.
    recharge_day INTEGER NOT NULL CHECK (recharge_day >= 0),
    recharged    INTEGER NOT NULL CHECK (recharged >= 0)
) STRICT;

-- The text of every price book an operation was booked under, once.
CREATE TABLE price_book (
    no   INTEGER PRIMARY KEY,
    hash BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    text TEXT    NOT NULL
) STRICT;

-- One holder of points: present balances, totals, and what the hot path needs at a glance.
CREATE TABLE account (
    no            INTEGER PRIMARY KEY,
    id            TEXT    NOT NULL UNIQUE CHECK (octet_length(id) BETWEEN 1 AND 128),
    state         INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2), -- 0 active, 1 frozen, 2 closed
    credit_limit  INTEGER NOT NULL CHECK (credit_limit BETWEEN 0 AND 9000000000000000),
    -- Balances after the newest entry.
    available     INTEGER NOT NULL CHECK (available >= 0),
    held          INTEGER NOT NULL CHECK (held >= 0),
    pending       INTEGER NOT NULL CHECK (pending >= 0),
    debt          INTEGER NOT NULL CHECK (debt BETWEEN 0 AND 9000000000000000),
    -- What open holds reserve of the credit limit beyond the points they hold.
    unbacked      INTEGER NOT NULL CHECK (unbacked >= 0),
    -- Totals since the beginning.
    recharged     INTEGER NOT NULL CHECK (recharged >= 0),
    consumed      INTEGER NOT NULL CHECK (consumed >= 0),
    refunded      INTEGER NOT NULL CHECK (refunded >= 0),
    expired       INTEGER NOT NULL CHECK (expired >= 0),
    reinstated    INTEGER NOT NULL CHECK (reinstated >= 0),
    revoked       INTEGER NOT NULL CHECK (revoked >= 0),
    clawed_back   INTEGER NOT NULL CHECK (clawed_back >= 0),
    written_off   INTEGER NOT NULL CHECK (written_off >= 0),
    moved_in      INTEGER NOT NULL CHECK (moved_in >= 0),
    moved_out     INTEGER NOT NULL CHECK (moved_out >= 0),
    -- Moved from one of its batches into another, at the end of the first.
    rolled        INTEGER NOT NULL CHECK (rolled >= 0),
    -- Number and time of the newest entry.
    entries       INTEGER NOT NULL CHECK (entries >= 0),
    last_booked_at INTEGER NOT NULL CHECK (last_booked_at BETWEEN 0 AND 253402300799999),
    -- The ledger's steps_back at its newest entry: one that is behind has the wrong time in its books.
    steps_back    INTEGER NOT NULL CHECK (steps_back >= 0),
    -- When time next does something to this account: one comparison on the hot path.
    next_due_at   INTEGER CHECK (next_due_at BETWEEN 0 AND 253402300799999),
    CHECK (available + held + pending <= 9000000000000000)
) STRICT;

-- The expiry sweep finds accounts with something due.
CREATE INDEX account_due ON account (next_due_at) WHERE next_due_at IS NOT NULL;

-- The log: what was asked for and done. Facts with complete inputs, hash-chained, never changed.
CREATE TABLE operation (
    seq           INTEGER PRIMARY KEY CHECK (seq BETWEEN 1 AND 4398046511103),
    -- writer.no: that of `ledger`, which is looked up there, when it was booked.
    writer        INTEGER NOT NULL,
    -- 1 open, 2 set_limit, 3 recharge, 4 consume, 5 hold, 6 capture, 7 release, 8 renew, 9 refund, 10 revoke,
    -- 11 set_expiry, 12 transfer, 13 write_off, 14 freeze, 15 unfreeze, 16 close, 17 configure, 18 confirm_clock, 19 restore,
    -- 20 expire, 21 plan, 22 stop, 23 become_hub, 24 admit, 25 expel, 26 enrol, 27 renew_epoch, 28 reconcile, 29 return,
    -- 30 import, 31 stage, 32 approve, 33 dismiss, 34 allot, 35 recall, 36 allot_write_off, 37 acknowledge
    kind          INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 37),
    -- account.no; 0 for operations on the file itself (so that their keys are unique too).
    account       INTEGER NOT NULL CHECK (account >= 0),
    key           TEXT    NOT NULL CHECK (octet_length(key) BETWEEN 1 AND 128),
    -- The raw clock reading, and the booked time made of it.
    recorded_at   INTEGER NOT NULL CHECK (recorded_at BETWEEN 0 AND 253402300799999),
    booked_at     INTEGER NOT NULL CHECK (booked_at BETWEEN 0 AND 253402300799999),
    clock         INTEGER NOT NULL CHECK (clock BETWEEN 0 AND 2), -- 0 plain, 1 suspect, 2 trusted
    -- The newest accepted reading after it, and since when readings have been suspect; NULL when its own reading says it: this
    -- one was accepted, or is the first suspect one, or there is none. Derived.
    accepted_at   INTEGER CHECK (accepted_at BETWEEN 0 AND 253402300799999),
    suspect_since INTEGER CHECK (suspect_since BETWEEN 0 AND 253402300799999),
    points        INTEGER NOT NULL CHECK (points BETWEEN 0 AND 9000000000000000),
    price_book    INTEGER REFERENCES price_book (no),
    rules_version INTEGER NOT NULL CHECK (rules_version >= 1),
    -- The inputs as JSON, without op, account and key; hashed as these bytes.
    body          TEXT    NOT NULL,
    -- What was decided beyond that (JSON, NULL when nothing): enough to repeat the receipt. Derived.
    outcome       TEXT,
    -- The last entry it booked in its account; NULL for operations on the file itself. Derived.
    entry         INTEGER CHECK (entry >= 1),
    hash          BLOB    NOT NULL CHECK (length(hash) = 32),
    -- Of one that a device of this hub booked first: its link (chain.no and the number in it); else 0.
    chain         INTEGER NOT NULL,
    chain_seq     INTEGER NOT NULL,
    CHECK (chain = 0 AND chain_seq = 0 OR chain >= 1 AND chain_seq BETWEEN 1 AND 4398046511103)
) STRICT;

-- Idempotency: one operation per account, kind and key, of each writer whose keys are its own. The key first: keys made in
-- the order of time then grow the index at its end, whatever the account, and two entries are told apart by one comparison.
CREATE UNIQUE INDEX operation_key ON operation (key, account, kind, chain);

-- At a hub: what its devices booked, as it came. A tree, in stretches that one writer wrote one after the other: another begins
-- with a new epoch, where two files wrote on after one link, and where what lies between is missing.
CREATE TABLE chain (
    no     INTEGER PRIMARY KEY,
    device INTEGER NOT NULL REFERENCES device (no),
    epoch  INTEGER NOT NULL CHECK (epoch BETWEEN 1 AND 268435455),
    -- Number of its first link, and the hash of the link before that.
    first  INTEGER NOT NULL CHECK (first BETWEEN 1 AND 4398046511103),
    prev   BLOB    NOT NULL CHECK (length(prev) = 32)
) STRICT;

-- What goes on after a link.
CREATE INDEX chain_prev ON chain (prev, no);
-- The chains of a device.
CREATE INDEX chain_device ON chain (device, no);

-- An operation of a device, as it came.
CREATE TABLE link (
    chain      INTEGER NOT NULL REFERENCES chain (no),
    -- Its number in its device's log, and its hash there.
    seq        INTEGER NOT NULL CHECK (seq BETWEEN 1 AND 4398046511103),
    hash       BLOB    NOT NULL CHECK (length(hash) = 32),
    verdict    INTEGER NOT NULL CHECK (verdict BETWEEN 0 AND 2), -- 0 noted, 1 booked, 2 staged
    -- When it occurred, as far as the hub could tell.
    occurred   INTEGER NOT NULL CHECK (occurred BETWEEN 0 AND 253402300799999),
    -- What booked or staged it; NULL when it was noted. An approved one was booked later: the operation of this link tells.
    operation  INTEGER REFERENCES operation (seq),
    -- The device's line; NULL where the operation has it.
    line       TEXT,
    price_book INTEGER REFERENCES price_book (no),
    PRIMARY KEY (chain, seq),
    CHECK ((verdict = 0) = (operation IS NULL) AND (verdict = 0) = (line IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- Which links are known.
CREATE UNIQUE INDEX link_hash ON link (substr(hash, 1, 16));

-- Links that were not booked when they came. operation = that of kind stage.
CREATE TABLE staged (
    operation INTEGER PRIMARY KEY REFERENCES operation (seq),
    account   INTEGER NOT NULL CHECK (account >= 0),
    device    INTEGER NOT NULL REFERENCES device (no),
    -- 1 too_new, 2 invalid, 3 duplicate_key, 4 key_conflict, 5 waits_for, 6 fork, 7 not_allowed, 8 expelled
    reason    INTEGER NOT NULL CHECK (reason BETWEEN 1 AND 8),
    -- The operation that was booked under its key, or the stage of what it waits for.
    other     INTEGER REFERENCES operation (seq),
    state     INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2), -- 0 open, 1 approved, 2 dismissed
    closed_by INTEGER REFERENCES operation (seq),
    CHECK ((state = 0) = (closed_by IS NULL))
) STRICT;

-- What still waits.
CREATE INDEX staged_waiting ON staged (operation) WHERE state = 0;
-- The same of a device and account.
CREATE INDEX staged_open ON staged (device, account, operation) WHERE state = 0;

-- What an operator should see about an operation. Derived; but not the acknowledgement, which is an operation too.
CREATE TABLE flag (
    operation       INTEGER NOT NULL REFERENCES operation (seq),
    -- 1 overdraft, 2 frozen, 3 reopened, 4 opened, 5 too_late, 6 allotment_short, 7 refund_short, 8 refund_unknown,
    -- 9 key_conflict, 10 price_mismatch, 11 foreign_price_book, 12 stale_price_book, 13 clock_corrected, 14 fork,
    -- 15 hub_regressed, 16 gap_accepted
    code            INTEGER NOT NULL CHECK (code BETWEEN 1 AND 16),
    points          INTEGER NOT NULL CHECK (points >= 0),
    acknowledged_by INTEGER REFERENCES operation (seq),
    PRIMARY KEY (operation, code)
) STRICT, WITHOUT ROWID;

-- Those that nobody has acknowledged.
CREATE INDEX flag_open ON flag (operation, code) WHERE acknowledged_by IS NULL;

-- Which accounts a device hears of, and the operation since which it does.
CREATE TABLE watch (
    device  INTEGER NOT NULL REFERENCES device (no),
    account INTEGER NOT NULL REFERENCES account (no),
    since   INTEGER NOT NULL CHECK (since >= 1),
    PRIMARY KEY (device, account)
) STRICT, WITHOUT ROWID;

-- The account's books, clustered: a page of history is one range of one b-tree.
CREATE TABLE entry (
    account          INTEGER NOT NULL REFERENCES account (no),
    n                INTEGER NOT NULL CHECK (n >= 1),
    -- 1 open, 2 set_limit, 3 recharge, 4 consume, 5 hold, 6 capture, 7 release, 8 renew, 9 refund, 10 revoke,
    -- 11 set_expiry, 12 transfer_out, 13 write_off, 14 freeze, 15 unfreeze, 16 close, 20 transfer_in, 21 settle,
    -- 22 expire, 23 activate, 24 hold_expire, 25 clawback, 26 reopen, 27 reinstate, 28 plan, 29 stop, 30 rollover,
    -- 31 reconcile, 32 allot, 33 allot_return, 34 stage, 35 dismiss, 36 recall, 37 unback
    kind             INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 16 OR kind BETWEEN 20 AND 37),
    -- NULL for what time did by itself.
    operation        INTEGER REFERENCES operation (seq),
    booked_at        INTEGER NOT NULL CHECK (booked_at BETWEEN 0 AND 253402300799999),
    points           INTEGER NOT NULL CHECK (points >= 0),
    -- What moved. Each: a byte with the places from and to, then batch, operation (0: none; the line's own is not repeated)
    -- and points (0 where a hold or allotment is concerned of which nothing moves), seven bits to a byte, the lowest first. The places: 1 recharged, 2 received, 3 pending, 4 available, 5 held,
    -- 6 used, 7 expired, 8 revoked, 9 moved, 10 debt, 11 written off, 12 clawed back, 13 rolled in,
    -- 14 rolled out, 15 reconciled.
    -- NULL: in long_movements.
    movements        BLOB,
    after_available  INTEGER NOT NULL CHECK (after_available >= 0),
    after_held       INTEGER NOT NULL CHECK (after_held >= 0),
    after_pending    INTEGER NOT NULL CHECK (after_pending >= 0),
    after_debt       INTEGER NOT NULL CHECK (after_debt >= 0),
    batch            INTEGER REFERENCES batch (no),
    PRIMARY KEY (account, n)
) STRICT, WITHOUT ROWID;

-- Movements that are long: in an entry they would stand in the way of every search that passes by.
CREATE TABLE long_movements (
    account   INTEGER NOT NULL,
    n         INTEGER NOT NULL,
    movements BLOB    NOT NULL,
    PRIMARY KEY (account, n),
    FOREIGN KEY (account, n) REFERENCES entry (account, n)
) STRICT;

-- Which entries touch an earlier operation: settle, refund, release, revoke and their like. A plain charge touches none,
-- and what expires is found by its time. Derived from the entries.
CREATE TABLE reference (
    -- On a device also one of its hub.
    operation INTEGER NOT NULL,
    -- The entry's.
    kind      INTEGER NOT NULL,
    account   INTEGER NOT NULL,
    n         INTEGER NOT NULL,
    PRIMARY KEY (operation, kind, account, n),
    FOREIGN KEY (account, n) REFERENCES entry (account, n)
) STRICT, WITHOUT ROWID;

-- Where an account's booked time went back: the first entry of each stretch but the first. Within one it never does.
CREATE TABLE stretch (
    account   INTEGER NOT NULL REFERENCES account (no),
    n         INTEGER NOT NULL CHECK (n >= 2),
    -- That entry's time.
    booked_at INTEGER NOT NULL CHECK (booked_at BETWEEN 0 AND 253402300799999),
    PRIMARY KEY (account, n)
) STRICT, WITHOUT ROWID;

-- Points recharged together. amount = remaining + held + used + expired + revoked + moved.
-- no = (operation.seq << 20) | index, so that a public id needs no index of its own; for a plan's, index = period << 4 | 1.
-- What rolls out of a batch has the numbers after its own.
CREATE TABLE batch (
    no           INTEGER PRIMARY KEY,
    account      INTEGER NOT NULL REFERENCES account (no),
    source       TEXT    NOT NULL CHECK (octet_length(source) BETWEEN 1 AND 128),
    promo        INTEGER NOT NULL CHECK (promo IN (0, 1)),
    priority     INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 1000),
    amount       INTEGER NOT NULL CHECK (amount BETWEEN 1 AND 9000000000000000),
    remaining    INTEGER NOT NULL CHECK (remaining >= 0),
    held         INTEGER NOT NULL CHECK (held >= 0),
    used         INTEGER NOT NULL CHECK (used >= 0),
    expired      INTEGER NOT NULL CHECK (expired >= 0),
    revoked      INTEGER NOT NULL CHECK (revoked >= 0),
    moved        INTEGER NOT NULL CHECK (moved >= 0),
    owed         INTEGER NOT NULL CHECK (owed >= 0),
    effective_at INTEGER NOT NULL CHECK (effective_at BETWEEN 0 AND 253402300799999),
    -- Whether effective_at was asked for, or is a period's or a rollover's: then it holds also when accepted time goes back behind it.
    dated        INTEGER NOT NULL CHECK (dated IN (0, 1)),
    expires_at   INTEGER CHECK (expires_at BETWEEN 0 AND 253402300799999), -- NULL: never
    active       INTEGER NOT NULL CHECK (active IN (0, 1)),
    -- active and remaining > 0: a flag, because an index on `remaining > 0` would be rewritten at every debit.
    live         INTEGER NOT NULL CHECK (live = (active AND remaining > 0)),
    -- When time next does something to it; NULL when nothing is left.
    due_at       INTEGER CHECK (due_at IS CASE WHEN remaining = 0 THEN NULL WHEN active THEN expires_at ELSE effective_at END),
    from_batch   INTEGER REFERENCES batch (no),
    -- The line of the account's books that it came with: the order of creation, also of those that time makes. Of what a device
    -- heard of its hub, and puts back on that: the hub's, less 2 to the power of 40, so that it comes before what is made later.
    entry        INTEGER NOT NULL CHECK (entry <> 0),
    CHECK (amount = remaining + held + used + expired + revoked + moved),
    CHECK (revoked + owed <= amount),
    CHECK (expires_at IS NULL OR expires_at > effective_at)
) STRICT;

-- The draw order; never expiring batches last.
CREATE INDEX batch_draw ON batch (account, priority, ifnull(expires_at, 9223372036854775807), promo DESC, entry, no) WHERE live = 1;
-- What falls due next in an account: at one instant what expires, then what becomes effective.
CREATE INDEX batch_due ON batch (account, due_at, active DESC, entry, no) WHERE due_at IS NOT NULL;
-- Expired points a late consume may still draw. Also of batches that have lost none: so expiry does not rewrite it.
CREATE INDEX batch_lapsed ON batch (account, expires_at) WHERE expires_at IS NOT NULL;
-- What is pending again when accepted time goes back.
CREATE INDEX batch_dated ON batch (account, effective_at) WHERE dated = 1;
-- What expires when, in all accounts: to tell a suspect clock.
CREATE INDEX batch_expiry ON batch (expires_at) WHERE expires_at IS NOT NULL;
-- What becomes effective when, in all accounts: likewise.
CREATE INDEX batch_pending ON batch (effective_at) WHERE active = 0;
-- The batches of an account, for listing.
CREATE INDEX batch_account ON batch (account, no);

-- Rollover, of the few batches it is about: those of which something may move on at their end, and those that rolled out of one.
CREATE TABLE rollover (
    batch      INTEGER PRIMARY KEY REFERENCES batch (no),
    -- What moves on at its end, as JSON; NULL when all lapses.
    terms      TEXT    CHECK (octet_length(terms) BETWEEN 1 AND 128),
    -- How many batches have rolled out of it, and whether the last of these rolls counts: time has not gone back behind it.
    rolls      INTEGER NOT NULL CHECK (rolls BETWEEN 0 AND 14),
    -- Of the batch's moved: what rolled out of it, less what came back; of one that rolled out of another, what went back.
    rolled     INTEGER NOT NULL CHECK (rolled >= 0),
    has_rolled INTEGER NOT NULL CHECK (has_rolled IN (0, 1))
) STRICT;

-- What may still roll over, in all accounts: to tell a suspect clock.
CREATE INDEX rollover_open ON rollover (batch) WHERE terms IS NOT NULL AND has_rolled = 0;

-- Recurring recharges. operation = the plan's own sequence number; its terms stand there.
CREATE TABLE plan (
    -- On a device one of its hub.
    operation       INTEGER PRIMARY KEY CHECK (operation >= 1),
    account         INTEGER NOT NULL REFERENCES account (no),
    -- Its line in the account's books, as a batch's.
    entry           INTEGER NOT NULL CHECK (entry <> 0),
    -- Of a hub's: its terms (JSON). NULL of this file's own, whose operation has them.
    foreign_terms   TEXT    CHECK (octet_length(foreign_terms) BETWEEN 1 AND 4096),
    -- When the first period begins, from which all are counted.
    anchor          INTEGER NOT NULL CHECK (anchor BETWEEN 0 AND 253402300799999),
    -- What its batches are, and how many days they last where the terms do not say (else NULL): of the price book at its booking.
    promo           INTEGER NOT NULL CHECK (promo IN (0, 1)),
    expiration_days INTEGER CHECK (expiration_days >= 1),
    -- The next period, counted from 1, and when it begins: NULL when none is to come.
    period          INTEGER NOT NULL CHECK (period BETWEEN 1 AND 65536),
    due_at          INTEGER CHECK (due_at BETWEEN 0 AND 253402300799999),
    stopped         INTEGER NOT NULL CHECK (stopped IN (0, 1)),
    CHECK (stopped = 0 OR due_at IS NULL)
) STRICT;

-- What falls due next in an account.
CREATE INDEX plan_due ON plan (account, due_at, operation) WHERE due_at IS NOT NULL;
-- What begins when, in all accounts: to tell a suspect clock.
CREATE INDEX plan_next ON plan (due_at) WHERE due_at IS NOT NULL;
-- The plans of an account, for listing.
CREATE INDEX plan_account ON plan (account, operation);

-- Points set aside for a job in progress. operation = the hold's own sequence number.
CREATE TABLE hold (
    -- On a device also one of its hub.
    operation  INTEGER PRIMARY KEY CHECK (operation >= 1),
    account    INTEGER NOT NULL REFERENCES account (no),
    points     INTEGER NOT NULL CHECK (points BETWEEN 0 AND 9000000000000000), -- 0: for a service that costs nothing
    unbacked   INTEGER NOT NULL CHECK (unbacked BETWEEN 0 AND points),
    deadline   INTEGER NOT NULL CHECK (deadline BETWEEN 0 AND 253402300799999),
    phase      INTEGER NOT NULL CHECK (phase BETWEEN 0 AND 3), -- 0 open, 1 captured, 2 released, 3 expired
    service    TEXT,
    price_book INTEGER REFERENCES price_book (no)
) STRICT;

-- Deadlines of open holds.
CREATE INDEX hold_due ON hold (account, deadline, operation) WHERE phase = 0;
-- Holds that are over by the clock: a device whose clock was wrong places them again.
CREATE INDEX hold_expired ON hold (account, deadline, operation) WHERE phase = 3;
-- The holds of an account, for listing.
CREATE INDEX hold_account ON hold (account, operation);

-- A consume, capture or clawback with an open part, refunds or write-offs. A consume simply paid has no row here, nor one that
-- cost nothing until it is refunded, which can be once.
CREATE TABLE consume (
    -- On a device also one of its hub.
    operation   INTEGER PRIMARY KEY CHECK (operation >= 1),
    account     INTEGER NOT NULL REFERENCES account (no),
    -- In which turn it is paid: the operation's number; of what a device heard of its hub that at the hub, less 2 to the power of
    -- 43, so that it comes before what is made here.
    turn        INTEGER NOT NULL CHECK (turn <> 0),
    points      INTEGER NOT NULL CHECK (points BETWEEN 0 AND 9000000000000000),
    open        INTEGER NOT NULL CHECK (open >= 0),
    refunded    INTEGER NOT NULL CHECK (refunded >= 0),
    written_off INTEGER NOT NULL CHECK (written_off >= 0),
    clawback_of INTEGER REFERENCES batch (no), -- the revoked batch; NULL for a caller's consume
    CHECK (open + refunded + written_off <= points)
) STRICT;

-- Open parts, oldest first: their sum is the account's debt.
CREATE INDEX consume_open ON consume (account, turn, operation) WHERE open > 0;
-- The clawbacks of a revoked batch, oldest first.
CREATE INDEX consume_clawback ON consume (clawback_of, turn, operation) WHERE clawback_of IS NOT NULL;

-- Which batch paid for (or is set aside for) which consume (or hold, or allotment), in which order. A consume paid at once and never
-- refunded has no rows here: the draws in its operation's outcome are its allocations.
CREATE TABLE allocation (
    -- On a device also one of its hub.
    owner    INTEGER NOT NULL CHECK (owner >= 1),
    rank     INTEGER NOT NULL CHECK (rank >= 1),
    batch    INTEGER NOT NULL REFERENCES batch (no),
    -- 0: none any more, since a device has heard of its hub.
    points   INTEGER NOT NULL CHECK (points >= 0),
    -- Of a consume: refunded out of it. Of a hold: what its release gave back or let lapse. Of an allotment: spent, given back, or
    -- kept by a hold.
    returned INTEGER NOT NULL CHECK (returned BETWEEN 0 AND points),
    -- Of a hold on a device: the allotment that it came out of, and goes back to.
    allotment INTEGER CHECK (allotment >= 1),
    PRIMARY KEY (owner, rank)
) STRICT, WITHOUT ROWID;

-- Points of an account set aside for one device in one epoch, which it can spend offline. operation = that of kind allot; its slices
-- are the allocations of that.
CREATE TABLE allotment (
    -- On a device one of its hub.
    operation   INTEGER PRIMARY KEY CHECK (operation >= 1),
    account     INTEGER NOT NULL REFERENCES account (no),
    -- At a hub device.no; 0 on the device itself.
    device      INTEGER NOT NULL CHECK (device >= 0),
    epoch       INTEGER NOT NULL CHECK (epoch BETWEEN 1 AND 268435455),
    -- What was set aside; on a device what its hub last told of it.
    points      INTEGER NOT NULL CHECK (points BETWEEN 0 AND 9000000000000000),
    -- What its slices still have.
    remaining   INTEGER NOT NULL CHECK (remaining BETWEEN 0 AND points),
    spend_until INTEGER NOT NULL CHECK (spend_until BETWEEN 0 AND 253402300799999),
    state       INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2) -- 0 open, 1 recalled, 2 written_off
) STRICT;

-- Those of an account with something left, oldest first.
CREATE INDEX allotment_open ON allotment (account, operation) WHERE remaining > 0;
-- The same of all accounts, for listing.
CREATE INDEX allotment_remaining ON allotment (operation) WHERE remaining > 0;

-- Of a device: what it last heard of an account from its hub. Derived, like all that follows but `received`.
CREATE TABLE base (
    account   INTEGER PRIMARY KEY REFERENCES account (no),
    -- The reconcile that put it there.
    operation INTEGER NOT NULL REFERENCES operation (seq),
    -- Where the hub's log ended then, the hub's time, and that of the account's last line there.
    epoch     INTEGER NOT NULL CHECK (epoch BETWEEN 1 AND 268435455),
    seq       INTEGER NOT NULL CHECK (seq BETWEEN 0 AND 4398046511103),
    as_of     INTEGER NOT NULL CHECK (as_of BETWEEN 0 AND 253402300799999),
    last      INTEGER NOT NULL CHECK (last BETWEEN 0 AND 253402300799999),
    -- Up to which of this file's operations it holds them.
    ack       INTEGER NOT NULL CHECK (ack >= 0),
    -- What batches without a row here come to, less what those here have that no batch of the hub's has.
    used      INTEGER NOT NULL,
    expired   INTEGER NOT NULL,
    revoked   INTEGER NOT NULL,
    moved     INTEGER NOT NULL,
    -- It has more rows than came along.
    large     INTEGER NOT NULL CHECK (large IN (0, 1))
) STRICT;

-- What a device has heard of accounts, as it came: facts, of which the hash stands in their operation.
CREATE TABLE received (
    operation     INTEGER NOT NULL REFERENCES operation (seq),
    n             INTEGER NOT NULL CHECK (n >= 1),
    account       INTEGER NOT NULL REFERENCES account (no),
    line          TEXT    NOT NULL,
    -- By how much each of the account's totals changed (JSON); NULL where it was as new already. Derived.
    totals_change TEXT,
    PRIMARY KEY (operation, n)
) STRICT;

-- What an operation of its hub is on a device: one of its own that arrived there, or a number from 2199023255553 on, which no
-- operation has. What it made has the number within it that it has at the hub. A hub that was set back gives ids again: the
-- newest row counts.
CREATE TABLE foreign_id (
    no    INTEGER PRIMARY KEY,
    id    BLOB    NOT NULL CHECK (length(id) = 16),
    local INTEGER NOT NULL CHECK (local >= 1)
) STRICT;
-- What an id of the hub stands for now: its newest row. A hub that was set back gives its ids again.
CREATE INDEX foreign_id_newest ON foreign_id (id, no);

-- Facts stay as they are: mistakes are mended by new operations.
CREATE TRIGGER operation_no_update BEFORE UPDATE ON operation BEGIN SELECT RAISE(ABORT, 'operations never change'); END;
CREATE TRIGGER operation_no_delete BEFORE DELETE ON operation BEGIN SELECT RAISE(ABORT, 'operations are never deleted'); END;
CREATE TRIGGER entry_no_update BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'entries never change'); END;
CREATE TRIGGER entry_no_delete BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'entries are never deleted'); END;
CREATE TRIGGER long_movements_no_update BEFORE UPDATE ON long_movements BEGIN SELECT RAISE(ABORT, 'movements never change'); END;
CREATE TRIGGER long_movements_no_delete BEFORE DELETE ON long_movements BEGIN SELECT RAISE(ABORT, 'movements are never deleted'); END;
CREATE TRIGGER reference_no_update BEFORE UPDATE ON reference BEGIN SELECT RAISE(ABORT, 'references never change'); END;
CREATE TRIGGER reference_no_delete BEFORE DELETE ON reference BEGIN SELECT RAISE(ABORT, 'references are never deleted'); END;
CREATE TRIGGER stretch_no_update BEFORE UPDATE ON stretch BEGIN SELECT RAISE(ABORT, 'stretches never change'); END;
CREATE TRIGGER stretch_no_delete BEFORE DELETE ON stretch BEGIN SELECT RAISE(ABORT, 'stretches are never deleted'); END;
CREATE TRIGGER price_book_no_update BEFORE UPDATE ON price_book BEGIN SELECT RAISE(ABORT, 'price books never change'); END;
CREATE TRIGGER price_book_no_delete BEFORE DELETE ON price_book BEGIN SELECT RAISE(ABORT, 'price books are never deleted'); END;
CREATE TRIGGER writer_no_update BEFORE UPDATE ON writer BEGIN SELECT RAISE(ABORT, 'writers never change'); END;
CREATE TRIGGER writer_no_delete BEFORE DELETE ON writer BEGIN SELECT RAISE(ABORT, 'writers are never deleted'); END;
CREATE TRIGGER account_no_delete BEFORE DELETE ON account BEGIN SELECT RAISE(ABORT, 'accounts are never deleted'); END;
CREATE TRIGGER batch_no_delete BEFORE DELETE ON batch BEGIN SELECT RAISE(ABORT, 'batches are never deleted'); END;
CREATE TRIGGER rollover_no_delete BEFORE DELETE ON rollover BEGIN SELECT RAISE(ABORT, 'rollovers are never deleted'); END;
CREATE TRIGGER plan_no_delete BEFORE DELETE ON plan BEGIN SELECT RAISE(ABORT, 'plans are never deleted'); END;
CREATE TRIGGER hold_no_delete BEFORE DELETE ON hold BEGIN SELECT RAISE(ABORT, 'holds are never deleted'); END;
CREATE TRIGGER consume_no_delete BEFORE DELETE ON consume BEGIN SELECT RAISE(ABORT, 'consumes are never deleted'); END;
CREATE TRIGGER allocation_no_delete BEFORE DELETE ON allocation BEGIN SELECT RAISE(ABORT, 'allocations are never deleted'); END;
CREATE TRIGGER allotment_no_delete BEFORE DELETE ON allotment BEGIN SELECT RAISE(ABORT, 'allotments are never deleted'); END;
CREATE TRIGGER received_no_update BEFORE UPDATE ON received BEGIN SELECT RAISE(ABORT, 'what was received never changes'); END;
CREATE TRIGGER received_no_delete BEFORE DELETE ON received BEGIN SELECT RAISE(ABORT, 'what was received is never deleted'); END;
CREATE TRIGGER foreign_id_no_update BEFORE UPDATE ON foreign_id BEGIN SELECT RAISE(ABORT, 'what is what never changes'); END;
CREATE TRIGGER foreign_id_no_delete BEFORE DELETE ON foreign_id BEGIN SELECT RAISE(ABORT, 'what is what is never deleted'); END;
CREATE TRIGGER base_no_delete BEFORE DELETE ON base BEGIN SELECT RAISE(ABORT, 'bases are never deleted'); END;
CREATE TRIGGER chain_no_update BEFORE UPDATE ON chain BEGIN SELECT RAISE(ABORT, 'chains never change'); END;
CREATE TRIGGER chain_no_delete BEFORE DELETE ON chain BEGIN SELECT RAISE(ABORT, 'chains are never deleted'); END;
CREATE TRIGGER link_no_update BEFORE UPDATE ON link BEGIN SELECT RAISE(ABORT, 'links never change'); END;
CREATE TRIGGER link_no_delete BEFORE DELETE ON link BEGIN SELECT RAISE(ABORT, 'links are never deleted'); END;
CREATE TRIGGER staged_no_delete BEFORE DELETE ON staged BEGIN SELECT RAISE(ABORT, 'what was set aside is never deleted'); END;
CREATE TRIGGER flag_no_delete BEFORE DELETE ON flag BEGIN SELECT RAISE(ABORT, 'flags are never deleted'); END;
CREATE TRIGGER watch_no_update BEFORE UPDATE ON watch BEGIN SELECT RAISE(ABORT, 'watches never change'); END;
CREATE TRIGGER watch_no_delete BEFORE DELETE ON watch BEGIN SELECT RAISE(ABORT, 'watches are never deleted'); END;
CREATE TRIGGER device_no_delete BEFORE DELETE ON device BEGIN SELECT RAISE(ABORT, 'devices are never deleted'); END;
CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger row is never deleted'); END;
CREATE TRIGGER ledger_identity BEFORE UPDATE OF id, ledger_id, created_at ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger''s identity never changes'); END;
CREATE TRIGGER ledger_role BEFORE UPDATE OF role ON ledger WHEN OLD.role <> 0 AND NEW.role <> OLD.role
BEGIN SELECT RAISE(ABORT, 'a role is given once'); END;
CREATE TRIGGER device_identity BEFORE UPDATE OF no, device, tag ON device
BEGIN SELECT RAISE(ABORT, 'a device''s identity never changes'); END;
CREATE TRIGGER staged_identity BEFORE UPDATE OF operation, account, device, reason, other ON staged
BEGIN SELECT RAISE(ABORT, 'why a link was set aside never changes'); END;
CREATE TRIGGER staged_once BEFORE UPDATE OF state ON staged WHEN OLD.state <> 0
BEGIN SELECT RAISE(ABORT, 'what was seen to stays so'); END;
CREATE TRIGGER flag_identity BEFORE UPDATE OF operation, code, points ON flag
BEGIN SELECT RAISE(ABORT, 'a flag never changes but for who has seen it'); END;
CREATE TRIGGER account_identity BEFORE UPDATE OF no, id ON account BEGIN SELECT RAISE(ABORT, 'an account''s identity never changes'); END;
CREATE TRIGGER batch_identity BEFORE UPDATE OF no, account, source, promo, priority, amount, effective_at, dated, from_batch, entry ON batch
WHEN NEW.no <> OLD.no OR NEW.account <> OLD.account OR (SELECT role FROM ledger) <> 1
BEGIN SELECT RAISE(ABORT, 'a batch''s origin never changes'); END;
CREATE TRIGGER rollover_identity BEFORE UPDATE OF batch, terms ON rollover
BEGIN SELECT RAISE(ABORT, 'a rollover''s terms never change'); END;
CREATE TRIGGER rollover_new BEFORE INSERT ON rollover WHEN NEW.rolled > (SELECT moved FROM batch WHERE no = NEW.batch)
BEGIN SELECT RAISE(ABORT, 'more has rolled than has moved'); END;
CREATE TRIGGER rollover_moved BEFORE UPDATE OF rolled ON rollover WHEN NEW.rolled > (SELECT moved FROM batch WHERE no = NEW.batch)
BEGIN SELECT RAISE(ABORT, 'more has rolled than has moved'); END;
CREATE TRIGGER plan_identity BEFORE UPDATE OF operation, account, entry, anchor, promo, expiration_days, foreign_terms ON plan
WHEN NEW.operation <> OLD.operation OR NEW.account <> OLD.account OR (SELECT role FROM ledger) <> 1
BEGIN SELECT RAISE(ABORT, 'a plan''s terms never change'); END;
CREATE TRIGGER hold_identity BEFORE UPDATE OF operation, account, points, unbacked, service, price_book ON hold
WHEN NEW.operation <> OLD.operation OR NEW.account <> OLD.account OR (SELECT role FROM ledger) <> 1
BEGIN SELECT RAISE(ABORT, 'a hold''s origin never changes'); END;
CREATE TRIGGER consume_identity BEFORE UPDATE OF operation, account, turn, points, clawback_of ON consume
WHEN NEW.operation <> OLD.operation OR NEW.account <> OLD.account OR (SELECT role FROM ledger) <> 1
BEGIN SELECT RAISE(ABORT, 'a consume''s origin never changes'); END;
CREATE TRIGGER allotment_identity BEFORE UPDATE OF operation, account, device, epoch, points, spend_until ON allotment
WHEN NEW.operation <> OLD.operation OR NEW.account <> OLD.account OR (SELECT role FROM ledger) <> 1
BEGIN SELECT RAISE(ABORT, 'an allotment''s origin never changes'); END;
CREATE TRIGGER allocation_identity BEFORE UPDATE OF owner, rank, batch, points, allotment ON allocation
WHEN NEW.owner <> OLD.owner OR NEW.rank <> OLD.rank OR (SELECT role FROM ledger) <> 1
BEGIN SELECT RAISE(ABORT, 'an allocation never changes but for what is returned'); END;
