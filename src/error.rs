//! The one error type: stable codes, what to do about each, and its JSON form.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

/// The result of every fallible call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call was refused or failed.
///
/// A refused operation changed nothing. Every error has a stable snake_case [`code`](Error::code), a
/// [`help`](Error::help) that says what to do, and serializes as `{code, message, retryable, help, details}`.
///
/// ```
/// use counterfoil::{AccountId, Error};
/// let error: Error = AccountId::new("").unwrap_err();
/// assert_eq!(error.code(), "invalid_argument");
/// assert!(!error.is_retryable());
/// assert_eq!(serde_json::to_value(&error).unwrap()["code"], "invalid_argument");
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not enough points, counting the credit limit.
    #[error("account `{account}` has {available} points available and {required} are needed")]
    #[allow(missing_docs)]
    InsufficientPoints { account: String, available: i64, required: i64, credit_left: i64 },
    /// The account's debt is above its credit limit.
    #[error("account `{account}` is in debt by {debt} points (credit limit {credit_limit})")]
    #[allow(missing_docs)]
    AccountInDebt { account: String, debt: i64, credit_limit: i64 },
    /// The account is frozen.
    #[error("account `{account}` is frozen")]
    #[allow(missing_docs)]
    AccountFrozen { account: String },
    /// The account is closed.
    #[error("account `{account}` is closed")]
    #[allow(missing_docs)]
    AccountClosed { account: String },
    /// The account exists with another credit limit.
    #[error("account `{account}` exists already, with credit limit {credit_limit}")]
    #[allow(missing_docs)]
    AccountExists { account: String, credit_limit: i64 },
    /// An account that still holds, owes or reserves points cannot be closed.
    #[error(
        "account `{account}` is not empty: available {available}, held {held}, pending {pending}, debt {debt}, unbacked holds {unbacked}"
    )]
    #[allow(missing_docs)]
    AccountNotEmpty { account: String, available: i64, held: i64, pending: i64, debt: i64, unbacked: i64 },
    /// No such account.
    #[error("there is no account `{account}`")]
    #[allow(missing_docs)]
    UnknownAccount { account: String },
    /// The price book has no such service.
    #[error("the price book has no service `{service}`")]
    #[allow(missing_docs)]
    UnknownService { service: String, did_you_mean: Option<String> },
    /// No such operation, or not of the wanted kind.
    #[error("there is no {wanted} operation `{operation}`")]
    #[allow(missing_docs)]
    UnknownOperation { operation: String, wanted: &'static str },
    /// No such batch.
    #[error("there is no batch `{batch}`")]
    #[allow(missing_docs)]
    UnknownBatch { batch: String },
    /// No such hold.
    #[error("there is no hold `{hold}`")]
    #[allow(missing_docs)]
    UnknownHold { hold: String },
    /// The hold is resolved already.
    #[error("hold `{hold}` is {state}")]
    #[allow(missing_docs)]
    HoldClosed { hold: String, state: &'static str },
    /// More was asked back than is left: a refund, a revoke or a write-off.
    #[error("{what}: {asked} points asked, {left} left")]
    #[allow(missing_docs)]
    LimitExceeded { what: &'static str, asked: i64, left: i64 },
    /// The key was used before for an operation with other inputs.
    #[error("key `{key}` was used for another {op} (operation {operation}): {} differ", fields.join(", "))]
    #[allow(missing_docs)]
    KeyReused { key: String, op: &'static str, operation: String, fields: Vec<String> },
    /// A value is missing, malformed or not allowed here.
    #[error("{field}: {message}")]
    #[allow(missing_docs)]
    InvalidArgument { field: String, message: String, help: String },
    /// A number or an instant is past what the ledger can hold.
    #[error("{field}: {message}")]
    #[allow(missing_docs)]
    OutOfRange { field: String, message: String },
    /// A historic line lies before the account's last entry.
    #[error("{at} is before the last entry of account `{account}` at {last}")]
    #[allow(missing_docs)]
    TimeBackwards { account: String, at: String, last: String },
    /// The price book cannot be read, or there is none.
    #[error("{message}")]
    #[allow(missing_docs)]
    Pricing { message: String, help: String },
    /// Another process kept the file locked until the deadline.
    #[error("the ledger is busy: another process kept it locked for {waited_ms} ms")]
    #[allow(missing_docs)]
    Busy { waited_ms: u64 },
    /// The commit failed in a way that does not tell whether it took place.
    #[error("it is not known whether the operation was booked: {message}")]
    #[allow(missing_docs)]
    OutcomeUnknown { message: String },
    /// The ledger was opened read-only, or the file cannot be written.
    #[error("the ledger cannot be written: {message}")]
    #[allow(missing_docs)]
    ReadOnly { message: String },
    /// The file is not a counterfoil ledger.
    #[error("{path}: not a counterfoil ledger: {message}")]
    #[allow(missing_docs)]
    NotALedger { path: String, message: String },
    /// Creating would overwrite a file.
    #[error("{path}: exists already")]
    #[allow(missing_docs)]
    LedgerExists { path: String },
    /// The file was written by a newer counterfoil.
    #[error("the file has schema version {found}, this counterfoil reads up to {supported}")]
    #[allow(missing_docs)]
    SchemaTooNew { found: i64, supported: i64 },
    /// The linked SQLite is too old to be safe.
    #[error("SQLite {found} can lose committed transactions; {needed} or newer is needed")]
    #[allow(missing_docs)]
    UnsafeSqlite { found: String, needed: &'static str },
    /// The file lies where SQLite's locks do not work.
    #[error("{path}: {message}")]
    #[allow(missing_docs)]
    UnsafeLocation { path: String, message: String, help: String },
    /// The schema holds a table, index, view or trigger that is not counterfoil's.
    #[error("the ledger holds what is not counterfoil's: {}; the points are intact", objects.join(", "))]
    #[allow(missing_docs)]
    ForeignSchema { objects: Vec<String>, drop: String },
    /// The file, its `-wal` or its `-shm` was moved, replaced or cut short while the ledger was open.
    #[error("{path}: {message}")]
    #[allow(missing_docs)]
    Moved { path: String, message: String },
    /// Another SQLite in this process has opened and closed the file, and with that dropped our locks.
    #[error("another SQLite in this process closed the file, and with it dropped the ledger's locks")]
    LocksLost,
    /// No space left on the disk.
    #[error("the disk is full: {message}")]
    #[allow(missing_docs)]
    DiskFull { message: String },
    /// The file contradicts itself.
    #[error("the ledger file is damaged: {message}")]
    #[allow(missing_docs)]
    Corrupt { message: String },
    /// The handle was closed.
    #[error("this ledger handle is closed")]
    Closed,
    /// Any other failure of the storage beneath.
    #[error("storage failed: {message}")]
    #[allow(missing_docs)]
    Storage { message: String },
}

/// Every code an [`Error`] can carry, in the order of the documentation.
pub const ERROR_CODES: [&str; 33] = [
    "insufficient_points",
    "account_in_debt",
    "account_frozen",
    "account_closed",
    "account_exists",
    "account_not_empty",
    "unknown_account",
    "unknown_service",
    "unknown_operation",
    "unknown_batch",
    "unknown_hold",
    "hold_closed",
    "limit_exceeded",
    "key_reused",
    "invalid_argument",
    "out_of_range",
    "time_backwards",
    "pricing",
    "busy",
    "outcome_unknown",
    "read_only",
    "not_a_ledger",
    "ledger_exists",
    "schema_too_new",
    "unsafe_sqlite",
    "unsafe_location",
    "foreign_schema",
    "moved",
    "locks_lost",
    "disk_full",
    "corrupt",
    "closed",
    "storage",
];

/// A text that may repeat what a stranger wrote: without control characters, and no longer than a sentence.
fn shown(text: String) -> String {
    const LONGEST: usize = 300;
    let mut safe: String = text.chars().take(LONGEST).flat_map(escaped).collect();
    if text.chars().nth(LONGEST).is_some() {
        safe.push('…');
    }
    safe
}

fn escaped(c: char) -> impl Iterator<Item = char> {
    let escape = c.is_control().then(|| c.escape_default());
    let plain = (!c.is_control()).then_some(c);
    escape.into_iter().flatten().chain(plain)
}

impl Error {
    pub(crate) fn invalid(field: impl Into<String>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Error::InvalidArgument { field: shown(field.into()), message: shown(message.into()), help: help.into() }
    }

    pub(crate) fn out_of_range(field: impl Into<String>, message: impl Into<String>) -> Self {
        Error::OutOfRange { field: shown(field.into()), message: shown(message.into()) }
    }

    pub(crate) fn unsafe_location(path: &std::path::Path, message: impl Into<String>, help: impl Into<String>) -> Self {
        Error::UnsafeLocation { path: path.display().to_string(), message: message.into(), help: help.into() }
    }

    pub(crate) fn corrupt(message: impl Into<String>) -> Self {
        Error::Corrupt { message: message.into() }
    }

    pub(crate) fn storage(message: impl Into<String>) -> Self {
        Error::Storage { message: message.into() }
    }

    /// The stable snake_case code, one of [`ERROR_CODES`].
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Error::InsufficientPoints { .. } => "insufficient_points",
            Error::AccountInDebt { .. } => "account_in_debt",
            Error::AccountFrozen { .. } => "account_frozen",
            Error::AccountClosed { .. } => "account_closed",
            Error::AccountExists { .. } => "account_exists",
            Error::AccountNotEmpty { .. } => "account_not_empty",
            Error::UnknownAccount { .. } => "unknown_account",
            Error::UnknownService { .. } => "unknown_service",
            Error::UnknownOperation { .. } => "unknown_operation",
            Error::UnknownBatch { .. } => "unknown_batch",
            Error::UnknownHold { .. } => "unknown_hold",
            Error::HoldClosed { .. } => "hold_closed",
            Error::LimitExceeded { .. } => "limit_exceeded",
            Error::KeyReused { .. } => "key_reused",
            Error::InvalidArgument { .. } => "invalid_argument",
            Error::OutOfRange { .. } => "out_of_range",
            Error::TimeBackwards { .. } => "time_backwards",
            Error::Pricing { .. } => "pricing",
            Error::Busy { .. } => "busy",
            Error::OutcomeUnknown { .. } => "outcome_unknown",
            Error::ReadOnly { .. } => "read_only",
            Error::NotALedger { .. } => "not_a_ledger",
            Error::LedgerExists { .. } => "ledger_exists",
            Error::SchemaTooNew { .. } => "schema_too_new",
            Error::UnsafeSqlite { .. } => "unsafe_sqlite",
            Error::UnsafeLocation { .. } => "unsafe_location",
            Error::ForeignSchema { .. } => "foreign_schema",
            Error::Moved { .. } => "moved",
            Error::LocksLost => "locks_lost",
            Error::DiskFull { .. } => "disk_full",
            Error::Corrupt { .. } => "corrupt",
            Error::Closed => "closed",
            Error::Storage { .. } => "storage",
        }
    }

    /// Whether the same call, with the same key, may succeed later without anything else being done.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Error::Busy { .. } | Error::OutcomeUnknown { .. } | Error::LocksLost | Error::DiskFull { .. })
    }

    /// Whether it is about the file, not about one operation: the next one would meet it too.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let folder = tempfile::tempdir()?;
    /// # let ledger = Ledger::create(folder.path().join("points.ledger"))?;
    /// ledger.close()?;
    /// assert!(ledger.info().unwrap_err().is_failure());
    /// assert!(!AccountId::new("").unwrap_err().is_failure());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_failure(&self) -> bool {
        matches!(
            self,
            Error::Busy { .. }
                | Error::OutcomeUnknown { .. }
                | Error::DiskFull { .. }
                | Error::Storage { .. }
                | Error::ReadOnly { .. }
                | Error::Corrupt { .. }
                | Error::Moved { .. }
                | Error::LocksLost
                | Error::Closed
        )
    }

    /// What to do about it, in one sentence.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Error::InsufficientPoints { .. } => "recharge the account, ask for less, or raise its credit limit",
            Error::AccountInDebt { .. } => "recharge at least the debt, write it off, or raise the credit limit",
            Error::AccountFrozen { .. } => {
                "unfreeze the account first; what is already done can still be booked as postpaid"
            }
            Error::AccountClosed { .. } => "use another account; a refund or a late capture would reopen this one",
            Error::AccountExists { .. } => "change its limit with set_limit",
            Error::AccountNotEmpty { .. } => "transfer, release, settle or write off what is left, then close",
            Error::UnknownAccount { .. } => "check the spelling, or open the account first",
            Error::UnknownService { did_you_mean: Some(near), .. } => return format!("did you mean `{near}`?"),
            Error::UnknownService { .. } => "see the services with `counterfoil pricing show`, or give points",
            Error::UnknownOperation { wanted: "consume or capture", .. } => {
                "name a consume or capture of the account's history; a recharge is taken back with revoke"
            }
            Error::UnknownOperation { .. } => "look the operation up in the account's history",
            Error::UnknownBatch { .. } => "look the batch up in the account's batches",
            Error::UnknownHold { .. } => "look the hold up in the account's holds",
            Error::HoldClosed { .. } => "a hold resolves once; charge with consume, or mend with refund",
            Error::LimitExceeded { .. } => "ask for no more than what is left",
            Error::KeyReused { .. } => "use a new key for a new operation, or repeat the first one unchanged",
            Error::InvalidArgument { help, .. } | Error::Pricing { help, .. } | Error::UnsafeLocation { help, .. } => {
                return help.clone();
            }
            Error::OutOfRange { .. } => "points end at 9000000000000000 and time at the year 9999",
            Error::TimeBackwards { .. } => "load history in the order of time, before anything newer is booked",
            Error::Busy { .. } => "try again; the same key never books twice",
            Error::OutcomeUnknown { .. } => {
                "repeat the operation with the same key: it books once and answers with what is there"
            }
            Error::ReadOnly { .. } => "check the permissions of the file and its folder, and open it for writing",
            Error::NotALedger { .. } => "check the path; create a new ledger with `counterfoil init`",
            Error::LedgerExists { .. } => "open it, or choose another path: nothing is overwritten",
            Error::SchemaTooNew { .. } => "update counterfoil; the file was left untouched",
            Error::UnsafeSqlite { .. } => "build with the bundled SQLite, or link a newer one",
            Error::ForeignSchema { drop, .. } => {
                return format!("with nobody using the ledger, run this SQL on the file: {drop}");
            }
            Error::Moved { .. } => {
                "close the ledger; put the file back as it was, together with its -wal, then open it again"
            }
            Error::LocksLost => {
                "repeat the operation with the same key; do not open the ledger with another SQLite in this process"
            }
            Error::DiskFull { .. } => "free some space and try again; nothing was booked",
            Error::Corrupt { .. } => {
                "keep the file and its -wal as they are, run `counterfoil verify`, restore a backup"
            }
            Error::Closed => "open the ledger again",
            Error::Storage { .. } => "see the message; nothing was acknowledged",
        }
        .to_string()
    }

    /// The facts behind the message, as a JSON object (for programs).
    #[must_use]
    pub fn details(&self) -> Value {
        match self {
            Error::InsufficientPoints { account, available, required, credit_left } => {
                json!({"account": account, "available": available, "required": required, "credit_left": credit_left})
            }
            Error::AccountInDebt { account, debt, credit_limit } => {
                json!({"account": account, "debt": debt, "credit_limit": credit_limit})
            }
            Error::AccountFrozen { account } | Error::AccountClosed { account } | Error::UnknownAccount { account } => {
                json!({"account": account})
            }
            Error::AccountExists { account, credit_limit } => json!({"account": account, "credit_limit": credit_limit}),
            Error::AccountNotEmpty { account, available, held, pending, debt, unbacked } => {
                json!({"account": account, "available": available, "held": held, "pending": pending, "debt": debt, "unbacked": unbacked})
            }
            Error::UnknownService { service, did_you_mean } => {
                json!({"service": service, "did_you_mean": did_you_mean})
            }
            Error::UnknownOperation { operation, wanted } => json!({"operation": operation, "wanted": wanted}),
            Error::UnknownBatch { batch } => json!({"batch": batch}),
            Error::UnknownHold { hold } => json!({"hold": hold}),
            Error::HoldClosed { hold, state } => json!({"hold": hold, "state": state}),
            Error::LimitExceeded { what, asked, left } => json!({"what": what, "asked": asked, "left": left}),
            Error::KeyReused { key, op, operation, fields } => {
                json!({"key": key, "op": op, "operation": operation, "fields": fields})
            }
            Error::InvalidArgument { field, .. } | Error::OutOfRange { field, .. } => json!({"field": field}),
            Error::TimeBackwards { account, at, last } => json!({"account": account, "at": at, "last": last}),
            Error::Busy { waited_ms } => json!({"waited_ms": waited_ms}),
            Error::NotALedger { path, .. }
            | Error::LedgerExists { path }
            | Error::UnsafeLocation { path, .. }
            | Error::Moved { path, .. } => json!({"path": path}),
            Error::ForeignSchema { objects, drop } => json!({"objects": objects, "drop": drop}),
            Error::SchemaTooNew { found, supported } => json!({"found": found, "supported": supported}),
            Error::UnsafeSqlite { found, needed } => json!({"found": found, "needed": needed}),
            _ => json!({}),
        }
    }
}

/// An [`Error`] as JSON tells it, to be read back.
///
/// ```
/// use counterfoil::{AccountId, ErrorInfo};
/// let error = AccountId::new("").unwrap_err();
/// let read: ErrorInfo = serde_json::from_str(&serde_json::to_string(&error)?)?;
/// assert_eq!((read.code.as_str(), read.retryable), (error.code(), false));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ErrorInfo {
    /// One of [`ERROR_CODES`].
    pub code: String,
    /// What went wrong.
    pub message: String,
    /// The same call, with the same key, may succeed later without anything else being done.
    pub retryable: bool,
    /// What to do about it.
    pub help: String,
    /// The facts behind the message, as a JSON object.
    pub details: Value,
}

impl From<&Error> for ErrorInfo {
    fn from(error: &Error) -> Self {
        ErrorInfo {
            code: error.code().into(),
            message: error.to_string(),
            retryable: error.is_retryable(),
            help: error.help(),
            details: error.details(),
        }
    }
}

impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        ErrorInfo::from(self).serialize(serializer)
    }
}
