//! Random histories against the model itself.

use super::books::{Bug, Entry, Model, Reading};
use super::generate::{Generator, Random, START, Style, history};
use super::laws::{Trial, compare, compare_every, extra_sweeps, play};
use super::prices::Prices;
use super::shrink;
use super::steps::{Act, Made, Step, System};
use std::collections::BTreeMap;
use std::sync::Arc;

fn fresh(seed: u64) -> Model {
    Model::new(Style::of(seed).start, Prices::sample())
}

fn planted(bug: Bug, seed: u64) -> Model {
    Model { planted: Some(bug), ..fresh(seed) }
}

#[test]
fn invariants_hold_in_random_histories() {
    let mut answers: BTreeMap<String, usize> = BTreeMap::new();
    let mut booked_ops: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 0..2_000 {
        let style = Style { historic: seed % 10 == 9, ..Style::of(seed) };
        let (mut model, mut made) = (fresh(seed), Made::default());
        for step in Generator::new(seed, style).run() {
            let answer = play(&mut model, &mut made, &step);
            let faults = model.faults(step.reading);
            assert!(faults.is_empty(), "seed {seed}, step {step:?}: {faults:#?}");
            if let Act::Line(line) = &step.act {
                let said = match answer["refused"].as_str() {
                    Some(code) => code,
                    None if answer["replayed"] == true => "replayed",
                    None => "booked",
                };
                if said == "booked" {
                    let op = line["op"].as_str().unwrap_or("").to_string();
                    *booked_ops.entry(op).or_default() += 1;
                }
                *answers.entry(said.into()).or_default() += 1;
            }
        }
    }
    println!("{answers:#?}\n{booked_ops:#?}");
    let all: usize = answers.values().sum();
    assert!((60..=80).contains(&(answers["booked"] * 100 / all)), "{answers:?}");
}

/// Each rule of the clock is met often enough to be tried.
#[test]
fn histories_meet_every_clock() {
    let mut met: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0..600 {
        let (mut model, mut made) = (fresh(seed), Made::default());
        for step in history(seed) {
            let before = model.clone();
            let answer = play(&mut model, &mut made, &step);
            let entries = model.accounts.iter().flat_map(|(id, books)| {
                let known = before.accounts.get(id).map_or(0, |books| books.entries.len());
                books.entries[known..].iter()
            });
            let by_time = entries.filter(|entry| entry.operation.is_none()).cloned().collect::<Vec<_>>();
            let reinstated = |entry: &&Arc<Entry>| entry.kind == "reinstate";
            let believed = before.clock.suspect_since.is_some_and(|since| {
                let far = before.is_far(step.reading.ms) && model.clock.accepted == step.reading.ms;
                far && since < step.reading.ms && !step.reading.trusted
            });
            let confirms = matches!(&step.act, Act::Line(line) if line["op"] == "confirm_clock");
            let swept = matches!(step.act, Act::Expire) && model.log.len() > before.log.len();
            let clipped = model.holds.iter().zip(&before.holds).any(|(new, old)| new.deadline < old.deadline);
            for (what, times) in [
                ("suspect", usize::from(answer["clock_suspect"] == true)),
                ("behind", usize::from(answer["clock_behind"].is_i64())),
                ("believed at last", usize::from(believed && !confirms)),
                ("stepped back", usize::from(model.clock.steps_back > before.clock.steps_back)),
                ("not confirmed", usize::from(confirms && answer["refused"] == "invalid_argument")),
                ("came back", by_time.iter().filter(reinstated).filter(|entry| entry.change[0] > 0).count()),
                ("waits again", by_time.iter().filter(reinstated).filter(|entry| entry.change[2] > 0).count()),
                ("reopened", by_time.iter().filter(|entry| entry.kind == "reopen").count()),
                ("hold cut", usize::from(clipped)),
                ("sweep booked", usize::from(swept)),
            ] {
                *met.entry(what).or_default() += times;
            }
        }
    }
    println!("{met:#?}");
    assert!(met.values().all(|times| *times >= 5), "{met:?}");
}

#[test]
fn a_model_is_like_itself() {
    for seed in 0..40 {
        let steps = history(seed);
        compare(&mut fresh(seed), &mut fresh(seed), &steps).expect("the same");
        let text = shrink::print(seed, &steps);
        assert_eq!(shrink::print(seed, &shrink::parse(&text).expect("readable")), text);
    }
}

#[test]
fn lazy_is_eager() {
    let mut swept = 0;
    for seed in 0..800 {
        let steps = history(seed);
        let sweeps = extra_sweeps(Style::of(seed).start, &Prices::sample(), &steps, seed);
        swept += sweeps.values().map(Vec::len).sum::<usize>();
        let check = |steps: &[Step]| {
            let sweeps = extra_sweeps(Style::of(seed).start, &Prices::sample(), steps, seed);
            compare_every(&mut fresh(seed), &mut fresh(seed), steps, 4, &sweeps)
        };
        if let Err(difference) = check(&steps) {
            let small = shrink::shrink(&steps, &mut |steps| check(steps).is_err());
            panic!("{difference}\n{}", shrink::print(seed, &small));
        }
    }
    assert!(swept > 8_000, "{swept}");
}

#[test]
fn prefix_laws_hold() {
    let mut tried = [0; 3];
    for seed in 0..1_500 {
        let mut random = Random::new(seed);
        let mut steps = history(seed);
        steps.truncate(random.range(1, 60) as usize);
        let newest = steps.iter().map(|step| step.reading.ms).max().unwrap_or(START);
        let whole = random.range(2, 15);
        let trial = Trial {
            prefix: &steps,
            account: if random.percent(50) { "alice" } else { "bob" },
            reading: Reading { ms: newest, trusted: true },
            whole,
            less: random.range(2, whole),
        };
        let mut make = || Box::new(fresh(seed)) as Box<dyn System>;
        let a = random.range(1, trial.less - 1);
        let outcomes =
            [trial.consume_refund(&mut make), trial.hold_capture(&mut make), trial.refund_twice(&mut make, a)];
        for (i, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                Ok(did) => tried[i] += usize::from(did),
                Err(difference) => panic!("law {i}, seed {seed}: {difference}\n{}", shrink::print(seed, &steps)),
            }
        }
    }
    assert!(tried.iter().all(|n| *n > 200), "{tried:?}");
}

fn smallest_that_shows(bug: Bug) -> Vec<Step> {
    for seed in 0..3_000 {
        let steps = history(seed);
        let mut differs = |steps: &[Step]| {
            let told = compare(&mut fresh(seed), &mut planted(bug, seed), steps);
            told.is_err()
        };
        if differs(&steps) {
            let small = shrink::shrink(&steps, &mut differs);
            println!("{bug:?}, found by seed {seed}\n{}", shrink::print(seed, &small));
            return small;
        }
    }
    panic!("{bug:?} was not found");
}

#[test]
fn planted_bugs_are_found_and_shrunk() {
    use Bug::*;
    let bugs = [
        LiveAtExpiry,
        NoSettleAfterRefund,
        PaidBeforePromo,
        OwedForgotten,
        UnbackedForgotten,
        LapsedComesBack,
        ReplayWithoutReceipt,
        NeverPatient,
        NothingComesBack,
        PurchaseVanishes,
        HoldStaysLong,
        RollsAgain,
        RollStays,
        RevokeStopsAtRoll,
    ];
    for bug in bugs {
        let small = smallest_that_shows(bug);
        assert!(small.len() <= 10, "{bug:?}: {} steps", small.len());
    }
}

/// The invariants alone, without a second opinion, find some of them too.
#[test]
fn invariants_find_planted_bugs() {
    for bug in [Bug::LiveAtExpiry, Bug::NoSettleAfterRefund, Bug::PaidBeforePromo] {
        let found = (0..300).any(|seed| {
            let (mut model, mut made) = (planted(bug, seed), Made::default());
            history(seed).iter().any(|step| {
                play(&mut model, &mut made, step);
                !model.faults(step.reading).is_empty()
            })
        });
        assert!(found, "{bug:?}");
    }
}

#[test]
fn a_sweep_changes_nothing_a_reader_sees() {
    for seed in 0..200 {
        let steps = history(seed);
        let (mut model, mut made) = (fresh(seed), Made::default());
        for step in &steps {
            play(&mut model, &mut made, step);
        }
        let at = steps.last().expect("steps").reading;
        let mut swept = model.clone();
        swept.expire(at);
        for id in model.accounts() {
            assert_eq!(model.balance(&id, None, at), swept.balance(&id, None, at), "seed {seed}");
            assert_eq!(model.batches(&id, at), swept.batches(&id, at), "seed {seed}");
            assert_eq!(model.holds(&id, at), swept.holds(&id, at), "seed {seed}");
        }
    }
}
