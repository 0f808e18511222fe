//! What a hub holds of its devices, while its operations are replayed: chains and links are facts of the file, proven by
//! themselves; what waits and what is flagged follows from the operations.

use super::Memory;
use crate::engine::Source;
use crate::engine::source::Links;
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::model::{ChainRow, DeviceRow, FlagRow, Import, Key, LinkRow, OpKind, OperationRow, StagedRow, WatchRow};
use crate::store;

impl Memory<'_, '_> {
    fn links(&self) -> Result<&dyn Source> {
        let file = self.file.as_ref().ok_or_else(|| Error::corrupt("there is no file to read links from"))?;
        Ok(&file.source)
    }

    /// Remembers what an import tells.
    pub(in crate::audit) fn imported(&mut self, import: &Import) {
        self.imports.insert(import.last.1, (import.first, import.occurred));
    }

    /// Of the import whose last link this is: its first link, and when those that were noted occurred.
    pub(in crate::audit) fn import_to(&self, last: &Hash) -> Option<(i64, Hash)> {
        self.imports.get(last).copied()
    }

    pub(in crate::audit) fn all_staged(&self) -> impl Iterator<Item = &StagedRow> {
        self.staged.values()
    }

    pub(in crate::audit) fn all_flags(&self) -> impl Iterator<Item = &FlagRow> {
        self.flags.values()
    }

    pub(in crate::audit) fn all_watches(&self) -> impl Iterator<Item = &WatchRow> {
        self.watches.values()
    }
}

impl Links for Memory<'_, '_> {
    fn device_by_no(&self, no: i64) -> Result<Option<DeviceRow>> {
        Ok(self.devices.get(&no).cloned())
    }

    fn chain(&self, no: i64) -> Result<Option<ChainRow>> {
        self.links()?.chain(no)
    }

    fn next_chain_no(&self) -> Result<i64> {
        self.links()?.next_chain_no()
    }

    /// Known from the operation that asked.
    fn newest_epoch(&self, device: i64) -> Result<Option<i64>> {
        self.links()?.newest_epoch(device)
    }

    fn chains_of(&self, device: i64) -> Result<Vec<ChainRow>> {
        self.links()?.chains_of(device)
    }

    fn chains_after(&self, prev: &Hash) -> Result<Vec<ChainRow>> {
        self.links()?.chains_after(prev)
    }

    /// If it had come by then: what went over a gap was there before what fills it.
    fn link(&self, chain: i64, seq: i64) -> Result<Option<LinkRow>> {
        let link = self.links()?.link(chain, seq)?;
        Ok(link.filter(|link| link.operation.is_none_or(|operation| operation <= self.last)))
    }

    fn link_by_hash(&self, hash: &Hash) -> Result<Option<LinkRow>> {
        self.links()?.link_by_hash(hash)
    }

    /// Those booked so far.
    fn key_uses(&self, account: i64, kind: OpKind, key: &Key) -> Result<Vec<(i64, i64)>> {
        let mut uses = self.links()?.key_uses(account, kind, key)?;
        uses.retain(|(_, operation)| *operation <= self.last);
        Ok(uses)
    }

    fn staged(&self, operation: i64) -> Result<Option<StagedRow>> {
        Ok(self.staged.get(&operation).cloned())
    }

    fn staged_open(&self, device: i64, account: i64) -> Result<Vec<StagedRow>> {
        let open = |row: &&StagedRow| row.device == device && row.account == account && row.closed_by.is_none();
        Ok(self.staged.values().filter(open).cloned().collect())
    }

    /// Of what was only noted, the file alone tells.
    fn is_watched(&self, device: i64, account: i64) -> Result<bool> {
        if self.watches.contains_key(&(device, account)) {
            return Ok(true);
        }
        let Some(file) = &self.file else { return Ok(false) };
        Ok(store::watch(file.session, device, account)?.is_some_and(|row| row.since <= self.last))
    }

    fn stored_row(&self, seq: i64) -> Result<Option<OperationRow>> {
        self.links()?.operation_row(seq)
    }

    fn flags(&self, operation: i64) -> Result<Vec<FlagRow>> {
        Ok(self.flags.range((operation, 0)..=(operation, i64::MAX)).map(|(_, row)| row.clone()).collect())
    }
}
