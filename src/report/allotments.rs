//! Allotments: what is set aside for devices, and what of it a device can spend.

use super::lists::{READ, collect};
use super::{Look, PASSED_OVER};
use crate::engine::source::Links;
use crate::engine::{Books, Source, is_usable};
use crate::error::{Error, Result};
use crate::model::{AllotmentInfo, AllotmentRow, Filter, Page, Role};
use crate::store;
use crate::units::{Instant, Points, add};

impl Look<'_, '_> {
    /// What is set aside for devices, oldest first.
    pub(crate) fn allotments(&self, query: &Filter) -> Result<Page<AllotmentInfo>> {
        let rows = |after| {
            let read = |after, page| store::allotments(self.session, !query.all, after, page);
            store::pages(after, READ, read, |row: &AllotmentRow| row.operation)
        };
        collect(query, PASSED_OVER, rows, |row| row.operation, |row| self.allotment_info(&row, query))
    }

    fn allotment_info(&self, row: &AllotmentRow, query: &Filter) -> Result<Option<AllotmentInfo>> {
        let lost = || Error::corrupt(format!("allotment {} is of nobody", row.operation));
        let account = self.source.account(row.account)?.ok_or_else(lost)?;
        if query.account.as_ref().is_some_and(|wanted| *wanted != account.id) {
            return Ok(None);
        }
        let standing = &self.ledger.standing;
        let (device, device_name) = match row.device {
            0 => (self.ledger.writer.1.device, standing.name.clone().unwrap_or_default()),
            no => self.source.device_by_no(no)?.map(|row| (row.device, row.name)).ok_or_else(lost)?,
        };
        // As time has left it: holds that have run out keep nothing.
        let (mut books, caught_up, now) = self.caught_up(account.clone(), None)?;
        let present = books.allotments(caught_up.no)?.into_iter().find(|found| found.operation == row.operation);
        let remaining = present.map_or(0, |found| found.remaining);
        if remaining == 0 && !query.all {
            return Ok(None);
        }
        let base = self.source.base(row.account)?;
        let usable = is_usable(&self.ledger, base.as_ref(), row, now);
        Ok(Some(AllotmentInfo {
            allotment: self.writers.operation(row.operation),
            account: account.id,
            device,
            device_name,
            epoch: row.epoch,
            points: Points::booked(row.points)?,
            remaining: Points::booked(remaining)?,
            spend_until: row.spend_until.utc(),
            state: row.state,
            usable: (standing.role == Role::Device).then_some(usable && remaining > 0),
        }))
    }

    /// What of an account is set aside: on a device what it can spend now, at a hub all of it.
    pub(super) fn allotted(&self, books: &mut Books<'_>, account: i64, now: Instant) -> Result<i64> {
        let role = self.ledger.standing.role;
        if role == Role::Standalone {
            return Ok(0);
        }
        let base = self.source.base(account)?;
        let counts = |row: &AllotmentRow| role == Role::Hub || is_usable(&self.ledger, base.as_ref(), row, now);
        let rows = books.allotments(account)?;
        rows.iter().filter(|row| counts(row)).try_fold(0, |sum, row| add(sum, row.remaining))
    }
}
