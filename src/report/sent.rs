//! What a ledger sends of its log: operations as they were hashed, links to begin from, the text of price books.

use super::Look;
use crate::chain;
use crate::engine::Source;
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::model::{Certificate, Filter, Heard, HoldState, OpKind, OperationRow, PendingRow, Role};
use crate::store;
use crate::units::Instant;

/// Milliseconds of a day.
const DAY_MILLIS: i64 = 24 * 3600 * 1000;

impl Look<'_, '_> {
    /// The operation up to which the hub has them all: where the next file begins.
    pub(crate) fn acked(&self) -> Result<(i64, Hash)> {
        let (seq, hash) = (self.ledger.standing.acked_seq, self.ledger.standing.acked_hash);
        let hash = hash.map_or_else(|| self.hash_of(seq), |hash| Ok(Some(hash)))?;
        hash.map(|hash| (seq, hash)).ok_or_else(|| Error::corrupt(format!("there is no operation {seq}")))
    }

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
        for row in store::pages(self.ledger.standing.acked_seq, 256, read, |row: &OperationRow| row.seq) {
            let OperationRow { seq, kind, .. } = row?;
            if tells(kind) {
                return refused(
                    format!("its hub has not got operation {seq}, a {kind}"),
                    "exchange with the hub first",
                );
            }
        }
        let read = |after, page| store::pending_page(self.session, after, page);
        for row in store::pages((0, 0), 256, read, |row: &PendingRow| (row.account, row.operation)) {
            let operation = row?.operation;
            if self
                .source
                .hold(operation)?
                .is_some_and(|hold| hold.phase == HoldState::Open && hold.deadline > self.time)
            {
                let message = format!("hold {} is open", self.writers.hold(operation));
                return refused(message, "capture or release it first, and exchange with the hub");
            }
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

    /// What the file is to others.
    pub(crate) fn role(&self) -> Role {
        self.ledger.standing.role
    }

    /// How far this device has heard of its hub, and the newest accepted reading.
    pub(crate) fn heard(&self) -> (Heard, Instant) {
        (self.ledger.standing.heard(), self.ledger.clock.accepted_at)
    }

    pub(crate) fn operations_after(&self, seq: i64, most: usize) -> Result<Vec<OperationRow>> {
        store::operations_after(self.session, seq, most)
    }

    /// The hash of an operation, if there is one of that number. What the log begins with has the number 0.
    pub(crate) fn hash_of(&self, seq: i64) -> Result<Option<Hash>> {
        if seq != 0 {
            return Ok(self.source.operation_row(seq)?.map(|row| row.hash));
        }
        let first = store::writer_page(self.session, 0, 1)?.pop();
        let first = first.ok_or_else(|| Error::corrupt("the file has no writer"))?.writer;
        Ok(Some(chain::genesis(self.ledger.ledger_id, first.device, first.epoch, self.ledger.created_at)))
    }

    pub(crate) fn price_book_text(&self, hash: &Hash) -> Result<String> {
        let missing = || Error::corrupt(format!("there is no price book {hash}"));
        let no = self.source.price_book_no(hash)?.ok_or_else(missing)?;
        let book = store::price_book_page(self.session, no.saturating_sub(1), 1)?.pop();
        book.filter(|book| book.hash == *hash).map(|book| book.text).ok_or_else(missing)
    }
}
