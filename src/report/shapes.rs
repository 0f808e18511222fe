//! From rows to answers: the one place where numbers become ids and columns become documented fields.

use chrono::{DateTime, FixedOffset, Utc};
use serde_json::Value;

use crate::engine::{Source, parse_body, would_roll};
use crate::error::{Error, Result};
use crate::model::{
    AccountId, Allocation, AllocationRow, Balances, BatchInfo, BatchNo, BatchRow, BatchState, DeviceState, Entry,
    EntryKind, EntryRow, Every, Expiry, Figures, HoldId, HoldInfo, HoldMark, HoldRow, HoldState, Made, Movement,
    MovementRow, NewValue, OpKind, OperationId, OperationRow, PlanInfo, PlanMark, PlanRow, Receipt, Request, Role,
    Rolling, Writers, batch_operation,
};
use crate::units::{Instant, Points};

pub(crate) fn figures(balances: Balances) -> Result<Figures> {
    let Balances { available, held, pending, debt } = balances;
    // Neither is negative, so the difference cannot overflow.
    let net = available.saturating_sub(debt);
    let (available, held) = (Points::booked(available)?, Points::booked(held)?);
    Ok(Figures { available, held, pending: Points::booked(pending)?, debt: Points::booked(debt)?, net })
}

fn told(writers: &Writers, movement: &MovementRow) -> Result<Movement> {
    let MovementRow { operation, batch, from, to, points } = *movement;
    let (batch, operation) = (batch.map(|no| writers.batch(no)), operation.map(|seq| writers.operation(seq)));
    Ok(Movement { batch, operation, from, to, points: Points::booked(points)? })
}

fn made(writers: &Writers, (no, expires_at): (BatchNo, i64)) -> Made {
    let expires_at = (expires_at >= 0).then(|| Instant::clamped(expires_at).utc());
    Made { batch: writers.batch(no), expires_at }
}

/// When a consume was said to have happened, where that was later than it was booked.
fn later_than_now(row: &OperationRow) -> Result<Option<DateTime<Utc>>> {
    if row.outcome.occurred_at != Some(row.booked_at.millis()) {
        return Ok(None);
    }
    let body = parse_body(row)?;
    let given = body.get("occurred_at").and_then(Value::as_str);
    let given = given.map(|text| Instant::parse("occurred_at", text)).transpose()?;
    Ok(given.filter(|given| *given > row.booked_at).map(Instant::utc))
}

/// What an operation set, as it was and as it is from then on.
pub(crate) fn changed(row: &OperationRow) -> Result<Option<NewValue>> {
    let (before, outcome) = (row.outcome.before.unwrap_or(0), &row.outcome);
    let end = |millis: i64| match millis {
        0.. => Value::from(Instant::clamped(millis).to_string()),
        _ => Value::from("never"),
    };
    let new = |what: &str, before, after| Ok(Some(NewValue { what: what.into(), before, after }));
    match (row.kind, outcome.batches.first(), outcome.hold) {
        (OpKind::Open | OpKind::SetLimit, ..) => {
            let limit = parse_body(row)?.get("credit_limit").cloned();
            new("credit_limit", before.into(), limit.unwrap_or_else(|| 0.into()))
        }
        (OpKind::SetExpiry, Some((_, expires_at)), _) => new("expires_at", end(before), end(*expires_at)),
        (OpKind::Renew, _, Some((.., deadline))) => new("deadline", end(before), end(deadline)),
        (OpKind::Configure, ..) => {
            let body = parse_body(row)?;
            let (setting, value) = (body.get("setting").and_then(Value::as_str), body.get("value"));
            let (Some(setting), Some(after)) = (setting, value) else { return Ok(None) };
            let before = match (setting, before) {
                ("accounts", 0) => "first_use".into(),
                ("accounts", _) => "explicit".into(),
                ("global_keys", _) => Value::Null,
                _ => before.into(),
            };
            new(setting, before, after.clone())
        }
        (OpKind::BecomeHub, ..) => new("role", Role::Standalone.as_str().into(), Role::Hub.as_str().into()),
        (OpKind::Enrol, ..) => new("role", Role::Standalone.as_str().into(), Role::Device.as_str().into()),
        (OpKind::Admit | OpKind::Expel, ..) => {
            let after = if row.kind == OpKind::Admit { DeviceState::Admitted } else { DeviceState::Expelled };
            match outcome.before.and_then(DeviceState::from_code) {
                Some(before) => new("device", before.as_str().into(), after.as_str().into()),
                None => Ok(None),
            }
        }
        _ => Ok(None),
    }
}

/// The receipt of an operation: at once, and every time its key comes again.
pub(crate) fn receipt(writers: &Writers, row: &OperationRow, after: Balances, replayed: bool) -> Result<Receipt> {
    let outcome = &row.outcome;
    let hold = match outcome.hold {
        None => None,
        Some((no, phase, deadline)) => {
            let phase = HoldState::from_code(phase)
                .ok_or_else(|| Error::corrupt(format!("operation {}: outcome: hold phase {phase}", row.seq)))?;
            Some(HoldMark { id: writers.hold(no), state: phase, deadline: Instant::clamped(deadline).utc() })
        }
    };
    let plan = outcome.plan.map(|(plan, next_at)| PlanMark {
        id: writers.plan(plan),
        next_at: (next_at >= 0).then(|| Instant::clamped(next_at).utc()),
    });
    let batches: Vec<Made> = outcome.batches.iter().map(|batch| made(writers, *batch)).collect();
    let (batch, batches) =
        if row.kind == OpKind::Transfer { (None, batches) } else { (batches.into_iter().next(), Vec::new()) };
    Ok(Receipt {
        occurred_at_given: later_than_now(row)?,
        op: row.kind,
        operation: writers.operation(row.seq),
        account: row.account.as_ref().map(|(_, id)| id.clone()),
        key: row.key.clone(),
        replayed,
        dry_run: false,
        points: Points::booked(row.points)?,
        booked_at: row.booked_at.utc(),
        recorded_at: row.recorded_at.utc(),
        occurred_at: outcome.occurred_at.map(|at| Instant::clamped(at).utc()),
        service: outcome.service.clone(),
        quantity: outcome.quantity.clone(),
        unit: outcome.unit.clone(),
        price_book: row.price_book.map(|(_, hash)| hash),
        batch,
        batches,
        hold,
        plan,
        changed: changed(row)?,
        allocations: outcome
            .draws
            .iter()
            .map(|(no, points)| Ok(Allocation { batch: writers.batch(*no), points: Points::booked(*points)? }))
            .collect::<Result<_>>()?,
        open: Points::booked(outcome.open)?,
        restored: Points::booked(outcome.restored)?,
        lapsed: Points::booked(outcome.lapsed)?,
        reinstated: Points::booked(outcome.reinstated)?,
        short: Points::booked(outcome.short)?,
        over_limit: outcome.over_limit,
        owed: Points::booked(outcome.owed)?,
        uncollected: Points::booked(outcome.uncollected)?,
        clock_suspect: row.clock == crate::model::ClockMark::Suspect,
        clock_behind: row.clock_behind(),
        balance: figures(after)?,
        balance_now: None,
        state_now: None,
    })
}

/// A batch as it stands at an instant (catch-up to it done).
pub(crate) fn batch(writers: &Writers, account: &AccountId, row: &BatchRow, at: Instant) -> Result<BatchInfo> {
    // After a step of the clock one can be effective before its time: what is booked counts.
    let state = if !row.active && row.effective_at > at {
        BatchState::Pending
    } else if row.is_expired(at) {
        BatchState::Expired
    } else if row.remaining > 0 || row.held > 0 {
        BatchState::Live
    } else {
        BatchState::Spent
    };
    let id = writers.batch(row.no);
    let rolls = row.expires_at.filter(|end| *end > at).and_then(|end| would_roll(row, end));
    Ok(BatchInfo {
        batch: id,
        batch_number: id.number(),
        account: account.clone(),
        source: row.source.to_string(),
        promo: row.promo,
        priority: row.priority,
        amount: Points::booked(row.amount)?,
        remaining: Points::booked(row.remaining)?,
        held: Points::booked(row.held)?,
        used: Points::booked(row.used)?,
        expired: Points::booked(row.expired)?,
        revoked: Points::booked(row.revoked)?,
        moved: Points::booked(row.moved)?,
        owed: Points::booked(row.owed)?,
        effective_at: row.effective_at.utc(),
        expires_at: row.expires_at.map(Instant::utc),
        state,
        operation: writers.operation(row.operation()),
        sequence: row.operation(),
        period: row.period(),
        from_batch: row.from_batch.map(|no| writers.batch(no)),
        rollover: row.rolling().map(Rolling::told),
        would_roll: Points::booked(rolls.map_or(0, |(points, _)| points))?,
    })
}

/// A plan as it stands (catch-up done).
pub(crate) fn plan(writers: &Writers, account: &AccountId, row: &PlanRow) -> Result<PlanInfo> {
    let terms = &row.terms;
    let zone = |seconds: i32| FixedOffset::east_opt(seconds).map_or_else(String::new, |offset| offset.to_string());
    let mut info = PlanInfo {
        plan: writers.plan(row.operation),
        sequence: row.operation,
        account: account.clone(),
        points: Points::booked(terms.points)?,
        source: terms.source.clone(),
        promo: row.promo,
        priority: terms.priority,
        every_days: None,
        every_weeks: None,
        every_months: None,
        anchor: row.anchor.utc(),
        offset: zone(terms.offset),
        count: terms.count,
        expires_at: None,
        expires_in_hours: None,
        expires_in_days: None,
        expires_in_months: None,
        end_of_day: None,
        rollover: terms.rollover.map(Rolling::told),
        state: row.state(),
        next_period: row.due_at.map(|_| row.period),
        next_at: row.due_at.map(Instant::utc),
    };
    match terms.every {
        Every::Days(days) => info.every_days = Some(days),
        Every::Weeks(weeks) => info.every_weeks = Some(weeks),
        Every::Months(months) => info.every_months = Some(months),
    }
    match row.expiry() {
        Expiry::Never => info.expires_at = Some("never".into()),
        Expiry::PeriodEnd => info.expires_at = Some("period_end".into()),
        Expiry::At(at) => info.expires_at = Some(at.to_string()),
        Expiry::Hours(hours, offset) => (info.expires_in_hours, info.end_of_day) = (Some(hours), offset.map(zone)),
        Expiry::Days(days, offset) => (info.expires_in_days, info.end_of_day) = (Some(days), offset.map(zone)),
        Expiry::Months(months, offset) => (info.expires_in_months, info.end_of_day) = (Some(months), offset.map(zone)),
    }
    Ok(info)
}

/// A hold, with the operation that made it.
pub(crate) fn hold(
    source: &dyn Source,
    writers: &Writers,
    account: &AccountId,
    row: &HoldRow,
    slices: &[AllocationRow],
) -> Result<HoldInfo> {
    let lost = || Error::corrupt(format!("operation {} made a hold and is missing", row.operation));
    let made = source.operation_row(row.operation)?.ok_or_else(lost)?;
    let body = parse_body(&made)?;
    Ok(HoldInfo {
        hold: writers.hold(row.operation),
        account: account.clone(),
        points: Points::booked(row.points)?,
        unbacked: Points::booked(row.unbacked)?,
        deadline: row.deadline.utc(),
        state: row.phase,
        service: row.service.clone(),
        operation: writers.operation(row.operation),
        sequence: row.operation,
        key: made.key,
        reference: body.get("reference").and_then(Value::as_str).map(str::to_string),
        booked_at: made.booked_at.utc(),
        slices: slices
            .iter()
            .filter(|slice| slice.points > 0)
            .map(|slice| allocation(writers, slice))
            .collect::<Result<_>>()?,
    })
}

pub(crate) fn allocation(writers: &Writers, row: &AllocationRow) -> Result<Allocation> {
    Ok(Allocation { batch: writers.batch(row.batch), points: Points::booked(row.points)? })
}

fn is_own_line(operation: OpKind, entry: EntryKind) -> bool {
    match entry {
        EntryKind::Settle | EntryKind::Reopen | EntryKind::Clawback => false,
        EntryKind::Open => operation == OpKind::Open,
        _ => true,
    }
}

/// Where a batch's points came from. One that is not booked yet has it from the operation that makes it.
pub(super) fn batch_source(source: &dyn Source, no: BatchNo) -> Result<Option<String>> {
    if let Some(batch) = source.batch(no)? {
        return Ok(Some(batch.source.to_string()));
    }
    let Some(operation) = source.operation_row(batch_operation(no))? else { return Ok(None) };
    Ok(parse_body(&operation)?.get("source").and_then(Value::as_str).map(str::to_string))
}

/// A line of an account's books, with what its operation says about itself.
pub(crate) fn entry(
    source: &dyn Source,
    writers: &Writers,
    account: &AccountId,
    row: &EntryRow,
    unbooked: bool,
) -> Result<Entry> {
    let operation = match row.operation {
        // What an operation says of itself stands at its own line, not at those that follow from it.
        Some(seq) => source.operation_row(seq)?.filter(|operation| is_own_line(operation.kind, row.kind)),
        None => None,
    };
    let body = operation.as_ref().map_or_else(|| Ok(Request::default()), parse_body)?;
    let said = |name: &str| body.get(name).and_then(Value::as_str);
    let text = |name: &str| said(name).map(str::to_string);
    let outcome = operation.as_ref().map(|operation| &operation.outcome);
    let source_name = match (row.operation, row.batch) {
        (None, Some(no)) => batch_source(source, no)?,
        _ => text("source"),
    };
    let counterparty = match row.kind {
        EntryKind::TransferOut => said("to").map(AccountId::new).transpose()?,
        EntryKind::TransferIn => operation.as_ref().and_then(|o| o.account.as_ref()).map(|(_, payer)| payer.clone()),
        _ => None,
    };
    // A hold is known by the operation that made it.
    let refers_to = said("operation").map(|id| id.parse().map(OperationId::sequence));
    let refers_to = refers_to.or_else(|| said("hold").map(|id| id.parse().map(HoldId::sequence))).transpose()?;
    // An allotment is known by what set it aside at the hub.
    let allotment = said("allotment").map(str::parse).transpose()?;
    Ok(Entry {
        n: row.n,
        account: account.clone(),
        kind: row.kind,
        operation: row.operation.map(|seq| writers.operation(seq)),
        sequence: row.operation,
        booked_at: row.booked_at.utc(),
        occurred_at: outcome.and_then(|outcome| outcome.occurred_at).map(|at| Instant::clamped(at).utc()),
        points: Points::booked(row.points)?,
        expired: row.expired,
        change: row.change,
        after: row.after,
        movements: row.movements.iter().map(|movement| told(writers, movement)).collect::<Result<_>>()?,
        service: outcome.and_then(|outcome| outcome.service.clone()),
        quantity: outcome.and_then(|outcome| outcome.quantity.clone()),
        unit: outcome.and_then(|outcome| outcome.unit.clone()),
        source: source_name,
        counterparty,
        refers_to: refers_to.map(|seq| writers.operation(seq)).or(allotment),
        reference: text("reference"),
        description: text("description"),
        reason: text("reason"),
        actor: text("actor"),
        metadata: body.metadata().cloned(),
        batch: row.batch.map(|no| writers.batch(no)),
        batch_number: row.batch.map(|no| writers.batch(no).number()),
        unbooked,
    })
}
