//! What a hub holds of a device: how far without a gap, where its log ends, and whether the hub itself was set back.

use super::Look;
use super::lists::READ;
use crate::engine::Source;
use crate::engine::source::Links;
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::model::{AccountId, ChainRow, DeviceRow, Scope, StageReason, turns};
use crate::store::{self, Concerned};

/// A link by number and hash; 0 is the beginning of a device's log.
pub(crate) type LinkAt = (i64, Hash);

/// So many of a device's operations that wait are told of at most.
const MOST_WAITING: usize = 1000;

/// Where what a hub holds of a device's log ends, and where it does not begin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    /// Links without a successor, each with its epoch.
    pub(crate) leaves: Vec<(LinkAt, i64)>,
    /// Links without the one before.
    pub(crate) gaps: Vec<LinkAt>,
}

impl Look<'_, '_> {
    /// The device of this hub with this id.
    pub(crate) fn device_of_hub(&self, id: &uuid::Uuid) -> Result<Option<DeviceRow>> {
        Ok(self.source.device(crate::model::device_tag(id))?.filter(|row| row.device == *id))
    }

    /// Whether a link has come, or is the beginning of a log.
    pub(crate) fn holds_link(&self, link: LinkAt) -> Result<bool> {
        Ok(link.0 == 0 || self.source.link_by_hash(&link.1)?.is_some_and(|row| row.seq == link.0))
    }

    /// The chains from the beginning of a device's log to a link, each with how far it leads there, the newest first; none when
    /// something between is missing.
    pub(crate) fn path_to(&self, link: LinkAt) -> Result<Option<Vec<(ChainRow, i64)>>> {
        let (mut path, mut at) = (Vec::new(), link);
        while at.0 > 0 {
            let Some(row) = self.source.link_by_hash(&at.1)?.filter(|row| row.seq == at.0) else { return Ok(None) };
            let Some(chain) = self.source.chain(row.chain)? else { return Ok(None) };
            at = (chain.first.saturating_sub(1), chain.prev);
            path.push((chain, row.seq));
        }
        Ok(Some(path))
    }

    /// Whether a position of this hub's log, by number and hash, is in it; 0 is its beginning.
    pub(crate) fn is_own_past(&self, position: LinkAt) -> Result<bool> {
        Ok(position.0 == 0 || self.hash_of(position.0)? == Some(position.1))
    }

    /// Whether a link has come, and none that goes on after it.
    pub(crate) fn is_leaf(&self, link: LinkAt) -> Result<bool> {
        let Some(row) = self.source.link_by_hash(&link.1)?.filter(|row| row.seq == link.0) else { return Ok(false) };
        Ok(self.source.link(row.chain, row.seq.saturating_add(1))?.is_none()
            && self.source.chains_after(&link.1)?.is_empty())
    }

    /// Where what this hub holds of a device's log ends.
    pub(crate) fn ends_of(&self, device: &DeviceRow) -> Result<Ends> {
        let mut ends = Ends::default();
        for chain in self.source.chains_of(device.no)? {
            if let Some(last) = store::newest_link(self.session, chain.no)?
                && self.source.chains_after(&last.hash)?.is_empty()
            {
                ends.leaves.push(((last.seq, last.hash), chain.epoch));
            }
            if chain.first > 1
                && self.source.link_by_hash(&chain.prev)?.is_none()
                && let Some(first) = self.source.link(chain.no, chain.first)?
            {
                ends.gaps.push((first.seq, first.hash));
            }
        }
        Ok(ends)
    }

    /// The accounts a device is to hear of that have changed since a position of this hub, or are new to it since; all of them
    /// since 0.
    pub(crate) fn changed_for(&self, device: &DeviceRow, since: i64) -> Result<Vec<AccountId>> {
        let (watched, since_all) = match device.policy.scope {
            Scope::All => (None, device.scope_since),
            Scope::Seen => (Some(device.no), 0),
        };
        let mut changed = Vec::new();
        let read = |after, page| store::concerned(self.session, watched, after, page);
        for row in store::pages(0, READ, read, |row: &Concerned| row.account) {
            let row = row?;
            // So does a clock that was ahead, and is mended.
            let turned = turns((row.steps_back, row.last_booked_at), &self.clock, self.time);
            if since == 0 || turned || row.newest.max(row.since).max(since_all) > since {
                changed.push(row.id);
            }
        }
        Ok(changed)
    }

    /// What waits of a device's operations up to a link, by their numbers in its log.
    pub(crate) fn waiting_on(&self, device: &DeviceRow, path: &[(ChainRow, i64)]) -> Result<Vec<(i64, StageReason)>> {
        let mut waiting = Vec::new();
        for row in store::staged_of_device(self.session, device.no, MOST_WAITING)? {
            let lost = || Error::corrupt(format!("operation {} set nothing aside", row.operation));
            let origin = self.source.operation_row(row.operation)?.ok_or_else(lost)?.origin;
            if path.iter().any(|(chain, until)| chain.no == origin.chain && origin.seq <= *until) {
                waiting.push((origin.seq, row.reason));
            }
        }
        waiting.sort_unstable_by_key(|(seq, _)| *seq);
        Ok(waiting)
    }
}
