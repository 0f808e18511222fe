//! Taking a link at a hub: the operation that books it or sets it aside, and what is noted of the others.

use serde_json::value::RawValue;

use super::allot::named;
use super::arrive::{Act, Allotted, Arrived, Arriving, arrive};
use super::judge::{Case, Judged};
use super::links::{
    Incoming, Place, Refunded, StageBody, Tip, chain, place, refunded, stage_body, staged, staged_line,
};
use super::source::{HubChanges, Source};
use super::time::resolve_expiry;
use super::{Booked, Booking, Changes, Context, Opened, Target, Verdict, catch_up, ledger_time};
use crate::error::{Error, Result};
use crate::model::{
    AccountId, Action, AllotmentRow, BatchRow, ClockMark, Command, ConsumePolicy, EntryKind, Expiry, FlagCode, FlagRow,
    Key, Line, LinkRow, LinkVerdict, OpKind, OperationId, OperationRow, Origin, RolloverRow, StageReason, StageState,
    StagedRow, Standing, Subject, WatchRow, batch_no,
};
use crate::pricing::{DEFAULT_EXPIRATION_DAYS, PriceBook};
use crate::units::Instant;

/// What was made of a link.
pub(crate) enum Taken {
    /// Much has fallen due: write this, and take it again.
    CatchUp(Box<Changes>),
    New(Box<New>),
}

/// A link that is new here.
pub(crate) struct New {
    pub(crate) tip: Tip,
    /// What is written of it, where no operation is.
    pub(crate) noted: Option<Changes>,
    /// What books it or sets it aside.
    pub(crate) booked: Option<Box<Booked>>,
    /// Why it was set aside.
    pub(crate) reason: Option<StageReason>,
    /// Another goes on after the same link.
    pub(crate) fork: bool,
    /// Its device's clock was wrong.
    pub(crate) corrected: bool,
}

/// Takes a link that has not come before: none here has its hash.
pub(crate) fn take(source: &dyn Source, context: Context<'_>, incoming: Incoming<'_>) -> Result<Taken> {
    let place = place(source, &incoming)?;
    let time = ledger_time(source, context.ledger, context.reading, None)?;
    let account = incoming.line.account.as_ref().map(|id| source.account_by_id(id)).transpose()?.flatten();
    let now = account.map_or(time.at, |row| row.booked_time(&time.clock, time.at));
    let case = Case::of(source, &context.ledger.standing, incoming, place, (None, (time.at, now)))?;
    let (verdict, reason) = match case.judge(source)? {
        Judged::Note => return case.noted(source, context.ledger.length).map(|new| Taken::New(Box::new(new))),
        Judged::Book => match case.book(source, context, None) {
            // The account would hold more than one may.
            Err(Error::OutOfRange { .. }) => {
                let reason = StageReason::Invalid;
                (case.stage(source, context, (reason, None))?, Some(reason))
            }
            booked => (booked?, None),
        },
        Judged::Stage(reason, other) => (case.stage(source, context, (reason, other))?, Some(reason)),
    };
    match verdict {
        Verdict::CatchUp(changes) => Ok(Taken::CatchUp(changes)),
        Verdict::Booked(booked) => Ok(Taken::New(Box::new(New { booked: Some(booked), reason, ..case.new_link() }))),
        Verdict::Replayed(_) => Err(Error::corrupt("a link was booked before")),
    }
}

/// Books a link that was set aside, and is approved in the transaction at hand.
pub(crate) fn take_approved(
    source: &dyn Source,
    context: Context<'_>,
    (operation, another): (i64, bool),
) -> Result<Verdict> {
    with_stored(source, &context.ledger.standing, operation, |case| {
        case.check_ready(source, operation, another)?;
        case.book(source, context, Some(operation))
    })
}

/// The link that a command approves, by what set it aside, and whether it is another sale than the one under its key.
pub(crate) fn approved(command: &Command) -> Option<(i64, bool)> {
    match (&command.subject, &command.action) {
        (Subject::Link(id), Action::Approve { another }) => Some((id.sequence(), *another)),
        _ => None,
    }
}

/// The operation whose receipt answers for a booked one: of an approval that of the link, which is the next.
pub(crate) fn told_by(source: &dyn Source, row: OperationRow) -> Result<OperationRow> {
    if row.kind != OpKind::Approve {
        return Ok(row);
    }
    let next = source.stored_row(super::add(row.seq, 1)?)?;
    next.ok_or_else(|| Error::corrupt("an approval booked nothing"))
}

/// Whether a link that was set aside may be booked now.
fn check_approval(source: &dyn Source, standing: &Standing, (operation, another): (i64, bool)) -> Result<()> {
    with_stored(source, standing, operation, |case| case.check_ready(source, operation, another))
}

/// Books a stored operation again that a device booked first.
pub(crate) fn retake(source: &dyn Source, context: Context<'_>, row: &OperationRow) -> Result<Verdict> {
    with_row(source, &context.ledger.standing, row, |case| match row.kind {
        OpKind::Stage => {
            let StageBody { reason, other, .. } = stage_body(&row.body)?;
            case.stage(source, context, (reason, other))
        }
        _ => {
            let link = source.link(row.origin.chain, row.origin.seq)?;
            let approved = link.filter(|link| link.verdict == LinkVerdict::Staged).and_then(|link| link.operation);
            case.book(source, context, approved)
        }
    })
}

fn with_stored<T>(
    source: &dyn Source,
    standing: &Standing,
    operation: i64,
    act: impl FnOnce(&Case<'_>) -> Result<T>,
) -> Result<T> {
    let lost = || Error::corrupt(format!("operation {operation} set nothing aside"));
    with_row(source, standing, &source.stored_row(operation)?.ok_or_else(lost)?, act)
}

/// A link that is known, as the hub holds it.
fn with_row<T>(
    source: &dyn Source,
    standing: &Standing,
    row: &OperationRow,
    act: impl FnOnce(&Case<'_>) -> Result<T>,
) -> Result<T> {
    let Origin { chain: no, seq, hash, occurred } = row.origin;
    let (Some(hash), Some(occurred)) = (hash, occurred) else { return Err(Error::corrupt("a link has no origin")) };
    let chain = chain(source, no)?;
    let lost = || Error::corrupt(format!("device {} is not there", chain.device));
    let device = source.device_by_no(chain.device)?.ok_or_else(lost)?;
    let staged = if row.kind == OpKind::Stage { Some(staged_line(&row.body)?) } else { None };
    let text = staged.as_deref().unwrap_or(&row.body);
    let line = Line::stored(text)?;
    // Its first link begins a chain; which others do not, the rows tell.
    let new = (seq == chain.first).then(|| chain.clone());
    let place = Place { chain: no, new, fork: false, before: None };
    let incoming = Incoming {
        device: &device,
        epoch: chain.epoch,
        prev: &chain.prev,
        after: None,
        hash: &hash,
        line: &line,
        text,
        price_book: row.price_book,
        exported_at: line.recorded_at,
    };
    act(&Case::of(source, standing, incoming, place, (Some(occurred), (occurred, occurred)))?)
}

impl Case<'_> {
    fn new_link(&self) -> New {
        let tip = Tip {
            chain: self.place.chain,
            seq: self.incoming.line.seq,
            occurred: self.occurred,
            named: self.said.occurred_at.is_some(),
        };
        let (fork, corrected) = (self.place.fork, self.corrected);
        New { tip, noted: None, booked: None, reason: None, fork, corrected }
    }

    fn link(&self, verdict: LinkVerdict, operation: Option<i64>) -> LinkRow {
        let line = operation.is_none().then(|| self.incoming.text.to_string());
        LinkRow {
            chain: self.place.chain,
            seq: self.incoming.line.seq,
            hash: *self.incoming.hash,
            verdict,
            occurred: self.occurred,
            operation,
            line,
            price_book: self.incoming.price_book.map(|(no, _)| no),
        }
    }

    /// The account its device hears of from now on, if it did not before.
    fn watched(&self, source: &dyn Source, account: i64, since: i64) -> Result<Option<WatchRow>> {
        let device = self.incoming.device.no;
        let new = account > 0 && !source.is_watched(device, account)?;
        Ok(new.then_some(WatchRow { device, account, since }))
    }

    /// It moves nothing here.
    fn noted(&self, source: &dyn Source, length: i64) -> Result<New> {
        let account = match &self.incoming.line.account {
            Some(id) => source.account_by_id(id)?.map_or(0, |row| row.no),
            None => 0,
        };
        let hub = HubChanges {
            new_chains: self.place.new.iter().cloned().collect(),
            new_links: vec![self.link(LinkVerdict::Noted, None)],
            new_watches: self.watched(source, account, super::add(length, 1)?)?.into_iter().collect(),
            ..HubChanges::default()
        };
        let changes = Changes { hub: Some(Box::new(hub)), ..Changes::default() };
        Ok(New { noted: Some(changes), ..self.new_link() })
    }

    /// What is written beside an operation that books it or sets it aside.
    fn beside(&self, source: &dyn Source, booking: &Booking<'_, '_>, verdict: LinkVerdict) -> Result<HubChanges> {
        let (operation, account) = (booking.seq, booking.account);
        Ok(HubChanges {
            new_chains: self.place.new.iter().cloned().collect(),
            new_links: vec![self.link(verdict, Some(operation))],
            new_watches: self.watched(source, account, operation)?.into_iter().collect(),
            ..HubChanges::default()
        })
    }

    fn origin(&self) -> Origin {
        let (chain, seq) = (self.place.chain, self.incoming.line.seq);
        Origin { chain, seq, hash: Some(*self.incoming.hash), occurred: Some(self.occurred) }
    }

    /// Sets it aside.
    fn stage(
        &self,
        source: &dyn Source,
        context: Context<'_>,
        (reason, other): (StageReason, Option<i64>),
    ) -> Result<Verdict> {
        let mut booking = match self.begin(source, context, OpKind::Stage)? {
            (booking, true) => booking,
            (booking, false) => return booking.caught_up(),
        };
        booking.points = self.incoming.line.points;
        if booking.account > 0 {
            booking.post(EntryKind::Stage, booking.points, None)?;
        }
        let line: &RawValue =
            serde_json::from_str(self.incoming.text).map_err(|error| Error::corrupt(error.to_string()))?;
        let body = serde_json::to_string(&StageBody { reason, other, line })
            .map_err(|error| Error::storage(format!("a link cannot be written: {error}")))?;
        let (operation, account, device) = (booking.seq, booking.account, self.incoming.device.no);
        let mut hub = self.beside(source, &booking, LinkVerdict::Staged)?;
        hub.staged.push(StagedRow {
            operation,
            account,
            device,
            reason,
            other,
            state: StageState::Open,
            closed_by: None,
        });
        let mut ledger = context.ledger.clone();
        ledger.clock = booking.clock_after();
        booking.hub = Some(Box::new(hub));
        booking.finish(&Key::new(self.incoming.hash.to_string())?, body, self.origin(), ledger).map(Verdict::Booked)
    }

    /// The operation, with its account opened and caught up; whether all that was due is in it.
    fn begin<'a, 's>(
        &self,
        source: &'s dyn Source,
        context: Context<'a>,
        kind: OpKind,
    ) -> Result<(Booking<'a, 's>, bool)> {
        let time = match context.time {
            Some(time) => time,
            None => ledger_time(source, context.ledger, context.reading, Some(kind))?,
        };
        let mut booking = Booking::begin(source, context, kind, time);
        booking.price_book = self.incoming.price_book;
        let mut opened = Opened::default();
        if let Some(id) = &self.incoming.line.account {
            booking.enter(id, &mut opened)?;
        }
        booking.tell_time(None, &opened)?;
        let done = booking.catch_up(&opened)?;
        if done {
            for no in &opened.new {
                // `open` books its own.
                if kind != OpKind::Open {
                    booking.post_on(*no, EntryKind::Open, 0, None)?;
                }
                let explicit = context.ledger.settings.explicit_accounts && kind != OpKind::Open;
                booking.outcome.flags.extend(explicit.then_some((FlagCode::Opened.code(), 0)));
            }
        }
        Ok((booking, done))
    }

    /// Books it. `approved`: what had set it aside.
    fn book(&self, source: &dyn Source, context: Context<'_>, approved: Option<i64>) -> Result<Verdict> {
        let (Some(kind), Ok(command)) = (self.kind, &self.command) else {
            return Err(Error::corrupt("what makes no sense cannot be booked"));
        };
        let (mut booking, done) = self.begin(source, context, kind)?;
        if !done {
            return booking.caught_up();
        }
        let line = self.incoming.line;
        let mut ledger = context.ledger.clone();
        match kind {
            OpKind::Open => booking.post(EntryKind::Open, 0, None)?,
            _ => self.arrive(source, &mut booking, command)?,
        }
        booking.check_range(booking.account)?;
        ledger.clock = booking.clock_after();
        let mut hub = self.beside(source, &booking, LinkVerdict::Booked)?;
        if let Some(operation) = approved {
            hub = HubChanges { new_watches: hub.new_watches, ..HubChanges::default() };
            // Approved by the operation before.
            let closed_by = Some(context.ledger.length);
            hub.staged.push(StagedRow { state: StageState::Approved, closed_by, ..staged(source, operation)? });
        }
        if approved.is_none() {
            booking.flag_all(self.flags(source)?);
        }
        hub.flags = booking.flags()?;
        if kind == OpKind::Recharge && self.incoming.device.policy.max_recharge_per_day.is_some() {
            let (recharge_day, recharged) = self.recharged(line)?;
            booking.device =
                Some(Box::new(crate::model::DeviceRow { recharge_day, recharged, ..self.incoming.device.clone() }));
        }
        booking.hub = Some(Box::new(hub));
        booking.finish(&line.key, self.incoming.text.to_string(), self.origin(), ledger).map(Verdict::Booked)
    }

    fn arrive(&self, source: &dyn Source, booking: &mut Booking<'_, '_>, command: &Command) -> Result<()> {
        let Some(act) = self.act(source, booking, command)? else {
            return Err(Error::corrupt("what moves no points cannot arrive"));
        };
        let arriving = Arriving {
            operation: booking.seq,
            account: booking.account,
            now: booking.now,
            occurred: self.occurred,
            late_window: booking.context.ledger.settings.late_window,
            act,
        };
        if arriving.reopens(&mut booking.books)? {
            booking.reopen_if_closed()?;
            booking.flag_all(vec![(FlagCode::Reopened, 0)]);
        }
        let arrived = arrive(&mut booking.books, &arriving)?;
        booking.label_of(&command.action, self.occurred);
        booking.tell_arrived(arrived);
        let (kind, batch) = match &arriving.act {
            Act::Charge { .. } if booking.kind == OpKind::Capture => (EntryKind::Capture, None),
            Act::Charge { .. } => (EntryKind::Consume, None),
            Act::Refund { .. } => (EntryKind::Refund, None),
            Act::Return { .. } => (EntryKind::AllotReturn, None),
            Act::Recharge(batch) => (EntryKind::Recharge, Some(batch.no)),
        };
        booking.post(kind, booking.points, batch)?;
        if let Act::Recharge(batch) = &arriving.act {
            booking.outcome.batches.push((batch.no, batch.expires_at.map_or(-1, Instant::millis)));
            catch_up::lapse(&mut booking.books, batch.no, (booking.seq, booking.now))?;
        }
        booking.settle(booking.account)
    }

    /// What it took of allotments that stand in its device and epoch.
    fn allotted(&self, source: &dyn Source, booking: &Booking<'_, '_>, command: &Command) -> Result<Allotted> {
        let mut allotted = Allotted::default();
        for (id, points) in command.facts.iter().flat_map(|facts| &facts.allotted) {
            allotted.said = super::add(allotted.said, *points)?;
            allotted.parts.extend(self.standing(source, booking, *id)?.map(|operation| (operation, *points)));
        }
        Ok(allotted)
    }

    /// The allotment of an id, if it is one of its account, device and epoch.
    fn standing(&self, source: &dyn Source, booking: &Booking<'_, '_>, id: OperationId) -> Result<Option<i64>> {
        let (device, epoch) = (self.incoming.device.no, self.incoming.epoch);
        let own = |row: &AllotmentRow| row.account == booking.account && row.device == device && row.epoch == epoch;
        match named(source, id) {
            Ok(row) => Ok(Some(row).filter(own).map(|row| row.operation)),
            Err(Error::UnknownAllotment { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn act(&self, source: &dyn Source, booking: &Booking<'_, '_>, command: &Command) -> Result<Option<Act>> {
        let points = self.incoming.line.points;
        Ok(Some(match &command.action {
            Action::Consume { policy, .. } => {
                let covered = *policy != ConsumePolicy::Postpaid;
                Act::Charge { points, covered, allotted: self.allotted(source, booking, command)? }
            }
            Action::Capture { .. } => {
                Act::Charge { points, covered: true, allotted: self.allotted(source, booking, command)? }
            }
            Action::Return => {
                let of = match &command.subject {
                    Subject::Allotment(id) => self.standing(source, booking, *id)?,
                    _ => None,
                };
                Act::Return { points, of }
            }
            Action::Refund { .. } => {
                let of = match refunded(source, &self.place, self.incoming.device, command)? {
                    Refunded::Booked(of) => Some(of),
                    _ => None,
                };
                Act::Refund { points, of }
            }
            Action::Recharge { .. } => {
                let book = match self.incoming.price_book {
                    Some((no, _)) => source.price_book(no)?,
                    None => None,
                };
                Act::Recharge(recharged(
                    &command.action,
                    &Recharged {
                        no: batch_no(booking.seq, 1),
                        account: booking.account,
                        booked_at: self.incoming.line.booked_at,
                        recorded_at: self.incoming.line.recorded_at,
                        clock: self.incoming.line.clock,
                        now: booking.now,
                    },
                    book.as_ref(),
                )?)
            }
            _ => return Ok(None),
        }))
    }
}

/// What a recharge was booked as, and when it arrives.
pub(crate) struct Recharged {
    pub(crate) no: i64,
    pub(crate) account: i64,
    pub(crate) booked_at: Instant,
    pub(crate) recorded_at: Instant,
    pub(crate) clock: ClockMark,
    pub(crate) now: Instant,
}

/// The batch of a recharge, wherever that arrives: its end is what it was where it was booked first.
pub(crate) fn recharged(action: &Action, what: &Recharged, book: Option<&PriceBook>) -> Result<BatchRow> {
    let Action::Recharge { points, source, expiry, effective_at, priority, promo, rollover } = action else {
        return Err(Error::corrupt("a recharge is none"));
    };
    let days = i64::from(book.map_or(DEFAULT_EXPIRATION_DAYS, PriceBook::expiration_days));
    let from = if what.clock == ClockMark::Suspect { what.recorded_at } else { what.booked_at };
    let begins = effective_at.unwrap_or(what.booked_at);
    let expires_at = resolve_expiry(expiry.unwrap_or(Expiry::Days(days, None)), from.max(begins))?;
    // One that has ended on the way began before.
    let ended = expires_at.map(|at| Instant::clamped(at.millis().saturating_sub(1)));
    let effective = effective_at.unwrap_or(what.now).min(ended.unwrap_or(Instant::MAX));
    let promo = promo.unwrap_or_else(|| book.is_some_and(|book| book.is_promo(source)));
    Ok(BatchRow {
        dated: effective_at.is_some(),
        expires_at,
        active: effective <= what.now,
        rollover: rollover.map(|terms| RolloverRow::new(what.no, Some(terms))),
        ..BatchRow::new(what.no, what.account, source, promo, *priority, *points, effective)
    })
}

impl Booking<'_, '_> {
    /// The account of a link; it is opened if it must be.
    fn enter(&mut self, id: &AccountId, opened: &mut Opened) -> Result<()> {
        self.account = match self.books.source().account_by_id(id)? {
            Some(row) => {
                let no = row.no;
                self.books.enter_account(row);
                no
            }
            None => self.open_unknown(id, true, true, opened)?,
        };
        opened.own = Some(self.account);
        Ok(())
    }

    /// The rows of what it is flagged with.
    fn flags(&self) -> Result<Vec<FlagRow>> {
        let row = |(code, points): &(i64, i64)| {
            let code = FlagCode::from_code(*code).ok_or_else(|| Error::corrupt("there is no such flag"))?;
            Ok(FlagRow { operation: self.seq, code, points: *points, acknowledged_by: None })
        };
        self.outcome.flags.iter().map(row).collect()
    }

    /// A device's file has been taken.
    pub(super) fn import(&mut self, flags: &[FlagCode]) -> Result<()> {
        self.flag_all(flags.iter().map(|code| (*code, 0)).collect());
        self.change_hub(HubChanges { flags: self.flags()?, ..HubChanges::default() });
        Ok(())
    }

    fn change_hub(&mut self, changes: HubChanges) {
        self.hub = Some(Box::new(changes));
    }

    fn target_staged(&self) -> Result<StagedRow> {
        let Target::Staged(operation) = self.target else { return Err(Error::corrupt("no link is meant")) };
        let row = staged(self.books.source(), operation)?;
        match row.state {
            StageState::Open => Ok(row),
            state => Err(Error::invalid("link", format!("is {state} already"), "nothing is left to be done")),
        }
    }

    /// The operation that books the link follows in the same transaction.
    pub(super) fn approve(&mut self, another: bool) -> Result<()> {
        let row = self.target_staged()?;
        check_approval(self.books.source(), &self.context.ledger.standing, (row.operation, another))
    }

    pub(super) fn dismiss(&mut self) -> Result<()> {
        let row = self.target_staged()?;
        let closed_by = Some(self.seq);
        let staged = vec![StagedRow { state: StageState::Dismissed, closed_by, ..row }];
        self.change_hub(HubChanges { staged, ..HubChanges::default() });
        if self.account == 0 { Ok(()) } else { self.post(EntryKind::Dismiss, 0, None) }
    }

    pub(super) fn acknowledge(&mut self, flag: Option<FlagCode>) -> Result<()> {
        let Target::Flagged(operation) = self.target else { return Err(Error::corrupt("nothing flagged is meant")) };
        let open = |row: &FlagRow| row.acknowledged_by.is_none() && flag.is_none_or(|flag| row.code == flag);
        let mut flags = self.books.source().flags(operation)?;
        flags.retain(open);
        if flags.is_empty() {
            let what = flag.map_or_else(String::new, |flag| format!(" `{flag}`"));
            let help = "see the list of flags for what is open";
            return Err(Error::invalid("flagged", format!("has no open flag{what}"), help));
        }
        flags.iter_mut().for_each(|row| row.acknowledged_by = Some(self.seq));
        self.change_hub(HubChanges { flags, ..HubChanges::default() });
        Ok(())
    }

    fn flag_all(&mut self, flags: Vec<(FlagCode, i64)>) {
        self.outcome.flags.extend(flags.into_iter().map(|(code, points)| (code.code(), points)));
    }

    fn label_of(&mut self, action: &Action, occurred: Instant) {
        if let Action::Consume { service, usage, .. } = action {
            self.label(service.as_deref(), usage.as_ref());
        }
        if matches!(action, Action::Consume { .. } | Action::Capture { .. }) {
            self.outcome.occurred_at = Some(occurred.millis());
        }
    }

    fn tell_arrived(&mut self, arrived: Arrived) {
        let Arrived { points, draws, open, reinstated, tally, flags } = arrived;
        self.points = points;
        (self.outcome.draws, self.outcome.open, self.outcome.reinstated) = (draws, open, reinstated);
        self.tally(tally);
        self.flag_all(flags);
    }
}
