//! The derived tables, row by row against what the replay made: nothing missing, nothing extra, every column.

use super::memory::{Expected, Memory};
use super::{Audit, each_row};
use crate::error::Result;
use crate::model::ReceivedRow;
use crate::store::audit::{Paged, RowKey};

pub(super) fn run(audit: &mut Audit<'_, '_>, memory: &Memory<'_, '_>) -> Result<()> {
    table(audit, memory.all_accounts().iter().map(|(no, row)| (*no, Some(row))))?;
    table(audit, memory.all_batches())?;
    table(audit, memory.all_plans())?;
    table(audit, memory.all_holds())?;
    table(audit, memory.all_consumes())?;
    table(audit, memory.all_allocations())?;
    table(audit, memory.every_allotment())?;
    table(audit, memory.all_devices().iter().map(|(no, row)| (*no, Some(row))))?;
    table(audit, memory.all_staged().map(|row| (row.operation, Some(row))))?;
    table(audit, memory.all_flags().map(|row| ((row.operation, row.code.code()), Some(row))))?;
    table(audit, memory.all_stretches().iter().map(|(key, row)| (*key, Some(row))))?;
    table(audit, memory.all_bases().iter().map(|(no, row)| (*no, Some(row))))?;
    table(audit, memory.all_foreign().iter().map(|(no, row)| (*no, Some(row))))?;
    // What they say was compared with the log.
    table::<ReceivedRow>(audit, memory.all_received().iter().map(|key| (*key, None)))
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
    each_row(audit, "tables", |faults, key, row| {
        while let Some((missing, _)) = expected.next_if(|(other, _)| *other < key) {
            faults.missing::<R>(missing.text());
        }
        let twin = expected.next_if(|(other, _)| *other == key);
        match (twin, row) {
            (_, Err(error)) => faults.unreadable::<R>(key.text(), &error),
            (None, Ok(_)) => faults.extra::<R>(key.text()),
            (Some((_, twin)), Ok(row)) => twin.into_iter().for_each(|twin| faults.compare(key.text(), twin, &row)),
        }
    })?;
    expected.for_each(|(key, _)| audit.faults.missing::<R>(key.text()));
    Ok(())
}
