//! Every SQL statement of the books, by name. A test asks SQLite how it would run each: none may read a whole table
//! or sort.

/// A statement, and its place among the statements a session holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Statement {
    pub(super) number: usize,
    pub(super) text: &'static str,
}

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)+) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "numbers the statements")]
        enum Number { $($name),+ }
        $($(#[$doc])* pub(super) const $name: Statement = Statement { number: Number::$name as usize, text: $sql };)+
        /// All of them, for the test of their query plans.
        #[cfg(test)]
        pub(crate) const ALL: &[(&str, &str)] = &[$((stringify!($name), $sql)),+];
    };
}

macro_rules! account_columns {
    () => {
        "no, id, state, credit_limit, available, held, pending, debt, unbacked, recharged, consumed, refunded, \
         expired, reinstated, revoked, clawed_back, written_off, moved_in, moved_out, entries, last_booked_at, \
         steps_back, next_due_at"
    };
}

macro_rules! batch_columns {
    () => {
        "no, account, source, promo, priority, amount, remaining, held, used, expired, revoked, moved, owed, \
         effective_at, dated, expires_at, active, from_batch"
    };
}

macro_rules! hold_columns {
    () => {
        "operation, account, points, unbacked, deadline, phase, service, price_book"
    };
}

macro_rules! consume_columns {
    () => {
        "operation, account, points, open, refunded, written_off, clawback_of"
    };
}

macro_rules! entry_columns {
    () => {
        "account, n, kind, operation, booked_at, points, \
         coalesce(movements, (SELECT movements FROM long_movements l WHERE l.account = entry.account AND l.n = entry.n)), \
         after_available, after_held, after_pending, after_debt, batch"
    };
}

// CROSS JOIN fixes the order of the loops: the operations lead.
macro_rules! operations {
    ($rest:literal) => {
        concat!(
            "SELECT o.seq, o.kind, o.account, o.key, o.recorded_at, o.booked_at, o.clock, o.accepted_at, o.suspect_since, o.points, o.price_book, \
             o.rules_version, o.body, o.entry, o.hash, w.device, w.epoch, a.id, p.hash, o.outcome \
             FROM operation o CROSS JOIN writer w ON w.no = o.writer LEFT JOIN account a ON a.no = o.account \
             LEFT JOIN price_book p ON p.no = o.price_book ",
            $rest
        )
    };
}

// The draw order. INDEXED BY: were the index ever unusable, the statement would fail instead of sorting.
macro_rules! live_batches {
    ($seek:literal, $order:literal) => {
        concat!(
            "SELECT ",
            batch_columns!(),
            " FROM batch INDEXED BY batch_draw WHERE live = 1 AND account = ?1 ",
            $seek,
            " ORDER BY ",
            $order,
            " LIMIT ?2"
        )
    };
}

statements! {
    ACCOUNT_BY_ID = concat!("SELECT ", account_columns!(), " FROM account WHERE id = ?1");
    ACCOUNT_BY_NO = concat!("SELECT ", account_columns!(), " FROM account WHERE no = ?1");
    /// All that a balance needs when nothing has fallen due: the account, the clock's state, and a row for each batch that
    /// expires soonest.
    ACCOUNT_GLANCE = "SELECT a.no, a.id, state, credit_limit, available, a.held, pending, debt, unbacked, recharged, consumed, \
        refunded, a.expired, reinstated, a.revoked, clawed_back, written_off, moved_in, moved_out, entries, last_booked_at, \
        a.steps_back, next_due_at, (SELECT ifnull(accepted_at, recorded_at) FROM operation ORDER BY seq DESC LIMIT 1) AS accepted_at, \
        l.steps_back, max_clock_jump, due_at, remaining, b.no \
        FROM ledger l CROSS JOIN account a LEFT JOIN batch b INDEXED BY batch_due ON account = a.no AND active = 1 AND due_at = \
        (SELECT due_at FROM batch WHERE account = a.no AND active = 1 AND due_at > 0 ORDER BY due_at LIMIT 1) \
        WHERE l.id = 1 AND a.id = ?1";
    ACCOUNT_NEXT_NO = "SELECT ifnull(max(no), 0) + 1 FROM account";
    ACCOUNT_PAGE = concat!("SELECT ", account_columns!(), " FROM account WHERE no > ?1 ORDER BY no LIMIT ?2");
    ACCOUNTS_DUE = concat!(
        "SELECT ", account_columns!(),
        " FROM account INDEXED BY account_due WHERE next_due_at <= ?1 ORDER BY next_due_at, no LIMIT ?2"
    );
    ACCOUNT_INSERT = concat!(
        "INSERT INTO account (", account_columns!(), ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
    );
    /// What every charge changes, and nothing else.
    ACCOUNT_CHARGE = "UPDATE account SET available = ?2, debt = ?3, consumed = ?4, entries = ?5, last_booked_at = ?6 WHERE no = ?1";
    /// Without `next_due_at`, so that its index is not rewritten.
    ACCOUNT_UPDATE = "UPDATE account SET state = ?2, credit_limit = ?3, available = ?4, held = ?5, pending = ?6, debt = ?7, \
        unbacked = ?8, recharged = ?9, consumed = ?10, refunded = ?11, expired = ?12, reinstated = ?13, revoked = ?14, \
        clawed_back = ?15, written_off = ?16, moved_in = ?17, moved_out = ?18, entries = ?19, last_booked_at = ?20, \
        steps_back = ?21 WHERE no = ?1";
    ACCOUNT_UPDATE_DUE = "UPDATE account SET state = ?2, credit_limit = ?3, available = ?4, held = ?5, pending = ?6, debt = ?7, \
        unbacked = ?8, recharged = ?9, consumed = ?10, refunded = ?11, expired = ?12, reinstated = ?13, revoked = ?14, \
        clawed_back = ?15, written_off = ?16, moved_in = ?17, moved_out = ?18, entries = ?19, last_booked_at = ?20, \
        steps_back = ?21, next_due_at = ?22 WHERE no = ?1";

    BATCH_BY_NO = concat!("SELECT ", batch_columns!(), " FROM batch WHERE no = ?1");
    BATCH_PAGE = concat!("SELECT ", batch_columns!(), " FROM batch WHERE no > ?1 ORDER BY no LIMIT ?2");
    BATCHES_OF_ACCOUNT = concat!(
        "SELECT ", batch_columns!(),
        " FROM batch INDEXED BY batch_account WHERE account = ?1 AND no > ?2 ORDER BY no LIMIT ?3"
    );
    /// The newest made before another.
    BATCHES_BEFORE = concat!(
        "SELECT ", batch_columns!(),
        " FROM batch INDEXED BY batch_account WHERE account = ?1 AND no < ?2 ORDER BY no DESC LIMIT ?3"
    );
    LIVE_FIRST = live_batches!("", "priority, ifnull(expires_at, 9223372036854775807), promo DESC, no");
    // After a place in the draw order: one statement for each column that may be the first to differ, the last one first.
    LIVE_SAME_KIND = live_batches!("AND priority = ?3 AND ifnull(expires_at, 9223372036854775807) = ?4 AND promo = ?5 AND no > ?6", "no");
    LIVE_SAME_EXPIRY = live_batches!("AND priority = ?3 AND ifnull(expires_at, 9223372036854775807) = ?4 AND promo < ?5", "promo DESC, no");
    LIVE_SAME_PRIORITY = live_batches!(
        "AND priority = ?3 AND ifnull(expires_at, 9223372036854775807) > ?4",
        "ifnull(expires_at, 9223372036854775807), promo DESC, no"
    );
    LIVE_LATER_PRIORITY = live_batches!("AND priority > ?3", "priority, ifnull(expires_at, 9223372036854775807), promo DESC, no");
    BATCHES_LAPSED = concat!(
        "SELECT ", batch_columns!(),
        " FROM batch INDEXED BY batch_lapsed WHERE account = ?1 AND expires_at > ?2 AND expires_at <= ?3 AND expired > 0 \
         ORDER BY expires_at, no"
    );
    BATCHES_DATED = concat!(
        "SELECT ", batch_columns!(), " FROM batch INDEXED BY batch_dated WHERE dated = 1 AND account = ?1 AND effective_at > ?2 \
         ORDER BY effective_at, no"
    );
    BATCHES_DUE = concat!(
        "SELECT ", batch_columns!(),
        " FROM batch INDEXED BY batch_due WHERE account = ?1 AND due_at <= ?2 ORDER BY due_at, active DESC, no LIMIT ?3"
    );
    BATCH_NEXT_DUE = "SELECT due_at, no FROM batch INDEXED BY batch_due WHERE account = ?1 AND due_at > ?2 ORDER BY due_at, active DESC, no";
    /// Of the diagnosis: how many are past their expiry and not yet expired.
    BATCHES_DUE_COUNT = "SELECT count(*) FROM batch INDEXED BY batch_due WHERE account = ?1 AND due_at <= ?2 AND active = 1";
    BATCH_WOULD_EXPIRE = "SELECT 1 FROM batch INDEXED BY batch_expiry \
        WHERE expires_at > ?1 AND expires_at <= ?2 AND remaining + held + expired > 0 LIMIT 1";
    /// Of the clock's confirmation: what comes back.
    BATCHES_LAPSED_AFTER = "SELECT ifnull(sum(expired), 0) FROM batch INDEXED BY batch_expiry WHERE expires_at > ?1";
    BATCH_WOULD_START = "SELECT 1 FROM batch INDEXED BY batch_pending \
        WHERE active = 0 AND effective_at > ?1 AND effective_at <= ?2 AND remaining > 0 LIMIT 1";
    BATCH_INSERT = concat!(
        "INSERT INTO batch (", batch_columns!(), ", live, due_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
    );
    /// A charge of a batch that stays live.
    BATCH_DEBIT = "UPDATE batch SET remaining = ?2, used = ?3 WHERE no = ?1";
    /// Only what no index is made of; changes nothing when one of the others has changed.
    BATCH_UPDATE = "UPDATE batch SET remaining = ?2, held = ?3, used = ?4, revoked = ?5, moved = ?6, owed = ?7 \
        WHERE no = ?1 AND expired = ?8 AND expires_at IS ?9 AND active = ?10 AND live = ?11 AND due_at IS ?12";
    /// Nothing is left: spent, or expired. The other indexes are not rewritten. Changes nothing when more than that has changed.
    BATCH_SPEND = "UPDATE batch SET remaining = 0, used = ?2, expired = ?3, live = 0, due_at = NULL \
        WHERE no = ?1 AND held = 0 AND revoked = 0 AND moved = 0 AND owed = 0 AND active = 1 AND expires_at IS ?4";
    BATCH_UPDATE_INDEXED = "UPDATE batch SET remaining = ?2, held = ?3, used = ?4, revoked = ?5, moved = ?6, owed = ?7, expired = ?8, \
        expires_at = ?9, active = ?10, live = ?11, due_at = ?12 WHERE no = ?1";

    HOLD_BY_OPERATION = concat!("SELECT ", hold_columns!(), " FROM hold WHERE operation = ?1");
    HOLD_PAGE = concat!("SELECT ", hold_columns!(), " FROM hold WHERE operation > ?1 ORDER BY operation LIMIT ?2");
    HOLDS_OF_ACCOUNT = concat!(
        "SELECT ", hold_columns!(),
        " FROM hold INDEXED BY hold_account WHERE account = ?1 AND operation > ?2 ORDER BY operation LIMIT ?3"
    );
    HOLDS_DUE = concat!(
        "SELECT ", hold_columns!(),
        " FROM hold INDEXED BY hold_due WHERE phase = 0 AND account = ?1 AND deadline <= ?2 ORDER BY deadline, operation LIMIT ?3"
    );
    HOLDS_LONG = concat!("SELECT ", hold_columns!(), " FROM hold INDEXED BY hold_due WHERE phase = 0 AND account = ?1 AND deadline > ?2 \
        ORDER BY deadline, operation");
    HOLD_NEXT_DUE = "SELECT deadline, operation FROM hold INDEXED BY hold_due WHERE phase = 0 AND account = ?1 AND deadline > ?2 \
        ORDER BY deadline, operation";
    /// Of the diagnosis: how many are past their deadline and not yet released.
    HOLDS_DUE_COUNT = "SELECT count(*) FROM hold INDEXED BY hold_due WHERE phase = 0 AND account = ?1 AND deadline <= ?2";
    HOLD_INSERT = concat!("INSERT INTO hold (", hold_columns!(), ") VALUES (?,?,?,?,?,?,?,?)");
    HOLD_UPDATE = "UPDATE hold SET deadline = ?2, phase = ?3 WHERE operation = ?1";

    CONSUME_BY_OPERATION = concat!("SELECT ", consume_columns!(), " FROM consume WHERE operation = ?1");
    CONSUME_PAGE = concat!("SELECT ", consume_columns!(), " FROM consume WHERE operation > ?1 ORDER BY operation LIMIT ?2");
    CONSUMES_OPEN = concat!(
        "SELECT ", consume_columns!(),
        " FROM consume INDEXED BY consume_open WHERE open > 0 AND account = ?1 AND operation > ?2 ORDER BY operation LIMIT ?3"
    );
    CLAWBACKS = concat!(
        "SELECT ", consume_columns!(),
        " FROM consume INDEXED BY consume_clawback WHERE clawback_of = ?1 ORDER BY operation"
    );
    CONSUME_INSERT = concat!("INSERT INTO consume (", consume_columns!(), ") VALUES (?,?,?,?,?,?,?)");
    CONSUME_UPDATE = "UPDATE consume SET open = ?2, refunded = ?3, written_off = ?4 WHERE operation = ?1";

    ALLOCATIONS_OF = "SELECT owner, rank, batch, points, returned FROM allocation WHERE owner = ?1 ORDER BY rank";
    ALLOCATION_PAGE = "SELECT owner, rank, batch, points, returned FROM allocation WHERE (owner, rank) > (?1, ?2) \
        ORDER BY owner, rank LIMIT ?3";
    ALLOCATION_INSERT = "INSERT INTO allocation (owner, rank, batch, points, returned) VALUES (?,?,?,?,?)";
    ALLOCATION_UPDATE = "UPDATE allocation SET returned = ?3 WHERE owner = ?1 AND rank = ?2";

    ENTRY_BY_NUMBER = concat!("SELECT ", entry_columns!(), " FROM entry WHERE account = ?1 AND n = ?2");
    ENTRY_TIME = "SELECT booked_at FROM entry WHERE account = ?1 AND n = ?2";
    ENTRIES_FORWARD = concat!(
        "SELECT ", entry_columns!(), " FROM entry WHERE account = ?1 AND n >= ?2 AND n <= ?3 ORDER BY n LIMIT ?4"
    );
    ENTRIES_BACKWARD = concat!(
        "SELECT ", entry_columns!(), " FROM entry WHERE account = ?1 AND n >= ?2 AND n <= ?3 ORDER BY n DESC LIMIT ?4"
    );
    ENTRY_PAGE = concat!("SELECT ", entry_columns!(), " FROM entry WHERE (account, n) > (?1, ?2) ORDER BY account, n LIMIT ?3");
    ENTRY_INSERT = "INSERT INTO entry (account, n, kind, operation, booked_at, points, movements, after_available, after_held, \
        after_pending, after_debt, batch) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)";
    LONG_MOVEMENTS_INSERT = "INSERT INTO long_movements (account, n, movements) VALUES (?,?,?)";
    /// Of `verify`: one that its entry has as well.
    LONG_MOVEMENTS_EXTRA = "SELECT l.account, l.n FROM long_movements l CROSS JOIN entry e ON e.account = l.account AND e.n = l.n \
        WHERE (l.account, l.n) > (?1, ?2) AND e.movements IS NOT NULL ORDER BY l.account, l.n LIMIT 1";

    REFERENCES_TO = "SELECT operation, kind, account, n FROM reference WHERE operation = ?1 ORDER BY kind, account, n";
    REFERENCES_OF_KIND = "SELECT operation, kind, account, n FROM reference WHERE operation = ?1 AND kind = ?2 ORDER BY account, n";
    /// Of `verify`.
    REFERENCE_IS_THERE = "SELECT 1 FROM reference WHERE operation = ?1 AND kind = ?2 AND account = ?3 AND n = ?4";
    REFERENCE_PAGE = "SELECT operation, kind, account, n FROM reference WHERE (operation, kind, account, n) > (?1, ?2, ?3, ?4) \
        ORDER BY operation, kind, account, n LIMIT ?5";
    REFERENCE_INSERT = "INSERT INTO reference (operation, kind, account, n) VALUES (?,?,?,?)";

    STRETCHES_OF = "SELECT account, n, booked_at FROM stretch WHERE account = ?1 AND n <= ?2 ORDER BY n DESC";
    STRETCH_PAGE = "SELECT account, n, booked_at FROM stretch WHERE (account, n) > (?1, ?2) ORDER BY account, n LIMIT ?3";
    STRETCH_INSERT = "INSERT INTO stretch (account, n, booked_at) VALUES (?,?,?)";

    OPERATION_BY_SEQ = operations!("WHERE o.seq = ?1");
    OPERATION_PAGE = operations!("WHERE o.seq > ?1 ORDER BY o.seq LIMIT ?2");
    OPERATION_HEAD = "SELECT o.seq, w.device, w.epoch, o.kind, o.account, o.points \
        FROM operation o CROSS JOIN writer w ON w.no = o.writer WHERE o.seq = ?1";
    /// Of a consume or capture: its outcome says what it drew.
    OPERATION_DRAWS = "SELECT seq, points, outcome FROM operation WHERE seq = ?1 AND kind IN (4, 6)";
    /// Of `verify`: consumes simply paid, which have no allocation rows.
    OPERATION_DRAWS_PAGE = "SELECT seq, points, outcome FROM operation WHERE seq > ?1 AND kind IN (4, 6) AND outcome IS NOT NULL \
        AND NOT EXISTS (SELECT 1 FROM allocation WHERE owner = operation.seq) ORDER BY seq LIMIT ?2";
    OPERATION_BY_KEY = "SELECT seq FROM operation INDEXED BY operation_key WHERE key = ?3 AND account = ?1 AND kind = ?2";
    /// In the order of the index.
    OPERATIONS_BY_KEY = "SELECT account, kind, seq FROM operation INDEXED BY operation_key WHERE key = ?1 AND (account, kind) > (?2, ?3) ORDER BY account, kind LIMIT ?4";
    /// Backwards from the newest; asked only when the file has several price books.
    OPERATION_NEWEST_PRICED = "SELECT price_book FROM operation WHERE price_book IS NOT NULL ORDER BY seq DESC LIMIT 1";
    /// Of the diagnosis: the first and the last operation under a price book among those after ?1, which bounds them.
    OPERATION_FIRST_PRICED = "SELECT booked_at FROM operation WHERE seq > ?1 AND price_book = ?2 ORDER BY seq LIMIT 1";
    OPERATION_LAST_PRICED = "SELECT booked_at FROM operation WHERE seq > ?1 AND price_book = ?2 ORDER BY seq DESC LIMIT 1";
    /// Of explanations: the last change of a setting before an operation. Nothing but the log tells it: backwards from there.
    OPERATION_CONFIGURED = "SELECT seq FROM operation WHERE seq < ?1 AND kind = 17 AND account = 0 ORDER BY seq DESC LIMIT 1";
    /// Writes nothing when the key is taken.
    OPERATION_INSERT = "INSERT INTO operation (seq, writer, kind, account, key, recorded_at, booked_at, clock, points, price_book, \
        rules_version, body, outcome, entry, hash) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (key, account, kind) DO NOTHING";
    /// One whose reading does not say all of the clock.
    OPERATION_INSERT_CLOCK = "INSERT INTO operation (seq, writer, kind, account, key, recorded_at, booked_at, clock, points, price_book, \
        rules_version, body, outcome, entry, hash, accepted_at, suspect_since) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) \
        ON CONFLICT (key, account, kind) DO NOTHING";

    PRICE_BOOK_BY_NO = "SELECT no, hash, text FROM price_book WHERE no = ?1";
    PRICE_BOOK_HASH = "SELECT hash FROM price_book WHERE no = ?1";
    PRICE_BOOK_NO = "SELECT no FROM price_book WHERE hash = ?1";
    PRICE_BOOK_NEXT_NO = "SELECT ifnull(max(no), 0) + 1 FROM price_book";
    PRICE_BOOK_PAGE = "SELECT no, hash, text FROM price_book WHERE no > ?1 ORDER BY no LIMIT ?2";
    PRICE_BOOK_INSERT = "INSERT INTO price_book (no, hash, text) VALUES (?,?,?)";

    WRITER_NEXT_NO = "SELECT ifnull(max(no), 0) + 1 FROM writer";
    WRITER_PAGE = "SELECT no, device, epoch, since FROM writer WHERE no > ?1 ORDER BY no LIMIT ?2";
    WRITER_INSERT = "INSERT INTO writer (no, device, epoch, since) VALUES (?,?,?,?)";

    /// Of `verify`: what other columns determine.
    BATCH_MARKS = "SELECT no, live, due_at FROM batch WHERE no > ?1 ORDER BY no LIMIT ?2";
    /// Of `verify`: without what is joined to them, which it keeps at hand.
    OPERATION_STORED_PAGE = "SELECT seq, kind, account, key, recorded_at, booked_at, clock, accepted_at, suspect_since, points, price_book, \
        rules_version, body, entry, hash, writer, outcome FROM operation WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    ACCOUNT_NAMES = "SELECT no, id FROM account WHERE no > ?1 ORDER BY no LIMIT ?2";
    LEDGER_COUNT = "SELECT count(*) FROM (SELECT 1 FROM ledger LIMIT 1000)";
    /// Changes when another connection has committed.
    DATA_VERSION = "PRAGMA data_version";

    /// The row, and what the newest operation tells beyond it.
    LEDGER_GET = "SELECT l.ledger_id, l.created_at, l.writer, w.device, w.epoch, l.trusted_at, l.steps_back, l.explicit_accounts, \
        l.late_window, l.max_hold, l.max_clock_jump, l.clock_patience, l.head, l.length, o.seq, o.hash, o.recorded_at, o.clock, \
        o.accepted_at, o.suspect_since FROM ledger l CROSS JOIN writer w ON w.no = l.writer \
        LEFT JOIN operation o ON o.seq = (SELECT max(seq) FROM operation) WHERE l.id = 1";
    LEDGER_INSERT = "INSERT INTO ledger (id, ledger_id, created_at, writer, trusted_at, steps_back, explicit_accounts, late_window, \
        max_hold, max_clock_jump, clock_patience, head, length) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    LEDGER_UPDATE = "UPDATE ledger SET writer = ?1, trusted_at = ?2, steps_back = ?3, explicit_accounts = ?4, late_window = ?5, \
        max_hold = ?6, max_clock_jump = ?7, clock_patience = ?8 WHERE id = 1";
    /// Names the newest operation. Not when the one named so far is not there as it was: that is evidence.
    LEDGER_HEAD = "UPDATE ledger SET (length, head) = (SELECT seq, hash FROM operation WHERE seq = (SELECT max(seq) FROM operation)) \
        WHERE id = 1 AND length < (SELECT max(seq) FROM operation) \
        AND (length = 0 OR head = (SELECT hash FROM operation WHERE seq = ledger.length))";
}
