//! The typed requests: required fields in `new`, the rest chained. Each builds a [`Request`]; values are checked when
//! the operation is asked for, so that one place judges them all.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;

use super::rollover::Rollover;
use super::{AccountId, BatchId, Every, HoldId, Key, Metadata, OperationId, PlanId, Quote, Request};
use crate::quantity::{Usage, UsageKind};
use crate::units::Points;

/// How a consume is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Policy {
    /// The work is done: always book; what no batch covers becomes debt. The default, unless
    /// [`Options::default_policy`](crate::Options::default_policy) says otherwise.
    #[default]
    Postpaid,
    /// Refuse when the account is in debt or short.
    Strict,
    /// Book what is covered and report the rest as `short`.
    UpTo,
}

impl Policy {
    const fn as_str(self) -> &'static str {
        match self {
            Policy::Postpaid => "postpaid",
            Policy::Strict => "strict",
            Policy::UpTo => "up_to",
        }
    }

    /// A consume that names no policy, with this one; none for a request that stays as it is.
    pub(crate) fn fill_in(self, request: &Request) -> Option<Request> {
        let open = request.op() == Some("consume") && request.get("policy").is_none_or(Value::is_null);
        (open && self != Policy::default()).then(|| request.clone().with("policy", self.as_str()))
    }
}

/// What happens to revoked points that were spent already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shortfall {
    /// They become debt. The default.
    Debt,
    /// They are reported as uncollected.
    Clamp,
}

/// When a batch ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExpiresIn {
    /// Never.
    Never,
    /// At this instant: the batch is gone at it.
    At(DateTime<Utc>),
    /// This many hours from now, or from when the points become usable, when that is later.
    Hours(i64),
    /// This many days from now, or from when the points become usable, when that is later.
    Days(i64),
    /// This many months, counted likewise: same day and time, clamped to the month's end.
    Months(i64),
    /// Hours, to the end of the day they end in, in a zone this many minutes east of UTC.
    HoursToEndOfDay(i64, i32),
    /// Days, to the end of that day in a zone this many minutes east of UTC.
    DaysToEndOfDay(i64, i32),
    /// Months, to the end of that day in a zone this many minutes east of UTC.
    MonthsToEndOfDay(i64, i32),
    /// Of a plan's batches: when the next period begins.
    PeriodEnd,
}

fn time(time: DateTime<Utc>) -> Value {
    time.to_rfc3339_opts(SecondsFormat::Millis, true).into()
}

fn offset(minutes: i32) -> Value {
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.unsigned_abs();
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60).into()
}

fn with_expiry(request: Request, expiry: ExpiresIn) -> Request {
    match expiry {
        ExpiresIn::Never => request.with("expires_at", "never"),
        ExpiresIn::PeriodEnd => request.with("expires_at", "period_end"),
        ExpiresIn::At(at) => request.with("expires_at", time(at)),
        ExpiresIn::Hours(hours) => request.with("expires_in_hours", hours),
        ExpiresIn::HoursToEndOfDay(hours, zone) => {
            request.with("expires_in_hours", hours).with("end_of_day", offset(zone))
        }
        ExpiresIn::Days(days) => request.with("expires_in_days", days),
        ExpiresIn::Months(months) => request.with("expires_in_months", months),
        ExpiresIn::DaysToEndOfDay(days, zone) => request.with("expires_in_days", days).with("end_of_day", offset(zone)),
        ExpiresIn::MonthsToEndOfDay(months, zone) => {
            request.with("expires_in_months", months).with("end_of_day", offset(zone))
        }
    }
}

impl Rollover {
    /// At most so many points (1 or more) move on, and live so many hours, days or months from the end of their batch. No other
    /// expiry is one; like every value it is judged when the operation is asked for.
    #[must_use]
    pub fn new(cap: Points, life: ExpiresIn) -> Self {
        let life = with_expiry(Request::default(), life);
        let number = |name: &str| life.get(name).and_then(Value::as_i64);
        Rollover {
            cap,
            expires_in_hours: number("expires_in_hours"),
            expires_in_days: number("expires_in_days"),
            expires_in_months: number("expires_in_months"),
            end_of_day: life.get("end_of_day").and_then(Value::as_str).map(str::to_string),
        }
    }
}

fn with_usage(request: Request, usage: &Usage) -> Request {
    let value = usage.value().to_string();
    match usage.kind() {
        UsageKind::Seconds => request.with("seconds", value),
        UsageKind::InputSeconds => request.with("input_seconds", value),
        UsageKind::Chars => request.with("chars", value),
        UsageKind::Quantity => {
            request.with("quantity", value).with("unit", usage.unit_name().map_or(Value::Null, Value::from))
        }
    }
}

fn with_deadline(request: Request, deadline: Duration) -> Request {
    let millis = deadline.as_millis();
    let (seconds, rest) = (millis / 1000, millis % 1000);
    if rest == 0
        && let Ok(seconds) = u64::try_from(seconds)
    {
        return request.with("deadline_seconds", seconds);
    }
    request.with("deadline_seconds", format!("{seconds}.{rest:03}"))
}

/// A typed request, and the facts that every operation may carry.
macro_rules! request {
    ($(#[$doc:meta])* $name:ident on $target:ident: $id:ty) => {
        request!($(#[$doc])* $name);

        impl $name {
            /// The whole request as data, for [`Ledger::apply`](crate::Ledger::apply) or
            /// [`Ledger::batch`](crate::Ledger::batch).
            #[must_use]
            pub fn on(self, $target: &$id, key: &Key) -> Request {
                self.0.with(stringify!($target), $target).with("key", key)
            }
        }
    };
    ($(#[$doc:meta])* $name:ident on_file) => {
        request!($(#[$doc])* $name);

        impl $name {
            /// The whole request as data, for [`Ledger::apply`](crate::Ledger::apply) or
            /// [`Ledger::batch`](crate::Ledger::batch).
            #[must_use]
            pub fn on_file(self, key: &Key) -> Request {
                self.0.with("key", key)
            }
        }
    };
    ($(#[$doc:meta])* $name:ident because $op:literal) => {
        request!($(#[$doc])* $name on account: AccountId);

        impl $name {
            /// Why: 1 to 4096 bytes, kept in the books.
            pub fn new(reason: impl Into<String>) -> Self {
                $name(Request::new($op).with("reason", reason.into()))
            }
        }

        impl From<&str> for $name {
            fn from(reason: &str) -> Self {
                $name::new(reason)
            }
        }
    };
    ($(#[$doc:meta])* $name:ident plain $op:literal $($rest:tt)+) => {
        request!($(#[$doc])* $name $($rest)+);

        impl $name {
            /// With nothing besides.
            pub fn new() -> Self {
                $name(Request::new($op))
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }
    };
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[must_use = "a request does nothing until it is handed to a ledger"]
        pub struct $name(Request);

        impl $name {
            fn set(mut self, field: &'static str, value: impl Into<Value>) -> Self {
                self.0 = self.0.with(field, value);
                self
            }

            /// The caller's reference (order or task id): 1 to 1024 bytes. Compared when the key comes again.
            pub fn reference(self, text: impl Into<String>) -> Self {
                self.set("reference", text.into())
            }

            /// A text for people: 1 to 4096 bytes, newlines allowed.
            pub fn description(self, text: impl Into<String>) -> Self {
                self.set("description", text.into())
            }

            /// Who does it: 1 to 1024 bytes.
            pub fn actor(self, text: impl Into<String>) -> Self {
                self.set("actor", text.into())
            }

            /// Any JSON object of up to 4096 bytes, kept as it is.
            pub fn metadata(self, object: impl Into<Metadata>) -> Self {
                Self(self.0.with_metadata(object))
            }
        }
    };
}
pub(super) use request;

request!(
    /// Opens an account before its first use.
    ///
    /// ```
    /// use counterfoil::{OpenAccount, Points};
    /// let request = OpenAccount::new().credit_limit(Points::new(100)?);
    /// # Ok::<(), counterfoil::Error>(())
    /// ```
    OpenAccount plain "open" on account: AccountId
);

impl OpenAccount {
    /// How far debt may go before strict operations and holds are refused.
    pub fn credit_limit(self, points: Points) -> Self {
        self.set("credit_limit", points.get())
    }
}

request!(
    /// Adds a batch of points.
    ///
    /// ```
    /// use counterfoil::{ExpiresIn, Points, Recharge};
    /// let request = Recharge::new(Points::new(320)?, "wxpay").expires(ExpiresIn::Months(6)).reference("order 881");
    /// # Ok::<(), counterfoil::Error>(())
    /// ```
    Recharge on account: AccountId
);

impl Recharge {
    /// Points (1 or more) and where they come from (1 to 128 bytes, like `wxpay` or `gift`).
    pub fn new(points: Points, source: impl Into<String>) -> Self {
        Recharge(Request::new("recharge").with("points", points.get()).with("source", source.into()))
    }

    /// When the batch ends; left out, the price book's `expiration_days`, else 180 days.
    pub fn expires(mut self, expiry: ExpiresIn) -> Self {
        self.0 = with_expiry(self.0, expiry);
        self
    }

    /// From when the points can be spent; left out, at once.
    pub fn effective_at(self, at: DateTime<Utc>) -> Self {
        self.set("effective_at", time(at))
    }

    /// Draw order: lower first, 0 to 1000, default 50.
    pub fn priority(self, priority: i64) -> Self {
        self.set("priority", priority)
    }

    /// Promotional (drawn before paid ones of the same expiry); wins over the price book's `promo_sources`.
    pub fn promo(self, promo: bool) -> Self {
        self.set("promo", promo)
    }

    /// What moves on at the batch's end instead of lapsing; left out, nothing does.
    pub fn rollover(self, rollover: Rollover) -> Self {
        self.set("rollover", rollover)
    }
}

request!(
    /// Recharges an account again and again, one batch for each period.
    ///
    /// ```
    /// use counterfoil::{Every, ExpiresIn, Plan, Points};
    /// let monthly = Plan::new(Points::new(100)?, "plan:pro", Every::Months(1)).expires(ExpiresIn::PeriodEnd);
    /// # Ok::<(), counterfoil::Error>(())
    /// ```
    Plan on account: AccountId
);

impl Plan {
    /// Points of each period (1 or more), where they come from (1 to 128 bytes), and how long a period is.
    pub fn new(points: Points, source: impl Into<String>, every: Every) -> Self {
        let request = Request::new("plan").with("points", points.get()).with("source", source.into());
        Plan(match every {
            Every::Days(days) => request.with("every_days", days),
            Every::Weeks(weeks) => request.with("every_weeks", weeks),
            Every::Months(months) => request.with("every_months", months),
        })
    }

    /// When the first period begins, from which all are counted; left out, now. Those before now are not given.
    pub fn anchor(self, at: DateTime<Utc>) -> Self {
        self.set("anchor", time(at))
    }

    /// The calendar that counts: so many minutes east of UTC, default 0.
    pub fn offset(self, minutes: i32) -> Self {
        self.set("offset", offset(minutes))
    }

    /// How many periods there are, counted from the anchor: 1 to 65 535. Left out, it goes on.
    pub fn count(self, periods: i64) -> Self {
        self.set("count", periods)
    }

    /// When each batch ends, counted from the beginning of its period; left out, the price book's `expiration_days`, else 180
    /// days.
    pub fn expires(mut self, expiry: ExpiresIn) -> Self {
        self.0 = with_expiry(self.0, expiry);
        self
    }

    /// Draw order: lower first, 0 to 1000, default 50.
    pub fn priority(self, priority: i64) -> Self {
        self.set("priority", priority)
    }

    /// Promotional (drawn before paid ones of the same expiry); wins over the price book's `promo_sources`.
    pub fn promo(self, promo: bool) -> Self {
        self.set("promo", promo)
    }

    /// What moves on at the end of each batch instead of lapsing; left out, nothing does.
    pub fn rollover(self, rollover: Rollover) -> Self {
        self.set("rollover", rollover)
    }
}

request!(
    /// Ends a plan.
    Stop plain "stop" on plan: PlanId
);

request!(
    /// Charges points.
    ///
    /// ```
    /// use counterfoil::{Consume, Points, Policy, Usage};
    /// let by_points = Consume::points(Points::new(10)?).policy(Policy::Strict);
    /// let by_price = Consume::service("tts", Usage::seconds("61.2")?);
    /// # use counterfoil::{AccountId, Key};
    /// let as_data = by_price.on(&AccountId::new("alice")?, &Key::new("task:19")?);
    /// assert_eq!(as_data.get("seconds").and_then(|seconds| seconds.as_str()), Some("61.2"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Consume on account: AccountId
);

impl Consume {
    /// So many points. Zero is valid: a free service leaves a trace.
    pub fn points(points: Points) -> Self {
        Consume(Request::new("consume").with("points", points.get()))
    }

    /// What the price book says for this usage of a service.
    pub fn service(service: impl Into<String>, usage: Usage) -> Self {
        Consume(with_usage(Request::new("consume").with("service", service.into()), &usage))
    }

    /// What the price book says for one use of a fixed or free service.
    pub fn fixed(service: impl Into<String>) -> Self {
        Consume(Request::new("consume").with("service", service.into()))
    }

    /// Labels given points with the service they were for.
    pub fn labelled(self, service: impl Into<String>) -> Self {
        self.set("service", service.into())
    }

    /// Labels given points with what was used.
    pub fn usage(mut self, usage: Usage) -> Self {
        self.0 = with_usage(self.0, &usage);
        self
    }

    /// How it is decided.
    pub fn policy(self, policy: Policy) -> Self {
        self.set("policy", policy.as_str())
    }

    /// When it happened in the world.
    pub fn occurred_at(self, at: DateTime<Utc>) -> Self {
        self.set("occurred_at", time(at))
    }
}

request!(
    /// Sets points aside for a job, until a deadline.
    ///
    /// ```
    /// use counterfoil::{Hold, Points};
    /// use std::time::Duration;
    /// let request = Hold::new(Points::new(40)?, Duration::from_secs(3600)).reference("task 20");
    /// # Ok::<(), counterfoil::Error>(())
    /// ```
    Hold on account: AccountId
);

impl Hold {
    /// So many points, for so long (milliseconds count; at most the setting `max_hold`).
    pub fn new(points: Points, deadline: Duration) -> Self {
        Hold(with_deadline(Request::new("hold").with("points", points.get()), deadline))
    }

    /// What the price book says for one use of a fixed or free service. A hold for work that costs nothing holds no points.
    pub fn fixed(service: impl Into<String>, deadline: Duration) -> Self {
        Hold(with_deadline(Request::new("hold").with("service", service.into()), deadline))
    }

    /// Exactly what was quoted, by the price book that quoted it, also when another has been loaded since: a capture of the
    /// quoted usage charges the quoted points. When its key comes again, the points of the day are not compared.
    pub fn quoted(quote: &Quote, deadline: Duration) -> Self {
        let request = Request::new("hold").with("service", quote.service.as_str());
        // What costs nothing names no points.
        let request = if quote.points > 0 { request.with("points", quote.points) } else { request };
        let request = match &quote.usage {
            Some(usage) => with_usage(request, usage),
            None => request,
        };
        let request = request.with("price_book", quote.price_book.to_string()).quoted_by(quote.book.clone());
        Hold(with_deadline(request, deadline))
    }

    /// What the price book estimates for a service.
    pub fn estimated(service: impl Into<String>, usage: Usage, deadline: Duration) -> Self {
        let request = with_usage(Request::new("hold").with("service", service.into()), &usage);
        Hold(with_deadline(request, deadline))
    }
}

request!(
    /// Charges a hold, once.
    ///
    /// ```
    /// use counterfoil::{Capture, Points, Usage};
    /// let by_points = Capture::points(Points::new(25)?);
    /// let by_usage: Capture = Usage::seconds("8.4")?.into();
    /// let all_of_it = Capture::held();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Capture on hold: HoldId
);

impl Capture {
    /// So many points; 0 gives everything back.
    pub fn points(points: Points) -> Self {
        Capture(Request::new("capture").with("points", points.get()))
    }

    /// What the hold's own price book says for this usage of the hold's service.
    pub fn usage(usage: &Usage) -> Self {
        Capture(with_usage(Request::new("capture"), usage))
    }

    /// What is held, whether batches or credit back it.
    pub fn held() -> Self {
        Capture(Request::new("capture"))
    }

    /// Takes no more than was held: the receipt says what is `short`. So it is anyway where nothing was held.
    pub fn at_most_held(self) -> Self {
        self.set("cap", "held")
    }

    /// Takes all of it, also where nothing was held.
    pub fn uncapped(self) -> Self {
        self.set("cap", "none")
    }
}

impl From<Usage> for Capture {
    fn from(usage: Usage) -> Self {
        Capture::usage(&usage)
    }
}

impl From<Points> for Capture {
    fn from(points: Points) -> Self {
        Capture::points(points)
    }
}

request!(
    /// Gives points of a consume or capture back.
    ///
    /// ```
    /// use counterfoil::{Points, Refund};
    /// let part = Refund::points(Points::new(10)?, "render failed");
    /// let whole = Refund::all("render failed");
    /// # Ok::<(), counterfoil::Error>(())
    /// ```
    Refund on operation: OperationId
);

impl Refund {
    /// So many points, and why.
    pub fn points(points: Points, reason: impl Into<String>) -> Self {
        Refund(Request::new("refund").with("points", points.get()).with("reason", reason.into()))
    }

    /// Everything not refunded or written off yet, and why.
    pub fn all(reason: impl Into<String>) -> Self {
        Refund(Request::new("refund").with("points", "all").with("reason", reason.into()))
    }
}

request!(
    /// Takes a batch back (a chargeback, an order refunded).
    ///
    /// ```
    /// use counterfoil::{Revoke, Shortfall};
    /// let request = Revoke::all("chargeback 77").shortfall(Shortfall::Clamp);
    /// ```
    Revoke on batch: BatchId
);

impl Revoke {
    /// So many points of the batch, and why.
    pub fn points(points: Points, reason: impl Into<String>) -> Self {
        Revoke(Request::new("revoke").with("points", points.get()).with("reason", reason.into()))
    }

    /// All of the batch not revoked yet, and why.
    pub fn all(reason: impl Into<String>) -> Self {
        Revoke(Request::new("revoke").with("points", "all").with("reason", reason.into()))
    }

    /// What happens to points that were spent already.
    pub fn shortfall(self, shortfall: Shortfall) -> Self {
        let name = match shortfall {
            Shortfall::Debt => "debt",
            Shortfall::Clamp => "clamp",
        };
        self.set("shortfall", name)
    }
}

request!(
    /// Changes when a batch ends.
    ///
    /// ```
    /// use counterfoil::{ExpiresIn, SetExpiry};
    /// let request = SetExpiry::new(ExpiresIn::Days(30), "goodwill");
    /// ```
    SetExpiry on batch: BatchId
);

impl SetExpiry {
    /// The new expiry, counted from now or from when the batch becomes effective, when that is later; and why.
    pub fn new(expiry: ExpiresIn, reason: impl Into<String>) -> Self {
        SetExpiry(with_expiry(Request::new("set_expiry"), expiry).with("reason", reason.into()))
    }
}

request!(
    /// Moves available points to another account.
    ///
    /// ```
    /// use counterfoil::{AccountId, Points, Transfer};
    /// let request = Transfer::new(&AccountId::new("bob")?, Points::new(5)?);
    /// # Ok::<(), counterfoil::Error>(())
    /// ```
    Transfer on account: AccountId
);

impl Transfer {
    /// To whom, and how many.
    pub fn new(to: &AccountId, points: Points) -> Self {
        Transfer(Request::new("transfer").with("to", to).with("points", points.get()))
    }
}

request!(
    /// Changes a setting of the file: they decide outcomes, so every change is a logged operation.
    ///
    /// ```
    /// use counterfoil::Configure;
    /// use std::time::Duration;
    /// let request = Configure::late_window(Duration::from_secs(14 * 24 * 3600));
    /// ```
    Configure on_file
);

impl Configure {
    fn seconds(setting: &str, value: Duration) -> Self {
        Configure(Request::new("configure").with("setting", setting).with("value", value.as_secs()))
    }

    /// Whether accounts must be opened before their first use.
    pub fn explicit_accounts(explicit: bool) -> Self {
        let value = if explicit { "explicit" } else { "first_use" };
        Configure(Request::new("configure").with("setting", "accounts").with("value", value))
    }

    /// How long after it happened a consume may still draw on points that expired since (whole seconds; default 0).
    pub fn late_window(value: Duration) -> Self {
        Self::seconds("late_window", value)
    }

    /// The longest a hold may last (whole seconds; default 24 hours).
    pub fn max_hold(value: Duration) -> Self {
        Self::seconds("max_hold", value)
    }

    /// How far a clock reading may be past the newest accepted one before it is suspect (whole seconds; default 90 days).
    pub fn max_clock_jump(value: Duration) -> Self {
        Self::seconds("max_clock_jump", value)
    }

    /// How long suspect readings go on until one is accepted by itself (whole seconds; default 24 hours).
    pub fn clock_patience(value: Duration) -> Self {
        Self::seconds("clock_patience", value)
    }

    /// At a hub: what begins the keys of consumes that are one sale, at whichever device or at the hub it was made; at most 16, and
    /// none by default. Other keys of consumes are their device's own, so that two counters do not meet.
    pub fn global_keys(beginnings: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let beginnings: Vec<String> = beginnings.into_iter().map(Into::into).collect();
        Configure(Request::new("configure").with("setting", "global_keys").with("value", beginnings))
    }
}

request!(
    /// Sets how far an account's debt may go before strict operations are refused.
    ///
    /// ```
    /// use counterfoil::{Points, SetLimit};
    /// let request = SetLimit::new(Points::new(100)?).actor("support");
    /// # Ok::<(), counterfoil::Error>(())
    /// ```
    SetLimit on account: AccountId
);

impl SetLimit {
    /// The new limit.
    pub fn new(credit_limit: Points) -> Self {
        SetLimit(Request::new("set_limit").with("credit_limit", credit_limit.get()))
    }
}

impl From<Points> for SetLimit {
    fn from(credit_limit: Points) -> Self {
        SetLimit::new(credit_limit)
    }
}

request!(
    /// Gives all of an open hold back.
    Release plain "release" on hold: HoldId
);

request!(
    /// Gives an open hold a new deadline.
    Renew on hold: HoldId
);

impl Renew {
    /// The new deadline, counted from now (milliseconds count; at most the setting `max_hold`).
    pub fn new(deadline: Duration) -> Self {
        Renew(with_deadline(Request::new("renew"), deadline))
    }
}

impl From<Duration> for Renew {
    fn from(deadline: Duration) -> Self {
        Renew::new(deadline)
    }
}

request!(
    /// Forgives debt, oldest first.
    WriteOff on account: AccountId
);

impl WriteOff {
    /// So many points, and why.
    pub fn new(points: Points, reason: impl Into<String>) -> Self {
        WriteOff(Request::new("write_off").with("points", points.get()).with("reason", reason.into()))
    }
}

request!(
    /// Stops strict consumes, holds and transfers from an account.
    ///
    /// ```
    /// let request = counterfoil::Freeze::new("stolen card").reference("case 1").actor("fraud desk");
    /// ```
    Freeze because "freeze"
);

request!(
    /// Ends a freeze.
    Unfreeze because "unfreeze"
);

request!(
    /// Closes an empty account.
    CloseAccount because "close"
);

request!(
    /// Says that the present clock reading is right.
    ConfirmClock plain "confirm_clock" on_file
);
