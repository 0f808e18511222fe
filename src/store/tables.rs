//! Every table of the books, described once: its columns in order, how each is read, and where it stands in the row that the
//! engine works on. From the description follow the select list, the reader, the insert, what an update binds, which columns
//! two rows differ in, and their text in a fault.

use std::sync::Arc;

use rusqlite::Row;

use super::columns::{BODY, Cell, Columns, NAME, Parameters, RECEIVED};
use crate::error::{Error, Result};
use crate::model::{
    AccountRow, AccountState, AllocationRow, AllotmentRow, AllotmentState, Balances, BaseRow, BatchRow, ChainRow,
    ClockMark, ClockState, ConsumeRow, DeviceRow, DeviceState, EntryKind, EntryRow, FlagCode, FlagRow, ForeignRow,
    HoldRow, HoldState, LedgerRow, LinkRow, LinkVerdict, MAX_PERIODS, MAX_ROLLS, OpKind, OperationRow, Origin, PlanRow,
    PriceBookRow, ReceivedRow, ReferenceRow, Role, RolloverRow, Settings, StageReason, StageState, StagedRow, Standing,
    StretchRow, Totals, WatchRow, Writer, WriterRow, changes,
};
use crate::pricing::MAX_BOOK_BYTES;

/// The row of a table.
pub(crate) trait Table: Sized {
    const TABLE: &'static str;
    /// How many columns are read.
    const COLUMNS: usize;

    fn from_columns(columns: &mut Columns<'_>) -> Result<Self>;

    /// Binds all columns.
    fn put(&self, to: &mut Parameters<'_, '_>) -> rusqlite::Result<()>;

    /// In which columns it differs from another row: a bit for each.
    fn changed(&self, other: &Self) -> u32;

    /// The columns that are read, as text.
    fn texts(&self) -> Vec<(&'static str, String)>;

    fn read(row: &Row<'_>) -> Result<Self> {
        Self::from_columns(&mut Columns::of(Self::TABLE, Self::COLUMNS, row))
    }
}

/// The row of another table beside this one's columns.
fn joined<R: Table>(columns: &Columns<'_>) -> Result<Option<R>> {
    let Some(mut columns) = columns.joined(R::TABLE)? else { return Ok(None) };
    R::from_columns(&mut columns).map(Some)
}

/// Such a row, as text.
fn shown<R: Table>(row: Option<&R>) -> String {
    let Some(row) = row else { return "none".into() };
    row.texts().into_iter().map(|(name, text)| format!("{name} {text}")).collect::<Vec<_>>().join(", ")
}

/// Names one after the other, as text.
macro_rules! list {
    ($between:literal; $first:ident $($rest:ident)*; $after:literal) => {
        concat!(stringify!($first), $after $(, $between, stringify!($rest), $after)*)
    };
}

/// A parameter for each name. The shorter a statement's text, the sooner it is found among those prepared.
macro_rules! marks {
    (, $name:ident) => { ", ?" };
    ($first:ident $($rest:ident)*) => { concat!("?" $(, marks!(, $rest))*) };
}

/// A select list.
macro_rules! selected {
    ($table:ident $column:ident) => { concat!(stringify!($table), ".", stringify!($column)) };
    ($table:ident $column:ident $select:literal) => { concat!($select, " AS ", stringify!($column)) };
    ($table:ident: ($($first:tt)+) $(($($rest:tt)+))*) => {
        concat!(selected!($table $($first)+) $(, ", ", selected!($table $($rest)+))*)
    };
}

/// A table and its row, column by column.
///
/// The arms that begin with `@` take one item after the other and gather: columns (name, place in the row, shared part, reader,
/// what the reader is given, what is selected), what is only looked up, columns that are only written, what is made of what was
/// read, fields of the row.
macro_rules! table {
    ($table:ident = $row:ident { $($items:tt)+ }) => { table!(@ $table [$row] [] [] [] [] [] $($items)+,); };
    // With a field for the row of another table that has the same key, if there is one; statements join it.
    ($table:ident = $row:ident with $joined:ident: $part:ident { $($items:tt)+ }) => {
        table!(@ $table [$row $joined $part] [] [] [] [] [] $($items)+,);
    };

    // `name: reader`: the column is a field of the row.
    (
        @ $t:ident $r:tt [$($c:tt)*] $x:tt $m:tt $l:tt [$($f:tt)*]
        $name:ident: $read:ident $(($($with:expr),+))? $(as $select:literal)?, $($rest:tt)*
    ) => {
        table!(@ $t $r [$($c)* ($name [$name] [] $read [$($($with),+)?] [$($select)?])] $x $m $l [$($f)* $name,] $($rest)*);
    };
    // `field: Part { name: reader, … }`: the columns are the fields of a part of it.
    (
        @ $t:ident $r:tt [$($c:tt)*] $x:tt $m:tt $l:tt [$($f:tt)*]
        $field:ident: $part:ident { $($name:ident: $read:ident),+ $(, ..$others:expr)? }, $($rest:tt)*
    ) => {
        table!(@ $t $r [$($c)* $(($name [$field.$name] [] $read [] []))+] $x $m $l
            [$($f)* $field: $part { $($name),+ $(, ..$others)? },] $($rest)*);
    };
    // `field: shared Part { name: reader, … }`: likewise, of a part that several rows share.
    (
        @ $t:ident $r:tt [$($c:tt)*] $x:tt $m:tt $l:tt [$($f:tt)*]
        $field:ident: shared $part:ident { $($name:ident: $read:ident $(($with:expr))?),+ }, $($rest:tt)*
    ) => {
        table!(@ $t $r [$($c)* $(($name [$field.$name] [$field] $read [$($with)?] []))+] $x $m $l
            [$($f)* $field: Arc::new($part { $($name),+ }),] $($rest)*);
    };
    // `field: Part { name (of): reader, … }`: likewise, where the column has another name. After `..` what is no
    // column of this table: it is looked up with the row.
    (
        @ $t:ident $r:tt [$($c:tt)*] [$($x:tt)*] $m:tt $l:tt [$($f:tt)*]
        $field:ident: $part:ident {
            $($name:ident ($of:ident): $read:ident),+ $(, ..{ $($looked:ident ($as:ident): $up:ident as $select:literal),+ })?
        }, $($rest:tt)*
    ) => {
        table!(@ $t $r [$($c)* $(($name [$field.$of] [] $read [] []))+] [$($x)* $($(($looked $up $select))+)?] $m $l
            [$($f)* $field: $part { $($of: $name),+ $($(, $as: $looked)+)? },] $($rest)*);
    };
    // `name = method`: the other columns determine it, and it is not read.
    (@ $t:ident $r:tt $c:tt $x:tt [$($m:tt)*] $l:tt $f:tt $name:ident = $method:ident, $($rest:tt)*) => {
        table!(@ $t $r $c $x [$($m)* ($name $method)] $l $f $($rest)*);
    };
    // `let (field, …) = value`: fields made of what was read.
    (@ $t:ident $r:tt $c:tt $x:tt $m:tt [$($l:tt)*] [$($f:tt)*] let ($($name:ident),+) = $value:expr, $($rest:tt)*) => {
        table!(@ $t $r $c $x $m
            [$($l)* #[allow(unused_parens, reason = "there may be one")] let ($($name),+) = $value;]
            [$($f)* $($name,)+] $($rest)*);
    };

    (
        @ $table:ident [$row:ident $($joined:ident $part:ident)?]
        [$(($name:ident [$($field:tt)+] [$($shared:ident)?] $read:ident [$($with:expr),*] [$($select:literal)?]))+]
        [$(($looked:ident $up:ident $other:literal))*]
        [$(($made:ident $method:ident))*] [$($let:tt)*] [$($fields:tt)+] $(,)?
    ) => {
        macro_rules! $table {
            (columns) => { selected!($table: $(($name $($select)?))+ $(($looked $other))*) };
            (names) => { list!(", "; $($name)+ $($made)*; "") };
            (values) => { marks!($($name)+ $($made)*) };
        }

        pub(super) mod $table {
            use super::Cell;

            pub(in crate::store) type Row = super::$row;

            #[derive(Clone, Copy)]
            #[allow(non_camel_case_types, reason = "they are the names of columns")]
            pub(in crate::store) enum Column { $($name,)+ $($made,)* $($joined)? }

            $(#[inline] pub(in crate::store) fn $name(row: &Row) -> &impl Cell { &row.$($field)+ })+
            $(#[inline] pub(in crate::store) fn $made(row: &Row) -> impl Cell { row.$method() })*
        }

        impl Table for $row {
            const TABLE: &'static str = stringify!($table);
            const COLUMNS: usize = [$(stringify!($name),)+ $(stringify!($looked)),*].len();

            fn from_columns(columns: &mut Columns<'_>) -> Result<Self> {
                $(let $name = columns.$read($($with),*)?;)+
                $(let $looked = columns.$up()?;)*
                $($let)*
                $(let $joined = joined::<$part>(columns)?;)?
                Ok($row { $($fields)+ $($joined)? })
            }

            #[inline]
            fn put(&self, to: &mut Parameters<'_, '_>) -> rusqlite::Result<()> {
                $($table::$name(self).put(to)?;)+
                $($table::$made(self).put(to)?;)*
                Ok(())
            }

            fn changed(&self, other: &Self) -> u32 {
                let mut changed = 0;
                // A part that both share is the same.
                $(
                    let differs = $(!Arc::ptr_eq(&self.$shared, &other.$shared) &&)? self.$($field)+ != other.$($field)+;
                    changed |= u32::from(differs) << $table::Column::$name as u32;
                )+
                $(changed |= u32::from(self.$method() != other.$method()) << $table::Column::$made as u32;)*
                $(changed |= u32::from(self.$joined != other.$joined) << $table::Column::$joined as u32;)?
                changed
            }

            fn texts(&self) -> Vec<(&'static str, String)> {
                vec![$((stringify!($name), self.$($field)+.show()),)+ $((stringify!($joined), shown(self.$joined.as_ref())))?]
            }
        }
    };
}

table! { writer = WriterRow {
    no: number,
    writer: Writer { device: uuid, epoch: epoch },
    since: number,
} }

table! { ledger = LedgerRow {
    ledger_id: uuid,
    created_at: instant,
    writer: numbered_writer,
    clock: ClockState { trusted_at: optional_instant, steps_back: count, ..ClockState::new(created_at) },
    settings: Settings {
        explicit_accounts: flag, late_window: count, max_hold: number, max_clock_jump: number, clock_patience: number
    },
    standing: shared Standing {
        role: code(Role::from_code), name: optional_name, public_key: optional_key, hub_ledger: optional_uuid,
        hub_key: optional_key, policy: optional_policy, global_keys: optional_keys, acked_seq: count, acked_hash: optional_hash, heard: optional_heard,
        recharge_day: count, recharged: points
    },
    head: hash,
    length: count,
    id = no,
} }

table! { device = DeviceRow {
    no: number,
    device: uuid,
    tag: within(0, 0xffff_ffff),
    public_key: public_key,
    name: string(NAME),
    policy: policy,
    state: code(DeviceState::from_code),
    scope_since: number,
    recharge_day: count,
    recharged: points,
} }

table! { chain = ChainRow {
    no: number,
    device: number,
    epoch: epoch,
    first: number,
    prev: hash,
} }

table! { link = LinkRow {
    chain: number,
    seq: number,
    hash: hash,
    verdict: code(LinkVerdict::from_code),
    occurred: instant,
    operation: optional_number,
    line: optional_string(BODY),
    price_book: optional_number,
} }

table! { staged = StagedRow {
    operation: number,
    account: count,
    device: number,
    reason: code(StageReason::from_code),
    other: optional_number,
    state: code(StageState::from_code),
    closed_by: optional_number,
} }

table! { flag = FlagRow {
    operation: number,
    code: code(FlagCode::from_code),
    points: points,
    acknowledged_by: optional_number,
} }

table! { watch = WatchRow {
    device: number,
    account: number,
    since: number,
} }

table! { price_book = PriceBookRow {
    no: number,
    hash: hash,
    text: string(MAX_BOOK_BYTES),
} }

table! { account = AccountRow {
    no: number,
    id: account_id,
    state: code(AccountState::from_code),
    credit_limit: points,
    balances: Balances { available: points, held: points, pending: points, debt: points },
    unbacked: count,
    totals: Totals {
        recharged: count, consumed: count, refunded: count, expired: count, reinstated: count, revoked: count,
        clawed_back: count, written_off: count, moved_in: count, moved_out: count, rolled: count
    },
    entries: count,
    last_booked_at: instant,
    steps_back: count,
    next_due_at: optional_instant,
} }

table! { operation = OperationRow {
    seq: number,
    writer: numbered_writer,
    kind: code(OpKind::from_code),
    account: numbered_account,
    key: key,
    recorded_at: instant,
    booked_at: instant,
    clock: code(ClockMark::from_code),
    accepted_at: optional_instant,
    suspect_since: optional_instant,
    points: points,
    price_book: numbered_book,
    rules_version: number,
    body: string(BODY),
    outcome: outcome(points),
    entry: optional_number,
    hash: hash,
    origin: Origin {
        chain (chain): count, chain_seq (seq): count, ..{
            origin_hash (hash): optional_hash as "CASE WHEN operation.chain > 0 THEN \
                (SELECT l.hash FROM link l WHERE l.chain = operation.chain AND l.seq = operation.chain_seq) END",
            occurred (occurred): optional_instant as "CASE WHEN operation.chain > 0 THEN \
                (SELECT l.occurred FROM link l WHERE l.chain = operation.chain AND l.seq = operation.chain_seq) END"
        }
    },
} }

table! { entry = EntryRow {
    account: number,
    n: number,
    kind: code(EntryKind::from_code),
    operation: optional_number,
    booked_at: instant,
    points: points,
    movements: movements as "coalesce(movements, \
        (SELECT movements FROM long_movements l WHERE l.account = entry.account AND l.n = entry.n))",
    after: Balances {
        after_available (available): count, after_held (held): count, after_pending (pending): count, after_debt (debt): points
    },
    batch: optional_number,
    let (change, expired) = changes(&movements).map_err(|_| Error::corrupt("entry.movements come to more than points go"))?,
} }

table! { reference = ReferenceRow {
    operation: integer,
    kind: integer,
    account: integer,
    n: integer,
} }

table! { stretch = StretchRow {
    account: number,
    n: number,
    booked_at: instant,
} }

table! { batch = BatchRow with rollover: RolloverRow {
    no: number,
    account: number,
    source: shared_text(NAME),
    promo: flag,
    priority: within(0, 1000),
    amount: points,
    remaining: points,
    held: points,
    used: points,
    expired: points,
    revoked: points,
    moved: points,
    owed: points,
    effective_at: instant,
    dated: flag,
    expires_at: optional_instant,
    active: flag,
    from_batch: optional_number,
    entry: place,
    live = is_live,
    due_at = due_at,
} }

table! { rollover = RolloverRow {
    batch: number,
    terms: rollover,
    rolls: within(0, MAX_ROLLS),
    rolled: points,
    has_rolled: flag,
} }

table! { plan = PlanRow {
    operation: number,
    account: number,
    entry: place,
    anchor: instant,
    promo: flag,
    expiration_days: optional_number,
    period: within(1, MAX_PERIODS + 1),
    due_at: optional_instant,
    stopped: flag,
    foreign_terms: optional_terms,
    // Else they stand in its operation, from where they are put in (`lists::plan`).
    let (terms) = foreign_terms.clone().unwrap_or_default(),
} }

table! { hold = HoldRow {
    operation: number,
    account: number,
    points: points,
    unbacked: points,
    deadline: instant,
    phase: code(HoldState::from_code),
    service: optional_string(NAME),
    price_book: optional_number,
} }

table! { consume = ConsumeRow {
    operation: number,
    account: number,
    turn: place,
    points: points,
    open: points,
    refunded: points,
    written_off: points,
    clawback_of: optional_number,
} }

table! { allocation = AllocationRow {
    owner: number,
    rank: number,
    batch: number,
    points: points,
    returned: points,
    allotment: optional_number,
} }

table! { allotment = AllotmentRow {
    operation: number,
    account: number,
    device: count,
    epoch: epoch,
    points: points,
    remaining: points,
    spend_until: instant,
    state: code(AllotmentState::from_code),
} }

table! { base = BaseRow {
    account: number,
    operation: number,
    epoch: epoch,
    seq: count,
    as_of: instant,
    last: instant,
    ack: count,
    used: integer,
    expired: integer,
    revoked: integer,
    moved: integer,
    large: flag,
} }

table! { received = ReceivedRow {
    operation: number,
    n: number,
    account: number,
    line: string(RECEIVED),
    totals_change: optional_string(NAME * 4),
} }

table! { foreign_id = ForeignRow {
    no: number,
    id: uuid,
    local: number,
} }
