//! Commands that change the books. Those that book an operation are made from the library's table of operations.

use std::path::PathBuf;

use clap::builder::{BoolValueParser, TypedValueParser, ValueParser};
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Args, Command, Error, FromArgMatches, Subcommand};
use counterfoil::schema::{FACTS, Field, FieldKind, KEY, OPERATIONS, Operation};
use serde_json::Value;

use super::values::{amount, count, decimal, setting, span};
use super::{ListArgs, UsageArgs};

const BATCH: &str = "Examples:
  counterfoil batch operations.jsonl --atomic
  echo '{\"op\":\"consume\",\"account\":\"alice\",\"key\":\"task:19\",\"points\":20}' | counterfoil batch

Answers come in order, each as soon as it is durable, also while the input stays open. A refused line is answered with
{\"error\":{…},\"line\":n} and its op, key and account; the others go on, and the exit code is 3. The first failure of the file
itself (a full disk, a lock) ends the run with the exit code of that failure, and stderr says at which line to go on. When
nobody reads the answers any more, what comes later is not booked, and the exit code is 1. A summary goes to stderr.";

/// The commands.
#[derive(Debug)]
pub(crate) enum ChangeCommand {
    /// Books one operation.
    Book(&'static Operation, ArgMatches),
    /// Lists the plans of an account.
    Plans(ListArgs),
    Other(OtherCommand),
}

/// Those that are no operation of their own.
#[derive(Debug, Subcommand)]
pub(crate) enum OtherCommand {
    /// Book everything that has fallen due (balances are right without it)
    #[command(after_help = "Example:\n  counterfoil expire --dry-run")]
    Expire(ExpireArgs),
    /// Book operations given as JSON lines, from a file or stdin; answers with JSON lines
    #[command(after_help = BATCH, after_long_help = format!("{BATCH}\n\n{}", fields()))]
    Batch(BatchArgs),
}

impl Subcommand for ChangeCommand {
    fn augment_subcommands(command: Command) -> Command {
        let booked = OPERATIONS.iter().filter(|operation| !is_of_hubs(operation));
        let (of_plans, others): (Vec<_>, Vec<_>) = booked.partition(|operation| is_of_plans(operation));
        let commands = command.subcommands(others.into_iter().map(booking)).subcommand(plans(&of_plans));
        OtherCommand::augment_subcommands(commands)
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        name == PLAN || operation(name).is_some() || OtherCommand::has_subcommand(name)
    }
}

impl FromArgMatches for ChangeCommand {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let below = matches.subcommand().filter(|(name, _)| *name == PLAN).and_then(|(_, below)| below.subcommand());
        if let Some((LIST, matches)) = below {
            return ListArgs::from_arg_matches(matches).map(ChangeCommand::Plans);
        }
        match below.or(matches.subcommand()).and_then(|(name, matches)| Some((operation(name)?, matches))) {
            Some((operation, matches)) => Ok(ChangeCommand::Book(operation, matches.clone())),
            None => OtherCommand::from_arg_matches(matches).map(ChangeCommand::Other),
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        Self::from_arg_matches(matches).map(|command| *self = command)
    }
}

/// What plans are asked for stands together, below one command.
const PLAN: &str = "plan";
const LIST: &str = "list";

fn is_of_plans(operation: &Operation) -> bool {
    matches!(operation.name, "plan" | "stop")
}

/// What a file is to others; a line of `batch` says it.
fn is_of_hubs(operation: &Operation) -> bool {
    matches!(
        operation.name,
        "become_hub"
            | "admit"
            | "expel"
            | "enrol"
            | "approve"
            | "dismiss"
            | "acknowledge"
            | "allot"
            | "recall"
            | "allot_write_off"
            | "return"
    )
}

fn plans(operations: &[&'static Operation]) -> Command {
    let list = Command::new(LIST).about("The account's plans: those with periods to come, or all");
    let list = list.after_help("Example:\n  counterfoil plan list -a alice --all");
    Command::new(PLAN)
        .about("Recurring recharges: make one, list them, end one")
        .after_help(
            "Example:\n  counterfoil plan new 100 -a alice --source plan:pro --every-months 1 --expires-at period_end",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(operations.iter().copied().map(booking))
        .subcommand(ListArgs::augment_args(list))
}

/// The operation a command books.
fn operation(command: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| called(operation) == command && !is_of_hubs(operation))
}

/// The name of its command, without the one it stands below.
fn called(operation: &Operation) -> String {
    if operation.name == PLAN { "new".into() } else { dashed(operation.name) }
}

fn dashed(name: &str) -> String {
    name.replace('_', "-")
}

/// What a command asks before it books its operation, if it asks.
pub(crate) fn question(operation: &Operation) -> Option<&'static str> {
    Some(match operation.name {
        "revoke" => "Take these points of the batch back?",
        "write_off" => "Forgive this debt?",
        "close" => "Close this account?",
        "confirm_clock" => {
            "Is this computer's clock right? What has expired by it will be gone, what it undoes comes back."
        }
        _ => return None,
    })
}

/// How each is called.
fn examples(operation: &Operation) -> &'static [&'static str] {
    match operation.name {
        "open" => &["open -a alice --credit-limit 100"],
        "set_limit" => &["set-limit 500 -a alice"],
        "recharge" => &[
            "recharge 320 -a alice --source wxpay --key order:881",
            "recharge 50 -a alice --source gift --expires-in-months 1 --end-of-day +08:00",
            "recharge 50 -a alice --source wxpay --expires-in-months 1 --rollover-cap 20 --rollover-expires-in-months 1",
        ],
        "consume" => &[
            "consume 20 -a alice --reference task-19",
            "consume -a alice --service tts --seconds 61.2 --policy strict",
        ],
        "hold" => &["hold 40 -a alice --deadline 1h", "hold -a alice --service tts --chars 1200 --deadline 15m"],
        "capture" => &["capture 7", "capture 7 25", "capture 7 --seconds 61.2 --cap held"],
        "release" => &["release 7"],
        "renew" => &["renew 7 --deadline 2h"],
        "refund" => &["refund 12 all --reason 'render failed'"],
        "revoke" => &["revoke 3 all --reason 'order refunded'"],
        "set_expiry" => &["set-expiry 3 --expires-at 2027-12-31T00:00:00Z --reason 'the outage'"],
        "plan" => &[
            "plan new 100 -a alice --source plan:pro --every-months 1 --expires-at period_end",
            "plan new 20 -a alice --source gift --every-weeks 1 --count 4 --expires-in-days 14",
        ],
        "stop" => &["plan stop 7"],
        "transfer" => &["transfer bob 30 -a alice"],
        "write_off" => &["write-off 60 -a bob --reason 'goodwill'"],
        "freeze" => &["freeze -a bob --reason 'card stolen'"],
        "unfreeze" => &["unfreeze -a bob --reason 'card found'"],
        "close" => &["close -a bob --reason 'left us'"],
        "configure" => {
            &["configure accounts explicit", "configure late_window 7d", "configure global_keys order:,invoice:"]
        }
        "confirm_clock" => &["confirm-clock --yes"],
        _ => &[],
    }
}

/// Fields given by their place. Points may be given by their name as well.
fn has_place(field: &Field) -> bool {
    let limit = field.name == "credit_limit" && field.required.is_some();
    limit || matches!(field.name, "hold" | "batch" | "plan" | "operation" | "points" | "to" | "setting" | "value")
}

/// The command that books an operation.
fn booking(operation: &'static Operation) -> Command {
    let (name, asks) = (called(operation), question(operation).is_some());
    let examples = examples(operation);
    let title = if examples.len() == 1 { "Example:" } else { "Examples:" };
    let calls: String = examples.iter().map(|call| format!("\n  counterfoil {call}")).collect();
    let about = format!("{}{}", operation.help, if asks { ". Asks first" } else { "" });
    let mut command = Command::new(name.clone()).after_help(format!("{title}{calls}")).allow_negative_numbers(true);
    let target = operation.target.filter(|target| target.name != "account");
    for field in target.into_iter().chain(operation.fields).filter(|field| field.group != Some("usage")) {
        if let FieldKind::Part(members) = field.kind {
            command = command.args(members.iter().map(|member| part(field, member)));
            continue;
        }
        command = command.arg(argument(field));
        if has_place(field) && is_points(field) {
            let other = flag(field).id("by_name").help(format!("The same as {POINTS}")).required(false);
            let group = ArgGroup::new("given").args([field.name, "by_name"]).required(field.required.is_some());
            command = command.arg(other).group(group);
        }
    }
    // Two ways to give what must be given are too long a line.
    if operation.fields.iter().any(|field| has_place(field) && is_points(field) && field.required.is_some()) {
        let whole = if is_of_plans(operation) { format!("{PLAN} {name}") } else { name };
        command = command.override_usage(usage(operation, &whole));
    }
    if operation.field("seconds").is_some() {
        command = UsageArgs::augment_args(command);
    }
    command = command.next_help_heading(None);
    if asks {
        command = super::Confirm::augment_args(command);
    }
    let facts = [&KEY].into_iter().chain(FACTS).filter(|field| field.name != "at");
    let tried = Arg::new("dry_run").long("dry-run").action(ArgAction::SetTrue);
    command
        .about(about)
        .args(facts.map(argument))
        .arg(tried.help("Only say what it would do: nothing is booked").help_heading("Facts"))
}

const POINTS: &str = "POINTS";

fn is_points(field: &Field) -> bool {
    matches!(field.kind, FieldKind::Points(_) | FieldKind::PointsOrAll)
}

fn usage(operation: &Operation, name: &str) -> String {
    let mut usage = format!("counterfoil {name} [OPTIONS]");
    let needed = operation.target.into_iter().chain(operation.fields).filter(|field| field.required.is_some());
    let (placed, named): (Vec<&Field>, Vec<&Field>) = needed.partition(|field| has_place(field));
    for field in named.into_iter().filter(|field| field.name != "account") {
        usage.push_str(&format!(" --{} <{}>", dashed(field.name), value_name(field)));
    }
    for field in placed {
        let all = if field.kind == FieldKind::PointsOrAll { "|all" } else { "" };
        usage.push_str(&format!(" <{}{all}>", value_name(field)));
    }
    usage
}

/// A field as an argument: at its place, or by its name.
fn argument(field: &'static Field) -> Arg {
    if !has_place(field) {
        return flag(field);
    }
    bare(field).required(field.required.is_some() && !is_points(field))
}

fn flag(field: &'static Field) -> Arg {
    let name = if field.name == "deadline_seconds" { "deadline".into() } else { dashed(field.name) };
    let argument = bare(field).long(name).required(field.required.is_some() && field.name != "key");
    match field.kind {
        FieldKind::Flag => argument.num_args(0..=1).require_equals(true).default_missing_value("true"),
        FieldKind::Offset => argument.allow_hyphen_values(true),
        _ => argument,
    }
}

/// A field of an object within a request, by both names. Whether it is needed, the object says.
fn part(field: &'static Field, member: &'static Field) -> Arg {
    let name = part_name(field, member);
    flag(member).id(name.clone()).long(dashed(&name)).required(false)
}

/// Under which a part of a field is found.
pub(crate) fn part_name(field: &Field, member: &Field) -> String {
    format!("{}_{}", field.name, member.name)
}

fn bare(field: &'static Field) -> Arg {
    let mut help = field.help.to_string();
    help.push_str(match (field.name, field.kind) {
        ("batch", _) => ": its number, like 3 or 3.1, its id or its key",
        (_, FieldKind::Id) => ": its number, its id or its key",
        (_, FieldKind::Seconds | FieldKind::Setting(_)) => ": 3600, 90s, 15m, 2h, 3d",
        ("key", _) => " [default: a new one, told on stderr]",
        ("actor", _) => " [env: COUNTERFOIL_ACTOR]",
        _ => "",
    });
    if let Some(default) = field.default {
        help.push_str(&format!(" [default: {default}]"));
    }
    let heading = field.group.map(|group| match group {
        "expiry" => "Expiry",
        "every" => "Period (one of)",
        "policy" => "Policy",
        "rollover" => "Rollover",
        _ => "Facts",
    });
    Arg::new(field.name).help(help).help_heading(heading).value_name(value_name(field)).value_parser(parser(field.kind))
}

fn value_name(field: &Field) -> String {
    let last = field.name.rsplit('_').next().unwrap_or(field.name);
    match (field.name, field.kind) {
        ("actor", _) => "WHO".into(),
        ("reason", _) => "REASON".into(),
        (_, FieldKind::Text(_) | FieldKind::Lines(_)) => "TEXT".into(),
        (_, FieldKind::Object(_)) => "JSON".into(),
        (_, FieldKind::Points(_) | FieldKind::PointsOrAll) => POINTS.into(),
        (_, FieldKind::Count(least, most)) => format!("{least}-{most}"),
        (_, FieldKind::Flag) => "true|false".into(),
        (_, FieldKind::Instant) => "TIME".into(),
        (_, FieldKind::InstantOr(words)) => format!("TIME|{}", words.join("|")),
        (_, FieldKind::Offset) => "OFFSET".into(),
        (_, FieldKind::Seconds) => "SPAN".into(),
        _ => last.to_uppercase(),
    }
}

/// What is typed, as the value of the field.
fn parser(kind: FieldKind) -> ValueParser {
    match kind {
        FieldKind::Points(_) | FieldKind::Count(..) | FieldKind::Span | FieldKind::Chars => ValueParser::new(count),
        FieldKind::PointsOrAll => ValueParser::new(amount),
        FieldKind::Seconds => ValueParser::new(span),
        FieldKind::Quantity => ValueParser::new(decimal),
        FieldKind::Flag => BoolValueParser::new().map(Value::from).into(),
        // As other words of the command are written: up-to.
        FieldKind::InstantOr(words) => ValueParser::new(move |text: &str| {
            let word = words.iter().find(|word| word.replace('_', "-") == text);
            Ok::<_, String>(Value::from(word.copied().unwrap_or(text)))
        }),
        FieldKind::Choice(_) => ValueParser::new(|text: &str| Ok::<_, String>(Value::from(text.replace('-', "_")))),
        FieldKind::Setting(_) => ValueParser::new(|text: &str| Ok::<_, String>(setting(text))),
        _ => ValueParser::new(|text: &str| Ok::<_, String>(Value::from(text))),
    }
}

/// What a line of `batch` may say.
fn fields() -> String {
    let mut text = String::from(
        "A line has op, key and account (no account where hold, batch, plan or operation implies it, nor with what is done to \
         the file: configure, confirm_clock, become_hub, admit, expel, enrol, and of what devices sent approve, dismiss, acknowledge). It may have reference, description, actor and metadata. Fields of each op besides:\n",
    );
    for operation in OPERATIONS {
        let mut names: Vec<String> = Vec::new();
        for field in operation.target.into_iter().chain(operation.fields).filter(|field| field.name != "account") {
            let name = match (field.group, field.kind) {
                (Some(group), _) => group.to_string(),
                (_, FieldKind::PointsOrAll) => format!("{} (a number or \"all\")", field.name),
                (_, FieldKind::Choice(words)) if operation.name != "configure" => {
                    format!("{} ({})", field.name, words.join(", "))
                }
                _ => field.name.to_string(),
            };
            if names.last() != Some(&name) {
                names.push(name);
            }
        }
        let names = if names.is_empty() { "none".into() } else { names.join(", ") };
        text.push_str(&format!("  {:<23}  {names}\n", operation.name));
    }
    text.push_str(
        "\nAn expiry is expires_at (an instant or \"never\"), or expires_in_hours, expires_in_days or expires_in_months, these with \
         end_of_day (\"+08:00\") if wanted. A usage is seconds, chars, or quantity and unit; of a hold also \
         input_seconds. A rollover is an object: {\"cap\":20,\"expires_in_months\":1}, with end_of_day if wanted.\n\nFor a hold, batch or operation {\"ref_line\":n} stands for what line n of the same run made. \
         With --historic a line may have at, the instant (RFC 3339) it is booked at.",
    );
    text
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

impl NeededPoints {
    pub(crate) fn value(&self) -> Option<Value> {
        self.points.clone().or_else(|| self.points_flag.clone())
    }
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
    /// Keep the lines that are refused in a file, to be mended and given again; it must not exist
    #[arg(long, value_name = "FILE", conflicts_with_all = ["atomic", "dry_run"])]
    pub(crate) refused: Option<PathBuf>,
}
