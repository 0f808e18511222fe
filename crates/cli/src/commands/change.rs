//! Commands that change the books: each becomes one request, and all requests go the same way.

use counterfoil::{AccountQuery, HistoryQuery, Key, Ledger, Receipt, Request};
use serde_json::Value;

use super::{Session, advice, batch, text_variable};
use crate::args::{
    ChangeCommand, Confirm, ConsumeArgs, ExpireArgs, ExpiryArgs, Facts, HoldArgs, RechargeArgs, UsageArgs, is_number,
    span,
};
use crate::exit::{Failure, Outcome};
use crate::output::{Sweep, balance_line, time};
use crate::{confirm, ids};

/// What an operation is done to.
#[derive(Clone, Copy)]
enum Target<'a> {
    Account,
    Hold(&'a str),
    Batch(&'a str),
    Operation(&'a str),
    File,
}

/// An operation as the command line asks for it.
struct Plan<'a> {
    op: &'static str,
    target: Target<'a>,
    facts: &'a Facts,
    fields: Vec<(&'static str, Value)>,
    /// Whether a price book has a say in it.
    priced: bool,
    /// Whether it asks first, and what.
    question: Option<(Confirm, &'static str)>,
}

impl<'a> Plan<'a> {
    fn new(op: &'static str, target: Target<'a>, facts: &'a Facts) -> Self {
        Plan { op, target, facts, fields: Vec::new(), priced: false, question: None }
    }

    /// Sets a field; what was not given is left out.
    fn with(mut self, field: &'static str, value: impl Into<Value>) -> Self {
        self.fields.push((field, value.into()));
        self
    }

    fn priced(mut self) -> Self {
        self.priced = true;
        self
    }

    fn asks(mut self, confirm: Confirm, question: &'static str) -> Self {
        self.question = Some((confirm, question));
        self
    }

    fn usage(self, usage: &UsageArgs) -> Self {
        self.with("seconds", usage.seconds.clone())
            .with("quantity", usage.quantity.clone())
            .with("unit", usage.unit.clone())
            .with("chars", usage.chars.clone())
            .with("input_seconds", usage.input_seconds.clone())
    }

    fn expiry(self, expiry: &ExpiryArgs) -> Self {
        self.with("expires_at", expiry.expires_at.clone())
            .with("expires_in_days", expiry.expires_in_days.clone())
            .with("expires_in_months", expiry.expires_in_months.clone())
            .with("end_of_day", expiry.end_of_day.clone())
    }
}

pub(super) fn run(session: &mut Session, command: &ChangeCommand) -> Result<Outcome, Failure> {
    match command {
        ChangeCommand::Batch(args) => batch::run(session, args),
        ChangeCommand::Expire(args) => expire(session, args),
        command => match plan(command).or_else(|| account_plan(command)) {
            Some(plan) => book(session, &plan),
            None => Err(Failure::usage("this command is not known", "see counterfoil --help")),
        },
    }
}

/// Operations on something that was made before, and on the file.
fn plan(command: &ChangeCommand) -> Option<Plan<'_>> {
    use Target::{Batch, File, Hold, Operation};
    Some(match command {
        ChangeCommand::Capture(args) => {
            Plan::new("capture", Hold(&args.hold), &args.facts).with("points", args.points.value()).usage(&args.usage)
        }
        ChangeCommand::Release(args) => Plan::new("release", Hold(&args.hold), &args.facts),
        ChangeCommand::Renew(args) => {
            Plan::new("renew", Hold(&args.hold), &args.facts).with("deadline_seconds", args.deadline.clone())
        }
        ChangeCommand::Refund(args) => Plan::new("refund", Operation(&args.operation), &args.facts)
            .with("points", args.points.value())
            .with("reason", args.reason.as_str()),
        ChangeCommand::Revoke(args) => Plan::new("revoke", Batch(&args.batch), &args.facts)
            .with("points", args.points.value())
            .with("shortfall", args.shortfall.clone())
            .with("reason", args.reason.as_str())
            .asks(args.confirm, "Take these points of the batch back?"),
        ChangeCommand::SetExpiry(args) => Plan::new("set_expiry", Batch(&args.batch), &args.facts)
            .expiry(&args.expiry)
            .with("reason", args.reason.as_str()),
        ChangeCommand::Configure(args) => Plan::new("configure", File, &args.facts)
            .with("setting", args.setting.replace('-', "_"))
            .with("value", setting(&args.value)),
        ChangeCommand::ConfirmClock(args) => Plan::new("confirm_clock", File, &args.facts).asks(
            args.confirm,
            "Is this computer's clock right? What has expired by it will be gone, what it undoes comes back.",
        ),
        _ => return None,
    })
}

/// The value of a setting: a span of time as whole seconds, or a word.
fn setting(text: &str) -> Value {
    let seconds = span(text).ok().and_then(|seconds| seconds.as_str().map(str::to_string));
    let text = seconds.as_deref().unwrap_or(text);
    text.parse::<i64>().map(Value::from).unwrap_or_else(|_| match text.parse::<serde_json::Number>() {
        Ok(number) if is_number(text) => Value::Number(number),
        _ => Value::from(text),
    })
}

/// Operations on an account.
fn account_plan(command: &ChangeCommand) -> Option<Plan<'_>> {
    let on = |op, facts| Plan::new(op, Target::Account, facts);
    Some(match command {
        ChangeCommand::Open(args) => on("open", &args.facts).with("credit_limit", args.credit_limit.clone()),
        ChangeCommand::SetLimit(args) => {
            on("set_limit", &args.facts).with("credit_limit", args.limit.clone().or_else(|| args.credit_limit.clone()))
        }
        ChangeCommand::Recharge(args) => recharge(args),
        ChangeCommand::Consume(args) => consume(args),
        ChangeCommand::Hold(args) => hold(args),
        ChangeCommand::Transfer(args) => {
            on("transfer", &args.facts).with("to", args.to.as_str()).with("points", args.points.value())
        }
        ChangeCommand::WriteOff(args) => on("write_off", &args.facts)
            .with("points", args.points.value())
            .with("reason", args.reason.as_str())
            .asks(args.confirm, "Forgive this debt?"),
        ChangeCommand::Freeze(args) => on("freeze", &args.facts).with("reason", args.reason.as_str()),
        ChangeCommand::Unfreeze(args) => on("unfreeze", &args.facts).with("reason", args.reason.as_str()),
        ChangeCommand::Close(args) => {
            on("close", &args.facts).with("reason", args.reason.as_str()).asks(args.confirm, "Close this account?")
        }
        _ => return None,
    })
}

fn recharge(args: &RechargeArgs) -> Plan<'_> {
    Plan::new("recharge", Target::Account, &args.facts)
        .with("points", args.points.value())
        .with("source", args.source.as_str())
        .with("effective_at", args.effective_at.clone())
        .with("priority", args.priority.clone())
        .with("promo", args.promo)
        .expiry(&args.expiry)
        .priced()
}

fn consume(args: &ConsumeArgs) -> Plan<'_> {
    let policy = args.policy.as_ref().map(|policy| policy.replace('-', "_"));
    Plan::new("consume", Target::Account, &args.facts)
        .with("points", args.points.value())
        .with("service", args.service.clone())
        .with("policy", policy)
        .with("occurred_at", args.occurred_at.clone())
        .usage(&args.usage)
        .priced()
}

fn hold(args: &HoldArgs) -> Plan<'_> {
    Plan::new("hold", Target::Account, &args.facts)
        .with("points", args.points.value())
        .with("service", args.service.clone())
        .with("deadline_seconds", args.deadline.clone())
        .usage(&args.usage)
        .priced()
}

/// Books an operation, or says what it would do.
fn book(session: &mut Session, plan: &Plan<'_>) -> Result<Outcome, Failure> {
    let request = request(session, plan)?;
    let named = if plan.priced { session.named_book()? } else { None };
    let ledger = session.change()?;
    if plan.priced {
        session.load_book(&ledger, named)?;
    }
    let typed = match plan.target {
        Target::Hold(id) | Target::Batch(id) | Target::Operation(id) => Some(id),
        Target::Account | Target::File => None,
    };
    let points = request.get("points").and_then(Value::as_i64);
    let refused = |error| advice::refused(&ledger, typed, points, error);
    let request = aimed(&ledger, plan.target, request).map_err(refused)?;
    if plan.facts.dry_run {
        let receipt = ledger.dry_run(&request).map_err(refused)?;
        session.out.one(&receipt)?;
        advice::opened(session, &ledger, &request, &receipt, true);
        advice::lapsed(session, &receipt);
        session.notes.note("dry run: nothing was booked");
        return Ok(Outcome::Done);
    }
    if let Some((confirm, question)) = plan.question.filter(|(confirm, _)| !confirm.yes) {
        // What would be refused needs nobody's word.
        let would = ledger.dry_run(&request).map_err(refused)?;
        confirm::ask(confirm.yes, &format!("{question} {}", consequence(&ledger, &would)?))?;
    }
    // Before it is booked: whoever is cut off in between asks with the key what became of it, and books nothing twice.
    if plan.facts.key.is_none() {
        session.notes.key(request.get("key").and_then(Value::as_str).unwrap_or_default());
    }
    let receipt = ledger.apply(&request).map_err(refused)?;
    session.out.one(&receipt)?;
    advice::opened(session, &ledger, &request, &receipt, false);
    advice::lapsed(session, &receipt);
    Ok(Outcome::Done)
}

/// The request with the id of what it is done to.
fn aimed(ledger: &Ledger, target: Target<'_>, request: Request) -> counterfoil::Result<Request> {
    Ok(match target {
        Target::Hold(id) => request.with("hold", ids::hold(ledger, id)?.to_string()),
        Target::Batch(id) => request.with("batch", ids::batch(ledger, id)?.to_string()),
        Target::Operation(id) => request.with("operation", ids::charge(ledger, id)?.to_string()),
        Target::Account | Target::File => request,
    })
}

/// What an operation would do, for whoever is asked about it.
fn consequence(ledger: &Ledger, would: &Receipt) -> Result<String, Failure> {
    let balance = balance_line(&would.balance);
    Ok(match (&would.account, would.points) {
        (Some(account), 0) => format!("It would leave {account} with {balance}."),
        (Some(account), points) => format!("{points} points; it would leave {account} with {balance}."),
        (None, _) => format!(
            "It reads {}; {} points that lapsed by a later time would come back.",
            time(would.recorded_at),
            ledger.clock_brings_back()?
        ),
    })
}

fn request(session: &Session, plan: &Plan<'_>) -> Result<Request, Failure> {
    let facts = plan.facts;
    let mut request = Request::parse("{}")?.with("op", plan.op);
    for (field, value) in &plan.fields {
        request = request.with(*field, value.clone());
    }
    match (&plan.target, &session.common.account) {
        (Target::Account, _) => request = request.with("account", session.account_text()?),
        (_, None) => {}
        (Target::File, Some(_)) => return Err(no_account("it is about the whole file")),
        (_, Some(_)) => return Err(no_account("it follows from what is named")),
    }
    let metadata = facts.metadata.as_deref().map(|text| {
        serde_json::from_str::<Value>(text).map_err(|error| counterfoil::Error::InvalidArgument {
            field: "metadata".into(),
            message: format!("is not JSON: {error}"),
            help: "write it like {\"project\":\"7\"}".into(),
        })
    });
    Ok(request
        .with("key", facts.key.clone().unwrap_or_else(|| Key::random().to_string()))
        .with("reference", facts.reference.clone())
        .with("description", facts.description.clone())
        .with("actor", actor(facts)?)
        .with("metadata", metadata.transpose()?))
}

fn no_account(why: &str) -> Failure {
    Failure::usage(format!("this command takes no account: {why}"), "leave -a out")
}

fn actor(facts: &Facts) -> Result<Option<String>, Failure> {
    match &facts.actor {
        Some(actor) => Ok(Some(actor.clone())),
        None => text_variable("COUNTERFOIL_ACTOR"),
    }
}

fn expire(session: &mut Session, args: &ExpireArgs) -> Result<Outcome, Failure> {
    if args.dry_run {
        let due = due(&session.look()?)?;
        session.out.one(&due)?;
        session.notes.note("dry run: nothing was booked");
        return Ok(Outcome::Done);
    }
    let ledger = session.change()?;
    let bar = session.notes.spinner();
    let report = ledger.expire_with(args.limit, |so_far| {
        bar.set_message(format!("{} points expired in {} accounts", so_far.points, so_far.accounts));
    });
    bar.finish_and_clear();
    let report = report?;
    session.out.one(&Sweep {
        points: report.points,
        accounts: report.accounts,
        entries: report.entries,
        more: report.more,
    })?;
    Ok(Outcome::Done)
}

/// What a sweep would book: the lines of the books that time has made and nobody has written down yet.
fn due(ledger: &Ledger) -> Result<Sweep, Failure> {
    let mut sweep = Sweep::default();
    let mut accounts = AccountQuery::new();
    loop {
        let page = ledger.accounts(&accounts)?;
        for balance in &page.items {
            let entries = sweep.entries;
            let mut query = HistoryQuery::new().newest_first(true);
            'account: loop {
                let lines = ledger.history(&balance.account, &query)?;
                for line in &lines.items {
                    if !line.unbooked {
                        break 'account;
                    }
                    sweep.entries = sweep.entries.saturating_add(1);
                    if line.kind == "expire" {
                        sweep.points = sweep.points.saturating_add(line.points);
                    }
                }
                match lines.next {
                    Some(next) => query = query.after(next),
                    None => break,
                }
            }
            if sweep.entries > entries {
                sweep.accounts = sweep.accounts.saturating_add(1);
            }
        }
        match page.next {
            Some(next) => accounts = accounts.after(next),
            None => return Ok(sweep),
        }
    }
}
