//! The statement of an account.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct StatementArgs {
    /// A calendar month, like 2026-11
    #[arg(long, value_name = "MONTH", conflicts_with_all = ["from", "to"])]
    pub(crate) month: Option<String>,
    /// Only what was booked at or after this time: RFC 3339, or a date
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Only what was booked before this time: RFC 3339, or a date
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// The clock that months and dates, and times on the page, are told by
    #[arg(long, value_name = "UTC-OFFSET", default_value = "+00:00", allow_hyphen_values = true)]
    pub(crate) offset: String,
    /// One HTML page that needs nothing else, for browsers and printers
    #[arg(long, conflicts_with = "format")]
    pub(crate) html: bool,
}
