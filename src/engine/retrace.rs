//! An account's books followed again from their first line: what each line moved, and how things stood at any of them.
//!
//! What an operation decided (its draws, its expiry) is taken from its outcome; what follows from the rules (who is paid
//! first, where returned points go) is done by the rules themselves, on a working copy that begins empty.

use std::cell::Cell;

use super::books::Books;
use super::catch_up::{happen, resolve};
use super::draw::{Tally, pay_debts, refund};
use super::holds::take_held;
use super::mend::forgive;
use super::shift::Bucket;
use super::source::{Allocations, OperationHead, Source};
use super::step_back::reinstate;
use crate::error::{Error, Result};
use crate::model::{
    AccountId, AccountRow, Balances, BatchNo, BatchRow, ConsumeRow, DrawKey, EntryKind, EntryRow, HoldPhase, HoldRow,
    Key, OpKind, OperationId, OperationRow, TotalsRow,
};
use crate::pricing::PriceBook;
use crate::units::{Instant, add, sub};

/// An account's past, as far as it has been followed.
pub(crate) struct Retrace<'s> {
    past: &'s Past<'s>,
    books: Books<'s>,
    account: i64,
    /// `booked_at` of the newest line followed.
    at: Instant,
    /// The operation how things stood before which is wanted.
    watched: Option<i64>,
    before: Option<Before>,
}

/// How things stood before an operation.
#[derive(Debug, Clone)]
pub(crate) struct Before {
    pub(crate) account: AccountRow,
    /// The batch and the hold it names.
    pub(crate) batch: Option<BatchRow>,
    pub(crate) hold: Option<HoldRow>,
    /// The batches it could draw from, in draw order: live ones, and those a late use brought back.
    pub(crate) choice: Vec<BatchRow>,
    /// How many of its draws a hold had set aside: the first ones.
    pub(crate) set_aside: usize,
}

fn lost(row: &EntryRow) -> Error {
    Error::corrupt(format!("entry {} of account number {} does not follow from those before it", row.n, row.account))
}

impl<'s> Retrace<'s> {
    /// Before the first line of an account.
    pub(crate) fn new(past: &'s Past<'s>, account: &AccountRow, watched: Option<i64>) -> Self {
        let mut books = Books::new(past);
        books.enter_account(AccountRow {
            balances: Balances::default(),
            credit_limit: 0,
            unbacked: 0,
            totals: TotalsRow::default(),
            entries: 0,
            last_booked_at: Instant::MIN,
            next_due_at: None,
            ..account.clone()
        });
        Retrace { past, books, account: account.no, at: Instant::MIN, watched, before: None }
    }

    /// How things stood before the watched operation, once it has been followed.
    pub(crate) fn before(&self) -> Option<&Before> {
        self.before.as_ref()
    }

    /// A batch as it stands at the newest line followed.
    pub(crate) fn batch(&mut self, no: BatchNo) -> Result<&BatchRow> {
        self.books.batch(no)
    }

    /// Follows the next line; the hold it made, changed or ended. None of a line that only went with it, as a reopen does.
    pub(crate) fn line(&mut self, row: &EntryRow) -> Result<Option<i64>> {
        if row.booked_at < self.at {
            self.turn(row.booked_at)?;
        }
        self.at = row.booked_at;
        let operation = match row.operation {
            Some(seq) => {
                self.past.now.set(seq);
                Some(self.past.source.operation_row(seq)?.ok_or_else(|| lost(row))?)
            }
            None => None,
        };
        let hold = match (&operation, row.kind) {
            (None, EntryKind::Settle) => pay_debts(&mut self.books, self.account).map(|_| None)?,
            (None, EntryKind::Reopen) => None,
            (None, EntryKind::Reinstate) => {
                reinstate(&mut self.books, row.batch.ok_or_else(|| lost(row))?, row.booked_at)?;
                None
            }
            (None, _) => self.time(row)?,
            (Some(operation), kind) => {
                self.look_around(row, operation)?;
                self.decided(row, operation)?;
                let own = matches!(kind, EntryKind::Hold | EntryKind::Capture | EntryKind::Release | EntryKind::Renew);
                operation.outcome.hold.filter(|_| own).map(|(hold, ..)| hold)
            }
        };
        // What is told of the past has to come to what the books say.
        if self.books.balances(self.account)? != row.after {
            return Err(lost(row));
        }
        self.books.movements.clear();
        Ok(hold)
    }

    fn look_around(&mut self, row: &EntryRow, operation: &OperationRow) -> Result<()> {
        if self.watched != Some(operation.seq) || self.before.is_some() {
            return Ok(());
        }
        let touched = row.batch.filter(|_| row.kind != EntryKind::Recharge);
        let hold = operation.outcome.hold.filter(|_| row.kind != EntryKind::Hold);
        self.before = Some(Before {
            account: self.books.account(self.account)?.clone(),
            batch: touched.map(|no| self.books.batch(no).cloned()).transpose()?,
            hold: hold.map(|(no, ..)| self.books.hold(no).cloned()).transpose()?,
            choice: Vec::new(),
            set_aside: 0,
        });
        Ok(())
    }

    /// A new stretch begins: what the step back did that no line tells.
    fn turn(&mut self, now: Instant) -> Result<()> {
        let early = self.books.held_batches().filter(|batch| batch.is_early(now) && batch.remaining == 0);
        let empty: Vec<BatchNo> = early.filter(|batch| batch.expired == 0).map(|batch| batch.no).collect();
        empty.into_iter().try_for_each(|no| reinstate(&mut self.books, no, now).map(drop))?;
        let open = self.books.held_holds().filter(|hold| hold.phase == HoldPhase::Open);
        for operation in open.map(|hold| hold.operation).collect::<Vec<_>>() {
            if let Some(stored) = self.past.source.hold(operation)? {
                self.books.change_hold(operation, |hold| hold.deadline = stored.deadline)?;
            }
        }
        Ok(())
    }

    /// What time did: the first thing that was due then. The hold, if one ended.
    fn time(&mut self, row: &EntryRow) -> Result<Option<i64>> {
        let due = self.books.due_at(self.account, row.booked_at).ok_or_else(|| lost(row))?;
        let (kind, ..) = happen(&mut self.books, due)?;
        Ok((kind == EntryKind::HoldExpire).then_some(due.no))
    }

    fn decided(&mut self, row: &EntryRow, operation: &OperationRow) -> Result<()> {
        let (books, account, at) = (&mut self.books, self.account, row.booked_at);
        let outcome = &operation.outcome;
        match row.kind {
            EntryKind::Recharge | EntryKind::TransferIn => self.arrive(row, operation),
            EntryKind::Consume => {
                self.choose(operation, at, 0)?;
                self.charge(operation, at, 0)
            }
            EntryKind::Hold => self.hold(row, operation),
            EntryKind::Capture => self.capture(row, operation),
            EntryKind::TransferOut => self.send(operation, at),
            EntryKind::Settle => pay_debts(books, account).map(drop),
            EntryKind::WriteOff => forgive(books, account, row.points),
            EntryKind::Release => {
                let (hold, ..) = outcome.hold.ok_or_else(|| lost(row))?;
                resolve(books, hold, HoldPhase::Released, at, &mut Tally::default())
            }
            EntryKind::Renew => {
                let (hold, _, deadline) = outcome.hold.ok_or_else(|| lost(row))?;
                books.change_hold(hold, |row| row.deadline = Instant::clamped(deadline))
            }
            EntryKind::Refund => {
                let body = super::parse_body(operation)?;
                let id = body.get("operation").and_then(serde_json::Value::as_str).ok_or_else(|| lost(row))?;
                refund(books, id.parse::<OperationId>()?.sequence(), row.points, at, &mut Tally::default())
            }
            EntryKind::Revoke => {
                let batch = row.batch.ok_or_else(|| lost(row))?;
                let expired = sub(0, row.expired)?;
                for (bucket, part) in [(Bucket::Remaining, sub(row.points, expired)?), (Bucket::Expired, expired)] {
                    if part > 0 {
                        books.shift(batch, bucket, Bucket::Revoked, part, None)?;
                    }
                }
                let owed = add(books.batch(batch)?.owed, outcome.owed)?;
                books.change_batch(batch, |batch| batch.owed = owed)
            }
            EntryKind::Clawback => self.open_consume(operation.seq, row.points, row.points, row.batch),
            EntryKind::SetExpiry => {
                let batch = row.batch.ok_or_else(|| lost(row))?;
                let expires_at = outcome.expiry_of(batch).ok_or_else(|| lost(row))?;
                books.change_batch(batch, |batch| batch.expires_at = expires_at)?;
                if row.points > 0 {
                    books.wake(batch, at)?;
                    books.shift(batch, Bucket::Expired, Bucket::Remaining, row.points, None)?;
                }
                Ok(())
            }
            EntryKind::Expire | EntryKind::Activate | EntryKind::HoldExpire | EntryKind::Reinstate => Err(lost(row)),
            EntryKind::Open | EntryKind::SetLimit => {
                let body = super::parse_body(operation)?;
                let limit = body.get("credit_limit").and_then(serde_json::Value::as_i64);
                books.account_mut(account)?.credit_limit = limit.unwrap_or(0);
                Ok(())
            }
            EntryKind::Reopen | EntryKind::Freeze | EntryKind::Unfreeze | EntryKind::Close => Ok(()),
        }
    }

    fn arrive(&mut self, row: &EntryRow, operation: &OperationRow) -> Result<()> {
        for (no, _) in &operation.outcome.batches {
            let stored = self.past.source.batch(*no)?.ok_or_else(|| lost(row))?;
            let active = stored.effective_at <= row.booked_at;
            let expires_at = operation.outcome.expiry_of(*no).unwrap_or(stored.expires_at);
            self.books.arrive(BatchRow { expires_at, active, ..stored.untouched() })?;
        }
        Ok(())
    }

    /// Keeps what the watched operation could draw from: live batches, and those a late one brought back. The first of
    /// its draws, `set_aside` of them, were no choice.
    fn choose(&mut self, operation: &OperationRow, at: Instant, set_aside: usize) -> Result<()> {
        if self.watched != Some(operation.seq) {
            return Ok(());
        }
        let Some(before) = &mut self.before else { return Ok(()) };
        let mut choice: Vec<BatchRow> = self.books.held_batches().filter(|batch| batch.is_live()).cloned().collect();
        for (no, _) in operation.outcome.draws.iter().skip(set_aside) {
            let batch = self.books.batch(*no)?;
            if batch.is_expired(at) {
                choice.push(batch.clone());
            }
        }
        choice.sort_by_key(BatchRow::draw_key);
        (before.choice, before.set_aside) = (choice, set_aside);
        Ok(())
    }

    /// Points used: paid by the draws after the first `own`, which have been seen to; the rest is open.
    fn charge(&mut self, operation: &OperationRow, at: Instant, own: usize) -> Result<()> {
        let (seq, outcome) = (operation.seq, &operation.outcome);
        // What was simply paid is read from the outcome, if it is ever asked for.
        let kept = outcome.open > 0 || operation.kind == OpKind::Capture;
        if outcome.open > 0 && own == 0 {
            self.books.new_owner(seq);
        }
        for (no, points) in outcome.draws.iter().skip(own) {
            let from = if self.books.batch(*no)?.is_expired(at) { Bucket::Expired } else { Bucket::Remaining };
            self.books.shift(*no, from, Bucket::Used, *points, None)?;
            if kept {
                self.books.allocate(seq, *no, *points)?;
            }
        }
        if outcome.open > 0 { self.open_consume(seq, operation.points, outcome.open, None) } else { Ok(()) }
    }

    fn open_consume(&mut self, operation: i64, points: i64, open: i64, clawback_of: Option<BatchNo>) -> Result<()> {
        let (account, refunded, written_off) = (self.account, 0, 0);
        self.books.add_consume(ConsumeRow { operation, account, points, open: 0, refunded, written_off, clawback_of });
        self.books.change_consume(operation, |row| row.open = open)
    }

    fn hold(&mut self, row: &EntryRow, operation: &OperationRow) -> Result<()> {
        self.choose(operation, row.booked_at, 0)?;
        let (_, _, deadline) = operation.outcome.hold.ok_or_else(|| lost(row))?;
        let mut unbacked = row.points;
        for (no, points) in &operation.outcome.draws {
            self.books.shift(*no, Bucket::Remaining, Bucket::Held, *points, None)?;
            unbacked = sub(unbacked, *points)?;
        }
        let reserved = &mut self.books.account_mut(self.account)?.unbacked;
        *reserved = add(*reserved, unbacked)?;
        self.books.add_hold(HoldRow {
            operation: operation.seq,
            account: self.account,
            points: row.points,
            unbacked,
            deadline: Instant::clamped(deadline),
            phase: HoldPhase::Open,
            service: None,
            price_book: None,
        })
    }

    fn capture(&mut self, row: &EntryRow, operation: &OperationRow) -> Result<()> {
        let (hold, ..) = operation.outcome.hold.ok_or_else(|| lost(row))?;
        let hold = self.books.hold(hold)?.clone();
        self.books.new_owner(operation.seq);
        let taken = take_held(&mut self.books, &hold, operation.seq, row.points, row.booked_at)?;
        self.choose(operation, row.booked_at, taken.draws.len())?;
        self.charge(operation, row.booked_at, taken.draws.len())
    }

    fn send(&mut self, operation: &OperationRow, at: Instant) -> Result<()> {
        self.choose(operation, at, 0)?;
        for (no, _) in &operation.outcome.batches {
            let made = self.past.source.batch(*no)?;
            if let Some((from, points)) = made.and_then(|made| made.from_batch.map(|from| (from, made.amount))) {
                self.books.shift(from, Bucket::Remaining, Bucket::Moved, points, None)?;
            }
        }
        Ok(())
    }
}

/// What a retrace starts from: facts of the file, and nothing that is derived.
pub(crate) struct Past<'s> {
    source: &'s dyn Source,
    /// The operation being followed: nothing later is there yet.
    now: Cell<i64>,
}

impl<'s> Past<'s> {
    pub(crate) fn new(source: &'s dyn Source) -> Self {
        Past { source, now: Cell::new(0) }
    }
}

impl Source for Past<'_> {
    fn account_by_id(&self, _id: &AccountId) -> Result<Option<AccountRow>> {
        Ok(None)
    }

    fn account(&self, _no: i64) -> Result<Option<AccountRow>> {
        Ok(None)
    }

    fn next_account_no(&self) -> Result<i64> {
        self.source.next_account_no()
    }

    fn batch(&self, _no: BatchNo) -> Result<Option<BatchRow>> {
        Ok(None)
    }

    fn hold(&self, _operation: i64) -> Result<Option<HoldRow>> {
        Ok(None)
    }

    fn consume(&self, _operation: i64) -> Result<Option<ConsumeRow>> {
        Ok(None)
    }

    /// As they were made: what was settled or returned since is not there yet.
    fn allocations(&self, owner: i64) -> Result<Allocations> {
        let operation = self.source.operation_row(owner)?;
        Ok(Allocations::drawn(owner, operation.as_ref().map_or(&[], |row| &row.outcome.draws)))
    }

    fn operation(&self, seq: i64) -> Result<Option<OperationHead>> {
        self.source.operation(seq)
    }

    fn operation_row(&self, seq: i64) -> Result<Option<OperationRow>> {
        self.source.operation_row(seq)
    }

    fn find_key(&self, _account: Option<i64>, _kind: OpKind, _key: &Key) -> Result<Option<i64>> {
        Ok(None)
    }

    fn live_batches(&self, _account: i64, _after: Option<DrawKey>, _limit: usize) -> Result<Vec<BatchRow>> {
        Ok(Vec::new())
    }

    fn lapsed_batches(&self, _account: i64, _after: Instant, _until: Instant) -> Result<Vec<BatchRow>> {
        Ok(Vec::new())
    }

    fn dated_batches(&self, _account: i64, _after: Instant) -> Result<Vec<BatchRow>> {
        Ok(Vec::new())
    }

    fn long_holds(&self, _account: i64, _after: Instant) -> Result<Vec<HoldRow>> {
        Ok(Vec::new())
    }

    fn open_consumes(&self, _account: i64, _after: i64, _limit: usize) -> Result<Vec<ConsumeRow>> {
        Ok(Vec::new())
    }

    fn clawbacks(&self, batch: BatchNo) -> Result<Vec<ConsumeRow>> {
        let mut rows = self.source.clawbacks(batch)?;
        rows.retain(|row| row.operation <= self.now.get());
        Ok(rows)
    }

    fn due_batches(&self, _account: i64, _until: Instant, _limit: usize) -> Result<Vec<BatchRow>> {
        Ok(Vec::new())
    }

    fn due_holds(&self, _account: i64, _until: Instant, _limit: usize) -> Result<Vec<HoldRow>> {
        Ok(Vec::new())
    }

    fn next_due(&self, _account: i64, _batches: &[BatchNo], _holds: &[i64]) -> Result<Option<Instant>> {
        Ok(None)
    }

    fn would_fall_due(&self, _after: Instant, _until: Instant) -> Result<bool> {
        Ok(false)
    }

    fn price_book(&self, no: i64) -> Result<Option<PriceBook>> {
        self.source.price_book(no)
    }

    fn price_book_no(&self, hash: &[u8; 32]) -> Result<Option<i64>> {
        self.source.price_book_no(hash)
    }

    fn next_price_book_no(&self) -> Result<i64> {
        self.source.next_price_book_no()
    }
}
