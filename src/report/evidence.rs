//! What a hub lost when it was set back: what a device was told before, against what the hub knows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Look;
use super::lists::READ;
use crate::engine::source::Links;
use crate::engine::{Source, parse_body};
use crate::error::{Error, Result};
use crate::model::{
    AccountId, AccountState, BatchId, BatchRow, Carried, CarriedBatch, DeviceRow, HubPosition, Key, LostAccount,
    LostBatch, LostTotal, OpKind, ReceivedRow, Totals, position_of,
};
use crate::store;
use crate::units::{Instant, Points};

/// What a device was told in one epoch of its hub.
pub(crate) struct ToldIn {
    /// The newest that was told.
    pub(crate) position: HubPosition,
    /// By operation and number within it, with how long each is.
    pub(crate) lines: Vec<(i64, i64, usize)>,
}

/// What a device was told of an account, in all lines.
#[derive(Default)]
pub(crate) struct ToldOf {
    known: BTreeSet<BatchId>,
    unknown: BTreeMap<BatchId, CarriedBatch>,
    /// The most of each.
    totals: [i64; 11],
    /// State and credit limit of the newest line.
    newest: Option<(i64, AccountState, i64)>,
}

impl Look<'_, '_> {
    /// The lines that tell of all batches this device was ever told of, and of each account the newest, for each epoch of the hub.
    pub(crate) fn told_before(&self) -> Result<Vec<ToldIn>> {
        let mut told: BTreeMap<i64, ToldIn> = BTreeMap::new();
        let mut newest: BTreeMap<(i64, i64), (i64, i64, usize)> = BTreeMap::new();
        let mut batches: BTreeSet<BatchId> = BTreeSet::new();
        let mut at: Option<(i64, HubPosition)> = None;
        let read = |after, page| store::received_page(self.session, after, page);
        for row in store::pages((0, 0), 64, read, |row: &ReceivedRow| (row.operation, row.n)) {
            let row = row?;
            let position = match at {
                Some((operation, position)) if operation == row.operation => position,
                _ => self.position_told_in(row.operation)?,
            };
            at = Some((row.operation, position));
            let carried = Carried::read(&row.line).map_err(Error::corrupt)?;
            let line = (row.operation, row.n, row.line.len());
            let epoch = told.entry(position.epoch).or_insert(ToldIn { position, lines: Vec::new() });
            if epoch.position.order() < position.order() {
                epoch.position = position;
            }
            let before = batches.len();
            batches.extend(carried.batches.iter().map(|batch| batch.id));
            if batches.len() > before {
                epoch.lines.push(line);
                newest.remove(&(position.epoch, row.account));
            } else {
                newest.insert((position.epoch, row.account), line);
            }
        }
        for ((epoch, _), line) in newest {
            told.entry(epoch).and_modify(|told| told.lines.push(line));
        }
        Ok(told.into_values().collect())
    }

    fn position_told_in(&self, operation: i64) -> Result<HubPosition> {
        let lost = || Error::corrupt(format!("operation {operation} is not there"));
        position_of(&parse_body(&self.source.operation_row(operation)?.ok_or_else(lost)?)?)
    }

    pub(crate) fn received_line(&self, operation: i64, n: i64) -> Result<String> {
        let row = store::received_page(self.session, (operation, n.saturating_sub(1)), 1)?.pop();
        let row = row.filter(|row| (row.operation, row.n) == (operation, n));
        row.map(|row| row.line).ok_or_else(|| Error::corrupt(format!("line {n} of operation {operation} is not there")))
    }

    /// Adds what a device was told of an account.
    pub(crate) fn add_told(&self, device: &DeviceRow, carried: &Carried, told: &mut ToldOf) -> Result<()> {
        for (sum, more) in told.totals.iter_mut().zip(carried.totals.as_list()) {
            *sum = more.max(*sum);
        }
        if told.newest.is_none_or(|(last, ..)| last <= carried.last) {
            told.newest = Some((carried.last, carried.state, carried.limit));
        }
        let account = self.source.account_by_id(&carried.account)?;
        for batch in &carried.batches {
            // What rolled out of another comes back with that one.
            if batch.from.is_some() || told.known.contains(&batch.id) || told.unknown.contains_key(&batch.id) {
                continue;
            }
            let own = batch.link.map_or(Ok(false), |seq| self.has_link(device, seq))?;
            let known = own || account.as_ref().map_or(Ok(false), |account| self.knows(account.no, batch))?;
            if known {
                told.known.insert(batch.id);
            } else {
                told.unknown.insert(batch.id, batch.clone());
            }
        }
        Ok(())
    }

    /// Whether a batch is in the books, or was entered again. A hub that was set back gives ids again, to others.
    fn knows(&self, account: i64, batch: &CarriedBatch) -> Result<bool> {
        let no = batch.id.no();
        if let Some(row) = self.source.batch(no)?
            && self.writers.batch(no) == batch.id
            && (row.account, &*row.source, row.amount) == (account, batch.source.as_str(), batch.amount)
        {
            return Ok(true);
        }
        let key = Key::new(format!("lost:{}", batch.id))?;
        Ok(self.source.find_key(Some(account), OpKind::Recharge, &key)?.is_some())
    }

    /// What of an account this hub does not know.
    pub(crate) fn lost_of(&self, id: AccountId, told: ToldOf) -> Result<LostAccount> {
        let account = self.source.account_by_id(&id)?;
        let mut others: Vec<BatchRow> = Vec::new();
        if let Some(account) = account.as_ref().filter(|_| !told.unknown.is_empty()) {
            let read = |after, page| store::batches_of_account(self.session, account.no, after, page);
            let rows = store::pages(0, READ, read, |row: &BatchRow| row.no);
            for row in rows {
                let row = row?;
                let sent = self.source.operation_row(row.operation())?.is_some_and(|made| made.origin.chain > 0);
                if sent && !told.known.contains(&self.writers.batch(row.no)) {
                    others.push(row);
                }
            }
        }
        let mut batches = Vec::new();
        for batch in told.unknown.into_values() {
            let like = others.iter().position(|row| alike(row, &batch)).map(|at| others.swap_remove(at).no);
            batches.push(lost(&batch, like.map(|no| self.writers.batch(no)))?);
        }
        let (state, limit) = account.as_ref().map_or((AccountState::Active, 0), |row| (row.state, row.credit_limit));
        let (mut was, mut had) = (None, None);
        if let Some((_, told_state, told_limit)) = told.newest {
            was = Some(told_state).filter(|told| *told != state);
            had = Some(told_limit).filter(|told| *told != limit).map(Points::booked).transpose()?;
        }
        let totals = account.map(|account| account.totals).unwrap_or_default();
        let totals = less(&Totals::of_list(told.totals), &totals);
        Ok(LostAccount { account: id, batches, totals, state: was, credit_limit: had })
    }

    /// Whether an operation of a device has come, by its number there.
    fn has_link(&self, device: &DeviceRow, seq: i64) -> Result<bool> {
        for chain in self.source.chains_of(device.no)? {
            if self.source.link(chain.no, seq)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn alike(row: &BatchRow, batch: &CarriedBatch) -> bool {
    (&*row.source, row.promo, row.priority, row.amount, row.expires_at)
        == (batch.source.as_str(), batch.promo, batch.priority, batch.amount, batch.expires_at)
}

fn lost(batch: &CarriedBatch, like: Option<BatchId>) -> Result<LostBatch> {
    Ok(LostBatch {
        batch: batch.id,
        source: batch.source.clone(),
        promo: batch.promo,
        priority: batch.priority,
        points: Points::booked(batch.amount)?,
        effective_at: batch.effective_at.utc(),
        expires_at: batch.expires_at.map(Instant::utc),
        rolls_over: batch.rollover.is_some(),
        like,
    })
}

/// Sums that were more.
fn less(told: &Totals, known: &Totals) -> Vec<LostTotal> {
    let (Ok(Value::Object(told)), Ok(Value::Object(known))) = (serde_json::to_value(told), serde_json::to_value(known))
    else {
        return Vec::new();
    };
    let mut less = Vec::new();
    for (what, told) in told {
        let known = known.get(&what).and_then(Value::as_i64).unwrap_or(0);
        if let Some(told) = told.as_i64().filter(|told| *told > known) {
            less.push(LostTotal { what, told, known });
        }
    }
    less
}
