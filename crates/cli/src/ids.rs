//! Ids on the command line: in full, by the bare number of the operation that made the thing (`12`, `12.2`), or by its key.

use counterfoil::{BatchId, Error, HoldId, Key, Ledger, OperationId, Receipt, Result};

/// Operations of one key that are listed.
const LISTED: usize = 10;

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// An operation: its id, its number in the file, or its key.
pub(crate) fn operation(ledger: &Ledger, text: &str) -> Result<OperationId> {
    of_kind(ledger, text, &[])
}

/// An operation that charged: of those of a key, such as a hold and its capture, only these are meant.
pub(crate) fn charge(ledger: &Ledger, text: &str) -> Result<OperationId> {
    of_kind(ledger, text, &["consume", "capture"])
}

fn of_kind(ledger: &Ledger, text: &str, wanted: &[&str]) -> Result<OperationId> {
    if !is_number(text) {
        let id = text.parse::<OperationId>();
        let place = text.split_once('.').is_some_and(|(number, index)| is_number(number) && is_number(index));
        return match id {
            Ok(id) if id.index() != 0 => Err(made_by(text, id.sequence())),
            Err(_) if place => Err(made_by(text, text.split('.').next().unwrap_or_default())),
            Err(Error::InvalidArgument { field, message, .. }) => keyed(ledger, text, wanted)?.ok_or_else(|| {
                let reference = quoted(text);
                let help = format!(
                    "name it by its number or id, which history shows, or by its key; what has this as its reference: \
                     counterfoil history -a ACCOUNT --reference {reference}"
                );
                Error::InvalidArgument { field, message: format!("{message}, nor the key of an operation"), help }
            }),
            id => id,
        };
    }
    match text.parse() {
        Ok(number) => ledger.operation_id(number),
        Err(_) => Err(Error::UnknownOperation { operation: text.into(), wanted: "booked" }),
    }
}

/// The operation booked under a key; of several the one of the wanted kinds, if any is.
fn keyed(ledger: &Ledger, text: &str, wanted: &[&str]) -> Result<Option<OperationId>> {
    let Ok(key) = Key::new(text) else { return Ok(None) };
    let found = ledger.operations_by_key(&key)?;
    if let [] | [_] = found.as_slice() {
        return Ok(found.into_iter().next());
    }
    let receipts = found.iter().map(|id| Ok(ledger.operation(id)?.receipt)).collect::<Result<Vec<Receipt>>>()?;
    let fitting: Vec<&Receipt> = receipts.iter().filter(|receipt| wanted.contains(&receipt.op.as_str())).collect();
    let meant = if fitting.is_empty() { receipts.iter().collect() } else { fitting };
    if let [only] = meant.as_slice() {
        return Ok(Some(only.operation));
    }
    let told = |receipt: &&Receipt| {
        let account = receipt.account.as_ref().map(|account| format!(" of {account}")).unwrap_or_default();
        format!("{} ({}{account})", receipt.operation.sequence(), receipt.op.as_str().replace('_', "-"))
    };
    let listed: Vec<String> = meant.iter().take(LISTED).map(told).collect();
    let more = if meant.len() > LISTED { ", \u{2026}" } else { "" };
    Err(Error::InvalidArgument {
        field: "operation".into(),
        message: format!("several operations have the key `{text}`"),
        help: format!("say which by its number: {}{more}", listed.join(", ")),
    })
}

/// A text as a shell takes it for one word.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:@%+,=".contains(&byte);
    if text.bytes().all(plain) { text.into() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// What somebody hears who names a batch where an operation is wanted.
fn made_by(text: &str, operation: impl std::fmt::Display) -> Error {
    Error::InvalidArgument {
        field: "operation".into(),
        message: format!("`{text}` names a batch, which operation {operation} made, and no operation"),
        help: "give the number or id of an operation, as the account's history shows them".into(),
    }
}

/// A batch: its id, `N` or a key for the only batch that operation made, or `N.i` for its i-th.
pub(crate) fn batch(ledger: &Ledger, text: &str) -> Result<BatchId> {
    let unknown = || Error::UnknownBatch { batch: text.into() };
    let numbered = |number| operation(ledger, number).map_err(|error| retell(error, unknown()));
    let (id, index) = match text.split_once('.') {
        Some((number, index)) if is_number(number) && is_number(index) => (numbered(number)?, Some(index)),
        None if is_number(text) => (numbered(text)?, None),
        _ => match text.parse() {
            Ok(batch) => return Ok(batch),
            Err(error) => (keyed(ledger, text, &["recharge", "transfer"])?.ok_or(error)?, None),
        },
    };
    let (receipt, number) = (ledger.operation(&id)?.receipt, id.sequence());
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

/// A hold: its id, or the number or the key of the operation that made it.
pub(crate) fn hold(ledger: &Ledger, text: &str) -> Result<HoldId> {
    let unknown = || Error::UnknownHold { hold: text.into() };
    let id = if is_number(text) {
        operation(ledger, text).map_err(|error| retell(error, unknown()))?
    } else {
        match text.parse() {
            Ok(hold) => return Ok(hold),
            Err(error) => keyed(ledger, text, &["hold"])?.ok_or(error)?,
        }
    };
    let receipt = ledger.operation(&id)?.receipt;
    let made = receipt.hold.map(|hold| hold.id).filter(|hold| hold.sequence() == receipt.operation.sequence());
    made.ok_or_else(unknown)
}

/// No such operation means no such batch or hold; other errors stay as they are.
fn retell(error: Error, unknown: Error) -> Error {
    if matches!(error, Error::UnknownOperation { .. }) { unknown } else { error }
}
