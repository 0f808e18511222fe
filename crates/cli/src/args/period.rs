//! A stretch of time on the command line.

use chrono::{FixedOffset, NaiveDate};
use clap::Args;
use counterfoil::{Error, Period};

use super::instant;

/// From when to when, or which month.
#[derive(Debug, Clone, Args)]
pub(crate) struct PeriodArgs {
    /// At or after this time: RFC 3339, or a date (its midnight in UTC)
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// A calendar month in UTC, like 2026-11
    #[arg(long, value_name = "MONTH", conflicts_with_all = ["from", "to"])]
    pub(crate) month: Option<String>,
}

impl PeriodArgs {
    pub(crate) fn period(&self) -> Result<Period, Error> {
        let Some(month) = &self.month else {
            let time = |field, text: &Option<String>| text.as_deref().map(|text| instant(field, text)).transpose();
            return Period::new(time("from", &self.from)?, time("to", &self.to)?);
        };
        let wrong = || Error::InvalidArgument {
            field: "month".into(),
            message: format!("`{month}` is not a month"),
            help: "write it like 2026-11".into(),
        };
        let first = Some(month).filter(|text| text.len() == 7);
        let first = first.and_then(|text| NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d").ok());
        let first = first.ok_or_else(wrong)?;
        let utc = FixedOffset::east_opt(0).ok_or_else(wrong)?;
        Period::month(chrono::Datelike::year(&first), chrono::Datelike::month(&first), utc)
    }
}
