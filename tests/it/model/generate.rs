//! Seeded histories: mostly sensible, at awkward moments, sometimes wrong.

use super::books::{Model, Reading};
use super::instant::{DAY, HOUR, SECOND};
use super::prices::Prices;
use super::steps::{Act, Made, Step};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// 2026-03-01T09:30:00Z.
pub const START: i64 = 1_772_357_400_000;
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
    /// Clocks that step back, jump, or are trusted.
    pub wild_clock: bool,
    /// Lines with `at`.
    pub historic: bool,
}

impl Default for Style {
    fn default() -> Style {
        Style { steps: 60, wild_clock: true, historic: false }
    }
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
    /// How wrong the clock is, and for how many steps still.
    wrong: (i64, i64),
}

/// A history for a ledger created at START with the sample prices. Every
/// third seed keeps a calm clock.
pub fn history(seed: u64) -> Vec<Step> {
    let style = Style { wild_clock: !seed.is_multiple_of(3), ..Style::default() };
    Generator::new(seed, style).run()
}

impl Generator {
    pub fn new(seed: u64, style: Style) -> Generator {
        Generator {
            random: Random::new(seed ^ 0xC0FF_EE00),
            model: Model::new(START, Prices::sample()),
            made: Made::default(),
            step_of: BTreeMap::new(),
            steps: Vec::new(),
            style,
            clock: START,
            wrong: (0, 0),
        }
    }

    pub fn run(mut self) -> Vec<Step> {
        while self.steps.len() < self.style.steps {
            let reading = self.tick();
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
        if self.style.wild_clock {
            self.spoil_clock();
        }
        let ms = (self.clock + self.wrong.0).max(0);
        let trusted = self.style.wild_clock && self.random.percent(4);
        Reading { ms, trusted }
    }

    fn spoil_clock(&mut self) {
        if self.wrong.1 > 0 {
            self.wrong.1 -= 1;
            if self.wrong.1 == 0 {
                self.wrong.0 = 0;
            }
            return;
        }
        if self.random.percent(4) {
            let by = [-1, -SECOND, -HOUR, -3 * DAY, -400 * DAY, 89 * DAY, 90 * DAY, 90 * DAY + 1, 91 * DAY, 200 * DAY];
            self.wrong = (*self.random.pick(&by), self.random.range(1, 4));
            // Sometimes the jump is counted from what the file last accepted.
            if self.wrong.0 > 0 && self.random.percent(50) {
                self.wrong.0 += self.model.accepted - self.clock;
            }
        }
    }

    /// How far to the next thing that falls due, or a millisecond beside it.
    fn way_to_an_edge(&mut self) -> i64 {
        let model = &self.model;
        let batches = model.batches.iter().flat_map(|b| b.expires_at.into_iter().chain([b.effective_at]));
        let edges = batches.chain(model.holds.iter().map(|hold| hold.deadline));
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
            at = Some(beside.clamp(0, newest));
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
