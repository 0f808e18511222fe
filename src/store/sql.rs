//! Every SQL statement of the books, by name. A test asks SQLite how it would run each: none may read a whole table
//! or sort.

use super::columns::{Cell, Parameters};
use super::tables::{
    Table, account, allocation, allotment, base, batch, chain, consume, device, entry, flag, foreign_id, hold, ledger,
    link, operation, plan, price_book, received, reference, rollover, staged, stretch, watch, writer,
};

/// A statement, and its place among the statements a session holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Statement {
    pub(super) number: usize,
    pub(super) text: &'static str,
}

/// A statement that writes columns of a row.
pub(super) struct Change<R> {
    pub(super) sql: Statement,
    /// The columns it writes: a bit for each.
    pub(super) columns: u32,
    pub(super) bind: fn(&R, &mut Parameters<'_, '_>) -> rusqlite::Result<()>,
}

impl<R> Change<R> {
    /// Whether it writes all these columns.
    pub(super) const fn covers(&self, columns: u32) -> bool {
        columns & !self.columns == 0
    }
}

macro_rules! statements {
    (
        read { $($(#[$doc:meta])* $name:ident = $sql:expr;)+ }
        write { $($(#[$of:meta])* $change:ident = $verb:ident $table:ident ($($how:tt)*);)+ }
    ) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "numbers the statements")]
        enum Number { $($name,)+ $($change,)+ }
        $($(#[$doc])* pub(super) const $name: Statement = Statement { number: Number::$name as usize, text: $sql };)+
        $($(#[$of])* pub(super) const $change: Change<$table::Row> = $verb!($change $table $($how)*);)+
        /// All of them, for the test of their query plans.
        #[cfg(test)]
        pub(crate) const ALL: &[(&str, &str)] =
            &[$((stringify!($name), $sql),)+ $((stringify!($change), $change.sql.text)),+];
    };
}

macro_rules! select {
    ($table:ident $rest:literal) => {
        concat!("SELECT ", $table!(columns), " FROM ", stringify!($table), " ", $rest)
    };
}

macro_rules! insert {
    ($change:ident $table:ident $($else:literal)?) => {
        Change {
            sql: Statement {
                number: Number::$change as usize,
                text: concat!(
                    "INSERT INTO ", stringify!($table), " (", $table!(names), ") VALUES (", $table!(values), ")" $(, " ", $else)?
                ),
            },
            columns: u32::MAX,
            bind: |row, to| row.put(to),
        }
    };
}

/// What is set, then fixed text; where it is, what must not have changed, then fixed text.
macro_rules! update {
    (
        $change:ident $table:ident
        $($set:ident),+ $(; $fixed:literal)? where $($key:ident),+ $(; same $($same:ident),+)? $(; $but:literal)?
    ) => {
        Change {
            sql: Statement {
                number: Number::$change as usize,
                text: concat!(
                    "UPDATE ", stringify!($table), " SET ", list!(", "; $($set)+; " = ?") $(, ", ", $fixed)?,
                    " WHERE ", list!(" AND "; $($key)+; " = ?") $(, " AND ", list!(" AND "; $($same)+; " IS ?"))? $(, " AND ", $but)?
                ),
            },
            columns: 0 $(| 1 << $table::Column::$set as u32)+,
            bind: |row, to| {
                $($table::$set(row).put(to)?;)+
                $($table::$key(row).put(to)?;)+
                $($($table::$same(row).put(to)?;)+)?
                Ok(())
            },
        }
    };
}

// CROSS JOIN fixes the order of the loops: the operations lead.
macro_rules! operations {
    ($rest:literal) => {
        concat!(
            "SELECT ", operation!(columns), ", w.device, w.epoch, a.id, p.hash \
             FROM operation CROSS JOIN writer w ON w.no = operation.writer LEFT JOIN account a ON a.no = operation.account \
             LEFT JOIN price_book p ON p.no = operation.price_book ",
            $rest
        )
    };
}

// A batch with its rollover, for the few that have one.
macro_rules! batches {
    ($(by $index:literal)? $rest:literal) => {
        concat!(
            "SELECT ", batch!(columns), ", ", rollover!(columns), " FROM batch ", $("INDEXED BY ", $index, " ",)?
            "LEFT JOIN rollover ON rollover.batch = batch.no ", $rest
        )
    };
}

// What tells whether a device has to hear of accounts. Time's own lines have no operation.
macro_rules! concerned {
    ($since:literal, $rest:literal) => {
        concat!(
            "SELECT a.no, a.id, ",
            $since,
            ", a.steps_back, a.last_booked_at, (SELECT operation FROM entry e \
            WHERE e.account = a.no AND operation IS NOT NULL ORDER BY n DESC LIMIT 1) FROM ",
            $rest
        )
    };
}

// The draw order. INDEXED BY: were the index ever unusable, the statement would fail instead of sorting.
macro_rules! live_batches {
    ($seek:literal, $order:literal) => {
        concat!(
            batches!(by "batch_draw" "WHERE live = 1 AND account = ?1 "),
            $seek,
            " ORDER BY ",
            $order,
            " LIMIT ?2"
        )
    };
}

statements! {
    read {
        ACCOUNT_BY_ID = select!(account "WHERE id = ?1");
        ACCOUNT_BY_NO = select!(account "WHERE no = ?1");
        /// All that a balance needs when nothing has fallen due: the account, the clock's state, and a row for each batch that
        /// expires soonest.
        ACCOUNT_GLANCE = concat!("SELECT ", account!(columns), ", due_at, remaining, b.entry, b.no, \
            (SELECT ifnull(accepted_at, recorded_at) FROM operation ORDER BY seq DESC LIMIT 1) AS accepted_at, l.steps_back, max_clock_jump, l.role \
            FROM ledger l CROSS JOIN account LEFT JOIN batch b INDEXED BY batch_due ON b.account = account.no AND active = 1 AND due_at = \
            (SELECT due_at FROM batch WHERE account = account.no AND active = 1 AND due_at > 0 ORDER BY due_at LIMIT 1) \
            WHERE l.id = 1 AND account.id = ?1");
        ACCOUNT_NEXT_NO = "SELECT ifnull(max(no), 0) + 1 FROM account";
        ACCOUNT_PAGE = select!(account "WHERE no > ?1 ORDER BY no LIMIT ?2");
        ACCOUNTS_DUE = select!(account "INDEXED BY account_due WHERE next_due_at > ?1 AND next_due_at <= ?2 ORDER BY next_due_at, no LIMIT ?3");

        BATCH_BY_NO = batches!("WHERE no = ?1");
        BATCH_PAGE = batches!("WHERE no > ?1 ORDER BY no LIMIT ?2");
        BATCHES_OF_ACCOUNT = batches!(by "batch_account" "WHERE account = ?1 AND no > ?2 ORDER BY no LIMIT ?3");
        /// The newest made before another.
        BATCHES_BEFORE = batches!(by "batch_account" "WHERE account = ?1 AND no < ?2 ORDER BY no DESC LIMIT ?3");
        LIVE_FIRST = live_batches!("", "priority, ifnull(expires_at, 9223372036854775807), promo DESC, entry, no");
        // After a place in the draw order: one statement for each column that may be the first to differ, the last one first.
        LIVE_SAME_KIND = live_batches!("AND priority = ?3 AND ifnull(expires_at, 9223372036854775807) = ?4 AND promo = ?5 AND (entry, no) > (?6, ?7)", "entry, no");
        LIVE_SAME_EXPIRY = live_batches!("AND priority = ?3 AND ifnull(expires_at, 9223372036854775807) = ?4 AND promo < ?5", "promo DESC, entry, no");
        LIVE_SAME_PRIORITY = live_batches!(
            "AND priority = ?3 AND ifnull(expires_at, 9223372036854775807) > ?4",
            "ifnull(expires_at, 9223372036854775807), promo DESC, entry, no"
        );
        LIVE_LATER_PRIORITY = live_batches!("AND priority > ?3", "priority, ifnull(expires_at, 9223372036854775807), promo DESC, entry, no");
        BATCHES_LAPSED = batches!(by "batch_lapsed" "WHERE account = ?1 AND expires_at > ?2 AND expires_at <= ?3 AND expired > 0 \
             ORDER BY expires_at, no");
        BATCHES_DATED = batches!(by "batch_dated" "WHERE dated = 1 AND account = ?1 AND effective_at > ?2 \
             ORDER BY effective_at, no");
        BATCHES_DUE = batches!(by "batch_due" "WHERE account = ?1 AND due_at <= ?2 ORDER BY due_at, active DESC, entry, no LIMIT ?3");
        BATCH_NEXT_DUE = "SELECT due_at, no FROM batch INDEXED BY batch_due WHERE account = ?1 AND due_at > ?2 ORDER BY due_at, active DESC, entry, no";
        /// Of the diagnosis: how many are past their expiry and not yet expired.
        BATCHES_DUE_COUNT = "SELECT count(*) FROM batch INDEXED BY batch_due WHERE account = ?1 AND due_at <= ?2 AND active = 1";
        BATCH_WOULD_EXPIRE = "SELECT 1 FROM batch INDEXED BY batch_expiry \
            WHERE expires_at > ?1 AND expires_at <= ?2 AND remaining + held + expired > 0 LIMIT 1";
        /// Of the clock's confirmation: what comes back.
        BATCHES_LAPSED_AFTER = "SELECT ifnull(sum(expired), 0) FROM batch INDEXED BY batch_expiry WHERE expires_at > ?1";
        /// Of the clock: what is at its end, and may roll over once that is booked.
        BATCHES_ROLLING = "SELECT batch, account FROM rollover INDEXED BY rollover_open CROSS JOIN batch ON no = batch \
            WHERE terms IS NOT NULL AND has_rolled = 0 AND expires_at <= ?1 AND remaining + held > 0 ORDER BY batch";
        BATCH_WOULD_START = "SELECT 1 FROM batch INDEXED BY batch_pending \
            WHERE active = 0 AND effective_at > ?1 AND effective_at <= ?2 AND remaining > 0 LIMIT 1";

        PLAN_BY_OPERATION = select!(plan "WHERE operation = ?1");
        PLAN_PAGE = select!(plan "WHERE operation > ?1 ORDER BY operation LIMIT ?2");
        PLANS_OF_ACCOUNT = select!(plan "INDEXED BY plan_account WHERE account = ?1 AND operation > ?2 ORDER BY operation LIMIT ?3");
        PLANS_DUE = select!(plan "INDEXED BY plan_due WHERE account = ?1 AND due_at <= ?2 ORDER BY due_at, operation LIMIT ?3");
        PLAN_NEXT_DUE = "SELECT due_at, operation FROM plan INDEXED BY plan_due WHERE account = ?1 AND due_at > ?2 ORDER BY due_at, operation";
        PLAN_WOULD_GIVE = "SELECT 1 FROM plan INDEXED BY plan_next WHERE due_at > ?1 AND due_at <= ?2 LIMIT 1";
        PLANS_BEHIND = "SELECT due_at, operation, account FROM plan INDEXED BY plan_next WHERE due_at <= ?1 ORDER BY due_at, operation";

        HOLD_BY_OPERATION = select!(hold "WHERE operation = ?1");
        HOLD_PAGE = select!(hold "WHERE operation > ?1 ORDER BY operation LIMIT ?2");
        HOLDS_OF_ACCOUNT = select!(hold "INDEXED BY hold_account WHERE account = ?1 AND operation > ?2 ORDER BY operation LIMIT ?3");
        HOLDS_DUE = select!(hold "INDEXED BY hold_due WHERE phase = 0 AND account = ?1 AND deadline <= ?2 ORDER BY deadline, operation LIMIT ?3");
        HOLDS_LONG = select!(hold "INDEXED BY hold_due WHERE phase = 0 AND account = ?1 AND deadline > ?2 \
            ORDER BY deadline, operation");
        HOLDS_EXPIRED = select!(hold "INDEXED BY hold_expired WHERE phase = 3 AND account = ?1 AND deadline > ?2 \
            ORDER BY deadline, operation");
        /// Of a device that wants a fresh file: it is asked once.
        HOLD_OPEN = "SELECT operation FROM hold INDEXED BY hold_due WHERE phase = 0 AND operation < ?1 AND deadline > ?2 LIMIT 1";
        HOLD_NEXT_DUE = "SELECT deadline, operation FROM hold INDEXED BY hold_due WHERE phase = 0 AND account = ?1 AND deadline > ?2 \
            ORDER BY deadline, operation";
        /// Of the diagnosis: how many are past their deadline and not yet released.
        HOLDS_DUE_COUNT = "SELECT count(*) FROM hold INDEXED BY hold_due WHERE phase = 0 AND account = ?1 AND deadline <= ?2";

        CONSUME_BY_OPERATION = select!(consume "WHERE operation = ?1");
        CONSUME_PAGE = select!(consume "WHERE operation > ?1 ORDER BY operation LIMIT ?2");
        CONSUMES_OPEN = select!(consume "INDEXED BY consume_open WHERE open > 0 AND account = ?1 AND (turn, operation) > (?2, ?3) \
            ORDER BY turn, operation LIMIT ?4");
        CLAWBACKS = select!(consume "INDEXED BY consume_clawback WHERE clawback_of = ?1 ORDER BY turn, operation");

        ALLOCATIONS_OF = select!(allocation "WHERE owner = ?1 ORDER BY rank");
        ALLOCATION_PAGE = select!(allocation "WHERE (owner, rank) > (?1, ?2) ORDER BY owner, rank LIMIT ?3");

        ALLOTMENT_BY_OPERATION = select!(allotment "WHERE operation = ?1");
        ALLOTMENT_PAGE = select!(allotment "WHERE operation > ?1 ORDER BY operation LIMIT ?2");
        ALLOTMENTS_OPEN = select!(allotment "INDEXED BY allotment_remaining WHERE remaining > 0 AND operation > ?1 ORDER BY operation LIMIT ?2");
        ALLOTMENTS_OF = select!(allotment "INDEXED BY allotment_open WHERE remaining > 0 AND account = ?1 ORDER BY operation");

        ENTRY_BY_NUMBER = select!(entry "WHERE account = ?1 AND n = ?2");
        ENTRY_TIME = "SELECT booked_at FROM entry WHERE account = ?1 AND n = ?2";
        ENTRIES_FORWARD = select!(entry "WHERE account = ?1 AND n >= ?2 AND n <= ?3 ORDER BY n LIMIT ?4");
        ENTRIES_BACKWARD = select!(entry "WHERE account = ?1 AND n >= ?2 AND n <= ?3 ORDER BY n DESC LIMIT ?4");
        ENTRY_PAGE = select!(entry "WHERE (account, n) > (?1, ?2) ORDER BY account, n LIMIT ?3");
        LONG_MOVEMENTS_INSERT = "INSERT INTO long_movements (account, n, movements) VALUES (?,?,?)";
        /// Of `verify`: one that its entry has as well.
        LONG_MOVEMENTS_EXTRA = "SELECT l.account, l.n FROM long_movements l CROSS JOIN entry e ON e.account = l.account AND e.n = l.n \
            WHERE (l.account, l.n) > (?1, ?2) AND e.movements IS NOT NULL ORDER BY l.account, l.n LIMIT 1";

        REFERENCES_TO = select!(reference "WHERE operation = ?1 ORDER BY kind, account, n");
        REFERENCES_OF_KIND = select!(reference "WHERE operation = ?1 AND kind = ?2 ORDER BY account, n");
        /// Of `verify`.
        REFERENCE_IS_THERE = "SELECT 1 FROM reference WHERE operation = ?1 AND kind = ?2 AND account = ?3 AND n = ?4";
        REFERENCE_PAGE = select!(
            reference "WHERE (operation, kind, account, n) > (?1, ?2, ?3, ?4) ORDER BY operation, kind, account, n LIMIT ?5"
        );

        STRETCHES_OF = select!(stretch "WHERE account = ?1 AND n <= ?2 ORDER BY n DESC");
        STRETCH_PAGE = select!(stretch "WHERE (account, n) > (?1, ?2) ORDER BY account, n LIMIT ?3");

        OPERATION_BY_SEQ = operations!("WHERE operation.seq = ?1");
        OPERATION_PAGE = operations!("WHERE operation.seq > ?1 ORDER BY operation.seq LIMIT ?2");
        OPERATION_PAGE_BACKWARD = operations!("WHERE operation.seq < ?1 ORDER BY operation.seq DESC LIMIT ?2");
        OPERATION_HEAD = "SELECT o.seq, w.device, w.epoch, o.kind, o.account, o.points \
            FROM operation o CROSS JOIN writer w ON w.no = o.writer WHERE o.seq = ?1";
        /// Of a consume or capture: its outcome says what it drew.
        OPERATION_DRAWS = "SELECT seq, points, outcome FROM operation WHERE seq = ?1 AND kind IN (4, 6)";
        /// Of `verify`: consumes simply paid, which have no allocation rows.
        OPERATION_DRAWS_PAGE = "SELECT seq, points, outcome FROM operation WHERE seq > ?1 AND kind IN (4, 6) AND outcome IS NOT NULL \
            AND NOT EXISTS (SELECT 1 FROM allocation WHERE owner = operation.seq) ORDER BY seq LIMIT ?2";
        OPERATION_BY_KEY = "SELECT seq FROM operation INDEXED BY operation_key WHERE key = ?3 AND account = ?1 AND kind = ?2 AND chain = 0";
        /// In the order of the index.
        OPERATIONS_BY_KEY = "SELECT account, kind, seq FROM operation INDEXED BY operation_key \
            WHERE key = ?1 AND chain = 0 AND (account, kind) > (?2, ?3) ORDER BY account, kind LIMIT ?4";
        /// Backwards from the newest; asked only when the file has several price books.
        OPERATION_NEWEST_PRICED = "SELECT price_book FROM operation WHERE price_book IS NOT NULL ORDER BY seq DESC LIMIT 1";
        /// Of the diagnosis: the first and the last operation under a price book among those after ?1, which bounds them.
        OPERATION_FIRST_PRICED = "SELECT booked_at FROM operation WHERE seq > ?1 AND price_book = ?2 ORDER BY seq LIMIT 1";
        OPERATION_LAST_PRICED = "SELECT booked_at FROM operation WHERE seq > ?1 AND price_book = ?2 ORDER BY seq DESC LIMIT 1";
        /// Of explanations: the last change of a setting before an operation (configure, become_hub, enrol). Nothing but the log
        /// tells it: backwards from there.
        OPERATION_CONFIGURED = "SELECT seq FROM operation WHERE seq < ?1 AND kind IN (17, 23, 26) AND account = 0 \
            ORDER BY seq DESC LIMIT 1";

        PRICE_BOOK_BY_NO = select!(price_book "WHERE no = ?1");
        PRICE_BOOK_HASH = "SELECT hash FROM price_book WHERE no = ?1";
        PRICE_BOOK_NO = "SELECT no FROM price_book WHERE hash = ?1";
        PRICE_BOOK_NEXT_NO = "SELECT ifnull(max(no), 0) + 1 FROM price_book";
        PRICE_BOOK_PAGE = select!(price_book "WHERE no > ?1 ORDER BY no LIMIT ?2");

        DEVICE_BY_TAG = select!(device "WHERE tag = ?1");
        DEVICE_NEXT_NO = "SELECT ifnull(max(no), 0) + 1 FROM device";
        DEVICE_PAGE = select!(device "WHERE no > ?1 ORDER BY no LIMIT ?2");
        BASE_OF = select!(base "WHERE account = ?1");
        BASE_PAGE = select!(base "WHERE account > ?1 ORDER BY account LIMIT ?2");
        RECEIVED_LINE = "SELECT line FROM received WHERE operation = ?1 AND account = ?2 ORDER BY n LIMIT 1";
        RECEIVED_OF = select!(received "WHERE operation = ?1 AND n > ?2 ORDER BY n LIMIT ?3");
        RECEIVED_PAGE = select!(received "WHERE (operation, n) > (?1, ?2) ORDER BY operation, n LIMIT ?3");
        /// The newest lines that an operation booked.
        ENTRIES_BOOKED = "SELECT n, operation, kind FROM entry WHERE account = ?1 AND n < ?2 AND operation IS NOT NULL ORDER BY n DESC LIMIT ?3";
        FOREIGN_BY_ID = "SELECT local FROM foreign_id INDEXED BY foreign_id_newest WHERE id = ?1 ORDER BY no DESC LIMIT 1";
        FOREIGN_BY_NO = select!(foreign_id "WHERE no = ?1");
        FOREIGN_PAGE = select!(foreign_id "WHERE no > ?1 ORDER BY no LIMIT ?2");

        DEVICE_BY_NO = select!(device "WHERE no = ?1");

        CHAIN_BY_NO = select!(chain "WHERE no = ?1");
        CHAIN_NEXT_NO = "SELECT ifnull(max(no), 0) + 1 FROM chain";
        /// The epoch in which a device began its newest chain.
        CHAIN_NEWEST = "SELECT epoch FROM chain INDEXED BY chain_device WHERE device = ?1 ORDER BY no DESC LIMIT 1";
        CHAIN_PAGE = select!(chain "WHERE no > ?1 ORDER BY no LIMIT ?2");
        CHAINS_OF_DEVICE = select!(chain "INDEXED BY chain_device WHERE device = ?1 ORDER BY no");
        LINK_NEWEST = select!(link "WHERE chain = ?1 ORDER BY seq DESC LIMIT 1");
        CHAINS_AFTER = select!(chain "INDEXED BY chain_prev WHERE prev = ?1 ORDER BY no");
        LINK_BY_HASH = select!(link "INDEXED BY link_hash WHERE substr(hash, 1, 16) = ?1");
        LINK_BY_NUMBER = select!(link "WHERE chain = ?1 AND seq = ?2");
        LINK_PAGE = select!(link "WHERE (chain, seq) > (?1, ?2) ORDER BY chain, seq LIMIT ?3");
        STAGED_BY_OPERATION = select!(staged "WHERE operation = ?1");
        STAGED_PAGE = select!(staged "WHERE operation > ?1 ORDER BY operation LIMIT ?2");
        /// What still waits of a device and account, the oldest first.
        STAGED_OPEN = select!(staged "INDEXED BY staged_open WHERE state = 0 AND device = ?1 AND account = ?2 ORDER BY operation");
        STAGED_OF_DEVICE = select!(staged "INDEXED BY staged_open WHERE state = 0 AND device = ?1 ORDER BY account, operation LIMIT ?2");
        STAGED_WAITING = select!(staged "INDEXED BY staged_waiting WHERE state = 0 AND operation > ?1 ORDER BY operation LIMIT ?2");
        FLAGS_OF = select!(flag "WHERE operation = ?1 ORDER BY code");
        FLAG_PAGE = select!(flag "WHERE (operation, code) > (?1, ?2) ORDER BY operation, code LIMIT ?3");
        FLAGS_OPEN = select!(flag "INDEXED BY flag_open WHERE acknowledged_by IS NULL AND (operation, code) > (?1, ?2) \
            ORDER BY operation, code LIMIT ?3");
        WATCH_ONE = select!(watch "WHERE device = ?1 AND account = ?2");
        CONCERNED_WATCHED = concerned!("w.since", "watch w JOIN account a ON a.no = w.account \
            WHERE w.device = ?1 AND w.account > ?2 ORDER BY w.account LIMIT ?3");
        CONCERNED_ALL = concerned!("0", "account a WHERE a.no > ?1 ORDER BY a.no LIMIT ?2");
        WATCH_PAGE = select!(watch "WHERE (device, account) > (?1, ?2) ORDER BY device, account LIMIT ?3");
        /// Where the link stands that an operation books.
        ORIGIN_OF = "SELECT chain, chain_seq FROM operation WHERE seq = ?1";
        /// Operations under a key, this hub's own and those of its devices.
        OPERATIONS_UNDER_KEY = "SELECT chain, seq FROM operation INDEXED BY operation_key \
            WHERE key = ?1 AND account = ?2 AND kind = ?3 ORDER BY chain";
        /// Of an enrolment. Once in the life of a file.
        OPERATION_KINDS = "SELECT seq, kind FROM operation WHERE seq > ?1 ORDER BY seq LIMIT ?2";

        WRITER_NEXT_NO = "SELECT ifnull(max(no), 0) + 1 FROM writer";
        WRITER_PAGE = select!(writer "WHERE no > ?1 ORDER BY no LIMIT ?2");

        /// Of `verify`: what other columns determine.
        BATCH_MARKS = "SELECT no, live, due_at FROM batch WHERE no > ?1 ORDER BY no LIMIT ?2";
        /// Of `verify`: without what is joined to them, which it keeps at hand.
        OPERATION_STORED_PAGE = select!(operation "WHERE seq > ?1 ORDER BY seq LIMIT ?2");
        ACCOUNT_NAMES = "SELECT no, id FROM account WHERE no > ?1 ORDER BY no LIMIT ?2";
        LEDGER_COUNT = "SELECT count(*) FROM (SELECT 1 FROM ledger LIMIT 1000)";
        /// Changes when another connection has committed.
        DATA_VERSION = "PRAGMA data_version";

        /// The row, and what the newest operation tells beyond it.
        LEDGER_GET = concat!("SELECT ", ledger!(columns), ", w.device, w.epoch, \
            o.seq, o.hash, o.recorded_at, o.clock, o.accepted_at, o.suspect_since FROM ledger CROSS JOIN writer w ON w.no = ledger.writer \
            LEFT JOIN operation o ON o.seq = (SELECT max(seq) FROM operation) WHERE ledger.id = 1");
        /// Names the newest operation. Not when the one named so far is not there as it was: that is evidence.
        LEDGER_HEAD = "UPDATE ledger SET (length, head) = (SELECT seq, hash FROM operation WHERE seq = (SELECT max(seq) FROM operation)) \
            WHERE id = 1 AND length < (SELECT max(seq) FROM operation) \
            AND (length = 0 OR head = (SELECT hash FROM operation WHERE seq = ledger.length))";
    }

    write {
        WRITER_INSERT = insert writer ();
        LEDGER_INSERT = insert ledger ();
        /// Writer, settings, and what of the clock the newest operation does not tell; the identity never changes.
        LEDGER_UPDATE = update ledger (
            writer, trusted_at, steps_back, explicit_accounts, late_window, max_hold, max_clock_jump, clock_patience,
            role, name, public_key, hub_ledger, hub_key, policy, global_keys, acked_seq, acked_hash, heard, recharge_day, recharged where id
        );
        PRICE_BOOK_INSERT = insert price_book ();
        DEVICE_PUT = insert device (
            "ON CONFLICT (no) DO UPDATE SET public_key = excluded.public_key, name = excluded.name, \
                policy = excluded.policy, state = excluded.state, scope_since = excluded.scope_since, \
                recharge_day = excluded.recharge_day, recharged = excluded.recharged"
        );
        CHAIN_INSERT = insert chain ();
        LINK_INSERT = insert link ();
        STAGED_PUT = insert staged ("ON CONFLICT (operation) DO UPDATE SET state = excluded.state, closed_by = excluded.closed_by");
        FLAG_PUT = insert flag ("ON CONFLICT (operation, code) DO UPDATE SET acknowledged_by = excluded.acknowledged_by");
        WATCH_INSERT = insert watch ();
        /// Writes nothing when the key is taken.
        OPERATION_INSERT = insert operation ("ON CONFLICT (key, account, kind, chain) DO NOTHING");

        ACCOUNT_INSERT = insert account ();
        /// What every charge changes, and nothing else.
        ACCOUNT_CHARGE = update account (available, debt, consumed, entries, last_booked_at where no);
        /// Without `next_due_at`, so that its index is not rewritten.
        ACCOUNT_UPDATE = update account (
            state, credit_limit, available, held, pending, debt, unbacked, recharged, consumed, refunded, expired, reinstated,
            revoked, clawed_back, written_off, moved_in, moved_out, rolled, entries, last_booked_at, steps_back where no
        );
        ACCOUNT_UPDATE_DUE = update account (
            state, credit_limit, available, held, pending, debt, unbacked, recharged, consumed, refunded, expired, reinstated,
            revoked, clawed_back, written_off, moved_in, moved_out, rolled, entries, last_booked_at, steps_back, next_due_at where no
        );

        BATCH_INSERT = insert batch ();
        /// A charge of a batch that stays live.
        BATCH_DEBIT = update batch (remaining, used where no);
        /// Only what no index is made of; changes nothing when one of the others has changed.
        BATCH_UPDATE = update batch (
            remaining, held, used, revoked, moved, owed where no; same expired, expires_at, active, live, due_at
        );
        /// Nothing is left: spent, or expired. The other indexes are not rewritten. Changes nothing when more than that has changed.
        BATCH_SPEND = update batch (
            used, expired; "remaining = 0, live = 0, due_at = NULL" where no; same expires_at;
            "held = 0 AND revoked = 0 AND moved = 0 AND owed = 0 AND active = 1"
        );
        BATCH_UPDATE_INDEXED = update batch (
            remaining, held, used, revoked, moved, owed, expired, expires_at, active, live, due_at where no
        );

        ROLLOVER_INSERT = insert rollover ();
        ROLLOVER_UPDATE = update rollover (rolls, rolled, has_rolled where batch);
        /// All that a device may hear of one.
        BATCH_REPLACE = update batch (
            source, promo, priority, amount, remaining, held, used, revoked, moved, owed, expired, effective_at, dated, expires_at,
            active, live, due_at, from_batch, entry where no
        );
        ROLLOVER_PUT = insert rollover (
            "ON CONFLICT (batch) DO UPDATE SET rolls = excluded.rolls, rolled = excluded.rolled, has_rolled = excluded.has_rolled"
        );

        PLAN_INSERT = insert plan ();
        PLAN_REPLACE = update plan (entry, anchor, promo, expiration_days, period, due_at, stopped, foreign_terms where operation);
        PLAN_UPDATE = update plan (period, due_at, stopped where operation);

        HOLD_INSERT = insert hold ();
        HOLD_REPLACE = update hold (points, unbacked, deadline, phase where operation);
        HOLD_UPDATE = update hold (deadline, phase where operation);

        CONSUME_INSERT = insert consume ();
        CONSUME_REPLACE = update consume (turn, points, open, refunded, written_off, clawback_of where operation);
        CONSUME_UPDATE = update consume (open, refunded, written_off where operation);

        ALLOCATION_INSERT = insert allocation ();
        ALLOCATION_REPLACE = update allocation (batch, points, returned, allotment where owner, rank);
        ALLOCATION_UPDATE = update allocation (returned where owner, rank);

        ALLOTMENT_INSERT = insert allotment ();
        ALLOTMENT_REPLACE = update allotment (device, epoch, points, remaining, spend_until, state where operation);
        ALLOTMENT_UPDATE = update allotment (remaining, state where operation);

        ENTRY_INSERT = insert entry ();
        REFERENCE_INSERT = insert reference ();
        STRETCH_INSERT = insert stretch ();

        BASE_PUT = insert base (
            "ON CONFLICT (account) DO UPDATE SET operation = excluded.operation, epoch = excluded.epoch, seq = excluded.seq, \
                as_of = excluded.as_of, last = excluded.last, ack = excluded.ack, used = excluded.used, expired = excluded.expired, \
                revoked = excluded.revoked, moved = excluded.moved, large = excluded.large"
        );
        RECEIVED_INSERT = insert received ();
        FOREIGN_INSERT = insert foreign_id ();
    }
}
