//! How a command ends: what goes wrong, and the exit code for it.

use std::io;
use std::process::ExitCode;

use counterfoil::Error;
use counterfoil::error::ErrorClass;
use counterfoil::schema::TARGETS;
use counterfoil_report::ExportError;

/// How the command ended, for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// The storage failed, or anything unexpected.
    Failed,
    /// The command line itself is wrong.
    Usage,
    /// Refused by the rules of the ledger, or a check that says no.
    Refused,
    /// `verify` found a fault, or `doctor` did.
    Faulty,
    /// Another process kept the file locked.
    Busy,
    /// The file or the price book cannot be used.
    Unusable,
    /// A confirmation could not be asked, or was not given.
    Unconfirmed,
    /// Done, and somebody should look at it.
    Attention,
}

impl Outcome {
    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Outcome::Done => 0,
            Outcome::Failed => 1,
            Outcome::Usage => 2,
            Outcome::Refused => 3,
            Outcome::Faulty => 4,
            Outcome::Busy => 5,
            Outcome::Unusable => 6,
            Outcome::Unconfirmed => 7,
            Outcome::Attention => 8,
        })
    }

    pub(crate) fn of(class: ErrorClass) -> Self {
        match class {
            ErrorClass::Refused => Outcome::Refused,
            ErrorClass::Busy => Outcome::Busy,
            ErrorClass::Unusable => Outcome::Unusable,
            ErrorClass::Failed => Outcome::Failed,
        }
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The library said no; `help` where here more is known of what to do. `typed` when what was typed cannot be, whatever
    /// the books say.
    Ledger { error: Box<Error>, help: Option<String>, typed: bool },
    /// The command line asks for something that cannot be.
    Usage { message: String, help: String },
    /// Nobody could be asked, or somebody said no.
    Unconfirmed { message: String, help: String },
    /// A file that is not the ledger could not be read or written.
    Io { message: String, help: String },
    /// Whoever read the answers has gone away.
    ReaderGone,
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>, help: impl Into<String>) -> Self {
        Failure::Usage { message: message.into(), help: help.into() }
    }

    pub(crate) fn advised(error: Error, help: impl Into<String>) -> Self {
        Failure::Ledger { error: Box::new(error), help: Some(help.into()), typed: false }
    }

    /// The same, found before the books had a say: a value that cannot be is then a fault of the command line.
    pub(crate) fn typed(self) -> Self {
        match self {
            Failure::Ledger { error, help, .. } => {
                let typed = match &*error {
                    // What a name means the books say.
                    Error::InvalidArgument { field, .. } => !TARGETS.contains(&field.as_str()),
                    error => matches!(error, Error::OutOfRange { .. }),
                };
                Failure::Ledger { error, help, typed }
            }
            failure => failure,
        }
    }

    /// A failed write of data: a reader that went away, or a real failure.
    pub(crate) fn write(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Failure::ReaderGone;
        }
        Failure::Io {
            message: format!("the answer could not be written: {error}"),
            help: "what the command did in the ledger stays done; ask again with a look command".into(),
        }
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Ledger(error) => error.into(),
            ExportError::Write(error) => Failure::write(&error),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let as_typed = |help: &str| help.contains("end_of_day").then(|| help.replace("end_of_day", "--end-of-day"));
        let help = advice(&error).map(String::from).or_else(|| as_typed(&error.help()));
        Failure::Ledger { error: Box::new(error), help, typed: false }
    }
}

/// What to do, where it takes a command: the library knows of none.
fn advice(error: &Error) -> Option<&'static str> {
    Some(match error {
        Error::UnknownService { did_you_mean: None, .. } => {
            "see the services with `counterfoil pricing show`, or give points"
        }
        Error::NotALedger { help, .. } if help == "check the path, or create a ledger there" => {
            "check the path, or create a ledger there with `counterfoil init`"
        }
        Error::Corrupt { .. } => {
            "keep the file and its -wal as they are, see with `counterfoil verify` what is wrong, and restore a backup"
        }
        Error::Pricing { message, .. } if message == "no price book is loaded" => {
            "load one with --pricing FILE, or give points"
        }
        Error::InvalidArgument { message, .. } if message.ends_with("is later than now") => {
            "a report is about what was; what will expire is told by expiring, a balance to come by `balance --at`"
        }
        _ => return None,
    })
}

impl From<&Failure> for Outcome {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Ledger { typed: true, .. } | Failure::Usage { .. } => Outcome::Usage,
            Failure::Ledger { error, .. } => Outcome::of(error.class()),
            Failure::Unconfirmed { .. } => Outcome::Unconfirmed,
            Failure::Io { .. } => Outcome::Failed,
            Failure::ReaderGone => Outcome::Done,
        }
    }
}
