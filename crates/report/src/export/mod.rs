//! The books for other programs. A format is one file here and one line in [`FORMATS`].

mod beancount;
mod chart;
mod csv;
mod hledger;
mod journal;
mod jsonl;
mod names;

use std::fmt;
use std::io::{self, Write};

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use counterfoil::error::Watched;
use counterfoil::report::{Calendar, WalkStep};
use counterfoil::{AccountId, Error, Ledger, Period};

pub use beancount::BEANCOUNT;
pub use csv::CSV;
pub use hledger::HLEDGER;
pub use jsonl::JSONL;

/// Every format there is.
pub const FORMATS: [Format; 4] = [HLEDGER, BEANCOUNT, CSV, JSONL];

/// How an export is written.
///
/// ```
/// use counterfoil_report::{FORMATS, HLEDGER};
/// assert!(FORMATS.iter().any(|format| format.name == HLEDGER.name));
/// ```
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Format {
    /// Its name, as a command takes it.
    pub name: &'static str,
    /// For which program, and what checks it.
    pub about: &'static str,
    /// Whether it is a journal of double entries, and so has a [`View`].
    pub has_view: bool,
    begin: for<'w> fn(&Export, &'w mut dyn Write) -> Box<dyn Writer + 'w>,
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Format").field(&self.name).finish()
    }
}

/// Writes what a walk through the books comes past.
trait Writer {
    fn step(&mut self, step: &WalkStep) -> Result<(), ExportError>;

    /// Writes the end.
    fn finish(&mut self) -> Result<(), ExportError>;
}

/// Whose books an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum View {
    /// Of whoever issues the points: points outstanding are a liability, debt is a receivable, what was consumed or
    /// has expired is income, paid recharges stand against a clearing account of their source, promotions are an expense.
    #[default]
    Issuer,
    /// Of whoever holds the points: points are assets, debt is a liability, recharges are income, services and expired
    /// points are expenses.
    Holder,
}

/// Why an export is not whole.
#[derive(Debug)]
pub enum ExportError {
    /// The books could not be read.
    Ledger(Error),
    /// The text could not be written.
    Write(io::Error),
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExportError::Ledger(error) => error.fmt(f),
            ExportError::Write(error) => write!(f, "the export could not be written: {error}"),
        }
    }
}

impl std::error::Error for ExportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ExportError::Ledger(error) => Some(error),
            ExportError::Write(error) => Some(error),
        }
    }
}

impl From<Error> for ExportError {
    fn from(error: Error) -> Self {
        ExportError::Ledger(error)
    }
}

impl From<io::Error> for ExportError {
    fn from(error: io::Error) -> Self {
        ExportError::Write(error)
    }
}

/// So that `?` works beside the ledger's own calls.
impl From<ExportError> for Error {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Ledger(error) => error,
            ExportError::Write(cause) => {
                let message = format!("the export could not be written: {cause}");
                match cause.kind() {
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::DiskFull { message },
                    _ => Error::Storage { message },
                }
            }
        }
    }
}

/// What to export, and for whom: everything, one account, a period of either. A journal is whole only if its last line
/// says how many entries it has.
///
/// Another program adds up what was posted. It cannot see a stored balance that no posting touches, nor a rule that was
/// not kept: that is what [`Ledger::verify`] is for.
///
/// ```
/// use chrono::FixedOffset;
/// use counterfoil::{AccountId, Key, Ledger, Points, Recharge};
/// use counterfoil_report::{Export, HLEDGER};
///
/// # let folder = tempfile::tempdir()?;
/// let ledger = Ledger::create(folder.path().join("points.ledger"))?;
/// let alice = AccountId::new("alice")?;
/// ledger.recharge(&alice, &Key::new("order:1")?, Recharge::new(Points::new(50)?, "wxpay"))?;
/// let mut journal = Vec::new();
/// let beijing = FixedOffset::east_opt(8 * 3600).unwrap();
/// Export::new(HLEDGER).calendar(beijing).write(&ledger, &mut journal)?;
/// assert!(String::from_utf8(journal)?.contains("-50 PTS = -50 PTS")); // the issuer owes what alice holds
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Export {
    format: Format,
    view: View,
    account: Option<AccountId>,
    period: Period,
    calendar: Calendar,
}

impl Export {
    /// The whole file, as the issuer sees it.
    pub fn new(format: Format) -> Self {
        Export { format, view: View::default(), account: None, period: Period::all(), calendar: Calendar::default() }
    }

    /// As this side sees it.
    pub fn view(mut self, view: View) -> Self {
        self.view = view;
        self
    }

    /// This account only.
    pub fn account(mut self, account: AccountId) -> Self {
        self.account = Some(account);
        self
    }

    /// Entries booked within this period only. A journal then opens with the balances at its beginning.
    pub fn within(mut self, period: Period) -> Self {
        self.period = period;
        self
    }

    /// Dates everything by this calendar: that of an offset from UTC, or of a [`zone`](crate::zone); of itself by that of UTC.
    pub fn calendar(mut self, calendar: impl Into<Calendar>) -> Self {
        self.calendar = calendar.into();
        self
    }

    /// Writes the text: the books as they are at one moment. Memory is bounded whatever their length, and nobody waits; see
    /// [`Ledger::walk`] for what a slow `out` costs.
    ///
    /// # Errors
    /// What `out` says, and as for [`Ledger::walk`].
    pub fn write(&self, ledger: &Ledger, out: &mut dyn Write) -> Result<(), ExportError> {
        self.write_with(ledger, out, |_, _| ())
    }

    /// The same, reporting how far it is: of the file in operations, of one account in entries; and how many there are.
    ///
    /// # Errors
    /// `cancelled` when `progress` stops it (`Watched`); `out` has what was written before. And as for [`Export::write`].
    pub fn write_with<W: Watched>(
        &self,
        ledger: &Ledger,
        out: &mut dyn Write,
        mut progress: impl FnMut(u64, u64) -> W,
    ) -> Result<(), ExportError> {
        let mut writer = (self.format.begin)(self, out);
        let one = self.account.is_some();
        let (mut done, mut total) = (0_u64, 0_u64);
        ledger.walk(self.account.as_ref(), &self.period, |step| {
            match &step {
                WalkStep::Begin { operations: n, .. } if !one => total = u64::try_from(*n).unwrap_or(0),
                WalkStep::Account { lines: n, .. } if one => total = u64::try_from(*n).unwrap_or(0),
                WalkStep::Line(line) if one || line.entry.operation.is_some() => {
                    done = done.saturating_add(1).min(total);
                    progress(done, total).go_on("the export")?;
                }
                _ => {}
            }
            writer.step(&step)
        })?;
        writer.finish()
    }

    /// The day of an instant. After the last day of the last year there is none.
    fn date(&self, at: DateTime<Utc>) -> NaiveDate {
        let there = self.calendar.local(at).date_naive();
        if there.year() > 9999 { at.date_naive() } else { there }
    }
}
