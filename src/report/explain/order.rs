//! Why a batch came first: its place in the draw order against the next that could have paid then.

use std::collections::BTreeMap;

use super::super::Look;
use super::Booked;
use super::since::Later;
use crate::engine::Books;
use crate::error::Result;
use crate::model::{AccountRow, BatchNo, BatchRow, DrawKey, EntryKind};
use crate::store::Forward;
use crate::units::Instant;

/// When and where points were drawn.
pub(super) struct Moment {
    /// The operation, and the number of its first line.
    pub(super) seq: i64,
    pub(super) n: i64,
    pub(super) at: Instant,
    /// The account's available points after the draw.
    pub(super) left: i64,
}

/// Why `first` stands before `next` in the draw order; nothing when it does not.
fn words(first: &DrawKey, next: &DrawKey) -> Option<String> {
    if first >= next {
        return None;
    }
    let date = |millis: i64| Instant::clamped(millis).utc().format("%Y-%m-%d").to_string();
    let time = |millis: i64| Instant::clamped(millis).utc().format("%Y-%m-%d %H:%M:%S%.3fZ").to_string();
    Some(if first.priority != next.priority {
        format!("priority {} before {}", first.priority, next.priority)
    } else if first.expires_at != next.expires_at {
        let (mine, other) = (first.expires_at, next.expires_at);
        if other == i64::MAX {
            format!("expires {}, the next one never", date(mine))
        } else if date(mine) == date(other) {
            format!("expires {}, sooner than {}", time(mine), time(other))
        } else {
            format!("expires {}, sooner than {}", date(mine), date(other))
        }
    } else if first.paid != next.paid {
        "promotional before paid".into()
    } else {
        "older".into()
    })
}

impl Look<'_, '_> {
    /// A batch's place in the draw order at a moment.
    pub(super) fn key_at(
        &self,
        account: &AccountRow,
        batch: &BatchRow,
        moment: &Moment,
        later: &Later,
    ) -> Result<DrawKey> {
        let mut then = batch.clone();
        if later.expiry_changed.contains(&batch.no) {
            then.expires_at = self.expiry_before(account.no, batch, moment.n)?;
        }
        Ok(then.draw_key())
    }

    /// The expiry a batch had before its account's `n`th line.
    fn expiry_before(&self, account: i64, batch: &BatchRow, n: i64) -> Result<Option<Instant>> {
        let mut set = None;
        let created = Booked::read(&self.source, batch.operation())?;
        self.walk(account, 1, n.saturating_sub(1), Forward::Newest, |row| {
            if row.kind == EntryKind::SetExpiry && row.batch == Some(batch.no) {
                set = row.operation;
            }
            set.is_none() && row.booked_at >= created.row.booked_at
        })?;
        let by = match set {
            Some(seq) => Booked::read(&self.source, seq)?,
            None => created,
        };
        Ok(by.expiry_of(batch.no).unwrap_or(batch.expires_at))
    }

    /// Why each of the batches was drawn before the next, as far as can be proven.
    pub(super) fn reasons(
        &self,
        books: &Books<'_>,
        account: &AccountRow,
        drawn: &[(BatchNo, DrawKey)],
        moment: &Moment,
        later: &Later,
    ) -> Result<BTreeMap<BatchNo, String>> {
        let mut reasons = BTreeMap::new();
        for pair in drawn.windows(2) {
            if let [(no, first), (_, next)] = pair {
                words(first, next).into_iter().for_each(|why| drop(reasons.insert(*no, why)));
            }
        }
        let Some((last, key)) = drawn.last() else { return Ok(reasons) };
        let end = if drawn.len() == 1 { "the only batch with points" } else { "the last batch with points" };
        let stored = self.batch_row(books, *last)?;
        let had_left =
            if moment.left == 0 { Some(0) } else { stored.and_then(|row| later.had_left(*last, row.remaining)) };
        if had_left == Some(moment.left) {
            reasons.insert(*last, end.into());
            return Ok(reasons);
        }
        let (mut others, mut nearest) = (false, None);
        self.each_batch(books, account, |batch| {
            let there = batch.operation() < moment.seq && batch.effective_at <= moment.at;
            if !there || drawn.iter().any(|(no, _)| *no == batch.no) {
                return Ok(());
            }
            let other = self.key_at(account, batch, moment, later)?;
            if other.expires_at <= moment.at.millis() {
                return Ok(());
            }
            others = true;
            if later.proves(batch.no, batch.remaining) && nearest.is_none_or(|nearest| other < nearest) {
                nearest = Some(other);
            }
            Ok(())
        })?;
        let why = match nearest {
            Some(next) => words(key, &next),
            None if !others => Some(end.into()),
            None => None,
        };
        why.into_iter().for_each(|why| drop(reasons.insert(*last, why)));
        Ok(reasons)
    }
}
