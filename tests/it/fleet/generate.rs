//! Seeded schedules: a fleet at work, with all that may go wrong in half of them.

use super::decide::{Ask, GLOBAL_KEYS, Key, Operation};
use super::facts::Policy;
use super::steps::{Node, Step};
use super::{ACCOUNTS, DAY, HOUR, START};
use crate::model::generate::Random;

pub const MINUTE: i64 = 60_000;

/// What goes on, in chances of a thousand steps each.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    pub devices: u8,
    pub steps: usize,
    pub office: i64,
    pub exchange: i64,
    pub road: i64,
    pub loss: i64,
    pub clocks: i64,
    pub set_back: i64,
    pub hub_set_back: i64,
    pub copies: i64,
    pub again: i64,
    pub allot: i64,
    pub stages: i64,
    pub broken: i64,
    pub expel: i64,
}

impl Style {
    pub fn of(seed: u64) -> Style {
        let mut random = Random::new(seed ^ 0x5EED);
        let faulty = seed % 2 == 1;
        let mut some = |chance: i64, most: i64| if random.percent(chance) { random.range(most / 2, most) } else { 0 };
        let devices = 2 + some(60, 2) as u8;
        let steps = 30 + some(100, 60) as usize;
        let calm = Style {
            devices,
            steps,
            office: 100 + some(70, 150),
            exchange: 60 + some(70, 120),
            road: 120 + some(60, 200),
            loss: 0,
            clocks: 0,
            set_back: 0,
            hub_set_back: 0,
            copies: 0,
            again: some(50, 40),
            allot: some(50, 120),
            stages: some(60, 90),
            broken: some(30, 20),
            expel: 0,
        };
        if !faulty {
            return calm;
        }
        Style {
            loss: some(60, 120),
            clocks: some(50, 60),
            set_back: some(50, 80),
            hub_set_back: some(40, 50),
            copies: some(30, 40),
            again: some(60, 120),
            expel: some(15, 15),
            ..calm
        }
    }
}

pub struct Generator {
    random: Random,
    style: Style,
    now: i64,
    next: Key,
    /// What was asked for, with the node: targets and retries are taken from here.
    asked: Vec<(Node, Operation)>,
    steps: Vec<Step>,
}

pub fn schedule(seed: u64) -> (u8, Vec<Step>) {
    let style = Style::of(seed);
    (style.devices, Generator::new(seed, style).run())
}

impl Generator {
    pub fn new(seed: u64, style: Style) -> Generator {
        Generator { random: Random::new(seed), style, now: START, next: 0, asked: Vec::new(), steps: Vec::new() }
    }

    pub fn run(mut self) -> Vec<Step> {
        for account in 0..ACCOUNTS {
            if self.random.percent(70) {
                let ask = self.recharge();
                self.ask(0, account, ask);
            }
        }
        for node in 1..=Node::from(self.style.devices) {
            if self.random.percent(50) {
                self.put(Step::Exchange { node });
            }
        }
        while self.steps.len() < self.style.steps {
            self.one();
        }
        self.steps
    }

    /// Some more of the same, to stand between the steps of a plot.
    pub fn noise(&mut self, steps: usize) -> Vec<Step> {
        for _ in 0..steps {
            self.one();
        }
        std::mem::take(&mut self.steps)
    }

    fn node(&mut self) -> Node {
        // Copies come after the first devices.
        let most = i64::from(self.style.devices) + i64::from(self.style.copies > 0) * 2;
        self.random.range(1, most) as Node
    }

    fn account(&mut self) -> u8 {
        (self.random.range(0, i64::from(ACCOUNTS) * 2 - 1) % i64::from(ACCOUNTS)).min(self.random.range(0, 3)) as u8
    }

    fn put(&mut self, step: Step) {
        self.steps.push(step);
    }

    fn one(&mut self) {
        let s = self.style;
        let kinds = [
            150,
            s.office,
            s.exchange,
            s.road,
            s.loss,
            s.clocks,
            s.set_back,
            s.hub_set_back,
            s.copies,
            s.again,
            s.allot,
            s.stages,
            s.broken,
            s.expel,
            300,
        ];
        let mut at = self.random.range(0, kinds.iter().sum::<i64>() - 1);
        let mut kind = 0;
        while at >= kinds[kind] {
            at -= kinds[kind];
            kind += 1;
        }
        let node = self.node();
        match kind {
            0 => self.pass(),
            1 => self.office(),
            2 => self.put(Step::Exchange { node }),
            3 => self.road(),
            4 => self.loss(),
            5 => self.clock(),
            6 => self.set_back(node),
            7 => self.set_back(0),
            8 => self.put(Step::Copy { node }),
            9 => self.again(),
            10 => self.allot(),
            11 => self.stage(),
            12 => self.broken(node),
            13 => {
                let device = node as u8;
                self.put(Step::Expel { device });
            }
            _ => self.till(node),
        }
    }

    fn pass(&mut self) {
        let most = *self.random.pick(&[5 * MINUTE, HOUR, 10 * HOUR, DAY, 5 * DAY]);
        let ms = self.random.range(1, most);
        self.now += ms;
        self.put(Step::Pass(ms));
    }

    fn ask(&mut self, node: Node, account: u8, ask: Ask) {
        self.next += 1;
        // Counters of two kiosks collide; so do those of one that was set back.
        let key = if self.random.percent(8) { self.random.range(1, 6) as Key } else { self.next + 10 };
        let key = match ask {
            Ask::Consume { .. } if self.random.percent(10) => GLOBAL_KEYS + self.random.range(1, 8) as Key,
            _ => key,
        };
        let late = matches!(ask, Ask::Consume { .. }) && self.random.percent(8);
        let occurred = if late { Some(self.now - self.random.range(0, 5 * DAY)) } else { None };
        let operation = Operation { account, key, occurred, ask };
        self.asked.push((node, operation.clone()));
        self.put(Step::Book { node, operation, broken: false });
    }

    /// What was asked for before, at the hub or not, newest most likely: where, in which account, under which key.
    fn earlier(&mut self, at_hub: Option<bool>, wanted: fn(&Ask) -> bool) -> Option<(Node, u8, Key)> {
        let of = |(node, operation): &&(Node, Operation)| {
            at_hub.is_none_or(|at_hub| at_hub == (*node == 0)) && wanted(&operation.ask)
        };
        let all: Vec<(Node, u8, Key)> =
            self.asked.iter().filter(of).map(|(node, operation)| (*node, operation.account, operation.key)).collect();
        let back = self.random.range(0, 3) as usize;
        all.iter().rev().nth(back).or(all.last()).copied()
    }

    fn recharge(&mut self) -> Ask {
        let life = *self.random.pick(&[None, Some(HOUR), Some(DAY), Some(6 * DAY), Some(30 * DAY)]);
        let starts = if self.random.percent(12) { Some(self.now + self.random.range(0, 3 * DAY)) } else { None };
        let priority = *self.random.pick(&[50, 50, 50, 10]);
        let points = if self.random.percent(5) { 600 } else { self.random.range(1, 50) };
        Ask::Recharge { points, life, starts, priority, promo: self.random.percent(20) }
    }

    /// What a device's app asks for.
    fn till(&mut self, node: Node) {
        let account = self.account();
        let points = self.random.range(1, 15);
        let policy = *self.random.pick(&[Policy::Postpaid, Policy::Postpaid, Policy::Strict, Policy::UpTo]);
        let lasts = *self.random.pick(&[HOUR / 2, HOUR, 10 * HOUR, DAY]);
        let some = if self.random.percent(50) { 0 } else { points };
        let ask = match self.random.range(1, 100) {
            1..=40 => Ask::Consume { points, policy },
            41..=52 => Ask::Hold { points, lasts },
            53..=68 => return self.after_hold(some, lasts),
            69..=82 => return self.refund(false, some),
            83..=93 => self.recharge(),
            94 => {
                let node = if self.random.percent(30) { 0 } else { node };
                return self.put(Step::Verify { node });
            }
            95 => Ask::Open { limit: 0 },
            96..=97 => Ask::Expire,
            98 => Ask::Return,
            _ => Ask::Consume { points: points * 4, policy: Policy::Strict },
        };
        self.ask(node, account, ask);
    }

    fn after_hold(&mut self, points: i64, lasts: i64) {
        let Some((node, account, hold)) = self.earlier(None, |ask| matches!(ask, Ask::Hold { .. })) else { return };
        let ask = match self.random.range(1, 10) {
            1..=7 => Ask::Capture { hold, points },
            8 => Ask::RenewHold { hold, lasts },
            _ => Ask::Release { hold },
        };
        self.ask(node, account, ask);
    }

    fn refund(&mut self, by_hub: bool, points: i64) {
        let captured = self.random.percent(25) && !by_hub;
        let wanted: fn(&Ask) -> bool = match captured {
            true => |ask| matches!(ask, Ask::Capture { .. }),
            false => |ask| matches!(ask, Ask::Consume { .. }),
        };
        let Some((node, account, of)) = self.earlier(None, wanted) else { return };
        self.ask(if by_hub { 0 } else { node }, account, Ask::Refund { of, captured, points });
    }

    /// What the hub's own apps and operators do.
    fn office(&mut self) {
        let account = self.account();
        let points = self.random.range(1, 20);
        let some = if self.random.percent(50) { 0 } else { points };
        let ask = match self.random.range(1, 100) {
            1..=30 => self.recharge(),
            31..=42 => Ask::Consume { points, policy: *self.random.pick(&[Policy::Postpaid, Policy::Strict]) },
            43..=58 => {
                let clamp = self.random.percent(40);
                let Some((_, account, recharge)) = self.earlier(None, |ask| matches!(ask, Ask::Recharge { .. })) else {
                    return;
                };
                return self.ask(0, account, Ask::Revoke { recharge, points: some, clamp });
            }
            59..=66 => Ask::Transfer { to: (account + 1) % ACCOUNTS, points },
            67..=72 => Ask::WriteOff { points: some },
            73..=78 => Ask::Freeze { frozen: self.random.percent(50) },
            79..=81 => Ask::SetLimit { limit: points },
            82..=84 => Ask::Hold { points, lasts: HOUR },
            85..=90 => return self.refund(true, some),
            91 => Ask::Close,
            92..=95 => Ask::Expire,
            _ => {
                let ms = *self.random.pick(&[0, DAY, 90 * DAY]);
                return self.put(Step::LateWindow(ms));
            }
        };
        self.ask(0, account, ask);
    }

    fn road(&mut self) {
        let nth = self.random.range(0, 20) as usize;
        let nth = if self.random.percent(60) { 0 } else { nth };
        let most = *self.random.pick(&[1, 2, 10]);
        let again = self.random.percent(if self.style.loss > 0 { 25 } else { 0 });
        let node = self.node();
        match self.random.range(1, 100) {
            1..=35 => {
                let most = *self.random.pick(&[2, 5, 100]);
                self.put(Step::Export { node, most });
            }
            36..=68 => self.put(Step::Up { nth, most, again }),
            _ => {
                let copy = self.random.range(0, 3) as usize;
                self.put(Step::Down { nth, copy, again });
            }
        }
    }

    fn loss(&mut self) {
        let nth = self.random.range(0, 20) as usize;
        if self.random.percent(10) {
            // A file is lost for good, and a later one taken without it.
            let node = self.node();
            let first = Step::Up { nth: 0, most: 10, again: false };
            self.steps.extend([Step::Export { node, most: 2 }, Step::LoseUp { nth: 0 }, first.clone(), first]);
            return self.put(Step::AcceptGap { nth: 0 });
        }
        let step = match self.random.range(1, 10) {
            1..=3 => Step::LoseUp { nth },
            4..=6 => Step::LoseDown { nth },
            7 => Step::DamageUp { nth },
            8 => Step::DamageDown { nth },
            _ => Step::AcceptGap { nth },
        };
        self.put(step);
    }

    fn clock(&mut self) {
        let node = if self.random.percent(30) { 0 } else { self.node() };
        let far = *self.random.pick(&[HOUR / 2, 3 * HOUR, 2 * DAY, 30 * DAY, 400 * DAY]);
        let off = match self.random.range(1, 10) {
            1..=4 => 0,
            5..=8 => far,
            _ => -far,
        };
        self.put(Step::Clock { node, off });
        if off == 0 && self.random.percent(40) {
            self.ask(node, 0, Ask::ConfirmClock);
        }
    }

    fn set_back(&mut self, node: Node) {
        match self.random.range(1, 10) {
            1..=5 => self.put(Step::BackUp { node }),
            6..=8 => self.put(Step::Restore { node }),
            _ => {
                let mark = self.random.percent(60);
                self.put(Step::SetBack { node, mark });
            }
        }
        if node == 0 && self.random.percent(20) {
            let node = self.node();
            self.put(Step::Evidence { node });
        }
    }

    /// The app tries again what it does not remember; a payment's callback comes to another kiosk too.
    fn again(&mut self) {
        if self.asked.is_empty() {
            return;
        }
        let back = self.random.range(1, 12).min(self.asked.len() as i64) as usize;
        let (node, operation) = self.asked[self.asked.len() - back].clone();
        let elsewhere = self.random.percent(35);
        let node = if elsewhere { self.node() } else { node };
        self.put(Step::Book { node, operation, broken: false });
    }

    /// The account that has an allotment, and whose it is.
    fn allotted(&mut self) -> Option<(Node, u8)> {
        let all: Vec<(Node, u8)> = self
            .asked
            .iter()
            .filter_map(|(_, operation)| match operation.ask {
                Ask::Allot { device, .. } => Some((Node::from(device), operation.account)),
                _ => None,
            })
            .collect();
        let back = self.random.range(0, 2) as usize;
        all.iter().rev().nth(back).or(all.last()).copied()
    }

    fn allot(&mut self) {
        let most = i64::from(self.style.devices);
        let (account, device) = (self.account(), self.random.range(1, most) as u8);
        let points = self.random.range(1, 8);
        let Some((node, lent)) = self.allotted().filter(|_| self.random.percent(75)) else {
            let lasts = *self.random.pick(&[HOUR, DAY, 4 * DAY]);
            return self.ask(0, account, Ask::Allot { device, points: points * 2, lasts });
        };
        match self.random.range(1, 100) {
            1..=10 => self.ask(0, lent, Ask::Recall),
            11..=13 => self.ask(0, lent, Ask::AllotWriteOff),
            14..=35 => self.put(Step::Exchange { node }),
            36..=70 => self.ask(node, lent, Ask::Consume { points, policy: Policy::Strict }),
            71..=90 => self.ask(node, lent, Ask::Hold { points, lasts: 10 * HOUR }),
            91..=96 => self.after_hold(0, HOUR),
            _ => self.ask(node, lent, Ask::Return),
        }
    }

    fn stage(&mut self) {
        let nth = self.random.range(0, 5) as usize;
        let another = self.random.percent(20);
        let step = match self.random.range(1, 100) {
            1..=60 => Step::Approve { nth, another },
            61..=80 => Step::Dismiss { nth },
            _ => Step::Admit {
                device: self.node() as u8,
                recharge: *self.random.pick(&[0, 20, 500]),
                refund: self.random.percent(70),
                allotted: self.random.percent(50),
                all: self.random.percent(40),
            },
        };
        self.put(step);
    }

    fn broken(&mut self, node: Node) {
        if self.random.percent(25) {
            let node = if self.random.percent(40) { 0 } else { node };
            return self.put(Step::Upgrade { node });
        }
        let account = self.account();
        let points = self.random.range(1, 15);
        let ask = match self.random.percent(70) {
            true => Ask::Consume { points, policy: Policy::Postpaid },
            false => self.recharge(),
        };
        self.ask(node, account, ask);
        if let Some(Step::Book { broken, .. }) = self.steps.last_mut() {
            *broken = true;
        }
    }
}
