//! What a ledger sends of its log: operations as they were hashed, links to begin from, the text of price books.

use super::Look;
use crate::chain;
use crate::engine::Source;
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::model::{Heard, OperationRow, Role};
use crate::store;
use crate::units::Instant;

impl Look<'_, '_> {
    /// The operation up to which the hub has them all: where the next file begins.
    pub(crate) fn acked(&self) -> Result<(i64, Hash)> {
        let (seq, hash) = (self.ledger.standing.acked_seq, self.ledger.standing.acked_hash);
        let hash = hash.map_or_else(|| self.hash_of(seq), |hash| Ok(Some(hash)))?;
        hash.map(|hash| (seq, hash)).ok_or_else(|| Error::corrupt(format!("there is no operation {seq}")))
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
