//! What a hub holds of its devices: chains, links, what waits, flags, and which accounts they hear of.

use rusqlite::params;

use super::read::next_number;
use super::rows::Concerned;
use super::tables::Table;
use super::{Session, SqlSource, limit, rows, sql};
use crate::engine::source::{Links, Source};
use crate::error::Result;
use crate::hash::{Half, Hash};
use crate::model::{
    ChainRow, DeviceRow, FOREIGN, FlagRow, Key, LinkRow, OpKind, OperationRow, ReceivedRow, StagedRow, WatchRow,
};
use crate::units::Instant;

impl Links for SqlSource<'_, '_> {
    fn device_by_no(&self, no: i64) -> Result<Option<DeviceRow>> {
        self.session().first(sql::DEVICE_BY_NO, params![no], DeviceRow::read)
    }

    fn chain(&self, no: i64) -> Result<Option<ChainRow>> {
        self.session().first(sql::CHAIN_BY_NO, params![no], ChainRow::read)
    }

    fn next_chain_no(&self) -> Result<i64> {
        next_number(self.session(), sql::CHAIN_NEXT_NO, "chain")
    }

    fn chains_after(&self, prev: &Hash) -> Result<Vec<ChainRow>> {
        let prev = params![prev.as_bytes()];
        self.session().walk(sql::CHAINS_AFTER, prev, None, |row| row.no, ChainRow::read)
    }

    fn chains_of(&self, device: i64) -> Result<Vec<ChainRow>> {
        self.session().walk(sql::CHAINS_OF_DEVICE, params![device], None, |row| row.no, ChainRow::read)
    }

    fn newest_epoch(&self, device: i64) -> Result<Option<i64>> {
        self.session().first(sql::CHAIN_NEWEST, params![device], |row| rows::integer(row, "chain"))
    }

    fn link(&self, chain: i64, seq: i64) -> Result<Option<LinkRow>> {
        self.session().first(sql::LINK_BY_NUMBER, params![chain, seq], LinkRow::read)
    }

    fn link_by_hash(&self, hash: &Hash) -> Result<Option<LinkRow>> {
        Ok(link_by_half(self.session(), &hash.half())?.filter(|link| link.hash == *hash))
    }

    fn key_uses(&self, account: i64, kind: OpKind, key: &Key) -> Result<Vec<(i64, i64)>> {
        let bounds = params![key.as_str(), account, kind.code()];
        self.session().walk(sql::OPERATIONS_UNDER_KEY, bounds, None, |row| *row, rows::chain_and_number)
    }

    fn staged(&self, operation: i64) -> Result<Option<StagedRow>> {
        self.session().first(sql::STAGED_BY_OPERATION, params![operation], StagedRow::read)
    }

    fn staged_open(&self, device: i64, account: i64) -> Result<Vec<StagedRow>> {
        let bounds = params![device, account];
        self.session().walk(sql::STAGED_OPEN, bounds, None, |row| row.operation, StagedRow::read)
    }

    fn is_watched(&self, device: i64, account: i64) -> Result<bool> {
        Ok(watch(self.session(), device, account)?.is_some())
    }

    fn stored_row(&self, seq: i64) -> Result<Option<OperationRow>> {
        self.operation_row(seq)
    }

    fn flags(&self, operation: i64) -> Result<Vec<FlagRow>> {
        self.session().walk(sql::FLAGS_OF, params![operation], None, |row| row.code, FlagRow::read)
    }
}

pub(crate) fn watch(session: &Session<'_>, device: i64, account: i64) -> Result<Option<WatchRow>> {
    session.first(sql::WATCH_ONE, params![device, account], WatchRow::read)
}

/// Flags by operation and code: all of them, or those that nobody has acknowledged.
pub(crate) fn flag_page(session: &Session<'_>, open: bool, after: (i64, i64), page: usize) -> Result<Vec<FlagRow>> {
    let sql = if open { sql::FLAGS_OPEN } else { sql::FLAG_PAGE };
    let bounds = params![after.0, after.1, limit(page)];
    session.walk(sql, bounds, Some(after), |row| (row.operation, row.code.code()), FlagRow::read)
}

/// What waits, or all that was set aside, by operation.
pub(crate) fn staged_after(session: &Session<'_>, open: bool, after: i64, page: usize) -> Result<Vec<StagedRow>> {
    let sql = if open { sql::STAGED_WAITING } else { sql::STAGED_PAGE };
    session.walk(sql, params![after, limit(page)], Some(after), |row| row.operation, StagedRow::read)
}

/// What waits of a device, by account.
pub(crate) fn staged_of_device(session: &Session<'_>, device: i64, most: usize) -> Result<Vec<StagedRow>> {
    let bounds = params![device, limit(most)];
    session.walk(sql::STAGED_OF_DEVICE, bounds, None, |row| (row.account, row.operation), StagedRow::read)
}

/// The link whose hash begins so: there is one at most.
pub(crate) fn link_by_half(session: &Session<'_>, half: &Half) -> Result<Option<LinkRow>> {
    session.first(sql::LINK_BY_HASH, params![half], LinkRow::read)
}

pub(crate) fn newest_link(session: &Session<'_>, chain: i64) -> Result<Option<LinkRow>> {
    session.first(sql::LINK_NEWEST, params![chain], LinkRow::read)
}

/// What a device was told, in order.
pub(crate) fn received_page(session: &Session<'_>, after: (i64, i64), page: usize) -> Result<Vec<ReceivedRow>> {
    let bounds = params![after.0, after.1, limit(page)];
    session.walk(sql::RECEIVED_PAGE, bounds, Some(after), |row: &ReceivedRow| (row.operation, row.n), ReceivedRow::read)
}

/// A hold of this file that is open until after an instant, if there is one.
pub(crate) fn open_hold(session: &Session<'_>, after: Instant) -> Result<Option<i64>> {
    session.first(sql::HOLD_OPEN, params![FOREIGN, after.millis()], |row| rows::integer(row, "hold"))
}

/// The accounts that a device watches, or all of them, by number.
pub(crate) fn concerned(session: &Session<'_>, device: Option<i64>, after: i64, page: usize) -> Result<Vec<Concerned>> {
    let key = |row: &Concerned| row.account;
    match device {
        Some(device) => {
            let bounds = params![device, after, limit(page)];
            session.walk(sql::CONCERNED_WATCHED, bounds, Some(after), key, rows::concerned)
        }
        None => session.walk(sql::CONCERNED_ALL, params![after, limit(page)], Some(after), key, rows::concerned),
    }
}

/// The chain and the number in it of the link that an operation books.
pub(crate) fn origin_of(session: &Session<'_>, operation: i64) -> Result<Option<(i64, i64)>> {
    session.first(sql::ORIGIN_OF, params![operation], rows::origin)
}
