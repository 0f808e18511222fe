//! What a schedule is played on. The model is one; the library's files can be another.

use super::account::{Allotment, Figures, Id, Ms, State};
use super::answer::Report;
use super::decide::{Ask, Operation};
use super::device::Device;
use super::facts::{Act, Down, Line, Terms, Up};
use super::hub::{Hub, Record, Scope};
use super::steps::Node;
use super::wrong::Wrong;
use super::{ACCOUNTS, DAY, MOST_NODES, START};
use std::collections::BTreeSet;
use std::rc::Rc;

/// What somebody at the hub does.
#[derive(Clone, Debug, PartialEq)]
pub enum Operate {
    Approve { nth: usize, another: bool },
    Dismiss { nth: usize },
    AcceptGap { nth: usize },
    Admit { device: u8, recharge: i64, refund: bool, allotted: bool, all: bool },
    Expel { device: u8 },
    LateWindow(Ms),
    Evidence { node: Node },
}

pub type Done<T> = Result<T, String>;

/// An account as a read shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// available, held, pending, debt.
    pub figures: Figures,
    pub state: State,
    /// What is set aside of it, the oldest first: at the hub all, on a device its own.
    pub allotments: Vec<Lent>,
}

/// An allotment of which something is left.
#[derive(Clone, Debug, PartialEq)]
pub struct Lent {
    pub epoch: i64,
    pub left: i64,
    pub recalled: bool,
    /// Whether its device may spend it now.
    pub usable: bool,
}

/// A hub, node 0, and the files of its devices. A refusal is told by its code.
pub trait Fleet {
    type Up: Clone;
    type Down: Clone;

    /// How many nodes there are, the hub included.
    fn nodes(&self) -> usize;
    /// The device a node is, or is a copy of; 0 for the hub.
    fn device(&self, node: Node) -> u8;
    /// What the node's clock reads from now on.
    fn set_clock(&mut self, node: Node, reading: Ms);
    fn book(&mut self, node: Node, operation: &Operation, broken: bool) -> Done<()>;
    fn export(&mut self, node: Node, most: usize) -> Vec<Self::Up>;
    fn import_up(&mut self, file: &Self::Up, most: usize) -> Done<Vec<Self::Down>>;
    fn addressee(&self, file: &Self::Down) -> u8;
    fn import_down(&mut self, node: Node, file: &Self::Down) -> Done<()>;
    fn damage_up(&self, file: &mut Self::Up);
    fn damage_down(&self, file: &mut Self::Down);
    fn back_up(&mut self, node: Node);
    fn restore(&mut self, node: Node) -> Done<()>;
    fn set_back(&mut self, node: Node, mark: bool) -> Done<()>;
    fn copy(&mut self, node: Node) -> Done<()>;
    fn upgrade(&mut self, node: Node);
    fn operate(&mut self, what: &Operate) -> Done<()>;
    /// What is found is told by the next `faults`.
    fn verify(&mut self, node: Node);
    /// The accounts of a node, by number, as a read shows them now.
    fn shown(&self, node: Node) -> Vec<Option<Shown>>;
    /// How much each node has written down.
    fn lengths(&self) -> Vec<u64>;
    /// What this step changed, and is wrong.
    fn faults(&mut self) -> Vec<String>;
}

/// What has happened that excuses something.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Devices of which there were two files in one epoch.
    pub copied: BTreeSet<u8>,
    pub hub_set_back: bool,
    pub written_off: bool,
    pub approved: bool,
}

/// The fleet in memory.
pub struct Model {
    pub hub: Hub,
    pub devices: Vec<Device>,
    pub readings: Vec<Ms>,
    backups: Vec<Option<Backup>>,
    pub past: Past,
    pub found: Vec<String>,
    salt: u64,
}

#[derive(Clone)]
enum Backup {
    Hub(Box<Hub>),
    Device(Box<Device>),
}

pub fn terms(allotted: bool, recharge: i64, refund: bool, late_window: Ms) -> Terms {
    Terms { allotted, recharge, refund, late_window, max_offline: if allotted { 30 * DAY } else { 0 } }
}

impl Model {
    /// Every other device spends strictly from allotments alone.
    pub fn new(devices: u8, wrong: Option<Wrong>) -> Model {
        let mut hub = Hub::new(wrong);
        let late_window = hub.late_window;
        let mut made = Vec::new();
        for device in 1..=devices {
            let terms = terms(device % 2 == 1, 500, true, late_window);
            let scope = if device == 2 { Scope::All } else { Scope::Seen };
            hub.write(Record::Admit { device, recorded: START, terms, scope });
            made.push(Device::new(device, terms, START, wrong));
        }
        let nodes = usize::from(devices) + 1;
        let backups = (0..nodes).map(|_| None).collect();
        Model {
            hub,
            devices: made,
            readings: vec![START; nodes],
            backups,
            past: Past::default(),
            found: Vec::new(),
            salt: 0,
        }
    }

    /// Chance that is never the same twice, and the same whenever a schedule is played.
    fn shake(&mut self, node: Node) {
        self.salt += 1;
        match node {
            0 => self.hub.salt = self.salt,
            node => self.devices[node - 1].salt = self.salt,
        }
    }

    /// The backup in the place of the file. `mark`: what was told to others is not forgotten.
    fn put_back(&mut self, node: Node, mark: bool) -> Done<()> {
        match self.backups[node].clone() {
            Some(Backup::Hub(hub)) => {
                let rules = self.hub.rules;
                self.hub = Hub { rules, ..*hub };
                self.past.hub_set_back = true;
            }
            Some(Backup::Device(device)) => {
                let now = &mut self.devices[node - 1];
                if !mark {
                    self.past.copied.insert(now.id);
                }
                let kept = if mark { now.mark } else { device.mark };
                let (rules, faults) = (now.rules, std::mem::take(&mut now.faults));
                *now = Device { mark: kept, rules, faults, ..*device };
            }
            None => return Err("no_backup".into()),
        }
        Ok(())
    }

    fn admit(&mut self, device: u8, terms: Terms, all: bool) -> Done<()> {
        if !self.hub.devices.contains_key(&device) {
            return Err("unknown_device".into());
        }
        let scope = if all { Scope::All } else { Scope::Seen };
        let recorded = self.readings[0];
        self.hub.write(Record::Admit { device, recorded, terms, scope });
        Ok(())
    }

    fn nth_staged(&self, nth: usize) -> Done<Id> {
        let staged = self.hub.staged();
        let count = staged.len().max(1);
        staged.get(nth % count).copied().ok_or_else(|| "not_staged".into())
    }

    /// What the files of a device have received, and the hub has lost, is booked again.
    fn enter_evidence(&mut self, node: Node) -> Done<()> {
        let Some(device) = self.devices.get(node.wrapping_sub(1)) else { return Err("unknown_device".into()) };
        let received: Vec<Rc<Line>> = device
            .log
            .iter()
            .flat_map(|link| match &link.fact.act {
                Act::Reconcile(reconcile) => reconcile.lines.clone(),
                _ => Vec::new(),
            })
            .collect();
        let now = self.readings[0];
        for (account, id, amount) in self.hub.evidence(&received) {
            let key = 2_000_000 + (id % 1_000_000) as u32;
            let ask = Ask::Recharge { points: amount, life: Some(20 * DAY), starts: None, priority: 50, promo: false };
            let operation = Operation { account, key, occurred: None, ask };
            self.hub.book(&operation, now).map_err(String::from)?;
        }
        Ok(())
    }
}

impl Fleet for Model {
    type Up = Up;
    type Down = Down;

    fn nodes(&self) -> usize {
        self.devices.len() + 1
    }

    fn device(&self, node: Node) -> u8 {
        if node == 0 { 0 } else { self.devices[node - 1].id }
    }

    fn set_clock(&mut self, node: Node, reading: Ms) {
        self.readings[node] = reading;
    }

    fn book(&mut self, node: Node, operation: &Operation, broken: bool) -> Done<()> {
        self.shake(node);
        let reading = self.readings[node];
        let answer = match node {
            0 => self.hub.book(operation, reading),
            node => self.devices[node - 1].book(operation, reading, broken),
        };
        self.past.written_off |= answer.is_ok() && operation.ask == Ask::AllotWriteOff;
        answer.map(|_| ()).map_err(String::from)
    }

    fn export(&mut self, node: Node, most: usize) -> Vec<Up> {
        self.shake(node);
        let reading = self.readings[node];
        self.devices[node - 1].export(reading, most)
    }

    fn import_up(&mut self, file: &Up, most: usize) -> Done<Vec<Down>> {
        self.shake(0);
        let answer: Result<(Report, Vec<Down>), _> = self.hub.import(file, self.readings[0], most);
        answer.map(|(_, down)| down).map_err(String::from)
    }

    fn addressee(&self, file: &Down) -> u8 {
        file.device
    }

    fn import_down(&mut self, node: Node, file: &Down) -> Done<()> {
        self.shake(node);
        let reading = self.readings[node];
        self.devices[node - 1].import(file, reading).map_err(String::from)
    }

    fn damage_up(&self, file: &mut Up) {
        file.damaged = true;
    }

    fn damage_down(&self, file: &mut Down) {
        file.damaged = true;
    }

    fn back_up(&mut self, node: Node) {
        self.backups[node] = Some(match node {
            0 => Backup::Hub(Box::new(self.hub.clone())),
            node => Backup::Device(Box::new(self.devices[node - 1].clone())),
        });
    }

    fn restore(&mut self, node: Node) -> Done<()> {
        self.put_back(node, true)?;
        self.shake(node);
        let reading = self.readings[node];
        match node {
            0 => self.hub.restore(reading),
            node => self.devices[node - 1].new_epoch(reading, true),
        }
        Ok(())
    }

    fn set_back(&mut self, node: Node, mark: bool) -> Done<()> {
        self.put_back(node, mark)?;
        self.shake(node);
        let reading = self.readings[node];
        if node > 0 {
            // As whoever opens it does.
            self.devices[node - 1].mind_mark(reading);
        }
        Ok(())
    }

    fn copy(&mut self, node: Node) -> Done<()> {
        if node == 0 || self.nodes() >= MOST_NODES {
            return Err("no_room".into());
        }
        let copy = self.devices[node - 1].clone();
        self.past.copied.insert(copy.id);
        self.devices.push(copy);
        self.readings.push(self.readings[node]);
        self.backups.push(self.backups[node].clone());
        Ok(())
    }

    fn upgrade(&mut self, node: Node) {
        match node {
            0 => self.hub.rules = 2,
            node => self.devices[node - 1].rules = 2,
        }
    }

    fn verify(&mut self, node: Node) {
        self.judge_fold(node);
    }

    fn operate(&mut self, what: &Operate) -> Done<()> {
        self.shake(0);
        let now = self.readings[0];
        match *what {
            Operate::Approve { nth, another } => {
                let id = self.nth_staged(nth)?;
                self.hub.approve(id, another, now)?;
                self.past.approved = true;
            }
            Operate::Dismiss { nth } => {
                let id = self.nth_staged(nth)?;
                self.hub.dismiss(id, now);
            }
            Operate::AcceptGap { nth } => self.hub.accept_gap(nth, now)?,
            Operate::Admit { device, recharge, refund, allotted, all } => {
                let terms = terms(allotted, recharge, refund, self.hub.late_window);
                self.admit(device, terms, all)?;
            }
            Operate::Expel { device } => {
                if !self.hub.devices.contains_key(&device) {
                    return Err("unknown_device".into());
                }
                self.hub.write(Record::Expel { device, recorded: now });
            }
            Operate::LateWindow(late_window) => {
                self.hub.write(Record::Configure { late_window, recorded: now });
            }
            Operate::Evidence { node } => self.enter_evidence(node)?,
        }
        Ok(())
    }

    fn shown(&self, node: Node) -> Vec<Option<Shown>> {
        let reading = self.readings[node];
        let lent = |a: &Allotment, usable: bool| Lent {
            epoch: i64::from(a.epoch),
            left: a.left(),
            recalled: a.recalled,
            usable,
        };
        let one = |account: u8| {
            let (view, usable) = match node {
                0 => (self.hub.view(account, reading)?, Vec::new()),
                node => {
                    let device = &self.devices[node - 1];
                    let view = device.view(account, reading)?;
                    let usable = device.may_spend(&view, account.into(), reading);
                    (view, usable)
                }
            };
            let own = view.allotments.iter().filter(|a| a.left() > 0);
            let allotments = own.map(|a| lent(a, usable.contains(&a.id))).collect();
            Some(Shown { figures: view.figures(), state: view.state, allotments })
        };
        (0..ACCOUNTS).map(one).collect()
    }

    fn lengths(&self) -> Vec<u64> {
        let devices = self.devices.iter().map(|device| device.log.len() as u64);
        std::iter::once(u64::from(self.hub.seq())).chain(devices).collect()
    }

    fn faults(&mut self) -> Vec<String> {
        self.judge_lines()
    }
}
