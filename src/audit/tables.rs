//! The derived tables, row by row against what the replay made: nothing missing, nothing extra, every column.

use super::memory::{Expected, Memory};
use super::{Audit, PAGE, count};
use crate::error::Result;
use crate::store::audit::{self as stored, Paged, RowKey};

pub(super) fn run(audit: &mut Audit<'_, '_>, memory: &Memory<'_, '_>) -> Result<()> {
    table(audit, memory.all_accounts().iter().map(|(no, row)| (*no, Some(row))))?;
    table(audit, memory.all_batches())?;
    table(audit, memory.all_holds())?;
    table(audit, memory.all_consumes())?;
    table(audit, memory.all_allocations())?;
    table(audit, memory.all_stretches().iter().map(|(key, row)| (*key, Some(row))))
}

fn table<'a, R: Paged + PartialEq + 'a>(
    audit: &mut Audit<'_, '_>,
    expected: impl Iterator<Item = Expected<'a, R::Key, R>>,
) -> Result<()> {
    let outcome = compare(audit, expected);
    audit.faults.part(R::TABLE, outcome)
}

/// Both lists are in the order of their keys: one walk over both.
fn compare<'a, R: Paged + PartialEq + 'a>(
    audit: &mut Audit<'_, '_>,
    expected: impl Iterator<Item = Expected<'a, R::Key, R>>,
) -> Result<()> {
    let mut expected = expected.peekable();
    let (mut after, mut done) = (R::Key::LEAST, 0_u64);
    loop {
        let rows = stored::page::<R>(audit.session, after, PAGE)?;
        let full = rows.len() >= PAGE;
        done = done.saturating_add(count(rows.len()));
        for (key, row) in rows {
            after = key;
            while let Some((missing, _)) = expected.next_if(|(other, _)| *other < key) {
                audit.faults.missing::<R>(missing.text());
            }
            let twin = expected.next_if(|(other, _)| *other == key);
            match (twin, row) {
                (_, Err(error)) => audit.faults.unreadable::<R>(key.text(), &error),
                (None, Ok(_)) => audit.faults.extra::<R>(key.text()),
                (Some((_, twin)), Ok(row)) => {
                    twin.into_iter().for_each(|twin| audit.faults.compare(key.text(), twin, &row));
                }
            }
        }
        audit.tell("tables", done, None);
        if !full {
            break;
        }
    }
    expected.for_each(|(key, _)| audit.faults.missing::<R>(key.text()));
    Ok(())
}
