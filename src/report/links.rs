//! What a hub holds of a device: how far without a gap, where its log ends, and whether the hub itself was set back.

use super::Look;
use crate::engine::Source;
use crate::engine::source::Links;
use crate::error::Result;
use crate::hash::Hash;
use crate::model::{ChainRow, DeviceRow};

/// A link by number and hash; 0 is the beginning of a device's log.
pub(crate) type LinkAt = (i64, Hash);

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
}
