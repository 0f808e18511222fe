//! One operation explained: the price and its rule, what paid and why it came first, the balances around it, and what
//! has become of it since.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::{Look, OperationInfo};
use super::order::{Late, Next, reasons};
use super::reckoning::Reckoning;
use super::since::{LatePay, Story, sums, together};
use super::step::Step;
use super::{Booked, is_false};
use crate::engine::{Books, Source};
use crate::error::{Error, Result};
use crate::model::{
    AccountId, AccountRow, AllocationRow, BatchId, BatchInfo, BatchNo, BatchRow, ConsumeRow, Entry, EntryKind,
    EntryRow, Figures, HUB_LATE_WINDOW, HoldInfo, HoldRow, MovementRow, OpKind, OperationId, Place, ReceivedRow,
    Settings, Totals, batch_no,
};
use crate::report::balance::before_entry;
use crate::report::shapes::{self, figures};
use crate::store;
use crate::units::{Instant, Points, or_never, utc, utc_option};

/// An operation with everything that explains it. JSON shape `counterfoil.explanation/1`: the operation, and more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Explanation {
    /// The operation; `refundable` and `open_now` as time has made them.
    #[serde(flatten)]
    pub operation: OperationInfo,
    /// Where its points come from: a caller who named them, or a rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reckoning: Option<Reckoning>,
    /// The batches it drew from, in order. Of a hold, those set aside; of a transfer, those moved from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paid_by: Vec<Payer>,
    /// Batches that have paid since for what it left open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settled_by: Vec<Payer>,
    /// The accounts it touched, the paying one first, with the balances before and after and its lines between.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sides: Vec<Side>,
    /// Where the points went that it brought back: of a refund or release all, of a capture those it did not take.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub went_to: Vec<Step>,
    /// What it paid of debts by bringing points, and which debts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settled: Vec<Step>,
    /// Of a write-off: the debts forgiven.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forgiven: Vec<Step>,
    /// The batches it made or changed, as they are now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub batches_now: Vec<BatchInfo>,
    /// The hold it made, captured, released or renewed, as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold_now: Option<HoldInfo>,
    /// Of a late capture: the hold's deadline, which had passed.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "utc_option")]
    pub passed_deadline: Option<DateTime<Utc>>,
    /// The account's credit limit at that time, where debt was left or credit reserved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit_limit: Option<Points>,
    /// Of a consume or capture: points refunded since. Of a revoke: what returned of its clawback.
    #[serde(default, skip_serializing_if = "Points::is_zero")]
    pub refunded: Points,
    /// Points written off since.
    #[serde(default, skip_serializing_if = "Points::is_zero")]
    pub written_off: Points,
    /// What was done to it since, or to what it made, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub since: Vec<Step>,
}

/// A batch that paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// Its expiry at that time; JSON `"never"` for none.
    #[serde(with = "or_never")]
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was made; on a device, of what its hub told of, since when its points can be spent.
    #[serde(with = "utc")]
    pub created_at: DateTime<Utc>,
    /// Points it paid.
    pub points: Points,
    /// Points of them returned since.
    #[serde(default, skip_serializing_if = "Points::is_zero")]
    pub returned: Points,
    /// Points of those that lapsed on their return, for the batch had expired.
    #[serde(default, skip_serializing_if = "Points::is_zero")]
    pub lapsed: Points,
    /// Set aside beforehand, by the hold or for the device.
    #[serde(default, skip_serializing_if = "is_false")]
    pub held: bool,
    /// Of a debt: when it paid.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "utc_option")]
    pub paid_at: Option<DateTime<Utc>>,
    /// Of a debt: the operation that brought it about; none when time did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid_in: Option<OperationId>,
    /// Why it came before the next. Of a debt nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What an operation did to one account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// Of what a device heard of its hub: by how much it changed each of the account's totals. What the hub had got of the device's own is
    /// in them as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<Totals>,
}

/// So many accounts of a reconcile are told of.
const MOST_SIDES: usize = 100;
/// Batches looked at for the next in the draw order.
const NEXT: usize = 1000;

/// How many of its draws a hold or an allotment had set aside: the first ones.
fn set_aside(lines: &[EntryRow]) -> usize {
    // A hold on what was set aside for this device moves nothing.
    let hold = lines.iter().filter(|line| line.kind == EntryKind::Hold);
    if hold.flat_map(|line| line.movements.first()).any(|it| it.from == Place::Held) {
        return usize::MAX;
    }
    let charge = lines.iter().filter(|line| matches!(line.kind, EntryKind::Capture | EntryKind::Consume));
    let of_another = |it: &&MovementRow| it.to == Place::Used && it.operation.is_some() && it.points > 0;
    charge.flat_map(|line| &line.movements).filter(of_another).count()
}

impl Look<'_, '_> {
    /// An operation explained.
    pub(crate) fn explain(&self, id: &OperationId) -> Result<Explanation> {
        let booked = Booked::read(&self.source, self.known(id)?)?;
        let mut told = Explanation {
            operation: self.operation_info(&booked.row, None)?,
            reckoning: self.reckoning(&booked)?,
            paid_by: Vec::new(),
            settled_by: Vec::new(),
            sides: Vec::new(),
            went_to: Vec::new(),
            settled: Vec::new(),
            forgiven: Vec::new(),
            batches_now: Vec::new(),
            hold_now: None,
            passed_deadline: None,
            credit_limit: None,
            refunded: Points::ZERO,
            written_off: Points::ZERO,
            since: Vec::new(),
        };
        let (Some((no, _)), Some(last)) = (&booked.row.account, booked.row.entry) else {
            told.sides = self.told_of(&booked)?;
            return Ok(told);
        };
        let stored = self.account_row(*no)?;
        let receiver = self.receiver(&booked)?;
        let mut own = self.caught_up(stored, None)?;
        let lines = self.lines_until(*no, last, booked.row.seq)?;
        let received = receiver.as_ref().map(|row| self.lines_at(row, &booked.row)).transpose()?.unwrap_or_default();
        told.sides.extend(self.side(&own.1, &lines)?);
        if let Some(receiver) = &receiver {
            told.sides.extend(self.side(receiver, &received)?);
        }
        let receiver = receiver.map(|row| self.caught_up(row, None)).transpose()?;
        let consume = self.consume_of(&mut own.0, &booked, &lines)?;
        if let Some(consume) = &consume {
            (told.refunded, told.written_off) =
                (Points::booked(consume.refunded)?, Points::booked(consume.written_off)?);
            told.operation.open_now = Some(Points::booked(consume.open)?);
            let refundable = (booked.row.kind != OpKind::Revoke).then(|| Points::booked(consume.refundable()));
            told.operation.refundable = refundable.transpose()?;
        }
        self.batches_now(&mut told, &booked, receiver.as_ref().unwrap_or(&own))?;
        self.hold_now(&mut told, &booked, &own.0)?;
        let draws = self.draws(&booked)?;
        let mut story = Story::new(&booked, &draws);
        self.tell(&mut story, (&own.0, &own.1), &lines)?;
        if let Some((books, to, _)) = &receiver {
            self.tell(&mut story, (books, to), &received)?;
        }
        self.circumstances(&mut told, &booked)?;
        self.payers(&mut told, (&booked, &lines), (&mut own.0, &own.1), &draws, &story)?;
        story.since.sort_by_key(|since| since.at);
        (told.went_to, told.settled, told.forgiven, told.since) =
            (story.went_to, story.settled, story.forgiven, story.since);
        Ok(told)
    }

    /// Of a reconcile: the accounts that changed, some of them when there are very many.
    fn told_of(&self, booked: &Booked) -> Result<Vec<Side>> {
        let mut sides = Vec::new();
        if booked.row.kind != OpKind::Reconcile {
            return Ok(sides);
        }
        let read = |after, page| store::received_page(self.session, after, page);
        for row in store::pages((booked.row.seq, 0), 64, read, |row: &ReceivedRow| (row.operation, row.n)) {
            let row = row?;
            if row.operation != booked.row.seq || sides.len() >= MOST_SIDES {
                break;
            }
            let account = self.account_row(row.account)?;
            let lines = self.lines_at(&account, &booked.row)?;
            let elsewhere = row.totals_change.as_deref().map(serde_json::from_str).transpose();
            let elsewhere = elsewhere.map_err(|error| Error::corrupt(format!("received.totals_change: {error}")))?;
            let side = self.side(&account, &lines)?;
            sides.extend(side.map(|side| Side { elsewhere: elsewhere.map(Totals::of_list), ..side }));
        }
        Ok(sides)
    }

    /// What of the circumstances is worth telling.
    fn circumstances(&self, told: &mut Explanation, booked: &Booked) -> Result<()> {
        let outcome = &booked.row.outcome;
        let deadline = outcome.hold.map(|(.., deadline)| Instant::clamped(deadline));
        if let (OpKind::Capture, Some((hold, ..))) = (booked.row.kind, outcome.hold) {
            let ended = store::references(self.session, hold, Some(EntryKind::HoldExpire))?;
            told.passed_deadline = deadline.filter(|_| !ended.is_empty()).map(Instant::utc);
        }
        let unbacked = told
            .hold_now
            .as_ref()
            .filter(|_| booked.row.kind == OpKind::Hold)
            .map_or(Points::ZERO, |hold| hold.unbacked);
        let limit = (outcome.open > 0 || unbacked > 0).then(|| Points::booked(outcome.before.unwrap_or(0)));
        told.credit_limit = limit.transpose()?;
        Ok(())
    }

    /// The file's window for late uses before an operation: as the last one that set it has left it, or its default.
    fn late_window_before(&self, seq: i64) -> Result<i64> {
        let mut before = seq;
        while let Some(seq) = store::configured_before(self.session, before)? {
            let earlier = Booked::read(&self.source, seq)?;
            let number = |name| earlier.body.get(name).and_then(Value::as_i64);
            let set = match earlier.row.kind {
                OpKind::Enrol => number("late_window"),
                OpKind::BecomeHub => earlier.row.outcome.before.map(|_| HUB_LATE_WINDOW),
                _ => number("value").filter(|_| earlier.text("setting").as_deref() == Some("late_window")),
            };
            if let Some(set) = set {
                return Ok(set);
            }
            before = seq;
        }
        Ok(Settings::default().late_window)
    }

    /// The account that received a transfer.
    fn receiver(&self, booked: &Booked) -> Result<Option<AccountRow>> {
        let Some(to) = booked.text("to").filter(|_| booked.row.kind == OpKind::Transfer) else { return Ok(None) };
        let id = AccountId::new(to)?;
        let row = self.source.account_by_id(&id)?;
        row.map(Some).ok_or_else(|| Error::corrupt(format!("account {id} is referred to and not there")))
    }

    fn side(&self, account: &AccountRow, lines: &[EntryRow]) -> Result<Option<Side>> {
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return Ok(None) };
        let show = |row| shapes::entry(&self.source, self.writers, &account.id, row, false);
        Ok(Some(Side {
            account: account.id.clone(),
            before: figures(before_entry(first)?)?,
            after: figures(last.after)?,
            lines: lines.iter().map(show).collect::<Result<_>>()?,
            elsewhere: None,
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

    /// The batches it made or changed, all of one account; of a transfer, the receiver's.
    fn batches_now(
        &self,
        told: &mut Explanation,
        booked: &Booked,
        (books, account, now): &(Books<'_>, AccountRow, Instant),
    ) -> Result<()> {
        for (no, _) in &booked.row.outcome.batches {
            let row = self.batch_row(books, *no)?;
            let shown = row.map(|row| shapes::batch(self.writers, &account.id, &row, *now));
            told.batches_now.extend(shown.transpose()?);
        }
        Ok(())
    }

    fn hold_now(&self, told: &mut Explanation, booked: &Booked, books: &Books<'_>) -> Result<()> {
        if let (Some((no, ..)), Some((_, account))) = (booked.row.outcome.hold, &booked.row.account) {
            let hold = self.hold_row(books, no)?;
            let slices = self.source.allocations(no)?.rows;
            let shown = |hold| shapes::hold(&self.source, self.writers, account, &hold, &slices);
            told.hold_now = hold.map(shown).transpose()?;
        }
        Ok(())
    }

    /// A hold with what time has done to it.
    pub(super) fn hold_row(&self, books: &Books<'_>, no: i64) -> Result<Option<HoldRow>> {
        match books.held_hold(no) {
            Some(hold) => Ok(Some(hold.clone())),
            None => self.source.hold(no),
        }
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
        (booked, lines): (&Booked, &[EntryRow]),
        (books, account): (&mut Books<'_>, &AccountRow),
        draws: &[(BatchNo, i64)],
        story: &Story,
    ) -> Result<()> {
        let now = self.allocations_now(books, booked.row.seq)?;
        let aside = set_aside(lines).min(draws.len());
        let (held, chosen) = draws.split_at_checked(aside).unwrap_or((&[], draws));
        let late = self.late(booked)?;
        let first = lines.first().map_or(0, |line| line.n);
        let then = |draws| -> Result<Vec<(BatchRow, i64)>> {
            let draws = together(draws)?.into_iter();
            draws.map(|(no, points)| Ok((self.payer_then(books, no, first)?, points))).collect()
        };
        let (held, chosen) = (then(held)?, then(chosen)?);
        let next = self.next_in_order(books, account, (booked, lines), &chosen)?;
        let why = reasons(&chosen, &next, booked.row.booked_at, late.as_ref());
        let by_hold = match told.passed_deadline {
            Some(_) => "set aside by the hold until its deadline",
            None if booked.row.kind != OpKind::Capture || booked.row.outcome.hold.is_none() => {
                "set aside for the device"
            }
            None => "set aside by the hold",
        };
        // The allocations of the same draws. What a hold's slices returned is the hold's end, and told there.
        let own: &[AllocationRow] = match booked.row.kind {
            OpKind::Hold => &[],
            _ => now.get(..draws.len()).unwrap_or_default(),
        };
        let (held_now, chosen_now) = own.split_at_checked(aside).unwrap_or((&[], own));
        // A refund returns the last draws first: what lapsed of a batch is of its first ones.
        let mut lapsed = story.lapsed.clone();
        let mut lapsed_of = |no: BatchNo, returned: i64| {
            let left = lapsed.entry(no).or_default();
            let part = returned.min(*left);
            *left = left.saturating_sub(part);
            part
        };
        for (draws, now, held) in [(held, held_now, true), (chosen, chosen_now, false)] {
            let returned = sums(now.iter().map(|part| (part.batch, part.returned)))?;
            for (batch, points) in draws {
                let no = batch.no;
                let returned = returned.get(&no).copied().unwrap_or(0);
                let why = if held { Some(by_hold.into()) } else { why.get(&no).cloned() };
                let (lapsed, returned) = (Points::booked(lapsed_of(no, returned))?, Points::booked(returned)?);
                told.paid_by.push(Payer { returned, lapsed, why, held, ..self.payer(&batch, points)? });
            }
        }
        let later: Vec<&AllocationRow> = now.iter().skip(draws.len()).collect();
        for (place, pay) in story.late_pay.iter().enumerate() {
            let LatePay { batch, points, n, at, operation } = pay;
            let batch = self.payer_then(books, *batch, *n)?;
            let returned = later.get(place).map_or(0, |part| part.returned);
            told.settled_by.push(Payer {
                returned: Points::booked(returned)?,
                lapsed: Points::booked(lapsed_of(batch.no, returned))?,
                paid_at: Some(at.utc()),
                paid_in: operation.map(|seq| self.writers.operation(seq)),
                ..self.payer(&batch, *points)?
            });
        }
        Ok(())
    }

    /// Of a late use that brought points back: what let it.
    fn late(&self, booked: &Booked) -> Result<Option<Late>> {
        let occurred = booked.row.outcome.occurred_at.filter(|_| booked.row.outcome.reinstated > 0);
        let Some(occurred) = occurred.map(Instant::clamped) else { return Ok(None) };
        let window = self.late_window_before(booked.row.seq)?;
        Ok(Some(Late { occurred, window }))
    }

    /// The first batch in the draw order after those it chose that had points then.
    fn next_in_order(
        &self,
        books: &Books<'_>,
        account: &AccountRow,
        (booked, lines): (&Booked, &[EntryRow]),
        chosen: &[(BatchRow, i64)],
    ) -> Result<Next> {
        let (Some((last, _)), Some(line)) = (chosen.last(), lines.first()) else { return Ok(Next::Nothing) };
        let at = booked.row.booked_at;
        let made = store::batches_before(self.session, account.no, batch_no(booked.row.seq, 0), NEXT)?;
        if made.len() >= NEXT {
            return Ok(Next::Unknown);
        }
        let mut there = Vec::new();
        for row in made {
            let batch = books.held_batch(row.no).cloned().unwrap_or(row);
            let batch = BatchRow { expires_at: self.end_before(&batch, line.n)?, ..batch };
            let begun = !batch.dated || batch.effective_at <= at;
            if begun && !batch.is_expired(at) && batch.draw_key() > last.draw_key() {
                there.push(batch);
            }
        }
        there.sort_by_key(BatchRow::draw_key);
        let had = self.had_points(books, account, line.n, &there)?;
        for batch in there {
            match had.get(&batch.no) {
                Some(0) => {}
                Some(_) => return Ok(Next::Batch(batch.draw_key())),
                None => return Ok(Next::Unknown),
            }
        }
        Ok(Next::Nothing)
    }

    /// A batch that paid, with its end as it was before that line.
    fn payer_then(&self, books: &Books<'_>, no: BatchNo, n: i64) -> Result<BatchRow> {
        let lost = || Error::corrupt(format!("batch {no} is referred to and not there"));
        let batch = self.batch_row(books, no)?.ok_or_else(lost)?;
        Ok(BatchRow { expires_at: self.end_before(&batch, n)?, ..batch })
    }

    fn payer(&self, batch: &BatchRow, points: i64) -> Result<Payer> {
        // Of what was made at the hub a device knows only since when it can be spent.
        let made = self.source.operation_row(batch.operation())?.map_or(batch.effective_at, |made| made.booked_at);
        Ok(Payer {
            batch: self.writers.batch(batch.no),
            source: batch.source.to_string(),
            promo: batch.promo,
            priority: batch.priority,
            expires_at: batch.expires_at.map(Instant::utc),
            created_at: made.utc(),
            points: Points::booked(points)?,
            returned: Points::ZERO,
            lapsed: Points::ZERO,
            held: false,
            paid_at: None,
            paid_in: None,
            why: None,
        })
    }
}
