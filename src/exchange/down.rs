//! A line of a file that goes down: how an account stands at the hub.

use super::fields::format;
use crate::error::Result;
use crate::model::Carried;

/// Reads an account. What it says of the device's own operations, it says of those up to the acked one.
pub(super) fn account(line: &[u8], acked: i64) -> Result<Carried> {
    let text = std::str::from_utf8(line).map_err(|_| format("is not UTF-8"))?;
    let carried = Carried::read(text).map_err(format)?;
    let batches = carried.batches.iter().filter_map(|batch| batch.link);
    let consumes = carried.consumes.iter().filter_map(|consume| consume.link);
    match batches.chain(consumes).find(|link| *link > acked) {
        Some(link) => Err(format(format_args!("operation {link} is beyond the acked one, {acked}"))),
        None => Ok(carried),
    }
}
