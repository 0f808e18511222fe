//! What a device's operation owes to what it heard of its hub: its time, what its inputs say of that, and what is refused.

use std::borrow::Cow;

use super::reconcile::forget_after;
use super::source::{Changes, HeardChanges};
use super::{Booking, Target};
use crate::error::{Error, Result};
use crate::model::{Action, BASE_AT, Body, Carried, Command, ConsumePolicy, LedgerRow, OpKind, Role, Subject};
use crate::units::Instant;

impl Booking<'_, '_> {
    fn is_device(&self) -> bool {
        self.context.ledger.standing.role == Role::Device
    }

    pub(super) fn find_base(&mut self) -> Result<()> {
        if self.is_device() && self.account > 0 {
            self.base = self.books.source().base(self.account)?.map(Box::new);
        }
        Ok(())
    }

    /// No clock leads behind the last line its hub told of.
    pub(super) fn floor(&self) -> Instant {
        self.base.as_ref().map_or(Instant::MIN, |base| base.last)
    }

    /// Refuses what may not be decided on what is known of the account.
    pub(super) fn check_base(&mut self, command: &Command) -> Result<()> {
        let Some(base) = self.base.clone() else { return Ok(()) };
        let strict = match &command.action {
            Action::Hold { .. } => true,
            Action::Consume { policy, .. } => *policy == ConsumePolicy::Strict,
            _ => false,
        };
        if !strict {
            return Ok(());
        }
        let longest = self.context.ledger.standing.policy.as_ref().and_then(|policy| policy.max_offline);
        if longest.is_some_and(|longest| self.now.since(base.as_of) > longest.saturating_mul(1000)) {
            return Err(Error::OfflineTooLong { as_of: base.as_of.to_string() });
        }
        if base.large {
            return Err(Error::AccountTooLarge { account: self.books.account(self.account)?.id.to_string() });
        }
        Ok(())
    }

    /// A device gives back of what its hub does not have yet, or has told it of.
    pub(super) fn check_refund(&self, command: &Command) -> Result<()> {
        let (Some(base), Target::Consume(operation)) = (&self.base, self.target) else { return Ok(()) };
        if self.kind != OpKind::Refund || operation > base.ack {
            return Ok(());
        }
        let line = self.books.source().received(base.operation, self.account)?;
        let told = line.and_then(|line| Carried::read(&line).ok());
        let carried = told.is_some_and(|told| told.consumes.iter().any(|row| row.link == Some(operation)));
        match (&command.subject, carried) {
            (Subject::Operation(id), false) => {
                Err(Error::UnknownOperation { operation: id.to_string(), wanted: "refundable" })
            }
            _ => Ok(()),
        }
    }

    /// The inputs, when what was known of the account was put together, and what was found out.
    pub(super) fn based<'b>(&self, body: &'b Body) -> Result<Cow<'b, Body>> {
        if self.base.is_none() && self.epoch.is_none() {
            return Ok(Cow::Borrowed(body));
        }
        let mut body = body.clone();
        self.base.iter().for_each(|base| body.add(BASE_AT, base.as_of.millis().into()));
        self.add_facts(&mut body)?;
        Ok(Cow::Owned(body))
    }

    /// Accepted time may have gone back behind what bases were caught up to.
    pub(super) fn mind_clock(&self, ledger: &mut LedgerRow) {
        if self.as_of.is_none() && ledger.standing.heard.is_some() {
            forget_after(self.context.ledger.clock, ledger, self.seq);
        }
    }

    pub(super) fn tell_heard(&mut self, changes: &mut Changes) {
        if let Some(told) = self.heard.take() {
            let HeardChanges { bases, received, foreign, .. } = *told;
            let heard = changes.heard.take().map_or_else(HeardChanges::default, |heard| *heard);
            changes.heard = Some(Box::new(HeardChanges { bases, received, foreign, ..heard }));
        }
    }
}
