//! A request, checked for its shape: what needs neither file nor clock. One function per family of operations.

use std::str::FromStr;
use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use super::expiry::Expiry;
use super::fields::{Body, Fields, count, expiry, given_beside, missing, misspelt, text};
use super::operations::{BASE_AT, FACTS, KEY, MAX_SETTING_SECONDS, MOST_GLOBAL_KEYS, OPERATIONS, OpKind, Operation};
use super::plan::{Every, Terms};
use super::rollover::Rolling;
use super::{
    ALLOTTED, AccountId, AccountsOpen, Admission, AllottedParts, BatchId, Certificate, DevicePolicy, EPOCH, FlagCode,
    HoldId, Key, MAX_EPOCH, Offline, OperationId, PlanId, Reconcile, Request, Right, Scope, WhenExpelled, parts_of,
};
use crate::error::{Error, Result};
use crate::hash::{Hash, PublicKey};
use crate::quantity::Usage;
use crate::spelling::nearest;
use crate::units::{Instant, Points};

const DEFAULT_PRIORITY: i64 = 50;

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
    /// What is held.
    Held,
    Points(i64),
    Usage(Usage),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Setting {
    ExplicitAccounts(bool),
    LateWindow(i64),
    MaxHold(i64),
    MaxClockJump(i64),
    ClockPatience(i64),
    GlobalKeys(Vec<Key>),
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
        rollover: Option<Rolling>,
    },
    Plan(Arc<Terms>),
    Stop,
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
        /// The hash of the price book that quoted it.
        price_book: Option<Hash>,
        deadline: i64,
    },
    Capture {
        amount: CaptureAmount,
        /// Whether no more is taken than was held, where that was said.
        capped: Option<bool>,
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
    BecomeHub {
        public_key: PublicKey,
        name: String,
    },
    Admit(Arc<Admission>),
    Expel {
        device: Uuid,
    },
    Enrol(Arc<Certificate>),
    /// With the lines that came.
    Reconcile(Arc<Reconcile>),
    Approve {
        another: bool,
    },
    Dismiss,
    Acknowledge {
        flag: Option<FlagCode>,
    },
    Allot {
        device: Uuid,
        points: i64,
        spend_until: Instant,
    },
    Recall,
    AllotWriteOff,
    Return,
    Import(Arc<Import>),
    /// The library's own: its kind says it all.
    Own,
}

/// What was taken of a device's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Import {
    /// The first link that was new, and the last.
    pub(crate) first: i64,
    pub(crate) last: (i64, Hash),
    /// Of the links that were noted: when they occurred.
    pub(crate) occurred: Hash,
    /// What should be seen of it.
    pub(crate) flags: Vec<FlagCode>,
}

/// What the operation is done to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    Account(AccountId),
    Hold(HoldId),
    Batch(BatchId),
    Plan(PlanId),
    Operation(OperationId),
    /// What set a link aside.
    Link(OperationId),
    /// What is flagged.
    Flagged(OperationId),
    /// What set an allotment aside.
    Allotment(OperationId),
    File,
}

impl Subject {
    /// It may be done to the file itself: to no account.
    pub(crate) fn is_of_file(&self) -> bool {
        matches!(self, Subject::File | Subject::Link(_) | Subject::Flagged(_))
    }
}

/// A request of good shape.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    pub(crate) kind: OpKind,
    pub(crate) subject: Subject,
    pub(crate) key: Key,
    /// Books the operation at this instant: history being loaded.
    pub(crate) at: Option<Instant>,
    pub(crate) action: Action,
    /// The inputs in canonical form, without op, account and key.
    pub(crate) body: Body,
    /// What is wrong with its form, should it be new: one that was booked before stays as it is.
    pub(crate) unfit: Option<Box<Error>>,
    /// Whether it is asked for now, not read from the books.
    pub(crate) asked: bool,
    /// Of one read from the books: what was found out when it was booked.
    pub(crate) facts: Option<Facts>,
}

/// What stands in a body beside the inputs, and decides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Facts {
    /// What was taken of allotments.
    pub(crate) allotted: AllottedParts,
    /// The epoch of a device.
    pub(crate) epoch: Option<i64>,
}

impl Facts {
    fn take(kind: OpKind, fields: &mut Fields<'_>) -> Result<Self> {
        // What a device adds, it adds again.
        fields.take(BASE_AT);
        let mut facts = Facts::default();
        if matches!(kind, OpKind::Consume | OpKind::Hold | OpKind::Capture)
            && let Some(value) = fields.take(ALLOTTED)
        {
            facts.allotted = parts_of(value)?;
        }
        if kind == OpKind::Allot
            && let Some(value) = fields.take(EPOCH)
        {
            facts.epoch = Some(count(EPOCH, value, 1, MAX_EPOCH)?);
        }
        Ok(facts)
    }
}

impl Request {
    /// Whether its shape is right: what needs neither file nor clock. Every verb finds the same before it looks at the file.
    ///
    /// ```
    /// use counterfoil::Request;
    /// let line = Request::parse(r#"{"op":"consume","account":"alice","key":"task:1","points":-1}"#)?;
    /// assert_eq!(line.check().unwrap_err().code(), "invalid_argument");
    /// # Ok::<(), counterfoil::Error>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_argument`, `out_of_range`.
    pub fn check(&self) -> Result<()> {
        Command::parse(self).map(drop)
    }
}

impl Command {
    /// Checks a request's shape.
    pub(crate) fn parse(request: &Request) -> Result<Self> {
        Self::of(request).map_err(|error| misspelt(error, request))
    }

    fn of(request: &Request) -> Result<Self> {
        let mut fields = Fields::of(request);
        let op = fields.take_text("op")?.ok_or_else(|| missing("op", "name the operation, like \"op\":\"consume\""))?;
        let operation = OPERATIONS.iter().find(|operation| operation.name == op).ok_or_else(|| {
            let names = || OPERATIONS.iter().map(|operation| operation.name);
            let help = match nearest(op, names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("use one of {}", names().collect::<Vec<_>>().join(", ")),
            };
            Error::invalid("op", format!("there is no operation `{op}`"), help)
        })?;
        let subject = subject(operation, None, &mut fields)?;
        let key = fields.take_text("key")?.ok_or_else(|| missing("key", KEY.required.unwrap_or_default()))?;
        fields.judge_ends("key", key);
        Self::read(operation, subject, Key::new(key)?, fields)
    }

    /// The command a stored operation was booked from.
    pub(crate) fn stored(kind: OpKind, account: Option<AccountId>, key: Key, body: &Request) -> Result<Self> {
        let mut fields = Fields::of(body);
        match kind.described() {
            Some(operation) => {
                let subject = subject(operation, account, &mut fields)?;
                let facts = Some(Facts::take(kind, &mut fields)?);
                Ok(Command { unfit: None, asked: false, facts, ..Self::read(operation, subject, key, fields)? })
            }
            None if kind == OpKind::Reconcile => Err(Error::corrupt("a reconcile has lines")),
            None => Ok(Command { body: fields.finish(kind.as_str())?, ..Self::own(kind, key) }),
        }
    }

    /// What a device heard of its hub.
    pub(crate) fn reconcile(key: Key, told: Reconcile) -> Self {
        let (body, action) = (told.body(), Action::Reconcile(Arc::new(told)));
        Command { body, action, ..Self::own(OpKind::Reconcile, key) }
    }

    /// On a device: gives back an allotment that its hub has recalled.
    pub(crate) fn give_back(key: Key, allotment: OperationId) -> Self {
        let (kind, subject, action) = (OpKind::Return, Subject::Allotment(allotment), Action::Return);
        let mut body = Body::default();
        body.add("allotment", allotment.to_string().into());
        Command { kind, subject, action, body, ..Self::own(kind, key) }
    }

    /// What the library books of its own accord: a restore, or the reading of an expiry sweep.
    pub(crate) fn own(kind: OpKind, key: Key) -> Self {
        Command {
            kind,
            subject: Subject::File,
            key,
            at: None,
            action: Action::Own,
            body: Body::default(),
            unfit: None,
            asked: false,
            facts: None,
        }
    }

    fn read(operation: &Operation, subject: Subject, key: Key, mut fields: Fields<'_>) -> Result<Self> {
        fields.read(FACTS)?;
        fields.read(operation.fields)?;
        let action = action(operation.kind, &fields)?;
        if let (Subject::Account(account), Action::Transfer { to, .. }) = (&subject, &action)
            && account == to
        {
            return Err(Error::invalid("to", "is the paying account itself", "name another account"));
        }
        let (at, unfit) = (fields.instant("at"), fields.unfit());
        Ok(Command {
            kind: operation.kind,
            subject,
            key,
            at,
            action,
            body: fields.finish(operation.name)?,
            unfit,
            asked: true,
            facts: None,
        })
    }

    /// The names of the inputs in which a repeated request differs from the first.
    pub(crate) fn differs_from(&self, first: &Request) -> Vec<String> {
        let by_book = self.kind == OpKind::Hold
            && is_by_book(|name| self.body.get(name).is_some())
            && is_by_book(|name| first.get(name).is_some());
        let compared = |name: &str| match name {
            "at" | "actor" | "description" | "metadata" | "price_book" | BASE_AT | ALLOTTED => false,
            EPOCH => self.kind != OpKind::Allot,
            "points" => !by_book,
            _ => true,
        };
        let names = self.body.names().chain(first.fields().map(|(name, _)| name));
        let mut names: Vec<&str> = names.filter(|name| compared(name)).collect();
        names.sort_unstable();
        names.dedup();
        names.retain(|name| self.body.get(name) != first.get(name));
        let mut names: Vec<String> = names.into_iter().map(String::from).collect();
        // What one of them leaves out is no difference.
        if let (Some(now), Some(then)) = (self.body.metadata(), first.metadata())
            && !now.says_the_same(then)
        {
            names.push("metadata".into());
        }
        names
    }
}

/// Whether a price book says the points of a hold: it carries a quote, or names no points. They are no input then: after a
/// change of prices the same job is another number of points.
fn is_by_book(has: impl Fn(&str) -> bool) -> bool {
    let quote = ["price_book", "seconds", "quantity", "chars", "input_seconds"];
    has("service") && (!has("points") || quote.into_iter().any(has))
}

/// What it is done to; `known` is the account of a stored operation.
fn subject(operation: &Operation, known: Option<AccountId>, fields: &mut Fields<'_>) -> Result<Subject> {
    let Some(field) = operation.target else { return Ok(Subject::File) };
    let absent = || missing(field.name, field.required.unwrap_or_default());
    match (field.name, known) {
        ("hold", _) => target(field.name, fields, absent).map(Subject::Hold),
        ("batch", _) => target(field.name, fields, absent).map(Subject::Batch),
        ("plan", _) => target(field.name, fields, absent).map(Subject::Plan),
        ("operation", _) => target(field.name, fields, absent).map(Subject::Operation),
        ("link", _) => target(field.name, fields, absent).map(Subject::Link),
        ("flagged", _) => target(field.name, fields, absent).map(Subject::Flagged),
        ("allotment", _) => target(field.name, fields, absent).map(Subject::Allotment),
        (_, Some(account)) => Ok(Subject::Account(account)),
        (name, None) => AccountId::new(fields.take_text(name)?.ok_or_else(absent)?).map(Subject::Account),
    }
}

fn target<T: FromStr<Err = Error> + ToString>(
    name: &'static str,
    fields: &mut Fields<'_>,
    absent: impl FnOnce() -> Error,
) -> Result<T> {
    match fields.take(name).ok_or_else(absent)? {
        Value::String(text) => {
            let id: T = text.parse()?;
            fields.keep(name, id.to_string());
            Ok(id)
        }
        other => Err(Error::invalid(
            name,
            format!("{other} is not an id"),
            "give the id from the receipt; {\"ref_line\":n} works only within one batch run",
        )),
    }
}

/// The typed action of fields that are each of good shape: what is left to judge is how they fit together.
fn action(kind: OpKind, fields: &Fields<'_>) -> Result<Action> {
    // The table demands it, or gives its default.
    let number = |name, fields: &Fields<'_>| fields.number(name).ok_or_else(|| missing(name, ""));
    Ok(match kind {
        OpKind::Open => Action::Open { credit_limit: fields.number("credit_limit").unwrap_or(0) },
        OpKind::SetLimit => Action::SetLimit { credit_limit: number("credit_limit", fields)? },
        OpKind::Recharge => Action::Recharge {
            points: number("points", fields)?,
            source: fields.text("source").unwrap_or_default().to_string(),
            expiry: expiry(fields)?,
            effective_at: fields.instant("effective_at"),
            priority: fields.number("priority").unwrap_or(DEFAULT_PRIORITY),
            promo: fields.flag("promo"),
            rollover: rollover(fields)?,
        },
        OpKind::Plan => Action::Plan(Arc::new(terms(fields)?)),
        OpKind::Stop => Action::Stop,
        OpKind::Consume => {
            let (points, service, usage) = priced(fields, true)?;
            let policy = match fields.text("policy") {
                Some("strict") => Policy::Strict,
                Some("up_to") => Policy::UpTo,
                _ => Policy::Postpaid,
            };
            Action::Consume { points, service, usage, policy, occurred_at: fields.instant("occurred_at") }
        }
        OpKind::Hold => {
            let (points, service, usage) = priced(fields, false)?;
            let price_book = quoted_by(fields, service.is_some())?;
            Action::Hold { points, service, usage, price_book, deadline: number("deadline_seconds", fields)? }
        }
        OpKind::Capture => {
            Action::Capture { amount: capture(fields)?, capped: fields.text("cap").map(|cap| cap == "held") }
        }
        OpKind::Release => Action::Release,
        OpKind::Renew => Action::Renew { deadline: number("deadline_seconds", fields)? },
        OpKind::Refund => Action::Refund { amount: amount(fields) },
        OpKind::Revoke => Action::Revoke {
            amount: amount(fields),
            shortfall: if fields.text("shortfall") == Some("clamp") { Shortfall::Clamp } else { Shortfall::Debt },
        },
        OpKind::SetExpiry => Action::SetExpiry {
            expiry: expiry(fields)?.ok_or_else(|| {
                missing("expires_at", "give expires_at, expires_in_hours, expires_in_days or expires_in_months")
            })?,
        },
        OpKind::Transfer => Action::Transfer {
            to: AccountId::new(fields.text("to").unwrap_or_default())?,
            points: number("points", fields)?,
        },
        OpKind::WriteOff => Action::WriteOff { points: number("points", fields)? },
        OpKind::Freeze => Action::Freeze,
        OpKind::Unfreeze => Action::Unfreeze,
        OpKind::Close => Action::Close,
        OpKind::Configure => Action::Configure(setting(fields)?),
        OpKind::ConfirmClock => Action::ConfirmClock,
        _ => between_files(kind, fields)?,
    })
}

/// The same of what hubs and devices are about, and of what the library books of its own accord.
fn between_files(kind: OpKind, fields: &Fields<'_>) -> Result<Action> {
    let number = |name| fields.number(name).ok_or_else(|| missing(name, ""));
    Ok(match kind {
        OpKind::BecomeHub => Action::BecomeHub { public_key: public_key("public_key", fields)?, name: name(fields) },
        OpKind::Admit => Action::Admit(Arc::new(admission(fields)?)),
        OpKind::Expel => Action::Expel { device: device(fields)? },
        OpKind::Enrol => Action::Enrol(Arc::new(certificate(fields)?)),
        OpKind::Approve => Action::Approve { another: fields.flag("another").unwrap_or(false) },
        OpKind::Dismiss => Action::Dismiss,
        OpKind::Acknowledge => Action::Acknowledge { flag: fields.text("flag").and_then(FlagCode::from_text) },
        OpKind::Allot => Action::Allot {
            device: device(fields)?,
            points: number("points")?,
            spend_until: fields.instant("spend_until").ok_or_else(|| missing("spend_until", ""))?,
        },
        OpKind::Recall => Action::Recall,
        OpKind::AllotWriteOff => Action::AllotWriteOff,
        OpKind::Return => Action::Return,
        OpKind::Import => Action::Import(Arc::new(import(fields)?)),
        _ => Action::Own,
    })
}

fn terms(fields: &Fields<'_>) -> Result<Terms> {
    let number = |name| fields.number(name);
    let mut given = ["every_days", "every_weeks", "every_months"].into_iter().filter(|name| fields.has(name));
    if let (Some(first), Some(second)) = (given.next(), given.next()) {
        return Err(given_beside(second, first, "give one length of a period"));
    }
    let every = match (number("every_days"), number("every_weeks"), number("every_months")) {
        (Some(days), ..) => Every::Days(days),
        (_, Some(weeks), _) => Every::Weeks(weeks),
        (.., Some(months)) => Every::Months(months),
        _ => return Err(missing("every_months", "say how long a period is: every_days, every_weeks or every_months")),
    };
    Ok(Terms {
        points: number("points").ok_or_else(|| missing("points", ""))?,
        source: fields.text("source").unwrap_or_default().to_string(),
        every,
        anchor: fields.instant("anchor"),
        offset: number("offset").and_then(|seconds| i32::try_from(seconds).ok()).unwrap_or(0),
        count: number("count"),
        expiry: expiry(fields)?,
        priority: number("priority").unwrap_or(DEFAULT_PRIORITY),
        promo: fields.flag("promo"),
        rollover: rollover(fields)?,
    })
}

fn amount(fields: &Fields<'_>) -> Amount {
    fields.number("points").map_or(Amount::All, Amount::Points)
}

fn rollover(fields: &Fields<'_>) -> Result<Option<Rolling>> {
    let rolling = fields.raw("rollover").map(Rolling::of).transpose().map_err(|error| error.within("rollover"))?;
    if rolling.is_some() && fields.text("expires_at") == Some("never") {
        let help = "give them an end, or leave the rollover out";
        return Err(Error::invalid("rollover", "is given for points that never expire", help));
    }
    Ok(rolling)
}

/// Points, a service that is priced or labels them, and a usage.
fn priced(fields: &Fields<'_>, done: bool) -> Result<(Option<i64>, Option<String>, Option<Usage>)> {
    let points = fields.number("points");
    let service = fields.text("service").map(String::from);
    let usage = usage(fields, done)?;
    match (points, &service) {
        (None, None) => Err(missing("points", "give points, or a service the price book knows")),
        (Some(_), None) if usage.is_some() => {
            Err(Error::invalid("service", "is missing beside a usage", "name the service, or leave the usage out"))
        }
        _ => Ok((points, service, usage)),
    }
}

/// What was used, or is to be.
fn usage(fields: &Fields<'_>, done: bool) -> Result<Option<Usage>> {
    if done && fields.has("input_seconds") {
        return Err(Error::invalid(
            "input_seconds",
            "are what is known before the work: for estimate and hold",
            "give what was used: seconds, characters, or a quantity",
        ));
    }
    fields.usage()
}

/// The hash of the price book a quote names.
fn quoted_by(fields: &Fields<'_>, service: bool) -> Result<Option<Hash>> {
    let hash = fields.text("price_book").and_then(|text| text.parse().ok());
    if hash.is_some() && !service {
        return Err(Error::invalid("service", "is missing beside a price book", "name the service that was quoted"));
    }
    Ok(hash)
}

fn capture(fields: &Fields<'_>) -> Result<CaptureAmount> {
    match (fields.number("points"), usage(fields, true)?) {
        (Some(_), Some(_)) => Err(Error::invalid("points", "are given beside a usage", "give one of them")),
        (None, None) => Ok(CaptureAmount::Held),
        (Some(points), None) => Ok(CaptureAmount::Points(points)),
        (None, Some(usage)) => Ok(CaptureAmount::Usage(usage)),
    }
}

fn public_key(name: &'static str, fields: &Fields<'_>) -> Result<PublicKey> {
    fields.text(name).ok_or_else(|| missing(name, ""))?.parse()
}

fn name(fields: &Fields<'_>) -> String {
    fields.text("name").unwrap_or_default().to_string()
}

fn device(fields: &Fields<'_>) -> Result<Uuid> {
    fields.uuid("device").ok_or_else(|| missing("device", ""))
}

fn import(fields: &Fields<'_>) -> Result<Import> {
    let number = |name| fields.number(name).ok_or_else(|| missing(name, ""));
    let hash = |name| fields.text(name).ok_or_else(|| missing(name, ""))?.parse();
    Ok(Import {
        first: number("first")?,
        last: (number("last")?, hash("last_hash")?),
        occurred: hash("occurred")?,
        flags: words("flags", fields).into_iter().filter_map(FlagCode::from_text).collect(),
    })
}

/// Words of a list, or the only one.
fn words<'v>(name: &str, fields: &Fields<'v>) -> Vec<&'v str> {
    match fields.raw(name) {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        one => one.and_then(Value::as_str).into_iter().collect(),
    }
}

fn admission(fields: &Fields<'_>) -> Result<Admission> {
    Ok(Admission {
        device: device(fields)?,
        public_key: public_key("public_key", fields)?,
        name: name(fields),
        renew: fields.flag("renew").unwrap_or(false),
        policy: device_policy(fields)?,
    })
}

fn certificate(fields: &Fields<'_>) -> Result<Certificate> {
    let number = |name| fields.number(name).ok_or_else(|| missing(name, ""));
    Ok(Certificate {
        device: device(fields)?,
        hub: fields.uuid("hub").ok_or_else(|| missing("hub", ""))?,
        hub_key: public_key("hub_key", fields)?,
        public_key: public_key("public_key", fields)?,
        name: name(fields),
        policy: device_policy(fields)?,
        accounts: fields.text("accounts").and_then(AccountsOpen::from_text).unwrap_or(AccountsOpen::FirstUse),
        late_window: number("late_window")?,
        max_hold: number("max_hold")?,
        max_clock_jump: number("max_clock_jump")?,
    })
}

fn device_policy(fields: &Fields<'_>) -> Result<DevicePolicy> {
    let points = |name: &str| fields.number(name).map(Points::booked).transpose();
    let default = DevicePolicy::default();
    let rights = words("rights", fields);
    let policy = DevicePolicy {
        rights: Right::ALL.iter().copied().filter(|right| rights.contains(&right.as_str())).collect(),
        max_recharge: points("max_recharge")?,
        max_recharge_per_day: points("max_recharge_per_day")?,
        scope: fields.text("scope").and_then(Scope::from_text).unwrap_or(default.scope),
        offline: fields.text("offline").and_then(Offline::from_text).unwrap_or(default.offline),
        max_offline: fields.number("max_offline"),
        when_expelled: fields.text("when_expelled").and_then(WhenExpelled::from_text).unwrap_or(default.when_expelled),
        prices: fields.text("prices").and_then(|text| text.parse().ok()),
    };
    let bound = ["max_recharge", "max_recharge_per_day"].into_iter().find(|name| fields.has(name));
    match bound.filter(|_| !policy.rights.contains(&Right::Recharge)) {
        Some(name) => {
            Err(Error::invalid(name, "is given without the right to recharge", "add the right, or leave it out"))
        }
        None => Ok(policy),
    }
}

/// What keys begin with.
fn beginnings(value: Option<&Value>) -> Result<Vec<Key>> {
    let given: &[Value] = match value {
        Some(Value::Array(given)) if given.len() <= MOST_GLOBAL_KEYS => given,
        Some(one @ Value::String(_)) => std::slice::from_ref(one),
        _ => {
            let message = format!("is no list of at most {MOST_GLOBAL_KEYS} beginnings of keys");
            return Err(Error::invalid(
                "value",
                message,
                "give a list of texts, like [\"order:\"]; an empty one, [], for none",
            ));
        }
    };
    given.iter().map(|one| Key::new(text("value", one)?)).collect()
}

fn setting(fields: &Fields<'_>) -> Result<Setting> {
    let value = fields.raw("value");
    let seconds = |least| match value {
        Some(value) => count("value", value, least, MAX_SETTING_SECONDS),
        None => Err(missing("value", "give whole seconds")),
    };
    Ok(match fields.text("setting").unwrap_or_default() {
        "late_window" => Setting::LateWindow(seconds(0)?),
        "max_hold" => Setting::MaxHold(seconds(1)?),
        "max_clock_jump" => Setting::MaxClockJump(seconds(1)?),
        "clock_patience" => Setting::ClockPatience(seconds(1)?),
        "global_keys" => Setting::GlobalKeys(beginnings(value)?),
        _ => match value.map(|value| text("value", value)).transpose()? {
            Some("first_use") => Setting::ExplicitAccounts(false),
            Some("explicit") => Setting::ExplicitAccounts(true),
            _ => return Err(Error::invalid("value", "is neither first_use nor explicit", "use first_use or explicit")),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stored body that names another account or key than its row would have been replayed, and verified, by the row's.
    #[test]
    fn a_stored_body_says_nothing_twice() {
        let stored = |body: &str| {
            let (alice, key) = (AccountId::new("alice").unwrap(), Key::new("1").unwrap());
            Command::stored(OpKind::Consume, Some(alice), key, &serde_json::from_str(body).unwrap())
        };
        assert!(stored(r#"{"points":1}"#).is_ok());
        for body in [r#"{"op":"hold","points":1}"#, r#"{"account":"bob","points":1}"#, r#"{"key":"2","points":1}"#] {
            assert_eq!(stored(body).unwrap_err().code(), "invalid_argument", "{body}");
        }
    }
}
