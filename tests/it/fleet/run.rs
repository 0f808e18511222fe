//! Plays a schedule: the road between a fleet's nodes, and the full exchange at the end.

use super::model::{Fleet, Model, Operate};
use super::steps::{Node, Step};
use super::wrong::Wrong;
use super::{DAY, START};
use std::collections::BTreeMap;

/// Files on the road are kept up to so many.
const ROAD: usize = 40;
const ALL: usize = 10_000;

pub struct Run<'a, F: Fleet> {
    pub fleet: &'a mut F,
    now: i64,
    off: Vec<i64>,
    up: Vec<F::Up>,
    down: Vec<F::Down>,
    /// How often each step was done, or was refused and why.
    pub met: BTreeMap<String, usize>,
}

impl<'a, F: Fleet> Run<'a, F> {
    pub fn new(fleet: &'a mut F) -> Run<'a, F> {
        let off = vec![0; fleet.nodes()];
        Run { fleet, now: START, off, up: Vec::new(), down: Vec::new(), met: BTreeMap::new() }
    }

    /// All steps, whatever comes of them.
    pub fn play_all(&mut self, steps: &[Step]) {
        steps.iter().for_each(|step| _ = self.step(step));
    }

    /// All steps, then peace. What is wrong, if anything is.
    pub fn play(&mut self, steps: &[Step]) -> Result<(), String> {
        for (n, step) in steps.iter().enumerate() {
            self.step(step);
            self.judge(|| format!("after step {n}, {step:?}"))?;
        }
        self.settle()
    }

    fn judge(&mut self, when: impl Fn() -> String) -> Result<(), String> {
        let faults = self.fleet.faults();
        if faults.is_empty() { Ok(()) } else { Err(format!("{}: {}", when(), faults.join("\n"))) }
    }

    fn read_clocks(&mut self) {
        for node in 0..self.fleet.nodes() {
            self.fleet.set_clock(node, (self.now + self.off[node]).max(0));
        }
    }

    /// The answer: what came of it, in a word.
    fn step(&mut self, step: &Step) -> String {
        self.read_clocks();
        let done = match step {
            Step::Pass(ms) => {
                self.now += ms;
                Ok(())
            }
            Step::Clock { node, off } => self.node(*node).map(|node| self.off[node] = *off),
            Step::Book { node, operation, broken } => {
                self.node(*node).and_then(|node| self.fleet.book(node, operation, *broken))
            }
            Step::Export { node, most } => self.device(*node).map(|node| {
                let files = self.fleet.export(node, (*most).max(1));
                self.up.extend(files);
            }),
            Step::Exchange { node } => self.device(*node).and_then(|node| self.exchange(node)),
            Step::BackUp { node } => self.node(*node).map(|node| self.fleet.back_up(node)),
            Step::Restore { node } => self.node(*node).and_then(|node| self.fleet.restore(node)),
            Step::SetBack { node, mark } => self.node(*node).and_then(|node| self.fleet.set_back(node, *mark)),
            Step::Copy { node } => self.node(*node).and_then(|node| self.fleet.copy(node).map(|()| node)).map(|node| {
                self.off.push(self.off[node]);
            }),
            Step::Verify { node } => self.node(*node).map(|node| self.fleet.verify(node)),
            Step::Upgrade { node } => self.node(*node).map(|node| self.fleet.upgrade(node)),
            _ => self.step_on_the_road(step),
        };
        let name = format!("{step:?}");
        let what = match step {
            Step::Book { node, operation, .. } => {
                let ask = format!("{:?}", operation.ask);
                let side = if *node == 0 { "hub" } else { "device" };
                format!("{side} {}", ask.split([' ', '{']).next().unwrap_or(""))
            }
            _ => name.split([' ', '{', '(']).next().unwrap_or("").to_string(),
        };
        let how = done.err().unwrap_or_else(|| "done".into());
        self.up.truncate(ROAD);
        self.down.truncate(ROAD);
        let came = format!("{what}: {how}");
        *self.met.entry(came.clone()).or_default() += 1;
        came
    }

    fn step_on_the_road(&mut self, step: &Step) -> Result<(), String> {
        let nothing = || Err("nothing".to_string());
        let (ups, downs) = (self.up.len().max(1), self.down.len().max(1));
        match *step {
            Step::Up { nth, most, again } => {
                let Some(file) = self.up.get(nth % ups).cloned() else { return nothing() };
                if !again {
                    self.up.remove(nth % ups);
                }
                let answer = self.fleet.import_up(&file, most.max(1))?;
                self.down.extend(answer);
                Ok(())
            }
            Step::Down { nth, copy, again } => {
                let Some(file) = self.down.get(nth % downs).cloned() else { return nothing() };
                if !again {
                    self.down.remove(nth % downs);
                }
                let device = self.fleet.addressee(&file);
                let copies: Vec<Node> = (1..self.fleet.nodes()).filter(|n| self.fleet.device(*n) == device).collect();
                self.fleet.import_down(copies[copy % copies.len()], &file)
            }
            Step::LoseUp { nth } if !self.up.is_empty() => {
                self.up.remove(nth % ups);
                Ok(())
            }
            Step::LoseDown { nth } if !self.down.is_empty() => {
                self.down.remove(nth % downs);
                Ok(())
            }
            Step::DamageUp { nth } if !self.up.is_empty() => {
                self.fleet.damage_up(&mut self.up[nth % ups]);
                Ok(())
            }
            Step::DamageDown { nth } if !self.down.is_empty() => {
                self.fleet.damage_down(&mut self.down[nth % downs]);
                Ok(())
            }
            Step::Approve { nth, another } => self.fleet.operate(&Operate::Approve { nth, another }),
            Step::Dismiss { nth } => self.fleet.operate(&Operate::Dismiss { nth }),
            Step::AcceptGap { nth } => self.fleet.operate(&Operate::AcceptGap { nth }),
            Step::Admit { device, recharge, refund, allotted, all } => {
                self.fleet.operate(&Operate::Admit { device, recharge, refund, allotted, all })
            }
            Step::Expel { device } => self.fleet.operate(&Operate::Expel { device }),
            Step::LateWindow(ms) => self.fleet.operate(&Operate::LateWindow(ms)),
            Step::Evidence { node } => self.fleet.operate(&Operate::Evidence { node }),
            _ => nothing(),
        }
    }

    fn node(&self, node: Node) -> Result<Node, String> {
        if node < self.fleet.nodes() { Ok(node) } else { Err("no_node".into()) }
    }

    fn device(&self, node: Node) -> Result<Node, String> {
        if node == 0 { Err("no_node".into()) } else { self.node(node) }
    }

    fn exchange(&mut self, node: Node) -> Result<(), String> {
        for file in self.fleet.export(node, ALL) {
            for down in self.fleet.import_up(&file, ALL)? {
                self.fleet.import_down(node, &down)?;
            }
        }
        Ok(())
    }

    fn alike<B: Fleet>(&self, other: &Run<'_, B>, when: impl Fn() -> String) -> Result<(), String> {
        for node in 0..self.fleet.nodes() {
            let pairs = self.fleet.shown(node).into_iter().zip(other.fleet.shown(node));
            if let Some((account, (a, b))) = pairs.enumerate().find(|(_, (a, b))| a != b) {
                return Err(format!("{}: node {node}, account {account}:\n   {a:?}\n   {b:?}", when()));
            }
        }
        Ok(())
    }

    /// Clocks are mended, holds run out, what is on the road arrives, and all exchange until nothing changes any more.
    fn settle(&mut self) -> Result<(), String> {
        self.now += 3 * DAY;
        self.off.fill(0);
        self.read_clocks();
        for file in std::mem::take(&mut self.up) {
            self.down.extend(self.fleet.import_up(&file, 2).unwrap_or_default());
            self.judge(|| "while files arrive".into())?;
        }
        for file in std::mem::take(&mut self.down) {
            let device = self.fleet.addressee(&file);
            for node in (1..self.fleet.nodes()).filter(|n| self.fleet.device(*n) == device).collect::<Vec<_>>() {
                // What is refused or late is no fault.
                _ = self.fleet.import_down(node, &file);
            }
            self.judge(|| "while answers arrive".into())?;
        }
        // After what is written down comes another round or two that bring nothing but marks.
        let (mut before, mut quiet) = (self.fleet.lengths(), 0);
        for _ in 0..8 {
            for node in 1..self.fleet.nodes() {
                self.exchange(node)?;
            }
            self.judge(|| "in the full exchange".into())?;
            let after = self.fleet.lengths();
            quiet = if after == before { quiet + 1 } else { 0 };
            if quiet == 2 {
                break;
            }
            before = after;
        }
        Ok(())
    }
}

/// The same schedule on two fleets: what is refused, and every account of every node as it is shown after each step. The codes
/// of the first are told in the words of the second.
pub fn compare<A: Fleet, B: Fleet>(
    left: &mut A,
    right: &mut B,
    steps: &[Step],
    word: fn(&str) -> &str,
) -> Result<(), String> {
    let (mut left, mut right) = (Run::new(left), Run::new(right));
    for (n, step) in steps.iter().enumerate() {
        let (a, b) = (left.step(step), right.step(step));
        if word(&a) != b {
            return Err(format!("step {n}, {step:?}: {a}, {b}"));
        }
        right.judge(|| format!("after step {n}, {step:?}"))?;
        left.alike(&right, || format!("after step {n}, {step:?}"))?;
    }
    let (a, b) = (left.settle(), right.settle());
    if a.is_ok() != b.is_ok() {
        return Err(format!("at the end: {a:?}, {b:?}"));
    }
    (0..right.fleet.nodes()).for_each(|node| right.fleet.verify(node));
    right.judge(|| "at the end".into())?;
    left.alike(&right, || "at the end".into())
}

/// A schedule on the model, with this rule wrong. The answer: how often what was met.
pub fn play(devices: u8, steps: &[Step], wrong: Option<Wrong>) -> Result<BTreeMap<String, usize>, String> {
    let mut model = Model::new(devices, wrong);
    let mut run = Run::new(&mut model);
    run.play(steps)?;
    let mut met = std::mem::take(&mut run.met);
    let faults = model.judge_end();
    if !faults.is_empty() {
        return Err(format!("at the end: {}", faults.join("\n")));
    }
    let word = |text: String| text.split(['(', ' ']).next().unwrap_or("").to_string();
    let staged = model.hub.staged_for.iter().map(|reason| format!("staged: {}", word(format!("{reason:?}"))));
    let flags = model.hub.flags.iter().map(|(_, flag)| format!("flag: {}", word(format!("{flag:?}"))));
    staged.chain(flags).for_each(|what| *met.entry(what).or_default() += 1);
    Ok(met)
}
