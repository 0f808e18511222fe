//! Commands that change the books. Each becomes one request to the library.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::values::{amount, count, span};
use super::{Confirm, UsageArgs};

const BATCH: &str = "Examples:
  counterfoil batch operations.jsonl --atomic
  echo '{\"op\":\"consume\",\"account\":\"alice\",\"key\":\"task:19\",\"points\":20}' | counterfoil batch

Answers come in order, each as soon as it is durable, also while the input stays open. A refused line is answered with
{\"error\":{…},\"line\":n}; the others go on, and the exit code is 3. When nobody reads the answers any more, what comes later
is not booked, and the exit code is 1.";

const FIELDS: &str = "\
A line has op, key and account (no account where hold, batch or operation implies it, nor with configure and \
confirm_clock). It may have reference, description, actor and metadata. Fields of each op besides:
  open, set_limit          credit_limit
  recharge                 points, source, effective_at, priority, promo, expiry
  (expiry)                 expires_at (an instant or \"never\"), or expires_in_days or
                           expires_in_months, these with end_of_day (\"+08:00\") if wanted
  consume                  points, service, usage, policy (postpaid, strict, up_to), occurred_at
  (usage)                  seconds, or quantity and unit; of a hold also chars or input_seconds
  hold                     points, service, usage, deadline_seconds
  capture                  hold, points or usage
  release                  hold
  renew                    hold, deadline_seconds
  refund                   operation, points (a number or \"all\"), reason
  revoke                   batch, points (a number or \"all\"), shortfall (debt, clamp), reason
  set_expiry               batch, expiry, reason
  transfer                 account (which pays), to, points
  write_off                points, reason
  freeze, unfreeze, close  reason
  configure                setting, value
  confirm_clock            none

For a hold, batch or operation {\"ref_line\":n} stands for what line n of the same run made. With --historic a \
line may have at, the instant (RFC 3339) it is booked at.";

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum ChangeCommand {
    /// Open an account before its first use
    #[command(after_help = "Example:\n  counterfoil open -a alice --credit-limit 100")]
    Open(OpenArgs),
    /// Set how far the account's debt may go before strict operations are refused
    #[command(override_usage = "counterfoil set-limit [OPTIONS] <POINTS>")]
    #[command(after_help = "Example:\n  counterfoil set-limit 500 -a alice")]
    SetLimit(SetLimitArgs),
    /// Add a batch of points; old debt is settled from it at once
    #[command(override_usage = "counterfoil recharge [OPTIONS] --source <SOURCE> <POINTS>")]
    #[command(after_help = "Examples:
  counterfoil recharge 320 -a alice --source wxpay --key order:881
  counterfoil recharge 50 -a alice --source gift --expires-in-months 1 --end-of-day +08:00")]
    Recharge(RechargeArgs),
    /// Charge points, or what the price book asks for a service
    #[command(after_help = "Examples:
  counterfoil consume 20 -a alice --reference task-19
  counterfoil consume -a alice --service tts --seconds 61.2 --policy strict")]
    Consume(ConsumeArgs),
    /// Set points aside for a job, until a deadline
    #[command(after_help = "Examples:
  counterfoil hold 40 -a alice --deadline 1h
  counterfoil hold -a alice --service tts --chars 1200 --deadline 15m")]
    Hold(HoldArgs),
    /// Charge a hold, once; what it does not need goes back
    #[command(after_help = "Examples:\n  counterfoil capture 7 25\n  counterfoil capture 7 --seconds 61.2")]
    Capture(CaptureArgs),
    /// Give all of an open hold back
    #[command(after_help = "Example:\n  counterfoil release 7")]
    Release(ReleaseArgs),
    /// Give an open hold a new deadline, counted from now
    #[command(after_help = "Example:\n  counterfoil renew 7 --deadline 2h")]
    Renew(RenewArgs),
    /// Give points of a consume or capture back to the batches that paid
    #[command(override_usage = "counterfoil refund [OPTIONS] --reason <REASON> <OPERATION> <POINTS|all>")]
    #[command(after_help = "Example:\n  counterfoil refund 12 all --reason 'render failed'")]
    Refund(RefundArgs),
    /// Take a batch back: what is left of it, and what was spent as debt. Asks first
    #[command(override_usage = "counterfoil revoke [OPTIONS] --reason <REASON> <BATCH> <POINTS|all>")]
    #[command(after_help = "Example:\n  counterfoil revoke 3 all --reason 'order refunded'")]
    Revoke(RevokeArgs),
    /// Change when a batch ends; an expired one comes back
    #[command(
        after_help = "Example:\n  counterfoil set-expiry 3 --expires-at 2027-12-31T00:00:00Z --reason 'the outage'"
    )]
    SetExpiry(SetExpiryArgs),
    /// Move available points to another account; they keep their expiry
    #[command(override_usage = "counterfoil transfer [OPTIONS] <TO> <POINTS>")]
    #[command(after_help = "Example:\n  counterfoil transfer bob 30 -a alice")]
    Transfer(TransferArgs),
    /// Forgive debt, oldest first. Asks first
    #[command(override_usage = "counterfoil write-off [OPTIONS] --reason <REASON> <POINTS>")]
    #[command(after_help = "Example:\n  counterfoil write-off 60 -a bob --reason 'goodwill'")]
    WriteOff(WriteOffArgs),
    /// Stop strict consumes, holds and transfers from the account
    #[command(after_help = "Example:\n  counterfoil freeze -a bob --reason 'card stolen'")]
    Freeze(ReasonArgs),
    /// End a freeze
    #[command(after_help = "Example:\n  counterfoil unfreeze -a bob --reason 'card found'")]
    Unfreeze(ReasonArgs),
    /// Close an empty account. Asks first
    #[command(after_help = "Example:\n  counterfoil close -a bob --reason 'left us'")]
    Close(CloseArgs),
    /// Book everything that has fallen due (balances are right without it)
    #[command(after_help = "Example:\n  counterfoil expire --dry-run")]
    Expire(ExpireArgs),
    /// Change a setting of the file: accounts, late_window, max_hold, max_clock_jump, clock_patience
    #[command(
        after_help = "Examples:\n  counterfoil configure accounts explicit\n  counterfoil configure late_window 7d"
    )]
    Configure(ConfigureArgs),
    /// Say that the present clock reading is right, however far it jumped. Asks first
    #[command(after_help = "Example:\n  counterfoil confirm-clock --yes")]
    ConfirmClock(ConfirmClockArgs),
    /// Book operations given as JSON lines, from a file or stdin; answers with JSON lines
    #[command(after_help = BATCH, after_long_help = format!("{BATCH}\n\n{FIELDS}"))]
    Batch(BatchArgs),
}

/// What every operation may carry.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Facts")]
pub(crate) struct Facts {
    /// Idempotency key: the same key never books twice [default: a new one, told on stderr]
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// Order or task it belongs to
    #[arg(long, value_name = "TEXT")]
    pub(crate) reference: Option<String>,
    /// A text for people
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Who does it [env: COUNTERFOIL_ACTOR]
    #[arg(long, value_name = "WHO")]
    pub(crate) actor: Option<String>,
    /// A JSON object to keep with it
    #[arg(long, value_name = "JSON")]
    pub(crate) metadata: Option<String>,
    /// Only say what it would do: nothing is booked
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Points that must be given.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
#[command(allow_negative_numbers = true)]
pub(crate) struct NeededPoints {
    /// Whole points
    #[arg(value_name = "POINTS", value_parser = count)]
    points: Option<Value>,
    /// The same as POINTS
    #[arg(long = "points", value_name = "POINTS", value_parser = count)]
    points_flag: Option<Value>,
}

/// Points that may be given.
#[derive(Debug, Clone, Args)]
#[group(multiple = false)]
#[command(allow_negative_numbers = true)]
pub(crate) struct SomePoints {
    /// Whole points
    #[arg(value_name = "POINTS", value_parser = count)]
    points: Option<Value>,
    /// The same as POINTS
    #[arg(long = "points", value_name = "POINTS", value_parser = count)]
    points_flag: Option<Value>,
}

/// Points, or all there are.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
#[command(allow_negative_numbers = true)]
pub(crate) struct Amount {
    /// Whole points, or all
    #[arg(value_name = "POINTS", value_parser = amount)]
    points: Option<Value>,
    /// The same as POINTS
    #[arg(long = "points", value_name = "POINTS", value_parser = amount)]
    points_flag: Option<Value>,
}

impl NeededPoints {
    pub(crate) fn value(&self) -> Option<Value> {
        self.points.clone().or_else(|| self.points_flag.clone())
    }
}

impl SomePoints {
    pub(crate) fn value(&self) -> Option<Value> {
        self.points.clone().or_else(|| self.points_flag.clone())
    }
}

impl Amount {
    pub(crate) fn value(&self) -> Option<Value> {
        self.points.clone().or_else(|| self.points_flag.clone())
    }
}

/// When a batch ends.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Expiry")]
pub(crate) struct ExpiryArgs {
    /// At this instant (RFC 3339, with the time of day), or never
    #[arg(long, value_name = "TIME|never")]
    pub(crate) expires_at: Option<String>,
    /// So many days from now
    #[arg(long, value_name = "DAYS", value_parser = count)]
    pub(crate) expires_in_days: Option<Value>,
    /// So many months from now, the same day and time
    #[arg(long, value_name = "MONTHS", value_parser = count)]
    pub(crate) expires_in_months: Option<Value>,
    /// To the end of that day at this UTC offset, like +08:00
    #[arg(long, value_name = "OFFSET", allow_hyphen_values = true)]
    pub(crate) end_of_day: Option<String>,
}

#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct OpenArgs {
    /// How far debt may go before strict operations are refused
    #[arg(long, value_name = "POINTS", value_parser = count)]
    pub(crate) credit_limit: Option<Value>,
    #[command(flatten)]
    pub(crate) facts: Facts,
}

#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct SetLimitArgs {
    /// The new limit
    #[arg(value_name = "POINTS", value_parser = count, required_unless_present = "credit_limit")]
    pub(crate) limit: Option<Value>,
    /// The same as POINTS
    #[arg(long, value_name = "POINTS", value_parser = count, conflicts_with = "limit")]
    pub(crate) credit_limit: Option<Value>,
    #[command(flatten)]
    pub(crate) facts: Facts,
}

#[derive(Debug, Args)]
pub(crate) struct RechargeArgs {
    #[command(flatten)]
    pub(crate) points: NeededPoints,
    /// Where the points come from, like wxpay or gift
    #[arg(long)]
    pub(crate) source: String,
    /// Usable from this instant (RFC 3339) [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) effective_at: Option<String>,
    /// Place in the draw order: lower is drawn first [default: 50]
    #[arg(long, value_name = "0-1000", value_parser = count)]
    pub(crate) priority: Option<Value>,
    /// Promotional, or paid for [default: what the price book says of the source]
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) promo: Option<bool>,
    #[command(flatten)]
    pub(crate) expiry: ExpiryArgs,
    #[command(flatten)]
    pub(crate) facts: Facts,
}

#[derive(Debug, Args)]
pub(crate) struct ConsumeArgs {
    #[command(flatten)]
    pub(crate) points: SomePoints,
    /// The service used; without points the price book decides
    #[arg(long)]
    pub(crate) service: Option<String>,
    /// postpaid (always book), strict (refuse when short or in debt), up_to (book what is covered) [default: postpaid]
    #[arg(long)]
    pub(crate) policy: Option<String>,
    /// When it happened (RFC 3339), when that was not now
    #[arg(long, value_name = "TIME")]
    pub(crate) occurred_at: Option<String>,
    #[command(flatten)]
    pub(crate) usage: UsageArgs,
    #[command(flatten)]
    pub(crate) facts: Facts,
}

#[derive(Debug, Args)]
pub(crate) struct HoldArgs {
    #[command(flatten)]
    pub(crate) points: SomePoints,
    /// The service it is for; without points the price book's estimate decides
    #[arg(long)]
    pub(crate) service: Option<String>,
    /// When the hold ends by itself, from now: 3600, 90s, 15m, 2h, 3d
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub(crate) deadline: Value,
    #[command(flatten)]
    pub(crate) usage: UsageArgs,
    #[command(flatten)]
    pub(crate) facts: Facts,
}

#[derive(Debug, Args)]
pub(crate) struct CaptureArgs {
    /// The hold: its number, its id or its key
    pub(crate) hold: String,
    #[command(flatten)]
    pub(crate) points: SomePoints,
    #[command(flatten)]
    pub(crate) usage: UsageArgs,
    #[command(flatten)]
    pub(crate) facts: Facts,
}

#[derive(Debug, Args)]
pub(crate) struct ReleaseArgs {
    /// The hold: its number, its id or its key
    pub(crate) hold: String,
    #[command(flatten)]
    pub(crate) facts: Facts,
}

#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct RenewArgs {
    /// The hold: its number, its id or its key
    pub(crate) hold: String,
    /// The new deadline, from now: 3600, 90s, 15m, 2h, 3d
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub(crate) deadline: Value,
    #[command(flatten)]
    pub(crate) facts: Facts,
}

#[derive(Debug, Args)]
pub(crate) struct RefundArgs {
    /// The consume or capture: its number, its id or its key
    pub(crate) operation: String,
    #[command(flatten)]
    pub(crate) points: Amount,
    /// Why; it is kept in the books
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) facts: Facts,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// The batch: its number, like 3 or 3.1, its id or its key
    pub(crate) batch: String,
    #[command(flatten)]
    pub(crate) points: Amount,
    /// What becomes of points already spent: debt, or clamp (reported, not collected) [default: debt]
    #[arg(long)]
    pub(crate) shortfall: Option<String>,
    /// Why; it is kept in the books
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) confirm: Confirm,
    #[command(flatten)]
    pub(crate) facts: Facts,
}

#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct SetExpiryArgs {
    /// The batch: its number, like 3 or 3.1, its id or its key
    pub(crate) batch: String,
    /// Why; it is kept in the books
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) expiry: ExpiryArgs,
    #[command(flatten)]
    pub(crate) facts: Facts,
}

#[derive(Debug, Args)]
pub(crate) struct TransferArgs {
    /// The account that receives
    pub(crate) to: String,
    #[command(flatten)]
    pub(crate) points: NeededPoints,
    #[command(flatten)]
    pub(crate) facts: Facts,
}

#[derive(Debug, Args)]
pub(crate) struct WriteOffArgs {
    #[command(flatten)]
    pub(crate) points: NeededPoints,
    /// Why; it is kept in the books
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) confirm: Confirm,
    #[command(flatten)]
    pub(crate) facts: Facts,
}

#[derive(Debug, Args)]
pub(crate) struct ReasonArgs {
    /// Why; it is kept in the books
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) facts: Facts,
}

#[derive(Debug, Args)]
pub(crate) struct CloseArgs {
    /// Why; it is kept in the books
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) confirm: Confirm,
    #[command(flatten)]
    pub(crate) facts: Facts,
}

#[derive(Debug, Args)]
pub(crate) struct ExpireArgs {
    /// At most so many accounts
    #[arg(long, value_name = "ACCOUNTS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    /// Only say what it would book
    #[arg(long, conflicts_with = "limit")]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct ConfigureArgs {
    /// accounts, late_window, max_hold, max_clock_jump or clock_patience
    pub(crate) setting: String,
    /// first_use or explicit; a span of time: 3600, 90s, 15m, 2h, 3d
    pub(crate) value: String,
    #[command(flatten)]
    pub(crate) facts: Facts,
}

#[derive(Debug, Args)]
pub(crate) struct ConfirmClockArgs {
    #[command(flatten)]
    pub(crate) confirm: Confirm,
    #[command(flatten)]
    pub(crate) facts: Facts,
}

#[derive(Debug, Args)]
pub(crate) struct BatchArgs {
    /// The file of JSON lines, or - for stdin
    #[arg(value_name = "FILE", default_value = "-")]
    pub(crate) input: PathBuf,
    /// Let lines carry `at` and be booked at that instant: for loading history
    #[arg(long)]
    pub(crate) historic: bool,
    /// All or nothing: the first refusal ends it, and nothing is booked
    #[arg(long)]
    pub(crate) atomic: bool,
    /// Only say what the lines would do, one after another: nothing is booked
    #[arg(long)]
    pub(crate) dry_run: bool,
}
