//! What of an account goes down to a device: every row that may still matter, whole, and the sums of the others.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::books::Books;
use super::source::Source;
use crate::error::Result;
use crate::model::{
    AccountRow, AllocationRow, AllotmentRow, AllotmentState, BatchNo, BatchRow, Carried, CarriedAllotment,
    CarriedBatch, CarriedConsume, CarriedHold, CarriedPart, CarriedPlan, CarriedRest, CarriedSlice, ConsumeRow,
    HoldRow, PlanRow, Writers, nothing, rolled_batch,
};
use crate::units::{Instant, add, sub};

/// More rows than a line holds.
const MOST_ROWS: usize = 10_000;
/// How many consumes of the device go along at least, that it can still refund.
pub(crate) const REFUNDABLE: usize = 64;
/// How much is read at once.
const PAGE: usize = 512;

/// What of the books the device has booked first itself, as far as its hub holds its log without a gap.
pub(crate) trait Own {
    /// The number in its log of what is this operation at the hub.
    fn link(&self, operation: i64) -> Result<Option<i64>>;
    /// Its consumes and captures of an account, the newest first, until enough were seen.
    fn consumes(&self, account: i64, visit: &mut dyn FnMut(i64) -> Result<bool>) -> Result<()>;
}

/// From whom to whom, and when.
pub(crate) struct Carrying<'a> {
    pub(crate) source: &'a dyn Source,
    pub(crate) writers: &'a Writers,
    pub(crate) own: &'a dyn Own,
    /// Number of the device it goes to.
    pub(crate) device: i64,
    /// The hub's time; an account may be ahead of it.
    pub(crate) now: Instant,
    pub(crate) ahead: bool,
    /// How long after it expired a batch may still be drawn from, in seconds.
    pub(crate) late_window: i64,
}

/// An account as it goes down.
pub(crate) fn carry(with: &Carrying<'_>, account: &AccountRow) -> Result<Carried> {
    let mut rows = Rows { books: Books::new(with.source), batches: BTreeMap::new(), consumes: BTreeMap::new() };
    let Some(Gathered { holds, allotments, plans }) = rows.gather(with, account)? else {
        return carry_figures(account);
    };
    let carried = Carried {
        batches: rows.batches.values().map(|row| batch(with, row)).collect::<Result<_>>()?,
        consumes: rows.consumes.values().map(|(row, parts)| consume(with, row, parts)).collect::<Result<_>>()?,
        holds: holds.iter().map(|(row, slices)| hold(with, row, slices)).collect(),
        allotments: allotments.iter().map(|(row, slices)| allotment(with, row, slices)).collect(),
        plans: plans.iter().map(|row| plan(with, row)).collect(),
        ahead: with.ahead,
        ..bare(account)
    };
    let rest = rest(account, account.balances.debt, rows.batches.values())?;
    Ok(Carried { rest, ..carried })
}

/// An account with more rows than a line can hold: what they come to.
pub(crate) fn carry_figures(account: &AccountRow) -> Result<Carried> {
    let rest = rest(account, account.balances.debt, [].into_iter())?;
    Ok(Carried { figures: Some(account.balances), rest, ..bare(account) })
}

fn bare(account: &AccountRow) -> Carried {
    Carried {
        state: account.state,
        limit: account.credit_limit,
        last: account.last_booked_at.millis(),
        totals: account.totals,
        ..nothing(&account.id)
    }
}

/// What the totals say of all batches, less what these say (I2, I10).
fn rest<'r>(account: &AccountRow, debt: i64, batches: impl Iterator<Item = &'r BatchRow>) -> Result<CarriedRest> {
    let t = &account.totals;
    let used = sub(sub(sub(add(t.consumed, t.clawed_back)?, t.refunded)?, t.written_off)?, debt)?;
    let (expired, moved) = (sub(t.expired, t.reinstated)?, add(t.moved_out, t.rolled)?);
    let mut rest = CarriedRest { used, expired, revoked: t.revoked, moved };
    for batch in batches {
        rest.used = sub(rest.used, batch.used)?;
        rest.expired = sub(rest.expired, batch.expired)?;
        rest.revoked = sub(rest.revoked, batch.revoked)?;
        rest.moved = sub(rest.moved, batch.moved)?;
    }
    Ok(rest)
}

/// What goes along besides batches and consumes.
struct Gathered {
    holds: Vec<(HoldRow, Vec<AllocationRow>)>,
    allotments: Vec<(AllotmentRow, Vec<AllocationRow>)>,
    plans: Vec<PlanRow>,
}

struct Rows<'s> {
    books: Books<'s>,
    batches: BTreeMap<BatchNo, BatchRow>,
    consumes: BTreeMap<i64, (ConsumeRow, Vec<AllocationRow>)>,
}

impl Rows<'_> {
    /// Everything that goes along; nothing when it is too much. Points come back only to batches that something here names:
    /// others that are owed to matter to nobody.
    fn gather(&mut self, with: &Carrying<'_>, account: &AccountRow) -> Result<Option<Gathered>> {
        let (source, no) = (with.source, account.no);
        let mut after = None;
        loop {
            let page = source.live_batches(no, after, PAGE)?;
            after = page.last().map(BatchRow::draw_key);
            page.into_iter().for_each(|row| self.put(row));
            if after.is_none() || self.is_too_much() {
                break;
            }
        }
        let most = MOST_ROWS.saturating_add(1);
        source.due_batches(no, Instant::MAX, most)?.into_iter().for_each(|row| self.put(row));
        let window = with.late_window.saturating_mul(1000);
        let since = Instant::clamped(with.now.millis().saturating_sub(window).saturating_sub(1));
        source
            .lapsed_batches(no, since, with.now.max(account.last_booked_at))?
            .into_iter()
            .for_each(|row| self.put(row));
        let holds = source.long_holds(no, Instant::MIN)?;
        let plans = source.due_plans(no, Instant::MAX, most)?;
        self.gather_consumes(with, no)?;
        if self.is_too_much() || holds.len() > MOST_ROWS || plans.len() > MOST_ROWS {
            return Ok(None);
        }
        let slices = |row: HoldRow| source.allocations(row.operation).map(|slices| (row, slices.rows));
        let mut holds = holds.into_iter().map(slices).collect::<Result<Vec<_>>>()?;
        holds.sort_by_key(|(row, _)| row.operation);
        for slice in holds.iter().flat_map(|(_, slices)| slices) {
            self.need(slice.batch)?;
        }
        let mut allotments = Vec::new();
        for row in source.allotments(no)? {
            let slices = source.allocations(row.operation)?.rows;
            // What is set aside for others is held in its batches.
            slices.iter().filter(|slice| slice.points > slice.returned).try_for_each(|slice| self.need(slice.batch))?;
            if row.device == with.device {
                allotments.push((row, slices));
            }
        }
        self.close_over(source)?;
        Ok(Some(Gathered { holds, allotments, plans }).filter(|_| !self.is_too_much()))
    }

    fn is_too_much(&self) -> bool {
        self.batches.len().saturating_add(self.consumes.len()) > MOST_ROWS
    }

    fn put(&mut self, row: BatchRow) {
        self.batches.insert(row.no, row);
    }

    fn need(&mut self, no: BatchNo) -> Result<()> {
        if !self.batches.contains_key(&no) {
            let row = self.books.batch(no)?.clone();
            self.put(row);
        }
        Ok(())
    }

    /// Those that are open, and the device's newest that it can refund.
    fn gather_consumes(&mut self, with: &Carrying<'_>, account: i64) -> Result<()> {
        let mut after = (i64::MIN, 0);
        loop {
            let page = with.source.open_consumes(account, after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = (last.turn, last.operation);
            for row in page {
                self.put_consume(with.source, row)?;
            }
            if self.is_too_much() {
                return Ok(());
            }
        }
        let mut left = REFUNDABLE;
        with.own.consumes(account, &mut |operation| {
            let row = self.books.consume(operation)?.clone();
            if row.refundable() > 0 {
                left = left.saturating_sub(1);
                self.put_consume(with.source, row)?;
            }
            Ok(left > 0)
        })
    }

    fn put_consume(&mut self, source: &dyn Source, row: ConsumeRow) -> Result<()> {
        let parts = source.allocations(row.operation)?.rows;
        self.consumes.insert(row.operation, (row, parts));
        Ok(())
    }

    /// What the rows that go along name goes along: the batches that paid, those that one rolled out of or that rolled out of
    /// it, and what is owed after a revoke of one.
    fn close_over(&mut self, source: &dyn Source) -> Result<()> {
        let named = |(row, parts): &(ConsumeRow, Vec<AllocationRow>)| {
            parts.iter().map(|part| part.batch).chain(row.clawback_of).collect::<Vec<_>>()
        };
        let parts: Vec<BatchNo> = self.consumes.values().flat_map(named).collect();
        parts.into_iter().try_for_each(|no| self.need(no))?;
        let mut look: Vec<BatchNo> = self.batches.keys().copied().collect();
        while let Some(no) = look.pop() {
            if self.is_too_much() {
                return Ok(());
            }
            let Some(batch) = self.batches.get(&no) else { continue };
            let rolled = (1..=batch.rolls()).map(|nth| rolled_batch(no, nth));
            let mut named: Vec<BatchNo> = batch.rolled_from().into_iter().chain(rolled).collect();
            for row in source.clawbacks(no)?.into_iter().filter(|row| row.refundable() > 0) {
                if let Entry::Vacant(place) = self.consumes.entry(row.operation) {
                    let parts = source.allocations(row.operation)?.rows;
                    named.extend(parts.iter().map(|part| part.batch));
                    place.insert((row, parts));
                }
            }
            for no in named.into_iter().filter(|no| !self.batches.contains_key(no)).collect::<Vec<_>>() {
                self.need(no)?;
                look.push(no);
            }
        }
        Ok(())
    }
}

fn batch(with: &Carrying<'_>, row: &BatchRow) -> Result<CarriedBatch> {
    let id = |no| with.writers.batch(no);
    Ok(CarriedBatch {
        id: id(row.no),
        link: with.own.link(row.operation())?,
        source: row.source.to_string(),
        promo: row.promo,
        priority: row.priority,
        amount: row.amount,
        remaining: row.remaining,
        held: row.held,
        used: row.used,
        expired: row.expired,
        revoked: row.revoked,
        moved: row.moved,
        owed: row.owed,
        effective_at: row.effective_at,
        expires_at: row.expires_at,
        // One that was received came out of another account.
        from: row.rolled_from().map(id),
        entry: row.entry,
        dated: row.dated,
        active: row.active,
        rollover: row.rolling(),
        rolls: row.rolls(),
        rolled: row.rolled(),
        has_rolled: row.has_rolled(),
    })
}

fn consume(with: &Carrying<'_>, row: &ConsumeRow, parts: &[AllocationRow]) -> Result<CarriedConsume> {
    let part = |part: &AllocationRow| CarriedPart {
        batch: with.writers.batch(part.batch),
        points: part.points,
        returned: part.returned,
    };
    Ok(CarriedConsume {
        id: with.writers.operation(row.operation),
        link: with.own.link(row.operation)?,
        points: row.points,
        open: row.open,
        refunded: row.refunded,
        written_off: row.written_off,
        clawback_of: row.clawback_of.map(|no| with.writers.batch(no)),
        parts: parts.iter().map(part).collect(),
    })
}

fn hold(with: &Carrying<'_>, row: &HoldRow, slices: &[AllocationRow]) -> CarriedHold {
    let slice = |slice: &AllocationRow| CarriedSlice { batch: with.writers.batch(slice.batch), points: slice.points };
    CarriedHold {
        id: with.writers.hold(row.operation),
        points: row.points,
        unbacked: row.unbacked,
        deadline: row.deadline,
        slices: slices.iter().map(slice).collect(),
    }
}

fn allotment(with: &Carrying<'_>, row: &AllotmentRow, slices: &[AllocationRow]) -> CarriedAllotment {
    let slice = |slice: &AllocationRow| CarriedSlice {
        batch: with.writers.batch(slice.batch),
        points: slice.points.saturating_sub(slice.returned),
    };
    CarriedAllotment {
        id: with.writers.operation(row.operation),
        epoch: row.epoch,
        spend_until: row.spend_until,
        recalled: row.state == AllotmentState::Recalled,
        slices: slices.iter().map(slice).filter(|slice| slice.points > 0).collect(),
    }
}

fn plan(with: &Carrying<'_>, row: &PlanRow) -> CarriedPlan {
    CarriedPlan {
        id: with.writers.plan(row.operation),
        terms: row.terms.clone(),
        period: row.period,
        anchor: row.anchor,
        promo: row.promo,
        expiration_days: row.expiration_days,
        entry: row.entry,
    }
}
