//! Commands that tell: reports over a period. They open the file read-only.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};
use counterfoil::report::Calendar;
use counterfoil::{Error, Period};

use super::Paging;
use super::values::{days, instant_at, offset, zone};

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum ReportCommand {
    /// What an account began with, every line, and what it ended with: sums that add up
    #[command(after_help = "Examples:
  counterfoil statement -a alice
  counterfoil statement -a alice --month 2026-11 --offset +08:00
  counterfoil statement -a alice --month 2026-10 --zone Europe/Berlin --html --output alice.html
  counterfoil statement -a alice --month 2026-11 --html --issuer 'Mountain Studio' --number 2026-117
  counterfoil statement -a alice --from 2026-11-01 --to 2026-12-01 --format csv --output alice.csv")]
    Statement(StatementArgs),
    /// What was used: by service, by day or month, of one account or of all
    #[command(after_help = "Examples:
  counterfoil usage --month 2026-11
  counterfoil usage -a alice --by day --offset +08:00
  counterfoil usage --per-account --format csv --output usage.csv")]
    Usage(UsedArgs),
}

#[derive(Debug, Args)]
pub(crate) struct StatementArgs {
    /// One HTML page that needs nothing else, for browsers and printers
    #[arg(long, conflicts_with = "format")]
    pub(crate) html: bool,
    /// Who issues the page: a line at its top
    #[arg(long, value_name = "TEXT", requires = "html")]
    pub(crate) issuer: Option<String>,
    /// The page's number in your books
    #[arg(long, value_name = "TEXT", requires = "html")]
    pub(crate) number: Option<String>,
    #[command(flatten)]
    pub(crate) period: PeriodArgs,
}

/// A stretch of time.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Period")]
pub(crate) struct PeriodArgs {
    /// From this time on: RFC 3339, or a date
    #[arg(long, alias = "since", value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Until before this time: RFC 3339, or a date
    #[arg(long, alias = "until", value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// A calendar month, as in 2026-11
    #[arg(long, value_name = "MONTH", conflicts_with_all = ["from", "to"])]
    pub(crate) month: Option<String>,
    /// The offset from UTC whose calendar and clock count, as in +08:00 [default: Z]
    #[arg(long, value_name = "OFFSET", value_parser = offset, allow_hyphen_values = true)]
    offset: Option<Calendar>,
    /// The time zone whose calendar and clock count, with its changes of the clock, as in Europe/Berlin
    #[arg(long, value_name = "ZONE", value_parser = zone, conflicts_with = "offset")]
    zone: Option<Calendar>,
}

impl PeriodArgs {
    /// Whose calendar and clock count.
    pub(crate) fn calendar(&self) -> Calendar {
        self.zone.as_ref().or(self.offset.as_ref()).cloned().unwrap_or_default()
    }

    pub(crate) fn period(&self) -> Result<Period, Error> {
        let calendar = self.calendar();
        let time = |field: &str, text: &Option<String>| -> Result<Option<DateTime<Utc>>, Error> {
            text.as_deref().map(|text| instant_at(&calendar, field, text)).transpose()
        };
        match &self.month {
            Some(month) => self.named(month),
            None => Period::new(time("from", &self.from)?, time("to", &self.to)?),
        }
    }

    fn named(&self, month: &str) -> Result<Period, Error> {
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        let parts = month.split_once('-').filter(|(year, month)| year.len() == 4 && month.len() == 2);
        match parts.and_then(|(year, month)| Some((number(year)?, number(month)?))) {
            Some((year, month)) => Period::month(i32::try_from(year).unwrap_or(i32::MAX), month, self.calendar()),
            None => Err(Error::InvalidArgument {
                field: "month".into(),
                message: format!("`{month}` is not a month"),
                help: "write it like 2026-11".into(),
            }),
        }
    }
}

/// How finely usage is summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    /// By service alone
    Service,
    /// By day and service
    Day,
    /// By month and service
    Month,
}

#[derive(Debug, Args)]
pub(crate) struct UsedArgs {
    /// How finely to sum
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = By::Service)]
    pub(crate) by: By,
    /// Of this service alone
    #[arg(long, value_name = "SERVICE")]
    pub(crate) service: Option<String>,
    /// Each account by itself
    #[arg(long)]
    pub(crate) per_account: bool,
    /// Of every account, also when COUNTERFOIL_ACCOUNT names one
    #[arg(long, conflicts_with = "account")]
    pub(crate) all_accounts: bool,
    #[command(flatten)]
    pub(crate) period: PeriodArgs,
}

#[derive(Debug, Args)]
pub(crate) struct AccountsArgs {
    /// Only accounts in debt
    #[arg(long)]
    pub(crate) in_debt: bool,
    /// Only accounts in this state: active, frozen or closed (may be given several times)
    #[arg(long, value_name = "STATE")]
    pub(crate) state: Vec<String>,
    /// Only accounts with points that expire at or before this time: RFC 3339, or a date (its midnight in UTC)
    #[arg(long, value_name = "TIME")]
    pub(crate) expiring_before: Option<String>,
    /// Only accounts with points that expire within so many days from now
    #[arg(long, value_name = "DAYS", value_parser = days, conflicts_with = "expiring_before")]
    #[arg(allow_negative_numbers = true)]
    pub(crate) expiring_days: Option<u16>,
    /// Only accounts whose whole name fits: * stands for any text, ? for any one character
    #[arg(long = "match", value_name = "PATTERN")]
    pub(crate) pattern: Option<String>,
    #[command(flatten)]
    pub(crate) paging: Paging,
}
