//! What a hub makes of a link, in the documented order of decisions. A link never fails for points or for the state of its account;
//! what cannot be booked is kept for somebody to look at.

use super::links::{Incoming, Place, Refunded, Said, hold_of, is_second, occurred, refunded, staged};
use super::roles::is_one_over_all;
use super::source::Source;
use super::{RULES_VERSION, parse_body};
use crate::error::{Error, Result};
use crate::model::{
    Action, CaptureAmount, Command, ConsumePolicy, DeviceState, FlagCode, Line, LinkRow, OpKind, Request, Right,
    StageReason, StageState, Standing,
};
use crate::pricing::PriceBook;
use crate::units::{DAY_MILLIS, Instant, add};

/// A link with all that is known of it.
pub(super) struct Case<'a> {
    pub(super) incoming: Incoming<'a>,
    /// The hub's.
    standing: &'a Standing,
    pub(super) place: Place,
    pub(super) kind: Option<OpKind>,
    /// What it asks for, where that makes sense.
    pub(super) command: Result<Command>,
    pub(super) said: Said,
    pub(super) occurred: Instant,
    /// Of a capture, where its hold is known: that one's kind, link and line.
    pub(super) hold: Option<(OpKind, LinkRow, String)>,
    /// The device's clock was wrong.
    pub(super) corrected: bool,
}

pub(super) enum Judged {
    Note,
    Book,
    Stage(StageReason, Option<i64>),
}

/// What was booked under a link's key before.
struct Use {
    operation: i64,
    /// The same was asked for.
    same: bool,
    /// By this very chain: no device does that.
    own: bool,
}

/// A kind that moves points.
fn moves(kind: OpKind) -> bool {
    matches!(kind, OpKind::Consume | OpKind::Capture) || is_credit(kind)
}

fn is_credit(kind: OpKind) -> bool {
    matches!(kind, OpKind::Recharge | OpKind::Refund | OpKind::Return)
}

impl<'a> Case<'a> {
    /// `at`: when it occurred, where that is settled; else it is worked out, by the hub's time and as of its account's now.
    pub(super) fn of(
        source: &dyn Source,
        standing: &'a Standing,
        incoming: Incoming<'a>,
        place: Place,
        (at, now): (Option<Instant>, (Instant, Instant)),
    ) -> Result<Self> {
        let line = incoming.line;
        let kind = OpKind::from_text(&line.kind);
        let request = Request::parse(line.body);
        let said = request.as_ref().map(Said::of).unwrap_or_default();
        let command = match (request, kind) {
            (Err(error), _) => Err(error),
            (Ok(_), None) => Err(Error::invalid("k", format!("nobody knows `{}`", line.kind), "update counterfoil")),
            (Ok(body), Some(kind)) => Command::stored(kind, line.account.clone(), line.key.clone(), &body),
        };
        let hold = match &command {
            Ok(command) => hold_of(source, &place, incoming.device, command)?,
            Err(_) => None,
        };
        let (occurred, corrected) = match at {
            Some(at) => (at, false),
            None => {
                let placed = hold.as_ref().filter(|(kind, ..)| *kind == OpKind::Hold).map(|(_, link, _)| link);
                occurred(&incoming, &place, (said, placed), now)?
            }
        };
        Ok(Case { incoming, standing, place, kind, command, said, occurred, hold, corrected })
    }

    /// The first that applies.
    pub(super) fn judge(&self, source: &dyn Source) -> Result<Judged> {
        let line = self.incoming.line;
        let device = self.incoming.device;
        let stage = |reason| Ok(Judged::Stage(reason, None));
        if let Some(kind) = self.kind.filter(|kind| !moves(*kind)) {
            return self.judge_still(source, kind);
        }
        if self.is_too_new(source, None)? {
            return stage(StageReason::TooNew);
        }
        let (Some(kind), Ok(command), true) = (self.kind, &self.command, self.is_sound(source)?) else {
            return stage(StageReason::Invalid);
        };
        match self.key_use(source, kind, command)? {
            Some(used) if used.own => return stage(StageReason::Invalid),
            Some(Use { operation, same: true, .. }) => {
                return Ok(Judged::Stage(StageReason::DuplicateKey, Some(operation)));
            }
            Some(Use { operation, .. }) if is_credit(kind) => {
                return Ok(Judged::Stage(StageReason::KeyConflict, Some(operation)));
            }
            _ => {}
        }
        if kind == OpKind::Refund
            && let Refunded::Waits(operation) = refunded(source, &self.place, device, command)?
        {
            return Ok(Judged::Stage(StageReason::WaitsFor, Some(operation)));
        }
        if is_credit(kind) && is_second(source, &self.place)? {
            return stage(StageReason::Fork);
        }
        if !self.is_allowed(kind, line)? {
            return stage(StageReason::NotAllowed);
        }
        if device.state == DeviceState::Expelled {
            return stage(StageReason::Expelled);
        }
        Ok(Judged::Book)
    }

    /// What moves no points: noted, but for the first that a hub hears of an account.
    fn judge_still(&self, source: &dyn Source, kind: OpKind) -> Result<Judged> {
        let unknown = match (&self.incoming.line.account, &self.command) {
            (Some(account), Ok(_)) if kind == OpKind::Open => source.account_by_id(account)?.is_none(),
            _ => false,
        };
        Ok(if unknown && self.incoming.device.state == DeviceState::Admitted { Judged::Book } else { Judged::Note })
    }

    /// Booked by a newer program, or after something of its device and account that was.
    pub(super) fn is_too_new(&self, source: &dyn Source, approving: Option<i64>) -> Result<bool> {
        if self.kind.is_none() || self.incoming.line.rules_version > RULES_VERSION {
            return Ok(true);
        }
        let account = match &self.incoming.line.account {
            Some(account) => source.account_by_id(account)?.map_or(0, |row| row.no),
            None => 0,
        };
        let waiting = source.staged_open(self.incoming.device.no, account)?;
        let before = |row: &crate::model::StagedRow| approving.is_none_or(|approving| row.operation < approving);
        Ok(waiting.iter().any(|row| row.reason == StageReason::TooNew && before(row)))
    }

    /// What it is done to is what it says, as far as that is known.
    pub(super) fn is_sound(&self, source: &dyn Source) -> Result<bool> {
        let (Some(kind), Ok(command)) = (self.kind, &self.command) else { return Ok(false) };
        let taken = command.facts.iter().flat_map(|facts| &facts.allotted);
        let taken = taken.fold(0_i64, |sum, (_, points)| sum.saturating_add(*points));
        if self.incoming.line.account.is_none() || taken > self.incoming.line.points {
            return Ok(false);
        }
        Ok(match kind {
            OpKind::Capture => self.hold.as_ref().is_none_or(|(kind, ..)| *kind == OpKind::Hold),
            OpKind::Refund => !matches!(refunded(source, &self.place, self.incoming.device, command)?, Refunded::Wrong),
            _ => true,
        })
    }

    /// What was booked under its key, in the key's scope.
    fn key_use(&self, source: &dyn Source, kind: OpKind, command: &Command) -> Result<Option<Use>> {
        let line = self.incoming.line;
        let Some(account) = line.account.as_ref().map(|id| source.account_by_id(id)).transpose()?.flatten() else {
            return Ok(None);
        };
        let mut found: Option<Use> = None;
        for (chain, operation) in source.key_uses(account.no, kind, &line.key)? {
            let own = chain == self.place.chain && self.place.new.is_none();
            let device = if chain > 0 { Some(super::links::chain(source, chain)?.device) } else { None };
            if !is_one_over_all(self.standing, kind, &line.key) && device != Some(self.incoming.device.no) {
                continue;
            }
            let first = source.stored_row(operation)?.ok_or_else(|| Error::corrupt("a key has no operation"))?;
            let used = Use { operation, same: command.differs_from(&parse_body(&first)?).is_empty(), own };
            // The one that asked for the same, if any did.
            if own || used.same || found.is_none() {
                let done = used.same || own;
                found = Some(used);
                if done {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Refuses to approve what was booked meanwhile.
    pub(super) fn check_key(&self, source: &dyn Source, another: bool) -> Result<()> {
        let (Some(kind), Ok(command)) = (self.kind, &self.command) else { return Ok(()) };
        let Some(used) = self.key_use(source, kind, command)?.filter(|used| used.own || !another) else {
            return Ok(());
        };
        let first = source.stored_row(used.operation)?;
        let operation = first.map(|row| row.writer.1.operation(row.seq).to_string()).unwrap_or_default();
        Err(Error::KeyReused { key: command.key.to_string(), op: kind.as_str(), operation, fields: Vec::new() })
    }

    fn is_allowed(&self, kind: OpKind, line: &Line<'_>) -> Result<bool> {
        let policy = &self.incoming.device.policy;
        Ok(match kind {
            OpKind::Recharge => {
                let within = |most: Option<crate::units::Points>, points: i64| most.is_none_or(|most| most >= points);
                policy.rights.contains(&Right::Recharge)
                    && within(policy.max_recharge, line.points)
                    && within(policy.max_recharge_per_day, self.recharged(line)?.1)
            }
            OpKind::Refund => policy.rights.contains(&Right::Refund),
            _ => true,
        })
    }

    /// The day of a recharge by its device's clock, and what that has recharged in it with this one.
    pub(super) fn recharged(&self, line: &Line<'_>) -> Result<(i64, i64)> {
        let (device, day) = (self.incoming.device, line.booked_at.millis() / DAY_MILLIS);
        let before = if device.recharge_day == day { device.recharged } else { 0 };
        Ok((day, add(before, line.points)?))
    }

    /// What should be seen of it beyond what arrival finds: another sale under its key, and its price.
    pub(super) fn flags(&self, source: &dyn Source) -> Result<Vec<(FlagCode, i64)>> {
        let mut flags = Vec::new();
        let (Some(kind), Ok(command)) = (self.kind, &self.command) else { return Ok(flags) };
        if self.key_use(source, kind, command)?.is_some_and(|used| !used.same) {
            flags.push((FlagCode::KeyConflict, 0));
        }
        let Some((no, hash)) = self.incoming.price_book else { return Ok(flags) };
        if self.incoming.device.policy.prices.is_some_and(|prices| prices != hash) {
            flags.push((FlagCode::StalePriceBook, 0));
        }
        let Some(book) = source.price_book(no)? else { return Ok(flags) };
        if let Some(points) = self.price(&book, command)?.filter(|points| *points != self.incoming.line.points) {
            flags.push((FlagCode::PriceMismatch, points));
        }
        Ok(flags)
    }

    /// What the book asks for it, where the book decided.
    fn price(&self, book: &PriceBook, command: &Command) -> Result<Option<i64>> {
        let price = |service: &str, usage: Option<&crate::quantity::Usage>| {
            book.price(service, usage).ok().map(|priced| priced.points.get())
        };
        Ok(match &command.action {
            Action::Consume { points: None, service: Some(service), usage, policy, .. }
                if *policy != ConsumePolicy::UpTo =>
            {
                price(service, usage.as_ref())
            }
            Action::Capture { amount: CaptureAmount::Usage(usage), capped } if *capped != Some(true) => {
                let Some((OpKind::Hold, _, text)) = &self.hold else { return Ok(None) };
                let body = Request::parse(Line::stored(text)?.body)?;
                let service = body.get("service").and_then(serde_json::Value::as_str);
                service.and_then(|service| price(service, Some(usage)))
            }
            _ => None,
        })
    }

    /// Whether it may be approved: what it waits for has been looked at.
    pub(super) fn check_ready(&self, source: &dyn Source, operation: i64, another: bool) -> Result<()> {
        let not_yet = |message: &str, help: &str| Err(Error::invalid("link", message, help));
        if self.is_too_new(source, Some(operation))? {
            return not_yet(
                "was booked by a newer program, or follows on one that was",
                "update counterfoil, and approve the earlier one first",
            );
        }
        if !self.is_sound(source)? {
            return not_yet("says what cannot be", "dismiss it");
        }
        if let (Some(OpKind::Refund), Ok(command)) = (self.kind, &self.command)
            && let Refunded::Waits(other) = refunded(source, &self.place, self.incoming.device, command)?
            && staged(source, other)?.state == StageState::Open
        {
            return not_yet("refunds a charge that waits itself", "approve or dismiss that one first");
        }
        self.check_key(source, another)
    }
}
