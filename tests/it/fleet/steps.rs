//! A schedule: what happens to a fleet, step by step. Steps say little of the state they meet, so that any of them may be left
//! out: what is on the road, staged or parked is named by a number, taken modulo how many there are.

use super::account::Ms;
use super::decide::Operation;
use crate::model::shrink::without_chunks;

/// 0 is the hub.
pub type Node = usize;

#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Time passes for all.
    Pass(Ms),
    /// How far a clock is off from now on.
    Clock {
        node: Node,
        off: Ms,
    },
    /// `broken`: what it writes the hub cannot book.
    Book {
        node: Node,
        operation: Operation,
        broken: bool,
    },
    /// Files are made and put on the road: all that is new, in files of at most so many lines.
    Export {
        node: Node,
        most: usize,
    },
    /// A file from the road reaches the hub, whose answer goes on the road in parts of so many lines. `again`: it stays on the road too.
    Up {
        nth: usize,
        most: usize,
        again: bool,
    },
    /// An answer reaches the device, or one of its copies.
    Down {
        nth: usize,
        copy: usize,
        again: bool,
    },
    LoseUp {
        nth: usize,
    },
    LoseDown {
        nth: usize,
    },
    DamageUp {
        nth: usize,
    },
    DamageDown {
        nth: usize,
    },
    /// Export, import and all of the answer, at once.
    Exchange {
        node: Node,
    },
    BackUp {
        node: Node,
    },
    /// By our own command, which begins a new epoch.
    Restore {
        node: Node,
    },
    /// A file copied back. `mark`: what lies beside the key was not copied with it.
    SetBack {
        node: Node,
        mark: bool,
    },
    /// The whole disk copied: from now on there are two.
    Copy {
        node: Node,
    },
    /// The device knows newer rules from now on; the hub, node 0, catches up with them.
    Upgrade {
        node: Node,
    },
    Approve {
        nth: usize,
        another: bool,
    },
    Dismiss {
        nth: usize,
    },
    AcceptGap {
        nth: usize,
    },
    Admit {
        device: u8,
        recharge: i64,
        refund: bool,
        allotted: bool,
        all: bool,
    },
    Expel {
        device: u8,
    },
    LateWindow(Ms),
    /// The file is verified: its state follows from its log.
    Verify {
        node: Node,
    },
    /// An operator books again what the hub has lost, as devices' files tell.
    Evidence {
        node: Node,
    },
}

/// The smallest part of a schedule that still fails.
pub fn shrink(steps: &[Step], fails: &mut dyn FnMut(&[Step]) -> bool) -> Vec<Step> {
    let mut best = steps.to_vec();
    loop {
        let before = best.len();
        best = without_chunks(best, fails);
        if best.len() == before {
            return best;
        }
    }
}

pub fn print(seed: u64, steps: &[Step]) -> String {
    let lines = steps.iter().map(|step| format!("    {step:?}\n"));
    format!("seed {seed}, {} steps\n{}", steps.len(), lines.collect::<String>())
}
