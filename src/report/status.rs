//! How a file stands with its hub, or with its devices.

use super::Look;
use super::lists::READ;
use crate::engine::source::Links;
use crate::error::{Error, Result};
use crate::model::{
    DeviceInfo, DeviceLog, DeviceRow, DeviceState, DevicesStatus, FlagRow, HubStatus, Role, StagedRow, SyncStatus,
};
use crate::store;
use crate::units::Instant;

/// So many of a device's operations that wait are counted at most.
const MOST_WAITING: usize = 10_000;

impl Look<'_, '_> {
    pub(crate) fn sync_status(&self) -> Result<SyncStatus> {
        let standing = &self.ledger.standing;
        let (mut hub, mut devices) = (None, None);
        match standing.role {
            Role::Standalone => {}
            Role::Device => {
                let heard = standing.heard();
                let ledger = standing.hub_ledger.ok_or_else(|| Error::corrupt("a device has no hub"))?;
                let (acked, length) = (standing.acked_seq, self.ledger.length);
                hub = Some(HubStatus {
                    ledger,
                    acked,
                    unacked: length.saturating_sub(acked),
                    heard_at: heard.parts.as_ref().map(|parts| Instant::clamped(parts.as_of).utc()),
                    whole: heard.seen.is_some() && heard.parts.is_some_and(|parts| heard.seen == Some(parts.position)),
                    expelled: heard.expelled,
                });
            }
            Role::Hub => devices = Some(self.devices_status()?),
        }
        Ok(SyncStatus { role: standing.role, operations: self.ledger.length, hub, devices })
    }

    fn devices_status(&self) -> Result<DevicesStatus> {
        let (mut admitted, mut expelled) = (0_i64, 0_i64);
        let mut silent: Option<DeviceInfo> = None;
        let read = |after, page| store::device_page(self.session, after, page);
        for row in store::pages(0, READ, read, |row: &DeviceRow| row.no) {
            let row = row?;
            if row.state == DeviceState::Expelled {
                expelled = expelled.saturating_add(1);
                continue;
            }
            admitted = admitted.saturating_add(1);
            let info = self.device_info(row)?;
            if silent.as_ref().is_none_or(|silent| info.log.last_at < silent.log.last_at) {
                silent = Some(info);
            }
        }
        let staged = |after, page| store::staged_after(self.session, true, after, page);
        let staged = store::pages(0, READ, staged, |row: &StagedRow| row.operation);
        let flags = |after, page| store::flag_page(self.session, true, after, page);
        let flags = store::pages((0, 0), READ, flags, |row: &FlagRow| (row.operation, row.code.code()));
        Ok(DevicesStatus { admitted, expelled, staged: count(staged)?, flags: count(flags)?, silent })
    }

    pub(super) fn device_info(&self, row: DeviceRow) -> Result<DeviceInfo> {
        let mut log = DeviceLog::default();
        for chain in self.source.chains_of(row.no)? {
            if let Some(last) = store::newest_link(self.session, chain.no)?
                && log.epoch.is_none_or(|epoch| (epoch, log.operations) < (chain.epoch, last.seq))
            {
                (log.epoch, log.operations) = (Some(chain.epoch), last.seq);
                log.last_at = Some(last.occurred.utc());
            }
        }
        let waiting = store::staged_of_device(self.session, row.no, MOST_WAITING)?.len();
        log.waiting = i64::try_from(waiting).unwrap_or(i64::MAX);
        Ok(row.told(log))
    }
}

fn count<T>(rows: impl Iterator<Item = Result<T>>) -> Result<i64> {
    rows.into_iter().try_fold(0_i64, |sum, row| row.map(|_| sum.saturating_add(1)))
}
