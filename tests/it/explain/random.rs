//! Random histories: whatever happened, every explanation adds up.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use counterfoil::answer::{BatchInfo, BatchState};
use counterfoil::clock::Clock;
use counterfoil::report::{Explanation, Missing, Step};
use counterfoil::{AccountId, OperationId, Period, Points, Query};
use serde_json::{Value, json};

use super::causes::adds_up;
use crate::support::World;

const ACCOUNTS: [&str; 3] = ["ann", "bob", "cid"];

/// A small generator: the histories are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        if of.is_empty() { None } else { of.get(self.roll(of.len() as u64) as usize).cloned() }
    }
}

#[derive(Default)]
struct Made {
    batches: Vec<String>,
    holds: Vec<String>,
    uses: Vec<String>,
}

fn line(dice: &mut Dice, made: &Made, now: DateTime<Utc>) -> Option<Value> {
    let account = dice.one(&ACCOUNTS)?;
    let points = dice.roll(30) + 1;
    let hours = |n: u64| (now + TimeDelta::hours(n as i64)).to_rfc3339();
    Some(match dice.roll(14) {
        0..=2 => {
            let mut line =
                json!({"op":"recharge","account":account,"points":points,"source":dice.one(&["wxpay","gift"])});
            line["expires_at"] = if dice.roll(4) == 0 { json!("never") } else { json!(hours(10 + dice.roll(60))) };
            line["priority"] = json!(40 + dice.roll(2) * 10);
            if dice.roll(4) == 0 {
                line["effective_at"] = json!(hours(1 + dice.roll(9)));
            }
            if line["expires_at"] != "never" && dice.roll(3) > 0 {
                line["rollover"] = json!({"cap": 1 + dice.roll(20), "expires_in_hours": 5 + dice.roll(50)});
            }
            line
        }
        3..=5 => {
            let mut line =
                json!({"op":"consume","account":account,"points":points,"service":dice.one(&["tts","video"])});
            line["policy"] = json!(dice.one(&["postpaid", "postpaid", "up_to", "strict"]));
            if dice.roll(3) == 0 {
                line["occurred_at"] = json!((now - TimeDelta::hours(dice.roll(30) as i64)).to_rfc3339());
            }
            line
        }
        6 => json!({"op":"hold","account":account,"points":points,"deadline_seconds":3600 * (1 + dice.roll(20))}),
        7 => json!({"op":"capture","hold":dice.one(&made.holds)?,"points":dice.roll(35)}),
        8 => json!({"op":"release","hold":dice.one(&made.holds)?}),
        9 | 10 => json!({"op":"refund","operation":dice.one(&made.uses)?,"points":points.div_ceil(3),"reason":"r"}),
        11 => {
            let shortfall = dice.one(&["debt", "debt", "clamp"]);
            let points = if dice.roll(3) == 0 { json!("all") } else { json!(points) };
            json!({"op":"revoke","batch":dice.one(&made.batches)?,"points":points,"shortfall":shortfall,"reason":"r"})
        }
        12 => match dice.roll(3) {
            0 => json!({"op":"write_off","account":account,"points":points.div_ceil(4),"reason":"r"}),
            1 => json!({"op":"set_limit","account":account,"credit_limit":dice.roll(20)}),
            _ => {
                let expiry = hours(1 + dice.roll(40));
                json!({"op":"set_expiry","batch":dice.one(&made.batches)?,"expires_at":expiry,"reason":"r"})
            }
        },
        _ => {
            let to = dice.one(&ACCOUNTS).filter(|to| *to != account)?;
            json!({"op":"transfer","account":account,"to":to,"points":points.div_ceil(2)})
        }
    })
}

/// The batches each operation found with points, in draw order.
type Found = BTreeMap<OperationId, Vec<BatchInfo>>;

/// Why a batch comes before another, in the words an explanation begins with.
fn first_because(first: &BatchInfo, next: &BatchInfo) -> String {
    if first.priority != next.priority {
        format!("priority {} before {}", first.priority, next.priority)
    } else if first.expires_at != next.expires_at {
        format!("expires {}", first.expires_at.unwrap().format("%Y-%m-%d"))
    } else if first.promo != next.promo {
        "promotional before paid".into()
    } else {
        "older".into()
    }
}

fn history(seed: u64, length: u64) -> (World, Vec<DateTime<Utc>>) {
    let (world, times, _) = watched_history(seed, length);
    (world, times)
}

fn watched_history(seed: u64, length: u64) -> (World, Vec<DateTime<Utc>>, Found) {
    let mut found = Found::new();
    let (world, mut dice, mut made) = (World::empty(), Dice(seed), Made::default());
    world.apply_text(r#"{"op":"configure","key":"w","setting":"late_window","value":100000}"#).unwrap();
    let mut times = vec![world.clock.now()];
    for number in 0..length {
        world.advance(dice.roll(3) * dice.roll(5) * 1700);
        times.push(world.clock.now());
        let Some(mut line) = line(&mut dice, &made, world.clock.now()) else { continue };
        line["key"] = json!(format!("{number}"));
        let request = counterfoil::Request::parse(&line.to_string()).unwrap();
        let live: Vec<BatchInfo> = match line["account"].as_str() {
            Some(account) => {
                let listed =
                    world.ledger.batches(&AccountId::new(account).unwrap(), &Query::new().limit(1000)).unwrap();
                let live = |batch: &BatchInfo| batch.remaining > 0 && batch.state == BatchState::Live;
                let mut live: Vec<BatchInfo> = listed.items.into_iter().filter(live).collect();
                // Those that rolled, and what they rolled out of, are the likelier to be revoked the longer they are there.
                for batch in live.iter().filter(|batch| batch.from_batch.is_some()) {
                    made.batches
                        .extend([Some(batch.batch), batch.from_batch].iter().flatten().map(ToString::to_string));
                }
                live.sort_by_key(|b| (b.priority, b.expires_at.is_none(), b.expires_at, !b.promo, b.batch));
                live
            }
            None => Vec::new(),
        };
        let Ok(receipt) = world.ledger.apply(&request) else { continue };
        found.insert(receipt.operation, live);
        let batches = receipt.batch.iter().chain(&receipt.batches).map(|batch| batch.batch.to_string());
        made.batches.extend(batches);
        made.holds.extend(receipt.hold.map(|hold| hold.id.to_string()));
        if matches!(receipt.op.as_str(), "consume" | "capture") {
            made.uses.push(receipt.operation.to_string());
        }
    }
    // What falls due now stays unbooked.
    world.advance(dice.roll(40) * 3600);
    times.push(world.clock.now());
    (world, times, found)
}

fn accounts(world: &World) -> Vec<AccountId> {
    let all = world.ledger.accounts(&Query::new()).unwrap();
    all.items.into_iter().map(|balance| balance.account).collect()
}

/// The same, with the earlier lines of each cause told together.
fn in_part(part: &Missing, whole: &Missing) {
    adds_up(part);
    for (part, whole) in [(&part.expired, &whole.expired), (&part.settled, &whole.settled)] {
        assert_eq!(part.points, whole.points);
        assert!(whole.steps.ends_with(&part.steps) && part.steps.len() == whole.steps.len().min(3), "{part:#?}");
        let together: i64 = part.groups.iter().map(|group| group.lines).sum();
        assert_eq!(together, (whole.steps.len() - part.steps.len()) as i64, "{part:#?}");
    }
}

#[test]
fn missing_points_add_up_over_any_period() {
    for seed in 0..15 {
        let (world, times) = history(seed, 120);
        let mut dice = Dice(seed + 1000);
        for account in accounts(&world) {
            adds_up(&world.ledger.explain_missing(&account, &Period::all(), 1000).unwrap());
            for _ in 0..8 {
                let (a, b) = (dice.one(&times).unwrap(), dice.one(&times).unwrap() + TimeDelta::milliseconds(1));
                let Ok(period) = Period::new((dice.roll(4) > 0).then_some(a), (dice.roll(4) > 0).then_some(b)) else {
                    continue;
                };
                let told = world.ledger.explain_missing(&account, &period, 1000).unwrap();
                adds_up(&told);
                in_part(&world.ledger.explain_missing(&account, &period, 3).unwrap(), &told);
                let before = TimeDelta::milliseconds(1);
                if let Some(from) = period.begin() {
                    assert_eq!(told.opening, world.ledger.balance_at(&account, from - before).unwrap().figures);
                }
                if let Some(to) = period.end().filter(|to| *to <= world.clock.now()) {
                    assert_eq!(told.closing, world.ledger.balance_at(&account, to - before).unwrap().figures);
                }
            }
        }
    }
}

#[test]
fn every_batch_is_accounted_for() {
    let mut taken_over = 0;
    for seed in 100..130 {
        let (world, _) = history(seed, 120);
        for account in accounts(&world) {
            for batch in world.ledger.batches(&account, &Query::new().all(true).limit(1000)).unwrap().items {
                let life = world.ledger.explain_batch(&batch.batch).unwrap();
                assert_eq!(life.batch, batch);
                let sum = |what: &str| -> i64 {
                    life.steps.iter().filter(|step| step.what == what).map(|step| step.points.get()).sum()
                };
                let b = &batch;
                let parts = [b.remaining, b.held, b.used, b.expired, b.revoked, b.moved];
                assert_eq!(parts.map(Points::get).iter().sum::<i64>(), b.amount);
                assert_eq!(life.uses.iter().map(|used| used.points.get()).sum::<i64>(), b.used, "{seed}: {life:#?}");
                assert_eq!(life.uses_by_service.iter().map(|used| used.points).sum::<i64>(), b.used);
                assert_eq!(sum("held"), b.held, "{seed}: {life:#?}");
                let rolled = sum("rolled_over") + sum("taken_over") - sum("rolled_back");
                assert_eq!(sum("moved") + rolled, b.moved, "{seed}: {life:#?}");
                assert_eq!(sum("expired") + sum("lapsed") - sum("came_back"), b.expired, "{seed}: {life:#?}");
                assert_eq!(sum("revoked") + sum("taken"), b.revoked, "{seed}: {life:#?}");
                taken_over += sum("taken_over");
            }
        }
    }
    assert!(taken_over > 0, "nothing came back to what a revoked batch had rolled into");
}

/// What came back went somewhere, what was paid or forgiven was somebody's debt, and what is gone of a new batch went
/// by the lines listed.
fn all_is_told(told: &Explanation) {
    let receipt = &told.operation.receipt;
    let went = |what: &str| -> i64 {
        told.went_to.iter().filter(|went| went.what == what).map(|went| went.points.get()).sum()
    };
    if matches!(receipt.op.as_str(), "refund" | "release" | "capture") {
        assert_eq!((went("restored"), went("lapsed")), (receipt.restored.get(), receipt.lapsed.get()), "{told:#?}");
    }
    if receipt.op == "refund" {
        assert_eq!(told.went_to.iter().map(|went| went.points.get()).sum::<i64>(), receipt.points, "{told:#?}");
    }
    let lines = told.sides.iter().flat_map(|side| &side.lines);
    let settled: i64 = lines.filter(|line| line.kind == "settle").map(|line| line.points.get()).sum();
    assert_eq!(told.settled.iter().map(|settled| settled.points.get()).sum::<i64>(), settled, "{told:#?}");
    for settled in &told.settled {
        assert_eq!(settled.parts.iter().map(|debt| debt.points.get()).sum::<i64>(), settled.points, "{told:#?}");
    }
    if receipt.op == "write_off" {
        assert_eq!(told.forgiven.iter().map(|debt| debt.points.get()).sum::<i64>(), receipt.points, "{told:#?}");
    }
    if matches!(receipt.op.as_str(), "recharge" | "transfer") {
        for batch in &told.batches_now {
            let gone = told.since.iter().filter(|since| since.batch == Some(batch.batch));
            let gone: i64 = gone.map(Step::gone).sum();
            assert_eq!(gone, batch.expired.get() + batch.revoked.get() + batch.moved.get(), "{told:#?}");
        }
    }
}

#[test]
fn every_operation_is_explained() {
    let mut claims = 0;
    for seed in 200..215 {
        let (world, _, found) = watched_history(seed, 120);
        let mut paid: BTreeMap<OperationId, i64> = BTreeMap::new();
        for account in accounts(&world) {
            for settled in world.ledger.explain_missing(&account, &Period::all(), 1000).unwrap().settled.steps {
                for debt in settled.parts {
                    *paid.entry(debt.operation.unwrap()).or_default() += debt.points.get();
                }
            }
        }
        for number in 1..=world.ledger.info().unwrap().operations {
            let told = world.ledger.explain(&world.ledger.operation_id(number).unwrap()).unwrap();
            let receipt = &told.operation.receipt;
            for side in &told.sides {
                let change = |of: fn(&counterfoil::answer::Balances) -> i64| -> i64 {
                    side.lines.iter().map(|line| of(&line.change)).sum()
                };
                assert_eq!(
                    side.before.available.get() + change(|four| four.available),
                    side.after.available,
                    "{told:#?}"
                );
                assert_eq!(side.before.held.get() + change(|four| four.held), side.after.held, "{told:#?}");
                assert_eq!(side.before.pending.get() + change(|four| four.pending), side.after.pending, "{told:#?}");
                assert_eq!(side.before.debt.get() + change(|four| four.debt), side.after.debt, "{told:#?}");
            }
            assert_eq!(told.sides.is_empty(), receipt.account.is_none());
            assert_eq!(told.sides.len() == 2, receipt.op == "transfer");
            told.sides.first().into_iter().for_each(|side| assert_eq!(side.after, receipt.balance, "{told:#?}"));
            let own: i64 = told.paid_by.iter().map(|payer| payer.points.get()).sum();
            let later: i64 = told.settled_by.iter().map(|payer| payer.points.get()).sum();
            let back: i64 = told.paid_by.iter().chain(&told.settled_by).map(|payer| payer.returned.get()).sum();
            if matches!(receipt.op.as_str(), "consume" | "capture") {
                assert_eq!(own + receipt.open.get(), receipt.points, "{told:#?}");
                let open = told.operation.open_now.unwrap().get();
                let gone = told.refunded.get() + told.written_off.get();
                assert_eq!(own + later - back + open + gone, receipt.points, "{told:#?}");
                let refunds = told.since.iter().filter(|since| since.what == "returned");
                assert_eq!(refunds.map(|since| since.points.get()).sum::<i64>(), told.refunded, "{told:#?}");
            }
            if receipt.op == "transfer" {
                assert_eq!(own, receipt.points, "{told:#?}");
            }
            assert_eq!(paid.get(&told.operation.receipt.operation).copied().unwrap_or(0), later, "{told:#?}");
            // Every batch has its reason, and it is what was there at that moment.
            for payer in &told.paid_by {
                let why = payer.why.as_ref().unwrap_or_else(|| panic!("no reason: {told:#?}"));
                if payer.held || receipt.op == "capture" || why.starts_with("expired ") {
                    continue;
                }
                let found = &found[&receipt.operation];
                let place = found.iter().position(|batch| batch.batch == payer.batch).unwrap();
                match found.get(place + 1) {
                    Some(next) => assert!(why.starts_with(&first_because(&found[place], next)), "{why}: {told:#?}"),
                    None => assert!(why.ends_with("batch with points") || told.operation.receipt.reinstated > 0),
                }
                claims += 1;
            }
            all_is_told(&told);
            // Reasons are given in the order they speak of.
            let keys: Vec<_> = told.paid_by.iter().filter(|payer| !payer.held).collect();
            let key = |payer: &&counterfoil::report::Payer| {
                (payer.priority, payer.expires_at.is_none(), payer.expires_at, !payer.promo, payer.batch)
            };
            if receipt.op != "capture" {
                assert!(keys.is_sorted_by_key(key), "{told:#?}");
            }
        }
    }
    assert!(claims > 100, "only {claims} reasons were given");
}
