//! `export`: the books for other programs.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use counterfoil_report::{FORMATS, Format};

use super::PeriodArgs;

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// For which program
    #[arg(long = "as", value_name = "PROGRAM", value_parser = formats())]
    pub(crate) target: Format,
    /// Whose books, for hledger and beancount [default: issuer]
    #[arg(long, value_name = "VIEW", value_enum)]
    pub(crate) view: Option<ExportView>,
    /// All accounts, also when COUNTERFOIL_ACCOUNT names one
    #[arg(long, conflicts_with = "account")]
    pub(crate) all_accounts: bool,
    #[command(flatten)]
    pub(crate) period: PeriodArgs,
}

fn formats() -> impl TypedValueParser<Value = Format> {
    let known = FORMATS.map(|format| PossibleValue::new(format.name).help(format.about));
    let named = |name: String| FORMATS.into_iter().find(|format| format.name == name);
    PossibleValuesParser::new(known).try_map(move |name| named(name).ok_or("there is no such format"))
}

/// Whose books an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportView {
    /// Points outstanding are a liability, used and expired points are income, debt is a receivable
    Issuer,
    /// Points are assets, services and expired points are expenses, debt is a liability
    Holder,
}
