//! Commands that look: they open the file read-only and work while the app runs.

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, Subcommand};
use counterfoil::EntryKind;
use serde_json::Value;

use super::values::{count, days, decimal};
use super::{AccountsArgs, ExportArgs, NeededPoints, Paging, PeriodArgs};

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum LookCommand {
    /// The account's balance: available, held, pending, debt and net
    #[command(after_help = "Examples:\n  counterfoil balance -a alice\n  counterfoil balance -a alice --at 2026-11-01")]
    Balance(BalanceArgs),
    /// The account's batches: those live or pending, or all
    #[command(
        after_help = "Examples:\n  counterfoil batches -a alice\n  counterfoil batches -a alice --all --format csv"
    )]
    Batches(ListArgs),
    /// The account's holds: those open, or all
    #[command(after_help = "Example:\n  counterfoil holds -a alice --all")]
    Holds(ListArgs),
    /// The lines of the account's books, oldest first; without an account, those that operations wrote in any
    #[command(after_help = "Examples:
  counterfoil history -a alice --newest --limit 20
  counterfoil history -a alice --kind consume --kind capture --month 2026-11
  counterfoil history -a alice --service tts --reference task-19
  counterfoil history --all-accounts --newest --limit 20

Lines marked unbooked are by time alone, as an expiry or the end of a hold:
they count already, and are written to the ledger with its next change.
Of all accounts only lines that operations wrote are listed, in the order of the
log: what time alone did stands in each account's own, and in export.")]
    History(HistoryArgs),
    /// The operations of all accounts that have this as their number, id, key or reference
    #[command(after_help = "Examples:\n  counterfoil find order:881\n  counterfoil find task-19 --format csv")]
    Find(FindArgs),
    /// One operation with all that is known of it
    #[command(after_help = "Example:\n  counterfoil show 12")]
    Show(ShowArgs),
    /// Why a number is what it is: an operation, points that are gone, or the life of a batch
    #[command(after_help = "Examples:
  counterfoil explain 12
  counterfoil explain --missing -a alice --month 2026-11
  counterfoil explain --batch 3.1 --format json")]
    Explain(super::ExplainArgs),
    /// What a wallet's page shows, all of one instant: balance, open batches, holds and plans, and the newest lines
    #[command(
        after_help = "Examples:\n  counterfoil overview -a alice\n  counterfoil overview -a alice --limit 20 --format json"
    )]
    Overview(OverviewArgs),
    /// Batches with points left that expire soon, of one account or of all
    #[command(
        after_help = "Examples:\n  counterfoil expiring --days 7\n  counterfoil expiring -a alice --before 2027-01-01"
    )]
    Expiring(ExpiringArgs),
    /// Accounts with their balances, in order of opening
    #[command(after_help = "Examples:
  counterfoil accounts --in-debt
  counterfoil accounts --match 'kiosk-*' --expiring-days 7 --format jsonl")]
    Accounts(AccountsArgs),
    /// What a use of a service costs
    #[command(override_usage = "counterfoil price [OPTIONS] <SERVICE>")]
    #[command(
        after_help = "Examples:\n  counterfoil price tts --seconds 61.2\n  counterfoil price llm_tokens --quantity 1500"
    )]
    Price(QuoteArgs),
    /// What a use of a service can cost at most, from what is known before the work
    #[command(override_usage = "counterfoil estimate [OPTIONS] <SERVICE>")]
    #[command(
        after_help = "Examples:\n  counterfoil estimate tts --chars 1200\n  counterfoil estimate video --input-seconds 7.5"
    )]
    Estimate(QuoteArgs),
    /// Whether the account could pay; exit code 3 when it could not. Only hold and strict consume decide
    #[command(override_usage = "counterfoil check [OPTIONS] <POINTS>")]
    #[command(after_help = "Example:\n  counterfoil check 40 -a alice && start-the-job")]
    Check(NeededPoints),
    /// The books for other programs: hledger and beancount prove the arithmetic; csv and jsonl give every entry
    #[command(after_help = "Examples:
  counterfoil export --as hledger --output points.journal && hledger -f points.journal check --strict
  counterfoil export --as beancount -a alice --view holder --output alice.beancount && bean-check alice.beancount
  counterfoil export --as csv --month 2026-11 --output november.csv")]
    Export(ExportArgs),
    /// What the file says of itself: ids, settings, length and head of its log
    #[command(after_help = "Example:\n  counterfoil info -f points.ledger --format json")]
    Info,
}

#[derive(Debug, Args)]
pub(crate) struct BalanceArgs {
    /// At this instant, past or future: RFC 3339, or a date (its midnight in UTC)
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Everything, also what is spent, expired, resolved or ended
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

#[derive(Debug, Args)]
pub(crate) struct OverviewArgs {
    /// At most so many of each list
    #[arg(long, short_alias = 'n', value_name = "N", default_value_t = 10, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
}

/// The kinds of lines, also as other commands are written: `transfer-out`.
fn kinds() -> PossibleValuesParser {
    let kind = |kind: &EntryKind| PossibleValue::new(kind.as_str()).alias(kind.as_str().replace('_', "-"));
    PossibleValuesParser::new(EntryKind::ALL.iter().map(kind))
}

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// Only lines of this kind (may be given several times)
    #[arg(long, alias = "type", value_name = "KIND", value_parser = kinds())]
    pub(crate) kind: Vec<String>,
    /// Only lines that charge or hold for this service
    #[arg(long, value_name = "SERVICE")]
    pub(crate) service: Option<String>,
    /// Only lines with this reference
    #[arg(long, value_name = "TEXT")]
    pub(crate) reference: Option<String>,
    /// Only recharges from this source, and what became of them by time alone
    #[arg(long, value_name = "SOURCE")]
    pub(crate) source: Option<String>,
    /// Only lines whose description contains this text, in capitals or not
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Only what this operation did: its number, its id or its key
    #[arg(long, value_name = "OPERATION")]
    pub(crate) operation: Option<String>,
    /// The newest first
    #[arg(long)]
    pub(crate) newest: bool,
    /// Of every account, also when COUNTERFOIL_ACCOUNT names one
    #[arg(long, conflicts_with = "account")]
    pub(crate) all_accounts: bool,
    #[command(flatten)]
    pub(crate) period: PeriodArgs,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

#[derive(Debug, Args)]
pub(crate) struct FindArgs {
    /// A number in the log, an id, a key, or a reference (an order's number, a task's): the whole of it
    #[arg(value_name = "TEXT")]
    pub(crate) text: String,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The operation: its number, its id or its key
    pub(crate) operation: String,
}

#[derive(Debug, Args)]
pub(crate) struct ExpiringArgs {
    /// At or before this time: RFC 3339, or a date (its midnight in UTC)
    #[arg(long, value_name = "TIME", conflicts_with = "days")]
    pub(crate) before: Option<String>,
    /// Within so many days from now
    #[arg(long, value_name = "DAYS", value_parser = days, default_value = "30", allow_negative_numbers = true)]
    pub(crate) days: u16,
    /// Of every account, also when COUNTERFOIL_ACCOUNT names one
    #[arg(long, conflicts_with = "account")]
    pub(crate) all_accounts: bool,
}

#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct QuoteArgs {
    /// The service, as the price book names it
    #[arg(value_name = "SERVICE", required_unless_present = "service_flag")]
    pub(crate) service: Option<String>,
    /// The same as SERVICE
    #[arg(long = "service", value_name = "SERVICE", conflicts_with = "service")]
    pub(crate) service_flag: Option<String>,
    #[command(flatten)]
    pub(crate) usage: UsageArgs,
}

/// What was used, or will be.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Usage")]
pub(crate) struct UsageArgs {
    /// Seconds, as a decimal number
    #[arg(long, alias = "duration", value_name = "SECONDS", value_parser = decimal)]
    pub(crate) seconds: Option<Value>,
    /// How much of anything counted, as a decimal number
    #[arg(long, value_name = "QUANTITY", value_parser = decimal)]
    pub(crate) quantity: Option<Value>,
    /// The unit of the quantity; it must be the price book's
    #[arg(long, value_name = "UNIT")]
    pub(crate) unit: Option<String>,
    /// Characters of the text, before the work
    #[arg(long, value_name = "COUNT", value_parser = count)]
    pub(crate) chars: Option<Value>,
    /// Seconds of the material, before the work
    #[arg(long, value_name = "SECONDS", value_parser = decimal)]
    pub(crate) input_seconds: Option<Value>,
}
