//! A question: one JSON object, the same for `ask`, language bindings and programs behind a pipe. The table of all
//! questions with their fields, from which the reader follows.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fields::{Fields, given_beside, missing};
use super::operations::{Field, FieldKind, field};
use super::{AccountId, AccountState, Calendar, EntryKind, Key, OperationId, Page, Period, Request};
use crate::error::{Error, Result};
use crate::quantity::Usage;
use crate::spelling::nearest;
use crate::units::{Instant, Points};

const MAX_LIMIT: i64 = 1_000_000;

/// One kind of question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct QuestionKind {
    /// Its name: the value of the field `get`.
    pub name: &'static str,
    /// What it asks, in a line.
    pub help: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
}

const ONE_ACCOUNT: Field = field("account", FieldKind::Name, "Only this account");
const ACCOUNT: Field = field("account", FieldKind::Name, "The account").required("name the account");
const OPERATION: Field = field("operation", FieldKind::Any, "The operation: its number, its id or its key");
const WHOSE: Field = field("account", FieldKind::Name, "Whose it is, where several may be meant");
const SERVICE: Field = field("service", FieldKind::Name, "The service").required("name the service");
const SECONDS: Field = field("seconds", FieldKind::Quantity, "Seconds used");
const QUANTITY: Field = field("quantity", FieldKind::Quantity, "How much is used, in `unit`");
const UNIT: Field = field("unit", FieldKind::Name, "What `quantity` counts");
const CHARS: Field = field("chars", FieldKind::Chars, "Whole characters");
const INPUT_SECONDS: Field = field("input_seconds", FieldKind::Quantity, "Seconds of the input, for an estimate");
const ALL: Field = field("all", FieldKind::Flag, "Also what is spent, expired, resolved or ended").default("false");
const FROM: Field = field("from", FieldKind::Instant, "Booked at or after this instant");
const TO: Field = field("to", FieldKind::Instant, "Booked before this instant");
const LIMIT: Field = field("limit", FieldKind::Count(1, MAX_LIMIT), "At most so many items a page").default("100");
const AFTER: Field = field("after", FieldKind::Any, "The `next` of the page before");

const fn kind(name: &'static str, help: &'static str, fields: &'static [Field]) -> QuestionKind {
    QuestionKind { name, help, fields }
}

/// Every question there is.
pub static QUESTIONS: &[QuestionKind] = &[
    kind(
        "balance",
        "An account's balances, now or at an instant",
        &[ACCOUNT, field("at", FieldKind::Instant, "At this instant, past or future; left out, now")],
    ),
    kind(
        "check",
        "Whether the account could pay so many points",
        &[ACCOUNT, field("points", FieldKind::Points(0), "Points to pay").required("give a whole number of points")],
    ),
    kind("price", "What a usage of a service costs", &[SERVICE, SECONDS, QUANTITY, UNIT, CHARS, INPUT_SECONDS]),
    kind("estimate", "What it can cost at most", &[SERVICE, SECONDS, QUANTITY, UNIT, CHARS, INPUT_SECONDS]),
    kind("batches", "An account's batches: those pending or live, or all", &[ACCOUNT, ALL, LIMIT, AFTER]),
    kind("holds", "An account's holds: those open, or all", &[ACCOUNT, ALL, LIMIT, AFTER]),
    kind("plans", "An account's plans: those with periods to come, or all", &[ACCOUNT, ALL, LIMIT, AFTER]),
    kind(
        "history",
        "The lines of an account's books, or those that operations wrote in any",
        &[
            field("account", FieldKind::Name, "The account; left out, all, without what time alone did"),
            field("kind", FieldKind::Choices(EntryKind::TEXTS), "Only lines of these kinds"),
            field("operation", FieldKind::Any, "Only what this operation did: its number, its id or its key"),
            field("service", FieldKind::Any, "Only lines that charge or hold for this service"),
            field("reference", FieldKind::Any, "Only lines with this reference"),
            field("source", FieldKind::Any, "Only recharges from this source, and what time did to them"),
            field("description", FieldKind::Any, "Only lines whose description contains this text"),
            FROM,
            TO,
            field("newest_first", FieldKind::Flag, "The newest first").default("false"),
            LIMIT,
            AFTER,
        ],
    ),
    kind(
        "overview",
        "Balance, open batches, holds and plans, and the newest lines, all of one instant",
        &[ACCOUNT, LIMIT],
    ),
    kind(
        "expiring",
        "Batches with points left that expire by an instant, soonest first",
        &[field("before", FieldKind::Instant, "By this instant").required("say until when"), ONE_ACCOUNT],
    ),
    kind(
        "accounts",
        "Accounts with their balances, in order of opening",
        &[
            ONE_ACCOUNT,
            field("in_debt", FieldKind::Flag, "Only accounts in debt").default("false"),
            field("state", FieldKind::Choices(AccountState::TEXTS), "Only accounts in these states"),
            field("expiring", FieldKind::Instant, "Only accounts with points left that expire by this instant"),
            field("matching", FieldKind::Any, "Only ids that fit: `*` is any text, `?` any one character"),
            LIMIT,
            AFTER,
        ],
    ),
    kind(
        "usage",
        "What was charged for which service, and how much of it was counted",
        &[
            ONE_ACCOUNT,
            field("service", FieldKind::Any, "Only this service"),
            field("by", FieldKind::Choice(&["day", "month"]), "By day or month of booking"),
            field("offset", FieldKind::Any, "The calendar's UTC offset; of a zone with its changes").default("+00:00"),
            field("per_account", FieldKind::Flag, "Each account by itself").default("false"),
            FROM,
            TO,
            LIMIT,
            AFTER,
        ],
    ),
    kind("statement", "What an account began with, every line, and what it ended with", &[ACCOUNT, FROM, TO]),
    kind(
        "missing",
        "Where an account's points went",
        &[
            ACCOUNT,
            FROM,
            TO,
            field(
                "limit",
                FieldKind::Count(1, MAX_LIMIT),
                "Of each cause the newest so many lines; earlier ones together",
            )
            .default("1000"),
        ],
    ),
    kind(
        "explain",
        "Everything that explains an operation, or a batch's life",
        &[
            OPERATION,
            field("batch", FieldKind::Any, "The batch, in place of an operation: its number, its id or its key"),
            WHOSE,
        ],
    ),
    kind(
        "operation",
        "An operation with all that is known of it, and the batches that pay for it by now",
        &[OPERATION.required("give the id from the receipt, its number or its key"), WHOSE],
    ),
    kind(
        "find",
        "The operations of all accounts that carry a name, oldest first",
        &[
            field("text", FieldKind::Any, "Those that have this as their number, id, key or reference"),
            field("key", FieldKind::Name, "Those booked under this key"),
            field("reference", FieldKind::Any, "Those with this reference"),
            field("sequence", FieldKind::Count(1, i64::MAX), "The one with this number in the log"),
            LIMIT,
            AFTER,
        ],
    ),
    kind("info", "What the file says of itself", &[]),
    kind("sync", "How the file stands with its hub, or with its devices", &[]),
    kind("devices", "The devices of this hub, in the order in which they were admitted", &[LIMIT, AFTER]),
    kind(
        "staged",
        "What devices did and this hub set aside: what waits for somebody to look at it, or all",
        &[field("all", FieldKind::Flag, "Also what was approved or dismissed").default("false"), LIMIT, AFTER],
    ),
    kind(
        "flags",
        "What an operator should see of what devices did: what nobody has acknowledged, or all",
        &[field("all", FieldKind::Flag, "Also what was acknowledged").default("false"), LIMIT, AFTER],
    ),
    kind(
        "allotments",
        "What is set aside for devices: what they have not spent, or all",
        &[
            ONE_ACCOUNT,
            field("all", FieldKind::Flag, "Also what is spent or given back").default("false"),
            LIMIT,
            AFTER,
        ],
    ),
    kind("clock", "How the clock stands to the times in the file", &[]),
    kind(
        "verify",
        "The proof that the file is what its operations make of it",
        &[field("quick", FieldKind::Flag, "Only a bounded check").default("false")],
    ),
];

/// One question as data: a JSON object with `get` and the fields of that question. [`Ledger::ask`](crate::Ledger::ask)
/// answers it; a program that is written in Rust calls the handle's verbs, which are the same.
///
/// Unknown and repeated fields are refused.
///
/// ```
/// use counterfoil::Question;
/// let question = Question::parse(r#"{"get":"history","account":"alice","kind":["consume","capture"],"limit":20}"#)?;
/// assert_eq!(question.get(), Some("history"));
/// let error = Question::parse(r#"{"get":"balance","acount":"alice"}"#).unwrap_err();
/// assert_eq!((error.code(), error.help().as_str()), ("invalid_argument", "did you mean `account`?"));
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Question(Request);

impl Question {
    /// Reads one JSON object, and judges it.
    ///
    /// # Errors
    /// `invalid_argument` when the text is not one JSON object, `get` is no question, or a field is not one of its own,
    /// is missing, is given twice or holds what it cannot; `out_of_range`.
    pub fn parse(text: &str) -> Result<Self> {
        let fields = serde_json::from_str(text).map_err(|error| {
            let help = "write one question per line, like {\"get\":\"balance\",\"account\":\"alice\"}";
            Error::invalid("question", format!("not one JSON object: {error}"), help)
        })?;
        let question = Question(fields);
        question.asked().map(|_| question)
    }

    /// The question of this name, without its fields. Judged when it is asked.
    #[must_use]
    pub fn new(get: impl Into<Cow<'static, str>>) -> Self {
        Question(Request::default().with("get", get.into().into_owned()))
    }

    /// The same question with one field set (or, with `null`, left out).
    #[must_use]
    pub fn with(self, field: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        Question(self.0.with(field, value))
    }

    /// The kind of question.
    #[must_use]
    pub fn get(&self) -> Option<&str> {
        self.0.get("get").and_then(Value::as_str)
    }

    /// What is asked, once every field has been judged.
    pub(crate) fn asked(&self) -> Result<Asked> {
        let get = self.0.get("get").ok_or_else(|| missing("get", "say what is asked, like \"balance\""))?;
        let name = get.as_str().unwrap_or_default();
        let fields = self.0.fields().filter(|(name, _)| *name != "get");
        let mut given = Given::new(kind_of(name).ok_or_else(|| no_question(get))?, fields)?;
        Asked::read(&mut given)
    }
}

impl<'de> Deserialize<'de> for Question {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Request::deserialize(deserializer).map(Question)
    }
}

fn kind_of(name: &str) -> Option<&'static QuestionKind> {
    QUESTIONS.iter().find(|kind| kind.name == name)
}

fn no_question(get: &Value) -> Error {
    let names = QUESTIONS.iter().map(|kind| kind.name);
    let near = get.as_str().and_then(|name| nearest(name, names.clone()));
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("use one of {}", names.collect::<Vec<_>>().join(", ")),
    };
    Error::invalid("get", format!("there is no question {get}"), help)
}

/// Which part of a list to give, for the verbs that give lists. Values are judged when it is used, and so is whether
/// the list knows the field: `batches` have no `service`.
///
/// A page may hold fewer items than its limit, or none, and still have a `next`: ten thousand items that do not fit end
/// it too. [`Query::each`] follows the pages.
///
/// ```
/// use counterfoil::{EntryKind, Query};
/// let query = Query::new().kind(EntryKind::Consume).service("tts").newest_first(true).limit(20);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(Vec<(&'static str, Value)>);

impl Query {
    /// All items, 100 a page; of batches and holds those pending, live or open.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn set(mut self, field: &'static str, value: impl Into<Value>) -> Self {
        self.0.retain(|(name, _)| *name != field);
        self.0.push((field, value.into()));
        self
    }

    fn add(self, field: &'static str, word: &str) -> Self {
        let before = self.0.iter().find(|(name, _)| *name == field).and_then(|(_, value)| value.as_array());
        let words = before.into_iter().flatten().cloned().chain([word.into()]).collect::<Vec<Value>>();
        self.set(field, words)
    }

    /// Of accounts and usage: only this account.
    #[must_use]
    pub fn account(self, account: &AccountId) -> Self {
        self.set("account", account.as_str())
    }

    /// Of batches and holds: also what is spent, expired or resolved.
    #[must_use]
    pub fn all(self, all: bool) -> Self {
        self.set("all", all)
    }

    /// Of a history: only entries of this kind (several: any of them).
    #[must_use]
    pub fn kind(self, kind: impl AsRef<str>) -> Self {
        self.add("kind", kind.as_ref())
    }

    /// Of a history: only what this operation did, and what followed from it at once.
    #[must_use]
    pub fn operation(self, operation: OperationId) -> Self {
        self.set("operation", operation.to_string())
    }

    /// Of a history: only entries that charge or hold for this service. Of usage: only this service.
    #[must_use]
    pub fn service(self, service: impl Into<String>) -> Self {
        self.set("service", service.into())
    }

    /// Of a history: only entries with this reference. Of what is found: only what has it.
    #[must_use]
    pub fn reference(self, reference: impl Into<String>) -> Self {
        self.set("reference", reference.into())
    }

    /// Of what is found: what has this text as its number, id, key or reference.
    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Self {
        self.set("text", text.into())
    }

    /// Of a history: only recharges from this source, and what time did to them: made them effective, let them expire.
    #[must_use]
    pub fn source(self, source: impl Into<String>) -> Self {
        self.set("source", source.into())
    }

    /// Of a history: only entries whose description contains this text, in capitals or not.
    #[must_use]
    pub fn description(self, part: impl Into<String>) -> Self {
        self.set("description", part.into())
    }

    /// Of a history or usage: only what was booked within this period.
    #[must_use]
    pub fn within(self, period: Period) -> Self {
        let (from, to) = period.milliseconds();
        self.set("from", from.map(|at| at.to_string())).set("to", to.map(|at| at.to_string()))
    }

    /// Of a history: the newest first.
    #[must_use]
    pub fn newest_first(self, newest_first: bool) -> Self {
        self.set("newest_first", newest_first)
    }

    /// Of accounts: only those in debt.
    #[must_use]
    pub fn in_debt(self, in_debt: bool) -> Self {
        self.set("in_debt", in_debt)
    }

    /// Of accounts: only those in this state (several: any of them).
    #[must_use]
    pub fn state(self, state: impl AsRef<str>) -> Self {
        self.add("state", state.as_ref())
    }

    /// Of accounts: only those with points left that expire at or before an instant, as in
    /// [`Ledger::expiring`](crate::Ledger::expiring).
    #[must_use]
    pub fn expiring(self, before: DateTime<Utc>) -> Self {
        self.set("expiring", before.to_rfc3339_opts(SecondsFormat::Millis, true))
    }

    /// Of accounts: only those whose whole id fits a pattern: `*` stands for any text, `?` for any one character.
    #[must_use]
    pub fn matching(self, pattern: impl Into<String>) -> Self {
        self.set("matching", pattern.into())
    }

    /// Of usage: each account by itself, in order of opening. The account that brings a page to its limit ends it;
    /// without this there is one page, whatever its length.
    #[must_use]
    pub fn per_account(self, per_account: bool) -> Self {
        self.set("per_account", per_account)
    }

    /// Of usage: by day of booking, as this calendar has it: that of an offset from UTC, or of a zone.
    #[must_use]
    pub fn by_day(self, calendar: impl Into<Calendar>) -> Self {
        self.set("by", "day").set("offset", calendar.into().to_string())
    }

    /// Of usage: by month of booking, as this calendar has it: that of an offset from UTC, or of a zone.
    #[must_use]
    pub fn by_month(self, calendar: impl Into<Calendar>) -> Self {
        self.set("by", "month").set("offset", calendar.into().to_string())
    }

    /// At most so many items a page: 1 to 1 000 000, to which it is brought.
    #[must_use]
    pub fn limit(self, limit: usize) -> Self {
        self.set("limit", i64::try_from(limit).unwrap_or(MAX_LIMIT).clamp(1, MAX_LIMIT))
    }

    /// Begin after the page whose `next` this is.
    #[must_use]
    pub fn after(self, cursor: impl Into<String>) -> Self {
        self.set("after", cursor.into())
    }

    /// The same as data: the question of this name with these fields.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let alice = AccountId::new("alice")?;
    /// let question = Query::new().limit(20).question("history").with("account", alice.as_str());
    /// assert_eq!(serde_json::to_string(&question)?, r#"{"get":"history","limit":20,"account":"alice"}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn question(self, get: impl Into<Cow<'static, str>>) -> Question {
        self.0.into_iter().fold(Question::new(get), |question, (field, value)| question.with(field, value))
    }

    /// Every item of a list, page after page. After an error nothing more comes.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// for entry in Query::new().limit(500).each(|query| ledger.history(&alice, query)) {
    ///     println!("{}", entry?.kind);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn each<T>(self, mut page: impl FnMut(&Query) -> Result<Page<T>>) -> impl Iterator<Item = Result<T>> {
        let (mut query, mut items) = (Some(self), Vec::new().into_iter());
        std::iter::from_fn(move || {
            loop {
                if let Some(item) = items.next() {
                    return Some(Ok(item));
                }
                let asked = query.take()?;
                match page(&asked) {
                    Ok(found) => {
                        query = found.next.map(|next| asked.after(next));
                        items = found.items.into_iter();
                    }
                    Err(error) => return Some(Err(error)),
                }
            }
        })
    }

    /// The fields, judged as those of this question; the account the verb is about is none of them.
    pub(crate) fn filter(&self, get: &str) -> Result<Filter> {
        let kind = kind_of(get).ok_or_else(|| no_question(&get.into()))?;
        let mut given = Given::new(kind, self.0.iter().map(|(name, value)| (*name, value)))?;
        // A history's verb is about one account, or about all.
        let named = |field: &&Field| (field.required.is_some() || get == "history") && given.fields.has("account");
        match given.field("account").filter(named) {
            Some(_) => Err(Error::invalid("account", "is given twice", "leave it out of the query")),
            None => given.filter(),
        }
    }
}

/// What a [`Query`] comes to.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    pub(crate) account: Option<AccountId>,
    pub(crate) all: bool,
    pub(crate) kinds: Vec<EntryKind>,
    /// As it is named.
    pub(crate) operation: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) reference: Option<String>,
    pub(crate) source: Option<String>,
    /// In small letters.
    pub(crate) description: Option<String>,
    pub(crate) period: Period,
    pub(crate) newest_first: bool,
    pub(crate) in_debt: bool,
    pub(crate) states: Vec<AccountState>,
    pub(crate) expiring: Option<Instant>,
    pub(crate) pattern: Option<Vec<char>>,
    pub(crate) per_account: bool,
    /// How the calendar writes a day or month, and where.
    pub(crate) calendar: Option<(&'static str, Calendar)>,
    limit: Option<usize>,
    pub(crate) after: Option<String>,
}

impl Filter {
    pub(crate) fn size(&self) -> usize {
        self.limit.unwrap_or(100)
    }
}

/// What operations are found by.
#[derive(Debug)]
pub(crate) enum Sought {
    /// Any of the others, or an id.
    Text(String),
    Key(Key),
    Reference(String),
    Sequence(i64),
}

/// A question whose fields have all been judged.
#[derive(Debug)]
pub(crate) enum Asked {
    Balance(AccountId, Option<Instant>),
    Check(AccountId, Points),
    Price(String, Option<Usage>),
    Estimate(String, Option<Usage>),
    Batches(AccountId, Filter),
    Holds(AccountId, Filter),
    Plans(AccountId, Filter),
    History(Option<AccountId>, Filter),
    Overview(AccountId, Filter),
    Expiring(Instant, Option<AccountId>),
    Accounts(Filter),
    Usage(Filter),
    Statement(AccountId, Period),
    Missing(AccountId, Period, usize),
    Explain(String, Option<AccountId>),
    Life(String, Option<AccountId>),
    Operation(String, Option<AccountId>),
    Find(Sought, Filter),
    Info,
    Sync,
    Devices(Filter),
    Staged(Filter),
    Flags(Filter),
    Allotments(Filter),
    Clock,
    Verify { quick: bool },
}

impl Asked {
    fn read(given: &mut Given<'_>) -> Result<Asked> {
        let name = given.kind.name;
        Ok(match name {
            "balance" => Asked::Balance(given.account()?, given.instant("at")),
            "check" => {
                let points = given.fields.number("points");
                Asked::Check(given.account()?, Points::new(given.needed("points", points)?)?)
            }
            "price" | "estimate" => {
                let service = given.text("service");
                let service = given.needed("service", service)?;
                let usage = given.fields.usage()?;
                if name == "price" { Asked::Price(service, usage) } else { Asked::Estimate(service, usage) }
            }
            "batches" => Asked::Batches(given.account()?, given.filter()?),
            "holds" => Asked::Holds(given.account()?, given.filter()?),
            "plans" => Asked::Plans(given.account()?, given.filter()?),
            "history" => Asked::History(given.one_account()?, given.filter()?),
            "overview" => Asked::Overview(given.account()?, given.filter()?),
            "expiring" => {
                let before = given.instant("before");
                Asked::Expiring(given.needed("before", before)?, given.one_account()?)
            }
            "accounts" => Asked::Accounts(given.filter()?),
            "usage" => Asked::Usage(given.filter()?),
            "statement" => Asked::Statement(given.account()?, given.period()?),
            "missing" => {
                let limit = given.fields.number("limit").and_then(|limit| usize::try_from(limit).ok());
                Asked::Missing(given.account()?, given.period()?, limit.unwrap_or(1000))
            }
            "explain" => match (given.text("operation"), given.text("batch")) {
                (Some(operation), None) => Asked::Explain(operation, given.one_account()?),
                (None, Some(batch)) => Asked::Life(batch, given.one_account()?),
                (Some(_), Some(_)) => return Err(given_beside("batch", "operation", "give one of them")),
                (None, None) => return Err(missing("operation", "name an operation, or a batch")),
            },
            "operation" => {
                let operation = given.text("operation");
                Asked::Operation(given.needed("operation", operation)?, given.one_account()?)
            }
            "find" => Asked::Find(given.sought()?, given.filter()?),
            "info" => Asked::Info,
            "sync" => Asked::Sync,
            "devices" => Asked::Devices(given.filter()?),
            "staged" => Asked::Staged(given.filter()?),
            "flags" => Asked::Flags(given.filter()?),
            "allotments" => Asked::Allotments(given.filter()?),
            "clock" => Asked::Clock,
            "verify" => Asked::Verify { quick: given.flag("quick") },
            _ => return Err(no_question(&name.into())),
        })
    }
}

/// The fields of a question that are given, all of them its own.
struct Given<'v> {
    kind: &'static QuestionKind,
    fields: Fields<'v>,
}

impl<'v> Given<'v> {
    fn new(kind: &'static QuestionKind, given: impl Iterator<Item = (&'v str, &'v Value)>) -> Result<Self> {
        let given: Vec<_> = given.collect();
        let known = |name: &str| kind.fields.iter().any(|field| field.name == name);
        if let Some((name, _)) = given.iter().find(|(name, _)| !known(name)) {
            let free = kind.fields.iter().map(|field| field.name);
            let free = free.filter(|known| given.iter().all(|(name, _)| name != known));
            let help = match nearest(name, free.clone()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if kind.fields.is_empty() => "leave it out: it has no fields".into(),
                None => format!("its fields are {}", kind.fields.iter().map(|f| f.name).collect::<Vec<_>>().join(", ")),
            };
            return Err(Error::invalid(*name, format!("`{}` has no field `{name}`", kind.name), help));
        }
        let mut fields = Fields::new(given.into_iter());
        fields.read_given(kind.fields)?;
        Ok(Given { kind, fields })
    }

    fn field(&self, name: &str) -> Option<&'static Field> {
        self.kind.fields.iter().find(|field| field.name == name)
    }

    fn needed<T>(&self, name: &str, value: Option<T>) -> Result<T> {
        let told = self.field(name).and_then(|field| field.required).unwrap_or_default();
        value.ok_or_else(|| missing(name, told))
    }

    fn text(&self, name: &str) -> Option<String> {
        self.fields.text(name).map(str::to_string)
    }

    fn one_account(&mut self) -> Result<Option<AccountId>> {
        self.fields.text("account").map(AccountId::new).transpose()
    }

    fn account(&mut self) -> Result<AccountId> {
        let account = self.one_account()?;
        self.needed("account", account)
    }

    fn flag(&self, name: &str) -> bool {
        self.fields.flag(name).unwrap_or_default()
    }

    fn instant(&self, name: &str) -> Option<Instant> {
        self.fields.instant(name)
    }

    fn sought(&self) -> Result<Sought> {
        let mut sought = [
            ("text", self.text("text").map(Sought::Text)),
            ("key", self.text("key").map(Key::new).transpose()?.map(Sought::Key)),
            ("reference", self.text("reference").map(Sought::Reference)),
            ("sequence", self.fields.number("sequence").map(Sought::Sequence)),
        ]
        .into_iter()
        .filter_map(|(name, sought)| Some((name, sought?)));
        match (sought.next(), sought.next()) {
            (Some((_, sought)), None) => Ok(sought),
            (Some((first, _)), Some((second, _))) => Err(given_beside(second, first, "give one of them")),
            (None, _) => Err(missing("text", "name a number, an id, a key or a reference")),
        }
    }

    fn period(&mut self) -> Result<Period> {
        let (from, to) = (self.instant("from"), self.instant("to"));
        Period::new(from.map(Instant::utc), to.map(Instant::utc))
    }

    /// One word or a list of them, each as one of those the field takes.
    fn words<T: Copy + AsRef<str>>(&mut self, name: &'static str, all: &[T]) -> Result<Vec<T>> {
        let given = match self.fields.raw(name) {
            None => return Ok(Vec::new()),
            Some(Value::Array(list)) => list.iter().collect(),
            Some(one) => vec![one],
        };
        let known = |value: &Value| all.iter().find(|word| value.as_str() == Some(word.as_ref())).copied();
        Ok(given.into_iter().filter_map(known).collect())
    }

    fn calendar(&mut self) -> Result<Option<(&'static str, Calendar)>> {
        let by = self.fields.text("by");
        let calendar = self.fields.text("offset").map_or_else(|| Ok(Calendar::default()), str::parse)?;
        Ok(by.map(|by| (if by == "day" { "%Y-%m-%d" } else { "%Y-%m" }, calendar)))
    }

    /// Whatever of a list's fields there are: those the question has not are not given.
    fn filter(&mut self) -> Result<Filter> {
        let limit = self.fields.number("limit");
        Ok(Filter {
            account: self.one_account()?,
            all: self.flag("all"),
            kinds: self.words("kind", EntryKind::ALL)?,
            operation: self.text("operation"),
            service: self.text("service"),
            reference: self.text("reference"),
            source: self.text("source"),
            description: self.text("description").map(|part| part.to_lowercase()),
            period: self.period()?,
            newest_first: self.flag("newest_first"),
            in_debt: self.flag("in_debt"),
            states: self.words("state", AccountState::ALL)?,
            expiring: self.instant("expiring"),
            pattern: self.text("matching").map(|pattern| pattern.chars().collect()),
            per_account: self.flag("per_account"),
            calendar: self.calendar()?,
            limit: limit.and_then(|limit| usize::try_from(limit).ok()),
            after: self.text("after"),
        })
    }
}
