//! An account as it goes down from its hub to a device: what is needed to go on with it, and no history. One line of JSON, its
//! rows as lists; told from a device's own things by the ids, which are the hub's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::de::{Error as _, IgnoredAny, SeqAccess, Visitor};
use serde::ser::SerializeTuple;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::ids::MAX_EPOCH;
use super::operations::MAX_PERIODS;
use super::rollover::Rolling;
use super::{
    AccountId, AccountState, Balances, BatchId, Command, Every, Expiry, HoldId, Key, MAX_ROLLS, OpKind, OperationId,
    PlanId, Request, Rollover, Terms, Totals,
};
use crate::units::{Instant, MAX_POINTS};

/// What stands in one place of a list.
trait Cell: Sized {
    type Written: Serialize + for<'de> Deserialize<'de>;
    fn written(&self) -> Self::Written;
    /// `None` for what cannot stand there.
    fn of(written: Self::Written) -> Option<Self>;
}

macro_rules! cells {
    ($($type:ty as $written:ty: |$it:ident| $to:expr, |$from:ident| $back:expr;)+) => {$(
        impl Cell for $type {
            type Written = $written;

            fn written(&self) -> $written {
                let $it = self;
                $to
            }

            fn of($from: $written) -> Option<Self> {
                $back
            }
        }
    )+};
}

cells! {
    i64 as i64: |it| *it, |from| (from >= 0).then_some(from);
    bool as u8: |it| u8::from(*it), |from| (from <= 1).then_some(from == 1);
    Instant as i64: |it| it.millis(), |from| Some(Instant::clamped(from)).filter(|at| at.millis() == from);
    String as String: |it| it.clone(), |from| super::ids::check_id("source", &from).ok().map(|()| from);
    Rolling as Rollover: |it| it.told(), |from| Rolling::of(&Value::from(from.clone())).ok().filter(|rolling| rolling.told() == from);
    Arc<Terms> as Value: |it| told(it), |from| terms(&from);
}

macro_rules! as_they_are {
    ($($type:ty),+) => { cells! { $($type as $type: |it| it.clone(), |from| Some(from);)+ } };
}

as_they_are!(BatchId, OperationId, HoldId, PlanId);

impl<T: Cell> Cell for Option<T> {
    type Written = Option<T::Written>;

    fn written(&self) -> Self::Written {
        self.as_ref().map(T::written)
    }

    fn of(written: Self::Written) -> Option<Self> {
        written.map_or(Some(None), |written| T::of(written).map(Some))
    }
}

impl<T: Serialize + for<'de> Deserialize<'de> + Clone> Cell for Vec<T> {
    type Written = Vec<T>;

    fn written(&self) -> Self::Written {
        self.clone()
    }

    fn of(written: Self::Written) -> Option<Self> {
        Some(written)
    }
}

/// What is written as a list, its fields in their order.
macro_rules! listed {
    ($($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $field:ident: $type:ty,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) struct $name { $($(#[$of])* pub(crate) $field: $type),+ }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                let mut list = serializer.serialize_tuple([$(stringify!($field)),+].len())?;
                $(list.serialize_element(&self.$field.written())?;)+
                list.end()
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                struct List;

                impl<'de> Visitor<'de> for List {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("the list of a ", stringify!($name)))
                    }

                    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<$name, A::Error> {
                        $(
                            let written = list.next_element::<<$type as Cell>::Written>()?;
                            let written = written.ok_or_else(|| A::Error::missing_field(stringify!($field)))?;
                            let $field = <$type as Cell>::of(written)
                                .ok_or_else(|| A::Error::custom(concat!(stringify!($field), " is out of range")))?;
                        )+
                        match list.next_element::<IgnoredAny>()? {
                            Some(_) => Err(A::Error::custom("the list is too long")),
                            None => Ok($name { $($field),+ }),
                        }
                    }
                }

                deserializer.deserialize_seq(List)
            }
        }
    )+};
}

listed! {
    /// A batch that is carried.
    CarriedBatch {
        id: BatchId,
        /// The operation of the device it goes to that made it; none for what others made.
        link: Option<i64>,
        source: String,
        promo: bool,
        priority: i64,
        amount: i64,
        remaining: i64,
        held: i64,
        used: i64,
        expired: i64,
        revoked: i64,
        moved: i64,
        owed: i64,
        effective_at: Instant,
        expires_at: Option<Instant>,
        /// The carried batch it rolled out of.
        from: Option<BatchId>,
        /// Its line in the hub's books, the last criterion of the draw order.
        entry: i64,
        dated: bool,
        active: bool,
        /// What may move on at its end, how often something has, how many points (of a batch that rolled: went back), and
        /// whether the last time counts.
        rollover: Option<Rolling>,
        rolls: i64,
        rolled: i64,
        has_rolled: bool,
    }
    /// What a batch has paid of a consume.
    CarriedPart {
        batch: BatchId,
        points: i64,
        returned: i64,
    }
    /// A consume, a capture, or what is owed after a revoke.
    CarriedConsume {
        id: OperationId,
        link: Option<i64>,
        points: i64,
        open: i64,
        refunded: i64,
        written_off: i64,
        clawback_of: Option<BatchId>,
        parts: Vec<CarriedPart>,
    }
    /// What a hold keeps of a batch.
    CarriedSlice {
        batch: BatchId,
        points: i64,
    }
    /// An open hold of the hub's own.
    CarriedHold {
        id: HoldId,
        points: i64,
        unbacked: i64,
        deadline: Instant,
        slices: Vec<CarriedSlice>,
    }
    /// What is left of an allotment of the device it goes to.
    CarriedAllotment {
        id: OperationId,
        epoch: i64,
        spend_until: Instant,
        recalled: bool,
        slices: Vec<CarriedSlice>,
    }
    /// A plan with periods to come.
    CarriedPlan {
        id: PlanId,
        terms: Arc<Terms>,
        /// The period that comes next, and when the first one begins.
        period: i64,
        anchor: Instant,
        promo: bool,
        expiration_days: Option<i64>,
        /// Its line in the hub's books.
        entry: i64,
    }
    /// What batches that are not carried come to.
    CarriedRest {
        used: i64,
        expired: i64,
        revoked: i64,
        moved: i64,
    }
}

/// An account as its hub has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Carried {
    #[serde(rename = "a")]
    pub(crate) account: AccountId,
    pub(crate) state: AccountState,
    pub(crate) limit: i64,
    /// `booked_at` of its last entry, in milliseconds.
    pub(crate) last: i64,
    /// The hub's clock was ahead then, and is mended: its next entry goes back behind that.
    #[serde(default, skip_serializing_if = "crate::units::is_false")]
    pub(crate) ahead: bool,
    #[serde(with = "list_of_totals")]
    pub(crate) totals: Totals,
    pub(crate) rest: CarriedRest,
    /// Of an account with more than one line can hold: what it comes to, and no rows.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "list_of_figures")]
    pub(crate) figures: Option<Balances>,
    #[serde(rename = "b", default)]
    pub(crate) batches: Vec<CarriedBatch>,
    #[serde(rename = "c", default)]
    pub(crate) consumes: Vec<CarriedConsume>,
    #[serde(rename = "h", default)]
    pub(crate) holds: Vec<CarriedHold>,
    #[serde(rename = "l", default)]
    pub(crate) allotments: Vec<CarriedAllotment>,
    #[serde(rename = "pl", default)]
    pub(crate) plans: Vec<CarriedPlan>,
}

mod list_of_totals {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Totals};

    pub(super) fn serialize<S: Serializer>(t: &Totals, serializer: S) -> Result<S::Ok, S::Error> {
        t.as_list().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Totals, D::Error> {
        <[i64; 11]>::deserialize(deserializer).map(Totals::of_list)
    }
}

mod list_of_figures {
    use super::{Balances, Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(figures: &Option<Balances>, serializer: S) -> Result<S::Ok, S::Error> {
        figures.map(|it| [it.available, it.held, it.pending, it.debt]).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Balances>, D::Error> {
        let [available, held, pending, debt] = <[i64; 4]>::deserialize(deserializer)?;
        Ok(Some(Balances { available, held, pending, debt }))
    }
}

impl Totals {
    /// In the order in which they are written as a list.
    pub(crate) fn as_list(&self) -> [i64; 11] {
        let Totals { recharged, consumed, refunded, expired, reinstated, revoked, .. } = *self;
        let Totals { clawed_back, written_off, moved_in, moved_out, rolled, .. } = *self;
        [
            recharged,
            consumed,
            refunded,
            expired,
            reinstated,
            revoked,
            clawed_back,
            written_off,
            moved_in,
            moved_out,
            rolled,
        ]
    }

    pub(crate) fn of_list(list: [i64; 11]) -> Self {
        let [recharged, consumed, refunded, expired, reinstated, revoked, rest @ ..] = list;
        let [clawed_back, written_off, moved_in, moved_out, rolled] = rest;
        let first = Totals { recharged, consumed, refunded, expired, reinstated, revoked, ..Totals::default() };
        Totals { clawed_back, written_off, moved_in, moved_out, rolled, ..first }
    }
}

/// A plan's terms as text, and out of it again.
pub(crate) fn terms_text(plan: &Arc<Terms>) -> String {
    told(plan).to_string()
}

pub(crate) fn terms_of(text: &str) -> Option<Arc<Terms>> {
    terms(&serde_json::from_str(text).ok()?)
}

/// A plan's terms, named as they are asked for.
fn told(terms: &Arc<Terms>) -> Value {
    let mut told = serde_json::Map::new();
    let mut tell = |name: &str, value: Value| drop(told.insert(name.into(), value));
    tell("points", terms.points.into());
    tell("source", terms.source.as_str().into());
    match terms.every {
        Every::Days(n) => tell("every_days", n.into()),
        Every::Weeks(n) => tell("every_weeks", n.into()),
        Every::Months(n) => tell("every_months", n.into()),
    }
    tell("priority", terms.priority.into());
    terms.anchor.into_iter().for_each(|at| tell("anchor", at.to_string().into()));
    terms.count.into_iter().for_each(|count| tell("count", count.into()));
    terms.promo.into_iter().for_each(|promo| tell("promo", promo.into()));
    terms.rollover.into_iter().for_each(|rolling| tell("rollover", rolling.told().into()));
    let zone = |seconds: i32| chrono::FixedOffset::east_opt(seconds).map(|zone| zone.to_string());
    zone(terms.offset).into_iter().for_each(|zone| tell("offset", zone.into()));
    let day = match terms.expiry {
        None => None,
        Some(Expiry::Never) => {
            tell("expires_at", "never".into());
            None
        }
        Some(Expiry::PeriodEnd) => {
            tell("expires_at", "period_end".into());
            None
        }
        Some(Expiry::At(at)) => {
            tell("expires_at", at.to_string().into());
            None
        }
        Some(Expiry::Hours(n, day)) => {
            tell("expires_in_hours", n.into());
            day
        }
        Some(Expiry::Days(n, day)) => {
            tell("expires_in_days", n.into());
            day
        }
        Some(Expiry::Months(n, day)) => {
            tell("expires_in_months", n.into());
            day
        }
    };
    day.and_then(zone).into_iter().for_each(|zone| tell("end_of_day", zone.into()));
    Value::Object(told)
}

/// The terms again, judged as any that are asked for.
fn terms(value: &Value) -> Option<Arc<Terms>> {
    let fields = value.as_object()?.clone();
    let request = fields.into_iter().fold(Request::default(), |request, (name, value)| request.with(name, value));
    let (account, key) = (AccountId::new("any").ok()?, Key::new("any").ok()?);
    let command = Command::stored(OpKind::Plan, Some(account), key, &request).ok()?;
    match command.action {
        super::Action::Plan(terms) if told(&terms) == *value => Some(terms),
        _ => None,
    }
}

/// An account of which there is nothing.
pub(crate) fn nothing(account: &AccountId) -> Carried {
    Carried {
        account: account.clone(),
        state: AccountState::Active,
        limit: 0,
        last: 0,
        ahead: false,
        totals: Totals::default(),
        rest: CarriedRest { used: 0, expired: 0, revoked: 0, moved: 0 },
        figures: None,
        batches: Vec::new(),
        consumes: Vec::new(),
        holds: Vec::new(),
        allotments: Vec::new(),
        plans: Vec::new(),
    }
}

/// What is wrong with a line.
type Judged = Result<(), String>;

impl Carried {
    /// Reads a line, and judges it as if whoever wrote it wished harm.
    pub(crate) fn read(line: &str) -> Result<Self, String> {
        let carried: Carried = serde_json::from_str(line).map_err(|error| error.to_string())?;
        carried.judge()?;
        Ok(carried)
    }

    /// `booked_at` of its last entry.
    pub(crate) fn booked_last(&self) -> Instant {
        Instant::clamped(self.last)
    }

    /// As it is written.
    pub(crate) fn line(&self) -> Result<String, String> {
        serde_json::to_string(self).map_err(|error| error.to_string())
    }

    /// What its rows come to.
    pub(crate) fn balances(&self) -> Option<Balances> {
        if self.figures.is_some() {
            return self.figures;
        }
        let mut sums = Balances::default();
        for batch in &self.batches {
            let spendable = if batch.active { &mut sums.available } else { &mut sums.pending };
            *spendable = spendable.checked_add(batch.remaining)?;
            sums.held = sums.held.checked_add(batch.held)?;
        }
        for consume in &self.consumes {
            sums.debt = sums.debt.checked_add(consume.open)?;
        }
        Some(sums)
    }

    fn judge(&self) -> Judged {
        within("last", self.last, Instant::MIN.millis(), Instant::MAX.millis())?;
        within("limit", self.limit, 0, MAX_POINTS)?;
        self.totals.as_list().into_iter().try_for_each(|total| within("totals", total, 0, i64::MAX))?;
        if self.figures.is_some() && self.has_rows() {
            return Err("it has figures and rows".into());
        }
        self.judge_batches()?;
        self.judge_consumes()?;
        self.judge_holds()?;
        self.judge_plans()?;
        self.judge_allotments()?;
        self.judge_places()?;
        self.judge_sums()
    }

    fn has_rows(&self) -> bool {
        let books = self.batches.is_empty() && self.consumes.is_empty() && self.holds.is_empty();
        !(books && self.allotments.is_empty() && self.plans.is_empty())
    }

    fn judge_batches(&self) -> Judged {
        let ids: BTreeSet<BatchId> = self.batches.iter().map(|batch| batch.id).collect();
        if ids.len() < self.batches.len() {
            return Err("a batch is there twice".into());
        }
        for batch in &self.batches {
            let wrong = |what: &str| Err(format!("batch {}: {what}", batch.id));
            let parts = [batch.remaining, batch.held, batch.used, batch.expired, batch.revoked, batch.moved];
            if sum(parts) != Some(batch.amount) || !(1..=MAX_POINTS).contains(&batch.amount) {
                return wrong("its points do not come to its amount");
            }
            if sum([batch.revoked, batch.owed]).is_none_or(|taken| taken > batch.amount) {
                return wrong("more is owed than it had");
            }
            if batch.expires_at.is_some_and(|at| at <= batch.effective_at) {
                return wrong("it ends before it begins");
            }
            let numbers = batch.id.index() < 1 || batch.entry < 1 || batch.link.is_some_and(|link| link < 1);
            if numbers || batch.priority > 1000 {
                return wrong("something is out of range");
            }
            let out_of = batch.from.is_some_and(|from| from == batch.id || !ids.contains(&from));
            if out_of || batch.from.is_some() && batch.rollover.is_some() {
                return wrong("it did not roll out of another one");
            }
            let rolls = batch.rollover.is_some() || batch.from.is_some();
            if batch.rolls > MAX_ROLLS || batch.rolled > batch.moved || !rolls && batch.rolled > 0 {
                return wrong("what rolled out of it is out of range");
            }
            if (batch.rolls == 0) && batch.has_rolled || batch.rollover.is_none() && batch.rolls > 0 {
                return wrong("it has rolled, and nothing rolled out of it");
            }
        }
        Ok(())
    }

    fn judge_consumes(&self) -> Judged {
        let mut ids = BTreeSet::new();
        for consume in &self.consumes {
            let wrong = |what: &str| Err(format!("consume {}: {what}", consume.id));
            if !ids.insert(consume.id) || consume.id.index() != 0 || consume.link.is_some_and(|link| link < 1) {
                return wrong("it is there twice, or is none");
            }
            within("points", consume.points, 0, MAX_POINTS)?;
            let mut left = Some(0);
            for part in &consume.parts {
                if part.points < 1 || part.returned > part.points {
                    return wrong("a part of it is out of range");
                }
                left = left.and_then(|left| sum([left, part.points - part.returned]));
            }
            let of = left.and_then(|left| sum([left, consume.open, consume.refunded, consume.written_off]));
            if of != Some(consume.points) {
                return wrong("its parts do not come to its points");
            }
        }
        Ok(())
    }

    fn judge_holds(&self) -> Judged {
        let mut ids = BTreeSet::new();
        for hold in &self.holds {
            let kept = hold.slices.iter().try_fold(0, |kept, slice| sum([kept, slice.points]));
            let backed = kept.and_then(|kept| sum([kept, hold.unbacked]));
            let empty = hold.slices.iter().any(|slice| slice.points < 1);
            if !ids.insert(hold.id) || hold.id.index() != 1 || empty || backed != Some(hold.points) {
                return Err(format!("hold {} is there twice, or its slices do not come to its points", hold.id));
            }
            within("points", hold.points, 0, MAX_POINTS)?;
        }
        Ok(())
    }

    fn judge_plans(&self) -> Judged {
        let mut ids = BTreeSet::new();
        for plan in &self.plans {
            let days = plan.expiration_days.is_none_or(|days| days >= 1);
            let expiry = plan.terms.expiry.is_none() == plan.expiration_days.is_some();
            let fits = (1..=MAX_PERIODS).contains(&plan.period) && plan.entry >= 1 && days && expiry;
            if !ids.insert(plan.id) || plan.id.index() != 0 || !fits {
                return Err(format!("plan {} is there twice, or out of range", plan.id));
            }
        }
        Ok(())
    }

    fn judge_allotments(&self) -> Judged {
        let mut ids = BTreeSet::new();
        for allotment in &self.allotments {
            let batches: BTreeSet<BatchId> = allotment.slices.iter().map(|slice| slice.batch).collect();
            let slices = allotment.slices.iter().all(|slice| (1..=MAX_POINTS).contains(&slice.points));
            let fits = slices && !batches.is_empty() && batches.len() == allotment.slices.len();
            let epoch = (1..=MAX_EPOCH).contains(&allotment.epoch);
            if !ids.insert(allotment.id) || allotment.id.index() != 0 || !fits || !epoch {
                return Err(format!("allotment {} is there twice, or out of range", allotment.id));
            }
        }
        Ok(())
    }

    /// What consumes, holds and allotments say of batches that are there.
    fn judge_places(&self) -> Judged {
        let mut said: BTreeMap<BatchId, (i64, i64)> = self.batches.iter().map(|batch| (batch.id, (0, 0))).collect();
        let unknown = |id: &BatchId| format!("batch {id} is not carried, and something names it");
        for part in self.consumes.iter().flat_map(|consume| &consume.parts) {
            let (used, _) = said.get_mut(&part.batch).ok_or_else(|| unknown(&part.batch))?;
            *used = used.saturating_add(part.points - part.returned);
        }
        let mut revoked = self.consumes.iter().filter_map(|consume| consume.clawback_of.as_ref());
        if let Some(id) = revoked.find(|id| !said.contains_key(id)) {
            return Err(unknown(id));
        }
        let allotted = self.allotments.iter().flat_map(|allotment| &allotment.slices);
        for slice in self.holds.iter().flat_map(|hold| &hold.slices).chain(allotted) {
            let (_, held) = said.get_mut(&slice.batch).ok_or_else(|| unknown(&slice.batch))?;
            *held = held.saturating_add(slice.points);
        }
        for batch in &self.batches {
            let (used, held) = said.get(&batch.id).copied().unwrap_or_default();
            if used > batch.used || held > batch.held {
                return Err(format!("batch {} has paid or keeps less than something says", batch.id));
            }
        }
        Ok(())
    }

    /// The account's sums are those of its rows, as I2, I3 and I10 have it.
    fn judge_sums(&self) -> Judged {
        let wide = i128::from;
        let figures = self.balances().ok_or("it has more points than there are")?;
        let Balances { available, held, pending, debt } = figures;
        let points = [available, held, pending].into_iter().map(wide).sum::<i128>();
        if points > wide(MAX_POINTS) || debt > MAX_POINTS || [available, held, pending, debt].iter().any(|it| *it < 0) {
            return Err("it has more points than there are".into());
        }
        if debt > 0 && available > 0 {
            return Err("it has debt beside points".into());
        }
        let unbacked = self.holds.iter().map(|hold| wide(hold.unbacked)).sum::<i128>();
        if self.state == AccountState::Closed && (figures != Balances::default() || unbacked > 0) {
            return Err("it is closed, and not empty".into());
        }
        if unbacked > wide(i64::MAX) {
            return Err("its holds reserve more than there is".into());
        }
        let (t, rest) = (&self.totals, &self.rest);
        let of = |pick: fn(&CarriedBatch) -> i64| self.batches.iter().map(|batch| wide(pick(batch))).sum::<i128>();
        let consumed = wide(t.consumed) + wide(t.clawed_back) - wide(t.refunded) - wide(t.written_off);
        let rest_of_all = [rest.used, rest.expired, rest.revoked, rest.moved].into_iter().map(wide).sum::<i128>();
        let amounts = match self.figures {
            Some(_) => points,
            None => of(|batch| batch.amount),
        };
        let sums = [
            ("consumed", of(|batch| batch.used) + wide(rest.used) + wide(debt), consumed),
            ("expired", of(|batch| batch.expired) + wide(rest.expired), wide(t.expired) - wide(t.reinstated)),
            ("revoked", of(|batch| batch.revoked) + wide(rest.revoked), wide(t.revoked)),
            ("moved_out", of(|batch| batch.moved) + wide(rest.moved), wide(t.moved_out) + wide(t.rolled)),
            ("recharged", amounts + rest_of_all, wide(t.recharged) + wide(t.moved_in) + wide(t.rolled)),
        ];
        match sums.into_iter().find(|(_, found, expected)| found != expected) {
            Some((what, found, expected)) => Err(format!("{what} comes to {found}, and its total is {expected}")),
            None => Ok(()),
        }
    }
}

fn within(what: &str, number: i64, least: i64, most: i64) -> Judged {
    if (least..=most).contains(&number) { Ok(()) } else { Err(format!("{what} is {number}")) }
}

fn sum<const N: usize>(numbers: [i64; N]) -> Option<i64> {
    numbers.into_iter().try_fold(0_i64, i64::checked_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An account with some of everything.
    fn sample() -> String {
        let id = |seq: u128, index: u128| {
            uuid::Uuid::from_u128((0x7_0000_8001_8000 << 80 >> 16 << 16) | (2 << 62) | (8 << 76) | (seq << 20) | index)
        };
        let (a, b, c) = (id(5, 1), id(6, 0x11), id(6, 0x12));
        let (consume, clawback, hold, plan) = (id(7, 0), id(9, 0), id(8, 1), id(6, 0));
        format!(
            concat!(
                r#"{{"a":"card \"7\"","state":"frozen","limit":50,"last":1790000000000,"#,
                r#""totals":[160,75,5,10,0,10,20,3,0,30,7],"rest":[0,0,0,0],"#,
                r#""b":[["{a}",3,"wxpay",0,50,100,0,30,60,0,10,0,20,5,9000,null,7,1,1,null,0,0,0],"#,
                r#"["{b}",null,"plan:pro",1,0,60,0,0,20,10,0,30,0,5,6,null,9,1,1,{{"cap":20,"expires_in_days":3}},1,30,1],"#,
                r#"["{c}",null,"plan:pro",1,0,7,0,0,0,0,0,7,0,6,null,"{b}",12,1,1,null,0,7,0]],"#,
                r#""c":[["{consume}",4,75,0,5,0,null,[["{a}",55,5],["{b}",20,0]]],["{clawback}",null,20,7,0,3,"{a}",[["{a}",10,0]]]],"#,
                r#""h":[["{hold}",21,1,9000,[["{a}",20]]]],"l":[["{allotment}",7,9500,1,[["{a}",10]]]],"#,
                r#""pl":[["{plan}",{{"end_of_day":"+08:00","every_months":1,"expires_in_days":3,"offset":"+08:00","points":60,"priority":0,"rollover":{{"cap":20,"expires_in_days":3}},"source":"plan:pro"}},2,5,1,null,8]]}}"#,
            ),
            a = a,
            b = b,
            c = c,
            consume = consume,
            clawback = clawback,
            hold = hold,
            allotment = id(11, 0),
            plan = plan
        )
    }

    #[test]
    fn it_is_written_as_it_was_read() {
        let carried = Carried::read(&sample()).unwrap();
        assert_eq!(carried.line().unwrap(), sample());
        assert_eq!(carried.balances(), Some(Balances { available: 0, held: 30, pending: 0, debt: 7 }));
    }

    /// A cut line is none; of a turned bit nothing can be said but that nothing breaks, and that what is read is written as it is.
    #[test]
    fn a_damaged_line_is_refused_or_another() {
        let sample = sample();
        (0..sample.len()).for_each(|at| assert!(Carried::read(sample.get(..at).unwrap_or_default()).is_err(), "{at}"));
        let mut bytes = sample.clone().into_bytes();
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Some(carried) = std::str::from_utf8(&bytes).ok().and_then(|text| Carried::read(text).ok()) {
                let again = Carried::read(&carried.line().unwrap()).unwrap();
                assert_eq!(again, carried);
            }
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn what_does_not_add_up_is_refused() {
        for (old, new) in [
            ("\"limit\":50", "\"limit\":-1"),
            ("\"last\":1790000000000", "\"last\":-1"),
            ("\"frozen\"", "\"closed\""),
            ("\"frozen\"", "\"cold\""),
            ("[160,75", "[161,75"),
            ("160,75,", "160,76,"),
            ("5,10,0,10", "5,11,0,10"),
            ("5,10,0,10", "5,10,0,11"),
            ("20,3,0,30,7]", "20,3,0,31,7]"),
            ("0,30,7]", "30,7]"),
            ("\"rest\":[0,0,0,0]", "\"rest\":[1,0,0,0]"),
            ("50,100,0,30,60", "50,100,1,29,60"),
            ("50,100,0,30,60", "50,100,0,30,59"),
            ("50,100,0,30", "1001,100,0,30"),
            (",20,5,9000,null,7", ",95,5,9000,null,7"),
            (",20,5,9000,null,7", ",20,9000,9000,null,7"),
            (",20,5,9000,null,7", ",20,5,9000,null,0"),
            ("7,1,1,null,0,0,0]", "7,1,2,null,0,0,0]"),
            ("7,1,1,null,0,0,0]", "7,1,1,null,0,0]"),
            ("7,1,1,null,0,0,0]", "7,1,1,null,0,0,0,0]"),
            ("7,1,1,null,0,0,0]", "7,1,1,null,1,0,0]"),
            ("\"cap\":20,\"expires_in_days\":3},1,30,1]", "\"cap\":20,\"expires_in_days\":3},15,30,1]"),
            ("\"cap\":20,\"expires_in_days\":3},1,30,1]", "\"cap\":20,\"expires_in_days\":3},1,31,1]"),
            ("\"cap\":20,\"expires_in_days\":3},1,30,1]", "\"cap\":0,\"expires_in_days\":3},1,30,1]"),
            (",4,75,0,5,0,null", ",4,75,0,6,0,null"),
            (",4,75,0,5,0,null", ",0,75,0,5,0,null"),
            (",55,5]", ",55,56]"),
            (",21,1,9000", ",21,0,9000"),
            (",7,9500,1,", ",0,9500,1,"),
            (",7,9500,1,", ",7,9500,2,"),
            (",9500,1,[[", ",9500,1,[],[["),
            ("\",10]]]],\"pl\"", "\",11]]]],\"pl\""),
            ("\",10]]]],\"pl\"", "\",0]]]],\"pl\""),
            (",2,5,1,null,8]", ",0,5,1,null,8]"),
            (",2,5,1,null,8]", ",2,5,1,30,8]"),
            ("\"points\":60,", "\"points\":0,"),
            ("\"points\":60,", ""),
            ("\"l\":[[", "\"l\":[1,[["),
            ("\"limit\":50", "\"limit\":50,\"figures\":[0,30,0,7]"),
            ("\"limit\":50", "\"limit\":50,\"limit\":50"),
        ] {
            let line = sample();
            assert!(line.contains(old), "{old}");
            assert!(Carried::read(&line.replacen(old, new, 1)).is_err(), "{old} as {new}");
        }
        let line = r#"{"a":"x","state":"active","limit":0,"last":0,"totals":[9,0,0,0,0,0,0,0,0,0,0],"rest":[0,0,0,0],"figures":[5,4,0,0]}"#;
        assert_eq!(Carried::read(line).unwrap().balances().unwrap().held, 4);
        assert!(Carried::read(&line.replace("5,4", "5,5")).is_err());
    }
}
