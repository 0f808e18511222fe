//! The rules: read what is needed, decide everything, hand over what to write.
//!
//! Pure: no SQL, no files, no clock of its own, no randomness. [`run`] takes one command against a [`Source`] and
//! answers with a [`Verdict`]; nothing has been written when it returns. Refusals come in the documented order.

#![deny(clippy::arithmetic_side_effects)]

mod accounts;
mod allot;
mod arrive;
mod based;
mod blank;
mod books;
mod carry;
mod catch_up;
mod clock;
mod consume;
mod draw;
mod holds;
mod judge;
mod line;
mod links;
mod mend;
mod pages;
mod plans;
mod rebase;
mod recharge;
mod reconcile;
mod roles;
mod rollover;
mod shift;
pub(crate) mod source;
mod step_back;
mod table;
mod take;
mod time;

use std::borrow::Cow;

use crate::chain;
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::model::{
    AccountId, AccountRow, AccountState, Action, Balances, BaseRow, BatchNo, ClockMark, ClockState, Command, DeviceRow,
    EntryKind, Facts, Key, LedgerRow, Line as Link, OpKind, OperationRow, Origin, Outcome, Request, Role, Subject,
    check_ends,
};
use crate::pricing::PriceBook;
use crate::units::{Instant, MAX_POINTS, Reading, add};

pub(crate) use allot::{accounts as allotted_accounts, is_allotted, is_usable};
pub(crate) use books::Books;
pub(crate) use carry::{Carrying, Own, carry, carry_figures};
pub(crate) use catch_up::{CATCH_UP_LIMIT, catch_up, catch_up_ahead, catch_up_fully};
pub(crate) use clock::{LedgerTime, ledger_time};
pub(crate) use consume::no_book;
use line::Line;
pub(crate) use links::line_text;
pub(crate) use links::{Incoming, Tip};
pub(crate) use rebase::pending;
pub(crate) use reconcile::{goes_back, stale_before};
pub(crate) use roles::check as check_role;
pub(crate) use rollover::{account_of, would_roll};
use source::HubChanges;
pub(crate) use source::{Changes, Source};
pub(crate) use step_back::step_back;
pub(crate) use take::{New, Taken, take};
pub(crate) use take::{approved, retake, take_approved, told_by};

/// Version of these rules, stored with every operation. When a rule changes it rises, and the old rule stays for
/// the operations booked under it.
pub(crate) const RULES_VERSION: i64 = 1;

/// What surrounds a command.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) ledger: &'a LedgerRow,
    pub(crate) reading: Reading,
    /// What the reading came to, where that is known; else it is worked out.
    pub(crate) time: Option<LedgerTime>,
    /// The price book the caller has loaded.
    pub(crate) book: Option<&'a PriceBook>,
    /// How many due things one step of catch-up reads.
    pub(crate) limit: usize,
}

/// The answer to a command that is not refused.
pub(crate) enum Verdict {
    Booked(Box<Booked>),
    /// Much has fallen due: write this and ask again.
    CatchUp(Box<Changes>),
    /// The key was used before for the same inputs.
    Replayed(Box<OperationRow>),
}

/// An operation decided, with everything it writes.
pub(crate) struct Booked {
    pub(crate) operation: OperationRow,
    /// The balances after it, for the receipt.
    pub(crate) after: Balances,
    pub(crate) changes: Changes,
    /// The `ledger` row after it.
    pub(crate) ledger: LedgerRow,
    /// A price book the file does not have yet.
    pub(crate) new_book: Option<(i64, PriceBook)>,
}

/// What the command is done to, looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    None,
    Hold(i64),
    Batch(BatchNo),
    Plan(i64),
    Consume(i64),
    /// What set a link aside.
    Staged(i64),
    Flagged(i64),
    Allotment(i64),
}

/// An operation being decided.
struct Booking<'a, 's> {
    books: Books<'s>,
    context: Context<'a>,
    kind: OpKind,
    seq: i64,
    now: Instant,
    time: LedgerTime,
    /// Booked at an instant the caller names.
    historic: bool,
    /// Number of the account; 0 for operations on the file.
    account: i64,
    target: Target,
    points: i64,
    outcome: Outcome,
    /// The price book the operation names.
    price_book: Option<(i64, Hash)>,
    new_book: Option<(i64, PriceBook)>,
    /// The device it is about, as the hub knows it or will.
    device: Option<Box<DeviceRow>>,
    /// Of a reconcile: the hub's time, and what changes besides the books.
    as_of: Option<Instant>,
    heard: Option<Box<source::HeardChanges>>,
    /// Of a device: what it last heard of the account.
    base: Option<Box<BaseRow>>,
    /// What changes of what devices sent.
    hub: Option<Box<HubChanges>>,
    /// Of one read from the books: what was found out then.
    facts: Option<Facts>,
    /// What it takes of allotments, and the epoch of its device.
    allotted: Vec<(i64, i64)>,
    epoch: Option<i64>,
}

/// Decides one command.
pub(crate) fn run(source: &dyn Source, context: Context<'_>, command: &Command) -> Result<Verdict> {
    check_role(context.ledger, command)?;
    let (account, target) = find_target(source, &command.subject)?;
    let device = roles::device_of(source, &command.action)?;
    let command = &*inheriting(source, command, target)?;
    let known = match (&account, &command.subject) {
        (Some(no), _) => source.account(*no)?,
        (None, Subject::Account(id)) => source.account_by_id(id)?,
        _ => None,
    };
    let scope = known.as_ref().map(|row| row.no);
    if (scope.is_some() || command.subject.is_of_file())
        && let Some(seq) = find_key(source, context.ledger, scope, command)?
    {
        return replay(source, seq, command);
    }
    if let Some(unfit) = &command.unfit {
        return Err((**unfit).clone());
    }
    let time = match context.time {
        Some(time) => time,
        None => ledger_time(source, context.ledger, context.reading, Some(command.kind))?,
    };
    let mut booking = Booking::begin(source, context, command.kind, time);
    (booking.target, booking.device) = (target, device);
    booking.historic = command.at.is_some();
    booking.facts.clone_from(&command.facts);
    if let Action::Reconcile(told) = &command.action {
        booking.as_of = Some(told.as_of);
    }
    let opened = booking.find_accounts(command, known)?;
    booking.find_base()?;
    booking.tell_time(command.at, &opened)?;
    if !booking.catch_up(&opened)? {
        return booking.caught_up();
    }
    booking.check_batch(command)?;
    booking.check_state(command, &opened)?;
    booking.check_base(command)?;
    booking.check_refund(command)?;
    let ledger = booking.decide(command, &opened)?;
    let body = serde_json::to_string(&*booking.based(&command.body)?)
        .map_err(|error| Error::storage(format!("the inputs cannot be written: {error}")))?;
    booking.finish(&command.key, body, Origin::default(), ledger).map(Verdict::Booked)
}

fn find_target(source: &dyn Source, subject: &Subject) -> Result<(Option<i64>, Target)> {
    let operation = |seq: i64| source.operation(seq);
    match subject {
        Subject::Account(_) | Subject::File => Ok((None, Target::None)),
        Subject::Hold(id) => {
            let unknown = || Error::UnknownHold { hold: id.to_string() };
            let head =
                operation(id.sequence())?.filter(|head| head.writer.hold(head.seq) == *id).ok_or_else(unknown)?;
            let hold = source.hold(head.seq)?.ok_or_else(unknown)?;
            Ok((Some(hold.account), Target::Hold(hold.operation)))
        }
        Subject::Batch(id) => {
            let unknown = || Error::UnknownBatch { batch: id.to_string() };
            operation(id.sequence())?
                .filter(|head| head.writer.batch(id.no()) == *id && id.index() > 0)
                .ok_or_else(unknown)?;
            // Time may make it yet, before the operation; whether it does, is seen then.
            let account = account_of(source, id.no())?.ok_or_else(unknown)?;
            Ok((Some(account), Target::Batch(id.no())))
        }
        Subject::Plan(id) => {
            let unknown = || Error::UnknownPlan { plan: id.to_string() };
            let head =
                operation(id.sequence())?.filter(|head| head.writer.plan(head.seq) == *id).ok_or_else(unknown)?;
            let plan = source.plan(head.seq)?.ok_or_else(unknown)?;
            Ok((Some(plan.account), Target::Plan(plan.operation)))
        }
        Subject::Operation(id) => {
            // By its id at the hub too, where it has one.
            let own = allot::local(source, *id)?;
            let named = |head: &source::OperationHead| own != id.sequence() || head.writer.operation(head.seq) == *id;
            let head = operation(own)?
                .filter(named)
                .filter(|head| matches!(head.kind, OpKind::Consume | OpKind::Capture))
                .ok_or_else(|| Error::UnknownOperation { operation: id.to_string(), wanted: "consume or capture" })?;
            Ok((head.account, Target::Consume(head.seq)))
        }
        Subject::Link(id) => {
            let unknown = || Error::UnknownOperation { operation: id.to_string(), wanted: "stage" };
            let head = operation(id.sequence())?.filter(|head| head.writer.operation(head.seq) == *id);
            let head = head.filter(|head| head.kind == OpKind::Stage).ok_or_else(unknown)?;
            Ok((head.account, Target::Staged(head.seq)))
        }
        Subject::Flagged(id) => {
            let head = operation(id.sequence())?.filter(|head| head.writer.operation(head.seq) == *id);
            let flagged = head.map(|head| head.seq);
            let unknown = || Error::UnknownOperation { operation: id.to_string(), wanted: "flagged operation" };
            Ok((None, Target::Flagged(flagged.ok_or_else(unknown)?)))
        }
        Subject::Allotment(id) => {
            let row = allot::named(source, *id)?;
            Ok((Some(row.account), Target::Allotment(row.operation)))
        }
    }
}

/// A capture with the reference of its hold, unless it has its own: written out or not, it is the same request.
fn inheriting<'c>(source: &dyn Source, command: &'c Command, target: Target) -> Result<Cow<'c, Command>> {
    const NAME: &str = "reference";
    let Target::Hold(hold) = target else { return Ok(Cow::Borrowed(command)) };
    if command.kind != OpKind::Capture || command.body.get(NAME).is_some() {
        return Ok(Cow::Borrowed(command));
    }
    let mut command = Cow::Borrowed(command);
    // A proof keeps no operations: it has the stored inputs, with what was inherited among them.
    let Some(row) = source.operation_row(hold)? else { return Ok(command) };
    if let Some(reference) = parse_body(&row)?.get(NAME) {
        command.to_mut().body.add(NAME, reference.clone());
    }
    Ok(command)
}

/// Judges the form of an account that is not there yet.
fn check_new(command: &Command, field: &str, id: &AccountId) -> Result<()> {
    if command.asked { check_ends(field, id.as_str()) } else { Ok(()) }
}

/// The operation booked under a command's key: at a hub a recharge is one over all devices, and so may other sales be.
fn find_key(source: &dyn Source, ledger: &LedgerRow, scope: Option<i64>, command: &Command) -> Result<Option<i64>> {
    if let Some(account) = scope.filter(|_| roles::is_one_over_all(&ledger.standing, command.kind, &command.key)) {
        return Ok(source.key_uses(account, command.kind, &command.key)?.first().map(|(_, operation)| *operation));
    }
    source.find_key(scope, command.kind, &command.key)
}

/// Whether what has a command's key may have been booked by a device: a payment told at a kiosk and here is one. Then the index of
/// keys, which tells them apart, does not tell that it is taken. Nor may what is followed by another operation be written at once.
pub(crate) fn keys_are_shared(ledger: &LedgerRow, command: &Command) -> bool {
    let standing = &ledger.standing;
    roles::is_one_over_all(standing, command.kind, &command.key)
        || standing.role == Role::Hub && command.kind == OpKind::Approve
}

/// The same key again: the same inputs get the original answer, others are told what differs.
fn replay(source: &dyn Source, seq: i64, command: &Command) -> Result<Verdict> {
    let row =
        source.operation_row(seq)?.ok_or_else(|| Error::corrupt(format!("operation {seq} has a key and no row")))?;
    let first = parse_body(&row)?;
    let fields = command.differs_from(&first);
    if fields.is_empty() {
        return Ok(Verdict::Replayed(Box::new(row)));
    }
    let operation = row.writer.1.operation(row.seq).to_string();
    Err(Error::KeyReused { key: command.key.to_string(), op: command.kind.as_str(), operation, fields })
}

/// The operation booked under a command's key, if there is one.
pub(crate) fn booked_under_key(source: &dyn Source, command: &Command) -> Result<Option<OperationRow>> {
    let account = match (find_target(source, &command.subject)?, &command.subject) {
        ((Some(no), _), _) => Some(no),
        (_, Subject::Account(id)) => source.account_by_id(id)?.map(|row| row.no),
        _ => None,
    };
    match source.find_key(account, command.kind, &command.key)? {
        Some(seq) => source.operation_row(seq),
        None => Ok(None),
    }
}

/// A stored operation's inputs; of what a device booked first, what the device was asked for.
pub(crate) fn parse_body(row: &OperationRow) -> Result<Request> {
    let wrong = |error: serde_json::Error| Error::corrupt(format!("operation {}: body: {error}", row.seq));
    match row.origin.is_link() && row.kind != OpKind::Stage {
        true => serde_json::from_str(Link::stored(&row.body)?.body).map_err(wrong),
        false => serde_json::from_str(&row.body).map_err(wrong),
    }
}

/// The accounts an operation works on: its own, the receiving one of a transfer, and those it opens.
#[derive(Default)]
struct Opened {
    /// None for operations on the file.
    own: Option<i64>,
    /// The receiver of a transfer.
    to: Option<i64>,
    /// Accounts this operation opens, in order.
    new: Vec<i64>,
}

impl Opened {
    /// Numbers of all accounts involved.
    fn involved(&self) -> impl Iterator<Item = i64> {
        self.own.into_iter().chain(self.to)
    }
}

impl<'a, 's> Booking<'a, 's> {
    /// Inlined, for it is large: it would be moved twice with each operation.
    #[inline]
    fn begin(source: &'s dyn Source, context: Context<'a>, kind: OpKind, time: LedgerTime) -> Self {
        Booking {
            books: Books::new(source),
            context,
            kind,
            // A file that is full of them takes no more: SQLite refuses the row.
            seq: context.ledger.length.saturating_add(1),
            now: time.at,
            time,
            historic: false,
            account: 0,
            target: Target::None,
            points: 0,
            outcome: Outcome::default(),
            price_book: None,
            new_book: None,
            device: None,
            as_of: None,
            heard: None,
            base: None,
            hub: None,
            facts: None,
            allotted: Vec::new(),
            epoch: None,
        }
    }

    /// Much has fallen due: it is written first.
    fn caught_up(mut self) -> Result<Verdict> {
        let mut changes = self.books.take_changes()?;
        // An account the operation would open is not opened by time: it comes with the operation or not at all.
        changes.new_accounts.clear();
        Ok(Verdict::CatchUp(Box::new(changes)))
    }
}

impl Booking<'_, '_> {
    fn find_accounts(&mut self, command: &Command, known: Option<AccountRow>) -> Result<Opened> {
        let mut opened = Opened::default();
        match (known, &command.subject) {
            (Some(row), _) => {
                self.account = row.no;
                self.books.enter_account(row);
            }
            (None, subject) if subject.is_of_file() => return Ok(opened),
            (None, Subject::Account(id)) => {
                let by_name = self.kind == OpKind::Open;
                let first_use = matches!(self.kind, OpKind::Recharge | OpKind::Plan | OpKind::Consume | OpKind::Hold);
                check_new(command, "account", id)?;
                self.account = self.open_unknown(id, by_name || first_use, by_name, &mut opened)?;
            }
            (None, _) => return Err(Error::corrupt("a target has no account")),
        }
        opened.own = Some(self.account);
        if let Action::Transfer { to, .. } = &command.action {
            let no = match self.books.source().account_by_id(to)? {
                Some(row) => {
                    let no = row.no;
                    self.books.enter_account(row);
                    no
                }
                None => {
                    check_new(command, "to", to)?;
                    self.open_unknown(to, true, false, &mut opened)?
                }
            };
            opened.to = Some(no);
        }
        Ok(opened)
    }

    fn open_unknown(&mut self, id: &AccountId, opens: bool, by_name: bool, opened: &mut Opened) -> Result<i64> {
        if !opens || (self.context.ledger.settings.explicit_accounts && !by_name) {
            return Err(Error::UnknownAccount { account: id.to_string() });
        }
        let no = self.books.source().next_account_no()?;
        self.books.add_account(AccountRow::new(no, id, self.clock_after().steps_back));
        opened.new.push(no);
        Ok(no)
    }

    /// Booked time: ledger time, but never before an involved account's last entry; unless accepted time has gone back since:
    /// then the account begins a new stretch.
    fn tell_time(&mut self, asked: Option<Instant>, opened: &Opened) -> Result<()> {
        let (ledger_time, clock) = (self.time.at, self.clock_after());
        self.now = asked.unwrap_or(ledger_time);
        let at = self.now.max(self.floor());
        for no in opened.involved() {
            let row = self.books.account(no)?;
            if self.historic && row.last_booked_at > self.now {
                let (account, last) = (row.id.to_string(), row.last_booked_at.to_string());
                return Err(Error::TimeBackwards { account, at: self.now.to_string(), last });
            }
            self.now = self.now.max(row.booked_time(&clock, at));
        }
        if self.historic && self.now > ledger_time {
            let late = format!("{} is later than the clock, {ledger_time}", self.now);
            return Err(Error::invalid("at", late, "history lies in the past"));
        }
        Ok(())
    }

    fn catch_up(&mut self, opened: &Opened) -> Result<bool> {
        for no in opened.involved() {
            if !catch_up(&mut self.books, no, self.now, self.context.limit)? {
                self.books.know_steps(self.context.ledger.clock.steps_back)?;
                return Ok(false);
            }
        }
        // Last, so that it is never written without the operation.
        let clock = self.clock_after();
        for no in opened.involved() {
            let row = self.books.account(no)?;
            if row.turns(&clock, self.now) {
                step_back(&mut self.books, no, self.now, self.context.ledger.settings.max_hold)?;
            }
            if self.books.account(no)?.steps_back != clock.steps_back {
                self.books.account_mut(no)?.steps_back = clock.steps_back;
            }
        }
        Ok(true)
    }

    /// A batch that was still to come has come.
    fn check_batch(&mut self, command: &Command) -> Result<()> {
        match (self.target, &command.subject) {
            (Target::Batch(no), Subject::Batch(id)) if !self.books.has_batch(no)? => {
                Err(Error::UnknownBatch { batch: id.to_string() })
            }
            _ => Ok(()),
        }
    }

    fn check_state(&mut self, command: &Command, opened: &Opened) -> Result<()> {
        let late_capture = match self.target {
            Target::Hold(hold) if self.kind == OpKind::Capture => {
                self.books.hold(hold)?.phase == crate::model::HoldState::Expired
            }
            _ => false,
        };
        // What waits of a closed account is settled all the same.
        let settles = matches!(self.kind, OpKind::Refund | OpKind::Approve | OpKind::Dismiss) || late_capture;
        for no in opened.involved() {
            let row = self.books.account(no)?;
            if row.state == AccountState::Closed && !settles {
                return Err(Error::AccountClosed { account: row.id.to_string() });
            }
        }
        let stopped = match &command.action {
            Action::Hold { .. } | Action::Transfer { .. } => true,
            Action::Consume { policy, .. } => *policy != crate::model::ConsumePolicy::Postpaid,
            _ => false,
        };
        if stopped && self.books.account(self.account)?.state == AccountState::Frozen {
            return Err(Error::AccountFrozen { account: self.books.account(self.account)?.id.to_string() });
        }
        Ok(())
    }

    /// Decides the operation itself; returns the `ledger` row with what it changes there.
    fn decide(&mut self, command: &Command, opened: &Opened) -> Result<LedgerRow> {
        let mut ledger = self.context.ledger.clone();
        for no in &opened.new {
            // `open` books its own entry.
            if self.kind != OpKind::Open {
                self.post_on(*no, EntryKind::Open, 0, None)?;
            }
        }
        match &command.action {
            Action::Open { credit_limit } => self.open(*credit_limit, !opened.new.is_empty())?,
            Action::SetLimit { credit_limit } => self.set_limit(*credit_limit)?,
            Action::Recharge { .. } => {
                self.recharge(&command.action)?;
                self.count_recharge(&mut ledger)?;
            }
            Action::Plan(terms) => self.plan(terms)?,
            Action::Stop => self.stop()?,
            Action::Consume { .. } => self.consume(&command.action)?,
            Action::Hold { .. } => self.hold(&command.action)?,
            Action::Capture { amount, capped } => self.capture(amount, *capped)?,
            Action::Release => self.release()?,
            Action::Renew { deadline } => self.renew(*deadline)?,
            Action::Refund { amount } => self.refund(*amount)?,
            Action::Revoke { amount, shortfall } => self.revoke(*amount, *shortfall)?,
            Action::SetExpiry { expiry } => self.set_expiry(*expiry)?,
            Action::Transfer { points, .. } => self.transfer(opened.to.unwrap_or(0), *points)?,
            Action::WriteOff { points } => self.write_off(*points)?,
            Action::Freeze => self.set_state(EntryKind::Freeze, AccountState::Frozen)?,
            Action::Unfreeze => self.set_state(EntryKind::Unfreeze, AccountState::Active)?,
            Action::Close => self.close()?,
            Action::Configure(setting) => {
                self.outcome.before = accounts::configure(&mut ledger, setting);
            }
            Action::ConfirmClock => self.confirm_clock()?,
            Action::BecomeHub { public_key, name } => self.become_hub(&mut ledger, *public_key, name)?,
            Action::Admit(admission) => self.admit(admission)?,
            Action::Expel { .. } => self.expel()?,
            Action::Enrol(certificate) => self.enrol(&mut ledger, certificate)?,
            Action::Reconcile(told) => self.reconcile(&mut ledger, told)?,
            Action::Approve { another } => self.approve(*another)?,
            Action::Dismiss => self.dismiss()?,
            Action::Acknowledge { flag } => self.acknowledge(*flag)?,
            Action::Import(import) => self.import(&import.flags)?,
            Action::Allot { points, spend_until, .. } => self.allot(*points, *spend_until)?,
            Action::Recall => self.recall()?,
            Action::AllotWriteOff => self.write_allotment_off()?,
            Action::Return => self.return_allotment()?,
            Action::Own => self.unback_holds()?,
        }
        ledger.clock = self.clock_after();
        self.mind_clock(&mut ledger);
        for no in opened.involved() {
            self.check_range(no)?;
        }
        // A stop may take back more than an account may have: what a wrong clock gave of a plan.
        if self.points > MAX_POINTS {
            return Err(Error::out_of_range("points", format!("the operation would come to {} points", self.points)));
        }
        Ok(ledger)
    }

    /// A clock behind what is known of the time is not right.
    fn confirm_clock(&self) -> Result<()> {
        let (reading, ledger) = (self.context.reading, self.context.ledger);
        let known =
            [(Some(ledger.created_at), "the file was made"), (ledger.clock.trusted_at, "the time was known to be")];
        for (at, what) in known.into_iter().filter_map(|(at, what)| at.map(|at| (at, what))) {
            if reading.at < at {
                let said = format!("reads {}, and {what} {at}", reading.at);
                return Err(Error::invalid("clock", said, "set the clock right, then confirm it"));
            }
        }
        Ok(())
    }

    /// History being loaded accepts no reading. That its own is suspect counts all the same.
    fn clock_after(&self) -> ClockState {
        if let Some(as_of) = self.as_of {
            return reconcile::reconciled_clock(self.context.ledger.clock, &self.time, as_of);
        }
        let accepted = self.time.mark != ClockMark::Suspect;
        if self.historic && accepted { self.context.ledger.clock } else { self.time.clock }
    }

    fn check_range(&mut self, account: i64) -> Result<()> {
        let Balances { available, held, pending, debt } = self.books.balances(account)?;
        let total = add(add(available, held)?, pending)?;
        if total > MAX_POINTS || debt > MAX_POINTS {
            return Err(Error::out_of_range("points", format!("the account would reach {} points", total.max(debt))));
        }
        Ok(())
    }

    /// Writes this operation's line in the account's books.
    fn post(&mut self, kind: EntryKind, points: i64, batch: Option<BatchNo>) -> Result<()> {
        self.post_on(self.account, kind, points, batch)
    }

    fn post_on(&mut self, account: i64, kind: EntryKind, points: i64, batch: Option<BatchNo>) -> Result<()> {
        let line = Line { kind, operation: Some(self.seq), booked_at: self.now, points, batch };
        self.books.post(account, line)
    }

    fn settle(&mut self, account: i64) -> Result<()> {
        draw::settle(&mut self.books, account, Some(self.seq), self.now)
    }

    /// Everything is decided: what follows only gathers it, and must succeed.
    fn finish(&mut self, key: &Key, body: String, origin: Origin, ledger: LedgerRow) -> Result<Box<Booked>> {
        let (account, after, entry) = if self.account == 0 {
            (None, Balances::default(), None)
        } else {
            let row = self.books.account(self.account)?;
            (Some((row.no, row.id.clone())), row.balances, Some(row.entries))
        };
        if matches!(self.kind, OpKind::Consume | OpKind::Capture) && self.outcome.open == 0 {
            // One simply paid has no allocation rows: its outcome lists the draws.
            self.books.leave_allocations(self.seq, &self.outcome.draws);
        }
        let mut changes = self.books.take_changes()?;
        changes.devices.extend(self.device.take().map(|device| *device));
        self.tell_heard(&mut changes);
        changes.hub = self.hub.take();
        let (reading, clock) = (self.context.reading.at, ledger.clock);
        let suspect = self.time.mark == ClockMark::Suspect;
        // Put together where it stays, for it is large.
        let mut booked = Box::new(Booked {
            operation: OperationRow {
                seq: self.seq,
                writer: ledger.writer,
                kind: self.kind,
                account,
                key: key.clone(),
                recorded_at: reading,
                booked_at: self.now,
                clock: self.time.mark,
                accepted_at: Some(clock.accepted_at).filter(|at| *at != reading),
                suspect_since: clock.suspect_since.filter(|since| !suspect || *since != reading),
                points: self.points,
                price_book: self.price_book,
                rules_version: RULES_VERSION,
                body,
                outcome: std::mem::take(&mut self.outcome),
                entry,
                origin,
                hash: Hash::default(),
            },
            after,
            changes,
            ledger,
            new_book: self.new_book.take(),
        });
        booked.operation.hash = chain::link(&booked.ledger.head, &booked.operation);
        booked.ledger.head = booked.operation.hash;
        booked.ledger.length = self.seq;
        Ok(booked)
    }
}
