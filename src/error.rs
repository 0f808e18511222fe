//! The one error type: stable codes, what to do about each, and its JSON form.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

/// One fault of a price book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PricingFault {
    /// Line in the file, from 1.
    pub line: usize,
    /// Column in the line, from 1, counted in characters. A byte order mark does not count.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it, where that is not plain from the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// The result of every fallible call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of trouble an [`Error`] is; a program can go by it when it has nothing to say about the code itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// The rules of the ledger said no, and will again until something else is done.
    Refused,
    /// Another process kept the file locked.
    Busy,
    /// The file or the price book cannot be used as it is.
    Unusable,
    /// The storage failed, or what holds the file open.
    Failed,
}

/// From the table of errors: variant and message, code, class, whether it is `retryable`, and what to do about it. Of the
/// fields, all but `message` and `help` are the details.
macro_rules! errors {
    (@retryable retryable) => { true };
    (@retryable) => { false };
    ($(#[$of_enum:meta])* pub enum $name:ident { $(
        $(#[$meta:meta])* $variant:ident $({ $($field:ident: $type:ty),+ })?
            = $code:literal, $class:ident $($retryable:ident)?, $help:expr;
    )+ }) => {
        $(#[$of_enum])*
        pub enum $name { $($(#[$meta])* #[allow(missing_docs)] $variant $({ $($field: $type),+ })?),+ }

        /// Every code an [`Error`] can carry, in the order of the documentation.
        pub const ERROR_CODES: [&str; [$($code),+].len()] = [$($code),+];

        const CLASSES: &[(&str, ErrorClass)] = &[$(($code, ErrorClass::$class)),+];

        impl $name {
            /// The stable snake_case code, one of [`ERROR_CODES`].
            #[must_use]
            pub fn code(&self) -> &'static str {
                match self { $($name::$variant { .. } => $code),+ }
            }

            /// What kind of trouble it is.
            ///
            /// ```
            /// use counterfoil::AccountId;
            /// use counterfoil::error::ErrorClass;
            /// assert_eq!(AccountId::new("").unwrap_err().class(), ErrorClass::Refused);
            /// ```
            #[must_use]
            pub fn class(&self) -> ErrorClass {
                match self { $($name::$variant { .. } => ErrorClass::$class),+ }
            }

            /// Whether the same call, with the same key, may succeed later without anything else being done.
            #[must_use]
            pub fn is_retryable(&self) -> bool {
                match self { $($name::$variant { .. } => errors!(@retryable $($retryable)?)),+ }
            }

            /// What to do about it, in one sentence.
            #[must_use]
            #[allow(unused_variables, reason = "most help is the same whatever the fields")]
            pub fn help(&self) -> String {
                match self { $($name::$variant $({ $($field),+ })? => String::from($help)),+ }
            }

            fn fields(&self) -> Vec<(&'static str, Value)> {
                match self { $($name::$variant $({ $($field),+ })? => vec![$($((stringify!($field), json!($field))),+)?]),+ }
            }
        }
    };
}

errors! {
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
    InsufficientPoints { account: String, available: i64, required: i64, credit_left: Option<i64> }
        = "insufficient_points", Refused, match credit_left {
        // What is moved away is never lent.
        None => "recharge the account, or ask for less",
        Some(_) => "recharge the account, ask for less, or raise its credit limit",
    };
    /// The account's debt is above its credit limit.
    #[error("account `{account}` is in debt by {debt} points (credit limit {credit_limit})")]
    AccountInDebt { account: String, debt: i64, credit_limit: i64 }
        = "account_in_debt", Refused, "recharge at least the debt, write it off, or raise the credit limit";
    /// The account is frozen.
    #[error("account `{account}` is frozen")]
    AccountFrozen { account: String }
        = "account_frozen", Refused, "unfreeze the account first; what is already done can still be booked as postpaid";
    /// The account is closed.
    #[error("account `{account}` is closed")]
    AccountClosed { account: String }
        = "account_closed", Refused, "use another account; a refund or a late capture would reopen this one";
    /// The account exists with another credit limit.
    #[error("account `{account}` exists already, with credit limit {credit_limit}")]
    AccountExists { account: String, credit_limit: i64 }
        = "account_exists", Refused, "change its limit with set_limit";
    /// An account that still holds, owes or reserves points, or is to be given more, cannot be closed.
    #[error(
        "account `{account}` is not empty: available {available}, held {held}, pending {pending}, debt {debt}, unbacked holds {unbacked}, plans to come {plans}{}",
        if *open_hold { "; a hold is open" } else { "" }
    )]
    AccountNotEmpty { account: String, available: i64, held: i64, pending: i64, debt: i64, unbacked: i64, open_hold: bool, plans: i64 }
        = "account_not_empty", Refused, "transfer, release, settle or write off what is left, stop its plans, then close";
    /// No such account.
    #[error("there is no account `{account}`")]
    UnknownAccount { account: String }
        = "unknown_account", Refused, "check the spelling, or open the account first";
    /// The price book has no such service.
    #[error("the price book has no service `{service}`")]
    UnknownService { service: String, did_you_mean: Option<String> }
        = "unknown_service", Refused, match did_you_mean {
        Some(near) => format!("did you mean `{near}`?"),
        None => "see the services of the price book, or give points".into(),
    };
    /// No such operation, or not of the wanted kind.
    #[error("there is no {wanted} operation `{operation}`")]
    UnknownOperation { operation: String, wanted: &'static str }
        = "unknown_operation", Refused, match *wanted {
        "refundable" => "this device no longer knows what paid for it: refund it at the hub",
        "consume or capture" => "name a consume or capture of the account's history; a recharge is taken back with revoke",
        _ => "look the operation up in the account's history",
    };
    /// No such batch.
    #[error("there is no batch `{batch}`")]
    UnknownBatch { batch: String }
        = "unknown_batch", Refused, "look the batch up in the account's batches";
    /// No such hold.
    #[error("there is no hold `{hold}`")]
    UnknownHold { hold: String }
        = "unknown_hold", Refused, "look the hold up in the account's holds";
    /// No such plan.
    #[error("there is no plan `{plan}`")]
    UnknownPlan { plan: String }
        = "unknown_plan", Refused, "look the plan up in the account's plans";
    /// No device of this hub has that id.
    #[error("there is no device `{device}` at this hub")]
    UnknownDevice { device: String }
        = "unknown_device", Refused, "look the device up among the hub's devices, or admit it";
    /// No such allotment, or none of which that can be done.
    #[error("there is no such allotment `{allotment}`: {why}")]
    UnknownAllotment { allotment: String, why: &'static str }
        = "unknown_allotment", Refused, match *why {
        "it is of an earlier epoch of this device" => "have the hub write it off, and set points aside anew",
        "it is recalled already" => "it comes back at the device's next exchange; of a lost device it can be written off",
        _ => "look it up in the list of allotments",
    };
    /// The operation needs a file of another role, or would give the file a second one.
    #[error("{message}")]
    RoleConflict { role: &'static str, message: String, help: String }
        = "role_conflict", Refused, help;
    /// A device does not book this.
    #[error("{op}: {message}")]
    NotOnDevice { op: &'static str, message: String }
        = "not_on_device", Refused, "do it at the hub: this file hears of it at the next exchange";
    /// The hub has expelled this device.
    #[error("the hub has expelled this device")]
    DeviceRevoked
        = "device_revoked", Refused, "ask the hub to admit it again; what it has booked stands in its file";
    /// A device has not heard of its hub for so long that it decides nothing strictly any more.
    #[error("what is known of the account is as of {as_of}, which is too long ago")]
    OfflineTooLong { as_of: String }
        = "offline_too_long", Refused, "exchange files with the hub; a charge after the work is booked all the same";
    /// A device knows only what the account comes to.
    #[error("account `{account}` has more at the hub than this device was told")]
    AccountTooLarge { account: String }
        = "account_too_large", Refused, "do it at the hub; a charge after the work is booked all the same";
    /// The hold is resolved already.
    #[error("hold `{hold}` is {state}")]
    HoldClosed { hold: String, state: &'static str }
        = "hold_closed", Refused, match *state {
        "expired" => "its points went back at its deadline; work that was done can still be captured, once",
        "released" => "its points went back: charge the work with consume, or hold anew",
        _ => "it was charged by its capture: mend that with refund, or charge more with consume",
    };
    /// More was asked back than is left: a refund, a revoke or a write-off.
    #[error("{what}: {asked} points asked, {left} left")]
    LimitExceeded { what: &'static str, asked: i64, left: i64 }
        = "limit_exceeded", Refused, if *left == 0 { "nothing is left of it: there is no more to do" } else { "ask for no more than what is left" };
    /// The key was used before for an operation with other inputs.
    #[error("key `{key}` was used for another {op} (operation {operation}): {} differ", fields.join(", "))]
    KeyReused { key: String, op: &'static str, operation: String, fields: Vec<String> }
        = "key_reused", Refused, "use a new key for a new operation, or repeat the first one unchanged";
    /// A value is missing, malformed or not allowed here.
    #[error("{field}: {message}")]
    InvalidArgument { field: String, message: String, help: String }
        = "invalid_argument", Refused, help;
    /// A number or an instant is past what the ledger can hold.
    #[error("{field}: {message}")]
    OutOfRange { field: String, message: String }
        = "out_of_range", Refused, "points end at 9000000000000000 and time at the year 9999";
    /// A historic line lies before the account's last entry.
    #[error("{at} is before the last entry of account `{account}` at {last}")]
    TimeBackwards { account: String, at: String, last: String }
        = "time_backwards", Refused, "load history in the order of time, before anything newer is booked";
    /// The price book cannot be read, or there is none.
    #[error("{message}")]
    Pricing { message: String, help: String, faults: Vec<PricingFault> }
        = "pricing", Unusable, help;
    /// Another process kept the file locked until the deadline.
    #[error("the ledger is busy: another process kept it locked for {waited_ms} ms")]
    Busy { waited_ms: u64 }
        = "busy", Busy retryable, "try again; the same key never books twice";
    /// The commit failed in a way that does not tell whether it took place.
    #[error("it is not known whether the operation was booked: {message}")]
    OutcomeUnknown { message: String }
        = "outcome_unknown", Failed retryable, "repeat the operation with the same key: it books once and answers with what is there";
    /// The ledger was opened read-only, or the file cannot be written.
    #[error("the ledger cannot be written: {message}")]
    ReadOnly { message: String, help: String }
        = "read_only", Unusable, help;
    /// This user has no right to read the file, or to enter its folder.
    #[error("{message}")]
    NoPermission { message: String }
        = "no_permission", Unusable, "ask its owner for the right to read it and to enter its folder, or run this as a user who may";
    /// The file is not a counterfoil ledger.
    #[error("{path}: not a counterfoil ledger: {message}")]
    NotALedger { path: String, message: String, help: String }
        = "not_a_ledger", Unusable, help;
    /// Creating would overwrite a file.
    #[error("{path}: exists already")]
    LedgerExists { path: String }
        = "ledger_exists", Unusable, "nothing is overwritten: choose another path, or open what is there";
    /// The file was written by a newer counterfoil.
    #[error("the file has schema version {found}, this counterfoil reads up to {supported}")]
    SchemaTooNew { found: i64, supported: i64 }
        = "schema_too_new", Unusable, "update counterfoil; the file was left untouched";
    /// The linked SQLite is too old to be safe.
    #[error("SQLite {found} can lose committed transactions; {needed} or newer is needed")]
    UnsafeSqlite { found: String, needed: &'static str }
        = "unsafe_sqlite", Unusable, "build with the bundled SQLite, or link a newer one";
    /// The file lies where SQLite's locks do not work.
    #[error("{path}: {message}")]
    UnsafeLocation { path: String, message: String, help: String }
        = "unsafe_location", Unusable, help;
    /// The schema holds a table, index, view or trigger that is not counterfoil's.
    #[error("the ledger holds what is not counterfoil's: {}; the points are intact", objects.join(", "))]
    ForeignSchema { objects: Vec<String>, drop: String }
        = "foreign_schema", Unusable, format!("with nobody using the ledger, run this SQL on the file: {drop}");
    /// The file, its `-wal` or its `-shm` was moved, replaced or cut short while the ledger was open.
    #[error("{path}: {message}")]
    Moved { path: String, message: String }
        = "moved", Failed, "close the ledger; put the file back as it was, together with its -wal, then open it again";
    /// Another SQLite in this process has opened and closed the file, and with that dropped our locks.
    #[error("another SQLite in this process closed the file, and with it dropped the ledger's locks")]
    LocksLost
        = "locks_lost", Failed retryable, "repeat the operation with the same key; do not open the ledger with another SQLite in this process";
    /// Whoever watched its progress stopped it.
    #[error("{what} was stopped by its caller")]
    Cancelled { what: &'static str }
        = "cancelled", Failed, "nothing is half-done: begin again when it is wanted";
    /// No space left on the disk.
    #[error("the disk is full: {message}")]
    DiskFull { message: String }
        = "disk_full", Failed retryable, "free some space and try again; nothing was booked";
    /// The file contradicts itself.
    #[error("the ledger file is damaged: {message}")]
    Corrupt { message: String }
        = "corrupt", Unusable, "keep the file and its -wal as they are, and restore a backup";
    /// The exchange file is not whole, not genuine, or larger than one may be. The reason: `limits`, `format`, `truncated`,
    /// `digest`, `signature` or `chain`.
    #[error("the exchange file cannot be taken: {message}")]
    BadFile { reason: &'static str, message: String }
        = "bad_file", Unusable, match *reason {
        "limits" => "nothing was taken of it: have it made anew, in smaller parts",
        "signature" => "nothing was taken of it: find out who made it; another key than the one that is known has signed it, or it was changed",
        "chain" => "nothing was taken of it: the operations in it are not those of the log it names; have it made anew",
        _ => "nothing was taken of it: it was damaged on its way, or is none; bring it again, or have it made anew",
    };
    /// The exchange file was written by a newer counterfoil, for newer ones alone.
    #[error("the exchange file is for readers of version {found} on, this counterfoil reads version {supported}")]
    FileTooNew { found: i64, supported: i64 }
        = "file_too_new", Unusable, "update counterfoil; nothing was taken of the file";
    /// The exchange file is meant for another ledger.
    #[error("the exchange file is not for this ledger: {message}")]
    NotForUs { message: String }
        = "not_for_us", Refused, "take it to the ledger it names; nothing was taken of it here";
    /// The handle was closed.
    #[error("this ledger handle is closed")]
    Closed
        = "closed", Failed, "open the ledger again";
    /// Any other failure of the storage beneath.
    #[error("storage failed: {message}")]
    Storage { message: String }
        = "storage", Failed, "see the message; nothing was acknowledged";
}
}

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

/// What whoever watches a long work says after each step: nothing, and it goes on; or a [`ControlFlow`], whose `Break` stops it.
///
/// ```
/// use std::ops::ControlFlow;
/// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
/// let stopped = ledger.verify_with(|_| ControlFlow::Break(())).unwrap_err();
/// assert_eq!(stopped.code(), "cancelled");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Watched {
    /// Whether it goes on; `what` names the work.
    ///
    /// # Errors
    /// `cancelled`.
    fn go_on(self, what: &'static str) -> Result<()>;
}

impl Watched for () {
    fn go_on(self, _: &'static str) -> Result<()> {
        Ok(())
    }
}

impl<B> Watched for ControlFlow<B> {
    fn go_on(self, what: &'static str) -> Result<()> {
        if self.is_break() { Err(Error::Cancelled { what }) } else { Ok(()) }
    }
}

impl Error {
    pub(crate) fn invalid(field: impl Into<String>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Error::InvalidArgument { field: shown(field.into()), message: shown(message.into()), help: help.into() }
    }

    pub(crate) fn out_of_range(field: impl Into<String>, message: impl Into<String>) -> Self {
        Error::OutOfRange { field: shown(field.into()), message: shown(message.into()) }
    }

    /// The same error of a field within another.
    pub(crate) fn within(mut self, outer: &str) -> Self {
        if let Error::InvalidArgument { field, .. } | Error::OutOfRange { field, .. } = &mut self {
            *field = format!("{outer}.{field}");
        }
        self
    }

    pub(crate) fn unsafe_location(path: &std::path::Path, message: impl Into<String>, help: impl Into<String>) -> Self {
        Error::UnsafeLocation { path: path.display().to_string(), message: message.into(), help: help.into() }
    }

    pub(crate) fn not_a_ledger(path: &std::path::Path, message: impl Into<String>, help: impl Into<String>) -> Self {
        Error::NotALedger { path: path.display().to_string(), message: message.into(), help: help.into() }
    }

    pub(crate) fn pricing(message: impl Into<String>, help: impl Into<String>) -> Self {
        Error::Pricing { message: message.into(), help: help.into(), faults: Vec::new() }
    }

    pub(crate) fn read_only(message: impl Into<String>, help: impl Into<String>) -> Self {
        Error::ReadOnly { message: message.into(), help: help.into() }
    }

    pub(crate) fn corrupt(message: impl Into<String>) -> Self {
        Error::Corrupt { message: message.into() }
    }

    #[cfg(feature = "sync")]
    pub(crate) fn bad_file(reason: &'static str, message: impl Into<String>) -> Self {
        Error::BadFile { reason, message: shown(message.into()) }
    }

    #[cfg(feature = "sync")]
    pub(crate) fn not_for_us(message: impl Into<String>) -> Self {
        Error::NotForUs { message: message.into() }
    }

    pub(crate) fn storage(message: impl Into<String>) -> Self {
        Error::Storage { message: message.into() }
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
        // An operation that gives points needs no price book.
        self.class() != ErrorClass::Refused && !matches!(self, Error::Pricing { .. })
    }

    /// The facts behind the message, as a JSON object (for programs).
    #[must_use]
    pub fn details(&self) -> Value {
        let facts = self.fields().into_iter();
        let facts = facts.filter(|(field, value)| !["message", "help"].contains(field) && *value != json!([]));
        facts.map(|(field, value)| (field.to_string(), value)).collect()
    }
}

/// An [`Error`] as JSON tells it, to be read back.
///
/// ```
/// use counterfoil::AccountId;
/// use counterfoil::error::{ErrorClass, ErrorInfo};
/// let error = AccountId::new("").unwrap_err();
/// let read: ErrorInfo = serde_json::from_str(&serde_json::to_string(&error)?)?;
/// assert_eq!((read.code.as_str(), read.class()), (error.code(), Some(ErrorClass::Refused)));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

impl ErrorInfo {
    /// What kind of trouble it is; none for a code of a newer counterfoil.
    #[must_use]
    pub fn class(&self) -> Option<ErrorClass> {
        CLASSES.iter().find(|(code, _)| *code == self.code).map(|(_, class)| *class)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_names_the_exit_code_of_each_class() {
        let exits = include_str!("../README.md").lines().skip_while(|line| !line.starts_with("| exit |"));
        let exits: Vec<&str> = exits.take_while(|line| line.starts_with('|')).collect();
        for (exit, class) in [("1", ErrorClass::Failed), ("5", ErrorClass::Busy), ("6", ErrorClass::Unusable)] {
            let row = exits.iter().find(|line| line.starts_with(&format!("| {exit} |"))).expect("a row");
            let mut named: Vec<&str> = row.split('`').filter(|word| ERROR_CODES.contains(word)).collect();
            let mut meant: Vec<&str> = CLASSES.iter().filter(|row| row.1 == class).map(|row| row.0).collect();
            named.sort_unstable();
            meant.sort_unstable();
            assert_eq!(named, meant, "exit {exit}");
        }
    }
}
