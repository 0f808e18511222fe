//! One operation explained: the price and its rule, what paid and why it came first, the balances around it, and what
//! has become of it since.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::super::{Look, OperationInfo};
use super::order::Moment;
use super::since::{Later, Since, Watched};
use super::{Booked, is_false, is_zero};
use crate::engine::{Books, Source, parse_body};
use crate::error::{Error, Result};
use crate::model::{
    AccountId, AccountRow, Action, AllocationRow, BatchId, BatchInfo, BatchNo, CaptureAmount, Command, ConsumeRow,
    Entry, EntryKind, EntryRow, Figures, HoldInfo, OpKind, OperationId,
};
use crate::pricing::{DEFAULT_EXPIRATION_DAYS, PriceBook};
use crate::report::balance::before_entry;
use crate::report::shapes::{self, figures};
use crate::store::Forward;
use crate::units::{add, serialize_utc, serialize_utc_option};

/// An operation with everything that explains it. JSON shape `counterfoil.explanation/1`: the operation, and more.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The operation; `refundable` and `open_now` as time has made them.
    #[serde(flatten)]
    pub operation: OperationInfo,
    /// Where its points come from: a caller who named them, or a rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reckoning: Option<Reckoning>,
    /// The batches it drew from, in order. Of a hold, those set aside; of a transfer, those moved from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paid_by: Vec<Payer>,
    /// Batches that have paid since for what it left open.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub settled_by: Vec<Payer>,
    /// The accounts it touched, the paying one first, with the balances before and after and its lines between.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sides: Vec<Side>,
    /// The batches it made or changed, as they are now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub batches: Vec<BatchInfo>,
    /// The hold it made, captured, released or renewed, as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldInfo>,
    /// Of a consume or capture: points refunded since. Of a revoke: what returned of its clawback.
    #[serde(skip_serializing_if = "is_zero")]
    pub refunded: i64,
    /// Points written off since.
    #[serde(skip_serializing_if = "is_zero")]
    pub written_off: i64,
    /// What was done to it since, or to what it made, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub since: Vec<Since>,
}

/// How the points of an operation came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Reckoning {
    /// `caller` (points were named), `rule` (a price book decided), or `estimate` (an upper bound by a price book).
    pub by: &'static str,
    /// What was asked for; less may have been booked with policy `up_to`.
    pub points: i64,
    /// The rule in words, with the numbers put in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Hash of the price book that holds the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_book: Option<String>,
    /// The hold that pinned the price book.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned_by: Option<OperationId>,
}

/// A batch that paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Payer {
    /// The batch.
    pub batch: BatchId,
    /// Where its points came from.
    pub source: String,
    /// Promotional, or paid for.
    pub promo: bool,
    /// Lower is drawn first.
    pub priority: i64,
    /// Its expiry at that time; none: never.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "serialize_utc_option")]
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was made.
    #[serde(serialize_with = "serialize_utc")]
    pub created_at: DateTime<Utc>,
    /// Points it paid.
    pub points: i64,
    /// Points of them returned since.
    #[serde(skip_serializing_if = "is_zero")]
    pub returned: i64,
    /// Set aside by the hold beforehand.
    #[serde(skip_serializing_if = "is_false")]
    pub held: bool,
    /// Why it came before the next, where that can be proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What an operation did to one account.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Side {
    /// The account.
    pub account: AccountId,
    /// The five figures before.
    pub before: Figures,
    /// The five figures after: those before, and the changes of all lines.
    pub after: Figures,
    /// The operation's own line and those that followed from it.
    pub lines: Vec<Entry>,
}

impl Look<'_, '_> {
    /// An operation explained.
    pub(crate) fn explain(&self, id: &OperationId) -> Result<Explanation> {
        let booked = Booked::read(&self.source, self.known(id)?)?;
        let mut told = Explanation {
            operation: self.operation(id)?,
            reckoning: self.reckoning(&booked)?,
            paid_by: Vec::new(),
            settled_by: Vec::new(),
            sides: Vec::new(),
            batches: Vec::new(),
            hold: None,
            refunded: 0,
            written_off: 0,
            since: Vec::new(),
        };
        let (Some((no, _)), Some(last)) = (&booked.row.account, booked.row.entry) else { return Ok(told) };
        let stored = self.account_row(*no)?;
        let (mut books, account, _) = self.caught_up(stored, None)?;
        let lines = self.lines_until(*no, last, booked.row.seq)?;
        let Some(first) = lines.first() else { return Ok(told) };
        let left = lines.iter().find(|line| is_draw(line.kind)).map_or(0, |line| line.after.available);
        let moment = Moment { seq: booked.row.seq, n: first.n, at: booked.row.booked_at, left };
        self.sides(&mut told, &booked, &account, &lines)?;
        let consume = self.consume_of(&mut books, &booked, &lines)?;
        if let Some(consume) = &consume {
            (told.refunded, told.written_off) = (consume.refunded, consume.written_off);
            told.operation.open_now = Some(consume.open);
            told.operation.refundable = told.operation.refundable.map(|_| consume.refundable());
        }
        self.batches_and_hold(&mut told, &booked, &books)?;
        let draws = self.draws(&booked)?;
        let now = self.allocations_now(&mut books, booked.row.seq)?;
        let made = booked.row.outcome.batches.iter().map(|(no, _)| *no);
        let own_hold = if booked.row.kind == OpKind::Hold { Some(books.hold(booked.row.seq)?.clone()) } else { None };
        let watched = Watched {
            operation: *id,
            paid: now.iter().map(|part| part.batch).collect(),
            made: made.collect(),
            hold: own_hold,
            written_off: told.written_off,
        };
        let later = self.later(&books, &account, last, &watched)?;
        self.payers(&mut told, &booked, (&books, &account), &draws, &now, (&moment, &later))?;
        told.since = later.events;
        Ok(told)
    }

    fn account_row(&self, no: i64) -> Result<AccountRow> {
        let lost = || Error::corrupt(format!("account number {no} is referred to and not there"));
        self.source.account(no)?.ok_or_else(lost)
    }

    /// An operation's lines in an account, the last of which is known.
    fn lines_until(&self, account: i64, last: i64, seq: i64) -> Result<Vec<EntryRow>> {
        let mut lines = Vec::new();
        self.walk(account, 1, last, Forward::Newest, |row| {
            let mine = row.operation == Some(seq);
            if mine {
                lines.push(row);
            }
            mine
        })?;
        lines.reverse();
        Ok(lines)
    }

    fn sides(&self, told: &mut Explanation, booked: &Booked, account: &AccountRow, lines: &[EntryRow]) -> Result<()> {
        told.sides.extend(self.side(account, lines)?);
        if let Some(to) = booked.text("to").filter(|_| booked.row.kind == OpKind::Transfer) {
            let id = AccountId::new(to)?;
            let row = self.source.account_by_id(&id)?;
            let row = row.ok_or_else(|| Error::corrupt(format!("account {id} is referred to and not there")))?;
            let first = self.number_before(row.no, row.entries, booked.row.booked_at.utc())?.saturating_add(1);
            let mut received = Vec::new();
            self.walk(row.no, first, row.entries, Forward::Oldest, |line| {
                let (mine, over) = (line.operation == Some(booked.row.seq), line.booked_at > booked.row.booked_at);
                if mine {
                    received.push(line);
                }
                !over && (mine || received.is_empty())
            })?;
            told.sides.extend(self.side(&row, &received)?);
        }
        Ok(())
    }

    fn side(&self, account: &AccountRow, lines: &[EntryRow]) -> Result<Option<Side>> {
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return Ok(None) };
        let show = |row| shapes::entry(&self.source, self.writers, &account.id, row, false);
        Ok(Some(Side {
            account: account.id.clone(),
            before: figures(before_entry(first)?),
            after: figures(last.after),
            lines: lines.iter().map(show).collect::<Result<_>>()?,
        }))
    }

    /// The consume it is: by the row of its own, or plainly paid. Of a revoke, its clawback.
    fn consume_of(&self, books: &mut Books<'_>, booked: &Booked, lines: &[EntryRow]) -> Result<Option<ConsumeRow>> {
        let clawback = lines.iter().any(|line| line.kind == EntryKind::Clawback);
        match booked.row.kind {
            OpKind::Consume | OpKind::Capture => books.consume(booked.row.seq).cloned().map(Some),
            OpKind::Revoke if clawback => books.consume(booked.row.seq).cloned().map(Some),
            _ => Ok(None),
        }
    }

    fn batches_and_hold(&self, told: &mut Explanation, booked: &Booked, books: &Books<'_>) -> Result<()> {
        for (no, _) in &booked.row.outcome.batches {
            let Some(stored) = self.source.batch(*no)? else { continue };
            let (own, account, now) = self.caught_up(self.account_row(stored.account)?, None)?;
            let row = self.batch_row(&own, *no)?.unwrap_or(stored);
            told.batches.push(shapes::batch(self.writers, &account.id, &row, now));
        }
        if let (Some((no, ..)), Some((_, account))) = (booked.row.outcome.hold, &booked.row.account) {
            let caught_up = books.held_holds().find(|hold| hold.operation == no).cloned();
            let hold = caught_up.map_or_else(|| self.source.hold(no), |hold| Ok(Some(hold)))?;
            let slices = self.source.allocations(no)?.rows;
            told.hold = hold.map(|hold| shapes::hold(self.writers, account, &hold, &slices));
        }
        Ok(())
    }

    /// The batches an operation drew from itself, in order.
    fn draws(&self, booked: &Booked) -> Result<Vec<(BatchNo, i64)>> {
        if booked.row.kind != OpKind::Transfer {
            return Ok(booked.row.outcome.draws.clone());
        }
        let mut draws = Vec::new();
        for (no, _) in &booked.row.outcome.batches {
            let made = self.source.batch(*no)?;
            draws.extend(made.and_then(|made| made.from_batch.map(|from| (from, made.amount))));
        }
        Ok(draws)
    }

    fn payers(
        &self,
        told: &mut Explanation,
        booked: &Booked,
        (books, account): (&Books<'_>, &AccountRow),
        draws: &[(BatchNo, i64)],
        now: &[AllocationRow],
        (moment, later): (&Moment, &Later),
    ) -> Result<()> {
        let own = self.together(draws)?;
        let slices: BTreeSet<BatchNo> = match (booked.row.kind, booked.row.outcome.hold) {
            (OpKind::Capture, Some((hold, ..))) => {
                self.source.allocations(hold)?.rows.iter().map(|slice| slice.batch).collect()
            }
            _ => BTreeSet::new(),
        };
        let mut drawn = Vec::new();
        let mut rows = BTreeMap::new();
        for no in draws.iter().map(|(no, _)| *no).chain(now.iter().map(|part| part.batch)) {
            let lost = || Error::corrupt(format!("batch {no} is referred to and not there"));
            rows.insert(no, self.batch_row(books, no)?.ok_or_else(lost)?);
        }
        for (no, _) in own.iter().filter(|(no, _)| !slices.contains(no)) {
            if let Some(row) = rows.get(no) {
                drawn.push((*no, self.key_at(account, row, moment, later)?));
            }
        }
        let reasons = self.reasons(books, account, &drawn, moment, later)?;
        let returned = |no: BatchNo, from: usize, until: usize| {
            let mut parts = now.iter().skip(from).take(until.saturating_sub(from)).filter(|part| part.batch == no);
            parts.try_fold(0, |sum, part| add(sum, part.returned))
        };
        let payer = |no: BatchNo, points: i64, returned: i64| -> Result<Option<Payer>> {
            let Some(row) = rows.get(&no) else { return Ok(None) };
            let key = self.key_at(account, row, moment, later)?;
            let expires_at = (key.expires_at != i64::MAX).then(|| DateTime::from_timestamp_millis(key.expires_at));
            Ok(Some(Payer {
                batch: self.writers.batch(no),
                source: row.source.to_string(),
                promo: row.promo,
                priority: row.priority,
                expires_at: expires_at.flatten(),
                created_at: Booked::read(&self.source, row.operation())?.row.booked_at.utc(),
                points,
                returned,
                held: slices.contains(&no),
                why: reasons.get(&no).cloned(),
            }))
        };
        for (no, points) in own {
            let back = if booked.row.kind == OpKind::Hold { 0 } else { returned(no, 0, draws.len())? };
            told.paid_by.extend(payer(no, points, back)?);
        }
        let later: Vec<(BatchNo, i64)> = now.iter().skip(draws.len()).map(|part| (part.batch, part.points)).collect();
        for (no, points) in self.together(&later)? {
            let back = returned(no, draws.len(), now.len())?;
            told.settled_by.extend(payer(no, points, back)?.map(|payer| Payer { why: None, held: false, ..payer }));
        }
        Ok(())
    }

    /// How the points came about: the rule is put to the usage again, by the very book it was priced by.
    fn reckoning(&self, booked: &Booked) -> Result<Option<Reckoning>> {
        let row = &booked.row;
        let account = row.account.as_ref().map(|(_, id)| id.clone());
        let book = match row.price_book {
            Some((no, _)) => self.source.price_book(no)?,
            None => None,
        };
        let hash = row.price_book.map(|(_, hash)| shapes::hex(&hash));
        let named = |points| Some(Reckoning { by: "caller", points, rule: None, price_book: None, pinned_by: None });
        let command = Command::stored(row.kind, account, row.key.clone(), &parse_body(row)?)?;
        let (by, service, usage, pinned_by) = match command.action {
            Action::Consume { points: Some(points), .. } | Action::Hold { points: Some(points), .. } => {
                return Ok(named(points));
            }
            Action::Capture { amount: CaptureAmount::Points(points) } => return Ok(named(points)),
            Action::Recharge { points, ref source, expiry, promo, .. } => {
                let rule = recharge_words(book.as_ref(), source, expiry.is_none(), promo.is_none());
                let price_book = hash.filter(|_| !rule.is_empty());
                let rule = (!rule.is_empty()).then(|| rule.join("; "));
                return Ok(Some(Reckoning { by: "caller", points, rule, price_book, pinned_by: None }));
            }
            Action::Consume { service, usage, .. } => ("rule", service, usage, None),
            Action::Hold { service, usage, .. } => ("estimate", service, usage, None),
            Action::Capture { amount: CaptureAmount::Usage(usage) } => {
                let hold = row.outcome.hold.map(|(hold, ..)| self.writers.operation(hold));
                ("rule", row.outcome.service.clone(), Some(usage), hold)
            }
            _ => return Ok(None),
        };
        let (Some(book), Some(service)) = (book, service) else { return Ok(None) };
        let priced = if by == "estimate" {
            book.estimate(&service, usage.as_ref())
        } else {
            book.price(&service, usage.as_ref())
        };
        let priced = priced.map_err(crate::engine::price_error)?;
        Ok(Some(Reckoning { by, points: priced.points, rule: Some(priced.rule), price_book: hash, pinned_by }))
    }
}

/// Lines whose balance shows what a draw left.
fn is_draw(kind: EntryKind) -> bool {
    matches!(kind, EntryKind::Consume | EntryKind::Capture | EntryKind::Hold | EntryKind::TransferOut)
}

/// What a price book decided of a recharge.
fn recharge_words(book: Option<&PriceBook>, source: &str, expiry: bool, promo: bool) -> Vec<String> {
    let mut words = Vec::new();
    if expiry {
        let days = book.map_or(DEFAULT_EXPIRATION_DAYS, PriceBook::expiration_days);
        let by = if book.is_some() { "the price book's" } else { "the usual" };
        words.push(format!("no expiry was named: {by} {days} days"));
    }
    if promo && book.is_some_and(|book| book.is_promo(source)) {
        words.push(format!("`{source}` is among the price book's promotional sources"));
    }
    words
}
