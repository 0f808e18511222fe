//! Hold, capture, release, renew: points set aside for a job in progress.

use super::Booking;
use super::Target;
use super::allot::{keep, put_back, sum};
use super::books::Books;
use super::catch_up::{end, resolve};
use super::consume::{credit_left, no_book};
use super::draw::{Tally, coverable, draw, give_back};
use crate::error::{Error, Result};
use crate::model::{Action, BatchNo, CaptureAmount, EntryKind, HoldRow, HoldState, Place};
use crate::units::{Instant, add, sub};

impl Booking<'_, '_> {
    fn target_hold(&mut self) -> Result<HoldRow> {
        match self.target {
            Target::Hold(operation) => self.books.hold(operation).cloned(),
            _ => Err(Error::corrupt("a hold operation has no hold")),
        }
    }

    fn hold_closed(&self, hold: &HoldRow) -> Result<Error> {
        let head = self.books.source().operation(hold.operation)?;
        let id = head.map_or_else(|| hold.operation.to_string(), |head| head.writer.hold(head.seq).to_string());
        Ok(Error::HoldClosed { hold: id, state: hold.phase.as_str() })
    }

    fn open_hold(&mut self) -> Result<HoldRow> {
        let hold = self.target_hold()?;
        if hold.phase == HoldState::Open { Ok(hold) } else { Err(self.hold_closed(&hold)?) }
    }

    /// The instant a hold ends by itself, within `max_hold` of now.
    fn deadline(&self, millis: i64) -> Result<Instant> {
        let longest = self.context.ledger.settings.max_hold;
        if millis > longest.saturating_mul(1000) {
            return Err(Error::invalid(
                "deadline_seconds",
                format!("{} seconds is longer than max_hold", millis / 1000),
                format!(
                    "give at most {longest} seconds, or raise the setting max_hold; a running job can renew its hold"
                ),
            ));
        }
        self.now.plus("deadline_seconds", millis)
    }

    fn show_hold(&mut self, operation: i64) -> Result<()> {
        let hold = self.books.hold(operation)?;
        self.outcome.hold = Some((operation, hold.phase.code(), hold.deadline.millis()));
        Ok(())
    }

    pub(super) fn hold(&mut self, action: &Action) -> Result<()> {
        let Action::Hold { points, service, usage, price_book, deadline } = action else { return Ok(()) };
        let quoted_by = price_book.map(|hash| self.quoting_book(&hash)).transpose()?;
        let points = match (points, service) {
            (Some(points), _) => {
                self.label(service.as_deref(), usage.as_ref());
                *points
            }
            (None, Some(service)) => {
                let book = quoted_by.as_deref().or(self.context.book).ok_or_else(no_book)?;
                self.priced(book, service, usage.as_ref(), true)?
            }
            (None, None) => return Err(Error::invalid("points", "are missing", "give points or a service")),
        };
        if service.is_some() && quoted_by.is_none() {
            self.name_book()?;
        }
        let deadline = self.deadline(*deadline)?;
        let parts = self.allotted(points)?;
        let allotted = sum(&parts)?;
        let rest = if self.is_allotted() { 0 } else { points };
        let covered = coverable(&mut self.books, self.account, rest, &[])?;
        if self.is_allotted() { self.check_allotted(points, allotted) } else { self.check_covered(points, covered) }?;
        let unbacked = sub(sub(points, allotted)?, covered)?;
        self.points = points;
        self.books.new_owner(self.seq);
        let draws = &mut self.outcome.draws;
        keep(&mut self.books, self.seq, &parts, draws)?;
        draw(&mut self.books, self.account, self.seq, covered, Place::Held, Vec::new(), draws)?;
        self.allotted = parts;
        let row = self.books.account_mut(self.account)?;
        row.unbacked = add(row.unbacked, unbacked)?;
        if unbacked > 0 {
            self.outcome.before = Some(row.credit_limit);
        }
        self.books.add_hold(HoldRow {
            operation: self.seq,
            account: self.account,
            points,
            unbacked,
            deadline,
            phase: HoldState::Open,
            service: service.clone(),
            price_book: self.price_book.map(|(no, _)| no),
        })?;
        self.show_hold(self.seq)?;
        self.post(EntryKind::Hold, points, None)
    }

    pub(super) fn release(&mut self) -> Result<()> {
        let hold = self.open_hold()?;
        let mut tally = Tally::default();
        resolve(&mut self.books, hold.operation, HoldState::Released, self.now, &mut tally)?;
        self.show_hold(hold.operation)?;
        self.tally(tally);
        self.points = hold.points;
        self.post(EntryKind::Release, hold.points, None)?;
        self.settle(self.account)
    }

    pub(super) fn tally(&mut self, tally: Tally) {
        self.outcome.restored = tally.restored;
        self.outcome.lapsed = tally.lapsed;
    }

    pub(super) fn renew(&mut self, deadline: i64) -> Result<()> {
        let hold = self.open_hold()?;
        let deadline = self.deadline(deadline)?;
        self.outcome.before = Some(hold.deadline.millis());
        self.books.change_hold(hold.operation, |row| row.deadline = deadline)?;
        self.books.concern(hold.operation, Place::Held, Place::Available);
        self.show_hold(hold.operation)?;
        self.post(EntryKind::Renew, 0, None)
    }

    pub(super) fn capture(&mut self, amount: &CaptureAmount, capped: Option<bool>) -> Result<()> {
        let hold = self.target_hold()?;
        if !matches!(hold.phase, HoldState::Open | HoldState::Expired) {
            return Err(self.hold_closed(&hold)?);
        }
        let asked = self.capture_points(&hold, amount)?;
        // Work that was to cost nothing is not charged without a word.
        let points = if capped.unwrap_or(hold.points == 0) { asked.min(hold.points) } else { asked };
        self.outcome.short = sub(asked, points)?;
        self.reopen_if_closed()?;
        self.points = points;
        self.books.new_owner(self.seq);
        let taken = take_held(&mut self.books, &hold, self.seq, points, self.now)?;
        self.tally(taken.tally);
        self.outcome.reinstated = taken.reinstated;
        self.outcome.draws = taken.draws;
        self.allotted = taken.allotted;
        let mut open = points;
        for (_, part) in &self.outcome.draws {
            open = sub(open, *part)?;
        }
        let account = self.books.account(self.account)?;
        let credit_left = credit_left(account)?;
        // An ordinary draw covers what the slices did not.
        let draws = &mut self.outcome.draws;
        let drawn = draw(&mut self.books, self.account, self.seq, open, Place::Used, Vec::new(), draws)?;
        open = sub(open, drawn)?;
        self.outcome.over_limit = open > 0 && open > credit_left;
        let row = self.books.account_mut(self.account)?;
        row.totals.consumed = add(row.totals.consumed, points)?;
        self.leave_open(points, open)?;
        self.show_hold(hold.operation)?;
        self.post(EntryKind::Capture, points, None)?;
        self.settle(self.account)
    }

    fn capture_points(&mut self, hold: &HoldRow, amount: &CaptureAmount) -> Result<i64> {
        match amount {
            CaptureAmount::Held | CaptureAmount::Points(_) => {
                self.outcome.service.clone_from(&hold.service);
                Ok(if let CaptureAmount::Points(points) = amount { *points } else { hold.points })
            }
            CaptureAmount::Usage(usage) => {
                let service = hold.service.as_deref().ok_or_else(|| {
                    Error::invalid("usage", "the hold names no service", "capture points, or hold with a service")
                })?;
                let no = hold.price_book.ok_or_else(no_book)?;
                let book = self
                    .books
                    .source()
                    .price_book(no)?
                    .ok_or_else(|| Error::corrupt(format!("price book {no} is missing")))?;
                self.price_book = Some((no, book.hash()));
                self.priced(&book, service, Some(usage), false)
            }
        }
    }
}

/// What a capture took of its hold.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) draws: Vec<(BatchNo, i64)>,
    /// What of it the hold had out of allotments.
    pub(super) allotted: Vec<(i64, i64)>,
    pub(super) tally: Tally,
    pub(super) reinstated: i64,
}

/// Takes up to `points` from what a hold holds, or held.
pub(super) fn take_held(books: &mut Books<'_>, hold: &HoldRow, owner: i64, points: i64, at: Instant) -> Result<Taken> {
    match hold.phase {
        HoldState::Open => take_slices(books, hold, owner, points, at),
        _ => take_lapsed(books, hold, owner, points, at),
    }
}

/// Takes the prefix of an open hold's slices and gives the rest back.
fn take_slices(books: &mut Books<'_>, hold: &HoldRow, owner: i64, points: i64, at: Instant) -> Result<Taken> {
    end(books, hold.operation, HoldState::Captured)?;
    let mut left = points;
    let (mut taken, mut back) = (Taken::default(), Vec::new());
    for slice in books.allocations(hold.operation)? {
        let take = slice.points.min(left);
        if take > 0 {
            books.shift(slice.batch, Place::Held, Place::Used, take, Some(hold.operation))?;
            books.allocate(owner, slice.batch, take)?;
            taken.draws.push((slice.batch, take));
            left = sub(left, take)?;
            match (slice.allotment, taken.allotted.last_mut()) {
                (Some(allotment), Some((last, sum))) if *last == allotment => *sum = add(*sum, take)?,
                (Some(allotment), _) => taken.allotted.push((allotment, take)),
                (None, _) => {}
            }
        }
        if take < slice.points {
            back.push((slice, take));
        }
    }
    if taken.draws.is_empty() && back.iter().all(|(slice, _)| slice.allotment.is_some()) && !back.is_empty() {
        books.concern(hold.operation, Place::Held, Place::Available);
    }
    for (slice, part) in back.into_iter().rev() {
        let rest = sub(slice.points, part)?;
        if let Some(allotment) = slice.allotment {
            put_back(books, allotment, (slice.batch, rest))?;
            continue;
        }
        let back = give_back(books, slice.batch, rest, (Place::Held, hold.operation), at, &mut taken.tally)?;
        books.set_returned(hold.operation, slice.rank, back)?;
    }
    Ok(taken)
}

/// A late capture draws first what its own release gave back or let lapse, as far as that is still there.
fn take_lapsed(books: &mut Books<'_>, hold: &HoldRow, owner: i64, points: i64, at: Instant) -> Result<Taken> {
    books.change_hold(hold.operation, |row| row.phase = HoldState::Captured)?;
    let mut left = points;
    let mut taken = Taken::default();
    for slice in books.allocations(hold.operation)? {
        let batch = books.batch(slice.batch)?;
        let (from, there) =
            if batch.is_expired(at) { (Place::Expired, batch.expired) } else { (Place::Available, batch.remaining) };
        let take = slice.returned.min(there).min(left);
        if take == 0 {
            continue;
        }
        books.shift(slice.batch, from, Place::Used, take, Some(hold.operation))?;
        books.allocate(owner, slice.batch, take)?;
        taken.draws.push((slice.batch, take));
        if from == Place::Expired {
            taken.reinstated = add(taken.reinstated, take)?;
        }
        left = sub(left, take)?;
    }
    if taken.draws.is_empty() {
        books.concern(hold.operation, Place::Held, if hold.points == 0 { Place::Used } else { Place::Available });
    }
    Ok(taken)
}
