//! The derived tables, row by row against what the replay made: nothing missing, nothing extra, every column.

use super::faults::RowKey;
use super::memory::{Expected, Memory};
use super::{Audit, PAGE, count};
use crate::error::Result;
use crate::store::Table;
use crate::store::audit::{self as stored, Keyed};

pub(super) fn run(audit: &mut Audit<'_, '_>, memory: &Memory<'_, '_>) -> Result<()> {
    let session = audit.session;
    let expected = memory.all_accounts().iter().map(|(no, row)| (*no, Some(row)));
    let accounts = table(audit, expected, i64::MIN, |after| stored::accounts(session, after, PAGE));
    audit.faults.part("account", accounts)?;
    let batches = table(audit, memory.all_batches(), i64::MIN, |after| stored::batches(session, after, PAGE));
    audit.faults.part("batch", batches)?;
    let holds = table(audit, memory.all_holds(), i64::MIN, |after| stored::holds(session, after, PAGE));
    audit.faults.part("hold", holds)?;
    let consumes = table(audit, memory.all_consumes(), i64::MIN, |after| stored::consumes(session, after, PAGE));
    audit.faults.part("consume", consumes)?;
    let from = (i64::MIN, i64::MIN);
    let read = |after| stored::allocations(session, after, PAGE);
    let allocations = table(audit, memory.all_allocations(), from, read);
    audit.faults.part("allocation", allocations)?;
    let read = |after| stored::stretches(session, after, PAGE);
    let expected = memory.all_stretches().iter().map(|(key, row)| (*key, Some(row)));
    let stretches = table(audit, expected, from, read);
    audit.faults.part("stretch", stretches)
}

/// Both lists are in the order of their keys: one walk over both.
fn table<'a, K: RowKey, R: Table + PartialEq + 'a>(
    audit: &mut Audit<'_, '_>,
    expected: impl Iterator<Item = Expected<'a, K, R>>,
    from: K,
    mut page: impl FnMut(K) -> Result<Keyed<K, R>>,
) -> Result<()> {
    let mut expected = expected.peekable();
    let (mut after, mut done) = (from, 0_u64);
    loop {
        let rows = page(after)?;
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
