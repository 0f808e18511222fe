//! A request, checked for its shape: what needs neither file nor clock. One function per family of operations.

use std::str::FromStr;

use serde_json::{Map, Value};

use super::fields::{Body, Fields, missing, misspelt};
use super::{AccountId, BatchId, HoldId, Key, OpKind, OperationId, Request};
use crate::error::{Error, Result};
use crate::quantity::Usage;
use crate::spelling::nearest;
use crate::units::Instant;

const DEFAULT_PRIORITY: i64 = 50;
const MAX_PRIORITY: i64 = 1000;
/// A hundred years, in seconds: more than any setting needs.
const MAX_SETTING_SECONDS: i64 = 3_155_760_000;

/// When a batch ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expiry {
    Never,
    At(Instant),
    /// Days from the recharge; with an offset (seconds east of UTC), to the end of that local day.
    Days(i64, Option<i32>),
    Months(i64, Option<i32>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    Postpaid,
    Strict,
    UpTo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shortfall {
    Debt,
    Clamp,
}

/// Points to give or take back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Amount {
    All,
    Points(i64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CaptureAmount {
    Points(i64),
    Usage(Usage),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setting {
    ExplicitAccounts(bool),
    LateWindow(i64),
    MaxHold(i64),
    MaxClockJump(i64),
    ClockPatience(i64),
}

/// What to do, typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Open {
        credit_limit: i64,
    },
    SetLimit {
        credit_limit: i64,
    },
    Recharge {
        points: i64,
        source: String,
        expiry: Option<Expiry>,
        effective_at: Option<Instant>,
        priority: i64,
        promo: Option<bool>,
    },
    Consume {
        points: Option<i64>,
        service: Option<String>,
        usage: Option<Usage>,
        policy: Policy,
        occurred_at: Option<Instant>,
    },
    Hold {
        points: Option<i64>,
        service: Option<String>,
        usage: Option<Usage>,
        deadline: i64,
    },
    Capture {
        amount: CaptureAmount,
    },
    Release,
    Renew {
        deadline: i64,
    },
    Refund {
        amount: Amount,
    },
    Revoke {
        amount: Amount,
        shortfall: Shortfall,
    },
    SetExpiry {
        expiry: Expiry,
    },
    Transfer {
        to: AccountId,
        points: i64,
    },
    WriteOff {
        points: i64,
    },
    Freeze,
    Unfreeze,
    Close,
    Configure(Setting),
    ConfirmClock,
    /// The library's own: its kind says it all.
    Own,
}

/// What the operation is done to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    Account(AccountId),
    Hold(HoldId),
    Batch(BatchId),
    Operation(OperationId),
    File,
}

/// A request of good shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) kind: OpKind,
    pub(crate) subject: Subject,
    pub(crate) key: Key,
    /// Books the operation at this instant: history being loaded.
    pub(crate) at: Option<Instant>,
    pub(crate) action: Action,
    /// The inputs in canonical form, without op, account and key.
    pub(crate) body: Body,
}

impl Command {
    /// Checks a request's shape.
    pub(crate) fn parse(request: &Request) -> Result<Self> {
        Self::of(request).map_err(|error| misspelt(error, request))
    }

    fn of(request: &Request) -> Result<Self> {
        let mut fields = Fields::new(request.fields());
        let op = fields.text("op")?.ok_or_else(|| missing("op", "name the operation, like \"op\":\"consume\""))?;
        let kind = OpKind::from_text(op).filter(|kind| !is_own(*kind)).ok_or_else(|| {
            let help = match nearest(op, op_names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("use one of {}", op_names().collect::<Vec<_>>().join(", ")),
            };
            Error::invalid("op", format!("there is no operation `{op}`"), help)
        })?;
        let subject = subject(kind, &mut fields)?;
        let key = fields
            .text("key")?
            .ok_or_else(|| missing("key", "give an idempotency key: the same key never books twice"))?;
        Self::read(kind, subject, Key::new(key)?, fields)
    }

    /// The command a stored operation was booked from.
    pub(crate) fn stored(
        kind: OpKind,
        account: Option<AccountId>,
        key: Key,
        body: &Map<String, Value>,
    ) -> Result<Self> {
        let mut fields = Fields::new(body.iter().map(|(name, value)| (name.as_str(), value)));
        if is_own(kind) {
            return Ok(Command { body: fields.finish(kind.text())?, ..Self::own(kind, key) });
        }
        let subject = match account {
            Some(account) if !names_target(kind) => Subject::Account(account),
            _ => subject(kind, &mut fields)?,
        };
        Self::read(kind, subject, key, fields)
    }

    /// What the library books of its own accord: a restore, or the reading of an expiry sweep.
    pub(crate) fn own(kind: OpKind, key: Key) -> Self {
        Command { kind, subject: Subject::File, key, at: None, action: Action::Own, body: Body::default() }
    }

    fn read(kind: OpKind, subject: Subject, key: Key, mut fields: Fields<'_>) -> Result<Self> {
        let at = fields.instant("at")?;
        fields.facts()?;
        let action = action(kind, &mut fields)?;
        if let (Subject::Account(account), Action::Transfer { to, .. }) = (&subject, &action)
            && account == to
        {
            return Err(Error::invalid("to", "is the paying account itself", "name another account"));
        }
        Ok(Command { kind, subject, key, at, action, body: fields.finish(kind.text())? })
    }

    /// The names of the inputs in which a repeated request differs from the first.
    pub(crate) fn differs_from(&self, first: &Map<String, Value>) -> Vec<String> {
        let compared = |name: &str| !matches!(name, "at" | "actor" | "description" | "metadata");
        let names = self.body.names().chain(first.keys().map(String::as_str));
        let mut names: Vec<&str> = names.filter(|name| compared(name)).collect();
        names.sort_unstable();
        names.dedup();
        names.retain(|name| self.body.get(name) != first.get(*name));
        names.into_iter().map(String::from).collect()
    }
}

/// What no request can ask for.
fn is_own(kind: OpKind) -> bool {
    matches!(kind, OpKind::Restore | OpKind::Expire)
}

fn op_names() -> impl Iterator<Item = &'static str> {
    OpKind::ALL.iter().filter(|kind| !is_own(**kind)).map(|kind| kind.text())
}

fn names_target(kind: OpKind) -> bool {
    use OpKind::{Capture, Refund, Release, Renew, Revoke, SetExpiry};
    matches!(kind, Capture | Release | Renew | Refund | Revoke | SetExpiry)
}

fn subject(kind: OpKind, fields: &mut Fields<'_>) -> Result<Subject> {
    match kind {
        OpKind::Capture | OpKind::Release | OpKind::Renew => target(fields, "hold").map(Subject::Hold),
        OpKind::Refund => target(fields, "operation").map(Subject::Operation),
        OpKind::Revoke | OpKind::SetExpiry => target(fields, "batch").map(Subject::Batch),
        OpKind::Configure | OpKind::ConfirmClock | OpKind::Restore | OpKind::Expire => Ok(Subject::File),
        _ => {
            let account = fields.text("account")?.ok_or_else(|| missing("account", "name the account"))?;
            AccountId::new(account).map(Subject::Account)
        }
    }
}

fn target<T: FromStr<Err = Error> + ToString>(fields: &mut Fields<'_>, name: &'static str) -> Result<T> {
    match fields.take(name) {
        None => Err(missing(name, "give the id from the receipt")),
        Some(Value::String(text)) => {
            let id: T = text.parse()?;
            fields.keep(name, id.to_string());
            Ok(id)
        }
        Some(other) => Err(Error::invalid(
            name,
            format!("{other} is not an id"),
            "give the id from the receipt; {\"ref_line\":n} works only within one batch run",
        )),
    }
}

fn action(kind: OpKind, fields: &mut Fields<'_>) -> Result<Action> {
    match kind {
        OpKind::Open => Ok(Action::Open { credit_limit: credit_limit(fields)?.unwrap_or(0) }),
        OpKind::SetLimit => {
            let credit_limit =
                fields.points("credit_limit", 0)?.ok_or_else(|| missing("credit_limit", "give 0 or more points"))?;
            Ok(Action::SetLimit { credit_limit })
        }
        OpKind::Recharge => recharge(fields),
        OpKind::Consume => consume(fields),
        OpKind::Hold => hold(fields),
        OpKind::Capture => capture(fields),
        OpKind::Release => Ok(Action::Release),
        OpKind::Renew => Ok(Action::Renew { deadline: deadline(fields)? }),
        OpKind::Refund => {
            fields.reason()?;
            Ok(Action::Refund { amount: amount(fields)? })
        }
        OpKind::Revoke => revoke(fields),
        OpKind::SetExpiry => {
            fields.reason()?;
            let expiry = expiry(fields)?
                .ok_or_else(|| missing("expires_at", "give expires_at, expires_in_days or expires_in_months"))?;
            Ok(Action::SetExpiry { expiry })
        }
        OpKind::Transfer => {
            let to = fields.name("to")?.ok_or_else(|| missing("to", "name the account that receives"))?;
            Ok(Action::Transfer { to: AccountId::new(to)?, points: required_points(fields, 1)? })
        }
        OpKind::WriteOff => {
            fields.reason()?;
            Ok(Action::WriteOff { points: required_points(fields, 1)? })
        }
        OpKind::Freeze => fields.reason().map(|()| Action::Freeze),
        OpKind::Unfreeze => fields.reason().map(|()| Action::Unfreeze),
        OpKind::Close => fields.reason().map(|()| Action::Close),
        OpKind::Configure => configure(fields),
        OpKind::ConfirmClock => Ok(Action::ConfirmClock),
        OpKind::Restore | OpKind::Expire => Ok(Action::Own),
    }
}

fn required_points(fields: &mut Fields<'_>, least: i64) -> Result<i64> {
    fields.points("points", least)?.ok_or_else(|| missing("points", "give a whole number of points"))
}

fn credit_limit(fields: &mut Fields<'_>) -> Result<Option<i64>> {
    let limit = fields.points("credit_limit", 0)?;
    drop_default(fields, "credit_limit", limit == Some(0));
    Ok(limit)
}

/// A default written out equals the default left out: neither stays in the body.
fn drop_default(fields: &mut Fields<'_>, name: &str, is_default: bool) {
    if is_default {
        fields.forget(name);
    }
}

fn recharge(fields: &mut Fields<'_>) -> Result<Action> {
    let points = required_points(fields, 1)?;
    let source = fields
        .name("source")?
        .ok_or_else(|| missing("source", "say where the points come from, like \"wxpay\" or \"gift\""))?;
    let priority = fields.count("priority", 0, MAX_PRIORITY)?.unwrap_or(DEFAULT_PRIORITY);
    drop_default(fields, "priority", priority == DEFAULT_PRIORITY);
    Ok(Action::Recharge {
        points,
        source: source.to_string(),
        expiry: expiry(fields)?,
        effective_at: fields.instant("effective_at")?,
        priority,
        promo: fields.flag("promo")?,
    })
}

fn expiry(fields: &mut Fields<'_>) -> Result<Option<Expiry>> {
    let given: Vec<&str> =
        ["expires_at", "expires_in_days", "expires_in_months"].into_iter().filter(|name| fields.has(name)).collect();
    if let [first, second, ..] = given.as_slice() {
        return Err(Error::invalid(*second, format!("is given beside `{first}`"), "give one expiry"));
    }
    if let Some(days) = fields.span("expires_in_days")? {
        return Ok(Some(Expiry::Days(days, end_of_day(fields)?)));
    }
    if let Some(months) = fields.span("expires_in_months")? {
        return Ok(Some(Expiry::Months(months, end_of_day(fields)?)));
    }
    if fields.take("end_of_day").is_some() {
        return Err(Error::invalid(
            "end_of_day",
            "is given without expires_in_days or expires_in_months",
            "add one of them, or leave it out",
        ));
    }
    match fields.text("expires_at")? {
        None => Ok(None),
        Some(never) if never == "never" => {
            fields.keep("expires_at", never);
            Ok(Some(Expiry::Never))
        }
        Some(text) => {
            let instant = Instant::parse("expires_at", text)?;
            fields.keep("expires_at", instant.to_string());
            Ok(Some(Expiry::At(instant)))
        }
    }
}

fn end_of_day(fields: &mut Fields<'_>) -> Result<Option<i32>> {
    let Some(text) = fields.text("end_of_day")? else { return Ok(None) };
    let text = if text == "Z" { "+00:00" } else { text };
    let offset = chrono::FixedOffset::from_str(text)
        .ok()
        .filter(|offset| text.len() == 6 && offset.local_minus_utc() % 60 == 0)
        .ok_or_else(|| {
            Error::invalid("end_of_day", format!("`{text}` is not a UTC offset"), "write it like \"+08:00\"")
        })?;
    let canonical = if text == "-00:00" { "+00:00" } else { text };
    fields.keep("end_of_day", canonical);
    Ok(Some(offset.local_minus_utc()))
}

fn consume(fields: &mut Fields<'_>) -> Result<Action> {
    let points = fields.points("points", 0)?;
    let service = fields.name("service")?;
    if !fields.has("chars") {
        // A label beside points only; null says that there is none, with or without points.
        fields.take("chars");
    }
    let usage = fields.usage(points.is_some(), false)?;
    needs_price(points, service, usage.as_ref())?;
    let policy = match fields.text("policy")? {
        None | Some("postpaid") => Policy::Postpaid,
        Some("strict") => Policy::Strict,
        Some("up_to") => Policy::UpTo,
        Some(other) => {
            return Err(Error::invalid(
                "policy",
                format!("there is no policy `{other}`"),
                "use postpaid, strict or up_to",
            ));
        }
    };
    match policy {
        Policy::Postpaid => {}
        Policy::Strict => fields.keep("policy", "strict"),
        Policy::UpTo => fields.keep("policy", "up_to"),
    }
    let service = service.map(String::from);
    Ok(Action::Consume { points, service, usage, policy, occurred_at: fields.instant("occurred_at")? })
}

fn needs_price(points: Option<i64>, service: Option<&str>, usage: Option<&Usage>) -> Result<()> {
    match (points, service) {
        (None, None) => Err(missing("points", "give points, or a service the price book knows")),
        (Some(_), None) if usage.is_some() => {
            Err(Error::invalid("service", "is missing beside a usage", "name the service, or leave the usage out"))
        }
        _ => Ok(()),
    }
}

fn hold(fields: &mut Fields<'_>) -> Result<Action> {
    let points = fields.points("points", 1)?;
    let service = fields.name("service")?;
    let usage = fields.usage(true, true)?;
    needs_price(points, service, usage.as_ref())?;
    Ok(Action::Hold { points, service: service.map(String::from), usage, deadline: deadline(fields)? })
}

fn deadline(fields: &mut Fields<'_>) -> Result<i64> {
    fields
        .milliseconds("deadline_seconds")?
        .ok_or_else(|| missing("deadline_seconds", "say when the hold ends by itself, like 3600"))
}

fn capture(fields: &mut Fields<'_>) -> Result<Action> {
    let points = fields.points("points", 0)?;
    let usage = fields.usage(false, false)?;
    let amount = match (points, usage) {
        (Some(_), Some(_)) => return Err(Error::invalid("points", "are given beside a usage", "give one of them")),
        (None, None) => return Err(missing("points", "give the points or the usage to charge; 0 releases all")),
        (Some(points), None) => CaptureAmount::Points(points),
        (None, Some(usage)) => CaptureAmount::Usage(usage),
    };
    Ok(Action::Capture { amount })
}

fn amount(fields: &mut Fields<'_>) -> Result<Amount> {
    if fields.peek_text("points") == Some("all") {
        let all = fields.text("points")?.unwrap_or_default();
        fields.keep("points", all);
        return Ok(Amount::All);
    }
    let points = fields.points("points", 1)?.ok_or_else(|| missing("points", "give a number of points, or \"all\""))?;
    Ok(Amount::Points(points))
}

fn revoke(fields: &mut Fields<'_>) -> Result<Action> {
    fields.reason()?;
    let shortfall = match fields.text("shortfall")? {
        None | Some("debt") => Shortfall::Debt,
        Some("clamp") => Shortfall::Clamp,
        Some(other) => {
            return Err(Error::invalid("shortfall", format!("there is no shortfall `{other}`"), "use debt or clamp"));
        }
    };
    if shortfall == Shortfall::Clamp {
        fields.keep("shortfall", "clamp");
    }
    Ok(Action::Revoke { amount: amount(fields)?, shortfall })
}

const SETTINGS_HELP: &str = "use accounts, late_window, max_hold, max_clock_jump or clock_patience";

fn configure(fields: &mut Fields<'_>) -> Result<Action> {
    let name = fields.name("setting")?.ok_or_else(|| missing("setting", SETTINGS_HELP))?;
    let setting = match name {
        "accounts" => match fields.name("value")? {
            Some("first_use") => Setting::ExplicitAccounts(false),
            Some("explicit") => Setting::ExplicitAccounts(true),
            _ => return Err(Error::invalid("value", "is neither first_use nor explicit", "use first_use or explicit")),
        },
        "late_window" => Setting::LateWindow(seconds(fields, 0)?),
        "max_hold" => Setting::MaxHold(seconds(fields, 1)?),
        "max_clock_jump" => Setting::MaxClockJump(seconds(fields, 1)?),
        "clock_patience" => Setting::ClockPatience(seconds(fields, 1)?),
        other => {
            return Err(Error::invalid("setting", format!("there is no setting `{other}`"), SETTINGS_HELP));
        }
    };
    Ok(Action::Configure(setting))
}

fn seconds(fields: &mut Fields<'_>, least: i64) -> Result<i64> {
    fields.count("value", least, MAX_SETTING_SECONDS)?.ok_or_else(|| missing("value", "give whole seconds"))
}
