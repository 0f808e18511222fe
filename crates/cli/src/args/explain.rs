//! The command that explains.

use clap::Args;

use super::PeriodArgs;

#[derive(Debug, Args)]
#[command(override_usage = "counterfoil explain [OPTIONS] <OPERATION>
       counterfoil explain [OPTIONS] --missing -a ACCOUNT [--from TIME] [--to TIME] [--month MONTH] [--all]
       counterfoil explain [OPTIONS] --batch BATCH")]
pub(crate) struct ExplainArgs {
    /// The operation: its number, its id or its key
    #[arg(value_name = "OPERATION", required_unless_present_any = ["missing", "batch"])]
    pub(crate) operation: Option<String>,
    /// Why points of the account are gone
    #[arg(long, conflicts_with_all = ["operation", "batch"])]
    pub(crate) missing: bool,
    /// Every line of a cause, up to a million: else the newest, and the earlier ones together
    #[arg(long, requires = "missing")]
    pub(crate) all: bool,
    /// The life of this batch: its id, N.i for the i-th that operation N made (N for the only one), or the key of that
    #[arg(long, value_name = "BATCH", conflicts_with = "operation")]
    pub(crate) batch: Option<String>,
    #[command(flatten, next_help_heading = "Period of --missing, and the clock of all times")]
    pub(crate) period: PeriodArgs,
}
