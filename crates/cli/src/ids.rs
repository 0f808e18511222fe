//! What is named on the command line: operations, batches and holds, by number, id or key. The library says what a name
//! means; here is whose things are meant, and what to look up when it means nothing.

use counterfoil::{AccountId, BatchId, Error, HoldId, Ledger, OperationId, PlanId, Result};

use crate::shell::word;

/// Whose things are meant.
#[derive(Debug, Default)]
pub(crate) struct Whose {
    /// The account named beside: nobody else's.
    pub(crate) named: Option<AccountId>,
    /// That of the environment: it decides where several could be meant.
    pub(crate) usual: Option<AccountId>,
}

impl Whose {
    fn find<T>(&self, find: impl Fn(Option<&AccountId>) -> Result<T>) -> Result<T> {
        match (find(self.named.as_ref()), &self.usual) {
            (Err(error), Some(usual)) if self.named.is_none() => find(Some(usual)).map_err(|_| error),
            (found, _) => found,
        }
    }
}

pub(crate) fn operation(ledger: &Ledger, whose: &Whose, text: &str) -> Result<OperationId> {
    whose.find(|account| ledger.operation_named(text, account)).map_err(|error| perhaps_reference(error, text))
}

/// One that charged.
pub(crate) fn charge(ledger: &Ledger, whose: &Whose, text: &str) -> Result<OperationId> {
    whose.find(|account| ledger.charge_named(text, account)).map_err(|error| perhaps_reference(error, text))
}

pub(crate) fn batch(ledger: &Ledger, whose: &Whose, text: &str) -> Result<BatchId> {
    whose.find(|account| ledger.batch_named(text, account))
}

pub(crate) fn plan(ledger: &Ledger, whose: &Whose, text: &str) -> Result<PlanId> {
    whose.find(|account| ledger.plan_named(text, account))
}

pub(crate) fn hold(ledger: &Ledger, whose: &Whose, text: &str) -> Result<HoldId> {
    whose.find(|account| ledger.hold_named(text, account))
}

/// What is no name may be a reference.
fn perhaps_reference(error: Error, text: &str) -> Error {
    match error {
        Error::InvalidArgument { field, message, help } if message.contains("is not an id") => {
            let reference = word(text);
            let help = format!("{help}; what has this as its reference: counterfoil find {reference}");
            Error::InvalidArgument { field, message, help }
        }
        error => error,
    }
}
