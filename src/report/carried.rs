//! Accounts as they go down from a hub to a device.

use uuid::Uuid;

use super::Look;
use crate::engine::{Carrying, Own, Source, carry, carry_figures};
use crate::error::Result;
use crate::hash::Hash;
use crate::model::{AccountId, Carried, ChainRow, DeviceState, EntryKind, LedgerRow, device_tag, nothing};
use crate::store::{self, Forward};
use crate::units::Instant;

/// So many lines of an account are looked through for what a device has charged.
const MOST_LINES: i64 = 4096;

/// What this hub has booked of a device's log, up to a link without a gap: the chains on the way, each with how far it leads there.
pub(crate) struct Path<'l, 'a, 'c> {
    look: &'l Look<'a, 'c>,
    chains: Vec<(i64, i64)>,
}

impl<'l, 'a, 'c> Path<'l, 'a, 'c> {
    pub(crate) fn of(look: &'l Look<'a, 'c>, path: Vec<(ChainRow, i64)>) -> Self {
        Path { look, chains: path.into_iter().map(|(chain, seq)| (chain.no, seq)).collect() }
    }
}

impl Own for Path<'_, '_, '_> {
    fn link(&self, operation: i64) -> Result<Option<i64>> {
        if self.chains.is_empty() {
            return Ok(None);
        }
        let Some((chain, seq)) = store::origin_of(self.look.session, operation)? else { return Ok(None) };
        Ok(self.chains.iter().any(|(no, until)| *no == chain && seq <= *until).then_some(seq))
    }

    fn consumes(&self, account: i64, visit: &mut dyn FnMut(i64) -> Result<bool>) -> Result<()> {
        if self.chains.is_empty() {
            return Ok(());
        }
        let newest = self.look.source.account(account)?.map_or(0, |row| row.entries);
        let oldest = newest.saturating_sub(MOST_LINES).saturating_add(1).max(1);
        for row in self.look.stored_rows(account, oldest, newest, Forward::Newest) {
            let row = row?;
            let charge = matches!(row.kind, EntryKind::Consume | EntryKind::Capture);
            if let Some(operation) = row.operation.filter(|_| charge)
                && self.link(operation)?.is_some()
                && !visit(operation)?
            {
                break;
            }
        }
        Ok(())
    }
}

impl Look<'_, '_> {
    /// Where the log ends: the epoch, the number of the newest operation, and its hash.
    pub(crate) fn end_of_log(&self) -> (i64, i64, Hash) {
        let LedgerRow { writer: (_, writer), length, head, .. } = self.ledger;
        (writer.epoch, length, head)
    }

    /// The ledger's time as of this look.
    pub(crate) fn time(&self) -> Instant {
        self.time
    }

    pub(crate) fn is_expelled(&self, device: &Uuid) -> Result<bool> {
        Ok(self.source.device(device_tag(device))?.is_some_and(|row| row.state == DeviceState::Expelled))
    }

    /// An account as a device gets to know it. One that is not there has nothing.
    pub(crate) fn carried(&self, account: &AccountId, own: &dyn Own, device: i64) -> Result<Carried> {
        let late_window = self.ledger.settings.late_window;
        match self.source.account_by_id(account)? {
            None => Ok(nothing(account)),
            Some(row) => {
                let (now, ahead) = (row.booked_time(&self.clock, self.time), row.turns(&self.clock, self.time));
                let (source, writers) = (&self.source, self.writers);
                carry(&Carrying { source, writers, own, device, now, ahead, late_window }, &row)
            }
        }
    }

    /// The same without its rows.
    pub(crate) fn carried_figures(&self, account: &AccountId) -> Result<Carried> {
        self.source.account_by_id(account)?.map_or_else(|| Ok(nothing(account)), |row| carry_figures(&row))
    }
}
