//! An account line is enough to go on: what arrives on top of it comes to the same as at the hub.

use super::account::{Account, Id, Ms};
use super::apply::{At, Name};
use super::facts::{Act, Fact, Link, Place, Policy, hash_of};
use super::generate::schedule;
use super::model::{Fleet, Model};
use super::run::Run;
use super::wrong::Wrong;
use super::{ACCOUNTS, DAY};
use crate::model::generate::Random;

fn link(device: u8, account: u8, now: Ms, act: Act) -> Link {
    let fact = Fact { account, key: 0, recorded: now, now, occurred: None, act };
    let place = Place { seq: 1, hash: hash_of((device, account, now)) };
    Link { device, epoch: 1, prev: 0, place, rules: 1, broken: false, base_at: None, fact }
}

/// Figures, and the totals but for what only one side shows.
fn arrived(mut rows: Account, link: &Link, at: &At) -> ([i64; 4], [i64; 10]) {
    rows.advance(at.now);
    let name = Name { id: link.place.hash, order: 1 << 41, by: Some(link.device) };
    rows.arrive(name, link, at);
    rows.advance(at.now);
    (rows.figures(), rows.totals)
}

/// Something that this device's account may be asked for.
fn something(random: &mut Random, rows: &Account, device: u8) -> (Act, Option<Id>) {
    let own: Vec<Id> =
        rows.consumes.iter().filter(|c| c.by == Some(device) && c.refundable() > 0).map(|consume| consume.id).collect();
    if !own.is_empty() && random.percent(50) {
        // The newest are carried.
        let of = own[own.len() - 1 - random.range(0, (own.len() as i64 - 1).min(5)) as usize];
        return (Act::Refund { of, asked: 0, points: random.range(1, 10) }, Some(of));
    }
    let points = random.range(1, 60);
    (Act::Consume { asked: points, points, policy: Policy::Postpaid, allotted: Vec::new() }, None)
}

fn first_difference(seeds: u64, wrong: Option<Wrong>) -> Option<String> {
    for seed in 0..seeds {
        let (devices, steps) = schedule(seed);
        let mut model = Model::new(devices, wrong);
        // Other laws are looked at elsewhere.
        Run::new(&mut model).play_all(&steps);
        let mut random = Random::new(seed);
        for (device, a) in (1..=devices).flat_map(|device| (0..ACCOUNTS).map(move |a| (device, a))) {
            let Some(rows) = model.hub.accounts[a as usize].clone() else { continue };
            let line = model.hub.line(a, device);
            let now = rows.last.max(model.hub.clock.accepted);
            let (act, refund_of) = something(&mut random, &rows, device);
            let occurred = now - random.range(0, 20 * DAY);
            let at = At { now, occurred, late_window: model.hub.late_window, refund_of, narrow: false };
            let link = link(device, a, now, act);
            let (hub, guess) = (arrived(rows, &link, &at), arrived(line.rows.clone(), &link, &at));
            if hub != guess {
                return Some(format!("seed {seed}, device {device}, {:?}\n  hub {hub:?}\nguess {guess:?}", link.fact));
            }
        }
        assert!(model.nodes() > 1);
    }
    None
}

#[test]
fn a_line_is_enough_to_go_on() {
    assert_eq!(first_difference(1_000, None), None);
}

#[test]
fn a_line_that_leaves_something_out_is_found() {
    for wrong in [Wrong::LapsedWindowNotCarried, Wrong::ClawbackNotCarried] {
        assert!(first_difference(2_000, Some(wrong)).is_some(), "{wrong:?}");
    }
}
