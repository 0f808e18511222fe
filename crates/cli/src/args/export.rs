//! `export`: the books for other programs.

use clap::{Args, ValueEnum};

use super::PeriodArgs;

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// For which program
    #[arg(long = "as", value_name = "PROGRAM", value_enum)]
    pub(crate) target: ExportAs,
    /// Whose books, for hledger and beancount [default: issuer]
    #[arg(long, value_name = "VIEW", value_enum)]
    pub(crate) view: Option<ExportView>,
    /// All accounts, also when COUNTERFOIL_ACCOUNT names one
    #[arg(long, conflicts_with = "account")]
    pub(crate) all_accounts: bool,
    #[command(flatten)]
    pub(crate) period: PeriodArgs,
}

/// What an export is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportAs {
    /// A journal in which every posting carries the balance after it: hledger check --strict
    Hledger,
    /// A ledger with the balances after every day: bean-check
    Beancount,
    /// Every entry as a line of numbers and texts
    Csv,
    /// Every entry as a JSON object on a line
    Jsonl,
}

/// Whose books an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportView {
    /// Points outstanding are a liability, used and expired points are income, debt is a receivable
    Issuer,
    /// Points are assets, services and expired points are expenses, debt is a liability
    Holder,
}
