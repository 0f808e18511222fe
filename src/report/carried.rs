//! Accounts as they go down from a hub to a device.

use uuid::Uuid;

use super::Look;
use crate::engine::{Carrying, Own, Source, carry, carry_figures};
use crate::error::Result;
use crate::hash::Hash;
use crate::model::{
    AccountId, AccountRow, AccountState, Balances, Carried, DeviceState, Granted, LedgerRow, Totals, device_tag,
};
use crate::units::Instant;

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

    /// What a device is to go by.
    pub(crate) fn granted(&self, device: &Uuid) -> Result<Granted> {
        self.certificate(device).map(|certificate| Granted::from(&certificate))
    }

    pub(crate) fn is_expelled(&self, device: &Uuid) -> Result<bool> {
        Ok(self.source.device(device_tag(device))?.is_some_and(|row| row.state == DeviceState::Expelled))
    }

    /// An account as a device gets to know it. One that is not there has nothing.
    pub(crate) fn carried(&self, account: &AccountId, own: &dyn Own) -> Result<Carried> {
        let late_window = self.ledger.settings.late_window;
        match self.source.account_by_id(account)? {
            None => carry_figures(&nobody(account)).map(|carried| Carried { figures: None, ..carried }),
            Some(row) => {
                let now = row.last_booked_at.max(self.ledger.clock.accepted_at);
                carry(&Carrying { source: &self.source, writers: self.writers, own, now, late_window }, &row)
            }
        }
    }

    /// The same without its rows.
    pub(crate) fn carried_figures(&self, account: &AccountId) -> Result<Carried> {
        let row = self.source.account_by_id(account)?;
        carry_figures(&row.unwrap_or_else(|| nobody(account)))
    }
}

/// An account that is not there.
fn nobody(account: &AccountId) -> AccountRow {
    AccountRow {
        no: 0,
        id: account.clone(),
        state: AccountState::Active,
        credit_limit: 0,
        balances: Balances::default(),
        unbacked: 0,
        totals: Totals::default(),
        entries: 0,
        last_booked_at: Instant::MIN,
        steps_back: 0,
        next_due_at: None,
    }
}
