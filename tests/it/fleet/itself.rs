//! The model, held against the design's invariants. `COUNTERFOIL_FLEETS=200000` runs longer hunts, `COUNTERFOIL_SEED=17` begins
//! elsewhere.

use super::generate::schedule;
use super::model::Model;
use super::plots::aimed;
use super::run::{compare, play};
use super::steps::{Step, print, shrink};
use super::wrong::{ALL, Wrong};
use std::collections::BTreeMap;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(otherwise)
}

/// Panics with the smallest schedule that still breaks a law.
fn tell(seed: u64, devices: u8, steps: &[Step], why: &str) {
    let small = shrink(steps, &mut |steps| play(devices, steps, None).is_err());
    let now = play(devices, &small, None).err().unwrap_or_default();
    panic!("{why}\n{devices} devices, {}{now}", print(seed, &small));
}

#[test]
fn every_invariant_holds_in_random_fleets() {
    let mut met: BTreeMap<String, usize> = BTreeMap::new();
    let first = number("COUNTERFOIL_SEED", 0);
    for seed in first..first + number("COUNTERFOIL_FLEETS", 2_000) {
        let (devices, steps) = schedule(seed);
        match play(devices, &steps, None) {
            Ok(more) => more.into_iter().for_each(|(what, n)| *met.entry(what).or_default() += n),
            Err(why) => tell(seed, devices, &steps, &why),
        }
    }
    println!("{met:#?}");
    // Each way to be staged, each flag, and each way of getting lost is met often enough to be tried.
    let often = [
        "AcceptGap: done",
        "Approve: done",
        "Copy: done",
        "Dismiss: done",
        "Down: not_for_us",
        "Evidence: done",
        "Restore: done",
        "SetBack: done",
        "device Capture: done",
        "device Refund: done",
        "device Return: done",
        "flag: Fork",
        "flag: HubRegressed",
        "flag: KeyConflict",
        "flag: Overdraft",
        "flag: RefundUnknown",
        "flag: TooLate",
        "staged: Expelled",
        "staged: Fork",
        "staged: Invalid",
        "staged: KeyUsed",
        "staged: NotAllowed",
        "staged: TooNew",
        "staged: WaitsFor",
    ];
    let rare: Vec<_> = often.into_iter().filter(|what| met.get(*what).copied().unwrap_or(0) < 5).collect();
    assert!(number("COUNTERFOIL_FLEETS", 2_000) < 2_000 || rare.is_empty(), "too rare: {rare:?}");
}

/// The first schedule, aimed or random, that shows that this rule is wrong.
fn first_that_shows(wrong: Wrong, most: u64) -> Option<(u64, u8, Vec<Step>, String)> {
    (0..most).find_map(|seed| {
        let (devices, steps) = aimed(wrong, seed).unwrap_or_else(|| schedule(seed));
        let why = play(devices, &steps, Some(wrong)).err()?;
        Some((seed, devices, steps, why))
    })
}

#[test]
fn every_wrong_rule_is_found() {
    let mut missed = Vec::new();
    // What a line leaves out makes a device's guess worse and no figure wrong for good: `guess` looks at that.
    let guesses = [Wrong::LapsedWindowNotCarried, Wrong::ClawbackNotCarried];
    for wrong in ALL.into_iter().filter(|wrong| !guesses.contains(wrong)) {
        match first_that_shows(wrong, 4_000) {
            Some((seed, _, steps, why)) => {
                let why: String = why.chars().take(120).collect();
                println!("{wrong:?}: schedule {seed}, {} steps: {}", steps.len(), why.replace('\n', " "));
            }
            None => missed.push(wrong),
        }
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
}

/// As a real fleet will be compared with the model.
#[test]
fn a_fleet_is_like_itself_and_unlike_another() {
    let told = |wrong| {
        (0..60).filter_map(move |seed| {
            let (devices, steps) = schedule(seed);
            compare(&mut Model::new(devices, None), &mut Model::new(devices, wrong), &steps, |came| came).err()
        })
    };
    assert_eq!(told(None).next(), None);
    assert!(told(Some(Wrong::NoKeysOverDevices)).next().is_some());
}

/// The plots break nothing where the rules are right.
#[test]
fn plots_hold() {
    for wrong in ALL {
        for seed in 0..40 {
            let Some((devices, steps)) = aimed(wrong, seed) else { continue };
            if let Err(why) = play(devices, &steps, None) {
                tell(seed, devices, &steps, &why);
            }
        }
    }
}
