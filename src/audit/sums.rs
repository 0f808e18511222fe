//! The stored rows held against one another: the invariants, whatever the replay says.
#![allow(clippy::arithmetic_side_effects, reason = "64-bit numbers are added in 128 bits: no file has rows enough")]

use std::collections::{BTreeMap, BTreeSet};

use super::movements::Moved;
use super::{Audit, Faults, PAGE, each_row, show};
use crate::error::Result;
use crate::model::{
    AccountRow, AccountState, AllocationRow, AllotmentRow, Balances, BaseRow, BatchNo, BatchRow, ConsumeRow, EntryRow,
    HoldRow, HoldState, PlanRow, ReferenceRow, StretchRow,
};
use crate::store::audit::{self as stored, Paged, RowKey};
use crate::store::{self, Session};
use crate::units::Instant;

/// What an account's batches, consumes and holds come to. Wide, so that no damage overflows them.
#[derive(Debug, Default)]
pub(super) struct Sums {
    pub(super) available: i128,
    pub(super) pending: i128,
    pub(super) held: i128,
    pub(super) debt: i128,
    unbacked: i128,
    amount: i128,
    /// Of a device whose hub was heard of: what batches without a row come to is in the sums, and who paid is not known of all.
    based: bool,
    used: i128,
    expired: i128,
    revoked: i128,
    moved: i128,
    open_holds: u64,
    /// When time next does something.
    due: Option<Instant>,
}

impl Sums {
    pub(super) fn batch(&mut self, row: &BatchRow) {
        let spendable = if row.active { &mut self.available } else { &mut self.pending };
        *spendable += i128::from(row.remaining);
        self.held += i128::from(row.held);
        self.amount += i128::from(row.amount);
        self.used += i128::from(row.used);
        self.expired += i128::from(row.expired);
        self.revoked += i128::from(row.revoked);
        self.moved += i128::from(row.moved);
        self.falls_due(row.due_at());
    }

    fn base(&mut self, row: &BaseRow) {
        let BaseRow { used, expired, revoked, moved, .. } = row;
        let [used, expired, revoked, moved] = [used, expired, revoked, moved].map(|points| i128::from(*points));
        self.based = true;
        self.amount += used + expired + revoked + moved;
        self.used += used;
        self.expired += expired;
        self.revoked += revoked;
        self.moved += moved;
    }

    fn hold(&mut self, row: &HoldRow) {
        if row.phase == HoldState::Open {
            self.open_holds = self.open_holds.saturating_add(1);
            self.unbacked += i128::from(row.unbacked);
            self.falls_due(Some(row.deadline));
        }
    }

    pub(super) fn consume(&mut self, row: &ConsumeRow) {
        self.debt += i128::from(row.open);
    }

    fn falls_due(&mut self, at: Option<Instant>) {
        self.due = [self.due, at].into_iter().flatten().min();
    }
}

/// What allocations must add up to.
#[derive(Debug, Default)]
struct Paid {
    held: i128,
    used: i128,
}

/// The newest entry of an account seen so far.
#[derive(Debug, Clone, Copy)]
struct Newest {
    n: i64,
    booked_at: Instant,
    operation: Option<i64>,
    after: Balances,
    /// Of all entries up to here.
    expired: i128,
}

#[derive(Debug, Default)]
struct Books {
    accounts: BTreeMap<i64, Sums>,
    /// By batch: what the allocations say of it.
    paid: BTreeMap<BatchNo, Paid>,
    /// By hold: whether it is open, and the points batches hold for it.
    holds: BTreeMap<i64, (bool, i64)>,
    /// By allotment: the points it still has.
    allotments: BTreeMap<i64, i64>,
    newest: BTreeMap<i64, Newest>,
    /// Where booked time may go back: account and number of the entry.
    stretches: BTreeSet<(i64, i64)>,
}

pub(super) fn run(audit: &mut Audit<'_, '_>) -> Result<()> {
    let mut books = Books::default();
    let outcome = plans(audit, &mut books);
    audit.faults.part("plan", outcome)?;
    let outcome = bases(audit, &mut books);
    audit.faults.part("base", outcome)?;
    let outcome = holds(audit, &mut books).and_then(|()| consumes(audit, &mut books));
    let whole = outcome.is_ok();
    audit.faults.part("hold, consume", outcome)?;
    let outcome = allotments(audit, &mut books);
    let whole = whole && outcome.is_ok();
    audit.faults.part("allotment", outcome)?;
    let outcome = allocations(audit, &mut books);
    let whole = whole && outcome.is_ok();
    audit.faults.part("allocation", outcome)?;
    let outcome = batches(audit, &mut books, whole);
    audit.faults.part("batch", outcome)?;
    let outcome = stretches(audit, &mut books);
    audit.faults.part("stretch", outcome)?;
    let outcome = entries(audit, &mut books);
    audit.faults.part("entry", outcome)?;
    let outcome = accounts(audit, &books);
    audit.faults.part("account", outcome)
}

/// Hands every readable row of a table to `each`.
fn walk<R: Paged>(audit: &mut Audit<'_, '_>, mut each: impl FnMut(&mut Faults, R::Key, R)) -> Result<u64> {
    each_row(audit, "sums", |faults, key, row| match row {
        Ok(row) => each(faults, key, row),
        Err(error) => faults.unreadable::<R>(key.text(), &error),
    })
}

fn holds(audit: &mut Audit<'_, '_>, books: &mut Books) -> Result<()> {
    audit.checked.holds = walk::<HoldRow>(audit, |_, _, row| {
        let open = row.phase == HoldState::Open;
        books.accounts.entry(row.account).or_default().hold(&row);
        books.holds.insert(row.operation, (open, row.points.saturating_sub(row.unbacked)));
    })?;
    Ok(())
}

fn plans(audit: &mut Audit<'_, '_>, books: &mut Books) -> Result<()> {
    audit.checked.plans = walk::<PlanRow>(audit, |_, _, row| {
        books.accounts.entry(row.account).or_default().falls_due(row.due_at);
    })?;
    Ok(())
}

fn bases(audit: &mut Audit<'_, '_>, books: &mut Books) -> Result<()> {
    walk::<BaseRow>(audit, |_, _, row| books.accounts.entry(row.account).or_default().base(&row)).map(drop)
}

fn consumes(audit: &mut Audit<'_, '_>, books: &mut Books) -> Result<()> {
    audit.checked.consumes = walk::<ConsumeRow>(audit, |faults, no, row| {
        books.accounts.entry(row.account).or_default().consume(&row);
        let gone = i128::from(row.open) + i128::from(row.refunded) + i128::from(row.written_off);
        if gone > i128::from(row.points) {
            faults.add("i9_consume", format_args!("consume {no} points"), format_args!("{gone} or more"), row.points);
        }
    })?;
    Ok(())
}

fn allotments(audit: &mut Audit<'_, '_>, books: &mut Books) -> Result<()> {
    let mut note = |row: AllotmentRow| books.allotments.insert(row.operation, row.remaining);
    walk(audit, |_, _, row| _ = note(row)).map(drop)
}

fn allocations(audit: &mut Audit<'_, '_>, books: &mut Books) -> Result<()> {
    let (mut of_holds, mut of_allotments) = (BTreeMap::<i64, i128>::new(), BTreeMap::<i64, i128>::new());
    audit.checked.allocations = walk(audit, |_, _, row: AllocationRow| {
        let paid = books.paid.entry(row.batch).or_default();
        match books.holds.get(&row.owner) {
            Some((open, _)) => {
                *of_holds.entry(row.owner).or_default() += i128::from(row.points);
                if *open {
                    paid.held += i128::from(row.points);
                }
            }
            None if books.allotments.contains_key(&row.owner) => {
                let left = i128::from(row.points) - i128::from(row.returned);
                *of_allotments.entry(row.owner).or_default() += left;
                paid.held += left;
            }
            None => paid.used += i128::from(row.points) - i128::from(row.returned),
        }
    })?;
    draws(audit, books)?;
    for (no, (_, backed)) in &books.holds {
        let found = of_holds.get(no).copied().unwrap_or_default();
        audit.faults.same("i1_slices", format_args!("hold {no} slices"), i128::from(*backed), found);
    }
    for (no, remaining) in &books.allotments {
        let found = of_allotments.get(no).copied().unwrap_or_default();
        audit.faults.same("i1_slices", format_args!("allotment {no} slices"), i128::from(*remaining), found);
    }
    Ok(())
}

/// Consumes simply paid say in their outcome which batches paid.
fn draws(audit: &Audit<'_, '_>, books: &mut Books) -> Result<()> {
    for row in store::pages(i64::MIN, PAGE, |after, page| stored::draws(audit.session, after, page), |row| row.0) {
        // An outcome that cannot be read was reported with its operation.
        for (batch, points) in row?.1.into_iter().flatten() {
            books.paid.entry(batch).or_default().used += i128::from(points);
        }
    }
    Ok(())
}

fn batches(audit: &mut Audit<'_, '_>, books: &mut Books, allocations: bool) -> Result<()> {
    audit.checked.batches = walk::<BatchRow>(audit, |faults, no, row| {
        let sums = books.accounts.entry(row.account).or_default();
        sums.batch(&row);
        check_batch(faults, &row);
        if allocations {
            let paid = books.paid.remove(&no).unwrap_or_default();
            if !sums.based {
                faults.same("i1_used", format_args!("batch {no} used"), paid.used, i128::from(row.used));
            }
            // What is set aside for other devices is held as well.
            let others = sums.based && paid.held < i128::from(row.held);
            if !others {
                faults.same("i1_held", format_args!("batch {no} held"), paid.held, i128::from(row.held));
            }
        }
    })?;
    marks(audit)
}

fn check_batch(faults: &mut Faults, row: &BatchRow) {
    let counters = [row.remaining, row.held, row.used, row.expired, row.revoked, row.moved];
    let sum: i128 = counters.into_iter().map(i128::from).sum();
    faults.same("i1_batch", format_args!("batch {} amount", row.no), sum, i128::from(row.amount));
    let taken = i128::from(row.revoked) + i128::from(row.owed);
    if taken > i128::from(row.amount) {
        faults.add(
            "i1_batch",
            format_args!("batch {} owed", row.no),
            format_args!("revoked + owed <= {}", row.amount),
            taken,
        );
    }
}

/// `live` and `due_at` follow from the batch's other columns.
fn marks(audit: &mut Audit<'_, '_>) -> Result<()> {
    let session = audit.session;
    let mut rows = store::pages(i64::MIN, PAGE, |after, page| stored::page(session, after, page), |row| row.0);
    for mark in store::pages(i64::MIN, PAGE, |after, page| stored::batch_marks(session, after, page), |mark| mark.0) {
        let (no, live, due_at) = mark?;
        let row: Option<(BatchNo, Result<BatchRow>)> = rows.next().transpose()?;
        let Some((_, Ok(row))) = row.filter(|(of, _)| *of == no) else { continue };
        audit.faults.same("batch_mismatch", format_args!("batch {no} live"), i64::from(row.is_live()), live);
        let due = row.due_at().map(Instant::millis);
        audit.faults.same("batch_mismatch", format_args!("batch {no} due_at"), show(due), show(due_at));
    }
    Ok(())
}

fn stretches(audit: &mut Audit<'_, '_>, books: &mut Books) -> Result<()> {
    walk::<StretchRow>(audit, |_, key, _| books.stretches.extend([key])).map(drop)
}

fn entries(audit: &mut Audit<'_, '_>, books: &mut Books) -> Result<()> {
    let session = audit.session;
    let (mut moved, mut references) = (Moved::default(), 0);
    audit.checked.entries = walk(audit, |faults, _, row: EntryRow| {
        moved.entry(session, faults, &row);
        references += check_references(session, faults, &row);
        let before = books.newest.get(&row.account).copied();
        check_entry(faults, before, &row, books.stretches.remove(&(row.account, row.n)));
        let (n, booked_at, operation, after) = (row.n, row.booked_at, row.operation, row.after);
        let expired = before.map_or(0, |before| before.expired) + i128::from(row.expired);
        let newest = Newest { n, booked_at, operation, after, expired };
        books.newest.insert(row.account, newest);
    })?;
    moved.finish(session, &mut audit.faults);
    audit.faults.failed()?;
    if let Some((account, n)) = stored::doubled_movements(session)? {
        audit.faults.add("entry_extra", format_args!("long_movements {account}/{n}"), "none", "a row");
    }
    surplus_references(audit, references)?;
    for (account, newest) in &books.newest {
        check_debt(&mut audit.faults, *account, newest);
    }
    books.stretches.iter().for_each(|key| audit.faults.extra::<StretchRow>(key.text()));
    Ok(())
}

/// How many operations an entry touches; of each there is a reference.
fn check_references(session: &Session<'_>, faults: &mut Faults, row: &EntryRow) -> usize {
    let touched = row.touches();
    for operation in &touched {
        let reference = ReferenceRow { operation: *operation, kind: row.kind.code(), account: row.account, n: row.n };
        if faults.read(stored::refers(session, &reference)) == Some(false) {
            faults.add("reference_missing", reference.place(), "a row", "none");
        }
    }
    touched.len()
}

/// The references that no entry bears out: there are some when there are more than the entries say.
fn surplus_references(audit: &mut Audit<'_, '_>, expected: usize) -> Result<()> {
    let session = audit.session;
    let mut all = 0;
    each_reference(session, |_| all += 1)?;
    if all == expected {
        return Ok(());
    }
    each_reference(session, |row| {
        let touches = |entry: EntryRow| entry.kind.code() == row.kind && entry.touches().contains(&row.operation);
        // An entry that cannot be read is told by itself.
        let borne_out = store::entry(session, row.account, row.n).map_or(true, |entry| entry.is_some_and(touches));
        if !borne_out {
            audit.faults.add("reference_extra", row.place(), "none", "a row");
        }
    })
}

fn each_reference(session: &Session<'_>, mut each: impl FnMut(&ReferenceRow)) -> Result<()> {
    let least = i64::MIN;
    let from = ReferenceRow { operation: least, kind: least, account: least, n: least };
    let mut rows = store::pages(from, PAGE, |after, page| stored::references(session, after, page), |row| *row);
    rows.try_for_each(|row| row.map(|row| each(&row)))
}

fn check_entry(faults: &mut Faults, before: Option<Newest>, row: &EntryRow, turns: bool) {
    let place = format_args!("entry {}/{}", row.account, row.n);
    let (last, start) = before.map_or((0, Balances::default()), |before| (before.n, before.after));
    faults.same("entry_gap", format_args!("{place} n"), last.saturating_add(1), row.n);
    if turns && before.is_none_or(|before| row.booked_at >= before.booked_at) {
        faults.extra::<StretchRow>((row.account, row.n).text());
    }
    if let Some(before) = before {
        if row.booked_at < before.booked_at && !turns {
            let expected = format!("{} or later", before.booked_at);
            faults.add("i5_time_backwards", format_args!("{place} booked_at"), expected, row.booked_at);
        }
        // Between the entries of one operation debt may stand beside points.
        if row.kind != crate::model::EntryKind::Settle && (row.operation.is_none() || row.operation != before.operation)
        {
            check_debt(faults, row.account, &before);
        }
    }
    let columns = [
        ("available", start.available, row.change.available, row.after.available),
        ("held", start.held, row.change.held, row.after.held),
        ("pending", start.pending, row.change.pending, row.after.pending),
        ("debt", start.debt, row.change.debt, row.after.debt),
    ];
    for (name, start, change, after) in columns {
        let sum = i128::from(start) + i128::from(change);
        faults.same("i10_entry", format_args!("{place} after_{name}"), sum, i128::from(after));
    }
}

fn check_debt(faults: &mut Faults, account: i64, entry: &Newest) {
    if entry.after.debt > 0 && entry.after.available > 0 {
        let place = format!("entry {account}/{} after_available", entry.n);
        faults.add("i3_debt_with_available", place, "0 while there is debt", entry.after.available);
    }
}

fn accounts(audit: &mut Audit<'_, '_>, books: &Books) -> Result<()> {
    let none = Sums::default();
    let mut named: BTreeSet<i64> = books.accounts.keys().chain(books.newest.keys()).copied().collect();
    audit.checked.accounts = walk::<AccountRow>(audit, |faults, no, row| {
        named.remove(&no);
        let sums = books.accounts.get(&no).unwrap_or(&none);
        check_balances(faults, &row, sums);
        check_totals(faults, &row, sums);
        check_newest(faults, &row, books.newest.get(&no));
        check_due(faults, &row, sums);
    })?;
    named.into_iter().for_each(|no| audit.faults.missing::<AccountRow>(no));
    Ok(())
}

/// I3, and I10: balances are the sums over batches, consumes and holds.
pub(super) fn check_balances(faults: &mut Faults, row: &AccountRow, sums: &Sums) {
    let b = &row.balances;
    for (name, sum, stored) in [
        ("available", sums.available, b.available),
        ("held", sums.held, b.held),
        ("pending", sums.pending, b.pending),
        ("debt", sums.debt, b.debt),
    ] {
        faults.same("i10_balances", format_args!("account {} {name}", row.no), sum, i128::from(stored));
    }
    check_state(faults, row);
}

pub(super) fn check_state(faults: &mut Faults, row: &AccountRow) {
    let b = &row.balances;
    if b.debt > 0 && b.available > 0 {
        faults.add(
            "i3_debt_with_available",
            format_args!("account {} available", row.no),
            "0 while there is debt",
            b.available,
        );
    }
    if row.state == AccountState::Closed && (*b != Balances::default() || row.unbacked != 0) {
        faults.add("closed_not_empty", format_args!("account {} state", row.no), "every balance 0", "balances left");
    }
}

fn check_totals(faults: &mut Faults, row: &AccountRow, sums: &Sums) {
    let wide = i128::from;
    let t = &row.totals;
    let place = |name: &str| format!("account {} {name}", row.no);
    // I2 and the last equation of I10 are one.
    let consumed = wide(t.consumed) + wide(t.clawed_back) - wide(t.refunded) - wide(t.written_off);
    faults.same("i2_consumption", place("consumed"), sums.used + wide(row.balances.debt), consumed);
    faults.same("i10_totals", place("expired"), sums.expired, wide(t.expired) - wide(t.reinstated));
    faults.same("i10_totals", place("revoked"), sums.revoked, wide(t.revoked));
    let rolled = wide(t.rolled);
    faults.same("i10_totals", place("moved_out"), sums.moved, wide(t.moved_out) + rolled);
    faults.same("i10_totals", place("recharged"), sums.amount, wide(t.recharged) + wide(t.moved_in) + rolled);
    faults.same("i10_unbacked", place("unbacked"), sums.unbacked, wide(row.unbacked));
}

/// I10: the balances are those after the newest entry.
fn check_newest(faults: &mut Faults, row: &AccountRow, newest: Option<&Newest>) {
    let place = |name: &str| format!("account {} {name}", row.no);
    let Some(newest) = newest else {
        faults.same("i10_last_entry", place("entries"), 0, row.entries);
        return;
    };
    faults.same("i10_last_entry", place("entries"), newest.n, row.entries);
    let next = (row.no, newest.n.saturating_add(1));
    if newest.n < row.entries {
        faults.missing::<EntryRow>(next.text());
    }
    faults.same("i10_last_entry", place("last_booked_at"), newest.booked_at, row.last_booked_at);
    let expired = i128::from(row.totals.expired) - i128::from(row.totals.reinstated);
    faults.same("i10_totals", place("expired"), newest.expired, expired);
    let (e, b) = (&newest.after, &row.balances);
    for (name, entry, account) in [
        ("available", e.available, b.available),
        ("held", e.held, b.held),
        ("pending", e.pending, b.pending),
        ("debt", e.debt, b.debt),
    ] {
        faults.same("i10_last_entry", place(name), entry, account);
    }
}

/// I4: nothing is left that was due before the newest entry. At its very instant there may be, when a long catch-up
/// stopped between two.
fn check_due(faults: &mut Faults, row: &AccountRow, sums: &Sums) {
    faults.same("i4_next_due", format_args!("account {} next_due_at", row.no), show(sums.due), show(row.next_due_at));
    if let Some(due) = sums.due.filter(|due| *due < row.last_booked_at) {
        let expected = format!("{} or later", row.last_booked_at);
        faults.add("i4_overdue", format_args!("account {} next_due_at", row.no), expected, due);
    }
}
