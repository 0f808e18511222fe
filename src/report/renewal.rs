//! Whether a device's file can be left for a fresh one, and what that goes by.

use super::Look;
use super::lists::READ;
use crate::error::{Error, Result};
use crate::model::{Certificate, Filter, OpKind, OperationRow};
use crate::store;
use crate::units::DAY_MILLIS;

impl Look<'_, '_> {
    /// Refuses while its hub has not got everything of this device, or this file alone knows of a hold or an allotment.
    pub(crate) fn check_settled(&self) -> Result<()> {
        let refused = |message: String, help: &str| Err(Error::invalid("file", message, help));
        let standing = &self.ledger.standing;
        if standing.heard().expelled {
            return Err(Error::DeviceRevoked);
        }
        let bounded = standing.policy.as_ref().is_some_and(|policy| policy.max_recharge_per_day.is_some());
        if bounded && standing.recharged > 0 && standing.recharge_day == self.time.millis() / DAY_MILLIS {
            return refused(
                "it has recharged today, and how much is bounded by the day".into(),
                "renew it on another day",
            );
        }
        let read = |after, page| store::operations_after(self.session, after, page);
        let tells = |kind| {
            use OpKind::{Capture, Consume, Hold, Open, Recharge, Refund, Release, Renew, Return};
            matches!(kind, Open | Consume | Hold | Capture | Release | Renew | Refund | Recharge | Return)
        };
        for row in store::pages(self.ledger.standing.acked_seq, READ, read, |row: &OperationRow| row.seq) {
            let OperationRow { seq, kind, .. } = row?;
            if tells(kind) {
                return refused(
                    format!("its hub has not got operation {seq}, a {kind}"),
                    "exchange with the hub first",
                );
            }
        }
        if let Some(hold) = store::open_hold(self.session, self.time)? {
            let message = format!("hold {} is open", self.writers.hold(hold));
            return refused(message, "capture or release it first, and exchange with the hub");
        }
        let filter = Filter::default();
        match self.allotments(&filter)?.items.first() {
            Some(open) => refused(format!("allotment {} is not given back", open.allotment), "return it first"),
            None => Ok(()),
        }
    }

    /// What this device goes by, as its hub would certify it.
    pub(crate) fn own_certificate(&self) -> Result<Certificate> {
        let (standing, settings) = (&self.ledger.standing, &self.ledger.settings);
        let lost = || Error::corrupt("a device has no standing");
        Ok(Certificate {
            device: self.ledger.writer.1.device,
            public_key: standing.public_key.ok_or_else(lost)?,
            name: standing.name.clone().ok_or_else(lost)?,
            hub: standing.hub_ledger.ok_or_else(lost)?,
            hub_key: standing.hub_key.ok_or_else(lost)?,
            policy: standing.policy.as_deref().cloned().ok_or_else(lost)?,
            accounts: settings.accounts_open(),
            late_window: settings.late_window,
            max_hold: settings.max_hold,
            max_clock_jump: settings.max_clock_jump,
        })
    }
}
