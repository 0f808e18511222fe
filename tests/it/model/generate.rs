//! Seeded histories: mostly sensible, at awkward moments, sometimes wrong.

use super::books::{Model, Reading};
use super::instant::{DAY, HOUR, LAST, MINUTE, SECOND};
use super::prices::Prices;
use super::steps::{Act, Made, Step};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// 2026-03-01T09:30:00Z.
pub const START: i64 = 1_772_357_400_000;
/// 2000-01-01T00:00:00Z.
const Y2000: i64 = 946_684_800_000;
pub const ACCOUNTS: [&str; 4] = ["alice", "bob", "çara", "dan"];

/// splitmix64.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// low ..= high.
    pub fn range(&mut self, low: i64, high: i64) -> i64 {
        low + (self.number() % (high - low + 1) as u64) as i64
    }

    pub fn percent(&mut self, chance: i64) -> bool {
        self.range(1, 100) <= chance
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.number() as usize % from.len()]
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Style {
    pub steps: usize,
    /// When the clock says the ledger is created. It is right from START on.
    pub start: i64,
    /// Clocks that step back, jump, or are trusted.
    pub wild_clock: bool,
    /// Lines with `at`.
    pub historic: bool,
}

impl Style {
    /// Every third seed keeps a calm clock; some ledgers are created under a clock that was never set.
    pub fn of(seed: u64) -> Style {
        let start = match seed % 12 {
            4 => Y2000,
            8 => 0,
            _ => START,
        };
        Style { steps: 60, start, wild_clock: !seed.is_multiple_of(3), historic: false }
    }
}

/// While a clock is wrong.
#[derive(Clone, Copy, Debug)]
struct Spell {
    by: i64,
    steps: i64,
}

pub struct Generator {
    pub random: Random,
    pub model: Model,
    pub made: Made,
    /// Operation number -> the step that booked it.
    pub step_of: BTreeMap<i64, usize>,
    pub steps: Vec<Step>,
    pub style: Style,
    clock: i64,
    wrong: Option<Spell>,
    /// Whether somebody confirms the clock next.
    confirms: bool,
}

/// A history for a ledger created at its style's start with the sample prices.
pub fn history(seed: u64) -> Vec<Step> {
    Generator::new(seed, Style::of(seed)).run()
}

impl Generator {
    pub fn new(seed: u64, style: Style) -> Generator {
        let mut random = Random::new(seed ^ 0xC0FF_EE00);
        let unset = Spell { by: style.start - START, steps: random.range(3, 12) };
        Generator {
            random,
            model: Model::new(style.start, Prices::sample()),
            made: Made::default(),
            step_of: BTreeMap::new(),
            steps: Vec::new(),
            style,
            clock: START,
            wrong: Some(unset).filter(|unset| unset.by != 0),
            confirms: false,
        }
    }

    pub fn run(mut self) -> Vec<Step> {
        while self.steps.len() < self.style.steps {
            let reading = self.tick();
            if std::mem::take(&mut self.confirms) {
                let line = self.compose("confirm_clock", reading);
                self.emit(line, reading);
                continue;
            }
            match self.random.range(1, 100) {
                1..=3 => self.sweep(reading),
                4..=7 => self.look(reading),
                8..=16 if !self.steps.is_empty() => self.again(reading),
                17..=20 => self.nonsense(reading),
                _ => self.sensible(reading),
            }
        }
        self.steps
    }

    /// The next clock reading: standing, creeping, or at an edge.
    fn tick(&mut self) -> Reading {
        let forward = match self.random.range(1, 100) {
            1..=30 => 0,
            31..=60 => self.random.range(1, 3) * SECOND,
            61..=85 => self.way_to_an_edge(),
            86..=94 => self.random.range(1, 48) * HOUR / 4,
            _ => self.random.range(1, 20) * DAY,
        };
        self.clock += forward;
        if !self.style.wild_clock {
            return Reading { ms: self.clock, trusted: false };
        }
        let cured = self.spoil_clock();
        // A far clock goes on for hours or days, until patience ends.
        if self.wrong.is_some_and(|spell| spell.by > 30 * DAY) && self.random.percent(25) {
            self.clock += *self.random.pick(&[HOUR, DAY - 1, DAY, 25 * HOUR, 3 * DAY, 8 * DAY]);
        }
        let ms = self.clock + self.wrong.map_or(0, |spell| spell.by);
        Reading { ms, trusted: cured || self.random.percent(3) }
    }

    /// Makes the clock wrong, or right again; then somebody may confirm it, or the reading is trusted (true).
    fn spoil_clock(&mut self) -> bool {
        let Some(spell) = &mut self.wrong else {
            if self.random.percent(7) {
                self.wrong = Some(self.spell());
            }
            return false;
        };
        spell.steps -= 1;
        if spell.steps > 0 {
            return false;
        }
        self.wrong = None;
        let cure = self.random.range(1, 10);
        self.confirms = cure <= 4;
        (5..=7).contains(&cure)
    }

    fn spell(&mut self) -> Spell {
        let slow = [-1, -SECOND, -MINUTE, -MINUTE - 1, -HOUR, -3 * DAY, -400 * DAY];
        let fast = [5 * MINUTE, 40 * MINUTE, 2 * DAY, 20 * DAY, 60 * DAY, 100 * DAY, 200 * DAY];
        let edge = [89 * DAY, 90 * DAY, 90 * DAY + 1, 91 * DAY];
        let unset = [Y2000, 0, -3_650 * DAY];
        let by = match self.random.range(1, 100) {
            1..=30 => *self.random.pick(&slow),
            31..=75 => *self.random.pick(&fast),
            // Counted from what the file last accepted.
            76..=90 => *self.random.pick(&edge) + self.model.clock.accepted - self.clock,
            _ => *self.random.pick(&unset) - self.clock,
        };
        Spell { by, steps: self.random.range(1, 7) }
    }

    /// How far to the next thing that falls due, or a millisecond beside it.
    fn way_to_an_edge(&mut self) -> i64 {
        let model = &self.model;
        let batches = model.batches.iter().flat_map(|b| b.expires_at.into_iter().chain([b.effective_at]));
        let edges = batches.chain(model.holds.iter().map(|hold| hold.deadline));
        let edges = edges.chain(model.plans.iter().filter_map(|plan| plan.due()));
        let near = |at: &i64| *at > self.clock && *at < self.clock + 40 * DAY;
        let mut edges: Vec<i64> = edges.filter(near).collect();
        edges.sort();
        edges.truncate(3);
        if edges.is_empty() {
            return SECOND;
        }
        let edge = *self.random.pick(&edges);
        (edge + *self.random.pick(&[-1, 0, 0, 0, 1]) - self.clock).max(0)
    }

    fn sweep(&mut self, reading: Reading) {
        self.model.expire(reading);
        self.push(reading, Act::Expire);
    }

    fn look(&mut self, reading: Reading) {
        let account = self.account();
        let newest = self.model.read_time(&account, reading);
        let entries = self.model.accounts.get(&account).map(|books| books.entries.clone());
        let instants: Vec<i64> = entries.into_iter().flatten().map(|entry| entry.booked_at).collect();
        let mut at = None;
        if !instants.is_empty() && self.random.percent(60) {
            let beside = *self.random.pick(&instants) + self.random.range(-1, 1);
            // Without an end, a plan has too many periods until then for a model.
            let endless = self.model.plans.iter().any(|plan| plan.count.is_none() && plan.due().is_some());
            let end = if endless { newest + 300 * DAY } else { LAST };
            let last = if self.random.percent(20) { end } else { newest };
            at = Some(beside.clamp(0, last));
            if self.random.percent(10) {
                at = Some(newest + self.random.range(1, 90) * DAY);
            }
        }
        let points = self.random.range(0, 15);
        self.push(reading, Act::Read { account, at, points });
    }

    pub fn account(&mut self) -> String {
        let few = if self.random.percent(90) { 2 } else { 4 };
        self.random.pick(&ACCOUNTS[..few]).to_string()
    }

    /// Tries a few lines on a copy, so that most are booked.
    fn sensible(&mut self, reading: Reading) {
        let mut line = Value::Null;
        for _ in 0..3 {
            let op = self.choose_op();
            for _ in 0..4 {
                line = self.compose(op, reading);
                let fine = self.model.attempt(&self.made.resolve(&line), reading).is_ok();
                if fine || self.random.percent(4) {
                    return self.emit(line, reading);
                }
            }
        }
        self.emit(line, reading);
    }

    /// An earlier line once more: the same, spelled otherwise, or changed.
    fn again(&mut self, reading: Reading) {
        let lines = self.steps.iter().filter_map(|step| match &step.act {
            Act::Line(line) => Some(line.clone()),
            _ => None,
        });
        let lines: Vec<Value> = lines.collect();
        if lines.is_empty() {
            return self.sensible(reading);
        }
        let mut line = self.random.pick(&lines).clone();
        match self.random.range(1, 3) {
            1 => {}
            2 => self.respell(&mut line),
            _ => self.alter(&mut line),
        }
        self.emit(line, reading);
    }

    pub fn emit(&mut self, line: Value, reading: Reading) {
        let resolved = self.made.resolve(&line);
        if let Ok(receipt) = self.model.apply(&resolved, reading) {
            let id = self.steps.len();
            self.made.note(id, &receipt);
            let number = self.model.log.len() as i64;
            if receipt["replayed"] == json!(false) {
                self.step_of.insert(number, id);
            }
        }
        self.push(reading, Act::Line(line));
    }

    fn push(&mut self, reading: Reading, act: Act) {
        let id = self.steps.len();
        self.steps.push(Step { id, reading, act });
    }
}
