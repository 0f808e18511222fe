//! Ids on the command line: in full, or by the bare number of the operation that made the thing (`12`, `12.2`).

use counterfoil::{BatchId, Error, HoldId, Ledger, OperationId, Result};

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// An operation: its id, or its number in the file.
pub(crate) fn operation(ledger: &Ledger, text: &str) -> Result<OperationId> {
    if !is_number(text) {
        let id = text.parse::<OperationId>();
        let place = text.split_once('.').is_some_and(|(number, index)| is_number(number) && is_number(index));
        return match id {
            Ok(id) if id.index() != 0 => Err(made_by(text, id.sequence())),
            Err(_) if place => Err(made_by(text, text.split('.').next().unwrap_or_default())),
            Err(Error::InvalidArgument { field, message, .. }) => {
                let help = format!(
                    "name it by its number or id, which history shows; a reference: history --reference {text}"
                );
                Err(Error::InvalidArgument { field, message, help })
            }
            id => id,
        };
    }
    match text.parse() {
        Ok(number) => ledger.operation_id(number),
        Err(_) => Err(Error::UnknownOperation { operation: text.into(), wanted: "booked" }),
    }
}

/// What somebody hears who names a batch where an operation is wanted.
fn made_by(text: &str, operation: impl std::fmt::Display) -> Error {
    Error::InvalidArgument {
        field: "operation".into(),
        message: format!("`{text}` names a batch, which operation {operation} made, and no operation"),
        help: "give the number or id of an operation, as the account's history shows them".into(),
    }
}

/// A batch: its id, `N` for the only batch operation N made, or `N.i` for its i-th.
pub(crate) fn batch(ledger: &Ledger, text: &str) -> Result<BatchId> {
    let (number, index) = match text.split_once('.') {
        Some((number, index)) if is_number(number) && is_number(index) => (number, Some(index)),
        None if is_number(text) => (text, None),
        _ => return text.parse(),
    };
    let unknown = || Error::UnknownBatch { batch: text.into() };
    let receipt = ledger.operation(&operation(ledger, number).map_err(|error| retell(error, unknown()))?)?.receipt;
    // A receipt also shows batches that were only touched: those have another operation's number in their id.
    let made: Vec<BatchId> = receipt
        .batch
        .iter()
        .chain(&receipt.batches)
        .map(|made| made.batch)
        .filter(|batch| batch.sequence() == receipt.operation.sequence())
        .collect();
    match (index, made.as_slice()) {
        (None, [only]) => Ok(*only),
        (None, [_, _, ..]) => Err(Error::InvalidArgument {
            field: "batch".into(),
            message: format!("operation {number} made {} batches", made.len()),
            help: format!("say which: {number}.1 to {number}.{}", made.len()),
        }),
        (Some(index), _) => {
            let wanted: i64 = index.parse().map_err(|_| unknown())?;
            made.into_iter().find(|batch| batch.index() == wanted).ok_or_else(unknown)
        }
        (None, []) => Err(unknown()),
    }
}

/// A hold: its id, or the number of the operation that made it.
pub(crate) fn hold(ledger: &Ledger, text: &str) -> Result<HoldId> {
    if !is_number(text) {
        return text.parse();
    }
    let unknown = || Error::UnknownHold { hold: text.into() };
    let receipt = ledger.operation(&operation(ledger, text).map_err(|error| retell(error, unknown()))?)?.receipt;
    let made = receipt.hold.map(|hold| hold.id).filter(|hold| hold.sequence() == receipt.operation.sequence());
    made.ok_or_else(unknown)
}

/// No such operation means no such batch or hold; other errors stay as they are.
fn retell(error: Error, unknown: Error) -> Error {
    if matches!(error, Error::UnknownOperation { .. }) { unknown } else { error }
}
