//! Plans: recurring recharges.

use super::books::{Batch, Context, Draft, MAX_POINTS, Model, Outcome, refuse};
use super::instant::{self, LAST, SECOND, Span};
use super::request::Request;
use super::rollover::Rollover;
use super::time::Note;
use serde_json::{Value, json};

/// More periods than this are not looked ahead.
const AHEAD: usize = 10_000;

#[derive(Clone, Copy, Debug)]
pub enum Ends {
    At(i64),
    Never,
    PeriodEnd,
    /// After so long, perhaps at the end of that day.
    After(Span, Option<i64>),
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub operation: i64,
    pub account: String,
    /// When it was made, among batches and plans.
    pub made: usize,
    pub points: i64,
    pub source: String,
    pub promo: bool,
    pub priority: i64,
    pub every: Span,
    pub anchor: i64,
    /// Seconds east of Greenwich.
    pub offset: i64,
    pub count: Option<i64>,
    pub ends: Ends,
    pub rollover: Option<Rollover>,
    /// The next period's number, from 1 at the anchor.
    pub next: i64,
    pub stopped: bool,
}

impl Plan {
    /// The period's instant by the calendar, counted from the anchor.
    fn instant(&self, period: i64) -> Option<i64> {
        let shift = self.offset * SECOND;
        let span = match self.every {
            Span::Hours(n) => Span::Hours(n.checked_mul(period - 1)?),
            Span::Days(n) => Span::Days(n.checked_mul(period - 1)?),
            Span::Months(n) => Span::Months(n.checked_mul(period - 1)?),
        };
        let at = instant::later(self.anchor + shift, span, None)? - shift;
        Some(at).filter(|at| (0..=LAST).contains(at))
    }

    /// When a period begins and its batch ends; none of one that does not come.
    pub fn period(&self, period: i64) -> Option<(i64, Option<i64>)> {
        if self.count.is_some_and(|count| period > count) || period > 65_535 {
            return None;
        }
        let begins = self.instant(period)?;
        let ends = match self.ends {
            Ends::Never => return Some((begins, None)),
            Ends::At(at) => at,
            Ends::PeriodEnd => self.instant(period + 1)?,
            Ends::After(span, offset) => instant::later(begins, span, offset)?,
        };
        (ends > begins && ends <= LAST).then_some((begins, Some(ends)))
    }

    /// The next period's instant, unless none is to come.
    pub fn due(&self) -> Option<i64> {
        if self.stopped { None } else { self.period(self.next).map(|(at, _)| at) }
    }
}

impl Model {
    pub fn begin_plan(&mut self, request: &Request, context: &Context) -> Outcome {
        let (account, now) = (context.account.as_str(), context.now);
        let source = request.text("source").unwrap_or_default().to_string();
        let every = [("every_days", 1), ("every_weeks", 7), ("every_months", 0)];
        let every = every.iter().find_map(|(name, days)| request.int(name).map(|n| (n, *days)));
        let (n, days) = every.expect("checked shape");
        let promo = request.inputs.get("promo").and_then(Value::as_bool);
        let after = |span| Ends::After(span, request.int("end_of_day"));
        let mut plan = Plan {
            operation: context.number,
            account: account.into(),
            made: self.made,
            points: request.int("points").expect("checked shape"),
            promo: promo.unwrap_or_else(|| self.prices.promo_sources.contains(&source)),
            source,
            priority: request.int("priority").unwrap_or(50),
            every: if days == 0 { Span::Months(n) } else { Span::Days(n * days) },
            anchor: request.int("anchor").unwrap_or(now),
            offset: request.int("offset").unwrap_or(0),
            count: request.int("count"),
            ends: match (request.text("expires_at"), request.int("expires_at")) {
                (Some("never"), _) => Ends::Never,
                (Some(_), _) => Ends::PeriodEnd,
                (None, Some(at)) => Ends::At(at),
                (None, None) => {
                    let hours = request.int("expires_in_hours").map(Span::Hours);
                    let months = hours.or(request.int("expires_in_months").map(Span::Months));
                    let days = request.int("expires_in_days").unwrap_or(self.prices.expiration_days);
                    after(months.unwrap_or(Span::Days(days)))
                }
            },
            rollover: Rollover::of(request),
            next: 1,
            stopped: false,
        };
        // Those before now are not given.
        while plan.next <= 65_535 && plan.instant(plan.next).is_some_and(|at| at < now) {
            plan.next += 1;
        }
        let Some(first) = plan.due() else { return refuse("invalid_argument") };
        self.open_on_first_use(account, context);
        self.made += 1;
        let points = plan.points;
        self.plans.push(plan);
        let p = self.plans.len() - 1;
        self.book_own(request, context, "plan", 0);
        let mut draft = Draft { points, ..Draft::default() };
        if first == now
            && let Some(b) = self.give_period(p)
        {
            draft.put("batch", self.batch_said(b));
            self.book_batch(request, context, "recharge", points, b);
            self.settle(account, now, Some(context.number));
        }
        self.say_plan(&mut draft, p);
        Ok(draft)
    }

    /// Makes the batch of the plan's next period, unless that would be more points than there can be.
    fn give_period(&mut self, p: usize) -> Option<usize> {
        let plan = self.plans[p].clone();
        let (begins, expires_at) = plan.period(plan.next).expect("it is due");
        self.plans[p].next += 1;
        let [available, held, pending, _] = self.figures(&plan.account);
        if available + held + pending + plan.points > MAX_POINTS {
            return None;
        }
        self.total(&plan.account, "recharged", plan.points);
        let batch = Batch {
            account: plan.account.clone(),
            made_by: (plan.operation, plan.next * 16 + 1),
            made: 0,
            period: Some(plan.next),
            source: plan.source,
            promo: plan.promo,
            priority: plan.priority,
            amount: plan.points,
            remaining: plan.points,
            held: 0,
            used: 0,
            expired: 0,
            revoked: 0,
            moved: 0,
            owed: 0,
            returned: 0,
            effective_at: begins,
            asked: true,
            expires_at,
            active: true,
            from_batch: None,
            rollover: plan.rollover,
            rolled: false,
            rolled_from: None,
        };
        Some(self.push_batch(batch))
    }

    /// A period falls due by time alone.
    pub fn period_begins(&mut self, p: usize, at: i64) {
        let (account, points) = (self.plans[p].account.clone(), self.plans[p].points);
        if let Some(b) = self.give_period(p) {
            let labels = Value::as_object(&json!({"source": self.plans[p].source})).cloned().unwrap_or_default();
            self.book(&account, "recharge", at, points, Note { operation: None, batch: Some(b), labels });
            self.settle(&account, at, None);
        }
    }

    pub fn stop_plan(&mut self, request: &Request, context: &Context) -> Outcome {
        let p = self.target_plan(request).expect("resolved before");
        let mut draft = Draft::default();
        // Given by a wrong clock, for later than now, and untouched.
        for batch in &mut self.batches {
            let of_plan = batch.made_by.0 == self.plans[p].operation && batch.period.is_some();
            if of_plan && !batch.active && batch.effective_at > context.now && batch.remaining == batch.amount {
                draft.points += std::mem::take(&mut batch.remaining);
                batch.revoked = batch.amount;
            }
        }
        self.total(&context.account, "revoked", draft.points);
        if self.plans[p].due().is_some() {
            self.plans[p].stopped = true;
        }
        self.book_own(request, context, "stop", draft.points);
        self.say_plan(&mut draft, p);
        Ok(draft)
    }

    pub fn target_plan(&self, request: &Request) -> Option<usize> {
        let number: i64 = request.text("plan")?.strip_prefix("plan:")?.parse().ok()?;
        self.plans.iter().position(|plan| plan.operation == number)
    }

    fn say_plan(&self, draft: &mut Draft, p: usize) {
        let mut said = json!({"id": format!("plan:{}", self.plans[p].operation)});
        if let Some(at) = self.plans[p].due() {
            said["next_at"] = json!(instant::text(at));
        }
        draft.put("plan", said);
    }

    /// Whether more periods begin by an instant than are looked ahead.
    pub fn too_far_ahead(&self, account: &str, until: i64) -> bool {
        let own = self.plans.iter().filter(|plan| plan.account == account && !plan.stopped);
        let coming = own.flat_map(|plan| {
            (plan.next..).map_while(|n| plan.period(n)).take_while(|(begins, _)| *begins <= until).take(AHEAD + 1)
        });
        coming.take(AHEAD + 1).count() > AHEAD
    }

    pub fn plans_shown(&self, account: &str) -> Vec<Value> {
        let own = self.plans.iter().filter(|plan| plan.account == account);
        let shown = own.map(|plan| {
            let mut value = json!({
                "plan": format!("plan:{}", plan.operation),
                "points": plan.points,
                "source": plan.source,
                "promo": plan.promo,
                "anchor": instant::text(plan.anchor),
                "state": match plan.due() {
                    _ if plan.stopped => "stopped",
                    Some(_) => "active",
                    None => "ended",
                },
            });
            if let Some(at) = plan.due() {
                value["next_period"] = json!(plan.next);
                value["next_at"] = json!(instant::text(at));
            }
            value
        });
        shown.collect()
    }
}
