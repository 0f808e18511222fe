//! Allotments: set aside at a hub, spent by their device, given back. Their points stay held in their batches, which they never lapse
//! out of; the slices are the allocations of what set them aside.

use super::books::Books;
use super::draw::{Tally, give_back};
use super::line::Line;
use super::source::{HubChanges, Source};
use super::{Booking, Target};
use crate::error::{Error, Result};
use crate::model::{
    ALLOTTED, AllotmentRow, AllotmentState, AllottedParts, BaseRow, BatchNo, Body, EPOCH, EntryKind, FOREIGN, Facts,
    HoldRow, LedgerRow, Offline, OpKind, OperationId, Place, Role, WatchRow, parts_value,
};
use crate::units::{Instant, add, sub};

/// Takes up to so many points out of an allotment, its first slice first; which batches they are held in.
fn take_out(books: &mut Books<'_>, allotment: i64, points: i64) -> Result<Vec<(BatchNo, i64)>> {
    let (mut left, mut taken) = (points, Vec::new());
    for slice in books.allocations(allotment)? {
        let part = sub(slice.points, slice.returned)?.min(left);
        if part > 0 {
            books.set_returned(allotment, slice.rank, add(slice.returned, part)?)?;
            taken.push((slice.batch, part));
            left = sub(left, part)?;
        }
    }
    let remaining = sub(books.allotment(allotment)?.remaining, sub(points, left)?)?;
    books.change_allotment(allotment, |row| row.remaining = remaining)?;
    Ok(taken)
}

/// What a hold keeps of an allotment goes back to the slice it came out of.
pub(super) fn put_back(books: &mut Books<'_>, allotment: i64, (batch, points): (BatchNo, i64)) -> Result<()> {
    let slices = books.allocations(allotment)?;
    let Some(slice) = slices.iter().find(|slice| slice.batch == batch && slice.returned >= points) else {
        return Err(Error::corrupt(format!("allotment {allotment} has no slice that points go back to")));
    };
    books.set_returned(allotment, slice.rank, sub(slice.returned, points)?)?;
    let remaining = add(books.allotment(allotment)?.remaining, points)?;
    books.change_allotment(allotment, |row| row.remaining = remaining)
}

/// Charges points out of allotments, of each no more than it has. How many.
pub(super) fn spend(
    books: &mut Books<'_>,
    owner: i64,
    parts: &[(i64, i64)],
    draws: &mut Vec<(BatchNo, i64)>,
) -> Result<i64> {
    let mut spent = 0;
    for (allotment, points) in parts {
        for (batch, part) in take_out(books, *allotment, *points)? {
            books.shift(batch, Place::Held, Place::Used, part, Some(*allotment))?;
            books.allocate(owner, batch, part)?;
            draws.push((batch, part));
            spent = add(spent, part)?;
        }
    }
    Ok(spent)
}

/// Keeps points of allotments for a hold, of each no more than it has. How many.
pub(super) fn keep(
    books: &mut Books<'_>,
    hold: i64,
    parts: &[(i64, i64)],
    draws: &mut Vec<(BatchNo, i64)>,
) -> Result<i64> {
    let mut kept = 0;
    for (allotment, points) in parts {
        for (batch, part) in take_out(books, *allotment, *points)? {
            books.allocate_from(hold, batch, part, Some(*allotment))?;
            draws.push((batch, part));
            kept = add(kept, part)?;
        }
        books.concern(*allotment, Place::Held, Place::Available);
    }
    Ok(kept)
}

/// Gives the last points of an allotment back to its account; how many there were.
pub(super) fn give(books: &mut Books<'_>, allotment: i64, points: i64, at: Instant, tally: &mut Tally) -> Result<i64> {
    let mut left = points;
    for slice in books.allocations(allotment)?.into_iter().rev() {
        let part = sub(slice.points, slice.returned)?.min(left);
        if part > 0 {
            books.set_returned(allotment, slice.rank, add(slice.returned, part)?)?;
            give_back(books, slice.batch, part, (Place::Held, allotment), at, tally)?;
            left = sub(left, part)?;
        }
    }
    let given = sub(points, left)?;
    let remaining = sub(books.allotment(allotment)?.remaining, given)?;
    books.change_allotment(allotment, |row| row.remaining = remaining)?;
    if given == 0 {
        books.concern(allotment, Place::Held, Place::Available);
    }
    Ok(given)
}

/// The number here of an operation of the hub.
pub(super) fn local(source: &dyn Source, id: OperationId) -> Result<i64> {
    Ok(source.local(&id.uuid())?.unwrap_or(id.sequence()))
}

pub(super) fn sum(parts: &[(i64, i64)]) -> Result<i64> {
    parts.iter().try_fold(0, |sum, (_, points)| add(sum, *points))
}

fn unknown(allotment: impl ToString, why: &'static str) -> Error {
    Error::UnknownAllotment { allotment: allotment.to_string(), why }
}

/// The allotment of this id.
pub(super) fn named(source: &dyn Source, id: OperationId) -> Result<AllotmentRow> {
    let own = source.local(&id.uuid())?;
    let here = match own {
        Some(_) => true,
        None => source.operation(id.sequence())?.is_some_and(|head| head.writer.operation(head.seq) == id),
    };
    let found = if here { source.allotment(own.unwrap_or(id.sequence()))? } else { None };
    found.ok_or_else(|| unknown(id, "it is not here"))
}

impl Booking<'_, '_> {
    /// Whether nothing is decided strictly here but on what was set aside for this device.
    pub(super) fn is_allotted(&self) -> bool {
        is_allotted(self.context.ledger)
    }

    /// What of so many points comes out of allotments, the oldest first; of an operation read from the books what it says.
    pub(super) fn allotted(&mut self, points: i64) -> Result<Vec<(i64, i64)>> {
        if let Some(Facts { allotted, .. }) = self.facts.clone() {
            return self.as_booked(&allotted);
        }
        let (mut left, mut parts) = (points, Vec::new());
        for row in self.usable()? {
            let part = row.remaining.min(left);
            if part > 0 {
                parts.push((row.operation, part));
                left = sub(left, part)?;
            }
        }
        Ok(parts)
    }

    fn as_booked(&mut self, allotted: &AllottedParts) -> Result<Vec<(i64, i64)>> {
        let mut parts = Vec::new();
        for (id, points) in allotted {
            let operation = local(self.books.source(), *id)?;
            let account = self.account;
            let row = self.books.find_allotment(operation)?;
            if row.is_none_or(|row| row.account != account || row.remaining < *points) {
                return Err(Error::corrupt(format!("allotment {id} does not have what was taken of it")));
            }
            parts.push((operation, *points));
        }
        Ok(parts)
    }

    fn usable(&mut self) -> Result<Vec<AllotmentRow>> {
        if !self.is_allotted() {
            return Ok(Vec::new());
        }
        let mut rows = self.books.allotments(self.account)?;
        rows.retain(|row| is_usable(self.context.ledger, self.base.as_deref(), row, self.now));
        Ok(rows)
    }

    /// The inputs with what was found out beside them.
    pub(super) fn add_facts(&self, body: &mut Body) -> Result<()> {
        if !self.allotted.is_empty() {
            let parts = self.allotted.iter().map(|(operation, points)| Ok((self.hub_id(*operation)?, *points)));
            body.add(ALLOTTED, parts_value(&parts.collect::<Result<Vec<_>>>()?));
        }
        self.epoch.into_iter().for_each(|epoch| body.add(EPOCH, epoch.into()));
        Ok(())
    }

    /// The id at the hub of one of its operations.
    fn hub_id(&self, operation: i64) -> Result<OperationId> {
        let row = self.books.source().foreign(sub(operation, FOREIGN)?)?;
        let row = row.ok_or_else(|| Error::corrupt(format!("operation {operation} of the hub has no id")))?;
        Ok(OperationId::of(row.id))
    }

    fn target_allotment(&mut self) -> Result<AllotmentRow> {
        let Target::Allotment(operation) = self.target else { return Err(Error::corrupt("no allotment is meant")) };
        self.books.allotment(operation).cloned()
    }

    fn id_of(&self, row: &AllotmentRow) -> Result<OperationId> {
        match self.books.source().operation(row.operation)? {
            Some(head) => Ok(head.writer.operation(head.seq)),
            None => self.hub_id(row.operation),
        }
    }

    pub(super) fn allot(&mut self, points: i64, spend_until: Instant) -> Result<()> {
        let device = self.device.take().ok_or_else(|| Error::corrupt("an allotment has no device"))?.no;
        if spend_until <= self.now {
            let said = format!("is past: it is {}", self.now);
            return Err(Error::invalid("spend_until", said, "give an instant that is to come"));
        }
        let batches = self.books.live_beyond(self.account, spend_until, points)?;
        let there = batches.iter().try_fold(0, |sum, batch| add(sum, batch.remaining))?;
        if there < points {
            let account = self.books.account(self.account)?.id.to_string();
            let (available, required) = (there, points);
            return Err(Error::InsufficientPoints { account, available, required, credit_left: None });
        }
        self.books.new_owner(self.seq);
        let mut left = points;
        for batch in batches {
            let part = batch.remaining.min(left);
            self.books.shift(batch.no, Place::Available, Place::Held, part, None)?;
            self.books.allocate(self.seq, batch.no, part)?;
            self.outcome.draws.push((batch.no, part));
            left = sub(left, part)?;
        }
        let source = self.books.source();
        // The newest epoch it has written in, as far as anybody knows here.
        let epoch = match self.facts.as_ref().and_then(|facts| facts.epoch) {
            Some(epoch) => epoch,
            None => source.newest_epoch(device)?.unwrap_or(1),
        };
        let (operation, account) = (self.seq, self.account);
        let new = !source.is_watched(device, account)?;
        let new_watches = new.then_some(WatchRow { device, account, since: operation }).into_iter().collect();
        self.hub = Some(Box::new(HubChanges { new_watches, ..HubChanges::default() }));
        (self.epoch, self.points) = (Some(epoch), points);
        let (state, remaining) = (AllotmentState::Open, points);
        self.books.add_allotment(AllotmentRow {
            operation,
            account,
            device,
            epoch,
            points,
            remaining,
            spend_until,
            state,
        });
        self.post(EntryKind::Allot, points, None)
    }

    pub(super) fn recall(&mut self) -> Result<()> {
        let row = self.target_allotment()?;
        if row.remaining == 0 {
            return Err(unknown(self.id_of(&row)?, "nothing of it is left"));
        }
        if row.state == AllotmentState::Recalled {
            return Err(unknown(self.id_of(&row)?, "it is recalled already"));
        }
        self.books.change_allotment(row.operation, |row| row.state = AllotmentState::Recalled)?;
        self.books.concern(row.operation, Place::Held, Place::Available);
        self.points = row.remaining;
        self.post(EntryKind::Recall, row.remaining, None)
    }

    pub(super) fn write_allotment_off(&mut self) -> Result<()> {
        let row = self.target_allotment()?;
        self.books.change_allotment(row.operation, |row| row.state = AllotmentState::WrittenOff)?;
        self.return_all(&row)
    }

    /// What is left of it: of an earlier epoch's, files may still be on the road.
    pub(super) fn return_allotment(&mut self) -> Result<()> {
        let row = self.target_allotment()?;
        if row.epoch != self.context.ledger.writer.1.epoch {
            return Err(unknown(self.id_of(&row)?, "it is of an earlier epoch of this device"));
        }
        self.return_all(&row)
    }

    fn return_all(&mut self, row: &AllotmentRow) -> Result<()> {
        if row.remaining == 0 {
            return Err(unknown(self.id_of(row)?, "nothing of it is left"));
        }
        let mut tally = Tally::default();
        self.points = give(&mut self.books, row.operation, row.remaining, self.now, &mut tally)?;
        self.tally(tally);
        self.post(EntryKind::AllotReturn, self.points, None)?;
        self.settle(self.account)
    }

    /// A new epoch: what holds keep of the allotments of earlier ones goes back to those, for whoever has the lost end of the old one
    /// may have captured it. Of holds that have run out it stays, whether that is booked yet or not.
    pub(super) fn unback_holds(&mut self) -> Result<()> {
        if !matches!(self.kind, OpKind::Restore | OpKind::RenewEpoch)
            || self.context.ledger.standing.role != Role::Device
        {
            return Ok(());
        }
        let now = self.now.max(self.clock_after().accepted_at);
        for account in accounts(self.books.source())? {
            let mut holds = self.books.source().long_holds(account, now)?;
            holds.sort_by_key(|row| row.operation);
            for hold in holds {
                self.unback(&hold)?;
            }
        }
        Ok(())
    }

    fn unback(&mut self, hold: &HoldRow) -> Result<()> {
        let mut slices = self.books.allocations(hold.operation)?;
        let mut freed = 0;
        for slice in slices.iter_mut().rev() {
            let Some(allotment) = slice.allotment.filter(|_| slice.points > 0) else { continue };
            put_back(&mut self.books, allotment, (slice.batch, slice.points))?;
            freed = add(freed, slice.points)?;
            slice.points = 0;
        }
        if freed == 0 {
            return Ok(());
        }
        self.books.replace_allocations(hold.operation, slices)?;
        let unbacked = add(hold.unbacked, freed)?;
        self.books.replace_hold(HoldRow { unbacked, ..hold.clone() })?;
        self.books.concern(hold.operation, Place::Held, Place::Available);
        let row = self.books.account_mut(hold.account)?;
        row.unbacked = add(row.unbacked, freed)?;
        let booked_at = self.now.max(row.last_booked_at);
        let (kind, operation) = (EntryKind::Unback, Some(self.seq));
        self.books.post(hold.account, Line { kind, operation, booked_at, points: freed, batch: None })
    }
}

/// Whether a device may spend an allotment: one of its own epoch, before its end, and on a base of the newest epoch of its hub, for
/// one that was set back may not know of it.
pub(crate) fn is_usable(ledger: &LedgerRow, base: Option<&BaseRow>, row: &AllotmentRow, now: Instant) -> bool {
    let Some((base, heard)) = base.zip(ledger.standing.heard.as_ref()) else { return false };
    let newest = base.epoch == heard.epoch && base.operation >= heard.stale_before;
    is_allotted(ledger) && newest && row.epoch == ledger.writer.1.epoch && now < row.spend_until
}

/// Whether a file is a device that decides by what was set aside for it.
pub(crate) fn is_allotted(ledger: &LedgerRow) -> bool {
    let standing = &ledger.standing;
    let policy = standing.policy.as_ref().filter(|_| standing.role == Role::Device);
    policy.is_some_and(|policy| policy.offline == Offline::Allotted)
}

/// The accounts with allotments, whatever is left of these.
pub(crate) fn accounts(source: &dyn Source) -> Result<std::collections::BTreeSet<i64>> {
    const PAGE: usize = 256;
    let (mut found, mut after) = (std::collections::BTreeSet::new(), 0);
    loop {
        let page = source.all_allotments(after, PAGE)?;
        let Some(last) = page.last() else { return Ok(found) };
        after = last.operation;
        found.extend(page.iter().map(|row| row.account));
    }
}
