//! Schedules aimed at rules that random ones meet too rarely: a plot, with chance between its steps.

use super::decide::{Ask, Key, Operation};
use super::facts::Policy;
use super::generate::{Generator, Style};
use super::steps::{Node, Step};
use super::wrong::Wrong;
use super::{ACCOUNTS, DAY};
use crate::model::generate::Random;

fn book(node: Node, account: u8, key: Key, ask: Ask) -> Step {
    Step::Book { node, operation: Operation { account, key, occurred: None, ask }, broken: false }
}

fn recharge(points: i64) -> Ask {
    Ask::Recharge { points, life: Some(30 * DAY), starts: None, priority: 50, promo: false }
}

fn charge(points: i64, policy: Policy) -> Ask {
    Ask::Consume { points, policy }
}

const FIRST: Step = Step::Down { nth: 0, copy: 0, again: false };

fn up(most: usize, again: bool) -> Step {
    Step::Up { nth: 0, most, again }
}

/// A part from the lost past; then an answer of the new epoch to a file from before.
fn part_of_a_lost_past() -> Vec<Step> {
    let mut steps: Vec<Step> = (0..ACCOUNTS).map(|a| book(0, a, 900 + Key::from(a), recharge(20))).collect();
    steps.extend([
        Step::Exchange { node: 2 },
        Step::Exchange { node: 2 },
        Step::BackUp { node: 0 },
        book(0, 0, 910, recharge(5)),
        book(0, 1, 911, recharge(5)),
        Step::Export { node: 2, most: 100 },
        Step::Export { node: 2, most: 100 },
        up(1, false),
        FIRST,
        Step::LoseDown { nth: 0 },
        Step::Restore { node: 0 },
        book(0, 2, 912, recharge(5)),
        up(10, false),
        FIRST,
    ]);
    steps
}

/// As before, by a hub whose file was copied back: it does not know yet, and gets past where it was.
fn newest_overtaken() -> Vec<Step> {
    let mut steps: Vec<Step> = (0..ACCOUNTS).map(|a| book(0, a, 900 + Key::from(a), recharge(20))).collect();
    steps.extend([
        Step::Exchange { node: 2 },
        Step::Exchange { node: 2 },
        Step::BackUp { node: 0 },
        book(0, 0, 910, recharge(5)),
        book(0, 1, 911, recharge(5)),
        Step::Export { node: 2, most: 100 },
        Step::Export { node: 2, most: 100 },
        up(1, false),
        FIRST,
        Step::LoseDown { nth: 0 },
        Step::SetBack { node: 0, mark: true },
    ]);
    steps.extend((0..4).map(|n| book(0, 2, 912 + n, recharge(5))));
    steps.extend([up(10, false), FIRST]);
    steps
}

/// A refund is approved before its consume.
fn refund_before_consume() -> Vec<Step> {
    let of = 920;
    vec![
        Step::Exchange { node: 1 },
        book(1, 0, of, charge(5, Policy::Postpaid)),
        book(1, 0, 921, Ask::Refund { of, captured: false, points: 0 }),
        Step::Expel { device: 1 },
        Step::Exchange { node: 1 },
        Step::Approve { nth: 1, another: false },
        Step::Approve { nth: 0, another: false },
        Step::Approve { nth: 0, another: false },
    ]
}

/// A hold from before `restore`, captured after.
fn hold_of_an_old_epoch() -> Vec<Step> {
    vec![
        book(0, 0, 930, recharge(30)),
        book(0, 0, 931, Ask::Allot { device: 1, points: 12, lasts: 4 * DAY }),
        Step::Exchange { node: 1 },
        book(1, 0, 932, Ask::Hold { points: 6, lasts: DAY }),
        Step::Exchange { node: 1 },
        Step::BackUp { node: 1 },
        book(1, 0, 933, Ask::Capture { hold: 932, points: 0 }),
        Step::Exchange { node: 1 },
        Step::Restore { node: 1 },
        book(1, 0, 934, Ask::Capture { hold: 932, points: 0 }),
    ]
}

/// An allotment of the old epoch, seen by the new one.
fn allotment_of_an_old_epoch() -> Vec<Step> {
    vec![
        book(0, 0, 935, recharge(30)),
        book(0, 0, 936, Ask::Allot { device: 1, points: 12, lasts: 4 * DAY }),
        Step::Exchange { node: 1 },
        Step::BackUp { node: 1 },
        Step::Restore { node: 1 },
        book(1, 0, 937, charge(5, Policy::Strict)),
    ]
}

/// A hold that has run out, which only a sweep has booked, before `restore`.
fn hold_run_out() -> Vec<Step> {
    vec![
        book(0, 0, 930, recharge(30)),
        book(0, 0, 931, Ask::Allot { device: 1, points: 12, lasts: 4 * DAY }),
        Step::Exchange { node: 1 },
        book(1, 0, 932, Ask::Hold { points: 6, lasts: DAY / 2 }),
        Step::Pass(DAY),
        book(1, 1, 933, charge(1, Policy::Postpaid)),
        book(1, 0, 934, Ask::Expire),
        Step::BackUp { node: 1 },
        Step::Restore { node: 1 },
        Step::Verify { node: 1 },
    ]
}

/// A hold that a fast clock let expire, by a sweep alone.
fn hold_under_a_fast_clock() -> Vec<Step> {
    vec![
        book(0, 0, 940, recharge(30)),
        Step::Exchange { node: 2 },
        book(2, 0, 941, Ask::Hold { points: 6, lasts: DAY }),
        Step::Clock { node: 2, off: 2 * DAY },
        book(2, 1, 942, charge(1, Policy::Postpaid)),
        book(2, 0, 943, Ask::Expire),
        Step::Clock { node: 2, off: 0 },
        book(0, 0, 944, recharge(3)),
        Step::Exchange { node: 2 },
        Step::Verify { node: 2 },
    ]
}

/// An allotment that a set-back hub has forgotten, and a device that has heard of the new epoch by another account.
fn allotment_of_a_lost_past() -> Vec<Step> {
    vec![
        book(0, 0, 950, recharge(30)),
        book(1, 1, 951, charge(3, Policy::Postpaid)),
        book(1, 0, 952, charge(3, Policy::Postpaid)),
        Step::Exchange { node: 1 },
        Step::BackUp { node: 0 },
        book(0, 0, 953, Ask::Allot { device: 1, points: 12, lasts: 4 * DAY }),
        Step::Exchange { node: 1 },
        Step::Restore { node: 0 },
        Step::Export { node: 1, most: 100 },
        up(1, false),
        Step::LoseDown { nth: 0 },
        FIRST,
        book(1, 0, 954, charge(5, Policy::Strict)),
    ]
}

/// One file answered twice, the second time in other parts.
fn parts_of_two_answers() -> Vec<Step> {
    let mut steps: Vec<Step> = (0..ACCOUNTS).map(|a| book(0, a, 960 + Key::from(a), recharge(20))).collect();
    steps.extend([Step::Export { node: 2, most: 100 }, up(1, true), up(2, false), FIRST]);
    // The second part of the second answer: three of the first are before it, and one of its own.
    steps.push(Step::Down { nth: 4, copy: 0, again: false });
    steps.extend((0..4).map(|_| Step::LoseDown { nth: 0 }));
    steps
}

/// An account that only the lost past knew.
fn account_of_a_lost_past() -> Vec<Step> {
    vec![Step::BackUp { node: 0 }, book(0, 3, 970, recharge(20)), Step::Exchange { node: 2 }, Step::Restore { node: 0 }]
}

/// A newer program's line, and others after it.
fn too_new() -> Vec<Step> {
    vec![
        Step::Upgrade { node: 1 },
        book(1, 0, 980, charge(2, Policy::Postpaid)),
        Step::Exchange { node: 1 },
        Step::Upgrade { node: 0 },
        book(1, 0, 981, charge(2, Policy::Postpaid)),
        Step::Exchange { node: 1 },
        Step::Approve { nth: 0, another: false },
    ]
}

/// The hub's clock was a month fast, and is led back.
fn hub_led_back() -> Vec<Step> {
    vec![
        book(0, 0, 985, recharge(30)),
        Step::Clock { node: 0, off: 31 * DAY },
        book(0, 0, 986, charge(1, Policy::Postpaid)),
        Step::Exchange { node: 2 },
        Step::Clock { node: 0, off: 0 },
        book(0, 0, 987, Ask::ConfirmClock),
        Step::Exchange { node: 2 },
    ]
}

/// A device's clock was a month fast when a base came.
fn base_under_a_fast_clock() -> Vec<Step> {
    vec![
        book(0, 0, 985, recharge(30)),
        Step::Clock { node: 2, off: 31 * DAY },
        Step::Exchange { node: 2 },
        Step::Clock { node: 2, off: 0 },
        book(0, 1, 986, recharge(30)),
    ]
}

/// Under a clock a month fast a device hears of a hub that was set back, and of nothing new in it; then the hub is set back again.
fn empty_answer_of_a_lost_past() -> Vec<Step> {
    vec![
        Step::BackUp { node: 0 },
        Step::Clock { node: 0, off: 30 * DAY },
        book(0, 0, 985, recharge(30)),
        Step::Exchange { node: 1 },
        Step::Exchange { node: 3 },
        Step::SetBack { node: 0, mark: true },
        Step::Exchange { node: 3 },
        Step::Exchange { node: 3 },
        Step::SetBack { node: 0, mark: true },
        Step::Exchange { node: 1 },
    ]
}

/// The hub's clock is a month fast, and what it then told of is lost with it.
fn lost_account_in_the_future() -> Vec<Step> {
    vec![
        Step::Clock { node: 0, off: 30 * DAY },
        Step::BackUp { node: 0 },
        book(0, 3, 985, recharge(30)),
        Step::Exchange { node: 2 },
        Step::Restore { node: 0 },
        Step::Exchange { node: 2 },
    ]
}

/// A recalled allotment whose return is staged.
fn return_is_staged() -> Vec<Step> {
    vec![
        book(0, 0, 985, recharge(30)),
        book(0, 0, 986, Ask::Allot { device: 1, points: 10, lasts: DAY }),
        Step::Upgrade { node: 1 },
        Step::Exchange { node: 1 },
        book(0, 0, 987, Ask::Recall),
    ]
}

fn plot(wrong: Wrong) -> Option<Vec<Step>> {
    Some(match wrong {
        Wrong::SeenOfOldEpochKept => part_of_a_lost_past(),
        Wrong::NewestOvertaken | Wrong::SetBackToldBySeenAlone => newest_overtaken(),
        Wrong::RefundWithoutConsume => refund_before_consume(),
        Wrong::OldHoldKeepsAllotment => hold_of_an_old_epoch(),
        Wrong::RunOutHoldUnbacked => hold_run_out(),
        Wrong::AllotmentToNewEpoch => allotment_of_an_old_epoch(),
        Wrong::ExpiredHoldStays => hold_under_a_fast_clock(),
        Wrong::AllotmentOnOldBase => allotment_of_a_lost_past(),
        Wrong::PartsOfTwoAnswers => parts_of_two_answers(),
        Wrong::LostAccountKept => account_of_a_lost_past(),
        Wrong::TooNewNotKept => too_new(),
        Wrong::StepBackNotTold => hub_led_back(),
        Wrong::FastClockNotTold => base_under_a_fast_clock(),
        Wrong::EmptyAnswersForgotten => empty_answer_of_a_lost_past(),
        Wrong::FutureOfLostAccountKept => lost_account_in_the_future(),
        Wrong::RecalledReturnedAgain => return_is_staged(),
        _ => return None,
    })
}

/// The plot for this rule, where there is one, with some noise before and between.
pub fn aimed(wrong: Wrong, seed: u64) -> Option<(u8, Vec<Step>)> {
    let plot = plot(wrong)?;
    let style = Style { devices: 3, copies: 0, ..Style::of(seed) };
    let (mut noise, mut random) = (Generator::new(seed, style), Random::new(seed));
    let mut steps = Vec::new();
    for step in plot {
        if random.percent(15) {
            let more = random.range(1, 3) as usize;
            steps.extend(noise.noise(more));
        }
        steps.push(step);
    }
    Some((3, steps))
}
