//! Reconcile: what a device heard of its hub is booked, account by account, as the difference it makes.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Booking;
use super::books::Books;
use super::clock::LedgerTime;
use super::rebase::{Names, Rebased, Rebasing, rebase, wrong};
use super::source::{Changes, HeardChanges};
use crate::error::{Error, Result};
use crate::model::{
    AccountRow, AllocationRow, AllotmentRow, BaseRow, BatchNo, BatchRow, Carried, ClockState, ConsumeRow, EntryKind,
    Heard, HoldRow, HoldState, HubPosition, LedgerRow, MovementRow, OperationId, Place, PlanRow, ReceivedRow,
    Reconcile, Standing, Totals, batch_no, nothing,
};
use crate::units::{Instant, add, sub};

/// So much may accepted time go back, and bases stay as they were caught up.
const JITTER_MILLIS: i64 = 3_600_000;
/// How many bases are read at once.
const PAGE: usize = 256;

/// What an account's totals say of all its batches together: used, expired, revoked, moved (I2, I10).
fn sums(totals: &Totals, debt: i64) -> Result<[i64; 4]> {
    let t = totals;
    let used = sub(sub(sub(add(t.consumed, t.clawed_back)?, t.refunded)?, t.written_off)?, debt)?;
    Ok([used, sub(t.expired, t.reinstated)?, t.revoked, add(t.moved_out, t.rolled)?])
}

/// Whether accepted time goes back so far that bases do not stay as they were caught up.
pub(crate) fn goes_back(before: ClockState, accepted_at: Instant) -> bool {
    before.accepted_at.since(accepted_at) > JITTER_MILLIS
}

/// Accepted time has gone back behind what bases were caught up to: all of them have to come again.
pub(super) fn forget_after(before: ClockState, ledger: &mut LedgerRow, operation: i64) {
    if goes_back(before, ledger.clock.accepted_at)
        && let Some(heard) = &mut Arc::make_mut(&mut ledger.standing).heard
    {
        Arc::make_mut(heard).forget(operation);
    }
}

/// The clock after a reconcile: the hub vouches for its own time, also for one behind what was accepted here.
pub(super) fn reconciled_clock(old: ClockState, time: &LedgerTime, as_of: Instant) -> ClockState {
    let accepted_at = time.at.max(as_of);
    let steps_back = old.steps_back.saturating_add(i64::from(accepted_at < old.accepted_at));
    ClockState { accepted_at, steps_back, ..time.clock }
}

/// What the ledger's row says before anything is taken of what it was told: of the clock, and of which bases are old.
fn hear_of(ledger: &mut LedgerRow, time: &LedgerTime, told: &Reconcile, operation: i64) {
    let mut heard = ledger.standing.heard();
    heard.hear_epoch(told.position.epoch);
    Arc::make_mut(&mut ledger.standing).heard = Some(Arc::new(heard));
    let before = ledger.clock;
    ledger.clock = reconciled_clock(before, time, told.as_of);
    forget_after(before, ledger, operation);
}

/// The operation before which a reconcile takes bases for old.
pub(crate) fn stale_before(ledger: &LedgerRow, time: &LedgerTime, told: &Reconcile, operation: i64) -> i64 {
    let mut ledger = ledger.clone();
    hear_of(&mut ledger, time, told, operation);
    ledger.standing.heard().stale_before
}

impl Standing {
    /// How far it has heard of its hub.
    pub(crate) fn heard(&self) -> Heard {
        self.heard.as_deref().cloned().unwrap_or_default()
    }
}

impl Booking<'_, '_> {
    pub(super) fn reconcile(&mut self, ledger: &mut LedgerRow, told: &Reconcile) -> Result<()> {
        hear_of(ledger, &self.time, told, self.seq);
        if let Some(granted) = &told.granted {
            ledger.settings.go_by(granted);
            Arc::make_mut(&mut ledger.standing).policy = Some(Arc::new(granted.policy.clone()));
        }
        let mut heard = ledger.standing.heard();
        let mut names = Names::new(self.books.source(), heard.foreign);
        let stale_before = heard.stale_before;
        for (n, line) in (1..).zip(&told.lines) {
            let carried = Carried::read(line).map_err(wrong)?;
            let (account, before) = self.hear(ledger, (told, stale_before), &mut names, &carried)?;
            let totals_change = match before {
                Some(before) => Some(change(&self.books.account(account)?.totals, &before)?),
                None => None,
            };
            let row = ReceivedRow { operation: self.seq, n, account, line: line.clone(), totals_change };
            self.heard_changes().received.push(row);
        }
        if told.whole {
            self.forget_lost(ledger, (told, stale_before), &mut names)?;
        }
        heard.took(told.position);
        heard.foreign = names.count();
        self.heard_changes().foreign = names.new;
        Arc::make_mut(&mut ledger.standing).heard = Some(Arc::new(heard));
        Ok(())
    }

    fn heard_changes(&mut self) -> &mut HeardChanges {
        self.heard.get_or_insert_default()
    }

    /// All there is has come: what an old base says, and nobody says any more, is no more.
    fn forget_lost(
        &mut self,
        ledger: &LedgerRow,
        (told, stale_before): (&Reconcile, i64),
        names: &mut Names<'_>,
    ) -> Result<()> {
        let source = self.books.source();
        let said: BTreeSet<i64> = self.heard_changes().bases.iter().map(|row| row.account).collect();
        let mut after = 0;
        loop {
            let page = source.bases(after, PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.account;
            for base in page {
                if base.is_old(told.position.epoch, stale_before) && !said.contains(&base.account) {
                    let lost = || Error::corrupt(format!("base {} has no account", base.account));
                    let account = source.account(base.account)?.ok_or_else(lost)?;
                    self.hear(ledger, (told, stale_before), names, &nothing(&account.id))?;
                }
            }
        }
    }

    /// Hears of one account: its number, and its totals before.
    fn hear(
        &mut self,
        ledger: &LedgerRow,
        (told, stale_before): (&Reconcile, i64),
        names: &mut Names<'_>,
        line: &Carried,
    ) -> Result<(i64, Option<Totals>)> {
        let no = match self.books.source().account_by_id(&line.account)? {
            Some(row) => {
                let no = row.no;
                self.books.enter_account(row);
                no
            }
            // An account of which nobody has heard here.
            None => {
                let no = self.books.next_account_no()?;
                self.books.add_account(AccountRow::new(no, &line.account, ledger.clock.steps_back));
                no
            }
        };
        let source = self.books.source();
        let base = source.base(no)?;
        let of_old = |base: &BaseRow| base.operation >= stale_before;
        let order = |position: &HubPosition| position.order();
        if base.as_ref().is_some_and(|base| of_old(base) && (base.epoch, base.seq) >= order(&told.position)) {
            return Ok((no, None));
        }
        let account = self.books.account(no)?.clone();
        let last = if line.ahead { told.as_of } else { line.booked_last() };
        let at = self.time.at.max(told.as_of).max(last);
        // No operation came before the hub's last line when it was heard of, so no hold ended before that.
        let since = base.as_ref().map_or(Instant::MIN, |base| base.last.min(at));
        let with = Rebasing { source, account: account.clone(), at, since, ack: told.ack.0, ledger };
        let rebased = rebase(&with, names, line)?;
        // What has lapsed here since then, a late charge could draw, or a clock that is mended bring back.
        let window = ledger.settings.late_window.saturating_mul(1000);
        let reach = Instant::clamped(last.millis().saturating_sub(window));
        let rest = self.replace((&account, reach), base.as_ref(), rebased)?;
        let [used, expired, revoked, moved] = rest;
        let row = self.books.account_mut(no)?;
        row.steps_back = ledger.clock.steps_back;
        let change = sub(row.balances.net(), account.balances.net())?;
        let line_of = super::Line {
            kind: EntryKind::Reconcile,
            operation: Some(self.seq),
            booked_at: at,
            points: change.saturating_abs(),
            batch: None,
        };
        self.books.post(no, line_of)?;
        let HubPosition { epoch, seq, .. } = told.position;
        let base = BaseRow {
            account: no,
            operation: self.seq,
            epoch,
            seq,
            as_of: told.as_of,
            last,
            ack: told.ack.0,
            used,
            expired,
            revoked,
            moved,
            large: line.figures.is_some(),
        };
        self.heard_changes().bases.push(base);
        Ok((no, Some(account.totals)))
    }

    /// Puts what came of an account in the place of what there is, and notes the difference; what batches without a row come to.
    fn replace(
        &mut self,
        (before, reach): (&AccountRow, Instant),
        base: Option<&BaseRow>,
        rebased: Rebased,
    ) -> Result<[i64; 4]> {
        let Rebased { account, rows, lapsed, there, .. } = rebased;
        let no = before.no;
        let old_rest = base.map_or([0; 4], |base| [base.used, base.expired, base.revoked, base.moved]);
        let (old, new) = (sums(&before.totals, before.balances.debt)?, sums(&account.totals, account.balances.debt)?);
        let Changes { new_batches, new_plans, new_holds, new_consumes, new_allocations, new_allotments, .. } = rows;
        let moved = self.replace_batches((no, base, reach), new_batches)?;
        let mut rest = [0; 4];
        for (i, rest) in rest.iter_mut().enumerate() {
            let of = |list: &[i64; 4]| list.get(i).copied().unwrap_or(0);
            *rest = sub(add(of(&old_rest), sub(of(&new), of(&old))?)?, of(&moved))?;
        }
        let [_, expired, ..] = rest;
        let [_, old_expired, ..] = old_rest;
        self.books.reconciled(None, Place::Expired, sub(expired, old_expired)?)?;
        // What is owed comes out of debt.
        self.books.reconciled(None, Place::Debt, sub(before.balances.debt, account.balances.debt)?)?;
        replace_plans(&mut self.books, no, new_plans)?;
        let allotments = replace_allotments(&mut self.books, no, new_allotments)?;
        let holds = new_holds.iter().map(|row| row.operation);
        let owners = there.iter().copied().chain(holds).chain(allotments).collect();
        replace_holds(&mut self.books, no, new_holds, &lapsed)?;
        replace_consumes(&mut self.books, no, new_consumes, &there)?;
        replace_allocations(&mut self.books, new_allocations, &owners)?;
        let row = self.books.account_mut(no)?;
        *row = AccountRow { next_due_at: row.next_due_at, ..account };
        Ok(rest)
    }

    /// Batches of which something was set aside at the hub, for whomever, when it was last heard of.
    fn held_before(&self, account: i64, base: Option<&BaseRow>) -> Result<Vec<BatchNo>> {
        let source = self.books.source();
        let Some(base) = base else { return Ok(Vec::new()) };
        let line = source.received(base.operation, account)?;
        let Some(told) = line.and_then(|line| Carried::read(&line).ok()) else { return Ok(Vec::new()) };
        let mut held = Vec::new();
        for batch in told.batches.iter().filter(|batch| batch.held > 0) {
            let own = source.local(&OperationId::of(batch.id.uuid()).uuid())?;
            held.extend(own.map(|operation| batch_no(operation, batch.id.index())));
        }
        Ok(held)
    }

    /// How many points more than before are used, expired, revoked and moved of all batches with a row.
    fn replace_batches(
        &mut self,
        (account, base, reach): (i64, Option<&BaseRow>, Instant),
        rows: Vec<BatchRow>,
    ) -> Result<[i64; 4]> {
        let mut new: BTreeMap<BatchNo, BatchRow> = rows.into_iter().map(|row| (row.no, row)).collect();
        let known = self.books.with_points(account, reach)?;
        for no in known.into_iter().chain(self.held_before(account, base)?) {
            if let Entry::Vacant(place) = new.entry(no) {
                // Somebody has used it: nobody tells of it any more.
                let old = self.books.batch(no)?.clone();
                let used = add(add(old.used, old.expired)?, add(old.remaining, old.held)?)?;
                place.insert(BatchRow { remaining: 0, held: 0, expired: 0, owed: 0, used, ..old });
            }
        }
        let mut moved = [0; 4];
        for (no, row) in new {
            let old = if self.books.has_batch(no)? { Some(self.books.batch(no)?.clone()) } else { None };
            if old.as_ref().is_some_and(|old| old.account != account) {
                return Err(wrong(format!("batch {no} of this file is of another account")));
            }
            let old = old.unwrap_or_else(|| BatchRow { remaining: 0, ..row.clone().untouched() });
            self.books.note_change(&old, &row)?;
            let of = |row: &BatchRow| [row.used, row.expired, row.revoked, row.moved];
            for (sum, (new, old)) in moved.iter_mut().zip(of(&row).into_iter().zip(of(&old))) {
                *sum = add(*sum, sub(new, old)?)?;
            }
            self.books.replace_batch(row)?;
        }
        Ok(moved)
    }
}

/// Plans that the hub no longer tells of give nothing any more.
fn replace_plans(books: &mut Books<'_>, account: i64, rows: Vec<PlanRow>) -> Result<()> {
    let told: BTreeSet<i64> = rows.iter().map(|row| row.operation).collect();
    for row in books.source().due_plans(account, Instant::MAX, usize::MAX)? {
        if !told.contains(&row.operation) {
            books.replace_plan(PlanRow { due_at: None, stopped: true, ..row })?;
        }
    }
    rows.into_iter().try_for_each(|row| books.replace_plan(row))
}

/// Of allotments that are not told of nothing is left. All of them.
fn replace_allotments(books: &mut Books<'_>, account: i64, rows: Vec<AllotmentRow>) -> Result<Vec<i64>> {
    let told: BTreeSet<i64> = rows.iter().map(|row| row.operation).collect();
    let mut all: Vec<i64> = told.iter().copied().collect();
    for row in books.source().allotments(account)?.into_iter().filter(|row| !told.contains(&row.operation)) {
        all.push(row.operation);
        books.replace_allotment(AllotmentRow { remaining: 0, ..row })?;
    }
    rows.into_iter().try_for_each(|row| books.replace_allotment(row))?;
    Ok(all)
}

/// Holds that are neither placed again nor told of are over.
fn replace_holds(books: &mut Books<'_>, account: i64, rows: Vec<HoldRow>, lapsed: &BTreeSet<i64>) -> Result<()> {
    let told: BTreeSet<i64> = rows.iter().map(|row| row.operation).collect();
    let open = books.source().long_holds(account, Instant::MIN)?;
    let gone = open.into_iter().map(|row| row.operation).filter(|no| !told.contains(no));
    for operation in gone.chain(lapsed.iter().copied()).collect::<BTreeSet<i64>>() {
        let phase = if lapsed.contains(&operation) { HoldState::Expired } else { HoldState::Released };
        let row = books.hold(operation)?.clone();
        books.replace_hold(HoldRow { phase, ..row })?;
        let kept = books.allocations(operation)?;
        let kept = kept.into_iter().map(|row| AllocationRow { returned: 0, ..row }).collect();
        books.replace_allocations(operation, kept)?;
    }
    rows.into_iter().try_for_each(|row| books.replace_hold(row))
}

/// Of consumes that are not told of nothing is open.
fn replace_consumes(books: &mut Books<'_>, account: i64, rows: Vec<ConsumeRow>, there: &BTreeSet<i64>) -> Result<()> {
    let told: BTreeSet<i64> = rows.iter().map(|row| row.operation).collect();
    let mut after = (i64::MIN, 0);
    loop {
        let page = books.source().open_consumes(account, after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = (last.turn, last.operation);
        for row in page.into_iter().filter(|row| !told.contains(&row.operation)) {
            books.replace_consume(ConsumeRow { open: 0, ..row })?;
        }
    }
    // Simply paid now: it may have been more than that.
    for operation in there.iter().filter(|operation| !told.contains(operation)) {
        if let Some(row) = books.source().consume(*operation)? {
            books.replace_consume(ConsumeRow { open: 0, refunded: 0, written_off: 0, ..row })?;
        }
    }
    rows.into_iter().try_for_each(|row| books.replace_consume(row))
}

/// Those that have none any more are among the owners as well.
fn replace_allocations(books: &mut Books<'_>, rows: Vec<AllocationRow>, owners: &BTreeSet<i64>) -> Result<()> {
    let mut owners: BTreeMap<i64, Vec<AllocationRow>> = owners.iter().map(|owner| (*owner, Vec::new())).collect();
    for row in rows {
        owners.entry(row.owner).or_default().push(row);
    }
    owners.into_iter().try_for_each(|(owner, rows)| books.replace_allocations(owner, rows))
}

impl Books<'_> {
    /// A change that the line posted next tells of: so many points more, or less, in a place.
    fn reconciled(&mut self, batch: Option<BatchNo>, place: Place, points: i64) -> Result<()> {
        let (from, to) = match points {
            0 => return Ok(()),
            1.. => (Place::Reconciled, place),
            _ => (place, Place::Reconciled),
        };
        // More than a movement may hold is told in several.
        let mut left = points.checked_abs().ok_or_else(|| Error::corrupt("a difference is too great"))?;
        while left > 0 {
            let part = left.min(crate::units::MAX_POINTS);
            self.movements.push(MovementRow { operation: None, batch, from, to, points: part });
            left = sub(left, part)?;
        }
        Ok(())
    }

    /// What has changed of a batch, place by place.
    fn note_change(&mut self, old: &BatchRow, new: &BatchRow) -> Result<()> {
        let no = Some(new.no);
        let remaining = |row: &BatchRow, active: bool| if row.active == active { row.remaining } else { 0 };
        let elsewhere = |row: &BatchRow| sub(row.moved, row.rolled());
        for (place, old, new) in [
            (Place::Available, remaining(old, true), remaining(new, true)),
            (Place::Pending, remaining(old, false), remaining(new, false)),
            (Place::Held, old.held, new.held),
            (Place::Used, old.used, new.used),
            (Place::Expired, old.expired, new.expired),
            (Place::Revoked, old.revoked, new.revoked),
            (Place::Moved, elsewhere(old)?, elsewhere(new)?),
            (Place::RolledOut, old.rolled(), new.rolled()),
        ] {
            self.reconciled(no, place, sub(new, old)?)?;
        }
        Ok(())
    }

    /// Batches of an account of which points are left, in the file: to spend, to come, held, or lapsed after an instant.
    fn with_points(&mut self, account: i64, lapsed_after: Instant) -> Result<BTreeSet<BatchNo>> {
        let source = self.source();
        let mut found = BTreeSet::new();
        let mut after = None;
        loop {
            let page = source.live_batches(account, after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = Some(last.draw_key());
            found.extend(page.iter().map(|row| row.no));
        }
        found.extend(source.due_batches(account, Instant::MAX, usize::MAX)?.iter().map(|row| row.no));
        found.extend(source.lapsed_batches(account, lapsed_after, Instant::MAX)?.iter().map(|row| row.no));
        for hold in source.long_holds(account, Instant::MIN)? {
            found.extend(source.allocations(hold.operation)?.rows.iter().map(|slice| slice.batch));
        }
        Ok(found)
    }
}

/// By how much each total changed, as a list.
fn change(after: &Totals, before: &Totals) -> Result<String> {
    let change = after.as_list().into_iter().zip(before.as_list());
    let change = change.map(|(after, before)| sub(after, before)).collect::<Result<Vec<_>>>()?;
    serde_json::to_string(&change).map_err(|error| Error::corrupt(error.to_string()))
}
